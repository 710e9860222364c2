/* smpp_receipt.h - delivery receipts as text (SMPP Appendix B).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTA_SMPP_RECEIPT_H
#define OTA_SMPP_RECEIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smpp_pdu.h"

struct smpp_receipt {
	char id[SMPP_MSGID_MAX]; /* "" when the text has none or one too long */
	char stat[8];		 /* "DELIVRD", upper case; "" when none */
	uint32_t err;		 /* err:, 0 when none or no number */
};

/* True when this is a receipt text (it has stat: or id:, and nothing but text), then *out is filled in. */
bool smpp_receipt_parse(struct smpp_receipt *out, const uint8_t *text, size_t len);

/* "DELIVRD" for SMPP_STATE_DELIVERED, ...; "" for a state SMPP 3.4 does not have */
const char *smpp_state_stat(uint8_t message_state);

#endif
