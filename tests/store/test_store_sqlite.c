/* test_store_sqlite.c - what only a store on a disk can meet: other owners, other schemas, failing disks, SIGKILL.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Method for the failing disk: a VFS that is the system's own but for writes and syncs, of which it fails the Nth.  N
 * runs up from 1 until a run passes without a fault; after each, the same batch is submitted again and all must be as if
 * nothing had been.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sqlite_int.h"
#include "store_test.h"

#define CARDS 50

static char dir[64], db_path[96];
static char err[512];

static struct store *open_dir(void)
{
	struct store_sqlite_cfg cfg = { .dir = dir };

	err[0] = 0;
	return store_sqlite_open(&cfg, err, sizeof(err));
}

static struct store *must_open(void)
{
	struct store *s = open_dir();

	if (!s)
		fail_msg("%s", err);
	return s;
}

static void must_refuse(const char *word)
{
	struct store *s = open_dir();

	assert_null(s);
	if (!strstr(err, word) || !strstr(err, dir))
		fail_msg("message should name %s and say '%s': %s", dir, word, err);
}

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/otagw-store-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(db_path, sizeof(db_path), "%s/otagw.db", dir);
	return 0;
}

static int teardown(void **state)
{
	static const char *const files[] = { "otagw.db", "otagw.db-wal", "otagw.db-shm", "otagw.db-journal",
					     "otagw.lock" };
	char path[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	return rmdir(dir);
}

static void sql(const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(db_path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(db));
	sqlite3_close(db);
}

static void cards_in(struct store *s)
{
	struct store_batch *b = store_batch_new();

	for (unsigned n = 0; n < CARDS; n++) {
		struct store_card_insert in = card_make(n, 1);

		assert_non_null(store_batch_add(b, ST_CARD_INSERT, &in, NULL, 0));
	}
	assert_int_equal(store_commit_wait(s, b), STORE_OK);
	store_batch_free(b);
}

/* Batch `no`: every card's counter becomes 1000 + no, each gets a command and a packet. */
static void batch_fill(struct store_batch *b, uint64_t no)
{
	store_batch_reset(b);
	for (uint64_t card = 1; card <= CARDS; card++) {
		struct keyset_row k = { .card = card, .kvn = 1, .cntr = 1000 + no };
		struct cmd_row c = cmd_make(no * CARDS + card, card, CMD_PREPARED);

		assert_non_null(store_batch_add(b, ST_KEYSET_CNTR, &k, NULL, 0));
		assert_non_null(store_batch_add(b, ST_CMD_PUT, &c, NULL, 0));
		assert_non_null(store_batch_add(b, ST_WIRE_PUT, &c, &no, sizeof(no)));
	}
	b->batch_no = no;
}

static uint64_t max_batch(struct store *s)
{
	struct store_totals t;
	struct store_query q = { .kind = Q_TOTALS, .out = &t, .limit = 1 };

	assert_int_equal(store_query_wait(s, &q), STORE_OK);
	return t.max_batch;
}

/* The store holds batches 1..no, all of them and whole. */
static void check_holds(struct store *s, uint64_t no)
{
	static struct card_bundle out;

	assert_int_equal(max_batch(s), no);
	for (uint64_t card = 1; card <= CARDS; card++) {
		struct store_fetch f = { .by = FETCH_BY_ID, .card = card, .out = &out, .cap = 1 };

		assert_int_equal(store_fetch_wait(s, &f), STORE_OK);
		assert_int_equal(f.n, 1);
		assert_int_equal(out.keyset[0].cntr, no ? 1000 + no : 100);
		assert_int_equal(out.n_cmds, no < CARD_CMDS_MAX ? no : CARD_CMDS_MAX);
		if (no) {
			assert_int_equal(out.cmd[0].id, no * CARDS + card);
			assert_int_equal(out.packet_len, sizeof(no));
			assert_memory_equal(out.packet, &no, sizeof(no));
		}
	}
}

/* ---- whose directory, whose database ---- */

static void test_modes(void **state)
{
	struct store *s;
	struct stat sb;

	assert_int_equal(rmdir(dir), 0); /* the store makes it */
	s = must_open();
	assert_int_equal(stat(dir, &sb), 0);
	assert_int_equal(sb.st_mode & 07777, 0700);
	assert_int_equal(stat(db_path, &sb), 0);
	assert_int_equal(sb.st_mode & 07777, 0600);
	s->ops->close(s);
	assert_int_equal(chmod(db_path, 0644), 0);
	s = must_open();
	assert_int_equal(stat(db_path, &sb), 0);
	assert_int_equal(sb.st_mode & 07777, 0600);
	s->ops->close(s);
}

static void test_second_opener(void **state)
{
	struct store *s = must_open();
	char pid[32];

	must_refuse("in use by another gateway");
	snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
	assert_non_null(strstr(err, pid));
	cards_in(s); /* and the first has not been hurt by the try */
	check_holds(s, 0);
	s->ops->close(s);
	s = must_open();
	check_holds(s, 0);
	s->ops->close(s);
}

static void test_newer_schema(void **state)
{
	struct store *s = must_open();

	s->ops->close(s);
	sql("PRAGMA user_version=999");
	must_refuse("newer than this program knows");
	sql("PRAGMA user_version=0");
	must_refuse("makes no sense");
	sql("PRAGMA user_version=1; DROP TABLE txn");
	must_refuse("not the tables this program knows");
}

static void test_not_ours(void **state)
{
	char text[5000];
	int fd;

	sql("CREATE TABLE shopping(item)");
	must_refuse("not one of otagw's");
	assert_int_equal(unlink(db_path), 0);

	memset(text, 'x', sizeof(text));
	fd = open(db_path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
	close(fd);
	must_refuse("not a database");

	assert_int_equal(unlink(db_path), 0);
	assert_int_equal(symlink("/nowhere", db_path), 0);
	must_refuse("cannot open");
	assert_int_equal(unlink(db_path), 0);
	assert_int_equal(mkdir(db_path, 0700), 0);
	must_refuse("cannot open");
	assert_int_equal(rmdir(db_path), 0);
}

/* Values that we cannot have written, and pages that nobody has: an error, not a crash and not a guess. */
static void test_damaged(void **state)
{
	static const char *const bad[] = {
		"UPDATE card SET imsi='12345678901234567890' WHERE id=1",
		"UPDATE keyset SET kvn=300 WHERE card=1",
		"UPDATE keyset SET cntr=-1 WHERE card=1",
		"UPDATE keyset SET sealed=zeroblob(400) WHERE card=1",
		"UPDATE cmd SET state=77 WHERE card=1",
		"UPDATE cmd SET tar=x'00' WHERE card=1",
		"UPDATE cmd_wire SET packet=zeroblob(9999)",
	};
	static struct card_bundle out;
	struct store_fetch f = { .by = FETCH_BY_ID, .card = 1, .out = &out, .cap = 1 };
	struct store_batch *b = store_batch_new();
	struct store *s;
	uint8_t page[4096];
	struct stat sb;
	int fd;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		s = must_open();
		cards_in(s);
		batch_fill(b, 1);
		assert_int_equal(store_commit_wait(s, b), STORE_OK);
		s->ops->close(s);
		sql(bad[i]);
		s = must_open();
		assert_int_equal(store_fetch_wait(s, &f), STORE_E_CORRUPT);
		s->ops->close(s);
		assert_int_equal(unlink(db_path), 0);
	}
	s = must_open();
	cards_in(s);
	s->ops->close(s);
	memset(page, 0xa5, sizeof(page));
	fd = open(db_path, O_WRONLY);
	assert_int_equal(fstat(fd, &sb), 0);
	for (off_t at = sizeof(page); at < sb.st_size; at += sizeof(page))
		assert_int_equal(pwrite(fd, page, sizeof(page), at), sizeof(page));
	close(fd);
	s = open_dir();
	if (s) {
		assert_int_equal(store_fetch_wait(s, &f), STORE_E_CORRUPT);
		s->ops->close(s);
	} else {
		assert_non_null(strstr(err, db_path));
	}
	store_batch_free(b);
}

/* ---- plans ---- */

static void check_plan(sqlite3 *db, int id)
{
	static char text[SQL_TEXT_MAX], sql_text[SQL_TEXT_MAX + 32];
	bool sorts = id == S_PARTS || id == S_ADDR || id == S_COUNTS; /* a few rows each, or a summary */
	sqlite3_stmt *st;

	stmt_text(text, (enum stmt_id)id);
	snprintf(sql_text, sizeof(sql_text), "EXPLAIN QUERY PLAN %s", text);
	if (sqlite3_prepare_v2(db, sql_text, -1, &st, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(db));
	while (sqlite3_step(st) == SQLITE_ROW) {
		const char *plan = (const char *)sqlite3_column_text(st, 3);

		if ((!strncmp(plan, "SCAN", 4) && id != S_TOTALS && strcmp(plan, "SCAN CONSTANT ROW") != 0) ||
		    (strstr(plan, "TEMP B-TREE") && !sorts))
			fail_msg("%s: %s", text, plan);
	}
	sqlite3_finalize(st);
}

/* Every statement finds its rows by an index: with ten million cards a scan is an outage.  Totals count, once a start. */
static void test_plans(void **state)
{
	struct store *s = must_open();
	sqlite3 *db;

	s->ops->close(s);
	assert_int_equal(sqlite3_open(db_path, &db), SQLITE_OK);
	for (int id = S_BATCH_PUT; id < _STMTS; id++)
		check_plan(db, id);
	sqlite3_close(db);
}

/* ---- a disk that fails ---- */

static struct {
	sqlite3_vfs vfs;
	sqlite3_vfs *real;
	/* [1] the database itself, [0] its log and journal: the system's VFS has methods for each */
	const sqlite3_io_methods *real_io[2];
	sqlite3_io_methods io[2];
	atomic_int countdown; /* the call that fails, 0: none */
	atomic_int lasting;   /* and all after it */
	atomic_int error;
	pthread_mutex_t mutex;
} bad_disk = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static int disk_fails(int of_sync)
{
	int n = atomic_load(&bad_disk.countdown);

	if (!n)
		return SQLITE_OK;
	if (n > 1) {
		atomic_store(&bad_disk.countdown, n - 1);
		return SQLITE_OK;
	}
	if (!atomic_load(&bad_disk.lasting))
		atomic_store(&bad_disk.countdown, 0);
	return atomic_load(&bad_disk.error) == SQLITE_FULL ? SQLITE_FULL : of_sync;
}

static const sqlite3_io_methods *real_of(const sqlite3_file *f)
{
	return bad_disk.real_io[f->pMethods == &bad_disk.io[1]];
}

static int bad_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	int rc = disk_fails(SQLITE_IOERR_WRITE);

	return rc ? rc : real_of(f)->xWrite(f, p, n, at);
}

static int bad_sync(sqlite3_file *f, int flags)
{
	int rc = disk_fails(SQLITE_IOERR_FSYNC);

	return rc ? rc : real_of(f)->xSync(f, flags);
}

static int bad_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	int rc = bad_disk.real->xOpen(bad_disk.real, name, f, flags, out);

	if (rc == SQLITE_OK && f->pMethods) {
		int is_db = !!(flags & SQLITE_OPEN_MAIN_DB);

		pthread_mutex_lock(&bad_disk.mutex);
		if (!bad_disk.real_io[is_db]) {
			bad_disk.real_io[is_db] = f->pMethods;
			bad_disk.io[is_db] = *f->pMethods;
			bad_disk.io[is_db].xWrite = bad_write;
			bad_disk.io[is_db].xSync = bad_sync;
		}
		pthread_mutex_unlock(&bad_disk.mutex);
		f->pMethods = &bad_disk.io[is_db];
	}
	return rc;
}

static int bad_disk_in(void **state)
{
	bad_disk.real = sqlite3_vfs_find(NULL);
	bad_disk.vfs = *bad_disk.real;
	bad_disk.vfs.zName = "bad-disk";
	bad_disk.vfs.xOpen = bad_open;
	return sqlite3_vfs_register(&bad_disk.vfs, 1) == SQLITE_OK ? setup(state) : -1;
}

static int bad_disk_out(void **state)
{
	sqlite3_vfs_unregister(&bad_disk.vfs);
	sqlite3_vfs_register(bad_disk.real, 1);
	return teardown(state);
}

static void fail_nth(int n, int error, bool lasting)
{
	atomic_store(&bad_disk.error, error);
	atomic_store(&bad_disk.lasting, lasting);
	atomic_store(&bad_disk.countdown, n);
}

static void run_failing(int error, int want, bool lasting)
{
	struct store_batch *b = store_batch_new();
	struct store *s = must_open();
	uint64_t no = 1;
	int n, faults = 0;

	cards_in(s);
	for (n = 1; n < 1000; n++, no++) {
		int rc;

		batch_fill(b, no);
		fail_nth(n, error, lasting);
		rc = store_commit_wait(s, b);
		if (rc == STORE_OK) {
			bool untouched = atomic_load(&bad_disk.countdown) > (lasting ? 1 : 0);

			fail_nth(0, 0, false);
			check_holds(s, no);
			if (untouched)
				break;
			continue;
		}
		faults++;
		assert_int_equal(rc, want);
		if (lasting) /* as long as it lasts */
			assert_int_equal(store_commit_wait(s, b), want);
		assert_int_equal(max_batch(s), no - 1);
		fail_nth(0, 0, false);
		check_holds(s, no - 1);
		assert_int_equal(store_commit_wait(s, b), STORE_OK);
		check_holds(s, no);
	}
	assert_true(faults > 3 && n < 1000);
	/* closing copies the log into the database: if that fails nothing is lost either */
	fail_nth(3, error, true);
	s->ops->close(s);
	fail_nth(0, 0, false);
	s = must_open();
	check_holds(s, no);
	s->ops->close(s);
	store_batch_free(b);
}

static void test_disk_full(void **state)
{
	run_failing(SQLITE_FULL, STORE_E_FULL, false);
}

static void test_disk_full_lasting(void **state)
{
	run_failing(SQLITE_FULL, STORE_E_FULL, true);
}

static void test_disk_broken(void **state)
{
	run_failing(SQLITE_IOERR, STORE_E_IO, false);
}

/* Making the schema fails at every point: a sentence, and the next start finds nothing or all of it. */
static void test_schema_failing(void **state)
{
	struct store *s = NULL;
	int n;

	for (n = 1; n < 1000 && !s; n++) {
		fail_nth(n, SQLITE_FULL, true);
		s = open_dir();
		fail_nth(0, 0, false);
		if (!s) {
			assert_non_null(strstr(err, db_path));
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

/* ---- SIGKILL ---- */

#define UNDER_WAY 4

static int told; /* the child's end of the pipe */

static void tell(struct store_batch *b, int rc)
{
	if (rc || write(told, &b->batch_no, sizeof(b->batch_no)) != sizeof(b->batch_no))
		_exit(3);
	*(bool *)b->ctx = true;
}

static _Noreturn void child_run(void)
{
	struct store *s = open_dir();
	struct store_batch *b[UNDER_WAY];
	bool idle[UNDER_WAY];
	uint64_t no;

	if (!s)
		_exit(2);
	no = max_batch(s);
	for (unsigned i = 0; i < UNDER_WAY; i++) {
		b[i] = store_batch_new();
		b[i]->done = tell;
		b[i]->ctx = &idle[i];
		idle[i] = true;
	}
	for (;;) {
		for (unsigned i = 0; i < UNDER_WAY; i++) {
			if (!idle[i])
				continue;
			idle[i] = false;
			batch_fill(b[i], ++no);
			s->ops->commit(s, b[i]);
		}
		s->ops->wait(s);
		s->ops->poll(s);
	}
}

/* What was reported is there, what is there is whole, and batch_no says how far it goes. */
static void test_kill(void **state)
{
	struct store *s = must_open();
	uint64_t no, reported = 0;

	cards_in(s);
	s->ops->close(s);
	for (unsigned round = 0; round < 10; round++) {
		uint64_t until = reported + 3 + round * 2;
		int fd[2], status;
		pid_t pid;

		assert_int_equal(pipe(fd), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (!pid) {
			close(fd[0]);
			told = fd[1];
			child_run();
		}
		close(fd[1]);
		while (reported < until && read(fd[0], &no, sizeof(no)) == sizeof(no)) {
			assert_true(no > reported);
			reported = no;
		}
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		while (read(fd[0], &no, sizeof(no)) == sizeof(no))
			reported = no;
		close(fd[0]);

		s = must_open();
		no = max_batch(s);
		assert_true(no >= reported && no <= reported + UNDER_WAY);
		check_holds(s, no);
		s->ops->close(s);
		reported = no;
	}
}

/* ---- queues ---- */

static unsigned answered, busy;

static void count_batch(struct store_batch *b, int rc)
{
	answered++;
	busy += rc == STORE_E_BUSY;
	assert_true(rc == STORE_OK || rc == STORE_E_BUSY);
}

/* More requests than the queue takes: each is answered, with BUSY where there was no room. */
static void test_queue_full(void **state)
{
	enum { N = 200 };
	struct store_sqlite_cfg cfg = { .dir = dir, .queue_max = 2, .flush_extra_us = 2000 };
	struct store *s = store_sqlite_open(&cfg, err, sizeof(err));
	struct store_batch *b[N];
	struct card_row row = { .id = 1 };

	assert_non_null(s);
	answered = busy = 0;
	for (unsigned i = 0; i < N; i++) {
		b[i] = store_batch_new();
		b[i]->done = count_batch;
		assert_non_null(store_batch_add(b[i], ST_CARD_PUT, &row, NULL, 0));
		s->ops->commit(s, b[i]);
	}
	while (answered < N) {
		s->ops->wait(s);
		s->ops->poll(s);
	}
	assert_true(busy > 0 && busy < N);
	s->ops->close(s);
	for (unsigned i = 0; i < N; i++)
		store_batch_free(b[i]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define B(name) cmocka_unit_test_setup_teardown(name, bad_disk_in, bad_disk_out)
	const struct CMUnitTest tests[] = {
		T(test_modes),		T(test_second_opener), T(test_newer_schema),
		T(test_not_ours),	T(test_damaged),       T(test_plans),
		B(test_disk_full),	B(test_disk_broken),   B(test_disk_full_lasting),
		B(test_schema_failing), T(test_kill),	       T(test_queue_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
