/* test_card_order.c - what an operator orders of one card: probe, resync, quarantine, release.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>

#include "core_bed.h"

#define SECOND 1000LL
#define HOUR   (3600 * SECOND)
#define JUMP   4096 /* CNTR_JUMP_MAX */
#define ORDER  0x1234567890abcdefULL

static struct bed *b;

static int setup(void **state)
{
	b = calloc(1, sizeof(*b));
	assert_non_null(b);
	bed_open(b, 3, 1);
	return 0;
}

static int setup_sub(void **state)
{
	b = calloc(1, sizeof(*b));
	assert_non_null(b);
	bed_open_sub(b, 2);
	return 0;
}

static int teardown(void **state)
{
	bed_close(b);
	free(b);
	return 0;
}

static void said(const char *begin)
{
	if (strncmp(b->said, begin, strlen(begin)))
		fail_msg("it says \"%s\" (%d) and not \"%s\"", b->said, b->said_rc, begin);
}

static void ordered(enum gw_card_verb verb, const char *begin)
{
	bed_card_order(b, 0, verb);
	said(begin);
	assert_int_equal(b->said_rc, 0);
}

static void refused(enum gw_card_verb verb, const char *begin)
{
	bed_card_order(b, 0, verb);
	said(begin);
	assert_int_equal(b->said_rc, -EACCES);
}

/* The card has the packet and answers it. */
static void answered(const struct sent *s)
{
	struct sim_card_out out;
	struct uds u;

	bed_card_takes(b, s, &out);
	bed_uds(&out, &u);
	bed_mo_all(b, 0, 0, &u);
}

/* ---- probe ---- */

/* A card that has not answered is asked at once; what it was sent before never goes again, and counts when its answer comes. */
static void probe_asks_at_once(void **state)
{
	struct sent s, q;

	bed_campaign(b, 1, 1, "compact");
	bed_expect_script(b, 0, &s);
	bed_accepted(b, &s);
	bed_expect_nothing(b);
	ordered(CARD_VERB_PROBE, "asked what it holds, counter 102; the command of counter 101");
	bed_expect_readback(b, 0, &q);
	assert_int_equal(q.p.cntr, s.p.cntr + 1);
	bed_accepted(b, &q);
	/* once more: it is asked already, and no further counter is spent */
	ordered(CARD_VERB_PROBE, "is asked already, under counter 102; its answer is waited for");
	bed_expect_nothing(b);
	answered(&q); /* the old IMSI: the work goes out anew */
	bed_expect_script(b, 0, &s);
	bed_accepted(b, &s);
	answered(&s);
	bed_expect_txn(b, 0, TXN_DONE, "script ran");
	assert_int_equal(bed_story(b, 0, STORY_NOTE, "ordered by test: probe: asked what it holds"), 1);
}

static void late_proof_beside_a_probe(void **state)
{
	struct sim_card_out out;
	struct sent s, q;
	struct uds u;

	bed_campaign(b, 1, 1, "compact");
	bed_expect_script(b, 0, &s);
	bed_accepted(b, &s);
	bed_card_takes(b, &s, &out);
	bed_uds(&out, &u);
	ordered(CARD_VERB_PROBE, "asked");
	bed_expect_readback(b, 0, &q);
	bed_accepted(b, &q);
	bed_mo_all(b, 0, 0, &u);
	bed_expect_txn(b, 0, TXN_DONE, "script ran");
	bed_expect_nothing(b);
}

/* A question that waits for its phone goes again, with the same octets. */
static void probe_brings_a_question_forward(void **state)
{
	struct sent s, q, again;

	bed_campaign(b, 1, 1, "compact");
	bed_expect_script(b, 0, &s);
	bed_accepted(b, &s);
	ordered(CARD_VERB_PROBE, "asked");
	bed_expect_readback(b, 0, &q);
	bed_outcome(b, &q, 0, LINK_EV_REJECTED, FAIL_ABSENT);
	bed_turn(b);
	bed_pass(b, 31 * SECOND); /* maybe once by itself */
	while (bed_leaves(b, 0, &again))
		bed_outcome(b, &again, 0, LINK_EV_REJECTED, FAIL_ABSENT);
	bed_pass(b, 40 * SECOND);
	while (bed_leaves(b, 0, &again)) {
		bed_outcome(b, &again, 0, LINK_EV_REJECTED, FAIL_ABSENT);
		bed_pass(b, 40 * SECOND);
	}
	ordered(CARD_VERB_PROBE, "is asked already, under counter 102: the same octets go again");
	bed_pass(b, 30 * SECOND);
	bed_expect_readback(b, 0, &again);
	assert_int_equal(again.p.cntr, q.p.cntr);
}

static void probe_refused(void **state)
{
	uint64_t c = bed_campaign(b, 1, 1, "compact");
	struct sent s;

	/* what no link has had yet asks by itself */
	ordered(CARD_VERB_PROBE, "its command has not left yet");
	bed_expect_script(b, 0, &s);
	assert_int_equal(s.p.cntr, BED_CNTR + 1);
	bed_accepted(b, &s);
	bed_verb(b, c, CAMPAIGN_VERB_PAUSE);
	refused(CARD_VERB_PROBE, "campaign swap1 is PAUSED");
	bed_verb(b, c, CAMPAIGN_VERB_START);
	bed_verb(b, c, CAMPAIGN_VERB_CANCEL);
	refused(CARD_VERB_PROBE, "campaign swap1 is CANCELLED");
	bed_expect_nothing(b);
	bed_card_order(b, 1, CARD_VERB_PROBE);
	assert_int_equal(b->said_rc, -ENODATA);
	b->id[2] = 4711;
	bed_card_order(b, 2, CARD_VERB_PROBE);
	assert_int_equal(b->said_rc, -ENOENT);
}

/* The last script that there may be is not fenced by an impatient person. */
static void probe_leaves_the_last_script(void **state)
{
	struct sent s;

	b->cfg.retry.scripts_max = 1;
	bed_restart(b);
	bed_campaign(b, 1, 1, "compact");
	bed_expect_script(b, 0, &s);
	bed_accepted(b, &s);
	refused(CARD_VERB_PROBE, "its last script is out");
	refused(CARD_VERB_RESYNC, "its last script is out");
	bed_expect_nothing(b);
	answered(&s);
	bed_expect_txn(b, 0, TXN_DONE, "script ran");
}

static void exact_counters_are_not_skipped(void **state)
{
	struct sent s;

	bed_campaign_with(b, 1, 1, " spi 1e 39\n counter exact\n", false, true);
	bed_expect_script(b, 0, &s);
	bed_accepted(b, &s);
	refused(CARD_VERB_PROBE, "counter mode 11");
	refused(CARD_VERB_RESYNC, "counter mode 11");
	answered(&s);
	bed_expect_txn(b, 0, TXN_DONE, "script ran");
	refused(CARD_VERB_RESYNC, "counter mode 11");
}

/* ---- resync ---- */

static void resync_jumps_and_is_bounded(void **state)
{
	uint8_t pkt[OTA_PACKET_MAX];
	struct sent s, q;
	struct uds u;
	uint64_t last;
	size_t len;

	b->cfg.retry.probes_max = 20;
	bed_restart(b);
	bed_campaign(b, 1, 1, "compact");
	bed_expect_script(b, 0, &s);
	bed_accepted(b, &s);
	ordered(CARD_VERB_RESYNC, "asked what it holds, counter 4198; the command of counter 101");
	bed_expect_readback(b, 0, &q);
	assert_int_equal(q.p.cntr, s.p.cntr + 1 + JUMP);
	bed_accepted(b, &q);
	ordered(CARD_VERB_RESYNC, "is asked already, under counter 4198");
	last = q.p.cntr;
	for (unsigned i = 1; i < CNTR_JUMPS_MAX; i++) { /* the card, or somebody, says that it was not enough */
		len = bed_clear(&q, OTA_POR_CNTR_LOW, q.p.cntr, pkt);
		bed_cut(&u, pkt, len, 1, false, 0);
		bed_mo_all(b, 0, 0, &u);
		ordered(CARD_VERB_RESYNC, "asked what it holds");
		bed_expect_readback(b, 0, &q);
		assert_int_equal(q.p.cntr, last + 1 + JUMP);
		bed_accepted(b, &q);
		last = q.p.cntr;
	}
	len = bed_clear(&q, OTA_POR_CNTR_LOW, q.p.cntr, pkt);
	bed_cut(&u, pkt, len, 1, false, 0);
	bed_mo_all(b, 0, 0, &u);
	refused(CARD_VERB_RESYNC, "4 jumps of 4096 without a word under its keys");
	bed_expect_nothing(b);
	/* its own word makes it possible again */
	answered(&q);
	bed_expect_script(b, 0, &s);
	bed_accepted(b, &s);
	ordered(CARD_VERB_RESYNC, "asked what it holds");
}

static void resync_of_a_card_at_rest(void **state)
{
	struct sent s;

	bed_card_order(b, 0, CARD_VERB_RESYNC);
	assert_int_equal(b->said_rc, -ENODATA);
	said("the counter of key version 1 jumps to 4196");
	assert_int_equal(bed_card(b, 0)->keyset[0].cntr, BED_CNTR + JUMP);
	bed_restart(b);
	assert_int_equal(bed_card(b, 0)->keyset[0].cntr, BED_CNTR + JUMP);
	bed_campaign(b, 1, 1, "compact");
	bed_expect_script(b, 0, &s);
	assert_int_equal(s.p.cntr, BED_CNTR + JUMP + 1);
	bed_accepted(b, &s);
	answered(&s);
	bed_card_order(b, 0, CARD_VERB_RESYNC);
	bed_card_order(b, 0, CARD_VERB_RESYNC); /* nothing has been sent since */
	said("has jumped already");
	assert_int_equal(bed_card(b, 0)->keyset[0].cntr, BED_CNTR + 2 * JUMP + 1);
}

/* Its keys stand under one version alone, and its profile speaks of the other one. */
static void resync_under_the_other_version(void **state)
{
	b->ask_kvn = 2;
	bed_card_order(b, 0, CARD_VERB_RESYNC);
	said("the counter of key version 1 jumps to 4196");
}

/* ---- quarantine ---- */

static void nothing_leaves_until_release(void **state)
{
	struct sent s;

	bed_campaign(b, 2, 1, "compact");
	ordered(CARD_VERB_QUARANTINE, "no command goes to it; its transaction stays open");
	bed_expect_script(b, 0, &s); /* the other one */
	assert_int_equal(s.card, 1);
	bed_accepted(b, &s);
	bed_expect_nothing(b);
	ordered(CARD_VERB_QUARANTINE, "in quarantine already");
	refused(CARD_VERB_PROBE, "it is in quarantine");
	refused(CARD_VERB_RESYNC, "it is in quarantine");
	answered(&s); /* somebody else's message */
	bed_restart(b);
	bed_pass(b, 30 * HOUR);
	while (bed_leaves(b, 0, &s)) {
		assert_int_equal(s.card, 1);
		bed_accepted(b, &s);
	}
	ordered(CARD_VERB_RELEASE, "commands go to it again, first the one that has waited");
	bed_expect_script(b, 0, &s);
	assert_int_equal(s.card, 0);
	assert_int_equal(s.p.cntr, BED_CNTR + 1);
	bed_accepted(b, &s);
	answered(&s);
	bed_expect_txn(b, 0, TXN_DONE, "script ran");
	ordered(CARD_VERB_RELEASE, "is not in quarantine");
	assert_int_equal(bed_story(b, 0, STORY_NOTE, "ordered by test: quarantine"), 1);
	assert_int_equal(bed_story(b, 0, STORY_NOTE, "ordered by test: release"), 1);
}

/* What it says is taken in, and what follows from it waits. */
static void answers_count_in_quarantine(void **state)
{
	uint8_t pkt[OTA_PACKET_MAX];
	struct sent s, q;
	struct uds u;
	size_t len;

	bed_campaign(b, 1, 1, "compact");
	bed_expect_script(b, 0, &s);
	bed_accepted(b, &s);
	ordered(CARD_VERB_PROBE, "asked");
	bed_expect_readback(b, 0, &q);
	bed_accepted(b, &q);
	ordered(CARD_VERB_QUARANTINE, "no command goes to it");
	answered(&q); /* the old IMSI: a script would follow */
	bed_expect_nothing(b);
	bed_pass(b, HOUR);
	bed_restart(b);
	bed_expect_nothing(b);
	ordered(CARD_VERB_RELEASE, "commands go to it again");
	bed_expect_script(b, 0, &s);
	bed_accepted(b, &s);
	ordered(CARD_VERB_QUARANTINE, "no command goes to it");
	len = bed_clear(&s, OTA_POR_CNTR_LOW, s.p.cntr, pkt);
	bed_cut(&u, pkt, len, 1, false, 0);
	bed_mo_all(b, 0, 0, &u);
	bed_pass(b, HOUR);
	bed_expect_nothing(b);
	answered(&s);
	bed_expect_txn(b, 0, TXN_DONE, "script ran");
}

/* A card that is planned while it is in quarantine is claimed, and its command waits; a cancel ends that. */
static void claimed_in_quarantine(void **state)
{
	uint64_t c;

	ordered(CARD_VERB_QUARANTINE, "no command goes to it");
	c = bed_campaign(b, 1, 1, "compact");
	bed_expect_nothing(b);
	bed_expect_txn(b, 0, TXN_ACTIVE, "");
	bed_pass(b, HOUR);
	bed_expect_nothing(b);
	bed_verb(b, c, CAMPAIGN_VERB_CANCEL);
	bed_turn(b);
	bed_expect_txn(b, 0, TXN_CANCELLED, "campaign cancelled, never sent");
	ordered(CARD_VERB_RELEASE, "commands go to it again");
	bed_expect_nothing(b);
}

/* The first of two short messages is out: the second one stays here, and the release begins anew. */
static void stops_half_way(void **state)
{
	struct gw_event ev = { .kind = GW_EV_LINK, .ev = { .kind = LINK_EV_ACCEPTED } };
	uint8_t ud[LINK_UD_MAX];
	struct link_submit sub;
	struct sent s;

	b->long_script = true;
	bed_campaign(b, 1, 1, "compact");
	assert_true(gw_submit_next(b->gw, 0, OTA_SEGMENTS_MAX, b->now_ms, &sub, ud));
	assert_true(sub.more);
	ev.ev.token = sub.token;
	const struct gw_card_ask ask = { .card = b->id[0], .verb = CARD_VERB_QUARANTINE };
	assert_int_equal(gw_card_order(b->gw, &ask), 0);
	assert_false(gw_submit_next(b->gw, 0, OTA_SEGMENTS_MAX, b->now_ms, &sub, ud)); /* before it is even taken */
	assert_int_equal(gw_post(b->gw, &ev), 0);
	bed_turn(b);
	bed_pass(b, HOUR);
	bed_expect_nothing(b);
	ordered(CARD_VERB_RELEASE, "commands go to it again");
	bed_expect_script(b, 0, &s);
	assert_int_equal(s.n, 2);
}

/* ---- works of an order ---- */

static void an_arm_is_not_asked_about(void **state)
{
	uint64_t c = bed_works(b, WORK_ARM);
	struct sent s;
	struct work w;

	bed_work(&w, WORK_ARM, ORDER, 0, 1, 2);
	bed_plan(b, c, 0, &w, 1);
	assert_true(bed_leaves(b, 0, &s));
	bed_accepted(b, &s);
	refused(CARD_VERB_PROBE, "it may have moved");
	refused(CARD_VERB_RESYNC, "it may have moved");
	bed_expect_nothing(b);
	ordered(CARD_VERB_QUARANTINE, "no command goes to it; it may have moved: the new operator's confirmation");
	bed_mo_from(b, 0, 6, b->card[0].imsi_first, (const uint8_t *)"x", 1); /* here it is again */
	bed_pass(b, HOUR);
	bed_expect_nothing(b);
	assert_int_equal(gw_txn_settle(b->gw, bed_txn(b, 0)->id, b->id[0], TXN_DONE, "the new operator has it"), 0);
	bed_turn(b);
	bed_expect_txn(b, 0, TXN_DONE, "the new operator has it");
	ordered(CARD_VERB_RELEASE, "commands go to it again");
	bed_expect_nothing(b);
}

/* It may have left in the life before: that is not forgotten in quarantine. */
static void a_restart_in_quarantine_forgets_no_arm(void **state)
{
	uint64_t c = bed_works(b, WORK_ARM);
	struct sent s;
	struct work w;

	bed_work(&w, WORK_ARM, ORDER, 0, 1, 2);
	bed_plan(b, c, 0, &w, 1);
	assert_true(bed_leaves(b, 0, &s)); /* and nobody says what became of it */
	bed_restart(b);
	ordered(CARD_VERB_QUARANTINE, "no command goes to it; it may have moved");
	bed_pass(b, HOUR);
	bed_restart(b);
	ordered(CARD_VERB_RELEASE, "commands go to it again");
	bed_expect_nothing(b);
	bed_mo_from(b, 0, 6, b->card[0].imsi_first, (const uint8_t *)"x", 1);
	bed_pass(b, 60 * SECOND);
	assert_true(bed_leaves(b, 0, &s));
	bed_outcome(b, &s, 0, LINK_EV_REJECTED, FAIL_CONGEST);
	bed_turn(b);
	assert_true(bed_txn(b, 0)->maybe_moved);
}

/* Nothing is open: a question as a work of no order; what the card says of itself is its end. */
static void asked_at_rest(void **state)
{
	uint64_t c = bed_works(b, WORK_STATUS);
	struct work w = { .kind = WORK_STATUS, .flags = WORK_F_PROBE, .order = 1 };
	struct sent s;

	bed_plan(b, c, 0, &w, 1);
	assert_true(bed_leaves(b, 0, &s));
	assert_int_equal(s.ins, OTA_SUB_STATUS);
	bed_accepted(b, &s);
	answered(&s);
	bed_expect_txn(b, 0, TXN_DONE, "the card answers: IDLE, index 1");
	bed_expect_nothing(b);
}

int main(void)
{
#define T(name)	  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define SUB(name) cmocka_unit_test_setup_teardown(name, setup_sub, teardown)
	const struct CMUnitTest tests[] = {
		T(probe_asks_at_once),
		T(late_proof_beside_a_probe),
		T(probe_brings_a_question_forward),
		T(probe_refused),
		T(probe_leaves_the_last_script),
		T(exact_counters_are_not_skipped),
		T(resync_jumps_and_is_bounded),
		T(resync_of_a_card_at_rest),
		T(resync_under_the_other_version),
		T(nothing_leaves_until_release),
		T(answers_count_in_quarantine),
		T(claimed_in_quarantine),
		T(stops_half_way),
		SUB(asked_at_rest),
		SUB(an_arm_is_not_asked_about),
		SUB(a_restart_in_quarantine_forgets_no_arm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
