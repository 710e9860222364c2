/* test_codec_report.c - SMS-DELIVER-REPORT, SMS-SUBMIT-REPORT, time stamps, alphanumeric addresses.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "unit.h"

static const uint8_t ud[OTA_DELIVER_REPORT_UD_MAX + 1] = { 0x02, 0x71, 0x00, 0x00, 0x0b };
static const uint8_t scts[7] = { 0x62, 0x70, 0x41, 0x91, 0x85, 0x34, 0x0a };

static int encode(uint8_t *buf, size_t cap, const struct ota_tpdu_report *r, bool submit)
{
	return submit ? ota_tpdu_submit_report_encode(buf, cap, r) : ota_tpdu_deliver_report_encode(buf, cap, r);
}

static int decode(struct ota_tpdu_report *r, const void *p, size_t len, bool submit, bool error)
{
	uint8_t *copy = exact(p, len);
	int rc = submit ? ota_tpdu_submit_report_decode(r, copy, len, error) :
			  ota_tpdu_deliver_report_decode(r, copy, len, error);

	free(copy);
	return rc;
}

/* Every combination of optional fields, cut at every length. */
static void round_trip(void **state)
{
	for (unsigned i = 0; i < 64; i++) {
		bool submit = i & 1;
		struct ota_tpdu_report r = {
			.error = i & 2,
			.fcs = i & 2 ? 0xd5 : 0,
			.has_pid = i & 4,
			.pid = i & 4 ? 0x7f : 0,
			.has_dcs = i & 8,
			.dcs = i & 8 ? 0xf6 : 0,
			.has_ud = i & 16,
			.udhi = (i & 48) == 48,
			.ud = ud,
			.ud_len = i & 16 ? 5 : 0,
		}, back;
		uint8_t buf[200];
		int len;

		if (submit)
			memcpy(r.scts, scts, 7);
		len = encode(buf, sizeof(buf), &r, submit);
		assert_int_equal(len, 2 + r.error + 7 * submit + r.has_pid + r.has_dcs + (r.has_ud ? 6 : 0));
		assert_int_equal(decode(&back, buf, (size_t)len, submit, r.error), 0);
		assert_int_equal(back.error, r.error);
		assert_int_equal(back.fcs, r.fcs);
		assert_int_equal(back.pid, r.pid);
		assert_int_equal(back.dcs, r.dcs);
		assert_int_equal(back.udhi, r.udhi);
		assert_int_equal(back.ud_len, r.ud_len);
		assert_memory_equal(back.scts, r.scts, 7);
		assert_int_equal(decode(&back, buf, (size_t)len, !submit, r.error), OTA_E_FORMAT);
		for (int cut = 0; cut < len; cut++) {
			assert_int_equal(decode(&back, buf, (size_t)cut, submit, r.error), OTA_E_SHORT);
			assert_int_equal(encode(buf + 100, (size_t)cut, &r, submit), OTA_E_SPACE);
		}
		buf[len] = 0;
		assert_int_equal(decode(&back, buf, (size_t)len + 1, submit, r.error), OTA_E_LENGTH);
	}
}

/* What a card answered to the ENVELOPE, as an MSC hands it on. */
static void por_in_a_report(void **state)
{
	static const uint8_t tpdu[] = { 0x40, 0x07, 0x7f, 0xf6, 0x10, 0x02, 0x71, 0x00, 0x00, 0x0b, 0x0a,
					0xb0, 0x00, 0x11, 0,	0,    0,    0,	  0,	0,    0x06 };
	struct ota_tpdu_report r;

	/* borrows, so no copy */
	assert_int_equal(ota_tpdu_deliver_report_decode(&r, tpdu, sizeof(tpdu), false), 0);
	assert_true(r.udhi && r.has_pid && r.has_dcs && r.has_ud);
	assert_int_equal(r.ud_len, 16);
	assert_ptr_equal(r.ud, tpdu + 5);
}

static void refused(void **state)
{
	struct ota_tpdu_report r = { .has_ud = true, .ud = ud, .ud_len = OTA_DELIVER_REPORT_UD_MAX };
	uint8_t buf[200];

	assert_true(encode(buf, sizeof(buf), &r, false) > 0);
	assert_int_equal(encode(buf, sizeof(buf), &r, true), OTA_E_LENGTH);
	r.error = true;
	r.fcs = 0xd4;
	assert_int_equal(encode(buf, sizeof(buf), &r, false), OTA_E_LENGTH);
	r.ud_len--;
	assert_true(encode(buf, sizeof(buf), &r, false) > 0);
	r.fcs = 0x7f;
	assert_int_equal(encode(buf, sizeof(buf), &r, false), OTA_E_RANGE);
	r = (struct ota_tpdu_report){ .udhi = true };
	assert_int_equal(encode(buf, sizeof(buf), &r, false), OTA_E_RANGE);
	r = (struct ota_tpdu_report){ .has_ud = true, .ud_len = 1 };
	assert_int_equal(encode(buf, sizeof(buf), &r, false), OTA_E_LENGTH);

	assert_int_equal(decode(&r, "\x00\x7f\x00", 3, false, true), OTA_E_RANGE);
	assert_int_equal(decode(&r, "\x40\x00", 2, false, false), OTA_E_FORMAT);
	/* TP-PI of more octets: read over, up to a point */
	assert_int_equal(decode(&r, "\x00\x81\x00\x7f", 4, false, false), 0);
	assert_int_equal(r.pid, 0x7f);
	assert_int_equal(decode(&r, "\x00\x80\x80\x80\x80\x80\x00", 7, false, false), OTA_E_SHORT);
}

static void causes_have_names(void **state)
{
	for (unsigned i = 0; i < 256; i++)
		assert_non_null(ota_fcs_name((uint8_t)i));
	assert_string_equal(ota_fcs_name(0xd4), "(U)SIM application toolkit busy");
	assert_string_equal(ota_fcs_name(0xe7), "application specific");
	assert_string_equal(ota_fcs_name(0x12), "reserved failure cause");
}

/* ------------------------------------------------------------------------------------------- time stamps */

static void time_stamps(void **state)
{
	static const struct {
		struct ota_scts t;
		const char *octets;
		int64_t utc_ms;
	} rows[] = {
		{ { 2026, 7, 14, 19, 58, 43, -20 }, "\x62\x70\x41\x91\x85\x34\x0a", 1784077123000 },
		{ { 2000, 1, 1, 0, 0, 0, 0 }, "\x00\x10\x10\x00\x00\x00\x00", 946684800000 },
		{ { 2024, 2, 29, 23, 59, 59, 8 }, "\x42\x20\x92\x32\x95\x95\x80", 1709243999000 },
		{ { 2099, 12, 31, 23, 59, 59, 0 }, "\x99\x21\x13\x32\x95\x95\x00", 4102444799000 },
		{ { 2025, 1, 1, 0, 0, 0, 79 }, "\x52\x10\x10\x00\x00\x00\x97", 1735689600000 - 79 * 900000 },
	};
	uint8_t out[7];
	struct ota_scts t;
	int64_t utc_ms;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(ota_scts_encode(out, &rows[i].t), 7);
		assert_memory_equal(out, rows[i].octets, 7);
		assert_int_equal(ota_scts_decode(&t, out), 0);
		assert_int_equal(t.year, rows[i].t.year);
		assert_int_equal(t.day, rows[i].t.day);
		assert_int_equal(t.zone, rows[i].t.zone);
		assert_int_equal(ota_scts_to_utc(&utc_ms, out), 0);
		assert_int_equal(utc_ms, rows[i].utc_ms);
		memset(out, 0xee, 7);
		assert_int_equal(ota_scts_from_utc(out, rows[i].utc_ms + 999, rows[i].t.zone), 7);
		assert_memory_equal(out, rows[i].octets, 7);
	}
}

/* Every day of the century, so that no leap year is wrong. */
static void every_day(void **state)
{
	uint8_t out[7], before[7] = { 0 };

	for (int64_t day = 10957; day < 10957 + 36525; day++) {
		int64_t ms = day * 86400000, back;

		assert_int_equal(ota_scts_from_utc(out, ms, 0), 7);
		assert_int_equal(ota_scts_to_utc(&back, out), 0);
		assert_int_equal(back, ms);
		assert_memory_not_equal(out, before, 7);
		memcpy(before, out, 7);
	}
	assert_int_equal(ota_scts_from_utc(out, (10957 + 36525) * INT64_C(86400000), 0), OTA_E_RANGE);
	assert_int_equal(ota_scts_from_utc(out, (10957 + 36525) * INT64_C(86400000), -1), 7);
}

static void no_such_time(void **state)
{
	static const struct ota_scts rows[] = {
		{ 1999, 1, 1, 0, 0, 0, 0 },  { 2100, 1, 1, 0, 0, 0, 0 },   { 2026, 0, 1, 0, 0, 0, 0 },
		{ 2026, 13, 1, 0, 0, 0, 0 }, { 2026, 1, 0, 0, 0, 0, 0 },   { 2026, 2, 29, 0, 0, 0, 0 },
		{ 2026, 1, 1, 24, 0, 0, 0 }, { 2026, 1, 1, 0, 60, 0, 0 },  { 2026, 1, 1, 0, 0, 60, 0 },
		{ 2026, 1, 1, 0, 0, 0, 80 }, { 2026, 1, 1, 0, 0, 0, -80 },
	};
	uint8_t out[7];
	struct ota_scts t;
	int64_t utc_ms;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(ota_scts_encode(out, &rows[i]), OTA_E_RANGE);
	assert_int_equal(ota_scts_decode(&t, (const uint8_t *)"\x62\x71\x41\x91\x85\x34\x0a"), OTA_E_RANGE);
	assert_int_equal(ota_scts_decode(&t, (const uint8_t *)"\xa2\x70\x41\x91\x85\x34\x0a"), OTA_E_DIGITS);
	assert_int_equal(ota_scts_decode(&t, (const uint8_t *)"\x6a\x70\x41\x91\x85\x34\x0a"), OTA_E_DIGITS);
	assert_int_equal(ota_scts_to_utc(&utc_ms, (const uint8_t *)"\x62\x00\x41\x91\x85\x34\x0a"), OTA_E_RANGE);
	assert_int_equal(utc_ms, 0);
	assert_int_equal(ota_scts_from_utc(out, -1, 0), OTA_E_RANGE);
	assert_int_equal(ota_scts_from_utc(out, 0, 0), OTA_E_RANGE);
	assert_int_equal(ota_scts_from_utc(out, INT64_MAX, 0), OTA_E_RANGE);
	assert_int_equal(ota_scts_from_utc(out, 946684800000, 80), OTA_E_RANGE);
	assert_int_equal(ota_scts_from_utc(out, 946684800000, -80), OTA_E_RANGE);
	assert_int_equal(ota_scts_from_utc(out, 946684800000, -4), OTA_E_RANGE);
}

/* ---------------------------------------------------------------------------------------------- addresses */

static void letters(void **state)
{
	static const char *const texts[] = { "", "A", "Hello", "ABCDEFG", "ABCDEFGH", "OTA-Gate_1!", "@$_? az09AZ" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct ota_tpdu_deliver d = { .oa = { .ton = OTA_TON_ALPHANUMERIC }, .ud = ud, .ud_len = 3 }, back;
		uint8_t buf[60], *copy;
		int len;

		strcpy(d.oa.digits, texts[i]);
		memcpy(d.scts, scts, 7);
		len = ota_tpdu_deliver_encode(buf, sizeof(buf), &d);
		assert_true(len > 0);
		copy = exact(buf, (size_t)len);
		assert_int_equal(ota_tpdu_deliver_decode(&back, copy, (size_t)len), 0);
		free(copy);
		assert_int_equal(back.oa.ton, OTA_TON_ALPHANUMERIC);
		assert_string_equal(back.oa.digits, texts[i]);
	}
}

/* A published one: "Hello" is C8 32 9B FD 06; what ASCII does not have becomes a question mark. */
static void letters_as_sent(void **state)
{
	static const uint8_t tpdu[] = { 0x04, 0x09, 0xd0, 0xc8, 0x32, 0x9b, 0xfd, 0x06, 0x7f,
					0xf6, 0x62, 0x70, 0x41, 0x91, 0x85, 0x34, 0x00, 0x00 };
	uint8_t other[sizeof(tpdu)];
	struct ota_tpdu_deliver d;

	assert_int_equal(ota_tpdu_deliver_decode(&d, tpdu, sizeof(tpdu)), 0);
	assert_string_equal(d.oa.digits, "Hello");
	memcpy(other, tpdu, sizeof(tpdu));
	other[3] = 0x81; /* pound sign, then the escape */
	other[4] = 0x0d;
	assert_int_equal(ota_tpdu_deliver_decode(&d, other, sizeof(other)), 0);
	assert_int_equal(d.oa.digits[0], '?');
	assert_int_equal(d.oa.digits[1], '?');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),	   cmocka_unit_test(por_in_a_report),
		cmocka_unit_test(refused),	   cmocka_unit_test(causes_have_names),
		cmocka_unit_test(time_stamps),	   cmocka_unit_test(every_day),
		cmocka_unit_test(no_such_time),	   cmocka_unit_test(letters),
		cmocka_unit_test(letters_as_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
