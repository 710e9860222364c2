/* test_store_sqlite.c - what only a store on a disk can meet: other owners, other schemas, SIGKILL.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sqlite_fix.h"
#include "sqlite_int.h"

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

/* What root may do says nothing: these are tried as somebody else. */
#define NOBODY 65534

static void refused_as_nobody(uid_t owner_of_dir, mode_t dir_mode, uid_t owner_of_db, mode_t db_mode)
{
	int status;
	pid_t pid;

	if (geteuid() == 0) {
		assert_int_equal(chown(dir, owner_of_dir, (gid_t)-1), 0);
		assert_int_equal(chown(db_path, owner_of_db, (gid_t)-1), 0);
	}
	assert_int_equal(chmod(db_path, db_mode), 0);
	assert_int_equal(chmod(dir, dir_mode), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct store *s;

		if (geteuid() == 0 && (setgid(NOBODY) || setuid(NOBODY)))
			_exit(3);
		s = open_dir();
		if (s)
			_exit(1);
		if (!strstr(err, dir) || !strstr(err, "must belong to the user that the gateway runs as"))
			_exit(!!fprintf(stderr, "%s\n", err) + 1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(chmod(dir, 0700), 0);
	if (geteuid() == 0)
		assert_int_equal(chown(dir, 0, (gid_t)-1), 0);
}

static void test_not_permitted(void **state)
{
	struct store *s = must_open();
	char lock[128];

	cards_in(s);
	s->ops->close(s);
	refused_as_nobody(NOBODY, 0700, NOBODY, 0400); /* the database can be read only */
	snprintf(lock, sizeof(lock), "%s/otagw.lock", dir);
	assert_int_equal(unlink(lock), 0);
	refused_as_nobody(NOBODY, 0500, NOBODY, 0600); /* nothing can be made in the directory */
	if (geteuid() == 0) {
		refused_as_nobody(0, 0700, 0, 0600); /* all of it is somebody else's */
		refused_as_nobody(NOBODY, 0700, 0, 0600);
	}
	assert_int_equal(chmod(db_path, 0600), 0);
	s = must_open();
	check_holds(s, 0); /* and nothing has happened to it */
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

	sql_by(NULL, "CREATE TABLE shopping(item)");
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
		"UPDATE cmd SET rest=CAST(rest || x'00' AS BLOB) WHERE card=1",
		"UPDATE cmd SET rest=substr(rest, 1, 5) WHERE card=1",		  /* ends inside of tar */
		"UPDATE cmd SET rest=CAST(x'8002' || rest AS BLOB) WHERE card=1", /* kic is one octet */
		"UPDATE cmd SET rest=x'ffffffffffffffffffff' WHERE card=1",
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

		if ((!strncmp(plan, "SCAN", 4) && strncmp(plan, "SCAN op_", 8) != 0 && id != S_TOTALS &&
		     strcmp(plan, "SCAN CONSTANT ROW") != 0) ||
		    (strstr(plan, "TEMP B-TREE") && !sorts))
			fail_msg("%s: %s", text, plan);
	}
	sqlite3_finalize(st);
}

/* Every statement finds its rows by an index: with ten million cards a scan is an outage.  Totals count, once a start. */
static void test_plans(void **state)
{
	struct store *s = must_open();
	struct conn c = { 0 };

	s->ops->close(s);
	assert_int_equal(sqlite3_open(db_path, &c.db), SQLITE_OK);
	assert_int_equal(sqlite_bulk_register(&c), SQLITE_OK);
	for (int id = S_BATCH_PUT; id < _STMTS; id++)
		check_plan(c.db, id);
	sqlite3_close(c.db);
}

/* ---- many operations in one statement ---- */

/* Four cards from `first` on are seen, with the numbers they have or with others. */
static void cards_put(struct store_batch *b, unsigned first, bool moved)
{
	for (unsigned n = first; n < first + 4; n++) {
		struct card_row card = card_make(n, 1).card;
		struct card_addr_row a = { .type = ADDR_IMSI, .card = n + 1, .digits = "777" };

		card.id = n + 1;
		card.last_seen_ms = 1000 + n + 1;
		if (moved) {
			memcpy(card.imsi, "777", 3);
			assert_non_null(store_batch_add(b, ST_ADDR_PUT, &a, NULL, 0));
		}
		assert_non_null(store_batch_add(b, ST_CARD_PUT, &card, NULL, 0));
	}
}

/* A gateway's batch is carried out so, and what is not as it should be makes it go one by one, where each is told. */
static void test_bulk(void **state)
{
	struct conn c = { .path = db_path };
	struct committer w = { .c = &c };
	struct store_batch *b = store_batch_new();
	struct store *s = must_open();
	struct txn_row nobody = { .id = 99999 };
	struct conn_fail none = { 0 };

	cards_in(s);
	s->ops->close(s);
	c.db = sqlite_open_writer(db_path, err, sizeof(err));
	assert_non_null(c.db);
	assert_int_equal(conn_prepare(&c, true), STORE_OK);
	w.order = calloc(STORE_BATCH_OPS_MAX, sizeof(*w.order));
	w.spare = calloc(STORE_BATCH_OPS_MAX, sizeof(*w.spare));
	for (uint64_t no = 1; no <= 3; no++) {
		batch_fill(b, no);
		assert_int_equal(sqlite_commit(&w, b), STORE_OK);
		assert_int_equal(w.one_by_one, 0);
	}
	batch_fill(b, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_non_null(store_batch_add(b, ST_TXN_PUT, &nobody, NULL, 0));
	assert_int_equal(sqlite_commit(&w, b), STORE_OK);
	assert_int_equal(w.one_by_one, 1);
	assert_memory_equal(&c.fail, &none, sizeof(none));
	for (size_t i = 0; i < b->n; i++)
		assert_int_equal(b->ops[i].rc, b->ops[i].kind == ST_TXN_PUT ? STORE_R_NOT_FOUND : 0);
	batch_fill(b, 5);
	assert_int_equal(sqlite_commit(&w, b), STORE_OK);
	assert_int_equal(w.one_by_one, 1);
	/* presence of some, new numbers of others; one that has moved meanwhile keeps its own */
	batch_fill(b, 6);
	cards_put(b, 0, false);
	cards_put(b, 4, true);
	assert_int_equal(sqlite_commit(&w, b), STORE_OK);
	assert_int_equal(w.one_by_one, 1);
	for (unsigned i = 0; i < 2; i++) {
		batch_fill(b, 7 + i);
		cards_put(b, 12, i);
		((struct card_row *)b->ops[b->n - 1].row)->moves = 1;
		assert_int_equal(sqlite_commit(&w, b), STORE_OK);
		assert_int_equal(w.one_by_one, 2 + i);
	}
	/* a card twice: the later one counts */
	batch_fill(b, 9);
	cards_put(b, 8, false);
	cards_put(b, 8, true);
	assert_int_equal(sqlite_commit(&w, b), STORE_OK);
	assert_int_equal(w.one_by_one, 4);
	conn_close(&c);
	sql("CREATE TABLE must(n INTEGER CHECK(n=16));"
	    "INSERT INTO must SELECT count(*) FROM card WHERE id<=16 AND last_seen_ms=1000+id AND "
	    "(imsi LIKE '777%')=(id>4 AND id<>16); DROP TABLE must");
	free(w.order);
	free(w.spare);
	store_batch_free(b);
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
	const struct CMUnitTest tests[] = {
		T(test_modes),	 T(test_not_permitted), T(test_second_opener), T(test_newer_schema), T(test_not_ours),
		T(test_damaged), T(test_plans),		T(test_bulk),	       T(test_kill),	     T(test_queue_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
