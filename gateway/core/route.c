/* route.c - which links a card's packets may take, and which of them now.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Links are looked at twice: first only those in good health, so that one that takes everything and answers nothing is passed over;
 * and when none of them can be used, the others in the same order: a poor link is better than none.
 */
#include "route.h"

#include <stdio.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const char *const by_names[] = {
	[ROUTE_ALL] = "all",
	[ROUTE_IMSI] = "imsi-prefix",
	[ROUTE_MSISDN] = "msisdn-prefix",
	[ROUTE_PROFILE] = "profile",
};
_Static_assert(ARRAY_SIZE(by_names) == _ROUTE_BYS, "every kind has its word");

static const char *const order_names[] = {
	[LINK_OPEN] = "open", [LINK_BLOCKED] = "blocked", [LINK_DRAINED] = "drained"
};
_Static_assert(ARRAY_SIZE(order_names) == _LINK_ORDERS, "every order has its word");

const char *route_by_name(uint8_t by)
{
	return by < _ROUTE_BYS ? by_names[by] : "?";
}

const char *link_order_name(uint8_t o)
{
	return o < _LINK_ORDERS ? order_names[o] : "?";
}

/* ------------------------------------------------------------------------------------------------ whose it is */

static bool begins(const char *text, const char *prefix)
{
	return text && *text && !strncmp(text, prefix, strlen(prefix));
}

static bool matches(const struct route_match *m, const struct route_key *key)
{
	switch (m->by) {
	case ROUTE_ALL:
		return true;
	case ROUTE_IMSI:
		return begins(key->imsi, m->value);
	case ROUTE_MSISDN:
		return begins(key->msisdn, m->value);
	case ROUTE_PROFILE:
		return key->profile && !strcmp(key->profile, m->value);
	default:
		return false;
	}
}

unsigned route_find(const struct route *routes, unsigned n, const struct route_key *key)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < routes[i].n_matches; k++)
			if (matches(&routes[i].match[k], key))
				return i;
	return n;
}

/* Whoever b takes, a takes as well. */
static bool covers(const struct route_match *a, const struct route_match *b)
{
	if (a->by == ROUTE_ALL)
		return true;
	if (a->by != b->by)
		return false;
	return a->by == ROUTE_PROFILE ? !strcmp(a->value, b->value) : begins(b->value, a->value);
}

static int value_fault(const struct route_match *m, const char *value, char err[ROUTE_ERR_MAX])
{
	size_t len = strlen(value);

	if (m->by == ROUTE_ALL) {
		if (!len)
			return 0;
		snprintf(err, ROUTE_ERR_MAX, "\"all\" takes nothing behind it, there is \"%.40s\"", value);
		return -1;
	}
	if (m->by == ROUTE_PROFILE && len && len < ROUTE_VALUE_MAX)
		return 0;
	if (m->by == ROUTE_PROFILE) {
		snprintf(err, ROUTE_ERR_MAX, "a profile's name has 1 to %d characters", ROUTE_VALUE_MAX - 1);
		return -1;
	}
	if (len && len <= 15 && strspn(value, "0123456789") == len)
		return 0;
	snprintf(err, ROUTE_ERR_MAX, "%s \"%.40s\" must be 1 to 15 digits, without + in front", by_names[m->by], value);
	return -1;
}

int route_match_add(struct route *r, const char *by, const char *value, const struct route *above, unsigned n_above,
		    char err[ROUTE_ERR_MAX])
{
	struct route_match m = { .by = 0 };

	while (m.by < _ROUTE_BYS && strcmp(by, by_names[m.by]))
		m.by++;
	if (m.by == _ROUTE_BYS) {
		snprintf(err, ROUTE_ERR_MAX,
			 "unknown \"%.40s\": routes match imsi-prefix, msisdn-prefix, profile or all", by);
		return -1;
	}
	if (*value == '+' && m.by == ROUTE_MSISDN)
		value++;
	if (value_fault(&m, value, err))
		return -1;
	if (r->n_matches == ROUTE_MATCH_MAX) {
		snprintf(err, ROUTE_ERR_MAX,
			 "a route has at most %d lines \"match\"; make a second one with the same \"via\"",
			 ROUTE_MATCH_MAX);
		return -1;
	}
	snprintf(m.value, sizeof(m.value), "%s", value);
	for (unsigned i = 0; i < n_above; i++) {
		for (unsigned k = 0; k < above[i].n_matches; k++) {
			const struct route_match *a = &above[i].match[k];

			if (!covers(a, &m))
				continue;
			snprintf(err, ROUTE_ERR_MAX,
				 "never reached: route %s above takes %s%s%s; put this one before it", above[i].name,
				 by_names[a->by], *a->value ? " " : "", a->value);
			return -1;
		}
	}
	r->match[r->n_matches++] = m;
	return 0;
}

bool route_takes_all(const struct route *r)
{
	for (unsigned k = 0; k < r->n_matches; k++)
		if (r->match[k].by == ROUTE_ALL)
			return true;
	return false;
}

void route_default(struct route *r, unsigned n_links)
{
	*r = (struct route){ .name = "all", .n_matches = 1, .n_links = n_links };
	for (unsigned i = 0; i < n_links && i < ROUTE_LINKS_MAX; i++)
		r->via[i].link = (uint8_t)i;
}

/* ------------------------------------------------------------------------------------------------- how links are */

static bool suspect(const struct route_link *l)
{
	return l->lost >= ROUTE_LOST_MAX || l->unanswered >= ROUTE_SILENT_MAX;
}

void route_link_up(struct route_link *l, bool up, int64_t now_ms)
{
	if (l->up == up)
		return;
	l->up = up;
	l->since_ms = now_ms;
	if (up)
		return;
	if (l->unanswered) /* with an answer in between the count would have begun anew */
		l->lost++;
	l->unanswered = 0;
	if (!suspect(l))
		l->suspect_ms = 0;
	else if (!l->suspect_ms)
		l->suspect_ms = now_ms;
}

void route_link_answered(struct route_link *l)
{
	l->unanswered = l->lost = 0;
	l->suspect_ms = 0;
}

void route_link_unanswered(struct route_link *l, int64_t now_ms)
{
	if (l->unanswered < UINT32_MAX)
		l->unanswered++;
	if (suspect(l) && !l->suspect_ms)
		l->suspect_ms = now_ms;
}

void route_link_took(struct route_link *l, int64_t now_ms)
{
	if (suspect(l))
		l->try_ms = now_ms + ROUTE_TRY_MS;
}

/* ------------------------------------------------------------------------------------------------ which one now */

/* Up, or down for so short a time that it is waited for. */
static bool holds(const struct route_link *l, int64_t failover_ms, int64_t now_ms)
{
	int64_t down_ms = now_ms - l->since_ms;

	return l->order == LINK_OPEN && (l->up || (down_ms >= 0 && down_ms < failover_ms));
}

static int rank_of(const struct route *r, const struct route_link *l, bool poor, int64_t failover_ms, int64_t now_ms)
{
	for (unsigned i = 0; i < r->n_links; i++) {
		const struct route_link *at = &l[r->via[i].link];

		if ((poor || !suspect(at)) && holds(at, failover_ms, now_ms))
			return r->via[i].rank;
	}
	return -1;
}

int route_rank(const struct route *r, const struct route_link *l, int64_t failover_ms, int64_t now_ms)
{
	int rank = rank_of(r, l, false, failover_ms, now_ms);

	return rank < 0 ? rank_of(r, l, true, failover_ms, now_ms) : rank;
}

bool route_serves(const struct route *r, unsigned link, const struct route_link *l, int64_t failover_ms, int64_t now_ms)
{
	const struct route_link *at = &l[link];
	unsigned i = 0;
	int rank;

	if (at->order != LINK_OPEN || !at->up)
		return false;
	while (i < r->n_links && r->via[i].link != link)
		i++;
	if (i == r->n_links)
		return false;
	rank = rank_of(r, l, false, failover_ms, now_ms);
	/* others do the work; now and then it gets one to show that it is well again, unless it would have nothing to do then either:
	 * each costs a card the wait for an answer */
	if (rank >= 0 && suspect(at))
		return r->via[i].rank <= rank && (now_ms >= at->try_ms || at->try_ms - now_ms > ROUTE_TRY_MS);
	if (rank < 0)
		rank = rank_of(r, l, true, failover_ms, now_ms);
	return r->via[i].rank == rank;
}

int64_t route_due(const struct route *r, const struct route_link *l, int64_t failover_ms, int64_t now_ms)
{
	int64_t due = INT64_MAX;

	for (unsigned i = 0; i < r->n_links; i++) {
		const struct route_link *at = &l[r->via[i].link];
		int64_t t;

		if (at->order != LINK_OPEN)
			continue;
		t = !at->up ? at->since_ms + failover_ms : suspect(at) ? at->try_ms : INT64_MAX;
		if (t > now_ms && t < due)
			due = t;
	}
	return due;
}

/* ------------------------------------------------------------------------------------------------ kept orders */

size_t route_orders_print(char out[ROUTE_ORDERS_MAX], const char *const *names, const struct route_link *l, unsigned n,
			  const char *absent)
{
	size_t len = 0;

	out[0] = 0;
	for (unsigned i = 0; i < n; i++)
		if (l[i].order != LINK_OPEN)
			len += (size_t)snprintf(out + len, ROUTE_ORDERS_MAX - len, "%.31s %s\n", names[i],
						order_names[l[i].order]);
	len += (size_t)snprintf(out + len, ROUTE_ORDERS_MAX - len, "%.*s", ROUTE_ABSENT_MAX - 1, absent);
	return len;
}
_Static_assert(ROUTE_LINKS_MAX *(LINK_NAME_MAX + sizeof("drained\n")) + ROUTE_ABSENT_MAX <= ROUTE_ORDERS_MAX,
	       "all links' orders fit");

static void absent_add(char absent[ROUTE_ABSENT_MAX], const char *line, size_t len)
{
	size_t at = strlen(absent);

	if (at + len + 1 >= ROUTE_ABSENT_MAX)
		return;
	memcpy(absent + at, line, len);
	memcpy(absent + at + len, "\n", 2);
}

static int order_line(const char *line, size_t len, const char *const *names, unsigned n, uint8_t *order,
		      char absent[ROUTE_ABSENT_MAX])
{
	const char *gap = memchr(line, ' ', len);
	size_t name = gap ? (size_t)(gap - line) : 0, word = gap ? len - name - 1 : 0;
	uint8_t o = 0;

	while (o < _LINK_ORDERS && (strlen(order_names[o]) != word || memcmp(order_names[o], line + name + 1, word)))
		o++;
	if (!name || name >= LINK_NAME_MAX || memchr(line, 0, len) || o == _LINK_ORDERS)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		if (strlen(names[i]) != name || memcmp(names[i], line, name))
			continue;
		order[i] = o;
		return 0;
	}
	if (o != LINK_OPEN)
		absent_add(absent, line, len);
	return 0;
}

int route_orders_parse(const char *text, size_t len, const char *const *names, unsigned n,
		       uint8_t order[ROUTE_LINKS_MAX], char absent[ROUTE_ABSENT_MAX])
{
	int rc = 0;

	absent[0] = 0;
	memset(order, LINK_OPEN, ROUTE_LINKS_MAX);
	while (len) {
		const char *nl = memchr(text, '\n', len);
		size_t line = nl ? (size_t)(nl - text) : len, whole = nl ? line + 1 : line;

		if (order_line(text, line, names, n, order, absent))
			rc = -1;
		text += whole;
		len -= whole;
	}
	return rc;
}
