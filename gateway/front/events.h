/* events.h - the last lines of the log that matter to who looks: links, campaigns, warnings.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The log itself belongs to the journal; this is what a screen shows without access to it.  Of this process alone.
 */
#ifndef OTAGW_EVENTS_H
#define OTAGW_EVENTS_H

#include <stdint.h>

#define EVENTS_MAX	 256
#define EVENTS_TEXT_MAX	 240
#define EVENTS_LOOK_BACK 8 /* a warning that was among so many lines is that line again, and not a new one */
#define EVENTS_LEVEL	 5 /* notice and worse: a line per card would drive the others out */

struct event_line {
	uint64_t n;		 /* 1, 2, ... since the start; 0: none */
	int64_t at_ms, first_ms; /* of the last and the first time it was said */
	uint32_t times;
	uint8_t level; /* as syslog */
	char text[EVENTS_TEXT_MAX];
};
struct events {
	uint64_t last;	/* number of the newest */
	uint64_t lines; /* that a place was taken for */
	struct event_line line[EVENTS_MAX];
};

/* Keeps the line, when its level is one that is kept.  A warning that differs from a late one in numbers alone ("next try in
 * 900 ms") takes its place: a link that is down for hours must not drive all else out. */
void events_note(struct events *e, int64_t at_ms, int level, const char *text);
/* Those after number `after`, oldest first, at most `cap` and the newest of them; how many. */
unsigned events_after(const struct events *e, uint64_t after, const struct event_line **out, unsigned cap);

#endif
