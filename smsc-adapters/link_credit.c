/* link_credit.c - how much a link may send: window, token bucket, adaptive rate.  Pure: now_ms is passed in.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Tokens count PDUs, not messages: an SMSC throttles per submit_sm.  Congestion is met as TCP meets it: halve at once,
 * recover by a fixed step.  A link without a configured rate learns one from the first RTHROTTLED and forgets it when
 * twice that rate is reached again.
 */
#include "ota/link.h"

#define BURST_S 0.1 /* of rate_max: what an idle link may save up, unless one packet is larger */

static double burst_of(double rate)
{
	double burst = rate * BURST_S;

	return burst > OTA_SEGMENTS_MAX ? burst : OTA_SEGMENTS_MAX;
}

void link_credit_init(struct link_credit *c, unsigned window, double rate_max, int64_t now_ms)
{
	double burst = burst_of(rate_max);

	*c = (struct link_credit){
		.window = window,
		.rate_max = rate_max,
		.rate = rate_max,
		.ceiling = rate_max,
		.tokens = burst,
		.burst = burst,
		.last_ms = now_ms,
		.hold_until_ms = now_ms,
		.count_ms = now_ms,
	};
}

static int64_t hold_left(const struct link_credit *c, int64_t now_ms)
{
	int64_t left = c->hold_until_ms - now_ms;

	return left > LINK_HOLD_MS ? LINK_HOLD_MS : left;
}

/* A clock that was set back must not hold the link longer than a pause lasts. */
static bool held(struct link_credit *c, int64_t now_ms)
{
	if (c->hold_until_ms - now_ms > LINK_HOLD_MS)
		c->hold_until_ms = c->last_ms = now_ms + LINK_HOLD_MS;
	return now_ms < c->hold_until_ms;
}

static double tokens_at(const struct link_credit *c, int64_t now_ms)
{
	int64_t elapsed_ms = now_ms - c->last_ms;
	double tokens = c->tokens;

	if (elapsed_ms > 0)
		tokens += c->rate * (double)elapsed_ms / 1000;
	return tokens < c->burst ? tokens : c->burst;
}

static void refill(struct link_credit *c, int64_t now_ms)
{
	int64_t elapsed_ms = now_ms - c->last_ms;

	if (c->rate > 0 && elapsed_ms > 0) {
		c->tokens = tokens_at(c, now_ms);
		c->rate += LINK_RECOVER * c->ceiling * (double)elapsed_ms / 1000;
		if (c->rate_max > 0 && c->rate > c->rate_max)
			c->rate = c->rate_max;
		if (!(c->rate_max > 0) && c->rate >= 2 * c->ceiling)
			c->rate = 0;
	}
	c->last_ms = now_ms;
}

unsigned link_credit_room(struct link_credit *c, int64_t now_ms)
{
	unsigned room = c->in_use < c->window ? c->window - c->in_use : 0;

	if (held(c, now_ms))
		return 0;
	refill(c, now_ms);
	if (c->rate > 0 && c->tokens < room)
		return (unsigned)c->tokens;
	return room;
}

int64_t link_credit_due(const struct link_credit *c, int64_t now_ms)
{
	unsigned room = c->in_use < c->window ? c->window - c->in_use : 0;
	int64_t hold_ms = hold_left(c, now_ms), wait_ms;
	double tokens;

	if (!room)
		return INT64_MAX;
	if (hold_ms > 0)
		return now_ms + hold_ms;
	if (!(c->rate > 0))
		return INT64_MAX;
	tokens = tokens_at(c, now_ms);
	if (tokens >= room || tokens >= c->burst)
		return INT64_MAX;
	wait_ms = (int64_t)(((double)(unsigned)tokens + 1 - tokens) * 1000 / c->rate + 0.999);
	return now_ms + (wait_ms > 1 ? wait_ms : 1);
}

void link_credit_take(struct link_credit *c, int64_t now_ms)
{
	int64_t second_ms = now_ms - c->count_ms;

	if (second_ms >= 1000 || second_ms < 0) {
		c->taken_before = second_ms < 2000 ? c->taken : 0;
		c->taken = 0;
		c->count_ms = now_ms;
	}
	c->taken++;
	c->in_use++;
	if (c->rate > 0)
		c->tokens = c->tokens > 1 ? c->tokens - 1 : 0;
}

void link_credit_give(struct link_credit *c)
{
	if (c->in_use)
		c->in_use--;
}

void link_credit_throttled(struct link_credit *c, int64_t now_ms)
{
	double floor;

	/* The answers to one window come together: they are one sign, not a hundred. */
	if (held(c, now_ms))
		return;
	refill(c, now_ms);
	if (!(c->rate > 0)) {
		unsigned seen = c->taken > c->taken_before ? c->taken : c->taken_before;

		c->ceiling = seen > 1 ? seen : 1;
		c->rate = c->ceiling;
		c->burst = burst_of(c->ceiling);
	}
	floor = c->ceiling / LINK_RATE_FLOOR;
	c->rate = c->rate / 2 > floor ? c->rate / 2 : floor;
	c->tokens = 0;
	c->hold_until_ms = now_ms + LINK_HOLD_MS;
	c->last_ms = c->hold_until_ms;
}
