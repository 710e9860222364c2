/* test_look.c - what the core tells who looks: a line per end of a command, obstacles of who waits, pace and what is left.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "core_bed.h"

#define MINUTE 60000LL

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

static void done(struct bed *b, const struct sent *s)
{
	struct sim_card_out out;
	struct uds u;

	bed_card_takes(b, s, &out);
	bed_uds(&out, &u);
	bed_mo_all(b, 0, s->card, &u);
	bed_expect_txn(b, s->card, TXN_DONE, "");
}

static unsigned lines(const struct bed *b, const char *word)
{
	unsigned n = 0;

	for (const char *p = b->log; (p = strstr(p, word)); p++)
		n++;
	return n;
}

static void has(const struct bed *b, const char *text)
{
	if (!strstr(b->log, text))
		fail_msg("\"%s\" is not in the log:\n%s", text, b->log);
}

/* Everything an operator asks of a command, in one line. */
static void one_line_per_end(void **state)
{
	struct bed *b = *state;
	uint8_t pkt[OTA_PACKET_MAX];
	struct sim_card_out out;
	struct sent s[6], q;
	struct uds u;

	bed_campaign(b, 3, 1, "compact");
	for (unsigned i = 0; i < 3; i++) {
		bed_expect_script(b, i == 2, &s[i]);
		bed_accepted(b, &s[i]);
	}
	bed_pass(b, 1500);
	assert_int_equal(lines(b, "cmd="), 0);
	done(b, &s[0]);
	assert_int_equal(lines(b, "cmd="), 1);
	has(b, "campaign=swap1 kind=SCRIPT tar=B00011 cntr=101 link=0 status=DONE class=NONE code=0 por=00 sw=9000 "
	       "tries=1 "
	       "took=1500ms delays=0/1500 reason=\"script ran, read-back matches\"\n");
	/* refused by the card, under its keys */
	bed_cut(&u, pkt, bed_por(b, &s[1], 0x0a, NULL, 0, pkt), 0, false, 0);
	bed_mo_all(b, 0, s[1].card, &u);
	assert_int_equal(lines(b, "cmd="), 2);
	has(b, "status=FAILED class=CONFIG code=a por=0A sw=0000 tries=1 took=1500ms");
	/* a hint fences the script: that is its end, and the question after it has its own */
	bed_cut(&u, pkt, bed_clear(&s[2], 0x02, s[2].p.cntr, pkt), 0, false, 0);
	bed_mo_all(b, 1, s[2].card, &u);
	bed_pass(b, 10 * MINUTE);
	has(b, "link=1 status=FENCED class=");
	assert_int_equal(lines(b, "status=FENCED"), 1);
	assert_true(bed_leaves(b, 0, &q) || bed_leaves(b, 1, &q));
	bed_accepted(b, &q);
	bed_card_takes(b, &q, &out);
	bed_uds(&out, &u);
	bed_mo_all(b, 0, q.card, &u);
	has(b, "kind=READBACK");
	has(b, "status=DONE class=NONE code=0 por=00 sw=9000 tries=1 took=");
	has(b, "reason=\"still the old IMSI: the script goes out anew\"");
	assert_int_equal(lines(b, "kind=READBACK"), 1);
	assert_int_equal(lines(b, "cmd="), 4);
	/* and no card is named by its numbers */
	assert_int_equal(lines(b, "8988"), 0);
	assert_int_equal(lines(b, "99981"), 0);
}

static void waiting_is_told_by_what_is_waited_for(void **state)
{
	struct bed *b = *state;
	uint64_t id = bed_campaign(b, 6, 1, "compact");
	struct gw_campaign_view v;
	struct sent s[6];

	for (unsigned i = 0; i < 6; i++)
		bed_expect_script(b, 0, &s[i]);
	for (unsigned i = 0; i < 3; i++)
		bed_outcome(b, &s[i], 0, LINK_EV_REJECTED, FAIL_ABSENT);
	bed_outcome(b, &s[3], 0, LINK_EV_REJECTED, FAIL_BUSY);
	bed_outcome(b, &s[4], 0, LINK_EV_REJECTED, FAIL_SUBS_PERM);
	bed_accepted(b, &s[5]);
	v = bed_view(b, id);
	assert_int_equal(v.waiting_class[FAIL_ABSENT], 3);
	assert_int_equal(v.waiting_class[FAIL_BUSY], 1);
	/* who has ended does not wait */
	assert_int_equal(v.waiting_class[FAIL_SUBS_PERM], 0);
	assert_int_equal(v.by_class[FAIL_SUBS_PERM], 1);
	assert_int_equal(v.eta_cards, 1);
	/* the store knows the same */
	bed_restart(b);
	v = bed_view(b, id);
	assert_int_equal(v.waiting_class[FAIL_ABSENT], 3);
	assert_int_equal(v.waiting_class[FAIL_BUSY], 1);
	assert_int_equal(v.waiting_class[FAIL_NONE], 1);
	assert_int_equal(v.waiting_class[FAIL_SUBS_PERM], 0);
	bed_verb(b, id, CAMPAIGN_VERB_CANCEL);
	bed_pass(b, 60 * MINUTE);
	v = bed_view(b, id);
	for (unsigned i = 0; i < _FAIL_CLASSES; i++)
		assert_int_equal(v.waiting_class[i], 0);
}

static void the_pace_is_that_of_now(void **state)
{
	struct bed *b = *state;
	uint64_t id = bed_campaign(b, 6, 1, "compact");
	struct gw_campaign_view v = bed_view(b, id);
	struct sent s[6];

	assert_int_equal(v.eta_ms, -1);
	for (unsigned i = 0; i < 6; i++) {
		bed_expect_script(b, 0, &s[i]);
		bed_accepted(b, &s[i]);
	}
	for (unsigned i = 0; i < 3; i++) {
		bed_pass(b, 30000);
		done(b, &s[i]);
		bed_pass(b, 1000);
	}
	v = bed_view(b, id);
	assert_true(v.long_ms > MINUTE);
	assert_true(v.long_per_s > 0.02 && v.long_per_s < 0.04);
	assert_int_equal(v.eta_cards, 3);
	assert_true(v.eta_ms > 60000 && v.eta_ms < 150000);
	/* nothing happens any more: who looks later sees that, though the core is not turned */
	gw_campaign_pace(b->gw, b->now_ms + MINUTE, &v);
	assert_true(v.done_per_s == 0);
	gw_campaign_pace(b->gw, b->now_ms + 20 * MINUTE, &v);
	assert_true(v.long_per_s == 0);
	assert_int_equal(v.eta_ms, -1);
	/* what is paused has no pace, and begins a new one */
	bed_verb(b, id, CAMPAIGN_VERB_PAUSE);
	assert_true(bed_view(b, id).done_per_s == 0);
	bed_verb(b, id, CAMPAIGN_VERB_START);
	assert_int_equal(bed_view(b, id).long_ms, 0);
}

/* BED_START_MS is 22:13:20 UTC; half a minute a card. */
static void an_eta_ends_with_the_window_and_the_deadline(void **state)
{
	static const struct {
		const char *rules, *past;
		int64_t after_ms; /* the start */
	} t[] = {
		{ "window 22:00-22:30 utc; deadline 4m", NULL, 0 },
		{ "window 22:00-22:16 utc", "window", 160000 },
		{ "window 22:00-22:16 utc; deadline 2m", "deadline", 120000 },
		{ "window 22:00-22:16 utc; deadline 3m", "window", 160000 },
		{ "window 22:13-22:14 device", "window", 0 }, /* card by card */
	};
	struct bed *b;
	struct sent s[6];
	void *bed;

	for (size_t n = 0; n < sizeof(t) / sizeof(t[0]); n++) {
		struct gw_campaign_view v;
		int64_t start_ms;
		uint64_t id;

		if (n) {
			teardown(state);
			setup(&bed);
			*state = bed;
		}
		b = *state;
		start_ms = b->now_ms;
		b->rules = t[n].rules;
		id = bed_campaign_with(b, 6, 1, "", false, true);
		for (unsigned i = 0; i < 6; i++) {
			bed_expect_script(b, 0, &s[i]);
			bed_accepted(b, &s[i]);
		}
		for (unsigned i = 0; i < 3; i++) {
			bed_pass(b, 30000);
			done(b, &s[i]);
			bed_pass(b, 1000);
		}
		v = bed_view(b, id);
		assert_int_equal(v.eta_ms == -1, t[n].past != NULL);
		assert_string_equal(v.eta_past ? v.eta_past : "", t[n].past ? t[n].past : "");
		assert_true(v.eta_past_ms == (t[n].after_ms ? start_ms + t[n].after_ms : 0));
	}
}

static void thresholds_tell_what_they_have_counted(void **state)
{
	struct bed *b = *state;
	struct gw_campaign_view v;
	struct sent s;
	uint64_t id;

	b->rules = "canary 2; abort failed>3%; abort class-ABSENT>5";
	id = bed_campaign_with(b, 6, 1, "", false, true);
	bed_expect_script(b, 0, &s);
	bed_outcome(b, &s, 0, LINK_EV_REJECTED, FAIL_SUBS_PERM);
	bed_expect_script(b, 0, &s);
	bed_outcome(b, &s, 0, LINK_EV_REJECTED, FAIL_ABSENT);
	v = bed_view(b, id);
	assert_int_equal(v.n_abort, 2);
	assert_string_equal(v.abort[0].rule, "failed>3%");
	assert_int_equal(v.abort[0].hits, 1);
	assert_int_equal(v.abort[0].of, 1);
	assert_string_equal(v.abort[1].rule, "class-ABSENT>5");
	assert_int_equal(v.abort[1].hits, 1);
	assert_int_equal(v.abort[1].of, 2);
	/* how long a canary is looked at no rate tells */
	assert_int_equal(v.eta_ms, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_line_per_end, setup, teardown),
		cmocka_unit_test_setup_teardown(waiting_is_told_by_what_is_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(the_pace_is_that_of_now, setup, teardown),
		cmocka_unit_test_setup_teardown(an_eta_ends_with_the_window_and_the_deadline, setup, teardown),
		cmocka_unit_test_setup_teardown(thresholds_tell_what_they_have_counted, setup, teardown),
	};

	return cmocka_run_group_tests_name("look", tests, NULL, NULL);
}
