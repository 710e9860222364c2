/* ho_world.c - the world of a hand-over: clock, carrier, subscriber, faults in their time, and one run from its seed.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ho.h"
#include "tree.h"

void ho_say(struct ho *w, const char *fmt, ...)
{
	va_list ap;

	if (!w->verbose)
		return;
	printf("%10.3f ", (double)(w->now_ms - HO_START_MS) / 1000);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void ho_find(struct ho *w, const char *rule, const char *fmt, ...)
{
	char text[500];
	va_list ap;

	if (w->fail[0])
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(w->fail, sizeof(w->fail), "%s: %s (at %.3f s)", rule, text, (double)(w->now_ms - HO_START_MS) / 1000);
	ho_say(w, "FOUND %s", w->fail);
}

/* ---- carrier ---- */

static void copy(struct ho *w, const char *from, const char *to)
{
	char buf[65536], tmp[600];
	int in = open(from, O_RDONLY | O_CLOEXEC), out;
	ssize_t n;

	if (in < 0) {
		ho_find(w, "harness", "%s is not there", from);
		return;
	}
	snprintf(tmp, sizeof(tmp), "%s.tmp", to);
	out = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	while (out >= 0 && (n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			ho_find(w, "harness", "%s cannot be written", tmp);
	close(in);
	if (out < 0 || close(out) || rename(tmp, to))
		ho_find(w, "harness", "%s cannot be written", to);
}

struct ho_carried *ho_on_its_way(struct ho *w, unsigned from, unsigned to, uint64_t seq, const char *path)
{
	struct ho_carried *c;

	if (w->n_carried == HO_CARRY_MAX) {
		ho_find(w, "harness", "more than %d packages are on their way", HO_CARRY_MAX);
		return NULL;
	}
	c = &w->carried[w->n_carried++];
	*c = (struct ho_carried){ .at_ms = w->now_ms + ho_pick(&w->dice, w->d.carry_ms.lo, w->d.carry_ms.hi),
				  .from = from,
				  .to = to,
				  .seq = seq };
	snprintf(c->path, sizeof(c->path), "%s/way/%u", w->dir, w->n_files++);
	copy(w, path, c->path);
	return c;
}

static bool of_type(const char *path, const char *type)
{
	char err[200];
	struct pkg *p;
	bool is;

	if (pkg_open(&p, path, err, sizeof(err)))
		return false;
	is = !strncmp(pkg_head(p)->type, type, strlen(type));
	pkg_close(p);
	return is;
}

/* The connection breaks in the midst of it; somebody finds an old file and sends it once more. */
static void mischief(struct ho *w, unsigned from, unsigned to, uint64_t seq, const char *path)
{
	struct ho_carried *c;

	if (!w->calm && ho_chance(&w->dice, w->d.cut_ppm) && (c = ho_on_its_way(w, from, to, seq, path)))
		c->cut = true;
	if (!w->calm && ho_chance(&w->dice, w->d.late_ppm) && (c = ho_on_its_way(w, from, to, seq, path)))
		c->at_ms += ho_pick(&w->dice, HO_HOUR, 2 * HO_DAY);
}

static void cut(struct ho *w, const char *path)
{
	struct stat st;

	if (stat(path, &st) || truncate(path, ho_pick(&w->dice, 0, st.st_size - 1)))
		ho_find(w, "harness", "%s cannot be cut", path);
}

void ho_carry(void *ctx, const char *partner, const char *path, uint64_t seq)
{
	struct ho_party *p = ctx;
	struct ho *w = p->w;

	w->packages++;
	for (unsigned to = 0; to < HO_N; to++) {
		if (strcmp(w->p[to].name, partner))
			continue;
		ho_words(w, p->who, to, path, false);
		mischief(w, p->who, to, seq, path);
		if (!w->calm && ho_chance(&w->dice, w->d.lose_ppm))
			return;
		if ((w->broken == HO_BREAK_LOSE_HL && of_type(path, "HL3")) ||
		    (w->broken == HO_BREAK_PRESENT && w->card[0].moved_ms && of_type(path, "CF")))
			return;
		ho_on_its_way(w, p->who, to, seq, path);
		if (!w->calm && ho_chance(&w->dice, w->d.twice_ppm))
			ho_on_its_way(w, p->who, to, seq, path);
	}
}

static bool carrier_step(struct ho *w)
{
	bool did = false;

	for (unsigned i = 0; i < w->n_carried;) {
		struct ho_carried c = w->carried[i];
		struct ho_party *to = &w->p[c.to];
		char target[600], name[40], err[DESK_ERR_MAX];

		if (c.at_ms > w->now_ms) {
			i++;
			continue;
		}
		w->carried[i] = w->carried[--w->n_carried];
		did = true;
		snprintf(name, sizeof(name), "%06u.otapkg", w->n_files++);
		snprintf(target, sizeof(target), "%s/in/%s", to->dir, name);
		if (c.cut)
			cut(w, c.path);
		if (c.to == HO_S || !to->disk) {
			unlink(c.path);
		} else if (rename(c.path, target)) {
			ho_find(w, "harness", "%s cannot be written", target);
		} else if (!c.cut) {
			ho_words(w, c.from, c.to, target, true);
		}
		if (to->desk && to->started)
			desk_take_file(to->desk, name, err);
		if (w->p[c.from].desk && !c.cut)
			desk_carried(w->p[c.from].desk, to->name, c.seq);
	}
	return did;
}

static int64_t carrier_due(const struct ho *w)
{
	int64_t due_ms = INT64_MAX;

	for (unsigned i = 0; i < w->n_carried; i++)
		if (w->carried[i].at_ms < due_ms)
			due_ms = w->carried[i].at_ms;
	return due_ms;
}

/* ---- the virtual air calls ---- */

static void on_result(void *ctx, unsigned op, uint64_t token, enum sim_submit_result r)
{
	struct ho *w = ctx;

	if (w->p[op].link)
		ho_link_result(w->p[op].link, token, r);
}

static bool on_up(void *ctx, const struct sim_up *up)
{
	struct ho *w = ctx;

	if (w->c && w->c->up && !w->c->up(w, up))
		return true; /* taken, and never answered */
	return w->p[up->op].link && ho_link_up(w->p[up->op].link, up);
}

static void on_alert(void *ctx, unsigned op, const struct sim_addr *from)
{
	struct ho *w = ctx;

	if (w->p[op].link)
		ho_link_alert(w->p[op].link, from);
}

static void on_ctrl(void *ctx, unsigned op, uint64_t tag, const char *reply)
{
}

static void on_card(void *ctx, uint32_t card, const struct sim_card_out *out, const struct sim_sm *sm)
{
	struct ho *w = ctx;
	const struct sim_sub *sub = sim_world_fleet(w->sim)->cards[card].sub;

	if (out->complete)
		ho_say(w, "card %u meets a packet of %u: status %d, %s, %u against its rules", card, sm->op,
		       out->status, out->accepted ? "accepted" : "refused", sub ? sub->audit : 0);
	ho_check_state(w, card);
}

static void on_shown(void *ctx, uint32_t card)
{
	ho_check_state(ctx, card);
}

static bool sim_make(struct ho *w)
{
	struct sim_world_cfg cfg;
	char err[SIM_WORLD_ERR_MAX];

	sim_world_cfg_default(&cfg);
	cfg.cards = w->d.cards;
	cfg.seed = w->seed;
	cfg.card.alg = SIM_ALG_AES128;
	cfg.card.pairs = w->d.plain ? 0 : !ho_cards_of(w, ORDER_3B) ? 1 : (uint8_t)w->d.pairs;
	cfg.card.usim = w->d.plain;
	cfg.air = w->d.air;
	cfg.ops = w->d.ops;
	snprintf(cfg.op[HO_C].name, sizeof(cfg.op[HO_C].name), "C");
	snprintf(cfg.op[HO_C].plmn, sizeof(cfg.op[HO_C].plmn), "00103");
	cfg.op[HO_B].create_fail_ppm = w->d.hlr_fail_ppm;
	cfg.cb = (struct sim_world_cb){ on_result, on_up, on_alert, on_ctrl, on_card, on_shown };
	cfg.ctx = w;
	w->sim = sim_world_new(&cfg, w->now_ms, err);
	if (!w->sim)
		ho_find(w, "harness", "%s", err);
	for (unsigned i = 0; w->sim && i < w->d.refusals; i++) {
		struct sim_net net = { .imsi_prefix = "00102", .how = SIM_NET_REFUSES };

		snprintf(net.imsi_prefix, sizeof(net.imsi_prefix), "0010250000000%02u", (i + 1) % 100);
		sim_air_net(sim_world_air(w->sim), &net);
	}
	if (w->sim && w->d.roams) {
		const struct sim_net net = { .imsi_prefix = "00102", .how = SIM_NET_SERVES, .plmn = "26201" };

		sim_air_net(sim_world_air(w->sim), &net);
	}
	return w->sim;
}

/* ---- what happens when ---- */

static void plan_add(struct ho *w, int64_t at_ms, unsigned what, unsigned who, unsigned n)
{
	if (w->n_plan < HO_PLAN_MAX)
		w->plan[w->n_plan++] = (struct ho_plan){ w->base_ms + at_ms, what, who, n };
}

static unsigned who(struct ho *w)
{
	unsigned n = (unsigned)ho_pick(&w->dice, 0, !ho_cards_of(w, ORDER_3B) ? w->d.ops - 1 : w->d.ops);

	return n == w->d.ops ? HO_M : n;
}

static void plan(struct ho *w)
{
	const struct ho_draw *d = &w->d;
	for (unsigned i = 0; i < d->crashes; i++)
		plan_add(w, ho_pick(&w->dice, 1000, ho_chance(&w->dice, 700000) ? HO_HOUR : d->calm_ms), HO_DO_CRASH,
			 who(w), (unsigned)ho_pick(&w->dice, 0, 12));
	for (unsigned i = 0; i < d->commit_fails; i++)
		plan_add(w, ho_pick(&w->dice, 1000, HO_HOUR), HO_DO_FAILS, who(w), (unsigned)ho_pick(&w->dice, 1, 4));
	for (unsigned i = 0; i < d->hlr_downs; i++) {
		int64_t at_ms = ho_pick(&w->dice, 1000, 4 * HO_HOUR);
		unsigned op = (unsigned)ho_pick(&w->dice, HO_A, w->d.ops - 1);

		plan_add(w, at_ms, HO_DO_HLR_DOWN, op, 0);
		plan_add(w, at_ms + ho_pick(&w->dice, 1000, HO_HOUR), HO_DO_HLR_UP, op, 0);
	}
	if (d->cancel)
		plan_add(w, d->cancel_ms, HO_DO_CANCEL, HO_A, 0);
	for (unsigned i = 0; i < d->cancels; i++)
		plan_add(w, ho_pick(&w->dice, HO_MINUTE, ho_chance(&w->dice, 500000) ? HO_HOUR : 12 * HO_HOUR),
			 HO_DO_CANCEL, ho_chance(&w->dice, 300000) ? HO_B : HO_A, (unsigned)ho_pick(&w->dice, 0, 3));
}

static void cancelled(void *ctx, int rc, const char *text)
{
	ho_say(ctx, "cancel: %d %s", rc, text);
}

static void cancel(struct ho *w, struct ho_plan *p)
{
	struct desk_request r = { .verb = DESK_CANCEL, .done = cancelled, .ctx = w };

	struct ho_order *o = &w->order[w->leg_first + p->n % (w->n_orders - w->leg_first)];
	struct ho_party *who = &w->p[p->who == HO_B ? o->dst : o->src];

	if (!who->started || !desk_ready(who->desk)) {
		p->at_ms += HO_MINUTE; /* the operator tries again */
		return;
	}
	memcpy(r.order, o->name, sizeof(o->name));
	ho_say(w, "%s cancels %s", who->name, o->name);
	desk_request(who->desk, &r);
	o->cancelled = true;
	p->at_ms = INT64_MAX;
}

static void happens(struct ho *w, struct ho_plan *p)
{
	struct ho_party *who = &w->p[p->who];
	unsigned what = p->what;

	if (what == HO_DO_CANCEL) {
		cancel(w, p);
		return;
	}
	p->at_ms = INT64_MAX;
	switch (what) {
	case HO_DO_CRASH: /* at once, or with a commit to come */
		who->crash_keeps = p->n & 1;
		if (p->n < 2)
			ho_party_crash(who);
		else
			who->crash_in = p->n / 2;
		break;
	case HO_DO_FAILS:
		who->fail_in = p->n;
		break;
	case HO_DO_HLR_DOWN:
	case HO_DO_HLR_UP:
		ho_say(w, "register of %s %s", who->name, what == HO_DO_HLR_UP ? "is back" : "goes away");
		sim_world_hlr_down(w->sim, p->who, what == HO_DO_HLR_DOWN);
		break;
	}
}

static bool plan_step(struct ho *w)
{
	bool did = false;

	for (unsigned i = 0; i < w->n_plan; i++)
		if (w->plan[i].at_ms <= w->now_ms) {
			happens(w, &w->plan[i]);
			did = true;
		}
	return did;
}

static int64_t plan_due(const struct ho *w)
{
	int64_t due_ms = w->calm ? INT64_MAX : w->base_ms + w->d.calm_ms;

	for (unsigned i = 0; i < w->n_plan; i++)
		if (w->plan[i].at_ms < due_ms)
			due_ms = w->plan[i].at_ms;
	return due_ms;
}

/* ---- one run ---- */

/* Who is registered where its order leads; what cards do by themselves. */
static void seen(struct ho *w)
{
	for (uint32_t i = 0; i < w->d.cards; i++) {
		const struct sim_sub *sub = sim_world_fleet(w->sim)->cards[i].sub;
		const int op = sim_air_operator(sim_world_air(w->sim), i);
		const uint64_t sqn = sim_card_sqn(&sim_world_fleet(w->sim)->cards[i]);

		for (unsigned k = w->leg_first; k < w->n_orders; k++)
			if (w->order[k].cards & 1u << i && op == (int)w->order[k].dst)
				w->order[k].seen |= 1u << i;
		if (op >= 0 && sqn != w->card[i].sqn_now)
			ho_wire_heard(w, (unsigned)op, i);
		w->card[i].sqn_now = sqn;
		if (sub && sim_sub_rec(sub)->state != w->card[i].state)
			ho_check_state(w, i);
	}
}

static void turn(struct ho *w)
{
	bool did = true;

	for (unsigned n = 0; did && !w->fail[0]; n++) {
		if (n == HO_TURNS_MAX) {
			ho_find(w, "spin", "the world does not come to rest at one instant");
			return;
		}
		seen(w);
		ho_check_number(w);
		did = plan_step(w);
		did |= ho_plain_step(w);
		did |= ho_eager_step(w);
		did |= ho_change_step(w);
		if (w->broken)
			ho_break_step(w);
		if (w->c && w->c->act && w->base_ms)
			w->c->act(w);
		sim_world_step(w->sim, w->now_ms);
		did |= carrier_step(w);
		for (unsigned i = 0; i < HO_N; i++)
			did |= ho_party_turn(&w->p[i]);
	}
}

static int64_t due(struct ho *w)
{
	int64_t due_ms = sim_world_next_due(w->sim), at[3] = { plan_due(w), carrier_due(w), ho_change_due(w) };

	for (int i = 0; i < 3; i++)
		due_ms = at[i] < due_ms ? at[i] : due_ms;
	if (w->case_ms && w->case_ms < due_ms)
		due_ms = w->case_ms;
	for (unsigned i = 0; i < HO_N; i++) {
		int64_t d_ms = ho_party_due(&w->p[i]);

		due_ms = d_ms < due_ms ? d_ms : due_ms;
	}
	return due_ms;
}

static bool all_registered(struct ho *w)
{
	for (uint32_t i = 0; i < w->d.cards; i++) {
		struct sim_world_card t;

		sim_world_card(w->sim, i, &t);
		if (t.op == SIM_WORLD_NOBODY)
			return false;
	}
	return true;
}

static void live(struct ho *w)
{
	const int64_t bound_ms = w->base_ms + w->d.bound_ms;
	int64_t look_ms = 0;

	while (!w->fail[0]) {
		int64_t next_ms;

		turn(w);
		if (w->now_ms >= look_ms && !w->ended_ms) {
			look_ms = w->now_ms + HO_MINUTE;
			if (ho_check_ended(w))
				w->ended_ms = w->now_ms;
		}
		/* whoever was registered elsewhere must have had the time to come back */
		if (w->ended_ms && (w->now_ms > w->ended_ms + 12 * HO_HOUR ||
				    (w->now_ms > w->ended_ms + HO_HOUR && all_registered(w))))
			return;
		next_ms = due(w);
		if (w->ended_ms && next_ms > w->ended_ms + 12 * HO_HOUR)
			next_ms = w->ended_ms + 12 * HO_HOUR + 1;
		if (next_ms > bound_ms && w->c && w->c->unended)
			return;
		if (next_ms > bound_ms) {
			ho_find(w, "liveness", "the order has not ended %lld days after the start",
				(long long)(w->d.bound_ms / HO_DAY));
			return;
		}
		w->now_ms = next_ms > w->now_ms ? next_ms : w->now_ms + 1;
		if (!w->calm && w->now_ms >= w->base_ms + w->d.calm_ms) {
			ho_say(w, "from now on nothing fails any more");
			w->calm = true;
			w->calm_ms = w->now_ms;
			sim_air_calm(sim_world_air(w->sim));
			for (unsigned i = 0; i < HO_N; i++)
				w->p[i].crash_in = w->p[i].fail_in = 0;
		}
	}
}

/* 3b: before anything fails the vault gets its pairs, and A the first one of each card. */
static void issue(struct ho *w)
{
	const int64_t until_ms = w->now_ms + HO_DAY;
	bool asked = false;

	w->calm = true;
	while (!w->fail[0]) {
		int64_t next_ms;

		turn(w);
		if (!asked && w->p[HO_M].started && desk_ready(w->p[HO_M].desk)) {
			asked = true;
			ho_issue(w);
			continue;
		}
		if (asked && ho_issued(w))
			break;
		next_ms = due(w);
		if (next_ms > until_ms)
			ho_find(w, "harness", "A does not get its cards");
		w->now_ms = next_ms > w->now_ms ? next_ms : w->now_ms + 1;
	}
	w->calm = false;
}

static bool dir_make(struct ho *w)
{
	char way[128];

	/* many small files, each flushed: in memory when there is such a place */
	snprintf(w->dir, sizeof(w->dir), "/dev/shm/otagw-ho-XXXXXX");
	if (!mkdtemp(w->dir)) {
		snprintf(w->dir, sizeof(w->dir), "/tmp/otagw-ho-XXXXXX");
		if (!mkdtemp(w->dir))
			return false;
	}
	snprintf(way, sizeof(way), "%s/way", w->dir);
	return !mkdir(way, 0700);
}

int ho_run(uint64_t seed, const struct ho_case *c, enum ho_break broken, bool verbose, char out[600])
{
	struct ho *w = calloc(1, sizeof(*w));
	int rc;

	if (!w || !(w->carried = calloc(HO_CARRY_MAX, sizeof(*w->carried))) || !dir_make(w))
		abort();
	w->seed = seed;
	w->dice = seed * 0xff51afd7ed558ccdULL + 1;
	w->broken = broken;
	w->verbose = verbose;
	w->now_ms = HO_START_MS;
	w->c = c;
	if (c)
		ho_case_draw(w);
	else
		ho_draw(w);
	if (broken) {
		w->d.bound_ms = 2 * HO_DAY; /* a sound one takes less */
		w->d.shape = HO_ONCE;
		w->d.keeps = broken == HO_BREAK_NUMBER;
		w->d.one_register = false;
		w->d.change = broken == HO_BREAK_REKEY_EARLY || broken == HO_BREAK_OLD_K;
		if (broken == HO_BREAK_REPORT) {
			w->d.plain = true;
			w->d.kind = ORDER_3A;
			w->d.policy = POLICY_DELIVER_FIRST;
			w->d.refusals = 0;
			w->d.dissent = false;
		}
	}
	if (sim_make(w) && ho_parties_make(w)) {
		ho_wire_keys(w);
		if (ho_intake(w) && ho_parties_up(w)) {
			if (ho_cards_of(w, ORDER_3B))
				issue(w);
			w->base_ms = w->now_ms;
			plan(w);
			if (w->c && w->c->crash_at) {
				w->p[w->c->crash_who].crash_in = w->c->crash_at;
				w->p[w->c->crash_who].crash_keeps = w->c->crash_keeps;
			}
			for (; !w->fail[0] && ho_leg(w); w->leg++) {
				live(w);
				if (!w->fail[0])
					ho_check_end(w);
				ho_break_evidence(w);
				if (!w->fail[0] && w->c)
					w->c->judge(w);
				w->ended_ms = 0;
				w->base_ms = w->now_ms;
				if (w->d.anew) {
					w->calm = false;
					w->n_plan = 0;
					for (unsigned op = 0; op < w->d.ops; op++)
						sim_world_hlr_down(w->sim, op, false);
					plan(w);
				}
			}
		}
	}
	rc = w->fail[0] ? 1 : 0;
	if (w->c && w->c->crashed)
		*w->c->crashed = w->p[w->c->crash_who].crashes;
	if (rc && verbose)
		ho_dump(w);
	snprintf(out, 600, "%s", w->fail);
	if (verbose)
		printf("seed %llu: %s; %u cards, %u arms, %u removes, %u stranded, %u packages, %.1f h\n",
		       (unsigned long long)seed, rc ? w->fail : "sound", w->d.cards, w->arms, w->removes, w->stranded,
		       w->packages, (double)(w->now_ms - HO_START_MS) / HO_HOUR);
	ho_parties_free(w);
	store_mem_disk_free(w->backup);
	sim_world_free(w->sim);
	ho_wire_free(w);
	tree_remove(w->dir);
	free(w->carried);
	free(w);
	return rc;
}
