/* test_env_real.c - steady UTC: forward differences are taken in, backward steps never followed.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "env_real.h"

#define MS	1000000LL
#define START	(1760000000000LL * MS)
#define HOUR_MS 3600000LL

/* A wall clock and a boot clock that somebody turns. */
struct bench {
	struct env_clock c;
	int64_t wall, boot, step_ms, last;
};

static int64_t tick(struct bench *b, int64_t wall_ms, int64_t boot_ms)
{
	int64_t now;

	b->wall += wall_ms * MS;
	b->boot += boot_ms * MS;
	now = env_clock_tick(&b->c, b->wall, b->boot, &b->step_ms);
	assert_true(now >= b->last);
	b->last = now;
	return now;
}

static struct bench bench_start(void)
{
	struct bench b = { .wall = START, .boot = 777 * MS };

	assert_int_equal(tick(&b, 0, 0), START / MS);
	assert_int_equal(b.step_ms, 0);
	return b;
}

static void test_steady(void **state)
{
	struct bench b = bench_start();

	for (int i = 1; i <= 1000; i++) {
		assert_int_equal(tick(&b, 10, 10), START / MS + 10 * i);
		assert_int_equal(b.step_ms, 0);
	}
}

/* Sleep counts: the boot clock goes on with the wall clock. */
static void test_sleep(void **state)
{
	struct bench b = bench_start();

	assert_int_equal(tick(&b, 8 * HOUR_MS, 8 * HOUR_MS), START / MS + 8 * HOUR_MS);
	assert_int_equal(b.step_ms, 0);
}

static void test_forward(void **state)
{
	struct bench b = bench_start();

	assert_int_equal(tick(&b, 30000, 10), START / MS + 30000);
	assert_int_equal(b.step_ms, 29990);
	assert_int_equal(tick(&b, 200, 100), START / MS + 30200); /* small: taken in, not reported */
	assert_int_equal(b.step_ms, 0);
}

static void test_backward(void **state)
{
	struct bench b = bench_start();
	int64_t base = START / MS, at;

	at = tick(&b, -HOUR_MS + 10, 10);
	assert_int_equal(b.step_ms, -HOUR_MS);
	assert_in_range(at, base + 9, base + 10);
	at = tick(&b, 30000, 30000);	/* a timer of 30 s */
	assert_int_equal(b.step_ms, 0); /* told once */
	assert_in_range(at, base + 30010 - 301, base + 30010);

	/* at 1 in 100 the hour is made good after 100 hours, and not before */
	for (int i = 0; i < 98; i++)
		tick(&b, HOUR_MS, HOUR_MS);
	assert_true(b.last > b.wall / MS);
	for (int i = 0; i < 3; i++)
		tick(&b, HOUR_MS, HOUR_MS);
	assert_int_equal(b.last, b.wall / MS);
	at = tick(&b, 5, 5);
	assert_int_equal(at, b.wall / MS);
}

/* Set back, then right again: nothing moved for anybody who asked. */
static void test_back_and_forth(void **state)
{
	struct bench b = bench_start();
	int64_t base = START / MS;

	tick(&b, -HOUR_MS, 0);
	assert_int_equal(b.step_ms, -HOUR_MS);
	assert_int_equal(b.last, base);
	assert_int_equal(tick(&b, HOUR_MS + 1000, 1000), base + 1000);
	assert_int_equal(b.step_ms, HOUR_MS);
}

/* Readings a microsecond apart still slew, and time does not stand still. */
static void test_fine_grained(void **state)
{
	struct bench b = bench_start();

	tick(&b, -2000, 0);
	for (int i = 0; i < 1000000; i++) {
		b.wall += 1000;
		b.boot += 1000;
		env_clock_tick(&b.c, b.wall, b.boot, &b.step_ms);
	}
	assert_in_range(b.c.steady_ns, START + 989 * MS, START + 991 * MS);
}

static void test_real(void **state)
{
	struct env *e = env_real();
	int64_t a = e->utc_ms(e->ctx), b = e->utc_ms(e->ctx);
	uint8_t r[32] = { 0 }, s[32] = { 0 };

	assert_true(a > 1700000000000LL);
	assert_true(b >= a);
	assert_int_equal(e->random(e->ctx, r, sizeof(r)), 0);
	assert_int_equal(e->random(e->ctx, s, sizeof(s)), 0);
	assert_memory_not_equal(r, s, sizeof(r));
	env_real_on_step(NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steady),	       cmocka_unit_test(test_sleep),
		cmocka_unit_test(test_forward),	       cmocka_unit_test(test_backward),
		cmocka_unit_test(test_back_and_forth), cmocka_unit_test(test_fine_grained),
		cmocka_unit_test(test_real),
	};

	return cmocka_run_group_tests_name("env: steady clock", tests, NULL, NULL);
}
