/* test_retry.c - when an attempt is repeated: a table decides.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "retry.h"

#define NOW 1700000000000

static void backoff_doubles_up_to_its_limit(void **state)
{
	struct retry_policy p;

	retry_policy_default(&p);
	p.first_ms = 1000;
	p.max_ms = 6000;
	p.jitter_pct = 0;
	for (unsigned attempt = 1; attempt < 100; attempt++) {
		int64_t want = attempt == 1 ? 1000 : attempt == 2 ? 2000 : attempt == 3 ? 4000 : 6000;

		assert_true(retry_at(&p, FAIL_ABSENT, attempt, NOW, 0) == NOW + want);
		assert_true(retry_at(&p, FAIL_UNKNOWN, attempt, NOW, UINT32_MAX) == NOW + want);
	}
	assert_true(retry_at(&p, FAIL_ABSENT, UINT32_MAX, NOW, 0) == NOW + 6000);
}

static void classes_have_their_own_delay(void **state)
{
	struct retry_policy p;

	retry_policy_default(&p);
	p.jitter_pct = 0;
	assert_true(retry_at(&p, FAIL_BUSY, 7, NOW, 0) == NOW + p.busy_ms);
	for (unsigned n = 1; n < 300; n++) { /* 1, 2, 4, 8, 16 times and no more */
		int64_t want = (int64_t)p.congest_ms << (n < 5 ? n - 1 : 4);

		assert_true(retry_at(&p, FAIL_CONGEST, n, NOW, 0) == NOW + want);
		assert_true(retry_at(&p, FAIL_LINK, n, NOW, 0) == NOW + want);
	}
	assert_true(retry_at(&p, FAIL_MEM, 7, NOW, 0) == NOW + p.mem_ms);
	assert_true(retry_at(&p, FAIL_CONFIG, 1, NOW, 0) == NOW + p.max_ms);
	assert_true(retry_at(&p, FAIL_CARD_PERM, 1, NOW, 0) == INT64_MAX);
	assert_true(retry_at(&p, FAIL_SUBS_PERM, 1, NOW, 0) == INT64_MAX);
}

static void jitter_stays_within_its_share(void **state)
{
	static const uint32_t dice[] = { 0, 1, 0x3fffffff, 0x7fffffff, 0x80000000, 0xfffffffe, UINT32_MAX };
	struct retry_policy p;

	retry_policy_default(&p);
	p.first_ms = 10000;
	p.jitter_pct = 10;
	for (unsigned i = 0; i < sizeof(dice) / sizeof(dice[0]); i++) {
		int64_t at = retry_at(&p, FAIL_ABSENT, 1, NOW, dice[i]);

		assert_true(at >= NOW + 9000);
		assert_true(at <= NOW + 11000);
	}
	assert_true(retry_at(&p, FAIL_ABSENT, 1, NOW, 0) == NOW + 9000);
	assert_true(retry_at(&p, FAIL_ABSENT, 1, NOW, UINT32_MAX) >= NOW + 10998);
	/* a policy out of range never goes back in time */
	p.jitter_pct = 255;
	assert_true(retry_at(&p, FAIL_ABSENT, 1, NOW, 0) > NOW);
	p.first_ms = p.max_ms = UINT32_MAX;
	assert_true(retry_at(&p, FAIL_ABSENT, 1, NOW, UINT32_MAX) <= NOW + 2 * (int64_t)UINT32_MAX);
	p.first_ms = p.max_ms = 0;
	assert_true(retry_at(&p, FAIL_ABSENT, 1, NOW, 0) > NOW);
}

static void no_wait_is_longer_than_the_latest(void **state)
{
	struct retry_policy p;

	retry_policy_default(&p);
	for (p.jitter_pct = 0; p.jitter_pct < 120; p.jitter_pct = (uint8_t)(p.jitter_pct + 7))
		for (int c = FAIL_NONE; c < _FAIL_CLASSES; c++)
			if (c != FAIL_CARD_PERM && c != FAIL_SUBS_PERM)
				assert_true(retry_at(&p, (enum fail_class)c, 99, NOW, UINT32_MAX) <=
					    retry_latest(&p, NOW));
	p.jitter_pct = 10;
	p.congest_ms = p.max_ms; /* congestion backs off further than anything else may */
	assert_true(retry_latest(&p, NOW) >= retry_at(&p, FAIL_CONGEST, 99, NOW, UINT32_MAX));
	p.congest_ms = 5000;
	p.mem_ms = 3 * p.max_ms;
	assert_true(retry_latest(&p, NOW) >= NOW + p.mem_ms && retry_latest(&p, NOW) <= NOW + 2 * (int64_t)p.mem_ms);
}

static void what_counts_and_what_wakes(void **state)
{
	for (int c = FAIL_NONE; c < _FAIL_CLASSES; c++) {
		assert_int_equal(retry_counts((enum fail_class)c),
				 c != FAIL_NONE && c != FAIL_CONGEST && c != FAIL_LINK);
		assert_int_equal(retry_wakes((enum fail_class)c),
				 c == FAIL_ABSENT || c == FAIL_MEM || c == FAIL_UNKNOWN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(backoff_doubles_up_to_its_limit), cmocka_unit_test(classes_have_their_own_delay),
		cmocka_unit_test(jitter_stays_within_its_share),   cmocka_unit_test(no_wait_is_longer_than_the_latest),
		cmocka_unit_test(what_counts_and_what_wakes),
	};

	return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
