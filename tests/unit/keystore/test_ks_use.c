/* test_ks_use.c - the two verbs: published and generated answers, messages in parts, batches, and what is refused.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdlib.h>

#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "ota/codec.h"
#include "ks_test.h"

#define MSG_MAX 1200

static size_t from_hex(uint8_t *out, size_t cap, const char *hex)
{
	size_t n = strlen(hex) / 2;

	assert_true(n <= cap);
	for (size_t i = 0; i < n; i++) {
		unsigned v;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
		out[i] = (uint8_t)v;
	}
	return n;
}

static int mac_whole(struct ks *ks, uint32_t set, enum ota_alg alg, const uint8_t *msg, size_t len, uint8_t *mac,
		     uint8_t mac_len)
{
	struct ota_crypt c = ks_crypt(ks);
	struct ota_mac_job j = {
		.key = { set, KS_KEY_KID },
		.alg = alg,
		.part = { { msg, len } },
		.parts = 1,
		.mac_len = mac_len,
		.mac = mac,
	};
	int rc = c.mac(c.ctx, &j, 1);

	assert_int_equal(rc, j.rc);
	return rc;
}

/* ---- vectors ---- */

static enum ota_alg vector_alg(const char *kind)
{
	if (!strcmp(kind, "aes-cmac"))
		return OTA_ALG_AES_CBC;
	if (!strcmp(kind, "des-cbc-mac"))
		return OTA_ALG_DES_CBC;
	if (!strcmp(kind, "3des2-cbc-mac"))
		return OTA_ALG_3DES2_CBC;
	return strcmp(kind, "3des3-cbc-mac") ? OTA_ALG_NONE : OTA_ALG_3DES3_CBC;
}

static void vector_one(const json_t *v, enum ota_alg alg)
{
	const struct ks_keyset_spec spec = { 3, alg, alg, alg == OTA_ALG_AES_CBC ? 4 : 8 };
	const char *key = json_string_value(json_object_get(v, "key"));
	struct ks *ks = test_open(1);
	uint32_t set = test_load_keys(ks, &spec, key, key);
	uint8_t msg[MSG_MAX], want[16], mac[8];
	size_t n = from_hex(msg, sizeof(msg), json_string_value(json_object_get(v, "data")));

	from_hex(want, sizeof(want), json_string_value(json_object_get(v, "value")));
	assert_int_equal(mac_whole(ks, set, alg, msg, n, mac, 8), 0);
	assert_memory_equal(mac, want, 8);
	if (alg == OTA_ALG_AES_CBC) {
		memset(mac, 0xee, sizeof(mac));
		assert_int_equal(mac_whole(ks, set, alg, msg, n, mac, 4), 0);
		assert_memory_equal(mac, want, 4);
		assert_int_equal(mac[4], 0xee);
	}
	ks_close(ks);
}

static void test_vectors(void **state)
{
	json_error_t e;
	json_t *root = json_load_file(VECTORS_DIR "/dev-primitives.json", 0, &e);
	size_t i, done = 0;
	json_t *v;

	if (!root)
		fail_msg("%s/dev-primitives.json line %d: %s", VECTORS_DIR, e.line, e.text);
	json_array_foreach(json_object_get(root, "vectors"), i, v)
	{
		enum ota_alg alg = vector_alg(json_string_value(json_object_get(v, "kind")));

		if (alg == OTA_ALG_NONE)
			continue; /* CRCs are the codec's */
		vector_one(v, alg);
		done++;
	}
	assert_true(done >= 60);
	json_decref(root);
}

/* ---- every length, against OpenSSL's own CMAC, cut into parts ---- */

static const char *const aes_keys[] = {
	"2b7e151628aed2a6abf7158809cf4f3c",
	"8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
	"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
};

static void reference_cmac(const char *hex_key, const uint8_t *msg, size_t len, uint8_t out[16])
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	uint8_t key[32];
	size_t n = from_hex(key, sizeof(key), hex_key), out_len = 0;
	char name[16];
	OSSL_PARAM params[] = { OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_CIPHER, name, 0), OSSL_PARAM_END };

	snprintf(name, sizeof(name), "AES-%zu-CBC", 8 * n);
	params[0].data_size = strlen(name);
	assert_int_equal(EVP_MAC_init(ctx, key, n, params), 1);
	assert_int_equal(EVP_MAC_update(ctx, msg, len), 1);
	assert_int_equal(EVP_MAC_final(ctx, out, &out_len, 16), 1);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
}

/* Cuts a message into four parts at places that depend on its length; some parts are empty. */
static void cut_in_parts(struct ota_mac_job *j, const uint8_t *msg, size_t len)
{
	const size_t a = len / 7, b = a + (len - a) / 3;

	j->part[0] = (struct ota_span){ msg, a };
	j->part[1] = (struct ota_span){ msg + a, b - a };
	j->part[2] = (struct ota_span){ len % 2 ? NULL : msg, 0 };
	j->part[3] = (struct ota_span){ msg + b, len - b };
	j->parts = 4;
}

static void test_cmac_lengths(void **state)
{
	static const struct ks_keyset_spec spec = { 1, OTA_ALG_AES_CBC, OTA_ALG_AES_CBC, 4 };
	static const size_t lens[] = { 0,   1,	 15,  16,  17,	31,  32,   33,	 100,  112,  127, 128,
				       496, 511, 512, 513, 527, 528, 1008, 1023, 1024, 1025, 1199 };
	uint8_t msg[MSG_MAX], want[16], mac[8];

	for (size_t i = 0; i < sizeof(msg); i++)
		msg[i] = (uint8_t)(i * 31 + (i >> 8));
	for (size_t k = 0; k < sizeof(aes_keys) / sizeof(aes_keys[0]); k++) {
		struct ks *ks = test_open(1);
		struct ota_crypt c = ks_crypt(ks);
		uint32_t set = test_load_keys(ks, &spec, aes_keys[k], aes_keys[k]);

		for (size_t l = 0; l < sizeof(lens) / sizeof(lens[0]); l++) {
			struct ota_mac_job j = {
				.key = { set, KS_KEY_KID },
				.alg = OTA_ALG_AES_CBC,
				.mac_len = 8,
				.mac = mac,
			};
			uint8_t *exact = malloc(lens[l] ? lens[l] : 1);

			assert_non_null(exact);
			memcpy(exact, msg, lens[l]);
			reference_cmac(aes_keys[k], exact, lens[l], want);
			assert_int_equal(mac_whole(ks, set, OTA_ALG_AES_CBC, exact, lens[l], mac, 8), 0);
			assert_memory_equal(mac, want, 8);
			memset(mac, 0, sizeof(mac));
			cut_in_parts(&j, exact, lens[l]);
			assert_int_equal(c.mac(c.ctx, &j, 1), 0);
			assert_memory_equal(mac, want, 8);
			free(exact);
		}
		/* no parts at all is the empty message */
		assert_int_equal(c.mac(c.ctx,
				       &(struct ota_mac_job){ .key = { set, KS_KEY_KID },
							      .alg = OTA_ALG_AES_CBC,
							      .mac_len = 8,
							      .mac = mac },
				       1),
				 0);
		reference_cmac(aes_keys[k], msg, 0, want);
		assert_memory_equal(mac, want, 8);
		ks_close(ks);
	}
}

/* The checksum of the DES family is the last block of the cipher run over the zero-padded message. */
static void test_cbc_mac_parts(void **state)
{
	static const struct {
		enum ota_alg alg;
		const char *key;
	} rows[] = {
		{ OTA_ALG_DES_CBC, "c39a1e99d2d5f597" },
		{ OTA_ALG_3DES2_CBC, "29d7a869568fdee62f6b6dffa15124d8" },
		{ OTA_ALG_3DES3_CBC, "ebea613c881db0bce327e75534f49534326f8ad62b64fee9" },
	};
	uint8_t msg[MSG_MAX], buf[MSG_MAX + 8], mac[8];

	for (size_t i = 0; i < sizeof(msg); i++)
		msg[i] = (uint8_t)(i * 7 + 3);
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		const struct ks_keyset_spec spec = { 1, rows[r].alg, rows[r].alg, 8 };
		struct ks *ks = test_open(1);
		struct ota_crypt c = ks_crypt(ks);
		uint32_t set = test_load_keys(ks, &spec, rows[r].key, rows[r].key);

		for (size_t len = 1; len < sizeof(msg); len += len < 40 ? 1 : 61) {
			size_t padded = (len + 7) / 8 * 8;
			struct ota_cipher_job cj = {
				.key = { set, KS_KEY_KIC },
				.alg = rows[r].alg,
				.buf = buf,
				.len = padded,
			};
			struct ota_mac_job j = {
				.key = { set, KS_KEY_KID },
				.alg = rows[r].alg,
				.mac_len = 8,
				.mac = mac,
			};

			memset(buf, 0, sizeof(buf));
			memcpy(buf, msg, len);
			assert_int_equal(c.cipher(c.ctx, &cj, 1), 0);
			cut_in_parts(&j, msg, len);
			assert_int_equal(c.mac(c.ctx, &j, 1), 0);
			assert_memory_equal(mac, buf + padded - 8, 8);
			cj.decrypt = true;
			assert_int_equal(c.cipher(c.ctx, &cj, 1), 0);
			assert_memory_equal(buf, msg, len);
		}
		ks_close(ks);
	}
}

/* SP 800-38A, F.1: with IV 0 the first block of CBC is ECB. */
static void test_aes_cipher(void **state)
{
	static const char *const want[] = { "3ad77bb40d7a3660a89ecaf32466ef97", "bd334f1d6e45f25ff712a214571fa5cc",
					    "f3eed1bdb5d2a03c064b5a7e3db181f8" };
	uint8_t plain[48], buf[48], first[16];

	from_hex(plain, sizeof(plain), "6bc1bee22e409f96e93d7e117393172a");
	memset(plain + 16, 0x77, 32);
	for (size_t k = 0; k < sizeof(aes_keys) / sizeof(aes_keys[0]); k++) {
		struct ks *ks = test_open(1);
		struct ota_crypt c = ks_crypt(ks);
		uint32_t set = test_load_keys(ks, &spec_aes, aes_keys[k], aes_keys[k]);
		struct ota_cipher_job j = {
			.key = { set, KS_KEY_KIC },
			.alg = OTA_ALG_AES_CBC,
			.buf = buf,
			.len = sizeof(buf),
		};

		from_hex(first, sizeof(first), want[k]);
		for (int turn = 0; turn < 3; turn++) { /* the context carries nothing over */
			memcpy(buf, plain, sizeof(buf));
			j.decrypt = false;
			assert_int_equal(c.cipher(c.ctx, &j, 1), 0);
			assert_memory_equal(buf, first, 16);
			j.decrypt = true;
			assert_int_equal(c.cipher(c.ctx, &j, 1), 0);
			assert_memory_equal(buf, plain, sizeof(buf));
		}
		ks_close(ks);
	}
}

/* Legacy ECB: every block for itself, by EDE with equal halves.  Key and answer of FIPS 81, Appendix B, example 1. */
static void test_des_ecb(void **state)
{
	static const struct ks_keyset_spec spec = { 1, OTA_ALG_DES_ECB, OTA_ALG_DES_CBC, 8 };
	struct ks *ks = test_open(1);
	struct ota_crypt c = ks_crypt(ks);
	uint32_t set = test_load_keys(ks, &spec, "0123456789abcdef", "0123456789abcdef");
	uint8_t plain[24], buf[24], want[24];
	struct ota_cipher_job j = {
		.key = { set, KS_KEY_KIC },
		.alg = OTA_ALG_DES_ECB,
		.buf = buf,
		.len = sizeof(buf),
	};

	memcpy(plain, "Now is the time for all ", 24);
	from_hex(want, sizeof(want), "3fa40e8a984d48156a271787ab8883f9893d51ec4b563b53");
	memcpy(buf, plain, sizeof(buf));
	assert_int_equal(c.cipher(c.ctx, &j, 1), 0);
	assert_memory_equal(buf, want, sizeof(want));
	j.decrypt = true;
	assert_int_equal(c.cipher(c.ctx, &j, 1), 0);
	assert_memory_equal(buf, plain, sizeof(plain));
	ks_close(ks);
}

/* ---- batches ---- */

static void test_batch(void **state)
{
	struct ks *ks = test_open(4);
	struct ota_crypt c = ks_crypt(ks);
	uint32_t des = test_load_keys(ks, &spec_3des2, KIC_3DES2, KID_3DES2);
	uint32_t aes = test_load_keys(ks, &spec_aes, aes_keys[0], aes_keys[1]);
	uint8_t msg[40] = "one message for all of the jobs", mac[5][8], want[2][8];
	struct ota_mac_job j[5];
	struct ks_stats st;

	assert_int_equal(mac_whole(ks, des, OTA_ALG_3DES2_CBC, msg, sizeof(msg), want[0], 8), 0);
	assert_int_equal(mac_whole(ks, aes, OTA_ALG_AES_CBC, msg, sizeof(msg), want[1], 8), 0);
	for (int i = 0; i < 5; i++)
		j[i] = (struct ota_mac_job){
			.key = { i % 2 ? aes : des, KS_KEY_KID },
			.alg = i % 2 ? OTA_ALG_AES_CBC : OTA_ALG_3DES2_CBC,
			.part = { { msg, sizeof(msg) } },
			.parts = 1,
			.mac_len = 8,
			.mac = mac[i],
			.rc = 99,
		};
	j[2].key.set = 0;
	j[4].parts = OTA_MAC_PARTS_MAX + 1;
	assert_int_equal(c.mac(c.ctx, j, 5), OTA_E_KEY); /* the first that failed; the others are done */
	assert_int_equal(j[2].rc, OTA_E_KEY);
	assert_int_equal(j[4].rc, OTA_E_RANGE);
	for (int i = 0; i < 4; i++) {
		if (i == 2)
			continue;
		assert_int_equal(j[i].rc, 0);
		assert_memory_equal(mac[i], want[i % 2], 8);
	}
	assert_int_equal(c.mac(c.ctx, NULL, 0), 0);
	assert_int_equal(c.cipher(c.ctx, NULL, 0), 0);
	ks_stats(ks, &st);
	assert_int_equal(st.macs, 5);
	assert_int_equal(st.refused, 2);
	ks_close(ks);
}

/* ---- policy ---- */

static int try_mac(struct ks *ks, uint32_t set, uint8_t key, enum ota_alg alg, uint8_t mac_len)
{
	struct ota_crypt c = ks_crypt(ks);
	uint8_t mac[16] = { 0 }, zero[16] = { 0 };
	struct ota_mac_job j = {
		.key = { set, key },
		.alg = alg,
		.part = { { (const uint8_t *)"message", 7 } },
		.parts = 1,
		.mac_len = mac_len,
		.mac = mac,
	};
	int rc = c.mac(c.ctx, &j, 1);

	if (rc)
		assert_memory_equal(mac, zero, sizeof(mac));
	return rc;
}

static int try_cipher(struct ks *ks, uint32_t set, uint8_t key, enum ota_alg alg, size_t len)
{
	struct ota_crypt c = ks_crypt(ks);
	uint8_t buf[64] = { 1, 2, 3 }, same[64] = { 1, 2, 3 };
	struct ota_cipher_job j = { .key = { set, key }, .alg = alg, .buf = buf, .len = len };
	int rc = c.cipher(c.ctx, &j, 1);

	if (rc)
		assert_memory_equal(buf, same, sizeof(buf));
	return rc;
}

static void test_policy(void **state)
{
	struct ks *ks = test_open(8);
	uint32_t des = test_load_keys(ks, &spec_3des2, KIC_3DES2, KID_3DES2);
	uint32_t aes = test_load_keys(ks, &spec_aes, aes_keys[0], aes_keys[1]);
	struct ks_stats st;

	assert_int_equal(try_mac(ks, des, KS_KEY_KID, OTA_ALG_3DES2_CBC, 8), 0);
	assert_int_equal(try_cipher(ks, des, KS_KEY_KIC, OTA_ALG_3DES2_CBC, 64), 0);
	/* each key does its own work only */
	assert_int_equal(try_mac(ks, des, KS_KEY_KIC, OTA_ALG_3DES2_CBC, 8), OTA_E_KEY);
	assert_int_equal(try_cipher(ks, des, KS_KEY_KID, OTA_ALG_3DES2_CBC, 64), OTA_E_KEY);
	assert_int_equal(try_mac(ks, des, KS_KEY_KIK, OTA_ALG_3DES2_CBC, 8), OTA_E_KEY);
	assert_int_equal(try_cipher(ks, des, KS_KEY_KIK, OTA_ALG_3DES2_CBC, 64), OTA_E_KEY);
	assert_int_equal(try_cipher(ks, des, KS_KEY_NONE, OTA_ALG_3DES2_CBC, 64), OTA_E_KEY);
	assert_int_equal(try_cipher(ks, des, 200, OTA_ALG_3DES2_CBC, 64), OTA_E_KEY);
	/* in its own algorithm only */
	assert_int_equal(try_mac(ks, des, KS_KEY_KID, OTA_ALG_DES_CBC, 8), OTA_E_KEY);
	assert_int_equal(try_mac(ks, des, KS_KEY_KID, OTA_ALG_AES_CBC, 8), OTA_E_KEY);
	assert_int_equal(try_cipher(ks, aes, KS_KEY_KIC, OTA_ALG_3DES2_CBC, 64), OTA_E_KEY);
	assert_int_equal(try_cipher(ks, aes, KS_KEY_KIC, OTA_ALG_NONE, 64), OTA_E_KEY);
	assert_int_equal(try_cipher(ks, aes, KS_KEY_KIC, (enum ota_alg)99, 64), OTA_E_KEY);
	/* in whole blocks, and never a shorter checksum than the keyset has */
	assert_int_equal(try_cipher(ks, des, KS_KEY_KIC, OTA_ALG_3DES2_CBC, 63), OTA_E_BLOCK);
	assert_int_equal(try_cipher(ks, aes, KS_KEY_KIC, OTA_ALG_AES_CBC, 24), OTA_E_BLOCK);
	assert_int_equal(try_cipher(ks, aes, KS_KEY_KIC, OTA_ALG_AES_CBC, 0), OTA_E_BLOCK);
	assert_int_equal(try_mac(ks, aes, KS_KEY_KID, OTA_ALG_AES_CBC, 4), OTA_E_KEY);
	assert_int_equal(try_mac(ks, des, KS_KEY_KID, OTA_ALG_3DES2_CBC, 4), OTA_E_KEY);
	assert_int_equal(try_mac(ks, aes, KS_KEY_KID, OTA_ALG_AES_CBC, 16), OTA_E_RANGE);
	assert_int_equal(try_mac(ks, aes, KS_KEY_KID, OTA_ALG_AES_CBC, 0), OTA_E_RANGE);
	ks_stats(ks, &st);
	assert_int_equal(st.refused, 18);
	assert_int_equal(st.macs, 1);
	assert_int_equal(st.ciphers, 1);
	ks_close(ks);
}

static void test_stale_handles(void **state)
{
	struct ks *ks = test_open(1);
	uint32_t old = test_load_keys(ks, &spec_3des2, KIC_3DES2, KID_3DES2), now;

	ks_unload(ks, old);
	assert_int_equal(try_mac(ks, old, KS_KEY_KID, OTA_ALG_3DES2_CBC, 8), OTA_E_KEY);
	now = test_load_keys(ks, &spec_3des2, KIC_3DES2, KID_3DES2);
	assert_int_not_equal(now, old);
	assert_int_equal(try_mac(ks, old, KS_KEY_KID, OTA_ALG_3DES2_CBC, 8), OTA_E_KEY);
	assert_int_equal(try_mac(ks, now, KS_KEY_KID, OTA_ALG_3DES2_CBC, 8), 0);
	ks_unload(ks, old); /* does not touch its successor */
	assert_int_equal(try_mac(ks, now, KS_KEY_KID, OTA_ALG_3DES2_CBC, 8), 0);
	assert_int_equal(try_mac(ks, 0, KS_KEY_KID, OTA_ALG_3DES2_CBC, 8), OTA_E_KEY);
	assert_int_equal(try_mac(ks, 0xffffffff, KS_KEY_KID, OTA_ALG_3DES2_CBC, 8), OTA_E_KEY);
	ks_close(ks);
}

/* A keyset with one key only. */
static void test_half_keyset(void **state)
{
	static const struct ks_keyset_spec spec = { 1, OTA_ALG_NONE, OTA_ALG_AES_CBC, 8 };
	struct ks *ks = test_open(1);
	uint32_t set = test_load_keys(ks, &spec, "", aes_keys[0]);

	assert_int_equal(try_mac(ks, set, KS_KEY_KID, OTA_ALG_AES_CBC, 8), 0);
	assert_int_equal(try_cipher(ks, set, KS_KEY_KIC, OTA_ALG_AES_CBC, 64), OTA_E_KEY);
	assert_int_equal(try_cipher(ks, set, KS_KEY_KIC, OTA_ALG_NONE, 64), OTA_E_KEY);
	ks_close(ks);
}

/* Through the codec: a command packet there and back, and with one bit flipped. */
static void test_packet(void **state)
{
	struct ks *ks = test_open(1);
	struct ota_crypt c = ks_crypt(ks);
	uint32_t set = test_load_keys(ks, &spec_aes, aes_keys[0], aes_keys[2]);
	const uint8_t data[] = { 0x00, 0xa4, 0x00, 0x0c, 0x02, 0x6f, 0x07 };
	struct ota_cmd_params p = {
		.spi = { 0x16, 0x39 },
		.kic = 0x22,
		.kid = 0x22,
		.tar = { 0xb0, 0x00, 0x10 },
		.cntr = 5,
		.cc_len = 8,
		.kic_ref = { set, KS_KEY_KIC },
		.kid_ref = { set, KS_KEY_KID },
		.data = data,
		.data_len = sizeof(data),
	};
	uint8_t packet[OTA_PACKET_MAX], flipped[OTA_PACKET_MAX];
	struct ota_cmd cmd;
	int n = ota_cmd_encode(packet, sizeof(packet), &p, &c);

	assert_true(n > 0);
	memcpy(flipped, packet, (size_t)n);
	flipped[n - 1] ^= 1;
	assert_int_equal(ota_cmd_decode(&cmd, packet, (size_t)n, &p, &c), 0);
	assert_int_equal(cmd.p.data_len, sizeof(data));
	assert_memory_equal(cmd.p.data, data, sizeof(data));
	assert_int_not_equal(ota_cmd_decode(&cmd, flipped, (size_t)n, &p, &c), 0);
	ks_close(ks);
}

static void test_sha256(void **state)
{
	(void)state;
	/* FIPS 180-2, B.1 */
	static const uint8_t want[KS_HASH_LEN] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
						   0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
						   0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad };
	uint8_t got[KS_HASH_LEN];

	assert_int_equal(ks_sha256("abc", 3, got), 0);
	assert_memory_equal(got, want, sizeof(want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),	      cmocka_unit_test(test_cmac_lengths),
		cmocka_unit_test(test_cbc_mac_parts), cmocka_unit_test(test_aes_cipher),
		cmocka_unit_test(test_des_ecb),	      cmocka_unit_test(test_batch),
		cmocka_unit_test(test_policy),	      cmocka_unit_test(test_stale_handles),
		cmocka_unit_test(test_half_keyset),   cmocka_unit_test(test_packet),
		cmocka_unit_test(test_sha256),
	};

	return cmocka_run_group_tests_name("keystore: use by reference", tests, NULL, NULL);
}
