/* contract_fix.h - the store under contract, and the short words its tests are written in.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_CONTRACT_FIX_H
#define OTAGW_CONTRACT_FIX_H

#include <unistd.h>

#include "store_test.h"

/* ---- a store of the kind under test, which can be closed and opened again ---- */

static bool use_sqlite;

struct fix {
	char dir[64];
	struct store_mem_disk *disk;
	struct store *s;
	struct store_batch *b;
	struct card_bundle one;
};

static inline void open_it(struct fix *f)
{
	char err[256] = "";

	if (use_sqlite)
		f->s = store_sqlite_open(&(struct store_sqlite_cfg){ .dir = f->dir }, err, sizeof(err));
	else
		f->s = store_mem_open(f->disk, NULL);
	if (!f->s)
		fail_msg("%s", err);
}

static inline void reopen(struct fix *f)
{
	f->s->ops->close(f->s);
	open_it(f);
}

static inline int setup(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/otagw-store-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	f->disk = store_mem_disk_new();
	f->b = store_batch_new();
	open_it(f);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	static const char *const files[] = { "otagw.db", "otagw.db-wal", "otagw.db-shm", "otagw.lock" };
	struct fix *f = *state;
	char path[128];

	f->s->ops->close(f->s);
	store_batch_free(f->b);
	store_mem_disk_free(f->disk);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->dir, files[i]);
		unlink(path);
	}
	rmdir(f->dir);
	free(f);
	return 0;
}

/* ---- short words ---- */

static inline void *add(struct fix *f, enum store_op_kind kind, const void *row, const void *bytes, size_t len)
{
	struct store_op *op = store_batch_add(f->b, kind, row, bytes, len);

	assert_non_null(op);
	return op->row;
}

static inline int commit_rc(struct fix *f)
{
	return store_commit_wait(f->s, f->b);
}

static inline void commit(struct fix *f)
{
	assert_int_equal(commit_rc(f), STORE_OK);
	store_batch_reset(f->b);
}

/* One operation in a batch of its own: its rc.  The row is written back. */
static inline int one(struct fix *f, enum store_op_kind kind, void *row, const void *bytes, size_t len)
{
	int rc;

	store_batch_reset(f->b);
	add(f, kind, row, bytes, len);
	assert_int_equal(commit_rc(f), STORE_OK);
	memcpy(row, f->b->ops[0].row, store_row_size(kind));
	rc = f->b->ops[0].rc;
	store_batch_reset(f->b);
	return rc;
}

static inline uint64_t card_in(struct fix *f, unsigned n)
{
	struct store_card_insert in = card_make(n, 2);

	assert_int_equal(one(f, ST_CARD_INSERT, &in, NULL, 0), 0);
	assert_true(in.card.id > 0);
	return in.card.id;
}

static inline void campaign_in(struct fix *f, uint64_t id, const char *name, enum campaign_state state)
{
	struct campaign_row c = campaign_make(id, name, state);

	assert_int_equal(one(f, ST_CAMPAIGN_INSERT, &c, "profile", 7), 0);
}

static inline void campaign_state(struct fix *f, uint64_t id, const char *name, enum campaign_state state)
{
	struct campaign_row c = campaign_make(id, name, state);

	assert_int_equal(one(f, ST_CAMPAIGN_PUT, &c, NULL, 0), 0);
}

static inline struct txn_row txn_in(struct fix *f, uint64_t campaign, unsigned n, unsigned imsi)
{
	struct store_txn_plan p = plan_make(campaign, n, imsi);

	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), 0);
	return p.txn;
}

static inline const struct card_bundle *fetch(struct fix *f, uint64_t card)
{
	struct store_fetch q = { .by = FETCH_BY_ID, .card = card, .out = &f->one, .cap = 1 };

	assert_int_equal(store_fetch_wait(f->s, &q), STORE_OK);
	return q.n ? &f->one : NULL;
}

/* As for an operator. */
static inline const struct card_bundle *shown(struct fix *f, uint64_t card)
{
	struct store_query q = { .kind = Q_CARD, .id = card, .out = &f->one, .limit = 1 };

	assert_int_equal(store_query_wait(f->s, &q), STORE_OK);
	return q.n ? &f->one : NULL;
}

static inline uint64_t by_addr(struct fix *f, enum addr_type type, const char *digits, int64_t at_ms)
{
	struct store_fetch q = {
		.by = FETCH_BY_ADDR, .addr_type = (uint8_t)type, .at_ms = at_ms, .out = &f->one, .cap = 1
	};

	snprintf(q.digits, sizeof(q.digits), "%s", digits);
	assert_int_equal(store_fetch_wait(f->s, &q), STORE_OK);
	return q.n ? f->one.card.id : 0;
}

static inline unsigned query(struct fix *f, enum store_query_kind kind, uint64_t id, uint64_t *after, void *out,
			     unsigned limit)
{
	struct store_query q = {
		.kind = (uint8_t)kind, .id = id, .after = after ? *after : 0, .out = out, .limit = limit
	};

	assert_int_equal(store_query_wait(f->s, &q), STORE_OK);
	if (after)
		*after = q.last;
	return q.n;
}

static inline struct store_totals totals(struct fix *f)
{
	struct store_totals t;

	assert_int_equal(query(f, Q_TOTALS, 0, NULL, &t, 1), 1);
	return t;
}

#endif
