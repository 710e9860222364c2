/* test_mark.c - a database that was put back is noticed; one that was not is left alone.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "mark.h"

struct fix {
	char dir[64], path[96];
	struct store_mem_disk *disk;
	struct store *store;
	int64_t now_ms;
	struct env env;
	struct mark m;
	char said[512], err[512];
};

static int64_t fix_now(void *ctx)
{
	return ((struct fix *)ctx)->now_ms;
}

static int fix_random(void *ctx, uint8_t *buf, size_t len)
{
	static uint8_t next = 1;

	(void)ctx;
	memset(buf, next++, len);
	return 0;
}

static int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	memcpy(f->dir, "/tmp/test_mark.XXXXXX", sizeof("/tmp/test_mark.XXXXXX"));
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/mark", f->dir);
	f->disk = store_mem_disk_new();
	f->store = store_mem_open(f->disk, NULL);
	f->now_ms = 1700000000000LL;
	f->env = (struct env){ fix_now, fix_random, f };
	f->m.fd = -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	mark_close(&f->m);
	f->store->ops->close(f->store);
	store_mem_disk_free(f->disk);
	unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static int start(struct fix *f, bool restored)
{
	mark_close(&f->m);
	return mark_open(&f->m, f->path, f->store, &f->env, restored, f->said, sizeof(f->said), f->err, sizeof(f->err));
}

/* The core's batches go through the store and the note. */
static void commit(struct fix *f, uint64_t batch_no)
{
	struct store_batch *b = store_batch_new();

	b->batch_no = batch_no;
	assert_int_equal(store_commit_wait(f->store, b), 0);
	store_batch_free(b);
	assert_int_equal(mark_note(&f->m, batch_no), 0);
}

static void test_usual_life(void **state)
{
	struct fix *f = *state;
	struct stat st;

	assert_int_equal(start(f, false), 0);
	assert_string_equal(f->said, "");
	assert_int_equal(f->m.epoch, 1700000000);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	f->now_ms += 5000;
	for (unsigned i = 1; i < 5; i++) {
		commit(f, i);
		assert_int_equal(start(f, false), 0);
		assert_string_equal(f->said, "");
		assert_int_equal(f->m.epoch, 1700000000);
	}
	/* killed between commit and note: the database is ahead, which says nothing */
	commit(f, 5);
	assert_int_equal(mark_note(&f->m, 4), 0);
	assert_int_equal(start(f, false), 0);
	assert_string_equal(f->said, "");
}

static void test_put_back(void **state)
{
	struct fix *f = *state;
	uint32_t epoch = 0;

	assert_int_equal(start(f, false), 0);
	commit(f, 7);
	for (unsigned i = 0; i < 3; i++) { /* the same backup again and again: never the same epoch */
		assert_int_equal(mark_note(&f->m, 9), 0);
		f->now_ms += i * 3000;
		assert_int_equal(start(f, false), 0);
		assert_non_null(strstr(f->said, "it is older than its mark"));
		/* by a clock that has hardly moved, too: far enough apart for the counters that it makes */
		assert_true(f->m.epoch >= epoch + MARK_EPOCH_STEP && f->m.epoch >= 1700000000 + MARK_EPOCH_STEP);
		epoch = f->m.epoch;
		assert_int_equal(start(f, false), 0);
		assert_string_equal(f->said, "");
		assert_int_equal(f->m.epoch, epoch);
	}
	/* the clock stands in the past: the note still makes it grow */
	f->now_ms = 5000;
	assert_int_equal(mark_note(&f->m, 9), 0);
	assert_int_equal(start(f, false), 0);
	assert_int_equal(f->m.epoch, epoch + MARK_EPOCH_STEP);
}

static void test_no_mark(void **state)
{
	struct fix *f = *state;

	assert_int_equal(start(f, false), 0);
	commit(f, 3);
	unlink(f->path);
	f->now_ms += 7200 * 1000;
	assert_int_equal(start(f, false), 0);
	assert_non_null(strstr(f->said, "there is no mark of it"));
	assert_int_equal(f->m.epoch, 1700007200);
	/* a snapshot of all of it cannot be seen from inside: the operator says so */
	f->now_ms += 1000;
	assert_int_equal(start(f, true), 0);
	assert_non_null(strstr(f->said, "--restored was given"));
	assert_int_equal(f->m.epoch, 1700007200 + MARK_EPOCH_STEP);
}

static void test_not_ours(void **state)
{
	struct fix *f = *state;
	FILE *file;

	assert_int_equal(start(f, false), 0);
	mark_close(&f->m);
	file = fopen(f->path, "w");
	fprintf(file, "otagw-mark 1 database %032d epoch 1700000000 batch 1\n", 7);
	fclose(file);
	assert_int_equal(start(f, false), -1);
	assert_non_null(strstr(f->err, "mark of another database"));
	assert_int_equal(start(f, true), 0);
	mark_close(&f->m);
	file = fopen(f->path, "w");
	fputs("root:x:0:0", file);
	fclose(file);
	assert_int_equal(start(f, false), -1);
	assert_non_null(strstr(f->err, "is not this gateway's mark"));
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(mkdir(f->path, 0700), 0);
	assert_int_equal(start(f, false), -1);
	assert_non_null(strstr(f->err, "'mark-file' must name"));
	assert_int_equal(rmdir(f->path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_usual_life, setup, teardown),
		cmocka_unit_test_setup_teardown(test_put_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_mark, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_ours, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
