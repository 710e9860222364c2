/* rd.h - a reader that remembers failure: read on, ask once.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A view, owns nothing.  Past the end every read gives 0 and `bad` stays set.  A length field becomes a smaller reader
 * (rd_sub), so that no inner field can reach beyond it.
 */
#ifndef OTA_RD_H
#define OTA_RD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rd {
	const uint8_t *p, *end;
	bool bad;
};

static inline struct rd rd_init(const uint8_t *p, size_t len)
{
	return (struct rd){ .p = p, .end = p ? p + len : p };
}

static inline size_t rd_left(const struct rd *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->p);
}

/* n octets in place, or NULL (and bad) when there are fewer. */
static inline const uint8_t *rd_bytes(struct rd *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->bad || n > (size_t)(r->end - r->p)) {
		r->bad = true;
		return NULL;
	}
	r->p += n;
	return p;
}

/* Big-endian number of n <= 8 octets; 0 when bad. */
static inline uint64_t rd_be(struct rd *r, size_t n)
{
	const uint8_t *p = rd_bytes(r, n);
	uint64_t v = 0;

	for (size_t i = 0; p && i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static inline uint8_t rd_u8(struct rd *r)
{
	return (uint8_t)rd_be(r, 1);
}

/* The next n octets as a reader of their own; bad when there are fewer. */
static inline struct rd rd_sub(struct rd *r, size_t n)
{
	const uint8_t *p = rd_bytes(r, n);

	return p ? rd_init(p, n) : (struct rd){ .bad = true };
}

#endif
