/* sqlite_bulk.c - many operations of one kind as one statement.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A statement costs SQLite the same before it has touched its row as the row itself: cursors are opened, memory is taken,
 * all is given back.  So a batch's operations are shown to it as tables: `INSERT INTO story SELECT .. FROM op_story`.
 *
 * What such a statement cannot say is which row was not as it should be.  That does not happen to a gateway's own batches; when
 * it does, the whole batch is rolled back and run again operation by operation (sqlite_commit.c), which knows and tells.
 */
#include <stdio.h>
#include <string.h>

#include "sqlite_int.h"

#define BULK_MIN 3 /* fewer of a kind are not worth it */

enum expect {
	EXPECT_NOTHING,
	EXPECT_NO_NEW,	   /* each row was there */
	EXPECT_ALL_CHANGED /* and each was changed */
};

enum bulk_id {
	BULK_NONE, /* one by one */
	BULK_KEYSET,
	BULK_ADDR,
	BULK_CARD_SEEN, /* neither IMSI nor MSISDN has changed: the indexes are left alone */
	BULK_CARD_IMSI,
	BULK_TXN,
	BULK_CMD,
	BULK_WIRE,
	BULK_STORY,
	_BULKS
};
_Static_assert(_BULKS == BULKS, "a view for each, and one that is not used");

static const struct {
	const char *view;
	const struct table *t;
	enum stmt_id st;
	enum expect expect;
} bulks[BULKS] = {
	[BULK_KEYSET] = { "op_keyset", &t_keyset, S_BULK_KEYSET, EXPECT_ALL_CHANGED },
	[BULK_ADDR] = { "op_addr", &t_addr, S_BULK_ADDR, EXPECT_NOTHING },
	[BULK_CARD_SEEN] = { "op_card_seen", &t_card, S_BULK_CARD_SEEN, EXPECT_ALL_CHANGED },
	[BULK_CARD_IMSI] = { "op_card_imsi", &t_card, S_BULK_CARD_IMSI, EXPECT_ALL_CHANGED },
	[BULK_TXN] = { "op_txn", &t_txn, S_BULK_TXN, EXPECT_NO_NEW },
	[BULK_CMD] = { "op_cmd", &t_cmd, S_BULK_CMD, EXPECT_NOTHING },
	[BULK_WIRE] = { "op_wire", &t_wire, S_BULK_WIRE, EXPECT_NOTHING },
	[BULK_STORY] = { "op_story", &t_story, S_BULK_STORY, EXPECT_NOTHING },
};

/* ---- the operations of a stretch of the batch, as a table: the columns of their kind's rows, then `bytes` ---- */

struct view {
	sqlite3_vtab base; /* first */
	const struct bulk_of *of;
};

struct view_cursor {
	sqlite3_vtab_cursor base; /* first */
	size_t i;
};

static const struct bulk_of *of_cursor(sqlite3_vtab_cursor *cur)
{
	return ((struct view *)cur->pVtab)->of;
}

static const struct store_op *op_at(sqlite3_vtab_cursor *cur)
{
	const struct bulk_src *s = &of_cursor(cur)->c->bulk;

	return &s->b->ops[s->order[((struct view_cursor *)cur)->i].at];
}

/* To the first operation that is this view's, from where the cursor stands. */
static void seek(sqlite3_vtab_cursor *cur)
{
	const struct bulk_of *of = of_cursor(cur);
	const struct bulk_src *s = &of->c->bulk;
	size_t i = ((struct view_cursor *)cur)->i;

	while (i < s->to && s->order[i].bulk != of->at)
		i++;
	((struct view_cursor *)cur)->i = i;
}

static int v_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **err)
{
	const struct bulk_of *of = aux;
	char tmpl[64], sql[SQL_TEXT_MAX];
	struct view *v;
	int rc;

	snprintf(tmpl, sizeof(tmpl), "CREATE TABLE op({%s:},bytes)", bulks[of->at].t->name);
	sql_expand(sql, tmpl);
	rc = sqlite3_declare_vtab(db, sql);
	if (rc != SQLITE_OK)
		return rc;
	v = sqlite3_malloc(sizeof(*v));
	if (!v)
		return SQLITE_NOMEM;
	*v = (struct view){ .of = of };
	*out = &v->base;
	return SQLITE_OK;
}

static int v_disconnect(sqlite3_vtab *v)
{
	sqlite3_free(v);
	return SQLITE_OK;
}

static int v_best_index(sqlite3_vtab *v, sqlite3_index_info *info)
{
	info->estimatedCost = 100;
	info->estimatedRows = 100;
	return SQLITE_OK;
}

static int v_open(sqlite3_vtab *v, sqlite3_vtab_cursor **out)
{
	struct view_cursor *cur = sqlite3_malloc(sizeof(*cur));

	if (!cur)
		return SQLITE_NOMEM;
	memset(cur, 0, sizeof(*cur));
	*out = &cur->base;
	return SQLITE_OK;
}

static int v_close(sqlite3_vtab_cursor *cur)
{
	sqlite3_free(cur);
	return SQLITE_OK;
}

static int v_filter(sqlite3_vtab_cursor *cur, int n, const char *text, int argc, sqlite3_value **argv)
{
	((struct view_cursor *)cur)->i = of_cursor(cur)->c->bulk.from;
	seek(cur);
	return SQLITE_OK;
}

static int v_next(sqlite3_vtab_cursor *cur)
{
	((struct view_cursor *)cur)->i++;
	seek(cur);
	return SQLITE_OK;
}

static int v_eof(sqlite3_vtab_cursor *cur)
{
	return ((struct view_cursor *)cur)->i >= of_cursor(cur)->c->bulk.to;
}

static int v_column(sqlite3_vtab_cursor *cur, sqlite3_context *x, int i)
{
	const struct table *t = bulks[of_cursor(cur)->at].t;
	const struct store_op *op = op_at(cur);
	uint32_t len = op->bytes_len;

	if (i < table_width(t)) {
		row_result(t, x, op->row, i);
		return SQLITE_OK;
	}
	if (op->kind == ST_STORY_ADD && len > STORY_DETAIL_MAX)
		len = STORY_DETAIL_MAX;
	sqlite3_result_blob(x, len ? op->bytes : (const uint8_t *)"", (int)len, SQLITE_STATIC);
	return SQLITE_OK;
}

static int v_rowid(sqlite3_vtab_cursor *cur, sqlite3_int64 *out)
{
	*out = (sqlite3_int64)((struct view_cursor *)cur)->i;
	return SQLITE_OK;
}

static const sqlite3_module view_module = {
	.xConnect = v_connect,
	.xBestIndex = v_best_index,
	.xDisconnect = v_disconnect,
	.xOpen = v_open,
	.xClose = v_close,
	.xFilter = v_filter,
	.xNext = v_next,
	.xEof = v_eof,
	.xColumn = v_column,
	.xRowid = v_rowid,
};

int sqlite_bulk_register(struct conn *c)
{
	int rc = SQLITE_OK;

	for (unsigned i = BULK_NONE + 1; i < BULKS && rc == SQLITE_OK; i++) {
		c->bulk_of[i] = (struct bulk_of){ .c = c, .at = (uint8_t)i };
		rc = sqlite3_create_module(c->db, bulks[i].view, &view_module, &c->bulk_of[i]);
	}
	return rc;
}

/* ---- the statements ---- */

/* A card with a change among its addresses has most likely new numbers; *moved says of which kinds, the card's operations stand
 * together.  What is refused, or wrong, is left to those who tell why. */
static enum bulk_id bulk_of(const struct store_op *op, unsigned moved)
{
	switch ((enum store_op_kind)op->kind) {
	case ST_KEYSET_CNTR:
		return ((const struct keyset_row *)op->row)->kvn <= KVN_MAX ? BULK_KEYSET : BULK_NONE;
	case ST_ADDR_PUT:
		return BULK_ADDR;
	case ST_CARD_PUT:
		return !moved ? BULK_CARD_SEEN : moved == 1u << ADDR_IMSI ? BULK_CARD_IMSI : BULK_NONE;
	case ST_TXN_PUT:
		return BULK_TXN;
	case ST_CMD_PUT:
		return BULK_CMD;
	case ST_WIRE_PUT:
		return op->bytes_len <= CMD_PACKET_MAX ? BULK_WIRE : BULK_NONE;
	case ST_STORY_ADD:
		return BULK_STORY;
	default:
		return BULK_NONE;
	}
}

/* Lines of stories are numbered by us: with ids in them they are appended, and the ids are told. */
static int story_ids(struct conn *c)
{
	const struct bulk_src *s = &c->bulk;
	sqlite3_stmt *st = c->st[S_STORY_LAST];
	int rc = st_row(c, st);
	uint64_t id = rc > 0 ? (uint64_t)sqlite3_column_int64(st, 0) : 0;

	sqlite3_reset(st);
	for (size_t i = s->from; i < s->to && rc >= 0; i++) {
		const struct store_op *op = &s->b->ops[s->order[i].at];
		struct story_row *row = op->row;

		if (s->order[i].bulk != BULK_STORY)
			continue;
		row->id = ++id;
		row->detail_len = op->bytes_len < STORY_DETAIL_MAX ? (uint16_t)op->bytes_len : STORY_DETAIL_MAX;
	}
	return rc < 0 ? rc : 0;
}

static int run(struct conn *c, enum bulk_id id, unsigned n)
{
	int err = id == BULK_STORY ? story_ids(c) : 0;

	if (err)
		return err;
	sqlite3_set_last_insert_rowid(c->db, 0);
	err = st_run(c, c->st[bulks[id].st]);
	if (err && (sqlite3_errcode(c->db) & 0xff) == SQLITE_CONSTRAINT)
		return BULK_NOT;
	if (err || bulks[id].expect == EXPECT_NOTHING)
		return err;
	if (sqlite3_last_insert_rowid(c->db))
		return BULK_NOT;
	return bulks[id].expect == EXPECT_ALL_CHANGED && sqlite3_changes(c->db) != (int)n ? BULK_NOT : 0;
}

int sqlite_bulk(struct conn *c, const struct bulk_src *src)
{
	unsigned n[BULKS] = { 0 }, moved = 0;
	bool put = false;
	int err = 0;

	c->bulk = *src;
	for (size_t i = src->from; i < src->to; i++) {
		struct store_op *op = &src->b->ops[src->order[i].at];

		if (i > src->from && src->order[i].card != src->order[i - 1].card)
			moved = 0, put = false;
		if (op->kind == ST_ADDR_PUT)
			moved |= 1u << (((const struct card_addr_row *)op->row)->type & 3);
		if (op->kind == ST_CARD_PUT && put)
			return BULK_NOT; /* in two statements one would overtake the other */
		put |= op->kind == ST_CARD_PUT;
		src->order[i].bulk = bulk_of(op, moved);
		n[src->order[i].bulk]++;
		op->rc = 0;
	}
	for (size_t i = src->from; i < src->to; i++)
		if (n[src->order[i].bulk] < BULK_MIN)
			src->order[i].bulk = BULK_NONE;
	for (unsigned id = BULK_NONE + 1; id < BULKS && !err; id++)
		if (n[id] >= BULK_MIN)
			err = run(c, (enum bulk_id)id, n[id]);
	return err;
}
