/* c_move.c - another IMSI for a card of ours, from ARM on: under which of its two is it here, and what that means.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Registered under the new one (E5), it is addressed by its new numbers and asked to confirm; seen under the old one again, it is addressed by its
 * old numbers and asked how it stands.  Either may be wrong, or old, and only leads to a question: CONFIRM answered is E6, and
 * "went back" is the other end.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "a_int.h"
#include "b_int.h"
#include "c_int.h"

/* ---- looks ---- */

static bool waits_new(const struct desk *d, const struct line *l, uint16_t step)
{
	if (!(l->flags & LINE_ARMED))
		return false;
	return step == A_ARMING || step == A_ARMED || (step == A_LOOKING && desk_now(d) - l->here_ms >= C_DOUBT_MS);
}

void c_look_after(struct desk *d, struct desk_job *j)
{
	a_here_after(d, j);
	if (!desk_deps(d)->hlr)
		return;
	for (unsigned i = 0; i < j->n; i++) {
		const struct line *l = &j->line[i];

		if (waits_new(d, l, j->row[i].row.step) && !b_look_soon(d, l))
			return;
	}
}

static void served(struct desk_job *j, unsigned i)
{
	const struct desk_event *ev = &j->event[i];
	struct line *l = &j->line[i];

	if (ev->hlr.end == HLR_ABSENT && j->row[i].row.step == A_ARMED) {
		/* somebody has removed it: the card would find nobody */
		desk_log(j->d, LOG_WARNING, "change %s: card %s is not in our HLR under IMSI %s any more; made anew",
			 j->order->o.name, l->iccid, l->imsi);
		job_line_put(j, i, C_PROVISION);
	}
	if (ev->hlr.end != HLR_OK || !*ev->hlr.vlr)
		return;
	snprintf(l->vlr, sizeof(l->vlr), "%.15s", ev->hlr.vlr);
	l->evidence = 5;
	l->served_ms = l->evidence_ms = ev->at_ms;
	job_line_put(j, i, C_COME);
}

/* ---- its numbers in our books ---- */

/* False: not now, it comes again. */
static bool take(struct desk_job *j, unsigned i, const char *imsi, const char *msisdn, const char *why)
{
	struct store_card_insert c = { .card = { .created_ms = desk_now(j->d), .tz_min = CARD_TZ_KEEP } };
	const struct card_bundle *now = &j->card[i];
	const struct line *l = &j->line[i];

	if (now->card.id && now->has_txn && now->txn.state <= TXN_ACTIVE) {
		job_settle(j, i, TXN_DONE, why); /* an operator's own campaign is waited for */
		return false;
	}
	if (job_refused(j, i)) {
		if (job_refused(j, i) != STORE_R_OPEN_TXN)
			job_alarm(j, "card %s cannot have IMSI %s and MSISDN %s in our books: has another card them?",
				  l->iccid, imsi, *msisdn ? msisdn : "none");
		return false;
	}
	memcpy(c.card.iccid, l->iccid, sizeof(c.card.iccid));
	snprintf(c.card.imsi, sizeof(c.card.imsi), "%s", imsi);
	snprintf(c.card.msisdn, sizeof(c.card.msisdn), "%s", msisdn);
	job_op(j, i, ST_CARD_TAKE, &c, NULL, 0);
	return true;
}

static void again(struct desk_job *j, bool wait)
{
	c_again(j, wait ? desk_now(j->d) + C_BUSY_MS : INT64_MAX);
}

int c_come_decide(struct desk *d, struct desk_job *j)
{
	bool wait = false;

	(void)d;
	for (unsigned i = 0; i < j->n; i++) {
		struct line *l = &j->line[i];

		if (!take(j, i, l->imsi, b_msisdn(l), "registered under its new IMSI")) {
			wait = true;
			continue;
		}
		l->flags |= LINE_SERVED;
		l->again_ms = 0;
		job_line_put(j, i, C_CONFIRM);
	}
	again(j, wait);
	return 0;
}

int c_back_decide(struct desk *d, struct desk_job *j)
{
	bool wait = false;

	(void)d;
	for (unsigned i = 0; i < j->n; i++) {
		struct line *l = &j->line[i];

		if (!take(j, i, l->old_imsi, l->old_msisdn, "seen under its old IMSI again")) {
			wait = true;
			continue;
		}
		l->flags &= (uint16_t)~LINE_SERVED;
		a_put(j, i, A_LOOK);
	}
	again(j, wait);
	return 0;
}

/* ---- CONFIRM ---- */

int c_confirm_decide(struct desk *d, struct desk_job *j)
{
	int64_t next_ms = INT64_MAX;

	(void)d;
	for (unsigned i = 0; i < j->n; i++) {
		const struct line *l = &j->line[i];
		struct work w = { .kind = WORK_CONFIRM, .order = l->order, .from = l->from, .to = l->to };

		memcpy(w.imsi, l->imsi, sizeof(w.imsi));
		if (!c_plan(j, i, &w, l->kvn, &next_ms))
			continue;
		job_line_put(j, i, C_CONFIRMING);
		desk_again(j->d, l->order, C_CONFIRMING, desk_now(j->d) + a_heard_ms(j->d, &j->order->o));
	}
	c_again(j, next_ms);
	return 0;
}

static void confirmed(struct desk_job *j, unsigned i)
{
	const struct desk_event *ev = &j->event[i];
	const uint16_t step = j->row[i].row.step;
	struct line *l = &j->line[i];

	if (step != C_CONFIRM && step != C_CONFIRMING && step != C_BACK)
		return;
	if (ev->verdict == WORK_IS_DONE + 1) { /* also late, of one that was given up */
		l->flags |= LINE_CONFIRMED;
		l->evidence = 6;
		l->end = END_DONE;
		l->why[0] = '\0';
		l->again_ms = 0;
		l->confirmed_ms = l->evidence_ms = ev->at_ms;
		job_line_put(j, i, l->bridged ? C_NUMBER_OFF : A_PURGE);
		return;
	}
	if (step != C_CONFIRMING || ev->again)
		return;
	if (ev->verdict == WORK_WENT_BACK + 1) {
		job_line_put(j, i, C_BACK);
		return;
	}
	if (ev->verdict && ev->verdict != WORK_NOT_RUN + 1)
		job_alarm(j, "card %s does not confirm its new IMSI: %.90s; asked again", l->iccid, ev->reason);
	l->again_ms = desk_now(j->d) + C_RETRY_MS;
	job_line_put(j, i, C_CONFIRM);
}

void c_move_txn(struct desk_job *j, unsigned i)
{
	if (j->event[i].work == WORK_CONFIRM)
		confirmed(j, i);
	else
		a_on_txn(j, i);
}

/* ---- its MSISDN, which the old IMSI has had until now ---- */

static int number(struct desk_job *j, bool off)
{
	int64_t next_ms = INT64_MAX;

	for (unsigned i = 0; i < j->n; i++) {
		const struct line *l = &j->line[i];

		if (l->again_ms > desk_now(j->d)) {
			next_ms = l->again_ms < next_ms ? l->again_ms : next_ms;
			continue;
		}
		job_hlr(j, i, HLR_MSISDN, off ? l->old_imsi : l->imsi, off ? "" : l->msisdn, NULL);
		job_line_put(j, i, off ? C_NUMBERING_OFF : C_NUMBERING);
	}
	c_again(j, next_ms);
	return 0;
}

int c_number_off_decide(struct desk *d, struct desk_job *j)
{
	(void)d;
	return number(j, true);
}

int c_number_decide(struct desk *d, struct desk_job *j)
{
	(void)d;
	return number(j, false);
}

int c_numbered_decide(struct desk *d, struct desk_job *j)
{
	bool wait = false;

	(void)d;
	for (unsigned i = 0; i < j->n; i++) {
		struct line *l = &j->line[i];

		if (!take(j, i, l->imsi, l->msisdn, "has confirmed its new IMSI")) {
			wait = true;
			continue;
		}
		l->bridged = false;
		job_line_put(j, i, A_PURGE);
	}
	again(j, wait);
	return 0;
}

static void numbered(struct desk_job *j, unsigned i, bool off)
{
	const struct desk_event *ev = &j->event[i];
	struct line *l = &j->line[i];

	l->again_ms = 0;
	if (ev->hlr.end == HLR_OK || (off && ev->hlr.end == HLR_ABSENT)) {
		job_line_put(j, i, off ? C_NUMBER : C_NUMBERED);
		return;
	}
	job_alarm(j, "card %s: our HLR does not move MSISDN %s to its new IMSI: %.70s; tried again", l->iccid,
		  l->msisdn, ev->hlr.end == HLR_ABSENT ? "it does not have it any more" : ev->hlr.why);
	l->again_ms = desk_now(j->d) + C_RETRY_MS;
	job_line_put(j, i, off ? C_NUMBER_OFF : C_NUMBER);
}

void c_move_hlr(struct desk_job *j, unsigned i)
{
	const struct desk_event *ev = &j->event[i];
	const uint16_t step = j->row[i].row.step;
	const bool asked = step == C_CONFIRM || step == C_CONFIRMING;
	struct line *l = &j->line[i];
	const int64_t here_ms = l->here_ms;

	if (ev->hlr_kind == HLR_MSISDN && (step == C_NUMBERING || step == C_NUMBERING_OFF))
		numbered(j, i, step == C_NUMBERING_OFF);
	else if (ev->hlr_kind != HLR_READ)
		return;
	else if (!ev->marks && waits_new(j->d, l, step))
		served(j, i);
	else if (ev->marks && (asked || a_waits_here(step)))
		a_here(j, i);
	if (asked && l->here_ms != here_ms)
		job_line_put(j, i, C_BACK);
}
