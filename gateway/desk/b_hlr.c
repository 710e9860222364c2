/* b_hlr.c - the new operator: its cards in its HLR, and whether they have come.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * E5 is a completed location update after the subscriber was made ready.  One that is registered when it is made ready has the card's
 * own keys under its new IMSI, for a subscriber with other keys is refused: so either the card has come before we knew, as it looks in books
 * that were put back, or, under an IMSI that it has had here before, somebody has forgotten to remove it.  It is taken as come in both: a card
 * that lives here would be cut off by making it anew, and the old operator believes it of no card that was not armed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "b_int.h"

/* ---- provisioning ---- */

void b_sub_also(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX])
{
	b_sub_key(&j->line[i], key);
}

int b_provision_decide(struct desk *d, struct desk_job *j)
{
	if (!d->deps.hlr) {
		snprintf(j->why, sizeof(j->why),
			 "no HLR is configured: cards of order %s cannot be provisioned; configure one (node hlr)",
			 j->order->o.name);
		return -ENXIO;
	}
	for (unsigned i = 0; i < j->n; i++) {
		struct line *l = &j->line[i];
		char bridge[MSISDN_DIGITS_MAX + 1];

		if (j->order->o.step == ORDER_CANCELLED && !(l->flags & LINE_AGAIN)) {
			line_fail(l, END_FAILED, "cancelled by our operator");
			b_tell_soon(j, i, B_TELL_READY);
			continue;
		}
		if (!j->also[i].row.version || j->also[i].row.len != KS_SUB_LEN) {
			snprintf(j->why, sizeof(j->why), "card %s: its K is not in the books", l->iccid);
			return -ENOENT;
		}
		job_hlr_provision(j, i, b_bridge(d, l, bridge), j->also[i].body);
		job_line_put(j, i, B_PROVISIONING);
	}
	return 0;
}

static void served(struct line *l, const struct desk_event *ev)
{
	snprintf(l->vlr, sizeof(l->vlr), "%.15s", ev->hlr.vlr); /* of a name its beginning */
	l->flags |= LINE_SERVED;
	l->evidence = 5;
	l->served_ms = l->evidence_ms = ev->at_ms;
}

static void provisioned(struct desk_job *j, unsigned i)
{
	const struct desk_event *ev = &j->event[i];
	struct line *l = &j->line[i];

	if (ev->hlr.bridged || l->bridged)
		b_number_is(j, i, ev->hlr.bridged ? ev->hlr.msisdn : "");
	if (*ev->hlr.vlr)
		served(l, ev);
	b_tell_soon(j, i, B_TELL_READY);
}

static void refused(struct desk *d, struct desk_job *j, unsigned i)
{
	struct line *l = &j->line[i];

	l->flags |= LINE_REFUSED;
	line_fail(l, END_FAILED, "HLR: %.80s", j->event[i].hlr.why);
	desk_log(d, LOG_ERR, "order %s: card %s: our HLR refuses it: %s", j->order->o.name, l->iccid,
		 j->event[i].hlr.why);
	b_tell_soon(j, i, B_TELL_READY);
}

/* ---- our operator has mended what was in the way ----
 * A card without a way back that was written before we refused it is nowhere until we have it: it waits here for this word. */

struct provide {
	uint64_t again, keyless;
};

unsigned b_provide_want(struct desk *d, struct desk_call *c, struct desk_open_order *o, char (*keys)[BOOK_KEY_MAX],
			unsigned max)
{
	(void)d;
	(void)max;
	if (*c->r.iccid)
		line_key(keys[0], o->o.number, c->r.iccid);
	return *c->r.iccid != 0;
}

/* NULL: it is; else why not. */
static const char *provide(struct desk_job *j, unsigned i)
{
	struct line *l = &j->line[i];

	if (!j->row[i].row.version)
		return "is not in this order";
	if (j->row[i].row.step != B_ENDING || l->end != END_FAILED || l->flags & LINE_CANCEL)
		return "does not stand as refused by us: `order show --lines` tells where it stands";
	if (!(l->flags & LINE_PROVISIONAL))
		return "was refused before its K was kept: it needs an order of its own";
	l->end = END_NONE;
	l->why[0] = '\0';
	l->flags &= (uint16_t)~LINE_REFUSED;
	l->flags |= LINE_AGAIN;
	l->again_ms = 0; /* what was told is not told again */
	l->again_n = 0;
	job_line_put(j, i, B_KEYED);
	return NULL;
}

static int provided(struct desk_job *j, struct desk_call *c, const struct provide *p)
{
	const char *const name = j->order->o.name;

	if (!p->again) {
		snprintf(c->text, sizeof(c->text),
			 "order %s: no card waits here that was refused%s; one that %s has given up does not come",
			 name, p->keyless ? " after its K had come" : "", j->order->o.a);
		return -ENOENT;
	}
	snprintf(c->text, sizeof(c->text), "order %s: %" PRIu64 " cards are made ready once more", name, p->again);
	return 0;
}

int b_provide_decide(struct desk *d, struct desk_job *j, struct desk_call *c)
{
	struct provide *p = c->scratch;
	const char *why;

	if (!d->deps.hlr) {
		snprintf(c->text, sizeof(c->text), "no HLR is configured: configure one (node hlr)");
		return -ENXIO;
	}
	if (!p && !(p = c->scratch = calloc(1, sizeof(*p))))
		return -ENOMEM;
	for (unsigned i = 0; i < j->n; i++) {
		const bool keyless = !(j->line[i].flags & LINE_PROVISIONAL);

		why = provide(j, i);
		if (why && *c->r.iccid) {
			snprintf(c->text, sizeof(c->text), "order %s: card %s %s", j->order->o.name, c->r.iccid, why);
			return j->row[i].row.version ? -EINVAL : -ENOENT;
		}
		p->again += !why;
		p->keyless += why && keyless;
	}
	if (*c->r.iccid || j->n < DESK_PAGE)
		return provided(j, c, p);
	memcpy(c->after, j->row[j->n - 1].row.key, sizeof(c->after));
	return DESK_MORE;
}

void b_provide_drop(struct desk_call *c)
{
	free(c->scratch);
	c->scratch = NULL;
}

/* ---- waiting for the card ---- */

/* How often a line is looked up: often at first, more seldom the longer it has not come. */
static int64_t period(const struct desk *d, const struct line *l)
{
	int64_t p = (d->now_ms - l->ready_ms) / B_POLL_AGE;

	if (p < d->cfg.hlr_poll_ms)
		return d->cfg.hlr_poll_ms;
	return p < d->cfg.hlr_poll_ms * B_POLL_PERIODS ? p : d->cfg.hlr_poll_ms * B_POLL_PERIODS;
}

bool b_look_soon(struct desk *d, const struct line *l)
{
	struct desk_look k = { .order = l->order };

	memcpy(k.iccid, l->iccid, sizeof(k.iccid));
	memcpy(k.imsi, l->imsi, sizeof(k.imsi));
	return desk_look_soon(d, &k);
}

/* Lines stay where they are: whether one has come, an event tells.  Time alone deletes nothing, it only asks for a person. */
int b_poll_decide(struct desk *d, struct desk_job *j)
{
	int rc = b_wait_decide(d, j);

	return rc ? rc : b_again_decide(d, j);
}

int b_wait_decide(struct desk *d, struct desk_job *j)
{
	struct order *o = &j->order->o;

	if (o->until_s == ORDER_OVER && j->work->step == B_LISTED) { /* A has never had the list */
		for (unsigned i = 0; i < j->n; i++) {
			line_fail(&j->line[i], END_CANCELLED, B_OVER_WHY, o->a);
			b_imsi_back(j, i);
			b_close(j, i);
		}
		return 0;
	}
	if (d->now_ms < o->until_s * 1000) {
		desk_again(d, o->number, j->work->step, o->until_s * 1000);
	} else if (!*o->alarm) {
		job_alarm(j, "its time is over and card %s is still %s: ask %s how it ended", j->line[0].iccid,
			  line_step_name(j->work->step), o->a);
	}
	return 0;
}

void b_poll_after(struct desk *d, struct desk_job *j)
{
	const int64_t rounds = (int64_t)(j->order->o.lines / B_POLL_LINES) + 1;
	const int64_t span_ms = d->cfg.hlr_poll_ms * rounds; /* of many lines each comes round more seldom */

	for (unsigned i = 0; i < j->n; i++)
		if (desk_look_due(d, &j->line[i], period(d, &j->line[i]), span_ms) && !b_look_soon(d, &j->line[i]))
			break;
	desk_again(d, j->order->o.number, B_READY, d->now_ms + span_ms);
}

static void looked(struct desk *d, struct desk_job *j, unsigned i)
{
	const struct desk_event *ev = &j->event[i];
	struct line *l = &j->line[i];

	if (ev->hlr.end == HLR_ABSENT) { /* somebody has removed it: the card would find nobody */
		desk_log(d, LOG_WARNING, "order %s: card %s is not in our HLR any more; made anew", j->order->o.name,
			 l->iccid);
		l->flags &= (uint16_t)~LINE_PROVISIONED;
		job_line_put(j, i, B_KEYED);
	} else if (ev->hlr.end == HLR_OK && *ev->hlr.vlr) {
		served(l, ev);
		l->again_n = 0;
		b_tell_soon(j, i, B_TELL_SERVED);
	}
}

/* ---- what the HLR has answered ---- */

static void removed(struct desk *d, struct desk_job *j, unsigned i)
{
	struct line *l = &j->line[i];

	if (j->event[i].hlr.end == HLR_REFUSED) {
		job_alarm(j, "card %s: our HLR does not remove it: %.80s", l->iccid, j->event[i].hlr.why);
	} else {
		b_imsi_back(j, i);
	}
	b_rest(j, i);
}

/* Whether our HLR has it now; one that it refuses is somebody else's there. */
static void learned(struct line *l, const struct desk_event *ev)
{
	if (ev->hlr.end == HLR_REFUSED)
		l->flags |= LINE_REFUSED;
	else if (ev->hlr_kind == HLR_PROVISION && ev->hlr.end == HLR_OK)
		l->flags |= LINE_PROVISIONED;
	else if (ev->hlr_kind == HLR_REMOVE)
		l->flags &= (uint16_t)~LINE_PROVISIONED;
}

void b_event_hlr(struct desk *d, struct desk_job *j, unsigned i)
{
	const struct desk_event *ev = &j->event[i];
	struct line *l = &j->line[i];
	const uint16_t step = j->row[i].row.step;

	if (ev->hlr_kind == HLR_MSISDN) {
		b_numbered(j, i);
		return;
	}
	if (step == B_PROVISIONING && ev->hlr_kind != HLR_READ)
		learned(l, ev);
	if (ev->hlr_kind == HLR_READ && step == B_READY)
		looked(d, j, i);
	else if (ev->hlr_kind == HLR_READ && step == B_SERVED && ev->hlr.end == HLR_OK && *ev->hlr.vlr)
		b_tell_soon(j, i, B_TELL_SERVED); /* it still is */
	else if (ev->hlr_kind == HLR_REMOVE && step == B_UNDOING)
		removed(d, j, i);
	else if (step == B_PROVISIONING && l->flags & LINE_CANCEL && ev->hlr_kind != HLR_READ)
		job_line_put(j, i, B_UNDO);
	else if (step == B_PROVISIONING && ev->hlr.end == HLR_TAKEN && b_bridge_next(d, l))
		job_line_put(j, i, B_KEYED);
	else if (step == B_PROVISIONING && ev->hlr_kind != HLR_READ &&
		 (ev->hlr.end == HLR_REFUSED || ev->hlr.end == HLR_TAKEN))
		refused(d, j, i);
	else if (step == B_PROVISIONING && ev->hlr_kind == HLR_PROVISION)
		provisioned(j, i);
}
