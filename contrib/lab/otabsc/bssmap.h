/* bssmap.h - BSSAP between a BSC and its MSC: octets in, values out, and back (TS 48.006, TS 48.008).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * No socket, no clock, no heap.  What comes from the network is parsed with a reader that remembers failure; a message that
 * cannot be read is told by false and changes nothing.
 */
#ifndef OTABSC_BSSMAP_H
#define OTABSC_BSSMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ota/rd.h"
#include "ota/wr.h"

#define BSSAP_MAX	260 /* octets of one message: the length field has one octet */
#define PLMN_DIGITS_MAX 6
#define IMSI_DIGITS_MAX 15

/* TS 48.008, 3.2.2.1 */
enum bssmap_type {
	BSSMAP_CLEAR_COMMAND = 0x20,
	BSSMAP_CLEAR_COMPLETE = 0x21,
	BSSMAP_CLEAR_REQUEST = 0x22,
	BSSMAP_COMMON_ID = 0x2f,
	BSSMAP_RESET = 0x30,
	BSSMAP_RESET_ACK = 0x31,
	BSSMAP_PAGING = 0x52,
	BSSMAP_CIPHER_COMMAND = 0x53,
	BSSMAP_CLASSMARK_UPDATE = 0x54,
	BSSMAP_CIPHER_COMPLETE = 0x55,
	BSSMAP_COMPLETE_L3 = 0x57,
	BSSMAP_CLASSMARK_REQUEST = 0x58,
};

/* TS 48.008, 3.2.2.5 */
enum { BSSMAP_CAUSE_RADIO_FAILURE = 0x01, BSSMAP_CAUSE_OAM = 0x07 };

struct plmn {
	char digits[PLMN_DIGITS_MAX + 1]; /* 5 or 6 */
};

struct cell {
	struct plmn plmn;
	uint16_t lac, ci;
};

/* One message of either kind: of the BSS, or to be carried to a phone. */
struct bssap {
	bool dtap;
	uint8_t type;	/* of a BSSMAP message */
	uint8_t sapi;	/* of a DTAP message: 0 or 3 */
	struct rd body; /* behind the type; the L3 message */
};
bool bssap_read(const uint8_t *p, size_t len, struct bssap *m);

/* PAGING: whom. */
struct bssmap_paging {
	char imsi[IMSI_DIGITS_MAX + 1];
	bool has_tmsi;
	uint32_t tmsi;
};
bool bssmap_paging_read(struct rd body, struct bssmap_paging *p);

/* What the BSC says; false: it did not fit. */
void bssmap_reset(struct wr *w);
void bssmap_plain(struct wr *w, enum bssmap_type type); /* RESET ACK, CLEAR COMPLETE, CIPHER MODE COMPLETE */
void bssmap_clear_request(struct wr *w, uint8_t cause);
void bssmap_complete_l3(struct wr *w, const struct cell *cell, const uint8_t *l3, size_t len);
void bssmap_classmark_update(struct wr *w, const uint8_t cm2[3]);
void bssap_dtap(struct wr *w, uint8_t sapi, const uint8_t *l3, size_t len);

/* MCC and MNC in three octets (TS 24.008, 10.5.1.3); false: neither 5 nor 6 digits. */
bool plmn_ok(const char *digits);
void plmn_write(struct wr *w, const struct plmn *p);
bool plmn_read(struct rd *r, struct plmn *p); /* false: no PLMN */

#endif
