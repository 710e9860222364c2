/* wr.h - a writer that remembers overflow: write on, ask once.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A view on the caller's buffer; never grows.  Once something did not fit, nothing more is written and `bad` stays set.
 */
#ifndef OTA_WR_H
#define OTA_WR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wr {
	uint8_t *start, *p, *end;
	bool bad;
};

static inline struct wr wr_init(uint8_t *p, size_t cap)
{
	return (struct wr){ .start = p, .p = p, .end = p + cap };
}

static inline size_t wr_len(const struct wr *w)
{
	return (size_t)(w->p - w->start);
}

/* Room for n octets, to be filled by the caller; NULL (and bad) when there is none. */
static inline uint8_t *wr_room(struct wr *w, size_t n)
{
	uint8_t *p = w->p;

	if (w->bad || n > (size_t)(w->end - w->p)) {
		w->bad = true;
		return NULL;
	}
	w->p += n;
	return p;
}

static inline void wr_bytes(struct wr *w, const void *src, size_t n)
{
	uint8_t *p = wr_room(w, n);

	if (p && n)
		memcpy(p, src, n);
}

static inline void wr_fill(struct wr *w, uint8_t v, size_t n)
{
	uint8_t *p = wr_room(w, n);

	if (p)
		memset(p, v, n);
}

/* The low n <= 8 octets of v, big-endian. */
static inline void wr_be(struct wr *w, uint64_t v, size_t n)
{
	uint8_t *p = wr_room(w, n);

	for (size_t i = 0; p && i < n; i++)
		p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
	wr_be(w, v, 1);
}

#endif
