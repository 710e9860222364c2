/* view.h - what the full screens show: pure functions of a model, so that a test can look at every size.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTACTL_VIEW_H
#define OTACTL_VIEW_H

#include <jansson.h>

#include "grid.h"

#define VIEW_COLS_MIN 30 /* smaller, it only says so */
#define VIEW_ROWS_MIN 5
#define VIEW_COLS     80 /* from here on nothing is left out but for want of rows */
#define VIEW_ROWS     24

enum view_dialog { VIEW_PLAIN, VIEW_HELP, VIEW_ASK_PAUSE, VIEW_ASK_START };

/* What is known, and when it was learned.  JSON as the API gives it; NULL: not yet. */
struct view {
	const char *name;	/* of the campaign */
	const json_t *campaign; /* GET /campaigns/NAME */
	const json_t *status;	/* GET /links: alarm, links, routes */
	const json_t *events;	/* GET /events */
	int64_t now_ms;
	int64_t seen_ms;      /* of the last answer, 0: there was none */
	int64_t down_ms;      /* it has not answered since, 0: it does */
	const char *down_why; /* one line */
	enum view_dialog dialog;
	const char *said; /* what became of the last key, "" nothing */
};

void view_campaign(struct grid *g, const struct view *v);
void view_links(struct grid *g, const struct view *v);

/* ---- shared ---- */
#define VIEW_TIME_MAX 32
/* "17:45:10Z", with its date when that is another day than now's; "-" without. */
const char *view_time(char buf[VIEW_TIME_MAX], const char *rfc3339, int64_t now_ms);
const char *view_clock(char buf[VIEW_TIME_MAX], int64_t at_ms);
/* Milliseconds of an RFC 3339 time in UTC; 0: none. */
int64_t view_ms(const char *rfc3339);
/* Title line, the banner of a gateway that does not answer, and the line of keys; the rows left for the view. */
unsigned view_frame(struct grid *g, const struct view *v, const char *title, const char *state, const char *more,
		    enum grid_style style, const char *keys, unsigned *rows);
/* True: the screen is too small for anything but saying so, which has been done. */
bool view_too_small(struct grid *g);
void view_help(struct grid *g, unsigned row, unsigned rows, const char *const *lines);
/* Newest first; those behind the first few have the weight `old`. */
void view_events(struct pane *p, const struct view *v, unsigned max, uint8_t weight, uint8_t old);
/* Whether it is up, and how that looks: what was ordered is no alarm. */
bool view_link_up(const json_t *link, enum grid_style *style);
void view_dead_routes(struct pane *p, const struct view *v, uint8_t weight);
/* Of a link, in words: how much it may send. */
#define VIEW_WORDS_MAX 160
const char *view_link_words(char buf[VIEW_WORDS_MAX], const json_t *link); /* "BOUND", "blocked, bound" */
const char *view_rate_words(char buf[VIEW_WORDS_MAX], const json_t *link);

#endif
