/* scn_run.c - carries a written scenario out in the same world, under the same checkers as the drawn ones.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The weather is fine unless a line says otherwise.  Rules laid down for the air stand between link and air: they take
 * away, hold back, double or cut up the messages that they name, so many times.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scn.h"

#define RESTART_MS     1000 /* in a run with a crash somewhere */
#define CRASH_RUNS_MAX 2000 /* per kind of crash: far more than a scenario has of any */
#define SPLIT_REF      42   /* some cards know only one reference */
#define QUIET_MS       5000 /* at the end: whatever is still in the air may come */

struct rule {
	enum scn_air_do action;
	enum scn_air_what what;
	unsigned card; /* SCN_EVERY_CARD */
	int seg;       /* SCN_SEGMENT: this one, 0: any */
	int64_t left;  /* times, 0: for ever */
	bool used;
};
struct scn_run {
	const struct scn *scn;
	const struct scn_stmt *at;
	struct rule rule[SCN_RULES_MAX];
	struct sim_up held[SCN_HELD_MAX];
	unsigned n_held;
	int64_t smsc_times;
	enum fail_class smsc_class; /* FAIL_NONE: no answer at all */
	enum crash_at crash_at;	    /* EVERY CRASH: this kind, the nth */
	unsigned crash_nth;
	bool struck;
};

/* ------------------------------------------------------------------------------------------------ rules */

static void scn_fail(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void scn_fail(struct world *w, const char *fmt, ...)
{
	char why[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	check_fail(w, "scenario", "%s", why);
}

/* Strikes it?  Then it has struck once more. */
static bool use(struct rule *r)
{
	if (r->left && --r->left == 0)
		r->used = false;
	return true;
}

static bool has_por(const struct sim_up *up)
{
	struct ota_udh udh;

	return up->udhi && up->ud_len && !ota_udh_parse(&udh, up->ud, up->ud_len) && (udh.pi == 0x71 || udh.concat);
}

static struct rule *rule_for(struct scn_run *s, const struct sim_up *up)
{
	for (unsigned i = 0; i < SCN_RULES_MAX; i++) {
		struct rule *r = &s->rule[i];

		if (!r->used || r->what == SCN_SEGMENT || (r->card != SCN_EVERY_CARD && r->card != up->card) ||
		    (r->what == SCN_POR && !has_por(up)) || (r->what == SCN_MO && up->kind != SIM_UP_MO) ||
		    (r->what == SCN_RECEIPT && up->kind != SIM_UP_RECEIPT))
			continue;
		return r;
	}
	return NULL;
}

static bool pass_on(struct world *w, const struct sim_up *up)
{
	return w->gw && !w->dead && slink_up_message(w->slink[0], up);
}

/* A copy that no SMSC waits for an answer to. */
static void pass_copy(struct world *w, const struct sim_up *up)
{
	struct sim_up copy = *up;

	copy.id = UINT64_MAX;
	if (!pass_on(w, &copy))
		tell(w, "and finds nobody");
}

static void hold(struct world *w, const struct sim_up *up)
{
	struct scn_run *s = w->scn;

	if (s->n_held == SCN_HELD_MAX)
		scn_fail(w, "more than %d messages held", SCN_HELD_MAX);
	else
		s->held[s->n_held++] = *up;
}

bool scn_up(struct world *w, const struct sim_up *up)
{
	struct rule *r = rule_for(w->scn, up);
	struct sim_up one, two;

	if (!r)
		return false;
	use(r);
	tell(w, "card %u: the air %s its message", up->card,
	     r->action == SCN_AIR_DROP	 ? "drops" :
	     r->action == SCN_AIR_HOLD	 ? "holds" :
	     r->action == SCN_AIR_DOUBLE ? "doubles" :
					   "splits");
	if (r->action >= SCN_AIR_SPLIT)
		world_split_up(up, SPLIT_REF, &one, &two);
	switch (r->action) {
	case SCN_AIR_HOLD:
		hold(w, up);
		break;
	case SCN_AIR_DOUBLE:
		pass_copy(w, up);
		pass_copy(w, up);
		break;
	case SCN_AIR_SPLIT:
		pass_copy(w, &one);
		pass_copy(w, &two);
		break;
	case SCN_AIR_SPLIT_REVERSED:
		pass_copy(w, &two);
		pass_copy(w, &one);
		break;
	case SCN_AIR_SPLIT_HOLD:
		pass_copy(w, &one);
		hold(w, &two);
		break;
	case SCN_AIR_DROP:
	case SCN_AIR_LOSE:
		break;
	}
	sim_air_up_answer(w->air, up->id, SIM_UP_OK, w->now_ms);
	return true;
}

enum scn_fate scn_down(struct world *w, const struct link_submit *sub, struct fail *fail)
{
	struct scn_run *s = w->scn;
	const struct sim_addr to = { .ton = sub->dst.ton, .npi = sub->dst.npi };
	struct sim_addr dst = to;
	struct ota_udh udh;
	int64_t card;

	if (s->smsc_times) {
		s->smsc_times--;
		*fail = (struct fail){ s->smsc_class, 9, "as the scenario says" };
		return s->smsc_class == FAIL_NONE ? SCN_NO_ANSWER : SCN_REFUSE;
	}
	memcpy(dst.digits, sub->dst.digits, sizeof(sub->dst.digits));
	card = sim_air_subscriber(w->air, 0, &dst);
	if (ota_udh_parse(&udh, sub->ud, sub->ud_len) < 0)
		return SCN_DELIVER;
	for (unsigned i = 0; i < SCN_RULES_MAX; i++) {
		struct rule *r = &s->rule[i];

		if (!r->used || r->what != SCN_SEGMENT || (r->card != SCN_EVERY_CARD && r->card != card) ||
		    (r->seg && r->seg != (udh.concat ? udh.seq : 1)))
			continue;
		use(r);
		tell(w, "the air loses segment %u", udh.concat ? udh.seq : 1);
		return SCN_LOSE;
	}
	return SCN_DELIVER;
}

/* ------------------------------------------------------------------------------------------------ time */

static bool over(const struct world *w)
{
	return w->failed;
}

/* Everything due up to `until`, and the clock stands there. */
static void advance(struct world *w, int64_t until)
{
	unsigned here = 0;

	world_turn(w);
	while (!over(w)) {
		int64_t due = world_next_due(w);

		if (due > until)
			break;
		if (due > w->now_ms) {
			w->now_ms = due;
			here = 0;
		} else if (++here > SIM_TURNS_MAX) {
			check_fail(w, "no-spinning", "the core wants to be called again and again at the same time");
		}
		world_turn(w);
	}
	if (w->now_ms < until)
		w->now_ms = until;
}

/* Up to the moment at which the gateway's own timer is due, and before it is called for that. */
static void advance_to_due(struct world *w)
{
	world_turn(w);
	for (unsigned i = 0; !over(w); i++) {
		int64_t gw = world_gw_due(w), next = world_next_due(w);

		if (gw == INT64_MAX || i == SIM_TURNS_MAX) {
			scn_fail(w, "the gateway waits for nothing");
			return;
		}
		if (gw > w->now_ms && gw <= next) {
			w->now_ms = gw;
			return;
		}
		if (next > w->now_ms)
			w->now_ms = next;
		world_turn(w);
	}
}

/* ------------------------------------------------------------------------------------------------ CHECK */

static unsigned left_commands(const struct watched_card *c, int kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_cmds; i++)
		n += c->cmd[i].left && (kind < 0 || c->cmd[i].row.kind == kind);
	return n;
}

static const struct cmd_row *newest(const struct watched_card *c)
{
	for (unsigned i = c->n_cmds; i-- > 0;)
		if (!c->cmd[i].lost)
			return &c->cmd[i].row;
	return NULL;
}

static int64_t measure(struct world *w, const struct scn_stmt *st, unsigned card)
{
	const struct watched_card *c = &w->watch[card];

	switch (st->what) {
	case SCN_RUNS:
		return check_runs(w, card);
	case SCN_PACKETS:
		return c->packets;
	case SCN_SEGMENTS:
		return (int64_t)c->submits;
	case SCN_CNTRS:
		return left_commands(c, -1); /* no two have the same: that is a checker */
	case SCN_REFS:
		return c->n_refs;
	case SCN_SCRIPTS:
		return left_commands(c, CMD_SCRIPT);
	case SCN_PROBES:
		return left_commands(c, CMD_READBACK);
	case SCN_ATTEMPTS:
		return c->txn.attempts;
	case SCN_EVIDENCE:
		return c->txn.evidence == 255 ? 0 : c->txn.evidence;
	case SCN_LIVES:
		return w->lives;
	case SCN_EPOCHS:
		return w->epochs;
	default:
		return -1;
	}
}

static bool compare(int op, int64_t a, int64_t b)
{
	switch ((enum scn_op)op) {
	case SCN_EQ:
		return a == b;
	case SCN_NE:
		return a != b;
	case SCN_LT:
		return a < b;
	case SCN_LE:
		return a <= b;
	case SCN_GT:
		return a > b;
	case SCN_GE:
		return a >= b;
	}
	return false;
}

/* Does it hold for this card?  If not, `is` says what is the case instead. */
static bool holds(struct world *w, const struct scn_stmt *st, unsigned card, char *is, size_t cap)
{
	const struct watched_card *c = &w->watch[card];
	const struct cmd_row *cmd = newest(c);
	struct sim_card_truth truth;
	struct gw_stats stats = { 0 };
	const char *imsi;
	int64_t n;

	switch (st->what) {
	case SCN_TXN:
		snprintf(is, cap, "%s (%s)", txn_state_name(c->txn_state), c->txn.reason);
		return c->txn_state == st->n;
	case SCN_CMD:
		snprintf(is, cap, "%s", cmd ? cmd_state_name(cmd->state) : "not there");
		return cmd && cmd->state == st->n;
	case SCN_CLASS:
		snprintf(is, cap, "%s", fail_class_name((enum fail_class)c->txn.fail_class));
		return c->txn.fail_class == st->n;
	case SCN_REASON:
		snprintf(is, cap, "\"%s\"", c->txn.reason);
		return strstr(c->txn.reason, st->text);
	case SCN_IMSI:
	case SCN_SHOWS:
		sim_card_truth(&w->card[card], &truth);
		imsi = st->what == SCN_IMSI ? truth.imsi_stored : truth.imsi_presented;
		snprintf(is, cap, "%s", imsi);
		return !strcmp(imsi, st->n ? c->new_imsi : w->card[card].imsi_first);
	case SCN_ALARM:
		if (w->gw)
			gw_stats(w->gw, &stats);
		snprintf(is, cap, "%s", stats.store_alarm ? "yes" : "no");
		return stats.store_alarm == (st->n != 0);
	default:
		n = measure(w, st, card);
		snprintf(is, cap, "%lld", (long long)n);
		return compare(st->op, n, st->n);
	}
}

static bool check_now(struct world *w, const struct scn_stmt *st, bool tell_it)
{
	unsigned first = st->card == SCN_EVERY_CARD ? 0 : st->card;
	unsigned last =
		st->card == SCN_EVERY_CARD && st->what != SCN_ALARM && st->what != SCN_LIVES && st->what != SCN_EPOCHS ?
			w->sc.cards - 1 :
			first;
	char is[120];

	for (unsigned i = first; i <= last; i++) {
		if (holds(w, st, i, is, sizeof(is)))
			continue;
		if (tell_it)
			scn_fail(w, "CHECK %s %u: it is %s", scn_what_name(st->what), i + 1, is);
		return false;
	}
	return true;
}

static void check(struct world *w, const struct scn_stmt *st)
{
	int64_t until = w->now_ms + st->within_ms;

	world_turn(w);
	while (!over(w) && !check_now(w, st, false)) {
		int64_t due = world_next_due(w);

		if (due > until) {
			if (w->now_ms < until)
				w->now_ms = until;
			check_now(w, st, true);
			return;
		}
		if (due > w->now_ms)
			w->now_ms = due;
		world_turn(w);
	}
}

/* All campaigns at their end, nothing on its way: then the checkers close their books. */
static void finish(struct world *w, const struct scn_stmt *st)
{
	int64_t until = w->now_ms + st->within_ms;

	world_turn(w);
	while (!over(w) && !(world_finished(w) && check_all_ended(w) && sstore_due(w->store_seen) == INT64_MAX)) {
		int64_t due = world_next_due(w);

		if (due > until) {
			scn_fail(w, "not everything has ended within %lld s", (long long)st->within_ms / 1000);
			return;
		}
		if (due > w->now_ms)
			w->now_ms = due;
		world_turn(w);
	}
	if (!over(w))
		advance(w, w->now_ms + w->sc.response_ms + QUIET_MS);
	if (!over(w))
		check_end(w);
}

/* ------------------------------------------------------------------------------------------------ the other verbs */

static void lay_down(struct world *w, const struct scn_stmt *st)
{
	struct scn_run *s = w->scn;

	for (unsigned i = 0; i < SCN_RULES_MAX; i++) {
		if (s->rule[i].used)
			continue;
		s->rule[i] = (struct rule){ .action = (enum scn_air_do)st->action,
					    .what = (enum scn_air_what)st->what,
					    .card = st->card,
					    .seg = st->op,
					    .left = st->n,
					    .used = true };
		return;
	}
	scn_fail(w, "more than %d rules for the air", SCN_RULES_MAX);
}

static void release(struct world *w)
{
	struct scn_run *s = w->scn;

	for (unsigned i = 0; i < s->n_held; i++)
		pass_copy(w, &s->held[i]);
	s->n_held = 0;
}

static void alert(struct world *w, unsigned card)
{
	struct sim_addr from = { .ton = 1, .npi = 1 };

	memcpy(from.digits, w->card[card].msisdn, sizeof(w->card[card].msisdn));
	if (w->gw && !w->dead)
		slink_alert(w->slink[0], &from, 0);
}

static void carry_out(struct world *w, const struct scn_stmt *st)
{
	struct scn_run *s = w->scn;

	switch ((enum scn_verb)st->verb) {
	case SCN_CARDS:
	case SCN_SET:
	case SCN_EVERY_CRASH:
		break;
	case SCN_TIME_PASSES:
		advance(w, w->now_ms + st->n);
		break;
	case SCN_TIME_TO_DUE:
		advance_to_due(w);
		break;
	case SCN_CARD_COVER:
		sim_air_cover(w->air, st->card, (enum sim_coverage)st->what, w->now_ms);
		break;
	case SCN_CARD_TAKING:
		sim_air_taking(w->air, st->card, (enum sim_taking)st->what, w->now_ms);
		break;
	case SCN_CARD_POWER_CYCLE:
		sim_air_power_cycle(w->air, st->card);
		break;
	case SCN_AIR:
		lay_down(w, st);
		break;
	case SCN_AIR_RELEASE:
		release(w);
		break;
	case SCN_AIR_CLEAR:
		memset(s->rule, 0, sizeof(s->rule));
		break;
	case SCN_SMSC:
		s->smsc_times = st->n;
		s->smsc_class = (enum fail_class)st->what;
		break;
	case SCN_LINK:
		if (w->gw && !w->dead && w->ready_seen)
			slink_set_up(w->slink[st->n], st->what);
		break;
	case SCN_STORE:
		w->store_bad = st->what != 0;
		w->store_error = st->what;
		w->sc.commit_ms = w->sc.read_ms = (struct sim_range){ st->n, st->n };
		break;
	case SCN_CLOCK:
		w->wall_off_ms += st->n;
		break;
	case SCN_ALERT:
		alert(w, st->card);
		break;
	case SCN_CRASH:
		world_crash(w);
		world_turn(w);
		break;
	case SCN_CRASH_AT:
		w->crash_at = (enum crash_at)st->what;
		w->crash_count = (unsigned)st->n;
		break;
	case SCN_RESTART:
		if (!w->gw)
			world_boot(w);
		break;
	case SCN_BACKUP:
		world_backup(w);
		break;
	case SCN_RESTORE:
		world_restore(w);
		break;
	case SCN_VERB:
		world_verb(w, 0, (enum gw_campaign_verb)st->what);
		break;
	case SCN_CHECK:
		check(w, st);
		break;
	case SCN_FINISH:
		finish(w, st);
		break;
	}
}

/* ------------------------------------------------------------------------------------------------ a run */

static bool run_once(const struct scn *scn, struct scn_run *s, bool trace)
{
	struct world *w = calloc(1, sizeof(*w));
	bool ok;

	if (!w)
		abort();
	s->scn = scn;
	w->seed = 1;
	w->trace = trace;
	w->sc = scn->sc;
	w->scn = s;
	if (s->crash_at)
		w->scn_restart_ms = RESTART_MS;
	if (world_open(w) && world_boot(w)) {
		w->crash_at = s->crash_at;
		w->crash_count = s->crash_nth;
		for (unsigned i = 0; i < scn->n && !over(w); i++) {
			s->at = &scn->stmt[i];
			tell(w, "--- line %u", s->at->line);
			carry_out(w, s->at);
		}
	}
	ok = !w->failed;
	s->struck = s->crash_at && w->crash_count == 0;
	if (!ok) {
		printf("%s:%u: ", scn->path, s->at ? s->at->line : 0);
		if (s->at && s->at->step)
			printf("step %u: ", s->at->step);
		if (s->crash_at)
			printf("(with a crash, kind %d, the %uth) ", s->crash_at, s->crash_nth);
		printf("%s at %+.3f s: %s\n", w->checker, (double)(w->now_ms - SIM_START_MS) / 1000, w->why);
	}
	fflush(stdout);
	world_close(w);
	free(w);
	return ok;
}

int scn_file(const char *path, bool trace, unsigned *runs)
{
	struct scn *scn = calloc(1, sizeof(*scn));
	bool ok;

	if (!scn)
		abort();
	if (scn_parse(scn, path)) {
		puts(scn->err);
		free(scn);
		return -1;
	}
	ok = run_once(scn, &(struct scn_run){ 0 }, trace);
	++*runs;
	for (int at = CRASH_COMMIT_BEFORE; ok && scn->every_crash && at < _CRASH_AT; at++)
		for (unsigned n = 1; ok && n < CRASH_RUNS_MAX; n++) {
			struct scn_run s = { .crash_at = (enum crash_at)at, .crash_nth = n };

			ok = run_once(scn, &s, trace);
			++*runs;
			if (!s.struck)
				break;
		}
	free(scn);
	return ok ? 0 : 1;
}
