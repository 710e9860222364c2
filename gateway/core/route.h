/* route.h - which links a card's packets may take, and which of them now: pure functions of what is configured and what is up.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A route says for which cards it is and names links in the order of fail-over; links of one rank share.  The first route that
 * matches a card is the card's.  A packet that is prepared belongs to a route, never to a link: it is given to a link when that
 * link asks, so that a link's failure moves nothing and costs no counter.
 */
#ifndef OTAGW_ROUTE_H
#define OTAGW_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ota/link.h"

#define ROUTES_MAX	 16 /* a bit each */
#define ROUTE_LINKS_MAX	 16
#define ROUTE_MATCH_MAX	 32 /* lines "match" of one route */
#define ROUTE_VALUE_MAX	 48 /* a profile's name, or a prefix */
#define ROUTE_ORDERS_MAX 1536
#define ROUTE_ABSENT_MAX 768 /* orders of links that are not in the config now */
#define ROUTE_ERR_MAX	 160

#define ROUTE_FAILOVER_MS 10000	 /* a link that is down so long is not waited for any more */
#define ROUTE_TRY_MS	  30000	 /* a link that does not answer gets one packet in so long, while others do the work */
#define ROUTE_TELL_MS	  300000 /* of a link that falls silent again and again the log says so once in so long */
#define ROUTE_SILENT_MAX  8	 /* submits in a row that it has left without an answer */
#define ROUTE_LOST_MAX	  3	 /* connections in a row that ended with submits and without a single answer */

enum route_by { ROUTE_ALL, ROUTE_IMSI, ROUTE_MSISDN, ROUTE_PROFILE, _ROUTE_BYS };
struct route_match {
	uint8_t by; /* enum route_by */
	char value[ROUTE_VALUE_MAX];
};
struct route {
	char name[LINK_NAME_MAX];
	unsigned n_matches, n_links;
	struct route_match match[ROUTE_MATCH_MAX];
	struct {
		uint8_t link, rank; /* ranks from 0, growing */
	} via[ROUTE_LINKS_MAX];
};

/* What a card is, for the match; NULL is as good as "". */
struct route_key {
	const char *imsi, *msisdn, *profile;
};
/* The first route that matches; n when none does. */
unsigned route_find(const struct route *routes, unsigned n, const struct route_key *key);
const char *route_by_name(uint8_t by); /* "imsi-prefix", ... */
/* Adds what a line "match" says.  0, or -1 with a sentence; *above: the routes that stand before this one. */
int route_match_add(struct route *r, const char *by, const char *value, const struct route *above, unsigned n_above,
		    char err[ROUTE_ERR_MAX]);
bool route_takes_all(const struct route *r);
/* The one route there is when none is configured: all cards, all links, all of one rank. */
void route_default(struct route *r, unsigned n_links);

/* ---- links, as far as routes care ---- */
enum link_order {
	LINK_OPEN,    /* as it should be */
	LINK_BLOCKED, /* stays bound, gets no packet */
	LINK_DRAINED, /* gets no packet; unbinds when what it has is answered */
	_LINK_ORDERS
};
const char *link_order_name(uint8_t o);

struct route_link {
	uint8_t order; /* enum link_order */
	bool up;
	int64_t since_ms;    /* up, or down */
	unsigned unanswered; /* submits without an answer since the last answer on this connection */
	unsigned lost;	     /* connections without an answer in a row */
	int64_t try_ms;	     /* while it is suspect: the next packet not before */
	int64_t suspect_ms;  /* since then, 0: it is not */
};
void route_link_up(struct route_link *l, bool up, int64_t now_ms);
void route_link_answered(struct route_link *l);
void route_link_unanswered(struct route_link *l, int64_t now_ms);
/* A packet begins on it. */
void route_link_took(struct route_link *l, int64_t now_ms);

/* The rank whose links carry the route now, or -1: none can be used.  A link that went down less than failover_ms ago keeps its
 * rank: it is waited for. */
int route_rank(const struct route *r, const struct route_link *l, int64_t failover_ms, int64_t now_ms);
/* May this link take a packet of the route now? */
bool route_serves(const struct route *r, unsigned link, const struct route_link *l, int64_t failover_ms,
		  int64_t now_ms);
/* When that may change by time alone; INT64_MAX: it does not. */
int64_t route_due(const struct route *r, const struct route_link *l, int64_t failover_ms, int64_t now_ms);

/* What operators have ordered, as it stands in the store: "NAME WORD\n" for each link that is not open; then *absent. */
size_t route_orders_print(char out[ROUTE_ORDERS_MAX], const char *const *names, const struct route_link *l, unsigned n,
			  const char *absent);
/* 0, or -1: it cannot be read; what could be is in order[].  The lines of links that are not among the names are in absent: a
 * link that is taken out of the config and put back is as it was ordered.  What finds no room there is forgotten. */
int route_orders_parse(const char *text, size_t len, const char *const *names, unsigned n,
		       uint8_t order[ROUTE_LINKS_MAX], char absent[ROUTE_ABSENT_MAX]);

#endif
