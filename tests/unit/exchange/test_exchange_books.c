/* test_exchange_books.c - records of the books come back as they were, and what is not one is refused.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "books.h"

/* Every octet of a struct with something of its own in it, texts included. */
static void fill_text(char *out, size_t cap, char c)
{
	memset(out, c, cap - 1);
	out[cap - 1] = 0;
}
#define FILL(field, c) fill_text(field, sizeof(field), c)

static struct line line_full(void)
{
	struct line l;

	memset(&l, 0, sizeof(l));
	l.order = 0x1122334455667788;
	FILL(l.iccid, '1');
	FILL(l.imsi, '2');
	FILL(l.msisdn, '3');
	FILL(l.old_imsi, '4');
	FILL(l.old_msisdn, '5');
	FILL(l.profile, 'p');
	l.card = 77;
	l.txn = 1ull << 40;
	l.from = 0xfffd;
	l.to = 0xfffe;
	l.left = 3;
	l.kvn = 2;
	l.end = END_ROLLED_BACK;
	l.evidence = 255;
	l.flags = 0x3ff;
	memset(l.jump, 0xab, sizeof(l.jump));
	l.has_jump = true;
	memset(l.hash, 0xcd, sizeof(l.hash));
	l.pl_seq = 9;
	l.pl_n = 10;
	l.cntr = 0xffffffffff;
	l.sqn = 0xffffffffffff;
	l.evidence_ms = -1;
	l.paired_ms = 1;
	l.staged_ms = 2;
	l.ready_ms = 3;
	l.armed_ms = 4;
	l.served_ms = 5;
	l.confirmed_ms = 6;
	l.ended_ms = INT64_MAX;
	FILL(l.vlr, '9');
	FILL(l.why, 'w');
	return l;
}

static struct order order_full(void)
{
	struct order o;

	memset(&o, 0, sizeof(o));
	FILL(o.name, 'N');
	o.number = 0x8877665544332211;
	o.side = SIDE_B;
	o.step = ORDER_ENDED;
	o.kind = ORDER_3B;
	o.policy = POLICY_ESCROW;
	FILL(o.s, 's');
	FILL(o.a, 'a');
	FILL(o.b, 'b');
	FILL(o.m, 'm');
	memset(o.so, 0x5a, sizeof(o.so));
	o.so_seq = 12;
	o.lines = 1000000;
	o.paired = 999;
	o.listed = 998;
	o.closed = 997;
	o.until_s = 1795000000;
	o.created_ms = 1;
	o.ended_ms = 2;
	for (int i = 0; i < ORDER_WORKS; i++)
		o.campaign[i] = (uint64_t)i << 33;
	FILL(o.alarm, '!');
	return o;
}

static struct parcel parcel_full(void)
{
	struct parcel p;

	memset(&p, 0, sizeof(p));
	memset(p.id, 0x17, sizeof(p.id));
	FILL(p.type, 'T');
	FILL(p.order, 'O');
	p.seq = 1ull << 50;
	p.records = 1024;
	p.cursor = 512;
	p.skipped = 2;
	p.ack = 4;
	p.at_ms = -5;
	p.ended_ms = 5;
	FILL(p.file, 'f');
	FILL(p.rule, 'r');
	FILL(p.why, 'w');
	return p;
}

static uint8_t body[BOOK_BODY_MAX];

/* Back as it was; cut anywhere, with something behind it, or of another version: refused. */
static void cut(int len, int (*unpack)(void *out, const uint8_t *body, size_t len), void *out)
{
	for (int n = 0; n < len; n++) {
		uint8_t *exact = malloc(n ? (size_t)n : 1);

		assert_non_null(exact);
		memcpy(exact, body, (size_t)n);
		assert_int_equal(unpack(out, exact, (size_t)n), -1);
		free(exact);
	}
	assert_int_equal(unpack(out, body, (size_t)len + 1), -1);
	body[0]++;
	assert_int_equal(unpack(out, body, (size_t)len), -1);
}

static int unpack_line(void *out, const uint8_t *b, size_t len)
{
	return line_unpack(out, b, len);
}
static int unpack_order(void *out, const uint8_t *b, size_t len)
{
	return order_unpack(out, b, len);
}
static int unpack_parcel(void *out, const uint8_t *b, size_t len)
{
	return parcel_unpack(out, b, len);
}

static void test_line(void **state)
{
	struct line in = line_full(), out;
	int len = line_pack(&in, body);

	assert_true(len > 0 && len < BOOK_BODY_MAX);
	assert_int_equal(line_unpack(&out, body, (size_t)len), 0);
	assert_memory_equal(&in, &out, offsetof(struct line, why) + sizeof(in.why));
	cut(len, unpack_line, &out);
}

static void test_order(void **state)
{
	struct order in = order_full(), out;
	int len = order_pack(&in, body);

	assert_true(len > 0 && len < BOOK_BODY_MAX);
	assert_int_equal(order_unpack(&out, body, (size_t)len), 0);
	assert_memory_equal(&in, &out, offsetof(struct order, alarm) + sizeof(in.alarm));
	cut(len, unpack_order, &out);
}

static void test_parcel(void **state)
{
	struct parcel in = parcel_full(), out;
	int len = parcel_pack(&in, body);

	assert_true(len > 0 && len < BOOK_BODY_MAX);
	assert_int_equal(parcel_unpack(&out, body, (size_t)len), 0);
	assert_memory_equal(&in, &out, offsetof(struct parcel, why) + sizeof(in.why));
	cut(len, unpack_parcel, &out);
}

static int unpack_change(void *out, const uint8_t *b, size_t len)
{
	return change_unpack(out, b, len);
}

static void test_change(void **state)
{
	struct change_keys in, out;
	int len;

	memset(&in, 0, sizeof(in));
	in.kvn = 2;
	in.sealed_len = 100;
	memset(in.sealed, 0x5a, 100);
	in.has_sub = in.has_was = true;
	memset(in.sub, 1, sizeof(in.sub));
	memset(in.was, 2, sizeof(in.was));
	len = change_pack(&in, body);
	assert_true(len > 0 && len < BOOK_BODY_MAX);
	assert_int_equal(change_unpack(&out, body, (size_t)len), 0);
	assert_int_equal(out.kvn, 2);
	assert_int_equal(out.sealed_len, 100);
	assert_memory_equal(out.sealed, in.sealed, 100);
	assert_true(out.has_sub && out.has_was);
	assert_memory_equal(out.sub, in.sub, sizeof(in.sub));
	assert_memory_equal(out.was, in.was, sizeof(in.was));
	body[2] = 0xff; /* longer than any keyset */
	assert_int_equal(change_unpack(&out, body, (size_t)len), -1);
	len = change_pack(&in, body);
	cut(len, unpack_change, &out);
}

static void test_hold(void **state)
{
	struct hold in = { .index = 7, .kvn = 2, .k = HOLD_KNOWS, .ota = HOLD_IF_HEARD, .from = "operator-a" }, out;
	char who[HOLD_WHO_MAX];
	uint8_t b[HOLD_LEN];
	size_t len = hold_pack(&in, b);

	assert_int_equal(hold_unpack(&out, b, len), 0);
	assert_int_equal(out.index, 7);
	assert_int_equal(out.kvn, 2);
	hold_who(&out, false, who);
	assert_string_equal(who, "operator-a");
	hold_who(&out, true, who);
	assert_string_equal(who, "operator-a if it listened");
	for (size_t n = 0; n < len; n++)
		assert_int_equal(hold_unpack(&out, b, n), -1);
	in.kvn = 0;
	assert_int_equal(hold_unpack(&out, b, hold_pack(&in, b)), -1);
	in = (struct hold){ .index = 1, .kvn = 1 };
	assert_int_equal(hold_unpack(&out, b, hold_pack(&in, b)), 0);
	hold_who(&out, false, who);
	assert_string_equal(who, "the card's maker");
}

static void test_keys(void **state)
{
	char key[BOOK_KEY_MAX], text[ORDER_NUMBER_INPUT_MAX], file[PARCEL_FILE_MAX];

	line_key(key, 0x1234, "8988211000000000012");
	assert_string_equal(key, "0000000000001234/8988211000000000012");
	parcel_key(key, "operator-a", 42);
	assert_string_equal(key, "operator-a/000000000042");
	parcel_file(file, "operator-a", 42);
	assert_string_equal(file, "operator-a-000000000042.otapkg");
	assert_int_equal(order_number_input(text, "shop", "SO-7"), 22);
	assert_string_equal(text, "otagw order\nshop\nSO-7\n");
}

static void test_names(void **state)
{
	for (uint16_t s = 0; s <= _LINE_STEPS; s++)
		assert_non_null(line_step_name(s));
	assert_string_equal(line_step_name(A_PURGE), "A_PURGE");
	assert_string_equal(line_step_name(B_TELL_CONFIRMED), "B_TELL_CONFIRMED");
	assert_string_equal(line_step_name(63), "?");
	assert_string_equal(line_end_name(END_ROLLED_BACK), "rolled-back");
	assert_string_equal(line_end_name(9), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),   cmocka_unit_test(test_order), cmocka_unit_test(test_parcel),
		cmocka_unit_test(test_change), cmocka_unit_test(test_hold),  cmocka_unit_test(test_keys),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
