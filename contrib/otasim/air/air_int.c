/* air_int.c - the air's generator, event queue, message pool and subscriber book.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "air_int.h"

#include <stdlib.h>
#include <string.h>

uint64_t sim_rng_next(struct sim_rng *r)
{
	uint64_t z = r->s += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

int64_t sim_rng_range(struct sim_rng *r, struct sim_range range)
{
	uint64_t v = sim_rng_next(r); /* always one draw */

	if (range.hi <= range.lo)
		return range.lo;
	return range.lo + (int64_t)(v % (uint64_t)(range.hi - range.lo + 1));
}

bool sim_rng_chance(struct sim_rng *r, uint32_t ppm)
{
	return sim_rng_next(r) % SIM_PPM < ppm;
}

/* ---- queue: a binary heap by time, then by order of creation ---- */

static bool before(const struct ev *a, const struct ev *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

bool queue_push(struct queue *q, struct ev e)
{
	size_t i = q->n;

	if (q->n == q->cap) {
		size_t cap = q->cap ? 2 * q->cap : 256;
		struct ev *h = realloc(q->heap, cap * sizeof(*h));

		if (!h)
			return false;
		q->heap = h;
		q->cap = cap;
	}
	e.order = q->order++;
	q->n++;
	while (i > 0 && before(&e, &q->heap[(i - 1) / 2])) {
		q->heap[i] = q->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	q->heap[i] = e;
	return true;
}

struct ev queue_pop(struct queue *q)
{
	struct ev top = q->heap[0], last = q->heap[--q->n];
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= q->n)
			break;
		if (child + 1 < q->n && before(&q->heap[child + 1], &q->heap[child]))
			child++;
		if (!before(&q->heap[child], &last))
			break;
		q->heap[i] = q->heap[child];
		i = child;
	}
	q->heap[i] = last;
	return top;
}

/* ---- pool ---- */

uint32_t pool_get(struct pool *p)
{
	uint32_t slot = p->free, gen;

	if (slot == NO_SLOT) {
		if (p->n == p->cap) {
			uint32_t cap = p->cap ? 2 * p->cap : 64;
			struct msg *m = realloc(p->m, cap * sizeof(*m));

			if (!m)
				return NO_SLOT;
			p->m = m;
			p->cap = cap;
		}
		slot = p->n++;
		p->m[slot].gen = 0;
	} else {
		p->free = p->m[slot].next;
	}
	gen = p->m[slot].gen + 1;
	memset(&p->m[slot], 0, sizeof(p->m[slot]));
	p->m[slot].gen = gen;
	p->m[slot].used = true;
	p->m[slot].next = NO_SLOT;
	p->used++;
	return slot;
}

void pool_put(struct pool *p, uint32_t slot)
{
	p->m[slot].used = false;
	p->m[slot].next = p->free;
	p->free = slot;
	p->used--;
}

/* ---- book ---- */

/* Decimal digits with a 1 in front, so that leading zeros count; 0: not a number. */
static uint64_t number_key(const char *digits)
{
	uint64_t v = 1;
	size_t n = 0;

	for (; digits[n] >= '0' && digits[n] <= '9' && n < 18; n++)
		v = 10 * v + (uint64_t)(digits[n] - '0');
	return n && !digits[n] ? v : 0;
}

static size_t probe(const struct book *b, uint64_t key)
{
	size_t i = (size_t)(key * 0x9e3779b97f4a7c15u >> 20) & (b->cap - 1);

	while (b->slot[i].key && b->slot[i].key != key)
		i = (i + 1) & (b->cap - 1);
	return i;
}

static bool book_grow(struct book *b)
{
	struct book big = { .cap = b->cap ? 2 * b->cap : 256 };

	big.slot = calloc(big.cap, sizeof(*big.slot));
	if (!big.slot)
		return false;
	for (size_t i = 0; i < b->cap; i++) {
		if (b->slot[i].key)
			big.slot[probe(&big, b->slot[i].key)] = b->slot[i];
	}
	big.n = b->n;
	free(b->slot);
	*b = big;
	return true;
}

bool book_add(struct book *b, const char *digits, uint32_t card)
{
	uint64_t key = number_key(digits);
	size_t i;

	if (!key)
		return false;
	if (2 * b->n >= b->cap && !book_grow(b))
		return false;
	i = probe(b, key);
	if (!b->slot[i].key)
		b->n++;
	b->slot[i].key = key;
	b->slot[i].card = card;
	return true;
}

int64_t book_find(const struct book *b, const char *digits)
{
	uint64_t key = number_key(digits);
	size_t i;

	if (!key || !b->cap)
		return -1;
	i = probe(b, key);
	return b->slot[i].key ? (int64_t)b->slot[i].card : -1;
}
