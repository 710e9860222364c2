/* ho_words.c - what the parties have put their names to: every package is opened, and held against the truth of that moment.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Judged when it leaves, whether it arrives or not: what is signed is said.  A package that is carried again must be the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ho.h"

struct reading {
	struct ho *w;
	unsigned from, to;
	const struct pkg_head *head;
	const struct xchg_schema *schema;
	struct ho_order *o; /* NULL: of none */
	bool arrived;	    /* it is there; else it leaves */
};

static bool is(const struct xchg_record *r, const char *column, const char *word)
{
	return !strcmp(xchg_value(r, column), word);
}

/* ---- a pair of 3b goes to one operator ---- */

static void pair_goes(struct reading *g, const struct xchg_record *r, unsigned card)
{
	const uint64_t index = xchg_number(r, "index");
	struct ho_card *c = &g->w->card[card];

	if (index >= HO_KEYS_MAX)
		return;
	if (c->pair_of[index] && c->pair_of[index] != g->to + 1)
		ho_find(g->w, "pair", "card %u: pair %llu goes to %s, and %s has got it already", card,
			(unsigned long long)index, g->w->p[g->to].name, g->w->p[c->pair_of[index] - 1].name);
	c->pair_of[index] = (uint8_t)(g->to + 1);
}

/* ---- CF: what B says of a card ---- */

static void confirmed(struct reading *g, unsigned card)
{
	struct sim_world_card t;

	sim_world_card(g->w->sim, card, &t);
	if (g->arrived)
		g->o->confirmed |= 1u << card;
	else if (t.applet ? !ho_card_moved(g->w, card, g->o->number) : t.imsi_stored[4] != (char)('1' + g->o->dst))
		ho_find(g->w, "truth", "%s signs that card %u is confirmed in %s: it is in state %u with IMSI %s",
			g->w->p[g->from].name, card, g->o->name, t.state, t.imsi_stored);
}

static void cf(struct reading *g, const struct xchg_record *r, unsigned card)
{
	struct ho *w = g->w;

	if (!g->o)
		return;
	if (is(r, "what", "confirmed"))
		confirmed(g, card);
	if (g->arrived)
		return;
	if (is(r, "what", "served") && !(g->o->seen & 1u << card))
		ho_find(w, "truth", "%s signs that card %u is served there, and it has never been there in %s",
			w->p[g->from].name, card, g->o->name);
	if (is(r, "what", "ready") && !sim_hlr_knows(sim_world_hlr(w->sim, g->from), xchg_value(r, "imsi")))
		ho_find(w, "truth", "%s signs that IMSI %s is ready, and its register does not know it",
			w->p[g->from].name, xchg_value(r, "imsi"));
}

/* ---- IL and final lists: each line comes back once ---- */

static struct ho_il *il_of(struct ho_order *o, const char *imsi)
{
	for (unsigned i = 0; i < o->n_il; i++)
		if (!strcmp(o->il[i].imsi, imsi))
			return &o->il[i];
	return NULL;
}

static void il(struct reading *g, const struct xchg_record *r)
{
	struct ho_order *o = g->o;

	if (!o || g->arrived)
		return;
	if (g->w->p[g->from].restored &&
	    il_of(o, xchg_value(r, "imsi"))) /* books that were put back do not know of it */
		return;
	memcpy(o->il_id, g->head->id, sizeof(o->il_id));
	if (il_of(o, xchg_value(r, "imsi")) || o->n_il == HO_IL_MAX) {
		ho_find(g->w, "list", "%s: IMSI %s is listed twice, or more than %d are", o->name,
			xchg_value(r, "imsi"), HO_IL_MAX);
		return;
	}
	snprintf(o->il[o->n_il++].imsi, SIM_IMSI_LEN, "%s", xchg_value(r, "imsi"));
}

static void ended(struct reading *g, const struct xchg_record *r, unsigned card)
{
	struct ho_il *line = g->o ? il_of(g->o, xchg_value(r, "imsi")) : NULL;
	const bool moved = g->o && ho_card_moved(g->w, card, g->o->number);
	const bool forgot = g->w->p[g->from].restored; /* that it has told it: the same once more is right */
	struct sim_world_card t;

	if (g->arrived || is(r, "state", "armed") || is(r, "state", "staged"))
		return;
	sim_world_card(g->w->sim, card, &t);
	if (!line)
		ho_find(g->w, "list", "%s tells the end of IMSI %s, which nobody has listed", g->w->p[g->from].name,
			xchg_value(r, "imsi"));
	else if (!line->back || !forgot || !is(r, "state", line->end))
		line->back++;
	if (line && line->back > 1)
		ho_find(g->w, "list", "%s: IMSI %s comes back a second time, as \"%s\" and then as \"%s\"", g->o->name,
			line->imsi, line->end, xchg_value(r, "state"));
	if (line)
		snprintf(line->end, sizeof(line->end), "%s", xchg_value(r, "state"));
	if (t.applet && is(r, "state", "done") != moved)
		ho_find(g->w, "truth", "%s signs that card %u is \"%s\" in %s: it is in state %u with IMSI %s",
			g->w->p[g->from].name, card, xchg_value(r, "state"), g->o ? g->o->name : "none", t.state,
			t.imsi_stored);
}

/* ---- the counter that goes with OTA keys (3a) ---- */

static void hl3a(struct reading *g, const struct xchg_record *r, unsigned card)
{
	struct ho_card *c = &g->w->card[card];
	const uint64_t cntr = xchg_number(r, "cntr"), sqn = xchg_number(r, "sqn");

	if (g->arrived)
		return;
	for (unsigned i = 0; is(r, "stage", "final") && xchg_value(r, "keys")[0] && i < c->n_sent; i++)
		if (c->sent[i].op == g->from && c->sent[i].kvn == xchg_number(r, "kvn") && c->sent[i].cntr > cntr)
			ho_find(g->w, "cntr", "card %u: %s hands over CNTR %llu, and has sent it %llu", card,
				g->w->p[g->from].name, (unsigned long long)cntr, (unsigned long long)c->sent[i].cntr);
	if (!xchg_value(r, "sqn")[0])
		return;
	if (sqn < c->sqn)
		ho_find(g->w, "sqn", "card %u: %s hands over SQN %llu, and %llu was handed over before", card,
			g->w->p[g->from].name, (unsigned long long)sqn, (unsigned long long)c->sqn);
	c->sqn = sqn;
}

/* ---- any package ---- */

static void ack(struct reading *g, const struct xchg_record *r)
{
	for (unsigned i = 0; !g->arrived && i < g->w->n_orders; i++) {
		struct ho_order *o = &g->w->order[i];

		if (g->to == HO_S && is(r, "result", "rejected") &&
		    !memcmp(o->so_id[g->from], g->head->about, sizeof(o->so_id[0]))) {
			o->refused |= 1u << g->from;
			ho_say(g->w, "%s refuses %s (%s)", g->w->p[g->from].name, o->name, xchg_value(r, "rule"));
		}

		if (g->from == o->src && !memcmp(o->il_id, g->head->about, sizeof(o->il_id)))
			o->il_taken = is(r, "result", "accepted");
	}
}

static int one(void *ctx, uint64_t n, char *line, char *err, size_t err_cap)
{
	struct reading *g = ctx;
	struct xchg_record r;
	int64_t card = -1;

	if (xchg_split(g->schema, n, line, &r, err, err_cap)) {
		ho_find(g->w, "harness", "%s", err);
		return 0;
	}
	if (xchg_column(g->schema, "iccid") >= 0)
		card = ho_card_of(g->w, xchg_value(&r, "iccid"));
	switch (g->schema->type) {
	case XCHG_IL:
		il(g, &r);
		break;
	case XCHG_ACK:
		ack(g, &r);
		break;
	case XCHG_KP:
	case XCHG_MF:
		if (card >= 0)
			pair_goes(g, &r, (unsigned)card);
		break;
	case XCHG_CF:
		if (card >= 0)
			cf(g, &r, (unsigned)card);
		break;
	case XCHG_HL3A:
		if (card >= 0)
			hl3a(g, &r, (unsigned)card);
		if (card >= 0 && is(&r, "stage", "final"))
			ended(g, &r, (unsigned)card);
		break;
	case XCHG_HL3B:
		if (card >= 0)
			ended(g, &r, (unsigned)card);
		break;
	default:
		break;
	}
	return 0;
}

/* The same number is the same package for ever. */
static bool first_time(struct ho *w, unsigned from, unsigned to, const struct pkg_head *h)
{
	uint8_t(*id)[PKG_ID_LEN];

	if (h->seq >= HO_SEQ_MAX) {
		ho_find(w, "harness", "%s sends more than %d packages", h->from, HO_SEQ_MAX);
		return false;
	}
	id = &w->said[from][to][h->seq];
	if (!w->said_at[from][to][h->seq]) {
		w->said_at[from][to][h->seq] = true;
		memcpy(*id, h->id, PKG_ID_LEN);
		return true;
	}
	if (memcmp(*id, h->id, PKG_ID_LEN) && !w->p[from].restored)
		ho_find(w, "number", "%s has two packages with the number %llu to %s", h->from,
			(unsigned long long)h->seq, h->to);
	return false;
}

static bool judged(const struct xchg_schema *s)
{
	return s && (s->type == XCHG_IL || s->type == XCHG_ACK || s->type == XCHG_KP || s->type == XCHG_MF ||
		     s->type == XCHG_CF || s->type == XCHG_HL3A || s->type == XCHG_HL3B);
}

void ho_words(struct ho *w, unsigned from, unsigned to, const char *path, bool arrived)
{
	struct reading g = { .w = w, .from = from, .to = to, .arrived = arrived };
	struct pkg_partner *pinned = NULL;
	struct pkg *p = NULL;
	char err[400] = "";

	if (from == HO_S || pkg_open(&p, path, err, sizeof(err))) {
		if (from != HO_S && !arrived)
			ho_find(w, "harness", "%s", err);
		return;
	}
	g.head = pkg_head(p);
	g.schema = xchg_schema(g.head->type);
	for (unsigned i = 0; i < w->n_orders; i++)
		if (!strcmp(w->order[i].name, g.head->order))
			g.o = &w->order[i];
	if ((arrived ? g.schema && g.schema->type == XCHG_CF : first_time(w, from, to, g.head)) && judged(g.schema) &&
	    (pkg_partner_load(&pinned, w->p[from].party, w->p[from].party_len, err, sizeof(err)) ||
	     pkg_verify(p, pinned, g.head->to, w->now_ms / 1000, err, sizeof(err)) ||
	     pkg_read(p, w->p[to].self, one, &g, err, sizeof(err))) &&
	    !arrived)
		ho_find(w, "harness", "a package of %s to %s cannot be read: %s", g.head->from, g.head->to, err);
	pkg_partner_free(pinned);
	pkg_close(p);
}

/* When an order has ended at both: what A has taken in has come back, what it has refused has not. */
void ho_words_end(struct ho *w, const struct ho_order *o)
{
	for (unsigned i = 0; i < o->n_il; i++)
		if (o->il[i].back != (o->il_taken ? 1 : 0) && !ho_stranded_imsi(w, o->il[i].imsi))
			ho_find(w, "list", "%s: IMSI %s of the list, which %s has %s, has come back %u times", o->name,
				o->il[i].imsi, w->p[o->src].name, o->il_taken ? "taken in" : "refused", o->il[i].back);
}
