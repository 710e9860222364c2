/* sqlite_rows.c - structs of rows.h as columns: SQL text, binding and reading from one description each.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What is read is checked against what we could have written: the database is input from outside, too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sqlite_int.h"

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
#define BLOB(S, F)    COL(S, F, COL_BLOB, false, 0)
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
static const struct col txn_cols[] = {
	KEY(txn_row, id),
	KEY(txn_row, campaign),
	KEY(txn_row, card),
	ENUM(txn_row, state, _TXN_STATES),
	UINT(txn_row, evidence),
	UINT(txn_row, por_status),
	UINT(txn_row, fail_class),
	UINT(txn_row, sw),
	UINT(txn_row, fail_code),
	UINT(txn_row, attempts),
	UINT(txn_row, sms_parts),
	UINT(txn_row, probes),
	UINT(txn_row, scripts),
	COL(txn_row, new_imsi, COL_TEXT, true, 0),
	COL(txn_row, new_msisdn, COL_TEXT, true, 0),
	TIME(txn_row, first_try_ms),
	TIME(txn_row, last_try_ms),
	TIME(txn_row, ended_ms),
	TEXT(txn_row, reason),
};
static const struct col cmd_cols[] = {
	KEY(cmd_row, id),	    KEY(cmd_row, txn),	       KEY(cmd_row, card),
	KEY(cmd_row, campaign),	    KEY(cmd_row, kind),	       ENUM(cmd_row, state, _CMD_STATES),
	UINT(cmd_row, kvn),	    UINT(cmd_row, generation), UINT(cmd_row, kic),
	UINT(cmd_row, kid),	    BLOB(cmd_row, spi),	       BLOB(cmd_row, tar),
	UINT(cmd_row, cc_len),	    UINT(cmd_row, segs),       UINT(cmd_row, hint),
	UINT(cmd_row, por_status),  UINT(cmd_row, apdus),      UINT(cmd_row, sw),
	UINT(cmd_row, silent),	    UINT(cmd_row, stalls),     UINT(cmd_row, epoch),
	UINT(cmd_row, attempt),	    UINT(cmd_row, concat_ref), UINT(cmd_row, packet_len),
	UINT(cmd_row, cntr),	    TIME(cmd_row, born_ms),    TIME(cmd_row, prepared_ms),
	TIME(cmd_row, sent_ms),	    TIME(cmd_row, ended_ms),   TIME(cmd_row, due_ms),
	TIME(cmd_row, deadline_ms),
};
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
static const struct col outbox_cols[] = {
	KEY(outbox_row, id),	   TEXT(outbox_row, kind),   TEXT(outbox_row, target),	TEXT(outbox_row, idem_key),
	UINT(outbox_row, attempt), TIME(outbox_row, due_ms), TIME(outbox_row, done_ms),
};

static const struct col book_cols[] = {
	KEY(book_row, book),   COL(book_row, key, COL_TEXT, true, 0),
	TIME(book_row, owner), /* all 64 bits of it */
	UINT(book_row, step),  UINT(book_row, version),
};

#define TABLE(N, C)                                      \
	{                                                \
		.name = N, .cols = C, .n = ARRAY_SIZE(C) \
	}
const struct table t_card = TABLE("card", card_cols);
const struct table t_keyset = TABLE("keyset", keyset_cols);
const struct table t_addr = TABLE("card_addr", addr_cols);
const struct table t_campaign = TABLE("campaign", campaign_cols);
const struct table t_txn = TABLE("txn", txn_cols);
const struct table t_cmd = TABLE("cmd", cmd_cols);
const struct table t_part = TABLE("por_part", part_cols);
const struct table t_story = TABLE("story", story_cols);
const struct table t_outbox = TABLE("outbox", outbox_cols);
const struct table t_book = TABLE("book", book_cols);

static const struct table *const tables[] = { &t_card, &t_keyset, &t_addr,  &t_campaign, &t_txn,
					      &t_cmd,  &t_part,	  &t_story, &t_outbox,	 &t_book };

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

void row_bind(const struct table *t, sqlite3_stmt *st, const void *row)
{
	const uint8_t *base = row;

	for (int i = 0; i < t->n; i++) {
		const struct col *c = &t->cols[i];
		const uint8_t *p = base + c->off;

		switch (c->type) {
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
	int rc = 0;

	for (int i = 0; i < t->n; i++) {
		const struct col *c = &t->cols[i];
		uint8_t *p = base + c->off;

		switch (c->type) {
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
			return conn_corrupt(conn, "column %s of table %s holds what was never written there", c->name,
					    t->name);
	}
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

static void put_cols(struct out *o, const struct table *t, char how)
{
	bool any = false;

	for (int i = 0; i < t->n; i++) {
		const struct col *c = &t->cols[i];
		char item[96];
		int len;

		if (how == '=' && c->key)
			continue;
		if (how == '?')
			len = snprintf(item, sizeof(item), "?%d", i + 1);
		else if (how == '=')
			len = snprintf(item, sizeof(item), "%s=?%d", c->name, i + 1);
		else if (how == ':')
			len = snprintf(item, sizeof(item), "%s", c->name);
		else
			len = snprintf(item, sizeof(item), "%s.%s", t->name, c->name);
		if (any)
			put(o, ",", 1);
		put(o, item, (size_t)len);
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
		len = strcspn(++tmpl, "}?=:");
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
