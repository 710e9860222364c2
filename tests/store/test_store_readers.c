/* test_store_readers.c - a long report while proofs come in: neither waits for the other, and the log stays bounded.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Nothing is timed.  Reports of a whole campaign are paged without a pause, several at once, so that there is always somebody
 * who reads; each batch that is committed meanwhile writes what proofs of receipt do.  Batches and pages take turns: there
 * is a page for each batch and a batch for each page, whatever the machine does.
 *
 * usage: test_store_readers [ROWS]	rows of the report (2,000); contrib/check --full takes a million
 */
#define CARDS rows
static unsigned rows = 2000;
#include "sqlite_fix.h"

#include <stdlib.h>

#define PAGE_ROWS   500 /* as the gateway's own report */
#define REPORTS	    3	/* at a time */
#define ROUNDS	    6	/* complete ones at least, and each report one */
#define BATCHES	    300 /* committed meanwhile, at least */
#define BATCH_CARDS 20
#define LOG_PAGES   60 /* at which the log is copied into the database */
#define LOG_HOLD    4  /* WAL_HOLD of store_sqlite.c */
#define LOG_FRAME   (24 + STORE_PAGE)
#define PLAN_OPS    5000
#define OVERTAKEN   4 /* batches between the moment the log has become too long and the one that begins it anew */

/* What each row's `attempts` is by now: by the batch under way, and by those that are durable. */
static uint16_t *written, *durable;

static struct report {
	struct store *s;
	struct store_query q;
	struct store_report row[PAGE_ROWS];
	uint16_t *known; /* what was durable when the page was asked for */
	uint64_t rows, last;
	unsigned complete;
} report[REPORTS];

static unsigned pages;
static bool stopping;

static void page_done(struct store_query *q, int rc);

static void page_ask(struct report *r, uint64_t after)
{
	r->q = (struct store_query){ .kind = Q_REPORT,
				     .id = 1,
				     .after = after,
				     .limit = PAGE_ROWS,
				     .out = r->row,
				     .done = page_done,
				     .ctx = r };
	for (unsigned i = 0; i < PAGE_ROWS && after + i < rows; i++)
		r->known[i] = durable[after + i];
	r->s->ops->query(r->s, &r->q);
}

static void page_done(struct store_query *q, int rc)
{
	struct report *r = q->ctx;

	if (rc == STORE_E_CLOSED)
		return;
	assert_int_equal(rc, STORE_OK);
	pages++;
	for (unsigned i = 0; i < q->n; i++) {
		const struct store_report *row = &r->row[i];

		assert_int_equal(row->txn.id, r->last + 1); /* each once, in order, and none is missing */
		r->last++;
		/* at least what was durable before, never what is not committed yet */
		assert_in_range(row->txn.attempts, r->known[i], written[r->last - 1]);
		assert_int_equal(row->txn.state, row->txn.attempts ? TXN_DONE : TXN_PLANNED);
	}
	r->rows += q->n;
	if (q->n == PAGE_ROWS) {
		page_ask(r, q->last);
		return;
	}
	assert_int_equal(r->rows, rows);
	r->rows = r->last = 0;
	r->complete++;
	if (!stopping)
		page_ask(r, 0);
}

static bool committed;

static void batch_done(struct store_batch *b, int rc)
{
	assert_int_equal(rc, STORE_OK);
	committed = true;
	memcpy(durable, written, rows * sizeof(*durable));
}

static off_t log_len(void)
{
	char path[sizeof(db_path) + 8];
	struct stat sb;

	snprintf(path, sizeof(path), "%s-wal", db_path);
	return stat(path, &sb) ? 0 : sb.st_size;
}

static void must_commit(struct store *s, struct store_batch *b)
{
	b->batch_no = 0;
	b->done = NULL;
	assert_int_equal(store_commit_wait(s, b), STORE_OK);
	store_batch_reset(b);
}

static void fill(struct store *s, struct store_batch *b)
{
	struct campaign_row c = campaign_make(1, "c", CAMPAIGN_RUNNING);

	for (unsigned n = 0; n < rows; n++) {
		struct store_card_insert in = card_make(n, 1);

		assert_non_null(store_batch_add(b, ST_CARD_INSERT, &in, NULL, 0));
		if (b->n == PLAN_OPS)
			must_commit(s, b);
	}
	assert_non_null(store_batch_add(b, ST_CAMPAIGN_INSERT, &c, "profile", 7));
	for (unsigned n = 0; n < rows; n++) {
		struct store_txn_plan p = plan_make(1, n, n);

		assert_non_null(store_batch_add(b, ST_TXN_PLAN, &p, NULL, 0));
		if (b->n >= PLAN_OPS)
			must_commit(s, b);
	}
	must_commit(s, b);
}

/* What proofs of receipt write: a command, a counter, the story, the transaction's end. */
static void batch_of(struct store_batch *b, uint64_t no)
{
	store_batch_reset(b);
	for (unsigned i = 0; i < BATCH_CARDS; i++) {
		uint64_t card = 1 + (no * 7919 + i * 104729) % rows;
		struct keyset_row k = { .card = card, .kvn = 1, .cntr = 1000 + no };
		struct cmd_row c = cmd_make(no * BATCH_CARDS + i, card, CMD_DONE);
		struct story_row story = { .card = card, .kind = STORY_POR, .at_ms = T0 };
		struct txn_row t = { .id = card, .card = card, .campaign = 1, .state = TXN_DONE };

		t.attempts = ++written[card - 1];
		assert_non_null(store_batch_add(b, ST_KEYSET_CNTR, &k, NULL, 0));
		assert_non_null(store_batch_add(b, ST_CMD_PUT, &c, NULL, 0));
		assert_non_null(store_batch_add(b, ST_STORY_ADD, &story, &no, sizeof(no)));
		assert_non_null(store_batch_add(b, ST_TXN_PUT, &t, NULL, 0));
	}
	b->batch_no = no;
	b->done = batch_done;
}

static bool all_through(uint64_t no)
{
	unsigned n = 0;

	if (no < BATCHES)
		return false;
	for (unsigned i = 0; i < REPORTS; i++) {
		if (!report[i].complete)
			return false;
		n += report[i].complete;
	}
	return n >= ROUNDS;
}

/* In frames, how much one batch of this test writes: alone, into an empty log. */
static unsigned batch_frames(struct store_batch *b)
{
	struct store *s = must_open();
	off_t len;

	batch_of(b, 1);
	b->done = NULL;
	assert_int_equal(store_commit_wait(s, b), STORE_OK);
	memcpy(durable, written, rows * sizeof(*durable));
	len = log_len();
	s->ops->close(s);
	return (unsigned)(len / LOG_FRAME);
}

static void test_reports(void **state)
{
	struct store_batch *b = store_batch_new();
	unsigned frames, bound, longest = 0;
	uint64_t no = 1, written_frames;
	struct store *s;

	written = calloc(rows, sizeof(*written));
	durable = calloc(rows, sizeof(*durable));
	assert_true(written && durable);
	s = must_open();
	fill(s, b);
	s->ops->close(s);
	wal_pages_max = LOG_PAGES;
	frames = batch_frames(b);
	s = must_open(); /* with an empty log */
	for (unsigned i = 0; i < REPORTS; i++) {
		report[i] = (struct report){ .s = s, .known = calloc(PAGE_ROWS, sizeof(uint16_t)) };
		assert_non_null(report[i].known);
		page_ask(&report[i], 0);
	}
	while (!all_through(no)) {
		unsigned from = pages;

		batch_of(b, ++no);
		committed = false;
		s->ops->commit(s, b);
		while (!committed || pages == from) {
			s->ops->wait(s);
			s->ops->poll(s);
		}
		if (log_len() / LOG_FRAME > longest)
			longest = (unsigned)(log_len() / LOG_FRAME);
	}
	written_frames = frames * no;
	bound = LOG_PAGES * LOG_HOLD + OVERTAKEN * 2 * frames;
	print_message("%u rows: %u pages read beside %u batches of some %u frames; the log never had more than %u\n",
		      rows, pages, (unsigned)no, frames, longest);
	assert_true(longest <= bound);
	assert_true(written_frames > 4 * bound); /* it has begun anew many times */
	stopping = true;
	s->ops->close(s);
	for (unsigned i = 0; i < REPORTS; i++)
		free(report[i].known);
	free(written);
	free(durable);
	store_batch_free(b);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(test_reports, setup, teardown) };

	if (argc > 1 && atoi(argv[1]) > 0)
		rows = (unsigned)atoi(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
