/* job.c - the one job: read, decide, commit, after.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Whatever the job is about, it goes the same way; struct desk_run_ops says what it reads and decides.  A batch that was rolled back has
 * changed nothing: what the store refused of a single record is remembered, and the job is decided once more with that known.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"

/* ---- memory ---- */

bool run_new(struct desk *d, char err[DESK_ERR_MAX])
{
	struct desk_run *r = &d->e->run;
	struct desk_job *j = &r->j;

	j->d = d;
	j->run = r;
	j->row = calloc(DESK_PAGE, sizeof(*j->row));
	j->also = calloc(DESK_PAGE, sizeof(*j->also));
	j->line = calloc(DESK_PAGE, sizeof(*j->line));
	j->card = calloc(DESK_PAGE_CARDS, sizeof(*j->card));
	j->batch = store_batch_new();
	r->card_q = calloc(DESK_PAGE_CARDS, sizeof(*r->card_q));
	r->keys = calloc(DESK_PAGE, sizeof(*r->keys));
	r->tag = calloc(DESK_PAGE, sizeof(*r->tag));
	r->refused = calloc(DESK_PAGE, sizeof(*r->refused));
	r->put = calloc(DESK_PAGE, sizeof(*r->put));
	r->step = calloc(DESK_PAGE, sizeof(*r->step));
	r->planned = calloc(DESK_PAGE, sizeof(*r->planned));
	r->hlr_key = calloc(DESK_PAGE, sizeof(*r->hlr_key));
	r->settle = calloc(DESK_PAGE, sizeof(*r->settle));
	if (j->row && j->also && j->line && j->card && j->batch && r->card_q && r->keys && r->tag && r->refused &&
	    r->put && r->step && r->planned && r->hlr_key && r->settle)
		return true;
	snprintf(err, DESK_ERR_MAX, "out of memory for the desk's page of %d lines", DESK_PAGE);
	return false;
}

void run_free(struct desk *d)
{
	struct desk_run *r = &d->e->run;

	for (unsigned i = 0; i < r->outs; i++)
		pkg_write_drop(r->out[i].w); /* what is closed may be durable: the next start knows */
	free(r->order_new);
	free(r->j.row);
	free(r->j.also);
	free(r->j.line);
	free(r->j.card);
	store_batch_free(r->j.batch);
	free(r->card_q);
	free(r->keys);
	free(r->tag);
	free(r->refused);
	free(r->put);
	free(r->step);
	free(r->planned);
	free(r->hlr_key);
	free(r->settle);
	free(r->op_line);
}

int64_t grown(int64_t delay_ms, int64_t first_ms, int64_t max_ms)
{
	if (delay_ms < first_ms)
		return first_ms;
	return delay_ms * 2 < max_ms ? delay_ms * 2 : max_ms;
}

/* ---- alarms: the last one stands until what raised it has gone well ---- */

void desk_alarm(struct desk *d, const void *of, const char *fmt, ...)
{
	char text[DESK_ERR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (strcmp(text, d->e->alarm))
		desk_log(d, 4, "%s", text);
	memcpy(d->e->alarm, text, sizeof(text));
	d->e->alarm_of = of;
}

void desk_alarm_over(struct desk *d, const void *of)
{
	if (d->e->alarm_of != of)
		return;
	d->e->alarm_of = NULL;
	d->e->alarm[0] = 0;
}

/* ---- begin and end ---- */

/* What a decision leaves behind goes; what was read stays. */
static void decision_clear(struct desk_run *r)
{
	struct desk_job *j = &r->j;

	store_batch_reset(j->batch);
	memset(r->put, 0, DESK_PAGE * sizeof(*r->put));
	memset(r->planned, 0, DESK_PAGE * sizeof(*r->planned));
	memset(r->seq_in, 0, sizeof(r->seq_in));
	memset(r->seq_out, 0, sizeof(r->seq_out));
	memset(r->campaign, 0, sizeof(r->campaign));
	memset(j->planned, 0, sizeof(j->planned));
	r->order_put = r->hlr_put = false;
	r->outs = r->hlr_keys = r->settles = 0;
	j->why[0] = 0;
	j->anew = false;
}

bool run_begin(struct desk *d, const struct desk_run_ops *ops, struct desk_open_order *order)
{
	struct desk_run *r = &d->e->run;

	r->ops = ops;
	r->j.order = order;
	r->j.work = NULL;
	r->j.event = NULL;
	r->j.n = 0;
	r->stage = RUN_ROWS;
	r->pending = 0;
	r->store_rc = 0;
	r->retry_ms = 0;
	r->delay_ms = 0;
	r->reruns = 0;
	r->n_refused = 0;
	r->campaign_try = 0;
	r->full = false;
	d->e->stats.jobs++;
	return true;
}

/* Nothing of what decide() did has happened: memory is as it was. */
static void decision_undo(struct desk *d)
{
	struct desk_run *r = &d->e->run;

	run_drop_outs(r);
	if (r->order_new) {
		if (r->j.order == r->order_new)
			r->j.order = NULL;
		if (d->e->incoming.in.order == r->order_new)
			d->e->incoming.in.order = NULL;
		free(r->order_new);
		r->order_new = NULL;
	} else if (r->j.order) {
		r->j.order->o = r->order_was;
	}
	decision_clear(r);
}

static void run_end(struct desk *d)
{
	struct desk_run *r = &d->e->run;

	store_batch_reset(r->j.batch);
	r->stage = RUN_IDLE;
	r->ops = NULL;
}

static void run_failed(struct desk *d, int rc)
{
	struct desk_run *r = &d->e->run;
	const struct desk_run_ops *ops = r->ops;

	r->stage = RUN_IDLE;
	if (ops->failed)
		ops->failed(d, r, rc);
	run_end(d);
}

/* ---- reading ---- */

static void wake(struct desk *d)
{
	if (d->deps.wake)
		d->deps.wake(d->deps.wake_ctx);
}

static void query_done(struct store_query *q, int rc)
{
	struct desk *d = q->ctx;
	struct desk_run *r = &d->e->run;

	r->pending--;
	if (rc && !r->store_rc) {
		r->store_rc = rc;
		snprintf(r->store_why, sizeof(r->store_why), "%s", store_why_text(rc, q->why));
	}
	if (!r->pending)
		wake(d);
}

static void query(struct desk *d, struct store_query *q)
{
	q->done = query_done;
	q->ctx = d;
	d->e->run.pending++;
	d->deps.store->ops->query(d->deps.store, q);
}

bool run_keys(struct desk_run *r, enum book book, unsigned n, struct store_book *out)
{
	if (!n)
		return false;
	r->q = (struct store_query){ .kind = Q_BOOK_KEYS,
				     .book = (uint8_t)book,
				     .keys = (const char(*)[BOOK_KEY_MAX])r->keys,
				     .n_keys = n,
				     .limit = n,
				     .out = out };
	return true;
}

static int cards_ask(struct desk *d)
{
	struct desk_run *r = &d->e->run;
	int asked = 0;

	if (!r->ops->card)
		return 0;
	for (unsigned i = 0; i < r->j.n && i < DESK_PAGE_CARDS; i++) {
		const char *iccid = r->ops->card(d, r, i);

		r->j.card[i].card.id = 0;
		if (!iccid || !*iccid)
			continue;
		r->card_q[i] = (struct store_query){ .kind = Q_CARD, .limit = 1, .out = &r->j.card[i] };
		snprintf(r->card_q[i].digits, sizeof(r->card_q[i].digits), "%.*s", ICCID_DIGITS_MAX, iccid);
		query(d, &r->card_q[i]);
		asked++;
	}
	return asked;
}

static void cards_came(struct desk_run *r)
{
	for (unsigned i = 0; r->ops->card && i < r->j.n && i < DESK_PAGE_CARDS; i++)
		if (!r->card_q[i].n)
			r->j.card[i].card.id = 0;
}

/* ---- decide ---- */

static void lines_put(struct desk_job *j)
{
	struct desk_run *r = j->run;
	uint8_t body[BOOK_BODY_MAX];

	for (unsigned i = 0; i < j->n; i++) {
		struct book_row row = { .book = BOOK_LINE, .step = r->step[i], .version = j->row[i].row.version };
		int len;

		if (!r->put[i])
			continue;
		row.owner = j->line[i].order;
		line_key(row.key, j->line[i].order, j->line[i].iccid);
		len = line_pack(&j->line[i], body);
		row.len = len < 0 ? 0 : (uint16_t)len;
		job_op(j, i, ST_BOOK_PUT, &row, body, row.len);
	}
}

static bool order_over(const struct order *o)
{
	if (o->closed < o->lines)
		return false;
	switch (o->side) {
	case SIDE_A: /* it stays open when not every line of the IMSI list has gone back: a person must look (a_line.c) */
		return o->lines && o->listed == o->paired;
	case SIDE_HOME: /* its list may have been cut short */
		return o->lines ? o->whole || o->step == ORDER_CANCELLED : o->step == ORDER_CANCELLED;
	default:
		return o->lines > 0;
	}
}

static void order_put(struct desk_job *j, int64_t now_ms)
{
	struct order *o = &j->order->o;
	uint8_t body[BOOK_BODY_MAX];
	int len;

	if (o->step != ORDER_ENDED && order_over(o)) {
		o->step = ORDER_ENDED;
		o->ended_ms = now_ms;
	}
	len = order_pack(o, body);
	job_put(j, BOOK_ORDER, o->name, 0, o->step, j->order->version, body, len < 0 ? 0 : (size_t)len);
}

static void seqs_put(struct desk *d, struct desk_job *j)
{
	struct desk_run *r = j->run;

	for (unsigned p = 0; p < d->cfg.n_partners; p++) {
		const struct partner_seq *s = &d->e->seq[p];
		uint8_t body[16];
		uint64_t v[2] = { r->seq_out[p] ? r->seq_out[p] : s->out, r->seq_in[p] ? r->seq_in[p] : s->in };

		if (!r->seq_in[p] && !r->seq_out[p])
			continue;
		for (int i = 0; i < 16; i++)
			body[i] = (uint8_t)(v[i / 8] >> (56 - 8 * (i % 8)));
		job_put(j, BOOK_SEQ, pkg_partner_name(d->cfg.partner[p].pinned), 0, 0, s->version, body, sizeof(body));
	}
}

static void commit_done(struct store_batch *b, int rc)
{
	struct desk *d = b->ctx;
	struct desk_run *r = &d->e->run;

	r->pending--;
	r->store_rc = rc;
	if (!rc && !b->rolled_back)
		plan_durable(d, r); /* before the core looks again */
	if (rc)
		snprintf(r->store_why, sizeof(r->store_why), "%s", store_why_text(rc, b->why));
	wake(d);
}

static void commit(struct desk *d)
{
	struct desk_run *r = &d->e->run;

	r->j.batch->strict = true;
	r->j.batch->done = commit_done;
	r->j.batch->ctx = d;
	r->store_rc = 0;
	r->pending++;
	d->deps.store->ops->commit(d->deps.store, r->j.batch);
}

static void decide(struct desk *d)
{
	struct desk_run *r = &d->e->run;
	bool open = false;
	int rc;

	decision_clear(r);
	if (r->j.order)
		r->order_was = r->j.order->o;
	rc = r->ops->decide ? r->ops->decide(d, r) : 0;
	for (unsigned i = 0; i < r->outs; i++)
		open |= !r->out[i].closed;
	if (!rc && open) {
		snprintf(r->j.why, sizeof(r->j.why), "%s: a package was left open", r->ops->name);
		rc = -EINVAL;
	}
	if (rc || r->ops->dry) {
		char why[DESK_ERR_MAX];

		memcpy(why, r->j.why, sizeof(why));
		decision_undo(d);
		memcpy(r->j.why, why, sizeof(why));
		if (rc) {
			run_failed(d, rc);
			return;
		}
		r->stage = RUN_COMMITTED;
		return;
	}
	lines_put(&r->j);
	if (r->order_put)
		order_put(&r->j, d->now_ms);
	seqs_put(d, &r->j);
	r->stage = RUN_COMMITTED;
	if (!r->j.batch->n)
		return;
	r->stage = RUN_COMMIT;
	d->e->stats.commits++;
	commit(d);
}

/* ---- after the commit ---- */

static const char *tag_of(const struct desk_run *r, unsigned i)
{
	return i < r->j.n ? r->tag[i] : "";
}

static bool rc_good(int16_t rc)
{
	return !rc || rc == STORE_R_SAME || rc == STORE_R_UPDATED;
}

/* What has been refused, by which record.  False: nothing that a second decision could know better. */
static bool refusals_note(struct desk_run *r)
{
	bool found = false;

	for (size_t i = 0; i < r->j.batch->n; i++) {
		const struct store_op *op = &r->j.batch->ops[i];
		uint32_t line = i < r->op_line_cap ? r->op_line[i] : JOB_NO_LINE;

		if (rc_good(op->rc))
			continue;
		if (op->kind == ST_CAMPAIGN_INSERT && op->rc == STORE_R_DUP_NAME) {
			r->campaign_try++;
			found = true;
		}
		if (op->kind == ST_BOOK_PUT || op->kind == ST_BOOK_DROP || op->kind == ST_CAMPAIGN_INSERT ||
		    line >= r->j.n || r->n_refused == DESK_PAGE)
			continue;
		snprintf(r->refused[r->n_refused].tag, BOOK_KEY_MAX, "%s", tag_of(r, line));
		r->refused[r->n_refused++].rc = op->rc;
		found = true;
	}
	return found;
}

static void rolled_back(struct desk *d)
{
	struct desk_run *r = &d->e->run;
	bool known = refusals_note(r);

	for (size_t i = 0; i < r->j.batch->n && !known; i++)
		if (!rc_good(r->j.batch->ops[i].rc))
			snprintf(r->store_why, sizeof(r->store_why), "operation %d: %s", r->j.batch->ops[i].kind,
				 store_strerror(r->j.batch->ops[i].rc));
	decision_undo(d);
	if (r->reruns++ < (known ? DESK_REFUSED_MAX : DESK_RERUNS_MAX)) {
		r->stage = RUN_ROWS;
		return;
	}
	snprintf(r->j.why, sizeof(r->j.why), "%s: rolled back again and again: %.200s", r->ops->name, r->store_why);
	run_failed(d, -EAGAIN);
}

static void lines_kick(struct desk *d, struct desk_run *r)
{
	uint16_t last = 0;

	for (unsigned i = 0; i < r->j.n; i++) {
		const struct line *l = &r->j.line[i];
		const bool is_new = !r->j.row[i].row.version;

		if (!r->put[i] || (!is_new && r->step[i] == r->j.row[i].row.step))
			continue;
		desk_log(d, 7, "card %s: %s -> %s%s%s", l->iccid, is_new ? "new" : line_step_name(r->j.row[i].row.step),
			 line_step_name(r->step[i]), l->why[0] ? ": " : "", l->why);
		if (r->step[i] != last)
			desk_kick(d, l->order, r->step[i]);
		last = r->step[i];
	}
}

static void durable(struct desk *d)
{
	struct desk_run *r = &d->e->run;
	struct desk_open_order *o = r->j.order;

	for (unsigned p = 0; p < d->cfg.n_partners; p++) {
		if (!r->seq_in[p] && !r->seq_out[p])
			continue;
		if (r->seq_in[p])
			d->e->seq[p].in = r->seq_in[p];
		if (r->seq_out[p])
			d->e->seq[p].out = r->seq_out[p];
		d->e->seq[p].version++;
	}
	if (r->order_new) {
		o = order_add(d, &r->order_new->o, r->order_new->version + 1);
		r->j.order = o;
		if (d->e->incoming.in.order == r->order_new)
			d->e->incoming.in.order = o;
		free(r->order_new);
		r->order_new = NULL;
	} else if (r->order_put && o) {
		o->version++;
	}
	out_durable(d, r);
	settle_durable(d, r);
	hlr_put(d, r);
	lines_kick(d, r);
	if (r->order_put && o && o->o.step != r->order_was.step)
		desk_kick(d, o->o.number, 0);
}

static void committed(struct desk *d)
{
	struct desk_run *r = &d->e->run;
	struct desk_open_order *o;

	if (!r->ops->dry)
		durable(d);
	if (r->ops->after)
		r->ops->after(d, r);
	o = r->j.order;
	if (o && o->o.step == ORDER_ENDED) {
		desk_log(d, 5, "order %s has ended: %llu cards", o->o.name, (unsigned long long)o->o.lines);
		plan_close(d, &o->o);
		order_forget(d, o);
	}
	run_end(d);
}

static void commit_over(struct desk *d)
{
	struct desk_run *r = &d->e->run;

	if (!r->store_rc && r->j.batch->rolled_back) {
		rolled_back(d);
	} else if (!r->store_rc) {
		desk_alarm_over(d, &r->stage);
		r->stage = RUN_COMMITTED;
	} else if (r->store_rc == STORE_E_CORRUPT) {
		snprintf(d->e->fatal, sizeof(d->e->fatal), "desk: %.300s", r->store_why);
		run_end(d);
	} else if (!r->retry_ms) {
		r->delay_ms = grown(r->delay_ms, DESK_RETRY_MS, DESK_RETRY_MAX_MS);
		r->retry_ms = d->now_ms + r->delay_ms;
		if (r->store_rc != STORE_E_BUSY)
			desk_alarm(d, &r->stage, "desk: the books cannot be written, and are tried again: %.200s",
				   r->store_why);
	} else if (d->now_ms >= r->retry_ms) {
		r->retry_ms = 0;
		commit(d);
	}
}

/* ---- the turn ---- */

static bool read_failed(struct desk *d)
{
	struct desk_run *r = &d->e->run;

	if (!r->store_rc)
		return false;
	if (r->store_rc == STORE_E_CORRUPT)
		snprintf(d->e->fatal, sizeof(d->e->fatal), "desk: %.300s", r->store_why);
	snprintf(r->j.why, sizeof(r->j.why), "%s: the books cannot be read: %.200s", r->ops->name, r->store_why);
	r->store_rc = 0;
	run_failed(d, -EIO);
	return true;
}

/* What came is unpacked; a record that cannot be read is left out, and named. */
static void rows_came(struct desk *d)
{
	struct desk_run *r = &d->e->run;
	struct desk_job *j = &r->j;
	unsigned kept = 0;

	if (!j->work)
		return;
	j->n = r->q.n;
	r->full = j->n == r->q.limit;
	if (j->n)
		snprintf(r->last, sizeof(r->last), "%s", j->row[j->n - 1].row.key);
	for (unsigned i = 0; i < j->n; i++) {
		if (j->work->book == BOOK_LINE && line_unpack(&j->line[kept], j->row[i].body, j->row[i].row.len)) {
			desk_alarm(d, r, "line %s of the books cannot be read: check-store, or restore a backup",
				   j->row[i].row.key);
			continue;
		}
		if (kept != i)
			j->row[kept] = j->row[i];
		snprintf(r->tag[kept], BOOK_KEY_MAX, "%s", j->row[kept].row.key);
		kept++;
	}
	j->n = kept;
}

int run_turn(struct desk *d)
{
	struct desk_run *r = &d->e->run;

	if (r->pending || r->stage == RUN_IDLE)
		return 0;
	switch ((enum run_stage)r->stage) {
	case RUN_IDLE:
		break;
	case RUN_ROWS:
		r->stage = RUN_ALSO;
		memset(&r->q, 0, sizeof(r->q));
		if (r->ops->rows && r->ops->rows(d, r))
			query(d, &r->q);
		break;
	case RUN_ALSO:
		if (read_failed(d))
			break;
		rows_came(d);
		r->stage = RUN_CARDS;
		if (r->ops->also && r->ops->also(d, r))
			query(d, &r->q);
		break;
	case RUN_CARDS:
		if (read_failed(d))
			break;
		r->stage = RUN_DECIDE;
		cards_ask(d);
		break;
	case RUN_DECIDE:
		if (read_failed(d))
			break;
		cards_came(r);
		decide(d);
		break;
	case RUN_COMMIT:
		commit_over(d);
		return r->stage != RUN_COMMIT || r->pending;
	case RUN_COMMITTED:
		committed(d);
		break;
	}
	return 1;
}

/* ---- what decide() calls ---- */

struct store_op *job_op(struct desk_job *j, unsigned i, enum store_op_kind kind, const void *row, const void *bytes,
			size_t len)
{
	struct desk_run *r = j->run;
	struct store_op *op = store_batch_add(j->batch, kind, row, bytes, len);

	if (!op)
		return NULL;
	if (j->batch->n > r->op_line_cap) {
		size_t cap = r->op_line_cap ? r->op_line_cap * 2 : 1024;
		uint32_t *more = realloc(r->op_line, cap * sizeof(*more));

		if (!more)
			abort(); /* as the store's own arena */
		r->op_line = more;
		r->op_line_cap = cap;
	}
	r->op_line[j->batch->n - 1] = i;
	return op;
}

void job_put(struct desk_job *j, enum book book, const char *key, uint64_t owner, uint16_t step, uint64_t version,
	     const void *body, size_t len)
{
	struct book_row row = {
		.book = (uint8_t)book, .owner = owner, .step = step, .version = version, .len = (uint16_t)len
	};

	snprintf(row.key, sizeof(row.key), "%s", key);
	job_op(j, JOB_NO_LINE, ST_BOOK_PUT, &row, body, len);
}

void job_drop(struct desk_job *j, enum book book, const char *key, uint64_t version)
{
	struct book_row row = { .book = (uint8_t)book, .version = version };

	snprintf(row.key, sizeof(row.key), "%s", key);
	job_op(j, JOB_NO_LINE, ST_BOOK_DROP, &row, NULL, 0);
}

void job_line_put(struct desk_job *j, unsigned i, enum line_step step)
{
	j->run->put[i] = true;
	j->run->step[i] = (uint16_t)step;
}

void job_order_put(struct desk_job *j)
{
	j->run->order_put = true;
}

void job_alarm(struct desk_job *j, const char *fmt, ...)
{
	struct order *o = &j->order->o;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(o->alarm, sizeof(o->alarm), fmt, ap);
	va_end(ap);
	desk_log(j->d, 4, "order %s: %s", o->name, o->alarm);
	job_order_put(j);
}

int job_refused(const struct desk_job *j, unsigned i)
{
	const struct desk_run *r = j->run;

	for (unsigned k = 0; i < j->n && k < r->n_refused; k++)
		if (!strcmp(r->refused[k].tag, r->tag[i]))
			return r->refused[k].rc;
	return 0;
}

unsigned desk_order_room(const struct desk *d)
{
	return DESK_ORDERS_MAX - d->e->orders;
}

static int order_begin(struct desk_job *j, const struct order *o, unsigned room)
{
	struct desk_open_order *n = desk_order_room(j->d) < room ? NULL : calloc(1, sizeof(*n));

	if (!n) {
		snprintf(j->why, sizeof(j->why), "there are %d open orders, and there may be %d: end or cancel one",
			 j->d->e->orders, DESK_ORDERS_MAX);
		return -ENOSPC;
	}
	n->o = *o;
	n->scan = ORDER_WORKS;
	j->run->order_new = n;
	j->run->order_put = true;
	j->order = n;
	return 0;
}

/* The last place is for a package that was checked while it was free. */
int desk_order_home(struct desk_job *j, const struct order *o)
{
	return order_begin(j, o, 2);
}

int desk_order_new(struct desk_job *j, const struct order *o)
{
	int rc = order_begin(j, o, 1);

	if (rc)
		return rc;
	j->d->e->incoming.in.order = j->order;
	j->order->version = j->d->e->incoming.replaces;
	return 0;
}

void line_fail(struct line *l, enum line_end end, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->why, sizeof(l->why), fmt, ap);
	va_end(ap);
	l->end = (uint8_t)end;
}
