/* test_codec_usim_lab.c - proprietary files of lab cards: there and back, and what they cannot hold.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "unit.h"

#include "ota/usim_lab.h"

static const uint8_t k[32] = "0123456789abcdefGHIJKLMNOPQRSTUV", op[32] = "zyxwvutsrqponmlkABCDEFGHIJKLMNOP";

static void auth_keys(void **state)
{
	static const enum lab_algorithm algs[] = { LAB_MILENAGE, LAB_SHA1_AKA, LAB_XOR };
	struct lab_auth_key a = { .opc = true, .sres_func = 1, .k = k, .k_len = 16, .op = op }, back;
	uint8_t ef[LAB_AUTH_KEY_TUAK_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(algs); i++) {
		a.algorithm = algs[i];
		assert_int_equal(lab_auth_key_encode(ef, sizeof(ef), &a), LAB_AUTH_KEY_LEN);
		assert_int_equal(ef[0], 0x10 | algs[i]);
		assert_memory_equal(ef + 1, k, 16);
		assert_memory_equal(ef + 17, op, 16);
		assert_int_equal(lab_auth_key_decode(&back, ef, LAB_AUTH_KEY_LEN), 0);
		assert_ptr_equal(back.k, ef + 1);
		assert_true(back.opc);
	}
	assert_int_equal(lab_auth_key_encode(ef, 32, &a), OTA_E_SPACE);
	assert_int_equal(lab_auth_key_decode(&back, ef, 0), OTA_E_SHORT);
	assert_int_equal(lab_auth_key_decode(&back, ef, 32), OTA_E_SHORT);
	assert_int_equal(lab_auth_key_decode(&back, ef, 34), OTA_E_LENGTH);
	ef[0] = 0x54; /* Milenage with a key of 256 bits */
	assert_int_equal(lab_auth_key_decode(&back, ef, 33), OTA_E_FORMAT);
	ef[0] = 0x94;
	assert_int_equal(lab_auth_key_decode(&back, ef, 33), OTA_E_FORMAT);
	ef[0] = 0x13;
	assert_int_equal(lab_auth_key_decode(&back, ef, 33), OTA_E_FORMAT);
	a.algorithm = (enum lab_algorithm)3;
	assert_int_equal(lab_auth_key_encode(ef, sizeof(ef), &a), OTA_E_RANGE);
	a.algorithm = LAB_MILENAGE;
	a.k_len = 32;
	assert_int_equal(lab_auth_key_encode(ef, sizeof(ef), &a), OTA_E_LENGTH);
	a.k_len = 16;
	a.sres_func = 0;
	assert_int_equal(lab_auth_key_encode(ef, sizeof(ef), &a), OTA_E_RANGE);
	a.sres_func = 3;
	assert_int_equal(lab_auth_key_encode(ef, sizeof(ef), &a), OTA_E_RANGE);
	a.sres_func = 2;
	a.opc = false;
	assert_int_equal(lab_auth_key_encode(ef, sizeof(ef), &a), 33);
	assert_int_equal(ef[0], 0x24);
	a.k = NULL;
	assert_int_equal(lab_auth_key_encode(ef, sizeof(ef), &a), OTA_E_RANGE);
	a.k = k;
	a.op = NULL;
	assert_int_equal(lab_auth_key_encode(ef, sizeof(ef), &a), OTA_E_RANGE);
}

static void tuak(void **state)
{
	struct lab_auth_key a = { .algorithm = LAB_TUAK,
				  .sres_func = 2,
				  .k = k,
				  .k_len = 32,
				  .op = op,
				  .ck_ik_bits = 256,
				  .mac_bits = 256,
				  .res_bits = 256,
				  .iterations = 1 },
			    back;
	uint8_t ef[LAB_AUTH_KEY_TUAK_MAX];

	assert_int_equal(lab_auth_key_encode(ef, sizeof(ef), &a), LAB_AUTH_KEY_TUAK_MAX);
	assert_memory_equal(ef, "\x66\x53\x01", 3);
	assert_int_equal(lab_auth_key_decode(&back, ef, sizeof(ef)), 0);
	assert_int_equal(back.k_len, 32);
	assert_int_equal(back.mac_bits, 256);
	assert_int_equal(back.res_bits, 256);
	assert_int_equal(lab_auth_key_decode(&back, ef, sizeof(ef) - 1), OTA_E_SHORT);
	for (unsigned bad = 0; bad < 3; bad++) {
		static const uint8_t cfg[] = { 0x80, 0x18, 0x04 };

		ef[1] = cfg[bad];
		assert_int_equal(lab_auth_key_decode(&back, ef, sizeof(ef)), OTA_E_FORMAT);
	}
	a.mac_bits = 32;
	assert_int_equal(lab_auth_key_encode(ef, sizeof(ef), &a), OTA_E_RANGE);
	a.mac_bits = 64;
	a.res_bits = 512;
	assert_int_equal(lab_auth_key_encode(ef, sizeof(ef), &a), OTA_E_RANGE);
	a.res_bits = 32;
	a.ck_ik_bits = 64;
	assert_int_equal(lab_auth_key_encode(ef, sizeof(ef), &a), OTA_E_RANGE);
	a.ck_ik_bits = 128;
	a.k_len = 24;
	assert_int_equal(lab_auth_key_encode(ef, sizeof(ef), &a), OTA_E_LENGTH);
}

static void ota_keys(void **state)
{
	struct lab_0348_key
		key = { .sd = 1, .kvn = 3, .use = LAB_KEY_KID, .aes = true, .mac_len = 4, .key = k, .key_len = 32 },
		back;
	uint8_t rec[40];

	assert_int_equal(lab_0348_key_encode(rec, 40, &key), 40);
	assert_memory_equal(rec, "\x01\x03\xe1", 3);
	assert_memory_equal(rec + 3, k, 32);
	assert_int_equal(rec[39], 0xff);
	assert_int_equal(lab_0348_key_decode(&back, rec, 40), 0);
	assert_int_equal(back.mac_len, 4);
	assert_int_equal(back.use, LAB_KEY_KID);
	assert_true(back.aes);
	assert_int_equal(back.key_len, 32);
	assert_int_equal(lab_0348_key_encode(rec, 34, &key), OTA_E_SPACE);
	for (size_t cut = 0; cut < 35; cut++)
		assert_int_equal(lab_0348_key_decode(&back, rec, cut), OTA_E_SHORT);
	rec[2] = 0x04;
	assert_int_equal(lab_0348_key_decode(&back, rec, 40), OTA_E_FORMAT);
	rec[2] = 0x28;
	assert_int_equal(lab_0348_key_decode(&back, rec, 40), OTA_E_FORMAT);
	rec[2] = 0x14;
	assert_int_equal(lab_0348_key_decode(&back, rec, 40), OTA_E_FORMAT);
	key.aes = false;
	assert_int_equal(lab_0348_key_encode(rec, 40, &key), OTA_E_LENGTH);
	key.key_len = 8;
	key.mac_len = 8;
	assert_int_equal(lab_0348_key_encode(rec, 40, &key), 40);
	assert_int_equal(rec[2], 0x09);
	key.aes = true;
	assert_int_equal(lab_0348_key_encode(rec, 40, &key), OTA_E_LENGTH);
	key.key_len = 9;
	assert_int_equal(lab_0348_key_encode(rec, 40, &key), OTA_E_LENGTH);
	key.key_len = 16;
	key.mac_len = 5;
	assert_int_equal(lab_0348_key_encode(rec, 40, &key), OTA_E_RANGE);
	key.mac_len = 8;
	key.use = (enum lab_key_use)4;
	assert_int_equal(lab_0348_key_encode(rec, 40, &key), OTA_E_RANGE);
	key.key = NULL;
	assert_int_equal(lab_0348_key_encode(rec, 40, &key), OTA_E_LENGTH);
	key = (struct lab_0348_key){ .mac_len = 8, .key = k, .key_len = 24 };
	assert_int_equal(lab_0348_key_encode(rec, 40, &key), 40);
}

static void counters(void **state)
{
	struct lab_0348_count c = { 1, 2, OTA_CNTR_MAX }, c2;
	struct lab_gp_count g = { 0, 0x70, 0x1234, 0 }, g2;
	uint8_t rec[LAB_0348_COUNT_LEN + 1];

	assert_int_equal(lab_0348_count_encode(rec, &c), 7);
	assert_memory_equal(rec, "\x01\x02\xff\xff\xff\xff\xff", 7);
	assert_int_equal(lab_0348_count_decode(&c2, rec, 7), 0);
	assert_int_equal(c2.cntr, OTA_CNTR_MAX);
	assert_int_equal(lab_0348_count_decode(&c2, rec, 6), OTA_E_SHORT);
	assert_int_equal(lab_0348_count_decode(&c2, rec, 8), OTA_E_LENGTH);
	c.cntr++;
	assert_int_equal(lab_0348_count_encode(rec, &c), OTA_E_RANGE);
	assert_int_equal(lab_gp_count_encode(rec, &g), 5);
	assert_int_equal(lab_gp_count_decode(&g2, rec, 5), 0);
	assert_int_equal(g2.counter, 0x1234);
	assert_int_equal(lab_gp_count_decode(&g2, rec, 4), OTA_E_SHORT);
}

static void algorithm_settings(void **state)
{
	static struct lab_milenage_cfg m, m2;
	static struct lab_sqn s, s2;
	static struct lab_pin p = { .valid = true, .left = 3, .max = 3, .pin = "1234", .puk = "12345678" }, p2;
	uint8_t ef[LAB_SQN_LEN];

	m.r[4] = 127;
	m.c[4][15] = 8;
	assert_int_equal(lab_milenage_cfg_encode(ef, &m), LAB_MILENAGE_CFG_LEN);
	assert_int_equal(lab_milenage_cfg_decode(&m2, ef, LAB_MILENAGE_CFG_LEN), 0);
	assert_memory_equal(&m, &m2, sizeof(m));
	assert_int_equal(lab_milenage_cfg_decode(&m2, ef, 84), OTA_E_SHORT);
	ef[0] = 128;
	assert_int_equal(lab_milenage_cfg_decode(&m2, ef, LAB_MILENAGE_CFG_LEN), OTA_E_RANGE);
	m.r[0] = 128;
	assert_int_equal(lab_milenage_cfg_encode(ef, &m), OTA_E_RANGE);

	s = (struct lab_sqn){ .skip_next_check = true,
			      .age_limit_check = true,
			      .ind_len = 5,
			      .keep_amf_for_macs = true,
			      .autn_concealed = true,
			      .delta_max = 1,
			      .age_limit = 0xffffffffffff };
	s.seq[31] = 5;
	assert_int_equal(lab_sqn_encode(ef, &s), LAB_SQN_LEN);
	assert_memory_equal(ef, "\xa5\x05", 2);
	assert_int_equal(lab_sqn_decode(&s2, ef, LAB_SQN_LEN), 0);
	assert_memory_equal(&s, &s2, sizeof(s));
	assert_int_equal(lab_sqn_decode(&s2, ef, LAB_SQN_LEN - 1), OTA_E_SHORT);
	ef[0] = 0x06;
	assert_int_equal(lab_sqn_decode(&s2, ef, LAB_SQN_LEN), OTA_E_RANGE);
	s.ind_len = 6;
	assert_int_equal(lab_sqn_encode(ef, &s), OTA_E_RANGE);
	s.ind_len = 5;
	s.seq[0] = 0x1000000000000;
	assert_int_equal(lab_sqn_encode(ef, &s), OTA_E_RANGE);
	s.delta_max = s.seq[0];
	assert_int_equal(lab_sqn_encode(ef, &s), OTA_E_RANGE);
	s.delta_max = 0;
	s.age_limit = s.seq[0];
	assert_int_equal(lab_sqn_encode(ef, &s), OTA_E_RANGE);
	s = (struct lab_sqn){ .delta_max_check = true, .check = true, .aus_concealed = true };
	assert_int_equal(lab_sqn_encode(ef, &s), LAB_SQN_LEN);
	assert_memory_equal(ef, "\x50\x02", 2);

	assert_int_equal(lab_pin_encode(ef, &p), LAB_PIN_LEN);
	assert_int_equal(lab_pin_decode(&p2, ef, LAB_PIN_LEN), 0);
	assert_memory_equal(&p, &p2, sizeof(p));
	assert_int_equal(lab_pin_decode(&p2, ef, LAB_PIN_LEN + 1), OTA_E_LENGTH);
}

/* As the soft UICC is delivered, and what recorded sessions wrote over the air. */
static void soft_uicc(void **state)
{
	static const uint8_t auth[LAB_SOFT_AUTH_LEN] = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e"
						       "\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b"
						       "\x1c\x1d\x1e\x1f";
	static const uint8_t pin[LAB_SOFT_PIN_LEN] = "\x00\x03\x00\x0a\x00\x81"
						     "1234\xff\xff\xff\xff"
						     "12345678";
	static const uint8_t tar[LAB_SOFT_TAR_LEN] = "\xb0\x00\x11\x06\x03\x03\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99"
						     "\xaa\xbb\xcc\xdd\xee\xff\x01\x23\x45\x67\x89\xab"
						     "\xcd\xef\x01\x23\x45\x67\x01\x23\x45\x67";
	static const uint8_t count[LAB_SOFT_COUNT_LEN] = "\xb0\x00\x11\xff\xff\xff\x00\x00\x00\x00\x05";
	uint8_t buf[LAB_SOFT_TAR_LEN], ff[LAB_SOFT_TAR_LEN + 1];
	struct lab_soft_auth a;
	struct lab_soft_pin p;
	struct lab_soft_tar t;
	struct lab_soft_count c;
	uint64_t seq;

	memset(ff, 0xff, sizeof(ff));
	assert_int_equal(lab_soft_auth_decode(&a, auth, sizeof(auth)), 0);
	assert_true(a.opc);
	assert_memory_equal(a.k, auth, 16);
	assert_memory_equal(a.op, auth + 16, 16);
	assert_int_equal(lab_soft_auth_encode(buf, &a), sizeof(auth));
	assert_memory_equal(buf, auth, sizeof(auth));
	a.opc = false;
	lab_soft_auth_encode(buf, &a);
	assert_int_equal(buf[32], 1);
	assert_int_equal(lab_soft_auth_decode(&a, buf, 33), 0);
	assert_false(a.opc);
	assert_int_equal(lab_soft_auth_decode(&a, buf, 32), OTA_E_SHORT);
	assert_int_equal(lab_soft_auth_decode(&a, buf, 34), OTA_E_LENGTH);

	assert_int_equal(lab_soft_pin_decode(&p, pin, sizeof(pin)), 0);
	assert_false(p.enabled);
	assert_int_equal(p.ref, 0x81);
	assert_int_equal(p.max, 3);
	assert_int_equal(p.puk_max, 10);
	assert_memory_equal(p.puk, "12345678", 8);
	assert_int_equal(lab_soft_pin_encode(buf, &p), sizeof(pin));
	assert_memory_equal(buf, pin, sizeof(pin));
	buf[0] = 2;
	assert_int_equal(lab_soft_pin_decode(&p, buf, sizeof(pin)), OTA_E_RANGE);
	assert_int_equal(lab_soft_pin_decode(&p, pin, 21), OTA_E_SHORT);
	assert_int_equal(lab_soft_pin_decode(&p, buf, 23), OTA_E_LENGTH);

	assert_int_equal(lab_soft_tar_decode(&t, tar, sizeof(tar)), 0);
	assert_true(t.used);
	assert_memory_equal(t.tar, "\xb0\x00\x11", 3);
	assert_int_equal(t.msl, 0x06);
	assert_int_equal(t.kic_kvn, 3);
	assert_memory_equal(t.kic, tar + 6, 16);
	assert_memory_equal(t.kid, tar + 22, 16);
	assert_int_equal(lab_soft_tar_encode(buf, &t), sizeof(tar));
	assert_memory_equal(buf, tar, sizeof(tar));
	t.kid_kvn = LAB_SOFT_NO_KEY;
	assert_int_equal(lab_soft_tar_encode(buf, &t), sizeof(tar));
	assert_int_equal(lab_soft_tar_decode(&t, buf, sizeof(tar)), 0);
	assert_int_equal(t.kid_kvn, LAB_SOFT_NO_KEY);
	for (size_t at = 3; at < 6; at++) {
		memcpy(buf, tar, sizeof(tar));
		buf[at] = 0x20;
		assert_int_equal(lab_soft_tar_decode(&t, buf, sizeof(tar)), OTA_E_RANGE);
		assert_false(t.used);
	}
	lab_soft_tar_decode(&t, tar, sizeof(tar));
	t.msl = 0x20;
	assert_int_equal(lab_soft_tar_encode(buf, &t), OTA_E_RANGE);
	t.msl = 0;
	t.kic_kvn = 16;
	assert_int_equal(lab_soft_tar_encode(buf, &t), OTA_E_RANGE);
	t.kic_kvn = 0;
	t.kid_kvn = 16;
	assert_int_equal(lab_soft_tar_encode(buf, &t), OTA_E_RANGE);
	assert_int_equal(lab_soft_tar_decode(&t, ff, LAB_SOFT_TAR_LEN), 0);
	assert_false(t.used);
	assert_int_equal(lab_soft_tar_encode(buf, &t), sizeof(tar));
	assert_memory_equal(buf, ff, sizeof(tar));
	assert_int_equal(lab_soft_tar_decode(&t, ff, 37), OTA_E_SHORT);
	assert_int_equal(lab_soft_tar_decode(&t, ff, 39), OTA_E_LENGTH);

	assert_int_equal(lab_soft_count_decode(&c, count, sizeof(count)), 0);
	assert_true(c.used);
	assert_int_equal(c.cntr, 5);
	assert_memory_equal(c.mask, "\xff\xff\xff", 3);
	assert_int_equal(lab_soft_count_encode(buf, &c), sizeof(count));
	assert_memory_equal(buf, count, sizeof(count));
	c.cntr = OTA_CNTR_MAX + 1;
	assert_int_equal(lab_soft_count_encode(buf, &c), OTA_E_RANGE);
	assert_int_equal(lab_soft_count_decode(&c, ff, sizeof(count)), 0);
	assert_false(c.used);
	assert_int_equal(lab_soft_count_encode(buf, &c), sizeof(count));
	assert_memory_equal(buf, ff, sizeof(count));
	assert_int_equal(lab_soft_count_decode(&c, count, 10), OTA_E_SHORT);
	assert_int_equal(lab_soft_count_decode(&c, ff, 12), OTA_E_LENGTH);

	assert_int_equal(lab_soft_seq_encode(buf, 0x10000000), 8);
	assert_memory_equal(buf, "\x00\x00\x00\x00\x10\x00\x00\x00", 8);
	assert_int_equal(lab_soft_seq_decode(&seq, buf, 8), 0);
	assert_int_equal(seq, 0x10000000);
	assert_int_equal(lab_soft_seq_decode(&seq, buf, 7), OTA_E_SHORT);
	assert_int_equal(lab_soft_seq_decode(&seq, buf, 9), OTA_E_LENGTH);
	assert_int_equal(seq, 0);
}

static void names(void **state)
{
	assert_string_equal(lab_file_name(0x3f00, 0xa004), "A004 (TARs and keys)");
	assert_null(lab_file_name(0x7fff, 0xa004));
	assert_null(lab_file_name(0x3f00, 0xa002));
	assert_string_equal(lab_file_name(LAB_FID_SYSTEM, 0x6f20), "EF.SIM_AUTH_KEY");
	assert_string_equal(lab_file_name(0x7fff, 0xaf20), "EF.USIM_AUTH_KEY");
	assert_null(lab_file_name(LAB_FID_SYSTEM, 0xaf20));
	assert_null(lab_file_name(0x7fff, 0x6f20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(auth_keys),
		cmocka_unit_test(tuak),
		cmocka_unit_test(ota_keys),
		cmocka_unit_test(counters),
		cmocka_unit_test(algorithm_settings),
		cmocka_unit_test(soft_uicc),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
