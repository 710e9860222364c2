/* campaign.c - start, pause, cancel, delete, list, show, report.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

/* ------------------------------------------------------------------------------------------------ verbs */

static int verb_print(const struct ctl *c, json_t *answer)
{
	if (c->format == CTL_JSON)
		ctl_print_json(answer);
	else if (c->format == CTL_CSV)
		printf("name,state\n%s,%s\n", js_text(answer, "name"), js_text(answer, "state"));
	else
		printf("campaign %s is %s\n", js_text(answer, "name"), js_text(answer, "state"));
	json_decref(answer);
	return CTL_OK;
}

static int campaign_verb(struct ctl *c, const struct ctl_args *a, const char *verb)
{
	char path[CTL_PATH_MAX];
	json_t *answer;
	int rc;

	ctl_path(path, "campaigns", a->pos[0], verb, (char *)NULL);
	rc = ctl_call(c, "POST", path, "application/json", NULL, 0, &answer);
	return rc ? rc : verb_print(c, answer);
}

int cmd_campaign_start(struct ctl *c, const struct ctl_args *a)
{
	return campaign_verb(c, a, "start");
}

int cmd_campaign_pause(struct ctl *c, const struct ctl_args *a)
{
	return campaign_verb(c, a, "pause");
}

int cmd_campaign_cancel(struct ctl *c, const struct ctl_args *a)
{
	if (!ctl_confirmed(a, "cancel ends the campaign for every card that has not finished"))
		return CTL_USAGE;
	return campaign_verb(c, a, "cancel");
}

int cmd_campaign_delete(struct ctl *c, const struct ctl_args *a)
{
	char path[CTL_PATH_MAX];
	json_t *answer;
	int rc;

	if (!ctl_confirmed(a, "delete removes the campaign and its list"))
		return CTL_USAGE;
	ctl_path(path, "campaigns", a->pos[0], (char *)NULL);
	rc = ctl_call(c, "DELETE", path, "application/json", NULL, 0, &answer);
	if (rc)
		return rc;
	json_decref(answer);
	return verb_print(c, json_pack("{s:s,s:s}", "name", a->pos[0], "state", "DELETED"));
}

/* ------------------------------------------------------------------------------------------------ list and show */

/* What a list shows of a view: its counts as columns of their own. */
static json_t *list_row(const json_t *v)
{
	const json_t *states = json_object_get(v, "states");
	uint64_t targets = js_count(v, "targets"), ended = campaign_ended(v);
	json_t *eta = json_object_get(v, "eta_s");
	json_t *done = json_is_object(states) ? json_integer((json_int_t)js_count(states, "DONE")) : json_null();
	char text[32] = "";

	if (json_is_number(eta))
		ctl_duration(text, sizeof(text), json_number_value(eta));
	return json_pack("{s:s,s:s,s:s,s:I,s:I,s:o,s:f,s:s,s:s,s:s}", "name", js_text(v, "name"), "state",
			 js_text(v, "state"), "profile", js_text(v, "profile"), "targets", (json_int_t)targets, "ended",
			 (json_int_t)ended, "done", done, "percent",
			 targets ? 100.0 * (double)ended / (double)targets : 0.0, "started", js_text(v, "started"),
			 "finished", js_text(v, "ended"), "eta", text);
}

int cmd_campaign_list(struct ctl *c, const struct ctl_args *a)
{
	static const struct ctl_column columns[] = {
		{ "name", "NAME", false },	 { "state", "STATE", false },	 { "profile", "PROFILE", false },
		{ "targets", "CARDS", true },	 { "done", "DONE", true },	 { "percent", "ENDED %", true },
		{ "started", "STARTED", false }, { "finished", "ENDED", false }, { "eta", "ETA", false },
	};
	json_t *answer, *rows, *v;
	struct ctl_list l;
	char path[CTL_PATH_MAX];
	size_t i;
	int rc;

	ctl_path(path, "campaigns", (char *)NULL);
	rc = ctl_get(c, path, &answer);
	if (rc)
		return rc;
	if (c->format == CTL_JSON) {
		ctl_print_json(answer);
	} else {
		rows = json_array();
		json_array_foreach(json_object_get(answer, "campaigns"), i, v)
		{
			json_array_append_new(rows, list_row(v));
		}
		ctl_list_begin(&l, c->format, columns, sizeof(columns) / sizeof(columns[0]));
		ctl_list_page(&l, rows);
		ctl_list_end(&l);
		json_decref(rows);
	}
	json_decref(answer);
	return CTL_OK;
}

static void show_counts(const char *title, const json_t *counts)
{
	const char *key;
	json_t *v;
	bool any = false;

	json_object_foreach((json_t *)counts, key, v)
	{
		if (!json_integer_value(v))
			continue;
		printf("%-12s%-14s %10" JSON_INTEGER_FORMAT "\n", any ? "" : title, key, json_integer_value(v));
		any = true;
	}
}

static void show_rules(const json_t *v)
{
	char text[CTL_CANARY_MAX];

	if (*js_text(v, "stopped"))
		printf("STOPPED     %s\n", js_text(v, "stopped"));
	if (*js_text(v, "rules"))
		printf("rules       %s\n", js_text(v, "rules"));
	if (*ctl_canary(text, json_object_get(v, "canary"), js_count(v, "targets")))
		printf("canary      %s\n", text);
	if (*js_text(v, "window_opens"))
		printf("window      closed, opens %s\n", js_text(v, "window_opens"));
	if (*js_text(v, "deadline"))
		printf("deadline    %s\n", js_text(v, "deadline"));
}

static void show_table(const json_t *v)
{
	uint64_t targets = js_count(v, "targets"), ended = campaign_ended(v);
	char bar[64], eta[32];

	printf("campaign    %s  %s\n", js_text(v, "name"), js_text(v, "state"));
	ctl_alarm(js_text(v, "alarm"));
	printf("profile     %s\n", js_text(v, "profile"));
	show_rules(v);
	printf("created     %s\nstarted     %s\nended       %s\n", js_text(v, "created"), js_text(v, "started"),
	       js_text(v, "ended"));
	printf("progress    %s %.1f %%  %" PRIu64 " of %" PRIu64 " cards\n",
	       ctl_bar(bar, sizeof(bar), targets ? (double)ended / (double)targets : 0, 40),
	       targets ? 100.0 * (double)ended / (double)targets : 0, ended, targets);
	show_counts("cards", json_object_get(v, "states"));
	show_counts("obstacles", json_object_get(v, "classes"));
	printf("commands    prepared %" PRIu64 ", in flight %" PRIu64 ", waiting for a timer %" PRIu64
	       ", for presence %" PRIu64 "\n",
	       js_count(v, "prepared"), js_count(v, "in_flight"), js_count(v, "waiting_timer"),
	       js_count(v, "waiting_presence"));
	printf("sent        %" PRIu64 " short messages, %" PRIu64 " attempts, %" PRIu64 " read-backs\n",
	       js_count(v, "sms_parts"), js_count(v, "attempts"), js_count(v, "probes"));
	printf("rate        %.1f cards/s", js_real(v, "done_per_s"));
	if (js_real(v, "done_long_s") >= 1)
		printf(", %.1f over the last %s", js_real(v, "done_per_s_long"),
		       ctl_duration(eta, sizeof(eta), js_real(v, "done_long_s")));
	putchar('\n');
	/* when those come that wait for a phone or a timer nobody knows */
	if (json_is_number(json_object_get(v, "eta_s")))
		printf("ETA         about %s for the %" PRIu64 " cards that wait for nothing\n",
		       ctl_duration(eta, sizeof(eta), js_real(v, "eta_s")), js_count(v, "eta_cards"));
	else if (*js_text(v, "eta_past"))
		printf("ETA         none: the %s %s%s%s before the %" PRIu64
		       " cards that wait for nothing are through\n",
		       js_text(v, "eta_past"), !strcmp(js_text(v, "eta_past"), "window") ? "closes" : "comes",
		       *js_text(v, "eta_past_at") ? " " : "", js_text(v, "eta_past_at"), js_count(v, "eta_cards"));
}

int cmd_campaign_show(struct ctl *c, const struct ctl_args *a)
{
	char path[CTL_PATH_MAX];
	json_t *v, *rows;
	int rc;

	ctl_path(path, "campaigns", a->pos[0], (char *)NULL);
	rc = ctl_get(c, path, &v);
	if (rc)
		return rc;
	if (c->format == CTL_JSON) {
		ctl_print_json(v);
	} else if (c->format == CTL_CSV) {
		static const struct ctl_column columns[] = {
			{ "name", "", false },	 { "state", "", false },   { "profile", "", false },
			{ "targets", "", true }, { "ended", "", true },	   { "done", "", true },
			{ "percent", "", true }, { "started", "", false }, { "finished", "", false },
		};
		struct ctl_list l;

		rows = json_pack("[o]", list_row(v));
		ctl_list_begin(&l, CTL_CSV, columns, sizeof(columns) / sizeof(columns[0]));
		ctl_list_page(&l, rows);
		ctl_list_end(&l);
		json_decref(rows);
	} else {
		show_table(v);
	}
	json_decref(v);
	return CTL_OK;
}

/* ------------------------------------------------------------------------------------------------ report */

int cmd_campaign_report(struct ctl *c, const struct ctl_args *a)
{
	/* the order of contrib/doc/api.md: stable for those who parse it */
	static const struct ctl_column columns[] = {
		{ "iccid", "ICCID", false },	   { "state", "STATE", false }, { "evidence", "EV", false },
		{ "por_status", "POR", false },	   { "sw", "SW", false },	{ "attempts", "ATT", true },
		{ "sms_parts", "SMS", true },	   { "probes", "PRB", true },	{ "first_try", "FIRST TRY", false },
		{ "last_try", "LAST TRY", false }, { "ended", "ENDED", false }, { "new_imsi", "NEW IMSI", false },
		{ "reason", "REASON", false },
	};
	enum ctl_format f = c->format_given ? c->format : isatty(STDOUT_FILENO) ? CTL_TABLE : CTL_CSV;
	char base[CTL_PATH_MAX], path[CTL_PATH_MAX + 64];
	struct ctl_list l;
	uint64_t after = 0;
	bool more = true;

	ctl_path(base, "campaigns", a->pos[0], "report", (char *)NULL);
	while (more) {
		json_t *page;
		int rc;

		snprintf(path, sizeof(path), "%s?after=%" PRIu64 "&limit=%d", base, after, CTL_PAGE);
		rc = ctl_get(c, path, &page);
		if (rc)
			return rc; /* a half-written report announces itself by the exit code */
		if (!after)
			ctl_list_begin(&l, f, columns, sizeof(columns) / sizeof(columns[0]));
		ctl_list_page(&l, json_object_get(page, "rows"));
		more = js_count(page, "next") > after;
		after = js_count(page, "next");
		json_decref(page);
	}
	ctl_list_end(&l);
	return CTL_OK;
}
