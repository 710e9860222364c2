/* queue.c - what is prepared and waits for a link: whose turn is it?
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Each campaign has a queue of its own, first in first out.  A class of priority goes before the next one, but one packet in
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

/* Takes the first campaign of a class off. */
static struct campaign *ring_pop(struct queue_ring *r)
{
	struct campaign *camp = r->head;

	r->head = camp->ring_next;
	if (!r->head)
		r->tail = &r->head;
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

	if (!camp->queue)
		ring_add(gw, camp);
	f->next = NULL;
	*(camp->queue ? camp->queue_tail : &camp->queue) = f;
	camp->queue_tail = &f->next;
	camp->queued++;
	gw->prepared++;
}

static struct flight *pop(struct campaign *camp)
{
	struct flight *f = camp->queue;

	camp->queue = f->next;
	camp->queued--;
	f->next = NULL;
	return f;
}

/* The first campaign of this class whose next packet is durable and still wanted; it stands at the ring's head then. */
static struct campaign *ready(struct gw *gw, unsigned class, int64_t now_ms)
{
	struct queue_ring *r = &gw->ring[class];

	for (unsigned i = r->n; i-- > 0;) {
		struct campaign *camp = r->head;

		while (camp->queue && camp->queue->batch_no <= gw->committed) {
			if (flight_wanted(gw, camp->queue, now_ms))
				return camp;
			gw->prepared--;
			flight_withdraw(gw, pop(camp));
		}
		ring_pop(r);
		if (camp->queue) /* not durable yet: the next one */
			ring_add(gw, camp);
	}
	return NULL;
}

struct flight *queue_next(struct gw *gw, int64_t now_ms)
{
	struct campaign *camp = NULL;
	unsigned top = 0;

	while (top < _PRIORITIES && !(camp = ready(gw, top, now_ms)))
		top++;
	if (!camp)
		return NULL;
	gw->queue_class = top;
	if (gw->queue_turns % QUEUE_GUARD != QUEUE_GUARD - 1)
		return camp->queue;
	for (unsigned i = 1; i <= _PRIORITIES; i++) { /* the lower ones in turn */
		unsigned class = (gw->queue_guarded + i) % _PRIORITIES;
		struct campaign *lower = class > top ? ready(gw, class, now_ms) : NULL;

		if (lower) {
			gw->queue_class = class;
			return lower->queue;
		}
	}
	return camp->queue;
}

struct flight *queue_take(struct gw *gw)
{
	struct campaign *camp = ring_pop(&gw->ring[gw->queue_class]);
	struct flight *f = pop(camp);

	if (camp->queue)
		ring_add(gw, camp);
	if (gw->queue_turns++ % QUEUE_GUARD == QUEUE_GUARD - 1)
		gw->queue_guarded = gw->queue_class;
	return f;
}

void queue_sweep(struct gw *gw)
{
	rings_clear(gw);
	for (unsigned i = 0; i < gw->n_campaigns; i++) {
		struct campaign *camp = &gw->campaign[i];
		struct flight *f = camp->queue, *next;

		camp->queue = NULL;
		camp->queued = 0;
		for (; f; f = next) {
			next = f->next;
			f->next = NULL;
			gw->prepared--;
			if (flight_wanted(gw, f, gw->now_ms))
				queue_add(gw, f);
			else
				flight_withdraw(gw, f);
		}
	}
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

unsigned queue_room(const struct gw *gw, const struct campaign *camp)
{
	/* what is urgent finds a place also when all others are taken */
	unsigned all = gw->cfg.limits.prepared_max + (class_of(camp) < PRIORITY_CAMPAIGN ? QUEUE_RESERVE : 0);
	unsigned whole = less(all, gw->prepared), own = less(queue_share(gw), camp->queued);

	return own < whole ? own : whole;
}

static bool link_up(const struct gw *gw)
{
	for (unsigned i = 0; i < gw->cfg.n_links; i++)
		if (gw->link_up[i])
			return true;
	return false;
}

/* No place now: when to look again.  Not all at once; and while no link is up, seldom, since nothing makes room. */
int64_t queue_again(struct gw *gw)
{
	int64_t wait_ms = QUEUE_AGAIN_MS;

	if (!link_up(gw))
		wait_ms = QUEUE_AGAIN_DOWN_MS;
	return gw->now_ms + wait_ms + (wait_ms * env_random_u32(gw->deps.env) >> 32);
}

/* A card that is due for its next attempt while its campaign's share is used up need not be read to find that out. */
bool queue_postpone(struct gw *gw, struct stub *s)
{
	const struct campaign *camp = &gw->campaign[s->campaign];

	if (!link_up(gw) || (s->state != CMD_WAIT_TIMER && s->state != CMD_WAIT_PRESENCE) ||
	    campaign_stopped(camp, gw->now_ms) || queue_room(gw, camp))
		return false;
	stub_due(gw, s, queue_again(gw));
	return true;
}
