/* counters.c - see counters.h.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "counters.h"

#include <limits.h>
#include <osmocom/core/rate_ctr.h>
#include <osmocom/core/stat_item.h>
#include <osmocom/core/statistics.h>
#include <osmocom/core/stats.h>
#include <osmocom/core/utils.h>

enum { L_SUBMITTED, L_ACCEPTED, L_REJECTED, L_UNKNOWN, L_THROTTLED, L_RECEIVED, L_RECEIPTS, L_CONNECTS, L_ERRORS, _L };
static const struct rate_ctr_desc link_ctr[] = {
	[L_SUBMITTED] = { "submit:all", "Short messages handed to the SMSC" },
	[L_ACCEPTED] = { "submit:accepted", "Short messages that it took" },
	[L_REJECTED] = { "submit:rejected", "Short messages that it refused" },
	[L_UNKNOWN] = { "submit:unknown", "Short messages without an answer in time" },
	[L_THROTTLED] = { "submit:throttled", "Refusals for speed" },
	[L_RECEIVED] = { "deliver:all", "Short messages and receipts that came in" },
	[L_RECEIPTS] = { "deliver:receipts", "Delivery receipts among them" },
	[L_CONNECTS] = { "connect:all", "Connections made" },
	[L_ERRORS] = { "protocol:errors", "PDUs that could not be read" },
};
static const struct rate_ctr_group_desc link_ctrs = {
	"smsc", "Link to an SMSC", OSMO_STATS_CLASS_PEER, ARRAY_SIZE(link_ctr), link_ctr,
};

enum { LI_UP, LI_WINDOW, _LI };
static const struct osmo_stat_item_desc link_item[] = {
	[LI_UP] = { "bound", "1 when it can be used", "", 0, 0 },
	[LI_WINDOW] = { "window:used", "Submits without an answer now", "submits", 0, 0 },
};
static const struct osmo_stat_item_group_desc link_items = {
	"smsc", "Link to an SMSC", OSMO_STATS_CLASS_PEER, ARRAY_SIZE(link_item), link_item,
};

enum {
	G_SUBMITS,
	G_COMMITS,
	G_COMMIT_FAILURES,
	G_POR_OK,
	G_POR_HINT,
	G_POR_BAD_MAC,
	G_POR_STRAY,
	G_POR_DUPLICATE,
	G_ALERTS,
	G_PROBES,
	G_WITHDRAWN,
	G_INBOX_FULL,
	_G
};
static const struct rate_ctr_desc gw_ctr[] = {
	[G_SUBMITS] = { "submit:all", "Short messages handed to links" },
	[G_COMMITS] = { "commit:all", "Batches made durable" },
	[G_COMMIT_FAILURES] = { "commit:failed", "Batches that the store refused and that were tried again" },
	[G_POR_OK] = { "por:ok", "Proofs of receipt that a card has signed" },
	[G_POR_HINT] = { "por:hint", "Answers in clear, which prove nothing" },
	[G_POR_BAD_MAC] = { "por:bad_mac", "Answers whose signature is wrong" },
	[G_POR_STRAY] = { "por:stray", "Answers that fit no command" },
	[G_POR_DUPLICATE] = { "por:duplicate", "Answers that came again" },
	[G_ALERTS] = { "alert:all", "Phones that became reachable" },
	[G_PROBES] = { "probe:all", "Read-backs" },
	[G_WITHDRAWN] = { "command:withdrawn", "Prepared commands that were not sent" },
	[G_INBOX_FULL] = { "inbox:full", "Messages that had to wait at the SMSC" },
};
static const struct rate_ctr_group_desc gw_ctrs = {
	"gw", "The gateway's core", OSMO_STATS_CLASS_GLOBAL, ARRAY_SIZE(gw_ctr), gw_ctr,
};

enum { GI_OPEN, GI_RESIDENT, GI_INBOX, GI_PARKED, GI_ALARM, _GI };
static const struct osmo_stat_item_desc gw_item[] = {
	[GI_OPEN] = { "cards:open", "Cards with a command under way", "cards", 0, 0 },
	[GI_RESIDENT] = { "cards:resident", "Cards in memory", "cards", 0, 0 },
	[GI_INBOX] = { "inbox:used", "Events that wait to be taken", "events", 0, 0 },
	[GI_PARKED] = { "inbox:parked", "Events that wait for their card", "events", 0, 0 },
	[GI_ALARM] = { "store:alarm", "1 when the store does not take what is to be kept", "", 0, 0 },
};
static const struct osmo_stat_item_group_desc gw_items = {
	"gw", "The gateway's core", OSMO_STATS_CLASS_GLOBAL, ARRAY_SIZE(gw_item), gw_item,
};

struct counters {
	unsigned n_links;
	struct rate_ctr_group *link[ROUTE_LINKS_MAX], *gw;
	struct osmo_stat_item_group *link_now[ROUTE_LINKS_MAX], *gw_now;
	uint64_t link_had[ROUTE_LINKS_MAX][_L], gw_had[_G]; /* what has been added; 'stats reset' begins at 0 again */
};

static void add(struct rate_ctr_group *g, unsigned i, uint64_t *had, uint64_t now)
{
	struct rate_ctr *c = rate_ctr_group_get_ctr(g, i);

	for (uint64_t left = now > *had ? now - *had : 0; left;) {
		int step = left > INT_MAX ? INT_MAX : (int)left;

		rate_ctr_add(c, step);
		left -= (uint64_t)step;
	}
	*had = now;
}

static void set(struct osmo_stat_item_group *g, unsigned i, unsigned now)
{
	struct osmo_stat_item *item = osmo_stat_item_group_get_item(g, i);

	if (osmo_stat_item_get_last(item) != (int32_t)now)
		osmo_stat_item_set(item, (int32_t)now);
}

static void take_link(struct counters *c, unsigned i, const struct link_stats *s)
{
	const uint64_t now[_L] = {
		[L_SUBMITTED] = s->submitted, [L_ACCEPTED] = s->accepted,   [L_REJECTED] = s->rejected,
		[L_UNKNOWN] = s->unknown,     [L_THROTTLED] = s->throttled, [L_RECEIVED] = s->received,
		[L_RECEIPTS] = s->receipts,   [L_CONNECTS] = s->connects,   [L_ERRORS] = s->protocol_errors,
	};

	for (unsigned k = 0; k < _L; k++)
		add(c->link[i], k, &c->link_had[i][k], now[k]);
	set(c->link_now[i], LI_UP, s->up);
	set(c->link_now[i], LI_WINDOW, s->in_window);
}

void counters_take(struct counters *c, const struct api_gw_status *g)
{
	const struct gw_stats *s = &g->core;
	const uint64_t now[_G] = {
		[G_SUBMITS] = s->submits,
		[G_COMMITS] = s->commits,
		[G_COMMIT_FAILURES] = s->commit_failures,
		[G_POR_OK] = s->por_ok,
		[G_POR_HINT] = s->por_hint,
		[G_POR_BAD_MAC] = s->por_bad_mac,
		[G_POR_STRAY] = s->por_stray,
		[G_POR_DUPLICATE] = s->por_duplicate,
		[G_ALERTS] = s->alerts,
		[G_PROBES] = s->probes,
		[G_WITHDRAWN] = s->withdrawn,
		[G_INBOX_FULL] = s->inbox_full,
	};
	const unsigned level[_GI] = {
		[GI_OPEN] = s->open,	 [GI_RESIDENT] = s->resident, [GI_INBOX] = s->inbox,
		[GI_PARKED] = s->parked, [GI_ALARM] = s->store_alarm,
	};

	for (unsigned k = 0; k < _G; k++)
		add(c->gw, k, &c->gw_had[k], now[k]);
	for (unsigned k = 0; k < _GI; k++)
		set(c->gw_now, k, level[k]);
	for (unsigned i = 0; i < c->n_links && i < g->links.n_links; i++)
		take_link(c, i, &g->links.link[i].stats);
}

struct counters *counters_new(void *tall, const struct api_gw_status *g)
{
	struct counters *c = talloc_zero(tall, struct counters);

	if (!c)
		return NULL;
	c->gw = rate_ctr_group_alloc(c, &gw_ctrs, 0);
	c->gw_now = osmo_stat_item_group_alloc(c, &gw_items, 0);
	for (unsigned i = 0; i < g->links.n_links && i < ROUTE_LINKS_MAX; i++) {
		c->link[i] = rate_ctr_group_alloc(c, &link_ctrs, i);
		c->link_now[i] = osmo_stat_item_group_alloc(c, &link_items, i);
		if (!c->link[i] || !c->link_now[i])
			break;
		rate_ctr_group_set_name(c->link[i], g->links.link[i].name);
		osmo_stat_item_group_set_name(c->link_now[i], g->links.link[i].name);
		c->n_links++;
	}
	if (!c->gw || !c->gw_now || c->n_links != g->links.n_links) {
		counters_free(c);
		return NULL;
	}
	return c;
}

void counters_free(struct counters *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < ROUTE_LINKS_MAX; i++) {
		if (c->link[i])
			rate_ctr_group_free(c->link[i]);
		if (c->link_now[i])
			osmo_stat_item_group_free(c->link_now[i]);
	}
	if (c->gw)
		rate_ctr_group_free(c->gw);
	if (c->gw_now)
		osmo_stat_item_group_free(c->gw_now);
	talloc_free(c);
}
