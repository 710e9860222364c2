/* test_phone.c - cards with the subscription applet in phones of the air: activation, trial time, registration, return.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Orders go down through the air like any message; whatever follows the phones do by themselves.  Numbers in comments are
 * sections of contrib/doc/card-interface.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "air/air.h"
#include "sub_test.h"

#define CARDS	  8
#define T0	  1700000000000ll
#define MINUTE	  60000ll
#define DAY	  (24 * 60 * MINUTE)
#define STEPS_MAX 400000
#define PREFIX_A  "00102"
#define PREFIX_B  "00103"
#define PLMN_B	  "00f130"

struct fleet {
	struct sim_air *air;
	struct sim_card card[CARDS];
	struct sim_sub sub[CARDS];
	struct sim_air_cfg cfg;
	int64_t now_ms;
	uint64_t trace; /* hash of what came out and what the cards are, with the time */
	unsigned results[CARDS], absent[CARDS], pors[CARDS], shown[CARDS], alerts[CARDS];
};

static void note(struct fleet *f, uint64_t v)
{
	f->trace = (f->trace ^ v ^ (uint64_t)f->now_ms << 24) * 0x100000001b3u;
}

static void on_result(void *ctx, uint64_t token, enum sim_submit_result r)
{
	struct fleet *f = ctx;

	f->results[token]++;
	f->absent[token] += r == SIM_SUBMIT_ABSENT;
	note(f, token << 8 | r);
}

static bool on_up(void *ctx, const struct sim_up *up)
{
	struct fleet *f = ctx;

	f->pors[up->card]++;
	note(f, up->card + 1000u * up->ud_len);
	sim_air_up_answer(f->air, up->id, SIM_UP_OK, f->now_ms);
	return true;
}

static void on_alert(void *ctx, unsigned op, const struct sim_addr *from, uint8_t ms_status)
{
	struct fleet *f = ctx;
	int64_t card = sim_air_find(f->air, from);

	assert_true(card >= 0);
	f->alerts[card]++;
	note(f, 77u + (uint64_t)card);
}

static void on_shown(void *ctx, uint32_t card)
{
	struct fleet *f = ctx;

	f->shown[card]++;
	note(f, 99u + card);
}

static const struct sim_air_cb cb = { .result = on_result, .up = on_up, .alert = on_alert, .shown = on_shown };

static struct fleet *fleet_new(uint64_t seed, const struct sim_air_cfg *cfg)
{
	struct fleet *f = calloc(1, sizeof(*f));
	struct sim_card_profile p;

	assert_non_null(f);
	sim_card_profile_default(&p);
	p.alg = SIM_ALG_AES128;
	strcpy(p.imsi_prefix, PREFIX_A);
	for (uint32_t i = 0; i < CARDS; i++) {
		assert_int_equal(sim_card_init(&f->card[i], seed, i, &p), 0);
		assert_int_equal(sim_card_sub_attach(&f->card[i], &f->sub[i], seed, 4), 0);
	}
	f->cfg = *cfg;
	f->cfg.seed = seed;
	f->now_ms = T0;
	f->air = sim_air_new(&f->cfg, f->card, CARDS, T0);
	assert_non_null(f->air);
	return f;
}

static void fleet_free(struct fleet *f)
{
	sim_air_free(f->air);
	free(f);
}

static struct fleet *fleet_plain(void)
{
	struct sim_air_cfg cfg;

	sim_air_cfg_default(&cfg);
	return fleet_new(1, &cfg);
}

static enum sim_sub_state sub_state(const struct fleet *f, unsigned i)
{
	return (enum sim_sub_state)sim_sub_rec(&f->sub[i])->state;
}

/* Everything that happens by itself until then. */
static void run_until(struct fleet *f, int64_t until_ms)
{
	for (unsigned steps = 0; sim_air_next_due(f->air) <= until_ms; steps++) {
		int64_t due = sim_air_next_due(f->air);

		assert_true(steps < STEPS_MAX);
		if (due > f->now_ms)
			f->now_ms = due;
		sim_air_step(f->air, f->now_ms, &cb, f);
		for (unsigned i = 0; i < CARDS; i++)
			note(f, sub_state(f, i) + 16u * i);
	}
	f->now_ms = until_ms;
	sim_air_step(f->air, f->now_ms, &cb, f);
}

static void run_for(struct fleet *f, int64_t ms)
{
	run_until(f, f->now_ms + ms);
}

static void submit(struct fleet *f, unsigned i, const struct oct *ud)
{
	struct sim_sm sm = { .token = i, .src = { 1, 1, "491700000" }, .pid = 0x7f, .dcs = 0xf6, .udhi = true };

	sm.dst = (struct sim_addr){ .ton = 1, .npi = 1 };
	strcpy(sm.dst.digits, f->card[i].msisdn);
	sm.ud_len = (uint8_t)ud->len;
	memcpy(sm.ud, ud->b, ud->len);
	sim_air_submit(f->air, &sm, f->now_ms);
}

static void send(struct fleet *f, unsigned i, const struct oct *script)
{
	const struct sim_sub_rec *r = sim_sub_rec(&f->sub[i]);
	const struct sim_pair *p = sim_sub_pair(&f->sub[i], r->index);
	struct oct ud[BENCH_UDS_MAX];
	uint8_t parts = bench_uds(r->kvn, &p->ota, p->cntr + 1, script, ud);

	for (uint8_t k = 0; k < parts; k++)
		submit(f, i, &ud[k]);
	run_for(f, 300);
}

static const char *imsi_b(const struct fleet *f, unsigned i)
{
	static char imsi[SIM_IMSI_LEN];

	strcpy(imsi, f->card[i].imsi_first);
	memcpy(imsi, PREFIX_B, 5);
	return imsi;
}

/* STAGE and ARM, pair 1 to pair 2; `plmns` as in object 87, NULL: none. */
static void order(struct fleet *f, unsigned i, uint64_t id, const char *plmns, uint32_t trial_s)
{
	struct set_spec s = {
		.order = id, .from = 1, .to = 2, .imsi = imsi_b(f, i), .plmns = plmns, .trial_s = trial_s
	};
	struct oct set = set_of(&s), stage = cmd_set(0x32, &set), arm = cmd_arm(id, &set);

	send(f, i, &stage);
	assert_int_equal(sub_state(f, i), SIM_SUB_STAGED);
	send(f, i, &arm);
}

static uint8_t loci_status(const struct fleet *f, unsigned i)
{
	size_t len;

	return sim_card_file(&f->card[i], 0x6f7e, &len)[10];
}

/* ---- the good way ---- */

/* ARM, REFRESH, registration at B: EF_LOCI says so, and the card confirms by itself (6.5). */
static void confirmed_by_registration(void **state)
{
	struct fleet *f = fleet_plain();
	struct sim_air_stats st;
	size_t len;

	order(f, 0, 1, PLMN_B, 0);
	assert_true(sub_state(f, 0) == SIM_SUB_ARMED || sub_state(f, 0) == SIM_SUB_TRIAL);
	run_for(f, 1000);
	assert_int_equal(f->shown[0], 1);
	assert_string_equal(f->card[0].imsi_presented, imsi_b(f, 0));
	run_for(f, f->cfg.register_ms.hi);
	assert_int_equal(sub_state(f, 0), SIM_SUB_CONFIRMED);
	assert_int_equal(loci_status(f, 0), 0);
	assert_memory_equal(sim_card_file(&f->card[0], 0x6f7e, &len) + 4, "\x00\xf1\x30", 3);
	assert_true(sim_air_present(f->air, 0));
	sim_air_stats(f->air, &st);
	assert_int_equal(st.registered, 1);
	assert_int_equal(st.register_refused, 0);
	assert_int_equal(st.refreshes, 1);
	/* nothing is left to be done for any of them */
	run_for(f, f->cfg.poll_ms);
	assert_int_equal(sim_air_next_due(f->air), INT64_MAX);
	fleet_free(f);
}

/* Between the reset and the network's answer nobody reaches the phone; then an alert tells. */
static void unreachable_while_it_registers(void **state)
{
	struct fleet *f = fleet_plain();
	struct oct status = cmd_order(0x30, 1);
	unsigned alerts;

	order(f, 0, 1, PLMN_B, 0);
	while (!f->shown[0])
		run_until(f, sim_air_next_due(f->air));
	assert_false(sim_air_present(f->air, 0));
	alerts = f->alerts[0];
	send(f, 0, &status);
	assert_int_equal(f->absent[0], 1);
	run_for(f, f->cfg.register_ms.hi);
	assert_true(sim_air_present(f->air, 0));
	assert_int_equal(f->alerts[0], alerts + 1);
	send(f, 0, &status);
	assert_int_equal(f->absent[0], 1);
	assert_true(f->pors[0] >= 3);
	fleet_free(f);
}

/* Without object 87 the card waits for CONFIRM; the trial is a full one from the first AUTHENTICATE on (6.4). */
static void waits_for_confirm(void **state)
{
	struct fleet *f = fleet_plain();
	struct oct confirm = cmd_order(0x3a, 1);

	order(f, 0, 1, NULL, 0);
	run_for(f, 10000);
	assert_int_equal(sub_state(f, 0), SIM_SUB_TRIAL);
	assert_int_equal(loci_status(f, 0), 0);
	assert_int_equal(f->sub[0].nvm.trial.authenticated, 1);
	run_for(f, DAY - MINUTE);
	assert_int_equal(sub_state(f, 0), SIM_SUB_TRIAL);
	send(f, 0, &confirm);
	assert_int_equal(sub_state(f, 0), SIM_SUB_CONFIRMED);
	run_for(f, 2 * MINUTE);
	assert_int_equal(sim_air_next_due(f->air), INT64_MAX);
	fleet_free(f);
}

/* ---- the way back ---- */

/* B does not know the subscriber: the trial runs out by powered time, and the phone comes home by itself. */
static void rolled_back_when_nobody_serves(void **state)
{
	static const struct sim_net nobody = { .imsi_prefix = PREFIX_B, .how = SIM_NET_UNKNOWN };
	struct fleet *f = fleet_plain();
	struct oct status = cmd_order(0x30, 1);
	struct sim_air_stats st;
	int64_t start;

	assert_true(sim_air_net(f->air, &nobody));
	order(f, 0, 1, PLMN_B, 3600);
	start = f->now_ms;
	run_for(f, 10000);
	assert_int_equal(sub_state(f, 0), SIM_SUB_TRIAL);
	assert_int_equal(loci_status(f, 0), 2);
	assert_false(sim_air_present(f->air, 0));
	send(f, 0, &status);
	assert_int_equal(f->absent[0], 1);
	while (sub_state(f, 0) == SIM_SUB_TRIAL && f->now_ms < start + DAY)
		run_for(f, MINUTE);
	/* the hour, in slices of a minute paid in advance, found out at the next poll */
	assert_in_range(f->now_ms - start, 3600000, 3600000 + 2 * MINUTE + f->cfg.poll_ms);
	run_for(f, 10000);
	assert_int_equal(sub_state(f, 0), SIM_SUB_ROLLED_BACK);
	assert_int_equal(sim_sub_rec(&f->sub[0])->orders[0].end, SIM_END_TIMEOUT);
	assert_string_equal(f->card[0].imsi_presented, f->card[0].imsi_first);
	assert_true(sim_air_present(f->air, 0));
	assert_int_equal(loci_status(f, 0), 0);
	sim_air_stats(f->air, &st);
	assert_in_range(st.register_refused, 5, 8); /* every ten minutes */
	assert_int_equal(st.registered, 1);
	send(f, 0, &status);
	assert_int_equal(f->absent[0], 1);
	fleet_free(f);
}

/* Authenticated for ever and never let in (H2): the clock starts anew once. */
static void rolled_back_when_refused(void **state)
{
	static const struct sim_net refuses = { .imsi_prefix = PREFIX_B, .how = SIM_NET_REFUSES };
	struct fleet *f = fleet_plain();
	int64_t start;

	assert_true(sim_air_net(f->air, &refuses));
	order(f, 0, 1, PLMN_B, 3600);
	start = f->now_ms;
	run_for(f, 10000);
	assert_int_equal(f->sub[0].nvm.trial.authenticated, 1);
	while (sub_state(f, 0) == SIM_SUB_TRIAL && f->now_ms < start + DAY)
		run_for(f, MINUTE);
	assert_in_range(f->now_ms - start, 3600000, 3600000 + 3 * MINUTE);
	run_for(f, 10000);
	assert_int_equal(sub_state(f, 0), SIM_SUB_ROLLED_BACK);
	fleet_free(f);
}

/* B is late: the phone tries again, and the card confirms before its time is over. */
static void served_at_last(void **state)
{
	struct sim_net b = { .imsi_prefix = PREFIX_B, .how = SIM_NET_UNKNOWN };
	struct fleet *f = fleet_plain();

	assert_true(sim_air_net(f->air, &b));
	order(f, 0, 1, PLMN_B, 0);
	run_for(f, 35 * MINUTE);
	assert_int_equal(sub_state(f, 0), SIM_SUB_TRIAL);
	b.how = SIM_NET_SERVES;
	assert_true(sim_air_net(f->air, &b));
	run_for(f, f->cfg.register_again_ms);
	assert_int_equal(sub_state(f, 0), SIM_SUB_CONFIRMED);
	fleet_free(f);
}

/* Let in abroad, in a network that the order does not name: not by itself. */
static void a_network_not_listed(void **state)
{
	static const struct sim_net abroad = { .imsi_prefix = PREFIX_B, .how = SIM_NET_SERVES, .plmn = "310410" };
	struct fleet *f = fleet_plain();
	size_t len;

	assert_true(sim_air_net(f->air, &abroad));
	order(f, 0, 1, PLMN_B, 0);
	run_for(f, 10000);
	assert_int_equal(sub_state(f, 0), SIM_SUB_TRIAL);
	assert_int_equal(loci_status(f, 0), 0);
	assert_memory_equal(sim_card_file(&f->card[0], 0x6f7e, &len) + 4, "\x13\x00\x14", 3);
	assert_true(sim_air_present(f->air, 0));
	fleet_free(f);
}

/* ---- REFRESH, power, coverage ---- */

/* H4 with a phone around it: three times no, a minute of powered time between, then yes. */
static void refresh_refused(void **state)
{
	struct sim_air_cfg cfg;
	struct sim_air_stats st;
	struct fleet *f;

	sim_air_cfg_default(&cfg);
	cfg.refresh_refused_ppm = SIM_PPM;
	f = fleet_new(3, &cfg);
	order(f, 0, 1, PLMN_B, 0);
	run_for(f, 4 * MINUTE);
	sim_air_stats(f->air, &st);
	assert_int_equal(sub_state(f, 0), SIM_SUB_ARMED);
	assert_in_range(st.refresh_refused, 3, 4);
	assert_int_equal(st.refreshes, 0);
	assert_int_equal(f->shown[0], 0);
	assert_true(sim_air_present(f->air, 0)); /* pair 1 lives on */
	sim_air_calm(f->air);
	run_for(f, 2 * MINUTE);
	assert_int_equal(sub_state(f, 0), SIM_SUB_CONFIRMED);
	assert_int_equal(f->shown[0], 1);
	fleet_free(f);
}

/* A power cycle is a reset, too: it activates, and what comes before it is not charged to what comes after. */
static void switched_off_and_on(void **state)
{
	struct sim_air_cfg cfg;
	struct fleet *f;

	sim_air_cfg_default(&cfg);
	cfg.refresh_refused_ppm = SIM_PPM;
	f = fleet_new(3, &cfg);
	order(f, 0, 1, NULL, 3600);
	run_for(f, 20000);
	assert_int_equal(sub_state(f, 0), SIM_SUB_ARMED);
	sim_air_power_cycle(f->air, 0);
	assert_int_equal(sub_state(f, 0), SIM_SUB_TRIAL);
	assert_false(sim_air_present(f->air, 0));
	run_for(f, 10000);
	assert_true(sim_air_present(f->air, 0));
	assert_in_range(f->sub[0].nvm.trial.left_s, 3600 - 2 * 60, 3600 - 60);
	/* each start costs a slice at most */
	for (int i = 0; i < 10; i++) {
		sim_air_power_cycle(f->air, 0);
		run_for(f, 7000);
	}
	assert_in_range(f->sub[0].nvm.trial.left_s, 3600 - 14 * 60, 3600 - 11 * 60);
	assert_int_equal(sub_state(f, 0), SIM_SUB_TRIAL);
	fleet_free(f);
}

/* Without coverage nobody registers, and powered time goes by all the same; coming back is the next try. */
static void out_of_coverage(void **state)
{
	struct fleet *f = fleet_plain();

	order(f, 0, 1, PLMN_B, 0);
	while (!f->shown[0])
		run_until(f, sim_air_next_due(f->air));
	sim_air_cover(f->air, 0, SIM_COVERAGE_ABSENT, f->now_ms);
	run_for(f, 30 * MINUTE);
	assert_int_equal(sub_state(f, 0), SIM_SUB_TRIAL);
	assert_in_range(f->sub[0].nvm.trial.left_s, 86400 - 32 * 60, 86400 - 29 * 60);
	sim_air_cover(f->air, 0, SIM_COVERAGE_PRESENT, f->now_ms);
	assert_false(sim_air_present(f->air, 0));
	run_for(f, f->cfg.register_ms.hi);
	assert_true(sim_air_present(f->air, 0));
	assert_int_equal(sub_state(f, 0), SIM_SUB_CONFIRMED);
	fleet_free(f);
}

/* A key change is proven by the first registration with the new key (8.1). */
static void pending_key_is_promoted(void **state)
{
	static const uint8_t k_new[16] = "another K for it";
	struct fleet *f = fleet_plain();
	struct sim_sub_rec *r = &f->sub[0].nvm.rec[f->sub[0].nvm.current & 1];

	r->pending.what = SIM_PENDING_K;
	r->pending.index = 1;
	memcpy(r->pending.k, k_new, 16);
	sim_air_power_cycle(f->air, 0);
	run_for(f, 10000);
	assert_true(sim_air_present(f->air, 0));
	assert_memory_equal(sim_sub_pair(&f->sub[0], 1)->k, k_new, 16);
	assert_int_equal(sim_sub_rec(&f->sub[0])->pending.what, 0);
	fleet_free(f);
}

static void networks_laid_down(void **state)
{
	struct sim_net nets[SIM_NETS_MAX] = { 0 }, n = { .how = SIM_NET_UNKNOWN };

	for (unsigned i = 0; i < SIM_NETS_MAX; i++) {
		snprintf(n.imsi_prefix, sizeof(n.imsi_prefix), "0010%u", i);
		assert_true(sim_net_lay(nets, &n));
	}
	n.how = SIM_NET_SERVES;
	assert_true(sim_net_lay(nets, &n)); /* the last one again */
	assert_int_equal(nets[SIM_NETS_MAX - 1].how, SIM_NET_SERVES);
	strcpy(n.imsi_prefix, "9");
	assert_false(sim_net_lay(nets, &n));
}

/* ---- the fleet in bad weather ---- */

static uint64_t fleet_in_weather(uint64_t seed, unsigned *confirmed, unsigned *back)
{
	struct sim_air_cfg cfg;
	struct fleet *f;
	uint64_t trace;

	sim_air_cfg_default(&cfg);
	cfg.refresh_refused_ppm = SIM_PPM / 3;
	cfg.gap_ppm = SIM_PPM / 2;
	cfg.gap_after_ms = (struct sim_range){ 1000, 5 * MINUTE };
	cfg.gap_ms = (struct sim_range){ 1000, 10 * MINUTE };
	f = fleet_new(seed, &cfg);
	for (unsigned i = 0; i < CARDS; i += 2) { /* every other one has nobody at B */
		struct sim_net n = { .how = SIM_NET_UNKNOWN };

		strcpy(n.imsi_prefix, imsi_b(f, i));
		assert_true(sim_air_net(f->air, &n));
	}
	for (unsigned i = 0; i < CARDS; i++)
		sim_air_cover(f->air, i, SIM_COVERAGE_PRESENT, f->now_ms);
	for (unsigned i = 0; i < CARDS; i++)
		order(f, i, i + 1, PLMN_B, 3600);
	for (unsigned i = 0; i < CARDS; i++)
		sim_air_cover(f->air, i, SIM_COVERAGE_WEATHER, f->now_ms);
	run_for(f, 3 * 60 * MINUTE);
	*confirmed = *back = 0;
	for (unsigned i = 0; i < CARDS; i++) {
		*confirmed += sub_state(f, i) == SIM_SUB_CONFIRMED;
		*back += sub_state(f, i) == SIM_SUB_ROLLED_BACK;
		assert_string_equal(f->card[i].imsi_presented, i % 2 ? imsi_b(f, i) : f->card[i].imsi_first);
		note(f, f->sub[i].writes);
	}
	trace = f->trace;
	fleet_free(f);
	return trace;
}

static void the_same_from_the_same_seed(void **state)
{
	unsigned confirmed, back;
	uint64_t trace[3];

	for (unsigned run = 0; run < 3; run++) {
		trace[run] = fleet_in_weather(run == 2 ? 12 : 11, &confirmed, &back);
		assert_int_equal(confirmed, CARDS / 2);
		assert_int_equal(back, CARDS / 2);
	}
	assert_true(trace[0] == trace[1]);
	assert_true(trace[0] != trace[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(confirmed_by_registration),   cmocka_unit_test(unreachable_while_it_registers),
		cmocka_unit_test(waits_for_confirm),	       cmocka_unit_test(rolled_back_when_nobody_serves),
		cmocka_unit_test(rolled_back_when_refused),    cmocka_unit_test(served_at_last),
		cmocka_unit_test(a_network_not_listed),	       cmocka_unit_test(refresh_refused),
		cmocka_unit_test(switched_off_and_on),	       cmocka_unit_test(out_of_coverage),
		cmocka_unit_test(pending_key_is_promoted),     cmocka_unit_test(networks_laid_down),
		cmocka_unit_test(the_same_from_the_same_seed),
	};

	return cmocka_run_group_tests_name("phones with the subscription applet", tests, NULL, NULL);
}
