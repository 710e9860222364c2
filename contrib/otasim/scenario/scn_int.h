/* scn_int.h - words of a scenario's line, and who reads which of them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTASIM_SCN_INT_H
#define OTASIM_SCN_INT_H

#include "scn.h"

/* The line being read.  The first thing that is wrong stays in err; from then on nothing is read any more. */
struct line {
	struct scn *scn;
	unsigned number;
	const char *raw; /* as it stands in the file */
	size_t raw_len;
	char buf[2 * SCN_LINE_MAX + 2]; /* its words; operators stand alone */
	char *word[SCN_WORDS_MAX];
	unsigned words, at;
	bool bad;
	char *err;
};

__attribute__((format(printf, 2, 3))) void scn_wrong(struct line *l, const char *fmt, ...);
/* "nonsense" is not `what`; did you mean ...? or the whole list. */
void scn_wrong_word(struct line *l, const char *word, const char *what, const char *const *words, size_t n);

/* scn_lex.c */
bool scn_line_cut(struct line *l, const char *p, size_t len); /* false: scn_wrong() */
bool scn_line_over(const struct line *l);		      /* nothing left, or wrong */
const char *scn_peek(const struct line *l);		      /* "" when nothing is left */
const char *scn_next(struct line *l, const char *what);	      /* scn_wrong() when nothing is left; never NULL */
bool scn_take(struct line *l, const char *word);	      /* only when it stands there */
uint64_t scn_number(struct line *l, const char *what, uint64_t lo, uint64_t hi);
int64_t scn_duration(struct line *l, const char *what);
struct sim_range scn_duration_range(struct line *l, const char *what);
bool scn_is_share(const char *word);		      /* "10%" */
uint32_t scn_share(struct line *l, const char *what); /* ppm */
bool scn_is_number(const char *word);
/* All that stands behind the words taken so far, as it is written. */
void scn_rest(struct line *l, char *out, size_t cap, const char *what);
/* Adds a word after a space; what is too much is left out. */
void scn_text_add(char *out, size_t cap, const char *word);

/* scn_set.c */
bool scn_set_begins(const struct line *l); /* does a set of cards stand here? */
uint16_t scn_set_read(struct line *l);
void scn_group_read(struct line *l);
bool scn_sets_resolve(struct line *l); /* draws the shares, once the fleet's size is known */

/* scn_expect.c */
void scn_expect_read(struct line *l);

/* scn_operator.c */
void scn_operator_read(struct line *l);
uint32_t scn_operators_read(struct line *l); /* names, one at least; a mask */
void scn_hlr_read(struct line *l, struct scn_rule *r);

/* scn_parse.c */
uint32_t scn_doors_read(struct line *l); /* names of SMSCs, or all; a mask */
bool scn_mood_named(const char *word, enum smsc_mood_kind *kind);

#endif
