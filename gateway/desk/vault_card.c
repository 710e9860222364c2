/* vault_card.c - whose is which index of a card: every rule of the vault about that, and nothing else.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ota/rd.h"
#include "ota/wr.h"
#include "vault.h"

#define BODY_VERSION 1

const char *pair_step_name(uint16_t step)
{
	static const char *const names[_PAIR_STEPS] = {
		[PAIR_FREE] = "free",	  [PAIR_ALLOCATED] = "allocated", [PAIR_RELEASED] = "released",
		[PAIR_ACTIVE] = "active", [PAIR_USED] = "used",		  [PAIR_BURNT] = "burnt",
	};

	return step < _PAIR_STEPS && names[step] ? names[step] : "?";
}

uint64_t vault_who(const char *name)
{
	char text[PKG_NAME_MAX + 16];
	uint8_t hash[KS_HASH_LEN];
	uint64_t who = 0;
	int len = snprintf(text, sizeof(text), "otagw party\n%s", name);

	if (ks_sha256(text, (size_t)len, hash))
		return 0;
	for (unsigned i = 0; i < 8; i++)
		who = who << 8 | hash[i];
	return who ? who : 1;
}

/* ---- at rest ---- */

int vault_card_pack(const struct vault_card *c, uint8_t body[BOOK_BODY_MAX])
{
	struct wr w = wr_init(body, BOOK_BODY_MAX);

	wr_u8(&w, BODY_VERSION);
	book_text_put(&w, c->iccid);
	book_text_put(&w, c->imsi);
	book_text_put(&w, c->msisdn);
	book_text_put(&w, c->issuer);
	wr_be(&w, c->active, 2);
	wr_u8(&w, c->pairs);
	for (unsigned i = 0; i < c->pairs && i < VAULT_PAIRS_MAX; i++) {
		wr_u8(&w, c->slot[i].state);
		wr_u8(&w, c->slot[i].kvn);
		wr_be(&w, c->slot[i].who, 8);
		wr_be(&w, c->slot[i].order, 8);
	}
	return w.bad ? -1 : (int)wr_len(&w);
}

int vault_card_unpack(struct vault_card *c, const uint8_t *body, size_t len)
{
	struct rd r = rd_init(body, len);

	*c = (struct vault_card){ 0 };
	if (rd_u8(&r) != BODY_VERSION)
		return -1;
	book_text_take(&r, c->iccid, sizeof(c->iccid));
	book_text_take(&r, c->imsi, sizeof(c->imsi));
	book_text_take(&r, c->msisdn, sizeof(c->msisdn));
	book_text_take(&r, c->issuer, sizeof(c->issuer));
	c->active = (uint16_t)rd_be(&r, 2);
	c->pairs = rd_u8(&r);
	if (r.bad || c->pairs > VAULT_PAIRS_MAX || !c->active || c->active > c->pairs)
		return -1;
	for (unsigned i = 0; i < c->pairs; i++) {
		c->slot[i].state = rd_u8(&r);
		c->slot[i].kvn = rd_u8(&r);
		c->slot[i].who = rd_be(&r, 8);
		c->slot[i].order = rd_be(&r, 8);
		if (!c->slot[i].state || c->slot[i].state >= _PAIR_STEPS)
			return -1;
	}
	return r.bad || rd_left(&r) || c->slot[c->active - 1].state != PAIR_ACTIVE ? -1 : 0;
}

void vault_card_new(struct vault_card *c, const char *iccid, unsigned pairs, unsigned active)
{
	*c = (struct vault_card){ .pairs = (uint8_t)pairs, .active = (uint16_t)active };
	snprintf(c->iccid, sizeof(c->iccid), "%s", iccid);
	for (unsigned i = 0; i < pairs; i++)
		c->slot[i].state = i + 1 < active ? PAIR_BURNT : i + 1 == active ? PAIR_ACTIVE : PAIR_FREE;
}

/* ---- rules ---- */

static struct vault_slot *slot_of(struct vault_card *c, unsigned index)
{
	return index && index <= c->pairs ? &c->slot[index - 1] : NULL;
}

__attribute__((format(printf, 3, 4))) static bool refuse(struct vault_no *no, const char *rule, const char *fmt, ...)
{
	va_list ap;

	no->rule = rule;
	va_start(ap, fmt);
	vsnprintf(no->why, sizeof(no->why), fmt, ap);
	va_end(ap);
	return false;
}

/* Nobody has got its keys. */
static bool untouched(const struct vault_slot *s)
{
	return s->state == PAIR_FREE || s->state == PAIR_ALLOCATED;
}

/* The card lives under this index: what lies below and never was active will never be. */
static void activate(struct vault_card *c, unsigned index)
{
	c->slot[c->active - 1].state = PAIR_USED;
	for (unsigned i = c->active + 1u; i < index; i++)
		c->slot[i - 1].state = PAIR_BURNT;
	c->slot[index - 1].state = PAIR_ACTIVE;
	c->active = (uint16_t)index;
}

/* The operator of the card: its first pair was issued to it, or that of its active index released. */
static bool holder_ask(const struct vault_card *c, uint64_t a, unsigned active, struct vault_no *no)
{
	const uint64_t who = c->slot[active - 1].who;

	if (!who)
		return refuse(no, "holder", "card %s: its first pair has not been issued to anybody: issue it first",
			      c->iccid);
	if (who != a)
		return refuse(no, "holder",
			      "card %s: index %u belongs to another operator than the one that hands it over", c->iccid,
			      active);
	return true;
}

/* The index from which the card goes.  Where it is above ours, the confirmation of the order before has not come here: that its keys were
 * released, and that the operator of the card says so, is as good. */
static bool from_take(struct vault_card *c, uint64_t a, unsigned from, struct vault_no *no)
{
	const struct vault_slot *s = slot_of(c, from);

	if (!s)
		return refuse(no, "index", "card %s has indexes 1 to %u here, not %u", c->iccid, c->pairs, from);
	if (from == c->active)
		return holder_ask(c, a, from, no);
	if (from < c->active || s->state != PAIR_RELEASED)
		return refuse(no, "index", "card %s: index %u is %s, its active one is %u", c->iccid, from,
			      pair_step_name(s->state), c->active);
	if (!holder_ask(c, a, from, no))
		return false;
	activate(c, from);
	return true;
}

bool vault_allocate(struct vault_card *c, uint64_t a, uint64_t who, uint64_t order, unsigned from,
		    struct vault_place *out, struct vault_no *no)
{
	struct vault_slot *s = NULL;
	unsigned to;

	*out = (struct vault_place){ 0 };
	if (!from_take(c, a, from, no))
		return false;
	for (to = from + 1; to <= c->pairs; to++) {
		s = slot_of(c, to);
		if (untouched(s) || (s->state == PAIR_RELEASED && s->who == who))
			break;
	}
	if (to > c->pairs)
		return true;
	/* One order holds one index: what was put aside for it before is free again. */
	for (unsigned i = 1; i <= c->pairs; i++)
		if (i != to && c->slot[i - 1].state == PAIR_ALLOCATED && c->slot[i - 1].order == order)
			c->slot[i - 1] = (struct vault_slot){ .state = PAIR_FREE };
	if (s->state != PAIR_RELEASED)
		s->state = PAIR_ALLOCATED;
	if (s->order != order) /* a line of its own in the ledger for each order */
		s->kvn = 0;
	s->who = who;
	s->order = order;
	out->to = (uint16_t)to;
	out->jump = to > from + 1;
	for (unsigned i = to + 1; i <= c->pairs; i++)
		out->left = (uint16_t)(out->left + untouched(slot_of(c, i)));
	return true;
}

bool vault_may_release(const struct vault_card *c, uint64_t a, uint64_t who, uint64_t order, unsigned index,
		       unsigned kvn, struct vault_no *no)
{
	const struct vault_slot *s = index && index <= c->pairs ? &c->slot[index - 1] : NULL;

	if (!s)
		return refuse(no, "index", "card %s has no index %u", c->iccid, index);
	if (s->state == PAIR_RELEASED && s->who != who)
		return refuse(no, "released", "card %s: index %u has been released to another operator", c->iccid,
			      index);
	if (s->state != PAIR_ALLOCATED && s->state != PAIR_RELEASED && s->state != PAIR_ACTIVE)
		return refuse(no, "index", "card %s: index %u is %s, and not allocated for this order", c->iccid, index,
			      pair_step_name(s->state));
	if (s->order != order || s->who != who)
		return refuse(no, "index", "card %s: index %u is not allocated for this order", c->iccid, index);
	/* What it has had in this order it may have again: lost on the way. */
	if (!s->kvn && !holder_ask(c, a, c->active, no))
		return false;
	if (kvn != 1 && kvn != 2)
		return refuse(no, "key-version", "card %s: keys of a pair stand under version 1 or 2, not %u", c->iccid,
			      kvn);
	if (s->kvn && s->kvn != kvn && s->state == PAIR_ACTIVE)
		return refuse(no, "key-version", "card %s: index %u was released under version %u", c->iccid, index,
			      s->kvn);
	return true;
}

bool vault_release(struct vault_card *c, uint64_t a, uint64_t who, uint64_t order, unsigned index, unsigned kvn,
		   bool *fresh, struct vault_no *no)
{
	struct vault_slot *s;

	*fresh = false;
	if (!vault_may_release(c, a, who, order, index, kvn, no))
		return false;
	s = slot_of(c, index);
	if (s->state == PAIR_ACTIVE) /* lost on the way, and asked for again */
		return true;
	*fresh = s->state != PAIR_RELEASED || s->kvn != kvn;
	s->state = PAIR_RELEASED;
	s->kvn = (uint8_t)kvn;
	return true;
}

bool vault_confirm(struct vault_card *c, uint64_t who, uint64_t order, unsigned index, struct vault_no *no)
{
	const struct vault_slot *s = slot_of(c, index);

	if (!s || s->who != who || s->order != order || (s->state != PAIR_RELEASED && s->state != PAIR_ACTIVE))
		return refuse(no, "index", "card %s: index %u has not been released to this operator for this order",
			      c->iccid, index);
	if (s->state == PAIR_RELEASED)
		activate(c, index);
	return true;
}

/* ---- keys ---- */

void pair_key(char key[BOOK_KEY_MAX], const char *iccid, unsigned index)
{
	snprintf(key, BOOK_KEY_MAX, "%.*s/%05u", ICCID_DIGITS_MAX, iccid, index);
}

int vault_pair_pack(const struct vault_pair *p, uint8_t body[BOOK_BODY_MAX])
{
	struct wr w = wr_init(body, BOOK_BODY_MAX);

	wr_u8(&w, BODY_VERSION);
	book_text_put(&w, p->who);
	wr_be(&w, (uint64_t)p->at_ms, 8);
	wr_bytes(&w, p->keys.sub, sizeof(p->keys.sub));
	wr_u8(&w, p->keys.ota_len);
	wr_bytes(&w, p->keys.ota, p->keys.ota_len);
	return w.bad ? -1 : (int)wr_len(&w);
}

static void sealed_take(struct rd *r, uint8_t *len, uint8_t sealed[KS_SEALED_MAX])
{
	const uint8_t *p;

	*len = rd_u8(r);
	p = *len <= KS_SEALED_MAX ? rd_bytes(r, *len) : NULL;
	if (p)
		memcpy(sealed, p, *len);
	else if (*len)
		r->bad = true;
}

int vault_pair_unpack(struct vault_pair *p, const uint8_t *body, size_t len)
{
	struct rd r = rd_init(body, len);
	const uint8_t *sub;

	*p = (struct vault_pair){ 0 };
	if (rd_u8(&r) != BODY_VERSION)
		return -1;
	book_text_take(&r, p->who, sizeof(p->who));
	p->at_ms = (int64_t)rd_be(&r, 8);
	sub = rd_bytes(&r, sizeof(p->keys.sub));
	if (sub)
		memcpy(p->keys.sub, sub, sizeof(p->keys.sub));
	sealed_take(&r, &p->keys.ota_len, p->keys.ota);
	return r.bad || rd_left(&r) ? -1 : 0;
}

int vault_sets_pack(const struct vault_sets *s, uint8_t body[BOOK_BODY_MAX])
{
	struct wr w = wr_init(body, BOOK_BODY_MAX);

	wr_u8(&w, BODY_VERSION);
	for (unsigned i = 0; i < 2; i++) {
		wr_u8(&w, s->len[i]);
		wr_bytes(&w, s->sealed[i], s->len[i]);
	}
	return w.bad ? -1 : (int)wr_len(&w);
}

int vault_sets_unpack(struct vault_sets *s, const uint8_t *body, size_t len)
{
	struct rd r = rd_init(body, len);

	*s = (struct vault_sets){ 0 };
	if (rd_u8(&r) != BODY_VERSION)
		return -1;
	for (unsigned i = 0; i < 2; i++)
		sealed_take(&r, &s->len[i], s->sealed[i]);
	return r.bad || rd_left(&r) ? -1 : 0;
}

int vault_jump_mac(struct ks *ks, const char *iccid, const struct vault_sets *s, unsigned from, unsigned to,
		   uint64_t order, uint8_t mac[OTA_SUB_MAC_LEN])
{
	uint8_t ef[USIM_ICCID_LEN], input[OTA_SUB_JUMP_LEN];
	struct ota_crypt crypt = ks_crypt(ks);
	uint32_t set;
	int rc = usim_iccid_encode(ef, iccid);

	if (rc < 0)
		return rc;
	rc = ks_load(ks, iccid, OTA_SUB_KVN_VAULT, s->sealed[0], s->len[0], &set);
	if (rc)
		return rc;
	ota_sub_jump_input(input, ef, (uint16_t)from, (uint16_t)to, order);
	rc = ota_sub_vault_mac(mac, input, sizeof(input), (struct ks_ref){ .set = set, .key = KS_KEY_KID }, &crypt);
	ks_unload(ks, set);
	return rc;
}
