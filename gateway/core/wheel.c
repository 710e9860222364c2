/* wheel.c - one stub per card with a command under way, ordered by when it is due.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A binary heap of pool indexes with back references: earlier, later and gone are O(log n) and exact, so that a wake by
 * presence needs no second entry and a timer never fires for something that has moved on.
 */
#include <stdlib.h>

#include "gw_int.h"

/* All of the three are as long as the limit says, but a page of them is memory only once it has been written to: stubs are
 * taken from the low end, and the hash grows by one bucket for each stub that was never used before. */
int wheel_init(struct gw *gw)
{
	size_t n = (size_t)gw->cfg.limits.open_max + 1; /* index 0 means none */

	gw->stub = calloc(n, sizeof(*gw->stub));
	gw->heap = calloc(n, sizeof(*gw->heap));
	gw->stub_hash = calloc(n, sizeof(*gw->stub_hash));
	if (!gw->stub || !gw->heap || !gw->stub_hash)
		return -ENOMEM;
	gw->stub_buckets = 1;
	return 0;
}

static uint32_t *bucket_of(struct gw *gw, uint64_t card)
{
	uint32_t h = (uint32_t)hash_u64(card) & gw->stub_hash_mask;

	/* linear hashing: what belongs to a bucket that is not there yet is in the one it will be split from */
	return &gw->stub_hash[h < gw->stub_buckets ? h : h & gw->stub_hash_mask >> 1];
}

/* One more bucket, filled from the one it is split from: no insertion ever moves more than one chain. */
static void bucket_add(struct gw *gw)
{
	uint32_t fresh = gw->stub_buckets++;
	uint32_t *link, *to = &gw->stub_hash[fresh];

	if (fresh > gw->stub_hash_mask)
		gw->stub_hash_mask = 2 * gw->stub_hash_mask + 1;
	link = &gw->stub_hash[fresh & gw->stub_hash_mask >> 1];
	while (*link) {
		struct stub *s = &gw->stub[*link];

		if (bucket_of(gw, s->card) == &gw->stub_hash[fresh]) {
			*to = *link;
			to = &s->hash_next;
			*link = s->hash_next;
		} else {
			link = &s->hash_next;
		}
	}
	*to = 0;
}

struct stub *stub_find(struct gw *gw, uint64_t card)
{
	uint32_t i = *bucket_of(gw, card);

	while (i && gw->stub[i].card != card)
		i = gw->stub[i].hash_next;
	return i ? &gw->stub[i] : NULL;
}

/* A stub that was given back, else the next one that was never used; 0: none left. */
static uint32_t stub_take(struct gw *gw)
{
	uint32_t i = gw->stub_free;

	if (i) {
		gw->stub_free = gw->stub[i].hash_next;
	} else if (gw->stub_high < gw->cfg.limits.open_max) {
		i = ++gw->stub_high;
		if (i > 1)
			bucket_add(gw);
	}
	return i;
}

struct stub *stub_add(struct gw *gw, uint64_t card)
{
	struct stub *s = stub_find(gw, card);
	uint32_t i, *bucket;

	if (s)
		return s;
	i = stub_take(gw);
	if (!i)
		return NULL;
	s = &gw->stub[i];
	bucket = bucket_of(gw, card);
	*s = (struct stub){ .card = card,
			    .due_ms = INT64_MAX,
			    .heap_pos = STUB_OFF_HEAP,
			    .hash_next = *bucket,
			    .route = ROUTE_UNKNOWN };
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

void stub_ahead(struct gw *gw, struct stub *s, bool ahead)
{
	if (s->ahead == ahead)
		return;
	s->ahead = ahead;
	if (ahead)
		gw->campaign[s->campaign].ahead++;
	else
		gw->campaign[s->campaign].ahead--;
}

void stub_remove(struct gw *gw, uint64_t card)
{
	uint32_t *link = bucket_of(gw, card);

	while (*link && gw->stub[*link].card != card)
		link = &gw->stub[*link].hash_next;
	if (*link) {
		uint32_t i = *link;

		heap_remove(gw, &gw->stub[i]);
		stub_ahead(gw, &gw->stub[i], false);
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
	for (uint32_t i = 1; i <= gw->stub_high; i++) {
		struct stub *s = &gw->stub[i];

		if (s->card && s->held && s->campaign == campaign)
			stub_due(gw, s, s->due_ms == INT64_MAX ? gw->now_ms : s->due_ms);
	}
}
