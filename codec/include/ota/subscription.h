/* subscription.h - the card interface of alternative 3b: commands and answers of the subscription applet.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The normative text is contrib/doc/card-interface.md; the numbers in brackets are its sections.  Both directions are
 * here: a gateway builds commands and reads answers, a trace, a judge or a card reads commands and builds answers.
 * No allocation, no cipher: keys pass through wrapped, and what has to be hashed or MACed is given as exact octets.
 * Functions give 0 or a length, or a negative enum ota_err.
 */
#ifndef OTA_SUBSCRIPTION_H
#define OTA_SUBSCRIPTION_H

#include "ota/codec.h"

/* Profile values (1). */
#define OTA_SUB_TAR              \
	{                        \
		0xbf, 0xff, 0x3b \
	}
#define OTA_SUB_AID                                                                                            \
	{                                                                                                      \
		0xf0, 0x4f, 0x54, 0x41, 0x33, 0x42, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0xbf, 0xff, 0x3b, 0x00 \
	}
#define OTA_SUB_MSL	   0x16
#define OTA_SUB_KVN_VAULT  14
#define OTA_SUB_KVN_CHANGE 15
#define OTA_SUB_VERSION	   1 /* P2 */

#define OTA_SUB_SET_MAX	    512 /* octets of a set (2.2) */
#define OTA_SUB_BLOCK_MAX   254 /* octets of data in one command */
#define OTA_SUB_FILES_MAX   12
#define OTA_SUB_PLMNS_MAX   16
#define OTA_SUB_FILE_MAX    124 /* octets of content with one FID, two fewer with two */
#define OTA_SUB_INDEX_MAX   0xfffe
#define OTA_SUB_NO_INDEX    0xffff
#define OTA_SUB_TRIAL_MIN_S 60
#define OTA_SUB_TRIAL_MAX_S 2592000
#define OTA_SUB_TRIAL_S	    86400 /* when the set does not say */
#define OTA_SUB_HASH_LEN    16
#define OTA_SUB_MAC_LEN	    8
#define OTA_SUB_KCV_LEN	    3
#define OTA_SUB_KCVS_MAX    5
#define OTA_SUB_JUMP_LEN    33 /* octets that the vault MACs (5.4) */
#define OTA_SUB_ERASE_LEN   34
#define OTA_SUB_RSP_MAX	    96 /* octets of the longest answer */

enum ota_sub_ins {
	OTA_SUB_STATUS = 0x30,
	OTA_SUB_STAGE = 0x32,
	OTA_SUB_UNSTAGE = 0x34,
	OTA_SUB_ARM = 0x36,
	OTA_SUB_ADVANCE = 0x38,
	OTA_SUB_CONFIRM = 0x3a,
	OTA_SUB_ROLLBACK = 0x3c,
	OTA_SUB_KEY_CHANGE = 0x3e,
	OTA_SUB_OP_SET = 0x40,
	OTA_SUB_ALG_SELECT = 0x42,
	OTA_SUB_REFILL = 0x46,
	OTA_SUB_KEY_ERASE = 0x48,
};
const char *ota_sub_ins_name(uint8_t ins); /* "STAGE"; NULL when it is none of them */

enum ota_sub_state {
	OTA_SUB_IDLE,
	OTA_SUB_STAGED,
	OTA_SUB_ARMED,
	OTA_SUB_TRIAL,
	OTA_SUB_CONFIRMED,
	OTA_SUB_RETURNING,
	OTA_SUB_ROLLED_BACK,
};
const char *ota_sub_state_name(uint8_t state); /* "TRIAL", never NULL */

/* What became of an order (3). */
enum ota_sub_end {
	OTA_SUB_END_UNKNOWN,
	OTA_SUB_END_STAGED,
	OTA_SUB_END_ARMED,
	OTA_SUB_END_TRIAL,
	OTA_SUB_END_CONFIRMED,
	OTA_SUB_END_CONFIRMED_SELF, /* by the card, after a location update */
	OTA_SUB_END_RETURNING,
	OTA_SUB_END_ROLLED_BACK,
	OTA_SUB_END_TIMEOUT,
};
const char *ota_sub_end_name(uint8_t end); /* never NULL */

/* Status words of this interface (4.4); the others are ISO 7816-4's. */
enum ota_sub_sw {
	OTA_SUB_SW_OK = 0x9000,
	OTA_SUB_SW_MEMORY = 0x6581,
	OTA_SUB_SW_LC = 0x6700,
	OTA_SUB_SW_KEYSET = 0x6982,
	OTA_SUB_SW_STATE = 0x6985,
	OTA_SUB_SW_OBJECTS = 0x6a80,
	OTA_SUB_SW_P1P2 = 0x6a86,
	OTA_SUB_SW_INS = 0x6d00,
	OTA_SUB_SW_CLA = 0x6e00,
	OTA_SUB_SW_FROM = 0x9601,
	OTA_SUB_SW_TO = 0x9602,
	OTA_SUB_SW_MAC = 0x9603,
	OTA_SUB_SW_HASH = 0x9604,
	OTA_SUB_SW_ORDER = 0x9605,
	OTA_SUB_SW_MOVED = 0x9606,
	OTA_SUB_SW_ALG = 0x9607,
	OTA_SUB_SW_KEY = 0x9608,
	OTA_SUB_SW_ROOM = 0x9609,
	OTA_SUB_SW_FILE = 0x960a,
	OTA_SUB_SW_OTA_PENDING = 0x960b,
};
const char *ota_sub_sw_name(uint16_t sw); /* never NULL; falls back to ota_sw_name() */

enum ota_sub_alg { OTA_SUB_MILENAGE = 0x01, OTA_SUB_TUAK = 0x02, OTA_SUB_TEST_ALG = 0x0f };
enum { OTA_SUB_SQN_ARRAY = 0x01 };

/* ------------------------------------------------------------------------------------ the set of STAGE, ADVANCE */

struct ota_sub_file {
	uint16_t fid[2]; /* from ADF.USIM down */
	uint8_t fids;	 /* 1 or 2 */
	uint8_t len;
	const uint8_t *content;
};

/* Spans with len 0 and zeros where something is optional: not there. */
struct ota_sub_set {
	uint64_t order;	   /* not 0 */
	uint16_t from, to; /* equal in 3a */
	char imsi[16];	   /* 6..15 digits */
	struct ota_sub_file file[OTA_SUB_FILES_MAX];
	uint8_t files;
	struct ota_span opc;	 /* wrapped, 24 octets */
	uint8_t alg, sqn_scheme; /* alg 0: as the pair has it */
	struct ota_span plmns;	 /* three octets each */
	uint32_t trial_s;	 /* 0: the card's 24 hours */
	struct ota_span mac;	 /* the vault's, when to > from + 1 */
};
/* The exact octets that STAGE carries, that ARM's hash is over and that the card keeps (2.1, 5.1).  Length or an error. */
int ota_sub_set_encode(uint8_t *buf, size_t cap, const struct ota_sub_set *set);
/* Spans and contents borrow from p. */
int ota_sub_set_decode(struct ota_sub_set *set, const uint8_t *p, size_t len);

/* -------------------------------------------------------------------------------------------------- commands
 * Each is put behind what the script already holds, with Le, so that the last one is answered.  Sticky error in the
 * script: ask ota_script_len(). */

void ota_sub_status(struct ota_script *s, uint64_t order); /* order 0: about none */
void ota_sub_version(struct ota_script *s);
/* `set` is what ota_sub_set_encode() gave; cut into blocks when it is long (2.2). */
void ota_sub_stage(struct ota_script *s, const uint8_t *set, size_t len);
void ota_sub_advance(struct ota_script *s, const uint8_t *set, size_t len);
void ota_sub_unstage(struct ota_script *s, uint64_t order);
/* hash: leftmost 16 octets of SHA-256 over the set. */
void ota_sub_arm(struct ota_script *s, uint64_t order, const uint8_t hash[OTA_SUB_HASH_LEN]);
void ota_sub_confirm(struct ota_script *s, uint64_t order);
void ota_sub_rollback(struct ota_script *s, uint64_t order);
/* Keys are wrapped under the KIK of the keyset that carries the command (5.2), kcv are their check values (5.3). */
void ota_sub_key_change_k(struct ota_script *s, uint64_t order, uint16_t from, struct ota_span k,
			  const uint8_t kcv[OTA_SUB_KCV_LEN]);
void ota_sub_key_change_ota(struct ota_script *s, uint64_t order, uint16_t from, struct ota_span keys,
			    const uint8_t kcv[3 * OTA_SUB_KCV_LEN]);
void ota_sub_op_set(struct ota_script *s, uint64_t order, uint16_t from, struct ota_span opc,
		    const uint8_t kcv[OTA_SUB_KCV_LEN]);
void ota_sub_alg_select(struct ota_script *s, uint64_t order, uint16_t from, uint8_t alg, uint8_t sqn_scheme);
void ota_sub_refill(struct ota_script *s, uint64_t order, uint16_t index, uint8_t alg, uint8_t sqn_scheme,
		    struct ota_span pair, const uint8_t kcv[OTA_SUB_KCVS_MAX * OTA_SUB_KCV_LEN]);
/* mac.len 0: below the active index only. */
void ota_sub_key_erase(struct ota_script *s, uint64_t order, uint16_t first, uint16_t last, struct ota_span mac);

/* A command taken apart; spans borrow from the APDU.  What an instruction does not carry is zero. */
struct ota_sub_cmd {
	uint8_t ins;
	bool le;
	bool version;	      /* STATUS with P1 01 */
	uint8_t block;	      /* STAGE and ADVANCE: number of the block, */
	bool more;	      /* another one follows, */
	struct ota_span data; /* and its octets: join them for ota_sub_set_decode() */
	uint64_t order;	      /* of STAGE and ADVANCE: in the set */
	uint16_t from;
	uint16_t index;	      /* REFILL */
	uint16_t first, last; /* KEY-ERASE */
	uint8_t alg, sqn_scheme;
	struct ota_span hash, mac;
	struct ota_span k, ota_keys, opc, pair; /* wrapped */
	struct ota_span kcv;
};
/* OTA_E_FORMAT: not a command of this interface and version. */
int ota_sub_cmd_decode(struct ota_sub_cmd *out, const uint8_t *apdu, size_t len);
/* "ARM order 0000000000000007", ... always NUL-terminated; false (and "") when it is no command of this interface. */
bool ota_sub_describe(char *buf, size_t cap, const uint8_t *apdu, size_t len);

/* --------------------------------------------------------------------------------------------------- answers */

#define OTA_SUB_PENDING_K   0x01
#define OTA_SUB_PENDING_OPC 0x02
#define OTA_SUB_PENDING_ALG 0x04
#define OTA_SUB_PENDING_OTA 0x08

struct ota_sub_rsp {
	bool has_state, has_hash, has_version, has_iccid;
	/* state object */
	uint8_t state; /* enum ota_sub_state, or one we do not know */
	uint16_t index;
	uint8_t kvn;
	uint64_t order; /* in progress, 0 when none */
	uint16_t to;	/* its target, OTA_SUB_NO_INDEX when none */
	uint8_t imsi_ef[USIM_IMSI_LEN];
	char imsi[16]; /* decoded; "" when EF_IMSI holds none */
	uint16_t pairs_left;
	uint32_t trial_left_s;
	uint8_t pending; /* OTA_SUB_PENDING_* */
	uint64_t cntr;
	uint8_t end; /* enum ota_sub_end of the order in the command */
	uint64_t last_order;
	uint8_t last_end;
	/* others */
	uint8_t hash[OTA_SUB_HASH_LEN];
	uint8_t kcv[OTA_SUB_KCVS_MAX * OTA_SUB_KCV_LEN];
	uint8_t kcv_len; /* 0: not there */
	struct {
		uint8_t major, minor;
		uint16_t maker, build, pairs_max, pairs, set_max;
		uint8_t files_max, plmns_max;
		uint16_t algs; /* bit n-1: algorithm n */
		uint8_t slice_s, orders_max;
	} version;
	uint8_t iccid[USIM_ICCID_LEN];
};
/* Response data of one command answered 9000.  Unknown objects and fields behind the known ones are skipped (3). */
int ota_sub_rsp_decode(struct ota_sub_rsp *out, const uint8_t *data, size_t len);
/* As a card would write it (tests, vectors): state from imsi_ef, not imsi.  Length or an error. */
int ota_sub_rsp_encode(uint8_t *buf, size_t cap, const struct ota_sub_rsp *r);

/* ------------------------------------------------------------------------------------------------- vault MAC (5.4) */

/* The exact octets; iccid as in EF_ICCID. */
void ota_sub_jump_input(uint8_t out[OTA_SUB_JUMP_LEN], const uint8_t iccid[USIM_ICCID_LEN], uint16_t from, uint16_t to,
			uint64_t order);
void ota_sub_erase_input(uint8_t out[OTA_SUB_ERASE_LEN], const uint8_t iccid[USIM_ICCID_LEN], uint16_t first,
			 uint16_t last, uint64_t order);
/* AES-CMAC over such octets through the hook: key is the KID of the card's KVN 14. */
int ota_sub_vault_mac(uint8_t mac[OTA_SUB_MAC_LEN], const uint8_t *input, size_t len, struct ks_ref key,
		      const struct ota_crypt *crypt);

#endif
