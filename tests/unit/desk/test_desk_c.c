/* test_desk_c.c - an operator changes the keys of its own cards: in which order, what stays in force, and what a stop in between does.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>

#include "c_bed.h"
#include "gateway/hlr/hlr_ctrl.h"

#define ALL (CHANGE_OTA | CHANGE_K | CHANGE_OPC)

/* Nothing came back at all. */
static void silence(struct bed *b)
{
	bed_settle(b, CARD0, TXN_EXPIRED);
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
	bed_wait(b, 20000);
	AT(b, C_DOUBTING);
	tell(b, WORK_STATUS, WORK_IS_DONE, OTA_SUB_PENDING_K); /* it was */
	AT(b, C_KEY);
	assert_true(made(b, &k));
	assert_non_null(strstr(desk_order_by_name(b->desk, NAME)->alarm, "its OTA keys are new; told by the test"));
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

/* An earlier copy had no answer, the next one is refused: the card may have taken that first one, and is asked. */
static void doubt_ota(struct bed *b)
{
	struct change_keys k, again;

	assert_int_equal(change(b, NAME, CHANGE_OTA, CARD0 "\n"), 0);
	assert_true(made(b, &k));
	silence(b);
	bed_wait(b, 700000);
	tell(b, WORK_OTA_KEYS, WORK_CONFLICT, 0);
	bed_wait(b, 20000);
	AT(b, C_DOUBTING);
	silence(b); /* which decides nothing */
	AT(b, C_DOUBT);
	bed_restart(b);
	bed_wait(b, 700000);
	AT(b, C_DOUBTING);
	assert_true(made(b, &again));
	assert_memory_equal(&k, &again, sizeof(k));
}

static void refused_late(void **state)
{
	struct card_bundle *c = calloc(1, sizeof(*c));
	struct bed *b = *state;
	struct change_keys k;
	struct line l;

	doubt_ota(b);
	assert_true(bed_card(b, CARD0, c));
	assert_int_equal(c->txn.kvn, KVN);
	tell(b, WORK_STATUS, WORK_IS_DONE, OTA_SUB_PENDING_OTA);
	AT(b, C_OTA);
	assert_true(made(b, &k));
	assert_non_null(strstr(desk_order_by_name(b->desk, NAME)->alarm, "told by the test"));
	bed_wait(b, 700000);
	tell(b, WORK_OTA_KEYS, WORK_IS_DONE, 8);
	bed_wait(b, 20000);
	AT(b, C_PROVING);
	free(c);
	assert_false(over(b, &l));
}

/* It has taken none, and no copy can come any more: the question had a higher counter. */
static void refused_for_good(void **state)
{
	struct bed *b = *state;
	struct change_keys k;
	struct line l;

	doubt_ota(b);
	bed_restart(b);
	tell(b, WORK_STATUS, WORK_IS_DONE, OTA_SUB_PENDING_K); /* an earlier change's */
	assert_true(over(b, &l));
	assert_int_equal(l.end, END_FAILED);
	assert_string_equal(l.why, "told by the test");
	assert_false(made(b, &k));
}

/* What it has of them was never proven, and nobody can prove it any more. */
static void refused_cancelled(void **state)
{
	struct card_bundle *c = calloc(1, sizeof(*c));
	struct bed *b = *state;
	struct change_keys k;
	struct line l;

	doubt_ota(b);
	bed_request(b, DESK_CANCEL, NAME, NULL);
	AT(b, C_DOUBTING); /* not by an order of ours alone */
	tell(b, WORK_STATUS, WORK_IS_DONE, OTA_SUB_PENDING_OTA);
	assert_true(over(b, &l));
	assert_int_equal(l.end, END_CANCELLED);
	assert_non_null(strstr(l.why, "change its OTA keys"));
	assert_false(made(b, &k));
	assert_null(keyset(b, 2, c));
	assert_true(keyset(b, KVN, c)->sealed_len > 0);
	free(c);
}

static void refused_k_cancelled(void **state)
{
	struct bed *b = *state;
	char was[100], now[100], text[200], reply[SIM_HLR_REPLY_MAX];
	struct change_keys k;
	struct line l;

	hlr_keys(b, was);
	assert_int_equal(change(b, NAME, CHANGE_K, CARD0 "\n"), 0);
	tell(b, WORK_K_OPC, WORK_CONFLICT, 0);
	bed_wait(b, 20000);
	bed_request(b, DESK_CANCEL, NAME, NULL);
	AT(b, C_KEY_SENT);
	sim_hlr_ctrl(b->sim,
		     "SET 1 subscriber.by-imsi-" IMSI0
		     ".aud3g milenage,00000000000000000000000000000001,opc,00000000000000000000000000000002",
		     reply);
	tell(b, WORK_K_OPC, WORK_CONFLICT, 0);
	bed_wait(b, 700000);
	AT(b, C_ASK); /* our books are not those of our register: which are in force? */
	assert_true(made(b, &k));
	snprintf(text, sizeof(text), "SET 1 subscriber.by-imsi-" IMSI0 ".aud3g %s", was);
	sim_hlr_ctrl(b->sim, text, reply);
	bed_restart(b);
	bed_wait(b, 700000);
	AT(b, C_DOUBTING);
	tell(b, WORK_STATUS, WORK_IS_DONE, OTA_SUB_PENDING_K);
	assert_true(over(b, &l));
	assert_int_equal(l.end, END_CANCELLED);
	assert_non_null(strstr(l.why, "told by the test"));
	assert_false(made(b, &k));
	hlr_keys(b, now);
	assert_string_equal(now, was);
	book_keys(b, now);
	assert_string_equal(now, was);
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

/* A line of an order by which cards came to us, as the books have it at its end. */
static void line_add(struct store_batch *batch, uint64_t order, const char *iccid, enum line_end end)
{
	struct line l = { .order = order, .end = (uint8_t)end };
	struct book_row row = { .book = BOOK_LINE, .owner = order, .step = B_CLOSED };
	uint8_t body[BOOK_BODY_MAX];

	snprintf(l.iccid, sizeof(l.iccid), "%s", iccid);
	line_key(row.key, order, iccid);
	row.len = (uint16_t)line_pack(&l, body);
	store_batch_add(batch, ST_BOOK_PUT, &row, body, row.len);
}

static void order_add(struct store_batch *batch, const char *name, enum order_side side, uint64_t number)
{
	struct order o = { .number = number, .side = (uint8_t)side, .step = ORDER_ENDED, .kind = ORDER_3A };
	struct book_row row = { .book = BOOK_ORDER, .step = ORDER_ENDED };
	uint8_t body[BOOK_BODY_MAX];

	snprintf(o.name, sizeof(o.name), "%s", name);
	snprintf(row.key, sizeof(row.key), "%s", name);
	row.len = (uint16_t)order_pack(&o, body);
	store_batch_add(batch, ST_BOOK_PUT, &row, body, row.len);
}

/* All that have come by an order, and nobody else. */
static void taken_by(void **state)
{
	struct bed *b = *state;
	struct store_batch *batch = store_batch_new();
	char iccid[32];

	order_add(batch, "SO-1", SIDE_B, 77);
	order_add(batch, "SO-2", SIDE_A, 78);
	order_add(batch, "SO-3", SIDE_B, 79);
	line_add(batch, 77, CARD0, END_DONE);
	for (unsigned i = 0; i < DESK_PAGE; i++) { /* more than a page of them */
		snprintf(iccid, sizeof(iccid), "8988219%012u", i);
		line_add(batch, 77, iccid, i ? END_FAILED : END_DONE);
	}
	line_add(batch, 79, CARD0, END_ROLLED_BACK);
	assert_int_equal(store_commit_wait(b->store, batch), STORE_OK);
	store_batch_free(batch);
	assert_int_equal(change_of_order(b, NAME, "SO-9"), -ENOENT);
	assert_int_equal(change_of_order(b, NAME, "SO-2"), -ENOENT); /* they went by this one */
	assert_int_equal(change_of_order(b, NAME, "SO-3"), -ENOENT);
	assert_non_null(strstr(said.text, "no card has come"));
	assert_int_equal(change_of_order(b, "SO-1", "SO-1"), -EEXIST);
	assert_null(desk_order_by_name(b->desk, NAME));
	assert_int_equal(change_of_order(b, NAME, "SO-1"), 0);
	assert_non_null(strstr(said.text, "2 cards"));
	AT(b, C_OTA_SENT);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(in_order),
		T(with_stops),
		T(refused),
		T(refused_k),
		T(silent),
		T(no_slots_ota),
		T(no_slots_k),
		T(refused_late),
		T(refused_for_good),
		T(refused_cancelled),
		T(refused_k_cancelled),
		T(both_parts),
		T(other_keys_there),
		T(register_refuses),
		T(cancelled),
		T(not_ours),
		T(k_unknown),
		T(bad_orders),
		T(taken_by),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
