/* errtab_parse.c - reads the text of an error table; its manual is the head of contrib/cfg/errors.table.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Front to back, once; every message names file and line, because the reader of it is a person with an editor open.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errtab_int.h"
#include "ota/nearest.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define WORDS_MAX     12
#define TEXTS_MAX     2 /* what it means, what to look at */
#define CHOICE_MAX    200

struct parser {
	struct errtab *t;
	const char *file;
	unsigned line;
	uint8_t flavour;
	bool in_flavour;    /* indented lines belong to the flavour above */
	bool indented;	    /* this line is */
	unsigned first_row; /* of this file */
	char *word[WORDS_MAX];
	unsigned words;
	char *text[TEXTS_MAX]; /* in quotes, behind the words */
	unsigned texts;
	char *err;
};

static const struct {
	const char *word;
	uint8_t flag;
} marks[] = {
	{ "slow-down", ERRTAB_SLOW_DOWN },
	{ "maybe-executed", ERRTAB_MAYBE },
	{ "class-a0", ERRTAB_2G },
};

/* ------------------------------------------------------------------------------------------------ messages */

__attribute__((format(printf, 3, 4))) static int fail_line(struct parser *ps, unsigned line, const char *fmt, ...)
{
	int n = snprintf(ps->err, ERRTAB_ERR_MAX, "%.200s:%u: ", ps->file, line);
	va_list ap;

	va_start(ap, fmt);
	if (n > 0 && n < ERRTAB_ERR_MAX)
		vsnprintf(ps->err + n, ERRTAB_ERR_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	return -1;
}
#define fail(ps, ...) fail_line(ps, (ps)->line, __VA_ARGS__)

static const char *choice_of(const char *const *words, size_t n, char *out, size_t cap)
{
	size_t len = 0;

	*out = 0;
	for (size_t i = 0; i < n && len < cap; i++)
		len += (size_t)snprintf(out + len, cap - len, "%s%s", i ? ", " : "", words[i]);
	return out;
}

/* "unknown class 'ABSNT'; did you mean 'ABSENT'?", or the whole choice when nothing is near. */
static int fail_word(struct parser *ps, const char *what, const char *word, const char *const *words, size_t n)
{
	const char *near = nearest_word(word, words, n);
	char choice[CHOICE_MAX];

	if (near)
		return fail(ps, "unknown %s '%.40s'; did you mean '%s'?", what, word, near);
	return fail(ps, "unknown %s '%.40s'; one of: %s", what, word, choice_of(words, n, choice, sizeof(choice)));
}

/* ------------------------------------------------------------------------------------------------ a line */

static int take_text(struct parser *ps, char **p)
{
	char *end = strchr(*p + 1, '"');

	if (!end)
		return fail(ps, "the text that begins with %.20s has no '\"' at its end", *p);
	if (ps->texts == TEXTS_MAX)
		return fail(ps, "more than %d texts in quotes", TEXTS_MAX);
	*end = 0;
	if (end == *p + 1)
		return fail(ps, "an empty text");
	if (end - *p > ERRTAB_MEANING_MAX)
		return fail(ps, "a text longer than %d octets", ERRTAB_MEANING_MAX - 1);
	ps->text[ps->texts++] = *p + 1;
	*p = end + 1;
	if (**p && **p != ' ' && **p != '\t')
		return fail(ps, "'%.20s' right behind a text in quotes", *p);
	return 0;
}

static int take_word(struct parser *ps, char **p)
{
	size_t n = strcspn(*p, " \t");

	if (ps->texts)
		return fail(ps, "'%.*s' behind the text in quotes", n < 40 ? (int)n : 40, *p);
	if (ps->words == WORDS_MAX)
		return fail(ps, "more than %d words", WORDS_MAX);
	ps->word[ps->words++] = *p;
	*p += n;
	if (**p)
		*(*p)++ = 0;
	return 0;
}

/* Cuts a line, which ends with a NUL, into words and texts. */
static int split_line(struct parser *ps, char *line, size_t len)
{
	char *p = line;

	ps->words = ps->texts = 0;
	ps->indented = *line == ' ' || *line == '\t';
	if (len >= ERRTAB_LINE_MAX)
		return fail(ps, "longer than %d octets", ERRTAB_LINE_MAX - 1);
	if (len && line[len - 1] == '\r')
		line[--len] = 0;
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)line[i] < ' ' && line[i] != '\t') || line[i] == 0x7f)
			return fail(ps, "control character 0x%02x", (unsigned char)line[i]);
	for (p += strspn(p, " \t"); *p; p += strspn(p, " \t")) {
		if (!ps->words && !ps->texts && (*p == '#' || *p == '!'))
			return 0;
		if (*p == '"' ? take_text(ps, &p) : take_word(ps, &p))
			return -1;
	}
	return 0;
}

/* ------------------------------------------------------------------------------------------------ flavours */

static int unknown_flavour(struct parser *ps, const char *name, const char *more)
{
	char why[ERRTAB_ERR_MAX / 2];

	errtab_flavour_unknown(ps->t, name, why, sizeof(why));
	return fail(ps, "%s%s", why, more);
}

/* "flavour NAME" goes on with one that is there, "flavour NAME like OTHER" makes one: so that a slip of the pen makes none. */
static int take_flavour(struct parser *ps)
{
	struct errtab *t = ps->t;
	const char *name = ps->words > 1 ? ps->word[1] : "";
	int i = errtab_flavour(t, name), like;
	struct errtab_flavour *f;

	if ((ps->words != 2 && (ps->words != 4 || strcmp(ps->word[2], "like"))) || ps->texts)
		return fail(ps, "'flavour' is written 'flavour NAME', or 'flavour NAME like OTHER' for a new one");
	if (ps->indented)
		return fail(ps, "'flavour' begins a line; what belongs to it is indented");
	ps->in_flavour = true;
	if (ps->words == 2) {
		if (i < 0)
			return unknown_flavour(ps, name, "; a new one is made by 'flavour NAME like default'");
		ps->flavour = (uint8_t)i;
		return 0;
	}
	if (i >= 0)
		return fail(ps, "flavour '%.40s' is there already: to go on with it write 'flavour %.40s'", name, name);
	if (strlen(name) >= ERRTAB_FLAVOUR_MAX ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != strlen(name))
		return fail(ps, "'%.40s': a flavour's name has letters, digits, '.', '_' and '-', at most %d", name,
			    ERRTAB_FLAVOUR_MAX - 1);
	if (t->n_flavours == ERRTAB_FLAVOURS_MAX)
		return fail(ps, "more than %d flavours", ERRTAB_FLAVOURS_MAX);
	like = errtab_flavour(t, ps->word[3]);
	if (like < 0)
		return unknown_flavour(ps, ps->word[3], "");
	f = &t->flavour[t->n_flavours];
	memcpy(f->name, name, strlen(name) + 1);
	f->like = (uint8_t)like;
	ps->flavour = (uint8_t)t->n_flavours++;
	return 0;
}

/* "preset esm-mode transaction": whether links know such a line is theirs to say. */
static int take_preset(struct parser *ps)
{
	struct errtab *t = ps->t;
	struct errtab_preset *p = &t->presets[t->n_presets];
	size_t at = 0;

	if (!ps->indented)
		return fail(ps, "'preset' belongs below a flavour, indented");
	if (ps->words < 2 || ps->texts)
		return fail(ps, "'preset' is written 'preset esm-mode transaction': a line as below smsc-link");
	if (t->n_presets == ERRTAB_PRESETS_MAX)
		return fail(ps, "more than %d presets in all", ERRTAB_PRESETS_MAX);
	*p = (struct errtab_preset){ .flavour = ps->flavour, .file = (uint8_t)t->n_files, .line = ps->line };
	for (unsigned i = 1; i < ps->words; i++) {
		int n = snprintf(p->text + at, sizeof(p->text) - at, "%s%s", i > 1 ? " " : "", ps->word[i]);

		if (n < 0 || (size_t)n >= sizeof(p->text) - at)
			return fail(ps, "a preset longer than %d octets", ERRTAB_PRESET_MAX - 1);
		at += (size_t)n;
	}
	for (unsigned i = 0; i < t->n_presets; i++) {
		const struct errtab_preset *q = &t->presets[i];
		size_t word = strcspn(p->text, " ");

		if (q->file == p->file && q->flavour == p->flavour && strcspn(q->text, " ") == word &&
		    !strncmp(q->text, p->text, word))
			return fail(ps, "preset %.*s stands on line %u already", (int)word, p->text, q->line);
	}
	t->n_presets++;
	return 0;
}

/* ------------------------------------------------------------------------------------------------ rows */

static int take_as(struct parser *ps, struct errtab_row *r)
{
	enum errtab_plane as = ERRTAB_SMPP;

	if (ps->words != 4 || ps->texts)
		return fail(ps, "'as' is written '%s %s as map'", ps->word[0], ps->word[1]);
	/* a word or a pair cannot be made of a number, and a number of a word */
	if (!errtab_plane_of(ps->word[3], &as) || as == ERRTAB_NEC || as == ERRTAB_RECEIPT || as == r->plane ||
	    r->plane == ERRTAB_RECEIPT)
		return fail(ps, "%s cannot be read as '%.40s'", ps->word[0], ps->word[3]);
	r->flags = ERRTAB_AS;
	r->as = (uint8_t)as;
	r->name = r->what = r->remedy = "";
	return 0;
}

static int take_class(struct parser *ps, struct errtab_row *r, const char *word)
{
	for (unsigned i = 0; i < ERRTAB_CLASS_WORDS; i++) {
		if (strcmp(errtab_class_words[i], word))
			continue;
		if (i == _FAIL_CLASSES && r->plane != ERRTAB_POR && r->plane != ERRTAB_RECEIPT)
			return fail(ps, "WAIT is for por and receipt alone: nothing follows on a code of %s",
				    ps->word[0]);
		r->cls = i == _FAIL_CLASSES ? FAIL_NONE : (uint8_t)i;
		r->flags = i == _FAIL_CLASSES ? ERRTAB_WAIT : 0;
		return 0;
	}
	return fail_word(ps, "class", word, errtab_class_words, ERRTAB_CLASS_WORDS);
}

/* Marks between class and name.  Of a PoR status the meaning stands there, too: the core acts by it. */
static int take_mark(struct parser *ps, struct errtab_row *r, const char *word, bool *meaning)
{
	const char *words[ARRAY_SIZE(marks) + _POR_MEANINGS];
	enum por_meaning m;
	size_t n = 0;

	for (; n < ARRAY_SIZE(marks); n++) {
		words[n] = marks[n].word;
		if (!strcmp(word, words[n])) {
			r->flags |= marks[n].flag;
			return 0;
		}
	}
	if (r->plane == ERRTAB_POR && por_meaning_of(word, &m)) {
		if (*meaning)
			return fail(ps, "a PoR status has one meaning, not '%s' and '%s'",
				    por_meaning_name((enum por_meaning)r->means), word);
		*meaning = true;
		r->means = (uint8_t)m;
		return 0;
	}
	if (r->plane == ERRTAB_POR)
		n += por_meaning_words(words + n, true);
	return fail_word(ps, "mark", word, words, n);
}

/* A refusal that were no failure could not be acted upon. */
static bool can_be_ok(const struct errtab_row *r)
{
	switch ((enum errtab_plane)r->plane) {
	case ERRTAB_SMPP:
		return r->hi == errtab_key(0);
	case ERRTAB_MAP:
	case ERRTAB_RP:
	case ERRTAB_GSUP:
	case ERRTAB_FCS:
		return false;
	default:
		return true;
	}
}

static int check_row(struct parser *ps, const struct errtab_row *r, bool meaning)
{
	const char *words[_POR_MEANINGS];
	char choice[CHOICE_MAX];
	struct errtab_row want = { .cls = (uint8_t)por_meaning_class((enum por_meaning)r->means) };

	if (r->flags & ERRTAB_SLOW_DOWN && r->cls != FAIL_CONGEST)
		return fail(ps, "'slow-down' is for the class CONGEST alone");
	if (r->flags & ERRTAB_2G && r->plane != ERRTAB_SW)
		return fail(ps, "'class-a0' is for status words alone");
	if (r->cls == FAIL_NONE && !can_be_ok(r))
		return fail(ps, "%s %s is never OK", ps->word[0], ps->word[1]);
	if (r->plane != ERRTAB_POR)
		return 0;
	if (!meaning)
		return fail(ps, "a PoR status needs its meaning between class and name: %s",
			    choice_of(words, por_meaning_words(words, true), choice, sizeof(choice)));
	want.flags = r->means == POR_MEANS_INTERIM ? ERRTAB_WAIT : 0;
	if (r->cls != want.cls || (r->flags & ERRTAB_WAIT) != want.flags)
		return fail(ps, "'%s' is of class %s, not %s", por_meaning_name((enum por_meaning)r->means),
			    errtab_class_word(&want), errtab_class_word(r));
	if (r->lo != r->hi)
		return fail(ps, "each PoR status has a line of its own");
	return r->lo == errtab_key(0) && r->means != POR_MEANS_OK ?
		       fail(ps, "PoR status 00 is success and nothing else") :
		       0;
}

static int take_row(struct parser *ps, enum errtab_plane plane)
{
	struct errtab *t = ps->t;
	struct errtab_row r = {
		.plane = (uint8_t)plane, .flavour = ps->flavour, .file = (uint8_t)t->n_files, .line = ps->line
	};
	bool meaning = false;
	const char *why;

	if (ps->words < 3)
		return fail(ps, "'%s' is written '%s CODE CLASS NAME \"what it means\"'", ps->word[0], ps->word[0]);
	why = errtab_range_parse(plane, ps->word[1], &r.lo, &r.hi);
	if (why)
		return fail(ps, "'%.40s' is no code of %s; one is written %s", ps->word[1], ps->word[0], why);
	if (!strcmp(ps->word[2], "as")) {
		if (take_as(ps, &r))
			return -1;
	} else {
		if (take_class(ps, &r, ps->word[2]))
			return -1;
		for (unsigned i = 3; i + 1 < ps->words; i++)
			if (take_mark(ps, &r, ps->word[i], &meaning))
				return -1;
		if (ps->words == 3)
			return fail(ps, "the name is missing behind %s", ps->word[2]);
		r.name = ps->word[ps->words - 1];
		if (strlen(r.name) >= ERRTAB_NAME_MAX)
			return fail(ps, "the name '%.40s..' is longer than %d octets", r.name, ERRTAB_NAME_MAX - 1);
		if (!ps->texts)
			return fail(ps, "what it means is missing: a text in quotes behind '%.40s'", r.name);
		r.what = ps->text[0];
		r.remedy = ps->texts > 1 ? ps->text[1] : "";
		if (check_row(ps, &r, meaning))
			return -1;
	}
	if (t->n_rows == ERRTAB_ROWS_MAX)
		return fail(ps, "more than %d rows in all", ERRTAB_ROWS_MAX);
	t->rows[t->n_rows++] = r;
	return 0;
}

static int parse_line(struct parser *ps)
{
	const char *words[_ERRTAB_PLANES + 2];
	enum errtab_plane plane;

	if (!ps->words)
		return ps->texts ? fail(ps, "a text without words in front") : 0;
	if (!strcmp(ps->word[0], "flavour"))
		return take_flavour(ps);
	if (ps->indented && !ps->in_flavour)
		return fail(ps, "'%.40s' is indented, and no 'flavour' stands above", ps->word[0]);
	if (!ps->indented) {
		ps->in_flavour = false;
		ps->flavour = ERRTAB_FLAVOUR_ALL;
	}
	if (!strcmp(ps->word[0], "preset"))
		return take_preset(ps);
	if (errtab_plane_of(ps->word[0], &plane))
		return take_row(ps, plane);
	for (unsigned i = 0; i < _ERRTAB_PLANES; i++)
		words[i] = errtab_plane_name((enum errtab_plane)i);
	words[_ERRTAB_PLANES] = "flavour";
	words[_ERRTAB_PLANES + 1] = "preset";
	return fail_word(ps, "word", ps->word[0], words, ARRAY_SIZE(words));
}

/* ------------------------------------------------------------------------------------------------ the text */

static int cmp_rows(const void *x, const void *y)
{
	const struct errtab_row *a = x, *b = y;
	int d = errtab_row_cmp(a, b);

	return d ? d : (a->line > b->line) - (a->line < b->line);
}

/* Two lines of one file that say something about the same codes: one of them is not meant. */
static int check_twice(struct parser *ps)
{
	struct errtab_row *rows = ps->t->rows + ps->first_row;
	unsigned n = ps->t->n_rows - ps->first_row;

	qsort(rows, n, sizeof(*rows), cmp_rows);
	for (unsigned i = 1; i < n; i++) {
		char code[ERRTAB_CODE_MAX];

		if (errtab_row_cmp(&rows[i - 1], &rows[i]))
			continue;
		errtab_key_text((enum errtab_plane)rows[i].plane, rows[i].lo, code);
		return fail_line(ps, rows[i].line, "%s %s%s stands on line %u already",
				 errtab_plane_name((enum errtab_plane)rows[i].plane), code,
				 rows[i].lo != rows[i].hi ? ".." : "", rows[i - 1].line);
	}
	return 0;
}

int errtab_parse(struct errtab *t, const char *file, char *text, size_t len, char err[ERRTAB_ERR_MAX])
{
	struct parser ps = { .t = t, .file = file, .first_row = t->n_rows, .err = err };
	char *end = text + len;

	*err = 0;
	while (text < end) {
		char *nl = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((nl ? nl : end) - text);

		ps.line++;
		text[n] = 0;
		if (split_line(&ps, text, n) || parse_line(&ps))
			return -1;
		text += n + (nl ? 1 : 0);
	}
	return check_twice(&ps);
}
