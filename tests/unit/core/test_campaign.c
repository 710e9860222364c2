/* test_campaign.c - a campaign under its rules: canary groups, thresholds that stop it, windows, its deadline.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>

#include "core_bed.h"

#define MINUTE 60000LL
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	bed_open(b, 6, 1);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	bed_close(*state);
	free(*state);
	return 0;
}

static uint64_t campaign(struct bed *b, const char *rules, bool run)
{
	b->rules = rules;
	return bed_campaign_with(b, b->n_cards, 1, "", false, run);
}

/* The next script leaves, and is for this card. */
static void leaves(struct bed *b, struct sent *s, unsigned card)
{
	bed_expect_script(b, 0, s);
	assert_int_equal(s->card, card);
	bed_accepted(b, s);
}

static void done(struct bed *b, const struct sent *s)
{
	struct sim_card_out out;
	struct uds u;

	bed_card_takes(b, s, &out);
	bed_uds(&out, &u);
	bed_mo_all(b, 0, s->card, &u);
	bed_expect_txn(b, s->card, TXN_DONE, "");
}

static void hint(struct bed *b, const struct sent *s, uint8_t status)
{
	uint8_t pkt[OTA_PACKET_MAX];
	struct uds u;
	size_t n = bed_clear(s, status, s->p.cntr, pkt);

	bed_cut(&u, pkt, n, 0, false, 0);
	bed_mo_all(b, 0, s->card, &u);
}

static void is(struct bed *b, uint64_t id, enum campaign_state state, const char *why)
{
	struct gw_campaign_view v = bed_view(b, id);

	assert_int_equal(v.row.state, state);
	assert_int_equal(strncmp(v.row.stop_reason, why, strlen(why)), 0);
	if (!*why)
		assert_string_equal(v.row.stop_reason, "");
}

static void canary(struct bed *b, uint64_t id, unsigned group, uint64_t cards, bool waits)
{
	struct gw_campaign_view v = bed_view(b, id);

	assert_int_equal(v.canary_group, group);
	assert_int_equal(v.canary_cards, cards);
	assert_int_equal(v.canary_waits, waits);
}

/* ------------------------------------------------------------------------------------------------ canary */

static void a_group_opens_when_the_one_before_has_ended(void **state)
{
	struct bed *b = *state;
	uint64_t id = campaign(b, "canary 1,2", false);
	struct sent s[6];

	canary(b, id, 1, 1, false);
	bed_verb(b, id, CAMPAIGN_VERB_START);
	leaves(b, &s[0], 0);
	bed_expect_nothing(b);
	canary(b, id, 1, 1, true);
	assert_int_equal(bed_view(b, id).canary_next_ms, -1);
	done(b, &s[0]);
	leaves(b, &s[1], 1);
	leaves(b, &s[2], 2);
	bed_expect_nothing(b);
	canary(b, id, 2, 3, true);
	done(b, &s[2]);
	bed_expect_nothing(b);
	/* killed in between: the group is the same one */
	bed_restart(b);
	bed_expect_nothing(b);
	canary(b, id, 2, 3, true);
	done(b, &s[1]);
	for (unsigned i = 3; i < 6; i++)
		leaves(b, &s[i], i);
	canary(b, id, 0, 0, false);
	for (unsigned i = 3; i < 6; i++)
		done(b, &s[i]);
	is(b, id, CAMPAIGN_DONE, "");
}

static void or_when_its_hold_has_passed(void **state)
{
	struct bed *b = *state;
	uint64_t id = campaign(b, "canary 1,50%; hold 2h", true);
	struct sent s;

	b->cfg.retry.por_timeout_ms = 100 * HOUR; /* from the next start on: nothing is sent twice here */
	bed_restart(b);
	leaves(b, &s, 0);
	bed_pass(b, HOUR);
	bed_expect_nothing(b);
	assert_int_equal(bed_view(b, id).canary_next_ms, HOUR);
	bed_restart(b);
	bed_pass(b, HOUR - 1);
	bed_expect_nothing(b);
	bed_pass(b, 1);
	for (unsigned i = 1; i < 4; i++)
		leaves(b, &s, i);
	bed_expect_nothing(b);
	canary(b, id, 2, 4, true);
	bed_pass(b, 2 * HOUR);
	leaves(b, &s, 4);
	leaves(b, &s, 5);
	canary(b, id, 0, 0, false);
}

static void a_pause_does_not_open_a_group(void **state)
{
	struct bed *b = *state;
	uint64_t id = campaign(b, "canary 2", true);
	struct sent s[6];

	leaves(b, &s[0], 0);
	leaves(b, &s[1], 1);
	bed_verb(b, id, CAMPAIGN_VERB_PAUSE);
	done(b, &s[0]);
	done(b, &s[1]);
	bed_pass(b, DAY);
	bed_expect_nothing(b);
	assert_int_equal(bed_count(b, id, TXN_PLANNED), 4);
	bed_verb(b, id, CAMPAIGN_VERB_START);
	for (unsigned i = 2; i < 6; i++)
		leaves(b, &s[i], i);
}

/* ------------------------------------------------------------------------------------------------ thresholds */

/* One answer that anybody could have sent is enough: to stop is safe. */
static void one_wrong_key_stops_what_is_prepared(void **state)
{
	struct bed *b = *state;
	uint64_t id = campaign(b, "abort por-01>=1", true);
	struct sent s[6], again;

	leaves(b, &s[0], 0);
	leaves(b, &s[1], 1);
	hint(b, &s[1], 0x02); /* another status is another matter */
	is(b, id, CAMPAIGN_RUNNING, "");
	hint(b, &s[0], 0x01);
	is(b, id, CAMPAIGN_PAUSED, "stopped by its rule por-01>=1: card 8988…");
	assert_non_null(strstr(bed_view(b, id).row.stop_reason, " answered 01 ("));
	bed_expect_nothing(b);
	bed_pass(b, 3 * DAY);
	bed_expect_nothing(b);
	bed_restart(b);
	bed_expect_nothing(b);
	is(b, id, CAMPAIGN_PAUSED, "stopped by its rule por-01>=1: card");
	/* who goes on has looked: it counts anew, and the same answer once more is nothing new */
	bed_verb(b, id, CAMPAIGN_VERB_START);
	is(b, id, CAMPAIGN_RUNNING, "");
	for (unsigned i = 0; bed_leaves(b, 0, &again) && i < 6; i++) {
		bed_accepted(b, &again);
		s[again.card] = again;
	}
	hint(b, &s[0], 0x01);
	is(b, id, CAMPAIGN_RUNNING, "");
	hint(b, &s[4], 0x01);
	is(b, id, CAMPAIGN_PAUSED, "stopped by its rule por-01>=1: card");
	bed_expect_nothing(b);
}

static void an_authenticated_refusal_counts_as_well(void **state)
{
	struct bed *b = *state;
	uint64_t id = campaign(b, "abort failed>1; abort por-0a>=3", true);
	uint8_t pkt[OTA_PACKET_MAX];
	struct sent s[3];
	struct uds u;

	for (unsigned i = 0; i < 3; i++)
		leaves(b, &s[i], i);
	for (unsigned i = 0; i < 2; i++) {
		bed_cut(&u, pkt, bed_por(b, &s[i], 0x0a, NULL, 0, pkt), 0, false, 0);
		is(b, id, CAMPAIGN_RUNNING, "");
		bed_mo_all(b, 0, i, &u);
		bed_expect_txn(b, i, TXN_FAILED, "card refuses: 0A");
		if (!i) /* what was counted survives */
			bed_restart(b);
	}
	is(b, id, CAMPAIGN_PAUSED, "stopped by its rule failed>1: 2 cards, the last one: card ");
	assert_non_null(strstr(bed_view(b, id).row.stop_reason, " is FAILED: card refuses: 0A"));
	bed_expect_nothing(b);
	/* late proof takes a failure back, and never stops anything */
	bed_verb(b, id, CAMPAIGN_VERB_START);
	done(b, &s[2]);
	is(b, id, CAMPAIGN_RUNNING, "");
}

static void obstacles_count_while_they_last(void **state)
{
	struct bed *b = *state;
	uint64_t id = campaign(b, "abort class-ABSENT>2", true);
	struct sent s[6];

	for (unsigned i = 0; i < 5; i++)
		bed_expect_script(b, 0, &s[i]);
	for (unsigned i = 0; i < 2; i++)
		bed_outcome(b, &s[i], 0, LINK_EV_REJECTED, FAIL_ABSENT);
	bed_outcome(b, &s[2], 0, LINK_EV_REJECTED, FAIL_BUSY);
	bed_accepted(b, &s[3]);
	is(b, id, CAMPAIGN_RUNNING, "");
	done(b, &s[0]); /* it was reached after all */
	bed_outcome(b, &s[4], 0, LINK_EV_REJECTED, FAIL_ABSENT);
	is(b, id, CAMPAIGN_RUNNING, "");
	bed_expect_script(b, 0, &s[5]);
	bed_outcome(b, &s[5], 0, LINK_EV_REJECTED, FAIL_ABSENT);
	is(b, id, CAMPAIGN_PAUSED, "stopped by its rule class-ABSENT>2: 3 cards, the last one: card");
	bed_pass(b, DAY);
	bed_expect_nothing(b);
}

static void the_canary_protects_the_rest(void **state)
{
	struct bed *b = *state;
	uint64_t id = campaign(b, "canary 1,1; hold 1h; abort por-01>=1", true);
	struct sent s;

	leaves(b, &s, 0);
	hint(b, &s, 0x01);
	is(b, id, CAMPAIGN_PAUSED, "stopped by its rule");
	bed_pass(b, 2 * DAY);
	bed_expect_nothing(b);
	assert_int_equal(bed_count(b, id, TXN_PLANNED), 5);
}

/* As every campaign with a canary has it. */
static void a_wrong_key_in_the_canary_is_enough(void **state)
{
	struct bed *b = *state;
	uint64_t id = campaign(b, "canary 1,1; abort canary:por-01>=1", true);
	struct sent s;

	leaves(b, &s, 0);
	hint(b, &s, 0x01);
	is(b, id, CAMPAIGN_PAUSED, "stopped by its rule canary:por-01>=1: card");
	bed_restart(b);
	bed_pass(b, DAY);
	bed_expect_nothing(b);
	is(b, id, CAMPAIGN_PAUSED, "stopped by its rule canary:por-01>=1: card");
	assert_int_equal(bed_count(b, id, TXN_PLANNED), 5);
}

static void a_wrong_key_behind_the_canary_stops_nothing(void **state)
{
	struct bed *b = *state;
	uint64_t id = campaign(b, "canary 1,1; abort canary:por-01>=1", true);
	struct sent s[4];

	leaves(b, &s[0], 0);
	done(b, &s[0]);
	leaves(b, &s[1], 1);
	done(b, &s[1]);
	leaves(b, &s[2], 2);
	leaves(b, &s[3], 3);
	hint(b, &s[2], 0x01);
	hint(b, &s[3], 0x01);
	is(b, id, CAMPAIGN_RUNNING, "");
}

/* The end of its last card is the end of the canary, and counts. */
static void the_last_card_of_a_canary_counts(void **state)
{
	struct bed *b = *state;
	uint64_t id = campaign(b, "canary 1; abort canary:failed>=1", true);
	uint8_t pkt[OTA_PACKET_MAX];
	struct sent s;
	struct uds u;

	leaves(b, &s, 0);
	bed_cut(&u, pkt, bed_por(b, &s, 0x0a, NULL, 0, pkt), 0, false, 0);
	bed_mo_all(b, 0, 0, &u);
	bed_expect_txn(b, 0, TXN_FAILED, "card refuses: 0A");
	is(b, id, CAMPAIGN_PAUSED, "stopped by its rule canary:failed>=1: card");
	bed_expect_nothing(b);
}

/* A packet of which one message has left is not finished: a card that is not whole runs nothing. */
static void nothing_leaves_of_a_packet_that_is_half_out(void **state)
{
	struct bed *b = *state;
	struct link_submit sub;
	uint8_t ud[LINK_UD_MAX];
	struct gw_event ev = { .kind = GW_EV_LINK, .ev = { .kind = LINK_EV_ACCEPTED } };
	struct sent s;
	uint64_t id;

	b->long_script = true;
	id = campaign(b, "", true);
	bed_turn(b);
	assert_true(gw_submit_next(b->gw, 0, OTA_SEGMENTS_MAX, b->now_ms, &sub, ud));
	assert_true(sub.more);
	bed_verb(b, id, CAMPAIGN_VERB_PAUSE);
	bed_expect_nothing(b);
	ev.ev.token = sub.token;
	assert_int_equal(gw_post(b->gw, &ev), 0);
	bed_pass(b, DAY);
	bed_expect_nothing(b);
	bed_verb(b, id, CAMPAIGN_VERB_START);
	for (unsigned i = 0; i < 6; i++) {
		bed_expect_script(b, 0, &s);
		assert_int_equal(s.n, 2);
	}
	bed_expect_nothing(b);
}

/* While a commit takes long a pause may wait in the inbox: it holds already, also in the middle of a packet. */
static void a_pause_holds_when_it_is_asked_for(void **state)
{
	struct bed *b = *state;

	for (int half = 0; half < 2; half++) {
		struct gw_event ev = { .kind = GW_EV_CAMPAIGN, .verb = CAMPAIGN_VERB_PAUSE };
		struct link_submit sub;
		uint8_t ud[LINK_UD_MAX];
		struct sent s;

		if (half) {
			bed_close(b);
			bed_open(b, 6, 1);
		}
		b->long_script = true;
		ev.campaign = campaign(b, "", true);
		bed_turn(b);
		if (half)
			assert_true(gw_submit_next(b->gw, 0, OTA_SEGMENTS_MAX, b->now_ms, &sub, ud));
		assert_int_equal(gw_post(b->gw, &ev), 0);
		for (unsigned link = 0; link < BED_LINKS; link++)
			assert_false(gw_submit_next(b->gw, link, OTA_SEGMENTS_MAX, b->now_ms, &sub, ud));
		bed_expect_nothing(b);
		is(b, ev.campaign, CAMPAIGN_PAUSED, "");
		if (half) {
			struct gw_event out = { .kind = GW_EV_LINK,
						.ev = { .kind = LINK_EV_ACCEPTED, .token = sub.token } };

			assert_int_equal(gw_post(b->gw, &out), 0);
		}
		bed_pass(b, DAY);
		bed_expect_nothing(b);
		bed_verb(b, ev.campaign, CAMPAIGN_VERB_START);
		for (unsigned i = 0; i < 6; i++) {
			bed_expect_script(b, 0, &s);
			assert_int_equal(s.n, 2);
		}
		bed_expect_nothing(b);
	}
}

/* ------------------------------------------------------------------------------------------------ time */

/* What a restored store calls planned may have been sent since it was saved. */
static void a_restored_store_does_not_say_never(void **state)
{
	struct bed *b = *state;

	for (int cancelled = 0; cancelled < 2; cancelled++) {
		struct sent s;
		uint64_t id;

		if (cancelled) {
			bed_close(b);
			bed_open(b, 6, 1);
		}
		id = campaign(b, "canary 1; deadline 6h", true);
		leaves(b, &s, 0);
		b->cfg.epoch = BED_START_MS / 1000;
		bed_restart(b);
		if (cancelled)
			bed_verb(b, id, CAMPAIGN_VERB_CANCEL);
		bed_pass(b, 6 * HOUR);
		if (cancelled)
			bed_expect_txn(b, 3, TXN_CANCELLED,
				       "campaign cancelled before its turn; the store was put back");
		else
			bed_expect_txn(b, 3, TXN_EXPIRED, "deadline passed, the store was put back: it may have run");
	}
}

static void nothing_leaves_after_the_deadline(void **state)
{
	struct bed *b = *state;
	uint64_t id = campaign(b, "canary 2; deadline 6h", false);
	struct sent s[2];

	bed_pass(b, DAY); /* it counts from the start */
	bed_verb(b, id, CAMPAIGN_VERB_START);
	assert_true(bed_view(b, id).row.deadline_ms == b->now_ms + 6 * HOUR);
	leaves(b, &s[0], 0);
	leaves(b, &s[1], 1);
	done(b, &s[1]);
	bed_pass(b, 6 * HOUR - 1);
	while (bed_leaves(b, 0, &s[0]))
		bed_accepted(b, &s[0]);
	bed_pass(b, 1);
	bed_expect_nothing(b);
	/* those that the canary kept back end as well */
	for (unsigned i = 2; i < 6; i++)
		bed_expect_txn(b, i, TXN_EXPIRED, "deadline passed, never sent");
	bed_pass(b, DAY);
	bed_expect_nothing(b);
	bed_expect_txn(b, 0, TXN_EXPIRED, "deadline passed without an authenticated answer");
	is(b, id, CAMPAIGN_DONE, "");
}

/* BED_START_MS is 22:13:20 UTC. */
static void a_window_is_kept(void **state)
{
	struct bed *b = *state;
	uint64_t id = campaign(b, "window 01:00-05:00 utc", true);
	struct sent s[6], again;
	int64_t opens = BED_START_MS - BED_START_MS % DAY + DAY + HOUR;

	bed_expect_nothing(b);
	assert_int_equal(bed_count(b, id, TXN_PLANNED), 6); /* no counter is taken ahead of time */
	assert_true(bed_view(b, id).opens_ms == opens);
	bed_pass(b, opens - b->now_ms - 1);
	bed_expect_nothing(b);
	bed_pass(b, 1);
	assert_true(bed_view(b, id).opens_ms == 0);
	for (unsigned i = 0; i < 5; i++)
		bed_expect_script(b, 0, &s[i]);
	bed_outcome(b, &s[1], 0, LINK_EV_REJECTED, FAIL_ABSENT);
	for (unsigned i = 0; i < 5; i++)
		if (i != 1)
			bed_accepted(b, &s[i]);
	/* the sixth is prepared and committed; closing comes first */
	b->now_ms = opens + 4 * HOUR;
	assert_false(bed_leaves(b, 1, &again));
	bed_expect_nothing(b);
	/* under way at closing: its answer is taken */
	done(b, &s[0]);
	bed_pass(b, 20 * HOUR - 1);
	bed_expect_nothing(b);
	bed_pass(b, 11 * MINUTE);
	for (unsigned i = 0; i < 5; i++) {
		assert_true(bed_leaves(b, 0, &again));
		assert_true(again.card != 0);
	}
	bed_expect_nothing(b);
}

static void a_window_in_device_time(void **state)
{
	struct bed *b = *state;
	int64_t midnight = BED_START_MS - BED_START_MS % DAY + DAY;
	struct sent s;

	bed_zone(b, 0, 180);  /* there it is 01:13 now */
	bed_zone(b, 1, 120);  /* 00:13 */
	bed_zone(b, 2, -330); /* 16:43 */
	for (unsigned i = 3; i < 6; i++)
		bed_zone(b, i, -720);
	b->cfg.retry.por_timeout_ms = 100 * HOUR;
	bed_restart(b);
	campaign(b, "window 01:00-05:00 device", true);
	leaves(b, &s, 0);
	bed_expect_nothing(b);
	bed_restart(b); /* what waits for an opening does so again */
	bed_pass(b, midnight - HOUR - b->now_ms - 1);
	bed_expect_nothing(b);
	bed_pass(b, 10 * MINUTE + 1);
	leaves(b, &s, 1);
	bed_expect_nothing(b);
	bed_pass(b, midnight + 6 * HOUR + 30 * MINUTE - b->now_ms - 1);
	bed_expect_nothing(b);
	bed_pass(b, 10 * MINUTE + 1);
	leaves(b, &s, 2);
	bed_expect_nothing(b);
	bed_pass(b, midnight + 13 * HOUR - b->now_ms - 1);
	bed_expect_nothing(b);
	bed_pass(b, 10 * MINUTE + 1);
	for (unsigned i = 3; i < 6; i++)
		bed_expect_script(b, 0, &s);
	bed_expect_nothing(b);
}

/* The question that a refusal leads to waits for the opening like anything else. */
static void a_read_back_waits_for_its_window(void **state)
{
	struct bed *b = *state;
	struct sent s[6], q;

	campaign(b, "window 22:00-22:30 utc", true);
	for (unsigned i = 0; i < 6; i++)
		leaves(b, &s[i], i);
	b->now_ms += 20 * MINUTE;
	hint(b, &s[3], 0x02);
	bed_pass(b, 23 * HOUR);
	bed_expect_nothing(b);
	bed_pass(b, 40 * MINUTE);
	for (unsigned i = 0; i < 6; i++) {
		assert_true(bed_leaves(b, 0, &q));
		assert_int_equal(q.script, q.card != 3);
	}
}

static void rules_that_do_not_fit_are_refused(void **state)
{
	struct bed *b = *state;
	struct campaign_row row = {
		.id = 77, .state = CAMPAIGN_READY, .name = "x", .targets = 9, .rules = "canary 10"
	};
	static const char text[] =
		"card-profile bed\n tar b00011\n spi 16 39\n kvn 1\n refresh card\n script\n  update 6f07 "
		"imsi\n  read 6f07 9\n";
	char err[160];

	assert_int_equal(gw_campaign_adopt(b->gw, &row, text, sizeof(text) - 1, err, sizeof(err)), -EINVAL);
	assert_string_equal(err, "canary 10 is 10 cards, and the campaign has 9: take smaller groups");
	memcpy(row.rules, "canry 1", 8);
	assert_int_equal(gw_campaign_adopt(b->gw, &row, text, sizeof(text) - 1, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "did you mean \"canary\"?"));
	row.rules[0] = '\0';
	assert_int_equal(gw_campaign_adopt(b->gw, &row, text, sizeof(text) - 1, err, sizeof(err)), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_group_opens_when_the_one_before_has_ended),
		T(or_when_its_hold_has_passed),
		T(a_pause_does_not_open_a_group),
		T(one_wrong_key_stops_what_is_prepared),
		T(an_authenticated_refusal_counts_as_well),
		T(obstacles_count_while_they_last),
		T(the_canary_protects_the_rest),
		T(a_wrong_key_in_the_canary_is_enough),
		T(a_wrong_key_behind_the_canary_stops_nothing),
		T(the_last_card_of_a_canary_counts),
		T(nothing_leaves_of_a_packet_that_is_half_out),
		T(a_pause_holds_when_it_is_asked_for),
		T(a_restored_store_does_not_say_never),
		T(nothing_leaves_after_the_deadline),
		T(a_window_is_kept),
		T(a_window_in_device_time),
		T(a_read_back_waits_for_its_window),
		T(rules_that_do_not_fit_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
