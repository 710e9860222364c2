/* links.c - the links and routes as the core sees them: who may take what, what operators order, what is told.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The rules are route.c's.  An order (block, drain, open) holds at once and stands in the store with the next batch, so that it
 * survives a restart: a link that was blocked for a reason does not come back by itself.
 */
#include <stdio.h>

#include "gw_int.h"

_Static_assert(ROUTE_LINKS_MAX <= 32 && ROUTES_MAX <= 32, "a bit each");

int links_init(struct gw *gw)
{
	const struct gw_cfg *c = &gw->cfg;

	if (c->n_links > ROUTE_LINKS_MAX || c->n_routes > ROUTES_MAX)
		return -EINVAL;
	gw->n_routes = c->n_routes ? c->n_routes : 1;
	for (unsigned i = 0; i < c->n_routes; i++)
		gw->route[i].r = c->routes[i];
	if (!c->n_routes)
		route_default(&gw->route[0].r, c->n_links);
	for (unsigned i = 0; i < c->n_links; i++) {
		gw->link_state[i].order = c->link_order[i] < _LINK_ORDERS ? c->link_order[i] : LINK_OPEN;
		gw->link[i].wanted = gw->link_state[i].order != LINK_DRAINED;
	}
	return 0;
}

/* Nobody is late yet. */
void links_start(struct gw *gw)
{
	for (unsigned i = 0; i < gw->cfg.n_links; i++)
		gw->link_state[i].since_ms = gw->now_ms;
}

const char *link_name(const struct gw *gw, unsigned link, char number[12])
{
	if (gw->cfg.link_names)
		return gw->cfg.link_names[link];
	snprintf(number, 12, "%u", link);
	return number;
}

/* ------------------------------------------------------------------------------------------------ who may take what */

unsigned card_route(struct gw *gw, const struct card *c, bool moved)
{
	const struct campaign *camp = campaign_by_id(gw, c->b.txn.campaign);
	const struct route_key key = {
		.imsi = moved ? c->b.txn.new_imsi : c->b.card.imsi,
		.msisdn = moved && *c->b.txn.new_msisdn ? c->b.txn.new_msisdn : c->b.card.msisdn,
		.profile = camp ? camp->profile.name : NULL,
	};
	unsigned r = 0;

	if (gw->n_routes == 1)
		return 0;
	while (r + 1 < gw->n_routes && route_find(&gw->route[r].r, 1, &key))
		r++;
	return r; /* the last one takes all: the config is refused otherwise */
}

uint32_t link_routes(const struct gw *gw, unsigned link, int64_t now_ms)
{
	uint32_t mask = 0;

	for (unsigned i = 0; i < gw->n_routes; i++)
		if (gw->route[i].queued &&
		    route_serves(&gw->route[i].r, link, gw->link_state, gw->cfg.failover_ms, now_ms))
			mask |= 1u << i;
	return mask;
}

/* Something of the route could leave now, as far as links are concerned. */
bool route_live(const struct gw *gw, unsigned route)
{
	for (unsigned i = 0; i < gw->cfg.n_links; i++)
		if (route_serves(&gw->route[route].r, i, gw->link_state, gw->cfg.failover_ms, gw->now_ms))
			return true;
	return false;
}

void link_took(struct gw *gw, unsigned link, int64_t now_ms)
{
	route_link_took(&gw->link_state[link], now_ms);
}

/* ------------------------------------------------------------------------------------------------ what happens to links */

void links_up_down(struct gw *gw, unsigned link, bool up)
{
	route_link_up(&gw->link_state[link], up, gw->now_ms);
}

/* What the SMSC has said of a submit, or that it has said nothing. */
void links_outcome(struct gw *gw, const struct gw_event *ev)
{
	struct route_link *l = &gw->link_state[ev->link];

	if (ev->own) /* nobody was asked */
		return;
	if (ev->ev.kind == LINK_EV_UNKNOWN)
		route_link_unanswered(l, gw->now_ms);
	else
		route_link_answered(l);
}

static void order_store(struct gw *gw)
{
	struct store_meta meta = { .key = LINK_ORDERS_KEY };
	char text[ROUTE_ORDERS_MAX], number[ROUTE_LINKS_MAX][12];
	const char *names[ROUTE_LINKS_MAX];
	size_t len;

	for (unsigned i = 0; i < gw->cfg.n_links; i++)
		names[i] = link_name(gw, i, number[i]);
	len = route_orders_print(text, names, gw->link_state, gw->cfg.n_links, gw->cfg.absent_orders);
	gw_op(gw, ST_META_PUT, &meta, text, len);
}

void link_verb(struct gw *gw, const struct gw_event *ev)
{
	static const char *const does[_LINK_ORDERS] = {
		[LINK_OPEN] = "opened: it carries packets again",
		[LINK_BLOCKED] = "blocked: it gets no packet, stays bound and brings messages of cards",
		[LINK_DRAINED] = "drained: it gets no packet, and unbinds when what it has is answered",
	};
	struct route_link *l;
	char number[12];

	if (ev->link >= gw->cfg.n_links || ev->verb >= _LINK_ORDERS) {
		gw_reply(gw, ev->request, -ENOENT, "no such link");
		return;
	}
	l = &gw->link_state[ev->link];
	if (l->order == ev->verb) {
		gw_reply(gw, ev->request, -EALREADY, "link %s is %s already", link_name(gw, ev->link, number),
			 link_order_name(l->order));
		return;
	}
	l->order = ev->verb;
	if (!l->up)
		l->since_ms = gw->now_ms; /* it gets its time to bind */
	gw_log(gw, 5, "link %s %s", link_name(gw, ev->link, number), does[ev->verb]);
	order_store(gw);
	gw_reply(gw, ev->request, 0, "%s", link_order_name(l->order));
}

bool gw_link_wanted(const struct gw *gw, unsigned link)
{
	return gw->link_state[link].order != LINK_DRAINED || gw->link[link].flying || gw->link[link].current;
}

/* ------------------------------------------------------------------------------------------------ what is told */

/* The links of a rank; all of them with rank -1, and how each is. */
static void names_of(const struct gw *gw, const struct route *r, int rank, char *out, size_t cap)
{
	size_t len = 0;

	*out = 0;
	for (unsigned i = 0; i < r->n_links && len < cap; i++) {
		const struct route_link *l = &gw->link_state[r->via[i].link];
		char number[12];

		if (rank >= 0 && r->via[i].rank != rank)
			continue;
		len += (size_t)snprintf(out + len, cap - len, "%s%s%s%s", len ? ", " : "",
					link_name(gw, r->via[i].link, number), rank < 0 ? " " : "",
					rank >= 0 ? "" :
					l->order  ? link_order_name(l->order) :
						    "down");
	}
}

static void route_tell(struct gw *gw, struct gw_route *r, int rank)
{
	char names[ROUTE_ALARM_MAX - 160];

	names_of(gw, &r->r, rank, names, sizeof(names));
	if (rank < 0)
		gw_log(gw, 4, "route %s: none of its links can be used (%s): its cards wait, no attempt is used up",
		       r->r.name, names);
	else if (r->rank < 0)
		gw_log(gw, 5, "route %s: carried again, by %s", r->r.name, names);
	else
		gw_log(gw, 5, "route %s: %s %s", r->r.name, rank > r->rank ? "fail-over to" : "back to", names);
	r->rank = rank;
}

/* Some route over it has another link. */
static bool has_others(const struct gw *gw, unsigned link)
{
	for (unsigned i = 0; i < gw->n_routes; i++) {
		const struct route *r = &gw->route[i].r;

		for (unsigned k = 0; r->n_links > 1 && k < r->n_links; k++)
			if (r->via[k].link == link)
				return true;
	}
	return false;
}

/* When all that came in together has been taken: a lost connection leaves a whole window unanswered, and that is no silence.  Of a
 * link that is alone its adapter tells. */
static void link_tell(struct gw *gw, unsigned link)
{
	bool suspect = gw->link_state[link].suspect_ms != 0;
	char number[12];

	if (suspect == gw->link[link].suspect)
		return;
	/* one that changes its mind all the time is told of now and then */
	if (suspect && gw->now_ms >= gw->link[link].told_ms && gw->now_ms - gw->link[link].told_ms < ROUTE_TELL_MS)
		return;
	gw->link[link].suspect = suspect;
	if (!has_others(gw, link))
		return;
	if (suspect)
		gw->link[link].told_ms = gw->now_ms;
	if (suspect)
		gw_log(gw, 4,
		       "link %s takes submits and does not answer them: others carry its routes, and it gets one "
		       "packet "
		       "every %d s until it answers",
		       link_name(gw, link, number), ROUTE_TRY_MS / 1000);
	else if (gw->link_state[link].up)
		gw_log(gw, 5, "link %s is not silent any more", link_name(gw, link, number));
}

void links_turn(struct gw *gw)
{
	for (unsigned i = 0; i < gw->cfg.n_links; i++)
		link_tell(gw, i);
	for (unsigned i = 0; i < gw->n_routes; i++) {
		struct gw_route *r = &gw->route[i];
		int rank = route_rank(&r->r, gw->link_state, gw->cfg.failover_ms, gw->now_ms);

		if (rank != r->rank && r->r.n_links)
			route_tell(gw, r, rank);
	}
}

int64_t links_due(const struct gw *gw)
{
	int64_t due = INT64_MAX;

	for (unsigned i = 0; i < gw->n_routes; i++) {
		int64_t t = route_due(&gw->route[i].r, gw->link_state, gw->cfg.failover_ms, gw->now_ms);

		if (t < due)
			due = t;
	}
	return due;
}

const char *gw_route_alarm(const struct gw *gw, char out[ROUTE_ALARM_MAX])
{
	const struct gw_route *dead = NULL;
	char names[ROUTE_ALARM_MAX - 160], more[32] = "";
	unsigned n = 0;

	for (unsigned i = 0; i < gw->n_routes; i++) {
		if (gw->route[i].rank >= 0)
			continue;
		if (!n++)
			dead = &gw->route[i];
	}
	if (!n)
		return NULL;
	names_of(gw, &dead->r, -1, names, sizeof(names));
	if (n > 1)
		snprintf(more, sizeof(more), " (and %u more)", n - 1);
	snprintf(out, ROUTE_ALARM_MAX,
		 "route %s%s: none of its links can be used (%s); its cards wait and lose no attempt; see 'otactl smsc "
		 "list'",
		 dead->r.name, more, names);
	return out;
}

void gw_link_view(const struct gw *gw, unsigned link, struct gw_link_view *out)
{
	const struct route_link *l = &gw->link_state[link];

	*out = (struct gw_link_view){
		.order = l->order,
		.up = l->up,
		.idle = !gw_link_wanted(gw, link),
		.suspect = l->suspect_ms != 0,
		.flying = gw->link[link].flying,
		.for_ms = gw->now_ms - l->since_ms,
	};
}

unsigned gw_routes(const struct gw *gw)
{
	return gw->n_routes;
}

void gw_route_view(const struct gw *gw, unsigned route, struct gw_route_view *out)
{
	const struct gw_route *r = &gw->route[route];

	*out = (struct gw_route_view){ .route = &r->r, .rank = r->rank, .prepared = r->prepared };
	for (unsigned i = 0; i < gw->cfg.n_links; i++)
		if (route_serves(&r->r, i, gw->link_state, gw->cfg.failover_ms, gw->now_ms))
			out->serving |= 1u << i;
}
