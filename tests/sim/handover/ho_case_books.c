/* ho_case_books.c - hand-overs in words: what the books of one party say and another's do not.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "ho.h"

static bool in_book(struct ho *w, unsigned who, enum book b, const char *key, struct store_book *row)
{
	struct store_mem_disk *copy = store_mem_disk_copy(w->p[who].disk);
	struct store *s = store_mem_open(copy, NULL);
	struct store_query q = { .kind = Q_BOOK_GET, .book = (uint8_t)b, .limit = 1, .out = row };
	bool there;

	snprintf(q.key, sizeof(q.key), "%s", key);
	there = !store_query_wait(s, &q) && q.n;
	s->ops->close(s);
	store_mem_disk_free(copy);
	return there;
}

/* ---- a card is sent on while it is on its way: B, who is to give it, refuses, and C has taken the order ---- */

static void busy_draw(struct ho_draw *d)
{
	d->ops = 3;
}

static bool busy_leg(struct ho *w)
{
	if (!w->leg)
		return ho_order_give(w, HO_A, HO_B, ho_cards_at(w, HO_A));
	return w->leg == 1 && ho_order_give(w, HO_B, HO_C, ho_cards_at(w, HO_B));
}

static void busy_act(struct ho *w)
{
	if (w->case_step == 0 && ho_look(w, 0).state == SIM_SUB_TRIAL) {
		ho_order_give(w, HO_B, HO_C, 1);
		w->case_step = 1;
	}
}

static const char *imsi_listed(const struct ho_order *o)
{
	return o->n_il ? o->il[0].imsi : "";
}

static void busy_judge(struct ho *w)
{
	static struct store_book row;
	struct ho_order *o = &w->order[1]; /* that was refused */

	if (w->leg) {
		for (unsigned i = 0; i < w->d.cards; i++) {
			ho_must_end(w, i, END_DONE);
			ho_must(w, ho_look(w, i).op == HO_C, "a card has not come to C");
		}
		return;
	}
	ho_must(w, o->refused == 1u << HO_B, "it is not B that has refused the second order");
	ho_must(w, o->n_il == 1 && !o->il_taken, "C has not listed the card, or B has taken that");
	ho_must(w, in_book(w, HO_C, BOOK_IMSI, imsi_listed(o), &row) && row.row.step == 2,
		"the IMSI that C has promised does not rest");
	ho_must(w, !in_book(w, HO_C, BOOK_TAKEN, w->card[0].iccid, &row), "the card is in an order at C");
	ho_must(w, !sim_hlr_knows(sim_world_hlr(w->sim, HO_C), imsi_listed(o)), "C's register has the card's IMSI");
	ho_must(w, in_book(w, HO_B, BOOK_ORDER, o->name, &row) && row.row.step == ORDER_REFUSED,
		"B has forgotten what it has refused");
}

/* ---- A's database of before the plan is put back when B is about to say that it is ready ---- */

static void plan_act(struct ho *w)
{
	struct ho_party *a = &w->p[HO_A];

	if (w->case_step == 0 && w->order[0].il_taken && a->store) {
		w->backup = store_mem_disk_copy(a->disk);
		w->case_step = 1;
	} else if (w->case_step == 1 && sim_hlr_knows(sim_world_hlr(w->sim, HO_B), w->case_imsi)) {
		ho_party_restore(a, w->backup);
		w->backup = NULL;
		w->case_step = 2;
	}
}

static void plan_judge(struct ho *w)
{
	static struct store_book row;
	struct order o;

	ho_all_done(w);
	ho_must(w, w->case_step == 2, "no backup was put back");
	ho_must(w, in_book(w, HO_A, BOOK_ORDER, w->order[0].name, &row) && !order_unpack(&o, row.body, row.row.len),
		"A has no order");
	ho_must(w, !strstr(o.alarm, "left out") && !strstr(o.alarm, "refused"), o.alarm);
}

const struct ho_case ho_cases_books[] = {
	{ "plan", "A's database of before the plan is put back", NULL, plan_act, plan_judge, ORDER_3B },
	{ "busy", "the old operator refuses the order, the new one has taken it; and then another", busy_draw, busy_act,
	  busy_judge, ORDER_3B, .leg = busy_leg },
	{ "busy-3a", "the same in 3a", busy_draw, busy_act, busy_judge, ORDER_3A, .leg = busy_leg },
	{ NULL, NULL, NULL, NULL, NULL, 0 },
};
