/* in_read.c - a package is judged by its manifest, then by its records (pass 1), then applied (pass 2), chunk by chunk.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "in.h"

#define BUCKETS 4096 /* for keys of a chunk: a power of two, a few times DESK_PAGE */

/* ---- the manifest ---- */

/* First record of a swap order: it says what we are in it. */
struct peek {
	const char *self;
	unsigned side;
};

static int peek_line(void *ctx, uint64_t n, char *line, char *err, size_t err_cap)
{
	static const struct {
		const char *column;
		unsigned side;
	} sides[] = { { "a", SIDE_A }, { "b", SIDE_B }, { "vault", SIDE_M } };
	struct peek *p = ctx;
	struct xchg_record r;

	if (n || xchg_split(xchg_schema_of(XCHG_SO), n, line, &r, err, err_cap))
		return -1;
	for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++)
		if (!strcmp(xchg_value(&r, sides[i].column), p->self))
			p->side = sides[i].side;
	return -1; /* enough */
}

static const struct desk_kind *kind_of(struct desk *d, enum xchg_type type, unsigned side)
{
	for (unsigned s = 0; s < SIDE_M; s++)
		for (const struct desk_kind *k = d->e->tables.kinds[s]; k && k->type != _XCHG_TYPES; k++)
			if (k->type == type && (!side || k->side & 1u << side))
				return k;
	return NULL;
}

static unsigned roles_in(const struct order *o, const char *name)
{
	return (strcmp(o->s, name) ? 0u : XCHG_S) | (strcmp(o->a, name) ? 0u : XCHG_A) |
	       (strcmp(o->b, name) ? 0u : XCHG_B) | (strcmp(o->m, name) ? 0u : XCHG_M);
}

static bool no(struct desk *d)
{
	in_refuse(d, true, true);
	return false;
}

/* Whether the two may exchange this about that order. */
static bool roles_fit(struct desk *d, const struct xchg_schema *s)
{
	struct desk_incoming *c = &d->e->incoming;
	const struct order *o = c->in.order ? &c->in.order->o : NULL;
	const char *from = c->in.head->from;
	unsigned theirs = d->cfg.partner[c->in.partner].roles & s->from;

	if (o)
		theirs &= roles_in(o, from);
	if (theirs && (!o || roles_in(o, d->self) & s->to))
		return true;
	desk_refuse(&c->no, "role", "%s may not send us a %s (%s)%s%s", from, s->name, s->what, o ? " in order " : "",
		    o ? o->name : "");
	return no(d);
}

bool in_order_name_ok(const char *name)
{
	return strlen(name) <= ORDER_NAME_MAX && !strchr(name, '/') && strcmp(name, DESK_NO_ORDER);
}

static bool order_name_fits(struct desk *d)
{
	struct desk_incoming *c = &d->e->incoming;

	if (in_order_name_ok(c->in.head->order))
		return true;
	desk_refuse(&c->no, "order-name", "an order's name has at most %d characters, no /, and is not %s",
		    ORDER_NAME_MAX, DESK_NO_ORDER);
	return no(d);
}

/* Damaged on its way, or by software: nobody is told, and the sender will send it again. */
static bool damaged(struct desk *d, const char *err)
{
	struct desk_incoming *c = &d->e->incoming;

	desk_refuse(&c->no, "body", "%.190s", err);
	in_refuse(d, false, false);
	return false;
}

static unsigned side_of(struct desk *d)
{
	struct desk_incoming *c = &d->e->incoming;
	struct peek p = { .self = d->self };
	char err[DESK_ERR_MAX];

	pkg_read_part(c->in.pkg, d->deps.self, 0, peek_line, &p, err, sizeof(err));
	return p.side;
}

static bool kind_choose(struct desk *d, const struct xchg_schema *s)
{
	struct desk_incoming *c = &d->e->incoming;
	unsigned side = c->in.order ? c->in.order->o.side : s->type == XCHG_SO ? side_of(d) : 0;

	c->in.kind = kind_of(d, s->type, side);
	if (!c->in.kind && s->type == XCHG_SO)
		c->in.kind = kind_of(d, s->type, 0); /* it will say what is wrong */
	if (c->in.kind)
		return true;
	desk_refuse(&c->no, "type", "a %s (%s) is nothing that we take in our role", s->name, s->what);
	return no(d);
}

void in_judge(struct desk *d, const struct store_book *order)
{
	struct desk_incoming *c = &d->e->incoming;
	const struct xchg_schema *s = xchg_schema(c->in.head->type);
	char err[DESK_ERR_MAX] = "";

	if (xchg_head_check(c->in.head, err, sizeof(err))) {
		desk_refuse(&c->no, "schema", "%.190s", err);
		no(d);
		return;
	}
	if (s->type == XCHG_ACK) {
		c->phase = IN_ACK;
		return;
	}
	c->in.order = desk_order_open(d, c->in.head->order);
	if (!kind_choose(d, s))
		return;
	if (c->in.kind->no_order) {
		c->in.order = NULL;
	} else if (c->in.kind->new_order) {
		if (c->in.order || c->named) {
			desk_refuse(&c->no, "order-known",
				    "there is an order %s already: a new one needs a name of its own",
				    c->in.head->order);
			no(d);
			return;
		}
		if (!order_name_fits(d))
			return;
	} else if (!c->in.order && order->row.version && order->row.step == ORDER_REFUSED) {
		desk_refuse(&c->no, RULE_REFUSED, "order %s was refused here: it is over", c->in.head->order);
		no(d);
		return;
	} else if (!c->in.order && order->row.version) {
		desk_refuse(&c->no, RULE_ENDED, "order %s has ended here", c->in.head->order);
		no(d);
		return;
	} else if (!c->in.order) {
		c->phase = c->version ? IN_DONE : IN_WAIT;
		c->stay = c->version != 0;
		return;
	}
	if (roles_fit(d, s))
		c->phase = IN_CHECK;
}

/* ---- parts and chunks ---- */

void in_part_forget(struct desk_incoming *c)
{
	c->part.have = false;
	if (c->part.cap > DESK_PAGE * 1024) {
		free(c->part.text);
		c->part.text = NULL;
		c->part.cap = 0;
	}
}

static int part_line(void *ctx, uint64_t n, char *line, char *err, size_t err_cap)
{
	struct in_part *p = ctx;
	size_t len = strlen(line) + 1;

	if (p->n == p->at_cap) {
		size_t cap = p->at_cap ? p->at_cap * 2 : 1024, *more = realloc(p->at, cap * sizeof(*more));

		if (!more)
			return -1;
		p->at = more;
		p->at_cap = cap;
	}
	if (p->len + len > p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 65536;
		char *more;

		while (cap < p->len + len)
			cap *= 2;
		more = realloc(p->text, cap);
		if (!more)
			return -1;
		p->text = more;
		p->cap = cap;
	}
	p->at[p->n++] = p->len;
	memcpy(p->text + p->len, line, len);
	p->len += len;
	return 0;
}

/* The part in which this record stands. */
static int part_load(struct desk *d, uint64_t record, char err[DESK_ERR_MAX])
{
	struct desk_incoming *c = &d->e->incoming;
	struct in_part *p = &c->part;
	uint64_t first = 0;
	unsigned part = 0, n;

	if (p->have && record >= p->first && record < p->first + p->n)
		return 0;
	while ((n = pkg_part_records(c->in.pkg, part)) && record >= first + n) {
		first += n;
		part++;
	}
	p->have = false;
	p->n = 0;
	p->len = 0;
	p->part = part;
	p->first = first;
	if (pkg_read_part(c->in.pkg, d->deps.self, part, part_line, p, err, DESK_ERR_MAX))
		return -1;
	p->have = true;
	return 0;
}

void in_chunk_free(struct desk_incoming *c)
{
	for (unsigned i = 0; i < c->n; i++)
		free(c->copy[i]);
	c->n = 0;
}

/* Whether a record of this chunk is about the same as this one: then that is for the next chunk. */
static bool key_twice(uint16_t bucket[BUCKETS], char (*keys)[BOOK_KEY_MAX], unsigned i)
{
	uint32_t h = 2166136261u;

	if (!keys[i][0])
		return false;
	for (const char *p = keys[i]; *p; p++)
		h = (h ^ (uint8_t)*p) * 16777619u;
	for (h %= BUCKETS; bucket[h]; h = (h + 1) % BUCKETS)
		if (!strcmp(keys[bucket[h] - 1], keys[i]))
			return true;
	bucket[h] = (uint16_t)(i + 1);
	return false;
}

/* Records from `from` on.  0; -1: err; 1: a record is none, c->no says which. */
static int chunk_load(struct desk *d, uint64_t from, char err[DESK_ERR_MAX])
{
	struct desk_incoming *c = &d->e->incoming;
	struct desk_run *r = &d->e->run;
	const struct xchg_schema *s = xchg_schema_of(c->in.kind->type);
	unsigned most = c->in.kind->cards ? DESK_PAGE_CARDS : DESK_PAGE;
	uint16_t bucket[BUCKETS] = { 0 };

	in_chunk_free(c);
	if (from >= c->in.head->records)
		return 0;
	if (part_load(d, from, err))
		return -1;
	for (uint64_t n = from; n < c->part.first + c->part.n && c->n < most; n++) {
		const unsigned i = c->n;
		char *text = c->part.text + c->part.at[n - c->part.first];

		c->copy[i] = strdup(text);
		if (!c->copy[i]) {
			snprintf(err, DESK_ERR_MAX, "out of memory");
			return -1;
		}
		c->n++;
		if (xchg_split(s, n, c->copy[i], &c->split[i], err, DESK_ERR_MAX)) {
			c->no_record = n + 1;
			desk_refuse(&c->no, "record", "%.190s", err);
			return 1;
		}
		r->keys[i][0] = 0;
		if (c->in.kind->book)
			c->in.kind->key(&c->in, &c->split[i], r->keys[i]);
		if (key_twice(bucket, r->keys, i)) {
			free(c->copy[i]);
			c->n--;
			break;
		}
		c->rec[i] = (struct desk_rec){ .r = &c->split[i], .text = text, .i = i };
		if (r->keys[i][0])
			memcpy(r->tag[i], r->keys[i], BOOK_KEY_MAX);
		else
			snprintf(r->tag[i], BOOK_KEY_MAX, "record %" PRIu64, n);
	}
	return 0;
}

static bool chunk_rows(struct desk *d, struct desk_run *r)
{
	struct desk_incoming *c = &d->e->incoming;

	r->j.n = c->n;
	memset(r->j.row, 0, c->n * sizeof(*r->j.row));
	for (unsigned i = 0; c->in.kind->book && i < c->n; i++)
		memcpy(r->keys[i], r->tag[i], BOOK_KEY_MAX);
	return c->in.kind->book && run_keys(r, (enum book)c->in.kind->book, c->n, r->j.row);
}

static bool chunk_also(struct desk *d, struct desk_run *r)
{
	struct desk_incoming *c = &d->e->incoming;

	memset(r->j.also, 0, c->n * sizeof(*r->j.also));
	for (unsigned i = 0; c->in.kind->also && i < c->n; i++) {
		r->keys[i][0] = 0;
		c->in.kind->also_key(&c->in, &c->split[i], r->keys[i]);
	}
	return c->in.kind->also && run_keys(r, (enum book)c->in.kind->also, c->n, r->j.also);
}

static const char *chunk_card(struct desk *d, struct desk_run *r, unsigned i)
{
	struct desk_incoming *c = &d->e->incoming;

	return c->in.kind->cards ? xchg_value(&c->split[i], "iccid") : NULL;
}

static void chunk_ready(struct desk *d, struct desk_run *r)
{
	struct desk_incoming *c = &d->e->incoming;

	c->in.job = &r->j;
	for (unsigned i = 0; i < c->n; i++) {
		struct desk_rec *rec = &c->rec[i];

		rec->row = &r->j.row[i];
		rec->also = &r->j.also[i];
		rec->card = c->in.kind->cards ? &r->j.card[i] : NULL;
		memset(&r->j.line[i], 0, sizeof(r->j.line[i]));
		rec->line = NULL;
		if (c->in.kind->book == BOOK_LINE && rec->row->row.version &&
		    !line_unpack(&r->j.line[i], rec->row->body, rec->row->row.len))
			rec->line = &r->j.line[i];
	}
}

static void pass_over(struct desk_incoming *c)
{
	if (c->begun && c->in.kind->drop)
		c->in.kind->drop(&c->in);
	c->begun = false;
}

static int pass_begin(struct desk_incoming *c)
{
	if (c->begun)
		return 0;
	c->begun = true; /* whatever it says: drop() follows */
	return c->in.kind->begin ? c->in.kind->begin(&c->in, &c->no) : 0;
}

static bool wrap_open(struct desk *d)
{
	struct desk_incoming *c = &d->e->incoming;
	char err[DESK_ERR_MAX] = "";

	if (!c->in.head->keys || c->in.wrap)
		return true;
	c->in.wrap = pkg_unwrap(c->in.pkg, d->deps.self, err, sizeof(err));
	return c->in.wrap || damaged(d, err);
}

/* ---- pass 1 ---- */

bool in_check_begin(struct desk *d)
{
	struct desk_incoming *c = &d->e->incoming;
	char err[DESK_ERR_MAX] = "";
	int rc;

	c->in.d = d;
	c->in.dry = true;
	if (!c->checked) {
		if (pkg_read(c->in.pkg, d->deps.self, NULL, NULL, err, sizeof(err)))
			return damaged(d, err);
		c->checked = true;
	}
	if (!wrap_open(d))
		return false;
	rc = chunk_load(d, c->cursor, err);
	if (rc < 0) {
		desk_alarm(d, c, "%s: %.200s", c->path, err);
		c->due_ms = d->now_ms + DESK_AGAIN_MS;
	} else if (rc) {
		no(d);
	}
	return rc == 0;
}

static int check_decide(struct desk *d, struct desk_run *r)
{
	struct desk_incoming *c = &d->e->incoming;

	chunk_ready(d, r);
	c->no_record = 0;
	c->refused = pass_begin(c) != 0;
	for (unsigned i = 0; i < c->n && !c->refused; i++) {
		c->refused = c->in.kind->one && c->in.kind->one(&c->in, &c->rec[i], &c->no);
		if (c->refused)
			c->no_record = c->split[i].n + 1;
	}
	if (!c->refused && c->cursor + c->n >= c->in.head->records && c->in.kind->end)
		c->refused = c->in.kind->end(&c->in, &c->no) != 0;
	return 0;
}

static void check_after(struct desk *d, struct desk_run *r)
{
	struct desk_incoming *c = &d->e->incoming;

	c->cursor += c->n;
	c->fails = 0;
	if (c->refused) {
		pass_over(c);
		no(d);
	} else if (c->cursor >= c->in.head->records) {
		pass_over(c);
		c->phase = IN_ACCEPT;
	}
}

const struct desk_run_ops in_check_ops = { .name = "in-check",
					   .rows = chunk_rows,
					   .also = chunk_also,
					   .card = chunk_card,
					   .decide = check_decide,
					   .after = check_after,
					   .failed = in_failed,
					   .dry = true };

/* ---- pass 2 ---- */

/* Its order has ended meanwhile. */
static bool ownerless(const struct desk_incoming *c)
{
	return !c->in.kind->new_order && !c->in.kind->no_order && !c->in.order;
}

bool in_apply_begin(struct desk *d)
{
	struct desk_incoming *c = &d->e->incoming;
	const struct xchg_schema *s = xchg_schema(c->in.head->type);
	char err[DESK_ERR_MAX] = "";

	c->in.d = d;
	c->in.dry = false;
	c->in.order = c->in.kind && c->in.kind->no_order ? NULL : desk_order_open(d, c->in.head->order);
	if (!c->in.kind) { /* goes on after a start; it was accepted in time */
		if (pkg_verify(c->in.pkg, d->cfg.partner[c->in.partner].pinned, d->self, c->in.head->created_s, err,
			       sizeof(err)) ||
		    !s || !kind_choose(d, s)) {
			desk_alarm(d, c, "%s: was accepted and cannot be applied: %.160s", c->path, err);
			c->due_ms = d->now_ms + DESK_AGAIN_MAX_MS;
			c->phase = IN_APPLY;
			return false;
		}
	}
	if (ownerless(c)) { /* its order has ended meanwhile: nothing is left to do */
		in_chunk_free(c);
		c->in.parcel.cursor = c->in.head->records;
		return true;
	}
	if (!wrap_open(d) || chunk_load(d, c->in.parcel.cursor, err)) {
		desk_alarm(d, c, "%s: was accepted and cannot be applied: %.160s", c->path, err);
		c->due_ms = d->now_ms + DESK_AGAIN_MAX_MS;
		c->phase = IN_APPLY;
		return false;
	}
	return true;
}

static void skip(struct desk *d, uint64_t n)
{
	struct desk_incoming *c = &d->e->incoming;
	uint64_t at = c->skipped + c->skipped_now;

	desk_log(d, 4, "%s of %s: record %" PRIu64 " is left out (%s): %s", c->in.parcel.file, c->in.head->from, n + 1,
		 c->no.rule, c->no.why);
	if (at < IN_SKIPPED_MAX) {
		c->skip[at].n = n + 1;
		memcpy(c->skip[at].rule, c->no.rule, sizeof(c->skip[at].rule));
	}
	if (!c->in.parcel.rule[0])
		memcpy(c->in.parcel.rule, c->no.rule, sizeof(c->in.parcel.rule));
	c->skipped_now++;
}

/* accepted, and what was left out. */
static int ack_out(struct desk *d, struct desk_run *r)
{
	struct desk_incoming *c = &d->e->incoming;
	const char *yes[] = { "", "accepted", "" };
	struct desk_out *o = out_open_for(&r->j, XCHG_ACK, c->in.partner, c->in.head->order,
					  r->j.order ? r->j.order->o.number : 0, c->in.head->id);

	if (!o || out_record(o, yes))
		return -EIO;
	for (uint64_t i = 0; i < c->skipped + c->skipped_now && i < IN_SKIPPED_MAX; i++) {
		char n[24];
		const char *left_out[] = { n, "rejected", c->skip[i].rule };

		snprintf(n, sizeof(n), "%" PRIu64, c->skip[i].n);
		if (out_record(o, left_out))
			return -EIO;
	}
	if (out_close(o))
		return -EIO;
	c->in.parcel.ack = o->parcel.seq;
	c->in.parcel.ended_ms = d->now_ms;
	return 0;
}

static int apply_decide(struct desk *d, struct desk_run *r)
{
	struct desk_incoming *c = &d->e->incoming;
	const struct parcel was = c->in.parcel;
	const bool last = was.cursor + c->n >= c->in.head->records;
	const bool nothing = ownerless(c);
	uint8_t body[BOOK_BODY_MAX];
	char key[BOOK_KEY_MAX];
	int len, rc = 0;

	if (r->reruns)
		pass_over(c); /* decided before, and nothing came of it */
	chunk_ready(d, r);
	c->skipped_now = 0;
	if (!nothing && pass_begin(c)) {
		snprintf(r->j.why, sizeof(r->j.why), "%s: %s", c->no.rule, c->no.why);
		return -EAGAIN;
	}
	for (unsigned i = 0; i < c->n; i++)
		if (c->in.kind->one && c->in.kind->one(&c->in, &c->rec[i], &c->no))
			skip(d, c->split[i].n);
	if (last && !nothing && c->in.kind->end && c->in.kind->end(&c->in, &c->no))
		desk_log(d, 4, "%s of %s: %s: %s", c->in.parcel.file, c->in.head->from, c->no.rule, c->no.why);
	if (last)
		rc = ack_out(d, r);
	c->in.parcel.cursor += c->n;
	c->in.parcel.skipped += c->skipped_now;
	len = parcel_pack(&c->in.parcel, body);
	parcel_key(key, c->in.head->from, c->in.head->seq);
	job_put(&r->j, BOOK_IN, key, r->j.order ? r->j.order->o.number : 0, last ? PARCEL_APPLIED : PARCEL_ACCEPTED,
		c->version, body, len < 0 ? 0 : (size_t)len);
	c->in.parcel = was; /* until it is durable */
	return rc;
}

static void apply_after(struct desk *d, struct desk_run *r)
{
	struct desk_incoming *c = &d->e->incoming;

	c->version++;
	c->in.parcel.cursor += c->n;
	c->in.parcel.skipped += c->skipped_now;
	c->skipped += c->skipped_now;
	c->fails = 0;
	if (c->in.parcel.cursor < c->in.head->records)
		return;
	d->e->stats.packages_in++;
	desk_log(d, 6, "%s %s of %s applied: %" PRIu64 " records, %" PRIu64 " left out", c->in.head->type,
		 c->in.parcel.file, c->in.head->from, c->in.parcel.records, c->in.parcel.skipped);
	in_finish(d, "done");
}

static void apply_failed(struct desk *d, struct desk_run *r, int rc)
{
	pass_over(&d->e->incoming);
	in_failed(d, r, rc);
}

const struct desk_run_ops in_apply_ops = { .name = "in-apply",
					   .rows = chunk_rows,
					   .also = chunk_also,
					   .card = chunk_card,
					   .decide = apply_decide,
					   .after = apply_after,
					   .failed = apply_failed };
