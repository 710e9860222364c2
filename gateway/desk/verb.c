/* verb.c - what operators order: a job, or several in a row, then the answer.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

/* ---- cancelling is the same at every side: the order says so, and its works see it ---- */

static int cancel(struct desk *d, struct desk_job *j, struct desk_call *c)
{
	if (j->order->o.step != ORDER_OPEN) {
		snprintf(c->text, sizeof(c->text), "order %s is cancelled already", j->order->o.name);
		return -EALREADY;
	}
	j->order->o.step = ORDER_CANCELLED;
	job_order_put(j);
	/* B has promised to serve those that it said are ready: only A knows which of them it has armed since */
	if (j->order->o.side == SIDE_B)
		snprintf(c->text, sizeof(c->text),
			 "order %s is cancelled: no more cards are made ready; those that %s was told are ready may be "
			 "armed until it cancels the order, too: ask it to",
			 j->order->o.name, j->order->o.a);
	else
		snprintf(c->text, sizeof(c->text),
			 "order %s is cancelled; cards that are armed go on, the others come back", j->order->o.name);
	return 0;
}

static const struct desk_verb_row cancel_row = { .verb = DESK_CANCEL, .decide = cancel };

static const struct desk_verb_row *row_of(const struct desk *d, uint8_t verb, uint8_t side)
{
	for (unsigned s = 0; s < ORDER_SIDES; s++)
		for (const struct desk_verb_row *v = d->e->tables.verbs[s]; v && v->verb; v++)
			if (v->verb == verb && (!v->side || v->side == side))
				return v;
	return verb == DESK_CANCEL ? &cancel_row : NULL;
}

/* ---- the queue ---- */

int desk_request(struct desk *d, const struct desk_request *req)
{
	struct desk_engine *e = d->e;
	struct desk_call *c = &e->call[e->calls];

	if (e->calls == DESK_REQUESTS_MAX)
		return -ENOBUFS;
	*c = (struct desk_call){ .r = *req };
	if (req->file) {
		c->r.file = strdup(req->file);
		if (!c->r.file)
			return -ENOMEM;
	}
	e->calls++;
	if (d->deps.wake)
		d->deps.wake(d->deps.wake_ctx);
	return 0;
}

static void call_end(struct desk *d, const struct desk_verb_row *v, int rc)
{
	struct desk_engine *e = d->e;
	struct desk_call c = e->call[0];

	memmove(&e->call[0], &e->call[1], --e->calls * sizeof(e->call[0]));
	if (v && v->drop)
		v->drop(&c);
	if (c.r.done)
		c.r.done(c.r.ctx, rc, c.text);
	free((char *)c.r.file);
}

static bool verb_rows(struct desk *d, struct desk_run *r)
{
	struct desk_call *c = &d->e->call[0];
	const struct desk_verb_row *v = r->verb;
	unsigned n = 0;

	c->book = 0;
	if (v->want)
		n = v->want(d, c, r->j.order, r->keys, DESK_PAGE);
	r->verb_book = c->book ? c->book : v->book;
	r->j.n = n;
	if (n) {
		memcpy(r->tag, r->keys, n * sizeof(*r->tag));
		return run_keys(r, (enum book)r->verb_book, n, r->j.row);
	}
	if (!v->step)
		return false;
	r->q = (struct store_query){
		.kind = Q_BOOK_STEP, .book = v->book, .step = v->step, .limit = DESK_PAGE, .out = r->j.row
	};
	r->q.id = c->owner ? c->owner : r->j.order ? r->j.order->o.number : 0;
	memcpy(r->q.key, c->after, sizeof(c->after));
	r->verb_step = true;
	return true;
}

static int verb_decide(struct desk *d, struct desk_run *r)
{
	struct desk_call *c = &d->e->call[0];
	int rc;

	if (r->verb_step) {
		r->j.n = r->q.n;
		r->full = r->q.n == DESK_PAGE;
		for (unsigned i = 0; i < r->j.n; i++)
			memcpy(r->tag[i], r->j.row[i].row.key, BOOK_KEY_MAX);
	}
	for (unsigned i = 0; i < r->j.n; i++)
		if (r->verb_book != BOOK_LINE || !r->j.row[i].row.version ||
		    line_unpack(&r->j.line[i], r->j.row[i].body, r->j.row[i].row.len))
			memset(&r->j.line[i], 0, sizeof(r->j.line[i]));
	rc = r->verb->decide(d, &r->j, c);
	d->e->call_more = rc == DESK_MORE;
	return rc == DESK_MORE ? 0 : rc;
}

static void verb_after(struct desk *d, struct desk_run *r)
{
	if (d->e->call_more)
		d->e->call[0].round++;
	else
		call_end(d, r->verb, 0);
}

static void verb_failed(struct desk *d, struct desk_run *r, int rc)
{
	struct desk_call *c = &d->e->call[0];

	if (!c->text[0])
		snprintf(c->text, sizeof(c->text), "%.200s", r->j.why[0] ? r->j.why : strerror(-rc));
	call_end(d, r->verb, rc);
}

static const struct desk_run_ops verb_ops = {
	.name = "order", .rows = verb_rows, .decide = verb_decide, .after = verb_after, .failed = verb_failed
};

bool verb_next(struct desk *d)
{
	struct desk_engine *e = d->e;
	struct desk_call *c = &e->call[0];
	struct desk_open_order *o;
	const struct desk_verb_row *v;

	if (!e->calls)
		return false;
	o = c->r.order[0] ? desk_order_open(d, c->r.order) : NULL;
	v = row_of(d, c->r.verb, o ? o->o.side : 0);
	if (c->r.order[0] && !o)
		snprintf(c->text, sizeof(c->text), "no order %s is open here", c->r.order);
	else if (!v || (v == &cancel_row && !o))
		snprintf(c->text, sizeof(c->text), "that cannot be ordered of this instance in its role");
	else {
		run_begin(d, &verb_ops, o);
		e->run.verb = v;
		c->drop = v->drop;
		e->run.verb_step = false;
		return true;
	}
	call_end(d, NULL, o || !c->r.order[0] ? -EINVAL : -ENOENT);
	return true;
}
