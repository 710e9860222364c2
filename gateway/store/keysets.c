/* keysets.c - what the import of a known card does to its keysets: one rule for all backends.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A counter belongs to keys, and a generation names them: (card, kvn, generation).  An import says which keys a card holds
 * and how far their counter has been spent by others:
 *
 *	the generation that is known	the counter rises to the received one, never falls; other keys are refused
 *	a higher one			new keys: they, their algorithms and their counter take the place of the old
 *	a lower one			an old list: refused, the card would be addressed with keys it has lost
 *	a version that is not known	one more keyset
 *
 * Sealing gives the same record for the same keys of the same card and version (keystore/ks_seal.c), so records that differ
 * are other keys.  The same keys under a higher generation keep their counter, and the commands that went out under them: a
 * card that has met a value refuses it, and answers for it, whatever we call its keys.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store.h"

bool store_keysets_ok(const struct store_card_insert *in)
{
	if (in->n_keysets > CARD_KEYSETS_MAX)
		return false;
	for (unsigned i = 0; i < in->n_keysets; i++) {
		const struct keyset_row *k = &in->keyset[i];

		if (!k->kvn || k->kvn > KVN_MAX || k->sealed_len > KS_SEALED_MAX)
			return false;
		for (unsigned j = 0; j < i; j++)
			if (in->keyset[j].kvn == k->kvn)
				return false;
	}
	return true;
}

bool store_keysets_same(const struct keyset_row *a, const struct keyset_row *b)
{
	return a->kic_alg == b->kic_alg && a->kid_alg == b->kid_alg && a->cc_len == b->cc_len &&
	       a->sealed_len == b->sealed_len && !memcmp(a->sealed, b->sealed, a->sealed_len);
}

bool store_keysets_renamed(const struct keyset_row *own, const struct keyset_row *now)
{
	return own->kvn == now->kvn && own->generation != now->generation && store_keysets_same(own, now);
}

/* One that is known: *now is what it becomes. */
static int16_t merge_one(const struct keyset_row *own, const struct keyset_row *in, struct keyset_row *now,
			 uint8_t *change)
{
	if (in->generation < own->generation)
		return STORE_R_OLD_GENERATION;
	if (in->generation > own->generation) {
		*now = *in;
		now->card = own->card;
		now->cntr_proven = 0;
		if (store_keysets_same(own, in)) {
			now->cntr = own->cntr > in->cntr ? own->cntr : in->cntr;
			/* whether we know what was taken of it, a new name does not change */
			now->epoch = own->epoch;
		}
		*change = KEYSET_REPLACED;
		return 0;
	}
	if (!store_keysets_same(own, in))
		return STORE_R_OTHER_KEYS;
	*now = *own;
	*change = KEYSET_KEPT;
	if (in->cntr > own->cntr) {
		/* Others have spent values between: what we have seen proven says no more who took one of those.  The epoch
		 * stays: a list may be as old as the backup that was put back. */
		now->cntr = in->cntr;
		now->cntr_proven = 0;
		*change = KEYSET_RAISED;
	}
	return 0;
}

int16_t store_keysets_merge(const struct keyset_row *own, unsigned n_own, struct store_card_insert *in,
			    struct keyset_row now[CARD_KEYSETS_MAX])
{
	unsigned all = n_own;
	bool updated = false;

	for (unsigned i = 0; i < in->n_keysets; i++) {
		const struct keyset_row *k = &in->keyset[i];
		int16_t rc = 0;
		unsigned o;

		for (o = 0; o < n_own && own[o].kvn != k->kvn; o++)
			;
		if (o < n_own) {
			rc = merge_one(&own[o], k, &now[i], &in->change[i]);
		} else {
			now[i] = *k;
			now[i].card = in->card.id;
			in->change[i] = KEYSET_NEW;
			if (++all > CARD_KEYSETS_MAX)
				rc = STORE_R_KEYSETS_FULL;
		}
		if (rc) {
			in->refused_kvn = k->kvn;
			in->known_generation = o < n_own ? own[o].generation : 0;
			return rc;
		}
		updated |= in->change[i] != KEYSET_KEPT;
	}
	return updated ? STORE_R_UPDATED : STORE_R_SAME;
}

bool store_keysets_story(struct story_row *out, const struct store_card_insert *in, unsigned i)
{
	static const char *const what[] = {
		[KEYSET_RAISED] = "its counter has been spent by others",
		[KEYSET_REPLACED] = "replaced",
		[KEYSET_NEW] = "one more key version",
	};
	const struct keyset_row *k = &in->keyset[i];

	memset(out, 0, sizeof(*out));
	if (in->change[i] == KEYSET_KEPT)
		return false;
	out->card = in->card.id;
	out->at_ms = in->card.created_ms;
	out->kind = STORY_NOTE;
	snprintf(out->text, sizeof(out->text),
		 "import: key version %u, generation %" PRIu32 ": %s; last counter %" PRIu64, k->kvn, k->generation,
		 k->sealed_len ? what[in->change[i]] : "its keys are gone, other ones are in force", k->cntr);
	return true;
}

void store_keysets_name(const struct keyset_row *own, unsigned n_own, struct store_card_insert *in)
{
	for (unsigned i = 0; i < in->n_keysets; i++) {
		struct keyset_row *k = &in->keyset[i];
		unsigned o;

		for (o = 0; o < n_own && own[o].kvn != k->kvn; o++)
			;
		if (k->generation)
			continue;
		k->generation = o == n_own ? 1 : own[o].generation + !store_keysets_same(&own[o], k);
	}
}

void store_move_story(struct story_row *out, const struct card_row *now, int64_t at_ms)
{
	*out = (struct story_row){ .card = now->id, .at_ms = at_ms, .kind = STORY_NOTE };
	if (now->gone_ms)
		snprintf(out->text, sizeof(out->text),
			 "left: it belongs to another operator, its keys are removed here");
	else
		snprintf(out->text, sizeof(out->text), "taken over: IMSI %s", now->imsi);
}
