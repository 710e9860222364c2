/* pkg_int.h - what the files about packages share; never installed.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTA_PKG_INT_H
#define OTA_PKG_INT_H

#include "ks_int.h"
#include "ota/package.h"

#define pkg_say ks_say

/* What a party's certificates are for, in the order of its file. */
enum pkg_use { PKG_USE_SIGN, PKG_USE_LIST, PKG_USE_KEYS, PKG_USE_TLS, _PKG_USES };

#define PKG_CERT_MAX 4096 /* octets of a certificate */
#define PKG_KEY_MAX  2560 /* octets of a private key (PKCS #8): RSA 4096 and smaller */

/* ---- package_cms.c: certificates and CMS ---- */
struct pkgc_cert; /* X.509 */
struct pkgc_key;  /* private key with its certificate */

int pkgc_make(const char *name, enum pkg_use use, int64_t now_s, uint8_t *key, size_t *key_len,
	      struct pkgc_cert **cert);
int pkgc_cert_pem(const struct pkgc_cert *cert, char **pem, size_t *len); /* malloc'd, appended at *len */
/* Reads the certificate that begins at *pem and moves behind it. */
struct pkgc_cert *pkgc_cert_read(const char **pem, const char *end);
void pkgc_cert_free(struct pkgc_cert *c);
/* Common name and the use (organizational unit) of a certificate; false when they are not as pkgc_make() has them. */
bool pkgc_cert_names(const struct pkgc_cert *c, char name[PKG_NAME_MAX + 1], enum pkg_use *use);
void pkgc_cert_hash(const struct pkgc_cert *c, uint8_t out[PKG_HASH_LEN]);
/* 0, or PKG_E_TIME. */
int pkgc_cert_time(const struct pkgc_cert *c, int64_t now_s);
/* Both keys of sensible kind and size for this use: EC on P-256 or larger, or RSA of 3072 bits and more (not for us: LIST, KEYS). */
bool pkgc_cert_fits(const struct pkgc_cert *c);
/* NULL when the key does not belong to the certificate. */
struct pkgc_key *pkgc_key_read(const uint8_t *der, size_t len, const struct pkgc_cert *cert);
void pkgc_key_free(struct pkgc_key *k);
void pkgc_key_openssl(const struct pkgc_key *k, struct evp_pkey_st **key, struct x509_st **cert);
bool pkgc_cert_is(const struct pkgc_cert *c, const struct x509_st *other);

struct pkgc_buf {
	uint8_t *p; /* malloc'd */
	size_t len;
};
/* Wipes and frees. */
void pkgc_buf_free(struct pkgc_buf *b);

int pkgc_sign(const struct pkgc_key *key, int64_t now_s, const uint8_t *text, size_t len, struct pkgc_buf *der);
/* The content of SignedData: verified under this certificate alone, or (cert NULL) as it stands. */
int pkgc_signed_text(const uint8_t *der, size_t len, const struct pkgc_cert *cert, struct pkgc_buf *text);
/* Envelope and body.  The body has the length of the text. */
int pkgc_seal(const struct pkgc_cert *to, const uint8_t *text, size_t len, struct pkgc_buf *envelope,
	      struct pkgc_buf *body);
/* Nothing is given out unless the tag is right. */
int pkgc_open(const struct pkgc_key *key, const uint8_t *envelope, size_t env_len, const uint8_t *body, size_t len,
	      struct pkgc_buf *text);

struct pkgc_hash;
struct pkgc_hash *pkgc_hash_new(void);
void pkgc_hash_free(struct pkgc_hash *h);
/* SHA-256 over prefix (one octet; < 0: none) and up to two strings. */
int pkgc_sha256(struct pkgc_hash *h, int prefix, const void *a, size_t a_len, const void *b, size_t b_len,
		uint8_t out[PKG_HASH_LEN]);

/* ---- party.c ---- */
struct pkg_partner {
	char name[PKG_NAME_MAX + 1];
	struct pkgc_cert *cert[_PKG_USES];
};
struct pkg_self {
	struct ks *ks;
	struct pkg_partner me;
	struct pkgc_key *key[_PKG_USES];
};
bool pkg_name_ok(const char *name, size_t max);

/* ---- package_tree.c ---- */

/* The root while leaves go by: one hash per level. */
struct pkg_root {
	struct pkgc_hash *hash;
	uint64_t n;
	uint8_t level[64][PKG_HASH_LEN];
};
int pkg_leaf(struct pkgc_hash *h, const char *line, size_t len, uint8_t out[PKG_HASH_LEN]);
int pkg_root_add(struct pkg_root *r, const uint8_t leaf[PKG_HASH_LEN]);
int pkg_root_end(const struct pkg_root *r, uint8_t root[PKG_HASH_LEN]);

/* ---- package_manifest.c ---- */
struct pkg_part {
	unsigned records;
	uint32_t len;
	uint8_t hash[PKG_HASH_LEN];	/* of the text */
	uint8_t envelope[PKG_HASH_LEN]; /* of the envelope: nothing in the file is left that nobody signed */
};
struct pkg_manifest {
	struct pkg_head head;
	uint8_t key_hash[PKG_HASH_LEN]; /* of section K */
	uint8_t attached[PKG_ATTACH_MAX][PKG_HASH_LEN];
	struct pkg_part *part; /* head.parts of them, malloc'd */
};
int pkg_manifest_print(const struct pkg_manifest *m, struct pkgc_buf *out);
/* err names the line. */
int pkg_manifest_parse(struct pkg_manifest *m, const uint8_t *text, size_t len, char *err, size_t err_cap);
void pkg_manifest_free(struct pkg_manifest *m);
/* ---- package_read.c ---- */
struct pkg_manifest *pkg_manifest_of(struct pkg *p);
off_t pkg_size(const struct pkg *p); /* octets of its file; -1 */

/* Values in a line of comma-separated values; 0 when it holds what may not stand in one. */
unsigned pkg_values(const char *line, size_t len);

#define PKG_MAGIC     "OTAPKG1\n"
#define PKG_MAGIC_LEN 8
#define PKG_SECTION   9 /* octets of a section's head */

#endif
