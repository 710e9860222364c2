/* wards.c - an operator who orders things of single cards at any moment: probe, resync, quarantine, release; and who looks whether a
 * card in quarantine is left alone.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * That a probe leaves one unfenced command per card, and nothing runs twice, the checkers of every run say.  When the faults are over
 * every card is released, so that all that waited comes to its end.
 */
#include <errno.h>

#include "sim.h"

#define WARDS_PERCENT 25 /* of the seeds */
/* with these dice no seed that was kept before there were such orders has any: each shows what it did */
#define WARDS_DICE  0xca4d00004f4eULL
#define WARDS_FROM  2000 /* requests: card and verb behind it */
#define FREE_MS	    3000 /* who is not released yet is released once more */
#define MODE_11(sc) ((sc)->spi[0] == 0x1e)

void wards_draw(struct scenario *sc, uint64_t seed, enum sim_break broken)
{
	struct sim_rng dice = { seed ^ WARDS_DICE };

	if (broken == BREAK_FORGET_QUARANTINE)
		sc->wards = 40;
	else if (broken == BREAK_NONE && sim_rng_chance(&dice, WARDS_PERCENT * (SIM_PPM / 100)))
		sc->wards = (unsigned)sim_rng_range(&dice, (struct sim_range){ 1, 60 });
}

void wards_plan(struct world *w)
{
	w->ward_dice.s = w->seed ^ ~WARDS_DICE;
	if (w->sc.wards)
		world_plan(w, SIM_START_MS + w->sc.calm_ms / (int64_t)w->sc.wards, PLAN_WARD, 0);
}

static void order(struct world *w, unsigned card, enum gw_card_verb verb)
{
	struct watched_card *c = &w->watch[card];
	const struct gw_card_ask ask = {
		.card = c->id, .request = WARDS_FROM + card * _CARD_VERBS + verb, .verb = verb, .by = "the simulation"
	};

	/* of a card that was never spoken to the core cannot know that its profile counts exactly */
	if (verb == CARD_VERB_RESYNC && MODE_11(&w->sc) && !c->n_cmds)
		return;
	if (gw_card_order(w->gw, &ask))
		return; /* no place: it comes again, or another does */
	tell(w, "card %u: %s is ordered", card, gw_card_verb_name(verb));
	c->ward_out++;
	if (verb == CARD_VERB_RELEASE)
		c->warded = false;
	if (verb == CARD_VERB_QUARANTINE)
		c->ward_used = true;
}

/* Whoever waits for an answer waits in vain. */
void wards_lost(struct world *w)
{
	for (unsigned i = 0; i < w->sc.cards; i++)
		w->watch[i].ward_out = 0;
}

/* Who was ever put there is let out, until that was confirmed. */
static bool free_all(struct world *w)
{
	bool left = false;

	for (unsigned i = 0; i < w->sc.cards; i++) {
		if (!w->watch[i].ward_used)
			continue;
		left = true;
		order(w, i, CARD_VERB_RELEASE);
	}
	return left;
}

void wards_turn(struct world *w)
{
	static const enum gw_card_verb verbs[] = { CARD_VERB_PROBE,	CARD_VERB_PROBE,   CARD_VERB_PROBE,
						   CARD_VERB_RESYNC,	CARD_VERB_RELEASE, CARD_VERB_QUARANTINE,
						   CARD_VERB_QUARANTINE };
	const int64_t step_ms = 1 + 2 * w->sc.calm_ms / (int64_t)w->sc.wards;
	bool up = w->gw && !w->dead && w->ready_seen;
	unsigned card = (unsigned)(sim_rng_next(&w->ward_dice) % w->sc.cards);
	enum gw_card_verb verb = verbs[sim_rng_next(&w->ward_dice) % ARRAY_SIZE(verbs)];

	if (w->calm) {
		if (!up || free_all(w))
			world_plan(w, w->now_ms + FREE_MS, PLAN_WARD, 0);
		return;
	}
	if (up)
		order(w, card, verb);
	world_plan(w, w->now_ms + sim_rng_range(&w->ward_dice, (struct sim_range){ 0, step_ms }), PLAN_WARD, 0);
}

bool wards_told(struct world *w, uint64_t request, int rc)
{
	unsigned card = (unsigned)(request - WARDS_FROM) / _CARD_VERBS;
	enum gw_card_verb verb = (enum gw_card_verb)((request - WARDS_FROM) % _CARD_VERBS);
	struct watched_card *c;
	bool last;

	if (request < WARDS_FROM)
		return false;
	c = &w->watch[card];
	last = !--c->ward_out; /* else others stand behind it, and may be carried out by now */
	if (verb == CARD_VERB_QUARANTINE || verb == CARD_VERB_RELEASE) {
		if (rc)
			check_fail(w, "reply", "card %u: %s was refused", card, gw_card_verb_name(verb));
		if (verb == CARD_VERB_QUARANTINE && last)
			c->warded = true;
		if (verb == CARD_VERB_RELEASE && last && w->calm)
			c->ward_used = false;
	} else if (rc && rc != -EACCES && rc != -ENODATA) {
		check_fail(w, "reply", "card %u: %s ends with %d", card, gw_card_verb_name(verb), rc);
	}
	return true;
}

/* It was said that it is in quarantine, and nobody has ordered its release since. */
void wards_submit(struct world *w, unsigned card, const struct seen_cmd *s)
{
	if (w->watch[card].warded)
		check_fail(w, "quarantine", "card %u is in quarantine, and counter %llu leaves to it", card,
			   (unsigned long long)s->row.cntr);
}
