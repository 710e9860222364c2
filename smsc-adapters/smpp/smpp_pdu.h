/* smpp_pdu.h - SMPP 3.4 PDUs on the wire, both directions, ESME and SMSC side.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * libc only: no allocation, no socket, no clock.  Unpacking is bounds-checked and zero-copy: strings and octets point
 * into the input and live as long as it does (a C-octet string has its NUL on the wire, so it is a C string in place).
 * Packing takes NULL for an empty string.  "SMPP x.y" is a clause of the SMPP protocol specification v3.4, issue 1.2.
 *
 * CMake target ota-smpp-pdu; include as "smpp_pdu.h".
 */
#ifndef OTA_SMPP_PDU_H
#define OTA_SMPP_PDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMPP_HEADER_LEN 16
#define SMPP_RESP	0x80000000u /* bit 31 of command_id: a response */
#define SMPP_SEQ_MAX	0x7fffffffu /* SMPP 3.2: 1..0x7fffffff */
#define SMPP_VERSION	0x34

/* Most octets of C-octet strings, NUL included (SMPP 5.2) */
#define SMPP_SYSTEM_ID_MAX   16
#define SMPP_PASSWORD_MAX    9
#define SMPP_SYSTEM_TYPE_MAX 13
#define SMPP_RANGE_MAX	     41
#define SMPP_SERVICE_MAX     6
#define SMPP_ADDR_MAX	     21
#define SMPP_LONG_ADDR_MAX   65 /* data_sm, alert_notification */
#define SMPP_TIME_MAX	     17
#define SMPP_MSGID_MAX	     65
#define SMPP_SM_MAX	     254 /* octets of short_message */
#define SMPP_STATUS_TEXT_MAX 256

enum smpp_command { /* SMPP 5.1.2.1 */
		    SMPP_BIND_RECEIVER = 0x001,
		    SMPP_BIND_TRANSMITTER = 0x002,
		    SMPP_QUERY_SM = 0x003,
		    SMPP_SUBMIT_SM = 0x004,
		    SMPP_DELIVER_SM = 0x005,
		    SMPP_UNBIND = 0x006,
		    SMPP_REPLACE_SM = 0x007,
		    SMPP_CANCEL_SM = 0x008,
		    SMPP_BIND_TRANSCEIVER = 0x009,
		    SMPP_OUTBIND = 0x00b,
		    SMPP_ENQUIRE_LINK = 0x015,
		    SMPP_SUBMIT_MULTI = 0x021,
		    SMPP_ALERT_NOTIFICATION = 0x102,
		    SMPP_DATA_SM = 0x103,
};
/* As they stand in struct smpp_pdu.id; a response is SMPP_SUBMIT_SM | SMPP_RESP. */
#define SMPP_GENERIC_NACK SMPP_RESP

enum smpp_status { /* SMPP 5.1.3, table 5-2 */
		   ESME_ROK = 0x000,
		   ESME_RINVMSGLEN = 0x001,
		   ESME_RINVCMDLEN = 0x002,
		   ESME_RINVCMDID = 0x003,
		   ESME_RINVBNDSTS = 0x004,
		   ESME_RALYBND = 0x005,
		   ESME_RINVPRTFLG = 0x006,
		   ESME_RINVREGDLVFLG = 0x007,
		   ESME_RSYSERR = 0x008,
		   ESME_RINVSRCADR = 0x00a,
		   ESME_RINVDSTADR = 0x00b,
		   ESME_RINVMSGID = 0x00c,
		   ESME_RBINDFAIL = 0x00d,
		   ESME_RINVPASWD = 0x00e,
		   ESME_RINVSYSID = 0x00f,
		   ESME_RCANCELFAIL = 0x011,
		   ESME_RREPLACEFAIL = 0x013,
		   ESME_RMSGQFUL = 0x014,
		   ESME_RINVSERTYP = 0x015,
		   ESME_RINVNUMDESTS = 0x033,
		   ESME_RINVDLNAME = 0x034,
		   ESME_RINVDESTFLAG = 0x040,
		   ESME_RINVSUBREP = 0x042,
		   ESME_RINVESMCLASS = 0x043,
		   ESME_RCNTSUBDL = 0x044,
		   ESME_RSUBMITFAIL = 0x045,
		   ESME_RINVSRCTON = 0x048,
		   ESME_RINVSRCNPI = 0x049,
		   ESME_RINVDSTTON = 0x050,
		   ESME_RINVDSTNPI = 0x051,
		   ESME_RINVSYSTYP = 0x053,
		   ESME_RINVREPFLAG = 0x054,
		   ESME_RINVNUMMSGS = 0x055,
		   ESME_RTHROTTLED = 0x058,
		   ESME_RINVSCHED = 0x061,
		   ESME_RINVEXPIRY = 0x062,
		   ESME_RINVDFTMSGID = 0x063,
		   ESME_RX_T_APPN = 0x064,
		   ESME_RX_P_APPN = 0x065,
		   ESME_RX_R_APPN = 0x066,
		   ESME_RQUERYFAIL = 0x067,
		   ESME_RINVOPTPARSTREAM = 0x0c0,
		   ESME_ROPTPARNOTALLWD = 0x0c1,
		   ESME_RINVPARLEN = 0x0c2,
		   ESME_RMISSINGOPTPARAM = 0x0c3,
		   ESME_RINVOPTPARAMVAL = 0x0c4,
		   ESME_RDELIVERYFAILURE = 0x0fe,
		   ESME_RUNKNOWNERR = 0x0ff,
		   ESME_RINVDCS = 0x104, /* SMPP 5.0, but sent by 3.4 peers too */
};

enum smpp_err {
	SMPP_OK = 0,
	SMPP_E_SHORT = -1,   /* the body ends before its fields do */
	SMPP_E_LENGTH = -2,  /* command_length below 16, above the limit, or not what was handed in */
	SMPP_E_STRING = -3,  /* a C-octet string longer than the standard allows */
	SMPP_E_COMMAND = -4, /* no command of SMPP 3.4 */
	SMPP_E_TLV = -5,     /* a TLV reaches beyond the PDU */
	SMPP_E_SPACE = -6,   /* packing: the buffer is too small */
	SMPP_E_RANGE = -7,   /* a number that its field cannot have (short_message above 254 octets ...) */
};
const char *smpp_strerror(int err); /* never NULL */

/* esm_class (SMPP 5.2.12) */
#define SMPP_ESM_MODE	      0x03 /* ESME to SMSC: 0 default, 1 datagram, 2 transaction, 3 store and forward */
#define SMPP_ESM_TYPE	      0x3c
#define SMPP_ESM_RECEIPT      0x04 /* SMSC to ESME: SMSC delivery receipt */
#define SMPP_ESM_DELIVERY_ACK 0x08
#define SMPP_ESM_MANUAL_ACK   0x10
#define SMPP_ESM_INTERMEDIATE 0x20 /* intermediate delivery notification */
#define SMPP_ESM_UDHI	      0x40

/* Optional parameters (SMPP 5.3.2) and their bits in smpp_tlvs.have */
enum smpp_tag {
	SMPP_TAG_STATUS_TEXT = 0x001d,	   /* additional_status_info_text */
	SMPP_TAG_RECEIPTED_ID = 0x001e,	   /* receipted_message_id */
	SMPP_TAG_USER_REF = 0x0204,	   /* user_message_reference */
	SMPP_TAG_SAR_REF = 0x020c,	   /* sar_msg_ref_num */
	SMPP_TAG_SAR_TOTAL = 0x020e,	   /* sar_total_segments */
	SMPP_TAG_SAR_SEQ = 0x020f,	   /* sar_segment_seqnum */
	SMPP_TAG_SC_VERSION = 0x0210,	   /* sc_interface_version */
	SMPP_TAG_MS_AVAILABILITY = 0x0422, /* ms_availability_status */
	SMPP_TAG_NET_ERROR = 0x0423,	   /* network_error_code */
	SMPP_TAG_PAYLOAD = 0x0424,	   /* message_payload */
	SMPP_TAG_FAILURE_REASON = 0x0425,  /* delivery_failure_reason */
	SMPP_TAG_MORE_MESSAGES = 0x0426,   /* more_messages_to_send */
	SMPP_TAG_MESSAGE_STATE = 0x0427,   /* message_state */
};
enum smpp_tlv_bit {
	SMPP_TLV_STATUS_TEXT = 1 << 0,
	SMPP_TLV_RECEIPTED_ID = 1 << 1,
	SMPP_TLV_USER_REF = 1 << 2,
	SMPP_TLV_SAR_REF = 1 << 3,
	SMPP_TLV_SAR_TOTAL = 1 << 4,
	SMPP_TLV_SAR_SEQ = 1 << 5,
	SMPP_TLV_SC_VERSION = 1 << 6,
	SMPP_TLV_MS_AVAILABILITY = 1 << 7,
	SMPP_TLV_NET_ERROR = 1 << 8,
	SMPP_TLV_PAYLOAD = 1 << 9,
	SMPP_TLV_FAILURE_REASON = 1 << 10,
	SMPP_TLV_MORE_MESSAGES = 1 << 11,
	SMPP_TLV_MESSAGE_STATE = 1 << 12,
	SMPP_TLV_ODD = 1 << 13, /* unpacking: a known tag with a length it cannot have was left out */
};

struct smpp_octets {
	const uint8_t *p;
	size_t len;
};

/* Only what `have` names is valid, and is packed.  Of a repeated tag the last one counts. */
struct smpp_tlvs {
	uint32_t have;
	uint16_t user_ref, sar_ref;
	uint8_t sar_total, sar_seq;
	uint8_t sc_version, ms_availability, failure_reason, more_messages, message_state;
	uint8_t net_error_type; /* 1 ANSI-136, 2 IS-95, 3 GSM */
	uint16_t net_error_code;
	struct smpp_octets payload;
	struct smpp_octets receipted_id; /* a NUL at the end is stripped, and packed; many SMSCs leave it out */
	struct smpp_octets status_text;	 /* same */
	struct smpp_octets raw;		 /* unpacking: all TLVs, known or not */
};

/* message_state (SMPP 5.2.28) */
enum smpp_message_state {
	SMPP_STATE_ENROUTE = 1,
	SMPP_STATE_DELIVERED = 2,
	SMPP_STATE_EXPIRED = 3,
	SMPP_STATE_DELETED = 4,
	SMPP_STATE_UNDELIVERABLE = 5,
	SMPP_STATE_ACCEPTED = 6,
	SMPP_STATE_UNKNOWN = 7,
	SMPP_STATE_REJECTED = 8,
};

struct smpp_addr {
	uint8_t ton, npi;
	const char *digits;
};

struct smpp_bind { /* bind_receiver, bind_transmitter, bind_transceiver; outbind: system_id and password alone */
	const char *system_id, *password, *system_type;
	uint8_t interface_version;
	struct smpp_addr range;
};

struct smpp_sm { /* submit_sm, deliver_sm, submit_multi, replace_sm, data_sm: those fields that the PDU has */
	const char *service_type;
	struct smpp_addr src, dst;
	uint8_t esm_class, protocol_id, priority_flag;
	uint8_t registered_delivery, replace_if_present, data_coding, default_msg_id;
	const char *schedule_time, *validity_period;
	const char *message_id;	  /* replace_sm */
	struct smpp_octets sm;	  /* short_message, at most SMPP_SM_MAX octets */
	uint8_t dest_count;	  /* submit_multi */
	struct smpp_octets dests; /* submit_multi: the dest_address(es) as on the wire, well-formed */
};

struct smpp_query { /* query_sm, cancel_sm and their like; query_sm_resp */
	const char *service_type, *message_id, *final_date;
	struct smpp_addr src, dst;
	uint8_t message_state, error_code;
};

/* bind_*_resp: system_id; submit_sm_resp, deliver_sm_resp, data_sm_resp, submit_multi_resp: message_id */
struct smpp_result {
	const char *id;
	uint8_t fail_count;	  /* submit_multi_resp */
	struct smpp_octets fails; /* submit_multi_resp: the unsuccess_sme(s) as on the wire, well-formed */
};

struct smpp_alert {
	struct smpp_addr src, esme;
};

struct smpp_pdu {
	uint32_t len; /* command_length; unpacking only */
	uint32_t id, status, seq;
	union { /* by id; a PDU without body uses none */
		struct smpp_bind bind;
		struct smpp_sm sm;
		struct smpp_query query;
		struct smpp_result resp;
		struct smpp_alert alert;
	};
	struct smpp_tlvs tlv;
};

/* What stands at the head of a stream: the length of a complete PDU, 0 when more octets are needed, or SMPP_E_LENGTH
 * when this is no PDU of 16..max octets.  A wrong length is seen as soon as its four octets are there. */
int smpp_frame(const uint8_t *buf, size_t len, size_t max);

/* The four header words of >= 16 octets; nothing is checked. */
void smpp_header(struct smpp_pdu *out, const uint8_t buf[SMPP_HEADER_LEN]);

/* One complete PDU of exactly len octets.  0 or an enum smpp_err; the header fields are filled in as soon as len >= 16,
 * also with an error.  *at (may be NULL) is the offset at which reading stopped.  A response without a body is taken:
 * the standard leaves it out with an error status (SMPP 4.4.2), some SMSCs always. */
int smpp_pdu_unpack(struct smpp_pdu *out, const uint8_t *buf, size_t len, size_t *at);

/* Writes one PDU: its length or an enum smpp_err.  p->len is not used.  bind and submit responses with an error status,
 * no id and no TLVs are written without body. */
int smpp_pdu_pack(uint8_t *buf, size_t cap, const struct smpp_pdu *p);

/* The message of a submit_sm, deliver_sm or data_sm: message_payload when there is one, else short_message. */
struct smpp_octets smpp_message(const struct smpp_pdu *p);

const char *smpp_command_name(uint32_t id); /* "submit_sm", "submit_sm_resp", ...; "unknown command" */

/* Relative time (SMPP 7.1.1.1), "YYMMDDhhmmss000R": never longer than `seconds`, since a month may have 31 days.
 * Capped at 99 years.  Writing gives out; reading gives -1 for anything that is not a relative time. */
const char *smpp_time_relative(char out[SMPP_TIME_MAX], uint32_t seconds);
int64_t smpp_time_relative_s(const char *s);

#endif
