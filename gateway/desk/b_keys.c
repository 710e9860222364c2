/* b_keys.c - the new operator: the keys of the index that a card goes to, from the vault (KR, KP) or from the current operator (HL3a).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A request for keys carries its own proof: the swap order and the plan as their senders signed them, and for each card the record
 * of the plan with its path to the signed root, so that the vault sees no other record of the plan.
 *
 * Keys stay sealed: what comes wrapped for our keystore is unwrapped there and sealed again for our books.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "b_int.h"

#define HEX_LEAF (2 * PKG_RECORD_MAX + 1)
#define HEX_PATH (2 * PKG_PATH_MAX * PKG_HASH_LEN + 1)

void b_hex(char *out, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sprintf(out + 2 * i, "%02x", p[i]);
	out[2 * len] = '\0';
}

void b_sub_key(const struct line *l, char key[BOOK_KEY_MAX])
{
	snprintf(key, BOOK_KEY_MAX, "%s/%05u", l->iccid, l->to);
}

/* ---- KR out ---- */

/* The plan read again: its tree, and the records that are asked for. */
struct plan {
	struct pkg_tree *tree;
	const struct desk_job *j;
	unsigned n; /* rows of the job that are of this plan, in its order, and their records */
	struct place {
		uint64_t n; /* in the plan */
		unsigned row;
		char *leaf;
	} of[DESK_PAGE];
	unsigned found; /* so many of them so far */
};

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->n < y->n ? -1 : x->n > y->n;
}

static int plan_take(void *ctx, uint64_t n, char *line, char *err, size_t err_cap)
{
	struct plan *p = ctx;

	bool ok = true;

	if (p->found < p->n && p->of[p->found].n == n)
		ok = (p->of[p->found++].leaf = strdup(line)) != NULL;
	if (ok && !pkg_tree_add(p->tree, line))
		return 0;
	snprintf(err, err_cap, "no memory");
	return -1;
}

static void plan_free(struct plan *p)
{
	pkg_tree_free(p->tree);
	for (unsigned k = 0; k < p->n; k++)
		free(p->of[k].leaf);
	free(p);
}

/* It was verified when it came in; whether it has expired since says nothing of what it says. */
static struct pkg *again(struct desk *d, const char *partner, uint64_t seq, char err[DESK_ERR_MAX])
{
	const struct desk_partner *from = desk_partner_by_name(d, partner);
	struct pkg *p = from ? desk_parcel_open(d, partner, seq, false, err) : NULL;

	if (!from)
		snprintf(err, DESK_ERR_MAX, "%s is no partner any more", partner);
	if (p && pkg_verify(p, from->pinned, pkg_self_name(d->deps.self), pkg_head(p)->created_s, err, DESK_ERR_MAX)) {
		pkg_close(p);
		return NULL;
	}
	return p;
}

static int attach(struct desk_out *o, const struct pkg *p)
{
	size_t len;
	const uint8_t *der = pkg_signed(p, &len);

	return out_attach(o, der, len);
}

static int ask_record(struct desk_job *j, struct desk_out *o, struct plan *p, unsigned k)
{
	const struct line *l = &j->line[p->of[k].row];
	const char *text = p->of[k].leaf;
	char index[8], n[24], leaf[HEX_LEAF], path[HEX_PATH];
	uint8_t hash[PKG_PATH_MAX][PKG_HASH_LEN];
	unsigned len;

	if (!text || pkg_tree_path(p->tree, l->pl_n, hash, &len)) {
		snprintf(j->why, sizeof(j->why), "card %s: its record %" PRIu64 " is not in plan %" PRIu64 " of %s",
			 l->iccid, l->pl_n, l->pl_seq, j->order->o.a);
		return -1;
	}
	snprintf(index, sizeof(index), "%u", l->to);
	snprintf(n, sizeof(n), "%" PRIu64, l->pl_n);
	b_hex(leaf, (const uint8_t *)text, strlen(text));
	b_hex(path, hash[0], len * PKG_HASH_LEN);
	return out_record(o, (const char *const[]){ l->iccid, l->imsi, index, n, leaf, path });
}

static int ask_write(struct desk *d, struct desk_job *j, struct plan *p, struct pkg *pl)
{
	struct pkg *so = again(d, j->order->o.s, j->order->o.so_seq, j->why);
	struct desk_out *o = NULL;
	int rc = -1;

	if (so && !pkg_read(pl, d->deps.self, plan_take, p, j->why, sizeof(j->why)) &&
	    (o = out_open(j, XCHG_KR, j->order->o.m, NULL)))
		rc = attach(o, so) ? -1 : attach(o, pl);
	for (unsigned k = 0; !rc && k < p->n; k++)
		rc = ask_record(j, o, p, k);
	if (o && rc)
		out_drop(o);
	else if (o)
		rc = out_close(o);
	pkg_close(so);
	return rc;
}

int b_ask_decide(struct desk *d, struct desk_job *j)
{
	struct plan *p = calloc(1, sizeof(*p));
	struct pkg *pl = NULL;
	int rc = -1;

	if (!p || !(p->tree = pkg_tree_new())) {
		free(p);
		return -ENOMEM;
	}
	p->j = j;
	for (unsigned i = 0; i < j->n; i++) /* one plan at a time: a request refers to one */
		if (j->line[i].pl_seq == j->line[0].pl_seq)
			p->of[p->n++] = (struct place){ .n = j->line[i].pl_n, .row = i };
	qsort(p->of, p->n, sizeof(p->of[0]), by_place);
	pl = again(d, j->order->o.a, j->line[0].pl_seq, j->why);
	if (pl)
		rc = ask_write(d, j, p, pl);
	for (unsigned k = 0; !rc && k < p->n; k++)
		job_line_put(j, p->of[k].row, B_ASKED);
	if (!rc)
		desk_again(d, j->order->o.number, B_ASKED, j->order->o.until_s * 1000);
	if (!rc && p->n < j->n)
		desk_kick(d, j->order->o.number, B_PLANNED);
	pkg_close(pl);
	plan_free(p);
	return rc ? -EIO : 0;
}

/* ---- what comes wrapped ---- */

int b_block_take(struct desk_in *in, const struct desk_rec *r, struct ks_block *out, struct desk_no *no)
{
	uint8_t block[KS_BLOCK_MAX];
	const size_t len = xchg_hex(r->r, "keys", block, sizeof(block));
	int rc = in->wrap ? ks_block_unwrap(in->wrap, r->line->iccid, block, len, out) : KS_E_SEALED;

	if (rc)
		return desk_refuse(no, "keys", "card %s: its keys do not open: %s", r->line->iccid, ks_strerror(rc));
	return 0;
}

/* The card as it will be at us.  It is not ours to command before it has been seen here: nothing is planned for it until then. */
int b_card_take(struct desk_in *in, struct desk_rec *r, const struct ks_block *block, uint64_t cntr, struct desk_no *no)
{
	struct store_card_insert c = { .card = { .created_ms = in->d->now_ms, .tz_min = CARD_TZ_KEEP } };
	const struct line *l = r->line;

	snprintf(c.card.iccid, sizeof(c.card.iccid), "%s", l->iccid);
	snprintf(c.card.imsi, sizeof(c.card.imsi), "%s", l->imsi);
	snprintf(c.card.msisdn, sizeof(c.card.msisdn), "%s", b_msisdn(l));
	snprintf(c.card.profile, sizeof(c.card.profile), "%s", l->profile);
	for (unsigned i = 0; i < block->sets; i++) {
		struct keyset_row *k = &c.keyset[c.n_keysets++];
		struct ks_keyset_spec spec;

		if (block->set[i].kvn != l->kvn || ks_sealed_spec(block->set[i].sealed, block->set[i].len, &spec))
			return desk_refuse(no, "keys", "card %s: keys under version %u came, the plan says %u",
					   l->iccid, block->set[i].kvn, l->kvn);
		*k = (struct keyset_row){
			.kvn = spec.kvn,
			.kic_alg = (uint8_t)spec.kic_alg,
			.kid_alg = (uint8_t)spec.kid_alg,
			.cc_len = spec.cc_len,
			/* a pair keeps its keys for ever; in 3a the store knows whether they are new */
			.generation = in->order->o.kind == ORDER_3B ? l->to : 0,
			.cntr = cntr,
			.epoch = in->d->cfg.epoch,
			.sealed_len = (uint16_t)block->set[i].len
		};
		memcpy(k->sealed, block->set[i].sealed, block->set[i].len);
	}
	if (!in->dry)
		job_op(in->job, r->i, ST_CARD_TAKE, &c, NULL, 0);
	return 0;
}

void b_sub_put(struct desk_in *in, const struct desk_rec *r, const uint8_t sub[KS_SUB_LEN])
{
	char key[BOOK_KEY_MAX];

	b_sub_key(r->line, key);
	job_put(in->job, BOOK_SUB, key, r->line->order, 0, BOOK_ANY, sub, KS_SUB_LEN);
}

/* The store would not have the card, another one has its numbers: not ready here, so it is not armed there. */
bool b_not_taken(struct desk_in *in, struct desk_rec *r)
{
	const int rc = in->dry ? 0 : job_refused(in->job, r->i);

	if (!rc)
		return false;
	r->line->flags |= LINE_REFUSED;
	line_fail(r->line, END_FAILED, "cannot be taken over: %.60s", store_strerror(rc));
	desk_log(in->d, LOG_ERR, "order %s: card %s %s", in->order->o.name, r->line->iccid, r->line->why);
	b_tell_soon(in->job, r->i, B_TELL_READY);
	return true;
}

int b_alg_ok(struct desk_in *in, const struct desk_rec *r, const uint8_t sub[KS_SUB_LEN], struct desk_no *no)
{
	struct ks_sub_spec spec;

	if (ks_sub_spec(in->d->deps.ks, r->line->iccid, sub, KS_SUB_LEN, &spec) || spec.aka == KS_AKA_MILENAGE)
		return 0; /* what does not open is refused elsewhere */
	return desk_refuse(no, "algorithm",
			   "card %s: K of index %u is for algorithm %02x; our HLR is given Milenage (%02x) alone",
			   r->line->iccid, spec.index, spec.aka, KS_AKA_MILENAGE);
}

/* ---- KP in ---- */

static int kp_fits(const struct desk_rec *r, struct desk_no *no)
{
	const struct line *l = r->line;

	if (!l)
		return desk_refuse(no, "not-in-order", "card %s is not in this order", xchg_value(r->r, "iccid"));
	if (r->row->row.step < B_PLANNED)
		return desk_refuse(no, "not-asked", "card %s: its keys have not been asked for", l->iccid);
	if (xchg_number(r->r, "index") != l->to || xchg_number(r->r, "kvn") != l->kvn)
		return desk_refuse(no, "index",
				   "card %s: keys of index %s under key version %s came; %u under %u were asked for",
				   l->iccid, xchg_value(r->r, "index"), xchg_value(r->r, "kvn"), l->to, l->kvn);
	return 0;
}

int b_kp_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no)
{
	struct ks_block block;
	struct ks_sub_spec spec;
	int rc = 0;

	if (b_in_once(in, r->r, no) || kp_fits(r, no))
		return -1;
	/* has them, or has ended meanwhile; what comes before we ask was asked for before our books were put back */
	if (r->row->row.step > B_ASKED || b_not_taken(in, r))
		return 0;
	if (b_block_take(in, r, &block, no))
		return -1;
	if (!block.has_sub || block.sets != 1 ||
	    ks_sub_spec(in->d->deps.ks, r->line->iccid, block.sub, sizeof(block.sub), &spec) ||
	    spec.index != r->line->to)
		rc = desk_refuse(no, "keys", "card %s: a pair is K and OPc of index %u, and one keyset", r->line->iccid,
				 r->line->to);
	if (!rc)
		rc = b_alg_ok(in, r, block.sub, no);
	if (!rc)
		rc = b_card_take(in, r, &block, 0, no);
	if (!rc && !in->dry) {
		b_sub_put(in, r, block.sub);
		r->line->flags |= LINE_PROVISIONAL;
		job_line_put(in->job, r->i, B_KEYED);
	}
	ks_wipe(&block, sizeof(block));
	return rc;
}
