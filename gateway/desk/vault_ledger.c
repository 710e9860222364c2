/* vault_ledger.c - who has had which keys: lines that each hold the hash of the one before.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ota/rd.h"
#include "ota/wr.h"
#include "vault.h"

#define BODY_VERSION 1

void ledger_key(char key[BOOK_KEY_MAX], uint64_t n)
{
	snprintf(key, BOOK_KEY_MAX, "%020" PRIu64, n);
}

static void octets_take(struct rd *r, uint8_t *out, size_t len)
{
	const uint8_t *p = rd_bytes(r, len);

	if (p)
		memcpy(out, p, len);
}

int ledger_next(struct ledger_head *h, struct ledger_line *l, uint8_t body[BOOK_BODY_MAX])
{
	struct wr w = wr_init(body, BOOK_BODY_MAX);
	uint8_t hash[KS_HASH_LEN];

	l->n = h->n + 1;
	memcpy(l->before, h->hash, sizeof(l->before));
	wr_u8(&w, BODY_VERSION);
	wr_be(&w, l->n, 8);
	wr_be(&w, (uint64_t)l->at_ms, 8);
	book_text_put(&w, l->order);
	book_text_put(&w, l->iccid);
	wr_be(&w, l->index, 2);
	wr_u8(&w, l->kvn);
	book_text_put(&w, l->to);
	wr_bytes(&w, l->request, sizeof(l->request));
	wr_bytes(&w, l->root, sizeof(l->root));
	wr_bytes(&w, l->before, sizeof(l->before));
	if (w.bad || ks_sha256(body, wr_len(&w), hash))
		return -1;
	h->n = l->n;
	memcpy(h->hash, hash, sizeof(h->hash));
	return (int)wr_len(&w);
}

int ledger_unpack(struct ledger_line *l, const uint8_t *body, size_t len)
{
	struct rd r = rd_init(body, len);

	*l = (struct ledger_line){ 0 };
	if (rd_u8(&r) != BODY_VERSION)
		return -1;
	l->n = rd_be(&r, 8);
	l->at_ms = (int64_t)rd_be(&r, 8);
	book_text_take(&r, l->order, sizeof(l->order));
	book_text_take(&r, l->iccid, sizeof(l->iccid));
	l->index = (uint16_t)rd_be(&r, 2);
	l->kvn = rd_u8(&r);
	book_text_take(&r, l->to, sizeof(l->to));
	octets_take(&r, l->request, sizeof(l->request));
	octets_take(&r, l->root, sizeof(l->root));
	octets_take(&r, l->before, sizeof(l->before));
	return r.bad || rd_left(&r) ? -1 : 0;
}

int ledger_walk(struct ledger_head *h, const uint8_t *body, size_t len, char *err, size_t err_cap)
{
	struct ledger_line l;
	uint8_t hash[KS_HASH_LEN];

	if (ledger_unpack(&l, body, len) || l.n != h->n + 1 || ks_sha256(body, len, hash)) {
		snprintf(err, err_cap, "line %" PRIu64 " of the ledger is damaged", h->n + 1);
		return -1;
	}
	if (memcmp(l.before, h->hash, sizeof(l.before))) {
		snprintf(err, err_cap,
			 "line %" PRIu64 " of the ledger does not follow the one before it: one of the two was changed",
			 l.n);
		return -1;
	}
	h->n = l.n;
	memcpy(h->hash, hash, sizeof(h->hash));
	return 0;
}

int ledger_head_pack(const struct ledger_head *h, uint8_t body[BOOK_BODY_MAX])
{
	struct wr w = wr_init(body, BOOK_BODY_MAX);

	wr_u8(&w, BODY_VERSION);
	wr_be(&w, h->n, 8);
	wr_bytes(&w, h->hash, sizeof(h->hash));
	return w.bad ? -1 : (int)wr_len(&w);
}

int ledger_head_unpack(struct ledger_head *h, const uint8_t *body, size_t len)
{
	struct rd r = rd_init(body, len);

	*h = (struct ledger_head){ 0 };
	if (rd_u8(&r) != BODY_VERSION)
		return -1;
	h->n = rd_be(&r, 8);
	octets_take(&r, h->hash, sizeof(h->hash));
	return r.bad || rd_left(&r) ? -1 : 0;
}
