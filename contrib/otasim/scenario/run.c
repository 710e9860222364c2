/* run.c - a scenario's schedule: what is laid down upon cards and SMSCs, and when it is lifted again.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What a card is at a moment is never remembered but asked of the rules: of those in force the last one in the file counts.
 * The schedule only says when to ask again.
 */
#include <stdlib.h>
#include <string.h>

#include "run_int.h"

/* ---- the heap of edges ---- */

static bool sooner(const struct edge *a, const struct edge *b)
{
	if (a->due_ms != b->due_ms)
		return a->due_ms < b->due_ms;
	return a->rule != b->rule ? a->rule < b->rule : a->who < b->who;
}

static bool edge_push(struct run *r, struct edge e)
{
	size_t i = r->edges;

	if (r->edges == r->edge_cap) {
		size_t cap = r->edge_cap ? 2 * r->edge_cap : 256;
		struct edge *grown = realloc(r->edge, cap * sizeof(*grown));

		if (!grown)
			return false;
		r->edge = grown;
		r->edge_cap = cap;
	}
	r->edges++;
	while (i > 0 && sooner(&e, &r->edge[(i - 1) / 2])) {
		r->edge[i] = r->edge[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	r->edge[i] = e;
	return true;
}

static struct edge edge_pop(struct run *r)
{
	struct edge top = r->edge[0], last = r->edge[--r->edges];
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= r->edges)
			break;
		if (child + 1 < r->edges && sooner(&r->edge[child + 1], &r->edge[child]))
			child++;
		if (!sooner(&r->edge[child], &last))
			break;
		r->edge[i] = r->edge[child];
		i = child;
	}
	r->edge[i] = last;
	return top;
}

/* ---- laying down ---- */

static bool of_smsc(enum scn_prop prop)
{
	return prop >= PROP_MOOD;
}

static bool applies(const struct run *r, const struct scn_rule *rule, uint32_t who)
{
	return of_smsc(rule->prop) ? rule->doors >> who & 1 : scn_in(r->scn, rule->set, who);
}

/* The rule that decides this for a card or SMSC now; NULL: none. */
static const struct scn_rule *decides(const struct run *r, enum scn_prop prop, uint32_t who, int64_t t_ms)
{
	for (unsigned i = r->scn->rules; i-- > 0;) {
		const struct scn_rule *rule = &r->scn->rule[i];

		if (rule->prop == prop && scn_rule_active(r->scn, rule, who, t_ms) && applies(r, rule, who))
			return rule;
	}
	return NULL;
}

static void keys_xor(struct sim_card *c)
{
	for (int k = 0; k < SIM_KEYSETS_MAX; k++) {
		for (size_t i = 0; i < sim_alg_key_len(c->ks[k].kic_alg); i++)
			c->ks[k].kic[i] ^= RUN_WRONG_KEY;
		for (size_t i = 0; i < sim_alg_key_len(c->ks[k].kid_alg); i++)
			c->ks[k].kid[i] ^= RUN_WRONG_KEY;
	}
}

void run_keys_turn(struct run *r)
{
	for (uint32_t i = 0; i < r->n; i++) {
		if (r->book[i].wrong_keys)
			keys_xor(&r->cards[i]);
	}
}

static void lay_card(struct run *r, enum scn_prop prop, uint32_t card, int64_t t_ms)
{
	const struct scn_rule *rule = decides(r, prop, card, t_ms);
	struct sim_card_profile *p = &r->cards[card].profile;
	int64_t v = rule ? scn_rule_value(r->scn, rule, card) : 0;

	switch (prop) {
	case PROP_COVERAGE:
		sim_air_cover(r->air, card, rule ? (enum sim_coverage)v : SIM_COVERAGE_WEATHER, r->now_ms);
		break;
	case PROP_TAKING:
		sim_air_taking(r->air, card, rule ? (enum sim_taking)v : SIM_TAKES, r->now_ms);
		break;
	case PROP_SLOW:
		sim_air_slow(r->air, card, v);
		break;
	case PROP_REPLAY:
		p->replay = rule ? (enum sim_replay)v : r->base.replay;
		break;
	case PROP_INTERIM:
		p->interim_0b = rule ? v : r->base.interim_0b;
		break;
	case PROP_ERRORS:
		p->silent_errors = rule ? v : r->base.silent_errors;
		break;
	case PROP_KEYS:
		if (r->book[card].wrong_keys != (v != 0))
			keys_xor(&r->cards[card]);
		r->book[card].wrong_keys = v;
		break;
	case PROP_OFF:
		sim_air_switch(r->air, card, v == 0, r->now_ms);
		break;
	case PROP_REFRESH:
		sim_air_no_refresh(r->air, card, (unsigned)v);
		break;
	case PROP_REFUSED:
		sim_air_refuse(r->air, card, (uint32_t)v);
		break;
	case PROP_WRITES:
		p->deny_update_fid = rule ? (uint16_t)v : r->base.deny_update_fid;
		break;
	default:
		break;
	}
}

static void lay_mood(struct run *r, unsigned door, int64_t t_ms)
{
	const struct scn_rule *rule = decides(r, PROP_MOOD, door, t_ms);
	struct smsc_mood m;

	smsc_mood_default(&m, SMSC_HEALTHY);
	if (rule)
		m = rule->mood;
	if (m.kind != smsc_mood(r->smsc, door)->kind)
		r->door[door].mood_since_ms = t_ms;
	smsc_mood_set(r->smsc, door, &m, r->now_ms);
}

static void lay_register(struct run *r, enum scn_prop prop, unsigned op, int64_t t_ms)
{
	const struct scn_rule *rule = decides(r, prop, op, t_ms);

	if (prop == PROP_HLR_DOWN)
		sim_hlr_down(r->hlr[op], rule != NULL);
	else if (rule)
		sim_ctrl_late(r->ctrl[op], rule->value.lo, rule->value.hi);
	else
		sim_ctrl_usual(r->ctrl[op]);
}

static void lay(struct run *r, const struct scn_rule *rule, uint32_t who, int64_t t_ms)
{
	if (rule->prop == PROP_MOOD) {
		lay_mood(r, who, t_ms);
	} else if (rule->prop == PROP_CUT) {
		smsc_cut(r->smsc, who);
	} else if (rule->prop == PROP_HLR_DOWN || rule->prop == PROP_HLR_LATE) {
		lay_register(r, rule->prop, who, t_ms);
	} else if (rule->prop == PROP_POWER) {
		sim_air_power_cycle(r->air, who);
		verdict_card(r, who);
	} else {
		lay_card(r, rule->prop, who, t_ms);
	}
}

/* ---- time ---- */

int64_t run_time(const struct run *r, int64_t now_ms)
{
	return r->begun ? now_ms - r->begin_ms : 0;
}

static bool moment(const struct scn_rule *rule)
{
	return rule->prop == PROP_POWER || rule->prop == PROP_CUT;
}

/* Lays down what holds from the first moment on; the rest is told by edges. */
static void schedule(struct run *r)
{
	for (uint32_t i = 0; i < r->scn->rules; i++) {
		const struct scn_rule *rule = &r->scn->rule[i];
		uint32_t n = of_smsc(rule->prop) ? r->scn->doors : r->n;

		for (uint32_t who = 0; who < n; who++) {
			struct edge e = { .rule = i, .who = who };

			if (!applies(r, rule, who))
				continue;
			if (scn_rule_from(r->scn, rule, who) == 0)
				lay(r, rule, who, 0);
			e.due_ms = scn_rule_edge(r->scn, rule, who, 0);
			/* run_new() has counted them; without memory for a schedule nothing here means anything */
			if (e.due_ms != SCN_NEVER && !edge_push(r, e))
				abort();
		}
	}
}

static void begin(struct run *r, int64_t now_ms)
{
	r->begun = true;
	r->begin_ms = r->now_ms = now_ms;
}

void run_registers(struct run *r, struct sim_hlr *const *hlr, struct sim_ctrl *const *ctrl)
{
	r->hlr = hlr;
	r->ctrl = ctrl;
}

void run_attach(struct run *r, struct sim_air *air, struct smsc *smsc, int64_t now_ms)
{
	r->air = air;
	r->smsc = smsc;
	r->now_ms = now_ms;
	schedule(r);
	if (!r->scn->begin_connected)
		begin(r, now_ms);
}

void run_seen(void *run, const struct smsc_seen *seen)
{
	struct run *r = run;

	r->now_ms = seen->now_ms;
	if (!r->begun && seen->kind == SMSC_CONNECTED)
		begin(r, seen->now_ms);
	ledger_seen(r, seen);
}

/* When everything with a time is settled and the gateway has fallen silent, it is looked whether the rest is met, too. */
static int64_t quiet_due(const struct run *r)
{
	int64_t last = r->last_submit_ms > r->last_settled_ms ? r->last_submit_ms : r->last_settled_ms;

	last = r->last_look_ms > last ? r->last_look_ms : last;

	if (r->scn->end_exact || r->timed == 0 || r->timed_open > 0)
		return SCN_NEVER;
	return last + r->scn->quiet_ms;
}

static int64_t next_ms(const struct run *r)
{
	int64_t due = r->edges ? r->edge[0].due_ms : SCN_NEVER, v = verdict_due(r), q = quiet_due(r);

	due = v < due ? v : due;
	due = q < due ? q : due;
	return r->scn->end_ms < due ? r->scn->end_ms : due;
}

int64_t run_next_due(const struct run *r)
{
	int64_t due = r->begun && !r->ended ? next_ms(r) : SCN_NEVER;

	return due == SCN_NEVER ? INT64_MAX : r->begin_ms + due;
}

void run_step(struct run *r, int64_t now_ms)
{
	bool over;
	int64_t t;

	r->now_ms = now_ms;
	if (!r->begun || r->ended)
		return;
	t = now_ms - r->begin_ms;
	while (r->edges && r->edge[0].due_ms <= t) {
		struct edge e = edge_pop(r);
		const struct scn_rule *rule = &r->scn->rule[e.rule];

		lay(r, rule, e.who, e.due_ms);
		e.due_ms = scn_rule_edge(r->scn, rule, e.who, e.due_ms);
		if (e.due_ms != SCN_NEVER && !edge_push(r, e))
			abort();
	}
	verdict_time(r);
	over = t >= r->scn->end_ms;
	if (!over && t >= quiet_due(r)) {
		r->last_look_ms = t;
		over = verdict_stands(r);
	}
	if (over) {
		verdict_final(r);
		r->ended = true;
		r->ended_ms = t;
	}
}

bool run_ended(const struct run *r)
{
	return r->ended;
}

int64_t run_ended_ms(const struct run *r)
{
	return r->ended ? r->ended_ms : -1;
}

void run_stop(struct run *r, int64_t now_ms)
{
	if (r->ended)
		return;
	r->ended = r->stopped = true;
	r->ended_ms = run_time(r, now_ms);
}

/* ---- life ---- */

static bool rules_fit(struct run *r, char err[SCN_ERR_MAX])
{
	uint64_t edges = 0;

	for (unsigned i = 0; i < r->scn->rules; i++) {
		const struct scn_rule *rule = &r->scn->rule[i];
		bool timed = moment(rule) || rule->when.from.hi > 0 || rule->when.len.lo != SCN_TO_END;

		if (rule->prop == PROP_KEYS && r->base.pairs) {
			snprintf(err, SCN_ERR_MAX,
				 "%.100s:%u: wrong-keys: not for cards with key pairs of their own (--pairs)",
				 r->scn->file, rule->line);
			return false;
		}
		if (timed && !of_smsc(rule->prop))
			edges += scn_set_size(r->scn, rule->set);
		if (edges > RUN_EDGES_MAX) {
			snprintf(err, SCN_ERR_MAX,
				 "%.100s:%u: with this line more than %d changes of cards are to be kept", r->scn->file,
				 rule->line, RUN_EDGES_MAX);
			return false;
		}
	}
	return true;
}

struct run *run_new(const struct scn *s, struct sim_card *cards, const char *new_imsi_prefix, char err[SCN_ERR_MAX])
{
	struct run *r = calloc(1, sizeof(*r));

	snprintf(err, SCN_ERR_MAX, "no memory for %u cards", s->cards);
	if (!r)
		return NULL;
	r->scn = s;
	r->cards = cards;
	r->n = s->cards;
	r->base = cards[0].profile;
	r->ended_ms = -1;
	snprintf(r->prefix, sizeof(r->prefix), "%s", new_imsi_prefix);
	r->book = calloc(r->n, sizeof(*r->book));
	if (!r->book || !rules_fit(r, err) || !verdict_init(r, err)) {
		run_free(r);
		return NULL;
	}
	for (uint32_t i = 0; i < r->n; i++) {
		r->book[i].first_ms = r->book[i].last_ms = -1;
		r->book[i].shortest_ms = SCN_NEVER;
	}
	return r;
}

void run_free(struct run *r)
{
	if (!r)
		return;
	verdict_free(r);
	ledger_free(r);
	free(r->book);
	free(r->edge);
	free(r);
}

const struct scn *run_scn(const struct run *r)
{
	return r->scn;
}

void run_new_imsi(const struct run *r, uint32_t card, char imsi[SIM_IMSI_LEN])
{
	memcpy(imsi, r->cards[card].imsi_first, SIM_IMSI_LEN);
	memcpy(imsi, r->prefix, strlen(r->prefix));
}
