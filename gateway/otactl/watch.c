/* watch.c - campaign watch and smsc watch: a full screen on a terminal (watch_screen.c), a line per change everywhere else.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * It outlives a restart of the gateway: an operator who watches a campaign over night wants to see it come back.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "term.h"
#include "view.h"
#include "watch.h"

#define INTERVAL_S_DEFAULT 1
#define PATIENCE_S_DEFAULT 60
#define PLAIN_EVERY_S	   1 /* a log wants no more lines than that, however often one looks */

/* ------------------------------------------------------------------------------------------------ texts */

struct text {
	char *buf; /* WATCH_TEXT_MAX octets */
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, WATCH_TEXT_MAX - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len = t->len + (size_t)n < WATCH_TEXT_MAX ? t->len + (size_t)n : WATCH_TEXT_MAX - 1;
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

static void campaign_line(struct text *t, const struct watch *w, const json_t *v, const json_t *status)
{
	add(t, "%s %s %" PRIu64 "/%" PRIu64 " (%.1f %%)  ", w->name, js_text(v, "state"), campaign_ended(v),
	    js_count(v, "targets"), percent_of(v));
	add_counts(t, json_object_get(v, "states"));
	add(t, "  ");
	add_links(t, status);
	if (*js_text(v, "stopped"))
		add(t, "  %s", js_text(v, "stopped"));
	if (*js_text(v, "alarm"))
		add(t, "  ALARM: %s", js_text(v, "alarm"));
}

/* What changes seldom: numbers that grow all the time would be a line a second. */
static void links_line(struct text *t, const json_t *status)
{
	const json_t *links = json_object_get(status, "links");
	size_t i;
	json_t *l;

	json_array_foreach(links, i, l)
	{
		bool slowed = js_real(l, "rate") > 0 &&
			      (js_real(l, "rate") < js_real(l, "rate_max") || !(js_real(l, "rate_max") > 0));

		add(t, "%s%s %s", i ? "  " : "", js_text(l, "name"),
		    js_true(l, "up") ? (slowed ? "up, slowed by throttling" : "up") : "DOWN");
		if (!js_true(l, "up") && *js_text(l, "last_error"))
			add(t, " (%s)", js_text(l, "last_error"));
	}
	if (*js_text(status, "alarm"))
		add(t, "  ALARM: %s", js_text(status, "alarm"));
}

void watch_line(char out[WATCH_TEXT_MAX], const struct watch *w, const json_t *v, const json_t *status)
{
	struct text t = { .buf = out };

	out[0] = '\0';
	if (w->name)
		campaign_line(&t, w, v, status);
	else
		links_line(&t, status);
}

/* ------------------------------------------------------------------------------------------------ plain lines */

/* False: the same as last time. */
static bool news(struct watch *w, const char *text)
{
	if (w->last && !strcmp(w->last, text))
		return false;
	free(w->last);
	w->last = strdup(text);
	return true;
}

static void print_plain(struct watch *w, const json_t *v, const json_t *status, bool end)
{
	char text[WATCH_TEXT_MAX], now[16], eta[32];
	time_t at = time(NULL);
	struct tm tm;

	watch_line(text, w, v, status);
	w->quiet_s += w->interval_s;
	if ((w->quiet_s < PLAIN_EVERY_S && w->last && !end) || !news(w, text))
		return;
	w->quiet_s = 0;
	strftime(now, sizeof(now), "%H:%M:%SZ", gmtime_r(&at, &tm));
	printf("%s %s", now, text);
	if (js_real(v, "done_per_s") > 0)
		printf("  %.1f/s", js_real(v, "done_per_s"));
	if (json_is_number(json_object_get(v, "eta_s")))
		printf("  ETA %s", ctl_duration(eta, sizeof(eta), js_real(v, "eta_s")));
	putchar('\n');
	fflush(stdout);
}

static void print_json(struct watch *w, const json_t *v, const json_t *status)
{
	json_t *o = v ? json_copy((json_t *)v) : json_object();
	char *line;

	json_object_set(o, "links", json_object_get(status, "links"));
	line = json_dumps(o, JSON_COMPACT);
	if (line && news(w, line)) {
		puts(line);
		fflush(stdout);
	}
	free(line);
	json_decref(o);
}

/* ------------------------------------------------------------------------------------------------ the loop */

static int ask(struct watch *w, const char *path, json_t **out, char *err, size_t cap)
{
	return ctl_try(w->c, "GET", path, "application/json", NULL, 0, out, err, cap);
}

/* One look: CTL_OK with *v and *status; CTL_DOWN while there is still patience is hidden as an empty *status. */
static int look(struct watch *w, json_t **v, json_t **status)
{
	char path[CTL_PATH_MAX], err[1024];
	int rc = CTL_OK;

	*v = *status = NULL;
	if (w->name) {
		ctl_path(path, "campaigns", w->name, (char *)NULL);
		rc = ask(w, path, v, err, sizeof(err));
	}
	if (!rc) {
		ctl_path(path, "links", (char *)NULL);
		rc = ask(w, path, status, err, sizeof(err));
		if (w->name) /* the campaign is what was asked for */
			rc = CTL_OK;
	}
	if (!rc) {
		if (w->down_s > 0)
			fprintf(stderr, "otactl: the gateway answers again\n");
		w->down_s = 0;
		return CTL_OK;
	}
	if (rc == CTL_DOWN && w->down_s < w->patience_s) {
		if (w->down_s == 0)
			fprintf(stderr, "otactl: %s\notactl: trying again for up to %.0f s\n", err, w->patience_s);
		w->down_s += w->interval_s;
		return CTL_OK;
	}
	ctl_error("%s", err);
	return rc;
}

bool watch_finished(const struct watch *w, const json_t *v, int *code)
{
	const char *state = js_text(v, "state");
	bool all_done = js_count(json_object_get(v, "states"), "DONE") == js_count(v, "targets");

	*code = CTL_OK;
	if (!w->name)
		return false;
	if (!strcmp(state, "DONE") || !strcmp(state, "CANCELLED")) {
		*code = all_done ? CTL_OK : CTL_PARTIAL;
		return true;
	}
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
		if (w->name ? v : status) {
			end = watch_finished(w, v, &code);
			if (w->json_lines)
				print_json(w, v, status);
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

static int watch(struct ctl *c, const struct ctl_args *a, const char *name)
{
	struct watch w = { .c = c, .name = name, .until_percent = -1 };
	bool screen;
	int rc;

	w.json_lines = ctl_arg(a, "json-lines", 0) || c->format == CTL_JSON;
	screen = !w.json_lines && c->format != CTL_CSV && !ctl_arg(a, "plain", 0) && term_able();
	/* who sits before a screen leaves when he wants to; a script must come to an end */
	if (!ctl_arg_number(a, "interval", 0.05, 3600, INTERVAL_S_DEFAULT, &w.interval_s) ||
	    !ctl_arg_number(a, "patience", 0, 1e9, screen ? 1e9 : PATIENCE_S_DEFAULT, &w.patience_s) ||
	    (name && !ctl_arg_number(a, "until", 0, 100, -1, &w.until_percent)))
		return CTL_USAGE;
	rc = screen ? watch_screen(&w) : watch_loop(&w);
	free(w.last);
	return rc;
}

int cmd_campaign_watch(struct ctl *c, const struct ctl_args *a)
{
	return watch(c, a, a->pos[0]);
}

int cmd_smsc_watch(struct ctl *c, const struct ctl_args *a)
{
	return watch(c, a, NULL);
}
