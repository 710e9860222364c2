/* test_front_import.c - cards come in: every kind of bad line is named, the rest is in, no key gets out.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "front_fix.h"

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

static void begin(struct front *f, const char *alg, bool dry_run, char id[32])
{
	assert_int_equal(front_import(f, alg, 100, dry_run), 200);
	snprintf(id, 32, "%s", front_s(f, "id"));
}

/* One line after the header, and what is said about it. */
static void one_bad(struct front *f, const char *alg, const char *line, const char *want)
{
	char id[32], csv[1024];

	begin(f, alg, false, id);
	snprintf(csv, sizeof(csv), FIX_HEADER "%s\n", line);
	assert_int_equal(front_import_lines(f, id, 1, csv), 200);
	assert_int_equal(front_n(f, "accepted"), 0);
	has(front_reject(f, 0, 2), want);
	front_import_finish(f, id);
	assert_int_equal(front_n(f, "rejected"), 1);
}

#define ICCID_OK "8988211000000000011"

static void test_bad_lines(void **state)
{
	struct front *f = *state;
	static const struct {
		const char *alg, *line, *want;
	} bad[] = {
		{ "3des2", "8988211000000000013,001010000000001,," FIX_KIC "," FIX_KID ",",
		  "Luhn check digit is 3, should be 1" },
		{ "3des2", "89882110000000000,001010000000001,," FIX_KIC "," FIX_KID ",", "ICCID has 17 digits" },
		{ "3des2", "898821100000000001100,001010000000001,," FIX_KIC "," FIX_KID ",", "ICCID has 21 digits" },
		{ "3des2", "89882110000000000A1,001010000000001,," FIX_KIC "," FIX_KID ",",
		  "ICCID: character 18 is not a digit" },
		{ "3des2", ",001010000000001,," FIX_KIC "," FIX_KID ",", "ICCID is empty" },
		{ "3des2", ICCID_OK ",00101,," FIX_KIC "," FIX_KID ",", "IMSI has 5 digits, should be 6 to 15" },
		{ "3des2", ICCID_OK ",0010100000000012,," FIX_KIC "," FIX_KID ",", "IMSI has 16 digits" },
		{ "3des2", ICCID_OK ",,," FIX_KIC "," FIX_KID ",", "IMSI is empty" },
		{ "3des2", ICCID_OK ",001010000000001,49x," FIX_KIC "," FIX_KID ",",
		  "MSISDN: character 3 is not a digit" },
		{ "3des2", ICCID_OK ",001010000000001,+4915112345678901," FIX_KIC "," FIX_KID ",",
		  "MSISDN has 16 digits" },
		{ "3des2", ICCID_OK ",001010000000001,", "the line has 3 columns, the header has 6" },
		{ "3des2", "\"" ICCID_OK ",001010000000001,," FIX_KIC "," FIX_KID ",", "not closed on its line" },
		{ "3des2", ICCID_OK ",001010000000001,,," FIX_KID ",", "KIC1 is empty" },
		{ "3des2", ICCID_OK ",001010000000001,," FIX_KIC ",0102,",
		  "KID1 has 4 digits, a key for 3des2 has 32" },
		{ "3des2", ICCID_OK ",001010000000001,," FIX_KIC FIX_KID "," FIX_KID ",", "KIC1 has 64 digits" },
		{ "3des2", ICCID_OK ",001010000000001,,01020304050607080102030405060708," FIX_KID ",",
		  "parts of the 3DES key are equal" },
		{ "3des2", ICCID_OK ",001010000000001,," FIX_KIC ",1112131415161718191a1b1c1d1e1f2z,",
		  "not a hexadecimal digit" },
		{ "aes256", ICCID_OK ",001010000000001,," FIX_KIC "," FIX_KID ",", "a key for aes256 has 64" },
		{ "aes", ICCID_OK ",001010000000001,,010203,040506,", "key version 1" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		one_bad(f, bad[i].alg, bad[i].line, bad[i].want);
	assert_null(strstr(f->log, "0102030405"));
}

/* Good and bad lines mixed: the good ones are in, whole. */
static void test_the_rest_is_imported(void **state)
{
	struct front *f = *state;
	char id[32], csv[2048] = FIX_HEADER, iccid[21];

	for (unsigned i = 0; i < 3; i++) {
		size_t at = strlen(csv);

		fix_card_line(csv + at, sizeof(csv) - at, i);
		strcat(csv, "rubbish\r\n\n");
	}
	begin(f, "3des2", false, id);
	assert_int_equal(front_import_lines(f, id, 1, csv), 200);
	assert_int_equal(front_n(f, "accepted"), 3);
	assert_int_equal(front_n(f, "next"), 11);
	front_reject(f, 0, 3);
	front_reject(f, 1, 6);
	front_reject(f, 2, 9);
	assert_null(strstr(f->text, FIX_KIC));
	assert_int_equal(front_import_finish(f, id), 200);
	assert_int_equal(front_n(f, "accepted"), 3);
	assert_int_equal(front_n(f, "rejected"), 3);
	api_card_show(f->api, fix_iccid(iccid, 2), front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 200);
	/* the first command takes 100 */
	has(f->text, "\"cntr\":99,");
	assert_null(strcasestr(f->text, FIX_KIC));
}

static void test_headers(void **state)
{
	struct front *f = *state;
	static const struct {
		const char *header, *want;
	} bad[] = {
		{ "ICCID,ISMI,KIC1,KID1", "unknown column \\\"ISMI\\\"; did you mean IMSI?" },
		{ "ICCID,IMSI,KIC1,KID1,COLOUR", "unknown column \\\"COLOUR\\\"" },
		{ "ICCID,IMSI,KIC1", "there is no column KID1, but key version 1 was asked for" },
		{ "IMSI,KIC1,KID1", "there is no column ICCID" },
		{ "ICCID,IMSI,IMSI,KIC1,KID1", "column IMSI stands there twice" },
		/* no header at all: what stands there may be keys and is not repeated */
		{ ICCID_OK ",001010000000001,," FIX_KIC "," FIX_KID ",", "line 1 must name the columns" },
		{ FIX_KIC "," FIX_KID, "line 1 must name the columns" },
		{ "ICCID;IMSI;KIC1;KID1", "line 1 must name the columns" },
		{ "\"ICCID,IMSI", "line 1 must name the columns" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char id[32];

		begin(f, "3des2", false, id);
		assert_int_equal(front_import_lines(f, id, 1, bad[i].header), 400);
		has(f->text, bad[i].want);
		assert_null(strcasestr(f->text, "01020304"));
		/* the file can be mended and sent again */
		assert_int_equal(front_import_lines(f, id, 1, FIX_HEADER), 200);
		assert_int_equal(front_import_finish(f, id), 200);
	}
}

static void test_known_columns(void **state)
{
	struct front *f = *state;
	char id[32], iccid[21], csv[1024];

	begin(f, "3des2", false, id);
	snprintf(csv, sizeof(csv),
		 "\xef\xbb\xbfid,kid1,IMSI,ICCID,ACC,PIN1,PUK1,PIN2,PUK2,KI,OPC,ADM1,KIC1,KIC2,KID2,KIK2\r\n"
		 "1,%s,001010000000009,%sF,0001,1234,12345678,1234,12345678,%s,%s,0000,%s,%s,%s,%s\r\n",
		 FIX_KID, fix_iccid(iccid, 9), FIX_KIC, FIX_KIC, FIX_KIC, FIX_KIC, FIX_KIC, FIX_KIC);
	assert_int_equal(front_import_lines(f, id, 1, csv), 200);
	assert_int_equal(front_n(f, "accepted"), 1);
	api_card_show(f->api, iccid, front_to(f));
	front_wait(f);
	assert_int_equal(json_array_size(json_object_get(f->json, "keysets")), 1);
}

static void test_duplicates(void **state)
{
	struct front *f = *state;
	char id[32], csv[4096], a[21], b[21], c[21];

	fix_cards(f, 2);
	begin(f, "3des2", false, id);
	fix_iccid(a, 50);
	fix_iccid(b, 51);
	fix_iccid(c, 52);
	snprintf(csv, sizeof(csv),
		 FIX_HEADER "%s,001010000000050,," FIX_KIC "," FIX_KID ",\n"
			    "%s,001010000000051,," FIX_KIC "," FIX_KID ",\n"
			    "%s,001010000000050,," FIX_KIC "," FIX_KID ",\n"
			    "%s,001010000000000,," FIX_KIC "," FIX_KID ",\n"
			    "%s,001010000000052,4915100000001," FIX_KIC "," FIX_KID ",\n",
		 a, a, b, b, c);
	assert_int_equal(front_import_lines(f, id, 1, csv), 200);
	assert_int_equal(front_n(f, "accepted"), 1);
	has(front_reject(f, 0, 3), "stands already on line 2");
	has(front_reject(f, 1, 4), "IMSI 0010…0050 stands already on line 2");
	has(front_reject(f, 2, 5), "IMSI 0010…0000 is in use by another card");
	has(front_reject(f, 3, 6), "MSISDN 4915…0001 is in use");
	/* a later chunk knows the lines of the earlier one, and what was rejected may come again right */
	snprintf(csv, sizeof(csv),
		 "%s,001010000000077,," FIX_KIC "," FIX_KID ",\n"
		 "%s,001010000000053,," FIX_KIC "," FIX_KID ",\n",
		 a, b);
	assert_int_equal(front_import_lines(f, id, 7, csv), 200);
	assert_int_equal(front_n(f, "accepted"), 1);
	has(front_reject(f, 0, 7), "stands already on line 2");
}

static void test_known_cards(void **state)
{
	struct front *f = *state;
	char id[32], csv[1024] = FIX_HEADER, iccid[21];

	fix_cards(f, 1);
	begin(f, "3des2", false, id);
	fix_card_line(csv + strlen(csv), 200, 0);
	assert_int_equal(front_import_lines(f, id, 1, csv), 200);
	assert_int_equal(front_n(f, "unchanged"), 1);
	front_import_finish(f, id);
	begin(f, "3des2", false, id);
	snprintf(csv, sizeof(csv), FIX_HEADER "%s,001010000000099,," FIX_KIC "," FIX_KID ",\n", fix_iccid(iccid, 0));
	assert_int_equal(front_import_lines(f, id, 1, csv), 200);
	has(front_reject(f, 0, 2), "known already with another IMSI or MSISDN");
}

static void test_dry_run(void **state)
{
	struct front *f = *state;
	char id[32], csv[1024] = FIX_HEADER, iccid[21];

	fix_card_line(csv + strlen(csv), 200, 0);
	begin(f, "3des2", true, id);
	assert_int_equal(front_import_lines(f, id, 1, csv), 200);
	assert_int_equal(front_n(f, "accepted"), 1);
	api_card_show(f->api, fix_iccid(iccid, 0), front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 404);
}

static void test_chunks(void **state)
{
	struct front *f = *state;
	char id[32], line[256], again[65536];

	begin(f, "3des2", false, id);
	assert_int_equal(front_import_lines(f, id, 2, "x\n"), 409);
	assert_string_equal(front_error(f), "wrong-line");
	assert_int_equal(front_import_lines(f, id, 1, FIX_HEADER), 200);
	fix_card_line(line, sizeof(line), 0);
	strcat(line, "rubbish\n");
	assert_int_equal(front_import_lines(f, id, 2, line), 200);
	strcpy(again, f->text);
	/* the connection broke before the answer: the same chunk once more gives the same answer */
	assert_int_equal(front_import_lines(f, id, 2, line), 200);
	assert_string_equal(f->text, again);
	assert_int_equal(front_import_lines(f, id, 3, line), 409);
	assert_int_equal(front_import_finish(f, id), 200);
	assert_int_equal(front_n(f, "accepted"), 1);
	assert_int_equal(front_import_finish(f, id), 404);
	assert_int_equal(front_import_lines(f, "im9999", 1, "x"), 404);
	assert_int_equal(front_import_lines(f, "", 1, ""), 404);
}

/* The commit fails: nothing is in, and the same chunk goes through later. */
static void test_store_fails(void **state)
{
	struct front *f = *state;
	char id[32], csv[1024] = FIX_HEADER;

	fix_card_line(csv + strlen(csv), 200, 0);
	begin(f, "3des2", false, id);
	f->fault = STORE_E_FULL;
	assert_int_equal(front_import_lines(f, id, 1, csv), 503);
	assert_string_equal(front_error(f), "store");
	f->fault = STORE_OK;
	assert_int_equal(front_import_lines(f, id, 1, csv), 200);
	assert_int_equal(front_n(f, "accepted"), 1);
	/* its header is a header again */
	assert_int_equal(front_n(f, "rejected_count"), 0);
	assert_int_equal(front_n(f, "next"), 3);
}

/* A chunk that is under way when the gateway stops is answered, once. */
static void test_stop_under_way(void **state)
{
	struct front *f = *state;
	char id[32], csv[1024] = FIX_HEADER;

	fix_card_line(csv + strlen(csv), 200, 0);
	begin(f, "3des2", false, id);
	api_import_lines(f->api, id, 1, csv, strlen(csv), front_to(f));
	assert_int_equal(f->answers, 0);
	/* while it is under way the next one waits */
	f->store->ops->close(f->store);
	assert_int_equal(f->answers, 1);
	api_free(f->api);
	assert_int_equal(f->answers, 1);
	gw_free(f->gw);
	ks_close(f->ks);
	f->api = NULL;
	*state = NULL;
	store_mem_disk_free(f->disk);
	json_decref(f->json);
	errtab_free(f->errtab);
	free(f);
}

static int teardown_gone(void **state)
{
	assert_null(*state);
	return 0;
}

static void test_requests(void **state)
{
	struct front *f = *state;
	struct api_import_req r = { .n_keysets = 0 };

	api_import_create(f->api, &r, front_to(f));
	assert_int_equal(f->status, 400);
	assert_int_equal(front_import(f, "3des", 1, false), 400);
	has(f->text, "did you mean 3des2");
	assert_int_equal(front_import(f, "3des2", 0, false), 400);
	assert_int_equal(front_import(f, "3des2", 1ULL << 40, false), 400);
	assert_int_equal(front_import(f, "3des2", OTA_CNTR_MAX, false), 400);
	has(f->text, "must be 1 to 1099511627774");
	assert_int_equal(front_import(f, "3des2", OTA_CNTR_MAX - 1, false), 200);
	r = (struct api_import_req){ .n_keysets = 1, .keyset[0] = { .kvn = 16, .alg = "aes", .cntr = 1 } };
	api_import_create(f->api, &r, front_to(f));
	assert_int_equal(f->status, 400);
	r.keyset[0].kvn = 3;
	r.keyset[0].cc_len = 4;
	api_import_create(f->api, &r, front_to(f));
	assert_int_equal(f->status, 200);
	strcpy(r.keyset[0].alg, "3des2");
	api_import_create(f->api, &r, front_to(f));
	assert_int_equal(f->status, 400);
	r = (struct api_import_req){ .n_keysets = 2,
				     .keyset[0] = { .kvn = 3, .alg = "aes", .cntr = 1 },
				     .keyset[1] = { .kvn = 3, .alg = "aes", .cntr = 1 } };
	api_import_create(f->api, &r, front_to(f));
	assert_int_equal(f->status, 400);
}

/* Abandoned intakes make room, fresh ones do not. */
static void test_sessions(void **state)
{
	struct front *f = *state;

	for (int i = 0; i < API_SESSIONS_MAX; i++)
		assert_int_equal(front_import(f, "3des2", 1, false), 200);
	assert_int_equal(front_import(f, "3des2", 1, false), 503);
	f->now_ms += API_SESSION_IDLE_MS + 1;
	assert_int_equal(front_import(f, "3des2", 1, false), 200);
}

static void test_chunk_limits(void **state)
{
	struct front *f = *state;
	char id[32];
	char *many = malloc(API_CHUNK_LINES_MAX + 3), *big = malloc(API_CHUNK_BYTES_MAX + 2);

	memset(many, '\n', API_CHUNK_LINES_MAX + 2);
	memcpy(many, "x", 1);
	many[API_CHUNK_LINES_MAX + 2] = 0;
	memset(big, ' ', API_CHUNK_BYTES_MAX + 1);
	big[API_CHUNK_BYTES_MAX + 1] = 0;
	begin(f, "3des2", false, id);
	assert_int_equal(front_import_lines(f, id, 1, big), 413);
	assert_int_equal(front_import_lines(f, id, 1, FIX_HEADER), 200);
	many[API_CHUNK_LINES_MAX + 1] = 'x';
	assert_int_equal(front_import_lines(f, id, 2, many), 413);
	many[API_CHUNK_LINES_MAX] = 0;
	assert_int_equal(front_import_lines(f, id, 2, many), 200);
	free(many);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bad_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_rest_is_imported, setup, teardown),
		cmocka_unit_test_setup_teardown(test_headers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_known_columns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_duplicates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_known_cards, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dry_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_chunks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_store_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_under_way, setup, teardown_gone),
		cmocka_unit_test_setup_teardown(test_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sessions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_chunk_limits, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
