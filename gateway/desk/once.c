/* once.c - numbers that must not come twice in a list: each is held against all before it, and found again.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A list may have a million of them, and comes in pieces, a turn of the loop for each: so nothing is sorted at the end.  Ten octets each
 * as they come, and a table of places that is never more than half full.  Whoever sends a list does not know where the table lies.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "desk_int.h"
#include "once.h"

#define ONCE_LEN   (ONCE_DIGITS_MAX / 2) /* BCD, F-filled */
#define ONCE_FIRST 1024			 /* places */

struct once {
	size_t n, cap;
	uint8_t (*v)[ONCE_LEN];
	uint32_t *slot; /* 2 * cap; place + 1, 0: free */
};

struct once *once_new(void)
{
	return calloc(1, sizeof(struct once));
}

void once_free(struct once *o)
{
	if (o) {
		free(o->v);
		free(o->slot);
	}
	free(o);
}

static void pack(const char *digits, uint8_t v[ONCE_LEN])
{
	memset(v, 0xff, ONCE_LEN);
	for (unsigned i = 0; i < ONCE_DIGITS_MAX && digits[i]; i++) {
		unsigned shift = i % 2 ? 0 : 4;

		v[i / 2] = (uint8_t)((v[i / 2] & ~(0xfu << shift)) | (digits[i] & 0xfu) << shift);
	}
}

static size_t first_slot(const struct once *o, const uint8_t v[ONCE_LEN])
{
	uint64_t a, h = (uintptr_t)o * UINT64_C(0x9e3779b97f4a7c15);

	memcpy(&a, v + ONCE_LEN - sizeof(a), sizeof(a));
	h = (h ^ a) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ h >> 33 ^ v[0] ^ (uint64_t)v[1] << 8) * UINT64_C(0xc4ceb9fe1a85ec53);
	return (size_t)(h >> 33) & (2 * o->cap - 1);
}

/* Where it stands, or would. */
static uint32_t *slot_of(const struct once *o, const uint8_t v[ONCE_LEN])
{
	size_t at = first_slot(o, v);

	while (o->slot[at] && memcmp(o->v[o->slot[at] - 1], v, ONCE_LEN))
		at = (at + 1) & (2 * o->cap - 1);
	return &o->slot[at];
}

static bool grow(struct once *o)
{
	const size_t cap = o->cap ? 2 * o->cap : ONCE_FIRST;
	uint32_t *slot = cap < UINT32_MAX / 2 ? calloc(2 * cap, sizeof(*slot)) : NULL;
	void *more = slot ? realloc(o->v, cap * ONCE_LEN) : NULL;

	if (!more) {
		free(slot);
		return false;
	}
	free(o->slot);
	o->v = more;
	o->slot = slot;
	o->cap = cap;
	for (size_t i = 0; i < o->n; i++)
		*slot_of(o, o->v[i]) = (uint32_t)i + 1;
	return true;
}

int once_add(struct once *o, const char *digits)
{
	uint8_t v[ONCE_LEN];
	uint32_t *slot;

	if (o->n == o->cap && !grow(o))
		return -ENOMEM;
	pack(digits, v);
	slot = slot_of(o, v);
	if (*slot)
		return 1;
	memcpy(o->v[o->n], v, ONCE_LEN);
	*slot = (uint32_t)++o->n;
	return 0;
}

size_t once_n(const struct once *o)
{
	return o->n;
}

size_t once_find(const struct once *o, const char *digits)
{
	uint8_t v[ONCE_LEN];

	if (!o->n)
		return ONCE_NONE;
	pack(digits, v);
	return (size_t)*slot_of(o, v) - 1;
}

void once_at(const struct once *o, size_t i, char digits[ONCE_DIGITS_MAX + 1])
{
	unsigned k = 0;

	for (; k < ONCE_DIGITS_MAX; k++) {
		unsigned digit = o->v[i][k / 2] >> (k % 2 ? 0 : 4) & 0xf;

		if (digit > 9)
			break;
		digits[k] = (char)('0' + digit);
	}
	digits[k] = '\0';
}

int once_in(struct desk_in *in, struct once *o, const char *what, const char *digits, struct desk_no *no)
{
	char rule[16];
	int rc = once_add(o, digits);

	if (rc < 0)
		return desk_refuse(no, "memory", "no memory for %" PRIu64 " records: send it again", in->head->records);
	if (!rc)
		return 0;
	snprintf(rule, sizeof(rule), "%.8s-twice", what);
	for (char *c = rule; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return desk_refuse(no, rule, "%s %s is in it twice", what, digits);
}
