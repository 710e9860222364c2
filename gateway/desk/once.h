/* once.h - numbers that must not come twice in a list: each is held against all before it, and found again.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_DESK_ONCE_H
#define OTAGW_DESK_ONCE_H

#include <stdbool.h>
#include <stddef.h>

#define ONCE_DIGITS_MAX 20
#define ONCE_NONE	((size_t)-1)

struct once;
struct once *once_new(void);
void once_free(struct once *o); /* NULL is allowed */
/* 0; 1: it is there already; -ENOMEM */
int once_add(struct once *o, const char *digits);
size_t once_n(const struct once *o);
/* Its place in the order in which they came; ONCE_NONE. */
size_t once_find(const struct once *o, const char *digits);
void once_at(const struct once *o, size_t i, char digits[ONCE_DIGITS_MAX + 1]);

struct desk_in;
struct desk_no;
/* once_add() of a record's card, IMSI ...: 0, or refused by rule "card-twice". */
int once_in(struct desk_in *in, struct once *o, const char *what, const char *digits, struct desk_no *no);

#endif
