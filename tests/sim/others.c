/* others.c - another system sends commands to our cards, and the gateway is told by an import how far their counters have gone.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * First the import, and when it is durable and told the others begin: so no value is spent by both.  What the gateway makes from
 * then on must lie beyond.  A power cut may have lost the import or kept it; whoever imports does it again.
 */
#include <stdio.h>
#include <string.h>

#include "sim.h"

#define AGAIN_MS  500
#define DOWN_MS	  2000
#define SPENT_MAX 2000

/* With dice of its own: seeds without others stay what they were. */
void others_draw(struct scenario *sc, uint64_t seed)
{
	struct sim_rng dice = { seed ^ 0x07e25ULL };

	/* in counter mode 11 nobody else may send: the next value is all that a card takes */
	if (sc->spi[0] != 0x1e && sim_rng_chance(&dice, 25 * (SIM_PPM / 100)))
		sc->others = (unsigned)sim_rng_range(&dice, (struct sim_range){ 1, SIM_OTHERS_MAX });
}

void others_plan(struct world *w)
{
	struct sim_rng dice = { w->seed ^ 0x5bea4ULL };
	const struct sim_range when = { SIM_START_MS, SIM_START_MS + w->sc.calm_ms };

	for (unsigned i = 0; i < w->sc.others; i++) {
		struct others *o = &w->others[i];

		o->w = w;
		o->card = (unsigned)sim_rng_range(&dice, (struct sim_range){ 0, w->sc.cards - 1 });
		o->spend = (uint64_t)sim_rng_range(&dice, (struct sim_range){ 1, SPENT_MAX });
		world_plan(w, sim_rng_range(&dice, when), PLAN_OTHERS, i);
	}
}

static void done(struct store_batch *b, int rc)
{
	struct others *o = b->ctx;
	struct world *w = o->w;
	struct watched_card *c = &w->watch[o->card];
	const struct store_card_insert *in = b->ops[0].row;
	int r = b->ops[0].rc;

	if (rc || r == STORE_R_DUP_ICCID) { /* not carried out; or the card has got other numbers meanwhile */
		o->numbers += !rc;
		world_plan(w, w->now_ms + AGAIN_MS, PLAN_OTHERS, (unsigned)(o - w->others));
	} else if (r != STORE_R_SAME && r != STORE_R_UPDATED) {
		check_fail(w, "harness", "card %u is imported again: %s", o->card, store_strerror(r));
	} else {
		if (r == STORE_R_UPDATED && w->broken != BREAK_FORGET_TOLD)
			gw_card_imported(w->gw, in);
		o->told = true;
		c->told_cntr = o->cntr;
		c->told_ms = w->gw_ms;
		if (w->card[o->card].ks[0].cntr < o->cntr)
			w->card[o->card].ks[0].cntr = o->cntr;
		tell(w, "card %u: others have spent its counter up to %llu", o->card, (unsigned long long)o->cntr);
	}
	store_batch_free(b);
	o->batch = NULL;
}

void others_speak(struct world *w, unsigned i)
{
	struct others *o = &w->others[i];
	const struct watched_card *c = &w->watch[o->card];
	const struct sim_card *card = &w->card[o->card];
	const char *const imsi[] = { card->imsi_first, c->imsi_before, c->new_imsi };
	struct store_card_insert in = { .n_keysets = 1, .keyset = { c->keyset } };

	if (o->told || o->batch)
		return;
	o->batch = w->gw && !w->dead ? store_batch_new() : NULL;
	if (!o->batch) { /* there is no gateway just now */
		world_plan(w, w->now_ms + DOWN_MS, PLAN_OTHERS, i);
		return;
	}
	if (!o->cntr)
		o->cntr = card->ks[0].cntr + o->spend;
	memcpy(in.card.iccid, card->iccid, SIM_ICCID_LEN);
	memcpy(in.card.imsi, imsi[o->numbers % ARRAY_SIZE(imsi)], SIM_IMSI_LEN);
	/* of the numbers that it may have by now */
	snprintf(in.card.msisdn, sizeof(in.card.msisdn), "%s",
		 *c->new_msisdn && o->numbers / ARRAY_SIZE(imsi) % 2 ? c->new_msisdn : card->msisdn);
	in.card.tz_min = CARD_TZ_KEEP;
	in.card.created_ms = w->gw_ms;
	in.keyset[0].cntr = o->cntr;
	store_batch_add(o->batch, ST_CARD_INSERT, &in, NULL, 0);
	o->batch->done = done;
	o->batch->ctx = o;
	w->store->ops->commit(w->store, o->batch);
}

/* The gateway is gone and with it whoever waited for the end of the import. */
void others_lost(struct world *w)
{
	for (unsigned i = 0; i < w->sc.others; i++) {
		struct others *o = &w->others[i];

		if (!o->batch)
			continue;
		store_batch_free(o->batch);
		o->batch = NULL;
		world_plan(w, w->now_ms + DOWN_MS, PLAN_OTHERS, i);
	}
}

/* A command that the gateway has made since it was told. */
void others_watch(struct world *w, unsigned index, const struct cmd_row *made)
{
	const struct watched_card *c = &w->watch[index];

	if (c->told_cntr && made->born_ms > c->told_ms && made->cntr <= c->told_cntr)
		check_fail(w, "told",
			   "card %u: command %llu is made under counter %llu; others have gone up to %llu, and "
			   "the gateway knows",
			   index, (unsigned long long)made->id, (unsigned long long)made->cntr,
			   (unsigned long long)c->told_cntr);
}
