/* decode.h - a stored packet as people read it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Works on copies and through the keystore by reference: what was ciphered is opened with the card's own keys, or the
 * note says why it could not be.
 */
#ifndef OTAGW_DECODE_H
#define OTAGW_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ota/codec.h"
#include "ota/keystore.h"
#include "../store/rows.h"

#define DECODE_APDUS_MAX 48
#define DECODE_TEXT_MAX	 128
#define DECODE_DATA_MAX	 256 /* octets of response data shown */

enum decoded_kind { DECODED_NOTHING, DECODED_COMMAND, DECODED_RESPONSE };
struct decoded {
	uint8_t kind;	 /* enum decoded_kind */
	bool opened;	 /* keys were there and the checksum is right */
	bool cntr_known; /* read in clear or deciphered */
	char note[160];	 /* what to know: not opened because ..., "" when all is plain */
	/* command and response */
	uint8_t spi[2], kic, kid, tar[3], pcntr;
	char spi_text[2][DECODE_TEXT_MAX];
	char kic_text[32], kid_text[32];
	uint64_t cntr;
	size_t packet_len;
	/* command, opened */
	unsigned n_apdus;
	bool apdus_cut;
	char apdu[DECODE_APDUS_MAX][DECODE_TEXT_MAX];
	/* response */
	uint8_t status;
	const char *status_text, *verdict;
	bool has_run; /* additional response data of a script; in expanded format with an SW per command */
	unsigned executed;
	uint16_t sw; /* of the last one */
	const char *sw_text;
	unsigned n_sws;
	uint16_t sws[DECODE_APDUS_MAX];
	size_t data_len;
	uint8_t data[DECODE_DATA_MAX];
	char data_text[DECODE_TEXT_MAX]; /* "EF_IMSI 0010..." when it is one */
};

/* The keys a packet was made under; keyset NULL: none to try. */
struct decode_keys {
	struct ks *ks;
	const char *iccid;
	const struct keyset_row *keyset;
	bool replaced; /* keyset NULL: those it was made under are gone */
};

/* A command packet from CPL on. */
void decode_command(struct decoded *d, const uint8_t *packet, size_t len, uint8_t cc_len, const struct decode_keys *k);
/* A response packet from RPL on, against the command it answers. */
void decode_response(struct decoded *d, const uint8_t *packet, size_t len, const struct cmd_row *cmd,
		     const struct decode_keys *k);
/* What can be told without keys of any packet: with or without UDH, command or response. */
void decode_clear(struct decoded *d, const uint8_t *octets, size_t len);

#endif
