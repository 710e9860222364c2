/* orders.c - worlds in which campaigns are works of an order: cards with the subscription application, one work after the other on
 * the same cards, the new operator that says what has become of an ARM, and the checkers of all this.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What a card has done is read from its memory.  The gateway is the old operator and, under the keys of the second pair, the new
 * one as well: what is addressed by MSISDN is reached by both.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "core/work.h"
#include "sim.h"

#define ORDERS_PERCENT 25 /* of the seeds */
/* with these dice no seed that was kept before there were orders has any: each shows what it did */
#define ORDERS_DICE 0x0bde25000148adULL
#define ORDER_FIRST 0x5eed000000000000ULL
#define SETTLE_MS   7000 /* the new operator says what it has seen so often */
#define SHOWN_MAX   50	 /* so often a card shows itself before somebody gives its ARM up */
#define BOUND_TIMES 2	 /* of an ordinary run, per work */
#define NEW_PREFIX  "26299"
#define INDEX_FROM  1
#define INDEX_TO    2

/* ------------------------------------------------------------------------------------------------ what is drawn */

static const struct {
	unsigned n;
	struct drawn_work work[SIM_WORKS_MAX];
	bool by_msisdn; /* the last ones are under the second pair's keys, where the card is at home by then */
	bool keys_go;	/* with them the keys may be void: nobody can say what became of a command */
} chains[] = {
	{ 3, { { WORK_STAGE, 1, 0 }, { WORK_STATUS, 1, 0 }, { WORK_ARM, 1, 0 } }, false, false },
	{ 3, { { WORK_STAGE, 1, 0 }, { WORK_UNSTAGE, 1, 0 }, { WORK_ADVANCE, 1, 1 } }, false, false },
	{ 1, { { WORK_ADVANCE, 1, 0 } }, false, false },
	{ 2, { { WORK_STAGE, 1, 0 }, { WORK_STAGE, 1, 1 } }, false, false },
	{ 3, { { WORK_STAGE, 1, 0 }, { WORK_ARM, 1, 0 }, { WORK_CONFIRM, 2, 0 } }, true, true },
	{ 4,
	  { { WORK_STAGE, 1, 0 }, { WORK_ARM, 1, 0 }, { WORK_ROLLBACK, 2, 0 }, { WORK_ADVANCE, 1, 0 } },
	  true,
	  true },
};

static int64_t pick(struct sim_rng *r, int64_t lo, int64_t hi)
{
	return sim_rng_range(r, (struct sim_range){ lo, hi });
}

static unsigned chain_for(enum sim_break broken, struct sim_rng *r)
{
	switch (broken) {
	case BREAK_FORGET_ORDERS:
		return 5;
	case BREAK_FORGET_WORK:
		return 0;
	default:
		return broken == BREAK_NONE ? (unsigned)pick(r, 0, ARRAY_SIZE(chains) - 1) : 2;
	}
}

static void draw_cards(struct scenario *sc, struct sim_rng *r)
{
	static const enum sim_alg algs[] = { SIM_ALG_AES128, SIM_ALG_AES192, SIM_ALG_AES256 };
	struct sim_card_profile *p = &sc->card;

	sc->alg = p->alg = algs[pick(r, 0, ARRAY_SIZE(algs) - 1)];
	sc->mac_len = p->mac_len = 8;
	sc->kvn = p->kvn = 1;
	sc->spi[0] = 0x16;
	sc->format = OTA_FORMAT_COMPACT;
	sc->denied = 0;
	p->no_refresh = false;
}

/* The phones of cards that have moved: let in at once, refused for ever, or nobody knows them there. */
static void draw_networks(struct scenario *sc, struct sim_rng *r)
{
	struct sim_net net = { .imsi_prefix = NEW_PREFIX, .how = (enum sim_net_how)pick(r, 0, 2) };

	sim_net_lay(sc->air.net, &net);
	sc->trial_s = (uint32_t)pick(r, 60, 300);
	sc->air.poll_ms = pick(r, 5000, 30000);
	sc->air.refresh_refused_ppm = sim_rng_chance(r, SIM_PPM / 3) ? SIM_PPM / 2 : 0;
	sc->air.power_cut_ppm = sim_rng_chance(r, SIM_PPM / 3) ? SIM_PPM / 4 : 0;
}

bool orders_broken(enum sim_break broken)
{
	return broken == BREAK_FORGET_WORK || broken == BREAK_FORGET_ORDERS || broken == BREAK_FALSE_ALERTS ||
	       broken == BREAK_SETTLE_BLIND || broken == BREAK_NOBODY_SETTLES;
}

void orders_draw(struct scenario *sc, uint64_t seed, enum sim_break broken)
{
	struct sim_rng dice = { seed ^ ORDERS_DICE }, *r = &dice;
	unsigned n;

	if (!orders_broken(broken) && (broken != BREAK_NONE || !sim_rng_chance(r, ORDERS_PERCENT * (SIM_PPM / 100))))
		return;
	n = chain_for(broken, r);
	sc->works = chains[n].n;
	memcpy(sc->work, chains[n].work, sizeof(sc->work));
	draw_cards(sc, r);
	draw_networks(sc, r);
	sc->campaigns = 1;
	sc->again = sc->new_msisdn = false;
	sc->others = 0;
	sc->cancelled = 0;
	memset(sc->rules, 0, sizeof(sc->rules));
	sc->zone_max_min = 0;
	if (sc->works > 1)
		sc->restores = 0; /* the harness would have to plan the works behind it once more */
	sc->grows = !sc->cancels && broken == BREAK_NONE && sim_rng_chance(r, SIM_PPM / 2);
	sc->failed_as = FAIL_UNKNOWN; /* an SMSC that calls "maybe" absence is told so by its flavour */
	sc->by_imsi = !chains[n].by_msisdn && broken == BREAK_NONE && sim_rng_chance(r, SIM_PPM / 2);
	sc->air.from_imsi = sc->by_imsi || sim_rng_chance(r, SIM_PPM / 4);
	if (broken == BREAK_FALSE_ALERTS || broken == BREAK_SETTLE_BLIND) {
		sc->by_imsi = sc->air.from_imsi = broken == BREAK_FALSE_ALERTS;
		sc->air.loss_ppm = SIM_PPM / 3;
		sc->air.loss_per_card_max = 12;
		sc->air.alert = SIM_ALERT_OFF;
	}
	sc->gw.address_by_imsi = sc->by_imsi;
	if (chains[n].keys_go && sc->patient) {
		sc->patient = false;
		sc->gw.retry.attempts_max = (uint16_t)pick(r, 4, 20);
		sc->gw.retry.probes_max = (uint8_t)pick(r, 2, 6);
		sc->gw.retry.scripts_max = 3;
		sc->gw.retry.deadline_ms = (uint64_t)pick(r, 30000, 600000);
	}
	if (!sc->patient && sim_rng_chance(r, SIM_PPM / 4))
		sc->rules[0].deadline_ms = 1000 * pick(r, 20, 300);
}

void orders_bound(struct scenario *sc)
{
	if (sc->works)
		sc->bound_ms +=
			sc->works * (BOUND_TIMES * (sc->bound_ms - sc->calm_ms) + 2000LL * sc->trial_s + 600000);
}

int orders_profile(const struct scenario *sc, char *text, size_t cap)
{
	int n = snprintf(text, cap,
			 "card-profile sim\n application subscription\n tar bfff3b\n spi %02x %02x\n kvn 1\n"
			 " concat %s\n segments-max 5\n por 06 means cntr-low\n",
			 sc->spi[0], sc->spi[1], sc->wide_ref ? "udh16" : "udh8");

	return n < 0 || (size_t)n >= cap ? -1 : n;
}

/* ------------------------------------------------------------------------------------------------ the fleet, the works */

int orders_card(struct world *w, unsigned i)
{
	if (!w->sub)
		w->sub = calloc(w->sc.cards, sizeof(*w->sub));
	return w->sub ? sim_card_sub_attach(&w->card[i], &w->sub[i], w->seed, 3) : -1;
}

/* The keys of the second pair, which stand in KVN 2 once it is active. */
const struct sim_ota_keys *orders_keys(const struct world *w, unsigned i)
{
	return &sim_sub_pair(&w->sub[i], INDEX_TO)->ota;
}

static uint64_t order_of(const struct world *w, unsigned step)
{
	return ORDER_FIRST + w->sc.work[step].order;
}

/* The work that this campaign does to this card, packed.  Its length, or negative. */
int orders_work(const struct world *w, unsigned campaign, unsigned card, uint8_t *packed, size_t cap,
		struct store_txn_plan *p)
{
	static const uint8_t plmn[] = { 0x62, 0xf2, 0x99 }; /* 262 99 */
	static const uint8_t fplmn[12] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const struct drawn_work *d = &w->sc.work[campaign];
	struct ota_sub_set s = {
		.order = order_of(w, campaign), .from = INDEX_FROM, .to = INDEX_TO, .trial_s = w->sc.trial_s
	};
	uint8_t set[OTA_SUB_SET_MAX], hash[SHA256_DIGEST_LENGTH];
	struct work work;
	int n;

	s.plmns = (struct ota_span){ plmn, sizeof(plmn) };
	s.files = card % 2;
	s.file[0] =
		(struct ota_sub_file){ .fid = { USIM_FID_FPLMN }, .fids = 1, .len = sizeof(fplmn), .content = fplmn };
	snprintf(s.imsi, sizeof(s.imsi), NEW_PREFIX "%05u%05u", (unsigned)(w->seed % 100000), card % 100000);
	n = ota_sub_set_encode(set, sizeof(set), &s);
	if (n < 0)
		return n;
	SHA256(set, (size_t)n, hash);
	n = work_of_set(&work, (enum work_kind)d->kind, set, (size_t)n, hash);
	p->txn.kvn = p->kvn = d->kvn;
	memset(p->txn.new_imsi, 0, sizeof(p->txn.new_imsi));
	if (d->kind == WORK_ARM || d->kind == WORK_ADVANCE)
		memcpy(p->txn.new_imsi, work.imsi, sizeof(p->txn.new_imsi));
	return n < 0 ? n : work_pack(&work, packed, cap);
}

bool orders_more(const struct world *w)
{
	return w->n_campaigns < w->sc.works;
}

/* ------------------------------------------------------------------------------------------------ what a card has done */

/* What has become of an order on a card; enum sim_sub_end. */
static uint8_t end_of(const struct world *w, unsigned card, uint64_t order)
{
	static const uint8_t under_way[_SIM_SUB_STATES] = { [SIM_SUB_STAGED] = SIM_END_STAGED,
							    [SIM_SUB_ARMED] = SIM_END_ARMED,
							    [SIM_SUB_TRIAL] = SIM_END_TRIAL,
							    [SIM_SUB_RETURNING] = SIM_END_RETURNING };
	const struct sim_sub_rec *r = sim_sub_rec(&w->sub[card]);
	uint8_t id[8];

	for (unsigned i = 0; i < 8; i++)
		id[i] = (uint8_t)(order >> (56 - 8 * i));
	if (!memcmp(r->order, id, 8) && under_way[r->state])
		return under_way[r->state];
	for (unsigned i = 0; i < SIM_SUB_ORDERS_MAX; i++)
		if (r->orders[i].end && !memcmp(r->orders[i].id, id, 8))
			return r->orders[i].end;
	return SIM_END_UNKNOWN;
}

static bool moves(uint8_t kind)
{
	return kind == WORK_ARM || kind == WORK_ADVANCE;
}

/* A script has reached the card, or its phone has read it again. */
void orders_look(struct world *w, unsigned card)
{
	struct watched_card *c = &w->watch[card];
	const struct sim_sub_rec *r = sim_sub_rec(&w->sub[card]);
	unsigned step = c->campaign;
	uint8_t end = end_of(w, card, order_of(w, step));

	if (moves(w->sc.work[step].kind) && end == SIM_END_ARMED && c->end_seen != SIM_END_ARMED)
		c->armed_by = c->txn.id; /* it is ACTIVE, and that is durable, or nothing would have left */
	c->end_seen = end;
	if (r->index != c->index) {
		if (c->index == INDEX_FROM && r->index == INDEX_TO && ++c->moves[r->order[7]] > 1)
			check_fail(w, "one-move", "card %u has moved %u times for one order", card,
				   c->moves[r->order[7]]);
		c->index = r->index;
	}
}

/* Breakages that live in the card: before it meets a message, and after. */

void orders_after(struct world *w, unsigned card)
{
	struct sim_sub_rec *r = w->sub[card].nvm.rec;

	if (w->broken == BREAK_FORGET_ORDERS)
		for (unsigned i = 0; i < 2; i++)
			memset(r[i].orders, 0, sizeof(r[i].orders));
	if (w->broken == BREAK_FORGET_WORK)
		for (unsigned i = 0; i < 2; i++) {
			r[i].state = SIM_SUB_IDLE;
			memset(r[i].order, 0, sizeof(r[i].order));
		}
}

/* ------------------------------------------------------------------------------------------------ checkers */

/* DONE means that the card has done it: as it was when it answered, or further. */
static bool has_done(const struct world *w, unsigned card, unsigned step)
{
	uint8_t end = end_of(w, card, order_of(w, step));

	switch (w->sc.work[step].kind) {
	case WORK_STAGE:
		return end != SIM_END_UNKNOWN;
	case WORK_UNSTAGE:
		return end == SIM_END_UNKNOWN;
	case WORK_ARM:
	case WORK_ADVANCE:
		return end >= SIM_END_ARMED;
	case WORK_CONFIRM:
		return end == SIM_END_CONFIRMED || end == SIM_END_CONFIRMED_SELF;
	case WORK_ROLLBACK:
		return end >= SIM_END_RETURNING;
	default:
		return true;
	}
}

/* What the report calls neither done nor unknown must be so. */
static void check_honest(struct world *w, unsigned card, const struct txn_row *row, unsigned step)
{
	uint8_t end = end_of(w, card, order_of(w, step));
	bool here = end == SIM_END_ARMED || end == SIM_END_TRIAL || end == SIM_END_CONFIRMED ||
		    end == SIM_END_CONFIRMED_SELF;

	if (!moves(w->sc.work[step].kind) || !here || w->watch[card].armed_by != row->id)
		return;
	if (row->state == TXN_FAILED || row->state == TXN_EXPIRED || row->state == TXN_CANCELLED ||
	    row->state == TXN_QUARANTINED)
		check_fail(w, "honest-end", "card %u has gone, and the report says %s (verdict %u): %s", card,
			   txn_state_name(row->state), row->verdict, row->reason);
}

void orders_committed(struct world *w, unsigned card, const struct txn_row *row)
{
	struct watched_card *c = &w->watch[card];
	unsigned step = c->campaign;

	if (row->state == TXN_DONE && !has_done(w, card, step))
		check_fail(w, "work-done", "card %u: %s is recorded as DONE, and on the card the order is %s", card,
			   work_kind_name(w->sc.work[step].kind), ota_sub_end_name(end_of(w, card, order_of(w, step))));
	if (row->state != c->txn_state)
		check_honest(w, card, row, step);
}

/* The card shows itself under its old number: what the gateway gets to know of it from now on is since the last attempt. */
void orders_heard(struct world *w, const struct sim_addr *from)
{
	for (unsigned i = 0; w->sc.works && i < w->sc.cards; i++) {
		const char *own = from->npi == 6 ? w->card[i].imsi_first : w->card[i].msisdn;

		if (!strcmp(from->digits, own))
			w->watch[i].spoke = true;
	}
}

/* A packet begins to leave.  False: nobody had heard of the card since the one before. */
void orders_submit(struct world *w, unsigned card, const struct seen_cmd *s)
{
	struct watched_card *c = &w->watch[card];
	struct gw_stats st;

	if (c->armed_by == s->row.txn && c->armed_by && !c->spoke)
		check_fail(
			w, "arm-quiet",
			"card %u has armed itself for another operator and was not heard since the last attempt, and "
			"counter %llu leaves",
			card, (unsigned long long)s->row.cntr);
	gw_stats(w->gw, &st);
	if (!st.inbox && !st.parked) /* else the core may not have taken yet what was heard before */
		c->spoke = false;
}

/* What no SMSC has taken was no attempt. */
void orders_refused(struct world *w, unsigned card)
{
	w->watch[card].spoke = true;
}

int orders_card_of(const struct world *w, const struct ota_addr *a)
{
	for (unsigned i = 0; i < w->sc.cards; i++)
		if (!strcmp(a->digits, a->npi == 6 ? w->card[i].imsi_first : w->card[i].msisdn))
			return (int)i;
	return -1;
}

void orders_told(struct world *w, const struct gw_effect *fx)
{
	const struct gw_fx_txn *x = &fx->txn;

	tell(w, "told: transaction %llu is %s, verdict %u%s", (unsigned long long)x->txn, txn_state_name(x->state),
	     x->verdict, fx->rc ? ", not open" : "");
	for (unsigned i = 0; !fx->rc && i < w->sc.cards; i++)
		if (w->watch[i].id == x->card && w->watch[i].txn.id == x->txn &&
		    w->watch[i].txn.campaign == w->campaign[w->watch[i].campaign].id &&
		    w->watch[i].txn_state <= TXN_ACTIVE)
			check_fail(w, "end-is-durable", "card %u: the end of its work is told and is not in the store",
				   i);
}

/* ------------------------------------------------------------------------------------------------ the new operator */

/* Who has gone to it, it has seen; who is still here shows itself when its phone is on. */
static void speak_of(struct world *w, unsigned card)
{
	struct watched_card *c = &w->watch[card];
	uint8_t end = end_of(w, card, order_of(w, c->campaign));
	bool still =
		end == SIM_END_UNKNOWN || end == SIM_END_STAGED || end == SIM_END_ROLLED_BACK || end == SIM_END_TIMEOUT;
	bool gone = end == SIM_END_TRIAL || end == SIM_END_CONFIRMED || end == SIM_END_CONFIRMED_SELF;
	struct sim_addr from = { .ton = 1, .npi = w->sc.by_imsi ? 6 : 1 };

	if (w->broken == BREAK_SETTLE_BLIND || gone) {
		(void)gw_txn_settle(w->gw, c->txn.id, c->id, w->broken == BREAK_SETTLE_BLIND ? TXN_EXPIRED : TXN_DONE,
				    "the new operator has seen it"); /* where it finds no place it comes again */
		return;
	}
	if (!sim_air_present(w->air, card) || strcmp(w->card[card].imsi_presented, w->card[card].imsi_first))
		return;
	memcpy(from.digits, w->sc.by_imsi ? w->card[card].imsi_first : w->card[card].msisdn, SIM_IMSI_LEN);
	slink_alert(w->slink[0], &from, 0);
	/* past its deadline nothing is tried any more: a person looks at the card and gives it up */
	if (w->calm && still && ++c->shown > SHOWN_MAX)
		(void)gw_txn_settle(w->gw, c->txn.id, c->id, TXN_EXPIRED, "given up");
}

void orders_settle(struct world *w)
{
	for (unsigned i = 0; w->gw && !w->dead && w->ready_seen && i < w->sc.cards; i++)
		if (w->watch[i].txn_state == TXN_ACTIVE && w->watch[i].txn.maybe_moved &&
		    w->broken != BREAK_NOBODY_SETTLES && w->broken != BREAK_FALSE_ALERTS)
			speak_of(w, i);
	world_plan(w, w->now_ms + SETTLE_MS, PLAN_SETTLE, 0);
}

/* Somebody who lies about the old number. */
void orders_lies(struct world *w)
{
	struct link_event ev = { .kind = LINK_EV_ALERT, .from = { .npi = 6 } };

	if (w->broken != BREAK_FALSE_ALERTS || !w->gw || w->dead || !w->ready_seen)
		return;
	for (unsigned i = 0; i < w->sc.cards; i++) {
		struct gw_event g = { .kind = GW_EV_LINK, .ev = ev };

		memcpy(g.ev.from.digits, w->card[i].imsi_first, SIM_IMSI_LEN);
		(void)gw_post(w->gw, &g);
	}
}

/* ------------------------------------------------------------------------------------------------ campaigns that grow */

void orders_grown(struct world *w, const struct store_txn_plan *p)
{
	for (unsigned i = 0; i < w->sc.cards; i++)
		if (!strcmp(w->card[i].iccid, p->iccid))
			w->watch[i].planned = true;
}

static void grow_done(struct store_batch *b, int rc)
{
	struct world *w = b->ctx;

	for (size_t i = 0; !rc && i < b->n; i++)
		if (b->ops[i].rc)
			check_fail(w, "harness", "more cards: %s", store_strerror(b->ops[i].rc));
	if (!rc && gw_campaign_grew(w->gw, w->campaign[w->n_campaigns - 1].id, b->n))
		check_fail(w, "reply", "the core does not take more cards");
	w->grow = NULL;
	store_batch_free(b);
}

static void grow(struct world *w, unsigned campaign)
{
	struct store_batch *b = store_batch_new();

	for (unsigned i = 0; b && i < w->sc.cards; i++)
		if (!w->watch[i].planned)
			world_target(w, b, i, campaign, w->watch[i].new_imsi);
	if (!b || !b->n) {
		check_fail(w, "harness", "nobody is to be planned");
		return;
	}
	b->done = grow_done;
	b->ctx = w;
	w->grow = b;
	tell(w, "%zu more cards for campaign %s", b->n, w->campaign[campaign].name);
	w->store->ops->commit(w->store, b);
}

/* More cards for the last campaign, in one batch; when they are there it is closed. */
void orders_grow(struct world *w)
{
	unsigned last = w->n_campaigns - 1, planned = 0;
	struct gw_event close = { .kind = GW_EV_CAMPAIGN, .verb = CAMPAIGN_VERB_CLOSE, .request = 1 };
	struct gw_campaign_view v;

	if (!w->sc.grows || !w->gw || w->dead || !w->ready_seen || w->grow || w->again ||
	    !gw_campaign_view(w->gw, w->campaign[last].id, &v) || !v.row.open_ended)
		return;
	for (unsigned i = 0; i < w->sc.cards; i++)
		planned += w->watch[i].planned;
	close.campaign = w->campaign[last].id;
	if (planned < w->sc.cards)
		grow(w, last);
	else
		(void)gw_post(w->gw, &close); /* where it finds no place it comes again */
}

void orders_grow_lost(struct world *w)
{
	if (w->grow)
		store_batch_free(w->grow);
	w->grow = NULL;
}
