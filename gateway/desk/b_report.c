/* b_report.c - the new operator: what became of the lines of an order, added up and held against what the old one tells.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "desk.h"

void desk_report_b(struct desk_report_b *r, uint16_t step, const struct line *l)
{
	const bool listed = l->flags & LINE_LISTED, served = l->flags & LINE_SERVED,
		   confirmed = l->flags & LINE_CONFIRMED;

	r->lines++;
	r->paired += l->imsi[0] != '\0';
	r->listed += listed;
	r->closed += step == B_CLOSED;
	r->told[listed && l->told < DESK_ENDS ? l->told : END_NONE]++;
	r->ready += (l->flags & LINE_READY) != 0;
	r->served += served;
	r->confirmed += confirmed;
	r->refused += (l->flags & LINE_REFUSED) != 0;
	r->back += l->imsi[0] && !confirmed && !(l->flags & LINE_REFUSED) && (step == B_CLOSED || step == B_ENDING);
	r->done_not_here += listed && l->told == END_DONE && !confirmed;
	r->here_not_done += listed && l->told != END_DONE && (confirmed || (served && l->told != END_ROLLED_BACK));
}

bool desk_report_b_sums(const struct desk_report_b *r)
{
	return r->closed == r->lines && r->listed == r->paired && !r->done_not_here && !r->here_not_done;
}
