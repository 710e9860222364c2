/* a_bed.c - a desk that is the old operator, on the real core and a store in memory; its partners are played by hand with real packages.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "a_bed.h"
#include "tree.h"

#define TURNS_MAX 400
#define STEPS_MAX 20000

static const uint8_t kek[32] = "0123456789abcdef0123456789ABCDEF";

/* ---- who ---- */

static struct ks *keys_open(const uint8_t key[32])
{
	const struct ks_open_params p = { .source = KS_KEK_MEMORY, .kek = key, .slots = 64 };
	uint8_t check[KS_CHECK_LEN];
	struct ks *ks;
	char err[160];

	if (ks_open(&ks, &p, NULL, 0, check, err, sizeof(err)))
		fail_msg("keystore: %s", err);
	return ks;
}

/* Keys of a party take long to make: once for all tests of a program. */
static struct made {
	const char *name;
	struct ks *ks;
	char *party;
	size_t party_len;
	uint8_t *sealed;
	size_t sealed_len;
} made[] = { { "operator-a" }, { "operator-b" }, { "vault-m" }, { "subscriber-s" }, { "operator-x" } };
#define PARTIES (sizeof(made) / sizeof(made[0]))

static void party_make(struct made *m)
{
	char err[400] = "";
	uint8_t key[32];

	memcpy(key, kek, sizeof(key));
	key[0] ^= (uint8_t)m->name[strlen(m->name) - 1];
	m->ks = keys_open(key);
	if (pkg_self_create(m->ks, m->name, BED_NOW_MS / 1000, &m->party, &m->party_len, &m->sealed, &m->sealed_len,
			    err, sizeof(err)))
		fail_msg("%s: %s", m->name, err);
}

static void who_make(struct who *w, struct made *m)
{
	char err[400] = "";

	if (!m->ks)
		party_make(m);
	w->name = m->name;
	w->ks = m->ks;
	w->party = m->party;
	w->party_len = m->party_len;
	if (pkg_self_load(&w->self, w->ks, m->party, m->party_len, m->sealed, m->sealed_len, err, sizeof(err)) ||
	    pkg_partner_load(&w->known, m->party, m->party_len, err, sizeof(err)))
		fail_msg("%s: %s", m->name, err);
}

static void who_free(struct who *w)
{
	pkg_self_free(w->self);
	pkg_partner_free(w->known);
}

int bed_parties_end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PARTIES; i++) {
		free(made[i].party);
		free(made[i].sealed);
		ks_close(made[i].ks);
	}
	return 0;
}

/* ---- outside ---- */

static int64_t utc_ms(void *ctx)
{
	return ((struct bed *)ctx)->now_ms;
}

static int random_octets(void *ctx, uint8_t *buf, size_t len)
{
	(void)ctx;
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(17 * i + 3);
	return 0;
}

static uint64_t campaign_id(void *ctx)
{
	return ++((struct bed *)ctx)->campaigns;
}

static int hlr_submit(struct hlr *h, const struct hlr_op *op)
{
	struct bed *b = h->ctx;

	assert_true(b->hlr_ops < BED_HLR_MAX);
	b->hlr_op[b->hlr_ops++] = *op;
	return 0;
}

static const struct hlr_ops hlr_ops = { .name = "by hand", .submit = hlr_submit };

static void line_print(void *ctx, int level, const char *line)
{
	(void)ctx;
	if (getenv("BED_LOG"))
		fprintf(stderr, "%d %s\n", level, line);
}

/* ---- the bed ---- */

static void partner_add(struct desk_cfg *cfg, const struct who *w, unsigned roles, const char *network)
{
	struct desk_partner *p = &cfg->partner[cfg->n_partners++];
	char err[400];

	assert_int_equal(pkg_partner_load(&p->pinned, w->party, w->party_len, err, sizeof(err)), 0);
	p->roles = roles;
	if (network)
		snprintf(p->network[p->networks++], sizeof(p->network[0]), "%s", network);
}

static void boot(struct bed *b)
{
	struct gw_cfg gc;
	struct gw_deps gd = { .env = &b->env, .errtab = b->errtab, .ks = b->a.ks, .log = line_print };
	struct desk_cfg dc = { .roles = DESK_MNO, .arm_fresh_ms = BED_SEEN_MS, .grace_ms = 1000, .cntr_margin = 50 };
	struct desk_deps dd = { .env = &b->env,
				.ks = b->a.ks,
				.self = b->a.self,
				.errtab = b->errtab,
				.log = line_print,
				.campaign_id = campaign_id,
				.campaign_id_ctx = b };
	char err[DESK_ERR_MAX] = "";

	b->store = store_mem_open(b->disk, NULL);
	assert_non_null(b->store);
	gw_cfg_default(&gc);
	gc.n_links = 1;
	gc.epoch = dc.epoch = b->epoch;
	gd.store = dd.store = b->store;
	dd.gw = b->gw = gw_new(&gc, &gd);
	assert_non_null(b->gw);
	gw_start(b->gw, b->now_ms);
	b->hlr = (struct hlr){ .ops = &hlr_ops, .ctx = b };
	dd.hlr = b->has_hlr ? &b->hlr : NULL;
	b->hlr_ops = 0;
	snprintf(dc.dir, sizeof(dc.dir), "%s", b->dir);
	snprintf(dc.work_profile, sizeof(dc.work_profile), "m2m-sub");
	snprintf(dc.profile_dir, sizeof(dc.profile_dir), "%s", b->profiles ? b->profiles : PROFILE_DIR);
	partner_add(&dc, &b->b, XCHG_B, "26202");
	partner_add(&dc, &b->m, XCHG_M, NULL);
	partner_add(&dc, &b->s, XCHG_S, NULL);
	partner_add(&dc, &b->x, XCHG_B, "26203");
	b->desk = desk_new(&dc, &dd, err);
	if (!b->desk)
		fail_msg("desk: %s", err);
	desk_start(b->desk, b->now_ms);
	bed_turn(b);
	assert_true(desk_ready(b->desk));
}

static void shut(struct bed *b)
{
	b->store->ops->close(b->store);
	desk_free(b->desk);
	gw_free(b->gw);
}

void bed_restart(struct bed *b)
{
	shut(b);
	boot(b);
}

static void card_add(struct bed *b, struct store_batch *batch, unsigned i)
{
	const struct ks_keyset_spec spec = {
		.kvn = 1, .kic_alg = OTA_ALG_AES_CBC, .kid_alg = OTA_ALG_AES_CBC, .cc_len = 8
	};
	const struct ks_sub_spec sub = { .index = 1, .aka = KS_AKA_MILENAGE, .sqn = 1 };
	struct store_card_insert in = { .n_keysets = 1 };
	struct book_row row = { .book = BOOK_SUB, .len = KS_SUB_LEN };
	char key[5][40], err[160];
	uint8_t sealed[KS_SUB_LEN];
	int n;

	snprintf(b->iccid[i], sizeof(b->iccid[i]), "8988211%012u", i + 1);
	for (unsigned k = 0; k < 5; k++)
		snprintf(key[k], sizeof(key[k]), "0123456789abcdef0123456789ab%02x%02x", i, k);
	strcpy(in.card.iccid, b->iccid[i]);
	snprintf(in.card.imsi, sizeof(in.card.imsi), "26201%010u", i + 1);
	snprintf(in.card.msisdn, sizeof(in.card.msisdn), "49151%07u", i + 1);
	strcpy(in.card.profile, i == BED_PLAIN ? "usim-rfm" : "m2m-sub");
	in.card.created_ms = b->now_ms;
	n = ks_keyset_import(b->a.ks, b->iccid[i], &spec, key[0], key[1], key[2], in.keyset[0].sealed, err,
			     sizeof(err));
	if (n < 0)
		fail_msg("keys: %s", err);
	in.keyset[0].kvn = 1;
	in.keyset[0].kic_alg = in.keyset[0].kid_alg = OTA_ALG_AES_CBC;
	in.keyset[0].cc_len = 8;
	in.keyset[0].generation = 1;
	in.keyset[0].cntr = 100;
	in.keyset[0].sealed_len = (uint16_t)n;
	store_batch_add(batch, ST_CARD_INSERT, &in, NULL, 0);
	assert_int_equal(ks_sub_import(b->a.ks, b->iccid[i], &sub, key[3], key[4], sealed, err, sizeof(err)),
			 KS_SUB_LEN);
	snprintf(row.key, sizeof(row.key), "%s/00001", b->iccid[i]);
	store_batch_add(batch, ST_BOOK_PUT, &row, sealed, sizeof(sealed));
}

void bed_open(struct bed *b, bool has_hlr)
{
	struct store_batch *batch = store_batch_new();
	char err[ERRTAB_ERR_MAX];

	memset(b, 0, sizeof(*b));
	b->env = (struct env){ .utc_ms = utc_ms, .random = random_octets, .ctx = b };
	b->now_ms = BED_NOW_MS;
	b->has_hlr = has_hlr;
	strcpy(b->dir, "/tmp/otagw-desk-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	b->errtab = errtab_new(err);
	assert_non_null(b->errtab);
	who_make(&b->a, &made[0]);
	who_make(&b->b, &made[1]);
	who_make(&b->m, &made[2]);
	who_make(&b->s, &made[3]);
	who_make(&b->x, &made[4]);
	b->disk = store_mem_disk_new();
	b->store = store_mem_open(b->disk, NULL);
	for (unsigned i = 0; i < BED_CARDS; i++)
		card_add(b, batch, i);
	assert_int_equal(store_commit_wait(b->store, batch), STORE_OK);
	for (size_t i = 0; i < batch->n; i++)
		assert_int_equal(batch->ops[i].rc, 0);
	store_batch_free(batch);
	b->store->ops->close(b->store);
	boot(b);
}

void bed_close(struct bed *b)
{
	shut(b);
	ks_wrap_free(b->wrap);
	store_mem_disk_free(b->disk);
	errtab_free(b->errtab);
	who_free(&b->a);
	who_free(&b->b);
	who_free(&b->m);
	who_free(&b->s);
	who_free(&b->x);
	assert_int_equal(tree_remove(b->dir), 0);
}

/* ---- turns ---- */

static void effect(struct bed *b, struct gw_effect *fx)
{
	if (fx->kind != GW_FX_TXN || fx->rc)
		return;
	if (fx->txn.txn == b->told_txn) {
		fx->txn.state = b->told.state;
		fx->txn.verdict = b->told.verdict;
		fx->txn.evidence = b->told.evidence;
		fx->txn.card_end = b->told.card_end;
		fx->txn.has_card = b->told.has_card;
		fx->txn.index = b->told.index;
		fx->txn.pairs_left = 7;
	}
	desk_on_effect(b->desk, fx);
}

void bed_turn(struct bed *b)
{
	struct gw_effect fx;
	unsigned idle = 0, n = 0;

	while (idle < 3) {
		bool moved = false;

		b->store->ops->poll(b->store);
		while (gw_step(b->gw, b->now_ms))
			moved = true;
		while (gw_effect_next(b->gw, &fx)) {
			effect(b, &fx);
			moved = true;
		}
		while (desk_step(b->desk, b->now_ms) && ++n < STEPS_MAX)
			moved = true;
		if (desk_fatal(b->desk))
			fail_msg("desk: %s", desk_fatal(b->desk));
		assert_true(++n < STEPS_MAX);
		idle = moved ? 0 : idle + 1;
	}
}

void bed_pass(struct bed *b, int64_t ms)
{
	const int64_t end_ms = b->now_ms + ms;

	bed_turn(b);
	for (unsigned i = 0; i < TURNS_MAX && b->now_ms < end_ms; i++) {
		int64_t due_ms = desk_next_due(b->desk), gw_ms = gw_next_due(b->gw);

		due_ms = gw_ms < due_ms ? gw_ms : due_ms;
		if (due_ms <= b->now_ms)
			due_ms = b->now_ms + 1;
		b->now_ms = due_ms < end_ms ? due_ms : end_ms;
		bed_turn(b);
	}
	b->now_ms = end_ms;
	bed_turn(b);
}

/* ---- packages to A ---- */

struct ks_wrap *bed_begin(struct bed *b, struct who *from, struct parcel_out *p)
{
	const struct xchg_schema *s = xchg_schema(p->type);
	struct pkg_head h = { .seq = p->seq ? p->seq : from->out + 1,
			      .created_s = b->now_ms / 1000,
			      .expires_s = p->expires_s ? p->expires_s : b->now_ms / 1000 + 7 * 86400 };
	const struct who *to = p->to ? p->to : &b->a;
	char err[400] = "";
	struct ks_wrap *w = NULL;

	if (p->expires_s)
		h.created_s = p->expires_s - 3600;
	strcpy(h.type, p->type);
	strcpy(h.order, p->order);
	strcpy(h.from, from->name);
	strcpy(h.to, to->name);
	xchg_columns_text(s, h.columns);
	if (p->about) {
		h.answers = true;
		memcpy(h.about, p->about, sizeof(h.about));
	}
	snprintf(p->path, sizeof(p->path), "%s/in/p%u.otapkg", b->dir, ++b->files);
	if (pkg_write_open(&p->w, p->path, &h, from->self, to->known, err, sizeof(err)))
		fail_msg("%s: %s", p->type, err);
	if (s->keys && !(w = pkg_write_wrap(p->w, err, sizeof(err))))
		fail_msg("%s: %s", p->type, err);
	return w;
}

void bed_end_package(struct bed *b, struct who *from, struct parcel_out *p)
{
	struct pkg_head h;
	char err[400] = "", name[24];

	for (unsigned i = 0; i < p->n; i++)
		if (pkg_write_record(p->w, p->record[i], err, sizeof(err)))
			fail_msg("%s: %s", p->type, err);
	if (pkg_write_close(p->w, &h, err, sizeof(err)))
		fail_msg("%s: %s", p->type, err);
	if (h.seq == from->out + 1)
		from->out++;
	snprintf(name, sizeof(name), "p%u.otapkg", b->files);
	assert_int_equal(desk_take_file(b->desk, name, err), 0);
	bed_turn(b);
}

void bed_send(struct bed *b, struct who *from, struct parcel_out *p)
{
	bed_begin(b, from, p);
	bed_end_package(b, from, p);
}

/* ---- packages of A ---- */

static void path_out(const struct bed *b, const struct who *to, char path[160])
{
	char file[PARCEL_FILE_MAX];

	parcel_file(file, to->name, to->in + 1);
	snprintf(path, 160, "%s/out/%s", b->dir, file);
}

static int take(void *ctx, uint64_t n, char *line, char *err, size_t cap)
{
	struct bed *b = ctx;

	assert_true(n < BED_LINES && strlen(line) < BED_LINE_MAX);
	strcpy(b->line[n], line);
	b->n = (unsigned)n + 1;
	return 0;
}

bool bed_nothing(struct bed *b, const struct who *to)
{
	char path[160];

	path_out(b, to, path);
	return access(path, F_OK) != 0;
}

void bed_next(struct bed *b, struct who *to, const char *type)
{
	char path[160], err[400] = "";
	struct pkg *p;

	path_out(b, to, path);
	b->n = 0;
	if (pkg_open(&p, path, err, sizeof(err)))
		fail_msg("%s to %s: %s", type, to->name, err);
	if (pkg_verify(p, b->a.known, to->name, b->now_ms / 1000, err, sizeof(err)) ||
	    pkg_read(p, to->self, take, b, err, sizeof(err)))
		fail_msg("%s to %s: %s", type, to->name, err);
	b->head = *pkg_head(p);
	ks_wrap_free(b->wrap);
	b->wrap = b->head.keys ? pkg_unwrap(p, to->self, err, sizeof(err)) : NULL;
	pkg_close(p);
	to->in++;
	if (strcmp(b->head.type, type))
		fail_msg("%s to %s instead of %s: %s", b->head.type, to->name, type, b->line[0]);
}

const char *bed_value(struct bed *b, unsigned i, const char *column)
{
	static char copy[BED_LINE_MAX];
	struct xchg_record r;
	char err[400];

	assert_true(i < b->n);
	strcpy(copy, b->line[i]);
	if (xchg_split(xchg_schema(b->head.type), i, copy, &r, err, sizeof(err)))
		fail_msg("%s", err);
	return xchg_value(&r, column);
}

const char *bed_answer(struct bed *b, struct who *from)
{
	bed_next(b, from, "ACK");
	return strcmp(bed_value(b, 0, "result"), "rejected") ? "" : bed_value(b, 0, "rule");
}

void bed_say(struct bed *b, struct who *from, const char *type, const char *order, const char *const *record,
	     unsigned n, const uint8_t *about, const char *rule)
{
	struct parcel_out p = { .type = type, .order = order, .record = record, .n = n, .about = about };

	bed_send(b, from, &p);
	assert_string_equal(bed_answer(b, from), rule);
}

/* ---- what is durable ---- */

static void query(struct bed *b, struct store_query *q)
{
	assert_int_equal(store_query_wait(b->store, q), STORE_OK);
}

bool bed_book(struct bed *b, enum book book, const char *key)
{
	struct store_query q = { .kind = Q_BOOK_GET, .book = (uint8_t)book, .limit = 1, .out = &b->row };

	memset(&b->row, 0, sizeof(b->row));
	snprintf(q.key, sizeof(q.key), "%s", key);
	query(b, &q);
	return q.n == 1;
}

const struct line *bed_line(struct bed *b, unsigned card)
{
	char key[BOOK_KEY_MAX];

	line_key(key, desk_number(b->s.name, b->o.name), b->iccid[card]);
	if (!bed_book(b, BOOK_LINE, key) || line_unpack(&b->l, b->row.body, b->row.row.len))
		fail_msg("no line of card %s", b->iccid[card]);
	return &b->l;
}

void bed_at(struct bed *b, unsigned card, enum line_step step)
{
	bed_line(b, card);
	if (b->row.row.step != step)
		fail_msg("card %u: %s instead of %s (%s)", card, line_step_name(b->row.row.step),
			 line_step_name((uint16_t)step), b->l.why);
}

const struct order *bed_order(struct bed *b, const char *name)
{
	if (!bed_book(b, BOOK_ORDER, name))
		return NULL;
	assert_int_equal(order_unpack(&b->o, b->row.body, b->row.row.len), 0);
	return &b->o;
}

const struct card_bundle *bed_card(struct bed *b, unsigned card)
{
	static struct card_bundle bundle;
	struct store_query q = { .kind = Q_CARD, .limit = 1, .out = &bundle };

	strcpy(q.digits, b->iccid[card]);
	query(b, &q);
	assert_int_equal(q.n, 1);
	return &bundle;
}

bool bed_has_work(struct bed *b, unsigned card)
{
	const struct card_bundle *c = bed_card(b, card);

	return c->has_txn && (c->txn.state == TXN_PLANNED || c->txn.state == TXN_ACTIVE);
}

void bed_open_work(struct bed *b, unsigned card, enum work_kind kind, struct work *w)
{
	const struct card_bundle *c;
	struct work own;

	if (!bed_has_work(b, card)) {
		bed_line(b, card);
		fail_msg("card %u has no open work, its line is %s", card, line_step_name(b->row.row.step));
	}
	c = bed_card(b, card);
	w = w ? w : &own;
	assert_int_equal(work_unpack(w, c->work, c->work_len), 0);
	if (w->kind != kind)
		fail_msg("%s is open instead of %s", work_kind_name(w->kind), work_kind_name((uint8_t)kind));
}

void bed_ends(struct bed *b, unsigned card, enum work_kind kind, enum txn_state state, int verdict, int end,
	      uint16_t index)
{
	const struct card_bundle *c;

	bed_open_work(b, card, kind, NULL);
	assert_true(bed_has_work(b, card));
	c = bed_card(b, card);
	b->told_txn = c->txn.id;
	b->told = (struct gw_fx_txn){ .state = (uint8_t)state,
				      .verdict = (uint8_t)(verdict + 1),
				      .evidence = state == TXN_DONE ? 4 : 255,
				      .card_end = (uint8_t)end,
				      .has_card = end != 0,
				      .index = index };
	assert_int_equal(gw_txn_settle(b->gw, c->txn.id, c->card.id, state, "as the test says"), 0);
	bed_turn(b);
	b->told_txn = 0;
}

void bed_seen(struct bed *b, unsigned card)
{
	struct store_batch *batch = store_batch_new();
	struct card_row c = bed_card(b, card)->card;

	c.last_seen_ms = b->now_ms;
	store_batch_add(batch, ST_CARD_PUT, &c, NULL, 0);
	assert_int_equal(store_commit_wait(b->store, batch), STORE_OK);
	store_batch_free(batch);
}

void bed_hlr(struct bed *b, enum hlr_kind kind, const char *imsi, enum hlr_end end, uint64_t sqn)
{
	for (unsigned i = 0; i < b->hlr_ops; i++) {
		struct hlr_result r = { .id = b->hlr_op[i].id, .end = end, .has_keys = sqn != 0, .sqn = sqn };

		if (b->hlr_op[i].kind != kind || strcmp(b->hlr_op[i].imsi, imsi))
			continue;
		b->hlr_op[i] = b->hlr_op[--b->hlr_ops];
		desk_on_hlr(b->desk, &r);
		bed_turn(b);
		return;
	}
	fail_msg("our register was not asked %s of %s", hlr_kind_name(kind), imsi);
}

/* ---- a whole way ---- */

void bed_order_so(struct bed *b, const char *order, const char *kind, const char *policy, unsigned n)
{
	char text[BED_CARDS][200];
	const char *record[BED_CARDS];

	for (unsigned i = 0; i < n; i++) {
		snprintf(text[i], sizeof(text[i]), "%s,%s,%s,operator-a,operator-b,%s,%lld", b->iccid[i], kind, policy,
			 strcmp(kind, "3b") ? "" : "vault-m", (long long)BED_UNTIL_S);
		record[i] = text[i];
	}
	bed_say(b, &b->s, "SO", order, record, n, NULL, "");
	assert_non_null(bed_order(b, order));
}

void bed_order_il(struct bed *b, const char *order, unsigned n)
{
	char text[BED_CARDS][300];
	const char *record[BED_CARDS];

	for (unsigned i = 0; i < n; i++) {
		snprintf(text[i], sizeof(text[i]), "26202%010u,%s,49160%07u,26202;26201,%s,3600,", 501 + i, b->iccid[i],
			 501 + i, BED_SMSP);
		record[i] = text[i];
	}
	bed_say(b, &b->b, "IL", order, record, n, NULL, "");
}

void bed_order_al(struct bed *b, const char *order, unsigned n)
{
	char text[BED_CARDS][100];
	const char *record[BED_CARDS];

	bed_next(b, &b->m, "AQ");
	assert_int_equal(b->n, n);
	for (unsigned i = 0; i < n; i++) {
		assert_string_equal(bed_value(b, i, "iccid"), b->iccid[i]);
		assert_string_equal(bed_value(b, i, "from"), "1");
		snprintf(text[i], sizeof(text[i]), "%s,1,2,,7", b->iccid[i]);
		record[i] = text[i];
	}
	bed_say(b, &b->m, "AL", order, record, n, b->head.id, "");
}

void bed_order_pl(struct bed *b, const char *order, const char *kind, const char *policy, unsigned n)
{
	bed_order_so(b, order, kind, policy, n);
	bed_order_il(b, order, n);
	if (!strcmp(kind, "3b"))
		bed_order_al(b, order, n);
	bed_next(b, &b->b, "PL");
	assert_int_equal(b->n, n);
}

void bed_cf(struct bed *b, const char *order, unsigned card, const char *what, const char *evidence, const char *rule)
{
	char text[200];
	const char *record[1] = { text };
	const struct line *l;

	bed_order(b, order);
	l = bed_line(b, card);
	snprintf(text, sizeof(text), "%s,%s,%u,%s,%s,%lld,,", l->iccid, l->imsi, l->to, what, evidence,
		 (long long)(b->now_ms / 1000));
	bed_say(b, &b->b, "CF", order, record, 1, NULL, rule);
}
