/* mem_book.c - the books in memory: the same answers as SQLite's.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <string.h>

#include "mem_int.h"

static struct m_book *book_nth(const struct store_mem_disk *d, uint32_t place)
{
	return vec_at(&d->book, *(uint32_t *)vec_at(&d->book_order, place));
}

static int book_cmp(const struct m_book *m, uint8_t book, const char *key)
{
	return m->row.book != book ? m->row.book - book : strcmp(m->row.key, key);
}

/* Place of the first record that is not below (book, key). */
static uint32_t book_place(const struct store_mem_disk *d, uint8_t book, const char *key)
{
	uint32_t lo = 0, hi = d->book_order.n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (book_cmp(book_nth(d, mid), book, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct m_book *book_at(const struct store_mem_disk *d, uint32_t place, uint8_t book, const char *key)
{
	struct m_book *m = place < d->book_order.n ? book_nth(d, place) : NULL;

	return m && !book_cmp(m, book, key) ? m : NULL;
}

static uint32_t book_new(struct store_mem_disk *d)
{
	static const struct m_book none;
	uint32_t i = d->book_free;

	if (i == NONE)
		return vec_push(d, &d->book, &none);
	raw_edit(d, &d->book_free, sizeof(d->book_free));
	d->book_free = ((struct m_book *)vec_at(&d->book, i))->next;
	return i;
}

int mem_book_put(struct store_mem_disk *d, struct store_op *op)
{
	struct book_row *row = op->row;
	struct m_book *m;
	uint32_t place, i;

	if (!store_book_ok(row, op->bytes_len))
		return STORE_E_CORRUPT;
	place = book_place(d, row->book, row->key);
	m = book_at(d, place, row->book, row->key);
	if (row->version != BOOK_ANY && row->version != (m ? m->row.version : 0)) {
		op->rc = STORE_R_CHANGED;
		return 0;
	}
	raw_edit(d, &row->version, sizeof(row->version)); /* a batch rolled back may be tried again: as it was */
	row->version = m ? m->row.version + 1 : 1;
	row->len = (uint16_t)op->bytes_len;
	i = m ? *(uint32_t *)vec_at(&d->book_order, place) : book_new(d);
	if (!m)
		place_add(d, &d->book_order, place, i);
	m = vec_edit(d, &d->book, i);
	m->row = *row;
	memset(m->body, 0, sizeof(m->body));
	if (row->len)
		memcpy(m->body, op->bytes, row->len);
	return 0;
}

int mem_book_drop(struct store_mem_disk *d, struct store_op *op)
{
	const struct book_row *row = op->row;
	struct m_book *m;
	uint32_t place, i;

	if (!store_book_ok(row, 0))
		return STORE_E_CORRUPT;
	place = book_place(d, row->book, row->key);
	m = book_at(d, place, row->book, row->key);
	if (!m || (row->version != BOOK_ANY && row->version != m->row.version)) {
		op->rc = m ? STORE_R_CHANGED : STORE_R_NOT_FOUND;
		return 0;
	}
	i = *(uint32_t *)vec_at(&d->book_order, place);
	place_del(d, &d->book_order, place);
	m = vec_edit(d, &d->book, i);
	memset(m, 0, sizeof(*m));
	m->next = d->book_free;
	raw_edit(d, &d->book_free, sizeof(d->book_free));
	d->book_free = i;
	return 0;
}

/* ---- queries ---- */

static void out_book(struct store_book *out, const struct m_book *m)
{
	memset(out, 0, sizeof(*out));
	if (!m)
		return;
	out->row = m->row;
	memcpy(out->body, m->body, sizeof(out->body));
}

static const struct m_book *book_find(const struct store_mem_disk *d, uint8_t book, const char *key)
{
	return book_at(d, book_place(d, book, key), book, key);
}

void mem_book_get(const struct store_mem_disk *d, struct store_query *q)
{
	const struct m_book *m = book_find(d, q->book, q->key);

	if (!m)
		return;
	out_book(q->out, m);
	q->n = 1;
}

void mem_book_keys(const struct store_mem_disk *d, struct store_query *q)
{
	struct store_book *out = q->out;

	for (; q->n < q->n_keys && q->n < q->limit && q->n < BOOK_KEYS_MAX; q->n++)
		out_book(&out[q->n], book_find(d, q->book, q->keys[q->n]));
}

void mem_book_list(const struct store_mem_disk *d, struct store_query *q)
{
	struct store_book *out = q->out;

	for (uint32_t i = book_place(d, q->book, q->key); i < d->book_order.n && q->n < q->limit; i++) {
		const struct m_book *m = book_nth(d, i);

		if (m->row.book != q->book)
			break;
		if (m->row.owner == q->id && (q->kind == Q_BOOK_OWNER || m->row.step == q->step) &&
		    strcmp(m->row.key, q->key) > 0)
			out_book(&out[q->n++], m);
	}
}

void mem_book_count(const struct store_mem_disk *d, struct store_query *q)
{
	struct store_book_count *out = q->out;

	/* as SQLite's: ascending by step, the first `limit` */
	for (uint32_t step = 0; step <= UINT16_MAX && q->n < q->limit; step++) {
		uint32_t next = UINT32_MAX;
		uint64_t n = 0;

		for (uint32_t i = book_place(d, q->book, ""); i < d->book_order.n; i++) {
			const struct m_book *m = book_nth(d, i);

			if (m->row.book != q->book)
				break;
			if (m->row.owner != q->id)
				continue;
			n += m->row.step == step;
			if (m->row.step > step && m->row.step < next)
				next = m->row.step;
		}
		if (n)
			out[q->n++] = (struct store_book_count){ .step = (uint16_t)step, .n = n };
		if (next == UINT32_MAX)
			break;
		step = next - 1;
	}
}
