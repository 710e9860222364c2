/* sqlite_trim.c - removing what is old and proves nothing that still counts (struct store_trim says what stays).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * By cards, a few at a time: what stays is a question about a card, and its rows are found by the indexes that are there.
 * The file does not become smaller; what was freed is written again.
 */
#include "sqlite_int.h"

/* The card's id bound to a statement that asks yes or no: 1, 0 or an error. */
static int card_has(struct conn *c, enum stmt_id id, uint64_t card)
{
	sqlite3_stmt *st = c->st[id];
	int rc;

	sqlite3_bind_int64(st, 1, (sqlite3_int64)card);
	rc = st_row(c, st);
	sqlite3_reset(st);
	return rc;
}

static int rows_delete(struct conn *c, enum stmt_id id, const struct store_trim *t, uint64_t card, sqlite3_int64 from,
		       uint32_t *left)
{
	sqlite3_stmt *st = c->st[id];
	int err;

	if (!*left)
		return 0;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)card);
	sqlite3_bind_int64(st, 2, t->before_ms);
	sqlite3_bind_int64(st, 3, from);
	sqlite3_bind_int64(st, 4, *left);
	err = st_run(c, st);
	if (!err)
		*left -= (uint32_t)sqlite3_changes(c->db);
	return err;
}

static int card_trim(struct conn *c, const struct store_trim *t, uint64_t card, uint32_t *left)
{
	sqlite3_stmt *st = c->st[S_TRIM_KEEP];
	sqlite3_int64 cmd_from, story_from;
	int rc = card_has(c, S_TXN_OPEN_CARD, card);

	if (!rc)
		rc = card_has(c, S_TRIM_OPEN, card);
	if (rc)
		return rc < 0 ? rc : 0;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)card);
	rc = st_row(c, st);
	/* NULL, where there is none, reads as 0: nothing is before it */
	cmd_from = sqlite3_column_int64(st, 0);
	story_from = sqlite3_column_int64(st, 1);
	sqlite3_reset(st);
	if (rc < 0)
		return rc;
	rc = rows_delete(c, S_TRIM_STORY, t, card, story_from, left);
	return rc ? rc : rows_delete(c, S_TRIM_WIRE, t, card, cmd_from, left);
}

/* Ids of cards from `from` on: how many, or an error. */
static int cards_from(struct conn *c, uint64_t from, uint64_t *id, unsigned max)
{
	sqlite3_stmt *st = c->st[S_TRIM_CARDS];
	int n = 0, rc;

	sqlite3_bind_int64(st, 1, (sqlite3_int64)from);
	sqlite3_bind_int64(st, 2, max);
	while ((rc = st_row(c, st)) > 0)
		id[n++] = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return rc ? rc : n;
}

int sqlite_trim(struct conn *c, struct store_trim *t)
{
	uint64_t id[STORE_TRIM_CARDS_MAX + 2];
	unsigned max = t->cards < STORE_TRIM_CARDS_MAX ? t->cards : STORE_TRIM_CARDS_MAX, first = !t->card, i;
	uint32_t left = t->rows;
	int n, rc = 0;

	id[0] = 0; /* no card's */
	n = cards_from(c, t->card, id + first, max + 1 - first);
	if (n < 0)
		return n;
	n += (int)first;
	for (i = 0; i < (unsigned)n && i < max && left && !rc; i++)
		rc = card_trim(c, t, id[i], &left);
	if (!left && i) /* there may be more of the last one */
		i--;
	t->more = i < (unsigned)n;
	t->next = t->more ? id[i] : 0;
	t->removed = t->rows - left;
	return rc;
}
