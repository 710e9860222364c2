/* b_tell.c - the new operator: what has been seen of a card goes to who waits for it (CF).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * ready or refused: whether our HLR has it.  served (E5): a completed location update here.  confirmed (E6): the card has answered
 * under the keys that are ours now; with this one alone the current operator may forget the card.  recalled: it went back.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "b_int.h"

#define VLR_MIN 3

void b_tell_soon(struct desk_job *j, unsigned i, enum line_step step)
{
	job_line_put(j, i, step);
	desk_again(j->d, j->order->o.number, step, j->d->now_ms + B_TELL_MS);
}

int b_tell(struct desk_job *j, struct desk_out *o, const struct line *l, const char *what, const char *evidence,
	   int64_t at_ms, uint64_t cntr)
{
	const size_t digits = strspn(l->vlr, "0123456789");
	const char *vlr = digits >= VLR_MIN && !l->vlr[digits] ? l->vlr : ""; /* a name is our own affair */
	char index[8] = "", at[24], text[24] = "";

	if (j->order->o.kind == ORDER_3B)
		snprintf(index, sizeof(index), "%u", l->to);
	snprintf(at, sizeof(at), "%" PRId64, at_ms / 1000);
	if (cntr)
		snprintf(text, sizeof(text), "%" PRIu64, cntr);
	return out_record(o, (const char *const[]){ l->iccid, l->imsi, index, what, evidence, at, vlr, text });
}

uint64_t b_highest(const struct card_bundle *c, uint8_t kvn)
{
	for (unsigned i = 0; c->card.id && i < c->n_keysets; i++)
		if (c->keyset[i].kvn == kvn)
			return c->keyset[i].cntr;
	return 0;
}

int b_ready_decide(struct desk *d, struct desk_job *j)
{
	struct desk_out *o = out_open(j, XCHG_CF, j->order->o.a, NULL);

	for (unsigned i = 0; o && i < j->n; i++) {
		struct line *l = &j->line[i];
		const bool refused = l->end == END_FAILED;

		if (b_tell(j, o, l, refused ? "refused" : "ready", "E0", d->now_ms, 0)) {
			out_drop(o);
			return -EINVAL;
		}
		if (refused) {
			b_rest(j, i);
			continue;
		}
		l->flags |= LINE_READY;
		l->ready_ms = d->now_ms;
		l->again_n = 0;
		if (*l->vlr)
			b_tell_soon(j, i, B_TELL_SERVED);
		else
			b_again_from(j, i, B_READY);
	}
	desk_again(d, j->order->o.number, B_READY, d->now_ms + d->cfg.hlr_poll_ms);
	return o && !out_close(o) ? 0 : -EIO;
}

int b_served_decide(struct desk *d, struct desk_job *j)
{
	struct desk_out *o = out_open(j, XCHG_CF, j->order->o.a, NULL);

	(void)d;
	for (unsigned i = 0; o && i < j->n; i++) {
		struct line *l = &j->line[i];

		if (b_tell(j, o, l, "served", "E5", l->served_ms, 0)) {
			out_drop(o);
			return -EINVAL;
		}
		b_number_soon(j, i);
		/* 3b: its OTA keys came with the pair; 3a: they come now */
		if (j->order->o.kind == ORDER_3B || l->flags & LINE_FINAL) {
			l->again_ms = 0;
			job_line_put(j, i, B_CONFIRM);
		} else {
			b_again_from(j, i, B_SERVED);
		}
	}
	return o && !out_close(o) ? 0 : -EIO;
}

/* only: NULL, or those of the lines that are meant */
static int confirmed_to(struct desk_job *j, const char *partner, const bool *only)
{
	struct desk_out *o = out_open(j, XCHG_CF, partner, NULL);

	for (unsigned i = 0; o && i < j->n; i++) {
		if (only && !only[i])
			continue;
		if (b_tell(j, o, &j->line[i], "confirmed", "E6", j->line[i].confirmed_ms,
			   b_highest(&j->card[i], j->line[i].kvn))) {
			out_drop(o);
			return -EINVAL;
		}
	}
	return o && !out_close(o) ? 0 : -EIO;
}

int b_confirmed_decide(struct desk *d, struct desk_job *j)
{
	int rc = confirmed_to(j, j->order->o.a, NULL);

	(void)d;
	if (!rc && *j->order->o.m)
		rc = confirmed_to(j, j->order->o.m, NULL);
	for (unsigned i = 0; !rc && i < j->n; i++) {
		struct line *l = &j->line[i];
		struct hold hold = { .index = l->to, .kvn = l->kvn };
		const char *from = j->order->o.kind == ORDER_3B ? j->order->o.m : j->order->o.a;
		uint8_t body[HOLD_LEN];

		memcpy(hold.from, from, sizeof(hold.from));
		job_put(j, BOOK_HOLD, l->iccid, l->order, 0, BOOK_ANY, body, hold_pack(&hold, body));
		if (l->flags & LINE_LISTED) {
			b_close(j, i);
			continue;
		}
		l->again_n = 0;
		b_again_from(j, i, B_CONFIRMED);
	}
	return rc;
}

/* ---- told again ----
 * A has acknowledged it, and may have left this record out, or have lost it with its books.  The answer in words is its hand-over list.  It is
 * the same that is told, and only while it is so. */

void b_again_from(struct desk_job *j, unsigned i, enum line_step step)
{
	struct line *l = &j->line[i];

	l->again_ms = j->d->now_ms + (B_AGAIN_MS << l->again_n);
	job_line_put(j, i, step);
	desk_again(j->d, j->order->o.number, step, l->again_ms);
}

static bool due(struct desk_job *j, unsigned i)
{
	struct line *l = &j->line[i];

	if (!l->again_ms)
		return false;
	if (l->again_ms > j->d->now_ms) {
		desk_again(j->d, j->order->o.number, j->work->step, l->again_ms);
		return false;
	}
	if (l->again_n < B_AGAIN_MAX) {
		l->again_n++;
		b_again_from(j, i, (enum line_step)j->work->step);
		return true;
	}
	l->again_ms = 0;
	job_line_put(j, i, (enum line_step)j->work->step);
	if (j->work->step != B_READY) /* a device may be off for long */
		job_alarm(j, "card %s: %s has been told %d times that it is %s, and has not answered", l->iccid,
			  j->order->o.a, B_AGAIN_MAX, line_step_name(j->work->step));
	return false;
}

/* What stands for a line that waits for its end; NULL: A has heard nothing of it from us. */
static const char *what_again(const struct line *l, uint16_t step)
{
	if (step == B_READY)
		return "ready";
	if (l->flags & LINE_REFUSED || !(l->flags & LINE_READY))
		return l->end == END_FAILED ? "refused" : NULL;
	return l->flags & LINE_CANCEL ? "recalled" : NULL;
}

static int confirmed_again(struct desk_job *j, const bool *tell)
{
	int rc = confirmed_to(j, j->order->o.a, tell);

	return rc || !*j->order->o.m ? rc : confirmed_to(j, j->order->o.m, tell);
}

static int others_again(struct desk_job *j, const bool *tell)
{
	struct desk_out *o = NULL;
	int rc = 0;

	for (unsigned i = 0; i < j->n && !rc; i++) {
		const struct line *l = &j->line[i];
		const char *what = tell[i] ? what_again(l, j->work->step) : NULL;

		if (!what)
			continue;
		if (!o && !(o = out_open(j, XCHG_CF, j->order->o.a, NULL)))
			return -EIO;
		rc = b_tell(j, o, l, what, "E0", j->d->now_ms, 0);
	}
	if (rc)
		out_drop(o);
	return rc ? -EINVAL : !o || !out_close(o) ? 0 : -EIO;
}

int b_again_decide(struct desk *d, struct desk_job *j)
{
	bool tell[DESK_PAGE] = { false }, any = false;

	for (unsigned i = 0; i < j->n; i++) {
		tell[i] = due(j, i);
		any |= tell[i];
		if (tell[i] && j->work->step == B_SERVED && !b_look_soon(d, &j->line[i]))
			continue; /* next time */
	}
	if (!any || j->work->step == B_SERVED) /* is it still there?  It is told when our HLR says so */
		return 0;
	return j->work->step == B_CONFIRMED ? confirmed_again(j, tell) : others_again(j, tell);
}
