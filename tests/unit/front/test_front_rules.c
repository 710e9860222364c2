/* test_front_rules.c - a campaign's rules through the api: taken, refused with words, shown; the zone of a card.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "front_fix.h"

#define CARDS 12

static int setup(void **state)
{
	struct front *f = front_new(PROFILE_DIR);

	fix_cards(f, CARDS);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	front_free(*state);
	return 0;
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static int create(struct front *f, const char *name, const char *rules, bool dry_run)
{
	struct api_campaign_req r = { .dry_run = dry_run, .profile = "usim-rfm" };

	snprintf(r.name, sizeof(r.name), "%s", name);
	snprintf(r.rules, sizeof(r.rules), "%s", rules);
	api_campaign_create(f->api, &r, front_to(f));
	front_wait(f);
	return f->status;
}

static void lines(struct front *f, const char *name, const char *session)
{
	char csv[2048], iccid[21];
	size_t n = (size_t)snprintf(csv, sizeof(csv), "ICCID,IMSI\n");

	for (unsigned i = 0; i < CARDS; i++)
		n += (size_t)snprintf(csv + n, sizeof(csv) - n, "%s,00102%010u\n", fix_iccid(iccid, i), i);
	assert_int_equal(front_lines(f, name, session, 1, csv), 200);
	assert_int_equal(front_n(f, "accepted"), CARDS);
}

static void show(struct front *f, const char *name)
{
	api_campaign_show(f->api, name, front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 200);
}

static void test_words(void **state)
{
	struct front *f = *state;

	assert_int_equal(create(f, "x", "canry 10", false), 400);
	assert_string_equal(front_error(f), "bad-rules");
	has(f->text, "rule 1 \\\"canry 10\\\": unknown rule \\\"canry\\\"; did you mean \\\"canary\\\"?");
	assert_int_equal(create(f, "x", "window 01:00-05:00 Europe/Berlin", true), 400);
	has(f->text, "unknown zone \\\"Europe/Berlin\\\"; known are utc");
	assert_int_equal(create(f, "x", "deadline 2026-12-01T21:59Z", false), 400); /* it is 22:00 */
	has(f->text, "the deadline has passed");
	assert_int_equal(create(f, "x", "deadline 2026-12-01T22:01Z", false), 200);
	show(f, "x"); /* its list is still coming in */
	assert_string_equal(front_s(f, "rules"), "abort class-CONFIG>10%; deadline 2026-12-01T22:01:00Z");
}

static void test_too_large_canary(void **state)
{
	struct front *f = *state;
	char id[32];

	assert_int_equal(create(f, "x", "canary 10,5", true), 200);
	snprintf(id, sizeof(id), "%s", front_s(f, "session"));
	lines(f, "x", id);
	assert_int_equal(front_finish(f, "x", id), 409);
	has(f->text, "canary 10,5 is 15 cards, and the campaign has 12: take smaller groups");
	assert_int_equal(create(f, "x", "canary 10,5", false), 200);
	lines(f, "x", NULL);
	assert_int_equal(front_finish(f, "x", NULL), 409);
	assert_string_equal(front_error(f), "bad-rules");
	/* its owner decides: nothing of it was started */
	api_campaign_delete(f->api, "x", front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 200);
	assert_int_equal(create(f, "x", "canary 10,2", false), 200);
	lines(f, "x", NULL);
	assert_int_equal(front_finish(f, "x", NULL), 200);
}

static json_t *canary(const struct front *f)
{
	json_t *c = json_object_get(f->json, "canary");

	assert_true(json_is_object(c));
	return c;
}

static int64_t number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? json_integer_value(v) : -1;
}

/* As an operator sees it, through a restart. */
static void test_view(void **state)
{
	struct front *f = *state;

	assert_int_equal(
		create(f, "x",
		       "hold 2h; canary 2,50%; abort failed>3%; deadline 21d; window 01:00-05:00 utc; priority probe",
		       false),
		200);
	lines(f, "x", NULL);
	assert_int_equal(front_finish(f, "x", NULL), 200);
	for (int round = 0; round < 2; round++) {
		show(f, "x");
		assert_string_equal(
			front_s(f, "rules"),
			"canary 2,50%; hold 2h; abort failed>3%; abort canary:por-01>=1; abort canary:por-05>=1; "
			"abort class-CONFIG>10%; window 01:00-05:00 utc; "
			"deadline 21d; priority probe");
		assert_int_equal(number(canary(f), "group"), 1);
		assert_int_equal(number(canary(f), "groups"), 2);
		assert_int_equal(number(canary(f), "cards"), 2);
		assert_int_equal(number(canary(f), "started"), 0);
		assert_true(json_is_false(json_object_get(canary(f), "waits")));
		assert_true(json_is_null(json_object_get(canary(f), "next_s")));
		assert_true(json_is_null(json_object_get(f->json, "stopped")));
		assert_true(json_is_null(json_object_get(f->json, "deadline"))); /* it counts from the start */
		assert_string_equal(front_s(f, "window_opens"), "2026-12-02T01:00:00.000Z");
		front_restart(f);
	}
	assert_int_equal(front_verb(f, "x", CAMPAIGN_VERB_START), 200);
	f->now_ms += 3 * 3600000LL; /* the window opens */
	for (int i = 0; i < 20; i++)
		front_turn(f);
	f->now_ms += 3600000LL;
	for (int i = 0; i < 20; i++)
		front_turn(f);
	show(f, "x");
	assert_string_equal(front_s(f, "deadline"), "2026-12-22T22:00:00.000Z");
	assert_true(json_is_null(json_object_get(f->json, "window_opens")));
	assert_int_equal(number(canary(f), "started"), 2);
	assert_true(json_is_true(json_object_get(canary(f), "waits")));
	assert_int_equal(number(canary(f), "next_s"), 3600);
	/* it is the campaign's own deadline that ends it */
	f->now_ms += 30 * 86400000LL;
	for (int i = 0; i < 50; i++)
		front_turn(f);
	show(f, "x");
	assert_string_equal(front_s(f, "state"), "DONE");
	assert_int_equal(number(json_object_get(f->json, "states"), "EXPIRED"), CARDS);
	assert_true(json_is_null(json_object_get(f->json, "canary")));
}

static void test_start_after_the_deadline(void **state)
{
	struct front *f = *state;

	assert_int_equal(create(f, "x", "deadline 2026-12-02", false), 200);
	lines(f, "x", NULL);
	assert_int_equal(front_finish(f, "x", NULL), 200);
	f->now_ms += 86400000LL;
	assert_int_equal(front_verb(f, "x", CAMPAIGN_VERB_START), 409);
	has(f->text, "the campaign's deadline has passed");
	show(f, "x");
	assert_string_equal(front_s(f, "state"), "READY");
}

static void import(struct front *f, const char *csv)
{
	char id[32];

	assert_int_equal(front_import(f, "3des2", 100, false), 200);
	snprintf(id, sizeof(id), "%s", front_s(f, "id"));
	assert_int_equal(front_import_lines(f, id, 1, csv), 200);
}

static const char *zone(struct front *f, unsigned card)
{
	char iccid[21];

	api_card_show(f->api, fix_iccid(iccid, card), front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 200);
	return json_string_value(json_object_get(json_object_get(f->json, "card"), "tz"));
}

static void test_zone(void **state)
{
	struct front *f = *state;
	char csv[1024], a[21], b[21], c[21];

	snprintf(csv, sizeof(csv),
		 "ICCID,IMSI,MSISDN,tz,KIC1,KID1,KIK1\n"
		 "%s,001010000000077,,-03:30," FIX_KIC "," FIX_KID ",\n"
		 "%s,001010000000078,,," FIX_KIC "," FIX_KID ",\n"
		 "%s,001010000000079,," FIX_KIC "," FIX_KIC "," FIX_KID ",\n",
		 fix_iccid(a, 77), fix_iccid(b, 78), fix_iccid(c, 79));
	import(f, csv);
	assert_int_equal(front_n(f, "accepted"), 2);
	/* what stands there may be a key under a wrong header: not a word of it */
	assert_string_equal(front_reject(f, 0, 4), "TZ must be an offset from UTC like +02:00, from -12:00 to +14:00");
	assert_string_equal(zone(f, 77), "-03:30");
	assert_string_equal(zone(f, 78), "utc");
	assert_string_equal(zone(f, 0), "utc");
	/* a known card's zone follows, unless the list says nothing of it */
	snprintf(csv, sizeof(csv),
		 "ICCID,IMSI,TZ,KIC1,KID1\n%s,001010000000077,+0200," FIX_KIC "," FIX_KID "\n"
		 "%s,001010000000078,Z," FIX_KIC "," FIX_KID "\n",
		 a, b);
	import(f, csv);
	assert_int_equal(front_n(f, "updated"), 1);
	assert_int_equal(front_n(f, "unchanged"), 1);
	assert_string_equal(zone(f, 77), "+02:00");
	snprintf(csv, sizeof(csv), "ICCID,IMSI,KIC1,KID1\n%s,001010000000077," FIX_KIC "," FIX_KID "\n", a);
	import(f, csv);
	assert_int_equal(front_n(f, "unchanged"), 1);
	assert_string_equal(zone(f, 77), "+02:00");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_words), T(test_too_large_canary), T(test_view), T(test_start_after_the_deadline), T(test_zone),
	};

	return cmocka_run_group_tests_name("front rules", tests, NULL, NULL);
}
