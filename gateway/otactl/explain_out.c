/* explain_out.c - the lines of an explanation: indented text, JSON or CSV.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdarg.h>
#include <string.h>

#include "explain.h"

#define INDENT	     2
#define FIELD_WIDTH  16 /* of the field's name, indentation included */
#define HEX_WIDTH    24
#define SHOWN_OCTETS 11 /* of a long field; all of them stand in JSON and CSV */

static void print_text(const struct explain *e, const char *field, const uint8_t *p, size_t len, const char *clause,
		       const char *text)
{
	char hex[2 * (SHOWN_OCTETS + 1) + 3] = "";
	size_t shown = len > SHOWN_OCTETS + 1 ? SHOWN_OCTETS : len;
	int width = FIELD_WIDTH - (int)(INDENT * e->depth);

	for (size_t i = 0; p && i < shown; i++)
		snprintf(hex + 2 * i, sizeof(hex) - 2 * i, "%02x", p[i]);
	if (p && shown < len)
		strcat(hex, "..");
	if (e->depth == 0)
		printf("%s: %s", field, text);
	else
		printf("%*s%-*s %-*s %s", (int)(INDENT * e->depth), "", width > 1 ? width : 1, field, HEX_WIDTH, hex,
		       text);
	printf(*clause ? "  [%s]\n" : "\n", clause);
}

static void ex_line(struct explain *e, const char *field, const uint8_t *p, size_t len, const char *clause,
		    const char *text)
{
	json_t *row;

	if (e->format == CTL_TABLE) {
		print_text(e, field, p, len, clause, text);
		return;
	}
	row = json_pack("{s:i,s:s,s:o,s:s,s:s}", "depth", (int)e->depth, "field", field, "octets",
			packet_json_hex(p, p ? len : 0), "meaning", text, "clause", clause);
	if (e->format == CTL_JSON) {
		json_array_append_new(e->rows, row);
		return;
	}
	printf("%u,", e->depth);
	for (unsigned i = 0; i < 4; i++) {
		static const char *const key[] = { "field", "octets", "meaning", "clause" };

		ctl_csv_field(stdout, js_text(row, key[i]));
		putchar(i < 3 ? ',' : '\n');
	}
	json_decref(row);
}

void ex(struct explain *e, const char *field, const uint8_t *p, size_t len, const char *clause, const char *fmt, ...)
{
	char text[EXPLAIN_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ex_line(e, field, p, len, clause, text);
}

void ex_wrong(struct explain *e, const char *fmt, ...)
{
	char text[EXPLAIN_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ex_line(e, "WRONG", NULL, 0, "", text);
	e->failed = true;
}

void ex_end(struct explain *e)
{
	if (e->format == CTL_JSON)
		ctl_print_json(e->rows);
	json_decref(e->rows);
	e->rows = NULL;
}
