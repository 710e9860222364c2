/* test_ks_wrap.c - keys on their way to a card: what wraps, what may be wrapped, and PUT KEY to the octet.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The answers were made with the openssl command line (`openssl enc -des-ede`, `-aes-128-cbc`, -nopad, IV 0); the check
 * values of 404142..4F are those that GlobalPlatform tools print for the key every sample card has.
 */
#include <stdlib.h>

#include "ks_test.h"
#include "ota/ram.h"

#define GP_KEY	 "404142434445464748494a4b4c4d4e4f"
#define KEY_3DES "ebea613c881db0bce327e75534f49534326f8ad62b64fee9"
#define KIK_3KEY "0f1e2d3c4b5a69788796a5b4c3d2e1f1ebea613c881db0bc"
#define KEY_A128 "2b7e151628aed2a6abf7158809cf4f3c"
#define KEY_A192 "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"
#define KEY_A256 "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"
#define KIK_A128 "000102030405060708090a0b0c0d0e0f"
#define DES_KEY	 "c39a1e99d2d5f597"
#define OUT_MAX	 48

static size_t unhex(uint8_t *out, const char *hex)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned v;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
		out[i] = (uint8_t)v;
	}
	return n;
}

static uint32_t load(struct ks *ks, const char *iccid, uint8_t kvn, enum ota_alg alg, const char *kic, const char *kid,
		     const char *kik)
{
	const struct ks_keyset_spec spec = { .kvn = kvn, .kic_alg = alg, .kid_alg = alg, .cc_len = 8 };
	uint8_t sealed[KS_SEALED_MAX];
	char err[256] = "";
	uint32_t set = 0;
	int n = test_import(ks, iccid, &spec, kic, kid, kik, sealed, err, sizeof(err));

	if (n < 0)
		fail_msg("import: %d %s", n, err);
	assert_int_equal(ks_load(ks, iccid, kvn, sealed, (size_t)n, &set), 0);
	return set;
}

static enum ota_alg alg_of(const char *key, bool aes)
{
	return aes		 ? OTA_ALG_AES_CBC :
	       strlen(key) == 16 ? OTA_ALG_DES_CBC :
	       strlen(key) == 32 ? OTA_ALG_3DES2_CBC :
				   OTA_ALG_3DES3_CBC;
}

/* Nothing of a key of 8 octets or more stands in it, at any place. */
static void no_key_in(const uint8_t *p, size_t len, const char *hex)
{
	uint8_t key[32];
	size_t n = unhex(key, hex);

	for (size_t i = 0; i + 8 <= len; i++)
		for (size_t k = 0; k + 8 <= n; k++)
			assert_memory_not_equal(p + i, key + k, 8);
}

/* ---- known answers ---- */

static const struct {
	bool aes, dek_aes;
	const char *key, *dek, *out, *kcv;
} answers[] = {
	{ false, false, KIC_3DES2, KIK_3DES2, "2ee615a67ba14a1d155e790e6ddb14f2", "891ad5" },
	{ false, false, KID_3DES2, KIK_3DES2, "5f32ee639a579fdeb8f36dbc17bc4526", "70dc77" },
	{ false, false, KEY_3DES, KIK_3DES2, "2440c29c53ab7c5975873a815f78da0cd736d7fda68c1c96", "df02ec" },
	{ false, false, KIC_3DES2, KIK_3KEY, "2f7f2e5b9422a57c7c1b08c1a0ada70c", "891ad5" },
	{ false, false, DES_KEY, KIK_3DES2, "816cb1caa26f4bc3", "d50b27" },
	{ false, false, GP_KEY, KIK_3DES2, NULL, "8baf47" },
	{ true, true, GP_KEY, KIK_A128, NULL, "504a77" },
	{ true, false, KEY_A128, KIK_3DES2, "3d3e7b65ddb09bdd036f2eb830bd5545", "2cf6a4" },
	{ true, true, KEY_A128, KIK_A128, "1ab729bb895c3bbacad01c3bdd830dc1", "2cf6a4" },
	{ true, true, KEY_A192, KIK_A128, "6526c4ac1727fe333c94de02537f71c224740e6f1c1727f5ea65916cddd17ca1",
	  "ce617b" },
	{ true, true, KEY_A256, KIK_A128, "054e0de59d954fd76738720d91d609e481c1c9283f327545b2b1f1bdfcf34d1c",
	  "b3738b" },
	{ true, true, KEY_A192, KEY_A256, "b79cebcc5bd8befbe81d4f095d919e07f31eeb433be588110ac7719bd00c5265",
	  "ce617b" },
	{ false, true, KEY_3DES, KIK_A128, "83f6a66fd6d1fa5af10ac3078c109487cd37ed3f568f27b8442ea1d3b60b7698",
	  "df02ec" },
	{ false, true, KIC_3DES2, KIK_A128, "a9beaabeca908d25c62c42dd25772fcb", "891ad5" },
};

static void test_known_answers(void **state)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		const char *key = answers[i].key, *dek = answers[i].dek;
		struct ks *ks = test_open(2);
		struct ota_crypt c = ks_crypt(ks);
		uint32_t now =
			load(ks, ICCID_1, 1, answers[i].dek_aes ? OTA_ALG_AES_CBC : OTA_ALG_3DES2_CBC,
			     answers[i].dek_aes ? KEY_A256 : KID_3DES2, answers[i].dek_aes ? KEY_A192 : KIC_3DES2, dek);
		uint32_t next = load(ks, ICCID_1, 2, alg_of(key, answers[i].aes), key, key, "");
		uint8_t want[OUT_MAX], kcv[3], *out;
		size_t block = answers[i].dek_aes ? 16 : 8, n = (strlen(key) / 2 + block - 1) / block * block;

		unhex(kcv, answers[i].kcv);
		/* the same for each role, and from a slot the next time */
		for (uint8_t role = KS_KEY_KIC; role <= KS_KEY_KID; role++) {
			struct ota_wrap_job j = {
				.key = { next, role },
				.dek = { now, KS_KEY_KIK },
				.alg = alg_of(key, answers[i].aes),
				.dek_alg = alg_of(dek, answers[i].dek_aes),
				.key_len = (uint8_t)(strlen(key) / 2),
				.out = out = malloc(n),
				.out_len = n,
				.rc = 99,
			};

			assert_int_equal(c.wrap(c.ctx, &j, 1), 0);
			assert_int_equal(j.rc, 0);
			assert_memory_equal(j.kcv, kcv, 3);
			if (answers[i].out) {
				assert_int_equal(unhex(want, answers[i].out), n);
				assert_memory_equal(out, want, n);
			}
			no_key_in(out, n, key);
			no_key_in(out, n, dek);
			free(out);
		}
		ks_close(ks);
	}
}

/* A set's own KIK travels like the others: its variant is told by its length. */
static void test_kik_travels(void **state)
{
	struct ks *ks = test_open(2);
	struct ota_crypt c = ks_crypt(ks);
	uint32_t set = load(ks, ICCID_1, 1, OTA_ALG_3DES2_CBC, KIC_3DES2, KID_3DES2, KIK_3DES2);
	uint32_t aes = load(ks, ICCID_1, 2, OTA_ALG_AES_CBC, KEY_A128, KEY_A192, KIK_A128);
	uint8_t out[OUT_MAX], want[OUT_MAX];
	struct ota_wrap_job j = {
		.key = { aes, KS_KEY_KIK },
		.dek = { aes, KS_KEY_KIK },
		.alg = OTA_ALG_AES_CBC,
		.dek_alg = OTA_ALG_AES_CBC,
		.key_len = 16,
		.out = out,
		.out_len = 16,
	};

	assert_int_equal(c.wrap(c.ctx, &j, 1), 0);
	unhex(want, "0a940bb5416ef045f1c39458c653ea5a");
	assert_memory_equal(out, want, 16);
	assert_memory_equal(j.kcv, "\xc3\x52\x80", 3);
	j.key = j.dek = (struct ks_ref){ set, KS_KEY_KIK };
	j.alg = j.dek_alg = OTA_ALG_3DES2_CBC;
	assert_int_equal(c.wrap(c.ctx, &j, 1), 0);
	unhex(want, "e1e13f8ac69ebb611d475d62479065d7");
	assert_memory_equal(out, want, 16);
	assert_memory_equal(j.kcv, "\x81\x9d\xb1", 3);
	ks_close(ks);
}

/* ---- policy ---- */

static int try(struct ks *ks, struct ota_wrap_job j)
{
	struct ota_crypt c = ks_crypt(ks);
	uint8_t out[OUT_MAX], zero[OUT_MAX] = { 0 };
	int rc;

	memset(out, 0, sizeof(out));
	j.out = j.out ? out : NULL;
	rc = c.wrap(c.ctx, &j, 1);
	assert_int_equal(rc, j.rc);
	if (rc) { /* nothing of anything */
		assert_memory_equal(out, zero, sizeof(out));
		assert_memory_equal(j.kcv, zero, 3);
	}
	return rc;
}

static void test_policy(void **state)
{
	struct ks *ks = test_open(8);
	uint32_t now = load(ks, ICCID_1, 1, OTA_ALG_3DES2_CBC, KIC_3DES2, KID_3DES2, KIK_3DES2);
	uint32_t next = load(ks, ICCID_1, 2, OTA_ALG_3DES2_CBC, KID_3DES2, KIK_3DES2, KIC_3DES2);
	uint32_t other = load(ks, ICCID_2, 1, OTA_ALG_3DES2_CBC, KIC_3DES2, KID_3DES2, KIK_3DES2);
	uint32_t bare = load(ks, ICCID_1, 3, OTA_ALG_3DES2_CBC, KIC_3DES2, KID_3DES2, "");
	uint32_t des = load(ks, ICCID_1, 4, OTA_ALG_DES_CBC, DES_KEY, DES_KEY, DES_KEY);
	uint32_t aes = load(ks, ICCID_1, 5, OTA_ALG_AES_CBC, KEY_A128, KEY_A256, KIK_A128);
	uint8_t some[1];
	const struct ota_wrap_job good = {
		.key = { next, KS_KEY_KIC },
		.dek = { now, KS_KEY_KIK },
		.alg = OTA_ALG_3DES2_CBC,
		.dek_alg = OTA_ALG_3DES2_CBC,
		.key_len = 16,
		.out = some,
		.out_len = 16,
	};
	struct ota_wrap_job j = good;
	struct ks_stats st;

	assert_int_equal(try(ks, good), 0);
	/* KIK wraps and nobody else does */
	for (unsigned role = 0; role < 256; role++) {
		j.dek.key = (uint8_t)role;
		assert_int_equal(try(ks, j), role == KS_KEY_KIK ? 0 : OTA_E_KEY);
	}
	/* keys of a set are wrapped, and there are three of them */
	j = good;
	for (unsigned role = 0; role < 256; role++) {
		j.key.key = (uint8_t)role;
		assert_int_equal(try(ks, j), role >= KS_KEY_KIC && role <= KS_KEY_KIK ? 0 : OTA_E_KEY);
	}
	/* not for another card, in either direction */
	j = good;
	j.dek.set = other;
	assert_int_equal(try(ks, j), OTA_E_KEY);
	j = good;
	j.key.set = other;
	assert_int_equal(try(ks, j), OTA_E_KEY);
	/* no KIK, single DES */
	j = good;
	j.dek.set = bare;
	assert_int_equal(try(ks, j), OTA_E_KEY);
	j.dek.set = des;
	assert_int_equal(try(ks, j), OTA_E_KEY);
	j.dek_alg = OTA_ALG_DES_CBC;
	assert_int_equal(try(ks, j), OTA_E_KEY);
	/* another algorithm or length than imported */
	j = good;
	j.dek_alg = OTA_ALG_AES_CBC;
	assert_int_equal(try(ks, j), OTA_E_KEY);
	j.dek_alg = OTA_ALG_NONE;
	assert_int_equal(try(ks, j), OTA_E_KEY);
	j.dek_alg = (enum ota_alg)99;
	assert_int_equal(try(ks, j), OTA_E_KEY);
	j = good;
	j.alg = OTA_ALG_AES_CBC;
	assert_int_equal(try(ks, j), OTA_E_KEY);
	j.alg = OTA_ALG_3DES3_CBC;
	assert_int_equal(try(ks, j), OTA_E_KEY);
	j = good;
	j.key.set = aes;
	j.alg = OTA_ALG_AES_CBC;
	assert_int_equal(try(ks, j), 0);
	j.key.key = KS_KEY_KID; /* of 32 octets */
	assert_int_equal(try(ks, j), OTA_E_KEY);
	j.key_len = 32;
	assert_int_equal(try(ks, j), OTA_E_RANGE);
	j.out_len = 32;
	assert_int_equal(try(ks, j), 0);
	j.out = NULL;
	assert_int_equal(try(ks, j), OTA_E_RANGE);
	/* never loaded, and not any more */
	j = good;
	j.key.set = 0;
	assert_int_equal(try(ks, j), OTA_E_KEY);
	j = good;
	j.dek.set = 0xffffffff;
	assert_int_equal(try(ks, j), OTA_E_KEY);
	ks_unload(ks, next);
	assert_int_equal(try(ks, good), OTA_E_KEY);
	ks_stats(ks, &st);
	assert_int_equal(st.wraps, 1 + 1 + 3 + 2);
	assert_int_equal(st.refused, 255 + 253 + 16);
	assert_int_equal(st.ciphers + st.macs, 0);
	ks_close(ks);
}

/* KIK wraps: it neither ciphers nor makes checksums, and what wraps cannot be turned round. */
static void test_kik_does_nothing_else(void **state)
{
	struct ks *ks = test_open(1);
	struct ota_crypt c = ks_crypt(ks);
	uint32_t set = load(ks, ICCID_1, 1, OTA_ALG_AES_CBC, KEY_A128, KEY_A192, KIK_A128);
	uint8_t buf[16] = { 0 }, mac[8];
	struct ota_cipher_job cj = { .key = { set, KS_KEY_KIK }, .alg = OTA_ALG_AES_CBC, .buf = buf, .len = 16 };
	struct ota_mac_job mj = { .key = { set, KS_KEY_KIK }, .alg = OTA_ALG_AES_CBC, .mac_len = 8, .mac = mac };

	for (int decrypt = 0; decrypt < 2; decrypt++) {
		cj.decrypt = decrypt;
		assert_int_equal(c.cipher(c.ctx, &cj, 1), OTA_E_KEY);
	}
	assert_int_equal(c.mac(c.ctx, &mj, 1), OTA_E_KEY);
	ks_close(ks);
}

static void test_batch(void **state)
{
	struct ks *ks = test_open(2);
	struct ota_crypt c = ks_crypt(ks);
	uint32_t now = load(ks, ICCID_1, 1, OTA_ALG_3DES2_CBC, KIC_3DES2, KID_3DES2, KIK_3DES2);
	uint8_t out[4][16];
	struct ota_wrap_job j[4];

	memset(out, 0, sizeof(out));
	for (uint8_t i = 0; i < 4; i++)
		j[i] = (struct ota_wrap_job){
			.key = { i == 2 ? 0 : now, (uint8_t)(1 + i % 3) },
			.dek = { now, KS_KEY_KIK },
			.alg = OTA_ALG_3DES2_CBC,
			.dek_alg = OTA_ALG_3DES2_CBC,
			.key_len = 16,
			.out = out[i],
			.out_len = i == 3 ? 8 : 16,
			.rc = 99,
		};
	assert_int_equal(c.wrap(c.ctx, j, 4), OTA_E_KEY); /* the first that failed; the others are done */
	assert_int_equal(j[0].rc, 0);
	assert_int_equal(j[1].rc, 0);
	assert_int_equal(j[2].rc, OTA_E_KEY);
	assert_int_equal(j[3].rc, OTA_E_RANGE);
	assert_memory_not_equal(out[0], out[1], 16);
	assert_int_equal(c.wrap(c.ctx, NULL, 0), 0);
	ks_close(ks);
}

/* ---- PUT KEY, as it leaves ---- */

static void test_put_key(void **state)
{
	struct ks *ks = test_open(3);
	struct ota_crypt c = ks_crypt(ks);
	uint32_t now = load(ks, ICCID_1, 1, OTA_ALG_3DES2_CBC, &KEY_3DES[16], GP_KEY, KIK_3DES2);
	uint32_t next = load(ks, ICCID_1, 2, OTA_ALG_3DES2_CBC, KIC_3DES2, KID_3DES2, KIK_3DES2);
	struct ram_put_key p = {
		.new_kvn = 2, .first_id = 1, .dek = { now, KS_KEY_KIK }, .dek_alg = OTA_ALG_3DES2_CBC, .n = 3
	};
	uint8_t apdu[OTA_APDU_MAX], want[OTA_APDU_MAX], kcv[3][3];
	struct ota_script s;
	size_t n;
	int len;

	for (uint8_t i = 0; i < 3; i++) {
		p.key[i].ref = (struct ks_ref){ next, (uint8_t)(i + 1) };
		p.key[i].alg = OTA_ALG_3DES2_CBC;
		p.key[i].len = 16;
	}
	n = unhex(want, "80d800814302"
			"80102ee615a67ba14a1d155e790e6ddb14f203891ad5"
			"80105f32ee639a579fdeb8f36dbc17bc45260370dc77"
			"8010e1e13f8ac69ebb611d475d62479065d703819db1");
	len = ram_put_key_encode(apdu, sizeof(apdu), &p, &c, kcv);
	assert_int_equal(len, n);
	assert_memory_equal(apdu, want, n);
	no_key_in(apdu, n, KIC_3DES2);
	no_key_in(apdu, n, KID_3DES2);
	no_key_in(apdu, n, KIK_3DES2);
	assert_int_equal(ram_put_key_rsp_check((const uint8_t *)"\x02\x89\x1a\xd5\x70\xdc\x77\x81\x9d\xb1", 10, 2, kcv,
					       3),
			 0);
	/* as part of a script, and not with a key that is not there */
	ota_script_init(&s, apdu, sizeof(apdu));
	ram_put_key(&s, &p, &c, NULL);
	assert_int_equal(ota_script_len(&s), n + 1);
	assert_memory_equal(apdu, want, n);
	ks_unload(ks, next);
	ota_script_init(&s, apdu, sizeof(apdu));
	ram_put_key(&s, &p, &c, NULL);
	assert_int_equal(ota_script_len(&s), OTA_E_KEY);
	ks_close(ks);
}

/* AES keys of all lengths, in front of each its own length (GlobalPlatform Amendment D, 7.2). */
static void test_put_key_aes(void **state)
{
	struct ks *ks = test_open(2);
	struct ota_crypt c = ks_crypt(ks);
	uint32_t now = load(ks, ICCID_1, 1, OTA_ALG_AES_CBC, GP_KEY, KEY_A128, KIK_A128);
	uint32_t next = load(ks, ICCID_1, 5, OTA_ALG_AES_CBC, KEY_A128, KEY_A192, KEY_A256);
	struct ram_put_key p = { .old_kvn = 5,
				 .new_kvn = 5,
				 .first_id = 1,
				 .dek = { now, KS_KEY_KIK },
				 .dek_alg = OTA_ALG_AES_CBC,
				 .n = 3 };
	uint8_t apdu[OTA_APDU_MAX], want[OTA_APDU_MAX];
	size_t n;

	for (uint8_t i = 0; i < 3; i++) {
		p.key[i].ref = (struct ks_ref){ next, (uint8_t)(i + 1) };
		p.key[i].alg = OTA_ALG_AES_CBC;
		p.key[i].len = (uint8_t)(16 + 8 * i);
	}
	n = unhex(want, "80d805816605"
			"8811101ab729bb895c3bbacad01c3bdd830dc1032cf6a4"
			"8821186526c4ac1727fe333c94de02537f71c224740e6f1c1727f5ea65916cddd17ca103ce617b"
			"882120054e0de59d954fd76738720d91d609e481c1c9283f327545b2b1f1bdfcf34d1c03b3738b");
	assert_int_equal(ram_put_key_encode(apdu, sizeof(apdu), &p, &c, NULL), n);
	assert_memory_equal(apdu, want, n);
	ks_close(ks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers), cmocka_unit_test(test_kik_travels),
		cmocka_unit_test(test_policy),	      cmocka_unit_test(test_kik_does_nothing_else),
		cmocka_unit_test(test_batch),	      cmocka_unit_test(test_put_key),
		cmocka_unit_test(test_put_key_aes),
	};

	return cmocka_run_group_tests_name("keystore: keys on their way", tests, NULL, NULL);
}
