/* estimate.h - what a campaign will cost and how long it may take, and the figures it comes from.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A pure function: what was measured is handed in.  Where nothing has been measured nothing is made up: the figure is missing,
 * and a note says so.
 */
#ifndef OTAGW_ESTIMATE_H
#define OTAGW_ESTIMATE_H

#include "config.h"

#define SEEN_LATELY_MS	       (30LL * 24 * 3600 * 1000) /* a card that was seen since is likely to be reached */
#define ESTIMATE_NOTES_MAX     8
#define ESTIMATE_NOTE_MAX      200
#define ESTIMATE_PER_S_UNKNOWN (-1.0)
#define ESTIMATE_PER_S_ANY     0.0 /* nothing that would limit it */
#define ESTIMATE_MONEY_MAX     32

/* "0.05" as 50000 millionths; at most 1000, with at most six decimals. */
int price_parse(struct config_price *p, const char *each, const char *currency, char *err, size_t cap);

struct estimate_link {
	const char *name;
	bool up;
	unsigned window;
	double limit; /* short messages per second that may leave now, 0: no limit */
	struct gw_measured submit;
	/* out */
	double per_s; /* what it will take, or one of the two above */
};
struct estimate_route {
	const char *name;
	uint64_t sms_parts; /* of the cards that go this way */
	uint32_t links;	    /* a bit per link that would take a packet of it now */
};

struct estimate {
	/* in */
	uint64_t cards, sms_parts, seen; /* seen: within SEEN_LATELY_MS */
	const struct rules *rules;
	int64_t now_ms;
	struct gw_measured answer;
	struct config_price price;
	unsigned others; /* campaigns that run now */
	unsigned n_links;
	struct estimate_link link[CONFIG_LINKS_MAX];
	unsigned n_routes; /* 0: one over all links */
	struct estimate_route route[ROUTES_MAX];
	/* out */
	char cost[ESTIMATE_MONEY_MAX]; /* "617.25", "" no price */
	double per_s;		       /* of this campaign's short messages, or one of the two above */
	int64_t send_ms;	       /* -1: not known */
	int64_t window_ms;	       /* a day */
	int64_t canary_ms;	       /* waiting for canary groups, as far as it is known */
	int64_t duration_ms;	       /* from now, with the wait for an opening; -1: not known */
	unsigned n_notes;
	char note[ESTIMATE_NOTES_MAX][ESTIMATE_NOTE_MAX];
};
void estimate_make(struct estimate *e);

#endif
