/* scenario.c - what a seed means: the fleet, the weather, the limits, and how long the bad time lasts.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"

static int64_t pick(struct sim_rng *r, int64_t lo, int64_t hi)
{
	return sim_rng_range(r, (struct sim_range){ lo, hi });
}

static bool chance(struct sim_rng *r, unsigned percent)
{
	return sim_rng_chance(r, percent * (SIM_PPM / 100));
}

/* A fault is absent in some runs, mild in most and heavy in a few. */
static uint32_t weather(struct sim_rng *r, uint32_t heavy_ppm)
{
	switch (pick(r, 0, 5)) {
	case 0:
	case 1:
		return 0;
	case 5:
		return (uint32_t)pick(r, heavy_ppm / 4, heavy_ppm);
	default:
		return (uint32_t)pick(r, 0, heavy_ppm / 8);
	}
}

static void draw_cards(struct scenario *sc, struct sim_rng *r)
{
	static const enum sim_alg algs[] = { SIM_ALG_3DES2,  SIM_ALG_3DES2,  SIM_ALG_3DES3,
					     SIM_ALG_AES128, SIM_ALG_AES128, SIM_ALG_AES256 };
	struct sim_card_profile *p = &sc->card;

	sc->alg = algs[pick(r, 0, ARRAY_SIZE(algs) - 1)];
	sc->mac_len = sc->alg >= SIM_ALG_AES128 && chance(r, 25) ? 4 : 8;
	sc->kvn = (uint8_t)pick(r, 1, 15);
	sc->spi[0] = 0x16;			  /* CC, ciphered, counter higher: what profiles may ask for */
	sc->spi[1] = chance(r, 30) ? 0x19 : 0x39; /* PoR by DELIVER-REPORT, or by SMS-SUBMIT */
	if (chance(r, 20))
		sc->spi[1] &= (uint8_t)~0x10; /* PoR not ciphered */

	sc->format = chance(r, 60) ? OTA_FORMAT_COMPACT : chance(r, 50) ? OTA_FORMAT_DEFINITE : OTA_FORMAT_INDEFINITE;

	sim_card_profile_default(p);
	p->alg = sc->alg;
	p->mac_len = sc->mac_len;
	p->kvn = sc->kvn;
	p->cntr = chance(r, 10) ? (uint64_t)pick(r, 0, SIM_CNTR_MAX / 2) : (uint64_t)pick(r, 0, 5000);
	p->replay = (enum sim_replay)pick(r, SIM_REPLAY_02, SIM_REPLAY_SILENT);
	p->silent_errors = chance(r, 15);
	p->pad_80 = chance(r, 20);
	p->interim_0b = (sc->spi[1] & 0x20) && chance(r, 20);
	p->no_refresh = chance(r, 15);
	if (chance(r, 12))
		sc->wrong_keys = (unsigned)pick(r, 1, 3);
	if (chance(r, 8))
		sc->denied = (unsigned)pick(r, 1, 2);
}

static void draw_air(struct scenario *sc, struct sim_rng *r, uint64_t seed)
{
	struct sim_air_cfg *a = &sc->air;

	sim_air_cfg_default(a);
	a->seed = seed * 0x9e3779b97f4a7c15ULL + 1;
	a->mode = chance(r, 30) ? SIM_AIR_STORE : SIM_AIR_TRANSACTION;
	a->alert = (enum sim_alert_mode)pick(r, SIM_ALERT_ALWAYS, SIM_ALERT_OFF);
	a->absent_ppm = weather(r, 700000);
	a->absent_ms = (struct sim_range){ 1000, pick(r, 2000, 60000) };
	a->gap_ppm = weather(r, 600000);
	a->gap_after_ms = (struct sim_range){ 0, pick(r, 1000, 30000) };
	a->gap_ms = (struct sim_range){ 500, pick(r, 1000, 30000) };
	a->gaps_per_card_max = (uint32_t)pick(r, 1, 3);
	a->latency_ms = (struct sim_range){ pick(r, 1, 20), pick(r, 20, 1500) };
	a->loss_ppm = weather(r, 400000);
	a->dup_ppm = weather(r, 300000);
	a->reorder_ppm = weather(r, 300000);
	a->reorder_ms = (struct sim_range){ 100, pick(r, 200, 8000) };
	a->corrupt_ppm = weather(r, 100000);
	a->throttle_ppm = weather(r, 300000);
	a->no_result_ppm = weather(r, 200000);
	a->alert_loss_ppm = weather(r, 500000);
	a->loss_per_card_max = (uint32_t)pick(r, 1, 12);
	a->paging_ms = pick(r, 1000, 6000);
	a->validity_ms = pick(r, 5000, 60000);
	a->up_retry_ms = pick(r, 500, 5000);
	a->up_tries_max = (uint32_t)pick(r, 3, 30);
	a->refresh_ms = (struct sim_range){ 50, pick(r, 100, 5000) };
	a->from_imsi = chance(r, 20);
	a->report_payload = true;
	sc->by_imsi = chance(r, 15);
}

static void draw_links(struct scenario *sc, struct sim_rng *r)
{
	static const enum fail_class failed_as[] = { FAIL_UNKNOWN, FAIL_ABSENT, FAIL_BUSY };

	sc->links = chance(r, 30) ? 2 : 1;
	sc->window = (unsigned)pick(r, 1, SIM_WINDOW_MAX);
	sc->rate = chance(r, 30) ? 0 : (double)pick(r, 5, 200);
	sc->response_ms = pick(r, 3000, 12000);
	sc->refuse_ppm = weather(r, 50000);
	sc->failed_as = failed_as[pick(r, 0, ARRAY_SIZE(failed_as) - 1)];
}

static void draw_store(struct scenario *sc, struct sim_rng *r)
{
	sc->commit_ms = (struct sim_range){ 0, pick(r, 0, 60) };
	sc->read_ms = (struct sim_range){ 0, pick(r, 0, 30) };
	sc->slow_ppm = weather(r, 200000);
	sc->slow_ms = (struct sim_range){ 100, pick(r, 200, 6000) };
	sc->fail_ppm = weather(r, 200000);
}

/* Drawn with dice of its own: what older seeds have drawn stays what it was. */
static void draw_store_more(struct scenario *sc, struct sim_rng *r)
{
	sc->late_ppm = weather(r, 300000);
	sc->late_ms = (struct sim_range){ 0, pick(r, 1, chance(r, 20) ? 8000 : 200) };
	sc->stall_ppm = weather(r, 8000);
	sc->read_fail_ppm = weather(r, 60000);
}

static void draw_clock(struct scenario *sc, struct sim_rng *r)
{
	static const int steps_s[] = { 3600, -3600, 3600, -3600, 7, -7, 86, -300, 1, -1 };

	if (chance(r, 50))
		return;
	sc->clock_steps = (unsigned)pick(r, 1, SIM_CLOCK_STEPS_MAX);
	for (unsigned i = 0; i < sc->clock_steps; i++)
		sc->clock_step_s[i] = steps_s[pick(r, 0, ARRAY_SIZE(steps_s) - 1)];
}

/* What is the same in all runs. */
static void gateway_limits(struct scenario *sc)
{
	struct gw_cfg *g = &sc->gw;

	g->src = (struct ota_addr){ .ton = 1, .npi = 1, .digits = "99999000001" };
	g->pid = 0x7f;
	g->dcs = 0xf6;
	g->limits.prepared_max = 128; /* two claims' worth */
	g->limits.outcomes_max = 2 * SIM_WINDOW_MAX + OTA_SEGMENTS_MAX;
	g->limits.resident_max = 1; /* raised to what the other limits need */
	g->limits.open_max = 256;
}

static void draw_gateway(struct scenario *sc, struct sim_rng *r)
{
	struct gw_cfg *g = &sc->gw;
	struct retry_policy *p = &g->retry;

	gw_cfg_default(g);
	g->address_by_imsi = sc->by_imsi;
	sc->wide_ref = chance(r, 20);
	g->want_report = !(sc->spi[1] & 0x20) || chance(r, 30);
	g->n_links = sc->links;

	sc->patient = !sc->wrong_keys && chance(r, 85);
	p->por_timeout_ms = (uint32_t)pick(r, 3000, 20000);
	p->first_ms = (uint32_t)pick(r, 300, 3000);
	p->max_ms = (uint32_t)pick(r, 3000, 20000);
	p->jitter_pct = (uint8_t)pick(r, 0, 30);
	p->busy_ms = (uint32_t)pick(r, 300, 5000);
	p->congest_ms = (uint32_t)pick(r, 300, 5000);
	p->mem_ms = (uint32_t)pick(r, 1000, 10000);
	p->hint_ms = (uint32_t)pick(r, 300, 5000);
	p->attempts_max = sc->patient ? 5000 : (uint16_t)pick(r, 2, 12);
	p->probes_max = sc->patient ? 250 : (uint8_t)pick(r, 1, 5);
	p->scripts_max = sc->patient ? 250 : (uint8_t)pick(r, 1, 3);
	p->deadline_ms = sc->patient ? 24 * 3600 * 1000 : (uint64_t)pick(r, 30000, 600000);

	if (chance(r, 40)) { /* a gateway that is always short of room */
		g->limits.fetch_max = (unsigned)pick(r, 1, 4);
		g->limits.step_events_max = (unsigned)pick(r, 1, 8);
		g->limits.batch_cards_max = (unsigned)pick(r, 1, 8);
		g->limits.inbox_max = (unsigned)pick(r, 4, 64);
	} else {
		g->limits.fetch_max = 16;
		g->limits.inbox_max = 1024;
	}
	gateway_limits(sc);
}

/* ------------------------------------------------------------------------------------------------ rules of campaigns */

#define DAY_MIN	      1440
#define DAY_MS	      (24 * 3600 * 1000LL)
#define WINDOW_DAYS   5	 /* a window of a few minutes opens once a day */
#define RULES_PERCENT 40 /* of the seeds */
#define RULES_DICE    0x458b4000458b4ULL
#define ABORTS_DRAWN  2

static unsigned targets_of(const struct scenario *sc, unsigned campaign)
{
	return (sc->cards + sc->campaigns - 1 - campaign) / sc->campaigns;
}

static void draw_canary(struct drawn_rules *d, unsigned targets, struct sim_rng *r)
{
	unsigned end = 0;

	if (targets < 3)
		return;
	d->n_canary = (unsigned)pick(r, 1, SIM_CANARY_MAX);
	for (unsigned g = 0; g < d->n_canary; g++)
		d->group_end[g] = end += (unsigned)pick(r, 1, targets / 3);
	if (chance(r, 60))
		d->hold_ms = 1000 * pick(r, 2, 90);
}

/* Opens or closes while there is something to send. */
static void draw_window(struct scenario *sc, struct drawn_rules *d, struct sim_rng *r)
{
	int64_t open = SIM_START_MS / 60000 + pick(r, -2, 2), len = pick(r, 2, 6);

	d->windowed = true;
	d->device = chance(r, 40);
	if (d->device)
		sc->zone_max_min = 2;
	else if (chance(r, 50))
		d->zone_min = (int)(15 * pick(r, -48, 56));
	d->open_min = (unsigned)((open + d->zone_min) % DAY_MIN);
	d->close_min = (unsigned)((open + d->zone_min + len) % DAY_MIN);
}

static void draw_rules(struct scenario *sc, struct sim_rng *r)
{
	static const uint8_t ends[] = { TXN_FAILED, TXN_EXPIRED, TXN_QUARANTINED };

	sc->campaigns = (unsigned)pick(r, 1, SIM_CAMPAIGNS_MAX - 1);
	/* who is DONE need not have been seen under its new number yet, and is planned again under that alone */
	sc->new_msisdn = !sc->by_imsi && !sc->again && chance(r, 40);
	sc->pauses = (unsigned)pick(r, 0, 3);
	sc->cancels = !sc->patient && chance(r, 40) ? 1 : 0;
	sc->cancelled = (unsigned)pick(r, 0, sc->campaigns - 1);
	for (unsigned i = 0; i < sc->campaigns; i++) {
		struct drawn_rules *d = &sc->rules[i];

		if (chance(r, 50))
			draw_canary(d, targets_of(sc, i), r);
		if (chance(r, 40))
			for (d->n_abort = 0; d->n_abort < ABORTS_DRAWN; d->n_abort++) {
				d->abort[d->n_abort].state = ends[pick(r, 0, ARRAY_SIZE(ends) - 1)];
				d->abort[d->n_abort].n = (unsigned)pick(r, 1, 3);
			}
		if (chance(r, 30))
			draw_window(sc, d, r);
		if (!sc->patient && chance(r, 40))
			d->deadline_ms = 1000 * pick(r, 20, 300);
		d->priority = chance(r, 50) ? PRIORITY_CAMPAIGN : (uint8_t)pick(r, 0, _PRIORITIES - 1);
	}
}

/* What rules add to the time until everything has ended. */
static int64_t rules_take_ms(const struct scenario *sc, int64_t one_round_ms, bool windows)
{
	int64_t take = 0;

	for (unsigned i = 0; i < sc->campaigns; i++) {
		const struct drawn_rules *d = &sc->rules[i];
		int64_t t = (d->n_canary + d->n_abort) * one_round_ms + d->hold_ms * d->n_canary;

		t += d->windowed && windows ? WINDOW_DAYS * DAY_MS : 0;
		take = t > take ? t : take;
	}
	return take;
}

__attribute__((format(printf, 2, 3))) static void rule(char text[CAMPAIGN_RULES_MAX], const char *fmt, ...)
{
	size_t at = strlen(text);
	va_list ap;

	at += (size_t)snprintf(text + at, CAMPAIGN_RULES_MAX - at, "%s", at ? "; " : "");
	va_start(ap, fmt);
	vsnprintf(text + at, CAMPAIGN_RULES_MAX - at, fmt, ap);
	va_end(ap);
}

void scenario_rules_text(const struct scenario *sc, unsigned campaign, enum sim_break broken,
			 char text[CAMPAIGN_RULES_MAX])
{
	const struct drawn_rules *d = &sc->rules[campaign];
	unsigned priority = d->priority;

	text[0] = '\0';
	if (d->n_canary && broken != BREAK_NO_CANARY) {
		for (unsigned g = 0; g < d->n_canary; g++)
			snprintf(text + strlen(text), CAMPAIGN_RULES_MAX - strlen(text), "%s%u", g ? "," : "canary ",
				 d->group_end[g] - (g ? d->group_end[g - 1] : 0));
		if (d->hold_ms)
			rule(text, "hold %llds", (long long)d->hold_ms / 1000);
	}
	for (unsigned i = 0; i < d->n_abort && broken != BREAK_NO_ABORT; i++)
		rule(text, "abort %s>=%u",
		     d->abort[i].state == TXN_FAILED  ? "failed" :
		     d->abort[i].state == TXN_EXPIRED ? "expired" :
							"quarantined",
		     d->abort[i].n);
	if (d->windowed && broken != BREAK_NO_WINDOW) {
		char zone[RULES_ZONE_MAX];

		rules_zone_print(d->zone_min, zone);
		rule(text, "window %02u:%02u-%02u:%02u %s", d->open_min / 60, d->open_min % 60, d->close_min / 60,
		     d->close_min % 60, d->device ? "device" : zone);
	}
	if (d->deadline_ms && broken != BREAK_NO_DEADLINE)
		rule(text, "deadline %llds", (long long)d->deadline_ms / 1000);
	if (broken == BREAK_UNEQUAL)
		priority = campaign ? PRIORITY_PROBE : PRIORITY_ROLLBACK;
	if (priority != PRIORITY_CAMPAIGN)
		rule(text, "priority %s", rules_priority_name((uint8_t)priority));
}

/* Each breakage needs weather in which it shows. */
static void provoke(struct scenario *sc, enum sim_break broken)
{
	switch (broken) {
	case BREAK_DOUBLE_RUN:
		sc->air.dup_ppm = SIM_PPM / 2;
		break;
	case BREAK_ACT_EARLY:
	case BREAK_LOSE_ANSWERED:
		sc->commit_ms = (struct sim_range){ 200, 500 };
		break;
	case BREAK_LOSE_COUNTER:
	case BREAK_PLAN_ANEW:
		sc->crashes = 4;
		sc->air.loss_ppm = SIM_PPM / 4;
		sc->air.loss_per_card_max = 8;
		break;
	case BREAK_LINK_RESENDS:
	case BREAK_UNFENCE:
		sc->air.loss_ppm = SIM_PPM / 4;
		sc->air.loss_per_card_max = 8;
		sc->card.replay = SIM_REPLAY_02;
		break;
	case BREAK_CHANGE_BATCH:
		sc->read_fail_ppm = SIM_PPM / 10;
		break;
	case BREAK_FOLLOW_WALL:
		sc->clock_steps = 1;
		sc->clock_step_s[0] = -5;
		break;
	case BREAK_SAME_EPOCH:
		sc->restores = 2;
		break;
	case BREAK_FORGET_TOLD:
		sc->others = SIM_OTHERS_MAX;
		break;
	case BREAK_OVER_RATE:
		sc->rate = 5;
		break;
	case BREAK_OVER_WINDOW:
		sc->window = 3;
		sc->rate = 0;
		break;
	case BREAK_DEAF:
		sc->pauses = 3;
		break;
	case BREAK_NO_WINDOW:
		sc->rules[0].windowed = true;
		sc->rules[0].open_min = (unsigned)(SIM_START_MS / 60000 + 1) % DAY_MIN;
		sc->rules[0].close_min = sc->rules[0].open_min + 60;
		break;
	case BREAK_NO_CANARY:
		sc->rules[0].n_canary = sc->rules[0].group_end[0] = 1;
		break;
	case BREAK_NO_ABORT:
		sc->rules[0].n_abort = 1;
		sc->rules[0].abort[0].state = TXN_FAILED;
		sc->rules[0].abort[0].n = 1;
		break;
	case BREAK_NO_DEADLINE:
		sc->rules[0].deadline_ms = 20000;
		break;
	case BREAK_UNEQUAL:
		sc->campaigns = 2;
		sc->rate = 5;
		break;
	default:
		break;
	}
	if (broken != BREAK_NONE) {
		sc->by_imsi = sc->gw.address_by_imsi = false;
		sc->wrong_keys = 0;
		sc->denied = broken == BREAK_NO_ABORT ? 2 : 0;
		sc->again = false;
	}
}

void scenario_draw(struct scenario *sc, uint64_t seed, enum sim_break broken)
{
	struct sim_rng rng = { seed ^ 0x5ca1ab1e0ddba11ULL }, *r = &rng;
	struct sim_rng more = { seed ^ 0x0b57ac1e5ULL };
	struct sim_rng split = { seed ^ 0x2ba27500000000ULL };
	/* with these dice no seed that was kept before there were rules has any: each shows what it did */
	struct sim_rng rules = { seed ^ RULES_DICE };
	struct sim_rng later = { seed ^ 0x1e1e1e1e1e1e1e1eULL }; /* so that older seeds stay what they were */
	struct sim_rng secured = { seed ^ 0x0602edULL };

	int64_t rules_ms;

	memset(sc, 0, sizeof(*sc));
	sc->cards = (unsigned)pick(r, 5, SIM_CARDS_MAX);
	sc->campaigns = chance(r, 25) ? 2 : 1;
	draw_cards(sc, r);
	draw_air(sc, r, seed);
	draw_links(sc, r);
	draw_store(sc, r);
	draw_gateway(sc, r);
	sc->crashes = chance(r, 60) ? (unsigned)pick(r, 1, 5) : 0;
	sc->link_downs = chance(r, 50) ? (unsigned)pick(r, 1, 4) : 0;
	sc->store_outages = chance(r, 40) ? (unsigned)pick(r, 1, 3) : 0;
	sc->pauses = chance(r, 15) ? 1 : 0;
	sc->cancels = !sc->patient && chance(r, 30) ? 1 : 0;
	sc->again = sc->patient && !sc->denied && !sc->by_imsi && chance(r, 30);
	sc->calm_ms = pick(r, 10000, 120000);
	draw_store_more(sc, &more);
	draw_clock(sc, &more);
	sc->split_ppm = weather(&split, 300000);
	if (chance(&more, 25)) {
		sc->restores = (unsigned)pick(&more, 1, 2);
		sc->again = false; /* the harness would have to make its campaign once more */
	}
	if (broken == BREAK_NONE && sc->card.replay == SIM_REPLAY_06_CLEAR && chance(&secured, 40))
		sc->card.replay = SIM_REPLAY_06_SECURED;
	if (broken == BREAK_NONE && chance(&later, 6))
		sc->spi[0] = 0x1e; /* counter exactly one higher */
	if (sc->spi[0] == 0x1e && (sc->card.replay == SIM_REPLAY_SILENT || sc->card.silent_errors) && sc->patient) {
		/* no answer to a read-back: it was taken and the answer lost, or it never came.  Nothing can tell the two apart, and
		 * to guess wrong would end the counter, so it is repeated until the attempts are used up */
		sc->patient = sc->again = false;
		sc->gw.retry.attempts_max = (uint16_t)pick(&later, 10, 60);
		sc->gw.retry.deadline_ms = (uint64_t)pick(&later, 30000, 600000);
	}
	if (broken == BREAK_NONE && chance(&rules, RULES_PERCENT))
		draw_rules(sc, &rules);
	if (sc->patient) /* the days between two openings count as well */
		sc->gw.retry.deadline_ms += rules_take_ms(sc, 0, true);
	if (broken == BREAK_NONE)
		routes_draw(sc, seed);
	if (broken == BREAK_NONE)
		others_draw(sc, seed);
	wards_draw(sc, seed, broken);
	provoke(sc, broken);
	orders_draw(sc, seed, broken);
	if (sc->wrong_keys + sc->denied > sc->cards)
		sc->wrong_keys = sc->denied = 1;
	/* After the last fault: who is absent returns, then a few full rounds of waiting at the slowest pace. */
	sc->bound_ms = sc->calm_ms + sc->air.absent_ms.hi + sc->air.gap_ms.hi +
		       20LL * (sc->gw.retry.max_ms + sc->gw.retry.por_timeout_ms + sc->gw.retry.hint_ms +
			       sc->response_ms + sc->air.validity_ms) +
		       60000 + (sc->stall_ppm ? 2 * SIM_STALL_MS : 0);
	rules_ms = rules_take_ms(sc, sc->bound_ms - sc->calm_ms, true);
	sc->windows_ms = rules_ms - rules_take_ms(sc, sc->bound_ms - sc->calm_ms, false);
	sc->bound_ms += rules_ms;
	if (sc->again || sc->restores)
		sc->bound_ms += sc->bound_ms - sc->calm_ms;
	if (!sc->patient)
		sc->bound_ms += (int64_t)sc->gw.retry.deadline_ms + 600000;
	orders_bound(sc);
	/* a deadline is a time of the wall clock: set back, and seen so by a gateway that starts, it lies so much further away */
	for (unsigned i = 0; i < sc->clock_steps && !sc->patient; i++)
		sc->bound_ms += sc->clock_step_s[i] < 0 ? -1000LL * sc->clock_step_s[i] : 0;
}

/* A few cards in the seed's weather, and a store that does as it is told. */
void scenario_plain_store(struct scenario *sc)
{
	if (sc->cards > SIM_PLAIN_CARDS)
		sc->cards = SIM_PLAIN_CARDS;
	if (sc->wrong_keys + sc->denied > sc->cards)
		sc->wrong_keys = sc->denied = 1;
	sc->slow_ppm = sc->fail_ppm = sc->late_ppm = sc->stall_ppm = sc->read_fail_ppm = 0;
	sc->store_outages = sc->crashes = sc->restores = 0;
}

/* Fine weather and the policy that operators start with: what a written scenario changes, its lines say. */
void scenario_written(struct scenario *sc)
{
	memset(sc, 0, sizeof(*sc));
	sc->cards = sc->links = sc->campaigns = 1;
	sim_card_profile_default(&sc->card);
	sc->alg = sc->card.alg;
	sc->mac_len = sc->card.mac_len;
	sc->kvn = sc->card.kvn;
	sc->card.cntr = 100;
	sc->format = OTA_FORMAT_COMPACT;
	sc->spi[0] = 0x16;
	sc->spi[1] = 0x39;
	sim_air_cfg_default(&sc->air);
	sc->air.latency_ms = (struct sim_range){ 100, 100 };
	sc->air.refresh_ms = (struct sim_range){ 500, 500 };
	sc->air.report_payload = true;
	sc->window = 10;
	sc->response_ms = 10000;
	sc->failed_as = FAIL_UNKNOWN;
	sc->commit_ms = sc->read_ms = (struct sim_range){ 1, 1 };
	sc->bound_ms = INT64_MAX / 4;
	gw_cfg_default(&sc->gw);
	sc->gw.retry.jitter_pct = 0;
	gateway_limits(sc);
	sc->gw.limits.fetch_max = 16;
	sc->gw.limits.inbox_max = 1024;
}

int scenario_profile(const struct scenario *sc, char *text, size_t cap)
{
	int n = sc->works ? orders_profile(sc, text, cap) :
			    snprintf(text, cap,
				     "card-profile sim\n"
				     " tar b00011\n"
				     " spi %02x %02x\n"
				     " counter %s\n"
				     " kvn %u\n"
				     " format %s\n"
				     " concat %s\n"
				     " segments-max 5\n"
				     " refresh %s\n"
				     " por 06 means cntr-low\n"
				     " script\n"
				     "  update 6f7e loci-deleted\n"
				     "  update 6f73 psloci-deleted\n"
				     "  update 6fe3 epsloci-deleted\n"
				     "  update 6f08 keys-deleted\n"
				     "  update 6f09 keys-deleted\n"
				     "  update 6f7b hex ffffff ffffff ffffff ffffff\n"
				     "  update 6f78 acc\n"
				     "  update 6f07 imsi\n"
				     "  read 6f07 9\n",
				     sc->spi[0], sc->spi[1], OTA_SPI1_COUNTER(sc->spi[0]) == 3 ? "exact" : "higher",
				     sc->kvn, ota_format_name(sc->format), sc->wide_ref ? "udh16" : "udh8",
				     sc->card.no_refresh ? "power-cycle" : "card");

	return n < 0 || (size_t)n >= cap ? -1 : n;
}
