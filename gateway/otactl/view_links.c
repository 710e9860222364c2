/* view_links.c - all links on one screen.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "view.h"

#define INDENT 3
#define EVENTS 60

/* What goes first when there is no room, from light to heavy. */
enum weight { W_MUST, W_FLOW, W_ERROR, W_COUNT, W_LATENCY, W_REFUSED, W_EVENT, W_BLANK, W_OLD };

static void head(struct pane *p, const struct view *v, const json_t *l)
{
	enum grid_style style;
	bool up = view_link_up(l, &style);
	const char *state = js_text(l, "state");
	int64_t since = view_ms(js_text(l, "since"));
	char at[VIEW_TIME_MAX], ago[32], words[VIEW_WORDS_MAX];
	unsigned col;

	pane_line(p, W_MUST);
	col = pane_put(p, 1, style, "%c %s", up ? GLYPH_UP : GLYPH_DOWN, js_text(l, "name"));
	col = pane_put(p, col + 2, style == GRID_GOOD ? GRID_PLAIN : style, "%s since %s (%s)",
		       view_link_words(words, l), view_time(at, js_text(l, "since"), v->now_ms),
		       ctl_duration(ago, sizeof(ago), since ? (double)(v->now_ms - since) / 1000 : 0));
	if (!up && *state && strcmp(state, "CLOSED") != 0)
		col = pane_put(p, col + 2, GRID_WARN, "%s", state);
	pane_put(p, col + 2, GRID_DIM, "%s", js_text(l, "flavour"));
}

static void flow(struct pane *p, const json_t *l)
{
	char words[VIEW_WORDS_MAX];

	pane_line(p, W_FLOW);
	pane_wrap(p, INDENT, GRID_PLAIN, W_FLOW,
		  "window %" PRIu64 "/%" PRIu64 ", at most %" PRIu64 " used   sends %.1f/s   %s",
		  js_count(l, "in_window"), js_count(l, "window"), js_count(l, "window_high"), js_real(l, "rate_now"),
		  view_rate_words(words, l));
	pane_line(p, W_COUNT);
	pane_wrap(p, INDENT, GRID_PLAIN, W_COUNT,
		  "sent %" PRIu64 "   accepted %" PRIu64 "   refused %" PRIu64 "   unknown %" PRIu64
		  "   throttled %" PRIu64,
		  js_count(l, "submitted"), js_count(l, "accepted"), js_count(l, "rejected"), js_count(l, "unknown"),
		  js_count(l, "throttled"));
}

static void latency(struct pane *p, const json_t *l)
{
	char text[64] = "no answers lately";

	if (json_is_number(json_object_get(l, "p50_ms")))
		snprintf(text, sizeof(text), "answers in %" PRIu64 " ms, p99 %" PRIu64 " ms", js_count(l, "p50_ms"),
			 js_count(l, "p99_ms"));
	pane_line(p, W_LATENCY);
	pane_wrap(p, INDENT, GRID_PLAIN, W_LATENCY,
		  "%s   received %" PRIu64 "   receipts %" PRIu64 ": %" PRIu64 " ok, %" PRIu64 " bad", text,
		  js_count(l, "received"), js_count(l, "receipts"), js_count(l, "receipts_delivered"),
		  js_count(l, "receipts_failed"));
}

static void refused(struct pane *p, const struct view *v, const json_t *l)
{
	char text[256] = "", at[VIEW_TIME_MAX];
	const char *class;
	json_t *n;

	json_object_foreach(json_object_get(l, "refused_classes"), class, n)
	{
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "%s%s %" JSON_INTEGER_FORMAT, len ? "   " : "", class,
			 json_integer_value(n));
	}
	if (*text) {
		pane_line(p, W_REFUSED);
		pane_wrap(p, INDENT, GRID_PLAIN, W_REFUSED, "not accepted, by class: %s", text);
	}
	if (*js_text(l, "last_refusal")) {
		pane_line(p, W_REFUSED);
		pane_wrap(p, INDENT, GRID_PLAIN, W_REFUSED, "last refusal %s: %s",
			  view_time(at, js_text(l, "last_refusal_at"), v->now_ms), js_text(l, "last_refusal"));
	}
	if (*js_text(l, "last_error")) {
		pane_line(p, W_ERROR);
		pane_wrap(p, INDENT, js_true(l, "up") ? GRID_PLAIN : GRID_BAD, W_ERROR, "last error %s: %s",
			  view_time(at, js_text(l, "last_error_at"), v->now_ms), js_text(l, "last_error"));
	}
}

static const char *const help[] = {
	"q         leave",
	"?         this text",
	"",
	"window    submits that wait for their response, of how many may",
	"allowed   halved when the SMSC throttles, then growing again by 5 % a second",
	"unknown   no response in time, or the connection went: it may have been sent",
	"answers   from submit to response, of the last one to two minutes",
	"all times are UTC",
	NULL,
};

void view_links(struct grid *g, const struct view *v)
{
	const json_t *list = json_object_get(v->status, "links");
	size_t i, up = 0, n = json_array_size(list);
	char state[64] = "";
	unsigned row, rows;
	struct pane p;
	json_t *l;

	grid_clear(g);
	if (view_too_small(g))
		return;
	json_array_foreach(list, i, l)
	{
		up += js_true(l, "up");
	}
	if (v->status)
		snprintf(state, sizeof(state), "%zu of %zu up", up, n);
	row = view_frame(g, v, "links", state, "", up < n ? GRID_BAD : GRID_PLAIN, "q quit   ? help", &rows);
	if (v->dialog == VIEW_HELP) {
		view_help(g, row + 1, rows ? rows - 1 : 0, help);
		return;
	}
	if (!v->status || !pane_open(&p, g->cols)) {
		if (!v->down_ms)
			grid_put(g, row, 1, GRID_DIM, "asking the gateway ...");
		return;
	}
	if (*js_text(v->status, "alarm")) {
		pane_line(&p, W_MUST);
		pane_wrap(&p, 1, GRID_BAD, W_MUST, "ALARM %s", js_text(v->status, "alarm"));
	}
	view_dead_routes(&p, v, W_MUST);
	json_array_foreach(list, i, l)
	{
		if (i)
			pane_line(&p, W_BLANK);
		head(&p, v, l);
		flow(&p, l);
		latency(&p, l);
		refused(&p, v, l);
	}
	pane_line(&p, W_BLANK);
	view_events(&p, v, EVENTS, W_EVENT, W_OLD);
	pane_show(&p, g, row, 0, rows);
	pane_close(&p);
}
