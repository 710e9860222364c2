/* ho_plain.c - fleets of plain cards: files alone, no application and no way back.  A strand is possible, and must be told.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A card is stranded when it has carried out the write of its new IMSI and the register of its new operator does not know that.  The
 * old operator's report must name exactly these, when everything has come to rest.
 */
#include <stdio.h>
#include <string.h>

#include "ho.h"

/* ---- the old operator's word, asked for of each order ---- */

static void accepted(void *ctx, int rc, const char *text)
{
	ho_say(ctx, "accept: %d %s", rc, text);
}

/* ---- the new operator's: what was in the way at his register is gone ---- */

static void provided(void *ctx, int rc, const char *text)
{
	ho_say(ctx, "provide: %d %s", rc, text);
}

static bool provides(struct ho *w, struct ho_order *o)
{
	struct ho_party *p = &w->p[o->dst];
	struct desk_request r = { .verb = DESK_PROVIDE, .done = provided, .ctx = w };

	if (!w->d.mends || !w->calm || o->ended_ms || w->now_ms < o->provide_ms || !p->started ||
	    !desk_ready(p->desk) || !desk_order_by_name(p->desk, o->name))
		return false;
	sim_hlr_fail_creates(sim_world_hlr(w->sim, o->dst), 0, 0);
	o->provide_ms = w->now_ms + 6 * HO_HOUR;
	snprintf(r.order, sizeof(r.order), "%s", o->name);
	return !desk_request(p->desk, &r);
}

bool ho_plain_step(struct ho *w)
{
	bool did = false;

	for (unsigned i = w->leg_first; w->d.plain && i < w->n_orders; i++) {
		struct ho_order *o = &w->order[i];
		struct ho_party *p = &w->p[o->src];
		struct desk_request r = {
			.verb = DESK_ACCEPT, .no_rollback_ok = !w->d.dissent, .done = accepted, .ctx = w
		};
		const struct order *open;

		did |= provides(w, o);
		if (!p->started || !desk_ready(p->desk))
			continue;
		open = desk_order_by_name(p->desk, o->name);
		if (!open || !open->whole || open->step != ORDER_OPEN || open->no_rollback != NO_ROLLBACK_UNSAID ||
		    w->now_ms < o->accept_ms)
			continue;
		o->accept_ms = w->now_ms + HO_MINUTE; /* its power may fail in the midst of it */
		snprintf(r.order, sizeof(r.order), "%s", o->name);
		did |= !desk_request(p->desk, &r);
	}
	return did;
}

/* ---- judges ---- */

void ho_check_plain(struct ho *w, uint32_t card)
{
	struct ho_card *c = &w->card[card];
	const struct ho_order *o = ho_order_last(w, card);
	struct sim_world_card t;

	sim_world_card(w->sim, card, &t);
	if (t.applet || !strcmp(c->imsi, t.imsi_stored))
		return;
	if (c->imsi[0]) {
		w->arms++;
		ho_say(w, "card %u: IMSI %s -> %s", card, c->imsi, t.imsi_stored);
		if (o && o->policy == POLICY_DELIVER_FIRST &&
		    !sim_hlr_knows(sim_world_hlr(w->sim, o->dst), t.imsi_stored))
			ho_find(w, "ready", "card %u is written for IMSI %s, which the register of %s does not know",
				card, t.imsi_stored, w->p[o->dst].name);
	}
	memcpy(c->imsi, t.imsi_stored, sizeof(c->imsi));
}

bool ho_stranded(struct ho *w, unsigned card)
{
	struct sim_world_card t;

	sim_world_card(w->sim, card, &t);
	return !t.applet && t.imsi_writes && t.imsi_stored[0] &&
	       !sim_hlr_knows(sim_world_hlr(w->sim, (unsigned)(t.imsi_stored[4] - '1')), t.imsi_stored);
}

bool ho_stranded_imsi(struct ho *w, const char *imsi)
{
	for (unsigned i = 0; w->d.plain && i < w->d.cards; i++)
		if (!strcmp(w->card[i].imsi, imsi) && ho_stranded(w, i))
			return true;
	return false;
}

/* As reported, so it is. */
void ho_check_stranded(struct ho *w)
{
	for (unsigned i = 0; w->d.plain && i < w->d.cards && !w->fail[0]; i++) {
		const bool truth = ho_stranded(w, i);
		struct line l;
		const bool told = ho_line_of(w, SIDE_A, i, &l) && line_stranded(&l);

		w->stranded += truth;
		if (truth && w->d.mends)
			ho_find(w, "stranded",
				"card %u holds IMSI %s, and the new operator, who could, has not provided it", i,
				w->card[i].imsi);
		if (truth != told)
			ho_find(w, "report", "card %u holds IMSI %s and is %sstranded, the report says %s (flags %03x)",
				i, w->card[i].imsi, truth ? "" : "not ", told ? "it is" : "it is not", l.flags);
	}
}

/* ---- in words ---- */

static void draw(struct ho_draw *d)
{
	d->plain = true;
}

static void opc_draw(struct ho_draw *d)
{
	draw(d);
	d->opc = true;
}

static void literal_draw(struct ho_draw *d)
{
	draw(d);
	d->policy = POLICY_ACTIVATE_FIRST;
}

static void f5_draw(struct ho_draw *d)
{
	literal_draw(d);
	d->carry_ms = (struct sim_range){ 3 * HO_HOUR, 4 * HO_HOUR };
}

static void f6_draw(struct ho_draw *d)
{
	draw(d);
	d->cards = 10;
	d->hlr_fail_ppm = 300000;
}

static void f6_literal_draw(struct ho_draw *d)
{
	f6_draw(d);
	literal_draw(d);
	d->carry_ms = (struct sim_range){ HO_MINUTE, 2 * HO_MINUTE };
}

static void f6_mended_draw(struct ho_draw *d)
{
	f6_literal_draw(d);
	d->mends = true;
}

static void dissent_draw(struct ho_draw *d)
{
	draw(d);
	d->dissent = true;
}

static void all_done(struct ho *w)
{
	ho_all_done(w);
	ho_must(w, w->arms == w->d.cards && !w->stranded, "each is written once, and none is stranded");
}

static void opc_act(struct ho *w)
{
	for (unsigned i = 0; i < w->d.cards && !w->case_step; i++)
		memcpy(w->opc_first[i], sim_world_fleet(w->sim)->cards[i].usim->opc, 16);
	w->case_step = 1;
}

/* A phone attaches only where card and register have the same OPc: that all are done is the proof of it. */
static void opc_judge(struct ho *w)
{
	all_done(w);
	for (unsigned i = 0; i < w->d.cards; i++)
		ho_must(w, memcmp(sim_world_fleet(w->sim)->cards[i].usim->opc, w->opc_first[i], 16) != 0,
			"a card has the OPc that it had");
}

static void f6_judge(struct ho *w)
{
	ho_must(w, w->arms > 0 && w->arms < w->d.cards && !w->stranded, "those that B cannot have are not written");
}

static void f6_literal_judge(struct ho *w)
{
	ho_must(w, w->stranded > 0 && w->stranded < w->d.cards, "some are stranded, and the others are not");
}

/* Some were: until the new operator could have them. */
static void f6_mended_judge(struct ho *w)
{
	all_done(w);
	ho_must(w, w->case_step == 1, "none was stranded before");
}

static void f6_mended_act(struct ho *w)
{
	for (unsigned i = 0; i < w->d.cards && !w->case_step && !w->calm; i++) {
		struct line l;

		if (ho_stranded(w, i) && ho_line_of(w, SIDE_A, i, &l) && line_stranded(&l) && l.flags & LINE_GIVEN_UP)
			w->case_step = 1;
	}
}

static void dissent_judge(struct ho *w)
{
	for (unsigned i = 0; i < w->d.cards; i++)
		ho_must_end(w, i, END_FAILED);
	ho_must(w, !w->arms, "a card was written");
}

/* Its write is proven by nobody: it has moved, and A sends nothing fresh. */
static void h1_act(struct ho *w)
{
	/* one value for the question whether it is there, the second one for the write, which is on its way */
	if (w->case_step == 0 && ho_counters_of(w, HO_A, 0) == 2) {
		sim_air_taking(ho_air(w), 0, SIM_SILENT, w->now_ms);
		w->case_step = 1;
	} else if (w->case_step == 1 && ho_look(w, 0).op == HO_B) {
		sim_air_taking(ho_air(w), 0, SIM_TAKES, w->now_ms);
		w->case_step = 2;
	}
}

static void h1_judge(struct ho *w)
{
	all_done(w);
	ho_must(w, w->case_step == 2, "the proof was not lost");
	ho_must(w, ho_counters_of(w, HO_A, 0) == 2, "A has taken a fresh counter although the card may have moved");
}

/* Its new network does not answer for three days: without its rule the old operator would ask in the meantime. */
static void away_act(struct ho *w)
{
	if (w->case_step == 0 && ho_counters_of(w, HO_A, 0) == 2) {
		sim_air_taking(ho_air(w), 0, SIM_SILENT, w->now_ms);
		sim_world_hlr_down(w->sim, HO_B, true);
		w->case_step = 1;
		w->case_ms = w->now_ms + 3 * HO_DAY;
	} else if (w->case_step == 1 && w->now_ms >= w->case_ms) {
		ho_must(w, w->card[0].imsi[4] == '2', "card 0 was not written");
		sim_air_taking(ho_air(w), 0, SIM_TAKES, w->now_ms);
		sim_world_hlr_down(w->sim, HO_B, false);
		w->case_step = 2;
		w->case_ms = 0;
	}
}

const struct ho_case ho_cases_plain[] = {
	{ "plain", "plain cards, and nothing goes wrong", draw, NULL, all_done, ORDER_3A },
	{ "plain-opc", "plain cards with a place for OPc: they get the new operator's", opc_draw, opc_act, opc_judge,
	  ORDER_3A },
	{ "plain-lit", "plain cards in the papers' order", literal_draw, NULL, all_done, ORDER_3A },
	{ "plain-no", "plain cards, and A's operator does not let them go", dissent_draw, NULL, dissent_judge,
	  ORDER_3A },
	{ "plain-F5", "plain cards in the papers' order, and B is not ready for hours", f5_draw, NULL, all_done,
	  ORDER_3A },
	{ "plain-F6", "plain cards, and B's register cannot create some", f6_draw, NULL, f6_judge, ORDER_3A },
	{ "plain-F6-lit", "the same in the papers' order: these are stranded, and named", f6_literal_draw, NULL,
	  f6_literal_judge, ORDER_3A },
	{ "plain-mended", "the same, and B provides them when its register can", f6_mended_draw, f6_mended_act,
	  f6_mended_judge, ORDER_3A },
	{ "plain-H1", "the proof of a plain card's write is lost, and it has moved", draw, h1_act, h1_judge, ORDER_3A },
	{ "plain-away", "the same, and its new network does not answer for three days", draw, away_act, h1_judge,
	  ORDER_3A },
	{ NULL, NULL, NULL, NULL, NULL, 0 },
};
