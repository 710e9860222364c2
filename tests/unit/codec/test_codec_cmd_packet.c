/* test_codec_cmd_packet.c - command packets: lengths, refusals, batches, and what a receiver must not believe.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "unit.h"

#define SET 1

static struct test_crypt keys;
static const uint8_t key_a[32] = "0123456789abcdefGHIJKLMNOPQRSTUV", key_b[32] = "zyxwvutsrqponmlkABCDEFGHIJKLMNOP";
static const uint8_t payload[300] = { 0x00, 0xa4, 0x00, 0x04, 0x02, 0x3f, 0x00 };

/* Key lengths that go with an algorithm; AES takes 16 unless told otherwise. */
static size_t key_len(enum ota_alg alg)
{
	switch (alg) {
	case OTA_ALG_DES_CBC:
	case OTA_ALG_DES_ECB:
		return 8;
	case OTA_ALG_3DES3_CBC:
		return 24;
	default:
		return 16;
	}
}

static struct ota_crypt crypt_for(const struct ota_cmd_params *p)
{
	memset(&keys, 0, sizeof(keys));
	test_crypt_set(&keys, SET, KS_KEY_KIC, key_a, key_len(ota_kic_alg(p->kic)));
	test_crypt_set(&keys, SET, KS_KEY_KID, key_b, key_len(ota_kid_alg(p->kid)));
	return test_crypt(&keys);
}

static struct ota_cmd_params params(uint8_t spi1, uint8_t spi2, uint8_t kic, uint8_t kid)
{
	return (struct ota_cmd_params){
		.spi = { spi1, spi2 },
		.kic = kic,
		.kid = kid,
		.tar = { 0xb0, 0x00, 0x11 },
		.cntr = 0x0102030405,
		.kic_ref = { SET, KS_KEY_KIC },
		.kid_ref = { SET, KS_KEY_KID },
		.data = payload,
		.data_len = 7,
	};
}

/* sysmoISIM-SJA5, 3DES with two keys, CC and ciphering: what the card itself accepted. */
static void real_card_packet(void **state)
{
	static const uint8_t kic[] = { 0x30, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	static const uint8_t kid[] = { 0x30, 0x11, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	static const uint8_t want[] = {
		0x00, 0x20, 0x15, 0x06, 0x19, 0x35, 0x35, 0xb0, 0x00, 0x11, 0xae, 0x73, 0x32, 0x56, 0x91, 0x8d, 0x05,
		0x0b, 0x87, 0xc9, 0x4f, 0xbf, 0xe1, 0x2e, 0x4d, 0xc4, 0x02, 0xf2, 0x62, 0xc4, 0x1c, 0xf6, 0x7f, 0x2f,
	};
	struct ota_cmd_params p = params(0x06, 0x19, 0x35, 0x35);
	struct ota_crypt crypt = crypt_for(&p);
	uint8_t buf[OTA_PACKET_1SMS_MAX];

	test_crypt_set(&keys, SET, KS_KEY_KIC, kic, sizeof(kic));
	test_crypt_set(&keys, SET, KS_KEY_KID, kid, sizeof(kid));
	p.cntr = 0;
	assert_int_equal(ota_cmd_encode(buf, sizeof(buf), &p, &crypt), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
}

static void smallest_packet(void **state)
{
	static const uint8_t want[] = { 0, 0x0e, 0x0d, 0, 1, 0, 0, 0xb0, 0, 0x11, 1, 2, 3, 4, 5, 0 };
	struct ota_cmd_params p = params(0x00, 0x01, 0x00, 0x00);
	uint8_t buf[sizeof(want)];
	struct ota_cmd cmd;

	p.data_len = 0;
	p.data = NULL;
	assert_int_equal(ota_cmd_encode(buf, sizeof(buf), &p, NULL), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
	assert_int_equal(ota_cmd_decode(&cmd, buf, sizeof(buf), NULL, NULL), 0);
	assert_int_equal(cmd.p.cntr, p.cntr);
	assert_int_equal(cmd.p.data_len, 0);
	assert_false(cmd.opened);
}

/* What the facts about one short message say: 3DES 106, AES 98 and 102, CC only 113 octets of data. */
static void capacity_of_one_short_message(void **state)
{
	static const struct {
		uint8_t spi1, spi2, kic, kid, cc_len;
		size_t max;
	} rows[] = {
		{ 0x16, 0x39, 0x15, 0x15, 8, 106 }, { 0x16, 0x39, 0x12, 0x12, 8, 98 },
		{ 0x16, 0x39, 0x12, 0x12, 4, 102 }, { 0x12, 0x09, 0x15, 0x15, 8, 113 },
		{ 0x15, 0x35, 0x15, 0x15, 4, 110 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ota_cmd_params p = params(rows[i].spi1, rows[i].spi2, rows[i].kic, rows[i].kid);

		p.cc_len = rows[i].cc_len;
		p.data_len = rows[i].max;
		assert_int_equal(ota_cmd_check(&p), 0);
		assert_in_range(ota_cmd_len(&p), 1, OTA_PACKET_1SMS_MAX);
		p.data_len++;
		assert_true(ota_cmd_len(&p) > OTA_PACKET_1SMS_MAX);
	}
}

/* All algorithms, integrities and counter modes there and back, every data length around the blocks. */
static void round_trip(void **state)
{
	static const uint8_t kics[] = { 0x11, 0x1d, 0x15, 0x19, 0x12 }, rcs[] = { 0x11, 0x15 };
	static const uint8_t ccs[] = { 0x11, 0x15, 0x19, 0x12 };

	for (unsigned spi1 = 0; spi1 < 0x20; spi1++) {
		unsigned integrity = OTA_SPI1_INTEGRITY(spi1);
		size_t n_kid = integrity == 1 ? ARRAY_SIZE(rcs) : ARRAY_SIZE(ccs);

		for (size_t i = 0; integrity != 3 && i < ARRAY_SIZE(kics) * n_kid; i++) {
			uint8_t kid = integrity == 1 ? rcs[i % n_kid] : ccs[i % n_kid];
			struct ota_cmd_params p = params((uint8_t)spi1, 0x01, kics[i / n_kid], kid);
			struct ota_crypt crypt = crypt_for(&p);

			p.legacy = kics[i / n_kid] == 0x1d;
			for (p.data_len = 0; p.data_len < 34; p.data_len++) {
				int len = ota_cmd_len(&p);
				uint8_t *buf;
				struct ota_cmd cmd;

				assert_true(len > 0);
				buf = malloc((size_t)len);
				assert_int_equal(ota_cmd_encode(buf, (size_t)len, &p, &crypt), len);
				assert_int_equal(ota_cmd_decode(&cmd, buf, (size_t)len, &p, &crypt), 0);
				assert_true(cmd.opened);
				assert_int_equal(cmd.p.cntr, p.cntr);
				assert_int_equal(cmd.p.data_len, p.data_len);
				assert_memory_equal(cmd.p.data, p.data, p.data_len);
				assert_true(cmd.pcntr < ota_alg_block(ota_kic_alg(p.kic)));
				free(buf);
			}
		}
	}
}

/* DES-ECB is read whenever it comes and written only when it is asked for by name. */
static void ecb_is_legacy(void **state)
{
	struct ota_cmd_params p = params(0x16, 0x01, 0x1d, 0x11);
	struct ota_crypt crypt = crypt_for(&p);
	uint8_t buf[OTA_PACKET_1SMS_MAX];
	struct ota_cmd cmd;
	int len;

	assert_int_equal(ota_cmd_check(&p), OTA_E_LEGACY);
	assert_int_equal(ota_cmd_encode(buf, sizeof(buf), &p, &crypt), OTA_E_LEGACY);
	p.legacy = true;
	assert_int_equal(ota_cmd_check(&p), 0);
	len = ota_cmd_encode(buf, sizeof(buf), &p, &crypt);
	assert_true(len > 0);
	p.legacy = false;
	assert_int_equal(ota_cmd_decode(&cmd, buf, (size_t)len, &p, &crypt), 0);
	assert_true(cmd.opened);
	/* what was read can be written again */
	assert_true(cmd.p.legacy);
	assert_int_equal(ota_cmd_encode(buf, sizeof(buf), &cmd.p, &crypt), len);
	/* a nibble that ciphers nothing is nobody's business; one that the PoR uses is */
	p.spi[0] = 0x12;
	assert_int_equal(ota_cmd_check(&p), 0);
	p.spi[0] = 0x16;
	p.spi[1] = 0x19;
	assert_int_equal(ota_rsp_encode(buf, sizeof(buf), &p, 0, NULL, 0, &crypt), OTA_E_LEGACY);
	p.legacy = true;
	assert_true(ota_rsp_encode(buf, sizeof(buf), &p, 0, NULL, 0, &crypt) > 0);
}

static void refusals(void **state)
{
	static const struct {
		uint8_t spi1, spi2, kic, kid, cc_len;
		int err;
	} rows[] = {
		{ 0x16, 0x39, 0x15, 0x15, 0, 0 },
		{ 0x16, 0x39, 0x15, 0x15, 8, 0 },
		{ 0x06, 0x19, 0x12, 0x12, 4, 0 },
		{ 0x12, 0x09, 0x00, 0x15, 8, 0 },	  /* KIc is not used and names no version */
		{ 0x04, 0x11, 0x15, 0x30, 0, OTA_E_KVN }, /* both name one, so both must name the same */
		{ 0x16, 0x39, 0x25, 0x15, 8, OTA_E_KVN },
		{ 0x16, 0x39, 0x05, 0x15, 8, OTA_E_KVN },
		{ 0x17, 0x39, 0x15, 0x15, 8, OTA_E_DS },
		{ 0x16, 0x3d, 0x15, 0x15, 8, OTA_E_DS },
		{ 0x36, 0x39, 0x15, 0x15, 8, OTA_E_SPI },
		{ 0x96, 0x39, 0x15, 0x15, 8, OTA_E_SPI },
		{ 0x16, 0x79, 0x15, 0x15, 8, OTA_E_SPI },
		{ 0x16, 0x3b, 0x15, 0x15, 8, OTA_E_SPI }, /* PoR 11 is reserved */
		{ 0x04, 0x19, 0x15, 0x15, 0, OTA_E_SPI }, /* PoR with CC, command without */
		{ 0x15, 0x39, 0x15, 0x15, 4, OTA_E_SPI }, /* PoR with CC, command with RC */
		{ 0x02, 0x19, 0x15, 0x15, 8, OTA_E_SPI }, /* PoR ciphered, command not */
		{ 0x02, 0x18, 0x15, 0x15, 8, 0 },	  /* no PoR at all: nothing to refuse */
		{ 0x16, 0x39, 0x10, 0x15, 8, OTA_E_ALG }, /* implicit algorithm */
		{ 0x16, 0x39, 0x13, 0x15, 8, OTA_E_ALG }, /* proprietary */
		{ 0x16, 0x39, 0x15, 0x10, 8, OTA_E_ALG },
		{ 0x16, 0x39, 0x15, 0x1d, 8, OTA_E_ALG },   /* no MAC in ECB mode */
		{ 0x15, 0x35, 0x15, 0x19, 4, OTA_E_ALG },   /* 9 names no CRC */
		{ 0x16, 0x39, 0x15, 0x15, 4, OTA_E_RANGE }, /* only AES has a short CC */
		{ 0x15, 0x35, 0x12, 0x15, 8, OTA_E_RANGE },
		{ 0x04, 0x11, 0x15, 0x10, 8, OTA_E_RANGE }, /* RC/CC without integrity */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ota_cmd_params p = params(rows[i].spi1, rows[i].spi2, rows[i].kic, rows[i].kid);

		p.cc_len = rows[i].cc_len;
		if (ota_cmd_check(&p) != rows[i].err)
			fail_msg("row %zu: %d (%s), not %d", i, ota_cmd_check(&p), ota_strerror(ota_cmd_check(&p)),
				 rows[i].err);
	}
}

static void values_too_large(void **state)
{
	struct ota_cmd_params p = params(0x16, 0x39, 0x15, 0x15);
	struct ota_crypt crypt = crypt_for(&p);
	static uint8_t big[OTA_PACKET_PROTOCOL_MAX + 16], buf[OTA_PACKET_PROTOCOL_MAX + 16];

	p.cntr = OTA_CNTR_MAX;
	assert_int_equal(ota_cmd_check(&p), 0);
	p.cntr++;
	assert_int_equal(ota_cmd_encode(buf, sizeof(buf), &p, &crypt), OTA_E_RANGE);
	p.cntr = 1;
	p.data = big;
	p.data_len = OTA_PACKET_MAX - 30;
	assert_in_range(ota_cmd_encode(buf, sizeof(buf), &p, &crypt), 1, OTA_PACKET_MAX);
	assert_int_equal(ota_cmd_check(&p), 0);
	/* more than we send ourselves, up to what 255 segments carry */
	p.data_len = OTA_PACKET_MAX - 16;
	assert_int_equal(ota_cmd_check(&p), OTA_E_LENGTH);
	assert_in_range(ota_cmd_encode(buf, sizeof(buf), &p, &crypt), OTA_PACKET_MAX + 1, OTA_PACKET_PROTOCOL_MAX);
	p.data_len = OTA_PACKET_PROTOCOL_MAX - 30;
	assert_in_range(ota_cmd_encode(buf, sizeof(buf), &p, &crypt), 1, OTA_PACKET_PROTOCOL_MAX);
	p.data_len = OTA_PACKET_PROTOCOL_MAX - 16;
	assert_int_equal(ota_cmd_encode(buf, sizeof(buf), &p, &crypt), OTA_E_LENGTH);
	p.data_len = SIZE_MAX;
	assert_int_equal(ota_cmd_check(&p), OTA_E_LENGTH);
	p.data_len = 1;
	p.data = NULL;
	assert_int_equal(ota_cmd_check(&p), OTA_E_LENGTH);
}

static void no_crypt_no_packet(void **state)
{
	struct ota_cmd_params p = params(0x16, 0x39, 0x15, 0x15);
	const struct ota_crypt empty = { 0 };
	struct ota_cmd_work w;
	struct ota_cmd cmd;
	uint8_t buf[200];

	assert_int_equal(ota_cmd_encode(buf, sizeof(buf), &p, NULL), OTA_E_KEY);
	assert_int_equal(ota_cmd_encode(buf, sizeof(buf), &p, &empty), OTA_E_KEY);
	/* Laid out but never run is no packet either. */
	assert_int_equal(ota_cmd_lay_out(&w, &p, buf, sizeof(buf)), 0);
	assert_int_equal(ota_cmd_finish(&w), OTA_E_KEY);
	assert_int_equal(ota_cmd_decode(&cmd, buf, w.len, &p, &empty), OTA_E_KEY);
	/* nor one that wants a MAC alone, or ciphering alone */
	for (unsigned spi1 = 0x12; spi1 <= 0x14; spi1 += 2) {
		p = params((uint8_t)spi1, 0x01, 0x15, 0x15);
		assert_int_equal(ota_cmd_lay_out(&w, &p, buf, sizeof(buf)), 0);
		assert_int_equal(ota_cmd_run(&w, 1, &empty), OTA_E_KEY);
		assert_int_equal(ota_cmd_finish(&w), OTA_E_KEY);
	}
}

/* 150 packets of mixed kinds: gathered into few calls, each as if made alone; a key that fails spoils its own only. */
static void batches(void **state)
{
	enum { N = 150, PLAIN_EVERY = 10 };
	static struct ota_cmd_work w[N];
	static uint8_t buf[N][200];
	uint8_t alone[200];
	struct ota_cmd_params p = params(0x16, 0x39, 0x15, 0x15);
	struct ota_crypt crypt = crypt_for(&p);

	for (int bad = 0; bad < 2; bad++) {
		unsigned secured = 0;

		keys.mac_calls = keys.cipher_calls = keys.mac_jobs = keys.cipher_jobs = keys.jobs = 0;
		for (size_t i = 0; i < N; i++) {
			p = i % PLAIN_EVERY ? params(0x16, 0x39, 0x15, 0x15) : params(0x11, 0x05, 0x15, 0x15);
			p.cntr = i;
			p.data_len = i;
			secured += i % PLAIN_EVERY != 0;
			assert_int_equal(ota_cmd_lay_out(&w[i], &p, buf[i], sizeof(buf[i])), 0);
		}
		keys.fail_at = bad ? 5 : 0;
		assert_int_equal(ota_cmd_run(w, N, &crypt), bad ? OTA_E_KEY : 0);
		keys.fail_at = 0;
		assert_int_equal(keys.mac_jobs, secured);
		assert_int_equal(keys.cipher_jobs, secured - (unsigned)bad);
		assert_int_equal(keys.mac_calls, (secured + 63) / 64);
		assert_int_equal(keys.cipher_calls, (secured - (unsigned)bad + 63) / 64);
		assert_int_equal(keys.batch_max, 64);
		for (size_t i = 0; i < N; i++) {
			p = i % PLAIN_EVERY ? params(0x16, 0x39, 0x15, 0x15) : params(0x11, 0x05, 0x15, 0x15);
			p.cntr = i;
			p.data_len = i;
			/* Work item 0 needs no key: the fifth job belongs to item 5. */
			if (bad && i == 5) {
				assert_int_equal(ota_cmd_finish(&w[i]), OTA_E_KEY);
				continue;
			}
			assert_int_equal(ota_cmd_finish(&w[i]), ota_cmd_encode(alone, sizeof(alone), &p, &crypt));
			assert_memory_equal(buf[i], alone, w[i].len);
		}
	}
}

/* A hook that fails every job in turn: never a packet, always the error. */
static void every_job_may_fail(void **state)
{
	struct ota_cmd_params p = params(0x16, 0x39, 0x12, 0x12);
	struct ota_crypt crypt = crypt_for(&p);
	uint8_t buf[200], copy[200];
	struct ota_cmd cmd;
	int len = ota_cmd_encode(buf, sizeof(buf), &p, &crypt);

	for (unsigned n = 1; n <= 2; n++) {
		keys.jobs = 0;
		keys.fail_at = n;
		assert_int_equal(ota_cmd_encode(copy, sizeof(copy), &p, &crypt), OTA_E_KEY);
		keys.jobs = 0;
		memcpy(copy, buf, (size_t)len);
		assert_int_equal(ota_cmd_decode(&cmd, copy, (size_t)len, &p, &crypt), OTA_E_KEY);
		assert_false(cmd.opened);
	}
	keys.fail_at = 0;
	assert_int_equal(ota_cmd_decode(&cmd, buf, (size_t)len, &p, &crypt), 0);
}

static void wrong_keys_and_versions(void **state)
{
	struct ota_cmd_params p = params(0x16, 0x39, 0x15, 0x15);
	struct ota_crypt crypt = crypt_for(&p);
	uint8_t buf[200], copy[200];
	struct ota_cmd cmd;
	int len = ota_cmd_encode(buf, sizeof(buf), &p, &crypt);

	memcpy(copy, buf, sizeof(copy));
	test_crypt_set(&keys, SET, KS_KEY_KID, key_a, 16);
	assert_int_equal(ota_cmd_decode(&cmd, copy, (size_t)len, &p, &crypt), OTA_E_CC);
	test_crypt_set(&keys, SET, KS_KEY_KID, key_b, 16);
	test_crypt_set(&keys, SET, KS_KEY_KIC, key_b, 16);
	memcpy(copy, buf, sizeof(copy));
	assert_int_equal(ota_cmd_decode(&cmd, copy, (size_t)len, &p, &crypt), OTA_E_CC);
	p.kic_ref.set = 2;
	memcpy(copy, buf, sizeof(copy));
	assert_int_equal(ota_cmd_decode(&cmd, copy, (size_t)len, &p, &crypt), OTA_E_KEY);
}

/* The lengths of a packet against each other and against what is there. */
static void broken_lengths(void **state)
{
	struct ota_cmd_params p = params(0x12, 0x09, 0x15, 0x15);
	struct ota_crypt crypt = crypt_for(&p);
	uint8_t good[200], buf[200];
	struct ota_cmd cmd;
	size_t len = (size_t)ota_cmd_encode(good, sizeof(good), &p, &crypt);
	static const struct {
		uint8_t off, value;
		int plus;
		int err;
	} rows[] = {
		{ 0, 0x01, 0, OTA_E_SHORT },  /* CPL beyond the packet */
		{ 1, 0x00, 0, OTA_E_SHORT },  /* CPL of nothing: no room for CHL */
		{ 1, 0x15, 0, OTA_E_SHORT },  /* CHL beyond CPL */
		{ 2, 0x0c, 0, OTA_E_LENGTH }, /* CHL below the fixed part */
		{ 2, 0x10, 0, OTA_E_LENGTH }, /* an RC/CC of three octets */
		{ 2, 0x13, 0, OTA_E_LENGTH }, /* of six */
		{ 2, 0x19, 0, OTA_E_LENGTH }, /* of twelve */
		{ 2, 0x11, 0, OTA_E_LENGTH }, /* of four, where 3DES has eight */
		{ 2, 0x0d, 0, OTA_E_LENGTH }, /* of none, where a CC is asked for */
		{ 2, 0xff, 0, OTA_E_SHORT },  /* CHL beyond the packet */
		{ 15, 0x01, 0, OTA_E_CC },    /* PCNTR is under the CC */
		{ 1, 0x1c, 1, OTA_E_LENGTH }, /* one octet after CPL's end */
	};

	assert_int_equal(len, 2 + 0x1d);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t *copy;

		memcpy(buf, good, sizeof(buf));
		buf[rows[i].off] = rows[i].value;
		copy = exact(buf, len);
		if (ota_cmd_decode(&cmd, copy, len, &p, &crypt) != rows[i].err)
			fail_msg("row %zu: %s", i, ota_strerror(ota_cmd_decode(&cmd, copy, len, &p, &crypt)));
		assert_false(cmd.opened);
		free(copy);
	}
}

/* PCNTR: never without ciphering, never more than there is. */
static void padding(void **state)
{
	static const uint8_t plain[] = { 0, 0x0f, 0x0d, 0, 1, 0, 0, 0xb0, 0, 0x11, 1, 2, 3, 4, 5, 1, 0xaa };
	struct ota_cmd_params p = params(0x00, 0x01, 0x00, 0x00), c = params(0x04, 0x01, 0x15, 0x10);
	struct ota_crypt crypt = crypt_for(&c);
	uint8_t buf[64];
	struct ota_cipher_job job = { .key = c.kic_ref, .alg = OTA_ALG_3DES2_CBC, .buf = buf + 10 };
	struct ota_cmd cmd;

	memcpy(buf, plain, sizeof(plain));
	assert_int_equal(ota_cmd_decode(&cmd, buf, sizeof(plain), &p, &crypt), OTA_E_PADDING);

	/* A ciphered packet of one block: two octets of data, PCNTR 2 takes both and 3 is one too many. */
	for (uint8_t pcntr = 2; pcntr <= 3; pcntr++) {
		static const uint8_t head[] = { 0, 0x10, 0x0d, 0x04, 0x01, 0x15, 0x10, 0xb0, 0, 0x11, 1, 2, 3, 4, 5 };

		memcpy(buf, head, sizeof(head));
		buf[15] = pcntr;
		buf[16] = buf[17] = 0xee; /* padding need not be 00 */
		job.len = 8;
		assert_int_equal(crypt.cipher(crypt.ctx, &job, 1), 0);
		assert_int_equal(ota_cmd_decode(&cmd, buf, 18, &c, &crypt), pcntr == 2 ? 0 : OTA_E_PADDING);
		assert_int_equal(cmd.opened, pcntr == 2);
	}
	memcpy(buf, plain, sizeof(plain));
	buf[3] = 0x04;
	buf[5] = 0x15;
	assert_int_equal(ota_cmd_decode(&cmd, buf, sizeof(plain), &c, &crypt), OTA_E_BLOCK);
}

static void algorithm_names(void **state)
{
	static const enum ota_alg all[] = { OTA_ALG_DES_CBC, OTA_ALG_DES_ECB, OTA_ALG_3DES2_CBC, OTA_ALG_3DES3_CBC,
					    OTA_ALG_AES_CBC };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		assert_int_equal(ota_kic_alg(0x50 | ota_alg_nibble(all[i])), all[i]);
		assert_int_equal(ota_kid_alg(0x50 | ota_alg_nibble(all[i])),
				 all[i] == OTA_ALG_DES_ECB ? OTA_ALG_NONE : all[i]);
	}
	assert_int_equal(ota_kic_alg(0x53), OTA_ALG_NONE);
	assert_string_equal(ota_alg_name(OTA_ALG_3DES2_CBC), "3des2");
	assert_string_equal(ota_alg_name(OTA_ALG_NONE), "none");
	assert_string_equal(ota_alg_name((enum ota_alg)99), "unknown");
	assert_int_equal(ota_alg_nibble((enum ota_alg)99), 0);
	assert_int_equal(ota_alg_block(OTA_ALG_AES_CBC), 16);
	assert_int_equal(ota_alg_block(OTA_ALG_DES_ECB), 8);
	assert_int_equal(ota_alg_block(OTA_ALG_NONE), 1);
	assert_int_equal(ota_cc_len(0x16, 0x12), 8);
	assert_int_equal(ota_cc_len(0x15, 0x15), 4);
	assert_int_equal(ota_cc_len(0x15, 0x11), 2);
	assert_int_equal(ota_cc_len(0x14, 0x13), 0);
	assert_int_equal(ota_cc_len(0x17, 0x15), OTA_E_DS);
}

static int done(void **state)
{
	test_crypt_free();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_card_packet),
		cmocka_unit_test(smallest_packet),
		cmocka_unit_test(capacity_of_one_short_message),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(ecb_is_legacy),
		cmocka_unit_test(refusals),
		cmocka_unit_test(values_too_large),
		cmocka_unit_test(no_crypt_no_packet),
		cmocka_unit_test(batches),
		cmocka_unit_test(every_job_may_fail),
		cmocka_unit_test(wrong_keys_and_versions),
		cmocka_unit_test(broken_lengths),
		cmocka_unit_test(padding),
		cmocka_unit_test(algorithm_names),
	};

	return cmocka_run_group_tests_name("command packet", tests, NULL, done);
}
