/* tpdu.c - SMS-DELIVER and SMS-SUBMIT with 8-bit data: TS 23.040, 9.2.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Only what (U)SIM data download needs: TP-UD is taken as octets, whatever TP-DCS says; packed 7-bit text, whose TP-UDL
 * counts septets, is refused by its length.
 */
#include <string.h>

#include "ota/codec.h"
#include "ota/rd.h"
#include "ota/wr.h"

#include "codec_int.h"

/* First octet, 9.2.3.1 and following */
#define MTI_MASK     0x03
#define MTI_DELIVER  0x00
#define MTI_SUBMIT   0x01
#define DELIVER_MMS  0x04
#define UDHI	     0x40
#define VPF_MASK     0x18
#define VPF_NONE     0x00
#define VPF_RELATIVE 0x10

#define ADDR_DIGITS_MAX 20
#define ALPHA_CHARS_MAX 11 /* septets that 20 semi-octets hold */

bool bcd_write(uint8_t *out, const char *digits, size_t n, uint8_t filler)
{
	for (size_t i = 0; i < n; i++)
		if (digits[i] < '0' || digits[i] > '9')
			return false;
	for (size_t i = 0; i < n; i += 2) {
		uint8_t high = i + 1 < n ? (uint8_t)(digits[i + 1] - '0') : filler;

		out[i / 2] = (uint8_t)(high << 4 | (digits[i] - '0'));
	}
	return true;
}

bool bcd_read(char *digits, const uint8_t *in, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t d = i & 1 ? in[i / 2] >> 4 : in[i / 2] & 0x0f;

		if (d > 9)
			return false;
		digits[i] = (char)('0' + d);
	}
	digits[n] = '\0';
	return true;
}

/* Of the default alphabet as far as ASCII goes; everything else reads as '?'. */
static char gsm_to_ascii(uint8_t septet)
{
	uint16_t c = gsm7_char(septet);

	return c < 0x7f ? (char)c : '?';
}

/* 9.1.2.5: septets packed as in TP-UD, the first in the lowest bits; the length counts used semi-octets. */
static int alpha_write(struct wr *w, const struct ota_addr *a, size_t n)
{
	uint8_t packed[ADDR_DIGITS_MAX / 2] = { 0 };

	if (n > ALPHA_CHARS_MAX)
		return OTA_E_RANGE;
	for (size_t i = 0; i < n; i++) {
		char c = a->digits[i];
		int septet = text_shown((uint8_t)c) && (uint8_t)c < 0x7f ? gsm7_septet((uint8_t)c) : -1;

		if (septet < 0)
			return OTA_E_DIGITS;
		septet_put(packed, i, (uint8_t)septet);
	}
	wr_u8(w, (uint8_t)((7 * n + 3) / 4));
	wr_u8(w, (uint8_t)(0x80 | a->ton << 4 | a->npi));
	wr_bytes(w, packed, (7 * n + 7) / 8);
	return 0;
}

static void alpha_read(struct ota_addr *a, const uint8_t *packed, size_t semi_octets)
{
	size_t n = semi_octets * 4 / 7;

	for (size_t i = 0; i < n; i++)
		a->digits[i] = gsm_to_ascii(septet_get(packed, i));
	a->digits[n] = '\0';
}

/* 9.1.2.5: number of semi-octets, type, semi-octets with F on top of an odd last one. */
static int addr_write(struct wr *w, const struct ota_addr *a)
{
	uint8_t bcd[ADDR_DIGITS_MAX / 2];
	size_t n = strnlen(a->digits, sizeof(a->digits));

	if (n > ADDR_DIGITS_MAX || a->ton > 7 || a->npi > 15)
		return OTA_E_RANGE;
	if (a->ton == OTA_TON_ALPHANUMERIC)
		return alpha_write(w, a, n);
	if (!bcd_write(bcd, a->digits, n, 0xf))
		return OTA_E_DIGITS;
	wr_u8(w, (uint8_t)n);
	wr_u8(w, (uint8_t)(0x80 | a->ton << 4 | a->npi));
	wr_bytes(w, bcd, (n + 1) / 2);
	return 0;
}

static int addr_read(struct rd *r, struct ota_addr *a)
{
	size_t n = rd_u8(r);
	uint8_t type = rd_u8(r);
	const uint8_t *bcd = rd_bytes(r, (n + 1) / 2);

	if (!bcd)
		return OTA_E_SHORT;
	if (n > ADDR_DIGITS_MAX)
		return OTA_E_LENGTH;
	a->ton = type >> 4 & 7;
	a->npi = type & 0x0f;
	if (a->ton == OTA_TON_ALPHANUMERIC)
		alpha_read(a, bcd, n);
	else if (!bcd_read(a->digits, bcd, n))
		return OTA_E_DIGITS;
	return 0;
}

static int ud_write(struct wr *w, const uint8_t *ud, size_t len)
{
	if (len > OTA_TP_UD_MAX || (len && !ud))
		return OTA_E_LENGTH;
	wr_u8(w, (uint8_t)len);
	wr_bytes(w, ud, len);
	return w->bad ? OTA_E_SPACE : (int)wr_len(w);
}

static int ud_read(struct rd *r, const uint8_t **ud, uint8_t *len)
{
	*len = rd_u8(r);
	if (*len > OTA_TP_UD_MAX)
		return OTA_E_LENGTH;
	*ud = rd_bytes(r, *len);
	if (r->bad)
		return OTA_E_SHORT;
	return rd_left(r) ? OTA_E_LENGTH : 0;
}

int ota_tpdu_deliver_encode(uint8_t *buf, size_t cap, const struct ota_tpdu_deliver *d)
{
	struct wr w = wr_init(buf, cap);
	int rc;

	wr_u8(&w, (uint8_t)(MTI_DELIVER | (d->mms ? DELIVER_MMS : 0) | (d->udhi ? UDHI : 0)));
	rc = addr_write(&w, &d->oa);
	if (rc)
		return rc;
	wr_u8(&w, d->pid);
	wr_u8(&w, d->dcs);
	wr_bytes(&w, d->scts, sizeof(d->scts));
	return ud_write(&w, d->ud, d->ud_len);
}

int ota_tpdu_deliver_decode(struct ota_tpdu_deliver *d, const uint8_t *tpdu, size_t len)
{
	struct rd r = rd_init(tpdu, len);
	uint8_t fo = rd_u8(&r);
	const uint8_t *scts;
	int rc;

	memset(d, 0, sizeof(*d));
	if (r.bad)
		return OTA_E_SHORT;
	if ((fo & MTI_MASK) != MTI_DELIVER)
		return OTA_E_FORMAT;
	d->mms = fo & DELIVER_MMS;
	d->udhi = fo & UDHI;
	rc = addr_read(&r, &d->oa);
	if (rc)
		return rc;
	d->pid = rd_u8(&r);
	d->dcs = rd_u8(&r);
	scts = rd_bytes(&r, sizeof(d->scts));
	if (!scts)
		return OTA_E_SHORT;
	memcpy(d->scts, scts, sizeof(d->scts));
	return ud_read(&r, &d->ud, &d->ud_len);
}

int ota_tpdu_submit_encode(uint8_t *buf, size_t cap, const struct ota_tpdu_submit *s)
{
	struct wr w = wr_init(buf, cap);
	int rc;

	wr_u8(&w, (uint8_t)(MTI_SUBMIT | VPF_NONE | (s->udhi ? UDHI : 0)));
	wr_u8(&w, s->mr);
	rc = addr_write(&w, &s->da);
	if (rc)
		return rc;
	wr_u8(&w, s->pid);
	wr_u8(&w, s->dcs);
	return ud_write(&w, s->ud, s->ud_len);
}

int ota_tpdu_submit_decode(struct ota_tpdu_submit *s, const uint8_t *tpdu, size_t len)
{
	struct rd r = rd_init(tpdu, len);
	uint8_t fo = rd_u8(&r);
	int rc;

	memset(s, 0, sizeof(*s));
	if (r.bad)
		return OTA_E_SHORT;
	if ((fo & MTI_MASK) != MTI_SUBMIT)
		return OTA_E_FORMAT;
	s->mr = rd_u8(&r);
	s->udhi = fo & UDHI;
	rc = addr_read(&r, &s->da);
	if (rc)
		return rc;
	s->pid = rd_u8(&r);
	s->dcs = rd_u8(&r);
	/* 9.2.3.3: none, relative (1), enhanced (7), absolute (7) */
	if ((fo & VPF_MASK) != VPF_NONE)
		rd_bytes(&r, (fo & VPF_MASK) == VPF_RELATIVE ? 1 : 7);
	return ud_read(&r, &s->ud, &s->ud_len);
}
