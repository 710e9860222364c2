/* hlr.c - operations at our register: durable with what ordered them, carried out after that, until there is a final answer.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Every operation may be repeated (gateway/hlr/hlr.h), so what was under way when we went down is simply asked again.  "Temporary"
 * holds all of them for a growing while: it is the register that does not answer, not the card.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine.h"
#include "ota/rd.h"
#include "ota/wr.h"

#define HLR_DUE	      1	  /* steps of BOOK_HLR: to be asked for; */
#define HLR_LATER     512 /* not before the time that its body ends with; of no line's steps */
#define AT_LEN	      8
#define SLOT_BITS     9
#define KICK_FREE_MIN (HLR_OPEN_MAX / 4) /* places, before more are asked for */

_Static_assert(HLR_OPEN_MAX <= 1 << SLOT_BITS, "SLOT_BITS");

/* ---- records ---- */

static void hlr_key(char key[BOOK_KEY_MAX], uint64_t order, const char *iccid, enum hlr_kind kind)
{
	char line[BOOK_KEY_MAX];

	line_key(line, order, iccid);
	snprintf(key, BOOK_KEY_MAX, "%.*s/%u", LINE_KEY_LEN, line, kind);
}

static void ordered(struct desk_run *r, const char key[BOOK_KEY_MAX])
{
	r->hlr_put = true;
	if (r->hlr_keys < DESK_PAGE)
		memcpy(r->hlr_key[r->hlr_keys++], key, BOOK_KEY_MAX);
}

static void op_put(struct desk_job *j, unsigned i, enum hlr_kind kind, const char *imsi, const char *msisdn,
		   const char *bridge, const uint8_t *sub, int64_t at_ms)
{
	struct desk_run *r = j->run;
	struct book_row row = { .book = BOOK_HLR, .step = at_ms ? HLR_LATER : HLR_DUE, .version = BOOK_ANY };
	uint8_t body[BOOK_BODY_MAX];
	struct wr w = wr_init(body, sizeof(body));

	row.owner = j->line[i].order;
	hlr_key(row.key, row.owner, j->line[i].iccid, kind);
	wr_u8(&w, (uint8_t)kind);
	book_text_put(&w, j->line[i].iccid);
	book_text_put(&w, imsi ? imsi : "");
	book_text_put(&w, msisdn ? msisdn : "");
	wr_u8(&w, sub != NULL);
	if (sub)
		wr_bytes(&w, sub, KS_SUB_LEN);
	if (kind == HLR_PROVISION) {
		book_text_put(&w, bridge);
		wr_be(&w, j->line[i].sqn, 8);
	}
	if (at_ms) {
		wr_be(&w, (uint64_t)at_ms, AT_LEN);
		desk_again(j->d, row.owner, HLR_LATER, at_ms);
	}
	row.len = (uint16_t)wr_len(&w);
	job_op(j, i, ST_BOOK_PUT, &row, body, row.len);
	ordered(r, row.key);
}

void job_hlr(struct desk_job *j, unsigned i, enum hlr_kind kind, const char *imsi, const char *msisdn,
	     const uint8_t sub[KS_SUB_LEN])
{
	op_put(j, i, kind, imsi, msisdn, "", sub, 0);
}

void job_hlr_msisdn(struct desk_job *j, unsigned i, const char *imsi, const char *msisdn, int64_t at_ms)
{
	op_put(j, i, HLR_MSISDN, imsi, msisdn, "", NULL, at_ms);
}

void job_hlr_provision(struct desk_job *j, unsigned i, const char *bridge, const uint8_t sub[KS_SUB_LEN])
{
	op_put(j, i, HLR_PROVISION, j->line[i].imsi, j->line[i].msisdn, bridge, sub, 0);
}

void job_hlr_rekey(struct desk_job *j, unsigned i, const char *imsi, const uint8_t sub[KS_SUB_LEN], const uint8_t *was)
{
	struct book_row row = { .book = BOOK_HLR, .step = HLR_DUE, .version = BOOK_ANY };
	uint8_t body[BOOK_BODY_MAX];
	struct wr w = wr_init(body, sizeof(body));

	row.owner = j->line[i].order;
	hlr_key(row.key, row.owner, j->line[i].iccid, HLR_REKEY);
	wr_u8(&w, HLR_REKEY);
	book_text_put(&w, j->line[i].iccid);
	book_text_put(&w, imsi);
	book_text_put(&w, "");
	wr_u8(&w, true);
	wr_bytes(&w, sub, KS_SUB_LEN);
	wr_u8(&w, was != NULL);
	if (was)
		wr_bytes(&w, was, KS_SUB_LEN);
	row.len = (uint16_t)wr_len(&w);
	job_op(j, i, ST_BOOK_PUT, &row, body, row.len);
	ordered(j->run, row.key);
}

static int op_read(struct hlr_op *op, const struct store_book *row)
{
	struct rd r = rd_init(row->body, row->row.len);
	const uint8_t *sub;

	*op = (struct hlr_op){ .kind = (enum hlr_kind)rd_u8(&r) };
	book_text_take(&r, op->iccid, sizeof(op->iccid));
	book_text_take(&r, op->imsi, sizeof(op->imsi));
	book_text_take(&r, op->msisdn, sizeof(op->msisdn));
	if (rd_u8(&r) && (sub = rd_bytes(&r, KS_SUB_LEN))) {
		memcpy(op->sub, sub, KS_SUB_LEN);
		op->keyed = true;
	}
	if (op->kind == HLR_PROVISION) {
		book_text_take(&r, op->bridge, sizeof(op->bridge));
		op->sqn = rd_be(&r, 8);
	}
	if (op->kind == HLR_REKEY && rd_u8(&r) && (sub = rd_bytes(&r, KS_SUB_LEN))) {
		memcpy(op->was, sub, KS_SUB_LEN);
		op->has_was = true;
	}
	return r.bad || op->kind > HLR_REKEY ? -1 : 0;
}

/* ---- what is under way ---- */

static struct hlr_slot *slot_of_key(struct desk *d, const char *key)
{
	for (unsigned i = 0; i < HLR_OPEN_MAX; i++)
		if (d->e->slot[i].state != SLOT_FREE && d->e->slot[i].durable && !strcmp(d->e->slot[i].key, key))
			return &d->e->slot[i];
	return NULL;
}

static struct hlr_slot *slot_free(struct desk *d)
{
	for (unsigned i = 0; i < HLR_OPEN_MAX; i++)
		if (d->e->slot[i].state == SLOT_FREE)
			return &d->e->slot[i];
	return NULL;
}

static void slot_end(struct desk *d, struct hlr_slot *s)
{
	uint64_t order = s->order;
	bool again = s->durable;

	s->state = SLOT_FREE;
	d->e->slots_open--;
	if (!again || (d->e->hlr_full && HLR_OPEN_MAX - d->e->slots_open < KICK_FREE_MIN))
		return;
	if (d->e->hlr_full)
		for (unsigned i = 0; i < d->e->orders; i++)
			desk_kick(d, d->e->order[i]->o.number, HLR_DUE);
	else if (s->stale)
		desk_kick(d, order, HLR_DUE);
	d->e->hlr_full = false;
}

static void later(struct desk *d, uint64_t order)
{
	desk_again(d, order, HLR_DUE, d->e->hlr_until_ms > d->now_ms ? d->e->hlr_until_ms : d->now_ms + DESK_HLR_MS);
}

/* 0, or why not: the slot is free again then. */
static int submit(struct desk *d, struct hlr_slot *s, struct hlr_op *op)
{
	int rc;

	s->state = SLOT_OPEN;
	s->stale = false;
	s->kind = (uint8_t)op->kind;
	s->gen = ++d->e->slot_gen;
	s->asked_ms = d->now_ms;
	op->id = (uint64_t)s->gen << SLOT_BITS | (uint64_t)(s - d->e->slot);
	d->e->slots_open++;
	d->e->stats.hlr_ops++;
	rc = d->deps.hlr->ops->submit(d->deps.hlr, op); /* its answer may come before it returns */
	if (rc && s->state == SLOT_OPEN) {
		s->state = SLOT_FREE;
		d->e->slots_open--;
	}
	return rc;
}

static void answer(struct desk *d, struct hlr_slot *s, const struct hlr_result *res)
{
	struct desk_event ev = { .kind = DESK_EV_HLR,
				 .order = s->order,
				 .at_ms = d->now_ms,
				 .hlr = *res,
				 .hlr_kind = s->kind,
				 .asked_ms = s->asked_ms,
				 .marks = s->marks,
				 .known_ms = s->known.at_ms,
				 .hlr_slot = (uint32_t)(s - d->e->slot) };

	snprintf(ev.iccid, sizeof(ev.iccid), "%s", s->iccid);
	s->state = SLOT_ANSWERED;
	desk_event(d, &ev);
}

/* Most looks tell what is known: not worth a job. */
static bool news(const struct hlr_slot *s, const struct hlr_result *res)
{
	struct line_mark now;

	if (s->durable || res->end != HLR_OK)
		return true;
	if (!s->marks)
		return *res->vlr;
	desk_mark(&now, res, s->asked_ms);
	return !s->known.at_ms || !desk_mark_same(&s->known, &now);
}

void desk_on_hlr(struct desk *d, const struct hlr_result *res)
{
	struct desk_engine *e = d->e;
	unsigned at = (unsigned)(res->id & ((1 << SLOT_BITS) - 1));
	struct hlr_slot *s = at < HLR_OPEN_MAX ? &e->slot[at] : NULL;

	if (!s || s->state != SLOT_OPEN || s->gen != (uint32_t)(res->id >> SLOT_BITS))
		return;
	if (res->end == HLR_TEMPORARY) {
		e->hlr_delay_ms = grown(e->hlr_delay_ms, DESK_HLR_MS, DESK_HLR_MAX_MS);
		e->hlr_until_ms = d->now_ms + e->hlr_delay_ms;
		desk_log(d, 5, "HLR: %s of card %s: %s; asked again in %lld s", hlr_kind_name((enum hlr_kind)s->kind),
			 s->iccid, res->why, (long long)e->hlr_delay_ms / 1000);
		if (s->durable)
			later(d, s->order);
		slot_end(d, s);
	} else {
		e->hlr_delay_ms = 0;
		if (s->stale || !news(s, res))
			slot_end(d, s);
		else
			answer(d, s, res);
	}
	if (d->deps.wake)
		d->deps.wake(d->deps.wake_ctx);
}

/* The job that took this event is durable. */
void hlr_taken(struct desk *d, struct desk_event *ev)
{
	struct hlr_slot *s = &d->e->slot[ev->hlr_slot];

	if (s->state == SLOT_ANSWERED)
		slot_end(d, s);
}

void hlr_put(struct desk *d, struct desk_run *r)
{
	for (unsigned i = 0; i < r->hlr_keys; i++) {
		struct hlr_slot *s = slot_of_key(d, r->hlr_key[i]);

		if (s)
			s->stale = true; /* ordered anew: its answer is of the one before */
	}
	if (r->hlr_put && r->j.order)
		desk_kick(d, r->j.order->o.number, HLR_DUE);
}

/* Its answer has not come yet: one at a time, of each kind. */
static bool looking(const struct desk *d, const struct desk_look *l)
{
	for (unsigned i = 0; i < HLR_OPEN_MAX; i++) {
		const struct hlr_slot *s = &d->e->slot[i];

		if (s->state != SLOT_FREE && !s->durable && s->marks == l->marks && s->order == l->order &&
		    !strcmp(s->iccid, l->iccid))
			return true;
	}
	return false;
}

bool desk_look(struct desk *d, const struct desk_look *l)
{
	struct hlr_op op = { .kind = HLR_READ };
	struct hlr_slot *s = slot_free(d);

	if (!d->deps.hlr || !s || d->now_ms < d->e->hlr_until_ms || d->e->events >= DESK_EVENTS_MAX)
		return false;
	if (looking(d, l))
		return true;
	*s = (struct hlr_slot){ .order = l->order, .marks = l->marks, .known = l->known };
	snprintf(s->iccid, sizeof(s->iccid), "%s", l->iccid);
	snprintf(op.iccid, sizeof(op.iccid), "%s", l->iccid);
	snprintf(op.imsi, sizeof(op.imsi), "%s", l->imsi);
	return submit(d, s, &op) == 0;
}

/* ---- the work: what stands in the outbox goes to the register ---- */

static int decide(struct desk *d, struct desk_job *j)
{
	return 0;
}

static bool send(struct desk *d, struct desk_open_order *o, const struct store_book *row)
{
	struct hlr_slot *s = slot_free(d);
	struct hlr_op op;
	int rc;

	if (!s)
		return false;
	*s = (struct hlr_slot){ .durable = true, .order = o->o.number, .version = row->row.version };
	memcpy(s->key, row->row.key, sizeof(s->key));
	rc = op_read(&op, row);
	snprintf(s->iccid, sizeof(s->iccid), "%.*s", ICCID_DIGITS_MAX, op.iccid);
	if (!rc)
		rc = submit(d, s, &op);
	if (rc == -ENOBUFS)
		return false;
	if (rc && s->state == SLOT_FREE) { /* not an operation: never will be */
		struct hlr_result res = { .end = HLR_REFUSED };

		snprintf(res.why, sizeof(res.why), "not an operation that the register takes");
		d->e->slots_open++;
		s->kind = (uint8_t)op.kind;
		answer(d, s, &res);
	}
	return true;
}

/* No more now: begins anew when it is kicked, or asked again. */
static void stop(struct desk_job *j)
{
	struct desk_todo *t = &j->order->todo[j->run->work];

	t->due_ms = INT64_MAX;
	t->after[0] = 0;
}

static void after(struct desk *d, struct desk_job *j)
{
	struct desk_open_order *o = j->order;

	for (unsigned i = 0; i < j->n; i++) {
		if (slot_of_key(d, j->row[i].row.key))
			continue;
		if (!d->deps.hlr || d->now_ms < d->e->hlr_until_ms) {
			stop(j);
			later(d, o->o.number);
			return;
		}
		if (!send(d, o, &j->row[i])) {
			d->e->hlr_full = true;
			stop(j);
			if (!d->e->slots_open)
				later(d, o->o.number);
			return;
		}
	}
}

/* ---- what is not to be asked for before its time ---- */

static int later_decide(struct desk *d, struct desk_job *j)
{
	int64_t next_ms = INT64_MAX;

	for (unsigned i = 0; i < j->n; i++) {
		const struct store_book *b = &j->row[i];
		const size_t len = b->row.len < AT_LEN ? 0 : b->row.len - AT_LEN;
		struct rd r = rd_init(b->body + len, b->row.len - len);
		const int64_t at_ms = (int64_t)rd_be(&r, AT_LEN);

		if (at_ms > d->now_ms) {
			next_ms = at_ms < next_ms ? at_ms : next_ms;
			continue;
		}
		job_put(j, BOOK_HLR, b->row.key, b->row.owner, HLR_DUE, b->row.version, b->body, len);
		ordered(j->run, b->row.key);
	}
	if (next_ms != INT64_MAX)
		desk_again(d, j->order->o.number, HLR_LATER, next_ms);
	return 0;
}

const struct desk_work desk_works_engine[] = {
	{ .name = "hlr", .book = BOOK_HLR, .step = HLR_DUE, .page = HLR_OPEN_MAX, .decide = decide, .after = after },
	{ .name = "hlr, later", .book = BOOK_HLR, .step = HLR_LATER, .calm = true, .decide = later_decide },
	{ .name = NULL },
};
