/* test_air.c - store, coverage and weather in virtual time.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "air/air.h"
#include "sim_test.h"

#define CARDS	  40
#define T0	  1700000000000ll
#define STEPS_MAX 200000
#define IMSI_SCRIPT                                  \
	"00a4000c026f0700d6000009080910300000000010" \
	"00b0000009"
#define READ_IMSI "00a4000c026f0700b0000009"

/* A patient sender: one command per card, the same octets until a PoR says 00 or 02, retried when told so or after a
 * while.  What happens is written into a trace, so that two runs can be compared. */
struct world {
	struct sim_air *air;
	struct sim_card card[CARDS];
	struct sim_air_cfg cfg;
	int64_t now_ms;
	uint64_t trace; /* hash of everything that came out, with its time */
	struct {
		struct sim_sm sm;
		int64_t retry_ms;
		bool done, waiting;
		unsigned tries, results, pors, receipts, alerts, last_result;
		char stat[8];
		uint8_t fcs;
		uint8_t ud[SIM_UD_MAX];
		uint8_t ud_len;
		char from[SIM_DIGITS_MAX];
	} c[CARDS];
	bool take_up;	  /* somebody is bound */
	bool answer_temp; /* the next up is answered with a temporary error */
	unsigned ups, taken;
	uint64_t last_up;
};

static void note(struct world *w, uint64_t a, uint64_t b)
{
	w->trace = (w->trace ^ a) * 0x100000001b3u;
	w->trace = (w->trace ^ b ^ (uint64_t)w->now_ms << 20) * 0x100000001b3u;
}

static void on_result(void *ctx, uint64_t token, enum sim_submit_result r)
{
	struct world *w = ctx;
	unsigned i = (unsigned)(token & 0xffff);

	note(w, token, r);
	w->c[i].results++;
	w->c[i].last_result = r;
	w->c[i].retry_ms = w->now_ms + (r == SIM_SUBMIT_OK ? 3000 : 500);
}

static bool on_up(void *ctx, const struct sim_up *up)
{
	struct world *w = ctx;
	bool por = up->kind == SIM_UP_MO;

	w->ups++;
	if (!w->take_up)
		return false;
	w->taken++;
	w->last_up = up->id;
	note(w, up->card, up->ud_len);
	if (w->answer_temp) {
		w->answer_temp = false;
		sim_air_up_answer(w->air, up->id, SIM_UP_TEMP, w->now_ms);
		return true;
	}
	if (por) {
		struct cmd_spec k = spec_of(&w->card[up->card], 1);
		struct por p = por_open_ud(&w->card[up->card], &k, up->ud, up->ud_len);

		w->c[up->card].pors++;
		if (p.valid && p.secured && (p.status == 0 || p.status == 2))
			w->c[up->card].done = true;
	} else {
		w->c[up->card].receipts++;
		memcpy(w->c[up->card].stat, up->stat, sizeof(up->stat));
		w->c[up->card].fcs = up->fcs;
	}
	memcpy(w->c[up->card].ud, up->ud, up->ud_len);
	w->c[up->card].ud_len = up->ud_len;
	memcpy(w->c[up->card].from, up->from.digits, sizeof(up->from.digits));
	sim_air_up_answer(w->air, up->id, SIM_UP_OK, w->now_ms);
	return true;
}

static void on_alert(void *ctx, unsigned op, const struct sim_addr *from, uint8_t ms_status)
{
	struct world *w = ctx;
	int64_t card = sim_air_find(w->air, from);

	assert_true(card >= 0);
	assert_int_equal(ms_status, 0);
	note(w, 0xa1e7, (uint64_t)card);
	w->c[card].alerts++;
	if (w->c[card].last_result == SIM_SUBMIT_ABSENT)
		w->c[card].retry_ms = w->now_ms;
}

static const struct sim_air_cb cb = { .result = on_result, .up = on_up, .alert = on_alert };

static struct world *world_new(const struct sim_air_cfg *cfg)
{
	struct world *w = calloc(1, sizeof(*w));
	struct sim_card_profile p;

	assert_non_null(w);
	sim_card_profile_default(&p);
	w->cfg = *cfg;
	w->now_ms = T0;
	w->take_up = true;
	for (uint32_t i = 0; i < CARDS; i++)
		assert_int_equal(sim_card_init(&w->card[i], cfg->seed, i, &p), 0);
	w->air = sim_air_new(cfg, w->card, CARDS, T0);
	assert_non_null(w->air);
	return w;
}

static void world_free(struct world *w)
{
	sim_air_free(w->air);
	free(w);
}

static struct sim_sm message(struct world *w, uint32_t card, const char *script)
{
	struct cmd_spec k = spec_of(&w->card[card], 1);
	struct oct data = oct_hex(script), pkt = packet_build(&w->card[card], &k, &data), ud = ud_single(&pkt);
	struct sim_sm sm = { .token = card, .pid = 0x7f, .dcs = 0xf6, .udhi = true, .ud_len = (uint8_t)ud.len };

	sm.dst = (struct sim_addr){ .ton = 1, .npi = 1 };
	strcpy(sm.dst.digits, w->card[card].msisdn);
	sm.src = (struct sim_addr){ .ton = 2, .npi = 1, .digits = "12345" };
	memcpy(sm.ud, ud.b, ud.len);
	return sm;
}

static void run_until(struct world *w, int64_t until_ms)
{
	for (int i = 0; i < STEPS_MAX; i++) {
		int64_t due = sim_air_next_due(w->air);

		if (due > until_ms)
			break;
		if (due > w->now_ms)
			w->now_ms = due;
		sim_air_step(w->air, w->now_ms, &cb, w);
	}
	w->now_ms = until_ms;
}

/* Everybody gets the script; gives true when all have confirmed it in time. */
static bool campaign(struct world *w, const char *script, int64_t limit_ms)
{
	unsigned done = 0;

	for (uint32_t i = 0; i < CARDS; i++)
		w->c[i].sm = message(w, i, script);
	for (int step = 0; step < STEPS_MAX && w->now_ms < T0 + limit_ms; step++) {
		int64_t due = sim_air_next_due(w->air);

		done = 0;
		for (uint32_t i = 0; i < CARDS; i++) {
			done += w->c[i].done;
			if (!w->c[i].done && w->c[i].retry_ms <= w->now_ms) {
				w->c[i].tries++;
				w->c[i].retry_ms = w->now_ms + 5000;
				sim_air_submit(w->air, &w->c[i].sm, w->now_ms);
			}
			if (!w->c[i].done && w->c[i].retry_ms < due)
				due = w->c[i].retry_ms;
		}
		if (done == CARDS)
			break;
		if (sim_air_next_due(w->air) < due)
			due = sim_air_next_due(w->air);
		if (due > w->now_ms)
			w->now_ms = due;
		sim_air_step(w->air, w->now_ms, &cb, w);
	}
	return done == CARDS;
}

static struct sim_air_cfg bad_weather(uint64_t seed)
{
	struct sim_air_cfg cfg;

	sim_air_cfg_default(&cfg);
	cfg.seed = seed;
	cfg.absent_ppm = 330000;
	cfg.gap_ppm = 300000;
	cfg.loss_ppm = 100000;
	cfg.dup_ppm = 100000;
	cfg.reorder_ppm = 100000;
	cfg.corrupt_ppm = 20000;
	cfg.throttle_ppm = 100000;
	cfg.no_result_ppm = 50000;
	cfg.alert_loss_ppm = 200000;
	return cfg;
}

/* ---- determinism and bounds ---- */

static void test_same_seed_same_trace(void **state)
{
	uint64_t first = 0;

	for (int mode = SIM_AIR_TRANSACTION; mode <= SIM_AIR_STORE; mode++) {
		for (int run = 0; run < 3; run++) {
			struct sim_air_cfg cfg = bad_weather(run == 2 ? 78 : 77);
			struct world *w;

			cfg.mode = (enum sim_air_mode)mode;
			w = world_new(&cfg);
			assert_true(campaign(w, IMSI_SCRIPT, 600000));
			if (run == 0)
				first = w->trace;
			else
				assert_true((w->trace == first) == (run == 1));
			world_free(w);
		}
	}
}

static void test_all_finish_and_nobody_runs_twice(void **state)
{
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct sim_air_cfg cfg = bad_weather(seed);
		struct sim_air_stats st;
		struct world *w;

		cfg.mode = seed % 2 ? SIM_AIR_TRANSACTION : SIM_AIR_STORE;
		cfg.loss_per_card_max = 3;
		w = world_new(&cfg);
		if (!campaign(w, IMSI_SCRIPT, 600000))
			fail_msg("seed %llu does not finish", (unsigned long long)seed);
		sim_air_stats(w->air, &st);
		assert_true(st.loss_high <= 3);
		for (int i = 0; i < CARDS; i++) {
			struct sim_card_truth t;

			sim_card_truth(&w->card[i], &t);
			assert_string_equal(t.imsi_stored, "001030000000001");
			assert_int_equal(t.executions_max, 1);
			assert_int_equal(t.same_cntr_other_packet, 0);
		}
		world_free(w);
	}
}

/* What becomes of a card's messages does not depend on whether others get any. */
static void test_cards_do_not_disturb_each_other(void **state)
{
	struct sim_air_cfg cfg = bad_weather(5);
	struct world *alone = world_new(&cfg), *crowd = world_new(&cfg);

	for (int n = 0; n < 10; n++) {
		int64_t at = T0 + 20000 + n * 4000;
		struct sim_sm sm;

		run_until(alone, at);
		run_until(crowd, at);
		for (uint32_t i = 0; i < CARDS; i++) {
			sm = message(crowd, i, READ_IMSI);
			sm.token |= (uint64_t)n << 32;
			sim_air_submit(crowd->air, &sm, at);
			if (i == 7)
				sim_air_submit(alone->air, &sm, at);
		}
	}
	run_until(alone, T0 + 200000);
	run_until(crowd, T0 + 200000);
	assert_int_equal(alone->c[7].results, crowd->c[7].results);
	assert_int_equal(alone->c[7].pors, crowd->c[7].pors);
	assert_int_equal(alone->card[7].messages, crowd->card[7].messages);
	assert_true(crowd->card[8].messages > 0);
	assert_int_equal(alone->card[8].messages, 0);
	world_free(alone);
	world_free(crowd);
}

static void test_shares_are_met(void **state)
{
	struct sim_air_cfg cfg;
	struct sim_air_stats st;
	struct world *w;
	unsigned absent = 0;

	sim_air_cfg_default(&cfg);
	cfg.seed = 3;
	cfg.absent_ppm = 330000;
	w = world_new(&cfg);
	for (uint32_t i = 0; i < CARDS; i++)
		absent += !sim_air_present(w->air, i);
	assert_in_range(absent, 5, 22);
	run_until(w, T0 + 10001); /* absent_ms ends at 10 s */
	for (uint32_t i = 0; i < CARDS; i++)
		assert_true(sim_air_present(w->air, i));
	sim_air_stats(w->air, &st);
	assert_int_equal(st.alerts, absent);
	world_free(w);
}

/* ---- one message at a time ---- */

static struct world *clear_sky(enum sim_air_mode mode)
{
	struct sim_air_cfg cfg;

	sim_air_cfg_default(&cfg);
	cfg.seed = 1;
	cfg.mode = mode;
	return world_new(&cfg);
}

static void test_transaction_mode(void **state)
{
	struct world *w = clear_sky(SIM_AIR_TRANSACTION);
	struct sim_sm sm = message(w, 0, READ_IMSI);

	sim_air_submit(w->air, &sm, w->now_ms);
	assert_int_equal(w->c[0].results, 0);
	run_until(w, T0 + 4);
	assert_int_equal(w->c[0].results, 0); /* not before the card has it */
	run_until(w, T0 + 200);
	assert_int_equal(w->c[0].last_result, SIM_SUBMIT_OK);
	assert_int_equal(w->c[0].results, 1);
	assert_int_equal(w->c[0].pors, 1);
	assert_true(w->c[0].done);
	assert_string_equal(w->c[0].from, w->card[0].msisdn);
	assert_int_equal(sim_air_in_flight(w->air), 0);
	world_free(w);
}

static void test_unknown_subscriber(void **state)
{
	struct world *w = clear_sky(SIM_AIR_TRANSACTION);
	struct sim_sm sm = message(w, 0, READ_IMSI);

	strcpy(sm.dst.digits, "99999999");
	sim_air_submit(w->air, &sm, w->now_ms);
	run_until(w, T0 + 10);
	assert_int_equal(w->c[0].last_result, SIM_SUBMIT_ABSENT);
	world_free(w);
	w = clear_sky(SIM_AIR_STORE);
	sim_air_submit(w->air, &sm, w->now_ms);
	run_until(w, T0 + 10);
	assert_int_equal(w->c[0].last_result, SIM_SUBMIT_BAD_ADDRESS);
	world_free(w);
}

static void test_absent_then_alert(void **state)
{
	struct sim_air_cfg cfg;
	struct world *w;
	struct sim_sm sm;

	sim_air_cfg_default(&cfg);
	cfg.absent_ppm = SIM_PPM;
	cfg.absent_ms = (struct sim_range){ 5000, 5000 };
	cfg.alert = SIM_ALERT_PENDING;
	cfg.gap_ppm = SIM_PPM;
	cfg.gap_after_ms = cfg.gap_ms = (struct sim_range){ 2000, 2000 };
	w = world_new(&cfg);
	sm = message(w, 0, READ_IMSI);
	sim_air_submit(w->air, &sm, w->now_ms);
	run_until(w, T0 + 10);
	assert_int_equal(w->c[0].last_result, SIM_SUBMIT_ABSENT);
	run_until(w, T0 + 6000);
	assert_int_equal(w->c[0].alerts, 1); /* somebody asked for it */
	assert_int_equal(w->c[1].alerts, 0);
	run_until(w, T0 + 20000);
	assert_int_equal(w->c[0].alerts, 1); /* gone and back again, but nobody had asked */
	world_free(w);
}

static void test_store_and_forward(void **state)
{
	struct sim_air_cfg cfg;
	struct world *w;
	struct sim_sm sm;

	sim_air_cfg_default(&cfg);
	cfg.mode = SIM_AIR_STORE;
	cfg.absent_ppm = SIM_PPM;
	cfg.absent_ms = (struct sim_range){ 5000, 5000 };
	w = world_new(&cfg);
	sm = message(w, 0, READ_IMSI);
	sm.want_receipt = true;
	sim_air_submit(w->air, &sm, w->now_ms);
	sm = message(w, 1, READ_IMSI); /* not valid that long */
	sm.want_receipt = true;
	sm.validity_ms = 2000;
	sim_air_submit(w->air, &sm, w->now_ms);
	run_until(w, T0 + 10);
	assert_int_equal(w->c[0].last_result, SIM_SUBMIT_OK);
	assert_int_equal(w->c[0].pors, 0);
	run_until(w, T0 + 3000);
	assert_int_equal(w->c[1].receipts, 1);
	assert_string_equal(w->c[1].stat, "EXPIRED");
	run_until(w, T0 + 6000);
	assert_int_equal(w->c[0].pors, 1);
	assert_int_equal(w->c[0].receipts, 1);
	assert_string_equal(w->c[0].stat, "DELIVRD");
	assert_int_equal(w->card[1].messages, 0);
	assert_int_equal(sim_air_in_flight(w->air), 0);
	world_free(w);
}

/* Several stored ones come out in their order, and expire one by one. */
static void test_stored_messages_keep_their_order(void **state)
{
	struct sim_air_cfg cfg;
	struct world *w;

	sim_air_cfg_default(&cfg);
	cfg.mode = SIM_AIR_STORE;
	cfg.absent_ppm = SIM_PPM;
	cfg.absent_ms = (struct sim_range){ 5000, 5000 };
	w = world_new(&cfg);
	for (int n = 0; n < 6; n++) {
		struct cmd_spec k = spec_of(&w->card[0], 10 + (uint64_t)n);
		struct oct data = oct_hex(READ_IMSI), pkt = packet_build(&w->card[0], &k, &data), ud = ud_single(&pkt);
		struct sim_sm sm = message(w, 0, READ_IMSI);

		memcpy(sm.ud, ud.b, ud.len);
		sm.validity_ms = n == 0 || n == 3 || n == 5 ? 1000 : 60000;
		sim_air_submit(w->air, &sm, w->now_ms);
	}
	run_until(w, T0 + 8000);
	assert_int_equal(w->card[0].truth.accepted, 3); /* 11, 12, 14 in order: none too low */
	assert_int_equal(w->card[0].truth.replays_refused, 0);
	assert_int_equal(w->card[0].ks[0].cntr, 14);
	assert_int_equal(sim_air_in_flight(w->air), 0);
	world_free(w);
}

/* Latency alone never lets one message overtake another. */
static void test_messages_keep_their_order(void **state)
{
	struct world *w = clear_sky(SIM_AIR_TRANSACTION);

	for (int n = 0; n < 100; n++) {
		struct cmd_spec k = spec_of(&w->card[0], 10 + (uint64_t)n);
		struct oct data = oct_hex(READ_IMSI), pkt = packet_build(&w->card[0], &k, &data), ud = ud_single(&pkt);
		struct sim_sm sm = message(w, 0, READ_IMSI);

		memcpy(sm.ud, ud.b, ud.len);
		sim_air_submit(w->air, &sm, w->now_ms);
		run_until(w, w->now_ms + 1);
	}
	run_until(w, T0 + 2000);
	assert_int_equal(w->card[0].truth.accepted, 100);
	assert_int_equal(w->card[0].truth.replays_refused, 0);
	world_free(w);
}

/* Validity that ends while the message is on its way from the store: it is delivered. */
static void test_expiry_on_the_way(void **state)
{
	struct sim_air_cfg cfg;
	struct world *w;
	struct sim_sm sm;

	sim_air_cfg_default(&cfg);
	cfg.mode = SIM_AIR_STORE;
	cfg.absent_ppm = SIM_PPM;
	cfg.absent_ms = (struct sim_range){ 5000, 5000 };
	cfg.latency_ms = (struct sim_range){ 10, 10 };
	w = world_new(&cfg);
	sm = message(w, 0, READ_IMSI);
	sm.validity_ms = 5003;
	sm.want_receipt = true;
	sim_air_submit(w->air, &sm, w->now_ms);
	run_until(w, T0 + 6000);
	assert_int_equal(w->card[0].truth.accepted, 1);
	assert_int_equal(w->c[0].receipts, 1);
	assert_string_equal(w->c[0].stat, "DELIVRD");
	assert_int_equal(sim_air_in_flight(w->air), 0);
	world_free(w);
}

static void test_report_in_the_receipt(void **state)
{
	struct sim_air_cfg cfg;
	struct world *w;
	struct cmd_spec k;
	struct oct data = oct_hex(READ_IMSI), pkt, ud;
	struct sim_sm sm;
	struct por p;

	sim_air_cfg_default(&cfg);
	cfg.mode = SIM_AIR_STORE;
	cfg.report_payload = true;
	w = world_new(&cfg);
	sm = message(w, 0, READ_IMSI);
	k = spec_of(&w->card[0], 1);
	k.spi2 = 0x19;
	pkt = packet_build(&w->card[0], &k, &data);
	ud = ud_single(&pkt);
	memcpy(sm.ud, ud.b, ud.len);
	sm.want_receipt = true;
	sim_air_submit(w->air, &sm, w->now_ms);
	run_until(w, T0 + 200);
	assert_int_equal(w->c[0].receipts, 1);
	p = por_open_ud(&w->card[0], &k, w->c[0].ud, w->c[0].ud_len);
	assert_true(p.valid && p.secured);
	assert_int_equal(p.status, 0);
	world_free(w);
}

static void test_other_messages_do_not_reach_the_card(void **state)
{
	struct world *w = clear_sky(SIM_AIR_TRANSACTION);
	struct sim_sm sm = message(w, 0, READ_IMSI);

	sm.pid = 0;
	sim_air_submit(w->air, &sm, w->now_ms);
	sm = message(w, 1, READ_IMSI);
	sm.dcs = 0x04; /* 8-bit, but no class 2 */
	sim_air_submit(w->air, &sm, w->now_ms);
	sm = message(w, 2, READ_IMSI);
	sm.udhi = false;
	sim_air_submit(w->air, &sm, w->now_ms);
	run_until(w, T0 + 500);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(w->c[i].last_result, SIM_SUBMIT_OK); /* the phone has stored it */
		assert_int_equal(w->card[i].messages, 0);
	}
	world_free(w);
}

static void test_imsi_addressing(void **state)
{
	struct world *w = clear_sky(SIM_AIR_TRANSACTION);
	struct sim_sm sm = message(w, 0, IMSI_SCRIPT);
	struct sim_addr old = { .npi = 6, .digits = "001020000000001" },
			new = { .npi = 6, .digits = "001030000000001" };

	sm.dst = old;
	assert_int_equal(sim_air_find(w->air, &old), 0);
	assert_int_equal(sim_air_find(w->air, &new), -1);
	sim_air_submit(w->air, &sm, w->now_ms);
	run_until(w, T0 + 2000);
	assert_true(w->c[0].done);
	assert_int_equal(w->c[0].alerts, 1); /* it attached again after REFRESH */
	assert_int_equal(sim_air_find(w->air, &old), -1);
	assert_int_equal(sim_air_find(w->air, &new), 0);
	sim_air_submit(w->air, &sm, w->now_ms); /* nobody presents the old one any more */
	run_until(w, T0 + 2100);
	assert_int_equal(w->c[0].last_result, SIM_SUBMIT_ABSENT);
	sm.dst = new;
	sim_air_submit(w->air, &sm, w->now_ms);
	run_until(w, T0 + 2300);
	assert_int_equal(w->c[0].last_result, SIM_SUBMIT_OK);
	assert_int_equal(w->card[0].truth.replays_refused, 1);
	world_free(w);
}

static void test_power_cycle_shows_the_new_imsi(void **state)
{
	struct sim_addr new = { .npi = 6, .digits = "001030000000001" };
	struct world *w = clear_sky(SIM_AIR_TRANSACTION);
	struct sim_sm sm;

	w->card[0].profile.no_refresh = true;
	sm = message(w, 0, IMSI_SCRIPT);
	sim_air_submit(w->air, &sm, w->now_ms);
	run_until(w, T0 + 5000);
	assert_int_equal(sim_air_find(w->air, &new), -1);
	sim_air_power_cycle(w->air, 0);
	assert_int_equal(sim_air_find(w->air, &new), 0);
	world_free(w);
}

static void test_nobody_bound(void **state)
{
	struct world *w = clear_sky(SIM_AIR_TRANSACTION);
	struct sim_sm sm = message(w, 0, READ_IMSI);

	w->take_up = false;
	sim_air_submit(w->air, &sm, w->now_ms);
	run_until(w, T0 + 5000);
	assert_true(w->ups >= 8); /* offered every 500 ms */
	assert_int_equal(sim_air_in_flight(w->air), 1);
	w->take_up = true;
	w->answer_temp = true;
	run_until(w, T0 + 10000);
	assert_int_equal(w->taken, 2); /* once refused for the moment, then taken */
	assert_int_equal(w->c[0].pors, 1);
	assert_int_equal(sim_air_in_flight(w->air), 0);
	sim_air_up_answer(w->air, w->last_up, SIM_UP_TEMP, w->now_ms); /* too late: ignored */
	sim_air_up_answer(w->air, ~0ull, SIM_UP_TEMP, w->now_ms);
	run_until(w, T0 + 20000);
	assert_int_equal(w->taken, 2);
	world_free(w);
}

static bool swallow(void *ctx, const struct sim_up *up)
{
	(*(unsigned *)ctx)++;
	return true;
}

static void ignore_result(void *ctx, uint64_t token, enum sim_submit_result r)
{
}

static void ignore_alert(void *ctx, unsigned op, const struct sim_addr *from, uint8_t ms_status)
{
}

/* The gateway dies with a message it had not answered: it is offered again. */
static void test_up_lost(void **state)
{
	static const struct sim_air_cb dead = { .result = ignore_result, .up = swallow, .alert = ignore_alert };
	struct world *w = clear_sky(SIM_AIR_TRANSACTION);
	struct sim_sm sm = message(w, 0, READ_IMSI);
	unsigned swallowed = 0;

	sim_air_submit(w->air, &sm, w->now_ms);
	for (int i = 0; i < 100; i++)
		sim_air_step(w->air, T0 + i * 10, &dead, &swallowed);
	assert_int_equal(swallowed, 1);
	w->now_ms = T0 + 1000;
	sim_air_up_lost(w->air, w->now_ms);
	run_until(w, T0 + 3000);
	assert_int_equal(w->c[0].pors, 1);
	world_free(w);
	/* one that nobody had taken is not doubled by it */
	w = clear_sky(SIM_AIR_TRANSACTION);
	sim_air_submit(w->air, &sm, w->now_ms);
	w->take_up = false;
	run_until(w, T0 + 300);
	assert_int_equal(w->ups, 1);
	sim_air_up_lost(w->air, w->now_ms);
	swallowed = 0;
	for (int i = 0; i < 100; i++)
		sim_air_step(w->air, T0 + 300 + i * 20, &dead, &swallowed);
	assert_int_equal(swallowed, 1);
	world_free(w);
}

static void test_queue_full(void **state)
{
	struct sim_air_cfg cfg;
	struct world *w;
	struct sim_sm sm;

	sim_air_cfg_default(&cfg);
	cfg.msgs_max = 1;
	w = world_new(&cfg);
	sm = message(w, 0, READ_IMSI);
	sim_air_submit(w->air, &sm, w->now_ms);
	sm = message(w, 1, READ_IMSI);
	sim_air_submit(w->air, &sm, w->now_ms);
	run_until(w, T0 + 3);
	assert_int_equal(w->c[1].last_result, SIM_SUBMIT_QUEUE_FULL);
	assert_int_equal(w->c[1].results, 1);
	world_free(w);
}

static void test_calm_ends_the_weather(void **state)
{
	struct sim_air_cfg cfg = bad_weather(9);
	struct sim_air_stats before, after;
	struct world *w;

	cfg.loss_ppm = 900000;
	cfg.loss_per_card_max = 1000000;
	w = world_new(&cfg);
	sim_air_calm(w->air);
	sim_air_stats(w->air, &before);
	assert_true(campaign(w, IMSI_SCRIPT, 100000));
	sim_air_stats(w->air, &after);
	assert_int_equal(after.lost_down + after.lost_up + after.throttled + after.duplicated + after.corrupted, 0);
	world_free(w);
}

static void test_corrupted_messages_are_refused(void **state)
{
	struct sim_air_cfg cfg;
	struct world *w;
	unsigned executed = 0;

	sim_air_cfg_default(&cfg);
	cfg.corrupt_ppm = SIM_PPM;
	cfg.loss_per_card_max = 2; /* one down, one up */
	w = world_new(&cfg);
	assert_true(campaign(w, IMSI_SCRIPT, 100000));
	for (int i = 0; i < CARDS; i++) {
		executed += w->card[i].truth.accepted;
		assert_true(w->c[i].tries > 1);
	}
	assert_int_equal(executed, CARDS);
	world_free(w);
}

/* ---- what a scenario lays down ---- */

static void test_cover(void **state)
{
	struct world *w = clear_sky(SIM_AIR_TRANSACTION);
	struct sim_sm sm = message(w, 0, READ_IMSI);

	sim_air_cover(w->air, 0, SIM_COVERAGE_ABSENT, T0);
	assert_false(sim_air_present(w->air, 0));
	assert_true(sim_air_present(w->air, 1));
	sim_air_submit(w->air, &sm, T0);
	run_until(w, T0 + 100);
	assert_int_equal(w->c[0].last_result, SIM_SUBMIT_ABSENT);
	assert_int_equal(w->c[0].alerts, 0);
	sim_air_cover(w->air, 0, SIM_COVERAGE_WEATHER, w->now_ms);
	sim_air_cover(w->air, 1, SIM_COVERAGE_PRESENT, w->now_ms); /* was there all the time */
	run_until(w, T0 + 200);
	assert_int_equal(w->c[0].alerts, 1);
	assert_int_equal(w->c[1].alerts, 0);
	assert_true(sim_air_present(w->air, 0));
	world_free(w);
}

/* The weather goes on underneath: its return is no return while the scenario says absent. */
static void test_cover_over_weather(void **state)
{
	struct sim_air_cfg cfg;
	struct world *w;

	sim_air_cfg_default(&cfg);
	cfg.absent_ppm = SIM_PPM;
	cfg.absent_ms = (struct sim_range){ 1000, 1000 };
	w = world_new(&cfg);
	sim_air_cover(w->air, 0, SIM_COVERAGE_ABSENT, T0);
	sim_air_cover(w->air, 1, SIM_COVERAGE_PRESENT, T0);
	run_until(w, T0 + 500);
	assert_false(sim_air_present(w->air, 0));
	assert_true(sim_air_present(w->air, 1));
	assert_int_equal(w->c[1].alerts, 1);
	run_until(w, T0 + 2000);
	assert_int_equal(w->c[0].alerts, 0);
	assert_int_equal(w->c[1].alerts, 1);
	assert_int_equal(w->c[2].alerts, 1);
	sim_air_cover(w->air, 0, SIM_COVERAGE_WEATHER, w->now_ms);
	run_until(w, T0 + 2100);
	assert_true(sim_air_present(w->air, 0));
	assert_int_equal(w->c[0].alerts, 1);
	world_free(w);
}

static void test_memory_full_and_busy(void **state)
{
	struct world *w = clear_sky(SIM_AIR_TRANSACTION);
	struct sim_sm sm = message(w, 0, READ_IMSI), other = message(w, 1, READ_IMSI);
	struct sim_air_stats st;

	sim_air_taking(w->air, 0, SIM_MEMORY_FULL, T0);
	sim_air_taking(w->air, 1, SIM_TOOLKIT_BUSY, T0);
	sim_air_submit(w->air, &sm, T0);
	sim_air_submit(w->air, &other, T0);
	run_until(w, T0 + 200);
	assert_int_equal(w->c[0].last_result, SIM_SUBMIT_MEMORY_FULL);
	assert_int_equal(w->c[1].last_result, SIM_SUBMIT_BUSY);
	assert_int_equal(w->card[0].messages + w->card[1].messages, 0);
	other.pid = 0; /* no download: the toolkit has nothing to do with it */
	sim_air_submit(w->air, &other, w->now_ms);
	run_until(w, T0 + 400);
	assert_int_equal(w->c[1].last_result, SIM_SUBMIT_OK);
	sim_air_taking(w->air, 0, SIM_TAKES, w->now_ms);
	sim_air_taking(w->air, 1, SIM_TAKES, w->now_ms);
	run_until(w, T0 + 600);
	assert_int_equal(w->c[0].alerts, 1); /* the phone has told that there is room again */
	assert_int_equal(w->c[1].alerts, 0);
	sim_air_stats(w->air, &st);
	assert_int_equal(st.refused, 2);
	assert_int_equal(sim_air_in_flight(w->air), 0);
	world_free(w);
}

static void test_refused_messages_are_kept_in_store_mode(void **state)
{
	struct world *w = clear_sky(SIM_AIR_STORE);
	struct sim_sm sm;

	for (uint32_t i = 0; i < 2; i++) {
		sim_air_taking(w->air, i, i ? SIM_TOOLKIT_BUSY : SIM_MEMORY_FULL, T0);
		sm = message(w, i, READ_IMSI);
		sm.want_receipt = true;
		sim_air_submit(w->air, &sm, T0);
	}
	sm = message(w, 2, READ_IMSI);
	sm.want_receipt = true;
	sm.validity_ms = 1000;
	sim_air_taking(w->air, 2, SIM_MEMORY_FULL, T0);
	sim_air_submit(w->air, &sm, T0);
	run_until(w, T0 + 2000);
	assert_int_equal(w->c[0].receipts + w->c[1].receipts, 0);
	assert_string_equal(w->c[2].stat, "EXPIRED");
	assert_int_equal(w->c[2].fcs, SIM_FCS_MEMORY_FULL);
	sim_air_taking(w->air, 0, SIM_TAKES, w->now_ms);
	sim_air_taking(w->air, 1, SIM_SILENT, w->now_ms);
	run_until(w, T0 + 3000);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(w->c[i].stat, "DELIVRD");
		assert_int_equal(w->c[i].fcs, 0);
		assert_int_equal(w->card[i].truth.accepted, 1);
	}
	assert_int_equal(w->c[0].pors, 1);
	assert_int_equal(w->c[1].pors, 0);
	world_free(w);
}

static void test_silent_and_ignoring(void **state)
{
	struct world *w = clear_sky(SIM_AIR_TRANSACTION);
	struct sim_sm sm = message(w, 0, READ_IMSI), other = message(w, 1, READ_IMSI);

	sim_air_taking(w->air, 0, SIM_SILENT, T0);
	sim_air_taking(w->air, 1, SIM_IGNORES, T0);
	sim_air_submit(w->air, &sm, T0);
	sim_air_submit(w->air, &other, T0);
	run_until(w, T0 + 1000);
	assert_int_equal(w->card[0].truth.accepted, 1);
	assert_int_equal(w->card[1].messages, 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(w->c[i].last_result, SIM_SUBMIT_OK);
		assert_int_equal(w->c[i].pors, 0);
	}
	world_free(w);
}

static void test_slow(void **state)
{
	struct world *w = clear_sky(SIM_AIR_TRANSACTION);
	struct sim_sm sm = message(w, 0, READ_IMSI), other = message(w, 1, READ_IMSI);

	sim_air_slow(w->air, 0, 800); /* within the second the SMSC waits */
	sim_air_slow(w->air, 1, 20000);
	sim_air_submit(w->air, &sm, T0);
	sim_air_submit(w->air, &other, T0);
	run_until(w, T0 + 700);
	assert_int_equal(w->card[0].truth.accepted + w->card[1].truth.accepted, 2);
	assert_int_equal(w->c[0].results + w->c[1].results, 0);
	run_until(w, T0 + 1500);
	assert_int_equal(w->c[0].last_result, SIM_SUBMIT_OK);
	assert_int_equal(w->c[0].pors, 1);
	assert_int_equal(w->c[1].last_result, SIM_SUBMIT_FAILED);
	assert_int_equal(w->c[1].pors, 0);
	run_until(w, T0 + 21000);
	assert_int_equal(w->c[1].results, 1);
	assert_int_equal(w->c[1].pors, 1);
	world_free(w);
}

static void test_range_and_chance(void **state)
{
	struct sim_rng r = { 1 };
	unsigned hits = 0;

	for (int i = 0; i < 10000; i++) {
		int64_t v = sim_rng_range(&r, (struct sim_range){ 5, 50 });

		assert_in_range(v, 5, 50);
		hits += sim_rng_chance(&r, 250000);
		assert_false(sim_rng_chance(&r, 0));
		assert_true(sim_rng_chance(&r, SIM_PPM));
		assert_int_equal(sim_rng_range(&r, (struct sim_range){ 7, 7 }), 7);
	}
	assert_in_range(hits, 2300, 2700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_range_and_chance),
		cmocka_unit_test(test_same_seed_same_trace),
		cmocka_unit_test(test_all_finish_and_nobody_runs_twice),
		cmocka_unit_test(test_cards_do_not_disturb_each_other),
		cmocka_unit_test(test_shares_are_met),
		cmocka_unit_test(test_transaction_mode),
		cmocka_unit_test(test_unknown_subscriber),
		cmocka_unit_test(test_absent_then_alert),
		cmocka_unit_test(test_store_and_forward),
		cmocka_unit_test(test_stored_messages_keep_their_order),
		cmocka_unit_test(test_messages_keep_their_order),
		cmocka_unit_test(test_expiry_on_the_way),
		cmocka_unit_test(test_report_in_the_receipt),
		cmocka_unit_test(test_other_messages_do_not_reach_the_card),
		cmocka_unit_test(test_imsi_addressing),
		cmocka_unit_test(test_power_cycle_shows_the_new_imsi),
		cmocka_unit_test(test_nobody_bound),
		cmocka_unit_test(test_up_lost),
		cmocka_unit_test(test_queue_full),
		cmocka_unit_test(test_calm_ends_the_weather),
		cmocka_unit_test(test_corrupted_messages_are_refused),
		cmocka_unit_test(test_cover),
		cmocka_unit_test(test_cover_over_weather),
		cmocka_unit_test(test_memory_full_and_busy),
		cmocka_unit_test(test_refused_messages_are_kept_in_store_mode),
		cmocka_unit_test(test_silent_and_ignoring),
		cmocka_unit_test(test_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
