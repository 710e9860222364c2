/* explain_cmd.c - `otactl packet explain`: where the octets and the keys come from, and what they are taken for.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "explain.h"

#define KEY_FILE_MAX 65536
#define KEY_COLUMNS  64
#define WHY_MAX	     160

/* ------------------------------------------------------------------------------------------------------------ keys */

/* A line of CSV, cut in place; the number of its fields. */
static size_t csv_cut(char *line, char *field[KEY_COLUMNS])
{
	size_t n = 0;
	char *rest = line;

	while (rest && n < KEY_COLUMNS) {
		char *f = strsep(&rest, ",;");

		f += strspn(f, " \t\"");
		f[strcspn(f, " \t\"")] = '\0';
		field[n++] = f;
	}
	return n;
}

/* A line of names and a line of values, as cards are imported. */
static json_t *keys_csv(char *text)
{
	char *name[KEY_COLUMNS], *value[KEY_COLUMNS], *rest = text, *head = strsep(&rest, "\r\n"), *line = NULL;
	size_t n = csv_cut(head, name), m;
	json_t *out;

	while (rest && (!line || !*line))
		line = strsep(&rest, "\r\n");
	if (!line || !*line)
		return NULL;
	m = csv_cut(line, value);
	out = json_object();
	for (size_t i = 0; i < n && i < m; i++)
		json_object_set_new(out, name[i], json_string(value[i]));
	return out;
}

static json_t *keys_read(const char *path)
{
	static char text[KEY_FILE_MAX];
	FILE *f = fopen(path, "r");
	json_t *out = NULL;
	json_error_t err;
	struct stat st;
	size_t n;

	if (!f) {
		ctl_error("--keys %s: %s", path, strerror(errno));
		return NULL;
	}
	if (!fstat(fileno(f), &st) && S_ISREG(st.st_mode) && st.st_mode & 077)
		fprintf(stderr, "otactl: --keys %s can be read by others: chmod 600 it\n", path);
	setvbuf(f, NULL, _IONBF, 0); /* no copy of the keys in a buffer */
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	if (n < sizeof(text) - 1)
		out = text[strspn(text, " \t\r\n")] == '{' ? json_loads(text, JSON_REJECT_DUPLICATES, &err) :
							     keys_csv(text);
	ks_wipe(text, sizeof(text));
	if (!json_is_object(out)) {
		ctl_error("--keys %s: neither a JSON object nor CSV with a line of names and a line of values", path);
		json_decref(out);
		return NULL;
	}
	return out;
}

/* ----------------------------------------------------------------------------------------------------------- kinds */

static const struct explain_kind *kind_named(const char *name)
{
	const char *words[32];

	for (size_t i = 0; i < explain_kinds_n; i++) {
		if (!strcmp(explain_kinds[i].name, name))
			return &explain_kinds[i];
		words[i] = explain_kinds[i].name;
	}
	ctl_error_word("kind", name, words, explain_kinds_n);
	return NULL;
}

/* The kind that fits best; what else it might be goes into `also`. */
static const struct explain_kind *kind_guess(const uint8_t *p, size_t len, char *text, size_t cap)
{
	static const char *const how[] = { "", "perhaps", "likely", "sure" };
	const struct explain_kind *best = NULL;
	char why[WHY_MAX], best_why[WHY_MAX] = "", also[WHY_MAX] = "";
	unsigned high = 0;

	for (size_t i = 0; i < explain_kinds_n; i++) {
		unsigned fit = explain_kinds[i].fits(p, len, why, sizeof(why));

		if (fit > high) {
			best = &explain_kinds[i];
			high = fit;
			memcpy(best_why, why, sizeof(why));
			also[0] = '\0';
		} else if (fit && fit == high) {
			snprintf(also, sizeof(also), "; as likely %s", explain_kinds[i].what);
		}
	}
	if (best)
		snprintf(text, cap, "%zu octets; %s: %s%s", len, how[high], best_why, also);
	return best;
}

/* ----------------------------------------------------------------------------------------------------------- pieces */

static void explain_piece(struct explain *e, const struct explain_kind *kind, const uint8_t *p, size_t len)
{
	char text[EXPLAIN_TEXT_MAX];

	snprintf(text, sizeof(text), "%zu octets", len);
	e->depth = 0;
	if (!kind && e->have_file)
		kind = kind_named("file");
	else if (!kind)
		kind = kind_guess(p, len, text, sizeof(text));
	if (!kind) {
		ex(e, "unknown", p, len, "", "%zu octets that begin like nothing known here; --kind says what they are",
		   len);
		e->failed = true;
		return;
	}
	ex(e, kind->what, p, len, "", "%s", text);
	e->depth = 1;
	kind->run(e, p, len);
}

/* One line or argument: hex digits, blanks and colons between them do not count. */
static void explain_line(struct explain *e, const struct explain_kind *kind, char *line)
{
	static uint8_t octets[EXPLAIN_MAX];
	size_t n = 0, at = 0;

	for (const char *s = line; *s; s++)
		if (!strchr(" \t\r\n:", *s))
			line[n++] = *s;
	line[n] = '\0';
	if (n == 0)
		return;
	if (n % 2 || n / 2 > sizeof(octets) || !packet_unhex(octets, line, n, &at)) {
		e->depth = 0;
		if (n % 2 || n / 2 > sizeof(octets))
			ex_wrong(e, "%zu hex digits: an even number, at most %zu, is needed", n, 2 * sizeof(octets));
		else
			ex_wrong(e, "character %zu is not a hex digit", at);
		return;
	}
	explain_piece(e, kind, octets, n / 2);
}

static void explain_input(struct explain *e, const struct explain_kind *kind)
{
	char *line = NULL;
	size_t cap = 0;

	while (getline(&line, &cap, stdin) >= 0)
		explain_line(e, kind, line);
	free(line);
}

int cmd_packet_explain(struct ctl *c, const struct ctl_args *a)
{
	const char *name = ctl_arg(a, "kind", 0), *file = ctl_arg(a, "file", 0), *keys = ctl_arg(a, "keys", 0);
	struct explain e = { .format = c->format };
	const struct explain_kind *kind = NULL;

	if (name && !strcmp(name, "list")) {
		for (size_t i = 0; i < explain_kinds_n; i++)
			printf("%-16s%s\n", explain_kinds[i].name, explain_kinds[i].what);
		return CTL_OK;
	}
	if ((name && !(kind = kind_named(name))) || (file && !explain_file_named(&e, file)) ||
	    !packet_keys_open(&e.keys))
		return CTL_USAGE;
	e.rows = json_array();
	e.key_file = keys ? keys_read(keys) : NULL;
	if (keys && !e.key_file) {
		packet_keys_close(&e.keys);
		json_decref(e.rows);
		return CTL_USAGE;
	}
	if (c->format == CTL_CSV)
		puts("depth,field,octets,meaning,clause");
	if (a->n_pos) {
		char *text = strdup(a->pos[0]);

		if (text)
			explain_line(&e, kind, text);
		free(text);
	} else {
		explain_input(&e, kind);
	}
	ex_end(&e);
	json_decref(e.key_file);
	packet_keys_close(&e.keys);
	return e.failed ? CTL_PARTIAL : CTL_OK;
}
