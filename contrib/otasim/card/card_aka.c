/* card_aka.c - what the subscription applet needs of cryptography: Milenage, the test algorithm, key unwrap, hash.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * TS 35.206 on a bare AES block; TS 34.108, 8.1.2 for the XOR algorithm.  Nothing here is shared with a gateway.
 */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "card_sub_int.h"

#define BLOCK	  16
#define SQN_DELTA (1ull << 28) /* TS 33.102, C.2.1 and C.3.2 */

int sim_aes_block(const uint8_t *key, size_t key_len, const uint8_t in[BLOCK], uint8_t out[BLOCK])
{
	enum sim_alg alg = key_len == 16 ? SIM_ALG_AES128 : key_len == 24 ? SIM_ALG_AES192 : SIM_ALG_AES256;

	memmove(out, in, BLOCK);
	return sim_cbc(alg, key, true, out, BLOCK); /* one block under IV 0 is the bare cipher */
}

/* ---- Milenage, TS 35.206, 4.1: OUTn = E[rot(TEMP ^ OPc, rn) ^ cn] ^ OPc, r in octets, c in its last octet ---- */

static int out_n(const struct sim_aka_keys *k, const uint8_t temp[BLOCK], unsigned r, uint8_t c, uint8_t out[BLOCK])
{
	uint8_t b[BLOCK];

	for (unsigned i = 0; i < BLOCK; i++)
		b[i] = (uint8_t)(temp[(i + r) % BLOCK] ^ k->opc[(i + r) % BLOCK]);
	b[BLOCK - 1] ^= c;
	if (sim_aes_block(k->k, BLOCK, b, out) < 0)
		return -1;
	for (unsigned i = 0; i < BLOCK; i++)
		out[i] ^= k->opc[i];
	return 0;
}

static int milenage(const struct sim_aka_keys *k, const uint8_t rand[BLOCK], const uint8_t sqn[6], const uint8_t amf[2],
		    struct sim_aka *a)
{
	uint8_t temp[BLOCK], in1[BLOCK], x[BLOCK], out1[BLOCK], out[BLOCK];

	for (unsigned i = 0; i < BLOCK; i++)
		x[i] = (uint8_t)(rand[i] ^ k->opc[i]);
	if (sim_aes_block(k->k, BLOCK, x, temp) < 0)
		return -1;
	memcpy(in1, sqn, 6);
	memcpy(in1 + 6, amf, 2);
	memcpy(in1 + 8, in1, 8);
	/* OUT1 = E[TEMP ^ rot(IN1 ^ OPc, r1) ^ c1] ^ OPc, r1 64 bits, c1 zero */
	for (unsigned i = 0; i < BLOCK; i++)
		x[i] = (uint8_t)(in1[(i + 8) % BLOCK] ^ k->opc[(i + 8) % BLOCK] ^ temp[i]);
	if (sim_aes_block(k->k, BLOCK, x, out1) < 0)
		return -1;
	for (unsigned i = 0; i < BLOCK; i++)
		out1[i] ^= k->opc[i];
	memcpy(a->mac_a, out1, 8);
	memcpy(a->mac_s, out1 + 8, 8);
	if (out_n(k, temp, 0, 1, out) < 0)
		return -1;
	memcpy(a->ak, out, 6);
	memcpy(a->res, out + 8, 8);
	if (out_n(k, temp, 4, 2, a->ck) < 0 || out_n(k, temp, 8, 4, a->ik) < 0 || out_n(k, temp, 12, 8, out) < 0)
		return -1;
	memcpy(a->ak_s, out, 6);
	return 0;
}

/* TS 34.108, 8.1.2: XDOUT = K ^ RAND; everything else is cut out of it. */
static int test_algorithm(const struct sim_aka_keys *k, const uint8_t rand[BLOCK], const uint8_t sqn[6],
			  const uint8_t amf[2], struct sim_aka *a)
{
	uint8_t x[BLOCK], cd[8];

	for (unsigned i = 0; i < BLOCK; i++)
		x[i] = (uint8_t)(k->k[i] ^ rand[i]);
	memcpy(cd, sqn, 6);
	memcpy(cd + 6, amf, 2);
	for (unsigned i = 0; i < 8; i++)
		a->mac_a[i] = a->mac_s[i] = (uint8_t)(x[i] ^ cd[i]);
	memcpy(a->res, x, 8);
	for (unsigned i = 0; i < BLOCK; i++) {
		a->ck[i] = x[(i + 1) % BLOCK];
		a->ik[i] = x[(i + 2) % BLOCK];
	}
	memcpy(a->ak, x + 3, 6);
	memcpy(a->ak_s, x + 3, 6);
	return 0;
}

bool sim_aka_known(uint8_t alg, uint8_t scheme)
{
	return (alg == SIM_AKA_MILENAGE || alg == SIM_AKA_TEST) && scheme == SIM_SQN_ARRAY;
}

int sim_aka_run(const struct sim_aka_keys *k, const uint8_t rand[16], const uint8_t sqn[6], const uint8_t amf[2],
		struct sim_aka *a)
{
	return k->alg == SIM_AKA_TEST ? test_algorithm(k, rand, sqn, amf, a) : milenage(k, rand, sqn, amf, a);
}

/* ---- AUTHENTICATE (TS 33.102, 6.3.3) ---- */

static uint64_t be48(const uint8_t b[6])
{
	uint64_t v = 0;

	for (int i = 0; i < 6; i++)
		v = v << 8 | b[i];
	return v;
}

static void sync_failure(const struct sim_aka_keys *k, const uint64_t seq[SIM_SQN_INDS], const uint8_t rand[16],
			 struct sim_auth *out)
{
	uint8_t sqn[6], amf[2] = { 0 }; /* AMF* (TS 33.102, 6.3.3) */
	struct sim_aka a;
	uint64_t high = 0;

	for (unsigned i = 0; i < SIM_SQN_INDS; i++) {
		if ((seq[i] << 5 | i) > high)
			high = seq[i] << 5 | i;
	}
	for (int i = 0; i < 6; i++)
		sqn[i] = (uint8_t)(high >> 8 * (5 - i));
	if (sim_aka_run(k, rand, sqn, amf, &a) < 0)
		return;
	for (int i = 0; i < 6; i++)
		out->auts[i] = sqn[i] ^ a.ak_s[i];
	memcpy(out->auts + 6, a.mac_s, 8);
}

enum sim_auth_result sim_aka_check(const struct sim_aka_keys *k, const uint64_t seqs[SIM_SQN_INDS],
				   const uint8_t rand[16], const uint8_t autn[16], struct sim_auth *out, unsigned *ind,
				   uint64_t *seq_out)
{
	uint8_t sqn[6] = { 0 };
	uint64_t v, seq, high = 0;
	struct sim_aka a;

	if (sim_aka_run(k, rand, sqn, autn + 6, &a) < 0)
		return SIM_AUTH_NONE;
	for (int i = 0; i < 6; i++)
		sqn[i] = autn[i] ^ a.ak[i];
	if (sim_aka_run(k, rand, sqn, autn + 6, &a) < 0)
		return SIM_AUTH_NONE;
	if (CRYPTO_memcmp(a.mac_a, autn + 8, 8))
		return SIM_AUTH_MAC;
	v = be48(sqn);
	seq = v >> 5;
	for (unsigned i = 0; i < SIM_SQN_INDS; i++)
		high = seqs[i] > high ? seqs[i] : high;
	if (seq <= seqs[v & 31] || (seq > high && seq - high > SQN_DELTA)) {
		sync_failure(k, seqs, rand, out);
		return SIM_AUTH_SYNC;
	}
	*ind = v & 31;
	*seq_out = seq;
	memcpy(out->res, a.res, 8);
	memcpy(out->ck, a.ck, 16);
	memcpy(out->ik, a.ik, 16);
	return SIM_AUTH_OK;
}

/* ---- key transport ---- */

int sim_kcv(const uint8_t *key, size_t len, uint8_t kcv[3])
{
	uint8_t ones[BLOCK], out[BLOCK];

	memset(ones, 0x01, sizeof(ones));
	if (sim_aes_block(key, len, ones, out) < 0)
		return -1;
	memcpy(kcv, out, 3);
	return 0;
}

int sim_unwrap(const uint8_t *kek, size_t kek_len, const uint8_t *in, size_t len, uint8_t *out, size_t want)
{
	const EVP_CIPHER *ciph = kek_len == 16 ? EVP_aes_128_wrap_pad() :
				 kek_len == 24 ? EVP_aes_192_wrap_pad() :
						 EVP_aes_256_wrap_pad();
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t buf[SIM_WRAP_MAX + 8];
	int n = 0, rc = -1;

	if (len > SIM_WRAP_MAX || !ctx)
		goto out;
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_DecryptInit_ex(ctx, ciph, NULL, kek, NULL) == 1 && EVP_DecryptUpdate(ctx, buf, &n, in, (int)len) == 1 &&
	    n > 0 && (size_t)n == want) {
		memcpy(out, buf, want);
		rc = 0;
	}
out:
	EVP_CIPHER_CTX_free(ctx);
	OPENSSL_cleanse(buf, sizeof(buf));
	return rc;
}

void sim_sha256(const uint8_t *in, size_t len, uint8_t out[32])
{
	unsigned n = 32;

	if (EVP_Digest(in, len, out, &n, EVP_sha256(), NULL) != 1)
		memset(out, 0, 32); /* a hash that no set has: ARM is refused */
}
