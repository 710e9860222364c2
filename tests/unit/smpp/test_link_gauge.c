/* test_link_gauge.c - what a link shows of its last seconds and minutes.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ota/link_gauge.h"

#define T0 1800000000000LL

static void test_rate(void **state)
{
	struct link_gauge g = { 0 };

	assert_true(link_gauge_rate(&g, T0) == 0);
	for (int i = 0; i < 100; i++)
		link_gauge_sent(&g, T0 + i * 100); /* ten a second for ten seconds */
	assert_true(link_gauge_rate(&g, T0 + 10000) == 10);
	/* the present second is not counted before it is over */
	for (int i = 0; i < 1000; i++)
		link_gauge_sent(&g, T0 + 10000);
	assert_true(link_gauge_rate(&g, T0 + 10999) == 10);
	assert_true(link_gauge_rate(&g, T0 + 11000) == 109);
	/* and silence is seen without anybody counting */
	assert_true(link_gauge_rate(&g, T0 + 60000) == 0);
	/* a clock that was set back begins anew */
	link_gauge_sent(&g, T0 - 3600000);
	assert_true(link_gauge_rate(&g, T0 - 3600000 + 1000) == 0.1);
}

static void test_latency(void **state)
{
	struct link_gauge g = { 0 };
	int64_t p;

	assert_int_equal(link_gauge_latency(&g, T0, 0.5), -1);
	for (int i = 1; i <= 1000; i++)
		link_gauge_answered(&g, T0, i);
	assert_int_equal(link_gauge_answers(&g, T0), 1000);
	p = link_gauge_latency(&g, T0, 0.5);
	assert_in_range(p, 500, 550);
	p = link_gauge_latency(&g, T0, 0.99);
	assert_in_range(p, 990, 1089);
	/* what never was does not become a percentile */
	assert_true(link_gauge_latency(&g, T0, 0.001) == 1);
}

static void test_latency_ages(void **state)
{
	struct link_gauge g = { 0 };

	link_gauge_answered(&g, T0, 40);
	assert_int_equal(link_gauge_answers(&g, T0 + GAUGE_HALF_MS), 1);
	link_gauge_answered(&g, T0 + GAUGE_HALF_MS, 4);
	assert_int_equal(link_gauge_latency(&g, T0 + GAUGE_HALF_MS, 0.5), 4);
	assert_int_equal(link_gauge_answers(&g, T0 + 2 * GAUGE_HALF_MS), 1);
	assert_int_equal(link_gauge_answers(&g, T0 + 3 * GAUGE_HALF_MS), 0);
	assert_int_equal(link_gauge_latency(&g, T0 + 3 * GAUGE_HALF_MS, 0.99), -1);
	/* a clock set back: nothing of what was is kept */
	link_gauge_answered(&g, T0 - 10 * GAUGE_HALF_MS, 7);
	assert_int_equal(link_gauge_answers(&g, T0 - 10 * GAUGE_HALF_MS), 1);
}

static void test_latency_ends(void **state)
{
	struct link_gauge g = { 0 };

	link_gauge_answered(&g, T0, -5);
	assert_int_equal(link_gauge_latency(&g, T0, 1), 0);
	link_gauge_answered(&g, T0, INT64_MAX);
	assert_true(link_gauge_latency(&g, T0, 1) >= 1 << 17);
	/* every value falls into a bucket whose top is not below it and at most an eighth above */
	for (int64_t ms = 1; ms < 1 << 18; ms += ms / 16 + 1) {
		struct link_gauge one = { 0 };
		int64_t p;

		link_gauge_answered(&one, T0, ms);
		p = link_gauge_latency(&one, T0, 0.5);
		assert_in_range(p, ms, ms + ms / 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_latency),
		cmocka_unit_test(test_latency_ages),
		cmocka_unit_test(test_latency_ends),
	};

	return cmocka_run_group_tests_name("link_gauge", tests, NULL, NULL);
}
