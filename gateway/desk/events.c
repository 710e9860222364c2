/* events.c - what comes from outside about lines: ends of transactions, answers of the HLR; several of them make one job.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Ends of transactions are lost in a crash, or when too many wait: then the reports of the order's campaigns are read again.  A line
 * keeps the last of its transactions whose end was taken, so that an older one is known for what it is.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine.h"

/* ---- in ---- */

static void push(struct desk *d, const struct desk_event *ev)
{
	d->e->event[d->e->events++] = *ev;
}

void desk_event(struct desk *d, const struct desk_event *ev)
{
	struct desk_open_order *o = desk_order_number(d, ev->order);

	/* answers of the HLR are bounded by its slots: there is room for them beyond the others */
	if (ev->kind == DESK_EV_HLR || d->e->events < DESK_EVENTS_MAX)
		push(d, ev);
	else if (o)
		scan_begin(d, o);
}

static struct desk_open_order *of_campaign(struct desk *d, uint64_t campaign, unsigned *work)
{
	for (unsigned i = 0; campaign && i < d->e->orders; i++)
		for (*work = 0; *work < ORDER_WORKS; (*work)++)
			if (d->e->order[i]->o.campaign[*work] == campaign)
				return d->e->order[i];
	return NULL;
}

void desk_on_effect(struct desk *d, const struct gw_effect *fx)
{
	const struct gw_fx_txn *t = &fx->txn;
	struct desk_event ev = { .kind = DESK_EV_TXN,
				 .txn = t->txn,
				 .campaign = t->campaign,
				 .state = t->state,
				 .verdict = t->verdict,
				 .evidence = t->evidence,
				 .card_end = t->card_end,
				 .has_card = t->has_card,
				 .card_state = t->card_state,
				 .card_kvn = t->kvn,
				 .card_pending = t->pending,
				 .card_index = t->index,
				 .card_left = t->pairs_left,
				 .card_cntr = t->cntr,
				 .at_ms = t->at_ms };
	struct desk_open_order *o;
	unsigned work;

	if (fx->kind != GW_FX_TXN || fx->rc)
		return;
	o = of_campaign(d, t->campaign, &work);
	if (!o)
		return; /* an operator's own campaign */
	ev.order = o->o.number;
	ev.work = (uint8_t)work;
	snprintf(ev.iccid, sizeof(ev.iccid), "%s", t->iccid);
	snprintf(ev.reason, sizeof(ev.reason), "%.63s", fx->reason);
	desk_event(d, &ev);
	if (d->deps.wake)
		d->deps.wake(d->deps.wake_ctx);
}

/* ---- one job of them ---- */

static bool taken(const struct desk *d, const struct desk_event *ev)
{
	for (unsigned i = 0; i < d->e->n_taken; i++)
		if (!strcmp(d->e->taken[i].iccid, ev->iccid))
			return true;
	return false;
}

/* Of the order of the first one, each line once, in the order in which they came: what stays behind waits for the next job. */
static void take(struct desk *d)
{
	struct desk_engine *e = d->e;
	uint64_t order = e->event[0].order;
	unsigned kept = 0;

	e->n_taken = 0;
	for (unsigned i = 0; i < e->events; i++) {
		if (e->n_taken < DESK_EVENT_PAGE && e->event[i].order == order && !taken(d, &e->event[i]))
			e->taken[e->n_taken++] = e->event[i];
		else
			e->event[kept++] = e->event[i];
	}
	e->events = kept;
}

static bool events_rows(struct desk *d, struct desk_run *r)
{
	r->j.n = d->e->n_taken;
	r->j.event = d->e->taken;
	for (unsigned i = 0; i < r->j.n; i++) {
		line_key(r->keys[i], d->e->taken[i].order, d->e->taken[i].iccid);
		memcpy(r->tag[i], r->keys[i], BOOK_KEY_MAX);
	}
	return run_keys(r, BOOK_LINE, r->j.n, r->j.row);
}

/* Whether this is for the line, and what it is to be told. */
static bool event_fits(struct desk *d, struct desk_run *r, unsigned i)
{
	struct desk_event *ev = &r->j.event[i];
	struct line *l = &r->j.line[i];

	if (!r->j.row[i].row.version || line_unpack(l, r->j.row[i].body, r->j.row[i].row.len)) {
		desk_log(d, 4, "order %s: something about card %s, which is not in it", r->j.order->o.name, ev->iccid);
		memset(l, 0, sizeof(*l));
		return false;
	}
	if (ev->kind != DESK_EV_TXN)
		return true;
	if (ev->txn < l->txn)
		return false;
	ev->again = ev->txn == l->txn;
	l->txn = ev->txn;
	return true;
}

static int events_decide(struct desk *d, struct desk_run *r)
{
	struct desk_open_order *o = r->j.order;
	void (*tell)(struct desk *, struct desk_job *, unsigned) = d->e->tables.event[o->o.side - 1];

	for (unsigned i = 0; i < r->j.n; i++) {
		struct desk_event *ev = &r->j.event[i];
		const struct hlr_slot *s = &d->e->slot[ev->hlr_slot];

		if (ev->kind == DESK_EV_HLR && s->durable && s->stale)
			continue;			   /* of an operation that was ordered anew */
		if (ev->kind == DESK_EV_HLR && s->durable) /* first: the line may order the same once more */
			job_drop(&r->j, BOOK_HLR, s->key, s->version);
		if (event_fits(d, r, i) && tell)
			tell(d, &r->j, i);
	}
	return 0;
}

static void events_after(struct desk *d, struct desk_run *r)
{
	for (unsigned i = 0; i < d->e->n_taken; i++)
		if (d->e->taken[i].kind == DESK_EV_HLR)
			hlr_taken(d, &d->e->taken[i]);
	d->e->n_taken = 0;
	d->e->events_fails = 0;
	desk_alarm_over(d, &d->e->events);
}

/* Back to the front, in their order. */
static void events_failed(struct desk *d, struct desk_run *r, int rc)
{
	struct desk_engine *e = d->e;
	int64_t delay_ms = DESK_AGAIN_MS << (e->events_fails < 6 ? e->events_fails : 6);

	memmove(e->event + e->n_taken, e->event, e->events * sizeof(*e->event));
	memcpy(e->event, e->taken, e->n_taken * sizeof(*e->event));
	e->events += e->n_taken;
	e->n_taken = 0;
	e->events_fails++;
	e->events_due_ms = d->now_ms + delay_ms;
	desk_alarm(d, &e->events, "events: %.200s", r->j.why[0] ? r->j.why : strerror(-rc));
}

static const struct desk_run_ops events_ops = {
	.name = "events", .rows = events_rows, .decide = events_decide, .after = events_after, .failed = events_failed
};

/* ---- of an order that has ended: the register's answers close their records ---- */

static bool ended_rows(struct desk *d, struct desk_run *r)
{
	r->j.n = d->e->n_taken;
	r->j.event = d->e->taken;
	return false;
}

static int ended_decide(struct desk *d, struct desk_run *r)
{
	for (unsigned i = 0; i < r->j.n; i++) {
		const struct desk_event *ev = &r->j.event[i];
		const struct hlr_slot *s = &d->e->slot[ev->hlr_slot];

		if (ev->kind == DESK_EV_HLR && s->durable && !s->stale)
			job_drop(&r->j, BOOK_HLR, s->key, s->version);
		else if (ev->kind == DESK_EV_TXN)
			desk_log(d, 6, "txn %" PRIu64 " of card %s has ended after its order", ev->txn, ev->iccid);
	}
	return 0;
}

static const struct desk_run_ops ended_ops = { .name = "events-ended",
					       .rows = ended_rows,
					       .decide = ended_decide,
					       .after = events_after,
					       .failed = events_failed };

/* ---- reports read again ---- */

void scan_begin(struct desk *d, struct desk_open_order *o)
{
	o->scan = 0;
	o->scan_after = 0;
}

static bool scan_rows(struct desk *d, struct desk_run *r)
{
	const struct desk_open_order *o = r->j.order;

	r->q = (struct store_query){ .kind = Q_REPORT,
				     .id = o->o.campaign[o->scan],
				     .after = o->scan_after,
				     .limit = DESK_SCAN_PAGE,
				     .out = d->e->report };
	return true;
}

static void scan_after(struct desk *d, struct desk_run *r)
{
	struct desk_open_order *o = r->j.order;

	for (unsigned i = 0; i < r->q.n; i++) {
		const struct txn_row *t = &d->e->report[i].txn;
		struct desk_event ev = { .kind = DESK_EV_TXN,
					 .order = o->o.number,
					 .txn = t->id,
					 .campaign = t->campaign,
					 .work = (uint8_t)o->scan,
					 .state = t->state,
					 .verdict = t->verdict,
					 .evidence = t->evidence,
					 .card_end = t->card_end,
					 .at_ms = t->ended_ms };

		if (t->state == TXN_PLANNED || t->state == TXN_ACTIVE)
			continue;
		snprintf(ev.iccid, sizeof(ev.iccid), "%s", d->e->report[i].iccid);
		snprintf(ev.reason, sizeof(ev.reason), "%s", t->reason);
		push(d, &ev);
	}
	o->scan_after = r->q.last;
	if (r->q.n < DESK_SCAN_PAGE) {
		o->scan++;
		o->scan_after = 0;
	}
}

static void scan_failed(struct desk *d, struct desk_run *r, int rc)
{
	d->e->events_due_ms = d->now_ms + DESK_AGAIN_MS;
}

static const struct desk_run_ops scan_ops = {
	.name = "scan", .rows = scan_rows, .after = scan_after, .failed = scan_failed, .dry = true
};

static struct desk_open_order *scan_next(struct desk *d)
{
	for (unsigned i = 0; i < d->e->orders; i++) {
		struct desk_open_order *o = d->e->order[i];

		while (o->scan < ORDER_WORKS && !o->o.campaign[o->scan])
			o->scan++;
		if (o->scan < ORDER_WORKS)
			return o;
	}
	return NULL;
}

bool events_next(struct desk *d)
{
	struct desk_engine *e = d->e;
	struct desk_open_order *o;

	if (d->now_ms < e->events_due_ms)
		return false;
	if (e->events) {
		take(d);
		o = desk_order_number(d, e->taken[0].order);
		return run_begin(d, o ? &events_ops : &ended_ops, o);
	}
	o = scan_next(d);
	return o && run_begin(d, &scan_ops, o);
}

int64_t events_due(const struct desk *d)
{
	bool scan = false;

	for (unsigned i = 0; i < d->e->orders; i++)
		scan |= d->e->order[i]->scan < ORDER_WORKS;
	return d->e->events || scan ? d->e->events_due_ms : INT64_MAX;
}
