/* ho_case_wire.c - cases of what is lost, late, forged or restored between gateways and cards.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>

#include "ho.h"

static struct sim_card *card_at(struct ho *w, unsigned card)
{
	return &sim_world_fleet(w->sim)->cards[card];
}

static unsigned packets(const struct ho *w, unsigned card, unsigned op, uint8_t ins)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->card[card].n_sent; i++)
		n += w->card[card].sent[i].op == op && (!ins || w->card[card].sent[i].ins == ins);
	return n;
}

static const struct ho_packet *packet(const struct ho *w, unsigned card, unsigned op, uint8_t ins)
{
	for (unsigned i = 0; i < w->card[card].n_sent; i++)
		if (w->card[card].sent[i].op == op && w->card[card].sent[i].ins == ins)
			return &w->card[card].sent[i];
	return NULL;
}

static uint64_t highest(const struct ho *w, unsigned card, unsigned op)
{
	uint64_t cntr = 0;

	for (unsigned i = 0; i < w->card[card].n_sent; i++)
		if (w->card[card].sent[i].op == op && w->card[card].sent[i].cntr > cntr)
			cntr = w->card[card].sent[i].cntr;
	return cntr;
}

/* What the card has refused: for its counter, its keys, or its rules. */
static unsigned refused(struct ho *w, unsigned card)
{
	const struct sim_card *c = card_at(w, card);

	return c->truth.replays_refused + c->truth.security_refused + c->sub->audit;
}

/* ---- F3: the proof of STAGE gets lost between the SMSC and the gateway, twice ---- */

static bool f3_up(struct ho *w, const struct sim_up *up)
{
	if (up->kind != SIM_UP_MO || up->card || up->op != HO_A || w->case_step == 2)
		return true;
	w->case_step++;
	return false;
}

static void f3_judge(struct ho *w)
{
	ho_all_done(w);
	ho_must(w, w->case_step == 2, "no proof was lost");
	ho_must(w, packets(w, 0, HO_A, HO_INS_STAGE) == 1, "STAGE went out under a second counter");
}

/* ---- F8: the second part of STAGE is lost ---- */

static void f8_draw(struct ho_draw *d)
{
	d->files =
		"6f42:ffffffffffffffffffffe1ffffffffffffffffffffffff0791947106004034ffffffffff00aa;"
		"6f60:00f1104000ffffff0000ffffff0000;6f62:00f1104000ffffff0000;6f46:00534d41525420ffffffffffffffffffff;"
		"6f78:0004;6f3e:ffff";
}

static bool f8_down(struct ho *w, unsigned op, uint32_t card, const struct sim_sm *sm)
{
	/* UDH: length, then 00 03 ref max seq */
	const bool second = sm->ud_len > 6 && sm->ud[1] == 0 && sm->ud[4] == 2 && sm->ud[5] == 2;

	if (op != HO_A || card || !second || w->case_step)
		return true;
	w->case_step = 1;
	return false;
}

static void f8_judge(struct ho *w)
{
	const struct ho_packet *k = packet(w, 0, HO_A, HO_INS_STAGE);

	ho_all_done(w);
	ho_must(w, w->case_step == 1, "STAGE has no second part");
	ho_must(w, packets(w, 0, HO_A, HO_INS_STAGE) == 1 && k && k->times > 1,
		"the same octets under the same CNTR did not go out again");
	ho_must(w, k && k->ref_first != k->ref_last, "they went out under the old concatenation reference");
	ho_must(w, ho_look(w, 0).executions_max <= 1, "the card ran a packet twice");
}

/* ---- what a card gets from others than the gateway that has it now ---- */

static void inject(struct ho *w, unsigned op, unsigned card, const uint8_t *pkt, size_t len)
{
	struct sim_world_card t = ho_look(w, card);
	struct sim_sm sm = { .pid = 0x7f, .dcs = 0xf6, .udhi = true, .dst = { .ton = 1, .npi = 1 } };

	if (!sim_hlr_msisdn_of(sim_world_hlr(w->sim, op), t.imsi_presented, sm.dst.digits)) {
		sm.dst.npi = 6;
		snprintf(sm.dst.digits, sizeof(sm.dst.digits), "%s", t.imsi_presented);
	}
	sm.src = (struct sim_addr){ .ton = 3, .npi = 1, .digits = "4242" };
	sm.token = ++w->token;
	if (len + 3 > sizeof(sm.ud)) {
		ho_find(w, "harness", "a packet of %zu octets is to go in one message", len);
		return;
	}
	memcpy(sm.ud, "\x02\x70\x00", 3);
	memcpy(sm.ud + 3, pkt, len);
	sm.ud_len = (uint8_t)(len + 3);
	sim_world_submit(w->sim, op, &sm, w->now_ms);
	w->injected++;
}

static void inject_work(struct ho *w, unsigned op, unsigned card, unsigned index, uint64_t cntr, const struct work *k)
{
	uint8_t script[600], pkt[HO_PACKET_MAX];
	int len = work_script(k, script, sizeof(script), NULL);
	size_t n = len < 0 ? 0 : ho_wire_seal(w, card, index, cntr, script, (size_t)len, pkt);

	if (!n)
		ho_find(w, "harness", "a packet cannot be made");
	else
		inject(w, op, card, pkt, n);
}

static struct work set_work(enum work_kind kind, uint64_t order, uint16_t from, uint16_t to)
{
	struct ota_sub_set s = { .order = order, .from = from, .to = to, .imsi = "001025000000777" };
	uint8_t set[OTA_SUB_SET_MAX], hash[32];
	struct work k = { .kind = 0 };
	int len = ota_sub_set_encode(set, sizeof(set), &s);

	if (len > 0) {
		SHA256(set, (size_t)len, hash);
		work_of_set(&k, kind, set, (size_t)len, hash);
	}
	return k;
}

/* ---- F7: what A has sent to it comes again when the card is at B, or has gone on from there to C ---- */

static void f7_draw(struct ho_draw *d)
{
	d->ops = 3;
}

static bool f7_leg(struct ho *w)
{
	return w->leg < 2 && ho_order_give(w, w->leg, w->leg + 1, ho_cards_at(w, w->leg));
}

static void f7_send(struct ho *w, unsigned op)
{
	const struct ho_card *c = &w->card[0];

	for (unsigned i = 0; i < c->n_sent; i++)
		if (c->sent[i].op != op)
			inject(w, op, 0, c->sent[i].octets, c->sent[i].len);
	for (uint64_t n = 0; w->d.kind == ORDER_3B && n < 3; n++) { /* A has kept its keys, and takes fresh counters */
		struct work stage = set_work(WORK_STAGE, w->order[0].number, 1, 2);
		struct work arm = set_work(WORK_ARM, w->order[0].number, 1, 2);
		struct work advance =
			set_work(WORK_ADVANCE, w->order[0].number + n, (uint16_t)(op + 1), (uint16_t)(op + 2));

		inject_work(w, op, 0, 1, 1000 + 3 * n, &stage);
		inject_work(w, op, 0, 1, 1001 + 3 * n, &arm);
		inject_work(w, op, 0, 1, 1002 + 3 * n, &advance);
	}
}

/* case_step: even: not yet sent in this leg; odd: sent, and what the card was then stands in case_*. */
static void f7_act(struct ho *w)
{
	struct sim_world_card t = ho_look(w, 0);

	if (w->case_step == 2 * w->leg && t.state == SIM_SUB_CONFIRMED && t.op == (int)w->leg + 1 &&
	    w->now_ms > w->card[0].moved_ms + 10 * HO_MINUTE) {
		w->case_truth = t;
		w->injected = 0;
		w->case_refused = refused(w, 0);
		f7_send(w, w->leg + 1);
		w->case_step++;
		w->case_ms = 0;
	} else if (!(w->case_step & 1)) {
		w->case_ms = w->now_ms + HO_MINUTE;
	}
}

static void f7_judge(struct ho *w)
{
	const struct sim_world_card *was = &w->case_truth, t = ho_look(w, 0);

	ho_all_done(w);
	ho_must(w, w->case_step == 2 * w->leg + 1 && w->injected > 0, "nothing old was sent to the card");
	ho_must(w,
		t.state == was->state && t.index == was->index && t.moves == was->moves &&
			!strcmp(t.imsi_stored, was->imsi_stored),
		"something of a former operator has changed the card");
	if (refused(w, 0) - w->case_refused < w->injected)
		ho_find(w, "case", "the card refused %u of %u packets of former operators",
			refused(w, 0) - w->case_refused, w->injected);
	w->case_step = 2 * (w->leg + 1);
	w->case_ms = w->now_ms + 1;
}

/* ---- F9: a backup is put back at A before ARM, or at B after CONFIRM ---- */

static void f9_act(struct ho *w)
{
	struct ho_party *p = &w->p[w->case_who];
	struct sim_world_card t = ho_look(w, 0);
	const bool before = w->case_who == HO_A ? w->said_at[HO_A][HO_B][2] /* its plan */ :
						  t.state == SIM_SUB_ARMED || t.state == SIM_SUB_TRIAL;
	const bool after = w->case_who == HO_A ? t.state == SIM_SUB_STAGED : packets(w, 0, HO_B, 0) > 0;

	if (w->case_step == 0 && before && p->store) {
		w->backup = store_mem_disk_copy(p->disk);
		w->case_step = 1;
	} else if (w->case_step == 1 && after) {
		ho_party_restore(p, w->backup);
		w->backup = NULL;
		w->case_step = 2;
	}
}

static void f9b_act(struct ho *w)
{
	w->case_who = HO_B;
	f9_act(w);
}

#define F9_EXTRA 3 /* messages that finding the counter again may cost */
static void f9_judge(struct ho *w)
{
	ho_all_done(w);
	ho_must(w, w->case_step == 2, "no backup was put back");
	ho_must(w, packets(w, 0, HO_A, 0) <= 2 + F9_EXTRA && packets(w, 0, HO_B, 0) <= 1 + F9_EXTRA,
		"it took more messages than a counter is worth");
}

/* ---- H6: A's own gateway wants what the card's rules forbid: card 0 is in no order ---- */

static bool h6_leg(struct ho *w)
{
	return !w->leg && ho_order_give(w, HO_A, HO_B, ho_cards_at(w, HO_A) & ~1u);
}

#define H6_ORDER 0x4836ULL
static void h6_act(struct ho *w)
{
	struct work k[] = {
		set_work(WORK_STAGE, H6_ORDER, 1, 3),	/* skips an index without the vault's word */
		set_work(WORK_ADVANCE, H6_ORDER, 1, 4), /* ... at once */
		set_work(WORK_ADVANCE, H6_ORDER, 2, 3), /* from an index that is not the active one */
		set_work(WORK_ARM, H6_ORDER, 1, 2),	/* arms what was never staged */
		set_work(WORK_CONFIRM, H6_ORDER, 1, 2), /* confirms what is not in trial */
		set_work(WORK_STAGE, H6_ORDER, 1, 2),	/* is allowed ... */
		set_work(WORK_ARM, H6_ORDER, 1, 2),	/* ... and arms another set than that */
	};

	const unsigned n = sizeof(k) / sizeof(k[0]);

	k[n - 1].hash[0] ^= 1;
	if (w->case_step > n || w->now_ms < w->case_ms || ho_look(w, 0).op != HO_A)
		return;
	if (w->case_step < n)
		inject_work(w, HO_A, 0, 1, w->case_step + 1, &k[w->case_step]);
	else
		inject_work(w, HO_A, 0, 2, 1, &k[n - 2]); /* under the pair that is not in force */
	w->case_ms = w->case_step++ < n ? w->now_ms + HO_MINUTE : 0;
}

static void h6_judge(struct ho *w)
{
	const struct sim_world_card t = ho_look(w, 0);

	ho_must_end(w, 1, END_DONE);
	ho_must_end(w, 2, END_DONE);
	ho_must(w, t.index == 1 && !t.moves && t.state == SIM_SUB_STAGED && t.op == HO_A,
		"the card is not where it was, with a set that does nothing");
	/* without the vault's word twice, from another index, another set; and keys that are not in force.  What comes too early has no
	 * effect and is no offence (6985) */
	if (w->injected != 8 || card_at(w, 0)->sub->audit != 4 || card_at(w, 0)->truth.security_refused != 1)
		ho_find(w, "case", "of %u packets the card has refused %u, and counted %u against its rules",
			w->injected, refused(w, 0), card_at(w, 0)->sub->audit);
}

/* ---- H9: the network that B's phone is in is not on B's list, CONFIRM never arrives, and B spends counters ---- */

static void h9_draw(struct ho_draw *d)
{
	d->roams = true;
}

static bool h9_down(struct ho *w, unsigned op, uint32_t card, const struct sim_sm *sm)
{
	(void)sm;
	return op != HO_B || card || ho_look(w, 0).state == SIM_SUB_ROLLED_BACK;
}

static void h9_judge(struct ho *w)
{
	ho_must_end(w, 0, END_ROLLED_BACK);
	ho_must(w, ho_look(w, 0).op == HO_A, "the card is not at A again");
	ho_must(w, packets(w, 0, HO_B, 0) > 0, "B has spent no counter");
	ho_must(w, highest(w, 0, HO_A) > highest(w, 0, HO_B), "A goes on below B's highest counter");
}

const struct ho_case ho_cases_wire[] = {
	{ .name = "F3",
	  .story = "proofs are lost between SMSC and gateway",
	  .judge = f3_judge,
	  .kind = ORDER_3B,
	  .up = f3_up },
	{ .name = "F7",
	  .story = "A's packets come again at B, and when the card has gone on to C; A keeps its keys",
	  .draw = f7_draw,
	  .act = f7_act,
	  .judge = f7_judge,
	  .kind = ORDER_3B,
	  .leg = f7_leg },
	{ .name = "F7-3a",
	  .story = "A's packets come again at B and at C, in 3a",
	  .draw = f7_draw,
	  .act = f7_act,
	  .judge = f7_judge,
	  .kind = ORDER_3A,
	  .leg = f7_leg },
	{ .name = "F8",
	  .story = "the second part of STAGE is lost",
	  .draw = f8_draw,
	  .judge = f8_judge,
	  .kind = ORDER_3B,
	  .down = f8_down },
	{ .name = "F9",
	  .story = "a backup is put back at A before ARM",
	  .act = f9_act,
	  .judge = f9_judge,
	  .kind = ORDER_3B },
	{ .name = "F9-B",
	  .story = "a backup is put back at B after CONFIRM",
	  .act = f9b_act,
	  .judge = f9_judge,
	  .kind = ORDER_3B },
	{ .name = "H6",
	  .story = "A skips indexes, arms what is not staged, and what is staged otherwise",
	  .act = h6_act,
	  .judge = h6_judge,
	  .kind = ORDER_3B,
	  .leg = h6_leg },
	{ .name = "H9",
	  .story = "B spends counters in the trial, the card goes back, A resumes, in 3a",
	  .draw = h9_draw,
	  .judge = h9_judge,
	  .kind = ORDER_3A,
	  .down = h9_down },
	{ .name = NULL },
};
