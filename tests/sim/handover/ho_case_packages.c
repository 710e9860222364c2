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

const struct ho_case ho_cases_packages[] = {
	{ "escrow", "keys in escrow, and nothing goes wrong", escrow_draw, NULL, escrow_judge, ORDER_3A },
	{ "shut", "keys in escrow of a device that is never there", shut_draw, shut_act, shut_judge, ORDER_3A },
	{ NULL, NULL, NULL, NULL, NULL, 0 },
};
