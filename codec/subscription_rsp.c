/* subscription_rsp.c - answers of the subscription applet (contrib/doc/card-interface.md, 3), and all of it in words.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ota/subscription.h"

#include "codec_int.h"
#include "subscription_int.h"

#define STATE_LEN   45
#define VERSION_LEN 18

/* ------------------------------------------------------------------------------------------------- answers */

static void read_state(struct ota_sub_rsp *out, struct rd *v)
{
	const uint8_t *imsi;

	out->state = rd_u8(v);
	out->index = (uint16_t)rd_be(v, 2);
	out->kvn = rd_u8(v);
	out->order = rd_be(v, 8);
	out->to = (uint16_t)rd_be(v, 2);
	imsi = rd_bytes(v, USIM_IMSI_LEN);
	if (imsi)
		memcpy(out->imsi_ef, imsi, USIM_IMSI_LEN);
	out->pairs_left = (uint16_t)rd_be(v, 2);
	out->trial_left_s = (uint32_t)rd_be(v, 4);
	out->pending = rd_u8(v);
	out->cntr = rd_be(v, 5);
	out->end = rd_u8(v);
	out->last_order = rd_be(v, 8);
	out->last_end = rd_u8(v);
	out->has_state = true;
	/* A card without a subscription has no IMSI there: no error of the answer. */
	if (!imsi || usim_imsi_decode(out->imsi, imsi, USIM_IMSI_LEN) < 0)
		out->imsi[0] = '\0';
}

static void read_version(struct ota_sub_rsp *out, struct rd *v)
{
	out->version.major = rd_u8(v);
	out->version.minor = rd_u8(v);
	out->version.maker = (uint16_t)rd_be(v, 2);
	out->version.build = (uint16_t)rd_be(v, 2);
	out->version.pairs_max = (uint16_t)rd_be(v, 2);
	out->version.pairs = (uint16_t)rd_be(v, 2);
	out->version.set_max = (uint16_t)rd_be(v, 2);
	out->version.files_max = rd_u8(v);
	out->version.plmns_max = rd_u8(v);
	out->version.algs = (uint16_t)rd_be(v, 2);
	out->version.slice_s = rd_u8(v);
	out->version.orders_max = rd_u8(v);
	out->has_version = true;
}

static void read_kcv(struct ota_sub_rsp *out, struct rd *v)
{
	size_t n = rd_left(v);

	if (n == 0 || n % OTA_SUB_KCV_LEN || n > sizeof(out->kcv)) {
		v->bad = true;
		return;
	}
	memcpy(out->kcv, rd_bytes(v, n), n);
	out->kcv_len = (uint8_t)n;
}

static void read_exact(uint8_t *out, size_t n, struct rd *v, bool *has)
{
	const uint8_t *p = rd_bytes(v, n);

	if (p)
		memcpy(out, p, n);
	*has = true;
}

int ota_sub_rsp_decode(struct ota_sub_rsp *out, const uint8_t *data, size_t len)
{
	struct rd in = rd_init(data, len), v;
	uint8_t before = 0;

	memset(out, 0, sizeof(*out));
	out->to = OTA_SUB_NO_INDEX;
	while (rd_left(&in)) {
		uint8_t tag = sub_get(&in, &v);

		if (in.bad)
			return OTA_E_SHORT;
		/* One of a kind: a second one could say something else. */
		if (tag == before || (tag == SUB_TAG_STATE && out->has_state) ||
		    (tag == SUB_TAG_HASH && out->has_hash) || (tag == SUB_TAG_KCV && out->kcv_len) ||
		    (tag == SUB_TAG_VERSION && out->has_version) || (tag == SUB_TAG_ICCID && out->has_iccid))
			return OTA_E_FORMAT;
		before = tag;
		switch (tag) {
		case SUB_TAG_STATE:
			read_state(out, &v);
			break;
		case SUB_TAG_HASH:
			read_exact(out->hash, sizeof(out->hash), &v, &out->has_hash);
			break;
		case SUB_TAG_KCV:
			read_kcv(out, &v);
			break;
		case SUB_TAG_VERSION:
			read_version(out, &v);
			break;
		case SUB_TAG_ICCID:
			read_exact(out->iccid, sizeof(out->iccid), &v, &out->has_iccid);
			break;
		}
		if (v.bad)
			return OTA_E_LENGTH;
	}
	return in.bad ? OTA_E_SHORT : out->has_state || out->has_version ? 0 : OTA_E_FORMAT;
}

int ota_sub_rsp_encode(uint8_t *buf, size_t cap, const struct ota_sub_rsp *r)
{
	struct wr w = wr_init(buf, cap);

	if (r->kcv_len > sizeof(r->kcv) || r->kcv_len % OTA_SUB_KCV_LEN)
		return OTA_E_LENGTH;
	if (r->has_state) {
		wr_u8(&w, SUB_TAG_STATE);
		wr_u8(&w, STATE_LEN);
		wr_u8(&w, r->state);
		wr_be(&w, r->index, 2);
		wr_u8(&w, r->kvn);
		wr_be(&w, r->order, 8);
		wr_be(&w, r->to, 2);
		wr_bytes(&w, r->imsi_ef, USIM_IMSI_LEN);
		wr_be(&w, r->pairs_left, 2);
		wr_be(&w, r->trial_left_s, 4);
		wr_u8(&w, r->pending);
		wr_be(&w, r->cntr, 5);
		wr_u8(&w, r->end);
		wr_be(&w, r->last_order, 8);
		wr_u8(&w, r->last_end);
	}
	if (r->has_hash)
		sub_put(&w, SUB_TAG_HASH, r->hash, sizeof(r->hash));
	if (r->kcv_len)
		sub_put(&w, SUB_TAG_KCV, r->kcv, r->kcv_len);
	if (r->has_version) {
		wr_u8(&w, SUB_TAG_VERSION);
		wr_u8(&w, VERSION_LEN);
		wr_u8(&w, r->version.major);
		wr_u8(&w, r->version.minor);
		wr_be(&w, r->version.maker, 2);
		wr_be(&w, r->version.build, 2);
		wr_be(&w, r->version.pairs_max, 2);
		wr_be(&w, r->version.pairs, 2);
		wr_be(&w, r->version.set_max, 2);
		wr_u8(&w, r->version.files_max);
		wr_u8(&w, r->version.plmns_max);
		wr_be(&w, r->version.algs, 2);
		wr_u8(&w, r->version.slice_s);
		wr_u8(&w, r->version.orders_max);
	}
	if (r->has_iccid)
		sub_put(&w, SUB_TAG_ICCID, r->iccid, sizeof(r->iccid));
	return w.bad ? OTA_E_SPACE : (int)wr_len(&w);
}

/* ------------------------------------------------------------------------------------------------ in words */

const char *ota_sub_ins_name(uint8_t ins)
{
	switch (ins) {
	case OTA_SUB_STATUS:
		return "STATUS";
	case OTA_SUB_STAGE:
		return "STAGE";
	case OTA_SUB_UNSTAGE:
		return "UNSTAGE";
	case OTA_SUB_ARM:
		return "ARM";
	case OTA_SUB_ADVANCE:
		return "ADVANCE";
	case OTA_SUB_CONFIRM:
		return "CONFIRM";
	case OTA_SUB_ROLLBACK:
		return "ROLLBACK";
	case OTA_SUB_KEY_CHANGE:
		return "KEY-CHANGE";
	case OTA_SUB_OP_SET:
		return "OP-SET";
	case OTA_SUB_ALG_SELECT:
		return "ALG-SELECT";
	case OTA_SUB_REFILL:
		return "REFILL";
	case OTA_SUB_KEY_ERASE:
		return "KEY-ERASE";
	default:
		return NULL;
	}
}

const char *ota_sub_state_name(uint8_t state)
{
	static const char *const names[] = {
		"IDLE", "STAGED", "ARMED", "TRIAL", "CONFIRMED", "RETURNING", "ROLLED_BACK"
	};

	return state < ARRAY_SIZE(names) ? names[state] : "unknown state";
}

const char *ota_sub_end_name(uint8_t end)
{
	static const char *const names[] = {
		"unknown",   "staged",	    "armed",
		"in trial",  "confirmed",   "confirmed by the card",
		"returning", "rolled back", "rolled back by the timer",
	};

	return end < ARRAY_SIZE(names) ? names[end] : "unknown";
}

const char *ota_sub_sw_name(uint16_t sw)
{
	static const struct {
		uint16_t sw;
		const char *name;
	} names[] = {
		{ OTA_SUB_SW_MEMORY, "memory failure, nothing changed" },
		{ OTA_SUB_SW_KEYSET, "this keyset may not do this" },
		{ OTA_SUB_SW_STATE, "not in this state" },
		{ OTA_SUB_SW_OBJECTS, "objects unknown, missing or wrong" },
		{ OTA_SUB_SW_FROM, "from is not the active index" },
		{ OTA_SUB_SW_TO, "no such pair, or one that cannot be used" },
		{ OTA_SUB_SW_MAC, "vault MAC missing or wrong" },
		{ OTA_SUB_SW_HASH, "hash is not that of the staged set" },
		{ OTA_SUB_SW_ORDER, "another order is in progress" },
		{ OTA_SUB_SW_MOVED, "this order has had its move" },
		{ OTA_SUB_SW_ALG, "algorithm or SQN scheme not on this card" },
		{ OTA_SUB_SW_KEY, "wrapped key or check value wrong" },
		{ OTA_SUB_SW_ROOM, "too long, too many, or no room" },
		{ OTA_SUB_SW_FILE, "a file of the set is not there, too short, or not to be set" },
		{ OTA_SUB_SW_OTA_PENDING, "an OTA keyset is pending: prove it first" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].sw == sw)
			return names[i].name;
	return ota_sw_name(sw);
}

static void describe_block(char *buf, size_t cap, const struct ota_sub_cmd *c)
{
	const char *name = ota_sub_ins_name(c->ins);
	struct ota_sub_set set;

	if (c->block || c->more)
		snprintf(buf, cap, "%s block %u, %zu octets%s", name, c->block, c->data.len, c->more ? ", more" : "");
	else if (ota_sub_set_decode(&set, c->data.p, c->data.len) < 0)
		snprintf(buf, cap, "%s, a set that cannot be read", name);
	else
		snprintf(buf, cap, "%s order %016" PRIX64 ", index %u to %u, %u files", name, set.order, set.from,
			 set.to, set.files);
}

bool ota_sub_describe(char *buf, size_t cap, const uint8_t *apdu, size_t len)
{
	struct ota_sub_cmd c;
	const char *name;

	if (cap)
		buf[0] = '\0';
	if (ota_sub_cmd_decode(&c, apdu, len) < 0)
		return false;
	name = ota_sub_ins_name(c.ins);
	if (c.ins == OTA_SUB_STAGE || c.ins == OTA_SUB_ADVANCE)
		describe_block(buf, cap, &c);
	else if (c.version)
		snprintf(buf, cap, "STATUS, version");
	else if (c.ins == OTA_SUB_KEY_CHANGE)
		snprintf(buf, cap, "KEY-CHANGE order %016" PRIX64 ", %s of index %u", c.order,
			 c.k.len ? "K" : "OTA keys", c.from);
	else if (c.ins == OTA_SUB_REFILL)
		snprintf(buf, cap, "REFILL order %016" PRIX64 ", index %u", c.order, c.index);
	else if (c.ins == OTA_SUB_KEY_ERASE)
		snprintf(buf, cap, "KEY-ERASE order %016" PRIX64 ", index %u to %u", c.order, c.first, c.last);
	else if (c.order == 0)
		snprintf(buf, cap, "%s", name);
	else
		snprintf(buf, cap, "%s order %016" PRIX64, name, c.order);
	return true;
}
