/* api.c - the only door: life, waiting calls, the gateway's own status.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "api_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_PAGE 64 /* campaigns read at a time when starting */

/* ------------------------------------------------------------------------------------------------- small */

int64_t api_now(const struct api *a)
{
	return a->deps.env->utc_ms(a->deps.env->ctx);
}

void api_log(const struct api *a, int level, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (!a->deps.log)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	a->deps.log(a->deps.log_ctx, level, line);
}

void api_fail(struct api_to to, enum api_status status, const char *code, const char *fmt, ...)
{
	struct api_reply r = { .status = status, .code = code };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r.message, sizeof(r.message), fmt, ap);
	va_end(ap);
	to.done(to.ctx, &r);
}

/* A damaged page that only a question has met stays an alarm: somebody must look, and the core may not have come there yet. */
void api_fail_store(struct api *a, struct api_to to, int rc, const char *why)
{
	if (rc == STORE_E_CORRUPT)
		snprintf(a->damaged, sizeof(a->damaged), "%s", store_why_text(rc, why));
	api_log(a, 4, "store: %s (%d)", store_why_text(rc, why), rc);
	api_fail(to, API_NOT_READY, "store",
		 "the store could not do it: %s; nothing of this request was written, send it again later",
		 store_why_text(rc, why));
}

/* ------------------------------------------------------------------------------------------------- calls */

void *call_new(struct api *a, size_t size, struct api_to to, void (*drop)(struct call *c))
{
	struct call *c;

	if (a->stopping || a->n_calls >= API_CALLS_MAX) {
		api_fail(to, API_NOT_READY, a->stopping ? "stopping" : "busy", "%s",
			 a->stopping ? "the gateway is stopping" :
				       "too many requests are waiting: try again in a moment");
		return NULL;
	}
	c = calloc(1, size);
	if (!c) {
		api_fail(to, API_NOT_READY, "no-memory", "out of memory: try again later");
		return NULL;
	}
	c->a = a;
	c->to = to;
	c->drop = drop;
	c->next = &a->calls;
	c->prev = a->calls.prev;
	c->prev->next = c->next->prev = c;
	a->n_calls++;
	return c;
}

void call_free(struct call *c)
{
	c->prev->next = c->next;
	c->next->prev = c->prev;
	c->a->n_calls--;
	if (c->drop)
		c->drop(c);
	free(c);
}

/* -------------------------------------------------------------------------------------------------- life */

struct api *api_new(const struct api_deps *deps)
{
	struct api *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->deps = *deps;
	a->calls.next = a->calls.prev = &a->calls;
	a->next_campaign = 1;
	return a;
}

void api_attach(struct api *a, struct desk *desk, struct exchange *exchange)
{
	a->desk = desk;
	a->exchange = exchange;
}

bool api_read_only(const struct api *a)
{
	return a->deps.read_only;
}

uint64_t api_campaign_id(struct api *a)
{
	return a->next_campaign++;
}

void api_free(struct api *a)
{
	if (!a)
		return;
	a->stopping = true;
	while (a->calls.next != &a->calls) {
		struct call *c = a->calls.next;

		api_fail(c->to, API_NOT_READY, "stopping", "the gateway is stopping");
		call_free(c);
	}
	for (size_t i = 0; i < API_SESSIONS_MAX; i++) {
		if (a->session[i])
			session_drop(a, a->session[i]);
	}
	free(a);
}

static int drop_unfinished(struct api *a, const struct campaign_row *row, char *err, size_t cap)
{
	struct store_batch *b = store_batch_new();
	const char *why = "out of memory";
	int rc = STORE_E_IO;

	if (b && store_batch_add(b, ST_CAMPAIGN_DROP, row, NULL, 0))
		rc = store_commit_wait(a->deps.store, b);
	if (b)
		why = store_why_text(rc, b->why);
	if (rc)
		snprintf(err, cap, "cannot drop campaign %s, whose list never finished coming in: %s", row->name, why);
	else
		api_log(a, 5, "campaign %s: its list never finished coming in, dropped; create it again", row->name);
	store_batch_free(b);
	return rc ? -1 : 0;
}

int api_start_cleanup(struct api *a, char *err, size_t err_cap)
{
	struct campaign_row page[START_PAGE];
	struct store_totals totals = { 0 };
	struct store_query q = { .kind = Q_TOTALS, .out = &totals, .limit = 1 };
	int rc = store_query_wait(a->deps.store, &q);

	a->next_campaign = totals.max_campaign + 1;
	q = (struct store_query){ .kind = Q_CAMPAIGNS, .out = page, .limit = START_PAGE };
	do {
		if (!rc)
			rc = store_query_wait(a->deps.store, &q);
		if (rc) {
			snprintf(err, err_cap, "cannot read the campaigns: %s", store_why_text(rc, q.why));
			return -1;
		}
		for (unsigned i = 0; i < q.n; i++) {
			if (page[i].state == CAMPAIGN_LOADING && drop_unfinished(a, &page[i], err, err_cap))
				return -1;
		}
		q.after = q.last;
	} while (q.n == START_PAGE);
	return 0;
}

/* ------------------------------------------------------------------------------------------------ status */

const char *api_alarm(struct api *a)
{
	const struct gw *gw = a->deps.gw;
	struct gw_route_view v;

	if (gw_fatal(gw) || *a->damaged)
		return gw_fatal(gw) ? gw_fatal(gw) : a->damaged;
	if (gw_alarm(gw))
		return gw_alarm(gw);
	for (unsigned i = 0; i < gw_routes(gw); i++) { /* where one can be carried, something moves */
		gw_route_view(gw, i, &v);
		if (v.rank >= 0)
			return NULL;
	}
	return gw_route_alarm(gw, a->route_alarm);
}

struct status_call {
	struct call call;
	struct store_query q;
	struct store_totals totals;
	struct campaign_rows rows;
};

/* Links and routes as they are; what it points to lives in *l. */
struct links_look {
	struct api_link_status link[ROUTE_LINKS_MAX];
	struct gw_route_view route[ROUTES_MAX];
	char alarm[ROUTE_ALARM_MAX];
};

static struct api_links links_look(const struct api *a, struct links_look *l)
{
	const struct api_deps *d = &a->deps;
	struct api_links out = { .alarm = gw_route_alarm(d->gw, l->alarm), .link = l->link, .route = l->route };

	out.n_links = d->n_links < ROUTE_LINKS_MAX ? d->n_links : ROUTE_LINKS_MAX;
	out.n_routes = gw_routes(d->gw);
	for (unsigned i = 0; i < out.n_links; i++) {
		l->link[i].name = d->links[i]->name;
		d->links[i]->ops->stats(d->links[i], &l->link[i].stats);
		gw_link_view(d->gw, i, &l->link[i].view);
	}
	for (unsigned i = 0; i < out.n_routes; i++)
		gw_route_view(d->gw, i, &l->route[i]);
	return out;
}

static void status_answer(struct status_call *c)
{
	struct api *a = c->call.a;
	const struct api_deps *d = &a->deps;
	struct links_look *look = calloc(1, sizeof(*look));
	struct api_campaign *view = calloc(c->rows.n + 1, sizeof(*view));
	struct api_exchange *x = a->desk ? calloc(1, sizeof(*x)) : NULL;
	struct api_gw_status st = { .version = d->version, .totals = c->totals, .exchange = x };
	struct api_reply r = { .status = API_OK, .gw = &st };

	if (x)
		api_exchange_look(a, x);
	if (look && view) {
		st.links = links_look(a, look);
		for (unsigned i = 0; i < c->rows.n; i++)
			campaign_view(a, &c->rows.row[i], &view[i]);
		st.campaigns = (struct api_campaigns){ .campaign = view, .n = c->rows.n };
		st.ready = gw_ready(d->gw) && (!x || x->ready);
		gw_stats(d->gw, &st.core);
		ks_stats(d->ks, &st.keystore);
		st.alarm = api_alarm(a);
		if (!st.alarm)
			st.alarm = st.links.alarm;
		c->call.to.done(c->call.to.ctx, &r);
	} else {
		api_fail(c->call.to, API_NOT_READY, "no-memory", "out of memory: try again later");
	}
	free(look);
	free(view);
	free(x);
	call_free(&c->call);
}

void api_links(struct api *a, struct api_to to)
{
	struct links_look *look = calloc(1, sizeof(*look));
	struct api_links l;
	struct api_reply r = { .status = API_OK, .links = &l };

	if (look) {
		l = links_look(a, look);
		to.done(to.ctx, &r);
	} else {
		api_fail(to, API_NOT_READY, "no-memory", "out of memory: try again later");
	}
	free(look);
}

void api_counters(struct api *a, struct api_to to)
{
	const struct api_deps *d = &a->deps;
	struct links_look *look = calloc(1, sizeof(*look));
	struct api_exchange *x = a->desk ? calloc(1, sizeof(*x)) : NULL;
	struct api_gw_status st = { .version = d->version, .exchange = x };
	struct api_reply r = { .status = API_OK, .gw = &st };

	if (x)
		api_exchange_look(a, x);
	if (look) {
		st.links = links_look(a, look);
		st.ready = gw_ready(d->gw) && (!x || x->ready);
		gw_stats(d->gw, &st.core);
		ks_stats(d->ks, &st.keystore);
		st.alarm = api_alarm(a);
		if (!st.alarm)
			st.alarm = st.links.alarm;
		to.done(to.ctx, &r);
	} else {
		api_fail(to, API_NOT_READY, "no-memory", "out of memory: try again later");
	}
	free(look);
	free(x);
}

/* A store that answers nothing is itself the news: the rest is shown. */
static void status_campaigns(struct campaign_rows *r, int rc)
{
	status_answer(r->ctx);
}

static void status_totals(struct store_query *q, int rc)
{
	struct status_call *c = q->ctx;

	if (rc)
		c->totals = (struct store_totals){ 0 };
	c->rows.done = status_campaigns;
	c->rows.ctx = c;
	campaign_rows_read(c->call.a, &c->rows);
}

void api_status(struct api *a, struct api_to to)
{
	struct status_call *c = call_new(a, sizeof(*c), to, NULL);

	if (!c)
		return;
	c->q = (struct store_query){ .kind = Q_TOTALS, .out = &c->totals, .limit = 1, .done = status_totals, .ctx = c };
	a->deps.store->ops->query(a->deps.store, &c->q);
}

/* ------------------------------------------------------------------------------------------------ events */

void api_events(struct api *a, uint64_t after, unsigned limit, struct api_to to)
{
	struct api_events e = { .last = after };
	struct api_reply r = { .status = API_OK, .events = &e };

	if (limit < 1 || limit > EVENTS_MAX) {
		api_fail(to, API_BAD, "bad-limit", "limit must be 1 to %d", EVENTS_MAX);
		return;
	}
	if (a->deps.events) {
		/* numbers begin anew with the process: who has seen more than there are sees them from the beginning */
		e.n = events_after(a->deps.events, after > a->deps.events->last ? 0 : after, e.line, limit);
		e.last = a->deps.events->last;
	}
	to.done(to.ctx, &r);
}

/* ----------------------------------------------------------------------------------------------- explain */

void api_explain(struct api *a, const char *packet_hex, struct api_to to)
{
	uint8_t octets[OTA_PACKET_MAX + 8];
	struct decoded d;
	struct api_reply r = { .status = API_OK, .decoded = &d };
	int n = hex_decode(octets, sizeof(octets), packet_hex);

	if (n <= 0) {
		api_fail(to, API_BAD, "bad-hex", "packet: not hexadecimal, or longer than %zu octets", sizeof(octets));
		return;
	}
	decode_clear(&d, octets, (size_t)n);
	if (d.kind == DECODED_NOTHING) {
		api_fail(to, API_BAD, "bad-packet", "packet: %s", d.note);
		return;
	}
	to.done(to.ctx, &r);
}
