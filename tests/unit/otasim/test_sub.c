/* test_sub.c - the subscription applet of the virtual card, against its document; every step is shown to the judge.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Numbers in comments are sections of contrib/doc/card-interface.md, H1.. the scenarios of the hand-over's fault list.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "sub_test.h"

#define ACC_FILE "8405016f780002"
#define PLMN_B	 "00f130"

static struct bench b;

static int setup(void **state)
{
	bench_init(&b, 42, 6);
	return 0;
}

static struct oct set_to(uint64_t order, uint16_t from, uint16_t to, const char *imsi)
{
	struct set_spec s = {
		.order = order, .from = from, .to = to, .imsi = imsi, .files = ACC_FILE, .plmns = PLMN_B
	};
	uint8_t mac[8];

	if (to > from + 1) {
		vault_mac(&b, "OTA3B-JUMP", from, to, order, mac);
		s.mac = mac;
	}
	return set_of(&s);
}

static uint16_t stage(const struct oct *set)
{
	struct oct c = cmd_set(0x32, set);

	return bench_do(&b, &c).sw;
}

static uint16_t arm(uint64_t order, const struct oct *set)
{
	struct oct c = cmd_arm(order, set);

	return bench_do(&b, &c).sw;
}

static uint16_t advance(const struct oct *set)
{
	struct oct c = cmd_set(0x38, set);

	return bench_do(&b, &c).sw;
}

static uint16_t about(uint8_t ins, uint64_t order)
{
	struct oct c = cmd_order(ins, order);

	return bench_do(&b, &c).sw;
}

/* Staged, armed and reset. */
static void go(uint64_t order, uint16_t from, uint16_t to, const char *imsi)
{
	struct oct set = set_to(order, from, to, imsi);

	assert_int_equal(stage(&set), 0x9000);
	assert_int_equal(arm(order, &set), 0x9000);
	bench_reset(&b);
	assert_int_equal(state_of(&b), SIM_SUB_TRIAL);
}

/* TS 35.208, 4.3 and 5.3: test sets 1 and 3. */
static void milenage_test_sets(void **state)
{
	static const struct {
		const char *k, *rand, *sqn, *amf, *opc, *f1, *f1s, *f2, *f5, *f3, *f4, *f5s;
	} sets[] = {
		{ "465b5ce8b199b49faa5f0a2ee238a6bc", "23553cbe9637a89d218ae64dae47bf35", "ff9bb4d0b607", "b9b9",
		  "cd63cb71954a9f4e48a5994e37a02baf", "4a9ffac354dfafb3", "01cfaf9ec4e871e9", "a54211d5e3ba50bf",
		  "aa689c648370", "b40ba9a3c58b2a05bbf0d987b21bf8cb", "f769bcd751044604127672711c6d3441",
		  "451e8beca43b" },
		{ "fec86ba6eb707ed08905757b1bb44b8f", "9f7c8d021accf4db213ccff0c7f71a6a", "9d0277595ffc", "725c",
		  "1006020f0a478bf6b699f15c062e42b3", "9cabc3e99baf7281", "95814ba2b3044324", "8011c48c0c214ed2",
		  "33484dc2136b", "5dbdbb2954e8f3cde665b046179a5098", "59a92d3b476a0443487055cf88b2307b",
		  "deacdd848cc6" },
	};

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		struct oct k = oct_hex(sets[i].k), opc = oct_hex(sets[i].opc), rand = oct_hex(sets[i].rand),
			   sqn = oct_hex(sets[i].sqn), amf = oct_hex(sets[i].amf), want;
		struct sim_aka_keys keys = { .alg = SIM_AKA_MILENAGE };
		struct sim_aka a;

		memcpy(keys.k, k.b, 16);
		memcpy(keys.opc, opc.b, 16);
		assert_int_equal(sim_aka_run(&keys, rand.b, sqn.b, amf.b, &a), 0);
#define IS(field, member) want = oct_hex(sets[i].member), assert_memory_equal(a.field, want.b, want.len)
		IS(mac_a, f1);
		IS(mac_s, f1s);
		IS(res, f2);
		IS(ak, f5);
		IS(ck, f3);
		IS(ik, f4);
		IS(ak_s, f5s);
#undef IS
	}
}

/* The whole way: nothing in force changes before the reset, who may speak when, CONFIRM under the new pair. */
static void from_a_to_b(void **state)
{
	struct oct set = set_to(1, 1, 2, IMSI_B), status = cmd_order(0x30, 1), confirm = cmd_order(0x3a, 1);
	struct answer a;
	const uint8_t *loci;
	size_t len;

	assert_int_equal(bench_auth_pair(&b, 1), SIM_AUTH_OK);
	assert_int_equal(stage(&set), 0x9000);
	assert_int_equal(state_of(&b), SIM_SUB_STAGED);
	assert_int_equal(arm(1, &set), 0x9000);
	assert_true(b.out.refresh);
	/* armed: pair 1 lives on, pair 2 is nobody */
	assert_string_equal(imsi_of(&b), IMSI_A);
	assert_int_equal(bench_auth_pair(&b, 1), SIM_AUTH_OK);
	assert_int_equal(bench_auth_pair(&b, 2), SIM_AUTH_MAC);
	a = bench_send_pair(&b, 2, 2, &confirm);
	assert_int_equal(a.status, 0x06);
	assert_false(a.secured);
	loci = sim_card_file(&b.card, 0x6f7e, &len);
	assert_int_equal(loci[10], 0x00);
	bench_reset(&b);
	/* trial: pair 2 in the other slot, LOCI and keys wiped, pair 1 good for STATUS */
	assert_int_equal(state_of(&b), SIM_SUB_TRIAL);
	assert_string_equal(imsi_of(&b), IMSI_B);
	assert_int_equal(sim_sub_rec(&b.sub)->kvn, 2);
	assert_int_equal(loci[10], 0x01);
	assert_int_equal(sim_card_file(&b.card, 0x6f08, &len)[0], 0x07);
	assert_int_equal(bench_auth_pair(&b, 1), SIM_AUTH_MAC);
	a = bench_send_pair(&b, 1, 1, &status);
	assert_int_equal(a.sw, 0x9000);
	assert_int_equal(a.data.len, 0x2f);
	assert_int_equal(a.data.b[2], SIM_SUB_TRIAL);
	a = bench_send_pair(&b, 1, 1, &confirm);
	assert_int_equal(a.sw, 0x6982);
	status = cmd_order(0x3c, 1);
	assert_int_equal(bench_send_pair(&b, 1, 1, &status).sw, 0x6982);
	assert_int_equal(bench_auth_pair(&b, 2), SIM_AUTH_OK);
	assert_int_equal(state_of(&b), SIM_SUB_TRIAL); /* AUTHENTICATE confirms nothing */
	assert_int_equal(bench_do(&b, &confirm).sw, 0x9000);
	assert_int_equal(state_of(&b), SIM_SUB_CONFIRMED);
	assert_int_equal(bench_do(&b, &confirm).sw, 0x9000);
	/* pair 1 has no slot any more */
	assert_int_equal(bench_send_pair(&b, 1, 1, &status).status, 0x06);
}

static void confirmed_by_location_update(void **state)
{
	go(1, 1, 2, IMSI_B);
	bench_loci(&b, PLMN_B, 0x00); /* no AUTHENTICATE yet: what the ME had cached */
	assert_int_equal(state_of(&b), SIM_SUB_TRIAL);
	assert_int_equal(bench_auth_pair(&b, 2), SIM_AUTH_OK);
	bench_loci(&b, "00f120", 0x00);
	bench_loci(&b, PLMN_B, 0x01);
	assert_int_equal(state_of(&b), SIM_SUB_TRIAL);
	bench_loci(&b, PLMN_B, 0x00);
	assert_int_equal(state_of(&b), SIM_SUB_CONFIRMED);
	assert_int_equal(about(0x3a, 1), 0x9000);
	assert_int_equal(about(0x3c, 1), 0x9606);
}

static void rolled_back_by_time(void **state)
{
	struct oct status = cmd_order(0x30, 1);
	struct answer a;
	uint64_t cntr;

	go(1, 1, 2, IMSI_B);
	assert_int_equal(about(0x30, 1), 0x9000); /* B spends a counter */
	cntr = sim_sub_pair(&b.sub, 2)->cntr;
	for (int i = 0; i < 24 * 60 && state_of(&b) == SIM_SUB_TRIAL; i++) {
		sim_card_powered(&b.card, 60000);
		bench_look(&b);
		if (i == 60) { /* the first success takes the clock back to the full time, the second does not */
			assert_int_equal(bench_auth_pair(&b, 2), SIM_AUTH_OK);
			assert_int_equal(b.sub.nvm.trial.left_s, 86400 - 60);
		}
		if (i == 90) {
			uint32_t left = b.sub.nvm.trial.left_s;

			assert_int_equal(bench_auth_pair(&b, 2), SIM_AUTH_OK);
			assert_int_equal(b.sub.nvm.trial.left_s, left);
		}
	}
	assert_int_equal(state_of(&b), SIM_SUB_TRIAL);
	sim_card_powered(&b.card, 61 * 60000);
	bench_look(&b);
	assert_int_equal(state_of(&b), SIM_SUB_RETURNING);
	assert_true(sim_card_refresh_wanted(&b.card));
	assert_int_equal(about(0x3a, 1), 0x6985);
	bench_reset(&b);
	assert_int_equal(state_of(&b), SIM_SUB_ROLLED_BACK);
	assert_string_equal(imsi_of(&b), IMSI_A);
	assert_int_equal(bench_auth_pair(&b, 1), SIM_AUTH_OK);
	a = bench_do(&b, &status);
	assert_int_equal(a.sw, 0x9000);
	assert_int_equal(a.data.b[2 + 35], SIM_END_TIMEOUT);
	/* the same pair again, in another order: its counter goes on */
	go(2, 1, 2, IMSI_B);
	assert_true(sim_sub_pair(&b.sub, 2)->cntr > cntr);
	status = cmd_order(0x30, 2);
	assert_int_equal(bench_send(&b, 2, &sim_sub_pair(&b.sub, 2)->ota, cntr, &status).status, 0x02);
}

/* H2: authenticated for ever, never let in. */
static void h2_location_update_refused(void **state)
{
	unsigned minutes = 0;

	go(1, 1, 2, IMSI_B);
	while (state_of(&b) == SIM_SUB_TRIAL && minutes < 3 * 24 * 60) {
		assert_int_equal(bench_auth_pair(&b, 2), SIM_AUTH_OK);
		sim_card_powered(&b.card, 60000);
		bench_look(&b);
		minutes++;
	}
	assert_in_range(minutes, 24 * 60, 2 * 24 * 60 + 1);
	bench_reset(&b);
	assert_string_equal(imsi_of(&b), IMSI_A);
}

/* H3 on the card: five minutes a day, or restarts every ten seconds: the trial ends, and not early by more than a slice each. */
static void h3_seldom_powered(void **state)
{
	unsigned days = 0, starts = 0;

	go(1, 1, 2, IMSI_B);
	for (; state_of(&b) == SIM_SUB_TRIAL && days < 400; days++) {
		sim_card_powered(&b.card, 5 * 60000 - 1);
		bench_reset(&b);
	}
	assert_in_range(days, 86400 / 360, 86400 / 300 + 1);
	assert_int_equal(state_of(&b), SIM_SUB_ROLLED_BACK);
	go(2, 1, 2, IMSI_B);
	for (; state_of(&b) == SIM_SUB_TRIAL && starts < 2000; starts++) {
		sim_card_powered(&b.card, 10000);
		bench_reset(&b);
	}
	assert_in_range(starts, 1400, 1441);
}

/* H4: three times no, then yes: one reset, one trial. */
static void h4_refresh_refused_three_times(void **state)
{
	struct oct set = set_to(1, 1, 2, IMSI_B);

	assert_int_equal(advance(&set), 0x9000);
	for (int i = 0; i < 3; i++) {
		assert_true(sim_card_refresh_wanted(&b.card));
		sim_card_refresh_refused(&b.card);
		assert_false(sim_card_refresh_wanted(&b.card));
		sim_card_powered(&b.card, 59999);
		assert_false(sim_card_refresh_wanted(&b.card));
		sim_card_powered(&b.card, 1);
		bench_look(&b);
		assert_int_equal(state_of(&b), SIM_SUB_ARMED);
		assert_int_equal(bench_auth_pair(&b, 1), SIM_AUTH_OK);
	}
	assert_true(sim_card_refresh_wanted(&b.card));
	sim_card_refresh(&b.card);
	bench_look(&b);
	assert_int_equal(state_of(&b), SIM_SUB_TRIAL);
	assert_false(sim_card_refresh_wanted(&b.card));
	bench_reset(&b);
	assert_int_equal(b.judge.trials, 1);
	assert_int_equal(state_of(&b), SIM_SUB_TRIAL);
}

/* H5, the card's part: A to B cancelled, then A to C with the next index by the vault's word. */
static void h5_cancelled_then_another_operator(void **state)
{
	struct oct to_b = set_to(1, 1, 2, IMSI_B), to_c = set_to(2, 1, 3, IMSI_C);
	struct oct confirm = cmd_order(0x3a, 2), status = cmd_order(0x30, 2);
	struct answer a;

	assert_int_equal(stage(&to_b), 0x9000);
	assert_int_equal(about(0x34, 1), 0x9000);
	assert_int_equal(state_of(&b), SIM_SUB_IDLE);
	assert_int_equal(stage(&to_c), 0x9000);
	assert_int_equal(arm(2, &to_c), 0x9000);
	bench_reset(&b);
	assert_int_equal(bench_auth_pair(&b, 2), SIM_AUTH_MAC); /* what B was given is of no use */
	assert_int_equal(bench_auth_pair(&b, 3), SIM_AUTH_OK);
	assert_int_equal(bench_send_pair(&b, 2, 2, &confirm).status, 0x01);
	assert_int_equal(bench_send_pair(&b, 3, 2, &confirm).sw, 0x9000);
	assert_string_equal(imsi_of(&b), IMSI_C);
	a = bench_do(&b, &status);
	assert_int_equal(a.data.b[2 + 24], 3); /* 4, 5, 6 are left: 2 is burnt */
}

/* H6: A skips indexes, or arms what it has not staged. */
static void h6_skipped_or_other_set(void **state)
{
	struct set_spec s = { .order = 1, .from = 1, .to = 3, .imsi = IMSI_B };
	struct oct skip = set_of(&s), good = set_to(1, 1, 2, IMSI_B), other = set_to(1, 1, 2, IMSI_C);
	uint8_t mac[8];

	assert_int_equal(stage(&skip), 0x9603);
	assert_int_equal(advance(&skip), 0x9603);
	vault_mac(&b, "OTA3B-JUMP", 1, 4, 1, mac); /* for another index, another order, or for erasing */
	s.mac = mac;
	skip = set_of(&s);
	assert_int_equal(stage(&skip), 0x9603);
	vault_mac(&b, "OTA3B-JUMP", 1, 3, 2, mac);
	skip = set_of(&s);
	assert_int_equal(stage(&skip), 0x9603);
	vault_mac(&b, "OTA3B-ERASE", 1, 3, 1, mac);
	skip = set_of(&s);
	assert_int_equal(stage(&skip), 0x9603);
	assert_int_equal(arm(1, &good), 0x6985);
	assert_int_equal(stage(&good), 0x9000);
	assert_int_equal(arm(1, &other), 0x9604);
	assert_int_equal(arm(2, &good), 0x9605);
	assert_int_equal(state_of(&b), SIM_SUB_STAGED);
	assert_int_equal(b.sub.audit, 7);
	bench_reset(&b);
	assert_string_equal(imsi_of(&b), IMSI_A);
	assert_int_equal(sim_sub_rec(&b.sub)->index, 1);
	s = (struct set_spec){ .order = 1, .from = 1, .to = 7, .imsi = IMSI_B };
	good = set_of(&s);
	assert_int_equal(advance(&good), 0x9602);
	s.from = 2;
	good = set_of(&s);
	assert_int_equal(advance(&good), 0x9601);
	s.to = 1;
	s.from = 1;
	good = set_of(&s);
	assert_int_equal(advance(&good), 0x9000); /* 3a: the pair stays */
}

/* H7: the same ADVANCE, re-encoded a hundred times, before, after, and after a rollback: the index moves once. */
static void h7_advance_a_hundred_times(void **state)
{
	struct oct set = set_to(1, 1, 2, IMSI_B), c = cmd_set(0x38, &set);

	for (int i = 0; i < 100; i++) {
		assert_int_equal(advance(&set), 0x9000);
		assert_int_equal(state_of(&b), SIM_SUB_ARMED);
	}
	bench_reset(&b);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(bench_send_pair(&b, 1, 1, &c).sw, 0x9000); /* already there */
		assert_int_equal(bench_do(&b, &c).sw, 0x9000);
		bench_reset(&b);
	}
	assert_int_equal(sim_sub_rec(&b.sub)->index, 2);
	assert_int_equal(about(0x3c, 1), 0x9000);
	assert_true(b.out.refresh);
	bench_reset(&b);
	assert_int_equal(state_of(&b), SIM_SUB_ROLLED_BACK);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(advance(&set), 0x9606);
		bench_reset(&b);
	}
	assert_int_equal(sim_sub_rec(&b.sub)->index, 1);
	assert_int_equal(b.judge.trials, 1);
	/* once confirmed, the order is "already there" for ever */
	set = set_to(2, 1, 2, IMSI_B);
	go(2, 1, 2, IMSI_B);
	assert_int_equal(about(0x3a, 2), 0x9000);
	assert_int_equal(advance(&set), 0x9000);
	assert_int_equal(stage(&set), 0x9000);
	assert_int_equal(state_of(&b), SIM_SUB_CONFIRMED);
}

/* 3a on a card with the applet: IMSI and OPc move, the pair stays; rollback gives the old OPc back. */
static void pair_stays(void **state)
{
	uint8_t opc[16] = { 0x11, 0x22 };
	struct oct w = wrap(b.sub.nvm.pair[0].ota.kik, 16, opc, 16);
	struct set_spec s = { .order = 1, .from = 1, .to = 1, .imsi = IMSI_B, .opc = &w };
	struct oct set = set_of(&s);
	struct sim_aka_keys k = keys_of(&b, 1);
	struct sim_auth out;

	assert_int_equal(advance(&set), 0x9000);
	bench_reset(&b);
	assert_int_equal(sim_sub_rec(&b.sub)->kvn, 1);
	assert_int_equal(bench_auth(&b, &k, 1, 0, &out), SIM_AUTH_MAC);
	memcpy(k.opc, opc, 16);
	assert_int_equal(bench_auth(&b, &k, 1, 0, &out), SIM_AUTH_OK);
	assert_int_equal(about(0x3c, 1), 0x9000);
	bench_reset(&b);
	assert_int_equal(bench_auth(&b, &k, 2, 0, &out), SIM_AUTH_MAC);
	assert_int_equal(bench_auth_pair(&b, 1), SIM_AUTH_OK);
	s.order = 2;
	set = set_of(&s);
	assert_int_equal(advance(&set), 0x9000);
	bench_reset(&b);
	assert_int_equal(about(0x3a, 2), 0x9000);
	assert_memory_equal(sim_sub_pair(&b.sub, 1)->opc, opc, 16);
	assert_int_equal(bench_auth_pair(&b, 1), SIM_AUTH_OK);
}

/* (4.3), row by row.  Order 1 is in progress, 2 is another one, 3 has been confirmed, 4 rolled back. */
static void to_state(enum sim_sub_state st)
{
	struct oct set;

	bench_init(&b, 42, 8);
	go(3, 1, 2, IMSI_B);
	assert_int_equal(about(0x3a, 3), 0x9000);
	go(4, 2, 3, IMSI_C);
	assert_int_equal(about(0x3c, 4), 0x9000);
	bench_reset(&b);
	set = set_to(1, 2, 3, IMSI_C);
	if (st == SIM_SUB_ROLLED_BACK)
		return;
	assert_int_equal(stage(&set), 0x9000);
	if (st == SIM_SUB_IDLE)
		assert_int_equal(about(0x34, 1), 0x9000);
	if (st == SIM_SUB_IDLE || st == SIM_SUB_STAGED)
		return;
	assert_int_equal(arm(1, &set), 0x9000);
	if (st == SIM_SUB_ARMED)
		return;
	bench_reset(&b);
	if (st == SIM_SUB_RETURNING)
		assert_int_equal(about(0x3c, 1), 0x9000);
	assert_int_equal(state_of(&b), st);
}

static void every_command_in_every_state(void **state)
{
	enum { OTHER = 2, CONFIRMED = 3, BACK = 4 };
	static const enum sim_sub_state st[] = { SIM_SUB_IDLE, SIM_SUB_STAGED, SIM_SUB_ARMED, SIM_SUB_TRIAL,
						 SIM_SUB_RETURNING };
	static const struct {
		uint8_t ins;
		uint64_t order;
		uint16_t sw[5];
	} rows[] = {
		{ 0x30, 1, { 0x9000, 0x9000, 0x9000, 0x9000, 0x9000 } },
		{ 0x30, 0, { 0x9000, 0x9000, 0x9000, 0x9000, 0x9000 } },
		{ 0x32, 1, { 0x9000, 0x9000, 0x9000, 0x9000, 0x6985 } },
		{ 0x32, OTHER, { 0x9000, 0x9000, 0x6985, 0x6985, 0x6985 } },
		{ 0x32, BACK, { 0x9606, 0x9606, 0x9606, 0x9606, 0x9606 } },
		{ 0x34, 1, { 0x9000, 0x9000, 0x6985, 0x6985, 0x6985 } },
		{ 0x34, OTHER, { 0x9000, 0x9605, 0x6985, 0x6985, 0x6985 } },
		{ 0x34, BACK, { 0x9606, 0x9606, 0x9606, 0x9606, 0x9606 } },
		{ 0x36, 1, { 0x6985, 0x9000, 0x9000, 0x9000, 0x6985 } },
		{ 0x36, OTHER, { 0x6985, 0x9605, 0x9605, 0x6985, 0x6985 } },
		{ 0x36, BACK, { 0x9606, 0x9606, 0x9606, 0x9606, 0x9606 } },
		{ 0x36, CONFIRMED, { 0x9000, 0x9000, 0x9000, 0x9606, 0x9606 } }, /* `to` active, then not */
		{ 0x38, 1, { 0x9000, 0x9000, 0x9000, 0x9000, 0x6985 } },
		{ 0x38, OTHER, { 0x9000, 0x9000, 0x6985, 0x6985, 0x6985 } },
		{ 0x3a, 1, { 0x6985, 0x6985, 0x6985, 0x9000, 0x6985 } },
		{ 0x3a, OTHER, { 0x6985, 0x6985, 0x6985, 0x9605, 0x6985 } },
		{ 0x3a, CONFIRMED, { 0x9000, 0x9000, 0x9000, 0x9000, 0x9000 } },
		{ 0x3a, BACK, { 0x9606, 0x9606, 0x9606, 0x9606, 0x9606 } },
		{ 0x3c, 1, { 0x6985, 0x6985, 0x6985, 0x9000, 0x9000 } },
		{ 0x3c, OTHER, { 0x6985, 0x6985, 0x6985, 0x9605, 0x9605 } },
		{ 0x3c, CONFIRMED, { 0x9606, 0x9606, 0x9606, 0x9606, 0x9606 } },
		{ 0x3c, BACK, { 0x9000, 0x9000, 0x9000, 0x9000, 0x9000 } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int s = 0; s < 5; s++) {
			struct oct set = set_to(rows[i].order, 2, 3, IMSI_C), c;

			to_state(st[s]);
			c = rows[i].ins == 0x32 || rows[i].ins == 0x38 ? cmd_set(rows[i].ins, &set) :
			    rows[i].ins == 0x36			       ? cmd_arm(rows[i].order, &set) :
									 cmd_order(rows[i].ins, rows[i].order);
			if (bench_do(&b, &c).sw != rows[i].sw[s])
				fail_msg("INS %02X order %u in state %d", rows[i].ins, (unsigned)rows[i].order, st[s]);
			bench_reset(&b);
		}
	}
}

/* (1.3): the vault and the change keyset do their own and nothing else. */
static void who_may_what(void **state)
{
	static const struct {
		uint8_t ins;
		bool vault, change;
	} rows[] = { { 0x30, false, true }, { 0x34, false, true }, { 0x3a, false, false }, { 0x3c, false, false } };
	struct oct set = set_to(1, 1, 2, IMSI_B), c;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		c = cmd_order(rows[i].ins, 9);
		assert_int_equal(bench_send_pair(&b, 0, 14, &c).sw, rows[i].vault ? 0x9000 : 0x6982);
		assert_int_equal(bench_send_pair(&b, 0, 15, &c).sw, rows[i].change ? 0x9000 : 0x6982);
	}
	c = cmd_set(0x38, &set);
	assert_int_equal(bench_send_pair(&b, 0, 15, &c).sw, 0x6982);
	assert_int_equal(bench_send_pair(&b, 0, 14, &c).sw, 0x6982);
	c = cmd_set(0x32, &set);
	assert_int_equal(bench_send_pair(&b, 0, 14, &c).sw, 0x6982);
	assert_int_equal(bench_send_pair(&b, 0, 15, &c).sw, 0x9000);
	c = cmd_arm(1, &set);
	assert_int_equal(bench_send_pair(&b, 0, 15, &c).sw, 0x9000);
	bench_reset(&b);
	assert_int_equal(state_of(&b), SIM_SUB_TRIAL);
	assert_int_equal(bench_send_pair(&b, 0, 15, &c).sw, 0x9000); /* already there */
}

/* ---- keys in place (8) ---- */

static struct oct key_cmd(uint8_t ins, uint8_t tag, const uint8_t *key, size_t n, unsigned keys)
{
	const struct sim_ota_keys *k = &sim_sub_pair(&b.sub, sim_sub_rec(&b.sub)->index)->ota;
	struct oct d = { 0 }, w = wrap(k->kik, 16, key, n * keys);
	uint8_t kcv[15];

	tlv_be(&d, 0x80, 77, 8);
	tlv_be(&d, 0x81, sim_sub_rec(&b.sub)->index, 2);
	tlv(&d, tag, w.b, w.len);
	for (unsigned i = 0; i < keys; i++)
		assert_int_equal(sim_kcv(key + i * n, n, kcv + 3 * i), 0);
	tlv(&d, 0x96, kcv, 3 * keys);
	return apdu(ins, 0, &d);
}

static void key_change_pending_until_used(void **state)
{
	uint8_t k2[16] = { 0x5a, 1, 2, 3 }, opc2[16] = { 0xa5, 4 };
	struct oct c = key_cmd(0x3e, 0x93, k2, 16, 1), o = key_cmd(0x40, 0x85, opc2, 16, 1);
	struct sim_aka_keys old = keys_of(&b, 1), new = old;
	struct sim_auth out;

	assert_int_equal(bench_do(&b, &c).sw, 0x9000);
	assert_int_equal(sim_sub_rec(&b.sub)->pending.what, SIM_PENDING_K);
	bench_reset(&b);
	assert_int_equal(bench_auth(&b, &old, 10, 0, &out), SIM_AUTH_OK); /* the AuC has not switched yet */
	memcpy(new.k, k2, 16);
	assert_int_equal(bench_auth(&b, &new, 10, 0, &out), SIM_AUTH_SYNC); /* a MAC alone makes nothing permanent */
	assert_int_equal(sim_sub_rec(&b.sub)->pending.what, SIM_PENDING_K);
	assert_int_equal(bench_auth(&b, &new, 11, 0, &out), SIM_AUTH_OK);
	assert_int_equal(sim_sub_rec(&b.sub)->pending.what, 0);
	assert_int_equal(bench_auth(&b, &old, 12, 0, &out), SIM_AUTH_MAC);
	assert_int_equal(bench_do(&b, &c).sw, 0x9000); /* a repeat finds it in force */
	assert_int_equal(sim_sub_rec(&b.sub)->pending.what, 0);
	assert_int_equal(bench_do(&b, &o).sw, 0x9000);
	memcpy(new.opc, opc2, 16);
	assert_int_equal(bench_auth(&b, &new, 12, 0, &out), SIM_AUTH_OK);
	assert_memory_equal(sim_sub_pair(&b.sub, 1)->opc, opc2, 16);
	c.b[c.len - 2] ^= 1; /* check value */
	assert_int_equal(bench_do(&b, &c).sw, 0x9608);
	c.b[c.len - 2] ^= 1;
	c.b[30] ^= 1; /* wrapping */
	assert_int_equal(bench_do(&b, &c).sw, 0x9608);
}

static void algorithm_selected(void **state)
{
	struct sim_aka_keys k = keys_of(&b, 1);
	struct sim_auth out;
	struct oct d = { 0 }, c;

	tlv_be(&d, 0x80, 5, 8);
	tlv_be(&d, 0x81, 1, 2);
	tlv_be(&d, 0x86, 0x0201, 2);
	c = apdu(0x42, 0, &d);
	assert_int_equal(bench_do(&b, &c).sw, 0x9607); /* TUAK is not on this card */
	c.b[c.len - 3] = 0x0f;
	assert_int_equal(bench_do(&b, &c).sw, 0x9000);
	k.alg = SIM_AKA_TEST;
	assert_int_equal(bench_auth_pair(&b, 1), SIM_AUTH_OK);
	assert_int_equal(bench_auth(&b, &k, 50, 0, &out), SIM_AUTH_OK);
	assert_int_equal(sim_sub_pair(&b.sub, 1)->alg, SIM_AKA_TEST);
}

/* (8.2): two key versions until the new one has been used; never none. */
static void ota_keys_proven_by_use(void **state)
{
	struct oct set = set_to(1, 1, 2, IMSI_B), status = cmd_order(0x30, 0), c;
	struct sim_ota_keys k2 = { .len = 16 }, k1 = b.sub.nvm.pair[0].ota;
	uint8_t all[48];

	for (int i = 0; i < 48; i++)
		all[i] = (uint8_t)bench_random(&b);
	memcpy(k2.kic, all, 16);
	memcpy(k2.kid, all + 16, 16);
	memcpy(k2.kik, all + 32, 16);
	c = key_cmd(0x3e, 0x94, all, 16, 3);
	assert_int_equal(bench_do(&b, &c).sw, 0x9000);
	assert_int_equal(bench_do(&b, &status).sw, 0x9000); /* the old ones still work */
	assert_int_equal(stage(&set), 0x9000);
	assert_int_equal(arm(1, &set), 0x960b);
	assert_int_equal(advance(&set), 0x960b);
	bench_reset(&b);
	assert_int_equal(bench_send(&b, 2, &k2, sim_sub_pair(&b.sub, 1)->cntr, &status).status, 0x02);
	assert_int_equal(sim_sub_rec(&b.sub)->kvn, 1); /* a replay proves nothing */
	assert_int_equal(bench_send(&b, 2, &k2, sim_sub_pair(&b.sub, 1)->cntr + 1, &status).sw, 0x9000);
	assert_int_equal(sim_sub_rec(&b.sub)->kvn, 2);
	assert_int_equal(bench_send(&b, 1, &k1, 1000, &status).status, 0x06);
	assert_int_equal(arm(1, &set), 0x9000);
	bench_reset(&b);
	assert_int_equal(sim_sub_rec(&b.sub)->kvn, 1); /* pair 2 takes the other slot */
	assert_int_equal(about(0x3c, 1), 0x9000);
	bench_reset(&b);
	assert_int_equal(sim_sub_rec(&b.sub)->kvn, 2);
}

static struct oct refill_cmd(uint16_t index, uint8_t fill)
{
	struct oct d = { 0 }, w;
	uint8_t pair[80], kcv[15];

	for (int i = 0; i < 80; i++)
		pair[i] = (uint8_t)(fill + 7 * i);
	w = wrap(b.sub.nvm.vault.kik, 16, pair, 80);
	tlv_be(&d, 0x80, 500 + index, 8);
	tlv_be(&d, 0x82, index, 2);
	tlv_be(&d, 0x86, 0x0101, 2);
	tlv(&d, 0x95, w.b, w.len);
	for (int i = 0; i < 5; i++)
		assert_int_equal(sim_kcv(pair + 16 * i, 16, kcv + 3 * i), 0);
	tlv(&d, 0x96, kcv, 15);
	return apdu(0x46, 0, &d);
}

static struct oct erase_cmd(uint16_t first, uint16_t last, bool mac)
{
	struct oct d = { 0 };
	uint8_t m[8];

	tlv_be(&d, 0x80, 900, 8);
	vault_mac(&b, "OTA3B-ERASE", first, last, 900, m);
	if (mac)
		tlv(&d, 0x8a, m, 8);
	tlv_be(&d, 0x98, (uint64_t)first << 16 | last, 4);
	return apdu(0x48, 0, &d);
}

static void refill_and_erase(void **state)
{
	struct oct c = refill_cmd(7, 1), other = refill_cmd(7, 2), low = refill_cmd(6, 3);

	assert_int_equal(bench_do(&b, &c).sw, 0x6982);
	assert_int_equal(bench_send_pair(&b, 0, 14, &c).sw, 0x9000);
	assert_int_equal(bench_send_pair(&b, 0, 14, &c).sw, 0x9000); /* a repeat */
	assert_int_equal(bench_send_pair(&b, 0, 14, &other).sw, 0x9602);
	assert_int_equal(bench_send_pair(&b, 0, 14, &low).sw, 0x9602);
	assert_int_equal(sim_sub_rec(&b.sub)->highest, 7);
	go(1, 1, 7, IMSI_B);
	assert_int_equal(bench_auth_pair(&b, 7), SIM_AUTH_OK);
	c = erase_cmd(1, 3, false);
	assert_int_equal(bench_do(&b, &c).sw, 0x6985);
	assert_int_equal(about(0x3a, 1), 0x9000);
	assert_int_equal(bench_do(&b, &c).sw, 0x9000);
	assert_null(sim_sub_pair(&b.sub, 1));
	assert_int_equal(bench_do(&b, &c).sw, 0x9000);
	c = erase_cmd(6, 8, true);
	assert_int_equal(bench_do(&b, &c).sw, 0x6985); /* never the active one */
	for (uint16_t i = 8; i <= 19; i++) {
		c = refill_cmd(i, (uint8_t)(10 * i));
		assert_int_equal(bench_send_pair(&b, 0, 14, &c).sw, i <= 8 + 11 ? 0x9000 : 0x9609);
	}
	c = refill_cmd(20, 99);
	assert_int_equal(bench_send_pair(&b, 0, 14, &c).sw, 0x9609);
	c = erase_cmd(18, 19, false);
	assert_int_equal(bench_do(&b, &c).sw, 0x9603); /* upwards only with the vault */
	c = erase_cmd(18, 19, true);
	assert_int_equal(bench_do(&b, &c).sw, 0x9000);
	c = refill_cmd(19, 190);
	assert_int_equal(bench_send_pair(&b, 0, 14, &c).sw, 0x9602); /* an index is never used twice */
	c = refill_cmd(20, 99);
	assert_int_equal(bench_send_pair(&b, 0, 14, &c).sw, 0x9000);
}

/* ---- octets that are not as they should be ---- */

static void malformed_commands(void **state)
{
	static const struct {
		const char *hex;
		uint16_t sw;
	} rows[] = {
		{ "003000010a8008000000000000000000", 0x6e00 },
		{ "804400010a8008000000000000000000", 0x6d00 },
		{ "803000020a8008000000000000000000", 0x6a86 },
		{ "803002010a8008000000000000000000", 0x6a86 },
		{ "803a01010a8008000000000000000100", 0x6a86 },
		{ "803000010a80080000", 0x6700 },
		{ "803a00010a8008000000000000000000", 0x6a80 },
		{ "803a00010b8081080000000000000001", 0x6a80 },
		{ "803a00010c800800000000000000018100", 0x6a80 },
		{ "803a000100", 0x6a80 },
		{ "803200020100", 0x6a86 },
		{ "8032010100", 0x6a86 },
		{ "803201010180", 0x6a86 },
		{ "80300101"
		  "0a80080000000000000000"
		  "00",
		  0x9000 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct oct c = oct_hex(rows[i].hex);

		assert_int_equal(bench_do(&b, &c).sw, rows[i].sw);
	}
}

/* (2.2) and step 9: long sets in blocks, files that cannot be set. */
static void blocks_and_files(void **state)
{
	struct set_spec s = { .order = 1, .from = 1, .to = 2, .imsi = IMSI_B };
	char files[400] = "841c016f620102030405060708090a0b0c0d0e0f10111213141516171819"
			  "8414016f46014f70657261746f722042000000000000"
			  "840f025fc04f0101020304050607080909";
	struct oct set, c, script = { 0 };

	s.files = "8404016f0701";
	set = set_of(&s);
	assert_int_equal(stage(&set), 0x960a);
	s.files = "8404016f9901";
	set = set_of(&s);
	assert_int_equal(stage(&set), 0x960a);
	s.files = "8406016f78010203";
	set = set_of(&s);
	assert_int_equal(stage(&set), 0x960a);
	s.files = files + 60; /* the name alone is good, the LOCI of 5GS is the card's own */
	set = set_of(&s);
	assert_int_equal(stage(&set), 0x960a);
	files[60] = '\0';
	s.files = files; /* 25 octets for a file of 20 */
	set = set_of(&s);
	assert_int_equal(stage(&set), 0x960a);
	s.files = "8417016f620102030405060708090a0b0c0d0e0f1011121314";
	set = set_of(&s);
	/* the set in three blocks of one script */
	for (size_t at = 0, n = 0; at < set.len; n++) {
		size_t len = set.len - at < 20 ? set.len - at : 20;
		struct oct part = { .len = len };

		memcpy(part.b, set.b + at, len);
		at += len;
		c = apdu(0x32, (uint8_t)(n | (at < set.len ? 0x80 : 0)), &part);
		memcpy(script.b + script.len, c.b, c.len - (at < set.len));
		script.len += c.len - (at < set.len);
	}
	assert_int_equal(bench_do(&b, &script).sw, 0x9000);
	assert_int_equal(sim_sub_rec(&b.sub)->set_len, set.len);
	assert_memory_equal(sim_sub_rec(&b.sub)->set, set.b, set.len);
	/* not over two packets */
	script.len = 25;
	assert_int_equal(bench_do(&b, &script).sw, 0x9000);
	c = apdu(0x32, 1, &(struct oct){ .len = 1 });
	assert_int_equal(bench_do(&b, &c).sw, 0x6a86);
	assert_int_equal(sim_sub_rec(&b.sub)->set_len, set.len);
	assert_int_equal(arm(1, &set), 0x9000);
}

/* (1.2): RFM belongs to the active pair, and to nobody in a trial. */
static void other_tars(void **state)
{
	struct oct read = oct_hex("00a4000c026f0700b0000009"), pkt, ud;
	struct cmd_spec k = { .spi1 = 0x16, .spi2 = 0x39, .kic = 0x12, .kid = 0x12, .tar = 0xb00011, .cntr = 101 };

	pkt = packet_build(&b.card, &k, &read);
	ud = ud_single(&pkt);
	card_take(&b.card, &ud, &b.out);
	assert_int_equal(b.out.status, 0);
	bench_look(&b);
	go(1, 1, 2, IMSI_B);
	k.cntr = 1000;
	pkt = packet_build(&b.card, &k, &read);
	ud = ud_single(&pkt);
	card_take(&b.card, &ud, &b.out);
	assert_int_equal(b.out.status, 6);
	bench_look(&b);
}

/* The judge refuses what it should: each fault planted in the memory is found. */
static void judge_finds_planted_faults(void **state)
{
	struct sim_sub_rec *r;
	struct bench was;

	go(1, 1, 2, IMSI_B);
	was = b;
#define FINDS(fault)                                         \
	do {                                                 \
		b = was;                                     \
		b.card.sub = &b.sub;                         \
		r = &b.sub.nvm.rec[b.sub.nvm.current];       \
		assert_true(judge_look(&b.judge, &b.card));  \
		fault;                                       \
		assert_false(judge_look(&b.judge, &b.card)); \
	} while (0)
	FINDS(r->index = 9);
	FINDS(r->place[4] = 2);
	FINDS(r->index = 1);
	FINDS(r->state = SIM_SUB_ARMED);
	FINDS(r->kvn = 1);
	FINDS(r->redo = SIM_REDO_ADOPT);
	FINDS(b.sub.nvm.pair[0].cntr--);
	FINDS((b.sub.nvm.pair[1].seq[3] = 9, judge_look(&b.judge, &b.card), b.sub.nvm.pair[1].seq[3] = 8));
	FINDS(b.sub.nvm.pair[0].k[5] ^= 1);
	FINDS(b.sub.nvm.pair[1].ota.kid[5] ^= 1);
	FINDS(b.sub.nvm.trial.left_s++);
	FINDS((r->state = SIM_SUB_ROLLED_BACK, r->index = 1, r->kvn = 1, r->set_len = r->saved_len = 0));
	FINDS((r->state = SIM_SUB_CONFIRMED)); /* the set is still there */
	FINDS((r->state = SIM_SUB_RETURNING, judge_look(&b.judge, &b.card), r->state = SIM_SUB_TRIAL));
#undef FINDS
	b = was;
	b.card.sub = &b.sub;
	assert_false(judge_answer(&b.judge, &b.card, b.sub.nvm.pair[3].opc + 4, 8));
	assert_false(judge_answer(&b.judge, &b.card, b.sub.nvm.vault.kid, 16));
	assert_true(judge_answer(&b.judge, &b.card, (const uint8_t *)"no key here", 11));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	static const struct CMUnitTest tests[] = {
		T(milenage_test_sets),
		T(from_a_to_b),
		T(confirmed_by_location_update),
		T(rolled_back_by_time),
		T(h2_location_update_refused),
		T(h3_seldom_powered),
		T(h4_refresh_refused_three_times),
		T(h5_cancelled_then_another_operator),
		T(h6_skipped_or_other_set),
		T(h7_advance_a_hundred_times),
		T(pair_stays),
		T(every_command_in_every_state),
		T(who_may_what),
		T(key_change_pending_until_used),
		T(algorithm_selected),
		T(ota_keys_proven_by_use),
		T(refill_and_erase),
		T(malformed_commands),
		T(blocks_and_files),
		T(other_tars),
		T(judge_finds_planted_faults),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
