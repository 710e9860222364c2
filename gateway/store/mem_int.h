/* mem_int.h - what the files of the memory backend share.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_MEM_INT_H
#define OTAGW_MEM_INT_H

#include "store.h"

#define NONE UINT32_MAX

/* ---- tables: arrays that grow; records are named by position, since they move ---- */

struct vec {
	uint8_t *p;
	uint32_t size, n, cap;
};
/* A vec whose records begin with their 64-bit id, with positions in order of id. */
struct otab {
	struct vec v;
	struct vec order; /* uint32_t positions */
};
/* Positions of records by hash of a key; several records may share one. */
struct hnode {
	uint32_t next, hash;
};
struct hidx {
	uint32_t *head;
	uint32_t n_heads, n;
	struct vec node; /* struct hnode per position */
};

static inline void *vec_at(const struct vec *v, uint32_t i)
{
	return v->p + (size_t)i * v->size;
}

/* ---- undo: what brings the tables back to the start of the transaction ---- */

enum undo_kind {
	UNDO_RECORD,
	UNDO_LENGTH,
	UNDO_RAW,
	UNDO_ORDER_ADD,
	UNDO_ORDER_DEL,
	UNDO_HASH_ADD,
	UNDO_HASH_DEL,
	UNDO_PLACE_ADD,
	UNDO_PLACE_DEL
};
struct undo {
	uint8_t kind;	      /* enum undo_kind */
	uint32_t i, len, off; /* position, octets saved, where in undo_bytes */
	void *what;	      /* struct vec, otab, hidx, or the address */
};

/* ---- records ---- */

struct m_card {
	struct card_row row;
	uint32_t n_keysets;
	struct keyset_row keyset[CARD_KEYSETS_MAX];
	uint32_t txns, cmds, parts; /* heads: newest first */
	uint32_t story_first, story_last;
};
struct m_txn {
	struct txn_row row; /* id 0: dropped */
	uint32_t next;	    /* older one of the same card */
	uint32_t work_off, work_len;
};
struct m_campaign {
	struct campaign_row row;
	uint32_t text_off, text_len;
};
struct m_cmd {
	struct cmd_row row;
	uint32_t next; /* lower id of the same card */
};
struct m_wire {
	uint64_t id;
	uint32_t off, len;
};
struct m_part {
	struct part_row row;
	uint32_t next;
};
struct m_addr {
	struct card_addr_row row;
};
struct m_story {
	struct story_row row; /* id 0: removed */
	uint32_t next, off;
};
struct m_meta {
	char key[sizeof(((struct store_meta *)0)->key)];
	uint32_t off, len;
};

struct m_book {
	struct book_row row;
	uint32_t next; /* of those that are free */
	uint8_t body[BOOK_BODY_MAX];
};

struct store_mem_disk {
	struct vec card, txn, part, addr, story, meta, bytes, book;
	struct vec book_order; /* uint32_t positions, by book and key */
	struct otab campaign, cmd, wire;
	struct hidx by_iccid, by_imsi, by_msisdn, by_new_imsi, by_new_msisdn, by_addr;
	uint32_t part_free, book_free;
	uint32_t stray_first, stray_last; /* story of no card */
	uint64_t last_batch, campaigns_dropped;
	bool open;
	struct vec undo, undo_bytes;
};

uint32_t vec_push(struct store_mem_disk *d, struct vec *v, const void *rec); /* its position */
void *vec_edit(struct store_mem_disk *d, struct vec *v, uint32_t i);	     /* saves it for undo */
void vec_cut(struct store_mem_disk *d, struct vec *v, uint32_t n);
void raw_edit(struct store_mem_disk *d, void *p, uint32_t len);
/* A position into a vec of positions at a place, and out of it. */
void place_add(struct store_mem_disk *d, struct vec *order, uint32_t place, uint32_t pos);
void place_del(struct store_mem_disk *d, struct vec *order, uint32_t place);
uint32_t bytes_push(struct store_mem_disk *d, const uint8_t *bytes, uint32_t len);

uint32_t otab_find(const struct otab *t, uint64_t id);
uint32_t otab_above(const struct otab *t, uint64_t id); /* place in order of the first id > this */
uint32_t otab_insert(struct store_mem_disk *d, struct otab *t, const void *rec);
void otab_delist(struct store_mem_disk *d, struct otab *t, uint64_t id);
static inline void *otab_nth(const struct otab *t, uint32_t place)
{
	return vec_at(&t->v, *(uint32_t *)vec_at(&t->order, place));
}

uint32_t text_hash(uint32_t seed, const char *text);
void hidx_add(struct store_mem_disk *d, struct hidx *h, uint32_t i, uint32_t hash);
void hidx_del(struct store_mem_disk *d, struct hidx *h, uint32_t i);
uint32_t hidx_first(const struct hidx *h, uint32_t hash);
uint32_t hidx_next(const struct hidx *h, uint32_t i); /* next with the same hash */

void undo_all(struct store_mem_disk *d);
void undo_forget(struct store_mem_disk *d);

/* ---- work ---- */

static inline struct m_card *card_at(const struct store_mem_disk *d, uint64_t id)
{
	return id && id <= d->card.n ? vec_at(&d->card, (uint32_t)(id - 1)) : NULL;
}
uint32_t card_by_iccid(const struct store_mem_disk *d, const char *iccid);
bool txn_is_open(const struct txn_row *t);

int mem_commit(struct store_mem_disk *d, struct store_batch *b);
void mem_trim(struct store_mem_disk *d, struct store_trim *t);
int mem_fetch(const struct store_mem_disk *d, struct store_fetch *f);
int mem_book_put(struct store_mem_disk *d, struct store_op *op);
int mem_book_drop(struct store_mem_disk *d, struct store_op *op);
void mem_book_get(const struct store_mem_disk *d, struct store_query *q);
void mem_book_list(const struct store_mem_disk *d, struct store_query *q);
void mem_book_keys(const struct store_mem_disk *d, struct store_query *q);
void mem_book_count(const struct store_mem_disk *d, struct store_query *q);
int mem_query(const struct store_mem_disk *d, struct store_query *q);

#endif
