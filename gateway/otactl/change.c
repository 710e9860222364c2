/* change.c - `otactl change`: new keys, or another IMSI, for cards of our own.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A change stands in the books as an order with one party, so what is shown of it is shown of orders.
 */
#include <inttypes.h>
#include <string.h>

#include "ctl.h"
#include "order.h"

static const struct ctl_column change_columns[] = {
	{ "name", "CHANGE", false }, { "what", "WHAT", false },	   { "state", "STATE", false },
	{ "cards", "CARDS", true },  { "closed", "CLOSED", true }, { "created", "CREATED", false },
	{ "ended", "ENDED", false }, { "alarm", "ALARM", false },
};

static const struct ctl_column line_columns[] = {
	{ "iccid", "ICCID", false },	    { "step", "STEP", false },	 { "end", "END", false },
	{ "imsi", "IMSI", false },	    { "from", "INDEX", true },	 { "kvn", "KVN", true },
	{ "confirmed", "IN FORCE", false }, { "ended", "ENDED", false }, { "why", "WHY", false },
};

#define COLUMNS(c) (c), sizeof(c) / sizeof((c)[0])

int cmd_change_start(struct ctl *c, const struct ctl_args *a)
{
	const char *cards = ctl_arg(a, "cards", 0), *imsis = ctl_arg(a, "imsi-list", 0),
		   *order = ctl_arg(a, "order", 0), *what = ctl_arg(a, "what", 0);
	char file[CTL_FILE_MAX], path[CTL_PATH_MAX];
	int rc;

	if (!!cards + !!imsis + !!order != 1 || !what) {
		ctl_error("change start NAME needs --cards FILE or --order ORDER, and --what ota-keys,k,opc (or all); "
			  "or --what imsi with one of these or --imsi-list FILE");
		return CTL_USAGE;
	}
	if (!order && !ctl_whole_path(cards ? cards : imsis, file))
		return CTL_USAGE;
	ctl_path(path, "changes", (char *)NULL);
	rc = ctl_order(c, path,
		       json_pack("{s:s,s:s,s:s}", "name", a->pos[0], "what", what,
				 order ? "order" :
				 cards ? "file" :
					 "imsi_list",
				 order ? order : file));
	if (!rc && c->format != CTL_JSON && strcmp(what, "imsi"))
		printf("its new keys are noted in the folder changes of package-dir, too: keep the newest of it, apart "
		       "from the backups\n");
	return rc;
}

/* Of a page of orders the changes alone. */
static void list_page(void *ctx, const json_t *rows)
{
	json_t *own = json_array(), *o;
	size_t i;

	json_array_foreach(rows, i, o)
	{
		if (!strcmp(js_text(o, "side"), "home"))
			json_array_append(own, o);
	}
	ctl_list_page(ctx, own);
	json_decref(own);
}

int cmd_change_list(struct ctl *c, const struct ctl_args *a)
{
	struct ctl_list l;
	char path[CTL_PATH_MAX];
	int rc;

	(void)a;
	ctl_path(path, "orders", (char *)NULL);
	ctl_list_begin(&l, c->format, COLUMNS(change_columns));
	rc = ctl_pages(c, path, "", "orders", list_page, &l);
	ctl_list_end(&l);
	return rc;
}

static void print_change(const json_t *o)
{
	const json_t *steps = json_object_get(o, "steps");
	const char *key;
	json_t *v;

	printf("change      %s  %s: %s  (number %s)\n", js_text(o, "name"), js_text(o, "state"), js_text(o, "what"),
	       js_text(o, "number"));
	ctl_alarm(js_text(o, "alarm"));
	printf("cards       %" PRIu64 ", %" PRIu64 " at an end\n", js_count(o, "cards"), js_count(o, "closed"));
	printf("time        %s%s%s\n", js_text(o, "created"), *js_text(o, "ended") ? ", ended " : "",
	       js_text(o, "ended"));
	json_object_foreach((json_t *)steps, key, v)
	{
		printf("  %-18s %" PRIu64 "\n", key, (uint64_t)json_integer_value(v));
	}
}

int cmd_change_show(struct ctl *c, const struct ctl_args *a)
{
	char path[CTL_PATH_MAX];
	json_t *o;
	int rc;

	if (ctl_arg(a, "lines", 0)) {
		ctl_path(path, "orders", a->pos[0], "lines", (char *)NULL);
		return ctl_pages_list(c, path, "", "lines", COLUMNS(line_columns));
	}
	ctl_path(path, "orders", a->pos[0], (char *)NULL);
	rc = ctl_get(c, path, &o);
	if (rc)
		return rc;
	if (c->format == CTL_JSON)
		ctl_print_json(o);
	else
		print_change(o);
	json_decref(o);
	return CTL_OK;
}

int cmd_change_cancel(struct ctl *c, const struct ctl_args *a)
{
	char path[CTL_PATH_MAX];

	if (!ctl_confirmed(a, "cards to which nothing has been sent yet stay as they are; the others go on"))
		return CTL_USAGE;
	ctl_path(path, "orders", a->pos[0], "cancel", (char *)NULL);
	return ctl_order(c, path, json_object());
}
