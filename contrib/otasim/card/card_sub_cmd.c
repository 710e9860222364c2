/* card_sub_cmd.c - the subscription applet's commands: objects, checks in their order, answers.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Written from contrib/doc/card-interface.md; the numbers in comments are its sections.
 */
#include <string.h>

#include <openssl/crypto.h>

#include "ota/rd.h"
#include "ota/wr.h"

#include "card_sub_int.h"

#define MAJOR	  1
#define MINOR	  0
#define DATA_MAX  0xfe
#define KCVS_MAX  15
#define INDEX_MAX 0xfffe
#define TRIAL_MIN 60
#define TRIAL_MAX 2592000

enum {
	INS_STATUS = 0x30,
	INS_STAGE = 0x32,
	INS_UNSTAGE = 0x34,
	INS_ARM = 0x36,
	INS_ADVANCE = 0x38,
	INS_CONFIRM = 0x3a,
	INS_ROLLBACK = 0x3c,
	INS_KEY_CHANGE = 0x3e,
	INS_OP_SET = 0x40,
	INS_ALG_SELECT = 0x42,
	INS_REFILL = 0x46,
	INS_KEY_ERASE = 0x48
};

/* (4.4) */
enum {
	SW_OK = 0x9000,
	SW_MEMORY = 0x6581,
	SW_LC = 0x6700,
	SW_KEYSET = 0x6982,
	SW_STATE = 0x6985,
	SW_OBJECTS = 0x6a80,
	SW_P1P2 = 0x6a86,
	SW_INS = 0x6d00,
	SW_CLA = 0x6e00,
	SW_FROM = 0x9601,
	SW_TO = 0x9602,
	SW_MAC = 0x9603,
	SW_HASH = 0x9604,
	SW_ORDER = 0x9605,
	SW_MOVED = 0x9606,
	SW_ALG = 0x9607,
	SW_KEY = 0x9608,
	SW_ROOM = 0x9609,
	SW_FILE = 0x960a,
	SW_OTA_PENDING = 0x960b
};

#define TAGS 0x20 /* 80..9F */

struct cmd {
	uint8_t ins, p1;
	const uint8_t *data;
	size_t len;
	struct rd v[TAGS]; /* .p NULL: not there; for 84 all of them with their heads */
	uint8_t order[8];
	uint16_t from, to;
	bool no_order; /* STATUS about no order */
};

/* ---- objects (2.1) ---- */

struct grammar {
	uint8_t tag;
	bool optional;
	uint8_t len[3]; /* any of these; {0}: checked elsewhere */
};
#define ORDER                \
	{                    \
		0x80, false, \
		{            \
			8    \
		}            \
	}
#define FROM                 \
	{                    \
		0x81, false, \
		{            \
			2    \
		}            \
	}
static const struct grammar g_order[] = { ORDER, { 0 } };
static const struct grammar g_set[] = {
	ORDER,
	FROM,
	{ 0x82, false, { 2 } },
	{ 0x83, false, { 9 } },
	{ 0x84, true },
	{ 0x85, true, { 0x18 } },
	{ 0x86, true, { 2 } },
	{ 0x87, true },
	{ 0x88, true, { 4 } },
	{ 0x8a, true, { 8 } },
	{ 0 },
};
static const struct grammar g_arm[] = { ORDER, { 0x89, false, { 16 } }, { 0 } };
static const struct grammar g_key[] = {
	ORDER, FROM, { 0x93, true, { 0x18 } }, { 0x94, true, { 0x38, 0x50, 0x68 } }, { 0x96, false, { 3, 9 } }, { 0 },
};
static const struct grammar g_op[] = { ORDER, FROM, { 0x85, false, { 0x18 } }, { 0x96, false, { 3 } }, { 0 } };
static const struct grammar g_alg[] = { ORDER, FROM, { 0x86, false, { 2 } }, { 0 } };
static const struct grammar g_refill[] = {
	ORDER,
	{ 0x82, false, { 2 } },
	{ 0x86, false, { 2 } },
	{ 0x95, false, { 0x58, 0x70, 0x88 } },
	{ 0x96, false, { 15 } },
	{ 0 },
};
static const struct grammar g_erase[] = { ORDER, { 0x8a, true, { 8 } }, { 0x98, false, { 4 } }, { 0 } };

static const struct {
	uint8_t ins;
	const struct grammar *g;
	uint16_t roles; /* bit mask of enum sim_role; the old pair's STAGE, ARM and ADVANCE are looked at later */
} commands[] = {
#define R(x) (1u << ROLE_##x)
	{ INS_STATUS, g_order, R(ACTIVE) | R(OLD) | R(CHANGE) },
	{ INS_STAGE, g_set, R(ACTIVE) | R(OLD) | R(CHANGE) },
	{ INS_UNSTAGE, g_order, R(ACTIVE) | R(CHANGE) },
	{ INS_ARM, g_arm, R(ACTIVE) | R(OLD) | R(CHANGE) },
	{ INS_ADVANCE, g_set, R(ACTIVE) | R(OLD) },
	{ INS_CONFIRM, g_order, R(ACTIVE) },
	{ INS_ROLLBACK, g_order, R(ACTIVE) },
	{ INS_KEY_CHANGE, g_key, R(ACTIVE) },
	{ INS_OP_SET, g_op, R(ACTIVE) },
	{ INS_ALG_SELECT, g_alg, R(ACTIVE) },
	{ INS_REFILL, g_refill, R(VAULT) },
	{ INS_KEY_ERASE, g_erase, R(ACTIVE) },
#undef R
};

static bool len_fits(const struct grammar *g, size_t n)
{
	if (g->len[0] == 0)
		return true;
	for (int i = 0; i < 3; i++) {
		if (g->len[i] && g->len[i] == n)
			return true;
	}
	return false;
}

/* Tag and length, as short as possible; the value as a reader of its own. */
static uint8_t object(struct rd *in, struct rd *v)
{
	uint8_t tag = rd_u8(in);
	size_t n = rd_u8(in);

	if (n == 0x81) {
		n = rd_u8(in);
		if (n < 0x80)
			in->bad = true;
	} else if (n > 0x80) {
		in->bad = true;
	}
	*v = rd_sub(in, n);
	return tag;
}

static bool objects_read(struct cmd *k, const struct grammar *g)
{
	struct rd in = rd_init(k->data, k->len), v;

	while (rd_left(&in)) {
		const uint8_t *start = in.p;
		uint8_t tag = object(&in, &v);

		while (g->tag && g->tag != tag && (g->optional || k->v[g->tag & 0x1f].p))
			g++;
		if (in.bad || g->tag != tag || !len_fits(g, rd_left(&v)))
			return false;
		if (tag == 0x84) {
			if (!k->v[4].p)
				k->v[4] = rd_init(start, 0);
			k->v[4].end = in.p;
		} else {
			if (k->v[tag & 0x1f].p)
				return false;
			k->v[tag & 0x1f] = v;
			g++;
		}
	}
	for (; g->tag; g++) {
		if (!g->optional)
			return false;
	}
	return !in.bad;
}

static const uint8_t *value(const struct cmd *k, uint8_t tag)
{
	return k->v[tag & 0x1f].p;
}

static size_t value_len(const struct cmd *k, uint8_t tag)
{
	return value(k, tag) ? (size_t)(k->v[tag & 0x1f].end - k->v[tag & 0x1f].p) : 0;
}

static uint32_t number(const struct cmd *k, uint8_t tag)
{
	struct rd v = k->v[tag & 0x1f];

	return v.p ? (uint32_t)rd_be(&v, rd_left(&v) <= 4 ? rd_left(&v) : 4) : 0;
}

/* TS 31.102, 4.2.2: 6 to 15 digits, behind them only filler. */
static bool imsi_ok(const uint8_t *f)
{
	unsigned nibbles = f[0] * 2u, n = 0;

	if (f[0] < 4 || f[0] > 8 || (f[1] & 7) != 1)
		return false;
	if (!(f[1] & 8))
		nibbles--;
	for (unsigned i = 1; i < 16; i++) {
		uint8_t d = i % 2 ? f[1 + i / 2] >> 4 : f[1 + i / 2] & 0x0f;

		if (i < nibbles ? d > 9 : d != 0x0f)
			return false;
		n += i < nibbles;
	}
	return n >= 6 && n <= 15;
}

/* Object 84: n FIDs, at least one octet of content. */
static bool file_ok(struct rd *v)
{
	uint8_t n = rd_u8(v);

	return n >= 1 && n <= 2 && rd_left(v) > 2u * n && rd_left(v) <= 0x7f;
}

static bool values_ok(struct cmd *k)
{
	uint32_t first = number(k, 0x98) >> 16, last = number(k, 0x98) & 0xffff;
	struct rd files = k->v[4], v;

	memcpy(k->order, value(k, 0x80), 8);
	k->no_order = !memcmp(k->order, (uint8_t[8]){ 0 }, 8);
	k->from = (uint16_t)number(k, 0x81);
	k->to = (uint16_t)number(k, 0x82);
	if (k->no_order && k->ins != INS_STATUS)
		return false;
	if ((value(k, 0x81) && (k->from < 1 || k->from > INDEX_MAX)) ||
	    (value(k, 0x82) && (k->to < 1 || k->to > INDEX_MAX)))
		return false;
	if (value(k, 0x83) && !imsi_ok(value(k, 0x83)))
		return false;
	while (files.p && rd_left(&files)) {
		(void)object(&files, &v);
		if (!file_ok(&v))
			return false;
	}
	if (value(k, 0x87) &&
	    (value_len(k, 0x87) % 3 || value_len(k, 0x87) == 0 || value_len(k, 0x87) > 3 * SIM_SUB_PLMNS_MAX))
		return false;
	if (value(k, 0x88) && (number(k, 0x88) < TRIAL_MIN || number(k, 0x88) > TRIAL_MAX))
		return false;
	if (value(k, 0x98) && (first < 1 || last > INDEX_MAX || first > last))
		return false;
	if (k->ins == INS_KEY_CHANGE)
		return value(k, 0x93) ? !value(k, 0x94) && value_len(k, 0x96) == 3 :
					value(k, 0x94) && value_len(k, 0x96) == 9;
	return true;
}

void sub_set_read(const uint8_t *p, size_t len, struct sub_set *out)
{
	struct cmd k = { .data = p, .len = len };

	memset(out, 0, sizeof(*out));
	if (!objects_read(&k, g_set))
		return;
	out->imsi = value(&k, 0x83);
	out->files = value(&k, 0x84);
	out->files_len = value_len(&k, 0x84);
	out->plmns = value(&k, 0x87);
	out->plmn_count = (uint8_t)(value_len(&k, 0x87) / 3);
}

/* ---- what the checks share ---- */

static const uint8_t *iccid(const struct sim_card *c)
{
	size_t len;

	return sim_card_file(c, 0x2fe2, &len);
}

/* (5.4) */
static bool vault_mac_ok(const struct sim_card *c, const char *label, uint16_t a, uint16_t b, const uint8_t order[8],
			 const uint8_t *mac)
{
	const struct sim_ota_keys *v = &c->sub->nvm.vault;
	uint8_t in[40], want[8];
	struct wr w = wr_init(in, sizeof(in));

	if (!mac || v->len == 0)
		return false;
	wr_bytes(&w, label, strlen(label));
	wr_u8(&w, 0x01);
	wr_bytes(&w, iccid(c), 10);
	wr_be(&w, a, 2);
	wr_be(&w, b, 2);
	wr_bytes(&w, order, 8);
	if (w.bad || sim_cc(v->len == 16 ? SIM_ALG_AES128 :
			    v->len == 24 ? SIM_ALG_AES192 :
					   SIM_ALG_AES256,
			    v->kid, in, wr_len(&w), want, 8) < 0)
		return false;
	return CRYPTO_memcmp(want, mac, 8) == 0;
}

static void hash16(const uint8_t *p, size_t len, uint8_t out[16])
{
	uint8_t h[32];

	sim_sha256(p, len, h);
	memcpy(out, h, 16);
}

static const struct sim_sub_order *order_known(const struct sim_sub_rec *r, const uint8_t id[8])
{
	for (int i = 0; i < SIM_SUB_ORDERS_MAX; i++) {
		if (r->orders[i].end && !memcmp(r->orders[i].id, id, 8))
			return &r->orders[i];
	}
	return NULL;
}

static bool in_progress(const struct sim_sub_rec *r)
{
	return r->state == SIM_SUB_STAGED || r->state == SIM_SUB_ARMED || r->state == SIM_SUB_TRIAL ||
	       r->state == SIM_SUB_RETURNING;
}

static bool resting_or_staged(uint8_t state)
{
	return state != SIM_SUB_ARMED && state != SIM_SUB_TRIAL && state != SIM_SUB_RETURNING;
}

static bool same_order(const struct sim_sub_rec *r, const struct cmd *k)
{
	return in_progress(r) && !memcmp(r->order, k->order, 8);
}

/* (4.1) and step 4 of (4.2).  0: go on. */
static uint16_t order_check(const struct sim_sub_rec *r, const struct cmd *k)
{
	const struct sim_sub_order *o = order_known(r, k->order);
	bool moves = k->ins == INS_STAGE || k->ins == INS_ARM || k->ins == INS_ADVANCE, confirmed, trial;

	if (!o)
		return 0;
	trial = o->end == SIM_END_TRIAL;
	confirmed = o->end == SIM_END_CONFIRMED || o->end == SIM_END_CONFIRMED_SELF;
	if (moves) {
		bool there = (trial && r->state == SIM_SUB_TRIAL) || (confirmed && o->to == r->index);

		if (there && (k->ins == INS_ARM || k->to == o->to))
			return SW_OK;
		return trial ? SW_STATE : SW_MOVED;
	}
	if (trial)
		return 0;
	if (k->ins == INS_CONFIRM)
		return confirmed ? SW_OK : SW_MOVED;
	if (k->ins == INS_ROLLBACK)
		return confirmed ? SW_MOVED : SW_OK;
	return k->ins == INS_UNSTAGE ? SW_MOVED : 0;
}

/* ---- STAGE, UNSTAGE, ARM, ADVANCE ---- */

static bool forbidden(uint16_t fid)
{
	static const uint16_t own[] = { 0x6f07, 0x2fe2, 0x6f7e, 0x6f73, 0x6fe3, 0x6f08, 0x6f09, 0x6fe4, 0x4f01,
					0x4f02, 0x4f03, 0x4f04, 0x4f05, 0x6f20, 0x6f52, 0x6f53, 0x6f5b };

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (own[i] == fid)
			return true;
	}
	return false;
}

static uint16_t files_check(struct sim_card *c, const struct cmd *k)
{
	struct rd files = k->v[4], v;
	unsigned n = 0;

	while (files.p && rd_left(&files)) {
		uint16_t path[2] = { 0 };
		bool read_only;
		size_t size;
		int fids;

		if (++n > SIM_SUB_FILES_MAX)
			return SW_ROOM;
		(void)object(&files, &v);
		fids = rd_u8(&v);
		for (int i = 0; i < fids; i++)
			path[i] = (uint16_t)rd_be(&v, 2);
		if ((fids == 2 && path[0] != 0x5fc0) || forbidden(path[fids - 1]) ||
		    !sim_fs_at(c, path, fids, &size, &read_only) || read_only || rd_left(&v) > size)
			return SW_FILE;
	}
	return SW_OK;
}

/* Steps 6 to 9 of (4.2), and the set into r. */
static uint16_t set_take(struct sim_card *c, struct cmd *k, struct sim_sub_rec *r)
{
	const struct sim_keyset *ks = &c->sub->view;
	size_t klen = sim_alg_key_len(ks->kic_alg);
	uint16_t sw;

	if (k->from != r->index)
		return SW_FROM;
	if (k->to < k->from || sub_place(r, k->to) < 0)
		return SW_TO;
	if ((k->to > k->from + 1 || value(k, 0x8a)) &&
	    !vault_mac_ok(c, "OTA3B-JUMP", k->from, k->to, k->order, value(k, 0x8a)))
		return SW_MAC;
	sw = files_check(c, k);
	if (sw != SW_OK)
		return sw;
	sub_drop_order(r);
	if (value(k, 0x86)) {
		if (!sim_aka_known(value(k, 0x86)[0], value(k, 0x86)[1]))
			return SW_ALG;
		r->set_alg = true;
		r->alg = value(k, 0x86)[0];
		r->scheme = value(k, 0x86)[1];
	}
	if (value(k, 0x85)) {
		if (sim_unwrap(ks->kik, klen, value(k, 0x85), 0x18, r->opc, 16) < 0)
			return SW_KEY;
		r->set_opc = true;
	}
	memcpy(r->order, k->order, 8);
	r->from = k->from;
	r->to = k->to;
	r->trial_s = value(k, 0x88) ? number(k, 0x88) : SIM_SUB_TRIAL_S;
	r->set_len = (uint16_t)k->len;
	memcpy(r->set, k->data, k->len);
	r->state = SIM_SUB_STAGED;
	return SW_OK;
}

static uint16_t do_stage(struct sim_card *c, struct cmd *k, struct sim_sub_rec *r)
{
	bool arm = k->ins == INS_ADVANCE;
	uint16_t sw;

	if (r->state == SIM_SUB_ARMED) {
		if (r->set_len != k->len || memcmp(r->set, k->data, k->len))
			return SW_STATE;
		if (arm)
			sub_ask_refresh(c->sub);
		return SW_OK;
	}
	if (r->state == SIM_SUB_TRIAL || r->state == SIM_SUB_RETURNING)
		return SW_STATE;
	sw = set_take(c, k, r);
	if (sw != SW_OK)
		return sw;
	if (arm) {
		if (r->pending.what & SIM_PENDING_OTA)
			return SW_OTA_PENDING;
		r->state = SIM_SUB_ARMED;
	}
	if (!sub_commit(c, r))
		return SW_MEMORY;
	if (arm)
		sub_ask_refresh(c->sub);
	return SW_OK;
}

static uint16_t do_unstage(struct sim_card *c, struct cmd *k, struct sim_sub_rec *r)
{
	if (r->state == SIM_SUB_ARMED || r->state == SIM_SUB_TRIAL || r->state == SIM_SUB_RETURNING)
		return SW_STATE;
	if (r->state != SIM_SUB_STAGED)
		return SW_OK;
	if (!same_order(r, k))
		return SW_ORDER;
	sub_drop_order(r);
	r->state = SIM_SUB_IDLE;
	return sub_commit(c, r) ? SW_OK : SW_MEMORY;
}

static uint16_t do_arm(struct sim_card *c, struct cmd *k, struct sim_sub_rec *r)
{
	uint8_t h[16];

	if (r->state != SIM_SUB_STAGED && r->state != SIM_SUB_ARMED)
		return SW_STATE;
	if (!same_order(r, k))
		return SW_ORDER;
	hash16(r->set, r->set_len, h);
	if (memcmp(h, value(k, 0x89), 16))
		return SW_HASH;
	if (r->state == SIM_SUB_STAGED) {
		if (r->pending.what & SIM_PENDING_OTA)
			return SW_OTA_PENDING;
		r->state = SIM_SUB_ARMED;
		if (!sub_commit(c, r))
			return SW_MEMORY;
	}
	sub_ask_refresh(c->sub);
	return SW_OK;
}

static uint16_t do_confirm(struct sim_card *c, struct cmd *k, struct sim_sub_rec *r)
{
	bool back = k->ins == INS_ROLLBACK;

	if (r->state != SIM_SUB_TRIAL && !(back && r->state == SIM_SUB_RETURNING))
		return SW_STATE;
	if (!same_order(r, k))
		return SW_ORDER;
	if (r->state == SIM_SUB_RETURNING) {
		sub_ask_refresh(c->sub);
		return SW_OK;
	}
	if (back)
		return sub_return(c, SIM_END_ROLLED_BACK) ? SW_OK : SW_MEMORY;
	return sub_confirm(c, SIM_END_CONFIRMED) ? SW_OK : SW_MEMORY;
}

/* ---- keys (8) ---- */

/* n keys of len octets against their check values; the computed ones into kcv. */
static uint16_t kcvs(const uint8_t *const *key, const size_t *len, int n, const uint8_t *want, uint8_t *kcv)
{
	for (int i = 0; i < n; i++) {
		if (sim_kcv(key[i], len[i], kcv + 3 * i) < 0)
			return SW_MEMORY;
	}
	return CRYPTO_memcmp(kcv, want, 3 * (size_t)n) ? SW_KEY : SW_OK;
}

static void ota_split(struct sim_ota_keys *k, const uint8_t *p, size_t len)
{
	memset(k, 0, sizeof(*k));
	k->len = (uint8_t)len;
	memcpy(k->kic, p, len);
	memcpy(k->kid, p + len, len);
	memcpy(k->kik, p + 2 * len, len);
}

/* K or OPc, unwrapped to `clear`: pending, or nothing when it is in force already (8.1). */
static void pend(struct sim_sub_rec *r, uint8_t what, uint8_t *slot, const uint8_t *in_force, const uint8_t *clear)
{
	if (!memcmp(in_force, clear, 16)) {
		r->pending.what &= (uint8_t)~what;
		memset(slot, 0, 16);
	} else {
		r->pending.what |= what;
		memcpy(slot, clear, 16);
	}
}

static uint16_t do_keys(struct sim_card *c, struct cmd *k, struct sim_sub_rec *r, uint8_t *kcv, size_t *kcv_len)
{
	const struct sim_keyset *ks = &c->sub->view;
	const struct sim_pair *p = &c->sub->nvm.pair[sub_place(r, r->index)];
	size_t kek = sim_alg_key_len(ks->kic_alg), n = value_len(k, 0x94) ? (value_len(k, 0x94) - 8) / 3 : 16;
	uint8_t clear[3 * SIM_KEY_MAX];
	const uint8_t *key[3] = { clear, clear + n, clear + 2 * n };
	size_t len[3] = { n, n, n };
	uint16_t sw = SW_OK;

	if (!resting_or_staged(r->state))
		return SW_STATE;
	if (k->from != r->index)
		return SW_FROM;
	if (r->pending.index != r->index)
		memset(&r->pending, 0, sizeof(r->pending));
	r->pending.index = r->index;
	if (k->ins == INS_ALG_SELECT) {
		const uint8_t *v = value(k, 0x86);

		if (!sim_aka_known(v[0], v[1]))
			return SW_ALG;
		r->pending.what &= (uint8_t)~SIM_PENDING_ALG;
		if (v[0] != p->alg || v[1] != p->scheme)
			r->pending.what |= SIM_PENDING_ALG;
		r->pending.alg = v[0];
		r->pending.scheme = v[1];
	} else {
		uint8_t tag = k->ins == INS_OP_SET ? 0x85 : value(k, 0x93) ? 0x93 : 0x94;
		int keys = tag == 0x94 ? 3 : 1;

		if (sim_unwrap(ks->kik, kek, value(k, tag), value_len(k, tag), clear, n * (size_t)keys) < 0)
			return SW_KEY;
		sw = kcvs(key, len, keys, value(k, 0x96), kcv);
		*kcv_len = 3 * (size_t)keys;
		if (sw == SW_OK && tag == 0x93)
			pend(r, SIM_PENDING_K, r->pending.k, p->k, clear);
		if (sw == SW_OK && tag == 0x85)
			pend(r, SIM_PENDING_OPC, r->pending.opc, p->opc, clear);
		if (sw == SW_OK && tag == 0x94) {
			ota_split(&r->pending.ota, clear, n);
			r->pending.what |= SIM_PENDING_OTA;
			if (!memcmp(&r->pending.ota, &p->ota, sizeof(p->ota))) {
				r->pending.what &= (uint8_t)~SIM_PENDING_OTA;
				memset(&r->pending.ota, 0, sizeof(p->ota));
			}
		}
	}
	OPENSSL_cleanse(clear, sizeof(clear));
	if (sw == SW_OK && !sub_commit(c, r))
		sw = SW_MEMORY;
	return sw;
}

static uint16_t do_refill(struct sim_card *c, struct cmd *k, struct sim_sub_rec *r, uint8_t *kcv, size_t *kcv_len)
{
	const struct sim_keyset *ks = &c->sub->view;
	size_t kek = sim_alg_key_len(ks->kic_alg), n = (value_len(k, 0x95) - 8 - 32) / 3;
	uint8_t clear[32 + 3 * SIM_KEY_MAX], held[KCVS_MAX];
	const uint8_t *key[5] = { clear, clear + 16, clear + 32, clear + 32 + n, clear + 32 + 2 * n };
	size_t len[5] = { 16, 16, n, n, n };
	int place = sub_place(r, k->to);
	struct sim_pair p = { 0 };
	uint16_t sw;

	*kcv_len = KCVS_MAX;
	if (place >= 0) { /* a repeat, or another pair under the same index */
		const struct sim_pair *h = &c->sub->nvm.pair[place];
		const uint8_t *hk[5] = { h->k, h->opc, h->ota.kic, h->ota.kid, h->ota.kik };
		size_t hl[5] = { 16, 16, h->ota.len, h->ota.len, h->ota.len };

		sw = kcvs(hk, hl, 5, value(k, 0x96), held);
		memcpy(kcv, held, KCVS_MAX);
		return sw == SW_KEY ? SW_TO : sw;
	}
	if (k->to <= r->highest)
		return SW_TO;
	for (place = 0; place < SIM_PAIRS_MAX && r->place[place]; place++)
		;
	if (place == SIM_PAIRS_MAX)
		return SW_ROOM;
	if (!sim_aka_known(value(k, 0x86)[0], value(k, 0x86)[1]))
		return SW_ALG;
	if (sim_unwrap(ks->kik, kek, value(k, 0x95), value_len(k, 0x95), clear, 32 + 3 * n) < 0)
		return SW_KEY;
	sw = kcvs(key, len, 5, value(k, 0x96), kcv);
	if (sw == SW_OK) {
		memcpy(p.k, clear, 16);
		memcpy(p.opc, clear + 16, 16);
		p.alg = value(k, 0x86)[0];
		p.scheme = value(k, 0x86)[1];
		ota_split(&p.ota, clear + 32, n);
		r->place[place] = k->to;
		r->highest = k->to;
		if (!sub_write(c->sub, &c->sub->nvm.pair[place], &p, sizeof(p)) || !sub_commit(c, r))
			sw = SW_MEMORY;
	}
	OPENSSL_cleanse(clear, sizeof(clear));
	OPENSSL_cleanse(&p, sizeof(p));
	return sw;
}

static uint16_t do_erase(struct sim_card *c, struct cmd *k, struct sim_sub_rec *r)
{
	uint16_t first = (uint16_t)(number(k, 0x98) >> 16), last = (uint16_t)number(k, 0x98);

	if (!resting_or_staged(r->state) || (first <= r->index && r->index <= last) ||
	    (r->state == SIM_SUB_STAGED && first <= r->to && r->to <= last))
		return SW_STATE;
	if ((last > r->index || value(k, 0x8a)) &&
	    !vault_mac_ok(c, "OTA3B-ERASE", first, last, k->order, value(k, 0x8a)))
		return SW_MAC;
	for (int i = 0; i < SIM_PAIRS_MAX; i++) {
		if (r->place[i] >= first && r->place[i] <= last) {
			r->erase |= 1u << i;
			r->place[i] = 0;
		}
	}
	if (r->erase == 0)
		return SW_OK;
	r->redo = SIM_REDO_ERASE;
	return sub_commit(c, r) ? SW_OK : SW_MEMORY;
}

/* ---- answers (3) ---- */

static uint8_t end_of(const struct sim_sub_rec *r, const struct cmd *k)
{
	const struct sim_sub_order *o;

	if (k->no_order)
		return SIM_END_UNKNOWN;
	if (same_order(r, k))
		return r->state == SIM_SUB_STAGED ? SIM_END_STAGED :
		       r->state == SIM_SUB_ARMED  ? SIM_END_ARMED :
		       r->state == SIM_SUB_TRIAL  ? SIM_END_TRIAL :
						    SIM_END_RETURNING;
	o = order_known(r, k->order);
	return o ? o->end : SIM_END_UNKNOWN;
}

static void put_state(const struct sim_card *c, const struct cmd *k, struct wr *w)
{
	const struct sim_sub *s = c->sub;
	const struct sim_sub_rec *r = sim_sub_rec(s);
	const struct sim_sub_order *last = &r->orders[(r->orders_next + SIM_SUB_ORDERS_MAX - 1) % SIM_SUB_ORDERS_MAX];
	uint16_t left = 0;
	size_t len;

	for (int i = 0; i < SIM_PAIRS_MAX; i++)
		left += r->place[i] > r->index;
	if (in_progress(r) && !memcmp(last->id, r->order, 8)) /* not finished: the one before */
		last = &r->orders[(r->orders_next + SIM_SUB_ORDERS_MAX - 2) % SIM_SUB_ORDERS_MAX];
	wr_u8(w, 0x90);
	wr_u8(w, 0x2d);
	wr_u8(w, r->state);
	wr_be(w, r->index, 2);
	wr_u8(w, r->kvn);
	wr_bytes(w, r->order, 8);
	wr_be(w, in_progress(r) ? r->to : 0xffff, 2);
	wr_bytes(w, sim_card_file(c, 0x6f07, &len), 9);
	wr_be(w, left, 2);
	wr_be(w, r->state == SIM_SUB_TRIAL ? s->nvm.trial.left_s + s->slice_ms / 1000 : 0, 4);
	wr_u8(w, r->pending.index == r->index ? r->pending.what : 0);
	wr_be(w, sim_sub_pair(s, r->index)->cntr, 5);
	wr_u8(w, end_of(r, k));
	wr_bytes(w, last->id, 8);
	wr_u8(w, last->end);
	if (r->state == SIM_SUB_STAGED || r->state == SIM_SUB_ARMED) {
		uint8_t h[16];

		hash16(r->set, r->set_len, h);
		wr_u8(w, 0x89);
		wr_u8(w, 16);
		wr_bytes(w, h, 16);
	}
}

static void put_version(const struct sim_card *c, struct wr *w)
{
	const struct sim_sub_rec *r = sim_sub_rec(c->sub);
	uint16_t held = 0;

	for (int i = 0; i < SIM_PAIRS_MAX; i++)
		held += r->place[i] != 0;
	wr_be(w, 0x9112, 2);
	wr_u8(w, MAJOR);
	wr_u8(w, MINOR);
	wr_be(w, 0x5349, 2); /* maker: "SI" */
	wr_be(w, 1, 2);
	wr_be(w, SIM_PAIRS_MAX, 2);
	wr_be(w, held, 2);
	wr_be(w, SIM_SUB_SET_MAX, 2);
	wr_u8(w, SIM_SUB_FILES_MAX);
	wr_u8(w, SIM_SUB_PLMNS_MAX);
	wr_be(w, 1u << (SIM_AKA_MILENAGE - 1) | 1u << (SIM_AKA_TEST - 1), 2);
	wr_u8(w, SIM_SUB_SLICE_S);
	wr_u8(w, SIM_SUB_ORDERS_MAX);
	wr_be(w, 0x920a, 2);
	wr_bytes(w, iccid(c), 10);
}

/* ---- one command ---- */

/* Blocks of a long set (2.2).  0: all there, k->data is the whole; else the answer. */
static uint16_t join(struct sim_sub *s, struct cmd *k)
{
	uint8_t n = k->p1 & 0x7f;

	if (n == 0) {
		s->join_len = 0;
		s->join_ins = k->ins;
		s->join_next = 0;
	}
	if (s->join_ins != k->ins || s->join_next != n) {
		s->join_ins = 0;
		return SW_P1P2;
	}
	if (k->len > sizeof(s->join) - s->join_len) {
		s->join_ins = 0;
		return SW_ROOM;
	}
	if (k->len)
		memcpy(s->join + s->join_len, k->data, k->len);
	s->join_len += k->len;
	s->join_next++;
	if (k->p1 & 0x80)
		return SW_OK;
	s->join_ins = 0;
	k->data = s->join;
	k->len = s->join_len;
	return 0;
}

static uint16_t perform(struct sim_card *c, struct cmd *k, uint8_t *kcv, size_t *kcv_len)
{
	struct sim_sub_rec r = *sim_sub_rec(c->sub);
	uint16_t sw = order_check(&r, k);

	if (c->sub->role == ROLE_OLD && k->ins != INS_STATUS && sw != SW_OK)
		sw = SW_KEYSET;
	if (sw == 0) {
		switch (k->ins) {
		case INS_STATUS:
			sw = SW_OK;
			break;
		case INS_STAGE:
		case INS_ADVANCE:
			sw = do_stage(c, k, &r);
			break;
		case INS_UNSTAGE:
			sw = do_unstage(c, k, &r);
			break;
		case INS_ARM:
			sw = do_arm(c, k, &r);
			break;
		case INS_CONFIRM:
		case INS_ROLLBACK:
			sw = do_confirm(c, k, &r);
			break;
		case INS_REFILL:
			sw = do_refill(c, k, &r, kcv, kcv_len);
			break;
		case INS_KEY_ERASE:
			sw = do_erase(c, k, &r);
			break;
		default:
			sw = do_keys(c, k, &r, kcv, kcv_len);
			break;
		}
	}
	OPENSSL_cleanse(&r, sizeof(r));
	return sw;
}

static uint16_t command(struct sim_card *c, struct cmd *k, uint8_t cla, uint8_t p2, struct wr *answer)
{
	struct sim_sub *s = c->sub;
	bool blocks = k->ins == INS_STAGE || k->ins == INS_ADVANCE;
	uint8_t kcv[KCVS_MAX];
	size_t kcv_len = 0, i;
	uint16_t sw;

	if (!blocks)
		s->join_ins = 0;
	if (cla != 0x80)
		return SW_CLA;
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]) && commands[i].ins != k->ins; i++)
		;
	if (i == sizeof(commands) / sizeof(commands[0]))
		return SW_INS;
	if (p2 != MAJOR || (!blocks && k->p1 > (k->ins == INS_STATUS ? 1 : 0)))
		return SW_P1P2;
	if (k->len > DATA_MAX || !k->data)
		return SW_LC;
	if (!(commands[i].roles & 1u << s->role))
		return SW_KEYSET;
	if (blocks) {
		sw = join(s, k);
		if (sw)
			return sw;
	}
	if (!objects_read(k, commands[i].g) || !values_ok(k))
		return SW_OBJECTS;
	sw = perform(c, k, kcv, &kcv_len);
	if (sw != SW_OK || s->dead)
		return sw;
	if (k->ins == INS_STATUS && k->p1 == 1) {
		put_version(c, answer);
		return sw;
	}
	put_state(c, k, answer);
	if (kcv_len) {
		wr_u8(answer, 0x96);
		wr_u8(answer, (uint8_t)kcv_len);
		wr_bytes(answer, kcv, kcv_len);
	}
	return sw;
}

static bool refused(uint16_t sw)
{
	return sw == SW_KEYSET || (sw >= SW_FROM && sw <= SW_KEY);
}

void sim_sub_run(struct sim_card *c, const uint8_t *p, size_t len, struct script_result *res)
{
	struct wr w = wr_init(res->resp, sizeof(res->resp)), a;
	uint8_t answer[128], count = 0;
	struct rd in = rd_init(p, len);
	uint16_t sw = SW_OK;
	bool le = false;

	a = wr_init(answer, sizeof(answer));
	res->done = true;
	res->changed = res->imsi_written = false;
	while (rd_left(&in) && count < 255 && !c->sub->dead) {
		struct cmd k = { 0 };
		uint8_t cla = rd_u8(&in), p2;

		k.ins = rd_u8(&in);
		k.p1 = rd_u8(&in);
		p2 = rd_u8(&in);
		k.len = rd_u8(&in);
		k.data = rd_bytes(&in, k.len);
		count++;
		le = rd_left(&in) == 1 && *in.p == 0;
		a = wr_init(answer, sizeof(answer));
		sw = in.bad ? SW_LC : command(c, &k, cla, p2, &a);
		if (sw != SW_OK) {
			c->sub->audit += refused(sw);
			a = wr_init(answer, sizeof(answer));
			res->done = false;
			break;
		}
		if (le)
			break;
	}
	c->sub->join_ins = 0;
	wr_u8(&w, count);
	wr_be(&w, sw, 2);
	if (le)
		wr_bytes(&w, answer, wr_len(&a));
	res->len = wr_len(&w);
}
