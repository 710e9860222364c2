/* scn_parse.c - reads a scenario: one line, one sentence; every mistake is told with file and line.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "scn.h"

#define NAMES(...) ((const char *const[]){ __VA_ARGS__, NULL })

struct reader {
	struct scn *scn;
	unsigned line, step;
	char *word[SCN_WORDS_MAX];
	unsigned n, at; /* words, the next one */
	bool running;	/* something has happened already: no more of the fleet */
	bool finished;
	struct scn_stmt *st;
};

/* ------------------------------------------------------------------------------------------------ words */

static int bad(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int bad(struct reader *r, const char *fmt, ...)
{
	struct scn *scn = r->scn;
	va_list ap;
	int n;

	if (scn->err[0])
		return -1;
	n = snprintf(scn->err, sizeof(scn->err), "%s:%u: ", scn->path, r->line);
	va_start(ap, fmt);
	vsnprintf(scn->err + n, sizeof(scn->err) - (size_t)n, fmt, ap);
	va_end(ap);
	return -1;
}

static const char *peek(const struct reader *r)
{
	return r->at < r->n ? r->word[r->at] : NULL;
}

static bool take(struct reader *r, const char *word)
{
	if (!peek(r) || strcasecmp(peek(r), word))
		return false;
	r->at++;
	return true;
}

static int need(struct reader *r, const char *word)
{
	if (take(r, word))
		return 0;
	return bad(r, "'%s' is missing%s%s", word, peek(r) ? " before " : " at the end", peek(r) ? peek(r) : "");
}

/* One of these words: its place in the list. */
static int choose(struct reader *r, const char *of_what, const char *const names[])
{
	char all[200] = "";

	for (int i = 0; names[i]; i++) {
		if (take(r, names[i]))
			return i;
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? ", " : "", names[i]);
	}
	return bad(r, "%s %s: expected one of %s", of_what, peek(r) ? peek(r) : "(nothing)", all);
}

static int number(struct reader *r, const char *of_what, int64_t lo, int64_t hi, int64_t *out)
{
	const char *w = peek(r);
	char *end;
	long long v;

	errno = 0;
	v = w ? strtoll(w, &end, 10) : 0;
	if (!w || errno || end == w || *end || v < lo || v > hi)
		return bad(r, "%s %s: expected a number from %lld to %lld", of_what, w ? w : "(nothing)", (long long)lo,
			   (long long)hi);
	r->at++;
	*out = v;
	return 0;
}

/* Seconds, with a fraction if wanted, as milliseconds. */
static int seconds(struct reader *r, const char *of_what, int64_t *ms)
{
	const char *w = peek(r);
	char *end;
	double v;

	v = w ? strtod(w, &end) : 0;
	if (!w || end == w || *end || !(v >= -1e7) || v > 1e7)
		return bad(r, "%s %s: expected seconds", of_what, w ? w : "(nothing)");
	r->at++;
	*ms = (int64_t)(v * 1000 + (v < 0 ? -0.5 : 0.5));
	return 0;
}

static int card_number(struct reader *r, unsigned *card)
{
	int64_t n;

	if (number(r, "card", 1, r->scn->sc.cards, &n))
		return -1;
	*card = (unsigned)n - 1;
	return 0;
}

/* ------------------------------------------------------------------------------------------------ PROFILE, POLICY */

enum kind { K_BOOL, K_NOT, K_U8, K_U16, K_U32, K_UNSIGNED, K_U64_MS, K_U32_MS, K_I64_MS, K_RANGE_MS, K_DOUBLE };
struct setting {
	const char *name;
	enum kind kind;
	size_t at; /* in struct scenario */
};
#define AT(field) offsetof(struct scenario, field)

static const struct setting profile_settings[] = {
	{ "silent-errors", K_BOOL, AT(card.silent_errors) },
	{ "refresh", K_NOT, AT(card.no_refresh) },
	{ "refresh-after", K_RANGE_MS, AT(air.refresh_ms) },
	{ "interim-0b", K_BOOL, AT(card.interim_0b) },
	{ "wrong-keys", K_UNSIGNED, AT(wrong_keys) },
	{ "denied", K_UNSIGNED, AT(denied) },
	{ "by-imsi", K_BOOL, AT(by_imsi) },
	{ "receipts", K_BOOL, AT(gw.want_report) },
	{ "from-imsi", K_BOOL, AT(air.from_imsi) },
	{ "latency", K_RANGE_MS, AT(air.latency_ms) },
	{ "validity", K_I64_MS, AT(air.validity_ms) },
	{ "up-retry", K_I64_MS, AT(air.up_retry_ms) },
	{ "up-tries", K_U32, AT(air.up_tries_max) },
	{ "window", K_UNSIGNED, AT(window) },
	{ "rate", K_DOUBLE, AT(rate) },
	{ "response", K_I64_MS, AT(response_ms) },
	{ "commit", K_RANGE_MS, AT(commit_ms) },
	{ "read", K_RANGE_MS, AT(read_ms) },
	{ NULL },
};
static const struct setting policy_settings[] = {
	{ "por-timeout", K_U32_MS, AT(gw.retry.por_timeout_ms) },
	{ "first", K_U32_MS, AT(gw.retry.first_ms) },
	{ "max", K_U32_MS, AT(gw.retry.max_ms) },
	{ "jitter", K_U8, AT(gw.retry.jitter_pct) },
	{ "attempts", K_U16, AT(gw.retry.attempts_max) },
	{ "busy", K_U32_MS, AT(gw.retry.busy_ms) },
	{ "congest", K_U32_MS, AT(gw.retry.congest_ms) },
	{ "mem", K_U32_MS, AT(gw.retry.mem_ms) },
	{ "hint", K_U32_MS, AT(gw.retry.hint_ms) },
	{ "silent", K_U8, AT(gw.retry.silent_max) },
	{ "probes", K_U8, AT(gw.retry.probes_max) },
	{ "scripts", K_U8, AT(gw.retry.scripts_max) },
	{ "deadline", K_U64_MS, AT(gw.retry.deadline_ms) },
	{ NULL },
};

static int set_bool(struct reader *r, bool *out, bool negate)
{
	int yes = choose(r, "value", NAMES("no", "yes"));

	*out = negate ? yes == 0 : yes == 1;
	return yes < 0 ? -1 : 0;
}

static int set_one(struct reader *r, const struct setting *s)
{
	void *at = (uint8_t *)&r->scn->sc + s->at;
	int64_t v = 0;

	switch (s->kind) {
	case K_BOOL:
	case K_NOT:
		return set_bool(r, at, s->kind == K_NOT);
	case K_U8:
		if (number(r, s->name, 0, UINT8_MAX, &v))
			return -1;
		*(uint8_t *)at = (uint8_t)v;
		return 0;
	case K_U16:
		if (number(r, s->name, 0, UINT16_MAX, &v))
			return -1;
		*(uint16_t *)at = (uint16_t)v;
		return 0;
	case K_U32:
	case K_UNSIGNED:
		if (number(r, s->name, 0, 1000000, &v))
			return -1;
		*(uint32_t *)at = (uint32_t)v;
		return 0;
	case K_DOUBLE:
		if (number(r, s->name, 0, 1000000, &v))
			return -1;
		*(double *)at = (double)v;
		return 0;
	case K_U64_MS:
	case K_U32_MS:
	case K_I64_MS:
	case K_RANGE_MS:
		break;
	}
	if (seconds(r, s->name, &v))
		return -1;
	if (v < 0 || (s->kind == K_U32_MS && v > UINT32_MAX))
		return bad(r, "%s: out of range", s->name);
	if (s->kind == K_U32_MS)
		*(uint32_t *)at = (uint32_t)v;
	else if (s->kind == K_RANGE_MS)
		*(struct sim_range *)at = (struct sim_range){ v, v };
	else
		*(int64_t *)at = v; /* U64_MS alike */
	return 0;
}

static int set_from(struct reader *r, const struct setting *list)
{
	for (; list->name; list++)
		if (take(r, list->name))
			return set_one(r, list);
	return bad(r, "unknown setting '%s'", peek(r) ? peek(r) : "(nothing)");
}

/* Those that are not simply a number. */
static int set_profile(struct reader *r)
{
	struct scenario *sc = &r->scn->sc;
	int i;

	if (take(r, "alg")) {
		i = peek(r) ? sim_alg_parse(peek(r)) : -1;
		if (i < 0)
			return bad(r, "alg %s: expected 3des2, 3des3, aes128 ...", peek(r) ? peek(r) : "(nothing)");
		r->at++;
		sc->alg = sc->card.alg = (enum sim_alg)i;
		return 0;
	}
	if (take(r, "por")) {
		i = choose(r, "por", NAMES("report", "submit"));
		sc->spi[1] = i ? 0x39 : 0x19;
		sc->gw.want_report = i == 0;
		return i < 0 ? -1 : 0;
	}
	if (take(r, "counter")) {
		i = choose(r, "counter", NAMES("higher", "exact"));
		sc->spi[0] = i ? 0x1e : 0x16;
		return i < 0 ? -1 : 0;
	}
	if (take(r, "replay")) {
		i = choose(r, "replay", NAMES("02", "06", "silent", "06-secured"));
		sc->card.replay = (enum sim_replay)i;
		return i < 0 ? -1 : 0;
	}
	if (take(r, "smsc")) {
		i = choose(r, "smsc", NAMES("transaction", "store"));
		sc->air.mode = (enum sim_air_mode)i;
		return i < 0 ? -1 : 0;
	}
	if (take(r, "alerts")) {
		i = choose(r, "alerts", NAMES("always", "pending", "off"));
		sc->air.alert = (enum sim_alert_mode)i;
		return i < 0 ? -1 : 0;
	}
	if (take(r, "links")) {
		int64_t n;

		if (number(r, "links", 1, SIM_LINKS_MAX, &n))
			return -1;
		sc->links = (unsigned)n;
		return 0;
	}
	return set_from(r, profile_settings);
}

static int p_profile(struct reader *r)
{
	r->st->verb = SCN_SET;
	do {
		if (set_profile(r))
			return -1;
	} while (peek(r));
	return 0;
}

static int p_policy(struct reader *r)
{
	r->st->verb = SCN_SET;
	do {
		if (set_from(r, policy_settings))
			return -1;
	} while (peek(r));
	return 0;
}

static int p_cards(struct reader *r)
{
	int64_t n;

	r->st->verb = SCN_CARDS;
	if (number(r, "CARDS", 1, SIM_CARDS_MAX, &n))
		return -1;
	r->scn->sc.cards = (unsigned)n;
	return 0;
}

static int p_every(struct reader *r)
{
	r->st->verb = SCN_EVERY_CRASH;
	r->scn->every_crash = true;
	return need(r, "CRASH");
}

/* ------------------------------------------------------------------------------------------------ what happens */

static int p_time(struct reader *r)
{
	if (take(r, "UNTIL")) {
		r->st->verb = SCN_TIME_TO_DUE;
		return need(r, "DUE");
	}
	r->st->verb = SCN_TIME_PASSES;
	if (seconds(r, "TIME_PASSES", &r->st->n))
		return -1;
	return r->st->n < 0 ? bad(r, "time does not go back; see CLOCK") : 0;
}

static int p_card(struct reader *r)
{
	int i;

	if (card_number(r, &r->st->card))
		return -1;
	i = choose(r, "CARD",
		   NAMES("ABSENT", "PRESENT", "POWER_CYCLE", "TAKES", "MEMORY_FULL", "BUSY", "IGNORES", "SILENT"));
	if (i < 0)
		return -1;
	r->st->verb = i < 2 ? SCN_CARD_COVER : i == 2 ? SCN_CARD_POWER_CYCLE : SCN_CARD_TAKING;
	if (i < 2)
		r->st->what = i ? SIM_COVERAGE_PRESENT : SIM_COVERAGE_ABSENT;
	else if (i > 2)
		r->st->what = SIM_TAKES + (i - 3);
	return 0;
}

/* next [N] ..., or every: how many times the rule holds; 0 is for ever. */
static int how_often(struct reader *r)
{
	r->st->n = 1;
	if (take(r, "every")) {
		r->st->n = 0;
		return 0;
	}
	if (need(r, "next"))
		return -1;
	if (peek(r) && isdigit((unsigned char)*peek(r)))
		return number(r, "count", 1, 1000, &r->st->n);
	return 0;
}

static int air_down(struct reader *r)
{
	int64_t seg = 0;

	r->st->action = SCN_AIR_LOSE;
	r->st->what = SCN_SEGMENT;
	if (take(r, "segment")) {
		if (number(r, "segment", 1, OTA_SEGMENTS_MAX, &seg))
			return -1;
		r->st->op = (int)seg;
		r->st->n = 1;
		return 0;
	}
	if (how_often(r))
		return -1;
	return need(r, "segment"); /* any one */
}

static int p_air(struct reader *r)
{
	int i;

	r->st->verb = SCN_AIR;
	r->st->card = SCN_EVERY_CARD;
	if (take(r, "release")) {
		r->st->verb = SCN_AIR_RELEASE;
		return 0;
	}
	if (take(r, "clear")) {
		r->st->verb = SCN_AIR_CLEAR;
		return 0;
	}
	if (take(r, "lose")) {
		if (air_down(r))
			return -1;
	} else {
		i = choose(r, "AIR", NAMES("drop", "hold", "double", "split", "split-reversed", "split-hold"));
		if (i < 0)
			return -1;
		r->st->action = SCN_AIR_DROP + i;
		if (how_often(r))
			return -1;
		i = choose(r, "AIR", NAMES("message", "PoR", "MO", "receipt"));
		if (i < 0)
			return -1;
		r->st->what = SCN_ANY_UP + i;
	}
	if (take(r, "of"))
		return need(r, "card") ? -1 : card_number(r, &r->st->card);
	return 0;
}

static int p_smsc(struct reader *r)
{
	static const char *const classes[] = { "ABSENT",    "BUSY",	      "CONGEST",     "MEM",
					       "LINK",	    "CARD-TRANSIENT", "CARD-RESYNC", "CARD-PERM",
					       "SUBS-PERM", "CONFIG",	      "UNKNOWN",     NULL };
	int i;

	r->st->verb = SCN_SMSC;
	r->st->card = SCN_EVERY_CARD;
	if (take(r, "ignores")) {
		r->st->what = FAIL_NONE;
	} else {
		if (need(r, "answers"))
			return -1;
		i = choose(r, "SMSC answers", classes);
		if (i < 0)
			return -1;
		r->st->what = FAIL_ABSENT + i;
	}
	r->st->n = 1;
	if (peek(r) && isdigit((unsigned char)*peek(r))) {
		if (number(r, "times", 1, 1000, &r->st->n))
			return -1;
		return need(r, "times");
	}
	return 0;
}

static int p_link(struct reader *r)
{
	int64_t n;
	int i;

	r->st->verb = SCN_LINK;
	if (number(r, "LINK", 1, r->scn->sc.links, &n))
		return -1;
	r->st->n = n - 1;
	i = choose(r, "LINK", NAMES("DOWN", "UP"));
	r->st->what = i;
	return i < 0 ? -1 : 0;
}

static int p_store(struct reader *r)
{
	static const int errors[] = { STORE_E_BUSY, STORE_E_FULL, STORE_E_IO };
	int i;

	r->st->verb = SCN_STORE;
	if (take(r, "works"))
		return 0;
	if (take(r, "takes"))
		return seconds(r, "STORE takes", &r->st->n);
	if (need(r, "fails"))
		return -1;
	i = choose(r, "STORE fails", NAMES("busy", "full", "io"));
	if (i < 0)
		return -1;
	r->st->what = errors[i];
	return 0;
}

static int p_clock(struct reader *r)
{
	r->st->verb = SCN_CLOCK;
	return seconds(r, "CLOCK", &r->st->n);
}

static int p_alert(struct reader *r)
{
	r->st->verb = SCN_ALERT;
	return card_number(r, &r->st->card);
}

static int p_crash(struct reader *r)
{
	int i;

	r->st->verb = SCN_CRASH;
	if (!take(r, "AT"))
		return 0;
	r->st->verb = SCN_CRASH_AT;
	i = choose(r, "CRASH AT",
		   NAMES("commit-before", "commit-after", "commit-done", "submit", "answer", "fetch", "query"));
	if (i < 0)
		return -1;
	r->st->what = CRASH_COMMIT_BEFORE + i;
	r->st->n = 1;
	return peek(r) ? number(r, "CRASH AT", 1, 1000, &r->st->n) : 0;
}

static int p_restart(struct reader *r)
{
	r->st->verb = SCN_RESTART;
	return 0;
}

static int p_backup(struct reader *r)
{
	r->st->verb = SCN_BACKUP;
	return 0;
}

static int p_restore(struct reader *r)
{
	r->st->verb = SCN_RESTORE;
	take(r, "backup");
	return 0;
}

static int p_campaign(struct reader *r)
{
	int i = choose(r, "CAMPAIGN", NAMES("START", "PAUSE", "CANCEL"));

	r->st->verb = SCN_VERB;
	r->st->what = CAMPAIGN_VERB_START + i;
	return i < 0 ? -1 : 0;
}

/* ------------------------------------------------------------------------------------------------ what must be */

static const char *const what_names[] = {
	[SCN_TXN] = "txn",	     [SCN_CMD] = "cmd",	      [SCN_CLASS] = "class",
	[SCN_REASON] = "reason",     [SCN_IMSI] = "imsi",     [SCN_SHOWS] = "shows",
	[SCN_ALARM] = "alarm",	     [SCN_RUNS] = "runs",     [SCN_PACKETS] = "packets",
	[SCN_SEGMENTS] = "segments", [SCN_CNTRS] = "cntrs",   [SCN_REFS] = "refs",
	[SCN_SCRIPTS] = "scripts",   [SCN_PROBES] = "probes", [SCN_ATTEMPTS] = "attempts",
	[SCN_EVIDENCE] = "evidence", [SCN_LIVES] = "lives",   [SCN_EPOCHS] = "epochs",
	[_SCN_WHATS] = NULL,
};
static const char *const op_names[] = { "=", "!=", "<", "<=", ">", ">=", NULL };

const char *scn_what_name(int what)
{
	return what_names[what];
}

const char *scn_op_name(int op)
{
	return op_names[op];
}

/* A state by its name, as the report has it. */
static int state(struct reader *r, const char *of_what, const char *(*name)(uint8_t s), unsigned n)
{
	char all[160] = "";

	for (unsigned i = 0; i < n; i++) {
		if (take(r, name((uint8_t)i)))
			return (int)i;
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? ", " : "", name((uint8_t)i));
	}
	return bad(r, "%s %s: expected one of %s", of_what, peek(r) ? peek(r) : "(nothing)", all);
}

static const char *class_name(uint8_t c)
{
	return fail_class_name((enum fail_class)c);
}

static int check_words(struct reader *r)
{
	struct scn_stmt *st = r->st;
	int i = 0;

	switch (st->what) {
	case SCN_TXN:
		i = state(r, "txn", txn_state_name, _TXN_STATES);
		break;
	case SCN_CMD:
		i = state(r, "cmd", cmd_state_name, _CMD_STATES);
		break;
	case SCN_CLASS:
		i = state(r, "class", class_name, _FAIL_CLASSES);
		break;
	case SCN_IMSI:
	case SCN_SHOWS:
		i = choose(r, scn_what_name(st->what), NAMES("old", "new"));
		break;
	case SCN_ALARM:
		i = choose(r, "alarm", NAMES("no", "yes"));
		break;
	case SCN_REASON:
		while (peek(r) && strlen(st->text) + strlen(peek(r)) + 2 < sizeof(st->text)) {
			strcat(st->text, st->text[0] ? " " : "");
			strcat(st->text, peek(r));
			r->at++;
		}
		if (!st->text[0])
			i = bad(r, "reason: words that it must contain are missing");
		break;
	default:
		i = choose(r, "comparison", op_names);
		st->op = i;
		return i < 0 ? -1 : number(r, scn_what_name(st->what), 0, 1000000, &st->n);
	}
	st->n = i;
	return i < 0 ? -1 : 0;
}

static int p_check(struct reader *r)
{
	struct scn_stmt *st = r->st;

	st->verb = SCN_CHECK;
	st->what = choose(r, "CHECK", what_names);
	if (st->what < 0)
		return -1;
	st->card = SCN_EVERY_CARD;
	if (st->what == SCN_ALARM || st->what == SCN_LIVES || st->what == SCN_EPOCHS)
		;
	else if (!take(r, "each") && card_number(r, &st->card))
		return -1;
	return check_words(r);
}

static int p_within(struct reader *r)
{
	if (seconds(r, "WITHIN", &r->st->within_ms) || need(r, "CHECK"))
		return -1;
	return p_check(r);
}

static int p_finish(struct reader *r)
{
	r->st->verb = SCN_FINISH;
	r->finished = true;
	return need(r, "WITHIN") ? -1 : seconds(r, "FINISH WITHIN", &r->st->within_ms);
}

/* ------------------------------------------------------------------------------------------------ lines */

static const struct {
	const char *word;
	int (*parse)(struct reader *r);
	bool before; /* of the fleet: before anything happens */
} verbs[] = {
	{ "CARDS", p_cards, true },	 { "PROFILE", p_profile, true },    { "POLICY", p_policy, true },
	{ "EVERY", p_every, true },	 { "TIME_PASSES", p_time, false },  { "CARD", p_card, false },
	{ "AIR", p_air, false },	 { "SMSC", p_smsc, false },	    { "LINK", p_link, false },
	{ "STORE", p_store, false },	 { "CLOCK", p_clock, false },	    { "ALERT", p_alert, false },
	{ "CRASH", p_crash, false },	 { "RESTART", p_restart, false },   { "BACKUP", p_backup, false },
	{ "RESTORE", p_restore, false }, { "CAMPAIGN", p_campaign, false }, { "CHECK", p_check, false },
	{ "WITHIN", p_within, false },	 { "FINISH", p_finish, false },
};

static int step_number(struct reader *r)
{
	int64_t n;

	if (!take(r, "STEP"))
		return 0;
	if (number(r, "STEP", 1, 1000000, &n))
		return -1;
	if (n <= r->step)
		return bad(r, "STEP %lld does not come after STEP %u", (long long)n, r->step);
	r->step = (unsigned)n;
	return 0;
}

static int sentence(struct reader *r)
{
	struct scn *scn = r->scn;

	if (step_number(r))
		return -1;
	if (r->finished)
		return bad(r, "nothing comes after FINISH");
	if (scn->n == SCN_STMTS_MAX)
		return bad(r, "more than %d sentences", SCN_STMTS_MAX);
	r->st = &scn->stmt[scn->n];
	*r->st = (struct scn_stmt){ .line = r->line, .step = r->step };
	for (unsigned i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (!take(r, verbs[i].word))
			continue;
		if (verbs[i].before && r->running)
			return bad(r, "%s must stand before anything happens", verbs[i].word);
		r->running = r->running || !verbs[i].before;
		if (verbs[i].parse(r))
			return -1;
		if (peek(r))
			return bad(r, "'%s' is too much here", peek(r));
		scn->n++;
		return 0;
	}
	return bad(r, "unknown word '%s'", peek(r) ? peek(r) : "(nothing)");
}

static int line_read(struct reader *r, char *line)
{
	char *save = NULL, *hash = strchr(line, '#');

	if (hash)
		*hash = '\0';
	r->n = r->at = 0;
	for (char *w = strtok_r(line, " \t\r\n", &save); w; w = strtok_r(NULL, " \t\r\n", &save)) {
		if (r->n == SCN_WORDS_MAX)
			return bad(r, "more than %d words", SCN_WORDS_MAX);
		r->word[r->n++] = w;
	}
	return r->n ? sentence(r) : 0;
}

int scn_parse(struct scn *scn, const char *path)
{
	struct reader r = { .scn = scn };
	char line[SCN_LINE_MAX];
	FILE *f = fopen(path, "r");

	memset(scn, 0, sizeof(*scn));
	snprintf(scn->path, sizeof(scn->path), "%s", path);
	scenario_written(&scn->sc);
	if (!f) {
		snprintf(scn->err, sizeof(scn->err), "%.200s: %s", path, strerror(errno));
		return -1;
	}
	while (!scn->err[0] && fgets(line, sizeof(line), f)) {
		r.line++;
		if (!strchr(line, '\n') && !feof(f))
			bad(&r, "a line longer than %d characters", SCN_LINE_MAX - 2);
		else
			(void)line_read(&r, line); /* the sentence is in err */
	}
	fclose(f);
	scn->sc.gw.address_by_imsi = scn->sc.by_imsi;
	if (!scn->err[0] && !r.finished)
		bad(&r, "the scenario does not FINISH");
	return scn->err[0] ? -1 : 0;
}
