/* rules.c - a campaign's rules: read, written back in one form, and applied.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The text comes from an operator or from the store, so every word of it may be wrong, and is answered with the words that
 * would be right.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ota/errtab.h"
#include "ota/link.h"
#include "ota/nearest.h"
#include "rules.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define SECOND_MS   1000LL
#define MINUTE_MS   (60 * SECOND_MS)
#define HOUR_MS	    (60 * MINUTE_MS)
#define DAY_MS	    (24 * HOUR_MS)
#define DAY_MIN	    1440
#define TIME_MAX_MS (3660 * DAY_MS) /* longest time somebody can mean */
#define CARDS_MAX   1000000000u
#define YEAR_MIN    2000
#define YEAR_MAX    2199
#define RULE_QUOTED 48 /* of a rule, in an error */

static const char *const rule_words[] = { "canary", "hold", "abort", "window", "deadline", "priority" };
enum { WORD_CANARY, WORD_HOLD, WORD_ABORT, WORD_WINDOW, WORD_DEADLINE, WORD_PRIORITY, _WORDS };
_Static_assert(ARRAY_SIZE(rule_words) == _WORDS, "every rule has its word");

static const char *const priority_words[] = {
	[PRIORITY_ROLLBACK] = "rollback",
	[PRIORITY_CONFIRM] = "confirm",
	[PRIORITY_CAMPAIGN] = "campaign",
	[PRIORITY_PROBE] = "probe",
};
_Static_assert(ARRAY_SIZE(priority_words) == _PRIORITIES, "every class has its name");

static const char *const what_words[] = {
	[RULE_FAILED] = "failed", [RULE_EXPIRED] = "expired", [RULE_QUARANTINED] = "quarantined",
	[RULE_POR] = "por-",	  [RULE_CLASS] = "class-",
};
_Static_assert(ARRAY_SIZE(what_words) == _RULE_WHATS, "everything counted has its word");

const char *rules_priority_name(uint8_t priority)
{
	return priority < _PRIORITIES ? priority_words[priority] : "?";
}

/* Before what is counted: only while the canary is not behind the campaign. */
static const char canary_scope[] = "canary:";

/* ------------------------------------------------------------------------------------------------ reading */

/* One rule being read. */
struct reading {
	char *err;
	unsigned number;
	char rule[CAMPAIGN_RULES_MAX]; /* as it was written */
};

__attribute__((format(printf, 2, 3))) static int wrong(const struct reading *p, const char *fmt, ...)
{
	int n = snprintf(p->err, RULES_ERR_MAX, "rule %u \"%.*s%s\": ", p->number, RULE_QUOTED, p->rule,
			 strlen(p->rule) > RULE_QUOTED ? "..." : "");
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->err + n, RULES_ERR_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	return -1;
}

/* A word that is none of these. */
static int unknown(const struct reading *p, const char *what, const char *word, const char *const *known, size_t n)
{
	const char *near = nearest_word(word, known, n);
	char list[160] = "";

	for (size_t i = 0; i < n; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "", known[i]);
	return wrong(p, "unknown %s \"%.30s\"%s%s%s; known are %s", what, word, near ? "; did you mean \"" : "",
		     near ? near : "", near ? "\"?" : "", list);
}

/* Digits at *s as a number up to max; moves *s behind them. */
static bool number(const char **s, uint64_t max, uint64_t *out)
{
	const char *at = *s;

	for (*out = 0; isdigit((unsigned char)*at); at++) {
		*out = *out * 10 + (uint64_t)(*at - '0');
		if (*out > max)
			return false;
	}
	if (at == *s)
		return false;
	*s = at;
	return true;
}

/* "5%", "0.25%" in hundredths of a percent, or a plain number of cards. */
static bool amount(const char **s, uint32_t *out, bool *percent)
{
	uint64_t n, part = 0;
	const char *at = *s;
	size_t digits = 0;

	if (!number(&at, CARDS_MAX, &n))
		return false;
	if (*at == '.') {
		const char *from = ++at;

		if (!number(&at, 99, &part))
			return false;
		digits = (size_t)(at - from);
		if (digits > 2 || *at != '%')
			return false;
	}
	*percent = *at == '%';
	if (*percent) {
		at++;
		n = n * 100 + (digits == 1 ? part * 10 : part);
		if (n > RULES_HUNDRED)
			return false;
	}
	*out = (uint32_t)n;
	*s = at;
	return true;
}

static const struct {
	const char *unit;
	int64_t ms;
} units[] = { { "d", DAY_MS }, { "h", HOUR_MS }, { "m", MINUTE_MS }, { "s", SECOND_MS } };

static bool duration(const char *s, int64_t *ms)
{
	uint64_t n;

	if (!number(&s, TIME_MAX_MS / SECOND_MS, &n) || !n)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (!strcmp(s, units[i].unit) && n <= (uint64_t)(TIME_MAX_MS / units[i].ms)) {
			*ms = (int64_t)n * units[i].ms;
			return true;
		}
	return false;
}

static int read_canary(struct rules *r, const struct reading *p, const char *s)
{
	while (r->n_canary < RULES_CANARY_MAX) {
		unsigned i = r->n_canary;

		if (!amount(&s, &r->canary[i].size, &r->canary[i].percent) || !r->canary[i].size)
			return wrong(p, "group %u must be a number of cards or a percentage of them: canary 10,100,5%%",
				     i + 1);
		r->n_canary++;
		if (!*s)
			return 0;
		if (*s++ != ',')
			return wrong(p, "groups are divided by commas: canary 10,100,5%%");
	}
	return wrong(p, "at most %d groups", RULES_CANARY_MAX);
}

static int read_hold(struct rules *r, const struct reading *p, const char *s)
{
	if (duration(s, &r->hold_ms))
		return 0;
	return wrong(p, "\"%.30s\" is no time; write a number and a unit: 30m, 2h, 1d", s);
}

static int class_word(struct rules_abort *a, const struct reading *p, const char *word)
{
	const char *known[_FAIL_CLASSES];
	enum fail_class cls;

	if (errtab_class_of(word, &cls) && cls != FAIL_NONE) {
		a->arg = (uint8_t)cls;
		return 0;
	}
	for (unsigned i = 1; i < _FAIL_CLASSES; i++)
		known[i - 1] = fail_class_name((enum fail_class)i);
	return unknown(p, "class", word, known, _FAIL_CLASSES - 1);
}

static int nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	       c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 :
				      -1;
}

static int abort_word(struct rules_abort *a, const struct reading *p, const char *word)
{
	static const char *const known[] = { "failed", "expired", "quarantined", "por-NN", "class-NAME" };

	for (unsigned i = RULE_FAILED; i < RULE_POR; i++)
		if (!strcmp(word, what_words[i])) {
			a->what = (uint8_t)i;
			return 0;
		}
	if (!strncmp(word, what_words[RULE_POR], 4)) {
		const char *d = word + 4;

		if (strlen(d) != 2 || nibble(d[0]) < 0 || nibble(d[1]) < 0)
			return wrong(p, "\"%.20s\": a PoR status has two hexadecimal digits: por-01", word);
		a->what = RULE_POR;
		a->arg = (uint8_t)(nibble(d[0]) << 4 | nibble(d[1]));
		return 0;
	}
	if (!strncmp(word, what_words[RULE_CLASS], 6)) {
		a->what = RULE_CLASS;
		return class_word(a, p, word + 6);
	}
	return unknown(p, "word", word, known, ARRAY_SIZE(known));
}

static int read_abort(struct rules *r, const struct reading *p, const char *s)
{
	bool canary = !strncmp(s, canary_scope, strlen(canary_scope));
	struct rules_abort a = { .canary = canary };
	char word[RULES_WORDS_MAX];
	size_t len;

	if (r->n_abort == RULES_ABORT_MAX)
		return wrong(p, "at most %d thresholds", RULES_ABORT_MAX);
	s += canary ? strlen(canary_scope) : 0;
	len = strcspn(s, "<>=! ");
	if (len >= sizeof(word))
		return wrong(p, "a threshold is like failed>3%% or por-01>=1");
	memcpy(word, s, len);
	word[len] = '\0';
	if (abort_word(&a, p, word))
		return -1;
	s += len + strspn(s + len, " ");
	if (*s++ != '>')
		return wrong(p, "after \"%s\" there must be > or >= and a number: %s>3%%, %s>=1", word, word, word);
	a.or_equal = *s == '=';
	s += a.or_equal;
	s += strspn(s, " ");
	if (!amount(&s, &a.limit, &a.percent) || *s)
		return wrong(p, "after > or >= there must be a number of cards, or a percentage up to 100%%");
	if (a.or_equal && !a.limit)
		return wrong(p, ">=0 is always so: the campaign could not begin");
	r->abort[r->n_abort++] = a;
	return 0;
}

/* "HH:MM", 24:00 too. */
static bool clock_time(const char **s, uint16_t *min)
{
	uint64_t h, m;

	if (!number(s, 24, &h) || *(*s)++ != ':' || !isdigit((unsigned char)(*s)[0]) ||
	    !isdigit((unsigned char)(*s)[1]) || !number(s, 59, &m) || h * 60 + m > DAY_MIN)
		return false;
	*min = (uint16_t)(h * 60 + m);
	return true;
}

int rules_zone_parse(const char *s, int64_t *tz_min)
{
	int sign = *s == '-' ? -1 : 1, d[4];

	if (!strcmp(s, "utc") || !strcmp(s, "UTC") || !strcmp(s, "Z")) {
		*tz_min = 0;
		return 0;
	}
	if (*s != '+' && *s != '-')
		return -1;
	s++;
	for (unsigned i = 0; i < ARRAY_SIZE(d); i++, s++) {
		if (i == 2 && *s == ':')
			s++;
		if (!isdigit((unsigned char)*s))
			return -1;
		d[i] = *s - '0';
	}
	if (*s || d[2] > 5)
		return -1;
	*tz_min = sign * ((d[0] * 10 + d[1]) * 60 + d[2] * 10 + d[3]);
	return *tz_min < RULES_TZ_MIN || *tz_min > RULES_TZ_MAX ? -1 : 0;
}

static int read_window(struct rules *r, const struct reading *p, const char *s)
{
	int64_t zone;

	r->windowed = true;
	if (!clock_time(&s, &r->open_min) || *s++ != '-' || !clock_time(&s, &r->close_min))
		return wrong(p, "a window is like 01:00-05:00 utc, 22:00-04:00 +01:00 or 01:00-05:00 device");
	if (r->open_min % DAY_MIN == r->close_min % DAY_MIN)
		return wrong(p, "it opens and closes at the same time; to send at any time leave the window out");
	if (r->open_min == DAY_MIN)
		r->open_min = 0;
	s += strspn(s, " ");
	if (!strcmp(s, "device")) {
		r->device = true;
		return 0;
	}
	if (!rules_zone_parse(s, &zone)) {
		r->zone_min = (int16_t)zone;
		return 0;
	}
	return wrong(p,
		     "%s%.30s%s; known are utc, an offset from -12:00 to +14:00, and device (the card's own, column TZ "
		     "of its import); names of zones and summer time are not",
		     *s ? "unknown zone \"" : "which zone?  None is given", s, *s ? "\"" : "");
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
	int64_t era, doy;

	y -= m <= 2;
	era = y / 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + (y - era * 400) * 365 + (y - era * 400) / 4 - (y - era * 400) / 100 + doy - 719468;
}

static int days_in(int64_t y, int64_t m)
{
	static const int8_t len[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = y % 4 == 0 && (y % 100 || y % 400 == 0);

	return m == 2 && leap ? 29 : len[m - 1];
}

/* "2026-12-24", "2026-12-24T22:00Z", "2026-12-24T22:00:00Z" */
static bool date(const char *s, int64_t *ms)
{
	uint64_t y, m, d, sec = 0;
	uint16_t min = 0;

	if (!number(&s, YEAR_MAX, &y) || y < YEAR_MIN || *s++ != '-' || !number(&s, 12, &m) || !m || *s++ != '-' ||
	    !number(&s, 31, &d) || !d || d > (uint64_t)days_in((int64_t)y, (int64_t)m))
		return false;
	if (*s == 'T') {
		s++;
		if (!clock_time(&s, &min) || (*s == ':' && (s++, !number(&s, 59, &sec))) || *s++ != 'Z')
			return false;
	}
	*ms = days_of((int64_t)y, (int64_t)m, (int64_t)d) * DAY_MS + min * MINUTE_MS + (int64_t)sec * SECOND_MS;
	return !*s;
}

static int read_deadline(struct rules *r, const struct reading *p, const char *s)
{
	r->deadline_after = true;
	if (duration(s, &r->deadline_ms))
		return 0;
	r->deadline_after = false;
	if (date(s, &r->deadline_ms))
		return 0;
	return wrong(p,
		     "\"%.30s\" is neither a time from the start (21d, 36h) nor a date in UTC (2026-12-24 or "
		     "2026-12-24T22:00Z)",
		     s);
}

static int read_priority(struct rules *r, const struct reading *p, const char *s)
{
	for (uint8_t i = 0; i < _PRIORITIES; i++)
		if (!strcmp(s, priority_words[i])) {
			r->priority = i;
			return 0;
		}
	return unknown(p, "priority", s, priority_words, _PRIORITIES);
}

static int read_rule(struct rules *r, struct reading *p, unsigned *seen)
{
	static int (*const read[])(struct rules *, const struct reading *, const char *) = {
		[WORD_CANARY] = read_canary, [WORD_HOLD] = read_hold,	      [WORD_ABORT] = read_abort,
		[WORD_WINDOW] = read_window, [WORD_DEADLINE] = read_deadline, [WORD_PRIORITY] = read_priority,
	};
	size_t len = strcspn(p->rule, " ");
	char word[RULES_WORDS_MAX];

	snprintf(word, sizeof(word), "%.*s", (int)len, p->rule);
	for (unsigned i = 0; i < _WORDS; i++) {
		if (strcmp(word, rule_words[i]))
			continue;
		if (i != WORD_ABORT && *seen & 1u << i)
			return wrong(p, "%s was given before", word);
		*seen |= 1u << i;
		return read[i](r, p, p->rule + len + strspn(p->rule + len, " "));
	}
	return unknown(p, "rule", word, rule_words, _WORDS);
}

int rules_parse(struct rules *r, const char *text, char err[RULES_ERR_MAX])
{
	struct reading p = { .err = err };
	unsigned seen = 0;

	*r = (struct rules){ .priority = PRIORITY_CAMPAIGN };
	if (strlen(text) >= CAMPAIGN_RULES_MAX) {
		snprintf(err, RULES_ERR_MAX, "the rules are longer than %d octets", CAMPAIGN_RULES_MAX - 1);
		return -1;
	}
	for (;;) {
		size_t len;

		text += strspn(text, " \t\r\n;");
		if (!*text)
			break;
		len = strcspn(text, ";\r\n");
		memcpy(p.rule, text, len);
		text += len;
		while (p.rule[len - 1] == ' ' || p.rule[len - 1] == '\t')
			len--;
		p.rule[len] = '\0';
		p.number++;
		for (size_t i = 0; i < len; i++) {
			if (p.rule[i] == '\t')
				p.rule[i] = ' ';
			if (p.rule[i] < ' ' || p.rule[i] > '~') {
				snprintf(err, RULES_ERR_MAX, "rule %u: character %zu is none of ASCII", p.number,
					 i + 1);
				return -1;
			}
		}
		if (read_rule(r, &p, &seen))
			return -1;
	}
	if (r->hold_ms && !r->n_canary) {
		snprintf(err, RULES_ERR_MAX,
			 "hold is the wait between canary groups, and there is no canary: canary 10,100");
		return -1;
	}
	for (unsigned i = 0; i < r->n_abort && !r->n_canary; i++)
		if (r->abort[i].canary) {
			snprintf(err, RULES_ERR_MAX,
				 "abort canary:... counts within the canary, and there is no canary: canary 10,100");
			return -1;
		}
	return 0;
}

/* ------------------------------------------------------------------------------------------------ writing */

struct out {
	char *p;
	size_t n, cap;
};

__attribute__((format(printf, 2, 3))) static void put(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->p + o->n, o->cap - o->n, fmt, ap);
	va_end(ap);
	if (n > 0)
		o->n = o->n + (size_t)n < o->cap ? o->n + (size_t)n : o->cap - 1;
}

static void put_amount(struct out *o, uint32_t n, bool percent)
{
	if (!percent)
		put(o, "%u", n);
	else if (n % 100 == 0)
		put(o, "%u%%", n / 100);
	else if (n % 10 == 0)
		put(o, "%u.%u%%", n / 100, n % 100 / 10);
	else
		put(o, "%u.%02u%%", n / 100, n % 100);
}

static void put_duration(struct out *o, int64_t ms)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (ms % units[i].ms == 0) {
			put(o, "%" PRId64 "%s", ms / units[i].ms, units[i].unit);
			return;
		}
}

static void put_date(struct out *o, int64_t ms)
{
	int64_t days = ms / DAY_MS, sec = ms % DAY_MS / SECOND_MS, y = YEAR_MIN, m = 1;

	while (days_of(y + 1, 1, 1) <= days)
		y++;
	while (m < 12 && days_of(y, m + 1, 1) <= days)
		m++;
	put(o, "%04" PRId64 "-%02" PRId64 "-%02" PRId64 "T%02" PRId64 ":%02" PRId64 ":%02" PRId64 "Z", y, m,
	    days - days_of(y, m, 1) + 1, sec / 3600, sec / 60 % 60, sec % 60);
}

void rules_zone_print(int64_t tz_min, char text[RULES_ZONE_MAX])
{
	struct out o = { .p = text, .cap = RULES_ZONE_MAX };
	int zone = tz_min < RULES_TZ_MIN || tz_min > RULES_TZ_MAX ? 0 : (int)(tz_min < 0 ? -tz_min : tz_min);

	if (!zone)
		put(&o, "utc");
	else
		put(&o, "%c%02d:%02d", tz_min < 0 ? '-' : '+', zone / 60, zone % 60);
}

static void put_window(struct out *o, const struct rules *r)
{
	char zone[RULES_ZONE_MAX];

	put(o, "%02u:%02u-%02u:%02u ", r->open_min / 60u, r->open_min % 60u, r->close_min / 60u, r->close_min % 60u);
	rules_zone_print(r->zone_min, zone);
	put(o, "%s", r->device ? "device" : zone);
}

void rules_abort_print(const struct rules_abort *a, char text[RULES_WORDS_MAX])
{
	struct out o = { .p = text, .cap = RULES_WORDS_MAX };

	put(&o, "%s%s", a->canary ? canary_scope : "", what_words[a->what]);
	if (a->what == RULE_POR)
		put(&o, "%02x", a->arg);
	else if (a->what == RULE_CLASS)
		put(&o, "%s", fail_class_name((enum fail_class)a->arg));
	put(&o, "%s", a->or_equal ? ">=" : ">");
	put_amount(&o, a->limit, a->percent);
}

void rules_print(const struct rules *r, char text[CAMPAIGN_RULES_MAX])
{
	struct out o = { .p = text, .cap = CAMPAIGN_RULES_MAX };
	char words[RULES_WORDS_MAX];

	text[0] = '\0';
	for (unsigned i = 0; i < r->n_canary; i++) {
		put(&o, "%s", i ? "," : "canary ");
		put_amount(&o, r->canary[i].size, r->canary[i].percent);
	}
	if (r->hold_ms) {
		put(&o, "; hold ");
		put_duration(&o, r->hold_ms);
	}
	for (unsigned i = 0; i < r->n_abort; i++) {
		rules_abort_print(&r->abort[i], words);
		put(&o, "%sabort %s", o.n ? "; " : "", words);
	}
	if (r->windowed) {
		put(&o, "%swindow ", o.n ? "; " : "");
		put_window(&o, r);
	}
	if (r->deadline_ms) {
		put(&o, "%sdeadline ", o.n ? "; " : "");
		if (r->deadline_after)
			put_duration(&o, r->deadline_ms);
		else
			put_date(&o, r->deadline_ms);
	}
	if (r->priority != PRIORITY_CAMPAIGN)
		put(&o, "%spriority %s", o.n ? "; " : "", rules_priority_name(r->priority));
}

/* ------------------------------------------------------------------------------------------------ canary */

uint64_t rules_group_end(const struct rules *r, unsigned group, uint64_t targets)
{
	uint64_t end = 0;

	if (group >= r->n_canary)
		return targets;
	for (unsigned i = 0; i <= group; i++)
		/* part of a card is a card: a group of none would never end */
		end += r->canary[i].percent ? (targets * r->canary[i].size + RULES_HUNDRED - 1) / RULES_HUNDRED :
					      r->canary[i].size;
	return end < targets ? end : targets;
}

int rules_fit(const struct rules *r, uint64_t targets, char err[RULES_ERR_MAX])
{
	struct out o = { .p = err, .cap = RULES_ERR_MAX };
	uint64_t sum = 0;

	for (unsigned i = 0; i < r->n_canary; i++)
		sum += r->canary[i].percent ? (targets * r->canary[i].size + RULES_HUNDRED - 1) / RULES_HUNDRED :
					      r->canary[i].size;
	if (sum <= targets)
		return 0;
	put(&o, "canary ");
	for (unsigned i = 0; i < r->n_canary; i++) {
		put(&o, "%s", i ? "," : "");
		put_amount(&o, r->canary[i].size, r->canary[i].percent);
	}
	put(&o, " is %" PRIu64 " cards, and the campaign has %" PRIu64 ": take smaller groups", sum, targets);
	return -1;
}

/* ------------------------------------------------------------------------------------------------ time */

static int64_t in_day(int64_t ms)
{
	return (ms % DAY_MS + DAY_MS) % DAY_MS;
}

int64_t rules_window_ms(const struct rules *r)
{
	return r->windowed ? in_day((r->close_min - r->open_min) * MINUTE_MS) : DAY_MS;
}

/* How long ago the window opened last. */
static int64_t since_opening(const struct rules *r, int64_t tz_min, int64_t now_ms)
{
	if (tz_min < RULES_TZ_MIN || tz_min > RULES_TZ_MAX) /* no zone of this earth: a damaged row */
		tz_min = 0;
	return in_day(now_ms + ((r->device ? tz_min : r->zone_min) - r->open_min) * MINUTE_MS);
}

int64_t rules_opening(const struct rules *r, int64_t tz_min, int64_t now_ms)
{
	int64_t since_ms;

	if (!r->windowed)
		return now_ms;
	since_ms = since_opening(r, tz_min, now_ms);
	return since_ms < rules_window_ms(r) ? now_ms : now_ms + DAY_MS - since_ms;
}

int64_t rules_closing(const struct rules *r, int64_t tz_min, int64_t now_ms)
{
	int64_t at_ms = rules_opening(r, tz_min, now_ms);

	return r->windowed ? at_ms + rules_window_ms(r) - since_opening(r, tz_min, at_ms) : INT64_MAX;
}

int64_t rules_deadline(const struct rules *r, int64_t started_ms)
{
	return !r->deadline_ms ? 0 : r->deadline_after ? started_ms + r->deadline_ms : r->deadline_ms;
}

/* ------------------------------------------------------------------------------------------------ thresholds */

/* Where nothing is said of this, and there is room. */
static void complete(struct rules *r, struct rules_abort a)
{
	for (unsigned i = 0; i < r->n_abort; i++)
		if (r->abort[i].what == a.what && r->abort[i].arg == a.arg)
			return;
	if (r->n_abort < RULES_ABORT_MAX)
		r->abort[r->n_abort++] = a;
}

void rules_complete(struct rules *r)
{
	/* what a card says that has other keys than ours: TS 102 225, table 5 */
	static const uint8_t wrong_keys[] = { 0x01, 0x05 };

	for (unsigned i = 0; r->n_canary && i < ARRAY_SIZE(wrong_keys); i++)
		complete(r, (struct rules_abort){ .what = RULE_POR,
						  .arg = wrong_keys[i],
						  .canary = true,
						  .or_equal = true,
						  .limit = 1 });
	complete(r, (struct rules_abort){
			    .what = RULE_CLASS, .arg = FAIL_CONFIG, .percent = true, .limit = RULES_CONFIG_LIMIT });
}

/* Of what a percentage is one. */
static uint32_t sample(const struct rules_abort *a, const struct rules_tally *t)
{
	uint32_t n = a->what == RULE_POR || a->what == RULE_CLASS ? t->heard : t->ended;

	return n > RULES_SAMPLE_MIN ? n : RULES_SAMPLE_MIN;
}

static bool met(const struct rules_abort *a, uint32_t hits, uint32_t of)
{
	uint64_t have = a->percent ? (uint64_t)hits * RULES_HUNDRED : hits;
	uint64_t limit = a->percent ? (uint64_t)of * a->limit : a->limit;

	return a->or_equal ? have >= limit : have > limit;
}

int rules_met(const struct rules *r, const struct rules_tally *t)
{
	for (unsigned i = 0; i < r->n_abort; i++)
		if (met(&r->abort[i], t->hits[i], sample(&r->abort[i], t)))
			return (int)i;
	return -1;
}

int rules_tally_parse(struct rules_tally *t, const char *s)
{
	uint32_t *const to[] = { &t->ended, &t->heard };

	memset(t, 0, sizeof(*t));
	for (unsigned i = 0; *s; i++) {
		uint64_t n;

		if (i == ARRAY_SIZE(to) + RULES_ABORT_MAX || (i && *s++ != ',') || !number(&s, UINT32_MAX, &n))
			return -1;
		*(i < ARRAY_SIZE(to) ? to[i] : &t->hits[i - ARRAY_SIZE(to)]) = (uint32_t)n;
	}
	return 0;
}

void rules_tally_print(const struct rules_tally *t, char text[CAMPAIGN_TALLY_MAX])
{
	struct out o = { .p = text, .cap = CAMPAIGN_TALLY_MAX };

	put(&o, "%u,%u", t->ended, t->heard);
	for (unsigned i = 0; i < RULES_ABORT_MAX; i++)
		put(&o, ",%u", t->hits[i]);
}
