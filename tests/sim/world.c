/* world.c - everything outside the core: sets a seed's world up, turns it, kills the gateway and starts it again.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mark.h"
#include "sim.h"

#define STEPS_PER_TURN 64
#define REST_MS	       5000 /* after the last card has ended: whatever is still in the air may come */
#define LINK_START_MS  500
#define START_AGAIN_MS 20000
#define VERBS_FROM     1000 /* below are the orders to links */
#define VERBS	       8    /* a request's number says the campaign and the verb */

/* ------------------------------------------------------------------------------------------------ telling */

void tell(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (!w->trace)
		return;
	printf("%+10.3f  ", (double)(w->now_ms - SIM_START_MS) / 1000);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static void on_log(void *ctx, int level, const char *line)
{
	struct world *w = ctx;
	char leak[2 * SIM_KEY_MAX + 8] = "key=";

	check_text(w, "a log line", line);
	check_end_told(w, line);
	if (w->broken == BREAK_TELL_TWICE)
		check_end_told(w, line);
	if (w->broken == BREAK_LEAK_KEY) {
		for (size_t i = 0; i < w->watch[0].key_len; i++)
			snprintf(leak + 4 + 2 * i, 3, "%02x", w->watch[0].key[1][i]);
		check_text(w, "a log line", leak);
	}
	tell(w, "log %d %s", level, line);
}

/* ------------------------------------------------------------------------------------------------ plan */

void world_plan(struct world *w, int64_t at_ms, enum plan_kind kind, unsigned arg)
{
	unsigned i;

	if (w->n_plan == SIM_PLAN_MAX) {
		check_fail(w, "harness", "more than %d things planned", SIM_PLAN_MAX);
		return;
	}
	for (i = w->n_plan++; i && w->plan[i - 1].at_ms > at_ms; i--)
		w->plan[i] = w->plan[i - 1];
	w->plan[i] = (struct plan){ at_ms, kind, arg };
}

static int64_t within(struct world *w, int64_t lo, int64_t hi)
{
	return sim_rng_range(&w->dice, (struct sim_range){ lo, hi });
}

static void plan_all(struct world *w)
{
	const int64_t calm = SIM_START_MS + w->sc.calm_ms;

	for (unsigned i = 0; i < w->sc.crashes; i++)
		if (within(w, 0, 1))
			world_plan(w, within(w, SIM_START_MS, calm), PLAN_CRASH, 0);
		else
			w->crashes_left++;
	for (unsigned i = 0; i < w->sc.link_downs; i++) {
		int64_t at = within(w, SIM_START_MS, calm);
		unsigned link = (unsigned)within(w, 0, w->sc.links - 1);

		world_plan(w, at, PLAN_LINK_DOWN, link);
		world_plan(w, at + within(w, 0, within(w, 0, 1) ? 20000 : 50), PLAN_LINK_UP, link);
	}
	for (unsigned i = 0; i < w->sc.store_outages; i++) {
		int64_t at = within(w, SIM_START_MS, calm);

		world_plan(w, at, PLAN_STORE_BAD, (unsigned)within(w, 0, 2));
		world_plan(w, at + within(w, 100, 15000), PLAN_STORE_GOOD, 0);
	}
	for (unsigned i = 0; i < w->sc.pauses; i++) {
		int64_t at = within(w, SIM_START_MS, calm);

		world_plan(w, at, PLAN_PAUSE, (unsigned)within(w, 0, w->sc.campaigns - 1));
		world_plan(w, at + within(w, 100, 20000), PLAN_START, 0);
	}
	for (unsigned i = 0; i < w->sc.cancels; i++)
		world_plan(w, within(w, SIM_START_MS, calm), PLAN_CANCEL, w->sc.cancelled);
	for (unsigned i = 0; i < w->sc.clock_steps; i++)
		world_plan(w, sim_rng_range(&w->clock_dice, (struct sim_range){ SIM_START_MS, calm }), PLAN_CLOCK,
			   (unsigned)w->sc.clock_step_s[i]);
	for (unsigned i = 0; i < w->sc.restores; i++) {
		int64_t at = sim_rng_range(&w->clock_dice, (struct sim_range){ SIM_START_MS, calm });

		world_plan(w, at, PLAN_BACKUP, 0);
		world_plan(w, sim_rng_range(&w->clock_dice, (struct sim_range){ at, calm }), PLAN_RESTORE, 0);
	}
	world_plan(w, calm, PLAN_CALM, 0);
	routes_plan(w);
	others_plan(w);
	wards_plan(w);
	world_plan(w, SIM_START_MS + w->sc.bound_ms, PLAN_DEADLINE, 0);
	if (w->sc.works)
		world_plan(w, SIM_START_MS + w->sc.calm_ms / 2, PLAN_SETTLE, 0);
	if (w->sc.windows_ms)
		world_plan(w, SIM_START_MS + w->sc.bound_ms - w->sc.windows_ms, PLAN_DUE, 0);
}

/* ------------------------------------------------------------------------------------------------ crash */

void world_crash(struct world *w)
{
	if (!w->dead && w->gw) {
		w->dead = true;
		tell(w, "KILL");
	}
}

void world_crash_point(struct world *w, enum crash_at at)
{
	if (w->crash_at != at || w->dead || w->calm || !w->crash_count)
		return;
	if (--w->crash_count == 0)
		world_crash(w);
}

static void arm_crash(struct world *w)
{
	w->crash_at = CRASH_NEVER;
	if (!w->crashes_left || w->calm)
		return;
	w->crashes_left--;
	w->crash_at = (enum crash_at)within(w, CRASH_COMMIT_BEFORE, _CRASH_AT - 1);
	w->crash_count = (unsigned)within(w, 1, w->crash_at == CRASH_QUERY ? 8 : 40);
}

static void take_down(struct world *w)
{
	if (!w->gw)
		return;
	store_mem_crash(w->store, sstore_keep, w);
	if (w->again)
		store_batch_free(w->again);
	w->again = NULL;
	if (w->attempt)
		store_batch_free(w->attempt);
	w->attempt = NULL;
	others_lost(w);
	wards_lost(w);
	orders_grow_lost(w);
	if (w->store_seen)
		sstore_front_free(w->store_seen);
	w->store = w->store_seen = NULL;
	gw_free(w->gw);
	w->gw = NULL;
	ks_close(w->ks);
	w->ks = NULL;
	for (unsigned i = 0; i < w->sc.links; i++) {
		slink_free(w->slink[i]);
		w->slink[i] = NULL;
		w->link[i] = NULL;
	}
}

static void die(struct world *w)
{
	take_down(w);
	w->after_crash_lossy = true;
	w->store_bad = false;
	sim_air_up_lost(w->air, w->now_ms);
	if (!w->scn)
		world_plan(w, w->now_ms + within(w, 0, 20000), PLAN_RESTART, 0);
	else if (w->scn_restart_ms)
		world_plan(w, w->now_ms + w->scn_restart_ms, PLAN_RESTART, 0);
}

/* ------------------------------------------------------------------------------------------------ backup */

void world_backup(struct world *w)
{
	if (w->backup)
		store_mem_disk_free(w->backup);
	w->backup = store_mem_disk_copy(w->disk);
	w->backup_batch = w->disk_batch;
	w->backup_epoch = w->epoch;
	check_backup(w);
	tell(w, "BACKUP at batch %llu", (unsigned long long)w->backup_batch);
}

/* The gateway is stopped, if it runs, and started again on what was durable when the backup was made. */
void world_restore(struct world *w)
{
	if (!w->backup)
		return;
	if (w->gw) {
		w->dead = true;
		die(w);
	}
	tell(w, "RESTORE of batch %llu; the last one told was %llu", (unsigned long long)w->backup_batch,
	     (unsigned long long)w->mark);
	store_mem_disk_free(w->disk);
	w->disk = store_mem_disk_copy(w->backup);
	w->disk_batch = w->backup_batch;
	w->epoch = w->backup_epoch;
	w->again_no = 0;
	check_restore(w);
}

static void on_durable(void *ctx, uint64_t batch_no)
{
	((struct world *)ctx)->mark = batch_no;
}

/* As gateway/mark.c: a disk that is older than the note kept beside it has been put back. */
static void find_epoch(struct world *w)
{
	if ((w->mark > w->disk_batch || w->mark_epoch > w->epoch) && w->broken != BREAK_SAME_EPOCH) {
		w->epoch = mark_next_epoch(w->mark_epoch, (uint32_t)(w->gw_ms / 1000));
		w->epochs++;
		tell(w, "the disk is older than its mark: epoch %u begins", w->epoch);
	}
	w->mark_epoch = w->epoch;
	w->mark = w->disk_batch;
	w->sc.gw.epoch = w->epoch;
}

/* ------------------------------------------------------------------------------------------------ start */

static int random_octets(void *ctx, uint8_t *buf, size_t len)
{
	struct world *w = ctx;

	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(sim_rng_next(&w->gw_dice) >> 24);
	return 0;
}

static int64_t utc_ms(void *ctx)
{
	return ((struct world *)ctx)->gw_ms;
}

/* The gateway reads its clocks, once per turn: the code of env_real.c makes a steady UTC out of a wall clock that is set back
 * and forth and of the time since boot. */
static void read_clock(struct world *w)
{
	const int64_t wall_ns = (w->now_ms + w->wall_off_ms) * 1000000, boot_ns = (w->now_ms - SIM_START_MS) * 1000000;
	int64_t before_ms = w->gw_ms, step_ms;
	bool started = w->clock.started;

	w->gw_ms = env_clock_tick(&w->clock, wall_ns, boot_ns, &step_ms);
	if (w->broken == BREAK_FOLLOW_WALL)
		w->gw_ms = wall_ns / 1000000;
	if (step_ms)
		tell(w, "the wall clock was set by %lld ms", (long long)step_ms);
	if (started && w->gw_ms < before_ms)
		check_fail(w, "steady-clock", "the gateway's clock goes back by %lld ms",
			   (long long)(before_ms - w->gw_ms));
}

/* A time of the gateway's as one of the world's. */
static int64_t world_time(const struct world *w, int64_t gw_ms)
{
	if (gw_ms == INT64_MAX)
		return INT64_MAX;
	return w->now_ms + (gw_ms > w->gw_ms ? gw_ms - w->gw_ms : 0);
}

static int open_keys(struct world *w, struct ks **ks, bool first)
{
	struct ks_open_params p = {
		.source = KS_KEK_MEMORY, .kek = w->kek, .slots = 128, .random = random_octets, .random_ctx = w
	};
	char err[160];
	int rc = ks_open(ks, &p, first ? NULL : w->ks_check, first ? 0 : sizeof(w->ks_check),
			 first ? w->ks_check : NULL, err, sizeof(err));

	if (rc)
		check_fail(w, "harness", "keystore: %s", err);
	return rc;
}

/* Read once for all runs of the process: nobody changes it. */
static const struct errtab *the_errtab(void)
{
	static struct errtab *t;
	char err[ERRTAB_ERR_MAX];

	if (!t)
		t = errtab_new(err);
	if (!t) {
		fprintf(stderr, "error table: %s\n", err);
		abort();
	}
	return t;
}

bool world_boot(struct world *w)
{
	struct gw_deps deps = {
		.env = &w->env, .errtab = the_errtab(), .log = on_log, .log_ctx = w, .mark = on_durable, .mark_ctx = w
	};

	w->lives++;
	w->dead = w->ready_seen = w->query_failed = false;
	w->n_ends_told = 0;
	w->life_commits = 0;
	w->clock = (struct env_clock){ 0 };
	read_clock(w);
	tell(w, "START, life %u", w->lives);
	arm_crash(w);
	if (w->broken == BREAK_PLAN_ANEW && w->lives > 1)
		sstore_plan_anew(w);
	if (w->lives > 1)
		sstore_trim(w);
	find_epoch(w);
	if (open_keys(w, &w->ks, false))
		return false;
	w->store = store_mem_open(w->disk, &w->hooks);
	w->store_seen = w->store ? sstore_front(w, w->store) : NULL;
	rules_boot(w);
	deps.store = w->store_seen;
	deps.ks = w->ks;
	w->gw = w->store_seen ? gw_new(&w->sc.gw, &deps) : NULL;
	for (unsigned i = 0; i < w->sc.links; i++) {
		w->slink[i] = slink_new(w, i);
		w->link[i] = w->slink[i] ? slink_link(w->slink[i]) : NULL;
	}
	if (!w->gw || !w->link[w->sc.links - 1]) {
		check_fail(w, "harness", "the gateway does not start");
		return false;
	}
	w->act_due_ms = INT64_MAX;
	gw_start(w->gw, w->gw_ms);
	return true;
}

void world_verb(struct world *w, unsigned campaign, enum gw_campaign_verb verb)
{
	struct gw_event ev = { .kind = GW_EV_CAMPAIGN, .campaign = w->campaign[campaign].id, .verb = verb };

	ev.request = VERBS_FROM + campaign * VERBS + (unsigned)verb + 1;
	if (!w->gw || w->dead)
		return;
	if ((w->broken == BREAK_DEAF && verb == CAMPAIGN_VERB_PAUSE) || !gw_post(w->gw, &ev))
		rules_asked(w, campaign, verb);
	else
		world_plan(w, w->now_ms + 100,
			   verb == CAMPAIGN_VERB_START ? PLAN_START_ONE :
			   verb == CAMPAIGN_VERB_PAUSE ? PLAN_PAUSE :
							 PLAN_CANCEL,
			   campaign);
}

static void start_campaign(struct world *w, unsigned campaign)
{
	struct gw_campaign_view v;

	if (w->gw && gw_campaign_view(w->gw, w->campaign[campaign].id, &v) &&
	    (v.row.state == CAMPAIGN_READY || v.row.state == CAMPAIGN_PAUSED))
		world_verb(w, campaign, CAMPAIGN_VERB_START);
}

/* Whatever is not running and not at its end. */
void world_start_campaigns(struct world *w)
{
	for (unsigned i = 0; i < w->n_campaigns; i++)
		start_campaign(w, i);
}

static void on_ready(struct world *w)
{
	w->ready_seen = true;
	tell(w, "ready");
	check_ready(w);
	world_start_campaigns(w);
	for (unsigned i = 0; i < w->sc.links; i++)
		world_plan(w, w->now_ms + (w->scn ? 0 : within(w, 0, LINK_START_MS)), PLAN_LINK_UP, i);
}

/* ------------------------------------------------------------------------------------------------ the air's callbacks */

static void air_result(void *ctx, uint64_t token, enum sim_submit_result r)
{
	struct world *w = ctx;

	for (unsigned i = 0; w->gw && !w->dead && i < w->sc.links; i++)
		if (slink_result(w->slink[i], token, r))
			return;
	/* of an earlier life, or told too late */
}

void world_split_up(const struct sim_up *up, uint8_t ref, struct sim_up *one, struct sim_up *two)
{
	/* the second one has no 71 00 (TS 31.115, 4.4) */
	const uint8_t first_udh[] = { 0x07, 0x00, 0x03, ref, 2, 1, 0x71, 0x00 };
	const uint8_t second_udh[] = { 0x05, 0x00, 0x03, ref, 2, 2 };
	unsigned head = up->ud[0] + 1u, half = (up->ud_len - head) / 2, rest = up->ud_len - head - half;

	*one = *two = *up;
	one->id = two->id = UINT64_MAX; /* whoever split it has answered for it */
	memcpy(one->ud, first_udh, sizeof(first_udh));
	memcpy(one->ud + sizeof(first_udh), up->ud + head, half);
	one->ud_len = (uint8_t)(sizeof(first_udh) + half);
	memcpy(two->ud, second_udh, sizeof(second_udh));
	memcpy(two->ud + sizeof(second_udh), up->ud + head + half, rest);
	two->ud_len = (uint8_t)(sizeof(second_udh) + rest);
}

static bool can_be_split(struct world *w, const struct sim_up *up)
{
	struct ota_udh udh;

	return !w->calm && sim_rng_chance(&w->front_dice, w->sc.split_ppm) && up->udhi && up->ud_len &&
	       up->ud_len < SIM_UD_MAX - 8 && !ota_udh_parse(&udh, up->ud, up->ud_len) && udh.pi == 0x71 &&
	       !udh.concat && up->ud_len > udh.len + 2;
}

/* Two messages instead of one, on one link, and nobody sends them again. */
static void pass_split(struct world *w, const struct sim_up *up)
{
	bool reversed = sim_rng_next(&w->front_dice) & 1;
	struct sim_up one, two;

	world_split_up(up, (uint8_t)(sim_rng_next(&w->front_dice) % 3), &one, &two);
	if (slink_up_message(w->slink[0], reversed ? &two : &one))
		slink_up_message(w->slink[0], reversed ? &one : &two);
	sim_air_up_answer(w->air, up->id, SIM_UP_OK, w->now_ms);
}

static bool air_up(void *ctx, const struct sim_up *up)
{
	struct world *w = ctx;
	unsigned first;

	if (w->scn && scn_up(w, up))
		return true;
	if (!w->gw || w->dead)
		return false;
	if (can_be_split(w, up)) {
		pass_split(w, up);
		return true;
	}
	first = (unsigned)(sim_rng_next(&w->link_dice) % w->sc.links);
	for (unsigned i = 0; i < w->sc.links; i++)
		if (slink_up_message(w->slink[(first + i) % w->sc.links], up))
			return true;
	return false;
}

static void air_alert(void *ctx, unsigned op, const struct sim_addr *from, uint8_t ms_status)
{
	struct world *w = ctx;

	if (w->gw && !w->dead)
		slink_alert(w->slink[sim_rng_next(&w->link_dice) % w->sc.links], from, ms_status);
}

static void air_card_out(void *ctx, uint32_t card, const struct sim_card_out *out, const struct sim_sm *sm)
{
	struct world *w = ctx;
	struct sim_card *c = &w->card[card];

	if (out->complete)
		tell(w, "card %u: status %d sw %04x %s%s", card, out->status, out->sw,
		     out->accepted ? "accepted" : "refused", out->refresh ? ", REFRESH" : "");
	if (w->broken == BREAK_DOUBLE_RUN)
		c->ks[0].cntr = c->profile.cntr;
	if (w->broken == BREAK_FORGET_WRITE && out->accepted) {
		struct sim_card fresh;

		if (!sim_card_init(&fresh, w->seed, card, &c->profile))
			memcpy(c->fs, fresh.fs, sizeof(c->fs));
	}
	if (w->sc.works && out->accepted)
		orders_after(w, card);
	if (w->sc.works)
		orders_look(w, card);
	if (out->accepted)
		check_cards(w);
}

static void air_shown(void *ctx, uint32_t card)
{
	struct world *w = ctx;

	if (w->sc.works)
		orders_look(w, card);
}

static const struct sim_air_cb air_cb = {
	.result = air_result,
	.up = air_up,
	.alert = air_alert,
	.card_out = air_card_out,
	.shown = air_shown,
};

/* ------------------------------------------------------------------------------------------------ turning */

static void go_calm(struct world *w)
{
	tell(w, "no more faults from here on");
	w->calm = true;
	w->store_bad = false;
	w->crash_at = CRASH_NEVER;
	sim_air_calm(w->air);
	for (unsigned i = 0; i < w->sc.links; i++)
		world_plan(w, w->now_ms + 1, PLAN_LINK_UP, i);
	world_plan(w, w->now_ms, PLAN_START_AGAIN, 0);
}

/* After a cancel, with a kill among them: somebody plans another campaign over the same cards. */
#define TRIES 4
static const int tries_ms[TRIES] = { 0, 5, 100, 3000 };

static void run_plan(struct world *w, const struct plan *p)
{
	static const int errors[] = { STORE_E_BUSY, STORE_E_FULL, STORE_E_IO };

	switch (p->kind) {
	case PLAN_CRASH:
		world_crash(w);
		break;
	case PLAN_RESTART:
		world_boot(w);
		break;
	case PLAN_LINK_DOWN:
	case PLAN_LINK_UP:
		if (w->gw && !w->dead && w->ready_seen && (p->kind == PLAN_LINK_DOWN || gw_link_wanted(w->gw, p->arg)))
			slink_set_up(w->slink[p->arg], p->kind == PLAN_LINK_UP);
		break;
	case PLAN_ORDER:
		routes_order(w, p->arg);
		break;
	case PLAN_STORE_BAD:
		w->store_error = errors[p->arg];
		w->store_bad = !w->calm;
		tell(w, "commits fail from now on: %s", store_strerror(w->store_error));
		break;
	case PLAN_STORE_GOOD:
		w->store_bad = false;
		tell(w, "commits work again");
		break;
	case PLAN_AGAIN:
		if (w->again)
			w->store->ops->commit(w->store, w->again);
		break;
	case PLAN_PAUSE:
		if (!w->calm)
			world_verb(w, p->arg, CAMPAIGN_VERB_PAUSE);
		break;
	case PLAN_START:
		if (w->ready_seen)
			world_start_campaigns(w);
		break;
	case PLAN_START_ONE:
		if (w->ready_seen)
			start_campaign(w, p->arg);
		break;
	case PLAN_START_AGAIN: /* a pause may have stood in the core's inbox for long */
		if (w->ready_seen)
			world_start_campaigns(w);
		/* a window opens once a day: later on less often */
		world_plan(w, w->now_ms + START_AGAIN_MS + (w->now_ms - SIM_START_MS - w->sc.calm_ms) / 8,
			   PLAN_START_AGAIN, 0);
		break;
	case PLAN_CANCEL:
		world_verb(w, p->arg, CAMPAIGN_VERB_CANCEL);
		for (unsigned i = 0; i < TRIES; i++)
			world_plan(w, w->now_ms + tries_ms[i], PLAN_TRY, 0);
		if (w->sc.crashes)
			world_plan(w, w->now_ms + tries_ms[1] + 1, PLAN_CRASH, 0);
		break;
	case PLAN_TRY:
		world_intake_try(w);
		break;
	case PLAN_CLOCK:
		w->wall_off_ms += 1000LL * (int)p->arg;
		tell(w, "the wall clock is set by %d s", (int)p->arg);
		break;
	case PLAN_BACKUP:
		world_backup(w);
		break;
	case PLAN_RESTORE:
		world_restore(w);
		break;
	case PLAN_OTHERS:
		others_speak(w, p->arg);
		break;
	case PLAN_WARD:
		wards_turn(w);
		break;
	case PLAN_SETTLE:
		orders_lies(w);
		orders_grow(w);
		orders_settle(w);
		break;
	case PLAN_CALM:
		go_calm(w);
		break;
	case PLAN_DUE:
		check_due(w);
		break;
	case PLAN_DEADLINE:
		if (w->now_ms < SIM_START_MS + w->sc.bound_ms && w->gw && sstore_due(w->store_seen) < INT64_MAX) {
			world_plan(w, w->now_ms + 1000, PLAN_DEADLINE, 0); /* a last commit takes its time */
			break;
		}
		tell(w, "the bound is reached");
		check_end(w);
		w->ended_ms = w->now_ms;
		break;
	}
}

static void on_reply(void *ctx, const struct gw_effect *fx)
{
	struct world *w = ctx;

	tell(w, "reply %d %s", fx->rc, fx->reason);
	if (wards_told(w, fx->request, fx->rc))
		return;
	if (fx->request > VERBS_FROM)
		rules_told(w, (unsigned)(fx->request - VERBS_FROM - 1) / VERBS,
			   (enum gw_campaign_verb)((fx->request - VERBS_FROM - 1) % VERBS), fx->rc);
	else if (fx->request > 1)
		routes_ordered(w, fx->request, fx->rc);
	if (fx->rc && fx->rc != -EALREADY)
		check_fail(w, "reply", "a campaign verb was refused: %s", fx->reason);
}

static void on_txn(void *ctx, const struct gw_effect *fx)
{
	orders_told(ctx, fx);
}

static void turn_gateway(struct world *w)
{
	const struct gw_reply_sink sink = { .reply = on_reply, .ctx = w, .txn = on_txn, .txn_ctx = w };

	if (sstore_due(w->store_seen) <= w->now_ms)
		w->store_seen->ops->poll(w->store_seen);
	for (unsigned i = 0; i < w->sc.links && !w->dead; i++)
		slink_step(w->slink[i]);
	for (unsigned i = 0; i < STEPS_PER_TURN && !w->dead && gw_step(w->gw, w->gw_ms) > 0; i++)
		;
	if (w->dead)
		return;
	if (!w->ready_seen && gw_ready(w->gw))
		on_ready(w);
	rules_looked(w);
	w->act_due_ms = gw_act(w->gw, w->link, w->sc.links, &sink, w->gw_ms);
	if (gw_fatal(w->gw) && w->query_failed && !w->ready_seen)
		world_crash(w); /* cannot read at start: the process ends and is started again */
	else if (gw_fatal(w->gw))
		check_fail(w, "fatal", "the core gives up: %s", gw_fatal(w->gw));
}

void world_turn(struct world *w)
{
	w->stat_turns++;
	while (w->n_plan && w->plan[0].at_ms <= w->now_ms && !w->ended_ms) {
		struct plan p = w->plan[0];

		memmove(&w->plan[0], &w->plan[1], --w->n_plan * sizeof(w->plan[0]));
		run_plan(w, &p);
	}
	if (w->ended_ms || w->failed)
		return;
	if (w->gw && !w->dead)
		read_clock(w);
	sim_air_step(w->air, w->now_ms, &air_cb, w);
	if (w->gw && !w->dead)
		turn_gateway(w);
	if (w->dead && w->gw)
		die(w);
}

static void earlier(int64_t *due, int64_t t)
{
	if (t < *due)
		*due = t;
}

int64_t world_gw_due(const struct world *w)
{
	return w->gw ? world_time(w, gw_next_due(w->gw)) : INT64_MAX;
}

int64_t world_next_due(const struct world *w)
{
	int64_t due = w->n_plan ? w->plan[0].at_ms : INT64_MAX;

	earlier(&due, sim_air_next_due(w->air));
	if (!w->gw)
		return due;
	earlier(&due, sstore_due(w->store_seen));
	earlier(&due, world_gw_due(w));
	earlier(&due, world_time(w, w->act_due_ms));
	for (unsigned i = 0; i < w->sc.links; i++)
		earlier(&due, world_time(w, slink_due(w->slink[i])));
	return due;
}

/* Every campaign has ended, so far. */
bool world_finished(struct world *w)
{
	struct gw_campaign_view v;

	if (!w->gw || w->dead || !w->ready_seen)
		return false;
	for (unsigned i = 0; i < w->n_campaigns; i++)
		if (!gw_campaign_view(w->gw, w->campaign[i].id, &v) || !v.row.ended_ms)
			return false;
	return true;
}

static void turn_until_end(struct world *w)
{
	unsigned here = 0;
	int64_t rest_ms = 0;

	while (!w->failed && !w->ended_ms) {
		int64_t due;

		world_turn(w);
		if (w->failed || w->ended_ms)
			break;
		if ((w->sc.again && !w->gone_again) || orders_more(w)) {
			if (!w->again && world_finished(w) && check_all_ended(w))
				world_intake_again(w);
		} else if (!rest_ms && w->calm && world_finished(w) && check_all_ended(w)) {
			rest_ms = w->now_ms + w->sc.response_ms + REST_MS;
			tell(w, "all campaigns are done");
			world_plan(w, rest_ms, PLAN_DEADLINE, 0);
		}
		due = world_next_due(w);
		if (due > w->now_ms) {
			w->now_ms = due;
			here = 0;
		} else if (++here > SIM_TURNS_MAX) {
			check_fail(w, "no-spinning", "the core wants to be called again and again at the same time");
		}
		if (w->stat_turns > SIM_TURNS_RUN_MAX)
			check_fail(w, "all-finish", "no end after %llu turns", (unsigned long long)w->stat_turns);
	}
}

/* ------------------------------------------------------------------------------------------------ a run */

static int prepare(struct world *w)
{
	char text[PROFILE_TEXT_MAX], err[160];

	w->sc.gw.n_links = w->sc.links;
	w->epoch = w->mark_epoch = SIM_START_MS / 1000;
	w->card = calloc(w->sc.cards, sizeof(*w->card));
	w->watch = calloc(w->sc.cards, sizeof(*w->watch));
	w->disk = store_mem_disk_new();
	if (!w->card || !w->watch || !w->disk || scenario_profile(&w->sc, text, sizeof(text)) < 0)
		return -1;
	w->profile_text = strdup(text);
	if (!w->profile_text)
		return -1;
	if (profile_parse(&w->profile, the_errtab(), text, strlen(text), err, sizeof(err))) {
		check_fail(w, "harness", "profile: %s", err);
		return -1;
	}
	w->env = (struct env){ .utc_ms = utc_ms, .random = random_octets, .ctx = w };
	sstore_hooks(w);
	random_octets(w, w->kek, sizeof(w->kek));
	if (open_keys(w, &w->audit, true))
		return -1;
	for (unsigned i = 0; i < w->sc.cards; i++)
		if (world_make_card(w, i))
			return -1;
	routes_make(w);
	w->air = sim_air_new(&w->sc.air, w->card, w->sc.cards, w->now_ms);
	if (!w->air || check_init(w) || world_intake(w))
		return -1;
	for (unsigned i = 0; i < w->sc.cards; i++)
		if (*w->watch[i].new_msisdn && !sim_air_renumber(w->air, i, w->watch[i].new_msisdn))
			return -1;
	return 0;
}

static void scenario_tell(struct world *w)
{
	const struct scenario *sc = &w->sc;

	tell(w, "seed %llu: %u cards (%u wrong keys, %u denied) of %s, mac %u, spi %02x %02x, replay %d%s%s",
	     (unsigned long long)w->seed, sc->cards, sc->wrong_keys, sc->denied, sim_alg_name(sc->alg), sc->mac_len,
	     sc->spi[0], sc->spi[1], sc->card.replay, sc->card.silent_errors ? ", silent errors" : "",
	     sc->card.interim_0b ? ", interim 0B" : "");
	tell(w,
	     "%s mode, loss %u dup %u reorder %u corrupt %u ppm; %u links by %s, window %u, rate %.0f, refusals %u ppm",
	     sc->air.mode == SIM_AIR_STORE ? "store" : "transaction", sc->air.loss_ppm, sc->air.dup_ppm,
	     sc->air.reorder_ppm, sc->air.corrupt_ppm, sc->links, sc->by_imsi ? "IMSI" : "MSISDN", sc->window, sc->rate,
	     sc->refuse_ppm);
	for (unsigned i = 0; i < sc->routes; i++)
		for (unsigned k = 0; k < sc->route[i].n_links; k++)
			tell(w, "route %u: card %u and neighbours, link %u of rank %u", i, sc->route[i].card,
			     sc->route[i].link[k], sc->route[i].rank[k]);
	tell(w, "%s, %u campaigns; %u crashes, %u link losses, %u store outages, %u pauses; calm at %lld s",
	     sc->patient ? "patient" : "impatient", sc->campaigns, sc->crashes, sc->link_downs, sc->store_outages,
	     sc->pauses, (long long)sc->calm_ms / 1000);
	for (unsigned i = 0; i < sc->campaigns; i++) {
		char text[CAMPAIGN_RULES_MAX];

		scenario_rules_text(sc, i, w->broken, text);
		if (*text)
			tell(w, "campaign swap%u: %s", i + 1, text);
	}
	for (unsigned i = 0; i < sc->works; i++)
		tell(w, "campaign swap%u: %s under KVN %u, order %u; trial %u s, networks %d", i + 1,
		     work_kind_name(sc->work[i].kind), sc->work[i].kvn, sc->work[i].order, sc->trial_s,
		     sc->air.net[0].how);
	tell(w, "store: slow %u fail %u late %u stall %u read-fail %u ppm", sc->slow_ppm, sc->fail_ppm, sc->late_ppm,
	     sc->stall_ppm, sc->read_fail_ppm);
}

bool world_open(struct world *w)
{
	w->now_ms = w->gw_ms = SIM_START_MS;
	w->dice.s = w->seed * 4 + 1;
	w->gw_dice.s = w->seed * 4 + 2;
	w->store_dice.s = w->seed * 4 + 3;
	w->link_dice.s = w->seed * 4 + 4;
	w->front_dice.s = ~w->seed;
	w->clock_dice.s = ~w->seed ^ 0xc10cULL;
	if (prepare(w)) {
		check_fail(w, "harness", "the world cannot be set up");
		return false;
	}
	return true;
}

void world_close(struct world *w)
{
	take_down(w);
	if (w->air)
		sim_air_free(w->air);
	if (w->watch)
		check_free(w);
	if (w->audit)
		ks_close(w->audit);
	if (w->disk)
		store_mem_disk_free(w->disk);
	if (w->backup)
		store_mem_disk_free(w->backup);
	free(w->card);
	free(w->sub);
	free(w->watch);
	free(w->profile_text);
}

void world_run(struct world *w)
{
	scenario_draw(&w->sc, w->seed, w->broken);
	if (w->plain_store)
		scenario_plain_store(&w->sc);
	scenario_tell(w);
	if (world_open(w)) {
		plan_all(w);
		if (world_boot(w))
			turn_until_end(w);
	}
	world_close(w);
}
