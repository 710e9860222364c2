/* a_here.c - the old operator: whether an armed card is still here, as our register tells it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * An ARM that is lost while the phone stays in its cell: nothing makes the card heard again, no alert comes.  But its network goes on
 * authenticating it under its old IMSI, and each time our register gives out vectors its SQN grows.  So the old IMSI of an armed line is looked up
 * now and then: a first look after the last thing that was done to the card is the mark, growth from there on says that it was here
 * since.  It says no more than that, and not who it was: the core sends the same octets again, or asks for STATUS, and only what the
 * card says under its keys closes anything.
 *
 * A VLR fetches several vectors at once (OsmoMSC five), so that growth may come late by as many authentications.
 */
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "a_int.h"

/* How often a line is looked up, in times the poll of the HLR: by its age, so much of the time it has been armed. */
#define HERE_POLLS_MIN 6   /* 30 s as it is shipped */
#define HERE_POLLS_MAX 180 /* 15 min */
#define HERE_AGE       16
#define HERE_LINES \
	1000 /* lines of an order that are gone through in one period: the more they are, the longer it takes */

int64_t a_since_ms(const struct line *l, const struct card_bundle *c)
{
	int64_t since_ms = l->armed_ms;

	if (l->evidence_ms > since_ms)
		since_ms = l->evidence_ms;
	if (l->served_ms > since_ms)
		since_ms = l->served_ms;
	if (c && c->card.id && c->has_txn && c->txn.last_try_ms > since_ms)
		since_ms = c->txn.last_try_ms;
	return since_ms;
}

int64_t a_heard_ms(const struct desk *d, const struct order *o)
{
	const int64_t ms = desk_cfg(d)->hlr_poll_ms * HERE_POLLS_MIN;

	return ms + (int64_t)(o->lines / HERE_LINES) * ms;
}

static int64_t period(const struct desk *d, const struct line *l)
{
	const int64_t most_ms = desk_cfg(d)->hlr_poll_ms * HERE_POLLS_MAX, ms = (desk_now(d) - l->armed_ms) / HERE_AGE;

	return ms < most_ms ? ms : most_ms;
}

/* When these lines are gone through again: as often as the youngest of them wants it. */
static int64_t span(const struct desk_job *j)
{
	int64_t ms = INT64_MAX;

	for (unsigned i = 0; i < j->n; i++)
		if (period(j->d, &j->line[i]) < ms)
			ms = period(j->d, &j->line[i]);
	return ms > a_heard_ms(j->d, &j->order->o) ? ms : a_heard_ms(j->d, &j->order->o);
}

int a_arming_decide(struct desk *d, struct desk_job *j)
{
	desk_again(d, j->order->o.number, j->work->step, desk_now(d) + span(j));
	return 0;
}

void a_here_after(struct desk *d, struct desk_job *j)
{
	const int64_t span_ms = span(j);

	if (!desk_deps(d)->hlr)
		return;
	for (unsigned i = 0; i < j->n; i++) {
		const struct line *l = &j->line[i];
		struct desk_look look = { .order = l->order, .marks = true, .known = l->mark };

		if (!l->old_imsi[0] || !(l->flags & LINE_ARMED) || !desk_look_due(d, l, period(d, l), span_ms))
			continue;
		if (look.known.at_ms <= a_since_ms(l, &j->card[i])) /* growth would be from before: marked anew */
			look.known = (struct line_mark){ 0 };
		memcpy(look.iccid, l->iccid, sizeof(look.iccid));
		memcpy(look.imsi, l->old_imsi, sizeof(look.imsi));
		if (!desk_look_soon(d, &look))
			return;
	}
}

bool a_waits_here(uint16_t step)
{
	return step == A_ARMING || step == A_LOOKING || step == A_ARMED || step == A_SERVED;
}

void a_here(struct desk_job *j, unsigned i)
{
	const struct desk_event *ev = &j->event[i];
	const uint16_t step = j->row[i].row.step;
	struct line *l = &j->line[i];
	struct line_mark now;

	if (ev->hlr.end != HLR_OK) {
		if (!j->order->o.alarm[0])
			job_alarm(j,
				  "card %s is armed, and our register does not have its old IMSI any more: put it back",
				  l->iccid);
		return;
	}
	if (ev->asked_ms <= l->mark.at_ms || (ev->known_ms && ev->known_ms != l->mark.at_ms))
		return; /* marked anew meanwhile */
	desk_mark(&now, &ev->hlr, ev->asked_ms);
	if (ev->known_ms && l->mark.at_ms > a_since_ms(l, NULL) && desk_mark_grown(&l->mark, &now)) {
		/* of what the core has under way it must know; no room: this is found again */
		if ((step == A_ARMING || step == A_LOOKING) && desk_deps(j->d)->gw &&
		    gw_card_seen(desk_deps(j->d)->gw, l->old_imsi, l->mark.at_ms))
			return;
		l->here_ms = desk_now(j->d);
		desk_log(j->d, LOG_INFO, "order %s: card %s was here since: our register says so of its old IMSI",
			 j->order->o.name, l->iccid);
	}
	l->mark = now;
	a_put(j, i, (enum line_step)step);
}
