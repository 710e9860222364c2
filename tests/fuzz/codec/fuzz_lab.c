/* fuzz_lab.c - proprietary files of lab cards.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * input: contents of a file
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ota/usim_lab.h"

/* Bits that mean nothing are not kept, so what was written again must read the same. */
#define AGAIN(decode, encode, x, y, buf)                                                        \
	do {                                                                                    \
		FUZZ_HOLDS(encode(buf, &(x)) > 0);                                              \
		FUZZ_HOLDS(decode(&(y), buf, size) == 0 && memcmp(&(x), &(y), sizeof(x)) == 0); \
	} while (0)

static void auth_key(const uint8_t *data, size_t size)
{
	struct lab_auth_key a;
	uint8_t buf[LAB_AUTH_KEY_TUAK_MAX];

	if (lab_auth_key_decode(&a, data, size))
		return;
	fuzz_touch(a.k, a.k_len);
	FUZZ_HOLDS(lab_auth_key_encode(buf, sizeof(buf), &a) == (int)size && memcmp(buf, data, size) == 0);
}

static void key_record(const uint8_t *data, size_t size)
{
	struct lab_0348_key k, back;
	uint8_t *buf;

	if (lab_0348_key_decode(&k, data, size))
		return;
	fuzz_touch(k.key, k.key_len);
	buf = malloc(size);
	/* AES of 8 octets and the like can be read, not written. */
	if (lab_0348_key_encode(buf, size, &k) > 0)
		FUZZ_HOLDS(lab_0348_key_decode(&back, buf, size) == 0 && back.key_len == k.key_len &&
			   memcmp(back.key, k.key, k.key_len) == 0);
	free(buf);
}

static void soft_uicc(const uint8_t *data, size_t size)
{
	static struct lab_soft_auth a, a2;
	static struct lab_soft_pin p, p2;
	static struct lab_soft_tar t, t2;
	static struct lab_soft_count c, c2;
	uint8_t buf[LAB_SOFT_TAR_LEN];
	uint64_t seq;

	if (lab_soft_auth_decode(&a, data, size) == 0)
		AGAIN(lab_soft_auth_decode, lab_soft_auth_encode, a, a2, buf);
	if (lab_soft_pin_decode(&p, data, size) == 0)
		AGAIN(lab_soft_pin_decode, lab_soft_pin_encode, p, p2, buf);
	if (lab_soft_tar_decode(&t, data, size) == 0)
		AGAIN(lab_soft_tar_decode, lab_soft_tar_encode, t, t2, buf);
	if (lab_soft_count_decode(&c, data, size) == 0)
		AGAIN(lab_soft_count_decode, lab_soft_count_encode, c, c2, buf);
	if (lab_soft_seq_decode(&seq, data, size) == 0)
		FUZZ_HOLDS(lab_soft_seq_encode(buf, seq) == (int)size && memcmp(buf, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lab_milenage_cfg m, m2;
	static struct lab_0348_count c, c2;
	static struct lab_gp_count g, g2;
	static struct lab_pin p, p2;
	static struct lab_sqn s, s2;
	uint8_t buf[LAB_SQN_LEN];

	auth_key(data, size);
	key_record(data, size);
	soft_uicc(data, size);
	if (lab_milenage_cfg_decode(&m, data, size) == 0)
		AGAIN(lab_milenage_cfg_decode, lab_milenage_cfg_encode, m, m2, buf);
	if (lab_0348_count_decode(&c, data, size) == 0)
		AGAIN(lab_0348_count_decode, lab_0348_count_encode, c, c2, buf);
	if (lab_gp_count_decode(&g, data, size) == 0)
		AGAIN(lab_gp_count_decode, lab_gp_count_encode, g, g2, buf);
	if (lab_pin_decode(&p, data, size) == 0)
		AGAIN(lab_pin_decode, lab_pin_encode, p, p2, buf);
	if (lab_sqn_decode(&s, data, size) == 0)
		AGAIN(lab_sqn_decode, lab_sqn_encode, s, s2, buf);
	return 0;
}
