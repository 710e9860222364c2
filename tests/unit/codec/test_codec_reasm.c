/* test_codec_reasm.c - messages of many senders at once.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "unit.h"

#define SLOTS 5

static struct ota_reasm_slot slots[SLOTS];
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
	ota_reasm_init(&r, slots, n, 1000, segments_max);
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
	ota_reasm_init(&r, slots, 2, 1000, 255);
	assert_int_equal(r.segments_max, OTA_SEGMENTS_MAX);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interleaved),	    cmocka_unit_test(one_message), cmocka_unit_test(time_goes_by),
		cmocka_unit_test(nobody_takes_all), cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
