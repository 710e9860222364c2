/* verdict.c - what is expected, held against the books while they are written.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Two kinds: what is waited for (imsi new, attempts >= 1) is met card by card and passes when enough cards have met it;
 * what must hold (attempts <= 5, imsi old) fails with the card that is one too many.  Both are judged at their time at
 * the latest, or at the end.
 */
#include <stdlib.h>
#include <string.h>

#include "card/card_sub.h"
#include "run_int.h"

static bool holds(const struct scn_expect *e, int64_t v)
{
	switch (e->op) {
	case OP_EQ:
		return v == e->value;
	case OP_LE:
		return v <= e->value;
	case OP_GE:
		return v >= e->value;
	case OP_LT:
		return v < e->value;
	case OP_GT:
		return v > e->value;
	}
	return false;
}

/* From here on nothing that comes can mend it: counts only grow, the shortest gap only shrinks. */
static bool lost(const struct scn_expect *e, int64_t v)
{
	switch (e->metric) {
	case METRIC_IMSI:
	case METRIC_PRESENTS:
		return e->value == 0 && v != 0;
	case METRIC_INDEX:
	case METRIC_REGISTERED:
		return false;
	case METRIC_FIRST_ATTEMPT:
		return v != SCN_NEVER && !holds(e, v);
	case METRIC_SHORTEST_GAP:
		return (e->op == OP_GE || e->op == OP_GT) && !holds(e, v);
	default:
		return (e->op == OP_EQ && v > e->value) || ((e->op == OP_LE || e->op == OP_LT) && !holds(e, v));
	}
}

/* It is so, and stays so. */
static bool won(const struct scn_expect *e, int64_t v)
{
	switch (e->metric) {
	case METRIC_IMSI:
	case METRIC_PRESENTS:
		return e->value == 1 && v == 1;
	case METRIC_INDEX:
	case METRIC_REGISTERED:
		return false;
	case METRIC_FIRST_ATTEMPT:
		return v != SCN_NEVER && holds(e, v);
	case METRIC_SHORTEST_GAP:
		return (e->op == OP_LE || e->op == OP_LT) && holds(e, v);
	default:
		return (e->op == OP_GE || e->op == OP_GT) && holds(e, v);
	}
}

static bool card_metric(const struct scn_expect *e)
{
	return !scn_metrics[e->metric].of_smsc;
}

/* Counted by itself: not all the time, or added up. */
static bool windowed(const struct scn_expect *e)
{
	return e->state != WHILE_ALWAYS || e->from_ms || e->to_ms != SCN_NEVER;
}

/* ---- values ---- */

static int64_t imsi_kind(const struct run *r, uint32_t card, const char *imsi)
{
	char fresh[SIM_IMSI_LEN];

	run_new_imsi(r, card, fresh);
	return !strcmp(imsi, fresh) ? 1 : !strcmp(imsi, r->cards[card].imsi_first) ? 0 : 2;
}

/* A card without the applet has no index, and none of its orders moves one. */
static int64_t applet_value(const struct sim_card *c, enum scn_metric m)
{
	if (!c->sub)
		return 0;
	return m == METRIC_INDEX ? sim_sub_rec(c->sub)->index : m == METRIC_MOVES ? c->sub->moves : c->sub->moves_max;
}

static int64_t card_value(const struct run *r, unsigned i, uint32_t card)
{
	const struct scn_expect *e = &r->scn->expect[i];
	const struct card_book *b = &r->book[card];
	struct sim_card_truth t;

	if (r->expect[i].count)
		return r->expect[i].count[card];
	if (e->metric == METRIC_ATTEMPTS)
		return b->attempts;
	sim_card_truth(&r->cards[card], &t);
	switch (e->metric) {
	case METRIC_IMSI:
		return imsi_kind(r, card, t.imsi_stored);
	case METRIC_PRESENTS:
		return imsi_kind(r, card, t.imsi_presented);
	case METRIC_REACHED:
		return b->reached;
	case METRIC_RUNS:
		return t.imsi_writes;
	case METRIC_EXECUTIONS:
		return t.executions_max;
	case METRIC_CHANGES:
		return t.imsi_changes;
	case METRIC_REPLAYS:
		return t.replays_refused;
	case METRIC_REFUSED:
		return t.security_refused;
	case METRIC_CLASHES:
		return t.same_cntr_other_packet;
	case METRIC_PROOFS:
		return b->proofs;
	case METRIC_FIRST_ATTEMPT:
		return b->first_ms < 0 ? SCN_NEVER : b->first_ms;
	case METRIC_SHORTEST_GAP:
		return b->shortest_ms;
	case METRIC_LONGEST_GAP:
		return b->longest_ms;
	case METRIC_REGISTERED:
		return sim_air_operator(r->air, card);
	default:
		return applet_value(&r->cards[card], e->metric);
	}
}

static int64_t door_value(const struct run *r, unsigned i)
{
	const struct scn_expect *e = &r->scn->expect[i];
	int64_t sum = 0, most = 0, v = 0;

	if (windowed(e))
		return r->expect[i].total;
	for (unsigned d = 0; d < r->scn->doors; d++) {
		const struct door_book *b = &r->door[d];

		if (!(e->doors >> d & 1))
			continue;
		switch (e->metric) {
		case METRIC_SUBMITS:
			v = (int64_t)b->submits;
			break;
		case METRIC_CONNECTIONS:
			v = (int64_t)b->connections;
			break;
		case METRIC_BIND_ATTEMPTS:
			v = (int64_t)b->bind_attempts;
			break;
		case METRIC_BINDS:
			v = (int64_t)b->binds;
			break;
		case METRIC_THROTTLED:
			v = (int64_t)b->throttled;
			break;
		case METRIC_RATE:
			v = b->rate_max;
			break;
		case METRIC_WINDOW:
			v = b->window_max;
			break;
		case METRIC_DELIVERY_ANSWER:
			v = b->answer_max_ms;
			break;
		default:
			v = (int64_t)b->timeouts;
		}
		sum += v;
		most = v > most ? v : most;
	}
	return e->metric == METRIC_RATE || e->metric == METRIC_WINDOW || e->metric == METRIC_DELIVERY_ANSWER ? most :
													       sum;
}

/* ---- settling ---- */

static void settle(struct run *r, unsigned i, enum run_verdict verdict)
{
	struct expect_state *st = &r->expect[i];

	st->verdict = verdict;
	st->settled_ms = run_time(r, r->now_ms);
	if (st->settled_ms > r->scn->expect[i].by_ms)
		st->settled_ms = r->scn->expect[i].by_ms;
	r->last_settled_ms = st->settled_ms;
	r->open--;
	if (r->scn->expect[i].by_ms != SCN_NEVER)
		r->timed_open--;
}

static void show(struct expect_state *st, uint32_t card, int64_t value)
{
	st->bad++;
	if (st->n_shown < RUN_SHOWN_MAX) {
		st->shown[st->n_shown].card = card;
		st->shown[st->n_shown++].value = value;
	}
}

/* What has failed goes on collecting cards until its time is up: the report names them all, not the first alone. */
static bool looks(const struct run *r, unsigned i)
{
	const struct scn_expect *e = &r->scn->expect[i];

	return r->expect[i].verdict == RUN_OPEN ||
	       (r->expect[i].verdict == RUN_FAIL && run_time(r, r->now_ms) <= e->by_ms);
}

static void look_at_card(struct run *r, unsigned i, uint32_t card)
{
	const struct scn_expect *e = &r->scn->expect[i];
	struct expect_state *st = &r->expect[i];
	int64_t v;

	if (!looks(r, i) || e->total || !bit_get(st->member, card) || bit_get(st->met, card) ||
	    bit_get(st->broken, card))
		return;
	v = card_value(r, i, card);
	if (lost(e, v)) {
		bit_set(st->broken, card);
		show(st, card, v);
		if (st->verdict == RUN_OPEN && st->members - st->bad < st->needed)
			settle(r, i, RUN_FAIL);
	} else if (won(e, v)) {
		bit_set(st->met, card);
		/* Without a time it is asked how things stand at the end. */
		if (++st->hits >= st->needed && e->by_ms != SCN_NEVER && st->verdict == RUN_OPEN)
			settle(r, i, RUN_PASS);
	}
}

void verdict_card(struct run *r, uint32_t card)
{
	for (unsigned i = 0; i < r->scn->expects; i++) {
		if (card_metric(&r->scn->expect[i]))
			look_at_card(r, i, card);
	}
}

void verdict_doors(struct run *r)
{
	for (unsigned i = 0; i < r->scn->expects; i++) {
		const struct scn_expect *e = &r->scn->expect[i];
		struct expect_state *st = &r->expect[i];

		if (card_metric(e) || !looks(r, i))
			continue;
		st->total = door_value(r, i);
		if (st->verdict != RUN_OPEN)
			continue;
		if (lost(e, st->total))
			settle(r, i, RUN_FAIL);
		else if (won(e, st->total) && e->by_ms != SCN_NEVER)
			settle(r, i, RUN_PASS);
	}
}

/* ---- what counts only at times ---- */

static bool state_holds(const struct run *r, const struct scn_expect *e, unsigned door, int64_t card)
{
	int64_t since_ms, now_ms = r->now_ms;

	switch (e->state) {
	case WHILE_ALWAYS:
		return true;
	case WHILE_MOOD:
		return (int)smsc_mood(r->smsc, door)->kind == e->state_of &&
		       run_time(r, now_ms) - r->door[door].mood_since_ms >= e->after_ms;
	case WHILE_ABSENT:
		return !sim_air_covered(r->air, (uint32_t)card, &since_ms) && now_ms - since_ms >= e->after_ms;
	case WHILE_TAKING:
		return (int)sim_air_takes(r->air, (uint32_t)card, &since_ms) == e->state_of &&
		       now_ms - since_ms >= e->after_ms;
	}
	return false;
}

void verdict_counted(struct run *r, enum scn_metric m, unsigned door, int64_t card)
{
	int64_t t = run_time(r, r->now_ms);

	for (unsigned i = 0; i < r->scn->expects; i++) {
		const struct scn_expect *e = &r->scn->expect[i];
		struct expect_state *st = &r->expect[i];

		if (e->metric != m || !windowed(e) || !looks(r, i) || t < e->from_ms || t >= e->to_ms)
			continue;
		if (card < 0 ? !(e->doors >> door & 1) : !bit_get(st->member, (uint32_t)card))
			continue;
		if (!state_holds(r, e, door, card))
			continue;
		if (card < 0)
			st->total++;
		else
			st->count[card]++;
	}
}

/* ---- judging ---- */

/* How it stands now; the state is as if it were judged, but for the verdict. */
static bool stands_cards(struct run *r, unsigned i)
{
	const struct scn_expect *e = &r->scn->expect[i];
	struct expect_state *st = &r->expect[i];

	st->bad = st->n_shown = 0;
	for (uint32_t c = 0; c < r->n; c++) {
		int64_t v;
		bool met;

		if (!bit_get(st->member, c))
			continue;
		v = card_value(r, i, c);
		met = e->by_ms != SCN_NEVER && bit_get(st->met, c);
		if (bit_get(st->broken, c) || (!met && !holds(e, v)))
			show(st, c, v);
	}
	return st->members - st->bad >= st->needed;
}

static bool stands(struct run *r, unsigned i)
{
	const struct scn_expect *e = &r->scn->expect[i];
	struct expect_state *st = &r->expect[i];

	if (!scn_metrics[e->metric].of_smsc && !e->total)
		return stands_cards(r, i);
	st->total = card_metric(e) ? 0 : door_value(r, i);
	for (uint32_t c = 0; card_metric(e) && c < r->n; c++)
		st->total += bit_get(st->member, c) ? card_value(r, i, c) : 0;
	return holds(e, st->total);
}

static void judge(struct run *r, unsigned i)
{
	settle(r, i, stands(r, i) ? RUN_PASS : RUN_FAIL);
}

/* "by 4m" includes what happens at 4m. */
void verdict_time(struct run *r)
{
	int64_t t = run_time(r, r->now_ms);

	for (unsigned i = 0; r->timed_open && i < r->scn->expects; i++) {
		if (r->expect[i].verdict == RUN_OPEN && r->scn->expect[i].by_ms < t)
			judge(r, i);
	}
}

bool verdict_stands(struct run *r)
{
	bool all = true;

	for (unsigned i = 0; all && i < r->scn->expects; i++) {
		struct expect_state kept = r->expect[i];

		if (kept.verdict != RUN_OPEN)
			continue;
		all = stands(r, i);
		r->expect[i] = kept; /* it was only a look */
	}
	return all;
}

void verdict_final(struct run *r)
{
	for (unsigned i = 0; r->open && i < r->scn->expects; i++) {
		if (r->expect[i].verdict == RUN_OPEN)
			judge(r, i);
	}
}

int64_t verdict_due(const struct run *r)
{
	int64_t due = SCN_NEVER;

	for (unsigned i = 0; r->timed_open && i < r->scn->expects; i++) {
		if (r->expect[i].verdict == RUN_OPEN && r->scn->expect[i].by_ms < due)
			due = r->scn->expect[i].by_ms;
	}
	return due == SCN_NEVER ? due : due + 1;
}

/* ---- life ---- */

static bool expect_init(struct run *r, unsigned i)
{
	const struct scn_expect *e = &r->scn->expect[i];
	struct expect_state *st = &r->expect[i];

	r->open++;
	r->timed += e->by_ms != SCN_NEVER;
	r->timed_open = r->timed;
	if (!card_metric(e))
		return true;
	st->member = calloc(r->n / 8 + 1, 1);
	st->met = calloc(r->n / 8 + 1, 1);
	st->broken = calloc(r->n / 8 + 1, 1);
	if (windowed(e))
		st->count = calloc(r->n, sizeof(*st->count));
	if (!st->member || !st->met || !st->broken || (windowed(e) && !st->count))
		return false;
	for (uint32_t c = 0; c < r->n; c++) {
		if (scn_in(r->scn, e->set, c)) {
			bit_set(st->member, c);
			st->members++;
		}
	}
	st->needed = e->need_n	 ? e->need_n :
		     e->need_ppm ? (uint32_t)(((uint64_t)st->members * e->need_ppm + SIM_PPM - 1) / SIM_PPM) :
				   st->members;
	return true;
}

bool verdict_init(struct run *r, char err[SCN_ERR_MAX])
{
	uint64_t counters = 0;

	for (unsigned i = 0; i < r->scn->expects; i++) {
		const struct scn_expect *e = &r->scn->expect[i];

		counters += card_metric(e) && windowed(e) ? r->n : 0;
		if (counters > RUN_COUNTERS_MAX) {
			snprintf(err, SCN_ERR_MAX,
				 "%.100s:%u: with this line more than %d counters of cards are to be kept",
				 r->scn->file, e->line, RUN_COUNTERS_MAX);
			return false;
		}
		if (!expect_init(r, i))
			return false;
	}
	return true;
}

void verdict_free(struct run *r)
{
	for (unsigned i = 0; i < r->scn->expects; i++) {
		free(r->expect[i].member);
		free(r->expect[i].met);
		free(r->expect[i].broken);
		free(r->expect[i].count);
	}
}

enum run_verdict run_verdict(const struct run *r)
{
	enum run_verdict v = RUN_PASS;

	for (unsigned i = 0; i < r->scn->expects; i++) {
		if (r->expect[i].verdict == RUN_FAIL)
			return RUN_FAIL;
		if (r->expect[i].verdict == RUN_OPEN)
			v = RUN_OPEN;
	}
	return v;
}

void run_result(const struct run *r, unsigned expect, struct run_result *out)
{
	const struct expect_state *st = &r->expect[expect];

	*out = (struct run_result){
		.expect = &r->scn->expect[expect],
		.verdict = st->verdict,
		.settled_ms = st->settled_ms,
		.members = st->members,
		.bad = st->bad,
		.value = st->total,
		.n_shown = st->n_shown,
	};
	for (unsigned i = 0; i < st->n_shown; i++) {
		out->shown[i].card = st->shown[i].card;
		out->shown[i].value = st->shown[i].value;
	}
}
