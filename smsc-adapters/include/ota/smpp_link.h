/* smpp_link.h - an SMPP 3.4 ESME as a link, on libevent.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTA_SMPP_LINK_H
#define OTA_SMPP_LINK_H

#include <event2/event.h>

#include "ota/errtab.h"
#include "ota/link.h"

#define SMPP_WINDOW_MAX	  1000
#define SMPP_PDU_MAX	  4096 /* octets; a longer command_length closes the connection */
#define SMPP_RECEIVED_MAX 256  /* deliver_sm waiting for answer(); beyond it RMSGQFUL */

#define SMPP_PATH_MAX 256

#define SMPP_MODE_TRANSACTION 2 /* esm_class: the response comes after the network's answer */

#define SMPP_FLAVOUR_DEFAULT "generic-3.4"

/* How the id of a receipt relates to that of the response. */
enum smpp_msgids {
	SMPP_MSGIDS_AUTO,	 /* leading zeros and case do not matter; else the same number in the other base */
	SMPP_MSGIDS_TEXT,	 /* leading zeros and case do not matter */
	SMPP_MSGIDS_HEX_DECIMAL, /* response in hex, receipt in decimal */
	SMPP_MSGIDS_DECIMAL_HEX,
	SMPP_MSGIDS_NONE, /* ids say nothing */
};
#define SMPP_TYPE_AS_GIVEN 0xff /* TON, NPI of our address: as the submit has it */

/* How a packet of several short messages is told to the SMSC. */
enum smpp_concat {
	SMPP_CONCAT_UDH, /* a concatenation IE in each part's UDH */
	SMPP_CONCAT_SAR, /* parameters sar_msg_ref_num, sar_total_segments, sar_segment_seqnum beside each part */
	SMPP_CONCAT_PAYLOAD_UDH, /* one PDU: the UDH without concatenation and all octets in message_payload */
};

/* As what the SMSC is bound. */
enum smpp_bind_as {
	SMPP_BIND_TRX,	 /* one connection for both ways */
	SMPP_BIND_TX_RX, /* a transmitter and a receiver: two connections, one link */
};

struct smpp_link_cfg {
	char name[LINK_NAME_MAX];
	char host[64];
	uint16_t port;
	char system_id[16];
	char password[9]; /* SMPP 3.4: at most 8 characters; wiped after each bind is the owner's to do */
	char system_type[13];
	char flavour[ERRTAB_FLAVOUR_MAX]; /* whose meaning codes have; default SMPP_FLAVOUR_DEFAULT */
	unsigned window;		  /* 1..SMPP_WINDOW_MAX */
	double rate;		     /* segments (PDUs) per second; 0 = unlimited, which the config must say in words */
	uint32_t enquire_link_ms;    /* default 30000 */
	uint32_t response_ms;	     /* submit_sm without response becomes UNKNOWN; default 60000 */
	uint32_t enquire_timeout_ms; /* for the answer to it: default 10000 */
	uint32_t bind_ms;	     /* for connect and for bind; default 10000 */
	uint32_t answer_ms;	     /* deliver_sm without answer() gets a temporary error; default LINK_ANSWER_MS */
	uint32_t reconnect_ms;	     /* first delay, default 1000; doubles up to reconnect_max_ms with jitter */
	uint32_t reconnect_max_ms;   /* default 60000 */
	uint8_t esm_mode;     /* low two bits of esm_class: 0 default, 1 datagram, 2 transaction, 3 store-and-forward */
	uint8_t message_id;   /* enum smpp_msgids */
	bool message_payload; /* user data in the TLV message_payload instead of short_message */
	bool receipts;	      /* ask for a receipt of each submit, not only where the caller wants one */
	bool no_tlvs;	      /* for SMSCs that refuse optional parameters they do not know */
	uint8_t interface_version; /* 0x34, 0x50 */
	uint8_t src_ton, src_npi;  /* instead of the submit's, or SMPP_TYPE_AS_GIVEN */
	bool own_pid_dcs;	   /* pid and dcs below instead of the submit's */
	uint8_t pid, dcs;
	uint8_t concat;	 /* enum smpp_concat */
	uint8_t bind_as; /* enum smpp_bind_as */
	bool rebind;	 /* bind once more when submits of earlier connections have ended (smpp_renew.c); TRX alone */
	struct {
		bool on;			 /* TLS 1.2 or newer; the certificate is always looked at */
		char ca_file[SMPP_PATH_MAX];	 /* PEM; "": the CAs that the system trusts */
		char server_name[64];		 /* whom the certificate must name; "": host */
		char certificate[SMPP_PATH_MAX]; /* ours, PEM with chain; "": none */
		char key[SMPP_PATH_MAX];
	} tls;
};

/* What the link needs from outside. */
struct smpp_link_env {
	struct event_base *base;
	const struct errtab *errtab; /* what codes mean; outlives the link */
	int64_t (*now_ms)(void *ctx);
	uint32_t (*random_u32)(void *ctx);
	void (*log)(void *ctx, int level,
		    const char *line); /* level as syslog: 3 error, 4 warning, 5 notice, 6 info, 7 debug */
	void *ctx;
};

void smpp_link_cfg_default(struct smpp_link_cfg *cfg);
/* Checks cfg; NULL with a sentence in err when something is wrong. */
struct link *smpp_link_new(const struct smpp_link_cfg *cfg, const struct smpp_link_env *env, char *err, size_t err_cap);

#endif
