/* package.h - what goes between parties: signed, then sealed for one receiver; checked whole before any of it is used.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A package is a list of records, lines of comma-separated values, with a manifest.  The *plaintext* is signed: the manifest holds
 * the root of a hash tree over the records (RFC 6962, 2.1) and is CMS SignedData in the clear, so that a package can be explained
 * without its keys and a third party can check single records (pkg_proof) without seeing the others.  The last value of
 * each record is 16 random octets, so that a hash tells nothing of a record that could be guessed.  Records then go
 * in parts of at most PKG_PART_RECORDS, each AES-256-GCM in a CMS AuthEnvelopedData of its own with a detached body.
 *
 * A file, numbers big-endian:
 *
 *	"OTAPKG1\n"
 *	sections: type (1), length (8), octets:
 *		K	CMS envelope of the package key under which key blocks are wrapped, for the receiver's keystore; at most one
 *		A	CMS SignedData of another package's manifest, which records refer to; at most PKG_ATTACH_MAX
 *		E B	envelope and body of a part, in order
 *		M	CMS SignedData over the manifest; last
 *
 * Certificates are pinned: a partner is the four certificates in its party file, nothing is ever looked up or chained.
 * Every other algorithm than the ones named here is refused: sign ECDSA or RSA with SHA-256 or better; key transport ECDH with X9.63
 * KDF SHA-256 and aes256-wrap, or RSA-OAEP with SHA-256; content AES-256-GCM.
 *
 * All functions return 0 or a negative enum pkg_err with a sentence in err that says what, where and what to do. */
#ifndef OTA_PACKAGE_H
#define OTA_PACKAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ota/keystore.h"

enum pkg_err {
	PKG_OK = 0,
	PKG_E_FILE = -201,	/* cannot be opened, read or written */
	PKG_E_FORM = -202,	/* not a package, cut off, or a section out of place */
	PKG_E_MANIFEST = -203,	/* manifest not as this version writes it */
	PKG_E_SIGNER = -204,	/* not signed by the party that it names */
	PKG_E_RECEIVER = -205,	/* for somebody else */
	PKG_E_TIME = -206,	/* expired, not valid yet, or a certificate is */
	PKG_E_ALGORITHM = -207, /* signed or sealed in a way that is not taken */
	PKG_E_BODY = -208,	/* a part does not open, or is not what was signed */
	PKG_E_LIMIT = -209,	/* more than a named limit */
	PKG_E_RECORD = -210,	/* a record that is none; or the reader of records refused one */
	PKG_E_PARTY = -211,	/* party file or party keys not usable */
	PKG_E_CRYPTO = -212,	/* the cipher library refused */
	PKG_E_MEMORY = -213,
	PKG_E_PROOF = -214, /* the record is not among those signed */
};
const char *pkg_strerror(int err); /* never NULL */

#define PKG_NAME_MAX	   32		/* characters of a party's name: a-z 0-9 - . */
#define PKG_WORD_MAX	   64		/* characters of an order's or a package's name */
#define PKG_COLUMNS_MAX	   512		/* characters of the line that names the columns */
#define PKG_RECORD_MAX	   4096		/* characters of a record, salt and all */
#define PKG_PART_RECORDS   10000	/* records in a part */
#define PKG_PART_MAX	   (16u << 20)	/* octets of a part in the clear */
#define PKG_PARTS_MAX	   1000		/* ten million records */
#define PKG_ATTACH_MAX	   8		/* attached manifests */
#define PKG_ENVELOPE_MAX   8192		/* octets of an envelope */
#define PKG_MANIFEST_MAX   (128u << 10) /* octets of a manifest, signed */
#define PKG_PARTY_FILE_MAX (32u << 10)	/* octets of a party file */
#define PKG_SALT_LEN	   16
#define PKG_HASH_LEN	   32
#define PKG_ID_LEN	   16
#define PKG_PATH_MAX	   32  /* hashes from a record up to the root */
#define PKG_CLOCK_SKEW_S   300 /* seconds that a sender's clock may be ahead of ours */
#define PKG_YEARS	   10  /* validity of certificates that we make */

/* ---- parties ---- */

/* Ourselves: four private keys (sign, open lists, open keys, TLS) that leave the keystore only sealed. */
struct pkg_self;
/* Somebody we know: four pinned certificates. */
struct pkg_partner;

/* Makes keys and self-signed certificates.  *party is the party file in PEM, to be handed to partners in a way that can be
 * trusted (compare pkg_partner_print()); *sealed goes with the state.  Both are malloc'd, sealed is not secret. */
int pkg_self_create(struct ks *ks, const char *name, int64_t now_s, char **party, size_t *party_len, uint8_t **sealed,
		    size_t *sealed_len, char *err, size_t err_cap);
int pkg_self_load(struct pkg_self **out, struct ks *ks, const char *party, size_t party_len, const uint8_t *sealed,
		  size_t sealed_len, char *err, size_t err_cap);
void pkg_self_free(struct pkg_self *self); /* wipes; NULL is allowed */
const char *pkg_self_name(const struct pkg_self *self);

int pkg_partner_load(struct pkg_partner **out, const char *party, size_t party_len, char *err, size_t err_cap);
void pkg_partner_free(struct pkg_partner *p);
const char *pkg_partner_name(const struct pkg_partner *p);
/* SHA-256 over the four certificates, for two people to read to each other: 16 groups of 4 hex digits, 80 octets with NUL. */
#define PKG_PRINT_LEN 80
void pkg_partner_print(const struct pkg_partner *p, char out[PKG_PRINT_LEN]);

/* For who sets up TLS between parties (OpenSSL's own types): our key and certificate, borrowed; and whether what the other side shows
 * is this party's pinned one and valid now: 0, PKG_E_SIGNER, PKG_E_TIME. */
struct evp_pkey_st;
struct x509_st;
void pkg_self_tls(const struct pkg_self *self, struct evp_pkey_st **key, struct x509_st **cert);
int pkg_partner_tls(const struct pkg_partner *p, const struct x509_st *shown, int64_t now_s);

/* ---- what stands in a manifest ---- */
struct pkg_head {
	char type[PKG_NAME_MAX + 1];
	uint8_t id[PKG_ID_LEN]; /* random; set by the writer */
	char order[PKG_WORD_MAX + 1];
	char from[PKG_NAME_MAX + 1], to[PKG_NAME_MAX + 1];
	uint64_t seq;	   /* of this sender to this receiver, from 1, without gaps */
	int64_t created_s; /* UTC */
	int64_t expires_s;
	bool answers;		   /* this package answers another one */
	uint8_t about[PKG_ID_LEN]; /* its id */
	char columns[PKG_COLUMNS_MAX + 1];
	/* set by the writer */
	uint64_t records;
	unsigned parts;
	uint8_t root[PKG_HASH_LEN];
	bool keys; /* has a package key: records may hold key blocks */
	unsigned attached;
};

/* ---- writing ---- */
struct pkg_writer;
/* Begins a file beside `path`; pkg_write_close() renames it when everything is on disk. */
int pkg_write_open(struct pkg_writer **out, const char *path, const struct pkg_head *head, const struct pkg_self *self,
		   const struct pkg_partner *to, char *err, size_t err_cap);
/* The key under which key blocks of this package are to be wrapped: made here, known to our keystore and the receiver's. */
struct ks_wrap;
struct ks_wrap *pkg_write_wrap(struct pkg_writer *w, char *err,
			       size_t err_cap); /* NULL: err.  Before the first record */
/* The signed manifest of another package (pkg_signed()), which records refer to.  Before the first record. */
int pkg_write_attach(struct pkg_writer *w, const uint8_t *der, size_t len, char *err, size_t err_cap);
/* One record: as many values as columns, without the salt, printable ASCII without comma, quote and space, no line end. */
int pkg_write_record(struct pkg_writer *w, const char *line, char *err, size_t err_cap);
int pkg_write_close(struct pkg_writer *w, struct pkg_head *head, char *err, size_t err_cap);
void pkg_write_drop(struct pkg_writer *w); /* and the file; NULL is allowed */

/* A package of ours that nobody has taken yet is good for longer: the same records, id and number under a manifest that is signed anew.  The
 * file is replaced as a whole.  What was attached of it, or who has it already, is none the wiser and none the poorer. */
int pkg_renew(const char *path, const struct pkg_self *self, int64_t now_s, int64_t expires_s, char *err,
	      size_t err_cap);

/* ---- reading ---- */
struct pkg;
/* Reads the manifest and where everything stands.  Nothing is believed yet: for showing only. */
int pkg_open(struct pkg **out, const char *path, char *err, size_t err_cap);
void pkg_close(struct pkg *p);
const struct pkg_head *pkg_head(const struct pkg *p);
/* Whether `from` signed the manifest, for us, and in time. */
int pkg_verify(struct pkg *p, const struct pkg_partner *from, const char *to, int64_t now_s, char *err, size_t err_cap);
/* Opens part after part; each is held against the signed manifest as a whole before its first record is handed out, the tree at
 * the end.  What `take` was given must not be used before this has returned 0: a later part may be bad.  take may be
 * NULL (only look); a non-zero answer ends the reading with PKG_E_RECORD.  Only after pkg_verify(). */
typedef int (*pkg_take)(void *ctx, uint64_t n, char *line, char *err, size_t err_cap);
int pkg_read(struct pkg *p, const struct pkg_self *self, pkg_take take, void *ctx, char *err, size_t err_cap);
/* One part alone, held against the signed manifest; n counts in the whole package.  For whoever has found the whole of it good by
 * pkg_read() (now, or before a crash) and takes it bit by bit.  Only after pkg_verify(). */
int pkg_read_part(struct pkg *p, const struct pkg_self *self, unsigned part, pkg_take take, void *ctx, char *err,
		  size_t err_cap);
unsigned pkg_part_records(const struct pkg *p, unsigned part); /* 0: no such part */
/* The package key, when there is one; NULL with err otherwise. */
struct ks_wrap *pkg_unwrap(struct pkg *p, const struct pkg_self *self, char *err, size_t err_cap);
/* The signed manifest as it stands in the file, to attach to another package.  Borrowed. */
const uint8_t *pkg_signed(const struct pkg *p, size_t *len);
const uint8_t *pkg_attached(const struct pkg *p, unsigned i, size_t *len);

/* ---- a single record for a third party ---- */

/* What was signed, from a signed manifest alone. */
int pkg_manifest_verify(struct pkg_head *out, const uint8_t *der, size_t len, const struct pkg_partner *from, char *err,
			size_t err_cap);
/* Paths to the root: the hashes of all records are taken in first (32 octets each, kept by the maker). */
struct pkg_tree;
struct pkg_tree *pkg_tree_new(void);
void pkg_tree_free(struct pkg_tree *t);
int pkg_tree_add(struct pkg_tree *t, const char *line);
uint64_t pkg_tree_size(const struct pkg_tree *t);
int pkg_tree_path(struct pkg_tree *t, uint64_t n, uint8_t path[PKG_PATH_MAX][PKG_HASH_LEN], unsigned *len);
/* Whether `line` is record n of the package with this head.  0 or PKG_E_PROOF. */
int pkg_proof(const struct pkg_head *head, const char *line, uint64_t n, uint8_t path[][PKG_HASH_LEN], unsigned len);

#endif
