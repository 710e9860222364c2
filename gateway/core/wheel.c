/* wheel.c - one stub per card with a command under way, ordered by when it is due.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A binary heap of pool indexes with back references: earlier, later and gone are O(log n) and exact, so that a wake by
 * presence needs no second entry and a timer never fires for something that has moved on.
 */
#include <stdlib.h>

#include "gw_int.h"

int wheel_init(struct gw *gw)
{
	unsigned n = gw->cfg.limits.open_max + 1;
	unsigned buckets = pow2_at_least(n);

	gw->stub = calloc(n, sizeof(*gw->stub));
	gw->heap = calloc(n, sizeof(*gw->heap));
	gw->stub_hash = calloc(buckets, sizeof(*gw->stub_hash));
	if (!gw->stub || !gw->heap || !gw->stub_hash)
		return -ENOMEM;
	gw->stub_hash_mask = buckets - 1;
	for (unsigned i = n - 1; i >= 1; i--) { /* index 0 means none */
		gw->stub[i].hash_next = gw->stub_free;
		gw->stub_free = i;
	}
	return 0;
}

struct stub *stub_find(struct gw *gw, uint64_t card)
{
	uint32_t i = gw->stub_hash[hash_u64(card) & gw->stub_hash_mask];

	while (i && gw->stub[i].card != card)
		i = gw->stub[i].hash_next;
	return i ? &gw->stub[i] : NULL;
}

struct stub *stub_add(struct gw *gw, uint64_t card)
{
	uint32_t *bucket = &gw->stub_hash[hash_u64(card) & gw->stub_hash_mask];
	struct stub *s = stub_find(gw, card);
	uint32_t i;

	if (s)
		return s;
	i = gw->stub_free;
	if (!i)
		return NULL;
	s = &gw->stub[i];
	gw->stub_free = s->hash_next;
	*s = (struct stub){ .card = card, .due_ms = INT64_MAX, .heap_pos = STUB_OFF_HEAP, .hash_next = *bucket };
	*bucket = i;
	if (++gw->open > gw->open_high)
		gw->open_high = gw->open;
	return s;
}

static void heap_put(struct gw *gw, uint32_t pos, uint32_t idx)
{
	gw->heap[pos] = idx;
	gw->stub[idx].heap_pos = pos;
}

static void heap_up(struct gw *gw, uint32_t pos)
{
	uint32_t idx = gw->heap[pos];

	while (pos && gw->stub[gw->heap[(pos - 1) / 2]].due_ms > gw->stub[idx].due_ms) {
		heap_put(gw, pos, gw->heap[(pos - 1) / 2]);
		pos = (pos - 1) / 2;
	}
	heap_put(gw, pos, idx);
}

static void heap_down(struct gw *gw, uint32_t pos)
{
	uint32_t idx = gw->heap[pos];

	for (;;) {
		uint32_t kid = 2 * pos + 1;

		if (kid >= gw->heap_n)
			break;
		if (kid + 1 < gw->heap_n && gw->stub[gw->heap[kid + 1]].due_ms < gw->stub[gw->heap[kid]].due_ms)
			kid++;
		if (gw->stub[gw->heap[kid]].due_ms >= gw->stub[idx].due_ms)
			break;
		heap_put(gw, pos, gw->heap[kid]);
		pos = kid;
	}
	heap_put(gw, pos, idx);
}

static void heap_remove(struct gw *gw, struct stub *s)
{
	uint32_t pos = s->heap_pos;

	if (pos == STUB_OFF_HEAP)
		return;
	s->heap_pos = STUB_OFF_HEAP;
	if (pos != --gw->heap_n) {
		uint32_t moved = gw->heap[gw->heap_n];

		heap_put(gw, pos, moved);
		heap_up(gw, pos);
		heap_down(gw, gw->stub[moved].heap_pos);
	}
}

void stub_due(struct gw *gw, struct stub *s, int64_t due_ms)
{
	s->due_ms = due_ms;
	s->held = false;
	if (due_ms == INT64_MAX) {
		heap_remove(gw, s);
	} else if (s->heap_pos == STUB_OFF_HEAP) {
		heap_put(gw, gw->heap_n, (uint32_t)(s - gw->stub));
		heap_up(gw, gw->heap_n++);
	} else {
		heap_up(gw, s->heap_pos);
		heap_down(gw, s->heap_pos);
	}
}

void stub_remove(struct gw *gw, uint64_t card)
{
	uint32_t *link = &gw->stub_hash[hash_u64(card) & gw->stub_hash_mask];

	while (*link && gw->stub[*link].card != card)
		link = &gw->stub[*link].hash_next;
	if (*link) {
		uint32_t i = *link;

		heap_remove(gw, &gw->stub[i]);
		*link = gw->stub[i].hash_next;
		gw->stub[i] = (struct stub){ .hash_next = gw->stub_free, .heap_pos = STUB_OFF_HEAP };
		gw->stub_free = i;
		gw->open--;
	}
}

struct stub *wheel_top(struct gw *gw)
{
	return gw->heap_n ? &gw->stub[gw->heap[0]] : NULL;
}

void wheel_release_held(struct gw *gw, unsigned campaign)
{
	for (unsigned i = 1; i <= gw->cfg.limits.open_max; i++) {
		struct stub *s = &gw->stub[i];

		if (s->card && s->held && s->campaign == campaign)
			stub_due(gw, s, s->due_ms == INT64_MAX ? gw->now_ms : s->due_ms);
	}
}
