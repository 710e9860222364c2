/* usim.c - files that say who the subscriber is: TS 31.102, 4.2; TS 31.103, 4.2; EF_ICCID of TS 102 221.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "ota/codec.h"
#include "ota/rd.h"
#include "ota/wr.h"

#include "codec_int.h"

#define IMSI_DIGITS_MIN	 6
#define IMSI_DIGITS_MAX	 15
#define ICCID_DIGITS_MIN 18
#define ICCID_DIGITS_MAX 20
#define IMSI_ODD	 0x9 /* low nibble of octet 2: b3-b1 001 "IMSI", b4 parity (TS 24.008, 10.5.1.4) */
#define IMSI_EVEN	 0x1
#define MSISDN_FIXED	 14 /* octets of a record behind the alpha identifier */
#define MSISDN_BCD	 10
#define TAG_ISIM_TEXT	 0x80
#define WILD		 0xd /* any digit of a PLMN (TS 31.102, 4.2.59) */
#define WILD_CHAR	 'D'
#define NONE		 0xff

size_t digits_len(const char *s, size_t max)
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
static bool plmn_digits(uint8_t *d, const char *s, size_t n, bool wild)
{
	for (size_t i = 0; i < n; i++) {
		if ((s[i] < '0' || s[i] > '9') && (s[i] != WILD_CHAR || !wild))
			return false;
		d[i] = s[i] == WILD_CHAR ? WILD : (uint8_t)(s[i] - '0');
	}
	return true;
}

int plmn_write(uint8_t plmn[3], const char *mcc, const char *mnc, bool wild)
{
	size_t n = strnlen(mnc, 4);
	uint8_t d[6];

	if (strnlen(mcc, 4) != 3 || n < 2 || n > 3 || !plmn_digits(d, mcc, 3, wild) ||
	    !plmn_digits(d + 3, mnc, n, wild))
		return OTA_E_DIGITS;
	if (n == 2)
		d[5] = 0xf;
	plmn[0] = (uint8_t)(d[1] << 4 | d[0]);
	plmn[1] = (uint8_t)(d[5] << 4 | d[2]);
	plmn[2] = (uint8_t)(d[4] << 4 | d[3]);
	return 3;
}

int plmn_read(char mcc[4], char mnc[4], const uint8_t plmn[3], bool wild)
{
	uint8_t d[6] = { plmn[0] & 0x0f, plmn[0] >> 4, plmn[1] & 0x0f, plmn[2] & 0x0f, plmn[2] >> 4, plmn[1] >> 4 };
	size_t n = d[5] == 0xf ? 2 : 3;

	mcc[0] = mnc[0] = '\0';
	for (size_t i = 0; i < 3 + n; i++)
		if (d[i] > 9 && (d[i] != WILD || !wild))
			return OTA_E_DIGITS;
	for (size_t i = 0; i < 3; i++)
		mcc[i] = d[i] == WILD ? WILD_CHAR : (char)('0' + d[i]);
	for (size_t i = 0; i < n; i++)
		mnc[i] = d[3 + i] == WILD ? WILD_CHAR : (char)('0' + d[3 + i]);
	mcc[3] = mnc[n] = '\0';
	return 0;
}

int usim_plmn_encode(uint8_t plmn[3], const char *mcc, const char *mnc)
{
	return plmn_write(plmn, mcc, mnc, false);
}

int usim_plmn_decode(char mcc[4], char mnc[4], const uint8_t plmn[3])
{
	return plmn_read(mcc, mnc, plmn, false);
}

/* TS 31.102, 4.2.15: b8 of octet 1 is class 15, b1 of octet 2 is class 0. */
int usim_acc_encode(uint8_t ef[USIM_ACC_LEN], uint16_t classes)
{
	ef[0] = (uint8_t)(classes >> 8);
	ef[1] = (uint8_t)classes;
	return USIM_ACC_LEN;
}

int usim_acc_decode(uint16_t *classes, const uint8_t *ef, size_t len)
{
	*classes = 0;
	if (len != USIM_ACC_LEN)
		return len < USIM_ACC_LEN ? OTA_E_SHORT : OTA_E_LENGTH;
	*classes = (uint16_t)(ef[0] << 8 | ef[1]);
	return 0;
}

int usim_acc_from_imsi(uint8_t ef[2], const char *imsi)
{
	size_t n = digits_len(imsi, IMSI_DIGITS_MAX);

	if (n < IMSI_DIGITS_MIN)
		return OTA_E_DIGITS;
	return usim_acc_encode(ef, (uint16_t)(1u << (imsi[n - 1] - '0')));
}

/* ------------------------------------------------------------------------------------------------- numbers */

/* TS 51.011, 10.5.1 and TS 31.102, 4.2.26: length of what follows in octets, type, digits; the rest FF.  `room` is for
 * the digits.  No digits: all FF. */
int ef_addr_write(struct wr *w, const struct ota_addr *a, size_t room)
{
	uint8_t bcd[10];
	size_t n = strnlen(a->digits, sizeof(a->digits)), octets = (n + 1) / 2;

	if (n == 0) {
		wr_fill(w, NONE, 2 + room);
		return 0;
	}
	if (octets > room || octets > sizeof(bcd) || a->ton > 7 || a->npi > 15)
		return OTA_E_RANGE;
	if (a->ton == OTA_TON_ALPHANUMERIC || !bcd_write(bcd, a->digits, n, 0xf))
		return OTA_E_DIGITS;
	wr_u8(w, (uint8_t)(1 + octets));
	wr_u8(w, (uint8_t)(0x80 | a->ton << 4 | a->npi));
	wr_bytes(w, bcd, octets);
	wr_fill(w, NONE, room - octets);
	return 0;
}

int ef_addr_read(struct rd *r, struct ota_addr *a, size_t room)
{
	uint8_t len = rd_u8(r), type = rd_u8(r);
	const uint8_t *bcd = rd_bytes(r, room);
	size_t n;

	memset(a, 0, sizeof(*a));
	if (!bcd)
		return OTA_E_SHORT;
	if (len == NONE || len == 0)
		return 0;
	if (len > 1 + room || len < 2)
		return OTA_E_LENGTH;
	n = 2 * (size_t)(len - 1);
	if (bcd[len - 2] >> 4 == 0xf)
		n--;
	a->ton = type >> 4 & 7;
	a->npi = type & 0x0f;
	if (!bcd_read(a->digits, bcd, n)) {
		memset(a, 0, sizeof(*a));
		return OTA_E_DIGITS;
	}
	return 0;
}

/* Octets in front of the FF that fill up an alpha identifier. */
size_t alpha_len(const uint8_t *p, size_t len)
{
	while (len && p[len - 1] == NONE)
		len--;
	return len;
}

int usim_msisdn_encode(uint8_t *rec, size_t len, const struct usim_msisdn *m)
{
	struct wr w = wr_init(rec, len);
	int rc;

	if (len < USIM_MSISDN_LEN_MIN || len > 255 || m->alpha_len > len - MSISDN_FIXED)
		return OTA_E_LENGTH;
	wr_bytes(&w, m->alpha, m->alpha_len);
	wr_fill(&w, NONE, len - MSISDN_FIXED - m->alpha_len);
	rc = ef_addr_write(&w, &m->addr, MSISDN_BCD);
	if (rc)
		return rc;
	wr_fill(&w, NONE, 2); /* no capability/configuration record, no extension */
	return (int)wr_len(&w);
}

int usim_msisdn_decode(struct usim_msisdn *m, const uint8_t *rec, size_t len)
{
	struct rd r = rd_init(rec, len);

	memset(m, 0, sizeof(*m));
	if (len < USIM_MSISDN_LEN_MIN)
		return OTA_E_SHORT;
	if (len > 255)
		return OTA_E_LENGTH;
	m->alpha = rd_bytes(&r, len - MSISDN_FIXED);
	m->alpha_len = alpha_len(m->alpha, len - MSISDN_FIXED);
	return ef_addr_read(&r, &m->addr, MSISDN_BCD);
}

/* TS 31.102, 4.4.11.11; TS 24.501, 9.11.3.4: digits low nibble first, filled up with F; two octets for later use. */
int usim_routing_ind_encode(uint8_t ef[USIM_ROUTING_IND_LEN], const char *digits)
{
	size_t n = digits_len(digits, 4);

	if (n == 0)
		return OTA_E_DIGITS;
	memset(ef, NONE, USIM_ROUTING_IND_LEN);
	bcd_write(ef, digits, n, 0xf);
	return USIM_ROUTING_IND_LEN;
}

int usim_routing_ind_decode(char digits[5], const uint8_t *ef, size_t len)
{
	size_t n = 4;

	digits[0] = '\0';
	if (len != USIM_ROUTING_IND_LEN)
		return len < USIM_ROUTING_IND_LEN ? OTA_E_SHORT : OTA_E_LENGTH;
	while (n && (n & 1 ? ef[n / 2] & 0x0f : ef[n / 2 - 1] >> 4) == 0xf)
		n--;
	if (n == 0 || !bcd_read(digits, ef, n)) {
		digits[0] = '\0';
		return OTA_E_DIGITS;
	}
	return 0;
}

/* ---------------------------------------------------------------------------------------------------- ISIM */

int usim_isim_encode(uint8_t *ef, size_t len, const char *text)
{
	struct wr w = wr_init(ef, len);
	size_t n = strlen(text);

	if (n > 0xff)
		return OTA_E_LENGTH;
	wr_u8(&w, TAG_ISIM_TEXT);
	if (n > 0x7f)
		wr_u8(&w, 0x81);
	wr_u8(&w, (uint8_t)n);
	wr_bytes(&w, text, n);
	if (w.bad)
		return OTA_E_SPACE;
	wr_fill(&w, NONE, len - wr_len(&w));
	return (int)len;
}

int usim_isim_decode(char *text, size_t cap, const uint8_t *ef, size_t len)
{
	struct rd r = rd_init(ef, len);
	const uint8_t *p;
	size_t n;
	int rc;

	if (cap == 0)
		return OTA_E_SPACE;
	text[0] = '\0';
	if (rd_u8(&r) != TAG_ISIM_TEXT)
		return r.bad ? OTA_E_SHORT : OTA_E_FORMAT;
	rc = ber_len_read(&r, &n);
	if (rc)
		return rc;
	p = rd_bytes(&r, n);
	if (!p)
		return OTA_E_SHORT;
	if (n >= cap)
		return OTA_E_SPACE;
	/* It becomes a string of ours: no end in the middle of it. */
	if (memchr(p, 0, n))
		return OTA_E_FORMAT;
	memcpy(text, p, n);
	text[n] = '\0';
	return 0;
}

/* TS 23.003, 13.2: a two-digit MNC gets a 0 in front. */
int usim_ims_domain(char text[USIM_IMS_TEXT_MAX], const char *imsi, unsigned mnc_len)
{
	size_t n = digits_len(imsi, IMSI_DIGITS_MAX);

	text[0] = '\0';
	if (n < IMSI_DIGITS_MIN || (mnc_len != 2 && mnc_len != 3))
		return OTA_E_DIGITS;
	return snprintf(text, USIM_IMS_TEXT_MAX, "ims.mnc%s%.*s.mcc%.3s.3gppnetwork.org", mnc_len == 2 ? "0" : "",
			(int)mnc_len, imsi + 3, imsi);
}

/* 13.3 */
int usim_ims_impi(char text[USIM_IMS_TEXT_MAX], const char *imsi, unsigned mnc_len)
{
	char domain[USIM_IMS_TEXT_MAX];
	int rc = usim_ims_domain(domain, imsi, mnc_len);

	text[0] = '\0';
	return rc < 0 ? rc : snprintf(text, USIM_IMS_TEXT_MAX, "%.15s@%.40s", imsi, domain);
}

/* 13.4B: the temporary public identity, "sip:" and the private one. */
int usim_ims_impu(char text[USIM_IMS_TEXT_MAX], const char *imsi, unsigned mnc_len)
{
	char impi[USIM_IMS_TEXT_MAX];
	int rc = usim_ims_impi(impi, imsi, mnc_len);

	text[0] = '\0';
	return rc < 0 ? rc : snprintf(text, USIM_IMS_TEXT_MAX, "sip:%.59s", impi);
}

/* ------------------------------------------------------------------------------------------------- ICCID */

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
