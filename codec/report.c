/* report.c - SMS-DELIVER-REPORT, SMS-SUBMIT-REPORT and time stamps: TS 23.040, 9.2.2.1a, 9.2.2.2a, 9.2.3.11.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 *	DELIVER-REPORT	first octet [TP-FCS] TP-PI [TP-PID] [TP-DCS] [TP-UDL TP-UD]
 *	SUBMIT-REPORT	first octet [TP-FCS] TP-PI TP-SCTS [TP-PID] [TP-DCS] [TP-UDL TP-UD]
 *
 * TP-FCS stands in RP-ERROR alone, and nothing in the TPDU tells that it is there.
 */
#include <string.h>

#include "ota/codec.h"
#include "ota/rd.h"
#include "ota/wr.h"

#include "codec_int.h"

#define MTI_MASK	   0x03
#define MTI_DELIVER_REPORT 0x00
#define MTI_SUBMIT_REPORT  0x01
#define UDHI		   0x40
#define PI_PID		   0x01 /* 9.2.3.27 */
#define PI_DCS		   0x02
#define PI_UDL		   0x04
#define PI_MORE		   0x80 /* another octet of TP-PI follows */
#define PI_OCTETS_MAX	   4	/* more of them mean nothing we could use */

static size_t ud_max(bool submit, bool error)
{
	return (size_t)(submit ? OTA_SUBMIT_REPORT_UD_MAX : OTA_DELIVER_REPORT_UD_MAX) - (error ? 1 : 0);
}

static int report_encode(uint8_t *buf, size_t cap, const struct ota_tpdu_report *r, bool submit)
{
	struct wr w = wr_init(buf, cap);

	if (r->has_ud && (r->ud_len > ud_max(submit, r->error) || (r->ud_len && !r->ud)))
		return OTA_E_LENGTH;
	/* 9.2.3.22: 00 to 7F are reserved, and would look like a TP-PI. */
	if ((r->error && !(r->fcs & 0x80)) || (r->udhi && !r->has_ud))
		return OTA_E_RANGE;
	wr_u8(&w, (uint8_t)((submit ? MTI_SUBMIT_REPORT : MTI_DELIVER_REPORT) | (r->udhi ? UDHI : 0)));
	if (r->error)
		wr_u8(&w, r->fcs);
	wr_u8(&w, (uint8_t)((r->has_pid ? PI_PID : 0) | (r->has_dcs ? PI_DCS : 0) | (r->has_ud ? PI_UDL : 0)));
	if (submit)
		wr_bytes(&w, r->scts, sizeof(r->scts));
	if (r->has_pid)
		wr_u8(&w, r->pid);
	if (r->has_dcs)
		wr_u8(&w, r->dcs);
	if (r->has_ud) {
		wr_u8(&w, r->ud_len);
		wr_bytes(&w, r->ud, r->ud_len);
	}
	return w.bad ? OTA_E_SPACE : (int)wr_len(&w);
}

/* The first octet of TP-PI counts; those behind it announce nothing that is defined. */
static uint8_t pi_read(struct rd *in)
{
	uint8_t first = rd_u8(in), pi = first;

	for (unsigned i = 1; pi & PI_MORE && i < PI_OCTETS_MAX; i++)
		pi = rd_u8(in);
	if (pi & PI_MORE)
		in->bad = true;
	return first;
}

static int report_decode(struct ota_tpdu_report *r, const uint8_t *tpdu, size_t len, bool submit, bool error)
{
	struct rd in = rd_init(tpdu, len);
	uint8_t fo = rd_u8(&in), pi;
	const uint8_t *scts;

	memset(r, 0, sizeof(*r));
	if (in.bad)
		return OTA_E_SHORT;
	if ((fo & MTI_MASK) != (submit ? MTI_SUBMIT_REPORT : MTI_DELIVER_REPORT))
		return OTA_E_FORMAT;
	r->udhi = fo & UDHI;
	r->error = error;
	if (error)
		r->fcs = rd_u8(&in);
	pi = pi_read(&in);
	if (submit) {
		scts = rd_bytes(&in, sizeof(r->scts));
		if (scts)
			memcpy(r->scts, scts, sizeof(r->scts));
	}
	r->has_pid = pi & PI_PID;
	r->has_dcs = pi & PI_DCS;
	r->has_ud = pi & PI_UDL;
	if (r->has_pid)
		r->pid = rd_u8(&in);
	if (r->has_dcs)
		r->dcs = rd_u8(&in);
	if (r->has_ud) {
		r->ud_len = rd_u8(&in);
		r->ud = rd_bytes(&in, r->ud_len);
	}
	if (in.bad)
		return OTA_E_SHORT;
	if (error && !(r->fcs & 0x80))
		return OTA_E_RANGE;
	if (r->udhi && !r->has_ud)
		return OTA_E_FORMAT;
	return rd_left(&in) || r->ud_len > ud_max(submit, error) ? OTA_E_LENGTH : 0;
}

int ota_tpdu_deliver_report_encode(uint8_t *buf, size_t cap, const struct ota_tpdu_report *r)
{
	return report_encode(buf, cap, r, false);
}

int ota_tpdu_deliver_report_decode(struct ota_tpdu_report *r, const uint8_t *tpdu, size_t len, bool rp_error)
{
	return report_decode(r, tpdu, len, false, rp_error);
}

int ota_tpdu_submit_report_encode(uint8_t *buf, size_t cap, const struct ota_tpdu_report *r)
{
	return report_encode(buf, cap, r, true);
}

int ota_tpdu_submit_report_decode(struct ota_tpdu_report *r, const uint8_t *tpdu, size_t len, bool rp_error)
{
	return report_decode(r, tpdu, len, true, rp_error);
}

/* 9.2.3.22 */
const char *ota_fcs_name(uint8_t fcs)
{
	static const struct {
		uint8_t fcs;
		const char *name;
	} names[] = {
		{ 0x80, "telematic interworking not supported" },
		{ 0x81, "short message type 0 not supported" },
		{ 0x82, "cannot replace short message" },
		{ 0x8f, "unspecified TP-PID error" },
		{ 0x90, "data coding scheme not supported" },
		{ 0x91, "message class not supported" },
		{ 0x9f, "unspecified TP-DCS error" },
		{ 0xa0, "command cannot be actioned" },
		{ 0xa1, "command unsupported" },
		{ 0xaf, "unspecified TP-Command error" },
		{ 0xb0, "TPDU not supported" },
		{ 0xc0, "SC busy" },
		{ 0xc1, "no SC subscription" },
		{ 0xc2, "SC system failure" },
		{ 0xc3, "invalid SME address" },
		{ 0xc4, "destination SME barred" },
		{ 0xc5, "SM rejected, duplicate SM" },
		{ 0xc6, "TP-VPF not supported" },
		{ 0xc7, "TP-VP not supported" },
		{ 0xd0, "(U)SIM SMS storage full" },
		{ 0xd1, "no SMS storage capability in (U)SIM" },
		{ 0xd2, "error in MS" },
		{ 0xd3, "memory capacity exceeded" },
		{ 0xd4, "(U)SIM application toolkit busy" },
		{ 0xd5, "(U)SIM data download error" },
		{ 0xff, "unspecified error cause" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].fcs == fcs)
			return names[i].name;
	return fcs >= 0xe0 ? "application specific" : "reserved failure cause";
}

/* -------------------------------------------------------------------------------------------- time stamps */

#define ZONE_MAX     79	  /* quarters of an hour: what two semi-octets and a sign hold */
#define ZONE_MINUS   0x08 /* b4 of the first (low) semi-octet is the sign */
#define MS_DAY	     86400000LL
#define DAYS_TO_2000 10957 /* from 1970 */

static unsigned month_days(unsigned year, unsigned month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	/* Between 2000 and 2099 every fourth year is a leap year. */
	return days[month - 1] + (month == 2 && year % 4 == 0);
}

static bool scts_ok(const struct ota_scts *t)
{
	return t->year >= 2000 && t->year <= 2099 && t->month >= 1 && t->month <= 12 && t->day >= 1 &&
	       t->day <= month_days(t->year, t->month) && t->hour < 24 && t->minute < 60 && t->second < 60 &&
	       t->zone >= -ZONE_MAX && t->zone <= ZONE_MAX;
}

/* Two digits, the first one low. */
static uint8_t swapped(unsigned v)
{
	return (uint8_t)(v % 10 << 4 | v / 10);
}

static bool unswapped(uint8_t *v, uint8_t octet)
{
	*v = (uint8_t)((octet & 0x0f) * 10 + (octet >> 4));
	return (octet & 0x0f) <= 9 && octet >> 4 <= 9;
}

int ota_scts_encode(uint8_t scts[7], const struct ota_scts *t)
{
	if (!scts_ok(t))
		return OTA_E_RANGE;
	scts[0] = swapped(t->year - 2000u);
	scts[1] = swapped(t->month);
	scts[2] = swapped(t->day);
	scts[3] = swapped(t->hour);
	scts[4] = swapped(t->minute);
	scts[5] = swapped(t->second);
	scts[6] = swapped((unsigned)(t->zone < 0 ? -t->zone : t->zone));
	if (t->zone < 0)
		scts[6] |= ZONE_MINUS;
	return 7;
}

int ota_scts_decode(struct ota_scts *t, const uint8_t scts[7])
{
	uint8_t v[7];

	memset(t, 0, sizeof(*t));
	for (size_t i = 0; i < 7; i++)
		if (!unswapped(&v[i], i == 6 ? scts[i] & ~ZONE_MINUS : scts[i]))
			return OTA_E_DIGITS;
	*t = (struct ota_scts){
		.year = (uint16_t)(2000 + v[0]),
		.month = v[1],
		.day = v[2],
		.hour = v[3],
		.minute = v[4],
		.second = v[5],
		.zone = (int8_t)(scts[6] & ZONE_MINUS ? -v[6] : v[6]),
	};
	return scts_ok(t) ? 0 : OTA_E_RANGE;
}

int ota_scts_from_utc(uint8_t scts[7], int64_t utc_ms, int zone)
{
	struct ota_scts t = { .year = 2000, .month = 1 };
	int64_t ms, days;

	if (zone < -ZONE_MAX || zone > ZONE_MAX || utc_ms < 0 || utc_ms > (DAYS_TO_2000 + 36600) * MS_DAY)
		return OTA_E_RANGE;
	ms = utc_ms + (int64_t)zone * 900000;
	days = ms / MS_DAY - DAYS_TO_2000;
	if (days < 0)
		return OTA_E_RANGE;
	while (t.year <= 2099 && days >= 365 + (t.year % 4 == 0))
		days -= 365 + (t.year++ % 4 == 0);
	while (t.month < 12 && days >= month_days(t.year, t.month))
		days -= month_days(t.year, t.month++);
	t.day = (uint8_t)(days + 1);
	t.hour = (uint8_t)(ms / 3600000 % 24);
	t.minute = (uint8_t)(ms / 60000 % 60);
	t.second = (uint8_t)(ms / 1000 % 60);
	t.zone = (int8_t)zone;
	return ota_scts_encode(scts, &t);
}

int ota_scts_to_utc(int64_t *utc_ms, const uint8_t scts[7])
{
	struct ota_scts t;
	int64_t days = DAYS_TO_2000;
	int rc = ota_scts_decode(&t, scts);

	*utc_ms = 0;
	if (rc)
		return rc;
	for (unsigned year = 2000; year < t.year; year++)
		days += 365 + (year % 4 == 0);
	for (unsigned month = 1; month < t.month; month++)
		days += month_days(t.year, month);
	days += t.day - 1;
	*utc_ms = days * MS_DAY + ((t.hour * 60 + t.minute) * 60 + t.second) * INT64_C(1000) - t.zone * INT64_C(900000);
	return 0;
}
