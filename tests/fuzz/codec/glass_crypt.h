/* glass_crypt.h - a cipher that changes nothing and a MAC of zeros, so that a fuzzer can see what it is doing.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * With real keys everything behind the first check would be out of a fuzzer's reach.  Key set 0 is the one that the
 * keystore refuses.
 */
#ifndef GLASS_CRYPT_H
#define GLASS_CRYPT_H

#include <string.h>

#include "ota/codec.h"
#include "fuzz.h"

static int glass_mac(void *ctx, struct ota_mac_job *jobs, size_t n)
{
	int first = 0;

	for (size_t i = 0; i < n; i++) {
		FUZZ_HOLDS(jobs[i].parts <= OTA_MAC_PARTS_MAX && jobs[i].mac_len <= OTA_CC_LEN_MAX);
		FUZZ_HOLDS(jobs[i].alg != OTA_ALG_NONE && jobs[i].alg != OTA_ALG_DES_ECB);
		for (size_t part = 0; part < jobs[i].parts; part++)
			fuzz_touch(jobs[i].part[part].p, jobs[i].part[part].len);
		memset(jobs[i].mac, 0, jobs[i].mac_len);
		jobs[i].rc = jobs[i].key.set ? 0 : OTA_E_KEY;
		if (!first)
			first = jobs[i].rc;
	}
	return first;
}

static int glass_cipher(void *ctx, struct ota_cipher_job *jobs, size_t n)
{
	int first = 0;

	for (size_t i = 0; i < n; i++) {
		FUZZ_HOLDS(jobs[i].alg != OTA_ALG_NONE && jobs[i].len % ota_alg_block(jobs[i].alg) == 0);
		for (size_t k = 0; k < jobs[i].len; k++)
			((volatile uint8_t *)jobs[i].buf)[k] ^= 0;
		jobs[i].rc = jobs[i].key.set ? 0 : OTA_E_KEY;
		if (!first)
			first = jobs[i].rc;
	}
	return first;
}

static const struct ota_crypt glass_crypt = { .mac = glass_mac, .cipher = glass_cipher };

#endif
