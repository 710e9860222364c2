/* test_codec_rdwr.c - the reader and the writer keep their first error.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "ota/rd.h"
#include "ota/wr.h"
#include "unit.h"

static void reader_reads_to_the_last_octet(void **state)
{
	static const uint8_t src[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	uint8_t *p = exact(src, sizeof(src));
	struct rd r = rd_init(p, sizeof(src));

	assert_int_equal(rd_be(&r, 8), 0x0102030405060708);
	assert_int_equal(rd_left(&r), 1);
	assert_int_equal(rd_u8(&r), 9);
	assert_false(r.bad);
	assert_int_equal(rd_u8(&r), 0);
	assert_true(r.bad);
	free(p);
}

static void reader_stays_bad(void **state)
{
	static const uint8_t src[] = { 1, 2, 3 };
	struct rd r = rd_init(src, sizeof(src));

	assert_null(rd_bytes(&r, 4));
	assert_int_equal(rd_u8(&r), 0);
	assert_int_equal(rd_be(&r, 1), 0);
	assert_int_equal(rd_left(&r), 0);
	assert_null(rd_bytes(&r, 0));
	assert_true(r.bad);
}

static void sub_reader_does_not_reach_beyond(void **state)
{
	static const uint8_t src[] = { 2, 0xaa, 0xbb, 0xcc };
	struct rd r = rd_init(src, sizeof(src)), none, sub = rd_sub(&r, rd_u8(&r));

	assert_int_equal(rd_be(&sub, 2), 0xaabb);
	assert_int_equal(rd_u8(&sub), 0);
	assert_true(sub.bad);
	assert_false(r.bad);
	assert_int_equal(rd_u8(&r), 0xcc);
	none = rd_sub(&r, 1);
	assert_true(none.bad && r.bad);
	none = rd_sub(&r, SIZE_MAX);
	assert_true(none.bad);
}

static void reader_of_nothing(void **state)
{
	struct rd r = rd_init(NULL, 0);

	assert_int_equal(rd_left(&r), 0);
	assert_false(r.bad);
	assert_int_equal(rd_u8(&r), 0);
	assert_true(r.bad);
}

static void writer_writes_to_the_last_octet(void **state)
{
	uint8_t *p = exact("....", 4);
	struct wr w = wr_init(p, 4);

	wr_be(&w, 0x01020304, 2);
	wr_fill(&w, 0xff, 1);
	wr_u8(&w, 5);
	assert_false(w.bad);
	assert_int_equal(wr_len(&w), 4);
	assert_memory_equal(p, "\x03\x04\xff\x05", 4);
	wr_bytes(&w, NULL, 0);
	assert_false(w.bad);
	wr_u8(&w, 6);
	assert_true(w.bad);
	free(p);
}

static void writer_stays_bad(void **state)
{
	uint8_t buf[4] = { 0 };
	struct wr w = wr_init(buf, sizeof(buf));

	wr_bytes(&w, "12345", 5);
	wr_u8(&w, 1);
	assert_true(w.bad);
	assert_int_equal(wr_len(&w), 0);
	assert_memory_equal(buf, "\0\0\0\0", 4);
	assert_null(wr_room(&w, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reader_reads_to_the_last_octet),   cmocka_unit_test(reader_stays_bad),
		cmocka_unit_test(sub_reader_does_not_reach_beyond), cmocka_unit_test(reader_of_nothing),
		cmocka_unit_test(writer_writes_to_the_last_octet),  cmocka_unit_test(writer_stays_bad),
	};

	return cmocka_run_group_tests_name("rd, wr", tests, NULL, NULL);
}
