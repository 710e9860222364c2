/* des_slice.c - triple DES over many messages at once, in vectors of 128 bits; and which width this processor has.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * OpenSSL takes one message after the other, 7 us for a packet and its checksum; a campaign has many, each under keys of its own,
 * and side by side they take 0.6 to 2 us each.  Few are left to OpenSSL, and what comes out here is compared with what it says
 * when the keystore is opened.
 */
#define DES_SLICE_WORDS 2
#define DES_SLICE_NAME	des_slice_128
#include "ks_int.h"

#include "des_slice_int.h"
#include "des_slice_run.h"

static bool wide(void)
{
#ifdef KS_DES_SLICE_AVX2
	return __builtin_cpu_supports("avx2");
#else
	return false;
#endif
}

unsigned des_slice_lanes(void)
{
	return wide() ? DES_SLICE_MAX : DES_SLICE_MAX / 2;
}

void des_slice_run(struct des_slice_work *w, const struct des_slice_lane *lane, unsigned n, bool last_only)
{
	if (n > DES_SLICE_MAX / 2)
		des_slice_256(w, lane, n, last_only);
	else
		des_slice_128(w, lane, n, last_only);
	ks_wipe(w, sizeof(*w));
}
