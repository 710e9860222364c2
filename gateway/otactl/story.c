/* story.c - card show: one card's whole story as people read it; and explain.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The gateway decodes (it has the keys), this file sets the result.  What it does not know by name it prints by its key, so
 * that a field added on the other side is seen and not lost.
 */
#include <string.h>

#include "ctl.h"

#define WORD_MAX     64
#define STORY_INDENT 28 /* below a story's text */

/* Keys of decoded packets, and how people call them. */
static const struct {
	const char *key, *label;
} labels[] = {
	{ "spi", "SPI" },
	{ "kic", "KIc" },
	{ "kid", "KID" },
	{ "tar", "TAR" },
	{ "cntr", "CNTR" },
	{ "pcntr", "PCNTR" },
	{ "apdus", "commands" },
	{ "executed", "executed" },
	{ "sw", "SW" },
	{ "sws", "SW of each" },
	{ "data", "data" },
	{ "verdict", "verdict" },
	{ "por_status", "PoR status" },
	{ "segs", "SMS parts" },
	{ "sms_parts", "SMS parts" },
	{ "probes", "read-backs" },
	{ "new_imsi", "new IMSI" },
	{ "new_msisdn", "new MSISDN" },
	{ "first_try", "first try" },
	{ "last_try", "last try" },
	{ "last_seen", "last seen" },
	{ "quarantine", "in quarantine since" },
	{ "tz", "zone" },
};

static const char *label_of(const char *key)
{
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (!strcmp(labels[i].key, key))
			return labels[i].label;
	return key;
}

static void print_safe(const char *s)
{
	for (; *s; s++)
		putchar((unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s);
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

static bool worth_printing(const json_t *v)
{
	if (json_is_string(v))
		return *json_string_value(v);
	if (json_is_array(v))
		return json_array_size(v);
	if (json_is_object(v))
		return json_object_size(v);
	return v && !json_is_null(v);
}

/* "sw" with "sw_text" beside it; "spi" is two octets with a text each. */
static void print_with_text(const json_t *o, const char *key, const json_t *v)
{
	char partner[80], buf[WORD_MAX];

	print_safe(js_word(buf, sizeof(buf), v));
	snprintf(partner, sizeof(partner), "%s_text", key);
	for (int i = 0; i <= 2; i++) {
		if (i)
			snprintf(partner, sizeof(partner), "%s%d_text", key, i);
		if (*js_text(o, partner)) {
			fputs(i == 2 ? "; " : "  ", stdout);
			print_safe(js_text(o, partner));
		}
	}
	putchar('\n');
}

static void print_fields(const json_t *o, unsigned indent, const char *const *skip)
{
	const char *key;
	json_t *v, *part;
	char buf[WORD_MAX];
	size_t i;

	json_object_foreach((json_t *)o, key, v)
	{
		bool skipped = false;

		for (const char *const *s = skip; s && *s; s++)
			skipped |= !strcmp(*s, key);
		if (skipped || ends_with(key, "_text") || !worth_printing(v))
			continue;
		printf("%*s%-11s ", (int)indent, "", label_of(key));
		if (json_is_object(v)) {
			putchar('\n');
			print_fields(v, indent + 2, NULL);
		} else if (json_is_array(v)) {
			json_array_foreach(v, i, part)
			{
				printf("%*s%2zu  ", i ? (int)indent + 12 : 0, "", i + 1);
				print_safe(js_word(buf, sizeof(buf), part));
				putchar('\n');
			}
		} else {
			print_with_text(o, key, v);
		}
	}
}

/* ------------------------------------------------------------------------------------------------ card show */

static void print_head(const json_t *answer)
{
	static const char *const skip[] = { "iccid", "imsi", "msisdn", "id", NULL };
	static const char *const skip_txn[] = { "id", NULL };
	const json_t *card = json_object_get(answer, "card"), *txn = json_object_get(answer, "txn"),
		     *pair = json_object_get(answer, "pair");
	char buf[WORD_MAX], proven[WORD_MAX];
	json_t *k;
	size_t i;

	printf("card %s\n", js_text(card, "iccid"));
	printf("  %-11s %s\n  %-11s %s\n", "IMSI", js_text(card, "imsi"), "MSISDN",
	       *js_text(card, "msisdn") ? js_text(card, "msisdn") : "-");
	print_fields(card, 2, skip);
	json_array_foreach(json_object_get(answer, "keysets"), i, k)
	{
		printf("  %-11s version %s, ", i ? "" : "keysets",
		       js_word(buf, sizeof(buf), json_object_get(k, "kvn")));
		printf("generation %s: KIc %s, KID %s, ", js_word(buf, sizeof(buf), json_object_get(k, "gen")),
		       js_text(k, "kic_alg"), js_text(k, "kid_alg"));
		printf("last counter %s, proven %s\n", js_word(buf, sizeof(buf), json_object_get(k, "cntr")),
		       js_word(proven, sizeof(proven), json_object_get(k, "cntr_proven")));
	}
	if (worth_printing(pair)) {
		printf("  %-11s index %s under version %s\n", "pair",
		       js_word(buf, sizeof(buf), json_object_get(pair, "index")),
		       js_word(proven, sizeof(proven), json_object_get(pair, "kvn")));
		printf("  %-11s K: us and %s\n", "known to", js_text(pair, "k_known"));
		printf("  %-11s OTA keys: us and %s\n", "", js_text(pair, "ota_known"));
	}
	if (worth_printing(txn)) {
		printf("\ntransaction\n");
		print_fields(txn, 2, skip_txn);
	}
}

static void print_commands(const json_t *commands)
{
	static const struct ctl_column columns[] = {
		{ "id", "COMMAND", true }, { "kind", "KIND", false }, { "state", "STATE", false },
		{ "cntr", "CNTR", true },  { "spi", "SPI", false },   { "kic", "KIC", false },
		{ "kid", "KID", false },   { "tar", "TAR", false },   { "attempt", "ATTEMPTS", true },
		{ "segs", "SMS", true },   { "hint", "HINT", false }, { "por_status", "POR", false },
		{ "sw", "SW", false },
	};
	struct ctl_list l;

	if (!json_array_size(commands))
		return;
	printf("\ncommands\n");
	ctl_list_begin(&l, CTL_TABLE, columns, sizeof(columns) / sizeof(columns[0]));
	ctl_list_page(&l, commands);
	ctl_list_end(&l);
}

/* The command packet that a story entry speaks of: it stands with its command, once. */
static void print_packet(const json_t *answer, const json_t *entry)
{
	static const char *const skip[] = { "opened", "octets", NULL };
	size_t i;
	json_t *c;

	if (strcmp(js_text(entry, "kind"), "prepared") || json_is_object(json_object_get(entry, "decoded")))
		return;
	json_array_foreach(json_object_get(answer, "commands"), i, c)
	{
		if (js_count(c, "id") != js_count(entry, "command"))
			continue;
		print_fields(json_object_get(c, "decoded"), STORY_INDENT, skip);
		if (*js_text(c, "packet"))
			printf("%*s%-11s %s\n", STORY_INDENT, "", "octets", js_text(c, "packet"));
	}
}

static void print_story(const json_t *answer)
{
	static const char *const skip[] = { "opened", "octets", NULL };
	char buf[WORD_MAX];
	json_t *s;
	size_t i;

	printf("\nstory\n");
	json_array_foreach(json_object_get(answer, "story"), i, s)
	{
		const json_t *decoded = json_object_get(s, "decoded");
		const char *command = js_word(buf, sizeof(buf), json_object_get(s, "command"));

		printf("%-24s  %-9s %s%s%s", js_text(s, "at"), js_text(s, "kind"), *command ? "#" : "", command,
		       *command ? "  " : "");
		print_safe(js_text(s, "text"));
		putchar('\n');
		print_packet(answer, s);
		print_fields(decoded, STORY_INDENT, skip);
		if (*js_text(s, "octets"))
			printf("%*s%-11s %s\n", STORY_INDENT, "", "octets", js_text(s, "octets"));
	}
	if (js_true(answer, "cut"))
		printf("(there is more than is shown)\n");
}

/* The story as CSV: one line per entry, packets in hex. */
static void csv_story(const json_t *answer)
{
	static const struct ctl_column columns[] = { { "at", "", false },
						     { "kind", "", false },
						     { "command", "", false },
						     { "text", "", false },
						     { "octets", "", false } };
	struct ctl_list l;

	ctl_list_begin(&l, CTL_CSV, columns, sizeof(columns) / sizeof(columns[0]));
	ctl_list_page(&l, json_object_get(answer, "story"));
	ctl_list_end(&l);
}

int cmd_card_show(struct ctl *c, const struct ctl_args *a)
{
	char path[CTL_PATH_MAX];
	json_t *answer;
	int rc;

	ctl_path(path, "cards", a->pos[0], (char *)NULL);
	rc = ctl_get(c, path, &answer);
	if (rc)
		return rc;
	if (c->format == CTL_JSON) {
		ctl_print_json(answer);
	} else if (c->format == CTL_CSV) {
		csv_story(answer);
	} else {
		print_head(answer);
		print_commands(json_object_get(answer, "commands"));
		print_story(answer);
	}
	json_decref(answer);
	return CTL_OK;
}

/* ------------------------------------------------------------------------------------------------ explain */

int cmd_explain(struct ctl *c, const struct ctl_args *a)
{
	char base[CTL_PATH_MAX], path[8192];
	const char *hex = a->pos[0];
	json_t *answer;
	int rc;

	if (hex[strspn(hex, "0123456789abcdefABCDEF")] || strlen(hex) > 2 * 2200) {
		ctl_error("'%.20s' is not a packet in hex", hex);
		return CTL_USAGE;
	}
	ctl_path(base, "explain", (char *)NULL);
	snprintf(path, sizeof(path), "%s?packet=%s", base, hex);
	rc = ctl_get(c, path, &answer);
	if (rc)
		return rc;
	if (c->format == CTL_JSON) {
		ctl_print_json(answer);
	} else if (c->format == CTL_CSV) {
		const char *key;
		json_t *v;
		char buf[WORD_MAX];

		puts("field,value");
		json_object_foreach(answer, key, v)
		{
			printf("%s,", key);
			ctl_csv_field(stdout, js_word(buf, sizeof(buf), v));
			putchar('\n');
		}
	} else {
		print_fields(answer, 0, NULL);
	}
	json_decref(answer);
	return CTL_OK;
}
