/* concat.c - User Data Header and concatenation: TS 23.040, 9.2.3.24, with the identifiers of TS 31.115 clause 4.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 *	one message	02 70 00 packet
 *	first of many	07 00 03 ref total 01 70 00 packet..	or	08 08 04 ref ref total 01 70 00 packet..
 *	each later one	05 00 03 ref total seq ..packet..	or	06 08 04 ref ref total seq ..packet..
 */
#include <string.h>

#include "ota/codec.h"
#include "ota/rd.h"
#include "ota/wr.h"

#include "codec_int.h"

#define IEI_COMMAND  0x70
#define IEI_RESPONSE 0x71
#define PI_LEN	     2	  /* IEI and IEDL of a command or response identifier, which has no data */
#define IEI_NONE     0xff /* ota_join.iei of a message without concatenation */

/* IEI, IEDL, reference of one octet or two, total, seq */
static size_t concat_ie_len(enum ota_concat concat)
{
	return concat == OTA_CONCAT_UDH16 ? 6 : 5;
}

/* One information element.  TS 23.040, 9.2.3.24: unknown ones are skipped, of repeated ones the last counts, and a
 * concatenation whose numbers contradict each other is to be ignored. */
static bool udh_ie(struct ota_udh *out, uint8_t iei, struct rd *ie)
{
	size_t ref_len = iei == OTA_CONCAT_UDH16 ? 2 : 1;
	uint16_t ref;
	uint8_t total, seq;

	switch (iei) {
	case OTA_CONCAT_UDH8:
	case OTA_CONCAT_UDH16:
		ref = (uint16_t)rd_be(ie, ref_len);
		total = rd_u8(ie);
		seq = rd_u8(ie);
		if (ie->bad || rd_left(ie))
			return false;
		if (total == 0 || seq == 0 || seq > total)
			return true;
		out->concat = true;
		out->iei = iei;
		out->ref = ref;
		out->total = total;
		out->seq = seq;
		return true;
	case IEI_COMMAND:
	case IEI_RESPONSE:
		out->pi = iei;
		return true;
	default:
		return true;
	}
}

int ota_udh_parse(struct ota_udh *out, const uint8_t *tp_ud, size_t len)
{
	struct rd in = rd_init(tp_ud, len);
	uint8_t udhl = rd_u8(&in);
	struct rd ies = rd_sub(&in, udhl);

	memset(out, 0, sizeof(*out));
	if (in.bad)
		return OTA_E_UDH;
	out->len = 1 + (size_t)udhl;
	while (rd_left(&ies)) {
		uint8_t iei = rd_u8(&ies);
		struct rd ie = rd_sub(&ies, rd_u8(&ies));

		if (ies.bad || !udh_ie(out, iei, &ie))
			return OTA_E_UDH;
	}
	return 0;
}

int ota_segments_max(size_t packet_len, enum ota_concat concat, unsigned max)
{
	size_t first, later, n;

	if (packet_len == 0 || max > OTA_SEGMENTS_PROTOCOL_MAX)
		return OTA_E_RANGE;
	if (packet_len <= OTA_PACKET_1SMS_MAX)
		return 1;
	later = OTA_TP_UD_MAX - 1 - concat_ie_len(concat);
	first = later - PI_LEN;
	n = 1 + (packet_len - first + later - 1) / later;
	return n > max ? OTA_E_SEGMENTS : (int)n;
}

int ota_segments(size_t packet_len, enum ota_concat concat)
{
	return ota_segments_max(packet_len, concat, OTA_SEGMENTS_MAX);
}

int ota_segment(uint8_t out[OTA_TP_UD_MAX], const uint8_t *packet, size_t packet_len, uint8_t pi,
		enum ota_concat concat, uint16_t ref, uint8_t seq, uint8_t total)
{
	size_t ie_len = concat_ie_len(concat), later = OTA_TP_UD_MAX - 1 - ie_len, off, n;
	struct wr w = wr_init(out, OTA_TP_UD_MAX);
	int need = ota_segments_max(packet_len, concat, OTA_SEGMENTS_PROTOCOL_MAX);

	if (need < 0)
		return need;
	if (total != need || seq == 0 || seq > total)
		return OTA_E_SEGMENTS;
	if (total > 1 && (ref == 0 || (concat == OTA_CONCAT_UDH8 && ref > 0xff)))
		return OTA_E_RANGE;

	wr_u8(&w, (uint8_t)((total > 1 ? ie_len : 0) + (seq == 1 ? PI_LEN : 0)));
	if (total > 1) {
		wr_u8(&w, (uint8_t)concat);
		wr_u8(&w, (uint8_t)(ie_len - 2));
		wr_be(&w, ref, ie_len - 4);
		wr_u8(&w, total);
		wr_u8(&w, seq);
	}
	if (seq == 1) {
		wr_u8(&w, pi);
		wr_u8(&w, 0);
	}
	off = seq == 1 ? 0 : later - PI_LEN + (size_t)(seq - 2) * later;
	n = OTA_TP_UD_MAX - wr_len(&w);
	if (n > packet_len - off)
		n = packet_len - off;
	wr_bytes(&w, packet + off, n);
	return w.bad ? OTA_E_SPACE : (int)wr_len(&w);
}

/* -------------------------------------------------------------------------------------------------- join */

void ota_join_init(struct ota_join *j, struct ota_part *part, size_t n)
{
	*j = (struct ota_join){
		.part = part,
		.parts_max = n < OTA_SEGMENTS_PROTOCOL_MAX ? (uint8_t)n : OTA_SEGMENTS_PROTOCOL_MAX,
	};
	for (size_t i = 0; i < j->parts_max; i++)
		part[i].there = false;
}

static bool join_complete(const struct ota_join *j)
{
	return j->have && j->have == j->total;
}

int ota_join_add(struct ota_join *j, const uint8_t *tp_ud, size_t len)
{
	struct ota_part *part;
	struct ota_udh udh;
	int rc = ota_udh_parse(&udh, tp_ud, len);

	if (rc)
		return rc;
	if (len > OTA_TP_UD_MAX)
		return OTA_E_LENGTH;
	if (!udh.concat) {
		udh.iei = IEI_NONE;
		udh.total = udh.seq = 1;
	}
	if (udh.total > j->parts_max)
		return OTA_E_SEGMENTS;
	if (j->have && (udh.iei != j->iei || udh.ref != j->ref || udh.total != j->total))
		return OTA_E_UNMATCHED;
	/* A command cannot continue as a response. */
	if (udh.pi && j->pi && udh.pi != j->pi)
		return OTA_E_UDH;
	part = &j->part[udh.seq - 1];
	if (!part->there) {
		j->iei = udh.iei;
		j->ref = udh.ref;
		j->total = udh.total;
		if (udh.pi)
			j->pi = udh.pi;
		part->there = true;
		part->len = (uint8_t)(len - udh.len);
		memcpy(part->octets, tp_ud + udh.len, part->len);
		j->have++;
	}
	return join_complete(j);
}

int ota_join_packet(const struct ota_join *j, uint8_t *buf, size_t cap)
{
	struct wr w = wr_init(buf, cap);

	if (!join_complete(j))
		return OTA_E_SHORT;
	for (size_t i = 0; i < j->total; i++)
		wr_bytes(&w, j->part[i].octets, j->part[i].len);
	return w.bad ? OTA_E_SPACE : (int)wr_len(&w);
}
