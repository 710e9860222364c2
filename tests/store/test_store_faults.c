/* test_store_faults.c - the store that operators run, on disks that fail: every call of every kind, once and for long.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Method: a life of the store (open, cards in, batches, reads, checkpoint, close) in which the Nth call of a kind fails.  N runs
 * up from 1 until a life passes without a fault.  After each failure a batch is there as a whole or not at all, batch_no
 * says which, the same batch goes in when it is submitted again, and the memory store, which was told of the same failures,
 * holds the same.  Then the power is cut at any moment, and what was reported must be there.
 */
#include <errno.h>
#include <pthread.h>

#define CARDS 6
#include "fault_vfs.h"
#include "sqlite_fix.h"
#include "sqlite_int.h"

#define BATCHES	   3
#define LIFE_PAGES 20 /* of the log, so that a life has its checkpoint */
#define NTH_MAX	   2000

/* ---- the memory store beside it ---- */

static struct {
	struct store_mem_disk *disk;
	struct store *s;
	int rc; /* what its commits answer */
} mem;

static int mem_fault(void *ctx, struct store_batch *b)
{
	return mem.rc;
}

static void mem_open(void)
{
	const struct store_mem_hooks hooks = { .fault = mem_fault };

	mem.disk = store_mem_disk_new();
	mem.s = store_mem_open(mem.disk, &hooks);
	mem.rc = 0;
}

static void mem_close(void)
{
	mem.s->ops->close(mem.s);
	store_mem_disk_free(mem.disk);
}

static void check_same(struct store *s)
{
	static struct card_bundle out[2];
	struct store_totals t[2];

	for (int i = 0; i < 2; i++) {
		struct store_query q = { .kind = Q_TOTALS, .out = &t[i], .limit = 1 };

		assert_int_equal(store_query_wait(i ? mem.s : s, &q), STORE_OK);
	}
	assert_memory_equal(&t[0], &t[1], sizeof(t[0]));
	for (uint64_t card = 1; card <= CARDS; card++) {
		for (int i = 0; i < 2; i++) {
			struct store_fetch f = { .by = FETCH_BY_ID, .card = card, .out = &out[i], .cap = 1 };

			memset(&out[i], 0, sizeof(out[i]));
			assert_int_equal(store_fetch_wait(i ? mem.s : s, &f), STORE_OK);
		}
		assert_memory_equal(&out[0], &out[1], sizeof(out[0]));
	}
}

/* ---- a life ---- */

static const struct kind {
	const char *name;
	struct fv_fault fault;
	int want;	  /* STORE_E_* of a commit */
	const char *word; /* stands in the sentence that comes with it */
	unsigned at_least, stride;
} kinds[] = {
	{ "disk full",
	  { FV_WRITE | FV_TRUNCATE, .error = SQLITE_FULL, .sys_errno = ENOSPC },
	  STORE_E_FULL,
	  "free space",
	  5,
	  7 },
	{ "disk full, half written",
	  { FV_WRITE, .error = SQLITE_FULL, .sys_errno = ENOSPC, .half = true },
	  STORE_E_FULL,
	  "free space",
	  30 },
	{ "quota",
	  { FV_WRITE, .error = SQLITE_IOERR_WRITE, .sys_errno = EDQUOT, .half = true },
	  STORE_E_FULL,
	  "quota",
	  5,
	  7 },
	{ "size limit",
	  { FV_WRITE, .error = SQLITE_IOERR_WRITE, .sys_errno = EFBIG, .half = true },
	  STORE_E_FULL,
	  "size limit",
	  5,
	  7 },
	{ "log's index on a full disk",
	  { FV_SHM_MAP, .error = SQLITE_IOERR_SHMSIZE, .sys_errno = ENOSPC },
	  STORE_E_FULL,
	  "free space",
	  1 },
	{ "write error", { FV_WRITE, .error = SQLITE_IOERR_WRITE, .sys_errno = EIO }, STORE_E_IO, "writing", 30 },
	{ "sync error", { FV_SYNC, .error = SQLITE_IOERR_FSYNC, .sys_errno = EIO }, STORE_E_IO, "flushing", 6 },
	{ "read error", { FV_READ, .error = SQLITE_IOERR_READ, .sys_errno = EIO }, STORE_E_IO, "reading", 10 },
	{ "truncate error",
	  { FV_TRUNCATE, .error = SQLITE_IOERR_TRUNCATE, .sys_errno = EIO },
	  STORE_E_IO,
	  "cutting",
	  0 },
	{ "size error", { FV_SIZE, .error = SQLITE_IOERR_FSTAT, .sys_errno = EIO }, STORE_E_IO, "reading", 3 },
	{ "delete error", { FV_DELETE, .error = SQLITE_IOERR_DELETE, .sys_errno = EIO }, STORE_E_IO, "deleting", 1 },
	{ "access error", { FV_ACCESS, .error = SQLITE_IOERR_ACCESS, .sys_errno = EIO }, STORE_E_IO, "I/O error", 1 },
	{ "read-only",
	  { FV_WRITE | FV_TRUNCATE, .error = SQLITE_READONLY, .sys_errno = EROFS },
	  STORE_E_IO,
	  "read-only",
	  5,
	  5 },
	{ "mounted read-only",
	  { FV_WRITE | FV_TRUNCATE, .error = SQLITE_IOERR_WRITE, .sys_errno = EROFS },
	  STORE_E_IO,
	  "read-only",
	  5,
	  7 },
	{ "no file descriptor", { FV_OPEN, .error = SQLITE_CANTOPEN, .sys_errno = EMFILE }, STORE_E_IO, "opening", 2 },
	{ "locked", { FV_LOCK, .error = SQLITE_BUSY }, STORE_E_BUSY, "locked by another", 2 },
	{ "log locked", { FV_SHM_LOCK, .error = SQLITE_BUSY }, STORE_E_BUSY, "", 5 },
	{ "no memory", { FV_WRITE, .error = SQLITE_NOMEM }, STORE_E_BUSY, "out of memory", 5, 7 },
	{ "torn page", { FV_READ, .error = SQLITE_IOERR_DATA }, STORE_E_CORRUPT, "--restored", 10 },
};

static struct {
	const struct kind *k;
	unsigned nth;
	bool lasting;
} now;

static void check_why(int rc, const char *why)
{
	if (rc != now.k->want)
		fail_msg("%s, call %u%s: answered %d (%s) %s", now.k->name, now.nth, now.lasting ? " and on" : "", rc,
			 store_strerror(rc), why);
	if (!strstr(why, now.k->word) || !strstr(why, dir))
		fail_msg("%s, call %u: \"%s\" should name %s and say \"%s\"", now.k->name, now.nth, why, dir,
			 now.k->word);
}

/* Both stores; when the real one fails the other is told to fail, too.  Returns after the same batch has gone in. */
static void commit_both(struct store *s, struct store_batch *b, struct store_batch *twin)
{
	int rc = store_commit_wait(s, b);

	mem.rc = rc;
	assert_int_equal(store_commit_wait(mem.s, twin), rc);
	mem.rc = 0;
	if (rc) {
		check_why(rc, b->why);
		fv_disarm();
		check_same(s); /* as if nothing had been */
		assert_int_equal(store_commit_wait(s, b), STORE_OK);
		assert_int_equal(store_commit_wait(mem.s, twin), STORE_OK);
	}
	assert_string_equal(b->why, "");
	for (size_t i = 0; i < b->n; i++)
		assert_int_equal(b->ops[i].rc, twin->ops[i].rc);
}

static void read_one(struct store *s)
{
	static struct card_bundle out;
	struct store_fetch f = { .by = FETCH_BY_ID, .card = CARDS, .out = &out, .cap = 1 };
	struct store_query q = { .kind = Q_CARD, .id = CARDS, .out = &out, .limit = 1 };
	int rc = store_fetch_wait(s, &f);

	if (rc)
		check_why(rc, f.why);
	else
		assert_int_equal(f.n, 1);
	rc = store_query_wait(s, &q);
	if (rc)
		check_why(rc, q.why);
	else
		assert_int_equal(q.n, 1);
}

static void import_both(struct store *s, struct store_batch *b, struct store_batch *twin)
{
	store_batch_reset(b);
	store_batch_reset(twin);
	b->batch_no = twin->batch_no = 0;
	for (unsigned n = 0; n < CARDS; n++) {
		struct store_card_insert in = card_make(n, 1);

		assert_non_null(store_batch_add(b, ST_CARD_INSERT, &in, NULL, 0));
		assert_non_null(store_batch_add(twin, ST_CARD_INSERT, &in, NULL, 0));
	}
	commit_both(s, b, twin);
}

static void live(struct store_batch *b, struct store_batch *twin)
{
	struct store *s = open_dir();

	if (!s) {
		if (!strstr(err, db_path))
			fail_msg("%s, call %u: \"%s\" does not name %s", now.k->name, now.nth, err, db_path);
		fv_disarm();
		s = must_open();
	}
	import_both(s, b, twin);
	for (uint64_t no = 1; no <= BATCHES; no++) {
		batch_fill(b, no);
		batch_fill(twin, no);
		commit_both(s, b, twin);
		read_one(s);
		assert_int_equal(store_commit_wait(s, b), STORE_OK); /* has been carried out: not again */
	}
	s->ops->close(s);
}

static int first_column(void *out, int n, char **text, char **names)
{
	snprintf(out, 64, "%s", text[0] ? text[0] : "");
	return 0;
}

static void integrity(void)
{
	char said[64] = "";
	sqlite3 *db;

	assert_int_equal(sqlite3_open(db_path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA integrity_check", first_column, said, NULL), SQLITE_OK);
	assert_string_equal(said, "ok");
	sqlite3_close(db);
}

/* How many calls failed. */
static unsigned life(struct store_batch *b, struct store_batch *twin)
{
	struct fv_fault f = now.k->fault;
	struct store *s;
	unsigned faults;
	void *none = NULL;

	assert_int_equal(setup(&none), 0);
	mem_open();
	f.nth = now.nth;
	f.lasting = now.lasting;
	fv_arm(&f);
	live(b, twin);
	fv_disarm();
	faults = fv_faults();
	integrity();
	s = must_open();
	check_same(s);
	check_holds(s, BATCHES);
	s->ops->close(s);
	mem_close();
	assert_int_equal(teardown(&none), 0);
	return faults;
}

static void test_every_call(void **state)
{
	struct store_batch *b = store_batch_new(), *twin = store_batch_new();

	wal_pages_max = LIFE_PAGES;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		unsigned lives = 0;

		now.k = &kinds[i];
		for (int lasting = 0; lasting < 2; lasting++) {
			now.lasting = lasting;
			for (now.nth = 1; now.nth < NTH_MAX && life(b, twin);
			     now.nth += kinds[i].stride + !kinds[i].stride)
				lives++;
			assert_true(now.nth < NTH_MAX);
		}
		if (lives < 2 * kinds[i].at_least)
			fail_msg("%s: only %u calls to fail: is the shim in place?", kinds[i].name, lives);
		print_message("%s: %u lives\n", kinds[i].name, lives);
	}
	store_batch_free(b);
	store_batch_free(twin);
}

/* ---- power ---- */

#define POWER_SEEDS 40
#define POWER_LIVES 8

/* Batches here leave their commands open, which a gateway never does: that is not the disk's fault. */
static void check_said(void *ctx, const char *line)
{
	if (strstr(line, "two open commands") || strstr(line, " findings: "))
		return;
	if (!strstr(line, "all good") || strstr(line, "without a checksum"))
		snprintf(err, sizeof(err), "%s", line);
}

/* A page torn by the cut is none that anybody reads: the log has it whole. */
static void must_be_good(void)
{
	*err = 0;
	if (store_sqlite_check(dir, check_said, NULL) < 0 || *err)
		fail_msg("%s", err);
}

/* Lives that end by a power cut at any write, sync or cut of a file: what was reported is there, what is there is whole. */
static void power_life(uint64_t *dice, uint64_t *held, struct store_batch *b)
{
	struct store *s;
	uint64_t no = *held;
	bool sync_fails;

	*dice = *dice * 6364136223846793005ULL + 1442695040888963407ULL;
	sync_fails = (*dice >> 60) % 4 == 0;
	if (sync_fails)
		fv_arm(&(struct fv_fault){ FV_SYNC, .nth = (unsigned)(*dice >> 40) % 6 + 1, .error = SQLITE_IOERR_FSYNC,
					   .sys_errno = EIO });
	fv_power_watch();
	fv_power_cut_at((unsigned)(*dice >> 33) % 120 + 1);
	s = open_dir();
	while (s && !fv_power_is_off() && no < *held + 40) {
		batch_fill(b, no + 1);
		if (store_commit_wait(s, b) == STORE_OK)
			no++;
	}
	fv_power_cut();
	if (s)
		s->ops->close(s);
	fv_disarm();
	fv_power_back(*dice);

	must_be_good();
	s = must_open();
	*held = max_batch(s);
	if (*held < no || *held > no + 1)
		fail_msg("batch %u had been reported, the store holds %u", (unsigned)no, (unsigned)*held);
	check_holds(s, *held);
	/* the one that was under way goes in now, or is there */
	batch_fill(b, no + 1);
	assert_int_equal(store_commit_wait(s, b), STORE_OK);
	check_holds(s, no + 1);
	*held = no + 1;
	s->ops->close(s);
	must_be_good();
}

static void test_power(void **state)
{
	struct store_batch *b = store_batch_new();

	wal_pages_max = LIFE_PAGES;
	for (uint64_t seed = 1; seed <= POWER_SEEDS; seed++) {
		uint64_t dice = seed, held = 0;
		struct store *s;
		void *none = NULL;

		assert_int_equal(setup(&none), 0);
		s = must_open();
		cards_in(s);
		s->ops->close(s);
		for (unsigned i = 0; i < POWER_LIVES; i++)
			power_life(&dice, &held, b);
		assert_int_equal(teardown(&none), 0);
	}
	store_batch_free(b);
}

/* The power fails while the database is made. */
static void test_power_at_birth(void **state)
{
	bool off = true;

	for (unsigned nth = 1; nth < NTH_MAX && off; nth++) {
		struct store *s;
		void *none = NULL;

		assert_int_equal(setup(&none), 0);
		fv_power_watch();
		fv_power_cut_at(nth);
		s = open_dir();
		off = fv_power_is_off();
		assert_true(s || strstr(err, db_path));
		fv_power_cut();
		if (s)
			s->ops->close(s);
		fv_power_back(nth);
		s = must_open();
		cards_in(s);
		check_holds(s, 0);
		s->ops->close(s);
		must_be_good(); /* and each page has its checksum */
		assert_int_equal(teardown(&none), 0);
	}
	assert_false(off);
}

/* ---- a disk that takes its time ---- */

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool held, waiting;
} slow = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false };

static void slow_sync(void *ctx, const char *path)
{
	pthread_mutex_lock(&slow.mutex);
	slow.waiting = slow.held;
	pthread_cond_broadcast(&slow.cond);
	while (slow.held)
		pthread_cond_wait(&slow.cond, &slow.mutex);
	slow.waiting = false;
	pthread_mutex_unlock(&slow.mutex);
}

static void slow_hold(bool held)
{
	pthread_mutex_lock(&slow.mutex);
	slow.held = held;
	pthread_cond_broadcast(&slow.cond);
	pthread_mutex_unlock(&slow.mutex);
}

static void slow_await(void)
{
	pthread_mutex_lock(&slow.mutex);
	while (!slow.waiting)
		pthread_cond_wait(&slow.cond, &slow.mutex);
	pthread_mutex_unlock(&slow.mutex);
}

static int slow_rc;
static bool slow_done;

static void slow_committed(struct store_batch *b, int rc)
{
	slow_done = true;
	slow_rc = rc;
}

/* While a flush takes as long as it likes: nothing is reported, and questions are answered from what is durable. */
static void test_slow_sync(void **state)
{
	struct store_batch *b = store_batch_new();
	struct store *s = must_open();

	cards_in(s);
	fv_on_sync(slow_sync, NULL);
	slow_hold(true);
	batch_fill(b, 1);
	b->done = slow_committed;
	s->ops->commit(s, b);
	slow_await();
	for (int i = 0; i < 100; i++) {
		assert_int_equal(max_batch(s), 0);
		assert_false(slow_done);
	}
	slow_hold(false);
	while (!slow_done) {
		s->ops->wait(s);
		s->ops->poll(s);
	}
	assert_int_equal(slow_rc, STORE_OK);
	fv_on_sync(NULL, NULL);
	check_holds(s, 1);
	s->ops->close(s);
	store_batch_free(b);
}

/* ---- taken away under the running gateway ---- */

static void test_moved(void **state)
{
	struct store_batch *b = store_batch_new();
	struct store *s = must_open();
	char aside[128];

	cards_in(s);
	batch_fill(b, 1);
	assert_int_equal(store_commit_wait(s, b), STORE_OK);
	snprintf(aside, sizeof(aside), "%s/aside", dir);
	assert_int_equal(rename(db_path, aside), 0);
	batch_fill(b, 2);
	assert_int_equal(store_commit_wait(s, b), STORE_E_IO);
	assert_non_null(strstr(b->why, "moved, deleted or replaced"));
	assert_non_null(strstr(b->why, db_path));
	assert_int_equal(rename(aside, db_path), 0);
	assert_int_equal(store_commit_wait(s, b), STORE_OK);
	check_holds(s, 2);
	s->ops->close(s);
	store_batch_free(b);
}

/* ---- the schema ---- */

/* Making the schema fails at every point: a sentence, and the next start finds nothing or all of it. */
static void test_schema_failing(void **state)
{
	struct store *s = NULL;
	unsigned n;

	for (n = 1; n < NTH_MAX && !s; n++) {
		fv_arm(&(struct fv_fault){ FV_WRITE | FV_SYNC, .nth = n, .lasting = true, .error = SQLITE_FULL });
		s = open_dir();
		fv_disarm();
		if (!s) {
			assert_non_null(strstr(err, db_path));
			assert_non_null(strstr(err, "free space"));
			s = must_open();
			cards_in(s);
			check_holds(s, 0);
			s->ops->close(s);
			s = NULL;
			assert_int_equal(unlink(db_path), 0);
		}
	}
	assert_non_null(s);
	assert_true(n > 3);
	s->ops->close(s);
}

static int disk_in(void **state)
{
	fv_install();
	wal_pages_max = 0;
	return setup(state);
}

static int disk_out(void **state)
{
	fv_remove();
	return teardown(state);
}

static int shim_in(void **state)
{
	fv_install();
	return 0;
}

static int shim_out(void **state)
{
	fv_remove();
	return 0;
}

int main(void)
{
#define D(name) cmocka_unit_test_setup_teardown(name, disk_in, disk_out)
#define S(name) cmocka_unit_test_setup_teardown(name, shim_in, shim_out)
	const struct CMUnitTest tests[] = { S(test_every_call), S(test_power), S(test_power_at_birth),
					    D(test_slow_sync),	D(test_moved), D(test_schema_failing) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
