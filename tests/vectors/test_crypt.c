/* test_crypt.c - the codec's crypt hooks on OpenSSL's EVP.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Single DES is 3DES with three equal thirds and two-key 3DES is K1 K2 K1: so one cipher serves the whole family, and
 * OpenSSL's legacy provider is not needed.
 */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "ota/codec.h"
#include "test_crypt.h"

#define DES_BLOCK 8
#define MSG_MAX	  (3 + OTA_PACKET_PROTOCOL_MAX + DES_BLOCK)

static EVP_MAC *cmac;
static EVP_CIPHER_CTX *ctx;

void test_crypt_set(struct test_crypt *t, uint32_t set, enum ks_key which, const uint8_t *key, size_t len)
{
	memcpy(t->key[set][which].octets, key, len);
	t->key[set][which].len = len;
}

void test_crypt_free(void)
{
	EVP_MAC_free(cmac);
	EVP_CIPHER_CTX_free(ctx);
	cmac = NULL;
	ctx = NULL;
}

/* The 24 octets of an EDE3 key, or false when the length is not the algorithm's. */
static bool des_key(uint8_t out[24], enum ota_alg alg, const uint8_t *key, size_t len)
{
	size_t want = alg == OTA_ALG_3DES3_CBC ? 24 : alg == OTA_ALG_3DES2_CBC ? 16 : 8;

	if (len != want)
		return false;
	for (size_t i = 0; i < 24; i++)
		out[i] = key[i % len];
	return true;
}

static int cbc(enum ota_alg alg, const uint8_t *key, size_t key_len, bool decrypt, uint8_t *buf, size_t len)
{
	static const uint8_t iv[16];
	uint8_t ede[24];
	const EVP_CIPHER *cipher;
	int out_len;

	if (alg == OTA_ALG_AES_CBC) {
		cipher = key_len == 16 ? EVP_aes_128_cbc() : key_len == 24 ? EVP_aes_192_cbc() : EVP_aes_256_cbc();
		if (key_len != 16 && key_len != 24 && key_len != 32)
			return OTA_E_KEY;
	} else {
		cipher = alg == OTA_ALG_DES_ECB ? EVP_des_ede3_ecb() : EVP_des_ede3_cbc();
		if (!des_key(ede, alg, key, key_len))
			return OTA_E_KEY;
		key = ede;
	}
	if (!ctx)
		ctx = EVP_CIPHER_CTX_new();
	if (!ctx || !EVP_CipherInit_ex(ctx, cipher, NULL, key, iv, !decrypt) || !EVP_CIPHER_CTX_set_padding(ctx, 0) ||
	    !EVP_CipherUpdate(ctx, buf, &out_len, buf, (int)len) || (size_t)out_len != len)
		return OTA_E_KEY;
	return 0;
}

static int aes_cmac(const uint8_t *key, size_t key_len, const struct ota_mac_job *job)
{
	const char *name = key_len == 16 ? "AES-128-CBC" : key_len == 24 ? "AES-192-CBC" : "AES-256-CBC";
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, (char *)name, 0),
				OSSL_PARAM_construct_end() };
	uint8_t out[16];
	size_t out_len = 0;
	EVP_MAC_CTX *c;
	int ok;

	if (key_len != 16 && key_len != 24 && key_len != 32)
		return OTA_E_KEY;
	if (!cmac)
		cmac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	c = EVP_MAC_CTX_new(cmac);
	ok = c && EVP_MAC_init(c, key, key_len, params);
	for (size_t i = 0; ok && i < job->parts; i++)
		ok = EVP_MAC_update(c, job->part[i].p, job->part[i].len);
	ok = ok && EVP_MAC_final(c, out, &out_len, sizeof(out)) && job->mac_len <= out_len;
	EVP_MAC_CTX_free(c);
	if (!ok)
		return OTA_E_KEY;
	memcpy(job->mac, out, job->mac_len);
	return 0;
}

static int des_mac(const uint8_t *key, size_t key_len, const struct ota_mac_job *job)
{
	uint8_t msg[MSG_MAX] = { 0 };
	size_t len = 0;
	int rc;

	for (size_t i = 0; i < job->parts; i++) {
		if (job->part[i].len > MSG_MAX - DES_BLOCK - len)
			return OTA_E_SPACE;
		memcpy(msg + len, job->part[i].p, job->part[i].len);
		len += job->part[i].len;
	}
	/* A message of no octets has one block of padding. */
	len = len ? (len + DES_BLOCK - 1) / DES_BLOCK * DES_BLOCK : DES_BLOCK;
	if (job->mac_len > DES_BLOCK || job->alg == OTA_ALG_DES_ECB)
		return OTA_E_ALG;
	rc = cbc(job->alg, key, key_len, false, msg, len);
	if (rc == 0)
		memcpy(job->mac, msg + len - DES_BLOCK, job->mac_len);
	return rc;
}

/* The key of a job, or NULL; every job comes by here, so this is where they are counted and made to fail. */
static const uint8_t *job_key(struct test_crypt *t, struct ks_ref ref, size_t *len)
{
	if (++t->jobs == t->fail_at || ref.set >= TEST_CRYPT_SETS || ref.key > KS_KEY_KIK)
		return NULL;
	*len = t->key[ref.set][ref.key].len;
	return *len ? t->key[ref.set][ref.key].octets : NULL;
}

static int mac_hook(void *arg, struct ota_mac_job *jobs, size_t n)
{
	struct test_crypt *t = arg;
	int first = 0;

	t->mac_calls++;
	t->mac_jobs += (unsigned)n;
	if (n > t->batch_max)
		t->batch_max = n;
	for (size_t i = 0; i < n; i++) {
		size_t len = 0;
		const uint8_t *key = job_key(t, jobs[i].key, &len);

		if (!key)
			jobs[i].rc = OTA_E_KEY;
		else if (jobs[i].alg == OTA_ALG_AES_CBC)
			jobs[i].rc = aes_cmac(key, len, &jobs[i]);
		else
			jobs[i].rc = des_mac(key, len, &jobs[i]);
		if (jobs[i].rc && !first)
			first = jobs[i].rc;
	}
	return first;
}

static int cipher_hook(void *arg, struct ota_cipher_job *jobs, size_t n)
{
	struct test_crypt *t = arg;
	int first = 0;

	t->cipher_calls++;
	t->cipher_jobs += (unsigned)n;
	if (n > t->batch_max)
		t->batch_max = n;
	for (size_t i = 0; i < n; i++) {
		size_t len = 0;
		const uint8_t *key = job_key(t, jobs[i].key, &len);

		jobs[i].rc = key ? cbc(jobs[i].alg, key, len, jobs[i].decrypt, jobs[i].buf, jobs[i].len) : OTA_E_KEY;
		if (jobs[i].rc && !first)
			first = jobs[i].rc;
	}
	return first;
}

struct ota_crypt test_crypt(struct test_crypt *t)
{
	return (struct ota_crypt){ .ctx = t, .mac = mac_hook, .cipher = cipher_hook };
}
