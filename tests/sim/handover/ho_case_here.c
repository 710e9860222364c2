/* ho_case_here.c - hand-overs in words: a card that never leaves its cell, and is heard of by nobody but its register.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The SMSC tells of nobody who is there all the time; the network authenticates him now and then.
 */
#include <string.h>

#include "ho.h"

/* ---- ARM is lost ---- */

static void lost_draw(struct ho_draw *d)
{
	d->air.locate_ms = (struct sim_range){ 6 * HO_HOUR, 6 * HO_HOUR };
}

static void lost_five_draw(struct ho_draw *d)
{
	lost_draw(d);
	d->air.vectors = SIM_VECTORS_MAX; /* only every fifth authentication is seen */
}

static void lost_act(struct ho *w)
{
	if (w->case_step == 0 && ho_look(w, 0).state == SIM_SUB_STAGED &&
	    sim_hlr_knows(sim_world_hlr(w->sim, HO_B), w->case_imsi)) {
		sim_air_taking(ho_air(w), 0, SIM_IGNORES, w->now_ms);
		w->case_step = 1;
		w->case_ms = w->now_ms + 2 * HO_HOUR;
	} else if (w->case_step == 1 && w->now_ms >= w->case_ms) {
		ho_must(w, ho_look(w, 0).state == SIM_SUB_STAGED, "ARM was not lost");
		sim_air_taking(ho_air(w), 0, SIM_TAKES, w->now_ms);
		w->case_step = 2;
		w->case_ms = 0;
	}
}

static void lost_judge(struct ho *w)
{
	ho_all_done(w);
	ho_must(w, w->case_step == 2, "nothing was lost");
	ho_must(w, ho_counters_of(w, HO_A, 0) == 2, "ARM was not repeated with the same octets");
}

/* ---- the MSISDN goes with the card, in one register ---- */

static void one_draw(struct ho_draw *d)
{
	d->keeps = d->one_register = true;
	d->crashes = 4;
	d->hlr_temp_ppm = 200000;
}

static void one_judge(struct ho *w)
{
	ho_all_done(w);
	for (uint32_t i = 0; i < w->d.cards; i++) {
		const struct sim_world_card t = ho_look(w, i);
		char msisdn[SIM_HLR_DIGITS_MAX + 1] = "";

		sim_hlr_msisdn_of(sim_world_hlr(w->sim, HO_B), t.imsi_stored, msisdn);
		ho_must(w, !strcmp(msisdn, sim_world_fleet(w->sim)->cards[i].msisdn),
			"a card has not got its MSISDN at B");
	}
}

static void one_lost_draw(struct ho_draw *d)
{
	lost_draw(d);
	d->keeps = d->one_register = true;
}

const struct ho_case ho_cases_here[] = {
	{ "msisdn", "both operators in one register, the MSISDN goes with the card", one_draw, NULL, one_judge,
	  ORDER_3B },
	{ "msisdn-3a", "the same in 3a", one_draw, NULL, one_judge, ORDER_3A },
	{ "lost-arm-msisdn", "ARM is lost, and who speaks under the MSISDN may be here or there", one_lost_draw,
	  lost_act, one_judge, ORDER_3B },
	{ "lost-arm", "ARM is lost, the phone stays in its cell", lost_draw, lost_act, lost_judge, ORDER_3B },
	{ "lost-arm-3a", "the same in 3a", lost_draw, lost_act, lost_judge, ORDER_3A },
	{ "lost-arm-5", "the same where five vectors are fetched at once", lost_five_draw, lost_act, lost_judge,
	  ORDER_3B },
	{ NULL, NULL, NULL, NULL, NULL, 0 },
};
