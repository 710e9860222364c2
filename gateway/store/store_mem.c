/* store_mem.c - the memory backend: what is under way, when it completes, and the power failure.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Nothing happens to a request before its due time: commits and fetches are carried out in the order they were
 * submitted, whatever delays the hooks ask for; queries overtake, as they do with SQLite's second connection.
 * Behind a failed numbered batch the same rule holds as in store_sqlite.c.
 */
#include <stdlib.h>
#include <string.h>

#include "mem_int.h"

enum req_kind { REQ_COMMIT, REQ_FETCH, REQ_QUERY };
struct req {
	uint8_t kind;	/* enum req_kind */
	unsigned epoch; /* failures the caller knew of when it submitted this */
	int64_t due_ms;
	uint64_t seq;
	void *what;
};

struct store_mem {
	struct store store; /* first */
	struct store_mem_disk *d;
	struct store_mem_hooks hooks;
	struct req *q; /* ascending by due time, then by submission */
	size_t n, cap;
	uint64_t seq;
	int64_t line_ms;   /* due time of the last commit or fetch: none overtakes it */
	int64_t forced_ms; /* wait(): take this for the time at the next poll */
	unsigned failures; /* numbered batches that failed first: done() has told of each */
	bool closing;
};

static int64_t now_ms(const struct store_mem *s)
{
	int64_t now = s->hooks.now_ms ? s->hooks.now_ms(s->hooks.ctx) : 0;

	return s->forced_ms > now ? s->forced_ms : now;
}

static void submit(struct store_mem *s, enum req_kind kind, const char *what, struct store_batch *b, void *req)
{
	int64_t delay_ms = s->hooks.delay ? s->hooks.delay(s->hooks.ctx, what, b) : 0;
	struct req r = { .kind = (uint8_t)kind, .epoch = s->failures, .seq = s->seq++, .what = req };
	size_t i;

	r.due_ms = now_ms(s) + (delay_ms > 0 ? delay_ms : 0);
	if (kind != REQ_QUERY) {
		if (r.due_ms < s->line_ms)
			r.due_ms = s->line_ms;
		s->line_ms = r.due_ms;
	}
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 16;
		s->q = realloc(s->q, s->cap * sizeof(*s->q));
		if (!s->q)
			abort();
	}
	for (i = s->n++; i && s->q[i - 1].due_ms > r.due_ms; i--)
		s->q[i] = s->q[i - 1];
	s->q[i] = r;
}

static void m_commit(struct store *store, struct store_batch *b)
{
	*b->why = 0;
	submit((struct store_mem *)store, REQ_COMMIT, "commit", b, b);
}

static void m_fetch(struct store *store, struct store_fetch *f)
{
	f->n = 0;
	*f->why = 0;
	submit((struct store_mem *)store, REQ_FETCH, "fetch", NULL, f);
}

static void m_query(struct store *store, struct store_query *q)
{
	q->n = 0;
	q->last = q->after;
	*q->why = 0;
	submit((struct store_mem *)store, REQ_QUERY, "query", NULL, q);
}

static int commit_run(struct store_mem *s, const struct req *r, bool may_fail)
{
	struct store_batch *b = r->what;
	bool numbered = b->batch_no && !b->dry_run;
	int rc = 0;

	if (numbered && r->epoch != s->failures)
		return STORE_E_BUSY; /* one before it has failed, and the caller did not know */
	if (may_fail && s->hooks.fault)
		rc = s->hooks.fault(s->hooks.ctx, b);
	if (!rc)
		rc = mem_commit(s->d, b);
	if (rc && numbered)
		s->failures++;
	return rc;
}

static void run(struct store_mem *s, const struct req *r)
{
	int rc = STORE_E_CLOSED;

	switch ((enum req_kind)r->kind) {
	case REQ_COMMIT: {
		struct store_batch *b = r->what;

		if (!s->closing)
			rc = commit_run(s, r, true);
		if (b->done)
			b->done(b, rc);
		break;
	}
	case REQ_FETCH: {
		struct store_fetch *f = r->what;

		if (!s->closing)
			rc = mem_fetch(s->d, f);
		if (f->done)
			f->done(f, rc);
		break;
	}
	case REQ_QUERY: {
		struct store_query *q = r->what;

		if (!s->closing)
			rc = mem_query(s->d, q);
		if (q->done)
			q->done(q, rc);
		break;
	}
	}
}

static struct req pop(struct store_mem *s)
{
	struct req r = s->q[0];

	memmove(s->q, s->q + 1, --s->n * sizeof(*s->q));
	return r;
}

static void m_poll(struct store *store)
{
	struct store_mem *s = (struct store_mem *)store;
	uint64_t end = s->seq; /* what done() submits waits for the next poll */
	int64_t now = now_ms(s);

	s->forced_ms = INT64_MIN;
	while (s->n && s->q[0].due_ms <= now && s->q[0].seq < end) {
		struct req r = pop(s);

		run(s, &r);
	}
}

static void m_wait(struct store *store)
{
	struct store_mem *s = (struct store_mem *)store;

	if (s->n)
		s->forced_ms = s->q[0].due_ms;
}

static int m_fd(struct store *store)
{
	return -1;
}

static void m_free(struct store_mem *s)
{
	s->d->open = false;
	free(s->q);
	free(s);
}

static void m_close(struct store *store)
{
	struct store_mem *s = (struct store_mem *)store;
	uint64_t end = s->seq;

	while (s->n) {
		struct req r = pop(s);

		s->closing = r.seq >= end; /* submitted by a done() of what was under way */
		run(s, &r);
	}
	m_free(s);
}

static const struct store_ops mem_ops = {
	.kind = "memory",
	.commit = m_commit,
	.fetch = m_fetch,
	.query = m_query,
	.fd = m_fd,
	.poll = m_poll,
	.wait = m_wait,
	.close = m_close,
};

struct store *store_mem_open(struct store_mem_disk *d, const struct store_mem_hooks *hooks)
{
	struct store_mem *s;

	if (d->open)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->store.ops = &mem_ops;
	s->d = d;
	if (hooks)
		s->hooks = *hooks;
	s->line_ms = INT64_MIN;
	s->forced_ms = INT64_MIN;
	d->open = true;
	return &s->store;
}

int64_t store_mem_due(struct store *store)
{
	const struct store_mem *s = (const struct store_mem *)store;

	return s->n ? s->q[0].due_ms : INT64_MAX;
}

void store_mem_crash(struct store *store, bool (*keep)(void *ctx, struct store_batch *b), void *ctx)
{
	struct store_mem *s = (struct store_mem *)store;

	/* What is kept is a beginning of what was submitted: a log that has lost one batch has lost those behind it. */
	while (s->n) {
		struct req r = pop(s);

		if (r.kind != REQ_COMMIT)
			continue;
		if (!keep || !keep(ctx, r.what))
			break;
		commit_run(s, &r, false);
	}
	m_free(s);
}
