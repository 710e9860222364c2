/* ks_test.h - what the keystore's tests share.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef KS_TEST_H
#define KS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ota/keystore.h"

#define ICCID_1 "8988211000000000017"
#define ICCID_2 "8988211000000000025"

static const uint8_t test_kek[32] = "0123456789abcdef0123456789ABCDEF";

static inline struct ks *test_open(unsigned slots)
{
	struct ks_open_params p = { .source = KS_KEK_MEMORY, .kek = test_kek, .slots = slots };
	char err[256] = "";
	struct ks *ks;
	int rc = ks_open(&ks, &p, NULL, 0, NULL, err, sizeof(err));

	if (rc)
		fail_msg("ks_open: %d %s", rc, err);
	return ks;
}

/* Imports copies of the texts; the originals may be constants. */
static inline int test_import(struct ks *ks, const char *iccid, const struct ks_keyset_spec *spec, const char *kic,
			      const char *kid, const char *kik, uint8_t *sealed, char *err, size_t err_cap)
{
	char text[3][160];

	snprintf(text[0], sizeof(text[0]), "%s", kic);
	snprintf(text[1], sizeof(text[1]), "%s", kid);
	snprintf(text[2], sizeof(text[2]), "%s", kik);
	return ks_keyset_import(ks, iccid, spec, text[0], text[1], text[2], sealed, err, err_cap);
}

static inline uint32_t test_load_keys(struct ks *ks, const struct ks_keyset_spec *spec, const char *kic,
				      const char *kid)
{
	uint8_t sealed[KS_SEALED_MAX];
	char err[256] = "";
	uint32_t set = 0;
	int n = test_import(ks, ICCID_1, spec, kic, kid, "", sealed, err, sizeof(err));

	if (n < 0)
		fail_msg("import: %d %s", n, err);
	assert_int_equal(ks_load(ks, ICCID_1, spec->kvn, sealed, (size_t)n, &set), 0);
	assert_int_not_equal(set, 0);
	return set;
}

#define KIC_3DES2 "29d7a869568fdee62f6b6dffa15124d8"
#define KID_3DES2 "b3c1a0e76d9f4512889af0cc31275e60"
#define KIK_3DES2 "0f1e2d3c4b5a69788796a5b4c3d2e1f1"
static const struct ks_keyset_spec spec_3des2 = { 1, OTA_ALG_3DES2_CBC, OTA_ALG_3DES2_CBC, 8 };
static const struct ks_keyset_spec spec_aes = { 2, OTA_ALG_AES_CBC, OTA_ALG_AES_CBC, 8 };

#endif
