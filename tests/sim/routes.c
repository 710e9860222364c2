/* routes.c - several SMSCs: which routes a seed has, what an operator orders of the links, and whether the gateway keeps to it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Routes go by the digits that messages are sent to, so that whoever sees a message knows which links it may take.  The watching
 * is done with its own books, not with those of route.c.
 */
#include <stdio.h>
#include <string.h>

#include "sim.h"

#define SURE_MS (SIM_STALL_MS + 15000) /* by then the gateway has taken in that a link is up */

static unsigned pick(struct sim_rng *r, unsigned lo, unsigned hi)
{
	return (unsigned)sim_rng_range(r, (struct sim_range){ lo, hi });
}

/* With dice of its own: seeds without routes stay what they were. */
void routes_draw(struct scenario *sc, uint64_t seed)
{
	struct sim_rng dice = { seed ^ 0x707e5ULL }, *r = &dice;

	if (!sim_rng_chance(r, 40 * (SIM_PPM / 100)))
		return;
	sc->links = pick(r, 1, SIM_LINKS_MAX);
	sc->routes = pick(r, 1, SIM_ROUTES_MAX);
	sc->orders = pick(r, 0, 1) ? pick(r, 1, 4) : 0;
	sc->gw.failover_ms = pick(r, 0, 15000);
	for (unsigned i = 0; i < sc->routes; i++) {
		struct sim_route *t = &sc->route[i];
		unsigned first = pick(r, 0, sc->links - 1);

		t->card = pick(r, 0, sc->cards - 1);
		t->n_links = pick(r, 1, sc->links);
		for (unsigned k = 0; k < t->n_links; k++) {
			t->link[k] = (uint8_t)((first + k) % sc->links);
			t->rank[k] = k ? (uint8_t)(t->rank[k - 1] + pick(r, 0, 1)) : 0;
		}
	}
	sc->gw.n_links = sc->links;
}

/* What the seed means by them, when the cards have their numbers. */
void routes_make(struct world *w)
{
	for (unsigned i = 0; i < w->sc.routes; i++) {
		const struct sim_route *from = &w->sc.route[i];
		const struct sim_card *c = &w->card[from->card % w->sc.cards];
		struct route *to = &w->route[i];
		bool rest = i + 1 == w->sc.routes;
		const char *digits;
		size_t len;

		snprintf(to->name, sizeof(to->name), "r%u", i);
		to->n_matches = 1;
		to->match[0].by = rest ? ROUTE_ALL : w->sc.by_imsi ? ROUTE_IMSI : ROUTE_MSISDN;
		digits = w->sc.by_imsi ? c->imsi_first : c->msisdn;
		len = rest ? 0 : strlen(digits) - 1; /* a card and its neighbours */
		memcpy(w->route_prefix[i], digits, len);
		memcpy(to->match[0].value, digits, len);
		to->n_links = from->n_links;
		for (unsigned k = 0; k < from->n_links; k++) {
			to->via[k].link = from->link[k];
			to->via[k].rank = from->rank[k];
		}
	}
	w->sc.gw.routes = w->route;
	w->sc.gw.n_routes = w->sc.routes;
}

void routes_plan(struct world *w)
{
	struct sim_rng dice = { w->seed ^ 0x0bde5ULL }, *r = &dice;
	const int64_t calm = SIM_START_MS + w->sc.calm_ms, soon = SIM_START_MS + w->sc.calm_ms / 16;

	for (unsigned i = 0; i < w->sc.orders; i++)
		world_plan(w, sim_rng_range(r, (struct sim_range){ SIM_START_MS, pick(r, 0, 3) ? soon : calm }),
			   PLAN_ORDER, pick(r, 0, w->sc.links - 1) * _LINK_ORDERS + pick(r, 0, _LINK_ORDERS - 1));
	for (unsigned i = 0; i < w->sc.links && w->sc.orders; i++)
		world_plan(w, calm, PLAN_ORDER, i * _LINK_ORDERS + LINK_OPEN);
}

static void ordered(struct world *w, unsigned link, uint8_t order)
{
	tell(w, "order: link %u %s", link, link_order_name(order));
	w->ordered[link] = order;
	if (order == LINK_OPEN)
		w->shut[link] = false;
}

/* An operator's order; one that finds no gateway is given again. */
void routes_order(struct world *w, unsigned arg)
{
	struct gw_event ev = { .kind = GW_EV_ORDER,
			       .link = arg / _LINK_ORDERS,
			       .verb = (uint8_t)(arg % _LINK_ORDERS),
			       .request = 2 + arg };

	if (ev.verb != LINK_OPEN && w->calm)
		return;
	if (!w->gw || w->dead || !w->ready_seen || gw_post(w->gw, &ev))
		world_plan(w, w->now_ms + 500, PLAN_ORDER, arg);
	else
		ordered(w, ev.link, ev.verb);
}

/* It is durable: from now on also a gateway that starts knows it. */
void routes_ordered(struct world *w, uint64_t request, int rc)
{
	unsigned link = (unsigned)(request - 2) / _LINK_ORDERS;

	if (rc)
		return; /* it was so already */
	w->sc.gw.link_order[link] = (uint8_t)((request - 2) % _LINK_ORDERS);
	w->shut[link] = w->sc.gw.link_order[link] != LINK_OPEN && w->ordered[link] != LINK_OPEN;
	tell(w, "link %u is %s", link, link_order_name(w->sc.gw.link_order[link]));
}

/* Its turn among those of its route: nobody before it could have taken it for long. */
static bool before(const struct world *w, const struct sim_route *r, unsigned mine, unsigned *better)
{
	for (unsigned k = 0; k < r->n_links && r->rank[k] < r->rank[mine]; k++) {
		*better = r->link[k];
		/* an order that has been given holds before it is answered */
		if (w->sc.gw.link_order[*better] == LINK_OPEN && w->ordered[*better] == LINK_OPEN &&
		    slink_well(w->slink[*better], SURE_MS))
			return true;
	}
	return false;
}

/* The first segment of a packet leaves on this link. */
void routes_watch(struct world *w, unsigned link, const struct ota_addr *dst)
{
	unsigned i = 0, k = 0, better = 0;

	if (!w->sc.routes)
		return;
	while (strncmp(dst->digits, w->route_prefix[i], strlen(w->route_prefix[i])))
		i++; /* the last one is "" */
	while (k < w->sc.route[i].n_links && w->sc.route[i].link[k] != link)
		k++;
	if (w->shut[link])
		check_fail(w, "route", "a packet leaves on link %u, which is %s", link,
			   link_order_name(w->sc.gw.link_order[link]));
	else if (k == w->sc.route[i].n_links)
		check_fail(w, "route", "a packet for %s leaves on link %u, which is none of route %u", dst->digits,
			   link, i);
	else if (before(w, &w->sc.route[i], k, &better))
		check_fail(w, "route", "a packet for %s leaves on link %u, and link %u of route %u is well",
			   dst->digits, link, better, i);
}
