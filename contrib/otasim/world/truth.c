/* truth.c - what a card says of itself, where its phone is registered, and a register as its operator would have filled it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "world.h"

static uint64_t order_number(const uint8_t id[8])
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | id[i];
	return v;
}

static void look_applet(const struct sim_card *c, struct sim_world_card *out)
{
	const struct sim_sub_rec *r = sim_sub_rec(c->sub);
	unsigned last = (r->orders_next + SIM_SUB_ORDERS_MAX - 1u) % SIM_SUB_ORDERS_MAX;

	out->applet = true;
	out->index = r->index;
	out->kvn = r->kvn;
	out->state = r->state;
	out->order = order_number(r->order);
	if (!out->order && r->orders[last].end)
		out->order = order_number(r->orders[last].id);
	for (int i = 0; i < SIM_PAIRS_MAX; i++)
		out->pairs_left += r->place[i] > r->index;
	out->moves = c->sub->moves;
	out->moves_max = c->sub->moves_max;
}

void sim_card_look(const struct sim_card *c, const struct sim_air *air, uint32_t card, struct sim_world_card *out)
{
	struct sim_card_truth t;

	sim_card_truth(c, &t);
	*out = (struct sim_world_card){
		.op = air ? sim_air_operator(air, card) : SIM_WORLD_NOBODY,
		.present = air && sim_air_present(air, card),
		.kvn = c->ks[0].kvn,
		.imsi_writes = t.imsi_writes,
		.executions_max = t.executions_max,
		.sqn = sim_card_sqn(c),
	};
	memcpy(out->iccid, c->iccid, sizeof(out->iccid));
	memcpy(out->imsi_stored, t.imsi_stored, sizeof(out->imsi_stored));
	memcpy(out->imsi_presented, t.imsi_presented, sizeof(out->imsi_presented));
	if (c->sub)
		look_applet(c, out);
}

/* ---- filling a register ---- */

static void hex(char out[33], const uint8_t p[16])
{
	for (int i = 0; i < 16; i++)
		sprintf(out + 2 * i, "%02x", p[i]);
}

static bool says(struct sim_hlr *h, const char *request)
{
	char reply[SIM_HLR_REPLY_MAX];

	sim_hlr_ctrl(h, request, reply);
	return strncmp(reply, "ERROR", 5) != 0;
}

bool sim_hlr_fill(struct sim_hlr *h, const struct fleet *f, uint32_t *card)
{
	char text[SIM_CTRL_REQUEST_MAX], k[33], opc[33];
	bool ok = true;

	for (*card = 0; ok && *card < f->n; ++*card) {
		const struct sim_card *c = &f->cards[*card];
		const struct sim_pair *p = c->sub ? sim_sub_pair(c->sub, sim_sub_rec(c->sub)->index) : NULL;

		snprintf(text, sizeof(text), "SET 1 subscriber.create %s", c->imsi_first);
		ok = (p || c->usim) && says(h, text);
		if (ok && c->msisdn[0]) {
			snprintf(text, sizeof(text), "SET 1 subscriber.by-imsi-%s.msisdn %s", c->imsi_first, c->msisdn);
			ok = says(h, text);
		}
		if (!ok)
			return false;
		hex(k, p ? p->k : c->usim->k);
		hex(opc, p ? p->opc : c->usim->opc);
		snprintf(text, sizeof(text), "SET 1 subscriber.by-imsi-%s.aud3g milenage,%s,opc,%s", c->imsi_first, k,
			 opc);
		ok = says(h, text);
	}
	OPENSSL_cleanse(text, sizeof(text));
	OPENSSL_cleanse(k, sizeof(k));
	OPENSSL_cleanse(opc, sizeof(opc));
	return ok;
}
