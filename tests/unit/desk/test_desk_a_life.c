/* test_desk_a_life.c - the old operator: a card's way from the plan to the new operator, or back.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "a_bed.h"
#include "core/profile.h"
#include "desk/engine.h"

#define DELIVER	 "deliver-then-activate"
#define ACTIVATE "activate-then-deliver"

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	bed_open(b, false);
	*state = b;
	return 0;
}

static int setup_hlr(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	bed_open(b, true);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	bed_close(*state);
	free(*state);
	return 0;
}

static int end_of(enum ota_sub_end e)
{
	return e + 1;
}

static void stages(struct bed *b, unsigned card)
{
	bed_ends(b, card, WORK_STAGE, TXN_DONE, WORK_IS_DONE, end_of(OTA_SUB_END_STAGED), 1);
}

static void arms(struct bed *b, unsigned card)
{
	bed_ends(b, card, WORK_ARM, TXN_DONE, WORK_IS_DONE, end_of(OTA_SUB_END_ARMED), 1);
}

/* To ARM under way. */
static void arming(struct bed *b, const char *order, unsigned card)
{
	stages(b, card);
	bed_seen(b, card);
	bed_cf(b, order, card, "ready", "E0", "");
	bed_at(b, card, A_ARMING);
}

/* What stands in the final list of a card. */
static void listed(struct bed *b, const char *type, unsigned card, const char *state)
{
	bed_next(b, &b->b, type);
	assert_int_equal(b->n, 1);
	assert_string_equal(bed_value(b, 0, "iccid"), b->iccid[card]);
	assert_string_equal(bed_value(b, 0, "state"), state);
}

/* ---- 3b, the usual way ---- */

static void test_3b(void **state)
{
	struct bed *b = *state;
	struct work w;
	struct ota_sub_set set;

	bed_order_pl(b, "o", "3b", DELIVER, 1);
	assert_string_equal(bed_value(b, 0, "imsi"), "262020000000501");
	assert_string_equal(bed_value(b, 0, "from"), "1");
	assert_string_equal(bed_value(b, 0, "to"), "2");
	assert_string_equal(bed_value(b, 0, "kvn"), "2");
	bed_at(b, 0, A_STAGING);
	bed_open_work(b, 0, WORK_STAGE, &w);
	assert_int_equal(w.order, b->l.order);
	assert_int_equal(w.from, 1);
	assert_int_equal(w.to, 2);
	assert_string_equal(w.imsi, "262020000000501");
	assert_memory_equal(w.hash, b->l.hash, sizeof(w.hash));
	assert_int_equal(ota_sub_set_decode(&set, w.set, w.set_len), 0);
	assert_int_equal(set.files, 1);
	assert_int_equal(set.plmns.len, 6);
	assert_int_equal(set.trial_s, 3600);
	assert_int_equal(bed_card(b, 0)->txn.kvn, 1); /* under the pair that is active */
	stages(b, 0);
	bed_at(b, 0, A_STAGED);
	assert_int_equal(b->l.evidence, 4);
	assert_int_equal(b->l.left, 7);
	/* ready, and not heard lately: it is asked first, and its answer counts, whatever the store knows of presence */
	bed_pass(b, 2 * BED_SEEN_MS);
	bed_cf(b, "o", 0, "ready", "E0", "");
	bed_at(b, 0, A_LOOKING);
	bed_pass(b, 2 * BED_SEEN_MS);
	bed_ends(b, 0, WORK_STATUS, TXN_DONE, WORK_IS_DONE, end_of(OTA_SUB_END_STAGED), 1);
	bed_at(b, 0, A_ARMING);
	assert_true(b->l.flags & LINE_ARMED);
	bed_open_work(b, 0, WORK_ARM, &w);
	assert_memory_equal(w.hash, b->l.hash, sizeof(w.hash));
	arms(b, 0);
	bed_at(b, 0, A_ARMED);
	bed_cf(b, "o", 0, "served", "E5", "");
	bed_at(b, 0, A_SERVED);
	bed_cf(b, "o", 0, "confirmed", "E6", "");
	listed(b, "HL3b", 0, "done");
	assert_string_equal(bed_value(b, 0, "index"), "2");
	assert_string_equal(bed_value(b, 0, "kvn"), "2");
	assert_string_equal(bed_value(b, 0, "evidence"), "E6");
	bed_at(b, 0, A_PURGE); /* grace */
	assert_int_equal(bed_card(b, 0)->card.gone_ms, 0);
	bed_pass(b, 2000);
	bed_at(b, 0, A_CLOSED);
	assert_int_equal(b->l.end, END_DONE);
	assert_int_not_equal(bed_card(b, 0)->card.gone_ms, 0);
	assert_int_equal(bed_card(b, 0)->n_keysets, 0);
	assert_false(bed_book(b, BOOK_SUB, "8988211000000000001/00001"));
	assert_false(bed_book(b, BOOK_IMSI, "262020000000501"));
	assert_false(bed_book(b, BOOK_TAKEN, b->iccid[0]));
	assert_int_equal(bed_order(b, "o")->step, ORDER_ENDED);
	assert_int_equal(b->o.listed, 1);
	assert_int_equal(desk_orders(b->desk), 0);
}

/* READY before STAGED: the gate opens whatever comes first. */
static void test_ready_first(void **state)
{
	struct bed *b = *state;

	bed_order_pl(b, "o", "3b", DELIVER, 1);
	bed_cf(b, "o", 0, "ready", "E0", "");
	bed_at(b, 0, A_STAGING);
	bed_seen(b, 0);
	stages(b, 0);
	bed_at(b, 0, A_ARMING);
}

/* Nothing is ever armed without both. */
static void test_gates(void **state)
{
	struct bed *b = *state;

	bed_order_pl(b, "o", "3b", DELIVER, 1);
	stages(b, 0);
	bed_seen(b, 0);
	bed_pass(b, 3600 * 1000);
	bed_at(b, 0, A_STAGED);
	assert_false(bed_has_work(b, 0));
}

/* ---- CF that does not fit ---- */

static void cf_as(struct bed *b, struct who *from, const char *record, const char *rule)
{
	bed_say(b, from, "CF", "o", &record, 1, NULL, rule);
}

static void test_cf_refused(void **state)
{
	struct bed *b = *state;

	bed_order_so(b, "o", "3b", DELIVER, 2);
	bed_order_il(b, "o", 2);
	cf_as(b, &b->b, "8988211000000000001,262020000000501,2,ready,E0,1795000000,,", ""); /* no plan yet: left out */
	bed_order_al(b, "o", 2);
	bed_next(b, &b->b, "PL");
	cf_as(b, &b->x, "8988211000000000001,262020000000501,2,ready,E0,1795000000,,", "role");
	cf_as(b, &b->b, "8988211000000000003,262020000000501,2,ready,E0,1795000000,,", "not-in-order");
	cf_as(b, &b->b, "8988211000000000001,262020000000502,2,ready,E0,1795000000,,", "imsi");
	cf_as(b, &b->b, "8988211000000000001,262020000000501,3,ready,E0,1795000000,,", "index");
	cf_as(b, &b->b, "8988211000000000001,262020000000501,,ready,E0,1795000000,,", "index");
	cf_as(b, &b->b, "8988211000000000001,262020000000501,2,served,E4,1795000000,,", "evidence");
	cf_as(b, &b->b, "8988211000000000001,262020000000501,2,confirmed,E5,1795000000,,", "evidence");
	cf_as(b, &b->b, "8988211000000000001,262020000000501,2,confirmed,E6,1795000000,,", "");
	assert_non_null(strstr(bed_order(b, "o")->alarm, "not-armed"));
	bed_at(b, 0, A_STAGING);
	assert_int_equal(b->l.flags, 0);
	assert_int_equal(b->l.end, END_NONE);
}

/* E5 and time alone delete nothing at A. */
static void test_only_e6_purges(void **state)
{
	struct bed *b = *state;

	bed_order_pl(b, "o", "3b", DELIVER, 1);
	arming(b, "o", 0);
	arms(b, 0);
	bed_cf(b, "o", 0, "served", "E5", "");
	bed_pass(b, 40ll * 86400 * 1000);
	bed_at(b, 0, A_SERVED);
	assert_int_equal(bed_card(b, 0)->card.gone_ms, 0);
	assert_int_equal(bed_card(b, 0)->n_keysets, 1);
	assert_true(bed_book(b, BOOK_SUB, "8988211000000000001/00001"));
}

/* ---- after ARM ---- */

/* No answer to ARM: nobody knows, and only CF closes it, also while its transaction is still open. */
static void test_unknown_closed_by_cf(void **state)
{
	struct bed *b = *state;

	bed_order_pl(b, "o", "3b", DELIVER, 1);
	arming(b, "o", 0);
	assert_true(bed_has_work(b, 0));
	bed_cf(b, "o", 0, "served", "E5", "");
	bed_at(b, 0, A_SERVED);
	assert_false(bed_has_work(b, 0)); /* settled */
	bed_cf(b, "o", 0, "confirmed", "E6", "");
	listed(b, "HL3b", 0, "done");
}

static void test_expired_arm_stays(void **state)
{
	struct bed *b = *state;

	bed_order_pl(b, "o", "3b", DELIVER, 1);
	arming(b, "o", 0);
	bed_ends(b, 0, WORK_ARM, TXN_EXPIRED, -1, 0, 0);
	bed_at(b, 0, A_ARMED);
	bed_pass(b, 40ll * 86400 * 1000); /* long after the order's time */
	bed_at(b, 0, A_ARMED);
	assert_false(bed_has_work(b, 0)); /* nothing fresh leaves */
	bed_cf(b, "o", 0, "confirmed", "E6", "");
	listed(b, "HL3b", 0, "done");
}

/* Heard here again after ARM: asked, and the answer decides. */
static void heard(struct bed *b, unsigned card, int end, uint16_t index)
{
	struct work w;

	bed_pass(b, 60000);
	bed_seen(b, card);
	bed_pass(b, 60000);
	bed_at(b, card, A_LOOKING);
	bed_open_work(b, card, WORK_STATUS, &w);
	assert_int_equal(w.flags, WORK_F_MOVED); /* nothing fresh but when it is heard */
	bed_ends(b, card, WORK_STATUS, TXN_DONE, WORK_IS_DONE, end, index);
}

/* One card went home: what the new operator had to say of it costs the other one no proof. */
static void test_cf_stale(void **state)
{
	struct bed *b = *state;
	char text[2][200];
	const char *record[2] = { text[0], text[1] };

	bed_order_pl(b, "o", "3b", DELIVER, 2);
	for (unsigned i = 0; i < 2; i++) {
		arming(b, "o", i);
		arms(b, i);
		bed_order(b, "o");
		bed_line(b, i);
		snprintf(text[i], sizeof(text[i]), "%s,%s,%u,confirmed,E6,253402300799,,", b->l.iccid, b->l.imsi,
			 b->l.to);
	}
	heard(b, 0, end_of(OTA_SUB_END_TIMEOUT), 1);
	listed(b, "HL3b", 0, "rolled-back");
	bed_say(b, &b->b, "CF", "o", record, 2, NULL, "");
	assert_non_null(strstr(bed_order(b, "o")->alarm, "ended"));
	bed_line(b, 0);
	assert_int_equal(b->l.end, END_ROLLED_BACK);
	bed_line(b, 1);
	assert_true(b->l.flags & LINE_CONFIRMED);
	assert_true(b->l.evidence_ms <= b->now_ms); /* whatever its clock says */
	listed(b, "HL3b", 1, "done");
}

/* Our books were put back to before the plan, which B has had: what it says of one card is left out, with that of the others taken, and
 * said again it is taken. */
static void test_cf_before_plan(void **state)
{
	struct bed *b = *state;
	char text[2][200];
	const char *record[2] = { text[0], text[1] };

	bed_order_so(b, "o", "3b", DELIVER, 2);
	bed_order_il(b, "o", 2);
	for (unsigned i = 0; i < 2; i++) {
		bed_at(b, i, A_ASKED);
		snprintf(text[i], sizeof(text[i]), "%s,%s,2,ready,E0,%lld,,", b->l.iccid, b->l.imsi,
			 (long long)(b->now_ms / 1000));
	}
	bed_say(b, &b->b, "CF", "o", record, 2, NULL, "");
	assert_non_null(strstr(bed_order(b, "o")->alarm, "not-planned"));
	bed_line(b, 0);
	assert_false(b->l.flags & LINE_READY);
	bed_order_al(b, "o", 2);
	bed_next(b, &b->b, "PL");
	bed_cf(b, "o", 0, "ready", "E0", "");
	assert_non_null(strstr(bed_order(b, "o")->alarm, "not-planned")); /* of the other one */
	bed_cf(b, "o", 1, "ready", "E0", "");
	assert_string_equal(bed_order(b, "o")->alarm, "");
	bed_line(b, 1);
	assert_true(b->l.flags & LINE_READY);
}

static void test_rolled_back(void **state)
{
	struct bed *b = *state;

	bed_order_pl(b, "o", "3b", DELIVER, 1);
	arming(b, "o", 0);
	arms(b, 0);
	heard(b, 0, end_of(OTA_SUB_END_TIMEOUT), 1);
	listed(b, "HL3b", 0, "rolled-back");
	bed_at(b, 0, A_CLOSED);
	assert_int_equal(b->l.end, END_ROLLED_BACK);
	assert_int_equal(bed_card(b, 0)->card.gone_ms, 0); /* goes on here */
	assert_int_equal(bed_card(b, 0)->n_keysets, 1);
	assert_true(bed_book(b, BOOK_SUB, "8988211000000000001/00001"));
	assert_int_equal(bed_order(b, "o")->step, ORDER_ENDED);
}

/* ARM says itself that the card has gone back. */
static void test_arm_went_back(void **state)
{
	struct bed *b = *state;

	bed_order_pl(b, "o", "3b", DELIVER, 1);
	arming(b, "o", 0);
	bed_ends(b, 0, WORK_ARM, TXN_FAILED, WORK_WENT_BACK, end_of(OTA_SUB_END_ROLLED_BACK), 1);
	listed(b, "HL3b", 0, "rolled-back");
}

static void test_heard_in_trial(void **state)
{
	struct bed *b = *state;

	bed_order_pl(b, "o", "3b", DELIVER, 1);
	arming(b, "o", 0);
	arms(b, 0);
	heard(b, 0, end_of(OTA_SUB_END_ARMED), 1); /* not reset yet */
	bed_at(b, 0, A_ARMED);
	bed_pass(b, 120000); /* not heard since: not asked again */
	bed_at(b, 0, A_ARMED);
	heard(b, 0, end_of(OTA_SUB_END_TRIAL), 2);
	bed_at(b, 0, A_ARMED);
}

#define OLD_IMSI "262010000000001"

/* Our register is asked of the old IMSI of an armed card, and answers so. */
static void register_says(struct bed *b, enum hlr_end end, uint64_t sqn)
{
	bed_pass(b, 120000);
	bed_hlr(b, HLR_READ, OLD_IMSI, end, sqn);
}

/* Never heard, but authenticated: the first look is the mark, growth from there on is presence. */
static void test_register_tells(void **state)
{
	struct bed *b = *state;

	bed_order_pl(b, "o", "3b", DELIVER, 1);
	arming(b, "o", 0);
	arms(b, 0);
	register_says(b, HLR_OK, 1000); /* that may have been before */
	bed_at(b, 0, A_ARMED);
	register_says(b, HLR_TEMPORARY, 0);
	register_says(b, HLR_OK, 1000);
	bed_at(b, 0, A_ARMED);
	register_says(b, HLR_OK, 32); /* somebody made it anew */
	bed_at(b, 0, A_ARMED);
	register_says(b, HLR_OK, 64);
	bed_pass(b, 60000);
	bed_at(b, 0, A_LOOKING);
	bed_ends(b, 0, WORK_STATUS, TXN_DONE, WORK_IS_DONE, end_of(OTA_SUB_END_ARMED), 1);
	bed_at(b, 0, A_ARMED);
	register_says(b, HLR_OK, 1064); /* since the last mark, but perhaps before its answer: a new mark */
	register_says(b, HLR_OK, 1064);
	bed_pass(b, 60000);
	bed_at(b, 0, A_ARMED);
	register_says(b, HLR_OK, 1096);
	bed_pass(b, 60000);
	bed_at(b, 0, A_LOOKING);
	bed_ends(b, 0, WORK_STATUS, TXN_DONE, WORK_IS_DONE, end_of(OTA_SUB_END_TIMEOUT), 1);
	listed(b, "HL3b", 0, "rolled-back");
}

/* While ARM has no answer the core is told: the same octets go again. */
static void test_register_tells_core(void **state)
{
	struct bed *b = *state;
	int64_t seen_ms;

	bed_order_pl(b, "o", "3b", DELIVER, 1);
	arming(b, "o", 0);
	register_says(b, HLR_OK, 1000);
	bed_restart(b); /* and with it another attempt: a new mark */
	register_says(b, HLR_OK, 1000);
	register_says(b, HLR_OK, 1000);
	seen_ms = bed_card(b, 0)->card.last_seen_ms;
	register_says(b, HLR_OK, 1032);
	bed_pass(b, 1000);
	bed_at(b, 0, A_ARMING);
	assert_true(bed_card(b, 0)->card.last_seen_ms > seen_ms);
	seen_ms = bed_card(b, 0)->card.last_seen_ms;
	register_says(b, HLR_OK, 1032);
	bed_pass(b, 1000);
	assert_int_equal(bed_card(b, 0)->card.last_seen_ms, seen_ms);
	register_says(b, HLR_ABSENT, 0); /* it could not come home */
	assert_non_null(strstr(bed_order(b, "o")->alarm, "old IMSI"));
}

/* The ARM never ran: the question fences it, and another one goes. */
static void test_heard_still_staged(void **state)
{
	struct bed *b = *state;

	bed_order_pl(b, "o", "3b", DELIVER, 1);
	arming(b, "o", 0);
	bed_ends(b, 0, WORK_ARM, TXN_EXPIRED, -1, 0, 0);
	heard(b, 0, end_of(OTA_SUB_END_STAGED), 1);
	bed_line(b, 0);
	assert_int_equal(b->row.row.step == A_ARMING || b->row.row.step == A_LOOKING, 1);
	bed_seen(b, 0);
	if (b->row.row.step == A_LOOKING)
		bed_ends(b, 0, WORK_STATUS, TXN_DONE, WORK_IS_DONE, end_of(OTA_SUB_END_STAGED), 1);
	bed_at(b, 0, A_ARMING);
}

/* Another set, another order, another index: that an ARM was refused does not say where the card is. */
static void test_arm_conflict(void **state)
{
	struct bed *b = *state;

	bed_order_pl(b, "o", "3b", DELIVER, 1);
	arming(b, "o", 0);
	bed_ends(b, 0, WORK_ARM, TXN_FAILED, WORK_CONFLICT, 0, 0);
	bed_at(b, 0, A_LOOKING);
	bed_ends(b, 0, WORK_STATUS, TXN_DONE, WORK_IS_DONE, end_of(OTA_SUB_END_UNKNOWN), 5);
	bed_at(b, 0, A_ARMED);
	assert_non_null(strstr(bed_order(b, "o")->alarm, "index 5"));
}

/* ---- the card, before ARM ---- */

static void test_stage_fails(void **state)
{
	struct bed *b = *state;

	bed_order_pl(b, "o", "3b", DELIVER, 2);
	bed_ends(b, 0, WORK_STAGE, TXN_FAILED, WORK_CONFLICT, end_of(OTA_SUB_END_UNKNOWN), 3);
	listed(b, "HL3b", 0, "failed");
	bed_at(b, 0, A_CLOSED);
	bed_ends(b, 1, WORK_STAGE, TXN_EXPIRED, -1, 0, 0);
	bed_at(b, 1, A_UNSTAGING); /* who knows: it may hold the set */
	bed_ends(b, 1, WORK_UNSTAGE, TXN_DONE, WORK_IS_DONE, end_of(OTA_SUB_END_UNKNOWN), 1);
	listed(b, "HL3b", 1, "unreached");
	assert_int_equal(bed_order(b, "o")->step, ORDER_ENDED);
	assert_int_equal(b->o.listed, 2);
}

/* STATUS before ARM says that something else was staged meanwhile: staged again. */
static void test_staged_anew(void **state)
{
	struct bed *b = *state;

	bed_order_pl(b, "o", "3b", DELIVER, 1);
	stages(b, 0);
	bed_pass(b, 2 * BED_SEEN_MS);
	bed_cf(b, "o", 0, "ready", "E0", "");
	bed_ends(b, 0, WORK_STATUS, TXN_DONE, WORK_IS_DONE, end_of(OTA_SUB_END_UNKNOWN), 1);
	bed_at(b, 0, A_STAGING);
	bed_seen(b, 0);
	stages(b, 0);
	bed_at(b, 0, A_ARMING);
}

/* ---- cancel ---- */

static int cancel_rc;
static void cancelled(void *ctx, int rc, const char *text)
{
	(void)ctx;
	(void)text;
	cancel_rc = rc;
}

static void cancel(struct bed *b, const char *order)
{
	struct desk_request r = { .verb = DESK_CANCEL, .done = cancelled };

	strcpy(r.order, order);
	cancel_rc = 1;
	assert_int_equal(desk_request(b->desk, &r), 0);
	bed_turn(b);
	assert_int_equal(cancel_rc, 0);
}

static void test_cancel(void **state)
{
	struct bed *b = *state;

	bed_order_pl(b, "o", "3b", DELIVER, 3);
	stages(b, 0); /* STAGED */
	stages(b, 2);
	bed_seen(b, 2);
	bed_cf(b, "o", 2, "ready", "E0", "");
	bed_at(b, 2, A_ARMING);
	cancel(b, "o");
	bed_at(b, 0, A_UNSTAGING);
	bed_pass(b, 60000);
	bed_at(b, 1, A_UNSTAGING); /* its STAGE was settled first */
	bed_at(b, 2, A_ARMING);	   /* too late: goes on */
	bed_ends(b, 0, WORK_UNSTAGE, TXN_DONE, WORK_IS_DONE, end_of(OTA_SUB_END_UNKNOWN), 1);
	listed(b, "HL3b", 0, "cancelled");
	bed_pass(b, 2 * 86400 * 1000ll); /* this one is never reached: the order does not wait for ever */
	listed(b, "HL3b", 1, "cancelled");
	bed_at(b, 1, A_CLOSED);
	bed_cf(b, "o", 2, "served", "E5", "");
	bed_cf(b, "o", 2, "confirmed", "E6", "");
	listed(b, "HL3b", 2, "done");
	bed_pass(b, 2000);
	assert_int_equal(bed_order(b, "o")->step, ORDER_ENDED);
	assert_int_equal(b->o.listed, 3);
	assert_int_equal(b->o.paired, 3);
}

/* Before the list, and between pool and pairing: what came in goes back, once. */
static void test_cancel_early(void **state)
{
	struct bed *b = *state;

	bed_order_so(b, "o", "3b", DELIVER, 2);
	cancel(b, "o");
	assert_int_equal(bed_order(b, "o")->step, ORDER_ENDED);
	assert_true(bed_nothing(b, &b->b));
	assert_false(bed_book(b, BOOK_TAKEN, b->iccid[0]));
}

/* The order's time: what is not armed comes back. */
static void test_until(void **state)
{
	struct bed *b = *state;

	bed_order_pl(b, "o", "3b", DELIVER, 2);
	stages(b, 0);
	bed_pass(b, 31ll * 86400 * 1000);
	bed_at(b, 0, A_UNSTAGING);
	bed_ends(b, 0, WORK_UNSTAGE, TXN_DONE, WORK_IS_DONE, end_of(OTA_SUB_END_UNKNOWN), 1);
	listed(b, "HL3b", 0, "unreached");
}

/* ---- the new operator cannot ---- */

static void test_b_refuses(void **state)
{
	struct bed *b = *state;

	bed_order_pl(b, "o", "3b", DELIVER, 2);
	stages(b, 0);
	bed_cf(b, "o", 0, "refused", "E0", "");
	bed_at(b, 0, A_UNSTAGING);
	bed_ends(b, 0, WORK_UNSTAGE, TXN_DONE, WORK_IS_DONE, end_of(OTA_SUB_END_UNKNOWN), 1);
	listed(b, "HL3b", 0, "failed");
	arming(b, "o", 1);
	bed_cf(b, "o", 1, "recalled", "E0", ""); /* armed: only its own trial brings it home */
	bed_at(b, 1, A_ARMING);
	assert_int_equal(b->l.end, END_NONE);
	assert_non_null(strstr(bed_order(b, "o")->alarm, "trial"));
}

/* The new operator takes back a card of which nobody knows whether it is armed; it is found here, staged: it is not armed again. */
static void test_taken_back(void **state)
{
	struct bed *b = *state;

	bed_order_pl(b, "o", "3b", DELIVER, 1);
	arming(b, "o", 0);
	bed_cf(b, "o", 0, "recalled", "E0", "");
	bed_ends(b, 0, WORK_ARM, TXN_EXPIRED, -1, 0, 0);
	heard(b, 0, end_of(OTA_SUB_END_STAGED), 1);
	bed_line(b, 0);
	assert_int_equal(b->l.end, END_CANCELLED);
	bed_at(b, 0, A_UNSTAGING);
	bed_ends(b, 0, WORK_UNSTAGE, TXN_DONE, WORK_IS_DONE, end_of(OTA_SUB_END_UNKNOWN), 1);
	listed(b, "HL3b", 0, "cancelled");
}

/* ---- the papers' order ---- */

static void test_activate_first(void **state)
{
	struct bed *b = *state;

	bed_order_pl(b, "o", "3b", ACTIVATE, 1);
	bed_at(b, 0, A_ARMING);
	assert_true(b->l.flags & LINE_ARMED);
	bed_ends(b, 0, WORK_ADVANCE, TXN_DONE, WORK_IS_DONE, end_of(OTA_SUB_END_ARMED), 1);
	bed_at(b, 0, A_ARMED);
	bed_cf(b, "o", 0, "ready", "E0", "");
	bed_at(b, 0, A_ARMED);
	bed_cf(b, "o", 0, "confirmed", "E6", "");
	listed(b, "HL3b", 0, "done");
}

/* ---- 3a ---- */

static void block(struct bed *b, unsigned i, struct ks_block *out)
{
	uint8_t wrapped[KS_BLOCK_MAX];
	const char *hex = bed_value(b, i, "keys");
	size_t len = strlen(hex) / 2;

	for (size_t k = 0; k < len; k++) {
		unsigned v;

		assert_int_equal(sscanf(hex + 2 * k, "%2x", &v), 1);
		wrapped[k] = (uint8_t)v;
	}
	assert_non_null(b->wrap);
	assert_int_equal(ks_block_unwrap(b->wrap, b->iccid[0], wrapped, len, out), 0);
}

static void test_3a(void **state)
{
	struct bed *b = *state;
	struct ks_block keys;
	struct work w;

	bed_order_pl(b, "o", "3a", DELIVER, 1);
	assert_string_equal(bed_value(b, 0, "from"), "1");
	assert_string_equal(bed_value(b, 0, "to"), "1");
	assert_string_equal(bed_value(b, 0, "kvn"), "1");
	bed_open_work(b, 0, WORK_STAGE, &w);
	assert_int_equal(w.to, 1);
	stages(b, 0);
	bed_at(b, 0, A_STAGING); /* waits for our register: SQN */
	assert_true(bed_nothing(b, &b->b));
	bed_hlr(b, HLR_READ, "262010000000001", HLR_OK, 0x1234);
	bed_next(b, &b->b, "HL3a");
	assert_string_equal(bed_value(b, 0, "stage"), "provisional");
	assert_string_equal(bed_value(b, 0, "state"), "staged");
	assert_string_equal(bed_value(b, 0, "sqn"), "4660");
	assert_string_equal(bed_value(b, 0, "cntr"), "");
	block(b, 0, &keys);
	assert_true(keys.has_sub);
	assert_int_equal(keys.sets, 0); /* nobody else sends to the card yet */
	bed_at(b, 0, A_STAGED);
	bed_seen(b, 0);
	bed_cf(b, "o", 0, "ready", "E0", "");
	arms(b, 0);
	bed_cf(b, "o", 0, "confirmed", "E6", ""); /* before its OTA keys went out: as served */
	bed_next(b, &b->b, "HL3a");
	assert_string_equal(bed_value(b, 0, "stage"), "final");
	assert_string_equal(bed_value(b, 0, "state"), "armed");
	block(b, 0, &keys);
	assert_false(keys.has_sub);
	assert_int_equal(keys.sets, 1);
	assert_int_equal(keys.set[0].kvn, 1);
	assert_true(strtoull(bed_value(b, 0, "cntr"), NULL, 10) >= 150); /* and the margin */
	bed_at(b, 0, A_SERVED);
	bed_cf(b, "o", 0, "confirmed", "E6", "");
	listed(b, "HL3a", 0, "done");
	assert_string_equal(bed_value(b, 0, "keys"), "");
	bed_pass(b, 2000);
	bed_at(b, 0, A_PURGING);
	bed_hlr(b, HLR_REMOVE, "262010000000001", HLR_OK, 0);
	bed_at(b, 0, A_CLOSED);
	assert_int_not_equal(bed_card(b, 0)->card.gone_ms, 0);
	assert_false(bed_book(b, BOOK_SUB, "8988211000000000001/00001"));
	assert_int_equal(bed_order(b, "o")->step, ORDER_ENDED);
}

/* Our register will not: nothing is lost, it is asked again, and a person is told. */
static void test_register_refuses(void **state)
{
	struct bed *b = *state;

	bed_order_pl(b, "o", "3b", DELIVER, 1);
	arming(b, "o", 0);
	bed_cf(b, "o", 0, "confirmed", "E6", "");
	bed_pass(b, 2000);
	bed_hlr(b, HLR_REMOVE, "262010000000001", HLR_REFUSED, 0);
	bed_at(b, 0, A_PURGE);
	assert_non_null(strstr(bed_order(b, "o")->alarm, "262010000000001"));
	assert_int_equal(bed_card(b, 0)->card.gone_ms, 0);
	bed_pass(b, 61000);
	bed_hlr(b, HLR_REMOVE, "262010000000001", HLR_ABSENT, 0);
	bed_at(b, 0, A_CLOSED);
}

/* K went out and the card stays: it is counted, and its counter goes on above the new operator's. */
static void test_3a_comes_home(void **state)
{
	struct bed *b = *state;
	uint64_t theirs;

	bed_order_pl(b, "o", "3a", DELIVER, 1);
	stages(b, 0);
	bed_hlr(b, HLR_READ, "262010000000001", HLR_ABSENT, 0);
	bed_next(b, &b->b, "HL3a");
	bed_seen(b, 0);
	bed_cf(b, "o", 0, "ready", "E0", "");
	arms(b, 0);
	bed_cf(b, "o", 0, "served", "E5", "");
	bed_next(b, &b->b, "HL3a");
	theirs = strtoull(bed_value(b, 0, "cntr"), NULL, 10) + 3;
	{
		char text[200];
		const char *record = text;

		snprintf(text, sizeof(text), "%s,262020000000501,1,recalled,E0,1795000000,,%llu", b->iccid[0],
			 (unsigned long long)theirs);
		bed_say(b, &b->b, "CF", "o", &record, 1, NULL, "");
	}
	bed_at(b, 0, A_SERVED);
	bed_pass(b, 60000);
	bed_seen(b, 0);
	bed_pass(b, 60000);
	bed_at(b, 0, A_LOOKING);
	assert_true(bed_card(b, 0)->keyset[0].cntr > theirs);
	bed_ends(b, 0, WORK_STATUS, TXN_DONE, WORK_IS_DONE, end_of(OTA_SUB_END_TIMEOUT), 1);
	listed(b, "HL3a", 0, "rolled-back");
	bed_at(b, 0, A_CLOSED);
	assert_int_equal(b->l.end, END_ROLLED_BACK);
	assert_int_equal(b->l.flags & (LINE_PROVISIONAL | LINE_FINAL), LINE_PROVISIONAL | LINE_FINAL);
}

/* An OPc that the new operator has chosen goes to the card under its KIK. */
static void test_3a_opc(void **state)
{
	struct bed *b = *state;
	struct ks_block in = { .has_opc = true };
	uint8_t wrapped[KS_BLOCK_MAX];
	char line[1500];
	const char *record = line;
	struct parcel_out p = { .type = "IL", .order = "o", .record = &record, .n = 1 };
	struct ks_wrap *wrap;
	struct work w;
	struct ota_sub_set set;
	size_t at;
	int len;

	bed_order_so(b, "o", "3a", DELIVER, 1);
	wrap = bed_begin(b, &b->b, &p);
	assert_int_equal(ks_opc_make(b->b.ks, "262020000000501", in.opc), 0); /* a pool: no card yet */
	len = ks_block_wrap(wrap, "262020000000501", &in, wrapped);
	assert_true(len > 0);
	at = (size_t)snprintf(line, sizeof(line), "262020000000501,,,26202," BED_SMSP ",,");
	for (int i = 0; i < len; i++)
		at += (size_t)snprintf(line + at, sizeof(line) - at, "%02x", wrapped[i]);
	bed_end_package(b, &b->b, &p);
	assert_string_equal(bed_answer(b, &b->b), "");
	bed_at(b, 0, A_STAGING);
	bed_open_work(b, 0, WORK_STAGE, &w);
	assert_int_equal(ota_sub_set_decode(&set, w.set, w.set_len), 0);
	assert_int_equal(set.opc.len, KS_OPC_WRAPPED);
}

static void test_3a_no_k(void **state)
{
	struct bed *b = *state;
	struct store_batch *batch = store_batch_new();
	struct book_row row = { .book = BOOK_SUB, .key = "8988211000000000001/00001", .version = BOOK_ANY };

	store_batch_add(batch, ST_BOOK_DROP, &row, NULL, 0);
	assert_int_equal(store_commit_wait(b->store, batch), STORE_OK);
	store_batch_free(batch);
	bed_order_so(b, "o", "3a", DELIVER, 1);
	bed_order_il(b, "o", 1);
	listed(b, "HL3a", 0, "failed");
	bed_at(b, 0, A_CLOSED);
}

/* Cancelled while an armed card is being asked: its line is no one's to give up. */
static void test_cancel_asked(void **state)
{
	struct bed *b = *state;

	bed_order_pl(b, "o", "3b", DELIVER, 1);
	arming(b, "o", 0);
	arms(b, 0);
	bed_pass(b, 60000);
	bed_seen(b, 0);
	bed_pass(b, 60000);
	bed_at(b, 0, A_LOOKING);
	cancel(b, "o");
	bed_at(b, 0, A_LOOKING);
	bed_ends(b, 0, WORK_STATUS, TXN_DONE, WORK_IS_DONE, end_of(OTA_SUB_END_ARMED), 1);
	bed_at(b, 0, A_ARMED);
	assert_int_equal(b->l.end, END_NONE);
}

/* The end of an older work is told again while a newer one of the same kind is open: it is not that one's. */
static void test_told_again(void **state)
{
	struct bed *b = *state;
	struct gw_effect fx = { .kind = GW_FX_TXN };
	const struct card_bundle *c;

	bed_order_pl(b, "o", "3b", DELIVER, 1);
	c = bed_card(b, 0);
	fx.txn = (struct gw_fx_txn){ .campaign = c->txn.campaign,
				     .txn = c->txn.id,
				     .card = c->card.id,
				     .state = TXN_FAILED,
				     .verdict = WORK_CONFLICT + 1,
				     .evidence = 255 };
	strcpy(fx.txn.iccid, b->iccid[0]);
	stages(b, 0);
	bed_pass(b, 2 * BED_SEEN_MS);
	bed_cf(b, "o", 0, "ready", "E0", "");
	bed_ends(b, 0, WORK_STATUS, TXN_DONE, WORK_IS_DONE, end_of(OTA_SUB_END_UNKNOWN), 1);
	bed_at(b, 0, A_STAGING); /* anew */
	fx.txn.txn = b->l.txn;	 /* the last one that was taken */
	desk_on_effect(b->desk, &fx);
	bed_turn(b);
	bed_at(b, 0, A_STAGING);
	assert_int_equal(b->l.end, END_NONE);
}

/* ---- the lists are compared ---- */

/* A line of the IL that does not go back: the order does not end, and says so. */
static void test_sums(void **state)
{
	struct bed *b = *state;
	struct store_batch *batch = store_batch_new();
	struct book_row row = { .book = BOOK_ORDER, .key = "o", .step = ORDER_OPEN, .version = BOOK_ANY };
	uint8_t body[BOOK_BODY_MAX];

	bed_order_pl(b, "o", "3b", DELIVER, 1);
	arming(b, "o", 0);
	bed_order(b, "o");
	b->o.paired++;
	row.len = (uint16_t)order_pack(&b->o, body);
	store_batch_add(batch, ST_BOOK_PUT, &row, body, row.len);
	assert_int_equal(store_commit_wait(b->store, batch), STORE_OK);
	store_batch_free(batch);
	bed_restart(b);
	bed_cf(b, "o", 0, "confirmed", "E6", "");
	bed_pass(b, 2000);
	bed_at(b, 0, A_CLOSED);
	assert_int_equal(bed_order(b, "o")->step, ORDER_OPEN);
	assert_non_null(strstr(b->o.alarm, "compare the lists"));
}

/* ---- restarts ---- */

/* The gateway ends after every step: the same way, and every line once. */
static void test_restarts(void **state)
{
	struct bed *b = *state;

	bed_order_so(b, "o", "3b", DELIVER, 2);
	bed_restart(b);
	bed_order_il(b, "o", 2);
	bed_restart(b);
	bed_order_al(b, "o", 2);
	bed_restart(b);
	bed_next(b, &b->b, "PL");
	bed_at(b, 0, A_STAGING);
	stages(b, 0);
	bed_restart(b);
	bed_at(b, 0, A_STAGED);
	bed_at(b, 1, A_STAGING);
	bed_seen(b, 0);
	bed_cf(b, "o", 0, "ready", "E0", "");
	bed_restart(b);
	bed_at(b, 0, A_ARMING);
	arms(b, 0);
	bed_restart(b);
	bed_cf(b, "o", 0, "confirmed", "E6", "");
	bed_restart(b);
	listed(b, "HL3b", 0, "done");
	bed_pass(b, 2000);
	bed_at(b, 0, A_CLOSED);
	bed_ends(b, 1, WORK_STAGE, TXN_FAILED, WORK_CONFLICT, end_of(OTA_SUB_END_UNKNOWN), 3);
	bed_restart(b);
	listed(b, "HL3b", 1, "failed");
	assert_int_equal(bed_order(b, "o")->step, ORDER_ENDED);
	assert_int_equal(b->o.listed, 2);
	assert_true(bed_nothing(b, &b->b));
	/* the card that stayed may be ordered again */
	assert_false(bed_book(b, BOOK_TAKEN, b->iccid[1]));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define H(f) cmocka_unit_test_setup_teardown(f, setup_hlr, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_3b),
		T(test_cf_stale),
		T(test_cf_before_plan),
		T(test_ready_first),
		T(test_gates),
		T(test_cf_refused),
		T(test_only_e6_purges),
		T(test_unknown_closed_by_cf),
		T(test_expired_arm_stays),
		T(test_rolled_back),
		T(test_arm_went_back),
		T(test_heard_in_trial),
		T(test_heard_still_staged),
		H(test_register_tells),
		H(test_register_tells_core),
		T(test_arm_conflict),
		T(test_stage_fails),
		T(test_staged_anew),
		T(test_cancel),
		T(test_cancel_early),
		T(test_until),
		T(test_b_refuses),
		T(test_taken_back),
		T(test_activate_first),
		H(test_3a),
		H(test_register_refuses),
		H(test_3a_comes_home),
		T(test_3a_opc),
		T(test_3a_no_k),
		T(test_cancel_asked),
		T(test_told_again),
		T(test_sums),
		T(test_restarts),
	};

	return cmocka_run_group_tests_name("desk: the old operator", tests, NULL, bed_parties_end);
}
