/* status.c - how the gateway is, and what a packet is.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <inttypes.h>
#include <string.h>

#include "ctl.h"

#define LOOK_AGAIN_S 0.1

static void print_numbers(const char *title, const json_t *o)
{
	const char *key;
	json_t *v;
	unsigned n = 0;

	json_object_foreach((json_t *)o, key, v)
	{
		char buf[64];

		if (json_is_object(v) || json_is_array(v) || json_is_null(v))
			continue;
		if (n % 4 == 0)
			printf("%s%-12s", n ? "\n" : "", n ? "" : title);
		printf("%-18s %-10s", key, js_word(buf, sizeof(buf), v));
		n++;
	}
	if (n)
		putchar('\n');
}

/* Orders between operators; nothing where there are none. */
static void print_exchange(const json_t *x)
{
	size_t i;
	json_t *p;

	if (!json_is_object(x))
		return;
	printf("orders      %" PRIu64 " open, %" PRIu64 " with an alarm; packages: %" PRIu64 " in, %" PRIu64
	       " out, %" PRIu64 " refused, %" PRIu64 " wait for a partner\n",
	       js_count(x, "orders"), js_count(x, "alarms"), js_count(x, "packages_in"), js_count(x, "packages_out"),
	       js_count(x, "refused"), js_count(x, "waiting"));
	ctl_alarm(js_text(x, "alarm"));
	ctl_alarm(js_text(x, "overdue"));
	ctl_alarm(js_text(x, "awaited"));
	json_array_foreach(json_object_get(x, "partners"), i, p)
	{
		if (js_count(p, "waiting"))
			printf("  partner   %s: %" PRIu64 " wait%s%s\n", js_text(p, "name"), js_count(p, "waiting"),
			       *js_text(p, "why") ? "; " : "", js_text(p, "why"));
	}
}

static void print_status(const json_t *s)
{
	static const struct ctl_column columns[] = {
		{ "name", "LINK", false },	    { "up", "UP", false },
		{ "in_window", "IN WINDOW", true }, { "window", "OF", true },
		{ "rate", "RATE/S", true },	    { "submitted", "SUBMITTED", true },
		{ "accepted", "ACCEPTED", true },   { "rejected", "REJECTED", true },
		{ "unknown", "UNKNOWN", true },	    { "received", "RECEIVED", true },
	};
	struct ctl_list l;
	size_t i;
	json_t *c;

	printf("otagwd      %s, %s\n", js_text(s, "version"),
	       js_true(s, "ready") ? "ready" : "NOT READY: still reading its store");
	ctl_alarm(js_text(s, "alarm"));
	if (js_count(json_object_get(s, "core"), "counters_near_end"))
		printf("WARNING     %" PRIu64
		       " commands have taken one of the last million counters of their keys: the "
		       "log names the cards,\n            give them new keys\n",
		       js_count(json_object_get(s, "core"), "counters_near_end"));
	printf("cards       %" PRIu64 "\n", js_count(s, "cards"));
	json_array_foreach(json_object_get(s, "campaigns"), i, c)
	{
		printf("%-12s%s  %s  %" PRIu64 " of %" PRIu64 " cards ended\n", i ? "" : "campaigns",
		       js_text(c, "name"), js_text(c, "state"), campaign_ended(c), js_count(c, "targets"));
	}
	print_exchange(json_object_get(s, "exchange"));
	print_numbers("core", json_object_get(s, "core"));
	print_numbers("keystore", json_object_get(s, "keystore"));
	putchar('\n');
	ctl_list_begin(&l, CTL_TABLE, columns, sizeof(columns) / sizeof(columns[0]));
	ctl_list_page(&l, json_object_get(s, "links"));
	ctl_list_end(&l);
}

/* --wait: a gateway that is just being started gets so long until it is ready. */
static int get_ready(const struct ctl *c, const char *path, double wait_s, json_t **out)
{
	for (; wait_s > 0; wait_s -= LOOK_AGAIN_S) {
		char err[1024];

		if (!ctl_try(c, "GET", path, "application/json", NULL, 0, out, err, sizeof(err)) &&
		    js_true(*out, "ready"))
			return CTL_OK;
		json_decref(*out);
		ctl_wait(LOOK_AGAIN_S);
	}
	return ctl_get(c, path, out);
}

int cmd_status(struct ctl *c, const struct ctl_args *a)
{
	static const struct ctl_column columns[] = {
		{ "name", "", false },	 { "up", "", false },	    { "window", "", true },   { "in_window", "", true },
		{ "rate", "", true },	 { "submitted", "", true }, { "accepted", "", true }, { "rejected", "", true },
		{ "unknown", "", true }, { "received", "", true },
	};
	struct ctl_list l;
	char path[CTL_PATH_MAX];
	json_t *s;
	int rc;

	double wait;

	if (!ctl_arg_number(a, "wait", 0, 86400, 0, &wait))
		return CTL_USAGE;
	ctl_path(path, "status", (char *)NULL);
	rc = get_ready(c, path, wait, &s);
	if (rc)
		return rc;
	if (c->format == CTL_JSON) {
		ctl_print_json(s);
	} else if (c->format == CTL_CSV) {
		ctl_list_begin(&l, CTL_CSV, columns, sizeof(columns) / sizeof(columns[0]));
		ctl_list_page(&l, json_object_get(s, "links"));
		ctl_list_end(&l);
	} else {
		print_status(s);
	}
	json_decref(s);
	return CTL_OK;
}
