/* sim_link.c - a link whose far side is the virtual air: the credit that real links use, and outcomes as later events.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Keeps what link.h promises and watches that the gateway keeps what it owes: room in the window, tokens, segments of a
 * packet together and in order.  The watching is done with its own counts, not with those of link_credit.  Its timers run by
 * the gateway's clock, as those of real links do.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define QUEUE_MAX 512 /* events waiting to be told */
#define HELD_MAX  64  /* packets kept by the link that resends */

struct outstanding {
	uint64_t token, air_token;
	int64_t expires_ms;
	int card; /* of orders: heard before this packet began; -1 not */
	bool used;
};
struct pending_up {
	uint64_t token, id;
	uint32_t card;
	int64_t expires_ms;
	uint8_t ud_len, ud[SIM_UD_MAX];
	bool used;
};
struct queued {
	int64_t at_ms;
	struct link_event ev;
};

struct slink {
	struct link l;
	struct world *w;
	bool up;
	struct link_credit credit;
	struct outstanding out[SIM_WINDOW_MAX * 4];
	unsigned n_out;
	struct pending_up in[SIM_UPS_MAX];
	uint64_t up_token;
	struct queued *queue;
	unsigned n_queue;
	/* the watcher's own books */
	double tat_ms; /* earliest time by which all that was sent would be due at the agreed rate */
	int64_t held_until_ms;
	bool in_packet;
	uint16_t ref;
	uint8_t next_seq, total;
	struct ota_addr dst; /* of the packet's first segment */
	int64_t well_ms;     /* up since then, and every submit answered */
	bool unanswered;     /* the last outcome */
	/* breakages */
	struct sim_sm kept[HELD_MAX];
	unsigned n_kept;
	struct link_submit late;
	uint8_t late_ud[LINK_UD_MAX];
};

static uint64_t next_air_token; /* one process runs one world at a time */

static struct slink *self(struct link *l)
{
	return (struct slink *)l;
}

static void push(struct slink *s, int64_t at_ms, const struct link_event *ev)
{
	if (s->n_queue == QUEUE_MAX) {
		check_fail(s->w, "harness", "link %u: more than %d events wait", s->l.id, QUEUE_MAX);
		return;
	}
	s->queue[s->n_queue++] = (struct queued){ at_ms, *ev };
}

static void give(struct slink *s, const struct link_event *ev)
{
	if (!s->w->dead)
		s->l.on_event(s->l.ctx, &s->l, ev);
}

/* ------------------------------------------------------------------------------------------------ what it owes */

static void watch_rate(struct slink *s, int64_t now_ms)
{
	const double rate = s->w->sc.rate;
	double burst = rate / 10 > OTA_SEGMENTS_MAX ? rate / 10 : OTA_SEGMENTS_MAX;

	if (now_ms < s->held_until_ms)
		check_fail(s->w, "rate", "link %u: a segment leaves %lld ms before the pause after throttling is over",
			   s->l.id, (long long)(s->held_until_ms - now_ms));
	if (!(rate > 0))
		return;
	if (s->tat_ms < (double)now_ms)
		s->tat_ms = (double)now_ms;
	s->tat_ms += 1000 / rate;
	if (s->tat_ms - (double)now_ms > burst * 1000 / rate + 1.5)
		check_fail(s->w, "rate", "link %u: more than %.0f segments and %.1f per second", s->l.id, burst, rate);
}

/* A packet begins when there are tokens for all of it, or as many as the window lets out. */
static void watch_reserve(struct slink *s, unsigned total)
{
	const struct scenario *sc = &s->w->sc;
	unsigned fits = total < sc->window ? total : sc->window;

	if (s->w->broken != BREAK_OVER_RATE && s->w->broken != BREAK_OVER_WINDOW && sc->rate > 0 &&
	    s->credit.tokens < fits)
		check_fail(s->w, "order", "link %u: a packet of %u begins with %.2f tokens", s->l.id, total,
			   s->credit.tokens);
}

static void watch_order(struct slink *s, const struct link_submit *sub)
{
	struct ota_udh udh;

	if (ota_udh_parse(&udh, sub->ud, sub->ud_len) < 0) {
		check_fail(s->w, "order", "link %u: a segment without a readable header", s->l.id);
		return;
	}
	if (!udh.concat)
		udh = (struct ota_udh){ .ref = 0, .seq = 1, .total = 1 };
	if (udh.seq == 1) /* the one before may be broken off: refused, or its command settled meanwhile */
		s->in_packet = false;
	if (s->in_packet && (udh.ref != s->ref || udh.seq != s->next_seq || udh.total != s->total))
		check_fail(s->w, "order", "link %u: segment %u/%u of reference %u where %u/%u of %u was due", s->l.id,
			   udh.seq, udh.total, udh.ref, s->next_seq, s->total, s->ref);
	else if (!s->in_packet && udh.seq != 1)
		check_fail(s->w, "order", "link %u: a packet begins with segment %u", s->l.id, udh.seq);
	if (sub->more != (udh.seq < udh.total))
		check_fail(s->w, "order", "link %u: `more` is %d on segment %u of %u", s->l.id, sub->more, udh.seq,
			   udh.total);
	if (udh.seq == 1)
		routes_watch(s->w, s->l.id, &sub->dst);
	if (udh.seq == 1)
		watch_reserve(s, udh.total);
	if (udh.seq == 1)
		s->dst = sub->dst;
	else if (s->dst.npi != sub->dst.npi || strcmp(s->dst.digits, sub->dst.digits))
		check_fail(s->w, "order", "link %u: segment %u/%u goes to %s, the first one went to %s", s->l.id,
			   udh.seq, udh.total, sub->dst.digits, s->dst.digits);
	s->in_packet = udh.seq < udh.total;
	s->ref = udh.ref;
	s->next_seq = (uint8_t)(udh.seq + 1);
	s->total = udh.total;
}

/* ------------------------------------------------------------------------------------------------ down */

static void to_air(struct slink *s, const struct sim_sm *sm)
{
	s->w->stat_submits++;
	if (s->w->broken == BREAK_MUTE_CARD && !strcmp(sm->dst.digits, s->w->card[0].msisdn))
		return;
	sim_air_submit(s->w->air, sm, s->w->now_ms);
}

/* Breakages that live in the link. */
static void misbehave(struct slink *s, const struct sim_sm *sm)
{
	struct world *w = s->w;

	if (w->broken == BREAK_LINK_RESENDS) {
		struct sim_sm old = s->kept[sim_rng_next(&w->link_dice) % HELD_MAX];
		struct link_submit sub = { .ud = old.ud,
					   .ud_len = old.ud_len,
					   .dst = { .ton = old.dst.ton, .npi = old.dst.npi } };

		memcpy(sub.dst.digits, old.dst.digits, sizeof(sub.dst.digits));
		if (old.ud_len) {
			old.token = ++next_air_token;
			check_submit(w, &sub);
			to_air(s, &old);
		}
		s->kept[s->n_kept++ % HELD_MAX] = *sm;
	}
}

/* A gateway that hands segments out in the wrong order, as the watcher would see it. */
static void watch_order_swapped(struct slink *s, const struct link_submit *sub)
{
	if (sub->more && !s->late.ud_len) {
		s->late = *sub;
		memcpy(s->late_ud, sub->ud, sub->ud_len);
		s->late.ud = s->late_ud;
		return;
	}
	watch_order(s, sub);
	if (s->late.ud_len)
		watch_order(s, &s->late);
	s->late.ud_len = 0;
}

static void finish(struct slink *s, struct outstanding *o, enum link_event_kind kind, struct fail fail, int64_t at_ms)
{
	struct link_event ev = { .kind = kind, .token = o->token, .fail = fail };

	o->used = false;
	s->n_out--;
	/* once it has left one unanswered it is well again when it has answered another */
	if (kind == LINK_EV_UNKNOWN || s->unanswered)
		s->well_ms = at_ms;
	s->unanswered = kind == LINK_EV_UNKNOWN;
	link_credit_give(&s->credit);
	if (kind == LINK_EV_REJECTED && fail.cls != FAIL_UNKNOWN && o->card >= 0)
		orders_refused(s->w, (unsigned)o->card);
	push(s, at_ms, &ev);
}

static int submit(struct link *l, const struct link_submit *sub, int64_t now_ms)
{
	struct slink *s = self(l);
	struct world *w = s->w;
	struct outstanding *o = NULL;
	struct sim_sm sm = { 0 };
	struct fail fail = { 0 };
	enum scn_fate fate = SCN_DELIVER;
	int card;

	if (w->dead)
		return 0; /* the process is gone: this octet never left */
	if (!s->up)
		return -ENOTCONN;
	if (sim_rng_chance(&w->link_dice, w->calm ? 0 : w->sc.refuse_ppm)) {
		tell(w, "link %u refuses a segment", l->id);
		s->in_packet = false;
		return -EAGAIN;
	}
	if (s->n_out >= w->sc.window)
		check_fail(w, "window", "link %u: %u segments in a window of %u", l->id, s->n_out + 1, w->sc.window);
	watch_rate(s, now_ms);
	if (w->broken == BREAK_SPLIT_PACKET)
		watch_order_swapped(s, sub);
	else
		watch_order(s, sub);
	for (size_t i = 0; i < ARRAY_SIZE(s->out) && !o; i++)
		if (!s->out[i].used)
			o = &s->out[i];
	if (!o) {
		check_fail(w, "window", "link %u: far more segments than its window", l->id);
		return -EAGAIN;
	}
	card = w->sc.works ? orders_card_of(w, &sub->dst) : -1;
	if (card >= 0 && !w->watch[card].spoke)
		card = -1;
	check_submit(w, sub);
	link_credit_take(&s->credit, now_ms);
	*o = (struct outstanding){ sub->token, ++next_air_token, now_ms + w->sc.response_ms, card, true };
	s->n_out++;
	sm.token = o->air_token;
	sm.dst.ton = sub->dst.ton;
	sm.dst.npi = sub->dst.npi;
	memcpy(sm.dst.digits, sub->dst.digits, sizeof(sm.dst.digits));
	sm.src.ton = sub->src.ton;
	sm.src.npi = sub->src.npi;
	memcpy(sm.src.digits, sub->src.digits, sizeof(sm.src.digits));
	sm.pid = sub->pid;
	sm.dcs = sub->dcs;
	sm.udhi = true;
	sm.want_receipt = sub->want_report;
	sm.has_ref = true;
	sm.ref = (uint16_t)sub->token;
	sm.validity_ms = 1000LL * sub->validity_s;
	sm.ud_len = sub->ud_len;
	memcpy(sm.ud, sub->ud, sub->ud_len);
	tell(w, "submit link=%u to=%s cmd=%llu token=%llx more=%d", l->id, sub->dst.digits,
	     (unsigned long long)(sub->token >> 24), (unsigned long long)sub->token, sub->more);
	if (w->scn)
		fate = scn_down(w, sub, &fail);
	if (fate == SCN_DELIVER)
		to_air(s, &sm);
	else if (fate != SCN_NO_ANSWER)
		finish(s, o, fate == SCN_LOSE ? LINK_EV_ACCEPTED : LINK_EV_REJECTED, fail, now_ms + 1);
	misbehave(s, &sm);
	world_crash_point(w, CRASH_SUBMIT);
	return 0;
}

bool slink_result(struct slink *s, uint64_t air_token, enum sim_submit_result r)
{
	struct world *w = s->w;
	struct fail fail = { 0 };
	enum link_event_kind kind = LINK_EV_REJECTED;

	for (size_t i = 0; i < ARRAY_SIZE(s->out); i++) {
		struct outstanding *o = &s->out[i];

		if (!o->used || o->air_token != air_token)
			continue;
		switch (r) {
		case SIM_SUBMIT_OK:
			kind = LINK_EV_ACCEPTED;
			break;
		case SIM_SUBMIT_ABSENT:
			fail = (struct fail){ FAIL_ABSENT, 1, "absent" };
			break;
		case SIM_SUBMIT_FAILED:
			fail = (struct fail){ w->sc.failed_as, 2, "no answer from the phone" };
			break;
		case SIM_SUBMIT_THROTTLED:
		case SIM_SUBMIT_QUEUE_FULL:
			fail = (struct fail){ FAIL_CONGEST, 3, "throttled" };
			if (w->gw_ms >= s->held_until_ms)
				s->held_until_ms = w->gw_ms + LINK_HOLD_MS;
			link_credit_throttled(&s->credit, w->gw_ms);
			break;
		case SIM_SUBMIT_BAD_ADDRESS:
			fail = (struct fail){ FAIL_SUBS_PERM, 4, "no such subscriber" };
			break;
		case SIM_SUBMIT_MEMORY_FULL:
			fail = (struct fail){ FAIL_MEM, 5, "memory of the phone full" };
			break;
		case SIM_SUBMIT_BUSY:
			fail = (struct fail){ FAIL_BUSY, 6, "toolkit busy" };
			break;
		}
		tell(w, "result link=%u token=%llx %s", s->l.id, (unsigned long long)o->token,
		     r == SIM_SUBMIT_OK ? "ok" : fail.what);
		finish(s, o, kind, fail, w->gw_ms);
		return true;
	}
	return false;
}

static unsigned credit(struct link *l, int64_t now_ms)
{
	struct slink *s = self(l);

	if (!s->up || s->w->dead)
		return 0;
	if (s->w->broken == BREAK_OVER_RATE || s->w->broken == BREAK_OVER_WINDOW)
		return SIM_WINDOW_MAX;
	return link_credit_room(&s->credit, now_ms);
}

static int64_t credit_due(struct link *l, int64_t now_ms)
{
	struct slink *s = self(l);

	return s->up ? link_credit_due(&s->credit, now_ms) : INT64_MAX;
}

/* ------------------------------------------------------------------------------------------------ up */

static void answer_air(struct slink *s, const struct pending_up *p, enum sim_up_answer a)
{
	sim_air_up_answer(s->w->air, p->id, a, s->w->now_ms);
}

static void answer(struct link *l, uint64_t token, enum link_answer a)
{
	struct slink *s = self(l);
	struct world *w = s->w;

	if (w->dead)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(s->in); i++) {
		struct pending_up *p = &s->in[i];

		if (!p->used || p->token != token)
			continue;
		p->used = false;
		tell(w, "answer link=%u token=%llu %s", l->id, (unsigned long long)token,
		     a == LINK_ANSWER_OK   ? "ok" :
		     a == LINK_ANSWER_TEMP ? "later" :
					     "full");
		if (a == LINK_ANSWER_OK)
			check_answered(w, p->card, p->ud, p->ud_len);
		answer_air(s, p, a == LINK_ANSWER_OK ? SIM_UP_OK : SIM_UP_TEMP);
		world_crash_point(w, CRASH_ANSWER);
		return;
	}
	/* answered by ourselves already, or of an earlier connection */
}

static void from_card(struct link_event *ev, const struct sim_addr *from)
{
	ev->from.ton = from->ton;
	ev->from.npi = from->npi;
	memcpy(ev->from.digits, from->digits, sizeof(ev->from.digits));
}

/* What a receipt says, and what it says is not always so: classes that mean "for ever", "delivered" of what was lost.  From
 * a hash and not from the dice, so that it changes nothing else of a seed. */
static void receipt_says(const struct world *w, const struct sim_up *up, struct link_event *ev)
{
	uint64_t h = (w->seed + 1) * 0x9e3779b97f4a7c15ULL ^ (up->id + 1) * 0xff51afd7ed558ccdULL;

	h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9ULL;
	h ^= h >> 32;
	memcpy(ev->stat, up->stat, sizeof(ev->stat));
	ev->has_ref = up->has_ref && h % 8; /* some SMSCs do not echo it */
	ev->ref = up->ref;
	ev->delivered = !strcmp(up->stat, "DELIVRD");
	if (!ev->delivered)
		ev->fail = (struct fail){ FAIL_ABSENT, 0, "undelivered", true };
	if (w->calm || w->scn || h >> 8 & 3) /* in written scenarios the weather is fine */
		return;
	ev->delivered = !(h >> 10 & 7);
	ev->fail = (struct fail){ (enum fail_class)(h >> 16) % _FAIL_CLASSES, 9, "a lie", h >> 24 & 1 };
}

bool slink_up_message(struct slink *s, const struct sim_up *up)
{
	struct world *w = s->w;
	struct pending_up *p = NULL;
	struct link_event ev = { .kind = up->kind == SIM_UP_MO ? LINK_EV_MO : LINK_EV_REPORT };

	if (!s->up || w->dead)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(s->in) && !p; i++)
		if (!s->in[i].used)
			p = &s->in[i];
	if (!p)
		return false;
	*p = (struct pending_up){ .token = ++s->up_token,
				  .id = up->id,
				  .card = up->card,
				  .ud_len = up->ud_len,
				  .expires_ms = w->gw_ms + LINK_ANSWER_MS,
				  .used = true };
	memcpy(p->ud, up->ud, up->ud_len);
	w->stat_ups++;
	ev.token = p->token;
	from_card(&ev, &up->from);
	ev.to.ton = up->to.ton;
	ev.to.npi = up->to.npi;
	memcpy(ev.to.digits, up->to.digits, sizeof(ev.to.digits));
	ev.pid = up->pid;
	ev.dcs = up->dcs;
	ev.udhi = up->udhi;
	if (up->kind != SIM_UP_MO)
		receipt_says(w, up, &ev);
	ev.payload_len = up->ud_len;
	memcpy(ev.payload, up->ud, up->ud_len);
	if (up->kind == SIM_UP_MO || up->ud_len)
		orders_heard(w, &up->from);
	tell(w, "%s link=%u card=%u token=%llu from=%s %u octets", up->kind == SIM_UP_MO ? "MO" : "receipt", s->l.id,
	     up->card, (unsigned long long)p->token, up->from.digits, up->ud_len);
	if (w->broken == BREAK_LOSE_ANSWERED) {
		check_answered(w, p->card, p->ud, p->ud_len);
		answer_air(s, p, SIM_UP_OK);
		p->used = false;
	}
	give(s, &ev);
	return true;
}

void slink_alert(struct slink *s, const struct sim_addr *from, uint8_t ms_status)
{
	struct link_event ev = { .kind = LINK_EV_ALERT, .ms_status = ms_status };

	if (!s->up)
		return;
	from_card(&ev, from);
	tell(s->w, "alert link=%u from=%s", s->l.id, from->digits);
	if (!ms_status)
		orders_heard(s->w, from);
	give(s, &ev);
}

/* ------------------------------------------------------------------------------------------------ life */

static void tell_all_queued(struct slink *s, int64_t now_ms)
{
	/* in the order in which they were put; telling one may put others */
	for (unsigned i = 0; i < s->n_queue && !s->w->dead;) {
		struct queued q = s->queue[i];

		if (q.at_ms > now_ms) {
			i++;
			continue;
		}
		memmove(&s->queue[i], &s->queue[i + 1], (s->n_queue - i - 1) * sizeof(s->queue[0]));
		s->n_queue--;
		give(s, &q.ev);
	}
}

void slink_step(struct slink *s)
{
	struct world *w = s->w;

	for (size_t i = 0; i < ARRAY_SIZE(s->out); i++)
		if (s->out[i].used && s->out[i].expires_ms <= w->gw_ms) {
			tell(w, "no answer in time link=%u token=%llx", s->l.id, (unsigned long long)s->out[i].token);
			finish(s, &s->out[i], LINK_EV_UNKNOWN, (struct fail){ FAIL_UNKNOWN, 0, "no answer in time" },
			       w->gw_ms);
		}
	for (size_t i = 0; i < ARRAY_SIZE(s->in); i++)
		if (s->in[i].used && s->in[i].expires_ms <= w->gw_ms) {
			s->in[i].used = false;
			tell(w, "link=%u token=%llu not committed in time: temporary error", s->l.id,
			     (unsigned long long)s->in[i].token);
			answer_air(s, &s->in[i], SIM_UP_TEMP);
		}
	tell_all_queued(s, w->gw_ms);
}

int64_t slink_due(const struct slink *s)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < ARRAY_SIZE(s->out); i++)
		if (s->out[i].used && s->out[i].expires_ms < due)
			due = s->out[i].expires_ms;
	for (size_t i = 0; i < ARRAY_SIZE(s->in); i++)
		if (s->in[i].used && s->in[i].expires_ms < due)
			due = s->in[i].expires_ms;
	for (unsigned i = 0; i < s->n_queue; i++)
		if (s->queue[i].at_ms < due)
			due = s->queue[i].at_ms;
	return due;
}

void slink_set_up(struct slink *s, bool up)
{
	struct world *w = s->w;
	struct link_event ev = { .kind = up ? LINK_EV_UP : LINK_EV_DOWN,
				 .fail = { FAIL_LINK, 0, "connection closed" } };

	if (s->up == up)
		return;
	tell(w, "link %u goes %s", s->l.id, up ? "up" : "down");
	s->up = up;
	s->well_ms = w->gw_ms;
	s->unanswered = false;
	s->in_packet = false;
	for (size_t i = 0; !up && i < ARRAY_SIZE(s->out); i++)
		if (s->out[i].used)
			finish(s, &s->out[i], LINK_EV_UNKNOWN, (struct fail){ FAIL_LINK, 0, "connection lost" },
			       w->gw_ms);
	for (size_t i = 0; !up && i < ARRAY_SIZE(s->in); i++)
		if (s->in[i].used) {
			s->in[i].used = false;
			answer_air(s, &s->in[i], SIM_UP_TEMP);
		}
	push(s, w->gw_ms, &ev);
}

bool slink_is_up(const struct slink *s)
{
	return s->up;
}

bool slink_well(const struct slink *s, int64_t for_ms)
{
	/* what is out after one that was not answered is to show whether the next one is */
	return s->up && s->w->gw_ms - s->well_ms >= for_ms && !(s->unanswered && s->n_out);
}

static int start(struct link *l)
{
	slink_set_up(self(l), true);
	return 0;
}

static void stop(struct link *l)
{
	slink_set_up(self(l), false);
}

static void stats(struct link *l, struct link_stats *out)
{
	*out = (struct link_stats){ .up = self(l)->up, .window = self(l)->w->sc.window, .in_window = self(l)->n_out };
}

static void free_link(struct link *l)
{
	slink_free(self(l));
}

static const struct link_ops slink_ops = {
	.kind = "sim",
	.start = start,
	.stop = stop,
	.credit = credit,
	.credit_due = credit_due,
	.submit = submit,
	.answer = answer,
	.stats = stats,
	.free = free_link,
};

static void on_event(void *ctx, struct link *l, const struct link_event *ev)
{
	struct world *w = ctx;

	gw_on_link_event(w->gw, l, ev);
}

struct slink *slink_new(struct world *w, unsigned id)
{
	struct slink *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->queue = calloc(QUEUE_MAX, sizeof(*s->queue));
	if (!s->queue) {
		free(s);
		return NULL;
	}
	s->w = w;
	s->l.ops = &slink_ops;
	s->l.id = id;
	memcpy(s->l.name, "air", 4);
	s->l.on_event = on_event;
	s->l.ctx = w;
	link_credit_init(&s->credit, w->sc.window, w->sc.rate, w->gw_ms);
	return s;
}

struct link *slink_link(struct slink *s)
{
	return &s->l;
}

void slink_free(struct slink *s)
{
	if (!s)
		return;
	free(s->queue);
	free(s);
}
