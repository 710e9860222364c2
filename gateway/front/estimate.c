/* estimate.c - what a campaign will cost and how long it may take, and the figures it comes from.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The duration counts from now: what is left of an open window, or the wait for the next, is its beginning.
 * The rate of a link is its window over the time a submit takes, or what it may send if that is less; each route has the links that
 * would carry it now.  The duration is that until each card has had its first attempt and the reachable ones have answered; for cards that are away nothing can be told.
 */
#include "estimate.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS	       86400000LL
#define MILLIONTHS     6
#define PRICE_MAX      1000000000 /* millionths */
#define MONEY_DECIMALS 2	  /* at least */

int price_parse(struct config_price *p, const char *each, const char *currency, char *err, size_t cap)
{
	size_t whole = strspn(each, "0123456789"),
	       part = each[whole] == '.' ? strspn(each + whole + 1, "0123456789") : 0;
	uint64_t v = 0;

	if (!whole || whole > 4 || part > MILLIONTHS || each[whole + (part ? 1 + part : 0)]) {
		snprintf(err, cap, "\"%.40s\" must be the price of one short message as 0.05, with at most %d decimals",
			 each, MILLIONTHS);
		return -1;
	}
	for (size_t i = 0; i < whole; i++)
		v = v * 10 + (uint64_t)(each[i] - '0');
	for (size_t i = 0; i < MILLIONTHS; i++)
		v = v * 10 + (i < part ? (uint64_t)(each[whole + 1 + i] - '0') : 0);
	if (v > PRICE_MAX) {
		snprintf(err, cap, "\"%.40s\" must be at most 1000", each);
		return -1;
	}
	for (const char *s = currency; *s; s++) {
		if (!isprint((unsigned char)*s)) {
			snprintf(err, cap, "the currency must be printable ASCII, such as EUR");
			return -1;
		}
	}
	if (!*currency || strlen(currency) >= sizeof(p->currency)) {
		snprintf(err, cap, "\"%.40s\": a currency must have 1 to %zu characters", currency,
			 sizeof(p->currency) - 1);
		return -1;
	}
	*p = (struct config_price){ .millionths = v, .decimals = (uint8_t)part };
	memcpy(p->each, each, whole + (part ? 1 + part : 0));
	memcpy(p->currency, currency, strlen(currency));
	return 0;
}

static void note(struct estimate *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void note(struct estimate *e, const char *fmt, ...)
{
	va_list ap;

	if (e->n_notes == ESTIMATE_NOTES_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(e->note[e->n_notes++], ESTIMATE_NOTE_MAX, fmt, ap);
	va_end(ap);
}

/* As many decimals as the price has, two at least; nothing is rounded away. */
static void cost(struct estimate *e)
{
	size_t decimals = e->price.decimals > MONEY_DECIMALS ? e->price.decimals : MONEY_DECIMALS, n;
	char sum[ESTIMATE_MONEY_MAX];

	e->cost[0] = 0;
	if (!*e->price.each)
		return;
	n = (size_t)snprintf(sum, sizeof(sum), "%07" PRIu64, e->sms_parts * e->price.millionths) - MILLIONTHS;
	snprintf(e->cost, sizeof(e->cost), "%.*s.%.*s", (int)n, sum, (int)decimals, sum + n);
}

static void link_rate(struct estimate_link *l)
{
	double by_window = ESTIMATE_PER_S_UNKNOWN;

	if (l->submit.n) /* below a millisecond the window is no limit that could be told */
		by_window = l->submit.median_ms ? l->window * 1000.0 / (double)l->submit.median_ms : ESTIMATE_PER_S_ANY;
	if (l->limit > 0)
		l->per_s = by_window > 0 && by_window < l->limit ? by_window : l->limit;
	else
		l->per_s = by_window;
}

/* Links that this campaign's routes may take, up or not. */
static uint32_t links_wanted(const struct estimate *e)
{
	uint32_t all = 0;

	for (unsigned i = 0; i < e->n_routes; i++)
		if (e->route[i].sms_parts)
			all |= e->route[i].links;
	return e->n_routes && e->sms_parts ? all : UINT32_MAX;
}

/* Looks at the links, with a note on each that is missing or was never measured.  Those that count, a bit each; *known: all of them. */
static uint32_t links_usable(struct estimate *e, bool *known)
{
	uint32_t wanted = links_wanted(e), up = 0;

	*known = true;
	for (unsigned i = 0; i < e->n_links; i++) {
		struct estimate_link *l = &e->link[i];

		link_rate(l);
		if (!l->up) {
			note(e, "link %s is down, or carries nothing now, and is not counted", l->name);
			continue;
		}
		if (!(wanted & 1u << i))
			continue;
		up |= 1u << i;
		*known &= l->per_s >= 0;
		if (!l->submit.n)
			note(e, "link %s: no measurement yet of what a submit takes%s", l->name,
			     l->limit > 0 ? "; its throughput is taken" : ", and its throughput is unlimited");
	}
	return up;
}

static double links_rate(const struct estimate *e, uint32_t links)
{
	double per_s = 0;

	for (unsigned i = 0; i < e->n_links; i++) {
		if (!(links & 1u << i))
			continue;
		if (e->link[i].per_s == ESTIMATE_PER_S_ANY)
			return ESTIMATE_PER_S_ANY;
		per_s += e->link[i].per_s;
	}
	return per_s;
}

/* Routes share links, and some have links of their own: the work is done when, for every choice of routes, all the links that any of
 * them may take have carried all that is theirs.  False: a route has no link. */
static bool routes_rate(struct estimate *e, uint32_t up)
{
	double worst_s = 0;

	for (unsigned i = 0; i < e->n_routes; i++) {
		if (e->route[i].sms_parts && !(e->route[i].links & up)) {
			note(e, "route %s: no link carries it now, and %" PRIu64 " short messages go that way",
			     e->route[i].name, e->route[i].sms_parts);
			return false;
		}
	}
	e->per_s = ESTIMATE_PER_S_ANY;
	for (uint32_t set = 1; set < 1u << e->n_routes; set++) {
		uint64_t parts = 0;
		uint32_t links = 0;
		double per_s;

		for (unsigned i = 0; i < e->n_routes; i++) {
			parts += set & 1u << i ? e->route[i].sms_parts : 0;
			links |= set & 1u << i && e->route[i].sms_parts ? e->route[i].links & up : 0;
		}
		per_s = links_rate(e, links);
		if (per_s == ESTIMATE_PER_S_ANY || (double)parts / per_s <= worst_s)
			continue;
		worst_s = (double)parts / per_s;
		e->per_s = per_s * ((double)e->sms_parts / (double)parts);
	}
	return true;
}

static void rate(struct estimate *e)
{
	bool known;
	uint32_t up = links_usable(e, &known);

	e->per_s = ESTIMATE_PER_S_UNKNOWN;
	if (!up)
		note(e, "no link is up: there is no rate to count with");
	else if (!e->n_routes || !e->sms_parts)
		e->per_s = known ? links_rate(e, up) : ESTIMATE_PER_S_UNKNOWN;
	else if (!routes_rate(e, up) || !known)
		e->per_s = ESTIMATE_PER_S_UNKNOWN;
}

/* Each canary group is waited for: an answer's time when all cards are likely to be there, else the hold at the longest. */
static void canary(struct estimate *e)
{
	int64_t wait_ms = e->answer.n ? e->answer.p90_ms : 0;

	e->canary_ms = 0;
	if (!e->rules->n_canary)
		return;
	if (e->seen < e->cards && e->rules->hold_ms)
		wait_ms = e->rules->hold_ms;
	else if (e->seen < e->cards)
		note(e, "a canary card that is away holds up the next group until it has ended: there is no hold");
	else if (!e->answer.n)
		note(e, "canary groups wait for answers: no measurement yet of how long");
	e->canary_ms = wait_ms * e->rules->n_canary;
}

/* When so much has been done in windows alone, of which the first may be open already. */
static int64_t done_at(const struct estimate *e, int64_t work_ms)
{
	int64_t at_ms = rules_opening(e->rules, 0, e->now_ms), close_ms = rules_closing(e->rules, 0, e->now_ms), days;

	if (work_ms <= close_ms - at_ms)
		return at_ms + work_ms;
	work_ms -= close_ms - at_ms;
	days = (work_ms - 1) / e->window_ms; /* whole windows, and something is left */
	return rules_opening(e->rules, 0, close_ms) + days * DAY_MS + work_ms - days * e->window_ms;
}

static void deadline(struct estimate *e)
{
	int64_t end_ms = rules_deadline(e->rules, e->now_ms), opens_ms = rules_opening(e->rules, 0, e->now_ms);

	if (e->rules->device)
		note(e, "the window is one of device time: the duration is that of cards in UTC");
	else if (end_ms && opens_ms >= end_ms)
		note(e, "the deadline comes before the window opens: nothing will be sent");
	if (end_ms && e->now_ms + e->duration_ms > end_ms)
		note(e, "the deadline comes before: not every card will have its turn");
}

static void duration(struct estimate *e)
{
	int64_t answer_ms = e->answer.n ? e->answer.p90_ms : 0;

	e->window_ms = rules_window_ms(e->rules);
	e->send_ms = e->duration_ms = -1;
	if (!e->answer.n)
		note(e, "no measurement yet of how long cards take to answer: the duration is that of sending");
	if (e->per_s < 0) {
		note(e, "no duration can be told: no measurement yet");
		return;
	}
	e->send_ms = e->per_s > 0 ? (int64_t)((double)e->sms_parts * 1000.0 / e->per_s) : 0;
	e->duration_ms = done_at(e, e->send_ms + e->canary_ms) + answer_ms - e->now_ms;
	deadline(e);
}

void estimate_make(struct estimate *e)
{
	e->n_notes = 0;
	cost(e);
	rate(e);
	canary(e);
	duration(e);
	if (!e->seen && e->cards)
		note(e, "none of the cards has been seen in the last %d days: how many can be reached is not known",
		     (int)(SEEN_LATELY_MS / DAY_MS));
	if (e->others)
		note(e, "%u %s running and will share the links", e->others,
		     e->others == 1 ? "campaign is" : "campaigns are");
}
