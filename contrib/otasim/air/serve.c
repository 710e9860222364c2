/* serve.c - when the phones around the cards do what they do by themselves, and what networks make of it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdlib.h>

#include "air_int.h"

/* Polls while they make a difference, at a rhythm of each phone's own. */
void air_poll_on(struct sim_air *a, uint32_t card, int64_t now_ms)
{
	struct phone *ph = &a->card[card].phone;

	if (ph->polling || !sim_card_counts_time(&a->cards[card]))
		return;
	ph->polling = true;
	ph->since_ms = now_ms;
	air_push(a, (struct ev){ .kind = EV_POLL,
				 .slot = card,
				 .due_ms = now_ms + sim_rng_range(&ph->rng, (struct sim_range){ 1, a->cfg.poll_ms }) });
}

/* Once for one asking: a second reset would not be worth what it costs of the trial. */
void air_refresh_soon(struct sim_air *a, uint32_t card, int64_t now_ms)
{
	struct phone *ph = &a->card[card].phone;

	if (ph->refreshing)
		return;
	ph->refreshing = true;
	air_push(a, (struct ev){ .kind = EV_REFRESH,
				 .slot = card,
				 .due_ms = now_ms + sim_rng_range(&ph->rng, a->cfg.refresh_ms) });
}

/* The attempt made last is the one that counts. */
static void register_at(struct sim_air *a, uint32_t card, int64_t due_ms)
{
	air_push(a,
		 (struct ev){
			 .kind = EV_REGISTER, .slot = card, .token = ++a->card[card].phone.attempt, .due_ms = due_ms });
}

/* Where there are no operators, only the applet has to see a location update. */
bool air_registers(const struct sim_air *a, uint32_t card)
{
	return a->cards[card].sub || a->cfg.ops;
}

/* The card has been reset: whoever was served is not, until a network says so again. */
void air_register_anew(struct sim_air *a, uint32_t card, int64_t now_ms)
{
	struct phone *ph = &a->card[card].phone;

	ph->unserved = true;
	ph->refused = 0;
	register_at(a, card, now_ms + sim_rng_range(&ph->rng, a->cfg.register_ms));
	air_poll_on(a, card, now_ms);
}

void air_imsi_now(struct sim_air *a, uint32_t card, bool reset, int64_t now_ms)
{
	struct phone *ph = &a->card[card].phone;

	if (ph->polling) /* time until here was before the reset */
		phone_poll(ph, &a->cards[card], now_ms);
	if (reset)
		sim_card_reset(&a->cards[card]);
	else
		sim_card_refresh(&a->cards[card]);
	if (a->cards[card].imsi_presented[0] && !book_add(&a->imsis, a->cards[card].imsi_presented, card))
		abort();
}

/* Coverage is there again: to a phone that is registered that is enough. */
void air_came_back(struct sim_air *a, uint32_t card, int64_t now_ms)
{
	struct phone *ph = &a->card[card].phone;

	if (ph->off)
		return;
	if (ph->unserved)
		register_at(a, card, now_ms + sim_rng_range(&ph->rng, a->cfg.register_ms));
	else
		air_attached(a, card, now_ms);
}

void air_on_poll(struct sim_air *a, uint32_t card, int64_t now_ms)
{
	struct phone *ph = &a->card[card].phone;
	struct sim_card *c = &a->cards[card];

	ph->polling = false;
	if (ph->off)
		return;
	phone_poll(ph, c, now_ms);
	if (sim_card_refresh_wanted(c))
		air_refresh_soon(a, card, now_ms);
	if (!sim_card_counts_time(c))
		return;
	ph->polling = true;
	air_push(a, (struct ev){ .kind = EV_POLL, .slot = card, .due_ms = now_ms + a->cfg.poll_ms });
}

/* As phones do: soon, then less and less often (TS 24.008, 4.4.4.9, T3211 and T3212). */
static int64_t again_ms(const struct sim_air *a, struct phone *ph)
{
	int64_t ms = a->cfg.register_first_ms;

	if (!a->cfg.ops)
		return a->cfg.register_again_ms;
	for (unsigned i = 0; i < ph->refused && ms < a->cfg.register_again_ms; i++)
		ms *= 2;
	ph->refused++;
	return ms < a->cfg.register_again_ms ? ms : a->cfg.register_again_ms;
}

static void locate_later(struct sim_air *a, uint32_t card, int64_t now_ms)
{
	struct phone *ph = &a->card[card].phone;

	if (a->cfg.ops && a->cfg.locate_ms.hi)
		air_push(a, (struct ev){ .kind = EV_LOCATE,
					 .slot = card,
					 .token = ph->attempt,
					 .due_ms = now_ms + sim_rng_range(&ph->rng, a->cfg.locate_ms) });
}

void air_on_register(struct sim_air *a, uint32_t card, uint64_t attempt, int64_t now_ms)
{
	struct card_air *ca = &a->card[card];

	if (attempt != ca->phone.attempt)
		return;
	if (!air_covered(ca)) { /* coming back will do it, also where it was to be a periodic update */
		ca->phone.unserved = true;
		return;
	}
	if (!phone_register(&ca->phone, &a->cards[card], &a->cfg)) {
		a->stats.register_refused++;
		register_at(a, card, now_ms + again_ms(a, &ca->phone));
		return;
	}
	a->stats.registered++;
	ca->phone.unserved = false;
	ca->phone.refused = 0;
	locate_later(a, card, now_ms);
	air_attached(a, card, now_ms);
}

/* Periodic location update; out of coverage it waits for the next one. */
void air_on_locate(struct sim_air *a, uint32_t card, uint64_t attempt, int64_t now_ms)
{
	struct card_air *ca = &a->card[card];

	if (attempt != ca->phone.attempt || ca->phone.unserved)
		return;
	if (air_covered(ca))
		register_at(a, card, now_ms);
	else
		locate_later(a, card, now_ms);
}

void air_on_refresh(struct sim_air *a, uint32_t card, const struct sim_air_cb *cb, void *ctx, int64_t now_ms)
{
	struct phone *ph = &a->card[card].phone;
	struct sim_card *c = &a->cards[card];

	ph->refreshing = false;
	if (ph->off)
		return; /* switching on is a reset, too */
	if (c->sub && sim_card_refresh_wanted(c) &&
	    (ph->said_no < ph->no_refresh || air_strikes(a, &ph->rng, a->cfg.refresh_refused_ppm))) {
		ph->said_no += ph->said_no < ph->no_refresh;
		a->stats.refresh_refused++;
		sim_card_refresh_refused(c);
		air_poll_on(a, card, now_ms);
		return;
	}
	ph->said_no = 0;
	a->stats.refreshes++;
	air_imsi_now(a, card, false, now_ms);
	if (cb->shown)
		cb->shown(ctx, card);
	if (air_registers(a, card))
		air_register_anew(a, card, now_ms);
	else if (air_present(&a->card[card]))
		air_attached(a, card, now_ms);
}

/* Power fails before the phone has done REFRESH, and is there again at once. */
void air_power_cut(struct sim_air *a, uint32_t card, int64_t now_ms, const struct sim_air_cb *cb, void *ctx)
{
	a->stats.power_cuts++;
	air_imsi_now(a, card, true, now_ms);
	if (cb->shown)
		cb->shown(ctx, card);
	air_register_anew(a, card, now_ms);
}

/* ---- what a scenario does to phones ---- */

void sim_air_power_cycle(struct sim_air *a, uint32_t card)
{
	if (a->card[card].phone.off)
		return;
	air_imsi_now(a, card, true, a->now_ms);
	if (air_registers(a, card))
		air_register_anew(a, card, a->now_ms);
}

void sim_air_switch(struct sim_air *a, uint32_t card, bool on, int64_t now_ms)
{
	struct card_air *ca = &a->card[card];
	struct phone *ph = &ca->phone;
	bool before = air_covered(ca);

	if (ph->off == !on)
		return;
	if (!on && ph->polling)
		phone_poll(ph, &a->cards[card], now_ms); /* the last of its powered time */
	ph->off = !on;
	if (before != air_covered(ca))
		ca->covered_ms = now_ms;
	if (!on)
		return;
	ph->since_ms = now_ms;
	ph->said_no = 0;
	air_imsi_now(a, card, true, now_ms);
	if (air_registers(a, card))
		air_register_anew(a, card, now_ms);
	else if (air_covered(ca))
		air_came_back(a, card, now_ms);
}

void sim_air_no_refresh(struct sim_air *a, uint32_t card, unsigned times)
{
	a->card[card].phone.no_refresh = (uint8_t)(times < UINT8_MAX ? times : UINT8_MAX);
}

void sim_air_refuse(struct sim_air *a, uint32_t card, uint32_t ops)
{
	a->card[card].phone.refused_ops = (uint8_t)ops;
}

int sim_air_operator(const struct sim_air *a, uint32_t card)
{
	return a->cfg.ops && !a->card[card].phone.unserved ? a->card[card].phone.op : -1;
}
