/* b_bed.c - the new operator: a real desk with core, books and register in memory; its partners are played by hand.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "b_bed.h"
#include "tree.h"
#include "gateway/core/work.h"
#include "gateway/hlr/hlr_ctrl.h"
#include "ota/errtab.h"

#define TURNS_MAX 20000
#define KEK	  "0123456789abcdef0123456789ABCDE"

static const char *const names[BED_PARTIES] = { "subscriber", "operator-a", "operator-b", "vault" };
static const unsigned roles[BED_PARTIES] = { XCHG_S, XCHG_A | XCHG_B, XCHG_A | XCHG_B, XCHG_M };

/* ---- what the desk is given ---- */

static int64_t utc_ms(void *ctx)
{
	return ((struct bed *)ctx)->now_ms;
}

static int random_octets(void *ctx, uint8_t *buf, size_t len)
{
	struct bed *b = ctx;

	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)((b->dice = b->dice * 1664525 + 1013904223) >> 24);
	return 0;
}

static void keep_line(void *ctx, int level, const char *line)
{
	struct bed *b = ctx;
	size_t len = strlen(b->log);

	(void)level;
	snprintf(b->log + len, sizeof(b->log) - len, "%s\n", line);
}

static uint64_t campaign_id(void *ctx)
{
	return ++((struct bed *)ctx)->campaign;
}

static unsigned party_of(const char *name)
{
	unsigned p = 0;

	while (p < BED_PARTIES && strcmp(names[p], name))
		p++;
	assert_true(p < BED_PARTIES);
	return p;
}

/* Kept once: the desk carries what is not acknowledged again. */
static void carry(void *ctx, const char *partner, const char *path, uint64_t seq)
{
	struct bed *b = ctx;
	struct bed_out *o;
	struct pkg *p;

	if (pkg_open(&p, path, b->err, sizeof(b->err)))
		fail_msg("%s", b->err);
	assert_int_equal(pkg_head(p)->seq, seq);
	for (unsigned i = 0; i < b->outs; i++) {
		if (!memcmp(b->out[i].head.id, pkg_head(p)->id, PKG_ID_LEN)) {
			pkg_close(p);
			return;
		}
	}
	assert_true(b->outs < BED_OUT_MAX);
	o = &b->out[b->outs++];
	o->to = party_of(partner);
	o->head = *pkg_head(p);
	snprintf(o->path, sizeof(o->path), "%s/got-%u", b->dir, b->outs);
	assert_int_equal(link(path, o->path), 0);
	pkg_close(p);
}

/* ---- a register that answers as OsmoHLR does ---- */

static void ctrl(struct bed *b, char reply[SIM_HLR_REPLY_MAX], const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sim_hlr_ctrl(b->sim, text, reply);
}

static bool there(struct bed *b, const char *imsi, struct hlr_result *r, char *keys, size_t cap)
{
	char reply[SIM_HLR_REPLY_MAX], k[40] = "", opc[40] = "";

	ctrl(b, reply, "GET 1 subscriber.by-imsi-%s.info-all", imsi);
	if (!strncmp(reply, "ERROR", 5))
		return false;
	ctrl_info(reply, "msisdn", r->msisdn, sizeof(r->msisdn));
	ctrl_info(reply, "vlr_number", r->vlr, sizeof(r->vlr));
	r->has_keys = ctrl_info(reply, "aud3g.k", k, sizeof(k)) && ctrl_info(reply, "aud3g.opc", opc, sizeof(opc));
	snprintf(keys, cap, "milenage,%s,opc,%s", k, opc);
	r->cs = r->ps = true;
	return true;
}

static void provision(struct bed *b, const struct hlr_op *op, struct hlr_result *r)
{
	char ours[KS_HLR_TEXT_MAX], theirs[100], reply[SIM_HLR_REPLY_MAX];
	const bool known = there(b, op->imsi, r, theirs, sizeof(theirs));

	assert_true(ks_emit_to_hlr(b->party[b->self].ks, op->iccid, op->sub, sizeof(op->sub), ours) > 0);
	if (!strcmp(op->imsi, b->mood.refuse) || (known && r->has_keys && strcmp(ours, theirs))) {
		r->end = HLR_REFUSED;
		strcpy(r->why, "IMSI is there with other keys");
		return;
	}
	if (!known)
		ctrl(b, reply, "SET 1 subscriber.create %s", op->imsi);
	ctrl(b, reply, "SET 1 subscriber.by-imsi-%s.msisdn %s", op->imsi, *op->msisdn ? op->msisdn : "none");
	if (!strncmp(reply, "ERROR", 5) && *op->bridge) {
		ctrl(b, reply, "SET 1 subscriber.by-imsi-%s.msisdn %s", op->imsi, op->bridge);
		r->bridged = true;
		if (!strncmp(reply, "ERROR", 5)) {
			r->end = HLR_TAKEN;
			strcpy(r->why, "the bridge is another subscriber's, too");
			return;
		}
	}
	ctrl(b, reply, "SET 1 subscriber.by-imsi-%s.aud3g %s", op->imsi, ours);
	assert_true(there(b, op->imsi, r, theirs, sizeof(theirs)));
	assert_string_equal(ours, theirs);
}

static void rekey(struct bed *b, const struct hlr_op *op, struct hlr_result *r)
{
	struct ks *ks = b->party[b->self].ks;
	char ours[KS_HLR_TEXT_MAX], was[KS_HLR_TEXT_MAX] = "", theirs[100], reply[SIM_HLR_REPLY_MAX];

	assert_true(ks_emit_to_hlr(ks, op->iccid, op->sub, sizeof(op->sub), ours) > 0);
	if (op->has_was)
		assert_true(ks_emit_to_hlr(ks, op->iccid, op->was, sizeof(op->was), was) > 0);
	if (!there(b, op->imsi, r, theirs, sizeof(theirs))) {
		r->end = HLR_ABSENT;
	} else if (!strcmp(op->imsi, b->mood.refuse) || (op->has_was && strcmp(theirs, ours) && strcmp(theirs, was))) {
		r->end = HLR_REFUSED;
		strcpy(r->why, "IMSI is there with other keys");
	} else if (strcmp(theirs, ours)) {
		ctrl(b, reply, "SET 1 subscriber.by-imsi-%s.aud3g %s", op->imsi, ours);
		assert_true(there(b, op->imsi, r, theirs, sizeof(theirs)));
		assert_string_equal(ours, theirs);
	}
}

static void remove_sub(struct bed *b, const struct hlr_op *op, struct hlr_result *r)
{
	char ours[KS_HLR_TEXT_MAX], theirs[100], reply[SIM_HLR_REPLY_MAX];

	if (op->keyed && there(b, op->imsi, r, theirs, sizeof(theirs)) && r->has_keys) {
		assert_true(ks_emit_to_hlr(b->party[b->self].ks, op->iccid, op->sub, sizeof(op->sub), ours) > 0);
		if (strcmp(ours, theirs)) {
			r->end = HLR_REFUSED;
			strcpy(r->why, "IMSI is there with other keys");
			return;
		}
	}
	ctrl(b, reply, "SET 1 subscriber.delete %s", op->imsi);
}

static int submit(struct hlr *h, const struct hlr_op *op)
{
	struct bed *b = h->ctx;
	struct hlr_result *r = &b->answer[b->answers];
	char keys[100], ours[KS_HLR_TEXT_MAX], reply[SIM_HLR_REPLY_MAX];

	if (b->answers == HLR_OPEN_MAX)
		return -ENOBUFS;
	b->answers++;
	*r = (struct hlr_result){ .id = op->id };
	b->reads += op->kind == HLR_READ;
	if (b->mood.away) {
		r->end = HLR_TEMPORARY;
		strcpy(r->why, "no connection");
	} else if (op->kind == HLR_PROVISION) {
		provision(b, op, r);
	} else if (op->kind == HLR_REKEY) {
		rekey(b, op, r);
	} else if (op->kind == HLR_REMOVE) {
		remove_sub(b, op, r);
	} else if (!there(b, op->imsi, r, keys, sizeof(keys))) {
		r->end = HLR_ABSENT;
	} else if (op->kind == HLR_READ && op->keyed) {
		assert_true(ks_emit_to_hlr(b->party[b->self].ks, op->iccid, op->sub, sizeof(op->sub), ours) > 0);
		if (strcmp(ours, keys)) {
			r->end = HLR_REFUSED;
			strcpy(r->why, "IMSI is there with other keys");
		}
	} else if (op->kind == HLR_MSISDN) {
		ctrl(b, reply, "SET 1 subscriber.by-imsi-%s.msisdn %s", op->imsi, op->msisdn);
		r->end = strncmp(reply, "ERROR", 5) ? HLR_OK : HLR_TAKEN;
	}
	if (b->mood.mute) {
		*r = (struct hlr_result){ .id = op->id, .end = HLR_TEMPORARY };
		strcpy(r->why, "no answer in time");
	}
	return 0;
}

static void no_free(struct hlr *h)
{
	(void)h;
}

static const struct hlr_ops hlr_ops = { "bed", submit, no_free };

/* ---- parties ---- */

static void party_make(struct bed *b, unsigned p)
{
	const struct ks_open_params open = { .source = KS_KEK_MEMORY, .kek = (const uint8_t *)KEK, .slots = 64 };
	struct bed_party *w = &b->party[p];

	if (ks_open(&w->ks, &open, NULL, 0, NULL, b->err, sizeof(b->err)) ||
	    pkg_self_create(w->ks, names[p], b->now_ms / 1000, &w->party, &w->party_len, &w->sealed, &w->sealed_len,
			    b->err, sizeof(b->err)) ||
	    pkg_self_load(&w->self, w->ks, w->party, w->party_len, w->sealed, w->sealed_len, b->err, sizeof(b->err)) ||
	    pkg_partner_load(&w->known, w->party, w->party_len, b->err, sizeof(b->err)))
		fail_msg("%s", b->err);
}

static void party_free(struct bed_party *w)
{
	pkg_self_free(w->self);
	pkg_partner_free(w->known);
	free(w->party);
	free(w->sealed);
	ks_close(w->ks);
}

/* ---- begin and end ---- */

static void boot(struct bed *b)
{
	struct gw_cfg gc;
	struct gw_deps gd = { .env = &b->env, .errtab = b->errtab, .log = keep_line, .log_ctx = b };
	struct desk_deps dd = { .env = &b->env,
				.ks = b->party[b->self].ks,
				.campaign_id = campaign_id,
				.campaign_id_ctx = b,
				.errtab = b->errtab,
				.self = b->party[b->self].self,
				.hlr = &b->hlr,
				.log = keep_line,
				.log_ctx = b,
				.carry = carry,
				.carry_ctx = b };

	gw_cfg_default(&gc);
	gc.n_links = 1;
	gc.epoch = b->cfg.epoch;
	b->store = store_mem_open(b->disk, NULL);
	gd.store = dd.store = b->store;
	gd.ks = b->party[b->self].ks;
	if (b->self != BED_M) {
		b->gw = gw_new(&gc, &gd);
		assert_non_null(b->gw);
		gw_start(b->gw, b->now_ms);
		for (unsigned i = 0; i < TURNS_MAX && !gw_ready(b->gw); i++)
			b->store->ops->poll(b->store);
		assert_true(gw_ready(b->gw));
	}
	dd.gw = b->gw;
	b->cfg.n_partners = 0;
	for (unsigned p = 0; p < BED_PARTIES; p++) {
		struct desk_partner *dp = &b->cfg.partner[b->cfg.n_partners];

		if (p == b->self)
			continue;
		*dp = (struct desk_partner){ .roles = roles[p], .networks = 1, .network = { "26201" } };
		if (pkg_partner_load(&dp->pinned, b->party[p].party, b->party[p].party_len, b->err, sizeof(b->err)))
			fail_msg("%s", b->err);
		b->cfg.n_partners++;
	}
	b->desk = desk_new_with(&b->cfg, &dd, b->tables, b->err);
	if (!b->desk)
		fail_msg("%s", b->err);
	desk_start(b->desk, b->now_ms);
	bed_turn(b);
	assert_true(desk_ready(b->desk));
}

static void halt(struct bed *b)
{
	b->store->ops->close(b->store);
	desk_free(b->desk);
	if (b->gw)
		gw_free(b->gw);
	b->gw = NULL;
}

struct bed *bed_new(unsigned self, const struct desk_cfg *cfg, const struct desk_tables *tables)
{
	struct bed *b = calloc(1, sizeof(*b));
	char err[ERRTAB_ERR_MAX];

	b->self = self;
	b->now_ms = BED_NOW;
	b->env = (struct env){ utc_ms, random_octets, b };
	strcpy(b->dir, "/tmp/otagw-desk-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	for (unsigned p = 0; p < BED_PARTIES; p++)
		party_make(b, p);
	b->errtab = errtab_new(err);
	b->disk = store_mem_disk_new();
	b->sim = sim_hlr_new();
	b->hlr = (struct hlr){ .ops = &hlr_ops, .ctx = b };
	b->cfg = *cfg;
	b->tables = tables;
	snprintf(b->cfg.dir, sizeof(b->cfg.dir), "%s/x", b->dir);
	snprintf(b->cfg.work_profile, sizeof(b->cfg.work_profile), "m2m-sub");
	snprintf(b->cfg.profile_dir, sizeof(b->cfg.profile_dir), "%s", PROFILE_DIR);
	boot(b);
	return b;
}

void bed_free(struct bed *b)
{
	halt(b);
	for (unsigned p = 0; p < BED_PARTIES; p++)
		party_free(&b->party[p]);
	store_mem_disk_free(b->disk);
	sim_hlr_free(b->sim);
	errtab_free(b->errtab);
	tree_remove(b->dir);
	free(b);
}

void bed_restart(struct bed *b)
{
	b->answers = 0; /* nobody waits for them any more */
	halt(b);
	boot(b);
}

void bed_restore(struct bed *b, struct store_mem_disk *backup)
{
	b->answers = 0;
	halt(b);
	store_mem_disk_free(b->disk);
	b->disk = backup;
	b->cfg.epoch += 1024;
	boot(b);
}

/* ---- time ---- */

static bool turn_once(struct bed *b)
{
	struct gw_effect fx;
	bool did = false;

	b->store->ops->poll(b->store);
	if (b->gw)
		did |= gw_step(b->gw, b->now_ms) > 0;
	while (b->gw && gw_effect_next(b->gw, &fx))
		desk_on_effect(b->desk, &fx);
	did |= desk_step(b->desk, b->now_ms) > 0;
	if (b->answers) {
		struct hlr_result r = b->answer[0];

		memmove(b->answer, b->answer + 1, --b->answers * sizeof(r));
		desk_on_hlr(b->desk, &r);
		did = true;
	}
	return did;
}

void bed_turn(struct bed *b)
{
	unsigned quiet = 0;

	for (unsigned i = 0; i < TURNS_MAX && quiet < 5; i++)
		quiet = turn_once(b) ? 0 : quiet + 1;
	assert_int_equal(quiet, 5);
	if (desk_fatal(b->desk))
		fail_msg("%s", desk_fatal(b->desk));
}

void bed_wait(struct bed *b, int64_t ms)
{
	for (int64_t end_ms = b->now_ms + ms; b->now_ms < end_ms;) {
		b->now_ms += end_ms - b->now_ms < 1000 ? end_ms - b->now_ms : 1000;
		bed_turn(b);
	}
}

/* ---- packages in ---- */

void bed_write(struct bed *b, const struct bed_in *in, const char *path)
{
	struct bed_party *from = &b->party[in->from];
	struct pkg_head h = { .created_s = b->now_ms / 1000, .expires_s = b->now_ms / 1000 + 86400 };
	struct ks_wrap *wrap = NULL;
	struct pkg_writer *w;
	char line[BED_LINE_MAX];

	snprintf(h.type, sizeof(h.type), "%s", in->type);
	snprintf(h.order, sizeof(h.order), "%s", in->order);
	strcpy(h.from, names[in->from]);
	strcpy(h.to, names[b->self]);
	h.seq = ++from->seq;
	h.answers = in->about != NULL;
	if (in->about)
		memcpy(h.about, in->about, PKG_ID_LEN);
	xchg_columns_text(xchg_schema(in->type), h.columns);
	if (pkg_write_open(&w, path, &h, from->self, b->party[b->self].known, b->err, sizeof(b->err)))
		fail_msg("%s", b->err);
	if (in->wrap && !(wrap = pkg_write_wrap(w, b->err, sizeof(b->err))))
		fail_msg("%s", b->err);
	for (unsigned i = 0; in->make ? i < in->n : in->line[i] != NULL; i++) {
		if (in->make)
			in->make(wrap, i, line, in->ctx);
		if (pkg_write_record(w, in->make ? line : in->line[i], b->err, sizeof(b->err)))
			fail_msg("%s", b->err);
	}
	if (pkg_write_close(w, &h, b->err, sizeof(b->err)))
		fail_msg("%s", b->err);
}

void bed_send(struct bed *b, const struct bed_in *in)
{
	char name[64], path[400];

	snprintf(name, sizeof(name), "%s-%llu.otapkg", names[in->from], (unsigned long long)b->party[in->from].seq + 1);
	snprintf(path, sizeof(path), "%s/in/%s", b->cfg.dir, name);
	bed_write(b, in, path);
	if (desk_take_file(b->desk, name, b->err))
		fail_msg("%s", b->err);
	bed_turn(b);
}

const char *bed_ack(struct bed *b, unsigned from)
{
	static char rule[BED_LINE_MAX];
	static char line[16][BED_LINE_MAX];
	const struct bed_out *o = bed_got(b, from, "ACK");
	char result[BED_LINE_MAX];

	assert_true(bed_read(b, o, line, 16, false, NULL) > 0);
	bed_value(line[0], 1, result);
	bed_value(line[0], 2, rule);
	if (!strcmp(result, "rejected") && !*rule)
		strcpy(rule, "?");
	return strcmp(result, "accepted") ? rule : "";
}

/* ---- packages out ---- */

const struct bed_out *bed_got(struct bed *b, unsigned to, const char *type)
{
	for (unsigned i = b->outs; i-- > 0;)
		if (b->out[i].to == to && !strcmp(b->out[i].head.type, type))
			return &b->out[i];
	fail_msg("no %s for %s; log:\n%s", type, names[to], b->log);
	return NULL;
}

unsigned bed_count(const struct bed *b, unsigned to, const char *type)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->outs; i++)
		n += b->out[i].to == to && !strcmp(b->out[i].head.type, type);
	return n;
}

struct reading {
	char (*line)[BED_LINE_MAX];
	unsigned n, max;
	bool leaf;
};

static int read_take(void *ctx, uint64_t n, char *line, char *err, size_t err_cap)
{
	struct reading *r = ctx;

	(void)n;
	(void)err;
	(void)err_cap;
	assert_true(r->n < r->max);
	snprintf(r->line[r->n], BED_LINE_MAX, "%s", line);
	if (!r->leaf)
		*strrchr(r->line[r->n], ',') = '\0';
	r->n++;
	return 0;
}

unsigned bed_read(struct bed *b, const struct bed_out *o, char (*line)[BED_LINE_MAX], unsigned max, bool leaf,
		  struct ks_wrap **wrap)
{
	struct reading r = { .line = line, .max = max, .leaf = leaf };
	struct pkg *p;

	if (pkg_open(&p, o->path, b->err, sizeof(b->err)) ||
	    pkg_verify(p, b->party[b->self].known, names[o->to], b->now_ms / 1000, b->err, sizeof(b->err)) ||
	    (wrap && !(*wrap = pkg_unwrap(p, b->party[o->to].self, b->err, sizeof(b->err)))) ||
	    pkg_read(p, b->party[o->to].self, read_take, &r, b->err, sizeof(b->err)))
		fail_msg("%s", b->err);
	pkg_close(p);
	return r.n;
}

const char *bed_value(const char *line, unsigned n, char out[BED_LINE_MAX])
{
	for (; n; n--) {
		line = strchr(line, ',');
		assert_non_null(line);
		line++;
	}
	snprintf(out, BED_LINE_MAX, "%.*s", (int)strcspn(line, ","), line);
	return out;
}

/* ---- the books ---- */

static void query_done(struct store_query *q, int rc)
{
	(void)q;
	(void)rc;
}

bool bed_book(struct bed *b, enum book book, const char *key, struct store_book *out)
{
	struct store_query q = {
		.kind = Q_BOOK_GET, .book = (uint8_t)book, .limit = 1, .out = out, .done = query_done
	};

	snprintf(q.key, sizeof(q.key), "%s", key);
	assert_int_equal(store_query_wait(b->store, &q), STORE_OK);
	return q.n && out->row.version;
}

void bed_line(struct bed *b, const char *order, const char *iccid, struct line *l, uint16_t *step)
{
	const struct order *o = desk_order_by_name(b->desk, order);
	struct store_book row;
	char key[BOOK_KEY_MAX];

	assert_non_null(o);
	line_key(key, o->number, iccid);
	if (!bed_book(b, BOOK_LINE, key, &row))
		fail_msg("no line %s", key);
	assert_int_equal(line_unpack(l, row.body, row.row.len), 0);
	*step = row.row.step;
}

bool bed_card(struct bed *b, const char *iccid, struct card_bundle *out)
{
	struct store_query q = { .kind = Q_CARD, .limit = 1, .out = out, .done = query_done };

	snprintf(q.digits, sizeof(q.digits), "%s", iccid);
	assert_int_equal(store_query_wait(b->store, &q), STORE_OK);
	return q.n;
}

/* ---- orders of operators ---- */

static void answered(void *ctx, int rc, const char *text)
{
	struct bed *b = ctx;

	b->asked = true;
	b->asked_rc = rc;
	snprintf(b->asked_text, sizeof(b->asked_text), "%s", text);
}

void bed_request_until(struct bed *b, enum desk_verb verb, const char *order, const char *file, unsigned to,
		       const char *type)
{
	struct desk_request r = { .verb = (uint8_t)verb, .file = file, .done = answered, .ctx = b };

	snprintf(r.order, sizeof(r.order), "%s", order);
	assert_int_equal(desk_request(b->desk, &r), 0);
	for (unsigned i = 0; i < TURNS_MAX && !bed_count(b, to, type); i++)
		turn_once(b);
}

void bed_request(struct bed *b, enum desk_verb verb, const char *order, const char *file)
{
	struct desk_request r = { .verb = (uint8_t)verb, .file = file, .done = answered, .ctx = b };

	snprintf(r.order, sizeof(r.order), "%s", order);
	b->asked = false;
	assert_int_equal(desk_request(b->desk, &r), 0);
	bed_turn(b);
	assert_true(b->asked);
}

void bed_txn(struct bed *b, const char *order, enum work_kind kind, const char *iccid, enum txn_state state,
	     int verdict)
{
	const struct order *o = desk_order_by_name(b->desk, order);
	struct gw_effect fx = { .kind = GW_FX_TXN };
	struct card_bundle *c = calloc(1, sizeof(*c));

	assert_non_null(o);
	assert_true(bed_card(b, iccid, c));
	assert_true(c->has_txn);
	fx.txn.campaign = o->campaign[kind];
	assert_int_not_equal(fx.txn.campaign, 0);
	fx.txn.txn = c->txn.id;
	fx.txn.card = c->card.id;
	snprintf(fx.txn.iccid, sizeof(fx.txn.iccid), "%s", iccid);
	fx.txn.state = (uint8_t)state;
	fx.txn.verdict = (uint8_t)(verdict + 1);
	fx.txn.evidence = 255;
	fx.txn.at_ms = b->now_ms;
	snprintf(fx.reason, sizeof(fx.reason), "told by the test");
	free(c);
	desk_on_effect(b->desk, &fx);
	bed_turn(b);
}

void bed_settle(struct bed *b, const char *iccid, enum txn_state end)
{
	struct card_bundle *c = calloc(1, sizeof(*c));

	assert_true(bed_card(b, iccid, c));
	assert_true(c->has_txn);
	assert_int_equal(gw_txn_settle(b->gw, c->txn.id, c->card.id, end, "the test"), 0);
	free(c);
	bed_turn(b);
}
