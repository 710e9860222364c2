/* test_store_contract.c - what a store promises, asked of every backend.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "contract_fix.h"

/* ---- cards ---- */

static void test_card_insert(void **state)
{
	struct fix *f = *state;
	struct store_card_insert in = card_make(1, 2), again = card_make(1, 1), other;
	const struct card_bundle *c;
	uint64_t id;

	assert_int_equal(one(f, ST_CARD_INSERT, &in, NULL, 0), 0);
	id = in.card.id;
	assert_true(id > 0);

	assert_int_equal(one(f, ST_CARD_INSERT, &again, NULL, 0), STORE_R_SAME);
	assert_int_equal(again.card.id, id);

	c = fetch(f, id);
	assert_non_null(c);
	assert_memory_equal(&c->card, &in.card, sizeof(in.card));
	assert_int_equal(c->n_keysets, 2);
	assert_int_equal(c->keyset[0].card, id);
	assert_int_equal(c->keyset[0].cntr, 100);
	for (int i = 0; i < 2; i++)
		assert_memory_equal(&c->keyset[i], &in.keyset[i], sizeof(in.keyset[i]));
	assert_false(c->has_txn);
	assert_int_equal(c->n_cmds + c->n_parts + c->packet_len, 0);

	other = card_make(1, 1);
	snprintf(other.card.msisdn, sizeof(other.card.msisdn), "4915");
	assert_int_equal(one(f, ST_CARD_INSERT, &other, NULL, 0), STORE_R_DUP_ICCID);
	other = card_make(2, 1);
	memcpy(other.card.imsi, in.card.imsi, sizeof(in.card.imsi));
	assert_int_equal(one(f, ST_CARD_INSERT, &other, NULL, 0), STORE_R_DUP_IMSI);
	other = card_make(2, 1);
	memcpy(other.card.msisdn, in.card.msisdn, sizeof(in.card.msisdn));
	assert_int_equal(one(f, ST_CARD_INSERT, &other, NULL, 0), STORE_R_DUP_MSISDN);

	/* no MSISDN is no number: any number of cards may have none */
	for (unsigned n = 2; n < 5; n++) {
		other = card_make(n, 0);
		other.card.msisdn[0] = 0;
		assert_int_equal(one(f, ST_CARD_INSERT, &other, NULL, 0), 0);
	}
	assert_int_equal(totals(f).cards, 4);
	assert_null(fetch(f, 77));
}

/* Every line of an import has its own answer; good ones go in whatever stands beside them. */
static void test_card_insert_many(void **state)
{
	struct fix *f = *state;
	struct store_card_insert in;
	static struct card_row rows[64];
	uint64_t after = 0;
	unsigned n, seen = 0;

	for (unsigned i = 0; i < 1000; i++) {
		in = card_make(i / 2, 1); /* each twice */
		add(f, ST_CARD_INSERT, &in, NULL, 0);
	}
	assert_int_equal(commit_rc(f), 0);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(f->b->ops[i].rc, i % 2 ? STORE_R_SAME : 0);

	while ((n = query(f, Q_CARDS, 0, &after, rows, 64)) > 0) {
		for (unsigned i = 0; i < n; i++, seen++) {
			in = card_make(seen, 1);
			assert_string_equal(rows[i].iccid, in.card.iccid);
			assert_string_equal(rows[i].imsi, in.card.imsi);
		}
		assert_int_equal(after, rows[n - 1].id);
	}
	assert_int_equal(seen, 500);
}

static void test_card_put(void **state)
{
	struct fix *f = *state;
	uint64_t a = card_in(f, 1), b = card_in(f, 2);
	struct card_row row = fetch(f, a)->card;
	struct keyset_row k = fetch(f, a)->keyset[1];

	row.last_seen_ms = T0 + 5;
	assert_int_equal(one(f, ST_CARD_PUT, &row, NULL, 0), 0);
	assert_memory_equal(&fetch(f, a)->card, &row, sizeof(row));
	/* a fact from outside goes in even if another row still claims the number */
	row = fetch(f, a)->card;
	memcpy(row.imsi, fetch(f, b)->card.imsi, sizeof(row.imsi));
	row.msisdn[0] = 0;
	assert_int_equal(one(f, ST_CARD_PUT, &row, NULL, 0), 0);
	assert_memory_equal(&fetch(f, a)->card.imsi, row.imsi, sizeof(row.imsi));
	assert_string_equal(fetch(f, a)->card.msisdn, "");
	row.id = 99;
	assert_int_equal(one(f, ST_CARD_PUT, &row, NULL, 0), STORE_R_NOT_FOUND);

	/* counters only rise */
	k.cntr = 120;
	k.cntr_proven = 110;
	assert_int_equal(one(f, ST_KEYSET_CNTR, &k, NULL, 0), 0);
	k.cntr_proven = 115;
	assert_int_equal(one(f, ST_KEYSET_CNTR, &k, NULL, 0), 0);
	k.cntr = 119; /* who says so does not know what is stored: whatever else it says is as old */
	k.cntr_proven = 117;
	assert_int_equal(one(f, ST_KEYSET_CNTR, &k, NULL, 0), 0);
	assert_int_equal(fetch(f, a)->keyset[1].cntr, 120);
	assert_int_equal(fetch(f, a)->keyset[1].cntr_proven, 115);
	assert_int_equal(fetch(f, a)->keyset[0].cntr, 100);
	assert_int_equal(fetch(f, a)->keyset[1].sealed_len, 150);
	/* a new epoch: what was proven before is not known any more, the counter itself is never lowered */
	k.epoch = 2;
	k.cntr_proven = 0;
	assert_int_equal(one(f, ST_KEYSET_CNTR, &k, NULL, 0), 0);
	assert_int_equal(fetch(f, a)->keyset[1].cntr, 120);
	assert_int_equal(fetch(f, a)->keyset[1].cntr_proven, 0);
	assert_int_equal(fetch(f, a)->keyset[1].epoch, 2);
	k.epoch = 1;
	k.cntr = 120;
	k.cntr_proven = 7;
	assert_int_equal(one(f, ST_KEYSET_CNTR, &k, NULL, 0), 0);
	assert_int_equal(fetch(f, a)->keyset[1].cntr_proven, 7);
	assert_int_equal(fetch(f, a)->keyset[1].epoch, 2);
	k.cntr = OTA_CNTR_MAX;
	assert_int_equal(one(f, ST_KEYSET_CNTR, &k, NULL, 0), 0);
	assert_true(fetch(f, a)->keyset[1].cntr == OTA_CNTR_MAX);
	k.kvn = 9;
	assert_int_equal(one(f, ST_KEYSET_CNTR, &k, NULL, 0), STORE_R_NOT_FOUND);
	k.kvn = 17; /* would be key version 1 of the next card if it were only added up */
	assert_int_equal(one(f, ST_KEYSET_CNTR, &k, NULL, 0), STORE_R_NOT_FOUND);
	assert_int_equal(fetch(f, b)->keyset[0].cntr, 100);
}

static void test_addr(void **state)
{
	struct fix *f = *state;
	uint64_t a = card_in(f, 1), b = card_in(f, 2);
	struct card_addr_row row = { .type = ADDR_IMSI, .card = b, .valid_from_ms = T0 + 100 };

	assert_int_equal(by_addr(f, ADDR_MSISDN, "491700000001", T0), a);
	assert_int_equal(by_addr(f, ADDR_IMSI, "001010000000002", T0 + 9), b);
	assert_int_equal(by_addr(f, ADDR_IMSI, "491700000001", T0), 0);
	assert_int_equal(by_addr(f, ADDR_MSISDN, "491700000001", T0 - 3600000), a); /* the clock was set back since */
	assert_int_equal(by_addr(f, ADDR_MSISDN, "", T0), 0);

	/* the number of card 1 moves to card 2: the latest that has not ended wins, also by a clock that was set back */
	snprintf(row.digits, sizeof(row.digits), "001010000000001");
	assert_int_equal(one(f, ST_ADDR_PUT, &row, NULL, 0), 0);
	assert_int_equal(by_addr(f, ADDR_IMSI, row.digits, T0 + 99), b);
	assert_int_equal(by_addr(f, ADDR_IMSI, row.digits, T0 + 100), b);
	row.valid_to_ms = T0 + 200;
	assert_int_equal(one(f, ST_ADDR_PUT, &row, NULL, 0), 0);
	assert_int_equal(by_addr(f, ADDR_IMSI, row.digits, T0 + 199), b);
	assert_int_equal(by_addr(f, ADDR_IMSI, row.digits, T0 + 200), a);
	row = (struct card_addr_row){ .type = ADDR_IMSI, .card = a, .valid_from_ms = T0, .valid_to_ms = T0 + 150 };
	snprintf(row.digits, sizeof(row.digits), "001010000000001");
	assert_int_equal(one(f, ST_ADDR_PUT, &row, NULL, 0), 0);
	assert_int_equal(by_addr(f, ADDR_IMSI, row.digits, T0 + 200), 0);
}

/* ---- campaigns and planning ---- */

static void test_campaign(void **state)
{
	struct fix *f = *state;
	struct campaign_row c = campaign_make(7, "swap1", CAMPAIGN_LOADING), rows[2];
	static struct store_blob blob;
	static char text[PROFILE_TEXT_MAX];
	uint64_t after = 0;

	memset(text, 'p', sizeof(text));
	assert_int_equal(one(f, ST_CAMPAIGN_INSERT, &c, text, sizeof(text)), 0);
	c.id = 8;
	assert_int_equal(one(f, ST_CAMPAIGN_INSERT, &c, text, 3), STORE_R_DUP_NAME);
	campaign_in(f, 3, "early", CAMPAIGN_READY);
	campaign_in(f, 9, "late", CAMPAIGN_RUNNING);

	assert_int_equal(query(f, Q_PROFILE, 7, NULL, &blob, 1), 1);
	assert_int_equal(blob.len, sizeof(text));
	assert_memory_equal(blob.bytes, text, sizeof(text));
	assert_int_equal(query(f, Q_PROFILE, 8, NULL, &blob, 1), 0);

	c = campaign_make(7, "swap1", CAMPAIGN_RUNNING);
	c.targets = 5;
	c.txn_cursor = 3;
	c.started_ms = T0 + 1;
	c.deadline_ms = T0 + 2;
	c.canary_ms = T0 + 3;
	memset(c.rules, 'r', sizeof(c.rules) - 1);
	snprintf(c.tally, sizeof(c.tally), "1,2,3");
	snprintf(c.stop_reason, sizeof(c.stop_reason), "stopped by its rule");
	assert_int_equal(one(f, ST_CAMPAIGN_PUT, &c, NULL, 0), 0);
	assert_int_equal(query(f, Q_CAMPAIGNS, 0, &after, rows, 2), 2);
	assert_int_equal(rows[0].id, 3);
	assert_memory_equal(&rows[1], &c, sizeof(c));
	assert_int_equal(query(f, Q_CAMPAIGNS, 0, &after, rows, 2), 1);
	assert_int_equal(rows[0].id, 9);
	assert_int_equal(query(f, Q_CAMPAIGNS, 0, &after, rows, 2), 0);
	c.id = 55;
	assert_int_equal(one(f, ST_CAMPAIGN_PUT, &c, NULL, 0), STORE_R_NOT_FOUND);
	assert_int_equal(totals(f).campaigns, 3);
	assert_int_equal(totals(f).max_campaign, 9);
}

static void test_plan(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_in(f, 1);
	struct store_txn_plan p;
	struct txn_row t, planned;

	for (unsigned n = 2; n < 6; n++)
		card_in(f, n);
	campaign_in(f, 1, "one", CAMPAIGN_LOADING);
	campaign_in(f, 2, "two", CAMPAIGN_RUNNING);

	p = plan_make(1, 1, 1);
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), 0);
	t = p.txn;
	assert_true(t.id > 0);
	assert_int_equal(t.card, card);
	assert_int_equal(p.kic_alg, 3);
	assert_int_equal(p.kid_alg, 4);
	assert_int_equal(p.cc_len, 8);
	assert_true(fetch(f, card)->has_txn);
	assert_memory_equal(&fetch(f, card)->txn, &t, sizeof(t));

	p = plan_make(99, 2, 2);
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_NOT_FOUND);
	p = plan_make(1, 77, 2);
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_NO_CARD);
	p = plan_make(1, 2, 2);
	p.kvn = 3;
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_NO_KEYSET);
	p.kvn = 17;
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_NO_KEYSET);
	p = plan_make(1, 1, 2); /* twice in one list, or in two campaigns: one open transaction per card (D7) */
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_OPEN_TXN);
	p = plan_make(2, 1, 2);
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_OPEN_TXN);
	p = plan_make(2, 2, 1); /* promised to card 1 */
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_DUP_IMSI);
	p = plan_make(2, 2, 2);
	snprintf(p.txn.new_imsi, sizeof(p.txn.new_imsi), "001010000000003"); /* card 3 has it */
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_DUP_IMSI);
	snprintf(p.txn.new_imsi, sizeof(p.txn.new_imsi), "001010000000002"); /* its own: nothing to do, but no harm */
	snprintf(p.txn.new_msisdn, sizeof(p.txn.new_msisdn), "491700000003");
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_DUP_MSISDN);
	snprintf(p.txn.new_msisdn, sizeof(p.txn.new_msisdn), "4916");
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), 0);
	p = plan_make(2, 3, 3);
	snprintf(p.txn.new_msisdn, sizeof(p.txn.new_msisdn), "4916");
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_DUP_MSISDN);

	/* a card whose IMSI is promised to another one cannot be imported */
	struct store_card_insert in = card_make(8, 1);

	snprintf(in.card.imsi, sizeof(in.card.imsi), "001020000000001");
	assert_int_equal(one(f, ST_CARD_INSERT, &in, NULL, 0), STORE_R_DUP_IMSI);

	/* an end frees card and number */
	t.state = TXN_FAILED;
	t.ended_ms = T0 + 50;
	snprintf(t.reason, sizeof(t.reason), "no answer");
	assert_int_equal(one(f, ST_TXN_PUT, &t, NULL, 0), 0);
	assert_memory_equal(&fetch(f, card)->txn, &t, sizeof(t));
	p = plan_make(2, 3, 1);
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), 0);
	/* what is only planned is shown, but to the core a late answer to the one before still counts */
	p = plan_make(2, 1, 9);
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), 0);
	assert_int_equal(shown(f, card)->txn.id, p.txn.id);
	assert_memory_equal(&fetch(f, card)->txn, &t, sizeof(t));

	/* a cancelled campaign gives a card and its numbers back one by one, as the core ends them: not before */
	planned = p.txn;
	campaign_state(f, 2, "two", CAMPAIGN_CANCELLED);
	p = plan_make(1, 1, 9);
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_OPEN_TXN);
	p = plan_make(1, 4, 9);
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_DUP_IMSI);
	assert_int_equal(shown(f, card)->txn.id, planned.id);
	planned.state = TXN_CANCELLED;
	planned.ended_ms = T0 + 60;
	assert_int_equal(one(f, ST_TXN_PUT, &planned, NULL, 0), 0);
	p = plan_make(1, 1, 9);
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), 0);
	assert_int_equal(shown(f, card)->txn.id, p.txn.id);
	/* but not those whose command may still run */
	p.txn.state = TXN_ACTIVE;
	assert_int_equal(one(f, ST_TXN_PUT, &p.txn, NULL, 0), 0);
	campaign_state(f, 1, "one", CAMPAIGN_CANCELLED);
	campaign_in(f, 3, "three", CAMPAIGN_RUNNING);
	assert_int_equal(fetch(f, card)->txn.id, p.txn.id);
	p = plan_make(3, 1, 8);
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_OPEN_TXN);
	p = plan_make(3, 4, 9);
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_DUP_IMSI);
	assert_int_equal(shown(f, card)->txn.campaign, 1);
	t.id = 4711;
	assert_int_equal(one(f, ST_TXN_PUT, &t, NULL, 0), STORE_R_NOT_FOUND);
}

/* Two cards with one IMSI: neither is served.  So a number stays with the card that may have it. */
static void test_promises_outlive_their_end(void **state)
{
	static const enum txn_state unknown[] = { TXN_EXPIRED, TXN_CANCELLED, TXN_QUARANTINED };
	struct fix *f = *state;
	struct store_txn_plan first, p;

	campaign_in(f, 1, "one", CAMPAIGN_RUNNING);
	card_in(f, 1);
	card_in(f, 2);
	for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		first = plan_make(1, 1, 30 + i);
		snprintf(first.txn.new_msisdn, sizeof(first.txn.new_msisdn), "49150%u", i);
		assert_int_equal(one(f, ST_TXN_PLAN, &first, NULL, 0), 0);
		first.txn.state = (uint8_t)unknown[i];
		first.txn.scripts = 1;
		assert_int_equal(one(f, ST_TXN_PUT, &first.txn, NULL, 0), 0);
		p = plan_make(1, 2, 30 + i);
		assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_DUP_IMSI);
		p = plan_make(1, 2, 20);
		memcpy(p.txn.new_msisdn, first.txn.new_msisdn, sizeof(p.txn.new_msisdn));
		assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_DUP_MSISDN);
	}
	/* the card itself may be given it once more; when it is done with something else, it is free */
	p = plan_make(1, 1, 30);
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), 0);
	p.txn.state = TXN_CANCELLED; /* never sent */
	assert_int_equal(one(f, ST_TXN_PUT, &p.txn, NULL, 0), 0);
	p = plan_make(1, 1, 40);
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), 0);
	p.txn.state = TXN_DONE;
	p.txn.scripts = 1;
	assert_int_equal(one(f, ST_TXN_PUT, &p.txn, NULL, 0), 0);
	p = plan_make(1, 2, 31);
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), 0);
}

/* What could not be addressed, or would strand the card, is refused. */
static void test_plan_numbers(void **state)
{
	struct fix *f = *state;
	struct store_card_insert in = card_make(1, 1);
	struct store_txn_plan p;

	in.card.msisdn[0] = 0;
	assert_int_equal(one(f, ST_CARD_INSERT, &in, NULL, 0), 0);
	card_in(f, 2);
	campaign_in(f, 1, "one", CAMPAIGN_LOADING);
	p = plan_make(1, 1, 1);
	p.need_msisdn = true;
	snprintf(p.txn.new_msisdn, sizeof(p.txn.new_msisdn), "4916"); /* not yet the number to send to */
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_NO_MSISDN);
	p.kvn = 3;
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_NO_KEYSET);
	p = plan_make(1, 2, 2);
	p.need_msisdn = true;
	p.txn.new_imsi[14] = 0;
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_IMSI_LEN);
	assert_int_equal(strlen(p.imsi), 15);
	assert_int_equal(totals(f).txns, 0);
	p = plan_make(1, 2, 2);
	p.need_msisdn = true;
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), 0);
	p = plan_make(1, 2, 3);
	p.txn.new_imsi[14] = 0; /* said before the open transaction */
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_IMSI_LEN);
	p = plan_make(1, 1, 1);
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), 0);
	/* an IMSI of 14 digits stays one */
	in = card_make(3, 1);
	in.card.imsi[14] = 0;
	assert_int_equal(one(f, ST_CARD_INSERT, &in, NULL, 0), 0);
	p = plan_make(1, 3, 30);
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_IMSI_LEN);
	assert_int_equal(strlen(p.imsi), 14);
	p.txn.new_imsi[14] = 0;
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), 0);
}

static void test_dry_run(void **state)
{
	struct fix *f = *state;
	struct store_card_insert in = card_make(5, 1);
	struct campaign_row c = campaign_make(1, "dry", CAMPAIGN_LOADING);
	struct store_txn_plan p = plan_make(1, 1, 1), q = plan_make(1, 2, 1);
	struct card_row row;
	uint64_t card;
	struct store_totals before, after;

	card = card_in(f, 1);
	card_in(f, 2);
	row = fetch(f, card)->card;
	row.last_seen_ms = 9;
	before = totals(f);
	add(f, ST_CARD_INSERT, &in, NULL, 0);
	add(f, ST_CARD_PUT, &row, NULL, 0);
	add(f, ST_CAMPAIGN_INSERT, &c, "x", 1);
	add(f, ST_TXN_PLAN, &p, NULL, 0);
	add(f, ST_TXN_PLAN, &q, NULL, 0);
	f->b->dry_run = true;
	assert_int_equal(commit_rc(f), STORE_OK);
	assert_int_equal(f->b->ops[0].rc, 0);
	assert_int_equal(f->b->ops[3].rc, 0);
	assert_int_equal(f->b->ops[4].rc, STORE_R_DUP_IMSI);
	store_batch_reset(f->b);
	after = totals(f);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(fetch(f, card)->card.last_seen_ms, 0);
	assert_false(fetch(f, card)->has_txn);
	assert_int_equal(by_addr(f, ADDR_MSISDN, in.card.msisdn, T0), 0);
	assert_int_equal(one(f, ST_CARD_INSERT, &in, NULL, 0), 0);
}

static void test_drop(void **state)
{
	struct fix *f = *state;
	struct campaign_row c = campaign_make(1, "half", CAMPAIGN_LOADING);
	static struct store_blob blob;
	uint64_t card = card_in(f, 1);
	struct txn_row t;

	card_in(f, 2);
	campaign_in(f, 1, "half", CAMPAIGN_LOADING);
	campaign_in(f, 2, "keep", CAMPAIGN_LOADING);
	txn_in(f, 1, 1, 1);
	t = txn_in(f, 2, 2, 2);
	reopen(f);
	assert_int_equal(one(f, ST_CAMPAIGN_DROP, &c, NULL, 0), 0);
	assert_false(fetch(f, card)->has_txn);
	assert_int_equal(totals(f).txns, 1);
	assert_int_equal(totals(f).campaigns, 1);
	assert_int_equal(query(f, Q_PROFILE, 1, NULL, &blob, 1), 0);
	assert_int_equal(one(f, ST_CAMPAIGN_DROP, &c, NULL, 0), STORE_R_NOT_FOUND);
	/* name, card and number are free again; a campaign that has run stays */
	campaign_in(f, 1, "half", CAMPAIGN_LOADING);
	assert_true(txn_in(f, 1, 1, 1).id != t.id);
	campaign_state(f, 1, "half", CAMPAIGN_DONE);
	assert_int_equal(one(f, ST_CAMPAIGN_DROP, &c, NULL, 0), STORE_R_NOT_FOUND);
	assert_true(fetch(f, card)->has_txn);
}

static void test_claim(void **state)
{
	struct fix *f = *state;
	static struct card_bundle out[8];
	struct store_fetch q = { .by = FETCH_CLAIM, .campaign = 2, .limit = 4, .out = out, .cap = 8 };
	struct txn_row t[20];
	unsigned seen = 0;

	campaign_in(f, 1, "other", CAMPAIGN_RUNNING);
	campaign_in(f, 2, "mine", CAMPAIGN_RUNNING);
	for (unsigned n = 0; n < 20; n++) {
		card_in(f, n);
		t[n] = txn_in(f, 1 + n % 2, n, n);
	}
	t[5].state = TXN_ACTIVE;
	assert_int_equal(one(f, ST_TXN_PUT, &t[5], NULL, 0), 0);
	for (;;) {
		assert_int_equal(store_fetch_wait(f->s, &q), STORE_OK);
		if (!q.n)
			break;
		assert_true(q.n <= 4);
		for (unsigned i = 0; i < q.n; i++) {
			assert_true(out[i].has_txn);
			assert_true(out[i].txn.id > q.after_txn);
			assert_int_equal(out[i].txn.campaign, 2);
			assert_int_equal(out[i].txn.state, TXN_PLANNED);
			assert_int_equal(out[i].card.id, out[i].txn.card);
			assert_int_equal(out[i].n_keysets, 2);
			q.after_txn = out[i].txn.id;
			seen++;
		}
	}
	assert_int_equal(seen, 9);
	q = (struct store_fetch){ .by = FETCH_CLAIM, .campaign = 2, .limit = 400, .out = out, .cap = 8 };
	assert_int_equal(store_fetch_wait(f->s, &q), STORE_OK);
	assert_int_equal(q.n, 8);
}

/* What a transaction of a campaign of works does comes with it, wherever it is read, and goes with it. */
static void test_work(void **state)
{
	struct fix *f = *state;
	static struct card_bundle out[4];
	struct store_fetch q = { .by = FETCH_CLAIM, .campaign = 2, .limit = 4, .out = out, .cap = 4 };
	struct store_txn_plan p = plan_make(2, 1, 1);
	struct campaign_row c = campaign_make(2, "stage", CAMPAIGN_LOADING), row;
	uint64_t card = card_in(f, 1), other = card_in(f, 2);
	uint8_t work[TXN_WORK_MAX + 1];

	for (unsigned i = 0; i < sizeof(work); i++)
		work[i] = (uint8_t)(i * 7);
	campaign_in(f, 1, "swap", CAMPAIGN_RUNNING);
	c.kind = 3;
	c.open_ended = 1;
	assert_int_equal(one(f, ST_CAMPAIGN_INSERT, &c, "profile", 7), 0);
	txn_in(f, 1, 2, 2);
	assert_int_equal(fetch(f, other)->work_len, 0);
	p.txn.kvn = 2;
	assert_int_equal(one(f, ST_TXN_PLAN, &p, work, TXN_WORK_MAX), 0);
	assert_int_equal(store_fetch_wait(f->s, &q), STORE_OK);
	assert_int_equal(q.n, 1);
	assert_int_equal(out[0].txn.kvn, 2);
	assert_int_equal(out[0].work_len, TXN_WORK_MAX);
	assert_memory_equal(out[0].work, work, TXN_WORK_MAX);
	reopen(f);
	assert_int_equal(shown(f, card)->work_len, TXN_WORK_MAX);
	assert_memory_equal(fetch(f, card)->work, work, TXN_WORK_MAX);
	assert_int_equal(f->one.work_len, TXN_WORK_MAX);

	p.txn.verdict = 4;
	p.txn.card_end = 8;
	p.txn.maybe_moved = 1;
	p.txn.state = TXN_FAILED;
	assert_int_equal(one(f, ST_TXN_PUT, &p.txn, NULL, 0), 0);
	assert_int_equal(fetch(f, card)->txn.kvn, 2);
	assert_int_equal(f->one.txn.verdict, 4);
	assert_int_equal(f->one.txn.card_end, 8);
	assert_int_equal(f->one.txn.maybe_moved, 1);

	/* of its campaign, whether more may come is changed, and the kind never */
	c.kind = 5;
	c.open_ended = 0;
	c.targets = 7;
	assert_int_equal(one(f, ST_CAMPAIGN_PUT, &c, NULL, 0), 0);
	assert_int_equal(query(f, Q_CAMPAIGNS, 0, &(uint64_t){ 1 }, &row, 1), 1);
	assert_int_equal(row.kind, 3);
	assert_int_equal(row.open_ended, 0);
	assert_int_equal(row.targets, 7);

	/* no work is longer */
	p = plan_make(2, 1, 1);
	store_batch_reset(f->b);
	add(f, ST_TXN_PLAN, &p, work, sizeof(work));
	assert_int_equal(commit_rc(f), STORE_E_CORRUPT);
	store_batch_reset(f->b);

	/* the number is given again: to one that has no work */
	assert_int_equal(one(f, ST_CAMPAIGN_DROP, &c, NULL, 0), 0);
	assert_int_equal(one(f, ST_TXN_PLAN, &(struct store_txn_plan){ .txn.campaign = 2 }, NULL, 0),
			 STORE_R_NOT_FOUND);
	p = plan_make(1, 1, 1);
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), 0);
	assert_int_equal(fetch(f, card)->txn.id, p.txn.id);
	assert_int_equal(f->one.work_len, 0);
}

/* ---- commands, packets, parts ---- */

static void test_cmd(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_in(f, 1), after = 0;
	struct cmd_row c, rows[5];
	static uint8_t packet[CMD_PACKET_MAX];
	static struct card_bundle found;
	const struct card_bundle *b;
	struct store_query q = { .kind = Q_CARD, .out = &found, .limit = 1 };

	for (uint64_t id = 1; id <= 12; id++) {
		c = cmd_make(id * 10, card, id < 11 ? CMD_FAILED : CMD_SENT);
		add(f, ST_CMD_PUT, &c, NULL, 0);
		memset(packet, (int)id, sizeof(packet));
		add(f, ST_WIRE_PUT, &c, packet, 100 + id);
	}
	commit(f);
	b = fetch(f, card);
	assert_int_equal(b->n_cmds, CARD_CMDS_MAX);
	for (unsigned i = 0; i < b->n_cmds; i++)
		assert_int_equal(b->cmd[i].id, (12 - i) * 10);
	assert_memory_equal(&b->cmd[0], &c, sizeof(c));
	assert_int_equal(b->packet_cmd, 120);
	assert_int_equal(b->packet_len, 112);
	assert_memory_equal(b->packet, packet, 112);

	/* the newest that has not ended is the one whose packet may leave again */
	c.state = CMD_DONE;
	c.attempt = 3;
	c.ended_ms = T0 + 7;
	assert_int_equal(one(f, ST_CMD_PUT, &c, NULL, 0), 0);
	b = fetch(f, card);
	assert_memory_equal(&b->cmd[0], &c, sizeof(c));
	assert_int_equal(b->packet_cmd, 110);
	assert_int_equal(b->packet_len, 111);
	c = b->cmd[1];
	c.state = CMD_FENCED;
	assert_int_equal(one(f, ST_CMD_PUT, &c, NULL, 0), 0);
	assert_int_equal(fetch(f, card)->packet_len, 0);
	c = cmd_make(200, card, CMD_PREPARED);
	assert_int_equal(one(f, ST_CMD_PUT, &c, NULL, 0), 0);
	assert_int_equal(one(f, ST_WIRE_PUT, &c, packet, sizeof(packet)), 0);
	snprintf(q.digits, sizeof(q.digits), "8988211000000000001");
	assert_int_equal(store_query_wait(f->s, &q), 0);
	assert_int_equal(q.n, 1);
	assert_int_equal(found.packet_len, CMD_PACKET_MAX);
	assert_int_equal(found.card.id, card);
	assert_int_equal(found.n_cmds, 8);
	snprintf(q.digits, sizeof(q.digits), "89");
	assert_int_equal(store_query_wait(f->s, &q), 0);
	assert_int_equal(q.n, 0);

	/* all of a card's commands, oldest first, by pages */
	assert_int_equal(query(f, Q_CARD_CMDS, card, &after, rows, 5), 5);
	assert_int_equal(rows[0].id, 10);
	assert_int_equal(rows[4].id, 50);
	assert_int_equal(query(f, Q_CARD_CMDS, card, &after, rows, 5), 5);
	assert_int_equal(query(f, Q_CARD_CMDS, card, &after, rows, 5), 3);
	assert_int_equal(rows[2].id, 200);
	assert_int_equal(query(f, Q_CARD_CMDS, card, &after, rows, 5), 0);
	assert_int_equal(totals(f).max_cmd, 200);
	assert_int_equal(totals(f).cmds, 13);
}

/* However many questions have followed it, the card's last script is in the bundle. */
static void test_last_script(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_in(f, 1);
	const struct card_bundle *b;

	for (uint64_t id = 1; id <= 20; id++) {
		struct cmd_row c = cmd_make(id, card, CMD_FENCED);

		c.kind = id == 1 || id == 3 ? CMD_SCRIPT : CMD_READBACK;
		assert_int_equal(one(f, ST_CMD_PUT, &c, NULL, 0), 0);
		b = fetch(f, card);
		assert_int_equal(b->n_cmds, id < CARD_CMDS_MAX ? id : CARD_CMDS_MAX);
		for (unsigned i = 0; i + 1 < b->n_cmds; i++)
			assert_int_equal(b->cmd[i].id, id - i);
		assert_int_equal(b->cmd[b->n_cmds - 1].id, id <= 8 ? 1 : id < 10 ? id - 7 : 3);
		assert_memory_equal(shown(f, card)->cmd, fetch(f, card)->cmd, sizeof(b->cmd));
	}
}

/* Other octets under the same counter must never leave: the whole batch is refused. */
static void test_wire_once(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_in(f, 1);
	struct cmd_row c = cmd_make(1, card, CMD_PREPARED);
	struct card_row row;
	static struct store_blob blob;

	assert_int_equal(one(f, ST_CMD_PUT, &c, NULL, 0), 0);
	assert_int_equal(one(f, ST_WIRE_PUT, &c, "abc", 3), 0);
	assert_int_equal(one(f, ST_WIRE_PUT, &c, "abc", 3), 0);
	assert_int_equal(query(f, Q_WIRE, 1, NULL, &blob, 1), 1);
	assert_int_equal(blob.len, 3);
	assert_memory_equal(blob.bytes, "abc", 3);
	assert_int_equal(query(f, Q_WIRE, 2, NULL, &blob, 1), 0);
	row = fetch(f, card)->card;
	row.last_seen_ms = 77;
	for (int longer = 0; longer < 2; longer++) {
		add(f, ST_CARD_PUT, &row, NULL, 0);
		add(f, ST_WIRE_PUT, &c, longer ? "abcd" : "abd", longer ? 4 : 3);
		assert_int_equal(commit_rc(f), STORE_E_CORRUPT);
		store_batch_reset(f->b);
	}
	assert_int_equal(fetch(f, card)->card.last_seen_ms, 0);
	assert_int_equal(fetch(f, card)->packet_len, 3);
	assert_memory_equal(fetch(f, card)->packet, "abc", 3);
}

static void test_open_cmds(void **state)
{
	struct fix *f = *state;
	struct store_stub s[7];
	uint64_t after = 0, want = 0;
	unsigned n, seen = 0;

	card_in(f, 1);
	for (uint64_t id = 1; id <= 100; id++) {
		struct cmd_row c = cmd_make(id, 1, id % _CMD_STATES);

		add(f, ST_CMD_PUT, &c, NULL, 0);
	}
	commit(f);
	while ((n = query(f, Q_OPEN_CMDS, 0, &after, s, 7)) > 0)
		for (unsigned i = 0; i < n; i++, seen++) {
			do
				want++;
			while (want % _CMD_STATES >= CMD_DONE);
			assert_int_equal(s[i].cmd, want);
			assert_int_equal(s[i].state, want % _CMD_STATES);
			assert_int_equal(s[i].card, 1);
			assert_int_equal(s[i].campaign, 1);
			assert_int_equal(s[i].due_ms, T0 + 1000);
			assert_int_equal(s[i].deadline_ms, T0 + 2000);
		}
	assert_int_equal(seen, 50);
}

static void test_parts(void **state)
{
	struct fix *f = *state;
	uint64_t card = card_in(f, 1);
	struct part_row p = { .card = card, .ref = 5, .iei = 0, .total = 3, .at_ms = T0, .len = OTA_TP_UD_MAX };
	const struct card_bundle *b;

	memset(p.ud, 0xaa, sizeof(p.ud));
	for (p.seq = 1; p.seq <= 3; p.seq++)
		add(f, ST_PART_PUT, &p, NULL, 0);
	p.ref = 6;
	p.seq = 1;
	p.at_ms = T0 + 1;
	p.len = 1;
	memset(p.ud + 1, 0, sizeof(p.ud) - 1);
	add(f, ST_PART_PUT, &p, NULL, 0);
	add(f, ST_PART_PUT, &p, NULL, 0); /* twice is once */
	commit(f);
	b = fetch(f, card);
	assert_int_equal(b->n_parts, 4);
	assert_memory_equal(&b->part[0], &p, sizeof(p));
	assert_int_equal(b->part[1].ref, 5);
	assert_int_equal(b->part[1].len, OTA_TP_UD_MAX);
	assert_int_equal(b->part[3].seq, 3);
	p.ref = 5;
	assert_int_equal(one(f, ST_PARTS_DROP, &p, NULL, 0), 0);
	b = fetch(f, card);
	assert_int_equal(b->n_parts, 1);
	assert_int_equal(b->part[0].ref, 6);
	/* what nobody completes pushes out the older ones, never the bundle */
	for (p.ref = 10; p.ref < 30; p.ref++) {
		p.at_ms = T0 + p.ref;
		add(f, ST_PART_PUT, &p, NULL, 0);
	}
	commit(f);
	b = fetch(f, card);
	assert_int_equal(b->n_parts, CARD_PARTS_MAX);
	assert_int_equal(b->part[0].ref, 29);
	assert_int_equal(b->part[7].ref, 22);
}

/* ---- story, meta, reports ---- */

static void test_story(void **state)
{
	struct fix *f = *state;
	uint64_t a = card_in(f, 1), b = card_in(f, 2), after = 0, last = 0;
	static struct store_story out[4];
	static uint8_t detail[STORY_DETAIL_MAX + 50];
	unsigned n, seen = 0;

	memset(detail, 0x71, sizeof(detail));
	for (unsigned i = 0; i < 20; i++) {
		struct story_row s = { .card = i % 2 ? a : b, .cmd = i, .at_ms = T0 + i, .kind = STORY_POR };

		snprintf(s.text, sizeof(s.text), "entry %u", i);
		add(f, ST_STORY_ADD, &s, detail, i == 19 ? sizeof(detail) : i);
	}
	commit(f);
	while ((n = query(f, Q_CARD_STORY, a, &after, out, 4)) > 0)
		for (unsigned i = 0; i < n; i++, seen++) {
			char text[32];

			snprintf(text, sizeof(text), "entry %u", 2 * seen + 1);
			assert_string_equal(out[i].row.text, text);
			assert_true(out[i].row.id > last);
			last = out[i].row.id;
			assert_int_equal(out[i].row.cmd, 2 * seen + 1);
			assert_int_equal(out[i].row.detail_len, seen == 9 ? STORY_DETAIL_MAX : 2 * seen + 1);
			assert_memory_equal(out[i].detail, detail, out[i].row.detail_len);
		}
	assert_int_equal(seen, 10);

	struct story_row stray = { .kind = STORY_STRAY, .at_ms = T0 };

	/* of nobody we know */
	assert_int_equal(one(f, ST_STORY_ADD, &stray, detail, 5), 0);
	assert_int_equal(query(f, Q_CARD_STORY, 0, NULL, out, 4), 1);
	assert_int_equal(out[0].row.id, stray.id);
}

static void test_meta(void **state)
{
	struct fix *f = *state;
	static struct store_blob blob;
	struct store_query q = { .kind = Q_META, .digits = "ks-check", .out = &blob, .limit = 1 };
	struct store_meta m = { .key = "ks-check" };

	assert_int_equal(store_query_wait(f->s, &q), 0);
	assert_int_equal(q.n, 0);
	assert_int_equal(one(f, ST_META_PUT, &m, "first", 5), 0);
	assert_int_equal(one(f, ST_META_PUT, &m, "second\0x", 8), 0);
	reopen(f);
	assert_int_equal(store_query_wait(f->s, &q), 0);
	assert_int_equal(q.n, 1);
	assert_int_equal(blob.len, 8);
	assert_memory_equal(blob.bytes, "second\0x", 8);
}

static void test_report(void **state)
{
	struct fix *f = *state;
	struct store_report r[7];
	struct store_count c[8];
	struct txn_row t[20];
	uint64_t after = 0;
	unsigned n, seen = 0;

	campaign_in(f, 1, "other", CAMPAIGN_RUNNING);
	campaign_in(f, 2, "mine", CAMPAIGN_RUNNING);
	for (unsigned i = 0; i < 20; i++) {
		card_in(f, i);
		t[i] = txn_in(f, 1 + i % 2, i, i);
		if (i < 12) {
			t[i].state = i < 6 ? TXN_DONE : TXN_FAILED;
			t[i].fail_class = i < 6 ? 0 : 3;
			t[i].sms_parts = (uint16_t)i;
			t[i].attempts = 2;
			t[i].probes = 1;
			assert_int_equal(one(f, ST_TXN_PUT, &t[i], NULL, 0), 0);
		}
	}
	while ((n = query(f, Q_REPORT, 2, &after, r, 7)) > 0)
		for (unsigned i = 0; i < n; i++, seen++) {
			struct store_card_insert in = card_make(2 * seen + 1, 0);

			assert_memory_equal(&r[i].txn, &t[2 * seen + 1], sizeof(t[0]));
			assert_string_equal(r[i].iccid, in.card.iccid);
			assert_string_equal(r[i].imsi, in.card.imsi);
		}
	assert_int_equal(seen, 10);
	assert_int_equal(query(f, Q_CAMPAIGN_COUNTS, 2, NULL, c, 8), 3);
	assert_int_equal(c[0].state, TXN_PLANNED);
	assert_int_equal(c[0].n, 4);
	assert_int_equal(c[1].state, TXN_DONE);
	assert_int_equal(c[1].n, 3);
	assert_int_equal(c[2].state, TXN_FAILED);
	assert_int_equal(c[2].fail_class, 3);
	assert_int_equal(c[2].n, 3);
	assert_int_equal(c[2].sms_parts, 7 + 9 + 11);
	assert_int_equal(c[2].attempts, 6);
	assert_int_equal(c[2].probes, 3);
	assert_int_equal(totals(f).txns, 20);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_card_insert),
		T(test_card_insert_many),
		T(test_card_put),
		T(test_addr),
		T(test_campaign),
		T(test_plan),
		T(test_promises_outlive_their_end),
		T(test_plan_numbers),
		T(test_dry_run),
		T(test_drop),
		T(test_claim),
		T(test_work),
		T(test_cmd),
		T(test_last_script),
		T(test_wire_once),
		T(test_open_cmds),
		T(test_parts),
		T(test_story),
		T(test_meta),
		T(test_report),
	};
	int rc = cmocka_run_group_tests_name("memory", tests, NULL, NULL);

	use_sqlite = true;
	return rc + cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
}
