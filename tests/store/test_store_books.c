/* test_store_books.c - records of books, and batches that happen whole or not at all, asked of every backend.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "contract_fix.h"

#define HIGH 0xfedcba9876543210ULL /* an order's number has all 64 bits */

static struct book_row rec(unsigned book, const char *key, uint64_t owner, unsigned step, uint64_t version)
{
	struct book_row r = { .book = (uint8_t)book, .owner = owner, .step = (uint16_t)step, .version = version };

	snprintf(r.key, sizeof(r.key), "%s", key);
	return r;
}

static int put(struct fix *f, struct book_row *r, const char *body)
{
	return one(f, ST_BOOK_PUT, r, body, strlen(body));
}

static const struct store_book *got(struct fix *f, unsigned book, const char *key)
{
	static struct store_book out;
	struct store_query q = { .kind = Q_BOOK_GET, .book = (uint8_t)book, .out = &out, .limit = 1 };

	snprintf(q.key, sizeof(q.key), "%s", key);
	assert_int_equal(store_query_wait(f->s, &q), STORE_OK);
	return q.n ? &out : NULL;
}

static void holds(struct fix *f, const struct book_row *r, const char *body)
{
	const struct store_book *b = got(f, r->book, r->key);

	assert_non_null(b);
	assert_int_equal(b->row.book, r->book);
	assert_string_equal(b->row.key, r->key);
	assert_true(b->row.owner == r->owner);
	assert_int_equal(b->row.step, r->step);
	assert_int_equal(b->row.version, r->version);
	assert_int_equal(b->row.len, strlen(body));
	assert_memory_equal(b->body, body, strlen(body));
}

static void test_put(void **state)
{
	struct fix *f = *state;
	struct book_row r = rec(1, "a", HIGH, 3, 0), stale;

	assert_null(got(f, 1, "a"));
	stale = rec(1, "a", HIGH, 3, 1);
	assert_int_equal(put(f, &stale, "x"), STORE_R_CHANGED); /* it is not there */
	assert_int_equal(stale.version, 1);
	assert_null(got(f, 1, "a"));

	assert_int_equal(put(f, &r, "first"), 0);
	assert_int_equal(r.version, 1);
	holds(f, &r, "first");
	assert_null(got(f, 2, "a")); /* each book has its own keys */
	stale = rec(1, "a", 1, 9, 0);
	assert_int_equal(put(f, &stale, "x"), STORE_R_CHANGED);
	holds(f, &r, "first");

	stale = r;
	assert_int_equal(put(f, &r, "body alone"), 0);
	assert_int_equal(r.version, 2);
	r.step = 4;
	assert_int_equal(put(f, &r, ""), 0);
	holds(f, &r, "");
	r.owner = 7;
	r.step = 65535;
	assert_int_equal(put(f, &r, "moved"), 0);
	assert_int_equal(r.version, 4);
	holds(f, &r, "moved");
	assert_int_equal(put(f, &stale, "x"), STORE_R_CHANGED);
	assert_int_equal(stale.version, 1);
	stale.version = BOOK_ANY;
	assert_int_equal(put(f, &stale, "whatever"), 0);
	assert_int_equal(stale.version, 5);
	reopen(f);
	holds(f, &stale, "whatever");
	r = rec(3, "new", 0, 0, BOOK_ANY);
	assert_int_equal(put(f, &r, ""), 0);
	assert_int_equal(r.version, 1);
}

static void test_drop(void **state)
{
	struct fix *f = *state;
	struct book_row r = rec(1, "a", 1, 1, 0), other = rec(1, "b", 1, 1, 0), gone;

	assert_int_equal(put(f, &r, "x"), 0);
	assert_int_equal(put(f, &other, "y"), 0);
	gone = rec(1, "a", 0, 0, 2);
	assert_int_equal(one(f, ST_BOOK_DROP, &gone, NULL, 0), STORE_R_CHANGED);
	gone.version = 1;
	assert_int_equal(one(f, ST_BOOK_DROP, &gone, NULL, 0), 0);
	assert_int_equal(one(f, ST_BOOK_DROP, &gone, NULL, 0), STORE_R_NOT_FOUND);
	gone.version = BOOK_ANY;
	assert_int_equal(one(f, ST_BOOK_DROP, &gone, NULL, 0), STORE_R_NOT_FOUND);
	assert_null(got(f, 1, "a"));
	holds(f, &other, "y");
	r.version = 0;
	assert_int_equal(put(f, &r, "again"), 0);
	assert_int_equal(r.version, 1);
	r.version = BOOK_ANY;
	assert_int_equal(one(f, ST_BOOK_DROP, &r, NULL, 0), 0);
	reopen(f);
	assert_null(got(f, 1, "a"));
	holds(f, &other, "y");
}

static void test_sizes(void **state)
{
	static const char body[BOOK_BODY_MAX + 1];
	struct fix *f = *state;
	struct book_row r = rec(1, "", 0, 0, 0);

	add(f, ST_BOOK_PUT, &r, NULL, 0);
	assert_int_equal(commit_rc(f), STORE_E_CORRUPT);
	memset(r.key, 'k', sizeof(r.key));
	store_batch_reset(f->b);
	add(f, ST_BOOK_DROP, &r, NULL, 0);
	assert_int_equal(commit_rc(f), STORE_E_CORRUPT);
	store_batch_reset(f->b);
	add(f, ST_BOOK_PUT, &r, NULL, 0);
	assert_int_equal(commit_rc(f), STORE_E_CORRUPT);
	r.key[BOOK_KEY_MAX - 1] = 0;
	store_batch_reset(f->b);
	add(f, ST_BOOK_PUT, &r, body, sizeof(body));
	assert_int_equal(commit_rc(f), STORE_E_CORRUPT);
	assert_int_equal(one(f, ST_BOOK_PUT, &r, body, BOOK_BODY_MAX), 0);
	assert_int_equal(got(f, 1, r.key)->row.len, BOOK_BODY_MAX);
}

/* What was not committed has given no version: the same batch goes again as it is. */
static void test_again(void **state)
{
	struct fix *f = *state;
	struct book_row r = rec(1, "a", 1, 1, 0), *in, *any;

	in = add(f, ST_BOOK_PUT, &r, "x", 1);
	r.version = 1;
	add(f, ST_BOOK_PUT, &r, "y", 1); /* sees what stands before it in the batch */
	r.version = BOOK_ANY;
	any = add(f, ST_BOOK_PUT, &r, "z", 1);
	for (unsigned i = 0; i < 2; i++) {
		f->b->dry_run = !i;
		assert_int_equal(commit_rc(f), STORE_OK);
		assert_int_equal(f->b->ops[0].rc | f->b->ops[1].rc | f->b->ops[2].rc, 0);
		assert_true(in->version == (i ? 1 : 0));
		assert_true(any->version == (i ? 3 : BOOK_ANY));
		assert_int_equal(got(f, 1, "a") != NULL, i);
	}
	assert_memory_equal(got(f, 1, "a")->body, "z", 1);
}

/* One refusal, and nothing of the batch has happened; who asked learns which. */
static void test_strict(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_in(f, 1);
	struct book_row r = rec(1, "a", 1, 1, 0), *in;
	struct store_card_insert same = card_make(1, 2), other = card_make(2, 1);
	struct keyset_row k = { .card = 99, .kvn = 1 };

	same.keyset[0].cntr = 500;
	add(f, ST_CARD_INSERT, &other, NULL, 0);
	in = add(f, ST_BOOK_PUT, &r, "x", 1);
	add(f, ST_KEYSET_CNTR, &k, NULL, 0);
	f->b->strict = true;
	f->b->batch_no = 3;
	assert_int_equal(commit_rc(f), STORE_OK);
	assert_true(f->b->rolled_back);
	assert_int_equal(f->b->ops[0].rc, 0);
	assert_int_equal(f->b->ops[1].rc, 0);
	assert_int_equal(f->b->ops[2].rc, STORE_R_NOT_FOUND);
	assert_int_equal(in->version, 0);
	assert_null(got(f, 1, "a"));
	assert_int_equal(totals(f).cards, 1);
	assert_int_equal(totals(f).max_batch, 0); /* this number is still to be had */

	/* what is known already, and what has been updated, is no refusal */
	store_batch_reset(f->b);
	assert_false(f->b->strict);
	add(f, ST_CARD_INSERT, &same, NULL, 0);
	add(f, ST_CARD_INSERT, &same, NULL, 0);
	in = add(f, ST_BOOK_PUT, &r, "x", 1);
	f->b->strict = true;
	f->b->batch_no = 3;
	assert_int_equal(commit_rc(f), STORE_OK);
	assert_false(f->b->rolled_back);
	assert_int_equal(f->b->ops[0].rc, STORE_R_UPDATED);
	assert_int_equal(f->b->ops[1].rc, STORE_R_SAME);
	assert_int_equal(in->version, 1);
	assert_int_equal(fetch(f, card)->keyset[0].cntr, 500);
	assert_int_equal(totals(f).max_batch, 3);

	/* without: each for itself */
	store_batch_reset(f->b);
	r = rec(1, "b", 1, 1, 0);
	add(f, ST_BOOK_PUT, &r, "x", 1);
	add(f, ST_BOOK_PUT, &r, "x", 1);
	assert_int_equal(commit_rc(f), STORE_OK);
	assert_false(f->b->rolled_back);
	assert_int_equal(f->b->ops[1].rc, STORE_R_CHANGED);
	assert_non_null(got(f, 1, "b"));
}

/* ---- what is looked for ---- */

#define ROWS 20

/* Keys 00 to 19 in random order: owner 1 + n % 2, step n % 3; and the same keys in another book and under another owner. */
static void fill(struct fix *f)
{
	for (unsigned i = 0; i < ROWS; i++) {
		unsigned n = i * 7 % ROWS;
		struct book_row r = rec(1, "", n % 2 ? HIGH : 1, n % 3, 0);
		char body[8];

		snprintf(r.key, sizeof(r.key), "%02u", n);
		snprintf(body, sizeof(body), "b%02u", n);
		assert_int_equal(put(f, &r, body), 0);
		r.version = 0;
		r.book = 2;
		assert_int_equal(put(f, &r, "no"), 0);
	}
}

static unsigned ask(struct fix *f, enum store_query_kind kind, uint64_t owner, unsigned step, const char *after,
		    struct store_book *out, unsigned limit)
{
	struct store_query q = { .kind = (uint8_t)kind, .book = 1, .id = owner, .step = (uint16_t)step };

	q.out = out;
	q.limit = limit;
	snprintf(q.key, sizeof(q.key), "%s", after);
	assert_int_equal(store_query_wait(f->s, &q), STORE_OK);
	return q.n;
}

static void test_lists(void **state)
{
	static struct store_book out[ROWS];
	struct fix *f = *state;
	char after[BOOK_KEY_MAX] = "";
	unsigned n, seen = 0;

	fill(f);
	do { /* in pages */
		n = ask(f, Q_BOOK_OWNER, HIGH, 0, after, out, 3);
		for (unsigned i = 0; i < n; i++, seen++) {
			char key[BOOK_KEY_MAX], body[8];

			snprintf(key, sizeof(key), "%02u", seen * 2 + 1);
			snprintf(body, sizeof(body), "b%02u", seen * 2 + 1);
			assert_string_equal(out[i].row.key, key);
			assert_true(out[i].row.owner == HIGH);
			assert_memory_equal(out[i].body, body, 4);
			memcpy(after, key, sizeof(after));
		}
	} while (n == 3);
	assert_int_equal(seen, ROWS / 2);
	assert_int_equal(ask(f, Q_BOOK_OWNER, 5, 0, "", out, ROWS), 0);
	assert_int_equal(ask(f, Q_BOOK_OWNER, 1, 0, "", out, 0), 0);

	n = ask(f, Q_BOOK_STEP, 1, 2, "", out, ROWS);
	assert_int_equal(n, 3);
	assert_string_equal(out[0].row.key, "02");
	assert_string_equal(out[1].row.key, "08");
	assert_string_equal(out[2].row.key, "14");
	assert_int_equal(ask(f, Q_BOOK_STEP, 1, 2, "08", out, 1), 1);
	assert_string_equal(out[0].row.key, "14");

	out[0].row.step = 1; /* what moves on is no longer found there */
	assert_int_equal(put(f, &out[0].row, "moved"), 0);
	assert_int_equal(ask(f, Q_BOOK_STEP, 1, 2, "", out, ROWS), 2);
	assert_int_equal(ask(f, Q_BOOK_STEP, 1, 1, "14", out, ROWS), 1);
	out[0].row.owner = 77;
	assert_int_equal(put(f, &out[0].row, "moved"), 0);
	assert_int_equal(ask(f, Q_BOOK_STEP, 77, 1, "", out, ROWS), 1);
	assert_int_equal(ask(f, Q_BOOK_OWNER, 77, 0, "", out, ROWS), 1);
	assert_int_equal(ask(f, Q_BOOK_OWNER, 1, 0, "", out, ROWS), 9);
}

static void test_counts(void **state)
{
	struct store_book_count out[4];
	struct fix *f = *state;
	struct store_query q = { .kind = Q_BOOK_COUNT, .book = 1, .id = 1, .out = out, .limit = 4 };

	fill(f);
	assert_int_equal(store_query_wait(f->s, &q), STORE_OK);
	assert_int_equal(q.n, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(out[i].step, i);
		assert_int_equal(out[i].n, i == 0 ? 4 : 3);
	}
	q.limit = 2;
	assert_int_equal(store_query_wait(f->s, &q), STORE_OK);
	assert_int_equal(q.n, 2);
	q.id = 2;
	assert_int_equal(store_query_wait(f->s, &q), STORE_OK);
	assert_int_equal(q.n, 0);
}

static void test_keys(void **state)
{
	static const char keys[5][BOOK_KEY_MAX] = { "19", "none", "00", "19", "07" };
	static struct store_book out[5];
	struct fix *f = *state;
	struct store_query q = { .kind = Q_BOOK_KEYS, .book = 1, .keys = keys, .n_keys = 5, .out = out, .limit = 5 };

	fill(f);
	memset(out, 0xff, sizeof(out));
	assert_int_equal(store_query_wait(f->s, &q), STORE_OK);
	assert_int_equal(q.n, 5);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(out[i].row.version, i != 1);
		assert_string_equal(out[i].row.key, i == 1 ? "" : keys[i]);
	}
	assert_memory_equal(out[4].body, "b07", 4);
	q.limit = 2; /* never more than there is room for */
	assert_int_equal(store_query_wait(f->s, &q), STORE_OK);
	assert_int_equal(q.n, 2);
}

/* A backup of the memory has the books in it; SQLite's are pages like all others. */
static void test_copy(void **state)
{
	struct fix *f = *state;
	struct book_row r = rec(1, "a", 1, 1, 0);
	struct store_mem_disk *copy;

	if (use_sqlite)
		return;
	assert_int_equal(put(f, &r, "then"), 0);
	copy = store_mem_disk_copy(f->disk);
	assert_int_equal(put(f, &r, "now"), 0);
	f->s->ops->close(f->s);
	store_mem_disk_free(f->disk);
	f->disk = copy;
	open_it(f);
	r.version = 1;
	holds(f, &r, "then");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_put),   T(test_drop), T(test_sizes),  T(test_again), T(test_strict),
		T(test_lists), T(test_keys), T(test_counts), T(test_copy),
	};
	int rc = cmocka_run_group_tests_name("memory", tests, NULL, NULL);

	use_sqlite = true;
	return rc + cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
}
