/* air.c - an SMSC's store and the radio behind it, in virtual time.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Messages to one card keep their order unless reordering struck: what arrives later was sent later, as on a real
 * paging channel.  Losses are counted per card and stop at a bound, so that a run always comes to an end.
 */
#include "air_int.h"

#include <stdlib.h>
#include <string.h>

#define TON_INTERNATIONAL 1
#define NPI_ISDN	  1
#define NPI_IMSI	  6 /* land mobile, E.212 */
#define SW_OK		  0x9000

struct card_air {
	struct sim_rng coverage, down, up;
	bool in_range;				/* by the weather; see covered() */
	bool wanted;				/* a message found it absent, or was refused for want of memory */
	uint8_t cover, taking;			/* enum sim_coverage, enum sim_taking */
	int64_t slow_ms, covered_ms, taking_ms; /* the last two: since when it is as it is */
	uint32_t gaps, losses;
	int64_t last_down_ms, last_up_ms;
	uint32_t stored_head, stored_tail;
	char new_msisdn[SIM_IMSI_LEN]; /* from the first change of the IMSI on, "" the same */
	struct phone phone;
};

struct sim_air {
	struct sim_air_cfg cfg;
	struct sim_card *cards;
	struct card_air *card;
	uint32_t n;
	bool calm;
	int64_t now_ms; /* of the last step */
	struct queue queue;
	struct pool pool;
	struct book msisdns, imsis;
	struct sim_air_stats stats;
};

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
	};
}

static void push(struct sim_air *a, struct ev e)
{
	/* A simulator without memory cannot go on in a way that means anything. */
	if (!queue_push(&a->queue, e))
		abort();
}

static bool strikes(struct sim_air *a, struct sim_rng *r, uint32_t ppm)
{
	return sim_rng_chance(r, ppm) && !a->calm;
}

static bool covered(const struct card_air *ca)
{
	return ca->cover == SIM_COVERAGE_WEATHER ? ca->in_range : ca->cover == SIM_COVERAGE_PRESENT;
}

static bool present(const struct card_air *ca)
{
	return covered(ca) && !ca->phone.unserved;
}

/* A fault that takes something away: bounded per card. */
static bool takes(struct sim_air *a, uint32_t card, struct sim_rng *r, uint32_t ppm)
{
	struct card_air *ca = &a->card[card];

	if (!strikes(a, r, ppm) || ca->losses >= a->cfg.loss_per_card_max)
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

	if (ca->gaps >= a->cfg.gaps_per_card_max || !strikes(a, &ca->coverage, a->cfg.gap_ppm))
		return;
	ca->gaps++;
	push(a, (struct ev){ .kind = EV_LEAVE,
			     .slot = card,
			     .due_ms = now_ms + sim_rng_range(&ca->coverage, a->cfg.gap_after_ms) });
}

/* ---- the phone of a card with the subscription applet ---- */

/* Polls while they make a difference, at a rhythm of each phone's own. */
static void poll_on(struct sim_air *a, uint32_t card, int64_t now_ms)
{
	struct phone *ph = &a->card[card].phone;

	if (ph->polling || !sim_card_counts_time(&a->cards[card]))
		return;
	ph->polling = true;
	ph->since_ms = now_ms;
	push(a, (struct ev){ .kind = EV_POLL,
			     .slot = card,
			     .due_ms = now_ms + sim_rng_range(&ph->rng, (struct sim_range){ 1, a->cfg.poll_ms }) });
}

/* Once for one asking: a second reset would not be worth what it costs of the trial. */
static void refresh_soon(struct sim_air *a, uint32_t card, int64_t now_ms)
{
	struct phone *ph = &a->card[card].phone;

	if (ph->refreshing)
		return;
	ph->refreshing = true;
	push(a, (struct ev){ .kind = EV_REFRESH,
			     .slot = card,
			     .due_ms = now_ms + sim_rng_range(&ph->rng, a->cfg.refresh_ms) });
}

/* The attempt made last is the one that counts. */
static void register_at(struct sim_air *a, uint32_t card, int64_t due_ms)
{
	push(a, (struct ev){
			.kind = EV_REGISTER, .slot = card, .token = ++a->card[card].phone.attempt, .due_ms = due_ms });
}

/* The card has been reset: whoever was served is not, until a network says so again. */
static void register_anew(struct sim_air *a, uint32_t card, int64_t now_ms)
{
	struct phone *ph = &a->card[card].phone;

	ph->unserved = true;
	register_at(a, card, now_ms + sim_rng_range(&ph->rng, a->cfg.register_ms));
	poll_on(a, card, now_ms);
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
	if (!a->card || cfg->msgs_max == 0)
		goto fail;
	for (uint32_t i = 0; i < n; i++) {
		struct card_air *ca = &a->card[i];
		struct sim_rng r = { cfg->seed ^ 0x5851f42d4c957f2du * (i + 1u) };

		ca->coverage.s = sim_rng_next(&r);
		ca->down.s = sim_rng_next(&r);
		ca->up.s = sim_rng_next(&r);
		ca->phone.rng.s = sim_rng_next(&r);
		ca->stored_head = ca->stored_tail = NO_SLOT;
		ca->covered_ms = ca->taking_ms = now_ms;
		if (!book_add(&a->msisdns, cards[i].msisdn, i) || !book_add(&a->imsis, cards[i].imsi_presented, i))
			goto fail;
		if (strikes(a, &ca->coverage, cfg->absent_ppm)) {
			push(a, (struct ev){ .kind = EV_RETURN,
					     .slot = i,
					     .due_ms = now_ms + sim_rng_range(&ca->coverage, cfg->absent_ms) });
		} else {
			ca->in_range = true;
			coverage_next(a, i, now_ms);
		}
		poll_on(a, i, now_ms);
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

/* ---- who is who ---- */

/* The subscriber, wherever he is; an IMSI also when the phone does not present it any more. */
int64_t sim_air_subscriber(const struct sim_air *a, const struct sim_addr *addr)
{
	return book_find(addr->npi == NPI_IMSI ? &a->imsis : &a->msisdns, addr->digits);
}

/* What the network calls the card now. */
static const char *msisdn_of(const struct sim_air *a, uint32_t card)
{
	const struct sim_card *c = &a->cards[card];
	const char *new = a->card[card].new_msisdn;

	return *new &&strcmp(c->imsi_presented, c->imsi_first) ? new : c->msisdn;
}

bool sim_air_renumber(struct sim_air *a, uint32_t card, const char *msisdn)
{
	char *new = a->card[card].new_msisdn;

	if (strlen(msisdn) >= sizeof(a->card[card].new_msisdn) || !book_add(&a->msisdns, msisdn, card))
		return false;
	strcpy(new, msisdn);
	return true;
}

/* Does this address reach the card as it stands in the network now? */
static bool answers_to(const struct sim_air *a, uint32_t card, const struct sim_addr *addr)
{
	return !strcmp(addr->digits, addr->npi == NPI_IMSI ? a->cards[card].imsi_presented : msisdn_of(a, card));
}

int64_t sim_air_find(const struct sim_air *a, const struct sim_addr *addr)
{
	int64_t card = sim_air_subscriber(a, addr);

	return card >= 0 && answers_to(a, (uint32_t)card, addr) ? card : -1;
}

static struct sim_addr card_addr(const struct sim_air *a, uint32_t card)
{
	const struct sim_card *c = &a->cards[card];
	struct sim_addr addr = { .ton = TON_INTERNATIONAL, .npi = NPI_ISDN };

	if (a->cfg.from_imsi) {
		addr.npi = NPI_IMSI;
		memcpy(addr.digits, c->imsi_presented, sizeof(c->imsi_presented));
	} else {
		memcpy(addr.digits, msisdn_of(a, card), strlen(msisdn_of(a, card)));
	}
	return addr;
}

/* ---- down ---- */

static void result(struct sim_air *a, uint64_t token, enum sim_submit_result r, int64_t due_ms)
{
	push(a, (struct ev){ .kind = EV_RESULT, .token = token, .what = r, .due_ms = due_ms });
}

static void arrive_at(struct sim_air *a, uint32_t slot, int64_t due_ms)
{
	push(a, (struct ev){ .kind = EV_ARRIVE, .slot = slot, .token = a->pool.m[slot].gen, .due_ms = due_ms });
}

/* When a message sent now reaches the other end: in order, unless reordering struck. */
static int64_t travel(struct sim_air *a, struct sim_rng *r, int64_t *last_ms, int64_t now_ms)
{
	int64_t due = now_ms + sim_rng_range(r, a->cfg.latency_ms);

	if (strikes(a, r, a->cfg.reorder_ppm)) {
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

	if (r && strikes(a, r, a->cfg.throttle_ppm)) {
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
		result(a, sm->token, a->cfg.mode == SIM_AIR_STORE ? SIM_SUBMIT_BAD_ADDRESS : SIM_SUBMIT_ABSENT,
		       now_ms + 1);
		return true;
	}
	if (a->cfg.mode == SIM_AIR_TRANSACTION &&
	    !(present(&a->card[card]) && answers_to(a, (uint32_t)card, &sm->dst))) {
		a->card[card].wanted = true;
		a->stats.absent++;
		result(a, sm->token, SIM_SUBMIT_ABSENT, now_ms + 1);
		return true;
	}
	return false;
}

void sim_air_submit(struct sim_air *a, const struct sim_sm *sm, int64_t now_ms)
{
	int64_t found = sim_air_subscriber(a, &sm->dst), due;
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
	dup = strikes(a, &ca->down, a->cfg.dup_ppm);
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
	push(a, (struct ev){ .kind = EV_UP, .slot = slot, .token = a->pool.m[slot].gen, .due_ms = due_ms });
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
	if (strikes(a, &ca->up, a->cfg.dup_ppm)) {
		a->stats.duplicated++;
		up_once(a, up, due + sim_rng_range(&ca->up, a->cfg.latency_ms));
	}
}

static void receipt(struct sim_air *a, const struct msg *m, const char *stat, const uint8_t *ud, uint8_t len,
		    int64_t now_ms)
{
	struct sim_up up = {
		.kind = SIM_UP_RECEIPT,
		.card = m->card,
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
	bool ok;

	m.fcs = 0;
	a->stats.delivered++;
	if (is_data_download(&m.sm) && ca->taking != SIM_IGNORES)
		sim_card_sms_pp(&a->cards[m.card], &m.sm.src, m.sm.ud, m.sm.ud_len, &out);
	if (ca->taking == SIM_SILENT)
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
	for (int i = 0; i < out.submits; i++) {
		struct sim_up up = {
			.kind = SIM_UP_MO,
			.card = m.card,
			.from = card_addr(a, m.card),
			.to = out.submit_to,
			.dcs = 0xf6,
			.udhi = true,
			.ud_len = out.submit[i].len,
		};

		memcpy(up.ud, out.submit[i].ud, up.ud_len);
		a->stats.mo++;
		send_up(a, &up, now_ms);
	}
	if (out.refresh && a->cards[m.card].sub)
		refresh_soon(a, m.card, now_ms);
	else if (out.refresh)
		push(a, (struct ev){ .kind = EV_REFRESH,
				     .slot = m.card,
				     .due_ms = now_ms + sim_rng_range(&ca->down, a->cfg.refresh_ms) });
	poll_on(a, m.card, now_ms);
}

static void store(struct sim_air *a, uint32_t slot)
{
	struct msg *m = &a->pool.m[slot];
	struct card_air *ca = &a->card[m->card];

	m->waiting = true;
	m->next = NO_SLOT;
	ca->wanted = true;
	a->stats.stored++;
	if (ca->stored_tail == NO_SLOT)
		ca->stored_head = slot;
	else
		a->pool.m[ca->stored_tail].next = slot;
	ca->stored_tail = slot;
	push(a, (struct ev){ .kind = EV_EXPIRE, .slot = slot, .token = m->gen, .due_ms = m->expires_ms });
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
	ca->wanted |= full;
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

	if (present(&a->card[m.card]) && answers_to(a, m.card, &m.sm.dst)) {
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
	a->card[m.card].wanted = true;
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
static void flush_stored(struct sim_air *a, uint32_t card, int64_t now_ms)
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

static void on_attach(struct sim_air *a, uint32_t card, int64_t now_ms)
{
	struct card_air *ca = &a->card[card];

	if (a->cfg.alert == SIM_ALERT_ALWAYS || (a->cfg.alert == SIM_ALERT_PENDING && ca->wanted)) {
		if (strikes(a, &ca->coverage, a->cfg.alert_loss_ppm))
			a->stats.alerts_lost++;
		else
			push(a, (struct ev){ .kind = EV_ALERT, .slot = card, .due_ms = now_ms + 1 });
	}
	ca->wanted = false;
	flush_stored(a, card, now_ms);
}

static void imsi_now(struct sim_air *a, uint32_t card, bool reset, int64_t now_ms)
{
	struct phone *ph = &a->card[card].phone;

	if (ph->polling) /* time until here was before the reset */
		phone_poll(ph, &a->cards[card], now_ms);
	if (reset)
		sim_card_reset(&a->cards[card]);
	else
		sim_card_refresh(&a->cards[card]);
	if (a->cards[card].imsi_presented[0] && !book_add(&a->imsis, a->cards[card].imsi_presented, card))
		abort();
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

void sim_air_up_lost(struct sim_air *a, int64_t now_ms)
{
	for (uint32_t i = 0; i < a->pool.n; i++) {
		struct msg *m = &a->pool.m[i];

		if (m->used && m->up && m->handed) {
			m->handed = false;
			a->stats.up_retries++;
			up_at(a, i, now_ms + a->cfg.up_retry_ms);
		}
	}
}

/* ---- the phone's own events ---- */

/* Coverage is there again: to a phone that is registered that is enough. */
static void came_back(struct sim_air *a, uint32_t card, int64_t now_ms)
{
	struct phone *ph = &a->card[card].phone;

	if (ph->unserved)
		register_at(a, card, now_ms + sim_rng_range(&ph->rng, a->cfg.register_ms));
	else
		on_attach(a, card, now_ms);
}

static void on_poll(struct sim_air *a, uint32_t card, int64_t now_ms)
{
	struct phone *ph = &a->card[card].phone;
	struct sim_card *c = &a->cards[card];

	ph->polling = false;
	phone_poll(ph, c, now_ms);
	if (sim_card_refresh_wanted(c))
		refresh_soon(a, card, now_ms);
	if (!sim_card_counts_time(c))
		return;
	ph->polling = true;
	push(a, (struct ev){ .kind = EV_POLL, .slot = card, .due_ms = now_ms + a->cfg.poll_ms });
}

static void on_register(struct sim_air *a, uint32_t card, uint64_t attempt, int64_t now_ms)
{
	struct card_air *ca = &a->card[card];

	if (attempt != ca->phone.attempt || !covered(ca))
		return; /* without coverage, coming back will do it */
	if (!phone_register(&ca->phone, &a->cards[card], a->cfg.net)) {
		a->stats.register_refused++;
		register_at(a, card, now_ms + a->cfg.register_again_ms);
		return;
	}
	a->stats.registered++;
	ca->phone.unserved = false;
	on_attach(a, card, now_ms);
}

static void on_refresh(struct sim_air *a, uint32_t card, const struct sim_air_cb *cb, void *ctx, int64_t now_ms)
{
	struct phone *ph = &a->card[card].phone;
	struct sim_card *c = &a->cards[card];

	ph->refreshing = false;
	if (c->sub && sim_card_refresh_wanted(c) && strikes(a, &ph->rng, a->cfg.refresh_refused_ppm)) {
		a->stats.refresh_refused++;
		sim_card_refresh_refused(c);
		poll_on(a, card, now_ms);
		return;
	}
	a->stats.refreshes++;
	imsi_now(a, card, false, now_ms);
	if (cb->shown)
		cb->shown(ctx, card);
	if (c->sub)
		register_anew(a, card, now_ms);
	else if (present(&a->card[card]))
		on_attach(a, card, now_ms);
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
			came_back(a, e->slot, e->due_ms);
		}
		coverage_next(a, e->slot, e->due_ms);
		break;
	case EV_LEAVE:
		a->card[e->slot].in_range = false;
		if (a->card[e->slot].cover == SIM_COVERAGE_WEATHER)
			a->card[e->slot].covered_ms = e->due_ms;
		push(a, (struct ev){ .kind = EV_RETURN,
				     .slot = e->slot,
				     .due_ms = e->due_ms + sim_rng_range(&a->card[e->slot].coverage, a->cfg.gap_ms) });
		break;
	case EV_ALERT:
		a->stats.alerts++;
		from = card_addr(a, e->slot);
		cb->alert(ctx, &from, 0);
		break;
	case EV_REFRESH:
		on_refresh(a, e->slot, cb, ctx, e->due_ms);
		break;
	case EV_POLL:
		on_poll(a, e->slot, e->due_ms);
		break;
	case EV_REGISTER:
		on_register(a, e->slot, e->token, e->due_ms);
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
	bool before = covered(ca);

	ca->cover = (uint8_t)cov;
	if (before != covered(ca))
		ca->covered_ms = now_ms;
	if (!before && covered(ca))
		came_back(a, card, now_ms);
}

void sim_air_taking(struct sim_air *a, uint32_t card, enum sim_taking how, int64_t now_ms)
{
	struct card_air *ca = &a->card[card];
	uint8_t before = ca->taking;

	ca->taking = (uint8_t)how;
	if (before != how)
		ca->taking_ms = now_ms;
	if (how == SIM_MEMORY_FULL || how == SIM_TOOLKIT_BUSY || before == how || !present(ca))
		return;
	if (before == SIM_MEMORY_FULL) /* RP-SMMA (TS 24.011, 7.3.2): the SMSC tells as it tells of a return */
		on_attach(a, card, now_ms);
	else if (before == SIM_TOOLKIT_BUSY)
		flush_stored(a, card, now_ms);
}

bool sim_air_covered(const struct sim_air *a, uint32_t card, int64_t *since_ms)
{
	*since_ms = a->card[card].covered_ms;
	return covered(&a->card[card]);
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
	return present(&a->card[card]);
}

void sim_air_power_cycle(struct sim_air *a, uint32_t card)
{
	imsi_now(a, card, true, a->now_ms);
	if (a->cards[card].sub)
		register_anew(a, card, a->now_ms);
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
