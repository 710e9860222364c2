/* test_rules.c - a campaign's rules: every word, every mistake, and what they say about a moment or a count.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "ota/link.h"
#include "rules.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN	      60000LL
#define HOUR	      (60 * MIN)
#define DAY	      (24 * HOUR)
#define MIDNIGHT      (19000 * DAY) /* UTC, 2022-01-08 */

static struct rules parse(const char *text)
{
	char err[RULES_ERR_MAX] = "";
	struct rules r;

	if (rules_parse(&r, text, err))
		fail_msg("%s: %s", text, err);
	return r;
}

static void every_text_has_one_form(void **state)
{
	static const char *const same[][2] = {
		{ "", "" },
		{ " ;; \n", "" },
		{ "canary 10", "canary 10" },
		{ "canary 10,100,5%", "canary 10,100,5%" },
		{ "canary 1,0.5%,0.25%,100%;hold 90m", "canary 1,0.5%,0.25%,100%; hold 90m" },
		{ "hold  120m\ncanary\t7", "canary 7; hold 2h" },
		{ "abort failed>3%", "abort failed>3%" },
		{ "abort failed > 3 %", NULL },
		{ "abort failed >= 3", "abort failed>=3" },
		{ "abort quarantined>=1; abort expired>0; abort por-0A>=1; abort class-absent>20%", NULL },
		{ "abort quarantined>=1;abort por-0A>=1 ;abort class-CARD-TRANSIENT>12.5%;",
		  "abort quarantined>=1; abort por-0a>=1; abort class-CARD-TRANSIENT>12.5%" },
		{ "abort canary:por-1F >= 1;canary 10", "canary 10; abort canary:por-1f>=1" },
		{ "abort canary:failed>3%; abort failed>1; canary 1",
		  "canary 1; abort canary:failed>3%; abort failed>1" },
		{ "window 01:00-05:00 utc", "window 01:00-05:00 utc" },
		{ "window 1:00-5:00   Z", "window 01:00-05:00 utc" },
		{ "window 22:30-04:00 +0100", "window 22:30-04:00 +01:00" },
		{ "window 20:00-24:00 -05:30", "window 20:00-24:00 -05:30" },
		{ "window 24:00-06:00 device", "window 00:00-06:00 device" },
		{ "deadline 21d", "deadline 21d" },
		{ "deadline 36h; priority campaign", "deadline 36h" },
		{ "deadline 2026-12-24", "deadline 2026-12-24T00:00:00Z" },
		{ "deadline 2028-02-29T23:59Z", "deadline 2028-02-29T23:59:00Z" },
		{ "deadline 2100-02-28T00:00:59Z", "deadline 2100-02-28T00:00:59Z" },
		{ "priority rollback", "priority rollback" },
		{ "priority probe ; deadline 1s ; window 0:00-0:01 utc ; abort por-00>1 ; hold 1d ; canary 2",
		  "canary 2; hold 1d; abort por-00>1; window 00:00-00:01 utc; deadline 1s; priority probe" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		char text[CAMPAIGN_RULES_MAX], twice[CAMPAIGN_RULES_MAX], err[RULES_ERR_MAX];
		struct rules r;

		if (!same[i][1]) {
			assert_int_equal(rules_parse(&r, same[i][0], err), -1);
			continue;
		}
		r = parse(same[i][0]);
		rules_print(&r, text);
		assert_string_equal(text, same[i][1]);
		r = parse(text);
		rules_print(&r, twice);
		assert_string_equal(twice, text);
	}
}

/* The longest text of all has its place. */
static void the_longest_fits(void **state)
{
	struct rules r = parse("canary 999999999,999999999,999999999,999999999; hold 3660d; window 22:30-04:00 +01:00; "
			       "deadline 2100-02-28T00:00:59Z; priority rollback");
	char text[CAMPAIGN_RULES_MAX];

	(void)state;
	for (r.n_abort = 0; r.n_abort < RULES_ABORT_MAX; r.n_abort++)
		r.abort[r.n_abort] = (struct rules_abort){ .what = RULE_CLASS,
							   .arg = FAIL_CARD_TRANSIENT,
							   .canary = true,
							   .or_equal = true,
							   .limit = 1000000000 };
	rules_print(&r, text);
	assert_true(strlen(text) + 1 < CAMPAIGN_RULES_MAX);
	assert_non_null(strstr(text, "priority rollback"));
}

static void mistakes_are_named(void **state)
{
	static const char *const bad[][2] = {
		{ "canry 10", "unknown rule \"canry\"; did you mean \"canary\"?; known are canary, hold, abort" },
		{ "canary", "group 1 must be" },
		{ "canary 0", "group 1 must be" },
		{ "canary 10,", "group 2 must be" },
		{ "canary 10 100", "divided by commas" },
		{ "canary 10,101%", "group 2 must be" },
		{ "canary 1.5", "group 1 must be" },
		{ "canary 0.125%", "group 1 must be" },
		{ "canary 1,2,3,4,5", "at most 4 groups" },
		{ "canary 99999999999999999999", "group 1 must be" },
		{ "canary 1; canary 2", "rule 2 \"canary 2\": canary was given before" },
		{ "hold 2h", "there is no canary" },
		{ "canary 1; hold 2", "\"2\" is no time" },
		{ "canary 1; hold 2w", "\"2w\" is no time" },
		{ "canary 1; hold 0h", "is no time" },
		{ "abort faild>3%", "unknown word \"faild\"; did you mean \"failed\"?; known are failed, expired" },
		{ "abort failed", "after \"failed\" there must be > or >=" },
		{ "abort failed<3", "there must be > or >=" },
		{ "abort failed=3", "there must be > or >=" },
		{ "abort failed>", "there must be a number of cards" },
		{ "abort failed>-1", "there must be a number of cards" },
		{ "abort failed>3% or more", "there must be a number of cards" },
		{ "abort failed>=0", "is always so" },
		{ "abort failed>=0%", "is always so" },
		{ "abort canary:por-01>=1", "there is no canary" },
		{ "canary 1; abort canary:>=1", "unknown word \"\"" },
		{ "canary 1; abort canary:canary:failed>=1", "unknown word \"canary:failed\"" },
		{ "abort por-1>=1", "two hexadecimal digits" },
		{ "abort por-xx>=1", "two hexadecimal digits" },
		{ "abort class-ABSNET>1", "unknown class \"ABSNET\"; did you mean \"ABSENT\"?" },
		{ "abort class-OK>1", "unknown class \"OK\"" },
		{ "abort class-NONE>1", "unknown class \"NONE\"" },
		{ "abort class->1", "unknown class \"\"" },
		{ "abort aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa>1", "a threshold is like" },
		{ "window 01:00-05:00", "which zone?" },
		{ "window 01:00-05:00 Europe/Berlin", "unknown zone \"Europe/Berlin\"; known are utc, an offset" },
		{ "window 01:00-05:00 +15:00", "unknown zone \"+15:00\"" },
		{ "window 01:00-05:00 -13:00", "unknown zone" },
		{ "window 01:00-05:00 +01:60", "unknown zone" },
		{ "window 01:00-05:00 +1", "unknown zone" },
		{ "window 01:00-01:00 utc", "opens and closes at the same time" },
		{ "window 00:00-24:00 utc", "opens and closes at the same time" },
		{ "window 25:00-05:00 utc", "a window is like" },
		{ "window 24:01-05:00 utc", "a window is like" },
		{ "window 01:60-05:00 utc", "a window is like" },
		{ "window 01:0-05:00 utc", "a window is like" },
		{ "window 1-5 utc", "a window is like" },
		{ "deadline tomorrow", "neither a time from the start" },
		{ "deadline 2026-02-29", "neither a time" },
		{ "deadline 2026-13-01", "neither a time" },
		{ "deadline 2026-00-01", "neither a time" },
		{ "deadline 2026-12-24T22:00", "neither a time" },
		{ "deadline 2026-12-24T22:00:61Z", "neither a time" },
		{ "deadline 1999-12-24", "neither a time" },
		{ "priority campain",
		  "unknown priority \"campain\"; did you mean \"campaign\"?; known are rollback, confirm" },
		{ "priority", "unknown priority \"\"" },
		{ "canary 10\x01", "rule 1: character 10" },
		{ "hold 2h\xc3\xa4", "none of ASCII" },
	};
	char err[RULES_ERR_MAX], many[CAMPAIGN_RULES_MAX + 1], longest[CAMPAIGN_RULES_MAX + 100];
	struct rules r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(rules_parse(&r, bad[i][0], err), -1);
		if (!strstr(err, bad[i][1]))
			fail_msg("\"%s\": \"%s\" is not in \"%s\"", bad[i][0], bad[i][1], err);
	}
	many[0] = '\0';
	for (unsigned i = 0; i <= RULES_ABORT_MAX; i++)
		strcat(many, "abort failed>1;");
	assert_int_equal(rules_parse(&r, many, err), -1);
	assert_non_null(strstr(err, "rule 9 \"abort failed>1\": at most 8"));
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(rules_parse(&r, longest, err), -1);
	assert_non_null(strstr(err, "longer than 544"));
	longest[CAMPAIGN_RULES_MAX - 1] = '\0';
	assert_int_equal(rules_parse(&r, longest, err), -1);
}

static void groups_of_a_campaign(void **state)
{
	struct rules r = parse("canary 10,100,5%");
	char err[RULES_ERR_MAX];

	(void)state;
	assert_int_equal(rules_group_end(&r, 0, 10000), 10);
	assert_int_equal(rules_group_end(&r, 1, 10000), 110);
	assert_int_equal(rules_group_end(&r, 2, 10000), 610);
	assert_int_equal(rules_group_end(&r, 3, 10000), 10000);
	assert_int_equal(rules_group_end(&r, 99, 10000), 10000);
	assert_int_equal(rules_fit(&r, 10000, err), 0);
	assert_int_equal(rules_fit(&r, 116, err), 0); /* 10 + 100 + 6 of 5.8 */
	assert_int_equal(rules_fit(&r, 115, err), -1);
	assert_string_equal(err, "canary 10,100,5% is 116 cards, and the campaign has 115: take smaller groups");
	assert_int_equal(rules_group_end(&r, 2, 50), 50);
	r = parse("canary 0.01%");
	assert_int_equal(rules_group_end(&r, 0, 3), 1); /* no group is empty */
	r = parse("");
	assert_int_equal(rules_group_end(&r, 0, 7), 7);
	assert_int_equal(rules_fit(&r, 0, err), 0);
}

static void windows_open_and_close(void **state)
{
	static const struct {
		const char *window;
		int64_t tz_min, at_ms, want_ms; /* of the day that begins at MIDNIGHT */
	} when[] = {
		{ "window 01:00-05:00 utc", 0, 0, HOUR },
		{ "window 01:00-05:00 utc", 0, HOUR - 1, HOUR },
		{ "window 01:00-05:00 utc", 0, HOUR, HOUR },
		{ "window 01:00-05:00 utc", 0, 5 * HOUR - 1, 5 * HOUR - 1 },
		{ "window 01:00-05:00 utc", 0, 5 * HOUR, DAY + HOUR },
		{ "window 01:00-05:00 utc", 600, 5 * HOUR, DAY + HOUR }, /* the card's zone is no matter */
		{ "window 22:00-04:00 utc", 0, 0, 0 },
		{ "window 22:00-04:00 utc", 0, 4 * HOUR, 22 * HOUR },
		{ "window 22:00-04:00 utc", 0, 23 * HOUR, 23 * HOUR },
		{ "window 20:00-24:00 utc", 0, 24 * HOUR - 1, 24 * HOUR - 1 },
		{ "window 20:00-24:00 utc", 0, 24 * HOUR, DAY + 20 * HOUR },
		{ "window 01:00-05:00 +02:00", 0, 0, 0 }, /* 02:00 there */
		{ "window 01:00-05:00 +02:00", 0, 3 * HOUR, 23 * HOUR },
		{ "window 01:00-05:00 -05:30", 0, 6 * HOUR, 6 * HOUR + 30 * MIN },
		{ "window 01:00-05:00 device", 120, 0, 0 },
		{ "window 01:00-05:00 device", -330, 6 * HOUR, 6 * HOUR + 30 * MIN },
		{ "window 01:00-05:00 device", 0, 6 * HOUR, DAY + HOUR },
		{ "", 0, 6 * HOUR, 6 * HOUR },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(when); i++) {
		struct rules r = parse(when[i].window);

		/* also before 1970: a clock may be anything */
		for (int64_t base = -MIDNIGHT; base <= MIDNIGHT; base += MIDNIGHT)
			if (rules_opening(&r, when[i].tz_min, base + when[i].at_ms) != base + when[i].want_ms)
				fail_msg("%zu: %s at %lld", i, when[i].window, (long long)when[i].at_ms);
	}
	assert_true(rules_window_ms(&(struct rules){ .windowed = false }) == DAY);
	struct rules r = parse("window 22:00-04:00 utc");

	assert_true(rules_window_ms(&r) == 6 * HOUR);
}

static void deadlines(void **state)
{
	struct rules r = parse("deadline 21d");

	(void)state;
	assert_true(rules_deadline(&r, MIDNIGHT) == MIDNIGHT + 21 * DAY);
	r = parse("deadline 2022-01-08T01:00Z");
	assert_true(rules_deadline(&r, 7) == MIDNIGHT + HOUR);
	r = parse("");
	assert_true(rules_deadline(&r, MIDNIGHT) == 0);
}

static void thresholds(void **state)
{
	static const struct {
		const char *rule;
		uint32_t hits, ended, heard;
		int want;
	} t[] = {
		{ "abort failed>=1", 0, 1000, 1000, -1 },
		{ "abort failed>=1", 1, 1, 1, 0 },
		{ "abort failed>1", 1, 1000, 1000, -1 },
		{ "abort failed>1", 2, 2, 2, 0 },
		{ "abort failed>0", 1, 1, 1, 0 },
		/* of at least 50 cards: 1.5 may fail */
		{ "abort failed>3%", 1, 1, 1, -1 },
		{ "abort failed>3%", 2, 2, 2, 0 },
		{ "abort failed>3%", 3, 100, 500, -1 },
		{ "abort failed>3%", 4, 100, 500, 0 },
		{ "abort failed>=4%", 4, 100, 500, 0 },
		{ "abort failed>=4%", 3, 100, 500, -1 },
		{ "abort failed>0%", 1, 4000000000u, 4000000000u, 0 },
		/* what is no end is measured against all cards that something is known of */
		{ "abort class-ABSENT>20%", 60, 100, 300, -1 },
		{ "abort class-ABSENT>20%", 61, 100, 300, 0 },
		{ "abort por-09>1%", 3, 300, 400, -1 },
		{ "abort por-09>1%", 5, 300, 400, 0 },
		{ "", 7, 7, 7, -1 },
	};
	struct rules_tally two = { .ended = 10, .heard = 10, .hits = { 0, 1 } };
	struct rules r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct rules_tally tally = { .ended = t[i].ended, .heard = t[i].heard, .hits = { t[i].hits } };

		r = parse(t[i].rule);
		if (rules_met(&r, &tally) != t[i].want)
			fail_msg("%zu: %s with %u", i, t[i].rule, t[i].hits);
	}
	r = parse("abort failed>=1; abort quarantined>=1");
	assert_int_equal(rules_met(&r, &two), 1);
}

static void a_tally_is_kept_as_text(void **state)
{
	struct rules_tally t = { .ended = UINT32_MAX, .heard = UINT32_MAX }, back;
	char text[CAMPAIGN_TALLY_MAX];

	(void)state;
	for (unsigned i = 0; i < RULES_ABORT_MAX; i++)
		t.hits[i] = UINT32_MAX - i;
	rules_tally_print(&t, text);
	assert_int_equal(rules_tally_parse(&back, text), 0);
	assert_memory_equal(&t, &back, sizeof(t));
	assert_int_equal(rules_tally_parse(&back, ""), 0);
	assert_int_equal(back.ended + back.heard + back.hits[0], 0);
	assert_int_equal(rules_tally_parse(&back, "1,2,3"), 0);
	assert_int_equal(back.hits[0], 3);
	assert_int_equal(rules_tally_parse(&back, "1,2,"), -1);
	assert_int_equal(rules_tally_parse(&back, "1 2"), -1);
	assert_int_equal(rules_tally_parse(&back, "4294967296"), -1);
	assert_int_equal(rules_tally_parse(&back, "1,2,3,4,5,6,7,8,9,10,11"), -1);
}

/* Bytes at random, and good texts with one octet changed: an answer, and what is good prints as something good. */
static void anything_is_answered(void **state)
{
	static const char good[] =
		"canary 10,5%; hold 2h; abort failed>3%; abort por-01>=1; window 22:00-04:00 +01:00; "
		"deadline 2026-12-24T22:00Z; priority probe";
	char text[CAMPAIGN_RULES_MAX], err[RULES_ERR_MAX];
	uint32_t dice = 1;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		struct rules r;

		memcpy(text, good, sizeof(good));
		for (unsigned i = 0; i < 1 + round % 3; i++) {
			dice = dice * 1664525 + 1013904223;
			text[dice % (sizeof(good) - 1)] = (char)(dice >> 20);
		}
		if (rules_parse(&r, text, err))
			continue;
		rules_print(&r, text);
		assert_int_equal(rules_parse(&r, text, err), 0);
	}
}

/* What is added where nothing was said, and what is left alone. */
static void what_is_added_where_nothing_was_said(void **state)
{
	static const char *const t[][2] = {
		{ "", "abort class-CONFIG>10%" },
		{ "canary 5; abort failed>3%; deadline 1d",
		  "canary 5; abort failed>3%; abort canary:por-01>=1; abort canary:por-05>=1; abort class-CONFIG>10%; "
		  "deadline 1d" },
		{ "canary 5; abort por-01>=3",
		  "canary 5; abort por-01>=3; abort canary:por-05>=1; abort class-CONFIG>10%" },
		{ "canary 5; abort canary:por-05>100%; abort canary:por-01>100%; abort class-CONFIG>=1",
		  "canary 5; abort canary:por-05>100%; abort canary:por-01>100%; abort class-CONFIG>=1" },
		{ "abort class-CONFIG>=1; abort failed>3%", "abort class-CONFIG>=1; abort failed>3%" },
		{ "abort class-ABSENT>50%", "abort class-ABSENT>50%; abort class-CONFIG>10%" },
		{ "abort por-00>1; abort por-01>1; abort por-02>1; abort por-03>1; abort por-04>1; abort por-05>1; "
		  "abort por-06>1; abort por-07>1",
		  "abort por-00>1; abort por-01>1; abort por-02>1; abort por-03>1; abort por-04>1; abort por-05>1; "
		  "abort por-06>1; abort por-07>1" },
	};
	char text[CAMPAIGN_RULES_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct rules r = parse(t[i][0]);

		rules_complete(&r);
		rules_print(&r, text);
		assert_string_equal(text, t[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_text_has_one_form),
		cmocka_unit_test(the_longest_fits),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(groups_of_a_campaign),
		cmocka_unit_test(windows_open_and_close),
		cmocka_unit_test(deadlines),
		cmocka_unit_test(thresholds),
		cmocka_unit_test(a_tally_is_kept_as_text),
		cmocka_unit_test(what_is_added_where_nothing_was_said),
		cmocka_unit_test(anything_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
