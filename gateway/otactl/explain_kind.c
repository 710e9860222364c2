/* explain_kind.c - what a string of octets is: every kind says how well it fits, and why.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <string.h>

#include "explain.h"
#include "ota/subscription.h"

#define CHL_FIXED 13
#define RHL_FIXED 10

enum { NO, PERHAPS, LIKELY, SURE };

static bool cc_length(unsigned header, unsigned fixed)
{
	return header == fixed || header == fixed + 2 || header == fixed + 4 || header == fixed + 8;
}

static unsigned fits_command(const uint8_t *p, size_t len, char *why, size_t cap)
{
	if (len < 10 || !cc_length(p[2], CHL_FIXED))
		return NO;
	if ((size_t)(p[0] << 8 | p[1]) != len - 2) {
		snprintf(why, cap, "CHL %02x is a header's length, but CPL %02x%02x does not count what follows", p[2],
			 p[0], p[1]);
		return p[3] & 0xe0 || p[4] & 0xc0 || p[5] >> 4 != p[6] >> 4 ? NO : PERHAPS;
	}
	snprintf(why, cap, "CPL %02x%02x counts what follows, CHL %02x is a header's length", p[0], p[1], p[2]);
	return p[3] & 0xe0 || p[4] & 0xc0 ? LIKELY : SURE;
}

static unsigned fits_response(const uint8_t *p, size_t len, char *why, size_t cap)
{
	if (len < 13 || !cc_length(p[2], RHL_FIXED))
		return NO;
	if ((size_t)(p[0] << 8 | p[1]) != len - 2) {
		snprintf(why, cap, "RHL %02x is a header's length, but RPL %02x%02x does not count what follows", p[2],
			 p[0], p[1]);
		return p[0] < 4 ? PERHAPS : NO;
	}
	snprintf(why, cap, "RPL %02x%02x counts what follows, RHL %02x is a header's length", p[0], p[1], p[2]);
	return SURE;
}

static unsigned fits_tp_ud(const uint8_t *p, size_t len, char *why, size_t cap)
{
	struct ota_udh h;

	if (len < 2 || len > OTA_TP_UD_MAX || p[0] == 0 || ota_udh_parse(&h, p, len) || (!h.pi && !h.concat))
		return NO;
	if (h.pi)
		snprintf(why, cap, "a User Data Header with identifier %02x", h.pi);
	else
		snprintf(why, cap, "a User Data Header with concatenation");
	return h.pi ? SURE : LIKELY;
}

static bool ud_is_ota(bool udhi, const uint8_t *ud, size_t len)
{
	struct ota_udh h;

	return udhi && !ota_udh_parse(&h, ud, len) && (h.pi || h.concat);
}

static unsigned fits_deliver(const uint8_t *p, size_t len, char *why, size_t cap)
{
	struct ota_tpdu_deliver d;
	struct ota_scts t;

	if (ota_tpdu_deliver_decode(&d, p, len) || ota_scts_decode(&t, d.scts))
		return NO;
	snprintf(why, cap, "TP-MTI 00, an address, a time stamp, and TP-UDL fits");
	return ud_is_ota(d.udhi, d.ud, d.ud_len) ? SURE : LIKELY;
}

static unsigned fits_submit(const uint8_t *p, size_t len, char *why, size_t cap)
{
	struct ota_tpdu_submit s;

	if (ota_tpdu_submit_decode(&s, p, len))
		return NO;
	snprintf(why, cap, "TP-MTI 01, an address, and TP-UDL fits");
	return ud_is_ota(s.udhi, s.ud, s.ud_len) ? SURE : PERHAPS;
}

static unsigned fits_report(const uint8_t *p, size_t len, char *why, size_t cap, bool submit)
{
	struct ota_tpdu_report r;
	struct ota_scts t;
	int rc = OTA_E_FORMAT;

	for (int error = 0; error < 2 && rc; error++)
		rc = submit ? ota_tpdu_submit_report_decode(&r, p, len, error) :
			      ota_tpdu_deliver_report_decode(&r, p, len, error);
	if (rc || (submit && ota_scts_decode(&t, r.scts)))
		return NO;
	snprintf(why, cap, "TP-MTI %s, and TP-PI tells all that follows", submit ? "01, a time stamp" : "00");
	return r.has_ud && ud_is_ota(r.udhi, r.ud, r.ud_len) ? SURE : submit ? LIKELY : PERHAPS;
}

static unsigned fits_deliver_report(const uint8_t *p, size_t len, char *why, size_t cap)
{
	return fits_report(p, len, why, cap, false);
}

static unsigned fits_submit_report(const uint8_t *p, size_t len, char *why, size_t cap)
{
	return fits_report(p, len, why, cap, true);
}

static int any_tlv(void *ctx, const struct ota_tlv *t)
{
	return 0;
}

/* Counts those without a name. */
static int nameless_apdu(void *ctx, const uint8_t *apdu, size_t len)
{
	char text[64];

	if (ota_sub_describe(text, sizeof(text), apdu, len))
		return 0;
	ota_apdu_describe(text, sizeof(text), apdu, len);
	if (!strncmp(text, "CLA ", 4) || !strncmp(text, "incomplete", 10) || (apdu[0] & 0x7c && apdu[0] != 0xa0))
		++*(unsigned *)ctx;
	return 0;
}

static unsigned fits_script(const uint8_t *p, size_t len, char *why, size_t cap)
{
	unsigned nameless = 0;
	enum ota_format f = ota_cmd_format(p, len);

	if (f == OTA_FORMAT_UNKNOWN)
		return NO;
	if (f != OTA_FORMAT_COMPACT) {
		snprintf(why, cap, "tag %02x, and the objects in it fill it", p[0]);
		return ota_tlv_each(p, len, any_tlv, NULL) ? NO : SURE;
	}
	if (len < 5 || ota_script_each(p, len, nameless_apdu, &nameless) || nameless)
		return NO;
	snprintf(why, cap, "C-APDUs one after another, each with a name");
	return LIKELY;
}

static unsigned fits_answer(const uint8_t *p, size_t len, char *why, size_t cap)
{
	enum ota_format f = ota_rsp_format(p, len);
	uint8_t sw1 = len >= 3 ? p[1] : 0;

	if (f == OTA_FORMAT_DEFINITE || f == OTA_FORMAT_INDEFINITE) {
		snprintf(why, cap, "tag %02x, and the objects in it fill it", p[0]);
		return SURE;
	}
	if (len < 3 || p[0] == 0 ||
	    !(sw1 == 0x90 || sw1 == 0x91 || (sw1 >= 0x61 && sw1 <= 0x6f) || sw1 == 0x94 || sw1 == 0x98 || sw1 == 0x9f))
		return NO;
	snprintf(why, cap, "a small number and a status word");
	return len == 3 || p[0] <= 32 ? LIKELY : PERHAPS;
}

static unsigned fits_file(const uint8_t *p, size_t len, char *why, size_t cap)
{
	char digits[32];

	if (len == USIM_IMSI_LEN && !usim_imsi_decode(digits, p, len)) {
		snprintf(why, cap, "nine octets that read as an IMSI");
		return LIKELY;
	}
	if (len == USIM_ICCID_LEN && !usim_iccid_decode(digits, p, len)) {
		snprintf(why, cap, "ten octets that read as an ICCID%s",
			 ota_luhn_ok(digits) ? " with a right check digit" : "");
		return ota_luhn_ok(digits) ? LIKELY : PERHAPS;
	}
	return NO;
}

/* In this order where two fit equally well. */
const struct explain_kind explain_kinds[] = {
	{ "command", "command packet", explain_command, fits_command },
	{ "response", "response packet (PoR)", explain_response, fits_response },
	{ "tp-ud", "TP-UD", explain_tp_ud, fits_tp_ud },
	{ "deliver", "SMS-DELIVER", explain_deliver, fits_deliver },
	{ "submit", "SMS-SUBMIT", explain_submit, fits_submit },
	{ "deliver-report", "SMS-DELIVER-REPORT", explain_deliver_report, fits_deliver_report },
	{ "submit-report", "SMS-SUBMIT-REPORT", explain_submit_report, fits_submit_report },
	{ "script", "remote commands", explain_script, fits_script },
	{ "file", "file contents", explain_file, fits_file },
	{ "answer", "answer to remote commands", explain_answer, fits_answer },
};
const size_t explain_kinds_n = sizeof(explain_kinds) / sizeof(explain_kinds[0]);
