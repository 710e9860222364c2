/* judge.c - what can never be true of a card with the subscription applet.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "judge.h"

#define WINDOW 8 /* octets of a key in a row that are no coincidence */

#define S(x) (1u << SIM_SUB_##x)
/* What may follow at the next look.  A start may do two steps at once. */
static const unsigned next_state[_SIM_SUB_STATES] = {
	[SIM_SUB_IDLE] = S(IDLE) | S(STAGED) | S(ARMED),
	[SIM_SUB_STAGED] = S(STAGED) | S(IDLE) | S(ARMED),
	[SIM_SUB_ARMED] = S(ARMED) | S(TRIAL),
	[SIM_SUB_TRIAL] = S(TRIAL) | S(CONFIRMED) | S(RETURNING) | S(ROLLED_BACK),
	[SIM_SUB_CONFIRMED] = S(CONFIRMED) | S(STAGED) | S(ARMED),
	[SIM_SUB_RETURNING] = S(RETURNING) | S(ROLLED_BACK),
	[SIM_SUB_ROLLED_BACK] = S(ROLLED_BACK) | S(STAGED) | S(ARMED),
};

void judge_init(struct judge *j)
{
	memset(j, 0, sizeof(*j));
}

static bool no(struct judge *j, const char *what, unsigned a, unsigned b)
{
	snprintf(j->why, sizeof(j->why), "%s (%u, %u)", what, a, b);
	return false;
}

static int place_of(const struct sim_sub_rec *r, uint16_t index)
{
	int found = -1;

	for (int i = 0; i < SIM_PAIRS_MAX; i++) {
		if (index && r->place[i] == index)
			found = found < 0 ? i : SIM_PAIRS_MAX; /* twice is as bad as never */
	}
	return found;
}

/* At every instant, with or without power: one record in force, one active pair that is there, each index once. */
static bool one_pair(struct judge *j, const struct sim_sub_nvm *n, const struct sim_sub_rec *r)
{
	static const uint8_t zero[16];
	int p = place_of(r, r->index);

	if (n->current > 1 || r->state >= _SIM_SUB_STATES)
		return no(j, "record in force, or its state, out of range", n->current, r->state);
	if (p < 0 || p >= SIM_PAIRS_MAX)
		return no(j, "not exactly one place holds the active index", r->index, 0);
	if (!memcmp(n->pair[p].k, zero, 16) || n->pair[p].ota.len == 0)
		return no(j, "the active pair has no keys", r->index, (unsigned)p);
	if (r->kvn != 1 && r->kvn != 2)
		return no(j, "the active pair's KVN", r->kvn, 0);
	for (int i = 0; i < SIM_PAIRS_MAX; i++) {
		if (r->place[i] && place_of(r, r->place[i]) != i)
			return no(j, "an index held twice", r->place[i], (unsigned)i);
		if (r->place[i] > r->highest)
			return no(j, "an index above the highest", r->place[i], r->highest);
	}
	return true;
}

static bool moves(struct judge *j, const struct sim_sub_rec *r)
{
	const struct sim_sub_rec *was = &j->rec;
	unsigned i;

	if (!(next_state[was->state] & 1u << r->state))
		return no(j, "state may not follow", was->state, r->state);
	if (r->state == SIM_SUB_TRIAL && was->state != SIM_SUB_TRIAL) {
		if (r->from != was->index || r->to != r->index || memcmp(r->order, was->order, 8))
			return no(j, "a trial that nobody armed", r->from, r->to);
		if (r->from != r->to && r->kvn == was->kvn)
			return no(j, "the new pair in the old slot", r->kvn, was->kvn);
		for (i = 0; i < j->moves && memcmp(j->move[i].order, r->order, 8); i++)
			;
		if (i == JUDGE_MOVES_MAX)
			return no(j, "more orders than the judge can hold", i, 0);
		if (i == j->moves)
			memcpy(j->move[j->moves++].order, r->order, 8);
		if (++j->move[i].times > 1)
			return no(j, "an order moved the card twice", r->order[7], j->move[i].times);
		j->trials++;
		j->before = *was;
		memcpy(j->before_fs, j->fs, sizeof(j->fs));
		return true;
	}
	if (r->state == SIM_SUB_ROLLED_BACK && was->state != SIM_SUB_ROLLED_BACK) {
		j->returns++;
		return (r->index == j->before.index && r->kvn == j->before.kvn) ||
		       no(j, "came back to another pair or slot", r->index, r->kvn);
	}
	if (r->index != was->index)
		return no(j, "index moved outside of an order", was->index, r->index);
	if (r->kvn != was->kvn && !(was->pending.what & SIM_PENDING_OTA))
		return no(j, "slot changed without new keys", was->kvn, r->kvn);
	return true;
}

/* Counters and sequence numbers, torn writes or not: never lower. */
static bool never_back(struct judge *j, const struct sim_sub_nvm *n, const struct sim_sub_rec *r)
{
	for (unsigned i = 0; i < j->pairs; i++) {
		int p = place_of(r, j->pair[i].index);

		if (p < 0)
			continue;
		if (n->pair[p].cntr < j->pair[i].pair.cntr)
			return no(j, "counter went back, index", j->pair[i].index, 0);
		j->pair[i].pair.cntr = n->pair[p].cntr;
		for (unsigned k = 0; k < SIM_SQN_INDS; k++) {
			if (n->pair[p].seq[k] < j->pair[i].pair.seq[k])
				return no(j, "SQN went back, index", j->pair[i].index, k);
			j->pair[i].pair.seq[k] = n->pair[p].seq[k];
		}
	}
	if (n->vault_cntr < j->vault_cntr || n->change_cntr < j->change_cntr)
		return no(j, "counter of KVN 14 or 15 went back", 0, 0);
	j->vault_cntr = n->vault_cntr;
	j->change_cntr = n->change_cntr;
	return true;
}

/* Each part of a pair is what it was, or what had been made pending, or what its order brought. */
static bool same_or_due(const struct judge *j, const struct sim_sub_rec *r, const struct sim_pair *was,
			const struct sim_pair *is, uint16_t index)
{
	const struct sim_sub_rec *w = &j->rec;
	unsigned due = w->pending.index == index ? w->pending.what : 0;
	bool adopt = r->state == SIM_SUB_CONFIRMED && index == r->index;

	if (memcmp(was->k, is->k, 16) && !(due & SIM_PENDING_K && !memcmp(is->k, w->pending.k, 16)))
		return false;
	if (memcmp(was->opc, is->opc, 16) && !(due & SIM_PENDING_OPC && !memcmp(is->opc, w->pending.opc, 16)) &&
	    !(adopt && w->set_opc && !memcmp(is->opc, w->opc, 16)))
		return false;
	if ((was->alg != is->alg || was->scheme != is->scheme) &&
	    !(due & SIM_PENDING_ALG && is->alg == w->pending.alg) && !(adopt && w->set_alg && is->alg == w->alg))
		return false;
	return !memcmp(&was->ota, &is->ota, sizeof(is->ota)) ||
	       (due & SIM_PENDING_OTA && !memcmp(&is->ota, &w->pending.ota, sizeof(is->ota)));
}

static bool pairs_kept(struct judge *j, const struct sim_sub_nvm *n, const struct sim_sub_rec *r)
{
	for (int p = 0; p < SIM_PAIRS_MAX; p++) {
		static const struct sim_pair zero;
		uint16_t index = r->place[p];
		unsigned i;

		if (index == 0) {
			if (j->begun && j->rec.place[p] && memcmp(n->pair[p].k, zero.k, 16))
				return no(j, "an erased pair is still there", j->rec.place[p], (unsigned)p);
			continue;
		}
		for (i = 0; i < j->pairs && j->pair[i].index != index; i++)
			;
		if (i == j->pairs) {
			if (j->begun && index <= j->rec.highest)
				return no(j, "an index came from nowhere", index, j->rec.highest);
			if (i == JUDGE_PAIRS_MAX)
				return no(j, "more pairs than the judge can hold", i, 0);
			j->pair[j->pairs].index = index;
			j->pair[j->pairs++].pair = n->pair[p];
		} else if (!same_or_due(j, r, &j->pair[i].pair, &n->pair[p], index)) {
			return no(j, "keys of a pair changed without an order, index", index, r->state);
		}
		j->pair[i].pair = n->pair[p];
	}
	return true;
}

/* Octet by octet, but for what a return wipes again. */
static bool files_back(struct judge *j, const struct sim_card *c)
{
	static const uint16_t wiped[] = { 0x6f7e, 0x6f73, 0x6fe3, 0x4f01, 0x4f02, 0x6f08, 0x6f09,
					  0x6fe4, 0x6f20, 0x6f52, 0x6f53, 0x6f5b, 0x6f7b, 0x6fc4 };
	uint8_t want[SIM_FS_OCTETS];
	const uint8_t *loci;
	size_t len;

	memcpy(want, j->before_fs, sizeof(want));
	for (size_t i = 0; i < sizeof(wiped) / sizeof(wiped[0]); i++) {
		const uint8_t *f = sim_card_file(c, wiped[i], &len);

		if (f)
			memcpy(want + (f - c->fs), f, len);
	}
	if (memcmp(want, c->fs, sizeof(want)))
		return no(j, "a file did not come back", 0, 0);
	loci = sim_card_file(c, 0x6f7e, &len);
	return loci[10] == 0x01 || no(j, "EF_LOCI not wiped on the way back", loci[10], 0);
}

static bool alive(struct judge *j, const struct sim_card *c, const struct sim_sub_nvm *n, const struct sim_sub_rec *r)
{
	const struct sim_sub_rec *spare = &n->rec[!n->current];
	bool rests = r->state == SIM_SUB_IDLE || r->state == SIM_SUB_CONFIRMED || r->state == SIM_SUB_ROLLED_BACK;
	const uint8_t *imsi;
	size_t len;

	if (r->redo != SIM_REDO_NONE || r->erase)
		return no(j, "speaks before its redo is done", r->redo, r->erase);
	if (rests && (r->set_len || r->saved_len || r->set_opc || spare->set_len || spare->saved_len || spare->set_opc))
		return no(j, "remains of a set in a resting card", r->set_len, spare->set_len);
	imsi = sim_card_file(c, 0x6f07, &len);
	if (r->state == SIM_SUB_TRIAL || r->state == SIM_SUB_RETURNING) {
		if (!memcmp(imsi, j->before_fs + (imsi - c->fs), len) && memcmp(r->saved + 4, imsi, len))
			return no(j, "IMSI of the old subscription in a trial", r->state, 0);
	} else if (j->begun && r->state == j->spoke && memcmp(imsi, j->fs + (imsi - c->fs), len)) {
		return no(j, "IMSI changed without an order", r->state, 0);
	}
	if (j->begun && r->state == SIM_SUB_ROLLED_BACK && j->spoke != SIM_SUB_ROLLED_BACK)
		return files_back(j, c);
	return true;
}

bool judge_look(struct judge *j, const struct sim_card *c)
{
	const struct sim_sub_nvm *n = &c->sub->nvm;
	const struct sim_sub_rec *r = &n->rec[n->current & 1];
	struct sim_sub_rec was_rec = j->rec;
	uint8_t was_fs[SIM_FS_OCTETS];

	memcpy(was_fs, j->fs, sizeof(was_fs));
	if (!one_pair(j, n, r) || (j->begun && !moves(j, r)) || !never_back(j, n, r))
		return false;
	if (j->begun && r->state == SIM_SUB_TRIAL && was_rec.state == SIM_SUB_TRIAL &&
	    n->trial.left_s > j->trial.left_s && !(n->trial.authenticated && !j->trial.authenticated))
		return no(j, "trial time grew", j->trial.left_s, n->trial.left_s);
	j->trial = n->trial;
	if (c->sub->dead || r->redo != SIM_REDO_NONE) {
		/* Keys and files may be half written: they are looked at when the card speaks again.  Until then the
		 * record of before its redo is what the changes are held against. */
		j->rec.state = r->state;
		j->rec.index = r->index;
		j->rec.kvn = r->kvn;
		memcpy(j->rec.order, r->order, 8);
		return c->sub->dead || no(j, "alive with redo", r->redo, 0);
	}
	j->rec = was_rec;
	if (!alive(j, c, n, r) || !pairs_kept(j, n, r))
		return false;
	j->rec = *r;
	j->spoke = r->state;
	memcpy(j->fs, c->fs, sizeof(j->fs));
	j->begun = true;
	return true;
}

static bool holds_key(const uint8_t *p, size_t len, const uint8_t *key, size_t key_len)
{
	static const uint8_t zero[WINDOW];

	for (size_t k = 0; k + WINDOW <= key_len; k++) {
		if (!memcmp(key + k, zero, WINDOW))
			continue;
		for (size_t i = 0; i + WINDOW <= len; i++) {
			if (!memcmp(p + i, key + k, WINDOW))
				return true;
		}
	}
	return false;
}

static bool holds_ota(const uint8_t *p, size_t len, const struct sim_ota_keys *k)
{
	return holds_key(p, len, k->kic, k->len) || holds_key(p, len, k->kid, k->len) ||
	       holds_key(p, len, k->kik, k->len);
}

bool judge_answer(struct judge *j, const struct sim_card *c, const uint8_t *p, size_t len)
{
	const struct sim_sub_nvm *n = &c->sub->nvm;
	bool leak = holds_ota(p, len, &n->vault) || holds_ota(p, len, &n->change);

	for (int i = 0; i < SIM_PAIRS_MAX; i++)
		leak = leak || holds_key(p, len, n->pair[i].k, 16) || holds_key(p, len, n->pair[i].opc, 16) ||
		       holds_ota(p, len, &n->pair[i].ota);
	for (int i = 0; i < 2; i++)
		leak = leak || holds_key(p, len, n->rec[i].pending.k, 16) || holds_key(p, len, n->rec[i].opc, 16) ||
		       holds_key(p, len, n->rec[i].pending.opc, 16) || holds_ota(p, len, &n->rec[i].pending.ota);
	return !leak || no(j, "a key in an answer", (unsigned)len, 0);
}
