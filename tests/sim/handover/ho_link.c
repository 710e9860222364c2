/* ho_link.c - a link between a core and its operator's SMSC in the virtual air.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ho.h"

#define QUEUE_MAX 512
#define WINDOW	  16
#define WAIT_MS	  60000

struct ho_link {
	struct link l;
	struct ho_party *p;
	bool up;
	unsigned out_n;
	struct {
		uint64_t token, air;
		int64_t expires_ms;
	} out[HO_LINK_OUT]; /* air 0: free */
	struct {
		uint64_t token, id;
		int64_t expires_ms;
	} in[HO_LINK_IN]; /* token 0: free */
	uint64_t in_token;
	struct link_event *queue;
	unsigned queued;
};

static void push(struct ho_link *s, const struct link_event *ev)
{
	if (s->queued < QUEUE_MAX)
		s->queue[s->queued++] = *ev;
	else
		ho_find(s->p->w, "harness", "more than %d events wait at a link", QUEUE_MAX);
}

static int start(struct link *l)
{
	struct ho_link *s = (struct ho_link *)l;

	s->up = true;
	push(s, &(struct link_event){ .kind = LINK_EV_UP });
	return 0;
}

static void stop(struct link *l)
{
	((struct ho_link *)l)->up = false;
}

static unsigned credit(struct link *l, int64_t now_ms)
{
	const struct ho_link *s = (const struct ho_link *)l;

	return s->up && s->out_n < WINDOW ? WINDOW - s->out_n : 0;
}

static int64_t credit_due(struct link *l, int64_t now_ms)
{
	return INT64_MAX;
}

static void addr(struct sim_addr *to, const struct ota_addr *from)
{
	to->ton = from->ton;
	to->npi = from->npi;
	memcpy(to->digits, from->digits,
	       sizeof(to->digits) < sizeof(from->digits) ? sizeof(to->digits) : sizeof(from->digits));
}

static void outcome(struct ho_link *s, unsigned i, enum link_event_kind kind, enum fail_class cls, const char *what)
{
	struct link_event ev = { .kind = kind, .token = s->out[i].token, .fail = { cls, 1, what } };

	s->out[i].air = 0;
	s->out_n--;
	push(s, &ev);
}

static int submit(struct link *l, const struct link_submit *sub, int64_t now_ms)
{
	struct ho_link *s = (struct ho_link *)l;
	struct sim_sm sm = { .pid = sub->pid,
			     .dcs = sub->dcs,
			     .udhi = true,
			     .want_receipt = sub->want_report,
			     .has_ref = true,
			     .ref = (uint16_t)sub->token,
			     .validity_ms = 1000LL * sub->validity_s,
			     .ud_len = sub->ud_len };
	const struct ho_case *c = s->p->w->c;
	int64_t card;

	for (unsigned i = 0; i < HO_LINK_OUT; i++) {
		if (s->out[i].air)
			continue;
		sm.token = s->out[i].air = ++s->p->w->token;
		s->out[i].token = sub->token;
		s->out[i].expires_ms = now_ms + WAIT_MS;
		s->out_n++;
		addr(&sm.dst, &sub->dst);
		addr(&sm.src, &sub->src);
		memcpy(sm.ud, sub->ud, sub->ud_len);
		card = sim_air_subscriber(sim_world_air(s->p->w->sim), s->p->who, &sm.dst);
		if (card >= 0)
			ho_wire_down(s->p->w, s->p->who, (uint32_t)card, &sm);
		if (card >= 0 && c && c->down && !c->down(s->p->w, s->p->who, (uint32_t)card, &sm)) {
			outcome(s, i, LINK_EV_ACCEPTED, FAIL_NONE, "");
			return 0;
		}
		sim_world_submit(s->p->w->sim, s->p->who, &sm, now_ms);
		return 0;
	}
	return -EAGAIN;
}

void ho_link_result(struct link *l, uint64_t token, enum sim_submit_result r)
{
	struct ho_link *s = (struct ho_link *)l;

	for (unsigned i = 0; s && i < HO_LINK_OUT; i++) {
		if (s->out[i].air != token)
			continue;
		if (r == SIM_SUBMIT_OK)
			outcome(s, i, LINK_EV_ACCEPTED, FAIL_NONE, "");
		else if (r == SIM_SUBMIT_FAILED)
			outcome(s, i, LINK_EV_UNKNOWN, FAIL_UNKNOWN, "no answer from the phone");
		else
			outcome(s, i, LINK_EV_REJECTED,
				r == SIM_SUBMIT_ABSENT || r == SIM_SUBMIT_BAD_ADDRESS ? FAIL_ABSENT : FAIL_CONGEST,
				"refused");
		return;
	}
}

static void answer(struct link *l, uint64_t token, enum link_answer a)
{
	struct ho_link *s = (struct ho_link *)l;

	for (unsigned i = 0; i < HO_LINK_IN; i++)
		if (s->in[i].token == token) {
			s->in[i].token = 0;
			sim_world_up_answer(s->p->w->sim, s->in[i].id, a == LINK_ANSWER_OK ? SIM_UP_OK : SIM_UP_TEMP,
					    s->p->w->now_ms);
		}
}

bool ho_link_up(struct link *l, const struct sim_up *up)
{
	struct ho_link *s = (struct ho_link *)l;
	struct link_event ev = { .kind = up->kind == SIM_UP_MO ? LINK_EV_MO : LINK_EV_REPORT };

	for (unsigned i = 0; s && s->up && i < HO_LINK_IN; i++) {
		if (s->in[i].token)
			continue;
		s->in[i].token = ev.token = ++s->in_token;
		s->in[i].id = up->id;
		s->in[i].expires_ms = s->p->w->now_ms + LINK_ANSWER_MS;
		ev.from.ton = up->from.ton;
		ev.from.npi = up->from.npi;
		snprintf(ev.from.digits, sizeof(ev.from.digits), "%s", up->from.digits);
		ev.to.ton = up->to.ton;
		ev.to.npi = up->to.npi;
		snprintf(ev.to.digits, sizeof(ev.to.digits), "%s", up->to.digits);
		ev.pid = up->pid;
		ev.dcs = up->dcs;
		ev.udhi = up->udhi;
		ev.delivered = !strcmp(up->stat, "DELIVRD");
		memcpy(ev.stat, up->stat, sizeof(ev.stat));
		ev.has_ref = up->has_ref;
		ev.ref = up->ref;
		if (up->kind == SIM_UP_RECEIPT && !ev.delivered)
			ev.fail = (struct fail){ FAIL_ABSENT, 0, "undelivered" };
		ev.payload_len = up->ud_len;
		memcpy(ev.payload, up->ud, up->ud_len);
		ho_wire_heard(s->p->w, s->p->who, up->card);
		push(s, &ev);
		return true;
	}
	return false;
}

void ho_link_alert(struct link *l, const struct sim_addr *from)
{
	struct ho_link *s = (struct ho_link *)l;
	struct link_event ev = { .kind = LINK_EV_ALERT };
	int64_t card;

	if (!s || !s->up)
		return;
	card = sim_air_subscriber(sim_world_air(s->p->w->sim), s->p->who, from);
	if (card >= 0)
		ho_wire_heard(s->p->w, s->p->who, (uint32_t)card);
	ev.from.ton = from->ton;
	ev.from.npi = from->npi;
	snprintf(ev.from.digits, sizeof(ev.from.digits), "%s", from->digits);
	push(s, &ev);
}

bool ho_link_step(struct link *l)
{
	struct ho_link *s = (struct ho_link *)l;
	const int64_t now_ms = s->p->w->now_ms;
	bool did = s->queued > 0;

	for (unsigned i = 0; i < HO_LINK_OUT; i++)
		if (s->out[i].air && s->out[i].expires_ms <= now_ms)
			outcome(s, i, LINK_EV_UNKNOWN, FAIL_UNKNOWN, "no answer in time");
	for (unsigned i = 0; i < HO_LINK_IN; i++)
		if (s->in[i].token && s->in[i].expires_ms <= now_ms)
			answer(l, s->in[i].token, LINK_ANSWER_TEMP);
	for (unsigned i = 0; i < s->queued; i++)
		l->on_event(l->ctx, l, &s->queue[i]);
	s->queued = 0;
	return did;
}

int64_t ho_link_due(const struct link *l)
{
	const struct ho_link *s = (const struct ho_link *)l;
	int64_t due_ms = s->queued ? 0 : INT64_MAX;

	for (unsigned i = 0; i < HO_LINK_OUT; i++)
		if (s->out[i].air && s->out[i].expires_ms < due_ms)
			due_ms = s->out[i].expires_ms;
	for (unsigned i = 0; i < HO_LINK_IN; i++)
		if (s->in[i].token && s->in[i].expires_ms < due_ms)
			due_ms = s->in[i].expires_ms;
	return due_ms;
}

static void stats(struct link *l, struct link_stats *out)
{
	*out = (struct link_stats){ .up = ((struct ho_link *)l)->up, .window = WINDOW };
}

void ho_link_free(struct link *l)
{
	struct ho_link *s = (struct ho_link *)l;

	if (s)
		free(s->queue);
	free(s);
}

static const struct link_ops ops = { .kind = "sim",
				     .start = start,
				     .stop = stop,
				     .credit = credit,
				     .credit_due = credit_due,
				     .submit = submit,
				     .answer = answer,
				     .stats = stats,
				     .free = ho_link_free };

static void on_event(void *ctx, struct link *l, const struct link_event *ev)
{
	struct ho_party *p = ctx;

	if (p->gw)
		gw_on_link_event(p->gw, l, ev);
}

struct link *ho_link_new(struct ho_party *p)
{
	struct ho_link *s = calloc(1, sizeof(*s));

	if (!s || !(s->queue = calloc(QUEUE_MAX, sizeof(*s->queue))))
		abort();
	s->p = p;
	s->l.ops = &ops;
	memcpy(s->l.name, "air", 4);
	s->l.on_event = on_event;
	s->l.ctx = p;
	return &s->l;
}
