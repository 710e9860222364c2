/* store_batch.c - a batch of operations and its arena, error names, and the blocking helpers: what all backends share.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

#define CHUNK_FIRST ((size_t)16 * 1024)
#define CHUNK_MAX   ((size_t)1024 * 1024)
#define ALIGN(n)    (((n) + 7) & ~(size_t)7)

/* Chunks stand in a list from `first` on; batch.chunk is the one being filled.  They never move, so that pointers to
 * rows stay good while the batch grows. */
struct store_chunk {
	struct store_chunk *first, *next;
	size_t cap, used;
	uint64_t data[];
};

static const struct {
	int err;
	const char *text;
} errors[] = {
	{ STORE_OK, "ok" },
	{ STORE_E_BUSY, "store busy, try again" },
	{ STORE_E_FULL, "disk full" },
	{ STORE_E_IO, "store I/O error" },
	{ STORE_E_CORRUPT, "store damaged, not ours, or asked to break its own rules" },
	{ STORE_E_CLOSED, "store closed" },
	{ STORE_R_SAME, "already there with the same numbers" },
	{ STORE_R_DUP_ICCID, "ICCID already in use with other numbers" },
	{ STORE_R_DUP_IMSI, "IMSI already in use" },
	{ STORE_R_DUP_MSISDN, "MSISDN already in use" },
	{ STORE_R_NO_CARD, "no card with this ICCID" },
	{ STORE_R_NO_KEYSET, "card has no keyset of this key version" },
	{ STORE_R_OPEN_TXN, "card has an open transaction" },
	{ STORE_R_DUP_NAME, "campaign name already taken" },
	{ STORE_R_NOT_FOUND, "not found" },
	{ STORE_R_NO_MSISDN, "card has no MSISDN to send to" },
	{ STORE_R_IMSI_LEN, "new IMSI is not as long as the card's present one" },
	{ STORE_R_FILTERED, "not let through by the filter" },
	{ STORE_R_LATER_TXN, "a later campaign has had this card" },
	{ STORE_R_UPDATED, "already there, a keyset or the zone updated" },
	{ STORE_R_OLD_GENERATION, "a keyset of an older generation" },
	{ STORE_R_OTHER_KEYS, "other keys under the same generation" },
	{ STORE_R_KEYSETS_FULL, "card has as many key versions as are kept" },
	{ STORE_R_CHANGED, "changed meanwhile" },
	{ STORE_R_GONE, "card belongs to another operator" },
	{ STORE_R_QUARANTINE, "card is in quarantine" },
};

const char *store_strerror(int err)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].err == err)
			return errors[i].text;
	return "unknown store error";
}

const char *store_why_text(int err, const char *why)
{
	return *why ? why : store_strerror(err);
}

static const size_t row_sizes[] = {
	[ST_CARD_INSERT] = sizeof(struct store_card_insert),
	[ST_CARD_TAKE] = sizeof(struct store_card_insert),
	[ST_CARD_LEAVE] = sizeof(struct card_row),
	[ST_CARD_PUT] = sizeof(struct card_row),
	[ST_KEYSET_CNTR] = sizeof(struct keyset_row),
	[ST_ADDR_PUT] = sizeof(struct card_addr_row),
	[ST_CAMPAIGN_INSERT] = sizeof(struct campaign_row),
	[ST_CAMPAIGN_PUT] = sizeof(struct campaign_row),
	[ST_CAMPAIGN_DROP] = sizeof(struct campaign_row),
	[ST_TXN_PLAN] = sizeof(struct store_txn_plan),
	[ST_TXN_PUT] = sizeof(struct txn_row),
	[ST_CMD_PUT] = sizeof(struct cmd_row),
	[ST_WIRE_PUT] = sizeof(struct cmd_row),
	[ST_PART_PUT] = sizeof(struct part_row),
	[ST_PARTS_DROP] = sizeof(struct part_row),
	[ST_STORY_ADD] = sizeof(struct story_row),
	[ST_BOOK_PUT] = sizeof(struct book_row),
	[ST_BOOK_DROP] = sizeof(struct book_row),
	[ST_TRIM] = sizeof(struct store_trim),
	[ST_CARD_QUARANTINE] = sizeof(struct card_row),
	[ST_META_PUT] = sizeof(struct store_meta),
};
_Static_assert(sizeof(row_sizes) / sizeof(row_sizes[0]) == _ST_OPS, "every operation has its row");

size_t store_row_size(enum store_op_kind kind)
{
	return kind < _ST_OPS ? row_sizes[kind] : 0;
}

size_t store_query_row_size(enum store_query_kind kind)
{
	switch (kind) {
	case Q_CAMPAIGNS:
		return sizeof(struct campaign_row);
	case Q_CAMPAIGN_COUNTS:
		return sizeof(struct store_count);
	case Q_OPEN_CMDS:
		return sizeof(struct store_stub);
	case Q_REPORT:
		return sizeof(struct store_report);
	case Q_CARD:
		return sizeof(struct card_bundle);
	case Q_CARD_CMDS:
		return sizeof(struct cmd_row);
	case Q_CARD_STORY:
		return sizeof(struct store_story);
	case Q_CARDS:
		return sizeof(struct card_row);
	case Q_PROFILE:
	case Q_META:
	case Q_WIRE:
		return sizeof(struct store_blob);
	case Q_TOTALS:
		return sizeof(struct store_totals);
	case Q_BOOK_GET:
	case Q_BOOK_STEP:
	case Q_BOOK_OWNER:
	case Q_BOOK_KEYS:
		return sizeof(struct store_book);
	case Q_BOOK_COUNT:
		return sizeof(struct store_book_count);
	case _Q_KINDS:
		break;
	}
	return 0;
}

int store_txn_rank(uint8_t state, bool open, bool query)
{
	if (query)
		return open ? 2 : 1;
	return state == TXN_ACTIVE ? 3 : state == TXN_PLANNED ? 1 : 2;
}

int16_t store_plan_numbers(struct store_txn_plan *p, const char *imsi, const char *msisdn)
{
	size_t len = strlen(imsi), new_len = strlen(p->txn.new_imsi);

	snprintf(p->imsi, sizeof(p->imsi), "%s", imsi);
	snprintf(p->msisdn, sizeof(p->msisdn), "%s", msisdn);
	if (p->need_msisdn && !*msisdn)
		return STORE_R_NO_MSISDN;
	/* One lost digit would strand the card: networks have IMSIs of one length. */
	return len && new_len && len != new_len ? STORE_R_IMSI_LEN : 0;
}

struct store_batch *store_batch_new(void)
{
	struct store_batch *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	/* All ops at once, so that a pointer to an op stays good too; pages that are never used are never touched. */
	b->ops = malloc(STORE_BATCH_OPS_MAX * sizeof(*b->ops));
	b->ops_cap = STORE_BATCH_OPS_MAX;
	if (!b->ops) {
		free(b);
		return NULL;
	}
	return b;
}

void store_batch_free(struct store_batch *b)
{
	struct store_chunk *c, *next;

	if (!b)
		return;
	for (c = b->chunk ? b->chunk->first : NULL; c; c = next) {
		next = c->next;
		explicit_bzero(c->data, c->cap);
		free(c);
	}
	free(b->ops);
	free(b);
}

void store_batch_reset(struct store_batch *b)
{
	b->n = 0;
	b->batch_no = 0;
	b->dry_run = b->strict = b->rolled_back = false;
	if (b->chunk) {
		b->chunk = b->chunk->first;
		b->chunk->used = 0;
	}
}

static void *batch_alloc(struct store_batch *b, size_t len)
{
	struct store_chunk *c = b->chunk;
	uint8_t *p;

	len = ALIGN(len);
	while (!c || c->cap - c->used < len) {
		struct store_chunk *more = c ? c->next : NULL;

		if (!more) {
			size_t cap = c ? c->cap * 2 : CHUNK_FIRST;

			if (cap > CHUNK_MAX)
				cap = CHUNK_MAX;
			if (cap < len)
				cap = len;
			more = calloc(1, sizeof(*more) + cap);
			if (!more)
				return NULL;
			more->cap = cap;
			more->first = c ? c->first : more;
			if (c)
				c->next = more;
		}
		more->used = 0;
		b->chunk = c = more;
	}
	p = (uint8_t *)c->data + c->used;
	c->used += len;
	return p;
}

struct store_op *store_batch_add(struct store_batch *b, enum store_op_kind kind, const void *row, const void *bytes,
				 size_t bytes_len)
{
	size_t row_len = store_row_size(kind);
	struct store_op *op;
	uint8_t *p;

	if (b->n >= b->ops_cap || !row_len || bytes_len > UINT32_MAX)
		return NULL;
	p = batch_alloc(b, ALIGN(row_len) + bytes_len);
	if (!p)
		return NULL;
	op = &b->ops[b->n++];
	*op = (struct store_op){ .kind = kind, .bytes_len = (uint32_t)bytes_len, .row = p };
	memcpy(p, row, row_len);
	if (bytes_len) {
		op->bytes = p + ALIGN(row_len);
		memcpy(op->bytes, bytes, bytes_len);
	}
	return op;
}

bool store_batch_refused(struct store_batch *b)
{
	b->rolled_back = false;
	for (size_t i = 0; b->strict && i < b->n && !b->rolled_back; i++) {
		int16_t rc = b->ops[i].rc;

		b->rolled_back = rc && rc != STORE_R_SAME && rc != STORE_R_UPDATED;
	}
	return b->rolled_back;
}

bool store_book_ok(const struct book_row *row, uint32_t len)
{
	return *row->key && memchr(row->key, 0, sizeof(row->key)) && len <= BOOK_BODY_MAX;
}

/* ---- blocking helpers: the request's own done and ctx are lent to a waiter and given back ---- */

struct waiter {
	bool done;
	int rc;
};

static void wait_commit(struct store_batch *b, int rc)
{
	*(struct waiter *)b->ctx = (struct waiter){ .done = true, .rc = rc };
}

static void wait_query(struct store_query *q, int rc)
{
	*(struct waiter *)q->ctx = (struct waiter){ .done = true, .rc = rc };
}

static void wait_fetch(struct store_fetch *f, int rc)
{
	*(struct waiter *)f->ctx = (struct waiter){ .done = true, .rc = rc };
}

static void wait_for(struct store *s, const struct waiter *w)
{
	while (!w->done) {
		s->ops->wait(s);
		s->ops->poll(s);
	}
}

int store_commit_wait(struct store *s, struct store_batch *b)
{
	void (*done)(struct store_batch *, int) = b->done;
	void *ctx = b->ctx;
	struct waiter w = { 0 };

	b->done = wait_commit;
	b->ctx = &w;
	s->ops->commit(s, b);
	wait_for(s, &w);
	b->done = done;
	b->ctx = ctx;
	return w.rc;
}

int store_query_wait(struct store *s, struct store_query *q)
{
	void (*done)(struct store_query *, int) = q->done;
	void *ctx = q->ctx;
	struct waiter w = { 0 };

	q->done = wait_query;
	q->ctx = &w;
	s->ops->query(s, q);
	wait_for(s, &w);
	q->done = done;
	q->ctx = ctx;
	return w.rc;
}

int store_fetch_wait(struct store *s, struct store_fetch *f)
{
	void (*done)(struct store_fetch *, int) = f->done;
	void *ctx = f->ctx;
	struct waiter w = { 0 };

	f->done = wait_fetch;
	f->ctx = &w;
	s->ops->fetch(s, f);
	wait_for(s, &w);
	f->done = done;
	f->ctx = ctx;
	return w.rc;
}
