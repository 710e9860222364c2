/* watch_screen.c - the full screen: asks the gateway again and again, takes keys meanwhile, and never leaves without a word.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http_client.h"
#include "term.h"
#include "view.h"
#include "watch.h"

#define EVENTS_ASKED 60
#define TICK_MS	     1000 /* the clock on the screen goes on */
#define WHY_MAX	     1024

struct screen {
	struct watch *w;
	struct view v;
	json_t *campaign, *status, *events;
	char why[WHY_MAX], said[WHY_MAX];
	const char *verb; /* to be told to the gateway; NULL: nothing */
	bool leave;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct grid *picture(struct screen *s)
{
	struct grid *g = term_grid();

	s->v.now_ms = now_ms();
	s->v.campaign = s->campaign;
	s->v.status = s->status;
	s->v.events = s->events;
	if (g && s->w->name)
		view_campaign(g, &s->v);
	else if (g)
		view_links(g, &s->v);
	return g;
}

static void redraw(struct screen *s)
{
	struct grid *g = picture(s);

	if (g)
		term_draw(g);
	grid_free(g);
}

/* ------------------------------------------------------------------------------------------------ keys */

static void key_pause(struct screen *s)
{
	const char *state = js_text(s->campaign, "state");

	if (!s->w->name || !s->campaign)
		return;
	if (!strcmp(state, "RUNNING"))
		s->v.dialog = VIEW_ASK_PAUSE;
	else if (!strcmp(state, "PAUSED") || !strcmp(state, "READY"))
		s->v.dialog = VIEW_ASK_START;
	else
		snprintf(s->said, sizeof(s->said), "it is %s: there is nothing to pause", state);
}

static void key(struct screen *s, int k)
{
	enum view_dialog was = s->v.dialog;

	s->said[0] = '\0';
	s->v.dialog = VIEW_PLAIN;
	if (was == VIEW_ASK_PAUSE || was == VIEW_ASK_START) {
		if (k == 'y' || k == 'Y')
			s->verb = was == VIEW_ASK_PAUSE ? "pause" : "start";
		return;
	}
	if (was == VIEW_HELP && k != 'q' && k != 'Q')
		return;
	switch (k) {
	case 'q':
	case 'Q':
		s->leave = true;
		return;
	case 'p':
	case 'P':
		key_pause(s);
		return;
	case '?':
	case 'h':
		s->v.dialog = VIEW_HELP;
		return;
	}
}

static void take(struct screen *s, struct term_event e)
{
	if (e.kind == TERM_KEY)
		key(s, e.key);
	if (e.kind == TERM_END)
		s->leave = true;
	redraw(s);
}

/* While an answer is awaited: true calls it off. */
static bool look_up(void *ctx)
{
	struct screen *s = ctx;
	struct term_event e;

	while (!s->leave && (e = term_wait(0)).kind != TERM_NOTHING)
		take(s, e);
	redraw(s); /* the clock */
	return s->leave;
}

static struct screen *slow_screen;

static void on_slow(void)
{
	struct screen *s = slow_screen;

	if (s->v.down_ms)
		return;
	s->v.down_ms = now_ms() - HTTP_SLOW_MS;
	snprintf(s->why, sizeof(s->why), "it is there and says nothing; is its store in ALARM?  Its log tells");
	redraw(s);
}

/* ------------------------------------------------------------------------------------------------ asking */

static int get(struct screen *s, const char *path, const char *query, json_t **keep, char *err)
{
	char target[CTL_PATH_MAX + 32];
	json_t *v;
	int rc;

	snprintf(target, sizeof(target), "%s%s", path, query);
	rc = ctl_try(s->w->c, "GET", target, "application/json", NULL, 0, &v, err, WHY_MAX);
	if (rc)
		return rc;
	json_decref(*keep);
	*keep = v;
	return CTL_OK;
}

/* CTL_DOWN is shown and lived with, as long as there is patience. */
static int look(struct screen *s)
{
	char path[CTL_PATH_MAX], query[32], err[WHY_MAX];
	int rc = CTL_OK;

	if (s->w->name) {
		ctl_path(path, "campaigns", s->w->name, (char *)NULL);
		rc = get(s, path, "", &s->campaign, err);
	}
	ctl_path(path, "links", (char *)NULL);
	if (!rc && !s->leave)
		rc = get(s, path, "", &s->status, err);
	ctl_path(path, "events", (char *)NULL);
	snprintf(query, sizeof(query), "?limit=%d", EVENTS_ASKED);
	if (!rc && !s->leave)
		rc = get(s, path, query, &s->events, err);
	if (s->leave)
		return CTL_OK;
	if (!rc) {
		s->v.down_ms = 0;
		s->v.seen_ms = now_ms();
		return CTL_OK;
	}
	if (rc == CTL_REFUSED || (double)(now_ms() - s->v.down_ms) > s->w->patience_s * 1000) {
		if (rc == CTL_REFUSED || s->v.down_ms || s->w->patience_s <= 0) {
			snprintf(s->why, sizeof(s->why), "%s", err);
			return rc;
		}
	}
	if (!s->v.down_ms)
		s->v.down_ms = now_ms();
	err[strcspn(err, "\n")] = '\0'; /* what to do stands in the lines behind, for those at a shell */
	snprintf(s->why, sizeof(s->why), "%s", err);
	return CTL_OK;
}

static void tell(struct screen *s)
{
	char path[CTL_PATH_MAX], err[WHY_MAX];
	json_t *v = NULL;

	ctl_path(path, "campaigns", s->w->name, s->verb, (char *)NULL);
	s->verb = NULL;
	if (ctl_try(s->w->c, "POST", path, "application/json", NULL, 0, &v, err, sizeof(err)))
		snprintf(s->said, sizeof(s->said), "%s", err);
	else
		snprintf(s->said, sizeof(s->said), "the campaign is %s", js_text(v, "state"));
	json_decref(v);
}

/* ------------------------------------------------------------------------------------------------ the loop */

static void pause_between(struct screen *s)
{
	int64_t until = now_ms() + (int64_t)(s->w->interval_s * 1000), left;

	while (!s->leave && !s->verb && (left = until - now_ms()) > 0 && left <= (int64_t)(s->w->interval_s * 1000)) {
		struct term_event e = term_wait(left < TICK_MS ? (int)left : TICK_MS);

		if (e.kind != TERM_NOTHING)
			take(s, e);
		else if (left > TICK_MS)
			redraw(s);
	}
}

static int loop(struct screen *s, bool *ended)
{
	int rc, code = CTL_OK;

	for (;;) {
		if (s->verb)
			tell(s);
		rc = look(s);
		if (rc || s->leave)
			return rc;
		redraw(s);
		*ended = !s->v.down_ms && s->campaign && watch_finished(s->w, s->campaign, &code);
		if (*ended)
			return code;
		pause_between(s);
		if (s->leave)
			return CTL_OK;
	}
}

/* The last picture stays in the scrollback: what happened while nobody looked must not vanish with the screen. */
static void print_picture(struct screen *s, const struct grid *g)
{
	char buf[2];

	for (unsigned row = 0; row + 1 < g->rows; row++) {
		unsigned n = grid_used(g, row);

		for (unsigned col = 0; col < n; col++)
			fputs(grid_glyph(buf, g->cell[(size_t)row * g->cols + col].ch, term_utf8()), stdout);
		if (n || row < 3)
			putchar('\n');
	}
}

static void last_word(struct screen *s)
{
	char text[WATCH_TEXT_MAX], at[VIEW_TIME_MAX];

	if (s->w->name ? s->campaign : s->status) {
		watch_line(text, s->w, s->campaign, s->status);
		printf("%s %s\n", view_clock(at, s->v.seen_ms), text);
	}
	if (s->v.down_ms)
		printf("the gateway has not answered since %s: %s\n", view_clock(at, s->v.down_ms), s->why);
}

int watch_screen(struct watch *w)
{
	struct screen s = { .w = w };
	struct grid *last = NULL;
	bool ended = false;
	int rc;

	s.v.name = w->name;
	s.v.down_why = s.why;
	s.v.said = s.said;
	if (!term_open()) {
		ctl_error("the terminal cannot be taken: %s", strerror(errno));
		return CTL_USAGE;
	}
	slow_screen = &s;
	ctl_on_slow = on_slow;
	http_watch = (struct http_watch){ .look = look_up, .ctx = &s };
	term_fds(http_watch.fd);
	redraw(&s);
	rc = loop(&s, &ended);
	http_watch.look = NULL;
	ctl_on_slow = NULL;
	if (ended)
		last = picture(&s);
	term_close();
	if (rc && !ended)
		ctl_error("%s", s.why);
	else if (last)
		print_picture(&s, last);
	else
		last_word(&s);
	fflush(stdout);
	grid_free(last);
	json_decref(s.campaign);
	json_decref(s.status);
	json_decref(s.events);
	term_die();
	return rc;
}
