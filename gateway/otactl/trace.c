/* trace.c - trace card: what has happened to one card in the order of time, every packet opened where it stands.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * card show tells how a card is; this tells how it came to that, and goes on telling.  The gateway decodes: no key comes here.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl.h"
#include "view.h"

#define INDENT		 16 /* of what a packet holds */
#define LABEL		 9  /* columns of "PoR" and the like */
#define INTERVAL_DEFAULT 1
#define SEEN_MAX	 4096 /* lines told; more are not told twice for want of memory: it begins anew */

struct trace {
	struct ctl *c;
	const char *iccid;
	bool decode, follow, json, begun, down;
	uint64_t after;
	int64_t last_ms;	 /* of the line before */
	json_t *seen;		 /* lines told: what has no row of its own comes with every answer */
	char state[32], why[96]; /* of the transaction, as told last */
};

/* ------------------------------------------------------------------------------------------------ packets */

static void safe(const char *s)
{
	for (; *s; s++)
		putchar((unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s);
}

static void field(const char *label, const char *text)
{
	if (!*text)
		return;
	printf("%*s%-*s", INDENT, "", LABEL, label);
	safe(text);
	putchar('\n');
}

static void head(const json_t *d)
{
	char text[512];

	snprintf(text, sizeof(text), "TAR %s  KIc %s (%s)  KID %s (%s)", js_text(d, "tar"), js_text(d, "kic"),
		 js_text(d, "kic_text"), js_text(d, "kid"), js_text(d, "kid_text"));
	if (*js_text(d, "kic"))
		field("", text);
	snprintf(text, sizeof(text), "SPI %s  %s; %s", js_text(d, "spi"), js_text(d, "spi1_text"),
		 js_text(d, "spi2_text"));
	if (*js_text(d, "spi"))
		field("", text);
}

static void command(const json_t *d)
{
	const json_t *apdus = json_object_get(d, "apdus");
	char text[512];
	size_t i;
	json_t *a;

	snprintf(text, sizeof(text), "%" PRIu64 " octets", js_count(d, "octets"));
	if (json_is_number(json_object_get(d, "cntr")))
		snprintf(text, sizeof(text), "CNTR %" PRIu64 "  padding %" PRIu64 "  %" PRIu64 " octets",
			 js_count(d, "cntr"), js_count(d, "pcntr"), js_count(d, "octets"));
	field("command", text);
	head(d);
	json_array_foreach(apdus, i, a)
	{
		snprintf(text, sizeof(text), "%2zu  %s", i + 1, json_string_value(a) ? json_string_value(a) : "");
		field(i ? "" : "script", text);
	}
}

static void response(const json_t *d)
{
	char text[512], cntr[48] = "";

	if (json_is_number(json_object_get(d, "cntr")))
		snprintf(cntr, sizeof(cntr), "  CNTR %" PRIu64, js_count(d, "cntr"));
	snprintf(text, sizeof(text), "status %s (%s)%s  %s", js_text(d, "por_status"), js_text(d, "por_status_text"),
		 cntr, js_text(d, "verdict"));
	field("PoR", text);
	if (json_is_number(json_object_get(d, "executed"))) {
		snprintf(text, sizeof(text), "%" PRIu64 " commands executed, SW %s (%s)", js_count(d, "executed"),
			 js_text(d, "sw"), js_text(d, "sw_text"));
		field("", text);
	}
	if (*js_text(d, "data_text"))
		field("data", js_text(d, "data_text"));
	else
		field("data", js_text(d, "data"));
}

static void packet(const json_t *d, const char *octets)
{
	if (!json_is_object(d))
		return;
	if (!strcmp(js_text(d, "type"), "command"))
		command(d);
	else if (!strcmp(js_text(d, "type"), "response"))
		response(d);
	field("note", js_text(d, "note"));
	field("octets", octets);
}

/* ------------------------------------------------------------------------------------------------ lines */

/* "+0.227" since the line before: where the time goes. */
static const char *since(char buf[32], int64_t ms, int64_t before_ms)
{
	char text[32];
	double s = (double)(ms - before_ms) / 1000;

	if (!before_ms || ms < before_ms)
		snprintf(buf, 32, "%s", "");
	else if (s < 100)
		snprintf(buf, 32, "+%.3f s", s);
	else
		snprintf(buf, 32, "+%.28s", ctl_duration(text, sizeof(text), s));
	return buf;
}

static void line(struct trace *t, const json_t *e)
{
	int64_t ms = view_ms(js_text(e, "at"));
	char delta[32], number[32];
	const char *command = js_word(number, sizeof(number), json_object_get(e, "command"));

	printf("%-24s %-11s %-9s", js_text(e, "at"), since(delta, ms, t->last_ms), js_text(e, "kind"));
	printf("%s%s%s", *command ? "#" : "", command, *command ? "  " : "");
	safe(js_text(e, "text"));
	putchar('\n');
	t->last_ms = ms;
	if (t->decode)
		packet(json_object_get(e, "decoded"), js_text(e, "octets"));
}

/* Whether this line has not been told yet. */
static bool news(struct trace *t, const json_t *e)
{
	char key[512], number[32];

	snprintf(key, sizeof(key), "%s %s %s %s", js_text(e, "at"), js_text(e, "kind"),
		 js_word(number, sizeof(number), json_object_get(e, "command")), js_text(e, "text"));
	if (json_object_get(t->seen, key))
		return false;
	if (json_object_size(t->seen) >= SEEN_MAX)
		json_object_clear(t->seen);
	json_object_set_new(t->seen, key, json_true());
	return true;
}

static void card_line(struct trace *t, const json_t *answer)
{
	const json_t *card = json_object_get(answer, "card");

	if (t->json) {
		json_dumpf(json_object_get(answer, "card"), stdout, JSON_COMPACT);
		putchar('\n');
		return;
	}
	printf("card %s  IMSI %s  MSISDN %s", js_text(card, "iccid"), js_text(card, "imsi"),
	       *js_text(card, "msisdn") ? js_text(card, "msisdn") : "-");
	if (js_count(card, "id"))
		printf("  (in the log: card=%" PRIu64 ")", js_count(card, "id"));
	putchar('\n');
}

/* How it stands, whenever that has changed: it has no line in the story before its end. */
static void txn_line(struct trace *t, const json_t *txn, bool last)
{
	const char *state = js_text(txn, "state"), *why = js_text(txn, "reason");
	int64_t from = view_ms(js_text(txn, "first_try")), to = view_ms(js_text(txn, "ended"));
	char text[32];

	if (t->json || !json_is_object(txn) || (!last && !t->follow) ||
	    (!strcmp(t->state, state) && !strncmp(t->why, why, sizeof(t->why) - 1)))
		return;
	snprintf(t->state, sizeof(t->state), "%s", state);
	snprintf(t->why, sizeof(t->why), "%s", why);
	printf("campaign %s: %s", js_text(txn, "campaign"), state);
	if (*js_text(txn, "evidence"))
		printf(", evidence %s", js_text(txn, "evidence"));
	if (*why) {
		fputs(", ", stdout);
		safe(why);
	}
	if (strcmp(state, "DONE") != 0 && strcmp(js_text(txn, "class"), "NONE") != 0)
		printf(", %s", js_text(txn, "class"));
	printf("; %" PRIu64 " attempts, %" PRIu64 " SMS, %" PRIu64 " read-backs", js_count(txn, "attempts"),
	       js_count(txn, "sms_parts"), js_count(txn, "probes"));
	if (from && to >= from)
		printf(", %s from the first try to the end", since(text, to, from) + 1);
	putchar('\n');
}

/* ------------------------------------------------------------------------------------------------ the loop */

/* Who follows waits for a gateway that went away, and is told so: CTL_OK without an answer. */
static int ask(struct trace *t, const char *path, json_t **answer)
{
	char err[1024], at[VIEW_TIME_MAX];
	int rc = ctl_try(t->c, "GET", path, "application/json", NULL, 0, answer, err, sizeof(err));

	if (!rc && t->down)
		fprintf(stderr, "otactl: the gateway answers again\n");
	if (!rc) {
		t->down = false;
		return CTL_OK;
	}
	if (!t->follow || rc != CTL_DOWN) {
		ctl_error("%s", err);
		return rc;
	}
	if (!t->down)
		fprintf(stderr, "otactl: %s\notactl: no answer since %s; trying again until Ctrl-C\n", err,
			view_clock(at, (int64_t)time(NULL) * 1000));
	t->down = true;
	return CTL_OK;
}

/* One page; *more: the story goes on behind it. */
static int page(struct trace *t, bool *more)
{
	char base[CTL_PATH_MAX], path[CTL_PATH_MAX + 32];
	json_t *answer, *e;
	size_t i;
	int rc;

	*more = false;
	ctl_path(base, "cards", t->iccid, (char *)NULL);
	snprintf(path, sizeof(path), "%s?after=%" PRIu64, base, t->after);
	rc = ask(t, path, &answer);
	if (rc || !answer)
		return rc;
	if (!t->begun)
		card_line(t, answer);
	t->begun = true;
	json_array_foreach(json_object_get(answer, "story"), i, e)
	{
		if (!news(t, e))
			continue;
		if (t->json) {
			if (!t->decode)
				json_object_del(e, "decoded");
			json_dumpf(e, stdout, JSON_COMPACT);
			putchar('\n');
		} else {
			line(t, e);
		}
	}
	*more = js_true(answer, "cut") && js_count(answer, "next") > t->after;
	if (js_count(answer, "next") > t->after)
		t->after = js_count(answer, "next");
	txn_line(t, json_object_get(answer, "txn"), !*more);
	fflush(stdout);
	json_decref(answer);
	return CTL_OK;
}

int cmd_trace_card(struct ctl *c, const struct ctl_args *a)
{
	struct trace t = { .c = c, .iccid = a->pos[0] };
	double interval_s;
	bool more;
	int rc;

	t.decode = ctl_arg(a, "decode", 0);
	t.follow = ctl_arg(a, "follow", 0);
	t.json = ctl_arg(a, "json", 0) || c->format == CTL_JSON;
	if (!ctl_arg_number(a, "interval", 0.05, 3600, INTERVAL_DEFAULT, &interval_s))
		return CTL_USAGE;
	t.seen = json_object();
	rc = page(&t, &more);
	while (!rc && (more || t.follow)) {
		if (!more)
			ctl_wait(interval_s);
		if (ferror(stdout))
			break; /* whoever read it has gone */
		rc = page(&t, &more);
	}
	json_decref(t.seen);
	return rc;
}
