/* ks_seal.c - what stands in the store: sealed keysets and the check record.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Sealed keyset, KS_SEALED_HEAD + keys + tag octets (84 for two keys of two-key 3DES and KIK):
 *
 *	0	version	KS_SEALED_VERSION
 *	1	KVN in the high nibble, CC length in the low one
 *	2	KIc algorithm in the high nibble, KID algorithm in the low one, as TS 102 225 5.1.2 numbers them
 *	3..4	lengths of KIc, KID, KIK in eighths of octets: one nibble each, the first nibble 0
 *	5..16	nonce: the first octets of HMAC-SHA256 over all that the tag covers and the keys
 *	..	AES-256-GCM of KIc || KID || KIK
 *	last 16	tag
 *
 * The tag also covers a label, the ICCID and octets 0..4: a record does not open under another card, another key
 * version, or with another algorithm written over its own.
 *
 * Nonces are made from what is sealed (as AES-SIV does, RFC 5297, 1.1), under a key that comes from the KEK: the same keys
 * for the same card and version give the same record.  So whoever holds records can tell whether a second import brings
 * other keys, without opening anything, and nothing else can be told.  A nonce comes twice for two different plain texts no
 * sooner than a random one would: under one KEK stay below 2^32 different keysets (SP 800-38D, 8.3).
 *
 * Check record, KS_CHECK_LEN octets: magic(4) version(1) kdf(1) log2 N(1) r(1) p(1) reserved(1) salt(16) nonce(12)
 * sealed known text(10) tag(16).
 */
#include <string.h>

#include "ota/rd.h"
#include "ota/wr.h"
#include "ks_int.h"

#define KS_SEALED_VERSION   1
#define KS_SEALED_FIXED	    5 /* octets before the nonce */
#define KS_CHECK_VERSION    1
#define KS_CHECK_FIXED	    26 /* octets before the nonce */
#define KS_CHECK_TEXT_LEN   10
#define KS_SCRYPT_LOG_N_MIN 15 /* what a check record may ask for: less is weak, more fills the memory */
#define KS_SCRYPT_LOG_N_MAX 17
#define KS_SCRYPT_P_MAX	    4

_Static_assert(KS_SEALED_FIXED + KS_NONCE_LEN + KS_KEYS * KS_KEY_MAX + KS_TAG_LEN <= KS_SEALED_MAX, "a keyset fits");
_Static_assert(KS_CHECK_FIXED + KS_NONCE_LEN + KS_CHECK_TEXT_LEN + KS_TAG_LEN == KS_CHECK_LEN, "no octet is left over");

static const uint8_t keyset_label[] = "otagw sealed keyset";
static const uint8_t check_magic[4] = { 'o', 't', 'K', 'C' }; /* the label, too: no keyset's begins so */
static const uint8_t check_text[KS_CHECK_TEXT_LEN] = "right key";

/* ---- what fits what ---- */

enum ksc_kind ks_kind(enum ota_alg alg, size_t key_len)
{
	switch (alg) {
	case OTA_ALG_DES_CBC:
	case OTA_ALG_DES_ECB:
		return key_len == 8 ? KSC_EDE2 : KSC_NONE;
	case OTA_ALG_3DES2_CBC:
		return key_len == 16 ? KSC_EDE2 : KSC_NONE;
	case OTA_ALG_3DES3_CBC:
		return key_len == 24 ? KSC_EDE3 : KSC_NONE;
	case OTA_ALG_AES_CBC:
		return key_len == 16 ? KSC_AES128 : key_len == 24 ? KSC_AES192 : key_len == 32 ? KSC_AES256 : KSC_NONE;
	default:
		return KSC_NONE;
	}
}

int ks_spec_check(const struct ks_keyset_spec *spec)
{
	if (spec->kvn < 1 || spec->kvn > 15)
		return KS_E_SPEC;
	if ((unsigned)spec->kic_alg >= _OTA_ALGS || (unsigned)spec->kid_alg >= _OTA_ALGS)
		return KS_E_SPEC;
	if (spec->kic_alg == OTA_ALG_NONE && spec->kid_alg == OTA_ALG_NONE)
		return KS_E_SPEC;
	if (spec->kid_alg == OTA_ALG_DES_ECB) /* TS 102 225, 5.1.3: a MAC of this kind does not exist */
		return KS_E_SPEC;
	if (spec->cc_len != 8 && !(spec->cc_len == 4 && spec->kid_alg == OTA_ALG_AES_CBC))
		return KS_E_SPEC;
	return 0;
}

/* Algorithm numbers at rest are those of KIc (TS 102 225, 5.1.2), not those of our enum. */
static const uint8_t alg_at_rest[_OTA_ALGS] = {
	[OTA_ALG_DES_CBC] = 0x1,   [OTA_ALG_DES_ECB] = 0xd, [OTA_ALG_3DES2_CBC] = 0x5,
	[OTA_ALG_3DES3_CBC] = 0x9, [OTA_ALG_AES_CBC] = 0x2,
};

static enum ota_alg alg_from_rest(unsigned nibble)
{
	for (unsigned a = 0; a < _OTA_ALGS; a++)
		if (alg_at_rest[a] == nibble)
			return (enum ota_alg)a;
	return _OTA_ALGS;
}

/* ---- sealed keyset ---- */

/* What the tag covers besides the keys.  The label ends in a NUL and the header has a fixed length: the three run
 * together without ambiguity. */
struct keyset_aad {
	uint8_t buf[sizeof(keyset_label) + KS_SEALED_FIXED + KS_ICCID_MAX];
	struct ota_span span;
};

static void aad_make(struct keyset_aad *a, const uint8_t *sealed, const char *iccid, size_t iccid_len)
{
	struct wr w = wr_init(a->buf, sizeof(a->buf));

	wr_bytes(&w, keyset_label, sizeof(keyset_label));
	wr_bytes(&w, sealed, KS_SEALED_FIXED);
	wr_bytes(&w, iccid, iccid_len);
	a->span = (struct ota_span){ a->buf, wr_len(&w) };
}

static bool iccid_fits(const char *iccid, size_t *len)
{
	*len = iccid ? strnlen(iccid, KS_ICCID_MAX + 1) : 0;
	return *len > 0 && *len <= KS_ICCID_MAX;
}

int ks_keyset_seal(struct ksc *c, const char *iccid, const struct ks_keyset *in, uint8_t *plain,
		   uint8_t sealed[KS_SEALED_MAX])
{
	struct wr w = wr_init(sealed, KS_SEALED_MAX);
	struct wr pw = wr_init(plain, KS_KEYS * KS_KEY_MAX);
	struct keyset_aad aad;
	size_t iccid_len;
	uint8_t *nonce, *text, *tag;
	int rc;

	if (!iccid_fits(iccid, &iccid_len))
		return KS_E_SPEC;
	wr_u8(&w, KS_SEALED_VERSION);
	wr_u8(&w, (uint8_t)(in->spec.kvn << 4 | in->spec.cc_len));
	wr_u8(&w, (uint8_t)(alg_at_rest[in->spec.kic_alg] << 4 | alg_at_rest[in->spec.kid_alg]));
	wr_be(&w, (uint64_t)(in->len[0] / 8 << 8 | in->len[1] / 8 << 4 | in->len[2] / 8), 2);
	nonce = wr_room(&w, KS_NONCE_LEN);
	for (int i = 0; i < KS_KEYS; i++)
		wr_bytes(&pw, in->key[i], in->len[i]);
	text = wr_room(&w, wr_len(&pw));
	tag = wr_room(&w, KS_TAG_LEN);

	aad_make(&aad, sealed, iccid, iccid_len);
	rc = w.bad || pw.bad ? KS_E_KEYLEN : ksc_nonce(c, &aad.span, plain, wr_len(&pw), nonce);
	if (!rc)
		rc = ksc_seal(c, nonce, &aad.span, plain, wr_len(&pw), text, tag);
	ks_wipe(plain, KS_KEYS * KS_KEY_MAX);
	return rc ? rc : (int)wr_len(&w);
}

int ks_keyset_fits(const struct ks_keyset *k)
{
	if ((k->len[0] || k->spec.kic_alg) && !ks_kind(k->spec.kic_alg, k->len[0]))
		return KS_E_SEALED;
	if ((k->len[1] || k->spec.kid_alg) && !ks_kind(k->spec.kid_alg, k->len[1]))
		return KS_E_SEALED;
	return 0;
}

/* Reads the header; nothing in it is believed before the tag is right, but lengths must add up to get there. */
static int head_read(struct rd *r, struct ks_keyset *out)
{
	uint8_t version = rd_u8(r), kvn_cc = rd_u8(r), algs = rd_u8(r);
	uint16_t lens = (uint16_t)rd_be(r, 2);

	if (r->bad || version != KS_SEALED_VERSION || lens >> 12)
		return KS_E_SEALED;
	out->spec = (struct ks_keyset_spec){
		.kvn = kvn_cc >> 4,
		.cc_len = kvn_cc & 0x0f,
		.kic_alg = alg_from_rest(algs >> 4),
		.kid_alg = alg_from_rest(algs & 0x0f),
	};
	for (int i = 0; i < KS_KEYS; i++) {
		out->len[i] = (lens >> (8 - 4 * i) & 0x0f) * 8;
		if (out->len[i] > KS_KEY_MAX)
			return KS_E_SEALED;
	}
	if (ks_spec_check(&out->spec))
		return KS_E_SEALED;
	return ks_keyset_fits(out);
}

int ks_sealed_spec(const uint8_t *sealed, size_t len, struct ks_keyset_spec *out)
{
	struct rd r = rd_init(sealed, len);
	struct ks_keyset head;
	int rc = sealed ? head_read(&r, &head) : KS_E_SEALED;

	*out = rc ? (struct ks_keyset_spec){ 0 } : head.spec;
	return rc;
}

int ks_keyset_open(struct ksc *c, const char *iccid, uint8_t kvn, const uint8_t *sealed, size_t len, uint8_t *plain,
		   struct ks_keyset *out)
{
	struct rd r = rd_init(sealed, len);
	const uint8_t *nonce, *text, *tag;
	struct keyset_aad aad;
	size_t iccid_len, text_len, off = 0;
	int rc;

	if (!sealed || head_read(&r, out) || out->spec.kvn != kvn || !iccid_fits(iccid, &iccid_len))
		return KS_E_SEALED;
	text_len = (size_t)out->len[0] + out->len[1] + out->len[2];
	nonce = rd_bytes(&r, KS_NONCE_LEN);
	text = rd_bytes(&r, text_len);
	tag = rd_bytes(&r, KS_TAG_LEN);
	if (r.bad || rd_left(&r))
		return KS_E_SEALED;

	aad_make(&aad, sealed, iccid, iccid_len);
	rc = ksc_open(c, nonce, &aad.span, text, text_len, tag, plain);
	for (int i = 0; i < KS_KEYS && !rc; i++) {
		memcpy(out->key[i], plain + off, out->len[i]);
		off += out->len[i];
	}
	ks_wipe(plain, text_len);
	return rc;
}

/* ---- check record ---- */

int ks_check_make(struct ksc *c, const struct ks_kdf *kdf, const uint8_t nonce[KS_NONCE_LEN], uint8_t out[KS_CHECK_LEN])
{
	struct wr w = wr_init(out, KS_CHECK_LEN);
	const struct ota_span aad = { out, KS_CHECK_FIXED };
	uint8_t *text, *tag;

	wr_bytes(&w, check_magic, sizeof(check_magic));
	wr_u8(&w, KS_CHECK_VERSION);
	wr_u8(&w, kdf->kind);
	wr_u8(&w, kdf->log_n);
	wr_u8(&w, kdf->r);
	wr_u8(&w, kdf->p);
	wr_u8(&w, 0);
	wr_bytes(&w, kdf->salt, KS_SALT_LEN);
	wr_bytes(&w, nonce, KS_NONCE_LEN);
	text = wr_room(&w, KS_CHECK_TEXT_LEN);
	tag = wr_room(&w, KS_TAG_LEN);
	return ksc_seal(c, nonce, &aad, check_text, KS_CHECK_TEXT_LEN, text, tag);
}

int ks_check_kdf(const uint8_t *check, size_t len, struct ks_kdf *kdf)
{
	struct rd r = rd_init(check, len);
	const uint8_t *magic = rd_bytes(&r, sizeof(check_magic)), *salt;
	uint8_t version = rd_u8(&r);

	*kdf = (struct ks_kdf){ .kind = rd_u8(&r) };
	kdf->log_n = rd_u8(&r);
	kdf->r = rd_u8(&r);
	kdf->p = rd_u8(&r);
	rd_u8(&r);
	salt = rd_bytes(&r, KS_SALT_LEN);
	if (r.bad || len != KS_CHECK_LEN || memcmp(magic, check_magic, sizeof(check_magic)) != 0 ||
	    version != KS_CHECK_VERSION)
		return KS_E_SEALED;
	memcpy(kdf->salt, salt, KS_SALT_LEN);
	if (kdf->kind == KS_KDF_NONE)
		return 0;
	/* The record comes from a disk: it may not talk us into a weaker scrypt, nor into all our memory. */
	if (kdf->kind != KS_KDF_SCRYPT || kdf->log_n < KS_SCRYPT_LOG_N_MIN || kdf->log_n > KS_SCRYPT_LOG_N_MAX ||
	    kdf->r != 8 || kdf->p < 1 || kdf->p > KS_SCRYPT_P_MAX)
		return KS_E_SEALED;
	return 0;
}

int ks_check_open(struct ksc *c, const uint8_t check[KS_CHECK_LEN])
{
	const uint8_t *nonce = check + KS_CHECK_FIXED, *text = nonce + KS_NONCE_LEN, *tag = text + KS_CHECK_TEXT_LEN;
	const struct ota_span aad = { check, KS_CHECK_FIXED };
	uint8_t plain[KS_CHECK_TEXT_LEN];

	if (ksc_open(c, nonce, &aad, text, KS_CHECK_TEXT_LEN, tag, plain) ||
	    memcmp(plain, check_text, KS_CHECK_TEXT_LEN) != 0)
		return KS_E_KEK_WRONG;
	return 0;
}
