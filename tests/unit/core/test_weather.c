/* test_weather.c - the shipped retry policy in weather that lasts: phones that are off, alerts of our own making, silent cards.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The simulation runs on short delays; here the delays are those that an operator gets.
 */
#include "core_bed.h"

#define MINUTE_MS 60000LL
#define HOUR_MS	  (60 * MINUTE_MS)
#define DAY_MS	  (24 * HOUR_MS)

static void alert_from(struct bed *b, unsigned card, bool own)
{
	struct gw_event ev = { .kind = GW_EV_LINK,
			       .own = own,
			       .ev = { .kind = LINK_EV_ALERT, .from = { .ton = 1, .npi = 1 } } };
	const struct card_bundle *c = bed_card(b, card);

	memcpy(ev.ev.from.digits, c->card.msisdn, sizeof(c->card.msisdn));
	assert_int_equal(gw_post(b->gw, &ev), 0);
	bed_turn(b);
}

static void alert(struct bed *b, unsigned card)
{
	alert_from(b, card, false);
}

/* The next attempt within this time; false: none, or the card's transaction has ended. */
static bool next_attempt(struct bed *b, struct sent *s, int64_t within_ms)
{
	for (int64_t t = 0; t <= within_ms; t += MINUTE_MS / 6) {
		if (bed_leaves(b, 0, s))
			return true;
		if (bed_txn(b, 0)->state != TXN_ACTIVE)
			return false;
		bed_pass(b, MINUTE_MS / 6);
	}
	return false;
}

/* A store-and-forward SMSC takes everything for a phone that is off: the delays grow over questions and all, the deadline ends
 * it, and when the phone is back it is done. */
static void off_for_days(void **state)
{
	static struct bed b;
	struct sent s, last;
	struct uds u;
	unsigned n = 0;
	char imsi[IMSI_DIGITS_MAX + 1];
	uint64_t c;

	bed_open(&b, 1, 1);
	c = bed_campaign(&b, 1, 1, "compact");
	bed_new_imsi(c, 0, imsi);
	for (int64_t t0 = b.now_ms; b.now_ms - t0 < 10 * DAY_MS; bed_pass(&b, 10 * MINUTE_MS)) {
		if (bed_leaves(&b, 0, &s)) {
			bed_accepted(&b, &s);
			last = s;
			n++;
		}
	}
	assert_int_equal(bed_txn(&b, 0)->state, TXN_ACTIVE);
	assert_in_range(n, 30, 70); /* every 6 h or so */
	assert_false(last.script);
	bed_good(&b, &last, b.card[0].imsi_first, &u);
	bed_mo_all(&b, 0, 0, &u);
	bed_expect_script(&b, 0, &s);
	bed_accepted(&b, &s);
	bed_good(&b, &s, imsi, &u);
	bed_mo_all(&b, 0, 0, &u);
	bed_expect_txn(&b, 0, TXN_DONE, "script ran");
	bed_close(&b);
}

static void off_for_good(void **state)
{
	static struct bed b;
	struct sent s;
	int64_t t0;

	bed_open(&b, 1, 1);
	bed_campaign(&b, 1, 1, "compact");
	t0 = b.now_ms;
	while (next_attempt(&b, &s, DAY_MS))
		bed_accepted(&b, &s);
	bed_expect_txn(&b, 0, TXN_EXPIRED, "deadline passed");
	assert_in_range(b.now_ms - t0, 20 * DAY_MS, 22 * DAY_MS);
	bed_close(&b);
}

/* OsmoMSC alerts for the connection of a delivery that has just failed.  This does not use up what is meant for days. */
static void alerts_of_our_own_making(void **state)
{
	static struct bed b;
	struct sent s;
	unsigned n = 0;

	bed_open(&b, 1, 1);
	bed_campaign(&b, 1, 1, "compact");
	for (int64_t t0 = b.now_ms; b.now_ms - t0 < DAY_MS; n++) {
		assert_true(next_attempt(&b, &s, 7 * HOUR_MS));
		b.now_ms += 5000;
		bed_outcome(&b, &s, 0, LINK_EV_REJECTED, FAIL_ABSENT);
		bed_turn(&b);
		alert(&b, 0);
	}
	assert_int_equal(bed_txn(&b, 0)->state, TXN_ACTIVE);
	assert_in_range(n, 5, 30);
	/* one that comes when nothing of ours is on the air wakes at once */
	bed_pass(&b, HOUR_MS);
	while (bed_leaves(&b, 0, &s)) {
		bed_outcome(&b, &s, 0, LINK_EV_REJECTED, FAIL_ABSENT);
		bed_turn(&b);
		bed_pass(&b, 5 * MINUTE_MS);
	}
	alert(&b, 0);
	assert_true(bed_leaves(&b, 0, &s));
	bed_close(&b);
}

/* Who says that a phone is there does not say under which of its numbers: both are tried in turn as before.  An alert does. */
static void presence_by_word_of_mouth(void **state)
{
	for (int own = 0; own < 2; own++) {
		static struct bed b;
		struct sent s;

		bed_open(&b, 1, 1);
		bed_campaign_with(&b, 1, 1, "", true, true);
		bed_expect_script(&b, 0, &s);
		bed_outcome(&b, &s, 0, LINK_EV_REJECTED, FAIL_ABSENT);
		bed_pass(&b, 1000);
		alert_from(&b, 0, own);
		assert_int_equal(bed_card(&b, 0)->card.last_seen_ms, b.now_ms);
		assert_true(next_attempt(&b, &s, HOUR_MS));
		assert_int_equal(strcmp(s.dst.digits, b.new_msisdn[0]) == 0, own);
		bed_close(&b);
	}
}

/* To a counter that is behind, some cards say nothing.  Questions jump, within a bound; who is reached and never answers ends with
 * a person. */
static void silent_card(void **state)
{
	static struct bed b;
	struct sent s;
	uint64_t lo = 0, hi = 0;

	bed_open(&b, 1, 1);
	bed_campaign(&b, 1, 1, "compact");
	while (next_attempt(&b, &s, DAY_MS)) {
		lo = lo ? lo : s.p.cntr;
		hi = s.p.cntr;
		bed_accepted(&b, &s);
		bed_receipt(&b, 0, 0, "DELIVRD", NULL, 0);
	}
	bed_expect_txn(&b, 0, TXN_QUARANTINED, "messages arrive");
	assert_in_range(hi - lo, 16 + 256 + 4096, 16 + 256 + 4096 + 40);
	bed_close(&b);
}

/* After a restore, a counter is ours again when the card has answered, and not when it was asked. */
static void owned_by_an_answer(void **state)
{
	static struct bed b;
	struct sent s;
	struct uds u;
	uint64_t c, first;

	bed_open(&b, 1, 1);
	b.cfg.epoch = BED_START_MS / 1000;
	bed_restart(&b);
	for (unsigned i = 0; i < 2; i++) {
		c = bed_campaign(&b, 1, 1, "compact");
		bed_expect_readback(&b, 0, &s);
		first = s.p.cntr;
		assert_true(first > BED_CNTR + 4096);
		bed_accepted(&b, &s);
		bed_verb(&b, c, CAMPAIGN_VERB_CANCEL);
		bed_pass(&b, HOUR_MS);
	}
	bed_campaign(&b, 1, 1, "compact");
	bed_expect_readback(&b, 0, &s);
	assert_in_range(s.p.cntr - first, 1, 4); /* the gap is left behind once */
	bed_accepted(&b, &s);
	bed_good(&b, &s, b.card[0].imsi_first, &u);
	bed_mo_all(&b, 0, 0, &u);
	bed_expect_script(&b, 0, &s);
	bed_close(&b);
}

/* In another process life nobody knows what the card has taken, whichever way the clock was set. */
static void exact_in_another_life(void **state)
{
	static struct bed b;
	struct sent s;
	uint64_t c;

	for (int back = 0; back < 2; back++) {
		bed_open(&b, 1, 1);
		c = bed_campaign_with(&b, 1, 1, " counter exact\n spi 1e 39\n", false, true);
		bed_expect_script(&b, 0, &s);
		bed_accepted(&b, &s);
		bed_verb(&b, c, CAMPAIGN_VERB_CANCEL);
		bed_pass(&b, HOUR_MS);
		b.now_ms += back ? -DAY_MS : DAY_MS;
		bed_restart(&b);
		bed_campaign_with(&b, 1, 1, " counter exact\n spi 1e 39\n", false, true);
		bed_expect_nothing(&b);
		bed_expect_txn(&b, 0, TXN_QUARANTINED, "counter mode 11");
		bed_close(&b);
	}
}

#define EXACT " counter exact\n spi 1e 39\n"

/* Counter mode 11: a script that nobody has answered, and in the next campaign a read under the same counter. */
static void shared_counter(struct bed *b, struct sent *s, struct sent *r)
{
	uint64_t c;

	bed_open(b, 1, 1);
	c = bed_campaign_with(b, 1, 1, EXACT, false, true);
	bed_expect_script(b, 0, s);
	bed_accepted(b, s);
	bed_verb(b, c, CAMPAIGN_VERB_CANCEL);
	bed_pass(b, HOUR_MS);
	bed_expect_txn(b, 0, TXN_CANCELLED, NULL);
	bed_campaign_with(b, 1, 1, EXACT, false, true);
	bed_expect_readback(b, 0, r);
	bed_accepted(b, r);
	assert_int_equal(r->p.cntr, s->p.cntr);
}

/* The card has taken the one or the other, says so late, and is brought to its end all the same. */
static void whose_answer(void **state)
{
	static const char *const cut[] = { "\x01\x6a\x82", "\x02\x69\x82" };
	static struct bed b;
	struct sim_card_out out;
	struct sent s, r, q;
	struct uds u;
	uint8_t pkt[OTA_PACKET_MAX];

	for (int which = 0; which < 6; which++) {
		shared_counter(&b, &s, &r);
		if (which < 2) { /* the card answers itself: the script ran, or it did not */
			bed_card_takes(&b, which ? &r : &s, &out);
			bed_uds(&out, &u);
		} else if (which < 4) { /* it fits both: broken off at a command that both have */
			bed_card_takes(&b, &s, &out);
			bed_cut(&u, pkt, bed_por(&b, &s, OTA_POR_OK, cut[which - 2], 3, pkt), 0, false, 0);
		} else { /* it fits neither */
			bed_card_takes(&b, &s, &out);
			bed_cut(&u, pkt, bed_por(&b, &s, OTA_POR_OK, "\x63\x90\x00", which == 4 ? 3 : 0, pkt), 0, false,
				0);
		}
		bed_mo_all(&b, 0, 0, &u);
		bed_expect_txn(&b, 0, TXN_ACTIVE, "");
		if (which != 1) { /* the question is asked again under the next counter */
			bed_expect_readback(&b, 0, &q);
			assert_int_equal(q.p.cntr, s.p.cntr + 1);
			bed_accepted(&b, &q);
			bed_card_takes(&b, &q, &out);
			bed_uds(&out, &u);
			bed_mo_all(&b, 0, 0, &u);
		}
		bed_expect_script(&b, 0, &q);
		bed_accepted(&b, &q);
		bed_card_takes(&b, &q, &out);
		bed_uds(&out, &u);
		bed_mo_all(&b, 0, 0, &u);
		bed_expect_txn(&b, 0, TXN_DONE, "script ran");
		bed_close(&b);
	}
}

/* "The answer follows" is said of a command that was taken: it does not go out once more under another counter. */
static void taken_is_taken(void **state)
{
	static struct bed b;
	struct sent s;
	struct uds u;
	uint8_t pkt[OTA_PACKET_MAX];

	bed_open(&b, 1, 1);
	bed_campaign(&b, 1, 1, "compact");
	bed_expect_script(&b, 0, &s);
	bed_accepted(&b, &s);
	bed_cut(&u, pkt, bed_por(&b, &s, OTA_POR_DATA_BY_SUBMIT, NULL, 0, pkt), 1, false, 0);
	bed_mo_all(&b, 0, 0, &u);
	assert_true(next_attempt(&b, &s, HOUR_MS));
	assert_false(s.script);
	bed_accepted(&b, &s);
	bed_good(&b, &s, b.card[0].imsi_first, &u);
	bed_mo_all(&b, 0, 0, &u);
	bed_expect_nothing(&b);
	bed_expect_txn(&b, 0, TXN_FAILED, "the card took the script");
	bed_close(&b);
}

/* A card that has no time now is given some. */
static void later_means_later(void **state)
{
	static struct bed b;
	struct sent s;
	struct uds u;
	uint8_t pkt[OTA_PACKET_MAX];
	unsigned scripts = 0;
	int64_t t0;

	bed_open(&b, 1, 1);
	bed_campaign(&b, 1, 1, "compact");
	t0 = b.now_ms;
	while (next_attempt(&b, &s, DAY_MS)) {
		bed_accepted(&b, &s);
		if (s.script) {
			scripts++;
			bed_cut(&u, pkt, bed_por(&b, &s, 0x08, NULL, 0, pkt), 1, false, 0);
		} else {
			bed_good(&b, &s, b.card[0].imsi_first, &u);
		}
		bed_mo_all(&b, 0, 0, &u);
	}
	assert_int_equal(scripts, b.cfg.retry.scripts_max);
	assert_true(b.now_ms - t0 > 5 * MINUTE_MS);
	bed_expect_txn(&b, 0, TXN_FAILED, "old IMSI still there");
	bed_close(&b);
}

/* Once a script has left, the card may have its new number. */
static void both_numbers_are_tried(void **state)
{
	static struct bed b;
	struct sent s;
	char first[sizeof(s.dst.digits)] = "";
	unsigned other = 0;

	bed_open(&b, 1, 1);
	bed_campaign_with(&b, 1, 1, "", true, true);
	for (unsigned i = 0; i < 8; i++) {
		assert_true(next_attempt(&b, &s, DAY_MS));
		if (!i)
			memcpy(first, s.dst.digits, sizeof(first));
		other += strcmp(first, s.dst.digits) != 0;
		bed_accepted(&b, &s);
	}
	assert_in_range(other, 3, 5);
	bed_close(&b);
}

/* An SMSC whose refusal may mean that the card has it: not FAILED, which says that it has not. */
static void refused_and_maybe_taken(void **state)
{
	static struct bed b;
	struct sent s;
	struct gw_event ev = { .kind = GW_EV_LINK, .ev = { .kind = LINK_EV_REJECTED } };

	bed_open(&b, 1, 1);
	bed_campaign(&b, 1, 1, "compact");
	bed_expect_script(&b, 0, &s);
	ev.ev.token = s.token[0];
	ev.ev.fail =
		(struct fail){ .cls = FAIL_CONFIG, .code = 0x400, .what = "of an operator's row", .maybe_ran = true };
	assert_int_equal(gw_post(b.gw, &ev), 0);
	bed_turn(&b);
	bed_expect_txn(&b, 0, TXN_QUARANTINED, "of an operator's row");
	bed_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(off_for_days),
		cmocka_unit_test(off_for_good),
		cmocka_unit_test(alerts_of_our_own_making),
		cmocka_unit_test(presence_by_word_of_mouth),
		cmocka_unit_test(silent_card),
		cmocka_unit_test(owned_by_an_answer),
		cmocka_unit_test(exact_in_another_life),
		cmocka_unit_test(whose_answer),
		cmocka_unit_test(taken_is_taken),
		cmocka_unit_test(later_means_later),
		cmocka_unit_test(both_numbers_are_tried),
		cmocka_unit_test(refused_and_maybe_taken),
	};

	return cmocka_run_group_tests_name("weather", tests, NULL, NULL);
}
