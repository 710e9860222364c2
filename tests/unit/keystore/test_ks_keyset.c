/* test_ks_keyset.c - sealed keysets: import, load, slots; what is refused and why.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdlib.h>

#include "ks_test.h"

static int import_1(struct ks *ks, uint8_t *sealed)
{
	char err[256] = "";
	int n = test_import(ks, ICCID_1, &spec_3des2, KIC_3DES2, KID_3DES2, KIK_3DES2, sealed, err, sizeof(err));

	if (n < 0)
		fail_msg("import: %d %s", n, err);
	return n;
}

static void test_round_trip(void **state)
{
	struct ks *ks = test_open(0);
	uint8_t a[KS_SEALED_MAX], b[KS_SEALED_MAX];
	struct ks_stats st;
	uint32_t set;
	int n = import_1(ks, a);

	assert_int_equal(n, 5 + 12 + 48 + 16);
	assert_int_equal(import_1(ks, b), n);
	assert_int_equal(ks_sealed_kic_octets(a, (size_t)n), 16);
	assert_int_equal(ks_sealed_kic_octets(a, 3), 0);
	assert_memory_equal(a, b, (size_t)n); /* the same keys: the same record */

	assert_int_equal(ks_load(ks, ICCID_1, 1, a, (size_t)n, &set), 0);
	ks_stats(ks, &st);
	assert_int_equal(st.imports, 2);
	assert_int_equal(st.loads, 1);
	assert_int_equal(st.slots, KS_SLOTS_DEFAULT);
	assert_int_equal(st.slots_used, 1);
	ks_unload(ks, set);
	ks_unload(ks, set); /* a stale handle is refused, not unloaded twice */
	ks_unload(ks, 0);
	ks_stats(ks, &st);
	assert_int_equal(st.slots_used, 0);
	assert_int_equal(st.slots_high, 1);
	assert_true(st.undumped);
	ks_close(ks);
	ks_close(NULL);
}

/* Records of the same length, each under a nonce of its own: other keys, another card, another version, another KEK. */
static void test_nonces(void **state)
{
	static const uint8_t other_kek[32] = "thirty-two other octets to seal";
	struct ks_keyset_spec v2 = spec_3des2;
	struct ks *ks = test_open(4), *other;
	struct ks_open_params p = { .source = KS_KEK_MEMORY, .kek = other_kek };
	uint8_t r[5][KS_SEALED_MAX], check[KS_CHECK_LEN];
	char err[256] = "";
	int n = import_1(ks, r[0]);

	v2.kvn = 2;
	assert_int_equal(ks_open(&other, &p, NULL, 0, check, err, sizeof(err)), 0);
	assert_int_equal(test_import(ks, ICCID_1, &spec_3des2, KIC_3DES2, KID_3DES2, KID_3DES2, r[1], NULL, 0), n);
	assert_int_equal(test_import(ks, ICCID_2, &spec_3des2, KIC_3DES2, KID_3DES2, KIK_3DES2, r[2], NULL, 0), n);
	assert_int_equal(test_import(ks, ICCID_1, &v2, KIC_3DES2, KID_3DES2, KIK_3DES2, r[3], NULL, 0), n);
	assert_int_equal(import_1(other, r[4]), n);
	for (unsigned i = 0; i < 5; i++)
		for (unsigned j = 0; j < i; j++) {
			assert_memory_not_equal(r[i] + 5, r[j] + 5, 12);
			assert_memory_not_equal(r[i] + 17, r[j] + 17, 48);
		}
	ks_close(other);
	ks_close(ks);
}

/* A record opens under its own card and key version only. */
static void test_moved_record(void **state)
{
	struct ks *ks = test_open(4);
	uint8_t sealed[KS_SEALED_MAX];
	uint32_t set = 77;
	size_t n = (size_t)import_1(ks, sealed);

	assert_int_equal(ks_load(ks, ICCID_2, 1, sealed, n, &set), KS_E_SEALED);
	assert_int_equal(set, 0);
	assert_int_equal(ks_load(ks, ICCID_1, 2, sealed, n, &set), KS_E_SEALED);
	assert_int_equal(ks_load(ks, "", 1, sealed, n, &set), KS_E_SEALED);
	assert_int_equal(ks_load(ks, NULL, 1, sealed, n, &set), KS_E_SEALED);
	assert_int_equal(ks_load(ks, ICCID_1 "0", 1, sealed, n, &set), KS_E_SEALED);
	sealed[1] = 0x28; /* KVN rewritten in the clear header */
	assert_int_equal(ks_load(ks, ICCID_1, 2, sealed, n, &set), KS_E_SEALED);
	assert_int_equal(ks_load(ks, ICCID_1, 1, NULL, 0, &set), KS_E_SEALED);
	ks_close(ks);
}

/* Every single bit, and every length, in a block of exactly that size. */
static void test_flips_and_cuts(void **state)
{
	struct ks *ks = test_open(2);
	uint8_t sealed[KS_SEALED_MAX];
	size_t n = (size_t)import_1(ks, sealed);
	struct ks_stats st;
	uint32_t set;

	for (size_t bit = 0; bit < 8 * n; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(ks_load(ks, ICCID_1, 1, sealed, n, &set), KS_E_SEALED);
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < n; len++) {
		uint8_t *cut = malloc(len ? len : 1);

		assert_non_null(cut);
		memcpy(cut, sealed, len);
		assert_int_equal(ks_load(ks, ICCID_1, 1, cut, len, &set), KS_E_SEALED);
		free(cut);
	}
	sealed[n] = 0;
	assert_int_equal(ks_load(ks, ICCID_1, 1, sealed, n + 1, &set), KS_E_SEALED);
	ks_stats(ks, &st);
	assert_int_equal(st.slots_used, 0);
	assert_int_equal(st.refused, 8 * n + n + 1);
	assert_int_equal(ks_load(ks, ICCID_1, 1, sealed, n, &set), 0);
	ks_close(ks);
}

static void test_another_kek(void **state)
{
	static const uint8_t other[32] = "another key-encryption key......";
	struct ks_open_params p = { .source = KS_KEK_MEMORY, .kek = other };
	struct ks *ks = test_open(2), *ks2;
	uint8_t sealed[KS_SEALED_MAX];
	size_t n = (size_t)import_1(ks, sealed);
	uint32_t set;

	assert_int_equal(ks_open(&ks2, &p, NULL, 0, NULL, NULL, 0), 0);
	assert_int_equal(ks_load(ks2, ICCID_1, 1, sealed, n, &set), KS_E_SEALED);
	ks_close(ks2);
	ks_close(ks);
}

#define DES_A	  "0123456789abcdef"
#define DES_A_ODD "0022446688aaccee" /* the same key with other parity bits */
#define DES_B	  "fedcba9876543210"
#define DES_C	  "1122334455667788"
#define AES_A	  "2b7e151628aed2a6abf7158809cf4f3c"
#define ONES_16	  "11111111111111111111111111111111"

static void test_import_refusals(void **state)
{
	static const struct {
		const char *kic, *kid, *kik;
		struct ks_keyset_spec spec;
		int rc;
		const char *says;
	} rows[] = {
		{ "29d7a8", KID_3DES2, "", { 1, OTA_ALG_3DES2_CBC, OTA_ALG_3DES2_CBC, 8 }, KS_E_KEYLEN, "KIC" },
		{ KIC_3DES2 "0", KID_3DES2, "", { 1, OTA_ALG_3DES2_CBC, OTA_ALG_3DES2_CBC, 8 }, KS_E_HEX, "odd" },
		{ KIC_3DES2,
		  "zz" KID_3DES2,
		  "",
		  { 1, OTA_ALG_3DES2_CBC, OTA_ALG_3DES2_CBC, 8 },
		  KS_E_HEX,
		  "KID: character 1" },
		{ "", KID_3DES2, "", { 1, OTA_ALG_3DES2_CBC, OTA_ALG_3DES2_CBC, 8 }, KS_E_KEYLEN, "KIC: 0 octets" },
		{ KIC_3DES2, "", "", { 1, OTA_ALG_3DES2_CBC, OTA_ALG_3DES2_CBC, 8 }, KS_E_KEYLEN, "KID: 0 octets" },
		{ KIC_3DES2, KID_3DES2, "", { 1, OTA_ALG_3DES3_CBC, OTA_ALG_3DES2_CBC, 8 }, KS_E_KEYLEN, "3des3" },
		{ KIC_3DES2 DES_A,
		  KID_3DES2,
		  "",
		  { 1, OTA_ALG_3DES2_CBC, OTA_ALG_3DES2_CBC, 8 },
		  KS_E_KEYLEN,
		  "24 octets" },
		{ DES_A, DES_B, "", { 1, OTA_ALG_3DES2_CBC, OTA_ALG_DES_CBC, 8 }, KS_E_KEYLEN, "8 octets" },
		{ AES_A AES_A "00", AES_A, "", { 1, OTA_ALG_AES_CBC, OTA_ALG_AES_CBC, 8 }, KS_E_KEYLEN, "33 octets" },
		{ AES_A "00112233", AES_A, "", { 1, OTA_ALG_AES_CBC, OTA_ALG_AES_CBC, 8 }, KS_E_KEYLEN, "20 octets" },
		{ KIC_3DES2, KID_3DES2, "0011", { 1, OTA_ALG_3DES2_CBC, OTA_ALG_3DES2_CBC, 8 }, KS_E_KEYLEN, "KIK" },
		{ DES_A DES_A, KID_3DES2, "", { 1, OTA_ALG_3DES2_CBC, OTA_ALG_3DES2_CBC, 8 }, KS_E_WEAK, "KIC" },
		{ KIC_3DES2, DES_A DES_A_ODD, "", { 1, OTA_ALG_3DES2_CBC, OTA_ALG_3DES2_CBC, 8 }, KS_E_WEAK, "KID" },
		{ KIC_3DES2,
		  KID_3DES2,
		  DES_A_ODD DES_A,
		  { 1, OTA_ALG_3DES2_CBC, OTA_ALG_3DES2_CBC, 8 },
		  KS_E_WEAK,
		  "KIK" },
		{ DES_A DES_A_ODD DES_B,
		  DES_A DES_B DES_C,
		  "",
		  { 1, OTA_ALG_3DES3_CBC, OTA_ALG_3DES3_CBC, 8 },
		  KS_E_WEAK,
		  "KIC" },
		{ DES_A DES_B DES_C,
		  DES_A DES_B DES_B,
		  "",
		  { 1, OTA_ALG_3DES3_CBC, OTA_ALG_3DES3_CBC, 8 },
		  KS_E_WEAK,
		  "KID" },
		{ ONES_16, AES_A, "", { 1, OTA_ALG_AES_CBC, OTA_ALG_AES_CBC, 8 }, KS_E_WEAK, "repeated" },
		{ AES_A, ONES_16 ONES_16, "", { 1, OTA_ALG_AES_CBC, OTA_ALG_AES_CBC, 8 }, KS_E_WEAK, "KID" },
		{ "0001010100010101", DES_A, "", { 1, OTA_ALG_DES_CBC, OTA_ALG_DES_CBC, 8 }, KS_E_WEAK, "repeated" },
		{ AES_A, AES_A, "", { 0, OTA_ALG_AES_CBC, OTA_ALG_AES_CBC, 8 }, KS_E_SPEC, "version 1..15" },
		{ AES_A, AES_A, "", { 16, OTA_ALG_AES_CBC, OTA_ALG_AES_CBC, 8 }, KS_E_SPEC, "got version 16" },
		{ AES_A, AES_A, "", { 1, OTA_ALG_AES_CBC, OTA_ALG_AES_CBC, 5 }, KS_E_SPEC, "CC 5" },
		{ KIC_3DES2, KID_3DES2, "", { 1, OTA_ALG_3DES2_CBC, OTA_ALG_3DES2_CBC, 4 }, KS_E_SPEC, "AES only" },
		{ DES_A, DES_B, "", { 1, OTA_ALG_DES_CBC, OTA_ALG_DES_ECB, 8 }, KS_E_SPEC, "algorithms" },
		{ "", "", "", { 1, OTA_ALG_NONE, OTA_ALG_NONE, 8 }, KS_E_SPEC, "algorithms" },
		{ AES_A, AES_A, "", { 1, OTA_ALG_NONE, OTA_ALG_AES_CBC, 8 }, KS_E_KEYLEN, "KIC: 16 octets" },
	};
	struct ks *ks = test_open(2);
	struct ks_stats st;
	uint8_t sealed[KS_SEALED_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char kic[160], kid[160], kik[160], err[256] = "";
		int rc;

		snprintf(kic, sizeof(kic), "%s", rows[i].kic);
		snprintf(kid, sizeof(kid), "%s", rows[i].kid);
		snprintf(kik, sizeof(kik), "%s", rows[i].kik);
		rc = ks_keyset_import(ks, ICCID_1, &rows[i].spec, kic, kid, kik, sealed, err, sizeof(err));
		if (rc != rows[i].rc || !strstr(err, rows[i].says))
			fail_msg("row %zu: got %d \"%s\", expected %d \"%s\"", i, rc, err, rows[i].rc, rows[i].says);
		/* no four digits of any key in the reason */
		for (size_t o = 0; o + 4 <= strlen(rows[i].kic); o++) {
			char four[5] = "";

			memcpy(four, rows[i].kic + o, 4);
			assert_null(strstr(err, four));
		}
		for (size_t o = 0; o < strlen(rows[i].kic); o++)
			assert_int_equal(kic[o], 0);
		for (size_t o = 0; o < strlen(rows[i].kid); o++)
			assert_int_equal(kid[o], 0);
		for (size_t o = 0; o < strlen(rows[i].kik); o++)
			assert_int_equal(kik[o], 0);
	}
	ks_stats(ks, &st);
	assert_int_equal(st.refused, sizeof(rows) / sizeof(rows[0]));
	assert_int_equal(st.imports, 0);
	ks_close(ks);
}

static void test_import_iccid(void **state)
{
	struct ks *ks = test_open(2);
	uint8_t sealed[KS_SEALED_MAX];
	char err[256] = "";

	assert_int_equal(test_import(ks, "", &spec_3des2, KIC_3DES2, KID_3DES2, "", sealed, err, sizeof(err)),
			 KS_E_SPEC);
	assert_non_null(strstr(err, "ICCID"));
	assert_int_equal(test_import(ks, NULL, &spec_3des2, KIC_3DES2, KID_3DES2, "", sealed, err, sizeof(err)),
			 KS_E_SPEC);
	assert_int_equal(test_import(ks, "012345678901234567890123456789012", &spec_3des2, KIC_3DES2, KID_3DES2, "",
				     sealed, err, sizeof(err)),
			 KS_E_SPEC);
	ks_close(ks);
}

/* What is right is taken, and the text is gone as well. */
static void test_import_wipes(void **state)
{
	struct ks *ks = test_open(2);
	uint8_t sealed[KS_SEALED_MAX];
	char kic[] = KIC_3DES2, kid[] = KID_3DES2, kik[] = KIK_3DES2;
	static const char zero[sizeof(kic)];

	assert_true(ks_keyset_import(ks, ICCID_1, &spec_3des2, kic, kid, kik, sealed, NULL, 0) > 0);
	assert_memory_equal(kic, zero, sizeof(zero));
	assert_memory_equal(kid, zero, sizeof(zero));
	assert_memory_equal(kik, zero, sizeof(zero));
	ks_close(ks);
}

/* Three-key 3DES with K1 = K3 is two-key 3DES written long: no weakness, lists hold such keys. */
static void test_import_k1_k3(void **state)
{
	static const struct ks_keyset_spec spec = { 15, OTA_ALG_3DES3_CBC, OTA_ALG_AES_CBC, 4 };
	struct ks *ks = test_open(2);

	test_load_keys(ks, &spec, DES_A DES_B DES_A, AES_A AES_A);
	ks_close(ks);
}

static void test_slots(void **state)
{
	struct ks *ks = test_open(3);
	uint8_t sealed[KS_SEALED_MAX];
	size_t n = (size_t)import_1(ks, sealed);
	uint32_t set[3], more, seen[300];
	struct ks_stats st;

	for (int i = 0; i < 3; i++)
		assert_int_equal(ks_load(ks, ICCID_1, 1, sealed, n, &set[i]), 0);
	assert_int_equal(ks_load(ks, ICCID_1, 1, sealed, n, &more), KS_E_SLOTS);
	assert_int_equal(more, 0);
	ks_stats(ks, &st);
	assert_int_equal(st.slots_used, 3);
	assert_int_equal(st.refused, 1);
	ks_unload(ks, set[1]);
	assert_int_equal(ks_load(ks, ICCID_1, 1, sealed, n, &more), 0);
	assert_int_not_equal(more, set[1]);

	/* no handle comes twice */
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
		ks_unload(ks, more);
		assert_int_equal(ks_load(ks, ICCID_1, 1, sealed, n, &more), 0);
		seen[i] = more;
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(seen[k], more);
	}
	ks_stats(ks, &st);
	assert_int_equal(st.slots_high, 3);
	ks_close(ks);
}

static void test_alg_parse(void **state)
{
	size_t len = 99;

	assert_int_equal(ks_alg_parse("3des2", &len), OTA_ALG_3DES2_CBC);
	assert_int_equal(ks_alg_parse("3des3", &len), OTA_ALG_3DES3_CBC);
	assert_int_equal(ks_alg_parse("des", &len), OTA_ALG_DES_CBC);
	assert_int_equal(ks_alg_parse("aes", &len), OTA_ALG_AES_CBC);
	assert_int_equal(len, 0);
	assert_int_equal(ks_alg_parse("aes256", &len), OTA_ALG_AES_CBC);
	assert_int_equal(len, 32);
	assert_int_equal(ks_alg_parse("aes128", NULL), OTA_ALG_AES_CBC);
	assert_int_equal(ks_alg_parse("rot13", &len), -1);
	assert_int_equal(ks_alg_parse("", &len), -1);
}

static void test_strerror(void **state)
{
	for (int e = 0; e > -130; e--) {
		assert_non_null(ks_strerror(e));
		assert_true(strlen(ks_strerror(e)) > 3);
	}
	assert_string_equal(ks_strerror(KS_E_SLOTS), "all key slots are in use");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),	cmocka_unit_test(test_moved_record),
		cmocka_unit_test(test_flips_and_cuts),	cmocka_unit_test(test_another_kek),
		cmocka_unit_test(test_import_refusals), cmocka_unit_test(test_import_iccid),
		cmocka_unit_test(test_import_wipes),	cmocka_unit_test(test_import_k1_k3),
		cmocka_unit_test(test_slots),		cmocka_unit_test(test_alg_parse),
		cmocka_unit_test(test_strerror),	cmocka_unit_test(test_nonces),
	};

	return cmocka_run_group_tests_name("keystore: keysets", tests, NULL, NULL);
}
