/* test_codec_reasm.c - messages of many senders at once.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "unit.h"

#define SLOTS 5

static struct ota_reasm_slot slots[SLOTS];
static struct ota_part parts[SLOTS * OTA_SEGMENTS_MAX];
static uint8_t packet[OTA_PACKET_MAX], buf[OTA_PACKET_MAX];

static struct ota_addr sender(const char *digits)
{
	struct ota_addr a = { .ton = 1, .npi = 1 };

	strncpy(a.digits, digits, sizeof(a.digits) - 1);
	return a;
}

static struct ota_reasm make(size_t n, uint8_t segments_max)
{
	struct ota_reasm r;

	for (size_t i = 0; i < sizeof(packet); i++)
		packet[i] = (uint8_t)(i * 7);
	ota_reasm_init(&r, slots, n, parts, segments_max, 1000);
	return r;
}

/* Segment `seq` of `len` octets under a reference, handed over in a block of the exact size. */
static int add(struct ota_reasm *r, const char *from, size_t len, uint16_t ref, uint8_t seq, int64_t now_ms)
{
	struct ota_addr a = sender(from);
	int total = ota_segments(len, OTA_CONCAT_UDH8);
	uint8_t ud[OTA_TP_UD_MAX], *copy, pi = 0;
	int n = ota_segment(ud, packet, len, 0x71, OTA_CONCAT_UDH8, ref, seq, (uint8_t)total), rc;

	assert_true(n > 0);
	copy = exact(ud, (size_t)n);
	rc = ota_reasm_add(r, &a, copy, (size_t)n, now_ms, buf, sizeof(buf), &pi);
	free(copy);
	if (rc > 0) {
		assert_int_equal(rc, len);
		assert_memory_equal(buf, packet, len);
		assert_int_equal(pi, 0x71);
	}
	return rc;
}

static void interleaved(void **state)
{
	struct ota_reasm r = make(SLOTS, 8);

	/* two references of one sender, one of another, reversed, doubled */
	assert_int_equal(add(&r, "1", 300, 7, 3, 0), 0);
	assert_int_equal(add(&r, "1", 280, 8, 3, 0), 0);
	assert_int_equal(add(&r, "2", 300, 7, 2, 0), 0);
	assert_int_equal(add(&r, "1", 300, 7, 3, 0), 0);
	assert_int_equal(add(&r, "1", 300, 7, 1, 0), 0);
	assert_int_equal(add(&r, "2", 300, 7, 1, 0), 0);
	assert_int_equal(add(&r, "1", 280, 8, 1, 0), 0);
	assert_int_equal(add(&r, "1", 300, 7, 2, 0), 300);
	assert_int_equal(add(&r, "1", 280, 8, 2, 0), 280);
	assert_int_equal(add(&r, "2", 300, 7, 3, 0), 300);
	assert_int_equal(r.completed, 3);
	assert_int_equal(r.duplicates, 1);
	assert_int_equal(ota_reasm_next_due(&r), INT64_MAX);
}

static void one_message(void **state)
{
	struct ota_reasm r = make(1, 8);
	struct ota_addr a = sender("1");

	assert_int_equal(add(&r, "1", 137, 0, 1, 0), 137);
	assert_int_equal(ota_reasm_add(&r, &a, (const uint8_t *)"\x02\x71\x00\xaa\xbb", 5, 0, buf, 1, NULL),
			 OTA_E_SPACE);
	assert_int_equal(ota_reasm_add(&r, &a, (const uint8_t *)"\x02\x71\x00\xaa\xbb", 5, 0, buf, 2, NULL), 2);
	assert_int_equal(ota_reasm_add(&r, &a, (const uint8_t *)"\x02\x71\x00", 3, 0, buf, 2, NULL), OTA_E_SHORT);
	assert_int_equal(ota_reasm_add(&r, &a, (const uint8_t *)"\x05\x00", 2, 0, buf, 2, NULL), OTA_E_UDH);
	memset(buf, 0, sizeof(buf));
	assert_int_equal(ota_reasm_add(&r, &a, buf, 141, 0, packet, sizeof(packet), NULL), OTA_E_LENGTH);
	assert_int_equal(r.completed, 2);
}

static void time_goes_by(void **state)
{
	struct ota_reasm r = make(SLOTS, 8);

	assert_int_equal(add(&r, "1", 300, 7, 1, 100), 0);
	assert_int_equal(add(&r, "1", 300, 7, 2, 900), 0);
	assert_int_equal(ota_reasm_next_due(&r), 1100);
	assert_int_equal(ota_reasm_expire(&r, 1099), 0);
	/* at its deadline it is gone, and what comes starts anew */
	assert_int_equal(add(&r, "1", 300, 7, 3, 1100), 0);
	assert_int_equal(r.expired, 1);
	assert_int_equal(add(&r, "1", 300, 7, 1, 1200), 0);
	assert_int_equal(add(&r, "1", 300, 7, 2, 1200), 300);
	assert_int_equal(add(&r, "1", 300, 9, 2, INT64_MAX - 1), 0);
	assert_int_equal(ota_reasm_next_due(&r), INT64_MAX);
	assert_int_equal(ota_reasm_expire(&r, INT64_MAX - 1), 0);
	assert_int_equal(ota_reasm_expire(&r, INT64_MAX), 1);
}

static void nobody_takes_all(void **state)
{
	struct ota_reasm r = make(SLOTS, 8);

	assert_int_equal(add(&r, "2", 300, 1, 1, 0), 0);
	/* a flood of one sender evicts his own oldest */
	for (uint16_t ref = 1; ref < 20; ref++)
		assert_int_equal(add(&r, "1", 300, ref, 1, ref), 0);
	assert_int_equal(r.evicted, 19 - OTA_REASM_PER_SENDER);
	/* with all slots taken the oldest of all goes */
	assert_int_equal(add(&r, "3", 300, 1, 1, 30), 0);
	assert_int_equal(add(&r, "2", 300, 1, 2, 30), 0);
	assert_int_equal(add(&r, "3", 300, 1, 2, 30), 0);
	assert_int_equal(add(&r, "3", 300, 1, 3, 30), 300);
	/* no slots at all */
	r = make(0, 8);
	assert_int_equal(add(&r, "1", 300, 7, 1, 0), OTA_E_SPACE);
	assert_int_equal(add(&r, "1", 100, 7, 1, 0), 100);
}

static void limits(void **state)
{
	struct ota_reasm r = make(2, 3);
	struct ota_addr a = sender("1");

	assert_int_equal(add(&r, "1", 600, 7, 1, 0), OTA_E_SEGMENTS);
	assert_int_equal(ota_reasm_next_due(&r), INT64_MAX);
	/* a whole message into a buffer that is too small is dropped */
	assert_int_equal(add(&r, "1", 200, 7, 1, 0), 0);
	uint8_t ud[OTA_TP_UD_MAX];
	int n = ota_segment(ud, packet, 200, 0x71, OTA_CONCAT_UDH8, 7, 2, 2);

	assert_int_equal(ota_reasm_add(&r, &a, ud, (size_t)n, 0, buf, 199, NULL), OTA_E_SPACE);
	assert_int_equal(ota_reasm_next_due(&r), INT64_MAX);
	/* segments without octets make no packet */
	assert_int_equal(ota_reasm_add(&r, &a, (const uint8_t *)"\x05\x00\x03\x09\x02\x01", 6, 0, buf, 9, NULL), 0);
	assert_int_equal(ota_reasm_add(&r, &a, (const uint8_t *)"\x05\x00\x03\x09\x02\x02", 6, 0, buf, 9, NULL),
			 OTA_E_SHORT);
	/* a command cannot go on as a response */
	assert_int_equal(ota_reasm_add(&r, &a, (const uint8_t *)"\x07\x00\x03\x0a\x02\x01\x70\x00", 8, 0, buf, 9, NULL),
			 0);
	assert_int_equal(ota_reasm_add(&r, &a, (const uint8_t *)"\x07\x00\x03\x0a\x02\x02\x71\x00", 8, 0, buf, 9, NULL),
			 OTA_E_UDH);
	/* another type of number is another sender */
	a.ton = 2;
	assert_int_equal(ota_reasm_add(&r, &a, (const uint8_t *)"\x05\x00\x03\x0a\x02\x02", 6, 0, buf, 9, NULL), 0);
}

/* ------------------------------------------------------------------------------ the most the protocol has */

#define LONG_SLOTS 3
#define LONG_MAX   (OTA_SEGMENTS_PROTOCOL_MAX * OTA_TP_UD_MAX)

static struct ota_part *long_parts; /* of the exact size, for the sanitizer */

/* Segments of different lengths, one in ten without an octet. */
static size_t long_len(unsigned key, unsigned seq)
{
	return (key * 31 + seq * 17) % 10 == 0 ? 0 : (key * 7 + seq * 13) % 134;
}

static size_t long_packet(uint8_t *out, unsigned key)
{
	size_t n = 0;

	for (unsigned seq = 1; seq <= OTA_SEGMENTS_PROTOCOL_MAX; seq++)
		for (size_t i = 0; i < long_len(key, seq); i++)
			out[n++] = (uint8_t)(key + seq * 3 + i);
	return n;
}

static int long_add(struct ota_reasm *r, const char *from, unsigned key, uint16_t ref, uint8_t seq, int64_t now_ms,
		    uint8_t *out, uint8_t *pi)
{
	struct ota_addr a = sender(from);
	uint8_t ud[OTA_TP_UD_MAX] = { 6, 8, 4, (uint8_t)(ref >> 8), (uint8_t)ref, OTA_SEGMENTS_PROTOCOL_MAX, seq };
	size_t n = 7, len = long_len(key, seq);
	uint8_t *copy;
	int rc;

	if (seq == 1) { /* the identifier makes room by two octets */
		ud[0] = 8;
		ud[n++] = 0x71;
		ud[n++] = 0;
		assert_true(n + len <= OTA_TP_UD_MAX);
	}
	for (size_t i = 0; i < len; i++)
		ud[n++] = (uint8_t)(key + seq * 3u + i);
	copy = exact(ud, n);
	rc = ota_reasm_add(r, &a, copy, n, now_ms, out, LONG_MAX, pi);
	free(copy);
	return rc;
}

static int long_make(void **state)
{
	long_parts = malloc(LONG_SLOTS * OTA_SEGMENTS_PROTOCOL_MAX * sizeof(*long_parts));
	return !long_parts;
}

static int long_free(void **state)
{
	free(long_parts);
	return 0;
}

/* Two references of one sender and one of another, 255 segments each, in orders of their own, many of them twice. */
static void longest_interleaved(void **state)
{
	static const struct {
		const char *from;
		unsigned key, step;
		uint16_t ref;
	} msg[] = { { "1", 1, 56, 0x1234 }, { "1", 2, 101, 0x1235 }, { "2", 3, 2, 0x1234 } };
	static uint8_t out[LONG_MAX], want[LONG_MAX];
	struct ota_reasm_slot own[LONG_SLOTS];
	unsigned twice = 0;
	struct ota_reasm r;

	ota_reasm_init(&r, own, LONG_SLOTS, long_parts, OTA_SEGMENTS_PROTOCOL_MAX, 1000);
	for (unsigned i = 0; i < OTA_SEGMENTS_PROTOCOL_MAX; i++) {
		for (unsigned m = 0; m < ARRAY_SIZE(msg); m++) {
			uint8_t seq = (uint8_t)(1 + i * msg[m].step % OTA_SEGMENTS_PROTOCOL_MAX), pi = 0;
			int rc = long_add(&r, msg[m].from, msg[m].key, msg[m].ref, seq, i, out, &pi);

			if (i < OTA_SEGMENTS_PROTOCOL_MAX - 1) {
				assert_int_equal(rc, 0);
				if ((i + m) % 4 == 0) {
					rc = long_add(&r, msg[m].from, msg[m].key, msg[m].ref, seq, i, out, &pi);
					assert_int_equal(rc, 0);
					twice++;
				}
				continue;
			}
			assert_int_equal(rc, long_packet(want, msg[m].key));
			assert_memory_equal(out, want, (size_t)rc);
			assert_int_equal(pi, 0x71);
		}
	}
	assert_int_equal(r.completed, 3);
	assert_int_equal(r.duplicates, twice);
	assert_int_equal(r.expired + r.evicted, 0);
}

/* 254 of 255 are nothing when the time is over; and a slot that was full is empty for the next. */
static void longest_too_late(void **state)
{
	static uint8_t out[LONG_MAX], want[LONG_MAX];
	struct ota_reasm_slot own[1];
	struct ota_reasm r;
	int rc = 0;

	ota_reasm_init(&r, own, 1, long_parts, OTA_SEGMENTS_PROTOCOL_MAX, 1000);
	for (unsigned seq = 1; seq < OTA_SEGMENTS_PROTOCOL_MAX; seq++)
		assert_int_equal(long_add(&r, "1", 5, 9, (uint8_t)seq, seq, out, NULL), 0);
	assert_int_equal(ota_reasm_next_due(&r), 1001);
	assert_int_equal(long_add(&r, "1", 5, 9, OTA_SEGMENTS_PROTOCOL_MAX, 1001, out, NULL), 0);
	assert_int_equal(r.expired, 1);
	for (unsigned seq = 1; seq < OTA_SEGMENTS_PROTOCOL_MAX; seq++)
		rc = long_add(&r, "1", 5, 9, (uint8_t)seq, 1001, out, NULL);
	assert_int_equal(rc, long_packet(want, 5));
	assert_memory_equal(out, want, (size_t)rc);
	/* a profile that allows one less refuses by the first segment that comes */
	ota_reasm_init(&r, own, 1, long_parts, OTA_SEGMENTS_PROTOCOL_MAX - 1, 1000);
	assert_int_equal(long_add(&r, "1", 5, 9, 7, 0, out, NULL), OTA_E_SEGMENTS);
	assert_int_equal(ota_reasm_next_due(&r), INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interleaved),	    cmocka_unit_test(one_message),
		cmocka_unit_test(time_goes_by),	    cmocka_unit_test(nobody_takes_all),
		cmocka_unit_test(limits),	    cmocka_unit_test(longest_interleaved),
		cmocka_unit_test(longest_too_late),
	};

	return cmocka_run_group_tests_name("reassembly", tests, long_make, long_free);
}
