/* counter.c - CNTR: taken once, durable with the packet that carries it, never lowered.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * TS 102 225, 5.1.4: with counter mode 10 a card accepts any value higher than its own, so gaps cost nothing but the
 * 40-bit space.  The row's cntr is the last value taken; it goes into the same transaction as the packet.
 *
 * A store put back from a backup does not know what was taken since.  The epoch says when that has happened: UTC seconds,
 * growing with each restore.  The first value a keyset gives in a new epoch lies beyond all that can have been taken
 * between the two, and nothing that was proven before counts any more.
 */
#include "gw_int.h"

bool counter_owned(const struct keyset_row *k, uint32_t epoch)
{
	return k->epoch >= epoch;
}

/* What may have been taken while the store forgot. */
static uint64_t restore_gap(const struct keyset_row *k, uint32_t epoch)
{
	return counter_owned(k, epoch) ? 0 : CNTR_RESTORE_GAP + (uint64_t)CNTR_RESTORE_PER_S * (epoch - k->epoch);
}

uint64_t counter_take(struct keyset_row *k, uint64_t extra, uint32_t epoch)
{
	uint64_t next = k->cntr + 1 + extra + restore_gap(k, epoch);

	/* OTA_CNTR_MAX itself blocks the card (status 04): it is never sent */
	if (next >= OTA_CNTR_MAX)
		return 0;
	if (!counter_owned(k, epoch)) {
		k->epoch = epoch;
		k->cntr_proven = 0;
	}
	k->cntr = next;
	return next;
}

void counter_prove(struct keyset_row *k, uint64_t cntr)
{
	if (cntr > k->cntr_proven)
		k->cntr_proven = cntr;
}

/* How far a probe jumps when the card says "counter low" to one before it: bounded, because such an answer is not
 * authenticated and must not drive the counter to its end. */
static const uint64_t step[] = { 0, 16, 256, CNTR_JUMP_MAX };

uint64_t counter_jump(unsigned tries)
{
	return tries < ARRAY_SIZE(step) ? step[tries] : 0;
}

bool counter_own_step(uint64_t from, uint64_t to)
{
	for (unsigned i = 0; i < ARRAY_SIZE(step); i++)
		if (to == from + 1 + step[i])
			return true;
	return false;
}
