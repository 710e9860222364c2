/* view.c - what all full screens share: frame, times, events.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl.h"

#define EVENTS_NEW 3 /* worth more than blank lines */

/* A card in any other state has reached its end. */
static const char *const states_open[] = { "PLANNED", "ACTIVE" };

uint64_t campaign_ended(const json_t *view)
{
	uint64_t n = 0;
	const char *state = js_text(view, "state");
	json_t *count;

	/* not counted: it ended long ago, and all of its cards with it */
	if (!json_is_object(json_object_get(view, "states")))
		return !strcmp(state, "DONE") || !strcmp(state, "CANCELLED") ? js_count(view, "targets") : 0;
	json_object_foreach(json_object_get((json_t *)view, "states"), state, count)
	{
		if (strcmp(state, states_open[0]) && strcmp(state, states_open[1]))
			n += (uint64_t)json_integer_value(count);
	}
	return n;
}

/* -------------------------------------------------------------------------------------------------- times */

int64_t view_ms(const char *s)
{
	struct tm tm = { 0 };
	int ms = 0;

	if (sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
		   &tm.tm_sec, &ms) < 6)
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return (int64_t)timegm(&tm) * 1000 + ms;
}

const char *view_clock(char buf[VIEW_TIME_MAX], int64_t at_ms)
{
	time_t s = (time_t)(at_ms / 1000);
	struct tm tm;

	strftime(buf, VIEW_TIME_MAX, "%H:%M:%SZ", gmtime_r(&s, &tm));
	return buf;
}

const char *view_time(char buf[VIEW_TIME_MAX], const char *rfc3339, int64_t now_ms)
{
	int64_t ms = view_ms(rfc3339);
	time_t s = (time_t)(ms / 1000);
	struct tm tm;

	if (!ms)
		return "-";
	if (ms / 86400000 == now_ms / 86400000)
		return view_clock(buf, ms);
	strftime(buf, VIEW_TIME_MAX, "%d %b %H:%MZ", gmtime_r(&s, &tm));
	return buf;
}

/* -------------------------------------------------------------------------------------------------- frame */

bool view_too_small(struct grid *g)
{
	char text[64];

	if (g->cols >= VIEW_COLS_MIN && g->rows >= VIEW_ROWS_MIN)
		return false;
	snprintf(text, sizeof(text), "%ux%u is too small", g->cols, g->rows);
	grid_put(g, 0, 0, GRID_BOLD, text);
	snprintf(text, sizeof(text), "%dx%d shows all", VIEW_COLS, VIEW_ROWS);
	grid_put(g, 1, 0, GRID_PLAIN, text);
	return true;
}

/* How long ago, and what stands on the screen meanwhile. */
static unsigned banner(struct grid *g, const struct view *v)
{
	char since[VIEW_TIME_MAX], seen[VIEW_TIME_MAX], ago[32];
	struct pane p;
	unsigned n;

	if (!v->down_ms || !pane_open(&p, g->cols))
		return 0;
	pane_line(&p, 0);
	pane_wrap(&p, 1, GRID_BAD, 1, "the gateway does not answer since %s (%s): %s", view_clock(since, v->down_ms),
		  ctl_duration(ago, sizeof(ago), (double)(v->now_ms - v->down_ms) / 1000), v->down_why);
	pane_line(&p, 1);
	if (v->seen_ms)
		pane_put(&p, 1, GRID_WARN, "what stands below is of %s; it is asked again and again",
			 view_clock(seen, v->seen_ms));
	else
		pane_put(&p, 1, GRID_WARN, "it is asked again and again");
	n = p.n < g->rows / 3 ? p.n : g->rows / 3;
	pane_show(&p, g, 1, 0, n);
	pane_close(&p);
	return n;
}

static void keys_line(struct grid *g, const struct view *v, const char *keys)
{
	unsigned row = g->rows - 1, col = 1;

	if (v->dialog == VIEW_ASK_PAUSE)
		grid_put(g, row, col, GRID_WARN,
			 "pause it? nothing new is sent, answers are still taken   y yes   n no");
	else if (v->dialog == VIEW_ASK_START)
		grid_put(g, row, col, GRID_WARN, "let it send (again)?   y yes   n no");
	else if (v->dialog == VIEW_HELP)
		grid_put(g, row, col, GRID_DIM, "any key goes back");
	else {
		col = grid_put(g, row, col, GRID_DIM, keys);
		grid_put(g, row, col + 3, GRID_BOLD, v->said);
	}
}

unsigned view_frame(struct grid *g, const struct view *v, const char *title, const char *state, const char *more,
		    enum grid_style style, const char *keys, unsigned *rows)
{
	char now[VIEW_TIME_MAX];
	unsigned top = 1, col;

	grid_fill(g, 0, 0, g->cols, ' ', GRID_TITLE);
	col = grid_put(g, 0, 1, GRID_TITLE, title);
	col = grid_put(g, 0, col + 2, style == GRID_PLAIN ? GRID_TITLE : style, state);
	col = grid_put(g, 0, col + (*more ? 3 : 0), GRID_TITLE, more);
	view_clock(now, v->now_ms);
	if (col + strlen(now) + 3 < g->cols)
		grid_put(g, 0, g->cols - 1 - (unsigned)strlen(now), GRID_TITLE, now);
	top += banner(g, v);
	keys_line(g, v, keys);
	*rows = g->rows > top + 1 ? g->rows - top - 1 : 0;
	return top;
}

void view_help(struct grid *g, unsigned row, unsigned rows, const char *const *lines)
{
	for (; *lines && rows; lines++, rows--)
		grid_put(g, row++, 1, GRID_PLAIN, *lines);
}

/* -------------------------------------------------------------------------------------------------- events */

void view_events(struct pane *p, const struct view *v, unsigned max, uint8_t weight, uint8_t old)
{
	const json_t *list = json_object_get(v->events, "events");
	size_t n = json_array_size(list);

	if (!n)
		return;
	pane_line(p, weight);
	pane_put(p, 1, GRID_BOLD, "last events");
	for (size_t i = n; i-- > 0 && n - i <= max;) {
		const json_t *e = json_array_get(list, i);
		const char *level = js_text(e, "level");
		char at[VIEW_TIME_MAX];
		unsigned col = 15;

		pane_line(p, n - i <= EVENTS_NEW ? weight : old);
		pane_put(p, 1, GRID_DIM, "%s", view_time(at, js_text(e, "at"), v->now_ms));
		if (js_count(e, "times") > 1)
			col = pane_put(p, col, GRID_DIM, "%llux ", (unsigned long long)js_count(e, "times"));
		pane_put(p, col,
			 !strcmp(level, "notice")  ? GRID_PLAIN :
			 !strcmp(level, "warning") ? GRID_WARN :
						     GRID_BAD,
			 "%s", js_text(e, "text"));
	}
}

/* --------------------------------------------------------------------------------------------- a link in words */

/* One word for how a link is: what was ordered first, then what has happened to it. */
const char *link_condition(const json_t *link)
{
	const char *order = js_text(link, "order");

	if (!strcmp(order, "drained"))
		return js_true(link, "idle") ? "drained" : "draining";
	if (!strcmp(order, "blocked"))
		return js_true(link, "up") ? "blocked" : "blocked, down";
	if (!js_true(link, "up"))
		return "DOWN";
	return js_true(link, "suspect") ? "UP, SILENT" : "up";
}

bool view_link_up(const json_t *l, enum grid_style *style)
{
	const char *order = js_text(l, "order");
	bool ordered = *order && strcmp(order, "open") != 0, up = js_true(l, "up");

	*style = ordered ? GRID_WARN : up && !js_true(l, "suspect") ? GRID_GOOD : GRID_BAD;
	return up;
}

/* What its `since` is about: it tells of the connection, not of an order. */
const char *view_link_words(char buf[VIEW_WORDS_MAX], const json_t *l)
{
	const char *is = link_condition(l), *state = js_text(l, "state");

	if (!strcmp(is, "up"))
		snprintf(buf, VIEW_WORDS_MAX, "%s", *state ? state : "UP");
	else if (!strcmp(is, "DOWN") || strstr(is, "down"))
		snprintf(buf, VIEW_WORDS_MAX, "%s", is);
	else
		snprintf(buf, VIEW_WORDS_MAX, "%s, %s", is, js_true(l, "up") ? "bound" : "down");
	return buf;
}

/* A route without a link: its cards wait, whatever else is up. */
void view_dead_routes(struct pane *p, const struct view *v, uint8_t weight)
{
	const json_t *routes = json_object_get(v->status, "routes");
	size_t i;
	json_t *r;

	json_array_foreach(routes, i, r)
	{
		if (!js_true(r, "dead"))
			continue;
		pane_line(p, weight);
		pane_put(p, 1, GRID_BAD, "route %s has no link: its cards wait", js_text(r, "name"));
	}
}

const char *view_rate_words(char buf[VIEW_WORDS_MAX], const json_t *l)
{
	double rate = js_real(l, "rate"), most = js_real(l, "rate_max");

	if (js_count(l, "hold_ms"))
		snprintf(buf, VIEW_WORDS_MAX, "%.1f/s allowed, paused for %.1f s: the SMSC throttles", rate,
			 js_real(l, "hold_ms") / 1000);
	else if (!(rate > 0))
		snprintf(buf, VIEW_WORDS_MAX, "no rate configured, none learned");
	else if (!(most > 0))
		snprintf(buf, VIEW_WORDS_MAX, "%.1f/s allowed, learned from the SMSC's throttling", rate);
	else if (rate < most)
		snprintf(buf, VIEW_WORDS_MAX, "%.1f of %.1f/s allowed, growing again after throttling", rate, most);
	else
		snprintf(buf, VIEW_WORDS_MAX, "%.1f/s allowed, as configured", most);
	return buf;
}
