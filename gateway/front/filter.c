/* filter.c - which cards of a list are meant: "lastseen<30d and iccid=8988* and kvn=1" becomes a filter of the store.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A conjunction and nothing more: who needs "or" makes two campaigns, or a list.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ota/nearest.h"
#include "api_int.h"
#include "config_int.h"

#define TERM_MAX 64

static const char *const field_words[] = {
	[STORE_F_ICCID] = "iccid", [STORE_F_IMSI] = "imsi", [STORE_F_MSISDN] = "msisdn", [STORE_F_PROFILE] = "profile",
	[STORE_F_KVN] = "kvn",	   [STORE_F_ALG] = "alg",   [STORE_F_SEEN] = "lastseen",
};
static const char *const op_words[] = { [STORE_IS] = "=",    [STORE_NOT] = "!=",  [STORE_BELOW] = "<",
					[STORE_UPTO] = "<=", [STORE_FROM] = ">=", [STORE_ABOVE] = ">" };

struct reading {
	char *why;
	size_t cap;
	size_t column;	     /* where the term begins, from 1 */
	char term[TERM_MAX]; /* as it was written */
};

__attribute__((format(printf, 2, 3))) static int wrong(const struct reading *p, const char *fmt, ...)
{
	int n = snprintf(p->why, p->cap, "filter, column %zu \"%s\": ", p->column, p->term);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why + n, p->cap - (size_t)n, fmt, ap);
	va_end(ap);
	return -1;
}

static int read_digits(struct store_term *t, const struct reading *p, const char *v)
{
	size_t n = strspn(v, "0123456789");
	bool part = v[n] == '*';

	if (t->op != STORE_IS && t->op != STORE_NOT)
		return wrong(p, "%s takes = or !=; for a range of ICCIDs there is range", field_words[t->field]);
	if ((!n && !part) || n > ICCID_DIGITS_MAX || v[n + part])
		return wrong(p, "\"%.24s\" must be digits, or the first ones and a star: %s=8988*", v,
			     field_words[t->field]);
	if (part)
		t->op = t->op == STORE_IS ? STORE_BEGINS : STORE_BEGINS_NOT;
	memcpy(t->text, v, n);
	return 0;
}

static int read_profile(struct store_term *t, const struct reading *p, const char *v)
{
	if ((t->op != STORE_IS && t->op != STORE_NOT) || (*v && !name_ok(v, sizeof(t->text))))
		return wrong(p, "a profile is like profile=usim-rfm or profile!=usim-rfm, as the card's import said; "
				"profile= alone: it did not say");
	snprintf(t->text, sizeof(t->text), "%s", v);
	return 0;
}

static int read_kvn(struct store_term *t, const struct reading *p, const char *v)
{
	char *end;

	t->number = strtol(v, &end, 10);
	if ((t->op == STORE_IS || t->op == STORE_NOT) && isdigit((unsigned char)*v) && !*end && t->number >= 1 &&
	    t->number <= 15)
		return 0;
	return wrong(p, "a key version is like kvn=1 or kvn!=1, from 1 to 15");
}

static int read_alg(struct store_term *t, const struct reading *p, const char *v)
{
	static const char *const algs[] = { "3des2", "3des3", "aes", "aes128", "aes192", "aes256", "des" };
	const char *near = nearest_word(v, algs, ARRAY_SIZE(algs));
	size_t octets = 0;
	int alg = ks_alg_parse(v, &octets);

	if (alg >= 0 && (t->op == STORE_IS || t->op == STORE_NOT)) {
		t->number = STORE_ALG(alg, octets);
		return 0;
	}
	return wrong(p,
		     "unknown algorithm \"%.20s\"%s%s%s; known are 3des2, 3des3, aes, aes128, aes192, aes256, des, "
		     "after = or !=",
		     v, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* An age: what was seen less than so long ago was seen later than now less that. */
static int read_seen(struct store_term *t, const struct reading *p, const char *v, int64_t now_ms)
{
	static const uint8_t turned[] = { [STORE_BELOW] = STORE_ABOVE,
					  [STORE_UPTO] = STORE_FROM,
					  [STORE_FROM] = STORE_UPTO,
					  [STORE_ABOVE] = STORE_BELOW };
	char why[API_REASON_MAX];
	uint64_t ms;

	if (t->op == STORE_IS || t->op == STORE_NOT) {
		if (!strcmp(v, "never"))
			return 0;
		return wrong(p, "lastseen takes a time after < or >: lastseen<30d; or it is lastseen=never");
	}
	if (config_duration(v, &ms, why, sizeof(why)))
		return wrong(p, "%s", why);
	t->op = turned[t->op];
	t->number = ms < (uint64_t)now_ms ? now_ms - (int64_t)ms : 1; /* 0 would be never */
	return 0;
}

static int read_term(struct store_term *t, struct reading *p, int64_t now_ms)
{
	size_t len = strcspn(p->term, "<>=! "), gap = len + strspn(p->term + len, " "), op_len;
	const char *op = p->term + gap, *v, *near;
	char word[TERM_MAX];

	memcpy(word, p->term, len);
	word[len] = '\0';
	for (t->field = 0; t->field < ARRAY_SIZE(field_words) && strcmp(word, field_words[t->field]);)
		t->field++;
	if (t->field == ARRAY_SIZE(field_words)) {
		near = nearest_word(word, field_words, ARRAY_SIZE(field_words));
		return wrong(p, "unknown word \"%s\"%s%s%s; known are iccid, imsi, msisdn, profile, kvn, alg, lastseen",
			     word, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	}
	op_len = strspn(op, "<>=!");
	for (t->op = 0; t->op < ARRAY_SIZE(op_words); t->op++)
		if (strlen(op_words[t->op]) == op_len && !strncmp(op, op_words[t->op], op_len))
			break;
	if (t->op == ARRAY_SIZE(op_words))
		return wrong(
			p, "after \"%s\" there must be one of = != < <= > >= and a value; terms are divided by \"and\"",
			word);
	v = op + op_len + strspn(op + op_len, " ");
	switch ((enum store_field)t->field) {
	case STORE_F_PROFILE:
		return read_profile(t, p, v);
	case STORE_F_KVN:
		return read_kvn(t, p, v);
	case STORE_F_ALG:
		return read_alg(t, p, v);
	case STORE_F_SEEN:
		return read_seen(t, p, v, now_ms);
	default:
		return read_digits(t, p, v);
	}
}

/* Where the term at s ends: at the next word "and", or with the text. */
static size_t term_len(const char *s)
{
	for (size_t i = 0; s[i]; i++)
		if (s[i] == ' ' && !strncasecmp(s + i + 1, "and", 3) && (s[i + 4] == ' ' || !s[i + 4]))
			return i;
	return strlen(s);
}

static struct store_term *term_new(struct store_filter *f, char *why, size_t cap)
{
	if (f->n < STORE_TERMS_MAX)
		return &f->term[f->n++];
	snprintf(why, cap, "filter and range: at most %d terms (a range is two)", STORE_TERMS_MAX);
	return NULL;
}

/* The term as it was written, without what could do harm on a terminal. */
static void term_keep(struct reading *p, const char *s, size_t len)
{
	size_t n = len < TERM_MAX ? len : TERM_MAX - 1;

	while (n && s[n - 1] == ' ')
		n--;
	memcpy(p->term, s, n);
	p->term[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if (!isprint((unsigned char)p->term[i]))
			p->term[i] = '?';
}

static int read_filter(struct store_filter *f, const char *s, int64_t now_ms, char *why, size_t cap)
{
	struct reading p = { .why = why, .cap = cap };
	const char *start = s;

	for (s += strspn(s, " "); *s;) {
		struct store_term *t = term_new(f, why, cap);
		size_t len = term_len(s);

		if (!t)
			return -1;
		p.column = (size_t)(s - start) + 1;
		term_keep(&p, s, len);
		if (len >= TERM_MAX)
			return wrong(&p, "too long");
		if (read_term(t, &p, now_ms))
			return -1;
		s += len;
		if (!*s)
			break;
		s += strlen(" and");
		s += strspn(s, " ");
		if (!*s)
			return wrong(&p, "nothing follows the last \"and\"");
	}
	return 0;
}

/* "A..B", also "A-B" */
static int read_range(struct store_filter *f, const char *s, char *why, size_t cap)
{
	static const uint8_t ops[2] = { STORE_FROM, STORE_UPTO };
	const char *gap = s + strspn(s, "0123456789");
	size_t gap_len = *gap == '-' ? 1 : !strncmp(gap, "..", 2) ? 2 : 0;
	const char *end[2] = { s, gap_len ? gap + gap_len : NULL };
	size_t len[2];

	for (unsigned i = 0; i < 2; i++) {
		struct store_term *t = term_new(f, why, cap);

		if (!t)
			return -1;
		len[i] = end[i] ? strspn(end[i], "0123456789") : 0;
		if (!len[i] || len[i] > ICCID_DIGITS_MAX || (i && end[i][len[i]])) {
			snprintf(why, cap,
				 "range \"%.48s\" must be two ICCIDs or their first digits: 8988211000..8988211499", s);
			return -1;
		}
		*t = (struct store_term){ .field = STORE_F_ICCID, .op = ops[i] };
		memcpy(t->text, end[i], len[i]);
	}
	if (strncmp(end[0], end[1], len[0] < len[1] ? len[0] : len[1]) <= 0)
		return 0;
	snprintf(why, cap, "range \"%.48s\" begins behind its end: nothing would be in it", s);
	return -1;
}

int filter_parse(struct store_filter *f, const char *filter, const char *range, int64_t now_ms, char *why, size_t cap)
{
	*f = (struct store_filter){ 0 };
	if (*range && read_range(f, range, why, cap))
		return -1;
	return read_filter(f, filter, now_ms, why, cap);
}
