/* usim.c - file contents of TS 31.102, 4.2 (and EF_ICCID of TS 102 221) that an IMSI change reads or writes.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <string.h>

#include "ota/codec.h"
#include "ota/wr.h"

#include "codec_int.h"

#define IMSI_DIGITS_MIN	 6
#define IMSI_DIGITS_MAX	 15
#define ICCID_DIGITS_MIN 18
#define ICCID_DIGITS_MAX 20
#define IMSI_ODD	 0x9 /* low nibble of octet 2: b3-b1 001 "IMSI", b4 parity (TS 24.008, 10.5.1.4) */
#define IMSI_EVEN	 0x1
#define LOCI_NOT_UPDATED 0x01

/* Number of digits, or 0 when there is anything else in it or more than max. */
static size_t digits_len(const char *s, size_t max)
{
	size_t n = 0;

	while (s[n] >= '0' && s[n] <= '9' && n <= max)
		n++;
	return s[n] || n > max ? 0 : n;
}

/* TS 31.102, 4.2.2: length, then the parity nibble and the digits, two to an octet, first one low. */
int usim_imsi_encode(uint8_t ef[USIM_IMSI_LEN], const char *imsi)
{
	size_t n = digits_len(imsi, IMSI_DIGITS_MAX);

	if (n < IMSI_DIGITS_MIN)
		return OTA_E_DIGITS;
	memset(ef, 0xff, USIM_IMSI_LEN);
	ef[0] = (uint8_t)(n / 2 + 1);
	ef[1] = (uint8_t)((imsi[0] - '0') << 4 | (n & 1 ? IMSI_ODD : IMSI_EVEN));
	bcd_write(ef + 2, imsi + 1, n - 1, 0xf);
	return USIM_IMSI_LEN;
}

int usim_imsi_decode(char imsi[16], const uint8_t *ef, size_t len)
{
	uint8_t type;
	size_t n;

	imsi[0] = '\0';
	if (len < 1 || len < (size_t)ef[0] + 1)
		return OTA_E_SHORT;
	if (ef[0] < 1 || ef[0] > 8)
		return OTA_E_LENGTH;
	type = ef[1] & 0x0f;
	if (type != IMSI_ODD && type != IMSI_EVEN)
		return OTA_E_FORMAT;
	n = (size_t)ef[0] * 2 - (type == IMSI_ODD ? 1 : 2);
	if (n < IMSI_DIGITS_MIN || ef[1] >> 4 > 9)
		return OTA_E_DIGITS;
	if (type == IMSI_EVEN && ef[ef[0]] >> 4 != 0xf)
		return OTA_E_FORMAT;
	if (!bcd_read(imsi + 1, ef + 2, n - 1)) {
		imsi[0] = '\0';
		return OTA_E_DIGITS;
	}
	imsi[0] = (char)('0' + (ef[1] >> 4));
	return 0;
}

/* TS 102 221, 13.2 */
int usim_iccid_encode(uint8_t ef[USIM_ICCID_LEN], const char *iccid)
{
	size_t n = digits_len(iccid, ICCID_DIGITS_MAX);

	if (n < ICCID_DIGITS_MIN)
		return OTA_E_DIGITS;
	memset(ef, 0xff, USIM_ICCID_LEN);
	bcd_write(ef, iccid, n, 0xf);
	return USIM_ICCID_LEN;
}

int usim_iccid_decode(char iccid[21], const uint8_t *ef, size_t len)
{
	size_t n = ICCID_DIGITS_MAX;

	iccid[0] = '\0';
	if (len < USIM_ICCID_LEN)
		return OTA_E_SHORT;
	if (len > USIM_ICCID_LEN)
		return OTA_E_LENGTH;
	while (n > ICCID_DIGITS_MIN && (n & 1 ? ef[n / 2] & 0x0f : ef[n / 2 - 1] >> 4) == 0xf)
		n--;
	if (!bcd_read(iccid, ef, n)) {
		iccid[0] = '\0';
		return OTA_E_DIGITS;
	}
	return 0;
}

/* TS 24.008, 10.5.1.3: MCC2 MCC1, MNC3 MCC3, MNC2 MNC1 */
int usim_plmn_encode(uint8_t plmn[3], const char *mcc, const char *mnc)
{
	size_t n = digits_len(mnc, 3);
	uint8_t d[6];

	if (digits_len(mcc, 3) != 3 || n < 2)
		return OTA_E_DIGITS;
	for (size_t i = 0; i < 3; i++)
		d[i] = (uint8_t)(mcc[i] - '0');
	d[3] = (uint8_t)(mnc[0] - '0');
	d[4] = (uint8_t)(mnc[1] - '0');
	d[5] = n == 3 ? (uint8_t)(mnc[2] - '0') : 0xf;
	plmn[0] = (uint8_t)(d[1] << 4 | d[0]);
	plmn[1] = (uint8_t)(d[5] << 4 | d[2]);
	plmn[2] = (uint8_t)(d[4] << 4 | d[3]);
	return 3;
}

int usim_plmn_decode(char mcc[4], char mnc[4], const uint8_t plmn[3])
{
	uint8_t d[6] = { plmn[0] & 0x0f, plmn[0] >> 4, plmn[1] & 0x0f, plmn[2] & 0x0f, plmn[2] >> 4, plmn[1] >> 4 };
	size_t n = d[5] == 0xf ? 2 : 3;

	mcc[0] = mnc[0] = '\0';
	for (size_t i = 0; i < 3 + n; i++)
		if (d[i] > 9)
			return OTA_E_DIGITS;
	for (size_t i = 0; i < 3; i++)
		mcc[i] = (char)('0' + d[i]);
	for (size_t i = 0; i < n; i++)
		mnc[i] = (char)('0' + d[3 + i]);
	mcc[3] = mnc[n] = '\0';
	return 0;
}

/* TS 31.102, 4.2.15: b8 of octet 1 is class 15, b1 of octet 2 is class 0. */
int usim_acc_from_imsi(uint8_t ef[2], const char *imsi)
{
	size_t n = digits_len(imsi, IMSI_DIGITS_MAX);
	unsigned bit;

	if (n < IMSI_DIGITS_MIN)
		return OTA_E_DIGITS;
	bit = 1u << (imsi[n - 1] - '0');
	ef[0] = (uint8_t)(bit >> 8);
	ef[1] = (uint8_t)bit;
	return 2;
}

/* TS 31.102, 4.2.17, 4.2.23, 4.2.91: identity, PLMN all ones, "deleted" area code, then one or no octet of ones, then
 * the update status. */
static int loci_deleted(uint8_t *ef, size_t len, size_t ones, uint16_t area, size_t ones_after)
{
	struct wr w = wr_init(ef, len);

	wr_fill(&w, 0xff, ones);
	wr_be(&w, area, 2);
	wr_fill(&w, 0xff, ones_after);
	wr_u8(&w, LOCI_NOT_UPDATED);
	return (int)wr_len(&w);
}

int usim_loci_deleted(uint8_t ef[USIM_LOCI_LEN], uint16_t lac)
{
	return loci_deleted(ef, USIM_LOCI_LEN, 4 + 3, lac, 1);		/* TMSI, PLMN; RFU */
}

int usim_psloci_deleted(uint8_t ef[USIM_PSLOCI_LEN], uint16_t lac)
{
	return loci_deleted(ef, USIM_PSLOCI_LEN, 4 + 3 + 3, lac, 1);	/* P-TMSI, signature, PLMN; RAC */
}

int usim_epsloci_deleted(uint8_t ef[USIM_EPSLOCI_LEN], uint16_t tac)
{
	return loci_deleted(ef, USIM_EPSLOCI_LEN, 12 + 3, tac, 0);	/* GUTI, PLMN */
}

/* TS 31.102, 4.2.3: key set identifier 7 is "no key available". */
int usim_keys_deleted(uint8_t ef[USIM_KEYS_LEN])
{
	memset(ef, 0xff, USIM_KEYS_LEN);
	ef[0] = 0x07;
	return USIM_KEYS_LEN;
}

const char *usim_file_name(uint16_t fid)
{
	static const struct {
		uint16_t fid;
		const char *name;
	} names[] = {
		{ 0x2fe2, "EF_ICCID" },
		{ 0x3f00, "MF" },
		{ 0x5fc0, "DF_5GS" },
		{ 0x6f05, "EF_LI" },
		{ USIM_FID_IMSI, "EF_IMSI" },
		{ USIM_FID_KEYS, "EF_Keys" },
		{ USIM_FID_KEYSPS, "EF_KeysPS" },
		{ 0x6f20, "EF_Kc" },
		{ 0x6f31, "EF_HPPLMN" },
		{ 0x6f38, "EF_UST" },
		{ 0x6f3c, "EF_SMS" },
		{ 0x6f3e, "EF_GID1" },
		{ 0x6f3f, "EF_GID2" },
		{ 0x6f40, "EF_MSISDN" },
		{ USIM_FID_SMSP, "EF_SMSP" },
		{ 0x6f46, "EF_SPN" },
		{ 0x6f52, "EF_KcGPRS" },
		{ 0x6f53, "EF_LOCIGPRS" },
		{ 0x6f5b, "EF_START-HFN" },
		{ 0x6f5c, "EF_THRESHOLD" },
		{ 0x6f60, "EF_PLMNwAcT" },
		{ 0x6f61, "EF_OPLMNwACT" },
		{ USIM_FID_HPLMNWACT, "EF_HPLMNwAcT" },
		{ USIM_FID_PSLOCI, "EF_PSLOCI" },
		{ 0x6f74, "EF_BCCH" },
		{ USIM_FID_ACC, "EF_ACC" },
		{ USIM_FID_FPLMN, "EF_FPLMN" },
		{ USIM_FID_LOCI, "EF_LOCI" },
		{ USIM_FID_AD, "EF_AD" },
		{ 0x6fb7, "EF_ECC" },
		{ 0x6fc4, "EF_NETPAR" },
		{ 0x6fc5, "EF_PNN" },
		{ 0x6fc6, "EF_OPL" },
		{ 0x6fd9, "EF_EHPLMN" },
		{ USIM_FID_EPSLOCI, "EF_EPSLOCI" },
		{ 0x6fe4, "EF_EPSNSC" },
		{ 0x7f10, "DF_TELECOM" },
		{ 0x7f20, "DF_GSM" },
		{ 0x7fff, "ADF_USIM" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].fid == fid)
			return names[i].name;
	return NULL;
}

/* ITU-T E.118 and ISO/IEC 7812-1: doubled from the second digit on, counted from the right. */
bool ota_luhn_ok(const char *digits)
{
	size_t n = digits_len(digits, ICCID_DIGITS_MAX);
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned d = (unsigned)(digits[n - 1 - i] - '0') << (i & 1);

		sum += d > 9 ? d - 9 : d;
	}
	return n && sum % 10 == 0;
}
