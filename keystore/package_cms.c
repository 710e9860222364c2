/* package_cms.c - certificates, signatures and envelopes of packages, by OpenSSL's CMS.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * OpenSSL takes whatever algorithm a message names.  What we take is therefore looked up before any key is used: in the
 * recipient's and the signer's info by its calls, for the content cipher in the DER itself (3.0 has no call for it).
 * A detached body is deciphered into memory in full before its tag is known: nothing leaves pkgc_open() unless it was right.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "pkg_int.h"

#define PKGC_CURVE_BITS_MIN 256
#define PKGC_RSA_BITS_MIN   3072
#define PKGC_SERIAL_LEN	    16
#define PKGC_DAY_S	    86400

struct pkgc_cert {
	X509 *x;
};
struct pkgc_key {
	EVP_PKEY *pkey;
	X509 *x;
};
struct pkgc_hash {
	EVP_MD *md;
	EVP_MD_CTX *ctx;
};

static const char *const use_names[_PKG_USES] = { "otagw sign", "otagw lists", "otagw keys", "otagw tls" };

/* Each refusal leaves its story in OpenSSL's queue; whoever looks there next shall not find ours. */
static int fail(int err)
{
	ERR_clear_error();
	return err;
}

/* ---- buffers ---- */

void pkgc_buf_free(struct pkgc_buf *b)
{
	if (b->p)
		ks_wipe(b->p, b->len);
	free(b->p);
	*b = (struct pkgc_buf){ 0 };
}

static int buf_of_bio(struct pkgc_buf *out, BIO *bio)
{
	char *p = NULL;
	long len = BIO_get_mem_data(bio, &p);

	*out = (struct pkgc_buf){ .p = malloc(len > 0 ? (size_t)len : 1), .len = len > 0 ? (size_t)len : 0 };
	if (!out->p)
		return PKG_E_MEMORY;
	if (out->len)
		memcpy(out->p, p, out->len);
	return 0;
}

/* What a memory BIO held may have been secret. */
static void bio_free(BIO *bio)
{
	char *p = NULL;
	long len = bio ? BIO_get_mem_data(bio, &p) : 0;

	if (len > 0 && !BIO_test_flags(bio, BIO_FLAGS_MEM_RDONLY))
		ks_wipe(p, (size_t)len);
	BIO_free(bio);
}

static int buf_of_cms(struct pkgc_buf *out, CMS_ContentInfo *cms)
{
	int len = i2d_CMS_ContentInfo(cms, NULL);
	uint8_t *at;

	if (len <= 0)
		return fail(PKG_E_CRYPTO);
	*out = (struct pkgc_buf){ .p = malloc((size_t)len), .len = (size_t)len };
	if (!out->p)
		return PKG_E_MEMORY;
	at = out->p;
	i2d_CMS_ContentInfo(cms, &at);
	return 0;
}

/* The whole of it must be one structure: octets behind it would be signed or sealed by nobody. */
static CMS_ContentInfo *cms_of(const uint8_t *der, size_t len)
{
	const uint8_t *at = der;
	CMS_ContentInfo *cms = len <= LONG_MAX ? d2i_CMS_ContentInfo(NULL, &at, (long)len) : NULL;

	if (cms && at != der + len) {
		CMS_ContentInfo_free(cms);
		cms = NULL;
	}
	if (!cms)
		ERR_clear_error();
	return cms;
}

/* ---- certificates ---- */

static bool name_add(X509_NAME *n, int nid, const char *text)
{
	return X509_NAME_add_entry_by_NID(n, nid, MBSTRING_ASC, (const unsigned char *)text, -1, -1, 0) == 1;
}

static bool cert_serial(X509 *x)
{
	uint8_t octets[PKGC_SERIAL_LEN];
	BIGNUM *bn = NULL;
	bool ok;

	ok = RAND_bytes(octets, sizeof(octets)) == 1;
	octets[0] &= 0x7f;
	ok = ok && (bn = BN_bin2bn(octets, sizeof(octets), NULL)) && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x));
	BN_free(bn);
	return ok;
}

static bool cert_extensions(X509 *x, enum pkg_use use)
{
	static const char *const usage[_PKG_USES] = { "critical,digitalSignature", "critical,keyAgreement",
						      "critical,keyAgreement", "critical,digitalSignature" };
	const struct {
		int nid;
		const char *value;
	} ext[] = { { NID_basic_constraints, "critical,CA:FALSE" },
		    { NID_subject_key_identifier, "hash" },
		    { NID_key_usage, usage[use] } };
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	for (size_t i = 0; i < sizeof(ext) / sizeof(ext[0]); i++) {
		X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, ext[i].nid, ext[i].value);
		bool ok = e && X509_add_ext(x, e, -1) == 1;

		X509_EXTENSION_free(e);
		if (!ok)
			return false;
	}
	return true;
}

static X509 *cert_make(EVP_PKEY *pkey, const char *name, enum pkg_use use, int64_t now_s)
{
	X509 *x = X509_new();
	X509_NAME *n = x ? X509_get_subject_name(x) : NULL;

	/* a day back: the partner's clock may be behind ours */
	if (n && X509_set_version(x, 2) && cert_serial(x) && name_add(n, NID_commonName, name) &&
	    name_add(n, NID_organizationalUnitName, use_names[use]) && X509_set_issuer_name(x, n) &&
	    ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(now_s - PKGC_DAY_S)) &&
	    ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(now_s + (int64_t)PKG_YEARS * 365 * PKGC_DAY_S)) &&
	    X509_set_pubkey(x, pkey) && cert_extensions(x, use) && X509_sign(x, pkey, EVP_sha256()))
		return x;
	X509_free(x);
	return NULL;
}

int pkgc_make(const char *name, enum pkg_use use, int64_t now_s, uint8_t *key, size_t *key_len, struct pkgc_cert **cert)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	PKCS8_PRIV_KEY_INFO *p8 = pkey ? EVP_PKEY2PKCS8(pkey) : NULL;
	int len = p8 ? i2d_PKCS8_PRIV_KEY_INFO(p8, NULL) : -1, rc = PKG_E_CRYPTO;
	struct pkgc_cert *c = calloc(1, sizeof(*c));

	if (c && len > 0 && (size_t)len <= *key_len && (c->x = cert_make(pkey, name, use, now_s))) {
		*key_len = (size_t)i2d_PKCS8_PRIV_KEY_INFO(p8, &key);
		*cert = c;
		rc = 0;
	} else {
		free(c);
	}
	PKCS8_PRIV_KEY_INFO_free(p8); /* cleanses */
	EVP_PKEY_free(pkey);
	return fail(rc);
}

int pkgc_cert_pem(const struct pkgc_cert *cert, char **pem, size_t *len)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p = NULL, *grown;
	long n;
	int rc = PKG_E_CRYPTO;

	if (bio && PEM_write_bio_X509(bio, cert->x) == 1 && (n = BIO_get_mem_data(bio, &p)) > 0) {
		grown = realloc(*pem, *len + (size_t)n + 1);
		rc = grown ? 0 : PKG_E_MEMORY;
		if (grown) {
			memcpy(grown + *len, p, (size_t)n);
			*pem = grown;
			*len += (size_t)n;
			grown[*len] = '\0';
		}
	}
	BIO_free(bio);
	return fail(rc);
}

struct pkgc_cert *pkgc_cert_read(const char **pem, const char *end)
{
	BIO *bio = end > *pem && end - *pem <= INT_MAX ? BIO_new_mem_buf(*pem, (int)(end - *pem)) : NULL;
	X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	struct pkgc_cert *c = x ? calloc(1, sizeof(*c)) : NULL;

	if (c) {
		c->x = x;
		*pem = end - BIO_ctrl_pending(bio);
	} else {
		X509_free(x);
	}
	BIO_free(bio);
	ERR_clear_error();
	return c;
}

void pkgc_cert_free(struct pkgc_cert *c)
{
	if (c)
		X509_free(c->x);
	free(c);
}

bool pkgc_cert_names(const struct pkgc_cert *c, char name[PKG_NAME_MAX + 1], enum pkg_use *use)
{
	X509_NAME *n = X509_get_subject_name(c->x);
	char unit[32];

	if (X509_NAME_get_text_by_NID(n, NID_commonName, name, PKG_NAME_MAX + 1) <= 0 ||
	    X509_NAME_get_text_by_NID(n, NID_organizationalUnitName, unit, sizeof(unit)) <= 0)
		return false;
	for (*use = 0; *use < _PKG_USES; (*use)++)
		if (!strcmp(unit, use_names[*use]))
			return true;
	return false;
}

void pkgc_cert_hash(const struct pkgc_cert *c, uint8_t out[PKG_HASH_LEN])
{
	memset(out, 0, PKG_HASH_LEN);
	X509_digest(c->x, EVP_sha256(), out, NULL);
}

int pkgc_cert_time(const struct pkgc_cert *c, int64_t now_s)
{
	time_t now = (time_t)now_s;

	if (X509_cmp_time(X509_get0_notBefore(c->x), &now) != -1 || X509_cmp_time(X509_get0_notAfter(c->x), &now) != 1)
		return fail(PKG_E_TIME);
	return 0;
}

bool pkgc_cert_fits(const struct pkgc_cert *c)
{
	EVP_PKEY *pkey = X509_get0_pubkey(c->x);
	int kind = pkey ? EVP_PKEY_get_base_id(pkey) : 0, bits = pkey ? EVP_PKEY_get_bits(pkey) : 0;

	ERR_clear_error();
	return (kind == EVP_PKEY_EC && bits >= PKGC_CURVE_BITS_MIN) ||
	       (kind == EVP_PKEY_RSA && bits >= PKGC_RSA_BITS_MIN);
}

struct pkgc_key *pkgc_key_read(const uint8_t *der, size_t len, const struct pkgc_cert *cert)
{
	EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &der, (long)len);
	struct pkgc_key *k = calloc(1, sizeof(*k));

	if (!k || !pkey || X509_check_private_key(cert->x, pkey) != 1 || X509_up_ref(cert->x) != 1) {
		EVP_PKEY_free(pkey);
		free(k);
		ERR_clear_error();
		return NULL;
	}
	k->pkey = pkey;
	k->x = cert->x;
	return k;
}

void pkgc_key_free(struct pkgc_key *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->pkey);
	X509_free(k->x);
	free(k);
}

void pkgc_key_openssl(const struct pkgc_key *k, struct evp_pkey_st **key, struct x509_st **cert)
{
	*key = k->pkey;
	*cert = k->x;
}

/* X509_cmp() goes by a hash of the whole certificate and then by all of its octets. */
bool pkgc_cert_is(const struct pkgc_cert *c, const struct x509_st *other)
{
	return other && X509_cmp(c->x, other) == 0;
}

/* ---- signatures ---- */

/* Whether to sign at all was decided before; the time in the signature is the caller's, not this machine's. */
static bool sign_time(CMS_SignerInfo *si, int64_t now_s)
{
	ASN1_TIME *t = ASN1_TIME_set(NULL, (time_t)now_s);
	bool ok = t && CMS_signed_add1_attr_by_NID(si, NID_pkcs9_signingTime, t->type, t, -1) == 1;

	ASN1_TIME_free(t);
	return ok;
}

int pkgc_sign(const struct pkgc_key *key, int64_t now_s, const uint8_t *text, size_t len, struct pkgc_buf *der)
{
	const unsigned flags = CMS_BINARY | CMS_NOSMIMECAP | CMS_USE_KEYID | CMS_NOCERTS | CMS_PARTIAL;
	BIO *in = len <= INT_MAX ? BIO_new_mem_buf(text, (int)len) : NULL;
	CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
	CMS_SignerInfo *si = cms ? CMS_add1_signer(cms, key->x, key->pkey, EVP_sha256(), flags) : NULL;
	int rc = PKG_E_CRYPTO;

	if (in && si && sign_time(si, now_s) && CMS_final(cms, in, NULL, CMS_BINARY) == 1)
		rc = buf_of_cms(der, cms);
	CMS_ContentInfo_free(cms);
	BIO_free(in);
	return fail(rc);
}

/* One signer, a hash that is good enough, and the certificate's own key. */
static int signer_check(CMS_ContentInfo *cms, X509 *x)
{
	STACK_OF(CMS_SignerInfo) *all = CMS_get0_SignerInfos(cms);
	CMS_SignerInfo *si = all && sk_CMS_SignerInfo_num(all) == 1 ? sk_CMS_SignerInfo_value(all, 0) : NULL;
	X509_ALGOR *hash, *sig;
	int nid;

	if (!si || CMS_SignerInfo_cert_cmp(si, x) != 0)
		return PKG_E_SIGNER;
	CMS_SignerInfo_get0_algs(si, NULL, NULL, &hash, &sig);
	nid = OBJ_obj2nid(hash->algorithm);
	return nid == NID_sha256 || nid == NID_sha384 || nid == NID_sha512 ? 0 : PKG_E_ALGORITHM;
}

int pkgc_signed_text(const uint8_t *der, size_t len, const struct pkgc_cert *cert, struct pkgc_buf *text)
{
	CMS_ContentInfo *cms = cms_of(der, len);
	ASN1_OCTET_STRING **content;
	STACK_OF(X509) *certs = NULL;
	int rc = cms && OBJ_obj2nid(CMS_get0_type(cms)) == NID_pkcs7_signed ? 0 : PKG_E_FORM;

	content = rc ? NULL : CMS_get0_content(cms);
	if (!rc && (!content || !*content || CMS_is_detached(cms)))
		rc = PKG_E_FORM;
	if (!rc && cert) {
		BIO *none = BIO_new(BIO_s_null());

		rc = signer_check(cms, cert->x);
		certs = sk_X509_new_null();
		if (!rc && (!certs || !none || !sk_X509_push(certs, cert->x)))
			rc = PKG_E_MEMORY;
		if (!rc && CMS_verify(cms, certs, NULL, NULL, none,
				      CMS_BINARY | CMS_NOINTERN | CMS_NO_SIGNER_CERT_VERIFY) != 1)
			rc = PKG_E_SIGNER;
		BIO_free(none);
	}
	if (!rc) {
		*text = (struct pkgc_buf){ .len = (size_t)ASN1_STRING_length(*content) };
		text->p = malloc(text->len + 1);
		if (text->p)
			memcpy(text->p, ASN1_STRING_get0_data(*content), text->len);
		else
			rc = PKG_E_MEMORY;
	}
	sk_X509_free(certs);
	CMS_ContentInfo_free(cms);
	return fail(rc);
}

/* ---- envelopes ---- */

static bool recipient_set(CMS_RecipientInfo *ri)
{
	EVP_PKEY_CTX *ctx = CMS_RecipientInfo_get0_pkey_ctx(ri);

	if (!ctx)
		return false;
	if (CMS_RecipientInfo_type(ri) == CMS_RECIPINFO_AGREE)
		return EVP_PKEY_CTX_set_ecdh_kdf_md(ctx, EVP_sha256()) == 1;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1;
}

int pkgc_seal(const struct pkgc_cert *to, const uint8_t *text, size_t len, struct pkgc_buf *envelope,
	      struct pkgc_buf *body)
{
	BIO *in = len <= INT_MAX ? BIO_new_mem_buf(text, (int)len) : NULL, *out = BIO_new(BIO_s_mem());
	CMS_ContentInfo *cms = CMS_AuthEnvelopedData_create(EVP_aes_256_gcm());
	CMS_RecipientInfo *ri =
		cms ? CMS_add1_recipient_cert(cms, to->x, CMS_BINARY | CMS_USE_KEYID | CMS_KEY_PARAM) : NULL;
	int rc = PKG_E_CRYPTO;

	*envelope = *body = (struct pkgc_buf){ 0 };
	if (in && out && ri && recipient_set(ri) && CMS_set_detached(cms, 1) == 1 &&
	    CMS_final(cms, in, out, CMS_BINARY | CMS_DETACHED) == 1)
		rc = buf_of_cms(envelope, cms);
	if (!rc)
		rc = buf_of_bio(body, out);
	if (!rc && body->len != len)
		rc = PKG_E_CRYPTO;
	if (rc) {
		pkgc_buf_free(envelope);
		pkgc_buf_free(body);
	}
	CMS_ContentInfo_free(cms);
	BIO_free(in);
	BIO_free(out);
	return fail(rc);
}

/* ---- what an envelope names, before any key is used ---- */

struct der {
	const uint8_t *p, *end;
};

/* Goes into (`in`) or past the next object, which must have this tag. */
static bool der_next(struct der *d, int tag, int class, struct der *in)
{
	const uint8_t *at = d->p;
	long len;
	int t, c, rc;

	if (d->p >= d->end)
		return false;
	rc = ASN1_get_object(&at, &len, &t, &c, d->end - d->p);
	if (rc & 0x80 || rc & 1 || t != tag || c != class || len > d->end - at) /* an error, or of indefinite length */
		return false;
	d->p = at + len;
	in->p = at; /* `in` may be `d` itself */
	in->end = at + len;
	return true;
}

static bool der_is_oid(const struct der *d, int nid)
{
	const ASN1_OBJECT *o = OBJ_nid2obj(nid);

	return o && OBJ_length(o) == (size_t)(d->end - d->p) && !memcmp(OBJ_get0_data(o), d->p, OBJ_length(o));
}

/* RFC 5083: ContentInfo { oid, [0] { SEQUENCE { version, [0] originator OPTIONAL, SET recipients, SEQUENCE { type, SEQUENCE {
 * cipher, ...}, [0] content OPTIONAL } ... */
static bool content_is_gcm(const uint8_t *der, size_t len)
{
	struct der d = { der, der + len }, skip, oid;

	return der_next(&d, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL, &d) &&
	       der_next(&d, V_ASN1_OBJECT, V_ASN1_UNIVERSAL, &oid) &&
	       der_is_oid(&oid, NID_id_smime_ct_authEnvelopedData) && der_next(&d, 0, V_ASN1_CONTEXT_SPECIFIC, &d) &&
	       der_next(&d, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL, &d) &&
	       der_next(&d, V_ASN1_INTEGER, V_ASN1_UNIVERSAL, &skip) &&
	       der_next(&d, V_ASN1_SET, V_ASN1_UNIVERSAL, &skip) &&
	       der_next(&d, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL, &d) &&
	       der_next(&d, V_ASN1_OBJECT, V_ASN1_UNIVERSAL, &skip) &&
	       der_next(&d, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL, &d) &&
	       der_next(&d, V_ASN1_OBJECT, V_ASN1_UNIVERSAL, &oid) && der_is_oid(&oid, NID_aes_256_gcm);
}

static bool algor_is(const X509_ALGOR *a, int nid)
{
	return a && OBJ_obj2nid(a->algorithm) == nid;
}

/* The parameter of key agreement is the wrap algorithm (RFC 5753, 7.1.4). */
static bool agreement_fits(CMS_RecipientInfo *ri)
{
	X509_ALGOR *alg, *wrap = NULL;
	const ASN1_STRING *s;
	const uint8_t *at;
	int type;
	bool ok;

	if (CMS_RecipientInfo_kari_get0_alg(ri, &alg, NULL) != 1 ||
	    !algor_is(alg, NID_dhSinglePass_stdDH_sha256kdf_scheme) || !alg->parameter)
		return false;
	type = ASN1_TYPE_get(alg->parameter);
	if (type != V_ASN1_SEQUENCE)
		return false;
	s = alg->parameter->value.sequence;
	at = ASN1_STRING_get0_data(s);
	wrap = d2i_X509_ALGOR(NULL, &at, ASN1_STRING_length(s));
	ok = algor_is(wrap, NID_id_aes256_wrap);
	X509_ALGOR_free(wrap);
	return ok;
}

static bool transport_fits(CMS_RecipientInfo *ri)
{
	X509_ALGOR *alg;
	RSA_OAEP_PARAMS *oaep;
	const ASN1_STRING *s;
	const uint8_t *at;
	bool ok;

	if (CMS_RecipientInfo_ktri_get0_algs(ri, NULL, NULL, &alg) != 1 || !algor_is(alg, NID_rsaesOaep) ||
	    !alg->parameter || ASN1_TYPE_get(alg->parameter) != V_ASN1_SEQUENCE)
		return false;
	s = alg->parameter->value.sequence;
	at = ASN1_STRING_get0_data(s);
	oaep = d2i_RSA_OAEP_PARAMS(NULL, &at, ASN1_STRING_length(s));
	ok = oaep && algor_is(oaep->hashFunc, NID_sha256);
	RSA_OAEP_PARAMS_free(oaep);
	return ok;
}

static int envelope_fits(CMS_ContentInfo *cms, const uint8_t *der, size_t len)
{
	STACK_OF(CMS_RecipientInfo) *all = CMS_get0_RecipientInfos(cms);
	CMS_RecipientInfo *ri;
	bool ok = false;

	if (!all || sk_CMS_RecipientInfo_num(all) != 1 || !content_is_gcm(der, len))
		return PKG_E_ALGORITHM;
	ri = sk_CMS_RecipientInfo_value(all, 0);
	if (CMS_RecipientInfo_type(ri) == CMS_RECIPINFO_AGREE)
		ok = agreement_fits(ri);
	else if (CMS_RecipientInfo_type(ri) == CMS_RECIPINFO_TRANS)
		ok = transport_fits(ri);
	return ok ? 0 : PKG_E_ALGORITHM;
}

int pkgc_open(const struct pkgc_key *key, const uint8_t *envelope, size_t env_len, const uint8_t *body, size_t len,
	      struct pkgc_buf *text)
{
	CMS_ContentInfo *cms = cms_of(envelope, env_len);
	BIO *in = len <= INT_MAX ? BIO_new_mem_buf(body, (int)len) : NULL, *out = BIO_new(BIO_s_mem());
	int rc = cms ? envelope_fits(cms, envelope, env_len) : PKG_E_FORM;

	*text = (struct pkgc_buf){ 0 };
	if (!rc && (!in || !out))
		rc = PKG_E_MEMORY;
	if (!rc && CMS_decrypt_set1_pkey(cms, key->pkey, key->x) != 1)
		rc = PKG_E_RECEIVER;
	if (!rc && CMS_decrypt(cms, NULL, NULL, in, out, CMS_BINARY) != 1)
		rc = PKG_E_BODY;
	if (!rc)
		rc = buf_of_bio(text, out);
	bio_free(out);
	BIO_free(in);
	CMS_ContentInfo_free(cms);
	return fail(rc);
}

/* ---- hash ---- */

struct pkgc_hash *pkgc_hash_new(void)
{
	struct pkgc_hash *h = calloc(1, sizeof(*h));

	if (h && (!(h->md = EVP_MD_fetch(NULL, "SHA256", NULL)) || !(h->ctx = EVP_MD_CTX_new()))) {
		pkgc_hash_free(h);
		h = NULL;
	}
	return h;
}

void pkgc_hash_free(struct pkgc_hash *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	EVP_MD_free(h->md);
	free(h);
}

int pkgc_sha256(struct pkgc_hash *h, int prefix, const void *a, size_t a_len, const void *b, size_t b_len,
		uint8_t out[PKG_HASH_LEN])
{
	uint8_t octet = (uint8_t)prefix;

	if (EVP_DigestInit_ex2(h->ctx, h->md, NULL) == 1 && (prefix < 0 || EVP_DigestUpdate(h->ctx, &octet, 1) == 1) &&
	    (!a_len || EVP_DigestUpdate(h->ctx, a, a_len) == 1) &&
	    (!b_len || EVP_DigestUpdate(h->ctx, b, b_len) == 1) && EVP_DigestFinal_ex(h->ctx, out, NULL) == 1)
		return 0;
	return fail(PKG_E_CRYPTO);
}
