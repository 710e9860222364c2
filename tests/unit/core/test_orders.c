/* test_orders.c - works of an order through the real core, against virtual cards with the subscription application.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What a card has really done is read from its memory, never from what the core says of it.
 */
#include <errno.h>

#include "core_bed.h"
#include "ota/subscription.h"

#define DAY_MS	(24 * 3600000LL)
#define HOUR_MS 3600000
#define ORDER	0x1234567890abcdefULL

static struct bed *bed;

static int setup(void **state)
{
	bed = calloc(1, sizeof(*bed));
	assert_non_null(bed);
	bed_open_sub(bed, 4);
	return 0;
}

static int teardown(void **state)
{
	bed_close(bed);
	free(bed);
	return 0;
}

/* ---- short words ---- */

static const struct sim_sub_rec *rec(unsigned card)
{
	return sim_sub_rec(&bed->sub[card]);
}

static uint64_t plan(enum work_kind kind, unsigned card, uint16_t from, uint16_t to, uint8_t kvn)
{
	uint64_t c = bed_works(bed, kind);
	struct work w;

	bed_work(&w, kind, ORDER, card, from, to);
	bed_plan(bed, c, card, &w, kvn);
	return c;
}

static void leaves(struct sent *s, enum ota_sub_ins ins)
{
	assert_true(bed_leaves(bed, 0, s));
	if (s->ins != ins)
		fail_msg("%s left instead of %s", ota_sub_ins_name(s->ins), ota_sub_ins_name((uint8_t)ins));
}

/* The packet reaches the card; what it answers is kept for later. */
static void reaches(const struct sent *s, struct uds *u)
{
	struct sim_card_out out;

	bed_card_takes(bed, s, &out);
	bed_uds(&out, u);
}

static void answers(unsigned card, const struct uds *u)
{
	bed_mo_all(bed, 0, card, u);
}

/* From the network the card has gone to: its new IMSI is what is seen of it. */
static void answers_from_there(unsigned card, const struct uds *u)
{
	char imsi[16];

	snprintf(imsi, sizeof(imsi), BED_WORK_IMSI, card);
	for (unsigned i = 0; i < u->n; i++)
		bed_mo_from(bed, 0, 6, imsi, u->ud[i], u->len[i]);
}

/* Leaves, is accepted, runs, and is answered. */
static void runs(enum ota_sub_ins ins, struct sent *s)
{
	struct uds u;

	leaves(s, ins);
	bed_accepted(bed, s);
	reaches(s, &u);
	answers(s->card, &u);
}

/* Leaves, is accepted, runs; and its answer is lost. */
static void runs_unheard(enum ota_sub_ins ins, struct sent *s)
{
	struct uds u;

	leaves(s, ins);
	bed_accepted(bed, s);
	reaches(s, &u);
}

static void is_lost(enum ota_sub_ins ins, struct sent *s)
{
	leaves(s, ins);
	bed_accepted(bed, s);
}

static void heard_old(unsigned card)
{
	struct gw_event ev = { .kind = GW_EV_LINK, .ev = { .kind = LINK_EV_ALERT, .from = { .ton = 1, .npi = 1 } } };

	snprintf(ev.ev.from.digits, sizeof(ev.ev.from.digits), "%s", bed->card[card].msisdn);
	assert_int_equal(gw_post(bed->gw, &ev), 0);
	bed_turn(bed);
}

static void heard_new(unsigned card)
{
	struct gw_event ev = { .kind = GW_EV_LINK, .ev = { .kind = LINK_EV_ALERT, .from = { .npi = 6 } } };

	snprintf(ev.ev.from.digits, sizeof(ev.ev.from.digits), BED_WORK_IMSI, card);
	assert_int_equal(gw_post(bed->gw, &ev), 0);
	bed_turn(bed);
}

static void is(unsigned card, enum txn_state state, int verdict, int card_end)
{
	const struct txn_row *t = bed_txn(bed, card);
	const struct gw_fx_txn *e;

	if (t->state != state)
		fail_msg("card %u is %s: %s", card, txn_state_name(t->state), t->reason);
	assert_int_equal(t->verdict, verdict + 1);
	assert_int_equal(t->card_end, card_end + 1);
	e = bed_end(bed, card);
	assert_int_equal(e->txn, t->id);
	assert_int_equal(e->state, state);
	assert_int_equal(e->verdict, verdict + 1);
	assert_int_equal(e->card_end, card_end + 1);
	assert_int_equal(e->evidence, t->evidence);
	assert_string_equal(e->iccid, bed->card[card].iccid);
}

static void stays_open(unsigned card)
{
	assert_int_equal(bed_txn(bed, card)->state, TXN_ACTIVE);
	assert_string_equal(bed_txn(bed, card)->reason, "may have moved: waits for the new operator's confirmation");
	assert_int_equal(bed_txn(bed, card)->maybe_moved, 1);
}

/* The card is staged for ORDER, 1 to 2. */
static void staged(unsigned card)
{
	struct sent s;

	plan(WORK_STAGE, card, 1, 2, 0);
	runs(OTA_SUB_STAGE, &s);
	is(card, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_STAGED);
	bed->n_ends = 0;
}

/* ---- each work, where all goes well ---- */

static void test_stage(void **state)
{
	uint64_t c = plan(WORK_STAGE, 0, 1, 2, 0);
	char imsi[16];
	struct sent s;

	memcpy(imsi, bed_card(bed, 0)->card.imsi, sizeof(imsi));
	runs(OTA_SUB_STAGE, &s);
	is(0, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_STAGED);
	assert_int_equal(bed_end(bed, 0)->has_card, true);
	assert_int_equal(bed_end(bed, 0)->card_state, OTA_SUB_STAGED);
	assert_int_equal(bed_end(bed, 0)->index, 1);
	assert_int_equal(bed_end(bed, 0)->kvn, 1);
	assert_int_equal(bed_end(bed, 0)->pairs_left, 1);
	assert_int_equal(bed_end(bed, 0)->campaign, c);
	assert_int_equal(bed->n_ends, 1);
	assert_int_equal(bed_txn(bed, 0)->evidence, 4);
	assert_int_equal(rec(0)->state, SIM_SUB_STAGED);
	/* nothing in force has changed, here neither */
	assert_string_equal(bed_card(bed, 0)->card.imsi, imsi);
	bed_expect_nothing(bed);
}

/* A → B and back: each work once, under the key version that the order says. */
static void test_whole_order(void **state)
{
	char imsi[16], new_imsi[16];
	struct sent s;

	memcpy(imsi, bed_card(bed, 0)->card.imsi, sizeof(imsi));
	snprintf(new_imsi, sizeof(new_imsi), BED_WORK_IMSI, 0);
	staged(0);
	plan(WORK_ARM, 0, 1, 2, 1);
	runs(OTA_SUB_ARM, &s);
	is(0, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_ARMED);
	assert_int_equal(bed_txn(bed, 0)->maybe_moved, 0);
	assert_string_equal(bed_card(bed, 0)->card.imsi, imsi); /* it is still reached there, until it has gone */
	sim_card_reset(&bed->card[0]);
	assert_int_equal(rec(0)->state, SIM_SUB_TRIAL);
	plan(WORK_CONFIRM, 0, 1, 2, 2);
	runs(OTA_SUB_CONFIRM, &s);
	assert_int_equal(s.p.kic >> 4, 2);
	is(0, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_CONFIRMED);
	assert_int_equal(bed_txn(bed, 0)->evidence, 6);
	assert_int_equal(rec(0)->state, SIM_SUB_CONFIRMED);
	assert_int_equal(rec(0)->index, 2);
}

static void test_unstage_and_status(void **state)
{
	struct sent s;

	staged(1);
	plan(WORK_STATUS, 1, 1, 2, 0);
	runs(OTA_SUB_STATUS, &s);
	is(1, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_STAGED);
	plan(WORK_UNSTAGE, 1, 1, 2, 0);
	runs(OTA_SUB_UNSTAGE, &s);
	is(1, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_UNKNOWN);
	assert_int_equal(rec(1)->state, SIM_SUB_IDLE);
}

static void test_rollback(void **state)
{
	struct sent s;

	plan(WORK_ADVANCE, 0, 1, 2, 0);
	runs(OTA_SUB_ADVANCE, &s);
	is(0, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_ARMED);
	sim_card_reset(&bed->card[0]);
	plan(WORK_ROLLBACK, 0, 1, 2, 2);
	runs(OTA_SUB_ROLLBACK, &s);
	is(0, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_RETURNING);
	sim_card_reset(&bed->card[0]);
	assert_int_equal(rec(0)->state, SIM_SUB_ROLLED_BACK);
	assert_int_equal(rec(0)->index, 1);
}

/* ---- answers that are lost, verdicts that are none ---- */

/* The work has run and its answer is lost: the repetition is refused by the counter, and STATUS tells. */
static void test_answer_lost(void **state)
{
	struct sent first, again, ask;

	plan(WORK_STAGE, 0, 1, 2, 0);
	runs_unheard(OTA_SUB_STAGE, &first);
	bed_pass(bed, 10 * 60000);
	runs(OTA_SUB_STAGE, &again);
	assert_int_equal(again.p.cntr, first.p.cntr);
	runs(OTA_SUB_STATUS, &ask);
	assert_true(ask.p.cntr > first.p.cntr);
	is(0, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_STAGED);
	bed_expect_nothing(bed);
}

/* It never got there: only STATUS leads to a fresh copy, and the old one can never run again. */
static void test_never_arrived(void **state)
{
	struct sent s, anew;
	struct uds u;
	uint64_t cntr;

	plan(WORK_STAGE, 0, 1, 2, 0);
	is_lost(OTA_SUB_STAGE, &s);
	cntr = s.p.cntr;
	for (unsigned i = 1; i < bed->cfg.retry.silent_max; i++) {
		bed_pass(bed, DAY_MS / 2);
		is_lost(OTA_SUB_STAGE, &s);
		assert_int_equal(s.p.cntr, cntr);
	}
	bed_pass(bed, DAY_MS / 2);
	runs(OTA_SUB_STATUS, &anew);
	runs(OTA_SUB_STAGE, &anew);
	assert_true(anew.p.cntr > cntr + 1);
	is(0, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_STAGED);
	assert_int_equal(bed_txn(bed, 0)->scripts, 2);
	reaches(&s, &u); /* and now the first one comes after all */
	assert_int_equal(rec(0)->state, SIM_SUB_STAGED);
}

static void test_too_late_and_taken_back(void **state)
{
	struct sent s;

	/* armed meanwhile: UNSTAGE is refused by its state, and the state is asked */
	staged(0);
	plan(WORK_ARM, 0, 1, 2, 0);
	runs(OTA_SUB_ARM, &s);
	plan(WORK_UNSTAGE, 0, 1, 2, 0);
	runs(OTA_SUB_UNSTAGE, &s);
	runs(OTA_SUB_STATUS, &s);
	is(0, TXN_FAILED, WORK_TOO_LATE, OTA_SUB_END_ARMED);
	/* never staged */
	plan(WORK_ARM, 1, 1, 2, 0);
	runs(OTA_SUB_ARM, &s);
	runs(OTA_SUB_STATUS, &s);
	is(1, TXN_FAILED, WORK_TAKEN_BACK, OTA_SUB_END_UNKNOWN);
	assert_int_equal(bed_txn(bed, 1)->maybe_moved, 0);
	/* another index is active: no need to ask */
	plan(WORK_STAGE, 2, 7, 8, 0);
	runs(OTA_SUB_STAGE, &s);
	assert_int_equal(bed_txn(bed, 2)->state, TXN_QUARANTINED);
	assert_int_equal(bed_txn(bed, 2)->verdict, WORK_CONFLICT + 1);
	bed_expect_nothing(bed);
}

/* What has gone wrong before a packet was made has no verdict, and says so. */
static void test_no_such_key_version(void **state)
{
	uint64_t c = bed_works(bed, WORK_STAGE);
	struct store_txn_plan p = { .kvn = 1, .txn = { .campaign = c, .kvn = 9 } };
	struct store_batch *batch = store_batch_new();
	uint8_t packed[WORK_PACKED_MAX];
	struct work w;
	int n;

	bed_work(&w, WORK_STAGE, ORDER, 0, 1, 2);
	n = work_pack(&w, packed, sizeof(packed));
	memcpy(p.iccid, bed->card[0].iccid, SIM_ICCID_LEN);
	store_batch_add(batch, ST_TXN_PLAN, &p, packed, (size_t)n);
	assert_int_equal(store_commit_wait(bed->store, batch), STORE_OK);
	store_batch_free(batch);
	assert_int_equal(gw_campaign_grew(bed->gw, c, 1), 0);
	bed_expect_txn(bed, 0, TXN_FAILED, "the card has no keyset of the order's key version");
	assert_int_equal(bed_end(bed, 0)->verdict, 0);
	assert_int_equal(bed_end(bed, 0)->state, TXN_FAILED);
}

/* ---- ARM: nothing fresh while the card may have moved ---- */

/* Without an answer nothing leaves any more, however long, whatever is ordered; until it is settled. */
static void test_arm_unknown(void **state)
{
	struct sent s;
	uint64_t c;

	staged(0);
	c = plan(WORK_ARM, 0, 1, 2, 0);
	runs_unheard(OTA_SUB_ARM, &s);
	sim_card_reset(&bed->card[0]); /* it has gone */
	bed_pass(bed, DAY_MS);
	bed_expect_nothing(bed);
	stays_open(0);
	heard_new(0); /* at the new operator: that is no reason to ask */
	bed_pass(bed, DAY_MS);
	bed_expect_nothing(bed);
	bed_pass(bed, 40 * DAY_MS); /* its deadline passes */
	bed_expect_nothing(bed);
	stays_open(0);
	heard_old(0); /* and now it is too late to try */
	bed_pass(bed, DAY_MS);
	bed_expect_nothing(bed);
	stays_open(0);
	bed_restart(bed);
	bed_pass(bed, DAY_MS);
	bed_expect_nothing(bed);
	stays_open(0);
	bed_verb(bed, c, CAMPAIGN_VERB_CANCEL);
	bed_pass(bed, DAY_MS);
	bed_expect_nothing(bed);
	stays_open(0);
	assert_int_equal(bed->n_ends, 0);

	/* of another number, or of a card that has none: told, and nothing happens */
	assert_int_equal(gw_txn_settle(bed->gw, 4711, bed->id[0], TXN_DONE, "x"), 0);
	assert_int_equal(gw_txn_settle(bed->gw, bed_txn(bed, 0)->id, 4711, TXN_DONE, "x"), 0);
	assert_int_equal(gw_txn_settle(bed->gw, bed_txn(bed, 0)->id, bed->id[0], TXN_ACTIVE, "x"), -EINVAL);
	bed_turn(bed);
	assert_int_equal(bed->n_ends, 2);
	assert_int_equal(bed->end_rc[0], -ENOENT);
	assert_int_equal(bed->end_rc[1], -ENOENT);
	stays_open(0);
	assert_int_equal(gw_txn_settle(bed->gw, bed_txn(bed, 0)->id, bed->id[0], TXN_DONE,
				       "served at the new operator"),
			 0);
	bed_expect_txn(bed, 0, TXN_DONE, "served at the new operator");
	assert_int_equal(bed_txn(bed, 0)->maybe_moved, 0);
	assert_int_equal(bed_end(bed, 0)->state, TXN_DONE);
	assert_int_equal(bed->end_rc[2], 0);
	bed_turn(bed);
	assert_int_equal(bed_view(bed, c).row.state, CAMPAIGN_CANCELLED);
	assert_true(bed_view(bed, c).row.ended_ms > 0);
}

/* A question to a card that may have moved: the same octets when it was heard again, and nothing by a timer; without an answer it ends. */
static void test_moved_asked(void **state)
{
	const uint64_t c = bed_works(bed, WORK_STATUS);
	struct sent first, s;
	struct work w;

	staged(0);
	bed_work(&w, WORK_STATUS, ORDER, 0, 1, 2);
	w.flags = WORK_F_MOVED;
	bed_plan(bed, c, 0, &w, 0);
	is_lost(OTA_SUB_STATUS, &first);
	bed_pass(bed, DAY_MS);
	bed_expect_nothing(bed);
	heard_new(0);
	bed_pass(bed, DAY_MS);
	bed_expect_nothing(bed);
	heard_old(0);
	bed_pass(bed, 60000);
	is_lost(OTA_SUB_STATUS, &s);
	assert_int_equal(s.p.cntr, first.p.cntr);
	bed_pass(bed, DAY_MS);
	bed_expect_nothing(bed);
	bed_pass(bed, 40 * DAY_MS); /* its deadline passes */
	bed_expect_nothing(bed);
	assert_int_equal(bed_txn(bed, 0)->state, TXN_EXPIRED);
	assert_int_equal(bed_end(bed, 0)->verdict, 0);
}

/* Heard again on the old side: the same octets, and then, since the card has met them, STATUS. */
static void test_arm_heard_again(void **state)
{
	struct sent first, s;

	staged(0);
	plan(WORK_ARM, 0, 1, 2, 0);
	runs_unheard(OTA_SUB_ARM, &first);
	bed_pass(bed, DAY_MS);
	bed_expect_nothing(bed);
	heard_old(0);
	bed_pass(bed, 60000);
	runs(OTA_SUB_ARM, &s);
	assert_int_equal(s.p.cntr, first.p.cntr);
	runs(OTA_SUB_STATUS, &s); /* the answer came from its old number: heard */
	is(0, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_ARMED);
}

/* A person who says that the phone is there is heard as well. */
static void test_arm_called_present(void **state)
{
	struct gw_event ev = { .kind = GW_EV_LINK, .own = true, .ev = { .kind = LINK_EV_ALERT, .from = { .npi = 6 } } };
	struct sent first, s;

	staged(0);
	plan(WORK_ARM, 0, 1, 2, 0);
	is_lost(OTA_SUB_ARM, &first);
	bed_pass(bed, DAY_MS);
	bed_expect_nothing(bed);
	memcpy(ev.ev.from.digits, bed->card[0].imsi_first, SIM_IMSI_LEN);
	assert_int_equal(gw_post(bed->gw, &ev), 0);
	bed_pass(bed, 60000);
	runs(OTA_SUB_ARM, &s);
	assert_int_equal(s.p.cntr, first.p.cntr);
	is(0, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_ARMED);
}

/* The register tells that it was here at some time since then: that counts when the attempt was before. */
static void test_arm_seen_since(void **state)
{
	const int64_t before_ms = bed->now_ms;
	struct sent first, s;

	staged(0);
	plan(WORK_ARM, 0, 1, 2, 0);
	is_lost(OTA_SUB_ARM, &first);
	bed_pass(bed, DAY_MS);
	assert_int_equal(gw_card_seen(bed->gw, bed->card[0].imsi_first, before_ms), 0);
	bed_pass(bed, DAY_MS);
	bed_expect_nothing(bed);
	assert_int_equal(gw_card_seen(bed->gw, bed->card[0].imsi_first, bed->now_ms - 60000), 0);
	bed_pass(bed, 60000);
	runs(OTA_SUB_ARM, &s);
	assert_int_equal(s.p.cntr, first.p.cntr);
	is(0, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_ARMED);
}

/* An MSISDN that goes with the card says nothing of where it is; and no receipt does. */
static void test_arm_keeps_msisdn(void **state)
{
	struct link_event ev = { .kind = LINK_EV_REPORT, .delivered = true, .from = { .ton = 1, .npi = 1 } };
	struct sent first, s;
	struct work w;
	int64_t seen_ms;

	staged(0);
	bed_work(&w, WORK_ARM, ORDER, 0, 1, 2);
	w.keeps_msisdn = true;
	bed_plan(bed, bed_works(bed, WORK_ARM), 0, &w, 0);
	is_lost(OTA_SUB_ARM, &first);
	bed_pass(bed, DAY_MS);
	seen_ms = bed_card(bed, 0)->card.last_seen_ms;
	heard_old(0);
	snprintf(ev.from.digits, sizeof(ev.from.digits), "%s", bed->card[0].msisdn);
	ev.token = ++bed->next_token;
	assert_int_equal(gw_post(bed->gw, &(struct gw_event){ .kind = GW_EV_LINK, .ev = ev }), 0);
	bed_pass(bed, DAY_MS);
	bed_expect_nothing(bed);
	assert_int_equal(bed_card(bed, 0)->card.last_seen_ms, seen_ms);
	assert_int_equal(gw_card_seen(bed->gw, bed->card[0].imsi_first, 0), 0);
	bed_pass(bed, 60000);
	runs(OTA_SUB_ARM, &s);
	assert_int_equal(s.p.cntr, first.p.cntr);
	assert_true(bed_card(bed, 0)->card.last_seen_ms > seen_ms);
}

/* Silence does not make it ask: each attempt needs a hearing of its own. */
static void test_arm_silent(void **state)
{
	struct sent first, s;

	staged(0);
	plan(WORK_ARM, 0, 1, 2, 0);
	is_lost(OTA_SUB_ARM, &first);
	bed_pass(bed, DAY_MS);
	heard_old(0);
	bed_pass(bed, 60000);
	is_lost(OTA_SUB_ARM, &s);
	assert_int_equal(s.p.cntr, first.p.cntr);
	bed_pass(bed, DAY_MS);
	bed_expect_nothing(bed);
	stays_open(0);
	heard_old(0);
	bed_pass(bed, DAY_MS);
	is_lost(OTA_SUB_STATUS, &s);
	assert_true(s.p.cntr > first.p.cntr);
	bed_pass(bed, DAY_MS);
	bed_expect_nothing(bed);
	stays_open(0);
	bed_restart(bed); /* and what was heard before a restart is forgotten */
	bed_pass(bed, DAY_MS);
	bed_expect_nothing(bed);
	heard_old(0);
	bed_pass(bed, DAY_MS);
	runs(OTA_SUB_STATUS, &s); /* it was never armed: now a fresh copy may go */
	runs(OTA_SUB_ARM, &s);
	is(0, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_ARMED);
	assert_int_equal(bed_txn(bed, 0)->scripts, 2);
	assert_int_equal(rec(0)->state, SIM_SUB_ARMED);
}

/* What a restart finds as prepared may have left. */
static void test_arm_restart(void **state)
{
	struct sent s;

	staged(0);
	plan(WORK_ARM, 0, 1, 2, 0);
	leaves(&s, OTA_SUB_ARM);
	bed_restart(bed);
	bed_pass(bed, DAY_MS);
	bed_expect_nothing(bed);
	stays_open(0);
	heard_old(0);
	bed_pass(bed, DAY_MS);
	runs(OTA_SUB_ARM, &s);
	is(0, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_ARMED);
}

/* What no SMSC has taken has not reached the card: the usual rules, and the usual end. */
static void test_arm_refused_by_the_network(void **state)
{
	struct sent s;

	staged(0);
	plan(WORK_ARM, 0, 1, 2, 0);
	for (unsigned i = 0; i < 3; i++) {
		leaves(&s, OTA_SUB_ARM);
		assert_int_equal(bed_txn(bed, 0)->maybe_moved, 1); /* durable before it left */
		bed_outcome(bed, &s, 0, LINK_EV_REJECTED, i ? FAIL_ABSENT : FAIL_CONGEST);
		assert_int_equal(bed_txn(bed, 0)->maybe_moved, 0);
		bed_pass(bed, DAY_MS / 2);
	}
	runs(OTA_SUB_ARM, &s);
	is(0, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_ARMED);
}

static void test_arm_cancelled_in_time(void **state)
{
	struct sent s;

	staged(0);
	plan(WORK_ARM, 0, 1, 2, 0);
	leaves(&s, OTA_SUB_ARM);
	bed_outcome(bed, &s, 0, LINK_EV_REJECTED, FAIL_ABSENT);
	bed_verb(bed, bed->n_campaigns, CAMPAIGN_VERB_CANCEL);
	bed_expect_nothing(bed);
	assert_int_equal(bed_txn(bed, 0)->state, TXN_CANCELLED);
	assert_int_equal(bed_end(bed, 0)->state, TXN_CANCELLED);
	assert_int_equal(bed_end(bed, 0)->maybe_moved, 0);
}

/* The answer to ARM may come from the other side, and long after; so may that of a card that has come back. */
static void test_arm_answer_from_there(void **state)
{
	struct sent s;
	struct uds u;

	staged(0);
	plan(WORK_ARM, 0, 1, 2, 0);
	leaves(&s, OTA_SUB_ARM);
	bed_accepted(bed, &s);
	reaches(&s, &u);
	sim_card_reset(&bed->card[0]);
	bed_pass(bed, 3 * DAY_MS);
	stays_open(0);
	answers_from_there(0, &u);
	is(0, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_ARMED);
}

/* Settled wrongly, a proof still counts; and what has a verdict of the card's keeps it. */
static void test_late_answers(void **state)
{
	struct sent s;
	struct uds u;

	staged(0);
	plan(WORK_ARM, 0, 1, 2, 0);
	leaves(&s, OTA_SUB_ARM);
	bed_accepted(bed, &s);
	reaches(&s, &u);
	assert_int_equal(gw_txn_settle(bed->gw, bed_txn(bed, 0)->id, bed->id[0], TXN_EXPIRED, "order cancelled"), 0);
	bed_expect_txn(bed, 0, TXN_EXPIRED, "order cancelled");
	answers(0, &u);
	is(0, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_ARMED);
	assert_int_equal(bed->n_ends, 2);
}

static void test_went_back(void **state)
{
	struct sent s;
	struct uds armed;

	staged(0);
	plan(WORK_ARM, 0, 1, 2, 0);
	leaves(&s, OTA_SUB_ARM);
	bed_accepted(bed, &s);
	reaches(&s, &armed);
	sim_card_reset(&bed->card[0]);
	for (unsigned i = 0; i < 25; i++)
		sim_card_powered(&bed->card[0], HOUR_MS);
	sim_card_reset(&bed->card[0]);
	assert_int_equal(rec(0)->state, SIM_SUB_ROLLED_BACK);
	bed_pass(bed, DAY_MS);
	heard_old(0);
	bed_pass(bed, DAY_MS);
	runs(OTA_SUB_ARM, &s);
	runs(OTA_SUB_STATUS, &s);
	is(0, TXN_FAILED, WORK_WENT_BACK, OTA_SUB_END_TIMEOUT);
	answers_from_there(0, &armed); /* the past */
	is(0, TXN_FAILED, WORK_WENT_BACK, OTA_SUB_END_TIMEOUT);
	assert_int_equal(bed->n_ends, 1);
}

/* A store that was put back does not know what it sent: what it calls planned may have moved the card. */
static void test_restored(void **state)
{
	struct sent s;

	staged(0);
	plan(WORK_ARM, 0, 1, 2, 0);
	bed_restart(bed);
	/* as it was before anything left, and a day later */
	bed->cfg.epoch = (uint32_t)(bed->now_ms / 1000) + 86400;
	bed_restart(bed);
	bed_pass(bed, DAY_MS);
	bed_expect_nothing(bed);
	stays_open(0);
	heard_old(0);
	bed_pass(bed, DAY_MS);
	runs(OTA_SUB_STATUS, &s);
	runs(OTA_SUB_ARM, &s);
	is(0, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_ARMED);
}

/* ---- campaigns that grow ---- */

static void test_open_ended(void **state)
{
	uint64_t c = bed_works(bed, WORK_STAGE);
	struct work w;
	struct sent s;

	bed_pass(bed, 60000);
	assert_int_equal(bed_view(bed, c).row.state, CAMPAIGN_RUNNING);
	for (unsigned i = 0; i < 3; i++) {
		bed_work(&w, WORK_STAGE, ORDER + i, i, 1, 2);
		bed_plan(bed, c, i, &w, 0);
		runs(OTA_SUB_STAGE, &s);
		assert_int_equal(s.card, i);
		is(i, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_STAGED);
		assert_int_equal(bed_count(bed, c, TXN_DONE), i + 1);
		assert_int_equal(bed_view(bed, c).row.state, CAMPAIGN_RUNNING);
		if (i == 1)
			bed_restart(bed);
		assert_int_equal(bed_view(bed, c).row.targets, i + 1);
	}
	bed_work(&w, WORK_STAGE, ORDER, 3, 1, 2);
	bed_plan(bed, c, 3, &w, 0);
	bed_verb(bed, c, CAMPAIGN_VERB_CLOSE);
	assert_int_equal(gw_campaign_grew(bed->gw, 99, 1), -ENOENT);
	assert_int_equal(bed_view(bed, c).row.state, CAMPAIGN_RUNNING);
	runs(OTA_SUB_STAGE, &s);
	bed_turn(bed);
	assert_int_equal(bed_view(bed, c).row.state, CAMPAIGN_DONE);
	assert_int_equal(bed_view(bed, c).row.targets, 4);
	/* planned while it was being closed: it is open again, until that is through as well */
	bed_work(&w, WORK_STAGE, ORDER + 9, 3, 1, 2);
	bed_plan(bed, c, 3, &w, 0);
	assert_int_equal(bed_view(bed, c).row.state, CAMPAIGN_RUNNING);
	runs(OTA_SUB_STAGE, &s);
	bed_turn(bed);
	assert_int_equal(bed_view(bed, c).row.state, CAMPAIGN_DONE);
	assert_int_equal(bed_count(bed, c, TXN_DONE), 5);
}

/* What is planned into a campaign that was cancelled meanwhile ends as cancelled, and the card is free again. */
static void test_planned_into_a_cancelled_one(void **state)
{
	uint64_t c = bed_works(bed, WORK_STAGE);
	struct work w;
	struct sent s;

	bed_verb(bed, c, CAMPAIGN_VERB_CANCEL);
	bed_turn(bed);
	assert_true(bed_view(bed, c).row.ended_ms > 0);
	bed_work(&w, WORK_STAGE, ORDER, 0, 1, 2);
	bed_plan(bed, c, 0, &w, 0);
	bed_expect_nothing(bed);
	assert_int_equal(bed_txn(bed, 0)->state, TXN_CANCELLED);
	assert_int_equal(bed_end(bed, 0)->state, TXN_CANCELLED);
	assert_true(bed_view(bed, c).row.ended_ms > 0);
	plan(WORK_STAGE, 0, 1, 2, 0);
	runs(OTA_SUB_STAGE, &s);
	is(0, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_STAGED);
}

static void test_profiles(void **state)
{
	static const char rfm[] = "card-profile x\n tar b00011\n spi 16 39\n kvn 1\n refresh card\n script\n"
				  "  update 6f07 imsi\n  read 6f07 9\n";
	static const char sub[] = "card-profile x\n application subscription\n tar bfff3b\n spi 16 39\n kvn 1\n";
	struct campaign_row row = { .id = 77, .state = CAMPAIGN_READY, .name = "x" };
	char err[160];

	assert_int_equal(gw_campaign_adopt(bed->gw, &row, sub, sizeof(sub) - 1, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "it changes no files"));
	row.kind = WORK_ARM;
	assert_int_equal(gw_campaign_adopt(bed->gw, &row, rfm, sizeof(rfm) - 1, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "'application subscription'"));
	row.kind = WORK_WRITE;
	assert_int_equal(gw_campaign_adopt(bed->gw, &row, sub, sizeof(sub) - 1, err, sizeof(err)), -EINVAL);
	assert_int_equal(gw_campaign_adopt(bed->gw, &row, rfm, sizeof(rfm) - 1, err, sizeof(err)), 0);
}

/* ---- H7: one move per order, whatever is sent ---- */

#define MANY 100

/* Times the card's active index has changed, seen with each reset. */
static unsigned moves(unsigned card, unsigned resets)
{
	uint16_t index = rec(card)->index;
	unsigned n = 0;

	while (resets--) {
		sim_card_reset(&bed->card[card]);
		n += rec(card)->index != index;
		index = rec(card)->index;
	}
	return n;
}

/* One more transaction of the same order: what it is told, whichever way. */
static void once_more(unsigned card, uint64_t c, uint8_t kvn)
{
	struct sim_card_out out;
	struct sent s;
	struct uds u;
	struct work w;

	bed_work(&w, WORK_ADVANCE, ORDER, card, 1, 2);
	bed_plan(bed, c, card, &w, kvn);
	for (unsigned i = 0; i < 8 && bed_txn(bed, card)->state == TXN_ACTIVE; i++) {
		if (!bed_leaves(bed, 0, &s))
			break;
		bed_accepted(bed, &s);
		bed_card_takes(bed, &s, &out);
		bed_uds(&out, &u);
		answers(card, &u);
	}
}

static void test_one_move_per_order(void **state)
{
	struct sent s;
	struct uds u;
	unsigned moved = 0, done = 0;
	uint64_t c = plan(WORK_ADVANCE, 0, 1, 2, 0);

	leaves(&s, OTA_SUB_ADVANCE);
	bed_accepted(bed, &s);
	for (unsigned i = 0; i < MANY; i++) { /* the network's copies */
		reaches(&s, &u);
		if (!i)
			answers(0, &u);
	}
	is(0, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_ARMED);
	for (unsigned i = 0; i < MANY; i++) { /* fresh counters, still under the first pair, with resets between */
		once_more(0, c, 1);
		done += bed_txn(bed, 0)->state == TXN_DONE;
		moved += moves(0, 1);
		reaches(&s, &u);
	}
	assert_int_equal(moved, 1);
	assert_int_equal(done, MANY); /* in trial the first pair is still told how things stand */
	assert_int_equal(rec(0)->index, 2);
	plan(WORK_ROLLBACK, 0, 1, 2, 2);
	runs(OTA_SUB_ROLLBACK, &s);
	is(0, TXN_DONE, WORK_IS_DONE, OTA_SUB_END_RETURNING);
	moved = moves(0, 2);
	assert_int_equal(moved, 1); /* home */
	for (unsigned i = 0; i < MANY; i++) {
		bed->n_ends = 0;
		once_more(0, c, 1);
		assert_int_equal(bed_txn(bed, 0)->state, TXN_FAILED);
		assert_int_equal(bed_txn(bed, 0)->verdict, WORK_WENT_BACK + 1);
		moved += moves(0, 1);
	}
	assert_int_equal(moved, 1);
	assert_int_equal(rec(0)->index, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_stage),
		T(test_whole_order),
		T(test_unstage_and_status),
		T(test_rollback),
		T(test_answer_lost),
		T(test_never_arrived),
		T(test_too_late_and_taken_back),
		T(test_no_such_key_version),
		T(test_arm_unknown),
		T(test_moved_asked),
		T(test_arm_heard_again),
		T(test_arm_called_present),
		T(test_arm_seen_since),
		T(test_arm_keeps_msisdn),
		T(test_arm_silent),
		T(test_arm_restart),
		T(test_arm_refused_by_the_network),
		T(test_arm_cancelled_in_time),
		T(test_arm_answer_from_there),
		T(test_late_answers),
		T(test_went_back),
		T(test_restored),
		T(test_open_ended),
		T(test_planned_into_a_cancelled_one),
		T(test_profiles),
		T(test_one_move_per_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
