/* ram.c - remote application management: TS 102 226, 8; GlobalPlatform Card Specification 2.x, 11.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <string.h>

#include "ota/ram.h"
#include "ota/rd.h"
#include "ota/wr.h"

#include "codec_int.h"

#define INS_GET_DATA	0xca
#define INS_PUT_KEY	0xd8
#define INS_STORE_DATA	0xe2
#define INS_DELETE	0xe4
#define INS_INSTALL	0xe6
#define INS_LOAD	0xe8
#define INS_SET_STATUS	0xf0
#define INS_GET_STATUS	0xf2
#define LC_MAX		255
#define KVN_MAX		0x7f
#define ID_MAX		0x7f
#define P2_SEVERAL_KEYS 0x80
#define KEY_TYPE_DES	0x80 /* GlobalPlatform table 11-16 */
#define KEY_TYPE_AES	0x88
#define KCV_LEN		3
#define DES_BLOCK	8 /* of which an AES block is a multiple */
#define TAG_AID		0x4f
#define TAG_KEY_ID	0xd0
#define TAG_KVN		0xd2
#define TAG_PARAMS_APP	0xc9

/* ------------------------------------------------------------------------------------------------- PUT KEY */

static bool is_des(enum ota_alg alg)
{
	return alg == OTA_ALG_DES_CBC || alg == OTA_ALG_DES_ECB || alg == OTA_ALG_3DES2_CBC || alg == OTA_ALG_3DES3_CBC;
}

static int key_check(enum ota_alg alg, uint8_t len)
{
	switch (alg) {
	case OTA_ALG_DES_CBC:
	case OTA_ALG_DES_ECB:
		return len == 8 ? 0 : OTA_E_RANGE;
	case OTA_ALG_3DES2_CBC:
		return len == 16 ? 0 : OTA_E_RANGE;
	case OTA_ALG_3DES3_CBC:
		return len == 24 ? 0 : OTA_E_RANGE;
	case OTA_ALG_AES_CBC:
		return len == 16 || len == 24 || len == 32 ? 0 : OTA_E_RANGE;
	default:
		return OTA_E_ALG;
	}
}

static int put_key_check(const struct ram_put_key *p)
{
	int rc = 0;

	if (p->n == 0 || p->n > RAM_PUT_KEY_MAX || p->old_kvn > KVN_MAX || p->new_kvn == 0 || p->new_kvn > KVN_MAX ||
	    p->first_id == 0 || p->first_id > ID_MAX || p->first_id + p->n - 1 > ID_MAX)
		return OTA_E_RANGE;
	if (ota_alg_block(p->dek_alg) == 1)
		return OTA_E_ALG;
	for (size_t i = 0; rc == 0 && i < p->n; i++)
		rc = key_check(p->key[i].alg, p->key[i].len);
	return rc;
}

int ram_put_key_lay_out(struct ram_put_key_work *w, const struct ram_put_key *p, uint8_t *apdu, size_t cap)
{
	size_t block = ota_alg_block(p->dek_alg);
	struct wr out = wr_init(apdu, cap);
	int rc = put_key_check(p);

	memset(w, 0, sizeof(*w));
	if (rc)
		return rc;
	wr_u8(&out, CLA_GP);
	wr_u8(&out, INS_PUT_KEY);
	wr_u8(&out, p->old_kvn);
	wr_u8(&out, (uint8_t)(p->first_id | (p->n > 1 ? P2_SEVERAL_KEYS : 0)));
	wr_u8(&out, 0);
	wr_u8(&out, p->new_kvn);
	for (size_t i = 0; i < p->n; i++) {
		size_t wrapped = (p->key[i].len + block - 1) / block * block;
		bool des = is_des(p->key[i].alg), inner = !des || wrapped != p->key[i].len;
		struct ota_wrap_job *job = &w->job[i];

		wr_u8(&out, des ? KEY_TYPE_DES : KEY_TYPE_AES);
		wr_u8(&out, (uint8_t)(wrapped + (inner ? 1 : 0)));
		/* The length in clear goes before every padded key (GlobalPlatform 2.3.1, table 11-70), and before an
		 * AES key in any case (Amendment D, 7.2). */
		if (inner)
			wr_u8(&out, p->key[i].len);
		*job = (struct ota_wrap_job){
			.key = p->key[i].ref,
			.dek = p->dek,
			.alg = p->key[i].alg,
			.dek_alg = p->dek_alg,
			.key_len = p->key[i].len,
			.out_len = wrapped,
			.rc = OTA_E_KEY,
		};
		job->out = wr_room(&out, wrapped);
		if (job->out)
			memset(job->out, 0, wrapped);
		wr_u8(&out, KCV_LEN);
		w->kcv[i] = wr_room(&out, KCV_LEN);
		if (w->kcv[i])
			memset(w->kcv[i], 0, KCV_LEN);
	}
	if (out.bad)
		return OTA_E_SPACE;
	/* Three AES-256 keys are 121 octets: Lc cannot overflow. */
	apdu[4] = (uint8_t)(wr_len(&out) - APDU_HEAD);
	w->apdu = apdu;
	w->len = wr_len(&out);
	w->n = p->n;
	return (int)w->len;
}

int ram_put_key_run(struct ram_put_key_work *w, const struct ota_crypt *crypt)
{
	if (crypt && crypt->wrap)
		crypt->wrap(crypt->ctx, w->job, w->n);
	for (size_t i = 0; i < w->n; i++)
		if (w->job[i].rc)
			return w->job[i].rc;
	return 0;
}

int ram_put_key_finish(struct ram_put_key_work *w)
{
	int rc = w->n ? 0 : OTA_E_KEY;

	for (size_t i = 0; i < w->n; i++)
		if (!rc)
			rc = w->job[i].rc;
	for (size_t i = 0; i < w->n; i++) {
		if (rc)
			memset(w->job[i].out, 0, w->job[i].out_len);
		else
			memcpy(w->kcv[i], w->job[i].kcv, KCV_LEN);
	}
	return rc ? rc : (int)w->len;
}

int ram_put_key_encode(uint8_t *apdu, size_t cap, const struct ram_put_key *p, const struct ota_crypt *crypt,
		       uint8_t kcv[][3])
{
	struct ram_put_key_work w;
	int rc = ram_put_key_lay_out(&w, p, apdu, cap);

	if (rc < 0)
		return rc;
	ram_put_key_run(&w, crypt);
	rc = ram_put_key_finish(&w);
	for (size_t i = 0; rc > 0 && kcv && i < w.n; i++)
		memcpy(kcv[i], w.job[i].kcv, KCV_LEN);
	return rc;
}

void ram_put_key(struct ota_script *s, const struct ram_put_key *p, const struct ota_crypt *crypt, uint8_t kcv[][3])
{
	uint8_t apdu[OTA_APDU_MAX];
	int rc = ram_put_key_encode(apdu, sizeof(apdu), p, crypt, kcv);

	if (rc < 0)
		script_fail(s, rc);
	else
		ota_script_apdu_le(s, apdu, (size_t)rc);
}

int ram_put_key_rsp_check(const uint8_t *data, size_t len, uint8_t new_kvn, const uint8_t kcv[][3], size_t n)
{
	bool same;

	if (len != 1 + n * KCV_LEN)
		return OTA_E_LENGTH;
	same = data[0] == new_kvn;
	for (size_t i = 0; i < n; i++)
		same &= ct_equal(data + 1 + i * KCV_LEN, kcv[i], KCV_LEN);
	return same ? 0 : OTA_E_UNMATCHED;
}

static int put_key_field(struct ram_put_key_seen *out, struct rd *in)
{
	uint8_t type = rd_u8(in);
	struct rd key = rd_sub(in, rd_u8(in));
	size_t kcv_len, i = out->n;

	if (in->bad)
		return OTA_E_SHORT;
	if (i == RAM_PUT_KEY_MAX)
		return OTA_E_RANGE;
	if (type != KEY_TYPE_DES && type != KEY_TYPE_AES)
		return OTA_E_ALG;
	out->key[i].type = type;
	/* GlobalPlatform 2.3.1, 11.8.2.3.2: what is no multiple of the block has the length in front; an AES key without
	 * padding comes both ways. */
	out->key[i].clear_len = rd_left(&key) % DES_BLOCK ? rd_u8(&key) : (uint8_t)rd_left(&key);
	out->key[i].wrapped_len = rd_left(&key);
	out->key[i].wrapped = rd_bytes(&key, out->key[i].wrapped_len);
	kcv_len = rd_u8(in);
	if (kcv_len)
		out->key[i].kcv = rd_bytes(in, kcv_len);
	out->key[i].kcv_len = kcv_len;
	if (in->bad || key.bad)
		return OTA_E_SHORT;
	out->n++;
	if (out->key[i].wrapped_len == 0 || out->key[i].wrapped_len % DES_BLOCK ||
	    out->key[i].clear_len > out->key[i].wrapped_len)
		return OTA_E_LENGTH;
	return 0;
}

int ram_put_key_decode(struct ram_put_key_seen *out, const uint8_t *apdu, size_t len)
{
	struct rd in = rd_init(apdu, len), data;
	const uint8_t *head = rd_bytes(&in, 4);
	int rc = 0;

	memset(out, 0, sizeof(*out));
	if (!head)
		return OTA_E_SHORT;
	if (!(head[0] & 0x80) || head[0] == CLA_2G || head[1] != INS_PUT_KEY)
		return OTA_E_FORMAT;
	data = rd_sub(&in, rd_u8(&in));
	out->old_kvn = head[2] & KVN_MAX;
	out->first_id = head[3] & ID_MAX;
	out->new_kvn = rd_u8(&data);
	while (rc == 0 && rd_left(&data))
		rc = put_key_field(out, &data);
	if (rc == 0 && (data.bad || in.bad || out->n == 0))
		rc = OTA_E_SHORT;
	if (rc == 0 && (rd_left(&in) > 1 || (out->n > 1) != (head[3] >> 7)))
		rc = OTA_E_LENGTH;
	if (rc)
		memset(out, 0, sizeof(*out));
	return rc;
}

/* ----------------------------------------------------------------------------------------- other commands */

static bool aid_ok(const struct ram_aid *aid)
{
	return aid->len >= RAM_AID_MIN && aid->len <= RAM_AID_MAX;
}

/* A length and an AID, or the length 0. */
static void lv(struct wr *w, const uint8_t *p, size_t len)
{
	wr_u8(w, (uint8_t)len);
	wr_bytes(w, p, len);
}

static void lv_aid(struct wr *w, const struct ram_aid *aid)
{
	lv(w, aid->aid, aid->len);
}

/* Adds 80 INS P1 P2 Lc data, with Le where there is room for one. */
static void ram_cmd(struct ota_script *s, uint8_t ins, uint8_t p1, uint8_t p2, const uint8_t *data, size_t len,
		    bool bad)
{
	uint8_t apdu[OTA_APDU_MAX] = { CLA_GP, ins, p1, p2, (uint8_t)len };

	if (bad || len > LC_MAX) {
		script_fail(s, OTA_E_LENGTH);
		return;
	}
	if (len)
		memcpy(apdu + APDU_HEAD, data, len);
	ota_script_apdu_le(s, apdu, APDU_HEAD + len);
}

void ram_delete(struct ota_script *s, const struct ram_aid *aid, bool related)
{
	uint8_t buf[2 + RAM_AID_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	if (!aid_ok(aid)) {
		script_fail(s, OTA_E_RANGE);
		return;
	}
	wr_u8(&w, TAG_AID);
	lv_aid(&w, aid);
	ram_cmd(s, INS_DELETE, 0x00, related ? 0x80 : 0x00, buf, wr_len(&w), w.bad);
}

void ram_delete_key(struct ota_script *s, uint8_t kvn, uint8_t id)
{
	uint8_t buf[6];
	struct wr w = wr_init(buf, sizeof(buf));

	/* 11.2.2.3.2: what is left out means all; both left out would mean every key there is. */
	if ((kvn == 0 && id == 0) || kvn > KVN_MAX || id > ID_MAX) {
		script_fail(s, OTA_E_RANGE);
		return;
	}
	if (id) {
		wr_u8(&w, TAG_KEY_ID);
		lv(&w, &id, 1);
	}
	if (kvn) {
		wr_u8(&w, TAG_KVN);
		lv(&w, &kvn, 1);
	}
	ram_cmd(s, INS_DELETE, 0x00, 0x00, buf, wr_len(&w), w.bad);
}

void ram_install_load(struct ota_script *s, const struct ram_aid *package, const struct ram_aid *sd,
		      const uint8_t *hash, size_t hash_len, const uint8_t *params, size_t params_len)
{
	static const struct ram_aid none;
	uint8_t buf[LC_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	if (!aid_ok(package) || (sd && !aid_ok(sd))) {
		script_fail(s, OTA_E_RANGE);
		return;
	}
	lv_aid(&w, package);
	lv_aid(&w, sd ? sd : &none);
	lv(&w, hash, hash_len > LC_MAX ? LC_MAX : hash_len);
	/* 11.5.2.3.1: lengths of parameters beyond 127 would be BER coded; a load has a few octets of them. */
	lv(&w, params, params_len > LC_MAX ? LC_MAX : params_len);
	wr_u8(&w, 0); /* no token */
	ram_cmd(s, INS_INSTALL, 0x02, 0x00, buf, wr_len(&w), w.bad || params_len > 0x7f);
}

void ram_install(struct ota_script *s, const struct ram_install *i)
{
	static const uint8_t no_params[] = { TAG_PARAMS_APP, 0x00 };
	uint8_t buf[LC_MAX];
	struct wr w = wr_init(buf, sizeof(buf));
	size_t n = i->params_len ? i->params_len : sizeof(no_params);

	if (!aid_ok(&i->package) || !aid_ok(&i->module) || !aid_ok(&i->instance) ||
	    (i->privileges_len != 1 && i->privileges_len != 3)) {
		script_fail(s, OTA_E_RANGE);
		return;
	}
	lv_aid(&w, &i->package);
	lv_aid(&w, &i->module);
	lv_aid(&w, &i->instance);
	lv(&w, i->privileges, i->privileges_len);
	if (n > 0x7f)
		wr_u8(&w, 0x81);
	lv(&w, i->params_len ? i->params : no_params, n > LC_MAX ? LC_MAX + 1 : n);
	wr_u8(&w, 0); /* no token */
	ram_cmd(s, INS_INSTALL, i->selectable ? 0x0c : 0x04, 0x00, buf, wr_len(&w), w.bad);
}

void ram_install_selectable(struct ota_script *s, const struct ram_aid *instance, uint8_t privileges)
{
	uint8_t buf[LC_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	if (!aid_ok(instance)) {
		script_fail(s, OTA_E_RANGE);
		return;
	}
	wr_be(&w, 0, 2); /* no package, no module */
	lv_aid(&w, instance);
	lv(&w, &privileges, 1);
	wr_be(&w, 0, 2); /* no parameters, no token */
	ram_cmd(s, INS_INSTALL, 0x08, 0x00, buf, wr_len(&w), w.bad);
}

void ram_load(struct ota_script *s, uint8_t block, bool last, const uint8_t *data, size_t len)
{
	ram_cmd(s, INS_LOAD, last ? 0x80 : 0x00, block, data, len, len == 0);
}

void ram_set_status(struct ota_script *s, uint8_t type, uint8_t state, const struct ram_aid *aid)
{
	ram_cmd(s, INS_SET_STATUS, type, state, aid->aid, aid->len, !aid_ok(aid));
}

void ram_store_data(struct ota_script *s, uint8_t p1, uint8_t block, const uint8_t *data, size_t len)
{
	ram_cmd(s, INS_STORE_DATA, p1, block, data, len, len == 0);
}

void ram_get_data(struct ota_script *s, uint16_t tag)
{
	const uint8_t apdu[APDU_HEAD] = { CLA_GP, INS_GET_DATA, (uint8_t)(tag >> 8), (uint8_t)tag, 0x00 };

	ota_script_apdu(s, apdu, sizeof(apdu));
}

void ram_get_status(struct ota_script *s, enum ram_subset what, bool next, bool tlv, const struct ram_aid *aid)
{
	static const struct ram_aid all;
	uint8_t buf[2 + RAM_AID_MAX];
	struct wr w = wr_init(buf, sizeof(buf));

	if (what != RAM_ISD && what != RAM_APPLICATIONS && what != RAM_PACKAGES && what != RAM_PACKAGES_AND_MODULES) {
		script_fail(s, OTA_E_RANGE);
		return;
	}
	wr_u8(&w, TAG_AID);
	lv_aid(&w, aid ? aid : &all);
	ram_cmd(s, INS_GET_STATUS, (uint8_t)what, (uint8_t)((next ? 0x01 : 0) | (tlv ? 0x02 : 0)), buf, wr_len(&w),
		w.bad);
}
