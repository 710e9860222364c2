/* look.c - looks at our register: what waits for room there, how often a line's turn comes, and what two looks tell together.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Nothing here is durable: what a crash takes with it is looked up again.
 */
#include <stdlib.h>
#include <string.h>

#include "engine.h"

#define LOOKS_MAX 65536 /* that wait; the HLR takes some at a time */

bool desk_look_soon(struct desk *d, const struct desk_look *l)
{
	struct desk_looks *w = &d->looks;

	if (!w->ring && !(w->ring = calloc(LOOKS_MAX, sizeof(*w->ring))))
		return false;
	if (w->n == LOOKS_MAX)
		return false;
	w->ring[(w->at + w->n++) % LOOKS_MAX] = *l;
	return true;
}

void looks_turn(struct desk *d)
{
	struct desk_looks *w = &d->looks;

	while (w->n && desk_look(d, &w->ring[w->at])) {
		w->at = (w->at + 1) % LOOKS_MAX;
		w->n--;
	}
}

void looks_free(struct desk *d)
{
	free(d->looks.ring);
}

bool desk_look_due(const struct desk *d, const struct line *l, int64_t period_ms, int64_t span_ms)
{
	uint64_t spread = 0;

	for (const char *c = l->iccid; *c; c++)
		spread = spread * 31 + (uint8_t)*c;
	return period_ms <= span_ms || (d->now_ms + (int64_t)(spread % (uint64_t)period_ms)) % period_ms < span_ms;
}

/* ---- marks ---- */

void desk_mark(struct line_mark *m, const struct hlr_result *r, int64_t asked_ms)
{
	*m = (struct line_mark){ .at_ms = asked_ms, .sqn = r->sqn, .seen_ms = r->seen_s * 1000 };
	for (const char *c = r->vlr; *c; c++)
		m->vlr = (m->vlr ^ (uint8_t)*c) * 16777619u + 1;
}

bool desk_mark_same(const struct line_mark *a, const struct line_mark *b)
{
	return a->sqn == b->sqn && a->seen_ms == b->seen_ms && a->vlr == b->vlr;
}

bool desk_mark_grown(const struct line_mark *was, const struct line_mark *is)
{
	return is->sqn > was->sqn || is->seen_ms > was->seen_ms || (is->vlr && is->vlr != was->vlr);
}
