/* test_codec_tpdu.c - SMS-DELIVER and SMS-SUBMIT of TS 23.040.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "unit.h"

static const uint8_t ud[] = { 0x02, 0x71, 0x00, 0x00, 0x01, 0x02 };

static struct ota_addr addr(uint8_t ton, uint8_t npi, const char *digits)
{
	struct ota_addr a = { .ton = ton, .npi = npi };

	strncpy(a.digits, digits, sizeof(a.digits) - 1);
	return a;
}

static int deliver_decode(struct ota_tpdu_deliver *d, const void *p, size_t len)
{
	uint8_t *copy = exact(p, len);
	int rc = ota_tpdu_deliver_decode(d, copy, len);

	free(copy);
	return rc;
}

static int submit_decode(struct ota_tpdu_submit *s, const void *p, size_t len)
{
	uint8_t *copy = exact(p, len);
	int rc = ota_tpdu_submit_decode(s, copy, len);

	free(copy);
	return rc;
}

/* Numbers of every length, odd and even. */
static void deliver_round_trip(void **state)
{
	for (size_t n = 0; n <= 20; n++) {
		struct ota_tpdu_deliver d = {
			.oa = addr(n % 5, (uint8_t)n % 16, &"12345678901234567890"[20 - n]),
			.pid = 0x7f,
			.dcs = 0xf6,
			.udhi = n & 1,
			.mms = n & 2,
			.scts = { 0x62, 0x70, 0x41, 0x91, 0x85, 0x34, 0x00 },
			.ud = ud,
			.ud_len = (uint8_t)(n % sizeof(ud)),
		}, back;
		size_t want = 1 + 2 + (n + 1) / 2 + 2 + 7 + 1 + d.ud_len;
		uint8_t *buf = malloc(want);

		assert_int_equal(ota_tpdu_deliver_encode(buf, want, &d), want);
		assert_int_equal(ota_tpdu_deliver_decode(&back, buf, want), 0);
		assert_string_equal(back.oa.digits, d.oa.digits);
		assert_int_equal(back.oa.ton, d.oa.ton);
		assert_int_equal(back.oa.npi, d.oa.npi);
		assert_int_equal(back.udhi, d.udhi);
		assert_int_equal(back.mms, d.mms);
		assert_memory_equal(back.scts, d.scts, 7);
		assert_int_equal(back.ud_len, d.ud_len);
		assert_memory_equal(back.ud, ud, d.ud_len);
		for (size_t cut = 0; cut < want; cut++) {
			assert_int_equal(deliver_decode(&back, buf, cut), OTA_E_SHORT);
			assert_int_equal(ota_tpdu_deliver_encode(buf, cut, &d), OTA_E_SPACE);
		}
		free(buf);
	}
}

/* What a soft card sends: reference 00, PID 00 or 7F, no validity period. */
static void submit_of_a_card(void **state)
{
	static const uint8_t tpdu[] = { 0x41, 0x00, 0x08, 0x81, 0x21, 0x43, 0x65, 0x87, 0x7f,
					0xf6, 0x06, 0x02, 0x71, 0x00, 0x00, 0x01, 0x02 };
	uint8_t buf[sizeof(tpdu)];
	struct ota_tpdu_submit s;

	assert_int_equal(submit_decode(&s, tpdu, sizeof(tpdu)), 0);
	assert_int_equal(ota_tpdu_submit_decode(&s, tpdu, sizeof(tpdu)), 0);
	assert_string_equal(s.da.digits, "12345678");
	assert_int_equal(s.da.ton, 0);
	assert_int_equal(s.da.npi, 1);
	assert_true(s.udhi);
	assert_int_equal(s.ud_len, 6);
	assert_memory_equal(s.ud, ud, 6);
	assert_int_equal(ota_tpdu_submit_encode(buf, sizeof(buf), &s), sizeof(tpdu));
	assert_memory_equal(buf, tpdu, sizeof(tpdu));
	for (size_t cut = 0; cut < sizeof(tpdu); cut++) {
		assert_int_equal(submit_decode(&s, tpdu, cut), OTA_E_SHORT);
	}
}

/* TS 23.040, 9.2.3.3: none, enhanced (7 octets), relative (1), absolute (7). */
static void validity_periods(void **state)
{
	static const struct {
		uint8_t vpf, len;
	} rows[] = { { 0x00, 0 }, { 0x08, 7 }, { 0x10, 1 }, { 0x18, 7 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t p[32] = { (uint8_t)(0x41 | rows[i].vpf), 0x2a, 2, 0x91, 0x21, 0x7f, 0xf6 };
		size_t n = 7u + rows[i].len;
		struct ota_tpdu_submit s;

		p[n++] = 2;
		p[n++] = 0xaa;
		p[n++] = 0xbb;
		assert_int_equal(ota_tpdu_submit_decode(&s, p, n), 0);
		assert_int_equal(s.mr, 0x2a);
		assert_int_equal(s.ud_len, 2);
		assert_memory_equal(s.ud, "\xaa\xbb", 2);
		assert_int_equal(submit_decode(&s, p, n + 1), OTA_E_LENGTH);
	}
}

static void bad_input(void **state)
{
	struct ota_tpdu_deliver d;
	struct ota_tpdu_submit s;

	/* the other message type, a status report, an alphanumeric sender, 21 digits, a semi-octet that is no digit */
	assert_int_equal(deliver_decode(&d, "\x01", 1), OTA_E_FORMAT);
	assert_int_equal(submit_decode(&s, "\x00", 1), OTA_E_FORMAT);
	assert_int_equal(submit_decode(&s, "\x02", 1), OTA_E_FORMAT);
	assert_int_equal(deliver_decode(&d,
					"\x04\x15\x91"
					"12345678901",
					14),
			 OTA_E_LENGTH);
	assert_int_equal(deliver_decode(&d, "\x04\x02\x91\x1a", 4), OTA_E_DIGITS);
	assert_int_equal(deliver_decode(&d, "\x04\x02\x91\xa1", 4), OTA_E_DIGITS);
	assert_int_equal(deliver_decode(&d, "\x04\xff\x91\xa1", 4), OTA_E_SHORT);
	/* packed text: 160 septets */
	assert_int_equal(deliver_decode(&d,
					"\x04\x02\x91\x21\x00\x00"
					"1234567"
					"\xa0",
					14),
			 OTA_E_LENGTH);
}

static void refused_values(void **state)
{
	struct ota_tpdu_submit s = { .da = addr(1, 1, "49301234567"), .ud = ud, .ud_len = sizeof(ud) };
	uint8_t buf[200], big[200] = { 0 };

	assert_true(ota_tpdu_submit_encode(buf, sizeof(buf), &s) > 0);
	s.da = addr(1, 1, "4930a");
	assert_int_equal(ota_tpdu_submit_encode(buf, sizeof(buf), &s), OTA_E_DIGITS);
	s.da = addr(5, 0, "4930\x80"); /* no letter of the GSM alphabet */
	assert_int_equal(ota_tpdu_submit_encode(buf, sizeof(buf), &s), OTA_E_DIGITS);
	s.da = addr(5, 0, "twelve chars");
	assert_int_equal(ota_tpdu_submit_encode(buf, sizeof(buf), &s), OTA_E_RANGE);
	s.da = addr(8, 0, "4930");
	assert_int_equal(ota_tpdu_submit_encode(buf, sizeof(buf), &s), OTA_E_RANGE);
	s.da = addr(1, 16, "4930");
	assert_int_equal(ota_tpdu_submit_encode(buf, sizeof(buf), &s), OTA_E_RANGE);
	s.da = addr(1, 1, "4930");
	memset(s.da.digits, '1', sizeof(s.da.digits)); /* not terminated */
	assert_int_equal(ota_tpdu_submit_encode(buf, sizeof(buf), &s), OTA_E_RANGE);
	s.da = addr(1, 1, "4930");
	s.ud = big;
	s.ud_len = OTA_TP_UD_MAX + 1;
	assert_int_equal(ota_tpdu_submit_encode(buf, sizeof(buf), &s), OTA_E_LENGTH);
	s.ud_len = 1;
	s.ud = NULL;
	assert_int_equal(ota_tpdu_submit_encode(buf, sizeof(buf), &s), OTA_E_LENGTH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deliver_round_trip), cmocka_unit_test(submit_of_a_card),
		cmocka_unit_test(validity_periods),   cmocka_unit_test(bad_input),
		cmocka_unit_test(refused_values),
	};

	return cmocka_run_group_tests_name("TPDU", tests, NULL, NULL);
}
