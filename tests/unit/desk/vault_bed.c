/* vault_bed.c - a vault's desk on a store in memory, and a subscriber and three operators who are played by hand.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "vault_bed.h"
#include "tree.h"

static const char *const names[PARTIES] = { "shop", "tele-a", "tele-b", "tele-c", "vault" };

const char *vb_path(struct vb *v, const char *name)
{
	static char path[200];

	snprintf(path, sizeof(path), "%s/%s", v->dir, name);
	return path;
}

/* ---- what M sends ---- */

struct take {
	struct vb_got *g;
	struct vb *v;
	unsigned to;
	const struct xchg_schema *s;
	struct ks_wrap *wrap;
};

static int take_line(void *ctx, uint64_t n, char *line, char *err, size_t err_cap)
{
	struct take *t = ctx;
	struct xchg_record r;
	char copy[PKG_RECORD_MAX];

	snprintf(copy, sizeof(copy), "%s", line);
	if (xchg_split(t->s, n, copy, &r, err, err_cap))
		return -1;
	if (t->s->type == XCHG_ACK) {
		snprintf(t->v->ack_result, sizeof(t->v->ack_result), "%s", xchg_value(&r, "result"));
		snprintf(t->v->ack_rule, sizeof(t->v->ack_rule), "%s", xchg_value(&r, "rule"));
	}
	if (t->g->n == VB_LINES)
		return 0;
	snprintf(t->g->line[t->g->n], PKG_RECORD_MAX, "%s", line);
	if (t->wrap) {
		uint8_t block[KS_BLOCK_MAX];
		size_t len = xchg_hex(&r, "keys", block, sizeof(block));

		if (ks_block_unwrap(t->wrap, xchg_value(&r, "iccid"), block, len, &t->g->block[t->g->n])) {
			snprintf(err, err_cap, "the block does not open");
			return -1;
		}
	}
	t->g->n++;
	return 0;
}

static void carry(void *ctx, const char *partner, const char *path, uint64_t seq)
{
	struct vb *v = ctx;
	struct take t = { .v = v };
	struct pkg_partner *vault;
	char err[400] = "";
	struct pkg *p;
	int rc;

	while (strcmp(names[t.to], partner))
		t.to++;
	assert_int_equal(pkg_partner_load(&vault, v->p[M].party, v->p[M].party_len, err, sizeof(err)), 0);
	if (pkg_open(&p, path, err, sizeof(err)))
		fail_msg("%s", err);
	rc = pkg_verify(p, vault, partner, v->now_ms / 1000, err, sizeof(err));
	if (rc == PKG_E_TIME) /* still carried, since nobody acknowledges anything here */
		goto out;
	if (rc)
		fail_msg("%s", err);
	for (unsigned i = 0; i < v->n_seen; i++)
		if (!memcmp(v->seen[i], pkg_head(p)->id, PKG_ID_LEN))
			goto out;
	assert_true(v->n_seen < 4096);
	memcpy(v->seen[v->n_seen++], pkg_head(p)->id, PKG_ID_LEN);
	t.s = xchg_schema(pkg_head(p)->type);
	assert_non_null(t.s);
	t.g = &v->got[t.to][t.s->type];
	t.g->n = 0;
	t.g->packages++;
	t.g->head = *pkg_head(p);
	if (t.s->keys)
		t.wrap = pkg_unwrap(p, v->p[t.to].self, err, sizeof(err));
	if (pkg_read(p, v->p[t.to].self, take_line, &t, err, sizeof(err)))
		fail_msg("%s: %s", pkg_head(p)->type, err);
	ks_wrap_free(t.wrap);
out:
	pkg_close(p);
	pkg_partner_free(vault);
}

/* ---- M ---- */

static int64_t no_delay(void *ctx, const char *what, struct store_batch *b)
{
	return 1;
}

static int fault(void *ctx, struct store_batch *b)
{
	struct vb *v = ctx;

	if (++v->commits != v->crash_at)
		return STORE_OK;
	v->crashed = true;
	return v->crash_keeps ? STORE_OK : STORE_E_IO;
}

static int64_t now(void *ctx)
{
	return ((struct vb *)ctx)->now_ms;
}

static void logged(void *ctx, int level, const char *line)
{
	struct vb *v = ctx;

	if (v->verbose)
		printf("%lld <%d> %s\n", (long long)(v->now_ms - VB_NOW), level, line);
}

void vb_up(struct vb *v)
{
	static const unsigned roles[PARTIES] = { XCHG_S, XCHG_A | XCHG_B, XCHG_A | XCHG_B, XCHG_A | XCHG_B, 0 };
	struct store_mem_hooks hooks = { .delay = no_delay, .fault = fault, .now_ms = now, .ctx = v };
	struct desk_deps deps = {
		.ks = v->p[M].ks, .self = v->p[M].self, .log = logged, .log_ctx = v, .carry = carry, .carry_ctx = v
	};
	static struct desk_cfg cfg;
	char err[DESK_ERR_MAX];

	v->crashed = false;
	v->store = store_mem_open(v->disk, &hooks);
	assert_non_null(v->store);
	deps.store = v->store;
	cfg = (struct desk_cfg){ .roles = DESK_VAULT, .low_water = 2 };
	snprintf(cfg.dir, sizeof(cfg.dir), "%s", v->m_dir);
	for (unsigned i = S; i < M; i++) {
		struct desk_partner *n = &cfg.partner[cfg.n_partners++];

		assert_int_equal(pkg_partner_load(&n->pinned, v->p[i].party, v->p[i].party_len, err, sizeof(err)), 0);
		n->roles = roles[i];
	}
	v->desk = desk_new(&cfg, &deps, err);
	if (!v->desk)
		fail_msg("%s", err);
	desk_start(v->desk, v->now_ms);
}

void vb_down(struct vb *v)
{
	if (!v->store)
		return;
	v->store->ops->close(v->store);
	v->store = NULL;
	desk_free(v->desk);
	v->desk = NULL;
}

static void crash(struct vb *v)
{
	v->crash_at = 0;
	store_mem_crash(v->store, NULL, NULL);
	v->store = NULL;
	desk_free(v->desk);
	vb_up(v);
}

void vb_run(struct vb *v, int64_t within_ms)
{
	const int64_t end_ms = v->now_ms + within_ms;

	for (unsigned turns = 0; turns < 100000; turns++) {
		int64_t due_ms, d_ms;

		v->store->ops->poll(v->store);
		if (v->crashed) {
			crash(v);
			continue;
		}
		if (desk_fatal(v->desk))
			fail_msg("%s", desk_fatal(v->desk));
		if (desk_step(v->desk, v->now_ms))
			continue;
		due_ms = desk_next_due(v->desk);
		d_ms = store_mem_due(v->store);
		due_ms = d_ms < due_ms ? d_ms : due_ms;
		if (due_ms > end_ms)
			return;
		v->now_ms = due_ms > v->now_ms ? due_ms : v->now_ms + 1;
	}
	fail_msg("the desk does not come to rest");
}

/* As random as a test may be: another one for each party, the same in each run. */
struct dice {
	uint64_t x;
};

static int dice(void *ctx, uint8_t *buf, size_t len)
{
	struct dice *d = ctx;

	for (size_t i = 0; i < len; i++) {
		d->x = d->x * 6364136223846793005ULL + 1442695040888963407ULL;
		buf[i] = (uint8_t)(d->x >> 33);
	}
	return 0;
}

void vb_make(struct vb *v)
{
	static struct dice dices[PARTIES];

	strcpy(v->dir, "/tmp/otagw-vault-XXXXXX");
	assert_non_null(mkdtemp(v->dir));
	snprintf(v->m_dir, sizeof(v->m_dir), "%s/m", v->dir);
	v->now_ms = VB_NOW;
	v->verbose = getenv("BED_VERBOSE") != NULL;
	for (unsigned i = 0; i < PARTIES; i++) {
		struct vb_party *p = &v->p[i];
		uint8_t kek[32] = { 9, (uint8_t)i }, check[KS_CHECK_LEN];
		struct ks_open_params params = {
			.source = KS_KEK_MEMORY, .kek = kek, .slots = 8, .random = dice, .random_ctx = &dices[i]
		};
		char err[400] = "";

		dices[i].x = i + 1;
		p->name = names[i];
		assert_int_equal(ks_open(&p->ks, &params, NULL, 0, check, err, sizeof(err)), 0);
		if (pkg_self_create(p->ks, p->name, VB_NOW / 1000, &p->party, &p->party_len, &p->sealed, &p->sealed_len,
				    err, sizeof(err)) ||
		    pkg_self_load(&p->self, p->ks, p->party, p->party_len, p->sealed, p->sealed_len, err, sizeof(err)))
			fail_msg("%s", err);
	}
	v->disk = store_mem_disk_new();
	vb_up(v);
	vb_run(v, 0);
}

void vb_free(struct vb *v)
{
	vb_down(v);
	store_mem_disk_free(v->disk);
	for (unsigned i = 0; i < PARTIES; i++) {
		pkg_self_free(v->p[i].self);
		free(v->p[i].party);
		free(v->p[i].sealed);
		ks_close(v->p[i].ks);
	}
	tree_remove(v->dir);
	free(v);
}

/* ---- packages to M ---- */

void vb_write(struct vb *v, const struct vb_package *p, const char *path)
{
	const struct xchg_schema *s = xchg_schema_of(p->type);
	struct pkg_head h = { .seq = p->seq,
			      .created_s = v->now_ms / 1000,
			      .expires_s = p->expires_s ? p->expires_s : v->now_ms / 1000 + 7 * 86400 };
	struct pkg_partner *pinned;
	struct pkg_writer *w;
	char err[400] = "";

	assert_int_equal(pkg_partner_load(&pinned, v->p[p->to].party, v->p[p->to].party_len, err, sizeof(err)), 0);
	snprintf(h.type, sizeof(h.type), "%s", s->name);
	snprintf(h.order, sizeof(h.order), "%s", p->order);
	snprintf(h.from, sizeof(h.from), "%s", names[p->from]);
	snprintf(h.to, sizeof(h.to), "%s", names[p->to]);
	xchg_columns_text(s, h.columns);
	unlink(path);
	if (pkg_write_open(&w, path, &h, v->p[p->from].self, pinned, err, sizeof(err)))
		fail_msg("%s", err);
	for (unsigned i = 0; i < p->attached; i++)
		if (pkg_write_attach(w, p->attach[i].p, p->attach[i].len, err, sizeof(err)))
			fail_msg("%s", err);
	for (unsigned i = 0; i < p->n; i++)
		if (pkg_write_record(w, p->line[i], err, sizeof(err)))
			fail_msg("%s", err);
	if (pkg_write_close(w, &h, err, sizeof(err)))
		fail_msg("%s", err);
	pkg_partner_free(pinned);
}

static void copy(const char *from, const char *to)
{
	char buf[65536];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		assert_int_equal(write(out, buf, (size_t)n), n);
	close(in);
	close(out);
}

void vb_put(struct vb *v, const char *path)
{
	char hidden[200], target[200], name[32], err[DESK_ERR_MAX];

	snprintf(name, sizeof(name), "f%u", v->files++);
	snprintf(hidden, sizeof(hidden), "%s/in/.%s", v->m_dir, name);
	snprintf(target, sizeof(target), "%s/in/%s", v->m_dir, name);
	copy(path, hidden);
	assert_int_equal(rename(hidden, target), 0);
	assert_int_equal(desk_take_file(v->desk, name, err), 0);
}

bool vb_send(struct vb *v, struct vb_package *p)
{
	char path[200];

	p->to = M;
	p->seq = ++v->p[p->from].seq;
	snprintf(path, sizeof(path), "%s", vb_path(v, "package"));
	vb_write(v, p, path);
	v->ack_result[0] = v->ack_rule[0] = 0;
	vb_put(v, path);
	vb_run(v, 2000);
	if (!v->ack_result[0])
		fail_msg("no answer to a package");
	return !strcmp(v->ack_result, "accepted");
}

void vb_iccid(char iccid[ICCID_DIGITS_MAX + 1], unsigned i)
{
	snprintf(iccid, ICCID_DIGITS_MAX + 1, "8988211%012u", i);
}

static void so_lines(char (*line)[PKG_RECORD_MAX], unsigned a, unsigned b, unsigned first, unsigned n, int64_t until_s)
{
	for (unsigned i = 0; i < n; i++) {
		char iccid[ICCID_DIGITS_MAX + 1];

		vb_iccid(iccid, first + i);
		snprintf(line[i], PKG_RECORD_MAX, "%s,3b,deliver-then-activate,%s,%s,vault,%" PRId64, iccid, names[a],
			 names[b], until_s);
	}
}

bool vb_so(struct vb *v, const char *order, unsigned a, unsigned b, unsigned first, unsigned n, int64_t until_s)
{
	static char line[VB_LINES][PKG_RECORD_MAX];
	struct vb_package p = {
		.type = XCHG_SO, .from = S, .order = order, .n = n, .line = (const char(*)[PKG_RECORD_MAX])line
	};

	so_lines(line, a, b, first, n, until_s);
	return vb_send(v, &p);
}

/* ---- what B shows ---- */

static uint8_t *signed_of(const char *path, size_t *len)
{
	char err[400];
	struct pkg *p;
	const uint8_t *der;
	uint8_t *out;

	if (pkg_open(&p, path, err, sizeof(err)))
		fail_msg("%s", err);
	der = pkg_signed(p, len);
	out = malloc(*len);
	memcpy(out, der, *len);
	pkg_close(p);
	return out;
}

static int plan_line(void *ctx, uint64_t n, char *line, char *err, size_t err_cap)
{
	struct vb_plan *p = ctx;

	snprintf(p->line[p->n++], PKG_RECORD_MAX, "%s", line);
	return pkg_tree_add(p->tree, line);
}

struct vb_plan *vb_plan(struct vb *v, const char *order, unsigned a, unsigned b, const struct vb_row *row, unsigned n)
{
	static char line[VB_LINES][PKG_RECORD_MAX];
	struct vb_plan *plan = calloc(1, sizeof(*plan));
	struct vb_package p = { .type = XCHG_SO,
				.from = S,
				.to = b,
				.order = order,
				.seq = 1,
				.n = 1,
				.line = (const char(*)[PKG_RECORD_MAX])line };
	struct pkg_partner *from;
	char path[200], err[400];
	struct pkg *pkg;

	plan->v = v;
	plan->tree = pkg_tree_new();
	snprintf(path, sizeof(path), "%s", vb_path(v, "shown"));
	so_lines(line, a, b, row[0].card, 1, VB_UNTIL);
	vb_write(v, &p, path);
	plan->so = signed_of(path, &plan->so_len);
	for (unsigned i = 0; i < n; i++) {
		char iccid[ICCID_DIGITS_MAX + 1];

		vb_iccid(iccid, row[i].card);
		snprintf(line[i], PKG_RECORD_MAX, "%s,%s,%u,%u,%u,m2m-sub", iccid, row[i].imsi, row[i].from, row[i].to,
			 row[i].kvn);
	}
	p.type = XCHG_PL;
	p.from = a;
	p.n = n;
	vb_write(v, &p, path);
	plan->pl = signed_of(path, &plan->pl_len);
	assert_int_equal(pkg_partner_load(&from, v->p[a].party, v->p[a].party_len, err, sizeof(err)), 0);
	if (pkg_open(&pkg, path, err, sizeof(err)) ||
	    pkg_verify(pkg, from, names[b], v->now_ms / 1000, err, sizeof(err)) ||
	    pkg_read(pkg, v->p[b].self, plan_line, plan, err, sizeof(err)))
		fail_msg("%s", err);
	pkg_close(pkg);
	pkg_partner_free(from);
	return plan;
}

void vb_plan_free(struct vb_plan *p)
{
	pkg_tree_free(p->tree);
	free(p->so);
	free(p->pl);
	free(p);
}

static size_t hex(char *out, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sprintf(out + 2 * i, "%02x", p[i]);
	out[2 * len] = 0;
	return 2 * len;
}

void vb_kr_line(char line[PKG_RECORD_MAX], struct vb_plan *p, unsigned n, unsigned card, const char *imsi,
		unsigned index)
{
	uint8_t path[PKG_PATH_MAX][PKG_HASH_LEN];
	char iccid[ICCID_DIGITS_MAX + 1], leaf[2 * PKG_RECORD_MAX], hashes[2 * PKG_PATH_MAX * PKG_HASH_LEN + 1];
	unsigned len;

	vb_iccid(iccid, card);
	assert_int_equal(pkg_tree_path(p->tree, n, path, &len), 0);
	hex(leaf, (const uint8_t *)p->line[n], strlen(p->line[n]));
	hex(hashes, path[0], len * PKG_HASH_LEN);
	if (snprintf(line, PKG_RECORD_MAX, "%s,%s,%u,%u,%s,%s", iccid, imsi, index, n, leaf, hashes) >= PKG_RECORD_MAX)
		fail_msg("too long");
}

bool vb_aq(struct vb *v, const char *order, unsigned who, unsigned card, unsigned from)
{
	static char line[1][PKG_RECORD_MAX];
	struct vb_package p = {
		.type = XCHG_AQ, .from = who, .order = order, .n = 1, .line = (const char(*)[PKG_RECORD_MAX])line
	};
	char iccid[ICCID_DIGITS_MAX + 1];

	vb_iccid(iccid, card);
	snprintf(line[0], sizeof(line[0]), "%s,%u", iccid, from);
	return vb_send(v, &p);
}

bool vb_kr(struct vb *v, const char *order, unsigned who, struct vb_plan *plan, const struct vb_row *row, unsigned n)
{
	static char line[VB_LINES][PKG_RECORD_MAX];
	struct vb_package p = { .type = XCHG_KR,
				.from = who,
				.order = order,
				.n = n,
				.line = (const char(*)[PKG_RECORD_MAX])line,
				.attached = 2,
				.attach = { { plan->so, plan->so_len }, { plan->pl, plan->pl_len } } };

	for (unsigned i = 0; i < n; i++)
		vb_kr_line(line[i], plan, i, row[i].card, row[i].imsi, row[i].to);
	return vb_send(v, &p);
}

bool vb_cf(struct vb *v, const char *order, unsigned who, unsigned card, const char *imsi, unsigned index)
{
	static char line[1][PKG_RECORD_MAX];
	struct vb_package p = {
		.type = XCHG_CF, .from = who, .order = order, .n = 1, .line = (const char(*)[PKG_RECORD_MAX])line
	};
	char iccid[ICCID_DIGITS_MAX + 1];

	vb_iccid(iccid, card);
	snprintf(line[0], sizeof(line[0]), "%s,%s,%u,confirmed,E6,%" PRId64 ",,", iccid, imsi, index, v->now_ms / 1000);
	return vb_send(v, &p);
}

/* ---- orders of its operator ---- */

static void verb_done(void *ctx, int rc, const char *text)
{
	struct vb *v = ctx;

	v->verb_done = true;
	v->verb_rc = rc;
	snprintf(v->verb_text, sizeof(v->verb_text), "%s", text);
}

int vb_verb(struct vb *v, struct desk_request r)
{
	r.done = verb_done;
	r.ctx = v;
	v->verb_done = false;
	assert_int_equal(desk_request(v->desk, &r), 0);
	vb_run(v, 3000);
	assert_true(v->verb_done);
	return v->verb_rc;
}

void vb_gen(struct vb *v, unsigned n, unsigned pairs, const char *out)
{
	struct desk_request r = { .verb = DESK_GEN, .pairs = (uint16_t)pairs };
	char list[200];
	FILE *f;

	snprintf(r.out, sizeof(r.out), "%s", out); /* perhaps the one that vb_path() made last */
	snprintf(list, sizeof(list), "%s", vb_path(v, "list.csv"));
	f = fopen(list, "w");
	assert_non_null(f);
	fputs("ICCID,IMSI,MSISDN\n", f);
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "8988211%012u,00101%010u,49170%07u\n", i, i, i);
	fclose(f);
	r.file = list;
	if (vb_verb(v, r))
		fail_msg("%s", v->verb_text);
}

/* ---- to look at ---- */

bool vb_row_get(struct vb *v, enum book book, const char *key, struct store_book *out)
{
	struct store_query q = { .kind = Q_BOOK_GET, .book = (uint8_t)book, .limit = 1, .out = out };

	snprintf(q.key, sizeof(q.key), "%s", key);
	assert_int_equal(store_query_wait(v->store, &q), 0);
	return q.n;
}

void vb_card(struct vb *v, unsigned card, struct vault_card *c, uint64_t *version)
{
	char iccid[ICCID_DIGITS_MAX + 1];
	struct store_book row;

	vb_iccid(iccid, card);
	assert_true(vb_row_get(v, BOOK_CARD, iccid, &row));
	assert_int_equal(vault_card_unpack(c, row.body, row.row.len), 0);
	if (version)
		*version = row.row.version;
}

uint64_t vb_ledger(struct vb *v)
{
	struct ledger_head h = { 0 }, says = { 0 };
	struct store_book row;
	char key[BOOK_KEY_MAX], err[200];

	for (;;) {
		ledger_key(key, h.n + 1);
		if (!vb_row_get(v, BOOK_LEDGER, key, &row))
			break;
		if (ledger_walk(&h, row.body, row.row.len, err, sizeof(err)))
			fail_msg("%s", err);
	}
	if (vb_row_get(v, BOOK_LEDGER, LEDGER_HEAD, &row))
		assert_int_equal(ledger_head_unpack(&says, row.body, row.row.len), 0);
	assert_true(says.n == h.n);
	assert_memory_equal(says.hash, h.hash, sizeof(h.hash));
	return h.n;
}

uint16_t vb_step(struct vb *v, const char *order, unsigned card)
{
	char iccid[ICCID_DIGITS_MAX + 1], key[BOOK_KEY_MAX];
	struct store_book row;

	vb_iccid(iccid, card);
	line_key(key, desk_number(names[S], order), iccid);
	return vb_row_get(v, BOOK_LINE, key, &row) ? row.row.step : 0;
}

const char *vb_value(const struct vb_got *g, unsigned n, const char *column)
{
	static char copy[PKG_RECORD_MAX];
	struct xchg_record r;
	char err[400];

	assert_true(n < g->n);
	snprintf(copy, sizeof(copy), "%s", g->line[n]);
	assert_int_equal(xchg_split(xchg_schema(g->head.type), n, copy, &r, err, sizeof(err)), 0);
	return xchg_value(&r, column);
}
