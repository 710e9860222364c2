/* csv.c - RFC 4180 lines split in place, chunk by chunk.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "csv.h"

#include <string.h>

const char *csv_strerror(int err)
{
	switch (err) {
	case CSV_E_QUOTE:
		return "a quote (\") stands inside a field; a quoted field is \"...\" from comma to comma, a quote in "
		       "it is \"\"";
	case CSV_E_OPEN:
		return "a quote (\") is not closed on its line";
	case CSV_E_FIELDS:
		return "too many columns";
	case CSV_E_NUL:
		return "the line holds a zero octet: is this a text file in UTF-8?";
	default:
		return "malformed line";
	}
}

void csv_init(struct csv *c, char *text, size_t len, uint64_t first_line)
{
	*c = (struct csv){ .p = text, .end = text + len, .line = first_line };
	if (first_line == 1 && len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		c->p += 3;
}

static int blank(char c)
{
	return c == ' ' || c == '\t';
}

/* "..." from p on: unquotes in place.  Returns the octet after the field, or NULL with *err. */
static char *quoted(char *p, char *end, char **field, int *err)
{
	char *to = p, *from = p + 1;

	*field = p;
	for (;; from++) {
		if (from == end) {
			*err = CSV_E_OPEN;
			return NULL;
		}
		if (*from == '"') {
			if (from + 1 == end || from[1] != '"')
				break;
			from++;
		}
		*to++ = *from;
	}
	from++;
	while (from < end && blank(*from))
		from++;
	if (from < end && *from != ',') {
		*err = CSV_E_QUOTE;
		return NULL;
	}
	*to = 0; /* at the closing quote at the latest */
	return from;
}

static char *plain(char *p, char *end, char **field, int *err)
{
	char *sep = memchr(p, ',', (size_t)(end - p)), *last;

	if (!sep)
		sep = end;
	if (memchr(p, '"', (size_t)(sep - p))) {
		*err = CSV_E_QUOTE;
		return NULL;
	}
	*field = p;
	for (last = sep; last > p && blank(last[-1]);)
		last--;
	/* a separator that is overwritten here is known to the caller by position */
	*last = 0;
	return sep;
}

static int split(struct csv_record *r, char *p, char *end)
{
	int err = 0;

	for (;;) {
		char **field = &r->field[r->n], *sep;

		if (r->n == CSV_FIELDS_MAX)
			return CSV_E_FIELDS;
		while (p < end && blank(*p))
			p++;
		sep = p < end && *p == '"' ? quoted(p, end, field, &err) : plain(p, end, field, &err);
		if (!sep)
			return err;
		r->n++;
		if (sep == end)
			return 1;
		p = sep + 1;
	}
}

int csv_next(struct csv *c, struct csv_record *r)
{
	while (c->p < c->end) {
		char *start = c->p, *nl = memchr(start, '\n', (size_t)(c->end - start));
		char *end = nl ? nl : c->end;

		c->p = nl ? nl + 1 : c->end;
		*r = (struct csv_record){ .line = c->line++, .start = start, .len = (size_t)(end - start) };
		if (end > start && end[-1] == '\r')
			end--;
		while (start < end && blank(*start))
			start++;
		if (start == end)
			continue;
		if (memchr(start, 0, (size_t)(end - start)))
			return CSV_E_NUL;
		return split(r, start, end);
	}
	return 0;
}
