/* ask.h - the commands of a running otabsc: a line in, lines and "ok" (or "error ...") out.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTABSC_ASK_H
#define OTABSC_ASK_H

#include <stdio.h>

#include "lab.h"

#define ASK_LINE_MAX  1024 /* octets of a command */
#define ASK_WORDS_MAX 12

/* What the connection a command came by is to do, besides telling what stands in `out`. */
enum ask_then {
	ASK_ANSWERED, /* the last line of out is "ok" or "error ..." */
	ASK_WAITS,    /* ... will come: struct ask_wait says when */
	ASK_EVENTS_ON,
	ASK_EVENTS_OFF,
	ASK_QUIT,
};

/* Until all these phones are registered there. */
struct ask_wait {
	uint32_t from, to; /* phones [from, to) */
	int msc;	   /* -1: anywhere */
	bool nowhere;	   /* registered with nobody */
	int64_t until_ms;
};
bool ask_wait_over(const struct lab *l, const struct ask_wait *w);

enum ask_then ask(struct lab *l, char *line, FILE *out, struct ask_wait *wait);

#endif
