/* des_slice.h - triple DES in CBC mode under many keys at once.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef KS_DES_SLICE_H
#define KS_DES_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DES_SLICE_MAX 256 /* messages side by side, at most */
#define DES_SLICE_MIN 24  /* fewer are faster one after the other */

/* One message of its own length under its own key, enciphered in place with IV 0. */
struct des_slice_lane {
	const uint8_t *key; /* 16 octets, or 24 */
	bool three;	    /* 24 */
	uint8_t *buf;
	size_t blocks; /* of 8 octets, at least 1 */
};

/* Working memory: keys stand in it, bit by bit, until des_slice_run() returns, which wipes it. */
struct des_slice_work {
	uint64_t key[3][64][DES_SLICE_MAX / 64];
	uint64_t x[64][DES_SLICE_MAX / 64], chain[64][DES_SLICE_MAX / 64];
	uint64_t half[2][32][DES_SLICE_MAX / 64];
	uint8_t place[16][48];
} __attribute__((aligned(64)));

/* How many messages this processor takes side by side.  A run costs the same for 1 and for 128 of them, and for 129 and more. */
unsigned des_slice_lanes(void);
/* n <= des_slice_lanes().  last_only: of each message the last block alone is written (CBC-MAC). */
void des_slice_run(struct des_slice_work *w, const struct des_slice_lane *lane, unsigned n, bool last_only);

#endif
