/* watch.c - campaign watch: redrawn in place on a terminal, a line per change everywhere else.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * It outlives a restart of the gateway: an operator who watches a campaign over night wants to see it come back.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"

#define INTERVAL_S_DEFAULT 1
#define PATIENCE_S_DEFAULT 60
#define PLAIN_EVERY_S	   1 /* a log wants no more lines than that, however often one looks */
#define TEXT_MAX	   4096

struct watch {
	struct ctl *c;
	const char *name;
	double interval_s, patience_s, until_percent;
	bool json_lines;
	unsigned columns, rows; /* of the terminal; columns 0: plain lines */
	unsigned drawn;		/* lines to go up before drawing again */
	char last[TEXT_MAX];	/* plain line without its time, to see a change */
	double quiet_s;		/* since the last plain line */
	double down_s;		/* how long the gateway has not answered */
};

/* ------------------------------------------------------------------------------------------------ texts */

struct text {
	char buf[TEXT_MAX];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, sizeof(t->buf) - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len = t->len + (size_t)n < sizeof(t->buf) ? t->len + (size_t)n : sizeof(t->buf) - 1;
}

/* "DONE 460  FAILED 2" */
static void add_counts(struct text *t, const json_t *counts)
{
	const char *key, *gap = "";
	json_t *v;

	json_object_foreach((json_t *)counts, key, v)
	{
		if (!json_integer_value(v))
			continue;
		add(t, "%s%s %" JSON_INTEGER_FORMAT, gap, key, json_integer_value(v));
		gap = "  ";
	}
}

static void add_links(struct text *t, const json_t *status)
{
	size_t i, up = 0;
	const json_t *links = json_object_get(status, "links");
	json_t *l;

	json_array_foreach(links, i, l)
	{
		up += js_true(l, "up");
	}
	if (json_array_size(links))
		add(t, "links %zu/%zu up", up, json_array_size(links));
}

static double percent_of(const json_t *v)
{
	uint64_t targets = js_count(v, "targets");

	return targets ? 100.0 * (double)campaign_ended(v) / (double)targets : 0;
}

/* ------------------------------------------------------------------------------------------------ plain lines */

static void print_plain(struct watch *w, const json_t *v, const json_t *status, bool end)
{
	struct text t = { .len = 0 };
	char now[16], eta[32];
	time_t at = time(NULL);
	struct tm tm;

	add(&t, "%s %s %" PRIu64 "/%" PRIu64 " (%.1f %%)  ", w->name, js_text(v, "state"), campaign_ended(v),
	    js_count(v, "targets"), percent_of(v));
	add_counts(&t, json_object_get(v, "states"));
	add(&t, "  ");
	add_links(&t, status);
	if (*js_text(v, "stopped"))
		add(&t, "  %s", js_text(v, "stopped"));
	if (*js_text(v, "alarm"))
		add(&t, "  ALARM: %s", js_text(v, "alarm"));
	w->quiet_s += w->interval_s;
	if (!strcmp(t.buf, w->last) || (w->quiet_s < PLAIN_EVERY_S && *w->last && !end))
		return;
	w->quiet_s = 0;
	memcpy(w->last, t.buf, t.len + 1);
	strftime(now, sizeof(now), "%H:%M:%SZ", gmtime_r(&at, &tm));
	printf("%s %s", now, t.buf);
	if (js_real(v, "done_per_s") > 0)
		printf("  %.1f/s", js_real(v, "done_per_s"));
	if (json_is_number(json_object_get(v, "eta_s")))
		printf("  ETA %s", ctl_duration(eta, sizeof(eta), js_real(v, "eta_s")));
	putchar('\n');
	fflush(stdout);
}

static void print_json(struct watch *w, const json_t *v, const json_t *status)
{
	json_t *o = json_copy((json_t *)v);
	char *line;

	json_object_set(o, "links", json_object_get(status, "links"));
	line = json_dumps(o, JSON_COMPACT);
	if (line && strncmp(line, w->last, sizeof(w->last) - 1)) {
		snprintf(w->last, sizeof(w->last), "%s", line);
		puts(line);
		fflush(stdout);
	}
	free(line);
	json_decref(o);
}

/* ------------------------------------------------------------------------------------------------ terminal */

/* One line cut to the screen, so that going up by lines stays right; what does not fit below is left out. */
static void draw_line(struct watch *w, const char *text)
{
	if (w->drawn + 1 >= w->rows)
		return;
	printf("%.*s\n", (int)w->columns - 1, text);
	w->drawn++;
}

/* To where the last picture began, and away with it.  A terminal of another size has broken its lines anew: what is
 * where is not known any more, so the screen begins afresh. */
static void draw_begin(struct watch *w)
{
	unsigned columns = ctl_terminal(STDOUT_FILENO), rows = ctl_terminal_rows(STDOUT_FILENO);

	if (w->drawn && (columns != w->columns || rows != w->rows))
		fputs("\033[H\033[2J", stdout);
	else if (w->drawn)
		printf("\033[%uA\r\033[J", w->drawn);
	w->columns = columns;
	w->rows = rows;
	w->drawn = 0;
}

static void draw_link(struct watch *w, const json_t *l)
{
	struct text t = { .len = 0 }, more = { .len = 0 };

	add(&t, " link %s: %s", js_text(l, "name"), js_true(l, "up") ? "up" : "DOWN");
	add(&t, "  window %" PRIu64 "/%" PRIu64, js_count(l, "in_window"), js_count(l, "window"));
	if (js_real(l, "rate") > 0)
		add(&t, "  %.0f/s allowed", js_real(l, "rate"));
	add(&more, "  sent %" PRIu64 "  ok %" PRIu64 "  rejected %" PRIu64, js_count(l, "submitted"),
	    js_count(l, "accepted"), js_count(l, "rejected"));
	add(&more, "  unknown %" PRIu64 "  in %" PRIu64, js_count(l, "unknown"), js_count(l, "received"));
	if (t.len + more.len < w->columns) {
		add(&t, "%s", more.buf);
		draw_line(w, t.buf);
	} else {
		draw_line(w, t.buf);
		draw_line(w, more.buf);
	}
}

/* In as many lines as it needs: it is what the operator must read. */
static void draw_alarm(struct watch *w, const char *what, const char *alarm)
{
	struct text t = { .len = 0 };
	size_t width = w->columns - 1;

	if (!*alarm)
		return;
	add(&t, " %s%s", what, alarm);
	fputs("\033[31m", stdout);
	for (size_t at = 0; at < t.len; at += width)
		draw_line(w, t.buf + at);
	fputs("\033[m", stdout);
}

static void draw(struct watch *w, const json_t *v, const json_t *status)
{
	struct text t = { .len = 0 };
	char bar[128], eta[32], canary[CTL_CANARY_MAX];
	size_t i;
	json_t *l;

	draw_begin(w);
	add(&t, "campaign %s  %s  profile %s  started %s", w->name, js_text(v, "state"), js_text(v, "profile"),
	    js_text(v, "started"));
	draw_line(w, t.buf);
	t.len = 0;
	add(&t, "%s %5.1f %%  %" PRIu64 " of %" PRIu64,
	    ctl_bar(bar, sizeof(bar), percent_of(v) / 100,
		    w->columns > 110 ? 70 :
		    w->columns > 48  ? w->columns - 38 :
				       10),
	    percent_of(v), campaign_ended(v), js_count(v, "targets"));
	draw_line(w, t.buf);
	t.len = 0;
	add(&t, " ");
	add_counts(&t, json_object_get(v, "states"));
	add(&t, "   %.1f cards/s", js_real(v, "done_per_s"));
	if (json_is_number(json_object_get(v, "eta_s")))
		add(&t, "   ETA %s", ctl_duration(eta, sizeof(eta), js_real(v, "eta_s")));
	draw_line(w, t.buf);
	t.len = 0;
	add(&t,
	    " commands: prepared %" PRIu64 "  in flight %" PRIu64 "  waiting for a timer %" PRIu64
	    "  for presence %" PRIu64,
	    js_count(v, "prepared"), js_count(v, "in_flight"), js_count(v, "waiting_timer"),
	    js_count(v, "waiting_presence"));
	draw_line(w, t.buf);
	t.len = 0;
	add(&t, " obstacles: ");
	add_counts(&t, json_object_get(v, "classes"));
	draw_line(w, t.buf);
	t.len = 0;
	add(&t, " short messages %" PRIu64 "  attempts %" PRIu64 "  read-backs %" PRIu64, js_count(v, "sms_parts"),
	    js_count(v, "attempts"), js_count(v, "probes"));
	draw_line(w, t.buf);
	t.len = 0;
	add(&t, " canary %s", ctl_canary(canary, json_object_get(v, "canary"), js_count(v, "targets")));
	if (*canary)
		draw_line(w, t.buf);
	json_array_foreach(json_object_get(status, "links"), i, l)
	{
		draw_link(w, l);
	}
	draw_alarm(w, "", js_text(v, "stopped"));
	draw_alarm(w, "ALARM: ", js_text(v, "alarm"));
	fflush(stdout);
}

/* ------------------------------------------------------------------------------------------------ the loop */

/* One look: CTL_OK with *v and *status; CTL_DOWN while there is still patience is hidden as an empty *v. */
static int look(struct watch *w, json_t **v, json_t **status)
{
	char path[CTL_PATH_MAX], err[1024];
	int rc;

	*v = *status = NULL;
	ctl_path(path, "campaigns", w->name, (char *)NULL);
	rc = ctl_try(w->c, "GET", path, "application/json", NULL, 0, v, err, sizeof(err));
	if (!rc) {
		if (w->down_s > 0 && !w->columns)
			fprintf(stderr, "otactl: the gateway answers again\n");
		w->down_s = 0;
		ctl_path(path, "status", (char *)NULL);
		ctl_try(w->c, "GET", path, "application/json", NULL, 0, status, err, sizeof(err));
		return CTL_OK;
	}
	if (rc == CTL_DOWN && w->down_s < w->patience_s) {
		if (w->down_s == 0)
			fprintf(stderr, "otactl: %s\notactl: trying again for up to %.0f s\n", err, w->patience_s);
		if (w->down_s == 0)
			w->drawn = 0;
		w->down_s += w->interval_s;
		return CTL_OK;
	}
	ctl_error("%s", err);
	return rc;
}

/* Whether there is nothing more to see; *code is then the exit code. */
static bool finished(const struct watch *w, const json_t *v, int *code)
{
	const char *state = js_text(v, "state");
	bool all_done = js_count(json_object_get(v, "states"), "DONE") == js_count(v, "targets");

	if (!strcmp(state, "DONE") || !strcmp(state, "CANCELLED")) {
		*code = all_done ? CTL_OK : CTL_PARTIAL;
		return true;
	}
	*code = CTL_OK;
	return w->until_percent >= 0 && percent_of(v) >= w->until_percent;
}

static int watch_loop(struct watch *w)
{
	for (;;) {
		json_t *v, *status;
		bool end = false;
		int code = CTL_OK, rc = look(w, &v, &status);

		if (rc)
			return rc;
		if (v) {
			end = finished(w, v, &code);
			if (w->json_lines)
				print_json(w, v, status);
			else if (w->columns)
				draw(w, v, status);
			else
				print_plain(w, v, status, end);
		}
		json_decref(v);
		json_decref(status);
		if (end)
			return code;
		ctl_wait(w->interval_s);
	}
}

int cmd_campaign_watch(struct ctl *c, const struct ctl_args *a)
{
	struct watch w = { .c = c, .name = a->pos[0] };

	w.json_lines = ctl_arg(a, "json-lines", 0) || c->format == CTL_JSON;
	if (!ctl_arg_number(a, "interval", 0.05, 3600, INTERVAL_S_DEFAULT, &w.interval_s) ||
	    !ctl_arg_number(a, "patience", 0, 1e9, PATIENCE_S_DEFAULT, &w.patience_s) ||
	    !ctl_arg_number(a, "until", 0, 100, -1, &w.until_percent))
		return CTL_USAGE;
	if (!w.json_lines && c->format != CTL_CSV)
		w.columns = ctl_terminal(STDOUT_FILENO);
	w.rows = ctl_terminal_rows(STDOUT_FILENO);
	return watch_loop(&w);
}
