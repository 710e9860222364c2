/* fuzz_smpp_pdu.c - one PDU: whatever can be read can be written, and reads the same again.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * command_length is made to fit, or hardly an input would get beyond it.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "smpp_pdu.h"
#include "smpp_receipt.h"

#define LEN_MAX 8192

static void touch_all(const struct smpp_pdu *p)
{
	struct smpp_receipt receipt;
	struct smpp_octets message;

	fuzz_touch(p->tlv.raw.p, p->tlv.raw.len);
	fuzz_touch(p->tlv.receipted_id.p, p->tlv.receipted_id.len);
	fuzz_touch(p->tlv.status_text.p, p->tlv.status_text.len);
	if (p->id != SMPP_DELIVER_SM && p->id != SMPP_SUBMIT_SM && p->id != SMPP_DATA_SM)
		return;
	message = smpp_message(p);
	fuzz_touch(message.p, message.len);
	smpp_receipt_parse(&receipt, message.p, message.len);
	smpp_time_relative_s(p->sm.validity_period);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t once[2 * LEN_MAX], twice[2 * LEN_MAX];
	struct smpp_pdu p, back;
	uint8_t *block;
	size_t at;
	int rc, len;

	if (size > LEN_MAX)
		return 0;
	block = calloc(size ? size : 1, 1);
	if (!block)
		return 0;
	if (size)
		memcpy(block, data, size);
	smpp_frame(block, size, LEN_MAX);
	if (size >= 4) {
		block[0] = block[1] = 0;
		block[2] = (uint8_t)(size >> 8);
		block[3] = (uint8_t)size;
		FUZZ_HOLDS(smpp_frame(block, size, LEN_MAX) == (size < SMPP_HEADER_LEN ? SMPP_E_LENGTH : (int)size));
	}
	rc = smpp_pdu_unpack(&p, block, size, &at);
	FUZZ_HOLDS(at <= size);
	if (!rc) {
		FUZZ_HOLDS(at == size);
		touch_all(&p);
		len = smpp_pdu_pack(once, sizeof(once), &p);
		FUZZ_HOLDS(len >= SMPP_HEADER_LEN);
		FUZZ_HOLDS(smpp_pdu_unpack(&back, once, (size_t)len, NULL) == SMPP_OK);
		FUZZ_HOLDS(smpp_pdu_pack(twice, sizeof(twice), &back) == len);
		FUZZ_HOLDS(!memcmp(once, twice, (size_t)len));
		FUZZ_HOLDS(back.tlv.have == (p.tlv.have & ~(uint32_t)SMPP_TLV_ODD));
	}
	free(block);
	return 0;
}
