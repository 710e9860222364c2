/* api_lookup.c - campaigns that ended long ago: the core has given their places away, the store still tells of them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_int.h"

#define LOOKUP_PAGE 128
#define COUNTS_MAX  (_TXN_STATES * _FAIL_CLASSES)

/* ------------------------------------------------------------------------------------------------ by name */

struct lookup_call {
	struct call call;
	struct store_query q;
	struct lookup arg;
	lookup_fn *then;
	struct campaign_row row[LOOKUP_PAGE];
};

static void no_such_campaign(struct api_to to, const char *name)
{
	api_fail(to, API_NOT_FOUND, "no-such-campaign", "there is no campaign %.47s; see the list of campaigns", name);
}

static void lookup_done(struct store_query *q, int rc);

static void lookup_ask(struct lookup_call *c, uint64_t after)
{
	struct store *store = c->call.a->deps.store;

	c->q = (struct store_query){
		.kind = Q_CAMPAIGNS, .after = after, .limit = LOOKUP_PAGE, .out = c->row, .done = lookup_done, .ctx = c
	};
	store->ops->query(store, &c->q);
}

static void lookup_done(struct store_query *q, int rc)
{
	struct lookup_call *c = q->ctx;
	const struct campaign_row *found = NULL;

	for (unsigned i = 0; i < q->n && !rc && !found; i++) {
		if (!strcmp(c->row[i].name, c->arg.name))
			found = &c->row[i];
	}
	if (!rc && !found && q->n == q->limit) {
		lookup_ask(c, q->last);
		return;
	}
	if (rc)
		api_fail_store(c->call.a, c->call.to, rc, q->why);
	else if (!found)
		no_such_campaign(c->call.to, c->arg.name);
	else
		c->then(c->call.a, found, &c->arg, c->call.to);
	call_free(&c->call);
}

bool api_ready(const struct api *a, struct api_to to)
{
	if (gw_ready(a->deps.gw))
		return true;
	api_fail(to, API_NOT_READY, "starting", "the gateway is still reading its state: try again in a moment");
	return false;
}

void campaign_lookup_with(struct api *a, const struct lookup *arg, lookup_fn *then, struct api_to to)
{
	struct lookup_call *c;

	if (!api_ready(a, to))
		return;
	if (!name_ok(arg->name, CAMPAIGN_NAME_MAX)) {
		no_such_campaign(to, arg->name);
		return;
	}
	c = call_new(a, sizeof(*c), to, NULL);
	if (!c)
		return;
	c->arg = *arg;
	c->then = then;
	lookup_ask(c, 0);
}

void campaign_lookup(struct api *a, const char *name, uint64_t after, unsigned number, lookup_fn *then,
		     struct api_to to)
{
	struct lookup arg = { .after = after, .number = number };

	snprintf(arg.name, sizeof(arg.name), "%s", name);
	campaign_lookup_with(a, &arg, then, to);
}

/* ---------------------------------------------------------------------------------------------- its counts */

/* As the core counts when it starts. */
static void counts_take(struct api_campaign *c, const struct store_count *n, unsigned rows)
{
	struct gw_campaign_view *v = &c->view;

	*v = (struct gw_campaign_view){ .row = c->row, .eta_ms = -1 };
	for (unsigned i = 0; i < rows; i++) {
		if (n[i].state >= _TXN_STATES || n[i].fail_class >= _FAIL_CLASSES)
			continue;
		v->by_state[n[i].state] += n[i].n;
		v->sms_parts += n[i].sms_parts;
		v->attempts += n[i].attempts;
		v->probes += n[i].probes;
		if (n[i].fail_class != FAIL_NONE && n[i].state != TXN_DONE)
			v->by_class[n[i].fail_class] += n[i].n;
	}
	c->counted = true;
}

struct show_call {
	struct call call;
	struct store_query q;
	struct api_campaign one;
	struct store_count count[COUNTS_MAX];
};

static void show_done(struct store_query *q, int rc)
{
	struct show_call *c = q->ctx;
	struct api_reply r = { .status = API_OK, .campaign = &c->one };

	if (rc) {
		api_fail_store(c->call.a, c->call.to, rc, q->why);
	} else {
		counts_take(&c->one, c->count, q->n);
		c->call.to.done(c->call.to.ctx, &r);
	}
	call_free(&c->call);
}

void campaign_show_stored(struct api *a, const struct campaign_row *row, const struct lookup *arg, struct api_to to)
{
	struct show_call *c = call_new(a, sizeof(*c), to, NULL);

	if (!c)
		return;
	campaign_view(a, row, &c->one);
	c->q = (struct store_query){ .kind = Q_CAMPAIGN_COUNTS,
				     .id = row->id,
				     .limit = COUNTS_MAX,
				     .out = c->count,
				     .done = show_done,
				     .ctx = c };
	a->deps.store->ops->query(a->deps.store, &c->q);
}

/* ---------------------------------------------------------------------------------------------------- rows */

/* One more row: when there is no place the campaign that ended first makes room. */
static void rows_add(struct campaign_rows *r, const struct campaign_row *row)
{
	unsigned out = 0;

	if (r->n == API_CAMPAIGNS_MAX) {
		while (out + 1 < r->n && r->row[out].state != CAMPAIGN_DONE && r->row[out].state != CAMPAIGN_CANCELLED)
			out++;
		r->n--;
		memmove(&r->row[out], &r->row[out + 1], (r->n - out) * sizeof(r->row[0]));
	}
	r->row[r->n++] = *row;
}

static void rows_page(struct store_query *q, int rc)
{
	struct campaign_rows *r = q->ctx;

	for (unsigned i = 0; i < q->n && !rc; i++)
		rows_add(r, &r->page[i]);
	if (rc || q->n < q->limit) {
		r->done(r, rc);
		return;
	}
	q->after = q->last;
	r->store->ops->query(r->store, q);
}

void campaign_rows_read(struct api *a, struct campaign_rows *r)
{
	r->n = 0;
	r->store = a->deps.store;
	r->q = (struct store_query){
		.kind = Q_CAMPAIGNS, .out = r->page, .limit = ROWS_PAGE, .done = rows_page, .ctx = r
	};
	r->store->ops->query(r->store, &r->q);
}

/* ---------------------------------------------------------------------------------------------------- list */

struct list_call {
	struct call call;
	struct campaign_rows rows;
	struct store_query q;
	struct store_count count[COUNTS_MAX];
	struct api_campaign *view; /* rows.n of them */
	unsigned left;		   /* the next to be counted is left - 1 */
	uint64_t budget;
};

static void list_drop(struct call *c)
{
	free(((struct list_call *)c)->view);
}

static void list_counted(struct store_query *q, int rc);

/* Counts from the newest on, until what may be counted in one request is used up. */
static void list_next(struct list_call *c)
{
	struct api *a = c->call.a;
	struct api_campaigns all = { .campaign = c->view, .n = c->rows.n };
	struct api_reply r = { .status = API_OK, .campaigns = &all };

	for (; c->left; c->left--) {
		const struct api_campaign *v = &c->view[c->left - 1];

		if (v->counted || v->row.state == CAMPAIGN_LOADING || v->row.targets > c->budget)
			continue;
		c->budget -= v->row.targets;
		c->q = (struct store_query){ .kind = Q_CAMPAIGN_COUNTS,
					     .id = v->row.id,
					     .limit = COUNTS_MAX,
					     .out = c->count,
					     .done = list_counted,
					     .ctx = c };
		a->deps.store->ops->query(a->deps.store, &c->q);
		return;
	}
	c->call.to.done(c->call.to.ctx, &r);
	call_free(&c->call);
}

static void list_counted(struct store_query *q, int rc)
{
	struct list_call *c = q->ctx;

	if (rc) {
		api_fail_store(c->call.a, c->call.to, rc, q->why);
		call_free(&c->call);
		return;
	}
	counts_take(&c->view[--c->left], c->count, q->n);
	list_next(c);
}

static void list_rows(struct campaign_rows *r, int rc)
{
	struct list_call *c = r->ctx;

	c->view = rc ? NULL : calloc(r->n + 1, sizeof(*c->view));
	if (!c->view) {
		if (rc)
			api_fail_store(c->call.a, c->call.to, rc, r->q.why);
		else
			api_fail(c->call.to, API_NOT_READY, "no-memory", "out of memory: try again later");
		call_free(&c->call);
		return;
	}
	for (unsigned i = 0; i < r->n; i++)
		campaign_view(c->call.a, &r->row[i], &c->view[i]);
	c->left = r->n;
	c->budget = API_LIST_COUNTED_MAX;
	list_next(c);
}

void api_campaign_list(struct api *a, struct api_to to)
{
	struct list_call *c = call_new(a, sizeof(*c), to, list_drop);

	if (!c)
		return;
	c->rows.done = list_rows;
	c->rows.ctx = c;
	campaign_rows_read(a, &c->rows);
}
