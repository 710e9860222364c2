/* card_crypto.c - the card's own cipher and checksum calls.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * CMAC is built here from AES-CBC (RFC 4493) instead of with EVP_MAC, so that a wrong idea about the library would show
 * as a difference to the gateway.  Single DES is 3DES with three equal keys: OpenSSL 3 has no DES by default.
 */
#include <string.h>

#include <openssl/evp.h>

#include "card_int.h"

#define BLOCK_MAX 16

size_t sim_alg_key_len(enum sim_alg alg)
{
	static const uint8_t len[_SIM_ALGS] = {
		[SIM_ALG_DES] = 8,     [SIM_ALG_3DES2] = 16,  [SIM_ALG_3DES3] = 24,
		[SIM_ALG_AES128] = 16, [SIM_ALG_AES192] = 24, [SIM_ALG_AES256] = 32,
	};

	return alg < _SIM_ALGS ? len[alg] : 0;
}

static const char *const alg_names[_SIM_ALGS] = {
	[SIM_ALG_NONE] = "none",     [SIM_ALG_DES] = "des",	  [SIM_ALG_3DES2] = "3des2",
	[SIM_ALG_3DES3] = "3des3",   [SIM_ALG_AES128] = "aes128", [SIM_ALG_AES192] = "aes192",
	[SIM_ALG_AES256] = "aes256",
};

const char *sim_alg_name(enum sim_alg alg)
{
	return alg < _SIM_ALGS ? alg_names[alg] : "?";
}

int sim_alg_parse(const char *name)
{
	for (int i = SIM_ALG_DES; i < _SIM_ALGS; i++) {
		if (!strcmp(name, alg_names[i]))
			return i;
	}
	return -1;
}

size_t sim_block(enum sim_alg alg)
{
	return alg >= SIM_ALG_AES128 ? 16 : 8;
}

int sim_cbc(enum sim_alg alg, const uint8_t *key, bool encipher, uint8_t *buf, size_t len)
{
	static const uint8_t iv[BLOCK_MAX];
	const EVP_CIPHER *ciph = NULL;
	uint8_t k[SIM_KEY_MAX];
	EVP_CIPHER_CTX *ctx;
	int n = 0, rc = -1;

	memcpy(k, key, sim_alg_key_len(alg));
	switch (alg) {
	case SIM_ALG_DES:
		memcpy(k + 8, key, 8);
		memcpy(k + 16, key, 8);
		ciph = EVP_des_ede3_cbc();
		break;
	case SIM_ALG_3DES2:
		memcpy(k + 16, key, 8); /* K1, K2, K1 */
		ciph = EVP_des_ede3_cbc();
		break;
	case SIM_ALG_3DES3:
		ciph = EVP_des_ede3_cbc();
		break;
	case SIM_ALG_AES128:
		ciph = EVP_aes_128_cbc();
		break;
	case SIM_ALG_AES192:
		ciph = EVP_aes_192_cbc();
		break;
	case SIM_ALG_AES256:
		ciph = EVP_aes_256_cbc();
		break;
	default:
		return -1;
	}
	ctx = EVP_CIPHER_CTX_new();
	if (ctx && EVP_CipherInit_ex(ctx, ciph, NULL, k, iv, encipher) == 1 &&
	    EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 && EVP_CipherUpdate(ctx, buf, &n, buf, (int)len) == 1 &&
	    (size_t)n == len)
		rc = 0;
	EVP_CIPHER_CTX_free(ctx);
	OPENSSL_cleanse(k, sizeof(k));
	return rc;
}

/* Doubling in GF(2^128), RFC 4493, 2.3. */
static void cmac_double(uint8_t b[BLOCK_MAX])
{
	uint8_t carry = b[0] >> 7;

	for (int i = 0; i < BLOCK_MAX - 1; i++)
		b[i] = (uint8_t)(b[i] << 1 | b[i + 1] >> 7);
	b[BLOCK_MAX - 1] = (uint8_t)(b[BLOCK_MAX - 1] << 1 ^ (carry ? 0x87 : 0));
}

int sim_cc(enum sim_alg alg, const uint8_t *key, const uint8_t *in, size_t len, uint8_t *out, size_t mac_len)
{
	uint8_t buf[PACKET_MAX + 64], sub[BLOCK_MAX] = { 0 };
	size_t block = sim_block(alg), full;

	if (len > sizeof(buf) - BLOCK_MAX || mac_len > block)
		return -1;
	full = (len + block - 1) / block * block;
	if (full == 0)
		full = block;
	memset(buf, 0, full);
	memcpy(buf, in, len);
	if (alg >= SIM_ALG_AES128) {
		if (sim_cbc(alg, key, true, sub, BLOCK_MAX) < 0)
			return -1;
		cmac_double(sub);
		if (len != full) {
			buf[len] = 0x80;
			cmac_double(sub);
		}
		for (int i = 0; i < BLOCK_MAX; i++)
			buf[full - BLOCK_MAX + i] ^= sub[i];
	}
	if (sim_cbc(alg, key, true, buf, full) < 0)
		return -1;
	/* CMAC: the leftmost octets of the last block; DES: the whole of it. */
	memcpy(out, buf + full - block, mac_len);
	return 0;
}

/* TS 102 225, Annex B. */
uint16_t sim_crc16(const uint8_t *p, size_t len)
{
	uint16_t crc = 0xffff;

	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc & 1 ? crc >> 1 ^ 0x8408 : crc >> 1;
	}
	return crc ^ 0xffff;
}

uint32_t sim_crc32(const uint8_t *p, size_t len)
{
	uint32_t crc = 0xffffffff;

	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
	}
	return crc ^ 0xffffffff;
}
