/* test_front_estimate.c - cost and duration: every figure by hand, and what is said where there is none.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "front_fix.h"

#include "estimate.h"

#define DAY  86400000LL
#define HOUR 3600000LL

static struct rules rules;

static struct estimate one(const char *text)
{
	char err[RULES_ERR_MAX];
	struct estimate e = { .cards = 1000,
			      .sms_parts = 2000,
			      .seen = 1000,
			      .rules = &rules,
			      .now_ms = FIX_NOW,
			      .answer = { .n = 10, .median_ms = 3000, .p90_ms = 5000 },
			      .n_links = 1 };

	if (rules_parse(&rules, text, err))
		fail_msg("%s", err);
	e.link[0] = (struct estimate_link){
		.name = "a", .up = true, .window = 10, .limit = 40, .submit = { .n = 9, .median_ms = 100 }
	};
	assert_int_equal(price_parse(&e.price, "0.05", "EUR", err, sizeof(err)), 0);
	return e;
}

static bool noted(const struct estimate *e, const char *what)
{
	for (unsigned i = 0; i < e->n_notes; i++)
		if (strstr(e->note[i], what))
			return true;
	return false;
}

static void test_rate(void **state)
{
	struct estimate e = one("");

	(void)state;
	estimate_make(&e);
	assert_true(e.per_s == 40); /* the window would let 100/s through */
	assert_true(e.send_ms == 50000);
	assert_true(e.duration_ms == 55000);
	assert_int_equal(e.n_notes, 0);
	e.link[0].submit.median_ms = 1000;
	estimate_make(&e);
	assert_true(e.per_s == 10);
	assert_true(e.send_ms == 200000);
	e.n_links = 3; /* a second one without a limit; a third that is down */
	e.link[1] =
		(struct estimate_link){ .name = "b", .up = true, .window = 20, .submit = { .n = 1, .median_ms = 500 } };
	e.link[2] = (struct estimate_link){ .name = "c", .window = 20, .limit = 100 };
	estimate_make(&e);
	assert_true(e.per_s == 50);
	assert_int_equal(e.n_notes, 1);
	assert_true(noted(&e, "link c is down, or carries nothing now, and is not counted"));
	e.link[1].submit.median_ms = 0; /* faster than can be told: no limit */
	estimate_make(&e);
	assert_true(e.per_s == ESTIMATE_PER_S_ANY);
	assert_true(e.send_ms == 0 && e.duration_ms == 5000);
}

/* a carries west alone, b both, c east alone; 40, 60 and 100 a second. */
static void test_routes(void **state)
{
	struct estimate e = one("");

	(void)state;
	e.n_links = 3;
	e.link[0].limit = 40;
	for (unsigned i = 1; i < 3; i++)
		e.link[i] = (struct estimate_link){ .name = i == 1 ? "b" : "c",
						    .up = true,
						    .window = 10,
						    .limit = i == 1 ? 60 : 100,
						    .submit = { .n = 9, .median_ms = 10 } };
	e.n_routes = 3;
	e.route[0] = (struct estimate_route){ .name = "west", .sms_parts = 2000, .links = 3 };
	e.route[1] = (struct estimate_route){ .name = "east", .sms_parts = 4000, .links = 6 };
	e.route[2] = (struct estimate_route){ .name = "rest", .links = 4 };
	e.sms_parts = 6000;
	estimate_make(&e);
	assert_true(e.send_ms == 30000); /* both: 6,000 by all 200; west by 100: 20 s; east by 160: 25 s */
	e.route[1].sms_parts = 400;
	e.sms_parts = 2400;
	estimate_make(&e);
	assert_true(e.send_ms == 20000); /* west is the longer one, and c cannot help it */
	assert_int_equal(e.n_notes, 0);
	e.route[0].sms_parts = 0;
	e.sms_parts = 400;
	e.link[0].submit.n = 0; /* a is not asked: nothing is said of it */
	estimate_make(&e);
	assert_true(e.per_s == 160 && e.send_ms == 2500 && !e.n_notes);
	e.route[1].links = 0;
	estimate_make(&e);
	assert_true(e.send_ms == -1 && noted(&e, "no link is up"));
	e.route[0].sms_parts = 100;
	e.sms_parts = 500;
	estimate_make(&e);
	assert_true(e.send_ms == -1);
	assert_true(noted(&e, "route east: no link carries it now, and 400 short messages go that way"));
}

static void test_nothing_measured(void **state)
{
	struct estimate e = one("");

	(void)state;
	e.link[0].submit.n = e.answer.n = 0;
	estimate_make(&e);
	assert_true(e.per_s == 40 && e.send_ms == 50000 && e.duration_ms == 50000);
	assert_true(noted(&e, "link a: no measurement yet of what a submit takes; its throughput is taken"));
	assert_true(noted(&e, "no measurement yet of how long cards take to answer"));
	e.link[0].limit = 0;
	estimate_make(&e);
	assert_true(e.per_s == ESTIMATE_PER_S_UNKNOWN && e.send_ms == -1 && e.duration_ms == -1);
	assert_true(noted(&e, "and its throughput is unlimited"));
	assert_true(noted(&e, "no duration can be told"));
	e.link[0].limit = 40;
	e.link[0].up = false;
	e.seen = 0;
	e.others = 2;
	estimate_make(&e);
	assert_true(e.duration_ms == -1);
	assert_true(noted(&e, "no link is up"));
	assert_true(noted(&e, "none of the cards has been seen in the last 30 days"));
	assert_true(noted(&e, "2 campaigns are running"));
}

static void test_window_canary_deadline(void **state)
{
	struct estimate e = one("window 01:00-05:00 utc");

	(void)state;
	e.sms_parts = 40 * 3600 * 10; /* ten hours: two whole windows and half of a third; it is 22:00 */
	estimate_make(&e);
	assert_true(e.window_ms == 4 * HOUR);
	assert_true(e.duration_ms == 3 * HOUR + 2 * DAY + 2 * HOUR + 5000);
	e = one("canary 10,100; hold 2h");
	estimate_make(&e);
	assert_true(e.canary_ms == 2 * 5000 && e.duration_ms == 50000 + 10000 + 5000); /* all are there: answers */
	e.seen = 999;
	estimate_make(&e);
	assert_true(e.canary_ms == 2 * 7200000);
	e = one("canary 10");
	e.seen = 999;
	estimate_make(&e);
	assert_true(noted(&e, "there is no hold"));
	e.seen = 1000;
	e.answer.n = 0;
	estimate_make(&e);
	assert_true(e.canary_ms == 0 && noted(&e, "canary groups wait for answers: no measurement yet"));
	e = one("deadline 50s");
	estimate_make(&e);
	assert_true(noted(&e, "the deadline comes before"));
	e = one("deadline 60s");
	estimate_make(&e);
	assert_int_equal(e.n_notes, 0);
}

/* What is left of the first window counts, and a wait before it. */
static void test_window_that_opens_later(void **state)
{
	static const struct {
		int64_t hour_x2; /* of the day */
		const char *rules;
		uint64_t work_h;
		int64_t takes_ms;
		const char *note, *none;
	} t[] = {
		{ 12, "window 01:00-05:00 utc; deadline 12h", 3, 22 * HOUR, "before the window opens: nothing", NULL },
		{ 12, "window 01:00-05:00 utc; deadline 12h", 3, 22 * HOUR, "not every card will have its turn", NULL },
		{ 12, "window 01:00-05:00 utc; deadline 23h", 3, 22 * HOUR, NULL, "deadline" },
		{ 12, "window 06:00-10:00 +05:00", 3, 22 * HOUR, NULL, NULL },
		{ 9, "window 01:00-05:00 utc", 3, 23 * HOUR, NULL, NULL }, /* half an hour, and 2.5 from 01:00 */
		{ 9, "window 01:00-05:00 utc; deadline 12h", 3, 23 * HOUR, "not every card", "before the window" },
		{ 9, "window 01:00-05:00 utc; deadline 1d", 3, 23 * HOUR, NULL, "deadline" },
		{ 2, "window 01:00-05:00 utc", 4, 4 * HOUR, NULL, NULL }, /* all of it, to the end */
		{ 2, "window 01:00-05:00 utc", 12, 2 * DAY + 4 * HOUR, NULL, NULL },
		{ 4, "window 22:00-04:00 utc", 3, 21 * HOUR, NULL, NULL }, /* two hours, and one from 22:00 */
		{ 2, "window 01:00-05:00 device", 3, 3 * HOUR, "cards in UTC", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct estimate e = one(t[i].rules);

		e.now_ms = FIX_NOW / DAY * DAY + t[i].hour_x2 * HOUR / 2;
		e.sms_parts = 40 * 3600 * t[i].work_h;
		estimate_make(&e);
		if (e.duration_ms != t[i].takes_ms + 5000)
			fail_msg("%zu: %lld s", i, (long long)e.duration_ms / 1000);
		if ((t[i].note && !noted(&e, t[i].note)) || (t[i].none && noted(&e, t[i].none)))
			fail_msg("%zu: the notes", i);
	}
}

static void test_cost(void **state)
{
	static const struct {
		const char *each;
		uint64_t parts;
		const char *cost;
	} good[] = {
		{ "0.05", 2000, "100.00" }, { "0.05", 1, "0.05" },	   { "1", 7, "7.00" },
		{ "0.0125", 3, "0.0375" },  { "0.000001", 1, "0.000001" }, { "1000", 600000000, "600000000000.00" },
		{ "0", 7, "0.00" },
	};
	static const char *const bad[] = { "",	     "x",  ".5",  "5.",	   "0,05", "1.0000001",
					   "1000.1", "-1", "1e3", "00001", "1 " };
	struct config_price p;
	char err[160];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct estimate e = one("");

		assert_int_equal(price_parse(&e.price, good[i].each, "EUR", err, sizeof(err)), 0);
		e.sms_parts = good[i].parts;
		estimate_make(&e);
		assert_string_equal(e.cost, good[i].cost);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!price_parse(&p, bad[i], "EUR", err, sizeof(err)))
			fail_msg("\"%s\" was taken as a price", bad[i]);
	assert_int_equal(price_parse(&p, "1", "", err, sizeof(err)), -1);
	assert_int_equal(price_parse(&p, "1", "0123456789abcdef", err, sizeof(err)), -1);
	assert_int_equal(price_parse(&p, "1", "E\033R", err, sizeof(err)), -1);
	assert_int_equal(price_parse(&p, "1", "US$", err, sizeof(err)), 0);
	assert_string_equal(p.currency, "US$");
}

/* Through the api: without links and after nothing has ever been sent, that is what is said. */
static void test_dry_run(void **state)
{
	struct front *f = front_new(PROFILE_DIR);
	const json_t *e, *notes;
	char csv[512], iccid[21], id[32];

	(void)state;
	fix_cards(f, 3);
	assert_int_equal(front_create(f, "x", "usim-rfm", true), 200);
	snprintf(id, sizeof(id), "%s", front_s(f, "session"));
	snprintf(csv, sizeof(csv), "ICCID,IMSI\n%s,001020000000001\n", fix_iccid(iccid, 1));
	assert_int_equal(front_lines(f, "x", id, 1, csv), 200);
	assert_int_equal(front_finish(f, "x", id), 200);
	e = json_object_get(f->json, "estimate");
	assert_true(json_is_object(e));
	assert_true(json_is_null(json_object_get(e, "cost")));
	assert_true(json_is_null(json_object_get(e, "duration_s")));
	assert_int_equal(json_integer_value(json_object_get(e, "seen")), 0);
	notes = json_object_get(e, "notes");
	assert_non_null(strstr(json_string_value(json_array_get(notes, 0)), "no link is up"));
	front_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_nothing_measured),
		cmocka_unit_test(test_window_canary_deadline),
		cmocka_unit_test(test_window_that_opens_later),
		cmocka_unit_test(test_cost),
		cmocka_unit_test(test_dry_run),
	};

	return cmocka_run_group_tests_name("front estimate", tests, NULL, NULL);
}
