/* test_retain.c - old lines go once a day, in small steps, and steps give way to whatever else the store does.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "retain.h"

#define DAY_MS	  (24 * 3600 * 1000LL)
#define DAYS	  400
#define T0	  1700000000000LL
#define CARDS	  250
#define LINES	  1000 /* of no card: old ones, and as many young ones */
#define STEPS_MAX 200

static struct {
	struct store_mem_disk *disk;
	struct store *s;
	struct retain *r;
	int64_t now_ms, slow_ms;
	int rc;
	unsigned commits;
	char line[200];
} f;

static int64_t delay(void *ctx, const char *what, struct store_batch *b)
{
	return f.slow_ms;
}

static int fault(void *ctx, struct store_batch *b)
{
	f.commits++;
	return f.rc;
}

static int64_t now(void *ctx)
{
	return f.now_ms;
}

static void log_line(void *ctx, int level, const char *line)
{
	snprintf(f.line, sizeof(f.line), "%s", line);
}

static void lines_in(int64_t at_ms)
{
	struct store_batch *b = store_batch_new();

	for (unsigned i = 0; i < LINES; i++) {
		struct story_row s = { .kind = STORY_STRAY, .at_ms = at_ms };

		assert_non_null(store_batch_add(b, ST_STORY_ADD, &s, NULL, 0));
	}
	assert_int_equal(store_commit_wait(f.s, b), STORE_OK);
	store_batch_free(b);
}

/* Each with an old line of its own. */
static void cards_in(void)
{
	struct store_batch *b = store_batch_new();

	for (unsigned i = 0; i < CARDS; i++) {
		struct store_card_insert in = { 0 };
		struct story_row s = { .card = i + 1, .kind = STORY_STRAY, .at_ms = T0 - DAYS * DAY_MS - 1 };

		snprintf(in.card.iccid, sizeof(in.card.iccid), "8988211%012u", i);
		snprintf(in.card.imsi, sizeof(in.card.imsi), "00101%010u", i);
		assert_non_null(store_batch_add(b, ST_CARD_INSERT, &in, NULL, 0));
		assert_non_null(store_batch_add(b, ST_STORY_ADD, &s, NULL, 0));
	}
	assert_int_equal(store_commit_wait(f.s, b), STORE_OK);
	store_batch_free(b);
}

static unsigned lines(void)
{
	static struct store_story out[2 * LINES];
	struct store_query q = { .kind = Q_CARD_STORY, .out = out, .limit = 2 * LINES };

	assert_int_equal(store_query_wait(f.s, &q), STORE_OK);
	return q.n;
}

static int setup(void **state)
{
	const struct store_mem_hooks hooks = { .delay = delay, .fault = fault, .now_ms = now };

	memset(&f, 0, sizeof(f));
	f.now_ms = T0;
	f.disk = store_mem_disk_new();
	f.s = store_mem_open(f.disk, &hooks);
	lines_in(T0 - DAYS * DAY_MS - 1);
	lines_in(T0 - DAYS * DAY_MS + DAY_MS / 2);
	cards_in();
	f.commits = 0;
	f.r = retain_new(f.s, DAYS, log_line, NULL);
	return 0;
}

static int teardown(void **state)
{
	f.s->ops->close(f.s);
	retain_free(f.r);
	store_mem_disk_free(f.disk);
	return 0;
}

/* One round of the loop: what it waits for next comes. */
static void turn(void)
{
	int64_t due = retain_run(f.r, f.now_ms), store_due = store_mem_due(f.s);

	assert_true(due > f.now_ms);
	if (store_due < due)
		due = store_due;
	assert_true(due < INT64_MAX);
	if (due > f.now_ms)
		f.now_ms = due;
	f.s->ops->poll(f.s);
}

/* Until the next day's sweep is waited for; how many commits it took. */
static unsigned sweep(int64_t *took_ms)
{
	unsigned n = 0, from = f.commits;
	int64_t began = 0, due;

	while (f.commits == from)
		turn();
	began = f.now_ms;
	for (; n < STEPS_MAX; n++) {
		due = retain_run(f.r, f.now_ms);
		if (due != INT64_MAX && due > f.now_ms + DAY_MS / 2)
			break;
		turn();
	}
	assert_true(n < STEPS_MAX);
	*took_ms = f.now_ms - began;
	return f.commits - from;
}

static void test_every_day(void **state)
{
	int64_t took_ms;
	unsigned n = sweep(&took_ms);

	assert_true(f.now_ms > T0 && f.now_ms < T0 + DAY_MS / 100); /* soon after the start, not at once */
	assert_int_equal(lines(), LINES);
	assert_true(n > 4); /* in steps */
	assert_non_null(strstr(f.line, "1250 lines"));
	assert_non_null(strstr(f.line, "400 days"));
	*f.line = 0;
	sweep(&took_ms); /* half a day later the others would be old enough, but the next one comes after a whole day */
	assert_true(f.now_ms > T0 + DAY_MS);
	assert_int_equal(lines(), 0);
	*f.line = 0;
	sweep(&took_ms);
	assert_string_equal(f.line, ""); /* nothing to tell */
}

/* A store that takes long to answer is asked the less often. */
static void test_gives_way(void **state)
{
	int64_t fast_ms, slow_ms;
	unsigned n = sweep(&fast_ms);

	lines_in(T0 - DAYS * DAY_MS - 1);
	f.slow_ms = 1000;
	assert_in_range(sweep(&slow_ms), n, 3 * n);
	assert_true(slow_ms > n * 20 * f.slow_ms);
	assert_true(fast_ms < slow_ms / 100);
}

/* One step at a time; one that failed is done again, a minute later. */
static void test_failing(void **state)
{
	int64_t took_ms;

	f.rc = STORE_E_FULL;
	for (unsigned i = 0; i < 20; i++)
		turn();
	assert_in_range(f.commits, 5, 20);
	assert_true(f.now_ms - T0 > (f.commits - 1) * 60000);
	assert_int_equal(lines(), 2 * LINES);
	f.rc = STORE_OK;
	sweep(&took_ms);
	assert_int_equal(lines(), LINES);
	f.slow_ms = 5000;
	f.commits = 0;
	while (retain_run(f.r, f.now_ms) != INT64_MAX)
		f.now_ms += DAY_MS;
	for (unsigned i = 0; i < 20; i++)
		assert_true(retain_run(f.r, f.now_ms + i) == INT64_MAX); /* until it is answered */
	f.now_ms += f.slow_ms;
	f.s->ops->poll(f.s);
	assert_int_equal(f.commits, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = { T(test_every_day), T(test_gives_way), T(test_failing) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
