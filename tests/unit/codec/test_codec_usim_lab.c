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

static void names(void **state)
{
	assert_string_equal(lab_file_name(LAB_FID_SYSTEM, 0x6f20), "EF.SIM_AUTH_KEY");
	assert_string_equal(lab_file_name(0x7fff, 0xaf20), "EF.USIM_AUTH_KEY");
	assert_null(lab_file_name(LAB_FID_SYSTEM, 0xaf20));
	assert_null(lab_file_name(0x7fff, 0x6f20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(auth_keys),	      cmocka_unit_test(tuak),
		cmocka_unit_test(ota_keys),	      cmocka_unit_test(counters),
		cmocka_unit_test(algorithm_settings), cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
