/* test_wheel.c - stubs against a plain list: found, ordered, given back; memory that grows with use.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gw_int.h"

#define CARDS	 500   /* that a random run knows */
#define STUBS	 300   /* places, fewer than cards */
#define STEPS	 40000 /* of a random run */
#define OPEN_MAX 1000000

void gw_assert_failed(const char *file, int line, const char *expr)
{
	fail_msg("%s:%d: %s", file, line, expr);
	abort();
}

static struct gw *wheel(unsigned open_max)
{
	struct gw *gw = calloc(1, sizeof(*gw));

	assert_non_null(gw);
	gw->cfg.limits.open_max = open_max;
	assert_int_equal(wheel_init(gw), 0);
	return gw;
}

static void wheel_free(struct gw *gw)
{
	free(gw->stub);
	free(gw->heap);
	free(gw->stub_hash);
	free(gw);
}

static uint32_t rnd(void)
{
	static uint64_t x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 16);
}

/* What the wheel should hold: due time by card, 0 where there is no stub. */
static int64_t want[CARDS];

static void check_top(struct gw *gw)
{
	const struct stub *top = wheel_top(gw);
	int64_t least = INT64_MAX;

	for (unsigned i = 0; i < CARDS; i++)
		if (want[i] && want[i] < least)
			least = want[i];
	if (least == INT64_MAX)
		assert_null(top);
	else
		assert_int_equal(top->due_ms, least);
	for (uint32_t pos = 0; pos < gw->heap_n; pos++) {
		assert_int_equal(gw->stub[gw->heap[pos]].heap_pos, pos);
		assert_true(gw->stub[gw->heap[(pos ? pos - 1 : 0) / 2]].due_ms <= gw->stub[gw->heap[pos]].due_ms);
	}
}

static void random_step(struct gw *gw, unsigned *open)
{
	unsigned i = rnd() % CARDS;
	uint64_t card = 1 + (uint64_t)i * 7919;
	struct stub *s = stub_find(gw, card);

	assert_int_equal(s != NULL, want[i] != 0);
	switch (rnd() % 4) {
	case 0:
		stub_remove(gw, card);
		*open -= want[i] != 0;
		want[i] = 0;
		break;
	case 1:
		if (s)
			stub_due(gw, s, want[i] = rnd() % 8 ? 1 + rnd() % 1000 : INT64_MAX);
		break;
	default:
		if (s)
			break;
		s = stub_add(gw, card);
		if (*open == STUBS) {
			assert_null(s);
			break;
		}
		assert_non_null(s);
		assert_ptr_equal(stub_add(gw, card), s);
		++*open;
		stub_due(gw, s, want[i] = 1 + rnd() % 1000);
	}
	assert_int_equal(gw->open, *open);
}

static void test_random(void **state)
{
	struct gw *gw = wheel(STUBS);
	unsigned open = 0;

	memset(want, 0, sizeof(want));
	for (unsigned i = 0; i < STEPS; i++) {
		random_step(gw, &open);
		if (i % 16 == 0)
			check_top(gw);
	}
	assert_int_equal(gw->open_high, STUBS); /* the run has been at the limit */
	while (wheel_top(gw))			/* and they come out in order */
		stub_remove(gw, wheel_top(gw)->card);
	wheel_free(gw);
}

static void test_order(void **state)
{
	struct gw *gw = wheel(OPEN_MAX);
	int64_t last = 0;

	for (unsigned i = 1; i <= 5000; i++)
		stub_due(gw, stub_add(gw, i), 1 + rnd() % 100000);
	for (unsigned i = 1; i <= 5000; i++) {
		struct stub *s = wheel_top(gw);

		assert_true(s->due_ms >= last);
		last = s->due_ms;
		stub_remove(gw, s->card);
	}
	assert_null(wheel_top(gw));
	assert_int_equal(gw->open, 0);
	wheel_free(gw);
}

/* A limit of a million costs nothing until cards wait: nothing above what was used at a time has ever been written to. */
static void test_grows_with_use(void **state)
{
	struct gw *gw = wheel(OPEN_MAX);

	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 1; i <= 100; i++)
			stub_due(gw, stub_add(gw, round * 1000 + i), i);
		for (unsigned i = 1; i <= 100; i++)
			stub_remove(gw, round * 1000 + i);
	}
	assert_int_equal(gw->stub_high, 100);
	assert_int_equal(gw->stub_buckets, 100);
	for (unsigned i = 101; i <= OPEN_MAX; i++) {
		assert_int_equal(gw->stub[i].card, 0);
		assert_int_equal(gw->heap[i - 1], 0);
		assert_int_equal(gw->stub_hash[i - 1], 0);
	}
	wheel_free(gw);
}

/* However many there are, a card is found after a look at few. */
static void test_chains(void **state)
{
	struct gw *gw = wheel(OPEN_MAX);
	unsigned longest = 0;

	for (uint64_t i = 1; i <= 200000; i++)
		stub_add(gw, i);
	for (uint32_t b = 0; b < gw->stub_buckets; b++) {
		unsigned n = 0;

		for (uint32_t i = gw->stub_hash[b]; i; i = gw->stub[i].hash_next)
			n++;
		longest = n > longest ? n : longest;
	}
	assert_in_range(longest, 2, 16);
	for (uint64_t i = 1; i <= 200000; i++)
		assert_int_equal(stub_find(gw, i)->card, i);
	wheel_free(gw);
}

static void test_release_held(void **state)
{
	struct gw *gw = wheel(OPEN_MAX);

	gw->now_ms = 50;
	for (unsigned i = 1; i <= 10; i++) {
		struct stub *s = stub_add(gw, i);

		s->campaign = i % 2;
		stub_due(gw, s, INT64_MAX);
		s->held = i <= 6;
	}
	assert_null(wheel_top(gw));
	wheel_release_held(gw, 1);
	assert_int_equal(gw->heap_n, 3); /* 1, 3, 5 */
	for (unsigned i = 1; i <= 10; i++) {
		const struct stub *s = stub_find(gw, i);

		assert_int_equal(s->due_ms, i <= 6 && i % 2 ? 50 : INT64_MAX);
		assert_int_equal(s->held, i <= 6 && i % 2 == 0);
	}
	wheel_free(gw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),	       cmocka_unit_test(test_order),
		cmocka_unit_test(test_grows_with_use), cmocka_unit_test(test_chains),
		cmocka_unit_test(test_release_held),
	};

	return cmocka_run_group_tests_name("wheel", tests, NULL, NULL);
}
