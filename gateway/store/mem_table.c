/* mem_table.c - growing arrays, ordered tables and hash indexes with one undo log.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Out of memory stops the program: this backend stands in tests and simulations, where a limit would only hide what they
 * are to find.
 */
#include <stdlib.h>
#include <string.h>

#include "mem_int.h"

#define VEC_FIRST   16
#define HEADS_FIRST 32

static void *grow(void *p, size_t n, size_t size)
{
	p = realloc(p, n * size);
	if (!p)
		abort();
	return p;
}

static void *vec_room(struct vec *v, uint32_t n)
{
	if (v->n + n > v->cap) {
		v->cap = v->cap ? v->cap * 2 : VEC_FIRST;
		if (v->cap < v->n + n)
			v->cap = v->n + n;
		v->p = grow(v->p, v->cap, v->size);
	}
	return vec_at(v, v->n);
}

/* ---- undo ---- */

static void undo_note(struct store_mem_disk *d, enum undo_kind kind, void *what, uint32_t i, const void *old,
		      uint32_t len)
{
	struct undo u = { .kind = (uint8_t)kind, .what = what, .i = i, .len = len, .off = d->undo_bytes.n };

	if (len) {
		memcpy(vec_room(&d->undo_bytes, len), old, len);
		d->undo_bytes.n += len;
	}
	memcpy(vec_room(&d->undo, 1), &u, sizeof(u));
	d->undo.n++;
}

static void put_at(struct vec *order, uint32_t place, uint32_t pos)
{
	uint32_t *at;

	vec_room(order, 1);
	at = vec_at(order, place);
	memmove(at + 1, at, (size_t)(order->n - place) * sizeof(*at));
	*at = pos;
	order->n++;
}

static uint32_t take_at(struct vec *order, uint32_t place)
{
	uint32_t *at = vec_at(order, place), pos = *at;

	order->n--;
	memmove(at, at + 1, (size_t)(order->n - place) * sizeof(*at));
	return pos;
}

static void order_add(struct otab *t, uint64_t id, uint32_t pos)
{
	put_at(&t->order, otab_above(t, id), pos);
}

static void order_del(struct otab *t, uint64_t id)
{
	take_at(&t->order, otab_above(t, id) - 1);
}

void place_add(struct store_mem_disk *d, struct vec *order, uint32_t place, uint32_t pos)
{
	put_at(order, place, pos);
	undo_note(d, UNDO_PLACE_ADD, order, place, NULL, 0);
}

void place_del(struct store_mem_disk *d, struct vec *order, uint32_t place)
{
	uint32_t pos = take_at(order, place);

	undo_note(d, UNDO_PLACE_DEL, order, place, &pos, sizeof(pos));
}

static void link_add(struct hidx *h, uint32_t i, uint32_t hash);
static void link_del(struct hidx *h, uint32_t i);

void undo_all(struct store_mem_disk *d)
{
	while (d->undo.n) {
		const struct undo *u = vec_at(&d->undo, --d->undo.n);
		const uint8_t *old = u->len ? vec_at(&d->undo_bytes, u->off) : NULL;
		struct otab *t = u->what;
		uint32_t hash = 0, pos = 0;
		uint64_t id;

		switch ((enum undo_kind)u->kind) {
		case UNDO_RECORD:
			memcpy(vec_at(u->what, u->i), old, u->len);
			break;
		case UNDO_LENGTH:
			((struct vec *)u->what)->n = u->i;
			break;
		case UNDO_RAW:
			memcpy(u->what, old, u->len);
			break;
		case UNDO_ORDER_ADD:
			memcpy(&id, vec_at(&t->v, u->i), sizeof(id));
			order_del(t, id);
			break;
		case UNDO_ORDER_DEL:
			memcpy(&id, vec_at(&t->v, u->i), sizeof(id));
			order_add(t, id, u->i);
			break;
		case UNDO_HASH_ADD:
			link_del(u->what, u->i);
			break;
		case UNDO_HASH_DEL:
			memcpy(&hash, old, u->len);
			link_add(u->what, u->i, hash);
			break;
		case UNDO_PLACE_ADD:
			take_at(u->what, u->i);
			break;
		case UNDO_PLACE_DEL:
			memcpy(&pos, old, u->len);
			put_at(u->what, u->i, pos);
			break;
		}
	}
	d->undo_bytes.n = 0;
}

void undo_forget(struct store_mem_disk *d)
{
	d->undo.n = 0;
	d->undo_bytes.n = 0;
}

/* ---- arrays ---- */

uint32_t vec_push(struct store_mem_disk *d, struct vec *v, const void *rec)
{
	undo_note(d, UNDO_LENGTH, v, v->n, NULL, 0);
	memcpy(vec_room(v, 1), rec, v->size);
	return v->n++;
}

void *vec_edit(struct store_mem_disk *d, struct vec *v, uint32_t i)
{
	undo_note(d, UNDO_RECORD, v, i, vec_at(v, i), v->size);
	return vec_at(v, i);
}

/* The records cut off must have been saved by vec_edit(). */
void vec_cut(struct store_mem_disk *d, struct vec *v, uint32_t n)
{
	undo_note(d, UNDO_LENGTH, v, v->n, NULL, 0);
	v->n = n;
}

void raw_edit(struct store_mem_disk *d, void *p, uint32_t len)
{
	undo_note(d, UNDO_RAW, p, 0, p, len);
}

uint32_t bytes_push(struct store_mem_disk *d, const uint8_t *bytes, uint32_t len)
{
	uint32_t off = d->bytes.n;

	undo_note(d, UNDO_LENGTH, &d->bytes, off, NULL, 0);
	if (len)
		memcpy(vec_room(&d->bytes, len), bytes, len);
	d->bytes.n += len;
	return off;
}

/* ---- ordered tables ---- */

uint32_t otab_above(const struct otab *t, uint64_t id)
{
	uint32_t lo = 0, hi = t->order.n;
	uint64_t x;

	/* ids mostly ascend: look at the end first */
	if (hi) {
		memcpy(&x, otab_nth(t, hi - 1), sizeof(x));
		if (x <= id)
			return hi;
	}
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		memcpy(&x, otab_nth(t, mid), sizeof(x));
		if (x <= id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint32_t otab_find(const struct otab *t, uint64_t id)
{
	uint32_t place = otab_above(t, id);
	uint64_t x;

	if (!place)
		return NONE;
	memcpy(&x, otab_nth(t, place - 1), sizeof(x));
	return x == id ? *(uint32_t *)vec_at(&t->order, place - 1) : NONE;
}

uint32_t otab_insert(struct store_mem_disk *d, struct otab *t, const void *rec)
{
	uint32_t pos = vec_push(d, &t->v, rec);
	uint64_t id;

	memcpy(&id, rec, sizeof(id));
	order_add(t, id, pos);
	undo_note(d, UNDO_ORDER_ADD, t, pos, NULL, 0);
	return pos;
}

/* Takes a record out of the order; its place in the array stays behind unused. */
void otab_delist(struct store_mem_disk *d, struct otab *t, uint64_t id)
{
	uint32_t pos = otab_find(t, id);

	order_del(t, id);
	undo_note(d, UNDO_ORDER_DEL, t, pos, NULL, 0);
}

/* ---- hash indexes ---- */

uint32_t text_hash(uint32_t seed, const char *text)
{
	uint32_t h = 2166136261u ^ seed; /* FNV-1a */

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 16777619u;
	return h;
}

static struct hnode *node_at(const struct hidx *h, uint32_t i)
{
	return vec_at(&h->node, i);
}

static void link_in(struct hidx *h, uint32_t i)
{
	struct hnode *n = node_at(h, i);
	uint32_t *head = &h->head[n->hash & (h->n_heads - 1)];

	n->next = *head;
	*head = i;
}

static void heads_grow(struct hidx *h)
{
	uint32_t old_n = h->n_heads, *old = h->head;

	h->n_heads = old_n ? old_n * 2 : HEADS_FIRST;
	h->head = grow(NULL, h->n_heads, sizeof(*h->head));
	memset(h->head, 0xff, h->n_heads * sizeof(*h->head));
	for (uint32_t b = 0; b < old_n; b++)
		for (uint32_t i = old[b], next; i != NONE; i = next) {
			next = node_at(h, i)->next;
			link_in(h, i);
		}
	free(old);
}

static void link_add(struct hidx *h, uint32_t i, uint32_t hash)
{
	if (h->n >= h->n_heads)
		heads_grow(h);
	while (h->node.n <= i) {
		memset(vec_room(&h->node, 1), 0xff, h->node.size);
		h->node.n++;
	}
	node_at(h, i)->hash = hash;
	link_in(h, i);
	h->n++;
}

static void link_del(struct hidx *h, uint32_t i)
{
	uint32_t *at = &h->head[node_at(h, i)->hash & (h->n_heads - 1)];

	while (*at != i)
		at = &node_at(h, *at)->next;
	*at = node_at(h, i)->next;
	h->n--;
}

void hidx_add(struct store_mem_disk *d, struct hidx *h, uint32_t i, uint32_t hash)
{
	link_add(h, i, hash);
	undo_note(d, UNDO_HASH_ADD, h, i, NULL, 0);
}

void hidx_del(struct store_mem_disk *d, struct hidx *h, uint32_t i)
{
	uint32_t hash = node_at(h, i)->hash;

	link_del(h, i);
	undo_note(d, UNDO_HASH_DEL, h, i, &hash, sizeof(hash));
}

static uint32_t same_hash(const struct hidx *h, uint32_t i, uint32_t hash)
{
	while (i != NONE && node_at(h, i)->hash != hash)
		i = node_at(h, i)->next;
	return i;
}

uint32_t hidx_first(const struct hidx *h, uint32_t hash)
{
	return h->n_heads ? same_hash(h, h->head[hash & (h->n_heads - 1)], hash) : NONE;
}

uint32_t hidx_next(const struct hidx *h, uint32_t i)
{
	return same_hash(h, node_at(h, i)->next, node_at(h, i)->hash);
}

/* ---- the disk ---- */

struct store_mem_disk *store_mem_disk_new(void)
{
	struct store_mem_disk *d = calloc(1, sizeof(*d));

	if (!d)
		abort();
	d->card.size = sizeof(struct m_card);
	d->txn.size = sizeof(struct m_txn);
	d->part.size = sizeof(struct m_part);
	d->addr.size = sizeof(struct m_addr);
	d->story.size = sizeof(struct m_story);
	d->meta.size = sizeof(struct m_meta);
	d->bytes.size = 1;
	d->book.size = sizeof(struct m_book);
	d->book_order.size = sizeof(uint32_t);
	d->campaign.v.size = sizeof(struct m_campaign);
	d->cmd.v.size = sizeof(struct m_cmd);
	d->wire.v.size = sizeof(struct m_wire);
	d->campaign.order.size = d->cmd.order.size = d->wire.order.size = sizeof(uint32_t);
	d->by_iccid.node.size = d->by_imsi.node.size = d->by_msisdn.node.size = sizeof(struct hnode);
	d->by_new_imsi.node.size = d->by_new_msisdn.node.size = d->by_addr.node.size = sizeof(struct hnode);
	d->part_free = d->book_free = d->stray_first = d->stray_last = NONE;
	d->undo.size = sizeof(struct undo);
	d->undo_bytes.size = 1;
	return d;
}

/* Everything in it that grows. */
#define DISK_VECS  17
#define DISK_HASHS 6
static void disk_parts(struct store_mem_disk *d, struct vec *vecs[DISK_VECS], struct hidx *hs[DISK_HASHS])
{
	struct vec *const v[DISK_VECS] = { &d->card,	       &d->txn,	      &d->part,	      &d->addr,	 &d->story,
					   &d->meta,	       &d->bytes,     &d->campaign.v, &d->cmd.v, &d->wire.v,
					   &d->campaign.order, &d->cmd.order, &d->wire.order, &d->undo,	 &d->undo_bytes,
					   &d->book,	       &d->book_order };
	struct hidx *const h[DISK_HASHS] = { &d->by_iccid,    &d->by_imsi,	 &d->by_msisdn,
					     &d->by_new_imsi, &d->by_new_msisdn, &d->by_addr };

	memcpy(vecs, v, sizeof(v));
	memcpy(hs, h, sizeof(h));
}

static void *copy_of(const void *p, size_t n, size_t size)
{
	void *q = p ? grow(NULL, n, size) : NULL;

	if (q)
		memcpy(q, p, n * size);
	return q;
}

struct store_mem_disk *store_mem_disk_copy(const struct store_mem_disk *from)
{
	struct store_mem_disk *d = store_mem_disk_new();
	struct vec *vecs[DISK_VECS];
	struct hidx *hs[DISK_HASHS];

	*d = *from;
	d->open = false;
	disk_parts(d, vecs, hs);
	for (size_t i = 0; i < DISK_VECS; i++)
		vecs[i]->p = copy_of(vecs[i]->p, vecs[i]->cap, vecs[i]->size);
	for (size_t i = 0; i < DISK_HASHS; i++) {
		hs[i]->head = copy_of(hs[i]->head, hs[i]->n_heads, sizeof(*hs[i]->head));
		hs[i]->node.p = copy_of(hs[i]->node.p, hs[i]->node.cap, hs[i]->node.size);
	}
	return d;
}

void store_mem_disk_free(struct store_mem_disk *d)
{
	struct vec *vecs[DISK_VECS];
	struct hidx *hs[DISK_HASHS];

	if (!d)
		return;
	disk_parts(d, vecs, hs);
	for (size_t i = 0; i < DISK_VECS; i++)
		free(vecs[i]->p);
	for (size_t i = 0; i < DISK_HASHS; i++) {
		free(hs[i]->head);
		free(hs[i]->node.p);
	}
	free(d);
}
