/* c_found.c - a backup was put back, and the books have forgotten changes at home: they are taken in again from their files.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * At the first start of a restore epoch, before any work runs.  Of each card the newest record counts: a card is in one change at a
 * time, so whatever came before had ended, and what was in force then stands in it.  It gives the change and its line back, with the
 * keys, and what is known of how it ended.  Where that is not known, only the card can tell under which keys it is: it is asked under the new ones, told under the old, in turn, until it answers;
 * the same values may be sent any number of times.  Counters are not ours before they have skipped what may have been taken.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "c_int.h"
#include "c_kept.h"
#include "engine.h"

#define SCAN_PAGE 2048 /* records looked at in one turn of the loop */
#define LOOK_PAGE 65536
#define CNTR_TOP  (OTA_CNTR_MAX - (1u << 20))

/* OVER: lines that are open in the books, and a newer change of the card has followed */
enum phase { TAKE_SCAN, TAKE_OVER, TAKE_OVER_ENDS, TAKE_OVER_REST, TAKE_OPEN, TAKE_ORDER, TAKE_LINES };

struct found_entry { /* the newest that is noted of a card */
	char iccid[ICCID_DIGITS_MAX + 1];
	bool has_end;
	uint16_t file;
	int64_t at_ms;
	uint64_t made, end; /* where they stand */
};
struct found_card {
	struct kept made, end;
	bool has_end;
};
struct kept_intake {
	uint8_t phase;
	char (*name)[KEPT_FILE_MAX];
	unsigned files, at;
	struct kept_file f;
	struct found_entry *e;
	unsigned n, cap, slots, next;
	uint32_t *slot; /* index into e + 1; 0: free */
	struct found_card *page;
	unsigned n_page;
	uint64_t cards;
	bool open, more, again, damaged; /* again: at the next start, too */
};

static void intake_free(struct desk *d)
{
	struct kept_intake *in = d->kept.in;

	if (!in)
		return;
	if (in->open)
		kept_close(&in->f);
	free(in->name);
	free(in->e);
	free(in->slot);
	free(in->page);
	free(in);
	d->kept.in = NULL;
}

void kept_free(struct desk *d)
{
	intake_free(d);
	free(d->kept.buf);
}

/* ---- the newest of each card ---- */

static uint32_t hash_of(const char *iccid)
{
	uint32_t h = 2166136261u;

	for (; *iccid; iccid++)
		h = (h ^ (uint8_t)*iccid) * 16777619u;
	return h ^ h >> 15;
}

static uint32_t *place_of(struct kept_intake *in, const char *iccid)
{
	uint32_t at = hash_of(iccid) & (in->slots - 1);

	for (;; at = (at + 1) & (in->slots - 1)) {
		const struct found_entry *e = &in->e[in->slot[at] - 1];

		if (!in->slot[at] || !strcmp(e->iccid, iccid))
			return &in->slot[at];
	}
}

static int table_grow(struct kept_intake *in)
{
	const unsigned cap = in->cap ? 2 * in->cap : 1024;
	struct found_entry *e = realloc(in->e, cap * sizeof(*e));
	uint32_t *slot = e ? calloc(2 * (size_t)cap, sizeof(*slot)) : NULL;

	if (e)
		in->e = e;
	if (!slot)
		return -ENOMEM;
	free(in->slot);
	in->slot = slot;
	in->cap = cap;
	in->slots = 2 * cap;
	for (unsigned i = 0; i < in->n; i++)
		*place_of(in, in->e[i].iccid) = i + 1;
	return 0;
}

static int noted(struct kept_intake *in, const struct kept *k, uint64_t offset)
{
	struct found_entry *e;
	uint32_t *slot;

	if (in->n == in->cap && table_grow(in))
		return -ENOMEM;
	slot = place_of(in, k->iccid);
	e = *slot ? &in->e[*slot - 1] : NULL;
	if (k->kind == KEPT_END) {
		if (e && e->file == in->at && k->at_ms >= e->at_ms) {
			e->has_end = true;
			e->end = offset;
		}
		return 0;
	}
	if (e && e->at_ms > k->at_ms)
		return 0;
	if (!e) {
		*slot = ++in->n;
		e = &in->e[in->n - 1];
	}
	*e = (struct found_entry){ .file = (uint16_t)in->at, .at_ms = k->at_ms, .made = offset };
	memcpy(e->iccid, k->iccid, sizeof(e->iccid));
	return 0;
}

/* ---- one job after the other ---- */

static void failed(struct desk *d, struct desk_run *r, int rc)
{
	d->e->start_due_ms = d->now_ms + DESK_AGAIN_MS;
	desk_alarm(d, &d->kept, "%.300s", r->j.why[0] ? r->j.why : strerror(-rc));
}

/* It can be read no further: its lines stay as they are, and it is taken in once more at the next start. */
static void unread(struct desk *d, const char *why)
{
	struct kept_intake *in = d->kept.in;

	in->again = true;
	if (in->phase == TAKE_OVER_ENDS || in->phase == TAKE_OVER_REST)
		in->phase = TAKE_OVER;
	desk_alarm(d, &d->kept, "a backup was put back, and the change in %.280s", why);
}

/* The next file; when there is none, the next phase. */
static bool opened(struct desk *d)
{
	struct kept_intake *in = d->kept.in;
	char err[DESK_ERR_MAX] = "";

	for (; !in->open && in->at < in->files; in->at += !in->open) {
		in->open = !kept_open(d, in->name[in->at], &in->f, err);
		if (!in->open)
			unread(d, err);
	}
	return in->open;
}

static void unreadable(struct desk *d, int rc)
{
	char why[DESK_ERR_MAX];

	snprintf(why, sizeof(why), "%.100s cannot be read: %s", d->kept.in->f.file, strerror(-rc));
	unread(d, why);
}

static void closed(struct kept_intake *in)
{
	kept_close(&in->f);
	in->open = false;
	in->at++;
	in->next = 0;
}

static void scan_after(struct desk *d, struct desk_run *r)
{
	struct kept_intake *in = d->kept.in;
	struct kept k;
	uint64_t offset;
	int rc = 0;

	(void)r;
	if (!opened(d)) {
		in->at = 0;
		in->phase = TAKE_OVER;
		return;
	}
	for (unsigned i = 0; i < SCAN_PAGE && !rc; i++) {
		rc = kept_read(&in->f, &k, &offset);
		if (rc == 1)
			rc = noted(in, &k, offset);
		else if (!rc)
			break;
		if (!rc && i + 1 == SCAN_PAGE)
			return;
	}
	if (rc)
		unreadable(d, rc);
	if (in->f.damaged) {
		in->damaged = true;
		desk_alarm(
			d, &d->kept,
			"%.100s: %u of its places cannot be read: written when the power failed, or damaged; if a card "
			"of change %.40s does not answer, put a good copy in its place and start with --restored",
			in->f.file, in->f.damaged, in->f.name);
	}
	closed(in);
}

static const struct desk_run_ops scan_ops = {
	.name = "start-changes", .after = scan_after, .failed = failed, .dry = true
};

static bool order_rows(struct desk *d, struct desk_run *r)
{
	snprintf(r->keys[0], BOOK_KEY_MAX, "%s", d->kept.in->f.name);
	memset(r->j.row, 0, sizeof(*r->j.row));
	return run_keys(r, BOOK_ORDER, 1, r->j.row);
}

/* One that is not open, and that the books know, has ended: they know all of it. */
static void order_after(struct desk *d, struct desk_run *r)
{
	struct kept_intake *in = d->kept.in;
	struct order o;

	if (!r->j.row[0].row.version) {
		in->phase = TAKE_LINES;
		return;
	}
	if (!order_unpack(&o, r->j.row[0].body, r->j.row[0].row.len) && o.number != in->f.number) {
		in->again = true;
		desk_alarm(d, &d->kept,
			   "%.100s: another order is called %.40s: what cards have by this change is not known",
			   in->f.file, in->f.name);
	}
	closed(in);
	in->phase = TAKE_OPEN;
}

static const struct desk_run_ops order_ops = {
	.name = "start-changes", .rows = order_rows, .after = order_after, .failed = failed, .dry = true
};

/* ---- lines ---- */

static void page_fill(struct desk *d)
{
	struct kept_intake *in = d->kept.in;
	unsigned looked = 0;

	in->n_page = 0;
	for (; in->next < in->n && in->n_page < DESK_PAGE_CARDS && looked < LOOK_PAGE; in->next++, looked++) {
		const struct found_entry *e = &in->e[in->next];
		struct found_card *c = &in->page[in->n_page];
		int rc = e->file == in->at ? kept_read_at(&in->f, e->made, &c->made) : 0;

		if (rc)
			unreadable(d, rc);
		if (rc || e->file != in->at)
			continue;
		c->has_end = e->has_end && !kept_read_at(&in->f, e->end, &c->end);
		in->n_page++;
	}
}

/* Records of this file, of cards of which a newer change is noted: how it ended, then those whose end is not there.  1: there may be
 * more; 0: no more; a negative errno. */
static int over_fill(struct kept_intake *in)
{
	uint64_t offset;

	in->n_page = 0;
	for (unsigned looked = 0; in->n_page < DESK_PAGE_CARDS && looked < SCAN_PAGE; looked++) {
		struct kept *k = &in->page[in->n_page].made;
		const uint32_t *slot;
		unsigned same = 0;
		int rc = kept_read(&in->f, k, &offset);

		if (rc != 1)
			return rc;
		slot = place_of(in, k->iccid);
		if ((k->kind == KEPT_END) != (in->phase == TAKE_OVER_ENDS) || !*slot || in->e[*slot - 1].file == in->at)
			continue;
		while (strcmp(in->page[same].made.iccid, k->iccid))
			same++;
		if (same < in->n_page)
			in->page[same].made = *k;
		else
			in->n_page++;
	}
	return 1;
}

static bool take_rows(struct desk *d, struct desk_run *r)
{
	struct kept_intake *in = d->kept.in;

	r->j.n = in->n_page;
	for (unsigned i = 0; i < in->n_page; i++)
		line_key(r->keys[i], in->f.number, in->page[i].made.iccid);
	memset(r->j.row, 0, in->n_page * sizeof(*r->j.row));
	memcpy(r->tag, r->keys, in->n_page * sizeof(*r->tag));
	return run_keys(r, BOOK_LINE, in->n_page, r->j.row);
}

static bool take_also(struct desk *d, struct desk_run *r)
{
	struct kept_intake *in = d->kept.in;

	memset(r->j.also, 0, in->n_page * sizeof(*r->j.also));
	for (unsigned i = 0; i < in->n_page; i++)
		snprintf(r->keys[i], BOOK_KEY_MAX, "%s", in->page[i].made.iccid);
	return run_keys(r, BOOK_TAKEN, in->n_page, r->j.also);
}

static const char *take_card(struct desk *d, struct desk_run *r, unsigned i)
{
	(void)r;
	return d->kept.in->page[i].made.iccid;
}

/* Sealed by this keystore for this card, and whole. */
static bool opens(struct desk *d, const struct kept *m)
{
	struct ks *ks = d->deps.ks;
	struct ks_sub_spec spec;
	struct change_keys k;
	uint32_t set = 0;
	bool good;

	if (m->kind != KEPT_KEYS || change_unpack(&k, m->body, m->body_len))
		return false;
	good = !ks_load(ks, m->iccid, k.base_kvn, k.base, k.base_len, &set);
	ks_unload_soon(ks, set);
	set = 0;
	if (good && k.kvn)
		good = !ks_load(ks, m->iccid, k.kvn, k.sealed, k.sealed_len, &set);
	ks_unload_soon(ks, set);
	if (good && k.has_sub)
		good = !ks_sub_spec(ks, m->iccid, k.sub, sizeof(k.sub), &spec);
	return good;
}

static void line_of(struct line *l, const struct kept *m, uint64_t number, const char *profile)
{
	*l = (struct line){ .order = number, .evidence = 255, .from = m->index, .to = m->index, .kvn = m->kvn };
	memcpy(l->iccid, m->iccid, sizeof(l->iccid));
	memcpy(l->imsi, m->imsi, sizeof(l->imsi));
	memcpy(l->msisdn, m->msisdn, sizeof(l->msisdn));
	memcpy(l->old_imsi, m->old_imsi, sizeof(l->old_imsi));
	memcpy(l->old_msisdn, m->old_msisdn, sizeof(l->old_msisdn));
	snprintf(l->profile, sizeof(l->profile), "%s", profile);
}

/* The books know how it ended, or it has been taken in before. */
static bool known(const struct line *l, uint16_t step)
{
	return step == C_CLOSED || step == C_SHRED || step == C_NOTE || l->flags & LINE_FOUND;
}

static void take_one(struct desk_job *j, unsigned i, const struct found_card *f)
{
	struct desk *d = j->d;
	const struct kept *m = &f->made;
	const struct card_row *c = &j->card[i].card;
	const struct store_book *row = &j->row[i], *taken = &j->also[i];
	struct line *l = &j->line[i];
	char key[BOOK_KEY_MAX];

	if (row->row.version && line_unpack(l, row->body, row->row.len)) {
		desk_alarm(d, &d->kept, "line %s of the books cannot be read: check-store, or restore a backup",
			   row->row.key);
		return;
	}
	if (row->row.version && known(l, row->row.step))
		return;
	if (!opens(d, m)) {
		d->kept.in->damaged = true;
		desk_alarm(
			d, &d->kept,
			"card %s: what is noted of it in the file of change %.40s cannot be opened: it was made under "
			"another KEK, or is damaged",
			m->iccid, j->order->o.name);
		return;
	}
	if (!row->row.version)
		j->order->o.lines++;
	if (!row->row.version || !l->kvn)
		line_of(l, m, j->order->o.number, d->cfg.work_profile);
	l->flags |= LINE_FOUND | LINE_ARMED;
	l->again_ms = 0;
	l->again_n = 0;
	if (f->has_end) {
		l->end = f->end.end;
		l->flags |= f->end.flags & (LINE_FINAL | LINE_PROVISIONAL | LINE_PROVISIONED | LINE_CONFIRMED);
		memcpy(l->why, f->end.why, sizeof(l->why));
		if (l->flags & LINE_CONFIRMED)
			l->confirmed_ms = f->end.at_ms;
	}
	/* one that is not in these books is ours all the same as soon as it is imported again */
	l->told = c->gone_ms || (taken->row.version && taken->row.owner != l->order);
	if (!l->told)
		job_put(j, BOOK_TAKEN, l->iccid, l->order, 0, taken->row.version, "", 0);
	line_key(key, l->order, l->iccid);
	job_put(j, BOOK_CHANGE, key, l->order, 0, BOOK_ANY, m->body, m->body_len);
	job_line_put(j, i, C_FOUND);
	job_order_put(j);
	d->kept.in->cards++;
}

static void over_one(struct desk_job *j, unsigned i, const struct kept *k)
{
	const struct store_book *row = &j->row[i], *taken = &j->also[i];
	struct line *l = &j->line[i];
	char key[BOOK_KEY_MAX];

	if (!row->row.version || row->row.step == C_CLOSED || line_unpack(l, row->body, row->row.len))
		return;
	l->end = k->kind == KEPT_END ? k->end : END_FAILED;
	snprintf(l->why, sizeof(l->why), "%s",
		 k->kind == KEPT_END ? k->why : "a newer change has followed, and how this one ended is not known");
	line_key(key, l->order, l->iccid);
	job_put(j, BOOK_CHANGE, key, l->order, 0, BOOK_ANY, "", 0); /* whether there is one or not: none afterwards */
	job_drop(j, BOOK_CHANGE, key, BOOK_ANY);
	c_close(j, i, taken->row.version && taken->row.owner == l->order);
}

static int over_decide(struct desk *d, struct desk_run *r)
{
	struct kept_intake *in = d->kept.in;

	for (unsigned i = 0; i < in->n_page; i++)
		over_one(&r->j, i, &in->page[i].made);
	return 0;
}

static void over_after(struct desk *d, struct desk_run *r)
{
	struct kept_intake *in = d->kept.in;

	(void)r;
	if (in->more)
		return;
	if (in->phase == TAKE_OVER_REST) {
		closed(in);
		in->phase = TAKE_OVER;
		return;
	}
	kept_close(&in->f); /* from its beginning again */
	in->open = false;
	in->phase = TAKE_OVER_REST;
}

static void over_failed(struct desk *d, struct desk_run *r, int rc)
{
	struct kept_intake *in = d->kept.in;

	failed(d, r, rc);
	kept_close(&in->f);
	in->open = false;
	in->phase = TAKE_OVER;
}

static const struct desk_run_ops over_ops = { .name = "start-changes",
					      .rows = take_rows,
					      .also = take_also,
					      .decide = over_decide,
					      .after = over_after,
					      .failed = over_failed };

/* True: a job was begun. */
static bool over_next(struct desk *d)
{
	struct kept_intake *in = d->kept.in;

	for (; opened(d); closed(in)) {
		struct desk_open_order *o = desk_order_number(d, in->f.number);

		if (o) {
			int rc;

			in->phase = in->phase == TAKE_OVER ? TAKE_OVER_ENDS : in->phase;
			rc = over_fill(in);
			in->more = rc > 0;
			if (rc >= 0)
				return run_begin(d, &over_ops, o);
			unreadable(d, rc);
		}
		in->phase = TAKE_OVER;
	}
	in->at = 0;
	in->phase = TAKE_OPEN;
	return false;
}

static int take_decide(struct desk *d, struct desk_run *r)
{
	struct kept_intake *in = d->kept.in;
	struct order o = { .number = in->f.number,
			   .side = SIDE_HOME,
			   .step = ORDER_OPEN,
			   .kind = ORDER_CHANGE,
			   .policy = (uint8_t)in->f.what,
			   .own_list = in->f.own_list != 0,
			   .whole = true,
			   .created_ms = (int64_t)in->f.created_ms };
	int rc = 0;

	memcpy(o.name, in->f.name, sizeof(in->f.name));
	if (!r->j.order && in->n_page)
		rc = desk_order_home(&r->j, &o);
	if (!rc && in->n_page && !r->j.order->o.whole)
		job_alarm(&r->j, "these books know only a part of its list: start it once more, with the same list");
	for (unsigned i = 0; i < in->n_page && !rc; i++)
		take_one(&r->j, i, &in->page[i]);
	ks_settle(d->deps.ks);
	return rc;
}

static void take_after(struct desk *d, struct desk_run *r)
{
	struct kept_intake *in = d->kept.in;

	(void)r;
	if (in->next < in->n)
		return;
	closed(in);
	in->phase = TAKE_OPEN;
}

/* No room for one more open order. */
static void take_failed(struct desk *d, struct desk_run *r, int rc)
{
	struct kept_intake *in = d->kept.in;

	failed(d, r, rc);
	if (rc == -ENOSPC) {
		in->again = true;
		closed(in);
		in->phase = TAKE_OPEN;
		return;
	}
	in->next = 0; /* what is done is known */
}

static const struct desk_run_ops take_ops = { .name = "start-changes",
					      .rows = take_rows,
					      .also = take_also,
					      .card = take_card,
					      .decide = take_decide,
					      .after = take_after,
					      .failed = take_failed };

/* ---- at start ---- */

static bool begin(struct desk *d)
{
	struct kept_intake *in;
	int n;

	if (!d->deps.gw || kept_epoch(d) == d->cfg.epoch)
		return false;
	in = d->kept.in = calloc(1, sizeof(*in));
	if (in)
		in->page = calloc(DESK_PAGE_CARDS, sizeof(*in->page));
	n = in && in->page && !table_grow(in) ? kept_list(d, &in->name) : -ENOMEM;
	if (n > 0) {
		in->files = (unsigned)n < UINT16_MAX ? (unsigned)n : UINT16_MAX;
		desk_log(d, LOG_WARNING, "changes at home: taken in from %d file%s, in case a backup was put back", n,
			 n == 1 ? "" : "s");
		return true;
	}
	if (n < 0)
		desk_alarm(d, &d->kept, "%.250s/changes cannot be read: %s", d->cfg.dir, strerror(-n));
	else if (kept_epoch_put(d, d->cfg.epoch))
		desk_log(d, LOG_WARNING, "%s/changes cannot be written", d->cfg.dir);
	intake_free(d);
	return false;
}

static void done(struct desk *d)
{
	struct kept_intake *in = d->kept.in;
	int rc = in->again ? 0 : kept_epoch_put(d, d->cfg.epoch);

	desk_log(d, LOG_NOTICE, "changes at home: %" PRIu64 " cards taken in of %u that stand in files", in->cards,
		 in->n);
	if (rc)
		desk_alarm(d, &d->kept, "%.250s/changes: %s", d->cfg.dir, strerror(-rc));
	else if (!in->again && !in->damaged)
		desk_alarm_over(d, &d->kept);
	intake_free(d);
}

bool kept_start(struct desk *d)
{
	struct kept_intake *in = d->kept.in;

	if (!in && !begin(d))
		return false;
	in = d->kept.in;
	if (in->phase == TAKE_SCAN)
		return run_begin(d, &scan_ops, NULL);
	if (in->phase < TAKE_OPEN && over_next(d))
		return true;
	if (in->phase == TAKE_OPEN) {
		if (!opened(d)) {
			done(d);
			return false;
		}
		in->phase = desk_order_number(d, in->f.number) ? TAKE_LINES : TAKE_ORDER;
	}
	if (in->phase == TAKE_ORDER)
		return run_begin(d, &order_ops, NULL);
	page_fill(d);
	return run_begin(d, &take_ops, desk_order_number(d, in->f.number));
}

/* ---- the card's own keys, as far as that is known ---- */

/* The older one: what has been taken of it since is not known. */
static void keyset_of(struct desk_job *j, unsigned i, const struct change_keys *k, uint8_t kvn, const uint8_t *sealed,
		      uint16_t len, struct store_card_insert *in)
{
	const struct card_bundle *c = &j->card[i];
	const struct keyset_row *own = c_keyset(c, kvn);
	struct keyset_row *n = &in->keyset[in->n_keysets];
	uint64_t top = k->base_cntr;
	struct ks_keyset_spec spec = { 0 };

	if (own && own->sealed_len == len && !memcmp(own->sealed, sealed, len))
		return;
	if (len && ks_sealed_spec(sealed, len, &spec))
		return;
	*n = (struct keyset_row){ .card = c->card.id,
				  .kvn = kvn,
				  .kic_alg = (uint8_t)spec.kic_alg,
				  .kid_alg = (uint8_t)spec.kid_alg,
				  .cc_len = spec.cc_len,
				  .generation = own ? own->generation + 1 : 1,
				  .epoch = k->base_epoch,
				  .sealed_len = len };
	for (unsigned m = 0; m < c->n_keysets; m++) {
		if (c->keyset[m].kvn > 2)
			continue;
		top = c->keyset[m].cntr > top ? c->keyset[m].cntr : top;
		n->epoch = c->keyset[m].epoch < n->epoch ? c->keyset[m].epoch : n->epoch;
	}
	top += desk_cfg(j->d)->cntr_margin;
	n->cntr = top < CNTR_TOP ? top : CNTR_TOP;
	memcpy(n->sealed, sealed, len);
	in->n_keysets++;
}

/* base, made: which of the two it may have. */
static void keysets_put(struct desk_job *j, unsigned i, const struct change_keys *k, bool base, bool made)
{
	struct store_card_insert in = { .card = j->card[i].card };

	in.card.tz_min = CARD_TZ_KEEP;
	in.card.profile[0] = '\0';
	if (base)
		keyset_of(j, i, k, k->base_kvn, k->base, k->base_len, &in);
	if (made)
		keyset_of(j, i, k, k->kvn, k->sealed, k->sealed_len, &in);
	for (uint8_t kvn = 1; kvn <= 2 && k->base_kvn <= 2; kvn++) {
		const struct keyset_row *own = c_keyset(&j->card[i], kvn);

		if (own && own->sealed_len && !(base && kvn == k->base_kvn) && !(made && kvn == k->kvn)) {
			in.keyset[in.n_keysets] = *own;
			in.keyset[in.n_keysets].generation++;
			in.keyset[in.n_keysets].sealed_len = 0;
			memset(in.keyset[in.n_keysets++].sealed, 0, sizeof(own->sealed));
		}
	}
	if (in.n_keysets)
		job_op(j, i, ST_CARD_INSERT, &in, NULL, 0);
}

static void found(struct desk_job *j, unsigned i, const struct change_keys *k)
{
	struct line *l = &j->line[i];
	const bool ota = k->kvn && l->kvn != k->kvn; /* not yet proven in these books */
	const bool made = ota && (!l->end || l->flags & LINE_FINAL);
	char key[BOOK_KEY_MAX];

	l->card = j->card[i].card.id;
	if (k->has_was) { /* of a change before this one, perhaps */
		snprintf(key, sizeof(key), "%s/%05u", l->iccid, l->from);
		job_put(j, BOOK_SUB, key, l->order, 0, BOOK_ANY, k->was, sizeof(k->was));
	}
	keysets_put(j, i, k, l->kvn == k->base_kvn && !(l->end && made), made || (k->kvn && !ota));
	if (ota && !l->end)
		job_line_put(j, i, C_PROVE);
	else if (made)
		job_line_put(j, i, C_PROVED);
	else if (l->end)
		job_line_put(j, i, C_SHRED);
	else if (k->has_sub)
		job_line_put(j, i, C_ASK);
	else {
		l->end = END_DONE;
		job_line_put(j, i, C_SHRED);
	}
}

int c_found_decide(struct desk *d, struct desk_job *j)
{
	int64_t next_ms = INT64_MAX;

	for (unsigned i = 0; i < j->n; i++) {
		const struct card_row *c = &j->card[i].card;
		struct line *l = &j->line[i];
		struct change_keys k;
		int64_t at_ms = l->again_ms;

		if (at_ms <= desk_now(d) && !c->id) {
			job_alarm(j,
				  "card %s: this change stands in its file, and the card is not in these books: import "
				  "it again, then it "
				  "goes on",
				  l->iccid);
			at_ms = l->again_ms = desk_now(d) + C_RETRY_MS;
			job_line_put(j, i, C_FOUND);
		}
		/* as the backup has it: under keys that the card may have given up since, it would be waited for in vain for days */
		if (at_ms <= desk_now(d) && change_under_way(&j->card[i])) {
			job_settle(j, i, TXN_CANCELLED, "a backup was put back: the card is asked anew");
			at_ms = desk_now(d) + C_BUSY_MS;
		}
		if (at_ms <= desk_now(d) && job_refused(j, i)) /* a command under keys that go must end first */
			at_ms = desk_now(d) + C_BUSY_MS;
		if (at_ms > desk_now(d)) {
			next_ms = at_ms < next_ms ? at_ms : next_ms;
			continue;
		}
		if (c->gone_ms) {
			l->flags &= (uint16_t) ~(LINE_FINAL | LINE_CONFIRMED);
			c_give_up(j, i, END_FAILED, "belongs to another operator now");
			continue;
		}
		if (c_made(j, i, &k))
			found(j, i, &k);
	}
	c_again(j, next_ms);
	return 0;
}
