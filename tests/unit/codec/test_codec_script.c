/* test_codec_script.c - compact remote commands, there and back and in words.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "unit.h"

struct seen {
	char text[32][100];
	size_t len[32];
	size_t n;
	size_t stop_at;
};

static int each(void *ctx, const uint8_t *apdu, size_t len)
{
	struct seen *seen = ctx;

	if (seen->n < ARRAY_SIZE(seen->len)) {
		seen->len[seen->n] = len;
		ota_apdu_describe(seen->text[seen->n], sizeof(seen->text[0]), apdu, len);
	}
	return ++seen->n == seen->stop_at ? 42 : 0;
}

static int walk(struct seen *seen, const void *script, size_t len)
{
	uint8_t *copy = exact(script, len);
	int rc;

	memset(seen, 0, sizeof(*seen));
	rc = ota_script_each(copy, len, each, seen);
	free(copy);
	return rc;
}

/* The script of an IMSI change as a card took it, built command by command. */
static void imsi_change(void **state)
{
	static const uint8_t imsi[] = { 0x08, 0x29, 0x43, 0x65, 0x87, 0x09, 0x21, 0x43, 0x65 };
	static const uint8_t want[] = {
		0x00, 0xa4, 0x00, 0x0c, 0x02, 0x6f, 0x07,					    /* SELECT */
		0x00, 0xd6, 0x00, 0x00, 0x09, 0x08, 0x29, 0x43, 0x65, 0x87, 0x09, 0x21, 0x43, 0x65, /* UPDATE BINARY */
		0x00, 0xdc, 0x01, 0x04, 0x02, 0x08, 0x29,					    /* UPDATE RECORD */
		0x00, 0xb0, 0x00, 0x00, 0x09,							    /* READ BINARY */
	};
	uint8_t *buf = malloc(sizeof(want));
	struct ota_script s;
	struct seen seen;

	ota_script_init(&s, buf, sizeof(want));
	ota_script_select(&s, 0x00, USIM_FID_IMSI);
	ota_script_update_binary(&s, 0x00, 0, imsi, sizeof(imsi));
	ota_script_update_record(&s, 0x00, 1, imsi, 2);
	ota_script_read_binary(&s, 0x00, 0, 9);
	assert_int_equal(ota_script_len(&s), sizeof(want));
	assert_int_equal(s.count, 4);
	assert_memory_equal(buf, want, sizeof(want));
	assert_int_equal(walk(&seen, want, sizeof(want)), 0);
	assert_int_equal(seen.n, 4);
	assert_string_equal(seen.text[0], "SELECT 6F07 (EF_IMSI)");
	assert_string_equal(seen.text[1], "UPDATE BINARY 9 octets at 0");
	assert_string_equal(seen.text[2], "UPDATE RECORD 2 octets, record 1");
	assert_string_equal(seen.text[3], "READ BINARY 9 octets at 0");
	/* stops where it is told */
	memset(&seen, 0, sizeof(seen));
	seen.stop_at = 2;
	assert_int_equal(ota_script_each(want, sizeof(want), each, &seen), 42);
	assert_int_equal(seen.n, 2);
	free(buf);
}

static void first_error_stays(void **state)
{
	static const uint8_t big[300];
	uint8_t buf[32];
	struct ota_script s;

	ota_script_init(&s, buf, sizeof(buf));
	ota_script_update_binary(&s, 0, 0x8000, big, 4);
	assert_int_equal(ota_script_len(&s), OTA_E_RANGE);
	ota_script_apdu(&s, big, 300);
	ota_script_select(&s, 0, 0x3f00);
	assert_int_equal(ota_script_len(&s), OTA_E_RANGE);
	assert_int_equal(s.len, 0);
	assert_int_equal(s.count, 0);

	ota_script_init(&s, buf, sizeof(buf));
	ota_script_select(&s, 0, 0x3f00);
	ota_script_update_binary(&s, 0, 0, big, 27);
	assert_int_equal(ota_script_len(&s), OTA_E_SPACE);
	assert_int_equal(s.count, 1);

	static const struct {
		size_t len;
		int err;
	} rows[] = { { 0, OTA_E_LENGTH }, { 4, OTA_E_LENGTH }, { 262, OTA_E_LENGTH }, { 5, 5 }, { 32, 32 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ota_script_init(&s, buf, sizeof(buf));
		ota_script_apdu(&s, big, rows[i].len);
		assert_int_equal(ota_script_len(&s), rows[i].err);
	}
	ota_script_init(&s, buf, sizeof(buf));
	ota_script_update_record(&s, 0, 1, big, 256);
	assert_int_equal(ota_script_len(&s), OTA_E_RANGE);
	ota_script_init(&s, buf, sizeof(buf));
	ota_script_update_record(&s, 0, 1, big, 0);
	assert_int_equal(ota_script_len(&s), OTA_E_RANGE);
	ota_script_init(&s, buf, sizeof(buf));
	ota_script_read_binary(&s, 0, 0xffff, 1);
	assert_int_equal(ota_script_len(&s), OTA_E_RANGE);
}

/* The 2G class: no P2, GET RESPONSE of its own (TS 51.011). */
static void class_a0(void **state)
{
	uint8_t buf[64];
	struct ota_script s;
	struct seen seen;

	ota_script_init(&s, buf, sizeof(buf));
	ota_script_select(&s, 0xa0, 0x7f20);
	ota_script_apdu(&s, (const uint8_t *)"\xa0\xc0\x00\x00\x16", 5);
	ota_script_apdu(&s, (const uint8_t *)"\xa0\xf2\x00\x00\x16", 5);
	assert_int_equal(ota_script_len(&s), 17);
	assert_memory_equal(buf, "\xa0\xa4\x00\x00\x02\x7f\x20", 7);
	assert_int_equal(walk(&seen, buf, 17), 0);
	assert_int_equal(seen.n, 3);
	assert_string_equal(seen.text[0], "SELECT 7F20 (DF_GSM)");
	assert_string_equal(seen.text[1], "GET RESPONSE 22 octets");
	assert_string_equal(seen.text[2], "STATUS 22 octets");
}

/* What decides whether P3 is an Lc, and the Le a last case 4 command may carry. */
static void splitting(void **state)
{
	struct seen seen;

	/* TS 102 221 STATUS has no data, GlobalPlatform GET STATUS has */
	assert_int_equal(walk(&seen, "\x80\xf2\x00\x0c\x00\x80\xf2\x40\x02\x02\x4f\x00\x00", 13), 0);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.len[0], 5);
	assert_int_equal(seen.len[1], 8);
	assert_string_equal(seen.text[0], "STATUS 256 octets");
	assert_string_equal(seen.text[1], "GET STATUS, 2 octets of data");
	/* a lone octet after a case 2 command is nothing */
	assert_int_equal(walk(&seen, "\x00\xb0\x00\x00\x09\x00", 6), OTA_E_SHORT);
	assert_int_equal(walk(&seen, "\x00\xa4\x00\x0c\x03\x3f\x00", 7), OTA_E_SHORT);
	assert_int_equal(walk(&seen, "\x00\xa4\x00\x0c", 4), OTA_E_SHORT);
	assert_int_equal(walk(&seen, "", 0), 0);
	assert_int_equal(seen.n, 0);
}

static void in_words(void **state)
{
	static const struct {
		const char *apdu;
		size_t len;
		const char *text;
	} rows[] = {
		{ "\x00\xa4\x08\x0c\x04\x7f\xff\x6f\x7e", 9, "SELECT 7FFF/6F7E (EF_LOCI)" },
		{ "\x00\xa4\x00\x0c\x02\x12\x34", 7, "SELECT 1234" },
		{ "\x00\xa4\x04\x00\x07\xa0\x00\x00\x00\x87\x10\x02", 12, "SELECT application by name, 7 octets" },
		{ "\x00\xa4\x00\x0c\x01\x3f", 6, "SELECT, 1 octets" },
		{ "\x00\xa4\x00\x0c\x00", 5, "SELECT, 0 octets" },
		{ "\x00\xb0\x01\x02\x00", 5, "READ BINARY 256 octets at 258" },
		{ "\x00\xb0\x87\x02\x01", 5, "READ BINARY 1 octets at 2, short file id 07" },
		{ "\x00\xb2\x00\x02\x10", 5, "READ RECORD 16 octets, next record" },
		{ "\x80\xe4\x00\x00\x02\x4f\x00", 7, "DELETE application, 2 octets of data" },
		{ "\x00\xe4\x00\x00\x02\x4f\x00", 7, "DELETE FILE 4F00" },
		{ "\x80\xd8\x00\x81\x01\x01", 6, "PUT KEY add version 1, keys from id 1, 1 octets of data" },
		{ "\x12\x34\x56\x78\x00", 5, "CLA 12 INS 34 P1 56 P2 78" },
		{ "\x00\xd6\x00", 3, "incomplete C-APDU, 3 octets" },
		{ "\x00\xd6\x00\x00\x09\x01", 6, "UPDATE BINARY 1 octets at 0" },
	};
	char text[100], tiny[5] = "abcd";

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t *copy = exact(rows[i].apdu, rows[i].len);

		ota_apdu_describe(text, sizeof(text), copy, rows[i].len);
		assert_string_equal(text, rows[i].text);
		ota_apdu_describe(tiny, sizeof(tiny), copy, rows[i].len);
		assert_int_equal(strlen(tiny), sizeof(tiny) - 1);
		free(copy);
	}
	ota_apdu_describe(text, 0, NULL, 0);
	/* a path longer than the room for it */
	ota_apdu_describe(text, sizeof(text),
			  (const uint8_t *)"\x00\xa4\x08\x0c\x1e"
					   "aabbccddeeffgghhiijjkkllmmnnoo",
			  35);
	assert_int_equal(strncmp(text, "SELECT 6161/6262/", 17), 0);
}

static void compact_answers(void **state)
{
	struct ota_compact_rsp rsp;
	uint8_t *p = exact("\x02\x90\x00\x08\x29", 5);

	assert_int_equal(ota_compact_rsp_parse(&rsp, p, 5), 0);
	assert_int_equal(rsp.count, 2);
	assert_int_equal(rsp.sw, 0x9000);
	assert_int_equal(rsp.data_len, 2);
	assert_memory_equal(rsp.data, "\x08\x29", 2);
	assert_int_equal(ota_compact_rsp_parse(&rsp, p, 3), 0);
	assert_int_equal(rsp.data_len, 0);
	free(p);
	for (size_t n = 0; n < 3; n++) {
		p = exact("\x02\x90", n);
		assert_int_equal(ota_compact_rsp_parse(&rsp, p, n), OTA_E_SHORT);
		free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(imsi_change), cmocka_unit_test(first_error_stays), cmocka_unit_test(class_a0),
		cmocka_unit_test(splitting),   cmocka_unit_test(in_words),	    cmocka_unit_test(compact_answers),
	};

	return cmocka_run_group_tests_name("compact scripts", tests, NULL, NULL);
}
