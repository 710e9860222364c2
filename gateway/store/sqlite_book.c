/* sqlite_book.c - the books: records by key, each with its version.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <string.h>

#include "sqlite_int.h"

#define BODY 6 /* ?6, and the column behind the row's */

static void bind_key(sqlite3_stmt *st, uint8_t book, const char *key)
{
	sqlite3_bind_int(st, 1, book);
	sqlite3_bind_text(st, 2, key, -1, SQLITE_STATIC);
}

/* What is there now: 1, none: 0 with version 0, or an error. */
static int book_look(struct conn *c, const struct book_row *row, struct book_row *now)
{
	sqlite3_stmt *st = c->st[S_BOOK_LOOK];
	int got;

	*now = (struct book_row){ 0 };
	bind_key(st, row->book, row->key);
	got = st_row(c, st);
	if (got > 0) {
		now->version = (uint64_t)sqlite3_column_int64(st, 0);
		now->owner = (uint64_t)sqlite3_column_int64(st, 1);
		now->step = (uint16_t)sqlite3_column_int(st, 2);
	}
	sqlite3_reset(st);
	return got;
}

int sqlite_book_put(struct conn *c, struct store_op *op, uint8_t *given)
{
	struct book_row *row = op->row, now;
	bool any = row->version == BOOK_ANY;
	uint64_t expected = row->version;
	enum stmt_id id = S_BOOK_INSERT;
	sqlite3_stmt *st;
	int err;

	if (!store_book_ok(row, op->bytes_len))
		return conn_asked(c, "a record of a book without a key, or of %u octets", op->bytes_len);
	err = book_look(c, row, &now);
	if (err < 0)
		return err;
	if (!any && expected != now.version) {
		op->rc = STORE_R_CHANGED;
		return 0;
	}
	if (now.version)
		id = now.owner != row->owner ? S_BOOK_PUT_ALL :
		     now.step != row->step   ? S_BOOK_PUT_STEP :
					       S_BOOK_PUT_BODY;
	row->version = now.version + 1;
	row->len = (uint16_t)op->bytes_len;
	*given = any ? GIVEN_VERSION_ANY : GIVEN_VERSION;
	st = c->st[id];
	row_bind(&t_book, st, row);
	sqlite3_bind_blob(st, BODY, op->bytes_len ? op->bytes : (const uint8_t *)"", (int)op->bytes_len, SQLITE_STATIC);
	return st_run(c, st);
}

int sqlite_book_drop(struct conn *c, struct store_op *op)
{
	const struct book_row *row = op->row;
	struct book_row now;
	int err;

	if (!store_book_ok(row, 0))
		return conn_asked(c, "to drop a record of a book without a key");
	err = book_look(c, row, &now);
	if (err < 0)
		return err;
	if (!now.version || (row->version != BOOK_ANY && row->version != now.version)) {
		op->rc = now.version ? STORE_R_CHANGED : STORE_R_NOT_FOUND;
		return 0;
	}
	bind_key(c->st[S_BOOK_DROP], row->book, row->key);
	return st_run(c, c->st[S_BOOK_DROP]);
}

/* ---- queries ---- */

static int book_read(struct conn *c, sqlite3_stmt *st, struct store_book *out)
{
	int rc;

	memset(out, 0, sizeof(*out));
	rc = row_read(c, &t_book, st, 0, &out->row);
	if (rc)
		return rc;
	rc = blob_read(st, BODY - 1, out->body, sizeof(out->body));
	if (rc < 0)
		return conn_corrupt(c, "body of record %s of book %u", out->row.key, out->row.book);
	out->row.len = (uint16_t)rc;
	return 0;
}

static int book_get(struct conn *c, uint8_t book, const char *key, struct store_book *out)
{
	sqlite3_stmt *st = c->st[S_BOOK_GET];
	int got, rc = 0;

	bind_key(st, book, key);
	got = st_row(c, st);
	if (got > 0)
		rc = book_read(c, st, out);
	sqlite3_reset(st);
	return rc ? rc : got;
}

static int book_keys(struct conn *c, struct store_query *q)
{
	struct store_book *out = q->out;
	int rc = 0;

	for (; q->n < q->n_keys && q->n < q->limit && q->n < BOOK_KEYS_MAX; q->n++) {
		memset(&out[q->n], 0, sizeof(out[q->n]));
		rc = book_get(c, q->book, q->keys[q->n], &out[q->n]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int book_list(struct conn *c, struct store_query *q)
{
	sqlite3_stmt *st = c->st[q->kind == Q_BOOK_STEP ? S_BOOK_STEP : S_BOOK_OWNER];
	struct store_book *out = q->out;
	int rc = 0;

	sqlite3_bind_int(st, 1, q->book);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)q->id);
	sqlite3_bind_text(st, 3, q->key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 4, q->limit);
	if (q->kind == Q_BOOK_STEP)
		sqlite3_bind_int(st, 5, q->step);
	while (q->n < q->limit && (rc = st_row(c, st)) > 0) {
		rc = book_read(c, st, &out[q->n]);
		if (rc < 0)
			break;
		q->n++;
	}
	sqlite3_reset(st);
	return rc;
}

static int book_count(struct conn *c, struct store_query *q)
{
	sqlite3_stmt *st = c->st[S_BOOK_COUNT];
	struct store_book_count *out = q->out;
	int rc = 0;

	sqlite3_bind_int(st, 1, q->book);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)q->id);
	while (q->n < q->limit && (rc = st_row(c, st)) > 0)
		out[q->n++] = (struct store_book_count){ .step = (uint16_t)sqlite3_column_int(st, 0),
							 .n = (uint64_t)sqlite3_column_int64(st, 1) };
	sqlite3_reset(st);
	return rc;
}

int sqlite_book_query(struct conn *c, struct store_query *q)
{
	int got;

	switch ((enum store_query_kind)q->kind) {
	case Q_BOOK_GET:
		got = book_get(c, q->book, q->key, q->out);
		q->n = got > 0;
		return got;
	case Q_BOOK_KEYS:
		return book_keys(c, q);
	case Q_BOOK_COUNT:
		return book_count(c, q);
	default:
		return book_list(c, q);
	}
}
