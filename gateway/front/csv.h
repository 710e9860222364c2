/* csv.h - RFC 4180 lines split in place, chunk by chunk.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The splitter writes into the caller's text and keeps no copy, so that a line with keys exists once and can be wiped.
 * CRLF and a byte order mark are taken silently.  One departure from RFC 4180: a quoted field ends on its own line.  A
 * list of digits never needs a line break, and so a quote that somebody forgot costs one line and not the rest of the file.
 */
#ifndef OTAGW_CSV_H
#define OTAGW_CSV_H

#include <stddef.h>
#include <stdint.h>

#define CSV_FIELDS_MAX 64

enum csv_err {
	CSV_E_QUOTE = -1,  /* a quote inside an unquoted field, or text after a closing quote */
	CSV_E_OPEN = -2,   /* a quote that is not closed on its line */
	CSV_E_FIELDS = -3, /* more than CSV_FIELDS_MAX fields */
	CSV_E_NUL = -4,	   /* a zero octet */
};
const char *csv_strerror(int err);

struct csv {
	char *p, *end;
	uint64_t line; /* number of the next line */
};
struct csv_record {
	uint64_t line;
	unsigned n;
	char *field[CSV_FIELDS_MAX]; /* NUL-terminated; valid until the text is wiped */
	char *start;		     /* the whole line's octets, */
	size_t len;		     /* for wiping */
};

/* text[len] must be writable: the last field's NUL goes there when the last line has no line end. */
void csv_init(struct csv *c, char *text, size_t len, uint64_t first_line);
/* 1: a record (r->n >= 1); 0: no more; negative: this line is malformed, r->line, start and len are set, and the next
 * call goes on with the next line.  Empty lines are skipped and counted. */
int csv_next(struct csv *c, struct csv_record *r);

#endif
