/* ho_number.c - cards that keep their MSISDN: whose register has it, from one instant to the next; and cases about that.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Who addresses by IMSI moves it at E5.  Judged while nothing fails any more: then the new operator's word is with the old one in minutes, and
 * whoever asks his register again and again does so once an hour at least.
 */
#include <stdio.h>
#include <string.h>

#include "ho.h"

#define SOON_MS (3 * HO_HOUR)

static const char *number_of(struct ho *w, uint32_t card)
{
	return sim_world_fleet(w->sim)->cards[card].msisdn;
}

/* Which operators' registers have it, bit: operator. */
static unsigned whose(struct ho *w, uint32_t card)
{
	char imsi[SIM_HLR_DIGITS_MAX + 1];
	unsigned at = 0;

	for (unsigned op = 0; op < w->d.ops; op++)
		if (sim_hlr_imsi_of(sim_world_hlr(w->sim, op), number_of(w, card), imsi))
			at |= 1u << op;
	return at;
}

static bool has(struct ho *w, unsigned op, const char *imsi, uint32_t card)
{
	char msisdn[SIM_HLR_DIGITS_MAX + 1] = "";

	return sim_hlr_msisdn_of(sim_world_hlr(w->sim, op), imsi, msisdn) && !strcmp(msisdn, number_of(w, card));
}

/* Registered where its order leads, by the IMSI that the register there has. */
static void moved(struct ho *w, const struct ho_order *o, uint32_t card)
{
	struct ho_card *c = &w->card[card];
	struct sim_world_card t;

	sim_world_card(w->sim, card, &t);
	if (t.op != (int)o->dst || t.imsi_stored[4] != (char)('1' + o->dst) || o->refused)
		c->there_ms = 0;
	else if (!c->there_ms)
		c->there_ms = w->now_ms;
	if (!w->calm || !c->there_ms || w->now_ms < c->there_ms + SOON_MS || w->now_ms < w->calm_ms + SOON_MS)
		return;
	if (!has(w, o->dst, t.imsi_stored, card))
		ho_find(w, "msisdn", "card %u is at %s for long, and its MSISDN %s is not", card, w->p[o->dst].name,
			number_of(w, card));
	if (has(w, o->src, o->imsi_old[card], card))
		ho_find(w, "msisdn", "card %u is at %s for long, and its old IMSI has MSISDN %s still", card,
			w->p[o->dst].name, number_of(w, card));
}

void ho_check_number(struct ho *w)
{
	for (uint32_t i = 0; w->d.keeps && i < w->d.cards; i++) {
		const struct ho_order *o = ho_order_last(w, i);
		const unsigned at = whose(w, i);

		if (w->d.one_register && at & (at - 1))
			ho_find(w, "msisdn", "card %u: MSISDN %s is two subscribers' in one register", i,
				number_of(w, i));
		if (w->d.by_imsi && o && !o->what)
			moved(w, o, i);
	}
}

/* It is where the card is, and nowhere else. */
void ho_check_number_end(struct ho *w)
{
	for (uint32_t i = 0; w->d.keeps && i < w->d.cards; i++) {
		const unsigned at = whose(w, i);
		struct sim_world_card t;

		sim_world_card(w->sim, i, &t);
		if (!ho_stranded(w, i) && (at != 1u << (t.imsi_stored[4] - '1') ||
					   !has(w, (unsigned)(t.imsi_stored[4] - '1'), t.imsi_stored, i)))
			ho_find(w, "msisdn", "card %u holds IMSI %s, and MSISDN %s is with the operators %x", i,
				t.imsi_stored, number_of(w, i), at);
	}
}

void ho_number_break(struct ho *w)
{
	const char *imsi = "001010000099999";
	char text[100], reply[SIM_HLR_REPLY_MAX];

	if (!w->card[0].moved_ms || !w->ended_ms)
		return;
	w->did_break = true;
	snprintf(text, sizeof(text), "SET 1 subscriber.create %s", imsi);
	sim_hlr_ctrl(sim_world_hlr(w->sim, HO_A), text, reply);
	snprintf(text, sizeof(text), "SET 1 subscriber.by-imsi-%s.msisdn %s", imsi, number_of(w, 0));
	sim_hlr_ctrl(sim_world_hlr(w->sim, HO_A), text, reply);
}

/* ---- cases: CONFIRM comes late ---- */

static void one_draw(struct ho_draw *d)
{
	d->keeps = d->one_register = d->by_imsi = true;
	d->trial_s = 48 * 3600;
	d->calm_ms = HO_MINUTE;
}

static void two_draw(struct ho_draw *d)
{
	one_draw(d);
	d->one_register = false;
}

/* The card is at B, and hears nothing from there for 20 hours. */
static void deaf_act(struct ho *w)
{
	if (w->case_step == 0 && ho_look(w, 0).state == SIM_SUB_TRIAL) {
		sim_air_taking(ho_air(w), 0, SIM_IGNORES, w->now_ms);
		w->case_step = 1;
		w->case_ms = w->now_ms + 20 * HO_HOUR;
	} else if (w->case_step == 1 && w->now_ms >= w->case_ms) {
		sim_air_taking(ho_air(w), 0, SIM_TAKES, w->now_ms);
		w->case_step = 2;
		w->case_ms = 0;
	}
}

static void deaf_judge(struct ho *w)
{
	ho_all_done(w);
	ho_must(w, w->case_step == 2, "the card was not deaf");
}

/* ---- it goes home again ---- */

/* Let in by another network, so that it does not confirm itself; and it never gets CONFIRM. */
static void back_draw(struct ho_draw *d)
{
	one_draw(d);
	d->trial_s = 8 * 3600;
	d->roams = true;
}

static void back_two_draw(struct ho_draw *d)
{
	back_draw(d);
	d->one_register = false;
}

static void back_crash_draw(struct ho_draw *d)
{
	back_draw(d);
	d->calm_ms = HO_DAY;
	d->crashes = 6;
	d->commit_fails = 3;
	d->hlr_downs = 2;
	d->hlr_temp_ppm = 200000;
}

static void back_bare_draw(struct ho_draw *d)
{
	back_draw(d);
	d->cards = 1;
	d->calm_ms = HO_DAY; /* who fails now comes back late */
}

static void back_act(struct ho *w)
{
	if (w->case_step == 0 && ho_look(w, 0).state == SIM_SUB_TRIAL) {
		sim_air_taking(ho_air(w), 0, SIM_IGNORES, w->now_ms);
		w->case_step = 1;
		w->case_ms = w->now_ms + 7 * HO_HOUR;
	} else if (w->case_step == 1 && w->now_ms >= w->case_ms) {
		ho_must(w,
			w->d.crashes || w->c->crash_at ||
				(has(w, HO_B, w->case_imsi, 0) && !(whose(w, 0) & 1u << HO_A)),
			"the MSISDN has not gone to B with the card");
		w->case_step = 2;
		w->case_ms = 0;
	} else if (w->case_step == 2 && ho_look(w, 0).op == HO_A) {
		sim_air_taking(ho_air(w), 0, SIM_TAKES, w->now_ms);
		w->case_step = 3;
	}
}

static void back_judge(struct ho *w)
{
	ho_must(w, w->case_step == 3, "the card did not come home");
	ho_must_end(w, 0, END_ROLLED_BACK);
}

const struct ho_case ho_cases_number[] = {
	{ "number", "one register, CONFIRM is late: the MSISDN goes with the card", one_draw, deaf_act, deaf_judge,
	  ORDER_3B },
	{ "number-3a", "the same in 3a", one_draw, deaf_act, deaf_judge, ORDER_3A },
	{ "number-two", "the same in two registers", two_draw, deaf_act, deaf_judge, ORDER_3B },
	{ "number-back", "the card goes home by itself after it was served: so does its MSISDN", back_draw, back_act,
	  back_judge, ORDER_3B },
	{ "number-back-3a", "the same in 3a", back_draw, back_act, back_judge, ORDER_3A },
	{ "number-back-two", "the same in two registers", back_two_draw, back_act, back_judge, ORDER_3A },
	{ "number-back-bad", "the same in bad weather", back_crash_draw, back_act, back_judge, ORDER_3B },
	{ NULL, NULL, NULL, NULL, NULL, 0 },
};
const struct ho_case ho_case_number_alone = { "N13",	      "an MSISDN that goes to B and comes home",
					      back_bare_draw, back_act,
					      back_judge,     ORDER_3A };
