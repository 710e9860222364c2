/* air.c - an SMSC's store and the radio behind it, in virtual time.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Messages to one card keep their order unless reordering struck: what arrives later was sent later, as on a real
 * paging channel.  Losses are counted per card and stop at a bound, so that a run always comes to an end.
 */
#include "air_int.h"

#include <stdlib.h>
#include <string.h>

#define SW_OK 0x9000

void sim_air_cfg_default(struct sim_air_cfg *cfg)
{
	*cfg = (struct sim_air_cfg){
		.latency_ms = { 5, 50 },
		.reorder_ms = { 100, 400 },
		.absent_ms = { 2000, 10000 },
		.gap_after_ms = { 1000, 10000 },
		.gap_ms = { 1000, 5000 },
		.gaps_per_card_max = 3,
		.loss_per_card_max = 3,
		.paging_ms = 1000,
		.validity_ms = 24 * 3600 * 1000,
		.up_retry_ms = 500,
		.up_tries_max = 1000,
		.refresh_ms = { 100, 500 },
		.msgs_max = SIM_MSGS_MAX_DEFAULT,
		.poll_ms = 30000,
		.register_ms = { 1000, 5000 },
		.register_again_ms = 10 * 60000,
		.register_first_ms = 15000,
	};
}

void air_push(struct sim_air *a, struct ev e)
{
	/* A simulator without memory cannot go on in a way that means anything. */
	if (!queue_push(&a->queue, e))
		abort();
}

bool air_strikes(struct sim_air *a, struct sim_rng *r, uint32_t ppm)
{
	return sim_rng_chance(r, ppm) && !a->calm;
}

bool air_covered(const struct card_air *ca)
{
	return !ca->phone.off && (ca->cover == SIM_COVERAGE_WEATHER ? ca->in_range : ca->cover == SIM_COVERAGE_PRESENT);
}

bool air_present(const struct card_air *ca)
{
	return air_covered(ca) && !ca->phone.unserved;
}

/* A fault that takes something away: bounded per card. */
static bool takes(struct sim_air *a, uint32_t card, struct sim_rng *r, uint32_t ppm)
{
	struct card_air *ca = &a->card[card];

	if (!air_strikes(a, r, ppm) || ca->losses >= a->cfg.loss_per_card_max)
		return false;
	if (++ca->losses > a->stats.loss_high)
		a->stats.loss_high = ca->losses;
	return true;
}

static void flip(struct sim_rng *r, uint8_t *ud, size_t len)
{
	uint64_t bit = sim_rng_next(r) % (8 * len);

	ud[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static void coverage_next(struct sim_air *a, uint32_t card, int64_t now_ms)
{
	struct card_air *ca = &a->card[card];

	if (ca->gaps >= a->cfg.gaps_per_card_max || !air_strikes(a, &ca->coverage, a->cfg.gap_ppm))
		return;
	ca->gaps++;
	air_push(a, (struct ev){ .kind = EV_LEAVE,
				 .slot = card,
				 .due_ms = now_ms + sim_rng_range(&ca->coverage, a->cfg.gap_after_ms) });
}

struct sim_air *sim_air_new(const struct sim_air_cfg *cfg, struct sim_card *cards, uint32_t n, int64_t now_ms)
{
	struct sim_air *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->cfg = *cfg;
	a->cards = cards;
	a->n = n;
	a->now_ms = now_ms;
	a->pool.free = NO_SLOT;
	a->card = calloc(n ? n : 1, sizeof(*a->card));
	if (!a->card || cfg->msgs_max == 0 || cfg->ops > SIM_OPS_MAX)
		goto fail;
	for (uint32_t i = 0; i < n; i++) {
		struct card_air *ca = &a->card[i];
		struct sim_rng r = { cfg->seed ^ 0x5851f42d4c957f2du * (i + 1u) };

		ca->coverage.s = sim_rng_next(&r);
		ca->down.s = sim_rng_next(&r);
		ca->up.s = sim_rng_next(&r);
		ca->phone.rng.s = sim_rng_next(&r);
		ca->stored_head = ca->stored_tail = ca->held_head = ca->held_tail = NO_SLOT;
		ca->covered_ms = ca->taking_ms = now_ms;
		if ((cards[i].msisdn[0] && !book_add(&a->msisdns, cards[i].msisdn, i)) ||
		    !book_add(&a->imsis, cards[i].imsi_presented, i))
			goto fail;
		if (air_strikes(a, &ca->coverage, cfg->absent_ppm)) {
			air_push(a, (struct ev){ .kind = EV_RETURN,
						 .slot = i,
						 .due_ms = now_ms + sim_rng_range(&ca->coverage, cfg->absent_ms) });
		} else {
			ca->in_range = true;
			coverage_next(a, i, now_ms);
		}
		if (cfg->ops)
			air_register_anew(a, i, now_ms);
		else
			air_poll_on(a, i, now_ms);
	}
	return a;
fail:
	sim_air_free(a);
	return NULL;
}

void sim_air_free(struct sim_air *a)
{
	if (!a)
		return;
	free(a->queue.heap);
	free(a->pool.m);
	free(a->msisdns.slot);
	free(a->imsis.slot);
	free(a->card);
	free(a);
}

/* ---- down ---- */

static void result(struct sim_air *a, uint64_t token, enum sim_submit_result r, int64_t due_ms)
{
	air_push(a, (struct ev){ .kind = EV_RESULT, .token = token, .what = r, .due_ms = due_ms });
}

static void arrive_at(struct sim_air *a, uint32_t slot, int64_t due_ms)
{
	air_push(a, (struct ev){ .kind = EV_ARRIVE, .slot = slot, .token = a->pool.m[slot].gen, .due_ms = due_ms });
}

/* When a message sent now reaches the other end: in order, unless reordering struck. */
static int64_t travel(struct sim_air *a, struct sim_rng *r, int64_t *last_ms, int64_t now_ms)
{
	int64_t due = now_ms + sim_rng_range(r, a->cfg.latency_ms);

	if (air_strikes(a, r, a->cfg.reorder_ppm)) {
		a->stats.reordered++;
		return due + sim_rng_range(r, a->cfg.reorder_ms);
	}
	if (due < *last_ms)
		due = *last_ms;
	*last_ms = due;
	return due;
}

/* Refused at the front door? */
static bool refused(struct sim_air *a, const struct sim_sm *sm, int64_t card, int64_t now_ms)
{
	struct sim_rng *r = card >= 0 ? &a->card[card].down : NULL;

	if (r && air_strikes(a, r, a->cfg.throttle_ppm)) {
		a->stats.throttled++;
		result(a, sm->token, sim_rng_next(r) & 1 ? SIM_SUBMIT_THROTTLED : SIM_SUBMIT_QUEUE_FULL, now_ms + 1);
		return true;
	}
	if (a->pool.used >= a->cfg.msgs_max) {
		a->stats.throttled++;
		result(a, sm->token, SIM_SUBMIT_QUEUE_FULL, now_ms + 1);
		return true;
	}
	if (card < 0) {
		a->stats.absent++;
		air_want(a, sm->op, &sm->dst, card);
		result(a, sm->token, a->cfg.mode == SIM_AIR_STORE ? SIM_SUBMIT_BAD_ADDRESS : SIM_SUBMIT_ABSENT,
		       now_ms + 1);
		return true;
	}
	if (a->cfg.mode == SIM_AIR_TRANSACTION &&
	    !(air_present(&a->card[card]) && air_answers_to(a, (uint32_t)card, sm->op, &sm->dst))) {
		air_want(a, sm->op, &sm->dst, card);
		a->stats.absent++;
		result(a, sm->token, SIM_SUBMIT_ABSENT, now_ms + 1);
		return true;
	}
	return false;
}

void sim_air_submit(struct sim_air *a, const struct sim_sm *sm, int64_t now_ms)
{
	int64_t found = sim_air_subscriber(a, sm->op, &sm->dst), due;
	bool lost, no_result, dup, store = a->cfg.mode == SIM_AIR_STORE;
	struct card_air *ca;
	uint32_t slot, card;
	struct msg *m;

	a->stats.submitted++;
	if (sm->ud_len > SIM_UD_MAX) {
		result(a, sm->token, SIM_SUBMIT_FAILED, now_ms + 1);
		return;
	}
	if (refused(a, sm, found, now_ms))
		return;
	card = (uint32_t)found;
	ca = &a->card[card];
	lost = takes(a, card, &ca->down, a->cfg.loss_ppm);
	no_result = takes(a, card, &ca->down, a->cfg.no_result_ppm);
	dup = air_strikes(a, &ca->down, a->cfg.dup_ppm);
	slot = pool_get(&a->pool);
	if (slot == NO_SLOT)
		abort();
	m = &a->pool.m[slot];
	m->sm = *sm;
	m->card = card;
	m->expires_ms = now_ms + (sm->validity_ms > 0 ? sm->validity_ms : a->cfg.validity_ms);
	if (takes(a, card, &ca->down, sm->ud_len ? a->cfg.corrupt_ppm : 0)) {
		a->stats.corrupted++;
		flip(&ca->down, m->sm.ud, m->sm.ud_len);
	}
	due = travel(a, &ca->down, &ca->last_down_ms, now_ms);
	if (no_result) {
		a->stats.lost_results++;
		m->copy = true;
	} else if (store) {
		result(a, sm->token, SIM_SUBMIT_OK, now_ms + 1);
	}
	if (lost) {
		a->stats.lost_down++;
		if (!store && !no_result)
			result(a, sm->token, SIM_SUBMIT_FAILED, now_ms + a->cfg.paging_ms);
		/* In transaction mode half of these have been executed: only the RP-ACK went astray. */
		if (store || sim_rng_next(&ca->down) & 1) {
			pool_put(&a->pool, slot);
			return;
		}
		m->ack_lost = true;
	}
	arrive_at(a, slot, due);
	if (dup) {
		uint32_t twin = pool_get(&a->pool);
		struct msg *t;

		if (twin == NO_SLOT)
			abort();
		a->stats.duplicated++;
		t = &a->pool.m[twin];
		t->sm = a->pool.m[slot].sm;
		t->card = card;
		t->expires_ms = a->pool.m[slot].expires_ms;
		t->copy = true;
		arrive_at(a, twin, due + sim_rng_range(&ca->down, a->cfg.latency_ms));
	}
}

/* ---- up ---- */

static void up_at(struct sim_air *a, uint32_t slot, int64_t due_ms)
{
	air_push(a, (struct ev){ .kind = EV_UP, .slot = slot, .token = a->pool.m[slot].gen, .due_ms = due_ms });
}

static void up_once(struct sim_air *a, const struct sim_up *up, int64_t due_ms)
{
	uint32_t slot = pool_get(&a->pool);
	struct msg *m;

	if (slot == NO_SLOT)
		abort();
	m = &a->pool.m[slot];
	m->up = true;
	m->card = up->card;
	m->mo = *up;
	m->mo.id = (uint64_t)m->gen << 32 | slot;
	up_at(a, slot, due_ms);
}

static void send_up(struct sim_air *a, struct sim_up *up, int64_t now_ms)
{
	struct card_air *ca = &a->card[up->card];
	int64_t due = travel(a, &ca->up, &ca->last_up_ms, now_ms);

	if (takes(a, up->card, &ca->up, a->cfg.loss_ppm)) {
		a->stats.lost_up++;
		return;
	}
	if (takes(a, up->card, &ca->up, up->ud_len ? a->cfg.corrupt_ppm : 0)) {
		a->stats.corrupted++;
		flip(&ca->up, up->ud, up->ud_len);
	}
	up_once(a, up, due);
	if (air_strikes(a, &ca->up, a->cfg.dup_ppm)) {
		a->stats.duplicated++;
		up_once(a, up, due + sim_rng_range(&ca->up, a->cfg.latency_ms));
	}
}

/* A phone's own message, from where it is registered now. */
static void speak(struct sim_air *a, struct sim_up *up, int64_t now_ms)
{
	up->op = a->card[up->card].phone.op;
	up->from = air_card_addr(a, up->card, up->op);
	a->stats.mo++;
	send_up(a, up, now_ms);
}

static void hold_up(struct sim_air *a, const struct sim_up *up)
{
	struct card_air *ca = &a->card[up->card];
	uint32_t slot = pool_get(&a->pool);

	if (slot == NO_SLOT)
		abort();
	a->pool.m[slot].up = true;
	a->pool.m[slot].card = up->card;
	a->pool.m[slot].mo = *up;
	if (ca->held_tail == NO_SLOT)
		ca->held_head = slot;
	else
		a->pool.m[ca->held_tail].next = slot;
	ca->held_tail = slot;
}

static void speak_held(struct sim_air *a, uint32_t card, int64_t now_ms)
{
	struct card_air *ca = &a->card[card];
	uint32_t slot = ca->held_head;

	ca->held_head = ca->held_tail = NO_SLOT;
	while (slot != NO_SLOT) {
		struct sim_up up = a->pool.m[slot].mo;
		uint32_t next = a->pool.m[slot].next;

		pool_put(&a->pool, slot);
		speak(a, &up, now_ms);
		slot = next;
	}
}

static void receipt(struct sim_air *a, const struct msg *m, const char *stat, const uint8_t *ud, uint8_t len,
		    int64_t now_ms)
{
	struct sim_up up = {
		.kind = SIM_UP_RECEIPT,
		.card = m->card,
		.op = m->sm.op,
		.from = m->sm.dst,
		.to = m->sm.src,
		.token = m->sm.token,
		.pid = m->sm.pid,
		.dcs = m->sm.dcs,
		.has_ref = m->sm.has_ref,
		.ref = m->sm.ref,
		.fcs = m->fcs,
	};

	if (!m->sm.want_receipt || m->copy || m->ack_lost)
		return;
	strncpy(up.stat, stat, sizeof(up.stat) - 1);
	if (a->cfg.report_payload && len) {
		up.udhi = true;
		up.ud_len = len;
		memcpy(up.ud, ud, len);
	}
	a->stats.receipts++;
	send_up(a, &up, now_ms);
}

/* TS 23.038: class 2, 8-bit data, in either coding group; PID 7F: (U)SIM data download. */
static bool is_data_download(const struct sim_sm *sm)
{
	return sm->udhi && sm->pid == 0x7f && (sm->dcs == 0xf6 || sm->dcs == 0x16);
}

static void card_meets(struct sim_air *a, struct msg m, const struct sim_air_cb *cb, void *ctx, int64_t now_ms)
{
	struct card_air *ca = &a->card[m.card];
	struct sim_card_out out = { .sw = SW_OK, .status = -1 };
	bool ok, cut, late;

	m.fcs = 0;
	a->stats.delivered++;
	if (is_data_download(&m.sm) && ca->taking != SIM_IGNORES)
		sim_card_sms_pp(&a->cards[m.card], &m.sm.src, m.sm.ud, m.sm.ud_len, &out);
	cut = out.refresh && a->cfg.power_cut_ppm && air_registers(a, m.card) &&
	      air_strikes(a, &ca->phone.rng, a->cfg.power_cut_ppm);
	if (ca->taking == SIM_SILENT || cut)
		out.report_len = out.submits = 0;
	if (cb->card_out)
		cb->card_out(ctx, m.card, &out, &m.sm);
	ok = out.sw == SW_OK || out.sw >> 8 == 0x91; /* TS 31.111, 7.1.1: RP-ACK, else RP-ERROR */
	if (a->cfg.mode == SIM_AIR_TRANSACTION && !m.copy && !m.ack_lost) {
		int64_t back_ms = 1 + sim_rng_range(&ca->down, a->cfg.latency_ms);

		/* An SMSC waits only so long: the card has done it, and nobody will hear of it this way. */
		if (ca->slow_ms && ca->slow_ms >= a->cfg.paging_ms)
			result(a, m.sm.token, SIM_SUBMIT_FAILED, now_ms + a->cfg.paging_ms);
		else
			result(a, m.sm.token, ok ? SIM_SUBMIT_OK : SIM_SUBMIT_FAILED, now_ms + ca->slow_ms + back_ms);
	}
	now_ms += ca->slow_ms;
	receipt(a, &m, ok ? "DELIVRD" : "UNDELIV", out.report, out.report_len, now_ms);
	late = !cut && out.refresh && out.submits && a->cfg.late_proof_ppm && air_registers(a, m.card) &&
	       air_strikes(a, &ca->phone.rng, a->cfg.late_proof_ppm);
	for (int i = 0; i < out.submits; i++) {
		struct sim_up up = {
			.kind = SIM_UP_MO,
			.card = m.card,
			.to = out.submit_to,
			.dcs = 0xf6,
			.udhi = true,
			.ud_len = out.submit[i].len,
		};

		memcpy(up.ud, out.submit[i].ud, up.ud_len);
		if (late)
			hold_up(a, &up);
		else
			speak(a, &up, now_ms);
	}
	if (cut)
		air_power_cut(a, m.card, now_ms, cb, ctx);
	else if (out.refresh && a->cards[m.card].sub)
		air_refresh_soon(a, m.card, now_ms);
	else if (out.refresh)
		air_push(a, (struct ev){ .kind = EV_REFRESH,
					 .slot = m.card,
					 .due_ms = now_ms + sim_rng_range(&ca->down, a->cfg.refresh_ms) });
	air_poll_on(a, m.card, now_ms);
}

static void store(struct sim_air *a, uint32_t slot)
{
	struct msg *m = &a->pool.m[slot];
	struct card_air *ca = &a->card[m->card];

	m->waiting = true;
	m->next = NO_SLOT;
	air_want(a, m->sm.op, &m->sm.dst, m->card);
	a->stats.stored++;
	if (ca->stored_tail == NO_SLOT)
		ca->stored_head = slot;
	else
		a->pool.m[ca->stored_tail].next = slot;
	ca->stored_tail = slot;
	air_push(a, (struct ev){ .kind = EV_EXPIRE, .slot = slot, .token = m->gen, .due_ms = m->expires_ms });
}

/* Memory full is the phone's and concerns everything; busy is the toolkit and concerns downloads (TS 31.111, 7.1.1). */
static bool refuses(const struct card_air *ca, const struct sim_sm *sm)
{
	return ca->taking == SIM_MEMORY_FULL || (ca->taking == SIM_TOOLKIT_BUSY && is_data_download(sm));
}

/* RP-ERROR without execution: told at once, or kept until the phone takes again. */
static void on_refused(struct sim_air *a, uint32_t slot, int64_t now_ms)
{
	struct msg *m = &a->pool.m[slot], gone;
	struct card_air *ca = &a->card[m->card];
	bool full = ca->taking == SIM_MEMORY_FULL;

	a->stats.refused++;
	if (full)
		air_want(a, m->sm.op, &m->sm.dst, m->card);
	m->fcs = full ? SIM_FCS_MEMORY_FULL : SIM_FCS_TOOLKIT_BUSY;
	if (a->cfg.mode == SIM_AIR_STORE && m->expires_ms > now_ms) {
		store(a, slot);
		return;
	}
	gone = *m;
	pool_put(&a->pool, slot);
	if (a->cfg.mode == SIM_AIR_TRANSACTION && !gone.copy && !gone.ack_lost)
		result(a, gone.sm.token, full ? SIM_SUBMIT_MEMORY_FULL : SIM_SUBMIT_BUSY,
		       now_ms + 1 + sim_rng_range(&ca->down, a->cfg.latency_ms));
	else
		receipt(a, &gone, "UNDELIV", NULL, 0, now_ms);
}

static void on_arrive(struct sim_air *a, uint32_t slot, const struct sim_air_cb *cb, void *ctx, int64_t now_ms)
{
	struct msg m = a->pool.m[slot];

	if (air_present(&a->card[m.card]) && air_answers_to(a, m.card, m.sm.op, &m.sm.dst)) {
		if (refuses(&a->card[m.card], &m.sm)) {
			on_refused(a, slot, now_ms);
			return;
		}
		pool_put(&a->pool, slot);
		card_meets(a, m, cb, ctx, now_ms);
		return;
	}
	if (a->cfg.mode == SIM_AIR_STORE && m.expires_ms > now_ms) {
		store(a, slot);
		return;
	}
	pool_put(&a->pool, slot);
	a->stats.absent++;
	air_want(a, m.sm.op, &m.sm.dst, m.card);
	if (a->cfg.mode == SIM_AIR_TRANSACTION && !m.copy && !m.ack_lost)
		result(a, m.sm.token, SIM_SUBMIT_FAILED, now_ms + a->cfg.paging_ms);
	else
		receipt(a, &m, "EXPIRED", NULL, 0, now_ms);
}

static void on_expire(struct sim_air *a, uint32_t slot, int64_t now_ms)
{
	struct msg m = a->pool.m[slot];
	struct card_air *ca = &a->card[m.card];
	uint32_t *link = &ca->stored_head, prev = NO_SLOT;

	if (!m.waiting)
		return;
	while (*link != slot) {
		prev = *link;
		link = &a->pool.m[*link].next;
	}
	*link = m.next;
	if (ca->stored_tail == slot)
		ca->stored_tail = prev;
	pool_put(&a->pool, slot);
	a->stats.expired++;
	receipt(a, &m, "EXPIRED", NULL, 0, now_ms);
}

/* Everything kept for this card goes out again, in order. */
void air_flush_stored(struct sim_air *a, uint32_t card, int64_t now_ms)
{
	struct card_air *ca = &a->card[card];
	uint32_t slot = ca->stored_head;

	ca->stored_head = ca->stored_tail = NO_SLOT;
	while (slot != NO_SLOT) {
		uint32_t next = a->pool.m[slot].next;

		a->pool.m[slot].waiting = false;
		a->pool.m[slot].next = NO_SLOT;
		arrive_at(a, slot, travel(a, &ca->down, &ca->last_down_ms, now_ms));
		slot = next;
	}
}

void air_attached(struct sim_air *a, uint32_t card, int64_t now_ms)
{
	struct card_air *ca = &a->card[card];
	bool wanted = air_wanted(a, card);

	if (a->cfg.alert == SIM_ALERT_ALWAYS || (a->cfg.alert == SIM_ALERT_PENDING && wanted)) {
		if (air_strikes(a, &ca->coverage, a->cfg.alert_loss_ppm))
			a->stats.alerts_lost++;
		else
			air_push(a,
				 (struct ev){
					 .kind = EV_ALERT, .slot = card, .what = ca->phone.op, .due_ms = now_ms + 1 });
	}
	speak_held(a, card, now_ms);
	air_flush_stored(a, card, now_ms);
}

static void on_up(struct sim_air *a, uint32_t slot, const struct sim_air_cb *cb, void *ctx, int64_t now_ms)
{
	struct sim_up up = a->pool.m[slot].mo;
	uint32_t gen = a->pool.m[slot].gen;
	struct msg *m;

	a->pool.m[slot].handed = true; /* it may be answered from inside */
	if (cb->up(ctx, &up))
		return;
	m = &a->pool.m[slot];
	if (!m->used || m->gen != gen)
		return;
	m->handed = false;
	if (++m->tries >= a->cfg.up_tries_max) {
		a->stats.lost_up++;
		pool_put(&a->pool, slot);
		return;
	}
	a->stats.up_retries++;
	up_at(a, slot, now_ms + a->cfg.up_retry_ms);
}

void sim_air_up_answer(struct sim_air *a, uint64_t id, enum sim_up_answer ans, int64_t now_ms)
{
	uint32_t slot = (uint32_t)id;
	struct msg *m;

	if (slot >= a->pool.n)
		return;
	m = &a->pool.m[slot];
	if (!m->used || !m->up || !m->handed || m->mo.id != id)
		return;
	m->handed = false;
	if (ans == SIM_UP_TEMP && ++m->tries < a->cfg.up_tries_max) {
		a->stats.up_retries++;
		up_at(a, slot, now_ms + a->cfg.up_retry_ms);
		return;
	}
	if (ans != SIM_UP_OK)
		a->stats.lost_up++;
	pool_put(&a->pool, slot);
}

static void up_lost(struct sim_air *a, int op, int64_t now_ms)
{
	for (uint32_t i = 0; i < a->pool.n; i++) {
		struct msg *m = &a->pool.m[i];

		if (m->used && m->up && m->handed && (op < 0 || m->mo.op == op)) {
			m->handed = false;
			a->stats.up_retries++;
			up_at(a, i, now_ms + a->cfg.up_retry_ms);
		}
	}
}

void sim_air_up_lost(struct sim_air *a, int64_t now_ms)
{
	up_lost(a, -1, now_ms);
}

void sim_air_up_lost_at(struct sim_air *a, unsigned op, int64_t now_ms)
{
	up_lost(a, (int)op, now_ms);
}

/* ---- the clockwork ---- */

static void on_event(struct sim_air *a, const struct ev *e, const struct sim_air_cb *cb, void *ctx)
{
	struct sim_addr from;

	switch (e->kind) {
	case EV_RESULT:
		cb->result(ctx, e->token, e->what);
		break;
	case EV_ARRIVE:
	case EV_EXPIRE:
	case EV_UP:
		if (!a->pool.m[e->slot].used || a->pool.m[e->slot].gen != e->token)
			break;
		if (e->kind == EV_ARRIVE)
			on_arrive(a, e->slot, cb, ctx, e->due_ms);
		else if (e->kind == EV_EXPIRE)
			on_expire(a, e->slot, e->due_ms);
		else
			on_up(a, e->slot, cb, ctx, e->due_ms);
		break;
	case EV_RETURN:
		a->card[e->slot].in_range = true;
		if (a->card[e->slot].cover == SIM_COVERAGE_WEATHER) {
			a->card[e->slot].covered_ms = e->due_ms;
			air_came_back(a, e->slot, e->due_ms);
		}
		coverage_next(a, e->slot, e->due_ms);
		break;
	case EV_LEAVE:
		a->card[e->slot].in_range = false;
		if (a->card[e->slot].cover == SIM_COVERAGE_WEATHER)
			a->card[e->slot].covered_ms = e->due_ms;
		air_push(a,
			 (struct ev){ .kind = EV_RETURN,
				      .slot = e->slot,
				      .due_ms = e->due_ms + sim_rng_range(&a->card[e->slot].coverage, a->cfg.gap_ms) });
		break;
	case EV_ALERT:
		a->stats.alerts++;
		from = air_card_addr(a, e->slot, e->what);
		cb->alert(ctx, e->what, &from, 0);
		break;
	case EV_REFRESH:
		air_on_refresh(a, e->slot, cb, ctx, e->due_ms);
		break;
	case EV_POLL:
		air_on_poll(a, e->slot, e->due_ms);
		break;
	case EV_REGISTER:
		air_on_register(a, e->slot, e->token, e->due_ms);
		break;
	case EV_LOCATE:
		air_on_locate(a, e->slot, e->token, e->due_ms);
		break;
	}
}

void sim_air_step(struct sim_air *a, int64_t now_ms, const struct sim_air_cb *cb, void *ctx)
{
	if (now_ms > a->now_ms)
		a->now_ms = now_ms;
	while (a->queue.n && a->queue.heap[0].due_ms <= now_ms) {
		struct ev e = queue_pop(&a->queue);

		e.due_ms = now_ms; /* a late step does not act in the past */
		on_event(a, &e, cb, ctx);
	}
}

int64_t sim_air_next_due(const struct sim_air *a)
{
	return a->queue.n ? a->queue.heap[0].due_ms : INT64_MAX;
}

void sim_air_calm(struct sim_air *a)
{
	a->calm = true;
}

void sim_air_cover(struct sim_air *a, uint32_t card, enum sim_coverage cov, int64_t now_ms)
{
	struct card_air *ca = &a->card[card];
	bool before = air_covered(ca);

	ca->cover = (uint8_t)cov;
	if (before != air_covered(ca))
		ca->covered_ms = now_ms;
	if (!before && air_covered(ca))
		air_came_back(a, card, now_ms);
}

void sim_air_taking(struct sim_air *a, uint32_t card, enum sim_taking how, int64_t now_ms)
{
	struct card_air *ca = &a->card[card];
	uint8_t before = ca->taking;

	ca->taking = (uint8_t)how;
	if (before != how)
		ca->taking_ms = now_ms;
	if (how == SIM_MEMORY_FULL || how == SIM_TOOLKIT_BUSY || before == how || !air_present(ca))
		return;
	if (before == SIM_MEMORY_FULL) /* RP-SMMA (TS 24.011, 7.3.2): the SMSC tells as it tells of a return */
		air_attached(a, card, now_ms);
	else if (before == SIM_TOOLKIT_BUSY)
		air_flush_stored(a, card, now_ms);
}

bool sim_air_covered(const struct sim_air *a, uint32_t card, int64_t *since_ms)
{
	*since_ms = a->card[card].covered_ms;
	return air_covered(&a->card[card]);
}

enum sim_taking sim_air_takes(const struct sim_air *a, uint32_t card, int64_t *since_ms)
{
	*since_ms = a->card[card].taking_ms;
	return (enum sim_taking)a->card[card].taking;
}

void sim_air_slow(struct sim_air *a, uint32_t card, int64_t extra_ms)
{
	a->card[card].slow_ms = extra_ms;
}

bool sim_air_present(const struct sim_air *a, uint32_t card)
{
	return air_present(&a->card[card]);
}

bool sim_air_net(struct sim_air *a, const struct sim_net *net)
{
	return sim_net_lay(a->cfg.net, net);
}

size_t sim_air_in_flight(const struct sim_air *a)
{
	return a->pool.used;
}

void sim_air_stats(const struct sim_air *a, struct sim_air_stats *out)
{
	*out = a->stats;
}
