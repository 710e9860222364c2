/* b_own.c - an operator's own list: which card gets which IMSI and MSISDN.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * It may have a million lines: so many are read in one turn, and nothing is sorted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "b_int.h"
#include "once.h"

#define PLMN_MIN      5
#define LIST_LINE_MAX 128

struct b_list {
	FILE *in; /* NULL: whole */
	char path[200];
	unsigned line;
	struct once *iccid, *imsi; /* each line has its place in both, */
	size_t cap;
	char (*msisdn)[MSISDN_DIGITS_MAX + 1]; /* and here */
};

void b_list_free(struct b_list *l)
{
	if (!l)
		return;
	if (l->in)
		fclose(l->in);
	once_free(l->iccid);
	once_free(l->imsi);
	free(l->msisdn);
	free(l);
}

struct b_list *b_list_open(const char *path, char err[DESK_ERR_MAX], int *rc)
{
	struct b_list *l = calloc(1, sizeof(*l));

	*rc = 0;
	if (!l || !(l->iccid = once_new()) || !(l->imsi = once_new()))
		*rc = -ENOMEM;
	else if (!(l->in = fopen(path, "re")))
		*rc = -errno;
	if (!*rc) {
		snprintf(l->path, sizeof(l->path), "%s", path);
		return l;
	}
	snprintf(err, DESK_ERR_MAX, "%.200s: %s", path, strerror(-*rc));
	b_list_free(l);
	return NULL;
}

size_t b_list_n(const struct b_list *l)
{
	return once_n(l->iccid);
}

void b_list_at(const struct b_list *l, size_t i, struct b_entry *e)
{
	char digits[ONCE_DIGITS_MAX + 1];

	once_at(l->iccid, i, e->iccid);
	once_at(l->imsi, i, digits);
	snprintf(e->imsi, sizeof(e->imsi), "%.*s", IMSI_DIGITS_MAX, digits);
	memcpy(e->msisdn, l->msisdn[i], sizeof(e->msisdn));
}

bool b_list_find(const struct b_list *l, const char *iccid, struct b_entry *e)
{
	size_t i = once_find(l->iccid, iccid);

	if (i == ONCE_NONE)
		return false;
	b_list_at(l, i, e);
	return true;
}

static bool digits(const char *s, size_t min, size_t max)
{
	size_t n = strspn(s, "0123456789");

	return !s[n] && n >= min && n <= max;
}

/* One of "MCCMNC;MCCMNC" that the IMSI begins with. */
static bool in_networks(const char *plmns, const char *imsi)
{
	for (const char *p = plmns; *p;) {
		size_t n = strcspn(p, ";");

		if (n >= PLMN_MIN && !strncmp(imsi, p, n))
			return true;
		p += n + (p[n] == ';');
	}
	return false;
}

static bool room(struct b_list *l)
{
	const size_t cap = l->cap ? 2 * l->cap : 1024;
	void *more;

	if (b_list_n(l) < l->cap)
		return true;
	more = realloc(l->msisdn, cap * sizeof(*l->msisdn));
	if (!more)
		return false;
	l->msisdn = more;
	l->cap = cap;
	return true;
}

static int entry_put(struct b_list *l, const char *iccid, const char *imsi, const char *msisdn, char err[DESK_ERR_MAX])
{
	const size_t n = b_list_n(l);
	char other[ONCE_DIGITS_MAX + 1];
	int rc = n < LIST_MAX ? 0 : -E2BIG;

	if (rc) {
		snprintf(err, DESK_ERR_MAX, "line %u: a list has at most %d lines", l->line, LIST_MAX);
		return rc;
	}
	if (!room(l) || (rc = once_add(l->iccid, iccid)) < 0 || (!rc && (rc = once_add(l->imsi, imsi)) < 0)) {
		snprintf(err, DESK_ERR_MAX, "line %u: out of memory", l->line);
		return -ENOMEM;
	}
	if (!rc) {
		memset(l->msisdn[n], 0, sizeof(l->msisdn[n]));
		memcpy(l->msisdn[n], msisdn, strlen(msisdn));
		return 0;
	}
	if (b_list_n(l) == n) {
		snprintf(err, DESK_ERR_MAX, "line %u: card %s is there twice", l->line, iccid);
	} else {
		once_at(l->iccid, once_find(l->imsi, imsi), other);
		snprintf(err, DESK_ERR_MAX, "line %u: cards %s and %s are given the same IMSI", l->line, other, iccid);
	}
	return -EINVAL;
}

static int entry_take(struct b_list *l, const char *plmns, char *text, char err[DESK_ERR_MAX])
{
	char *save = NULL, *iccid = strtok_r(text, ",\r\n", &save), *imsi = strtok_r(NULL, ",\r\n", &save),
	     *msisdn = strtok_r(NULL, ",\r\n", &save);

	if (!iccid || *iccid == '#')
		return 0;
	if (!digits(iccid, 18, 20) || !imsi || !digits(imsi, 6, 15) || (msisdn && !digits(msisdn, 3, 15))) {
		snprintf(err, DESK_ERR_MAX, "line %u: a line is ICCID,IMSI or ICCID,IMSI,MSISDN, all digits", l->line);
		return -EINVAL;
	}
	if (!in_networks(plmns, imsi)) {
		snprintf(err, DESK_ERR_MAX, "line %u: this IMSI is of none of our networks (pool, networks %.80s)",
			 l->line, plmns);
		return -EINVAL;
	}
	return entry_put(l, iccid, imsi, msisdn ? msisdn : "", err);
}

int b_list_more(struct b_list *l, const char *plmns, char err[DESK_ERR_MAX])
{
	char text[LIST_LINE_MAX];
	int rc = 0;

	for (unsigned n = 0; n < LIST_TURN; n++) {
		if (!fgets(text, sizeof(text), l->in)) {
			rc = ferror(l->in) ? -EIO : 0;
			if (rc)
				snprintf(err, DESK_ERR_MAX, "%s: cannot be read", l->path);
			fclose(l->in);
			l->in = NULL;
			return rc;
		}
		l->line++;
		rc = entry_take(l, plmns, text, err);
		if (rc)
			return rc;
	}
	return DESK_MORE;
}
