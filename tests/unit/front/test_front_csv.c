/* test_front_csv.c - the splitter: RFC 4180 in place, one bad line costs one line.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "csv.h"

/* Text in an exact-size heap block (one octet to spare, as the contract says), so that ASan sees one octet too far. */
static char *boxed(const char *text, size_t len)
{
	char *p = malloc(len + 1);

	assert_non_null(p);
	memcpy(p, text, len);
	return p;
}

/* What a text becomes: "n:field|field;" per record, "!err;" per bad line, line numbers in front. */
static void render(const char *text, size_t len, uint64_t first, char *out, size_t cap)
{
	char *p = boxed(text, len);
	struct csv c;
	struct csv_record r;
	size_t n = 0;
	int rc;

	*out = 0;
	csv_init(&c, p, len, first);
	while ((rc = csv_next(&c, &r)) != 0) {
		n += (size_t)snprintf(out + n, cap - n, "%llu:", (unsigned long long)r.line);
		if (rc < 0)
			n += (size_t)snprintf(out + n, cap - n, "!%d", rc);
		for (unsigned i = 0; rc > 0 && i < r.n; i++)
			n += (size_t)snprintf(out + n, cap - n, "%s%s", i ? "|" : "", r.field[i]);
		n += (size_t)snprintf(out + n, cap - n, ";");
		assert_true(n < cap);
		assert_true(r.start >= p && r.start + r.len <= p + len);
	}
	free(p);
}

static const struct {
	const char *text, *want;
} table[] = {
	{ "", "" },
	{ "\n\r\n  \n", "" },
	{ "a,b\n", "1:a|b;" },
	{ "a,b", "1:a|b;" },
	{ "a,b\r\nc,d\r\n", "1:a|b;2:c|d;" },
	{ "\xef\xbb\xbf"
	  "a\n",
	  "1:a;" },
	{ "a,,\n", "1:a||;" },
	{ ",\n", "1:|;" },
	{ " a , b\t\n", "1:a|b;" },
	{ "\"a\",\"b,c\"\n", "1:a|b,c;" },
	{ "\"a\"\"b\",c\n", "1:a\"b|c;" },
	{ "\"\",x\n", "1:|x;" },
	{ "\"a\" , b\n", "1:a|b;" },
	{ "\"a\"x,b\nc\n", "1:!-1;2:c;" },
	{ "a\"b,c\nd\n", "1:!-1;2:d;" },
	{ "\"a,b\nc\n", "1:!-2;2:c;" },
	{ "\"\n", "1:!-2;" },
	{ "\"\"\"\n", "1:!-2;" },
	{ "\"a\r\nb\n", "1:!-2;2:b;" },
	{ "a\n\n\nb", "1:a;4:b;" },
	{ "\"a\"", "1:a;" },
};

static void test_table(void **state)
{
	char out[512];

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		render(table[i].text, strlen(table[i].text), 1, out, sizeof(out));
		assert_string_equal(out, table[i].want);
	}
	(void)state;
}

/* Every text cut at every length: nothing is read beyond, nothing hangs. */
static void test_cut(void **state)
{
	char out[512];

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		for (size_t n = 0; n <= strlen(table[i].text); n++)
			render(table[i].text, n, 1, out, sizeof(out));
	}
	(void)state;
}

static void test_line_numbers(void **state)
{
	char out[64];

	render("a\nb\n", 4, 5001, out, sizeof(out));
	assert_string_equal(out, "5001:a;5002:b;");
	/* a byte order mark begins a file, not a chunk */
	render("\xef\xbb\xbfx\n", 5, 2, out, sizeof(out));
	assert_string_equal(out, "2:\xef\xbb\xbfx;");
	(void)state;
}

static void test_limits(void **state)
{
	char text[CSV_FIELDS_MAX + 2], out[512];

	memset(text, ',', sizeof(text));
	render(text, CSV_FIELDS_MAX - 1, 1, out, sizeof(out));
	assert_int_equal(out[2], '|');
	render(text, CSV_FIELDS_MAX, 1, out, sizeof(out));
	assert_string_equal(out, "1:!-3;");
	render("a\0b\nc\n", 6, 1, out, sizeof(out));
	assert_string_equal(out, "1:!-4;2:c;");
	for (int e = -5; e < 0; e++)
		assert_true(*csv_strerror(e));
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_line_numbers),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
