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
	return !strncmp(imsi, op == HO_A ? "00101" : "00102", 5);
}

/* An IMSI that a card may present from its next reset on must be known where it belongs: in the order that strands nobody. */
void ho_check_state(struct ho *w, uint32_t card)
{
	const struct sim_card *c = &sim_world_fleet(w->sim)->cards[card];
	struct sim_world_card t;
	unsigned was = w->card[card].state;

	sim_world_card(w->sim, card, &t);
	w->card[card].state = t.state;
	if (t.state == was)
		return;
	ho_say(w, "card %u: state %u -> %u, IMSI %s, index %u", card, was, t.state, t.imsi_stored, t.index);
	if (t.moves_max > 1)
		ho_find(w, "twice", "card %u: an order has moved its index %u times", card, t.moves_max);
	if (t.state != SIM_SUB_ARMED)
		return;
	w->arms++;
	if (w->d.policy == POLICY_DELIVER_FIRST && was == SIM_SUB_STAGED) {
		char imsi[SIM_IMSI_LEN] = "";
		struct ota_sub_set set;

		(void)c;
		if (!ota_sub_set_decode(&set, sim_sub_rec(c->sub)->set, sim_sub_rec(c->sub)->set_len))
			snprintf(imsi, sizeof(imsi), "%s", set.imsi);
		if (!sim_hlr_knows(sim_world_hlr(w->sim, w->dst), imsi))
			ho_find(w, "ready", "card %u is armed for IMSI %s, which B's register does not know", card,
				imsi);
	}
}

/* Nothing of a subscriber goes while his card may still come back to it. */
void ho_check_remove(struct ho *w, unsigned op, const char *imsi)
{
	w->removes++;
	for (uint32_t i = 0; i < w->d.cards; i++) {
		struct sim_world_card t;

		sim_world_card(w->sim, i, &t);
		if (op == w->src && !strcmp(imsi, w->card[i].imsi_old) &&
		    (t.state != SIM_SUB_CONFIRMED || !of_op(t.imsi_stored, w->dst)))
			ho_find(w, "purge", "A removes IMSI %s of card %u, which is in state %u with IMSI %s", imsi, i,
				t.state, t.imsi_stored);
		if (op == w->dst && (!strcmp(imsi, t.imsi_stored) || !strcmp(imsi, t.imsi_presented)))
			ho_find(w, "purge", "B removes IMSI %s, which card %u holds in state %u", imsi, i, t.state);
	}
}

/* ---- the end ---- */

static bool order_over(struct ho *w, struct ho_party *p)
{
	static struct store_book row;
	struct store_query q = { .kind = Q_BOOK_GET, .book = BOOK_ORDER, .limit = 1, .out = &row };
	struct store_mem_disk *copy;
	struct store *s;
	bool over;

	if (!p->store || !p->started || !desk_ready(p->desk) || desk_order_by_name(p->desk, w->name))
		return false;
	memcpy(q.key, w->name, sizeof(w->name));
	copy = store_mem_disk_copy(p->disk);
	s = store_mem_open(copy, NULL);
	over = !store_query_wait(s, &q) && q.n && row.row.step == ORDER_ENDED;
	s->ops->close(s);
	store_mem_disk_free(copy);
	return over;
}

bool ho_check_ended(struct ho *w)
{
	return order_over(w, &w->p[HO_A]) && order_over(w, &w->p[HO_B]);
}

struct books {
	struct line line[HO_CARDS_MAX];
	uint16_t step[HO_CARDS_MAX];
	unsigned n;
	bool have[HO_CARDS_MAX];
	struct card_bundle card[HO_CARDS_MAX];
};

static void books_read(struct ho *w, unsigned who, struct books *b)
{
	static struct store_book row[HO_CARDS_MAX + 1];
	struct store_mem_disk *copy = store_mem_disk_copy(w->p[who].disk);
	struct store *s = store_mem_open(copy, NULL);
	struct store_query q = {
		.kind = Q_BOOK_OWNER, .book = BOOK_LINE, .id = w->number, .limit = HO_CARDS_MAX + 1, .out = row
	};

	memset(b, 0, sizeof(*b));
	if (store_query_wait(s, &q))
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
	}
	s->ops->close(s);
	store_mem_disk_free(copy);
}

static bool owns(const struct books *b, unsigned card, const char *imsi)
{
	return b->card[card].card.id && !b->card[card].card.gone_ms && !strcmp(b->card[card].card.imsi, imsi);
}

static void judge_books(struct ho *w, const struct books *from, const struct books *to, unsigned i,
			const struct sim_world_card *t)
{
	const bool moved = of_op(t->imsi_stored, w->dst);
	const struct line *f = &from->line[i], *g = &to->line[i];

	if (!from->have[i] || !to->have[i])
		ho_find(w, "books", "card %u: a line at the old operator %d, at the new one %d", i, from->have[i],
			to->have[i]);
	else if ((f->end == END_DONE) != moved)
		ho_find(w, "books", "card %u: the old operator says \"%s\" (%s), the card holds IMSI %s", i,
			line_end_name(f->end), f->why, t->imsi_stored);
	else if ((f->end == END_DONE) != (g->end == END_DONE))
		ho_find(w, "books", "card %u: the old operator says \"%s\" (%s), the new one \"%s\" (%s)", i,
			line_end_name(f->end), f->why, line_end_name(g->end), g->why);
}

static void judge_card(struct ho *w, const struct books *a, const struct books *b, unsigned i)
{
	struct sim_world_card t;
	const bool at_b = (sim_world_card(w->sim, i, &t), of_op(t.imsi_stored, HO_B));
	const bool known_a = sim_hlr_knows(sim_world_hlr(w->sim, HO_A), t.imsi_stored);
	const bool known_b = sim_hlr_knows(sim_world_hlr(w->sim, HO_B), t.imsi_stored);
	const struct card_row *other = &(at_b ? a : b)->card[i].card;

	if (t.op != (at_b ? HO_B : HO_A))
		ho_find(w, "stranded", "card %u holds IMSI %s and is registered with %d; state %u", i, t.imsi_stored,
			t.op, t.state);
	if (known_a + known_b != 1 || known_b != at_b)
		ho_find(w, "stranded", "card %u: IMSI %s is known to A %d, to B %d", i, t.imsi_stored, known_a,
			known_b);
	if (t.moves_max > 1)
		ho_find(w, "twice", "card %u: an order has moved its index %u times", i, t.moves_max);
	if (t.executions_max > 1)
		ho_find(w, "twice", "card %u ran a packet %u times", i, t.executions_max);
	if (w->c && w->c->unended)
		return;
	if (!owns(at_b ? b : a, i, t.imsi_stored))
		ho_find(w, "books", "card %u is %s's by its IMSI %s, and does not stand so in its books", i,
			at_b ? "B" : "A", t.imsi_stored);
	if (other->id && !other->gone_ms)
		ho_find(w, "books", "card %u is %s's, and stands in the other's books as well", i, at_b ? "B" : "A");
	if (w->card[i].ordered)
		judge_books(w, w->src == HO_A ? a : b, w->src == HO_A ? b : a, i, &t);
}

void ho_check_end(struct ho *w)
{
	struct books *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
	struct sim_world_counts n;

	if (!a || !b)
		abort();
	books_read(w, HO_A, a);
	books_read(w, HO_B, b);
	for (unsigned i = 0; i < w->d.cards && !w->fail[0]; i++)
		judge_card(w, a, b, i);
	sim_world_count(w->sim, &n);
	if (n.moved_twice || n.ran_twice)
		ho_find(w, "twice", "%u cards were moved twice, %u ran a packet twice", n.moved_twice, n.ran_twice);
	free(a);
	free(b);
}

enum line_end ho_end_of(struct ho *w, unsigned card)
{
	struct books *b = calloc(1, sizeof(*b));
	enum line_end end;

	if (!b)
		abort();
	books_read(w, w->src, b);
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
	books_read(w, who, b);
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

/* For people: where everything stands. */
void ho_dump(struct ho *w)
{
	struct books *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	for (unsigned who = HO_A; who <= HO_B && w->name[0]; who++) {
		books_read(w, who, b);
		for (unsigned i = 0; i < w->d.cards; i++) {
			const struct card_bundle *c = &b->card[i];

			ho_say(w, "%s card %u: %s flags %03x end %s (%s); txn %llu of %llu %s: %s; cmd %s due %lld",
			       w->p[who].name, i, line_step_name(b->step[i]), b->line[i].flags,
			       line_end_name(b->line[i].end), b->line[i].why, (unsigned long long)c->txn.id,
			       (unsigned long long)c->txn.campaign, c->has_txn ? txn_state_name(c->txn.state) : "-",
			       c->txn.reason, c->n_cmds ? cmd_state_name(c->cmd[0].state) : "-",
			       c->n_cmds ? (long long)(c->cmd[0].due_ms - HO_START_MS) / 1000 : 0LL);
		}
	}
	free(b);
}
