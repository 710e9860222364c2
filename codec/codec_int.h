/* codec_int.h - what the codec's own files share; never installed.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTA_CODEC_INT_H
#define OTA_CODEC_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ota/codec.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Integrity as SPI1 b2b1 and SPI2 b4b3 name it (TS 102 225, 5.1.1). */
enum { INTEGRITY_NONE = 0, INTEGRITY_RC = 1, INTEGRITY_CC = 2, INTEGRITY_DS = 3 };

/* Octets of RC/CC for an integrity kind under a KID: the command's and the response's rule are the same. */
int integrity_len(unsigned integrity, uint8_t kid);

/* What a command or its answer has from CNTR on, by the command's KIc. */
int packet_decipher(uint8_t *from_cntr, size_t len, const struct ota_cmd_params *p, const struct ota_crypt *crypt);

/* Writes the RC of 2 or 4 octets over the parts, most significant octet first. */
void rc_write(uint8_t *out, size_t len, const struct ota_span *parts, size_t n);

/* Equal or not in time that depends on n alone: a MAC is never compared with memcmp(). */
static inline bool ct_equal(const uint8_t *a, const uint8_t *b, size_t n)
{
	volatile uint8_t diff = 0;

	for (size_t i = 0; i < n; i++)
		diff |= a[i] ^ b[i];
	return diff == 0;
}

/* Semi-octets, low nibble first, as TS 23.040 addresses and TS 31.102 files have them.  Writes ceil(n / 2) octets, an
 * odd last one with `filler` on top.  false: not a digit. */
bool bcd_write(uint8_t *out, const char *digits, size_t n, uint8_t filler);
/* n digits from ceil(n / 2) octets, NUL-terminated.  false: a semi-octet is no digit. */
bool bcd_read(char *digits, const uint8_t *in, size_t n);

/* ------------------------------------------------------------------------------------------------------- text */

/* GSM default alphabet (TS 23.038, 6.2.1).  What is not to be shown reads as '?'; no septet for a character: negative. */
uint16_t gsm7_char(uint8_t septet);
int gsm7_septet(uint32_t c);
/* Number i of packed septets (6.1.2.1); into octets that were 0. */
uint8_t septet_get(const uint8_t *packed, size_t i);
void septet_put(uint8_t *packed, size_t i, uint8_t septet);
bool text_shown(uint32_t c);
/* One character at the end of a text, with a NUL behind it: the octets written, or 0 when there is no room. */
size_t utf8_put(char *text, size_t cap, uint32_t c);
/* The first character of a text: the octets it has, or 0 when it is none of the basic plane or not to be shown. */
size_t utf8_get(const char *text, uint32_t *c);

/* ---------------------------------------------------------------------------------------------------- scripts */

#define APDU_HEAD	  5 /* CLA INS P1 P2 P3: compact format always has a P3 */
#define CLA_2G		  0xa0
#define CLA_GP		  0x80
#define INS_SELECT	  0xa4
#define INS_READ_BINARY	  0xb0
#define INS_READ_RECORD	  0xb2
#define INS_UPDATE_BINARY 0xd6
#define INS_UPDATE_RECORD 0xdc

struct rd;
struct wr;
void script_fail(struct ota_script *s, int err); /* the first one stays */
void script_start(struct ota_script *s, uint8_t *buf, size_t cap, enum ota_format format, uint8_t tag);
void script_tlv(struct ota_script *s, uint8_t tag, const struct ota_span *part, size_t n);
/* A C-APDU from its header and data, with Le where it may have one. */
void script_cmd(struct ota_script *s, const uint8_t head[APDU_HEAD], const uint8_t *body, size_t len, bool le);

/* Is P3 of this command an Le, so that no data follow? */
bool p3_is_le(uint8_t cla, uint8_t ins, uint8_t p1);

/* Between header and end of AA, AE, AB, AF; one object after the other: while there are any left. */
int script_body(const uint8_t *data, size_t len, struct rd *body);
int tlv_next(struct rd *body, struct ota_tlv *t);
int ber_len_read(struct rd *in, size_t *len);
size_t ber_len_octets(size_t len);
void ber_len_write(struct wr *w, size_t len);

/* ------------------------------------------------------------------------------------------------------ files */

/* A file of one size: 0 or an error. */
static inline int exactly(size_t len, size_t want)
{
	return len < want ? OTA_E_SHORT : len > want ? OTA_E_LENGTH : 0;
}
/* Number of digits, or 0 when there is anything else in it or more than max. */
size_t digits_len(const char *s, size_t max);
/* A number as files have it, `room` octets of digits: length, type, digits, FF. */
int ef_addr_write(struct wr *w, const struct ota_addr *a, size_t room);
int ef_addr_read(struct rd *r, struct ota_addr *a, size_t room);
/* Octets in front of the FF that fill up an alpha identifier. */
size_t alpha_len(const uint8_t *p, size_t len);
/* As usim_plmn_encode() and _decode(); `wild`: a 'D' stands for any digit (TS 31.102, 4.2.59). */
int plmn_write(uint8_t plmn[3], const char *mcc, const char *mnc, bool wild);
int plmn_read(char mcc[4], char mnc[4], const uint8_t plmn[3], bool wild);

#endif
