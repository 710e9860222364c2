/* card.h - a virtual UICC: SMS-PP download in, proof of receipt out.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Clock-free and socket-free.  The card has its own decoder and its own crypto calls, written from TS 102 225, 31.115,
 * 102 226 and 31.102 and sharing nothing with the gateway's codec, so that two independent implementations meet.
 * A struct sim_card is a plain value of fixed size: arrays of 100,000 are fine, a copy is a snapshot.  Its two pointers are
 * to the subscription applet (card_sub.h) and, on a card without it, to the USIM's keys; both may be NULL.
 */
#ifndef OTASIM_CARD_H
#define OTASIM_CARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_UD_MAX	  140 /* octets of a TP-UD (TS 23.040, 9.2.3.24) */
#define SIM_REPORT_UD_MAX 128 /* octets of user data that fit a SMS-DELIVER-REPORT (TS 23.040, 9.2.2.1a) */
#define SIM_SEGMENTS_MAX  5   /* segments of one command the card can hold */
#define SIM_CONCAT_SLOTS  2   /* concatenated commands being reassembled at the same time */
#define SIM_KEY_MAX	  32
#define SIM_KEYSETS_MAX	  2
#define SIM_TARS_MAX	  4
#define SIM_POR_SMS_MAX	  3 /* SMS-SUBMITs one PoR may take */
#define SIM_SQN_INDS	  32
#define SIM_SEEN_MAX	  32 /* authentic packets remembered for the checkers */
#define SIM_FS_OCTETS	  640
#define SIM_CNTR_MAX	  0xffffffffffull
#define SIM_ICCID_LEN	  20 /* 19 digits and NUL */
#define SIM_IMSI_LEN	  16 /* 15 digits and NUL */
#define SIM_DIGITS_MAX	  21 /* octets of an address incl. NUL */

enum sim_alg { /* of one key; the nibble in KIc and KID */
	       SIM_ALG_NONE,
	       SIM_ALG_DES,    /* 1 */
	       SIM_ALG_3DES2,  /* 5 */
	       SIM_ALG_3DES3,  /* 9 */
	       SIM_ALG_AES128, /* 2, as the next two */
	       SIM_ALG_AES192,
	       SIM_ALG_AES256,
	       _SIM_ALGS
};
size_t sim_alg_key_len(enum sim_alg alg);
const char *sim_alg_name(enum sim_alg alg); /* "3des2"; never NULL */
int sim_alg_parse(const char *name);	    /* an enum sim_alg, or -1 */

/* TS 23.040, 9.1.2.5, in the values of SMPP. */
struct sim_addr {
	uint8_t ton, npi;
	char digits[SIM_DIGITS_MAX];
};

/* How the card answers a counter that is too low. */
enum sim_replay {
	SIM_REPLAY_02,	       /* status 02, secured as SPI2 asks */
	SIM_REPLAY_06_CLEAR,   /* as seen on a sysmoISIM-SJA2: status 06, no security, CNTR zero */
	SIM_REPLAY_SILENT,     /* no PoR at all, SW 6200 */
	SIM_REPLAY_06_SECURED, /* status 06, secured as SPI2 asks */
};

/* What a batch of cards has in common. */
struct sim_card_profile {
	enum sim_alg alg;	      /* KIc and KID */
	uint8_t mac_len;	      /* 8, or 4 with AES-CMAC */
	uint8_t kvn;		      /* key version number 1..15 */
	uint64_t cntr;		      /* the card's stored counter: the first accepted value is higher */
	uint8_t msl;		      /* minimum SPI1 */
	uint8_t tars;		      /* used entries of tar[] */
	uint8_t tar[SIM_TARS_MAX][3]; /* B00010 is the SIM file system (CLA A0), any other the USIM's */
	char iccid_prefix[12];	      /* digits in front of a serial number; the check digit is computed */
	char imsi_prefix[8];	      /* MCC MNC */
	char msisdn_prefix[8];
	enum sim_replay replay;
	bool silent_errors;	  /* no PoR at all when security fails, SW 6200 */
	bool pad_80;		  /* cipher padding of a PoR is 80 00.. instead of 00.. */
	bool interim_0b;	  /* PoR by SMS-SUBMIT: status 0B in the DELIVER-REPORT beforehand */
	bool no_refresh;	  /* the card does not issue REFRESH after a script that changed a file */
	bool no_5gs;		  /* no DF_5GS: 5FC0 is not found */
	bool subscription;	  /* has the applet of card_sub.h; sim_card_sub_attach() sets it */
	bool usim;		  /* a fleet gives cards without the applet K and OPc */
	uint8_t pairs;		  /* a fleet gives its cards the applet with so many pairs; 0: no applet */
	uint32_t plain;		  /* ... but to so many, its last ones: these have K and OPc alone */
	uint8_t segments_max;	  /* 1..SIM_SEGMENTS_MAX; more gives status 07 */
	uint16_t deny_update_fid; /* UPDATE of this EF gives 6982; 0: none */
};
/* 3des2, KVN 1, cntr 0, MSL 16 (CC, ciphering, counter higher), B00011 and B00010, 02 for replays, REFRESH. */
void sim_card_profile_default(struct sim_card_profile *p);

struct sim_keyset {
	uint8_t kvn, mac_len;
	uint8_t gen; /* keys that come and go under one KVN: the pair's index; 0 elsewhere */
	enum sim_alg kic_alg, kid_alg;
	uint8_t kic[SIM_KEY_MAX], kid[SIM_KEY_MAX], kik[SIM_KEY_MAX];
	uint64_t cntr; /* highest value taken */
};

/* One authentic packet the card has met; for the checkers only. */
struct sim_seen {
	uint64_t cntr;
	uint64_t packet_hash; /* over the whole packet in clear */
	uint32_t executions;
	uint8_t kvn;
	bool counted;	  /* SPI1 made the card check the counter */
	bool imsi_update; /* carried an UPDATE BINARY of EF_IMSI */
};

/* What the checkers ask.  Only authentic packets (deciphered, CC right) count here. */
struct sim_card_truth {
	char iccid[SIM_ICCID_LEN];
	char imsi_stored[SIM_IMSI_LEN];	   /* EF_IMSI decoded; "" when it is not an IMSI */
	char imsi_presented[SIM_IMSI_LEN]; /* what the phone attaches with */
	uint32_t accepted;		   /* packets that passed security */
	uint32_t scripts_done;		   /* executed to the last command */
	uint32_t imsi_changes;		   /* UPDATEs that gave EF_IMSI another value */
	uint32_t imsi_writes;		   /* scripts that wrote EF_IMSI, with whatever value */
	uint32_t replays_refused;	   /* counter too low */
	uint32_t security_refused;	   /* anything else refused before execution */
	uint32_t executions_max;	   /* of one identical packet with checked counter: never above 1 */
	uint32_t same_cntr_other_packet;   /* two different packets under one (KVN, CNTR), refused ones too: never */
	uint32_t imsi_update_cntrs;	   /* distinct counters of packets with an UPDATE of EF_IMSI */
	uint32_t seen_dropped;		   /* packets no longer remembered: the two lines above are lower bounds */
};

struct sim_concat {
	bool used, wide;   /* wide: 16-bit reference */
	uint8_t max, have; /* segments expected; bit mask of those present */
	uint16_t ref;
	uint32_t age;	 /* of the last segment, in messages; the oldest slot is reused */
	uint8_t cpi_seq; /* the segment that carried 70 00, 0: none yet */
	uint8_t len[SIM_SEGMENTS_MAX];
	uint8_t seg[SIM_SEGMENTS_MAX][SIM_UD_MAX - 6];
	struct sim_addr oa;
};

/* K and OPc (Milenage) of a card that has no applet, and what it has seen of SQN. */
struct sim_usim {
	uint8_t k[16], opc[16];
	uint64_t seq[SIM_SQN_INDS];
};

struct sim_sub;

struct sim_card {
	struct sim_card_profile profile;
	uint32_t index;
	char iccid[SIM_ICCID_LEN];
	char imsi_first[SIM_IMSI_LEN]; /* as delivered */
	char imsi_presented[SIM_IMSI_LEN];
	char msisdn[SIM_IMSI_LEN];
	struct sim_keyset ks[SIM_KEYSETS_MAX]; /* kvn 0: unused */
	struct sim_concat concat[SIM_CONCAT_SLOTS];
	uint32_t messages; /* SMS-PP downloads so far */
	uint8_t por_ref;   /* concatenation reference of the next long PoR */
	uint8_t seen_next, seen_count;
	struct sim_seen seen[SIM_SEEN_MAX];
	struct sim_card_truth truth; /* counters only; sim_card_truth() fills in the rest */
	uint8_t fs[SIM_FS_OCTETS];
	struct sim_sub *sub;   /* the caller's; see sim_card_sub_attach() */
	struct sim_usim *usim; /* the caller's; see sim_card_usim_attach() */
};

/* What one SMS-PP download led to. */
struct sim_card_out {
	uint16_t sw;	    /* of the ENVELOPE: 9000, 91xx (something proactive follows), 6200, 6Fxx */
	int status;	    /* of the PoR, -1: none was made */
	bool complete;	    /* a whole packet was looked at (not a segment that waits for others) */
	bool accepted;	    /* it passed security */
	bool refresh;	    /* REFRESH was issued: call sim_card_refresh() when the phone has done it */
	uint8_t report_len; /* TP-UD for the DELIVER-REPORT, 0: none */
	uint8_t report[SIM_UD_MAX];
	struct sim_addr submit_to; /* TP-DA of the SMS-SUBMITs: the received TP-OA */
	uint8_t submits;
	struct {
		uint8_t len;
		uint8_t ud[SIM_UD_MAX];
	} submit[SIM_POR_SMS_MAX];
};

/* Identity and keys follow from seed and index alone.  Returns 0, or -1 when the profile makes no sense. */
int sim_card_init(struct sim_card *c, uint64_t seed, uint32_t index, const struct sim_card_profile *p);

/* Gives a card that has no applet its keys for the network, from seed and index.  `u` is the caller's, and lives as long. */
void sim_card_usim_attach(struct sim_card *c, struct sim_usim *u, uint64_t seed);

/* What a personalisation lays upon a card that sim_card_init() has made: numbers of digits only, keys of the profile's
 * algorithm.  0, or -1 when a number is too long or too short. */
struct sim_card_perso {
	const char *iccid, *imsi, *msisdn; /* msisdn may be "" */
	uint8_t kvn;
	const uint8_t *kic, *kid, *kik;
};
int sim_card_personalise(struct sim_card *c, const struct sim_card_perso *p);

/* One SMS-PP download: TP-UD with its UDH, from originator oa (NULL: unknown). */
void sim_card_sms_pp(struct sim_card *c, const struct sim_addr *oa, const uint8_t *ud, size_t len,
		     struct sim_card_out *out);

/* The phone has carried out REFRESH, or was switched off and on: from here on it presents EF_IMSI as stored. */
void sim_card_refresh(struct sim_card *c);
void sim_card_reset(struct sim_card *c); /* partial reassembly is lost, too */

void sim_card_truth(const struct sim_card *c, struct sim_card_truth *out);

/* A file in place, by FID under ADF.USIM (or 2FE2, 4F01, 4F02); NULL when there is none. */
const uint8_t *sim_card_file(const struct sim_card *c, uint16_t fid, size_t *len);

enum sim_auth_result { SIM_AUTH_OK, SIM_AUTH_SYNC, SIM_AUTH_MAC, SIM_AUTH_NONE };
struct sim_auth {
	uint8_t res[8], ck[16], ik[16];
	uint8_t auts[14];
};
/* AUTHENTICATE in the 3G context (TS 31.102, 7.1.2), with the active pair or the USIM's keys; NONE: it has no keys. */
enum sim_auth_result sim_card_authenticate(struct sim_card *c, const uint8_t rand[16], const uint8_t autn[16],
					   struct sim_auth *out);
uint64_t sim_card_sqn(const struct sim_card *c); /* the highest SQN of the keys in force, 0: none yet */

/* UPDATE BINARY by the ME, whole file, path of n FIDs from ADF.USIM; 0, or -1 when there is no such file. */
int sim_card_me_update(struct sim_card *c, const uint16_t *path, int n, const uint8_t *content, size_t len);

/* Luhn check digit of n decimal digits, as a character. */
char sim_luhn(const char *digits, size_t n);

#endif
