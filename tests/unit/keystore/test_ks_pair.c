/* test_ks_pair.c - pairs of a vault, and an OPc that waits for its K: made here, moved sealed, never where they do not belong.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <openssl/evp.h>

#include "ks_int.h"
#include "ks_test.h"

#define IMSI_1	 "001010000000001"
#define KIK_A128 "000102030405060708090a0b0c0d0e0f"
#define KIK_A256 "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"

static void unhex(uint8_t *out, const char *hex, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned v;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
		out[i] = (uint8_t)v;
	}
}

/* Takes the text of a pair apart. */
static void split(char *text, char *part[5])
{
	for (unsigned i = 0; i < 5; i++) {
		part[i] = text;
		text += strcspn(text, ",");
		assert_int_equal(*text, i < 4 ? ',' : 0);
		*text++ = 0;
	}
}

/* ---- pairs ---- */

static void test_make(void **state)
{
	struct ks *ks = test_open(4);
	struct ks_pair pair, other;
	char text[KS_MAKER_TEXT_MAX], again[KS_MAKER_TEXT_MAX], *part[5];
	uint8_t k[16], zero[16] = { 0 }, opc[16], want[16], sealed[KS_SEALED_MAX], same[KS_SEALED_MAX];
	static const unsigned lens[] = { 16, 24, 32 };
	struct ks_sub_spec spec;

	for (unsigned i = 0; i < 3; i++) {
		int n;

		assert_int_equal(ks_pair_make(ks, ICCID_1, 7, lens[i], &pair), 0);
		assert_int_equal(ks_sub_spec(ks, ICCID_1, pair.sub, sizeof(pair.sub), &spec), 0);
		assert_int_equal(spec.index, 7);
		assert_int_equal(spec.aka, KS_AKA_MILENAGE);
		n = ks_emit_pair(ks, ICCID_1, 7, &pair, text);
		assert_int_equal(n, 64 + 3 * 2 * lens[i] + 4);
		assert_int_equal(strlen(text), n);
		memcpy(again, text, sizeof(again));
		split(text, part);
		unhex(k, part[0], 16);
		unhex(opc, part[1], 16);
		assert_int_equal(ksc_aes128(k, zero, want), 0); /* OP = 0 */
		assert_memory_equal(opc, want, 16);

		/* the keyset that it is on the card, as if these keys had been imported for it */
		n = ks_pair_keyset(ks, ICCID_1, 7, &pair, 2, sealed);
		assert_int_equal(n, test_import(ks, ICCID_1, &spec_aes, part[2], part[3], part[4], same, NULL, 0));
		assert_memory_equal(sealed, same, n);
	}
	assert_int_equal(ks_pair_make(ks, ICCID_1, 7, 32, &other), 0);
	assert_true(ks_emit_pair(ks, ICCID_1, 7, &other, text) > 0);
	assert_memory_not_equal(text, again, 32); /* others each time */
	ks_close(ks);
}

/* Of another card, of another index, as a keyset, damaged: nothing comes out, and nothing is left in the text. */
static void test_bound(void **state)
{
	struct ks *ks = test_open(4);
	struct ks_pair pair, bad;
	char text[KS_MAKER_TEXT_MAX];
	uint8_t sealed[KS_SEALED_MAX];
	uint32_t set;

	assert_int_equal(ks_pair_make(ks, ICCID_1, 7, 16, &pair), 0);
	assert_int_equal(ks_emit_pair(ks, ICCID_2, 7, &pair, text), KS_E_SEALED);
	assert_int_equal(ks_emit_pair(ks, ICCID_1, 8, &pair, text), KS_E_SEALED);
	assert_string_equal(text, "");
	assert_int_equal(ks_pair_keyset(ks, ICCID_1, 8, &pair, 1, sealed), KS_E_SEALED);
	assert_int_equal(ks_pair_keyset(ks, ICCID_2, 7, &pair, 1, sealed), KS_E_SEALED);
	assert_int_equal(ks_pair_keyset(ks, ICCID_1, 7, &pair, 0, sealed), KS_E_SPEC);
	assert_int_equal(ks_pair_keyset(ks, ICCID_1, 7, &pair, 16, sealed), KS_E_SPEC);
	assert_int_equal(ks_load(ks, ICCID_1, 1, pair.ota, pair.ota_len, &set), KS_E_SEALED);
	bad = pair;
	bad.ota[bad.ota_len - 1] ^= 1;
	assert_int_equal(ks_emit_pair(ks, ICCID_1, 7, &bad, text), KS_E_SEALED);
	for (size_t i = 0; i < sizeof(text); i++)
		assert_int_equal(text[i], 0);
	assert_int_equal(ks_pair_make(ks, ICCID_1, 0, 16, &bad), KS_E_SPEC);
	assert_int_equal(ks_pair_make(ks, ICCID_1, 65535, 16, &bad), KS_E_SPEC);
	assert_int_equal(ks_pair_make(ks, "8988/1", 1, 16, &bad), KS_E_SPEC);
	assert_int_equal(ks_pair_make(ks, ICCID_1, 1, 8, &bad), KS_E_KEYLEN);
	ks_close(ks);
}

static void test_import_pair(void **state)
{
	struct ks *ks = test_open(4), *maker = test_open(4);
	struct ks_pair pair, in;
	char text[KS_MAKER_TEXT_MAX], again[KS_MAKER_TEXT_MAX], *part[5], err[200] = "";

	assert_int_equal(ks_pair_make(maker, ICCID_1, 3, 16, &pair), 0);
	assert_true(ks_emit_pair(maker, ICCID_1, 3, &pair, text) > 0);
	memcpy(again, text, sizeof(text));
	split(text, part);
	assert_int_equal(ks_pair_import(ks, ICCID_1, 3,
					&(struct ks_pair_text){ part[0], part[1], part[2], part[3], part[4] }, &in, err,
					sizeof(err)),
			 0);
	for (size_t i = 0; i < strlen(again); i++) /* wiped, separators were NUL already */
		assert_int_equal(text[i], 0);
	assert_true(ks_emit_pair(ks, ICCID_1, 3, &in, text) > 0);
	assert_string_equal(text, again);
	split(text, part);
	*part[4] = 0; /* no KIK */
	assert_int_equal(ks_pair_import(ks, ICCID_1, 3,
					&(struct ks_pair_text){ part[0], part[1], part[2], part[3], part[4] }, &in, err,
					sizeof(err)),
			 KS_E_KEYLEN);
	assert_non_null(strstr(err, "KIK"));
	assert_int_equal(*part[0], 0);
	assert_int_equal(in.ota_len, 0);
	ks_close(maker);
	ks_close(ks);
}

static void test_keyset(void **state)
{
	struct ks *ks = test_open(4);
	uint8_t sealed[KS_SEALED_MAX];
	char text[KS_MAKER_TEXT_MAX];
	struct ks_stats st;
	uint32_t set;
	int n = ks_keyset_make(ks, ICCID_1, 14, 16, sealed);

	assert_true(n > 0);
	assert_int_equal(ks_load(ks, ICCID_1, 14, sealed, (size_t)n, &set), 0);
	ks_unload(ks, set);
	assert_int_equal(ks_emit_keyset(ks, ICCID_1, 14, sealed, (size_t)n, text), 2 + 3 * 32 + 2);
	assert_memory_equal(text, ",,", 2);
	assert_int_equal(ks_emit_keyset(ks, ICCID_1, 15, sealed, (size_t)n, text), KS_E_SEALED);
	assert_int_equal(text[0], 0);
	assert_int_equal(ks_keyset_make(ks, ICCID_1, 16, 16, sealed), KS_E_SPEC);
	ks_stats(ks, &st);
	assert_int_equal(st.printed, 1); /* each time that keys leave in clear is counted */
	ks_close(ks);
}

/* ---- OPc ---- */

/* From B, which makes it for an IMSI, through a package to A, which has chosen a card; A's HLR entry tells what came of it. */
static void test_opc(void **state)
{
	struct ks *b = test_open(4), *a = test_open(4);
	static const uint8_t kek[KS_KEK_LEN] = "one package's";
	struct ks_wrap *wb = ks_wrap_new(b, kek), *wa = ks_wrap_new(a, kek);
	struct ks_block out = { .has_opc = true }, in;
	struct ks_sub_spec spec = { .index = 1, .aka = KS_AKA_MILENAGE, .sqn = 1 };
	char k_hex[] = "465b5ce8b199b49faa5f0a2ee238a6bc", opc_hex[] = "cd63cb71954a9f4e48a5994e37a02baf";
	uint8_t block[KS_BLOCK_MAX], opc[KS_OPC_LEN], sub[KS_SUB_LEN], joined[KS_SUB_LEN];
	char was[KS_HLR_TEXT_MAX], is[KS_HLR_TEXT_MAX];
	int n;

	assert_int_equal(ks_opc_make(b, IMSI_1, out.opc), 0);
	n = ks_block_wrap(wb, IMSI_1, &out, block);
	assert_true(n > 0);
	assert_int_equal(ks_block_unwrap(wa, ICCID_1, block, (size_t)n, &in), KS_E_SEALED); /* not its name */
	assert_int_equal(ks_block_unwrap(wa, IMSI_1, block, (size_t)n, &in), 0);
	assert_true(in.has_opc && !in.has_sub && !in.sets);
	assert_int_equal(ks_opc_rename(a, ICCID_1, ICCID_1, in.opc, opc), KS_E_SEALED);
	assert_int_equal(ks_opc_rename(a, IMSI_1, ICCID_1, in.opc, opc), 0);

	assert_int_equal(ks_sub_import(a, ICCID_1, &spec, k_hex, opc_hex, sub, NULL, 0), KS_SUB_LEN);
	assert_int_equal(ks_sub_join(a, ICCID_1, sub, in.opc, joined), KS_E_SEALED); /* still the IMSI's */
	assert_int_equal(ks_sub_join(a, ICCID_1, sub, opc, joined), 0);
	assert_int_equal(ks_opc_same(a, ICCID_1, sub, opc), KS_E_POLICY);
	assert_int_equal(ks_opc_same(a, ICCID_1, joined, opc), 0);
	assert_int_equal(ks_sub_spec(a, ICCID_1, joined, KS_SUB_LEN, &spec), 0);
	assert_int_equal(spec.index, 1);
	assert_true(ks_emit_to_hlr(a, ICCID_1, sub, KS_SUB_LEN, was) > 0);
	assert_true(ks_emit_to_hlr(a, ICCID_1, joined, KS_SUB_LEN, is) > 0);
	assert_memory_equal(was, is, strlen("milenage,") + 32); /* K is the same */
	assert_string_not_equal(was, is);

	/* what B has in its own books is what A hands over */
	out = (struct ks_block){ .has_sub = true };
	memcpy(out.sub, joined, sizeof(joined));
	n = ks_block_wrap(wa, ICCID_1, &out, block);
	assert_true(n > 0);
	assert_int_equal(ks_block_unwrap(wb, ICCID_1, block, (size_t)n, &in), 0);
	memset(&out, 0, sizeof(out));
	ks_wrap_free(wa);
	ks_wrap_free(wb);
	ks_close(a);
	ks_close(b);
}

/* ---- escrow ---- */

/* A locks a card's K, B keeps it without being able to open it, until it is told the card's release key. */
static void test_escrow(void **state)
{
	struct ks *a = test_open(4), *b = test_open(4);
	static const uint8_t kek[KS_KEK_LEN] = "one package's";
	struct ks_wrap *wa = ks_wrap_new(a, kek), *wb = ks_wrap_new(b, kek);
	struct ks_block in = { .has_sub = true }, out = { 0 }, got;
	uint8_t release[2][KS_RELEASE_LEN], block[KS_BLOCK_MAX];
	char was[KS_HLR_TEXT_MAX], is[KS_HLR_TEXT_MAX];
	struct ks_pair pair;
	int n;

	assert_int_equal(ks_pair_make(a, ICCID_1, 1, 16, &pair), 0);
	memcpy(in.sub, pair.sub, sizeof(in.sub));
	assert_int_equal(ks_release_make(a, ICCID_1, release[0]), 0);
	assert_int_equal(ks_release_make(a, ICCID_1, release[1]), 0);
	n = ks_block_lock(a, ICCID_1, release[0], &in, out.locked);
	assert_true(n > 0);
	out.locked_len = (unsigned)n;
	n = ks_block_wrap(wa, ICCID_1, &out, block);
	assert_true(n > 0);
	assert_int_equal(ks_block_unwrap(wb, ICCID_1, block, (size_t)n, &got), 0);
	assert_true(got.locked_len == out.locked_len && !got.has_sub && !got.has_release);
	out = got; /* what B keeps */

	/* the other release key, then the right one */
	for (int i = 1; i >= 0; i--) {
		in = (struct ks_block){ .has_release = true };
		memcpy(in.release, release[i], sizeof(in.release));
		n = ks_block_wrap(wa, ICCID_1, &in, block);
		assert_true(n > 0);
		assert_int_equal(ks_block_unwrap(wb, ICCID_2, block, (size_t)n, &got), KS_E_SEALED);
		assert_int_equal(ks_block_unwrap(wb, ICCID_1, block, (size_t)n, &got), 0);
		assert_true(got.has_release && !got.has_sub);
		assert_int_equal(ks_block_unlock(b, ICCID_1, got.release, out.locked, out.locked_len, &in),
				 i ? KS_E_SEALED : 0);
	}
	assert_true(ks_emit_to_hlr(a, ICCID_1, pair.sub, KS_SUB_LEN, was) > 0);
	assert_true(ks_emit_to_hlr(b, ICCID_1, in.sub, KS_SUB_LEN, is) > 0);
	assert_string_equal(was, is);

	/* each octet of what was locked counts, and its length */
	for (unsigned i = 0; i < out.locked_len; i++) {
		out.locked[i] ^= 1;
		assert_int_equal(ks_block_unlock(b, ICCID_1, got.release, out.locked, out.locked_len, &in),
				 KS_E_SEALED);
		assert_int_equal(ks_block_unlock(b, ICCID_1, got.release, out.locked, i, &in), KS_E_SEALED);
		out.locked[i] ^= 1;
	}
	assert_int_equal(ks_block_unlock(b, ICCID_2, got.release, out.locked, out.locked_len, &in), KS_E_SEALED);
	/* only K and OPc are locked, and nothing in a lock is a lock */
	in = (struct ks_block){ .has_release = true };
	memcpy(in.release, got.release, sizeof(in.release));
	assert_int_equal(ks_block_lock(b, ICCID_1, got.release, &in, out.locked), KS_E_SPEC);
	ks_wrap_free(wa);
	ks_wrap_free(wb);
	ks_close(a);
	ks_close(b);
}

static uint32_t load(struct ks *ks, const char *iccid, enum ota_alg alg, const char *key, const char *kik)
{
	const struct ks_keyset_spec spec = { .kvn = 1, .kic_alg = alg, .kid_alg = alg, .cc_len = 8 };
	uint8_t sealed[KS_SEALED_MAX];
	uint32_t set = 0;
	int n = test_import(ks, iccid, &spec, key, key, kik, sealed, NULL, 0);

	assert_true(n > 0);
	assert_int_equal(ks_load(ks, iccid, 1, sealed, (size_t)n, &set), 0);
	return set;
}

/* Unwraps as a card would; the cipher library's own, not the keystore's. */
static void card_unwraps(const char *kik_hex, const uint8_t wrapped[KS_OPC_WRAPPED], uint8_t opc[32])
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	const EVP_CIPHER *cipher = strlen(kik_hex) == 32 ? EVP_aes_128_wrap_pad() : EVP_aes_256_wrap_pad();
	uint8_t kik[32];
	int n = 0;

	unhex(kik, kik_hex, strlen(kik_hex) / 2);
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	assert_int_equal(EVP_DecryptInit_ex(ctx, cipher, NULL, kik, NULL), 1);
	assert_int_equal(EVP_DecryptUpdate(ctx, opc, &n, wrapped, KS_OPC_WRAPPED), 1);
	assert_int_equal(n, 16);
	EVP_CIPHER_CTX_free(ctx);
}

static void test_to_card(void **state)
{
	static const char *const kiks[] = { KIK_A128, KIK_A256 };
	struct ks *ks = test_open(8);
	char k_hex[] = "465b5ce8b199b49faa5f0a2ee238a6bc", opc_hex[] = "cd63cb71954a9f4e48a5994e37a02baf";
	struct ks_sub_spec spec = { .index = 1, .aka = KS_AKA_MILENAGE, .sqn = 1 };
	uint8_t opc[KS_OPC_LEN], sub[KS_SUB_LEN], joined[KS_SUB_LEN], wrapped[KS_OPC_WRAPPED], got[32], want[16];
	char text[KS_HLR_TEXT_MAX];
	uint32_t set;

	assert_int_equal(ks_opc_make(ks, ICCID_1, opc), 0);
	assert_int_equal(ks_sub_import(ks, ICCID_1, &spec, k_hex, opc_hex, sub, NULL, 0), KS_SUB_LEN);
	assert_int_equal(ks_sub_join(ks, ICCID_1, sub, opc, joined), 0);
	assert_true(ks_emit_to_hlr(ks, ICCID_1, joined, KS_SUB_LEN, text) > 0);
	unhex(want, text + strlen("milenage,") + 32 + strlen(",opc,"), 16);
	for (unsigned i = 0; i < 2; i++) {
		set = load(ks, ICCID_1, OTA_ALG_AES_CBC, "2b7e151628aed2a6abf7158809cf4f3c", kiks[i]);
		assert_int_equal(ks_opc_wrap(ks, set, opc, wrapped), 0);
		card_unwraps(kiks[i], wrapped, got);
		assert_memory_equal(got, want, 16);
		ks_unload(ks, set);
		assert_int_equal(ks_opc_wrap(ks, set, opc, wrapped), KS_E_REF);
	}
	/* for a card without the application: as it is, and of its own card alone */
	assert_int_equal(ks_opc_script(ks, ICCID_1, opc, got), 0);
	assert_memory_equal(got, want, 16);
	assert_int_equal(ks_opc_script(ks, ICCID_2, opc, got), KS_E_SEALED);
	assert_int_equal(got[0] | got[15], 0);
	/* another card's KIK, a KIK that is none of AES, none at all */
	set = load(ks, ICCID_2, OTA_ALG_AES_CBC, "2b7e151628aed2a6abf7158809cf4f3c", KIK_A128);
	assert_int_equal(ks_opc_wrap(ks, set, opc, wrapped), KS_E_SEALED);
	set = load(ks, ICCID_1, OTA_ALG_3DES2_CBC, KIC_3DES2, KIK_3DES2);
	assert_int_equal(ks_opc_wrap(ks, set, opc, wrapped), KS_E_POLICY);
	set = load(ks, ICCID_1, OTA_ALG_AES_CBC, "2b7e151628aed2a6abf7158809cf4f3c", "");
	assert_int_equal(ks_opc_wrap(ks, set, opc, wrapped), KS_E_POLICY);
	for (unsigned i = 0; i < KS_OPC_WRAPPED; i++)
		assert_int_equal(wrapped[i], 0);
	ks_close(ks);
}

/* ---- new keys for a card ---- */

static void kcv_of(const uint8_t key[16], uint8_t out[KS_KCV_LEN])
{
	uint8_t ones[16], block[16];

	memset(ones, 1, sizeof(ones));
	assert_int_equal(ksc_aes128(key, ones, block), 0);
	memcpy(out, block, KS_KCV_LEN);
}

static void aka_of(struct ks *ks, const uint8_t *sub, uint8_t k[16], uint8_t opc[16])
{
	char text[KS_HLR_TEXT_MAX];

	assert_true(ks_emit_to_hlr(ks, ICCID_1, sub, KS_SUB_LEN, text) > 0);
	unhex(k, text + strlen("milenage,"), 16);
	unhex(opc, text + strlen("milenage,") + 32 + strlen(",opc,"), 16);
}

/* The parts that are asked for are new, the others stay; the card unwraps what its register gets. */
static void test_renew(void **state)
{
	struct ks *ks = test_open(4);
	uint8_t sub[KS_SUB_LEN], k[2][16], opc[2][16], wrapped[KS_SUB_WRAPPED], kcv[KS_KCV_LEN], want[KS_KCV_LEN],
		got[32];
	struct ks_pair pair;
	uint32_t set;

	assert_int_equal(ks_pair_make(ks, ICCID_1, 7, 16, &pair), 0);
	aka_of(ks, pair.sub, k[0], opc[0]);
	for (unsigned parts = KS_SUB_K; parts <= (KS_SUB_K | KS_SUB_OPC); parts++) {
		assert_int_equal(ks_sub_renew(ks, ICCID_1, 7, pair.sub, parts, sub), 0);
		aka_of(ks, sub, k[1], opc[1]);
		assert_int_equal(memcmp(k[0], k[1], 16) != 0, (parts & KS_SUB_K) != 0);
		assert_int_equal(memcmp(opc[0], opc[1], 16) != 0, (parts & KS_SUB_OPC) != 0);
		set = load(ks, ICCID_1, OTA_ALG_AES_CBC, "2b7e151628aed2a6abf7158809cf4f3c", KIK_A256);
		assert_int_equal(ks_sub_wrap(ks, set, sub, KS_SUB_K, wrapped, kcv), 0);
		card_unwraps(KIK_A256, wrapped, got);
		assert_memory_equal(got, k[1], 16);
		kcv_of(k[1], want);
		assert_memory_equal(kcv, want, sizeof(kcv));
		assert_int_equal(ks_sub_wrap(ks, set, sub, KS_SUB_OPC, wrapped, kcv), 0);
		card_unwraps(KIK_A256, wrapped, got);
		assert_memory_equal(got, opc[1], 16);
		kcv_of(opc[1], want);
		assert_memory_equal(kcv, want, sizeof(kcv));
		ks_unload(ks, set);
	}
	assert_int_equal(ks_sub_renew(ks, ICCID_1, 7, NULL, 0, sub), 0); /* nobody knows the old ones: all is new */
	aka_of(ks, sub, k[1], opc[1]);
	assert_memory_not_equal(k[0], k[1], 16);
	assert_memory_not_equal(opc[0], opc[1], 16);
	/* of another index, of another card */
	assert_int_equal(ks_sub_renew(ks, ICCID_1, 8, pair.sub, KS_SUB_K, sub), KS_E_POLICY);
	assert_int_equal(ks_sub_renew(ks, ICCID_2, 7, pair.sub, KS_SUB_K, sub), KS_E_SEALED);
	/* under another card's KIK, one that is none of AES, none, a set that is not loaded */
	set = load(ks, ICCID_2, OTA_ALG_AES_CBC, "2b7e151628aed2a6abf7158809cf4f3c", KIK_A128);
	assert_int_equal(ks_sub_wrap(ks, set, pair.sub, KS_SUB_K, wrapped, kcv), KS_E_SEALED);
	set = load(ks, ICCID_1, OTA_ALG_3DES2_CBC, KIC_3DES2, KIK_3DES2);
	assert_int_equal(ks_sub_wrap(ks, set, pair.sub, KS_SUB_K, wrapped, kcv), KS_E_POLICY);
	set = load(ks, ICCID_1, OTA_ALG_AES_CBC, "2b7e151628aed2a6abf7158809cf4f3c", "");
	assert_int_equal(ks_sub_wrap(ks, set, pair.sub, KS_SUB_K, wrapped, kcv), KS_E_POLICY);
	for (unsigned i = 0; i < KS_SUB_WRAPPED; i++)
		assert_int_equal(wrapped[i], 0);
	assert_int_equal(ks_sub_wrap(ks, 0, pair.sub, KS_SUB_K, wrapped, kcv), KS_E_REF);
	ks_close(ks);
}

/* Three OTA keys as the card gets them; never under another card's KIK. */
static void test_renew_ota(void **state)
{
	static const unsigned lens[] = { 16, 24, 32 };
	struct ks *ks = test_open(8);
	uint8_t sealed[KS_SEALED_MAX], wrapped[KS_SET_WRAPPED_MAX], kcv[3 * KS_KCV_LEN], first[3 * KS_KCV_LEN] = { 0 };
	uint32_t to = load(ks, ICCID_1, OTA_ALG_AES_CBC, "2b7e151628aed2a6abf7158809cf4f3c", KIK_A128), from, other;
	int n;

	for (unsigned i = 0; i < 3; i++) {
		n = ks_keyset_make(ks, ICCID_1, 2, lens[i], sealed);
		assert_true(n > 0);
		assert_int_equal(ks_load(ks, ICCID_1, 2, sealed, (size_t)n, &from), 0);
		assert_int_equal(ks_set_wrap(ks, to, from, wrapped, kcv), 3 * lens[i] + 8);
		assert_memory_not_equal(kcv, first, sizeof(kcv));
		memcpy(first, kcv, sizeof(first));
		ks_unload(ks, from);
	}
	n = ks_keyset_make(ks, ICCID_2, 2, 16, sealed);
	assert_int_equal(ks_load(ks, ICCID_2, 2, sealed, (size_t)n, &other), 0);
	assert_int_equal(ks_set_wrap(ks, to, other, wrapped, kcv), KS_E_POLICY);
	assert_int_equal(ks_set_wrap(ks, to, 0, wrapped, kcv), KS_E_REF);
	assert_int_equal(ks_set_wrap(ks, 0, to, wrapped, kcv), KS_E_REF);
	other = load(ks, ICCID_1, OTA_ALG_3DES2_CBC, KIC_3DES2, KIK_3DES2); /* no AES keys: not for such a card */
	assert_int_equal(ks_set_wrap(ks, to, other, wrapped, kcv), KS_E_KEYLEN);
	ks_close(ks);
}

/* Whatever was done, no key stays behind in the working memory. */
static void test_wiped(void **state)
{
	struct ks *ks = test_open(4);
	struct ks_pair pair;
	char text[KS_MAKER_TEXT_MAX], *part[5];
	uint8_t opc[KS_OPC_LEN], joined[KS_SUB_LEN], sealed[KS_SEALED_MAX], key[16];
	const uint8_t *arena;
	size_t len;

	assert_int_equal(ks_pair_make(ks, ICCID_1, 1, 16, &pair), 0);
	assert_int_equal(ks_opc_make(ks, ICCID_1, opc), 0);
	assert_int_equal(ks_sub_join(ks, ICCID_1, pair.sub, opc, joined), 0);
	assert_int_equal(ks_opc_same(ks, ICCID_1, joined, opc), 0);
	assert_true(ks_pair_keyset(ks, ICCID_1, 1, &pair, 1, sealed) > 0);
	assert_true(ks_emit_pair(ks, ICCID_1, 1, &pair, text) > 0);
	split(text, part);
	arena = ks_arena(ks, &len);
	for (unsigned i = 0; i < 5; i++) {
		unhex(key, part[i], 16);
		for (size_t at = 0; at + 8 <= len; at++)
			assert_memory_not_equal(arena + at, key, 8);
	}
	ks_close(ks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_make),   cmocka_unit_test(test_bound),	 cmocka_unit_test(test_import_pair),
		cmocka_unit_test(test_keyset), cmocka_unit_test(test_opc),	 cmocka_unit_test(test_to_card),
		cmocka_unit_test(test_renew),  cmocka_unit_test(test_renew_ota), cmocka_unit_test(test_wiped),
		cmocka_unit_test(test_escrow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
