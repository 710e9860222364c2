/* order.c - `otactl order`: orders between operators as one side's books have them, and what came of each card.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "order.h"

static const struct ctl_column order_columns[] = {
	{ "name", "ORDER", false },
	{ "side", "SIDE", false },
	{ "kind", "KIND", false },
	{ "state", "STATE", false },
	{ "cards", "CARDS", true },
	{ "paired", "PAIRED", true },
	{ "listed", "LISTED", true },
	{ "closed", "CLOSED", true },
	{ "a", "A", false },
	{ "b", "B", false },
	{ "vault", "VAULT", false },
	{ "until", "UNTIL", false },
	{ "created", "CREATED", false },
	{ "ended", "ENDED", false },
	{ "alarm", "ALARM", false },
};

/* As `order report` writes them, stable: new ones come at the end. */
static const struct ctl_column line_columns[] = {
	{ "iccid", "ICCID", false },
	{ "step", "STEP", false },
	{ "end", "END", false },
	{ "evidence", "EV", false },
	{ "imsi", "IMSI", false },
	{ "msisdn", "MSISDN", false },
	{ "old_imsi", "OLD IMSI", false },
	{ "from", "FROM", true },
	{ "to", "TO", true },
	{ "left", "LEFT", true },
	{ "kvn", "KVN", true },
	{ "flags", "FLAGS", false },
	{ "cntr", "CNTR", true },
	{ "vlr", "VLR", false },
	{ "armed", "ARMED", false },
	{ "served", "SERVED", false },
	{ "confirmed", "CONFIRMED", false },
	{ "ended", "ENDED", false },
	{ "why", "WHY", false },
};

#define COLUMNS(c) (c), sizeof(c) / sizeof((c)[0])

int ctl_pages(const struct ctl *c, const char *path, const char *query, const char *member,
	      void (*page)(void *ctx, const json_t *rows), void *ctx)
{
	char after[128] = "", full[CTL_PATH_MAX * 2];
	bool more = true;

	while (more) {
		json_t *j;
		int rc;

		snprintf(full, sizeof(full), "%s?limit=%d%s%s&after=%s", path, CTL_PAGE, *query ? "&" : "", query,
			 after);
		rc = ctl_get(c, full, &j);
		if (rc)
			return rc;
		page(ctx, json_object_get(j, member));
		snprintf(after, sizeof(after), "%s", js_text(j, "next"));
		more = *after;
		json_decref(j);
	}
	return CTL_OK;
}

static void list_page(void *ctx, const json_t *rows)
{
	ctl_list_page(ctx, rows);
}

int ctl_pages_list(const struct ctl *c, const char *path, const char *query, const char *member,
		   const struct ctl_column *col, unsigned cols)
{
	struct ctl_list l;
	int rc;

	ctl_list_begin(&l, c->format, col, cols);
	rc = ctl_pages(c, path, query, member, list_page, &l);
	ctl_list_end(&l);
	return rc;
}

int cmd_order_list(struct ctl *c, const struct ctl_args *a)
{
	char path[CTL_PATH_MAX];

	ctl_path(path, "orders", (char *)NULL);
	return ctl_pages_list(c, path, "", "orders", COLUMNS(order_columns));
}

static void print_order(const json_t *o)
{
	const json_t *steps = json_object_get(o, "steps");
	const char *key;
	json_t *v;

	printf("order       %s  %s, we are %s  (number %s)\n", js_text(o, "name"), js_text(o, "state"),
	       js_text(o, "side"), js_text(o, "number"));
	ctl_alarm(js_text(o, "alarm"));
	printf("kind        %s, %s, ordered by %s\n", js_text(o, "kind"), js_text(o, "policy"),
	       js_text(o, "subscriber"));
	printf("parties     %s to %s%s%s\n", js_text(o, "a"), js_text(o, "b"), *js_text(o, "vault") ? ", vault " : "",
	       js_text(o, "vault"));
	printf("cards       %" PRIu64 ", %" PRIu64 " paired, %" PRIu64 " listed, %" PRIu64 " at an end\n",
	       js_count(o, "cards"), js_count(o, "paired"), js_count(o, "listed"), js_count(o, "closed"));
	printf("time        %s, good until %s%s%s\n", js_text(o, "created"), js_text(o, "until"),
	       *js_text(o, "ended") ? ", ended " : "", js_text(o, "ended"));
	json_object_foreach((json_t *)steps, key, v)
	{
		printf("  %-18s %" PRIu64 "\n", key, (uint64_t)json_integer_value(v));
	}
}

int cmd_order_show(struct ctl *c, const struct ctl_args *a)
{
	const char *step = ctl_arg(a, "step", 0);
	char path[CTL_PATH_MAX], query[64] = "";
	json_t *o;
	int rc;

	if (step || ctl_arg(a, "lines", 0)) {
		if (step && strspn(step, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != strlen(step)) {
			ctl_error("--step '%s': steps are called as 'order show %s' writes them, A_STAGED", step,
				  a->pos[0]);
			return CTL_USAGE;
		}
		if (step)
			snprintf(query, sizeof(query), "step=%.40s", step);
		ctl_path(path, "orders", a->pos[0], "lines", (char *)NULL);
		return ctl_pages_list(c, path, query, "lines", COLUMNS(line_columns));
	}
	ctl_path(path, "orders", a->pos[0], (char *)NULL);
	rc = ctl_get(c, path, &o);
	if (rc)
		return rc;
	if (c->format == CTL_JSON)
		ctl_print_json(o);
	else
		print_order(o);
	json_decref(o);
	return CTL_OK;
}

/* ------------------------------------------------------------------------------------------ report */

/* What the lines of an order add up to, on one side. */
struct sums {
	struct ctl_list *list; /* NULL: only the sums */
	uint64_t lines, imsis, ended, served, confirmed, armed_open, stranded, exposed, exposed_ota, lowest, low;
	bool asks; /* A: the vault has told it how many pairs are left */
	uint64_t by_end[6];
	uint64_t not_here,
		here; /* B: A says done, and the card has not confirmed itself; A says otherwise, and it has been seen */
	json_t *lost;	    /* ICCIDs of stranded ones */
	uint64_t lost_seen; /* of them: have shown that they hold the new IMSI */
};
#define LOST_SHOWN 20 /* on the screen; all of them in JSON and CSV */
static const char *const ends[] = { "done", "failed", "unreached", "cancelled", "rolled-back" };
#define ENDS (sizeof(ends) / sizeof(ends[0]))

static bool flag(const json_t *row, const char *name)
{
	const char *at = strstr(js_text(row, "flags"), name);

	return at && (at == js_text(row, "flags") || at[-1] == ' ') && (!at[strlen(name)] || at[strlen(name)] == ' ');
}

static void sum_page(void *ctx, const json_t *rows)
{
	struct sums *s = ctx;
	size_t i;
	json_t *row;

	if (s->list)
		ctl_list_page(s->list, rows);
	json_array_foreach(rows, i, row)
	{
		const char *end = js_text(row, "end");
		uint64_t left = js_count(row, "left");
		size_t k = 0;

		s->lines++;
		s->imsis += *js_text(row, "imsi") != 0;
		s->served += *js_text(row, "served") != 0;
		s->confirmed += *js_text(row, "confirmed") != 0;
		while (k < ENDS && strcmp(ends[k], end))
			k++;
		if (k < ENDS) {
			s->by_end[k]++;
			s->ended++;
		}
		if (flag(row, "armed") && !*end && !*js_text(row, "served"))
			s->armed_open++;
		if (flag(row, "stranded")) {
			s->stranded++;
			s->lost_seen += !strcmp(js_text(row, "evidence"), "E4");
			json_array_append_new(s->lost, json_string(js_text(row, "iccid")));
		}
		/* a card that stays under keys that another operator has got */
		if (*end && strcmp(end, "done")) {
			s->exposed += flag(row, "provisional");
			s->exposed_ota += flag(row, "final");
		}
		if (!strcmp(js_text(row, "told"), "done"))
			s->not_here += !*js_text(row, "confirmed");
		else if (*js_text(row, "told"))
			s->here += *js_text(row, "confirmed") ||
				   (*js_text(row, "served") && strcmp(js_text(row, "told"), "rolled-back"));
		if (js_count(row, "to") && s->asks && (!s->low || left < s->lowest)) {
			s->lowest = left;
			s->low = 1;
		}
	}
}

static json_t *sums_json(const struct sums *s, const json_t *order)
{
	json_t *o = json_object(), *e = json_object();

	json_object_set_new(o, "order", json_string(js_text(order, "name")));
	json_object_set_new(o, "side", json_string(js_text(order, "side")));
	json_object_set_new(o, "state", json_string(js_text(order, "state")));
	json_object_set_new(o, "cards", json_integer((json_int_t)js_count(order, "cards")));
	json_object_set_new(o, "lines", json_integer((json_int_t)s->lines));
	json_object_set_new(o, "imsis", json_integer((json_int_t)s->imsis));
	json_object_set_new(o, "listed", json_integer((json_int_t)js_count(order, "listed")));
	json_object_set_new(o, "ended", json_integer((json_int_t)s->ended));
	for (size_t k = 0; k < ENDS; k++)
		json_object_set_new(e, ends[k], json_integer((json_int_t)s->by_end[k]));
	json_object_set_new(o, "ends", e);
	json_object_set_new(o, "served", json_integer((json_int_t)s->served));
	json_object_set_new(o, "confirmed", json_integer((json_int_t)s->confirmed));
	json_object_set_new(o, "armed", json_integer((json_int_t)s->armed_open));
	json_object_set_new(o, "stranded", json_integer((json_int_t)s->stranded));
	json_object_set(o, "stranded_cards", s->lost);
	json_object_set_new(o, "exposed", json_integer((json_int_t)s->exposed));
	json_object_set_new(o, "exposed_ota", json_integer((json_int_t)s->exposed_ota));
	json_object_set_new(o, "lowest_left", s->low ? json_integer((json_int_t)s->lowest) : json_null());
	json_object_set_new(o, "done_not_here", json_integer((json_int_t)s->not_here));
	json_object_set_new(o, "here_not_done", json_integer((json_int_t)s->here));
	json_object_set_new(o, "sums", json_boolean(s->lines == js_count(order, "cards") && !s->not_here && !s->here));
	return o;
}

static void print_stranded(const struct sums *s, const json_t *order)
{
	const char *iccid;

	if (!s->stranded) {
		printf("stranded    0\n");
		return;
	}
	printf("stranded    %" PRIu64 " cards without a way back, written for an IMSI that %s does not serve; %" PRIu64
	       " have shown that they hold it\n",
	       s->stranded, js_text(order, "b"), s->lost_seen);
	for (size_t i = 0; i < LOST_SHOWN && (iccid = json_string_value(json_array_get(s->lost, i))); i++)
		printf("            %s\n", iccid);
	if (s->stranded > LOST_SHOWN)
		printf("            and %" PRIu64 " more: -o csv, flag stranded\n", s->stranded - LOST_SHOWN);
	printf("            %s has to make these IMSIs ready (`otactl order provide` there); nothing of them is "
	       "deleted here. One that is heard here\n"
	       "            is asked what it holds (`otactl card present ICCID`), and stays if that is its old IMSI\n",
	       js_text(order, "b"));
}

static void print_sums(const struct sums *s, const json_t *order)
{
	const uint64_t cards = js_count(order, "cards"), listed = js_count(order, "listed");

	printf("order       %s, %s, we are %s\n", js_text(order, "name"), js_text(order, "state"),
	       js_text(order, "side"));
	printf("ordered     %" PRIu64 " cards; %" PRIu64 " lines in the books%s\n", cards, s->lines,
	       s->lines == cards ? "" : ": THEY DO NOT ADD UP");
	printf("new IMSIs   %" PRIu64 "; %" PRIu64 " have come back in the hand-over list%s\n", s->imsis, listed,
	       s->imsis == listed ? ", each once" : "");
	printf("ends        %" PRIu64 " done, %" PRIu64 " failed, %" PRIu64 " unreached, %" PRIu64
	       " cancelled, %" PRIu64 " rolled back; %" PRIu64 " are under way\n",
	       s->by_end[0], s->by_end[1], s->by_end[2], s->by_end[3], s->by_end[4], s->lines - s->ended);
	if (s->not_here || s->here)
		printf("DIFFER      %" PRIu64
		       " done, says the present operator, that have not confirmed themselves here; %" PRIu64
		       " not done, says he, that are here\n",
		       s->not_here, s->here);
	printf("service     %" PRIu64 " seen at the new operator (E5), %" PRIu64 " confirmed under its keys (E6)\n",
	       s->served, s->confirmed);
	printf("armed       %" PRIu64 " told to go and not seen yet: nothing of theirs is deleted here\n",
	       s->armed_open);
	print_stranded(s, order);
	printf("exposure    %" PRIu64 " cards whose K went to the new operator and that stay here, %" PRIu64
	       " of them with OTA keys%s\n",
	       s->exposed, s->exposed_ota, s->exposed ? ": give them new keys" : "");
	if (s->low)
		printf("pairs       at least %" PRIu64 " left in each card\n", s->lowest);
}

int cmd_order_report(struct ctl *c, const struct ctl_args *a)
{
	struct sums s = { .list = NULL };
	struct ctl_list l;
	char path[CTL_PATH_MAX];
	json_t *order, *o;
	int rc;

	ctl_path(path, "orders", a->pos[0], (char *)NULL);
	rc = ctl_get(c, path, &order);
	if (rc)
		return rc;
	if (c->format == CTL_CSV) {
		ctl_list_begin(&l, c->format, COLUMNS(line_columns));
		s.list = &l;
	}
	s.lost = json_array();
	s.asks = !strcmp(js_text(order, "side"), "a") && !strcmp(js_text(order, "kind"), "3b");
	ctl_path(path, "orders", a->pos[0], "lines", (char *)NULL);
	rc = ctl_pages(c, path, "", "lines", sum_page, &s);
	if (s.list)
		ctl_list_end(&l);
	if (rc == CTL_OK && c->format == CTL_JSON) {
		o = sums_json(&s, order);
		ctl_print_json(o);
		json_decref(o);
	} else if (rc == CTL_OK && c->format == CTL_TABLE) {
		print_sums(&s, order);
	}
	if (rc == CTL_OK && (s.lines != js_count(order, "cards") || s.by_end[0] != s.lines || s.not_here || s.here))
		rc = CTL_PARTIAL;
	json_decref(s.lost);
	json_decref(order);
	return rc;
}

/* ------------------------------------------------------------------------------------------ verbs */

int ctl_order(const struct ctl *c, const char *path, json_t *body)
{
	json_t *o;
	int rc = ctl_post_json(c, path, body, &o);

	if (rc)
		return rc;
	if (c->format == CTL_JSON)
		ctl_print_json(o);
	else
		printf("%s%s%s\n", js_text(o, "name"), *js_text(o, "name") ? ": " : "", js_text(o, "state"));
	json_decref(o);
	return CTL_OK;
}

bool ctl_whole_path(const char *path, char out[CTL_FILE_MAX])
{
	char *whole = realpath(path, NULL);
	bool fits = whole && strlen(whole) < CTL_FILE_MAX;

	if (fits)
		memcpy(out, whole, strlen(whole) + 1);
	else
		ctl_error("%s: %s", path, whole ? "the path is too long" : strerror(errno));
	free(whole);
	return fits;
}

int cmd_order_cancel(struct ctl *c, const struct ctl_args *a)
{
	char path[CTL_PATH_MAX];

	if (!ctl_confirmed(a, "cards that are not armed yet stay with their operator, for good"))
		return CTL_USAGE;
	ctl_path(path, "orders", a->pos[0], "cancel", (char *)NULL);
	return ctl_order(c, path, json_object());
}

int cmd_order_accept(struct ctl *c, const struct ctl_args *a)
{
	const bool go = ctl_arg(a, "no-rollback-ok", 0);
	char path[CTL_PATH_MAX];

	ctl_path(path, "orders", a->pos[0], "accept", (char *)NULL);
	return ctl_order(c, path, json_pack("{s:b}", "no_rollback_ok", go));
}

int cmd_order_provide(struct ctl *c, const struct ctl_args *a)
{
	const char *iccid = ctl_arg(a, "card", 0);
	char path[CTL_PATH_MAX];

	ctl_path(path, "orders", a->pos[0], "provide", (char *)NULL);
	return ctl_order(c, path, iccid ? json_pack("{s:s}", "iccid", iccid) : json_object());
}

int cmd_order_il(struct ctl *c, const struct ctl_args *a)
{
	const char *list = ctl_arg(a, "list", 0);
	char path[CTL_PATH_MAX], file[CTL_FILE_MAX];

	if (list && !ctl_whole_path(list, file))
		return CTL_USAGE;
	ctl_path(path, "orders", a->pos[0], "il", (char *)NULL);
	return ctl_order(c, path, list ? json_pack("{s:s}", "file", file) : json_object());
}
