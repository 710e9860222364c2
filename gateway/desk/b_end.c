/* b_end.c - the new operator: CONFIRM under its own keys, and how lines end.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The card is ours to command from the moment it has been seen here (E5): one writer at a time.  CONFIRM stops its timer; a card that
 * has confirmed itself answers the same.  What does not come is undone: the IMSI leaves our HLR and rests, the pair stays ours and is
 * nobody's any more.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "b_int.h"

/* ---- CONFIRM ---- */

static bool busy(const struct card_bundle *c)
{
	return c->card.id && c->has_txn && (c->txn.state == TXN_PLANNED || c->txn.state == TXN_ACTIVE);
}

static int confirm_plan(struct desk_job *j, unsigned i)
{
	const struct line *l = &j->line[i];
	struct work w = { .kind = WORK_CONFIRM, .order = l->order, .from = l->from, .to = l->to };

	if (l->flags & LINE_PLAIN) /* nothing to confirm on the card: that its keys show our IMSI is the proof */
		w.kind = WORK_READ;
	snprintf(w.imsi, sizeof(w.imsi), "%s", l->imsi);
	b_number_heard(j, i);
	return job_plan(j, i, &w, l->kvn);
}

int b_confirm_decide(struct desk *d, struct desk_job *j)
{
	int64_t next_ms = INT64_MAX;

	for (unsigned i = 0; i < j->n; i++) {
		struct line *l = &j->line[i];
		int rc = l->again_ms > d->now_ms ? -EAGAIN : busy(&j->card[i]) ? -EBUSY : confirm_plan(j, i);
		int64_t again_ms = rc == -EAGAIN ? l->again_ms : d->now_ms + B_RETRY_MS;

		if (!rc) {
			job_line_put(j, i, B_CONFIRMING);
			continue;
		}
		if (again_ms < next_ms)
			next_ms = again_ms;
		if (rc != -EAGAIN && rc != -EBUSY && rc != -ENOBUFS) {
			job_alarm(j, "card %s: CONFIRM cannot be planned: %s; is its import complete?", l->iccid,
				  strerror(-rc));
		}
	}
	if (next_ms != INT64_MAX)
		desk_again(d, j->order->o.number, B_CONFIRM, next_ms);
	return 0;
}

void b_event_txn(struct desk *d, struct desk_job *j, unsigned i)
{
	const struct desk_event *ev = &j->event[i];
	const uint16_t step = j->row[i].row.step;
	struct line *l = &j->line[i];

	if ((ev->work != WORK_CONFIRM && ev->work != WORK_READ) || (step != B_CONFIRMING && step != B_CONFIRM))
		return;
	if (ev->verdict == WORK_IS_DONE + 1) { /* also late, of one that was given up */
		l->flags |= LINE_CONFIRMED;
		l->evidence = 6;
		l->end = END_DONE;
		l->confirmed_ms = l->evidence_ms = ev->at_ms;
		b_tell_soon(j, i, B_TELL_CONFIRMED);
	} else if (step != B_CONFIRMING || ev->again) {
		return;
	} else if (ev->verdict == WORK_WENT_BACK + 1) {
		b_undo(j, i, B_CONFIRM, END_ROLLED_BACK);
	} else if (ev->verdict && ev->verdict != WORK_NOT_RUN + 1) {
		snprintf(l->why, sizeof(l->why), "CONFIRM: %.80s", ev->reason);
		job_alarm(j, "card %s does not confirm the order: %.90s", l->iccid, ev->reason);
		b_rest(j, i);
	} else { /* no answer: it confirms itself meanwhile, or A tells that it went back */
		l->again_ms = d->now_ms + B_CONFIRM_MS;
		job_line_put(j, i, B_CONFIRM);
		desk_again(d, j->order->o.number, B_CONFIRM, l->again_ms);
	}
}

/* ---- ends ---- */

void b_close(struct desk_job *j, unsigned i)
{
	struct line *l = &j->line[i];
	struct order *o = &j->order->o;
	char key[BOOK_KEY_MAX];

	if (l->bridged && l->flags & LINE_CONFIRMED) { /* its MSISDN first */
		l->again_ms = 0;
		job_line_put(j, i, B_NUMBER);
		return;
	}
	l->ended_ms = j->d->now_ms;
	job_drop(j, BOOK_TAKEN, l->iccid, BOOK_ANY);
	if (o->kind == ORDER_3A && *l->imsi) {
		line_key(key, l->order, l->iccid);
		job_drop(j, BOOK_SET, key, BOOK_ANY);
	}
	job_line_put(j, i, B_CLOSED);
	if (++o->closed >= o->lines) {
		o->step = ORDER_ENDED;
		o->ended_ms = j->d->now_ms;
	}
	job_order_put(j);
}

void b_rest(struct desk_job *j, unsigned i)
{
	if (j->line[i].flags & LINE_LISTED) {
		b_close(j, i);
		return;
	}
	j->line[i].again_n = 0;
	b_again_from(j, i, B_ENDING);
}

void b_imsi_rest(struct desk_job *j, const char *imsi, uint64_t order)
{
	uint8_t at[8];

	for (int k = 0; k < 8; k++)
		at[k] = (uint8_t)((uint64_t)j->d->now_ms >> (56 - 8 * k));
	if (*imsi)
		job_put(j, BOOK_IMSI, imsi, order, IMSI_BACK, BOOK_ANY, at, sizeof(at));
}

void b_imsi_back(struct desk_job *j, unsigned i)
{
	b_imsi_rest(j, j->line[i].imsi, j->line[i].order);
}

void b_undo(struct desk_job *j, unsigned i, uint16_t step, enum line_end end)
{
	struct line *l = &j->line[i];

	if (!l->end || l->end == END_DONE)
		l->end = (uint8_t)end;
	if (step == B_ENDING && l->flags & LINE_CANCEL) { /* has been undone */
		b_close(j, i);
		return;
	}
	l->flags |= LINE_CANCEL;
	b_number_forget(j, i);
	/* an operation is under way at the HLR: its answer first */
	job_line_put(j, i, step == B_PROVISIONING || step == B_UNDOING ? (enum line_step)step : B_UNDO);
}

/* What A does not know yet is told, with our highest counter: in 3a the card goes back under the same keys. */
static bool recalled(const struct line *l)
{
	return l->flags & LINE_READY && !(l->flags & LINE_LISTED);
}

static int undo_tell(struct desk_job *j, struct desk_out **o, unsigned i)
{
	const struct line *l = &j->line[i];

	if (!recalled(l))
		return 0;
	if (!*o)
		*o = out_open(j, XCHG_CF, j->order->o.a, NULL);
	return *o ? b_tell(j, *o, l, "recalled", "E0", j->d->now_ms, b_highest(&j->card[i], l->kvn)) : -1;
}

static void undo_line(struct desk_job *j, unsigned i)
{
	const struct line *l = &j->line[i];
	const bool refused = l->flags & LINE_REFUSED;

	/* its keys are here, so it may be known here, under the IMSI that it did not take */
	if (j->card[i].card.id && !j->card[i].card.gone_ms && !strcmp(j->card[i].card.imsi, l->imsi)) {
		struct card_row c = { .gone_ms = j->d->now_ms };

		snprintf(c.iccid, sizeof(c.iccid), "%s", l->iccid);
		job_op(j, i, ST_CARD_LEAVE, &c, NULL, 0);
	}
	if (l->flags & LINE_PROVISIONED) { /* else its IMSI is not in the HLR, or is somebody else's there */
		const struct store_book *sub = &j->also[i];

		job_hlr(j, i, HLR_REMOVE, l->imsi, "",
			sub->row.version && sub->row.len == KS_SUB_LEN ? sub->body : NULL);
		job_line_put(j, i, B_UNDOING);
		return;
	}
	if (!refused)
		b_imsi_back(j, i);
	b_rest(j, i);
}

int b_undo_decide(struct desk *d, struct desk_job *j)
{
	struct desk_out *o = NULL;

	for (unsigned i = 0; i < j->n; i++) {
		if (busy(&j->card[i])) {
			job_settle(j, i, TXN_CANCELLED, "the card went back to its operator");
			desk_again(d, j->order->o.number, B_UNDO, d->now_ms + B_RETRY_MS);
			continue;
		}
		if (undo_tell(j, &o, i)) {
			if (o)
				out_drop(o);
			return -EINVAL;
		}
		undo_line(j, i);
	}
	return !o || !out_close(o) ? 0 : -EIO;
}
