/* usim_lab.h - proprietary files of programmable cards: sysmoISIM-SJA2 and SJA5, and a soft UICC (onomondo-uicc).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * No standard has these; they are what a laboratory writes to change K, OPc or the OTA keys of its own cards.  Values
 * that are keys stand in the caller's memory: whoever writes such a file sees it anyway.
 */
#ifndef OTA_USIM_LAB_H
#define OTA_USIM_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* DF.SYSTEM A515 */
#define LAB_FID_SYSTEM	     0xa515
#define LAB_FID_SIM_AUTH_KEY 0x6f20
#define LAB_FID_MILENAGE_CFG 0x6f21
#define LAB_FID_0348_KEY     0x6f22
#define LAB_FID_0348_COUNT   0x6f23
#define LAB_FID_GP_COUNT     0x6f24
/* ADF.USIM and ADF.ISIM */
#define LAB_FID_USIM_AUTH_KEY	 0xaf20
#define LAB_FID_USIM_AUTH_KEY_2G 0xaf22
#define LAB_FID_USIM_SQN	 0xaf30

#define LAB_AUTH_KEY_LEN      33 /* Milenage, SHA1-AKA, XOR */
#define LAB_AUTH_KEY_TUAK_MAX 67
#define LAB_MILENAGE_CFG_LEN  85
#define LAB_0348_KEY_MAX      35
#define LAB_0348_COUNT_LEN    7
#define LAB_GP_COUNT_LEN      5
#define LAB_PIN_LEN	      21
#define LAB_SQN_IND	      32
#define LAB_SQN_LEN	      206

enum lab_algorithm { LAB_MILENAGE = 4, LAB_SHA1_AKA = 5, LAB_TUAK = 6, LAB_XOR = 15 };

/* EF.SIM_AUTH_KEY, EF.USIM_AUTH_KEY: cfg, K, OP or OPc; TUAK: cfg, sizes, iterations, TOP or TOPc, K. */
struct lab_auth_key {
	enum lab_algorithm algorithm;
	bool opc;	   /* the second value is OPc (TOPc), not OP (TOP) */
	uint8_t sres_func; /* of the 2G answer: 1 or 2 */
	const uint8_t *k;  /* 16 octets; TUAK 16 or 32; borrows when decoded */
	size_t k_len;
	const uint8_t *op;			 /* 16 octets, TUAK 32 */
	uint16_t ck_ik_bits, mac_bits, res_bits; /* TUAK: 128 or 256; 64, 128, 256; 32, 64, 128, 256 */
	uint8_t iterations;			 /* TUAK: of Keccak */
};
int lab_auth_key_encode(uint8_t *ef, size_t cap, const struct lab_auth_key *a);
int lab_auth_key_decode(struct lab_auth_key *a, const uint8_t *ef, size_t len);

/* EF.MILENAGE_CFG: rotations r1..r5 in bits, constants c1..c5. */
struct lab_milenage_cfg {
	uint8_t r[5];
	uint8_t c[5][16];
};
int lab_milenage_cfg_encode(uint8_t ef[LAB_MILENAGE_CFG_LEN], const struct lab_milenage_cfg *m);
int lab_milenage_cfg_decode(struct lab_milenage_cfg *m, const uint8_t *ef, size_t len);

/* A record of EF.0348_KEY. */
enum lab_key_use { LAB_KEY_KIC, LAB_KEY_KID, LAB_KEY_KIK, LAB_KEY_ANY };
struct lab_0348_key {
	uint8_t sd, kvn;
	enum lab_key_use use;
	bool aes;
	uint8_t mac_len;    /* 8 or 4 octets */
	const uint8_t *key; /* borrows when decoded */
	size_t key_len;	    /* 8, 16, 24, 32 */
};
int lab_0348_key_encode(uint8_t *rec, size_t len, const struct lab_0348_key *k); /* the rest of the record is FF */
int lab_0348_key_decode(struct lab_0348_key *k, const uint8_t *rec, size_t len);

/* A record of EF.0348_COUNT: security domain, key version, counter. */
struct lab_0348_count {
	uint8_t sd, kvn;
	uint64_t cntr;
};
int lab_0348_count_encode(uint8_t rec[LAB_0348_COUNT_LEN], const struct lab_0348_count *c);
int lab_0348_count_decode(struct lab_0348_count *c, const uint8_t *rec, size_t len);

/* A record of EF.GP_COUNT. */
struct lab_gp_count {
	uint8_t sd, kvn;
	uint16_t counter;
	uint8_t rfu;
};
int lab_gp_count_encode(uint8_t rec[LAB_GP_COUNT_LEN], const struct lab_gp_count *c);
int lab_gp_count_decode(struct lab_gp_count *c, const uint8_t *rec, size_t len);

/* EF.PIN and EF.ADM: state, attempts, value, the same of the unblocking value. */
struct lab_pin {
	bool valid, changeable, unblockable, disableable, not_initialized, disabled;
	uint8_t left, max;
	uint8_t pin[8]; /* filled up with FF */
	uint8_t puk_left, puk_max;
	uint8_t puk[8];
};
int lab_pin_encode(uint8_t ef[LAB_PIN_LEN], const struct lab_pin *p);
int lab_pin_decode(struct lab_pin *p, const uint8_t *ef, size_t len);

/* EF.USIM_SQN (TS 33.102 Annex C): how sequence numbers are checked, and where they stand. */
struct lab_sqn {
	bool skip_next_check, delta_max_check, age_limit_check, check;
	uint8_t ind_len; /* bits of IND */
	bool keep_amf_for_macs, aus_concealed, autn_concealed;
	uint64_t delta_max, age_limit, seq[LAB_SQN_IND]; /* 48 bits each */
};
int lab_sqn_encode(uint8_t ef[LAB_SQN_LEN], const struct lab_sqn *s);
int lab_sqn_decode(struct lab_sqn *s, const uint8_t *ef, size_t len);

/* ------------------------------------------------------------------------------------- soft UICC, below the MF */

#define LAB_FID_SOFT_AUTH  0xa001
#define LAB_FID_SOFT_PIN   0xa003
#define LAB_FID_SOFT_TAR   0xa004
#define LAB_FID_SOFT_COUNT 0xa005
#define LAB_FID_SOFT_SEQ   0xa100 /* .. A11F: SEQ of each IND; A120: the largest step allowed (TS 33.102, C.2.1) */

#define LAB_SOFT_AUTH_LEN  33
#define LAB_SOFT_PIN_LEN   22
#define LAB_SOFT_TAR_LEN   38
#define LAB_SOFT_COUNT_LEN 11
#define LAB_SOFT_SEQ_LEN   8
#define LAB_SOFT_NO_KEY	   0xff

struct lab_soft_auth { /* A001, transparent; Milenage */
	uint8_t k[16], op[16];
	bool opc; /* `op` is OPc, not OP */
};
struct lab_soft_pin { /* A003, a record for each PIN */
	bool enabled;
	uint8_t max, left, puk_max, puk_left; /* attempts */
	uint8_t ref;			      /* 01 PIN 1, 81 PIN 2, 0A ADM 1 (TS 102 221, 9.5.1) */
	uint8_t pin[8], puk[8];		      /* filled up with FF */
};
struct lab_soft_tar { /* A004, a record for each application and its keys */
	bool used;
	uint8_t tar[3];
	uint8_t msl;		  /* minimum security level, as SPI1 */
	uint8_t kic_kvn, kid_kvn; /* key versions that KIc and KID name, 0..15; LAB_SOFT_NO_KEY: there is none */
	uint8_t kic[16], kid[16]; /* of 3DES with two keys, or of AES: what the packet says */
};
struct lab_soft_count { /* A005: one counter for all TARs that match under the mask */
	bool used;
	uint8_t tar[3], mask[3];
	uint64_t cntr;
};
int lab_soft_auth_encode(uint8_t ef[LAB_SOFT_AUTH_LEN], const struct lab_soft_auth *a);
int lab_soft_auth_decode(struct lab_soft_auth *a, const uint8_t *ef, size_t len);
int lab_soft_pin_encode(uint8_t rec[LAB_SOFT_PIN_LEN], const struct lab_soft_pin *p);
int lab_soft_pin_decode(struct lab_soft_pin *p, const uint8_t *rec, size_t len);
int lab_soft_tar_encode(uint8_t rec[LAB_SOFT_TAR_LEN], const struct lab_soft_tar *t);
int lab_soft_tar_decode(struct lab_soft_tar *t, const uint8_t *rec, size_t len);
int lab_soft_count_encode(uint8_t rec[LAB_SOFT_COUNT_LEN], const struct lab_soft_count *c);
int lab_soft_count_decode(struct lab_soft_count *c, const uint8_t *rec, size_t len);
int lab_soft_seq_encode(uint8_t ef[LAB_SOFT_SEQ_LEN], uint64_t seq);
int lab_soft_seq_decode(uint64_t *seq, const uint8_t *ef, size_t len);

/* "EF.USIM_AUTH_KEY", ..., or NULL. */
const char *lab_file_name(uint16_t df, uint16_t fid);

#endif
