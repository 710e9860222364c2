/* profile.h - the card profile: which files an IMSI change writes, in which order, under which security.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A readable text file (contrib/cfg/profiles/NAME.profile); a campaign keeps a copy of the text it was created with, so
 * that editing the file later changes nothing under way.  The parser knows no file and no core.
 */
#ifndef OTAGW_PROFILE_H
#define OTAGW_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ota/codec.h"
#include "ota/errtab.h"
#include "../store/rows.h"

#define PROFILE_STEPS_MAX   48
#define PROFILE_BYTES_MAX   96 /* octets of one literal or deleted value */
#define PROFILE_POR_MAX	    13 /* statuses 00..0c (TS 102 225, 5.2) */
#define PROFILE_SW_MAX	    32 /* lines "sw 6985 means CARD-TRANSIENT" */
#define PROFILE_OPC_LEN	    16
#define PROFILE_OPC_FIDS    3  /* of the path to OPc */
#define PROFILE_COMMAND_MAX 20 /* "UPDATE RECORD 6f42", with NUL */

enum profile_step_kind { STEP_SELECT, STEP_UPDATE, STEP_UPDATE_RECORD, STEP_READ };
enum profile_value {
	VALUE_HEX,  /* octets given in the file */
	VALUE_IMSI, /* EF_IMSI of the new IMSI */
	VALUE_ACC,  /* access class from the new IMSI's last digit */
	VALUE_LOCI_DELETED,
	VALUE_PSLOCI_DELETED,
	VALUE_EPSLOCI_DELETED,
	VALUE_KEYS_DELETED,
};
struct profile_step {
	uint8_t kind;	/* enum profile_step_kind */
	uint8_t value;	/* enum profile_value */
	uint8_t record; /* STEP_UPDATE_RECORD */
	uint8_t len;	/* VALUE_HEX: octets; STEP_READ: octets asked for */
	uint16_t fid;
	uint8_t bytes[PROFILE_BYTES_MAX];
};

/* How the ME is made to read the card again. */
enum profile_refresh {
	REFRESH_CARD,	     /* the card's OS issues REFRESH by itself after a script that changed files */
	REFRESH_POWER_CYCLE, /* nobody does: the next power cycle will */
};

/* What a status word, or all from lo to hi, means on this card. */
struct profile_sw {
	uint16_t lo, hi;
	uint8_t cls; /* enum fail_class */
	uint16_t line;
};

struct profile {
	char name[PROFILE_NAME_MAX];
	char description[96];
	uint8_t tar[3];
	uint8_t spi[2];
	uint8_t kvn;	/* key version; the algorithm nibbles come from the card's keyset */
	uint8_t cla;	/* 00 UICC, a0 2G */
	uint8_t format; /* enum ota_format: how script and answer are laid out */
	uint8_t concat; /* enum ota_concat */
	uint8_t segments_max;
	uint8_t refresh;		    /* enum profile_refresh */
	uint16_t deleted_lac;		    /* 0x0000 or 0xfffe */
	uint8_t por_map[PROFILE_POR_MAX];   /* enum por_meaning per status: the profile's own, else the error table's */
	uint16_t por_line[PROFILE_POR_MAX]; /* line that says so, 0: the error table */
	unsigned n_sw;
	struct profile_sw sw[PROFILE_SW_MAX];
	uint8_t opc_fids; /* where OPc stands, from ADF.USIM down; 0: nobody says, and the card keeps its own */
	uint16_t opc_fid[PROFILE_OPC_FIDS];
	uint16_t opc_at; /* from this octet of the file on */
	bool works; /* speaks to the subscription application: no steps, what is done comes from an order (work.h) */
	const struct errtab *errtab; /* what else status words mean; outlives the profile */
	unsigned n_steps;
	struct profile_step step[PROFILE_STEPS_MAX];
};

/* Parses and checks a profile: every rule of the file's own manual (contrib/cfg/profiles/README.md), and that IMSI is the
 * last file written, its read-back the last command of all, and the security at least CC, ciphered, counter "higher".
 * On failure returns -1 with "line N: what; did you mean X?" in err. */
int profile_parse(struct profile *p, const struct errtab *errtab, const char *text, size_t len, char *err,
		  size_t err_cap);

/* What the script writes on one card. */
struct swap_values {
	char imsi[IMSI_DIGITS_MAX + 1];
	char msisdn[MSISDN_DIGITS_MAX + 1];
	/* Of an order, the new operator's, written before EF_IMSI, in place of what the profile says of them; each: number of FIDs from
	 * ADF.USIM down (1, 2), these, length, content.  NULL: none. */
	const uint8_t *files;
	size_t files_len;
	/* Of an order, 16 octets: written behind EF_IMSI, as the last one of all, where the profile says.  NULL: the card keeps its own. */
	const uint8_t *opc;
};
/* The script of an IMSI change: octets of secured data into buf, number of C-APDUs in *apdus.  Length or negative ota_err. */
int profile_script(const struct profile *p, const struct swap_values *v, uint8_t *buf, size_t cap, uint16_t *apdus);
/* SELECT and READ of EF_IMSI alone: the probe that settles what a card holds. */
int profile_readback(const struct profile *p, uint8_t *buf, size_t cap, uint16_t *apdus);

/* What command number `index` (from 0) of the script, or of its read-back, does: "UPDATE 6f73".  False: there is none. */
bool profile_command_name(const struct profile *p, bool readback, unsigned index, char name[PROFILE_COMMAND_MAX]);

enum por_meaning profile_por_meaning(const struct profile *p, uint8_t status);
/* The profile's own line for a status word, NULL: it has none. */
const struct profile_sw *profile_sw_line(const struct profile *p, uint16_t sw);
/* What a status word is on this card; of class FAIL_NONE where it is a success (9000, 91xx, 62xx ...). */
struct fail profile_sw_fail(const struct profile *p, uint16_t sw);
bool profile_sw_ok(const struct profile *p, uint16_t sw);

/* KIc and KID octets of a packet under this keyset. */
uint8_t profile_kic(const struct keyset_row *k);
uint8_t profile_kid(const struct keyset_row *k);
/* Octets of the finished packet and short messages it takes, for dry runs; negative ota_err. */
int profile_packet_len(const struct profile *p, const struct keyset_row *k, const struct swap_values *v, int *segments);

#endif
