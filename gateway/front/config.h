/* config.h - what otagw.cfg says, as plain values.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Read by libosmovty (vty.c) in the Osmocom manner; contrib/cfg/otagw.cfg explains every line.  Secrets are named by file
 * and read from there (mode 0600); none stands in the config.
 */
#ifndef OTAGW_CONFIG_H
#define OTAGW_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ota/errtab.h"
#include "ota/keystore.h"
#include "ota/link.h"
#include "../core/gw.h"
#include "../desk/desk.h"

#define CONFIG_LINKS_MAX	  16
#define CONFIG_CONCAT_PAYLOAD_UDH 2 /* of config_link.concat: a submit is a whole packet */
#define CONFIG_PATH_MAX		  256
#define CONFIG_IP_MAX		  16   /* A.B.C.D */
#define CONFIG_VTY_PORT		  4279 /* free in Osmocom's lists */
#define CONFIG_CTRL_PORT	  4280
#define CONFIG_GSMTAP_PORT	  4729 /* IANA: gsmtap */
#define CONFIG_ERR_MAX		  512
#define CONFIG_SETTINGS_MAX	  128
#define CONFIG_TYPE_AS_GIVEN	  0xff /* TON and NPI of source-address */
#define CONFIG_PASSWORD_MAX	  9    /* SMPP 3.4, 4.1.1: 8 characters and a NUL */

/* What a short message costs; each "": not said. */
struct config_price {
	char each[16], currency[16]; /* as they were written */
	uint64_t millionths;
	uint8_t decimals;
};

/* One smsc-link: everything struct smpp_link_cfg wants, without libevent. */
struct config_link {
	char name[LINK_NAME_MAX];
	char host[64];
	uint16_t port;
	char system_id[16];
	char password[CONFIG_PASSWORD_MAX];
	char password_file[CONFIG_PATH_MAX];
	char system_type[13];
	char flavour[ERRTAB_FLAVOUR_MAX]; /* of the SMSC: whose meaning codes have */
	uint32_t window;
	bool rate_given, unlimited;
	double rate; /* segments per second, 0: unlimited, said in words */
	uint32_t enquire_link_ms, enquire_timeout_ms, response_ms, bind_ms, reconnect_ms, reconnect_max_ms;
	uint8_t esm_mode; /* 0 default, 1 datagram, 2 transaction, 3 store-and-forward */
	uint8_t pid, dcs;
	uint8_t receipts; /* as-needed, always */
	uint8_t concat;	  /* udh, sar, payload-udh: CONFIG_CONCAT_PAYLOAD_UDH */
	uint8_t bind_as;  /* trx, tx+rx */
	uint8_t rebind;	  /* never, settled */
	uint8_t tls;	  /* no, yes */
	char tls_ca_file[CONFIG_PATH_MAX], tls_certificate[CONFIG_PATH_MAX], tls_key[CONFIG_PATH_MAX]; /* PEM, or "" */
	char tls_server_name[64];								       /* "": host */
	uint8_t message_id;	     /* auto, text, hex-decimal, decimal-hex, none */
	uint8_t payload;	     /* short-message, message-payload */
	uint8_t optional_parameters; /* all, none */
	uint8_t interface_version;   /* 3.4, 5.0 */
	uint8_t src_ton, src_npi;    /* or CONFIG_TYPE_AS_GIVEN */
	bool given
		[CONFIG_SETTINGS_MAX]; /* while the file is read: settings that stand there, which no preset changes */
};

/* One partner: what desk.partner[] does not have. */
struct config_partner {
	char name[PKG_NAME_MAX + 1];
	char party_file[CONFIG_PATH_MAX];
	char host[64];
	uint16_t port; /* 0: packages go as files alone */
};

struct otagw_config {
	char state_dir[CONFIG_PATH_MAX];
	char profile_dir[CONFIG_PATH_MAX];
	char api_socket[CONFIG_PATH_MAX];
	char mark_file[CONFIG_PATH_MAX];   /* tells a restored backup from the real thing; STATE-DIR.mark */
	char error_table[CONFIG_PATH_MAX]; /* read over the one that is built in; "" none */
	uint32_t story_days;		   /* lines of the story and packets are kept so long at least, 0: for ever */
	struct config_price price;
	int log_level;		/* as syslog: 3 error .. 7 debug */
	enum ks_kek_source kek; /* KS_KEK_FILE, KS_KEK_PASSPHRASE */
	char kek_path[CONFIG_PATH_MAX];
	struct gw_cfg gw; /* limits, retry, src, address_by_imsi, pid, dcs, n_links, n_routes */
	unsigned n_links;
	struct config_link link[CONFIG_LINKS_MAX];
	unsigned n_routes;
	struct route route[ROUTES_MAX];
	/* orders between operators; without a node "exchange" nothing of it is there */
	struct desk_cfg desk; /* n_partners; what is pinned is loaded by who builds the desk */
	struct config_partner partner[DESK_PARTNERS_MAX];
	char exchange_party[CONFIG_PATH_MAX], exchange_self[CONFIG_PATH_MAX];
	char listen_host[64];
	uint16_t listen_port; /* 0: nobody connects to us */
	char hlr_host[64];
	uint16_t hlr_port;	/* 0: none */
	char hlr_template[256]; /* of another register, "": none */
	char sqn_database[256]; /* OsmoHLR's, to set SQN; "": it is not set */
	/* VTY and CTRL, each only where its node stands in the file; loopback alone */
	bool vty, ctrl;
	char vty_ip[CONFIG_IP_MAX], ctrl_ip[CONFIG_IP_MAX];
	uint16_t vty_port, ctrl_port;  /* 0: any */
	char gsmtap_ip[CONFIG_IP_MAX]; /* "": no GSMTAP */
	uint16_t gsmtap_port;
};

void config_default(struct otagw_config *c);
/* Reads and checks a config file.  0, or -1 with "FILE:LINE: what; did you mean X?" or what must be added. */
int config_read(struct otagw_config *c, const char *path, char err[CONFIG_ERR_MAX]);
bool config_exchange_on(const struct otagw_config *c);
/* The error table that is built in with the config's own over it; NULL with a sentence. */
struct errtab *config_errtab(const struct otagw_config *c, char err[CONFIG_ERR_MAX]);
/* Wipes the passwords. */
void config_wipe(struct otagw_config *c);

#endif
