/* vault_in.c - the vault: requests for an index (AQ), requests for its keys (KR), confirmations (CF).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A request for keys is believed because of three signatures: that of S, who told us of the order ourselves; that of A, under the plan that
 * says which card goes to which index at whom; and B's own.  What B shows of A's plan is one record with its path to the signed root.
 *
 * All that is decided here is decided once more, on the card's record as it is then, where the keys are released (vault_out.c).
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vault_int.h"

#define PLAN_LEAF_MAX 1024 /* as the schema of KR has it */

void vault_line_key(struct desk_in *in, const struct xchg_record *r, char key[BOOK_KEY_MAX])
{
	line_key(key, in->order->o.number, xchg_value(r, "iccid"));
}

void vault_card_key(struct desk_in *in, const struct xchg_record *r, char key[BOOK_KEY_MAX])
{
	(void)in;
	snprintf(key, BOOK_KEY_MAX, "%s", xchg_value(r, "iccid"));
}

int vault_card_put(struct desk_job *j, const struct vault_card *c, uint16_t step, uint64_t version)
{
	uint8_t body[BOOK_BODY_MAX];
	int len = vault_card_pack(c, body);

	if (len < 0)
		return -1;
	job_put(j, BOOK_CARD, c->iccid, 0, step, version, body, (size_t)len);
	return 0;
}

void vault_hex(char *out, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
	out[2 * len] = '\0';
}

/* ---- what all of them ask ---- */

static int from_whom(const struct desk_in *in, const char *who, const char *what, struct desk_no *no)
{
	const struct order *o = &in->order->o;

	if (!strcmp(in->head->from, who))
		return 0;
	return desk_refuse(no, "party", "order %s: %s come from %s, and this one is from %s", o->name, what, who,
			   in->head->from);
}

static int still_open(const struct desk_in *in, struct desk_no *no)
{
	const struct order *o = &in->order->o;

	if (o->step == ORDER_CANCELLED)
		return desk_refuse(no, "cancelled", "order %s is cancelled", o->name);
	if (o->until_s * 1000 < desk_now(in->d))
		return desk_refuse(no, "order-expired", "the time of order %s is over: ask for a new one", o->name);
	return 0;
}

/* The line and the card's record. */
static int rec_card(struct desk_rec *r, struct vault_card *c, struct desk_no *no)
{
	const char *iccid = xchg_value(r->r, "iccid");

	if (!r->line)
		return desk_refuse(no, "not-in-order", "card %s is not in this order", iccid);
	if (!r->also->row.version)
		return desk_refuse(no, "card-unknown", "card %s has no pairs in this vault", iccid);
	if (vault_card_unpack(c, r->also->body, r->also->row.len))
		return desk_refuse(no, "books", "card %s: its record in the vault cannot be read", iccid);
	return 0;
}

static int rule(const struct vault_no *v, struct desk_no *no)
{
	return desk_refuse(no, v->rule, "%s", v->why);
}

/* ---- AQ ---- */

int vault_aq_begin(struct desk_in *in, struct desk_no *no)
{
	return from_whom(in, in->order->o.a, "requests for an index", no) || still_open(in, no) ? -1 : 0;
}

static void water(struct desk_job *j, const char *iccid, const struct vault_place *p)
{
	if (!p->to)
		job_alarm(j, "card %s has no pair left: refill it", iccid);
	else if (p->left < desk_cfg(j->d)->low_water)
		job_alarm(j, "card %s has %u pairs left after this order: refill it", iccid, p->left);
}

int vault_aq_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no)
{
	const struct order *o = &in->order->o;
	const unsigned from = (unsigned)xchg_number(r->r, "from");
	struct vault_place place;
	struct vault_card c;
	struct vault_no v;
	struct line *l;

	if (rec_card(r, &c, no))
		return -1;
	if (!vault_allocate(&c, vault_who(o->a), vault_who(o->b), o->number, from, &place, &v))
		return rule(&v, no);
	if (in->dry)
		return 0;
	l = r->line;
	l->from = (uint16_t)from;
	l->to = place.to;
	l->left = place.left;
	l->has_jump = place.jump;
	memcpy(l->hash, in->head->id, sizeof(l->hash));
	if (vault_card_put(in->job, &c, r->also->row.step, r->also->row.version))
		return desk_refuse(no, "books", "card %s: its record cannot be kept", l->iccid);
	water(in->job, l->iccid, &place);
	job_line_put(in->job, r->i, M_ASKED);
	return 0;
}

/* ---- KR ---- */

struct kr {
	struct pkg_head plan;
};

void vault_kr_drop(struct desk_in *in)
{
	free(in->scratch);
	in->scratch = NULL;
}

/* One of the attached manifests: of this type, from this party to that one, and of this order.  False: not this one. */
static bool attached_is(struct desk_in *in, unsigned i, const char *type, const char *from, const char *to,
			struct pkg_head *out)
{
	const struct desk_partner *p = desk_partner_by_name(in->d, from);
	char err[DESK_ERR_MAX];
	const uint8_t *der;
	size_t len;

	der = pkg_attached(in->pkg, i, &len);
	return p && der && !pkg_manifest_verify(out, der, len, p->pinned, err, sizeof(err)) &&
	       !strcmp(out->type, type) && !strcmp(out->from, from) && !strcmp(out->to, to) &&
	       !strcmp(out->order, in->order->o.name);
}

static int attached_find(struct desk_in *in, const char *type, const char *from, const char *to, const char *rule_name,
			 struct pkg_head *out, struct desk_no *no)
{
	for (unsigned i = 0; i < in->head->attached; i++)
		if (attached_is(in, i, type, from, to, out))
			return 0;
	return desk_refuse(no, rule_name, "order %s: no %s of %s to %s is attached whose signature is right",
			   in->order->o.name, type, from, to);
}

int vault_kr_begin(struct desk_in *in, struct desk_no *no)
{
	const struct order *o = &in->order->o;
	char columns[PKG_COLUMNS_MAX + 1];
	struct pkg_head so;
	struct kr *k;

	vault_kr_drop(in);
	/* An accepted request is answered, also when its order has been cancelled since: the keys may be on their way. */
	if (from_whom(in, o->b, "requests for keys", no) || (in->dry && still_open(in, no)))
		return -1;
	in->scratch = k = calloc(1, sizeof(*k));
	if (!k)
		return desk_refuse(no, "memory", "no memory for the plan: send it again");
	if (attached_find(in, "SO", o->s, o->b, "no-order", &so, no) ||
	    attached_find(in, "PL", o->a, o->b, "no-plan", &k->plan, no))
		return -1;
	xchg_columns_text(xchg_schema_of(XCHG_PL), columns);
	return strcmp(columns, k->plan.columns) ?
		       desk_refuse(no, "no-plan", "order %s: the plan has other columns than a plan has", o->name) :
		       0;
}

/* The record of A's plan that is shown: really one of those that A has signed, and about this card. */
static int leaf_check(const struct kr *k, const struct desk_rec *r, struct xchg_record *leaf,
		      char text[PLAN_LEAF_MAX + 1], struct desk_no *no)
{
	const struct xchg_schema *pl = xchg_schema_of(XCHG_PL);
	uint8_t path[PKG_PATH_MAX][PKG_HASH_LEN];
	const char *iccid = xchg_value(r->r, "iccid");
	char err[DESK_ERR_MAX] = "";
	size_t len = xchg_hex(r->r, "leaf", (uint8_t *)text, PLAN_LEAF_MAX), hashes;

	text[len] = '\0';
	hashes = xchg_hex(r->r, "path", path[0], sizeof(path));
	if (strlen(text) != len || hashes % PKG_HASH_LEN ||
	    pkg_proof(&k->plan, text, xchg_number(r->r, "n"), path, (unsigned)(hashes / PKG_HASH_LEN)))
		return desk_refuse(no, "leaf", "card %s: the record that is shown is none of the signed plan", iccid);
	if (xchg_split(pl, xchg_number(r->r, "n"), text, leaf, err, sizeof(err)))
		return desk_refuse(no, "leaf", "card %s: %.150s", iccid, err);
	if (strcmp(xchg_value(leaf, "iccid"), iccid) || strcmp(xchg_value(leaf, "imsi"), xchg_value(r->r, "imsi")) ||
	    xchg_number(leaf, "to") != xchg_number(r->r, "index"))
		return desk_refuse(no, "leaf", "card %s: the signed plan says card %s, IMSI %s, index %s", iccid,
				   xchg_value(leaf, "iccid"), xchg_value(leaf, "imsi"), xchg_value(leaf, "to"));
	return 0;
}

int vault_kr_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no)
{
	const struct order *o = &in->order->o;
	const struct kr *k = in->scratch;
	char text[PLAN_LEAF_MAX + 1];
	struct xchg_record leaf;
	struct vault_card c;
	struct vault_no v;
	struct line *l;

	if (rec_card(r, &c, no) || leaf_check(k, r, &leaf, text, no))
		return -1;
	if (!vault_may_release(&c, vault_who(o->a), vault_who(o->b), o->number, (unsigned)xchg_number(&leaf, "to"),
			       (unsigned)xchg_number(&leaf, "kvn"), &v))
		return rule(&v, no);
	if (in->dry)
		return 0;
	l = r->line;
	l->to = (uint16_t)xchg_number(&leaf, "to");
	l->kvn = (uint8_t)xchg_number(&leaf, "kvn");
	snprintf(l->imsi, sizeof(l->imsi), "%s", xchg_value(&leaf, "imsi"));
	memcpy(l->hash, in->head->id, sizeof(l->hash));
	memcpy(l->plan, k->plan.root, sizeof(l->plan));
	l->has_plan = true;
	job_line_put(in->job, r->i, M_WANTED);
	return 0;
}

/* ---- CF ---- */

int vault_cf_begin(struct desk_in *in, struct desk_no *no)
{
	return from_whom(in, in->order->o.b, "confirmations", no);
}

/* Only E6 changes anything here: the card has answered under the keys of that index. */
int vault_cf_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no)
{
	struct order *o = &in->order->o;
	const unsigned index = (unsigned)xchg_number(r->r, "index");
	struct vault_card c;
	struct vault_no v;

	if (rec_card(r, &c, no))
		return -1;
	if (strcmp(xchg_value(r->r, "what"), "confirmed"))
		return 0;
	if (strcmp(xchg_value(r->r, "evidence"), "E6"))
		return desk_refuse(no, "evidence", "card %s: confirmed is E6, and this says %s", r->line->iccid,
				   xchg_value(r->r, "evidence"));
	if (r->line->imsi[0] && strcmp(r->line->imsi, xchg_value(r->r, "imsi")))
		return desk_refuse(no, "imsi", "card %s: the plan of this order says another IMSI", r->line->iccid);
	if (!vault_confirm(&c, vault_who(o->b), o->number, index, &v))
		return rule(&v, no);
	if (in->dry)
		return 0;
	if (vault_card_put(in->job, &c, r->also->row.step, r->also->row.version))
		return desk_refuse(no, "books", "card %s: its record cannot be kept", r->line->iccid);
	if (r->row->row.step != M_CLOSED) {
		o->closed++;
		job_order_put(in->job);
		job_line_put(in->job, r->i, M_CLOSED);
	}
	return 0;
}
