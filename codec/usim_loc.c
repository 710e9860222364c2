/* usim_loc.c - files that say where the subscriber is and may be: TS 31.102, 4.2 and 4.4.11; TS 51.011, 10.3.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <string.h>

#include "ota/codec.h"
#include "ota/rd.h"
#include "ota/wr.h"

#include "codec_int.h"

#define NONE	    0xff
#define PLMN_LEN    3
#define ACT_LEN	    2
#define AD_LEN	    4
#define HPPLMN_STEP 6 /* minutes */
#define SMSP_FIXED  28
#define SMSP_BCD    10
#define SMSP_NO_DA  0x01 /* 0: the parameter is there (4.2.27) */
#define SMSP_NO_SCA 0x02
#define SMSP_NO_PID 0x04
#define SMSP_NO_DCS 0x08
#define SMSP_NO_VP  0x10
#define SMSP_RFU    0xe0
#define KSI_NONE    0x07

/* Files of one size are written field by field; gcc 12 at -O2 sees overflows in a sticky writer of known size. */
static uint8_t *put(uint8_t *p, const uint8_t *field, size_t n)
{
	memcpy(p, field, n);
	return p + n;
}

static uint8_t *put_be(uint8_t *p, uint32_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	return p + n;
}

static uint8_t *put_fill(uint8_t *p, uint8_t v, size_t n)
{
	memset(p, v, n);
	return p + n;
}

/* ------------------------------------------------------------------------------------------------- location */

int usim_loci_encode(uint8_t ef[USIM_LOCI_LEN], const struct usim_loci *l)
{
	uint8_t *w = ef;

	w = put(w, l->tmsi, sizeof(l->tmsi));
	w = put(w, l->plmn, PLMN_LEN);
	w = put_be(w, l->lac, 2);
	*w++ = l->rfu;
	*w++ = l->status;
	return (int)(w - ef);
}

int usim_loci_decode(struct usim_loci *l, const uint8_t *ef, size_t len)
{
	struct rd r = rd_init(ef, len);
	int rc = exactly(len, USIM_LOCI_LEN);

	memset(l, 0, sizeof(*l));
	if (rc)
		return rc;
	memcpy(l->tmsi, rd_bytes(&r, sizeof(l->tmsi)), sizeof(l->tmsi));
	memcpy(l->plmn, rd_bytes(&r, PLMN_LEN), PLMN_LEN);
	l->lac = (uint16_t)rd_be(&r, 2);
	l->rfu = rd_u8(&r);
	l->status = rd_u8(&r);
	return 0;
}

int usim_psloci_encode(uint8_t ef[USIM_PSLOCI_LEN], const struct usim_psloci *l)
{
	uint8_t *w = ef;

	w = put(w, l->ptmsi, sizeof(l->ptmsi));
	w = put(w, l->signature, sizeof(l->signature));
	w = put(w, l->plmn, PLMN_LEN);
	w = put_be(w, l->lac, 2);
	*w++ = l->rac;
	*w++ = l->status;
	return (int)(w - ef);
}

int usim_psloci_decode(struct usim_psloci *l, const uint8_t *ef, size_t len)
{
	struct rd r = rd_init(ef, len);
	int rc = exactly(len, USIM_PSLOCI_LEN);

	memset(l, 0, sizeof(*l));
	if (rc)
		return rc;
	memcpy(l->ptmsi, rd_bytes(&r, sizeof(l->ptmsi)), sizeof(l->ptmsi));
	memcpy(l->signature, rd_bytes(&r, sizeof(l->signature)), sizeof(l->signature));
	memcpy(l->plmn, rd_bytes(&r, PLMN_LEN), PLMN_LEN);
	l->lac = (uint16_t)rd_be(&r, 2);
	l->rac = rd_u8(&r);
	l->status = rd_u8(&r);
	return 0;
}

int usim_epsloci_encode(uint8_t ef[USIM_EPSLOCI_LEN], const struct usim_epsloci *l)
{
	uint8_t *w = ef;

	w = put(w, l->guti, sizeof(l->guti));
	w = put(w, l->plmn, PLMN_LEN);
	w = put_be(w, l->tac, 2);
	*w++ = l->status;
	return (int)(w - ef);
}

int usim_epsloci_decode(struct usim_epsloci *l, const uint8_t *ef, size_t len)
{
	struct rd r = rd_init(ef, len);
	int rc = exactly(len, USIM_EPSLOCI_LEN);

	memset(l, 0, sizeof(*l));
	if (rc)
		return rc;
	memcpy(l->guti, rd_bytes(&r, sizeof(l->guti)), sizeof(l->guti));
	memcpy(l->plmn, rd_bytes(&r, PLMN_LEN), PLMN_LEN);
	l->tac = (uint16_t)rd_be(&r, 2);
	l->status = rd_u8(&r);
	return 0;
}

int usim_5gsloci_encode(uint8_t ef[USIM_5GSLOCI_LEN], const struct usim_5gsloci *l)
{
	uint8_t *w = ef;

	if (l->tac > 0xffffff)
		return OTA_E_RANGE;
	w = put(w, l->guti, sizeof(l->guti));
	w = put(w, l->plmn, PLMN_LEN);
	w = put_be(w, l->tac, 3);
	*w++ = l->status;
	return (int)(w - ef);
}

int usim_5gsloci_decode(struct usim_5gsloci *l, const uint8_t *ef, size_t len)
{
	struct rd r = rd_init(ef, len);
	int rc = exactly(len, USIM_5GSLOCI_LEN);

	memset(l, 0, sizeof(*l));
	if (rc)
		return rc;
	memcpy(l->guti, rd_bytes(&r, sizeof(l->guti)), sizeof(l->guti));
	memcpy(l->plmn, rd_bytes(&r, PLMN_LEN), PLMN_LEN);
	l->tac = (uint32_t)rd_be(&r, 3);
	l->status = rd_u8(&r);
	return 0;
}

/* --------------------------------------------------------------------------------------------- session keys */

int usim_keys_encode(uint8_t ef[USIM_KEYS_LEN], const struct usim_keys *k)
{
	ef[0] = k->ksi;
	memcpy(ef + 1, k->ck, sizeof(k->ck));
	memcpy(ef + 1 + sizeof(k->ck), k->ik, sizeof(k->ik));
	return USIM_KEYS_LEN;
}

int usim_keys_decode(struct usim_keys *k, const uint8_t *ef, size_t len)
{
	int rc = exactly(len, USIM_KEYS_LEN);

	memset(k, 0, sizeof(*k));
	if (rc)
		return rc;
	k->ksi = ef[0];
	memcpy(k->ck, ef + 1, sizeof(k->ck));
	memcpy(k->ik, ef + 1 + sizeof(k->ck), sizeof(k->ik));
	return 0;
}

int usim_kc_encode(uint8_t ef[USIM_KC_LEN], const struct usim_kc *k)
{
	memcpy(ef, k->kc, sizeof(k->kc));
	ef[sizeof(k->kc)] = k->cksn;
	return USIM_KC_LEN;
}

int usim_kc_decode(struct usim_kc *k, const uint8_t *ef, size_t len)
{
	int rc = exactly(len, USIM_KC_LEN);

	memset(k, 0, sizeof(*k));
	if (rc)
		return rc;
	memcpy(k->kc, ef, sizeof(k->kc));
	k->cksn = ef[sizeof(k->kc)];
	return 0;
}

/* ------------------------------------------------------------------------------------------ "deleted" values */

/* TS 31.102, 4.2.17, 4.2.23, 4.2.91: identity and PLMN all ones, "deleted" area code, then one or no octet of ones, then
 * the update status. */
static int loci_deleted(uint8_t *ef, size_t ones, uint16_t area, size_t ones_after)
{
	uint8_t *w = ef;

	w = put_fill(w, NONE, ones);
	w = put_be(w, area, 2);
	w = put_fill(w, NONE, ones_after);
	*w++ = USIM_NOT_UPDATED;
	return (int)(w - ef);
}

int usim_loci_deleted(uint8_t ef[USIM_LOCI_LEN], uint16_t lac)
{
	return loci_deleted(ef, 4 + PLMN_LEN, lac, 1); /* TMSI; RFU */
}

int usim_psloci_deleted(uint8_t ef[USIM_PSLOCI_LEN], uint16_t lac)
{
	return loci_deleted(ef, 4 + 3 + PLMN_LEN, lac, 1); /* P-TMSI, signature; RAC */
}

int usim_epsloci_deleted(uint8_t ef[USIM_EPSLOCI_LEN], uint16_t tac)
{
	return loci_deleted(ef, 12 + PLMN_LEN, tac, 0); /* GUTI */
}

/* TS 31.102, 4.2.3: key set identifier 7 is "no key available". */
int usim_keys_deleted(uint8_t ef[USIM_KEYS_LEN])
{
	memset(ef, NONE, USIM_KEYS_LEN);
	ef[0] = KSI_NONE;
	return USIM_KEYS_LEN;
}

/* 4.4.11.2: a TAC of three octets; 000000 is "deleted". */
static int fivegs_deleted(uint8_t *ef)
{
	uint8_t *w = ef;

	w = put_fill(w, NONE, 13 + PLMN_LEN);
	w = put_fill(w, 0, 3);
	*w++ = USIM_NOT_UPDATED;
	return (int)(w - ef);
}

/* 4.2.51 and annex E: START is 0 in both domains, the nibble above its 20 bits is F. */
static int start_hfn_deleted(uint8_t *ef)
{
	static const uint8_t start[6] = { 0xf0, 0x00, 0x00, 0xf0, 0x00, 0x00 };

	memcpy(ef, start, sizeof(start));
	return sizeof(start);
}

int usim_deleted(uint8_t *ef, size_t len, enum usim_df df, uint16_t fid, uint16_t area)
{
	const struct usim_file *f = usim_file_find(df, fid);

	if (!f || !f->deletable)
		return OTA_E_FORMAT;
	if (usim_file_len_check(f, len))
		return OTA_E_LENGTH;
	switch (fid) {
	case USIM_FID_LOCI:
		return usim_loci_deleted(ef, area);
	case USIM_FID_PSLOCI:
	case SIM_FID_LOCIGPRS:
		return usim_psloci_deleted(ef, area);
	case USIM_FID_EPSLOCI:
		return usim_epsloci_deleted(ef, area);
	case USIM_FID_5GS3GPPLOCI:
	case USIM_FID_5GSN3GPPLOCI:
		return fivegs_deleted(ef);
	case USIM_FID_KEYS:
	case USIM_FID_KEYSPS:
		return usim_keys_deleted(ef);
	case USIM_FID_START_HFN:
		return start_hfn_deleted(ef);
	case SIM_FID_KC:
	case SIM_FID_KCGPRS:
		memset(ef, NONE, len);
		ef[len - 1] = KSI_NONE;
		return (int)len;
	case USIM_FID_SUCI_CALC_INFO: /* 4.4.11.8: the list of schemes is mandatory, so it is there and empty */
		memset(ef, NONE, len);
		ef[0] = 0xa0;
		ef[1] = 0;
		return (int)len;
	default: /* lists, contexts, cached frequencies, names and numbers, the highest START: all ones */
		memset(ef, NONE, len);
		return (int)len;
	}
}

/* ------------------------------------------------------------------------------------------------- networks */

int usim_plmn_list_encode(uint8_t *ef, size_t len, bool act, const struct usim_plmn *list, size_t n)
{
	size_t entry = PLMN_LEN + (act ? ACT_LEN : 0);

	if (len == 0 || len % entry)
		return OTA_E_LENGTH;
	if (n > len / entry)
		return OTA_E_SPACE;
	/* 4.2.5: no entry is FF FF FF, and its access technologies 00 00. */
	for (size_t i = 0; i < len / entry; i++) {
		uint8_t *p = ef + i * entry;
		bool used = i < n && (list[i].mcc[0] || list[i].mnc[0]);
		uint16_t technologies = used ? list[i].act : 0;
		int rc = 0;

		memset(p, NONE, PLMN_LEN);
		if (used)
			rc = usim_plmn_encode(p, list[i].mcc, list[i].mnc);
		if (rc < 0)
			return rc;
		if (act) {
			p[PLMN_LEN] = (uint8_t)(technologies >> 8);
			p[PLMN_LEN + 1] = (uint8_t)technologies;
		}
	}
	return (int)len;
}

int usim_plmn_list_decode(struct usim_plmn *list, size_t cap, bool act, const uint8_t *ef, size_t len)
{
	static const uint8_t none[PLMN_LEN] = { NONE, NONE, NONE };
	size_t entry = PLMN_LEN + (act ? ACT_LEN : 0), n = len / entry;

	if (len == 0 || len % entry)
		return OTA_E_LENGTH;
	if (n > cap)
		return OTA_E_SPACE;
	for (size_t i = 0; i < n; i++) {
		const uint8_t *p = ef + i * entry;
		int rc = 0;

		memset(&list[i], 0, sizeof(list[i]));
		if (act)
			list[i].act = (uint16_t)(p[PLMN_LEN] << 8 | p[PLMN_LEN + 1]);
		if (memcmp(p, none, PLMN_LEN))
			rc = usim_plmn_decode(list[i].mcc, list[i].mnc, p);
		if (rc)
			return rc;
	}
	return (int)n;
}

int usim_ad_encode(uint8_t *ef, size_t len, const struct usim_ad *ad)
{
	if (len < AD_LEN || len > 255)
		return OTA_E_LENGTH;
	if (ad->mnc_len != 2 && ad->mnc_len != 3)
		return OTA_E_RANGE;
	memset(ef, 0, len);
	ef[0] = ad->mode;
	ef[1] = ad->info[0];
	ef[2] = ad->info[1];
	ef[3] = ad->mnc_len;
	return (int)len;
}

/* Early phase cards end behind the third octet. */
int usim_ad_decode(struct usim_ad *ad, const uint8_t *ef, size_t len)
{
	memset(ad, 0, sizeof(*ad));
	if (len < AD_LEN - 1)
		return OTA_E_SHORT;
	if (len > 255)
		return OTA_E_LENGTH;
	if (len >= AD_LEN && (ef[3] & 0x0f) != 2 && (ef[3] & 0x0f) != 3)
		return OTA_E_RANGE;
	ad->mode = ef[0];
	ad->info[0] = ef[1];
	ad->info[1] = ef[2];
	ad->mnc_len = len >= AD_LEN ? ef[3] & 0x0f : 0;
	return 0;
}

int usim_hpplmn_encode(uint8_t ef[1], unsigned minutes)
{
	if (minutes % HPPLMN_STEP || minutes / HPPLMN_STEP > 255)
		return OTA_E_RANGE;
	ef[0] = (uint8_t)(minutes / HPPLMN_STEP);
	return 1;
}

int usim_hpplmn_decode(unsigned *minutes, const uint8_t *ef, size_t len)
{
	int rc = exactly(len, 1);

	*minutes = rc ? 0 : ef[0] * HPPLMN_STEP;
	return rc;
}

/* 4.2.8: service 1 is b1 of the first octet. */
bool usim_ust_has(const uint8_t *ef, size_t len, unsigned service)
{
	return service && (service - 1) / 8 < len && ef[(service - 1) / 8] >> (service - 1) % 8 & 1;
}

int usim_ust_set(uint8_t *ef, size_t len, unsigned service, bool on)
{
	uint8_t bit = (uint8_t)(1u << (service - 1) % 8);

	if (service == 0 || (service - 1) / 8 >= len)
		return OTA_E_RANGE;
	ef[(service - 1) / 8] = (uint8_t)(on ? ef[(service - 1) / 8] | bit : ef[(service - 1) / 8] & ~bit);
	return (int)len;
}

/* ------------------------------------------------------------------------------------- short message parameters */

/* TP-DA of an SMSP record has its length in digits, as in a TPDU; the service centre address in octets (4.2.27). */
static int da_write(struct wr *w, const struct ota_addr *a)
{
	size_t n = strnlen(a->digits, sizeof(a->digits));
	uint8_t *at = w->p;
	int rc = ef_addr_write(w, a, SMSP_BCD);

	if (rc == 0 && n)
		*at = (uint8_t)n;
	return rc;
}

static int da_read(struct rd *r, struct ota_addr *a)
{
	uint8_t raw[2 + SMSP_BCD];
	const uint8_t *p = rd_bytes(r, sizeof(raw));
	struct rd in;

	memset(a, 0, sizeof(*a));
	if (!p)
		return OTA_E_SHORT;
	memcpy(raw, p, sizeof(raw));
	if (raw[0] != NONE && raw[0]) {
		if (raw[0] > 2 * SMSP_BCD)
			return OTA_E_LENGTH;
		raw[0] = (uint8_t)(1 + (raw[0] + 1) / 2);
	}
	in = rd_init(raw, sizeof(raw));
	return ef_addr_read(&in, a, SMSP_BCD);
}

int usim_smsp_encode(uint8_t *rec, size_t len, const struct usim_smsp *s)
{
	static const struct ota_addr none;
	struct wr w = wr_init(rec, len);
	uint8_t pi = SMSP_RFU;
	int rc;

	if (len < USIM_SMSP_LEN_MIN || len > 255 || s->alpha_len > len - SMSP_FIXED)
		return OTA_E_LENGTH;
	pi |= (s->has_da ? 0 : SMSP_NO_DA) | (s->has_sca ? 0 : SMSP_NO_SCA) | (s->has_pid ? 0 : SMSP_NO_PID) |
	      (s->has_dcs ? 0 : SMSP_NO_DCS) | (s->has_vp ? 0 : SMSP_NO_VP);
	wr_bytes(&w, s->alpha, s->alpha_len);
	wr_fill(&w, NONE, len - SMSP_FIXED - s->alpha_len);
	wr_u8(&w, pi);
	rc = da_write(&w, s->has_da ? &s->da : &none);
	if (rc == 0)
		rc = ef_addr_write(&w, s->has_sca ? &s->sca : &none, SMSP_BCD);
	if (rc)
		return rc;
	wr_u8(&w, s->has_pid ? s->pid : NONE);
	wr_u8(&w, s->has_dcs ? s->dcs : NONE);
	wr_u8(&w, s->has_vp ? s->vp : NONE);
	return (int)wr_len(&w);
}

int usim_smsp_decode(struct usim_smsp *s, const uint8_t *rec, size_t len)
{
	struct rd r = rd_init(rec, len);
	uint8_t pi;
	int rc;

	memset(s, 0, sizeof(*s));
	if (len < USIM_SMSP_LEN_MIN)
		return OTA_E_SHORT;
	if (len > 255)
		return OTA_E_LENGTH;
	s->alpha = rd_bytes(&r, len - SMSP_FIXED);
	s->alpha_len = alpha_len(s->alpha, len - SMSP_FIXED);
	pi = rd_u8(&r);
	s->has_da = !(pi & SMSP_NO_DA);
	s->has_sca = !(pi & SMSP_NO_SCA);
	s->has_pid = !(pi & SMSP_NO_PID);
	s->has_dcs = !(pi & SMSP_NO_DCS);
	s->has_vp = !(pi & SMSP_NO_VP);
	rc = da_read(&r, &s->da);
	if (rc == 0)
		rc = ef_addr_read(&r, &s->sca, SMSP_BCD);
	if (rc)
		return rc;
	s->pid = rd_u8(&r);
	s->dcs = rd_u8(&r);
	s->vp = rd_u8(&r);
	return 0;
}

/* TS 23.040, 9.2.3.12.1 */
unsigned usim_vp_minutes(uint8_t vp)
{
	if (vp <= 143)
		return (vp + 1u) * 5;
	if (vp <= 167)
		return 12 * 60 + (vp - 143u) * 30;
	return vp <= 196 ? (vp - 166u) * 24 * 60 : (vp - 192u) * 7 * 24 * 60;
}

int usim_spn_encode(uint8_t ef[USIM_SPN_LEN], uint8_t display, const uint8_t *name, size_t len)
{
	if (len > USIM_SPN_LEN - 1)
		return OTA_E_LENGTH;
	memset(ef, NONE, USIM_SPN_LEN);
	ef[0] = display;
	if (len)
		memcpy(ef + 1, name, len);
	return USIM_SPN_LEN;
}

int usim_spn_decode(uint8_t *display, const uint8_t **name, size_t *name_len, const uint8_t *ef, size_t len)
{
	int rc = exactly(len, USIM_SPN_LEN);

	*display = 0;
	*name = NULL;
	*name_len = 0;
	if (rc)
		return rc;
	*display = ef[0];
	*name = ef + 1;
	*name_len = alpha_len(ef + 1, USIM_SPN_LEN - 1);
	return 0;
}
