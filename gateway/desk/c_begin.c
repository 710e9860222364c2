/* c_begin.c - a change at home begins: the operator's list, then each card's lines to where its new keys are made.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "b_int.h"
#include "c_int.h"
#include "c_kept.h"
#include "once.h"

#define ICCID_MIN 18

/* ---- the list ---- */

struct change_call {
	bool known;	    /* something of its name stands in the books */
	bool gathers;	    /* cards come from the lines of an order, page by page */
	struct b_list *own; /* what the operator gives whom; NULL: */
	struct once *cards; /* ICCIDs alone */
	FILE *in;	    /* of these */
	unsigned line;
	bool whole;   /* all are there */
	size_t at;    /* so many have their line */
	unsigned now; /* asked about in this round */
};

static size_t list_n(const struct change_call *l)
{
	return l->own ? b_list_n(l->own) : once_n(l->cards);
}

static void list_at(const struct change_call *l, size_t i, struct b_entry *e)
{
	*e = (struct b_entry){ 0 };
	if (l->own)
		b_list_at(l->own, i, e);
	else
		once_at(l->cards, i, e->iccid);
}

static int list_add(struct change_call *l, const char *iccid, char err[DESK_ERR_MAX])
{
	int rc = once_n(l->cards) < LIST_MAX ? once_add(l->cards, iccid) : -E2BIG;

	if (rc == -E2BIG)
		snprintf(err, DESK_ERR_MAX, "card %s: a list has at most %d cards", iccid, LIST_MAX);
	else if (rc < 0)
		snprintf(err, DESK_ERR_MAX, "card %s: out of memory", iccid);
	else if (rc)
		snprintf(err, DESK_ERR_MAX, "card %s is there twice", iccid);
	return rc > 0 ? -EINVAL : rc;
}

static int list_open(struct change_call *l, const struct desk_request *r, char err[DESK_ERR_MAX])
{
	const char *path = r->file ? r->file : "";
	int rc = 0;

	if (r->imsis) {
		l->own = b_list_open(path, err, &rc);
		return rc;
	}
	l->in = fopen(path, "re");
	if (l->in)
		return 0;
	snprintf(err, DESK_ERR_MAX, "%.200s: %s", *path ? path : "no list of cards", strerror(errno));
	return -ENOENT;
}

static int list_take(struct change_call *l, char *text, char err[DESK_ERR_MAX])
{
	char *iccid = text + strspn(text, " \t");
	size_t n = strspn(iccid, "0123456789");

	if (*iccid == '#' || !iccid[strspn(iccid, "\r\n")] || (l->line == 1 && !n)) /* a comment, nothing, a heading */
		return 0;
	if (n < ICCID_MIN || n > ICCID_DIGITS_MAX || (iccid[n] && !strchr(", \t\r\n", iccid[n]))) {
		snprintf(err, DESK_ERR_MAX, "line %u: a line begins with an ICCID, %d to %d digits", l->line, ICCID_MIN,
			 ICCID_DIGITS_MAX);
		return -EINVAL;
	}
	iccid[n] = '\0';
	return list_add(l, iccid, err);
}

static int cards_more(struct change_call *l, const char *path, char err[DESK_ERR_MAX])
{
	char text[256];
	int rc = 0;

	for (unsigned n = 0; !rc && n < LIST_TURN; n++) {
		if (!fgets(text, sizeof(text), l->in)) {
			if (!ferror(l->in))
				return 0;
			snprintf(err, DESK_ERR_MAX, "%.200s: cannot be read", path);
			return -EIO;
		}
		l->line++;
		rc = list_take(l, text, err);
	}
	return rc ? rc : DESK_MORE;
}

/* The next lines.  0: it is whole; DESK_MORE; negative with a sentence. */
static int list_more(struct desk *d, struct change_call *l, const struct desk_request *r, char err[DESK_ERR_MAX])
{
	int rc = l->own ? b_list_more(l->own, desk_cfg(d)->pool.plmns, err) : cards_more(l, r->file, err);

	if (!rc && !list_n(l)) {
		snprintf(err, DESK_ERR_MAX, "no card in the list");
		rc = -EINVAL;
	}
	l->whole = !rc;
	return rc;
}

/* ---- the operator's order ---- */

static int name_check(struct desk *d, const struct desk_request *r, char err[DESK_ERR_MAX])
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t n = strlen(r->name);

	if (!n || n > ORDER_NAME_MAX || r->name[strspn(r->name, allowed)]) {
		snprintf(err, DESK_ERR_MAX, "a change has a name of 1 to %d letters, digits and . _ -", ORDER_NAME_MAX);
		return -EINVAL;
	}
	if (!r->what || r->what & ~(CHANGE_OTA | CHANGE_K | CHANGE_OPC | CHANGE_IMSI)) {
		snprintf(err, DESK_ERR_MAX, "what is to be changed? ota-keys, k, opc; or imsi");
		return -EINVAL;
	}
	if ((r->what & CHANGE_IMSI && r->what != CHANGE_IMSI) || (r->imsis && r->what != CHANGE_IMSI)) {
		snprintf(err, DESK_ERR_MAX, "an IMSI is changed alone: keys by a change of their own");
		return -EINVAL;
	}
	if (r->what == CHANGE_IMSI && !r->imsis && !*desk_cfg(d)->pool.imsi_from) {
		snprintf(err, DESK_ERR_MAX,
			 "no pool is configured: give a list of ICCID,IMSI[,MSISDN], or configure one");
		return -EINVAL;
	}
	if (r->what == CHANGE_IMSI && !*desk_cfg(d)->pool.plmns) {
		snprintf(err, DESK_ERR_MAX, "our networks are not configured: pool, networks");
		return -EINVAL;
	}
	if (!(desk_cfg(d)->roles & DESK_MNO) || !desk_deps(d)->gw) {
		snprintf(err, DESK_ERR_MAX, "keys of cards are changed by their operator (role mno)");
		return -EINVAL;
	}
	if (r->what & (CHANGE_K | CHANGE_OPC | CHANGE_IMSI) && !desk_deps(d)->hlr) {
		snprintf(err, DESK_ERR_MAX,
			 "no HLR is configured, and it must have the new %s: configure it (node hlr)",
			 r->what == CHANGE_IMSI ? "IMSI" : "keys");
		return -ENXIO;
	}
	return 0;
}

unsigned c_want(struct desk *d, struct desk_call *c, struct desk_open_order *o, char (*keys)[BOOK_KEY_MAX],
		unsigned max)
{
	struct change_call *l = c->scratch;
	struct b_entry e;

	(void)d;
	if (l && l->gathers)
		return 0;
	if (!l || !l->whole) {
		c->book = BOOK_ORDER;
		snprintf(keys[0], BOOK_KEY_MAX, "%.*s", ORDER_NAME_MAX, c->r.name);
		snprintf(keys[1], BOOK_KEY_MAX, "%.*s", ORDER_NAME_MAX, c->r.taken_by);
		return *c->r.taken_by ? 2 : 1;
	}
	for (l->now = 0; l->now < max && l->at + l->now < list_n(l); l->now++) {
		list_at(l, l->at + l->now, &e);
		line_key(keys[l->now], o->o.number, e.iccid);
	}
	return l->now;
}

/* ---- the cards of an order that came to us ---- */

static int taken_begin(struct change_call *l, const struct desk_job *j, struct desk_call *c)
{
	struct order o;

	if (c->r.file || c->r.imsis) {
		snprintf(c->text, sizeof(c->text), "either the cards of an order, or those of a list");
		return -EINVAL;
	}
	if (!j->row[1].row.version || order_unpack(&o, j->row[1].body, j->row[1].row.len) || o.side != SIDE_B) {
		snprintf(c->text, sizeof(c->text), "no order %s by which cards came to us stands in the books",
			 c->r.taken_by);
		return -ENOENT;
	}
	l->gathers = true;
	c->owner = o.number;
	return 0;
}

/* 0: all are there, DESK_MORE, or negative. */
static int taken_page(struct change_call *l, const struct desk_job *j, struct desk_call *c)
{
	int rc = 0;

	for (unsigned i = 0; i < j->n && !rc; i++)
		if (j->line[i].end == END_DONE)
			rc = list_add(l, j->line[i].iccid, c->text);
	if (!rc && j->n == DESK_PAGE) {
		memcpy(c->after, j->row[j->n - 1].row.key, sizeof(c->after));
		return DESK_MORE;
	}
	l->gathers = false;
	l->whole = true;
	if (!rc && !once_n(l->cards)) {
		snprintf(c->text, sizeof(c->text), "no card has come by order %s yet", c->r.taken_by);
		rc = -ENOENT;
	}
	return rc;
}

/* A change of that name that a stop has cut short goes on. */
static int begin(struct desk *d, struct desk_job *j, struct desk_call *c)
{
	const struct desk_open_order *known = desk_order_open(d, c->r.name);
	struct order o = { .number = desk_number(d->self, c->r.name),
			   .side = SIDE_HOME,
			   .step = ORDER_OPEN,
			   .kind = ORDER_CHANGE,
			   .policy = c->r.what,
			   .own_list = c->r.imsis,
			   .created_ms = desk_now(d) };
	int rc;

	if (o.policy == CHANGE_IMSI)
		o.until_s = desk_now(d) / 1000 + C_IMSI_LIFE_S;
	memcpy(o.name, c->r.name, sizeof(o.name));
	memcpy(c->r.order, c->r.name, sizeof(c->r.order));
	if (known && known->o.side == SIDE_HOME && known->o.step == ORDER_OPEN && known->o.policy == o.policy &&
	    known->o.own_list == o.own_list && !known->o.whole)
		return DESK_MORE;
	if (known || ((struct change_call *)c->scratch)->known) {
		snprintf(c->text, sizeof(c->text), "there is an order or a change %s already: take another name",
			 c->r.name);
		return -EEXIST;
	}
	rc = desk_order_home(j, &o);
	return rc ? rc : DESK_MORE;
}

int c_start_decide(struct desk *d, struct desk_job *j, struct desk_call *c)
{
	struct change_call *l = c->scratch;
	struct order *o;
	int rc;

	if (!l) {
		rc = name_check(d, &c->r, c->text);
		if (rc)
			return rc;
		l = c->scratch = calloc(1, sizeof(*l));
		if (!l || !(l->cards = once_new()))
			return -ENOMEM;
		l->known = j->row[0].row.version;
		rc = *c->r.taken_by ? taken_begin(l, j, c) : list_open(l, &c->r, c->text);
		return rc ? rc : DESK_MORE;
	}
	if (!l->whole) {
		rc = l->gathers ? taken_page(l, j, c) : list_more(d, l, &c->r, c->text);
		return rc ? rc : begin(d, j, c);
	}
	o = &j->order->o;
	for (unsigned i = 0; i < l->now; i++) {
		struct line *line = &j->line[i];
		struct b_entry e;

		if (j->row[i].row.version)
			continue;
		list_at(l, l->at + i, &e);
		*line = (struct line){ .order = o->number, .evidence = 255 };
		memcpy(line->iccid, e.iccid, sizeof(line->iccid));
		memcpy(line->imsi, e.imsi, sizeof(line->imsi));
		memcpy(line->msisdn, e.msisdn, sizeof(line->msisdn));
		job_line_put(j, i, C_OPEN);
		o->lines++;
	}
	l->at += l->now;
	o->whole = l->at == list_n(l);
	job_order_put(j);
	snprintf(c->text, sizeof(c->text), "change %s: %llu cards", o->name, (unsigned long long)o->lines);
	return o->whole ? 0 : DESK_MORE;
}

void c_start_drop(struct desk_call *c)
{
	struct change_call *l = c->scratch;

	if (l) {
		b_list_free(l->own);
		once_free(l->cards);
		if (l->in)
			fclose(l->in);
	}
	free(l);
	c->scratch = NULL;
}

/* ---- each card ---- */

int c_take_decide(struct desk *d, struct desk_job *j)
{
	for (unsigned i = 0; i < j->n; i++) {
		const struct card_row *c = &j->card[i].card;
		const struct store_book *taken = &j->also[i];
		struct line *l = &j->line[i];

		if (j->order->o.step == ORDER_CANCELLED)
			line_fail(l, END_CANCELLED, "cancelled by our operator");
		else if (taken->row.version && taken->row.owner != l->order)
			line_fail(l, END_FAILED, "is in another open order: end or cancel that one first");
		else if (!c->id)
			line_fail(l, END_FAILED, "is not known here");
		else if (c->gone_ms)
			line_fail(l, END_FAILED, "belongs to another operator");
		else if (c->profile[0] && strcmp(c->profile, desk_cfg(d)->work_profile))
			line_fail(l, END_FAILED, "profile %.48s: has no subscription application", c->profile);
		if (l->end) {
			c_close(j, i, false);
			continue;
		}
		job_put(j, BOOK_TAKEN, l->iccid, l->order, 0, taken->row.version, "", 0);
		l->card = c->id;
		if (j->order->o.policy != CHANGE_IMSI) {
			memcpy(l->imsi, c->imsi, sizeof(l->imsi));
			memcpy(l->msisdn, c->msisdn, sizeof(l->msisdn));
		}
		memcpy(l->old_imsi, c->imsi, sizeof(l->old_imsi));
		memcpy(l->old_msisdn, c->msisdn, sizeof(l->old_msisdn));
		memcpy(l->profile, desk_cfg(d)->work_profile, sizeof(l->profile));
		job_line_put(j, i, C_TAKEN);
	}
	return 0;
}

const struct keyset_row *c_keyset(const struct card_bundle *c, uint8_t kvn)
{
	for (unsigned k = 0; c->card.id && k < c->n_keysets; k++)
		if (c->keyset[k].kvn == kvn)
			return &c->keyset[k];
	return NULL;
}

int c_hold_decide(struct desk *d, struct desk_job *j)
{
	(void)d;
	for (unsigned i = 0; i < j->n; i++) {
		struct line *l = &j->line[i];
		struct hold h = { .index = 1 };

		if (c_cancelled(j, i))
			continue;
		for (uint8_t kvn = KVN_MAX; kvn; kvn--)
			if (c_keyset(&j->card[i], kvn) && c_keyset(&j->card[i], kvn)->sealed_len)
				h.kvn = kvn;
		if (j->also[i].row.version && hold_unpack(&h, j->also[i].body, j->also[i].row.len)) {
			c_give_up(j, i, END_FAILED, "what is kept of its active pair cannot be read");
			continue;
		}
		if (!c_keyset(&j->card[i], h.kvn) || !c_keyset(&j->card[i], h.kvn)->sealed_len) {
			c_give_up(j, i, END_FAILED, "no keys of version %u here: import them", h.kvn);
			continue;
		}
		if (j->order->o.policy & CHANGE_OTA && h.kvn > 2) {
			c_give_up(j, i, END_FAILED, "keys of an active pair stand under version 1 or 2, here it is %u",
				  h.kvn);
			continue;
		}
		l->from = l->to = h.index;
		l->kvn = h.kvn;
		job_line_put(j, i, j->order->o.policy == CHANGE_IMSI ? C_PAIR : C_MAKE);
	}
	return 0;
}

/* 0, or why not. */
static const char *keys_make(struct desk *d, struct desk_job *j, unsigned i, struct change_keys *k)
{
	const uint8_t what = j->order->o.policy;
	const struct line *l = &j->line[i];
	const struct keyset_row *own = c_keyset(&j->card[i], l->kvn);
	const struct store_book *sub = &j->also[i];
	int n;

	*k = (struct change_keys){ 0 };
	if (!own)
		return "its keys are not here any more";
	k->base_kvn = l->kvn;
	k->base_len = own->sealed_len;
	memcpy(k->base, own->sealed, own->sealed_len);
	k->base_epoch = own->epoch;
	k->base_cntr = own->cntr;
	if (what & CHANGE_OTA) {
		k->kvn = (uint8_t)(3 - l->kvn);
		n = ks_keyset_make(desk_deps(d)->ks, l->iccid, k->kvn,
				   ks_sealed_kic_octets(own->sealed, own->sealed_len), k->sealed);
		if (n < 0)
			return ks_strerror(n);
		k->sealed_len = (uint16_t)n;
	}
	if (sub->row.version && sub->row.len == KS_SUB_LEN) {
		k->has_was = true;
		memcpy(k->was, sub->body, KS_SUB_LEN);
	}
	if (!(what & (CHANGE_K | CHANGE_OPC)))
		return NULL;
	if (!k->has_was && ~what & (CHANGE_K | CHANGE_OPC))
		return "its K is not in our books: change K and OPc together";
	n = ks_sub_renew(desk_deps(d)->ks, l->iccid, l->from, k->has_was ? k->was : NULL,
			 (what & CHANGE_K ? KS_SUB_K : 0u) | (what & CHANGE_OPC ? KS_SUB_OPC : 0u), k->sub);
	k->has_sub = true;
	return n ? ks_strerror(n) : NULL;
}

int c_make_decide(struct desk *d, struct desk_job *j)
{
	kept_begin(d);
	for (unsigned i = 0; i < j->n; i++) {
		uint8_t body[BOOK_BODY_MAX];
		struct change_keys k;
		char key[BOOK_KEY_MAX];
		const char *why;
		int len;

		if (c_cancelled(j, i))
			continue;
		why = keys_make(d, j, i, &k);
		len = change_pack(&k, body);
		if (why || len < 0) {
			c_give_up(j, i, END_FAILED, "%s", why ? why : "its new keys cannot be kept");
			continue;
		}
		line_key(key, j->line[i].order, j->line[i].iccid);
		kept_note(j, i, KEPT_KEYS, body, (size_t)len);
		job_put(j, BOOK_CHANGE, key, j->line[i].order, 0, BOOK_ANY, body, (size_t)len);
		job_line_put(j, i, k.kvn ? C_OTA : C_ASK);
	}
	return kept_write(j);
}
