/* mem_trim.c - removing what is old and proves nothing that still counts (struct store_trim says what stays).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "mem_int.h"

static bool has_open(const struct store_mem_disk *d, const struct m_card *m)
{
	for (uint32_t i = m->txns; i != NONE; i = ((struct m_txn *)vec_at(&d->txn, i))->next)
		if (txn_is_open(&((struct m_txn *)vec_at(&d->txn, i))->row))
			return true;
	for (uint32_t i = m->cmds; i != NONE; i = ((struct m_cmd *)vec_at(&d->cmd.v, i))->next)
		if (((struct m_cmd *)vec_at(&d->cmd.v, i))->row.state < CMD_DONE)
			return true;
	return false;
}

/* First command of the card's newest transaction that is DONE, 0: there is none. */
static uint64_t cmd_kept(const struct store_mem_disk *d, const struct m_card *m)
{
	uint64_t done = 0, first = 0;

	for (uint32_t i = m->txns; i != NONE; i = ((struct m_txn *)vec_at(&d->txn, i))->next) {
		const struct txn_row *t = &((struct m_txn *)vec_at(&d->txn, i))->row;

		if (t->state == TXN_DONE && t->id > done)
			done = t->id;
	}
	for (uint32_t i = m->cmds; done && i != NONE; i = ((struct m_cmd *)vec_at(&d->cmd.v, i))->next) {
		const struct cmd_row *c = &((struct m_cmd *)vec_at(&d->cmd.v, i))->row;

		if (c->txn == done)
			first = c->id; /* they are linked newest first */
	}
	return first;
}

/* The line of the story from which on all stays, 0: there is none. */
static uint64_t story_kept(const struct store_mem_disk *d, const struct m_card *m, uint64_t cmd_from)
{
	for (uint32_t i = m->story_first; cmd_from && i != NONE; i = ((struct m_story *)vec_at(&d->story, i))->next) {
		const struct story_row *s = &((struct m_story *)vec_at(&d->story, i))->row;

		if (s->cmd >= cmd_from)
			return s->id;
	}
	return 0;
}

/* Takes a line out of the list that begins at *first and ends at *last; prev: the one before it. */
static void story_unlink(struct store_mem_disk *d, uint32_t *first, uint32_t *last, uint32_t prev, uint32_t i)
{
	uint32_t next = ((struct m_story *)vec_at(&d->story, i))->next;

	if (prev == NONE)
		*first = next;
	else
		((struct m_story *)vec_edit(d, &d->story, prev))->next = next;
	if (*last == i)
		*last = prev;
	((struct m_story *)vec_edit(d, &d->story, i))->row.id = 0;
}

static void story_trim(struct store_mem_disk *d, const struct store_trim *t, uint64_t card, uint64_t from,
		       uint32_t *first, uint32_t *last, uint32_t *left)
{
	uint32_t prev = NONE, next;

	for (uint32_t i = *first; i != NONE && *left; i = next) {
		const struct m_story *m = vec_at(&d->story, i);

		next = m->next;
		if (m->row.card == card && m->row.at_ms < t->before_ms &&
		    (m->row.id < from || m->row.kind == STORY_STRAY)) {
			story_unlink(d, first, last, prev, i);
			--*left;
		} else {
			prev = i;
		}
	}
}

/* The oldest packet that may go, 0: none. */
static uint64_t wire_old(const struct store_mem_disk *d, const struct store_trim *t, const struct m_card *m,
			 uint64_t from)
{
	uint64_t id = 0;

	for (uint32_t i = m->cmds; i != NONE; i = ((struct m_cmd *)vec_at(&d->cmd.v, i))->next) {
		const struct cmd_row *c = &((struct m_cmd *)vec_at(&d->cmd.v, i))->row;

		if (c->id < from && c->state >= CMD_DONE && c->ended_ms < t->before_ms &&
		    otab_find(&d->wire, c->id) != NONE)
			id = c->id;
	}
	return id;
}

static void card_trim(struct store_mem_disk *d, const struct store_trim *t, uint64_t card, uint32_t *left)
{
	struct m_card *m = card_at(d, card);
	uint64_t cmd_from, id;

	if (!m) {
		raw_edit(d, &d->stray_first, sizeof(d->stray_first));
		raw_edit(d, &d->stray_last, sizeof(d->stray_last));
		story_trim(d, t, 0, 0, &d->stray_first, &d->stray_last, left);
		return;
	}
	if (has_open(d, m))
		return;
	cmd_from = cmd_kept(d, m);
	m = vec_edit(d, &d->card, (uint32_t)(card - 1));
	story_trim(d, t, card, story_kept(d, m, cmd_from), &m->story_first, &m->story_last, left);
	for (; *left && (id = wire_old(d, t, m, cmd_from)); --*left)
		otab_delist(d, &d->wire, id);
}

/* The highest id that is left decides which comes next, as with SQLite. */
static void story_cut(struct store_mem_disk *d)
{
	uint32_t n = d->story.n;

	for (; n && !((struct m_story *)vec_at(&d->story, n - 1))->row.id; n--)
		vec_edit(d, &d->story, n - 1);
	if (n < d->story.n)
		vec_cut(d, &d->story, n);
}

void mem_trim(struct store_mem_disk *d, struct store_trim *t)
{
	uint32_t left = t->rows, max = t->cards < STORE_TRIM_CARDS_MAX ? t->cards : STORE_TRIM_CARDS_MAX, i;
	uint64_t card = t->card;

	for (i = 0; i < max && left && card <= d->card.n; i++)
		card_trim(d, t, card++, &left);
	if (!left && i) /* there may be more of the last one */
		card--;
	t->more = card <= d->card.n;
	t->next = t->more ? card : 0;
	t->removed = t->rows - left;
	story_cut(d);
}
