/* ho_order.c - the subscriber: what is ordered, leg after leg.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ho.h"

#define EAGER_AGAIN_MS HO_HOUR /* when he has been refused */

static const char *const policies[] = { [POLICY_DELIVER_FIRST] = "deliver-then-activate",
					[POLICY_ACTIVATE_FIRST] = "activate-then-deliver",
					[POLICY_ESCROW] = "escrow" };

static void record(struct ho *w, const struct ho_order *o, unsigned card, struct pkg_writer *out)
{
	const struct xchg_schema *s = xchg_schema_of(XCHG_SO);
	char line[300], err[400] = "", until[24];
	const char *v[] = { w->card[card].iccid,
			    o->kind == ORDER_3A ? "3a" : "3b",
			    policies[o->policy],
			    w->p[o->src].name,
			    w->p[o->dst].name,
			    o->kind == ORDER_3A ? "" : w->p[HO_M].name,
			    until };

	snprintf(until, sizeof(until), "%lld", (long long)(w->now_ms + w->d.until_ms) / 1000);
	if (xchg_join(s, v, line, sizeof(line), err, sizeof(err)) || pkg_write_record(out, line, err, sizeof(err)))
		ho_find(w, "harness", "%s", err);
}

static void order_write(struct ho *w, struct ho_order *o, unsigned to)
{
	struct pkg_head h = { .seq = ++w->so_seq[to],
			      .created_s = w->now_ms / 1000,
			      .expires_s = w->now_ms / 1000 + 30 * 86400 };
	char path[200], err[400] = "";
	struct pkg_partner *pinned;
	struct pkg_writer *out;

	snprintf(path, sizeof(path), "%s/so-%u.otapkg", w->dir, to);
	snprintf(h.type, sizeof(h.type), "SO");
	snprintf(h.order, sizeof(h.order), "%s", o->name);
	snprintf(h.from, sizeof(h.from), "%s", w->p[HO_S].name);
	snprintf(h.to, sizeof(h.to), "%s", w->p[to].name);
	xchg_columns_text(xchg_schema_of(XCHG_SO), h.columns);
	if (pkg_partner_load(&pinned, w->p[to].party, w->p[to].party_len, err, sizeof(err)) ||
	    pkg_write_open(&out, path, &h, w->p[HO_S].self, pinned, err, sizeof(err))) {
		ho_find(w, "harness", "%s", err);
		return;
	}
	for (unsigned i = 0; i < w->d.cards; i++)
		if (o->cards & 1u << i)
			record(w, o, i, out);
	if (pkg_write_close(out, &h, err, sizeof(err)))
		ho_find(w, "harness", "%s", err);
	memcpy(o->so_id[to], h.id, PKG_ID_LEN);
	pkg_partner_free(pinned);
	ho_on_its_way(w, HO_S, to, h.seq, path);
	unlink(path);
}

uint32_t ho_cards_at(struct ho *w, unsigned op)
{
	uint32_t cards = 0;

	for (uint32_t i = 0; i < w->d.cards; i++) {
		struct sim_world_card t;

		sim_world_card(w->sim, i, &t);
		if (t.imsi_stored[4] == (char)('1' + op) && !ho_stranded(w, i))
			cards |= 1u << i;
	}
	return cards;
}

uint32_t ho_cards_of(const struct ho *w, unsigned kind)
{
	const uint32_t all = (uint32_t)((1ull << w->d.cards) - 1);

	if (!w->d.mixed || w->d.plain)
		return kind == w->d.kind ? all : 0;
	return all & (kind == ORDER_3A ? 0xaaaaaaaau : 0x55555555u);
}

static struct ho_order *give(struct ho *w, unsigned src, unsigned dst, unsigned kind, uint32_t cards)
{
	struct ho_order *o = &w->order[w->n_orders];

	if (!cards || w->n_orders == HO_ORDERS_MAX)
		return NULL;
	*o = (struct ho_order){ .src = src, .dst = dst, .kind = kind, .policy = w->d.policy, .cards = cards };
	if (o->policy == POLICY_ESCROW && kind == ORDER_3B)
		o->policy = POLICY_DELIVER_FIRST;
	snprintf(o->name, sizeof(o->name), "SO-%u", ++w->n_orders % 100);
	o->number = desk_number(w->p[HO_S].name, o->name);
	for (uint32_t i = 0; i < w->d.cards; i++) {
		struct sim_world_card t;

		sim_world_card(w->sim, i, &t);
		memcpy(o->imsi_old[i], t.imsi_stored, sizeof(o->imsi_old[i]));
		if (cards & 1u << i)
			w->card[i].order_from = w->card[i].n_sent;
	}
	ho_say(w, "order %s: cards %05x from %s to %s", o->name, cards, w->p[src].name, w->p[dst].name);
	order_write(w, o, src);
	order_write(w, o, dst);
	if (o->kind == ORDER_3B)
		order_write(w, o, HO_M);
	return o;
}

struct ho_order *ho_order_give(struct ho *w, unsigned src, unsigned dst, uint32_t cards)
{
	struct ho_order *a = give(w, src, dst, ORDER_3A, cards & ho_cards_of(w, ORDER_3A));
	struct ho_order *b = give(w, src, dst, ORDER_3B, cards & ho_cards_of(w, ORDER_3B));

	return b ? b : a;
}

struct ho_order *ho_order_of(struct ho *w, uint64_t number)
{
	for (unsigned i = 0; i < w->n_orders; i++)
		if (w->order[i].number == number)
			return &w->order[i];
	return NULL;
}

/* One that its old operator has refused moves nothing. */
struct ho_order *ho_order_last(struct ho *w, unsigned card)
{
	for (unsigned i = w->n_orders; i--;)
		if (w->order[i].cards & 1u << card && !(w->order[i].refused & 1u << w->order[i].src))
			return &w->order[i];
	return NULL;
}

/* From op to op, and at last to A again. */
static bool round_leg(struct ho *w, unsigned leg)
{
	const unsigned src = leg % w->d.ops, dst = (leg + 1) % w->d.ops;

	return leg < w->d.ops && ho_order_give(w, src, dst, ho_cards_at(w, src));
}

static bool split_leg(struct ho *w, unsigned leg)
{
	const uint32_t all = ho_cards_at(w, HO_A), some = (uint32_t)ho_next(&w->dice) & all;

	if (leg)
		return false;
	ho_order_give(w, HO_A, HO_B, some);
	ho_order_give(w, HO_A, HO_C, all & ~some);
	return true;
}

static void said(void *ctx, int rc, const char *text)
{
	ho_say(ctx, "cancel: %d %s", rc, text);
}

/* The new operator has refused it: nothing of that comes to the old one, who is asked to drop it. */
static bool drop_refused(struct ho *w, struct ho_order *o)
{
	const unsigned who = o->src;
	struct desk_request r = { .verb = DESK_CANCEL, .done = said, .ctx = w };

	if (!(o->refused & 1u << o->dst) || o->dropped || o->refused & 1u << who || !w->p[who].started ||
	    !desk_ready(w->p[who].desk) || !desk_order_by_name(w->p[who].desk, o->name))
		return false;
	o->dropped = true;
	ho_say(w, "%s is asked to drop %s", w->p[who].name, o->name);
	memcpy(r.order, o->name, sizeof(o->name));
	desk_request(w->p[who].desk, &r);
	return true;
}

/* The subscriber has been told that a card has come to B, and sends it on: often before B is through with its books, which he cannot know. */
bool ho_eager_step(struct ho *w)
{
	uint32_t cards = 0;
	bool did = false;

	for (unsigned i = w->leg_first; i < w->n_orders; i++)
		did |= drop_refused(w, &w->order[i]);
	if (w->c || w->d.shape != HO_EAGER || w->d.plain || w->ended_ms || w->n_orders + 2 > HO_ORDERS_MAX)
		return did;
	for (uint32_t i = 0; i < w->d.cards; i++) {
		const struct ho_order *o = ho_order_last(w, i);

		if (o && o->dst == HO_B && o->src == HO_A && o->confirmed & 1u << i &&
		    w->now_ms >= w->card[i].moved_ms + w->d.eager_ms &&
		    (!w->card[i].ordered_ms || w->now_ms >= w->card[i].ordered_ms + EAGER_AGAIN_MS))
			cards |= 1u << i;
		if (cards & 1u << i)
			w->card[i].ordered_ms = w->now_ms;
	}
	return (cards && ho_order_give(w, HO_B, HO_C, cards)) || did;
}

/* A case without legs of its own: as HO_ONCE. */
bool ho_leg(struct ho *w)
{
	const unsigned leg = w->leg - w->d.change;

	w->leg_first = w->n_orders;
	if (w->c && w->c->leg)
		return w->c->leg(w);
	if (w->d.change && !w->leg)
		return ho_change_leg(w);
	switch (w->d.shape) {
	case HO_BACK:
	case HO_ROUND:
		return round_leg(w, leg);
	case HO_SPLIT:
		return split_leg(w, leg);
	default:
		return !leg && ho_order_give(w, HO_A, HO_B, ho_cards_at(w, HO_A));
	}
}
