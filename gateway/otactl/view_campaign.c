/* view_campaign.c - one campaign on one screen: how far, how fast, what it waits for, what stands in its way.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "view.h"

#define WIDE	150 /* columns from which on there are two panes side by side */
#define LEFT	92  /* of the left one */
#define LABEL	13  /* column where a line's text begins */
#define CLASSES 16
#define EVENTS	60

/* What goes first when there is no room, from light to heavy; 0 stays. */
enum weight { W_MUST, W_COUNT, W_PACE, W_VERDICT, W_LINK, W_OBSTACLE, W_MORE, W_EVENT, W_BLANK, W_OLD };

/* --------------------------------------------------------------------------------------------------- how far */

static uint64_t of_state(const struct view *v, const char *state)
{
	return js_count(json_object_get(v->campaign, "states"), state);
}

static void bar_line(struct pane *p, const struct view *v, unsigned cols)
{
	uint64_t targets = js_count(v->campaign, "targets"), ended = campaign_ended(v->campaign);
	double part = targets ? (double)ended / (double)targets : 0;
	char text[96];
	int n = snprintf(text, sizeof(text), "%5.1f %%  %" PRIu64 " of %" PRIu64 "%s", 100 * part, ended, targets,
			 cols >= 60 ? " cards ended" : "");
	unsigned width = cols > (unsigned)n + 6 ? cols - (unsigned)n - 4 : 0, full = (unsigned)(part * width);

	pane_line(p, W_MUST);
	grid_fill(p->g, p->n - 1, 1, full, GLYPH_FULL, GRID_GOOD);
	grid_fill(p->g, p->n - 1, 1 + full, width - full, GLYPH_EMPTY, GRID_DIM);
	pane_put(p, width ? width + 2 : 1, GRID_BOLD, "%s", text);
}

__attribute__((format(printf, 6, 7))) static void count_line(struct pane *p, uint8_t weight, const char *label,
							     uint64_t n, enum grid_style style, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pane_line(p, weight);
	pane_put(p, 1, GRID_BOLD, "%s", label);
	pane_put(p, LABEL, n ? style : GRID_DIM, "%9" PRIu64, n);
	pane_put(p, LABEL + 11, GRID_PLAIN, "%s", text);
}

/* "refused for good 40, expired 4": only what there is. */
static void part(char *buf, size_t cap, const char *what, uint64_t n)
{
	size_t len = strlen(buf);

	if (n)
		snprintf(buf + len, cap - len, "%s%" PRIu64 " %s", len ? ", " : "", n, what);
}

static const char *planned_words(const struct view *v, uint64_t n, char buf[VIEW_WORDS_MAX])
{
	const char *state = js_text(v->campaign, "state");
	char at[VIEW_TIME_MAX];

	buf[0] = '\0';
	if (!n)
		return buf;
	if (!strcmp(state, "READY"))
		snprintf(buf, VIEW_WORDS_MAX, "it has not been started");
	else if (!strcmp(state, "PAUSED"))
		snprintf(buf, VIEW_WORDS_MAX, "the campaign is paused");
	else if (*js_text(v->campaign, "window_opens"))
		snprintf(buf, VIEW_WORDS_MAX, "the window opens %s",
			 view_time(at, js_text(v->campaign, "window_opens"), v->now_ms));
	else if (js_true(json_object_get(v->campaign, "canary"), "waits"))
		snprintf(buf, VIEW_WORDS_MAX, "after the canary");
	else
		snprintf(buf, VIEW_WORDS_MAX, "in turn, as links have room");
	return buf;
}

static void counts(struct pane *p, const struct view *v)
{
	const json_t *c = v->campaign;
	uint64_t done = of_state(v, "DONE"), ended = campaign_ended(c), timer = js_count(c, "waiting_timer");
	uint64_t presence = js_count(c, "waiting_presence"), sent = js_count(c, "in_flight");
	uint64_t ready = js_count(c, "prepared"), bad = ended > done ? ended - done : 0;
	char text[256] = "", words[VIEW_WORDS_MAX];

	count_line(p, W_COUNT, "done", done, GRID_GOOD, "%s", done ? "hold the new IMSI, proven by the card (E4)" : "");
	part(text, sizeof(text), "refused for good", of_state(v, "FAILED"));
	part(text, sizeof(text), "expired", of_state(v, "EXPIRED"));
	part(text, sizeof(text), "to be looked at", of_state(v, "QUARANTINED"));
	part(text, sizeof(text), "cancelled", of_state(v, "CANCELLED"));
	count_line(p, W_COUNT, "not done", bad, GRID_BAD, "%s", text);
	text[0] = '\0';
	part(text, sizeof(text), "sent, their answer awaited", sent);
	part(text, sizeof(text), "ready to be sent", ready);
	count_line(p, W_COUNT, "on their way", sent + ready, GRID_PLAIN, "%s", text);
	text[0] = '\0';
	part(text, sizeof(text), "for their phone", presence);
	part(text, sizeof(text), "for their next try", timer);
	count_line(p, W_COUNT, "waiting", timer + presence, GRID_WARN, "%s", text);
	count_line(p, W_COUNT, "not begun", of_state(v, "PLANNED"), GRID_PLAIN, "%s",
		   planned_words(v, of_state(v, "PLANNED"), words));
}

/* --------------------------------------------------------------------------------------------------- how fast */

static void pace(struct pane *p, const struct view *v)
{
	const json_t *c = v->campaign;
	char text[32];

	int64_t from = view_ms(js_text(c, "started")), to = view_ms(js_text(c, "ended"));

	pane_line(p, W_PACE);
	pane_put(p, 1, GRID_BOLD, from && to ? "took" : "rate");
	if (from && to)
		pane_put(p, LABEL, GRID_PLAIN, "%s", ctl_duration(text, sizeof(text), (double)(to - from) / 1000));
	else if (json_is_number(json_object_get(c, "done_per_s_long")))
		pane_put(p, LABEL, GRID_PLAIN, "%.1f cards/s now, %.1f over the last %s", js_real(c, "done_per_s"),
			 js_real(c, "done_per_s_long"), ctl_duration(text, sizeof(text), js_real(c, "done_long_s")));
	else
		pane_put(p, LABEL, GRID_PLAIN, "%.1f cards/s now", js_real(c, "done_per_s"));
	pane_line(p, W_MORE);
	pane_put(p, 1, GRID_BOLD, "sent");
	pane_put(p, LABEL, GRID_PLAIN, "%" PRIu64 " short messages in %" PRIu64 " attempts, %" PRIu64 " read-backs",
		 js_count(c, "sms_parts"), js_count(c, "attempts"), js_count(c, "probes"));
}

static size_t links_up(const struct view *v)
{
	size_t i, up = 0;
	json_t *l;

	json_array_foreach(json_object_get(v->status, "links"), i, l)
	{
		up += js_true(l, "up");
	}
	return up;
}

/* Why no time can be told; NULL: it can. */
static const char *no_eta(const struct view *v, char buf[VIEW_WORDS_MAX])
{
	const json_t *c = v->campaign;
	const char *state = js_text(c, "state"), *past = js_text(c, "eta_past");
	char at[VIEW_TIME_MAX];

	if (strcmp(state, "RUNNING") != 0)
		return !strcmp(state, "PAUSED") ? "none while it is paused" : "";
	if (*js_text(c, "alarm"))
		return "none while the store is in alarm";
	if (json_array_size(json_object_get(v->status, "links")) && !links_up(v))
		return "none while no link is up";
	if (json_is_number(json_object_get(c, "eta_s")))
		return NULL;
	if (*js_text(c, "window_opens"))
		return "none while its window is closed";
	if (json_is_object(json_object_get(c, "canary")))
		return "none during the canary";
	if (*past) {
		snprintf(buf, VIEW_WORDS_MAX, "none: the %s %s%s%s before all of them are through", past,
			 !strcmp(past, "window") ? "closes" : "comes", *js_text(c, "eta_past_at") ? " " : "",
			 *js_text(c, "eta_past_at") ? view_time(at, js_text(c, "eta_past_at"), v->now_ms) : "");
		return buf;
	}
	if (!js_count(c, "eta_cards"))
		return "none: every card that is left waits for its phone or a timer";
	return "not known: no card has ended lately";
}

static void eta(struct pane *p, const struct view *v)
{
	const json_t *c = v->campaign;
	uint64_t waiting = js_count(c, "waiting_timer") + js_count(c, "waiting_presence");
	char text[32], at[VIEW_TIME_MAX], words[VIEW_WORDS_MAX];
	const char *none = no_eta(v, words);

	if (none && !*none)
		return;
	pane_line(p, W_PACE);
	pane_put(p, 1, GRID_BOLD, "ETA");
	if (none)
		pane_put(p, LABEL, GRID_PLAIN, "%s", none);
	else
		pane_wrap(p, LABEL, GRID_PLAIN, W_PACE, "%s for the %" PRIu64 " cards that can go, at %.1f cards/s",
			  ctl_duration(text, sizeof(text), js_real(c, "eta_s")), js_count(c, "eta_cards"),
			  (double)js_count(c, "eta_cards") / (js_real(c, "eta_s") > 1 ? js_real(c, "eta_s") : 1));
	if (waiting) {
		pane_line(p, W_MORE);
		pane_put(p, LABEL, GRID_DIM, "when the %" PRIu64 " waiting ones come nobody knows", waiting);
	}
	if (*js_text(c, "deadline")) {
		pane_line(p, W_MORE);
		pane_put(p, LABEL, GRID_PLAIN, "deadline %s: nothing is sent after it",
			 view_time(at, js_text(c, "deadline"), v->now_ms));
	}
}

/* ------------------------------------------------------------------------------------------------- the verdict */

static void canary_line(struct pane *p, const struct view *v)
{
	const json_t *k = json_object_get(v->campaign, "canary");
	char text[32];

	if (!json_is_object(k))
		return;
	pane_line(p, W_VERDICT);
	pane_put(p, 1, GRID_BOLD, "canary");
	if (!js_true(k, "waits"))
		pane_wrap(p, LABEL, GRID_PLAIN, W_VERDICT,
			  "group %" PRIu64 " of %" PRIu64 ": %" PRIu64 " of %" PRIu64 " cards started",
			  js_count(k, "group"), js_count(k, "groups"), js_count(k, "started"), js_count(k, "cards"));
	else if (json_is_number(json_object_get(k, "next_s")))
		pane_wrap(p, LABEL, GRID_WARN, W_VERDICT,
			  "group %" PRIu64 " of %" PRIu64 " (%" PRIu64
			  " cards) is under way; the next begins when all have ended, or in %s",
			  js_count(k, "group"), js_count(k, "groups"), js_count(k, "cards"),
			  ctl_duration(text, sizeof(text), js_real(k, "next_s")));
	else
		pane_wrap(p, LABEL, GRID_WARN, W_VERDICT,
			  "group %" PRIu64 " of %" PRIu64 " (%" PRIu64
			  " cards) is under way; the next begins when all have ended",
			  js_count(k, "group"), js_count(k, "groups"), js_count(k, "cards"));
}

static void abort_lines(struct pane *p, const struct view *v)
{
	const json_t *list = json_object_get(v->campaign, "abort"), *a;
	char text[512] = "";
	size_t i, len;

	for (i = 0; i < json_array_size(list); i++) {
		a = json_array_get(list, i);
		len = strlen(text);
		snprintf(text + len, sizeof(text) - len, "%s%s: %" PRIu64 " of %" PRIu64, len ? ";  " : "",
			 js_text(a, "rule"), js_count(a, "cards"), js_count(a, "of"));
	}
	if (!*text)
		return;
	pane_line(p, W_VERDICT);
	pane_put(p, 1, GRID_BOLD, "stops at");
	pane_wrap(p, LABEL, GRID_PLAIN, W_VERDICT, "%s", text);
}

static void verdict(struct pane *p, const struct view *v)
{
	const json_t *c = v->campaign;
	const char *state = js_text(c, "state");
	char at[VIEW_TIME_MAX];

	if (*js_text(c, "alarm")) {
		pane_line(p, W_MUST);
		pane_put(p, 1, GRID_BAD, "ALARM");
		pane_wrap(p, LABEL, GRID_BAD, W_MUST, "%s", js_text(c, "alarm"));
	}
	if (*js_text(c, "stopped")) {
		pane_line(p, W_MUST);
		pane_put(p, 1, GRID_BAD, "STOPPED");
		pane_wrap(p, LABEL, GRID_BAD, W_MUST, "%s", js_text(c, "stopped"));
	} else if (!strcmp(state, "PAUSED")) {
		pane_line(p, W_VERDICT);
		pane_put(p, 1, GRID_BOLD, "paused");
		pane_put(p, LABEL, GRID_WARN, "by hand: nothing new is sent, answers are still taken");
	}
	if (*js_text(c, "window_opens")) {
		pane_line(p, W_VERDICT);
		pane_put(p, 1, GRID_BOLD, "window");
		pane_put(p, LABEL, GRID_WARN, "closed, opens %s", view_time(at, js_text(c, "window_opens"), v->now_ms));
	}
	canary_line(p, v);
	abort_lines(p, v);
}

/* ------------------------------------------------------------------------------------------------ obstacles */

static const char *class_words(const char *class)
{
	static const struct {
		const char *class, *words;
	} what[] = {
		{ "ABSENT", "phone off or away: when seen, or by timer" },
		{ "BUSY", "phone busy: again in a moment" },
		{ "CONGEST", "SMSC busy: slower; does not count as a try" },
		{ "MEM", "phone full: when it has room, or by timer" },
		{ "LINK", "link down: when it is back; does not count" },
		{ "CARD-TRANSIENT", "the card asks for another try: later" },
		{ "CARD-RESYNC", "counter unclear: the card is asked" },
		{ "CARD-PERM", "the card refuses for good" },
		{ "SUBS-PERM", "the network refuses for good" },
		{ "CONFIG", "something is configured wrong: look now" },
		{ "UNKNOWN", "no evidence either way: same octets again" },
	};

	for (size_t i = 0; i < sizeof(what) / sizeof(what[0]); i++)
		if (!strcmp(what[i].class, class))
			return what[i].words;
	return "";
}

struct obstacle {
	const char *class;
	uint64_t all, waiting;
};

/* Most cards first; of equals by name, so that lines do not change places for nothing. */
static unsigned obstacles_sorted(const struct view *v, struct obstacle out[CLASSES])
{
	const json_t *all = json_object_get(v->campaign, "classes");
	const json_t *waiting = json_object_get(v->campaign, "waiting_classes");
	unsigned n = 0;
	const char *key;
	json_t *count;

	json_object_foreach((json_t *)all, key, count)
	{
		struct obstacle o = { key, (uint64_t)json_integer_value(count), js_count(waiting, key) };
		unsigned i = n;

		if (!o.all || n == CLASSES)
			continue;
		for (; i && (out[i - 1].all < o.all || (out[i - 1].all == o.all && strcmp(out[i - 1].class, key) > 0));
		     i--)
			out[i] = out[i - 1];
		out[i] = o;
		n++;
	}
	return n;
}

static void obstacles(struct pane *p, const struct view *v)
{
	struct obstacle o[CLASSES];
	unsigned n = obstacles_sorted(v, o);

	if (!n)
		return;
	pane_line(p, W_OBSTACLE);
	pane_put(p, 1, GRID_BOLD, "last obstacle  under way   ended  what is done");
	for (unsigned i = 0; i < n; i++) {
		bool config = !strcmp(o[i].class, "CONFIG");

		pane_line(p, i < 2 || config ? W_OBSTACLE : W_MORE);
		pane_put(p, 1, config ? GRID_BAD : GRID_PLAIN, "%-14s %9" PRIu64 " %7" PRIu64 "  %s", o[i].class,
			 o[i].waiting, o[i].all - (o[i].waiting < o[i].all ? o[i].waiting : o[i].all),
			 class_words(o[i].class));
	}
}

/* ---------------------------------------------------------------------------------------------------- links */

static void link_line(struct pane *p, const struct view *v, const json_t *l)
{
	char at[VIEW_TIME_MAX], latency[64] = "", rate[48] = "", words[VIEW_WORDS_MAX];
	unsigned col;
	enum grid_style style;
	bool slowed, up;

	up = view_link_up(l, &style);
	pane_line(p, style == GRID_BAD ? W_MUST : W_LINK);
	col = pane_put(p, 1, style, "%c %s", up ? GLYPH_UP : GLYPH_DOWN, js_text(l, "name"));
	if (style != GRID_GOOD) {
		pane_put(p, col < LABEL ? LABEL : col + 1, style, "%s since %s  %s", view_link_words(words, l),
			 view_time(at, js_text(l, "since"), v->now_ms), up ? "" : js_text(l, "last_error"));
		return;
	}
	slowed = js_count(l, "hold_ms") || js_real(l, "rate") < js_real(l, "rate_max") || !(js_real(l, "rate_max") > 0);
	if (js_real(l, "rate") > 0)
		snprintf(rate, sizeof(rate), " of %.0f%s", js_real(l, "rate"), slowed ? " slowed" : "");
	if (json_is_number(json_object_get(l, "p99_ms")))
		snprintf(latency, sizeof(latency), "  p50 %" PRIu64 " ms  p99 %" PRIu64 " ms", js_count(l, "p50_ms"),
			 js_count(l, "p99_ms"));
	pane_put(p, col < LABEL ? LABEL : col + 1, GRID_PLAIN, "window %" PRIu64 "/%" PRIu64 "  %.1f/s%s%s",
		 js_count(l, "in_window"), js_count(l, "window"), js_real(l, "rate_now"), rate, latency);
}

static void links(struct pane *p, const struct view *v)
{
	const json_t *list = json_object_get(v->status, "links");
	size_t i;
	json_t *l;

	view_dead_routes(p, v, W_MUST);
	json_array_foreach(list, i, l)
	{
		link_line(p, v, l);
	}
}

/* -------------------------------------------------------------------------------------------------- the whole */

static void blank(struct pane *p)
{
	pane_line(p, W_BLANK);
}

static void left(struct pane *p, const struct view *v, unsigned cols)
{
	bar_line(p, v, cols);
	blank(p);
	counts(p, v);
	blank(p);
	pace(p, v);
	eta(p, v);
	blank(p);
	verdict(p, v);
	blank(p);
	obstacles(p, v);
}

/* Where there is little room it is the one line that counts. */
static void small(struct pane *p, const struct view *v)
{
	uint64_t done = of_state(v, "DONE"), ended = campaign_ended(v->campaign);

	bar_line(p, v, p->g->cols);
	verdict(p, v);
	pane_line(p, W_COUNT);
	pane_put(p, 1, GRID_PLAIN, "done %" PRIu64 "  not done %" PRIu64, done, ended > done ? ended - done : 0);
	pane_line(p, W_COUNT);
	pane_put(p, 1, GRID_PLAIN, "on their way %" PRIu64 "  waiting %" PRIu64,
		 js_count(v->campaign, "in_flight") + js_count(v->campaign, "prepared"),
		 js_count(v->campaign, "waiting_timer") + js_count(v->campaign, "waiting_presence"));
	pane_line(p, W_PACE);
	pane_put(p, 1, GRID_PLAIN, "%.1f cards/s now", js_real(v->campaign, "done_per_s"));
	links(p, v);
	pane_line(p, W_EVENT);
	pane_put(p, 1, GRID_DIM, "80x24 shows all");
}

static const char *const help[] = {
	"q        leave; the campaign goes on",
	"p        pause it, or let it go on; asks before",
	"?        this text",
	"",
	"done     the card has shown, under its keys, that it holds the new IMSI",
	"ETA      for the cards that can go now, at the rate of the last minutes;",
	"         those that wait for a phone or a timer are not in it",
	"stops at thresholds: cards counted so far, of how many",
	"all times are UTC",
	NULL,
};

static enum grid_style state_style(const char *state)
{
	return !strcmp(state, "PAUSED") ? GRID_WARN : GRID_PLAIN;
}

static void body(struct grid *g, const struct view *v, unsigned row, unsigned rows)
{
	bool wide = g->cols >= WIDE, tiny = g->cols < VIEW_COLS - 10;
	struct pane p, q = { .g = NULL };

	if (!pane_open(&p, wide ? LEFT : g->cols))
		return;
	if (tiny)
		small(&p, v);
	else
		left(&p, v, p.g->cols);
	if (wide && pane_open(&q, g->cols - LEFT - 2)) {
		pane_line(&q, W_MUST);
		pane_put(&q, 1, GRID_BOLD, "links");
		links(&q, v);
		blank(&q);
		view_events(&q, v, EVENTS, W_EVENT, W_OLD);
		pane_show(&q, g, row, LEFT + 2, rows);
		pane_close(&q);
	} else if (!wide && !tiny) {
		blank(&p);
		links(&p, v);
		blank(&p);
		view_events(&p, v, EVENTS, W_EVENT, W_OLD);
	}
	pane_show(&p, g, row, 0, rows);
	pane_close(&p);
}

void view_campaign(struct grid *g, const struct view *v)
{
	const char *state = v->campaign ? js_text(v->campaign, "state") : "";
	char more[128] = "", at[VIEW_TIME_MAX];
	unsigned row, rows;

	grid_clear(g);
	if (view_too_small(g))
		return;
	if (g->cols >= VIEW_COLS - 10 && v->campaign)
		snprintf(more, sizeof(more), "profile %s, started %s", js_text(v->campaign, "profile"),
			 view_time(at, js_text(v->campaign, "started"), v->now_ms));
	row = view_frame(g, v, v->name, state, more, state_style(state),
			 g->cols >= 60 ? "q quit   p pause or go on   ? help" : "q quit  p pause  ? help", &rows);
	if (v->dialog == VIEW_HELP)
		view_help(g, row + 1, rows ? rows - 1 : 0, help);
	else if (v->campaign)
		body(g, v, row, rows);
	else if (!v->down_ms)
		grid_put(g, row, 1, GRID_DIM, "asking the gateway ...");
}
