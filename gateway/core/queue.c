/* queue.c - what is prepared and waits for a link: whose turn is it?
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Each campaign has a queue of its own for each route, first in first out: a route whose links are slow or down stands in nobody
 * else's way.  A class of priority goes before the next one, but one packet in
 * QUEUE_GUARD is a lower class's, so that none waits for ever; within a class campaigns take turns packet by packet.  How
 * much a campaign may have prepared is its share of the whole: the retries of a large one leave a small one its place.
 */
#include "gw_int.h"

#define QUEUE_AGAIN_MS	    1000
#define QUEUE_AGAIN_DOWN_MS 30000

static unsigned class_of(const struct campaign *camp)
{
	return camp->rules.priority;
}

static void ring_add(struct gw *gw, struct campaign *camp)
{
	struct queue_ring *r = &gw->ring[class_of(camp)];

	camp->ring_next = NULL;
	*r->tail = camp;
	r->tail = &camp->ring_next;
	r->n++;
}

/* Takes a campaign off: the one that *at points to. */
static struct campaign *ring_cut(struct queue_ring *r, struct campaign **at)
{
	struct campaign *camp = *at;

	*at = camp->ring_next;
	if (!*at)
		r->tail = at;
	r->n--;
	return camp;
}

static void rings_clear(struct gw *gw)
{
	for (unsigned i = 0; i < _PRIORITIES; i++) {
		gw->ring[i] = (struct queue_ring){ 0 };
		gw->ring[i].tail = &gw->ring[i].head;
	}
}

void queue_init(struct gw *gw)
{
	rings_clear(gw);
}

void queue_add(struct gw *gw, struct flight *f)
{
	struct campaign *camp = &gw->campaign[f->campaign];
	struct lane *lane = &camp->lane[f->route];

	if (!camp->queued++)
		ring_add(gw, camp);
	f->next = NULL;
	*(lane->head ? lane->tail : &lane->head) = f;
	lane->tail = &f->next;
	lane->n++;
	gw->prepared++;
	gw->route[f->route].queued++;
	gw->route[f->route].prepared++;
}

static struct flight *pop(struct gw *gw, struct campaign *camp, unsigned route)
{
	struct lane *lane = &camp->lane[route];
	struct flight *f = lane->head;

	lane->head = f->next;
	lane->n--;
	camp->queued--;
	gw->route[route].queued--;
	f->next = NULL;
	return f;
}

void queue_left(struct gw *gw, const struct flight *f)
{
	gw->prepared--;
	gw->route[f->route].prepared--;
}

/* Each card that is withdrawn is a change of the batch, and a batch has an end (STORE_BATCH_OPS_MAX). */
bool queue_crowded(const struct gw *gw)
{
	return gw->dirty_n >= SWEEP_BATCHES * gw->cfg.limits.batch_cards_max;
}

/* Whether the first of this lane may leave; what is not wanted any more goes on the way. */
static bool lane_ready(struct gw *gw, struct campaign *camp, unsigned route, int64_t now_ms)
{
	struct flight *f;

	while (!camp->stops && (f = camp->lane[route].head) && f->batch_no <= gw->committed) {
		if (flight_wanted(gw, f, now_ms))
			return true;
		if (queue_crowded(gw)) {
			gw->sweeping = true;
			return false;
		}
		queue_left(gw, f);
		flight_withdraw(gw, pop(gw, camp, route));
	}
	return false;
}

/* The first campaign of this class whose next packet, by one of these routes, is durable and still wanted.  Those that are passed
 * over keep their place: another link may ask for theirs. */
static bool ready(struct gw *gw, unsigned class, uint32_t routes, int64_t now_ms)
{
	struct queue_ring *r = &gw->ring[class];
	struct campaign **at = &r->head;

	while (*at) {
		struct campaign *camp = *at;

		for (unsigned i = 0; i < gw->n_routes; i++) {
			unsigned route = (camp->lane_turn + i) % gw->n_routes;

			if (!(routes & 1u << route) || !lane_ready(gw, camp, route, now_ms))
				continue;
			gw->queue_class = class;
			gw->queue_at = at;
			gw->queue_route = route;
			return true;
		}
		if (camp->queued)
			at = &camp->ring_next;
		else
			ring_cut(r, at);
	}
	return false;
}

struct flight *queue_next(struct gw *gw, unsigned link, int64_t now_ms)
{
	uint32_t routes = link_routes(gw, link, now_ms);
	bool guard = gw->queue_turns % QUEUE_GUARD == QUEUE_GUARD - 1;
	unsigned top = 0;

	while (routes && top < _PRIORITIES && !ready(gw, top, routes, now_ms))
		top++;
	if (!routes || top == _PRIORITIES)
		return NULL;
	for (unsigned i = 1; guard && i <= _PRIORITIES; i++) { /* the lower ones in turn */
		unsigned class = (gw->queue_guarded + i) % _PRIORITIES;

		if (class > top && ready(gw, class, routes, now_ms))
			break;
	}
	return (*gw->queue_at)->lane[gw->queue_route].head;
}

struct flight *queue_take(struct gw *gw)
{
	struct campaign *camp = ring_cut(&gw->ring[gw->queue_class], gw->queue_at);
	struct flight *f = pop(gw, camp, gw->queue_route);

	camp->lane_turn = gw->queue_route + 1;
	if (camp->queued)
		ring_add(gw, camp);
	if (gw->queue_turns++ % QUEUE_GUARD == QUEUE_GUARD - 1)
		gw->queue_guarded = gw->queue_class;
	return f;
}

static void sweep(struct gw *gw, struct campaign *camp)
{
	struct flight *old[ROUTES_MAX], *next;

	for (unsigned i = 0; i < gw->n_routes; i++) {
		old[i] = camp->lane[i].head;
		gw->route[i].queued -= camp->lane[i].n;
		camp->lane[i] = (struct lane){ 0 };
	}
	camp->queued = 0;
	for (unsigned i = 0; i < gw->n_routes; i++) {
		for (struct flight *f = old[i]; f; f = next) {
			next = f->next;
			f->next = NULL;
			queue_left(gw, f);
			if (flight_wanted(gw, f, gw->now_ms)) {
				queue_add(gw, f);
			} else if (queue_crowded(gw)) { /* looked at again before it leaves, so it does not */
				gw->sweeping = true;
				queue_add(gw, f);
			} else {
				flight_withdraw(gw, f);
			}
		}
	}
}

void queue_sweep(struct gw *gw)
{
	gw->sweeping = false;
	rings_clear(gw);
	for (unsigned i = 0; i < gw->n_campaigns; i++)
		if (gw->campaign[i].queued)
			sweep(gw, &gw->campaign[i]);
}

/* ------------------------------------------------------------------------------------------------ how much */

/* Campaigns that have, or could have, something prepared. */
void queue_shares(struct gw *gw)
{
	gw->hungry = 0;
	for (unsigned i = 0; i < gw->n_campaigns; i++)
		gw->hungry += gw->campaign[i].queued || gw->campaign[i].claims;
}

static unsigned less(unsigned a, unsigned b)
{
	return a > b ? a - b : 0;
}

unsigned queue_share(const struct gw *gw)
{
	unsigned share = gw->cfg.limits.prepared_max / (gw->hungry ? gw->hungry : 1);

	return share ? share : 1;
}

unsigned queue_room(const struct gw *gw, const struct campaign *camp, unsigned route)
{
	/* what is urgent finds a place also when all others are taken */
	unsigned all = gw->cfg.limits.prepared_max + (class_of(camp) < PRIORITY_CAMPAIGN ? QUEUE_RESERVE : 0);
	unsigned whole = less(all, gw->route[route].prepared), own = less(queue_share(gw), camp->lane[route].n);

	return own < whole ? own : whole;
}

unsigned queue_room_best(const struct gw *gw, const struct campaign *camp, unsigned *own)
{
	unsigned best = 0;

	*own = 0;
	if (camp->ahead >= AHEAD_MAX)
		return 0;
	/* those whose links are all down count only when none is up: cards are not started to wait for a link */
	for (int live = gw->n_routes > 1; live >= 0 && !*own; live--) {
		for (unsigned i = 0; i < gw->n_routes; i++) {
			unsigned room = queue_room(gw, camp, i), mine = less(queue_share(gw), camp->lane[i].n);

			if (live && !route_live(gw, i))
				continue;
			best = room > best ? room : best;
			*own = mine > *own ? mine : *own;
		}
	}
	return best;
}

static bool live(const struct gw *gw, unsigned route)
{
	if (route < gw->n_routes)
		return route_live(gw, route);
	for (unsigned i = 0; i < gw->n_routes; i++)
		if (route_live(gw, i))
			return true;
	return false;
}

/* No place now: when to look again.  Not all at once; and while no link is up, seldom, since nothing makes room. */
int64_t queue_again(struct gw *gw, unsigned route)
{
	int64_t wait_ms = live(gw, route) ? QUEUE_AGAIN_MS : QUEUE_AGAIN_DOWN_MS;

	return gw->now_ms + wait_ms + (wait_ms * env_random_u32(gw->deps.env) >> 32);
}

/* A card that is due for its next attempt while its campaign's share is used up need not be read to find that out. */
bool queue_postpone(struct gw *gw, struct stub *s)
{
	const struct campaign *camp = &gw->campaign[s->campaign];
	unsigned route = gw->n_routes == 1 ? 0 : s->route;

	if (route == ROUTE_UNKNOWN || !live(gw, route) ||
	    (s->state != CMD_WAIT_TIMER && s->state != CMD_WAIT_PRESENCE) || campaign_stopped(camp, gw->now_ms) ||
	    queue_room(gw, camp, route))
		return false;
	stub_due(gw, s, queue_again(gw, route));
	return true;
}
