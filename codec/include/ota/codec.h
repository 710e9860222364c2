/* codec.h - octets of SMS-PP OTA: TS 102 225/31.115 packets, TS 102 226 scripts, TS 23.040 TPDUs, TS 31.102 files.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * libc only: no allocation, no log, no clock, no cipher library.  Every function is re-entrant.  Out-buffers belong to
 * the caller; decoded structs borrow from the input octets and live as long as these.  All multi-octet numbers on the
 * wire are big-endian.  Functions return 0 (or a length) or a negative enum ota_err.
 *
 * "packet" means the octets from CPL (command) or RPL (response) on, without User Data Header; "tp_ud" is the whole
 * TP-UD of one short message with its UDH.
 */
#ifndef OTA_CODEC_H
#define OTA_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ota/crypt.h"

/* ------------------------------------------------------------------------------------------------ errors */

enum ota_err {
	OTA_OK = 0,
	OTA_E_SHORT = -1,	/* input ends before its own length fields say */
	OTA_E_SPACE = -2,	/* output buffer too small */
	OTA_E_LENGTH = -3,	/* a length field contradicts another or the input */
	OTA_E_RANGE = -4,	/* a value outside what the field can carry */
	OTA_E_SPI = -5,		/* reserved or unsupported SPI combination */
	OTA_E_DS = -6,		/* digital signature asked for: nobody defines one, refused by name */
	OTA_E_ALG = -7,		/* KIc/KID names an algorithm we do not have */
	OTA_E_KVN = -8,		/* KIc and KID name different key versions (TS 102 225 Annex A) */
	OTA_E_CC = -9,		/* RC or CC does not match */
	OTA_E_PADDING = -10,	/* PCNTR larger than the data, or set without ciphering */
	OTA_E_KEY = -11,	/* the keystore refused or does not have the key */
	OTA_E_UDH = -12,	/* malformed User Data Header */
	OTA_E_SEGMENTS = -13,	/* more segments than allowed */
	OTA_E_DIGITS = -14,	/* not a digit, or the wrong number of them */
	OTA_E_FORMAT = -15,	/* not the format it should be */
	OTA_E_BLOCK = -16,	/* ciphered part not a multiple of the block */
	OTA_E_UNSECURED = -17,	/* status 00 without the security that was asked for */
	OTA_E_UNMATCHED = -18,	/* TAR or CNTR differ from the command's */
};

/* One English phrase per error, never NULL. */
const char *ota_strerror(int err);

/* ------------------------------------------------------------------------------------------------ limits */

#define OTA_TP_UD_MAX	    140	/* octets of TP-UD in one short message (TS 23.040) */
#define OTA_PACKET_1SMS_MAX 137	/* packet octets after UDH 02 70 00 */
#define OTA_SEGMENTS_MAX    16	/* our limit; the protocol's is 255, cards stop at 2..8 */
#define OTA_PACKET_MAX	    2142 /* 132 + 15 * 134: what OTA_SEGMENTS_MAX segments carry */
#define OTA_CNTR_MAX	    0xffffffffffULL /* five octets */
#define OTA_CMD_HEAD	    15	/* CPL(2) CHL SPI(2) KIc KID TAR(3) CNTR(5): octets before PCNTR */
#define OTA_CC_LEN_MAX	    8

/* ------------------------------------------------------------------------- SPI, KIc, KID (TS 102 225, 5.1) */

#define OTA_SPI1_INTEGRITY(spi1) ((spi1) & 0x03)	/* 0 none, 1 RC, 2 CC, 3 DS */
#define OTA_SPI1_CIPHERED(spi1)	 (((spi1) >> 2) & 1)
#define OTA_SPI1_COUNTER(spi1)	 (((spi1) >> 3) & 0x03) /* 0 none, 1 unchecked, 2 higher, 3 exactly one higher */
#define OTA_SPI2_POR(spi2)	 ((spi2) & 0x03)	/* 0 never, 1 always, 2 on error */
#define OTA_SPI2_INTEGRITY(spi2) (((spi2) >> 2) & 0x03)
#define OTA_SPI2_CIPHERED(spi2)	 (((spi2) >> 4) & 1)
#define OTA_SPI2_SUBMIT(spi2)	 (((spi2) >> 5) & 1)	/* 0 DELIVER-REPORT, 1 SMS-SUBMIT */

/* Algorithm of a KIc octet, or of a KID octet where SPI asks for a CC.  OTA_ALG_NONE when the nibble names none we
 * know; the key version number is the high nibble. */
enum ota_alg ota_kic_alg(uint8_t kic);
enum ota_alg ota_kid_alg(uint8_t kid);
/* Low nibble that names the algorithm, as KIc or KID octet without version: 0 for OTA_ALG_NONE. */
uint8_t ota_alg_nibble(enum ota_alg alg);
const char *ota_alg_name(enum ota_alg alg);	/* "none", "des", "des-ecb", "3des2", "3des3", "aes" */
/* Block size in octets: 8, 16, or 1 for OTA_ALG_NONE. */
size_t ota_alg_block(enum ota_alg alg);

/* ------------------------------------------------------------------------- command packet (TS 102 225, 5.1) */

/* Everything that decides the octets of a command packet.  Also what a response is opened against: keep it (or be able
 * to rebuild it) as long as a PoR may come. */
struct ota_cmd_params {
	uint8_t spi[2];
	uint8_t kic, kid;	/* version in the high nibble, algorithm in the low one */
	uint8_t tar[3];
	uint64_t cntr;		/* 0..OTA_CNTR_MAX */
	uint8_t cc_len;		/* octets of RC/CC: 2 (CRC-16), 4 (CRC-32, CMAC-32), 8; 0: what ota_cc_len() says */
	struct ks_ref kic_ref;	/* used when ciphered */
	struct ks_ref kid_ref;	/* used with CC */
	const uint8_t *data;	/* secured data, may be empty */
	size_t data_len;
};

/* Octets of RC/CC/DS that this SPI and KID imply: 0, 2, 4, 8; an error for DS or an unknown algorithm.
 * AES-CMAC counts 8: a keyset with 4-octet CMAC overrides it in cc_len. */
int ota_cc_len(uint8_t spi1, uint8_t kid);

/* All checks that need no key: SPI bits, DS, KVN of KIc against KID, cc_len, length, and a PoR with more security than
 * its command (refused: there would be no algorithm for it).  0 or an error.
 * Whoever decides that a command is to be built asks here first.  The functions below repeat all of it but the last
 * rule, so that what a foreign server once sent (cards have answered 04 19 and 02 19) can be rebuilt octet by octet. */
int ota_cmd_check(const struct ota_cmd_params *p);

/* Length of the finished packet, CPL included, or an error; OTA_E_LENGTH beyond OTA_PACKET_MAX. */
int ota_cmd_len(const struct ota_cmd_params *p);

/* Encode in three moves: lay out, run the jobs of many packets, finish.
 * A work item points into the caller's packet buffer and must outlive ota_cmd_finish(). */
struct ota_cmd_work {
	uint8_t *packet;
	size_t len;
	size_t head_len;	/* CPL .. PCNTR */
	uint8_t cc_len;
	bool want_mac, want_cipher;
	struct ota_mac_job mac;
	struct ota_cipher_job cipher;
};

/* Writes every octet but RC/CC in clear into buf and describes what is to be done.  RC is computed here. */
int ota_cmd_lay_out(struct ota_cmd_work *w, const struct ota_cmd_params *p, uint8_t *buf, size_t cap);
/* Integrity first, ciphering second (TS 102 225, 5.1): all mac jobs, then all cipher jobs, of n work items, handed over
 * in batches of up to 64 jobs.  Items that fail keep their rc and the others are done; gives 0 or the first failure. */
int ota_cmd_run(struct ota_cmd_work *w, size_t n, const struct ota_crypt *crypt);
/* Length of the finished packet, or the error of its jobs. */
int ota_cmd_finish(const struct ota_cmd_work *w);

/* The three moves for one packet: its length or an error. */
int ota_cmd_encode(uint8_t *buf, size_t cap, const struct ota_cmd_params *p, const struct ota_crypt *crypt);

/* A command packet taken apart.  `p.data` borrows from the packet. */
struct ota_cmd {
	struct ota_cmd_params p;
	uint8_t pcntr;
	const uint8_t *cc;	/* p.cc_len octets, deciphered if crypt was given */
	bool opened;		/* deciphered and RC/CC found right */
};

/* Reads a command packet.  Without crypt only what stands in clear is filled in: SPI, KIc, KID, TAR (ciphering starts
 * at CNTR), and all of it when SPI says that nothing is ciphered; `opened` stays false.  With crypt the packet is
 * deciphered IN PLACE and its RC/CC checked; kic_ref, kid_ref and cc_len (0: what ota_cc_len() says) come from `in`. */
int ota_cmd_decode(struct ota_cmd *out, uint8_t *packet, size_t len, const struct ota_cmd_params *in,
		   const struct ota_crypt *crypt);

/* ------------------------------------------------------------------------ response packet (TS 102 225, 5.2) */

enum ota_verdict {
	OTA_REJECT,			/* not an answer to this command; `why` says the reason */
	OTA_ACCEPT,			/* integrity as asked for, TAR and CNTR are the command's */
	OTA_ACCEPT_UNAUTHENTICATED,	/* a clear error: a hint only, anybody could have sent it */
	OTA_ACCEPT_UNCORRELATED,	/* integrity right, but CNTR or TAR are another command's */
};
const char *ota_verdict_name(enum ota_verdict v); /* "accept", "accept-unauthenticated", ... as in the vectors */

/* PoR status codes (TS 102 225 table 5, TS 31.115 clause 7) */
enum ota_por_status {
	OTA_POR_OK = 0x00,
	OTA_POR_CC_FAILED = 0x01,
	OTA_POR_CNTR_LOW = 0x02,
	OTA_POR_CNTR_HIGH = 0x03,
	OTA_POR_CNTR_BLOCKED = 0x04,
	OTA_POR_CIPHER_ERROR = 0x05,
	OTA_POR_UNIDENTIFIED = 0x06,
	OTA_POR_NO_MEMORY = 0x07,
	OTA_POR_MORE_TIME = 0x08,
	OTA_POR_TAR_UNKNOWN = 0x09,
	OTA_POR_MSL = 0x0a,
	OTA_POR_DATA_BY_SUBMIT = 0x0b,
	OTA_POR_DATA_BY_USSD = 0x0c,
};
const char *ota_por_status_name(uint8_t status); /* never NULL */

struct ota_rsp {
	enum ota_verdict verdict;
	int why;		/* negative ota_err with OTA_REJECT, else 0 */
	uint8_t tar[3];
	uint64_t cntr;		/* as read: the command's, or 0 in many clear errors */
	uint8_t pcntr;
	uint8_t status;
	bool secured;		/* integrity was present and right */
	const uint8_t *data;	/* additional response data, padding stripped; borrows from the packet */
	size_t data_len;
};

/* Opens a response packet against the command that was sent: deciphers IN PLACE, checks RC/CC over
 * 02 71 00 || RPL .. padding, then TAR and CNTR.  Padding content is never checked, PCNTR is.
 * Always fills *out; returns 0 unless the verdict is OTA_REJECT, then out->why.
 *
 * A clear error is a response with RHL 0A, a status other than 00 and no data where security was asked for: a card
 * without the key has no other way to answer (TS 102 225, 5.2).  Its TAR is the command's, its CNTR the command's or 0.
 * The command's TAR and CNTR give OTA_ACCEPT.  Another TAR under a right RC/CC, or another CNTR, gives
 * OTA_ACCEPT_UNCORRELATED; another TAR without RC/CC is rejected. */
int ota_rsp_open(struct ota_rsp *out, uint8_t *packet, size_t len, const struct ota_cmd_params *sent,
		 const struct ota_crypt *crypt);

/* TAR of a response packet before anything is deciphered; the packet's own lengths are checked. */
int ota_rsp_peek_tar(const uint8_t *packet, size_t len, uint8_t tar[3]);

/* Builds a response packet as a card would (tests, vectors).  Integrity, ciphering and algorithms follow sent->spi[1],
 * kic, kid; cntr and tar are copied from `sent`.  Length or an error. */
int ota_rsp_encode(uint8_t *buf, size_t cap, const struct ota_cmd_params *sent, uint8_t status, const uint8_t *data,
		   size_t data_len, const struct ota_crypt *crypt);

/* --------------------------------------------------- User Data Header and segments (TS 23.040, 31.115 clause 4) */

enum ota_concat { OTA_CONCAT_UDH8 = 0x00, OTA_CONCAT_UDH16 = 0x08 };	/* the IEI */

struct ota_udh {
	bool concat;
	uint16_t ref;
	uint8_t total, seq;	/* seq counts from 1 */
	uint8_t iei;		/* OTA_CONCAT_* when concat */
	uint8_t pi;		/* 0x70 command, 0x71 response, 0 neither */
	size_t len;		/* octets of UDH including UDHL */
};
/* Reads a UDH with any IEs in any order.  Of a repeated IE the last one counts; a concatenation whose total or seq is
 * 0, or whose seq is above its total, is ignored (TS 23.040, 9.2.3.24). */
int ota_udh_parse(struct ota_udh *out, const uint8_t *tp_ud, size_t len);

/* How many short messages `packet_len` octets take with the given concatenation: 1.. or OTA_E_SEGMENTS. */
int ota_segments(size_t packet_len, enum ota_concat concat);

/* TP-UD number seq (from 1) of `total` for a packet.  `pi` is 0x70 or 0x71; the CPI/RPI stands in the first segment
 * only; ref must not be 0 (some cards take it for "not concatenated").  Returns the octets written (<= 140). */
int ota_segment(uint8_t out[OTA_TP_UD_MAX], const uint8_t *packet, size_t packet_len, uint8_t pi,
		enum ota_concat concat, uint16_t ref, uint8_t seq, uint8_t total);

/* Joins the segments of one packet that came in any order.  Caller's memory, reusable after ota_join_init(). */
struct ota_join {
	uint8_t iei, total;	/* iei ff: the message has no concatenation */
	uint16_t ref;
	uint32_t have;		/* bit seq-1 */
	uint8_t pi;
	uint8_t part_len[OTA_SEGMENTS_MAX];
	uint8_t part[OTA_SEGMENTS_MAX][OTA_TP_UD_MAX];
};
void ota_join_init(struct ota_join *j);
/* Takes one TP-UD.  1: complete, 0: more to come (a duplicate is taken silently, the first copy stays), or an error
 * (OTA_E_UNMATCHED: another reference or total, OTA_E_SEGMENTS: too many) that leaves j as it was.  A TP-UD without
 * concatenation completes at once. */
int ota_join_add(struct ota_join *j, const uint8_t *tp_ud, size_t len);
/* The packet of a complete join: its length or an error. */
int ota_join_packet(const struct ota_join *j, uint8_t *buf, size_t cap);

/* ------------------------------------------------------------------------------------ TPDU (TS 23.040, 9.2) */

struct ota_addr {
	uint8_t ton, npi;	/* as in SMPP: 1 international, 2 national...; npi 1 ISDN, 6 land mobile (IMSI) */
	char digits[21];	/* NUL-terminated, digits only (a leading + is not stored) */
};

struct ota_tpdu_deliver {
	struct ota_addr oa;
	uint8_t pid, dcs;
	bool udhi, mms;		/* mms as on the wire: true when no more messages wait (TS 23.040, 9.2.3.2) */
	uint8_t scts[7];
	const uint8_t *ud;	/* 8-bit data */
	uint8_t ud_len;
};
int ota_tpdu_deliver_encode(uint8_t *buf, size_t cap, const struct ota_tpdu_deliver *d);
int ota_tpdu_deliver_decode(struct ota_tpdu_deliver *d, const uint8_t *tpdu, size_t len);

struct ota_tpdu_submit {
	uint8_t mr;
	struct ota_addr da;
	uint8_t pid, dcs;
	bool udhi;
	const uint8_t *ud;
	uint8_t ud_len;
};
int ota_tpdu_submit_encode(uint8_t *buf, size_t cap, const struct ota_tpdu_submit *s);
int ota_tpdu_submit_decode(struct ota_tpdu_submit *s, const uint8_t *tpdu, size_t len);

/* --------------------------------------------------------------- compact remote commands (TS 102 226, 5.1) */

#define OTA_SCRIPT_MAX	1024	/* octets of secured data we build */
#define OTA_APDU_MAX	260

/* C-APDUs one after another, nothing between.  Sticky error: ask ota_script_len() once at the end. */
struct ota_script {
	uint8_t *buf;
	size_t cap, len;
	unsigned count;		/* C-APDUs so far */
	int err;
};
void ota_script_init(struct ota_script *s, uint8_t *buf, size_t cap);
void ota_script_apdu(struct ota_script *s, const uint8_t *apdu, size_t len);
/* SELECT by file id, P1 00 P2 0C: no answer data (cla 00), or plain A0 A4 for 2G. */
void ota_script_select(struct ota_script *s, uint8_t cla, uint16_t fid);
void ota_script_update_binary(struct ota_script *s, uint8_t cla, uint16_t offset, const uint8_t *data, size_t len);
void ota_script_update_record(struct ota_script *s, uint8_t cla, uint8_t rec, const uint8_t *data, size_t len);
void ota_script_read_binary(struct ota_script *s, uint8_t cla, uint16_t offset, uint8_t le);
int ota_script_len(const struct ota_script *s);

/* Splits a compact script back into its C-APDUs: calls `each` for every one; stops on its non-zero return and gives it
 * back.  A single octet after the last one's data is its Le. */
int ota_script_each(const uint8_t *script, size_t len, int (*each)(void *ctx, const uint8_t *apdu, size_t len),
		    void *ctx);

struct ota_compact_rsp {
	uint8_t count;		/* commands executed, the failing one included */
	uint16_t sw;		/* of the last one executed */
	const uint8_t *data;	/* its response data; borrows */
	size_t data_len;
};
int ota_compact_rsp_parse(struct ota_compact_rsp *out, const uint8_t *data, size_t len);

/* One English phrase for a status word, never NULL ("normal ending", "file not found", ...). */
const char *ota_sw_name(uint16_t sw);
/* "SELECT 6F07", "UPDATE BINARY 9 octets at 0", ... into buf; always NUL-terminated. */
void ota_apdu_describe(char *buf, size_t cap, const uint8_t *apdu, size_t len);

/* -------------------------------------------------------------------------------- USIM files (TS 31.102, 4.2) */

#define USIM_FID_IMSI	  0x6f07
#define USIM_FID_KEYS	  0x6f08
#define USIM_FID_KEYSPS	  0x6f09
#define USIM_FID_ACC	  0x6f78
#define USIM_FID_FPLMN	  0x6f7b
#define USIM_FID_LOCI	  0x6f7e
#define USIM_FID_PSLOCI	  0x6f73
#define USIM_FID_EPSLOCI  0x6fe3
#define USIM_FID_AD	  0x6fad
#define USIM_FID_SMSP	  0x6f42
#define USIM_FID_HPLMNWACT 0x6f62

#define USIM_IMSI_LEN	 9
#define USIM_ICCID_LEN	 10
#define USIM_LOCI_LEN	 11
#define USIM_PSLOCI_LEN	 14
#define USIM_EPSLOCI_LEN 18
#define USIM_KEYS_LEN	 33

/* The encoders give the octets written, the decoders 0, or an error.
 * EF_IMSI from 6..15 decimal digits. */
int usim_imsi_encode(uint8_t ef[USIM_IMSI_LEN], const char *imsi);
int usim_imsi_decode(char imsi[16], const uint8_t *ef, size_t len);
/* EF_ICCID, nibble-swapped, F filler; 18..20 digits. */
int usim_iccid_encode(uint8_t ef[USIM_ICCID_LEN], const char *iccid);
int usim_iccid_decode(char iccid[21], const uint8_t *ef, size_t len);
/* PLMN from MCC (3 digits) and MNC (2 or 3). */
int usim_plmn_encode(uint8_t plmn[3], const char *mcc, const char *mnc);
int usim_plmn_decode(char mcc[4], char mnc[4], const uint8_t plmn[3]);
/* EF_ACC: class = last IMSI digit. */
int usim_acc_from_imsi(uint8_t ef[2], const char *imsi);
/* "Deleted" values (TS 31.102): each writes the whole file and returns its length.  lac is the value of "deleted LAC":
 * 0x0000 or 0xfffe by profile. */
int usim_loci_deleted(uint8_t ef[USIM_LOCI_LEN], uint16_t lac);
int usim_psloci_deleted(uint8_t ef[USIM_PSLOCI_LEN], uint16_t lac);
int usim_epsloci_deleted(uint8_t ef[USIM_EPSLOCI_LEN], uint16_t tac);
int usim_keys_deleted(uint8_t ef[USIM_KEYS_LEN]);	/* EF_Keys and EF_KeysPS: KSI 7 */
/* "EF_IMSI" for 0x6f07, ...; "EF 6FXX"-style names are the caller's: NULL when unknown. */
const char *usim_file_name(uint16_t fid);

/* Luhn check of an ICCID's digits (last one is the check digit). */
bool ota_luhn_ok(const char *digits);

/* ----------------------------------------------------------------------------------- CRC (TS 102 225 Annex B) */

uint16_t ota_crc16(const struct ota_span *parts, size_t n);
uint32_t ota_crc32(const struct ota_span *parts, size_t n);

#endif
