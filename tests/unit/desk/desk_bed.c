/* desk_bed.c - three desks in memory.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "desk_bed.h"
#include "tree.h"

static const char *const names[BED_N] = { "shop", "operator-a", "operator-b" };
static struct bed *the_bed; /* toys have no other way to it */

/* ---- toys ---- */

static void card_key(struct desk_in *in, const struct xchg_record *r, char key[BOOK_KEY_MAX])
{
	line_key(key, in->order ? in->order->o.number : desk_number(in->head->from, in->head->order),
		 xchg_value(r, "iccid"));
}

static int so_begin(struct desk_in *in, struct desk_no *no)
{
	struct order o = { .step = ORDER_OPEN, .kind = ORDER_3B, .lines = in->head->records };

	if (in->dry || in->order)
		return 0;
	snprintf(o.name, sizeof(o.name), "%s", in->head->order);
	snprintf(o.s, sizeof(o.s), "shop");
	snprintf(o.a, sizeof(o.a), "operator-a");
	snprintf(o.b, sizeof(o.b), "operator-b");
	o.number = desk_number(o.s, o.name);
	o.side = strcmp(in->d->self, o.a) ? SIDE_B : SIDE_A;
	return desk_order_new(in->job, &o) ? desk_refuse(no, "orders", "%.150s", in->job->why) : 0;
}

static int so_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no)
{
	struct line *l;

	if (r->row->row.version)
		return desk_refuse(no, "card-twice", "card %s is there already", xchg_value(r->r, "iccid"));
	if (in->dry)
		return 0;
	l = &in->job->line[r->i];
	l->order = in->order->o.number;
	snprintf(l->iccid, sizeof(l->iccid), "%s", xchg_value(r->r, "iccid"));
	job_line_put(in->job, r->i, in->order->o.side == SIDE_A ? A_OPEN : B_OPEN);
	return 0;
}

static int pl_begin(struct desk_in *in, struct desk_no *no)
{
	the_bed->in_pass = in->dry ? 1 : 2;
	return 0;
}

static int pl_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no)
{
	if (!r->line)
		return desk_refuse(no, "card-unknown", "card %s is not in the order", xchg_value(r->r, "iccid"));
	if (the_bed->refuse_line && r->r->n + 1 == the_bed->refuse_line)
		return desk_refuse(no, "toy", "record %u is not liked", the_bed->refuse_line);
	if (in->dry)
		return 0;
	if (r->row->row.step == B_OPEN) {
		the_bed->applied++;
		job_line_put(in->job, r->i, B_PLANNED);
	}
	return 0;
}

static int cf_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no)
{
	if (!r->line)
		return desk_refuse(no, "card-unknown", "card %s is not in the order", xchg_value(r->r, "iccid"));
	if (in->dry || r->row->row.step != A_PLACED)
		return 0;
	in->order->o.closed++;
	job_order_put(in->job);
	job_line_put(in->job, r->i, A_CLOSED);
	return 0;
}

static int send_pl(struct desk *d, struct desk_job *j)
{
	struct desk_out *o = out_open(j, XCHG_PL, j->order->o.b, NULL);

	for (unsigned i = 0; o && i < j->n; i++) {
		const char *v[] = { j->line[i].iccid, "262019999999999", "1", "2", "2", "toy" };

		if (out_record(o, v))
			return -EIO;
		job_line_put(j, i, A_PLACED);
	}
	return o ? out_close(o) : -EIO;
}

static int send_cf(struct desk *d, struct desk_job *j)
{
	struct desk_out *o = out_open(j, XCHG_CF, j->order->o.a, NULL);

	for (unsigned i = 0; o && i < j->n; i++) {
		const char *v[] = { j->line[i].iccid, "262019999999999", "2", "confirmed", "E6", "1795000000", "", "" };

		if (out_record(o, v))
			return -EIO;
		j->order->o.closed++;
		job_line_put(j, i, B_CLOSED);
	}
	job_order_put(j);
	return o ? out_close(o) : -EIO;
}

static const struct desk_kind kinds_a[] = {
	{ .type = XCHG_SO,
	  .side = 1 << SIDE_A,
	  .new_order = true,
	  .book = BOOK_LINE,
	  .key = card_key,
	  .begin = so_begin,
	  .one = so_one },
	{ .type = XCHG_CF, .side = 1 << SIDE_A, .book = BOOK_LINE, .key = card_key, .one = cf_one },
	{ .type = _XCHG_TYPES },
};
static const struct desk_kind kinds_b[] = {
	{ .type = XCHG_SO,
	  .side = 1 << SIDE_B,
	  .new_order = true,
	  .book = BOOK_LINE,
	  .key = card_key,
	  .begin = so_begin,
	  .one = so_one },
	{ .type = XCHG_PL, .side = 1 << SIDE_B, .book = BOOK_LINE, .key = card_key, .begin = pl_begin, .one = pl_one },
	{ .type = _XCHG_TYPES },
};
static const struct desk_work works_a[] = {
	{ .name = "PL", .side = SIDE_A, .book = BOOK_LINE, .step = A_OPEN, .page = 40, .decide = send_pl },
	{ .name = NULL },
};
static const struct desk_work works_b[] = {
	{ .name = "CF", .side = SIDE_B, .book = BOOK_LINE, .step = B_PLANNED, .decide = send_cf },
	{ .name = NULL },
};
const struct desk_tables bed_tables = { .kinds = { kinds_a, kinds_b }, .works = { works_a, works_b } };

/* ---- parties ---- */

static int64_t no_delay(void *ctx, const char *what, struct store_batch *b)
{
	return 1;
}

static int fault(void *ctx, struct store_batch *b)
{
	struct bed_party *p = ctx;

	p->commits++;
	if (p->commits == p->fail_at)
		return STORE_E_IO;
	if (p->commits != p->crash_at)
		return STORE_OK;
	p->crashed = true;
	return p->crash_keeps ? STORE_OK : STORE_E_IO;
}

static int64_t party_now(void *ctx)
{
	return ((struct bed_party *)ctx)->bed->now_ms;
}

static void party_log(void *ctx, int level, const char *line)
{
	struct bed_party *p = ctx;

	if (p->bed->verbose)
		printf("%lld %s <%d> %s\n", (long long)(p->bed->now_ms - BED_NOW), p->name, level, line);
}

static void copy(const char *from, const char *to)
{
	char tmp[512], buf[65536];
	int in = open(from, O_RDONLY), out;
	ssize_t n;

	assert_true(in >= 0);
	snprintf(tmp, sizeof(tmp), "%s.tmp", to);
	out = open(tmp, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		assert_int_equal(write(out, buf, (size_t)n), n);
	close(in);
	close(out);
	assert_int_equal(rename(tmp, to), 0);
}

void bed_put(struct bed *b, unsigned to, const char *path, const char *as)
{
	char target[256], hidden[256], err[DESK_ERR_MAX];
	struct bed_party *p = &b->p[to];

	snprintf(target, sizeof(target), "%s/in/%s", p->dir, as);
	snprintf(hidden, sizeof(hidden), "%s/in/.%s", p->dir, as);
	copy(path, hidden);
	assert_int_equal(rename(hidden, target), 0);
	if (p->desk)
		assert_int_equal(desk_take_file(p->desk, as, err), 0);
}

static void carry(void *ctx, const char *partner, const char *path, uint64_t seq)
{
	struct bed_party *p = ctx;
	struct bed *b = p->bed;
	char as[64];

	for (unsigned to = 0; to < BED_N; to++) {
		if (strcmp(names[to], partner))
			continue;
		if (b->lose && b->lose(b, p, to, seq))
			return;
		b->carried++;
		if (to != BED_S) {
			snprintf(as, sizeof(as), "%s-%llu-%u", p->name, (unsigned long long)seq, b->carried);
			bed_put(b, to, path, as);
			if (b->twice) {
				strcat(as, "-again");
				bed_put(b, to, path, as);
			}
		}
		if (b->acks_told)
			desk_carried(p->desk, partner, seq);
	}
}

void bed_up(struct bed *b, unsigned who)
{
	static const unsigned roles[BED_N] = { XCHG_S, XCHG_A, XCHG_B };
	struct bed_party *p = &b->p[who];
	struct store_mem_hooks hooks = { .delay = no_delay, .fault = fault, .now_ms = party_now, .ctx = p };
	struct desk_deps deps = {
		.ks = p->ks, .self = p->self, .log = party_log, .log_ctx = p, .carry = carry, .carry_ctx = p
	};
	struct desk_cfg cfg = { .roles = DESK_MNO };
	char err[DESK_ERR_MAX];

	p->crashed = false;
	p->restarts++;
	p->store = store_mem_open(p->disk, &hooks);
	assert_non_null(p->store);
	deps.store = p->store;
	snprintf(cfg.dir, sizeof(cfg.dir), "%s", p->dir);
	for (unsigned i = 0; i < BED_N; i++) {
		struct desk_partner *n = &cfg.partner[cfg.n_partners];

		if (i == who)
			continue;
		assert_int_equal(pkg_partner_load(&n->pinned, b->p[i].party, b->p[i].party_len, err, sizeof(err)), 0);
		n->roles = roles[i];
		cfg.n_partners++;
	}
	p->desk = desk_new_with(&cfg, &deps, b->tables, err);
	if (!p->desk)
		fail_msg("%s", err);
	desk_start(p->desk, b->now_ms);
}

void bed_down(struct bed *b, unsigned who)
{
	struct bed_party *p = &b->p[who];

	if (!p->store)
		return;
	p->store->ops->close(p->store);
	p->store = NULL;
	desk_free(p->desk);
	p->desk = NULL;
}

static void crash(struct bed *b, unsigned who)
{
	struct bed_party *p = &b->p[who];

	p->crash_at = 0;
	store_mem_crash(p->store, NULL, NULL);
	p->store = NULL;
	desk_free(p->desk);
	p->desk = NULL;
	bed_up(b, who);
}

void bed_run(struct bed *b, int64_t within_ms)
{
	const int64_t end_ms = b->now_ms + within_ms;

	for (unsigned turns = 0; turns < 1000000; turns++) {
		int64_t due_ms = INT64_MAX;
		bool did = false;

		for (unsigned i = 0; i < BED_N; i++) {
			struct bed_party *p = &b->p[i];
			int64_t d_ms;

			if (!p->desk)
				continue;
			p->store->ops->poll(p->store);
			if (p->crashed) {
				crash(b, i);
				did = true;
				continue;
			}
			assert_null(desk_fatal(p->desk));
			did |= desk_step(p->desk, b->now_ms) != 0;
			d_ms = desk_next_due(p->desk);
			due_ms = d_ms < due_ms ? d_ms : due_ms;
			d_ms = store_mem_due(p->store);
			due_ms = d_ms < due_ms ? d_ms : due_ms;
		}
		if (did)
			continue;
		if (due_ms > end_ms)
			return;
		b->now_ms = due_ms > b->now_ms ? due_ms : b->now_ms + 1;
	}
	fail_msg("the desks do not come to rest");
}

void bed_make(struct bed *b)
{
	the_bed = b;
	/* many small files, each flushed: in memory where there is such a place */
	strcpy(b->dir, "/dev/shm/otagw-desk-XXXXXX");
	if (!mkdtemp(b->dir)) {
		strcpy(b->dir, "/tmp/otagw-desk-XXXXXX");
		assert_non_null(mkdtemp(b->dir));
	}
	b->now_ms = BED_NOW;
	b->tables = &bed_tables;
	b->verbose = getenv("BED_VERBOSE") != NULL;
	for (unsigned i = 0; i < BED_N; i++) {
		struct bed_party *p = &b->p[i];
		uint8_t kek[32] = { 1, (uint8_t)i }, check[KS_CHECK_LEN];
		struct ks_open_params params = { .source = KS_KEK_MEMORY, .kek = kek, .slots = 8 };
		char err[400] = "";

		p->bed = b;
		p->at = i;
		snprintf(p->name, sizeof(p->name), "%s", names[i]);
		snprintf(p->dir, sizeof(p->dir), "%s/%s", b->dir, names[i]);
		assert_int_equal(ks_open(&p->ks, &params, NULL, 0, check, err, sizeof(err)), 0);
		if (pkg_self_create(p->ks, p->name, BED_NOW / 1000, &p->party, &p->party_len, &p->sealed,
				    &p->sealed_len, err, sizeof(err)) ||
		    pkg_self_load(&p->self, p->ks, p->party, p->party_len, p->sealed, p->sealed_len, err, sizeof(err)))
			fail_msg("%s", err);
		p->disk = store_mem_disk_new();
	}
	bed_up(b, BED_A);
	bed_up(b, BED_B);
	bed_run(b, 0);
}

void bed_free(struct bed *b)
{
	for (unsigned i = 0; i < BED_N; i++) {
		struct bed_party *p = &b->p[i];

		bed_down(b, i);
		store_mem_disk_free(p->disk);
		pkg_self_free(p->self);
		free(p->party);
		free(p->sealed);
		ks_close(p->ks);
	}
	tree_remove(b->dir);
	free(b);
}

/* ---- S ---- */

void bed_so(struct bed *b, unsigned to, uint64_t seq, const char *name, unsigned first, unsigned n, int64_t created_s,
	    int64_t life_s, const char *path)
{
	const struct xchg_schema *s = xchg_schema_of(XCHG_SO);
	struct pkg_head h = { .seq = seq, .created_s = created_s, .expires_s = created_s + life_s };
	struct pkg_partner *pinned;
	struct pkg_writer *w;
	char err[400] = "";

	assert_int_equal(pkg_partner_load(&pinned, b->p[to].party, b->p[to].party_len, err, sizeof(err)), 0);
	strcpy(h.type, "SO");
	snprintf(h.order, sizeof(h.order), "%s", name);
	strcpy(h.from, names[BED_S]);
	strcpy(h.to, names[to]);
	xchg_columns_text(s, h.columns);
	unlink(path);
	if (pkg_write_open(&w, path, &h, b->p[BED_S].self, pinned, err, sizeof(err)))
		fail_msg("%s", err);
	for (unsigned i = first; i < first + n; i++) {
		char line[200];

		snprintf(line, sizeof(line),
			 "8988211%012u,3b,deliver-then-activate,operator-a,operator-b,vault,1895000000", i);
		assert_int_equal(pkg_write_record(w, line, err, sizeof(err)), 0);
	}
	if (pkg_write_close(w, &h, err, sizeof(err)))
		fail_msg("%s", err);
	pkg_partner_free(pinned);
}

void bed_order(struct bed *b, const char *name, unsigned first, unsigned n)
{
	for (unsigned to = BED_A; to <= BED_B; to++) {
		char path[200], as[80];

		snprintf(path, sizeof(path), "%s/so.otapkg", b->dir);
		bed_so(b, to, ++b->p[BED_S].seq[to], name, first, n, b->now_ms / 1000, 86400, path);
		snprintf(as, sizeof(as), "%s.otapkg", name);
		bed_put(b, to, path, as);
		unlink(path);
	}
}

/* ---- to look at ---- */

static int query(struct bed *b, unsigned who, struct store_query *q)
{
	int rc, saved = (int)b->p[who].fail_at;

	b->p[who].fail_at = 0;
	rc = store_query_wait(b->p[who].store, q);
	b->p[who].fail_at = (unsigned)saved;
	return rc;
}

unsigned bed_lines(struct bed *b, unsigned who, const char *order, uint16_t step)
{
	struct store_book_count count[64];
	struct store_query q = {
		.kind = Q_BOOK_COUNT, .book = BOOK_LINE, .id = desk_number("shop", order), .limit = 64, .out = count
	};
	unsigned n = 0;

	assert_int_equal(query(b, who, &q), 0);
	for (unsigned i = 0; i < q.n; i++)
		if (!step || count[i].step == step)
			n += (unsigned)count[i].n;
	return n;
}

bool bed_parcel(struct bed *b, unsigned who, enum book book, const char *partner, uint64_t seq, struct parcel *p,
		uint16_t *step)
{
	static struct store_book row;
	struct store_query q = { .kind = Q_BOOK_GET, .book = (uint8_t)book, .limit = 1, .out = &row };

	parcel_key(q.key, partner, seq);
	assert_int_equal(query(b, who, &q), 0);
	if (!q.n)
		return false;
	*step = row.row.step;
	assert_int_equal(parcel_unpack(p, row.body, row.row.len), 0);
	return true;
}

unsigned bed_files(struct bed *b, unsigned who, const char *folder)
{
	char path[200];
	struct dirent *en;
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", b->p[who].dir, folder);
	dir = opendir(path);
	assert_non_null(dir);
	while ((en = readdir(dir)))
		n += en->d_name[0] != '.';
	closedir(dir);
	return n;
}
