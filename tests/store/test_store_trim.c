/* test_store_trim.c - what is old goes, and never what proves something that still counts; in every backend.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "contract_fix.h"

#define OLD 100 /* before T0 + this */

static void story_in(struct fix *f, uint64_t card, uint64_t cmd, unsigned at, enum story_kind kind)
{
	struct story_row s = { .card = card, .cmd = cmd, .at_ms = T0 + at, .kind = (uint8_t)kind };

	assert_int_equal(one(f, ST_STORY_ADD, &s, "x", 1), 0);
}

/* A command with its packet and two lines of the story. */
static void cmd_told(struct fix *f, uint64_t id, const struct txn_row *t, enum cmd_state state, unsigned at)
{
	struct cmd_row c = cmd_make(id, t->card, state);

	c.txn = t->id;
	c.ended_ms = state >= CMD_DONE ? T0 + at : 0;
	assert_int_equal(one(f, ST_CMD_PUT, &c, NULL, 0), 0);
	assert_int_equal(one(f, ST_WIRE_PUT, &c, "packet", 6), 0);
	story_in(f, t->card, id, at, STORY_ATTEMPT);
	story_in(f, t->card, id, at, STORY_POR);
}

static void txn_end(struct fix *f, struct txn_row *t, enum txn_state state, unsigned at)
{
	t->state = (uint8_t)state;
	assert_int_equal(one(f, ST_TXN_PUT, t, NULL, 0), 0);
	story_in(f, t->card, 0, at, STORY_STATE);
}

static struct store_trim trim(struct fix *f, uint64_t card, unsigned cards, unsigned rows)
{
	struct store_trim t = { .before_ms = T0 + OLD, .card = card, .cards = cards, .rows = rows };

	assert_int_equal(one(f, ST_TRIM, &t, NULL, 0), 0);
	return t;
}

static unsigned stories(struct fix *f, uint64_t card)
{
	static struct store_story out[50];

	return query(f, Q_CARD_STORY, card, NULL, out, 50);
}

static unsigned wires(struct fix *f, uint64_t from, uint64_t to)
{
	static struct store_blob blob;
	unsigned n = 0;

	for (; from <= to; from++)
		n += query(f, Q_WIRE, from, NULL, &blob, 1);
	return n;
}

/* From the last proof on all stays, and all of a card with something open; what is older goes. */
static void test_trim(void **state)
{
	struct fix *f = *state;
	uint64_t a = card_in(f, 1);
	struct store_totals before;
	struct store_trim t;
	struct txn_row x;

	campaign_in(f, 1, "one", CAMPAIGN_RUNNING);
	campaign_in(f, 2, "two", CAMPAIGN_RUNNING);
	campaign_in(f, 3, "three", CAMPAIGN_RUNNING);
	x = txn_in(f, 1, 1, 1);
	cmd_told(f, 1, &x, CMD_DONE, 1);
	cmd_told(f, 2, &x, CMD_DONE, 2);
	txn_end(f, &x, TXN_DONE, 3);
	story_in(f, a, 0, 4, STORY_STRAY);
	story_in(f, a, 0, 5, STORY_NOTE);
	trim(f, 0, 100, 100);
	/* it was the last proof: nothing but the stray has gone */
	assert_int_equal(stories(f, a), 6);
	assert_int_equal(wires(f, 1, 2), 2);

	x = txn_in(f, 2, 1, 2);
	story_in(f, a, 0, 6, STORY_STRAY);
	trim(f, 0, 100, 100);
	assert_int_equal(stories(f, a), 7); /* it has something open */
	x.state = TXN_ACTIVE;
	assert_int_equal(one(f, ST_TXN_PUT, &x, NULL, 0), 0);
	cmd_told(f, 3, &x, CMD_EXPIRED, 10);
	txn_end(f, &x, TXN_EXPIRED, 11);
	trim(f, 0, 100, 100);
	assert_int_equal(stories(f, a), 9); /* the last proof is the older one */
	assert_int_equal(wires(f, 1, 3), 3);

	x = txn_in(f, 3, 1, 3);
	cmd_told(f, 4, &x, CMD_DONE, 20);
	cmd_told(f, 5, &x, CMD_SENT, 21);
	txn_end(f, &x, TXN_DONE, 22);
	trim(f, 0, 100, 100);
	assert_int_equal(stories(f, a), 14); /* a command is open */
	cmd_told(f, 5, &x, CMD_DONE, 21);
	story_in(f, a, 1, 30, STORY_NOTE); /* about an old command, and younger than the proof */
	before = totals(f);
	t = trim(f, 0, 100, 100);
	assert_int_equal(t.removed, 9 + 3);
	assert_false(t.more);
	assert_int_equal(stories(f, a), 8);
	assert_int_equal(wires(f, 1, 3), 0);
	assert_int_equal(wires(f, 4, 5), 2);
	assert_int_equal(trim(f, 0, 100, 100).removed, 0);
	assert_int_equal(totals(f).cmds, before.cmds);
	assert_int_equal(totals(f).txns, before.txns);
	assert_int_equal(fetch(f, a)->keyset[0].cntr, 100);
	reopen(f);
	assert_int_equal(stories(f, a), 8);
}

/* Young ones stay; without a proof all stays but what came as an answer and was none. */
static void test_trim_stays(void **state)
{
	struct fix *f = *state;
	uint64_t a = card_in(f, 1), b = card_in(f, 2);
	struct txn_row x, y;

	campaign_in(f, 1, "one", CAMPAIGN_RUNNING);
	campaign_in(f, 2, "two", CAMPAIGN_RUNNING);
	x = txn_in(f, 1, 1, 1);
	cmd_told(f, 1, &x, CMD_DONE, OLD); /* as old as may be */
	txn_end(f, &x, TXN_DONE, OLD);
	x = txn_in(f, 2, 1, 2);
	cmd_told(f, 2, &x, CMD_DONE, OLD + 1);
	txn_end(f, &x, TXN_DONE, OLD + 1);
	y = txn_in(f, 1, 2, 3);
	cmd_told(f, 3, &y, CMD_FAILED, 1);
	txn_end(f, &y, TXN_FAILED, 2);
	y = txn_in(f, 2, 2, 4);
	cmd_told(f, 4, &y, CMD_EXPIRED, 3);
	txn_end(f, &y, TXN_EXPIRED, 4);
	story_in(f, b, 0, OLD - 1, STORY_STRAY);
	story_in(f, b, 0, OLD, STORY_STRAY);
	assert_int_equal(trim(f, 0, 100, 100).removed, 1);
	assert_int_equal(stories(f, a), 6);
	assert_int_equal(stories(f, b), 7);
	assert_int_equal(wires(f, 1, 4), 4);
}

/* In small steps, each of which says where to go on; and of nobody's. */
static void test_trim_steps(void **state)
{
	struct fix *f = *state;
	unsigned steps = 0, removed = 0;
	struct store_trim t = { 0 };
	uint64_t last = 0;

	for (unsigned n = 0; n < 5; n++)
		last = card_in(f, n);
	for (unsigned i = 0; i < 30; i++)
		story_in(f, i % 6 ? i % 6 : 0, 0, i, STORY_STRAY);
	do {
		t = trim(f, t.next, 2, 4);
		assert_in_range(t.removed, 0, 4);
		removed += t.removed;
		steps++;
	} while (t.more && steps < 100);
	assert_int_equal(removed, 30);
	assert_in_range(steps, 8, 14);
	for (uint64_t card = 0; card <= last; card++)
		assert_int_equal(stories(f, card), 0);
	t = trim(f, 0, 0, 4);
	assert_true(t.more && !t.next); /* it has looked at none */
	t = trim(f, 0, 2, 0);
	assert_int_equal(t.removed, 0);
	/* tried and not done */
	story_in(f, 1, 0, 1, STORY_STRAY);
	t = (struct store_trim){ .before_ms = T0 + OLD, .cards = 100, .rows = 100 };
	add(f, ST_TRIM, &t, NULL, 0);
	f->b->dry_run = true;
	commit(f);
	assert_int_equal(stories(f, 1), 1);
	assert_int_equal(trim(f, 0, 100, 100).removed, 1);
}

static int run(const char *name)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = { T(test_trim), T(test_trim_stays), T(test_trim_steps) };

	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
	int failed = run("memory");

	use_sqlite = true;
	return failed + run("sqlite");
}
