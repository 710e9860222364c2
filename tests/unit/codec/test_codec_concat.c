/* test_codec_concat.c - headers in any order, segments in any order.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "unit.h"

static uint8_t packet[OTA_PACKET_MAX + 1];
static struct ota_part part[OTA_SEGMENTS_PROTOCOL_MAX];

static void fill(void)
{
	for (size_t i = 0; i < sizeof(packet); i++)
		packet[i] = (uint8_t)(i * 7 + (i >> 8));
}

/* TS 31.115 clause 4: 137 octets in one message, then 132 + 134k with an 8-bit reference, 131 + 133k with 16. */
static void how_many_segments(void **state)
{
	static const struct {
		size_t len;
		int udh8, udh16;
	} rows[] = {
		{ 0, OTA_E_RANGE, OTA_E_RANGE },
		{ 1, 1, 1 },
		{ 137, 1, 1 },
		{ 138, 2, 2 },
		{ 264, 2, 2 },
		{ 265, 2, 3 },
		{ 266, 2, 3 },
		{ 267, 3, 3 },
		{ 397, 3, 3 },
		{ 398, 3, 4 },
		{ 400, 3, 4 },
		{ 401, 4, 4 },
		{ 2126, 16, 16 },
		{ 2127, 16, OTA_E_SEGMENTS },
		{ OTA_PACKET_MAX, 16, OTA_E_SEGMENTS },
		{ OTA_PACKET_MAX + 1, OTA_E_SEGMENTS, OTA_E_SEGMENTS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(ota_segments(rows[i].len, OTA_CONCAT_UDH8), rows[i].udh8);
		assert_int_equal(ota_segments(rows[i].len, OTA_CONCAT_UDH16), rows[i].udh16);
	}
}

/* Every length, both kinds, joined backwards. */
static void split_and_join(void **state)
{
	static uint8_t ud[OTA_SEGMENTS_MAX][OTA_TP_UD_MAX], out[OTA_PACKET_MAX];
	int len[OTA_SEGMENTS_MAX];

	fill();
	for (size_t n = 1; n <= OTA_PACKET_MAX; n++) {
		for (int wide = 0; wide < 2; wide++) {
			enum ota_concat concat = wide ? OTA_CONCAT_UDH16 : OTA_CONCAT_UDH8;
			int total = ota_segments(n, concat);
			struct ota_join j;

			ota_join_init(&j, part, OTA_SEGMENTS_MAX);
			for (int i = 0; i < total; i++) {
				len[i] = ota_segment(ud[i], packet, n, 0x71, concat, wide ? 0xabcd : 0xcd,
						     (uint8_t)(i + 1), (uint8_t)total);
				assert_in_range(len[i], 1, OTA_TP_UD_MAX);
				if (i + 1 < total)
					assert_int_equal(len[i], OTA_TP_UD_MAX);
			}
			for (int i = total; i-- > 0;) {
				uint8_t *copy = exact(ud[i], (size_t)len[i]);

				assert_int_equal(ota_join_packet(&j, out, sizeof(out)), OTA_E_SHORT);
				assert_int_equal(ota_join_add(&j, copy, (size_t)len[i]), i == 0);
				free(copy);
			}
			if (total < 0)
				continue;
			assert_int_equal(j.pi, 0x71);
			assert_int_equal(ota_join_packet(&j, out, sizeof(out)), n);
			assert_memory_equal(out, packet, n);
			assert_int_equal(ota_join_packet(&j, out, n - 1), OTA_E_SPACE);
		}
	}
}

static void refused_segments(void **state)
{
	uint8_t ud[OTA_TP_UD_MAX];

	assert_int_equal(ota_segment(ud, packet, 200, 0x70, OTA_CONCAT_UDH8, 0, 1, 2), OTA_E_RANGE);
	assert_int_equal(ota_segment(ud, packet, 200, 0x70, OTA_CONCAT_UDH8, 256, 1, 2), OTA_E_RANGE);
	assert_true(ota_segment(ud, packet, 200, 0x70, OTA_CONCAT_UDH16, 256, 1, 2) > 0);
	assert_int_equal(ota_segment(ud, packet, 200, 0x70, OTA_CONCAT_UDH8, 1, 0, 2), OTA_E_SEGMENTS);
	assert_int_equal(ota_segment(ud, packet, 200, 0x70, OTA_CONCAT_UDH8, 1, 3, 2), OTA_E_SEGMENTS);
	assert_int_equal(ota_segment(ud, packet, 200, 0x70, OTA_CONCAT_UDH8, 1, 1, 3), OTA_E_SEGMENTS);
	assert_int_equal(ota_segment(ud, packet, 0, 0x70, OTA_CONCAT_UDH8, 1, 1, 1), OTA_E_RANGE);
	assert_true(ota_segment(ud, packet, 20, 0x70, OTA_CONCAT_UDH8, 0, 1, 1) > 0);
}

static struct ota_udh parse(const void *ud, size_t len, int want)
{
	uint8_t *copy = exact(ud, len);
	struct ota_udh udh;

	assert_int_equal(ota_udh_parse(&udh, copy, len), want);
	free(copy);
	return udh;
}

#define PARSE(ud, want) parse(ud, sizeof(ud) - 1, want)

static void headers(void **state)
{
	struct ota_udh u = PARSE("\x02\x71\x00xyz", 0);

	assert_false(u.concat);
	assert_int_equal(u.pi, 0x71);
	assert_int_equal(u.len, 3);

	/* command identifier first, as some servers send it */
	u = PARSE("\x07\x70\x00\x00\x03\x05\x02\x01", 0);
	assert_true(u.concat);
	assert_int_equal(u.pi, 0x70);
	assert_int_equal(u.iei, OTA_CONCAT_UDH8);
	assert_int_equal(u.ref, 5);
	assert_int_equal(u.total, 2);
	assert_int_equal(u.seq, 1);
	assert_int_equal(u.len, 8);

	/* 16-bit reference between port numbers nobody asked for */
	u = PARSE("\x11\x05\x04\x0b\x84\x23\xf0\x08\x04\x12\x34\x03\x02\x24\x01\x01\x71\x00z", 0);
	assert_true(u.concat);
	assert_int_equal(u.iei, OTA_CONCAT_UDH16);
	assert_int_equal(u.ref, 0x1234);
	assert_int_equal(u.pi, 0x71);

	/* TS 23.040, 9.2.3.24: of repeated or mutually exclusive ones the last counts */
	u = PARSE("\x0b\x00\x03\x01\x02\x01\x08\x04\x12\x34\x03\x02", 0);
	assert_int_equal(u.ref, 0x1234);

	/* an empty header, and no identifier at all */
	u = PARSE("\x00", 0);
	assert_int_equal(u.len, 1);
	assert_int_equal(u.pi, 0);
}

static void concatenation_to_be_ignored(void **state)
{
	assert_false(PARSE("\x05\x00\x03\x01\x00\x00", 0).concat);
	assert_false(PARSE("\x05\x00\x03\x01\x02\x00", 0).concat);
	assert_false(PARSE("\x05\x00\x03\x01\x02\x03", 0).concat);
	assert_true(PARSE("\x05\x00\x03\x01\xff\xff", 0).concat);
}

static void malformed_headers(void **state)
{
	parse("", 0, OTA_E_UDH);
	PARSE("\x01", OTA_E_UDH);
	PARSE("\x03\x71\x00", OTA_E_UDH);
	PARSE("\x01\x71", OTA_E_UDH);
	PARSE("\x02\x71\x01", OTA_E_UDH);
	PARSE("\x04\x00\x02\x01\x02", OTA_E_UDH);
	PARSE("\x06\x00\x04\x01\x02\x01\x00", OTA_E_UDH);
	PARSE("\x05\x08\x03\x01\x02\x01", OTA_E_UDH);
	PARSE("\xff\x71\x00", OTA_E_UDH);
}

static int add(struct ota_join *j, const void *ud, size_t len)
{
	uint8_t *copy = exact(ud, len);
	int rc = ota_join_add(j, copy, len);

	free(copy);
	return rc;
}

#define ADD(j, ud) add(j, ud, sizeof(ud) - 1)

/* Nothing that does not belong to the packet changes it. */
static void join_keeps_what_it_has(void **state)
{
	struct ota_join j;
	uint8_t out[16];

	ota_join_init(&j, part, OTA_SEGMENTS_MAX);
	assert_int_equal(ADD(&j, "\x05\x00\x03\x09\x03\x02"
				 "bb"),
			 0);
	assert_int_equal(ADD(&j, "\x05\x00\x03\x09\x03\x02"
				 "XX"),
			 0); /* twice: the first stays */
	assert_int_equal(ADD(&j, "\x05\x00\x03\x08\x03\x03"
				 "cc"),
			 OTA_E_UNMATCHED); /* reference */
	assert_int_equal(ADD(&j, "\x05\x00\x03\x09\x04\x03"
				 "cc"),
			 OTA_E_UNMATCHED); /* total */
	assert_int_equal(ADD(&j, "\x06\x08\x04\x00\x09\x03\x03"
				 "cc"),
			 OTA_E_UNMATCHED); /* kind of reference */
	assert_int_equal(ADD(&j, "\x02\x71\x00"
				 "cc"),
			 OTA_E_UNMATCHED); /* a packet of its own */
	assert_int_equal(ADD(&j, "\x07\x00\x03\x09\x03"), OTA_E_UDH);
	assert_int_equal(ADD(&j, "\x07\x00\x03\x09\x03\x01\x71\x00"
				 "aa"),
			 0);
	assert_int_equal(ADD(&j, "\x07\x00\x03\x09\x03\x03\x70\x00"
				 "cc"),
			 OTA_E_UDH); /* a command in a response */
	assert_int_equal(ADD(&j, "\x05\x00\x03\x09\x03\x03"
				 "cc"),
			 1);
	assert_int_equal(ADD(&j, "\x05\x00\x03\x09\x03\x03"
				 "cc"),
			 1);
	assert_int_equal(ota_join_packet(&j, out, sizeof(out)), 6);
	assert_memory_equal(out, "aabbcc", 6);
	assert_int_equal(j.pi, 0x71);
}

static void join_limits(void **state)
{
	uint8_t big[OTA_TP_UD_MAX + 1] = { 0x02, 0x71, 0x00 }, out[OTA_TP_UD_MAX];
	struct ota_join j;

	ota_join_init(&j, part, OTA_SEGMENTS_MAX);
	assert_int_equal(ota_join_packet(&j, out, sizeof(out)), OTA_E_SHORT);
	assert_int_equal(ADD(&j, "\x05\x00\x03\x09\x11\x01"), OTA_E_SEGMENTS);
	assert_int_equal(ADD(&j, "\x05\x00\x03\x09\xff\xff"), OTA_E_SEGMENTS);
	assert_int_equal(add(&j, big, sizeof(big)), OTA_E_LENGTH);
	assert_int_equal(j.have, 0);
	assert_int_equal(add(&j, big, OTA_TP_UD_MAX), 1);
	assert_int_equal(ota_join_packet(&j, out, sizeof(out)), OTA_PACKET_1SMS_MAX);
	/* sixteen parts, the limit itself; the last of them is seq 16 */
	ota_join_init(&j, part, OTA_SEGMENTS_MAX);
	for (uint8_t seq = 1; seq <= OTA_SEGMENTS_MAX; seq++) {
		uint8_t ud[] = { 5, 0, 3, 9, OTA_SEGMENTS_MAX, seq, seq };

		assert_int_equal(add(&j, ud, sizeof(ud)), seq == OTA_SEGMENTS_MAX);
	}
	assert_int_equal(ota_join_packet(&j, out, sizeof(out)), OTA_SEGMENTS_MAX);
	/* whoever has no parts joins nothing; more parts than there can be segments are not touched */
	ota_join_init(&j, part, 0);
	assert_int_equal(add(&j, big, OTA_TP_UD_MAX), OTA_E_SEGMENTS);
	ota_join_init(&j, part, 1);
	assert_int_equal(add(&j, big, OTA_TP_UD_MAX), 1);
	struct ota_part *more = malloc(OTA_SEGMENTS_PROTOCOL_MAX * sizeof(*more));

	assert_non_null(more);
	ota_join_init(&j, more, SIZE_MAX);
	assert_int_equal(j.parts_max, OTA_SEGMENTS_PROTOCOL_MAX);
	free(more);
}

/* TS 23.040, 9.2.3.24.1: 255 segments, each of its own length, some without an octet, the most there can be at once. */
static void the_longest_message(void **state)
{
	static uint8_t out[OTA_SEGMENTS_PROTOCOL_MAX * OTA_TP_UD_MAX];
	size_t want = 0;
	struct ota_join j;

	ota_join_init(&j, part, OTA_SEGMENTS_PROTOCOL_MAX);
	/* 56 and 255 have no common divisor: every segment comes once, in an order of its own; each third comes twice */
	for (unsigned i = 0; i < OTA_SEGMENTS_PROTOCOL_MAX; i++) {
		uint8_t seq = (uint8_t)(1 + i * 56 % OTA_SEGMENTS_PROTOCOL_MAX);
		uint8_t ud[OTA_TP_UD_MAX] = { 5, 0, 3, 200, OTA_SEGMENTS_PROTOCOL_MAX, seq };
		size_t len = 6 + seq * 11u % 135;

		memset(ud + 6, seq, len - 6);
		want += len - 6;
		assert_int_equal(ota_join_packet(&j, out, sizeof(out)), OTA_E_SHORT);
		assert_int_equal(add(&j, ud, len), i == OTA_SEGMENTS_PROTOCOL_MAX - 1);
		assert_int_equal(j.have, i + 1);
		if (i % 3 || i == OTA_SEGMENTS_PROTOCOL_MAX - 1)
			continue;
		ud[OTA_TP_UD_MAX - 1] ^= 1;
		assert_int_equal(add(&j, ud, OTA_TP_UD_MAX), 0);
		assert_int_equal(j.have, i + 1);
	}
	assert_int_equal(ota_join_packet(&j, out, want - 1), OTA_E_SPACE);
	assert_int_equal(ota_join_packet(&j, out, want), want);
	for (size_t seq = 1, at = 0; seq <= OTA_SEGMENTS_PROTOCOL_MAX; seq++)
		for (size_t k = 0; k < seq * 11 % 135; k++)
			assert_int_equal(out[at++], seq);

	/* one part short of it */
	ota_join_init(&j, part, OTA_SEGMENTS_PROTOCOL_MAX - 1);
	assert_int_equal(ADD(&j, "\x05\x00\x03\x09\xff\x01"), OTA_E_SEGMENTS);
	assert_int_equal(ADD(&j, "\x05\x00\x03\x09\xfe\x01"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(how_many_segments),
		cmocka_unit_test(split_and_join),
		cmocka_unit_test(refused_segments),
		cmocka_unit_test(headers),
		cmocka_unit_test(concatenation_to_be_ignored),
		cmocka_unit_test(malformed_headers),
		cmocka_unit_test(join_keeps_what_it_has),
		cmocka_unit_test(join_limits),
		cmocka_unit_test(the_longest_message),
	};

	return cmocka_run_group_tests_name("concatenation", tests, NULL, NULL);
}
