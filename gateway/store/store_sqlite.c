/* store_sqlite.c - the SQLite backend: two threads, three queues, one lock file.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The writer owns the writing connection and takes commits and fetches from one queue, in order: so a fetch sees every
 * commit submitted before it.  The reader answers queries from a read-only connection of its own.  Requests are lent by
 * pointer; what is done waits in a third queue until poll() hands it over on the caller's thread.
 *
 * Order is kept through failures, too: when a numbered batch fails, the numbered ones that were submitted behind it
 * before its done() came are answered BUSY and not carried out.  So a batch can never be in the store without the one
 * before it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sqlite_int.h"

#define QUEUE_DEFAULT 4096
#define WAL_PAGES_MAX 10000 /* checkpoint after the batch that goes beyond */
#define WAL_IDLE_PART 10    /* and beyond a tenth of it when there is nothing else to do */
#define WAL_HOLD      4	    /* beyond so many times it, questions wait until the log can begin anew */

enum req_kind { REQ_COMMIT, REQ_FETCH, REQ_QUERY };
struct req {
	uint8_t kind;	   /* enum req_kind */
	bool failed_first; /* the numbered batch whose failure holds up those behind it */
	int rc;
	unsigned epoch; /* how many such failures the caller had been told of when it submitted this */
	void *what;
};

struct ring {
	struct req *r;
	unsigned cap, head, n;
};

struct store_sqlite {
	struct store store;    /* first */
	pthread_mutex_t mutex; /* guards all down to the blank line */
	pthread_cond_t work, query;
	struct ring todo, queries, done;
	bool closing;
	bool asking; /* the reader is at a question: a read transaction is open */
	bool hold;   /* it begins no other one: the log is too long */

	unsigned epoch; /* caller's */
	int event_fd, lock_fd;
	pthread_t writer, reader;
	/* the writer's: */
	char path[4096]; /* of the database; both read it */
	struct conn wconn;
	struct committer committer;
	unsigned failures;
	int wal_pages, wal_pages_max;
	unsigned flush_extra_us;
	/* the reader's: */
	struct conn rconn;
};

/* ---- rings ---- */

static bool ring_init(struct ring *r, unsigned cap)
{
	*r = (struct ring){ .r = calloc(cap, sizeof(*r->r)), .cap = cap };
	return r->r;
}

static bool ring_push(struct ring *r, struct req req)
{
	if (r->n == r->cap)
		return false;
	r->r[(r->head + r->n++) % r->cap] = req;
	return true;
}

static struct req ring_pop(struct ring *r)
{
	struct req req = r->r[r->head];

	r->head = (r->head + 1) % r->cap;
	r->n--;
	return req;
}

/* ---- completions ---- */

static void event_raise(struct store_sqlite *s)
{
	uint64_t one = 1;
	ssize_t n;

	do
		n = write(s->event_fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
}

/* With the mutex held. */
static void done_push(struct store_sqlite *s, struct req req)
{
	if (s->done.n == s->done.cap) {
		/* Only refusals of an over-full queue come here: the rest is bounded by the other two. */
		struct ring more;

		if (!ring_init(&more, s->done.cap * 2))
			abort(); /* a request that is never answered would be worse */
		while (s->done.n)
			ring_push(&more, ring_pop(&s->done));
		free(s->done.r);
		s->done = more;
	}
	ring_push(&s->done, req);
	if (s->done.n == 1)
		event_raise(s);
}

static void deliver(struct store_sqlite *s, const struct req *req)
{
	if (req->failed_first)
		s->epoch++;
	switch ((enum req_kind)req->kind) {
	case REQ_COMMIT: {
		struct store_batch *b = req->what;

		if (b->done)
			b->done(b, req->rc);
		break;
	}
	case REQ_FETCH: {
		struct store_fetch *f = req->what;

		if (f->done)
			f->done(f, req->rc);
		break;
	}
	case REQ_QUERY: {
		struct store_query *q = req->what;

		if (q->done)
			q->done(q, req->rc);
		break;
	}
	}
}

static bool done_pop(struct store_sqlite *s, struct req *req)
{
	bool any;

	pthread_mutex_lock(&s->mutex);
	any = s->done.n > 0;
	if (any)
		*req = ring_pop(&s->done);
	pthread_mutex_unlock(&s->mutex);
	return any;
}

static void sq_poll(struct store *store)
{
	struct store_sqlite *s = (struct store_sqlite *)store;
	struct req req;
	uint64_t count;
	unsigned n;
	ssize_t got;

	do
		got = read(s->event_fd, &count, sizeof(count));
	while (got < 0 && errno == EINTR);
	/* Only what is there now: the loop that calls us has other things to do, too. */
	pthread_mutex_lock(&s->mutex);
	n = s->done.n;
	pthread_mutex_unlock(&s->mutex);
	while (n-- && done_pop(s, &req))
		deliver(s, &req);
	pthread_mutex_lock(&s->mutex);
	if (s->done.n)
		event_raise(s);
	pthread_mutex_unlock(&s->mutex);
}

static void sq_wait(struct store *store)
{
	struct store_sqlite *s = (struct store_sqlite *)store;
	struct pollfd p = { .fd = s->event_fd, .events = POLLIN };

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
}

static int sq_fd(struct store *store)
{
	return ((struct store_sqlite *)store)->event_fd;
}

/* ---- submission ---- */

static void submit(struct store_sqlite *s, struct ring *to, pthread_cond_t *wake, enum req_kind kind, void *what)
{
	struct req req = { .kind = (uint8_t)kind, .epoch = s->epoch, .what = what };

	pthread_mutex_lock(&s->mutex);
	if (s->closing)
		req.rc = STORE_E_CLOSED;
	else if (!ring_push(to, req))
		req.rc = STORE_E_BUSY;
	else
		pthread_cond_signal(wake);
	if (req.rc)
		done_push(s, req);
	pthread_mutex_unlock(&s->mutex);
}

static void sq_commit(struct store *store, struct store_batch *b)
{
	struct store_sqlite *s = (struct store_sqlite *)store;

	*b->why = 0;
	submit(s, &s->todo, &s->work, REQ_COMMIT, b);
}

static void sq_fetch(struct store *store, struct store_fetch *f)
{
	struct store_sqlite *s = (struct store_sqlite *)store;

	f->n = 0;
	*f->why = 0;
	submit(s, &s->todo, &s->work, REQ_FETCH, f);
}

static void sq_query(struct store *store, struct store_query *q)
{
	struct store_sqlite *s = (struct store_sqlite *)store;

	q->n = 0;
	q->last = q->after;
	*q->why = 0;
	submit(s, &s->queries, &s->query, REQ_QUERY, q);
}

/* ---- the writer ---- */

static int wal_hook(void *ctx, sqlite3 *db, const char *name, int pages)
{
	((struct store_sqlite *)ctx)->wal_pages = pages;
	return SQLITE_OK;
}

/* Copies the log into the database, as far as nobody reads what stood there before.  SQLite writes from the log's beginning again
 * when all of it was copied and nobody reads it: while questions follow each other without a pause, that need not come to
 * pass.  So there is a length at which they pause. */
static void checkpoint(struct store_sqlite *s)
{
	int pages = 0;

	/* Its failure is no loss: the WAL has it all, and the next commit reports a disk that is broken or full. */
	if (!conn_read_end(&s->wconn))
		sqlite3_wal_checkpoint_v2(s->wconn.db, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, NULL);
	s->wconn.fail = (struct conn_fail){ 0 };
	s->wal_pages = 0;
	if (pages > s->wal_pages_max * WAL_HOLD) {
		pthread_mutex_lock(&s->mutex);
		s->hold = true;
		pthread_mutex_unlock(&s->mutex);
	}
}

/* A database that has been deleted, or replaced by a backup, under a running gateway takes commits like any other: into a file that
 * nobody will find again. */
static int in_place(struct store_sqlite *s)
{
	int moved = 0;

	if (sqlite3_file_control(s->wconn.db, NULL, SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || !moved)
		return STORE_OK;
	s->wconn.fail.moved = true;
	return STORE_E_IO;
}

static void do_commit(struct store_sqlite *s, struct req *req)
{
	struct store_batch *b = req->what;
	bool numbered = b->batch_no && !b->dry_run;

	if (numbered && req->epoch != s->failures) {
		req->rc = STORE_E_BUSY; /* one before it has failed */
		return;
	}
	req->rc = conn_read_end(&s->wconn);
	if (!req->rc)
		req->rc = in_place(s);
	if (!req->rc)
		req->rc = sqlite_commit(&s->committer, b);
	conn_why(&s->wconn, req->rc, b->why, sizeof(b->why));
	if (req->rc && numbered) {
		s->failures++;
		req->failed_first = true;
	}
	if (s->flush_extra_us) {
		struct timespec ts = { s->flush_extra_us / 1000000, s->flush_extra_us % 1000000 * 1000 };

		nanosleep(&ts, NULL);
	}
}

static void do_fetch(struct store_sqlite *s, struct req *req)
{
	struct store_fetch *f = req->what;

	req->rc = sqlite_fetch(&s->wconn, f);
	conn_why(&s->wconn, req->rc, f->why, sizeof(f->why));
}

static void do_query(struct store_sqlite *s, struct req *req)
{
	struct store_query *q = req->what;

	req->rc = sqlite_query(&s->rconn, q);
	conn_why(&s->rconn, req->rc, q->why, sizeof(q->why));
}

/* The reader is between two questions: now all of the log can be copied, and the next batch begins it anew.  Mutex held. */
static void log_release(struct store_sqlite *s)
{
	pthread_mutex_unlock(&s->mutex);
	checkpoint(s);
	pthread_mutex_lock(&s->mutex);
	s->hold = false;
	pthread_cond_signal(&s->query);
}

/* Next request of the writer; false: closing and nothing left.  Work that can wait is done while there is none. */
static bool writer_next(struct store_sqlite *s, struct req *req)
{
	bool got;

	pthread_mutex_lock(&s->mutex);
	if (!s->todo.n && (s->wconn.reading || s->wal_pages > s->wal_pages_max / WAL_IDLE_PART)) {
		pthread_mutex_unlock(&s->mutex);
		if (s->wal_pages > s->wal_pages_max / WAL_IDLE_PART)
			checkpoint(s);
		conn_read_end(&s->wconn);
		pthread_mutex_lock(&s->mutex);
	}
	for (;;) {
		if (s->hold && !s->asking)
			log_release(s);
		if (s->todo.n || s->closing)
			break;
		pthread_cond_wait(&s->work, &s->mutex);
	}
	got = s->todo.n > 0;
	if (got)
		*req = ring_pop(&s->todo);
	pthread_mutex_unlock(&s->mutex);
	return got;
}

static void *writer_main(void *arg)
{
	struct store_sqlite *s = arg;
	struct req req;

	while (writer_next(s, &req)) {
		if (req.kind == REQ_COMMIT)
			do_commit(s, &req);
		else
			do_fetch(s, &req);
		pthread_mutex_lock(&s->mutex);
		done_push(s, req);
		pthread_mutex_unlock(&s->mutex);
		if (s->wal_pages > s->wal_pages_max)
			checkpoint(s);
	}
	return NULL;
}

static void *reader_main(void *arg)
{
	struct store_sqlite *s = arg;

	pthread_mutex_lock(&s->mutex);
	for (;;) {
		struct req req;

		while ((!s->queries.n || s->hold) && !s->closing)
			pthread_cond_wait(&s->query, &s->mutex);
		if (!s->queries.n)
			break;
		req = ring_pop(&s->queries);
		s->asking = true;
		pthread_mutex_unlock(&s->mutex);
		do_query(s, &req);
		pthread_mutex_lock(&s->mutex);
		s->asking = false;
		if (s->hold)
			pthread_cond_signal(&s->work);
		done_push(s, req);
	}
	pthread_mutex_unlock(&s->mutex);
	return NULL;
}

/* ---- open and close ---- */

static void sq_free(struct store_sqlite *s)
{
	conn_close(&s->rconn);
	conn_close(&s->wconn);
	if (s->event_fd >= 0)
		close(s->event_fd);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	pthread_cond_destroy(&s->query);
	pthread_cond_destroy(&s->work);
	pthread_mutex_destroy(&s->mutex);
	free(s->todo.r);
	free(s->queries.r);
	free(s->done.r);
	free(s->committer.order);
	free(s->committer.spare);
	free(s);
}

static void sq_close(struct store *store)
{
	struct store_sqlite *s = (struct store_sqlite *)store;
	struct req req;

	pthread_mutex_lock(&s->mutex);
	s->closing = true;
	pthread_cond_signal(&s->work);
	pthread_cond_signal(&s->query);
	pthread_mutex_unlock(&s->mutex);
	pthread_join(s->writer, NULL);
	pthread_join(s->reader, NULL);
	while (done_pop(s, &req))
		deliver(s, &req);
	sq_free(s);
}

static const struct store_ops sqlite_ops = {
	.kind = "sqlite",
	.commit = sq_commit,
	.fetch = sq_fetch,
	.query = sq_query,
	.fd = sq_fd,
	.poll = sq_poll,
	.wait = sq_wait,
	.close = sq_close,
};

/* The directory is ours alone, and ours until we end: the kernel drops the lock with the process, however it ends. */
int sqlite_dir_lock(const char *dir, char *err, size_t cap)
{
	char path[4096], pid[32] = "";
	ssize_t n;
	int fd;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
		snprintf(err, cap, "%s: cannot make the state directory: %s%s", dir, strerror(errno),
			 errno_hint(errno));
		return -1;
	}
	if (snprintf(path, sizeof(path), "%s/otagw.lock", dir) >= (int)sizeof(path)) {
		snprintf(err, cap, "state directory: name too long");
		return -1;
	}
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		snprintf(err, cap, "%s: cannot open: %s%s", path, strerror(errno), errno_hint(errno));
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		n = pread(fd, pid, sizeof(pid) - 1, 0);
		pid[n > 0 ? n : 0] = 0;
		pid[strspn(pid, "0123456789")] = 0;
		snprintf(err, cap, "%s: in use by another gateway%s%s: stop it first, or use another state directory",
			 dir, *pid ? ", process " : "", pid);
		close(fd);
		return -1;
	}
	/* For the message above only: the lock is what counts. */
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)n, 0) != n) {
		snprintf(err, cap, "%s: cannot write: %s%s", path, strerror(errno), errno_hint(errno));
		close(fd);
		return -1;
	}
	return fd;
}

static int last_batch_read(struct conn *c, uint64_t *out)
{
	sqlite3_stmt *st = NULL;
	int rc = conn_err(c, sqlite3_prepare_v2(c->db, "SELECT batch_no FROM batch WHERE id=1", -1, &st, NULL));

	if (!rc)
		rc = st_row(c, st);
	if (rc > 0)
		*out = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return !rc ? conn_corrupt(c, "the number of the last batch is missing") : rc > 0 ? 0 : rc;
}

static bool none_in(struct conn *c, const char *sql)
{
	sqlite3_stmt *st = NULL;
	int rc = conn_err(c, sqlite3_prepare_v2(c->db, sql, -1, &st, NULL));

	if (!rc)
		rc = st_row(c, st);
	sqlite3_finalize(st);
	return !rc;
}

static int conns_open(struct store_sqlite *s, const char *dir, char *err, size_t cap)
{
	int rc;

	if (snprintf(s->path, sizeof(s->path), "%s/otagw.db", dir) >= (int)sizeof(s->path)) {
		snprintf(err, cap, "state directory: name too long");
		return -1;
	}
	s->wconn.path = s->rconn.path = s->path;
	s->wconn.db = sqlite_open_writer(s->path, err, cap);
	if (!s->wconn.db)
		return -1;
	s->rconn.db = sqlite_open_reader(s->path, err, cap);
	if (!s->rconn.db)
		return -1;
	rc = conn_prepare(&s->wconn, true);
	if (!rc)
		rc = last_batch_read(&s->wconn, &s->committer.last_batch);
	if (rc) {
		conn_why(&s->wconn, rc, err, cap);
		return -1;
	}
	rc = conn_prepare(&s->rconn, false);
	if (rc) {
		conn_why(&s->rconn, rc, err, cap);
		return -1;
	}
	s->wconn.no_parts = none_in(&s->wconn, "SELECT 1 FROM por_part LIMIT 1");
	s->wconn.no_works = none_in(&s->wconn, "SELECT 1 FROM txn_work LIMIT 1");
	sqlite3_wal_hook(s->wconn.db, wal_hook, s);
	return 0;
}

/* Signals are the main loop's. */
static int threads_start(struct store_sqlite *s)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&s->writer, NULL, writer_main, s);
	if (!rc) {
		rc = pthread_create(&s->reader, NULL, reader_main, s);
		if (rc) {
			pthread_mutex_lock(&s->mutex);
			s->closing = true;
			pthread_cond_signal(&s->work);
			pthread_mutex_unlock(&s->mutex);
			pthread_join(s->writer, NULL);
		}
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

struct store *store_sqlite_open(const struct store_sqlite_cfg *cfg, char *err, size_t err_cap)
{
	struct store_sqlite *s = calloc(1, sizeof(*s));
	unsigned queue_max = cfg->queue_max ? cfg->queue_max : QUEUE_DEFAULT;
	int rc;

	if (!s) {
		snprintf(err, err_cap, "no memory");
		return NULL;
	}
	sums_register();
	s->store.ops = &sqlite_ops;
	s->flush_extra_us = cfg->flush_extra_us;
	s->wal_pages_max = cfg->wal_pages_max ? (int)cfg->wal_pages_max : WAL_PAGES_MAX;
	s->lock_fd = -1;
	s->committer.c = &s->wconn;
	s->committer.order = malloc(STORE_BATCH_OPS_MAX * sizeof(*s->committer.order));
	s->committer.spare = malloc(STORE_BATCH_OPS_MAX * sizeof(*s->committer.spare));
	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->work, NULL);
	pthread_cond_init(&s->query, NULL);
	s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->event_fd < 0 || !s->committer.order || !s->committer.spare || !ring_init(&s->todo, queue_max) ||
	    !ring_init(&s->queries, queue_max) || !ring_init(&s->done, 2 * queue_max + 2)) {
		snprintf(err, err_cap, "%s: no memory or no file descriptor for the store", cfg->dir);
		goto fail;
	}
	s->lock_fd = sqlite_dir_lock(cfg->dir, err, err_cap);
	if (s->lock_fd < 0 || conns_open(s, cfg->dir, err, err_cap) < 0)
		goto fail;
	rc = threads_start(s);
	if (!rc)
		return &s->store;
	snprintf(err, err_cap, "%s: cannot start the store's threads: %s", cfg->dir, strerror(rc));
fail:
	sq_free(s);
	return NULL;
}
