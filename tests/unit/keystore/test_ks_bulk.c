/* test_ks_bulk.c - triple DES for many cards at once: its circuits against the tables of FIPS 46-3, its answers against those of
 * the same jobs one by one, which are OpenSSL's.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "ks_int.h"
#include "ks_test.h"

#define JOBS_MAX 600
#define CARDS	 40
#define MSG_MAX	 640 /* longer than what goes side by side */

typedef uint64_t V;
#define ONES (~(V)0)
#include "des_sbox.h"

static uint64_t rng = 88172645463325252ULL;

static unsigned dice(unsigned n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)(rng >> 20) % n;
}

/* ---- circuits ---- */

/* FIPS 46-3, appendix 1: four rows of sixteen each. */
static const uint8_t s_box[8][64] = {
	{ 14, 4,  13, 1, 2,  15, 11, 8, 3, 10, 6, 12, 5,  9,  0,  7,  0,  15, 7,  4,  14, 2,
	  13, 1,  10, 6, 12, 11, 9,  5, 3, 8,  4, 1,  14, 8,  13, 6,  2,  11, 15, 12, 9,  7,
	  3,  10, 5,  0, 15, 12, 8,  2, 4, 9,  1, 7,  5,  11, 3,  14, 10, 0,  6,  13 },
	{ 15, 1,  8,  14, 6,  11, 3,  4, 9,  7,	 2, 13, 12, 0,	5,  10, 3,  13, 4,  7, 15, 2,
	  8,  14, 12, 0,  1,  10, 6,  9, 11, 5,	 0, 14, 7,  11, 10, 4,	13, 1,	5,  8, 12, 6,
	  9,  3,  2,  15, 13, 8,  10, 1, 3,  15, 4, 2,	11, 6,	7,  12, 0,  5,	14, 9 },
	{ 10, 0,  9,  14, 6, 3,	 15, 5,	 1,  13, 12, 7, 11, 4,	2,  8,	13, 7, 0,  9, 3, 4,
	  6,  10, 2,  8,  5, 14, 12, 11, 15, 1,	 13, 6, 4,  9,	8,  15, 3,  0, 11, 1, 2, 12,
	  5,  10, 14, 7,  1, 10, 13, 0,	 6,  9,	 8,  7, 4,  15, 14, 3,	11, 5, 2,  12 },
	{ 7, 13, 14, 3, 0, 6,  9, 10, 1,  2, 8,	 5, 11, 12, 4,	15, 13, 8,  11, 5, 6, 15,
	  0, 3,	 4,  7, 2, 12, 1, 10, 14, 9, 10, 6, 9,	0,  12, 11, 7,	13, 15, 1, 3, 14,
	  5, 2,	 8,  4, 3, 15, 0, 6,  10, 1, 13, 8, 9,	4,  5,	11, 12, 7,  2,	14 },
	{ 2,  12, 4, 1,	 7,  10, 11, 6, 8, 5,  3, 15, 13, 0,  14, 9,  14, 11, 2,  12, 4,  7,
	  13, 1,  5, 0,	 15, 10, 3,  9, 8, 6,  4, 2,  1,  11, 10, 13, 7,  8,  15, 9,  12, 5,
	  6,  3,  0, 14, 11, 8,	 12, 7, 1, 14, 2, 13, 6,  15, 0,  9,  10, 4,  5,  3 },
	{ 12, 1,  10, 15, 9,  2,  6, 8,	 0, 13, 3,  4,	14, 7,	5, 11, 10, 15, 4, 2, 7, 12,
	  9,  5,  6,  1,  13, 14, 0, 11, 3, 8,	9,  14, 15, 5,	2, 8,  12, 3,  7, 0, 4, 10,
	  1,  13, 11, 6,  4,  3,  2, 12, 9, 5,	15, 10, 11, 14, 1, 7,  6,  0,  8, 13 },
	{ 4, 11, 2,  14, 15, 0,	 8,  13, 3, 12, 9,  7, 5,  10, 6,  1,  13, 0,  11, 7,  4, 9,
	  1, 10, 14, 3,	 5,  12, 2,  15, 8, 6,	1,  4, 11, 13, 12, 3,  7,  14, 10, 15, 6, 8,
	  0, 5,	 9,  2,	 6,  11, 13, 8,	 1, 4,	10, 7, 9,  5,  0,  15, 14, 2,  3,  12 },
	{ 13, 2, 8,  4, 6, 15, 11, 1,  10, 9,  3, 14, 5,  0,  12, 7,  1,  15, 13, 8, 10, 3,
	  7,  4, 12, 5, 6, 11, 0,  14, 9,  2,  7, 11, 4,  1,  9,  12, 14, 2,  0,  6, 10, 13,
	  15, 3, 5,  8, 2, 1,  14, 7,  4,  10, 8, 13, 15, 12, 9,  0,  3,  5,  6,  11 },
};

/* All 64 inputs side by side: bit i of the words is input i. */
static void test_circuits(void **state)
{
	static void (*const box[8])(V, V, V, V, V, V, V *, V *, V *, V *) = { sbox_1, sbox_2, sbox_3, sbox_4,
									      sbox_5, sbox_6, sbox_7, sbox_8 };
	V x[6] = { 0 };

	for (unsigned in = 0; in < 64; in++)
		for (unsigned b = 0; b < 6; b++)
			x[b] |= (V)(in >> (5 - b) & 1) << in;
	for (unsigned s = 0; s < 8; s++) {
		V out[4] = { 0 };

		box[s](x[0], x[1], x[2], x[3], x[4], x[5], &out[0], &out[1], &out[2], &out[3]);
		for (unsigned in = 0; in < 64; in++) {
			unsigned row = in >> 5 << 1 | (in & 1), got = 0;

			for (unsigned b = 0; b < 4; b++)
				got = got << 1 | (unsigned)(out[b] >> in & 1);
			assert_int_equal(got, s_box[s][row * 16 + (in >> 1 & 15)]);
		}
	}
}

/* ---- jobs ---- */

static uint8_t msg[JOBS_MAX][MSG_MAX], many[JOBS_MAX][MSG_MAX], one[JOBS_MAX][MSG_MAX];
static uint8_t mac_many[JOBS_MAX][8], mac_one[JOBS_MAX][8];

static void some_hex(char *out, unsigned octets)
{
	for (unsigned i = 0; i < octets; i++)
		snprintf(out + 2 * i, 3, "%02x", dice(256));
}

static const enum ota_alg algs[] = { OTA_ALG_3DES2_CBC, OTA_ALG_3DES3_CBC, OTA_ALG_3DES2_CBC,
				     OTA_ALG_3DES3_CBC, OTA_ALG_AES_CBC,   OTA_ALG_DES_CBC };

static enum ota_alg alg_of(unsigned card)
{
	return algs[card % (sizeof(algs) / sizeof(algs[0]))];
}

static void sets_load(struct ks *ks, uint32_t *set)
{
	static const uint8_t octets[_OTA_ALGS] = {
		[OTA_ALG_3DES2_CBC] = 16, [OTA_ALG_3DES3_CBC] = 24, [OTA_ALG_AES_CBC] = 16, [OTA_ALG_DES_CBC] = 8
	};
	char kic[65], kid[65];

	for (unsigned i = 0; i < CARDS; i++) {
		const struct ks_keyset_spec spec = { 3, alg_of(i), alg_of(i), 8 };

		some_hex(kic, octets[alg_of(i)]);
		some_hex(kid, octets[alg_of(i)]);
		set[i] = test_load_keys(ks, &spec, kic, kid);
	}
}

/* n jobs at once, and one by one: of all lengths and ciphers, or what a campaign has. */
static void compare(struct ks *ks, const uint32_t *set, unsigned n, bool alike)
{
	static struct ota_mac_job m[JOBS_MAX];
	static struct ota_cipher_job c[JOBS_MAX];
	struct ota_crypt crypt = ks_crypt(ks);

	for (unsigned i = 0; i < n; i++) {
		unsigned card = alike ? dice(CARDS / 6) * 6 : dice(CARDS), len = alike ? 104 : dice(MSG_MAX + 1);
		size_t head = dice(len + 1);

		for (unsigned k = 0; k < MSG_MAX; k++)
			msg[i][k] = (uint8_t)dice(256);
		m[i] = (struct ota_mac_job){ .key = { set[card], KS_KEY_KID },
					     .alg = alg_of(card),
					     .part = { { msg[i], head }, { msg[i] + head, len - head } },
					     .parts = 2,
					     .mac_len = 8,
					     .mac = mac_many[i],
					     .rc = 1 };
		if (!alike && !dice(20))
			m[i].key.key = KS_KEY_KIC; /* refused */
		len = len / 16 * 16;
		c[i] = (struct ota_cipher_job){ .key = { set[card], KS_KEY_KIC },
						.alg = alg_of(card),
						.decrypt = !alike && !dice(4),
						.buf = many[i],
						.len = len ? len : 16,
						.rc = 1 };
	}
	memcpy(many, msg, sizeof(many));
	memcpy(one, msg, sizeof(one));
	crypt.mac(crypt.ctx, m, n);
	crypt.cipher(crypt.ctx, c, n);
	for (unsigned i = 0; i < n; i++) {
		struct ota_mac_job m1 = m[i];
		struct ota_cipher_job c1 = c[i];

		m1.mac = mac_one[i];
		c1.buf = one[i];
		crypt.mac(crypt.ctx, &m1, 1);
		crypt.cipher(crypt.ctx, &c1, 1);
		assert_int_equal(m1.rc, m[i].rc);
		assert_int_equal(m1.rc != 0, m[i].key.key == KS_KEY_KIC);
		assert_int_equal(c1.rc, 0);
		assert_int_equal(c[i].rc, 0);
		if (!m1.rc)
			assert_memory_equal(mac_one[i], mac_many[i], 8);
		assert_memory_equal(one[i], many[i], MSG_MAX);
	}
}

static void test_jobs(void **state)
{
	static const unsigned counts[] = { 1, 23, 24, 25, 64, 127, 128, 129, 255, 256, 257, 300, 511, JOBS_MAX };
	struct ks *ks = test_open(CARDS);
	uint32_t set[CARDS];

	sets_load(ks, set);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		compare(ks, set, counts[i], true);
		compare(ks, set, counts[i], false);
	}
	ks_close(ks);
}

/* No key, and nothing that was made of one, is left when the jobs are done. */
static void test_wiped(void **state)
{
	static struct des_slice_work work;
	static const struct des_slice_work none;
	static uint8_t key[24] = "0123456789abcdefghijklm", buf[8];
	struct des_slice_lane lane[DES_SLICE_MAX];

	for (unsigned i = 0; i < DES_SLICE_MAX; i++)
		lane[i] = (struct des_slice_lane){ .key = key, .three = true, .buf = buf, .blocks = 1 };
	des_slice_run(&work, lane, des_slice_lanes(), false);
	assert_memory_equal(&work, &none, sizeof(work));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_circuits),
		cmocka_unit_test(test_jobs),
		cmocka_unit_test(test_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
