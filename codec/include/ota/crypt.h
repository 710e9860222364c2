/* crypt.h - what the codec asks of whoever holds the keys: verbs, no key octets.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The codec knows where a checksum goes and which octets are ciphered; it never sees a key.  It lays packets out,
 * collects mac and cipher *jobs*, hands an array of them to these hooks and finishes the packets.  An array of one is
 * the ordinary call; a campaign's worth is the same call with a larger n, so that a bulk cipher can take them at once.
 */
#ifndef OTA_CRYPT_H
#define OTA_CRYPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A key by reference.  `set` is a handle given out by the keystore (0: none), `key` says which key of that set:
 * GlobalPlatform key ids inside a key version (TS 102 225 Annex A). */
enum ks_key { KS_KEY_NONE = 0, KS_KEY_KIC = 1, KS_KEY_KID = 2, KS_KEY_KIK = 3 };
struct ks_ref {
	uint32_t set;
	uint8_t key;
};

/* Algorithms as KIc/KID name them (TS 102 225, 5.1.2 and 5.1.3).  AES length follows from the key. */
enum ota_alg {
	OTA_ALG_NONE,
	OTA_ALG_DES_CBC,   /* nibble 1 */
	OTA_ALG_DES_ECB,   /* nibble D, old releases only; no MAC of this kind exists */
	OTA_ALG_3DES2_CBC, /* nibble 5 */
	OTA_ALG_3DES3_CBC, /* nibble 9 */
	OTA_ALG_AES_CBC,   /* nibble 2; as a MAC: AES-CMAC */
	_OTA_ALGS
};

struct ota_span {
	const uint8_t *p;
	size_t len;
};

#define OTA_MAC_PARTS_MAX 4
#define OTA_MAC_LEN_MAX	  16

/* One checksum: over part[0] || part[1] || ... as one message.
 * DES family: CBC-MAC with the whole algorithm in every block, IV 0, message zero-padded to 8, last 8 octets.
 * AES: CMAC, leftmost mac_len octets. */
struct ota_mac_job {
	struct ks_ref key; /* KS_KEY_KID */
	enum ota_alg alg;
	struct ota_span part[OTA_MAC_PARTS_MAX];
	uint8_t parts;
	uint8_t mac_len; /* octets wanted: 8, or 4 with AES */
	uint8_t *mac;	 /* out; caller's memory */
	int rc;		 /* out: 0 or a negative ota_err */
};

/* One CBC (or legacy ECB) run with IV 0, in place.  len is a multiple of the block: 8, or 16 for AES. */
struct ota_cipher_job {
	struct ks_ref key; /* KS_KEY_KIC */
	enum ota_alg alg;
	bool decrypt;
	uint8_t *buf;
	size_t len;
	int rc; /* out: 0 or a negative ota_err */
};

/* One key on its way to a card: PUT KEY (GlobalPlatform 11.8.2.3, TS 102 226, 8.2.1.5).  The holder of the keys
 * enciphers `key` under `dek` and tells the key check value: the codec sees the outcome alone.
 * DES family dek: the DES of the dek's length in ECB mode; AES dek: CBC, IV 0.  A key that is no multiple of the dek's
 * block (AES-192 under AES) is padded with 00.
 * KCV: first three octets of eight octets 00 enciphered (DES family), of sixteen octets 01 enciphered (AES). */
struct ota_wrap_job {
	struct ks_ref key; /* what travels */
	struct ks_ref dek; /* KS_KEY_KIK of the key version in force on the card */
	enum ota_alg alg;  /* of `key` */
	enum ota_alg dek_alg;
	uint8_t key_len; /* octets `key` must have, or the job is refused */
	uint8_t *out;	 /* out; caller's memory */
	size_t out_len;	 /* key_len padded to the dek's block */
	uint8_t kcv[3];	 /* out */
	int rc;		 /* out: 0 or a negative ota_err */
};

/* The hooks.  Each runs all n jobs, sets each rc, and returns 0 when all are 0, else the first failure.  `wrap` may be
 * NULL where keys never leave. */
struct ota_crypt {
	void *ctx;
	int (*mac)(void *ctx, struct ota_mac_job *jobs, size_t n);
	int (*cipher)(void *ctx, struct ota_cipher_job *jobs, size_t n);
	int (*wrap)(void *ctx, struct ota_wrap_job *jobs, size_t n);
};

#endif
