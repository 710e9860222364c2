/* crypt_openssl.c - 3DES, AES, CMAC, GCM, HMAC and scrypt on OpenSSL; the only file in the tree that calls EVP for cards.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Ciphers are fetched once and contexts are kept for the life of the keystore: a fetch per packet costs more than AES
 * itself.  A context is re-keyed with EVP_EncryptInit_ex2(ctx, NULL, key, iv).  Two things about OpenSSL 3.0 are used:
 *
 * - Re-keying with iv NULL goes back to the first IV (kept "for compatibility with 1.1.1" in its ciphercommon.c), here
 *   always zero, and saves 600 of 1,530 instructions.  Each context is tried for that when it is made.
 * - Encrypting contexts keep their padding on: whole blocks come out at once either way, EncryptFinal is never called,
 *   and a parameter call at each re-key is spared.
 */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "ks_int.h"

#define KSC_BLOCK_MAX  16
#define KCV_LEN	       KS_KCV_LEN
#define SCRYPT_MEM_MAX (192u << 20) /* octets; N = 2^17, r = 8 needs 128 MiB */

enum ksc_dir { KSC_DEC, KSC_ENC, _KSC_DIRS };

struct ksc_ctx {
	EVP_CIPHER_CTX *evp;
	const uint8_t *rekey_iv; /* NULL where that means IV 0 again */
	uint32_t owner;		 /* whose key schedule is in it; 0: nobody's */
};

struct ksc {
	EVP_CIPHER *cipher[_KSC_KINDS], *ecb, *gcm;
	struct ksc_ctx cbc[_KSC_KINDS][_KSC_DIRS];
	struct ksc_ctx ede_ecb[_KSC_DIRS];
	EVP_CIPHER_CTX *seal, *open;
	EVP_MAC *hmac;
	EVP_MAC_CTX *nonce; /* keyed from the KEK */
	struct ksc_scratch *scratch;
};

static const struct {
	const char *name;
	uint8_t key_len, block;
} kinds[_KSC_KINDS] = {
	[KSC_EDE2] = { "DES-EDE-CBC", 16, 8 },	  [KSC_EDE3] = { "DES-EDE3-CBC", 24, 8 },
	[KSC_AES128] = { "AES-128-CBC", 16, 16 }, [KSC_AES192] = { "AES-192-CBC", 24, 16 },
	[KSC_AES256] = { "AES-256-CBC", 32, 16 },
};

static const uint8_t zeros[KS_KEY_MAX];

/* The one place that keys a context, and by that sets the IV to 0 (TS 102 225, 5.1.2). */
static int ctx_key(struct ksc_ctx *x, enum ksc_dir dir, const uint8_t *key, uint32_t owner)
{
	x->owner = owner;
	if (dir == KSC_ENC)
		return EVP_EncryptInit_ex2(x->evp, NULL, key, x->rekey_iv, NULL) == 1 ? 0 : KS_E_CRYPTO;
	return EVP_DecryptInit_ex2(x->evp, NULL, key, x->rekey_iv, NULL) == 1 ? 0 : KS_E_CRYPTO;
}

static int ctx_run(struct ksc_ctx *x, enum ksc_dir dir, uint8_t *out, const uint8_t *in, size_t len)
{
	int n, ok;

	if (dir == KSC_ENC)
		ok = EVP_EncryptUpdate(x->evp, out, &n, in, (int)len);
	else
		ok = EVP_DecryptUpdate(x->evp, out, &n, in, (int)len);
	return ok == 1 && (size_t)n == len ? 0 : KS_E_CRYPTO;
}

static int ctx_new_raw(EVP_CIPHER_CTX **out, const EVP_CIPHER *cipher, enum ksc_dir dir)
{
	*out = EVP_CIPHER_CTX_new();
	if (!*out || EVP_CipherInit_ex2(*out, cipher, NULL, NULL, dir == KSC_ENC, NULL) != 1)
		return KS_E_CRYPTO;
	/* A decrypting context holds its last block back unless it is told that there is no padding. */
	if (dir == KSC_DEC && EVP_CIPHER_CTX_set_padding(*out, 0) != 1)
		return KS_E_CRYPTO;
	return 0;
}

/* Makes a context and finds out whether re-keying without an IV forgets what was chained. */
static int ctx_new(struct ksc_ctx *x, const EVP_CIPHER *cipher, enum ksc_dir dir)
{
	static const uint8_t in[KSC_BLOCK_MAX] = "sixteen octets..";
	uint8_t first[KSC_BLOCK_MAX], again[KSC_BLOCK_MAX];
	int rc = ctx_new_raw(&x->evp, cipher, dir);

	x->rekey_iv = zeros;
	if (rc || ctx_key(x, dir, zeros, 0) || ctx_run(x, dir, first, in, sizeof(in)))
		return KS_E_CRYPTO;
	x->rekey_iv = NULL;
	if (ctx_key(x, dir, zeros, 0) || ctx_run(x, dir, again, in, sizeof(in)) ||
	    memcmp(first, again, sizeof(in)) != 0)
		x->rekey_iv = zeros;
	return 0;
}

int ksc_new(struct ksc **out, struct ksc_scratch *scratch)
{
	struct ksc *c = OPENSSL_zalloc(sizeof(*c));
	int rc = 0;

	*out = c;
	if (!c)
		return KS_E_MEMORY;
	c->scratch = scratch;
	c->ecb = EVP_CIPHER_fetch(NULL, "DES-EDE-ECB", NULL);
	c->gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	c->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	c->nonce = c->hmac ? EVP_MAC_CTX_new(c->hmac) : NULL;
	if (!c->ecb || !c->gcm || !c->nonce)
		return KS_E_CRYPTO;
	for (int k = KSC_NONE + 1; k < _KSC_KINDS; k++) {
		c->cipher[k] = EVP_CIPHER_fetch(NULL, kinds[k].name, NULL);
		if (!c->cipher[k])
			return KS_E_CRYPTO;
	}
	for (int d = 0; d < _KSC_DIRS && !rc; d++) {
		for (int k = KSC_NONE + 1; k < _KSC_KINDS && !rc; k++)
			rc = ctx_new(&c->cbc[k][d], c->cipher[k], d);
		if (!rc)
			rc = ctx_new(&c->ede_ecb[d], c->ecb, d);
	}
	if (!rc)
		rc = ctx_new_raw(&c->seal, c->gcm, KSC_ENC);
	if (!rc)
		rc = ctx_new_raw(&c->open, c->gcm, KSC_DEC);
	ERR_clear_error();
	return rc;
}

void ksc_free(struct ksc *c)
{
	if (!c)
		return;
	/* EVP_CIPHER_CTX_free() cleanses the key schedules. */
	for (int d = 0; d < _KSC_DIRS; d++) {
		for (int k = 0; k < _KSC_KINDS; k++)
			EVP_CIPHER_CTX_free(c->cbc[k][d].evp);
		EVP_CIPHER_CTX_free(c->ede_ecb[d].evp);
	}
	EVP_CIPHER_CTX_free(c->seal);
	EVP_CIPHER_CTX_free(c->open);
	EVP_MAC_CTX_free(c->nonce);
	EVP_MAC_free(c->hmac);
	for (int k = 0; k < _KSC_KINDS; k++)
		EVP_CIPHER_free(c->cipher[k]);
	EVP_CIPHER_free(c->ecb);
	EVP_CIPHER_free(c->gcm);
	OPENSSL_clear_free(c, sizeof(*c));
}

static void ctx_forget(struct ksc_ctx *x, enum ksc_dir dir, uint32_t owner)
{
	if (x->owner && (x->owner == owner || !owner))
		ctx_key(x, dir, zeros, 0);
}

void ksc_forget(struct ksc *c, uint32_t owner)
{
	for (int d = 0; d < _KSC_DIRS; d++) {
		for (int k = KSC_NONE + 1; k < _KSC_KINDS; k++)
			ctx_forget(&c->cbc[k][d], d, owner);
		ctx_forget(&c->ede_ecb[d], d, owner);
	}
}

/* ---- checksums ---- */

/* A message in parts, read front to back. */
struct gather {
	const struct ota_span *part;
	unsigned left;
	size_t off;
};

static size_t gather(struct gather *g, uint8_t *dst, size_t cap)
{
	size_t got = 0;

	while (g->left && got < cap) {
		size_t n = g->part->len - g->off;

		if (n > cap - got)
			n = cap - got;
		if (n)
			memcpy(dst + got, g->part->p + g->off, n);
		got += n;
		g->off += n;
		if (g->off == g->part->len) {
			g->part++;
			g->left--;
			g->off = 0;
		}
	}
	return got;
}

static void xor16(uint8_t *dst, const uint8_t *src)
{
	uint64_t a[2], b[2];

	memcpy(a, dst, 16);
	memcpy(b, src, 16);
	a[0] ^= b[0];
	a[1] ^= b[1];
	memcpy(dst, a, 16);
}

static uint64_t get_be64(const uint8_t *p)
{
	return (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 | (uint64_t)p[2] << 40 | (uint64_t)p[3] << 32 |
	       (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 | (uint64_t)p[6] << 8 | p[7];
}

static void put_be64(uint8_t *p, uint64_t v)
{
	p[0] = (uint8_t)(v >> 56);
	p[1] = (uint8_t)(v >> 48);
	p[2] = (uint8_t)(v >> 40);
	p[3] = (uint8_t)(v >> 32);
	p[4] = (uint8_t)(v >> 24);
	p[5] = (uint8_t)(v >> 16);
	p[6] = (uint8_t)(v >> 8);
	p[7] = (uint8_t)v;
}

/* Doubling in GF(2^128) (RFC 4493, 2.3), without a branch on key-dependent bits. */
static void cmac_double(uint8_t out[16], const uint8_t in[16])
{
	uint64_t hi = get_be64(in), lo = get_be64(in + 8);
	uint64_t carry = 0 - (hi >> 63);

	put_be64(out, hi << 1 | lo >> 63);
	put_be64(out + 8, lo << 1 ^ (carry & 0x87));
}

/* CMAC's subkeys from the keyed context: L = E(0) leaves L as the chaining value, so the first block of the message is
 * XORed with L to cancel it and the context needs no second initialisation.  K1 or K2 ends up in s->k. */
static int cmac_subkeys(struct ksc_ctx *x, struct ksc_scratch *s, bool whole_blocks)
{
	if (ctx_run(x, KSC_ENC, s->l, zeros, 16))
		return KS_E_CRYPTO;
	cmac_double(s->k, s->l);
	if (!whole_blocks)
		cmac_double(s->k, s->k);
	return 0;
}

/* Runs the message through CBC; the last block is left at the returned place in s->buf. */
static const uint8_t *mac_run(struct ksc_ctx *x, struct ksc_scratch *s, size_t block, const struct ota_mac_job *job,
			      size_t total, bool cmac)
{
	struct gather g = { .part = job->part, .left = job->parts };
	size_t padded = total ? (total + block - 1) & ~(block - 1) : block;
	size_t n = 0;

	for (size_t done = 0; done < padded; done += n) {
		size_t got;

		n = padded - done < sizeof(s->buf) ? padded - done : sizeof(s->buf);
		got = gather(&g, s->buf, n);
		if (got < n) { /* only in the last chunk */
			memset(s->buf + got, 0, n - got);
			if (cmac)
				s->buf[got] = 0x80;
		}
		if (cmac && done == 0)
			xor16(s->buf, s->l);
		if (cmac && done + n == padded)
			xor16(s->buf + n - 16, s->k);
		if (ctx_run(x, KSC_ENC, s->buf, s->buf, n))
			return NULL;
	}
	return s->buf + n - block;
}

int ksc_mac(struct ksc *c, enum ksc_kind kind, const uint8_t *key, uint32_t owner, struct ota_mac_job *job)
{
	struct ksc_ctx *x = &c->cbc[kind][KSC_ENC];
	struct ksc_scratch *s = c->scratch;
	const bool cmac = job->alg == OTA_ALG_AES_CBC;
	const uint8_t *last = NULL;
	size_t total = 0;
	int rc;

	for (unsigned i = 0; i < job->parts; i++)
		total += job->part[i].len;
	rc = ctx_key(x, KSC_ENC, key, owner);
	if (!rc && cmac)
		rc = cmac_subkeys(x, s, total && total % 16 == 0);
	if (!rc)
		last = mac_run(x, s, kinds[kind].block, job, total, cmac);
	if (!last) {
		ERR_clear_error();
		return KS_E_CRYPTO;
	}
	/* AES: leftmost octets of CMAC; DES family: the last 8 octets are the whole last block (TS 102 225, 5.1.3). */
	memcpy(job->mac, last, job->mac_len);
	return 0;
}

int ksc_cipher(struct ksc *c, enum ksc_kind kind, const uint8_t *key, uint32_t owner, struct ota_cipher_job *job)
{
	const enum ksc_dir dir = job->decrypt ? KSC_DEC : KSC_ENC;
	struct ksc_ctx *x = job->alg == OTA_ALG_DES_ECB ? &c->ede_ecb[dir] : &c->cbc[kind][dir];
	int rc = ctx_key(x, dir, key, owner);

	if (!rc)
		rc = ctx_run(x, dir, job->buf, job->buf, job->len);
	if (rc)
		ERR_clear_error();
	return rc;
}

/* ---- keys on their way to a card ---- */

static bool kind_is_aes(enum ksc_kind kind)
{
	return kinds[kind].block == 16;
}

/* First octets of eight times 00, or sixteen times 01, under the key (GlobalPlatform B.6). */
static int kcv(struct ksc *c, const struct ksc_key *key, uint8_t out[KCV_LEN])
{
	struct ksc_ctx *x = &c->cbc[key->kind][KSC_ENC];
	uint8_t *block = c->scratch->l;

	memset(block, kind_is_aes(key->kind) ? 0x01 : 0x00, kinds[key->kind].block);
	if (ctx_key(x, KSC_ENC, key->key, key->owner) || ctx_run(x, KSC_ENC, block, block, kinds[key->kind].block))
		return KS_E_CRYPTO;
	memcpy(out, block, KCV_LEN);
	return 0;
}

/* AES: CBC with IV 0 (GlobalPlatform Amendment D, 6.2.8); DES family: ECB (B.1.1.2), which is CBC begun anew at every
 * block.  The key in clear stands in the scratch alone. */
int ksc_wrap(struct ksc *c, const struct ksc_key *key, size_t len, const struct ksc_key *dek, struct ota_wrap_job *job)
{
	struct ksc_ctx *x = &c->cbc[dek->kind][KSC_ENC];
	const size_t step = kind_is_aes(dek->kind) ? job->out_len : kinds[dek->kind].block;
	uint8_t *clear = c->scratch->buf;
	int rc = 0;

	memset(clear, 0, job->out_len);
	memcpy(clear, key->key, len);
	for (size_t i = 0; i < job->out_len && !rc; i += step) {
		rc = ctx_key(x, KSC_ENC, dek->key, dek->owner);
		if (!rc)
			rc = ctx_run(x, KSC_ENC, job->out + i, clear + i, step);
	}
	if (!rc)
		rc = kcv(c, key, job->kcv);
	if (rc) {
		memset(job->out, 0, job->out_len);
		ERR_clear_error();
	}
	return rc;
}

int ks_sha256(const void *p, size_t len, uint8_t out[KS_HASH_LEN])
{
	if (EVP_Digest(p, len, out, NULL, EVP_sha256(), NULL) == 1)
		return 0;
	ERR_clear_error();
	return KS_E_CRYPTO;
}

/* ---- sealing ---- */

/* The key that makes nonces: of the KEK, and not the KEK itself. */
static int nonce_key(struct ksc *c, const uint8_t kek[KS_KEK_LEN])
{
	static const uint8_t label[] = "otagw nonces of sealed keysets";
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
				      OSSL_PARAM_construct_end() };
	uint8_t key[KS_KEK_LEN];
	size_t n;
	int ok = EVP_MAC_init(c->nonce, kek, KS_KEK_LEN, params);

	if (ok == 1)
		ok = EVP_MAC_update(c->nonce, label, sizeof(label));
	if (ok == 1)
		ok = EVP_MAC_final(c->nonce, key, &n, sizeof(key));
	if (ok == 1)
		ok = EVP_MAC_init(c->nonce, key, sizeof(key), NULL);
	ks_wipe(key, sizeof(key));
	return ok;
}

int ksc_kek(struct ksc *c, const uint8_t kek[KS_KEK_LEN])
{
	if (EVP_EncryptInit_ex2(c->seal, NULL, kek, zeros, NULL) == 1 &&
	    EVP_DecryptInit_ex2(c->open, NULL, kek, zeros, NULL) == 1 && nonce_key(c, kek) == 1)
		return 0;
	ERR_clear_error();
	return KS_E_CRYPTO;
}

int ksc_nonce(struct ksc *c, const struct ota_span *aad, const uint8_t *in, size_t len, uint8_t nonce[KS_NONCE_LEN])
{
	uint8_t full[32];
	size_t n;
	int ok = EVP_MAC_init(c->nonce, NULL, 0, NULL); /* under the same key again */

	if (ok == 1)
		ok = EVP_MAC_update(c->nonce, aad->p, aad->len);
	if (ok == 1)
		ok = EVP_MAC_update(c->nonce, in, len);
	if (ok == 1)
		ok = EVP_MAC_final(c->nonce, full, &n, sizeof(full));
	if (ok == 1) {
		memcpy(nonce, full, KS_NONCE_LEN);
		return 0;
	}
	ERR_clear_error();
	return KS_E_CRYPTO;
}

int ksc_seal(struct ksc *c, const uint8_t nonce[KS_NONCE_LEN], const struct ota_span *aad, const uint8_t *in,
	     size_t len, uint8_t *out, uint8_t tag[KS_TAG_LEN])
{
	int n, ok = EVP_EncryptInit_ex2(c->seal, NULL, NULL, nonce, NULL);

	if (ok == 1)
		ok = EVP_EncryptUpdate(c->seal, NULL, &n, aad->p, (int)aad->len);
	if (ok == 1)
		ok = EVP_EncryptUpdate(c->seal, out, &n, in, (int)len);
	if (ok == 1)
		ok = EVP_EncryptFinal_ex(c->seal, out + len, &n);
	if (ok == 1)
		ok = EVP_CIPHER_CTX_ctrl(c->seal, EVP_CTRL_AEAD_GET_TAG, KS_TAG_LEN, tag);
	if (ok == 1)
		return 0;
	ERR_clear_error();
	return KS_E_CRYPTO;
}

int ksc_open(struct ksc *c, const uint8_t nonce[KS_NONCE_LEN], const struct ota_span *aad, const uint8_t *in,
	     size_t len, const uint8_t tag[KS_TAG_LEN], uint8_t *out)
{
	int n, ok = EVP_DecryptInit_ex2(c->open, NULL, NULL, nonce, NULL);

	if (ok == 1)
		ok = EVP_DecryptUpdate(c->open, NULL, &n, aad->p, (int)aad->len);
	if (ok == 1)
		ok = EVP_DecryptUpdate(c->open, out, &n, in, (int)len);
	if (ok == 1) /* the call takes no const; it only reads */
		ok = EVP_CIPHER_CTX_ctrl(c->open, EVP_CTRL_AEAD_SET_TAG, KS_TAG_LEN, (void *)(uintptr_t)tag);
	if (ok != 1) {
		ERR_clear_error();
		return KS_E_CRYPTO;
	}
	if (EVP_DecryptFinal_ex(c->open, out + len, &n) == 1)
		return 0;
	ERR_clear_error();
	return KS_E_SEALED;
}

/* ---- the rest ---- */

/* Milenage and key wrap are rare: each call sets its cipher up and leaves nothing behind. */
static int once(const char *name, bool enc, const uint8_t *key, const uint8_t *in, size_t len, uint8_t *out,
		size_t *out_len)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, last = 0, ok = 0;

	if (cipher && ctx) {
		EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
		ok = EVP_CipherInit_ex2(ctx, cipher, key, NULL, enc, NULL) == 1 &&
		     EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 && EVP_CipherUpdate(ctx, out, &n, in, (int)len) == 1 &&
		     EVP_CipherFinal_ex(ctx, out + n, &last) == 1;
	}
	EVP_CIPHER_CTX_free(ctx); /* cleanses */
	EVP_CIPHER_free(cipher);
	ERR_clear_error();
	*out_len = ok ? (size_t)(n + last) : 0;
	return ok ? 0 : KS_E_CRYPTO;
}

int ksc_aes128(const uint8_t key[16], const uint8_t in[16], uint8_t out[16])
{
	size_t n;

	return once("AES-128-ECB", true, key, in, 16, out, &n);
}

int ksc_kwp(const uint8_t kek[KS_KEK_LEN], bool wrap, const uint8_t *in, size_t len, uint8_t *out, size_t *out_len)
{
	return once("AES-256-WRAP-PAD", wrap, kek, in, len, out, out_len);
}

int ksc_kwp_card(enum ksc_kind kind, const uint8_t *kik, const uint8_t *in, size_t len, uint8_t *out, size_t *out_len)
{
	static const char *const names[_KSC_KINDS] = {
		[KSC_AES128] = "AES-128-WRAP-PAD",
		[KSC_AES192] = "AES-192-WRAP-PAD",
		[KSC_AES256] = "AES-256-WRAP-PAD",
	};

	return names[kind] ? once(names[kind], true, kik, in, len, out, out_len) : KS_E_POLICY;
}

int ksc_kcv(enum ksc_kind kind, const uint8_t *key, uint8_t out[KCV_LEN])
{
	static const char *const names[_KSC_KINDS] = {
		[KSC_AES128] = "AES-128-ECB",
		[KSC_AES192] = "AES-192-ECB",
		[KSC_AES256] = "AES-256-ECB",
	};
	uint8_t block[16];
	size_t n;
	int rc;

	memset(block, 0x01, sizeof(block));
	rc = names[kind] ? once(names[kind], true, key, block, sizeof(block), block, &n) : KS_E_POLICY;
	memcpy(out, block, KCV_LEN);
	return rc;
}

int ksc_scrypt(const char *pass, size_t pass_len, const uint8_t salt[KS_SALT_LEN], unsigned log_n, unsigned r,
	       unsigned p, uint8_t out[KS_KEK_LEN])
{
	if (EVP_PBE_scrypt(pass, pass_len, salt, KS_SALT_LEN, 1ull << log_n, r, p, SCRYPT_MEM_MAX, out, KS_KEK_LEN) ==
	    1)
		return 0;
	ERR_clear_error();
	return KS_E_CRYPTO;
}

int ksc_random(void *ctx, uint8_t *buf, size_t len)
{
	if (len <= INT32_MAX && RAND_bytes(buf, (int)len) == 1)
		return 0;
	ERR_clear_error();
	return KS_E_CRYPTO;
}

/* AES-CMAC: RFC 4493, 4, example 3 (leftmost 8 octets).  The others over the same message with IV 0, made with the
 * openssl command line: `openssl enc -des-ede-cbc -nopad -K .. -iv 0000000000000000`, last block. */
static const uint8_t kat_aes_key[16] = "\x2b\x7e\x15\x16\x28\xae\xd2\xa6\xab\xf7\x15\x88\x09\xcf\x4f\x3c";
static const uint8_t kat_msg[40] = "\x6b\xc1\xbe\xe2\x2e\x40\x9f\x96\xe9\x3d\x7e\x11\x73\x93\x17\x2a"
				   "\xae\x2d\x8a\x57\x1e\x03\xac\x9c\x9e\xb7\x6f\xac\x45\xaf\x8e\x51"
				   "\x30\xc8\x1c\x46\xa3\x5c\xe4\x11";
static const uint8_t kat_aes_cbc[16] = "\xb1\x48\xc1\x7f\x30\x9e\xe6\x92\x28\x7a\xe5\x7c\xf1\x2a\xdd\x49";
static const uint8_t kat_des_key[24] = "\x01\x23\x45\x67\x89\xab\xcd\xef\x23\x45\x67\x89\xab\xcd\xef\x01"
				       "\x45\x67\x89\xab\xcd\xef\x01\x23";

static const struct {
	const char *name;
	enum ota_alg alg;
	enum ksc_kind kind;
	const uint8_t *key;
	uint8_t msg_len, mac_len;
	uint8_t mac[16];
} kat_macs[] = {
	{ "3DES (2 keys) CBC-MAC", OTA_ALG_3DES2_CBC, KSC_EDE2, kat_des_key, 37, 8,
	  "\x8a\x9b\xa8\xdf\x58\x7b\x20\x4b" },
	{ "3DES (3 keys) CBC-MAC", OTA_ALG_3DES3_CBC, KSC_EDE3, kat_des_key, 40, 8,
	  "\x8b\xe4\x62\x28\x51\x12\x42\x58" },
	{ "AES-CMAC", OTA_ALG_AES_CBC, KSC_AES128, kat_aes_key, 40, 8, "\xdf\xa6\x67\x47\xde\x9a\xe6\x30" },
};

static int kat_mac_run(struct ksc *c, size_t i)
{
	uint8_t mac[16];
	struct ota_mac_job job = {
		.alg = kat_macs[i].alg,
		.part = { { kat_msg, 5 }, { kat_msg + 5, kat_macs[i].msg_len - 5u } },
		.parts = 2,
		.mac_len = kat_macs[i].mac_len,
		.mac = mac,
	};

	if (ksc_mac(c, kat_macs[i].kind, kat_macs[i].key, 0, &job))
		return KS_E_CRYPTO;
	return memcmp(mac, kat_macs[i].mac, kat_macs[i].mac_len) ? KS_E_CRYPTO : 0;
}

/* There and back again. */
static int kat_cipher_run(struct ksc *c, enum ota_alg alg, enum ksc_kind kind, const uint8_t *key, size_t len,
			  const uint8_t *last, size_t last_len)
{
	uint8_t buf[sizeof(kat_msg)];
	struct ota_cipher_job job = { .alg = alg, .buf = buf, .len = len };

	memcpy(buf, kat_msg, len);
	if (ksc_cipher(c, kind, key, 0, &job) || memcmp(buf + len - last_len, last, last_len) != 0)
		return KS_E_CRYPTO;
	job.decrypt = true;
	if (ksc_cipher(c, kind, key, 0, &job) || memcmp(buf, kat_msg, len) != 0)
		return KS_E_CRYPTO;
	return 0;
}

int ksc_self_test(struct ksc *c, const char **which)
{
	for (size_t i = 0; i < sizeof(kat_macs) / sizeof(kat_macs[0]); i++) {
		*which = kat_macs[i].name;
		if (kat_mac_run(c, i))
			return KS_E_CRYPTO;
	}
	*which = "AES-128-CBC";
	if (kat_cipher_run(c, OTA_ALG_AES_CBC, KSC_AES128, kat_aes_key, 32, kat_aes_cbc, sizeof(kat_aes_cbc)))
		return KS_E_CRYPTO;
	*which = "3DES (3 keys) CBC";
	return kat_cipher_run(c, OTA_ALG_3DES3_CBC, KSC_EDE3, kat_des_key, 40, kat_macs[1].mac, 8);
}
