/* test_exchange_schema.c - columns and values of the packages between parties.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "schema.h"

static struct pkg_head head_of(const struct xchg_schema *s)
{
	struct pkg_head h = { .answers = s->answers, .keys = s->keys };

	snprintf(h.type, sizeof(h.type), "%s", s->name);
	xchg_columns_text(s, h.columns);
	return h;
}

static void test_heads(void **state)
{
	char err[400];

	(void)state;
	for (int t = 0; t < _XCHG_TYPES; t++) {
		const struct xchg_schema *s = xchg_schema_of((enum xchg_type)t);
		struct pkg_head h = head_of(s);

		assert_int_equal(s->type, t);
		assert_ptr_equal(xchg_schema(s->name), s);
		assert_int_equal(xchg_head_check(&h, err, sizeof(err)), 0);
		h.answers = !h.answers;
		assert_int_equal(xchg_head_check(&h, err, sizeof(err)), -1);
		h.answers = !h.answers;
		strcat(h.columns, ",more");
		assert_int_equal(xchg_head_check(&h, err, sizeof(err)), -1);
		assert_non_null(strstr(err, "has the columns"));
	}
	assert_null(xchg_schema("HL4"));
}

/* The hand-over list of 3b, and whatever else goes from A or to A without need, has no place for a key. */
static void test_no_place_for_keys(void **state)
{
	static const char *const without[] = { "SO", "AQ", "AL", "PL", "HL3b", "KR", "CF", "SP", "ACK" };
	char err[400];

	(void)state;
	for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
		const struct xchg_schema *s = xchg_schema(without[i]);
		struct pkg_head h = head_of(s);

		assert_false(s->keys);
		assert_int_equal(xchg_column(s, "keys"), -1);
		h.keys = true;
		assert_int_equal(xchg_head_check(&h, err, sizeof(err)), -1);
		assert_non_null(strstr(err, "must not hold keys"));
		h = head_of(s);
		strcat(h.columns, ",keys");
		assert_int_equal(xchg_head_check(&h, err, sizeof(err)), -1);
	}
}

#define SALT ",00112233445566778899aabbccddeeff"

static void test_records(void **state)
{
	static const struct {
		const char *type, *line, *why; /* NULL: taken */
	} row[] = {
		{ "HL3b", "8988211000000000012,262019999999999,2,2,staged,E4,1795000000", NULL },
		{ "HL3b", "898821100000000001,26201,2,2,staged,E4,1795000000", "imsi must be 6 to 15 digits" },
		{ "HL3b", "8988211000000000012,262019999999999,0,2,staged,E4,1795000000",
		  "index must be a number from 1 to 65534" },
		{ "HL3b", "8988211000000000012,262019999999999,65535,2,staged,E4,1", "index must be" },
		{ "HL3b", "8988211000000000012,262019999999999,02,2,staged,E4,1", "index must be" },
		{ "HL3b", "8988211000000000012,262019999999999,2,16,staged,E4,1", "kvn must be a number from 1 to 15" },
		{ "HL3b", "8988211000000000012,262019999999999,2,2,ready,E4,1",
		  "state must be staged or armed or done" },
		{ "HL3b", "8988211000000000012,262019999999999,2,2,staged,E7,1", "evidence must be E0 or" },
		{ "HL3b", "8988211000000000012,262019999999999,2,2,staged,E4", "6 values instead of 7" },
		{ "KP", "8988211000000000012,2,2,00112233445566778899aabbccddeeff", NULL },
		{ "KP", "8988211000000000012,2,2,00112233445566778899aabbccddeef", "keys must be 16 to 512 octets" },
		{ "KP", "8988211000000000012,2,2,00112233445566778899AABBCCDDEEFF", "keys must be" },
		{ "IL", "262019999999999,,,26201;26206,6f46:0041;7fff/6f78:0001,86400,", NULL },
		{ "IL", "262019999999999,8988211000000000012,49123456,262016,,,", NULL },
		{ "IL", "262019999999999,,,2620,,,", "plmns must be networks" },
		{ "IL", "262019999999999,,,26201,6f46,,", "files must be files" },
		{ "IL", "262019999999999,,,26201,6f46:0,,", "files must be" },
		{ "IL", "262019999999999,,,26201,6f4:00,,", "files must be" },
		{ "IL", "262019999999999,,,26201,,59,", "trial_s must be a number from 60 to 2592000, or empty" },
		{ "SO", "8988211000000000012,3b,deliver-then-activate,operator-a,operator-b,vault,1795000000", NULL },
		{ "SO", "8988211000000000012,3c,deliver-then-activate,operator-a,operator-b,vault,1795000000",
		  "kind must be 3a or 3b" },
		{ "AL", "8988211000000000012,1,2,,3", NULL },
		{ "AL", "8988211000000000012,1,3,0011223344556677,3", NULL },
		{ "AL", "8988211000000000012,1,3,00112233445566,3", "jump must be 8 to 8 octets" },
		{ "ACK", ",accepted,", NULL },
		{ "ACK", "17,rejected,IMSI-foreign", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const struct xchg_schema *s = xchg_schema(row[i].type);
		char line[400], err[400] = "", again[400];
		struct xchg_record r;
		int rc;

		snprintf(line, sizeof(line), "%s" SALT, row[i].line);
		rc = xchg_split(s, 4, line, &r, err, sizeof(err));
		if (row[i].why) {
			assert_int_equal(rc, -1);
			if (!strstr(err, row[i].why) || !strstr(err, "record 5"))
				fail_msg("%s: \"%s\" does not say \"%s\"", row[i].line, err, row[i].why);
			continue;
		}
		if (rc)
			fail_msg("%s: %s", row[i].line, err);
		assert_int_equal(xchg_join(s, r.value, again, sizeof(again), err, sizeof(err)), 0);
		assert_string_equal(again, row[i].line);
	}
}

static void test_values(void **state)
{
	char line[] = "8988211000000000012,1,3,0011223344556677,3" SALT, err[400];
	struct xchg_record r;
	uint8_t mac[8];

	(void)state;
	assert_int_equal(xchg_split(xchg_schema("AL"), 0, line, &r, err, sizeof(err)), 0);
	assert_int_equal(xchg_number(&r, "to"), 3);
	assert_int_equal(xchg_hex(&r, "jump", mac, sizeof(mac)), 8);
	assert_memory_equal(mac, "\x00\x11\x22\x33\x44\x55\x66\x77", 8);
	assert_string_equal(xchg_value(&r, "iccid"), "8988211000000000012");
}

/* A key block that is not one is not shown in the sentence about it. */
static void test_keys_not_shown(void **state)
{
	char line[] = "8988211000000000012,2,2,c0ffee" SALT, err[400];
	struct xchg_record r;

	(void)state;
	assert_int_equal(xchg_split(xchg_schema("KP"), 0, line, &r, err, sizeof(err)), -1);
	assert_null(strstr(err, "c0ffee"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads),  cmocka_unit_test(test_no_place_for_keys), cmocka_unit_test(test_records),
		cmocka_unit_test(test_values), cmocka_unit_test(test_keys_not_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
