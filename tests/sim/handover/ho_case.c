/* ho_case.c - hand-overs in words: one thing goes wrong, and how it must end.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The judges of every run hold, too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ho.h"

struct sim_world_card ho_look(struct ho *w, uint32_t card)
{
	struct sim_world_card t;

	sim_world_card(w->sim, card, &t);
	return t;
}

struct sim_air *ho_air(struct ho *w)
{
	return sim_world_air(w->sim);
}

void ho_must(struct ho *w, bool right, const char *what)
{
	if (!right)
		ho_find(w, "case", "%s", what);
}

void ho_must_end(struct ho *w, unsigned card, enum line_end end)
{
	enum line_end is = ho_end_of(w, card);

	if (is != end)
		ho_find(w, "case", "card %u ends \"%s\" and not \"%s\"", card, line_end_name((uint8_t)is),
			line_end_name((uint8_t)end));
}

void ho_all_done(struct ho *w)
{
	for (unsigned i = 0; i < w->d.cards; i++)
		ho_must_end(w, i, END_DONE);
}

/* ---- F1: nobody is there for ten days ---- */

static void f1_act(struct ho *w)
{
	if (w->case_step == 0)
		sim_air_cover(ho_air(w), 0, SIM_COVERAGE_ABSENT, w->now_ms);
	else if (w->now_ms > w->base_ms + 10 * HO_DAY)
		sim_air_cover(ho_air(w), 0, SIM_COVERAGE_PRESENT, w->now_ms);
	else
		return;
	w->case_step++;
	w->case_ms = w->base_ms + 10 * HO_DAY + 1;
}

/* ---- F2: the proof of STAGE never comes; H1: that of ARM, and the card has moved ---- */

static void f2_act(struct ho *w)
{
	if (w->case_step == 0) {
		sim_air_taking(ho_air(w), 0, SIM_SILENT, w->now_ms);
		w->case_step = 1;
	} else if (w->case_step == 1 && ho_look(w, 0).state == SIM_SUB_STAGED) {
		w->case_step = 2;
		w->case_ms = w->now_ms + 2 * HO_HOUR;
	} else if (w->case_step == 2 && w->now_ms >= w->case_ms) {
		sim_air_taking(ho_air(w), 0, SIM_TAKES, w->now_ms);
		w->case_step = 3;
		w->case_ms = 0;
	}
}

static void h1_act(struct ho *w)
{
	struct sim_world_card t = ho_look(w, 0);

	if (w->case_step == 0 && t.state == SIM_SUB_STAGED &&
	    sim_hlr_knows(sim_world_hlr(w->sim, HO_B), w->case_imsi)) {
		sim_air_taking(ho_air(w), 0, SIM_SILENT, w->now_ms);
		w->case_step = 1;
	} else if (w->case_step == 1 && t.state == SIM_SUB_TRIAL) {
		sim_air_taking(ho_air(w), 0, SIM_TAKES, w->now_ms);
		w->case_step = 2;
	}
}

static void h1_judge(struct ho *w)
{
	ho_all_done(w);
	ho_must(w, w->case_step == 2, "the proof of ARM was not lost");
	ho_must(w, ho_counters_of(w, HO_A, 0) == 2, "A has taken a fresh counter although the card may have moved");
}

/* ---- F4: the device is switched off and on before REFRESH ---- */

static void f4_act(struct ho *w)
{
	for (uint32_t i = 0; i < w->d.cards; i++)
		if (!(w->case_step & 1u << i) && ho_look(w, i).state == SIM_SUB_ARMED) {
			w->case_step |= 1u << i;
			sim_air_power_cycle(ho_air(w), i);
		}
}

static void f4_judge(struct ho *w)
{
	ho_all_done(w);
	ho_must(w, w->case_step == 7, "no card was switched off in time");
}

/* ---- F5: the papers' order, and B is not ready for half a day ---- */

static void f5_draw(struct ho_draw *d)
{
	d->policy = POLICY_ACTIVATE_FIRST;
	d->carry_ms = (struct sim_range){ 3 * HO_HOUR, 4 * HO_HOUR };
	d->trial_s = 3600;
}

static void f5_judge(struct ho *w)
{
	for (unsigned i = 0; i < w->d.cards; i++)
		ho_must(w, ho_end_of(w, i) == END_DONE || ho_end_of(w, i) == END_ROLLED_BACK,
			"a card neither came nor went back");
	ho_must(w, ho_end_of(w, 0) == END_ROLLED_BACK, "card 0 was not sent back by its own clock");
}

/* ---- F6: B's register cannot create some ---- */

static void f6_draw(struct ho_draw *d)
{
	d->cards = 10;
	d->hlr_fail_ppm = 300000;
}

static void f6_judge(struct ho *w)
{
	unsigned done = 0, failed = 0;

	for (unsigned i = 0; i < w->d.cards; i++) {
		done += ho_end_of(w, i) == END_DONE;
		failed += ho_end_of(w, i) == END_FAILED;
	}
	ho_must(w, failed > 0 && done + failed == w->d.cards, "those that B cannot have fail, the others come");
	ho_must(w, w->arms == done, "a card was armed that B could not have");
}

/* ---- F14: the vault has no pair left ---- */

static void f14_draw(struct ho_draw *d)
{
	d->pairs = 1;
}

static void f14_judge(struct ho *w)
{
	for (unsigned i = 0; i < w->d.cards; i++)
		ho_must_end(w, i, END_FAILED);
	ho_must(w, !w->arms, "a card was armed");
}

/* ---- F19: B cannot reach it, and service is good: the card takes itself as confirmed ---- */

static void f19_act(struct ho *w)
{
	if (w->case_step == 0 && ho_look(w, 0).state == SIM_SUB_TRIAL && w->p[HO_B].link) {
		w->p[HO_B].link->ops->stop(w->p[HO_B].link);
		w->case_step = 1;
		w->case_ms = w->now_ms + 2 * HO_DAY;
	} else if (w->case_step == 1 && w->now_ms >= w->case_ms) {
		w->p[HO_B].link->ops->start(w->p[HO_B].link);
		w->case_step = 2;
		w->case_ms = 0;
	}
}

static void f19_judge(struct ho *w)
{
	ho_all_done(w);
	ho_must(w, w->case_step == 2, "B's link was not down");
}

/* ---- H2: B's network authenticates it and never lets it in ---- */

static void h2_draw(struct ho_draw *d)
{
	d->refusals = 1;
}

static void h2_judge(struct ho *w)
{
	ho_must_end(w, 0, END_ROLLED_BACK);
	ho_must_end(w, 1, END_DONE);
	ho_must_end(w, 2, END_DONE);
}

/* ---- H3: in coverage for five minutes a day ---- */

static void h3_act(struct ho *w)
{
	if (w->now_ms < w->case_ms)
		return;
	sim_air_cover(ho_air(w), 0, w->case_step & 1 ? SIM_COVERAGE_PRESENT : SIM_COVERAGE_ABSENT, w->now_ms);
	w->case_ms = w->now_ms + (w->case_step & 1 ? 5 * HO_MINUTE : HO_DAY);
	w->case_step++;
}

static void h3_judge(struct ho *w)
{
	ho_must(w, ho_end_of(w, 0) == END_DONE || ho_end_of(w, 0) == END_ROLLED_BACK,
		"a card that is seldom there neither came nor went back");
}

/* ---- H4: the phone refuses REFRESH, again and again ---- */

static void h4_draw(struct ho_draw *d)
{
	d->air.refresh_refused_ppm = 800000;
}

/* ---- H7: everything twice ---- */

static void h7_draw(struct ho_draw *d)
{
	d->air.dup_ppm = SIM_PPM;
	d->twice_ppm = SIM_PPM;
}

/* ---- H8: A's database of the time of STAGE is put back when the cards are at B ---- */

static void h8_draw(struct ho_draw *d)
{
	d->bound_ms = 20 * HO_DAY;
	d->until_ms = 3 * HO_DAY;
}

static void h8_act(struct ho *w)
{
	bool there = true;

	for (uint32_t i = 0; i < w->d.cards; i++)
		there &= ho_look(w, i).state == SIM_SUB_CONFIRMED;
	if (w->case_step == 0 && ho_look(w, 0).state == SIM_SUB_STAGED && w->p[HO_A].store) {
		w->backup = store_mem_disk_copy(w->p[HO_A].disk);
		w->case_step = 1;
	} else if (w->case_step == 1 && there) {
		ho_party_restore(&w->p[HO_A], w->backup);
		w->backup = NULL;
		w->case_step = 2;
	}
}

static void h8_judge(struct ho *w)
{
	ho_must(w, w->case_step == 2, "no backup was put back");
	ho_all_done(w);
	for (uint32_t i = 0; i < w->d.cards; i++)
		ho_must(w, ho_look(w, i).op == HO_B, "a card that had come is not at B any more");
}

/* ---- H5: cancelled after the keys went to B, then ordered to C ---- */

static void h5_draw(struct ho_draw *d)
{
	d->ops = 3;
	d->carry_ms = (struct sim_range){ HO_MINUTE, HO_MINUTE };
	d->cancel = true;
	d->cancel_ms = 6 * HO_MINUTE + 30000;
}

static bool h5_leg(struct ho *w)
{
	return w->leg < 2 && ho_order_give(w, HO_A, w->leg ? HO_C : HO_B, ho_cards_at(w, HO_A));
}

static void h5_judge(struct ho *w)
{
	for (unsigned i = 0; i < w->d.cards; i++) {
		if (!w->leg) {
			ho_must_end(w, i, END_CANCELLED);
			ho_must(w, ho_has_pair(w, HO_B, i, 2), "B has not got its pair before the order was cancelled");
			continue;
		}
		ho_must_end(w, i, END_DONE);
		ho_must(w, ho_look(w, i).op == HO_C && ho_look(w, i).index == 3,
			"the card is not at C with the index after that which B has got");
		ho_must(w, !ho_has_pair(w, HO_C, i, 2), "C has got the pair that is B's");
	}
}

/* ---- cancelled while the cards are staged and B is not ready ---- */

static void cancel_draw(struct ho_draw *d)
{
	d->carry_ms = (struct sim_range){ HO_MINUTE, HO_MINUTE };
	d->cancel = true;
	d->cancel_ms = 5 * HO_MINUTE + 30000;
}

static void early_draw(struct ho_draw *d)
{
	cancel_draw(d);
	d->cancel_ms = HO_MINUTE + 30000;
}

static void cancel_judge(struct ho *w)
{
	for (unsigned i = 0; i < w->d.cards; i++)
		ho_must_end(w, i, END_CANCELLED);
	ho_must(w, !w->arms, "a card was armed");
}

/* F13 goes through all that three parties do for one card. */
void ho_one_card(struct ho_draw *d)
{
	d->cards = 1;
}

const struct ho_case ho_cases_fine[] = {
	{ "fine", "nothing goes wrong, in 3b", NULL, NULL, ho_all_done, ORDER_3B },
	{ "fine-3a", "nothing goes wrong, in 3a", NULL, NULL, ho_all_done, ORDER_3A },
	{ "F1", "a device out of coverage for ten days", NULL, f1_act, ho_all_done, ORDER_3B },
	{ "F2", "the proof of STAGE is lost", NULL, f2_act, ho_all_done, ORDER_3B },
	{ "F4", "ARM, and the device is switched off and on before REFRESH", NULL, f4_act, f4_judge, ORDER_3B },
	{ "F5", "the papers' order, and B is not ready", f5_draw, NULL, f5_judge, ORDER_3B },
	{ "F6", "B's register cannot create some", f6_draw, NULL, f6_judge, ORDER_3B },
	{ "F14", "no pair is left", f14_draw, NULL, f14_judge, ORDER_3B },
	{ "F19", "B's CONFIRM is not delivered, service is good", NULL, f19_act, f19_judge, ORDER_3B },
	{ "H1", "the proof of ARM is lost, the card has moved, in 3a", NULL, h1_act, h1_judge, ORDER_3A },
	{ "H2", "B authenticates it and never lets it in", h2_draw, NULL, h2_judge, ORDER_3B },
	{ "H3", "in coverage for five minutes a day", NULL, h3_act, h3_judge, ORDER_3B },
	{ "H4", "the phone refuses REFRESH four times of five", h4_draw, NULL, ho_all_done, ORDER_3B },
	{ "H7", "every message and every package comes twice", h7_draw, NULL, ho_all_done, ORDER_3B },
	{ "H5", "cancelled after B has got its keys, then ordered to C", h5_draw, NULL, h5_judge, ORDER_3B,
	  .leg = h5_leg },
	{ "H8", "yesterday's backup is put back at A", h8_draw, h8_act, h8_judge, ORDER_3B },
	{ "early", "cancelled while B's list is on its way", early_draw, NULL, cancel_judge, ORDER_3B },
	{ "cancel", "cancelled while staged", cancel_draw, NULL, cancel_judge, ORDER_3B },
	{ NULL, NULL, NULL, NULL, NULL, 0 },
};

void ho_case_draw(struct ho *w)
{
	struct ho_draw *d = &w->d;

	*d = (struct ho_draw){ .cards = 3,
			       .ops = 2,
			       .kind = w->c->kind,
			       .policy = POLICY_DELIVER_FIRST,
			       .pairs = 6,
			       .carry_ms = { 500, 2000 },
			       .commit_ms = { 1, 5 },
			       .read_ms = { 1, 5 },
			       .hlr_ms = { 10, 100 },
			       .trial_s = 4 * 3600,
			       .until_ms = 90 * HO_DAY,
			       .calm_ms = HO_DAY,
			       .bound_ms = 60 * HO_DAY };
	sim_air_cfg_default(&d->air);
	d->air.alert = SIM_ALERT_PENDING;
	d->air.locate_ms = (struct sim_range){ 3 * HO_HOUR, 6 * HO_HOUR };
	if (w->c->draw)
		w->c->draw(d);
	snprintf(w->case_imsi, sizeof(w->case_imsi), "001025000000001");
}
