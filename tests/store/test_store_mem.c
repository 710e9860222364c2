/* test_store_mem.c - what the simulator asks of the memory backend: delays, faults, power failure.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "store_test.h"

#define EVENTS_MAX 64

/* A clock, a list of delays to give out, a fault to come, and what was done in which order. */
struct world {
	int64_t now_ms;
	int64_t delay[EVENTS_MAX];
	unsigned delays, fault_at, commits, kept;
	int fault;
	unsigned n;
	const void *what[EVENTS_MAX];
	int rc[EVENTS_MAX];
};

static int64_t hook_delay(void *ctx, const char *what, struct store_batch *b)
{
	struct world *w = ctx;

	assert_true(!strcmp(what, "commit") == !!b);
	return w->delay[w->delays++];
}

static int hook_fault(void *ctx, struct store_batch *b)
{
	struct world *w = ctx;

	return ++w->commits == w->fault_at ? w->fault : STORE_OK;
}

static int64_t hook_now(void *ctx)
{
	return ((struct world *)ctx)->now_ms;
}

static struct store *open_in(struct store_mem_disk *d, struct world *w)
{
	struct store_mem_hooks hooks = { .delay = hook_delay, .fault = hook_fault, .now_ms = hook_now, .ctx = w };

	return store_mem_open(d, &hooks);
}

static void saw(struct world *w, const void *what, int rc)
{
	w->what[w->n] = what;
	w->rc[w->n++] = rc;
}

static void saw_batch(struct store_batch *b, int rc)
{
	saw(b->ctx, b, rc);
}

static void saw_fetch(struct store_fetch *f, int rc)
{
	saw(f->ctx, f, rc);
}

static void saw_query(struct store_query *q, int rc)
{
	saw(q->ctx, q, rc);
}

/* Batch no: card number no is made. */
static struct store_batch *batch_of(struct world *w, unsigned no)
{
	struct store_batch *b = store_batch_new();
	struct store_card_insert in = card_make(no, 1);

	assert_non_null(store_batch_add(b, ST_CARD_INSERT, &in, NULL, 0));
	b->batch_no = no;
	b->done = saw_batch;
	b->ctx = w;
	return b;
}

static struct store_totals totals_of(struct store_mem_disk *d)
{
	struct store_totals t;
	struct store_query q = { .kind = Q_TOTALS, .out = &t, .limit = 1 };
	struct store *s = store_mem_open(d, NULL);

	assert_non_null(s);
	assert_int_equal(store_query_wait(s, &q), STORE_OK);
	s->ops->close(s);
	return t;
}

/* Commits and fetches keep their order whatever the delays; queries overtake and see what is done by then. */
static void test_delays(void **state)
{
	struct world w = { .now_ms = 1000, .delay = { 50, 10, 20 } };
	struct store_mem_disk *d = store_mem_disk_new();
	struct store *s = open_in(d, &w);
	struct store_batch *b = batch_of(&w, 1);
	static struct card_bundle out;
	struct store_totals t;
	struct store_fetch f = { .by = FETCH_BY_ID, .card = 1, .out = &out, .cap = 1, .done = saw_fetch, .ctx = &w };
	struct store_query q = { .kind = Q_TOTALS, .out = &t, .limit = 1, .done = saw_query, .ctx = &w };

	assert_true(store_mem_due(s) == INT64_MAX);
	s->ops->commit(s, b);
	s->ops->fetch(s, &f);
	s->ops->query(s, &q);
	assert_int_equal(store_mem_due(s), 1020);
	s->ops->poll(s);
	assert_int_equal(w.n, 0);
	w.now_ms = 1020;
	s->ops->poll(s);
	assert_int_equal(w.n, 1);
	assert_ptr_equal(w.what[0], &q);
	assert_int_equal(t.cards, 0);
	assert_int_equal(store_mem_due(s), 1050);
	w.now_ms = 1049;
	s->ops->poll(s);
	assert_int_equal(w.n, 1);
	w.now_ms = 1050;
	s->ops->poll(s);
	assert_int_equal(w.n, 3);
	assert_ptr_equal(w.what[1], b);
	assert_ptr_equal(w.what[2], &f);
	assert_int_equal(f.n, 1);
	assert_true(store_mem_due(s) == INT64_MAX);
	assert_int_equal(s->ops->fd(s), -1);
	assert_null(store_mem_open(d, NULL)); /* one at a time, as on a disk */
	s->ops->close(s);
	store_batch_free(b);
	store_mem_disk_free(d);
}

/* Three numbered commits under way, the Nth fails: nothing of it and of those behind it is there; tried again all is. */
static void test_fail_nth(void **state)
{
	static const int faults[] = { STORE_E_BUSY, STORE_E_FULL, STORE_E_IO };

	for (unsigned k = 0; k < 3; k++)
		for (unsigned nth = 1; nth <= 4; nth++) {
			struct world w = { .fault_at = nth, .fault = faults[k] };
			struct store_mem_disk *d = store_mem_disk_new();
			struct store *s = open_in(d, &w);
			struct store_batch *b[3];

			for (unsigned i = 0; i < 3; i++) {
				b[i] = batch_of(&w, i + 1);
				s->ops->commit(s, b[i]);
			}
			s->ops->poll(s);
			assert_int_equal(w.n, 3);
			for (unsigned i = 0; i < 3; i++)
				assert_int_equal(w.rc[i], i + 1 < nth  ? STORE_OK :
							  i + 1 == nth ? faults[k] :
									 STORE_E_BUSY);
			for (unsigned i = nth - 1; i < 3; i++)
				s->ops->commit(s, b[i]);
			s->ops->poll(s);
			for (unsigned i = 3; i < w.n; i++)
				assert_int_equal(w.rc[i], STORE_OK);
			s->ops->close(s);
			assert_int_equal(totals_of(d).cards, 3);
			assert_int_equal(totals_of(d).max_batch, 3);
			for (unsigned i = 0; i < 3; i++)
				store_batch_free(b[i]);
			store_mem_disk_free(d);
		}
}

static bool keep_some(void *ctx, struct store_batch *b)
{
	struct world *w = ctx;

	return b->batch_no <= w->kept;
}

/* Power failure with four commits under way: what is left is their beginning, and no done() is called. */
static void test_crash(void **state)
{
	for (unsigned keep = 0; keep <= 4; keep++) {
		struct world w = { .kept = keep };
		struct store_mem_disk *d = store_mem_disk_new();
		struct store *s = open_in(d, &w);
		struct store_batch *b[5];
		static struct card_bundle out;
		struct store_fetch f = {
			.by = FETCH_BY_ID, .card = 1, .out = &out, .cap = 1, .done = saw_fetch, .ctx = &w
		};

		for (unsigned i = 0; i < 5; i++) {
			b[i] = batch_of(&w, i + 1);
			s->ops->commit(s, b[i]);
			s->ops->fetch(s, &f);
			if (!i)
				s->ops->poll(s);
		}
		assert_int_equal(w.n, 2);
		store_mem_crash(s, keep ? keep_some : NULL, &w);
		assert_int_equal(w.n, 2);
		assert_int_equal(totals_of(d).max_batch, keep ? keep : 1);
		assert_int_equal(totals_of(d).cards, keep ? keep : 1);
		for (unsigned i = 0; i < 5; i++)
			store_batch_free(b[i]);
		store_mem_disk_free(d);
	}
}

static bool keep_all_but_second(void *ctx, struct store_batch *b)
{
	return b->batch_no != 2;
}

/* Asked to keep what lies behind a lost commit, it does not: no disk could. */
static void test_crash_order(void **state)
{
	struct world w = { 0 };
	struct store_mem_disk *d = store_mem_disk_new();
	struct store *s = open_in(d, &w);
	struct store_batch *b[3];

	for (unsigned i = 0; i < 3; i++) {
		b[i] = batch_of(&w, i + 1);
		s->ops->commit(s, b[i]);
	}
	store_mem_crash(s, keep_all_but_second, &w);
	assert_int_equal(totals_of(d).max_batch, 1);
	for (unsigned i = 0; i < 3; i++)
		store_batch_free(b[i]);
	store_mem_disk_free(d);
}

static void submit_another(struct store_batch *b, int rc)
{
	struct world *w = b->ctx;
	struct store *s = (struct store *)w->what[EVENTS_MAX - 1];

	saw(w, b, rc);
	if (rc == STORE_OK)
		s->ops->commit(s, b);
}

/* What done() submits waits for the next poll; while closing it is answered CLOSED. */
static void test_resubmit(void **state)
{
	struct world w = { 0 };
	struct store_mem_disk *d = store_mem_disk_new();
	struct store *s = open_in(d, &w);
	struct store_batch *b = batch_of(&w, 1);

	w.what[EVENTS_MAX - 1] = s;
	b->done = submit_another;
	s->ops->commit(s, b);
	s->ops->poll(s);
	assert_int_equal(w.n, 1);
	s->ops->poll(s);
	assert_int_equal(w.n, 2);
	s->ops->close(s);
	assert_int_equal(w.n, 4);
	assert_int_equal(w.rc[2], STORE_OK);
	assert_int_equal(w.rc[3], STORE_E_CLOSED);
	store_batch_free(b);
	store_mem_disk_free(d);
}

/* A copy of an open disk is what was committed when it was made, and lives on its own. */
static void test_copy(void **state)
{
	struct world w = { 0 };
	struct store_mem_disk *d = store_mem_disk_new(), *copy, *again;
	struct store *s = open_in(d, &w);
	struct store_batch *b[3];

	for (unsigned i = 0; i < 3; i++)
		b[i] = batch_of(&w, i + 1);
	s->ops->commit(s, b[0]);
	s->ops->poll(s);
	copy = store_mem_disk_copy(d);
	s->ops->commit(s, b[1]);
	s->ops->poll(s);
	s->ops->close(s);
	assert_int_equal(totals_of(d).cards, 2);
	assert_int_equal(totals_of(copy).cards, 1);
	again = store_mem_disk_copy(copy);
	s = open_in(copy, &w);
	s->ops->commit(s, b[2]); /* batch 3 after batch 1: what came between is forgotten */
	s->ops->poll(s);
	s->ops->close(s);
	assert_int_equal(totals_of(copy).cards, 2);
	assert_int_equal(totals_of(copy).max_batch, 3);
	store_mem_disk_free(copy);
	assert_int_equal(totals_of(again).cards, 1);
	store_mem_disk_free(again);
	store_mem_disk_free(d);
	for (unsigned i = 0; i < 3; i++)
		store_batch_free(b[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delays),	    cmocka_unit_test(test_fail_nth), cmocka_unit_test(test_crash),
		cmocka_unit_test(test_crash_order), cmocka_unit_test(test_resubmit), cmocka_unit_test(test_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
