/* desk.c - the desk: made, started from its books, turned; which job comes next.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine.h"

#define ARM_FRESH_MS   (10 * 60 * 1000)
#define HLR_POLL_MS    5000
#define CNTR_MARGIN    64
#define PACKAGE_LIFE_S (90 * 86400)
#define KEEP_CHANGES_S (400 * 86400)

enum starting { START_THROUGH, START_SEQ, START_OPEN, START_CANCELLED, START_OUT, START_KEPT };

/* ---- made ---- */

static int folders_make(const struct desk_cfg *cfg, char err[DESK_ERR_MAX])
{
	static const char *const names[] = { "", "/in", "/held", "/done", "/refused", "/out", "/sent", "/changes" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[sizeof(cfg->dir) + 16];

		snprintf(path, sizeof(path), "%s%s", cfg->dir, names[i]);
		if (!mkdir(path, 0700) || errno == EEXIST)
			continue;
		snprintf(err, DESK_ERR_MAX, "%s: %s; package files are kept there", path, strerror(errno));
		return -1;
	}
	return 0;
}

static void cfg_complete(struct desk_cfg *c)
{
	if (!c->arm_fresh_ms)
		c->arm_fresh_ms = ARM_FRESH_MS;
	if (!c->hlr_poll_ms)
		c->hlr_poll_ms = HLR_POLL_MS;
	if (!c->cntr_margin)
		c->cntr_margin = CNTR_MARGIN;
	if (!c->package_life_s)
		c->package_life_s = PACKAGE_LIFE_S;
	if (!c->keep_changes_s)
		c->keep_changes_s = KEEP_CHANGES_S;
	if (!c->low_water)
		c->low_water = 1;
}

static int works_list(struct desk_engine *e, char err[DESK_ERR_MAX])
{
	const struct desk_work *lists[ORDER_SIDES + 1] = { e->tables.works[0], e->tables.works[1], e->tables.works[2],
							   e->tables.works[3], desk_works_engine };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (const struct desk_work *w = lists[i]; w && w->name; w++) {
			if (e->works == DESK_WORKS_MAX) {
				snprintf(err, DESK_ERR_MAX, "more than %d works", DESK_WORKS_MAX);
				return -1;
			}
			e->work[e->works++] = w;
		}
	return 0;
}

struct desk *desk_new_with(const struct desk_cfg *cfg, const struct desk_deps *deps, const struct desk_tables *tables,
			   char err[DESK_ERR_MAX])
{
	struct desk *d = calloc(1, sizeof(*d));
	struct desk_engine *e = calloc(1, sizeof(*e));

	if (!d || !e) {
		free(d);
		free(e);
		snprintf(err, DESK_ERR_MAX, "out of memory");
		return NULL;
	}
	d->cfg = *cfg;
	d->deps = *deps;
	d->self = pkg_self_name(deps->self);
	d->e = e;
	cfg_complete(&d->cfg);
	e->tables = *tables;
	e->event = calloc(DESK_EVENTS_MAX + HLR_OPEN_MAX + DESK_EVENT_PAGE + DESK_SCAN_PAGE, sizeof(*e->event));
	e->report = calloc(DESK_SCAN_PAGE, sizeof(*e->report));
	e->in_name = calloc(2 * DESK_IN_MAX, sizeof(*e->in_name));
	e->incoming.rec = calloc(DESK_PAGE, sizeof(*e->incoming.rec));
	e->incoming.split = calloc(DESK_PAGE, sizeof(*e->incoming.split));
	e->incoming.copy = calloc(DESK_PAGE, sizeof(*e->incoming.copy));
	if (!e->event || !e->report || !e->in_name || !e->incoming.rec || !e->incoming.split || !e->incoming.copy)
		snprintf(err, DESK_ERR_MAX, "out of memory");
	else if (!works_list(e, err) && run_new(d, err) && !folders_make(cfg, err))
		return d;
	desk_free(d);
	return NULL;
}

void desk_free(struct desk *d)
{
	struct desk_engine *e;

	if (!d)
		return;
	e = d->e;
	in_drop(d);
	desk_free_b(d);
	looks_free(d);
	kept_free(d);
	run_free(d);
	for (unsigned i = 0; i < e->orders; i++)
		free(e->order[i]);
	for (unsigned i = 0; i < e->calls; i++) {
		if (e->call[i].drop) /* in the midst of it */
			e->call[i].drop(&e->call[i]);
		free((char *)e->call[i].r.file);
	}
	for (unsigned i = 0; i < d->cfg.n_partners; i++)
		pkg_partner_free(d->cfg.partner[i].pinned);
	free(e->event);
	free(e->report);
	free(e->in_name);
	free(e->incoming.rec);
	free(e->incoming.split);
	free(e->incoming.copy);
	free(e->incoming.part.text);
	free(e->incoming.part.at);
	free(e->unacked);
	free(e->out_file);
	free(e->settle);
	free(e);
	free(d);
}

/* ---- to look at ---- */

const struct desk_cfg *desk_cfg(const struct desk *d)
{
	return &d->cfg;
}

const struct desk_deps *desk_deps(const struct desk *d)
{
	return &d->deps;
}

int64_t desk_now(const struct desk *d)
{
	return d->now_ms;
}

const char *desk_fatal(const struct desk *d)
{
	return d->e->fatal[0] ? d->e->fatal : NULL;
}

bool desk_ready(const struct desk *d)
{
	return d->e->started;
}

unsigned desk_orders(const struct desk *d)
{
	return d->e->orders;
}

const struct order *desk_order(const struct desk *d, unsigned i)
{
	return i < d->e->orders ? &d->e->order[i]->o : NULL;
}

const struct order *desk_order_by_name(const struct desk *d, const char *name)
{
	for (unsigned i = 0; i < d->e->orders; i++)
		if (!strcmp(d->e->order[i]->o.name, name))
			return &d->e->order[i]->o;
	return NULL;
}

struct desk_open_order *desk_order_open(struct desk *d, const char *name)
{
	for (unsigned i = 0; i < d->e->orders; i++)
		if (!strcmp(d->e->order[i]->o.name, name))
			return d->e->order[i];
	return NULL;
}

struct desk_open_order *desk_order_number(struct desk *d, uint64_t number)
{
	for (unsigned i = 0; number && i < d->e->orders; i++)
		if (d->e->order[i]->o.number == number)
			return d->e->order[i];
	return NULL;
}

int partner_index(const struct desk *d, const char *name)
{
	for (unsigned i = 0; i < d->cfg.n_partners; i++)
		if (!strcmp(pkg_partner_name(d->cfg.partner[i].pinned), name))
			return (int)i;
	return -1;
}

const struct desk_partner *desk_partner_by_name(const struct desk *d, const char *name)
{
	int at = partner_index(d, name);

	return at < 0 ? NULL : &d->cfg.partner[at];
}

uint64_t desk_number(const char *s, const char *name)
{
	char text[ORDER_NUMBER_INPUT_MAX];
	uint8_t hash[KS_HASH_LEN] = { 0 };
	uint64_t n = 0;

	if (ks_sha256(text, order_number_input(text, s, name), hash))
		return 0;
	for (int i = 0; i < 8; i++)
		n = n << 8 | hash[i];
	return n ? n : 1;
}

void desk_stats(const struct desk *d, struct desk_stats *out)
{
	*out = d->e->stats;
	out->alarm = d->e->alarm[0] ? d->e->alarm : NULL;
	out_overdue(d, out->overdue);
	in_awaited(d, out->awaited);
}

void desk_log(struct desk *d, int level, const char *fmt, ...)
{
	char line[480];
	va_list ap;

	if (!d->deps.log)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	d->deps.log(d->deps.log_ctx, level, line);
}

/* ---- open orders ---- */

struct desk_open_order *order_add(struct desk *d, const struct order *o, uint64_t version)
{
	struct desk_engine *e = d->e;
	struct desk_open_order *n = e->orders < DESK_ORDERS_MAX ? calloc(1, sizeof(*n)) : NULL;

	if (!n) {
		snprintf(e->fatal, sizeof(e->fatal), "desk: no room for order %s", o->name);
		return NULL;
	}
	n->o = *o;
	n->version = version;
	n->scan = ORDER_WORKS;
	for (unsigned w = 0; w < DESK_WORKS_MAX; w++)
		n->todo[w].due_ms = INT64_MAX;
	e->order[e->orders++] = n;
	desk_kick(d, o->number, 0);
	in_order_known(d, o->name);
	return n;
}

void order_forget(struct desk *d, struct desk_open_order *o)
{
	struct desk_engine *e = d->e;

	for (unsigned i = 0; i < e->orders; i++) {
		if (e->order[i] != o)
			continue;
		memmove(&e->order[i], &e->order[i + 1], (--e->orders - i) * sizeof(e->order[0]));
		break;
	}
	if (e->incoming.in.order == o)
		e->incoming.in.order = NULL;
	if (e->run.j.order == o)
		e->run.j.order = NULL;
	free(o);
}

/* ---- start: what was, is known again ---- */

static bool start_rows(struct desk *d, struct desk_run *r)
{
	struct desk_engine *e = d->e;

	r->q = (struct store_query){ .kind = e->starting == START_SEQ ? Q_BOOK_OWNER : Q_BOOK_STEP,
				     .book = e->starting == START_SEQ ? BOOK_SEQ : BOOK_ORDER,
				     .step = e->starting == START_OPEN ? ORDER_OPEN : ORDER_CANCELLED,
				     .limit = DESK_PAGE,
				     .out = r->j.row };
	memcpy(r->q.key, e->start_after, sizeof(r->q.key));
	return true;
}

static void start_seq(struct desk *d, const struct store_book *row)
{
	int at = partner_index(d, row->row.key);
	uint64_t v[2] = { 0, 0 };

	if (at < 0 || row->row.len != 16)
		return;
	for (int i = 0; i < 16; i++)
		v[i / 8] = v[i / 8] << 8 | row->body[i];
	d->e->seq[at] = (struct partner_seq){ .out = v[0], .in = v[1], .version = row->row.version };
}

static void start_order(struct desk *d, const struct store_book *row)
{
	struct desk_open_order *n;
	struct order o;

	if (order_unpack(&o, row->body, row->row.len)) {
		desk_alarm(d, d->e->order, "order %s of the books cannot be read: check-store, or restore a backup",
			   row->row.key);
		return;
	}
	n = order_add(d, &o, row->row.version);
	if (n && d->deps.gw)
		scan_begin(d, n);
}

static void start_after(struct desk *d, struct desk_run *r)
{
	struct desk_engine *e = d->e;

	for (unsigned i = 0; i < r->q.n; i++) {
		if (e->starting == START_SEQ)
			start_seq(d, &r->j.row[i]);
		else
			start_order(d, &r->j.row[i]);
	}
	if (r->q.n == DESK_PAGE) {
		memcpy(e->start_after, r->j.row[DESK_PAGE - 1].row.key, sizeof(e->start_after));
		return;
	}
	e->start_after[0] = 0;
	e->starting++;
}

static void start_failed(struct desk *d, struct desk_run *r, int rc)
{
	d->e->start_due_ms = d->now_ms + DESK_AGAIN_MS;
	desk_alarm(d, &d->e->starting, "%.300s", r->j.why);
}

static const struct desk_run_ops start_ops = {
	.name = "start", .rows = start_rows, .after = start_after, .failed = start_failed, .dry = true
};

void desk_start(struct desk *d, int64_t now_ms)
{
	d->now_ms = now_ms;
	d->e->starting = START_SEQ;
}

static bool start_next(struct desk *d)
{
	struct desk_engine *e = d->e;

	if (e->starting == START_THROUGH || d->now_ms < e->start_due_ms)
		return false;
	if (e->starting < START_OUT)
		return run_begin(d, &start_ops, NULL);
	if (e->starting == START_OUT) {
		if (out_start(d))
			return true;
		e->starting = START_KEPT;
	}
	if (kept_start(d))
		return true;
	desk_alarm_over(d, &e->starting);
	e->starting = START_THROUGH;
	e->started = true;
	e->in_look = true;
	in_start(d);
	for (unsigned p = 0; p < d->cfg.n_partners; p++)
		e->partner_look[p] = true;
	return false;
}

/* ---- the turn ---- */

static bool next(struct desk *d)
{
	static bool (*const kinds[])(struct desk *) = { verb_next, events_next, out_next,   settle_next,
							in_next,   work_next,	stray_next, kept_next };
	const unsigned n = sizeof(kinds) / sizeof(kinds[0]);

	if (!d->e->started && (start_next(d) || !d->e->started))
		return d->e->run.stage != RUN_IDLE;
	for (unsigned k = 0; k < n; k++) {
		unsigned at = (d->e->turn + k) % n;

		if (kinds[at](d)) {
			d->e->turn = at + 1;
			return true;
		}
	}
	return false;
}

int desk_step(struct desk *d, int64_t now_ms)
{
	d->now_ms = now_ms;
	if (d->e->fatal[0])
		return 0;
	looks_turn(d);
	if (d->e->run.stage == RUN_IDLE)
		return next(d);
	return run_turn(d);
}

int64_t desk_next_due(const struct desk *d)
{
	const struct desk_engine *e = d->e;
	const struct desk_run *r = &e->run;
	int64_t due_ms = INT64_MAX, at[8];

	if (e->fatal[0])
		return INT64_MAX;
	if (r->stage != RUN_IDLE)
		return r->pending ? INT64_MAX : r->retry_ms;
	if (!e->started)
		return e->starting == START_THROUGH ? INT64_MAX : e->start_due_ms;
	at[0] = e->calls ? 0 : INT64_MAX;
	at[1] = events_due(d);
	at[2] = out_due(d);
	at[3] = e->settles ? e->settle_due_ms : INT64_MAX;
	at[4] = in_due(d);
	at[5] = work_due((struct desk *)d);
	at[6] = stray_due(d);
	at[7] = kept_due(d);
	for (int i = 0; i < 8; i++)
		due_ms = at[i] < due_ms ? at[i] : due_ms;
	return due_ms;
}
