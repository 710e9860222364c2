/* test_front_words.c - masked digits, times, hex, names; which number stood on which line.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "seen.h"
#include "words.h"

static void test_masked(void **state)
{
	char m[MASKED_MAX];

	assert_string_equal(masked(m, "8988211000000000011"), "8988…0011");
	assert_string_equal(masked(m, "00101"), "00…");
	assert_string_equal(masked(m, ""), "…");
	(void)state;
}

static void test_time(void **state)
{
	char t[RFC3339_MAX];

	assert_string_equal(rfc3339(t, 0), "1970-01-01T00:00:00.000Z");
	assert_string_equal(rfc3339(t, 1796162400123), "2026-12-01T22:00:00.123Z");
	assert_string_equal(rfc3339(t, -1), "1969-12-31T23:59:59.999Z");
	/* from a damaged row */
	rfc3339(t, INT64_MAX);
	rfc3339(t, INT64_MIN);
	(void)state;
}

static void test_hex(void **state)
{
	uint8_t b[4] = { 0x00, 0x9f, 0xff };
	char h[9];

	hex_encode(h, b, 3);
	assert_string_equal(h, "009fff");
	assert_int_equal(hex_decode(b, sizeof(b), "0aFf"), 2);
	assert_int_equal(b[1], 0xff);
	assert_int_equal(hex_decode(b, sizeof(b), ""), 0);
	assert_int_equal(hex_decode(b, sizeof(b), "0"), -1);
	assert_int_equal(hex_decode(b, sizeof(b), "0g"), -1);
	assert_int_equal(hex_decode(b, sizeof(b), "0102030405"), -1);
	(void)state;
}

static void test_names(void **state)
{
	assert_true(name_ok("swap1", 48));
	assert_true(name_ok("a.b-c_D9", 48));
	assert_false(name_ok("", 48));
	assert_false(name_ok(".hidden", 48));
	assert_false(name_ok("..", 48));
	assert_false(name_ok("a/b", 48));
	assert_false(name_ok("a b", 48));
	assert_false(name_ok("abcd", 4));
	(void)state;
}

/* Against a plain list, with removals: what probing must not lose. */
static void test_seen(void **state)
{
	enum { N = 5000 };
	struct seen s;
	char d[24];

	seen_init(&s, 7);
	assert_int_equal(seen_line(&s, "1"), 0);
	seen_drop(&s, "1", 1);
	for (unsigned i = 0; i < N; i++) {
		snprintf(d, sizeof(d), "%019u", i * 7919u);
		assert_int_equal(seen_add(&s, d, i + 1), 0);
	}
	for (unsigned i = 0; i < N; i += 3) {
		snprintf(d, sizeof(d), "%019u", i * 7919u);
		seen_drop(&s, d, i + 2); /* another line's: stays */
		assert_int_equal(seen_line(&s, d), i + 1);
		seen_drop(&s, d, i + 1);
	}
	for (unsigned i = 0; i < N; i++) {
		snprintf(d, sizeof(d), "%019u", i * 7919u);
		assert_int_equal(seen_line(&s, d), i % 3 ? i + 1 : 0);
	}
	/* leading zeros count; twenty digits are exact */
	assert_int_equal(seen_add(&s, "001", 1), 0);
	assert_int_equal(seen_line(&s, "01"), 0);
	assert_int_equal(seen_add(&s, "99999999999999999999", 5), 0);
	assert_int_equal(seen_line(&s, "99999999999999999998"), 0);
	assert_int_equal(seen_line(&s, "99999999999999999999"), 5);
	seen_free(&s);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_masked), cmocka_unit_test(test_time), cmocka_unit_test(test_hex),
		cmocka_unit_test(test_names),  cmocka_unit_test(test_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
