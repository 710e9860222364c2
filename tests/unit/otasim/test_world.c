/* test_world.c - operators with registers around one fleet: who is let in where, who reaches whom, what goes wrong.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sub_test.h"
#include "world/world.h"

#define CARDS	  6
#define T0	  1700000000000ll
#define MINUTE	  60000ll
#define HOUR	  (60 * MINUTE)
#define DAY	  (24 * HOUR)
#define STEPS_MAX 400000
#define PLMN_B	  "00f120" /* 00102 */

enum { A, B };

struct seen {
	unsigned results, absent, pors[2], alerts[2], met, shown;
	struct sim_addr from; /* of the last message or alert */
};

struct bed {
	struct sim_world *w;
	struct seen s[CARDS];
	struct sim_world_cfg cfg;
	int64_t now_ms;
	uint64_t trace;
	char reply[SIM_HLR_REPLY_MAX];
	unsigned replies, lost;
	bool deaf, holds; /* nobody takes messages; they are taken and not answered */
};

static void note(struct bed *b, uint64_t v)
{
	b->trace = (b->trace ^ v ^ (uint64_t)b->now_ms << 20) * 0x100000001b3u;
}

static void on_result(void *ctx, unsigned op, uint64_t token, enum sim_submit_result r)
{
	struct bed *b = ctx;

	assert_true(op <= B);
	b->s[token].results++;
	b->s[token].absent += r == SIM_SUBMIT_ABSENT;
	note(b, token << 8 | r);
}

static bool on_up(void *ctx, const struct sim_up *up)
{
	struct bed *b = ctx;

	if (b->deaf)
		return false;
	b->s[up->card].pors[up->op]++;
	b->s[up->card].from = up->from;
	if (!b->holds)
		sim_world_up_answer(b->w, up->id, SIM_UP_OK, b->now_ms);
	note(b, up->card);
	return true;
}

static void on_alert(void *ctx, unsigned op, const struct sim_addr *from)
{
	struct bed *b = ctx;
	int64_t card = sim_air_subscriber(sim_world_air(b->w), op, from);

	assert_true(card >= 0);
	b->s[card].alerts[op]++;
	b->s[card].from = *from;
	note(b, 1000u + (uint64_t)card);
}

static void on_ctrl(void *ctx, unsigned op, uint64_t tag, const char *reply)
{
	struct bed *b = ctx;

	b->replies++;
	b->lost += reply == NULL;
	snprintf(b->reply, sizeof(b->reply), "%s", reply ? reply : "");
	note(b, tag + op);
}

static void on_out(void *ctx, uint32_t card, const struct sim_card_out *out, const struct sim_sm *sm)
{
	struct bed *b = ctx;

	assert_int_equal(sm->token, card);
	b->s[card].met++;
}

static void on_shown(void *ctx, uint32_t card)
{
	struct bed *b = ctx;

	b->s[card].shown++;
}

static struct bed *bed_cfg(unsigned pairs)
{
	struct bed *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	sim_world_cfg_default(&b->cfg);
	b->cfg.cards = CARDS;
	b->cfg.card.alg = SIM_ALG_AES128;
	b->cfg.card.pairs = (uint8_t)pairs;
	b->cfg.cb = (struct sim_world_cb){ on_result, on_up, on_alert, on_ctrl, on_out, on_shown };
	b->cfg.ctx = b;
	b->now_ms = T0;
	return b;
}

static void run_for(struct bed *b, int64_t ms)
{
	int64_t until = b->now_ms + ms, due;

	for (unsigned steps = 0; (due = sim_world_next_due(b->w)) <= until; steps++) {
		assert_true(steps < STEPS_MAX);
		b->now_ms = due > b->now_ms ? due : b->now_ms;
		sim_world_step(b->w, b->now_ms);
	}
	b->now_ms = until;
	sim_world_step(b->w, until);
}

static struct bed *bed_open(struct bed *b)
{
	char err[SIM_WORLD_ERR_MAX];

	b->w = sim_world_new(&b->cfg, T0, err);
	if (!b->w)
		fail_msg("%s", err);
	run_for(b, 10000);
	return b;
}

static struct bed *bed_new(unsigned pairs)
{
	return bed_open(bed_cfg(pairs));
}

static void bed_free(struct bed *b)
{
	sim_world_free(b->w);
	free(b);
}

static struct sim_world_card card_of(const struct bed *b, unsigned i)
{
	struct sim_world_card c;

	sim_world_card(b->w, i, &c);
	return c;
}

static struct sim_card *sim_of(const struct bed *b, unsigned i)
{
	return &sim_world_fleet(b->w)->cards[i];
}

static const char *imsi_b(const struct bed *b, unsigned i)
{
	static char imsi[SIM_IMSI_LEN];

	strcpy(imsi, sim_of(b, i)->imsi_first);
	memcpy(imsi, b->cfg.op[B].plmn, 5);
	return imsi;
}

static const char *msisdn_b(unsigned i)
{
	static char msisdn[16];

	snprintf(msisdn, sizeof(msisdn), "4415550%03u", i);
	return msisdn;
}

/* ---- registers ---- */

__attribute__((format(printf, 3, 4))) static const char *ctrl(struct bed *b, unsigned op, const char *fmt, ...)
{
	char text[SIM_CTRL_REQUEST_MAX];
	unsigned before = b->replies;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert_true(sim_world_ctrl(b->w, op, 7, text, b->now_ms));
	run_for(b, 1);
	assert_int_equal(b->replies, before + 1);
	return b->reply;
}

static void hex16(char out[33], const uint8_t p[16])
{
	for (int i = 0; i < 16; i++)
		sprintf(out + 2 * i, "%02x", p[i]);
}

/* At B: the card's new IMSI with these keys. */
static void provision(struct bed *b, unsigned i, const uint8_t k[16], const uint8_t opc[16])
{
	char hk[33], ho[33];

	hex16(hk, k);
	hex16(ho, opc);
	assert_memory_equal(ctrl(b, B, "SET 1 subscriber.create %s", imsi_b(b, i)), "SET_REPLY", 9);
	assert_memory_equal(ctrl(b, B, "SET 2 subscriber.by-imsi-%s.msisdn %s", imsi_b(b, i), msisdn_b(i)), "SET_REPLY",
			    9);
	assert_memory_equal(ctrl(b, B, "SET 3 subscriber.by-imsi-%s.aud3g milenage,%s,opc,%s", imsi_b(b, i), hk, ho),
			    "SET_REPLY", 9);
}

static void provision_pair(struct bed *b, unsigned i, uint16_t index)
{
	const struct sim_pair *p = sim_sub_pair(sim_of(b, i)->sub, index);

	provision(b, i, p->k, p->opc);
}

/* ---- messages ---- */

static void submit(struct bed *b, unsigned i, unsigned op, const char *digits, bool imsi, const struct oct *ud)
{
	struct sim_sm sm = { .token = i, .src = { 1, 1, "491700000" }, .pid = 0x7f, .dcs = 0xf6, .udhi = true };

	sm.dst = (struct sim_addr){ .ton = 1, .npi = imsi ? 6 : 1 };
	strcpy(sm.dst.digits, digits);
	sm.ud_len = (uint8_t)ud->len;
	memcpy(sm.ud, ud->b, ud->len);
	sim_world_submit(b->w, op, &sm, b->now_ms);
}

/* Under the active pair, at the operator and address given. */
static void send_at(struct bed *b, unsigned i, unsigned op, const char *digits, const struct oct *script)
{
	const struct sim_sub *s = sim_of(b, i)->sub;
	const struct sim_sub_rec *r = sim_sub_rec(s);
	const struct sim_pair *p = sim_sub_pair(s, r->index);
	struct oct ud[BENCH_UDS_MAX];
	uint8_t parts = bench_uds(r->kvn, &p->ota, p->cntr + 1, script, ud);

	for (uint8_t k = 0; k < parts; k++)
		submit(b, i, op, digits, false, &ud[k]);
	run_for(b, 300);
}

static void status(struct bed *b, unsigned i, unsigned op, const char *digits)
{
	struct oct cmd = cmd_order(0x30, 1);

	send_at(b, i, op, digits, &cmd);
}

/* STAGE and ARM at A, from pair 1 to pair 2; B's PLMN in the list. */
static void order(struct bed *b, unsigned i, uint32_t trial_s)
{
	struct set_spec s = {
		.order = 77, .from = 1, .to = 2, .imsi = imsi_b(b, i), .plmns = PLMN_B, .trial_s = trial_s
	};
	struct oct set = set_of(&s), stage = cmd_set(0x32, &set), arm = cmd_arm(77, &set);

	send_at(b, i, A, sim_of(b, i)->msisdn, &stage);
	assert_int_equal(card_of(b, i).state, SIM_SUB_STAGED);
	send_at(b, i, A, sim_of(b, i)->msisdn, &arm);
}

static bool registered_at(struct bed *b, unsigned op, const char *imsi)
{
	return strstr(ctrl(b, op, "GET 9 subscriber.by-imsi-%s.info", imsi), "vlr_number\t") != NULL;
}

/* ---- who is where ---- */

static void fleet_begins_at_the_first(void **state)
{
	struct bed *b = bed_new(3);
	struct sim_world_counts n;

	sim_world_count(b->w, &n);
	assert_int_equal(n.at[A], CARDS);
	assert_int_equal(n.at[B], 0);
	assert_int_equal(n.nowhere, 0);
	assert_true(registered_at(b, A, sim_of(b, 0)->imsi_first));
	assert_string_equal(b->s[0].from.digits, sim_of(b, 0)->msisdn); /* of the alert */
	assert_int_equal(b->s[0].alerts[A], 1);
	/* reached by A's SMSC alone, under what A's register says */
	status(b, 0, A, sim_of(b, 0)->msisdn);
	assert_int_equal(b->s[0].pors[A], 1);
	assert_int_equal(b->s[0].absent, 0);
	status(b, 0, B, sim_of(b, 0)->msisdn);
	assert_int_equal(b->s[0].absent, 1);
	/* ... not even when B's register has that IMSI, too: it is registered elsewhere */
	ctrl(b, B, "SET 1 subscriber.create %s", sim_of(b, 0)->imsi_first);
	ctrl(b, B, "SET 1 subscriber.by-imsi-%s.msisdn %s", sim_of(b, 0)->imsi_first, sim_of(b, 0)->msisdn);
	status(b, 0, B, sim_of(b, 0)->msisdn);
	assert_int_equal(b->s[0].absent, 2);
	b->s[0].absent = 1;
	assert_memory_equal(ctrl(b, A, "SET 1 subscriber.by-imsi-%s.msisdn 4912345", sim_of(b, 0)->imsi_first),
			    "SET_REPLY", 9);
	status(b, 0, A, sim_of(b, 0)->msisdn);
	assert_int_equal(b->s[0].absent, 2);
	status(b, 0, A, "4912345");
	assert_int_equal(b->s[0].absent, 2);
	assert_int_equal(b->s[0].pors[A], 2);
	assert_string_equal(b->s[0].from.digits, "4912345");
	assert_int_equal(b->s[0].from.npi, 1);
	bed_free(b);
}

static void nobody_is_let_in_unknown(void **state)
{
	struct bed *b = bed_cfg(2);
	struct sim_world_counts n;

	b->cfg.fill = SIM_WORLD_NOBODY;
	bed_open(b);
	sim_world_count(b->w, &n);
	assert_int_equal(n.nowhere, CARDS);
	assert_int_equal(card_of(b, 0).op, SIM_WORLD_NOBODY);
	assert_false(card_of(b, 0).present);
	bed_free(b);
}

static void handed_over(void **state)
{
	struct bed *b = bed_new(3);
	struct sim_world_card c;

	provision_pair(b, 0, 2);
	order(b, 0, 0);
	run_for(b, 10000);
	c = card_of(b, 0);
	assert_int_equal(c.op, B);
	assert_true(c.present);
	assert_int_equal(c.state, SIM_SUB_CONFIRMED);
	assert_int_equal(c.index, 2);
	assert_int_equal(c.kvn, 2);
	assert_int_equal(c.pairs_left, 1);
	assert_int_equal(c.order, 77);
	assert_int_equal(c.moves, 1);
	assert_int_equal(c.moves_max, 1);
	assert_string_equal(c.imsi_presented, imsi_b(b, 0));
	assert_true(c.sqn >= 32);
	assert_true(registered_at(b, B, imsi_b(b, 0)));
	assert_int_equal(b->s[0].alerts[B], 1);
	assert_int_equal(b->s[0].pors[B], 0); /* both proofs went out at A */
	assert_int_equal(b->s[0].pors[A], 2);
	b->s[0].absent = 0;
	status(b, 0, A, sim_of(b, 0)->msisdn);
	assert_int_equal(b->s[0].absent, 1);
	status(b, 0, B, msisdn_b(0));
	assert_int_equal(b->s[0].absent, 1);
	assert_int_equal(b->s[0].pors[B], 1);
	assert_string_equal(b->s[0].from.digits, msisdn_b(0));
	bed_free(b);
}

/* The card is reached by IMSI where its register has no number for it, and speaks as such. */
static void by_imsi(void **state)
{
	struct bed *b = bed_new(2);
	struct oct cmd = cmd_order(0x30, 1), ud[BENCH_UDS_MAX];
	const struct sim_pair *p = sim_sub_pair(sim_of(b, 1)->sub, 1);

	assert_memory_equal(ctrl(b, A, "SET 1 subscriber.by-imsi-%s.msisdn none", sim_of(b, 1)->imsi_first),
			    "SET_REPLY", 9);
	assert_int_equal(bench_uds(1, &p->ota, p->cntr + 1, &cmd, ud), 1);
	submit(b, 1, B, sim_of(b, 1)->imsi_first, true, &ud[0]);
	run_for(b, 300);
	assert_int_equal(b->s[1].absent, 1);
	submit(b, 1, A, sim_of(b, 1)->imsi_first, true, &ud[0]);
	run_for(b, 300);
	assert_int_equal(b->s[1].pors[A], 1);
	assert_int_equal(b->s[1].from.npi, 6);
	assert_string_equal(b->s[1].from.digits, sim_of(b, 1)->imsi_first);
	bed_free(b);
}

static void unknown_at_b_comes_home(void **state)
{
	struct bed *b = bed_new(2);
	struct sim_air_stats st;
	struct sim_world_counts n;

	order(b, 0, 3600);
	run_for(b, 10000);
	assert_int_equal(card_of(b, 0).state, SIM_SUB_TRIAL);
	assert_int_equal(card_of(b, 0).op, SIM_WORLD_NOBODY);
	sim_world_count(b->w, &n);
	assert_int_equal(n.nowhere, 1);
	assert_int_equal(n.at[A], CARDS - 1);
	b->s[0].absent = 0;
	status(b, 0, A, sim_of(b, 0)->msisdn);
	assert_int_equal(b->s[0].absent, 1);
	run_for(b, 50 * MINUTE);
	sim_air_stats(sim_world_air(b->w), &st);
	assert_in_range(st.register_refused, 8, 12); /* 15 s, 30 s, 1, 2, 4, 8 minutes, then every ten */
	assert_int_equal(card_of(b, 0).state, SIM_SUB_TRIAL);
	run_for(b, 20 * MINUTE);
	assert_int_equal(card_of(b, 0).state, SIM_SUB_ROLLED_BACK);
	assert_int_equal(card_of(b, 0).op, A);
	assert_int_equal(card_of(b, 0).index, 1);
	assert_int_equal(card_of(b, 0).moves, 1);
	bed_free(b);
}

/* Provisioned while the phone tries: it is let in, and the card confirms. */
static void b_is_late(void **state)
{
	struct bed *b = bed_new(2);

	order(b, 0, 3600);
	run_for(b, 20 * MINUTE);
	assert_int_equal(card_of(b, 0).op, SIM_WORLD_NOBODY);
	provision_pair(b, 0, 2);
	run_for(b, 11 * MINUTE);
	assert_int_equal(card_of(b, 0).op, B);
	assert_int_equal(card_of(b, 0).state, SIM_SUB_CONFIRMED);
	bed_free(b);
}

static void other_keys_are_not_believed(void **state)
{
	struct bed *b = bed_new(3);

	provision_pair(b, 0, 3); /* K of a pair that is not active */
	order(b, 0, 3600);
	run_for(b, 30 * MINUTE);
	assert_int_equal(card_of(b, 0).op, SIM_WORLD_NOBODY);
	assert_false(registered_at(b, B, imsi_b(b, 0)));
	run_for(b, HOUR);
	assert_int_equal(card_of(b, 0).op, A);
	bed_free(b);
}

/* A message had waited at A: the alert is A's; what waited at B for the new IMSI is told by B. */
static void alert_where_it_waited(void **state)
{
	struct bed *b = bed_cfg(2);

	b->cfg.air.alert = SIM_ALERT_PENDING;
	bed_open(b);
	assert_int_equal(b->s[0].alerts[A], 0);
	sim_air_cover(sim_world_air(b->w), 0, SIM_COVERAGE_ABSENT, b->now_ms);
	status(b, 0, A, sim_of(b, 0)->msisdn);
	status(b, 0, B, sim_of(b, 0)->msisdn); /* nobody B knows */
	assert_int_equal(b->s[0].absent, 2);
	sim_air_cover(sim_world_air(b->w), 0, SIM_COVERAGE_PRESENT, b->now_ms);
	run_for(b, 1000);
	assert_int_equal(b->s[0].alerts[A], 1);
	assert_int_equal(b->s[0].alerts[B], 0);
	provision_pair(b, 0, 2);
	status(b, 0, B, msisdn_b(0)); /* too early */
	order(b, 0, 0);
	run_for(b, 10000);
	assert_int_equal(card_of(b, 0).op, B);
	assert_int_equal(b->s[0].alerts[B], 1);
	assert_int_equal(b->s[0].alerts[A], 1);
	bed_free(b);
}

/* ---- cards without the applet ---- */

static void plain_card(void **state)
{
	struct bed *b = bed_new(0);
	struct sim_card *c = sim_of(b, 0);
	struct cmd_spec spec = spec_of(c, 1);
	struct oct script, pkt, ud;
	size_t len;

	assert_null(c->sub);
	assert_int_equal(card_of(b, 0).op, A);
	for (int i = 0; i < 5; i++) { /* A's SQN and the card's go on */
		sim_air_power_cycle(sim_world_air(b->w), 0);
		run_for(b, 10000);
	}
	assert_true(card_of(b, 0).sqn > 5 * 32);
	/* 001020000000001 */
	script = oct_hex("00a40004026f0700d6000009080910200000000010");
	pkt = packet_build(c, &spec, &script);
	ud = ud_single(&pkt);
	provision(b, 0, c->usim->k, c->usim->opc);
	submit(b, 0, A, c->msisdn, false, &ud);
	run_for(b, 10000);
	assert_string_equal(card_of(b, 0).imsi_presented, imsi_b(b, 0));
	assert_int_equal(card_of(b, 0).op, B); /* B's SQN began at 0: one AUTS, and it is believed */
	assert_memory_equal(sim_card_file(c, 0x6f7e, &len) + 4, "\x00\xf1\x20", 3);
	assert_int_equal(card_of(b, 0).imsi_writes, 1);
	assert_int_equal(card_of(b, 0).moves, 0);
	assert_int_equal(b->s[0].pors[A], 1);
	/* another card, whose IMSI B does not have: nobody serves it, and nothing brings it back */
	c = sim_of(b, 1);
	spec = spec_of(c, 1);
	script = oct_hex("00a40004026f0700d6000009080910200000000020");
	pkt = packet_build(c, &spec, &script);
	ud = ud_single(&pkt);
	submit(b, 1, A, c->msisdn, false, &ud);
	run_for(b, 3 * DAY);
	assert_int_equal(card_of(b, 1).op, SIM_WORLD_NOBODY);
	bed_free(b);
}

/* ---- faults ---- */

static void creates_that_fail(void **state)
{
	struct bed *b = bed_cfg(2);
	unsigned bad = 0;

	b->cfg.op[B].create_fail_ppm = 300000;
	bed_open(b);
	for (unsigned i = 0; i < 1000; i++) {
		bool first = !strncmp(ctrl(b, B, "SET 1 subscriber.create 00102%010u", i), "ERROR", 5);

		bad += first;
		if (first)
			assert_memory_equal(ctrl(b, B, "SET 1 subscriber.create 00102%010u", i), "ERROR", 5);
	}
	assert_in_range(bad, 230, 370);
	assert_memory_equal(ctrl(b, A, "SET 1 subscriber.create 001010000000999"), "SET_REPLY", 9);
	bed_free(b);
}

static void a_register_that_is_late(void **state)
{
	struct bed *b = bed_new(2);

	sim_world_hlr_late(b->w, B, (struct sim_range){ 2000, 3000 });
	assert_true(sim_world_ctrl(b->w, B, 1, "SET 1 subscriber.create 001020000000009", b->now_ms));
	assert_true(sim_world_ctrl(b->w, B, 2, "GET 2 subscriber.by-imsi-001020000000009.info", b->now_ms));
	run_for(b, 1999);
	assert_int_equal(b->replies, 0);
	run_for(b, 1001);
	assert_int_equal(b->replies, 1);
	run_for(b, 3000);
	assert_int_equal(b->replies, 2); /* one after the other */
	assert_memory_equal(b->reply, "GET_REPLY 2", 11);
	bed_free(b);
}

static void a_register_that_is_down(void **state)
{
	struct bed *b = bed_new(2);

	sim_world_hlr_late(b->w, B, (struct sim_range){ 1000, 1000 });
	assert_true(sim_world_ctrl(b->w, B, 1, "SET 1 subscriber.create 001020000000009", b->now_ms));
	sim_world_hlr_down(b->w, B, true);
	assert_false(sim_world_ctrl(b->w, B, 2, "GET 2 x", b->now_ms));
	run_for(b, 10);
	assert_int_equal(b->lost, 1);
	sim_world_hlr_down(b->w, B, false);
	sim_world_hlr_late(b->w, B, (struct sim_range){ 0, 0 });
	assert_memory_equal(ctrl(b, B, "GET 3 subscriber.by-imsi-001020000000009.info"), "ERROR",
			    5); /* it was not done */
	provision_pair(b, 0, 2);
	sim_world_hlr_down(b->w, B, true);
	order(b, 0, 3600);
	run_for(b, 10000);
	assert_int_equal(card_of(b, 0).op, SIM_WORLD_NOBODY);
	sim_world_hlr_down(b->w, B, false);
	run_for(b, 10 * MINUTE);
	assert_int_equal(card_of(b, 0).op, B);
	bed_free(b);
}

/* A periodic update that was refused is made again also when coverage was lost before its next try. */
static void periodic_updates_go_on(void **state)
{
	struct bed *b = bed_cfg(2);
	char was[SIM_HLR_REPLY_MAX];
	const char *imsi;

	b->cfg.air.locate_ms = (struct sim_range){ MINUTE, MINUTE };
	b->cfg.air.vectors = 1;
	bed_open(b);
	imsi = sim_of(b, 0)->imsi_first;
	sim_world_hlr_down(b->w, A, true);
	run_for(b, 2 * MINUTE);
	sim_air_cover(sim_world_air(b->w), 0, SIM_COVERAGE_ABSENT, b->now_ms);
	sim_world_hlr_down(b->w, A, false);
	run_for(b, 2 * HOUR);
	strcpy(was, ctrl(b, A, "GET 7 subscriber.by-imsi-%s.info-aud", imsi));
	assert_non_null(strstr(was, "aud3g.sqn"));
	run_for(b, HOUR);
	assert_string_equal(was, ctrl(b, A, "GET 7 subscriber.by-imsi-%s.info-aud", imsi));
	sim_air_cover(sim_world_air(b->w), 0, SIM_COVERAGE_PRESENT, b->now_ms);
	run_for(b, 10 * MINUTE);
	assert_string_not_equal(was, ctrl(b, A, "GET 7 subscriber.by-imsi-%s.info-aud", imsi));
	bed_free(b);
}

/* H2: AUTHENTICATE succeeds at B, and the location update is refused for ever. */
static void refused_for_ever(void **state)
{
	struct bed *b = bed_new(2);

	provision_pair(b, 0, 2);
	sim_air_refuse(sim_world_air(b->w), 0, 1u << B);
	order(b, 0, 3600);
	run_for(b, 30 * MINUTE);
	assert_int_equal(card_of(b, 0).op, SIM_WORLD_NOBODY);
	assert_int_equal(sim_of(b, 0)->sub->nvm.trial.authenticated, 1);
	assert_false(registered_at(b, B, imsi_b(b, 0)));
	run_for(b, 90 * MINUTE);
	assert_int_equal(card_of(b, 0).state, SIM_SUB_ROLLED_BACK);
	assert_int_equal(card_of(b, 0).op, A);
	bed_free(b);
}

/* H4: three times no, then one reset and one trial. */
static void refresh_refused_three_times(void **state)
{
	struct bed *b = bed_new(2);
	struct sim_air_stats st;

	provision_pair(b, 0, 2);
	sim_air_no_refresh(sim_world_air(b->w), 0, 3);
	order(b, 0, 3600);
	run_for(b, 2 * MINUTE + 30000);
	assert_int_equal(card_of(b, 0).state, SIM_SUB_ARMED);
	assert_int_equal(card_of(b, 0).op, A); /* where it still is */
	run_for(b, 4 * MINUTE);
	sim_air_stats(sim_world_air(b->w), &st);
	assert_int_equal(st.refresh_refused, 3);
	assert_int_equal(st.refreshes, 1);
	assert_int_equal(card_of(b, 0).op, B);
	assert_int_equal(card_of(b, 0).moves, 1);
	bed_free(b);
}

/* F4: power fails before REFRESH, and the proof never leaves. */
static void power_fails_before_refresh(void **state)
{
	struct bed *b = bed_cfg(2);
	struct sim_air_stats st;

	b->cfg.air.power_cut_ppm = SIM_PPM;
	bed_open(b);
	provision_pair(b, 0, 2);
	order(b, 0, 3600);
	run_for(b, 10000);
	sim_air_stats(sim_world_air(b->w), &st);
	assert_int_equal(st.power_cuts, 1);
	assert_int_equal(st.refreshes, 0);
	assert_int_equal(b->s[0].pors[A], 1); /* of STAGE alone */
	assert_int_equal(card_of(b, 0).op, B);
	assert_int_equal(card_of(b, 0).moves, 1);
	bed_free(b);
}

/* H1: the proof of ARM comes out of B's network, from a number that A has never seen. */
static void a_proof_that_leaves_late(void **state)
{
	struct bed *b = bed_cfg(2);

	b->cfg.air.late_proof_ppm = SIM_PPM;
	bed_open(b);
	provision_pair(b, 0, 2);
	order(b, 0, 3600);
	assert_int_equal(b->s[0].pors[A], 1); /* of STAGE: nothing was to be refreshed */
	run_for(b, 10000);
	assert_int_equal(card_of(b, 0).op, B);
	assert_int_equal(b->s[0].pors[A], 1);
	assert_int_equal(b->s[0].pors[B], 1);
	assert_string_equal(b->s[0].from.digits, msisdn_b(0));
	/* a phone that is never let in again keeps it until it is at home */
	order(b, 1, 3600);
	run_for(b, HOUR);
	assert_int_equal(b->s[1].pors[A] + b->s[1].pors[B], 1);
	run_for(b, HOUR);
	assert_int_equal(card_of(b, 1).op, A);
	assert_int_equal(b->s[1].pors[A], 2);
	bed_free(b);
}

/* H3: five minutes a day, nobody at B; an hour of powered time is twelve such days, a slice less each. */
static void five_minutes_a_day(void **state)
{
	struct bed *b = bed_new(2);
	unsigned days = 0;

	order(b, 0, 3600);
	run_for(b, 1000);
	while (card_of(b, 0).state != SIM_SUB_ROLLED_BACK && days < 30) {
		sim_air_switch(sim_world_air(b->w), 0, false, b->now_ms);
		assert_false(sim_air_present(sim_world_air(b->w), 0));
		run_for(b, DAY - 5 * MINUTE);
		sim_air_switch(sim_world_air(b->w), 0, true, b->now_ms);
		run_for(b, 5 * MINUTE);
		days++;
	}
	assert_in_range(days, 9, 12);
	run_for(b, MINUTE);
	assert_int_equal(card_of(b, 0).op, A);
	assert_int_equal(card_of(b, 0).moves, 1);
	/* switched off it is reached by nobody, and an attempt that was due has no effect */
	sim_air_switch(sim_world_air(b->w), 0, false, b->now_ms);
	b->s[0].absent = 0;
	status(b, 0, A, sim_of(b, 0)->msisdn);
	assert_int_equal(b->s[0].absent, 1);
	sim_air_power_cycle(sim_world_air(b->w), 0);
	run_for(b, HOUR);
	assert_false(sim_air_present(sim_world_air(b->w), 0));
	bed_free(b);
}

/* What a gateway was handed when it died is offered again, at its operator alone. */
static void messages_offered_again(void **state)
{
	struct bed *b = bed_new(2);

	b->deaf = true;
	status(b, 0, A, sim_of(b, 0)->msisdn);
	run_for(b, 2000);
	assert_int_equal(b->s[0].pors[A], 0);
	b->deaf = false;
	b->holds = true;
	run_for(b, 2000);
	assert_int_equal(b->s[0].pors[A], 1);
	sim_world_up_lost(b->w, B, b->now_ms);
	run_for(b, 2000);
	assert_int_equal(b->s[0].pors[A], 1);
	sim_world_up_lost(b->w, A, b->now_ms);
	b->holds = false;
	run_for(b, 2000);
	assert_int_equal(b->s[0].pors[A], 2);
	sim_world_up_lost(b->w, A, b->now_ms);
	run_for(b, 2000);
	assert_int_equal(b->s[0].pors[A], 2); /* that one has been answered */
	bed_free(b);
}

/* ---- the same again ---- */

static uint64_t one_run(uint64_t seed)
{
	struct bed *b = bed_cfg(3);
	uint64_t trace;

	b->cfg.seed = seed;
	b->cfg.air.refresh_refused_ppm = SIM_PPM / 3;
	b->cfg.air.power_cut_ppm = SIM_PPM / 4;
	b->cfg.air.gap_ppm = SIM_PPM / 2;
	b->cfg.op[B].late_ms = (struct sim_range){ 0, 400 };
	b->w = sim_world_new(&b->cfg, T0, (char[SIM_WORLD_ERR_MAX]){ 0 });
	assert_non_null(b->w);
	run_for(b, MINUTE);
	for (unsigned i = 0; i < CARDS; i++) {
		const struct sim_pair *p = sim_sub_pair(sim_of(b, i)->sub, 2);
		char text[SIM_CTRL_REQUEST_MAX], k[33], opc[33];

		hex16(k, p->k);
		hex16(opc, p->opc);
		snprintf(text, sizeof(text), "SET 1 subscriber.create %s", imsi_b(b, i));
		assert_true(sim_world_ctrl(b->w, B, i, text, b->now_ms));
		snprintf(text, sizeof(text), "SET 1 subscriber.by-imsi-%s.aud3g milenage,%s,opc,%s", imsi_b(b, i), k,
			 opc);
		assert_true(sim_world_ctrl(b->w, B, i, text, b->now_ms));
	}
	for (unsigned i = 0; i < CARDS; i++) {
		sim_air_cover(sim_world_air(b->w), i, SIM_COVERAGE_PRESENT, b->now_ms);
		run_for(b, 6000);
		order(b, i, 3600);
		sim_air_cover(sim_world_air(b->w), i, SIM_COVERAGE_WEATHER, b->now_ms);
	}
	run_for(b, 2 * HOUR);
	for (unsigned i = 0; i < CARDS; i++)
		assert_int_equal(card_of(b, i).op, B);
	trace = b->trace;
	bed_free(b);
	return trace;
}

static void the_same_from_the_same_seed(void **state)
{
	uint64_t first = one_run(5);

	assert_true(first == one_run(5));
	assert_true(first != one_run(6));
}

static void nonsense_is_refused(void **state)
{
	struct sim_world_cfg cfg;
	char err[SIM_WORLD_ERR_MAX];

	sim_world_cfg_default(&cfg);
	cfg.cards = 2;
	cfg.ops = SIM_OPS_MAX + 1;
	assert_null(sim_world_new(&cfg, T0, err));
	cfg.ops = 2;
	cfg.fill = 2;
	assert_null(sim_world_new(&cfg, T0, err));
	cfg.fill = 0;
	strcpy(cfg.op[B].plmn, "0010x");
	assert_null(sim_world_new(&cfg, T0, err));
	assert_non_null(strstr(err, "PLMN"));
	strcpy(cfg.op[B].plmn, "00101"); /* A's */
	assert_null(sim_world_new(&cfg, T0, err));
	assert_non_null(strstr(err, "PLMN"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fleet_begins_at_the_first),
		cmocka_unit_test(nobody_is_let_in_unknown),
		cmocka_unit_test(handed_over),
		cmocka_unit_test(by_imsi),
		cmocka_unit_test(unknown_at_b_comes_home),
		cmocka_unit_test(b_is_late),
		cmocka_unit_test(other_keys_are_not_believed),
		cmocka_unit_test(alert_where_it_waited),
		cmocka_unit_test(plain_card),
		cmocka_unit_test(creates_that_fail),
		cmocka_unit_test(a_register_that_is_late),
		cmocka_unit_test(a_register_that_is_down),
		cmocka_unit_test(periodic_updates_go_on),
		cmocka_unit_test(refused_for_ever),
		cmocka_unit_test(refresh_refused_three_times),
		cmocka_unit_test(power_fails_before_refresh),
		cmocka_unit_test(a_proof_that_leaves_late),
		cmocka_unit_test(five_minutes_a_day),
		cmocka_unit_test(messages_offered_again),
		cmocka_unit_test(the_same_from_the_same_seed),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests_name("operators around a fleet", tests, NULL, NULL);
}
