/* ho_check.c - the judges: what the cards and the registers are, against what the order promised.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ho.h"

int64_t ho_card_of(struct ho *w, const char *iccid)
{
	for (unsigned i = 0; i < w->d.cards; i++)
		if (!strcmp(w->card[i].iccid, iccid))
			return i;
	return -1;
}

static bool of_op(const char *imsi, unsigned op)
{
	return imsi[4] == (char)('1' + op);
}

/* 3a: K goes to B, under no lock that it can open, before the card has shown that it is staged: so B's register cannot have it when the card
 * takes its set. */
static void check_early(struct ho *w, uint32_t card, const struct ho_order *o, const char *imsi)
{
	if (!o || o->kind != ORDER_3A || o->policy == POLICY_ACTIVATE_FIRST || w->card[card].staged == o->number)
		return;
	w->card[card].staged = o->number;
	if (sim_hlr_knows(sim_world_hlr(w->sim, o->dst), imsi))
		ho_find(w, "early", "card %u is only now staged, and the register of %s has its IMSI %s", card,
			w->p[o->dst].name, imsi);
}

/* An IMSI that a card may present from its next reset on must be known where it belongs: in the order that strands nobody. */
void ho_check_state(struct ho *w, uint32_t card)
{
	const struct sim_card *c = &sim_world_fleet(w->sim)->cards[card];
	struct sim_world_card t;
	unsigned was = w->card[card].state;
	struct ota_sub_set set;
	struct ho_order *o;

	ho_check_plain(w, card);
	sim_world_card(w->sim, card, &t);
	w->card[card].state = t.state;
	if (t.state == was)
		return;
	ho_say(w, "card %u: state %u -> %u, IMSI %s, index %u", card, was, t.state, t.imsi_stored, t.index);
	if (t.moves_max > 1)
		ho_find(w, "twice", "card %u: an order has moved its index %u times", card, t.moves_max);
	if (t.state == SIM_SUB_CONFIRMED)
		w->card[card].moved_ms = w->now_ms;
	o = ho_order_last(w, card);
	if ((t.state != SIM_SUB_ARMED && t.state != SIM_SUB_STAGED) ||
	    ota_sub_set_decode(&set, sim_sub_rec(c->sub)->set, sim_sub_rec(c->sub)->set_len))
		set.imsi[0] = '\0';
	if (t.state == SIM_SUB_STAGED)
		check_early(w, card, o, set.imsi);
	if (t.state != SIM_SUB_ARMED)
		return;
	w->arms++;
	if (o && o->policy != POLICY_ACTIVATE_FIRST && was == SIM_SUB_STAGED &&
	    !sim_hlr_knows(sim_world_hlr(w->sim, o->dst), set.imsi))
		ho_find(w, "ready", "card %u is armed for IMSI %s, which the register of %s does not know", card,
			set.imsi, w->p[o->dst].name);
}

/* Nothing of a subscriber goes while his card may still come back to it. */
void ho_check_remove(struct ho *w, unsigned op, const char *imsi)
{
	w->removes++;
	for (uint32_t i = 0; i < w->d.cards; i++) {
		const struct ho_order *o = ho_order_last(w, i);
		struct sim_world_card t;

		sim_world_card(w->sim, i, &t);
		if (o && op == o->src && !strcmp(imsi, o->imsi_old[i]) &&
		    ((t.applet && t.state != SIM_SUB_CONFIRMED) || !of_op(t.imsi_stored, o->dst)))
			ho_find(w, "purge", "%s removes IMSI %s of card %u, which is in state %u with IMSI %s",
				w->p[op].name, imsi, i, t.state, t.imsi_stored);
		if (o && o->what & CHANGE_IMSI && op == o->src)
			ho_check_second(w, i, imsi);
		if (o && !o->what && op == o->src && !strcmp(imsi, o->imsi_old[i]) && !(o->confirmed & 1u << i))
			ho_find(w, "purge", "%s removes IMSI %s of card %u without a confirmation of %s", w->p[op].name,
				imsi, i, w->p[o->dst].name);
		if (!strcmp(imsi, t.imsi_stored) || !strcmp(imsi, t.imsi_presented))
			ho_find(w, "purge", "%s removes IMSI %s, which card %u holds in state %u", w->p[op].name, imsi,
				i, t.state);
	}
}

/* ---- the end ---- */

static bool order_over(const struct ho_order *o, struct ho_party *p)
{
	static struct store_book row;
	struct store_query q = { .kind = Q_BOOK_GET, .book = BOOK_ORDER, .limit = 1, .out = &row };
	struct store_mem_disk *copy;
	struct store *s;
	bool over;

	if (!p->store || !p->started || !desk_ready(p->desk) || desk_order_by_name(p->desk, o->name))
		return false;
	memcpy(q.key, o->name, sizeof(o->name));
	copy = store_mem_disk_copy(p->disk);
	s = store_mem_open(copy, NULL);
	over = !store_query_wait(s, &q) && q.n && row.row.step == ORDER_ENDED;
	s->ops->close(s);
	store_mem_disk_free(copy);
	return over;
}

struct books {
	struct line line[HO_CARDS_MAX];
	uint16_t step[HO_CARDS_MAX];
	unsigned n;
	bool have[HO_CARDS_MAX];
	struct card_bundle card[HO_CARDS_MAX];
	uint32_t pairs[HO_CARDS_MAX]; /* whose K stands there; bit: index */
};

static bool has_pair(struct store *s, const char *iccid, unsigned index)
{
	static struct store_book row;
	struct store_query q = { .kind = Q_BOOK_GET, .book = BOOK_SUB, .limit = 1, .out = &row };

	snprintf(q.key, sizeof(q.key), "%s/%05u", iccid, index);
	return !store_query_wait(s, &q) && q.n;
}

/* o NULL: cards alone. */
static void books_read(struct ho *w, unsigned who, const struct ho_order *o, struct books *b)
{
	static struct store_book row[HO_CARDS_MAX + 1];
	struct store_mem_disk *copy = store_mem_disk_copy(w->p[who].disk);
	struct store *s = store_mem_open(copy, NULL);
	struct store_query q = {
		.kind = Q_BOOK_OWNER, .book = BOOK_LINE, .id = o ? o->number : 0, .limit = HO_CARDS_MAX + 1, .out = row
	};

	memset(b, 0, sizeof(*b));
	if (o && store_query_wait(s, &q))
		ho_find(w, "harness", "books of %s", w->p[who].name);
	for (unsigned i = 0; i < q.n; i++) {
		struct line l;
		int64_t card;

		if (line_unpack(&l, row[i].body, row[i].row.len))
			continue;
		card = ho_card_of(w, l.iccid);
		if (card < 0) {
			ho_find(w, "books", "%s has a line of a card that nobody ordered", w->p[who].name);
			continue;
		}
		b->line[card] = l;
		b->step[card] = row[i].row.step;
		b->have[card] = true;
		b->n++;
	}
	for (unsigned i = 0; i < w->d.cards; i++) {
		struct store_query qc = { .kind = Q_CARD, .limit = 1, .out = &b->card[i] };

		memcpy(qc.digits, w->card[i].iccid, SIM_ICCID_LEN);
		if (store_query_wait(s, &qc) || !qc.n)
			b->card[i].card.id = 0;
		for (unsigned p = 1; ho_cards_of(w, ORDER_3B) & 1u << i && p < HO_KEYS_MAX; p++)
			b->pairs[i] |= has_pair(s, w->card[i].iccid, p) ? 1u << p : 0;
	}
	s->ops->close(s);
	store_mem_disk_free(copy);
}

/* An order with stranded cards never ends.  It is at rest when the others have, long after the last fault. */
static bool plain_rests(struct ho *w, struct ho_order *o)
{
	static struct books b;
	unsigned stranded = 0, closed = 0;

	if (!w->d.plain || !w->calm || w->now_ms < w->base_ms + w->d.calm_ms + 5 * HO_DAY || w->now_ms < o->rest_ms ||
	    !w->p[o->src].store)
		return false;
	o->rest_ms = w->now_ms + HO_HOUR;
	books_read(w, o->src, o, &b);
	for (unsigned i = 0; i < w->d.cards; i++)
		if (b.have[i]) {
			stranded += line_stranded(&b.line[i]);
			closed += b.step[i] == A_CLOSED;
		}
	return stranded && stranded + closed == b.n;
}

/* Who has refused it is through; what the old operator has refused the new one hears of, the subscriber tells the other way round. */
static bool over_at(struct ho *w, const struct ho_order *o, unsigned who)
{
	return o->refused & 1u << who || order_over(o, &w->p[who]);
}

bool ho_check_ended(struct ho *w)
{
	bool all = true;

	for (unsigned i = w->leg_first; i < w->n_orders; i++) {
		struct ho_order *o = &w->order[i];

		if (!o->ended_ms && ((over_at(w, o, o->src) && over_at(w, o, o->dst)) || plain_rests(w, o)))
			o->ended_ms = w->now_ms;
		all &= o->ended_ms != 0;
	}
	return all;
}

/* By the card's own word: this order has moved it for good. */
bool ho_card_moved(struct ho *w, unsigned card, uint64_t number)
{
	const struct sim_sub *sub = sim_world_fleet(w->sim)->cards[card].sub;
	const struct sim_sub_rec *r = sub ? sim_sub_rec(sub) : NULL;
	const struct ho_order *o = ho_order_of(w, number);
	uint8_t id[8];

	if (!r) { /* EF_IMSI alone says where it is now */
		struct sim_world_card t;

		sim_world_card(w->sim, card, &t);
		return o && of_op(t.imsi_stored, o->dst);
	}
	for (int i = 0; i < 8; i++)
		id[i] = (uint8_t)(number >> (56 - 8 * i));
	for (unsigned i = 0; i < SIM_SUB_ORDERS_MAX; i++)
		if (!memcmp(r->orders[i].id, id, sizeof(id)) &&
		    (r->orders[i].end == SIM_END_CONFIRMED || r->orders[i].end == SIM_END_CONFIRMED_SELF))
			return true;
	return false;
}

static void judge_books(struct ho *w, const struct ho_order *o, const struct books *from, const struct books *to,
			unsigned i)
{
	const struct line *f = &from->line[i], *g = &to->line[i];
	struct sim_world_card t;
	bool moved;

	if (ho_stranded(w, i))
		return;
	sim_world_card(w->sim, i, &t);
	moved = ho_card_moved(w, i, o->number);
	if (o->refused & (1u << o->src | 1u << o->dst)) {
		if (moved || f->end == END_DONE || g->end == END_DONE)
			ho_find(w, "books", "%s, card %u has moved by an order that was refused", o->name, i);
		return;
	}
	if (!from->have[i] || !to->have[i])
		ho_find(w, "books", "%s, card %u: a line at the old operator %d, at the new one %d", o->name, i,
			from->have[i], to->have[i]);
	else if ((f->end == END_DONE) != moved)
		ho_find(w, "books", "%s, card %u: the old operator says \"%s\" (%s), the card holds IMSI %s", o->name,
			i, line_end_name(f->end), f->why, t.imsi_stored);
	else if ((f->end == END_DONE) != (g->end == END_DONE))
		ho_find(w, "books", "%s, card %u: the old operator says \"%s\" (%s), the new one \"%s\" (%s)", o->name,
			i, line_end_name(f->end), f->why, line_end_name(g->end), g->why);
}

/* Where its IMSI belongs, there it must be served, and stand in the books; and nowhere else. */
static void judge_card(struct ho *w, struct books *const at[HO_OPS], unsigned i)
{
	struct sim_world_card t;

	sim_world_card(w->sim, i, &t);
	if (ho_stranded(w, i)) /* of which the report tells: ho_check_stranded() */
		return;
	if (t.op < 0 || !of_op(t.imsi_stored, (unsigned)t.op))
		ho_find(w, "stranded", "card %u holds IMSI %s and is registered with %d; state %u", i, t.imsi_stored,
			t.op, t.state);
	if (t.moves_max > 1)
		ho_find(w, "twice", "card %u: an order has moved its index %u times", i, t.moves_max);
	if (t.executions_max > 1)
		ho_find(w, "twice", "card %u ran a packet %u times", i, t.executions_max);
	for (unsigned op = 1; op < w->d.ops; op++)
		for (unsigned to = 0; to < op; to++)
			if (at[op]->pairs[i] & at[to]->pairs[i])
				ho_find(w, "pair", "card %u: %s and %s have the same pair (indexes %x)", i,
					w->p[to].name, w->p[op].name, at[op]->pairs[i] & at[to]->pairs[i]);
	for (unsigned op = 0; op < w->d.ops; op++) {
		const struct card_row *c = &at[op]->card[i].card;
		const bool known = sim_hlr_knows(sim_world_hlr(w->sim, op), t.imsi_stored);
		const bool here = of_op(t.imsi_stored, op);

		if (known != here)
			ho_find(w, "stranded", "card %u: IMSI %s is known to %s: %d", i, t.imsi_stored, w->p[op].name,
				known);
		if (w->c && w->c->unended)
			continue;
		if (here && (!c->id || c->gone_ms || strcmp(c->imsi, t.imsi_stored)))
			ho_find(w, "books", "card %u is at %s by its IMSI %s, and does not stand so in its books", i,
				w->p[op].name, t.imsi_stored);
		if (!here && c->id && !c->gone_ms)
			ho_find(w, "books", "card %u holds IMSI %s, and stands in the books of %s as well", i,
				t.imsi_stored, w->p[op].name);
	}
}

static void judge_order(struct ho *w, const struct ho_order *o)
{
	struct books *from = calloc(1, sizeof(*from)), *to = calloc(1, sizeof(*to));

	if (!from || !to)
		abort();
	books_read(w, o->src, o, from);
	books_read(w, o->dst, o, to);
	for (unsigned i = 0; i < w->d.cards && !w->fail[0]; i++)
		if (o->cards & 1u << i && o->what)
			ho_check_change(w, o, i, &from->line[i], &from->card[i]);
		else if (o->cards & 1u << i)
			judge_books(w, o, from, to, i);
	free(from);
	free(to);
}

void ho_check_end(struct ho *w)
{
	struct books *at[HO_OPS] = { NULL };
	struct sim_world_counts n;

	for (unsigned op = 0; op < w->d.ops; op++) {
		at[op] = calloc(1, sizeof(*at[op]));
		if (!at[op])
			abort();
		books_read(w, op, NULL, at[op]);
	}
	ho_check_stranded(w);
	ho_check_number_end(w);
	for (unsigned i = 0; i < w->d.cards && !w->fail[0]; i++)
		judge_card(w, at, i);
	for (unsigned op = 0; op < w->d.ops; op++)
		free(at[op]);
	for (unsigned i = w->leg_first; i < w->n_orders && !w->fail[0] && !(w->c && w->c->unended); i++) {
		judge_order(w, &w->order[i]);
		ho_words_end(w, &w->order[i]);
	}
	sim_world_count(w->sim, &n);
	if (n.moved_twice || n.ran_twice)
		ho_find(w, "twice", "%u cards were moved twice, %u ran a packet twice", n.moved_twice, n.ran_twice);
}

bool ho_line_of(struct ho *w, enum order_side side, unsigned card, struct line *out)
{
	const struct ho_order *o = ho_order_last(w, card);
	struct books *b = calloc(1, sizeof(*b));
	bool have;

	if (!b)
		abort();
	if (o)
		books_read(w, side == SIDE_A ? o->src : o->dst, o, b);
	*out = b->line[card];
	have = b->have[card];
	free(b);
	return have;
}

enum line_end ho_end_of(struct ho *w, unsigned card)
{
	const struct ho_order *o = ho_order_last(w, card);
	struct books *b = calloc(1, sizeof(*b));
	enum line_end end;

	if (!b)
		abort();
	if (o)
		books_read(w, o->src, o, b);
	end = (enum line_end)b->line[card].end;
	free(b);
	return end;
}

unsigned ho_counters_of(struct ho *w, unsigned who, unsigned card)
{
	static struct cmd_row row[256];
	struct store_mem_disk *copy = store_mem_disk_copy(w->p[who].disk);
	struct store *s = store_mem_open(copy, NULL);
	struct books *b = calloc(1, sizeof(*b));
	struct store_query q = { .kind = Q_CARD_CMDS, .limit = 256, .out = row };
	uint64_t highest = 0;
	unsigned n = 0;

	if (!b)
		abort();
	books_read(w, who, NULL, b);
	q.id = b->card[card].card.id;
	if (store_query_wait(s, &q))
		ho_find(w, "harness", "commands of card %u", card);
	for (unsigned i = 0; i < q.n; i++) {
		n += row[i].cntr > highest;
		highest = row[i].cntr > highest ? row[i].cntr : highest;
	}
	s->ops->close(s);
	store_mem_disk_free(copy);
	free(b);
	return n;
}

bool ho_has_pair(struct ho *w, unsigned who, unsigned card, unsigned index)
{
	struct store_mem_disk *copy = store_mem_disk_copy(w->p[who].disk);
	struct store *s = store_mem_open(copy, NULL);
	bool has = has_pair(s, w->card[card].iccid, index);

	s->ops->close(s);
	store_mem_disk_free(copy);
	return has;
}

/* For people: where everything stands. */
static void dump(struct ho *w, const struct ho_order *o, unsigned who, struct books *b)
{
	books_read(w, who, o, b);
	for (unsigned i = 0; i < w->d.cards; i++) {
		const struct card_bundle *c = &b->card[i];

		if (o->cards & 1u << i)
			ho_say(w, "%s %s card %u: %s flags %03x end %s (%s); txn %llu of %llu %s: %s; cmd %s due %lld",
			       w->p[who].name, o->name, i, line_step_name(b->step[i]), b->line[i].flags,
			       line_end_name(b->line[i].end), b->line[i].why, (unsigned long long)c->txn.id,
			       (unsigned long long)c->txn.campaign, c->has_txn ? txn_state_name(c->txn.state) : "-",
			       c->txn.reason, c->n_cmds ? cmd_state_name(c->cmd[0].state) : "-",
			       c->n_cmds ? (long long)(c->cmd[0].due_ms - HO_START_MS) / 1000 : 0LL);
	}
}

void ho_dump(struct ho *w)
{
	struct books *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	for (unsigned i = w->leg_first; i < w->n_orders; i++) {
		dump(w, &w->order[i], w->order[i].src, b);
		dump(w, &w->order[i], w->order[i].dst, b);
	}
	free(b);
}
