/* test_store_moves.c - cards that come from another operator and go to one, asked of every backend.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "contract_fix.h"

#define T1 (T0 + 1000)
#define T2 (T0 + 2000)

/* Card n comes with other numbers: those of card m. */
static struct store_card_insert comes(unsigned n, unsigned m, unsigned keysets)
{
	struct store_card_insert in = card_make(n, keysets), other = card_make(m, 0);

	memcpy(in.card.imsi, other.card.imsi, sizeof(in.card.imsi));
	memcpy(in.card.msisdn, other.card.msisdn, sizeof(in.card.msisdn));
	in.card.created_ms = T1;
	in.card.tz_min = CARD_TZ_KEEP;
	for (unsigned i = 0; i < keysets; i++)
		in.keyset[i].generation = 0;
	return in;
}

static int take(struct fix *f, struct store_card_insert *in)
{
	return one(f, ST_CARD_TAKE, in, NULL, 0);
}

static int leave(struct fix *f, unsigned n, struct card_row *out)
{
	*out = card_make(n, 0).card;
	out->gone_ms = T2;
	return one(f, ST_CARD_LEAVE, out, NULL, 0);
}

static void told(struct fix *f, uint64_t card, const char *text)
{
	static struct store_story rows[16];
	unsigned n = query(f, Q_CARD_STORY, card, NULL, rows, 16);

	for (unsigned i = 0; i < n; i++)
		if (!strcmp(rows[i].row.text, text))
			return;
	fail_msg("not in its story: %s", text);
}

static void test_new(void **state)
{
	struct fix *f = *state;
	struct store_card_insert in = comes(1, 1, 2), again;

	assert_int_equal(take(f, &in), 0);
	assert_true(in.card.id > 0);
	assert_int_equal(in.keyset[0].generation, 1);
	assert_string_equal(fetch(f, in.card.id)->card.imsi, in.card.imsi);
	assert_int_equal(fetch(f, in.card.id)->n_keysets, 2);
	assert_int_equal(fetch(f, in.card.id)->card.tz_min, 0);
	assert_true(by_addr(f, ADDR_IMSI, in.card.imsi, T1) == in.card.id);
	told(f, in.card.id, "taken over: IMSI 001010000000001");
	/* the same once more, as after a crash */
	again = comes(1, 1, 2);
	assert_int_equal(take(f, &again), STORE_R_SAME);
	assert_true(again.card.id == in.card.id);
	assert_int_equal(again.card.moves, in.card.moves);
	/* another card's number */
	again = comes(2, 1, 1);
	assert_int_equal(take(f, &again), STORE_R_DUP_IMSI);
	assert_int_equal(totals(f).cards, 1);
}

/* One that is known: what it is called from now on, and who is found under the old numbers. */
static void test_known(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_in(f, 1), other = card_in(f, 2);
	struct store_card_insert in = comes(1, 5, 1), was = card_make(1, 0);
	struct card_row stale = fetch(f, card)->card;

	assert_int_equal(take(f, &in), STORE_R_UPDATED);
	assert_true(in.card.id == card);
	assert_int_equal(in.card.moves, 1);
	assert_string_equal(fetch(f, card)->card.imsi, card_make(5, 0).card.imsi);
	assert_string_equal(fetch(f, card)->card.msisdn, card_make(5, 0).card.msisdn);
	assert_true(by_addr(f, ADDR_IMSI, in.card.imsi, T1) == card);
	assert_true(by_addr(f, ADDR_MSISDN, in.card.msisdn, T1) == card);
	assert_true(by_addr(f, ADDR_IMSI, was.card.imsi, T1) == 0);
	assert_true(by_addr(f, ADDR_IMSI, was.card.imsi, T1 - 1) == card);
	told(f, card, "taken over: IMSI 001010000000005");

	/* who still knows it by its old numbers says when it was seen, and nothing else */
	stale.last_seen_ms = T2;
	assert_int_equal(one(f, ST_CARD_PUT, &stale, NULL, 0), 0);
	assert_string_equal(fetch(f, card)->card.imsi, card_make(5, 0).card.imsi);
	assert_int_equal(fetch(f, card)->card.last_seen_ms, T2);
	stale.last_seen_ms = T1; /* nor is it made older */
	assert_int_equal(one(f, ST_CARD_PUT, &stale, NULL, 0), 0);
	assert_int_equal(fetch(f, card)->card.last_seen_ms, T2);
	stale = in.card;
	memcpy(stale.imsi, was.card.imsi, sizeof(stale.imsi));
	assert_int_equal(one(f, ST_CARD_PUT, &stale, NULL, 0), 0); /* who knows: as always */
	assert_string_equal(fetch(f, card)->card.imsi, was.card.imsi);

	in = comes(1, 2, 1);
	assert_int_equal(take(f, &in), STORE_R_DUP_IMSI);
	assert_true(by_addr(f, ADDR_IMSI, card_make(2, 0).card.imsi, T1) == other);
	reopen(f);
	assert_int_equal(fetch(f, card)->card.moves, 1);
}

/* Generation 0: these keys by the name they have, others by the next one; a counter never falls for keys that stay. */
static void test_keys(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_in(f, 1);
	struct store_card_insert in = comes(1, 1, 2);

	in.keyset[0].cntr = 500;
	in.keyset[1].cntr = 7;
	in.keyset[1].sealed[0] ^= 1;
	assert_int_equal(take(f, &in), STORE_R_UPDATED);
	assert_int_equal(in.card.moves, 0); /* neither new numbers, nor back */
	assert_int_equal(fetch(f, card)->keyset[0].generation, GEN0);
	assert_int_equal(fetch(f, card)->keyset[0].cntr, 500);
	assert_int_equal(fetch(f, card)->keyset[1].generation, GEN0 + 1);
	assert_int_equal(fetch(f, card)->keyset[1].cntr, 7);
	in = comes(1, 1, 1);
	in.keyset[0].cntr = 400;
	assert_int_equal(take(f, &in), STORE_R_SAME);
	assert_int_equal(fetch(f, card)->keyset[0].cntr, 500);
}

static void test_leave(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_in(f, 1);
	struct store_card_insert in, was = card_make(1, 2);
	struct store_txn_plan p = plan_make(1, 1, 77);
	struct card_row row, stale = fetch(f, card)->card;

	campaign_in(f, 1, "c", CAMPAIGN_READY);
	assert_int_equal(leave(f, 9, &row), STORE_R_NOT_FOUND);
	assert_int_equal(leave(f, 1, &row), 0);
	assert_true(row.id == card);
	assert_int_equal(row.gone_ms, T2);
	assert_int_equal(row.moves, 1);
	assert_string_equal(row.imsi, "");
	assert_memory_equal(&fetch(f, card)->card, &row, sizeof(row));
	assert_int_equal(fetch(f, card)->n_keysets, 0);
	assert_true(by_addr(f, ADDR_IMSI, was.card.imsi, T2) == 0);
	told(f, card, "left: it belongs to another operator, its keys are removed here");
	assert_int_equal(leave(f, 1, &row), STORE_R_SAME);
	assert_int_equal(row.moves, 1);

	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_GONE);
	assert_int_equal(one(f, ST_CARD_INSERT, &was, NULL, 0), STORE_R_GONE);
	stale.last_seen_ms = T2 + 5;
	assert_int_equal(one(f, ST_CARD_PUT, &stale, NULL, 0), 0);
	assert_string_equal(fetch(f, card)->card.imsi, "");

	/* its numbers are free for others */
	in = comes(3, 1, 1);
	assert_int_equal(take(f, &in), 0);
	assert_true(by_addr(f, ADDR_IMSI, was.card.imsi, T2) == in.card.id);

	/* and it may come back, with numbers of its own */
	in = comes(1, 8, 1);
	in.card.created_ms = T2 + 10;
	assert_int_equal(take(f, &in), STORE_R_UPDATED);
	assert_true(in.card.id == card);
	assert_int_equal(in.card.moves, 2);
	assert_int_equal(in.card.gone_ms, 0);
	assert_int_equal(fetch(f, card)->n_keysets, 1);
	assert_int_equal(fetch(f, card)->keyset[0].generation, 1);
	assert_string_equal(fetch(f, card)->card.imsi, card_make(8, 0).card.imsi);
	assert_int_equal(fetch(f, card)->card.last_seen_ms, T2 + 5);
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), 0);
	reopen(f);
	assert_int_equal(fetch(f, card)->card.moves, 2);
}

/* While something of it is under way nobody takes it and it does not leave. */
static void test_open(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_in(f, 1);
	struct store_card_insert in = comes(1, 5, 1);
	struct cmd_row cmd = cmd_make(1, card, CMD_SENT);
	struct txn_row t;
	struct card_row row;

	campaign_in(f, 1, "c", CAMPAIGN_READY);
	t = txn_in(f, 1, 1, 77);
	assert_int_equal(leave(f, 1, &row), STORE_R_OPEN_TXN);
	assert_int_equal(take(f, &in), STORE_R_OPEN_TXN);
	t.state = TXN_DONE;
	assert_int_equal(one(f, ST_TXN_PUT, &t, NULL, 0), 0);
	assert_int_equal(one(f, ST_CMD_PUT, &cmd, NULL, 0), 0);
	assert_int_equal(leave(f, 1, &row), STORE_R_OPEN_TXN);
	in = comes(1, 5, 1);
	assert_int_equal(take(f, &in), STORE_R_OPEN_TXN);
	assert_string_equal(fetch(f, card)->card.imsi, card_make(1, 0).card.imsi);
	cmd.state = CMD_DONE;
	assert_int_equal(one(f, ST_CMD_PUT, &cmd, NULL, 0), 0);
	in = comes(1, 5, 1);
	assert_int_equal(take(f, &in), STORE_R_UPDATED);
	assert_int_equal(leave(f, 1, &row), 0);
}

/* What was not committed can be tried again as it is. */
static void test_again(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_in(f, 1);
	struct store_card_insert in = comes(1, 5, 2);
	struct card_row row = card_make(2, 0).card;

	card_in(f, 2);
	row.gone_ms = T2;
	in.keyset[1].sealed[0] ^= 1;
	add(f, ST_CARD_TAKE, &in, NULL, 0);
	add(f, ST_CARD_LEAVE, &row, NULL, 0);
	for (unsigned i = 0; i < 2; i++) {
		f->b->dry_run = !i;
		assert_int_equal(commit_rc(f), STORE_OK);
		assert_int_equal(f->b->ops[0].rc, STORE_R_UPDATED);
		assert_int_equal(f->b->ops[1].rc, 0);
	}
	assert_int_equal(fetch(f, card)->keyset[1].generation, GEN0 + 1);
	assert_int_equal(fetch(f, card)->card.moves, 1);
	assert_true(by_addr(f, ADDR_IMSI, in.card.imsi, T1) == card);
}

/* Nobody but the order itself changes it, wherever the card is; who plans may ask not to have such cards. */
static void test_quarantine(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_in(f, 1);
	struct store_txn_plan p = plan_make(1, 1, 77);
	struct card_row row = fetch(f, card)->card, q = { .id = card, .quarantine_ms = T1 };
	struct store_card_insert in = comes(1, 5, 1);

	campaign_in(f, 1, "c", CAMPAIGN_READY);
	assert_int_equal(row.quarantine_ms, 0);
	assert_int_equal(one(f, ST_CARD_QUARANTINE, &q, NULL, 0), 0);
	assert_int_equal(fetch(f, card)->card.quarantine_ms, T1);
	row.last_seen_ms = T2; /* who writes what it knows of the card does not release it */
	assert_int_equal(one(f, ST_CARD_PUT, &row, NULL, 0), 0);
	assert_int_equal(fetch(f, card)->card.quarantine_ms, T1);
	p.not_quarantined = true;
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_QUARANTINE);
	/* nor do other numbers, or that it goes and comes */
	assert_int_equal(take(f, &in), STORE_R_UPDATED);
	assert_int_equal(in.card.quarantine_ms, T1);
	assert_int_equal(leave(f, 1, &row), 0);
	assert_int_equal(row.quarantine_ms, T1);
	in = comes(1, 5, 1);
	assert_int_equal(take(f, &in), STORE_R_UPDATED);
	reopen(f);
	assert_int_equal(fetch(f, card)->card.quarantine_ms, T1);
	p.not_quarantined = false;
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), 0);
	q.quarantine_ms = 0;
	assert_int_equal(one(f, ST_CARD_QUARANTINE, &q, NULL, 0), 0);
	assert_int_equal(fetch(f, card)->card.quarantine_ms, 0);
	q.id = 99;
	assert_int_equal(one(f, ST_CARD_QUARANTINE, &q, NULL, 0), STORE_R_NOT_FOUND);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = { T(test_new),  T(test_known), T(test_keys),	    T(test_leave),
					    T(test_open), T(test_again), T(test_quarantine) };
	int rc = cmocka_run_group_tests_name("memory", tests, NULL, NULL);

	use_sqlite = true;
	return rc + cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
}
