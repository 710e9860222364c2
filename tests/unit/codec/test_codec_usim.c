/* test_codec_usim.c - file contents of an IMSI change.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "unit.h"

static void imsi_codings(void **state)
{
	static const struct {
		const char *imsi;
		const char *ef;
	} rows[] = {
		{ "234567890123456", "\x08\x29\x43\x65\x87\x09\x21\x43\x65" },
		{ "23456789012345", "\x08\x21\x43\x65\x87\x09\x21\x43\xf5" },
		{ "262011106487504", "\x08\x29\x26\x10\x11\x60\x84\x57\x40" },
		{ "123456", "\x04\x11\x32\x54\xf6\xff\xff\xff\xff" },
		{ "1234567", "\x04\x19\x32\x54\x76\xff\xff\xff\xff" },
	};
	uint8_t ef[USIM_IMSI_LEN];
	char imsi[16];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(usim_imsi_encode(ef, rows[i].imsi), USIM_IMSI_LEN);
		assert_memory_equal(ef, rows[i].ef, USIM_IMSI_LEN);
		assert_int_equal(usim_imsi_decode(imsi, ef, sizeof(ef)), 0);
		assert_string_equal(imsi, rows[i].imsi);
	}
	assert_int_equal(usim_imsi_encode(ef, "12345"), OTA_E_DIGITS);
	assert_int_equal(usim_imsi_encode(ef, "1234567890123456"), OTA_E_DIGITS);
	assert_int_equal(usim_imsi_encode(ef, "12345678901234x"), OTA_E_DIGITS);
	assert_int_equal(usim_imsi_encode(ef, "-23456789012345"), OTA_E_DIGITS);
	assert_int_equal(usim_imsi_encode(ef, ""), OTA_E_DIGITS);
}

static void imsi_from_outside(void **state)
{
	static const struct {
		const char *ef;
		size_t len;
		int err;
	} rows[] = {
		{ "", 0, OTA_E_SHORT },
		{ "\x08\x29\x43", 3, OTA_E_SHORT },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9, OTA_E_SHORT },
		{ "\x09\x29\x43\x65\x87\x09\x21\x43\x65\x65", 10, OTA_E_LENGTH },
		{ "\x00\x29\x43\x65\x87\x09\x21\x43\x65", 9, OTA_E_LENGTH },
		{ "\x08\x2a\x43\x65\x87\x09\x21\x43\x65", 9, OTA_E_FORMAT }, /* a TMSI, not an IMSI */
		{ "\x08\x21\x43\x65\x87\x09\x21\x43\x65", 9, OTA_E_FORMAT }, /* even, but no filler */
		{ "\x08\xa9\x43\x65\x87\x09\x21\x43\x65", 9, OTA_E_DIGITS },
		{ "\x08\x29\x43\x65\x87\x0b\x21\x43\x65", 9, OTA_E_DIGITS },
		{ "\x01\x29", 2, OTA_E_DIGITS },
		{ "\x01\x21", 2, OTA_E_DIGITS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t *copy = exact(rows[i].ef, rows[i].len);
		char imsi[16] = "?";

		if (usim_imsi_decode(imsi, copy, rows[i].len) != rows[i].err)
			fail_msg("row %zu: %s", i, ota_strerror(usim_imsi_decode(imsi, copy, rows[i].len)));
		assert_string_equal(imsi, "");
		free(copy);
	}
}

static void iccid_codings(void **state)
{
	static const char *const iccids[] = { "8988211000000123457", "89882110000001234578", "898821100000012345" };
	uint8_t ef[USIM_ICCID_LEN];
	char iccid[21];

	for (size_t i = 0; i < ARRAY_SIZE(iccids); i++) {
		assert_int_equal(usim_iccid_encode(ef, iccids[i]), USIM_ICCID_LEN);
		assert_int_equal(ef[0], 0x98);
		assert_int_equal(usim_iccid_decode(iccid, ef, sizeof(ef)), 0);
		assert_string_equal(iccid, iccids[i]);
	}
	usim_iccid_encode(ef, iccids[0]);
	assert_memory_equal(ef, "\x98\x88\x12\x01\x00\x00\x10\x32\x54\xf7", 10);
	assert_int_equal(usim_iccid_encode(ef, "89882110000001234"), OTA_E_DIGITS);
	assert_int_equal(usim_iccid_encode(ef, "898821100000012345789"), OTA_E_DIGITS);
	assert_int_equal(usim_iccid_decode(iccid, ef, 9), OTA_E_SHORT);
	assert_int_equal(usim_iccid_decode(iccid, (const uint8_t *)"12345678901", 11), OTA_E_LENGTH);
	memset(ef, 0xff, sizeof(ef));
	assert_int_equal(usim_iccid_decode(iccid, ef, 10), OTA_E_DIGITS);
	assert_string_equal(iccid, "");
}

static void luhn(void **state)
{
	assert_true(ota_luhn_ok("79927398713"));
	assert_false(ota_luhn_ok("79927398710"));
	assert_false(ota_luhn_ok("97927398713"));
	assert_true(ota_luhn_ok("0"));
	assert_true(ota_luhn_ok("59")); /* 5 doubled is 10, and counts 1 */
	assert_false(ota_luhn_ok(""));
	assert_false(ota_luhn_ok("7992739871x"));
	assert_false(ota_luhn_ok("799273987130000000000"));
}

static void plmn_codings(void **state)
{
	uint8_t plmn[3];
	char mcc[4], mnc[4];

	assert_int_equal(usim_plmn_encode(plmn, "262", "01"), 3);
	assert_memory_equal(plmn, "\x62\xf2\x10", 3);
	assert_int_equal(usim_plmn_encode(plmn, "334", "020"), 3);
	assert_memory_equal(plmn, "\x33\x04\x20", 3);
	assert_int_equal(usim_plmn_decode(mcc, mnc, plmn), 0);
	assert_string_equal(mcc, "334");
	assert_string_equal(mnc, "020");
	assert_int_equal(usim_plmn_encode(plmn, "26", "01"), OTA_E_DIGITS);
	assert_int_equal(usim_plmn_encode(plmn, "2622", "01"), OTA_E_DIGITS);
	assert_int_equal(usim_plmn_encode(plmn, "262", "1"), OTA_E_DIGITS);
	assert_int_equal(usim_plmn_encode(plmn, "262", "0123"), OTA_E_DIGITS);
	assert_int_equal(usim_plmn_encode(plmn, "262", "0a"), OTA_E_DIGITS);
	assert_int_equal(usim_plmn_decode(mcc, mnc, (const uint8_t *)"\xff\xff\xff"), OTA_E_DIGITS);
	assert_string_equal(mcc, "");
}

static void access_classes(void **state)
{
	uint8_t ef[2];

	for (unsigned class = 0; class < 10; class ++) {
		char imsi[] = "00101012345678?";

		imsi[14] = (char)('0' + class);
		assert_int_equal(usim_acc_from_imsi(ef, imsi), 2);
		assert_int_equal(ef[0] << 8 | ef[1], 1 << class);
	}
	assert_int_equal(usim_acc_from_imsi(ef, "0010"), OTA_E_DIGITS);
}

static void deleted_values(void **state)
{
	uint8_t ef[USIM_KEYS_LEN], want[USIM_KEYS_LEN];

	assert_int_equal(usim_loci_deleted(ef, 0xfffe), USIM_LOCI_LEN);
	assert_memory_equal(ef, "\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\x01", USIM_LOCI_LEN);
	assert_int_equal(usim_loci_deleted(ef, 0x0000), USIM_LOCI_LEN);
	assert_memory_equal(ef, "\xff\xff\xff\xff\xff\xff\xff\x00\x00\xff\x01", USIM_LOCI_LEN);
	assert_int_equal(usim_psloci_deleted(ef, 0xfffe), USIM_PSLOCI_LEN);
	assert_memory_equal(ef, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\x01", USIM_PSLOCI_LEN);
	assert_int_equal(usim_epsloci_deleted(ef, 0xfffe), USIM_EPSLOCI_LEN);
	assert_memory_equal(ef, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\x01",
			    USIM_EPSLOCI_LEN);
	memset(want, 0xff, sizeof(want));
	want[0] = 7;
	assert_int_equal(usim_keys_deleted(ef), USIM_KEYS_LEN);
	assert_memory_equal(ef, want, USIM_KEYS_LEN);
}

static void file_names(void **state)
{
	assert_string_equal(usim_file_name(USIM_FID_IMSI), "EF_IMSI");
	assert_string_equal(usim_file_name(0x2fe2), "EF_ICCID");
	assert_null(usim_file_name(0x1234));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(imsi_codings),	  cmocka_unit_test(imsi_from_outside), cmocka_unit_test(iccid_codings),
		cmocka_unit_test(luhn),		  cmocka_unit_test(plmn_codings),      cmocka_unit_test(access_classes),
		cmocka_unit_test(deleted_values), cmocka_unit_test(file_names),
	};

	return cmocka_run_group_tests_name("USIM files", tests, NULL, NULL);
}
