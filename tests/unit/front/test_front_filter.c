/* test_front_filter.c - which cards of a list are meant: every word of a filter and of a range, and every mistake.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "front_fix.h"

#include "api_int.h"

#define DAY 86400000LL

static struct store_filter parse(const char *filter, const char *range)
{
	char why[API_TEXT_MAX] = "";
	struct store_filter f;

	if (filter_parse(&f, filter, range, FIX_NOW, why, sizeof(why)))
		fail_msg("%s, %s: %s", filter, range, why);
	return f;
}

static void is(const struct store_filter *f, unsigned i, uint8_t field, uint8_t op, const char *digits, int64_t number)
{
	assert_true(i < f->n);
	assert_int_equal(f->term[i].field, field);
	assert_int_equal(f->term[i].op, op);
	assert_string_equal(f->term[i].text, digits);
	assert_true(f->term[i].number == number);
}

static void test_terms(void **state)
{
	struct store_filter f = parse("lastseen<30d and iccid=8988* and kvn=1 AND alg=aes128  and  imsi != 26201*", "");

	(void)state;
	assert_int_equal(f.n, 5);
	is(&f, 0, STORE_F_SEEN, STORE_ABOVE, "", FIX_NOW - 30 * DAY);
	is(&f, 1, STORE_F_ICCID, STORE_BEGINS, "8988", 0);
	is(&f, 2, STORE_F_KVN, STORE_IS, "", 1);
	is(&f, 3, STORE_F_ALG, STORE_IS, "", STORE_ALG(OTA_ALG_AES_CBC, 16));
	is(&f, 4, STORE_F_IMSI, STORE_BEGINS_NOT, "26201", 0);
	f = parse("lastseen>=12h and msisdn=4917 and kvn!=15 and alg!=aes", "8988211000-8988211499");
	assert_int_equal(f.n, 6);
	is(&f, 0, STORE_F_ICCID, STORE_FROM, "8988211000", 0);
	is(&f, 1, STORE_F_ICCID, STORE_UPTO, "8988211499", 0);
	is(&f, 2, STORE_F_SEEN, STORE_UPTO, "", FIX_NOW - DAY / 2);
	is(&f, 3, STORE_F_MSISDN, STORE_IS, "4917", 0);
	is(&f, 4, STORE_F_KVN, STORE_NOT, "", 15);
	is(&f, 5, STORE_F_ALG, STORE_NOT, "", STORE_ALG(OTA_ALG_AES_CBC, 0));
	f = parse("", "8988211000..8988211499");
	is(&f, 0, STORE_F_ICCID, STORE_FROM, "8988211000", 0);
	is(&f, 1, STORE_F_ICCID, STORE_UPTO, "8988211499", 0);
	f = parse("profile=usim-rfm and profile != a.b and profile=", "");
	is(&f, 0, STORE_F_PROFILE, STORE_IS, "usim-rfm", 0);
	is(&f, 1, STORE_F_PROFILE, STORE_NOT, "a.b", 0);
	is(&f, 2, STORE_F_PROFILE, STORE_IS, "", 0);
	f = parse("lastseen=never", "");
	is(&f, 0, STORE_F_SEEN, STORE_IS, "", 0);
	f = parse("lastseen!=never and lastseen>1000000d", "898-899");
	is(&f, 2, STORE_F_SEEN, STORE_NOT, "", 0);
	is(&f, 3, STORE_F_SEEN, STORE_BELOW, "", 1); /* older than time itself: never, alone */
	assert_int_equal(parse("", "").n, 0);
	assert_int_equal(parse("   ", "").n, 0);
	assert_int_equal(parse("iccid=*", "").n, 1);
}

static void test_mistakes(void **state)
{
	static const char *const bad[][3] = {
		{ "lastsen<30d", "",
		  "filter, column 1 \"lastsen<30d\": unknown word \"lastsen\"; did you mean \"lastseen\"?; "
		  "known are iccid, imsi, msisdn, profile, kvn, alg, lastseen" },
		{ "kvn=1 and  lastseeen<3d", "", "filter, column 12 \"lastseeen<3d\": unknown word \"lastseeen\"" },
		{ "profile=m2/m", "", "a profile is like profile=usim-rfm" },
		{ "profile<m2m", "", "a profile is like profile=usim-rfm" },
		{ "", "8988.8989", "must be two ICCIDs" },
		{ "", "8988..8989x", "must be two ICCIDs" },
		{ "kvn=1 and", "", "nothing follows the last \"and\"" },
		{ "kvn=1 and and kvn=2", "", "unknown word \"and\"" },
		{ "kvn=1 or kvn=2", "", "a key version is like kvn=1" },
		{ "kvn==1", "", "there must be one of" },
		{ "kvn", "", "there must be one of" },
		{ "kvn=", "", "a key version is like" },
		{ "kvn=16", "", "a key version is like" },
		{ "kvn=0", "", "a key version is like" },
		{ "kvn<3", "", "a key version is like" },
		{ "iccid=89a8", "", "must be digits, or the first ones and a star: iccid=8988*" },
		{ "iccid=", "", "must be digits" },
		{ "iccid=*8988", "", "must be digits" },
		{ "imsi=8988**", "", "must be digits, or the first ones and a star: imsi=8988*" },
		{ "iccid=123456789012345678901", "", "must be digits" },
		{ "iccid<8988", "", "iccid takes = or !=; for a range of ICCIDs there is range" },
		{ "alg=aes12", "", "unknown algorithm \"aes12\"; did you mean \"aes1" },
		{ "alg<aes", "", "known are 3des2, 3des3, aes," },
		{ "lastseen=30d", "", "lastseen takes a time after < or >" },
		{ "lastseen<30", "", "needs a unit" },
		{ "lastseen<soon", "", "is no time" },
		{ "\x01=1", "", "unknown word \"?\"" },
		{ "iccid=8988888888888888888888888888888888888888888888888888888888888888888888888", "", "too long" },
		{ "", "8988", "must be two ICCIDs or their first digits" },
		{ "", "8988-", "must be two ICCIDs" },
		{ "", "-8988", "must be two ICCIDs" },
		{ "", "8988-8989-8990", "must be two ICCIDs" },
		{ "", "898821100000000000012-8989", "must be two ICCIDs" },
		{ "", "8989-8988", "begins behind its end" },
		{ "", "89890-8988", "begins behind its end" },
		{ "kvn=1 and kvn=1 and kvn=1 and kvn=1 and kvn=1 and kvn=1 and kvn=1", "1-2", "at most 8 terms" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char why[API_TEXT_MAX] = "";
		struct store_filter f;

		assert_int_equal(filter_parse(&f, bad[i][0], bad[i][1], FIX_NOW, why, sizeof(why)), -1);
		if (!strstr(why, bad[i][2]))
			fail_msg("\"%s\": \"%s\" is not in \"%s\"", bad[i][0], bad[i][2], why);
	}
}

/* Through the api: lines that are left out are counted apart, refuse nothing, and keep nothing taken. */
static void test_campaign(void **state)
{
	struct front *f = front_new(PROFILE_DIR);
	struct api_campaign_req r = { .name = "x", .profile = "usim-rfm", .filter = "lastseen=nver" };
	char csv[2048], iccid[21], from[21], to[21];
	size_t n = (size_t)snprintf(csv, sizeof(csv), "ICCID,IMSI\n");

	(void)state;
	fix_cards(f, 10);
	api_campaign_create(f->api, &r, front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 400);
	assert_string_equal(front_error(f), "bad-filter");
	snprintf(r.filter, sizeof(r.filter), "lastseen=never and alg=3des2 and imsi!=001010000000003");
	snprintf(r.range, sizeof(r.range), "%.18s-%.18s", fix_iccid(from, 2), fix_iccid(to, 5));
	for (unsigned i = 0; i < 10; i++)
		n += (size_t)snprintf(csv + n, sizeof(csv) - n, "%s,00102%010u\n", fix_iccid(iccid, i), i);
	n += (size_t)snprintf(csv + n, sizeof(csv) - n, "%s,001020000000099\n%s,\n", fix_iccid(iccid, 99), from);
	api_campaign_create(f->api, &r, front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 200);
	assert_int_equal(front_lines(f, "x", NULL, 1, csv), 200);
	assert_int_equal(front_n(f, "accepted"), 3); /* 2, 4, 5 */
	assert_int_equal(front_n(f, "filtered"), 8); /* also one that is no card of ours */
	assert_int_equal(front_n(f, "rejected_count"), 1);
	assert_int_equal(front_finish(f, "x", NULL), 200);
	assert_int_equal(front_n(f, "filtered"), 8);
	assert_int_equal(front_n(f, "rejected"), 1);
	/* the others and their new numbers are free */
	r = (struct api_campaign_req){ .name = "y", .profile = "usim-rfm", .filter = "alg=aes" };
	api_campaign_create(f->api, &r, front_to(f));
	front_wait(f);
	snprintf(csv, sizeof(csv), "ICCID,IMSI\n%s,001020000000000\n", fix_iccid(iccid, 0));
	assert_int_equal(front_lines(f, "y", NULL, 1, csv), 200);
	assert_int_equal(front_n(f, "filtered"), 1);
	assert_int_equal(front_finish(f, "y", NULL), 409);
	assert_non_null(strstr(f->text, "no line of the list was accepted (the filter has left some out)"));
	front_free(f);
}

static int import_for(struct front *f, const char *profile)
{
	struct api_import_req r = { .n_keysets = 1, .keyset = { { .kvn = 1, .alg = "3des2", .cntr = 1 } } };

	snprintf(r.profile, sizeof(r.profile), "%s", profile);
	api_import_create(f->api, &r, front_to(f));
	front_wait(f);
	return f->status;
}

/* The profile that cards are made for comes with their import, and selects them. */
static void test_profile(void **state)
{
	struct front *f = front_new(PROFILE_DIR);
	char csv[2048] = FIX_HEADER, id[32], iccid[21];
	struct api_campaign_req r = { .profile = "usim-rfm" };

	(void)state;
	fix_cards(f, 1);
	assert_int_equal(import_for(f, "usim-rfn"), 404);
	assert_non_null(strstr(f->text, "did you mean usim-rfm?"));
	assert_int_equal(import_for(f, "../x"), 400);
	assert_int_equal(import_for(f, "usim-rfm"), 200);
	snprintf(id, sizeof(id), "%s", front_s(f, "id"));
	fix_card_line(csv + strlen(csv), 512, 1);
	assert_int_equal(front_import_lines(f, id, 1, csv), 200);
	assert_int_equal(front_import_finish(f, id), 200);
	api_card_show(f->api, fix_iccid(iccid, 1), front_to(f));
	front_wait(f);
	assert_string_equal(json_string_value(json_object_get(json_object_get(f->json, "card"), "profile")),
			    "usim-rfm");
	for (unsigned i = 0; i < 3; i++) {
		static const char *const filter[] = { "profile=usim-rfm", "profile!=usim-rfm", "profile=" };

		snprintf(r.name, sizeof(r.name), "c%u", i);
		snprintf(r.filter, sizeof(r.filter), "%s", filter[i]);
		api_campaign_create(f->api, &r, front_to(f));
		front_wait(f);
		snprintf(csv, sizeof(csv), "ICCID,IMSI\n%s,001020000000001\n", fix_iccid(iccid, 1));
		assert_int_equal(front_lines(f, r.name, NULL, 1, csv), 200);
		assert_int_equal(front_n(f, "accepted"), i == 0);
		assert_int_equal(front_n(f, "filtered"), i != 0);
	}
	front_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_terms),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_campaign),
		cmocka_unit_test(test_profile),
	};

	return cmocka_run_group_tests_name("front filter", tests, NULL, NULL);
}
