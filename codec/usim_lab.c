/* usim_lab.c - proprietary files of programmable cards: sysmoISIM-SJA2 and SJA5.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Layouts as the cards' published descriptions and contents give them; no standard has these.
 */
#include <string.h>

#include "ota/codec.h"
#include "ota/rd.h"
#include "ota/usim_lab.h"
#include "ota/wr.h"

#include "codec_int.h"

#define FID_MF	     0x3f00
#define K_LEN	     16
#define TOP_LEN	     32
#define CFG_OPC	     0x10 /* b5: OPc, not OP */
#define CFG_SRES_2   0x20 /* b6: second SRES derivation function */
#define CFG_K_256    0x40 /* b7 */
#define CFG_RFU	     0x80
#define TUAK_RFU     0x80
#define TUAK_CKIK256 0x40
#define KEY_MAC4     0x80
#define KEY_AES	     0x40
#define SQN_SKIP     0x80
#define SQN_DELTA    0x40
#define SQN_AGE	     0x20
#define SQN_CHECK    0x10
#define SQN_KEEP_AMF 0x04
#define SQN_AUS	     0x02
#define SQN_AUTN     0x01
#define SQN_48_MAX   0xffffffffffffULL

static bool algorithm_known(unsigned a)
{
	return a == LAB_MILENAGE || a == LAB_SHA1_AKA || a == LAB_TUAK || a == LAB_XOR;
}

/* TUAK sizes are powers of two: index of bits in base, 2 base, 4 base, ... */
static int size_index(unsigned bits, unsigned base, unsigned max)
{
	for (unsigned i = 0; i <= max; i++)
		if (bits == base << i)
			return (int)i;
	return -1;
}

int lab_auth_key_encode(uint8_t *ef, size_t cap, const struct lab_auth_key *a)
{
	struct wr w = wr_init(ef, cap);
	bool tuak = a->algorithm == LAB_TUAK;
	int mac = size_index(a->mac_bits, 64, 2), res = size_index(a->res_bits, 32, 3);
	int ckik = size_index(a->ck_ik_bits, 128, 1);

	if (!algorithm_known(a->algorithm) || a->sres_func < 1 || a->sres_func > 2 || !a->k || !a->op)
		return OTA_E_RANGE;
	if (a->k_len != K_LEN && !(tuak && a->k_len == 2 * K_LEN))
		return OTA_E_LENGTH;
	if (tuak && (mac < 0 || res < 0 || ckik < 0))
		return OTA_E_RANGE;
	wr_u8(&w, (uint8_t)(a->algorithm | (a->opc ? CFG_OPC : 0) | (a->sres_func == 2 ? CFG_SRES_2 : 0) |
			    (a->k_len == 2 * K_LEN ? CFG_K_256 : 0)));
	if (tuak) {
		wr_u8(&w, (uint8_t)(ckik << 6 | mac << 3 | res));
		wr_u8(&w, a->iterations);
		wr_bytes(&w, a->op, TOP_LEN);
		wr_bytes(&w, a->k, a->k_len);
	} else {
		wr_bytes(&w, a->k, K_LEN);
		wr_bytes(&w, a->op, K_LEN);
	}
	return w.bad ? OTA_E_SPACE : (int)wr_len(&w);
}

static int auth_key_tuak(struct lab_auth_key *a, struct rd *r, size_t k_len)
{
	uint8_t cfg = rd_u8(r);

	a->ck_ik_bits = cfg & TUAK_CKIK256 ? 256 : 128;
	a->mac_bits = (uint16_t)(64 << (cfg >> 3 & 7));
	a->res_bits = (uint16_t)(32 << (cfg & 7));
	a->iterations = rd_u8(r);
	a->op = rd_bytes(r, TOP_LEN);
	a->k_len = k_len;
	a->k = rd_bytes(r, a->k_len);
	if (r->bad)
		return OTA_E_SHORT;
	return cfg & TUAK_RFU || (cfg >> 3 & 7) > 2 || (cfg & 7) > 3 ? OTA_E_FORMAT : 0;
}

int lab_auth_key_decode(struct lab_auth_key *a, const uint8_t *ef, size_t len)
{
	struct rd r = rd_init(ef, len);
	uint8_t cfg = rd_u8(&r);
	int rc = 0;

	memset(a, 0, sizeof(*a));
	if (r.bad)
		return OTA_E_SHORT;
	if (!algorithm_known(cfg & 0x0f) || cfg & CFG_RFU)
		return OTA_E_FORMAT;
	a->algorithm = (enum lab_algorithm)(cfg & 0x0f);
	a->opc = cfg & CFG_OPC;
	a->sres_func = cfg & CFG_SRES_2 ? 2 : 1;
	if (a->algorithm == LAB_TUAK) {
		rc = auth_key_tuak(a, &r, cfg & CFG_K_256 ? 2 * K_LEN : K_LEN);
	} else {
		a->k_len = K_LEN;
		a->k = rd_bytes(&r, K_LEN);
		a->op = rd_bytes(&r, K_LEN);
		if (cfg & CFG_K_256)
			rc = OTA_E_FORMAT;
	}
	if (r.bad)
		rc = OTA_E_SHORT;
	else if (rc == 0 && rd_left(&r))
		rc = OTA_E_LENGTH;
	if (rc)
		memset(a, 0, sizeof(*a));
	return rc;
}

int lab_milenage_cfg_encode(uint8_t ef[LAB_MILENAGE_CFG_LEN], const struct lab_milenage_cfg *m)
{
	/* TS 35.206, 4.1: rotations are of a block of 128 bits. */
	for (size_t i = 0; i < 5; i++)
		if (m->r[i] > 127)
			return OTA_E_RANGE;
	memcpy(ef, m->r, sizeof(m->r));
	memcpy(ef + sizeof(m->r), m->c, sizeof(m->c));
	return LAB_MILENAGE_CFG_LEN;
}

int lab_milenage_cfg_decode(struct lab_milenage_cfg *m, const uint8_t *ef, size_t len)
{
	int rc = exactly(len, LAB_MILENAGE_CFG_LEN);

	memset(m, 0, sizeof(*m));
	if (rc)
		return rc;
	for (size_t i = 0; i < 5; i++)
		if (ef[i] > 127)
			return OTA_E_RANGE;
	memcpy(m->r, ef, sizeof(m->r));
	memcpy(m->c, ef + sizeof(m->r), sizeof(m->c));
	return 0;
}

/* Record: security domain, version, one octet about the key, the key. */
int lab_0348_key_encode(uint8_t *rec, size_t len, const struct lab_0348_key *k)
{
	struct wr w = wr_init(rec, len);

	if ((k->key_len != 8 && k->key_len != 16 && k->key_len != 24 && k->key_len != 32) || !k->key ||
	    (k->aes && k->key_len == 8) || (!k->aes && k->key_len == 32))
		return OTA_E_LENGTH;
	if ((k->mac_len != 4 && k->mac_len != 8) || (unsigned)k->use > LAB_KEY_ANY)
		return OTA_E_RANGE;
	wr_u8(&w, k->sd);
	wr_u8(&w, k->kvn);
	wr_u8(&w, (uint8_t)((k->mac_len == 4 ? KEY_MAC4 : 0) | (k->aes ? KEY_AES : 0) | k->key_len / 8 << 3 |
			    (unsigned)k->use));
	wr_bytes(&w, k->key, k->key_len);
	if (w.bad)
		return OTA_E_SPACE;
	wr_fill(&w, 0xff, len - wr_len(&w));
	return (int)len;
}

int lab_0348_key_decode(struct lab_0348_key *k, const uint8_t *rec, size_t len)
{
	struct rd r = rd_init(rec, len);
	uint8_t about;

	memset(k, 0, sizeof(*k));
	k->sd = rd_u8(&r);
	k->kvn = rd_u8(&r);
	about = rd_u8(&r);
	k->mac_len = about & KEY_MAC4 ? 4 : 8;
	k->aes = about & KEY_AES;
	k->use = (enum lab_key_use)(about & 3);
	k->key_len = 8u * (about >> 3 & 7);
	if (!r.bad && (k->key_len == 0 || k->key_len > 32 || about & 4))
		return OTA_E_FORMAT;
	k->key = rd_bytes(&r, k->key_len);
	return r.bad ? OTA_E_SHORT : 0;
}

int lab_0348_count_encode(uint8_t rec[LAB_0348_COUNT_LEN], const struct lab_0348_count *c)
{
	if (c->cntr > OTA_CNTR_MAX)
		return OTA_E_RANGE;
	rec[0] = c->sd;
	rec[1] = c->kvn;
	for (size_t i = 0; i < 5; i++)
		rec[2 + i] = (uint8_t)(c->cntr >> (32 - 8 * i));
	return LAB_0348_COUNT_LEN;
}

int lab_0348_count_decode(struct lab_0348_count *c, const uint8_t *rec, size_t len)
{
	struct rd r = rd_init(rec, len);
	int rc = exactly(len, LAB_0348_COUNT_LEN);

	memset(c, 0, sizeof(*c));
	if (rc)
		return rc;
	c->sd = rd_u8(&r);
	c->kvn = rd_u8(&r);
	c->cntr = rd_be(&r, 5);
	return 0;
}

int lab_gp_count_encode(uint8_t rec[LAB_GP_COUNT_LEN], const struct lab_gp_count *c)
{
	rec[0] = c->sd;
	rec[1] = c->kvn;
	rec[2] = (uint8_t)(c->counter >> 8);
	rec[3] = (uint8_t)c->counter;
	rec[4] = c->rfu;
	return LAB_GP_COUNT_LEN;
}

int lab_gp_count_decode(struct lab_gp_count *c, const uint8_t *rec, size_t len)
{
	int rc = exactly(len, LAB_GP_COUNT_LEN);

	memset(c, 0, sizeof(*c));
	if (rc)
		return rc;
	*c = (struct lab_gp_count){ rec[0], rec[1], (uint16_t)(rec[2] << 8 | rec[3]), rec[4] };
	return 0;
}

/* State: b8 valid, b7 can be changed, b6 unblocked, b5 disabled; b4 not initialised; b1 is disabled. */
int lab_pin_encode(uint8_t ef[LAB_PIN_LEN], const struct lab_pin *p)
{
	ef[0] = (uint8_t)(p->valid << 7 | p->changeable << 6 | p->unblockable << 5 | p->disableable << 4 |
			  p->not_initialized << 3 | p->disabled);
	ef[1] = p->left;
	ef[2] = p->max;
	memcpy(ef + 3, p->pin, sizeof(p->pin));
	ef[11] = p->puk_left;
	ef[12] = p->puk_max;
	memcpy(ef + 13, p->puk, sizeof(p->puk));
	return LAB_PIN_LEN;
}

int lab_pin_decode(struct lab_pin *p, const uint8_t *ef, size_t len)
{
	int rc = exactly(len, LAB_PIN_LEN);

	memset(p, 0, sizeof(*p));
	if (rc)
		return rc;
	p->valid = ef[0] & 0x80;
	p->changeable = ef[0] & 0x40;
	p->unblockable = ef[0] & 0x20;
	p->disableable = ef[0] & 0x10;
	p->not_initialized = ef[0] & 0x08;
	p->disabled = ef[0] & 0x01;
	p->left = ef[1];
	p->max = ef[2];
	memcpy(p->pin, ef + 3, sizeof(p->pin));
	p->puk_left = ef[11];
	p->puk_max = ef[12];
	memcpy(p->puk, ef + 13, sizeof(p->puk));
	return 0;
}

static uint8_t *put48(uint8_t *p, uint64_t v)
{
	for (size_t i = 0; i < 6; i++)
		p[i] = (uint8_t)(v >> (40 - 8 * i));
	return p + 6;
}

int lab_sqn_encode(uint8_t ef[LAB_SQN_LEN], const struct lab_sqn *s)
{
	uint8_t *p = ef;

	if (s->ind_len > 5 || s->delta_max > SQN_48_MAX || s->age_limit > SQN_48_MAX)
		return OTA_E_RANGE;
	for (size_t i = 0; i < LAB_SQN_IND; i++)
		if (s->seq[i] > SQN_48_MAX)
			return OTA_E_RANGE;
	*p++ = (uint8_t)((s->skip_next_check ? SQN_SKIP : 0) | (s->delta_max_check ? SQN_DELTA : 0) |
			 (s->age_limit_check ? SQN_AGE : 0) | (s->check ? SQN_CHECK : 0) | s->ind_len);
	*p++ = (uint8_t)((s->keep_amf_for_macs ? SQN_KEEP_AMF : 0) | (s->aus_concealed ? SQN_AUS : 0) |
			 (s->autn_concealed ? SQN_AUTN : 0));
	p = put48(p, s->delta_max);
	p = put48(p, s->age_limit);
	for (size_t i = 0; i < LAB_SQN_IND; i++)
		p = put48(p, s->seq[i]);
	return LAB_SQN_LEN;
}

int lab_sqn_decode(struct lab_sqn *s, const uint8_t *ef, size_t len)
{
	struct rd r = rd_init(ef, len);
	int rc = exactly(len, LAB_SQN_LEN);
	uint8_t flag1, flag2;

	memset(s, 0, sizeof(*s));
	if (rc)
		return rc;
	flag1 = rd_u8(&r);
	flag2 = rd_u8(&r);
	if ((flag1 & 0x0f) > 5)
		return OTA_E_RANGE;
	s->skip_next_check = flag1 & SQN_SKIP;
	s->delta_max_check = flag1 & SQN_DELTA;
	s->age_limit_check = flag1 & SQN_AGE;
	s->check = flag1 & SQN_CHECK;
	s->ind_len = flag1 & 0x0f;
	s->keep_amf_for_macs = flag2 & SQN_KEEP_AMF;
	s->aus_concealed = flag2 & SQN_AUS;
	s->autn_concealed = flag2 & SQN_AUTN;
	s->delta_max = rd_be(&r, 6);
	s->age_limit = rd_be(&r, 6);
	for (size_t i = 0; i < LAB_SQN_IND; i++)
		s->seq[i] = rd_be(&r, 6);
	return 0;
}

const char *lab_file_name(uint16_t df, uint16_t fid)
{
	static const struct {
		uint16_t df, fid; /* df 0: below ADF_USIM and ADF_ISIM */
		const char *name;
	} names[] = {
		{ LAB_FID_SYSTEM, 0x6f01, "EF.CHV1" },
		{ LAB_FID_SYSTEM, 0x6f81, "EF.CHV2" },
		{ LAB_FID_SYSTEM, 0x6f0a, "EF.ADM1" },
		{ LAB_FID_SYSTEM, 0x6f0b, "EF.ADM2" },
		{ LAB_FID_SYSTEM, 0x6f0c, "EF.ADM3" },
		{ LAB_FID_SYSTEM, 0x6f0d, "EF.ADM4" },
		{ LAB_FID_SYSTEM, LAB_FID_SIM_AUTH_KEY, "EF.SIM_AUTH_KEY" },
		{ LAB_FID_SYSTEM, LAB_FID_MILENAGE_CFG, "EF.MILENAGE_CFG" },
		{ LAB_FID_SYSTEM, LAB_FID_0348_KEY, "EF.0348_KEY" },
		{ LAB_FID_SYSTEM, LAB_FID_0348_COUNT, "EF.0348_COUNT" },
		{ LAB_FID_SYSTEM, LAB_FID_GP_COUNT, "EF.GP_COUNT" },
		{ 0, LAB_FID_USIM_AUTH_KEY, "EF.USIM_AUTH_KEY" },
		{ 0, LAB_FID_USIM_AUTH_KEY_2G, "EF.USIM_AUTH_KEY_2G" },
		{ 0, LAB_FID_USIM_SQN, "EF.USIM_SQN" },
		{ 0, 0xaf31, "EF.GBA_SK" },
		{ 0, 0xaf32, "EF.GBA_REC_LIST" },
		{ 0, 0xaf33, "EF.GBA_INT_KEY" },
		{ FID_MF, LAB_FID_SOFT_AUTH, "A001 (K, OPc)" },
		{ FID_MF, LAB_FID_SOFT_PIN, "A003 (PINs)" },
		{ FID_MF, LAB_FID_SOFT_TAR, "A004 (TARs and keys)" },
		{ FID_MF, LAB_FID_SOFT_COUNT, "A005 (counters)" },
	};

	if (df != LAB_FID_SYSTEM && df != FID_MF)
		df = 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].df == df && names[i].fid == fid)
			return names[i].name;
	return NULL;
}
