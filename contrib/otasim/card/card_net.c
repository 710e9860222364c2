/* card_net.c - the authentication centre that goes with a card: what a network that has the pair sends it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * TS 33.102, 6.3.2 and C.1.2.  Its keys are those the operator of the presented IMSI has: of the active pair, with OPc and
 * algorithm of the set that is on trial, and with what a change of keys has left pending, since the operator switches over
 * when the card has answered.
 */
#include <string.h>

#include <openssl/crypto.h>

#include "card_sub_int.h"

#define AMF_SEPARATION 0x80 /* of an authentication for E-UTRAN and later (TS 33.401, 6.1.1) */

static void centre_keys(const struct sim_sub_rec *r, const struct sim_pair *p, struct sim_aka_keys *k)
{
	bool trial = r->state == SIM_SUB_TRIAL || r->state == SIM_SUB_RETURNING;
	uint8_t what = !trial && r->pending.index == r->index ? r->pending.what : 0;

	memcpy(k->k, what & SIM_PENDING_K ? r->pending.k : p->k, sizeof(k->k));
	memcpy(k->opc, what & SIM_PENDING_OPC ? r->pending.opc : trial && r->set_opc ? r->opc : p->opc, sizeof(k->opc));
	k->alg = what & SIM_PENDING_ALG ? r->pending.alg : trial && r->set_alg ? r->alg : p->alg;
}

int sim_sub_challenge(const struct sim_card *c, const uint8_t rand[16], struct sim_challenge *out)
{
	const uint8_t amf[2] = { AMF_SEPARATION, 0x00 };
	const struct sim_sub_rec *r;
	const struct sim_pair *p;
	struct sim_aka_keys k;
	uint64_t seq = 0;
	uint8_t sqn[6];
	struct sim_aka a;
	int rc;

	if (!c->sub || c->sub->dead)
		return -1;
	r = sim_sub_rec(c->sub);
	p = sim_sub_pair(c->sub, r->index);
	if (!p)
		return -1;
	for (unsigned i = 0; i < SIM_SQN_INDS; i++)
		seq = p->seq[i] > seq ? p->seq[i] : seq;
	seq = (seq + 1) << 5; /* IND 0: one node asks */
	for (int i = 0; i < 6; i++)
		sqn[i] = (uint8_t)(seq >> 8 * (5 - i));
	centre_keys(r, p, &k);
	rc = sim_aka_run(&k, rand, sqn, amf, &a);
	OPENSSL_cleanse(&k, sizeof(k));
	if (rc < 0)
		return -1;
	memcpy(out->rand, rand, sizeof(out->rand));
	for (int i = 0; i < 6; i++)
		out->autn[i] = sqn[i] ^ a.ak[i];
	memcpy(out->autn + 6, amf, sizeof(amf));
	memcpy(out->autn + 8, a.mac_a, 8);
	memcpy(out->xres, a.res, sizeof(out->xres));
	OPENSSL_cleanse(&a, sizeof(a));
	return 0;
}
