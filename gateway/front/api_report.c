/* api_report.c - campaigns as they run: verbs, views, the report.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ota/nearest.h"
#include "api_int.h"

/* ------------------------------------------------------------------------------------------------- views */

bool campaign_view(struct api *a, const struct campaign_row *row, struct api_campaign *out)
{
	*out = (struct api_campaign){ .row = *row, .alarm = api_alarm(a) };
	out->counted = gw_campaign_view(a->deps.gw, row->id, &out->view);
	if (out->counted) {
		out->row = out->view.row;
		gw_campaign_pace(a->deps.gw, api_now(a), &out->view);
	}
	if (out->alarm) /* nothing moves: no time can be told */
		out->view.eta_ms = -1;
	return out->counted;
}

void api_campaign_show(struct api *a, const char *name, struct api_to to)
{
	struct api_campaign one = { 0 };
	struct api_reply r = { .status = API_OK, .campaign = &one };

	for (size_t i = 0; i < API_SESSIONS_MAX; i++) {
		struct session *s = a->session[i];

		/* still coming in: what the intake knows */
		if (s && s->kind == SESSION_CAMPAIGN && !s->dry_run && !strcmp(s->campaign.name, name)) {
			one.row = s->campaign;
			one.alarm = api_alarm(a);
			to.done(to.ctx, &r);
			return;
		}
	}
	if (!gw_campaign_find(a->deps.gw, name, &one.row.id)) {
		campaign_lookup(a, name, 0, 0, campaign_show_stored, to);
		return;
	}
	campaign_view(a, &one.row, &one);
	to.done(to.ctx, &r);
}

/* ------------------------------------------------------------------------------------------------- verbs */

struct verb_call {
	struct call call;
	uint64_t campaign;
	const struct link *link; /* NULL: it is a campaign's */
};

/* The core does not hold it: why not. */
static void verb_refuse(struct api *a, const struct campaign_row *row, const struct lookup *arg, struct api_to to)
{
	const char *state = campaign_state_name(row->state);
	uint64_t id;

	if (gw_campaign_find(a->deps.gw, row->name, &id)) /* its list was finished meanwhile */
		api_campaign_verb(a, row->name, (enum gw_campaign_verb)arg->number, to);
	else if (row->state == CAMPAIGN_LOADING)
		api_fail(to, API_REFUSED, "loading",
			 "campaign %s is %s: its list has not been finished; finish or delete it", row->name, state);
	else if (row->state == CAMPAIGN_DONE || row->state == CAMPAIGN_CANCELLED)
		api_fail(to, API_REFUSED, "already", "campaign %s is %s: it has ended, its report stays", row->name,
			 state);
	else
		api_fail(to, API_REFUSED, "not-adopted",
			 "campaign %s is %s in the store, but the gateway does not hold it: restart the gateway",
			 row->name, state);
}

static void verb_post(struct api *a, struct call *c, const struct gw_event *ev)
{
	if (gw_post(a->deps.gw, ev)) {
		api_fail(c->to, API_NOT_READY, "busy", "the core's inbox is full: try again in a moment");
		call_free(c);
	} else if (a->deps.kick) {
		a->deps.kick(a->deps.kick_ctx);
	}
}

void api_campaign_verb(struct api *a, const char *name, enum gw_campaign_verb verb, struct api_to to)
{
	struct verb_call *c;
	struct gw_event ev = { .kind = GW_EV_CAMPAIGN, .verb = (uint8_t)verb };

	if (!gw_campaign_find(a->deps.gw, name, &ev.campaign)) {
		campaign_lookup(a, name, 0, verb, verb_refuse, to);
		return;
	}
	c = call_new(a, sizeof(*c), to, NULL);
	if (!c)
		return;
	c->campaign = ev.campaign;
	c->call.request = ev.request = ++a->next_request;
	verb_post(a, &c->call, &ev);
}

void api_link_order(struct api *a, const char *name, enum link_order order, struct api_to to)
{
	struct gw_event ev = { .kind = GW_EV_ORDER, .verb = (uint8_t)order };
	const char *list[ROUTE_LINKS_MAX], *near;
	struct verb_call *c;

	while (ev.link < a->deps.n_links && strcmp(a->deps.links[ev.link]->name, name)) {
		list[ev.link] = a->deps.links[ev.link]->name;
		ev.link++;
	}
	if (ev.link == a->deps.n_links) {
		near = nearest_word(name, list, a->deps.n_links);
		api_fail(to, API_NOT_FOUND, "no-such-link", "there is no smsc-link %.40s%s%s%s", name,
			 near ? "; did you mean " : "; 'otactl smsc list' names them", near ? near : "",
			 near ? "?" : "");
		return;
	}
	c = call_new(a, sizeof(*c), to, NULL);
	if (!c)
		return;
	c->link = a->deps.links[ev.link];
	c->call.request = ev.request = ++a->next_request;
	verb_post(a, &c->call, &ev);
}

static void verb_answer(struct api *a, struct verb_call *c)
{
	struct gw_campaign_view *view = calloc(1, sizeof(*view));
	struct gw_link_view link = { .order = LINK_OPEN };
	struct api_verb v = { 0 };
	struct api_reply r = { .status = API_OK, .verb = &v };

	if (c->link) {
		gw_link_view(a->deps.gw, c->link->id, &link);
		v.name = c->link->name;
		v.state = link.order == LINK_DRAINED && !link.idle ? "draining" : link_order_name(link.order);
	} else if (view && gw_campaign_view(a->deps.gw, c->campaign, view)) {
		v.name = view->row.name;
		v.state = campaign_state_name(view->row.state);
	}
	if (v.name)
		c->call.to.done(c->call.to.ctx, &r);
	else
		api_fail(c->call.to, API_NOT_FOUND, "no-such-campaign", "the campaign is gone");
	free(view);
}

void api_on_effect(struct api *a, const struct gw_effect *fx)
{
	struct call *c = a->calls.next;

	if (fx->kind != GW_FX_REPLY || !fx->request)
		return;
	while (c != &a->calls && c->request != fx->request)
		c = c->next;
	if (c == &a->calls)
		return;
	if (c->reply) {
		c->reply(c, fx);
		return;
	}
	if (fx->rc)
		api_fail(c->to, fx->rc == -ENOENT ? API_NOT_FOUND : API_REFUSED,
			 fx->rc == -ENOENT   ? "no-such-campaign" :
			 fx->rc == -EALREADY ? "already" :
					       "refused",
			 "%s", *fx->reason ? fx->reason : "the core refused it");
	else
		verb_answer(a, (struct verb_call *)c);
	call_free(c);
}

/* ------------------------------------------------------------------------------------------------ report */

struct report_call {
	struct call call;
	struct store_query q;
	struct store_report row[];
};

static void report_done(struct store_query *q, int rc)
{
	struct report_call *c = q->ctx;
	struct api_report page = { .row = c->row, .n = q->n, .next = q->n == q->limit ? q->last : 0 };
	struct api_reply r = { .status = API_OK, .report = &page };

	if (rc)
		api_fail_store(c->call.a, c->call.to, rc, q->why);
	else
		c->call.to.done(c->call.to.ctx, &r);
	call_free(&c->call);
}

static void report_ask(struct api *a, uint64_t campaign, uint64_t after, unsigned limit, struct api_to to)
{
	struct report_call *c = call_new(a, sizeof(*c) + limit * sizeof(c->row[0]), to, NULL);

	if (!c)
		return;
	c->q = (struct store_query){ .kind = Q_REPORT,
				     .id = campaign,
				     .after = after,
				     .limit = limit,
				     .out = c->row,
				     .done = report_done,
				     .ctx = c };
	a->deps.store->ops->query(a->deps.store, &c->q);
}

static void report_stored(struct api *a, const struct campaign_row *row, const struct lookup *arg, struct api_to to)
{
	report_ask(a, row->id, arg->after, arg->number, to);
}

void api_campaign_report(struct api *a, const char *name, uint64_t after, unsigned limit, struct api_to to)
{
	uint64_t id;

	if (limit < 1 || limit > API_REPORT_ROWS_MAX)
		api_fail(to, API_BAD, "bad-limit", "limit must be 1 to %d", API_REPORT_ROWS_MAX);
	else if (gw_campaign_find(a->deps.gw, name, &id))
		report_ask(a, id, after, limit, to);
	else
		campaign_lookup(a, name, after, limit, report_stored, to);
}
