/* a_number.c - the old operator: an MSISDN that goes with its card leaves our register when the card is served elsewhere (E5), and comes back with it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The old IMSI stays, with no MSISDN: a card that comes home finds its network, and is asked by its IMSI.  So this is for who addresses
 * by IMSI; who addresses by MSISDN could not ask it any more, and keeps the number until the subscriber is removed (E6).  A line that ends
 * otherwise than done is not closed before its number is back: in one register that is when the new operator has removed his subscriber.
 */
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "a_int.h"

#define FIRST_MS 10000		      /* tried again after so long, */
#define AGE	 16		      /* later after a sixteenth of the time that it has waited, */
#define MOST_MS	 3600000ll	      /* and after an hour at most */
#define ALARM_MS (7 * 86400ll * 1000) /* a person is told when it has waited so long */

bool a_keeps_msisdn(const struct line *l)
{
	return l->old_msisdn[0] && !strcmp(l->msisdn, l->old_msisdn);
}

static bool moves(const struct desk_job *j, const struct line *l)
{
	return j->order->o.side == SIDE_A && desk_deps(j->d)->hlr && l->old_imsi[0] && a_keeps_msisdn(l);
}

/* Whether the card is to be without it here. */
static bool away(const struct line *l)
{
	return l->flags & LINE_SERVED && (!l->end || l->end == END_DONE);
}

void a_number_off(struct desk_job *j, unsigned i)
{
	const struct line *l = &j->line[i];

	if (moves(j, l) && desk_cfg(j->d)->address_by_imsi && !l->bridged)
		job_hlr_msisdn(j, i, l->old_imsi, "", 0);
}

void a_number_on(struct desk_job *j, unsigned i)
{
	const struct line *l = &j->line[i];

	/* what it says of its number may be older than our register: its books were put back */
	if (moves(j, l) && (l->bridged || (desk_cfg(j->d)->address_by_imsi && l->flags & LINE_SERVED)))
		job_hlr_msisdn(j, i, l->old_imsi, l->old_msisdn, 0);
}

bool a_number_waits(struct desk_job *j, unsigned i)
{
	const struct line *l = &j->line[i];

	if (!moves(j, l) || l->end == END_DONE ||
	    (!l->bridged && !(l->end == END_ROLLED_BACK && desk_cfg(j->d)->address_by_imsi)))
		return false;
	job_hlr_msisdn(j, i, l->old_imsi, l->old_msisdn, 0);
	a_put(j, i, A_NUMBER);
	return true;
}

static void again(struct desk_job *j, unsigned i, bool off)
{
	const struct line *l = &j->line[i];
	const int64_t waited_ms = desk_now(j->d) - (off ? l->served_ms : l->ended_ms);
	int64_t ms = waited_ms / AGE < MOST_MS ? waited_ms / AGE : MOST_MS;

	ms = ms > FIRST_MS ? ms : FIRST_MS;
	job_hlr_msisdn(j, i, l->old_imsi, off ? "" : l->old_msisdn, desk_now(j->d) + ms);
	if (j->event[i].hlr.end == HLR_TAKEN && (waited_ms < ALARM_MS || j->order->o.alarm[0]))
		return; /* the new operator's still */
	job_alarm(j, "card %s: our register does not %s MSISDN %s, IMSI %s: %.60s; tried again", l->iccid,
		  off ? "take back" : "give back", l->old_msisdn, l->old_imsi,
		  j->event[i].hlr.end == HLR_ABSENT ? "it does not have it any more" : j->event[i].hlr.why);
}

void a_numbered(struct desk_job *j, unsigned i)
{
	const enum hlr_end end = j->event[i].hlr.end;
	const enum line_step step = (enum line_step)j->row[i].row.step;
	struct line *l = &j->line[i];
	const bool off = away(l), done = end == HLR_OK || (off && end == HLR_ABSENT);

	if (step == A_CLOSED)
		return;
	if (!done && !(off && l->flags & LINE_CONFIRMED)) /* then all of it is removed */
		again(j, i, off);
	if (done)
		l->bridged = off;
	if (done && step == A_NUMBER) {
		a_closed(j, i);
		return;
	}
	if (done && off)
		desk_log(j->d, LOG_INFO, "order %s: card %s is served by %s: IMSI %s has given up MSISDN %s",
			 j->order->o.name, l->iccid, j->order->o.b, l->old_imsi, l->old_msisdn);
	a_put(j, i, step);
}
