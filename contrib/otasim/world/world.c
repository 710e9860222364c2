/* world.c - a fleet, operators with a register and a network each, and the weather between them, under a handed-in clock.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define OP_SHIFT 56 /* the operator stands in the token's highest octet while a message is in the air */

struct sim_world {
	struct sim_world_cfg cfg;
	struct fleet fleet;
	struct sim_air *air;
	struct sim_hlr *hlr[SIM_OPS_MAX];
	struct sim_ctrl *ctrl[SIM_OPS_MAX];
	int64_t now_ms;
};

void sim_world_cfg_default(struct sim_world_cfg *cfg)
{
	*cfg = (struct sim_world_cfg){ .seed = 1,
				       .ops = 2,
				       .op = { { .name = "A", .plmn = "00101" }, { .name = "B", .plmn = "00102" } } };
	sim_card_profile_default(&cfg->card);
	sim_air_cfg_default(&cfg->air);
	strcpy(cfg->card.imsi_prefix, cfg->op[0].plmn);
}

/* ---- life ---- */

static bool fleet_make(struct sim_world *w, char err[SIM_WORLD_ERR_MAX])
{
	const struct sim_world_cfg *cfg = &w->cfg;
	struct sim_card_profile p = cfg->card;

	p.usim = p.pairs == 0;
	if (cfg->perso)
		return fleet_init_perso(&w->fleet, "personalisation", cfg->perso, cfg->perso_len, cfg->seed, &p,
					p.imsi_prefix, err, SIM_WORLD_ERR_MAX) == 0;
	return fleet_init(&w->fleet, cfg->cards, cfg->seed, &p, p.imsi_prefix, err, SIM_WORLD_ERR_MAX) == 0;
}

static bool operators_make(struct sim_world *w, char err[SIM_WORLD_ERR_MAX])
{
	const struct sim_world_cfg *cfg = &w->cfg;
	uint32_t card = 0;

	for (unsigned i = 0; i < cfg->ops; i++) {
		w->hlr[i] = sim_hlr_new();
		w->ctrl[i] = w->hlr[i] ? sim_ctrl_new(w->hlr[i], cfg->seed + i) : NULL;
		if (!w->ctrl[i]) {
			snprintf(err, SIM_WORLD_ERR_MAX, "no memory for the register of %s", cfg->op[i].name);
			return false;
		}
		sim_ctrl_late(w->ctrl[i], cfg->op[i].late_ms.lo, cfg->op[i].late_ms.hi);
	}
	if (cfg->fill >= 0 && !sim_hlr_fill(w->hlr[cfg->fill], &w->fleet, &card)) {
		snprintf(err, SIM_WORLD_ERR_MAX, "the register of %s does not take card %s (IMSI %s, MSISDN %s)",
			 cfg->op[cfg->fill].name, w->fleet.cards[card].iccid, w->fleet.cards[card].imsi_first,
			 w->fleet.cards[card].msisdn);
		return false;
	}
	for (unsigned i = 0; i < cfg->ops; i++)
		sim_hlr_fail_creates(w->hlr[i], cfg->op[i].create_fail_ppm, cfg->seed ^ 0x5851f42d4c957f2du * (i + 1u));
	return true;
}

static bool operators_ok(const struct sim_world_cfg *cfg, char err[SIM_WORLD_ERR_MAX])
{
	if (cfg->ops < 1 || cfg->ops > SIM_OPS_MAX || cfg->fill >= (int)cfg->ops) {
		snprintf(err, SIM_WORLD_ERR_MAX, "1 to %d operators are wanted, and one of them is filled",
			 SIM_OPS_MAX);
		return false;
	}
	for (unsigned i = 0; i < cfg->ops; i++) {
		const char *plmn = cfg->op[i].plmn;
		size_t n = strlen(plmn);
		bool ok = n >= 5 && n <= 6 && strspn(plmn, "0123456789") == n;

		for (unsigned j = 0; j < i; j++)
			ok = ok && strcmp(plmn, cfg->op[j].plmn);
		if (!ok) {
			snprintf(err, SIM_WORLD_ERR_MAX,
				 "operator %s: PLMN \"%s\": 5 or 6 digits are wanted, and no other's", cfg->op[i].name,
				 plmn);
			return false;
		}
	}
	return true;
}

struct sim_world *sim_world_new(const struct sim_world_cfg *cfg, int64_t now_ms, char err[SIM_WORLD_ERR_MAX])
{
	struct sim_world *w = calloc(1, sizeof(*w));
	struct sim_air_cfg air = cfg->air;

	snprintf(err, SIM_WORLD_ERR_MAX, "no memory");
	if (!w)
		return NULL;
	w->cfg = *cfg;
	w->now_ms = now_ms;
	if (!operators_ok(cfg, err) || !fleet_make(w, err) || !operators_make(w, err))
		goto fail;
	air.seed = cfg->seed;
	air.ops = cfg->ops;
	for (unsigned i = 0; i < cfg->ops; i++) {
		air.op[i].hlr = w->hlr[i];
		memcpy(air.op[i].plmn, cfg->op[i].plmn, sizeof(air.op[i].plmn));
	}
	w->air = sim_air_new(&air, w->fleet.cards, w->fleet.n, now_ms);
	if (!w->air) {
		snprintf(err, SIM_WORLD_ERR_MAX, "no memory for %u cards on the air", w->fleet.n);
		goto fail;
	}
	return w;
fail:
	sim_world_free(w);
	return NULL;
}

void sim_world_free(struct sim_world *w)
{
	if (!w)
		return;
	sim_air_free(w->air);
	for (unsigned i = 0; i < SIM_OPS_MAX; i++) {
		sim_ctrl_free(w->ctrl[i]);
		sim_hlr_free(w->hlr[i]);
	}
	fleet_free(&w->fleet);
	free(w);
}

/* ---- in ---- */

static void until(struct sim_world *w, int64_t now_ms)
{
	if (now_ms > w->now_ms)
		w->now_ms = now_ms;
}

void sim_world_submit(struct sim_world *w, unsigned op, const struct sim_sm *sm, int64_t now_ms)
{
	struct sim_sm one = *sm;

	until(w, now_ms);
	one.op = (uint8_t)op;
	one.token = sm->token | (uint64_t)op << OP_SHIFT;
	sim_air_submit(w->air, &one, w->now_ms);
}

void sim_world_up_answer(struct sim_world *w, uint64_t id, enum sim_up_answer ans, int64_t now_ms)
{
	until(w, now_ms);
	sim_air_up_answer(w->air, id, ans, w->now_ms);
}

void sim_world_up_lost(struct sim_world *w, unsigned op, int64_t now_ms)
{
	until(w, now_ms);
	sim_air_up_lost_at(w->air, op, w->now_ms);
}

bool sim_world_ctrl(struct sim_world *w, unsigned op, uint64_t tag, const char *request, int64_t now_ms)
{
	until(w, now_ms);
	return op < w->cfg.ops && sim_ctrl_ask(w->ctrl[op], tag, request, w->now_ms);
}

void sim_world_hlr_down(struct sim_world *w, unsigned op, bool down)
{
	sim_hlr_down(w->hlr[op], down);
}

void sim_world_hlr_late(struct sim_world *w, unsigned op, struct sim_range late_ms)
{
	sim_ctrl_late(w->ctrl[op], late_ms.lo, late_ms.hi);
}

/* ---- out ---- */

static uint64_t token_of(uint64_t token)
{
	return token & ((1ull << OP_SHIFT) - 1);
}

static void on_result(void *ctx, uint64_t token, enum sim_submit_result r)
{
	struct sim_world *w = ctx;

	w->cfg.cb.result(w->cfg.ctx, (unsigned)(token >> OP_SHIFT), token_of(token), r);
}

static bool on_up(void *ctx, const struct sim_up *up)
{
	struct sim_world *w = ctx;
	struct sim_up one = *up;

	one.token = token_of(up->token);
	return w->cfg.cb.up(w->cfg.ctx, &one);
}

static void on_alert(void *ctx, unsigned op, const struct sim_addr *from, uint8_t ms_status)
{
	struct sim_world *w = ctx;

	(void)ms_status; /* available, always */
	w->cfg.cb.alert(w->cfg.ctx, op, from);
}

static void on_card_out(void *ctx, uint32_t card, const struct sim_card_out *out, const struct sim_sm *sm)
{
	struct sim_world *w = ctx;
	struct sim_sm one = *sm;

	one.token = token_of(sm->token);
	if (w->cfg.cb.card_out)
		w->cfg.cb.card_out(w->cfg.ctx, card, out, &one);
}

static void on_shown(void *ctx, uint32_t card)
{
	struct sim_world *w = ctx;

	if (w->cfg.cb.shown)
		w->cfg.cb.shown(w->cfg.ctx, card);
}

static const struct sim_air_cb air_cb = {
	.result = on_result,
	.up = on_up,
	.alert = on_alert,
	.card_out = on_card_out,
	.shown = on_shown,
};

static void replies(struct sim_world *w)
{
	char reply[SIM_HLR_REPLY_MAX];
	uint64_t tag;
	bool lost;

	for (unsigned i = 0; i < w->cfg.ops; i++) {
		while (sim_ctrl_reply(w->ctrl[i], w->now_ms, &tag, reply, &lost))
			w->cfg.cb.ctrl(w->cfg.ctx, i, tag, lost ? NULL : reply);
	}
}

void sim_world_step(struct sim_world *w, int64_t now_ms)
{
	int64_t due;

	while ((due = sim_world_next_due(w)) <= now_ms) {
		until(w, due);
		sim_air_step(w->air, w->now_ms, &air_cb, w);
		replies(w);
	}
	until(w, now_ms);
}

int64_t sim_world_next_due(const struct sim_world *w)
{
	int64_t due = sim_air_next_due(w->air);

	for (unsigned i = 0; i < w->cfg.ops; i++) {
		int64_t ctrl = sim_ctrl_next_due(w->ctrl[i]);

		due = ctrl < due ? ctrl : due;
	}
	return due < w->now_ms ? w->now_ms : due;
}

/* ---- truth ---- */

uint32_t sim_world_cards(const struct sim_world *w)
{
	return w->fleet.n;
}

void sim_world_card(const struct sim_world *w, uint32_t card, struct sim_world_card *out)
{
	sim_card_look(&w->fleet.cards[card], w->air, card, out);
}

void sim_world_count(const struct sim_world *w, struct sim_world_counts *out)
{
	struct sim_world_card c;

	*out = (struct sim_world_counts){ 0 };
	for (uint32_t i = 0; i < w->fleet.n; i++) {
		sim_world_card(w, i, &c);
		if (c.op >= 0)
			out->at[c.op]++;
		else
			out->nowhere++;
		out->moved_twice += c.moves_max > 1;
		out->ran_twice += c.executions_max > 1;
	}
}

struct sim_air *sim_world_air(struct sim_world *w)
{
	return w->air;
}

struct sim_hlr *sim_world_hlr(struct sim_world *w, unsigned op)
{
	return w->hlr[op];
}

struct fleet *sim_world_fleet(struct sim_world *w)
{
	return &w->fleet;
}
