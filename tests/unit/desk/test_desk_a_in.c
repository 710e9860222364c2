/* test_desk_a_in.c - the old operator: packages that come, and what is refused of them, by which rule, with nothing changed.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <sys/stat.h>
#include <unistd.h>

#include "a_bed.h"

#define OTHERS "3b,deliver-then-activate,operator-a,operator-b,vault-m,1797000000"

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	bed_open(b, false);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	bed_close(*state);
	free(*state);
	return 0;
}

/* ---- the swap order ---- */

static void so(struct bed *b, const char *name, const char *record, const char *rule)
{
	bed_say(b, &b->s, "SO", name, &record, 1, NULL, rule);
	assert_non_null(bed_order(b, name)); /* also one that was refused: for what comes about it */
	assert_int_equal(b->o.step, *rule ? ORDER_REFUSED : ORDER_OPEN);
}

static void test_so(void **state)
{
	struct bed *b = *state;
	const struct line *l;

	so(b, "one", "8988211000000000001," OTHERS, "");
	assert_int_equal(b->o.side, SIDE_A);
	assert_int_equal(b->o.kind, ORDER_3B);
	assert_int_equal(b->o.lines, 1);
	assert_string_equal(b->o.s, "subscriber-s");
	bed_at(b, 0, A_OPEN);
	l = &b->l;
	assert_string_equal(l->old_imsi, "262010000000001");
	assert_int_equal(l->from, 1);
	assert_int_equal(l->kvn, 2); /* of the pair that comes: the other slot */
	assert_true(bed_book(b, BOOK_TAKEN, "8988211000000000001"));
}

static void test_so_refused(void **state)
{
	struct bed *b = *state;
	static const struct {
		const char *record, *rule;
	} bad[] = {
		{ "8988211000000000999," OTHERS, "card-unknown" },
		{ "8988211000000000001,3b,deliver-then-activate,operator-c,operator-b,vault-m,1797000000", "party" },
		{ "8988211000000000001,3b,deliver-then-activate,operator-a,operator-a,vault-m,1797000000", "party" },
		{ "8988211000000000001,3b,deliver-then-activate,operator-a,operator-b,,1797000000", "party" },
		{ "8988211000000000001,3a,deliver-then-activate,operator-a,operator-b,vault-m,1797000000", "party" },
		{ "8988211000000000001,3b,deliver-then-activate,operator-a,vault-m,operator-b,1797000000", "partner" },
		{ "8988211000000000001,3b,deliver-then-activate,operator-a,operator-b,vault-m,1795000000", "until" },
		{ "8988211000000000001,3b,escrow,operator-a,operator-b,vault-m,1797000000", "policy" },
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		so(b, "bad", bad[i].record, bad[i].rule);
	assert_false(bed_book(b, BOOK_TAKEN, "8988211000000000001"));
	assert_int_equal(desk_orders(b->desk), 0);
}

static void test_so_one_thing(void **state)
{
	struct bed *b = *state;
	const char *const twice[] = { "8988211000000000002," OTHERS, "8988211000000000001," OTHERS,
				      "8988211000000000002," OTHERS };
	const char *const two[] = {
		"8988211000000000001," OTHERS,
		"8988211000000000002,3b,deliver-then-activate,operator-a,operator-x,vault-m,1797000000"
	};

	bed_say(b, &b->s, "SO", "twice", twice, 3, NULL, "card-twice");
	bed_say(b, &b->s, "SO", "two", two, 2, NULL, "not-one-order");
	assert_int_equal(desk_orders(b->desk), 0);
	so(b, "one", "8988211000000000001," OTHERS, "");
	/* the card is in an open order */
	so(b, "next", "8988211000000000001," OTHERS, "card-busy");
}

/* A card without the application: in 3a alone. */
static void test_so_plain_card(void **state)
{
	struct bed *b = *state;
	char record[160];

	snprintf(record, sizeof(record), "%s," OTHERS, b->iccid[BED_PLAIN]);
	so(b, "plain", record, "card-profile");
	snprintf(record, sizeof(record), "%s,3a,deliver-then-activate,operator-a,operator-b,,1797000000",
		 b->iccid[BED_PLAIN]);
	so(b, "plain", record, "");
	bed_at(b, BED_PLAIN, A_OPEN);
	assert_true(b->l.flags & LINE_PLAIN);
}

/* ---- how packages come ---- */

static long size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (long)st.st_size;
}

static void flip(const char *path, long at)
{
	FILE *f = fopen(path, "r+");
	int c;

	assert_non_null(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	c = fgetc(f);
	assert_int_equal(fseek(f, at, SEEK_SET), 0);
	fputc(c ^ 1, f);
	fclose(f);
}

static void nothing_of(struct bed *b, const char *order)
{
	assert_null(bed_order(b, order));
	assert_int_equal(desk_orders(b->desk), 0);
	assert_false(bed_book(b, BOOK_TAKEN, b->iccid[0]));
}

static void test_package_refused(void **state)
{
	struct bed *b = *state;
	const char *record = "8988211000000000001," OTHERS;
	struct parcel_out late = {
		.type = "SO", .order = "late", .record = &record, .n = 1, .expires_s = BED_NOW_MS / 1000 - 1000
	};
	struct parcel_out other = { .type = "SO", .order = "other", .record = &record, .n = 1, .to = &b->x };
	struct parcel_out role = { .type = "SO", .order = "role", .record = &record, .n = 1 };
	struct parcel_out replay = { .type = "SO", .order = "replay", .record = &record, .n = 1, .seq = 1 };

	bed_send(b, &b->s, &late);
	assert_string_equal(bed_answer(b, &b->s), "expired");
	bed_send(b, &b->s, &other); /* for somebody else */
	nothing_of(b, "other");
	if (!bed_nothing(b, &b->s))
		assert_string_equal(bed_answer(b, &b->s), "receiver");
	b->s.out = 1;
	bed_send(b, &b->b, &role); /* an operator orders nothing */
	assert_string_not_equal(bed_answer(b, &b->b), "");
	bed_send(b, &b->s, &replay);
	assert_string_equal(bed_answer(b, &b->s), "sequence");
	nothing_of(b, "replay");
}

/* Cut off, or with one bit wrong anywhere: nothing is changed, and the whole one is taken after it. */
static void test_package_damaged(void **state)
{
	struct bed *b = *state;
	const char *record = "8988211000000000001," OTHERS;
	char err[DESK_ERR_MAX];

	for (unsigned i = 0; i < 3; i++) {
		struct parcel_out p = { .type = "SO", .order = "hurt", .record = &record, .n = 1 };
		struct pkg_head h;
		char name[24];

		bed_begin(b, &b->s, &p);
		assert_int_equal(pkg_write_record(p.w, record, err, sizeof(err)), 0);
		assert_int_equal(pkg_write_close(p.w, &h, err, sizeof(err)), 0);
		if (i == 2)
			assert_int_equal(truncate(p.path, size_of(p.path) - 1), 0);
		else
			flip(p.path, size_of(p.path) * (i ? 4 : 1) / 5);
		snprintf(name, sizeof(name), "p%u.otapkg", b->files);
		assert_int_equal(desk_take_file(b->desk, name, err), 0);
		bed_turn(b);
		nothing_of(b, "hurt");
	}
	while (!bed_nothing(b, &b->s))
		assert_string_not_equal(bed_answer(b, &b->s), "");
	so(b, "hurt", record, "");
}

/* ---- the IMSI list ---- */

#define IL(imsi, iccid) imsi "," iccid ",,26202," BED_SMSP ",,"
#define CARD_1		"8988211000000000001"
#define CARD_2		"8988211000000000002"

static void unpaired(struct bed *b)
{
	bed_order(b, "o");
	assert_int_equal(b->o.paired, 0);
	bed_at(b, 0, A_OPEN);
	assert_false(bed_book(b, BOOK_IMSI, "262020000000501"));
}

static void test_il_refused(void **state)
{
	struct bed *b = *state;
	static const struct {
		const char *record[3];
		unsigned n;
		const char *rule;
	} bad[] = {
		{ { IL("262030000000501", CARD_1), IL("262020000000502", CARD_2) }, 2, "imsi-network" },
		{ { IL("262020000000501", CARD_1), IL("262020000000501", CARD_2) }, 2, "imsi-twice" },
		{ { IL("262020000000501", CARD_1), IL("262020000000502", CARD_1) }, 2, "card-twice" },
		{ { IL("262020000000501", CARD_1) }, 1, "il-count" },
		{ { IL("262020000000501", CARD_1), IL("262020000000502", CARD_2), IL("262020000000503", "") },
		  3,
		  "il-count" },
		{ { IL("262020000000501", CARD_1), IL("262020000000502", "8988211000000000003") }, 2, "not-in-order" },
		{ { "262020000000501," CARD_1 ",,26202,6f07:080910101010325476,,", IL("262020000000502", CARD_2) },
		  2,
		  "file" },
		{ { "262020000000501," CARD_1 ",,26202,7fff/6f07:080910101010325476,,", IL("262020000000502", CARD_2) },
		  2,
		  "file" },
		{ { "262020000000501," CARD_1 ",,26202,2fe2:981112,,", IL("262020000000502", CARD_2) }, 2, "file" },
		{ { "262020000000501," CARD_1 ",,26202,6f7e:ffffffff,,", IL("262020000000502", CARD_2) }, 2, "file" },
		{ { "262020000000501," CARD_1 ",,26202,6f38:fffffff7,,", IL("262020000000502", CARD_2) }, 2, "file" },
		{ { "262020000000501," CARD_1 ",,26202,6f38:ffff,,", IL("262020000000502", CARD_2) }, 2, "file" },
		{ { "262020000000501," CARD_1 ",,26202,7fff/6fad:00000003,,", IL("262020000000502", CARD_2) },
		  2,
		  "file" },
		{ { "262020000000501," CARD_1 ",,26202,,,00112233445566778899aabbccddeeff",
		    IL("262020000000502", CARD_2) },
		  2,
		  "keys" },
	};

	bed_order_so(b, "o", "3b", "deliver-then-activate", 2);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		bed_say(b, &b->b, "IL", "o", bad[i].record, bad[i].n, NULL, bad[i].rule);
		unpaired(b);
	}
	/* another operator's */
	bed_say(b, &b->x, "IL", "o", (const char *const[]){ IL("262030000000501", ""), IL("262030000000502", "") }, 2,
		NULL, "role");
	unpaired(b);
}

static void test_il_long_set(void **state)
{
	struct bed *b = *state;
	char line[1600];
	const char *record[1] = { line };
	size_t at = (size_t)snprintf(line, sizeof(line), "262020000000501,%s,,26202,", CARD_1);

	bed_order_so(b, "o", "3b", "deliver-then-activate", 1);
	for (unsigned i = 0; i < 6; i++) {
		at += (size_t)snprintf(line + at, sizeof(line) - at, "%s6f6%u:", i ? ";" : "", i);
		for (unsigned k = 0; k < 100; k++)
			at += (size_t)snprintf(line + at, sizeof(line) - at, "ff");
	}
	snprintf(line + at, sizeof(line) - at, ",,");
	bed_say(b, &b->b, "IL", "o", record, 1, NULL, "set-too-long");
	unpaired(b);
}

static void test_il_promised(void **state)
{
	struct bed *b = *state;

	bed_order_so(b, "p", "3b", "deliver-then-activate", 1);
	bed_order_il(b, "p", 1);
	assert_true(bed_book(b, BOOK_IMSI, "262020000000501"));
	bed_say(b, &b->s, "SO", "o", (const char *const[]){ CARD_2 "," OTHERS }, 1, NULL, "");
	bed_say(b, &b->b, "IL", "o", (const char *const[]){ IL("262020000000501", CARD_2) }, 1, NULL, "imsi-promised");
	bed_order(b, "o");
	assert_int_equal(b->o.paired, 0);
	/* the same list again, as a new package */
	bed_say(b, &b->b, "IL", "p", (const char *const[]){ IL("262020000000502", CARD_1) }, 1, NULL, "il-count");
}

static void test_il_lint(void **state)
{
	struct bed *b = *state;
	const char *const without[] = { "262020000000501," CARD_1 ",,26202,,," };

	bed_order_so(b, "o", "3b", "deliver-then-activate", 1);
	bed_say(b, &b->b, "IL", "o", without, 1, NULL, "");
	assert_non_null(strstr(bed_order(b, "o")->alarm, "TS-SCA"));
}

/* A pool: sorted IMSIs to sorted ICCIDs, whatever their order in the list. */
static void test_il_pool(void **state)
{
	struct bed *b = *state;
	const char *const pool[] = { IL("262020000000503", ""), IL("262020000000501", ""), IL("262020000000502", "") };

	bed_order_so(b, "o", "3b", "deliver-then-activate", 3);
	bed_say(b, &b->b, "IL", "o", pool, 3, NULL, "");
	bed_order(b, "o");
	assert_int_equal(b->o.paired, 3);
	for (unsigned i = 0; i < 3; i++) {
		char want[16];

		snprintf(want, sizeof(want), "262020000000%03u", 501 + i);
		bed_at(b, i, A_ASKED);
		assert_string_equal(b->l.imsi, want);
	}
	bed_next(b, &b->m, "AQ");
	assert_int_equal(b->n, 3);
}

/* ---- the allocation ---- */

static void test_al(void **state)
{
	struct bed *b = *state;
	static const struct {
		const char *record, *rule;
	} bad[] = {
		{ CARD_1 ",2,3,,7", "index" },
		{ CARD_1 ",1,1,,7", "index" },
		{ CARD_1 ",1,3,,7", "jump" },
		{ "8988211000000000004,1,2,,7", "not-in-order" },
	};
	uint8_t id[PKG_ID_LEN];

	bed_order_so(b, "o", "3b", "deliver-then-activate", 2);
	bed_order_il(b, "o", 2);
	bed_next(b, &b->m, "AQ");
	memcpy(id, b->head.id, sizeof(id));
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		bed_say(b, &b->m, "AL", "o", &bad[i].record, 1, id, bad[i].rule);
		bed_at(b, 0, A_ASKED);
	}
	/* one has no pair left: its line ends, and the other goes on over a jump */
	bed_say(b, &b->m, "AL", "o", (const char *const[]){ CARD_1 ",1,0,,0", CARD_2 ",1,4,0011223344556677,0" }, 2, id,
		"");
	assert_non_null(strstr(bed_order(b, "o")->alarm, "pairs left"));
	bed_next(b, &b->b, "PL");
	assert_int_equal(b->n, 1);
	assert_string_equal(bed_value(b, 0, "to"), "4");
	assert_string_equal(bed_value(b, 0, "kvn"), "2");
	bed_next(b, &b->b, "HL3b");
	assert_int_equal(b->n, 1);
	assert_string_equal(bed_value(b, 0, "state"), "failed");
	assert_string_equal(bed_value(b, 0, "imsi"), "262020000000501");
	assert_string_equal(bed_value(b, 0, "index"), "1");
	bed_at(b, 0, A_CLOSED);
	assert_int_equal(b->l.end, END_FAILED);
	bed_at(b, 1, A_STAGING);
	assert_true(b->l.has_jump);
}

/* A packet that strayed to B is looked at when the card was told to go; what is none of the card's changes nothing. */
static void test_stray_por(void **state)
{
	struct bed *b = *state;
	char text[200];
	const char *record = text;

	bed_order_pl(b, "o", "3b", "deliver-then-activate", 1);
	snprintf(text, sizeof(text), "%s,262020000000501,,1795000000,027100000b0a", b->iccid[0]);
	bed_say(b, &b->b, "SP", "o", &record, 1, NULL, "");
	bed_at(b, 0, A_STAGING);
	bed_ends(b, 0, WORK_STAGE, TXN_DONE, WORK_IS_DONE, (int)OTA_SUB_END_STAGED + 1, 1);
	bed_seen(b, 0);
	bed_cf(b, "o", 0, "ready", "E0", "");
	bed_at(b, 0, A_ARMING);
	bed_say(b, &b->b, "SP", "o", &record, 1, NULL, "");
	bed_at(b, 0, A_ARMING);
	snprintf(text, sizeof(text), "%s,262020000000502,,1795000000,027100000b0a", b->iccid[0]);
	bed_say(b, &b->b, "SP", "o", &record, 1, NULL, "imsi");
	bed_say(b, &b->x, "SP", "o", &record, 1, NULL, "role");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_so),
		T(test_so_refused),
		T(test_so_one_thing),
		T(test_so_plain_card),
		T(test_package_refused),
		T(test_package_damaged),
		T(test_il_refused),
		T(test_il_long_set),
		T(test_il_promised),
		T(test_il_lint),
		T(test_il_pool),
		T(test_al),
		T(test_stray_por),
	};

	return cmocka_run_group_tests_name("desk: packages to the old operator", tests, NULL, bed_parties_end);
}
