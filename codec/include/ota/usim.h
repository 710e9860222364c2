/* usim.h - file contents that a change of subscription reads or writes: TS 31.102, 4; TS 31.103; TS 51.011, 10.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The encoders give the octets written, the decoders 0 (or a number of entries), or a negative enum ota_err of
 * ota/codec.h.  Lengths are checked against the standard's; an area code is a LAC or TAC.
 */
#ifndef OTA_USIM_H
#define OTA_USIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ota/addr.h"

/* -------------------------------------------------------------------------------------------- which file */

#define USIM_FID_ICCID	   0x2fe2
#define USIM_FID_IMSI	   0x6f07
#define USIM_FID_KEYS	   0x6f08
#define USIM_FID_KEYSPS	   0x6f09
#define USIM_FID_HPPLMN	   0x6f31
#define USIM_FID_UST	   0x6f38
#define USIM_FID_GID1	   0x6f3e
#define USIM_FID_GID2	   0x6f3f
#define USIM_FID_MSISDN	   0x6f40
#define USIM_FID_SMSP	   0x6f42
#define USIM_FID_SPN	   0x6f46
#define USIM_FID_START_HFN 0x6f5b
#define USIM_FID_THRESHOLD 0x6f5c
#define USIM_FID_PLMNWACT  0x6f60
#define USIM_FID_OPLMNWACT 0x6f61
#define USIM_FID_HPLMNWACT 0x6f62
#define USIM_FID_PSLOCI	   0x6f73
#define USIM_FID_ACC	   0x6f78
#define USIM_FID_FPLMN	   0x6f7b
#define USIM_FID_LOCI	   0x6f7e
#define USIM_FID_AD	   0x6fad
#define USIM_FID_ECC	   0x6fb7
#define USIM_FID_NETPAR	   0x6fc4
#define USIM_FID_PNN	   0x6fc5
#define USIM_FID_OPL	   0x6fc6
#define USIM_FID_EHPLMN	   0x6fd9
#define USIM_FID_EPSLOCI   0x6fe3
#define USIM_FID_EPSNSC	   0x6fe4
/* DF_5GS, 5FC0 */
#define USIM_FID_5GS3GPPLOCI	0x4f01
#define USIM_FID_5GSN3GPPLOCI	0x4f02
#define USIM_FID_5GS3GPPNSC	0x4f03
#define USIM_FID_5GSN3GPPNSC	0x4f04
#define USIM_FID_5GAUTHKEYS	0x4f05
#define USIM_FID_SUCI_CALC_INFO 0x4f07
#define USIM_FID_ROUTING_IND	0x4f0a
/* ADF_ISIM (TS 31.103) */
#define ISIM_FID_IMPI	0x6f02
#define ISIM_FID_DOMAIN 0x6f03
#define ISIM_FID_IMPU	0x6f04
/* DF_GSM, 7F20 (TS 51.011) */
#define SIM_FID_KC	 0x6f20
#define SIM_FID_KCGPRS	 0x6f52
#define SIM_FID_LOCIGPRS 0x6f53
#define SIM_FID_BCCH	 0x6f74

#define USIM_IMSI_LEN	     9
#define USIM_ICCID_LEN	     10
#define USIM_LOCI_LEN	     11
#define USIM_PSLOCI_LEN	     14
#define USIM_EPSLOCI_LEN     18
#define USIM_5GSLOCI_LEN     20
#define USIM_KEYS_LEN	     33
#define USIM_KC_LEN	     9
#define USIM_ACC_LEN	     2
#define USIM_SPN_LEN	     17
#define USIM_SMSP_LEN_MIN    28 /* without alpha identifier */
#define USIM_MSISDN_LEN_MIN  14
#define USIM_ROUTING_IND_LEN 4
#define USIM_THRESHOLD_LEN   3
#define USIM_OPL_LEN_MIN     8

/* The same file id means one thing below ADF_USIM and another below DF_GSM. */
enum usim_df {
	USIM_MF,     /* 3F00 */
	USIM_ADF,    /* ADF_USIM, 7FFF */
	USIM_DF_5GS, /* 5FC0 below ADF_USIM */
	USIM_DF_GSM, /* 7F20 */
	USIM_ADF_ISIM,
	_USIM_DFS
};
struct usim_file {
	enum usim_df df;
	uint16_t fid;
	const char *name;	   /* "EF_IMSI" */
	uint16_t len_min, len_max; /* octets of the file, or of a record */
	uint8_t step;		   /* len is a multiple of it */
	bool record;		   /* linear fixed */
	bool deletable;		   /* usim_deleted() knows its "deleted" contents */
};
const struct usim_file *usim_file_find(enum usim_df df, uint16_t fid); /* NULL when it is not among ours */
/* 0 or OTA_E_LENGTH. */
int usim_file_len_check(const struct usim_file *f, size_t len);
/* "EF_IMSI" for 0x6f07, ...; "EF 6FXX"-style names are the caller's: NULL when unknown. */
const char *usim_file_name(uint16_t fid);

/* The contents that mean "nothing known": location unknown and not updated, no key, no forbidden network.  Writes the
 * whole file of `len` octets and gives len; OTA_E_LENGTH when no such file has this length, OTA_E_FORMAT when it has no
 * such contents.  `area` is the "deleted" area code: 0000 or FFFE, by profile; 5G writes 000000. */
int usim_deleted(uint8_t *ef, size_t len, enum usim_df df, uint16_t fid, uint16_t area);

/* --------------------------------------------------------------------------------------------- identities */

/* EF_IMSI (31.102, 4.2.2) from 6..15 decimal digits. */
int usim_imsi_encode(uint8_t ef[USIM_IMSI_LEN], const char *imsi);
int usim_imsi_decode(char imsi[16], const uint8_t *ef, size_t len);
/* EF_ICCID (102 221, 13.2), nibble-swapped, F filler; 18..20 digits. */
int usim_iccid_encode(uint8_t ef[USIM_ICCID_LEN], const char *iccid);
int usim_iccid_decode(char iccid[21], const uint8_t *ef, size_t len);
/* EF_ACC (4.2.15): bit k is access class k. */
int usim_acc_encode(uint8_t ef[USIM_ACC_LEN], uint16_t classes);
int usim_acc_decode(uint16_t *classes, const uint8_t *ef, size_t len);
int usim_acc_from_imsi(uint8_t ef[2], const char *imsi); /* class = last IMSI digit */
/* EF_MSISDN (4.2.26), one record of len = 14 + X octets; the X octets of alpha identifier are taken as they are. */
struct usim_msisdn {
	const uint8_t *alpha; /* without the FF behind it; borrows */
	size_t alpha_len;
	struct ota_addr addr; /* no digits: the record is empty */
};
int usim_msisdn_encode(uint8_t *rec, size_t len, const struct usim_msisdn *m);
int usim_msisdn_decode(struct usim_msisdn *m, const uint8_t *rec, size_t len);
/* ISIM (31.103, 4.2.2 to 4.2.4): EF_IMPI, EF_DOMAIN, EF_IMPU: tag 80, length, UTF-8; the rest FF. */
int usim_isim_encode(uint8_t *ef, size_t len, const char *text);
int usim_isim_decode(char *text, size_t cap, const uint8_t *ef, size_t len);
/* Identities that follow from an IMSI (TS 23.003, 13): "ims.mnc001.mcc262.3gppnetwork.org", "<IMSI>@...", "sip:...". */
#define USIM_IMS_TEXT_MAX 64
int usim_ims_domain(char text[USIM_IMS_TEXT_MAX], const char *imsi, unsigned mnc_len);
int usim_ims_impi(char text[USIM_IMS_TEXT_MAX], const char *imsi, unsigned mnc_len);
int usim_ims_impu(char text[USIM_IMS_TEXT_MAX], const char *imsi, unsigned mnc_len);
/* EF_Routing_Indicator (4.4.11.11): 1 to 4 digits. */
int usim_routing_ind_encode(uint8_t ef[USIM_ROUTING_IND_LEN], const char *digits);
int usim_routing_ind_decode(char digits[5], const uint8_t *ef, size_t len);

/* ----------------------------------------------------------------------------------------------- networks */

/* PLMN (24.008, 10.5.1.3) from MCC (3 digits) and MNC (2 or 3). */
int usim_plmn_encode(uint8_t plmn[3], const char *mcc, const char *mnc);
int usim_plmn_decode(char mcc[4], char mnc[4], const uint8_t plmn[3]);

struct usim_plmn {
	char mcc[4], mnc[4]; /* both empty: no entry (FF FF FF) */
	uint16_t act;	     /* access technologies (31.102, 4.2.5), lists with AcT only */
};
#define USIM_ACT_UTRAN	     0x8000
#define USIM_ACT_E_UTRAN     0x4000 /* with neither of the next two: both WB-S1 and NB-S1 */
#define USIM_ACT_WB_S1	     0x2000
#define USIM_ACT_NB_S1	     0x1000
#define USIM_ACT_NG_RAN	     0x0800
#define USIM_ACT_GSM	     0x0080 /* with neither of the next two: both GSM and EC-GSM-IoT */
#define USIM_ACT_GSM_PLAIN   0x0004
#define USIM_ACT_EC_GSM_IOT  0x0008
#define USIM_ACT_GSM_COMPACT 0x0040
#define USIM_ACT_CDMA_HRPD   0x0020
#define USIM_ACT_CDMA_1X     0x0010
/* Lists: EF_FPLMN, EF_EHPLMN (3 octets an entry), EF_xPLMNwAcT (5).  The file is filled up with no-entries; decoding
 * gives all places, the empty ones too, so that the order (priority) stays: their number, or OTA_E_SPACE. */
int usim_plmn_list_encode(uint8_t *ef, size_t len, bool act, const struct usim_plmn *list, size_t n);
int usim_plmn_list_decode(struct usim_plmn *list, size_t cap, bool act, const uint8_t *ef, size_t len);
/* EF_AD (4.2.18). */
struct usim_ad {
	uint8_t mode; /* 00 normal, 80 type approval, ... */
	uint8_t info[2];
	uint8_t mnc_len; /* 2 or 3; 0: not there (files of three octets) */
};
int usim_ad_encode(uint8_t *ef, size_t len, const struct usim_ad *ad); /* len >= 4, further octets 00 */
int usim_ad_decode(struct usim_ad *ad, const uint8_t *ef, size_t len);
/* EF_HPPLMN (4.2.6): search period in minutes, a multiple of 6 (0: no search); EF_UST (4.2.8): services from 1. */
int usim_hpplmn_encode(uint8_t ef[1], unsigned minutes);
int usim_hpplmn_decode(unsigned *minutes, const uint8_t *ef, size_t len);
bool usim_ust_has(const uint8_t *ef, size_t len, unsigned service);
int usim_ust_set(uint8_t *ef, size_t len, unsigned service, bool on);
#define USIM_UST_SMS_PP_DOWNLOAD 28

/* EF_SMSP (4.2.27), one record of len = 28 + Y octets. */
struct usim_smsp {
	const uint8_t *alpha; /* Y octets at most, without the FF behind it; borrows */
	size_t alpha_len;
	bool has_da, has_sca, has_pid, has_dcs, has_vp;
	struct ota_addr da, sca; /* destination; service centre */
	uint8_t pid, dcs;
	uint8_t vp; /* relative validity period (23.040, 9.2.3.12.1) */
};
int usim_smsp_encode(uint8_t *rec, size_t len, const struct usim_smsp *s);
int usim_smsp_decode(struct usim_smsp *s, const uint8_t *rec, size_t len);
unsigned usim_vp_minutes(uint8_t vp); /* 5 minutes .. 63 weeks */
/* EF_SPN (4.2.12): display condition and name, GSM default alphabet (ASCII where both agree) or as the caller coded it. */
int usim_spn_encode(uint8_t ef[USIM_SPN_LEN], uint8_t display, const uint8_t *name, size_t len);
int usim_spn_decode(uint8_t *display, const uint8_t **name, size_t *name_len, const uint8_t *ef, size_t len);

/* ------------------------------------------------------------------------------ what makes an operator's brand */

/* EF_GID1, EF_GID2 (4.2.10, 4.2.11): n octets of one's own, the rest FF; n = 0 for none (TS 22.022, A.1). */
int usim_gid_encode(uint8_t *ef, size_t len, const uint8_t *id, size_t n);
int usim_gid_decode(const uint8_t **id, size_t *n, const uint8_t *ef, size_t len);

/* A name of a network (TS 24.008, 10.5.3.5a).  The text is UTF-8, characters of the basic plane only; what is not to be
 * shown on a screen reads as '?'. */
#define USIM_NAME_MAX 128
struct usim_network_name {
	char text[USIM_NAME_MAX]; /* NUL-terminated; "": there is none */
	bool ucs2;   /* coded as UCS2.  A name that the GSM default alphabet does not have is so in any case */
	bool add_ci; /* the phone puts the country's initials to it */
};
/* EF_PNN (4.2.58), one record.  Without a full name it is an unused one. */
struct usim_pnn {
	struct usim_network_name full, brief;
	const uint8_t *info; /* PLMN additional information, as it is coded (102 221, annex A); borrows */
	size_t info_len;
};
int usim_pnn_encode(uint8_t *rec, size_t len, const struct usim_pnn *p);
int usim_pnn_decode(struct usim_pnn *p, const uint8_t *rec, size_t len);
/* EF_OPL (4.2.59), one record: where the name of record `pnn` of EF_PNN is shown. */
struct usim_opl {
	char mcc[4], mnc[4];  /* 'D' for any digit; both empty: the record is unused */
	uint16_t first, last; /* LAC or TAC; 0000 to FFFE are all of them */
	uint8_t pnn;	      /* from 1; 0: the name is to be taken from elsewhere */
};
int usim_opl_encode(uint8_t *rec, size_t len, const struct usim_opl *o);
int usim_opl_decode(struct usim_opl *o, const uint8_t *rec, size_t len);

/* EF_ECC (4.2.21), one record; below DF_GSM the file is another. */
#define USIM_ECC_DIGITS_MAX 6
struct usim_ecc {
	char code[USIM_ECC_DIGITS_MAX + 1]; /* "": the record is unused */
	const uint8_t *alpha;		    /* what to show, coded as in EF_SPN, without the FF behind it; borrows */
	size_t alpha_len;
	uint8_t category; /* USIM_ECC_*, or-ed; 0: any service */
};
#define USIM_ECC_POLICE	      0x01 /* TS 24.008, 10.5.4.33 */
#define USIM_ECC_AMBULANCE    0x02
#define USIM_ECC_FIRE	      0x04
#define USIM_ECC_MARINE	      0x08
#define USIM_ECC_MOUNTAIN     0x10
#define USIM_ECC_ECALL_MANUAL 0x20
#define USIM_ECC_ECALL_AUTO   0x40
int usim_ecc_encode(uint8_t *rec, size_t len, const struct usim_ecc *e);
int usim_ecc_decode(struct usim_ecc *e, const uint8_t *rec, size_t len);

/* EF_THRESHOLD (4.2.52): the value of START, of 20 bits, at which keys are used up (TS 33.102, 6.4.8). */
int usim_threshold_encode(uint8_t ef[USIM_THRESHOLD_LEN], uint32_t start);
int usim_threshold_decode(uint32_t *start, const uint8_t *ef, size_t len);

/* EF_SUCI_Calc_Info (4.4.11.8): how the phone conceals the IMSI in 5G, the first scheme it knows; public keys only.
 * Neither schemes nor keys: nothing is set.  With service 124 of EF_UST available such contents keep some modems out of
 * 5G; the null scheme alone (one scheme, id 0, key 0) does not. */
#define USIM_SUCI_SCHEMES_MAX 16
#define USIM_SUCI_KEYS_MAX    8
enum usim_suci_scheme { /* TS 33.501, annex C; 12 to 15 are the operator's own */
			USIM_SUCI_NULL = 0,
			USIM_SUCI_PROFILE_A = 1, /* X25519: a key of 32 octets */
			USIM_SUCI_PROFILE_B = 2, /* secp256r1: 33 octets, or 65 uncompressed */
};
struct usim_suci {
	size_t schemes, keys;
	struct {
		uint8_t id, key; /* which of the keys below, from 1; 0: none */
	} scheme[USIM_SUCI_SCHEMES_MAX];
	struct {
		uint8_t id, len;
		const uint8_t *octets; /* borrows */
	} key[USIM_SUCI_KEYS_MAX];
};
int usim_suci_encode(uint8_t *ef, size_t len, const struct usim_suci *s);
int usim_suci_decode(struct usim_suci *s, const uint8_t *ef, size_t len);

/* --------------------------------------------------------------------------------- location and session keys */

enum usim_update_status {
	USIM_UPDATED = 0,
	USIM_NOT_UPDATED = 1,
	USIM_PLMN_NOT_ALLOWED = 2,
	USIM_AREA_NOT_ALLOWED = 3
};
struct usim_loci { /* EF_LOCI (4.2.17) */
	uint8_t tmsi[4], plmn[3];
	uint16_t lac;
	uint8_t rfu; /* 51.011: TMSI TIME */
	uint8_t status;
};
struct usim_psloci { /* EF_PSLOCI (4.2.23); 51.011: EF_LOCIGPRS */
	uint8_t ptmsi[4], signature[3], plmn[3];
	uint16_t lac;
	uint8_t rac, status;
};
struct usim_epsloci { /* EF_EPSLOCI (4.2.91) */
	uint8_t guti[12], plmn[3];
	uint16_t tac;
	uint8_t status;
};
struct usim_5gsloci { /* EF_5GS3GPPLOCI, EF_5GSN3GPPLOCI (4.4.11.2, 4.4.11.3) */
	uint8_t guti[13], plmn[3];
	uint32_t tac; /* 24 bits */
	uint8_t status;
};
struct usim_keys { /* EF_Keys, EF_KeysPS (4.2.3, 4.2.4) */
	uint8_t ksi, ck[16], ik[16];
};
struct usim_kc { /* 51.011: EF_Kc, EF_KcGPRS */
	uint8_t kc[8], cksn;
};
int usim_loci_encode(uint8_t ef[USIM_LOCI_LEN], const struct usim_loci *l);
int usim_loci_decode(struct usim_loci *l, const uint8_t *ef, size_t len);
int usim_psloci_encode(uint8_t ef[USIM_PSLOCI_LEN], const struct usim_psloci *l);
int usim_psloci_decode(struct usim_psloci *l, const uint8_t *ef, size_t len);
int usim_epsloci_encode(uint8_t ef[USIM_EPSLOCI_LEN], const struct usim_epsloci *l);
int usim_epsloci_decode(struct usim_epsloci *l, const uint8_t *ef, size_t len);
int usim_5gsloci_encode(uint8_t ef[USIM_5GSLOCI_LEN], const struct usim_5gsloci *l);
int usim_5gsloci_decode(struct usim_5gsloci *l, const uint8_t *ef, size_t len);
int usim_keys_encode(uint8_t ef[USIM_KEYS_LEN], const struct usim_keys *k);
int usim_keys_decode(struct usim_keys *k, const uint8_t *ef, size_t len);
int usim_kc_encode(uint8_t ef[USIM_KC_LEN], const struct usim_kc *k);
int usim_kc_decode(struct usim_kc *k, const uint8_t *ef, size_t len);

/* "Deleted" values one by one: each writes the whole file and returns its length. */
int usim_loci_deleted(uint8_t ef[USIM_LOCI_LEN], uint16_t lac);
int usim_psloci_deleted(uint8_t ef[USIM_PSLOCI_LEN], uint16_t lac);
int usim_epsloci_deleted(uint8_t ef[USIM_EPSLOCI_LEN], uint16_t tac);
int usim_keys_deleted(uint8_t ef[USIM_KEYS_LEN]); /* EF_Keys and EF_KeysPS: KSI 7 */

/* ------------------------------------------------------------------------------------------------ in words */

/* "IMSI 262011106487504", "PLMN 262-01, LAC 3721, updated", ... into buf, always NUL-terminated.  Keys are not told.
 * 0, or an error when the contents are not what the file should have; then buf says so. */
int usim_describe(char *buf, size_t cap, enum usim_df df, uint16_t fid, const uint8_t *ef, size_t len);

/* Luhn check of an ICCID's digits (last one is the check digit). */
bool ota_luhn_ok(const char *digits);

#endif
