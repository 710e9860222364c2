/* test_desk_c.c - an operator changes the keys of its own cards: in which order, what stays in force, and what a stop in between does.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The core is real and has no link: what the card says is told by hand.  The cards' own side is in tests/sim/handover.
 */
#include <errno.h>

#include "b_bed.h"
#include "gateway/core/work.h"
#include "gateway/desk/b_int.h"
#include "gateway/hlr/hlr_ctrl.h"

#define NAME  "K-7"
#define ALL   (CHANGE_OTA | CHANGE_K | CHANGE_OPC)
#define KVN   1
#define SUB   CARD0 "/00001"
#define CARD0 "8988211000000000000"
#define IMSI0 "262010000000000"

#define IMSI1  "262015000000007"
#define NUMBER "491700000007"

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

static void card_put(struct bed *b, const char *iccid, const char *imsi, const char *profile)
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

static void book_put(struct bed *b, enum book book, const char *key, uint64_t owner, const void *body, size_t len)
{
	struct book_row row = { .book = (uint8_t)book, .owner = owner, .version = BOOK_ANY, .len = (uint16_t)len };
	struct store_batch *batch = store_batch_new();

	snprintf(row.key, sizeof(row.key), "%s", key);
	store_batch_add(batch, ST_BOOK_PUT, &row, body, len);
	assert_int_equal(store_commit_wait(b->store, batch), STORE_OK);
	store_batch_free(batch);
}

static int setup(void **state)
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

static int teardown(void **state)
{
	bed_free(*state);
	return 0;
}

/* ---- what is done ---- */

static struct {
	bool came;
	int rc;
	char text[DESK_ERR_MAX];
} said;

static void answered(void *ctx, int rc, const char *text)
{
	(void)ctx;
	said.came = true;
	said.rc = rc;
	snprintf(said.text, sizeof(said.text), "%s", text);
}

static int change_by(struct bed *b, const char *name, unsigned what, const char *list, bool imsis)
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

static int change(struct bed *b, const char *name, unsigned what, const char *list)
{
	return change_by(b, name, what, list, false);
}

static uint16_t step_of(struct bed *b, struct line *l)
{
	struct line any;
	uint16_t step;

	bed_line(b, NAME, CARD0, l ? l : &any, &step);
	return step;
}

#define AT(b, step) assert_string_equal(line_step_name(step_of(b, NULL)), #step)

static uint8_t said_end; /* enum ota_sub_end + 1, with it */

/* The card's word to its last transaction, which then has ended.  pending: -1 no state with it. */
static void tell(struct bed *b, enum work_kind kind, int verdict, int pending)
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

/* Nothing came back at all. */
static void silence(struct bed *b)
{
	bed_settle(b, CARD0, TXN_EXPIRED);
}

static void hlr_keys(struct bed *b, char out[100])
{
	char reply[SIM_HLR_REPLY_MAX], k[40] = "", opc[40] = "";

	sim_hlr_ctrl(b->sim, "GET 1 subscriber.by-imsi-" IMSI0 ".info-all", reply);
	ctrl_info(reply, "aud3g.k", k, sizeof(k));
	ctrl_info(reply, "aud3g.opc", opc, sizeof(opc));
	snprintf(out, 100, "milenage,%s,opc,%s", k, opc);
}

static void sub_keys(struct bed *b, const uint8_t *sub, size_t len, char out[100])
{
	assert_true(ks_emit_to_hlr(b->party[b->self].ks, CARD0, sub, len, out) > 0);
}

static void book_keys(struct bed *b, char out[100])
{
	struct store_book row;

	assert_true(bed_book(b, BOOK_SUB, SUB, &row));
	sub_keys(b, row.body, row.row.len, out);
}

static bool made(struct bed *b, struct change_keys *k)
{
	char key[BOOK_KEY_MAX];
	struct store_book row;

	line_key(key, desk_number("operator-b", NAME), CARD0);
	if (!bed_book(b, BOOK_CHANGE, key, &row))
		return false;
	assert_int_equal(change_unpack(k, row.body, row.row.len), 0);
	return true;
}

static void hold(struct bed *b, struct hold *h)
{
	struct store_book row;

	assert_true(bed_book(b, BOOK_HOLD, CARD0, &row));
	assert_int_equal(hold_unpack(h, row.body, row.row.len), 0);
}

static const struct keyset_row *keyset(struct bed *b, uint8_t kvn, struct card_bundle *c)
{
	assert_true(bed_card(b, CARD0, c));
	for (unsigned i = 0; i < c->n_keysets; i++)
		if (c->keyset[i].kvn == kvn)
			return &c->keyset[i];
	return NULL;
}

/* What is under way to the card: K and OPc of `sub`, under the keys that it has now. */
static bool sent_is(struct bed *b, const uint8_t sub[KS_SUB_LEN])
{
	struct ks *ks = b->party[b->self].ks;
	uint8_t wrapped[2 * KS_SUB_WRAPPED], kcv[2 * KS_KCV_LEN];
	struct card_bundle *c = calloc(1, sizeof(*c));
	const struct keyset_row *k;
	struct work w;
	uint32_t to;
	bool same;

	assert_true(bed_card(b, CARD0, c));
	assert_true(c->has_txn && c->txn.state <= TXN_ACTIVE);
	assert_int_equal(work_unpack(&w, c->work, c->work_len), 0);
	k = keyset(b, c->txn.kvn, c);
	assert_non_null(k);
	assert_int_equal(ks_load(ks, CARD0, k->kvn, k->sealed, k->sealed_len, &to), 0);
	assert_int_equal(ks_sub_wrap(ks, to, sub, KS_SUB_K, wrapped, kcv), 0);
	assert_int_equal(ks_sub_wrap(ks, to, sub, KS_SUB_OPC, wrapped + KS_SUB_WRAPPED, kcv + KS_KCV_LEN), 0);
	ks_unload(ks, to);
	same = w.kind == WORK_K_OPC && w.set_len == sizeof(wrapped) && !memcmp(w.set, wrapped, sizeof(wrapped)) &&
	       !memcmp(w.hash, kcv, sizeof(kcv));
	free(c);
	return same;
}

static bool over(struct bed *b, struct line *l)
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

static void maybe_restart(struct bed *b, bool yes)
{
	if (yes)
		bed_restart(b);
}

/* ---- tests ---- */

/* Everything, and after each step, perhaps, a stop. */
static void whole(struct bed *b, bool stops)
{
	struct card_bundle *c = calloc(1, sizeof(*c));
	char was[100], now[100], want[100];
	struct change_keys k, again;
	struct hold h;
	struct line l;

	hlr_keys(b, was);
	assert_int_equal(change(b, NAME, ALL, "# ours\n" CARD0 ",anything\n\n"), 0);
	maybe_restart(b, stops);
	AT(b, C_OTA_SENT);
	assert_true(made(b, &k));
	assert_int_equal(k.kvn, 2);
	assert_true(k.has_sub && k.has_was);
	sub_keys(b, k.was, sizeof(k.was), now);
	assert_string_equal(now, was);
	assert_null(keyset(b, 2, c)); /* nothing goes out under it before the card has it */

	tell(b, WORK_OTA_KEYS, WORK_IS_DONE, 8);
	maybe_restart(b, stops);
	bed_wait(b, 20000);
	AT(b, C_PROVING);
	assert_non_null(keyset(b, 2, c));
	assert_true(keyset(b, 2, c)->cntr > keyset(b, 1, c)->cntr); /* they count on together */
	assert_int_equal(c->txn.kvn, 2);
	assert_non_null(keyset(b, 1, c));

	tell(b, WORK_STATUS, WORK_IS_DONE, 0);
	maybe_restart(b, stops);
	bed_wait(b, 20000);
	AT(b, C_KEY_SENT);
	assert_int_equal(keyset(b, 1, c)->sealed_len, 0); /* now the old ones go */
	hold(b, &h);
	assert_int_equal(h.kvn, 2);
	assert_int_equal(h.index, 1);
	assert_int_equal(h.ota, HOLD_IF_HEARD);
	assert_int_equal(h.k, HOLD_KNOWS);
	assert_true(bed_card(b, CARD0, c));
	assert_int_equal(c->txn.kvn, 2);
	hlr_keys(b, now);
	assert_string_equal(now, was); /* as long as the card has not said that it holds the new ones */

	b->mood.away = true; /* our register is not there */
	tell(b, WORK_K_OPC, WORK_IS_DONE, 3);
	AT(b, C_SWITCHING);
	maybe_restart(b, stops);
	bed_wait(b, 5000);
	AT(b, C_SWITCHING);
	b->mood.away = false;
	bed_wait(b, 60000);
	hlr_keys(b, now);
	sub_keys(b, k.sub, sizeof(k.sub), want);
	assert_string_equal(now, want);
	assert_string_not_equal(now, was);
	book_keys(b, now);
	assert_string_equal(now, was); /* until they are in force */
	assert_true(made(b, &again));
	assert_memory_equal(&k, &again, sizeof(k)); /* the same all the time */

	bed_wait(b, 20000); /* C_SETTLE_MS, and time to plan */
	AT(b, C_SETTLING);
	tell(b, WORK_STATUS, WORK_IS_DONE, OTA_SUB_PENDING_K); /* not in force yet */
	AT(b, C_SETTLE);
	maybe_restart(b, stops);
	bed_wait(b, 600000);
	AT(b, C_SETTLING);
	tell(b, WORK_STATUS, WORK_IS_DONE, 0);
	maybe_restart(b, stops);
	assert_true(over(b, &l));
	assert_int_equal(l.end, END_DONE);
	assert_string_equal(l.why, "keys known to us and to the card's maker if it listened");
	book_keys(b, now);
	assert_string_equal(now, want);
	assert_false(made(b, &k));
	hold(b, &h);
	assert_int_equal(h.k, HOLD_IF_HEARD);
	free(c);
}

static void in_order(void **state)
{
	whole(*state, false);
}

static void with_stops(void **state)
{
	whole(*state, true);
}

/* The card says no: its old keys stay in force everywhere. */
static void refused(void **state)
{
	struct bed *b = *state;
	char was[100], now[100];
	struct store_book row;
	struct change_keys k;
	struct line l;

	hlr_keys(b, was);
	assert_int_equal(change(b, NAME, ALL, CARD0 "\n"), 0);
	tell(b, WORK_OTA_KEYS, WORK_CONFLICT, 0);
	assert_true(over(b, &l));
	assert_int_equal(l.end, END_FAILED);
	assert_string_equal(l.why, "told by the test");
	assert_false(made(b, &k));
	assert_false(bed_book(b, BOOK_HOLD, CARD0, &row));
	hlr_keys(b, now);
	assert_string_equal(now, was);
	book_keys(b, now);
	assert_string_equal(now, was);
}

static void refused_k(void **state)
{
	struct bed *b = *state;
	char was[100], now[100];
	struct change_keys k;
	struct hold h;
	struct line l;

	hlr_keys(b, was);
	assert_int_equal(change(b, NAME, ALL, CARD0 "\n"), 0);
	tell(b, WORK_OTA_KEYS, WORK_IS_DONE, 8);
	bed_wait(b, 20000);
	tell(b, WORK_STATUS, WORK_IS_DONE, 0);
	bed_wait(b, 20000);
	assert_true(made(b, &k));
	tell(b, WORK_K_OPC, WORK_CONFLICT, 0);
	bed_wait(b, 20000);
	AT(b, C_KEY_SENT); /* perhaps K was taken before OPc was refused: those in force take it away */
	assert_true(sent_is(b, k.was));
	tell(b, WORK_K_OPC, WORK_CONFLICT, 0);
	AT(b, C_KEY);
	assert_true(made(b, &k));
	assert_non_null(strstr(desk_order_by_name(b->desk, NAME)->alarm, "told by the test"));
	bed_wait(b, 700000);
	AT(b, C_KEY_SENT);
	tell(b, WORK_K_OPC, WORK_IS_DONE, 0);
	assert_true(over(b, &l));
	assert_false(made(b, &k));
	assert_int_equal(l.end, END_FAILED);
	assert_string_equal(l.why, "its OTA keys are new; told by the test");
	hold(b, &h);
	assert_int_equal(h.kvn, 2);
	assert_int_equal(h.k, HOLD_KNOWS);
	hlr_keys(b, now);
	assert_string_equal(now, was);
}

/* Silence decides nothing: the same value again, for as long as it takes. */
static void silent(void **state)
{
	struct bed *b = *state;
	struct change_keys k, again;

	assert_int_equal(change(b, NAME, CHANGE_OTA, CARD0 "\n"), 0);
	assert_true(made(b, &k));
	assert_false(k.has_sub);
	for (int i = 0; i < 3; i++) {
		silence(b);
		AT(b, C_OTA);
		bed_wait(b, 700000);
		AT(b, C_OTA_SENT);
		assert_true(made(b, &again));
		assert_memory_equal(&k, &again, sizeof(k));
	}
	tell(b, WORK_OTA_KEYS, WORK_IS_DONE, 8);
	for (int i = 0; i < 3; i++) {
		bed_wait(b, 700000);
		AT(b, C_PROVING);
		silence(b);
		AT(b, C_PROVE);
	}
}

/* New keys that may have left are not forgotten because they cannot be sent again just now. */
static void no_slots(struct bed *b, unsigned what, enum line_step to_do)
{
	struct card_bundle *c = calloc(1, sizeof(*c));
	struct ks *ks = b->party[b->self].ks;
	struct change_keys k, again;
	const struct keyset_row *own;
	uint32_t set[64];
	unsigned n = 0;

	assert_int_equal(change(b, NAME, what, CARD0 "\n"), 0);
	silence(b);
	assert_int_equal(step_of(b, NULL), to_do);
	assert_true(made(b, &k));
	own = keyset(b, KVN, c);
	while (n < 64 && !ks_load(ks, CARD0, KVN, own->sealed, own->sealed_len, &set[n]))
		n++;
	bed_wait(b, 700000);
	assert_int_equal(step_of(b, NULL), to_do);
	assert_true(made(b, &again));
	assert_memory_equal(&k, &again, sizeof(k));
	assert_non_null(strstr(desk_order_by_name(b->desk, NAME)->alarm, "slots"));
	while (n)
		ks_unload(ks, set[--n]);
	bed_wait(b, 700000);
	assert_int_equal(step_of(b, NULL), to_do + 1);
	assert_true(made(b, &again));
	assert_memory_equal(&k, &again, sizeof(k));
	free(c);
}

static void no_slots_ota(void **state)
{
	no_slots(*state, CHANGE_OTA, C_OTA);
}

static void no_slots_k(void **state)
{
	no_slots(*state, CHANGE_K, C_KEY);
}

/* An earlier copy had no answer: the card may have taken that one. */
static void refused_late(void **state)
{
	struct bed *b = *state;
	struct change_keys k, again;

	assert_int_equal(change(b, NAME, CHANGE_OTA, CARD0 "\n"), 0);
	assert_true(made(b, &k));
	silence(b);
	bed_wait(b, 700000);
	tell(b, WORK_OTA_KEYS, WORK_CONFLICT, 0);
	AT(b, C_OTA);
	assert_true(made(b, &again));
	assert_memory_equal(&k, &again, sizeof(k));
	assert_non_null(strstr(desk_order_by_name(b->desk, NAME)->alarm, "told by the test"));
	bed_wait(b, 700000);
	tell(b, WORK_OTA_KEYS, WORK_IS_DONE, 8);
	bed_wait(b, 20000);
	AT(b, C_PROVING);
}

/* The part that stays goes along with its value in force: whatever an earlier change has left pending on the card is taken away. */
static void both_parts(void **state)
{
	struct bed *b = *state;
	char was[100], now[100];
	struct change_keys k;

	assert_int_equal(change(b, NAME, CHANGE_OPC, CARD0 "\n"), 0);
	AT(b, C_KEY_SENT);
	assert_true(made(b, &k));
	assert_true(sent_is(b, k.sub));
	sub_keys(b, k.was, sizeof(k.was), was);
	sub_keys(b, k.sub, sizeof(k.sub), now);
	assert_memory_equal(was, now, strlen("milenage,") + 32);
	assert_string_not_equal(was, now);
}

/* A restored backup does not know that the register has newer keys: the card may have them in force. */
static void other_keys_there(void **state)
{
	struct bed *b = *state;
	char was[100], text[200], reply[SIM_HLR_REPLY_MAX];
	struct card_bundle *c = calloc(1, sizeof(*c));

	hlr_keys(b, was);
	sim_hlr_ctrl(b->sim,
		     "SET 1 subscriber.by-imsi-" IMSI0
		     ".aud3g milenage,00000000000000000000000000000001,opc,00000000000000000000000000000002",
		     reply);
	assert_int_equal(change(b, NAME, CHANGE_K, CARD0 "\n"), 0);
	for (int i = 0; i < 3; i++) {
		AT(b, C_ASK);
		assert_non_null(strstr(desk_order_by_name(b->desk, NAME)->alarm, "nothing is sent"));
		assert_true(bed_card(b, CARD0, c));
		assert_false(c->has_txn);
		bed_wait(b, 700000);
	}
	snprintf(text, sizeof(text), "SET 1 subscriber.by-imsi-" IMSI0 ".aud3g %s", was);
	sim_hlr_ctrl(b->sim, text, reply);
	bed_wait(b, 700000);
	AT(b, C_KEY_SENT);
	free(c);
}

static void register_refuses(void **state)
{
	struct bed *b = *state;
	const struct order *o;
	char was[100], now[100];

	hlr_keys(b, was);
	strcpy(b->mood.refuse, IMSI0);
	assert_int_equal(change(b, NAME, CHANGE_K, CARD0 "\n"), 0);
	AT(b, C_KEY_SENT);
	tell(b, WORK_K_OPC, WORK_IS_DONE, 1);
	AT(b, C_SWITCH);
	o = desk_order_by_name(b->desk, NAME);
	assert_non_null(strstr(o->alarm, "our HLR does not take its new keys"));
	bed_wait(b, 700000);
	AT(b, C_SWITCH);
	hlr_keys(b, now);
	assert_string_equal(now, was);
	b->mood.refuse[0] = '\0';
	bed_wait(b, 700000);
	AT(b, C_SETTLING);
	hlr_keys(b, now);
	assert_string_not_equal(now, was);
}

/* What has not left is taken back, what may have left is ended. */
static void cancelled(void **state)
{
	struct bed *b = *state;
	struct line l;

	assert_int_equal(change(b, NAME, ALL, CARD0 "\n"), 0);
	bed_request(b, DESK_CANCEL, NAME, NULL);
	assert_int_equal(b->asked_rc, 0);
	AT(b, C_OTA_SENT);
	silence(b);
	bed_wait(b, 700000);
	AT(b, C_OTA_SENT);
	tell(b, WORK_OTA_KEYS, WORK_IS_DONE, 8);
	bed_wait(b, 20000);
	tell(b, WORK_STATUS, WORK_IS_DONE, 0);
	assert_true(over(b, &l));
	assert_int_equal(l.end, END_CANCELLED);
	assert_string_equal(l.why, "cancelled by our operator; its OTA keys are new");
}

static void not_ours(void **state)
{
	struct bed *b = *state;
	struct line l;
	struct order o;
	struct store_book row;

	book_put(b, BOOK_TAKEN, CARD0, 4711, "", 0);
	card_put(b, "8988211000000000002", "262010000000002", "usim-rfm");
	assert_int_equal(change(b, NAME, ALL, CARD0 "\n8988211000000000001\n8988211000000000002\n"), 0);
	for (int i = 0; i < 3; i++) {
		static const char *const why[] = { "is in another open order", "is not known here",
						   "has no subscription application" };
		char key[BOOK_KEY_MAX], iccid[24];

		snprintf(iccid, sizeof(iccid), "8988211%012d", i);
		line_key(key, desk_number("operator-b", NAME), iccid);
		assert_true(bed_book(b, BOOK_LINE, key, &row));
		assert_int_equal(line_unpack(&l, row.body, row.row.len), 0);
		assert_int_equal(l.end, END_FAILED);
		if (!strstr(l.why, why[i]))
			fail_msg("%s", l.why);
	}
	assert_true(bed_book(b, BOOK_TAKEN, CARD0, &row)); /* the other order's */
	assert_int_equal(row.row.owner, 4711);
	assert_true(bed_book(b, BOOK_ORDER, NAME, &row));
	assert_int_equal(order_unpack(&o, row.body, row.row.len), 0);
	assert_int_equal(o.step, ORDER_ENDED);
	assert_int_equal(change(b, NAME, ALL, CARD0 "\n"), -EEXIST);
}

/* K alone cannot be changed where nobody knows the OPc that stays. */
static void k_unknown(void **state)
{
	struct bed *b = *state;
	struct book_row row = { .book = BOOK_SUB, .key = SUB, .version = BOOK_ANY };
	struct store_batch *batch = store_batch_new();
	struct line l;

	store_batch_add(batch, ST_BOOK_DROP, &row, NULL, 0);
	assert_int_equal(store_commit_wait(b->store, batch), STORE_OK);
	store_batch_free(batch);
	assert_int_equal(change(b, NAME, CHANGE_K, CARD0 "\n"), 0);
	assert_true(over(b, &l));
	assert_int_equal(l.end, END_FAILED);
	assert_non_null(strstr(l.why, "change K and OPc together"));
}

static void bad_orders(void **state)
{
	struct bed *b = *state;

	assert_int_equal(change(b, "no/name", ALL, CARD0 "\n"), -EINVAL);
	assert_int_equal(change(b, NAME, 0, CARD0 "\n"), -EINVAL);
	assert_int_equal(change(b, NAME, 0x40, CARD0 "\n"), -EINVAL);
	assert_int_equal(change(b, NAME, ALL, "# none\n"), -EINVAL);
	assert_int_equal(change(b, NAME, ALL, CARD0 "\n" CARD0 "\n"), -EINVAL);
	assert_non_null(strstr(said.text, "twice"));
	assert_int_equal(change(b, NAME, ALL, CARD0 "\n12x\n"), -EINVAL);
	assert_non_null(strstr(said.text, "line 2"));
	assert_null(desk_order_by_name(b->desk, NAME));
}

/* ---- a second IMSI ---- */

static bool registered(struct bed *b, const char *imsi)
{
	return sim_hlr_knows(b->sim, imsi);
}

static void card_is(struct bed *b, const char *imsi)
{
	struct card_bundle *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	assert_true(bed_card(b, CARD0, c));
	assert_string_equal(c->card.imsi, imsi);
	free(c);
}

static void imsi_is(struct bed *b, const char *imsi, uint16_t step)
{
	struct store_book row;

	assert_true(bed_book(b, BOOK_IMSI, imsi, &row));
	assert_int_equal(row.row.step, step);
}

/* To where ARM may have left. */
static void armed(struct bed *b, bool stops)
{
	struct line l;

	b->mood.away = true;
	assert_int_equal(change_by(b, NAME, CHANGE_IMSI, CARD0 "," IMSI1 "," NUMBER "\n", true), 0);
	maybe_restart(b, stops);
	bed_wait(b, 5000);
	AT(b, C_PROVISIONING); /* nothing goes to the card before it is there */
	b->mood.mute = true;   /* done, and the answer is lost */
	b->mood.away = false;
	bed_wait(b, 60000);
	AT(b, C_PROVISIONING);
	assert_true(registered(b, IMSI1));
	maybe_restart(b, stops);
	b->mood.mute = false;
	bed_restart(b);
	bed_wait(b, 60000);
	AT(b, A_STAGING);
	maybe_restart(b, stops);
	AT(b, A_STAGING);
	tell(b, WORK_STAGE, WORK_IS_DONE, 0);
	maybe_restart(b, stops);
	bed_wait(b, 20000);
	AT(b, A_ARMING);
	step_of(b, &l);
	assert_true(l.flags & LINE_ARMED);
	card_is(b, IMSI0);
}

/* Armed, and it comes. */
static void comes(struct bed *b, bool stops)
{
	armed(b, stops);
	maybe_restart(b, stops);
	tell(b, WORK_ARM, WORK_IS_DONE, 0);
	maybe_restart(b, stops);
	AT(b, A_ARMED);
	bed_wait(b, 120000);
	AT(b, A_ARMED);
	assert_true(sim_hlr_locate(b->sim, IMSI1, "4917"));
	bed_wait(b, 120000);
	AT(b, C_CONFIRMING);
	card_is(b, IMSI1);
	maybe_restart(b, stops);
	AT(b, C_CONFIRMING);
	assert_true(registered(b, IMSI0)); /* it may still come back */
}

static void second(struct bed *b, bool stops)
{
	char was[100], now[100], key[BOOK_KEY_MAX];
	struct store_book row;
	struct line l;

	hlr_keys(b, was);
	comes(b, stops);
	b->mood.away = true;
	tell(b, WORK_CONFIRM, WORK_IS_DONE, 0);
	AT(b, A_PURGING);
	maybe_restart(b, stops);
	bed_wait(b, 5000);
	assert_true(registered(b, IMSI0));
	b->mood.away = false;
	bed_wait(b, 60000);
	maybe_restart(b, stops);
	assert_true(over(b, &l));
	assert_int_equal(l.end, END_DONE);
	assert_int_equal(l.evidence, 6);
	assert_false(registered(b, IMSI0));
	assert_true(registered(b, IMSI1));
	card_is(b, IMSI1);
	imsi_is(b, IMSI0, IMSI_BACK);
	imsi_is(b, IMSI1, IMSI_GIVEN);
	book_keys(b, now);
	assert_string_equal(now, was);
	line_key(key, desk_number("operator-b", NAME), CARD0);
	assert_false(bed_book(b, BOOK_SET, key, &row));
}

static void second_in_order(void **state)
{
	second(*state, false);
}

static void second_with_stops(void **state)
{
	second(*state, true);
}

/* Registered under the new one, and then seen under the old one: it is asked there, and only its word ends anything. */
static void went_back(struct bed *b, bool stops)
{
	struct line l;

	comes(b, stops);
	bed_wait(b, 700000); /* its old IMSI is marked */
	assert_true(sim_hlr_locate(b->sim, IMSI0, "4918"));
	bed_wait(b, 700000);
	AT(b, A_LOOKING);
	maybe_restart(b, stops);
	card_is(b, IMSI0);
	assert_true(registered(b, IMSI1));
	said_end = OTA_SUB_END_TIMEOUT + 1;
	tell(b, WORK_STATUS, WORK_WENT_BACK, 0);
	said_end = 0;
	maybe_restart(b, stops);
	bed_wait(b, 20000);
	assert_true(over(b, &l));
	assert_int_equal(l.end, END_ROLLED_BACK);
	assert_true(registered(b, IMSI0));
	assert_false(registered(b, IMSI1));
	card_is(b, IMSI0);
	imsi_is(b, IMSI1, IMSI_BACK);
}

static void second_back(void **state)
{
	went_back(*state, false);
}

static void second_back_stops(void **state)
{
	went_back(*state, true);
}

/* Seen there, and it says that it has moved: it is asked to confirm again. */
static void second_not_back(void **state)
{
	struct bed *b = *state;
	struct line l;

	comes(b, false);
	bed_wait(b, 700000);
	assert_true(sim_hlr_locate(b->sim, IMSI0, "4918"));
	bed_wait(b, 700000);
	AT(b, A_LOOKING);
	said_end = OTA_SUB_END_CONFIRMED_SELF + 1;
	tell(b, WORK_STATUS, WORK_IS_DONE, 0);
	said_end = 0;
	bed_wait(b, 700000);
	AT(b, C_CONFIRMING);
	card_is(b, IMSI1);
	tell(b, WORK_CONFIRM, WORK_IS_DONE, 0);
	bed_wait(b, 60000);
	assert_true(over(b, &l));
	assert_int_equal(l.end, END_DONE);
}

static void second_cancelled(void **state)
{
	struct bed *b = *state;
	struct line l;

	assert_int_equal(change_by(b, NAME, CHANGE_IMSI, CARD0 "," IMSI1 "\n", true), 0);
	bed_wait(b, 1000);
	AT(b, A_STAGING);
	bed_request(b, DESK_CANCEL, NAME, NULL);
	bed_wait(b, 30000);
	AT(b, A_UNSTAGING);
	assert_true(registered(b, IMSI1)); /* until the card has said that it holds no set */
	bed_restart(b);
	tell(b, WORK_UNSTAGE, WORK_IS_DONE, 0);
	bed_wait(b, 20000);
	assert_true(over(b, &l));
	assert_int_equal(l.end, END_CANCELLED);
	assert_false(registered(b, IMSI1));
	assert_true(registered(b, IMSI0));
	imsi_is(b, IMSI1, IMSI_BACK);
}

/* What may have left is not taken back by a cancel. */
static void second_cancelled_late(void **state)
{
	struct bed *b = *state;

	armed(b, false);
	bed_request(b, DESK_CANCEL, NAME, NULL);
	bed_wait(b, 700000);
	AT(b, A_ARMING);
	assert_true(registered(b, IMSI1));
	assert_true(registered(b, IMSI0));
}

/* Another subscriber's IMSI stays his, and the card keeps its own. */
static void second_refused(void **state)
{
	struct bed *b = *state;
	char reply[SIM_HLR_REPLY_MAX];
	struct line l;

	sim_hlr_ctrl(b->sim, "SET 1 subscriber.create " IMSI1, reply);
	sim_hlr_ctrl(b->sim,
		     "SET 1 subscriber.by-imsi-" IMSI1
		     ".aud3g milenage,00000000000000000000000000000001,opc,00000000000000000000000000000002",
		     reply);
	assert_int_equal(change_by(b, NAME, CHANGE_IMSI, CARD0 "," IMSI1 "\n", true), 0);
	bed_wait(b, 20000);
	assert_true(over(b, &l));
	assert_int_equal(l.end, END_FAILED);
	assert_true(registered(b, IMSI1));
	assert_true(registered(b, IMSI0));
	card_is(b, IMSI0);
	imsi_is(b, IMSI1, IMSI_GIVEN);
}

static void second_bad(void **state)
{
	struct bed *b = *state;
	struct line l;

	assert_int_equal(change(b, NAME, CHANGE_IMSI | CHANGE_K, CARD0 "\n"), -EINVAL);
	assert_int_equal(change(b, NAME, CHANGE_IMSI, CARD0 "\n"), -EINVAL);
	assert_non_null(strstr(said.text, "no pool"));
	assert_int_equal(change_by(b, NAME, CHANGE_K, CARD0 "," IMSI1 "\n", true), -EINVAL);
	assert_int_equal(change_by(b, NAME, CHANGE_IMSI, CARD0 ",001010000000001\n", true), -EINVAL);
	assert_non_null(strstr(said.text, "none of our networks"));
	assert_null(desk_order_by_name(b->desk, NAME));
	assert_int_equal(change_by(b, NAME, CHANGE_IMSI, CARD0 "," IMSI0 "\n", true), 0);
	assert_true(over(b, &l));
	assert_int_equal(l.end, END_FAILED);
	assert_string_equal(l.why, "has that IMSI already");
	assert_true(registered(b, IMSI0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(with_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(refused, setup, teardown),
		cmocka_unit_test_setup_teardown(refused_k, setup, teardown),
		cmocka_unit_test_setup_teardown(silent, setup, teardown),
		cmocka_unit_test_setup_teardown(no_slots_ota, setup, teardown),
		cmocka_unit_test_setup_teardown(no_slots_k, setup, teardown),
		cmocka_unit_test_setup_teardown(refused_late, setup, teardown),
		cmocka_unit_test_setup_teardown(both_parts, setup, teardown),
		cmocka_unit_test_setup_teardown(other_keys_there, setup, teardown),
		cmocka_unit_test_setup_teardown(register_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(cancelled, setup, teardown),
		cmocka_unit_test_setup_teardown(not_ours, setup, teardown),
		cmocka_unit_test_setup_teardown(k_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_orders, setup, teardown),
		cmocka_unit_test_setup_teardown(second_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(second_with_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(second_back, setup, teardown),
		cmocka_unit_test_setup_teardown(second_back_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(second_not_back, setup, teardown),
		cmocka_unit_test_setup_teardown(second_cancelled, setup, teardown),
		cmocka_unit_test_setup_teardown(second_cancelled_late, setup, teardown),
		cmocka_unit_test_setup_teardown(second_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(second_bad, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
