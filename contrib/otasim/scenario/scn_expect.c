/* scn_expect.c - "expect card 1-100 imsi new by 1h", "expect attempts <= 5", "expect no submit while dead after 30s".
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <string.h>

#include "scn_int.h"

#define VALUE_MAX 1000000000000ull

#define N(a) (sizeof(a) / sizeof((a)[0]))

const struct scn_metric_def scn_metrics[_SCN_METRICS] = {
	[METRIC_IMSI] = { "imsi" },
	[METRIC_PRESENTS] = { "presents" },
	[METRIC_ATTEMPTS] = { "attempts", .counted = true },
	[METRIC_REACHED] = { "reached" },
	[METRIC_RUNS] = { "runs" },
	[METRIC_EXECUTIONS] = { "executions" },
	[METRIC_CHANGES] = { "changes" },
	[METRIC_REPLAYS] = { "replays" },
	[METRIC_REFUSED] = { "refused" },
	[METRIC_CLASHES] = { "counter-clashes" },
	[METRIC_PROOFS] = { "proofs" },
	[METRIC_FIRST_ATTEMPT] = { "first-attempt", .time = true },
	[METRIC_SHORTEST_GAP] = { "shortest-gap", .time = true },
	[METRIC_LONGEST_GAP] = { "longest-gap", .time = true },
	[METRIC_INDEX] = { "index" },
	[METRIC_REGISTERED] = { "registered" },
	[METRIC_MOVES] = { "moves" },
	[METRIC_MOVES_PER_ORDER] = { "moves-per-order" },
	[METRIC_SUBMITS] = { "submits", .of_smsc = true, .counted = true },
	[METRIC_CONNECTIONS] = { "connections", .of_smsc = true, .counted = true },
	[METRIC_BIND_ATTEMPTS] = { "bind-attempts", .of_smsc = true, .counted = true },
	[METRIC_BINDS] = { "binds", .of_smsc = true, .counted = true },
	[METRIC_THROTTLED] = { "throttled", .of_smsc = true, .counted = true },
	[METRIC_RATE] = { "rate", .of_smsc = true },
	[METRIC_WINDOW] = { "window", .of_smsc = true },
	[METRIC_DELIVERY_ANSWER] = { "delivery-answer", .of_smsc = true, .time = true },
	[METRIC_DELIVERY_TIMEOUTS] = { "delivery-timeouts", .of_smsc = true },
};

static const struct {
	const char *name;
	enum scn_while state;
	int of;
} card_states[] = {
	{ "absent", WHILE_ABSENT, 0 },
	{ "memory-full", WHILE_TAKING, SIM_MEMORY_FULL },
	{ "toolkit-busy", WHILE_TAKING, SIM_TOOLKIT_BUSY },
	{ "silent", WHILE_TAKING, SIM_SILENT },
	{ "ignores", WHILE_TAKING, SIM_IGNORES },
};

/* Of two or more the singular goes as well: "no submit", "no attempt". */
static bool named(const char *word, const char *name)
{
	size_t n = strlen(name);

	return !strcmp(word, name) || (name[n - 1] == 's' && strlen(word) == n - 1 && !strncmp(word, name, n - 1));
}

static void metric_read(struct line *l, struct scn_expect *e)
{
	const char *w = scn_next(l, "what is expected"), *names[_SCN_METRICS];

	for (int i = 0; i < _SCN_METRICS; i++) {
		names[i] = scn_metrics[i].name;
		if (named(w, scn_metrics[i].name)) {
			e->metric = (enum scn_metric)i;
			return;
		}
	}
	scn_wrong_word(l, w, "something that can be expected", names, N(names));
}

static void op_read(struct line *l, struct scn_expect *e)
{
	static const char *const ops[] = { "=", "<=", ">=", "<", ">" };
	const char *w = scn_next(l, "=, <=, >=, < or >");

	for (int i = 0; i < (int)N(ops); i++) {
		if (!strcmp(w, ops[i])) {
			e->op = (enum scn_op)i;
			return;
		}
	}
	scn_wrong(l, "\"%.40s\" does not compare; there are: =, <=, >=, <, >", w);
}

static void old_or_new(struct line *l, struct scn_expect *e)
{
	static const char *const names[] = { "new", "old" };
	const char *w = scn_next(l, "new or old");

	e->op = OP_EQ;
	e->value = !strcmp(w, "new");
	if (!e->value && strcmp(w, "old"))
		scn_wrong_word(l, w, "an IMSI of these cards", names, N(names));
}

/* "registered B", "registered nowhere" */
static void place_read(struct line *l, struct scn_expect *e)
{
	const char *names[SIM_OPS_MAX + 1], *w = scn_next(l, "an operator or nowhere");
	size_t n = 0;

	e->op = OP_EQ;
	e->value = scn_operator_named(l->scn, w); /* SCN_NOWHERE when there is none of that name */
	for (unsigned i = 0; i < l->scn->ops; i++)
		names[n++] = l->scn->op[i].name;
	names[n++] = "nowhere";
	if (!l->bad && e->value < 0 && strcmp(w, "nowhere"))
		scn_wrong_word(l, w, "an operator", names, n);
}

static void value_read(struct line *l, struct scn_expect *e)
{
	op_read(l, e);
	if (scn_metrics[e->metric].time)
		e->value = scn_duration(l, scn_metrics[e->metric].name);
	else
		e->value = (int64_t)scn_number(l, scn_metrics[e->metric].name, 0, VALUE_MAX);
	if (!l->bad && e->op == OP_LT && e->value == 0)
		scn_wrong(l, "nothing is less than 0");
}

static void need_read(struct line *l, struct scn_expect *e)
{
	scn_take(l, "least");
	if (scn_is_share(scn_peek(l)))
		e->need_ppm = scn_share(l, "at least");
	else
		e->need_n = (uint32_t)scn_number(l, "at least", 1, SCN_CARDS_MAX);
	if (!l->bad && !e->need_ppm && !e->need_n)
		scn_wrong(l, "at least 0%% is always true");
	if (!scn_take(l, "of"))
		scn_wrong(l, "wanted is \"at least 95%% of all ...\"");
}

static void while_read(struct line *l, struct scn_expect *e)
{
	const char *names[_SMSC_MOODS + N(card_states)], *w = scn_next(l, "what it must not be otherwise");
	enum smsc_mood_kind kind;
	size_t n = 0;

	if (scn_mood_named(w, &kind)) {
		e->state = WHILE_MOOD;
		e->state_of = kind;
	}
	for (size_t i = 0; i < N(card_states); i++) {
		names[n++] = card_states[i].name;
		if (!strcmp(w, card_states[i].name)) {
			e->state = card_states[i].state;
			e->state_of = card_states[i].of;
		}
	}
	for (int i = 0; i < _SMSC_MOODS; i++)
		names[n++] = smsc_mood_name((enum smsc_mood_kind)i);
	if (e->state == WHILE_ALWAYS)
		scn_wrong_word(l, w, "a state that can be asked for", names, n);
	if (scn_take(l, "after"))
		e->after_ms = scn_duration(l, "after");
}

static void limits_read(struct line *l, struct scn_expect *e)
{
	while (!scn_line_over(l)) {
		if (scn_take(l, "by") || scn_take(l, "until")) {
			e->by_ms = scn_duration(l, "by");
		} else if (scn_take(l, "from")) {
			e->from_ms = scn_duration(l, "from");
			if (scn_take(l, "to"))
				e->to_ms = scn_duration(l, "to");
			if (!l->bad && e->to_ms <= e->from_ms)
				scn_wrong(l, "it ends before it begins");
		} else if (scn_take(l, "while")) {
			while_read(l, e);
		} else {
			static const char *const words[] = { "by", "until", "from", "while" };

			scn_wrong_word(l, scn_peek(l), "a time or a state", words, N(words));
		}
	}
}

static void check(struct line *l, const struct scn_expect *e, bool has_set, bool has_smsc)
{
	const struct scn_metric_def *d = &scn_metrics[e->metric];

	if (d->of_smsc && (has_set || e->total || e->need_n || e->need_ppm))
		scn_wrong(l, "\"%s\" is counted at the SMSCs, not card by card%s", d->name,
			  e->metric == METRIC_SUBMITS ? "; of cards, expect attempts" : "");
	else if (!d->of_smsc && has_smsc)
		scn_wrong(l, "\"%s\" is counted card by card, not at an SMSC", d->name);
	else if (e->total && (e->metric <= METRIC_PRESENTS || e->metric == METRIC_REGISTERED || d->time || e->need_n ||
			      e->need_ppm))
		scn_wrong(l, "\"total\" adds up what cards count; it does not go with this");
	else if (!d->counted && (e->state != WHILE_ALWAYS || e->from_ms || e->to_ms != SCN_NEVER))
		scn_wrong(l, "\"%s\" is known for the whole time only: \"from\" and \"while\" do not go with it",
			  d->name);
	else if (d->of_smsc && e->state > WHILE_MOOD)
		scn_wrong(l, "\"%s\" is counted at the SMSCs: \"while\" can name what an SMSC is", d->name);
	else if (e->by_ms != SCN_NEVER && e->to_ms != SCN_NEVER && e->by_ms < e->to_ms)
		scn_wrong(l, "\"by\" is before the end of what is counted");
	else if (e->state == WHILE_ALWAYS && e->after_ms)
		scn_wrong(l, "\"after\" belongs to \"while\"");
}

void scn_expect_read(struct line *l)
{
	struct scn_expect e = { .line = l->number, .to_ms = SCN_NEVER, .by_ms = SCN_NEVER };
	bool has_set = false, has_smsc = false;
	struct scn *s = l->scn;

	for (unsigned i = 0; i < l->words; i++)
		scn_text_add(e.text, sizeof(e.text), l->word[i]);
	e.doors = (1u << s->doors) - 1;
	if (scn_take(l, "at"))
		need_read(l, &e);
	e.total = scn_take(l, "total");
	if (e.total)
		scn_take(l, "of");
	if (scn_take(l, "smsc")) {
		has_smsc = true;
		e.doors = scn_doors_read(l);
	} else if (scn_set_begins(l)) {
		has_set = true;
		e.set = scn_set_read(l);
	}
	if (scn_take(l, "no")) {
		metric_read(l, &e);
		e.op = OP_EQ;
		if (!l->bad && !scn_metrics[e.metric].counted &&
		    (e.metric <= METRIC_PRESENTS || e.metric == METRIC_REGISTERED || scn_metrics[e.metric].time))
			scn_wrong(l, "\"no %s\" means nothing", scn_metrics[e.metric].name);
	} else {
		metric_read(l, &e);
		if (e.metric <= METRIC_PRESENTS)
			old_or_new(l, &e);
		else if (e.metric == METRIC_REGISTERED)
			place_read(l, &e);
		else
			value_read(l, &e);
	}
	limits_read(l, &e);
	check(l, &e, has_set, has_smsc);
	if (!l->bad && s->expects == SCN_EXPECTS_MAX)
		scn_wrong(l, "more than %d expectations", SCN_EXPECTS_MAX);
	if (l->bad)
		return;
	/* What is counted up to a moment is known then; a first attempt by 30s is known at 30s. */
	if (e.by_ms == SCN_NEVER && e.to_ms != SCN_NEVER)
		e.by_ms = e.to_ms;
	if (e.metric == METRIC_FIRST_ATTEMPT && e.by_ms == SCN_NEVER && (e.op == OP_LE || e.op == OP_LT))
		e.by_ms = e.value;
	s->expect[s->expects++] = e;
}
