/* test_fair.c - several campaigns at once: whose packet leaves next?
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "core_bed.h"

#define CARDS	 BED_CARDS_MAX
#define PREPARED 128
#define MINUTE	 60000LL

static struct bed b;

static int setup(void **state)
{
	(void)state;
	bed_open_full(&b, PREPARED, CARDS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	bed_close(&b);
	return 0;
}

static uint64_t campaign(unsigned first, unsigned n, const char *rules)
{
	b.first_card = first;
	b.rules = rules;
	return bed_campaign_with(&b, n, 1, "", false, true);
}

/* The next packet leaves and is taken, or refused as this; how many of the n were of cards from `first` on. */
static unsigned leave(unsigned n, unsigned first, enum fail_class refused)
{
	unsigned of = 0;

	for (unsigned i = 0; i < n; i++) {
		struct sent s;

		if (!bed_leaves(&b, 0, &s))
			fail_msg("nothing leaves after %u of %u", i, n);
		of += s.card >= first;
		if (s.card < first && refused)
			bed_outcome(&b, &s, 0, LINK_EV_REJECTED, refused);
		else
			bed_accepted(&b, &s);
	}
	return of;
}

/* Within a few percent of each other at any time, and at the end. */
static void equals_get_the_same(void **state)
{
	(void)state;
	campaign(0, 200, "");
	campaign(200, 200, "");
	for (unsigned i = 0; i < 8; i++) {
		unsigned second = leave(50, 200, FAIL_NONE);

		/* the first one's head start is what it could prepare alone */
		if (second < (i ? 24 : 18) || (i < 7 && second > 26))
			fail_msg("of packets %u to %u %u are the second campaign's", 50 * i, 50 * i + 49, second);
	}
	bed_expect_nothing(&b);
}

/* Three campaigns, and one that begins when the others are half through. */
static void who_comes_later_gets_its_share(void **state)
{
	unsigned late;

	(void)state;
	campaign(0, 150, "");
	campaign(150, 150, "");
	leave(100, CARDS, FAIL_NONE);
	campaign(300, 30, "");
	late = leave(20, 300, FAIL_NONE); /* its packets are behind nobody's */
	assert_true(late >= 6);
	late += leave(70, 300, FAIL_NONE);
	assert_true(late >= 28);
}

/* A large campaign whose cards are busy again and again does not stand in the way of a small one. */
static void retries_do_not_starve_a_newcomer(void **state)
{
	unsigned n = 0;

	(void)state;
	b.cfg.retry.busy_ms = 1;
	bed_restart(&b);
	campaign(0, 300, "");
	leave(300, CARDS, FAIL_BUSY);
	for (unsigned i = 0; i < 10; i++) {
		bed_pass(&b, 5000); /* all of them are due, more than find a place */
		leave(30, CARDS, FAIL_BUSY);
	}
	campaign(300, 40, "");
	for (unsigned i = 0; i < 150 && n < 40; i++) { /* each place that becomes free is wanted by many */
		n += leave(1, 300, FAIL_BUSY);
		bed_pass(&b, 3000);
	}
	assert_int_equal(n, 40); /* its half, once what was prepared before has left */
}

static void a_class_goes_before_the_next(void **state)
{
	unsigned urgent;

	(void)state;
	campaign(0, 200, "");
	leave(10, CARDS, FAIL_NONE);
	assert_true(bed_view(&b, 1).prepared > PREPARED / 2); /* the queue is as full as it gets */
	campaign(200, 160, "priority rollback");
	urgent = leave(160, 200, FAIL_NONE);
	/* one of sixteen goes to those that wait, and no more */
	assert_true(urgent >= 149 && urgent <= 151);
	urgent += leave(12, 200, FAIL_NONE);
	assert_int_equal(urgent, 160);
	leave(178, CARDS, FAIL_NONE);
	bed_expect_nothing(&b);
}

/* Four classes at once: the highest has nearly all, the lower ones their sixteenth in turn. */
static void no_class_waits_for_ever(void **state)
{
	static const char *const rules[] = { "priority rollback", "priority confirm", "", "priority probe" };
	unsigned n[4] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct gw_event ev = { .kind = GW_EV_CAMPAIGN, .verb = CAMPAIGN_VERB_START };

		b.first_card = 100 * i;
		b.rules = rules[i];
		ev.campaign = bed_campaign_with(&b, 100, 1, "", false, false);
		assert_int_equal(gw_post(b.gw, &ev), 0); /* all at once */
	}
	for (unsigned i = 0; i < 96; i++) {
		struct sent s;

		assert_true(bed_leaves(&b, 0, &s));
		bed_accepted(&b, &s);
		n[s.card / 100]++;
	}
	assert_int_equal(n[0], 90);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(n[i], 2);
}

/* rollback before confirm before ordinary campaigns before probe, each nearly done before the next has begun. */
static void classes_in_their_order(void **state)
{
	static const char *const rules[] = { "priority rollback", "priority confirm", "", "priority probe" };
	unsigned n[4] = { 0 }, at = 0;

	(void)state;
	for (unsigned i = 4; i-- > 0;) /* the least first: it is not who comes first */
		campaign(100 * i, 100, rules[i]);
	for (unsigned i = 0; i < 400; i++) {
		struct sent s;

		assert_true(bed_leaves(&b, 0, &s));
		bed_accepted(&b, &s);
		n[s.card / 100]++;
		if (at < 3 && n[at] == 90) {
			/* what the least could prepare alone, and sixteenths */
			for (unsigned k = at + 1; k < 4; k++)
				if (n[k] > 20 * (at + 1))
					fail_msg("with 90 of class %u there are %u of class %u", at, n[k], k);
			at++;
		}
	}
	assert_int_equal(at, 3);
	bed_expect_nothing(&b);
}

/* Over all links, one of which takes three times as much: a link is nobody's. */
static void equals_get_the_same_on_each_link(void **state)
{
	unsigned n[BED_LINKS][2] = { { 0 } };

	(void)state;
	campaign(0, 200, "");
	campaign(200, 200, "");
	for (unsigned i = 0; i < 320; i++) {
		unsigned link = (i * 7 / 3) % 4 ? 0 : 1; /* three of four ask for link 0, in no step with the turns */
		struct sent s;

		if (!bed_leaves(&b, link, &s))
			fail_msg("nothing leaves on link %u after %u", link, i);
		bed_accepted(&b, &s);
		if (i >= 80) /* after the first one's head start */
			n[link][s.card >= 200]++;
	}
	for (unsigned l = 0; l < BED_LINKS; l++) {
		unsigned all = n[l][0] + n[l][1];

		assert_true(all >= 40);
		if (n[l][0] < all / 3 || n[l][1] < all / 3)
			fail_msg("link %u: %u and %u", l, n[l][0], n[l][1]);
	}
	if (n[0][0] + n[1][0] < 115 || n[0][1] + n[1][1] < 115)
		fail_msg("of 240 %u and %u", n[0][0] + n[1][0], n[0][1] + n[1][1]);
}

/* What cannot send does not keep a share from those that can. */
static void who_waits_for_a_window_takes_no_place(void **state)
{
	(void)state;
	campaign(0, 100, "window 01:00-02:00 utc"); /* it is 22:13 */
	campaign(100, 100, "canary 1");
	campaign(200, 200, "");
	leave(30, CARDS, FAIL_NONE);
	assert_true(bed_view(&b, 3).prepared >= PREPARED / 2);
}

/* A pause of one campaign leaves the other's queue as it is. */
static void a_pause_takes_back_its_own(void **state)
{
	(void)state;
	campaign(0, 200, "");
	campaign(200, 200, "");
	leave(20, CARDS, FAIL_NONE);
	bed_verb(&b, 1, CAMPAIGN_VERB_PAUSE);
	assert_int_equal(bed_view(&b, 1).prepared, 0);
	assert_int_equal(leave(100, 200, FAIL_NONE), 100);
	bed_verb(&b, 1, CAMPAIGN_VERB_START);
	bed_pass(&b, 5000);
	assert_true(leave(20, 200, FAIL_NONE) <= 11);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(equals_get_the_same),
		T(who_comes_later_gets_its_share),
		T(retries_do_not_starve_a_newcomer),
		T(a_class_goes_before_the_next),
		T(no_class_waits_for_ever),
		T(classes_in_their_order),
		T(equals_get_the_same_on_each_link),
		T(who_waits_for_a_window_takes_no_place),
		T(a_pause_takes_back_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
