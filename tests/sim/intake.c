/* intake.c - the fleet and its campaigns come into the store, as the front would bring them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"

/* ------------------------------------------------------------------------------------------------ the fleet */

static void key_hex(char *out, const uint8_t *key, size_t len)
{
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", key[i]);
}

static int seal(struct world *w, unsigned i, uint8_t kvn, const uint8_t *const key[3], struct keyset_row *k)
{
	struct watched_card *c = &w->watch[i];
	enum ota_alg alg = w->sc.alg == SIM_ALG_3DES2 ? OTA_ALG_3DES2_CBC :
			   w->sc.alg == SIM_ALG_3DES3 ? OTA_ALG_3DES3_CBC :
							OTA_ALG_AES_CBC;
	struct ks_keyset_spec spec = { .kvn = kvn, .kic_alg = alg, .kid_alg = alg, .cc_len = w->sc.mac_len };
	char hex[3][2 * SIM_KEY_MAX + 1], err[160];
	int n;

	for (unsigned j = 0; j < 3; j++)
		key_hex(hex[j], key[j], c->key_len);
	n = ks_keyset_import(w->audit, w->card[i].iccid, &spec, hex[0], hex[1], hex[2], k->sealed, err, sizeof(err));
	if (n < 0) {
		check_fail(w, "harness", "card %u: keys: %s", i, err);
		return -1;
	}
	k->kvn = spec.kvn;
	k->kic_alg = k->kid_alg = (uint8_t)alg;
	k->cc_len = spec.cc_len;
	k->cntr = w->sc.card.cntr;
	k->epoch = w->epoch;
	k->sealed_len = (uint16_t)n;
	return 0;
}

int world_make_card(struct world *w, unsigned i)
{
	struct sim_card *c = &w->card[i];
	struct watched_card *v = &w->watch[i];
	struct sim_card_profile p = w->sc.card;

	if (i >= w->sc.wrong_keys && i < w->sc.wrong_keys + w->sc.denied) {
		p.deny_update_fid = USIM_FID_FPLMN;
		v->sick = true;
	}
	if (sim_card_init(c, w->seed, i, &p) || (w->sc.works && orders_card(w, i)))
		return -1;
	v->key_len = sim_alg_key_len(w->sc.alg);
	memcpy(v->key[0], c->ks[0].kic, v->key_len);
	memcpy(v->key[1], c->ks[0].kid, v->key_len);
	memcpy(v->key[2], c->ks[0].kik, v->key_len);
	if (i < w->sc.wrong_keys) {
		v->key[i & 1][0] ^= 0x10;
		v->sick = true;
	}
	snprintf(v->new_imsi, sizeof(v->new_imsi), "99981%06u%04u", (unsigned)(w->seed % 1000000), i % 10000);
	v->campaign = i % w->sc.campaigns;
	if (w->sc.new_msisdn)
		snprintf(v->new_msisdn, sizeof(v->new_msisdn), "8839%09u", i + 1);
	if (w->sc.zone_max_min)
		v->tz_min = (int)((w->seed + 7 * i) % (2u * (unsigned)w->sc.zone_max_min + 1)) - w->sc.zone_max_min;
	v->index = 1;
	if (seal(w, i, w->sc.kvn, (const uint8_t *const[3]){ v->key[0], v->key[1], v->key[2] }, &v->keyset))
		return -1;
	if (w->sc.works) {
		const struct sim_ota_keys *two = orders_keys(w, i);

		if (seal(w, i, 2, (const uint8_t *const[3]){ two->kic, two->kid, two->kik }, &v->keyset2))
			return -1;
		v->keyset2.cntr = 0;
	}
	return 0;
}

static int commit(struct world *w, struct store *s, struct store_batch *b)
{
	int rc = store_commit_wait(s, b);

	for (size_t i = 0; !rc && i < b->n; i++)
		if (b->ops[i].rc)
			rc = b->ops[i].rc;
	if (rc)
		check_fail(w, "harness", "intake: %s", store_strerror(rc));
	return rc;
}

static int intake_cards(struct world *w, struct store *s, struct store_batch *b)
{
	int rc;

	for (unsigned i = 0; i < w->sc.cards; i++) {
		struct store_card_insert in = { .n_keysets = w->sc.works ? 2 : 1,
						.keyset = { w->watch[i].keyset, w->watch[i].keyset2 } };

		memcpy(in.card.iccid, w->card[i].iccid, SIM_ICCID_LEN);
		memcpy(in.card.imsi, w->card[i].imsi_first, SIM_IMSI_LEN);
		memcpy(in.card.msisdn, w->card[i].msisdn, SIM_IMSI_LEN);
		in.card.created_ms = w->gw_ms;
		in.card.tz_min = w->watch[i].tz_min;
		store_batch_add(b, ST_CARD_INSERT, &in, NULL, 0);
	}
	rc = commit(w, s, b);
	for (unsigned i = 0; !rc && i < w->sc.cards; i++)
		w->watch[i].id = ((struct store_card_insert *)b->ops[i].row)->card.id;
	store_batch_reset(b);
	return rc;
}

static void add_campaign(struct world *w, struct store_batch *b, unsigned i, uint64_t targets)
{
	struct campaign_row *c = &w->campaign[i];

	w->rules[i].durable_stopped = w->rules[i].stopped = true;
	*c = (struct campaign_row){
		.id = i + 1,
		.state = CAMPAIGN_READY,
		.kind = w->sc.works ? w->sc.work[i].kind : 0,
		.open_ended = w->sc.grows,
		.profile = "sim",
		.created_ms = w->gw_ms,
		.targets = targets,
	};
	snprintf(c->name, sizeof(c->name), "swap%u", i + 1);
	scenario_rules_text(&w->sc, i, w->broken, c->rules);
	store_batch_add(b, ST_CAMPAIGN_INSERT, c, w->profile_text, strlen(w->profile_text));
}

void world_target(struct world *w, struct store_batch *b, unsigned card, unsigned campaign, const char *new_imsi)
{
	struct store_txn_plan p = {
		.txn = { .campaign = w->campaign[campaign].id, .evidence = 255, .por_status = 255 },
		.kvn = w->sc.kvn,
	};

	uint8_t work[TXN_WORK_MAX];
	int len = 0;

	memcpy(p.txn.new_imsi, new_imsi, sizeof(p.txn.new_imsi));
	memcpy(p.txn.new_msisdn, w->watch[card].new_msisdn, sizeof(p.txn.new_msisdn));
	memcpy(p.iccid, w->card[card].iccid, SIM_ICCID_LEN);
	if (w->sc.works)
		len = orders_work(w, campaign, card, work, sizeof(work), &p);
	if (len < 0)
		check_fail(w, "harness", "card %u: its work: %s", card, ota_strerror(len));
	else
		store_batch_add(b, ST_TXN_PLAN, &p, work, (size_t)len);
}

/* The others come while it runs. */
static unsigned at_first(const struct world *w)
{
	return w->sc.grows ? w->sc.cards / 2 : w->sc.cards;
}

static int intake_campaigns(struct world *w, struct store *s, struct store_batch *b)
{
	w->n_campaigns = w->sc.campaigns;
	for (unsigned i = 0; i < w->n_campaigns; i++)
		add_campaign(w, b, i,
			     w->sc.grows ? at_first(w) : (w->sc.cards + w->n_campaigns - 1 - i) / w->n_campaigns);
	for (unsigned i = 0; i < at_first(w); i++)
		w->watch[i].planned = true;
	for (unsigned i = 0; i < at_first(w); i++)
		world_target(w, b, i, w->watch[i].campaign, w->watch[i].new_imsi);
	return commit(w, s, b);
}

int world_intake(struct world *w)
{
	struct store *s = store_mem_open(w->disk, &w->hooks);
	struct store_batch *b = store_batch_new();
	int rc = s && b ? 0 : -ENOMEM;

	w->setup = true;
	if (!rc)
		rc = intake_cards(w, s, b);
	if (!rc)
		rc = intake_campaigns(w, s, b);
	w->setup = false;
	if (b)
		store_batch_free(b);
	if (s)
		s->ops->close(s);
	return rc;
}

/* ---- the fleet changes once more: an intake beside the running core, as the front does it ---- */

static void again_done(struct store_batch *b, int rc)
{
	struct world *w = b->ctx;
	char err[160];

	if (rc) {
		tell(w, "the intake failed (%s) and is tried again", store_strerror(rc));
		world_plan(w, w->now_ms + 500, PLAN_AGAIN, 0);
		return;
	}
	for (size_t i = 0; i < b->n; i++)
		if (b->ops[i].rc)
			check_fail(w, "harness", "intake: %s", store_strerror(b->ops[i].rc));
	if (gw_campaign_adopt(w->gw, &w->campaign[w->n_campaigns - 1], w->profile_text, strlen(w->profile_text), err,
			      sizeof(err)))
		check_fail(w, "reply", "the core does not take the campaign: %s", err);
	if (w->sc.works) { /* and there may be one more behind it */
		w->again = NULL;
		store_batch_free(b);
	}
	world_start_campaigns(w);
}

void world_intake_again(struct world *w)
{
	struct store_batch *b = store_batch_new();

	if (!b) {
		check_fail(w, "harness", "out of memory");
		return;
	}
	add_campaign(w, b, w->n_campaigns, at_first(w));
	for (unsigned i = 0; i < at_first(w); i++) {
		char imsi[IMSI_DIGITS_MAX + 1];

		memcpy(imsi, w->watch[i].new_imsi, sizeof(imsi));
		imsi[4]++;
		world_target(w, b, i, w->n_campaigns, imsi);
	}
	b->done = again_done;
	b->ctx = w;
	w->again = b;
	w->store->ops->commit(w->store, b);
}

/* ---- somebody plans the cards of a campaign that has been cancelled ---- */

static void try_done(struct store_batch *b, int rc)
{
	struct world *w = b->ctx;

	/* what has ended never opens again: open now, it was so when the plan was looked at */
	for (unsigned i = 0; !rc && i < w->sc.cards; i++)
		if (w->watch[i].txn_state <= TXN_ACTIVE && b->ops[1 + i].rc != STORE_R_OPEN_TXN)
			check_fail(w, "one-open-txn", "card %u is %s, and may be planned again", i,
				   txn_state_name(w->watch[i].txn_state));
	w->attempt = NULL;
	store_batch_free(b);
}

void world_intake_try(struct world *w)
{
	struct campaign_row c = {
		.id = SIM_CAMPAIGNS_MAX + 1, .name = "try", .profile = "sim", .created_ms = w->gw_ms
	};
	struct store_batch *b;

	if (!w->gw || w->dead || w->attempt)
		return;
	b = store_batch_new();
	if (!b) {
		check_fail(w, "harness", "out of memory");
		return;
	}
	store_batch_add(b, ST_CAMPAIGN_INSERT, &c, w->profile_text, strlen(w->profile_text));
	for (unsigned i = 0; i < w->sc.cards; i++) {
		struct store_txn_plan p = { .txn = { .campaign = c.id, .evidence = 255, .por_status = 255 },
					    .kvn = w->sc.kvn };

		memcpy(p.txn.new_imsi, w->watch[i].new_imsi, sizeof(p.txn.new_imsi));
		p.txn.new_imsi[3] ^= 1;
		memcpy(p.iccid, w->card[i].iccid, SIM_ICCID_LEN);
		store_batch_add(b, ST_TXN_PLAN, &p, NULL, 0);
	}
	store_batch_add(b, ST_CAMPAIGN_DROP, &c, NULL, 0); /* a dry run */
	b->done = try_done;
	b->ctx = w;
	w->attempt = b;
	w->store->ops->commit(w->store, b);
}
