/* test_desk_b.c - the new operator's side of an order: lists, keys, register, confirmation, ends; and what it refuses.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <unistd.h>

#include "b_say.h"
#include "gateway/desk/b_int.h"
#include "gateway/core/work.h"

#define VLR "901700000"

static char line[LINES][BED_LINE_MAX];

/* ---- the way through ---- */

/* Each record of KR proves itself to the vault: the order and the plan as they were signed, and the leaf with its path. */
static void check_kr(struct bed *b, unsigned n)
{
	const struct bed_out *o = bed_got(b, BED_M, "KR");
	struct pkg_head so, pl;
	struct pkg *p;
	const uint8_t *der;
	size_t len;
	char v[BED_LINE_MAX], leaf[BED_LINE_MAX];
	uint8_t path[PKG_PATH_MAX][PKG_HASH_LEN];

	assert_int_equal(pkg_open(&p, o->path, b->err, sizeof(b->err)), 0);
	assert_int_equal(pkg_head(p)->attached, 2);
	der = pkg_attached(p, 0, &len);
	assert_int_equal(pkg_manifest_verify(&so, der, len, b->party[BED_S].known, b->err, sizeof(b->err)), 0);
	assert_string_equal(so.type, "SO");
	assert_string_equal(so.to, "operator-b");
	der = pkg_attached(p, 1, &len);
	assert_int_equal(pkg_manifest_verify(&pl, der, len, b->party[BED_A].known, b->err, sizeof(b->err)), 0);
	assert_string_equal(pl.type, "PL");
	assert_int_equal(bed_read(b, o, line, LINES, false, NULL), n);
	for (unsigned i = 0; i < n; i++) {
		assert_string_equal(bed_value(line[i], 0, v), iccid_of(i));
		assert_string_equal(bed_value(line[i], 1, v), imsi_of(i));
		assert_string_equal(bed_value(line[i], 2, v), "2");
		assert_int_equal(atoi(bed_value(line[i], 3, v)), i);
		bed_value(line[i], 4, v);
		leaf[unhex(v, (uint8_t *)leaf)] = '\0';
		bed_value(line[i], 5, v);
		len = unhex(v, path[0]) / PKG_HASH_LEN;
		assert_int_equal(pkg_proof(&pl, leaf, i, path, (unsigned)len), 0);
		assert_int_equal(strncmp(leaf, iccid_of(i), strlen(iccid_of(i))), 0);
	}
	pkg_close(p);
}

static void test_il(void **state)
{
	struct bed *b = *state;
	const struct bed_out *o;
	char v[BED_LINE_MAX], want[40];

	send_so(b, "3b", "deliver-then-activate", CARDS);
	o = bed_got(b, BED_A, "IL");
	assert_string_equal(o->head.order, ORDER);
	assert_int_equal(bed_read(b, o, line, LINES, false, NULL), CARDS);
	for (unsigned i = 0; i < CARDS; i++) {
		assert_string_equal(bed_value(line[i], 0, v), imsi_of(i));
		assert_string_equal(bed_value(line[i], 1, v), iccid_of(i));
		snprintf(want, sizeof(want), "4915100000%u", 100 + i);
		assert_string_equal(bed_value(line[i], 2, v), want);
		assert_string_equal(bed_value(line[i], 3, v), "26202");
		snprintf(want, sizeof(want), "6f42:ffffff;6f78:%04x", 1u << (imsi_of(i)[14] - '0'));
		assert_string_equal(bed_value(line[i], 4, v), want); /* the access class goes with the IMSI */
		assert_string_equal(bed_value(line[i], 5, v), "3600");
		assert_string_equal(bed_value(line[i], 6, v), "");
		expect_step(b, i, B_LISTED);
	}
	assert_int_equal(desk_order_by_name(b->desk, ORDER)->paired, CARDS);
}

static void test_3b(void **state)
{
	struct bed *b = *state;
	struct card_bundle *c = calloc(1, sizeof(*c));
	struct store_book row;
	struct hold h;
	struct line l;

	to_ready(b, CARDS);
	check_kr(b, CARDS);
	assert_int_equal(sim_hlr_count(b->sim), CARDS);
	assert_int_equal(told(b, BED_A, "ready"), CARDS);
	assert_int_equal(told(b, BED_M, "ready"), 0);
	/* the card is known, and nothing is planned for it */
	assert_true(bed_card(b, iccid_of(0), c));
	assert_string_equal(c->card.imsi, imsi_of(0));
	assert_int_equal(c->keyset[0].generation, 2);
	assert_int_equal(c->keyset[0].kvn, 2);
	assert_false(c->has_txn);
	/* an authentication is not service */
	sim_hlr_vector(b->sim, imsi_of(0), (const uint8_t *)"0123456789abcdef", &(struct sim_hlr_vector){ { 0 } });
	bed_wait(b, 20000);
	expect_step(b, 0, B_READY);
	assert_true(sim_hlr_locate(b->sim, imsi_of(0), VLR));
	bed_wait(b, 20000);
	assert_int_equal(told(b, BED_A, "served"), 1);
	expect_step(b, 0, B_CONFIRMING);
	expect_step(b, 1, B_READY);
	step_of(b, 0, &l);
	assert_string_equal(l.vlr, VLR);
	assert_int_equal(l.evidence, 5);
	bed_txn(b, ORDER, WORK_CONFIRM, iccid_of(0), TXN_DONE, WORK_IS_DONE);
	assert_int_equal(told(b, BED_A, "confirmed"), 1);
	assert_int_equal(told(b, BED_M, "confirmed"), 1);
	expect_step(b, 0, B_CONFIRMED);
	assert_true(bed_book(b, BOOK_HOLD, iccid_of(0), &row));
	assert_int_equal(hold_unpack(&h, row.body, row.row.len), 0);
	assert_int_equal(h.index, 2);
	assert_int_equal(h.kvn, 2);
	send_end(b, 0, "done");
	assert_string_equal(bed_ack(b, BED_A), "");
	expect_step(b, 0, B_CLOSED);
	assert_int_equal(sim_hlr_count(b->sim), CARDS);
	free(c);
}

/* Every other one comes, the others end in all ways; the order ends with the last. */
static void test_ends(void **state)
{
	static const char *const ends[] = { "cancelled", "failed", "unreached", "rolled-back" };
	struct bed *b = *state;
	struct card_bundle *c = calloc(1, sizeof(*c));
	struct store_book row;

	to_ready(b, CARDS);
	assert_true(sim_hlr_locate(b->sim, imsi_of(0), VLR));
	bed_wait(b, 5000);
	bed_txn(b, ORDER, WORK_CONFIRM, iccid_of(0), TXN_DONE, WORK_IS_DONE);
	send_end(b, 0, "done");
	for (unsigned i = 1; i < CARDS; i++) {
		send_end(b, i, ends[i - 1]);
		assert_string_equal(bed_ack(b, BED_A), "");
		assert_true(bed_book(b, BOOK_IMSI, imsi_of(i), &row));
		assert_true(bed_card(b, iccid_of(i), c));
		assert_int_not_equal(c->card.gone_ms, 0); /* was never ours */
		assert_int_equal(c->n_keysets, 0);
		assert_false(bed_book(b, BOOK_TAKEN, iccid_of(i), &row));
	}
	assert_int_equal(sim_hlr_count(b->sim), 1);
	assert_int_equal(told(b, BED_A, "recalled"), 0); /* A knows */
	assert_null(desk_order_by_name(b->desk, ORDER)); /* has ended */
	/* and again: the order is over */
	send_end(b, 1, "cancelled");
	assert_string_not_equal(bed_ack(b, BED_A), "");
	free(c);
}

/* 3a: K comes provisionally, the OTA keys when the card has been seen, the OPc is ours. */

static void test_3a(void **state)
{
	struct bed *b = *state;
	struct card_bundle *c = calloc(1, sizeof(*c));
	struct store_book opc, sub;
	struct line l;
	char key[BOOK_KEY_MAX], v[BED_LINE_MAX];
	struct ks_wrap *wrap = NULL;
	struct ks_block block;
	uint8_t octets[KS_BLOCK_MAX];

	send_so(b, "3a", "deliver-then-activate", CARDS);
	assert_int_equal(bed_read(b, bed_got(b, BED_A, "IL"), line, LINES, false, &wrap), CARDS);
	for (unsigned i = 0; i < CARDS; i++) { /* an OPc for each, for A's keystore alone */
		bed_value(line[i], 6, v);
		assert_int_equal(ks_block_unwrap(wrap, iccid_of(i), octets, unhex(v, octets), &block), 0);
		assert_true(block.has_opc && !block.has_sub && !block.sets);
	}
	ks_wrap_free(wrap);
	send_pl(b, CARDS, (struct plan_terms){ 1, 1, 1 });
	assert_string_equal(bed_ack(b, BED_A), "");
	send_hl3a(b, CARDS, "provisional", "staged", true, false);
	assert_string_equal(bed_ack(b, BED_A), "");
	bed_wait(b, 2000);
	assert_int_equal(told(b, BED_A, "ready"), CARDS);
	step_of(b, 0, &l);
	line_key(key, l.order, l.iccid);
	assert_true(bed_book(b, BOOK_SET, key, &opc));
	snprintf(key, sizeof(key), "%s/%05u", l.iccid, 1);
	assert_true(bed_book(b, BOOK_SUB, key, &sub));
	assert_int_equal(ks_opc_same(b->party[BED_B].ks, l.iccid, sub.body, opc.body), 0);
	assert_int_equal(l.sqn, 4096);
	assert_true(sim_hlr_locate(b->sim, imsi_of(0), VLR));
	bed_wait(b, 5000);
	expect_step(b, 0, B_SERVED); /* seen; its OTA keys are A's until now */
	assert_true(bed_card(b, iccid_of(0), c));
	assert_int_equal(c->n_keysets, 0);
	send_hl3a(b, 1, "final", "armed", false, true);
	assert_string_equal(bed_ack(b, BED_A), "");
	expect_step(b, 0, B_CONFIRMING);
	assert_true(bed_card(b, iccid_of(0), c));
	assert_int_equal(c->keyset[0].cntr, 778); /* behind what A has spent */
	/* what B has spent is told when the card goes back */
	bed_txn(b, ORDER, WORK_CONFIRM, iccid_of(0), TXN_FAILED, WORK_WENT_BACK);
	bed_wait(b, 120000);
	assert_int_equal(told(b, BED_A, "recalled"), 1);
	assert_int_equal(bed_read(b, bed_got(b, BED_A, "CF"), line, LINES, false, NULL), 1);
	assert_string_equal(bed_value(line[0], 7, v), "778");
	send_hl3a(b, 1, "final", "rolled-back", false, false);
	assert_string_equal(bed_ack(b, BED_A), "");
	expect_step(b, 0, B_CLOSED);
	assert_int_equal(sim_hlr_count(b->sim), CARDS - 1);
	free(c);
}

/* One register for both: the MSISDN that goes with the card is the old subscriber's until he is removed. */
static void test_bridged(void **state)
{
	struct bed *b = *state;
	struct card_bundle *c = calloc(1, sizeof(*c));
	char reply[SIM_HLR_REPLY_MAX], msisdn[SIM_HLR_DIGITS_MAX + 1];
	struct line l;

	sim_hlr_ctrl(b->sim, "SET 1 subscriber.create 262010000000100", reply);
	sim_hlr_ctrl(b->sim, "SET 1 subscriber.by-imsi-262010000000100.msisdn 4915100000100", reply);
	to_ready(b, CARDS);
	assert_int_equal(told(b, BED_A, "ready"), CARDS);
	step_of(b, 0, &l);
	assert_true(l.bridged);
	step_of(b, 1, &l);
	assert_false(l.bridged);		  /* its own was free */
	assert_true(bed_card(b, iccid_of(0), c)); /* so it is reached until then */
	assert_string_equal(c->card.msisdn, "4915990000100");
	assert_true(sim_hlr_msisdn_of(b->sim, imsi_of(0), msisdn));
	assert_string_equal(msisdn, "4915990000100");
	assert_true(sim_hlr_locate(b->sim, imsi_of(0), VLR));
	bed_wait(b, 20000);
	bed_txn(b, ORDER, WORK_CONFIRM, iccid_of(0), TXN_DONE, WORK_IS_DONE);
	expect_step(b, 0, B_CONFIRMED);
	assert_true(bed_card(b, iccid_of(0), c));
	send_end(b, 0, "done");
	assert_string_equal(bed_ack(b, BED_A), "");
	bed_wait(b, 600000);
	step_of(b, 0, &l); /* tried now and then */
	assert_true(l.bridged);
	assert_string_equal(desk_order_by_name(b->desk, ORDER)->alarm, "");
	b->now_ms += 86400ll * 8 * 1000;
	bed_restart(b);
	bed_wait(b, 10000);
	assert_non_null(strstr(desk_order_by_name(b->desk, ORDER)->alarm, "is still the current operator's"));
	sim_hlr_ctrl(b->sim, "SET 1 subscriber.delete 262010000000100", reply);
	bed_wait(b, 3700000);
	expect_step(b, 0, B_NUMBER); /* the card has an open transaction here */
	assert_int_equal(gw_txn_settle(b->gw, c->txn.id, c->card.id, TXN_DONE, "confirmed"), 0);
	bed_wait(b, 3700000);
	expect_step(b, 0, B_CLOSED);
	assert_true(sim_hlr_msisdn_of(b->sim, imsi_of(0), msisdn));
	assert_string_equal(msisdn, "4915100000100");
	assert_true(bed_card(b, iccid_of(0), c));
	assert_string_equal(c->card.msisdn, "4915100000100");
	free(c);
}

/* IMSIs with the same last digits: the second one has the next number of the range, and when all are gone it is refused. */
static void test_bridge_taken(void **state)
{
	struct bed *b = *state;
	char reply[SIM_HLR_REPLY_MAX], msisdn[SIM_HLR_DIGITS_MAX + 1], text[100];
	struct line l;

	sim_hlr_ctrl(b->sim, "SET 1 subscriber.create 262010000000100", reply);
	sim_hlr_ctrl(b->sim, "SET 1 subscriber.by-imsi-262010000000100.msisdn 4915100000100", reply);
	sim_hlr_ctrl(b->sim, "SET 1 subscriber.create 262010000000101", reply);
	sim_hlr_ctrl(b->sim, "SET 1 subscriber.by-imsi-262010000000101.msisdn 4915100000101", reply);
	sim_hlr_ctrl(b->sim, "SET 1 subscriber.create 262010000000200", reply);
	sim_hlr_ctrl(b->sim, "SET 1 subscriber.by-imsi-262010000000200.msisdn 4915990000100", reply);
	for (int i = 0; i < 10; i++) { /* all that the second one could have */
		snprintf(text, sizeof(text), "SET 1 subscriber.create 26201000000030%d", i);
		sim_hlr_ctrl(b->sim, text, reply);
		snprintf(text, sizeof(text), "SET 1 subscriber.by-imsi-26201000000030%d.msisdn 491599%d000101", i, i);
		sim_hlr_ctrl(b->sim, text, reply);
	}
	to_ready(b, CARDS);
	step_of(b, 0, &l);
	assert_true(l.bridged);
	assert_string_equal(l.bridge, "4915991000100");
	assert_true(sim_hlr_msisdn_of(b->sim, imsi_of(0), msisdn));
	assert_string_equal(msisdn, "4915991000100");
	step_of(b, 1, &l);
	assert_int_equal(l.end, END_FAILED);
	assert_int_equal(told(b, BED_A, "ready"), CARDS - 1);
	assert_int_equal(told(b, BED_A, "refused"), 1);
}

/* Its number is the current operator's until he has heard that it is here: nobody has to do anything about that. */
static void test_bridged_at_e5(void **state)
{
	struct bed *b = *state;
	char reply[SIM_HLR_REPLY_MAX];

	b->cfg.address_by_imsi = true;
	bed_restart(b);
	sim_hlr_ctrl(b->sim, "SET 1 subscriber.create 262010000000100", reply);
	sim_hlr_ctrl(b->sim, "SET 1 subscriber.by-imsi-262010000000100.msisdn 4915100000100", reply);
	to_ready(b, CARDS);
	assert_true(sim_hlr_locate(b->sim, imsi_of(0), VLR));
	bed_wait(b, 40000);
	expect_step(b, 0, B_CONFIRMING);
	assert_string_equal(desk_order_by_name(b->desk, ORDER)->alarm, "");
}

/* ---- the register ---- */

static void test_refused_by_hlr(void **state)
{
	struct bed *b = *state;

	struct card_bundle *c = calloc(1, sizeof(*c));

	strcpy(b->mood.refuse, imsi_of(2));
	to_ready(b, CARDS);
	assert_int_equal(told(b, BED_A, "ready"), CARDS - 1);
	assert_int_equal(told(b, BED_A, "refused"), 1);
	expect_step(b, 2, B_ENDING);
	send_end(b, 2, "failed");
	expect_step(b, 2, B_CLOSED);
	assert_int_equal(sim_hlr_count(b->sim), CARDS - 1);
	assert_true(bed_card(b, iccid_of(2), c));
	assert_int_not_equal(c->card.gone_ms, 0);
	free(c);
}

/* Another card of ours has the IMSI that we have promised: not ready, so that it is not armed. */
static void test_cannot_be_taken(void **state)
{
	struct store_card_insert in = { .card = { .iccid = "8988211999999999999" } };
	struct store_batch *batch = store_batch_new();
	struct bed *b = *state;

	strcpy(in.card.imsi, imsi_of(1));
	store_batch_add(batch, ST_CARD_INSERT, &in, NULL, 0);
	assert_int_equal(store_commit_wait(b->store, batch), STORE_OK);
	store_batch_free(batch);
	to_ready(b, CARDS);
	assert_int_equal(told(b, BED_A, "ready"), CARDS - 1);
	assert_int_equal(told(b, BED_A, "refused"), 1);
	expect_step(b, 1, B_ENDING);
	assert_int_equal(sim_hlr_count(b->sim), CARDS - 1);
}

static void test_hlr_away(void **state)
{
	struct bed *b = *state;

	b->mood.away = true;
	to_ready(b, CARDS);
	bed_wait(b, 60000);
	expect_step(b, 0, B_PROVISIONING);
	bed_restart(b);
	b->mood.away = false;
	bed_wait(b, 120000);
	assert_int_equal(told(b, BED_A, "ready"), CARDS);
	/* and when it is away while a card comes */
	assert_true(sim_hlr_locate(b->sim, imsi_of(1), VLR));
	b->mood.away = true;
	bed_wait(b, 60000);
	b->mood.away = false;
	bed_wait(b, 120000);
	assert_int_equal(told(b, BED_A, "served"), 1);
}

/* A card is registered under its new IMSI and its keys when it is made ready, as one that came before our books were put back: nothing takes
 * it away there, and it counts as come. */
static void test_registered_already(void **state)
{
	struct bed *b = *state;

	b->mood.mute = true;
	to_ready(b, CARDS);
	assert_int_equal(sim_hlr_count(b->sim), CARDS);
	assert_true(sim_hlr_locate(b->sim, imsi_of(0), VLR));
	b->mood.mute = false;
	bed_wait(b, 60000);
	assert_int_equal(told(b, BED_A, "ready"), CARDS);
	assert_int_equal(told(b, BED_A, "served"), 1);
	assert_int_equal(sim_hlr_count(b->sim), CARDS);
	assert_true(sim_hlr_locate(b->sim, imsi_of(1), VLR));
	bed_wait(b, 20000);
	assert_int_equal(told(b, BED_A, "served"), 2);
}

/* Awaited lines are looked up, but the longer the more seldom. */
static void test_polls_back_off(void **state)
{
	struct bed *b = *state;
	unsigned first, later;

	to_ready(b, CARDS);
	b->reads = 0;
	bed_wait(b, 16000);
	first = b->reads;
	bed_wait(b, 3600000);
	b->reads = 0;
	bed_wait(b, 160000);
	later = b->reads;
	assert_in_range(first, CARDS * 8, CARDS * 20);
	assert_in_range(later, CARDS * 5, CARDS * 14); /* every 16 s */
}

/* ---- what is refused ---- */

static void refused(struct bed *b, unsigned from, const char *type, const char *text, const char *rule)
{
	struct line before, after;
	const unsigned step = step_of(b, 0, &before);

	send_one(b, from, type, text);
	if (strcmp(bed_ack(b, from), rule))
		fail_msg("%s: refused by rule \"%s\", not \"%s\"; log:\n%s", text, bed_ack(b, from), rule, b->log);
	assert_int_equal(step_of(b, 0, &after), step);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void test_bad_pl(void **state)
{
	static const char *const twice[] = { "8988211000000000001,262020000000101,1,2,2,m2m-sub",
					     "8988211000000000001,262020000000101,1,2,2,m2m-sub", NULL };
	struct bed *b = *state;
	char text[200];

	send_so(b, "3b", "deliver-then-activate", CARDS);
	snprintf(text, sizeof(text), "%s,%s,1,2,2,m2m-sub", iccid_of(0), imsi_of(1));
	refused(b, BED_A, "PL", text, "other-imsi");
	snprintf(text, sizeof(text), "%s,%s,1,2,2,m2m-sub", iccid_of(77), imsi_of(77));
	refused(b, BED_A, "PL", text, "not-in-order");
	snprintf(text, sizeof(text), "%s,%s,2,2,2,m2m-sub", iccid_of(0), imsi_of(0));
	refused(b, BED_A, "PL", text, "index");
	snprintf(text, sizeof(text), "%s,%s,1,2,3,m2m-sub", iccid_of(0), imsi_of(0));
	refused(b, BED_A, "PL", text, "kvn");
	bed_send(b, &(struct bed_in){ .from = BED_A, .type = "PL", .order = ORDER, .line = (const char **)twice });
	assert_string_equal(bed_ack(b, BED_A), "card-twice");
	send_pl(b, CARDS, (struct plan_terms){ 1, 2, 2 });
	assert_string_equal(bed_ack(b, BED_A), "");
	/* the same once more changes nothing, another one is refused */
	send_pl(b, CARDS, (struct plan_terms){ 1, 2, 2 });
	assert_string_equal(bed_ack(b, BED_A), "");
	snprintf(text, sizeof(text), "%s,%s,1,3,2,m2m-sub", iccid_of(0), imsi_of(0));
	refused(b, BED_A, "PL", text, "planned");
}

static void test_bad_kp(void **state)
{
	struct bed *b = *state;

	send_so(b, "3b", "deliver-then-activate", CARDS);
	send_pl(b, 2, (struct plan_terms){ 1, 2, 2 });
	send_kp(b, 2, 3, 2); /* another index than was asked for */
	assert_string_equal(bed_ack(b, BED_M), "index");
	send_kp(b, 2, 2, 1);
	assert_string_equal(bed_ack(b, BED_M), "index");
	pairs_aka = KS_AKA_TEST; /* our HLR would refuse it, when the card is staged already */
	send_kp(b, 2, 2, 2);
	pairs_aka = KS_AKA_MILENAGE;
	assert_string_equal(bed_ack(b, BED_M), "algorithm");
	send_kp(b, 3, 2, 2); /* one that was not asked for */
	assert_string_equal(bed_ack(b, BED_M), "not-asked");
	/* and one that is another index inside than it says */
	bed_send(b, &(struct bed_in){ .from = BED_M,
				      .type = "KP",
				      .order = ORDER,
				      .about = bed_got(b, BED_M, "KR")->head.id,
				      .wrap = true,
				      .make = make_kp,
				      .n = 1,
				      .ctx = &(struct pairs){ b, BED_M, 3, 2, 2, NULL } });
	assert_string_equal(bed_ack(b, BED_M), "keys");
	expect_step(b, 0, B_ASKED);
	assert_int_equal(sim_hlr_count(b->sim), 0);
	send_kp(b, 2, 2, 2);
	assert_string_equal(bed_ack(b, BED_M), "");
	expect_step(b, 0, B_READY);
}

static void test_bad_hl(void **state)
{
	struct bed *b = *state;
	char text[200];

	to_ready(b, CARDS);
	snprintf(text, sizeof(text), "%s,%s,2,2,failed,E1,1", iccid_of(0), imsi_of(3));
	refused(b, BED_A, "HL3b", text, "other-imsi");
	/* said to be done, and never seen here: goes on, and a person is told */
	send_end(b, 0, "done");
	assert_string_equal(bed_ack(b, BED_A), "");
	expect_step(b, 0, B_READY);
	assert_non_null(strstr(desk_order_by_name(b->desk, ORDER)->alarm, "not seen"));
	assert_int_equal(desk_order_by_name(b->desk, ORDER)->listed, 1);
	send_end(b, 0, "done"); /* once more changes nothing */
	assert_string_equal(bed_ack(b, BED_A), "");
	assert_int_equal(desk_order_by_name(b->desk, ORDER)->listed, 1);
	snprintf(text, sizeof(text), "%s,%s,2,2,failed,E1,1", iccid_of(0), imsi_of(0));
	refused(b, BED_A, "HL3b", text, "listed-twice");
	assert_true(sim_hlr_locate(b->sim, imsi_of(0), VLR));
	bed_wait(b, 5000);
	bed_txn(b, ORDER, WORK_CONFIRM, iccid_of(0), TXN_DONE, WORK_IS_DONE);
	expect_step(b, 0, B_CLOSED);
	/* said to have failed, and it is here */
	assert_true(sim_hlr_locate(b->sim, imsi_of(1), VLR));
	bed_wait(b, 5000);
	send_end(b, 1, "unreached");
	expect_step(b, 1, B_CONFIRMING);
	assert_int_equal(sim_hlr_count(b->sim), CARDS);
}

/* ---- IMSIs ---- */

static void list_refused(struct bed *b, const char *text, const char *why)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/list", b->dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	bed_request(b, DESK_IL, ORDER, path);
	if (why && (b->asked_rc >= 0 || !strstr(b->asked_text, why)))
		fail_msg("%d %s, not %s", b->asked_rc, b->asked_text, why);
	if (!why && b->asked_rc)
		fail_msg("%d %s", b->asked_rc, b->asked_text);
}

static void test_own_list(void **state)
{
	struct desk_cfg cfg = with_pool;
	struct bed *b;
	char v[BED_LINE_MAX];

	(void)state;
	cfg.pool.imsi_from[0] = cfg.pool.imsi_to[0] = '\0';
	b = bed_new(BED_B, &cfg, &tables);
	send_so(b, "3b", "deliver-then-activate", 2);
	assert_int_equal(bed_count(b, BED_A, "IL"), 0);
	bed_request(b, DESK_IL, ORDER, NULL);
	assert_true(b->asked_rc < 0);
	assert_non_null(strstr(b->asked_text, "no pool"));
	list_refused(b, "8988211000000000000,262020000000007\n", "the list has 1 cards and order SO-7 has 2");
	list_refused(b, "8988211000000000000,262020000000007\n8988211000000000001,262020000000007\n", "the same IMSI");
	list_refused(b, "8988211000000000000,262020000000007\n8988211000000000000,262020000000008\n", "is there twice");
	list_refused(b, "8988211000000000000,262020000000007\n8988211000000000001,262030000000008\n",
		     "line 2: this IMSI is of none of our networks");
	list_refused(b, "8988211000000000000,262020000000007\n8988211000000000009,262020000000008\n",
		     "8988211000000000009 is not in this order");
	list_refused(b, "8988211000000000000;262020000000007\n", "line 1");
	assert_int_equal(bed_count(b, BED_A, "IL"), 0);
	list_refused(b, "# ours\n8988211000000000001,262020000000008,4912345\n8988211000000000000,262020000000007\n",
		     NULL);
	assert_int_equal(bed_read(b, bed_got(b, BED_A, "IL"), line, LINES, false, NULL), 2);
	assert_string_equal(bed_value(line[0], 0, v), "262020000000007");
	assert_string_equal(bed_value(line[1], 2, v), "4912345");
	/* the same again changes nothing, other IMSIs are refused */
	list_refused(b, "8988211000000000001,262020000000008\n8988211000000000000,262020000000007\n", NULL);
	list_refused(b, "8988211000000000001,262020000000009\n8988211000000000000,262020000000007\n",
		     "another IMSI before");
	assert_int_equal(bed_count(b, BED_A, "IL"), 1);
	bed_free(b);
}

/* A list that was not through when we stopped: the pool does not step in, the same list goes on. */
static void test_list_stopped(void **state)
{
	struct bed *b = *state;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/list", b->dir);
	f = fopen(path, "w");
	assert_non_null(f);
	for (unsigned i = 0; i < DESK_PAGE + 5; i++)
		fprintf(f, "%s,26202%010u\n", iccid_of(i), 900000 + i);
	fclose(f);
	strcpy(b->desk->cfg.pool.imsi_from, ""); /* not before the list is there */
	send_so(b, "3b", "deliver-then-activate", DESK_PAGE + 5);
	bed_request_until(b, DESK_IL, ORDER, path, BED_A, "IL");
	bed_restart(b); /* with its pool */
	assert_int_equal(desk_order_by_name(b->desk, ORDER)->paired, DESK_PAGE);
	assert_non_null(strstr(desk_order_by_name(b->desk, ORDER)->alarm, "give the same list again"));
	bed_request(b, DESK_IL, ORDER, path);
	assert_int_equal(b->asked_rc, 0);
	assert_int_equal(desk_order_by_name(b->desk, ORDER)->paired, DESK_PAGE + 5);
	assert_string_equal(desk_order_by_name(b->desk, ORDER)->alarm, "");
	assert_int_equal(bed_count(b, BED_A, "IL"), 2);
}

/* ---- more than a page, and out of IMSIs ---- */

#define MANY (DESK_PAGE + 76)

static char many[DESK_PAGE][BED_LINE_MAX];

static void so_named(struct bed *b, const char *name, unsigned first, unsigned n)
{
	struct order_terms t = { "3b", "deliver-then-activate", "vault", first };

	bed_send(b, &(struct bed_in){ .from = BED_S, .type = "SO", .order = name, .make = make_so, .n = n, .ctx = &t });
	assert_string_equal(bed_ack(b, BED_S), "");
}

/* Pages go out full but the last; no IMSI is given twice, whatever was restarted; what is not there is said. */
static void test_pool_pages(void **state)
{
	static bool given[2000];
	struct bed *b = *state;
	struct desk_stats stats;
	unsigned records = 0;
	char v[BED_LINE_MAX];

	memset(given, 0, sizeof(given));
	so_named(b, "SO-1", 0, 3);
	bed_restart(b);
	so_named(b, "SO-2", 10, MANY);
	for (unsigned o = 0, page = 0; o < b->outs; o++) {
		unsigned n;

		if (strcmp(b->out[o].head.type, "IL"))
			continue;
		n = bed_read(b, &b->out[o], many, DESK_PAGE, false, NULL);
		assert_int_equal(n, page == 0 ? 3 : page == 1 ? DESK_PAGE : MANY - DESK_PAGE);
		page++;
		records += n;
		for (unsigned i = 0; i < n; i++) {
			unsigned at = (unsigned)atoi(bed_value(many[i], 0, v) + 9);

			assert_in_range(at, 100, 1999);
			assert_false(given[at]);
			given[at] = true;
		}
	}
	assert_int_equal(records, 3 + MANY);
	so_named(b, "SO-3", 5000, 1000);
	desk_stats(b->desk, &stats);
	assert_non_null(stats.alarm);
	assert_non_null(strstr(stats.alarm, "not enough IMSIs"));
	assert_int_equal(desk_order_by_name(b->desk, "SO-3")->paired, 0);
	so_named(b, "SO-4", 7000, 700); /* for these there are enough */
	assert_int_equal(desk_order_by_name(b->desk, "SO-4")->paired, 700);
}

/* More than a page, planned from the last card down: each request proves its own cards, each answer is taken. */
static void test_many(void **state)
{
	static unsigned card[DESK_PAGE];
	struct bed *b = *state;
	unsigned all = 0;

	send_so(b, "3b", "deliver-then-activate", MANY);
	send_pl(b, MANY, (struct plan_terms){ 1, 2, 2, MANY - 1 });
	assert_string_equal(bed_ack(b, BED_A), "");
	assert_int_equal(bed_count(b, BED_M, "KR"), 2);
	for (unsigned o = 0, n; o < b->outs; o++) {
		struct pairs p = { b, BED_M, 2, 2, 0, card };
		const struct bed_out *kr = &b->out[o];
		struct pkg_head pl;
		const uint8_t *der;
		struct pkg *pkg;
		size_t len;

		if (strcmp(kr->head.type, "KR"))
			continue;
		assert_int_equal(pkg_open(&pkg, kr->path, b->err, sizeof(b->err)), 0);
		der = pkg_attached(pkg, 1, &len);
		assert_int_equal(pkg_manifest_verify(&pl, der, len, b->party[BED_A].known, b->err, sizeof(b->err)), 0);
		n = bed_read(b, kr, many, DESK_PAGE, false, NULL);
		for (unsigned i = 0; i < n; i++) {
			char v[BED_LINE_MAX], leaf[BED_LINE_MAX];
			uint8_t path[PKG_PATH_MAX][PKG_HASH_LEN];
			const uint64_t at = strtoull(bed_value(many[i], 3, v), NULL, 10);

			card[i] = (unsigned)atoi(bed_value(many[i], 0, v) + 7);
			assert_int_equal(at, MANY - 1 - card[i]);
			bed_value(many[i], 4, v);
			leaf[unhex(v, (uint8_t *)leaf)] = '\0';
			bed_value(many[i], 5, v);
			assert_int_equal(pkg_proof(&pl, leaf, at, path, unhex(v, path[0]) / PKG_HASH_LEN), 0);
		}
		pkg_close(pkg);
		all += n;
		bed_send(b, &(struct bed_in){ .from = BED_M,
					      .type = "KP",
					      .order = ORDER,
					      .about = kr->head.id,
					      .wrap = true,
					      .make = make_kp,
					      .n = n,
					      .ctx = &p });
		assert_string_equal(bed_ack(b, BED_M), "");
	}
	assert_int_equal(all, MANY);
	bed_wait(b, 2000);
	assert_int_equal(sim_hlr_count(b->sim), MANY);
	assert_int_equal(told(b, BED_A, "ready"), MANY);
}

/* ---- stops, silence, changes of mind ---- */

static void test_stopped_everywhere(void **state)
{
	struct bed *b = *state;

	send_so(b, "3b", "deliver-then-activate", CARDS);
	bed_restart(b);
	send_pl(b, CARDS, (struct plan_terms){ 1, 2, 2 });
	bed_restart(b);
	b->mood.mute = true;
	send_kp(b, CARDS, 2, 2);
	bed_restart(b);
	b->mood.mute = false;
	bed_wait(b, 5000);
	bed_restart(b);
	assert_int_equal(told(b, BED_A, "ready"), CARDS);
	assert_true(sim_hlr_locate(b->sim, imsi_of(0), VLR));
	bed_wait(b, 10000);
	bed_restart(b);
	expect_step(b, 0, B_CONFIRMING);
	bed_txn(b, ORDER, WORK_CONFIRM, iccid_of(0), TXN_DONE, WORK_IS_DONE);
	bed_restart(b);
	send_end(b, 0, "done");
	bed_restart(b);
	expect_step(b, 0, B_CLOSED);
	assert_int_equal(told(b, BED_A, "served"), 1);
	assert_int_equal(told(b, BED_A, "confirmed"), 1);
	assert_int_equal(bed_count(b, BED_A, "IL"), 1);
	assert_int_equal(bed_count(b, BED_M, "KR"), 1);
}

/* CONFIRM without an answer comes again; one that answers late counts. */
static void test_confirm_again(void **state)
{
	struct bed *b = *state;

	to_ready(b, CARDS);
	for (unsigned i = 0; i < 2; i++)
		assert_true(sim_hlr_locate(b->sim, imsi_of(i), VLR));
	bed_wait(b, 5000);
	bed_settle(b, iccid_of(0), TXN_EXPIRED);
	expect_step(b, 0, B_CONFIRM);
	bed_wait(b, 590000);
	expect_step(b, 0, B_CONFIRM);
	bed_wait(b, 20000);
	expect_step(b, 0, B_CONFIRMING);
	bed_txn(b, ORDER, WORK_CONFIRM, iccid_of(0), TXN_DONE, WORK_IS_DONE);
	expect_step(b, 0, B_CONFIRMED);
	/* what makes no sense is for a person */
	bed_txn(b, ORDER, WORK_CONFIRM, iccid_of(1), TXN_QUARANTINED, WORK_CONFLICT);
	expect_step(b, 1, B_ENDING);
	assert_non_null(strstr(desk_order_by_name(b->desk, ORDER)->alarm, iccid_of(1)));
	assert_int_equal(told(b, BED_A, "confirmed"), 1);
}

/* A has taken the package and says nothing more of the card: told again by itself, ever more seldom, and not for ever. */
static void test_told_again(void **state)
{
	struct bed *b = *state;
	int64_t wait_ms = B_AGAIN_MS;
	unsigned a, m;

	to_ready(b, 1);
	assert_true(sim_hlr_locate(b->sim, imsi_of(0), VLR));
	bed_wait(b, 5000);
	bed_txn(b, ORDER, WORK_CONFIRM, iccid_of(0), TXN_DONE, WORK_IS_DONE);
	expect_step(b, 0, B_CONFIRMED);
	bed_restart(b);
	a = bed_count(b, BED_A, "CF");
	m = bed_count(b, BED_M, "CF");
	for (unsigned n = 0; n < B_AGAIN_MAX; n++, wait_ms *= 2) {
		assert_int_equal(bed_count(b, BED_A, "CF"), a + n);
		b->now_ms += wait_ms - 10000;
		bed_turn(b);
		assert_int_equal(bed_count(b, BED_A, "CF"), a + n);
		b->now_ms += 20000;
		bed_turn(b);
		if (!n)
			assert_int_equal(told(b, BED_A, "confirmed"), 2);
	}
	assert_int_equal(bed_count(b, BED_A, "CF"), a + B_AGAIN_MAX);
	assert_int_equal(bed_count(b, BED_M, "CF"), m + B_AGAIN_MAX);
	b->now_ms += 4 * wait_ms;
	bed_turn(b);
	assert_int_equal(bed_count(b, BED_A, "CF"), a + B_AGAIN_MAX);
	assert_non_null(strstr(desk_order_by_name(b->desk, ORDER)->alarm, "has not answered"));
}

/* 3a: A has left out that the card is served here; it is told again when our register says that it still is, and not when it has gone. */
static void test_served_again(void **state)
{
	struct bed *b = *state;

	send_so(b, "3a", "deliver-then-activate", 1);
	send_pl(b, 1, (struct plan_terms){ 1, 1, 1 });
	send_hl3a(b, 1, "provisional", "staged", true, false);
	bed_wait(b, 2000);
	assert_true(sim_hlr_locate(b->sim, imsi_of(0), VLR));
	bed_wait(b, 5000);
	expect_step(b, 0, B_SERVED);
	assert_int_equal(told(b, BED_A, "served"), 1);
	b->now_ms += B_AGAIN_MS;
	bed_wait(b, 5000);
	assert_int_equal(told(b, BED_A, "served"), 2);
	assert_true(sim_hlr_locate(b->sim, imsi_of(0), ""));
	b->now_ms += 2 * B_AGAIN_MS;
	bed_wait(b, 5000);
	expect_step(b, 0, B_SERVED);
	assert_int_equal(told(b, BED_A, "served"), 2);
	send_hl3a(b, 1, "final", "armed", false, true);
	expect_step(b, 0, B_CONFIRMING); /* at once */
}

static void mo(struct bed *b, unsigned i, const char *from)
{
	static const uint8_t ud[] = { 2, 0x71, 0, 0, 11, 10, 0xbf, 0xff, 0x3b, 0, 0, 0, 0, 1, 0, (uint8_t)0 };
	struct gw_event ev = { .kind = GW_EV_LINK,
			       .ev = { .kind = LINK_EV_MO, .udhi = true, .payload_len = sizeof(ud) } };

	memcpy(ev.ev.payload, ud, sizeof(ud));
	ev.ev.payload[sizeof(ud) - 1] = (uint8_t)i; /* another one */
	ev.ev.from = (struct ota_addr){ .ton = 1, .npi = 1 };
	snprintf(ev.ev.from.digits, sizeof(ev.ev.from.digits), "%s", from);
	assert_int_equal(gw_post(b->gw, &ev), 0);
	bed_wait(b, 1000);
}

/* What a card that has come answers to its last operator is forwarded to him, within a bound; nobody else's is. */
static void test_stray(void **state)
{
	struct bed *b = *state;
	char v[BED_LINE_MAX];

	to_ready(b, 2);
	mo(b, 0, "4915100000100");
	assert_int_equal(bed_read(b, bed_got(b, BED_A, "SP"), line, LINES, false, NULL), 1);
	assert_string_equal(bed_value(line[0], 0, v), iccid_of(0));
	assert_string_equal(bed_value(line[0], 1, v), imsi_of(0));
	assert_string_equal(bed_value(line[0], 4, v), "000b0abfff3b00000000010000");
	mo(b, 0, "4915100000999");
	assert_int_equal(bed_count(b, BED_A, "SP"), 1);
	for (unsigned i = 0; i < 20; i++)
		mo(b, i, "4915100000100");
	assert_int_equal(bed_count(b, BED_A, "SP"), 8);
	mo(b, 0, "4915100000101");
	assert_int_equal(bed_count(b, BED_A, "SP"), 9);
	send_end(b, 1, "cancelled");
	mo(b, 1, "4915100000101");
	assert_int_equal(bed_count(b, BED_A, "SP"), 9);
}

/* The papers' order: the card may be here before it is ready. */
static void test_activate_first(void **state)
{
	struct bed *b = *state;

	send_so(b, "3b", "activate-then-deliver", CARDS);
	send_pl(b, CARDS, (struct plan_terms){ 1, 2, 2 });
	b->mood.mute = true;
	send_kp(b, CARDS, 2, 2);
	assert_true(sim_hlr_locate(b->sim, imsi_of(0), VLR));
	b->mood.mute = false;
	bed_wait(b, 60000);
	assert_int_equal(told(b, BED_A, "ready"), CARDS);
	assert_int_equal(told(b, BED_A, "served"), 1);
	expect_step(b, 0, B_CONFIRMING);
}

static void test_cancelled_here(void **state)
{
	struct desk_cfg cfg = with_pool;
	struct bed *b = *state;

	send_so(b, "3b", "deliver-then-activate", CARDS);
	send_pl(b, CARDS, (struct plan_terms){ 1, 2, 2 });
	bed_request(b, DESK_CANCEL, ORDER, NULL);
	assert_int_equal(b->asked_rc, 0);
	send_kp(b, CARDS, 2, 2);
	assert_int_equal(told(b, BED_A, "refused"), CARDS);
	assert_int_equal(sim_hlr_count(b->sim), 0);
	for (unsigned i = 0; i < CARDS; i++)
		send_end(b, i, "failed");
	assert_null(desk_order_by_name(b->desk, ORDER));
	/* before anything has gone out it is over at once */
	cfg.pool.imsi_from[0] = '\0';
	bed_free(b);
	b = bed_new(BED_B, &cfg, &tables);
	send_so(b, "3b", "deliver-then-activate", CARDS);
	bed_request(b, DESK_CANCEL, ORDER, NULL);
	assert_null(desk_order_by_name(b->desk, ORDER));
	*state = b;
}

/* Time alone deletes nothing; it asks for a person. */
static void test_overdue(void **state)
{
	struct bed *b = *state;

	send_so(b, "3b", "deliver-then-activate", CARDS);
	assert_string_equal(desk_order_by_name(b->desk, ORDER)->alarm, "");
	b->now_ms += 86400ll * 31 * 1000;
	bed_turn(b);
	assert_non_null(strstr(desk_order_by_name(b->desk, ORDER)->alarm, "is still B_LISTED"));
	expect_step(b, 0, B_LISTED);
}

/* A plan of a profile that we do not have, or of a name that leads elsewhere, is refused when it is read. */
static void test_profile(void **state)
{
	static const char *const bad[] = { "m2m-sub2", "..", "a..b" };
	struct bed *b = *state;
	char text[200];

	send_so(b, "3a", "deliver-then-activate", 1);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "%s,%s,1,1,1,%s", iccid_of(0), imsi_of(0), bad[i]);
		send_one(b, BED_A, "PL", text);
		assert_string_equal(bed_ack(b, BED_A), "profile");
		expect_step(b, 0, B_LISTED);
	}
	snprintf(text, sizeof(text), "%s,%s,1,1,1,m2m-sub", iccid_of(0), imsi_of(0));
	send_one(b, BED_A, "PL", text);
	assert_string_equal(bed_ack(b, BED_A), "");
}

/* Our register has somebody else under the IMSI: whenever the order ends, he stays. */
static void foreign_put(struct bed *b, bool first)
{
	char req[200], reply[SIM_HLR_REPLY_MAX];

	snprintf(req, sizeof(req), "SET 1 subscriber.%s %s", first ? "create" : "delete", imsi_of(0));
	sim_hlr_ctrl(b->sim, req, reply);
	if (!first) {
		foreign_put(b, true);
		return;
	}
	snprintf(req, sizeof(req),
		 "SET 1 subscriber.by-imsi-%s.aud3g "
		 "milenage,00112233445566778899aabbccddeeff,opc,ffeeddccbbaa99887766554433221100",
		 imsi_of(0));
	sim_hlr_ctrl(b->sim, req, reply);
}

static void test_foreign(void **state)
{
	struct bed *b = *state;

	foreign_put(b, true);
	b->mood.away = true;
	to_ready(b, CARDS);
	expect_step(b, 0, B_PROVISIONING);
	send_end(b, 0, "cancelled");
	b->mood.away = false;
	bed_wait(b, 180000);
	expect_step(b, 0, B_CLOSED);
	assert_true(sim_hlr_knows(b->sim, imsi_of(0)));
}

/* He came after we had made ours. */
static void test_foreign_later(void **state)
{
	struct bed *b = *state;

	to_ready(b, CARDS);
	expect_step(b, 0, B_READY);
	foreign_put(b, false);
	send_end(b, 0, "cancelled");
	bed_wait(b, 5000);
	assert_true(sim_hlr_knows(b->sim, imsi_of(0)));
	assert_non_null(strstr(desk_order_by_name(b->desk, ORDER)->alarm, "does not remove it"));
	send_end(b, 1, "cancelled");
	bed_wait(b, 5000);
	assert_false(sim_hlr_knows(b->sim, imsi_of(1)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_il, setup, teardown),
		cmocka_unit_test_setup_teardown(test_3b, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bridged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bridged_at_e5, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bridge_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_3a, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_by_hlr, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cannot_be_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hlr_away, setup, teardown),
		cmocka_unit_test_setup_teardown(test_registered_already, setup, teardown),
		cmocka_unit_test_setup_teardown(test_polls_back_off, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_pl, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_kp, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_hl, setup, teardown),
		cmocka_unit_test(test_own_list),
		cmocka_unit_test_setup_teardown(test_list_stopped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pool_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stopped_everywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_confirm_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_told_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stray, setup, teardown),
		cmocka_unit_test_setup_teardown(test_served_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_activate_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_profile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancelled_here, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overdue, setup, teardown),
	};

	return cmocka_run_group_tests_name("desk-b", tests, NULL, NULL);
}
