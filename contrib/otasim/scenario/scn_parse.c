/* scn_parse.c - a scenario's lines: what it is called, how long it lasts, what happens to cards and SMSCs when.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scn_int.h"

#define CARDS_DEFAULT	 1000
#define END_DEFAULT_MS	 3600000
#define QUIET_DEFAULT_MS 10000

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* ---- when ---- */

/* "from 5m to 10m", "from 5m..6m for 30s every 10m until 2h", "at 5m for 10s", or nothing: always. */
static struct scn_when span_read(struct line *l)
{
	struct scn_when w = { .len = { SCN_TO_END, SCN_TO_END }, .until_ms = SCN_NEVER };
	bool at = !strcmp(scn_peek(l), "at");
	int64_t to;

	if (at || !strcmp(scn_peek(l), "from")) {
		scn_next(l, "");
		w.from = scn_duration_range(l, at ? "at" : "from");
	}
	if (scn_take(l, "for")) {
		w.len = scn_duration_range(l, "for");
		if (!l->bad && w.len.lo == 0)
			scn_wrong(l, "for 0s: that is no time at all");
	} else if (at) {
		scn_wrong(l, "say \"at 5m for 30s\", or \"from 5m\" when it is to last");
	} else if (scn_take(l, "to")) {
		to = scn_duration(l, "to");
		if (!l->bad && w.from.lo != w.from.hi)
			scn_wrong(l, "\"from A..B to C\" is different for each card: say \"from A..B for D\"");
		else if (!l->bad && to <= w.from.lo)
			scn_wrong(l, "it ends before it begins");
		w.len.lo = w.len.hi = to - w.from.lo;
	}
	if (scn_take(l, "every")) {
		w.every_ms = scn_duration(l, "every");
		if (!l->bad && w.len.lo == SCN_TO_END)
			scn_wrong(l, "what comes again must end: say \"from 5m for 30s every 10m\"");
		else if (!l->bad && (w.every_ms <= w.len.hi || w.every_ms < SCN_EVERY_MIN_MS))
			scn_wrong(l, "every: must be longer than what it repeats, and at least %d ms",
				  SCN_EVERY_MIN_MS);
		if (scn_take(l, "until"))
			w.until_ms = scn_duration(l, "until");
	}
	return w;
}

/* "at 5m", "at 5m..6m every 10m until 2h": a moment. */
static struct scn_when moment_read(struct line *l)
{
	struct scn_when w = { .until_ms = SCN_NEVER };

	if (!scn_take(l, "at"))
		scn_wrong(l, "this happens at a moment: say \"at 5m\"");
	w.from = scn_duration_range(l, "at");
	if (scn_take(l, "every")) {
		w.every_ms = scn_duration(l, "every");
		if (!l->bad && w.every_ms < SCN_EVERY_MIN_MS)
			scn_wrong(l, "every: at least %d ms", SCN_EVERY_MIN_MS);
		if (scn_take(l, "until"))
			w.until_ms = scn_duration(l, "until");
	}
	return w;
}

static struct scn_rule *rule_new(struct line *l)
{
	static struct scn_rule none;
	struct scn *s = l->scn;
	struct scn_rule *r = &none;

	if (s->rules == SCN_RULES_MAX)
		scn_wrong(l, "more than %d lines that do something to cards or SMSCs", SCN_RULES_MAX);
	else
		r = &s->rule[s->rules++];
	*r = (struct scn_rule){ .line = l->number };
	return r;
}

/* ---- cards ---- */

static const struct {
	const char *name;
	enum scn_prop prop;
	int value;
} card_words[] = {
	{ "absent", PROP_COVERAGE, SIM_COVERAGE_ABSENT },
	{ "present", PROP_COVERAGE, SIM_COVERAGE_PRESENT },
	{ "memory-full", PROP_TAKING, SIM_MEMORY_FULL },
	{ "toolkit-busy", PROP_TAKING, SIM_TOOLKIT_BUSY },
	{ "silent", PROP_TAKING, SIM_SILENT },
	{ "ignores", PROP_TAKING, SIM_IGNORES },
	{ "slow", PROP_SLOW, 0 },
	{ "replay", PROP_REPLAY, 0 },
	{ "interim-0b", PROP_INTERIM, 1 },
	{ "silent-errors", PROP_ERRORS, 1 },
	{ "wrong-keys", PROP_KEYS, 1 },
	{ "refuses-writes", PROP_WRITES, 0x6f07 },
	{ "off", PROP_OFF, 1 },
	{ "refuses-refresh", PROP_REFRESH, 1 },
	{ "refused-at", PROP_REFUSED, 0 },
	{ "power-cycle", PROP_POWER, 1 },
};

static int replay_read(struct line *l)
{
	static const char *const names[] = { "02", "06", "silent", "06-secured" };
	const char *w = scn_next(l, "02, 06, 06-secured or silent");

	for (int i = 0; i < (int)N(names); i++) {
		if (!strcmp(w, names[i]))
			return i; /* enum sim_replay */
	}
	scn_wrong_word(l, w, "an answer to a counter too low", names, N(names));
	return 0;
}

static int fid_read(struct line *l, int fallback)
{
	const char *w = scn_peek(l);
	char *end;
	unsigned long v;

	if (strlen(w) != 4 || strspn(w, "0123456789abcdefABCDEF") != 4)
		return fallback; /* "from" and its like have no hexadecimal spelling */
	v = strtoul(scn_next(l, ""), &end, 16);
	if (v == 0)
		scn_wrong(l, "0000 is no file");
	return (int)v;
}

static void card_read(struct line *l)
{
	struct scn_rule *r = rule_new(l);
	const char *names[N(card_words)], *w;
	size_t i = 0;

	r->set = scn_set_read(l);
	scn_take(l, "is");
	w = scn_next(l, "what these cards are to be");
	while (i < N(card_words) && strcmp(card_words[i].name, w))
		i++;
	if (i == N(card_words)) {
		for (i = 0; i < N(card_words); i++)
			names[i] = card_words[i].name;
		scn_wrong_word(l, w, "something a card can be", names, N(names));
		return;
	}
	r->prop = card_words[i].prop;
	r->value.lo = card_words[i].value;
	if (r->prop == PROP_SLOW)
		r->value = scn_duration_range(l, "slow");
	else if (r->prop == PROP_REPLAY)
		r->value.lo = replay_read(l);
	else if (r->prop == PROP_WRITES)
		r->value.lo = fid_read(l, card_words[i].value);
	else if (r->prop == PROP_REFRESH && scn_is_number(scn_peek(l)))
		r->value.lo = (int64_t)scn_number(l, "refuses-refresh", 1, UINT8_MAX);
	else if (r->prop == PROP_REFUSED)
		r->value.lo = scn_operators_read(l);
	r->when = r->prop == PROP_POWER ? moment_read(l) : span_read(l);
}

/* ---- SMSCs ---- */

bool scn_mood_named(const char *word, enum smsc_mood_kind *kind)
{
	for (int i = 0; i < _SMSC_MOODS; i++) {
		if (!strcmp(word, smsc_mood_name((enum smsc_mood_kind)i))) {
			*kind = (enum smsc_mood_kind)i;
			return true;
		}
	}
	return false;
}

static void smscs_read(struct line *l)
{
	struct scn *s = l->scn;

	if (s->door_name[0][0]) {
		scn_wrong(l, s->ops ? "each operator has an SMSC of his own name: leave this line out" :
				      "the SMSCs have been named already");
		return;
	}
	if (s->rules || s->expects)
		scn_wrong(l, "the SMSCs are named before anything is said about them: move this line up");
	s->doors = 0;
	do {
		const char *w = scn_next(l, "the SMSCs' names");
		enum smsc_mood_kind kind;

		if (l->bad)
			return;
		if (strlen(w) >= SCN_NAME_MAX || strspn(w, "abcdefghijklmnopqrstuvwxyz0123456789-_") != strlen(w) ||
		    w[0] < 'a' || w[0] > 'z')
			scn_wrong(l,
				  "\"%.40s\" is no name for an SMSC: up to %d small letters, digits, - and _, a letter "
				  "first",
				  w, SCN_NAME_MAX - 1);
		else if (scn_mood_named(w, &kind) || !strcmp(w, "cut") || !strcmp(w, "no"))
			scn_wrong(l, "\"%s\" is what an SMSC can be, and no name for one", w);
		else if (s->doors == SMSC_DOORS_MAX)
			scn_wrong(l, "at most %d SMSCs", SMSC_DOORS_MAX);
		for (unsigned i = 0; i < s->doors && !l->bad; i++) {
			if (!strcmp(s->door_name[i], w))
				scn_wrong(l, "there is an SMSC \"%s\" already", w);
		}
		if (!l->bad)
			strcpy(s->door_name[s->doors++], w);
	} while (!scn_line_over(l));
}

uint32_t scn_doors_read(struct line *l)
{
	const struct scn *s = l->scn;
	uint32_t mask = 0;
	bool found = true;

	while (found && !scn_line_over(l)) {
		found = false;
		for (unsigned i = 0; i < s->doors && !found; i++) {
			if (s->door_name[i][0] && scn_take(l, s->door_name[i])) {
				mask |= 1u << i;
				found = true;
			}
		}
	}
	return mask ? mask : (1u << s->doors) - 1;
}

/* Whole numbers above 0; "/s" may follow. */
static double rate_read(struct line *l)
{
	const char *w = scn_next(l, "a rate");
	size_t n = strspn(w, "0123456789");

	if (!l->bad && (n == 0 || n > 7 || (w[n] && strcmp(w + n, "/s")) || strtoul(w, NULL, 10) == 0))
		scn_wrong(l, "\"%.40s\" is not a rate like 10/s", w);
	return (double)strtoul(w, NULL, 10);
}

static uint32_t status_read(struct line *l)
{
	const char *w = scn_next(l, "an SMPP status");
	const char *hex = !strncmp(w, "0x", 2) ? w + 2 : w;
	unsigned long v;

	if (l->bad)
		return 0;
	v = strspn(hex, "0123456789abcdefABCDEF") == strlen(hex) && *hex && strlen(hex) <= 7 ? strtoul(hex, NULL, 16) :
											       0;
	if (v == 0)
		scn_wrong(l, "\"%.40s\" is not an SMPP status like 0x0e", w);
	return (uint32_t)v;
}

/* The value that may follow a mood's name. */
static void mood_value(struct line *l, struct smsc_mood *m)
{
	const char *w = scn_peek(l);

	switch (m->kind) {
	case SMSC_FLAKY:
		if (scn_is_share(w))
			m->share_ppm = scn_share(l, "flaky");
		break;
	case SMSC_THROTTLING:
		if (*w >= '0' && *w <= '9')
			m->rate = rate_read(l);
		break;
	case SMSC_SLOW:
		if (*w >= '0' && *w <= '9')
			m->delay_ms = scn_duration_range(l, "slow");
		break;
	case SMSC_REFUSES_BINDS:
		if (*w >= '0' && *w <= '9')
			m->status = status_read(l);
		break;
	default:
		break;
	}
}

static void when_of_smsc(struct line *l, struct scn_rule *r, const char *what)
{
	r->when = span_read(l);
	if (!l->bad && (r->when.from.lo != r->when.from.hi || r->when.len.lo != r->when.len.hi))
		scn_wrong(l, "ranges of time are for cards; for %s say one time", what);
}

static void smsc_read(struct line *l)
{
	struct scn_rule *r = rule_new(l);
	const char *names[_SMSC_MOODS + 1 + SMSC_DOORS_MAX], *w;
	enum smsc_mood_kind kind;
	size_t n = 0;

	r->doors = scn_doors_read(l);
	scn_take(l, "is");
	w = scn_next(l, "what this SMSC is to be");
	if (!strcmp(w, "cut")) {
		r->prop = PROP_CUT;
		r->when = moment_read(l);
		return;
	}
	if (!scn_mood_named(w, &kind)) {
		for (int i = 0; i < _SMSC_MOODS; i++)
			names[n++] = smsc_mood_name((enum smsc_mood_kind)i);
		names[n++] = "cut";
		for (unsigned i = 0; i < l->scn->doors; i++) {
			if (l->scn->door_name[i][0])
				names[n++] = l->scn->door_name[i];
		}
		scn_wrong_word(l, w, "something an SMSC can be", names, n);
		return;
	}
	r->prop = PROP_MOOD;
	smsc_mood_default(&r->mood, kind);
	mood_value(l, &r->mood);
	when_of_smsc(l, r, "an SMSC");
}

static void hlr_read(struct line *l)
{
	struct scn_rule *r = rule_new(l);

	scn_hlr_read(l, r);
	when_of_smsc(l, r, "a register");
}

/* ---- the whole ---- */

static void option_read(struct line *l)
{
	struct scn *s = l->scn;
	const char *name = scn_next(l, "the option's name"), *value;

	scn_take(l, "=");
	value = scn_line_over(l) ? "" : scn_next(l, "");
	if (l->bad)
		return;
	if (strlen(name) >= SCN_NAME_MAX || strlen(value) >= SCN_NAME_MAX)
		scn_wrong(l, "set: names and values have at most %d characters", SCN_NAME_MAX - 1);
	else if (s->options == SCN_OPTIONS_MAX)
		scn_wrong(l, "more than %d \"set\" lines", SCN_OPTIONS_MAX);
	if (l->bad)
		return;
	s->option[s->options].line = l->number;
	strcpy(s->option[s->options].name, name);
	strcpy(s->option[s->options++].value, value);
}

static void begin_read(struct line *l)
{
	static const char *const names[] = { "start", "first-connection" };
	const char *w = scn_next(l, "start or first-connection");

	l->scn->begin_connected = !strcmp(w, names[1]);
	if (!l->scn->begin_connected && strcmp(w, names[0]))
		scn_wrong_word(l, w, "a moment at which time can begin", names, N(names));
}

static void end_read(struct line *l)
{
	static const char *const names[] = { "at", "by" };
	const char *w = scn_next(l, "at or by");

	l->scn->end_exact = !strcmp(w, "at");
	if (strcmp(w, "at") && strcmp(w, "by"))
		scn_wrong_word(l, w, "how a scenario ends", names, N(names));
	l->scn->end_ms = scn_duration(l, "end");
	if (!l->bad && l->scn->end_ms == 0)
		scn_wrong(l, "a scenario lasts longer than 0s");
}

static void statement(struct line *l, const struct scn_given *given)
{
	static const char *const firsts[] = { "scenario", "cards",  "seed",  "smscs", "operator", "set",
					      "group",	  "begin",  "end",   "quiet", "smsc",	  "hlr",
					      "card",	  "expect", "every", "all" };
	struct scn *s = l->scn;
	uint64_t v;

	/* "cards 100" is the fleet's size, "cards 1-100 absent" are some of them */
	if (scn_set_begins(l) && !(l->words == 2 && !strcmp(scn_peek(l), "cards"))) {
		card_read(l);
	} else if (scn_take(l, "smsc")) {
		smsc_read(l);
	} else if (scn_take(l, "hlr")) {
		hlr_read(l);
	} else if (scn_take(l, "operator")) {
		scn_operator_read(l);
	} else if (scn_take(l, "expect")) {
		scn_expect_read(l);
	} else if (scn_take(l, "scenario")) {
		scn_rest(l, s->name, sizeof(s->name), "the scenario's name");
	} else if (scn_take(l, "cards")) {
		v = scn_number(l, "cards", 1, SCN_CARDS_MAX);
		s->cards = given->cards ? given->cards : (uint32_t)v;
	} else if (scn_take(l, "seed")) {
		v = scn_number(l, "seed", 0, 999999999999999999u);
		s->seed = given->has_seed ? given->seed : v;
	} else if (scn_take(l, "smscs")) {
		smscs_read(l);
	} else if (scn_take(l, "set")) {
		option_read(l);
	} else if (scn_take(l, "group")) {
		scn_group_read(l);
	} else if (scn_take(l, "begin")) {
		begin_read(l);
	} else if (scn_take(l, "end")) {
		end_read(l);
	} else if (scn_take(l, "quiet")) {
		s->quiet_ms = scn_duration(l, "quiet");
	} else {
		scn_wrong_word(l, scn_next(l, ""), "how a line begins, nor the name of a group", firsts, N(firsts));
	}
	if (!l->bad && !scn_line_over(l))
		scn_wrong(l, "nothing more was expected here: \"%.40s\"", scn_peek(l));
}

struct scn *scn_empty(uint32_t cards, uint64_t seed)
{
	struct scn *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->cards = cards;
	s->seed = seed;
	s->doors = 1;
	s->sets = 1; /* SCN_ALL */
	s->set[SCN_ALL].but = -1;
	s->end_ms = SCN_NEVER;
	return s;
}

/* Without an "end" line the scenario lasts an hour, or as long as any line needs; with one, every line must fit in. */
static void end_settle(struct line *l)
{
	struct scn *s = l->scn;
	bool given = s->end_ms;

	if (!given)
		s->end_ms = END_DEFAULT_MS;
	for (unsigned i = 0; i < s->rules && !l->bad; i++) {
		const struct sim_range *from = &s->rule[i].when.from;

		l->number = s->rule[i].line;
		if (given && from->lo >= s->end_ms)
			scn_wrong(l, "this is not before the end of the scenario");
		if (!given && from->hi >= s->end_ms)
			s->end_ms = from->hi + END_DEFAULT_MS;
	}
	for (unsigned i = 0; i < s->expects && !l->bad; i++) {
		int64_t by = s->expect[i].by_ms;

		l->number = s->expect[i].line;
		if (given && by != SCN_NEVER && by > s->end_ms)
			scn_wrong(l, "the scenario ends before this can be judged");
		if (!given && by != SCN_NEVER && by > s->end_ms)
			s->end_ms = by;
	}
}

struct scn *scn_parse(const char *file, const char *text, size_t len, const struct scn_given *given,
		      char err[SCN_ERR_MAX])
{
	struct scn *s = scn_empty(given->cards ? given->cards : CARDS_DEFAULT, given->has_seed ? given->seed : 1);
	struct line *l = calloc(1, sizeof(*l));

	err[0] = '\0';
	if (!s || !l) {
		snprintf(err, SCN_ERR_MAX, "%.100s: no memory", file);
		free(l);
		free(s);
		return NULL;
	}
	snprintf(s->file, sizeof(s->file), "%s", file);
	snprintf(s->name, sizeof(s->name), "%.*s", SCN_LINE_MAX, file);
	s->end_ms = 0;
	s->quiet_ms = QUIET_DEFAULT_MS;
	for (unsigned i = 0; i < given->ops; i++)
		scn_operator_add(s, &given->op[i]); /* looked at when it was given */
	l->scn = s;
	l->err = err;
	if (len > SCN_TEXT_MAX)
		scn_wrong(l, "a scenario has at most %u octets", SCN_TEXT_MAX);
	while (len && !l->bad) {
		const char *eol = memchr(text, '\n', len);
		size_t n = eol ? (size_t)(eol - text) : len;

		l->number++;
		if (scn_line_cut(l, text, n) && l->words)
			statement(l, given);
		text += n + (eol != NULL);
		len -= n + (eol != NULL);
	}
	if (!l->bad)
		end_settle(l);
	if (!l->bad)
		scn_sets_resolve(l);
	if (l->bad) {
		scn_free(s);
		s = NULL;
	}
	free(l);
	return s;
}

void scn_free(struct scn *s)
{
	free(s);
}
