/* c_bed.c - an operator's desk with one card of its own, for changes at home.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "c_bed.h"
#include "gateway/core/work.h"
#include "gateway/desk/b_int.h"
#include "gateway/hlr/hlr_ctrl.h"

static const struct desk_cfg cfg = { .roles = DESK_MNO, .cntr_margin = 50, .pool = { .plmns = "26201" } };
static const struct desk_tables tables = {
	.kinds = { NULL, desk_kinds_b },
	.works = { NULL, desk_works_b, NULL, desk_works_c },
	.verbs = { NULL, desk_verbs_b, NULL, desk_verbs_c },
	.event = { NULL, desk_event_b, NULL, desk_event_c },
};

/* ---- the bed ---- */

static void sub_import(struct bed *b, char k, uint8_t sealed[KS_SUB_LEN])
{
	const struct ks_sub_spec spec = { .index = 1, .aka = KS_AKA_MILENAGE, .sqn = 1 };
	char key[] = "0123456789abcdef0123456789abcdef", opc[] = "fedcba9876543210fedcba9876543210", err[160];

	key[0] = k;
	assert_int_equal(ks_sub_import(b->party[b->self].ks, CARD0, &spec, key, opc, sealed, err, sizeof(err)),
			 KS_SUB_LEN);
}

void card_put(struct bed *b, const char *iccid, const char *imsi, const char *profile)
{
	const struct ks_keyset_spec spec = {
		.kvn = KVN, .kic_alg = OTA_ALG_AES_CBC, .kid_alg = OTA_ALG_AES_CBC, .cc_len = 8
	};
	struct store_card_insert in = { .n_keysets = 1 };
	struct store_batch *batch = store_batch_new();
	char key[3][40], err[160];
	int n;

	for (int i = 0; i < 3; i++)
		snprintf(key[i], sizeof(key[i]), "00112233445566778899aabbccddee%02x", i);
	snprintf(in.card.iccid, sizeof(in.card.iccid), "%s", iccid);
	snprintf(in.card.imsi, sizeof(in.card.imsi), "%s", imsi);
	snprintf(in.card.profile, sizeof(in.card.profile), "%s", profile);
	in.card.created_ms = b->now_ms;
	n = ks_keyset_import(b->party[b->self].ks, iccid, &spec, key[0], key[1], key[2], in.keyset[0].sealed, err,
			     sizeof(err));
	assert_true(n > 0);
	in.keyset[0].kvn = KVN;
	in.keyset[0].kic_alg = in.keyset[0].kid_alg = OTA_ALG_AES_CBC;
	in.keyset[0].cc_len = 8;
	in.keyset[0].generation = 1;
	in.keyset[0].cntr = 100;
	in.keyset[0].sealed_len = (uint16_t)n;
	store_batch_add(batch, ST_CARD_INSERT, &in, NULL, 0);
	assert_int_equal(store_commit_wait(b->store, batch), STORE_OK);
	assert_int_equal(batch->ops[0].rc, 0);
	store_batch_free(batch);
}

void book_put(struct bed *b, enum book book, const char *key, uint64_t owner, const void *body, size_t len)
{
	struct book_row row = { .book = (uint8_t)book, .owner = owner, .version = BOOK_ANY, .len = (uint16_t)len };
	struct store_batch *batch = store_batch_new();

	snprintf(row.key, sizeof(row.key), "%s", key);
	store_batch_add(batch, ST_BOOK_PUT, &row, body, len);
	assert_int_equal(store_commit_wait(b->store, batch), STORE_OK);
	store_batch_free(batch);
}

int setup(void **state)
{
	struct bed *b = bed_new(BED_B, &cfg, &tables);
	char text[200], reply[SIM_HLR_REPLY_MAX], keys[KS_HLR_TEXT_MAX];
	uint8_t sub[KS_SUB_LEN];

	card_put(b, CARD0, IMSI0, "m2m-sub");
	sub_import(b, '0', sub);
	book_put(b, BOOK_SUB, SUB, 0, sub, sizeof(sub));
	assert_true(ks_emit_to_hlr(b->party[b->self].ks, CARD0, sub, sizeof(sub), keys) > 0);
	sim_hlr_ctrl(b->sim, "SET 1 subscriber.create " IMSI0, reply);
	snprintf(text, sizeof(text), "SET 1 subscriber.by-imsi-" IMSI0 ".aud3g %s", keys);
	sim_hlr_ctrl(b->sim, text, reply);
	*state = b;
	return 0;
}

int teardown(void **state)
{
	bed_free(*state);
	return 0;
}

/* ---- what is done ---- */

struct said said;

static void answered(void *ctx, int rc, const char *text)
{
	(void)ctx;
	said.came = true;
	said.rc = rc;
	snprintf(said.text, sizeof(said.text), "%s", text);
}

int change_by(struct bed *b, const char *name, unsigned what, const char *list, bool imsis)
{
	struct desk_request r = { .verb = DESK_CHANGE, .what = (uint8_t)what, .imsis = imsis, .done = answered };
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/cards", b->dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(list, f);
	assert_int_equal(fclose(f), 0);
	snprintf(r.name, sizeof(r.name), "%s", name);
	r.file = path;
	said.came = false;
	assert_int_equal(desk_request(b->desk, &r), 0);
	bed_turn(b);
	assert_true(said.came);
	return said.rc;
}

int change_of_order(struct bed *b, const char *name, const char *order)
{
	struct desk_request r = { .verb = DESK_CHANGE, .what = CHANGE_OTA | CHANGE_K | CHANGE_OPC, .done = answered };

	snprintf(r.name, sizeof(r.name), "%s", name);
	snprintf(r.taken_by, sizeof(r.taken_by), "%s", order);
	said.came = false;
	assert_int_equal(desk_request(b->desk, &r), 0);
	bed_turn(b);
	assert_true(said.came);
	return said.rc;
}

int change(struct bed *b, const char *name, unsigned what, const char *list)
{
	return change_by(b, name, what, list, false);
}

uint16_t step_of(struct bed *b, struct line *l)
{
	struct line any;
	uint16_t step;

	bed_line(b, NAME, CARD0, l ? l : &any, &step);
	return step;
}

uint8_t said_end;

/* The card's word to its last transaction, which then has ended.  pending: -1 no state with it. */
void tell(struct bed *b, enum work_kind kind, int verdict, int pending)
{
	const struct order *o = desk_order_by_name(b->desk, NAME);
	struct gw_effect fx = { .kind = GW_FX_TXN };
	struct card_bundle *c = calloc(1, sizeof(*c));

	assert_non_null(o);
	assert_true(bed_card(b, CARD0, c));
	assert_true(c->has_txn && c->txn.state <= TXN_ACTIVE);
	assert_int_equal(c->txn.campaign, o->campaign[kind]);
	fx.txn.campaign = c->txn.campaign;
	fx.txn.txn = c->txn.id;
	fx.txn.card = c->card.id;
	strcpy(fx.txn.iccid, CARD0);
	fx.txn.state = verdict == WORK_IS_DONE ? TXN_DONE : TXN_FAILED;
	fx.txn.verdict = (uint8_t)(verdict + 1);
	fx.txn.has_card = pending >= 0;
	fx.txn.pending = (uint8_t)pending;
	fx.txn.card_end = said_end;
	fx.txn.at_ms = b->now_ms;
	snprintf(fx.reason, sizeof(fx.reason), "told by the test");
	free(c);
	desk_on_effect(b->desk, &fx);
	bed_turn(b);
	bed_settle(b, CARD0, TXN_CANCELLED);
}

void hlr_keys(struct bed *b, char out[100])
{
	char reply[SIM_HLR_REPLY_MAX], k[40] = "", opc[40] = "";

	sim_hlr_ctrl(b->sim, "GET 1 subscriber.by-imsi-" IMSI0 ".info-all", reply);
	ctrl_info(reply, "aud3g.k", k, sizeof(k));
	ctrl_info(reply, "aud3g.opc", opc, sizeof(opc));
	snprintf(out, 100, "milenage,%s,opc,%s", k, opc);
}

void sub_keys(struct bed *b, const uint8_t *sub, size_t len, char out[100])
{
	assert_true(ks_emit_to_hlr(b->party[b->self].ks, CARD0, sub, len, out) > 0);
}

void book_keys(struct bed *b, char out[100])
{
	struct store_book row;

	assert_true(bed_book(b, BOOK_SUB, SUB, &row));
	sub_keys(b, row.body, row.row.len, out);
}

bool over(struct bed *b, struct line *l)
{
	struct store_book row;
	char key[BOOK_KEY_MAX];
	struct order o;

	line_key(key, desk_number("operator-b", NAME), CARD0);
	assert_true(bed_book(b, BOOK_LINE, key, &row));
	assert_int_equal(line_unpack(l, row.body, row.row.len), 0);
	assert_true(bed_book(b, BOOK_ORDER, NAME, &row));
	assert_int_equal(order_unpack(&o, row.body, row.row.len), 0);
	if (row.row.step == ORDER_ENDED)
		assert_false(bed_book(b, BOOK_TAKEN, CARD0, &row));
	return o.step == ORDER_ENDED;
}

void maybe_restart(struct bed *b, bool yes)
{
	if (yes)
		bed_restart(b);
}
