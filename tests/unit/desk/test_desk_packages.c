/* test_desk_packages.c - packages between desks: once each, in order, whole or not at all, whatever fails on the way.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "desk_bed.h"
#include "engine.h"

#define DAY_MS (86400 * 1000LL)

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct bed));
	assert_non_null(*state);
	bed_make(*state);
	return 0;
}

static int teardown(void **state)
{
	bed_free(*state);
	return 0;
}

static void all_closed(struct bed *b, const char *order, unsigned n)
{
	assert_int_equal(bed_lines(b, BED_A, order, A_CLOSED), n);
	assert_int_equal(bed_lines(b, BED_B, order, B_CLOSED), n);
	assert_int_equal(bed_lines(b, BED_A, order, 0), n);
	assert_int_equal(bed_lines(b, BED_B, order, 0), n);
	assert_null(desk_order_by_name(b->p[BED_A].desk, order));
	assert_null(desk_order_by_name(b->p[BED_B].desk, order));
}

/* Nothing lies about: each package is where it belongs. */
static void nothing_left(struct bed *b)
{
	for (unsigned who = BED_A; who <= BED_B; who++) {
		assert_int_equal(bed_files(b, who, "in"), 0);
		assert_int_equal(bed_files(b, who, "held"), 0);
		assert_int_equal(bed_files(b, who, "refused"), 0);
	}
}

static void test_through(void **state)
{
	struct bed *b = *state;
	struct desk_stats s;

	b->acks_told = true;
	bed_order(b, "SO-1", 0, 100);
	bed_run(b, 60000);
	all_closed(b, "SO-1", 100);
	nothing_left(b);
	desk_stats(b->p[BED_B].desk, &s);
	assert_int_equal(s.packages_in, 4); /* SO, PL of 40, 40 and 20 */
	assert_null(s.alarm);
	assert_int_equal(bed_files(b, BED_A, "out"), 0);
	assert_int_equal(bed_files(b, BED_B, "out"), 0);
	assert_int_equal(b->applied, 100);
}

/* More than a page, and more than a part. */
static void test_long(void **state)
{
	struct bed *b = *state;

	bed_order(b, "SO-1", 0, 10100);
	bed_run(b, 60000);
	all_closed(b, "SO-1", 10100);
	nothing_left(b);
}

static bool lose_some(struct bed *b, const struct bed_party *from, unsigned to, uint64_t seq)
{
	b->dice = b->dice * 1664525 + 1013904223;
	return b->dice >> 30 != 0; /* three of four */
}

static void test_lost_and_doubled(void **state)
{
	struct bed *b = *state;

	b->lose = lose_some;
	b->twice = true;
	for (int i = 1; i <= 3; i++) {
		char name[32];

		snprintf(name, sizeof(name), "SO-%d", i);
		bed_order(b, name, (unsigned)i * 1000, 100);
	}
	bed_run(b, DAY_MS / 4);
	for (int i = 1; i <= 3; i++) {
		char name[32];

		snprintf(name, sizeof(name), "SO-%d", i);
		all_closed(b, name, 100);
	}
	nothing_left(b);
	assert_int_equal(b->applied, 300);
}

static bool hold_first(struct bed *b, const struct bed_party *from, unsigned to, uint64_t seq)
{
	return from->at == BED_A && to == BED_B && seq == 1 && b->now_ms < BED_NOW + 3600000;
}

/* What comes before its turn waits; nothing of it is taken until the gap closes. */
static void test_gap(void **state)
{
	struct bed *b = *state;
	struct desk_stats s;

	b->lose = hold_first;
	bed_order(b, "SO-1", 0, 100);
	bed_run(b, 1800000);
	assert_int_equal(bed_lines(b, BED_B, "SO-1", B_OPEN), 100);
	assert_int_equal(bed_files(b, BED_B, "held"), 2);
	desk_stats(b->p[BED_B].desk, &s);
	assert_non_null(strstr(s.awaited, "package 1 of operator-a has not come"));
	bed_down(b, BED_B);
	bed_up(b, BED_B);
	bed_run(b, 900000);
	desk_stats(b->p[BED_B].desk, &s);
	assert_non_null(strstr(s.awaited, "package 1 of operator-a has not come"));
	bed_run(b, 6300000);
	all_closed(b, "SO-1", 100);
	desk_stats(b->p[BED_B].desk, &s);
	assert_string_equal(s.awaited, "");
	nothing_left(b);
}

/* B hears of the order after A's PL. */
static void test_order_late(void **state)
{
	struct bed *b = *state;
	char path[200];

	snprintf(path, sizeof(path), "%s/late.otapkg", b->dir);
	bed_so(b, BED_A, 1, "SO-1", 0, 100, b->now_ms / 1000, 86400, path);
	bed_put(b, BED_A, path, "one");
	bed_run(b, 60000);
	assert_int_equal(bed_lines(b, BED_A, "SO-1", A_PLACED), 100);
	assert_int_equal(bed_files(b, BED_B, "held"), 3);
	/* another order of the same partner is not held up */
	b->p[BED_S].seq[BED_A] = 1;
	bed_order(b, "SO-2", 1000, 10);
	bed_run(b, 60000);
	all_closed(b, "SO-2", 10);
	bed_down(b, BED_B);
	bed_up(b, BED_B);
	bed_so(b, BED_B, 2, "SO-1", 0, 100, b->now_ms / 1000, 86400, path);
	bed_put(b, BED_B, path, "two");
	bed_run(b, 60000);
	all_closed(b, "SO-1", 100);
	nothing_left(b);
	unlink(path);
}

static void books_refused(struct bed *b, uint64_t seq, const char *rule)
{
	struct parcel p;
	uint16_t step;

	assert_true(bed_parcel(b, BED_B, BOOK_IN, "shop", seq, &p, &step));
	assert_int_equal(step, PARCEL_REFUSED);
	assert_string_equal(p.rule, rule);
	assert_true(p.why[0] != 0);
}

struct flaw {
	const char *name, *rule;
	bool books; /* takes its number */
};

static void test_refused(void **state)
{
	struct bed *b = *state;
	char path[200];
	struct desk_stats s;
	const int64_t now_s = b->now_ms / 1000;

	snprintf(path, sizeof(path), "%s/bad.otapkg", b->dir);
	/* expired */
	bed_so(b, BED_B, 1, "SO-1", 0, 3, now_s - 7200, 3600, path);
	bed_put(b, BED_B, path, "expired");
	bed_run(b, 1000);
	books_refused(b, 1, "expired");
	/* from the future */
	bed_so(b, BED_B, 2, "SO-1", 0, 3, now_s + 7200, 3600, path);
	bed_put(b, BED_B, path, "future");
	bed_run(b, 1000);
	books_refused(b, 2, "expired");
	/* for somebody else: no number of ours */
	bed_so(b, BED_A, 3, "SO-1", 0, 3, now_s, 3600, path);
	bed_put(b, BED_B, path, "not-ours");
	/* a name that campaigns cannot have */
	bed_so(b, BED_B, 3, "SO/1", 0, 3, now_s, 3600, path);
	bed_put(b, BED_B, path, "slash");
	bed_run(b, 1000);
	books_refused(b, 3, "order-name");
	/* no package at all */
	snprintf(path, sizeof(path), "%s/desk_bed", b->dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	bed_put(b, BED_B, path, "empty");
	unlink(path);
	bed_run(b, 1000);
	snprintf(path, sizeof(path), "%s/bad.otapkg", b->dir);
	/* a good one, and then a second one under its name, and another package under its number */
	bed_so(b, BED_B, 4, "SO-1", 0, 3, now_s, 3600, path);
	bed_put(b, BED_B, path, "good");
	bed_run(b, 1000);
	assert_int_equal(bed_lines(b, BED_B, "SO-1", B_OPEN), 3);
	bed_put(b, BED_B, path, "good-again");
	bed_so(b, BED_B, 4, "SO-2", 10, 3, now_s, 3600, path);
	bed_put(b, BED_B, path, "replay");
	bed_so(b, BED_B, 5, "SO-1", 10, 3, now_s, 3600, path);
	bed_put(b, BED_B, path, "same-name");
	bed_run(b, 1000);
	books_refused(b, 5, "order-known");
	assert_int_equal(bed_lines(b, BED_B, "SO-1", 0), 3);
	assert_int_equal(bed_lines(b, BED_B, "SO-2", 0), 0);
	desk_stats(b->p[BED_B].desk, &s);
	assert_int_equal(s.refused, 7);
	assert_int_equal(bed_files(b, BED_B, "refused"), 7);
	assert_int_equal(bed_files(b, BED_B, "in"), 0);
	unlink(path);
}

/* B's own checks: told to A with the rule, and nothing of the package has happened. */
static void test_record_refused(void **state)
{
	struct bed *b = *state;
	const struct order *o;
	struct parcel p;
	uint16_t step;

	b->refuse_line = 40;
	bed_order(b, "SO-1", 0, 40);
	bed_run(b, 60000);
	assert_int_equal(bed_lines(b, BED_B, "SO-1", B_OPEN), 40);
	assert_int_equal(bed_lines(b, BED_A, "SO-1", A_PLACED), 40);
	assert_true(bed_parcel(b, BED_A, BOOK_OUT, "operator-b", 1, &p, &step));
	assert_int_equal(step, PARCEL_REFUSED);
	assert_string_equal(p.rule, "toy");
	o = desk_order_by_name(b->p[BED_A].desk, "SO-1");
	assert_non_null(o);
	assert_non_null(strstr(o->alarm, "toy"));
	assert_int_equal(b->applied, 0);
}

/* One flipped bit anywhere: nothing happens, and the next copy goes through. */
static void test_damaged(void **state)
{
	struct bed *b = *state;
	char path[200], bad[200];
	struct stat st;
	unsigned char *all;
	int fd;

	snprintf(path, sizeof(path), "%s/x.otapkg", b->dir);
	snprintf(bad, sizeof(bad), "%s/y.otapkg", b->dir);
	bed_so(b, BED_B, 1, "SO-1", 0, 3, b->now_ms / 1000, 86400, path);
	assert_int_equal(stat(path, &st), 0);
	all = malloc((size_t)st.st_size);
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, all, (size_t)st.st_size), st.st_size);
	close(fd);
	for (long at = 0; at <= st.st_size; at += 97) {
		size_t len = at == st.st_size ? (size_t)at - 5 : (size_t)st.st_size;

		if (at < st.st_size)
			all[at] ^= 0x10;
		fd = open(bad, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		assert_int_equal(write(fd, all, len), (ssize_t)len);
		close(fd);
		if (at < st.st_size)
			all[at] ^= 0x10;
		bed_put(b, BED_B, bad, "damaged");
		bed_run(b, 1000);
		assert_int_equal(bed_lines(b, BED_B, "SO-1", 0), 0);
	}
	free(all);
	bed_put(b, BED_B, path, "whole");
	bed_run(b, 1000);
	assert_int_equal(bed_lines(b, BED_B, "SO-1", 0), 3);
	unlink(path);
	unlink(bad);
}

/* The power goes with every commit in turn, before it and behind it; each commit fails in turn. */
static void crashes(struct bed *b, unsigned who, unsigned mode)
{
	unsigned n = 0;

	for (unsigned nth = 1 + mode % 2; nth < 200; nth += 2) {
		char name[16];

		snprintf(name, sizeof(name), "SO-%u-%u-%u", who, mode, nth);
		b->p[who].commits = 0;
		b->p[who].fail_at = mode == 2 ? nth : 0;
		b->p[who].crash_at = mode == 2 ? 0 : nth;
		b->p[who].crash_keeps = mode == 1;
		bed_order(b, name, nth * 100, 45);
		bed_run(b, 3600000);
		all_closed(b, name, 45);
		n = b->p[who].commits;
		if (nth > n && b->p[who].crash_at)
			break;
		if (nth > n)
			break;
	}
	assert_true(n > 3);
	b->p[who].crash_at = b->p[who].fail_at = 0;
}

static void test_crash(void **state)
{
	struct bed *b = *state;

	for (unsigned who = BED_A; who <= BED_B; who++)
		for (unsigned mode = 0; mode < 3; mode++)
			crashes(b, who, mode);
	nothing_left(b);
	assert_true(b->p[BED_A].restarts > 6);
	assert_true(b->p[BED_B].restarts > 6);
}

/* B's database of before the second order is put back: what had come in since is taken again from the files, and no number of a package
 * that was sent is used twice. */
static void test_restored(void **state)
{
	struct bed *b = *state;
	struct store_mem_disk *backup;
	struct parcel p;
	uint16_t step;
	uint64_t last = 0;

	bed_order(b, "SO-1", 0, 100);
	bed_run(b, 60000);
	backup = store_mem_disk_copy(b->p[BED_B].disk);
	bed_order(b, "SO-2", 1000, 100);
	bed_run(b, 60000);
	all_closed(b, "SO-2", 100);
	while (bed_parcel(b, BED_B, BOOK_OUT, "operator-a", last + 1, &p, &step))
		last++;
	bed_down(b, BED_B);
	store_mem_disk_free(b->p[BED_B].disk);
	b->p[BED_B].disk = backup;
	bed_up(b, BED_B);
	assert_int_equal(bed_lines(b, BED_B, "SO-2", 0), 0);
	bed_run(b, 3600000);
	assert_int_equal(bed_lines(b, BED_B, "SO-2", B_CLOSED), 100);
	assert_int_equal(bed_files(b, BED_B, "held"), 0);
	/* what B tells anew has a number of its own: A has heard it before and says so */
	assert_true(last > 0);
	for (uint64_t seq = last + 1; bed_parcel(b, BED_A, BOOK_IN, "operator-b", seq, &p, &step); seq++) {
		if (strcmp(p.type, "CF"))
			continue;
		assert_string_equal(p.rule, "order-ended");
		last = UINT64_MAX;
	}
	assert_true(last == UINT64_MAX);
}

static bool none_to_a(struct bed *b, const struct bed_party *from, unsigned to, uint64_t seq)
{
	return to == BED_A && from->at == BED_B;
}

/* The same, and what was told since stands in dir/out alone, perhaps on its way: nothing else has its number. */
static void test_restored_out(void **state)
{
	struct bed *b = *state;
	struct store_mem_disk *backup;
	struct parcel was[8], p;
	uint16_t step;
	uint64_t first = 1;
	unsigned n = 0;

	bed_order(b, "SO-1", 0, 10);
	bed_run(b, 60000);
	while (bed_parcel(b, BED_B, BOOK_OUT, "operator-a", first, &p, &step))
		first++;
	backup = store_mem_disk_copy(b->p[BED_B].disk);
	b->lose = none_to_a;
	bed_order(b, "SO-2", 1000, 10);
	bed_run(b, 60000);
	while (n < 8 && bed_parcel(b, BED_B, BOOK_OUT, "operator-a", first + n, &was[n], &step))
		n++;
	assert_true(n > 0);
	bed_down(b, BED_B);
	store_mem_disk_free(b->p[BED_B].disk);
	b->p[BED_B].disk = backup;
	bed_up(b, BED_B);
	b->lose = NULL;
	bed_run(b, 3600000);
	for (unsigned i = 0; i < n; i++) {
		assert_true(bed_parcel(b, BED_A, BOOK_IN, "operator-b", first + i, &p, &step));
		assert_memory_equal(p.id, was[i].id, PKG_ID_LEN);
	}
	/* and what is told anew goes behind them */
	assert_false(bed_parcel(b, BED_B, BOOK_OUT, "operator-a", first, &p, &step));
}

/* A is not there for longer than a package is good for: that is told, and what waits is signed anew in time, under its number. */
static void test_away_for_long(void **state)
{
	struct bed *b = *state;
	struct desk_stats s;
	struct parcel was, p;
	uint16_t step;

	b->lose = none_to_a;
	bed_order(b, "SO-1", 0, 10);
	bed_run(b, 60000);
	assert_true(bed_parcel(b, BED_B, BOOK_OUT, "operator-a", 1, &was, &step));
	desk_stats(b->p[BED_B].desk, &s);
	assert_string_equal(s.overdue, "");
	b->now_ms += 4 * DAY_MS;
	bed_run(b, 60000);
	desk_stats(b->p[BED_B].desk, &s);
	assert_non_null(strstr(s.overdue, "operator-a"));
	assert_null(s.alarm);
	b->now_ms += 81 * DAY_MS;
	bed_run(b, 1800000); /* in time */
	b->now_ms += 50 * DAY_MS;
	bed_down(b, BED_B); /* and again, after a start */
	bed_up(b, BED_B);
	bed_run(b, 1800000);
	b->now_ms += 85 * DAY_MS; /* too late for once, and not for good */
	b->lose = NULL;
	bed_run(b, 3600000);
	assert_true(bed_parcel(b, BED_A, BOOK_IN, "operator-b", 1, &p, &step));
	assert_memory_equal(p.id, was.id, PKG_ID_LEN);
	if (step != PARCEL_APPLIED)
		fail_msg("%s: %s", p.rule, p.why);
	all_closed(b, "SO-1", 10);
	desk_stats(b->p[BED_B].desk, &s);
	assert_string_equal(s.overdue, "");
}

static unsigned offered; /* by A to B */

static bool none_to_b(struct bed *b, const struct bed_party *from, unsigned to, uint64_t seq)
{
	offered += to == BED_B && from->at == BED_A;
	return to == BED_B && from->at == BED_A;
}

/* All that waits for a partner comes due at once: each is read, and may be copied to be signed anew, so a turn takes a few of them. */
static void carried_in_turns(struct bed *b, unsigned n)
{
	unsigned all = 0;

	for (unsigned turns = 0; desk_next_due(b->p[BED_A].desk) <= b->now_ms; turns++) {
		assert_true(turns < n);
		offered = 0;
		desk_step(b->p[BED_A].desk, b->now_ms);
		assert_true(offered && offered <= DESK_CARRY_TURN);
		all += offered;
	}
	assert_int_equal(all, n);
}

static void test_many_due(void **state)
{
	const unsigned n = 3 * DESK_CARRY_TURN + 1; /* packages of 40 cards */
	struct bed *b = *state;

	b->lose = none_to_b;
	b->acks_told = true;
	bed_order(b, "SO-1", 0, 40 * n);
	bed_run(b, 60000);
	assert_int_equal(bed_files(b, BED_A, "out"), n);
	b->now_ms += DAY_MS;
	carried_in_turns(b, n);
	b->now_ms += 85 * DAY_MS; /* time to sign them anew */
	carried_in_turns(b, n);
	b->now_ms += 20 * DAY_MS; /* as signed at first they would be too old now */
	b->lose = NULL;
	bed_run(b, 3600000);
	all_closed(b, "SO-1", 40 * n);
	nothing_left(b);
}

/* A stop before the commit leaves a file that nobody has sent: its number is the next one's. */
static void test_came_to_nothing(void **state)
{
	struct bed *b = *state;
	char path[300];
	FILE *f;

	bed_order(b, "SO-1", 0, 10);
	bed_run(b, 60000);
	bed_down(b, BED_B);
	snprintf(path, sizeof(path), "%s/out/operator-a-%012u.otapkg.new", b->p[BED_B].dir, 900);
	f = fopen(path, "we");
	assert_non_null(f);
	fclose(f);
	bed_up(b, BED_B);
	bed_order(b, "SO-2", 1000, 10);
	bed_run(b, 60000);
	all_closed(b, "SO-2", 10);
	nothing_left(b);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_through),	 T(test_long),	   T(test_lost_and_doubled), T(test_gap),
		T(test_order_late),	 T(test_refused),  T(test_record_refused),   T(test_damaged),
		T(test_restored),	 T(test_crash),	   T(test_away_for_long),    T(test_restored_out),
		T(test_came_to_nothing), T(test_many_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
