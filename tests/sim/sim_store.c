/* sim_store.c - the seed decides when the memory store completes, when it fails, and what a power cut keeps.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Also the stores that break their word on purpose, to prove that the checkers notice.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

/* ------------------------------------------------------------------------------------------------ hooks */

static int64_t delay(void *ctx, const char *what, struct store_batch *b)
{
	struct world *w = ctx;
	struct scenario *sc = &w->sc;

	if (w->setup)
		return 0;
	if (!strcmp(what, "commit")) {
		w->life_commits++;
		world_crash_point(w, CRASH_COMMIT_BEFORE);
		world_crash_point(w, CRASH_COMMIT_AFTER);
		if (!w->calm && sim_rng_chance(&w->store_dice, sc->slow_ppm))
			return sim_rng_range(&w->store_dice, sc->slow_ms);
		return sim_rng_range(&w->store_dice, sc->commit_ms);
	}
	world_crash_point(w, CRASH_FETCH);
	return sim_rng_range(&w->store_dice, sc->read_ms);
}

static int fault(void *ctx, struct store_batch *b)
{
	static const int errors[] = { STORE_E_BUSY, STORE_E_FULL, STORE_E_IO };
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

/* ------------------------------------------------------------------------------------------------ breakages */

struct clone {
	struct store_batch *b;
	struct clone *next;
};
struct tamper {
	struct store s;
	struct world *w;
	struct store *under;
	struct store_batch *early; /* told "durable" at the next poll */
	struct clone *clones;
};

static struct tamper *self(struct store *s)
{
	return (struct tamper *)s;
}

static void clone_done(struct store_batch *b, int rc)
{
	/* nobody waits for it any more */
}

static void commit_later(struct tamper *t, struct store_batch *b)
{
	struct clone *c = calloc(1, sizeof(*c));

	if (!c || !(c->b = store_batch_new())) {
		check_fail(t->w, "harness", "out of memory");
		free(c);
		return;
	}
	c->b->batch_no = b->batch_no;
	c->b->done = clone_done;
	for (size_t i = 0; i < b->n; i++)
		store_batch_add(c->b, b->ops[i].kind, b->ops[i].row, b->ops[i].bytes, b->ops[i].bytes_len);
	c->next = t->clones;
	t->clones = c;
	t->early = b;
	t->under->ops->commit(t->under, c->b);
}

static void spoil(struct tamper *t, struct store_batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		struct store_op *op = &b->ops[i];

		if (t->w->broken == BREAK_LOSE_COUNTER && op->kind == ST_KEYSET_CNTR) {
			struct keyset_row *k = op->row;

			k->cntr = k->cntr_proven = 0; /* never lowers: the row stays as it was */
		}
		if (t->w->broken == BREAK_LOSE_END && op->kind == ST_TXN_PUT) {
			struct txn_row *txn = op->row;

			if (txn->state == TXN_DONE)
				txn->state = TXN_ACTIVE;
		}
		if (t->w->broken == BREAK_WRONG_LINE && op->kind == ST_TXN_PUT)
			((struct txn_row *)op->row)->sms_parts++;
		if (t->w->broken == BREAK_UNFENCE && op->kind == ST_CMD_PUT) {
			struct cmd_row *cmd = op->row;

			if (cmd->state == CMD_FENCED)
				cmd->state = CMD_WAIT_TIMER;
		}
	}
}

static void tamper_commit(struct store *s, struct store_batch *b)
{
	struct tamper *t = self(s);

	if (t->w->broken == BREAK_ACT_EARLY) {
		commit_later(t, b);
		return;
	}
	spoil(t, b);
	t->under->ops->commit(t->under, b);
}

static void tamper_fetch(struct store *s, struct store_fetch *f)
{
	self(s)->under->ops->fetch(self(s)->under, f);
}

static void tamper_query(struct store *s, struct store_query *q)
{
	self(s)->under->ops->query(self(s)->under, q);
}

static int tamper_fd(struct store *s)
{
	return -1;
}

static void tamper_poll(struct store *s)
{
	struct tamper *t = self(s);
	struct store_batch *b = t->early;

	t->early = NULL;
	if (b)
		b->done(b, STORE_OK);
	t->under->ops->poll(t->under);
}

static void tamper_wait(struct store *s)
{
	self(s)->under->ops->wait(self(s)->under);
}

static void tamper_close(struct store *s)
{
	/* the world closes what is underneath */
}

static const struct store_ops tamper_ops = {
	.kind = "tamper",
	.commit = tamper_commit,
	.fetch = tamper_fetch,
	.query = tamper_query,
	.fd = tamper_fd,
	.poll = tamper_poll,
	.wait = tamper_wait,
	.close = tamper_close,
};

struct store *sstore_tamper(struct world *w, struct store *under)
{
	struct tamper *t;

	if (w->broken != BREAK_ACT_EARLY && w->broken != BREAK_LOSE_COUNTER && w->broken != BREAK_LOSE_END &&
	    w->broken != BREAK_UNFENCE && w->broken != BREAK_WRONG_LINE)
		return under;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->s.ops = &tamper_ops;
	t->w = w;
	t->under = under;
	return &t->s;
}

bool sstore_tamper_due(struct store *s)
{
	return s->ops == &tamper_ops && self(s)->early;
}

void sstore_tamper_free(struct store *s)
{
	struct tamper *t = self(s);

	while (t->clones) {
		struct clone *c = t->clones;

		t->clones = c->next;
		store_batch_free(c->b);
		free(c);
	}
	free(t);
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
