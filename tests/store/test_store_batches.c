/* test_store_batches.c - what a store promises of batches and completions, asked of every backend: numbers, order, failures, closing.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "contract_fix.h"

/* ---- batches ---- */

static void test_batch_no(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_in(f, 1);
	struct card_row row = fetch(f, card)->card;

	assert_int_equal(totals(f).max_batch, 0);
	row.last_seen_ms = 1;
	add(f, ST_CARD_PUT, &row, NULL, 0);
	f->b->batch_no = 5;
	assert_int_equal(commit_rc(f), STORE_OK);
	assert_int_equal(totals(f).max_batch, 5);
	/* the last one once more, after an unclear outcome: done already */
	store_batch_reset(f->b);
	row.last_seen_ms = 2;
	add(f, ST_CARD_PUT, &row, NULL, 0);
	f->b->batch_no = 5;
	assert_int_equal(commit_rc(f), STORE_OK);
	assert_int_equal(fetch(f, card)->card.last_seen_ms, 1);
	f->b->batch_no = 4;
	assert_int_equal(commit_rc(f), STORE_E_CORRUPT);
	reopen(f);
	assert_int_equal(totals(f).max_batch, 5);
	f->b->batch_no = 5;
	assert_int_equal(commit_rc(f), STORE_OK);
	assert_int_equal(fetch(f, card)->card.last_seen_ms, 1);
	f->b->batch_no = 9;
	assert_int_equal(commit_rc(f), STORE_OK);
	assert_int_equal(fetch(f, card)->card.last_seen_ms, 2);
	/* an intake's batch leaves the number alone */
	f->b->batch_no = 0;
	assert_int_equal(commit_rc(f), STORE_OK);
	assert_int_equal(totals(f).max_batch, 9);
}

struct seen {
	unsigned n;
	int rc[16];
	const void *what[16];
};

static void saw_batch(struct store_batch *b, int rc)
{
	struct seen *s = b->ctx;

	s->what[s->n] = b;
	s->rc[s->n++] = rc;
}

static void saw_fetch(struct store_fetch *q, int rc)
{
	struct seen *s = q->ctx;

	s->what[s->n] = q;
	s->rc[s->n++] = rc;
}

/* A fetch sees every commit submitted before it, and completions come in that order, none before poll(). */
static void test_order(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_in(f, 1);
	struct card_row row = fetch(f, card)->card;
	struct store_batch *b[3];
	static struct card_bundle out[3];
	struct store_fetch q[3];
	struct seen seen = { 0 };

	for (unsigned i = 0; i < 3; i++) {
		b[i] = store_batch_new();
		row.last_seen_ms = i + 1;
		assert_non_null(store_batch_add(b[i], ST_CARD_PUT, &row, NULL, 0));
		b[i]->batch_no = i + 1;
		b[i]->done = saw_batch;
		b[i]->ctx = &seen;
		f->s->ops->commit(f->s, b[i]);
		q[i] = (struct store_fetch){
			.by = FETCH_BY_ID, .card = card, .out = &out[i], .cap = 1, .done = saw_fetch, .ctx = &seen
		};
		f->s->ops->fetch(f->s, &q[i]);
	}
	assert_int_equal(seen.n, 0);
	while (seen.n < 6) {
		f->s->ops->wait(f->s);
		f->s->ops->poll(f->s);
	}
	for (unsigned i = 0; i < 3; i++) {
		assert_ptr_equal(seen.what[2 * i], b[i]);
		assert_ptr_equal(seen.what[2 * i + 1], &q[i]);
		assert_int_equal(out[i].card.last_seen_ms, i + 1);
		store_batch_free(b[i]);
	}
}

/* Behind a numbered batch that fails, those submitted before its done() are not carried out either. */
static void test_failed_order(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_in(f, 1);
	struct card_row row = fetch(f, card)->card;
	struct cmd_row c = cmd_make(1, card, CMD_PREPARED);
	struct store_batch *b[3];
	struct seen seen = { 0 };

	assert_int_equal(one(f, ST_WIRE_PUT, &c, "abc", 3), 0);
	for (unsigned i = 0; i < 3; i++) {
		b[i] = store_batch_new();
		row.last_seen_ms = i + 1;
		assert_non_null(store_batch_add(b[i], ST_CARD_PUT, &row, NULL, 0));
		if (i == 1)
			assert_non_null(store_batch_add(b[i], ST_WIRE_PUT, &c, "abd", 3));
		b[i]->batch_no = i + 1;
		b[i]->done = saw_batch;
		b[i]->ctx = &seen;
		f->s->ops->commit(f->s, b[i]);
	}
	while (seen.n < 3) {
		f->s->ops->wait(f->s);
		f->s->ops->poll(f->s);
	}
	assert_int_equal(seen.rc[0], STORE_OK);
	assert_int_equal(seen.rc[1], STORE_E_CORRUPT);
	assert_int_equal(seen.rc[2], STORE_E_BUSY);
	assert_int_equal(fetch(f, card)->card.last_seen_ms, 1);
	assert_int_equal(totals(f).max_batch, 1);
	/* told of it, the caller goes on as it sees fit */
	assert_int_equal(store_commit_wait(f->s, b[2]), STORE_OK);
	assert_int_equal(fetch(f, card)->card.last_seen_ms, 3);
	for (unsigned i = 0; i < 3; i++)
		store_batch_free(b[i]);
}

/* Cards in any order, several operations each: what was last for a card counts. */
static void test_shuffled(void **state)
{
	struct fix *f = *state;
	enum { CARDS = 200 };
	struct cmd_row c;

	for (unsigned n = 0; n < CARDS; n++) {
		struct store_card_insert in = card_make(n, 1);

		add(f, ST_CARD_INSERT, &in, NULL, 0);
	}
	commit(f);
	for (unsigned i = 0; i < CARDS * 5; i++) {
		uint64_t card = (i * 7919ULL) % CARDS + 1;
		struct keyset_row k = { .card = card, .kvn = 1, .generation = GEN0, .cntr = 1000 + i };

		c = cmd_make(card, card, i < CARDS * 4 ? CMD_PREPARED : CMD_SENT);
		c.attempt = (uint16_t)(i / CARDS);
		add(f, ST_CMD_PUT, &c, NULL, 0);
		add(f, ST_KEYSET_CNTR, &k, NULL, 0);
	}
	commit(f);
	for (uint64_t card = 1; card <= CARDS; card++) {
		const struct card_bundle *b = fetch(f, card);

		assert_int_equal(b->n_cmds, 1);
		assert_int_equal(b->cmd[0].state, CMD_SENT);
		assert_int_equal(b->cmd[0].attempt, 4);
		assert_true(b->keyset[0].cntr >= 1000 + CARDS * 4);
	}
}

static void test_batch_full(void **state)
{
	struct fix *f = *state;
	struct card_row row = { .id = 1 };
	struct store_op *first = store_batch_add(f->b, ST_CARD_PUT, &row, NULL, 0);
	void *first_row = first->row;

	for (unsigned i = 1; i < STORE_BATCH_OPS_MAX; i++)
		assert_non_null(store_batch_add(f->b, ST_CARD_PUT, &row, NULL, 0));
	assert_null(store_batch_add(f->b, ST_CARD_PUT, &row, NULL, 0));
	assert_ptr_equal(first, &f->b->ops[0]);
	assert_ptr_equal(first->row, first_row);
	assert_int_equal(commit_rc(f), 0);
	assert_int_equal(first->rc, STORE_R_NOT_FOUND);
	store_batch_reset(f->b);
	assert_int_equal(f->b->n, 0);
	commit(f); /* an empty one is fine */
}

static void test_reopen(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_in(f, 1);
	static struct card_bundle before;
	struct cmd_row c = cmd_make(1, card, CMD_WAIT_PRESENCE);
	struct part_row p = { .card = card, .ref = 5, .total = 3, .seq = 2, .at_ms = T0, .len = 3, .ud = { 1, 2, 3 } };

	campaign_in(f, 1, "one", CAMPAIGN_RUNNING);
	txn_in(f, 1, 1, 1);
	assert_int_equal(one(f, ST_CMD_PUT, &c, NULL, 0), 0);
	assert_int_equal(one(f, ST_WIRE_PUT, &c, "packet", 6), 0);
	assert_int_equal(one(f, ST_PART_PUT, &p, NULL, 0), 0);
	before = *fetch(f, card);
	reopen(f);
	assert_memory_equal(fetch(f, card), &before, sizeof(before));
	assert_int_equal(before.packet_len, 6);
	assert_int_equal(before.n_parts, 1);
	assert_int_equal(by_addr(f, ADDR_IMSI, "001010000000001", T0), card);
}

/* close() answers what was submitted. */
static void test_close_answers(void **state)
{
	struct fix *f = *state;
	struct store_card_insert in = card_make(1, 1);
	struct seen seen = { 0 };

	add(f, ST_CARD_INSERT, &in, NULL, 0);
	f->b->done = saw_batch;
	f->b->ctx = &seen;
	f->s->ops->commit(f->s, f->b);
	f->s->ops->close(f->s);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.rc[0], STORE_OK);
	open_it(f);
	assert_int_equal(totals(f).cards, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_batch_no),   T(test_order),  T(test_failed_order),  T(test_shuffled),
		T(test_batch_full), T(test_reopen), T(test_close_answers),
	};
	int rc = cmocka_run_group_tests_name("memory", tests, NULL, NULL);

	use_sqlite = true;
	return rc + cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
}
