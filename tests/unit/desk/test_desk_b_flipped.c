/* test_desk_b_flipped.c - a hand-over list that is damaged on its way to the new operator.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "b_bed.h"

#define ORDER	     "SO-7"
#define CARDS	     5
#define FLIPS	     500   /* places in the file */
#define BOOKS_MAX    65536 /* octets of all books */
#define REFUSALS_KEY "refused/"
#define WRAPPING_MAX 64 /* octets in front of the signed text */
#define SIGNATURE    64 /* octets at the end */

static const struct desk_cfg with_pool = {
	.roles = DESK_MNO,
	.pool = { .imsi_from = "262020000000100", .imsi_to = "262020000000199", .plmns = "26202" },
	.hlr_poll_ms = 1000,
};

static const struct desk_tables tables = {
	.kinds = { NULL, desk_kinds_b },
	.works = { NULL, desk_works_b },
	.verbs = { NULL, desk_verbs_b },
	.event = { NULL, desk_event_b },
};

/* ---- what partners send ---- */

static void make_so(struct ks_wrap *w, unsigned i, char out[BED_LINE_MAX], void *ctx)
{
	(void)w;
	(void)ctx;
	snprintf(out, BED_LINE_MAX, "8988211%012u,3a,deliver-then-activate,operator-a,operator-b,,%lld", i,
		 BED_NOW / 1000 + 86400 * 30);
}

static void make_pl(struct ks_wrap *w, unsigned i, char out[BED_LINE_MAX], void *ctx)
{
	(void)w;
	(void)ctx;
	snprintf(out, BED_LINE_MAX, "8988211%012u,26202%010u,1,1,1,m2m-sub", i, 100 + i);
}

static void make_hl3a(struct ks_wrap *w, unsigned i, char out[BED_LINE_MAX], void *ctx)
{
	struct bed *b = ctx;
	struct ks_block block = { .has_sub = true };
	uint8_t wrapped[KS_BLOCK_MAX];
	struct ks_pair pair;
	char iccid[24];
	size_t at;
	int n;

	snprintf(iccid, sizeof(iccid), "8988211%012u", i);
	assert_int_equal(ks_pair_make(b->party[BED_A].ks, iccid, 1, 16, &pair), 0);
	memcpy(block.sub, pair.sub, sizeof(block.sub));
	n = ks_block_wrap(w, iccid, &block, wrapped);
	assert_true(n > 0);
	at = (size_t)snprintf(out, BED_LINE_MAX, "%s,26202%010u,provisional,staged,E4,%lld,m2m-sub,,,4096,", iccid,
			      100 + i, BED_NOW / 1000);
	for (int k = 0; k < n; k++)
		at += (size_t)snprintf(out + at, BED_LINE_MAX - at, "%02x", wrapped[k]);
}

static void send(struct bed *b, unsigned from, const char *type,
		 void (*make)(struct ks_wrap *w, unsigned i, char out[BED_LINE_MAX], void *ctx))
{
	bed_send(b, &(struct bed_in){ .from = from, .type = type, .order = ORDER, .make = make, .n = CARDS });
	assert_string_equal(bed_ack(b, from), "");
}

/* ---- what is durable ---- */

/* All that is durable but the refusals themselves; its length. */
static size_t books(struct bed *b, uint64_t order, uint8_t *out)
{
	static struct store_book rows[64];
	size_t at = 0;

	for (unsigned i = 0; i < 2 * _BOOKS; i++) {
		struct store_query q = { .kind = Q_BOOK_OWNER,
					 .book = (uint8_t)(i / 2),
					 .id = i % 2 ? order : 0,
					 .limit = 64,
					 .out = rows };

		if (!q.book)
			continue;
		if (q.book == BOOK_IN &&
		    !q.id) /* and behind the refusals, in the order of keys, comes what the shop has sent */
			strcpy(q.key, REFUSALS_KEY "~");
		assert_int_equal(store_query_wait(b->store, &q), STORE_OK);
		assert_true(q.n < 64);
		for (unsigned k = 0; k < q.n; k++) {
			assert_true(at + sizeof(rows[k].row) + rows[k].row.len <= BOOKS_MAX);
			memcpy(out + at, &rows[k].row, sizeof(rows[k].row));
			memcpy(out + at + sizeof(rows[k].row), rows[k].body, rows[k].row.len);
			at += sizeof(rows[k].row) + rows[k].row.len;
		}
	}
	return at;
}

static size_t file_read(const char *path, uint8_t *out, size_t cap)
{
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(out, 1, cap, f) : 0;

	assert_true(f && n && n < cap);
	fclose(f);
	return n;
}

static void file_come(struct bed *b, const char *name, const uint8_t *p, size_t len)
{
	char path[400];
	FILE *f;

	snprintf(path, sizeof(path), "%s/in/%s", b->cfg.dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	fclose(f);
	assert_int_equal(desk_take_file(b->desk, name, b->err), 0);
	bed_turn(b);
}

/* Octets around the signed text that say nothing of it (a version, the name of an algorithm that stands there again): whoever changes them
 * has changed no list (test_package.c). */
static size_t find(const uint8_t *p, size_t from, size_t len, const char *text)
{
	const size_t n = strlen(text);

	while (from + n <= len && memcmp(p + from, text, n))
		from++;
	assert_true(from + n <= len);
	return from;
}

static bool wrapping(const uint8_t *file, size_t len, size_t at)
{
	const size_t text = find(file, 0, len, "otapkg 1\n"),
		     end = find(file, find(file, text, len, "\npart ") + 1, len, "\n");

	return at + WRAPPING_MAX >= text && (at < text || at > end) && at < len - SIGNATURE;
}

/* One bit of a body, a tag, an envelope, the manifest or its signature of a hand-over list with keys: nothing happens but a refusal, which
 * nobody is told; and the list itself is still awaited. */
static void test_flipped_bits(void **state)
{
	static uint8_t before[BOOKS_MAX], after[BOOKS_MAX], file[65536];
	struct bed *b = bed_new(BED_B, &with_pool, &tables);
	const struct bed_in list = {
		.from = BED_A, .type = "HL3a", .order = ORDER, .wrap = true, .make = make_hl3a, .n = CARDS, .ctx = b
	};
	struct store_totals totals, was_totals;
	struct store_query q = { .kind = Q_TOTALS, .limit = 1 };
	struct desk_stats stats, was_stats;
	const struct order *order;
	struct order was;
	unsigned outs, flips = 0, passed = 0;
	size_t len, n;
	char path[400];

	send(b, BED_S, "SO", make_so);
	send(b, BED_A, "PL", make_pl);
	snprintf(path, sizeof(path), "%s/list.otapkg", b->dir);
	bed_write(b, &list, path);
	len = file_read(path, file, sizeof(file));
	order = desk_order_by_name(b->desk, ORDER);
	was = *order;
	n = books(b, was.number, before);
	q.out = &was_totals;
	assert_int_equal(store_query_wait(b->store, &q), STORE_OK);
	outs = b->outs;
	desk_stats(b->desk, &was_stats);
	for (size_t at = 0; at < len; at += len / FLIPS + 1, flips++) {
		const uint8_t bit = (uint8_t)(1u << flips % 8);

		if (wrapping(file, len, at)) {
			passed++;
			flips--;
			continue;
		}
		file[at] ^= bit;
		file_come(b, "list.otapkg", file, len);
		file[at] ^= bit;
		desk_stats(b->desk, &stats);
		if (stats.refused != was_stats.refused + flips + 1)
			fail_msg("bit %u of octet %zu of %zu: not refused; log:\n%s", flips % 8, at, len, b->log);
		if (books(b, was.number, after) != n || memcmp(before, after, n))
			fail_msg("bit %u of octet %zu of %zu: the books have changed", flips % 8, at, len);
		q.out = &totals;
		assert_int_equal(store_query_wait(b->store, &q), STORE_OK);
		assert_memory_equal(&totals, &was_totals, sizeof(totals));
		assert_memory_equal(desk_order_by_name(b->desk, ORDER), &was, sizeof(was));
		assert_int_equal(b->outs, outs);
		assert_int_equal(sim_hlr_count(b->sim), 0);
		b->log[0] = '\0';
	}
	assert_true(flips > FLIPS / 2 && passed < FLIPS / 10);
	file_come(b, "list.otapkg", file, len);
	assert_string_equal(bed_ack(b, BED_A), "");
	bed_wait(b, 2000);
	for (unsigned i = 0; i < CARDS; i++) {
		char iccid[24];
		uint16_t step;
		struct line l;

		snprintf(iccid, sizeof(iccid), "8988211%012u", i);
		bed_line(b, ORDER, iccid, &l, &step);
		assert_int_equal(step, B_READY);
	}
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_flipped_bits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
