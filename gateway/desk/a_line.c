/* a_line.c - the old operator: what all steps of a line have in common.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "a_int.h"

void a_hex(char *out, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sprintf(out + 2 * i, "%02x", p[i]);
	out[2 * len] = '\0';
}

void a_sub_key(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX])
{
	snprintf(key, BOOK_KEY_MAX, "%s/%05u", j->line[i].iccid, j->line[i].from);
}

uint8_t a_kvn_from(const struct desk_job *j, const struct line *l)
{
	return j->order->o.kind == ORDER_3B ? (uint8_t)(3 - l->kvn) : l->kvn;
}

/* ---- ends ---- */

enum line_end a_over(const struct desk_job *j, const struct line *l)
{
	const struct order *o = &j->order->o;

	if (o->step == ORDER_CANCELLED || l->flags & LINE_CANCEL)
		return END_CANCELLED;
	return o->until_s * 1000 <= desk_now(j->d) ? END_UNREACHED : END_NONE;
}

bool a_forgot(const struct desk_job *j, const struct line *l)
{
	return j->order->o.side == SIDE_A && l->epoch != desk_cfg(j->d)->epoch;
}

enum line_step a_may_be_armed(const struct desk_job *j, struct line *l)
{
	if (!(l->flags & LINE_ARMED)) {
		l->flags |= LINE_ARMED;
		l->armed_ms = desk_now(j->d);
	}
	return l->flags & LINE_SERVED ? A_SERVED : A_ARMED;
}

enum line_step a_give_up(const struct desk_job *j, struct line *l, enum line_end end, const char *fmt, ...)
{
	char why[LINE_WHY_MAX];
	va_list ap;

	if (a_forgot(j, l)) {
		snprintf(l->why, sizeof(l->why),
			 "a backup was put back: it may have been armed before, and waits for proof");
		return a_may_be_armed(j, l);
	}
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	line_fail(l, end, "%s", why);
	l->ended_ms = desk_now(j->d);
	/* once STAGE may have left the card may hold the set: without ARM it does nothing, and it is taken away all the same */
	return l->staged_ms ? A_UNSTAGE : A_LIST;
}

bool a_gave_up(struct desk_job *j, unsigned i)
{
	struct line *l = &j->line[i];
	enum line_end end = a_over(j, l);

	if (end == END_NONE)
		return false;
	a_put(j, i,
	      a_give_up(j, l, end,
			end == END_CANCELLED ? "the order was cancelled" : "not reached in the time of the order"));
	return true;
}

enum line_step a_gate(const struct desk_job *j, const struct line *l)
{
	const bool ready =
		l->flags & LINE_READY || (l->flags & LINE_PLAIN && j->order->o.policy == POLICY_ACTIVATE_FIRST);

	return l->flags & LINE_STAGED && ready ? A_ARM : A_STAGED;
}

static void order_closed(struct desk_job *j)
{
	struct order *o = &j->order->o;

	if (o->listed != o->paired) {
		job_alarm(j, "%llu lines of the IMSI list came in and %llu went back: compare the lists",
			  (unsigned long long)o->paired, (unsigned long long)o->listed);
		return;
	}
	o->step = ORDER_ENDED;
	o->ended_ms = desk_now(j->d);
}

void a_closed(struct desk_job *j, unsigned i)
{
	struct line *l = &j->line[i];
	struct order *o = &j->order->o;
	char key[BOOK_KEY_MAX];

	if (l->imsi[0]) {
		line_key(key, l->order, l->iccid);
		job_drop(j, BOOK_SET, key, BOOK_ANY);
		job_drop(j, BOOK_IMSI, l->imsi, BOOK_ANY);
	}
	if (l->flags & LINE_ESCROW) {
		/* What was not told by now never is: what it locks is of no use to anybody.  Books that were put back may have one that
		 * was told: whether there is one or not, there is none afterwards. */
		line_key(key, l->order, l->iccid);
		job_put(j, BOOK_RELEASE, key, l->order, 0, BOOK_ANY, "", 0);
		job_drop(j, BOOK_RELEASE, key, BOOK_ANY);
	}
	job_drop(j, BOOK_TAKEN, l->iccid, BOOK_ANY);
	l->has_opc = false;
	memset(l->opc, 0, sizeof(l->opc));
	l->ended_ms = desk_now(j->d);
	a_put(j, i, A_CLOSED);
	if (++o->closed == o->lines)
		order_closed(j);
	job_order_put(j);
}

void a_close(struct desk_job *j, unsigned i)
{
	if (!a_number_waits(j, i))
		a_closed(j, i);
}

void a_wait(struct desk_job *j, enum line_step step, int64_t at_ms)
{
	const struct order *o = &j->order->o;
	const int64_t until_ms = o->until_s * 1000;

	if (until_ms > desk_now(j->d) && (!at_ms || until_ms < at_ms))
		at_ms = until_ms;
	if (at_ms)
		desk_again(j->d, o->number, (uint16_t)step, at_ms);
}

/* Waiting works are looked at when their order changes or a time comes, not for each line that joins. */
void a_put(struct desk_job *j, unsigned i, enum line_step step)
{
	const struct order *o = &j->order->o;

	job_line_put(j, i, step);
	switch (step) {
	case A_ASKED:
	case A_STAGING:
	case A_STAGED:
	case A_LOOKING:
		a_wait(j, step, 0);
		if (j->line[i].flags & LINE_ARMED)
			desk_again(j->d, o->number, step, desk_now(j->d) + a_heard_ms(j->d, o));
		break;
	case A_ARMING:
	case A_ARMED:
	case A_SERVED:
		desk_again(j->d, o->number, step, desk_now(j->d) + a_heard_ms(j->d, o));
		break;
	case A_UNSTAGING:
		desk_again(j->d, o->number, step, desk_now(j->d) + A_UNSTAGE_MAX_MS);
		break;
	default: /* to do: is kicked by itself */
		break;
	}
}

int a_idle(struct desk *d, struct desk_job *j)
{
	(void)d;
	for (unsigned i = 0; i < j->n; i++)
		a_gave_up(j, i);
	a_wait(j, (enum line_step)j->work->step, 0);
	return 0;
}

/* ---- packages ---- */

int a_out_done(struct desk_out *o, int rc)
{
	if (!o)
		return rc ? -EIO : 0;
	if (!rc)
		return out_close(o) ? -EIO : 0;
	out_drop(o);
	return -EIO;
}

void a_line_key(struct desk_in *in, const struct xchg_record *r, char key[BOOK_KEY_MAX])
{
	const char *iccid = xchg_value(r, "iccid");

	key[0] = '\0';
	if (iccid[0])
		line_key(key, in->order->o.number, iccid);
}

struct line *a_line_of(struct desk_in *in, struct desk_rec *r, struct desk_no *no)
{
	if (r->line)
		return r->line;
	desk_refuse(no, "not-in-order", "card %s is not in order %s", xchg_value(r->r, "iccid"), in->order->o.name);
	return NULL;
}

void a_take_drop(struct desk_in *in)
{
	struct a_take *t = in->scratch;

	if (t) {
		once_free(t->cards);
		once_free(t->imsis);
	}
	free(t);
	in->scratch = NULL;
}

int a_take_begin(struct desk_in *in, const char *party, struct desk_no *no)
{
	struct a_take *t;

	a_take_drop(in);
	if (strcmp(in->head->from, party))
		return desk_refuse(no, "sender", "order %s: a %s comes from %s, this one is from %s", in->order->o.name,
				   in->head->type, party, in->head->from);
	in->scratch = t = calloc(1, sizeof(*t));
	if (!t || !(t->cards = once_new()) || !(t->imsis = once_new()))
		return desk_refuse(no, "memory", "no memory for %llu records: send it again",
				   (unsigned long long)in->head->records);
	return 0;
}

int a_take_card(struct desk_in *in, const struct desk_rec *r, struct desk_no *no)
{
	struct a_take *t = in->scratch;
	const char *iccid = xchg_value(r->r, "iccid");

	return in->dry && iccid[0] ? once_in(in, t->cards, "card", iccid, no) : 0;
}
