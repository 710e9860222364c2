/* vty_show.c - links and campaigns on the VTY: how they are, and orders to them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "vty_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct api *door;

struct api *vty_api(void)
{
	return door;
}

void vty_attach(struct api *a)
{
	door = a;
}

/* As HTTP says it. */
bool vty_may(struct vty *vty)
{
	if (!api_read_only(door))
		return true;
	vty_out(vty, "%% this gateway is a viewer: it shows and takes no orders (role, under exchange)" NL);
	return false;
}

const char *vty_span(char out[SPAN_MAX], int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *unit, *below;
		int64_t below_ms;
	} unit[] = { { 86400000, "d", "h", 3600000 },
		     { 3600000, "h", "m", 60000 },
		     { 60000, "m", "s", 1000 },
		     { 1000, "s", "", 0 } };

	for (size_t i = 0; i < sizeof(unit) / sizeof(unit[0]); i++) {
		if (ms < unit[i].ms)
			continue;
		if (unit[i].below_ms)
			snprintf(out, SPAN_MAX, "%" PRId64 "%s %" PRId64 "%s", ms / unit[i].ms % 100000, unit[i].unit,
				 ms % unit[i].ms / unit[i].below_ms, unit[i].below);
		else
			snprintf(out, SPAN_MAX, "%" PRId64 "%s", ms / unit[i].ms, unit[i].unit);
		return out;
	}
	snprintf(out, SPAN_MAX, "%" PRId64 "ms", ms < 0 ? 0 : ms);
	return out;
}

const char *vty_time(char out[RFC3339_MAX], int64_t utc_ms)
{
	if (!utc_ms)
		return "never";
	return rfc3339(out, utc_ms);
}

/* --------------------------------------------------------------------------------------------------- links */

static void put_rate(struct vty *vty, const char *what, double per_s)
{
	if (per_s > 0)
		vty_out(vty, ", %s %.3g/s", what, per_s);
	else
		vty_out(vty, ", %s unlimited", what);
}

static void put_link(struct vty *vty, const struct api_link_status *l)
{
	const struct link_stats *s = &l->stats;
	char span[SPAN_MAX], at[RFC3339_MAX];

	vty_out(vty, "smsc-link %s: %s for %s, flavour %s, order %s%s%s" NL, l->name, s->state ? s->state : "?",
		vty_span(span, l->view.for_ms), s->flavour ? s->flavour : "?", link_order_name(l->view.order),
		l->view.idle ? ", idle" : "", l->view.suspect ? ", takes packets and answers none" : "");
	vty_out(vty, "  window %u of %u (most %u)", s->in_window, s->window, s->window_high);
	put_rate(vty, "allowed", s->rate_limit);
	vty_out(vty, ", now %.3g/s", s->rate_now);
	if (s->answers)
		vty_out(vty, ", answers after %" PRId64 " ms (median), %" PRId64 " ms (99 %%)", s->p50_ms, s->p99_ms);
	vty_out(vty, NL);
	vty_out(vty,
		"  submitted %" PRIu64 ", accepted %" PRIu64 ", rejected %" PRIu64 ", unknown %" PRIu64
		", throttled %" PRIu64 NL,
		s->submitted, s->accepted, s->rejected, s->unknown, s->throttled);
	vty_out(vty,
		"  received %" PRIu64 ", receipts %" PRIu64 ", answered late %" PRIu64 ", connects %" PRIu64
		", protocol errors %" PRIu64 NL,
		s->received, s->receipts, s->temp_answers, s->connects, s->protocol_errors);
	if (*s->last_error)
		vty_out(vty, "  last error %s: %s" NL, vty_time(at, s->last_error_ms), s->last_error);
	if (*s->last_refusal)
		vty_out(vty, "  last refusal %s: %s" NL, vty_time(at, s->last_refusal_ms), s->last_refusal);
}

static void put_route(struct vty *vty, const struct api_links *l, const struct gw_route_view *v)
{
	const struct route *r = v->route;
	bool any = false;

	vty_out(vty, "route %s: via", r->name);
	for (unsigned i = 0; i < r->n_links; i++)
		if (r->via[i].link < l->n_links)
			vty_out(vty, "%s%s", i && r->via[i].rank == r->via[i - 1].rank ? "+" : " ",
				l->link[r->via[i].link].name);
	vty_out(vty, ", now by");
	for (unsigned i = 0; i < l->n_links; i++) {
		if (!(v->serving & 1u << i))
			continue;
		vty_out(vty, " %s", l->link[i].name);
		any = true;
	}
	vty_out(vty, "%s, %u packets ready" NL, v->rank < 0 ? " NONE" : any ? "" : " nobody yet", v->prepared);
}

static void print_links(struct vty_ask *ask, const struct api_reply *r)
{
	const struct api_links *l = r->links;
	struct vty *vty = ask->vty;
	bool found = false;

	for (unsigned i = 0; i < l->n_links; i++) {
		if (*ask->arg[0] && strcmp(ask->arg[0], l->link[i].name) != 0)
			continue;
		put_link(vty, &l->link[i]);
		found = true;
	}
	if (*ask->arg[0]) {
		if (!found)
			vty_out(vty, "%% there is no smsc-link %s; 'show smsc-link' names them" NL, ask->arg[0]);
		return;
	}
	if (!l->n_links)
		vty_out(vty, "there is no smsc-link" NL);
	for (unsigned i = 0; l->n_links && i < l->n_routes; i++)
		put_route(vty, l, &l->route[i]);
	if (l->alarm)
		vty_out(vty, "ALARM: %s" NL, l->alarm);
}

DEFUN(show_links, show_links_cmd, "show smsc-link [NAME]",
      SHOW_STR "Links to SMSCs, and the routes over them\nThis one alone\n")
{
	api_links(vty_api(), vty_ask(vty, print_links, argc ? argv[0] : NULL, NULL));
	return CMD_SUCCESS;
}

static void print_verb(struct vty_ask *ask, const struct api_reply *r)
{
	vty_out(ask->vty, "%s %s: %s" NL, ask->arg[0], r->verb->name, r->verb->state);
}

DEFUN(link_order, link_order_cmd, "smsc-link NAME (block|unblock|drain)",
      "A connection to an SMSC\nIts name\nIt stays bound and gets no packet; kept over a restart\nAs it should be\n"
      "It gets no packet, and unbinds when all it has is answered; kept over a restart\n")
{
	enum link_order order = argv[1][0] == 'b' ? LINK_BLOCKED : argv[1][0] == 'd' ? LINK_DRAINED : LINK_OPEN;

	if (!vty_may(vty))
		return CMD_WARNING;
	api_link_order(vty_api(), argv[0], order, vty_ask(vty, print_verb, "smsc-link", NULL));
	return CMD_SUCCESS;
}

/* ----------------------------------------------------------------------------------------------- campaigns */

static uint64_t ended(const struct gw_campaign_view *v)
{
	return v->row.targets - v->by_state[TXN_PLANNED] - v->by_state[TXN_ACTIVE];
}

static void put_campaign_line(struct vty *vty, const struct api_campaign *c)
{
	char span[SPAN_MAX];

	vty_out(vty, "%-24s %-9s", c->row.name, campaign_state_name(c->row.state));
	if (!c->counted) {
		vty_out(vty, " %9" PRIu64 NL, c->row.targets);
		return;
	}
	vty_out(vty, " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64, c->row.targets, c->view.by_state[TXN_DONE],
		ended(&c->view) - c->view.by_state[TXN_DONE], c->view.by_state[TXN_ACTIVE]);
	if (c->row.state == CAMPAIGN_RUNNING)
		vty_out(vty, " %7.1f/s %s", c->view.done_per_s,
			c->view.eta_ms < 0 ? "-" : vty_span(span, c->view.eta_ms));
	vty_out(vty, NL);
}

static void print_campaigns(struct vty_ask *ask, const struct api_reply *r)
{
	if (!r->campaigns->n) {
		vty_out(ask->vty, "there is no campaign; 'otactl campaign create' makes one" NL);
		return;
	}
	vty_out(ask->vty, "%-24s %-9s %9s %9s %9s %9s %9s %s" NL, "CAMPAIGN", "IS", "CARDS", "DONE", "NOT DONE",
		"UNDER WAY", "RATE", "REMAINS");
	for (size_t i = 0; i < r->campaigns->n; i++)
		put_campaign_line(ask->vty, &r->campaigns->campaign[i]);
}

static void put_classes(struct vty *vty, const char *what, const uint64_t *n)
{
	bool any = false;

	for (unsigned i = FAIL_NONE + 1; i < _FAIL_CLASSES; i++) {
		if (!n[i])
			continue;
		vty_out(vty, "%s %s %" PRIu64, any ? "," : what, fail_class_name((enum fail_class)i), n[i]);
		any = true;
	}
	if (any)
		vty_out(vty, NL);
}

static void put_counted(struct vty *vty, const struct gw_campaign_view *v)
{
	char span[SPAN_MAX];
	bool any = false;

	vty_out(vty, "  cards %" PRIu64 ":", v->row.targets);
	for (unsigned i = 0; i < _TXN_STATES; i++) {
		if (!v->by_state[i])
			continue;
		vty_out(vty, "%s %s %" PRIu64, any ? "," : "", txn_state_name((uint8_t)i), v->by_state[i]);
		any = true;
	}
	vty_out(vty, NL);
	vty_out(vty, "  short messages %" PRIu64 ", attempts %" PRIu64 ", read-backs %" PRIu64 NL, v->sms_parts,
		v->attempts, v->probes);
	vty_out(vty,
		"  under way: %" PRIu64 " prepared, %" PRIu64 " sent, %" PRIu64 " wait for their time, %" PRIu64
		" for their phone" NL,
		v->prepared, v->in_flight, v->waiting_timer, v->waiting_presence);
	put_classes(vty, "  obstacles of cards under way:", v->waiting_class);
	put_classes(vty, "  last obstacle of cards not done:", v->by_class);
	if (v->row.state == CAMPAIGN_RUNNING)
		vty_out(vty, "  %.1f cards/s, remains %s%s%s" NL, v->done_per_s,
			v->eta_ms < 0 ? "unknown" : vty_span(span, v->eta_ms), v->eta_past ? ", past its " : "",
			v->eta_past ? v->eta_past : "");
	for (unsigned i = 0; i < v->n_abort; i++)
		vty_out(vty, "  stops at %s: %" PRIu32 " of %" PRIu32 NL, v->abort[i].rule, v->abort[i].hits,
			v->abort[i].of);
}

static void print_campaign(struct vty_ask *ask, const struct api_reply *r)
{
	const struct api_campaign *c = r->campaign;
	struct vty *vty = ask->vty;
	char at[RFC3339_MAX];

	vty_out(vty, "campaign %s: %s, profile %s%s%s" NL, c->row.name, campaign_state_name(c->row.state),
		c->row.profile, *c->row.rules ? ", rules " : "", c->row.rules);
	vty_out(vty, "  created %s", vty_time(at, c->row.created_ms));
	if (c->row.started_ms)
		vty_out(vty, ", started %s", vty_time(at, c->row.started_ms));
	if (c->row.ended_ms)
		vty_out(vty, ", ended %s", vty_time(at, c->row.ended_ms));
	vty_out(vty, NL);
	if (c->counted)
		put_counted(vty, &c->view);
	if (*c->row.stop_reason)
		vty_out(vty, "  stopped by itself: %s" NL, c->row.stop_reason);
	if (c->alarm)
		vty_out(vty, "ALARM: %s" NL, c->alarm);
}

DEFUN(show_campaign, show_campaign_cmd, "show campaign [NAME]", SHOW_STR "Campaigns\nThis one in full\n")
{
	if (argc)
		api_campaign_show(vty_api(), argv[0], vty_ask(vty, print_campaign, NULL, NULL));
	else
		api_campaign_list(vty_api(), vty_ask(vty, print_campaigns, NULL, NULL));
	return CMD_SUCCESS;
}

DEFUN(campaign_order, campaign_order_cmd, "campaign NAME (pause|resume|abort)",
      "A campaign\nIts name\nNothing of it leaves any more until it is resumed\nStarts it, or lets it go on\n"
      "Ends it: cards that have not been tried stay as they are\n")
{
	enum gw_campaign_verb verb = argv[1][0] == 'p' ? CAMPAIGN_VERB_PAUSE :
				     argv[1][0] == 'r' ? CAMPAIGN_VERB_START :
							 CAMPAIGN_VERB_CANCEL;

	if (!vty_may(vty))
		return CMD_WARNING;
	api_campaign_verb(vty_api(), argv[0], verb, vty_ask(vty, print_verb, "campaign", NULL));
	return CMD_SUCCESS;
}

void vty_show_init(void)
{
	install_element_ve(&show_links_cmd);
	install_element_ve(&show_campaign_cmd);
	install_element(ENABLE_NODE, &link_order_cmd);
	install_element(ENABLE_NODE, &campaign_order_cmd);
}
