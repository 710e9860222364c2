/* counter.c - CNTR: taken once, durable with the packet that carries it, never lowered.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * TS 102 225, 5.1.4: with counter mode 10 a card accepts any value higher than its own, so gaps cost nothing but the
 * 40-bit space.  The row's cntr is the last value taken; it goes into the same transaction as the packet.
 */
#include "gw_int.h"

uint64_t counter_take(struct keyset_row *k, uint64_t extra)
{
	/* OTA_CNTR_MAX itself blocks the card (status 04): it is never sent */
	if (k->cntr + 1 + extra >= OTA_CNTR_MAX)
		return 0;
	k->cntr += 1 + extra;
	return k->cntr;
}

void counter_prove(struct keyset_row *k, uint64_t cntr)
{
	if (cntr > k->cntr_proven)
		k->cntr_proven = cntr;
}

/* How far a probe jumps when the card says "counter low" to one before it: bounded, because such an answer is not
 * authenticated and must not drive the counter to its end. */
uint64_t counter_jump(unsigned tries)
{
	static const uint64_t step[] = { 0, 16, 256, 4096 };

	return tries < ARRAY_SIZE(step) ? step[tries] : 0;
}
