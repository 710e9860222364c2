/* test_link_credit.c - window, tokens and adaptive rate, on a clock that only the test moves.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ota/link.h"
#include "ota/smpp_link.h"

#define T0 1700000000000LL

/* A line is one step at a time from the start; then room and due must be these. */
enum op { NOTHING, TAKE, GIVE, THROTTLE };
struct step {
	int64_t at_ms;
	enum op op;
	unsigned n;
	unsigned room;
	int64_t due_ms; /* from T0; -1: no time alone brings more */
};

static void run(const char *name, unsigned window, double rate, const struct step *steps, size_t n_steps)
{
	struct link_credit c;

	link_credit_init(&c, window, rate, T0);
	for (size_t i = 0; i < n_steps; i++) {
		const struct step *s = &steps[i];
		int64_t now_ms = T0 + s->at_ms, due_ms;
		unsigned room;

		for (unsigned k = 0; k < s->n; k++) {
			if (s->op == TAKE) {
				assert_true(link_credit_room(&c, now_ms) > 0);
				link_credit_take(&c, now_ms);
			} else if (s->op == GIVE) {
				link_credit_give(&c);
			} else if (s->op == THROTTLE) {
				link_credit_throttled(&c, now_ms);
			}
		}
		room = link_credit_room(&c, now_ms);
		due_ms = link_credit_due(&c, now_ms);
		if (room != s->room || due_ms != (s->due_ms < 0 ? INT64_MAX : T0 + s->due_ms))
			fail_msg("%s, step %zu: room %u instead of %u, due %lld instead of %lld", name, i, room,
				 s->room, (long long)(due_ms == INT64_MAX ? -1 : due_ms - T0), (long long)s->due_ms);
	}
}
#define RUN(name, window, rate, steps) run(name, window, rate, steps, sizeof(steps) / sizeof((steps)[0]))

static void test_window(void **state)
{
	static const struct step
		steps[] = {
			{ 0, NOTHING, 0, 3, -1 }, { 0, TAKE, 3, 0, -1 }, { 1000000, NOTHING, 0, 0, -1 },
			{ 1, GIVE, 1, 1, -1 },	  { 1, TAKE, 1, 0, -1 }, { 2, GIVE, 3, 3, -1 },
			{ 2, GIVE, 1, 3, -1 }, /* one too many changes nothing */
		};

	RUN("unlimited window 3", 3, 0, steps);
}

static void test_tokens(void **state)
{
	/* 10 per second: burst is a packet, 16; one token each 100 ms */
	static const struct step steps[] = {
		{ 0, NOTHING, 0, 16, -1 },	 { 0, TAKE, 16, 0, 100 },  { 50, NOTHING, 0, 0, 100 },
		{ 100, NOTHING, 0, 1, 200 },	 { 100, TAKE, 1, 0, 200 }, { 1110, TAKE, 10, 0, 1200 },
		{ 1000000, NOTHING, 0, 16, -1 },
	};
	/* a window smaller than the tokens: time brings nothing */
	static const struct step narrow[] = { { 0, NOTHING, 0, 2, -1 }, { 0, TAKE, 2, 0, -1 }, { 5, GIVE, 1, 1, -1 } };
	/* a whole packet can always be had, however slow the link */
	static const struct step slow[] = { { 0, TAKE, 16, 0, 10000 }, { 160000, NOTHING, 0, 16, -1 } };

	RUN("10/s", 100, 10, steps);
	RUN("10/s, window 2", 2, 10, narrow);
	RUN("0.1/s", 100, 0.1, slow);
}

static void test_rate_is_kept(void **state)
{
	struct link_credit c;
	unsigned sent = 0;

	link_credit_init(&c, 1000, 500, T0);
	for (int64_t ms = 0; ms < 60000; ms++)
		for (; link_credit_room(&c, T0 + ms); sent++) {
			link_credit_take(&c, T0 + ms);
			link_credit_give(&c);
		}
	/* 60 s at 500/s and the burst of a tenth of a second */
	assert_in_range(sent, 29990, 30051);
}

static void test_halving(void **state)
{
	struct link_credit c;

	link_credit_init(&c, 100, 100, T0);
	link_credit_throttled(&c, T0);
	assert_true(c.rate == 50);
	assert_int_equal(link_credit_room(&c, T0), 0);
	assert_int_equal(link_credit_room(&c, T0 + LINK_HOLD_MS - 1), 0);
	assert_true(link_credit_due(&c, T0 + 1) == T0 + LINK_HOLD_MS);
	/* the other answers of the same window are the same sign */
	for (int i = 0; i < 99; i++)
		link_credit_throttled(&c, T0 + 10);
	assert_true(c.rate == 50);
	/* throttled again and again it stops at the floor */
	for (int i = 1; i < 100; i++)
		link_credit_throttled(&c, T0 + i * LINK_HOLD_MS);
	assert_true(c.rate >= 100.0 / LINK_RATE_FLOOR && c.rate < 100.0 / LINK_RATE_FLOOR + 3);
}

static void test_recovery(void **state)
{
	struct link_credit c;
	int64_t ms = T0 + LINK_HOLD_MS;

	link_credit_init(&c, 100, 100, T0);
	link_credit_throttled(&c, T0);
	/* +5 per second: from 50 back to 100 in ten */
	link_credit_room(&c, ms + 1000);
	assert_true(c.rate > 54.9 && c.rate < 55.1);
	for (int i = 0; i < 9000; i += 10)
		link_credit_room(&c, ms + 1000 + i);
	assert_true(c.rate > 99 && c.rate <= 100);
	link_credit_room(&c, ms + 20000);
	assert_true(c.rate == 100);
}

/* A link without a rate learns one from what it sent when it was throttled, and forgets it at twice that. */
static void test_unlimited_learns(void **state)
{
	struct link_credit c;

	link_credit_init(&c, 1000, 0, T0);
	for (int i = 0; i < 400; i++)
		link_credit_take(&c, T0 + i);
	for (int i = 0; i < 400; i++)
		link_credit_give(&c);
	link_credit_throttled(&c, T0 + 400);
	assert_true(c.rate == 200);
	link_credit_room(&c, T0 + 400 + LINK_HOLD_MS + 10000);
	assert_true(c.rate > 399 && c.rate < 401);
	link_credit_room(&c, T0 + 400 + LINK_HOLD_MS + 31000);
	assert_true(c.rate == 0);
	assert_int_equal(link_credit_room(&c, T0 + 50000), 1000);
}

static void test_clock_set_back(void **state)
{
	struct link_credit c;
	int64_t back = T0 - 3600000;

	link_credit_init(&c, 10, 10, T0);
	link_credit_throttled(&c, T0);
	assert_int_equal(link_credit_room(&c, back), 0);
	assert_true(link_credit_due(&c, back) <= back + LINK_HOLD_MS);
	link_credit_room(&c, back + LINK_HOLD_MS + 1000);
	assert_true(link_credit_room(&c, back + LINK_HOLD_MS + 2000) >= 5);
	/* and once more without a pause */
	link_credit_init(&c, 10, 10, T0);
	for (int i = 0; i < 10; i++)
		link_credit_take(&c, T0);
	for (int i = 0; i < 10; i++)
		link_credit_give(&c);
	link_credit_room(&c, back);
	assert_true(link_credit_room(&c, back + 1000) > 0);
}

static void test_names(void **state)
{
	assert_string_equal(fail_class_name(FAIL_NONE), "NONE");
	assert_string_equal(fail_class_name(FAIL_CARD_TRANSIENT), "CARD-TRANSIENT");
	assert_string_equal(fail_class_name(FAIL_UNKNOWN), "UNKNOWN");
	assert_string_equal(fail_class_name((enum fail_class)99), "INVALID");
	for (int i = 0; i < _FAIL_CLASSES; i++)
		assert_non_null(fail_class_name((enum fail_class)i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),	       cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_rate_is_kept),   cmocka_unit_test(test_halving),
		cmocka_unit_test(test_recovery),       cmocka_unit_test(test_unlimited_learns),
		cmocka_unit_test(test_clock_set_back), cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("link_credit", tests, NULL, NULL);
}
