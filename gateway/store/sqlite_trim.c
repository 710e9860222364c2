/* sqlite_trim.c - removing what is old and proves nothing that still counts (struct store_trim says what stays).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * By cards, a few at a time: what stays is a question about a card, and its rows are found by the indexes that are there.
 * The file does not become smaller; what was freed is written again.
 */
#include "sqlite_int.h"

/* First column of what a statement finds for a card; 0 in *out: nothing, or NULL.  1 found, 0 not, or an error. */
static int card_ask(struct conn *c, enum stmt_id id, uint64_t card, sqlite3_int64 from, sqlite3_int64 *out)
{
	sqlite3_stmt *st = c->st[id];
	int rc;

	sqlite3_bind_int64(st, 1, (sqlite3_int64)card);
	if (sqlite3_bind_parameter_count(st) > 1)
		sqlite3_bind_int64(st, 2, from);
	rc = st_row(c, st);
	*out = rc > 0 ? sqlite3_column_int64(st, 0) : 0;
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
	sqlite3_int64 cmd_from = 0, story_from = 0; /* 0: nothing is before it */
	int rc = card_ask(c, S_TXN_OPEN_CARD, card, 0, &cmd_from);

	if (!rc)
		rc = card_ask(c, S_TRIM_OPEN, card, 0, &cmd_from);
	if (rc)
		return rc < 0 ? rc : 0;
	rc = card_ask(c, S_TRIM_CMD_KEPT, card, 0, &cmd_from);
	if (rc >= 0 && cmd_from)
		rc = card_ask(c, S_TRIM_STORY_KEPT, card, cmd_from, &story_from);
	if (rc >= 0)
		rc = rows_delete(c, S_TRIM_STORY, t, card, story_from, left);
	return rc < 0 ? rc : rows_delete(c, S_TRIM_WIRE, t, card, cmd_from, left);
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
