/* ho_case_packages.c - hand-overs in words: what travels as packages, and what is in them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ho.h"

/* ---- escrow ---- */

static void escrow_draw(struct ho_draw *d)
{
	d->policy = POLICY_ESCROW;
}

static void escrow_judge(struct ho *w)
{
	ho_all_done(w);
	for (unsigned i = 0; i < w->d.cards; i++) {
		struct line a, b;

		ho_must(w, ho_line_of(w, SIDE_A, i, &a) && ho_line_of(w, SIDE_B, i, &b), "a card has no line");
		ho_must(w, a.flags & LINE_ESCROW && b.flags & LINE_ESCROW, "its keys were not in escrow");
	}
}

/* One device is never switched on in the time of the order: B has its locked keys, and no key for the lock. */
static void shut_draw(struct ho_draw *d)
{
	d->policy = POLICY_ESCROW;
	d->until_ms = 3 * HO_DAY;
}

static void shut_act(struct ho *w)
{
	if (w->case_step == 0)
		sim_air_cover(ho_air(w), 0, SIM_COVERAGE_ABSENT, w->now_ms);
	else if (w->case_step == 1 && w->now_ms >= w->case_ms)
		sim_air_cover(ho_air(w), 0, SIM_COVERAGE_PRESENT, w->now_ms);
	else
		return;
	w->case_step++;
	w->case_ms = w->case_step == 1 ? w->base_ms + w->d.until_ms + HO_HOUR : 0;
}

static void shut_judge(struct ho *w)
{
	struct line a, b;

	ho_must_end(w, 0, END_UNREACHED);
	ho_must_end(w, 1, END_DONE);
	ho_must(w, ho_line_of(w, SIDE_A, 0, &a) && ho_line_of(w, SIDE_B, 0, &b), "a card has no line");
	ho_must(w, a.flags & LINE_ESCROW && b.flags & LINE_ESCROW, "its keys were not in escrow");
	ho_must(w, !(a.flags & LINE_PROVISIONAL) && !(b.flags & LINE_PROVISIONAL), "its keys were opened");
}

/* A's books are put back to before it has sent the locked keys, once B has got them, or has opened them: they come again, locked anew. */
static void restored_act(struct ho *w, uint16_t b_has)
{
	struct line a, b;

	if (w->case_step || !ho_line_of(w, SIDE_A, 0, &a) || !ho_line_of(w, SIDE_B, 0, &b))
		return;
	if (!(a.flags & LINE_ESCROW)) {
		store_mem_disk_free(w->backup);
		w->backup = store_mem_disk_copy(w->p[HO_A].disk);
	} else if (b.flags & b_has) {
		ho_party_restore(&w->p[HO_A], w->backup);
		w->backup = NULL;
		w->case_step = 1;
	}
}

static void locked_act(struct ho *w)
{
	restored_act(w, LINE_ESCROW);
}

static void opened_draw(struct ho_draw *d)
{
	escrow_draw(d);
	d->cards = 1; /* of no other one A has done more by then than its older books know (H8) */
}

static void opened_act(struct ho *w)
{
	restored_act(w, LINE_PROVISIONAL);
}

static void restored_judge(struct ho *w)
{
	escrow_judge(w);
	ho_must(w, w->case_step == 1, "no backup was put back");
}

/* ---- the proof of ARM leaves the phone when it is at B already, by B's SMSC ---- */

static struct sim_up stray;

static bool stray_up(struct ho *w, const struct sim_up *up)
{
	if (w->case_step || up->kind != SIM_UP_MO || up->op != HO_A || up->card || ho_look(w, 0).state != SIM_SUB_ARMED)
		return true;
	stray = *up;
	w->case_step = 1;
	return false;
}

static void stray_act(struct ho *w)
{
	struct line a;

	if (w->case_step == 1) { /* A's network has nothing to do with it */
		sim_world_up_answer(w->sim, stray.id, SIM_UP_OK, w->now_ms);
		w->case_step = 2;
	} else if (w->case_step == 2 && ho_look(w, 0).op == HO_B && w->p[HO_B].link) {
		stray.op = HO_B;
		stray.id = UINT64_MAX;
		ho_must(w, sim_hlr_msisdn_of(sim_world_hlr(w->sim, HO_B), w->case_imsi, stray.from.digits),
			"B's register does not know it");
		for (unsigned i = 0; i < 3; i++) /* the SMSC doubles it: A is told of each, and takes one */
			ho_link_up(w->p[HO_B].link, &stray);
		w->case_step = 3;
		w->case_ms = w->now_ms + 4000;
	} else if (w->case_step == 3 && w->now_ms >= w->case_ms) { /* before B has seen it at its register */
		ho_must(w, ho_line_of(w, SIDE_A, 0, &a), "the card has no line");
		ho_must(w, !(a.flags & LINE_SERVED), "it is served already: that proves nothing");
		ho_must(w, a.evidence_ms >= a.armed_ms && a.evidence == 4, "A has not taken the proof of ARM");
		w->case_step = 4;
		w->case_ms = 0;
	}
}

static void stray_judge(struct ho *w)
{
	ho_all_done(w);
	ho_must(w, w->case_step == 4, "no proof strayed to B");
}

const struct ho_case ho_cases_packages[] = {
	{ "escrow", "keys in escrow, and nothing goes wrong", escrow_draw, NULL, escrow_judge, ORDER_3A },
	{ "shut", "keys in escrow of a device that is never there", shut_draw, shut_act, shut_judge, ORDER_3A },
	{ "locked", "the same, and an older backup at A when B has them", escrow_draw, locked_act, restored_judge,
	  ORDER_3A },
	{ "opened", "and when B has opened them", opened_draw, opened_act, restored_judge, ORDER_3A },
	{ "stray", "the proof of ARM comes to B, by its SMSC", NULL, stray_act, stray_judge, ORDER_3A, .up = stray_up },
	{ "stray-3b", "the same in 3b", NULL, stray_act, stray_judge, ORDER_3B, .up = stray_up },
	{ NULL, NULL, NULL, NULL, NULL, 0 },
};
