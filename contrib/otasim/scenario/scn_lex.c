/* scn_lex.c - words, numbers and times of a scenario's line, and how it is said what is wrong with them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scn_int.h"

#define NEAR_WORD_MAX 32 /* longer words are not compared */
#define NEAR_MAX      2	 /* typing mistakes that are forgiven, one in three letters */

void scn_wrong(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (l->bad)
		return;
	l->bad = true;
	n = snprintf(l->err, SCN_ERR_MAX, "%.100s:%u: ", l->scn->file, l->number);
	va_start(ap, fmt);
	vsnprintf(l->err + n, SCN_ERR_MAX - (size_t)n, fmt, ap);
	va_end(ap);
}

/* Mistakes between two words: a letter more, less, another, or two swapped. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[3][NEAR_WORD_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > NEAR_WORD_MAX || lb > NEAR_WORD_MAX)
		return NEAR_WORD_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);

			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[la % 3][lb];
}

void scn_unknown(char err[SCN_ERR_MAX], const char *file, unsigned line, const char *word, const char *what,
		 const char *const *words, size_t n)
{
	char list[SCN_ERR_MAX] = "";
	const char *near = NULL;
	size_t forgiven = (strlen(word) + 1) / 3 < NEAR_MAX ? (strlen(word) + 1) / 3 : NEAR_MAX;
	unsigned best = (unsigned)forgiven + 1;

	for (size_t i = 0; i < n; i++) {
		unsigned d = distance(word, words[i]);
		size_t at = strlen(list);

		if (d < best && d < strlen(words[i])) {
			best = d;
			near = words[i];
		}
		snprintf(list + at, sizeof(list) - at, "%s%s", i ? ", " : "", words[i]);
	}
	if (near)
		snprintf(err, SCN_ERR_MAX, "%.100s:%u: \"%.40s\" is not %s; did you mean \"%s\"?", file, line, word,
			 what, near);
	else
		snprintf(err, SCN_ERR_MAX, "%.100s:%u: \"%.40s\" is not %s; there are: %.*s", file, line, word, what,
			 SCN_ERR_MAX - 200, list);
}

void scn_wrong_word(struct line *l, const char *word, const char *what, const char *const *words, size_t n)
{
	if (!l->bad)
		scn_unknown(l->err, l->scn->file, l->number, word, what, words, n);
	l->bad = true;
}

/* ---- words ---- */

static bool is_op(char c)
{
	return c == '<' || c == '>' || c == '=';
}

bool scn_line_cut(struct line *l, const char *p, size_t len)
{
	char *to = l->buf;
	size_t i = 0;

	l->words = l->at = 0;
	l->raw = p;
	l->raw_len = len;
	if (len > SCN_LINE_MAX) {
		scn_wrong(l, "this line has %zu octets; at most %d", len, SCN_LINE_MAX);
		return false;
	}
	for (;;) {
		while (i < len && (p[i] == ' ' || p[i] == '\t' || p[i] == '\r'))
			i++;
		if (i == len || p[i] == '#')
			return true;
		if (l->words == SCN_WORDS_MAX) {
			scn_wrong(l, "more than %d words in a line", SCN_WORDS_MAX);
			return false;
		}
		l->word[l->words++] = to;
		for (bool op = is_op(p[i]); i < len && is_op(p[i]) == op; i++) {
			if (p[i] == ' ' || p[i] == '\t' || p[i] == '\r')
				break;
			if ((unsigned char)p[i] < ' ' || p[i] == 0x7f) {
				scn_wrong(l, "there is a control character in this line");
				return false;
			}
			*to++ = p[i];
		}
		*to++ = '\0';
	}
}

bool scn_line_over(const struct line *l)
{
	return l->bad || l->at >= l->words;
}

const char *scn_peek(const struct line *l)
{
	return scn_line_over(l) ? "" : l->word[l->at];
}

const char *scn_next(struct line *l, const char *what)
{
	if (l->bad)
		return "";
	if (l->at >= l->words) {
		if (l->at)
			scn_wrong(l, "%s is missing after \"%.40s\"", what, l->word[l->at - 1]);
		else
			scn_wrong(l, "%s is missing", what);
		return "";
	}
	return l->word[l->at++];
}

bool scn_take(struct line *l, const char *word)
{
	if (strcmp(scn_peek(l), word))
		return false;
	l->at++;
	return true;
}

void scn_rest(struct line *l, char *out, size_t cap, const char *what)
{
	const char *p = l->raw, *end = p + l->raw_len, *hash = p;

	if (l->bad || l->at == l->words) {
		scn_next(l, what);
		return;
	}
	while ((hash = memchr(hash, '#', (size_t)(end - hash))) && hash[-1] != ' ' && hash[-1] != '\t')
		hash++;
	end = hash ? hash : end;
	for (unsigned i = 0; i < l->at;
	     i++) { /* over the words before: whatever is between them, their octets stand there */
		p += strspn(p, " \t\r");
		p += strlen(l->word[i]);
	}
	p += strspn(p, " \t\r");
	while (end > p && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	snprintf(out, cap, "%.*s", (int)(end - p), p);
	l->at = l->words;
}

void scn_text_add(char *out, size_t cap, const char *word)
{
	size_t at = strlen(out);

	snprintf(out + at, cap - at, "%s%s", at ? " " : "", word);
}

/* ---- numbers ---- */

bool scn_is_number(const char *word)
{
	return *word && strspn(word, "0123456789") == strlen(word);
}

/* Decimal digits at *p, at most 18 of them; false: none or more. */
static bool digits(const char **p, uint64_t *v)
{
	size_t n = strspn(*p, "0123456789");

	if (n == 0 || n > 18)
		return false;
	*v = strtoull(*p, NULL, 10);
	*p += n;
	return true;
}

uint64_t scn_number(struct line *l, const char *what, uint64_t lo, uint64_t hi)
{
	const char *word = scn_next(l, what), *p = word;
	uint64_t v = 0;

	if (l->bad)
		return 0;
	if (!digits(&p, &v) || *p || v < lo || v > hi) {
		scn_wrong(l, "%s: \"%.40s\" is not a number from %llu to %llu", what, word, (unsigned long long)lo,
			  (unsigned long long)hi);
		return 0;
	}
	return v;
}

bool scn_is_share(const char *word)
{
	size_t n = strlen(word);

	return n > 1 && word[n - 1] == '%' && strspn(word, "0123456789.") == n - 1;
}

uint32_t scn_share(struct line *l, const char *what)
{
	const char *word = scn_next(l, what), *p = word;
	uint64_t whole = 0, part = 0;
	unsigned scale = 10000; /* ppm in one percent */

	if (l->bad)
		return 0;
	if (digits(&p, &whole) && *p == '.') {
		for (p++; *p >= '0' && *p <= '9' && scale > 1; p++) {
			scale /= 10;
			part += (uint64_t)(*p - '0') * scale;
		}
	}
	if (p == word || strcmp(p, "%") || whole > 100 || whole * 10000 + part > SIM_PPM) {
		scn_wrong(l, "%s: \"%.40s\" is not a share like 10%% or 0.5%%", what, word);
		return 0;
	}
	return (uint32_t)(whole * 10000 + part);
}

/* ---- times ---- */

static const struct {
	const char *name;
	int64_t ms;
} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
#define UNITS (sizeof(units) / sizeof(units[0]))

/* "1h30m", "500ms", "0"; up to end.  A lone number takes its unit from `lent` (0: none).  -1: not a time, -2: too long. */
static int64_t time_of(const char *p, const char *end, int64_t lent, int64_t *unit)
{
	int64_t sum = 0;
	size_t last = UNITS;

	if (p == end)
		return -1;
	while (p < end) {
		size_t u = UNITS;
		uint64_t v;

		if (*p < '0' || *p > '9' || !digits(&p, &v))
			return -1;
		if (p == end && last == UNITS && (v == 0 || lent)) {
			u = 0;
			*unit = v ? lent : 1;
		} else {
			for (size_t i = 0; i < UNITS; i++) {
				size_t n = strlen(units[i].name);

				if ((size_t)(end - p) >= n && !strncmp(p, units[i].name, n) &&
				    (p + n == end || (p[n] >= '0' && p[n] <= '9')))
					u = i;
			}
			if (u >= last) /* none, or not smaller than the one before */
				return -1;
			p += strlen(units[u].name);
			*unit = units[u].ms;
		}
		if (v > (uint64_t)(SCN_TIME_MAX_MS / *unit))
			return -2;
		sum += (int64_t)v * *unit;
		last = u;
	}
	return sum > SCN_TIME_MAX_MS ? -2 : sum;
}

static bool time_fits(struct line *l, const char *what, const char *word, int64_t ms)
{
	if (ms == -2)
		scn_wrong(l, "%s: \"%.40s\" is more than a year", what, word);
	else if (ms < 0)
		scn_wrong(l, "%s: \"%.40s\" is not a time like 30s, 5m, 1h30m or 2d", what, word);
	return ms >= 0;
}

int64_t scn_duration(struct line *l, const char *what)
{
	const char *word = scn_next(l, what);
	int64_t unit, ms = 0;

	if (!l->bad) {
		ms = time_of(word, word + strlen(word), 0, &unit);
		if (!time_fits(l, what, word, ms))
			ms = 0;
	}
	return ms;
}

struct sim_range scn_duration_range(struct line *l, const char *what)
{
	const char *word = scn_next(l, what), *dots = strstr(word, ".."), *end = word + strlen(word);
	struct sim_range r = { 0, 0 };
	int64_t unit = 0, ignored;

	if (l->bad)
		return r;
	r.hi = time_of(dots ? dots + 2 : word, end, 0, &unit);
	r.lo = dots && r.hi >= 0 ? time_of(word, dots, unit, &ignored) : r.hi;
	if (!time_fits(l, what, word, r.hi < 0 ? r.hi : r.lo))
		return (struct sim_range){ 0, 0 };
	if (r.lo > r.hi)
		scn_wrong(l, "%s: \"%.40s\" goes backwards", what, word);
	return r;
}

const char *scn_time_text(char out[SCN_TIME_TEXT_MAX], int64_t ms)
{
	size_t at = 0;

	if (ms == SCN_NEVER)
		return "never";
	if (ms <= 0)
		return "0s";
	out[0] = '\0';
	for (size_t i = UNITS; i-- > 0;) {
		if (ms < units[i].ms)
			continue;
		at += (size_t)snprintf(out + at, SCN_TIME_TEXT_MAX - at, "%lld%s", (long long)(ms / units[i].ms),
				       units[i].name);
		ms %= units[i].ms;
	}
	return out;
}
