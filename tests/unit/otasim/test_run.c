/* test_run.c - scenarios in virtual time: what is laid down when, what the books say, what the verdict is.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The gateway here is as simple as can be: one command per card, the same octets every `retry_ms` until its proof has come.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "otasim_int.h"
#include "sim_test.h"
#include "smpp_pdu.h"

#define T0	  1700000000000ll
#define S	  1000ll
#define M	  60000ll
#define H	  3600000ll
#define CARDS_MAX 100
#define STEPS_MAX 200000

static char err[OTASIM_ERR_MAX];

static struct otasim *make(const char *text)
{
	struct otasim_cfg cfg = { .file = "x.scn", .text = text, .len = strlen(text) };
	struct otasim *o = otasim_new(&cfg, T0, err);

	if (!o)
		fail_msg("%s", err);
	return o;
}

/* ---- the gateway ---- */

struct gw {
	struct otasim *o;
	unsigned smsc;
	int64_t now_ms, retry_ms, reconnect_ms, next_connect_ms;
	bool write; /* the new IMSI; else it is only read */
	bool bound, unlimited;
	int session; /* -1: none */
	uint32_t seq;
	uint8_t in[8192];
	size_t in_len;
	unsigned cards, left;
	struct {
		bool done;
		int64_t due_ms;
		unsigned alerts;
	} card[CARDS_MAX];
};

static void put(struct gw *g, const struct smpp_pdu *p)
{
	uint8_t buf[512];
	int n = smpp_pdu_pack(buf, sizeof(buf), p);

	assert_true(n > 0);
	otasim_input(g->o, g->session, buf, (size_t)n, g->now_ms);
}

static struct oct script_of(const struct gw *g, uint32_t i)
{
	char hex[128], *p = hex, imsi[SIM_IMSI_LEN];

	run_new_imsi(g->o->run, i, imsi);
	p += sprintf(p, "00a4000c026f07");
	if (g->write) {
		p += sprintf(p, "00d600000908%c9", imsi[0]);
		for (int d = 1; d < 15; d += 2)
			p += sprintf(p, "%c%c", imsi[d + 1], imsi[d]);
	}
	sprintf(p, "00b0000009");
	return oct_hex(hex);
}

/* Keys as the lists have them. */
static struct sim_card listed(const struct gw *g, uint32_t i)
{
	struct sim_card c = g->o->fleet.cards[i];

	for (size_t k = 0; run_card(g->o->run, i)->wrong_keys && k < 16; k++) {
		c.ks[0].kic[k] ^= RUN_WRONG_KEY;
		c.ks[0].kid[k] ^= RUN_WRONG_KEY;
	}
	return c;
}

static void attempt(struct gw *g, uint32_t i)
{
	struct sim_card c = listed(g, i);
	struct cmd_spec k = spec_of(&c, 1);
	struct oct data = script_of(g, i), pkt = packet_build(&c, &k, &data), ud = ud_single(&pkt);
	struct smpp_pdu p = { .id = SMPP_SUBMIT_SM,
			      .seq = ++g->seq,
			      .sm = { .src = { 2, 1, "12345" },
				      .dst = { 1, 1, c.msisdn },
				      .esm_class = 0x42,
				      .protocol_id = 0x7f,
				      .data_coding = 0xf6,
				      .sm = { ud.b, ud.len } } };

	g->card[i].due_ms = g->now_ms + g->retry_ms;
	put(g, &p);
}

static void on_pdu(struct gw *g, const struct smpp_pdu *p)
{
	struct smpp_pdu resp = { .id = p->id | SMPP_RESP, .seq = p->seq };

	if (p->id == (SMPP_BIND_TRANSCEIVER | SMPP_RESP))
		g->bound = p->status == ESME_ROK;
	if (p->id == SMPP_ALERT_NOTIFICATION)
		g->card[strtoul(p->alert.src.digits + 5, NULL, 10) - 1].alerts++;
	if (p->id == SMPP_DELIVER_SM) {
		uint32_t i = (uint32_t)strtoul(p->sm.src.digits + 5, NULL, 10) - 1;
		struct sim_card c = listed(g, i);
		struct cmd_spec k = spec_of(&c, 1);
		struct por por = por_open_ud(&c, &k, p->sm.sm.p, p->sm.sm.len);

		put(g, &resp);
		if (por.valid && por.secured && (por.status == 0 || por.status == 2) && !g->card[i].done) {
			g->card[i].done = true;
			g->left--;
		}
	}
}

static void drop(struct gw *g)
{
	if (g->session >= 0)
		otasim_close(g->o, g->session, g->now_ms);
	g->session = -1;
	g->bound = false;
	g->in_len = 0;
	g->next_connect_ms = g->now_ms + g->reconnect_ms;
}

static void hear(struct gw *g)
{
	const uint8_t *p;
	size_t len;
	int n;

	while (g->session >= 0 && (p = otasim_output(g->o, g->session, &len))) {
		if (len > sizeof(g->in) - g->in_len)
			len = sizeof(g->in) - g->in_len;
		memcpy(g->in + g->in_len, p, len);
		g->in_len += len;
		otasim_taken(g->o, g->session, len);
		while ((n = smpp_frame(g->in, g->in_len, 4096)) != 0) {
			struct smpp_pdu pdu;

			if (n < 0 || smpp_pdu_unpack(&pdu, g->in, (size_t)n, NULL) < 0) {
				drop(g);
				return;
			}
			on_pdu(g, &pdu);
			g->in_len -= (size_t)n;
			memmove(g->in, g->in + n, g->in_len);
		}
	}
	if (g->session >= 0 && otasim_over(g->o, g->session))
		drop(g);
}

static void connect_now(struct gw *g)
{
	struct smpp_pdu b = { .id = SMPP_BIND_TRANSCEIVER,
			      .seq = ++g->seq,
			      .bind = { .system_id = "gw", .interface_version = SMPP_VERSION } };

	g->session = otasim_connect(g->o, g->smsc, g->now_ms);
	if (g->session < 0)
		g->next_connect_ms = g->now_ms + g->reconnect_ms;
	else
		put(g, &b);
}

static int64_t turn(struct gw *g)
{
	int64_t due = INT64_MAX;

	hear(g);
	if (g->session < 0 && g->now_ms >= g->next_connect_ms)
		connect_now(g);
	hear(g);
	for (uint32_t i = 0; g->bound && i < g->cards; i++) {
		if (!g->card[i].done && g->card[i].due_ms <= g->now_ms)
			attempt(g, i);
		hear(g);
		if (!g->card[i].done && g->bound && g->card[i].due_ms < due)
			due = g->card[i].due_ms;
	}
	if (g->session < 0)
		due = g->next_connect_ms;
	return due;
}

static struct gw *gw_new(struct otasim *o, int64_t retry_ms)
{
	struct gw *g = calloc(1, sizeof(*g));

	assert_non_null(g);
	*g = (struct gw){ .o = o,
			  .now_ms = T0,
			  .retry_ms = retry_ms,
			  .reconnect_ms = 10 * S,
			  .write = true,
			  .session = -1,
			  .cards = otasim_cards(o),
			  .left = otasim_cards(o) };
	assert_true(g->cards <= CARDS_MAX);
	return g;
}

/* Until the scenario has ended, or up to `until` since the beginning. */
static void go(struct gw *g, int64_t until)
{
	int64_t end = until == SCN_NEVER ? INT64_MAX : T0 + until;

	for (int i = 0;; i++) {
		int64_t due = turn(g), sim = otasim_next_due(g->o);

		assert_true(i < STEPS_MAX);
		if (otasim_ended(g->o))
			return;
		due = sim < due ? sim : due;
		if (due > end)
			break;
		if (due > g->now_ms)
			g->now_ms = due;
		otasim_step(g->o, g->now_ms);
	}
	g->now_ms = end;
	otasim_step(g->o, end);
}

static void gw_free(struct gw *g)
{
	drop(g);
	free(g);
}

/* The whole scenario, with this gateway; what it comes to. */
static enum otasim_verdict play(const char *text, int64_t retry_ms, enum otasim_verdict wanted)
{
	struct otasim *o = make(text);
	struct gw *g = gw_new(o, retry_ms);
	enum otasim_verdict v;

	go(g, SCN_NEVER);
	v = otasim_verdict(o);
	if (v != wanted)
		otasim_summary(o, stderr);
	gw_free(g);
	otasim_free(o);
	return v;
}

#define PASSES(text, retry) assert_int_equal(play(text, retry, OTASIM_PASS), OTASIM_PASS)
#define FAILS(text, retry)  assert_int_equal(play(text, retry, OTASIM_FAIL), OTASIM_FAIL)

/* ---- what is laid down ---- */

static void test_coverage(void **state)
{
	struct otasim *o = make("cards 4\nend at 1h\n"
				"card 1 absent from 1m to 3m\n"
				"card 2 absent\n"
				"card 2 present from 5m for 1m every 10m until 20m\n"
				"card 3 absent from 1m..2m for 30s..40s\n"
				"set absent 100%\nset absent-for 50m\n"
				"card 4 present to 10m\n");
	int64_t gone = -1, back = -1;

	otasim_step(o, T0);
	assert_true(sim_air_present(o->air, 3));
	assert_false(sim_air_present(o->air, 0)); /* by the weather */
	otasim_free(o);
	o = make("cards 4\nend at 1h\n"
		 "card 1 absent from 1m to 3m\n"
		 "card 2 absent\n"
		 "card 2 present from 5m for 1m every 10m until 20m\n"
		 "card 3 absent from 1m..2m for 30s..40s\n");
	for (int64_t t = 0; t <= 30 * M; t += S) {
		otasim_step(o, T0 + t);
		assert_int_equal(sim_air_present(o->air, 0), t < M || t >= 3 * M);
		assert_int_equal(sim_air_present(o->air, 1), (t >= 5 * M && t < 6 * M) || (t >= 15 * M && t < 16 * M));
		if (!sim_air_present(o->air, 2) && gone < 0)
			gone = t;
		if (sim_air_present(o->air, 2) && gone >= 0 && back < 0)
			back = t;
		assert_true(sim_air_present(o->air, 3));
	}
	assert_in_range(gone, M, 2 * M + S);
	assert_in_range(back - gone, 29 * S, 41 * S);
	otasim_free(o);
}

static void test_kinds_of_cards(void **state)
{
	struct otasim *o = make("cards 10\nend at 1h\nset replay 06\n"
				"card 1 memory-full from 1m to 2m\n"
				"card 2 toolkit-busy to 1m\n"
				"card 3 silent\n"
				"card 4 ignores\n"
				"card 5 replay silent from 1m to 2m\n"
				"card 6 interim-0b\n"
				"card 7 silent-errors from 1m\n"
				"card 8 refuses-writes 6f7e from 1m to 2m\n"
				"card 8 refuses-writes from 90s to 2m\n" /* the later line counts */
				"card 9 wrong-keys from 1m to 2m\n");
	struct sim_card *c = o->fleet.cards;
	uint8_t kic[16];
	struct otasim_card known;
	int64_t since;

	memcpy(kic, c[8].ks[0].kic, 16);
	otasim_step(o, T0);
	assert_int_equal(sim_air_takes(o->air, 0, &since), SIM_TAKES);
	assert_int_equal(sim_air_takes(o->air, 1, &since), SIM_TOOLKIT_BUSY);
	assert_int_equal(sim_air_takes(o->air, 2, &since), SIM_SILENT);
	assert_int_equal(sim_air_takes(o->air, 3, &since), SIM_IGNORES);
	assert_int_equal(c[4].profile.replay, SIM_REPLAY_06_CLEAR);
	assert_true(c[5].profile.interim_0b && !c[4].profile.interim_0b);
	otasim_step(o, T0 + M);
	assert_int_equal(sim_air_takes(o->air, 0, &since), SIM_MEMORY_FULL);
	assert_int_equal(since, T0 + M);
	assert_int_equal(sim_air_takes(o->air, 1, &since), SIM_TAKES);
	assert_int_equal(c[4].profile.replay, SIM_REPLAY_SILENT);
	assert_true(c[6].profile.silent_errors);
	assert_int_equal(c[7].profile.deny_update_fid, 0x6f7e);
	assert_memory_not_equal(c[8].ks[0].kic, kic, 16);
	otasim_card(o, 8, &known);
	assert_int_equal(strtoul((char[]){ known.kic[0], known.kic[1], 0 }, NULL, 16), kic[0]); /* as in the list */
	otasim_step(o, T0 + 90 * S);
	assert_int_equal(c[7].profile.deny_update_fid, 0x6f07);
	otasim_step(o, T0 + 2 * M);
	assert_int_equal(c[4].profile.replay, SIM_REPLAY_06_CLEAR);
	assert_int_equal(c[7].profile.deny_update_fid, 0);
	assert_memory_equal(c[8].ks[0].kic, kic, 16);
	otasim_free(o);
}

static void test_smscs_have_their_days(void **state)
{
	struct otasim *o = make("cards 1\nend at 1h\nsmscs north south\n"
				"smsc dead from 1m to 5m\n"
				"smsc north slow from 2m to 3m\n"
				"smsc south refuses-connections from 5m for 10s every 1m until 7m\n"
				"smsc north cut at 10m\n");
	int a;

	assert_string_equal(otasim_smsc_name(o, 1), "south");
	a = otasim_connect(o, 0, T0);
	otasim_step(o, T0 + M);
	assert_int_equal(smsc_mood(o->smsc, 0)->kind, SMSC_DEAD);
	assert_int_equal(smsc_mood(o->smsc, 1)->kind, SMSC_DEAD);
	otasim_step(o, T0 + 2 * M);
	assert_int_equal(smsc_mood(o->smsc, 0)->kind, SMSC_SLOW);
	assert_int_equal(smsc_mood(o->smsc, 1)->kind, SMSC_DEAD);
	otasim_step(o, T0 + 3 * M);
	assert_int_equal(smsc_mood(o->smsc, 0)->kind, SMSC_DEAD);
	assert_int_equal(run_door(o->run, 0)->mood_since_ms, 3 * M);
	for (int64_t t = 5 * M; t < 8 * M; t += S) {
		otasim_step(o, T0 + t);
		assert_int_equal(otasim_accepts(o, 1), !((t < 5 * M + 10 * S) || (t >= 6 * M && t < 6 * M + 10 * S)));
		assert_true(otasim_accepts(o, 0));
	}
	assert_false(otasim_over(o, a));
	otasim_step(o, T0 + 10 * M);
	assert_true(otasim_over(o, a));
	otasim_close(o, a, T0 + 10 * M);
	otasim_free(o);
}

static void test_power_cycle(void **state)
{
	PASSES("cards 2\nend by 10m\nset no-refresh\ncard 1 power-cycle at 5m\n"
	       "expect card 1 presents new by 5m\nexpect card 2 presents old\nexpect imsi new by 1m\n",
	       10 * S);
}

/* ---- verdicts ---- */

static void test_imsi_and_coverage(void **state)
{
	PASSES("cards 10\ncard 1-3 absent to 10m\nend by 1h\n"
	       "expect card 1-3 imsi new by 11m\nexpect card 1-3 imsi old until 10m\n"
	       "expect all but card 1-3 imsi new by 1m\nexpect presents new by 12m\nexpect runs = 1\n",
	       M);
	FAILS("cards 10\ncard 1-3 absent to 10m\nend by 1h\nexpect imsi new by 9m\n", M);
	PASSES("cards 10\ncard 1-3 absent to 10m\nend by 1h\nexpect at least 70% of all imsi new by 9m\n", M);
	FAILS("cards 10\ncard 1-3 absent to 10m\nend by 1h\nexpect at least 8 of all imsi new by 9m\n", M);
	FAILS("cards 10\nend by 1h\nexpect card 1 imsi old\n", M);
	FAILS("cards 10\ncard 5 wrong-keys\nend by 10m\nexpect imsi new by 9m\n", M);
	PASSES("cards 10\ncard 5 wrong-keys\nend by 10m\nexpect all but card 5 imsi new by 1m\nexpect card 5 imsi old\n"
	       "expect card 5 refused >= 5\n",
	       M);
}

static void test_counts(void **state)
{
	/* every minute, from 0 to 10m: eleven attempts */
	static const char card[] = "cards 3\ncard 1 absent to 10m\nend by 1h\n";
	static const struct {
		const char *line;
		bool holds;
	} lines[] = {
		{ "expect card 1 attempts = 11", true },
		{ "expect card 1 attempts = 10", false },
		{ "expect card 1 attempts = 12", false },
		{ "expect card 1 attempts <= 11", true },
		{ "expect card 1 attempts < 11", false },
		{ "expect card 1 attempts >= 11", true },
		{ "expect card 1 attempts > 11", false },
		{ "expect card 1 attempts >= 5 by 4m", true }, /* at 4m is by 4m */
		{ "expect card 1 attempts >= 5 by 3m59s", false },
		{ "expect card 1 attempts = 3 from 2m to 5m", true },
		{ "expect card 1 attempts = 4 from 2m to 5m", false },
		{ "expect total attempts = 13", true },
		{ "expect total attempts <= 12", false },
		{ "expect total of card 2-3 attempts = 2", true },
		{ "expect attempts <= 10 while absent", true },
		{ "expect attempts <= 9 while absent", false },
		{ "expect card 1 attempts = 5 while absent after 5m", true },
		{ "expect no attempt while memory-full", true },
		{ "expect submits = 13", true },
		{ "expect no submit from 1m10s to 2m", true },
		{ "expect no submit from 1m to 2m", false },
		{ "expect no submit while dead", true },
		{ "expect submits = 13 while healthy", true },
		{ "expect connections = 1", true },
		{ "expect binds = 1", true },
		{ "expect no bind-attempts", false },
		{ "expect rate <= 3", true },
		{ "expect rate < 3", false },
		{ "expect window <= 3", true },
		{ "expect window <= 1", false },
		{ "expect throttled = 0", true },
		{ "expect delivery-timeouts = 0", true },
		{ "expect delivery-answer <= 1s", true },
		{ "expect first-attempt <= 0s", true },
		{ "expect first-attempt > 0s", false },
		{ "expect card 1 shortest-gap >= 1m", true },
		{ "expect card 1 shortest-gap > 1m", false },
		{ "expect card 1 longest-gap <= 1m", true },
		{ "expect card 1 longest-gap < 1m", false },
		{ "expect shortest-gap >= 1m", true }, /* one attempt has no gap */
		{ "expect reached = 1", true },
		{ "expect executions = 1", true },
		{ "expect changes = 1", true },
		{ "expect no replays", true },
		{ "expect no counter-clashes", true },
		{ "expect proofs = 1", true },
		{ "expect no refused", true },
	};
	char text[300];

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(text, sizeof(text), "%s%s\n", card, lines[i].line);
		if (play(text, M, lines[i].holds ? OTASIM_PASS : OTASIM_FAIL) !=
		    (lines[i].holds ? OTASIM_PASS : OTASIM_FAIL))
			fail_msg("%s: not %s", lines[i].line, lines[i].holds ? "met" : "failed");
	}
}

static void test_bad_days(void **state)
{
	/* The gateway retries blindly, every 30 s: it talks to the dead, and it is told. */
	static const char dead[] = "cards 2\ncard 1-2 absent to 5m\nsmsc dead from 1m to 3m\nend by 10m\n";
	char text[300];

	snprintf(text, sizeof(text), "%sexpect submits = 8 while dead\nexpect imsi new by 6m\n", dead);
	PASSES(text, 30 * S);
	snprintf(text, sizeof(text), "%sexpect submits = 6 while dead after 30s\n", dead);
	PASSES(text, 30 * S);
	snprintf(text, sizeof(text), "%sexpect no submit while dead after 30s\n", dead);
	FAILS(text, 30 * S);
	/* Nobody can submit where nobody can connect. */
	PASSES("cards 2\ncard 1-2 absent to 5m\nsmsc refuses-connections from 1m to 3m\nend by 10m\n"
	       "expect no submit while refuses-connections\nexpect connections = 2\nexpect imsi new by 6m\n",
	       30 * S);
	PASSES("cards 2\nsmsc refuses-binds from 0s to 1m\nend by 10m\nexpect bind-attempts >= 2\nexpect binds = 1\n"
	       "expect imsi new by 2m\nexpect runs = 1\n",
	       30 * S);
	PASSES("cards 30\nsmsc throttling 5/s from 0s to 1m\nend by 10m\nexpect imsi new by 9m\nexpect throttled >= "
	       "20\n",
	       20 * S);
	PASSES("cards 20\nsmsc flaky 60% to 10m\nend by 20m\nexpect imsi new by 15m\nexpect executions = 1\n"
	       "expect runs = 1\nexpect connections >= 2\n",
	       20 * S);
	PASSES("cards 5\nsmsc closes-after-submit to 5m\nend by 20m\nexpect imsi new by 15m\nexpect runs = 1\n"
	       "expect connections >= 5\n",
	       20 * S);
	PASSES("cards 5\nsmsc rubbish to 2m\nend by 20m\nexpect imsi new by 15m\nexpect runs = 1\n", 20 * S);
	PASSES("cards 5\nsmsc stuck to 2m\nend by 20m\nexpect imsi old until 2m\nexpect imsi new by 3m\nexpect runs = "
	       "1\n",
	       20 * S);
}

static void test_phones(void **state)
{
	PASSES("cards 6\nend by 30m\n"
	       "card 1 memory-full to 5m\ncard 2 toolkit-busy to 5m\ncard 3 silent to 5m\ncard 4 ignores to 5m\n"
	       "card 5 slow 20s\ncard 6 refuses-writes to 5m\n"
	       "expect card 1-2 imsi old until 5m\nexpect card 1-2 imsi new by 6m\n"
	       "expect card 1 attempts <= 6 while memory-full\n"
	       "expect card 3 imsi new by 1m\nexpect card 3 proofs = 1\nexpect card 3 replays >= 5\n"
	       "expect card 4 reached >= 5\nexpect card 4 imsi new by 6m\n"
	       "expect card 5 imsi new by 1m\n"
	       "expect card 6 imsi old\n",
	       M);
}

static void test_replays(void **state)
{
	/* The answer is lost with the link; the card says how it takes the second one. */
	PASSES("cards 1\nend by 10m\ncard 1 silent to 30s\nexpect replays = 1\nexpect executions = 1\nexpect imsi new "
	       "by 1m\n",
	       M);
	FAILS("cards 1\nend by 10m\ncard 1 silent to 30s\nexpect no replays\n", M);
}

static void send_part(struct gw *g, const uint8_t *ud, size_t len, bool udhi)
{
	struct smpp_pdu p = { .id = SMPP_SUBMIT_SM,
			      .seq = ++g->seq,
			      .sm = { .src = { 2, 1, "12345" },
				      .dst = { 1, 1, g->o->fleet.cards[0].msisdn },
				      .esm_class = udhi ? 0x40 : 0,
				      .sm = { ud, len } } };

	put(g, &p);
}

/* All parts of a message are one attempt; the rate counts PDUs, within any second. */
static void test_parts_and_rate(void **state)
{
	static const uint8_t first[] = { 5, 0, 3, 7, 2, 1, 'a' }, second[] = { 5, 0, 3, 7, 2, 2, 'b' },
			     wide[] = { 9, 0x70, 0, 8, 4, 1, 2, 2, 2, 0, 'c' }, broken[] = { 60, 0, 3 };
	struct otasim *o = make("cards 1\nend at 1h\n");
	struct gw *g = gw_new(o, H);

	g->card[0].done = true; /* nothing by itself */
	turn(g);
	assert_true(g->bound);
	send_part(g, first, sizeof(first), true);
	send_part(g, second, sizeof(second), true);
	assert_int_equal(run_card(o->run, 0)->attempts, 1);
	assert_int_equal(run_card(o->run, 0)->submits, 2);
	send_part(g, wide, sizeof(wide), true); /* part 2, after another element */
	assert_int_equal(run_card(o->run, 0)->attempts, 1);
	send_part(g, second, sizeof(second), false); /* no header: text that looks like one */
	send_part(g, broken, sizeof(broken), true);
	assert_int_equal(run_card(o->run, 0)->attempts, 3);
	assert_int_equal(run_door(o->run, 0)->rate_max, 5);
	g->now_ms += 1000; /* another second */
	for (int i = 0; i < 4; i++)
		send_part(g, first, sizeof(first), true);
	assert_int_equal(run_door(o->run, 0)->rate_max, 5);
	g->now_ms += 999; /* still the same */
	send_part(g, first, sizeof(first), true);
	send_part(g, first, sizeof(first), true);
	assert_int_equal(run_door(o->run, 0)->rate_max, 6);
	gw_free(g);
	otasim_free(o);
}

/* What is waited for is settled as soon as enough cards have it. */
static void test_enough_is_enough(void **state)
{
	struct otasim *o = make("cards 4\ncard 4 absent\nend at 1h\nexpect at least 75% of all imsi new by 30m\n");
	struct gw *g = gw_new(o, M);
	struct run_result res;

	go(g, M);
	run_result(o->run, 0, &res);
	assert_int_equal(res.verdict, RUN_PASS);
	assert_in_range(res.settled_ms, 1, 10 * S);
	gw_free(g);
	otasim_free(o);
}

/* All cards are named that have broken a limit, not the first one alone; the time is the first one's. */
static void test_failures_are_collected(void **state)
{
	struct otasim *o = make("cards 5\ncard 2-4 absent to 5m\nend at 10m\n"
				"expect attempts <= 2\nexpect attempts <= 2 by 1m\nexpect submits <= 3\n"
				"expect at least 40% of all attempts = 1\n");
	struct gw *g = gw_new(o, 30 * S);
	struct run_result res;
	char why[RUN_WHY_MAX];

	go(g, SCN_NEVER);
	run_result(o->run, 0, &res);
	assert_int_equal(res.verdict, RUN_FAIL);
	assert_int_equal(res.settled_ms, M);
	assert_int_equal(res.bad, 3);
	assert_int_equal(res.shown[2].card, 3);
	run_result(o->run, 1, &res);
	assert_int_equal(res.bad, 3);
	run_result(o->run, 2, &res);
	assert_int_equal(res.settled_ms, 0);
	assert_string_equal(run_why(o->run, &res, why), "it is 35");
	run_result(o->run, 3, &res);
	assert_int_equal(res.verdict, RUN_PASS);
	gw_free(g);
	otasim_free(o);
}

/* ---- how it ends ---- */

static void test_ends(void **state)
{
	struct otasim *o = make("cards 3\nend by 1h\nquiet 20s\nexpect imsi new by 10m\nexpect runs = 1");
	struct gw *g = gw_new(o, M);

	go(g, SCN_NEVER);
	assert_in_range(run_ended_ms(o->run), 20 * S, 40 * S); /* settled, and silent for 20 s */
	assert_int_equal(otasim_verdict(o), OTASIM_PASS);
	gw_free(g);
	otasim_free(o);
	o = make("cards 3\nend at 1h\nquiet 20s\nexpect imsi new by 10m\nexpect runs = 1");
	g = gw_new(o, M);
	go(g, SCN_NEVER);
	assert_int_equal(run_ended_ms(o->run), H);
	gw_free(g);
	otasim_free(o);
	o = make("cards 3\nend by 1h\nexpect runs = 1"); /* nothing is settled before the end */
	g = gw_new(o, M);
	go(g, 30 * M);
	assert_false(otasim_ended(o));
	assert_int_equal(otasim_verdict(o), OTASIM_OPEN);
	otasim_stop(o, g->now_ms);
	assert_true(otasim_ended(o));
	assert_int_equal(otasim_verdict(o), OTASIM_OPEN);
	gw_free(g);
	otasim_free(o);
	o = make("cards 3"); /* expects nothing */
	otasim_step(o, T0 + H);
	assert_true(otasim_ended(o));
	assert_int_equal(otasim_verdict(o), OTASIM_PASS);
	otasim_free(o);
}

static void test_begins_with_the_first_connection(void **state)
{
	struct otasim *o = make("cards 1\nbegin first-connection\nend at 1m\ncard 1 absent to 30s\n");
	int s;

	otasim_step(o, T0 + H);
	assert_false(otasim_ended(o));
	assert_false(sim_air_present(o->air, 0));
	s = otasim_connect(o, 0, T0 + H);
	assert_true(s >= 0);
	otasim_step(o, T0 + H + 29 * S);
	assert_false(sim_air_present(o->air, 0));
	otasim_step(o, T0 + H + 30 * S);
	assert_true(sim_air_present(o->air, 0));
	otasim_step(o, T0 + H + M);
	assert_true(otasim_ended(o));
	otasim_free(o);
}

/* ---- the same every time ---- */

static const char storm[] = "cards 40\nseed 5\nend by 2h\nset loss 5%\nset dup 5%\nset gap 20%\n"
			    "group far = 30%\nfar absent from 0s..2m for 1m..10m\n10% memory-full to 3m\n"
			    "20% slow 2s..30s\nsmsc flaky from 1m to 5m\nsmsc dead from 6m to 7m\n"
			    "expect imsi new by 1h\nexpect runs = 1\n";

static uint64_t hash_of(const char *text)
{
	struct otasim *o = make(text);
	struct gw *g = gw_new(o, 20 * S);
	uint64_t h = 1, after = 0;
	struct run_line l;

	go(g, SCN_NEVER);
	for (; run_line(o->run, after, &l); after = l.n) {
		h = (h ^ (uint64_t)l.t_ms) * 0x100000001b3u;
		h = (h ^ l.token ^ (uint64_t)l.kind << 32 ^ l.status) * 0x100000001b3u;
	}
	assert_int_equal(otasim_verdict(o), OTASIM_PASS);
	assert_true(after > 300);
	gw_free(g);
	otasim_free(o);
	return h;
}

static void test_same_seed_same_story(void **state)
{
	uint64_t h = hash_of(storm);
	char other[sizeof(storm)];

	assert_true(h == hash_of(storm));
	strcpy(other, storm);
	*strstr(other, "seed 5") = '#';
	assert_true(h != hash_of(other));
}

/* Steps of a minute see the same as steps from event to event. */
static void test_coarse_steps(void **state)
{
	static const char text[] = "cards 20\nend at 1h\nset gap 100%\nset gap-for 1s..100s\n"
				   "every 2nd absent from 1s for 5s..8s every 10s\n10% memory-full from 3m to 4m\n";
	struct otasim *a = make(text), *b = make(text);
	uint64_t oldest;

	for (int64_t t = T0; t <= T0 + H; t += M)
		otasim_step(a, t);
	for (int i = 0; i < STEPS_MAX && otasim_next_due(b) <= T0 + H; i++)
		otasim_step(b, otasim_next_due(b));
	assert_true(run_lines(a->run, &oldest) > 1000);
	assert_int_equal(run_lines(a->run, &oldest), run_lines(b->run, &oldest));
	for (uint64_t n = 0; n < run_lines(a->run, &oldest); n++) {
		struct run_line x, y;

		assert_true(run_line(a->run, n, &x) && run_line(b->run, n, &y));
		assert_int_equal(x.t_ms, y.t_ms);
		assert_int_equal(x.card, y.card);
	}
	otasim_free(a);
	otasim_free(b);
}

/* ---- books and reports ---- */

static void test_log_is_bounded(void **state)
{
	/* ten cards come and go: an alert each time */
	struct otasim *o = make("cards 10\nend at 20d\nall absent from 1s for 50s every 2m\n");
	uint64_t oldest, newest;
	struct run_line l;

	otasim_step(o, T0 + 19 * 24 * H);
	newest = run_lines(o->run, &oldest);
	assert_true(newest > RUN_LOG_MAX + 1000);
	assert_int_equal(newest - oldest + 1, RUN_LOG_MAX);
	assert_true(run_line(o->run, 0, &l));
	assert_int_equal(l.n, oldest);
	assert_true(run_line(o->run, newest - 1, &l));
	assert_int_equal(l.n, newest);
	assert_false(run_line(o->run, newest, &l));
	assert_int_equal(run_card(o->run, 3)->alerts, newest / 10);
	otasim_free(o);
}

static char *memory_of(const struct otasim *o, void (*write)(const struct otasim *o, FILE *out))
{
	char *text = NULL;
	size_t len;
	FILE *mem = open_memstream(&text, &len);

	assert_non_null(mem);
	write(o, mem);
	fclose(mem);
	return text;
}

static void test_reports(void **state)
{
	struct otasim *o = make("scenario <a> & \"b\" \xc3\xbc \xff\n"
				"cards 30\nend by 10m\ncard 7-25 absent\nexpect imsi new by 1m\nexpect runs <= 1\n");
	struct gw *g = gw_new(o, 30 * S);
	char *text, line[100], why[RUN_WHY_MAX];
	unsigned number;

	go(g, 30 * S);
	text = memory_of(o, otasim_junit);
	assert_non_null(
		strstr(text, "<testsuites tests=\"2\" failures=\"0\" errors=\"2\" skipped=\"0\" time=\"30.000\">"));
	assert_non_null(strstr(text, "<error message=\"not judged yet\"/>"));
	free(text);
	go(g, SCN_NEVER);
	text = memory_of(o, otasim_junit);
	assert_non_null(
		strstr(text,
		       "name=\"&lt;a&gt; &amp; &quot;b&quot; \xc3\xbc ?\" tests=\"2\" failures=\"1\" errors=\"0\""));
	assert_non_null(
		strstr(text,
		       "name=\"line 5: expect imsi new by 1m\" time=\"60.000\">\n      <failure message=\"19 of 30 "
		       "cards: card 7 (89"));
	assert_non_null(strstr(text, "has the old one and 9 more\"/>"));
	assert_non_null(strstr(text, "name=\"line 6: expect runs &lt;= 1\" time=\""));
	free(text);
	text = memory_of(o, otasim_summary);
	assert_non_null(strstr(text, "FAIL  x.scn:5: expect imsi new by 1m (1m): 19 of 30 cards: card 7 ("));
	assert_non_null(strstr(text, "pass  x.scn:6: expect runs <= 1"));
	assert_non_null(strstr(text, "\n1 passed, 1 failed\n"));
	free(text);
	assert_int_equal(otasim_expectations(o), 2);
	assert_int_equal(otasim_expectation(o, 0, &number, line, sizeof(line), why, sizeof(why)), OTASIM_FAIL);
	assert_int_equal(number, 5);
	assert_string_equal(line, "expect imsi new by 1m");
	assert_true(!strncmp(why, "19 of 30 cards", 14));
	assert_int_equal(otasim_expectation(o, 1, NULL, NULL, 0, NULL, 0), OTASIM_PASS);
	assert_int_equal(otasim_expectation(o, 2, NULL, NULL, 0, NULL, 0), OTASIM_OPEN);
	gw_free(g);
	otasim_free(o);
}

static void test_cards_and_lists(void **state)
{
	char dir[] = "/tmp/otasim-run-XXXXXX", path[64], text[4096];
	struct otasim *o = make("cards 2\ncard 2 wrong-keys\nend by 10m\nexpect imsi new by 5m\n");
	struct gw *g = gw_new(o, M);
	struct otasim_card c, wrong;
	FILE *in;
	size_t n;

	go(g, 30 * S);
	otasim_card(o, 0, &c);
	otasim_card(o, 1, &wrong);
	assert_string_equal(c.imsi_stored, c.imsi_new);
	assert_string_equal(wrong.imsi_stored, wrong.imsi_first);
	assert_int_equal(c.attempts, 1);
	assert_int_equal(c.runs, 1);
	assert_int_equal(c.counter, 1);
	assert_int_equal(strlen(c.kic), 32);
	assert_int_equal(wrong.refused, 1);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(otasim_write_lists(o, dir, err), 0);
	snprintf(path, sizeof(path), "%s/cards.csv", dir);
	in = fopen(path, "r");
	assert_non_null(in);
	n = fread(text, 1, sizeof(text) - 1, in);
	text[n] = '\0';
	fclose(in);
	assert_non_null(strstr(text, wrong.kic));
	assert_non_null(strstr(text, wrong.kid));
	assert_non_null(strstr(text, c.kik));
	unlink(path);
	snprintf(path, sizeof(path), "%s/new-imsi.csv", dir);
	unlink(path);
	rmdir(dir);
	gw_free(g);
	otasim_free(o);
}

static void test_what_cannot_be(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "card 1 ubsent", "x.scn:1: \"ubsent\" is not something a card can be; did you mean \"absent\"?" },
		{ "\nset latencie 5ms",
		  "x.scn:2: \"latencie\" is not an option that a scenario can set; did you mean \"latency\"?" },
		{ "set dir /tmp",
		  "x.scn:1: \"dir\" is not an option that a scenario can set; there are: alg, first-counter" },
		{ "set seed 7",
		  "x.scn:1: \"seed\" is not an option that a scenario can set; there are: alg, first-counter" },
		{ "set latency", "x.scn:1: set latency: its value is missing" },
		{ "set pad-80 yes", "x.scn:1: set pad-80: takes no value" },
		{ "set latency soon", "x.scn:1: set latency: \"soon\" is not a value it can have" },
		{ "set pairs 3\nset alg aes128\ncards 3\ncard 1 wrong-keys",
		  "x.scn:4: wrong-keys: not for cards with key pairs of their own" },
		{ "cards 1000000\nall absent from 1s\nall absent from 2s\nall absent from 3s\nall absent from 4s\n"
		  "all absent from 5s",
		  "x.scn:6: with this line more than 4000000 changes of cards are to be kept" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct otasim_cfg cfg = { .file = "x.scn", .text = bad[i].text, .len = strlen(bad[i].text) };

		assert_null(otasim_new(&cfg, T0, err));
		if (strncmp(err, bad[i].says, strlen(bad[i].says)))
			fail_msg("about \"%s\" it is said\n%s\nand not\n%s", bad[i].text, err, bad[i].says);
	}
	{
		struct otasim_cfg cfg = { .file = "/nonexistent/y.scn" };

		assert_null(otasim_new(&cfg, T0, err));
		assert_string_equal(err, "cannot read scenario /nonexistent/y.scn: No such file or directory");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_kinds_of_cards),
		cmocka_unit_test(test_smscs_have_their_days),
		cmocka_unit_test(test_power_cycle),
		cmocka_unit_test(test_imsi_and_coverage),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_bad_days),
		cmocka_unit_test(test_phones),
		cmocka_unit_test(test_replays),
		cmocka_unit_test(test_parts_and_rate),
		cmocka_unit_test(test_enough_is_enough),
		cmocka_unit_test(test_failures_are_collected),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_begins_with_the_first_connection),
		cmocka_unit_test(test_same_seed_same_story),
		cmocka_unit_test(test_coarse_steps),
		cmocka_unit_test(test_log_is_bounded),
		cmocka_unit_test(test_reports),
		cmocka_unit_test(test_cards_and_lists),
		cmocka_unit_test(test_what_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
