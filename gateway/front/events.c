/* events.c - see events.h.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "events.h"

#include <stdio.h>

void events_note(struct events *e, int64_t at_ms, int level, const char *text)
{
	struct event_line *l;

	if (level < 0 || level > EVENTS_LEVEL)
		return;
	l = &e->line[++e->last % EVENTS_MAX];
	l->n = e->last;
	l->at_ms = at_ms;
	l->level = (uint8_t)level;
	snprintf(l->text, sizeof(l->text), "%s", text);
}

unsigned events_after(const struct events *e, uint64_t after, const struct event_line **out, unsigned cap)
{
	uint64_t first = e->last >= EVENTS_MAX ? e->last - EVENTS_MAX + 1 : 1;
	unsigned n = 0;

	if (after >= first)
		first = after + 1;
	if (e->last >= first && e->last - first >= cap)
		first = e->last - cap + 1;
	for (; first <= e->last; first++)
		out[n++] = &e->line[first % EVENTS_MAX];
	return n;
}
