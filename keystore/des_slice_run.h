/* des_slice_run.h - the body of des_slice.c, for vectors of DES_SLICE_WORDS words; included once for each width.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Bit b of all messages stands side by side in one vector, and DES is computed with these as with single bits: no table is
 * looked into, so that neither time nor cache tells of a key.  Bits are counted as FIPS 46-3 does, from 0.
 */
#include <string.h>

#include "des_slice.h"

typedef uint64_t V __attribute__((vector_size(8 * DES_SLICE_WORDS)));

#define ONES (~(V){ 0 })
#include "des_sbox.h"

#define BITS 64

static const uint8_t ip[BITS] = { 57, 49, 41, 33, 25, 17, 9,  1, 59, 51, 43, 35, 27, 19, 11, 3,
				  61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7,
				  56, 48, 40, 32, 24, 16, 8,  0, 58, 50, 42, 34, 26, 18, 10, 2,
				  60, 52, 44, 36, 28, 20, 12, 4, 62, 54, 46, 38, 30, 22, 14, 6 };
static const uint8_t pc1[56] = { 56, 48, 40, 32, 24, 16, 8,  0,	 57, 49, 41, 33, 25, 17, 9,  1,	 58, 50, 42,
				 34, 26, 18, 10, 2,  59, 51, 43, 35, 62, 54, 46, 38, 30, 22, 14, 6,  61, 53,
				 45, 37, 29, 21, 13, 5,	 60, 52, 44, 36, 28, 20, 12, 4,	 27, 19, 11, 3 };
static const uint8_t pc2[48] = { 13, 16, 10, 23, 0,  4,	 2,  27, 14, 5,	 20, 9,	 22, 18, 11, 3,
				 25, 7,	 15, 6,	 26, 19, 12, 1,	 40, 51, 30, 36, 46, 54, 29, 39,
				 50, 44, 32, 47, 43, 48, 38, 55, 33, 52, 45, 41, 49, 35, 28, 31 };
static const uint8_t turns[16] = { 1, 2, 4, 6, 8, 10, 12, 14, 15, 17, 19, 21, 23, 25, 27, 28 };

/* Which bit of the key goes into which place of which round. */
static void places_make(uint8_t place[16][48])
{
	for (unsigned r = 0; r < 16; r++)
		for (unsigned i = 0; i < 48; i++) {
			unsigned p = pc2[i], half = p < 28 ? 0 : 28;

			place[r][i] = pc1[half + (p - half + turns[r]) % 28];
		}
}

/* Rows and columns change places, in each word for itself: messages become bits, or bits messages. */
static void turn(V *m)
{
	uint64_t mask = 0x00000000ffffffffULL;

	for (unsigned j = 32; j; j >>= 1, mask ^= mask << j)
		for (unsigned k = 0; k < BITS; k = ((k | j) + 1) & ~j) {
			V t = (m[k] ^ (m[k | j] >> j)) & mask;

			m[k] ^= t;
			m[k | j] ^= t << j;
		}
}

/* Of eight octets as a number, first octet first, and back. */
static uint64_t be64(uint64_t v)
{
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(v) : v;
}

static void message_set(V *m, unsigned lane, const uint8_t *in)
{
	uint64_t v;

	memcpy(&v, in, sizeof(v));
	m[lane & 63][lane >> 6] = be64(v);
}

static void message_get(const V *m, unsigned lane, uint8_t *out)
{
	uint64_t v = be64(m[lane & 63][lane >> 6]);

	memcpy(out, &v, sizeof(v));
}

/* l ^= f(r, key of the round). */
static inline __attribute__((always_inline)) void round_half(V *l, const V *r, const V *k, const uint8_t *at)
{
#define IN(i, b) (r[b] ^ k[at[i]])
#define BOX(n, i, a, b, c, d, e, f, w, x, y, z)                                                                       \
	sbox_##n(IN(i, a), IN(i + 1, b), IN(i + 2, c), IN(i + 3, d), IN(i + 4, e), IN(i + 5, f), &l[w], &l[x], &l[y], \
		 &l[z])
	BOX(1, 0, 31, 0, 1, 2, 3, 4, 8, 16, 22, 30);
	BOX(2, 6, 3, 4, 5, 6, 7, 8, 12, 27, 1, 17);
	BOX(3, 12, 7, 8, 9, 10, 11, 12, 23, 15, 29, 5);
	BOX(4, 18, 11, 12, 13, 14, 15, 16, 25, 19, 9, 0);
	BOX(5, 24, 15, 16, 17, 18, 19, 20, 7, 13, 24, 2);
	BOX(6, 30, 19, 20, 21, 22, 23, 24, 3, 28, 10, 18);
	BOX(7, 36, 23, 24, 25, 26, 27, 28, 31, 11, 21, 6);
	BOX(8, 42, 27, 28, 29, 30, 31, 0, 4, 26, 14, 20);
#undef BOX
#undef IN
}

static __attribute__((noinline)) void des(V *l, V *r, const V *k, const uint8_t place[16][48], bool back)
{
	for (unsigned i = 0; i < 16; i += 2) {
		round_half(l, r, k, place[back ? 15 - i : i]);
		round_half(r, l, k, place[back ? 14 - i : i + 1]);
	}
}

/* Enciphers, deciphers under the second key, enciphers: what the permutations do in between cancels out. */
static void ede(struct des_slice_work *w)
{
	V *x = (V *)(void *)w->x, *l = (V *)(void *)w->half[0], *r = (V *)(void *)w->half[1];

	for (unsigned i = 0; i < 32; i++) {
		l[i] = x[ip[i]];
		r[i] = x[ip[32 + i]];
	}
	des(l, r, (V *)(void *)w->key[0], w->place, false);
	des(r, l, (V *)(void *)w->key[1], w->place, true);
	des(l, r, (V *)(void *)w->key[2], w->place, false);
	for (unsigned i = 0; i < 32; i++) {
		x[ip[i]] = r[i];
		x[ip[32 + i]] = l[i];
	}
}

static void keys_set(struct des_slice_work *w, const struct des_slice_lane *lane, unsigned n)
{
	places_make(w->place);
	for (unsigned which = 0; which < 3; which++) {
		V *k = (V *)(void *)w->key[which];

		memset(k, 0, BITS * sizeof(*k));
		for (unsigned i = 0; i < n; i++)
			message_set(k, i, lane[i].key + (which == 2 && !lane[i].three ? 0 : 8 * which));
		turn(k);
	}
}

void DES_SLICE_NAME(struct des_slice_work *w, const struct des_slice_lane *lane, unsigned n, bool last_only)
{
	V *x = (V *)(void *)w->x, *chain = (V *)(void *)w->chain;
	size_t most = 0;

	keys_set(w, lane, n);
	for (unsigned i = 0; i < n; i++)
		most = lane[i].blocks > most ? lane[i].blocks : most;
	memset(chain, 0, BITS * sizeof(*chain));
	for (size_t b = 0; b < most; b++) {
		bool wanted = !last_only;

		memset(x, 0, BITS * sizeof(*x));
		for (unsigned i = 0; i < n; i++) {
			if (b < lane[i].blocks)
				message_set(x, i, lane[i].buf + 8 * b);
			wanted |= b + 1 == lane[i].blocks;
		}
		turn(x);
		for (unsigned i = 0; i < BITS; i++)
			x[i] ^= chain[i];
		ede(w);
		memcpy(chain, x, BITS * sizeof(*chain));
		if (!wanted)
			continue;
		turn(x);
		for (unsigned i = 0; i < n; i++)
			if (b + 1 == lane[i].blocks || (!last_only && b < lane[i].blocks))
				message_get(x, i, lane[i].buf + 8 * b);
	}
}
