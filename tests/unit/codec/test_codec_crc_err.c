/* test_codec_crc_err.c - checksums of TS 102 225 Annex B and the names of things.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <limits.h>

#include "unit.h"

static void annex_b_examples(void **state)
{
	static const uint8_t msg[] = { 1, 2, 3, 4, 5 };
	const struct ota_span whole = { msg, sizeof(msg) }, parts[] = { { msg, 1 }, { NULL, 0 }, { msg + 1, 4 } };

	assert_int_equal(ota_crc16(&whole, 1), 0x22ec);
	assert_int_equal(ota_crc32(&whole, 1), 0x470b99f4);
	assert_int_equal(ota_crc16(parts, 3), 0x22ec);
	assert_int_equal(ota_crc32(parts, 3), 0x470b99f4);
	assert_int_equal(ota_crc16(NULL, 0), 0);
	assert_int_equal(ota_crc32(NULL, 0), 0);
}

/* The check values every catalogue of CRCs gives for the nine digits. */
static void check_values(void **state)
{
	const struct ota_span digits = { (const uint8_t *)"123456789", 9 };

	assert_int_equal(ota_crc16(&digits, 1), 0x906e);
	assert_int_equal(ota_crc32(&digits, 1), 0xcbf43926);
}

static void every_error_has_its_own_words(void **state)
{
	for (int err = OTA_E_LEGACY; err <= OTA_OK; err++) {
		assert_non_null(ota_strerror(err));
		assert_string_not_equal(ota_strerror(err), "unknown error");
		for (int other = OTA_E_LEGACY; other < err; other++)
			assert_string_not_equal(ota_strerror(err), ota_strerror(other));
	}
	assert_string_equal(ota_strerror(1), "unknown error");
	assert_string_equal(ota_strerror(OTA_E_LEGACY - 1), "unknown error");
	assert_string_equal(ota_strerror(INT_MIN), "unknown error");
	assert_string_equal(ota_strerror(INT_MAX), "unknown error");
}

static void every_status_has_a_name(void **state)
{
	for (unsigned s = 0; s <= 0xff; s++) {
		const char *name = ota_por_status_name((uint8_t)s);

		assert_non_null(name);
		assert_int_equal(strcmp(name, "reserved status") == 0, s > OTA_POR_DATA_BY_USSD);
	}
	for (unsigned sw = 0; sw <= 0xffff; sw++)
		assert_non_null(ota_sw_name((uint16_t)sw));
	assert_string_equal(ota_sw_name(0x9000), "normal ending");
	assert_string_equal(ota_sw_name(0x6a82), "file not found");
	assert_string_equal(ota_sw_name(0x6c09), "wrong Le");
	assert_string_equal(ota_sw_name(0x9132), "normal ending, proactive command pending");
	assert_string_equal(ota_sw_name(0x1234), "unknown status word");
	assert_string_equal(ota_verdict_name(OTA_ACCEPT), "accept");
	assert_string_equal(ota_verdict_name(OTA_ACCEPT_UNAUTHENTICATED), "accept-unauthenticated");
	assert_string_equal(ota_verdict_name(OTA_ACCEPT_UNCORRELATED), "accept-but-uncorrelated");
	assert_string_equal(ota_verdict_name(OTA_REJECT), "reject");
	assert_non_null(ota_verdict_name((enum ota_verdict)77));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(annex_b_examples),
		cmocka_unit_test(check_values),
		cmocka_unit_test(every_error_has_its_own_words),
		cmocka_unit_test(every_status_has_a_name),
	};

	return cmocka_run_group_tests_name("crc, err", tests, NULL, NULL);
}
