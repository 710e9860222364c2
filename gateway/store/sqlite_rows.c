/* sqlite_rows.c - structs of rows.h as columns: SQL text, binding and reading from one description each.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What is read is checked against what we could have written: the database is input from outside, too.
 *
 * Of a row that is written several times per command, what nobody asks SQL for stands in one blob, `rest`: each column
 * costs SQLite some 200 instructions at each write, whether it has changed or not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ota/rd.h"
#include "ota/wr.h"
#include "sqlite_int.h"

#define PACK_MAX 512 /* octets of a `rest` */

#define COL(S, F, T, K, M)                                                                                         \
	{                                                                                                          \
		.name = #F, .off = offsetof(struct S, F), .size = sizeof(((struct S *)0)->F), .type = T, .key = K, \
		.max = M                                                                                           \
	}
#define KEY(S, F)     COL(S, F, COL_UINT, true, 0)
#define UINT(S, F)    COL(S, F, COL_UINT, false, 0)
#define TIME(S, F)    COL(S, F, COL_INT, false, 0)
#define ENUM(S, F, N) COL(S, F, COL_UINT, false, (N)-1)
#define TEXT(S, F)    COL(S, F, COL_TEXT, false, 0)
#define IN_REST(S, F, T)                                                                                 \
	{                                                                                                \
		.name = #F, .off = offsetof(struct S, F), .size = sizeof(((struct S *)0)->F), .type = T, \
		.packed = true                                                                           \
	}
#define RUINT(S, F) IN_REST(S, F, COL_UINT)
#define RTIME(S, F) IN_REST(S, F, COL_INT)
#define RTEXT(S, F) IN_REST(S, F, COL_TEXT)
#define RBLOB(S, F) IN_REST(S, F, COL_BLOB)
#define VBLOB(S, F, L)                                                                                           \
	{                                                                                                        \
		.name = #F, .off = offsetof(struct S, F), .size = sizeof(((struct S *)0)->F), .type = COL_VBLOB, \
		.len_off = offsetof(struct S, L), .len_size = sizeof(((struct S *)0)->L)                         \
	}

static const struct col card_cols[] = {
	KEY(card_row, id),
	COL(card_row, iccid, COL_TEXT, true, 0),
	TEXT(card_row, imsi),
	TEXT(card_row, msisdn),
	TIME(card_row, last_seen_ms),
	TIME(card_row, created_ms),
	COL(card_row, tz_min, COL_INT, true, 0),
	COL(card_row, profile, COL_TEXT, true, 0),
	COL(card_row, gone_ms, COL_INT, true, 0),
	COL(card_row, moves, COL_UINT, true, 0),
	COL(card_row, quarantine_ms, COL_INT, true, 0),
};
static const struct col keyset_cols[] = {
	KEY(keyset_row, card),	   KEY(keyset_row, kvn),
	UINT(keyset_row, kic_alg), UINT(keyset_row, kid_alg),
	UINT(keyset_row, cc_len),  UINT(keyset_row, generation),
	UINT(keyset_row, cntr),	   UINT(keyset_row, cntr_proven),
	UINT(keyset_row, epoch),   VBLOB(keyset_row, sealed, sealed_len),
};
static const struct col addr_cols[] = {
	KEY(card_addr_row, type),	  COL(card_addr_row, digits, COL_TEXT, true, 0),
	KEY(card_addr_row, card),	  TIME(card_addr_row, valid_from_ms),
	TIME(card_addr_row, valid_to_ms),
};
static const struct col campaign_cols[] = {
	KEY(campaign_row, id),
	COL(campaign_row, name, COL_TEXT, true, 0),
	ENUM(campaign_row, state, _CAMPAIGN_STATES),
	KEY(campaign_row, kind),
	ENUM(campaign_row, open_ended, 2),
	TEXT(campaign_row, profile),
	UINT(campaign_row, targets),
	UINT(campaign_row, txn_cursor),
	TIME(campaign_row, created_ms),
	TIME(campaign_row, started_ms),
	TIME(campaign_row, ended_ms),
	TIME(campaign_row, deadline_ms),
	TEXT(campaign_row, rules),
	TIME(campaign_row, canary_ms),
	TEXT(campaign_row, tally),
	TEXT(campaign_row, stop_reason),
};
/* A new field goes to the end: what a row's `rest` does not reach is 0. */
static const struct col txn_cols[] = {
	KEY(txn_row, id),
	KEY(txn_row, campaign),
	KEY(txn_row, card),
	ENUM(txn_row, state, _TXN_STATES),
	UINT(txn_row, scripts),
	COL(txn_row, new_imsi, COL_TEXT, true, 0),
	COL(txn_row, new_msisdn, COL_TEXT, true, 0),
	RUINT(txn_row, evidence),
	RUINT(txn_row, por_status),
	RUINT(txn_row, fail_class),
	RUINT(txn_row, sw),
	RUINT(txn_row, fail_code),
	RUINT(txn_row, attempts),
	RUINT(txn_row, sms_parts),
	RUINT(txn_row, probes),
	RTIME(txn_row, first_try_ms),
	RTIME(txn_row, last_try_ms),
	RTIME(txn_row, ended_ms),
	RTEXT(txn_row, reason),
	RUINT(txn_row, kvn),
	RUINT(txn_row, verdict),
	RUINT(txn_row, card_end),
	RUINT(txn_row, maybe_moved),
};
static const struct col cmd_cols[] = {
	KEY(cmd_row, id),
	KEY(cmd_row, txn),
	KEY(cmd_row, card),
	KEY(cmd_row, campaign),
	KEY(cmd_row, kind),
	ENUM(cmd_row, state, _CMD_STATES),
	UINT(cmd_row, kvn),
	UINT(cmd_row, generation),
	UINT(cmd_row, epoch),
	UINT(cmd_row, cntr),
	TIME(cmd_row, ended_ms),
	RUINT(cmd_row, kic),
	RUINT(cmd_row, kid),
	RBLOB(cmd_row, spi),
	RBLOB(cmd_row, tar),
	RUINT(cmd_row, cc_len),
	RUINT(cmd_row, segs),
	RUINT(cmd_row, hint),
	RUINT(cmd_row, por_status),
	RUINT(cmd_row, apdus),
	RUINT(cmd_row, sw),
	RUINT(cmd_row, silent),
	RUINT(cmd_row, stalls),
	RUINT(cmd_row, attempt),
	RUINT(cmd_row, concat_ref),
	RUINT(cmd_row, packet_len),
	RTIME(cmd_row, born_ms),
	RTIME(cmd_row, prepared_ms),
	RTIME(cmd_row, sent_ms),
	RTIME(cmd_row, due_ms),
	RTIME(cmd_row, deadline_ms),
};
static const struct col wire_cols[] = { KEY(cmd_row, id) }; /* of an operation: its packet is not in the row */
static const struct col part_cols[] = {
	KEY(part_row, card), KEY(part_row, ref),    KEY(part_row, iei),	      UINT(part_row, total),
	KEY(part_row, seq),  TIME(part_row, at_ms), VBLOB(part_row, ud, len),
};
static const struct col story_cols[] = {
	KEY(story_row, id),
	KEY(story_row, card),
	KEY(story_row, cmd),
	TIME(story_row, at_ms),
	ENUM(story_row, kind, _STORY_KINDS),
	TEXT(story_row, text),
};

static const struct col book_cols[] = {
	KEY(book_row, book),   COL(book_row, key, COL_TEXT, true, 0),
	TIME(book_row, owner), /* all 64 bits of it */
	UINT(book_row, step),  UINT(book_row, version),
};

#define TABLE(N, C)                                                              \
	{                                                                        \
		.name = N, .cols = C, .n = ARRAY_SIZE(C), .plain = ARRAY_SIZE(C) \
	}
#define TABLE_REST(N, C, PLAIN)                                          \
	{                                                                \
		.name = N, .cols = C, .n = ARRAY_SIZE(C), .plain = PLAIN \
	}
const struct table t_card = TABLE("card", card_cols);
const struct table t_keyset = TABLE("keyset", keyset_cols);
const struct table t_addr = TABLE("card_addr", addr_cols);
const struct table t_campaign = TABLE("campaign", campaign_cols);
const struct table t_txn = TABLE_REST("txn", txn_cols, 7);
const struct table t_cmd = TABLE_REST("cmd", cmd_cols, 11);
const struct table t_wire = TABLE("cmd_wire", wire_cols);
const struct table t_part = TABLE("por_part", part_cols);
const struct table t_story = TABLE("story", story_cols);
const struct table t_book = TABLE("book", book_cols);

static const struct table *const tables[] = { &t_card, &t_keyset, &t_addr, &t_campaign, &t_txn,
					      &t_cmd,  &t_wire,	  &t_part, &t_story,	&t_book };

static uint64_t uint_get(const uint8_t *p, size_t size)
{
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	switch (size) {
	case 1:
		return *p;
	case 2:
		memcpy(&v16, p, 2);
		return v16;
	case 4:
		memcpy(&v32, p, 4);
		return v32;
	default:
		memcpy(&v64, p, 8);
		return v64;
	}
}

static void uint_put(uint8_t *p, size_t size, uint64_t v)
{
	uint16_t v16 = (uint16_t)v;
	uint32_t v32 = (uint32_t)v;

	switch (size) {
	case 1:
		*p = (uint8_t)v;
		break;
	case 2:
		memcpy(p, &v16, 2);
		break;
	case 4:
		memcpy(p, &v32, 4);
		break;
	default:
		memcpy(p, &v, 8);
	}
}

/* ---- what stands in `rest`, column after column ----
 * Numbers 7 bits an octet, the low ones first.  Times one after the other: 0 for not yet, else how far from the one before,
 * there or back.  Texts with their length before them. */

static void var_put(struct wr *w, uint64_t v)
{
	while (v > 0x7f) {
		wr_u8(w, (uint8_t)(v | 0x80));
		v >>= 7;
	}
	wr_u8(w, (uint8_t)v);
}

static uint64_t var_get(struct rd *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t octet = rd_u8(r);

		if (shift == 63 && octet > 1)
			break;
		v |= (uint64_t)(octet & 0x7f) << shift;
		if (octet < 0x80)
			return v;
	}
	r->bad = true;
	return 0;
}

static uint64_t time_code(uint64_t at, uint64_t before)
{
	uint64_t d = at - before;

	return at ? 1 + (d << 1 ^ -(d >> 63)) : 0;
}

static uint64_t time_of(uint64_t code, uint64_t before)
{
	uint64_t z = code - 1;

	return code ? before + (z >> 1 ^ -(z & 1)) : 0;
}

static size_t rest_pack(const struct table *t, const void *row, uint8_t *out)
{
	struct wr w = wr_init(out, PACK_MAX);
	const uint8_t *base = row;
	uint64_t v, before = 0;

	for (int i = t->plain; i < t->n; i++) {
		const struct col *c = &t->cols[i];
		const uint8_t *p = base + c->off;

		switch ((enum col_type)c->type) {
		case COL_UINT:
			var_put(&w, uint_get(p, c->size));
			break;
		case COL_INT:
			v = uint_get(p, c->size);
			var_put(&w, time_code(v, before));
			before = v ? v : before;
			break;
		case COL_TEXT:
			v = strnlen((const char *)p, c->size - 1U);
			var_put(&w, v);
			wr_bytes(&w, p, v);
			break;
		case COL_BLOB:
			wr_bytes(&w, p, c->size);
			break;
		case COL_VBLOB:
			w.bad = true;
			break;
		}
	}
	if (w.bad)
		abort(); /* our own table: PACK_MAX is too small, or a column of a kind that is not packed */
	return wr_len(&w);
}

static bool rest_text(struct rd *r, char *out, size_t cap)
{
	uint64_t len = var_get(r);
	const uint8_t *text = len < cap ? rd_bytes(r, len) : NULL;

	if (!text || memchr(text, 0, len))
		return false;
	memcpy(out, text, len);
	memset(out + len, 0, cap - len);
	return true;
}

/* The column that cannot be, or NULL. */
static const struct col *rest_unpack(const struct table *t, struct rd r, void *row)
{
	uint8_t *base = row;
	uint64_t v, before = 0;

	for (int i = t->plain; i < t->n; i++) {
		const struct col *c = &t->cols[i];
		uint8_t *p = base + c->off;
		const uint8_t *from;
		bool good = true;

		if (!rd_left(&r)) { /* of before this column was there */
			memset(p, 0, c->size);
			continue;
		}
		switch ((enum col_type)c->type) {
		case COL_UINT:
			v = var_get(&r);
			good = c->size == 8 ? v <= INT64_MAX : v < 1ULL << 8 * c->size;
			uint_put(p, c->size, v);
			break;
		case COL_INT:
			v = time_of(var_get(&r), before);
			uint_put(p, c->size, v);
			before = v ? v : before;
			break;
		case COL_TEXT:
			good = rest_text(&r, (char *)p, c->size);
			break;
		case COL_BLOB:
			from = rd_bytes(&r, c->size);
			if (from)
				memcpy(p, from, c->size);
			break;
		case COL_VBLOB:
			good = false;
			break;
		}
		if (!good || r.bad)
			return c;
	}
	return rd_left(&r) ? &t->cols[t->n - 1] : NULL;
}

void row_bind(const struct table *t, sqlite3_stmt *st, const void *row)
{
	static _Thread_local uint8_t rest[PACK_MAX];
	const uint8_t *base = row;

	for (int i = 0; i < t->plain; i++) {
		const struct col *c = &t->cols[i];
		const uint8_t *p = base + c->off;

		switch ((enum col_type)c->type) {
		case COL_UINT:
		case COL_INT:
			sqlite3_bind_int64(st, i + 1, (sqlite3_int64)uint_get(p, c->size));
			break;
		case COL_TEXT:
			sqlite3_bind_text(st, i + 1, (const char *)p, (int)strnlen((const char *)p, c->size - 1U),
					  SQLITE_STATIC);
			break;
		case COL_BLOB:
			sqlite3_bind_blob(st, i + 1, p, c->size, SQLITE_STATIC);
			break;
		case COL_VBLOB: {
			uint64_t len = uint_get(base + c->len_off, c->len_size);

			sqlite3_bind_blob(st, i + 1, p, (int)(len < c->size ? len : c->size), SQLITE_STATIC);
			break;
		}
		}
	}
	if (t->plain < t->n)
		sqlite3_bind_blob(st, t->plain + 1, rest, (int)rest_pack(t, row, rest), SQLITE_STATIC);
}

void row_result(const struct table *t, sqlite3_context *x, const void *row, int i)
{
	static _Thread_local uint8_t rest[PACK_MAX];
	const uint8_t *base = row, *p;
	const struct col *c;
	uint64_t len;

	if (i == t->plain) {
		sqlite3_result_blob(x, rest, (int)rest_pack(t, row, rest), SQLITE_STATIC);
		return;
	}
	c = &t->cols[i];
	p = base + c->off;
	switch ((enum col_type)c->type) {
	case COL_UINT:
	case COL_INT:
		sqlite3_result_int64(x, (sqlite3_int64)uint_get(p, c->size));
		break;
	case COL_TEXT:
		sqlite3_result_text(x, (const char *)p, (int)strnlen((const char *)p, c->size - 1U), SQLITE_STATIC);
		break;
	case COL_BLOB:
		sqlite3_result_blob(x, p, c->size, SQLITE_STATIC);
		break;
	case COL_VBLOB:
		len = uint_get(base + c->len_off, c->len_size);
		sqlite3_result_blob(x, p, (int)(len < c->size ? len : c->size), SQLITE_STATIC);
		break;
	}
}

int text_read(sqlite3_stmt *st, int i, char *out, size_t cap)
{
	const char *text = (const char *)sqlite3_column_text(st, i);
	size_t len = (size_t)sqlite3_column_bytes(st, i);

	if (!text || len >= cap || memchr(text, 0, len))
		return STORE_E_CORRUPT;
	memcpy(out, text, len);
	memset(out + len, 0, cap - len);
	return 0;
}

int blob_read(sqlite3_stmt *st, int i, uint8_t *out, size_t cap)
{
	const void *blob = sqlite3_column_blob(st, i);
	size_t len = (size_t)sqlite3_column_bytes(st, i);

	if (len > cap)
		return STORE_E_CORRUPT;
	if (len)
		memcpy(out, blob, len);
	return (int)len;
}

static int uint_read(const struct col *c, sqlite3_stmt *st, int i, uint8_t *p)
{
	sqlite3_int64 v = sqlite3_column_int64(st, i);
	uint64_t max = c->max ? c->max : c->size < 8 ? (1ULL << 8 * c->size) - 1 : INT64_MAX;

	if (v < 0 || (uint64_t)v > max)
		return STORE_E_CORRUPT;
	uint_put(p, c->size, (uint64_t)v);
	return 0;
}

int row_read(struct conn *conn, const struct table *t, sqlite3_stmt *st, int first, void *row)
{
	uint8_t *base = row;
	const struct col *bad = NULL;
	int rc = 0;

	for (int i = 0; i < t->plain && !bad; i++) {
		const struct col *c = &t->cols[i];
		uint8_t *p = base + c->off;

		switch ((enum col_type)c->type) {
		case COL_UINT:
			rc = uint_read(c, st, first + i, p);
			break;
		case COL_INT:
			uint_put(p, 8, (uint64_t)sqlite3_column_int64(st, first + i));
			break;
		case COL_TEXT:
			rc = text_read(st, first + i, (char *)p, c->size);
			break;
		case COL_BLOB:
			rc = blob_read(st, first + i, p, c->size);
			if (rc >= 0 && rc != c->size)
				rc = STORE_E_CORRUPT;
			break;
		case COL_VBLOB:
			rc = blob_read(st, first + i, p, c->size);
			if (rc >= 0)
				uint_put(base + c->len_off, c->len_size, (uint64_t)rc);
			break;
		}
		if (rc < 0)
			bad = c;
	}
	if (!bad && t->plain < t->n) {
		const uint8_t *rest = sqlite3_column_blob(st, first + t->plain);

		bad = rest_unpack(t, rd_init(rest, (size_t)sqlite3_column_bytes(st, first + t->plain)), row);
	}
	if (bad)
		return conn_corrupt(conn, "column %s of table %s holds what was never written there", bad->name,
				    t->name);
	return 0;
}

/* ---- SQL text ---- */

struct out {
	char *p;
	size_t n;
};

static void put(struct out *o, const char *text, size_t len)
{
	if (o->n + len >= SQL_TEXT_MAX)
		abort(); /* our own text: SQL_TEXT_MAX is too small */
	memcpy(o->p + o->n, text, len);
	o->n += len;
	o->p[o->n] = 0;
}

static void put_col(struct out *o, const char *table, const struct col *c, int at, char how)
{
	const char *name = c ? c->name : "rest";
	char item[96];
	int len;

	switch (how) {
	case '?':
		len = snprintf(item, sizeof(item), "?%d", at);
		break;
	case '=':
		len = snprintf(item, sizeof(item), "%s=?%d", name, at);
		break;
	case '<':
		len = snprintf(item, sizeof(item), "%s=excluded.%s", name, name);
		break;
	case ':':
		len = snprintf(item, sizeof(item), "%s", name);
		break;
	case '0': /* all of a key but its first column stands for nothing */
		len = snprintf(item, sizeof(item), "%s",
			       !c || !c->key || at == 1 ? name :
			       c->type == COL_TEXT	? "''" :
							  "0");
		break;
	default:
		len = snprintf(item, sizeof(item), "%s.%s", table, name);
	}
	put(o, item, (size_t)len);
}

static void put_cols(struct out *o, const struct table *t, char how)
{
	bool any = false;

	for (int i = 0; i < table_width(t); i++) {
		bool rest = i == t->plain;

		if (i < t->n && t->cols[i].packed != rest)
			abort(); /* our own table: its packed columns are not the last ones */
		if ((how == '=' || how == '<') && !rest && t->cols[i].key)
			continue;
		if (any)
			put(o, ",", 1);
		put_col(o, t->name, rest ? NULL : &t->cols[i], i + 1, how);
		any = true;
	}
}

void sql_expand(char out[SQL_TEXT_MAX], const char *tmpl)
{
	struct out o = { .p = out };

	while (*tmpl) {
		size_t len = strcspn(tmpl, "{");
		const struct table *t = NULL;
		char how;

		put(&o, tmpl, len);
		tmpl += len;
		if (!*tmpl)
			return;
		len = strcspn(++tmpl, "}?=:<0");
		for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
			if (strlen(tables[i]->name) == len && !memcmp(tables[i]->name, tmpl, len))
				t = tables[i];
		if (!t)
			abort(); /* our own text names a table that has no description */
		how = tmpl[len];
		put_cols(&o, t, how);
		tmpl += len + (how == '}' ? 1 : 2);
	}
}
