/* test_crypt.h - the codec's two crypt hooks over clear keys, for tests only.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Keys stand in a table indexed by ks_ref.set, so that codec tests need no keystore.  Calls and jobs are counted: how
 * work is gathered is part of what is tested.
 */
#ifndef TEST_CRYPT_H
#define TEST_CRYPT_H

#include "ota/crypt.h"

#define TEST_CRYPT_SETS	   16
#define TEST_CRYPT_KEY_MAX 32

struct test_crypt {
	struct {
		uint8_t octets[TEST_CRYPT_KEY_MAX];
		size_t len;
	} key[TEST_CRYPT_SETS][KS_KEY_KIK + 1];
	unsigned mac_calls, mac_jobs, cipher_calls, cipher_jobs;
	size_t batch_max; /* most jobs in one call */
	unsigned fail_at; /* 1..: this job, counted over both hooks, fails; 0: none */
	unsigned jobs;
};

/* Puts a key into the table; a length of 0 takes it out. */
void test_crypt_set(struct test_crypt *t, uint32_t set, enum ks_key which, const uint8_t *key, size_t len);
struct ota_crypt test_crypt(struct test_crypt *t);
/* Frees what OpenSSL holds for the hooks; they may be used again. */
void test_crypt_free(void);

#endif
