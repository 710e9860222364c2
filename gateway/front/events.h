/* events.h - the last lines of the log that matter to who looks: links, campaigns, warnings.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The log itself belongs to the journal; this is what a screen shows without access to it.  Of this process alone.
 */
#ifndef OTAGW_EVENTS_H
#define OTAGW_EVENTS_H

#include <stdint.h>

#define EVENTS_MAX	256
#define EVENTS_TEXT_MAX 240
#define EVENTS_LEVEL	5 /* notice and worse: a line per card would drive the others out */

struct event_line {
	uint64_t n; /* 1, 2, ... since the start; 0: none */
	int64_t at_ms;
	uint8_t level; /* as syslog */
	char text[EVENTS_TEXT_MAX];
};
struct events {
	uint64_t last; /* number of the newest */
	struct event_line line[EVENTS_MAX];
};

/* Keeps the line, when its level is one that is kept. */
void events_note(struct events *e, int64_t at_ms, int level, const char *text);
/* Those after number `after`, oldest first, at most `cap` and the newest of them; how many. */
unsigned events_after(const struct events *e, uint64_t after, const struct event_line **out, unsigned cap);

#endif
