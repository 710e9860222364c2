/* gsm48.h - what a phone and the network say to each other: mobility management and short messages.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * TS 24.008 for MM and RR, TS 24.011 for CP and RP, TS 23.040 for the TPDUs.  No socket, no clock, no heap: octets in, values
 * out, and back.
 */
#ifndef OTABSC_GSM48_H
#define OTABSC_GSM48_H

#include "bssmap.h"
#include "card/card.h"

/* TS 24.007, 11.2.3.1.1 */
enum { PD_MM = 5, PD_RR = 6, PD_SMS = 9 };

/* TS 24.008, 9.2 and 9.1 */
enum mm_type {
	MM_IMSI_DETACH = 0x01,
	MM_LU_ACCEPT = 0x02,
	MM_LU_REJECT = 0x04,
	MM_LU_REQUEST = 0x08,
	MM_AUTH_REJECT = 0x11,
	MM_AUTH_REQUEST = 0x12,
	MM_AUTH_RESPONSE = 0x14,
	MM_ID_REQUEST = 0x18,
	MM_ID_RESPONSE = 0x19,
	MM_TMSI_COMMAND = 0x1a,
	MM_TMSI_COMPLETE = 0x1b,
	MM_AUTH_FAILURE = 0x1c,
	MM_CM_ACCEPT = 0x21,
	MM_CM_REJECT = 0x22,
	MM_CM_ABORT = 0x23,
	MM_CM_REQUEST = 0x24,
	MM_ABORT = 0x29,
	MM_INFO = 0x32,
};
#define RR_PAGING_RESPONSE 0x27

/* TS 24.008, 10.5.3.6 */
enum mm_cause {
	MM_IMSI_UNKNOWN_IN_HLR = 2,
	MM_ILLEGAL_MS = 3,
	MM_IMSI_UNKNOWN_IN_VLR = 4,
	MM_ILLEGAL_ME = 6,
	MM_PLMN_NOT_ALLOWED = 11,
	MM_LA_NOT_ALLOWED = 12,
	MM_ROAMING_NOT_ALLOWED = 13,
	MM_NETWORK_FAILURE = 17,
	MM_MAC_FAILURE = 20,
	MM_SYNCH_FAILURE = 21,
};

/* TS 24.008, 10.5.3.5 */
enum lu_type { LU_NORMAL = 0, LU_PERIODIC = 1, LU_ATTACH = 2 };

/* TS 24.008, 10.5.1.4 */
enum { MOBILE_ID_IMSI = 1, MOBILE_ID_IMEI = 2, MOBILE_ID_IMEISV = 3, MOBILE_ID_TMSI = 4 };
struct mobile_id {
	uint8_t type;
	uint32_t tmsi;
	char digits[IMSI_DIGITS_MAX + 2];
};
bool mobile_id_read(struct rd *r, struct mobile_id *id);	/* the value, to its end */
void mobile_id_write(struct wr *w, const struct mobile_id *id); /* length and value */
struct mobile_id mobile_id_imsi(const char *imsi);
struct mobile_id mobile_id_tmsi(uint32_t tmsi);

struct lai {
	bool known; /* false: none; written as deleted (TS 24.008, 10.5.1.3) */
	struct plmn plmn;
	uint16_t lac;
};

/* ---- what a phone says ---- */
void mm_lu_request(struct wr *w, enum lu_type type, const struct lai *lai, const struct mobile_id *id);
void mm_imsi_detach(struct wr *w, const struct mobile_id *id);
void mm_cm_request_sms(struct wr *w, const struct mobile_id *id);
void mm_auth_response(struct wr *w, const uint8_t res[8]);
void mm_auth_failure(struct wr *w, uint8_t cause,
		     const uint8_t *auts); /* auts: 14 octets, NULL but for a synch failure */
void mm_id_response(struct wr *w, const struct mobile_id *id);
void mm_tmsi_complete(struct wr *w);
void rr_paging_response(struct wr *w, const struct mobile_id *id);
extern const uint8_t classmark_2[3];

/* An MM message carries its number N(SD) in two bits of its type, so that the network can tell a repetition (TS 24.007,
 * 11.2.3.2.3.1); phones since R99 count modulo 4, from 0 in each RR connection.  Writes it and counts on, for MM only. */
void l3_number(uint8_t *l3, size_t len, uint8_t *n_sd);

/* ---- what the network says ---- */
struct mm {
	uint8_t type;
	uint8_t cause;		    /* LU REJECT, CM REJECT */
	uint8_t id_type;	    /* ID REQUEST */
	const uint8_t *rand, *autn; /* AUTH REQUEST; autn NULL: none */
	struct lai lai;		    /* LU ACCEPT, TMSI COMMAND */
	bool has_id;
	struct mobile_id id; /* the same */
};
bool mm_read(const uint8_t *p, size_t len, struct mm *m); /* pd is MM */

/* ---- short messages: CP and RP (TS 24.011, 7 and 8) ---- */
enum cp_type { CP_DATA = 0x01, CP_ACK = 0x04, CP_ERROR = 0x10 };
enum rp_type { RP_DATA_UP = 0, RP_DATA_DOWN = 1, RP_ACK_UP = 2, RP_ACK_DOWN = 3, RP_ERROR_UP = 4, RP_ERROR_DOWN = 5 };
#define RP_ADDR_MAX	  12
#define TPDU_MAX	  232
#define RP_UD_MAX	  233
#define CP_TI_FLAG	  0x08 /* set by whom the transaction did not begin with */
#define CP_TI_MAX	  7    /* transactions in each direction: TI 0..6 (TS 24.007, 11.2.3.1.3) */
#define SMS_SAPI	  3
#define RP_CAUSE_PROTOCOL 111
struct cp {
	uint8_t ti; /* with the flag */
	uint8_t type;
	uint8_t cause; /* CP-ERROR */
	uint8_t rp, ref, rp_cause;
	uint8_t addr_len, addr[RP_ADDR_MAX]; /* RP-OA of RP-DATA: type of number and digits as they came */
	const uint8_t *tpdu;
	size_t tpdu_len;
};
bool cp_read(const uint8_t *p, size_t len, struct cp *m); /* pd is SMS */
void cp_plain(struct wr *w, uint8_t ti, enum cp_type type);
/* CP-DATA with RP-ACK or, where cause is not 0, RP-ERROR; tpdu: a SMS-DELIVER-REPORT or nothing. */
void cp_rp_answer(struct wr *w, uint8_t ti, uint8_t ref, uint8_t cause, const uint8_t *tpdu, size_t len);
/* CP-DATA with RP-DATA towards the service centre of this address. */
void cp_rp_data(struct wr *w, uint8_t ti, uint8_t ref, const uint8_t *smsc, size_t smsc_len, const uint8_t *tpdu,
		size_t len);

/* ---- TPDUs (TS 23.040, 9.2.2) ---- */
struct sms_deliver {
	struct sim_addr oa;
	bool udhi;
	uint8_t pid, dcs;
	const uint8_t *ud;
	size_t ud_len;
};
bool sms_deliver_read(const uint8_t *p, size_t len, struct sms_deliver *d);
void sms_submit(struct wr *w, uint8_t ref, const struct sim_addr *da, uint8_t pid, uint8_t dcs, const uint8_t *ud,
		size_t len);
/* fcs 0: goes with RP-ACK, else with RP-ERROR. */
void sms_deliver_report(struct wr *w, uint8_t fcs, uint8_t pid, uint8_t dcs, const uint8_t *ud, size_t len);
/* An SMS for the card, which the phone does not look into: PID 7F, class 2 and 8-bit data (TS 23.040, 9.2.3.9; TS 23.038, 4). */
bool sms_is_download(const struct sms_deliver *d);

#endif
