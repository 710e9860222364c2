/* flight.c - attempts on their way: the prepared queue, handing out segments, collecting outcomes.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What leaves next is queue.c's to say; a packet that has been started on a link is finished on it, segment after segment
 * (TS 23.040: same originator and reference; lessons B3).  Places in a link's window are counted in short messages, so a
 * packet starts only when there is room for all of its segments.
 */
#include <stdlib.h>

#include "gw_int.h"

/* Token of one segment: command (40 bits), attempt of the transaction (16), segment (8). */
static uint64_t token_make(const struct flight *f, uint8_t seg)
{
	return f->cmd << 24 | (uint64_t)f->attempt << 8 | seg;
}

int flight_init(struct gw *gw)
{
	unsigned n = gw->n_routes * (gw->cfg.limits.prepared_max + QUEUE_RESERVE) + gw->cfg.limits.outcomes_max;
	unsigned buckets = pow2_at_least(n);

	gw->flights = calloc(n, sizeof(*gw->flights));
	gw->flight_hash = calloc(buckets, sizeof(*gw->flight_hash));
	gw->submit_took = calloc(gw->cfg.n_links + 1, sizeof(*gw->submit_took));
	if (!gw->flights || !gw->flight_hash || !gw->submit_took)
		return -ENOMEM;
	gw->flight_hash_mask = buckets - 1;
	for (unsigned i = n; i-- > 0;) {
		gw->flights[i].next = gw->flight_free;
		gw->flight_free = &gw->flights[i];
	}
	queue_init(gw);
	return 0;
}

struct flight *flight_find(struct gw *gw, uint64_t cmd)
{
	struct flight *f = gw->flight_hash[hash_u64(cmd) & gw->flight_hash_mask];

	while (f && f->cmd != cmd)
		f = f->hash_next;
	return f;
}

struct flight *flight_add(struct gw *gw, struct card *c, const struct cmd_row *cmd, unsigned route)
{
	struct flight *f = gw->flight_free, **bucket = &gw->flight_hash[hash_u64(cmd->id) & gw->flight_hash_mask];

	if (!f)
		return NULL;
	gw->flight_free = f->next;
	*f = (struct flight){
		.cmd = cmd->id,
		.card = cmd->card,
		.txn = cmd->txn,
		.camp_id = cmd->campaign,
		.batch_no = gw->batch_no,
		.attempt = c->b.txn.attempts,
		.campaign = (uint16_t)(campaign_by_id(gw, cmd->campaign) - gw->campaign),
		.segs = cmd->segs,
		.route = (uint8_t)route,
		.hash_next = *bucket,
	};
	*bucket = f;
	queue_add(gw, f);
	c->pins++;
	return f;
}

static void flight_free(struct gw *gw, struct flight *f)
{
	struct flight **link = &gw->flight_hash[hash_u64(f->cmd) & gw->flight_hash_mask];
	struct card *c = card_find(gw, f->card);

	while (*link != f)
		link = &(*link)->hash_next;
	*link = f->hash_next;
	ota_assert(c && c->pins);
	c->pins--;
	f->next = gw->flight_free;
	gw->flight_free = f;
}

/* All that was handed out has come back: tell the command. */
static void flight_finish(struct gw *gw, struct flight *f)
{
	struct card *c = card_find(gw, f->card);
	struct flight done = *f;

	ota_assert(c);
	if (gw->link[f->link].current == f) { /* aborted while it was being handed out */
		gw->link[f->link].current = NULL;
		queue_left(gw, f);
	}
	if (f->accepted == f->segs)
		lately_add(&gw->submit_took[f->link], gw->now_ms - f->first_ms);
	flight_free(gw, f);
	cmd_on_flight_done(gw, c, &done);
}

/* May this attempt still leave?  What has happened since it was committed decides: the campaign may have been paused, the
 * deadline passed, the command settled by a late answer, its keys replaced.  Nothing has left, so a withdrawal costs nothing:
 * the same octets wait for their next turn. */
static bool may_go_on(struct gw *gw, struct card *c, const struct flight *f, int64_t now_ms)
{
	const struct cmd_row *cmd = card_cmd(c, f->cmd, NULL);
	const struct campaign *camp = cmd ? campaign_by_id(gw, cmd->campaign) : NULL;

	/* cmd NULL: so many others have followed that it has left memory */
	return cmd && cmd->state == CMD_PREPARED && !f->aborted && camp && !card_held(c) &&
	       !campaign_stopped(camp, now_ms) && now_ms < cmd->deadline_ms && card_keys_of(c, cmd);
}

/* What has not begun must find its window open, too. */
bool flight_wanted(struct gw *gw, const struct flight *f, int64_t now_ms)
{
	struct card *c = card_find(gw, f->card);

	ota_assert(c); /* pinned by its flight */
	return may_go_on(gw, c, f, now_ms) &&
	       rules_opening(&gw->campaign[f->campaign].rules, c->b.card.tz_min, now_ms) == now_ms;
}

void flight_withdraw(struct gw *gw, struct flight *f)
{
	struct card *c = card_find(gw, f->card);
	struct cmd_row *cmd = card_cmd(c, f->cmd, NULL);
	const struct flight gone = *f;

	gw->stats.withdrawn++;
	flight_free(gw, f);
	if (!cmd || cmd->state != CMD_PREPARED)
		return;
	cmd_attempt_back(gw, c, cmd);
	moving_back(gw, c, cmd, &gone);
	if (!c->b.txn.attempts && !c->b.txn.sms_parts) /* nothing has ever left */
		c->b.txn.first_try_ms = c->b.txn.last_try_ms = 0;
	cmd_state_set(gw, c, cmd, CMD_WAIT_TIMER);
	cmd->due_ms = gw->now_ms;
	stub_due(gw, stub_find(gw, c->b.card.id), gw->now_ms);
}

static void flight_abort(struct gw *gw, struct flight *f);

/* A packet that is half out ends here: the card cannot complete it, and the next attempt is under a reference of its own. */
static void stop_half_way(struct gw *gw)
{
	for (unsigned i = 0; i < gw->cfg.n_links; i++) {
		struct flight *f = gw->link[i].current;
		struct card *c = f && !f->aborted ? card_find(gw, f->card) : NULL;

		if (!c || may_go_on(gw, c, f, gw->now_ms))
			continue;
		if (f->fail.cls == FAIL_NONE)
			f->fail = (struct fail){ FAIL_LINK, 0, "stopped half way through the packet" };
		flight_abort(gw, f);
	}
}

/* Withdraws what may not go any more; also while no link is there to ask for it. */
void flight_sweep(struct gw *gw)
{
	queue_sweep(gw);
	stop_half_way(gw);
}

/* Of a packet that was stopped half way on this link, what is out comes back and the rest stays here. */
void flight_clear_link(struct gw *gw, unsigned link)
{
	struct flight *f = gw->link[link].current;

	if (!f || !f->aborted)
		return;
	if (f->outcomes == f->next_seg) { /* nothing is out any more: nobody else would end it */
		flight_finish(gw, f);
	} else {
		gw->link[link].current = NULL;
		queue_left(gw, f);
	}
}

/* The first in the queues that is this link's to send.  The card may have been heard meanwhile, and is now reached under its other
 * number: that may be another route's, and then the packet goes over there.  Each does so once at most. */
static struct flight *first_for(struct gw *gw, unsigned link, int64_t now_ms)
{
	struct flight *f;

	while ((f = queue_next(gw, link, now_ms))) {
		const struct card *c = card_find(gw, f->card);
		unsigned route;

		f->moved = card_address_turn(gw, c);
		route = card_route(gw, c, f->moved);
		if (route == f->route)
			break;
		queue_left(gw, queue_take(gw));
		f->route = (uint8_t)route;
		gw->rerouted = true;
		queue_add(gw, f);
	}
	return f;
}

/* What was heard until now is not since this attempt. */
static void heard_before(struct gw *gw, struct flight *f)
{
	struct stub *s = stub_find(gw, f->card);

	if (!s || !s->heard_old)
		return;
	f->heard = true;
	s->heard_old = false;
}

/* The flight whose next segment may leave on this link, or NULL. */
static struct flight *pick(struct gw *gw, unsigned link, unsigned room, int64_t now_ms)
{
	struct gw_link *l = &gw->link[link];
	struct flight *f = l->current;

	if (f && !f->aborted)
		return f;
	flight_clear_link(gw, link);
	f = first_for(gw, link, now_ms);
	/* window and tokens for all of it; a window smaller than the packet is the exception */
	if (!f || (room < f->segs && (l->flying || l->growing)))
		return NULL;
	l->current = queue_take(gw);
	link_took(gw, link, now_ms);
	heard_before(gw, f);
	f->link = link;
	f->first_ms = now_ms;
	return f;
}

/* A copy in some store must not outlive the attempt (D6), nor the deadline; 0 would be the SMSC's own choice. */
static uint32_t validity_s(const struct gw *gw, const struct cmd_row *cmd, int64_t now_ms)
{
	int64_t left_ms = cmd->deadline_ms - now_ms;

	if (left_ms > (int64_t)gw->cfg.retry.por_timeout_ms)
		left_ms = gw->cfg.retry.por_timeout_ms;
	return left_ms > 1000 ? (uint32_t)(left_ms / 1000) : 1;
}

bool gw_submit_next(struct gw *gw, unsigned link, unsigned room, int64_t now_ms, struct link_submit *out,
		    uint8_t ud[LINK_UD_MAX])
{
	const struct campaign *camp;
	struct flight *f;
	struct card *c;
	struct cmd_row *cmd;
	int n;

	if (!room || gw->fatal[0] || gw->commit_backoff_ms || !gw->link_state[link].up ||
	    gw->outstanding >= gw->cfg.limits.outcomes_max)
		return false;
	gw->now_ms = now_ms;
	f = pick(gw, link, room, now_ms);
	if (!f)
		return false;
	c = card_find(gw, f->card);
	cmd = card_cmd(c, f->cmd, NULL);
	ota_assert(c->b.packet_cmd == cmd->id);
	camp = campaign_by_id(gw, cmd->campaign);
	n = ota_segment(ud, c->b.packet, c->b.packet_len, 0x70, camp->profile.concat, cmd->concat_ref,
			(uint8_t)(f->next_seg + 1), f->segs);
	ota_assert(n > 0);
	*out = (struct link_submit){
		.token = token_make(f, f->next_seg),
		.src = gw->cfg.src,
		.ud = ud,
		.ud_len = (uint8_t)n,
		.pid = gw->cfg.pid,
		.dcs = gw->cfg.dcs,
		.more = f->next_seg + 1 < f->segs,
		/* a PoR in the DELIVER-REPORT comes back, if at all, inside the delivery receipt */
		.want_report = gw->cfg.want_report || (OTA_SPI2_POR(cmd->spi[1]) && !OTA_SPI2_SUBMIT(cmd->spi[1])),
		.validity_s = validity_s(gw, cmd, now_ms),
	};
	if (gw->cfg.address_by_imsi) {
		out->dst = (struct ota_addr){ .ton = 0, .npi = 6 };
		memcpy(out->dst.digits, f->moved ? c->b.txn.new_imsi : c->b.card.imsi, sizeof(c->b.card.imsi));
	} else {
		out->dst = (struct ota_addr){ .ton = 1, .npi = 1 };
		memcpy(out->dst.digits, f->moved ? c->b.txn.new_msisdn : c->b.card.msisdn, sizeof(c->b.card.msisdn));
	}
	gw->outstanding++;
	gw->link[link].flying++;
	gw->stats.submits++;
	if (++f->next_seg == f->segs) {
		gw->link[link].current = NULL;
		queue_left(gw, f);
	}
	return true;
}

void gw_submit_refused(struct gw *gw, unsigned link, uint64_t token, int rc, int64_t now_ms)
{
	struct gw_event ev = { .kind = GW_EV_LINK, .link = link, .own = true };
	struct flight *f = flight_find(gw, token >> 24);

	if (f) {
		f->aborted = true; /* the rest stays here */
		f->kept++;
	}
	/* the same road as any other outcome, so that there is one place where attempts end */
	ev.ev.kind = LINK_EV_REJECTED;
	ev.ev.token = token;
	ev.ev.fail = rc == -EINVAL ?
			     (struct fail){ FAIL_CONFIG, 0, "no link can send this: is there a number to send to?" } :
			     (struct fail){ FAIL_LINK, 0, "link did not take it" };
	gw->now_ms = now_ms;
	if (gw_post(gw, &ev) < 0)
		gw_set_fatal(gw, "no place for an outcome of our own submit: reserve too small");
}

/* Hands nothing more out of this attempt. */
static void flight_abort(struct gw *gw, struct flight *f)
{
	f->aborted = true;
	if (f->next_seg && f->next_seg < f->segs && f->outcomes == f->next_seg)
		flight_finish(gw, f); /* nothing is out any more: nobody else would end it */
}

void flight_abandon(struct gw *gw, uint64_t cmd)
{
	struct flight *f = flight_find(gw, cmd);

	if (f)
		flight_abort(gw, f);
}

/* A packet is not finished on another connection than the one it was started on.  Called as soon as the link says so, also
 * while its event still waits in the inbox: the link may be up again before that is taken. */
void flight_link_down(struct gw *gw, unsigned link)
{
	struct flight *f = gw->link[link].current;

	if (!f)
		return;
	if (f->fail.cls == FAIL_NONE)
		f->fail = (struct fail){ FAIL_LINK, 0, "link went down" };
	f->aborted = true;
}

/* A pause or a cancel holds as soon as somebody asks for it: while a commit takes long it may wait in the inbox, and what is
 * prepared stays here meanwhile. */
void flight_stop(struct gw *gw, uint64_t campaign)
{
	struct campaign *camp = campaign_by_id(gw, campaign);

	if (!camp)
		return;
	camp->stops++;
	for (unsigned i = 0; i < gw->cfg.n_links; i++) {
		struct flight *f = gw->link[i].current;

		if (!f || f->camp_id != campaign)
			continue;
		if (f->fail.cls == FAIL_NONE)
			f->fail = (struct fail){ FAIL_LINK, 0, "stopped half way through the packet" };
		f->aborted = true;
	}
}

static bool worse(enum fail_class a, enum fail_class b)
{
	/* a refusal that names the subscriber or our configuration says more than congestion */
	static const uint8_t rank[_FAIL_CLASSES] = {
		[FAIL_CONGEST] = 1,	   [FAIL_LINK] = 2,	   [FAIL_BUSY] = 3,	 [FAIL_MEM] = 4,
		[FAIL_ABSENT] = 5,	   [FAIL_UNKNOWN] = 6,	   [FAIL_SUBS_PERM] = 7, [FAIL_CONFIG] = 8,
		[FAIL_CARD_TRANSIENT] = 4, [FAIL_CARD_RESYNC] = 5, [FAIL_CARD_PERM] = 7,
	};

	return rank[a] > rank[b];
}

void flight_on_outcome(struct gw *gw, const struct link_event *ev)
{
	struct flight *f = flight_find(gw, ev->token >> 24);
	unsigned link;

	if (!f || f->attempt != (uint16_t)(ev->token >> 8) || f->outcomes >= f->next_seg) {
		gw_log(gw, 4, "outcome for cmd=%llu that is not under way: ignored",
		       (unsigned long long)(ev->token >> 24));
		return;
	}
	link = f->link;
	f->outcomes++;
	gw->outstanding--;
	gw->link[link].flying--;
	if (ev->kind == LINK_EV_ACCEPTED) {
		f->accepted++;
	} else if (ev->kind == LINK_EV_UNKNOWN) {
		f->unknown++;
		if (f->fail.cls == FAIL_NONE)
			f->fail = ev->fail;
		f->aborted = f->aborted || ev->fail.cls == FAIL_LINK;
	} else {
		bool maybe = f->fail.maybe_ran || ev->fail.maybe_ran;

		if (f->fail.cls == FAIL_NONE || worse(ev->fail.cls, f->fail.cls))
			f->fail = ev->fail;
		f->fail.maybe_ran = maybe;
		f->aborted = true; /* the card cannot complete this packet any more */
	}
	if (f->outcomes == f->segs || (f->aborted && f->outcomes == f->next_seg))
		flight_finish(gw, f);
}
