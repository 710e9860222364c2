/* test_por_late.c - a proof that comes late: after the end of its transaction, of its campaign, to an older command, under an
 * older key version.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "core_bed.h"

#define MINUTE 60000LL
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

#define CAMPAIGNS_IN_MEMORY 256

static const char *const formats[] = { "compact", "expanded", "expanded-indefinite" };

/* One attempt, then EXPIRED. */
static void impatient(struct bed *b, unsigned kvns)
{
	bed_open(b, 1, kvns);
	b->cfg.retry.attempts_max = 1;
	bed_restart(b);
}

static void expire(struct bed *b, uint64_t campaign, struct sent *s)
{
	struct gw_campaign_view v;

	bed_expect_script(b, 0, s);
	bed_accepted(b, s);
	bed_pass(b, HOUR);
	bed_expect_txn(b, 0, TXN_EXPIRED, "1 attempts without");
	assert_int_equal(bed_count(b, campaign, TXN_EXPIRED), 1);
	assert_true(gw_campaign_view(b->gw, campaign, &v));
	assert_int_equal(v.row.state, CAMPAIGN_DONE);
}

/* Its campaign ended long ago, and others have needed its place in memory. */
static void crowd_out(struct bed *b, uint64_t campaign)
{
	static const char text[] = "card-profile t\n tar b00011\n kvn 1\n refresh card\n spi 16 39\n script\n"
				   "  update 6f07 imsi\n  read 6f07 9\n";
	struct gw_campaign_view v;
	char err[160];

	for (unsigned i = 0; i < CAMPAIGNS_IN_MEMORY; i++) {
		struct campaign_row row = { .id = 1000 + i, .state = CAMPAIGN_READY, .profile = "t", .targets = 1 };

		snprintf(row.name, sizeof(row.name), "other%u", i);
		assert_int_equal(gw_campaign_adopt(b->gw, &row, text, sizeof(text) - 1, err, sizeof(err)), 0);
	}
	assert_false(gw_campaign_view(b->gw, campaign, &v));
}

static void expect_done(struct bed *b, uint64_t campaign)
{
	char imsi[IMSI_DIGITS_MAX + 1];
	struct txn_row t = bed_report(b, campaign, 0);

	bed_new_imsi(campaign, 0, imsi);
	assert_int_equal(t.state, TXN_DONE);
	assert_int_equal(t.evidence, 4);
	assert_int_equal(t.por_status, 0);
	assert_int_equal(t.sw, 0x9000);
	assert_int_equal(t.fail_class, FAIL_NONE);
	assert_string_equal(t.reason, "script ran, read-back matches");
	assert_int_equal(t.ended_ms, b->now_ms);
	assert_string_equal(bed_card(b, 0)->card.imsi, imsi);
	assert_int_equal(bed_count(b, campaign, TXN_DONE), 1);
	bed_expect_nothing(b);
	assert_int_equal(bed_stats(b).open, 0);
}

static void after_expiry(void **state)
{
	static struct bed b;
	char imsi[IMSI_DIGITS_MAX + 1];
	struct uds u;
	struct sent s;

	for (int how = 0; how < 12; how++) {
		struct gw_campaign_view v;
		uint64_t c;
		int64_t ended_ms;

		impatient(&b, 1);
		c = bed_campaign(&b, 1, 1, formats[how % 3]);
		bed_new_imsi(c, 0, imsi);
		expire(&b, c, &s);
		assert_true(gw_campaign_view(b.gw, c, &v));
		ended_ms = v.row.ended_ms;
		bed_pass(&b, 20 * DAY);
		if (how >= 3 && how < 6)
			bed_restart(&b);
		if (how >= 6)
			crowd_out(&b, c);
		bed_good(&b, &s, imsi, &u);
		if (how >= 9)
			bed_mo_from(&b, 1, 6, imsi, u.ud[0], u.len[0]);
		else
			bed_mo_all(&b, 0, 0, &u);
		expect_done(&b, c);
		if (gw_campaign_view(b.gw, c, &v)) {
			assert_int_equal(v.row.state, CAMPAIGN_DONE);
			assert_int_equal(v.row.ended_ms, ended_ms);
		}
		/* once more, and in the next life, it stays so */
		b.now_ms += DAY;
		bed_mo_all(&b, 1, 0, &u);
		assert_int_equal(bed_stats(&b).por_duplicate, 1);
		assert_int_equal(bed_report(&b, c, 0).ended_ms, b.now_ms - DAY);
		bed_restart(&b);
		assert_int_equal(bed_count(&b, c, TXN_DONE), 1);
		bed_close(&b);
	}
}

/* What is not success changes no state, but an operator finds it in the report. */
static void late_and_bad(void **state)
{
	static struct bed b;
	uint8_t pkt[OTA_PACKET_MAX];
	struct uds u;
	struct sent s;

	for (int crowded = 0; crowded < 2; crowded++) {
		uint64_t c;

		impatient(&b, 1);
		c = bed_campaign(&b, 1, 1, "compact");
		expire(&b, c, &s);
		if (crowded)
			crowd_out(&b, c);
		bed_cut(&u, pkt, bed_por(&b, &s, OTA_POR_OK, "\x02\x6a\x82", 3, pkt), 0, false, 0);
		bed_mo_all(&b, 0, 0, &u);
		bed_expect_txn(&b, 0, TXN_EXPIRED,
			       crowded ? "answered late: command 2 of 5 answered 6A82" :
					 "answered late: command 2 of 5 (UPDATE 6f78) answered");
		assert_int_equal(b.bundle.txn.sw, 0x6a82);
		assert_int_equal(b.bundle.txn.fail_class, crowded ? FAIL_CARD_PERM : FAIL_CONFIG);
		assert_int_equal(bed_count(&b, c, TXN_EXPIRED), 1);
		bed_expect_nothing(&b);
		bed_close(&b);

		impatient(&b, 1);
		c = bed_campaign(&b, 1, 1, "compact");
		expire(&b, c, &s);
		if (crowded)
			crowd_out(&b, c);
		bed_cut(&u, pkt, bed_por(&b, &s, OTA_POR_CNTR_LOW, NULL, 0, pkt), 0, false, 0);
		bed_mo_all(&b, 0, 0, &u);
		bed_expect_txn(&b, 0, TXN_EXPIRED, NULL);
		assert_int_equal(b.bundle.txn.por_status, OTA_POR_CNTR_LOW);
		bed_cut(&u, pkt, bed_clear(&s, OTA_POR_CNTR_LOW, 0, pkt), 0, false, 0);
		bed_mo_all(&b, 0, 0, &u);
		assert_int_equal(bed_stats(&b).por_stray, 1);
		bed_expect_nothing(&b);
		bed_close(&b);
	}
}

/* The other ends that a late proof overrides. */
static void after_a_cancel_and_after_a_refusal(void **state)
{
	static struct bed b;
	char imsi[IMSI_DIGITS_MAX + 1];
	struct uds u;
	struct sent s, r;
	uint64_t c;

	bed_open(&b, 1, 1);
	c = bed_campaign(&b, 1, 1, "compact");
	bed_new_imsi(c, 0, imsi);
	bed_expect_script(&b, 0, &s);
	bed_accepted(&b, &s);
	bed_verb(&b, c, CAMPAIGN_VERB_CANCEL);
	bed_pass(&b, HOUR);
	bed_expect_txn(&b, 0, TXN_CANCELLED, "campaign cancelled; the command may have run");
	bed_good(&b, &s, imsi, &u);
	bed_mo_all(&b, 0, 0, &u);
	expect_done(&b, c);
	bed_close(&b);

	/* no answer, then the network says that there is no such subscriber: a person must look, and then the proof comes */
	bed_open(&b, 1, 1);
	c = bed_campaign(&b, 1, 1, "compact");
	bed_new_imsi(c, 0, imsi);
	bed_expect_script(&b, 0, &s);
	bed_accepted(&b, &s);
	bed_pass(&b, 10 * MINUTE);
	bed_expect_script(&b, 0, &r);
	bed_outcome(&b, &r, 0, LINK_EV_REJECTED, FAIL_SUBS_PERM);
	bed_expect_txn(&b, 0, TXN_QUARANTINED, NULL);
	bed_good(&b, &s, imsi, &u);
	bed_mo_all(&b, 0, 0, &u);
	expect_done(&b, c);
	bed_close(&b);
}

/* The script is fenced, the card is being asked what it holds: then the script's own answer comes.  The question is
 * withdrawn, wherever it is. */
static void to_the_command_before(void **state)
{
	static struct bed b;
	char imsi[IMSI_DIGITS_MAX + 1];
	uint8_t pkt[OTA_PACKET_MAX];
	struct uds u;
	struct sent s, r;

	for (int how = 0; how < 3; how++) {
		uint64_t c;

		bed_open(&b, 1, 1);
		c = bed_campaign(&b, 1, 1, "compact");
		bed_new_imsi(c, 0, imsi);
		bed_expect_script(&b, 0, &s);
		bed_accepted(&b, &s);
		bed_cut(&u, pkt, bed_clear(&s, OTA_POR_CC_FAILED, 0, pkt), 0, false, 0);
		bed_mo_all(&b, 0, 0, &u);
		bed_pass(&b, b.cfg.retry.hint_ms);
		if (how)
			bed_expect_readback(&b, 0, &r);
		if (how == 2)
			bed_accepted(&b, &r);
		bed_good(&b, &s, imsi, &u);
		bed_mo_all(&b, 0, 0, &u);
		expect_done(&b, c);
		if (how == 1)
			bed_accepted(&b, &r);
		if (how) { /* its answer changes nothing any more */
			bed_good(&b, &r, b.card[0].imsi_first, &u);
			bed_mo_all(&b, 0, 0, &u);
		}
		expect_done(&b, c);
		bed_close(&b);
	}
}

/* DONE by a read-back; then the script's own answer says that something failed.  It is kept with the command and puts no
 * obstacle into what is done. */
static void to_the_command_before_what_is_done(void **state)
{
	static struct bed b;
	char imsi[IMSI_DIGITS_MAX + 1];
	uint8_t pkt[OTA_PACKET_MAX];
	struct uds u;
	struct sent s, r;
	struct txn_row done, after;
	uint64_t c;

	bed_open(&b, 1, 1);
	c = bed_campaign(&b, 1, 1, "compact");
	bed_new_imsi(c, 0, imsi);
	bed_expect_script(&b, 0, &s);
	bed_accepted(&b, &s);
	bed_cut(&u, pkt, bed_clear(&s, OTA_POR_CC_FAILED, 0, pkt), 0, false, 0);
	bed_mo_all(&b, 0, 0, &u);
	bed_pass(&b, b.cfg.retry.hint_ms);
	bed_expect_readback(&b, 0, &r);
	bed_accepted(&b, &r);
	bed_good(&b, &r, imsi, &u);
	bed_mo_all(&b, 0, 0, &u);
	done = *bed_txn(&b, 0);
	assert_int_equal(done.state, TXN_DONE);
	bed_cut(&u, pkt, bed_por(&b, &s, OTA_POR_OK, "\x05\x69\x81", 3, pkt), 0, false, 0);
	bed_mo_all(&b, 0, 0, &u);
	after = *bed_txn(&b, 0);
	assert_memory_equal(&after, &done, sizeof(done));
	assert_int_equal(bed_card(&b, 0)->cmd[1].sw, 0x6981);
	assert_int_equal(bed_count(&b, c, TXN_DONE), 1);
	bed_close(&b);
}

/* ------------------------------------------------------------------------------------- an earlier transaction */

/* The next change is planned, and not begun: the proof is the one before's, also for a card that is not in memory. */
static void while_the_next_is_planned(void **state)
{
	static struct bed b;
	char imsi[IMSI_DIGITS_MAX + 1];
	struct uds u;
	struct sent s, s2;

	for (int restart = 0; restart < 2; restart++) {
		uint64_t c, c2;

		impatient(&b, 1);
		c = bed_campaign(&b, 1, 1, "compact");
		bed_new_imsi(c, 0, imsi);
		expire(&b, c, &s);
		c2 = bed_campaign_with(&b, 1, 1, "", false, false);
		if (restart)
			bed_restart(&b);
		bed_good(&b, &s, imsi, &u);
		bed_mo_all(&b, 0, 0, &u);
		expect_done(&b, c);
		/* and the next one goes its way */
		bed_verb(&b, c2, CAMPAIGN_VERB_START);
		bed_expect_script(&b, 0, &s2);
		bed_accepted(&b, &s2);
		bed_new_imsi(c2, 0, imsi);
		bed_good(&b, &s2, imsi, &u);
		bed_mo_all(&b, 0, 0, &u);
		expect_done(&b, c2);
		assert_int_equal(bed_report(&b, c, 0).state, TXN_DONE);
		bed_close(&b);
	}
}

/* The next change is under way, under another key version: the old one's answer is opened with the old keys, and says nothing
 * of the new command. */
static void under_an_older_key_version(void **state)
{
	static struct bed b;
	char imsi[IMSI_DIGITS_MAX + 1], imsi2[IMSI_DIGITS_MAX + 1];
	struct uds u, u2;
	struct sent s, s2;

	for (int restart = 0; restart < 2; restart++) {
		struct txn_row active, now;
		uint64_t c, c2;

		impatient(&b, 2);
		c = bed_campaign(&b, 1, 1, "compact");
		bed_new_imsi(c, 0, imsi);
		expire(&b, c, &s);
		assert_int_equal(s.p.kic >> 4, 1);
		c2 = bed_campaign(&b, 1, 2, "expanded");
		bed_new_imsi(c2, 0, imsi2);
		bed_expect_script(&b, 0, &s2);
		assert_int_equal(s2.p.kic >> 4, 2);
		bed_accepted(&b, &s2);
		if (restart)
			bed_restart(&b);
		active = *bed_txn(&b, 0);
		bed_good(&b, &s, imsi, &u);
		bed_mo_all(&b, 0, 0, &u);
		now = *bed_txn(&b, 0);
		assert_memory_equal(&active, &now, sizeof(now));
		assert_int_equal(bed_stats(&b).por_duplicate, 1);
		assert_int_equal(bed_stats(&b).por_bad_mac, 0);
		assert_int_equal(bed_story(&b, 0, STORY_POR, "PoR of an earlier transaction"), 1);
		/* what it proves of its own key version is kept */
		assert_int_equal(bed_card(&b, 0)->keyset[0].cntr_proven, s.p.cntr);
		assert_int_equal(b.bundle.keyset[1].cntr_proven, 0);
		bed_good(&b, &s2, imsi2, &u2);
		bed_mo_all(&b, 1, 0, &u2);
		expect_done(&b, c2);
		assert_int_equal(bed_card(&b, 0)->keyset[1].cntr_proven, s2.p.cntr);
		bed_close(&b);
	}

	/* and when nothing newer is under way, the old key version's answer counts, whatever the card got meanwhile */
	impatient(&b, 2);
	uint64_t c = bed_campaign(&b, 1, 1, "compact");

	bed_new_imsi(c, 0, imsi);
	expire(&b, c, &s);
	bed_campaign_with(&b, 1, 2, "", false, false);
	bed_restart(&b);
	bed_good(&b, &s, imsi, &u);
	bed_mo_all(&b, 0, 0, &u);
	expect_done(&b, c);
	bed_close(&b);
}

static void answers(struct bed *b, const struct sent *s, uint8_t status)
{
	uint8_t pkt[OTA_PACKET_MAX];
	struct uds u;

	bed_cut(&u, pkt, bed_por(b, s, status, NULL, 0, pkt), 0, false, 0);
	bed_mo_all(b, 0, 0, &u);
}

/* The story says of an answer what was made of it. */
static void the_story_is_true(void **state)
{
	static struct bed b;
	char imsi[IMSI_DIGITS_MAX + 1];
	struct uds u;
	struct sent s, r;
	uint64_t c;

	/* what was proven before the store was put back counts no more */
	bed_open(&b, 1, 1);
	b.cfg.epoch = BED_START_MS / 1000 - 1000;
	bed_restart(&b);
	bed_campaign(&b, 1, 1, "compact");
	bed_expect_readback(&b, 0, &r);
	bed_accepted(&b, &r);
	bed_good(&b, &r, b.card[0].imsi_first, &u);
	bed_mo_all(&b, 0, 0, &u);
	assert_int_equal(bed_story(&b, 0, STORY_POR, "PoR accepted: 00"), 1);
	bed_expect_script(&b, 0, &s);
	bed_accepted(&b, &s);
	b.cfg.epoch += 1000;
	bed_restart(&b);
	bed_new_imsi(1, 0, imsi);
	bed_good(&b, &s, imsi, &u);
	bed_mo_all(&b, 0, 0, &u);
	bed_expect_txn(&b, 0, TXN_ACTIVE, "");
	assert_int_equal(bed_story(&b, 0, STORY_POR, "PoR accepted"), 1);
	assert_int_equal(bed_story(&b, 0, STORY_POR, "PoR to a command of before the store was put back"), 1);
	bed_close(&b);

	/* a replay answer to a script that a question has fenced, in the words of a card that says 06 */
	bed_open(&b, 1, 1);
	bed_campaign_with(&b, 1, 1, " spi 16 39\n por 06 means cntr-low\n", false, true);
	bed_expect_script(&b, 0, &s);
	bed_accepted(&b, &s);
	answers(&b, &s, 0x06);
	assert_int_equal(bed_story(&b, 0, STORY_POR, "PoR accepted"), 1);
	bed_expect_readback(&b, 0, &r);
	bed_accepted(&b, &r);
	answers(&b, &s, 0x06);
	assert_int_equal(bed_story(&b, 0, STORY_POR, "PoR accepted"), 1);
	assert_int_equal(bed_story(&b, 0, STORY_POR, "PoR to a command that was fenced, it says nothing"), 1);
	bed_close(&b);

	/* a refusal after the end */
	impatient(&b, 1);
	c = bed_campaign(&b, 1, 1, "compact");
	expire(&b, c, &s);
	answers(&b, &s, 0x09);
	assert_int_equal(bed_story(&b, 0, STORY_POR, "PoR accepted"), 0);
	assert_int_equal(bed_story(&b, 0, STORY_POR, "PoR to a command that has ended, noted: 09"), 1);
	bed_close(&b);
}

/* What has left is counted, also of a command that so many others have followed that it is no longer kept. */
static void outcomes_after_many_questions(void **state)
{
	static struct bed b;
	struct sent s, r[2 * CARD_CMDS_MAX];
	uint64_t c;

	bed_open(&b, 1, 1);
	b.cfg.retry.probes_max = 50;
	bed_restart(&b);
	c = bed_campaign(&b, 1, 1, "compact");
	bed_expect_script(&b, 0, &s);
	answers(&b, &s, OTA_POR_CNTR_LOW);
	for (unsigned i = 0; i < 2 * CARD_CMDS_MAX; i++) {
		bed_expect_readback(&b, 0, &r[i]);
		answers(&b, &r[i], OTA_POR_CNTR_LOW);
	}
	bed_accepted(&b, &s);
	for (unsigned i = 0; i < 2 * CARD_CMDS_MAX; i++)
		bed_accepted(&b, &r[i]);
	assert_int_equal(bed_txn(&b, 0)->sms_parts, 1 + 2 * CARD_CMDS_MAX);
	assert_int_equal(bed_view(&b, c).sms_parts, 1 + 2 * CARD_CMDS_MAX);
	bed_close(&b);
}

/* So many questions later: what answers one of the first is no longer known, its MAC is right and it closes nothing.  The
 * script's own answer is known however late. */
static void after_many_questions(void **state)
{
	static struct bed b;
	char imsi[IMSI_DIGITS_MAX + 1];
	uint8_t pkt[OTA_PACKET_MAX];
	struct uds u;
	struct sent s, r, first = { 0 };

	for (int restart = 0; restart < 2; restart++) {
		uint64_t c;

		bed_open(&b, 1, 1);
		b.cfg.retry.probes_max = 50;
		bed_restart(&b);
		c = bed_campaign(&b, 1, 1, "compact");
		bed_new_imsi(c, 0, imsi);
		bed_expect_script(&b, 0, &s);
		bed_accepted(&b, &s);
		bed_cut(&u, pkt, bed_por(&b, &s, OTA_POR_CNTR_LOW, NULL, 0, pkt), 0, false, 0);
		bed_mo_all(&b, 0, 0, &u);
		for (unsigned i = 0; i < 2 * CARD_CMDS_MAX; i++) {
			bed_expect_readback(&b, 0, &r);
			bed_accepted(&b, &r);
			bed_cut(&u, pkt, bed_por(&b, &r, OTA_POR_CNTR_LOW, NULL, 0, pkt), 0, false, 0);
			bed_mo_all(&b, 0, 0, &u);
			if (!i)
				first = r;
		}
		if (restart)
			bed_restart(&b);
		assert_int_equal(bed_card(&b, 0)->n_cmds, CARD_CMDS_MAX);
		bed_good(&b, &first, imsi, &u);
		bed_mo_all(&b, 0, 0, &u);
		bed_expect_txn(&b, 0, TXN_ACTIVE, "");
		assert_int_equal(bed_stats(&b).por_bad_mac, 0);
		assert_int_equal(bed_stats(&b).por_stray, 1);
		assert_int_equal(bed_story(&b, 0, STORY_STRAY, "right MAC, but the answer to no command that is kept"),
				 1);
		bed_good(&b, &s, imsi, &u);
		bed_mo_all(&b, 0, 0, &u);
		expect_done(&b, c);
		bed_close(&b);
	}
}

/* The card has said, under its keys, that it took the script.  That is not forgotten over many questions: the same work does
 * not go out once more. */
static void taken_and_many_questions_later(void **state)
{
	static struct bed b;
	uint8_t pkt[OTA_PACKET_MAX];
	struct uds u;
	struct sent s, r;

	for (int restart = 0; restart < 2; restart++) {
		/* a change before, so that the counter is proven to be ours */
		char imsi[IMSI_DIGITS_MAX + 1];

		bed_open(&b, 1, 1);
		b.cfg.retry.probes_max = 50;
		bed_restart(&b);
		bed_new_imsi(bed_campaign(&b, 1, 1, "compact"), 0, imsi);
		bed_expect_script(&b, 0, &s);
		bed_accepted(&b, &s);
		bed_good(&b, &s, imsi, &u);
		bed_mo_all(&b, 0, 0, &u);
		bed_expect_txn(&b, 0, TXN_DONE, NULL);

		bed_campaign(&b, 1, 1, "compact");
		bed_expect_script(&b, 0, &s);
		bed_accepted(&b, &s);
		bed_cut(&u, pkt, bed_por(&b, &s, OTA_POR_CNTR_LOW, NULL, 0, pkt), 0, false, 0);
		bed_mo_all(&b, 0, 0, &u);
		for (unsigned i = 0; i < 2 * CARD_CMDS_MAX; i++) {
			bed_expect_readback(&b, 0, &r);
			bed_accepted(&b, &r);
			bed_cut(&u, pkt, bed_por(&b, &r, OTA_POR_CNTR_LOW, NULL, 0, pkt), 0, false, 0);
			bed_mo_all(&b, 0, 0, &u);
		}
		if (restart)
			bed_restart(&b);
		bed_expect_readback(&b, 0, &r);
		bed_accepted(&b, &r);
		bed_good(&b, &r, imsi, &u);
		bed_mo_all(&b, 0, 0, &u);
		bed_expect_txn(&b, 0, TXN_FAILED, "the card took the script and did not carry it out");
		bed_expect_nothing(&b);
		bed_close(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_expiry),
		cmocka_unit_test(late_and_bad),
		cmocka_unit_test(after_a_cancel_and_after_a_refusal),
		cmocka_unit_test(to_the_command_before),
		cmocka_unit_test(to_the_command_before_what_is_done),
		cmocka_unit_test(while_the_next_is_planned),
		cmocka_unit_test(under_an_older_key_version),
		cmocka_unit_test(the_story_is_true),
		cmocka_unit_test(outcomes_after_many_questions),
		cmocka_unit_test(after_many_questions),
		cmocka_unit_test(taken_and_many_questions_later),
	};

	return cmocka_run_group_tests_name("por_late", tests, NULL, NULL);
}
