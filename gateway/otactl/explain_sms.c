/* explain_sms.c - TPDUs and User Data Headers field by field: TS 23.040, 9.2, with the identifiers of TS 31.115, 4.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <string.h>

#include "explain.h"
#include "ota/rd.h"

#define C_23040(part) "TS 23.040, " part
#define IEI_CONCAT8   0x00
#define IEI_CONCAT16  0x08
#define IEI_COMMAND   0x70
#define IEI_RESPONSE  0x71
#define NPI_ISDN      1

/* ------------------------------------------------------------------------------------------------------------- UDH */

static void explain_ie(struct explain *e, const uint8_t *p, size_t len)
{
	switch (p[0]) {
	case IEI_CONCAT8:
	case IEI_CONCAT16:
		if (len == (p[0] == IEI_CONCAT8 ? 5u : 6u))
			ex(e, "IE", p, len, p[0] == IEI_CONCAT8 ? C_23040("9.2.3.24.1") : C_23040("9.2.3.24.8"),
			   "segment %u of %u, %s reference %u", p[len - 1], p[len - 2],
			   p[0] == IEI_CONCAT8 ? "8-bit" : "16-bit", p[0] == IEI_CONCAT8 ? p[2] : p[2] << 8 | p[3]);
		else
			ex(e, "IE", p, len, C_23040("9.2.3.24"), "concatenation of a wrong length");
		break;
	case IEI_COMMAND:
		ex(e, "IE", p, len, "TS 31.115, 4.2", "CPI: a command packet begins here");
		break;
	case IEI_RESPONSE:
		ex(e, "IE", p, len, "TS 31.115, 4.4", "RPI: a response packet begins here");
		break;
	default:
		ex(e, "IE", p, len, C_23040("9.2.3.24"), "information element %02x", p[0]);
	}
}

/* A segment: put to the others, and the whole explained when this was the last one missing. */
static void explain_segment(struct explain *e, const struct ota_udh *h, const uint8_t *p, size_t len)
{
	uint8_t pkt[EXPLAIN_MAX];
	int rc;

	if (!e->joining)
		ota_join_init(&e->join, e->part, OTA_SEGMENTS_PROTOCOL_MAX);
	rc = ota_join_add(&e->join, p, len);
	if (rc == OTA_E_UNMATCHED) { /* another message */
		ota_join_init(&e->join, e->part, OTA_SEGMENTS_PROTOCOL_MAX);
		rc = ota_join_add(&e->join, p, len);
	}
	e->joining = rc == 0;
	if (rc < 0) {
		ex_wrong(e, "%s", ota_strerror(rc));
		return;
	}
	if (rc == 0) {
		if (h->seq == 1)
			explain_head(e, p + h->len, len - h->len, h->pi);
		ex(e, "to come", NULL, 0, "TS 31.115, 4.3", "other segments: give them in the same input, one a line");
		return;
	}
	rc = ota_join_packet(&e->join, pkt, sizeof(pkt));
	ex(e, "packet", pkt, rc > 0 ? (size_t)rc : 0, "TS 31.115, 4.3", "%d octets, joined from %u segments", rc,
	   h->total);
	e->depth++;
	if (rc > 0 && e->join.pi == IEI_RESPONSE)
		explain_response(e, pkt, (size_t)rc);
	else if (rc > 0)
		explain_command(e, pkt, (size_t)rc);
	e->depth--;
}

void explain_tp_ud(struct explain *e, const uint8_t *p, size_t len)
{
	struct rd in = rd_init(p, len), ies;
	struct ota_udh h;
	int rc = ota_udh_parse(&h, p, len);

	if (rc) {
		ex_wrong(e, "%s", ota_strerror(rc));
		return;
	}
	ex(e, "UDHL", p, 1, C_23040("9.2.3.24"), "header of %u octets", p[0]);
	ies = rd_sub(&in, rd_u8(&in));
	while (rd_left(&ies)) {
		const uint8_t *ie = ies.p;
		size_t n;

		(void)rd_u8(&ies);
		n = rd_u8(&ies);
		(void)rd_bytes(&ies, n);
		explain_ie(e, ie, 2 + n);
	}
	if (h.concat) {
		explain_segment(e, &h, p, len);
		return;
	}
	ex(e,
	   h.pi == IEI_COMMAND	? "command" :
	   h.pi == IEI_RESPONSE ? "response" :
				  "data",
	   p + h.len, len - h.len, h.pi ? "TS 31.115, 4" : "", "%zu octets", len - h.len);
	e->depth++;
	if (h.pi == IEI_COMMAND)
		explain_command(e, p + h.len, len - h.len);
	else if (h.pi == IEI_RESPONSE)
		explain_response(e, p + h.len, len - h.len);
	e->depth--;
}

/* ----------------------------------------------------------------------------------------------------- parts of TPDUs */

static void explain_addr(struct explain *e, const char *field, const struct ota_addr *a, const uint8_t *p, size_t len)
{
	static const char *const ton[] = { "unknown type",	"international", "national",	"network specific",
					   "subscriber number", "alphanumeric",	 "abbreviated", "reserved" };

	ex(e, field, p, len, C_23040("9.1.2.5"), "%s%s, %s%s", a->ton == 1 ? "+" : "", a->digits, ton[a->ton & 7],
	   a->npi == NPI_ISDN || a->ton == OTA_TON_ALPHANUMERIC ? "" : ", other numbering plan");
}

static void explain_pid_dcs(struct explain *e, uint8_t pid, uint8_t dcs)
{
	ex(e, "TP-PID", &pid, 1, C_23040("9.2.3.9"), "%s",
	   pid == OTA_PID_USIM_DOWNLOAD ? "(U)SIM data download" :
	   pid == 0			? "plain short message" :
					  "no data download: the phone keeps such a message for itself");
	ex(e, "TP-DCS", &dcs, 1, "TS 23.038, 4", "%s",
	   dcs == OTA_DCS_8BIT_CLASS2 || dcs == OTA_DCS_8BIT_CLASS2_GEN ?
		   "8-bit data, class 2: for the card" :
		   "not 8-bit data of class 2, which data download needs");
}

static void explain_scts(struct explain *e, const uint8_t scts[7])
{
	struct ota_scts t;

	if (ota_scts_decode(&t, scts))
		ex(e, "TP-SCTS", scts, 7, C_23040("9.2.3.11"), "no point in time");
	else
		ex(e, "TP-SCTS", scts, 7, C_23040("9.2.3.11"), "%04u-%02u-%02u %02u:%02u:%02u UTC%c%02d:%02d", t.year,
		   t.month, t.day, t.hour, t.minute, t.second, t.zone < 0 ? '-' : '+',
		   (t.zone < 0 ? -t.zone : t.zone) / 4, (t.zone < 0 ? -t.zone : t.zone) % 4 * 15);
}

static void explain_ud(struct explain *e, bool udhi, const uint8_t *ud, size_t len)
{
	ex(e, "TP-UD", ud, len, C_23040("9.2.3.24"), "%zu octets%s", len, udhi ? "" : ", without header");
	if (!udhi)
		return;
	e->depth++;
	explain_tp_ud(e, ud, len);
	e->depth--;
}

/* Octets of an address field: length, type, semi-octets. */
static size_t addr_octets(const uint8_t *p)
{
	return 2u + (p[0] + 1u) / 2;
}

/* ----------------------------------------------------------------------------------------------------------- TPDUs */

void explain_deliver(struct explain *e, const uint8_t *p, size_t len)
{
	struct ota_tpdu_deliver d;
	int rc = ota_tpdu_deliver_decode(&d, p, len);

	if (rc) {
		ex_wrong(e, "no SMS-DELIVER: %s", ota_strerror(rc));
		return;
	}
	ex(e, "first octet", p, 1, C_23040("9.2.2.1"), "SMS-DELIVER, %s, %s",
	   d.udhi ? "user data has a header" : "no header", d.mms ? "no more messages wait" : "more messages wait");
	explain_addr(e, "TP-OA", &d.oa, p + 1, addr_octets(p + 1));
	explain_pid_dcs(e, d.pid, d.dcs);
	explain_scts(e, d.scts);
	explain_ud(e, d.udhi, d.ud, d.ud_len);
}

void explain_submit(struct explain *e, const uint8_t *p, size_t len)
{
	static const char *const vpf[] = { "no validity period", "enhanced validity period", "relative validity period",
					   "absolute validity period" };
	struct ota_tpdu_submit s;
	int rc = ota_tpdu_submit_decode(&s, p, len);

	if (rc) {
		ex_wrong(e, "no SMS-SUBMIT: %s", ota_strerror(rc));
		return;
	}
	ex(e, "first octet", p, 1, C_23040("9.2.2.2"), "SMS-SUBMIT, %s, %s",
	   s.udhi ? "user data has a header" : "no header", vpf[p[0] >> 3 & 3]);
	ex(e, "TP-MR", &s.mr, 1, C_23040("9.2.3.6"), "message reference %u", s.mr);
	explain_addr(e, "TP-DA", &s.da, p + 2, addr_octets(p + 2));
	explain_pid_dcs(e, s.pid, s.dcs);
	explain_ud(e, s.udhi, s.ud, s.ud_len);
}

/* The TPDU does not say whether it travelled in an RP-ACK or an RP-ERROR: what can be read either way is an RP-ACK. */
static void explain_report(struct explain *e, const uint8_t *p, size_t len, bool submit)
{
	struct ota_tpdu_report r;
	int rc = submit ? ota_tpdu_submit_report_decode(&r, p, len, false) :
			  ota_tpdu_deliver_report_decode(&r, p, len, false);

	if (rc)
		rc = submit ? ota_tpdu_submit_report_decode(&r, p, len, true) :
			      ota_tpdu_deliver_report_decode(&r, p, len, true);
	if (rc) {
		ex_wrong(e, "no SMS-%s-REPORT: %s", submit ? "SUBMIT" : "DELIVER", ota_strerror(rc));
		return;
	}
	ex(e, "first octet", p, 1, submit ? C_23040("9.2.2.2a") : C_23040("9.2.2.1a"), "SMS-%s-REPORT for RP-%s",
	   submit ? "SUBMIT" : "DELIVER", r.error ? "ERROR" : "ACK");
	if (r.error)
		ex(e, "TP-FCS", &r.fcs, 1, C_23040("9.2.3.22"), "%s", ota_fcs_name(r.fcs));
	if (submit)
		explain_scts(e, r.scts);
	if (r.has_pid && r.has_dcs)
		explain_pid_dcs(e, r.pid, r.dcs);
	if (r.has_ud)
		explain_ud(e, r.udhi, r.ud, r.ud_len);
}

void explain_deliver_report(struct explain *e, const uint8_t *p, size_t len)
{
	explain_report(e, p, len, false);
}

void explain_submit_report(struct explain *e, const uint8_t *p, size_t len)
{
	explain_report(e, p, len, true);
}
