/* smsc.c - the links to SMSCs and the routes over them: how they are, and orders to them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <inttypes.h>
#include <string.h>

#include "ctl.h"
#include "ota/nearest.h"

#define NAMES_MAX 256
#define LINKS_MAX 64 /* looked at for a suggestion */

/* "a+b c" of [["a","b"],["c"]], "a b" of ["a","b"]. */
static const char *names(char buf[NAMES_MAX], const json_t *list)
{
	size_t len = 0, i, k;
	json_t *v, *w;

	*buf = 0;
	json_array_foreach(list, i, v)
	{
		if (json_is_string(v) && len < NAMES_MAX)
			len += (size_t)snprintf(buf + len, NAMES_MAX - len, "%s%s", i ? " " : "", json_string_value(v));
		json_array_foreach(v, k, w)
		{
			if (json_is_string(w) && len < NAMES_MAX)
				len += (size_t)snprintf(buf + len, NAMES_MAX - len, "%s%s",
							k ? "+" :
							i ? " " :
							    "",
							json_string_value(w));
		}
	}
	return buf;
}

static void add_condition(json_t *links)
{
	size_t i;
	json_t *l;

	json_array_foreach(links, i, l) json_object_set_new(l, "condition", json_string(link_condition(l)));
}

static void add_names(json_t *routes)
{
	static const char *const keys[][2] = { { "match", "matches" }, { "via", "links" }, { "serving", "now" } };
	char buf[NAMES_MAX];
	size_t i;
	json_t *r;

	json_array_foreach(routes, i, r)
	{
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			json_object_set_new(r, keys[k][1], json_string(names(buf, json_object_get(r, keys[k][0]))));
		if (js_true(r, "dead"))
			json_object_set_new(r, "now", json_string("NONE"));
	}
}

static void table(enum ctl_format f, const json_t *rows, const struct ctl_column *col, unsigned cols)
{
	struct ctl_list l;

	ctl_list_begin(&l, f, col, cols);
	ctl_list_page(&l, rows);
	ctl_list_end(&l);
}

static const struct ctl_column link_columns[] = {
	{ "name", "LINK", false },
	{ "condition", "IS", false },
	{ "in_window", "IN WINDOW", true },
	{ "window", "OF", true },
	{ "rate", "RATE/S", true },
	{ "submitted", "SUBMITTED", true },
	{ "accepted", "ACCEPTED", true },
	{ "rejected", "REJECTED", true },
	{ "unknown", "UNKNOWN", true },
	{ "throttled", "THROTTLED", true },
	{ "last_error", "LAST ERROR", false },
};
static const struct ctl_column route_columns[] = {
	{ "name", "ROUTE", false },    { "links", "VIA", false },	{ "now", "NOW BY", false },
	{ "prepared", "READY", true }, { "matches", "MATCHES", false },
};

int cmd_smsc_list(struct ctl *c, const struct ctl_args *a)
{
	char path[CTL_PATH_MAX];
	json_t *s;
	int rc;

	ctl_path(path, "links", (char *)NULL);
	rc = ctl_get(c, path, &s);
	if (rc)
		return rc;
	if (c->format == CTL_JSON) {
		ctl_print_json(s);
	} else {
		add_condition(json_object_get(s, "links"));
		add_names(json_object_get(s, "routes"));
		if (c->format == CTL_TABLE)
			ctl_alarm(js_text(s, "alarm"));
		table(c->format, json_object_get(s, "links"), link_columns,
		      sizeof(link_columns) / sizeof(link_columns[0]));
	}
	if (c->format == CTL_TABLE) {
		putchar('\n');
		table(c->format, json_object_get(s, "routes"), route_columns,
		      sizeof(route_columns) / sizeof(route_columns[0]));
	}
	json_decref(s);
	return CTL_OK;
}

static json_t *find(const json_t *links, const char *name)
{
	const char *list[LINKS_MAX], *near;
	size_t i, n = 0;
	json_t *l;

	json_array_foreach(links, i, l)
	{
		if (!strcmp(js_text(l, "name"), name))
			return l;
		if (n < LINKS_MAX)
			list[n++] = js_text(l, "name");
	}
	near = nearest_word(name, list, n);
	ctl_error("there is no smsc-link %s%s%s%s", name, near ? "; did you mean " : "; 'otactl smsc list' names them",
		  near ? near : "", near ? "?" : "");
	return NULL;
}

static void print_link(const json_t *link, const json_t *routes)
{
	const char *key;
	char buf[NAMES_MAX];
	json_t *v;
	size_t i;

	printf("%-18s %s\n%-18s %s\n", "link", js_text(link, "name"), "is", link_condition(link));
	json_object_foreach((json_t *)link, key, v)
	{
		char word[64];

		if (!strcmp(key, "name") || json_is_object(v) || json_is_array(v) || json_is_null(v))
			continue;
		if (json_is_string(v))
			printf("%-18s %s\n", key, json_string_value(v));
		else
			printf("%-18s %s\n", key, js_word(word, sizeof(word), v));
	}
	json_array_foreach(routes, i, v)
	{
		const char *via = names(buf, json_object_get(v, "via"));
		const char *name = js_text(link, "name"), *at = strstr(via, name);
		size_t len = strlen(name);

		/* a whole name, not a part of another */
		while (at && ((at > via && at[-1] != ' ' && at[-1] != '+') || (at[len] && !strchr(" +", at[len]))))
			at = strstr(at + 1, name);
		if (at)
			printf("%-18s %s: via %s\n", "route", js_text(v, "name"), via);
	}
}

int cmd_smsc_show(struct ctl *c, const struct ctl_args *a)
{
	char path[CTL_PATH_MAX];
	json_t *s, *link;
	int rc;

	ctl_path(path, "links", (char *)NULL);
	rc = ctl_get(c, path, &s);
	if (rc)
		return rc;
	link = find(json_object_get(s, "links"), a->pos[0]);
	if (!link) {
		json_decref(s);
		return CTL_REFUSED;
	}
	if (c->format == CTL_JSON) {
		ctl_print_json(link);
	} else if (c->format == CTL_CSV) {
		json_t *one = json_pack("[O]", link);

		add_condition(one);
		table(CTL_CSV, one, link_columns, sizeof(link_columns) / sizeof(link_columns[0]));
		json_decref(one);
	} else {
		print_link(link, json_object_get(s, "routes"));
	}
	json_decref(s);
	return CTL_OK;
}

static int order(struct ctl *c, const struct ctl_args *a, const char *verb)
{
	char path[CTL_PATH_MAX];
	json_t *answer;
	int rc;

	ctl_path(path, "links", a->pos[0], verb, (char *)NULL);
	rc = ctl_call(c, "POST", path, "application/json", NULL, 0, &answer);
	if (rc)
		return rc;
	if (c->format == CTL_JSON)
		ctl_print_json(answer);
	else
		printf("link %s: %s\n", js_text(answer, "name"), js_text(answer, "state"));
	json_decref(answer);
	return CTL_OK;
}

int cmd_smsc_block(struct ctl *c, const struct ctl_args *a)
{
	return order(c, a, "block");
}

int cmd_smsc_unblock(struct ctl *c, const struct ctl_args *a)
{
	return order(c, a, "unblock");
}

int cmd_smsc_drain(struct ctl *c, const struct ctl_args *a)
{
	return order(c, a, "drain");
}
