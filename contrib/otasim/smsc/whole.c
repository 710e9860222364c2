/* whole.c - messages of several parts as an SMSC makes them: of one submit with all of it, or of parts that sar_* parameters name.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * TS 23.040, 9.2.3.24: each part gets a concatenation element; what else was in the header stands in the first part alone.
 */
#include <string.h>

#include "smsc_int.h"

#define CONCAT_LEN 5 /* IE 00 03 ref total seq */

/* The header of part `seq` in out: what was there (`head` of them, UDHL included) in the first, and the concatenation. */
static size_t header(uint8_t *out, const uint8_t *ud, size_t head, uint8_t ref, unsigned total, unsigned seq)
{
	size_t kept = seq == 1 && head ? head - 1 : 0;

	out[0] = (uint8_t)(CONCAT_LEN + kept);
	out[1] = 0x00;
	out[2] = 3;
	out[3] = ref;
	out[4] = (uint8_t)total;
	out[5] = (uint8_t)seq;
	if (kept)
		memcpy(out + 1 + CONCAT_LEN, ud + 1, kept);
	return 1 + CONCAT_LEN + kept;
}

static size_t head_of(const struct smpp_pdu *pdu, struct smpp_octets ud)
{
	return (pdu->sm.esm_class & SMPP_ESM_UDHI) && ud.len ? 1u + ud.p[0] : 0;
}

unsigned whole_parts(const struct smpp_pdu *pdu, struct smpp_octets ud)
{
	size_t head = head_of(pdu, ud), first, more = SIM_UD_MAX - 1 - CONCAT_LEN;
	size_t total;

	if (ud.len <= SIM_UD_MAX)
		return 1;
	if (!(pdu->tlv.have & SMPP_TLV_PAYLOAD) || head > ud.len || head + 1 + CONCAT_LEN > SIM_UD_MAX)
		return 0;
	first = SIM_UD_MAX - CONCAT_LEN - (head ? head : 1);
	total = 1 + (ud.len - head - first + more - 1) / more;
	return total <= SMSC_PARTS_MAX ? (unsigned)total : 0;
}

void whole_part(struct sim_sm *sm, const struct smpp_pdu *pdu, struct smpp_octets ud, unsigned total, unsigned seq)
{
	size_t head = head_of(pdu, ud), at = head, n = 0, room = 0;

	for (unsigned k = 1; k <= seq; k++) {
		at += room;
		n = header(sm->ud, ud.p, head, (uint8_t)(pdu->seq ? pdu->seq : 1), total, k);
		room = SIM_UD_MAX - n;
	}
	if (room > ud.len - at)
		room = ud.len - at;
	memcpy(sm->ud + n, ud.p + at, room);
	sm->ud_len = (uint8_t)(n + room);
	sm->udhi = true;
	sm->want_receipt = sm->want_receipt && seq == total;
}

bool sar_part(struct sim_sm *sm, const struct smpp_pdu *pdu, struct smpp_octets ud)
{
	const uint32_t all = SMPP_TLV_SAR_REF | SMPP_TLV_SAR_TOTAL | SMPP_TLV_SAR_SEQ;
	const struct smpp_tlvs *t = &pdu->tlv;
	size_t head = head_of(pdu, ud), n;

	if ((t->have & all) != all || t->sar_total < 2)
		return true;
	if (head > ud.len || ud.len - head + (head ? head : 1) + CONCAT_LEN > SIM_UD_MAX)
		return false;
	/* header() keeps for the first what an ESME has put into this one: a UDH is its own affair */
	n = header(sm->ud, ud.p, head, (uint8_t)t->sar_ref, t->sar_total, 1);
	sm->ud[5] = t->sar_seq;
	memcpy(sm->ud + n, ud.p + head, ud.len - head);
	sm->ud_len = (uint8_t)(n + ud.len - head);
	sm->udhi = true;
	return true;
}

bool whole_keep(struct session *se, uint32_t seq, unsigned parts)
{
	for (unsigned i = 0; i < SMSC_WHOLES_MAX; i++) {
		if (se->whole[i].left)
			continue;
		se->whole[i] = (struct whole){ .seq = seq, .left = parts };
		return true;
	}
	return false;
}

bool whole_result(struct session *se, uint32_t seq, enum sim_submit_result *r)
{
	for (unsigned i = 0; i < SMSC_WHOLES_MAX; i++) {
		struct whole *w = &se->whole[i];

		if (!w->left || w->seq != seq)
			continue;
		if (w->bad == SIM_SUBMIT_OK)
			w->bad = *r;
		*r = w->bad;
		return --w->left == 0;
	}
	return true;
}
