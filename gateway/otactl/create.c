/* create.c - campaign create and retry: a list, or the cards of an ended campaign, become a campaign with its rules.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

/* "3.4 s" */
static const char *brief(char *buf, size_t cap, double seconds)
{
	if (seconds < 60)
		snprintf(buf, cap, "%.*f s", seconds < 1 ? 3 : 1, seconds);
	else
		ctl_duration(buf, cap, seconds);
	return buf;
}

static void print_link(const json_t *l)
{
	const json_t *submit = json_object_get(l, "submit");
	char rate[32], took[32];

	if (json_is_number(json_object_get(l, "throughput")))
		snprintf(rate, sizeof(rate), "%.1f/s", js_real(l, "throughput"));
	else
		snprintf(rate, sizeof(rate), "unlimited");
	printf("  link      %s%s: throughput %s, window %" PRIu64 ", a submit takes %s\n", js_text(l, "name"),
	       js_true(l, "up") ? "" : " (down)", rate, js_count(l, "window"),
	       json_is_object(submit) ? brief(took, sizeof(took), js_real(submit, "median_ms") / 1000) :
					"(no measurement yet)");
}

/* What is to be made, of a list or (retry_of not "") of the cards of an ended campaign. */
struct making {
	const char *name, *retry_of;
	bool dry_run, strict;
};

/* The figures, then what follows from them. */
static void print_estimate(const json_t *e, uint64_t cards)
{
	const json_t *answer = json_object_get(e, "answer"), *x;
	char a[32], b[32];
	size_t i;

	if (!json_is_object(e))
		return;
	if (*js_text(e, "cost"))
		printf("cost        %s %s  at %s a short message; retries and read-backs come on top\n",
		       js_text(e, "cost"), js_text(e, "currency"), js_text(e, "price"));
	else
		printf("cost        not known: there is no sms-price in the gateway's config\n");
	json_array_foreach(json_object_get(e, "links"), i, x) print_link(x);
	if (js_real(e, "per_s") > 0)
		printf("  sending   %s at %.1f short messages/s\n", brief(a, sizeof(a), js_real(e, "send_s")),
		       js_real(e, "per_s"));
	if (js_count(e, "window_s") < 86400)
		printf("  window    %s a day\n", ctl_duration(a, sizeof(a), js_real(e, "window_s")));
	if (js_count(e, "canary_s"))
		printf("  canary    groups are waited for, up to %s together\n",
		       ctl_duration(a, sizeof(a), js_real(e, "canary_s")));
	if (json_is_object(answer))
		printf("  answers   %s, 9 of 10 within %s, of the last %" PRIu64 "\n",
		       brief(a, sizeof(a), js_real(answer, "median_ms") / 1000),
		       brief(b, sizeof(b), js_real(answer, "p90_ms") / 1000), js_count(answer, "n"));
	printf("  reachable %" PRIu64 " of %" PRIu64 " cards were seen in the last %" PRIu64 " days\n",
	       js_count(e, "seen"), cards, js_count(e, "seen_days"));
	if (json_is_number(json_object_get(e, "duration_s")))
		printf("estimate    %s until each card had its first attempt, and those that are there have answered\n",
		       ctl_duration(a, sizeof(a), js_real(e, "duration_s")));
	else
		printf("estimate    none\n");
	json_array_foreach(json_object_get(e, "notes"), i, x)
		printf("  note      %s\n", json_string_value(x) ? json_string_value(x) : "");
}

static void create_print(const struct ctl *c, const struct ctl_upload *u, const char *name, const char *profile,
			 const json_t *totals, bool dry_run)
{
	const char *state = js_text(totals, "state");

	if (c->format == CTL_JSON) {
		json_t *v = json_pack("{s:s,s:s,s:b,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:O,s:O?}", "name", name, "profile",
				      profile, "dry_run", dry_run, "state", state, "accepted", (json_int_t)u->accepted,
				      "packets", (json_int_t)u->packets, "sms_parts", (json_int_t)u->sms_parts,
				      "filtered", (json_int_t)u->filtered, "may_have_run", (json_int_t)u->may_have_run,
				      "rejected", (json_int_t)u->rejected, "rejects", u->kept, "estimate",
				      json_object_get(totals, "estimate"));

		ctl_print_json(v);
		json_decref(v);
	} else if (c->format == CTL_CSV) {
		printf("name,profile,dry_run,accepted,packets,sms_parts,rejected\n%s,%s,%s,%" PRIu64 ",%" PRIu64
		       ",%" PRIu64 ",%" PRIu64 "\n",
		       name, profile, dry_run ? "yes" : "no", u->accepted, u->packets, u->sms_parts, u->rejected);
	} else {
		printf("campaign    %s%s%s\n", name, dry_run ? "  (dry run: nothing was kept)" : "  ",
		       dry_run ? "" : state);
		printf("profile     %s\n", profile);
		printf("cards       %" PRIu64 "\n", u->accepted);
		printf("packets     %" PRIu64 "\n", u->packets);
		printf("SMS parts   %" PRIu64 "  when every first attempt arrives\n", u->sms_parts);
		if (u->filtered)
			printf("filtered    %" PRIu64 "\n", u->filtered);
		if (u->may_have_run)
			printf("left out    %" PRIu64
			       "  whose command may have run, and nobody knows: --may-have-run takes them\n",
			       u->may_have_run);
		printf("rejected    %" PRIu64 " lines\n", u->rejected);
		if (dry_run)
			print_estimate(json_object_get(totals, "estimate"), u->accepted);
	}
}

/* The list of a campaign that could not be finished must not stand in the way of the next attempt. */
static void create_undo(struct ctl *c, const char *name)
{
	char path[CTL_PATH_MAX], err[256];

	ctl_path(path, "campaigns", name, (char *)NULL);
	if (!ctl_try(c, "DELETE", path, "application/json", NULL, 0, NULL, err, sizeof(err)))
		ctl_error("campaign %s was not created", name);
	else if (ctl_status() != 404) /* then the gateway has dropped it itself, and said so */
		ctl_error("campaign %s was left unfinished; delete it before the next attempt: otactl campaign delete "
			  "%s --yes",
			  name, name);
}

/* A retry: the gateway looks at the old campaign page by page, as often as it is asked to. */
static int take_pages(struct ctl *c, struct ctl_upload *u)
{
	char path[CTL_PATH_MAX + 96];
	uint64_t first = 1;
	bool end = false;

	while (!end) {
		json_t *answer;
		int rc;

		snprintf(path, sizeof(path), "%s?first=%" PRIu64 "%s", u->path, first, u->query);
		rc = ctl_call(c, "POST", path, "text/csv", NULL, 0, &answer);
		if (rc)
			return rc;
		ctl_upload_take(u, answer);
		end = js_true(answer, "end") || js_count(answer, "next") <= first;
		first = js_count(answer, "next");
		json_decref(answer);
	}
	return CTL_OK;
}

static int create_fill(struct ctl *c, struct ctl_upload *u, const struct making *m, const char *session,
		       json_t **totals)
{
	char path[CTL_PATH_MAX + 80], base[CTL_PATH_MAX], query[80] = "";
	int rc;

	if (*session)
		snprintf(query, sizeof(query), "&session=%s", session);
	ctl_path(u->path, "campaigns", m->name, "lines", (char *)NULL);
	u->query = query;
	rc = *m->retry_of ? take_pages(c, u) : ctl_upload(u);
	u->query = "";
	ctl_upload_done(u);
	if (rc)
		return rc;
	if (u->rejected && !*session && m->strict) {
		ctl_error("%s: %" PRIu64 " lines rejected and --strict given", u->file, u->rejected);
		return CTL_REFUSED;
	}
	ctl_path(base, "campaigns", m->name, "finish", (char *)NULL);
	snprintf(path, sizeof(path), "%s%s%s", base, *session ? "?session=" : "", session);
	return ctl_call(c, "POST", path, "application/json", NULL, 0, totals);
}

/* "canary 10,100; abort failed>3%": each option that is a rule, as it was given.  What it means is the gateway's business. */
static char *rules_text(const struct ctl_args *a)
{
	static const char *const words[] = { "canary", "hold", "abort", "window", "deadline", "priority" };
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	for (size_t w = 0; f && w < sizeof(words) / sizeof(words[0]); w++) {
		const char *value;

		for (unsigned i = 0; (value = ctl_arg(a, words[w], i)); i++)
			fprintf(f, "%s%s %s", ftell(f) ? "; " : "", words[w], value);
	}
	if (!f || fclose(f)) {
		ctl_error("out of memory");
		free(text);
		return NULL;
	}
	return text;
}

/* "" when it was not. */
static const char *given(const struct ctl_args *a, const char *option)
{
	const char *value = ctl_arg(a, option, 0);

	return value ? value : "";
}

static json_t *request(const struct making *m, const struct ctl_args *a, const char *rules)
{
	json_t *o = json_pack("{s:s,s:s,s:s,s:s,s:b}", "name", m->name, "rules", rules, "filter", given(a, "filter"),
			      "range", given(a, "range"), "dry_run", m->dry_run);

	if (*given(a, "profile"))
		json_object_set_new(o, "profile", json_string(given(a, "profile")));
	if (!*m->retry_of)
		return o;
	json_object_set_new(o, "retry_of", json_string(m->retry_of));
	json_object_set_new(o, "only", json_string(given(a, "only")));
	json_object_set_new(o, "class", json_string(given(a, "class")));
	json_object_set_new(o, "may_have_run", json_boolean(ctl_arg(a, "may-have-run", 0)));
	return o;
}

static int create_run(struct ctl *c, struct ctl_upload *u, const struct making *m, const struct ctl_args *a)
{
	json_t *made, *totals = NULL;
	char path[CTL_PATH_MAX], *rules = rules_text(a);
	int rc;

	if (!rules)
		return CTL_USAGE;
	ctl_path(path, "campaigns", (char *)NULL);
	rc = ctl_post_json(c, path, request(m, a, rules), &made);
	free(rules);
	if (rc)
		return rc;
	rc = create_fill(c, u, m, js_text(made, "session"), &totals);
	if (rc && !m->dry_run)
		create_undo(c, m->name);
	if (!rc)
		create_print(c, u, m->name, *given(a, "profile") ? given(a, "profile") : js_text(made, "profile"),
			     totals, m->dry_run);
	json_decref(totals);
	json_decref(made);
	return rc;
}

static int make(struct ctl *c, struct ctl_upload *u, const struct making *m, const struct ctl_args *a)
{
	int rc;

	if (!ctl_rejects_open(u, a))
		return CTL_USAGE;
	u->kept = json_array();
	rc = create_run(c, u, m, a);
	if (u->rejects && fclose(u->rejects))
		ctl_error("cannot write %s", ctl_arg(a, "rejects", 0));
	json_decref(u->kept);
	return rc ? rc : u->rejected ? CTL_PARTIAL : CTL_OK;
}

int cmd_campaign_create(struct ctl *c, const struct ctl_args *a)
{
	struct ctl_upload u = { .c = c, .file = ctl_arg(a, "imsi-list", 0), .label = "reading list" };
	const struct making m = { .name = a->pos[0],
				  .retry_of = "",
				  .dry_run = ctl_arg(a, "dry-run", 0),
				  .strict = ctl_arg(a, "strict", 0) };

	if (!u.file || !ctl_arg(a, "profile", 0)) {
		ctl_error("campaign create needs --imsi-list FILE and --profile NAME");
		return CTL_USAGE;
	}
	return make(c, &u, &m, a);
}

int cmd_campaign_retry(struct ctl *c, const struct ctl_args *a)
{
	struct ctl_upload u = { .c = c, .file = a->pos[0] };
	const struct making m = { .name = ctl_arg(a, "as", 0),
				  .retry_of = a->pos[0],
				  .dry_run = ctl_arg(a, "dry-run", 0),
				  .strict = ctl_arg(a, "strict", 0) };

	if (!m.name || !*m.retry_of) {
		ctl_error("campaign retry needs the name of the ended campaign and --as NEWNAME");
		return CTL_USAGE;
	}
	return make(c, &u, &m, a);
}
