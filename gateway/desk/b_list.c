/* b_list.c - the new operator: which card gets which IMSI (IL out), and the current operator's plan for it (PL in).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * An IMSI is promised once: its record in BOOK_IMSI is written in the batch that makes the IL durable, and is looked at before.
 * Where an operator gives no list of his own, IMSIs come from the pool in ascending order, MSISDNs in step with them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "b_int.h"
#include "once.h"

#define FID_ACC	      "6f78"
#define RECORD_VALUES 7
#define LIST_AGAIN    "its list of IMSIs was not through when we stopped"

static void list_drop(struct desk *d)
{
	b_list_free(d->b.list);
	d->b.list = NULL;
}

void desk_free_b(struct desk *d)
{
	list_drop(d);
	free(d->b.found);
}

/* ---- the operator orders an IL: from his own list, which is held against the order first, or from the pool ---- */

struct il_call {
	struct b_list *list;
	bool whole;
	size_t at, n; /* entries looked up before this round, and in it */
};

static int il_begin(struct desk *d, struct desk_call *c, const struct desk_open_order *o, struct il_call *il)
{
	int rc = 0;

	if (!c->r.file || !*c->r.file) {
		if (*d->cfg.pool.imsi_from)
			return 0;
		snprintf(c->text, sizeof(c->text),
			 "no pool is configured: give a list of ICCID,IMSI[,MSISDN], or configure one");
		return -EINVAL;
	}
	if (d->b.list && d->b.list_order != o->o.number) {
		snprintf(c->text, sizeof(c->text), "the list of another order is just being sent: try again");
		return -EBUSY;
	}
	il->list = b_list_open(c->r.file, c->text, &rc);
	return rc;
}

static int il_read(struct desk *d, struct desk_call *c, const struct desk_open_order *o, struct il_call *il)
{
	int rc = b_list_more(il->list, d->cfg.pool.plmns, c->text);

	if (rc)
		return rc;
	il->whole = true;
	if (b_list_n(il->list) == o->o.lines)
		return DESK_MORE;
	snprintf(c->text, sizeof(c->text),
		 "the list has %zu cards and order %s has %" PRIu64 ": a line for each is needed", b_list_n(il->list),
		 o->o.name, o->o.lines);
	return -EINVAL;
}

unsigned b_il_want(struct desk *d, struct desk_call *c, struct desk_open_order *o, char (*keys)[BOOK_KEY_MAX],
		   unsigned max)
{
	struct il_call *il = c->scratch;
	struct b_entry e;

	(void)d;
	if (!il || !il->whole)
		return 0;
	for (il->n = 0; il->n < max && il->at + il->n < b_list_n(il->list); il->n++) {
		b_list_at(il->list, il->at + il->n, &e);
		line_key(keys[il->n], o->o.number, e.iccid);
	}
	return (unsigned)il->n;
}

static int il_page(const struct desk_job *j, struct desk_call *c, struct il_call *il)
{
	for (unsigned i = 0; i < il->n; i++) {
		struct b_entry e;

		b_list_at(il->list, il->at + i, &e);
		if (j->row[i].row.version && (j->row[i].row.step == B_OPEN || !strcmp(j->line[i].imsi, e.imsi)))
			continue;
		snprintf(c->text, sizeof(c->text), "card %s %s", e.iccid,
			 j->row[i].row.version ? "has been given another IMSI before" : "is not in this order");
		return -EINVAL;
	}
	il->at += il->n;
	return il->at < b_list_n(il->list) ? DESK_MORE : 0;
}

int b_il_decide(struct desk *d, struct desk_job *j, struct desk_call *c)
{
	struct il_call *il = c->scratch;
	int rc = 0;

	if (!il) {
		il = c->scratch = calloc(1, sizeof(*il));
		rc = il ? il_begin(d, c, j->order, il) : -ENOMEM;
		if (rc || il->list)
			return rc ? rc : DESK_MORE;
	}
	if (il->list)
		rc = il->whole ? il_page(j, c, il) : il_read(d, c, j->order, il);
	if (rc)
		return rc;
	if (il->list) {
		list_drop(d);
		j->order->o.own_list = 1;
		job_order_put(j);
		d->b.list = il->list;
		d->b.list_order = j->order->o.number;
		il->list = NULL;
	}
	desk_kick(d, j->order->o.number, B_OPEN);
	snprintf(c->text, sizeof(c->text), "order %s: the list goes to %s", j->order->o.name, j->order->o.a);
	return 0;
}

void b_il_drop(struct desk_call *c)
{
	struct il_call *il = c->scratch;

	if (il)
		b_list_free(il->list);
	free(il);
}

/* ---- the pool ---- */

static uint64_t pool_size(const struct desk_pool *p)
{
	uint64_t from = strtoull(p->imsi_from, NULL, 10), to = strtoull(p->imsi_to, NULL, 10);

	return *p->imsi_from && to >= from ? to - from + 1 : 0;
}

static void pool_imsi(const struct desk_pool *p, uint64_t n, char imsi[IMSI_DIGITS_MAX + 1])
{
	snprintf(imsi, IMSI_DIGITS_MAX + 1, "%0*" PRIu64, (int)strlen(p->imsi_from),
		 (uint64_t)strtoull(p->imsi_from, NULL, 10) + n);
}

/* MSISDNs go in step with IMSIs, so that they need no books of their own. */
void b_pool_msisdn(const struct desk_pool *p, const char *imsi, char msisdn[MSISDN_DIGITS_MAX + 1])
{
	uint64_t n = strtoull(imsi, NULL, 10) - strtoull(p->imsi_from, NULL, 10);

	msisdn[0] = '\0';
	if (*p->msisdn_from)
		snprintf(msisdn, MSISDN_DIGITS_MAX + 1, "%0*" PRIu64, (int)strlen(p->msisdn_from),
			 (uint64_t)strtoull(p->msisdn_from, NULL, 10) + n);
}

/* The place in the pool that row i may get: one that was found free before, or the next. */
static uint64_t pool_place(const struct desk_b *b, unsigned i)
{
	return i < b->n_found ? b->found[i] : b->pool_next + i - b->n_found;
}

/* The record of the IMSI that row i may get: the list's, or the pool's. */
void b_list_also(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX])
{
	const struct desk_b *b = &j->d->b;
	const struct desk_pool *pool = &j->d->cfg.pool;
	struct b_entry e;

	key[0] = '\0';
	if (b->list && j->order->o.number == b->list_order) {
		if (b_list_find(b->list, j->line[i].iccid, &e))
			snprintf(key, BOOK_KEY_MAX, "%s", e.imsi);
	} else if (pool_place(b, i) < pool_size(pool)) {
		pool_imsi(pool, pool_place(b, i), key);
	}
}

static int64_t back_ms(const uint8_t body[8])
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | body[i];
	return (int64_t)v;
}

bool b_imsi_free(const struct store_book *b, int64_t now_ms)
{
	if (!b->row.version)
		return true;
	return b->row.step == IMSI_BACK && b->row.len == 8 && back_ms(b->body) + IMSI_REST_MS <= now_ms;
}

/* Not enough of them were free: the free ones are kept, and the search goes on.  0, or -ENOSPC at the end of the pool. */
static int pool_gather(struct desk *d, struct desk_job *j, const bool *free)
{
	struct desk_b *b = &d->b;
	const unsigned was = b->n_found, looked = j->n > was ? j->n - was : 0;
	unsigned n = 0;

	for (unsigned i = 0; i < j->n; i++) {
		uint64_t place = pool_place(b, i);

		if (free[i])
			b->found[n++] = place;
	}
	for (unsigned i = j->n; i < was; i++)
		b->found[n++] = b->found[i];
	b->n_found = n;
	b->pool_next += looked;
	if (n >= j->n || b->pool_next < pool_size(&d->cfg.pool))
		return 0;
	b->n_found = 0; /* the next search begins at the start: some may have come back */
	b->pool_next = 0;
	snprintf(j->why, sizeof(j->why),
		 "the pool %s to %s has not enough IMSIs left: configure a larger one, or give a list",
		 d->cfg.pool.imsi_from, d->cfg.pool.imsi_to);
	return -ENOSPC;
}

/* A page goes out full or it is the last one: what is free is gathered until each of its lines has one.  0: not yet. */
int b_pool_give(struct desk *d, struct desk_job *j)
{
	struct desk_b *b = &d->b;
	bool free[DESK_PAGE];
	unsigned n = 0;

	if (!b->found && !(b->found = calloc(DESK_PAGE, sizeof(*b->found))))
		return -ENOMEM;
	for (unsigned i = 0; i < j->n; i++) {
		free[i] = pool_place(b, i) < pool_size(&d->cfg.pool) && b_imsi_free(&j->also[i], d->now_ms);
		n += free[i];
	}
	if (n == j->n)
		return (int)n;
	return pool_gather(d, j, free);
}

/* They are given: the search goes on behind them. */
static void pool_given(struct desk_b *b, unsigned n)
{
	const unsigned of_found = n < b->n_found ? n : b->n_found;

	if (!n)
		return;
	memmove(b->found, b->found + of_found, (b->n_found - of_found) * sizeof(*b->found));
	b->n_found -= of_found;
	b->pool_next += n - of_found;
}

static int list_give(struct desk *d, struct desk_job *j)
{
	char key[BOOK_KEY_MAX];

	for (unsigned i = 0; i < j->n; i++) {
		b_list_also(j, i, key);
		if (!*key)
			snprintf(j->why, sizeof(j->why), "the list for order %s has no line for card %s",
				 j->order->o.name, j->line[i].iccid);
		else if (!b_imsi_free(&j->also[i], d->now_ms))
			snprintf(j->why, sizeof(j->why),
				 "the list for order %s gives card %s an IMSI that has been promised before, or that "
				 "came "
				 "back less than %lld days ago",
				 j->order->o.name, j->line[i].iccid, IMSI_REST_MS / 86400000);
		if (*j->why)
			return -EEXIST;
	}
	return (int)j->n;
}

/* ---- IL out ---- */

/* Files of the set for this IMSI: those of the configuration, and the access class, which goes with its last digit (TS 22.011, 4.2). */
void b_files_of(const struct desk_pool *p, const char *imsi, char *out, size_t cap)
{
	const char *acc = strstr(p->files, FID_ACC ":");
	unsigned class = 1u << (imsi[strlen(imsi) - 1] - '0');

	if (acc && (acc == p->files || acc[-1] == ';'))
		snprintf(out, cap, "%s", p->files);
	else
		snprintf(out, cap, "%s%s" FID_ACC ":%04x", p->files, *p->files ? ";" : "", class);
}

/* 3a: a random OPc per card, for B cannot compute one from a K that it does not know yet.  Kept sealed, sent wrapped. */
static int opc_make(struct desk *d, struct desk_job *j, struct desk_out *o, unsigned i, char hex[2 * KS_BLOCK_MAX + 1])
{
	struct ks_block block = { .has_opc = true };
	struct ks_wrap *wrap = out_wrap(o);
	uint8_t wrapped[KS_BLOCK_MAX];
	int n = wrap ? ks_opc_make(d->deps.ks, j->line[i].iccid, block.opc) : -1;

	if (n >= 0)
		n = ks_block_wrap(wrap, j->line[i].iccid, &block, wrapped);
	if (n < 0) {
		if (!*j->why)
			snprintf(j->why, sizeof(j->why), "no OPc for card %s: %s", j->line[i].iccid, ks_strerror(n));
		return -1;
	}
	b_hex(hex, wrapped, (size_t)n);
	job_put(j, BOOK_SET, j->row[i].row.key, j->line[i].order, 0, BOOK_ANY, block.opc, sizeof(block.opc));
	return 0;
}

static int il_line(struct desk *d, struct desk_job *j, struct desk_out *o, unsigned i)
{
	const struct desk_pool *pool = &d->cfg.pool;
	const struct desk_b *b = &d->b;
	const bool listed = b->list && b->list_order == j->order->o.number;
	struct line *l = &j->line[i];
	char files[sizeof(pool->files) + 16], trial[16] = "", hex[2 * KS_BLOCK_MAX + 1] = "";
	char key[BOOK_KEY_MAX];
	struct b_entry e;

	b_list_also(j, i, key);
	snprintf(l->imsi, sizeof(l->imsi), "%.15s", key);
	if (listed && b_list_find(b->list, l->iccid, &e))
		memcpy(l->msisdn, e.msisdn, sizeof(l->msisdn));
	else if (!listed)
		b_pool_msisdn(pool, l->imsi, l->msisdn);
	b_files_of(pool, l->imsi, files, sizeof(files));
	if (pool->trial_s)
		snprintf(trial, sizeof(trial), "%" PRIu32, pool->trial_s);
	if (j->order->o.kind == ORDER_3A && opc_make(d, j, o, i, hex))
		return -1;
	if (out_record(o, (const char *const[RECORD_VALUES]){ l->imsi, l->iccid, l->msisdn, pool->plmns, files, trial,
							      hex }))
		return -1;
	job_put(j, BOOK_IMSI, key, l->order, IMSI_GIVEN, j->also[i].row.version, NULL, 0);
	l->paired_ms = d->now_ms;
	job_line_put(j, i, B_LISTED);
	return 0;
}

int b_list_decide(struct desk *d, struct desk_job *j)
{
	const bool listed = d->b.list && d->b.list_order == j->order->o.number;
	struct desk_out *o;
	int n;

	d->b.given = 0;
	if (j->order->o.step == ORDER_CANCELLED || j->order->o.until_s == ORDER_OVER) {
		for (unsigned i = 0; i < j->n; i++) { /* A has nothing of ours to give back */
			if (j->order->o.until_s == ORDER_OVER)
				line_fail(&j->line[i], END_CANCELLED, B_OVER_WHY, j->order->o.a);
			b_close(j, i);
		}
		return 0;
	}
	if (!j->order->o.whole) /* pages go out full: not before all lines are there */
		return 0;
	if (!listed && j->order->o.own_list && j->order->o.paired && !*j->order->o.alarm) {
		job_alarm(j, LIST_AGAIN ": give the same list again");
	}
	if (!listed && (j->order->o.own_list || !pool_size(&d->cfg.pool))) /* an operator will order it */
		return 0;
	n = listed ? list_give(d, j) : b_pool_give(d, j);
	j->anew = !n; /* the next page does not go before this one: only the last one may be short */
	if (n <= 0)
		return n;
	o = out_open(j, XCHG_IL, j->order->o.a, NULL);
	for (unsigned i = 0; o && i < j->n; i++) {
		if (il_line(d, j, o, i)) {
			out_drop(o);
			return -EINVAL;
		}
	}
	if (!o || out_close(o))
		return -EIO;
	if (listed && !strncmp(j->order->o.alarm, LIST_AGAIN, sizeof(LIST_AGAIN) - 1))
		j->order->o.alarm[0] = '\0';
	d->b.given = listed ? 0 : j->n;
	desk_again(d, j->order->o.number, B_LISTED, j->order->o.until_s * 1000);
	j->order->o.paired += j->n;
	job_order_put(j);
	return 0;
}

void b_list_after(struct desk *d, struct desk_job *j)
{
	pool_given(&d->b, d->b.given);
	if (d->b.list && d->b.list_order == j->order->o.number && j->order->o.paired == j->order->o.lines)
		list_drop(d);
}

/* ---- PL in ---- */

void b_in_drop(struct desk_in *in)
{
	once_free(in->scratch);
	in->scratch = NULL;
}

int b_in_begin(struct desk_in *in, struct desk_no *no)
{
	b_in_drop(in);
	if (in->dry && !(in->scratch = once_new()))
		return desk_refuse(no, "memory", "no memory for %" PRIu64 " records: send it again", in->head->records);
	return 0;
}

int b_in_once(struct desk_in *in, const struct xchg_record *r, struct desk_no *no)
{
	return in->dry ? once_in(in, in->scratch, "card", xchg_value(r, "iccid"), no) : 0;
}

void b_line_key(struct desk_in *in, const struct xchg_record *r, char key[BOOK_KEY_MAX])
{
	line_key(key, in->order->o.number, xchg_value(r, "iccid"));
}

/* Cards with the application are of our work profile; another name must be that of a file of ours, for plain cards (3a). */
static bool profile_ok(const struct desk_in *in, const struct line *want)
{
	char path[sizeof(in->d->cfg.profile_dir) + PROFILE_NAME_MAX + 16];

	if (strchr(want->profile, '/') || strstr(want->profile, ".."))
		return false;
	if (in->order->o.kind == ORDER_3B || !in->dry || !strcmp(want->profile, in->d->cfg.work_profile))
		return true;
	snprintf(path, sizeof(path), "%s/%s.profile", in->d->cfg.profile_dir, want->profile);
	return !access(path, R_OK);
}

static int pl_fits(struct desk_in *in, const struct desk_rec *r, const struct line *want, struct desk_no *no)
{
	const bool keys = in->order->o.kind == ORDER_3B;
	const struct line *l = r->line;

	if (!l)
		return desk_refuse(no, "not-in-order", "record %" PRIu64 ": card %s is not in order %s", r->r->n + 1,
				   want->iccid, in->order->o.name);
	if (r->row->row.step < B_LISTED)
		return desk_refuse(no, "not-listed", "card %s: our IL has not given it an IMSI yet", want->iccid);
	if (strcmp(l->imsi, want->imsi))
		return desk_refuse(no, "other-imsi", "card %s: our IL gives it another IMSI than this plan does",
				   want->iccid);
	if (keys ? want->to <= want->from : want->to != want->from)
		return desk_refuse(no, "index", "card %s: from index %u to %u; %s", want->iccid, want->from, want->to,
				   keys ? "in 3b the next one is above" : "in 3a it stays");
	if (keys && want->kvn > 2)
		return desk_refuse(no, "kvn", "card %s: key version %u; in 3b a pair's keys are under 1 or 2",
				   want->iccid, want->kvn);
	if (!profile_ok(in, want))
		return desk_refuse(no, "profile",
				   "card %s: %.47s is neither our profile of cards with the subscription application "
				   "nor one of ours for plain cards",
				   want->iccid, want->profile);
	if (r->row->row.step > B_LISTED &&
	    (l->from != want->from || l->to != want->to || l->kvn != want->kvn || strcmp(l->profile, want->profile)))
		return desk_refuse(no, "planned", "card %s: has been planned before, and otherwise (index %u, now %u)",
				   want->iccid, l->to, want->to);
	return 0;
}

int b_pl_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no)
{
	struct line want = { .from = (uint16_t)xchg_number(r->r, "from"),
			     .to = (uint16_t)xchg_number(r->r, "to"),
			     .kvn = (uint8_t)xchg_number(r->r, "kvn") };

	snprintf(want.iccid, sizeof(want.iccid), "%s", xchg_value(r->r, "iccid"));
	snprintf(want.imsi, sizeof(want.imsi), "%s", xchg_value(r->r, "imsi"));
	snprintf(want.profile, sizeof(want.profile), "%.47s", xchg_value(r->r, "profile"));
	if (b_in_once(in, r->r, no) || pl_fits(in, r, &want, no))
		return -1;
	if (in->dry || r->row->row.step > B_LISTED)
		return 0;
	r->line->from = want.from;
	r->line->to = want.to;
	r->line->kvn = want.kvn;
	strcpy(r->line->profile, want.profile);
	if (in->order->o.kind == ORDER_3A && strcmp(want.profile, in->d->cfg.work_profile))
		r->line->flags |= LINE_PLAIN;
	r->line->pl_seq = in->head->seq;
	r->line->pl_n = r->r->n;
	job_line_put(in->job, r->i, in->order->o.kind == ORDER_3B ? B_PLANNED : B_ASKED);
	if (in->order->o.kind == ORDER_3A)
		desk_again(in->d, in->order->o.number, B_ASKED, in->order->o.until_s * 1000);
	return 0;
}
