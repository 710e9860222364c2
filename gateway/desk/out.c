/* out.c - packages out: written beside a job's decision, durable with it, carried until the partner's ACK is there.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A file has its name behind ".new" until it is durable: without a record it is of a job that came to nothing, and is removed at start.  One
 * under its own name was on its way: where the books do not know it, they are older than it is, and its number stays taken.  What is not
 * acknowledged is known from the files of dir/out; a package that is moves to dir/sent.  An ACK is acknowledged by whatever the partner acknowledges behind it, since
 * it takes packages in their order, or by transport's word.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"

#define NEW ".new"

void out_path(const struct desk *d, const char *folder, unsigned partner, uint64_t seq, char path[512])
{
	char file[PARCEL_FILE_MAX];

	parcel_file(file, pkg_partner_name(d->cfg.partner[partner].pinned), seq);
	snprintf(path, 512, "%.255s/%s/%s", d->cfg.dir, folder, file);
}

/* ---- writing ---- */

struct desk_out *out_open_for(struct desk_job *j, enum xchg_type type, unsigned partner, const char *order,
			      uint64_t owner, const uint8_t *about)
{
	struct desk *d = j->d;
	struct desk_run *r = j->run;
	struct desk_out *o = &r->out[r->outs];
	const struct xchg_schema *s = xchg_schema_of(type);
	const struct desk_partner *to = &d->cfg.partner[partner];
	struct pkg_head head = { .created_s = d->now_ms / 1000, .expires_s = d->now_ms / 1000 + d->cfg.package_life_s };

	if (r->outs == DESK_OUTS_MAX) {
		snprintf(j->why, sizeof(j->why), "more than %d packages in one job", DESK_OUTS_MAX);
		return NULL;
	}
	*o = (struct desk_out){ .j = j, .schema = s, .partner = partner, .owner = owner, .step = PARCEL_READY };
	head.seq = (r->seq_out[partner] ? r->seq_out[partner] : d->e->seq[partner].out) + 1;
	snprintf(head.type, sizeof(head.type), "%s", s->name);
	snprintf(head.order, sizeof(head.order), "%s", order);
	snprintf(head.from, sizeof(head.from), "%s", d->self);
	snprintf(head.to, sizeof(head.to), "%s", pkg_partner_name(to->pinned));
	xchg_columns_text(s, head.columns);
	if (about) {
		head.answers = true;
		memcpy(head.about, about, sizeof(head.about));
	}
	out_path(d, "out", partner, head.seq, o->path);
	strcat(o->path, NEW); /* a path has 256 characters and a name */
	if (pkg_write_open(&o->w, o->path, &head, d->deps.self, to->pinned, j->why, sizeof(j->why)))
		return NULL;
	r->outs++;
	r->seq_out[partner] = head.seq;
	snprintf(o->parcel.type, sizeof(o->parcel.type), "%s", s->name);
	snprintf(o->parcel.order, sizeof(o->parcel.order), "%s", order);
	o->parcel.seq = head.seq;
	o->parcel.at_ms = d->now_ms;
	parcel_file(o->parcel.file, head.to, head.seq);
	return o;
}

struct desk_out *out_open(struct desk_job *j, enum xchg_type type, const char *partner, const uint8_t *about)
{
	int at = partner_index(j->d, partner);

	if (at < 0) {
		snprintf(j->why, sizeof(j->why), "%s is no partner in the configuration", partner);
		return NULL;
	}
	return out_open_for(j, type, (unsigned)at, j->order ? j->order->o.name : DESK_NO_ORDER,
			    j->order ? j->order->o.number : 0, about);
}

int out_attach(struct desk_out *o, const uint8_t *der, size_t len)
{
	return pkg_write_attach(o->w, der, len, o->j->why, sizeof(o->j->why));
}

struct ks_wrap *out_wrap(struct desk_out *o)
{
	return pkg_write_wrap(o->w, o->j->why, sizeof(o->j->why));
}

int out_record(struct desk_out *o, const char *const *value)
{
	char line[PKG_RECORD_MAX];

	if (xchg_join(o->schema, value, line, sizeof(line), o->j->why, sizeof(o->j->why)))
		return -1;
	if (pkg_write_record(o->w, line, o->j->why, sizeof(o->j->why)))
		return -1;
	o->parcel.records++;
	return 0;
}

uint64_t out_records(const struct desk_out *o)
{
	return o->parcel.records;
}

int out_close(struct desk_out *o)
{
	struct desk_job *j = o->j;
	struct pkg_head head;
	uint8_t body[BOOK_BODY_MAX];
	char key[BOOK_KEY_MAX];
	int len, rc = pkg_write_close(o->w, &head, j->why, sizeof(j->why));

	o->w = NULL;
	if (rc)
		return rc;
	o->closed = true;
	memcpy(o->parcel.id, head.id, sizeof(head.id));
	parcel_key(key, head.to, head.seq);
	len = parcel_pack(&o->parcel, body);
	job_put(j, BOOK_OUT, key, o->owner, o->step, 0, body, len < 0 ? 0 : (size_t)len);
	return 0;
}

/* Only the last one of a job can be taken back: its number is the next one's. */
void out_drop(struct desk_out *o)
{
	struct desk_run *r = o->j->run;

	assert(o == &r->out[r->outs - 1] && !o->closed);
	pkg_write_drop(o->w);
	o->w = NULL;
	r->outs--;
	r->seq_out[o->partner] = o->parcel.seq - 1 == o->j->d->e->seq[o->partner].out ? 0 : o->parcel.seq - 1;
}

/* The job has come to nothing. */
void run_drop_outs(struct desk_run *r)
{
	for (unsigned i = 0; i < r->outs; i++) {
		pkg_write_drop(r->out[i].w);
		r->out[i].w = NULL;
		if (r->out[i].closed)
			unlink(r->out[i].path);
	}
	r->outs = 0;
}

/* ---- what waits for its ACK ---- */

bool unacked_add(struct desk *d, const struct unacked *u)
{
	struct desk_engine *e = d->e;

	if (e->n_unacked == e->unacked_cap) {
		unsigned cap = e->unacked_cap ? e->unacked_cap * 2 : 64;
		struct unacked *more = realloc(e->unacked, cap * sizeof(*more));

		if (!more)
			return false;
		e->unacked = more;
		e->unacked_cap = cap;
	}
	e->unacked[e->n_unacked++] = *u;
	return true;
}

struct unacked *unacked_by_id(struct desk *d, unsigned partner, const uint8_t id[PKG_ID_LEN])
{
	for (unsigned i = 0; i < d->e->n_unacked; i++)
		if (d->e->unacked[i].partner == partner && !memcmp(d->e->unacked[i].id, id, PKG_ID_LEN))
			return &d->e->unacked[i];
	return NULL;
}

/* The partner has it, and that is durable. */
void unacked_drop(struct desk *d, unsigned partner, uint64_t seq)
{
	struct desk_engine *e = d->e;
	char from[512], to[512];

	for (unsigned i = 0; i < e->n_unacked; i++) {
		if (e->unacked[i].partner != partner || e->unacked[i].seq != seq)
			continue;
		memmove(&e->unacked[i], &e->unacked[i + 1], (--e->n_unacked - i) * sizeof(*e->unacked));
		out_path(d, "out", partner, seq, from);
		out_path(d, "sent", partner, seq, to);
		if (rename(from, to))
			desk_log(d, 4, "%s: cannot be moved to %s: %s", from, to, strerror(errno));
		return;
	}
}

static void out_named(struct desk *d, unsigned partner, uint64_t seq, const char *path)
{
	char to[512];

	out_path(d, "out", partner, seq, to);
	if (rename(path, to))
		desk_alarm(d, d->deps.self, "%s: cannot be named %s: %s", path, to, strerror(errno));
}

/* A partner that was away for long gets what waits for it all the same: in time it is signed anew, under its own number.  False: it must not
 * be carried. */
static bool renewed(struct desk *d, struct unacked *u)
{
	const int64_t life_ms = d->cfg.package_life_s * 1000;
	char path[512], err[DESK_ERR_MAX] = "";
	struct pkg *p;

	out_path(d, "out", u->partner, u->seq, path);
	if (!u->expires_ms && !pkg_open(&p, path, err, sizeof(err))) {
		u->expires_ms = pkg_head(p)->expires_s * 1000;
		pkg_close(p);
	}
	if (!u->expires_ms || d->now_ms < u->expires_ms - life_ms / DESK_RENEW_PART)
		return true;
	if (pkg_renew(path, d->deps.self, d->now_ms / 1000, (d->now_ms + life_ms) / 1000, err, sizeof(err))) {
		desk_alarm(d, &d->e->unacked, "%.300s", err);
		return d->now_ms < u->expires_ms;
	}
	desk_log(d, 5, "%s: nobody has taken it for long: signed anew", path);
	desk_alarm_over(d, &d->e->unacked);
	u->expires_ms = d->now_ms + life_ms;
	return true;
}

static struct unacked *waiting(struct desk *d, unsigned partner, uint64_t seq)
{
	for (unsigned i = 0; i < d->e->n_unacked; i++)
		if (d->e->unacked[i].partner == partner && d->e->unacked[i].seq == seq)
			return &d->e->unacked[i];
	return NULL;
}

void out_carry(struct desk *d, unsigned partner, uint64_t seq, bool sent)
{
	struct unacked *u = sent ? NULL : waiting(d, partner, seq);
	char path[512];

	if (u && !renewed(d, u))
		return;
	out_path(d, sent ? "sent" : "out", partner, seq, path);
	if (d->deps.carry && !access(path, R_OK))
		d->deps.carry(d->deps.carry_ctx, pkg_partner_name(d->cfg.partner[partner].pinned), path, seq);
}

void out_durable(struct desk *d, struct desk_run *r)
{
	for (unsigned i = 0; i < r->outs; i++) {
		const struct desk_out *o = &r->out[i];
		struct unacked u = { .partner = o->partner,
				     .seq = o->parcel.seq,
				     .order = o->owner,
				     .ack = o->schema->type == XCHG_ACK,
				     .at_ms = d->now_ms,
				     .expires_ms = d->now_ms + d->cfg.package_life_s * 1000,
				     .due_ms = d->now_ms + DESK_CARRY_MS,
				     .delay_ms = DESK_CARRY_MS };

		memcpy(u.id, o->parcel.id, sizeof(u.id));
		d->e->stats.packages_out++;
		out_named(d, o->partner, o->parcel.seq, o->path);
		desk_log(d, 6, "order %s: %s %" PRIu64 " to %s: %" PRIu64 " records", o->parcel.order, o->parcel.type,
			 o->parcel.seq, pkg_partner_name(d->cfg.partner[o->partner].pinned), o->parcel.records);
		if (!unacked_add(d, &u))
			desk_alarm(d, d->deps.self,
				   "out of memory: packages are carried again at the next start alone");
		out_carry(d, o->partner, o->parcel.seq, false);
	}
	r->outs = 0; /* they stay */
}

void desk_carried(struct desk *d, const char *partner, uint64_t seq)
{
	int at = partner_index(d, partner);

	for (unsigned i = 0; at >= 0 && i < d->e->n_unacked; i++) {
		struct unacked *u = &d->e->unacked[i];

		if (u->partner != (unsigned)at || u->seq != seq)
			continue;
		u->carried = true;
		u->delay_ms = DESK_CARRY_MAX_MS;
		u->due_ms = d->now_ms + u->delay_ms;
		d->e->carried |= u->ack;
	}
}

/* ---- ACKs that were carried: nothing answers them ---- */

static bool carried_rows(struct desk *d, struct desk_run *r)
{
	struct desk_engine *e = d->e;
	unsigned n = 0;

	for (unsigned i = 0; i < e->n_unacked && n < DESK_PAGE_CARDS; i++) {
		const struct unacked *u = &e->unacked[i];

		if (!u->ack || !u->carried)
			continue;
		parcel_key(r->keys[n], pkg_partner_name(d->cfg.partner[u->partner].pinned), u->seq);
		e->carried_as[n++] = (struct carried){ u->partner, u->seq };
	}
	e->carried = n == DESK_PAGE_CARDS;
	r->j.n = n;
	return run_keys(r, BOOK_OUT, n, r->j.row);
}

void out_put_acked(struct desk_job *j, const struct store_book *row, enum parcel_step step, const char *rule,
		   uint64_t skipped)
{
	struct parcel p;
	uint8_t body[BOOK_BODY_MAX];
	int len;

	if (!row->row.version || row->row.step != PARCEL_READY || parcel_unpack(&p, row->body, row->row.len))
		return;
	p.ended_ms = j->d->now_ms;
	p.skipped = skipped;
	snprintf(p.rule, sizeof(p.rule), "%s", rule);
	len = parcel_pack(&p, body);
	job_put(j, BOOK_OUT, row->row.key, row->row.owner, (uint16_t)step, row->row.version, body,
		len < 0 ? 0 : (size_t)len);
}

static int carried_decide(struct desk *d, struct desk_run *r)
{
	for (unsigned i = 0; i < r->j.n; i++)
		out_put_acked(&r->j, &r->j.row[i], PARCEL_ACKED, "", 0);
	return 0;
}

static void carried_after(struct desk *d, struct desk_run *r)
{
	for (unsigned i = 0; i < r->j.n; i++)
		unacked_drop(d, d->e->carried_as[i].partner, d->e->carried_as[i].seq);
}

static void carried_failed(struct desk *d, struct desk_run *r, int rc)
{
	d->e->carried = true;
	d->e->carried_due_ms = d->now_ms + DESK_AGAIN_MS;
}

static const struct desk_run_ops carried_ops = { .name = "carried",
						 .rows = carried_rows,
						 .decide = carried_decide,
						 .after = carried_after,
						 .failed = carried_failed };

/* ---- what nobody takes ---- */

void out_overdue(const struct desk *d, char text[DESK_ERR_MAX])
{
	const struct unacked *oldest = NULL;
	unsigned n = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < d->e->n_unacked; i++) {
		const struct unacked *u = &d->e->unacked[i];

		if (u->ack || d->now_ms - u->at_ms < DESK_OVERDUE_MS)
			continue;
		n++;
		if (!oldest || u->at_ms < oldest->at_ms)
			oldest = u;
	}
	if (oldest)
		snprintf(text, DESK_ERR_MAX,
			 "%u package%s not acknowledged for more than %lld days, the oldest one is number %" PRIu64
			 " to %s (%lld days): is it reachable? They can be brought as files, too",
			 n, n == 1 ? " is" : "s are", (long long)(DESK_OVERDUE_MS / 86400000), oldest->seq,
			 pkg_partner_name(d->cfg.partner[oldest->partner].pinned),
			 (long long)((d->now_ms - oldest->at_ms) / 86400000));
}

bool out_next(struct desk *d)
{
	struct desk_engine *e = d->e;
	unsigned n = 0;

	for (unsigned i = 0; i < e->n_unacked && n < DESK_CARRY_TURN; i++) {
		struct unacked *u = &e->unacked[i];

		if (d->now_ms < u->due_ms)
			continue;
		n++;
		u->delay_ms = grown(u->delay_ms, DESK_CARRY_MS, DESK_CARRY_MAX_MS);
		u->due_ms = d->now_ms + u->delay_ms;
		out_carry(d, u->partner, u->seq, false);
	}
	if (!e->carried || d->now_ms < e->carried_due_ms)
		return false;
	return run_begin(d, &carried_ops, NULL);
}

int64_t out_due(const struct desk *d)
{
	int64_t due_ms = d->e->carried ? d->e->carried_due_ms : INT64_MAX;

	for (unsigned i = 0; i < d->e->n_unacked; i++)
		if (d->e->unacked[i].due_ms < due_ms)
			due_ms = d->e->unacked[i].due_ms;
	return due_ms;
}

/* ---- at start: what stands in dir/out ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct out_file *)a)->file, ((const struct out_file *)b)->file);
}

bool parcel_file_parse(const struct desk *d, const char *file, unsigned *partner, uint64_t *seq)
{
	char name[PKG_NAME_MAX + 1], again[PARCEL_FILE_MAX];
	const char *dash = strrchr(file, '-');
	int at;

	if (!dash || (size_t)(dash - file) > PKG_NAME_MAX)
		return false;
	memcpy(name, file, (size_t)(dash - file));
	name[dash - file] = 0;
	at = partner_index(d, name);
	*seq = strtoull(dash + 1, NULL, 10);
	*partner = (unsigned)at;
	parcel_file(again, name, *seq);
	return at >= 0 && !strcmp(again, file);
}

static int out_list(struct desk *d)
{
	struct desk_engine *e = d->e;
	char path[600];
	struct dirent *en;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/out", d->cfg.dir);
	dir = opendir(path);
	while (dir && (en = readdir(dir))) {
		struct out_file f = { 0 };

		size_t len = strlen(en->d_name);

		if (en->d_name[0] == '.')
			continue;
		f.fresh = len > strlen(NEW) && !strcmp(en->d_name + len - strlen(NEW), NEW);
		if (f.fresh)
			len -= strlen(NEW);
		if (len < sizeof(f.file))
			memcpy(f.file, en->d_name, len);
		if (!f.file[0] || !parcel_file_parse(d, f.file, &f.partner, &f.seq)) {
			snprintf(path, sizeof(path), "%s/out/%s", d->cfg.dir, en->d_name);
			if (strlen(en->d_name) > 5 && !strcmp(en->d_name + strlen(en->d_name) - 5, ".part"))
				unlink(path);
			else
				desk_log(d, 4,
					 "%s: not of us, or of a partner that is gone from the configuration: left",
					 path);
			continue;
		}
		if (e->out_files == e->out_files_cap) {
			unsigned cap = e->out_files_cap ? e->out_files_cap * 2 : 64;
			struct out_file *more = realloc(e->out_file, cap * sizeof(*more));

			if (!more)
				break;
			e->out_file = more;
			e->out_files_cap = cap;
		}
		e->out_file[e->out_files++] = f;
	}
	if (dir)
		closedir(dir);
	if (e->out_files)
		qsort(e->out_file, e->out_files, sizeof(*e->out_file), by_name);
	return dir ? 0 : -1;
}

static bool start_rows(struct desk *d, struct desk_run *r)
{
	struct desk_engine *e = d->e;
	unsigned left = e->out_files - e->out_at;

	r->j.n = left < DESK_PAGE ? left : DESK_PAGE;
	for (unsigned i = 0; i < r->j.n; i++) {
		const struct out_file *f = &e->out_file[e->out_at + i];

		parcel_key(r->keys[i], pkg_partner_name(d->cfg.partner[f->partner].pinned), f->seq);
	}
	return run_keys(r, BOOK_OUT, r->j.n, r->j.row);
}

/* The books are older than the file: it was on its way, and perhaps there, when they were still those that knew it. */
static void kept(struct desk *d, const struct out_file *f, const char *path, struct unacked *u)
{
	char err[DESK_ERR_MAX];
	struct pkg *p;

	if (f->seq > d->e->seq[f->partner].out)
		d->e->seq[f->partner].out = f->seq;
	if (pkg_open(&p, path, err, sizeof(err))) {
		desk_log(d, 4, "%s", err);
		return;
	}
	u->ack = !strcmp(pkg_head(p)->type, xchg_schema_of(XCHG_ACK)->name);
	memcpy(u->id, pkg_head(p)->id, sizeof(u->id));
	u->at_ms = pkg_head(p)->created_s * 1000;
	pkg_close(p);
	desk_log(d, 4, "%s: the books are older than this package: its number stays taken", path);
	unacked_add(d, u);
}

static void start_one(struct desk *d, const struct out_file *f, const struct store_book *row)
{
	struct unacked u = { .partner = f->partner, .seq = f->seq, .order = row->row.owner, .due_ms = d->now_ms };
	struct parcel p;
	char from[512], to[512];

	out_path(d, "out", f->partner, f->seq, from);
	snprintf(to, sizeof(to), "%.400s" NEW, from);
	if (f->fresh && row->row.version)
		out_named(d, f->partner, f->seq, to);
	if (!row->row.version && !f->fresh) {
		kept(d, f, from, &u);
	} else if (!row->row.version) {
		desk_log(d, 5, "%s: of a job that came to nothing: removed", to);
		unlink(to);
	} else if (row->row.step != PARCEL_READY) {
		out_path(d, "sent", f->partner, f->seq, to);
		rename(from, to);
	} else if (parcel_unpack(&p, row->body, row->row.len)) {
		desk_alarm(d, d->deps.self, "%s: its record cannot be read: check-store, or restore a backup", from);
	} else {
		u.ack = !strcmp(p.type, xchg_schema_of(XCHG_ACK)->name);
		u.at_ms = p.at_ms;
		memcpy(u.id, p.id, sizeof(u.id));
		unacked_add(d, &u);
	}
}

static void start_after(struct desk *d, struct desk_run *r)
{
	for (unsigned i = 0; i < r->j.n; i++)
		start_one(d, &d->e->out_file[d->e->out_at + i], &r->j.row[i]);
	d->e->out_at += r->j.n;
}

static void start_failed(struct desk *d, struct desk_run *r, int rc)
{
	d->e->start_due_ms = d->now_ms + DESK_AGAIN_MS;
}

static const struct desk_run_ops start_ops = {
	.name = "start-out", .rows = start_rows, .after = start_after, .failed = start_failed, .dry = true
};

static void take_again(struct desk *d, const char *folder, unsigned partner, uint64_t seq)
{
	char from[512], to[512];

	out_path(d, folder, partner, seq, from);
	out_path(d, "held", partner, seq, to);
	if (rename(from, to))
		desk_log(d, 4, "%s: cannot be moved to %s: %s", from, to, strerror(errno));
}

/* One file of a folder that only holds what the books know.  `out`: its number is ours. */
static void restored_file(struct desk *d, const char *folder, const char *file, bool out)
{
	struct desk_engine *e = d->e;
	unsigned partner;
	uint64_t seq;

	if (!parcel_file_parse(d, file, &partner, &seq) || seq <= (out ? e->seq[partner].out : e->seq[partner].in))
		return;
	e->restored = true;
	if (out) { /* a number that was used is never used again */
		if (seq > e->seq[partner].out)
			e->seq[partner].out = seq;
		return;
	}
	take_again(d, folder, partner, seq);
}

/* Of the last ones that the backup knows one may have been under way, and others may have waited for their order: no harm is done to those
 * that were through. */
static void restored_known(struct desk *d)
{
	for (unsigned p = 0; p < d->cfg.n_partners; p++) {
		const uint64_t in = d->e->seq[p].in;

		for (uint64_t seq = in > DESK_HELD_MAX ? in - DESK_HELD_MAX + 1 : 1; seq <= in; seq++) {
			char path[512];

			out_path(d, "done", p, seq, path);
			if (!access(path, F_OK))
				take_again(d, "done", p, seq);
		}
	}
}

/* A backup that was put back knows less than the folders: what had come in since is taken again, and numbers go on behind those
 * that have been seen. */
static void restored_look(struct desk *d)
{
	static const struct {
		const char *name;
		bool out;
	} folders[] = { { "sent", true }, { "done", false }, { "refused", false } };

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char path[300];
		struct dirent *en;
		DIR *dir;

		snprintf(path, sizeof(path), "%s/%s", d->cfg.dir, folders[i].name);
		dir = opendir(path);
		while (dir && (en = readdir(dir)))
			restored_file(d, folders[i].name, en->d_name, folders[i].out);
		if (dir)
			closedir(dir);
	}
	if (d->e->restored) {
		restored_known(d);
		desk_log(d, 4,
			 "%s: the books are older than these packages: a backup was put back? What came in since is "
			 "taken again",
			 d->cfg.dir);
	}
}

/* True: a job was begun; false: dir/out is known. */
bool out_start(struct desk *d)
{
	struct desk_engine *e = d->e;

	if (!e->out_listed) {
		e->out_listed = true;
		restored_look(d);
		if (out_list(d))
			desk_alarm(d, d->deps.self, "%s/out cannot be read: %s", d->cfg.dir, strerror(errno));
	}
	if (e->out_at < e->out_files)
		return run_begin(d, &start_ops, NULL);
	free(e->out_file);
	e->out_file = NULL;
	e->out_files = e->out_files_cap = e->out_at = 0;
	return false;
}

/* ---- looking at one again ---- */

struct pkg *desk_parcel_open(struct desk *d, const char *partner, uint64_t seq, bool out, char err[DESK_ERR_MAX])
{
	static const char *const folders[2][3] = { { "done", "held", "refused" }, { "sent", "out", NULL } };
	int at = partner_index(d, partner);
	struct pkg *p = NULL;

	if (at < 0) {
		snprintf(err, DESK_ERR_MAX, "%s is no partner in the configuration", partner);
		return NULL;
	}
	for (unsigned i = 0; i < 3 && folders[out][i] && !p; i++) {
		char path[512];

		out_path(d, folders[out][i], (unsigned)at, seq, path);
		if (pkg_open(&p, path, err, DESK_ERR_MAX))
			p = NULL;
	}
	return p;
}
