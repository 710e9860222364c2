/* test_desk_a_escrow.c - the old operator: keys in escrow, and when their release keys are told.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "a_bed.h"

#define IMSI_OLD "262010000000001"

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	bed_open(b, true);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	bed_close(*state);
	free(*state);
	return 0;
}

static void stages(struct bed *b, unsigned card)
{
	bed_ends(b, card, WORK_STAGE, TXN_DONE, WORK_IS_DONE, (int)OTA_SUB_END_STAGED + 1, 1);
}

/* The key block of record i of what bed_next() has read, as B's keystore opens it. */
static void block(struct bed *b, unsigned i, struct ks_block *out)
{
	const char *hex = bed_value(b, i, "keys");
	uint8_t wrapped[KS_BLOCK_MAX];
	size_t len = strlen(hex) / 2;

	for (size_t k = 0; k < len; k++) {
		unsigned v;

		assert_int_equal(sscanf(hex + 2 * k, "%2x", &v), 1);
		wrapped[k] = (uint8_t)v;
	}
	assert_int_equal(ks_block_unwrap(b->wrap, bed_value(b, i, "iccid"), wrapped, len, out), 0);
}

/* PL and KE have gone out for n cards; what is locked of each. */
static void deposited(struct bed *b, unsigned n, struct ks_block *locked)
{
	bed_order_pl(b, "o", "3a", "escrow", n);
	bed_next(b, &b->b, "KE");
	assert_int_equal(b->n, n);
	for (unsigned i = 0; i < n; i++) {
		block(b, i, &locked[i]);
		assert_true(locked[i].locked_len && !locked[i].has_sub && !locked[i].sets && !locked[i].has_release);
	}
	assert_true(bed_nothing(b, &b->b));
}

/* Its release key stands in our books. */
static bool kept(struct bed *b, unsigned card)
{
	char key[BOOK_KEY_MAX];

	line_key(key, bed_line(b, card)->order, b->iccid[card]);
	return bed_book(b, BOOK_RELEASE, key);
}

/* K goes at once and closed; the one card that shows that it is staged has its key told, and no other. */
static void test_escrow(void **state)
{
	struct bed *b = *state;
	struct ks_block locked[2], told, open;

	deposited(b, 2, locked);
	bed_at(b, 0, A_STAGING);
	assert_true(bed_line(b, 0)->flags & LINE_ESCROW);
	assert_false(b->l.flags & LINE_PROVISIONAL);
	stages(b, 0);
	assert_true(bed_nothing(b, &b->b)); /* SQN first */
	bed_hlr(b, HLR_READ, IMSI_OLD, HLR_OK, 0x1234);
	bed_next(b, &b->b, "RK");
	assert_int_equal(b->n, 1);
	assert_string_equal(bed_value(b, 0, "iccid"), b->iccid[0]);
	assert_string_equal(bed_value(b, 0, "evidence"), "E4");
	assert_string_equal(bed_value(b, 0, "sqn"), "4660");
	block(b, 0, &told);
	assert_true(told.has_release && !told.has_sub && !told.sets && !told.locked_len);
	assert_int_equal(ks_block_unlock(b->b.ks, b->iccid[0], told.release, locked[0].locked, locked[0].locked_len,
					 &open),
			 0);
	assert_int_equal(ks_block_unlock(b->b.ks, b->iccid[1], told.release, locked[1].locked, locked[1].locked_len,
					 &open),
			 KS_E_SEALED); /* each card has its own */
	bed_at(b, 0, A_STAGED);
	assert_true(bed_line(b, 0)->flags & LINE_PROVISIONAL);
	/* then as ever: ready, ARM */
	bed_seen(b, 0);
	bed_cf(b, "o", 0, "ready", "E0", "");
	bed_at(b, 0, A_ARMING);
	/* the other one is given up: what B has of it is of no use, and it counts as shown to nobody */
	bed_ends(b, 1, WORK_STAGE, TXN_FAILED, WORK_CONFLICT, 0, 1);
	bed_next(b, &b->b, "HL3a");
	assert_string_equal(bed_value(b, 0, "state"), "failed");
	bed_at(b, 1, A_CLOSED);
	assert_int_equal(b->l.flags & (LINE_ESCROW | LINE_PROVISIONAL), LINE_ESCROW);
	assert_false(kept(b, 1));
	assert_false(kept(b, 0)); /* told: nobody needs it here any more */
}

/* A stop at any place: the same release key opens what went out before, and it is told once. */
static void test_stopped(void **state)
{
	struct bed *b = *state;
	struct ks_block locked[1], told, open;

	deposited(b, 1, locked);
	bed_restart(b);
	assert_true(bed_nothing(b, &b->b));
	stages(b, 0);
	bed_restart(b);
	bed_hlr(b, HLR_READ, IMSI_OLD, HLR_ABSENT, 0);
	bed_next(b, &b->b, "RK");
	assert_string_equal(bed_value(b, 0, "sqn"), "");
	block(b, 0, &told);
	assert_int_equal(ks_block_unlock(b->b.ks, b->iccid[0], told.release, locked[0].locked, locked[0].locked_len,
					 &open),
			 0);
	bed_restart(b);
	assert_true(bed_nothing(b, &b->b));
	bed_at(b, 0, A_STAGED);
}

/* Our books are put back to before it was told, and the new operator confirms: nobody needs it here any more. */
static void test_put_back(void **state)
{
	struct bed *b = *state;
	struct ks_block locked[1];

	deposited(b, 1, locked);
	assert_true(kept(b, 0));
	b->epoch += 1024;
	bed_restart(b);
	bed_cf(b, "o", 0, "confirmed", "E6", "");
	bed_next(b, &b->b, "HL3a");
	assert_string_equal(bed_value(b, 0, "state"), "done");
	bed_pass(b, 2000);
	bed_hlr(b, HLR_REMOVE, IMSI_OLD, HLR_OK, 0);
	bed_at(b, 0, A_CLOSED);
	assert_int_equal(b->l.flags & (LINE_ESCROW | LINE_PROVISIONAL), LINE_ESCROW | LINE_PROVISIONAL);
	assert_false(kept(b, 0));
}

/* Cancelled between the two: nothing is told. */
static void test_cancelled(void **state)
{
	struct bed *b = *state;
	struct desk_request r = { .verb = DESK_CANCEL, .order = "o" };
	struct ks_block locked[1];

	deposited(b, 1, locked);
	stages(b, 0); /* our register has not said its SQN yet */
	assert_int_equal(desk_request(b->desk, &r), 0);
	bed_turn(b);
	bed_at(b, 0, A_UNSTAGING);
	bed_ends(b, 0, WORK_UNSTAGE, TXN_DONE, WORK_IS_DONE, (int)OTA_SUB_END_UNKNOWN + 1, 1);
	bed_next(b, &b->b, "HL3a");
	assert_string_equal(bed_value(b, 0, "state"), "cancelled");
	assert_string_equal(bed_value(b, 0, "keys"), "");
	assert_true(bed_nothing(b, &b->b));
	assert_int_equal(bed_order(b, "o")->step, ORDER_ENDED);
}

/* Where there is no E4 before the move, or no key to release, there is no escrow. */
static void test_refused(void **state)
{
	struct bed *b = *state;
	char text[200];
	const char *record = text;

	snprintf(text, sizeof(text), "%s,3b,escrow,operator-a,operator-b,vault-m,1797000000", b->iccid[0]);
	bed_say(b, &b->s, "SO", "b", &record, 1, NULL, "policy");
	bed_restart(b);
	snprintf(text, sizeof(text), "%s,3a,escrow,operator-a,operator-b,,1797000000", b->iccid[BED_PLAIN]);
	bed_say(b, &b->s, "SO", "p", &record, 1, NULL, "policy");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_escrow), T(test_stopped), T(test_put_back), T(test_cancelled),
					    T(test_refused) };

	return cmocka_run_group_tests_name("desk: keys in escrow, at A", tests, NULL, bed_parties_end);
}
