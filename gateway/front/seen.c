/* seen.c - which number stood on which line: duplicates within a list, over all its chunks.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Open addressing with linear probing.  Keys are exact, not hashes: a collision would reject an innocent line.
 */
#include "seen.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SEEN_CAP_MIN 1024

void seen_init(struct seen *s, uint64_t seed)
{
	*s = (struct seen){ .seed = seed };
}

void seen_free(struct seen *s)
{
	free(s->slot);
	*s = (struct seen){ .seed = s->seed };
}

static struct seen_slot key_of(const char *digits)
{
	unsigned __int128 v = 1;

	for (size_t i = 0; digits[i] && i < SEEN_DIGITS_MAX; i++)
		v = v * 10 + (unsigned)(digits[i] - '0');
	return (struct seen_slot){ .lo = (uint64_t)v, .hi = (uint64_t)(v >> 64) };
}

static size_t home(const struct seen *s, const struct seen_slot *k)
{
	uint64_t h = (k->lo ^ s->seed) * 0x9e3779b97f4a7c15ULL;

	h = (h ^ (h >> 29) ^ k->hi) * 0xbf58476d1ce4e5b9ULL;
	return (size_t)(h ^ (h >> 32)) & (s->cap - 1);
}

/* Where the key stands, or the free place where it would. */
static size_t find(const struct seen *s, const struct seen_slot *k)
{
	size_t i = home(s, k);

	while (s->slot[i].lo | s->slot[i].hi) {
		if (s->slot[i].lo == k->lo && s->slot[i].hi == k->hi)
			break;
		i = (i + 1) & (s->cap - 1);
	}
	return i;
}

uint64_t seen_line(const struct seen *s, const char *digits)
{
	struct seen_slot k = key_of(digits);

	return s->cap ? s->slot[find(s, &k)].line : 0;
}

static int grow(struct seen *s)
{
	struct seen to = { .cap = s->cap ? s->cap * 2 : SEEN_CAP_MIN, .seed = s->seed, .n = s->n };

	to.slot = calloc(to.cap, sizeof(*to.slot));
	if (!to.slot)
		return -1;
	for (size_t i = 0; i < s->cap; i++) {
		if (s->slot[i].lo | s->slot[i].hi)
			to.slot[find(&to, &s->slot[i])] = s->slot[i];
	}
	free(s->slot);
	*s = to;
	return 0;
}

int seen_add(struct seen *s, const char *digits, uint64_t line)
{
	struct seen_slot k = key_of(digits);
	size_t i;

	if ((s->n + 1) * 2 > s->cap && grow(s))
		return -1;
	i = find(s, &k);
	s->n += !s->slot[i].lo && !s->slot[i].hi;
	k.line = line;
	s->slot[i] = k;
	return 0;
}

void seen_drop(struct seen *s, const char *digits, uint64_t line)
{
	struct seen_slot k = key_of(digits);
	size_t i, j;

	if (!s->cap)
		return;
	i = find(s, &k);
	if (s->slot[i].line != line || !(s->slot[i].lo | s->slot[i].hi))
		return;
	/* shift back what probed over this place (Knuth 6.4, algorithm R) */
	for (j = (i + 1) & (s->cap - 1); s->slot[j].lo | s->slot[j].hi; j = (j + 1) & (s->cap - 1)) {
		size_t h = home(s, &s->slot[j]);
		bool between = i < j ? h > i && h <= j : h > i || h <= j;

		if (!between) {
			s->slot[i] = s->slot[j];
			i = j;
		}
	}
	s->slot[i] = (struct seen_slot){ 0 };
	s->n--;
}
