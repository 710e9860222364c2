/* a_report.c - the old operator: what became of the lines of an order, added up.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "desk.h"

void desk_report_a(struct desk_report_a *r, uint16_t step, const struct line *l)
{
	const bool ended = l->end != END_NONE;

	r->lines++;
	r->paired += l->imsi[0] != '\0';
	r->listed += (l->flags & LINE_LISTED) != 0;
	r->closed += step == A_CLOSED;
	r->by_end[l->end < DESK_ENDS ? l->end : END_FAILED]++;
	if (!ended) {
		r->staged += (l->flags & LINE_STAGED) && !(l->flags & LINE_ARMED);
		r->ready += (l->flags & LINE_READY) && !(l->flags & LINE_ARMED);
		r->armed += (l->flags & LINE_ARMED) && !(l->flags & LINE_SERVED);
		r->served += (l->flags & LINE_SERVED) != 0;
	}
	/* a card that stays here under keys that another operator has seen */
	if (ended && l->end != END_DONE) {
		r->exposed_k += (l->flags & LINE_PROVISIONAL) != 0;
		r->exposed_ota += (l->flags & LINE_FINAL) != 0;
	}
	if (l->to && (!r->has_left || l->left < r->least_left)) {
		r->has_left = true;
		r->least_left = l->left;
	}
}

bool desk_report_a_sums(const struct desk_report_a *r)
{
	return r->closed == r->lines && r->listed == r->paired && !r->by_end[END_NONE];
}
