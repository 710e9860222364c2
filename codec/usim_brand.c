/* usim_brand.c - files of an operator's own: names of networks, groups, emergency numbers, concealment of the identity.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * TS 31.102, 4.2.10, 4.2.11, 4.2.21, 4.2.52, 4.2.58, 4.2.59 and 4.4.11.8; network names are those of TS 24.008.
 */
#include <string.h>

#include "ota/codec.h"
#include "ota/rd.h"
#include "ota/wr.h"

#include "codec_int.h"

#define NONE	      0xff
#define EF_MAX	      255
#define PLMN_LEN      3
#define START_MAX     0xfffff /* START has 20 bits (TS 33.102, 6.4.8) */
#define START_UNUSED  0xf     /* the nibble above them (4.2.51) */
#define ECC_CODE_LEN  3
#define ECC_FIXED     4	   /* code and category */
#define ECC_RFU	      0x80 /* of the category (TS 24.008, 10.5.4.33) */
#define PNN_LEN_MIN   3
#define TAG_FULL      0x43
#define TAG_SHORT     0x45
#define TAG_INFO      0x80
#define NAME_EXT      0x80 /* first octet of a name: no octet of the same kind follows */
#define NAME_UCS2     0x10
#define NAME_CODING   0x70
#define NAME_ADD_CI   0x08
#define NAME_SPARE    0x07
#define TAG_SCHEMES   0xa0
#define TAG_KEYS      0xa1
#define TAG_KEY_ID    0x80
#define TAG_KEY	      0x81
#define SUCI_LEN_MIN  2
#define SCHEME_MAX    15 /* TS 23.003, 2.2B */
#define X25519_LEN    32
#define P256_LEN      33 /* compressed; TS 33.501, C.3.4.2 */
#define P256_FULL_LEN 65 /* as TS 31.121, 4.9.4 has it in its test file */

static bool all_none(const uint8_t *p, size_t len)
{
	return alpha_len(p, len) == 0;
}

/* ------------------------------------------------------------------------------------ group identifiers, START */

int usim_gid_encode(uint8_t *ef, size_t len, const uint8_t *id, size_t n)
{
	if (len == 0 || len > EF_MAX || n > len)
		return OTA_E_LENGTH;
	/* TS 22.022, A.1: a first octet of FF means that there is none */
	if (n && id[0] == NONE)
		return OTA_E_RANGE;
	if (n)
		memcpy(ef, id, n);
	memset(ef + n, NONE, len - n);
	return (int)len;
}

int usim_gid_decode(const uint8_t **id, size_t *n, const uint8_t *ef, size_t len)
{
	*id = ef;
	*n = 0;
	if (len == 0)
		return OTA_E_SHORT;
	if (len > EF_MAX)
		return OTA_E_LENGTH;
	*n = ef[0] == NONE ? 0 : alpha_len(ef, len);
	return 0;
}

int usim_threshold_encode(uint8_t ef[USIM_THRESHOLD_LEN], uint32_t start)
{
	if (start > START_MAX)
		return OTA_E_RANGE;
	ef[0] = (uint8_t)(START_UNUSED << 4 | start >> 16);
	ef[1] = (uint8_t)(start >> 8);
	ef[2] = (uint8_t)start;
	return USIM_THRESHOLD_LEN;
}

int usim_threshold_decode(uint32_t *start, const uint8_t *ef, size_t len)
{
	*start = 0;
	if (len != USIM_THRESHOLD_LEN)
		return len < USIM_THRESHOLD_LEN ? OTA_E_SHORT : OTA_E_LENGTH;
	/* cards have been seen with 0 in the unused nibble; anything else is more than START can be */
	if (ef[0] >> 4 != START_UNUSED && ef[0] >> 4 != 0)
		return OTA_E_RANGE;
	*start = (uint32_t)(ef[0] & 0x0f) << 16 | (uint32_t)ef[1] << 8 | ef[2];
	return 0;
}

/* -------------------------------------------------------------------------------------------- emergency numbers */

int usim_ecc_encode(uint8_t *rec, size_t len, const struct usim_ecc *e)
{
	size_t n = digits_len(e->code, USIM_ECC_DIGITS_MAX);

	if (len < ECC_FIXED || len > EF_MAX || e->alpha_len > len - ECC_FIXED)
		return OTA_E_LENGTH;
	if (e->code[0] && n == 0)
		return OTA_E_DIGITS;
	if (e->category & ECC_RFU || (n == 0 && (e->alpha_len || e->category)))
		return OTA_E_RANGE;
	memset(rec, NONE, len);
	if (n == 0) /* an unused record */
		return (int)len;
	bcd_write(rec, e->code, n, 0xf);
	if (e->alpha_len)
		memcpy(rec + ECC_CODE_LEN, e->alpha, e->alpha_len);
	rec[len - 1] = e->category;
	return (int)len;
}

int usim_ecc_decode(struct usim_ecc *e, const uint8_t *rec, size_t len)
{
	size_t n = USIM_ECC_DIGITS_MAX;

	memset(e, 0, sizeof(*e));
	if (len < ECC_FIXED)
		return OTA_E_SHORT;
	if (len > EF_MAX)
		return OTA_E_LENGTH;
	while (n && (n & 1 ? rec[n / 2] & 0x0f : rec[n / 2 - 1] >> 4) == 0xf)
		n--;
	if (n == 0) /* an unused record, whatever stands behind the code */
		return 0;
	if (!bcd_read(e->code, rec, n)) {
		memset(e, 0, sizeof(*e));
		return OTA_E_DIGITS;
	}
	e->alpha = rec + ECC_CODE_LEN;
	e->alpha_len = alpha_len(e->alpha, len - ECC_FIXED);
	e->category = rec[len - 1] & (uint8_t)~ECC_RFU;
	return 0;
}

/* ---------------------------------------------------------------------------------------------- network names */

/* In the default alphabet: its septets, or 0 when it has a character that is not there (an empty name as well). */
static size_t name_septets(const char *text)
{
	size_t n = 0, k;
	uint32_t c;

	for (; *text; text += k, n++) {
		k = utf8_get(text, &c);
		if (k == 0 || gsm7_septet(c) < 0)
			return 0;
	}
	return n;
}

/* TS 24.008, 10.5.3.5a: how it is coded, whether the country's initials go before it, spare bits; then the characters. */
static int name_gsm7(struct wr *w, const struct usim_network_name *name, size_t n)
{
	size_t octets = (7 * n + 7) / 8, i = 0, k;
	uint8_t *p;
	uint32_t c;

	wr_u8(w, (uint8_t)(1 + octets));
	wr_u8(w, (uint8_t)(NAME_EXT | (name->add_ci ? NAME_ADD_CI : 0) | (8 * octets - 7 * n)));
	p = wr_room(w, octets);
	if (!p)
		return OTA_E_SPACE;
	memset(p, 0, octets);
	for (const char *s = name->text; *s; s += k) {
		k = utf8_get(s, &c);
		septet_put(p, i++, (uint8_t)gsm7_septet(c));
	}
	return 0;
}

static int name_ucs2(struct wr *w, const struct usim_network_name *name)
{
	uint8_t *len = wr_room(w, 1);
	size_t n = 1, k;
	uint32_t c;

	wr_u8(w, NAME_EXT | NAME_UCS2 | (name->add_ci ? NAME_ADD_CI : 0));
	for (const char *s = name->text; *s; s += k, n += 2) {
		k = utf8_get(s, &c);
		if (k == 0)
			return OTA_E_FORMAT;
		wr_be(w, c, 2);
	}
	if (w->bad)
		return OTA_E_SPACE;
	*len = (uint8_t)n;
	return 0;
}

static int name_write(struct wr *w, uint8_t tag, const struct usim_network_name *name)
{
	size_t n = name->ucs2 ? 0 : name_septets(name->text);

	wr_u8(w, tag);
	return n ? name_gsm7(w, name, n) : name_ucs2(w, name);
}

int usim_pnn_encode(uint8_t *rec, size_t len, const struct usim_pnn *p)
{
	struct wr w = wr_init(rec, len);
	int rc = 0;

	if (len < PNN_LEN_MIN || len > EF_MAX)
		return OTA_E_LENGTH;
	if (!memchr(p->full.text, 0, sizeof(p->full.text)) || !memchr(p->brief.text, 0, sizeof(p->brief.text)))
		return OTA_E_LENGTH;
	/* the full name is mandatory; without it the record is an unused one */
	if (!p->full.text[0] && (p->brief.text[0] || p->info_len))
		return OTA_E_FORMAT;
	if (p->full.text[0])
		rc = name_write(&w, TAG_FULL, &p->full);
	if (!rc && p->brief.text[0])
		rc = name_write(&w, TAG_SHORT, &p->brief);
	if (rc)
		return rc;
	if (p->info_len) {
		wr_u8(&w, TAG_INFO);
		wr_u8(&w, (uint8_t)p->info_len);
		wr_bytes(&w, p->info, p->info_len);
	}
	if (w.bad)
		return OTA_E_SPACE;
	wr_fill(&w, NONE, len - wr_len(&w));
	return (int)len;
}

static int name_read(struct usim_network_name *name, struct rd *r)
{
	uint8_t how = rd_u8(r);
	size_t n = rd_left(r), at = 0, k;
	bool ucs2 = (how & NAME_CODING) == NAME_UCS2;

	if (r->bad || (!ucs2 && how & NAME_CODING) || (ucs2 && n % 2))
		return OTA_E_FORMAT;
	/* spare bits beyond the octets there are: no name */
	n = ucs2 ? n / 2 : n ? (8 * n - (how & NAME_SPARE)) / 7 : 0;
	name->ucs2 = ucs2;
	name->add_ci = how & NAME_ADD_CI;
	for (size_t i = 0; i < n; i++, at += k) {
		uint32_t c = ucs2 ? (uint32_t)(r->p[2 * i] << 8 | r->p[2 * i + 1]) : gsm7_char(septet_get(r->p, i));

		k = utf8_put(name->text + at, sizeof(name->text) - at, c);
		if (k == 0)
			return OTA_E_SPACE;
	}
	return 0;
}

/* One object of a record; each comes once. */
static int pnn_object(struct usim_pnn *p, uint8_t tag, struct rd *value, unsigned *seen)
{
	unsigned bit = tag == TAG_FULL ? 1 : tag == TAG_SHORT ? 2 : tag == TAG_INFO ? 4 : 0;

	if (!bit || *seen & bit)
		return OTA_E_FORMAT;
	*seen |= bit;
	if (tag != TAG_INFO)
		return name_read(tag == TAG_FULL ? &p->full : &p->brief, value);
	p->info = value->p;
	p->info_len = rd_left(value);
	return 0;
}

int usim_pnn_decode(struct usim_pnn *p, const uint8_t *rec, size_t len)
{
	struct rd r = rd_init(rec, len);
	unsigned seen = 0;
	int rc = 0;

	memset(p, 0, sizeof(*p));
	if (len < PNN_LEN_MIN)
		return OTA_E_SHORT;
	if (len > EF_MAX)
		return OTA_E_LENGTH;
	while (!rc && rd_left(&r) && *r.p != NONE) {
		uint8_t tag = rd_u8(&r);
		struct rd value = rd_sub(&r, rd_u8(&r));

		rc = r.bad ? OTA_E_SHORT : pnn_object(p, tag, &value, &seen);
	}
	if (!rc && !all_none(r.p, rd_left(&r)))
		rc = OTA_E_FORMAT;
	if (rc)
		memset(p, 0, sizeof(*p));
	return rc;
}

int usim_opl_encode(uint8_t *rec, size_t len, const struct usim_opl *o)
{
	int rc;

	if (len < USIM_OPL_LEN_MIN || len > EF_MAX)
		return OTA_E_LENGTH;
	if (!o->mcc[0] && !o->mnc[0]) {
		memset(rec, NONE, len);
		return (int)len;
	}
	if (o->first > o->last)
		return OTA_E_RANGE;
	rc = plmn_write(rec, o->mcc, o->mnc, true);
	if (rc < 0)
		return rc;
	rec[3] = (uint8_t)(o->first >> 8);
	rec[4] = (uint8_t)o->first;
	rec[5] = (uint8_t)(o->last >> 8);
	rec[6] = (uint8_t)o->last;
	rec[7] = o->pnn;
	memset(rec + USIM_OPL_LEN_MIN, NONE, len - USIM_OPL_LEN_MIN);
	return (int)len;
}

int usim_opl_decode(struct usim_opl *o, const uint8_t *rec, size_t len)
{
	int rc;

	memset(o, 0, sizeof(*o));
	if (len < USIM_OPL_LEN_MIN)
		return OTA_E_SHORT;
	if (len > EF_MAX)
		return OTA_E_LENGTH;
	if (all_none(rec, PLMN_LEN))
		return 0;
	rc = plmn_read(o->mcc, o->mnc, rec, true);
	if (rc)
		return rc;
	o->first = (uint16_t)(rec[3] << 8 | rec[4]);
	o->last = (uint16_t)(rec[5] << 8 | rec[6]);
	o->pnn = rec[7];
	if (o->first <= o->last)
		return 0;
	memset(o, 0, sizeof(*o));
	return OTA_E_RANGE;
}

/* -------------------------------------------------------------------------------------------------------- SUCI */

static bool key_fits(uint8_t scheme, size_t len)
{
	return scheme == USIM_SUCI_PROFILE_A ? len == X25519_LEN :
	       scheme == USIM_SUCI_PROFILE_B ? len == P256_LEN || len == P256_FULL_LEN :
					       len > 0;
}

static int suci_check(const struct usim_suci *s)
{
	if (s->schemes > USIM_SUCI_SCHEMES_MAX || s->keys > USIM_SUCI_KEYS_MAX)
		return OTA_E_RANGE;
	for (size_t i = 0; i < s->schemes; i++) {
		uint8_t id = s->scheme[i].id, key = s->scheme[i].key;

		/* the null scheme has no key, the standard's others always one */
		if (id > SCHEME_MAX || key > s->keys || (id == USIM_SUCI_NULL && key) ||
		    ((id == USIM_SUCI_PROFILE_A || id == USIM_SUCI_PROFILE_B) && !key))
			return OTA_E_RANGE;
		if (key && !key_fits(id, s->key[key - 1].len))
			return OTA_E_LENGTH;
	}
	return 0;
}

int usim_suci_encode(uint8_t *ef, size_t len, const struct usim_suci *s)
{
	struct wr w = wr_init(ef, len);
	size_t n = 0;
	int rc = suci_check(s);

	if (rc)
		return rc;
	if (len < SUCI_LEN_MIN || len > EF_MAX)
		return OTA_E_LENGTH;
	wr_u8(&w, TAG_SCHEMES);
	ber_len_write(&w, 2 * s->schemes);
	for (size_t i = 0; i < s->schemes; i++) {
		wr_u8(&w, s->scheme[i].id);
		wr_u8(&w, s->scheme[i].key);
	}
	for (size_t i = 0; i < s->keys; i++)
		n += 3 + 1 + ber_len_octets(s->key[i].len) + s->key[i].len;
	if (s->keys) {
		wr_u8(&w, TAG_KEYS);
		ber_len_write(&w, n);
	}
	for (size_t i = 0; i < s->keys; i++) {
		wr_u8(&w, TAG_KEY_ID);
		wr_u8(&w, 1);
		wr_u8(&w, s->key[i].id);
		wr_u8(&w, TAG_KEY);
		ber_len_write(&w, s->key[i].len);
		wr_bytes(&w, s->key[i].octets, s->key[i].len);
	}
	if (w.bad)
		return OTA_E_SPACE;
	wr_fill(&w, NONE, len - wr_len(&w));
	return (int)len;
}

/* The value of an object that must have this tag. */
static int suci_object(struct rd *r, uint8_t tag, struct rd *value)
{
	size_t n;
	int rc;

	if (rd_u8(r) != tag)
		return r->bad ? OTA_E_SHORT : OTA_E_FORMAT;
	rc = ber_len_read(r, &n);
	if (rc)
		return rc;
	*value = rd_sub(r, n);
	return value->bad ? OTA_E_SHORT : 0;
}

static int suci_keys(struct usim_suci *s, struct rd *list)
{
	struct rd id, key;
	int rc;

	for (; rd_left(list); s->keys++) {
		if (s->keys == USIM_SUCI_KEYS_MAX)
			return OTA_E_SPACE;
		rc = suci_object(list, TAG_KEY_ID, &id);
		if (!rc)
			rc = suci_object(list, TAG_KEY, &key);
		if (rc)
			return rc;
		if (rd_left(&id) != 1)
			return OTA_E_LENGTH;
		s->key[s->keys].id = rd_u8(&id);
		s->key[s->keys].octets = key.p;
		s->key[s->keys].len = (uint8_t)rd_left(&key);
	}
	return 0;
}

static int suci_read(struct usim_suci *s, struct rd *r)
{
	struct rd list;
	int rc = suci_object(r, TAG_SCHEMES, &list);

	if (rc)
		return rc;
	if (rd_left(&list) % 2)
		return OTA_E_LENGTH;
	for (; rd_left(&list); s->schemes++) {
		if (s->schemes == USIM_SUCI_SCHEMES_MAX)
			return OTA_E_SPACE;
		s->scheme[s->schemes].id = rd_u8(&list);
		s->scheme[s->schemes].key = rd_u8(&list);
	}
	if (rd_left(r) && *r->p == TAG_KEYS) {
		rc = suci_object(r, TAG_KEYS, &list);
		if (!rc)
			rc = suci_keys(s, &list);
	}
	return rc;
}

int usim_suci_decode(struct usim_suci *s, const uint8_t *ef, size_t len)
{
	struct rd r = rd_init(ef, len);
	int rc;

	memset(s, 0, sizeof(*s));
	if (len < SUCI_LEN_MIN)
		return OTA_E_SHORT;
	if (len > EF_MAX)
		return OTA_E_LENGTH;
	if (all_none(ef, len)) /* as cards are delivered: there, but never written */
		return 0;
	rc = suci_read(s, &r);
	if (!rc && !all_none(r.p, rd_left(&r)))
		rc = OTA_E_FORMAT;
	if (rc)
		memset(s, 0, sizeof(*s));
	return rc;
}
