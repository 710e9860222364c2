/* events.c - see events.h.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "events.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Alike up to the first ':', where names stand, and but for digits behind it. */
static bool alike(const char *a, const char *b)
{
	size_t name = strcspn(a, ":");

	if (strncmp(a, b, name) != 0 || b[name] != a[name])
		return false;
	for (a += name, b += name;; a++, b++) {
		a += strspn(a, "0123456789");
		b += strspn(b, "0123456789");
		if (*a != *b || !*a)
			return *a == *b;
	}
}

/* Takes a late line like this one out, and tells how often it was said and since when. */
static void take_out(struct events *e, int level, const char *text, struct event_line *out)
{
	struct event_line *l;

	for (uint64_t i = e->lines; level <= 4 && i > 0 && e->lines - i < EVENTS_LOOK_BACK; i--) {
		l = &e->line[i % EVENTS_MAX];
		if (l->level != level || !alike(l->text, text))
			continue;
		*out = *l;
		for (; i < e->lines; i++)
			e->line[i % EVENTS_MAX] = e->line[(i + 1) % EVENTS_MAX];
		e->lines--;
		return;
	}
}

void events_note(struct events *e, int64_t at_ms, int level, const char *text)
{
	struct event_line line = { .first_ms = at_ms };

	if (level < 0 || level > EVENTS_LEVEL)
		return;
	take_out(e, level, text, &line);
	line.n = ++e->last;
	line.times++;
	line.at_ms = at_ms;
	line.level = (uint8_t)level;
	snprintf(line.text, sizeof(line.text), "%s", text);
	e->line[++e->lines % EVENTS_MAX] = line;
}

unsigned events_after(const struct events *e, uint64_t after, const struct event_line **out, unsigned cap)
{
	uint64_t held = e->lines < EVENTS_MAX ? e->lines : EVENTS_MAX;
	unsigned n = 0;

	while (n < cap && n < held && e->line[(e->lines - n) % EVENTS_MAX].n > after)
		n++;
	for (unsigned i = 0; i < n; i++)
		out[i] = &e->line[(e->lines - n + 1 + i) % EVENTS_MAX];
	return n;
}
