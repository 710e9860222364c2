/* in.c - packages in: whose, in turn, judged whole, then taken bit by bit.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A file comes into dir/in under any name.  Signed by a partner for us it goes into dir/held under its own, and waits there for its turn: a
 * partner's packages are taken in the order of their numbers.  Pass 1 looks at every record and changes nothing; accepted, the package
 * has its number for good; pass 2 applies chunk after chunk, the cursor in the same batch, and with the last one the ACK goes out.  What is
 * refused takes its number too, is told to the sender with the rule, and stands in the books.  What was damaged on its way is
 * none of the sender's doing: it is put aside, and the sender, who hears nothing, sends it again.
 */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "in.h"

int desk_refuse(struct desk_no *no, const char *rule, const char *fmt, ...)
{
	va_list ap;

	snprintf(no->rule, sizeof(no->rule), "%s", rule);
	va_start(ap, fmt);
	vsnprintf(no->why, sizeof(no->why), fmt, ap);
	va_end(ap);
	return -1;
}

/* ---- the one under way ---- */

static void close_package(struct desk *d)
{
	struct desk_incoming *c = &d->e->incoming;

	if (c->begun && c->in.kind && c->in.kind->drop)
		c->in.kind->drop(&c->in);
	c->begun = false;
	ks_wrap_free(c->in.wrap);
	pkg_close(c->in.pkg);
	in_chunk_free(c);
	in_part_forget(c);
	c->in = (struct desk_in){ .d = d };
	c->phase = IN_NONE;
	c->cursor = c->version = c->replaces = c->again = c->skipped = c->no_record = 0;
	c->named = c->held = c->late = c->consumes = c->tell = c->stay = c->checked = c->refused = c->rejected = false;
	c->ack_acks = 0;
	c->rule[0] = 0;
	c->no = (struct desk_no){ 0 };
	c->fails = 0;
	c->due_ms = 0;
	c->file[0] = 0;
}

void in_drop(struct desk *d)
{
	struct desk_incoming *c = &d->e->incoming;

	if (c->phase != IN_NONE)
		close_package(d);
	free(d->e->parked);
}

/* Done with: its file goes to where such are kept. */
static void finish(struct desk *d, const char *folder)
{
	struct desk_incoming *c = &d->e->incoming;
	char to[600];

	if (!folder)
		unlink(c->path);
	else {
		if (c->held)
			out_path(d, folder, c->in.partner, c->in.parcel.seq, to);
		else
			snprintf(to, sizeof(to), "%.255s/%s/%.255s", d->cfg.dir, folder, c->file);
		if (rename(c->path, to))
			desk_log(d, 4, "%s: cannot be moved to %s: %s", c->path, to, strerror(errno));
	}
	if (c->held) {
		in_parked_drop(d, c->in.partner, c->in.parcel.seq);
		d->e->partner_look[c->in.partner] = true;
	}
	close_package(d);
}

void in_refuse(struct desk *d, bool consumes, bool tell)
{
	struct desk_incoming *c = &d->e->incoming;

	c->consumes = consumes;
	c->tell = tell;
	c->phase = IN_REFUSE;
}

/* ---- a file comes ---- */

/* Signed by whom it says?  False: it is refused, or done with. */
static bool authentic(struct desk *d, bool *late)
{
	struct desk_incoming *c = &d->e->incoming;
	char err[DESK_ERR_MAX] = "";
	int rc = pkg_open(&c->in.pkg, c->path, err, sizeof(err)), at;

	*late = false;
	if (rc) {
		desk_refuse(&c->no, "form", "%.190s", err);
		in_refuse(d, false, false);
		return false;
	}
	c->in.head = pkg_head(c->in.pkg);
	at = partner_index(d, c->in.head->from);
	if (at < 0) {
		desk_refuse(&c->no, "partner", "%s is no partner in the configuration", c->in.head->from);
		in_refuse(d, false, false);
		return false;
	}
	c->in.partner = (unsigned)at;
	rc = pkg_verify(c->in.pkg, d->cfg.partner[at].pinned, d->self, d->now_ms / 1000, err, sizeof(err));
	if (rc == PKG_E_TIME) {
		*late = true;
		desk_refuse(&c->no, "expired", "%.190s", err);
	} else if (rc) {
		desk_refuse(&c->no, rc == PKG_E_RECEIVER ? "receiver" : "signer", "%.190s", err);
		in_refuse(d, false, rc == PKG_E_RECEIVER);
		return false;
	}
	snprintf(c->in.parcel.type, sizeof(c->in.parcel.type), "%.7s", c->in.head->type);
	snprintf(c->in.parcel.order, sizeof(c->in.parcel.order), "%s", c->in.head->order);
	memcpy(c->in.parcel.id, c->in.head->id, PKG_ID_LEN);
	c->in.parcel.seq = c->in.head->seq;
	c->in.parcel.records = c->in.head->records;
	c->in.parcel.at_ms = d->now_ms;
	parcel_file(c->in.parcel.file, c->in.head->from, c->in.head->seq);
	return true;
}

static bool same_id(const char *path, const uint8_t id[PKG_ID_LEN])
{
	char err[DESK_ERR_MAX];
	struct pkg *p;
	bool same;

	if (pkg_open(&p, path, err, sizeof(err)))
		return false;
	same = !memcmp(pkg_head(p)->id, id, PKG_ID_LEN);
	pkg_close(p);
	return same;
}

/* Its turn comes later, or now: from dir/held in any case. */
static void hold(struct desk *d, bool late)
{
	struct desk_incoming *c = &d->e->incoming;
	char to[512];

	out_path(d, "held", c->in.partner, c->in.head->seq, to);
	if (!access(to, F_OK) && same_id(to, c->in.head->id)) {
		if (late || rename(c->path, to)) /* the same, perhaps good for longer */
			unlink(c->path);
	} else if (!access(to, F_OK)) {
		desk_refuse(&c->no, "sequence", "another package of %s has the number %" PRIu64 " already",
			    c->in.head->from, c->in.head->seq);
		in_refuse(d, false, true);
		return;
	} else if (rename(c->path, to)) {
		desk_alarm(d, c, "%s: cannot be moved to %s: %s", c->path, to, strerror(errno));
	}
	d->e->partner_look[c->in.partner] = true;
	close_package(d);
}

static void file_came(struct desk *d, const char *name)
{
	struct desk_incoming *c = &d->e->incoming;
	uint64_t in;
	bool late;

	close_package(d);
	snprintf(c->file, sizeof(c->file), "%s", name);
	snprintf(c->path, sizeof(c->path), "%.255s/in/%.250s", d->cfg.dir, name);
	if (access(c->path, F_OK) || !authentic(d, &late))
		return;
	in = d->e->seq[c->in.partner].in;
	if (c->in.head->seq <= in) {
		c->late = late;
		c->phase = IN_LOOK;
	} else if (c->in.head->seq > in + DESK_HELD_MAX) {
		desk_log(d, 4, "%s: number %" PRIu64 " of %s, and %" PRIu64 " is awaited: more than %d ahead, dropped",
			 name, c->in.head->seq, c->in.head->from, in + 1, DESK_HELD_MAX);
		in_ahead(d, c->in.partner, c->in.head->seq);
		unlink(c->path);
		close_package(d);
	} else {
		in_ahead(d, c->in.partner, c->in.head->seq);
		hold(d, late);
	}
}

/* One whose turn it is, or that was waiting for its order, or that a crash has cut off. */
static void held_comes(struct desk *d, unsigned partner, uint64_t seq)
{
	struct desk_incoming *c = &d->e->incoming;
	bool late;

	close_package(d);
	c->held = true;
	c->in.partner = partner;
	c->in.parcel.seq = seq;
	out_path(d, "held", partner, seq, c->path);
	if (!authentic(d, &late))
		return;
	c->late = late;
	c->phase = IN_LOOK;
}

/* ---- what do the books say of it? ---- */

static bool look_rows(struct desk *d, struct desk_run *r)
{
	struct desk_incoming *c = &d->e->incoming;

	r->j.n = 1;
	parcel_key(r->keys[0], c->in.head->from, c->in.head->seq);
	return run_keys(r, BOOK_IN, 1, &r->j.row[0]);
}

static bool look_also(struct desk *d, struct desk_run *r)
{
	struct desk_incoming *c = &d->e->incoming;

	memset(&r->j.also[0], 0, sizeof(r->j.also[0]));
	if (strlen(c->in.head->order) >= BOOK_KEY_MAX)
		return false;
	snprintf(r->keys[0], BOOK_KEY_MAX, "%.63s", c->in.head->order);
	return run_keys(r, BOOK_ORDER, 1, &r->j.also[0]);
}

/* Known already.  The same again changes nothing, and gets the same answer. */
static void look_known(struct desk *d, const struct store_book *row, const struct store_book *order)
{
	struct desk_incoming *c = &d->e->incoming;
	struct parcel was;

	if (parcel_unpack(&was, row->body, row->row.len) || memcmp(was.id, c->in.head->id, PKG_ID_LEN)) {
		desk_refuse(&c->no, "sequence",
			    "number %" PRIu64 " of %s was another package: a replay, or its state was "
			    "put back",
			    c->in.head->seq, c->in.head->from);
		in_refuse(d, false, true);
		return;
	}
	c->version = row->row.version;
	if (row->row.step == PARCEL_ACCEPTED && c->held) {
		c->in.parcel = was;
		c->phase = IN_APPLY;
	} else if (row->row.step == PARCEL_WAITS && c->held) {
		c->in.parcel = was;
		if (c->late)
			in_refuse(d, true, true);
		else
			in_judge(d, order);
	} else {
		bool open = row->row.step == PARCEL_ACCEPTED || row->row.step == PARCEL_WAITS;

		if (!open && was.ack)
			c->again = was.ack;
		c->phase = IN_DONE;
		c->folder = !c->held ? NULL : row->row.step == PARCEL_REFUSED ? "refused" : "done";
	}
}

static int look_decide(struct desk *d, struct desk_run *r)
{
	struct desk_incoming *c = &d->e->incoming;
	const struct store_book *row = &r->j.row[0];
	const struct book_row *order = &r->j.also[0].row;

	c->replaces = order->step == ORDER_REFUSED ? order->version : 0;
	c->named = order->version && !c->replaces;
	if (row->row.version) {
		look_known(d, row, &r->j.also[0]);
	} else if (c->in.head->seq <= d->e->seq[c->in.partner].in) {
		desk_refuse(&c->no, "sequence",
			    "number %" PRIu64 " of %s, and %" PRIu64 " is awaited: a replay, or its state "
			    "was put back",
			    c->in.head->seq, c->in.head->from, d->e->seq[c->in.partner].in + 1);
		in_refuse(d, false, true);
	} else if (c->late) {
		in_refuse(d, true, true);
	} else {
		in_judge(d, &r->j.also[0]);
	}
	return 0;
}

static void look_after(struct desk *d, struct desk_run *r)
{
	struct desk_incoming *c = &d->e->incoming;

	if (c->phase != IN_DONE)
		return;
	if (c->again) {
		out_carry(d, c->in.partner, c->again, true);
		out_carry(d, c->in.partner, c->again, false);
	}
	if (c->stay) {
		in_parked_add(d, c->in.partner, c->in.head->seq, c->in.head->order, false);
		close_package(d);
	} else {
		finish(d, c->folder);
	}
}

void in_failed(struct desk *d, struct desk_run *r, int rc)
{
	struct desk_incoming *c = &d->e->incoming;
	int64_t delay_ms = DESK_AGAIN_MS << (c->fails < 6 ? c->fails : 6);

	c->due_ms = d->now_ms + delay_ms;
	if (c->fails++)
		desk_alarm(d, c, "%s: %.200s", c->path, r->j.why[0] ? r->j.why : strerror(-rc));
}

static const struct desk_run_ops look_ops = { .name = "in-look",
					      .rows = look_rows,
					      .also = look_also,
					      .decide = look_decide,
					      .after = look_after,
					      .failed = in_failed,
					      .dry = true };

/* ---- refused ---- */

/* A swap order that is not taken for what it says: whoever has taken his is told so, when he sends something about it. */
static bool order_refused(const struct desk *d)
{
	const struct desk_incoming *c = &d->e->incoming;
	const struct xchg_schema *s = c->in.head ? xchg_schema(c->in.head->type) : NULL;

	return s && s->type == XCHG_SO && c->consumes && !c->late && !c->named && strcmp(c->no.rule, RULE_MEMORY) &&
	       d->cfg.partner[c->in.partner].roles & XCHG_S && in_order_name_ok(c->in.head->order) &&
	       !desk_order_by_name(d, c->in.head->order);
}

static void order_refuse(struct desk *d, struct desk_run *r)
{
	const struct desk_incoming *c = &d->e->incoming;
	const struct pkg_head *h = c->in.head;
	struct order o = { .step = ORDER_REFUSED,
			   .so_seq = h->seq,
			   .lines = h->records,
			   .created_ms = d->now_ms,
			   .ended_ms = d->now_ms,
			   .number = desk_number(h->from, h->order) };
	uint8_t body[BOOK_BODY_MAX];
	int len;

	snprintf(o.name, sizeof(o.name), "%s", h->order);
	snprintf(o.s, sizeof(o.s), "%s", h->from);
	memcpy(o.so, h->id, PKG_ID_LEN);
	snprintf(o.alarm, sizeof(o.alarm), "refused by rule %s: %.110s", c->no.rule, c->no.why);
	len = order_pack(&o, body);
	job_put(&r->j, BOOK_ORDER, o.name, 0, o.step, c->replaces, body, len < 0 ? 0 : (size_t)len);
}

static int refuse_decide(struct desk *d, struct desk_run *r)
{
	struct desk_incoming *c = &d->e->incoming;
	uint8_t body[BOOK_BODY_MAX];
	char key[BOOK_KEY_MAX], n[24] = "";
	int len;

	c->in.parcel.ended_ms = d->now_ms;
	snprintf(c->in.parcel.rule, sizeof(c->in.parcel.rule), "%s", c->no.rule);
	snprintf(c->in.parcel.why, sizeof(c->in.parcel.why), "%s", c->no.why);
	if (c->tell) {
		const char *value[] = { n, "rejected", c->no.rule };
		struct desk_out *o = out_open_for(&r->j, XCHG_ACK, c->in.partner, c->in.head->order, 0, c->in.head->id);

		if (c->no_record)
			snprintf(n, sizeof(n), "%" PRIu64, c->no_record);
		if (!o || out_record(o, value) || out_close(o))
			return -EIO;
		c->in.parcel.ack = o->parcel.seq;
	}
	if (c->consumes || c->version) {
		parcel_key(key, c->in.head->from, c->in.head->seq);
		if (!c->version)
			r->seq_in[c->in.partner] = c->in.head->seq;
	} else {
		snprintf(key, sizeof(key), "refused/%013" PRId64 "-%05u", d->now_ms, d->e->refused_n % 100000);
		c->in.parcel.at_ms = d->now_ms;
		snprintf(c->in.parcel.file, sizeof(c->in.parcel.file), "%.63s", c->file);
	}
	if (order_refused(d))
		order_refuse(d, r);
	len = parcel_pack(&c->in.parcel, body);
	job_put(&r->j, BOOK_IN, key, 0, PARCEL_REFUSED, c->consumes || c->version ? c->version : BOOK_ANY, body,
		len < 0 ? 0 : (size_t)len);
	return 0;
}

static void refuse_after(struct desk *d, struct desk_run *r)
{
	struct desk_incoming *c = &d->e->incoming;

	d->e->refused_n++;
	d->e->stats.refused++;
	if (order_refused(d)) /* what waits for it */
		in_order_known(d, c->in.head->order);
	desk_log(d, 4, "package %s %s of %s refused (%s): %s", c->in.head ? c->in.head->type : "",
		 c->held ? c->in.parcel.file : c->file, c->in.head ? c->in.head->from : "?", c->no.rule, c->no.why);
	finish(d, "refused");
}

static const struct desk_run_ops refuse_ops = {
	.name = "in-refuse", .decide = refuse_decide, .after = refuse_after, .failed = in_failed
};

/* ---- accepted: it has its number for good ---- */

static int accept_decide(struct desk *d, struct desk_run *r)
{
	struct desk_incoming *c = &d->e->incoming;
	uint8_t body[BOOK_BODY_MAX];
	char key[BOOK_KEY_MAX];
	int len;

	c->in.parcel.cursor = 0;
	len = parcel_pack(&c->in.parcel, body);
	parcel_key(key, c->in.head->from, c->in.head->seq);
	job_put(&r->j, BOOK_IN, key, c->in.order ? c->in.order->o.number : 0,
		c->phase == IN_WAIT ? PARCEL_WAITS : PARCEL_ACCEPTED, c->version, body, len < 0 ? 0 : (size_t)len);
	if (!c->version)
		r->seq_in[c->in.partner] = c->in.head->seq;
	return 0;
}

static void accept_after(struct desk *d, struct desk_run *r)
{
	struct desk_incoming *c = &d->e->incoming;

	c->version++;
	if (c->phase == IN_WAIT) {
		desk_log(d, 5, "%s %s of %s waits for order %s, which is not known here yet", c->in.head->type,
			 c->in.parcel.file, c->in.head->from, c->in.head->order);
		in_parked_add(d, c->in.partner, c->in.head->seq, c->in.head->order, false);
		d->e->partner_look[c->in.partner] = true;
		close_package(d);
		return;
	}
	desk_log(d, 6, "%s %s of %s accepted: %" PRIu64 " records", c->in.head->type, c->in.parcel.file,
		 c->in.head->from, c->in.head->records);
	c->fails = 0;
	c->phase = IN_APPLY;
}

static const struct desk_run_ops accept_ops = {
	.name = "in-accept", .decide = accept_decide, .after = accept_after, .failed = in_failed
};

/* ---- the ACK of one of ours ---- */

static int ack_line(void *ctx, uint64_t n, char *line, char *err, size_t err_cap)
{
	struct desk_incoming *c = ctx;
	struct xchg_record r;

	if (xchg_split(xchg_schema_of(XCHG_ACK), n, line, &r, err, err_cap))
		return -1;
	if (strcmp(xchg_value(&r, "result"), "rejected"))
		return 0;
	if (!*xchg_value(&r, "n") || c->in.head->records == 1)
		c->rejected = true;
	else
		c->skipped++;
	if (!c->rule[0])
		snprintf(c->rule, sizeof(c->rule), "%.31s", xchg_value(&r, "rule"));
	return 0;
}

static bool ack_rows(struct desk *d, struct desk_run *r)
{
	struct desk_incoming *c = &d->e->incoming;
	const struct unacked *about = unacked_by_id(d, c->in.partner, c->in.head->about);
	unsigned n = 0;

	for (unsigned i = 0; about && i < d->e->n_unacked && n < DESK_PAGE_CARDS - 1; i++) {
		const struct unacked *u = &d->e->unacked[i];

		if (u->partner == about->partner && u->ack && u->seq < about->seq)
			c->acked[n++] = u->seq;
	}
	if (about)
		c->acked[n++] = about->seq; /* the last */
	for (unsigned i = 0; i < n; i++)
		parcel_key(r->keys[i], c->in.head->from, c->acked[i]);
	r->j.n = c->ack_acks = n;
	return run_keys(r, BOOK_OUT, n, r->j.row);
}

/* Operators end an order by their lists; the vault's end is its own affair, but without it there is none. */
static bool ends_ours(const struct desk_incoming *c, const struct order *o)
{
	return !strcmp(c->in.head->from, o->side == SIDE_B ? o->a : o->b) ||
	       (o->side == SIDE_A && !strcmp(c->rule, RULE_REFUSED));
}

/* Told again to who has ended the order with it: nothing to look at. */
static bool known_there(const struct desk_incoming *c, const struct order *o, const struct parcel *p)
{
	return !strcmp(c->rule, RULE_ENDED) &&
	       ((o->side == SIDE_B && !strcmp(p->type, "CF")) || (o->side == SIDE_A && !strncmp(p->type, "HL", 2)));
}

static int ack_decide(struct desk *d, struct desk_run *r)
{
	struct desk_incoming *c = &d->e->incoming;
	struct desk_open_order *o = r->j.order;
	const unsigned last = r->j.n - 1;
	uint8_t body[BOOK_BODY_MAX];
	char key[BOOK_KEY_MAX];
	int len;

	for (unsigned i = 0; i < r->j.n; i++)
		out_put_acked(&r->j, &r->j.row[i], i == last && c->rejected ? PARCEL_REFUSED : PARCEL_ACKED,
			      i == last ? c->rule : "", i == last ? c->skipped : 0);
	if (o && r->j.n && (c->rejected || c->skipped)) {
		struct parcel p = { 0 };

		parcel_unpack(&p, r->j.row[last].body, r->j.row[last].row.len);
		/* all of our list came too late: nothing of it is known there */
		if (c->rejected && ends_ours(c, &o->o) &&
		    (!strcmp(c->rule, RULE_ENDED) || !strcmp(c->rule, RULE_REFUSED) ||
		     (!strcmp(c->rule, RULE_CANCELLED) && !strcmp(p.type, "IL") && p.records == o->o.lines)))
			o->o.until_s = ORDER_OVER;
		if (!c->rejected || !known_there(c, &o->o, &p))
			job_alarm(&r->j, "%s refused %s %" PRIu64 "%s by rule %s", c->in.head->from, p.type, p.seq,
				  c->rejected ? "" : " in part", c->rule);
	}
	c->in.parcel.cursor = c->in.parcel.records;
	c->in.parcel.ended_ms = d->now_ms;
	len = parcel_pack(&c->in.parcel, body);
	parcel_key(key, c->in.head->from, c->in.head->seq);
	job_put(&r->j, BOOK_IN, key, o ? o->o.number : 0, PARCEL_APPLIED, c->version, body, len < 0 ? 0 : (size_t)len);
	if (!c->version)
		r->seq_in[c->in.partner] = c->in.head->seq;
	return 0;
}

static void ack_after(struct desk *d, struct desk_run *r)
{
	struct desk_incoming *c = &d->e->incoming;

	for (unsigned i = 0; i < c->ack_acks; i++)
		unacked_drop(d, c->in.partner, c->acked[i]);
	d->e->stats.acks++;
	if (c->rejected && r->j.order)
		desk_kick(d, r->j.order->o.number, 0);
	if (c->rejected)
		desk_log(d, 4, "order %s: %s refused a package of ours by rule %s", c->in.head->order, c->in.head->from,
			 c->rule);
	finish(d, "done");
}

static const struct desk_run_ops ack_ops = {
	.name = "in-ack", .rows = ack_rows, .decide = ack_decide, .after = ack_after, .failed = in_failed
};

static bool ack_begin(struct desk *d)
{
	struct desk_incoming *c = &d->e->incoming;
	char err[DESK_ERR_MAX] = "";
	const struct unacked *u;

	c->rejected = false;
	c->skipped = 0;
	c->rule[0] = 0;
	if (pkg_read(c->in.pkg, d->deps.self, ack_line, c, err, sizeof(err))) {
		desk_refuse(&c->no, "body", "%.190s", err);
		in_refuse(d, false, false);
		return false;
	}
	u = unacked_by_id(d, c->in.partner, c->in.head->about);
	return run_begin(d, &ack_ops, u ? desk_order_number(d, u->order) : NULL);
}

/* ---- which is next ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Of what has been seen of dir/in the first ones by their names: a partner that is far ahead of us has its packages taken in their order. */
static void folder_first(struct desk_engine *e)
{
	qsort(e->in_name, e->in_names, sizeof(e->in_name[0]), by_text);
	if (e->in_names <= DESK_IN_MAX)
		return;
	e->in_names = DESK_IN_MAX;
	e->in_look = true; /* and again */
}

static void folder_list(struct desk *d)
{
	struct desk_engine *e = d->e;
	char path[300];
	struct dirent *en;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/in", d->cfg.dir);
	e->in_names = e->in_at = 0;
	e->in_look = false;
	dir = opendir(path);
	if (!dir)
		desk_alarm(d, &e->in_look, "%s: %s", path, strerror(errno));
	while (dir && (en = readdir(dir))) {
		if (en->d_name[0] == '.' || strlen(en->d_name) >= sizeof(e->in_name[0]))
			continue;
		if (e->in_names == 2 * DESK_IN_MAX)
			folder_first(e);
		strcpy(e->in_name[e->in_names++], en->d_name);
	}
	if (dir)
		closedir(dir);
	folder_first(e);
}

/* Of a partner's packages in dir/held the one whose turn it is. */
static bool partner_next(struct desk *d)
{
	for (unsigned p = 0; p < d->cfg.n_partners; p++) {
		char path[512];

		if (!d->e->partner_look[p])
			continue;
		d->e->partner_look[p] = false;
		out_path(d, "held", p, d->e->seq[p].in + 1, path);
		if (access(path, F_OK)) {
			in_ahead(d, p, 0);
			continue;
		}
		held_comes(d, p, d->e->seq[p].in + 1);
		return true;
	}
	return false;
}

static bool choose(struct desk *d)
{
	struct desk_engine *e = d->e;
	unsigned partner;
	uint64_t seq;

	if (in_parked_next(d, &partner, &seq)) {
		held_comes(d, partner, seq);
		return true;
	}
	if (partner_next(d))
		return true;
	if (e->in_at == e->in_names && e->in_look)
		folder_list(d);
	if (e->in_at == e->in_names)
		return false;
	file_came(d, e->in_name[e->in_at++]);
	return true;
}

bool in_next(struct desk *d)
{
	struct desk_incoming *c = &d->e->incoming;

	while (c->phase == IN_NONE)
		if (!choose(d))
			return false;
	if (d->now_ms < c->due_ms)
		return false;
	switch ((enum in_phase)c->phase) {
	case IN_NONE:
	case IN_DONE:
		break;
	case IN_LOOK:
		return run_begin(d, &look_ops, NULL);
	case IN_CHECK:
		return in_check_begin(d) && run_begin(d, &in_check_ops, c->in.order);
	case IN_REFUSE:
		return run_begin(d, &refuse_ops, NULL);
	case IN_WAIT:
	case IN_ACCEPT:
		return run_begin(d, &accept_ops, NULL);
	case IN_APPLY:
		return in_apply_begin(d) && run_begin(d, &in_apply_ops, c->in.order);
	case IN_ACK:
		return ack_begin(d);
	}
	return false;
}

void in_finish(struct desk *d, const char *folder)
{
	finish(d, folder);
}

int64_t in_due(const struct desk *d)
{
	const struct desk_engine *e = d->e;

	if (e->incoming.phase != IN_NONE)
		return e->incoming.due_ms;
	for (unsigned p = 0; p < d->cfg.n_partners; p++)
		if (e->partner_look[p])
			return 0;
	return e->in_look || e->in_at < e->in_names || in_parked_due(d) ? 0 : in_awaited_due(d);
}

int desk_take_file(struct desk *d, const char *name, char err[DESK_ERR_MAX])
{
	if (!*name || *name == '.' || strchr(name, '/') || strlen(name) >= sizeof(d->e->in_name[0])) {
		snprintf(err, DESK_ERR_MAX,
			 "a package's file must stand in %.200s/in, and be named without a directory", d->cfg.dir);
		return -EINVAL;
	}
	d->e->in_look = true;
	if (d->deps.wake)
		d->deps.wake(d->deps.wake_ctx);
	return 0;
}
