/* subscription.c - commands of the subscription applet (contrib/doc/card-interface.md, 2), both directions.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One grammar per command serves reading: objects come in ascending order of tags, so that a set has one encoding only and
 * a hash over it means something.
 */
#include <stdio.h>
#include <string.h>

#include "ota/rd.h"
#include "ota/subscription.h"
#include "ota/wr.h"

#include "codec_int.h"
#include "subscription_int.h"

#define CLA	  0x80
#define HEAD	  5
#define P1_MORE	  0x80
#define KEY16_LEN 24 /* a key of 16 octets, wrapped */

/* ------------------------------------------------------------------------------------------------- objects */

void sub_put(struct wr *w, uint8_t tag, const void *value, size_t len)
{
	wr_u8(w, tag);
	if (len > 0x7f)
		wr_u8(w, 0x81);
	wr_u8(w, (uint8_t)len);
	wr_bytes(w, value, len);
}

static void put_be(struct wr *w, uint8_t tag, uint64_t v, size_t n)
{
	wr_u8(w, tag);
	wr_u8(w, (uint8_t)n);
	wr_be(w, v, n);
}

uint8_t sub_get(struct rd *in, struct rd *v)
{
	uint8_t tag = rd_u8(in);
	size_t n = rd_u8(in);

	if (n > 0x7f) {
		/* (2): as short as possible, and never above FF */
		uint8_t first = (uint8_t)n;

		n = rd_u8(in);
		if (first != 0x81 || n < 0x80)
			in->bad = true;
	}
	*v = rd_sub(in, n);
	return tag;
}

/* The next object if it has this tag; false leaves the reader where it is. */
static bool take(struct rd *in, uint8_t tag, struct ota_span *out)
{
	struct rd v;

	*out = (struct ota_span){ 0 };
	if (!rd_left(in) || *in->p != tag)
		return false;
	(void)sub_get(in, &v);
	if (in->bad)
		return false;
	*out = (struct ota_span){ v.p, rd_left(&v) };
	return true;
}

/* The same for one that must be there with n octets. */
static struct ota_span need(struct rd *in, uint8_t tag, size_t n)
{
	struct ota_span v;

	if (!take(in, tag, &v) || v.len != n) {
		in->bad = true;
		return (struct ota_span){ 0 };
	}
	return v;
}

static struct ota_span may(struct rd *in, uint8_t tag, size_t n)
{
	struct ota_span v;

	if (take(in, tag, &v) && v.len != n)
		in->bad = true;
	return v;
}

static uint64_t be(struct ota_span v)
{
	struct rd in = rd_init(v.p, v.len);

	return v.p ? rd_be(&in, v.len) : 0;
}

static uint64_t need_be(struct rd *in, uint8_t tag, size_t n)
{
	return be(need(in, tag, n));
}

static bool index_ok(uint32_t index)
{
	return index >= 1 && index <= OTA_SUB_INDEX_MAX;
}

static bool wrapped_keys_len(size_t len, size_t before)
{
	return len == before + 3 * 16 + 8 || len == before + 3 * 24 + 8 || len == before + 3 * 32 + 8;
}

/* ------------------------------------------------------------------------------------------------- the set */

static int set_check(const struct ota_sub_set *s)
{
	if (s->order == 0 || !index_ok(s->from) || !index_ok(s->to) || s->to < s->from)
		return OTA_E_RANGE;
	if (s->files > OTA_SUB_FILES_MAX || (s->opc.len && s->opc.len != KEY16_LEN) || s->plmns.len % 3 ||
	    s->plmns.len > 3 * OTA_SUB_PLMNS_MAX || (s->mac.len && s->mac.len != OTA_SUB_MAC_LEN))
		return OTA_E_LENGTH;
	if (s->trial_s && (s->trial_s < OTA_SUB_TRIAL_MIN_S || s->trial_s > OTA_SUB_TRIAL_MAX_S))
		return OTA_E_RANGE;
	if (s->alg == 0 && s->sqn_scheme)
		return OTA_E_ALG;
	for (unsigned i = 0; i < s->files; i++) {
		const struct ota_sub_file *f = &s->file[i];

		if (f->fids < 1 || f->fids > 2)
			return OTA_E_RANGE;
		if (f->len == 0 || f->len + 2u * f->fids > OTA_SUB_FILE_MAX + 2u)
			return OTA_E_LENGTH;
	}
	return 0;
}

int ota_sub_set_encode(uint8_t *buf, size_t cap, const struct ota_sub_set *s)
{
	uint8_t imsi[USIM_IMSI_LEN];
	struct wr w = wr_init(buf, cap < OTA_SUB_SET_MAX ? cap : OTA_SUB_SET_MAX);
	int rc = set_check(s);

	if (rc < 0)
		return rc;
	rc = usim_imsi_encode(imsi, s->imsi);
	if (rc < 0)
		return rc;
	put_be(&w, SUB_TAG_ORDER, s->order, 8);
	put_be(&w, SUB_TAG_FROM, s->from, 2);
	put_be(&w, SUB_TAG_TO, s->to, 2);
	sub_put(&w, SUB_TAG_IMSI, imsi, sizeof(imsi));
	for (unsigned i = 0; i < s->files; i++) {
		const struct ota_sub_file *f = &s->file[i];

		wr_u8(&w, SUB_TAG_FILE);
		wr_u8(&w, (uint8_t)(1 + 2 * f->fids + f->len));
		wr_u8(&w, f->fids);
		for (unsigned k = 0; k < f->fids; k++)
			wr_be(&w, f->fid[k], 2);
		wr_bytes(&w, f->content, f->len);
	}
	if (s->opc.len)
		sub_put(&w, SUB_TAG_OPC, s->opc.p, s->opc.len);
	if (s->alg)
		put_be(&w, SUB_TAG_ALG, (uint64_t)s->alg << 8 | s->sqn_scheme, 2);
	if (s->plmns.len)
		sub_put(&w, SUB_TAG_PLMNS, s->plmns.p, s->plmns.len);
	if (s->trial_s)
		put_be(&w, SUB_TAG_TRIAL, s->trial_s, 4);
	if (s->mac.len)
		sub_put(&w, SUB_TAG_MAC, s->mac.p, s->mac.len);
	return w.bad ? OTA_E_SPACE : (int)wr_len(&w);
}

static void file_read(struct ota_sub_file *f, struct ota_span v, struct rd *in)
{
	struct rd r = rd_init(v.p, v.len);

	f->fids = rd_u8(&r);
	if (f->fids < 1 || f->fids > 2 || v.len > 0x7f) {
		in->bad = true;
		return;
	}
	for (unsigned i = 0; i < f->fids; i++)
		f->fid[i] = (uint16_t)rd_be(&r, 2);
	f->len = (uint8_t)rd_left(&r);
	f->content = rd_bytes(&r, f->len);
	if (r.bad || f->len == 0)
		in->bad = true;
}

int ota_sub_set_decode(struct ota_sub_set *s, const uint8_t *p, size_t len)
{
	struct rd in = rd_init(p, len);
	struct ota_span imsi, v;
	int rc;

	memset(s, 0, sizeof(*s));
	if (len > OTA_SUB_SET_MAX)
		return OTA_E_LENGTH;
	s->order = need_be(&in, SUB_TAG_ORDER, 8);
	s->from = (uint16_t)need_be(&in, SUB_TAG_FROM, 2);
	s->to = (uint16_t)need_be(&in, SUB_TAG_TO, 2);
	imsi = need(&in, SUB_TAG_IMSI, USIM_IMSI_LEN);
	while (take(&in, SUB_TAG_FILE, &v)) {
		if (s->files == OTA_SUB_FILES_MAX)
			return OTA_E_LENGTH;
		file_read(&s->file[s->files++], v, &in);
	}
	s->opc = may(&in, SUB_TAG_OPC, KEY16_LEN);
	v = may(&in, SUB_TAG_ALG, 2);
	if (v.len == 2) {
		s->alg = v.p[0];
		s->sqn_scheme = v.p[1];
		in.bad |= s->alg == 0;
	}
	if (take(&in, SUB_TAG_PLMNS, &s->plmns) && (s->plmns.len == 0 || s->plmns.len > 3 * OTA_SUB_PLMNS_MAX))
		in.bad = true;
	v = may(&in, SUB_TAG_TRIAL, 4);
	s->trial_s = (uint32_t)be(v);
	in.bad |= v.len && s->trial_s == 0;
	s->mac = may(&in, SUB_TAG_MAC, OTA_SUB_MAC_LEN);
	if (in.bad || rd_left(&in))
		return OTA_E_FORMAT;
	rc = set_check(s);
	return rc < 0 ? rc : usim_imsi_decode(s->imsi, imsi.p, imsi.len);
}

/* ------------------------------------------------------------------------------------------------ building */

static void sub_fail(struct ota_script *s, int err)
{
	if (!s->err)
		s->err = err;
}

static void command(struct ota_script *s, uint8_t ins, uint8_t p1, const uint8_t *data, size_t len, bool le)
{
	uint8_t apdu[HEAD + OTA_SUB_BLOCK_MAX];
	struct wr w = wr_init(apdu, sizeof(apdu));

	wr_u8(&w, CLA);
	wr_u8(&w, ins);
	wr_u8(&w, p1);
	wr_u8(&w, OTA_SUB_VERSION);
	wr_u8(&w, (uint8_t)len);
	wr_bytes(&w, data, len);
	if (w.bad)
		sub_fail(s, OTA_E_LENGTH);
	else if (le)
		ota_script_apdu_le(s, apdu, wr_len(&w));
	else
		ota_script_apdu(s, apdu, wr_len(&w));
}

/* Starts the objects of a command: its order, which only STATUS may leave open. */
static struct wr begin(struct ota_script *s, uint8_t *buf, size_t cap, uint64_t order)
{
	struct wr w = wr_init(buf, cap);

	if (order == 0)
		sub_fail(s, OTA_E_RANGE);
	put_be(&w, SUB_TAG_ORDER, order, 8);
	return w;
}

static void end(struct ota_script *s, uint8_t ins, const struct wr *w)
{
	if (w->bad)
		sub_fail(s, OTA_E_LENGTH);
	else
		command(s, ins, 0, w->start, wr_len(w), true);
}

static void about_order(struct ota_script *s, uint8_t ins, uint64_t order)
{
	uint8_t buf[OTA_SUB_BLOCK_MAX];
	struct wr w = begin(s, buf, sizeof(buf), order);

	end(s, ins, &w);
}

static void ask_status(struct ota_script *s, uint8_t p1, uint64_t order)
{
	uint8_t data[10];
	struct wr w = wr_init(data, sizeof(data));

	put_be(&w, SUB_TAG_ORDER, order, 8);
	command(s, OTA_SUB_STATUS, p1, data, wr_len(&w), true);
}

void ota_sub_status(struct ota_script *s, uint64_t order)
{
	ask_status(s, 0, order);
}

void ota_sub_version(struct ota_script *s)
{
	ask_status(s, 1, 0);
}

/* (2.2): blocks of one set, one after the other, Le behind the last. */
static void blocks(struct ota_script *s, uint8_t ins, const uint8_t *set, size_t len)
{
	uint8_t n = 0;

	if (len == 0 || len > OTA_SUB_SET_MAX) {
		sub_fail(s, OTA_E_LENGTH);
		return;
	}
	for (; len > OTA_SUB_BLOCK_MAX; n++) {
		command(s, ins, P1_MORE | n, set, OTA_SUB_BLOCK_MAX, false);
		set += OTA_SUB_BLOCK_MAX;
		len -= OTA_SUB_BLOCK_MAX;
	}
	command(s, ins, n, set, len, true);
}

void ota_sub_stage(struct ota_script *s, const uint8_t *set, size_t len)
{
	blocks(s, OTA_SUB_STAGE, set, len);
}

void ota_sub_advance(struct ota_script *s, const uint8_t *set, size_t len)
{
	blocks(s, OTA_SUB_ADVANCE, set, len);
}

void ota_sub_unstage(struct ota_script *s, uint64_t order)
{
	about_order(s, OTA_SUB_UNSTAGE, order);
}

void ota_sub_confirm(struct ota_script *s, uint64_t order)
{
	about_order(s, OTA_SUB_CONFIRM, order);
}

void ota_sub_rollback(struct ota_script *s, uint64_t order)
{
	about_order(s, OTA_SUB_ROLLBACK, order);
}

void ota_sub_arm(struct ota_script *s, uint64_t order, const uint8_t hash[OTA_SUB_HASH_LEN])
{
	uint8_t buf[OTA_SUB_BLOCK_MAX];
	struct wr w = begin(s, buf, sizeof(buf), order);

	sub_put(&w, SUB_TAG_HASH, hash, OTA_SUB_HASH_LEN);
	end(s, OTA_SUB_ARM, &w);
}

/* KEY-CHANGE and OP-SET: order, compare-and-swap, one wrapped thing, its check values. */
static void key_command(struct ota_script *s, uint8_t ins, uint64_t order, uint16_t from, uint8_t tag,
			struct ota_span wrapped, const uint8_t *kcv, size_t kcvs)
{
	uint8_t buf[OTA_SUB_BLOCK_MAX];
	struct wr w = begin(s, buf, sizeof(buf), order);

	if (!index_ok(from))
		sub_fail(s, OTA_E_RANGE);
	if (tag == SUB_TAG_OTA_KEYS ? !wrapped_keys_len(wrapped.len, 0) : wrapped.len != KEY16_LEN)
		sub_fail(s, OTA_E_LENGTH);
	put_be(&w, SUB_TAG_FROM, from, 2);
	sub_put(&w, tag, wrapped.p, wrapped.len);
	sub_put(&w, SUB_TAG_KCV, kcv, kcvs * OTA_SUB_KCV_LEN);
	end(s, ins, &w);
}

void ota_sub_key_change_k(struct ota_script *s, uint64_t order, uint16_t from, struct ota_span k,
			  const uint8_t kcv[OTA_SUB_KCV_LEN])
{
	key_command(s, OTA_SUB_KEY_CHANGE, order, from, SUB_TAG_K, k, kcv, 1);
}

void ota_sub_key_change_ota(struct ota_script *s, uint64_t order, uint16_t from, struct ota_span keys,
			    const uint8_t kcv[3 * OTA_SUB_KCV_LEN])
{
	key_command(s, OTA_SUB_KEY_CHANGE, order, from, SUB_TAG_OTA_KEYS, keys, kcv, 3);
}

void ota_sub_op_set(struct ota_script *s, uint64_t order, uint16_t from, struct ota_span opc,
		    const uint8_t kcv[OTA_SUB_KCV_LEN])
{
	key_command(s, OTA_SUB_OP_SET, order, from, SUB_TAG_OPC, opc, kcv, 1);
}

void ota_sub_alg_select(struct ota_script *s, uint64_t order, uint16_t from, uint8_t alg, uint8_t sqn_scheme)
{
	uint8_t buf[OTA_SUB_BLOCK_MAX];
	struct wr w = begin(s, buf, sizeof(buf), order);

	if (!index_ok(from))
		sub_fail(s, OTA_E_RANGE);
	put_be(&w, SUB_TAG_FROM, from, 2);
	put_be(&w, SUB_TAG_ALG, (uint64_t)alg << 8 | sqn_scheme, 2);
	end(s, OTA_SUB_ALG_SELECT, &w);
}

void ota_sub_refill(struct ota_script *s, uint64_t order, uint16_t index, uint8_t alg, uint8_t sqn_scheme,
		    struct ota_span pair, const uint8_t kcv[OTA_SUB_KCVS_MAX * OTA_SUB_KCV_LEN])
{
	uint8_t buf[OTA_SUB_BLOCK_MAX];
	struct wr w = begin(s, buf, sizeof(buf), order);

	if (!index_ok(index))
		sub_fail(s, OTA_E_RANGE);
	if (!wrapped_keys_len(pair.len, 2 * 16))
		sub_fail(s, OTA_E_LENGTH);
	put_be(&w, SUB_TAG_TO, index, 2);
	put_be(&w, SUB_TAG_ALG, (uint64_t)alg << 8 | sqn_scheme, 2);
	sub_put(&w, SUB_TAG_PAIR, pair.p, pair.len);
	sub_put(&w, SUB_TAG_KCV, kcv, OTA_SUB_KCVS_MAX * OTA_SUB_KCV_LEN);
	end(s, OTA_SUB_REFILL, &w);
}

void ota_sub_key_erase(struct ota_script *s, uint64_t order, uint16_t first, uint16_t last, struct ota_span mac)
{
	uint8_t buf[OTA_SUB_BLOCK_MAX];
	struct wr w = begin(s, buf, sizeof(buf), order);

	if (!index_ok(first) || !index_ok(last) || first > last)
		sub_fail(s, OTA_E_RANGE);
	if (mac.len && mac.len != OTA_SUB_MAC_LEN)
		sub_fail(s, OTA_E_LENGTH);
	else if (mac.len)
		sub_put(&w, SUB_TAG_MAC, mac.p, mac.len);
	put_be(&w, SUB_TAG_RANGE, (uint64_t)first << 16 | last, 4);
	end(s, OTA_SUB_KEY_ERASE, &w);
}

/* -------------------------------------------------------------------------------------------- taking apart */

static void read_key_change(struct ota_sub_cmd *c, struct rd *in)
{
	size_t kcvs = 1;

	if (!take(in, SUB_TAG_K, &c->k)) {
		if (!take(in, SUB_TAG_OTA_KEYS, &c->ota_keys) || !wrapped_keys_len(c->ota_keys.len, 0))
			in->bad = true;
		kcvs = 3;
	} else if (c->k.len != KEY16_LEN) {
		in->bad = true;
	}
	c->kcv = need(in, SUB_TAG_KCV, kcvs * OTA_SUB_KCV_LEN);
}

static void read_alg(struct ota_sub_cmd *c, struct rd *in)
{
	uint16_t v = (uint16_t)need_be(in, SUB_TAG_ALG, 2);

	c->alg = (uint8_t)(v >> 8);
	c->sqn_scheme = (uint8_t)v;
}

static void read_objects(struct ota_sub_cmd *c, struct rd *in)
{
	uint32_t range;

	c->order = need_be(in, SUB_TAG_ORDER, 8);
	if (c->order == 0 && c->ins != OTA_SUB_STATUS)
		in->bad = true;
	switch (c->ins) {
	case OTA_SUB_ARM:
		c->hash = need(in, SUB_TAG_HASH, OTA_SUB_HASH_LEN);
		break;
	case OTA_SUB_KEY_CHANGE:
	case OTA_SUB_OP_SET:
	case OTA_SUB_ALG_SELECT:
		c->from = (uint16_t)need_be(in, SUB_TAG_FROM, 2);
		in->bad |= !index_ok(c->from);
		if (c->ins == OTA_SUB_KEY_CHANGE) {
			read_key_change(c, in);
		} else if (c->ins == OTA_SUB_ALG_SELECT) {
			read_alg(c, in);
		} else {
			c->opc = need(in, SUB_TAG_OPC, KEY16_LEN);
			c->kcv = need(in, SUB_TAG_KCV, OTA_SUB_KCV_LEN);
		}
		break;
	case OTA_SUB_REFILL:
		c->index = (uint16_t)need_be(in, SUB_TAG_TO, 2);
		in->bad |= !index_ok(c->index);
		read_alg(c, in);
		if (!take(in, SUB_TAG_PAIR, &c->pair) || !wrapped_keys_len(c->pair.len, 2 * 16))
			in->bad = true;
		c->kcv = need(in, SUB_TAG_KCV, OTA_SUB_KCVS_MAX * OTA_SUB_KCV_LEN);
		break;
	case OTA_SUB_KEY_ERASE:
		c->mac = may(in, SUB_TAG_MAC, OTA_SUB_MAC_LEN);
		range = (uint32_t)need_be(in, SUB_TAG_RANGE, 4);
		c->first = (uint16_t)(range >> 16);
		c->last = (uint16_t)range;
		in->bad |= !index_ok(c->first) || !index_ok(c->last) || c->first > c->last;
		break;
	}
}

int ota_sub_cmd_decode(struct ota_sub_cmd *out, const uint8_t *apdu, size_t len)
{
	struct rd in = rd_init(apdu, len), data;
	uint8_t cla, p1, p2, lc;

	memset(out, 0, sizeof(*out));
	cla = rd_u8(&in);
	out->ins = rd_u8(&in);
	p1 = rd_u8(&in);
	p2 = rd_u8(&in);
	lc = rd_u8(&in);
	data = rd_sub(&in, lc);
	if (in.bad)
		return OTA_E_SHORT;
	out->le = rd_left(&in) == 1 && *in.p == 0;
	if (rd_left(&in) > (out->le ? 1 : 0) || lc > OTA_SUB_BLOCK_MAX)
		return OTA_E_LENGTH;
	if (cla != CLA || p2 != OTA_SUB_VERSION || !ota_sub_ins_name(out->ins))
		return OTA_E_FORMAT;
	out->data = (struct ota_span){ data.p, lc };
	if (out->ins == OTA_SUB_STAGE || out->ins == OTA_SUB_ADVANCE) {
		out->block = p1 & 0x7f;
		out->more = p1 & P1_MORE;
		return 0;
	}
	if (p1 > (out->ins == OTA_SUB_STATUS ? 1 : 0))
		return OTA_E_FORMAT;
	out->version = p1 == 1;
	read_objects(out, &data);
	return data.bad || rd_left(&data) ? OTA_E_FORMAT : 0;
}

/* ------------------------------------------------------------------------------------------- vault MAC (5.4) */

static void mac_input(struct wr *w, const char *label, const uint8_t *iccid, uint16_t a, uint16_t b, uint64_t order)
{
	wr_bytes(w, label, strlen(label));
	wr_u8(w, 0x01);
	wr_bytes(w, iccid, USIM_ICCID_LEN);
	wr_be(w, a, 2);
	wr_be(w, b, 2);
	wr_be(w, order, 8);
}

void ota_sub_jump_input(uint8_t out[OTA_SUB_JUMP_LEN], const uint8_t iccid[USIM_ICCID_LEN], uint16_t from, uint16_t to,
			uint64_t order)
{
	struct wr w = wr_init(out, OTA_SUB_JUMP_LEN);

	mac_input(&w, "OTA3B-JUMP", iccid, from, to, order);
}

void ota_sub_erase_input(uint8_t out[OTA_SUB_ERASE_LEN], const uint8_t iccid[USIM_ICCID_LEN], uint16_t first,
			 uint16_t last, uint64_t order)
{
	struct wr w = wr_init(out, OTA_SUB_ERASE_LEN);

	mac_input(&w, "OTA3B-ERASE", iccid, first, last, order);
}

int ota_sub_vault_mac(uint8_t mac[OTA_SUB_MAC_LEN], const uint8_t *input, size_t len, struct ks_ref key,
		      const struct ota_crypt *crypt)
{
	struct ota_mac_job job = {
		.key = key,
		.alg = OTA_ALG_AES_CBC,
		.part = { { input, len } },
		.parts = 1,
		.mac_len = OTA_SUB_MAC_LEN,
		.mac = mac,
	};

	return crypt->mac(crypt->ctx, &job, 1);
}
