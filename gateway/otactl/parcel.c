/* parcel.c - `otactl exchange` of a gateway: its partners, packages in and out, and those that travel as files.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "http_client.h"
#include "order.h"
#include "party.h"

static const struct ctl_column parcel_columns[] = {
	{ "way", "WAY", false },	{ "partner", "PARTNER", false }, { "seq", "NUMBER", true },
	{ "type", "TYPE", false },	{ "order", "ORDER", false },	 { "state", "STATE", false },
	{ "records", "RECORDS", true }, { "applied", "APPLIED", true },	 { "skipped", "SKIPPED", true },
	{ "at", "AT", false },		{ "rule", "RULE", false },	 { "why", "WHY", false },
};

struct listing {
	const struct ctl *c;
	struct ctl_list *list;
	const char *way; /* "in" or "out" */
	int rc;
};

static void parcels_page(void *ctx, const json_t *rows)
{
	struct listing *l = ctx;
	size_t i;
	json_t *row;

	json_array_foreach((json_t *)rows, i, row)
	{
		json_object_set_new(row, "way", json_string(l->way));
	}
	ctl_list_page(l->list, rows);
}

/* The books keep packages with their order: of "" are those of orders that are not known here. */
static void parcels_of(struct listing *l, const char *order)
{
	char path[CTL_PATH_MAX], query[160] = "";

	ctl_path(path, "exchange", l->way, (char *)NULL);
	if (*order)
		snprintf(query, sizeof(query), "order=%.100s", order);
	if (l->rc == CTL_OK)
		l->rc = ctl_pages(l->c, path, query, "packages", parcels_page, l);
}

static void orders_page(void *ctx, const json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row)
	{
		parcels_of(ctx, js_text(row, "name"));
	}
}

int cmd_exchange_list(struct ctl *c, const struct ctl_args *a)
{
	const char *order = ctl_arg(a, "order", 0);
	bool in = ctl_arg(a, "in", 0), out = ctl_arg(a, "out", 0);
	char path[CTL_PATH_MAX];
	struct ctl_list l;
	struct listing g = { .c = c, .list = &l };
	int rc = CTL_OK;

	ctl_path(path, "orders", (char *)NULL);
	ctl_list_begin(&l, c->format, parcel_columns, sizeof(parcel_columns) / sizeof(parcel_columns[0]));
	for (unsigned way = 0; way < 2 && rc == CTL_OK && g.rc == CTL_OK; way++) {
		g.way = way ? "out" : "in";
		if (way ? in && !out : out && !in)
			continue;
		if (order) {
			parcels_of(&g, order);
			continue;
		}
		rc = ctl_pages(c, path, "", "orders", orders_page, &g);
		if (rc == CTL_OK)
			parcels_of(&g, "");
	}
	ctl_list_end(&l);
	return rc ? rc : g.rc;
}

int cmd_exchange_status(struct ctl *c, const struct ctl_args *a)
{
	static const struct ctl_column columns[] = {
		{ "name", "PARTNER", false },	{ "reachable", "URL", false }, { "waiting", "WAITING", true },
		{ "brought", "BROUGHT", true }, { "taken", "TAKEN", true },    { "next_try", "NEXT TRY", false },
		{ "why", "WHY", false },
	};
	char path[CTL_PATH_MAX];
	struct ctl_list l;
	json_t *o;
	int rc;

	ctl_path(path, "exchange", (char *)NULL);
	rc = ctl_get(c, path, &o);
	if (rc)
		return rc;
	if (c->format == CTL_JSON) {
		ctl_print_json(o);
	} else {
		if (c->format == CTL_TABLE) {
			ctl_alarm(js_text(o, "alarm"));
			ctl_alarm(js_text(o, "overdue"));
			ctl_alarm(js_text(o, "awaited"));
		}
		ctl_list_begin(&l, c->format, columns, sizeof(columns) / sizeof(columns[0]));
		ctl_list_page(&l, json_object_get(o, "partners"));
		ctl_list_end(&l);
	}
	json_decref(o);
	return CTL_OK;
}

int cmd_exchange_import(struct ctl *c, const struct ctl_args *a)
{
	char path[CTL_PATH_MAX], file[CTL_FILE_MAX];

	if (!ctl_whole_path(a->pos[0], file))
		return CTL_USAGE;
	ctl_path(path, "exchange", "import", (char *)NULL);
	return ctl_order(c, path, json_pack("{s:s}", "file", file));
}

/* The package itself, octets and all. */
int cmd_exchange_fetch(struct ctl *c, const struct ctl_args *a)
{
	const char *to = ctl_arg(a, "to", 0), *why = "";
	char path[CTL_PATH_MAX], target[CTL_PATH_MAX + 160], name[PARTY_PATH_MAX], err[200] = "";
	struct http_answer h;
	json_t *j;
	int rc;

	if (strspn(a->pos[1], "0123456789") != strlen(a->pos[1]) ||
	    strspn(a->pos[0], "abcdefghijklmnopqrstuvwxyz0123456789-.") != strlen(a->pos[0])) {
		ctl_error("usage: otactl exchange fetch PARTNER NUMBER");
		return CTL_USAGE;
	}
	ctl_path(path, "exchange", "file", (char *)NULL);
	snprintf(target, sizeof(target), "%s?partner=%.64s&seq=%.20s&from=%s", path, a->pos[0], a->pos[1],
		 ctl_arg(a, "in", 0) ? "in" : "out");
	rc = http_call(c->socket, "GET", target, "application/json", NULL, 0, &h, err, sizeof(err));
	if (rc) {
		ctl_error("cannot reach the gateway at %s: %s", c->socket, err);
		return CTL_DOWN;
	}
	if (h.status != 200) {
		j = json_loadb(h.body, h.len, 0, NULL);
		why = js_text(json_object_get(j, "error"), "message");
		ctl_error("%s", *why ? why : "the gateway refused it");
		json_decref(j);
		http_free(&h);
		return CTL_REFUSED;
	}
	snprintf(name, sizeof(name), "%s-%s.otapkg", a->pos[0], a->pos[1]);
	if (!to)
		to = name;
	rc = file_write(to, h.body, h.len, 0600, false) ? CTL_OK : CTL_USAGE;
	if (rc == CTL_OK)
		printf("%s: %zu octets\n", to, h.len);
	http_free(&h);
	return rc;
}
