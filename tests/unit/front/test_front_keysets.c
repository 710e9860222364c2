/* test_front_keysets.c - a known card is imported again: what of its keysets changes, what is refused, and in which words.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "front_fix.h"

#define HEADER	"ICCID,IMSI,MSISDN,KIC1,KID1,KIK1,CNTR1,GEN1\n"
#define NEW_KIC "2122232425262728292a2b2c2d2e2f30"

static int setup(void **state)
{
	*state = front_new(PROFILE_DIR);
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

/* Card 0, whose line ends so; the request says cntr 100. */
static void line(struct front *f, const char *kic, const char *end, bool dry_run)
{
	char csv[512], id[32], iccid[21];

	assert_int_equal(front_import(f, "3des2", 100, dry_run), 200);
	snprintf(id, sizeof(id), "%s", front_s(f, "id"));
	snprintf(csv, sizeof(csv), HEADER "%s,001010000000000,+4915100000000,%s,%s,,%s\n", fix_iccid(iccid, 0), kic,
		 FIX_KID, end);
	assert_int_equal(front_import_lines(f, id, 1, csv), 200);
}

static void refused(struct front *f, const char *kic, const char *end, const char *why)
{
	line(f, kic, end, false);
	assert_int_equal(front_n(f, "accepted") + front_n(f, "updated") + front_n(f, "unchanged"), 0);
	has(front_reject(f, 0, 2), why);
	assert_null(strcasestr(f->text, "21222324"));
}

static const char *card(struct front *f)
{
	char iccid[21];

	api_card_show(f->api, fix_iccid(iccid, 0), front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 200);
	return f->text;
}

static void test_again(void **state)
{
	struct front *f = *state;

	fix_cards(f, 1);
	has(card(f), "\"kvn\":1,\"gen\":0,");
	line(f, FIX_KIC, ",", false);
	assert_int_equal(front_n(f, "unchanged"), 1);
	line(f, FIX_KIC, "7,0", false); /* lower */
	assert_int_equal(front_n(f, "unchanged"), 1);
	line(f, FIX_KIC, "5000,", true);
	assert_int_equal(front_n(f, "updated"), 1);
	has(card(f), "\"cntr\":99,");
	line(f, FIX_KIC, "5000,", false);
	assert_int_equal(front_n(f, "updated"), 1);
	assert_int_equal(front_n(f, "accepted"), 0);
	has(card(f), "\"cntr\":4999,");

	refused(f, NEW_KIC, ",",
		"key version 1: other keys or algorithms than those known as generation 0; new keys need a higher");
	line(f, NEW_KIC, "3,4", false);
	assert_int_equal(front_n(f, "updated"), 1);
	has(card(f), "\"kvn\":1,\"gen\":4,");
	has(f->text, "\"cntr\":2,");
	refused(f, FIX_KIC, ",",
		"key version 1: the card's keys are of generation 4 here, those of this line of 0: an older list");
	refused(f, FIX_KIC, ",3", "those of this line of 3");
	has(card(f), "\"cntr\":2,");
}

/* What is said of numbers never repeats them: under a wrong header they may be keys. */
static void test_bad_numbers(void **state)
{
	static const struct {
		const char *end, *why;
	} bad[] = {
		{ "0,", "CNTR1 must be a number from 1 to 1099511627774" },
		{ "1099511627775,", "CNTR1 must be" },
		{ "99999999999999999999999999999,", "CNTR1 must be" },
		{ NEW_KIC ",", "CNTR1 must be" },
		{ "-1,", "CNTR1 must be" },
		{ ",4294967296", "GEN1 must be a number from 0 to 4294967295" },
		{ ",x", "GEN1 must be" },
		{ "," NEW_KIC, "GEN1 must be" },
	};
	struct front *f = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(f, FIX_KIC, bad[i].end, bad[i].why);
	line(f, FIX_KIC, "1099511627774,4294967295", false);
	assert_int_equal(front_n(f, "accepted"), 1);
	has(card(f), "\"gen\":4294967295,");
	has(f->text, "\"cntr\":1099511627773,");
	assert_null(strstr(f->log, "21222324"));
}

/* More key versions than are kept; a request of the generation for all lines. */
static void test_versions(void **state)
{
	struct front *f = *state;
	struct api_import_req r = { .n_keysets = 4 };
	char id[32], csv[1024], iccid[21];

	fix_cards(f, 1);
	for (unsigned i = 0; i < 4; i++) {
		r.keyset[i].kvn = 2 + i;
		r.keyset[i].cntr = 1;
		r.keyset[i].gen = 9;
		strcpy(r.keyset[i].alg, "3des2");
	}
	for (r.n_keysets = 3; r.n_keysets <= 4; r.n_keysets++) {
		api_import_create(f->api, &r, front_to(f));
		front_wait(f);
		snprintf(id, sizeof(id), "%s", front_s(f, "id"));
		snprintf(csv, sizeof(csv),
			 "ICCID,IMSI,MSISDN,KIC2,KID2,KIC3,KID3,KIC4,KID4,KIC5,KID5,GEN3,CNTR7\n"
			 "%s,001010000000000,+4915100000000," FIX_KIC "," FIX_KID "," FIX_KIC "," FIX_KID "," FIX_KIC
			 "," FIX_KID "," FIX_KIC "," FIX_KID ",11,of no interest\n",
			 fix_iccid(iccid, 0));
		assert_int_equal(front_import_lines(f, id, 1, csv), 200);
		if (r.n_keysets == 3)
			assert_int_equal(front_n(f, "updated"), 1);
	}
	has(front_reject(f, 0, 2), "key version 5: the card has other versions already, and 4 are kept of one card");
	has(card(f), "\"kvn\":2,\"gen\":9,");
	has(f->text, "\"kvn\":3,\"gen\":11,");
	assert_int_equal(json_array_size(json_object_get(f->json, "keysets")), 4);
}

/* Keys stay while their command is open; afterwards what was sent under the old ones is shown, and not opened. */
static void test_replaced(void **state)
{
	struct front *f = *state;
	char iccid[21], csv[128];

	fix_cards(f, 1);
	snprintf(csv, sizeof(csv), "ICCID,IMSI\n%s,001020000000000\n", fix_iccid(iccid, 0));
	assert_int_equal(front_create(f, "swap1", "usim-rfm", false), 200);
	assert_int_equal(front_lines(f, "swap1", NULL, 1, csv), 200);
	assert_int_equal(front_finish(f, "swap1", NULL), 200);
	assert_int_equal(front_verb(f, "swap1", CAMPAIGN_VERB_START), 200);
	for (unsigned i = 0; i < 20; i++)
		front_turn(f);
	has(card(f), "\"commands\":[{\"id\":1,");
	has(f->text, "\"kvn\":1,\"gen\":0,\"spi\"");
	has(f->text, "\"opened\":true");
	refused(f, NEW_KIC, "1,1", "key version 1: a command under the keys to be replaced is open");
	assert_int_equal(front_verb(f, "swap1", CAMPAIGN_VERB_CANCEL), 200);
	for (unsigned i = 0; i < 20; i++)
		front_turn(f);
	line(f, NEW_KIC, "1,1", false);
	assert_int_equal(front_n(f, "updated"), 1);
	has(card(f), "not opened: the keys of this version have been replaced since");
	assert_null(strstr(f->text, "\"opened\":true"));
}

static void test_status(void **state)
{
	struct front *f = *state;

	api_status(f->api, front_to(f));
	front_wait(f);
	has(f->text, "\"counters_near_end\":0");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_again), T(test_bad_numbers), T(test_versions), T(test_replaced), T(test_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
