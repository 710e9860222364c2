/* works.c - what is to do on which order: works are kicked, come again later, and go through their records page by page.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine.h"

static void due(struct desk *d, struct desk_open_order *o, unsigned w, int64_t at_ms)
{
	if (at_ms < o->todo[w].due_ms)
		o->todo[w].due_ms = at_ms;
	if (at_ms < d->e->works_due_ms)
		d->e->works_due_ms = at_ms;
}

void desk_kick(struct desk *d, uint64_t order, uint16_t step)
{
	struct desk_open_order *o = desk_order_number(d, order);

	for (unsigned w = 0; o && w < d->e->works; w++) {
		const struct desk_work *work = d->e->work[w];

		if ((step && (work->step != step || work->calm)) || (work->side && work->side != o->o.side))
			continue;
		if (o->todo[w].after[0])
			o->todo[w].kicked = true;
		due(d, o, w, d->now_ms);
	}
}

void desk_again(struct desk *d, uint64_t order, uint16_t step, int64_t at_ms)
{
	struct desk_open_order *o = desk_order_number(d, order);

	for (unsigned w = 0; o && w < d->e->works; w++)
		if (d->e->work[w]->step == step && (!d->e->work[w]->side || d->e->work[w]->side == o->o.side))
			due(d, o, w, at_ms);
}

static unsigned page_of(const struct desk_work *w)
{
	unsigned most = w->cards ? DESK_PAGE_CARDS : DESK_PAGE;

	return w->page && w->page < most ? w->page : most;
}

static bool work_rows(struct desk *d, struct desk_run *r)
{
	struct desk_open_order *o = r->j.order;

	r->j.work = d->e->work[r->work];
	r->q = (struct store_query){ .kind = Q_BOOK_STEP,
				     .book = r->j.work->book,
				     .id = o->o.number,
				     .step = r->j.work->step,
				     .limit = page_of(r->j.work),
				     .out = r->j.row };
	snprintf(r->q.key, sizeof(r->q.key), "%s", o->todo[r->work].after);
	return true;
}

static bool work_also(struct desk *d, struct desk_run *r)
{
	const struct desk_work *w = r->j.work;

	if (!w->also || !r->j.n)
		return false;
	memset(r->j.also, 0, r->j.n * sizeof(*r->j.also));
	if (w->also_key) {
		for (unsigned i = 0; i < r->j.n; i++) {
			r->keys[i][0] = 0;
			w->also_key(&r->j, i, r->keys[i]);
		}
		return run_keys(r, w->also, r->j.n, r->j.also);
	}
	r->q = (struct store_query){ .kind = Q_BOOK_STEP,
				     .book = w->also,
				     .id = r->j.order->o.number,
				     .step = w->also_step,
				     .limit = r->j.n,
				     .out = r->j.also };
	return true;
}

static const char *work_card(struct desk *d, struct desk_run *r, unsigned i)
{
	return r->j.work->cards && r->j.work->book == BOOK_LINE ? r->j.line[i].iccid : NULL;
}

static int work_decide(struct desk *d, struct desk_run *r)
{
	return r->j.n ? r->j.work->decide(d, &r->j) : 0;
}

static void work_after(struct desk *d, struct desk_run *r)
{
	struct desk_open_order *o = r->j.order;
	struct desk_todo *t = &o->todo[r->work];

	t->fails = 0;
	desk_alarm_over(d, t);
	if (r->j.anew) {
		t->after[0] = 0;
		due(d, o, r->work, d->now_ms);
	} else if (r->full) {
		snprintf(t->after, sizeof(t->after), "%s", r->last);
		due(d, o, r->work, d->now_ms);
	} else {
		t->after[0] = 0;
		if (t->kicked)
			due(d, o, r->work, d->now_ms);
		t->kicked = false;
	}
	if (r->j.n && r->j.work->after)
		r->j.work->after(d, &r->j);
}

static void work_failed(struct desk *d, struct desk_run *r, int rc)
{
	struct desk_open_order *o = r->j.order;
	struct desk_todo *t = &o->todo[r->work];
	int64_t delay_ms = DESK_AGAIN_MS << (t->fails < 9 ? t->fails : 9);

	if (t->fails < UINT8_MAX)
		t->fails++;
	t->after[0] = 0;
	t->kicked = false;
	due(d, o, r->work, d->now_ms + (delay_ms < DESK_AGAIN_MAX_MS ? delay_ms : DESK_AGAIN_MAX_MS));
	if (rc != -EAGAIN || t->fails > DESK_RERUNS_MAX)
		desk_alarm(d, t, "order %s: %s: %.200s", o->o.name, d->e->work[r->work]->name,
			   r->j.why[0] ? r->j.why : strerror(-rc));
}

static const struct desk_run_ops work_ops = {
	.name = "work",
	.rows = work_rows,
	.also = work_also,
	.card = work_card,
	.decide = work_decide,
	.after = work_after,
	.failed = work_failed,
};

bool work_next(struct desk *d)
{
	struct desk_engine *e = d->e;
	unsigned all = e->orders * e->works;
	int64_t next_ms = INT64_MAX;

	if (d->now_ms < e->works_due_ms)
		return false;
	for (unsigned k = 0; k < all; k++) {
		unsigned at = (e->pick + k) % all;
		struct desk_open_order *o = e->order[at / e->works];
		struct desk_todo *t = &o->todo[at % e->works];

		if (t->due_ms > d->now_ms) {
			next_ms = t->due_ms < next_ms ? t->due_ms : next_ms;
			continue;
		}
		t->due_ms = INT64_MAX; /* what is kicked from now on counts */
		e->pick = at + 1;
		e->run.work = at % e->works;
		run_begin(d, &work_ops, o);
		e->run.j.work = e->work[e->run.work];
		return true;
	}
	e->works_due_ms = next_ms;
	return false;
}

int64_t work_due(struct desk *d)
{
	return d->e->orders ? d->e->works_due_ms : INT64_MAX;
}
