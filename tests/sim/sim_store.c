/* sim_store.c - the seed decides when the memory store completes, when it fails, and what a power cut keeps.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The memory store carries commits and reads out in order.  In front of it stands a store with weather: calls that fail
 * without being carried out, commits that are carried out and called failed all the same, completions that are told late
 * and so overtake each other.  It also breaks its word on purpose, to prove that the checkers notice.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

/* ------------------------------------------------------------------------------------------------ hooks */

static const int errors[] = { STORE_E_BUSY, STORE_E_FULL, STORE_E_IO };

static int64_t delay(void *ctx, const char *what, struct store_batch *b)
{
	struct world *w = ctx;
	struct scenario *sc = &w->sc;

	if (w->setup)
		return 0;
	if (!w->calm && sim_rng_chance(&w->front_dice, sc->stall_ppm)) {
		tell(w, "a %s will take %lld s", what, (long long)SIM_STALL_MS / 1000);
		return SIM_STALL_MS;
	}
	if (!strcmp(what, "commit")) {
		w->life_commits++;
		world_crash_point(w, CRASH_COMMIT_BEFORE);
		world_crash_point(w, CRASH_COMMIT_AFTER);
		if (!w->calm && sim_rng_chance(&w->store_dice, sc->slow_ppm))
			return sim_rng_range(&w->store_dice, sc->slow_ms);
		return sim_rng_range(&w->store_dice, sc->commit_ms);
	}
	world_crash_point(w, !strcmp(what, "query") ? CRASH_QUERY : CRASH_FETCH);
	return sim_rng_range(&w->store_dice, sc->read_ms);
}

static int fault(void *ctx, struct store_batch *b)
{
	struct world *w = ctx;

	if (!w->setup && w->store_bad) {
		tell(w, "commit %llu fails: %s", (unsigned long long)b->batch_no, store_strerror(w->store_error));
		return w->store_error;
	}
	if (!w->setup && !w->calm && sim_rng_chance(&w->store_dice, w->sc.fail_ppm)) {
		int rc = errors[sim_rng_next(&w->store_dice) % ARRAY_SIZE(errors)];

		tell(w, "commit %llu fails: %s", (unsigned long long)b->batch_no, store_strerror(rc));
		return rc;
	}
	check_committed(w, b);
	if (!w->setup)
		world_crash_point(w, CRASH_COMMIT_DONE);
	return STORE_OK;
}

static int64_t now(void *ctx)
{
	return ((struct world *)ctx)->now_ms;
}

void sstore_hooks(struct world *w)
{
	w->hooks = (struct store_mem_hooks){ .delay = delay, .fault = fault, .now_ms = now, .ctx = w };
}

/* What of an unfinished commit the power cut keeps: all or nothing. */
bool sstore_keep(void *ctx, struct store_batch *b)
{
	struct world *w = ctx;
	bool kept = w->crash_at == CRASH_COMMIT_AFTER;

	if (w->store_bad)
		kept = false; /* a disk that refuses does not change its mind */
	else if (w->crash_at != CRASH_COMMIT_BEFORE && w->crash_at != CRASH_COMMIT_AFTER)
		kept = sim_rng_next(&w->store_dice) & 1;
	tell(w, "the power cut %s commit %llu", kept ? "keeps" : "loses", (unsigned long long)b->batch_no);
	if (kept)
		check_committed(w, b);
	return kept;
}

/* ------------------------------------------------------------------------------------------------ what stands in front */

/* One request under way: carried out by the memory store, told to the core when the weather lets it. */
struct held {
	struct front *f;
	enum { HELD_COMMIT, HELD_FETCH, HELD_QUERY } kind;
	union {
		struct store_batch *b;
		struct store_fetch *f;
		struct store_query *q;
	} req;
	union { /* what the core had put there */
		void (*b)(struct store_batch *b, int rc);
		void (*f)(struct store_fetch *f, int rc);
		void (*q)(struct store_query *q, int rc);
	} done;
	void *ctx;
	bool ran, lie; /* lie: it is done, and the core is told of an error */
	int rc;
	int64_t due_ms; /* once it has run */
	struct held *next;
};
struct clone {
	struct store_batch *b;
	struct clone *next;
};
struct front {
	struct store s;
	struct world *w;
	struct store *under;
	struct held *held;
	struct store_batch *early; /* told "durable" at the next poll */
	struct clone *clones;
};

static struct front *self(struct store *s)
{
	return (struct front *)s;
}

static struct held *hold(struct front *f)
{
	struct held *h = calloc(1, sizeof(*h)), **at = &f->held;

	if (!h)
		abort(); /* a simulator without memory cannot go on in a way that means anything */
	h->f = f;
	while (*at)
		at = &(*at)->next;
	*at = h;
	return h;
}

/* Gives the request back as it came. */
static void let_go(struct held *h)
{
	struct held **at = &h->f->held, was = *h;

	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	free(h);
	switch (was.kind) {
	case HELD_COMMIT:
		was.req.b->done = was.done.b;
		was.req.b->ctx = was.ctx;
		was.req.b->done(was.req.b, was.rc);
		break;
	case HELD_FETCH:
		was.req.f->done = was.done.f;
		was.req.f->ctx = was.ctx;
		was.req.f->done(was.req.f, was.rc);
		break;
	case HELD_QUERY:
		was.req.q->done = was.done.q;
		was.req.q->ctx = was.ctx;
		was.req.q->done(was.req.q, was.rc);
		break;
	}
}

/* It has run.  What comes of it is told at once, or late: then others overtake it. */
static void ran(struct held *h, int rc)
{
	struct world *w = h->f->w;

	h->ran = true;
	h->rc = rc;
	h->due_ms = w->now_ms;
	if (!w->calm && sim_rng_chance(&w->front_dice, w->sc.late_ppm))
		h->due_ms += sim_rng_range(&w->front_dice, w->sc.late_ms);
	if (h->due_ms <= w->now_ms)
		let_go(h);
}

/* Does this call fail?  The Nth one of a run that goes through them all, or what the dice say. */
static int call_fails(struct world *w)
{
	w->store_calls++;
	if (w->store_calls == w->fail_nth)
		w->nth_struck = true;
	else if (w->calm || !sim_rng_chance(&w->front_dice, w->sc.read_fail_ppm))
		return 0;
	return errors[w->store_calls % ARRAY_SIZE(errors)];
}

static void commit_ran(struct store_batch *b, int rc)
{
	struct held *h = b->ctx;
	struct world *w = h->f->w;

	if (h->lie && !rc) {
		tell(w, "commit %llu is done and called failed", (unsigned long long)b->batch_no);
		check_batch_again(w, b);
		rc = STORE_E_IO;
	}
	ran(h, rc);
}

static void fetch_ran(struct store_fetch *f, int rc)
{
	ran(f->ctx, rc);
}

static void query_ran(struct store_query *q, int rc)
{
	ran(q->ctx, rc);
}

static void clone_done(struct store_batch *b, int rc)
{
	/* nobody waits for it any more */
}

static void commit_later(struct front *f, struct store_batch *b)
{
	struct clone *c = calloc(1, sizeof(*c));

	if (!c || !(c->b = store_batch_new())) {
		check_fail(f->w, "harness", "out of memory");
		free(c);
		return;
	}
	c->b->batch_no = b->batch_no;
	c->b->done = clone_done;
	for (size_t i = 0; i < b->n; i++)
		store_batch_add(c->b, b->ops[i].kind, b->ops[i].row, b->ops[i].bytes, b->ops[i].bytes_len);
	c->next = f->clones;
	f->clones = c;
	f->early = b;
	f->under->ops->commit(f->under, c->b);
}

static void spoil(struct world *w, struct store_batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		struct store_op *op = &b->ops[i];

		if (w->broken == BREAK_LOSE_COUNTER && op->kind == ST_KEYSET_CNTR) {
			struct keyset_row *k = op->row;

			k->cntr = k->cntr_proven = 0; /* never lowers: the row stays as it was */
		}
		if (w->broken == BREAK_LOSE_END && op->kind == ST_TXN_PUT) {
			struct txn_row *txn = op->row;

			if (txn->state == TXN_DONE)
				txn->state = TXN_EXPIRED;
		}
		if (w->broken == BREAK_FORGET_QUARANTINE && op->kind == ST_CARD_QUARANTINE)
			((struct card_row *)op->row)->quarantine_ms = 0;
		if (w->broken == BREAK_WRONG_LINE && op->kind == ST_TXN_PUT)
			((struct txn_row *)op->row)->sms_parts++;
		if (w->broken == BREAK_FALSE_WORDS && op->kind == ST_TXN_PUT)
			strcpy(((struct txn_row *)op->row)->reason, "deadline passed, never sent");
		if (w->broken == BREAK_UNFENCE && op->kind == ST_CMD_PUT) {
			struct cmd_row *cmd = op->row;

			if (cmd->state == CMD_FENCED)
				cmd->state = CMD_WAIT_TIMER;
		}
	}
}

static void front_commit(struct store *s, struct store_batch *b)
{
	struct front *f = self(s);
	struct world *w = f->w;
	struct held *h;
	int rc;

	if (w->broken == BREAK_ACT_EARLY) {
		commit_later(f, b);
		return;
	}
	rules_given(w, b);
	spoil(w, b);
	if (w->broken == BREAK_CHANGE_BATCH && b->batch_no == w->again_no)
		b->ops[b->n - 1].kind = _ST_OPS; /* one line less */
	h = hold(f);
	h->kind = HELD_COMMIT;
	h->req.b = b;
	h->done.b = b->done;
	h->ctx = b->ctx;
	rc = call_fails(w);
	h->lie = rc && (w->nth_struck ? w->nth_lies : sim_rng_next(&w->front_dice) & 1);
	b->done = commit_ran;
	b->ctx = h;
	if (rc && !h->lie) {
		tell(w, "commit %llu is not taken: %s", (unsigned long long)b->batch_no, store_strerror(rc));
		h->ran = true;
		h->rc = rc;
		h->due_ms = w->now_ms;
		return;
	}
	f->under->ops->commit(f->under, b);
}

static void front_fetch(struct store *s, struct store_fetch *r)
{
	struct front *f = self(s);
	struct held *h = hold(f);

	h->kind = HELD_FETCH;
	h->req.f = r;
	h->done.f = r->done;
	h->ctx = r->ctx;
	h->rc = call_fails(f->w);
	if (h->rc) {
		tell(f->w, "a read fails: %s", store_strerror(h->rc));
		r->n = 0;
		h->ran = true;
		h->due_ms = f->w->now_ms;
		return;
	}
	r->done = fetch_ran;
	r->ctx = h;
	f->under->ops->fetch(f->under, r);
}

static void front_query(struct store *s, struct store_query *q)
{
	struct front *f = self(s);
	struct held *h = hold(f);

	h->kind = HELD_QUERY;
	h->req.q = q;
	h->done.q = q->done;
	h->ctx = q->ctx;
	h->rc = call_fails(f->w);
	if (h->rc) {
		tell(f->w, "a query fails: %s", store_strerror(h->rc));
		f->w->query_failed = true;
		q->n = 0;
		h->ran = true;
		h->due_ms = f->w->now_ms;
		return;
	}
	q->done = query_ran;
	q->ctx = h;
	f->under->ops->query(f->under, q);
}

static int front_fd(struct store *s)
{
	return -1;
}

static void front_poll(struct store *s)
{
	struct front *f = self(s);
	struct store_batch *b = f->early;
	struct held *h, *next, *due = NULL;
	int64_t now = f->w->now_ms;

	f->early = NULL;
	if (b)
		b->done(b, STORE_OK);
	f->under->ops->poll(f->under);
	/* one at a time: whoever is told may ask for more, and that waits for the next poll */
	do {
		for (due = NULL, h = f->held; h; h = next) {
			next = h->next;
			if (h->ran && h->due_ms <= now && (!due || h->due_ms < due->due_ms))
				due = h;
		}
		if (due)
			let_go(due);
	} while (due && !f->w->dead);
}

static void front_wait(struct store *s)
{
	self(s)->under->ops->wait(self(s)->under);
}

static void front_close(struct store *s)
{
	/* the world closes what is underneath */
}

static const struct store_ops front_ops = {
	.kind = "front",
	.commit = front_commit,
	.fetch = front_fetch,
	.query = front_query,
	.fd = front_fd,
	.poll = front_poll,
	.wait = front_wait,
	.close = front_close,
};

struct store *sstore_front(struct world *w, struct store *under)
{
	struct front *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->s.ops = &front_ops;
	f->w = w;
	f->under = under;
	return &f->s;
}

int64_t sstore_due(struct store *s)
{
	const struct front *f = self(s);
	int64_t due = f->early ? f->w->now_ms : store_mem_due(f->under);

	for (const struct held *h = f->held; h; h = h->next)
		if (h->ran && h->due_ms < due)
			due = h->due_ms;
	return due;
}

void sstore_front_free(struct store *s)
{
	struct front *f = self(s);

	while (f->clones) {
		struct clone *c = f->clones;

		f->clones = c->next;
		store_batch_free(c->b);
		free(c);
	}
	while (f->held) {
		struct held *h = f->held;

		f->held = h->next;
		free(h);
	}
	free(f);
}

/* A gateway that kept nothing for a day would do this: what goes is missed by nobody, whatever comes later. */
void sstore_trim(struct world *w)
{
	struct store *s = store_mem_open(w->disk, &w->hooks);
	struct store_batch *b = store_batch_new();
	struct store_trim t = { .before_ms = INT64_MAX, .cards = STORE_TRIM_CARDS_MAX, .rows = UINT32_MAX };

	w->setup = true;
	if (!s || !b || !store_batch_add(b, ST_TRIM, &t, NULL, 0) || store_commit_wait(s, b))
		check_fail(w, "harness", "what is old cannot be removed");
	w->setup = false;
	if (b)
		store_batch_free(b);
	if (s)
		s->ops->close(s);
}

/* What nobody may do with the tables behind the gateway's back: it forgets that these cards have a script under way. */
void sstore_plan_anew(struct world *w)
{
	struct store *s = store_mem_open(w->disk, &w->hooks);
	struct store_batch *b = store_batch_new();
	struct campaign_row rows[SIM_CAMPAIGNS_MAX];
	struct store_query q = { .kind = Q_CAMPAIGNS, .limit = SIM_CAMPAIGNS_MAX, .out = rows };

	w->setup = true;
	if (!s || !b || store_query_wait(s, &q))
		check_fail(w, "harness", "the tables cannot be changed");
	for (unsigned i = 0; b && i < q.n; i++) {
		rows[i].txn_cursor = 0;
		store_batch_add(b, ST_CAMPAIGN_PUT, &rows[i], NULL, 0);
	}
	for (unsigned i = 0; b && i < w->sc.cards; i++) {
		struct txn_row t = w->watch[i].txn;

		for (unsigned k = 0; t.state == TXN_ACTIVE && k < w->watch[i].n_cmds; k++) {
			struct cmd_row row = w->watch[i].cmd[k].row;

			row.state = CMD_CANCELLED;
			store_batch_add(b, ST_CMD_PUT, &row, NULL, 0);
		}
		if (t.state != TXN_ACTIVE)
			continue;
		t.state = TXN_PLANNED;
		store_batch_add(b, ST_TXN_PUT, &t, NULL, 0);
	}
	if (s && b && store_commit_wait(s, b))
		check_fail(w, "harness", "the tables cannot be changed");
	w->setup = false;
	if (b)
		store_batch_free(b);
	if (s)
		s->ops->close(s);
}
