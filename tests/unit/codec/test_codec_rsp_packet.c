/* test_codec_rsp_packet.c - which answers are believed, and how far.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "unit.h"

#define SET 1

static struct test_crypt keys;
static const uint8_t key_a[32] = "0123456789abcdefGHIJKLMNOPQRSTUV", key_b[32] = "zyxwvutsrqponmlkABCDEFGHIJKLMNOP";
static const uint8_t body[] = { 0x02, 0x90, 0x00, 0x08, 0x29, 0x43 };

static struct ota_cmd_params sent(uint8_t spi1, uint8_t spi2, uint8_t kic, uint8_t kid)
{
	return (struct ota_cmd_params){
		.spi = { spi1, spi2 },
		.kic = kic,
		.kid = kid,
		.tar = { 0xb0, 0x00, 0x11 },
		.cntr = 0x0102030405,
		.kic_ref = { SET, KS_KEY_KIC },
		.kid_ref = { SET, KS_KEY_KID },
	};
}

static struct ota_crypt crypt_16(void)
{
	memset(&keys, 0, sizeof(keys));
	test_crypt_set(&keys, SET, KS_KEY_KIC, key_a, 16);
	test_crypt_set(&keys, SET, KS_KEY_KID, key_b, 16);
	return test_crypt(&keys);
}

/* Opens a copy in a block of the exact size. */
static struct ota_rsp open_copy(const uint8_t *p, size_t len, const struct ota_cmd_params *s, const struct ota_crypt *c)
{
	static uint8_t *copy;
	struct ota_rsp rsp;
	int rc;

	free(copy);
	copy = p ? exact(p, len) : NULL;
	if (!p)
		return (struct ota_rsp){ 0 };
	rc = ota_rsp_open(&rsp, copy, len, s, c);
	assert_int_equal(rc, rsp.why);
	assert_int_equal(rc != 0, rsp.verdict == OTA_REJECT);
	return rsp;
}

/* Every SPI2 there and back: RC, CC, none; ciphered or not; status and data as sent. */
static void round_trip(void **state)
{
	static const uint8_t spi2s[] = { 0x01, 0x05, 0x09, 0x11, 0x15, 0x19, 0x21, 0x25, 0x29, 0x31, 0x35, 0x39 };
	static const uint8_t algs[] = { 0x15, 0x12 };
	struct ota_crypt crypt = crypt_16();
	uint8_t buf[100];

	for (size_t i = 0; i < 2 * ARRAY_SIZE(spi2s); i++) {
		bool rc_wanted = OTA_SPI2_INTEGRITY(spi2s[i / 2]) == 1;
		struct ota_cmd_params s = sent(0x16, spi2s[i / 2], algs[i % 2], rc_wanted ? 0x15 : algs[i % 2]);

		for (size_t n = 0; n <= sizeof(body); n++) {
			int len = ota_rsp_encode(buf, sizeof(buf), &s, OTA_POR_NO_MEMORY, body, n, &crypt);
			struct ota_rsp rsp;
			uint8_t tar[3];

			assert_true(len > 0);
			rsp = open_copy(buf, (size_t)len, &s, &crypt);
			assert_int_equal(rsp.verdict, OTA_ACCEPT);
			assert_int_equal(rsp.status, OTA_POR_NO_MEMORY);
			assert_int_equal(rsp.cntr, s.cntr);
			assert_int_equal(rsp.data_len, n);
			assert_memory_equal(rsp.data, body, n);
			assert_int_equal(rsp.secured, OTA_SPI2_INTEGRITY(s.spi[1]) != 0);
			assert_int_equal(ota_rsp_peek_tar(buf, (size_t)len, tar), 0);
			assert_memory_equal(tar, s.tar, 3);
			assert_int_equal(ota_rsp_encode(buf, (size_t)len - 1, &s, 0, body, n, &crypt), OTA_E_SPACE);
		}
	}
}

/* A clear error where security was asked for is a hint; a clear success is a lie; a hint about another command is no
 * hint for this one. */
static void clear_answers(void **state)
{
	static const struct {
		uint8_t tar2, cntr4, pcntr, status, extra;
		enum ota_verdict verdict;
		int why;
	} rows[] = {
		{ 0x11, 5, 0, 0x06, 0, OTA_ACCEPT_UNAUTHENTICATED, 0 },
		{ 0x11, 6, 0, 0x06, 0, OTA_REJECT, OTA_E_UNMATCHED },
		{ 0x12, 5, 0, 0x06, 0, OTA_REJECT, OTA_E_UNMATCHED },
		{ 0x11, 5, 1, 0x06, 0, OTA_REJECT, OTA_E_PADDING },
		{ 0x11, 5, 0, 0x00, 0, OTA_REJECT, OTA_E_UNSECURED },
		{ 0x11, 5, 0, 0x06, 1, OTA_REJECT, OTA_E_UNSECURED },
		{ 0x11, 5, 0, 0x00, 3, OTA_REJECT, OTA_E_UNSECURED },
	};
	struct ota_crypt crypt = crypt_16();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ota_cmd_params s = sent(0x16, 0x39, 0x15, 0x15);
		uint8_t p[16] = { 0,
				  (uint8_t)(0x0b + rows[i].extra),
				  0x0a,
				  0xb0,
				  0,
				  rows[i].tar2,
				  1,
				  2,
				  3,
				  4,
				  rows[i].cntr4,
				  rows[i].pcntr,
				  rows[i].status };
		struct ota_rsp rsp = open_copy(p, 13u + rows[i].extra, &s, &crypt);

		if (rsp.verdict != rows[i].verdict || rsp.why != rows[i].why)
			fail_msg("row %zu: %s, %s", i, ota_verdict_name(rsp.verdict), ota_strerror(rsp.why));
		assert_false(rsp.secured);
	}
}

/* CNTR 0 in a clear error, with and without security asked for, as real cards answer a replay. */
static void clear_error_without_counter(void **state)
{
	static const uint8_t p[] = { 0, 0x0b, 0x0a, 0xb0, 0, 0x11, 0, 0, 0, 0, 0, 0, 0x06 };
	static const uint8_t spi2s[] = { 0x39, 0x11, 0x09, 0x05, 0x01 };
	struct ota_crypt crypt = crypt_16();

	for (size_t i = 0; i < ARRAY_SIZE(spi2s); i++) {
		struct ota_cmd_params s = sent(0x16, spi2s[i], 0x15, 0x15);
		struct ota_rsp rsp = open_copy(p, sizeof(p), &s, &crypt);

		assert_int_equal(rsp.verdict, OTA_ACCEPT_UNAUTHENTICATED);
		assert_int_equal(rsp.status, OTA_POR_UNIDENTIFIED);
	}
}

/* Integrity decides whether another TAR is another command or a flipped bit. */
static void whose_answer(void **state)
{
	struct ota_crypt crypt = crypt_16();
	uint8_t buf[64];

	for (unsigned secured = 0; secured < 2; secured++) {
		struct ota_cmd_params s = sent(0x16, secured ? 0x39 : 0x01, 0x15, 0x15), other = s;
		int len = ota_rsp_encode(buf, sizeof(buf), &s, 0, body, sizeof(body), &crypt);
		struct ota_rsp rsp;

		other.cntr++;
		rsp = open_copy(buf, (size_t)len, &other, &crypt);
		assert_int_equal(rsp.verdict, OTA_ACCEPT_UNCORRELATED);
		assert_int_equal(rsp.cntr, s.cntr);
		other = s;
		other.tar[2]++;
		rsp = open_copy(buf, (size_t)len, &other, &crypt);
		assert_int_equal(rsp.verdict, secured ? OTA_ACCEPT_UNCORRELATED : OTA_REJECT);
		assert_int_equal(rsp.why, secured ? 0 : OTA_E_UNMATCHED);
		assert_memory_equal(rsp.tar, s.tar, 3);
	}
}

/* AES-CMAC of four octets is what the keyset says, never what the answer says. */
static void cmac_length(void **state)
{
	struct ota_cmd_params s4 = sent(0x16, 0x29, 0x12, 0x12), s8 = s4;
	struct ota_crypt crypt = crypt_16();
	uint8_t buf[64];
	int len;

	s4.cc_len = 4;
	s8.cc_len = 8;
	len = ota_rsp_encode(buf, sizeof(buf), &s4, 0, body, sizeof(body), &crypt);
	assert_int_equal(buf[2], 0x0e);
	assert_int_equal(open_copy(buf, (size_t)len, &s4, &crypt).verdict, OTA_ACCEPT);
	assert_int_equal(open_copy(buf, (size_t)len, &s8, &crypt).why, OTA_E_LENGTH);
	len = ota_rsp_encode(buf, sizeof(buf), &s8, 0, body, sizeof(body), &crypt);
	assert_int_equal(buf[2], 0x12);
	assert_int_equal(open_copy(buf, (size_t)len, &s4, &crypt).why, OTA_E_LENGTH);
}

static void refusals(void **state)
{
	struct ota_cmd_params s = sent(0x16, 0x19, 0x15, 0x15);
	struct ota_crypt crypt = crypt_16();
	const struct ota_crypt empty = { 0 };
	uint8_t good[64], buf[64], tar[3];
	size_t len = (size_t)ota_rsp_encode(good, sizeof(good), &s, 0, body, sizeof(body), &crypt);

	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *copy = exact(good, cut);

		assert_int_equal(open_copy(good, cut, &s, &crypt).verdict, OTA_REJECT);
		assert_true(ota_rsp_peek_tar(copy, cut, tar) < 0);
		free(copy);
	}
	memcpy(buf, good, len);
	buf[2] = 0x09;
	assert_int_equal(open_copy(buf, len, &s, &crypt).why, OTA_E_LENGTH);
	buf[2] = 0x10;
	assert_int_equal(open_copy(buf, len, &s, &crypt).why, OTA_E_LENGTH);
	buf[2] = 0x0e;
	assert_int_equal(open_copy(buf, len, &s, &crypt).why, OTA_E_LENGTH);
	memcpy(buf, good, len);
	buf[len] = 0;
	assert_int_equal(open_copy(buf, len + 1, &s, &crypt).why, OTA_E_LENGTH);
	buf[1]++;
	assert_int_equal(open_copy(buf, len + 1, &s, &crypt).why, OTA_E_BLOCK);

	assert_int_equal(open_copy(good, len, &s, NULL).why, OTA_E_KEY);
	assert_int_equal(open_copy(good, len, &s, &empty).why, OTA_E_KEY);
	assert_int_equal(ota_rsp_encode(buf, sizeof(buf), &s, 0, NULL, 0, &empty), OTA_E_KEY);
	s.spi[1] = 0x11;
	assert_int_equal(ota_rsp_encode(buf, sizeof(buf), &s, 0, NULL, 0, &empty), OTA_E_KEY);
	s.spi[1] = 0x19;
	s.kic = 0x13;
	assert_int_equal(open_copy(good, len, &s, &crypt).why, OTA_E_ALG);
	s.kid = 0x13;
	assert_int_equal(open_copy(good, len, &s, &crypt).why, OTA_E_ALG);
	s.spi[1] = 0x1d;
	assert_int_equal(open_copy(good, len, &s, &crypt).why, OTA_E_DS);
	assert_int_equal(ota_rsp_encode(buf, sizeof(buf), &s, 0, NULL, 0, &crypt), OTA_E_DS);
}

/* A card that cannot compute its checksum or cipher has no answer; nor has one with more to say than segments carry. */
static void no_answer(void **state)
{
	static uint8_t big[OTA_PACKET_PROTOCOL_MAX + 64], buf[OTA_PACKET_PROTOCOL_MAX + 64];
	struct ota_cmd_params s = sent(0x12, 0x09, 0x15, 0x15);
	struct ota_crypt crypt = crypt_16();
	const struct ota_crypt empty = { 0 };
	int len = ota_rsp_encode(buf, sizeof(buf), &s, 0, body, sizeof(body), &crypt);

	assert_int_equal(open_copy(buf, (size_t)len, &s, &empty).why, OTA_E_KEY);
	assert_int_equal(ota_rsp_encode(buf, sizeof(buf), &s, 0, big, OTA_PACKET_PROTOCOL_MAX - 21, &crypt),
			 OTA_PACKET_PROTOCOL_MAX);
	assert_int_equal(ota_rsp_encode(buf, sizeof(buf), &s, 0, big, OTA_PACKET_PROTOCOL_MAX - 20, &crypt),
			 OTA_E_LENGTH);
	assert_int_equal(ota_rsp_encode(buf, sizeof(buf), &s, 0, big, SIZE_MAX, &crypt), OTA_E_LENGTH);
	s.spi[1] = 0x11;
	s.kic = 0x13;
	assert_int_equal(ota_rsp_encode(buf, sizeof(buf), &s, 0, NULL, 0, &crypt), OTA_E_ALG);
}

/* Padding octets may be anything; how many there are may not. */
static void padding(void **state)
{
	struct ota_cmd_params s = sent(0x14, 0x11, 0x15, 0x15), plain = sent(0x00, 0x01, 0x00, 0x00);
	struct ota_crypt crypt = crypt_16();
	uint8_t p[] = { 0, 0x14, 0x0a, 0xb0, 0, 0x11, 1, 2, 3, 4, 5, 0, 0, 1, 0x90, 0, 0x80, 0, 0, 0, 0, 0 };
	struct ota_cipher_job job = { .key = s.kic_ref, .alg = OTA_ALG_3DES2_CBC, .len = 16 };

	for (unsigned pcntr = 0; pcntr < 12; pcntr++) {
		uint8_t buf[sizeof(p)];
		struct ota_rsp rsp;

		memcpy(buf, p, sizeof(p));
		buf[11] = (uint8_t)pcntr;
		job.buf = buf + 6;
		assert_int_equal(crypt.cipher(crypt.ctx, &job, 1), 0);
		rsp = open_copy(buf, sizeof(buf), &s, &crypt);
		assert_int_equal(rsp.why, pcntr > 9 ? OTA_E_PADDING : 0);
		assert_int_equal(rsp.data_len, pcntr > 9 ? 0 : 9 - pcntr);
	}
	p[11] = 1;
	assert_int_equal(open_copy(p, sizeof(p), &plain, &crypt).why, OTA_E_PADDING);
}

static int done(void **state)
{
	open_copy(NULL, 0, NULL, NULL);
	test_crypt_free();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(clear_answers),
		cmocka_unit_test(clear_error_without_counter),
		cmocka_unit_test(whose_answer),
		cmocka_unit_test(cmac_length),
		cmocka_unit_test(refusals),
		cmocka_unit_test(no_answer),
		cmocka_unit_test(padding),
	};

	return cmocka_run_group_tests_name("response packet", tests, NULL, done);
}
