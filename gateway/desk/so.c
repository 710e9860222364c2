/* so.c - the swap order as it comes in: the same at the old operator, the new one and the vault.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Every record says who does what until when, and all of them must say the same: an order is one thing.  Which of its parties we are
 * decides what it means here.  At an operator a card is in one open order at a time; the vault is not told how orders end,
 * and asks of each request whether it may be, not of the order.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "once.h"
#include "so.h"

#define ORDER_LINES_MAX 1000000

/* ---- the order ---- */

struct so {
	struct order o;		      /* as the first record has it */
	bool known;		      /* stands in the books */
	bool none;		      /* pass 2: its first record cannot be taken any more, and there is no order */
	struct once *once;	      /* pass 1 */
	char plain[PROFILE_NAME_MAX]; /* pass 1: profile of the plain cards in it */
};

void so_key(struct desk_in *in, const struct xchg_record *r, char key[BOOK_KEY_MAX])
{
	(void)in;
	snprintf(key, BOOK_KEY_MAX, "%s", xchg_value(r, "iccid"));
}

void so_drop(struct desk_in *in)
{
	struct so *s = in->scratch;

	if (s)
		once_free(s->once);
	free(s);
	in->scratch = NULL;
}

int so_begin(struct desk_in *in, struct desk_no *no)
{
	const struct pkg_head *h = in->head;
	struct so *s;

	so_drop(in);
	in->scratch = s = calloc(1, sizeof(*s));
	if (!s || !(s->once = once_new()))
		return desk_refuse(no, "memory", "no memory for an order of %llu cards: send it again",
				   (unsigned long long)h->records);
	if (in->order) { /* pass 2 goes on after a start */
		s->o = in->order->o;
		s->known = true;
		if (in->dry || memcmp(s->o.so, h->id, PKG_ID_LEN))
			return desk_refuse(no, "order-known",
					   "there is an order %s already: a new one needs a name of its own", h->order);
		return 0;
	}
	if (!h->records || h->records > ORDER_LINES_MAX)
		return desk_refuse(no, "order-size", "an order has 1 to %d cards, this one has %llu: split it",
				   ORDER_LINES_MAX, (unsigned long long)h->records);
	if (strlen(h->order) > ORDER_NAME_MAX)
		return desk_refuse(no, "order-name", "the name of an order has at most %d characters", ORDER_NAME_MAX);
	if (desk_order_room(in->d) < 1)
		return desk_refuse(
			no, "orders",
			"there are %d open orders, the most there may be: end or cancel one, and sign this one "
			"anew",
			DESK_ORDERS_MAX);
	s->o = (struct order){ .step = ORDER_OPEN,
			       .so_seq = h->seq,
			       .lines = h->records,
			       .created_ms = desk_now(in->d),
			       .number = desk_number(h->from, h->order) };
	snprintf(s->o.name, sizeof(s->o.name), "%s", h->order);
	snprintf(s->o.s, sizeof(s->o.s), "%s", h->from);
	memcpy(s->o.so, h->id, PKG_ID_LEN);
	return 0;
}

static uint8_t word(const char *v, const char *const *words)
{
	uint8_t n = 1;

	for (; *words && strcmp(*words, v); words++)
		n++;
	return *words ? n : 0;
}

/* What a record says beside its card. */
static int so_terms(struct order *o, const struct xchg_record *r, struct desk_no *no)
{
	static const char *const kinds[] = { "3a", "3b", NULL };
	static const char *const policies[] = { "deliver-then-activate", "activate-then-deliver", "escrow", NULL };
	const char *a = xchg_value(r, "a"), *b = xchg_value(r, "b"), *m = xchg_value(r, "vault");

	if (strlen(a) > PKG_NAME_MAX || strlen(b) > PKG_NAME_MAX || strlen(m) > PKG_NAME_MAX)
		return desk_refuse(no, "party", "the name of a party has at most %d characters", PKG_NAME_MAX);
	o->kind = word(xchg_value(r, "kind"), kinds);
	o->policy = word(xchg_value(r, "policy"), policies);
	o->until_s = (int64_t)xchg_number(r, "until");
	snprintf(o->a, sizeof(o->a), "%s", a);
	snprintf(o->b, sizeof(o->b), "%s", b);
	snprintf(o->m, sizeof(o->m), "%s", m);
	return 0;
}

static int so_partner(struct desk_in *in, const char *name, unsigned role, const char *what, struct desk_no *no)
{
	const struct desk_partner *p = desk_partner_by_name(in->d, name);

	if (!p || !(p->roles & role))
		return desk_refuse(no, "partner", "%s is to be the %s, and is not configured here as such", name, what);
	return 0;
}

static int so_parties(struct desk_in *in, struct order *o, struct desk_no *no)
{
	const char *self = pkg_self_name(desk_deps(in->d)->self);

	if (!strcmp(o->a, o->b) || !strcmp(o->m, o->a) || !strcmp(o->m, o->b))
		return desk_refuse(no, "party", "a, b and vault are three, and not one twice");
	if ((o->kind == ORDER_3B) != (o->m[0] != '\0'))
		return desk_refuse(no, "party",
				   o->kind == ORDER_3B ? "an order of kind 3b names its vault" :
							 "an order of kind 3a has no vault");
	o->side = !strcmp(self, o->a) ? SIDE_A : !strcmp(self, o->b) ? SIDE_B : !strcmp(self, o->m) ? SIDE_M : 0;
	if (!o->side)
		return desk_refuse(no, "party", "we are %s, and not a party of this order: it goes from %s to %s", self,
				   o->a, o->b);
	if (!(in->kind->side & 1u << o->side) ||
	    !(desk_cfg(in->d)->roles & (o->side == SIDE_M ? DESK_VAULT : DESK_MNO)))
		return desk_refuse(no, "role", "this instance has not the role %s, as which the order names it",
				   o->side == SIDE_M ? "vault" : "mno");
	if (o->side != SIDE_A && so_partner(in, o->a, XCHG_A, "present operator", no))
		return -1;
	if (o->side != SIDE_B && so_partner(in, o->b, XCHG_B, "new operator", no))
		return -1;
	return o->m[0] && o->side != SIDE_M ? so_partner(in, o->m, XCHG_M, "vault", no) : 0;
}

static int so_first(struct desk_in *in, struct so *s, const struct xchg_record *r, struct desk_no *no)
{
	if (so_terms(&s->o, r, no) || so_parties(in, &s->o, no))
		return -1;
	if (s->o.until_s * 1000 <= desk_now(in->d))
		return desk_refuse(no, "until", "its time was over before it came: ask for a new order");
	if (s->o.policy == POLICY_ESCROW && s->o.kind != ORDER_3A)
		return desk_refuse(no, "policy",
				   "escrow is for kind 3a: in 3b the present operator has no keys to release, and the "
				   "vault gives them on its signed plan; order deliver-then-activate");
	if (in->dry)
		return 0;
	if (desk_order_new(in->job, &s->o))
		return desk_refuse(no, "orders", "%.180s", in->job->why);
	return 0;
}

/* The same in all records. */
static int so_same(const struct so *s, const struct xchg_record *r, struct desk_no *no)
{
	struct order now = { .kind = 0 };

	if (so_terms(&now, r, no))
		return -1;
	if (now.kind != s->o.kind || now.policy != s->o.policy || now.until_s != s->o.until_s ||
	    strcmp(now.a, s->o.a) || strcmp(now.b, s->o.b) || strcmp(now.m, s->o.m))
		return desk_refuse(
			no, "not-one-order",
			"record %llu says otherwise than the first one who, how or until when: orders of their own",
			(unsigned long long)r->n + 1);
	return 0;
}

/* At A: the pair that is active, as it was kept, or as the factory has it. */
static int so_hold(const struct desk_rec *r, struct hold *h, struct desk_no *no)
{
	const struct card_bundle *c = r->card;

	if (r->also && r->also->row.version)
		return hold_unpack(h, r->also->body, r->also->row.len) ?
			       desk_refuse(no, "books", "card %s: what is kept of its active pair cannot be read",
					   c->card.iccid) :
			       0;
	*h = (struct hold){ .index = 1 };
	for (unsigned i = 0; i < c->n_keysets; i++)
		if (c->keyset[i].sealed_len && (!h->kvn || c->keyset[i].kvn < h->kvn))
			h->kvn = c->keyset[i].kvn;
	return h->kvn ? 0 : desk_refuse(no, "no-keys", "card %s has no keys here: import them", c->card.iccid);
}

static bool so_plain(const struct desk_in *in, const struct card_row *c)
{
	return c->profile[0] && strcmp(c->profile, desk_cfg(in->d)->work_profile);
}

/* A card without the application has no way back: nothing happens to it before A's operator has said that this is right
 * (DESK_ACCEPT); all go by one profile. */
static int so_plain_ok(struct desk_in *in, struct so *s, struct line *l, const struct card_row *c, struct desk_no *no)
{
	if (s->o.kind == ORDER_3B)
		return desk_refuse(no, "card-profile", "card %s has the profile %s, and orders of kind 3b are for %s",
				   l->iccid, c->profile, desk_cfg(in->d)->work_profile);
	if (s->o.policy == POLICY_ESCROW)
		return desk_refuse(no, "policy",
				   "card %s (profile %s) cannot show that it is staged, which would release its keys: "
				   "escrow is not for it",
				   l->iccid, c->profile);
	if (!s->plain[0])
		memcpy(s->plain, c->profile, sizeof(s->plain));
	if (in->dry && strcmp(s->plain, c->profile))
		return desk_refuse(no, "card-profile",
				   "plain cards of an order have one profile: card %s has %s, others %s", l->iccid,
				   c->profile, s->plain);
	l->flags |= LINE_PLAIN;
	return 0;
}

/* A line as it begins at A. */
static int so_line_a(struct desk_in *in, struct so *s, struct desk_rec *r, struct line *l, struct desk_no *no)
{
	const uint32_t epoch = desk_cfg(in->d)->epoch; /* UTC seconds: gateway/mark.c */
	const struct card_row *c = &r->card->card;
	struct hold h = { 0 };

	if (!c->id)
		return desk_refuse(no, "card-unknown", "card %s is not known here: it is not ours to give", l->iccid);
	if (c->gone_ms)
		return desk_refuse(no, "card-gone", "card %s belongs to another operator already", l->iccid);
	if (so_hold(r, &h, no))
		return -1;
	if (so_plain(in, c) && so_plain_ok(in, s, l, c, no))
		return -1;
	if (s->o.kind == ORDER_3B && h.kvn > 2)
		return desk_refuse(no, "key-version",
				   "card %s: keys of its active pair stand under version 1 or 2, here it is %u",
				   l->iccid, h.kvn);
	l->card = c->id;
	memcpy(l->old_imsi, c->imsi, sizeof(l->old_imsi));
	memcpy(l->old_msisdn, c->msisdn, sizeof(l->old_msisdn));
	memcpy(l->profile, c->profile[0] ? c->profile : desk_cfg(in->d)->work_profile, sizeof(l->profile));
	l->from = h.index;
	l->kvn = s->o.kind == ORDER_3B ? (uint8_t)(3 - h.kvn) : h.kvn; /* each activation takes the other slot */
	/* from before a backup was put back: it may have been taken before, and all that followed from it is forgotten */
	l->epoch = in->head->created_s <= (int64_t)epoch ? epoch - 1 : epoch;
	return 0;
}

static int so_line_put(struct desk_in *in, const struct so *s, const struct desk_rec *r, const struct line *l)
{
	static const enum line_step first[] = { [SIDE_A] = A_OPEN, [SIDE_B] = B_OPEN, [SIDE_M] = M_OPEN };
	char key[BOOK_KEY_MAX];
	uint8_t body[BOOK_BODY_MAX];
	int len = line_pack(l, body);

	if (len < 0)
		return -1;
	line_key(key, s->o.number, l->iccid);
	job_put(in->job, BOOK_LINE, key, s->o.number, first[s->o.side], 0, body, (size_t)len);
	if (s->o.side != SIDE_M)
		job_put(in->job, BOOK_TAKEN, l->iccid, s->o.number, 0, r->row->row.version, "", 0);
	return 0;
}

int so_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no)
{
	struct so *s = in->scratch;
	struct line l = { .order = s->o.number, .evidence = 255 };
	bool first = !s->o.kind;

	if (s->none)
		return desk_refuse(no, "no-order", "there is no order %s here: its first record was left out",
				   s->o.name);
	if (first ? so_first(in, s, r->r, no) : so_same(s, r->r, no)) {
		s->none = first && !in->dry;
		return -1;
	}
	snprintf(l.iccid, sizeof(l.iccid), "%s", xchg_value(r->r, "iccid"));
	if (in->dry && once_in(in, s->once, "card", l.iccid, no))
		return -1;
	if (s->o.side != SIDE_M && r->row->row.version && r->row->row.owner != s->o.number)
		return desk_refuse(no, "card-busy", "card %s is in another open order: end or cancel that one first",
				   l.iccid);
	if (s->o.side == SIDE_A && so_line_a(in, s, r, &l, no))
		return -1;
	if (!in->dry && so_line_put(in, s, r, &l))
		return desk_refuse(no, "books", "card %s: its line cannot be kept", l.iccid);
	return 0;
}

int so_end(struct desk_in *in, struct desk_no *no)
{
	struct so *s = in->scratch;

	(void)no;
	if (in->dry || s->none)
		return 0;
	in->order->o.whole = 1;
	job_order_put(in->job);
	desk_kick(in->d, s->o.number, 0);
	return 0;
}
