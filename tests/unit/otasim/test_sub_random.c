/* test_sub_random.c - power fails at every write of the subscription applet, and anything is asked of it in any order.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * After every single step the judge reads the card's raw memory; now and then every pair is tried at an imaginary
 * network: exactly one may be good.  All chance comes from the seed of the bench.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sub_test.h"

#define SEEDS	   400
#define STEPS	   80
#define ORDERS	   8 /* as many as the card remembers: then "once per order" holds for ever */
#define PLMN_B	   "00f130"
#define STARTS_MAX 200

static struct bench b;

static void with_sub(struct bench *to, const struct bench *from)
{
	*to = *from;
	to->card.sub = &to->sub;
}

/* What the network of this pair would use now. */
static struct sim_aka_keys network_of(uint16_t index)
{
	const struct sim_sub_rec *r = sim_sub_rec(&b.sub);
	struct sim_aka_keys k = keys_of(&b, index);

	if ((r->state == SIM_SUB_TRIAL || r->state == SIM_SUB_RETURNING) && index == r->index) {
		if (r->set_opc)
			memcpy(k.opc, r->opc, 16);
		if (r->set_alg)
			k.alg = r->alg;
	}
	return k;
}

static void exactly_one_usable(void)
{
	struct sim_sub_rec r = *sim_sub_rec(&b.sub);
	unsigned good = 0;

	for (int i = 0; i < SIM_PAIRS_MAX; i++) {
		struct sim_aka_keys k;
		struct sim_auth out;
		uint64_t seq = 0;

		if (r.place[i] == 0)
			continue;
		k = network_of(r.place[i]);
		for (int n = 0; n < SIM_SQN_INDS; n++)
			seq = b.sub.nvm.pair[i].seq[n] > seq ? b.sub.nvm.pair[i].seq[n] : seq;
		good += bench_auth(&b, &k, seq + 1, 3, &out) == SIM_AUTH_OK;
	}
	assert_int_equal(good, 1);
}

/* Power comes back, perhaps to fail again during the recovery; in the end the card is whole. */
static void recover(unsigned again)
{
	for (int i = 0; i < STARTS_MAX && b.sub.dead; i++) {
		if (again && bench_random(&b) % again == 0) {
			b.sub.cut_at = b.sub.writes + 1 + bench_random(&b) % 25;
			b.sub.cut = (enum sim_cut)(bench_random(&b) % 3);
		}
		bench_reset(&b);
	}
	b.sub.cut_at = 0;
	assert_false(b.sub.dead);
}

/* ---- a story that uses everything, cut at each of its writes ---- */

static struct oct story_set(uint64_t order, bool opc)
{
	const struct sim_sub_rec *r = sim_sub_rec(&b.sub);
	uint8_t new_opc[16] = { 0x77, 0x12, 0x99, 0x31, 0x08, 0xd1, 0x5a, 0xc3,
				0x6e, 0x90, 0x2b, 0xf4, 0x3d, 0xa8, 0x4c, 0xe7 };
	struct oct w = wrap(sim_sub_pair(&b.sub, r->index)->ota.kik, 16, new_opc, 16);
	struct set_spec s = { .order = order,
			      .from = r->index,
			      .to = (uint16_t)(r->index + 1),
			      .imsi = IMSI_B,
			      .files = "8405016f7800048407016f4601425f42",
			      .plmns = PLMN_B,
			      .opc = opc ? &w : NULL,
			      .alg = opc ? 0x0f01 : 0 };

	return set_of(&s);
}

static struct oct with_key(uint8_t ins, uint8_t tag, const uint8_t *key, unsigned keys)
{
	const struct sim_sub_rec *r = sim_sub_rec(&b.sub);
	struct oct d = { 0 }, w = wrap(sim_sub_pair(&b.sub, r->index)->ota.kik, 16, key, 16 * keys);
	uint8_t kcv[9];

	tlv_be(&d, 0x80, 70, 8);
	tlv_be(&d, 0x81, r->index, 2);
	tlv(&d, tag, w.b, w.len);
	for (unsigned i = 0; i < keys; i++)
		assert_int_equal(sim_kcv(key + 16 * i, 16, kcv + 3 * i), 0);
	tlv(&d, 0x96, kcv, 3 * keys);
	return apdu(ins, 0, &d);
}

static struct oct refill(uint16_t index, uint64_t seed)
{
	struct oct d = { 0 }, w;
	uint8_t pair[80], kcv[15];

	for (int i = 0; i < 80; i++)
		pair[i] = (uint8_t)((seed + 3) * (unsigned)(i + 11) * 0x9e3779b1u >> 13);
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

static struct oct erase(uint16_t first, uint16_t last)
{
	struct oct d = { 0 };
	uint8_t m[8];

	tlv_be(&d, 0x80, 900, 8);
	vault_mac(&b, "OTA3B-ERASE", first, last, 900, m);
	tlv(&d, 0x8a, m, 8);
	tlv_be(&d, 0x98, (uint64_t)first << 16 | last, 4);
	return apdu(0x48, 0, &d);
}

/* A packet under the pending OTA keys, when there are any. */
static void prove_ota_keys(void)
{
	const struct sim_sub_rec *r = sim_sub_rec(&b.sub);
	struct oct c = cmd_order(0x30, 0);
	struct sim_ota_keys k = r->pending.ota;

	if (r->pending.what & SIM_PENDING_OTA && r->pending.index == r->index)
		bench_send(&b, r->kvn == 1 ? 2 : 1, &k, sim_sub_pair(&b.sub, r->index)->cntr + 1, &c);
}

static void auth_network(bool pending)
{
	const struct sim_sub_rec *r = sim_sub_rec(&b.sub);
	struct sim_aka_keys k = network_of(r->index);
	struct sim_auth out;
	uint64_t seq = 0;

	if (pending && r->pending.what & SIM_PENDING_K)
		memcpy(k.k, r->pending.k, 16);
	for (int n = 0; n < SIM_SQN_INDS; n++)
		seq = sim_sub_pair(&b.sub, r->index)->seq[n] > seq ? sim_sub_pair(&b.sub, r->index)->seq[n] : seq;
	bench_auth(&b, &k, seq + 1, 5, &out);
}

#define STORY_STEPS 19
static void story_step(int n)
{
	static const uint8_t key[48] = { 0x31, 0x41, 0x59, 0x26, 0x53, 0x58, 0x97, 0x93, 0x23, 0x84, 0x62, 0x64,
					 0x33, 0x83, 0x27, 0x95, 0x02, 0x88, 0x41, 0x97, 0x16, 0x93, 0x99, 0x37,
					 0x51, 0x05, 0x82, 0x09, 0x74, 0x94, 0x45, 0x92, 0x30, 0x78, 0x16, 0x40,
					 0x62, 0x86, 0x20, 0x89, 0x98, 0x62, 0x80, 0x34, 0x82, 0x53, 0x42, 0x11 };
	struct oct set, c;

	switch (n) {
	case 0:
		set = story_set(1, false);
		c = cmd_set(0x32, &set);
		break;
	case 1:
		set = story_set(1, false);
		c = cmd_arm(1, &set);
		break;
	case 2:
	case 6:
	case 8:
		bench_reset(&b);
		return;
	case 3:
	case 9:
		auth_network(false);
		return;
	case 4:
		sim_card_powered(&b.card, 150000);
		bench_look(&b);
		return;
	case 5:
		c = cmd_order(0x3c, 1);
		break;
	case 7:
		set = story_set(2, true);
		c = cmd_set(0x38, &set);
		break;
	case 10:
		c = cmd_order(0x3a, 2);
		break;
	case 11:
		c = with_key(0x3e, 0x93, key, 1);
		break;
	case 12:
		auth_network(true);
		return;
	case 13:
		c = with_key(0x3e, 0x94, key, 3);
		break;
	case 14:
		prove_ota_keys();
		return;
	case 15:
		c = refill((uint16_t)(sim_sub_rec(&b.sub)->highest + 1), 5);
		bench_send_pair(&b, 0, 14, &c);
		return;
	case 16:
		c = erase(3, 4);
		break;
	case 17:
		set = story_set(3, false);
		c = cmd_set(0x32, &set);
		break;
	default:
		c = cmd_order(0x34, 3);
		break;
	}
	bench_do(&b, &c);
}

static void story_cut_at_every_write(void **state)
{
	static struct bench at_cut;
	unsigned cuts = 0, recoveries = 0;

	for (int kind = SIM_CUT_BEFORE; kind <= SIM_CUT_AFTER; kind++) {
		bool cut = true;

		for (uint64_t at = 1; cut; at++) {
			int n = 0;

			bench_init(&b, 7, 6);
			b.sub.cut = (enum sim_cut)kind;
			b.sub.cut_at = at;
			for (; n < STORY_STEPS && !b.sub.dead; n++)
				story_step(n);
			cut = b.sub.dead;
			if (!cut)
				break;
			cuts++;
			/* the recovery itself is cut at each of its writes */
			with_sub(&at_cut, &b);
			for (uint64_t j = 1; b.sub.dead; j++) {
				recoveries++;
				with_sub(&b, &at_cut);
				b.sub.cut_at = b.sub.writes + j;
				bench_reset(&b);
				if (b.sub.dead) {
					b.sub.cut_at = 0;
					bench_reset(&b);
					assert_false(b.sub.dead);
					exactly_one_usable();
					b.sub.dead = true;
				}
			}
			b.sub.cut_at = 0;
			exactly_one_usable();
			for (; n < STORY_STEPS; n++)
				story_step(n);
			exactly_one_usable();
		}
	}
	print_message("%u cuts, %u cut recoveries\n", cuts, recoveries);
	assert_true(cuts > 200);
}

/* ---- anything in any order ---- */

static uint64_t upto(uint64_t n)
{
	return bench_random(&b) % n;
}

static struct oct last_set;
static uint64_t last_order;

static struct oct random_set(void)
{
	const struct sim_sub_rec *r = sim_sub_rec(&b.sub);
	uint16_t from = upto(8) ? r->index : (uint16_t)(1 + upto(8)), to = (uint16_t)(from + (upto(3) ? 1 : upto(4)));
	uint8_t mac[8], opc[16];
	struct oct w;
	struct set_spec s = { .from = from, .to = to };

	/* one draw after the other: members of an initializer have no order, and a seed shall mean the same everywhere */
	s.order = 1 + upto(ORDERS);
	s.imsi = upto(2) ? IMSI_B : IMSI_C;
	s.files = upto(2) ? "8405016f780004" : NULL;
	s.plmns = upto(4) ? PLMN_B : NULL;
	s.trial_s = upto(2) ? 0 : 60 + (uint32_t)upto(4000);
	if (to > from + 1 && upto(4)) {
		vault_mac(&b, "OTA3B-JUMP", from, to, s.order, mac);
		s.mac = mac;
	}
	for (int i = 0; i < 16; i++)
		opc[i] = (uint8_t)bench_random(&b);
	w = wrap(sim_sub_pair(&b.sub, r->index)->ota.kik, 16, opc, 16);
	if (upto(3) == 0)
		s.opc = &w;
	if (upto(3) == 0)
		s.alg = upto(4) ? (upto(2) ? 0x0101 : 0x0f01) : 0x0201;
	last_order = s.order;
	last_set = set_of(&s);
	return last_set;
}

static void random_command(void)
{
	const struct sim_sub_rec *r = sim_sub_rec(&b.sub);
	uint64_t order = upto(3) ? last_order : 1 + upto(ORDERS);
	uint8_t key[48];
	struct oct c, set;

	for (int i = 0; i < 48; i++)
		key[i] = (uint8_t)bench_random(&b);
	switch (upto(14)) {
	case 0:
	case 1:
		set = upto(3) && last_set.len ? last_set : random_set();
		c = cmd_set(0x32, &set);
		break;
	case 2:
		set = upto(3) && last_set.len ? last_set : random_set();
		c = cmd_set(0x38, &set);
		break;
	case 3:
	case 4:
	case 5:
		c = cmd_arm(order, &last_set);
		break;
	case 6:
		c = cmd_order(0x34, order);
		break;
	case 7:
		c = cmd_order(0x3a, order);
		break;
	case 8:
		c = cmd_order(0x3c, order);
		break;
	case 9:
		c = upto(2) ? with_key(0x3e, 0x93, key, 1) : with_key(0x40, 0x85, key, 1);
		break;
	case 10:
		c = with_key(0x3e, 0x94, key, 3);
		break;
	case 11:
		order = upto(2);
		c = refill((uint16_t)(r->highest + order), upto(1000));
		bench_send_pair(&b, 0, 14, &c);
		return;
	case 12:
		order = 1 + upto(10);
		c = erase((uint16_t)order, (uint16_t)(10 + upto(10)));
		break;
	default:
		c = cmd_order(0x30, order);
		break;
	}
	switch (upto(8)) {
	case 0:
		bench_send_pair(&b, 0, upto(2) ? 14 : 15, &c);
		break;
	case 1: /* the previous pair, in whatever slot it might have */
		if (r->from && sim_sub_pair(&b.sub, r->from)) {
			bench_send_pair(&b, r->from, r->kvn == 1 ? 2 : 1, &c);
			break;
		}
		/* fallthrough */
	default:
		bench_do(&b, &c);
		break;
	}
}

static void random_step(void)
{
	if (upto(3) == 0) {
		b.sub.cut_at = b.sub.writes + 1 + upto(12);
		b.sub.cut = (enum sim_cut)upto(3);
	}
	switch (upto(12)) {
	case 0:
	case 1:
		bench_reset(&b);
		break;
	case 2:
		sim_card_powered(&b.card, (uint32_t)upto(upto(4) ? 200000 : 100000000));
		bench_look(&b);
		break;
	case 3:
		sim_card_refresh_refused(&b.card);
		break;
	case 4:
		auth_network(upto(2));
		break;
	case 5:
		if (upto(2))
			bench_loci(&b, PLMN_B, upto(3) == 0);
		else
			bench_loci(&b, "00f120", 0);
		break;
	case 6:
		prove_ota_keys();
		break;
	default:
		random_command();
		break;
	}
	recover(3);
	if (upto(6) == 0)
		exactly_one_usable();
}

static void anything_in_any_order(void **state)
{
	unsigned trials = 0, returns = 0, confirmed = 0, most = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		bench_init(&b, seed, 5);
		last_set.len = 0;
		for (int i = 0; i < STEPS; i++)
			random_step();
		exactly_one_usable();
		trials += b.judge.trials;
		returns += b.judge.returns;
		confirmed += state_of(&b) == SIM_SUB_CONFIRMED;
		for (unsigned i = 0; i < b.judge.moves; i++)
			most = b.judge.move[i].times > most ? b.judge.move[i].times : most;
	}
	print_message("%u trials, %u returns, %u confirmed at the end\n", trials, returns, confirmed);
	assert_int_equal(most, 1);
	assert_true(trials > SEEDS / 2 && returns > SEEDS / 8 && confirmed > SEEDS / 16);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(story_cut_at_every_write),
		cmocka_unit_test(anything_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
