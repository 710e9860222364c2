/* ks_int.h - what the files of the keystore share; never installed.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTA_KS_INT_H
#define OTA_KS_INT_H

#include <stdarg.h>
#include <stdio.h>

#include "ota/codec.h"
#include "ota/keystore.h"

#define KS_KEY_MAX	   32 /* octets of the longest key: AES-256 */
#define KS_KEK_LEN	   32
#define KS_NONCE_LEN	   12
#define KS_TAG_LEN	   16
#define KS_SALT_LEN	   16
#define KS_KEYS		   3  /* KIc, KID, KIK */
#define KS_ICCID_MAX	   32 /* characters of the name a keyset is bound to */
#define KS_SLOTS_MAX	   (1u << 20)
#define KS_SECRET_FILE_MAX 1024 /* octets of a KEK or passphrase file that are looked at */

/* Says why in words; a NULL err is allowed.  Callers never hand key material to it. */
static inline __attribute__((format(printf, 3, 4))) void ks_say(char *err, size_t cap, const char *fmt, ...)
{
	va_list ap;

	if (!err || !cap)
		return;
	va_start(ap, fmt);
	vsnprintf(err, cap, fmt, ap);
	va_end(ap);
}

/* ---- crypt_openssl.c: the only file that calls EVP ---- */

/* A key's cipher: what `alg` and the length of the key make of it.  Single DES is EDE with equal halves, so that the
 * legacy provider is never loaded. */
enum ksc_kind { KSC_NONE, KSC_EDE2, KSC_EDE3, KSC_AES128, KSC_AES192, KSC_AES256, _KSC_KINDS };

#define KSC_CHUNK 512 /* octets of a message gathered at a time: a one-segment packet goes in one call */

/* Working memory of the cipher calls; stands in the locked arena, because CMAC subkeys pass through it. */
struct ksc_scratch {
	uint8_t l[16], k[16];
	uint8_t buf[KSC_CHUNK];
};

struct ksc;
int ksc_new(struct ksc **out, struct ksc_scratch *scratch);
void ksc_free(struct ksc *c);

/* `owner` names whose key it is, so that ksc_forget(owner) can take it out of the contexts again;
 * ksc_forget(0) takes everybody's. */
int ksc_mac(struct ksc *c, enum ksc_kind kind, const uint8_t *key, uint32_t owner, struct ota_mac_job *job);
int ksc_cipher(struct ksc *c, enum ksc_kind kind, const uint8_t *key, uint32_t owner, struct ota_cipher_job *job);
/* A key of `len` octets, padded with 00 to the dek's block, enciphered into job->out, and the KCV of the key. */
struct ksc_key {
	enum ksc_kind kind;
	const uint8_t *key;
	uint32_t owner;
};
int ksc_wrap(struct ksc *c, const struct ksc_key *key, size_t len, const struct ksc_key *dek, struct ota_wrap_job *job);
/* Overwrites the key schedules that were last set up for this owner. */
void ksc_forget(struct ksc *c, uint32_t owner);

/* AES-256-GCM under the KEK; the contexts keep it after ksc_kek(). */
int ksc_kek(struct ksc *c, const uint8_t kek[KS_KEK_LEN]);
/* A nonce made of what is sealed: another for any other plain text or aad, the same for the same.  aad tells how long the plain
 * text is. */
int ksc_nonce(struct ksc *c, const struct ota_span *aad, const uint8_t *in, size_t len, uint8_t nonce[KS_NONCE_LEN]);
int ksc_seal(struct ksc *c, const uint8_t nonce[KS_NONCE_LEN], const struct ota_span *aad, const uint8_t *in,
	     size_t len, uint8_t *out, uint8_t tag[KS_TAG_LEN]);
int ksc_open(struct ksc *c, const uint8_t nonce[KS_NONCE_LEN], const struct ota_span *aad, const uint8_t *in,
	     size_t len, const uint8_t tag[KS_TAG_LEN], uint8_t *out);

int ksc_scrypt(const char *pass, size_t pass_len, const uint8_t salt[KS_SALT_LEN], unsigned log_n, unsigned r,
	       unsigned p, uint8_t out[KS_KEK_LEN]);
int ksc_random(void *ctx, uint8_t *buf, size_t len);
/* Known answers; KS_E_CRYPTO and the name of the algorithm that failed. */
int ksc_self_test(struct ksc *c, const char **which);

/* ---- where the KEK comes from: ks_file.c, ks_mem.c ---- */

/* How a KEK is made from what the operator holds; kept in the check record. */
struct ks_kdf {
	uint8_t kind; /* KS_KDF_* */
	uint8_t log_n, r, p;
	uint8_t salt[KS_SALT_LEN];
};
enum { KS_KDF_NONE = 0, KS_KDF_SCRYPT = 1 };

/* work: KS_SECRET_FILE_MAX octets of locked memory. */
struct ks_kek_ops {
	const char *name;
	uint8_t kdf;
	int (*load)(const struct ks_open_params *p, const struct ks_kdf *kdf, uint8_t *work, uint8_t kek[KS_KEK_LEN],
		    char *err, size_t err_cap);
};
extern const struct ks_kek_ops ks_kek_file, ks_kek_passphrase, ks_kek_memory;

/* ---- ks_seal.c: records at rest ---- */

/* A keyset in the clear; stands in the locked arena only. */
struct ks_keyset {
	struct ks_keyset_spec spec;
	uint8_t len[KS_KEYS];
	uint8_t key[KS_KEYS][KS_KEY_MAX];
};

/* Checks a spec that came from outside; 0 or KS_E_SPEC. */
int ks_spec_check(const struct ks_keyset_spec *spec);
/* Whether the lengths of KIc and KID go with their algorithms; 0 or KS_E_SEALED. */
int ks_keyset_fits(const struct ks_keyset *k);
/* KSC_NONE when no key of that length fits the algorithm. */
enum ksc_kind ks_kind(enum ota_alg alg, size_t key_len);

int ks_keyset_seal(struct ksc *c, const char *iccid, const struct ks_keyset *in, uint8_t *plain,
		   uint8_t sealed[KS_SEALED_MAX]);
int ks_keyset_open(struct ksc *c, const char *iccid, uint8_t kvn, const uint8_t *sealed, size_t len, uint8_t *plain,
		   struct ks_keyset *out);
/* plain: working memory of KS_KEYS * KS_KEY_MAX octets in the arena, wiped on return. */

int ks_check_make(struct ksc *c, const struct ks_kdf *kdf, const uint8_t nonce[KS_NONCE_LEN],
		  uint8_t out[KS_CHECK_LEN]);
/* Reads how the KEK is made, before there is one. */
int ks_check_kdf(const uint8_t *check, size_t len, struct ks_kdf *kdf);
int ks_check_open(struct ksc *c, const uint8_t check[KS_CHECK_LEN]);

/* One block of AES-128 under a key that is not kept. */
int ksc_aes128(const uint8_t key[16], const uint8_t in[16], uint8_t out[16]);
/* AES-256 key wrap with padding (RFC 5649).  cap of out: len + 15 for wrapping, len for unwrapping. */
#define KS_KWP_MORE 15
int ksc_kwp(const uint8_t kek[KS_KEK_LEN], bool wrap, const uint8_t *in, size_t len, uint8_t *out, size_t *out_len);
/* The same under a key of any AES kind: to a card. */
int ksc_kwp_card(enum ksc_kind kind, const uint8_t *kik, const uint8_t *in, size_t len, uint8_t *out, size_t *out_len);
/* The check value of an AES key (card interface, 5.3). */
int ksc_kcv(enum ksc_kind kind, const uint8_t *key, uint8_t out[KS_KCV_LEN]);

/* ---- ks.c for the other files: working memory in the arena, wiped by whoever used it ---- */
#define KS_WRAPS_MAX 8 /* packages being written or read at a time */
struct ks_wrap {
	struct ks *ks;
	bool used;
	uint8_t kek[KS_KEK_LEN];
};
struct ks_room {
	struct ksc *c;
	uint8_t *plain; /* KS_KEYS * KS_KEY_MAX */
	uint8_t *work;	/* KS_SECRET_FILE_MAX */
	struct ks_keyset *set;
	struct ks_wrap *wrap; /* KS_WRAPS_MAX */
	struct ks_stats *st;
};
struct ks_room ks_room(struct ks *ks);
/* A loaded set, and whose it is; NULL: the handle names none. */
const struct ks_keyset *ks_set_of(struct ks *ks, uint32_t set, const char **iccid);
int ks_random(struct ks *ks, uint8_t *buf, size_t len);
/* Number of octets, or KS_E_HEX, KS_E_KEYLEN with a reason that counts digits and shows none. */
int ks_key_hex(uint8_t key[KS_KEY_MAX], const char *hex, const char *what, char *err, size_t err_cap);

/* ---- ks_block.c ---- */

bool ks_sub_spec_ok(const struct ks_sub_spec *s);
/* keys: K and OPc, in the arena; 0 or an error. */
int ks_sub_seal(struct ks *ks, const char *iccid, const struct ks_sub_spec *s, const uint8_t *keys,
		uint8_t sealed[KS_SUB_LEN]);
int ks_sub_open(struct ks *ks, const char *iccid, const uint8_t *sealed, size_t len, struct ks_sub_spec *s,
		uint8_t *keys);

/* ---- ks_pair.c ---- */

int ks_opc_seal(struct ks *ks, const char *name, const uint8_t opc[KS_AKA_KEY_LEN], uint8_t sealed[KS_OPC_LEN]);
int ks_opc_open(struct ks *ks, const char *name, const uint8_t sealed[KS_OPC_LEN], uint8_t opc[KS_AKA_KEY_LEN]);

/* ---- ks_release.c ---- */

int ks_release_seal(struct ks *ks, const char *iccid, const uint8_t key[KS_KEK_LEN], uint8_t sealed[KS_RELEASE_LEN]);
int ks_release_open(struct ks *ks, const char *iccid, const uint8_t sealed[KS_RELEASE_LEN], uint8_t key[KS_KEK_LEN]);

struct ks_wrap *ks_wrap_new(struct ks *ks, const uint8_t kek[KS_KEK_LEN]); /* NULL: KS_WRAPS_MAX are in use */

/* A record of any length under the KEK: nonce, text, tag.  out: len + KS_NONCE_LEN + KS_TAG_LEN octets. */
int ks_record_seal(struct ks *ks, const char *label, const uint8_t *bound, size_t bound_len, const uint8_t *text,
		   size_t len, uint8_t *out, size_t *out_len);
/* text: *text_len octets of room, which becomes the length. */
int ks_record_open(struct ks *ks, const char *label, const uint8_t *bound, size_t bound_len, const uint8_t *record,
		   size_t len, uint8_t *text, size_t *text_len);

/* A secret of one length that belongs to a name, an ICCID mostly: version, record; bound to both.  sealed: 1 + KS_NONCE_LEN + len +
 * KS_TAG_LEN octets. */
struct ks_named {
	const char *label;
	uint8_t version;
	size_t len;
};
int ks_named_seal(struct ks *ks, const struct ks_named *kind, const char *name, const uint8_t *secret, uint8_t *sealed);
int ks_named_open(struct ks *ks, const struct ks_named *kind, const char *name, const uint8_t *sealed, uint8_t *secret);
int ks_named_make(struct ks *ks, const struct ks_named *kind, const char *name, uint8_t *sealed); /* a random one */

/* ---- for tests: the locked arena as it is ---- */
const uint8_t *ks_arena(const struct ks *ks, size_t *len);

#endif
