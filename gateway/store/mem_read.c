/* mem_read.c - fetches and queries on the memory tables.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <string.h>

#include "mem_int.h"

/* ---- a card with all that is open ---- */

static bool part_before(const struct part_row *a, const struct part_row *b)
{
	if (a->at_ms != b->at_ms)
		return a->at_ms > b->at_ms;
	if (a->iei != b->iei)
		return a->iei < b->iei;
	if (a->ref != b->ref)
		return a->ref < b->ref;
	return a->seq < b->seq;
}

static void bundle_parts(const struct store_mem_disk *d, const struct m_card *m, struct card_bundle *out)
{
	uint32_t i;

	for (i = m->parts; i != NONE; i = ((struct m_part *)vec_at(&d->part, i))->next) {
		const struct part_row *p = &((struct m_part *)vec_at(&d->part, i))->row;
		unsigned at = out->n_parts;

		if (out->n_parts < CARD_PARTS_MAX)
			out->n_parts++;
		else if (part_before(p, &out->part[CARD_PARTS_MAX - 1]))
			at--;
		else
			continue;
		for (; at && part_before(p, &out->part[at - 1]); at--)
			out->part[at] = out->part[at - 1];
		out->part[at] = *p;
	}
}

static void bundle_cmds(const struct store_mem_disk *d, const struct m_card *m, struct card_bundle *out)
{
	bool script = false;

	for (uint32_t i = m->cmds; i != NONE && (out->n_cmds < CARD_CMDS_MAX || !script);
	     i = ((struct m_cmd *)vec_at(&d->cmd.v, i))->next) {
		const struct cmd_row *row = &((struct m_cmd *)vec_at(&d->cmd.v, i))->row;

		if (out->n_cmds < CARD_CMDS_MAX)
			out->cmd[out->n_cmds++] = *row;
		else if (row->kind == CMD_SCRIPT)
			out->cmd[CARD_CMDS_MAX - 1] = *row;
		script |= row->kind == CMD_SCRIPT;
	}
}

static void bundle_txn(const struct store_mem_disk *d, const struct m_card *m, bool query, struct card_bundle *out)
{
	int best = 0;

	for (uint32_t i = m->txns; i != NONE; i = ((struct m_txn *)vec_at(&d->txn, i))->next) {
		const struct txn_row *t = &((struct m_txn *)vec_at(&d->txn, i))->row;
		int rank = store_txn_rank(t->state, txn_is_open(t), query);

		if (rank <= best)
			continue;
		best = rank;
		out->txn = *t;
		out->has_txn = true;
	}
}

static void bundle_work(const struct store_mem_disk *d, struct card_bundle *out)
{
	const struct m_txn *t = out->has_txn ? vec_at(&d->txn, (uint32_t)(out->txn.id - 1)) : NULL;

	if (!t || !t->work_len)
		return;
	out->work_len = (uint16_t)t->work_len;
	memcpy(out->work, vec_at(&d->bytes, t->work_off), t->work_len);
}

static void bundle_read(const struct store_mem_disk *d, const struct m_card *m, const struct txn_row *txn, bool query,
			struct card_bundle *out)
{
	uint32_t i;

	memset(out, 0, sizeof(*out));
	out->card = m->row;
	out->n_keysets = (uint8_t)m->n_keysets;
	memcpy(out->keyset, m->keyset, sizeof(out->keyset));
	bundle_cmds(d, m, out);
	bundle_parts(d, m, out);
	if (txn) {
		out->txn = *txn;
		out->has_txn = true;
	} else {
		bundle_txn(d, m, query, out);
	}
	bundle_work(d, out);
	for (unsigned k = 0; k < out->n_cmds; k++) {
		const struct m_wire *w;

		if (out->cmd[k].state > CMD_WAIT_PRESENCE)
			continue;
		i = otab_find(&d->wire, out->cmd[k].id);
		w = i != NONE ? vec_at(&d->wire.v, i) : NULL;
		if (w && w->len) {
			out->packet_cmd = w->id;
			out->packet_len = (uint16_t)w->len;
			memcpy(out->packet, vec_at(&d->bytes, w->off), w->len);
		}
		break;
	}
}

static uint64_t card_of_addr(const struct store_mem_disk *d, const struct store_fetch *f)
{
	const struct card_addr_row *best = NULL;
	uint32_t i = hidx_first(&d->by_addr, text_hash(f->addr_type, f->digits));

	for (; i != NONE; i = hidx_next(&d->by_addr, i)) {
		const struct card_addr_row *a = &((struct m_addr *)vec_at(&d->addr, i))->row;

		if (a->type != f->addr_type || strcmp(a->digits, f->digits) ||
		    (a->valid_to_ms && a->valid_to_ms <= f->at_ms))
			continue;
		if (!best || a->valid_from_ms > best->valid_from_ms ||
		    (a->valid_from_ms == best->valid_from_ms && a->card > best->card))
			best = a;
	}
	return best ? best->card : 0;
}

static void fetch_claim(const struct store_mem_disk *d, struct store_fetch *f)
{
	unsigned limit = f->limit < f->cap ? f->limit : f->cap;

	for (uint64_t i = f->after_txn; i < d->txn.n && f->n < limit; i++) {
		const struct txn_row *t = &((struct m_txn *)vec_at(&d->txn, (uint32_t)i))->row;

		if (t->id && t->campaign == f->campaign && t->state == TXN_PLANNED)
			bundle_read(d, card_at(d, t->card), t, false, &f->out[f->n++]);
	}
}

int mem_fetch(const struct store_mem_disk *d, struct store_fetch *f)
{
	const struct m_card *m;

	f->n = 0;
	if (f->by == FETCH_CLAIM) {
		fetch_claim(d, f);
		return 0;
	}
	m = card_at(d, f->by == FETCH_BY_ADDR ? card_of_addr(d, f) : f->card);
	if (m && f->cap) {
		bundle_read(d, m, NULL, false, &f->out[0]);
		f->n = 1;
	}
	return 0;
}

/* ---- queries ---- */

static void *out_next(struct store_query *q, uint64_t id)
{
	size_t size = store_query_row_size((enum store_query_kind)q->kind);
	uint8_t *p = (uint8_t *)q->out + q->n++ * size;

	memset(p, 0, size);
	if (id)
		q->last = id;
	return p;
}

static void q_campaigns(const struct store_mem_disk *d, struct store_query *q)
{
	for (uint32_t i = otab_above(&d->campaign, q->after); i < d->campaign.order.n && q->n < q->limit; i++) {
		const struct m_campaign *m = otab_nth(&d->campaign, i);

		*(struct campaign_row *)out_next(q, m->row.id) = m->row;
	}
}

static void q_counts(const struct store_mem_disk *d, struct store_query *q)
{
	struct store_count all[_TXN_STATES][UINT8_MAX + 1];

	memset(all, 0, sizeof(all));
	for (uint32_t i = 0; i < d->txn.n; i++) {
		const struct txn_row *t = &((struct m_txn *)vec_at(&d->txn, i))->row;
		struct store_count *c = &all[t->state % _TXN_STATES][t->fail_class];

		if (!t->id || t->campaign != q->id)
			continue;
		c->state = t->state;
		c->fail_class = t->fail_class;
		c->n++;
		c->sms_parts += t->sms_parts;
		c->attempts += t->attempts;
		c->probes += t->probes;
	}
	for (unsigned s = 0; s < _TXN_STATES; s++)
		for (unsigned c = 0; c <= UINT8_MAX; c++)
			if (all[s][c].n && q->n < q->limit)
				*(struct store_count *)out_next(q, 0) = all[s][c];
}

static void q_open_cmds(const struct store_mem_disk *d, struct store_query *q)
{
	for (uint32_t i = otab_above(&d->cmd, q->after); i < d->cmd.order.n && q->n < q->limit; i++) {
		const struct cmd_row *c = &((struct m_cmd *)otab_nth(&d->cmd, i))->row;
		struct store_stub *s;

		if (c->state > CMD_WAIT_PRESENCE)
			continue;
		s = out_next(q, c->id);
		s->cmd = c->id;
		s->card = c->card;
		s->campaign = c->campaign;
		s->state = c->state;
		s->due_ms = c->due_ms;
		s->deadline_ms = c->deadline_ms;
	}
}

static void q_report(const struct store_mem_disk *d, struct store_query *q)
{
	for (uint64_t i = q->after; i < d->txn.n && q->n < q->limit; i++) {
		const struct txn_row *t = &((struct m_txn *)vec_at(&d->txn, (uint32_t)i))->row;
		const struct m_card *m = t->id && t->campaign == q->id ? card_at(d, t->card) : NULL;
		struct store_report *r;

		if (!m)
			continue;
		r = out_next(q, t->id);
		r->txn = *t;
		memcpy(r->iccid, m->row.iccid, sizeof(r->iccid));
		memcpy(r->imsi, m->row.imsi, sizeof(r->imsi));
	}
}

static void q_card(const struct store_mem_disk *d, struct store_query *q)
{
	struct store_fetch by = { .addr_type = (uint8_t)q->step, .at_ms = (int64_t)q->after };
	uint32_t i = *q->digits ? card_by_iccid(d, q->digits) : NONE;
	const struct m_card *m = *q->digits ? (i != NONE ? vec_at(&d->card, i) : NULL) : card_at(d, q->id);

	memcpy(by.digits, q->digits, sizeof(by.digits) - 1);
	if (q->step)
		m = card_at(d, card_of_addr(d, &by));

	if (m)
		bundle_read(d, m, NULL, true, out_next(q, 0));
}

/* The chain runs from the newest back: of those above `after` leave out all but the oldest `limit`. */
static void q_card_cmds(const struct store_mem_disk *d, struct store_query *q)
{
	const struct m_card *m = card_at(d, q->id);
	struct cmd_row *out = q->out;
	uint32_t i, first = m ? m->cmds : NONE;
	unsigned total = 0;

	for (i = first; i != NONE && ((struct m_cmd *)vec_at(&d->cmd.v, i))->row.id > q->after;
	     i = ((struct m_cmd *)vec_at(&d->cmd.v, i))->next)
		total++;
	for (i = first; total > q->limit; total--)
		i = ((struct m_cmd *)vec_at(&d->cmd.v, i))->next;
	for (q->n = total; total; i = ((struct m_cmd *)vec_at(&d->cmd.v, i))->next)
		out[--total] = ((struct m_cmd *)vec_at(&d->cmd.v, i))->row;
	if (q->n)
		q->last = out[q->n - 1].id;
}

static void q_story(const struct store_mem_disk *d, struct store_query *q)
{
	const struct m_card *m = card_at(d, q->id);
	uint32_t i = m ? m->story_first : d->stray_first;

	if (q->after && q->after <= d->story.n) {
		const struct m_story *s = vec_at(&d->story, (uint32_t)(q->after - 1));

		if (s->row.id && s->row.card == q->id)
			i = s->next; /* the page before ended here */
	}
	for (; i != NONE && q->n < q->limit; i = ((struct m_story *)vec_at(&d->story, i))->next) {
		const struct m_story *s = vec_at(&d->story, i);
		struct store_story *out;

		if (s->row.id <= q->after || s->row.card != q->id)
			continue;
		out = out_next(q, s->row.id);
		out->row = s->row;
		if (s->row.detail_len)
			memcpy(out->detail, vec_at(&d->bytes, s->off), s->row.detail_len);
	}
}

static void q_cards(const struct store_mem_disk *d, struct store_query *q)
{
	for (uint64_t i = q->after; i < d->card.n && q->n < q->limit; i++)
		*(struct card_row *)out_next(q, i + 1) = ((struct m_card *)vec_at(&d->card, (uint32_t)i))->row;
}

static void out_blob(const struct store_mem_disk *d, struct store_query *q, uint32_t off, uint32_t len)
{
	struct store_blob *b = out_next(q, 0);

	b->len = len;
	if (len)
		memcpy(b->bytes, vec_at(&d->bytes, off), len);
}

static void q_profile(const struct store_mem_disk *d, struct store_query *q)
{
	uint32_t i = otab_find(&d->campaign, q->id);
	const struct m_campaign *m = i != NONE ? vec_at(&d->campaign.v, i) : NULL;

	if (m)
		out_blob(d, q, m->text_off, m->text_len);
}

static void q_meta(const struct store_mem_disk *d, struct store_query *q)
{
	for (uint32_t i = 0; i < d->meta.n; i++) {
		const struct m_meta *m = vec_at(&d->meta, i);

		if (!strcmp(m->key, q->digits)) {
			out_blob(d, q, m->off, m->len);
			return;
		}
	}
}

static void q_wire(const struct store_mem_disk *d, struct store_query *q)
{
	uint32_t i = otab_find(&d->wire, q->id);
	const struct m_wire *w = i != NONE ? vec_at(&d->wire.v, i) : NULL;

	if (w)
		out_blob(d, q, w->off, w->len);
}

static uint64_t max_id(const struct otab *t)
{
	uint64_t id = 0;

	if (t->order.n)
		memcpy(&id, otab_nth(t, t->order.n - 1), sizeof(id));
	return id;
}

static void q_totals(const struct store_mem_disk *d, struct store_query *q)
{
	struct store_totals *t = out_next(q, 0);

	t->cards = d->card.n;
	t->campaigns = d->campaign.order.n;
	for (uint32_t i = 0; i < d->txn.n; i++)
		t->txns += ((struct m_txn *)vec_at(&d->txn, i))->row.id != 0;
	t->cmds = d->cmd.order.n;
	t->max_campaign = max_id(&d->campaign);
	t->max_cmd = max_id(&d->cmd);
	t->max_batch = d->last_batch;
}

int mem_query(const struct store_mem_disk *d, struct store_query *q)
{
	static void (*const run[])(const struct store_mem_disk *, struct store_query *) = {
		[Q_CAMPAIGNS] = q_campaigns,
		[Q_CAMPAIGN_COUNTS] = q_counts,
		[Q_OPEN_CMDS] = q_open_cmds,
		[Q_REPORT] = q_report,
		[Q_CARD] = q_card,
		[Q_CARD_CMDS] = q_card_cmds,
		[Q_CARD_STORY] = q_story,
		[Q_CARDS] = q_cards,
		[Q_PROFILE] = q_profile,
		[Q_META] = q_meta,
		[Q_WIRE] = q_wire,
		[Q_TOTALS] = q_totals,
		[Q_BOOK_GET] = mem_book_get,
		[Q_BOOK_STEP] = mem_book_list,
		[Q_BOOK_OWNER] = mem_book_list,
		[Q_BOOK_KEYS] = mem_book_keys,
		[Q_BOOK_COUNT] = mem_book_count,
	};

	q->n = 0;
	q->last = q->after;
	if (q->limit && q->kind < _Q_KINDS)
		run[q->kind](d, q);
	return 0;
}
