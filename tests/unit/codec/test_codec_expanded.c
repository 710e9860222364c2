/* test_codec_expanded.c - expanded scripts and answers of either format.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "unit.h"

static const uint8_t get_status[] = { 0x80, 0xf2, 0x40, 0x02, 0x02, 0x4f, 0x00 };
static uint8_t big[70000];

static void octets(const struct ota_script *s, const char *want, size_t len)
{
	assert_int_equal(ota_script_len(s), len);
	assert_memory_equal(s->buf, want, len);
}

/* One set of calls, three formats. */
static void three_formats(void **state)
{
	static const uint16_t path[] = { 0x7fff, 0x6f07 };
	static const struct {
		enum ota_format format;
		const char *want;
		size_t len;
	} rows[] = {
		{ OTA_FORMAT_COMPACT,
		  "\x00\xa4\x09\x0c\x04\x7f\xff\x6f\x07\x00\xb2\x01\x04\x1c\x80\xf2\x40\x02\x02\x4f\x00\x00", 22 },
		{ OTA_FORMAT_DEFINITE,
		  "\xaa\x1c\x22\x09\x00\xa4\x09\x0c\x04\x7f\xff\x6f\x07\x22\x05\x00\xb2\x01\x04\x1c"
		  "\x22\x08\x80\xf2\x40\x02\x02\x4f\x00\x00",
		  30 },
		{ OTA_FORMAT_INDEFINITE,
		  "\xae\x80\x22\x09\x00\xa4\x09\x0c\x04\x7f\xff\x6f\x07\x22\x05\x00\xb2\x01\x04\x1c"
		  "\x22\x08\x80\xf2\x40\x02\x02\x4f\x00\x00\x00\x00",
		  32 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t *buf = malloc(rows[i].len);
		struct ota_script s;

		ota_script_init_format(&s, buf, rows[i].len, rows[i].format);
		ota_script_select_path(&s, false, path, 2);
		ota_script_read_record(&s, 0, 1, 0x1c);
		ota_script_apdu_le(&s, get_status, sizeof(get_status));
		octets(&s, rows[i].want, rows[i].len);
		assert_int_equal(s.count, 3);
		assert_int_equal(ota_cmd_format(buf, rows[i].len), rows[i].format);
		free(buf);
	}
}

/* An Le in compact format goes when something follows: it could not be told from a CLA. */
static void le_goes(void **state)
{
	uint8_t buf[40];
	struct ota_script s;

	ota_script_init(&s, buf, sizeof(buf));
	ota_script_apdu_le(&s, get_status, sizeof(get_status));
	octets(&s, "\x80\xf2\x40\x02\x02\x4f\x00\x00", 8);
	ota_script_read_binary(&s, 0, 0, 9);
	octets(&s, "\x80\xf2\x40\x02\x02\x4f\x00\x00\xb0\x00\x00\x09", 12);
	/* no data: P3 is the Le already */
	ota_script_apdu_le(&s, buf, 5);
	assert_int_equal(ota_script_len(&s), OTA_E_LENGTH);
	ota_script_init(&s, buf, sizeof(buf));
	ota_script_apdu_le(&s, get_status, sizeof(get_status) - 1);
	assert_int_equal(ota_script_len(&s), OTA_E_LENGTH);
}

/* A definite length of one, two and three octets; each size fits to the octet. */
static void lengths(void **state)
{
	static const size_t sizes[] = { 0, 1, 113, 114, 115, 230, 231, 232, 233, 241, 242, 243, 244, 500, 1000 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (unsigned indefinite = 0; indefinite < 2; indefinite++) {
			enum ota_format f = indefinite ? OTA_FORMAT_INDEFINITE : OTA_FORMAT_DEFINITE;
			size_t left = sizes[i], len;
			uint8_t *buf = malloc(2000);
			struct ota_script s;

			ota_script_init_format(&s, buf, 2000, f);
			for (; left; left -= left > 200 ? 200 : left)
				ota_script_update_binary(&s, 0, 0, big, left > 200 ? 200 : left);
			len = s.len;
			assert_int_equal(ota_script_len(&s), len);
			for (size_t cap = 0; cap <= len; cap++) {
				struct ota_script t;
				uint8_t *small = malloc(cap);

				ota_script_init_format(&t, small, cap, f);
				for (left = sizes[i]; left; left -= left > 200 ? 200 : left)
					ota_script_update_binary(&t, 0, 0, big, left > 200 ? 200 : left);
				assert_int_equal(ota_script_len(&t), cap < len ? OTA_E_SPACE : (int)len);
				free(small);
			}
			free(buf);
		}
	}
}

static void too_long(void **state)
{
	static uint8_t buf[sizeof(big)];
	struct ota_script s;

	ota_script_init_format(&s, buf, sizeof(buf), OTA_FORMAT_DEFINITE);
	ota_script_error_action(&s, big, 0x10000);
	assert_int_equal(ota_script_len(&s), OTA_E_LENGTH);
	ota_script_init_format(&s, buf, sizeof(buf), OTA_FORMAT_DEFINITE);
	for (unsigned i = 0; i < 256; i++)
		ota_script_update_binary(&s, 0, 0, big, 255);
	assert_int_equal(ota_script_len(&s), OTA_E_LENGTH);
	ota_script_init_format(&s, buf, sizeof(buf), OTA_FORMAT_UNKNOWN);
	assert_int_equal(ota_script_len(&s), OTA_E_FORMAT);
	ota_script_init_format(&s, buf, sizeof(buf), OTA_FORMAT_DEFINITE);
	ota_script_apdu(&s, big, 3);
	assert_int_equal(ota_script_len(&s), OTA_E_LENGTH);
	ota_script_init_format(&s, buf, sizeof(buf), OTA_FORMAT_DEFINITE);
	ota_script_select_path(&s, true, NULL, 0);
	ota_script_apdu(&s, big, 4);
	assert_int_equal(ota_script_len(&s), OTA_E_RANGE);
}

static void actions(void **state)
{
	static const uint8_t refresh[] = { 0x81, 0x03, 0x01, 0x01, 0x04, 0x82, 0x02, 0x81, 0x82 };
	uint8_t buf[60];
	struct ota_script s;

	ota_script_init_format(&s, buf, sizeof(buf), OTA_FORMAT_DEFINITE);
	ota_script_chaining(&s, OTA_CHAIN_FIRST_KEPT);
	ota_script_immediate(&s, refresh, sizeof(refresh));
	ota_script_error_action_ref(&s, 2);
	ota_script_apdu(&s, (const uint8_t *)"\x00\xb0\x00\x00", 4);
	ota_script_error_action(&s, NULL, 0);
	octets(&s,
	       "\xaa\x19\x83\x01\x11\x81\x09\x81\x03\x01\x01\x04\x82\x02\x81\x82\x82\x01\x02\x22\x04\x00\xb0\x00\x00"
	       "\x82\x00",
	       27);
	assert_int_equal(s.count, 1);

	ota_script_init_format(&s, buf, sizeof(buf), OTA_FORMAT_INDEFINITE);
	ota_script_immediate_ref(&s, OTA_IMMEDIATE_EARLY);
	octets(&s, "\xae\x80\x81\x01\x82\x00\x00", 7);
}

static void misplaced(void **state)
{
	uint8_t buf[60];
	struct ota_script s;

#define REFUSED(error, ...)                                                        \
	do {                                                                       \
		ota_script_init_format(&s, buf, sizeof(buf), OTA_FORMAT_DEFINITE); \
		__VA_ARGS__;                                                       \
		assert_int_equal(ota_script_len(&s), error);                       \
	} while (0)
	REFUSED(OTA_E_FORMAT, ota_script_immediate_ref(&s, 1), ota_script_chaining(&s, OTA_CHAIN_LAST));
	REFUSED(OTA_E_FORMAT, ota_script_immediate_ref(&s, 1), ota_script_immediate_ref(&s, 1));
	REFUSED(OTA_E_FORMAT, ota_script_error_action_ref(&s, 1), ota_script_immediate(&s, big, 9));
	REFUSED(OTA_E_FORMAT, ota_script_chaining(&s, OTA_CHAIN_MORE), ota_script_error_action_ref(&s, 1),
		ota_script_immediate_ref(&s, 1));
	REFUSED(OTA_E_RANGE, ota_script_chaining(&s, (enum ota_chaining)0x12));
	REFUSED(OTA_E_RANGE, ota_script_immediate_ref(&s, 0));
	REFUSED(OTA_E_RANGE, ota_script_immediate_ref(&s, 0x80));
	REFUSED(OTA_E_RANGE, ota_script_error_action_ref(&s, 0));
	REFUSED(OTA_E_RANGE, ota_script_error_action_ref(&s, 0x80));
	REFUSED(OTA_E_LENGTH, ota_script_immediate(&s, big, 1));
	REFUSED(OTA_E_LENGTH, ota_script_error_action(&s, big, 1));
#undef REFUSED
	/* none of it exists in compact format */
	ota_script_init(&s, buf, sizeof(buf));
	ota_script_chaining(&s, OTA_CHAIN_FIRST);
	assert_int_equal(ota_script_len(&s), OTA_E_FORMAT);
	/* the first error stays */
	ota_script_error_action(&s, big, 1);
	ota_script_select(&s, 0, 0x3f00);
	assert_int_equal(ota_script_len(&s), OTA_E_FORMAT);
}

/* ------------------------------------------------------------------------------------------- taking apart */

static int count_tlv(void *ctx, const struct ota_tlv *t)
{
	++*(unsigned *)ctx;
	return t->tag == 0x55 ? 55 : 0;
}

static int count_apdu(void *ctx, const uint8_t *apdu, size_t len)
{
	++*(unsigned *)ctx;
	return 0;
}

static void malformed(void **state)
{
	static const struct {
		const char *p;
		size_t len;
		int err;
	} rows[] = {
		{ "", 0, OTA_E_SHORT },
		{ "\xaa", 1, OTA_E_SHORT },
		{ "\xaa\x00", 2, 0 },
		{ "\xaa\x01", 2, OTA_E_SHORT },
		{ "\xaa\x00\x00", 3, OTA_E_LENGTH },
		{ "\xaa\x81", 2, OTA_E_SHORT },
		{ "\xaa\x81\x02\x22\x00", 5, 0 }, /* longer than need be: read all the same */
		{ "\xaa\x82\x00\x02\x22\x00", 6, 0 },
		{ "\xaa\x83\x00\x00\x02\x22\x00", 7, OTA_E_LENGTH },
		{ "\xaa\x80\x22\x00\x00\x00", 6, OTA_E_LENGTH },
		{ "\xae\x80\x22\x00\x00\x00", 6, 0 },
		{ "\xae\x80\x00\x00", 4, 0 },
		{ "\xae\x80\x00", 3, OTA_E_SHORT },
		{ "\xae\x80\x22\x00\x00\x01", 6, OTA_E_SHORT },
		{ "\xae\x80\x22\x00\x01\x00", 6, OTA_E_SHORT },
		{ "\xae\x02\x22\x00", 4, OTA_E_LENGTH },
		{ "\xae", 1, OTA_E_SHORT },
		{ "\xaa\x01\x22", 3, OTA_E_SHORT },
		{ "\xaa\x02\x22\x01", 4, OTA_E_SHORT },
		{ "\xaa\x02\x00\x00", 4, OTA_E_FORMAT },
		{ "\xaa\x02\x1f\x00", 4, OTA_E_FORMAT },
		{ "\xaa\x03\x22\x81\x05", 5, OTA_E_SHORT },
		{ "\xaa\x02\x22\x80", 4, OTA_E_LENGTH },
		{ "\xaa\x02\x55\x00", 4, 55 },
		{ "\x00\xa4\x00\x00\x00", 5, OTA_E_FORMAT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t *copy = exact(rows[i].p, rows[i].len);
		unsigned n = 0;

		assert_int_equal(ota_tlv_each(copy, rows[i].len, count_tlv, &n), rows[i].err);
		free(copy);
	}
}

static void commands_of_any_format(void **state)
{
	static const struct {
		const char *p;
		size_t len;
		int rc;
		unsigned n;
	} rows[] = {
		{ "\x00\xb0\x00\x00\x09", 5, 0, 1 },
		{ "\xaa\x09\x83\x01\x01\x22\x04\x00\xb0\x00\x00", 11, 0, 1 },
		{ "\xae\x80\x22\x04\x00\xb0\x00\x00\x22\x04\x00\xb0\x00\x00\x00\x00", 16, 0, 2 },
		{ "\xaa\x05\x22\x03\x00\xb0\x00", 7, OTA_E_LENGTH, 0 },
		{ "", 0, OTA_E_SHORT, 0 },
		{ "\x03\x00\x00\x00\x00", 5, OTA_E_FORMAT, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t *copy = exact(rows[i].p, rows[i].len);
		unsigned n = 0;

		assert_int_equal(ota_cmd_each(copy, rows[i].len, count_apdu, &n), rows[i].rc);
		assert_int_equal(n, rows[i].n);
		free(copy);
	}
	assert_string_equal(ota_format_name(OTA_FORMAT_COMPACT), "compact");
	assert_string_equal(ota_format_name(OTA_FORMAT_DEFINITE), "expanded");
	assert_string_equal(ota_format_name(OTA_FORMAT_INDEFINITE), "expanded-indefinite");
	assert_string_equal(ota_format_name((enum ota_format)9), "unknown");
}

/* ----------------------------------------------------------------------------------------------- answers */

/* Which command failed first, of `sent`: the SW of every R-APDU counts. */
static void which_failed(void **state)
{
	static const struct {
		const char *p;
		size_t len;
		unsigned sent;
		int failed;
		uint16_t sw;
	} rows[] = {
		/* compact */
		{ "\x02\x90\x00", 3, 2, -1, 0 },
		{ "\x02\x6a\x82", 3, 3, 1, 0x6a82 },
		{ "\x01\x90\x00", 3, 2, 1, 0 },
		{ "\x03\x90\x00", 3, 2, 2, 0 },
		{ "\x00\x90\x00", 3, 2, 0, 0 },
		{ "\x01\x6c\x09", 3, 1, 0, 0x6c09 },
		/* expanded */
		{ "\xab\x0b\x80\x01\x02\x23\x02\x90\x00\x23\x02\x91\x10", 13, 2, -1, 0 },
		{ "\xab\x0b\x80\x01\x02\x23\x02\x69\x82\x23\x02\x90\x00", 13, 2, 0, 0x6982 },
		{ "\xab\x07\x80\x01\x01\x23\x02\x90\x00", 9, 2, 1, 0 },
		{ "\xab\x07\x80\x01\x01\x23\x02\x62\xf1", 9, 2, 0, 0x62f1 },
		{ "\xab\x0a\x80\x01\x01\x23\x02\x90\x00\x90\x01\x01", 12, 1, 1, 0 },
		{ "\xab\x06\x80\x01\x01\x90\x01\x01", 8, 1, 0, 0 },
		{ "\xab\x06\x80\x01\x00\x81\x01\x01", 8, 1, 0, 0 },
		{ "\xab\x06\x80\x01\x00\x83\x01\x02", 8, 1, 0, 0 },
		{ "\xab\x0b\x80\x01\x02\x23\x02\x90\x00\x23\x02\x90\x00", 13, 1, 1, 0 },
		/* actions count as objects executed, too; a number below the R-APDUs fits nothing */
		{ "\xab\x07\x80\x01\x03\x23\x02\x90\x00", 9, 1, -1, 0 },
		{ "\xab\x08\x80\x02\x01\x03\x23\x02\x90\x00", 10, 1, -1, 0 },
		{ "\xab\x07\x80\x01\x00\x23\x02\x90\x00", 9, 1, 0, 0 },
		{ "\xab\x0b\x80\x01\x01\x55\x02\x11\x22\x23\x02\x90\x00", 13, 1, -1, 0 },
		{ "\xaf\x80\x23\x02\x90\x00\x23\x02\x90\x00\x00\x00", 12, 2, -1, 0 },
		{ "\xaf\x80\x23\x02\x90\x00\x00\x00", 8, 2, 1, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t *copy = exact(rows[i].p, rows[i].len);
		struct ota_script_rsp rsp;
		uint16_t sw = 1;

		assert_int_equal(ota_script_rsp_parse(&rsp, OTA_FORMAT_UNKNOWN, copy, rows[i].len), 0);
		assert_int_equal(ota_script_rsp_failed(&rsp, rows[i].sent, &sw), rows[i].failed);
		assert_int_equal(sw, rows[i].sw);
		assert_int_equal(ota_script_rsp_failed(&rsp, rows[i].sent, NULL), rows[i].failed);
		free(copy);
	}
}

static void not_an_answer(void **state)
{
	static const struct {
		enum ota_format format;
		const char *p;
		size_t len;
		int err;
	} rows[] = {
		{ OTA_FORMAT_COMPACT, "\x01\x90", 2, OTA_E_SHORT },
		{ OTA_FORMAT_UNKNOWN, "\x01\x90", 2, OTA_E_SHORT },
		{ OTA_FORMAT_UNKNOWN, "", 0, OTA_E_SHORT },
		{ OTA_FORMAT_DEFINITE, "", 0, OTA_E_SHORT },
		{ OTA_FORMAT_DEFINITE, "\x01\x90\x00", 3, OTA_E_FORMAT },
		{ OTA_FORMAT_DEFINITE, "\xaa\x00", 2, OTA_E_FORMAT },
		{ OTA_FORMAT_DEFINITE, "\xab\x01\x23", 3, OTA_E_SHORT },
		{ OTA_FORMAT_DEFINITE, "\xab\x03\x23\x01\x90", 5, OTA_E_LENGTH },
		{ OTA_FORMAT_DEFINITE, "\xab\x02\x80\x00", 4, OTA_E_LENGTH },
		{ OTA_FORMAT_DEFINITE, "\xab\x05\x80\x03\x00\x00\x01", 7, OTA_E_LENGTH },
		{ OTA_FORMAT_INDEFINITE, "\xab\x02\x90\x00", 4, OTA_E_LENGTH },
		{ OTA_FORMAT_INDEFINITE, "\xab\x04\x81\x02\x01\x01", 6, OTA_E_LENGTH },
		{ OTA_FORMAT_INDEFINITE, "\xab\x02\x83\x00", 4, OTA_E_LENGTH },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t *copy = exact(rows[i].p, rows[i].len);
		struct ota_script_rsp rsp;

		assert_int_equal(ota_script_rsp_parse(&rsp, rows[i].format, copy, rows[i].len), rows[i].err);
		assert_int_equal(rsp.format, OTA_FORMAT_UNKNOWN);
		free(copy);
	}
	/* an AB that is no expanded answer may be a compact one, of 171 commands */
	assert_int_equal(ota_rsp_format((const uint8_t *)"\xab\x90\x00", 3), OTA_FORMAT_COMPACT);
	assert_int_equal(ota_rsp_format((const uint8_t *)"\xab\x00", 2), OTA_FORMAT_DEFINITE);
	assert_int_equal(ota_rsp_format((const uint8_t *)"\xaf\x80\x00\x00", 4), OTA_FORMAT_INDEFINITE);
}

static void built_answers(void **state)
{
	uint8_t buf[300];
	struct ota_script_rsp rsp;
	struct ota_script s;

	ota_script_rsp_init(&s, buf, sizeof(buf), false);
	ota_script_rsp_rapdu(&s, NULL, 0, 0x6132);
	octets(&s, "\xab\x07\x80\x01\x01\x23\x02\x61\x32", 9);
	ota_script_rsp_rapdu(&s, big, 200, 0x62f1);
	ota_script_rsp_immediate(&s, 1);
	ota_script_rsp_chaining(&s, 3);
	assert_int_equal(ota_script_rsp_parse(&rsp, OTA_FORMAT_DEFINITE, buf, s.len), 0);
	assert_int_equal(rsp.executed, 2);
	assert_int_equal(rsp.rapdus, 2);
	assert_true(rsp.truncated);
	assert_int_equal(rsp.immediate, 1);
	assert_int_equal(rsp.chaining, 3);
	ota_script_rsp_rapdu(&s, big, 200, 0x9000);
	assert_int_equal(ota_script_len(&s), OTA_E_SPACE);
	ota_script_rsp_executed(&s, 9);

	ota_script_rsp_init(&s, buf, sizeof(buf), false);
	ota_script_rsp_executed(&s, 1);
	ota_script_rsp_bad_format(&s, 1);
	octets(&s, "\xab\x06\x80\x01\x01\x90\x01\x01", 8);
	ota_script_rsp_rapdu(&s, NULL, 0, 0x9000);
	assert_int_equal(buf[4], 1);

	assert_int_equal(ota_compact_rsp_encode(buf, 5, 2, 0x9000, big, 2), 5);
	assert_memory_equal(buf, "\x02\x90\x00\x00\x00", 5);
	assert_int_equal(ota_compact_rsp_encode(buf, 4, 2, 0x9000, big, 2), OTA_E_SPACE);
	ota_script_rsp_init(&s, buf, 1, true);
	assert_int_equal(ota_script_len(&s), OTA_E_SPACE);
}

static void status_words(void **state)
{
	static const struct {
		uint16_t sw;
		bool ok;
	} rows[] = {
		{ 0x9000, true },  { 0x9001, false }, { 0x9110, true },	 { 0x9f22, true },  { 0x6132, true },
		{ 0x9203, true },  { 0x9240, false }, { 0x6200, true },	 { 0x6282, true },  { 0x6281, false },
		{ 0x62f1, false }, { 0x63f1, true },  { 0x63c2, true },	 { 0x6982, false }, { 0x6a82, false },
		{ 0x9404, false }, { 0x0000, false }, { 0x9300, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(ota_sw_ok(rows[i].sw), rows[i].ok);
	assert_string_equal(ota_sw_name(0x63c2), "done after retries; PIN: wrong, tries left");
	for (int code = -1; code < 6; code++) {
		assert_non_null(ota_bad_format_name(code));
		assert_non_null(ota_chaining_name(code));
	}
	assert_string_equal(ota_bad_format_name(2), "wrong length found");
	assert_string_equal(ota_chaining_name(1), "no previous script");
}

/* Every command of TS 102 226, 6.2 and 8.2 in words. */
static void in_words(void **state)
{
	static const struct {
		const char *apdu;
		size_t len;
		const char *text;
	} rows[] = {
		{ "\x00\xa2\x01\x04\x02\x11\x22", 7, "SEARCH RECORD, 2 octets of data" },
		{ "\x80\x32\x01\x04\x03\x00\x00\x01", 8, "INCREASE, 3 octets of data" },
		{ "\x00\x20\x00\x01\x08"
		  "12345678",
		  13, "VERIFY PIN, 8 octets of data" },
		{ "\xa0\x20\x00\x01\x08"
		  "12345678",
		  13, "VERIFY CHV, 8 octets of data" },
		{ "\x00\x24\x00\x01\x00", 5, "CHANGE PIN, 0 octets of data" },
		{ "\x00\x26\x00\x01\x00", 5, "DISABLE PIN, 0 octets of data" },
		{ "\x00\x28\x00\x01\x00", 5, "ENABLE PIN, 0 octets of data" },
		{ "\x00\x2c\x00\x01\x00", 5, "UNBLOCK PIN, 0 octets of data" },
		{ "\x00\x04\x00\x00\x02\x6f\x07", 7, "DEACTIVATE FILE 6F07 (EF_IMSI)" },
		{ "\x00\x44\x00\x00\x02\x6f\x07", 7, "ACTIVATE FILE 6F07 (EF_IMSI)" },
		{ "\xa0\x44\x00\x00\x00", 5, "REHABILITATE, 0 octets of data" },
		{ "\x00\xe0\x00\x00\x03\x62\x01\x00", 8, "CREATE FILE, 3 octets of data" },
		{ "\x00\xe4\x00\x00\x02\x6f\x99", 7, "DELETE FILE 6F99" },
		{ "\x80\xd4\x00\x00\x03\x62\x01\x00", 8, "RESIZE FILE, 3 octets of data" },
		{ "\x80\xcb\x00\x80\x01\x5c", 6, "RETRIEVE DATA, 1 octets of data" },
		{ "\x80\xdb\x00\x80\x01\x5c", 6, "SET DATA, 1 octets of data" },
		{ "\x80\xca\x00\xe0\x00", 5, "GET DATA 00E0" },
		{ "\x80\xd8\x01\x02\x01\x03", 6, "PUT KEY replace by version 3, key id 2, 1 octets of data" },
		{ "\x80\xd8\x01\x02\x00", 5, "PUT KEY, 0 octets of data" },
		{ "\x80\xe2\x80\x03\x01\x00", 6, "STORE DATA block 3, the last, 1 octets" },
		{ "\x80\xe2\x00\x03\x01\x00", 6, "STORE DATA block 3, 1 octets" },
		{ "\x80\xe4\x00\x80\x02\x4f\x00", 7, "DELETE application and what belongs to it, 2 octets of data" },
		{ "\x80\xe4\x00\x00\x03\xd2\x01\x02", 8, "DELETE keys, 3 octets of data" },
		{ "\x80\xe4\x00\x00\x00", 5, "DELETE, 0 octets of data" },
		{ "\x80\xe6\x02\x00\x01\x00", 6, "INSTALL [for load], 1 octets of data" },
		{ "\x80\xe6\x04\x00\x01\x00", 6, "INSTALL [for install], 1 octets of data" },
		{ "\x80\xe6\x08\x00\x01\x00", 6, "INSTALL [for make selectable], 1 octets of data" },
		{ "\x80\xe6\x0c\x00\x01\x00", 6, "INSTALL [for install and make selectable], 1 octets of data" },
		{ "\x80\xe6\x10\x00\x01\x00", 6, "INSTALL [for extradition], 1 octets of data" },
		{ "\x80\xe6\x20\x00\x01\x00", 6, "INSTALL [for personalization], 1 octets of data" },
		{ "\x80\xe6\x40\x00\x01\x00", 6, "INSTALL [for registry update], 1 octets of data" },
		{ "\x80\xe6\x33\x00\x01\x00", 6, "INSTALL [other], 1 octets of data" },
		{ "\x80\xe8\x00\x01\x01\x00", 6, "LOAD block 1, 1 octets" },
		{ "\x80\xe8\x80\x01\x01\x00", 6, "LOAD block 1, the last, 1 octets" },
		{ "\x80\xf0\x40\x83\x01\x00", 6, "SET STATUS to 83, 1 octets of data" },
		{ "\x80\xf2\x40\x02\x02\x4f\x00", 7, "GET STATUS, 2 octets of data" },
		{ "\x00\xe6\x00\x00\x02\x5f\x3b", 7, "TERMINATE DF 5F3B (DF_GSM-ACCESS)" },
		{ "\x00\xe8\x00\x00\x02\x6f\x07", 7, "TERMINATE EF 6F07 (EF_IMSI)" },
		{ "\x00\xb2\x01\x03\x10", 5, "READ RECORD 16 octets, previous record" },
	};
	char text[100];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t *copy = exact(rows[i].apdu, rows[i].len);

		ota_apdu_describe(text, sizeof(text), copy, rows[i].len);
		assert_string_equal(text, rows[i].text);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_formats), cmocka_unit_test(le_goes),
		cmocka_unit_test(lengths),	 cmocka_unit_test(too_long),
		cmocka_unit_test(actions),	 cmocka_unit_test(misplaced),
		cmocka_unit_test(malformed),	 cmocka_unit_test(commands_of_any_format),
		cmocka_unit_test(which_failed),	 cmocka_unit_test(not_an_answer),
		cmocka_unit_test(built_answers), cmocka_unit_test(status_words),
		cmocka_unit_test(in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
