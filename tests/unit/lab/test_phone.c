/* test_phone.c - one phone of otabsc around a card with the subscription applet, and a network that the test plays.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Time is the test's.  Every MM message of the phone is looked at for its number N(SD) (TS 24.007, 11.2.3.2.3.1): OsmoMSC takes
 * a wrong one for a repetition and says nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "phone.h"
#include "sub_test.h"

#define SENT_MAX 16
#define A	 0
#define B	 1
#define PLMN_A	 "00f120" /* 00102, where the cards of these tests are at home */
#define PLMN_B	 "00f130"
#define ORDER	 7
#define MINUTE	 60000

struct net {
	struct bench b;
	struct phone phone;
	struct phone_cfg cfg;
	int64_t now_ms;
	bool down[2]; /* an MSC that cannot be reached */
	bool open;
	int msc;
	unsigned opened, dropped, n_sd;
	struct oct sent
		[SENT_MAX]; /* what the phone has said and nobody has looked at yet; the first of a connection, too */
	unsigned n;
	char line[400]; /* the last event */
	uint64_t rand;
};

static void keep(struct net *n, const uint8_t *l3, size_t len)
{
	struct oct *o = &n->sent[n->n];

	assert_in_range(n->n, 0, SENT_MAX - 1);
	assert_in_range(len, 2, PHONE_L3_MAX);
	if ((l3[0] & 0x0f) == PD_MM) {
		assert_int_equal(l3[1] >> 6, n->n_sd & 3);
		n->n_sd++;
	}
	memcpy(o->b, l3, len);
	o->len = len;
	if ((l3[0] & 0x0f) == PD_MM)
		o->b[1] &= 0x3f;
	n->n++;
}

static int net_home(void *ctx, const char *imsi)
{
	return !strncmp(imsi, "00102", 5) ? A : !strncmp(imsi, "00103", 5) ? B : PHONE_NOWHERE;
}

static bool net_open(void *ctx, struct phone *ph, int msc, const uint8_t *l3, size_t len)
{
	struct net *n = ctx;

	assert_false(n->open);
	if (n->down[msc])
		return false;
	n->open = true;
	n->msc = msc;
	n->opened++;
	n->n_sd = 0;
	keep(n, l3, len);
	return true;
}

static void net_send(void *ctx, struct phone *ph, uint8_t sapi, const uint8_t *l3, size_t len)
{
	struct net *n = ctx;

	assert_true(n->open);
	assert_int_equal(sapi, (l3[0] & 0x0f) == PD_SMS ? SMS_SAPI : 0);
	keep(n, l3, len);
}

static void net_drop(void *ctx, struct phone *ph)
{
	struct net *n = ctx;

	assert_true(n->open);
	n->open = false;
	n->dropped++;
}

/* The card has been reset: the judge has to see it before anything else happens. */
static void net_presents(void *ctx, struct phone *ph)
{
	struct net *n = ctx;

	bench_look(&n->b);
}

static void net_say(void *ctx, const char *line)
{
	struct net *n = ctx;

	snprintf(n->line, sizeof(n->line), "%s", line);
}

static const struct phone_net ops = {
	.home = net_home,
	.open = net_open,
	.send = net_send,
	.drop = net_drop,
	.presents = net_presents,
	.say = net_say,
};

static void net_init(struct net *n)
{
	memset(n, 0, sizeof(*n));
	bench_init(&n->b, 1, 3);
	phone_cfg_default(&n->cfg);
	n->now_ms = 1000000;
	phone_init(&n->phone, 1, &n->b.card, &n->cfg, &ops, n);
}

/* ---- the network's part ---- */

static void l3(struct net *n, const char *text)
{
	char hex[600], *p = hex;
	struct oct o;

	for (; *text; text++) {
		if (*text != ' ')
			*p++ = *text;
	}
	*p = '\0';
	o = oct_hex(hex);
	phone_l3(&n->phone, (o.b[0] & 0x0f) == PD_SMS ? SMS_SAPI : 0, o.b, o.len, n->now_ms);
}

/* The next thing that the phone has said begins like this. */
static struct oct said(struct net *n, const char *hex)
{
	struct oct want = oct_hex(hex), got;

	assert_int_not_equal(n->n, 0);
	got = n->sent[0];
	if (got.len < want.len || memcmp(got.b, want.b, want.len))
		fail_msg("the phone said %02x%02x%02x.. and not %s.. (last event: %s)", got.b[0], got.b[1], got.b[2],
			 hex, n->line);
	memmove(n->sent, n->sent + 1, --n->n * sizeof(n->sent[0]));
	return got;
}

static void silent(struct net *n)
{
	assert_int_equal(n->n, 0);
}

/* RLSD */
static void over(struct net *n)
{
	assert_true(n->open);
	n->open = false;
	phone_over(&n->phone, n->now_ms);
}

/* Everything that happens by itself until then. */
static void run_until(struct net *n, int64_t until_ms)
{
	for (unsigned i = 0; phone_next_due(&n->phone) <= until_ms; i++) {
		assert_true(i < 10000);
		if (phone_next_due(&n->phone) > n->now_ms)
			n->now_ms = phone_next_due(&n->phone);
		phone_step(&n->phone, n->now_ms);
	}
	n->now_ms = until_ms;
}

static void run_for(struct net *n, int64_t ms)
{
	run_until(n, n->now_ms + ms);
}

static void ask_auth(struct net *n, struct sim_challenge *ch)
{
	uint8_t rand[16];
	char text[200], *p = text;

	for (int i = 0; i < 16; i++)
		rand[i] = (uint8_t)bench_random(&n->b);
	assert_int_equal(sim_sub_challenge(&n->b.card, rand, ch), 0);
	p += sprintf(p, "051200");
	for (int i = 0; i < 16; i++)
		p += sprintf(p, "%02x", ch->rand[i]);
	p += sprintf(p, "2010");
	for (int i = 0; i < 16; i++)
		p += sprintf(p, "%02x", ch->autn[i]);
	l3(n, text);
}

static void authenticate(struct net *n)
{
	struct sim_challenge ch;
	struct oct o;

	ask_auth(n, &ch);
	o = said(n, "0514");
	assert_int_equal(o.len, 12);
	assert_memory_equal(o.b + 2, ch.xres, 4);
	assert_memory_equal(o.b + 8, ch.xres + 4, 4);
}

/* A location update from its first message, which has been looked at, to its end. */
static void let_in(struct net *n, const char *plmn, uint32_t tmsi)
{
	char text[80];

	authenticate(n);
	sprintf(text, "0502%s00011705f4%08x", plmn, tmsi);
	l3(n, text);
	said(n, "051b");
	over(n);
	bench_look(&n->b);
}

static void registered(struct net *n)
{
	phone_on(&n->phone, n->now_ms);
	said(n, "050872");
	let_in(n, PLMN_A, 0x11111111);
	assert_int_equal(n->phone.at, A);
}

/* CP-DATA with RP-DATA with an SMS-DELIVER for the card. */
static void deliver(struct net *n, uint8_t ti, uint8_t ref, const struct oct *ud)
{
	uint8_t b[300];
	struct wr w = wr_init(b, sizeof(b));

	wr_u8(&w, (uint8_t)(ti << 4 | PD_SMS));
	wr_u8(&w, CP_DATA);
	wr_u8(&w, (uint8_t)(2 + 8 + 1 + 1 + 15 + ud->len));
	wr_u8(&w, RP_DATA_DOWN);
	wr_u8(&w, ref);
	wr_bytes(&w, "\x07\x91\x44\x77\x58\x10\x06\x50\x00", 9);
	wr_u8(&w, (uint8_t)(15 + ud->len));
	wr_bytes(&w, "\x40\x04\xa1\x09\x00\x7f\xf6\x62\x11\x22\x00\x00\x00\x00", 14);
	wr_u8(&w, (uint8_t)ud->len);
	wr_bytes(&w, ud->b, ud->len);
	assert_false(w.bad);
	phone_l3(&n->phone, SMS_SAPI, b, wr_len(&w), n->now_ms);
}

static void page(struct net *n, int msc)
{
	phone_paged(&n->phone, msc, n->now_ms);
}

/* Packets under the keys in force. */
static uint8_t packet(struct net *n, const struct oct *script, struct oct ud[BENCH_UDS_MAX])
{
	const struct sim_sub_rec *r = sim_sub_rec(&n->b.sub);
	const struct sim_pair *p = sim_sub_pair(&n->b.sub, r->index);

	return bench_uds(r->kvn, &p->ota, p->cntr + 1, script, ud);
}

/* Paging, a packet in one connection; then the proof as MO message in the next one.  What comes after that is the caller's. */
static void command(struct net *n, const struct oct *script)
{
	struct oct ud[BENCH_UDS_MAX], o;
	uint8_t parts = packet(n, script, ud);

	page(n, n->phone.at);
	said(n, "0627");
	authenticate(n);
	for (uint8_t i = 0; i < parts; i++) {
		deliver(n, i, (uint8_t)(0x40 + i), &ud[i]);
		o = said(n, "");
		assert_int_equal(o.b[0], (i | CP_TI_FLAG) << 4 | PD_SMS);
		assert_int_equal(o.b[1], CP_ACK);
		o = said(n, "");
		assert_int_equal(o.b[1], CP_DATA);
		assert_int_equal(o.b[3], RP_ACK_UP);
		assert_int_equal(o.b[4], 0x40 + i);
	}
	silent(n);
	over(n);
	bench_look(&n->b);
}

/* The proof leaves; its RP-ACK. */
static struct oct proof(struct net *n)
{
	struct oct o;
	char text[40];

	said(n, "052474");
	authenticate(n);
	l3(n, "0521");
	o = said(n, "0901");
	assert_int_equal(o.b[3], RP_DATA_UP);
	l3(n, "8904"); /* CP-ACK */
	sprintf(text, "89010203%02x", o.b[4]);
	l3(n, text);
	said(n, "0904");
	over(n);
	return o;
}

static void arm(struct net *n, const char *imsi, uint32_t trial_s)
{
	struct set_spec s = { .order = ORDER, .from = 1, .to = 2, .imsi = imsi, .plmns = PLMN_B, .trial_s = trial_s };
	struct oct set = set_of(&s), stage = cmd_set(0x32, &set), go = cmd_arm(ORDER, &set);

	command(n, &stage);
	proof(n);
	assert_int_equal(state_of(&n->b), SIM_SUB_STAGED);
	command(n, &go);
	proof(n);
	assert_int_equal(state_of(&n->b), SIM_SUB_ARMED);
}

static struct loci loci_of(const struct net *n)
{
	return usim_loci(&n->b.card);
}

/* ---- registering ---- */

static void registers(void **state)
{
	struct net n;
	struct oct o;

	net_init(&n);
	assert_int_equal(phone_next_due(&n.phone), PHONE_NEVER); /* switched off */
	phone_on(&n.phone, n.now_ms);
	o = said(&n, "050872");
	assert_int_equal(o.b[8], 0x57);
	assert_int_equal(o.b[10] & 7, MOBILE_ID_IMSI); /* whatever TMSI the factory left in EF_LOCI */
	assert_int_equal(n.msc, A);
	l3(&n, "051801"); /* identity request */
	o = said(&n, "0519");
	assert_int_equal(o.b[3] & 7, MOBILE_ID_IMSI);
	authenticate(&n);
	l3(&n, "0502" PLMN_A "00011705f4aabbccdd");
	said(&n, "051b");
	assert_int_equal(n.phone.at, A);
	assert_int_equal(loci_of(&n).status, LOCI_UPDATED);
	assert_int_equal(loci_of(&n).tmsi, 0xaabbccdd);
	over(&n);
	/* the next time by that TMSI; of the same network alone */
	run_until(&n, phone_next_due(&n.phone));
	o = said(&n, "050871");
	assert_memory_equal(o.b + 9, "\x05\xf4\xaa\xbb\xcc\xdd", 6);
	over(&n);
	n.phone.tmsi_msc = B; /* another one's is no name here */
	phone_locate(&n.phone, n.now_ms);
	o = said(&n, "050870");
	assert_int_equal(o.b[10] & 7, MOBILE_ID_IMSI);
}

static void refused_and_again(void **state)
{
	struct net n;
	int64_t before;

	net_init(&n);
	phone_on(&n.phone, n.now_ms);
	for (int i = 0; i < 4; i++) {
		said(&n, "050872");
		l3(&n, "050402"); /* IMSI unknown in HLR */
		over(&n);
		assert_int_equal(n.phone.at, PHONE_NOWHERE);
		assert_int_equal(loci_of(&n).status, LOCI_PLMN_NOT_ALLOWED);
		before = n.now_ms;
		run_until(&n, phone_next_due(&n.phone));
		assert_in_range(n.now_ms - before, 2000 << i, (2000 << i) + 100);
	}
	said(&n, "050872");
	let_in(&n, PLMN_A, 1);
	assert_int_equal(n.phone.at, A);
	assert_int_equal(n.phone.counts.lu_refused, 4);
}

static void strict_phones_give_up(void **state)
{
	struct net n;

	net_init(&n);
	n.cfg.strict = true;
	phone_on(&n.phone, n.now_ms);
	said(&n, "050872");
	l3(&n, "050402");
	over(&n);
	run_for(&n, 60 * MINUTE);
	silent(&n);
	phone_on(&n.phone, n.now_ms); /* off and on */
	said(&n, "050872");
	l3(&n, "050411"); /* network failure: tries again */
	over(&n);
	run_for(&n, MINUTE);
	said(&n, "050872");
}

static void the_network_is_away(void **state)
{
	struct net n;

	net_init(&n);
	n.down[A] = true;
	phone_on(&n.phone, n.now_ms);
	run_for(&n, 10 * MINUTE);
	silent(&n);
	n.down[A] = false;
	phone_network_up(&n.phone, n.now_ms);
	run_for(&n, 100); /* at once, and not after a minute */
	said(&n, "050872");
	/* no answer at all: it hangs up and tries again */
	run_for(&n, 19000);
	assert_true(n.open);
	run_for(&n, 2000);
	assert_false(n.open);
	assert_int_equal(n.dropped, 1);
	assert_int_equal(n.phone.counts.lu_lost > 0, 1);
	run_for(&n, 5000);
	said(&n, "050872");
}

static void wrong_key_and_resync(void **state)
{
	struct sim_challenge ch;
	struct net n;
	struct oct o;

	net_init(&n);
	phone_on(&n.phone, n.now_ms);
	said(&n, "050872");
	/* the challenge is right, then the card's K is not */
	ask_auth(&n, &ch);
	said(&n, "0514");
	assert_true(usim_wrong_k(&n.b.card, 0));
	over(&n);
	run_for(&n, 3000);
	said(&n, "050872");
	assert_true(usim_wrong_k(&n.b.card, 1));
	assert_int_equal(sim_sub_challenge(&n.b.card, ch.rand, &ch), 0);
	assert_true(usim_wrong_k(&n.b.card, 0));
	{
		char text[200], *p = text + sprintf(text, "051200");

		for (int i = 0; i < 16; i++)
			p += sprintf(p, "%02x", ch.rand[i]);
		p += sprintf(p, "2010");
		for (int i = 0; i < 16; i++)
			p += sprintf(p, "%02x", ch.autn[i]);
		l3(&n, text);
		o = said(&n, "051c14"); /* MAC failure */
		assert_int_equal(o.len, 3);
		assert_true(usim_wrong_k(&n.b.card, 0));
		/* the register is behind */
		assert_true(usim_sqn(&n.b.card, 1000000));
		l3(&n, text);
		o = said(&n, "051c15220e");
		assert_int_equal(o.len, 19);
	}
	assert_int_equal(n.phone.counts.resyncs, 1);
	let_in(&n, PLMN_A, 1);
	assert_false(usim_wrong_k(&n.b.card, 9)); /* not held */
}

/* ---- messages ---- */

static void swap_of_the_operator(void **state)
{
	struct net n;
	struct oct o;

	net_init(&n);
	registered(&n);
	arm(&n, IMSI_B, 0);
	assert_int_equal(n.phone.counts.refreshes, 0);
	run_for(&n, 1000);
	assert_int_equal(n.phone.counts.refreshes, 1);
	o = said(&n, "050872");
	assert_int_equal(n.msc, B);
	assert_int_equal(o.b[10] & 7, MOBILE_ID_IMSI);
	assert_int_equal(state_of(&n.b), SIM_SUB_TRIAL);
	assert_int_equal(n.phone.at, PHONE_NOWHERE);
	let_in(&n, PLMN_B, 0x22222222);
	assert_int_equal(n.phone.at, B);
	assert_int_equal(state_of(&n.b), SIM_SUB_CONFIRMED);
	page(&n, A); /* nobody hears it there */
	silent(&n);
	page(&n, B);
	o = said(&n, "0627");
	assert_memory_equal(o.b + 7, "\x05\xf4\x22\x22\x22\x22", 6);
}

/* Nobody lets it in over there: powered time goes by, and the card comes home. */
static void nobody_lets_it_in(void **state)
{
	struct net n;

	net_init(&n);
	registered(&n);
	arm(&n, IMSI_B, 120);
	n.down[B] = true;
	run_for(&n, 1000);
	assert_int_equal(state_of(&n.b), SIM_SUB_TRIAL);
	run_for(&n, 60000);
	assert_int_equal(state_of(&n.b), SIM_SUB_TRIAL);
	phone_powered(&n.phone, 200, n.now_ms);
	run_for(&n, 1000);
	bench_look(&n.b);
	said(&n, "050872");
	assert_int_equal(n.msc, A);
	let_in(&n, PLMN_A, 5);
	assert_int_equal(n.phone.at, A);
	assert_string_equal(n.b.card.imsi_presented, IMSI_A);
}

static void proof_says_what_the_card_says(void **state)
{
	struct oct status = cmd_order(0x30, ORDER), o;
	struct net n;

	net_init(&n);
	registered(&n);
	command(&n, &status);
	o = proof(&n);
	/* CP-DATA len RP-DATA ref, no OA, DA as the message came from, UD: SMS-SUBMIT to its originator, UDH 02 71 00 */
	assert_memory_equal(o.b + 5, "\x00\x07\x91\x44\x77\x58\x10\x06\x50", 9);
	assert_int_equal(o.b[15], 0x41);
	assert_memory_equal(o.b + 17, "\x04\xa1\x09\x00\x00\xf6", 6);
	assert_memory_equal(o.b + 24, "\x02\x71\x00", 3);
	assert_int_equal(n.phone.counts.mo_ok, 1);
	run_for(&n, 1000);
	silent(&n);
}

static void proof_in_the_rp_ack(void **state)
{
	struct oct status = cmd_order(0x30, ORDER), ud[BENCH_UDS_MAX], o;
	struct net n;

	net_init(&n);
	n.b.card.profile.interim_0b = true; /* the report announces the message */
	registered(&n);
	page(&n, A);
	said(&n, "0627");
	authenticate(&n);
	packet(&n, &status, ud);
	deliver(&n, 2, 9, &ud[0]);
	said(&n, "a904");
	o = said(&n, "a901");
	assert_int_equal(o.b[3], RP_ACK_UP);
	assert_int_equal(o.b[5], 0x41); /* RP-User-Data: SMS-DELIVER-REPORT with PID, DCS and user data */
	assert_memory_equal(o.b + 7, "\x40\x07\x7f\xf6", 4);
	assert_memory_equal(o.b + 12, "\x02\x71\x00", 3);
	over(&n);
	proof(&n);
}

static void slow_and_several(void **state)
{
	struct oct ud = oct_hex("0270000000"), o;
	struct net n;

	net_init(&n);
	registered(&n);
	n.phone.slow_ms = 8000;
	page(&n, A);
	said(&n, "0627");
	for (uint8_t ti = 0; ti < CP_TI_MAX; ti++) {
		deliver(&n, ti, ti, &ud);
		o = said(&n, "");
		assert_int_equal(o.b[0] >> 4, ti | CP_TI_FLAG);
		assert_int_equal(o.b[1], CP_ACK);
		run_for(&n, 100);
	}
	deliver(&n, 0, 0, &ud); /* the same once more */
	said(&n, "8904");
	run_for(&n, 7000);
	silent(&n);
	run_for(&n, 1000);
	for (uint8_t ti = 0; ti < CP_TI_MAX; ti++) {
		o = said(&n, "");
		assert_int_equal(o.b[0] >> 4, ti | CP_TI_FLAG);
		assert_int_equal(o.b[1], CP_DATA);
		assert_int_equal(o.b[4], ti);
		/* the card refuses such nonsense: RP-ERROR, TP-FCS D5 (TS 31.111, 7.1.1) */
		assert_int_equal(o.b[3], RP_ERROR_UP);
		assert_memory_equal(o.b + 5, "\x01\x6f\x41\x03\x00\xd5\x00", 7);
	}
	silent(&n);
	assert_int_equal(n.phone.counts.mt, CP_TI_MAX);
}

static void refused_by_the_phone(void **state)
{
	struct oct status = cmd_order(0x30, ORDER), ud[BENCH_UDS_MAX], o;
	struct net n;

	net_init(&n);
	registered(&n);
	n.phone.rp_cause = 22;
	page(&n, A);
	said(&n, "0627");
	packet(&n, &status, ud);
	deliver(&n, 0, 1, &ud[0]);
	said(&n, "8904");
	o = said(&n, "89010404");
	assert_int_equal(o.b[6], 22);
	assert_int_equal(n.b.card.messages, 0);
	/* mute: it runs, and nothing comes out */
	n.phone.rp_cause = 0;
	n.phone.mute = true;
	deliver(&n, 0, 2, &ud[0]);
	said(&n, "8904");
	said(&n, "8901020202");
	over(&n);
	run_for(&n, 50000);
	silent(&n);
	assert_int_equal(n.b.card.truth.accepted, 1);
}

static void out_of_coverage(void **state)
{
	struct oct status = cmd_order(0x30, ORDER), ud[BENCH_UDS_MAX];
	struct net n;

	net_init(&n);
	registered(&n);
	n.phone.slow_ms = 5000;
	page(&n, A);
	said(&n, "0627");
	packet(&n, &status, ud);
	deliver(&n, 0, 1, &ud[0]);
	said(&n, "8904");
	phone_cover(&n.phone, false, n.now_ms); /* the card has done it, its answer cannot leave */
	assert_int_equal(n.dropped, 1);
	page(&n, A);
	run_for(&n, 10 * MINUTE);
	silent(&n);
	phone_cover(&n.phone, true, n.now_ms);
	said(&n, "050870");
	let_in(&n, PLMN_A, 3);
	proof(&n); /* the message of the card leaves now */
	assert_int_equal(n.b.card.truth.accepted, 1);
}

/* A network that has been restarted knows nobody: the phone learns of it when it wants to send. */
static void forgotten_by_the_network(void **state)
{
	struct oct status = cmd_order(0x30, ORDER);
	struct net n;

	net_init(&n);
	registered(&n);
	command(&n, &status);
	said(&n, "052474");
	l3(&n, "052204"); /* IMSI unknown in VLR */
	over(&n);
	said(&n, "050870");
	n.down[A] = true; /* which is no try */
	let_in(&n, PLMN_A, 4);
	run_for(&n, 20000);
	silent(&n);
	n.down[A] = false;
	phone_network_up(&n.phone, n.now_ms);
	run_for(&n, 100);
	proof(&n);
	assert_int_equal(n.phone.counts.mo_ok, 1);
}

static void messages_that_do_not_leave(void **state)
{
	struct sim_addr to = { .ton = 2, .npi = 1, .digits = "9000" };
	struct net n;

	net_init(&n);
	registered(&n);
	assert_true(phone_send(&n.phone, &to, 0, 0xf6, (const uint8_t *)"\x02\x71\x00", 3, n.now_ms));
	for (int i = 0; i < 3; i++) { /* no answer, no acceptance: three times */
		said(&n, "052474");
		over(&n);
		run_for(&n, 5000);
	}
	silent(&n);
	assert_int_equal(n.phone.counts.mo_lost, 1);
	assert_true(phone_send(&n.phone, &to, 0, 0xf6, (const uint8_t *)"\x02\x71\x00", 3, n.now_ms));
	said(&n, "052474");
	l3(&n, "0521");
	said(&n, "0901");
	l3(&n, "89010405010126"); /* RP-ERROR 38 */
	said(&n, "0904");
	over(&n);
	run_for(&n, 5000);
	silent(&n);
	assert_int_equal(n.phone.counts.mo_refused, 1);
	for (int i = 0; i < PHONE_MO_MAX; i++)
		assert_true(phone_send(&n.phone, &to, 0, 0xf6, NULL, 0, n.now_ms));
	assert_false(phone_send(&n.phone, &to, 0, 0xf6, NULL, 0, n.now_ms));
}

/* REFRESH waits for the proof, but not for ever; what could not leave goes out over there. */
static void proof_that_is_late(void **state)
{
	struct set_spec s = { .order = ORDER, .from = 1, .to = 2, .imsi = IMSI_B, .plmns = PLMN_B };
	struct oct set = set_of(&s), stage = cmd_set(0x32, &set), go = cmd_arm(ORDER, &set);
	struct net n;

	net_init(&n);
	n.cfg.periodic_ms = 0;
	registered(&n);
	command(&n, &stage);
	proof(&n);
	phone_cover(&n.phone, true, n.now_ms);
	command(&n, &go);
	said(&n, "052474");
	phone_cover(&n.phone, false, n.now_ms); /* before it could leave */
	run_for(&n, 29000);
	assert_int_equal(n.phone.counts.refreshes, 0);
	run_for(&n, 2000);
	assert_int_equal(n.phone.counts.refreshes, 1);
	phone_cover(&n.phone, true, n.now_ms);
	said(&n, "050872");
	assert_int_equal(n.msc, B);
	let_in(&n, PLMN_B, 6);
	assert_int_equal(state_of(&n.b), SIM_SUB_CONFIRMED);
	proof(&n);
	assert_int_equal(n.msc, B);
}

static void no_to_refresh(void **state)
{
	struct net n;

	net_init(&n);
	n.cfg.periodic_ms = 0;
	registered(&n);
	n.phone.no_refresh = 1;
	arm(&n, IMSI_B, 0);
	run_for(&n, 1000);
	assert_int_equal(n.phone.counts.refreshes, 0);
	assert_int_equal(state_of(&n.b), SIM_SUB_ARMED);
	run_for(&n, 2 * MINUTE); /* the card asks again */
	assert_int_equal(n.phone.counts.refreshes, 1);
	said(&n, "050872");
	assert_int_equal(n.msc, B);
}

static void says_good_bye(void **state)
{
	struct net n;

	net_init(&n);
	registered(&n);
	phone_detach(&n.phone, n.now_ms);
	said(&n, "0501");
	over(&n);
	assert_false(n.phone.on);
	assert_int_equal(n.phone.at, PHONE_NOWHERE);
	page(&n, A);
	assert_int_equal(phone_next_due(&n.phone), PHONE_NEVER);
	registered(&n);
	page(&n, A);
	said(&n, "0627");
	phone_off(&n.phone, n.now_ms); /* in the middle of a connection */
	assert_int_equal(n.dropped, 1);
	assert_int_equal(phone_next_due(&n.phone), PHONE_NEVER);
	phone_detach(&n.phone, n.now_ms);
	phone_locate(&n.phone, n.now_ms);
	phone_powered(&n.phone, 10, n.now_ms);
	silent(&n);
}

static void paged_while_busy(void **state)
{
	struct net n;

	net_init(&n);
	registered(&n);
	phone_locate(&n.phone, n.now_ms);
	said(&n, "050870");
	page(&n, A);
	silent(&n);
	let_in(&n, PLMN_A, 9);
	said(&n, "0627"); /* when it has time */
	page(&n, A);
	run_for(&n, 9000);
	over(&n);
	silent(&n); /* too late for that one */
}

/* Whatever the network says, in whatever state: no assert, no octet too far, and the card stays whole. */
static void nonsense(void **state)
{
	static const char *const seeds[] = {
		"051801",
		"0521",
		"050402",
		"052204",
		"051100",
		"050200f12000011705f4aabbccdd",
		"8901020301",
		"89010405010126",
		"0901230133079144775810065000174004a109007ff662112200000000080270001122334455",
		"8904",
		"091011",
	};
	uint64_t x = 3;
	struct net n;

	net_init(&n);
	phone_on(&n.phone, n.now_ms);
	for (unsigned i = 0; i < 20000; i++) {
		struct oct o = oct_hex(seeds[i % (sizeof(seeds) / sizeof(*seeds))]);
		uint8_t *b;

		for (int k = 0; k < (int)(i / 7 % 3); k++) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			o.b[(x >> 33) % o.len] = (uint8_t)(x >> 50);
		}
		x = x * 6364136223846793005u + 1442695040888963407u;
		o.len -= (x >> 40) % 8 == 0 ? (x >> 45) % o.len : 0;
		b = malloc(o.len ? o.len : 1);
		memcpy(b, o.b, o.len);
		phone_l3(&n.phone, x >> 60 & 1 ? SMS_SAPI : (o.len && (b[0] & 0x0f) == PD_SMS ? SMS_SAPI : 0), b, o.len,
			 n.now_ms);
		free(b);
		if ((x >> 20) % 5 == 0 && n.open)
			over(&n);
		if ((x >> 20) % 7 == 0)
			page(&n, (int)(x >> 30 & 1));
		n.n = 0;
		run_for(&n, (int64_t)((x >> 10) % 3000));
		n.n = 0;
		n.n_sd = n.phone.n_sd;
	}
	bench_look(&n.b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers),
		cmocka_unit_test(refused_and_again),
		cmocka_unit_test(strict_phones_give_up),
		cmocka_unit_test(the_network_is_away),
		cmocka_unit_test(wrong_key_and_resync),
		cmocka_unit_test(swap_of_the_operator),
		cmocka_unit_test(nobody_lets_it_in),
		cmocka_unit_test(proof_says_what_the_card_says),
		cmocka_unit_test(proof_in_the_rp_ack),
		cmocka_unit_test(slow_and_several),
		cmocka_unit_test(refused_by_the_phone),
		cmocka_unit_test(out_of_coverage),
		cmocka_unit_test(forgotten_by_the_network),
		cmocka_unit_test(messages_that_do_not_leave),
		cmocka_unit_test(proof_that_is_late),
		cmocka_unit_test(no_to_refresh),
		cmocka_unit_test(says_good_bye),
		cmocka_unit_test(paged_while_busy),
		cmocka_unit_test(nonsense),
	};

	return cmocka_run_group_tests_name("otabsc: a phone", tests, NULL, NULL);
}
