/* a_first.c - the issuer: first pairs of new cards come from the vault (MF), of no order; the cards are ours from then on.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "a_int.h"

static int keys_open(struct desk_in *in, const struct xchg_record *r, struct ks_block *b, struct desk_no *no)
{
	const char *iccid = xchg_value(r, "iccid");
	uint8_t block[KS_BLOCK_MAX];
	const size_t len = xchg_hex(r, "keys", block, sizeof(block));
	int rc = in->wrap ? ks_block_unwrap(in->wrap, iccid, block, len, b) : KS_E_SEALED;
	struct ks_sub_spec sub;

	if (rc)
		return desk_refuse(no, "keys", "card %s: its keys do not open: %s", iccid, ks_strerror(rc));
	if (!b->has_sub || b->sets != 1 || b->set[0].kvn != xchg_number(r, "kvn") ||
	    ks_sub_spec(in->d->deps.ks, iccid, b->sub, sizeof(b->sub), &sub) || sub.index != xchg_number(r, "index"))
		return desk_refuse(no, "keys", "card %s: its keys are not those of index %s under version %s", iccid,
				   xchg_value(r, "index"), xchg_value(r, "kvn"));
	return 0;
}

static int card_of(struct desk_in *in, const struct xchg_record *r, const struct ks_block *b,
		   struct store_card_insert *c, struct desk_no *no)
{
	const char *profile = xchg_value(r, "profile");
	struct keyset_row *k = &c->keyset[0];
	struct ks_keyset_spec spec;

	if (ks_sealed_spec(b->set[0].sealed, b->set[0].len, &spec))
		return desk_refuse(no, "keys", "card %s: its keyset is none", xchg_value(r, "iccid"));
	*c = (struct store_card_insert){ .card = { .created_ms = in->d->now_ms, .tz_min = CARD_TZ_KEEP },
					 .n_keysets = 1 };
	snprintf(c->card.iccid, sizeof(c->card.iccid), "%s", xchg_value(r, "iccid"));
	snprintf(c->card.imsi, sizeof(c->card.imsi), "%s", xchg_value(r, "imsi"));
	snprintf(c->card.msisdn, sizeof(c->card.msisdn), "%s", xchg_value(r, "msisdn"));
	snprintf(c->card.profile, sizeof(c->card.profile), "%.*s", PROFILE_NAME_MAX - 1,
		 *profile ? profile : in->d->cfg.work_profile);
	*k = (struct keyset_row){ .kvn = spec.kvn,
				  .kic_alg = (uint8_t)spec.kic_alg,
				  .kid_alg = (uint8_t)spec.kid_alg,
				  .cc_len = spec.cc_len,
				  .generation = (uint32_t)xchg_number(r, "index"),
				  .epoch = in->d->cfg.epoch,
				  .sealed_len = (uint16_t)b->set[0].len };
	memcpy(k->sealed, b->set[0].sealed, b->set[0].len);
	return 0;
}

int a_first_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no)
{
	struct hold hold = { .index = (uint16_t)xchg_number(r->r, "index"), .kvn = (uint8_t)xchg_number(r->r, "kvn") };
	const char *iccid = xchg_value(r->r, "iccid");
	const int refused = job_refused(in->job, r->i);
	uint8_t body[HOLD_LEN];
	struct store_card_insert c;
	char key[BOOK_KEY_MAX];
	struct ks_block b;
	int rc;

	if (refused)
		return desk_refuse(no, "card", "card %s: %s", iccid, store_strerror(refused));
	if (keys_open(in, r->r, &b, no))
		return -1;
	rc = card_of(in, r->r, &b, &c, no);
	if (!rc && !in->dry) {
		job_op(in->job, r->i, ST_CARD_TAKE, &c, NULL, 0);
		snprintf(key, sizeof(key), "%s/%05u", iccid, hold.index);
		job_put(in->job, BOOK_SUB, key, 0, 0, BOOK_ANY, b.sub, KS_SUB_LEN);
		snprintf(hold.from, sizeof(hold.from), "%s", in->head->from);
		job_put(in->job, BOOK_HOLD, iccid, 0, 0, BOOK_ANY, body, hold_pack(&hold, body));
	}
	ks_wipe(&b, sizeof(b));
	ks_wipe(&c, sizeof(c));
	return rc;
}
