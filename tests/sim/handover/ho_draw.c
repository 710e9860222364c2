/* ho_draw.c - what a seed says.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "ho.h"

uint64_t ho_next(uint64_t *dice)
{
	uint64_t z = (*dice += 0x9e3779b97f4a7c15ULL);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

int64_t ho_pick(uint64_t *dice, int64_t lo, int64_t hi)
{
	return lo + (int64_t)(ho_next(dice) % (uint64_t)(hi - lo + 1));
}

bool ho_chance(uint64_t *dice, uint32_t ppm)
{
	return ho_next(dice) % SIM_PPM < ppm;
}

static void air(struct ho *w, uint64_t *dice)
{
	struct sim_air_cfg *a = &w->d.air;

	sim_air_cfg_default(a);
	a->mode = ho_chance(dice, 500000) ? SIM_AIR_TRANSACTION : SIM_AIR_STORE;
	a->alert = ho_chance(dice, 700000) ? SIM_ALERT_PENDING : SIM_ALERT_ALWAYS;
	if (ho_chance(dice, 250000))
		return; /* fine weather */
	a->absent_ppm = (uint32_t)ho_pick(dice, 0, 500000);
	a->absent_ms = (struct sim_range){ HO_MINUTE, 6 * HO_HOUR };
	a->gap_ppm = (uint32_t)ho_pick(dice, 0, 500000);
	a->gap_after_ms = (struct sim_range){ HO_MINUTE, 2 * HO_HOUR };
	a->gap_ms = (struct sim_range){ HO_MINUTE, HO_HOUR };
	a->gaps_per_card_max = 4;
	a->loss_ppm = (uint32_t)ho_pick(dice, 0, 200000);
	a->dup_ppm = (uint32_t)ho_pick(dice, 0, 100000);
	a->reorder_ppm = (uint32_t)ho_pick(dice, 0, 100000);
	a->reorder_ms = (struct sim_range){ 1000, 20000 };
	a->loss_per_card_max = (uint32_t)ho_pick(dice, 1, 6);
	a->refresh_refused_ppm = ho_chance(dice, 300000) ? 500000 : 0; /* H4 */
	a->power_cut_ppm = ho_chance(dice, 300000) ? 200000 : 0;
}

/* How often a phone that stays in its cell is authenticated, and by how much the register's SQN lags behind: where an ARM is lost nothing
 * else tells that the card is there. */
static void locate(struct ho *w)
{
	uint64_t draw = w->seed * 0xaf251af3b0f025b5ULL + 5;

	w->d.air.locate_ms.lo = ho_pick(&draw, HO_HOUR / 2, 6 * HO_HOUR);
	w->d.air.locate_ms.hi = ho_pick(&draw, w->d.air.locate_ms.lo, 24 * HO_HOUR);
	w->d.air.vectors = ho_chance(&draw, 500000) ? 1 : SIM_VECTORS_MAX;
}

/* Nothing brings a plain card home that the new network never lets in, and nothing but a reset makes its phone read it again: not here. */
static void plain(struct ho_draw *d, uint64_t *dice)
{
	d->plain = true;
	d->opc = d->air.locate_ms.lo % 2; /* of nothing that was drawn before */
	d->dissent = ho_chance(dice, 100000);
	d->change = false;
	d->refusals = 0;
	d->air.refresh_refused_ppm = 0;
	if (d->policy == POLICY_ESCROW)
		d->policy = POLICY_DELIVER_FIRST;
	if (ho_chance(dice, 400000)) { /* who can be stranded at all */
		d->policy = POLICY_ACTIVATE_FIRST;
		d->hlr_fail_ppm = 200000;
		d->mends = d->cards % 2; /* of nothing that was drawn before */
	}
}

/* Drawn apart, so that what was drawn before stays what it was. */
static void more(struct ho *w)
{
	uint64_t draw = w->seed * 0xd1342543de82ef95ULL + 3, *dice = &draw;
	struct ho_draw *d = &w->d;
	const int64_t shape = ho_pick(dice, 0, 99);

	if (shape < 40) {
		d->ops = 3;
		d->shape = shape < 20 ? HO_SPLIT : HO_ROUND;
	}
	if (d->kind == ORDER_3A && d->policy == POLICY_DELIVER_FIRST && ho_chance(dice, 350000))
		d->policy = POLICY_ESCROW;
	if (ho_chance(dice, 150000)) /* some come in time, the others do not */
		d->until_ms = ho_pick(dice, HO_HOUR, 2 * HO_DAY);
	d->cancels = ho_chance(dice, 150000) ? (unsigned)ho_pick(dice, 1, 2) : 0;
	d->anew = ho_chance(dice, 500000);
	d->mixed = !d->change && ho_chance(dice, 250000);
	if (d->shape == HO_ONCE && ho_chance(dice, 300000)) {
		d->ops = 3;
		d->shape = HO_EAGER;
		d->eager_ms = ho_chance(dice, 300000) ? 0 : ho_pick(dice, HO_MINUTE, 2 * HO_HOUR);
	}
	if (ho_chance(dice, 500000)) {
		d->cut_ppm = (uint32_t)ho_pick(dice, 0, 200000);
		d->late_ppm = (uint32_t)ho_pick(dice, 0, 100000);
	}
	if (d->kind == ORDER_3A && ho_chance(&(uint64_t){ w->seed * 0x9e3779b97f4a7c15ULL + 13 }, 300000))
		plain(d, dice);
}

static void draw_first(struct ho *w)
{
	uint64_t draw = w->seed * 0x9e3779b97f4a7c15ULL + 7, *dice = &draw;
	struct ho_draw *d = &w->d;

	d->cards = (unsigned)ho_pick(dice, 1, ho_chance(dice, 300000) ? HO_CARDS_MAX : 6);
	d->kind = ho_chance(dice, 500000) ? ORDER_3A : ORDER_3B;
	d->policy = ho_chance(dice, 800000) ? POLICY_DELIVER_FIRST : POLICY_ACTIVATE_FIRST;
	d->pairs = 6;
	d->carry_ms = (struct sim_range){ 100, ho_chance(dice, 500000) ? 2000 : 10 * HO_MINUTE };
	d->commit_ms = (struct sim_range){ 1, 20 };
	d->read_ms = (struct sim_range){ 1, 10 };
	d->hlr_ms = (struct sim_range){ 5, 500 };
	d->trial_s = 4 * 3600;
	d->until_ms = 90 * HO_DAY;
	d->calm_ms = 12 * HO_HOUR;
	d->bound_ms = 60 * HO_DAY;
	d->ops = 2;
	d->shape = ho_chance(dice, 300000) ? HO_BACK : HO_ONCE;
	d->change = ho_chance(&(uint64_t){ w->seed * 0x9e3779b97f4a7c15ULL + 11 }, 200000);
	air(w, dice);
	locate(w);
	if (ho_chance(dice, 250000))
		return;
	d->crashes = (unsigned)ho_pick(dice, 0, 6);
	d->commit_fails = (unsigned)ho_pick(dice, 0, 3);
	d->hlr_downs = (unsigned)ho_pick(dice, 0, 2);
	d->hlr_fail_ppm = ho_chance(dice, 300000) ? 100000 : 0; /* F6 */
	d->hlr_temp_ppm = (uint32_t)ho_pick(dice, 0, 100000);
	d->lose_ppm = (uint32_t)ho_pick(dice, 0, 400000);
	d->twice_ppm = (uint32_t)ho_pick(dice, 0, 300000);
	d->refusals = ho_chance(dice, 250000) ? 1 : 0; /* H2 */
	d->cancel = ho_chance(dice, 150000);
	d->cancel_ms = ho_pick(dice, HO_MINUTE, 4 * HO_HOUR);
}

/* Cards that keep their MSISDNs: where all go once and by one order, so that the pool counts IMSIs as the fleet counts cards. */
static void keep(struct ho *w)
{
	uint64_t draw = w->seed * 0x8ebc6af09c88c6e3ULL + 17;
	struct ho_draw *d = &w->d;

	d->keeps = d->shape == HO_ONCE && !d->mixed && !d->change && ho_chance(&draw, 500000);
	d->one_register = d->keeps && ho_chance(&draw, 600000);
	d->by_imsi = ho_chance(&draw, 700000);
}

void ho_draw(struct ho *w)
{
	draw_first(w);
	more(w);
	keep(w);
}
