/* a_list.c - the old operator: new IMSIs come (IL), find their cards, indexes are asked for (AQ, AL), the plan goes out (PL).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A line of the IL may name its card.  Those that do not are a pool: when the list is whole, its IMSIs in ascending order go to the
 * cards that are left in ascending order of their ICCIDs, so that the same two lists always give the same pairs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "a_int.h"
#include "in.h"

#define PLAN_VALUES 6

/* ---- IL ---- */

void a_imsi_key(struct desk_in *in, const struct xchg_record *r, char key[BOOK_KEY_MAX])
{
	(void)in;
	snprintf(key, BOOK_KEY_MAX, "%s", xchg_value(r, "imsi"));
}

/* As many as the order has cards, or a full page of more that follow. */
static int il_count(const struct desk_in *in, struct desk_no *no)
{
	const struct order *o = &in->order->o;
	const uint64_t left = o->lines - o->paired, n = in->head->records;

	if (n == left || (n < left && n == DESK_PAGE))
		return 0;
	return desk_refuse(no, "il-count",
			   "order %s has %llu cards without IMSI, this list has %llu lines: one for each", o->name,
			   (unsigned long long)left, (unsigned long long)n);
}

int a_il_begin(struct desk_in *in, struct desk_no *no)
{
	const struct order *o = &in->order->o;

	if (a_take_begin(in, o->b, no))
		return -1;
	if (!in->dry)
		return 0;
	if (o->step != ORDER_OPEN)
		return desk_refuse(no, RULE_CANCELLED, "order %s is cancelled", o->name);
	return il_count(in, no);
}

static int il_network(const struct desk_in *in, const char *imsi, struct desk_no *no)
{
	const struct desk_partner *p = &desk_cfg(in->d)->partner[in->partner];

	for (unsigned i = 0; i < p->networks; i++)
		if (!strncmp(imsi, p->network[i], strlen(p->network[i])))
			return 0;
	return desk_refuse(no, "imsi-network", "IMSI %s is of no network that %s has declared: see `partner %s`", imsi,
			   in->head->from, in->head->from);
}

static int il_card(const struct desk_in *in, const struct desk_rec *r, struct desk_no *no)
{
	if (!r->line)
		return desk_refuse(no, "not-in-order", "card %s is not in order %s", xchg_value(r->r, "iccid"),
				   in->order->o.name);
	if (r->row->row.step != A_OPEN)
		return desk_refuse(no, "paired", "card %s has its IMSI already: %s", r->line->iccid,
				   r->line->imsi[0] ? r->line->imsi : line_step_name(r->row->row.step));
	return 0;
}

static int pair(struct desk_job *j, unsigned i, const struct a_set *s)
{
	struct line *l = &j->line[i];
	char key[BOOK_KEY_MAX];
	uint8_t body[BOOK_BODY_MAX];
	int len = a_set_pack(s, body);

	if (len < 0)
		return -1;
	line_key(key, l->order, l->iccid);
	memcpy(l->imsi, s->imsi, sizeof(l->imsi));
	memcpy(l->msisdn, s->msisdn, sizeof(l->msisdn));
	l->paired_ms = desk_now(j->d);
	job_put(j, BOOK_SET, key, l->order, A_SET_PAIRED, 0, body, (size_t)len);
	a_put(j, i, A_PAIRED);
	return 0;
}

static void pool_key(char key[BOOK_KEY_MAX], uint64_t order, const char *imsi)
{
	snprintf(key, BOOK_KEY_MAX, "%016llx/+%s", (unsigned long long)order, imsi);
}

static int il_take(struct desk_in *in, struct desk_rec *r, const struct a_set *s, struct desk_no *no)
{
	struct order *o = &in->order->o;
	uint8_t body[BOOK_BODY_MAX];
	char key[BOOK_KEY_MAX];
	int len = a_set_pack(s, body);

	if (len < 0)
		return desk_refuse(no, "set-too-long", "IMSI %s: what is said of it cannot be kept", s->imsi);
	if (in->dry)
		return 0;
	job_put(in->job, BOOK_IMSI, s->imsi, o->number, 0, 0, "", 0);
	if (r->line) {
		pair(in->job, r->i, s);
	} else {
		pool_key(key, o->number, s->imsi);
		job_put(in->job, BOOK_SET, key, o->number, A_SET_POOL, 0, body, (size_t)len);
	}
	o->paired++;
	job_order_put(in->job);
	return 0;
}

/* An OPc that the new operator has chosen: bound to the card, or to the IMSI where the card is not known yet. */
static int il_opc(struct desk_in *in, const struct desk_rec *r, struct a_set *s, struct desk_no *no)
{
	const char *iccid = xchg_value(r->r, "iccid");
	uint8_t wrapped[KS_BLOCK_MAX];
	struct ks_block block;
	size_t len;
	int rc;

	if (!*xchg_value(r->r, "keys"))
		return 0;
	len = xchg_hex(r->r, "keys", wrapped, sizeof(wrapped));
	rc = in->wrap ? ks_block_unwrap(in->wrap, *iccid ? iccid : s->imsi, wrapped, len, &block) : KS_E_SEALED;
	if (rc)
		return desk_refuse(no, "keys", "IMSI %s: its OPc does not open: %s", s->imsi, ks_strerror(rc));
	if (block.has_sub || block.sets || !block.has_opc)
		rc = desk_refuse(no, "keys", "IMSI %s: an IMSI list brings an OPc and no other key", s->imsi);
	s->has_opc = true;
	memcpy(s->opc, block.opc, sizeof(s->opc));
	ks_wipe(&block, sizeof(block));
	return rc;
}

int a_il_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no)
{
	struct a_take *t = in->scratch;
	struct a_set s;

	if (a_take_card(in, r, no) || a_set_parse(&s, r->r, no) || il_network(in, s.imsi, no))
		return -1;
	if (in->dry && once_in(in, t->imsis, "IMSI", s.imsi, no))
		return -1;
	if (r->also && r->also->row.version)
		return desk_refuse(no, "imsi-promised", "IMSI %s is promised to another card already", s.imsi);
	if (*xchg_value(r->r, "iccid") && il_card(in, r, no))
		return -1;
	if (il_opc(in, r, &s, no) || il_take(in, r, &s, no))
		return -1;
	t->sca_missing |= !a_set_has_sca(&s);
	return 0;
}

int a_il_end(struct desk_in *in, struct desk_no *no)
{
	const struct a_take *t = in->scratch;
	const struct order *o = &in->order->o;

	if (in->dry)
		return 0;
	if (t->sca_missing)
		job_alarm(in->job,
			  "the IMSI list has lines whose files tell no SMSC (EF_SMSP with TS-SCA): no answer by SMS");
	if (o->paired ==
	    o->lines) /* nothing is given out before: a list of many packages does not go through all cards for each */
		desk_kick(in->d, o->number, A_OPEN);
	return 0;
}

/* ---- the pool ---- */

int a_pool_decide(struct desk *d, struct desk_job *j)
{
	const struct order *o = &j->order->o;
	const bool whole = o->paired == o->lines;

	for (unsigned i = 0; i < j->n; i++) {
		const struct store_book *row = &j->also[i];
		enum line_end end = a_over(j, &j->line[i]);
		struct a_set s;

		if (!whole && end == END_NONE)
			continue;
		if (row->row.version && !a_set_unpack(&s, row->body, row->row.len)) {
			/* also where the order is over: what came in has to go back */
			job_drop(j, BOOK_SET, row->row.key, row->row.version);
			if (s.has_opc && ks_opc_rename(desk_deps(d)->ks, s.imsi, j->line[i].iccid, s.opc, s.opc))
				return -EIO;
			pair(j, i, &s);
		} else if (end != END_NONE) {
			a_put(j, i, a_give_up(j, &j->line[i], end, "no IMSI came for it"));
		}
	}
	a_wait(j, A_OPEN, 0);
	return 0;
}

/* ---- AQ, AL ---- */

int a_ask_decide(struct desk *d, struct desk_job *j)
{
	struct desk_out *out = NULL;
	int rc = 0;

	(void)d;
	for (unsigned i = 0; i < j->n && !rc; i++) {
		struct line *l = &j->line[i];
		char from[8];

		if (a_gave_up(j, i))
			continue;
		if (j->order->o.kind == ORDER_3A)
			l->to = l->from;
		if (l->to) {
			a_put(j, i, A_PLACED);
			continue;
		}
		if (!out && !(out = out_open(j, XCHG_AQ, j->order->o.m, NULL)))
			return -EIO;
		snprintf(from, sizeof(from), "%u", l->from);
		rc = out_record(out, (const char *const[]){ l->iccid, from });
		a_put(j, i, A_ASKED);
	}
	return a_out_done(out, rc);
}

int a_al_begin(struct desk_in *in, struct desk_no *no)
{
	return a_take_begin(in, in->order->o.m, no);
}

static int al_fits(const struct desk_rec *r, const struct line *l, struct desk_no *no)
{
	const uint64_t from = xchg_number(r->r, "from"), to = xchg_number(r->r, "to");
	const bool jump = *xchg_value(r->r, "jump") != '\0';

	if (from != l->from)
		return desk_refuse(no, "index", "card %s: index %u is active, the allocation begins at %llu", l->iccid,
				   l->from, (unsigned long long)from);
	if (to && to <= from)
		return desk_refuse(no, "index", "card %s: index %llu is not above %u, which is active", l->iccid,
				   (unsigned long long)to, l->from);
	if (to > from + 1 && !jump)
		return desk_refuse(no, "jump",
				   "card %s: index %llu is not the next one and comes without the vault's MAC",
				   l->iccid, (unsigned long long)to);
	return 0;
}

static void al_index(const struct desk_rec *r, struct line *l)
{
	l->to = (uint16_t)xchg_number(r->r, "to");
	l->left = (uint16_t)xchg_number(r->r, "left");
	l->has_jump = *xchg_value(r->r, "jump") != '\0';
	if (l->has_jump)
		xchg_hex(r->r, "jump", l->jump, sizeof(l->jump));
}

static void al_early(struct desk_in *in, const struct desk_rec *r, struct line *l)
{
	al_index(r, l);
	if (l->to)
		a_put(in->job, r->i, (enum line_step)r->row->row.step);
}

static void al_take(struct desk_in *in, const struct desk_rec *r, struct line *l)
{
	const unsigned low = desk_cfg(in->d)->low_water;

	al_index(r, l);
	if (!l->to) {
		job_alarm(in->job, "card %s has no pair left: refill it, or it stays here", l->iccid);
		line_fail(l, END_FAILED, "no pair left");
		a_put(in->job, r->i, A_LIST);
		return;
	}
	if (l->left < low)
		job_alarm(in->job, "card %s has %u pairs left after this order: refill it", l->iccid, l->left);
	a_put(in->job, r->i, A_PLACED);
}

int a_al_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no)
{
	struct line *l = a_line_of(in, r, no);

	if (!l || a_take_card(in, r, no))
		return -1;
	if (r->row->row.step < A_ASKED && !a_forgot(in->job, l))
		return desk_refuse(no, "not-asked", "card %s: no index has been asked for", l->iccid);
	if (al_fits(r, l, no))
		return -1;
	if (r->row->row.step < A_ASKED && !l->to) { /* asked for before a backup was put back */
		if (!in->dry)
			al_early(in, r, l);
		return 0;
	}
	if (r->row->row.step != A_ASKED) /* told again, or over meanwhile */
		return !l->to || l->to == xchg_number(r->r, "to") ?
			       0 :
			       desk_refuse(no, "index", "card %s: index %u was allocated before", l->iccid, l->to);
	if (!in->dry)
		al_take(in, r, l);
	return 0;
}

/* ---- PL ---- */

static int plan_record(struct desk_out *out, const struct line *l)
{
	char from[8], to[8], kvn[8];

	snprintf(from, sizeof(from), "%u", l->from);
	snprintf(to, sizeof(to), "%u", l->to);
	snprintf(kvn, sizeof(kvn), "%u", l->kvn);
	return out_record(out, (const char *const[PLAN_VALUES]){ l->iccid, l->imsi, from, to, kvn, l->profile });
}

/* B may begin with what the plan says: also in the literal order, where nothing waits for it. */
int a_plan_decide(struct desk *d, struct desk_job *j)
{
	struct desk_out *out = NULL;
	int rc = 0;

	(void)d;
	for (unsigned i = 0; i < j->n && !rc; i++) {
		struct line *l = &j->line[i];

		if (a_gave_up(j, i))
			continue;
		if (j->order->o.kind == ORDER_3A && !j->also[i].row.version) {
			a_put(j, i, a_give_up(j, l, END_FAILED, "its K is not here to hand over: import it"));
			continue;
		}
		if (!out && !(out = out_open(j, XCHG_PL, j->order->o.b, NULL)))
			return -EIO;
		rc = plan_record(out, l);
		a_put(j, i, j->order->o.policy == POLICY_ESCROW ? A_ESCROW : A_STAGE);
	}
	return a_out_done(out, rc);
}
