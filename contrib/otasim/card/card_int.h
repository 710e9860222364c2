/* card_int.h - what the card's files share among themselves.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTASIM_CARD_INT_H
#define OTASIM_CARD_INT_H

#include "card.h"

#define PACKET_MAX   (SIM_SEGMENTS_MAX * (SIM_UD_MAX - 6)) /* a whole command packet, from CPL on */
#define RESPONSE_MAX 360 /* compact: count, SW and data of one command; expanded: what the card has room for */

/* Status codes of TS 102 225, table 5. */
enum por_status {
	POR_OK = 0x00,
	POR_RC_CC_DS_FAILED = 0x01,
	POR_CNTR_LOW = 0x02,
	POR_CNTR_HIGH = 0x03,
	POR_CNTR_BLOCKED = 0x04,
	POR_CIPHERING_ERROR = 0x05,
	POR_UNIDENTIFIED_SECURITY = 0x06,
	POR_INSUFFICIENT_MEMORY = 0x07,
	POR_TAR_UNKNOWN = 0x09,
	POR_INSUFFICIENT_SECURITY = 0x0a,
	POR_DATA_BY_SMS_SUBMIT = 0x0b,
};

/* card_crypto.c: key and IV-0 CBC, in place; len a multiple of the block.  0, or -1 when OpenSSL refuses. */
size_t sim_block(enum sim_alg alg);
int sim_cbc(enum sim_alg alg, const uint8_t *key, bool encipher, uint8_t *buf, size_t len);
/* CC of TS 102 225, 5.1.3: CBC-MAC of the DES family (8 octets) or AES-CMAC cut to mac_len. */
int sim_cc(enum sim_alg alg, const uint8_t *key, const uint8_t *in, size_t len, uint8_t *out, size_t mac_len);
uint16_t sim_crc16(const uint8_t *p, size_t len);
uint32_t sim_crc32(const uint8_t *p, size_t len);

/* card_sec.c: a whole command packet (from CPL on). */
void sim_packet(struct sim_card *c, const struct sim_addr *oa, const uint8_t *pkt, size_t len,
		struct sim_card_out *out);
/* A command that the card cannot hold: answer from the header alone (the first octets from CPL on). */
void sim_packet_too_long(struct sim_card *c, const struct sim_addr *oa, const uint8_t *head, size_t len,
			 struct sim_card_out *out);

/* One command on its way through the card. */
struct sim_cmd {
	uint8_t spi1, spi2, kic, kid;
	uint8_t tar[3];
	uint64_t cntr;
	struct sim_keyset *ks; /* NULL: none named, none needed */
	size_t cc_len;
};
/* The response packet from RPL on into buf; its length, or 0 when it cannot be made as SPI2 asks. */
size_t sim_por_build(const struct sim_cmd *k, bool secure, uint8_t status, const uint8_t *data, size_t dlen,
		     bool pad_80, uint8_t *buf, size_t cap);

/* card_rfm.c: the files and the remote commands on them, compact or expanded as the script's first octet says. */
void sim_fs_init(struct sim_card *c);
void sim_fs_imsi(const struct sim_card *c, char imsi[SIM_IMSI_LEN]);
struct script_result {
	size_t room; /* in: octets of an expanded answer that the way back can carry, at most RESPONSE_MAX */
	size_t len;  /* of resp */
	uint8_t resp[RESPONSE_MAX]; /* TS 102 226, 5.1.2: count, SW, data of the last; 5.2.2: AB or AF and its TLVs */
	bool done;		    /* to the last command, without an error */
	bool changed;		    /* the content of a file is another one now */
	bool imsi_written;
};
void sim_script_run(struct sim_card *c, const uint8_t tar[3], const uint8_t *p, size_t len, struct script_result *res);
/* Would this script UPDATE EF_IMSI?  Reads the text only. */
bool sim_script_touches_imsi(const uint8_t *p, size_t len);

#endif
