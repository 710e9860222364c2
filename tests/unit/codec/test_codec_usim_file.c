/* test_codec_usim_file.c - files of TS 31.102, 31.103 and 51.011: there and back, "deleted", lengths, words.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "unit.h"

/* What "nothing known" is, to the octet. */
static void deleted_values(void **state)
{
	static const struct {
		enum usim_df df;
		uint16_t fid, area;
		size_t len;
		const char *tail; /* behind FF */
		size_t tail_len;
	} rows[] = {
		{ USIM_ADF, USIM_FID_LOCI, 0x0000, 11, "\x00\x00\xff\x01", 4 },
		{ USIM_ADF, USIM_FID_LOCI, 0xfffe, 11, "\xff\xfe\xff\x01", 4 },
		{ USIM_ADF, USIM_FID_PSLOCI, 0xfffe, 14, "\xff\xfe\xff\x01", 4 },
		{ USIM_ADF, USIM_FID_EPSLOCI, 0x0000, 18, "\x00\x00\x01", 3 },
		{ USIM_DF_5GS, USIM_FID_5GS3GPPLOCI, 0xfffe, 20, "\x00\x00\x00\x01", 4 },
		{ USIM_DF_5GS, USIM_FID_5GSN3GPPLOCI, 0, 20, "\x00\x00\x00\x01", 4 },
		{ USIM_ADF, USIM_FID_EPSNSC, 0, 54, "", 0 },
		{ USIM_DF_5GS, USIM_FID_5GS3GPPNSC, 0, 62, "", 0 },
		{ USIM_DF_5GS, USIM_FID_5GSN3GPPNSC, 0, 62, "", 0 },
		{ USIM_DF_5GS, USIM_FID_5GAUTHKEYS, 0, 68, "", 0 },
		{ USIM_ADF, USIM_FID_FPLMN, 0, 12, "", 0 },
		{ USIM_ADF, USIM_FID_NETPAR, 0, 50, "", 0 },
		{ USIM_ADF, USIM_FID_GID1, 0, 8, "", 0 },
		{ USIM_ADF, USIM_FID_GID2, 0, 1, "", 0 },
		{ USIM_ADF, USIM_FID_ECC, 0, 4, "", 0 },
		{ USIM_ADF, USIM_FID_PNN, 0, 24, "", 0 },
		{ USIM_ADF, USIM_FID_OPL, 0, 8, "", 0 },
		{ USIM_ADF, USIM_FID_THRESHOLD, 0, 3, "", 0 },
		{ USIM_DF_5GS, USIM_FID_SUCI_CALC_INFO, 0, 2, "\xa0\x00", 2 },
		{ USIM_DF_GSM, USIM_FID_LOCI, 0, 11, "\x00\x00\xff\x01", 4 },
		{ USIM_DF_GSM, SIM_FID_LOCIGPRS, 0, 14, "\x00\x00\xff\x01", 4 },
		{ USIM_DF_GSM, SIM_FID_KC, 0, 9, "\x07", 1 },
		{ USIM_DF_GSM, SIM_FID_KCGPRS, 0, 9, "\x07", 1 },
		{ USIM_DF_GSM, SIM_FID_BCCH, 0, 16, "", 0 },
	};
	uint8_t ef[80];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t *copy = malloc(rows[i].len);

		assert_int_equal(usim_deleted(copy, rows[i].len, rows[i].df, rows[i].fid, rows[i].area), rows[i].len);
		for (size_t k = 0; k < rows[i].len - rows[i].tail_len; k++)
			assert_int_equal(copy[k], 0xff);
		assert_memory_equal(copy + rows[i].len - rows[i].tail_len, rows[i].tail, rows[i].tail_len);
		free(copy);
	}
	assert_int_equal(usim_deleted(ef, 33, USIM_ADF, USIM_FID_KEYS, 0), 33);
	assert_int_equal(ef[0], 7);
	assert_int_equal(ef[32], 0xff);
	assert_int_equal(usim_deleted(ef, 6, USIM_ADF, USIM_FID_START_HFN, 0), 6);
	assert_memory_equal(ef, "\xf0\x00\x00\xf0\x00\x00", 6);
	assert_int_equal(usim_deleted(ef, 60, USIM_DF_5GS, USIM_FID_SUCI_CALC_INFO, 0), 60);
	assert_memory_equal(ef, "\xa0\x00\xff\xff", 4);
	assert_int_equal(ef[59], 0xff);
	assert_int_equal(usim_deleted(ef, 1, USIM_DF_5GS, USIM_FID_SUCI_CALC_INFO, 0), OTA_E_LENGTH);
	assert_int_equal(usim_deleted(ef, 7, USIM_ADF, USIM_FID_OPL, 0), OTA_E_LENGTH);
	/* the wrong length, a file that is never deleted, one that is not ours */
	assert_int_equal(usim_deleted(ef, 12, USIM_ADF, USIM_FID_LOCI, 0), OTA_E_LENGTH);
	assert_int_equal(usim_deleted(ef, 13, USIM_ADF, USIM_FID_FPLMN, 0), OTA_E_LENGTH);
	assert_int_equal(usim_deleted(ef, 9, USIM_ADF, USIM_FID_IMSI, 0), OTA_E_FORMAT);
	assert_int_equal(usim_deleted(ef, 9, USIM_ADF, 0x1234, 0), OTA_E_FORMAT);
	/* 6F20 is a key below DF_GSM and nothing below ADF_USIM */
	assert_int_equal(usim_deleted(ef, 9, USIM_ADF, SIM_FID_KC, 0), OTA_E_FORMAT);
}

static void files_and_lengths(void **state)
{
	const struct usim_file *f = usim_file_find(USIM_ADF, USIM_FID_FPLMN);

	assert_string_equal(f->name, "EF_FPLMN");
	assert_int_equal(usim_file_len_check(f, 12), 0);
	assert_int_equal(usim_file_len_check(f, 13), OTA_E_LENGTH);
	assert_int_equal(usim_file_len_check(f, 0), OTA_E_LENGTH);
	assert_int_equal(usim_file_len_check(f, 300), OTA_E_LENGTH);
	assert_null(usim_file_find(USIM_MF, USIM_FID_FPLMN));
	assert_string_equal(usim_file_name(0x7fff), "ADF_USIM");
	assert_string_equal(usim_file_name(ISIM_FID_IMPI), "EF_IMPI");
	assert_null(usim_file_name(0x1234));
}

/* Location files and session keys: there, back, and no other length. */
#define THERE_AND_BACK(type, name, length, value)                                      \
	do {                                                                           \
		struct type in_ = value, out_;                                         \
		uint8_t ef_[64];                                                       \
		assert_int_equal(name##_encode(ef_, &in_), length);                    \
		assert_int_equal(name##_decode(&out_, ef_, length), 0);                \
		assert_memory_equal(&in_, &out_, sizeof(in_));                         \
		assert_int_equal(name##_decode(&out_, ef_, length - 1), OTA_E_SHORT);  \
		assert_int_equal(name##_decode(&out_, ef_, length + 1), OTA_E_LENGTH); \
	} while (0)

static void locations(void **state)
{
	static struct usim_loci loci;
	static struct usim_psloci psloci;
	static struct usim_epsloci epsloci;
	static struct usim_5gsloci fivegs;
	static struct usim_keys keys;
	static struct usim_kc kc;
	uint8_t ef[20];

	loci = (struct usim_loci){ { 1, 2, 3, 4 }, { 0x62, 0xf2, 0x10 }, 0x3721, 0x1e, USIM_UPDATED };
	psloci = (struct usim_psloci){ { 1, 2, 3, 4 }, { 5, 6, 7 }, { 0x62, 0xf2, 0x10 }, 0x3721, 9, USIM_NOT_UPDATED };
	epsloci = (struct usim_epsloci){ { 11, 0xf6 }, { 0x62, 0xf2, 0x10 }, 0x1234, USIM_PLMN_NOT_ALLOWED };
	fivegs.tac = 0x123456;
	fivegs.guti[12] = 7;
	keys.ksi = 3;
	keys.ck[0] = keys.ik[15] = 0xaa;
	kc.kc[7] = 1;
	kc.cksn = 2;
	THERE_AND_BACK(usim_loci, usim_loci, USIM_LOCI_LEN, loci);
	THERE_AND_BACK(usim_psloci, usim_psloci, USIM_PSLOCI_LEN, psloci);
	THERE_AND_BACK(usim_epsloci, usim_epsloci, USIM_EPSLOCI_LEN, epsloci);
	THERE_AND_BACK(usim_5gsloci, usim_5gsloci, USIM_5GSLOCI_LEN, fivegs);
	THERE_AND_BACK(usim_keys, usim_keys, USIM_KEYS_LEN, keys);
	THERE_AND_BACK(usim_kc, usim_kc, USIM_KC_LEN, kc);
	fivegs.tac = 0x1000000;
	assert_int_equal(usim_5gsloci_encode(ef, &fivegs), OTA_E_RANGE);
}

static void lists(void **state)
{
	static const struct usim_plmn list[] = { { "262", "01", USIM_ACT_UTRAN | USIM_ACT_E_UTRAN },
						 { "", "", 0 },
						 { "310", "410", USIM_ACT_NG_RAN } };
	struct usim_plmn back[5], bad = { "26", "01", 0 };
	uint8_t ef[20];

	assert_int_equal(usim_plmn_list_encode(ef, 20, true, list, 3), 20);
	assert_memory_equal(ef, "\x62\xf2\x10\xc0\x00\xff\xff\xff\x00\x00\x13\x00\x14\x08\x00\xff\xff\xff\x00\x00", 20);
	assert_int_equal(usim_plmn_list_decode(back, 5, true, ef, 20), 4);
	assert_string_equal(back[2].mcc, "310");
	assert_string_equal(back[2].mnc, "410");
	assert_int_equal(back[0].act, 0xc000);
	assert_string_equal(back[1].mcc, "");
	assert_int_equal(usim_plmn_list_encode(ef, 12, false, list, 1), 12);
	assert_memory_equal(ef, "\x62\xf2\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
	assert_int_equal(usim_plmn_list_encode(ef, 12, true, list, 1), OTA_E_LENGTH);
	assert_int_equal(usim_plmn_list_encode(ef, 0, true, list, 0), OTA_E_LENGTH);
	assert_int_equal(usim_plmn_list_encode(ef, 6, false, list, 3), OTA_E_SPACE);
	assert_int_equal(usim_plmn_list_encode(ef, 6, false, &bad, 1), OTA_E_DIGITS);
	assert_int_equal(usim_plmn_list_decode(back, 5, true, ef, 12), OTA_E_LENGTH);
	assert_int_equal(usim_plmn_list_decode(back, 5, false, ef, 0), OTA_E_LENGTH);
	assert_int_equal(usim_plmn_list_decode(back, 1, false, ef, 12), OTA_E_SPACE);
	assert_int_equal(usim_plmn_list_decode(back, 1, false, (const uint8_t *)"\xaa\xf2\x10", 3), OTA_E_DIGITS);
}

static void small_files(void **state)
{
	struct usim_ad ad = { .mode = 0x80, .info = { 1, 2 }, .mnc_len = 3 }, back;
	const uint8_t *name;
	uint8_t ef[20], display;
	unsigned minutes;
	uint16_t classes;
	size_t n;

	assert_int_equal(usim_ad_encode(ef, 5, &ad), 5);
	assert_memory_equal(ef, "\x80\x01\x02\x03\x00", 5);
	assert_int_equal(usim_ad_decode(&back, ef, 5), 0);
	assert_int_equal(back.mnc_len, 3);
	assert_int_equal(usim_ad_decode(&back, ef, 3), 0);
	assert_int_equal(back.mnc_len, 0);
	assert_int_equal(usim_ad_decode(&back, ef, 2), OTA_E_SHORT);
	assert_int_equal(usim_ad_decode(&back, ef, 256), OTA_E_LENGTH);
	ef[3] = 4;
	assert_int_equal(usim_ad_decode(&back, ef, 4), OTA_E_RANGE);
	assert_int_equal(usim_ad_encode(ef, 3, &ad), OTA_E_LENGTH);
	assert_int_equal(usim_ad_encode(ef, 256, &ad), OTA_E_LENGTH);
	ad.mnc_len = 1;
	assert_int_equal(usim_ad_encode(ef, 4, &ad), OTA_E_RANGE);

	assert_int_equal(usim_acc_encode(ef, 0x8010), 2);
	assert_memory_equal(ef, "\x80\x10", 2);
	assert_int_equal(usim_acc_decode(&classes, ef, 2), 0);
	assert_int_equal(classes, 0x8010);
	assert_int_equal(usim_acc_decode(&classes, ef, 1), OTA_E_SHORT);
	assert_int_equal(usim_acc_decode(&classes, ef, 3), OTA_E_LENGTH);

	assert_int_equal(usim_hpplmn_encode(ef, 60), 1);
	assert_int_equal(ef[0], 10);
	assert_int_equal(usim_hpplmn_encode(ef, 61), OTA_E_RANGE);
	assert_int_equal(usim_hpplmn_encode(ef, 6 * 256), OTA_E_RANGE);
	assert_int_equal(usim_hpplmn_decode(&minutes, ef, 1), 0);
	assert_int_equal(minutes, 60);
	assert_int_equal(usim_hpplmn_decode(&minutes, ef, 2), OTA_E_LENGTH);

	memset(ef, 0, 4);
	assert_int_equal(usim_ust_set(ef, 4, USIM_UST_SMS_PP_DOWNLOAD, true), 4);
	assert_memory_equal(ef, "\x00\x00\x00\x08", 4);
	assert_true(usim_ust_has(ef, 4, 28));
	assert_false(usim_ust_has(ef, 4, 27));
	assert_false(usim_ust_has(ef, 4, 0));
	assert_false(usim_ust_has(ef, 3, 28));
	assert_int_equal(usim_ust_set(ef, 4, 28, false), 4);
	assert_false(usim_ust_has(ef, 4, 28));
	assert_int_equal(usim_ust_set(ef, 4, 33, true), OTA_E_RANGE);
	assert_int_equal(usim_ust_set(ef, 4, 0, true), OTA_E_RANGE);

	assert_int_equal(usim_spn_encode(ef, 1, (const uint8_t *)"Brand", 5), USIM_SPN_LEN);
	assert_int_equal(usim_spn_decode(&display, &name, &n, ef, USIM_SPN_LEN), 0);
	assert_int_equal(n, 5);
	assert_int_equal(display, 1);
	assert_memory_equal(name, "Brand", 5);
	assert_int_equal(usim_spn_encode(ef, 1, NULL, 0), USIM_SPN_LEN);
	assert_int_equal(usim_spn_encode(ef, 1, ef, 17), OTA_E_LENGTH);
	assert_int_equal(usim_spn_decode(&display, &name, &n, ef, 16), OTA_E_SHORT);
}

static void numbers(void **state)
{
	static const uint8_t sca[] = { 0x07, 0x91, 0x94, 0x03, 0x21, 0x43, 0x65, 0xf7 };
	struct usim_smsp s = { .has_sca = true,
			       .sca = { .ton = 1, .npi = 1, .digits = "49301234567" },
			       .alpha = (const uint8_t *)"SC",
			       .alpha_len = 2 },
			 s2;
	struct usim_msisdn m = { .addr = { .ton = 1, .npi = 1, .digits = "4930123456789012345" } }, m2;
	uint8_t rec[40];

	assert_int_equal(usim_smsp_encode(rec, 40, &s), 40);
	assert_int_equal(rec[12], 0xfd);
	assert_memory_equal(rec + 25, sca, sizeof(sca));
	assert_int_equal(usim_smsp_decode(&s2, rec, 40), 0);
	assert_string_equal(s2.sca.digits, s.sca.digits);
	assert_int_equal(s2.alpha_len, 2);
	assert_int_equal(usim_smsp_encode(rec, 27, &s), OTA_E_LENGTH);
	assert_int_equal(usim_smsp_encode(rec, 29, &s), OTA_E_LENGTH);
	assert_int_equal(usim_smsp_encode(rec, 256, &s), OTA_E_LENGTH);
	assert_int_equal(usim_smsp_decode(&s2, rec, 27), OTA_E_SHORT);
	assert_int_equal(usim_smsp_decode(&s2, rec, 256), OTA_E_LENGTH);
	rec[13] = 21; /* digits of the destination */
	assert_int_equal(usim_smsp_decode(&s2, rec, 40), OTA_E_LENGTH);
	rec[13] = 0xff;
	rec[25] = 12;
	assert_int_equal(usim_smsp_decode(&s2, rec, 40), OTA_E_LENGTH);
	rec[25] = 1;
	assert_int_equal(usim_smsp_decode(&s2, rec, 40), OTA_E_LENGTH);
	rec[25] = 3;
	rec[27] = 0xaa;
	assert_int_equal(usim_smsp_decode(&s2, rec, 40), OTA_E_DIGITS);
	s.has_da = true;
	s.da = (struct ota_addr){ .ton = 1, .npi = 1, .digits = "12345" };
	s.has_pid = s.has_dcs = s.has_vp = true;
	s.vp = 0xa7;
	assert_int_equal(usim_smsp_encode(rec, 30, &s), 30);
	assert_int_equal(rec[3], 5);
	assert_int_equal(usim_smsp_decode(&s2, rec, 30), 0);
	assert_string_equal(s2.da.digits, "12345");
	assert_int_equal(usim_vp_minutes(s2.vp), 1440);
	assert_int_equal(usim_vp_minutes(143), 720);
	assert_int_equal(usim_vp_minutes(144), 750);
	assert_int_equal(usim_vp_minutes(196), 30 * 1440);
	assert_int_equal(usim_vp_minutes(255), 63 * 7 * 1440);
	s.da.ton = 5;
	assert_int_equal(usim_smsp_encode(rec, 30, &s), OTA_E_DIGITS);
	s.da.ton = 8;
	assert_int_equal(usim_smsp_encode(rec, 30, &s), OTA_E_RANGE);
	s.da = (struct ota_addr){ .npi = 16, .digits = "1" };
	assert_int_equal(usim_smsp_encode(rec, 30, &s), OTA_E_RANGE);

	assert_int_equal(usim_msisdn_encode(rec, 14, &m), 14);
	assert_int_equal(rec[0], 11);
	assert_int_equal(usim_msisdn_decode(&m2, rec, 14), 0);
	assert_string_equal(m2.addr.digits, m.addr.digits);
	memset(m.addr.digits, '1', 20);
	assert_int_equal(usim_msisdn_encode(rec, 14, &m), 14);
	assert_int_equal(usim_msisdn_decode(&m2, rec, 14), 0);
	memset(m.addr.digits, '1', 21);
	assert_int_equal(usim_msisdn_encode(rec, 14, &m), OTA_E_RANGE);
	m.addr.digits[0] = 'x';
	m.addr.digits[5] = '\0';
	assert_int_equal(usim_msisdn_encode(rec, 14, &m), OTA_E_DIGITS);
	m = (struct usim_msisdn){ .alpha = sca, .alpha_len = 2 };
	assert_int_equal(usim_msisdn_encode(rec, 15, &m), OTA_E_LENGTH);
	assert_int_equal(usim_msisdn_encode(rec, 13, &m), OTA_E_LENGTH);
	assert_int_equal(usim_msisdn_encode(rec, 256, &m), OTA_E_LENGTH);
	assert_int_equal(usim_msisdn_encode(rec, 16, &m), 16);
	assert_int_equal(usim_msisdn_decode(&m2, rec, 16), 0);
	assert_string_equal(m2.addr.digits, "");
	assert_int_equal(m2.alpha_len, 2);
	assert_int_equal(usim_msisdn_decode(&m2, rec, 13), OTA_E_SHORT);
	assert_int_equal(usim_msisdn_decode(&m2, rec, 256), OTA_E_LENGTH);
}

static void isim(void **state)
{
	static char long_text[300];
	char text[USIM_IMS_TEXT_MAX];
	uint8_t ef[300];

	assert_true(usim_ims_domain(text, "262011106487504", 2) > 0);
	assert_string_equal(text, "ims.mnc001.mcc262.3gppnetwork.org");
	assert_true(usim_ims_domain(text, "310410123456789", 3) > 0);
	assert_string_equal(text, "ims.mnc410.mcc310.3gppnetwork.org");
	assert_true(usim_ims_impi(text, "262011106487504", 2) > 0);
	assert_string_equal(text, "262011106487504@ims.mnc001.mcc262.3gppnetwork.org");
	assert_true(usim_ims_impu(text, "262011106487504", 2) > 0);
	assert_string_equal(text, "sip:262011106487504@ims.mnc001.mcc262.3gppnetwork.org");
	assert_int_equal(usim_ims_impu(text, "2620", 2), OTA_E_DIGITS);
	assert_int_equal(usim_ims_domain(text, "262011106487504", 4), OTA_E_DIGITS);

	assert_int_equal(usim_isim_encode(ef, 10, "a@b.c"), 10);
	assert_memory_equal(ef,
			    "\x80\x05"
			    "a@b.c"
			    "\xff\xff\xff",
			    10);
	assert_int_equal(usim_isim_decode(text, sizeof(text), ef, 10), 0);
	assert_string_equal(text, "a@b.c");
	assert_int_equal(usim_isim_decode(text, 5, ef, 10), OTA_E_SPACE);
	assert_int_equal(usim_isim_decode(text, 0, ef, 10), OTA_E_SPACE);
	assert_int_equal(usim_isim_decode(text, 9, ef, 6), OTA_E_SHORT);
	assert_int_equal(usim_isim_decode(text, 9, ef, 0), OTA_E_SHORT);
	assert_int_equal(usim_isim_decode(text, 9, (const uint8_t *)"\x81\x00", 2), OTA_E_FORMAT);
	assert_int_equal(usim_isim_decode(text, 9, (const uint8_t *)"\x80\x80", 2), OTA_E_LENGTH);
	assert_int_equal(usim_isim_decode(text, 9, (const uint8_t *)"\x80\x01\x00", 3), OTA_E_FORMAT);
	assert_int_equal(usim_isim_encode(ef, 6, "a@b.c"), OTA_E_SPACE);
	memset(long_text, 'x', 200);
	assert_int_equal(usim_isim_encode(ef, 255, long_text), 255);
	assert_memory_equal(ef, "\x80\x81\xc8", 3);
	memset(long_text, 'x', 256);
	assert_int_equal(usim_isim_encode(ef, 300, long_text), OTA_E_LENGTH);

	assert_int_equal(usim_routing_ind_encode(ef, "012"), 4);
	assert_memory_equal(ef, "\x10\xf2\xff\xff", 4);
	assert_int_equal(usim_routing_ind_decode(text, ef, 4), 0);
	assert_string_equal(text, "012");
	assert_int_equal(usim_routing_ind_encode(ef, ""), OTA_E_DIGITS);
	assert_int_equal(usim_routing_ind_encode(ef, "12345"), OTA_E_DIGITS);
	assert_int_equal(usim_routing_ind_decode(text, ef, 3), OTA_E_SHORT);
	assert_int_equal(usim_routing_ind_decode(text, ef, 5), OTA_E_LENGTH);
	assert_int_equal(usim_routing_ind_decode(text, (const uint8_t *)"\xff\xff\xff\xff", 4), OTA_E_DIGITS);
	assert_int_equal(usim_routing_ind_decode(text, (const uint8_t *)"\x0a\xff\xff\xff", 4), OTA_E_DIGITS);
}

static void in_words(void **state)
{
	static const struct {
		enum usim_df df;
		uint16_t fid;
		const char *ef;
		size_t len;
		int rc;
		const char *text;
	} rows[] = {
		{ USIM_ADF, USIM_FID_IMSI, "\x08\x29\x26\x10\x11\x60\x84\x57\x40", 9, 0, "IMSI 262011106487504" },
		{ USIM_MF, USIM_FID_ICCID, "\x98\x88\x11\x22\x00\x00\x00\x00\x10\xf7", 10, 0,
		  "ICCID 8988112200000000017" },
		{ USIM_MF, USIM_FID_ICCID, "\x98\x88\x11\x22\x00\x00\x00\x00\x10\xf8", 10, 0,
		  "ICCID 8988112200000000018, check digit wrong" },
		{ USIM_ADF, USIM_FID_LOCI, "\x47\xd1\x26\x4a\x62\xf2\x10\x37\x21\x1e\x00", 11, 0,
		  "PLMN 262-01, LAC 3721, TMSI 47D1264A, updated" },
		{ USIM_DF_GSM, SIM_FID_LOCIGPRS, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\xff\x01", 14, 0,
		  "no PLMN, LAC 0000, RAC FF, not updated" },
		{ USIM_ADF, USIM_FID_EPSLOCI, "\0\0\0\0\0\0\0\0\0\0\0\0\xaa\xf2\x10\x12\x34\x02", 18, 0,
		  "PLMN AAF210 (malformed), TAC 1234, PLMN not allowed" },
		{ USIM_DF_5GS, USIM_FID_5GS3GPPLOCI, "\0\0\0\0\0\0\0\0\0\0\0\0\0\x62\xf2\x10\x12\x34\x56\x03", 20, 0,
		  "PLMN 262-01, TAC 123456, area not allowed" },
		{ USIM_ADF, USIM_FID_KEYS,
		  "\x07"
		  "12345678901234567890123456789012",
		  33, 0, "no keys" },
		{ USIM_ADF, USIM_FID_KEYSPS,
		  "\x01"
		  "12345678901234567890123456789012",
		  33, 0, "keys, KSI 1" },
		{ USIM_DF_GSM, SIM_FID_KC, "12345678\x05", 9, 0, "key, CKSN 5" },
		{ USIM_DF_GSM, SIM_FID_KCGPRS, "12345678\x07", 9, 0, "no key" },
		{ USIM_ADF, USIM_FID_FPLMN, "\x62\xf2\x10\xff\xff\xff", 6, 0, "262-01, -" },
		{ USIM_ADF, USIM_FID_HPLMNWACT, "\x62\xf2\x10\x40\x00", 5, 0, "262-01 (4000)" },
		{ USIM_ADF, USIM_FID_ACC, "\x80\x10", 2, 0, "access classes 4 15" },
		{ USIM_ADF, USIM_FID_AD, "\x00\x00\x00\x02", 4, 0, "mode 00, MNC of 2 digits" },
		{ USIM_ADF, USIM_FID_HPPLMN, "\x05", 1, 0, "search for the home network every 30 minutes" },
		{ USIM_ADF, USIM_FID_MSISDN, "\x04\xb1\x21\x43\xf5\xff\xff\xff\xff\xff\xff\xff\xff\xff", 14, 0,
		  "MSISDN 12345" },
		{ USIM_ADF, USIM_FID_MSISDN, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 14, 0,
		  "no MSISDN" },
		{ USIM_ADF, USIM_FID_SMSP,
		  "\xe0\x05\x91\x21\x43\xf5\xff\xff\xff\xff\xff\xff\xff\x04\x81\x21\x43\xf5\xff\xff\xff\xff\xff\xff\xff"
		  "\x00\x04\xa7",
		  28, 0, "SMS parameters, to +12345, service centre 12345, PID 00, DCS 04, valid for 1440 minutes" },
		{ USIM_ADF_ISIM, ISIM_FID_IMPI,
		  "\x80\x03"
		  "a@\x01",
		  5, 0, "\"a@?\"" },
		{ USIM_DF_5GS, USIM_FID_ROUTING_IND, "\x10\xf2\xff\xff", 4, 0, "routing indicator 012" },
		{ USIM_ADF, USIM_FID_THRESHOLD, "\x01\x02\x03", 3, 0, "keys are used up when START is 10203" },
		{ USIM_ADF, USIM_FID_UST, "\x01\x02\x03", 3, 0, "3 octets" },
		{ USIM_ADF, USIM_FID_GID1, "\x0a\xff\x33\xff\xff", 5, 0, "group 0AFF33" },
		{ USIM_ADF, USIM_FID_GID2, "\xff\xff", 2, 0, "no group" },
		{ USIM_ADF, USIM_FID_PNN, "\x43\x0a\x82\xd4\x32\xbb\xbc\x7e\xb7\x5d\xe4\x32\xff", 13, 0,
		  "network name \"Telekom.de\"" },
		{ USIM_ADF, USIM_FID_PNN,
		  "\x43\x05\x90\x4e\x2d\x56\xfd\x45\x03\x8a"
		  "AA\x80\x01z\xff",
		  16, 0,
		  "network name \"\xe4\xb8\xad\xe5\x9b\xbd\" (UCS2), short \"A$\" with the country's initials, "
		  "1 octets of "
		  "additional information" },
		{ USIM_ADF, USIM_FID_PNN, "\x45\x02\x81\x41", 4, 0, "short network name \"A\"" },
		{ USIM_ADF, USIM_FID_PNN, "\xff\xff\xff", 3, 0, "no network name" },
		{ USIM_ADF, USIM_FID_OPL, "\x62\xf2\x10\x00\x00\xff\xfe\x01", 8, 0,
		  "PLMN 262-01, all areas: the name in record 1 of EF_PNN" },
		{ USIM_ADF, USIM_FID_OPL, "\x21\x63\xd4\x78\x9a\xbc\xde\x00", 8, 0,
		  "PLMN 123-4D6, areas 789A to BCDE: a name from elsewhere" },
		{ USIM_ADF, USIM_FID_OPL, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, 0, "no network" },
		{ USIM_ADF, USIM_FID_ECC, "\x11\xf2\xff\x1f", 4, 0,
		  "emergency number 112, police, ambulance, fire brigade, marine guard, mountain rescue" },
		{ USIM_ADF, USIM_FID_ECC,
		  "\x11\xf2\xff"
		  "SOS\x01\xff\xff\xe0",
		  10, 0, "emergency number 112 \"SOS?\", manual eCall, automatic eCall" },
		{ USIM_ADF, USIM_FID_ECC, "\xff\xff\xff\x00", 4, 0, "no emergency number" },
		{ USIM_DF_5GS, USIM_FID_SUCI_CALC_INFO, "\xff\xff\xff", 3, 0, "nothing set for SUCI" },
		{ USIM_DF_5GS, USIM_FID_SUCI_CALC_INFO, "\xa0\x02\x00\x00", 4, 0, "SUCI by null scheme" },
		{ USIM_DF_5GS, USIM_FID_SUCI_CALC_INFO, "\xa0\x04\x0d\x01\x01\x02\xa1\x07\x80\x01\x1b\x81\x02zz\xff",
		  15, 0, "SUCI by scheme 13 with key 27 of 2 octets, then profile A with a key that is not there" },
		{ USIM_DF_5GS, USIM_FID_SUCI_CALC_INFO, "\xa0\x03\x00\x00\x00", 5, OTA_E_LENGTH, NULL },
		{ USIM_ADF, USIM_FID_IMSI, "\x08", 1, OTA_E_LENGTH,
		  "EF_IMSI: 1 octets that are no such contents: a length field contradicts another or the input" },
		{ USIM_ADF, 0x1234, "\x08", 1, OTA_E_FORMAT, "1 octets of an unknown file" },
		{ USIM_ADF, USIM_FID_FPLMN, "\xaa\xf2\x10", 3, OTA_E_DIGITS, NULL },
	};
	char text[200], tiny[5];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t *copy = exact(rows[i].ef, rows[i].len);

		assert_int_equal(usim_describe(text, sizeof(text), rows[i].df, rows[i].fid, copy, rows[i].len),
				 rows[i].rc);
		if (rows[i].text)
			assert_string_equal(text, rows[i].text);
		usim_describe(tiny, sizeof(tiny), rows[i].df, rows[i].fid, copy, rows[i].len);
		assert_true(strlen(tiny) < sizeof(tiny));
		free(copy);
	}
	assert_int_equal(usim_describe(NULL, 0, USIM_ADF, USIM_FID_ACC, NULL, 0), OTA_E_SPACE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deleted_values), cmocka_unit_test(files_and_lengths), cmocka_unit_test(locations),
		cmocka_unit_test(lists),	  cmocka_unit_test(small_files),       cmocka_unit_test(numbers),
		cmocka_unit_test(isim),		  cmocka_unit_test(in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
