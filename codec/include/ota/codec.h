/* codec.h - octets of SMS-PP OTA: TS 102 225/31.115 packets, TS 102 226 scripts, TS 23.040 TPDUs, TS 31.102 files.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * libc only: no allocation, no log, no clock, no cipher library.  Every function is re-entrant.  Out-buffers belong to
 * the caller; decoded structs borrow from the input octets and live as long as these.  All multi-octet numbers on the
 * wire are big-endian.  Functions return 0 (or a length) or a negative enum ota_err.
 *
 *	ota/codec.h	   packets (TS 102 225), segments and TPDUs (TS 23.040); brings the next two along
 *	ota/script.h	   compact and expanded remote commands and their answers (TS 102 226, 5)
 *	ota/usim.h	   file contents (TS 31.102, 31.103, 51.011)
 *	ota/usim_lab.h	   proprietary files of programmable lab cards
 *	ota/ram.h	   remote application management: PUT KEY, INSTALL, DELETE, GET STATUS (TS 102 226, 8)
 *	ota/crypt.h	   what is asked of whoever holds the keys
 *	ota/rd.h, wr.h	   the reader and writer all of it is built on
 *
 * "packet" means the octets from CPL (command) or RPL (response) on, without User Data Header; "tp_ud" is the whole
 * TP-UD of one short message with its UDH.
 */
#ifndef OTA_CODEC_H
#define OTA_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ota/addr.h"
#include "ota/crypt.h"
#include "ota/script.h"
#include "ota/usim.h"

/* ------------------------------------------------------------------------------------------------ errors */

enum ota_err {
	OTA_OK = 0,
	OTA_E_SHORT = -1,      /* input ends before its own length fields say */
	OTA_E_SPACE = -2,      /* output buffer too small */
	OTA_E_LENGTH = -3,     /* a length field contradicts another or the input */
	OTA_E_RANGE = -4,      /* a value outside what the field can carry */
	OTA_E_SPI = -5,	       /* reserved or unsupported SPI combination */
	OTA_E_DS = -6,	       /* digital signature asked for: nobody defines one, refused by name */
	OTA_E_ALG = -7,	       /* KIc/KID names an algorithm we do not have */
	OTA_E_KVN = -8,	       /* KIc and KID name different key versions (TS 102 225 Annex A) */
	OTA_E_CC = -9,	       /* RC or CC does not match */
	OTA_E_PADDING = -10,   /* PCNTR larger than the data, or set without ciphering */
	OTA_E_KEY = -11,       /* the keystore refused or does not have the key */
	OTA_E_UDH = -12,       /* malformed User Data Header */
	OTA_E_SEGMENTS = -13,  /* more segments than allowed */
	OTA_E_DIGITS = -14,    /* not a digit, or the wrong number of them */
	OTA_E_FORMAT = -15,    /* not the format it should be */
	OTA_E_BLOCK = -16,     /* ciphered part not a multiple of the block */
	OTA_E_UNSECURED = -17, /* status 00 without the security that was asked for */
	OTA_E_UNMATCHED = -18, /* TAR or CNTR differ from the command's */
	OTA_E_LEGACY = -19,    /* DES-ECB, and nobody asked for it by name */
};

/* One English phrase per error, never NULL. */
const char *ota_strerror(int err);

/* ------------------------------------------------------------------------------------------------ limits */

#define OTA_TP_UD_MAX		  140		  /* octets of TP-UD in one short message (TS 23.040) */
#define OTA_PACKET_1SMS_MAX	  137		  /* packet octets after UDH 02 70 00 */
#define OTA_SEGMENTS_MAX	  16		  /* what a gateway needs: cards stop at 2..8 */
#define OTA_PACKET_MAX		  2142		  /* 132 + 15 * 134: what OTA_SEGMENTS_MAX segments carry */
#define OTA_SEGMENTS_PROTOCOL_MAX 255		  /* TS 23.040, 9.2.3.24.1: one octet counts them */
#define OTA_PACKET_PROTOCOL_MAX	  34168		  /* 132 + 254 * 134: no packet can be longer, whoever sends it */
#define OTA_CNTR_MAX		  0xffffffffffULL /* five octets */
#define OTA_CMD_HEAD		  15		  /* CPL(2) CHL SPI(2) KIc KID TAR(3) CNTR(5): octets before PCNTR */
#define OTA_CC_LEN_MAX		  8

/* ------------------------------------------------------------------------- SPI, KIc, KID (TS 102 225, 5.1) */

#define OTA_SPI1_INTEGRITY(spi1) ((spi1)&0x03) /* 0 none, 1 RC, 2 CC, 3 DS */
#define OTA_SPI1_CIPHERED(spi1)	 (((spi1) >> 2) & 1)
#define OTA_SPI1_COUNTER(spi1)	 (((spi1) >> 3) & 0x03) /* 0 none, 1 unchecked, 2 higher, 3 exactly one higher */
#define OTA_SPI2_POR(spi2)	 ((spi2)&0x03)		/* 0 never, 1 always, 2 on error */
#define OTA_SPI2_INTEGRITY(spi2) (((spi2) >> 2) & 0x03)
#define OTA_SPI2_CIPHERED(spi2)	 (((spi2) >> 4) & 1)
#define OTA_SPI2_SUBMIT(spi2)	 (((spi2) >> 5) & 1) /* 0 DELIVER-REPORT, 1 SMS-SUBMIT */

/* Algorithm of a KIc octet, or of a KID octet where SPI asks for a CC.  OTA_ALG_NONE when the nibble names none we
 * know; the key version number is the high nibble. */
enum ota_alg ota_kic_alg(uint8_t kic);
enum ota_alg ota_kid_alg(uint8_t kid);
/* Low nibble that names the algorithm, as KIc or KID octet without version: 0 for OTA_ALG_NONE. */
uint8_t ota_alg_nibble(enum ota_alg alg);
const char *ota_alg_name(enum ota_alg alg); /* "none", "des", "des-ecb", "3des2", "3des3", "aes" */
/* Block size in octets: 8, 16, or 1 for OTA_ALG_NONE. */
size_t ota_alg_block(enum ota_alg alg);

/* ------------------------------------------------------------------------- command packet (TS 102 225, 5.1) */

/* Everything that decides the octets of a command packet.  Also what a response is opened against: keep it (or be able
 * to rebuild it) as long as a PoR may come. */
struct ota_cmd_params {
	uint8_t spi[2];
	uint8_t kic, kid; /* version in the high nibble, algorithm in the low one */
	uint8_t tar[3];
	uint64_t cntr;	       /* 0..OTA_CNTR_MAX */
	uint8_t cc_len;	       /* octets of RC/CC: 2 (CRC-16), 4 (CRC-32, CMAC-32), 8; 0: what ota_cc_len() says */
	struct ks_ref kic_ref; /* used when ciphered */
	struct ks_ref kid_ref; /* used with CC */
	const uint8_t *data;   /* secured data, may be empty */
	size_t data_len;
	/* DES-ECB (KIc nibble D) is for cards before release 6 and reserved since: it is built only where this is set,
	 * else OTA_E_LEGACY.  It is always read. */
	bool legacy;
};

/* Octets of RC/CC/DS that this SPI and KID imply: 0, 2, 4, 8; an error for DS or an unknown algorithm.
 * AES-CMAC counts 8: a keyset with 4-octet CMAC overrides it in cc_len. */
int ota_cc_len(uint8_t spi1, uint8_t kid);

/* All checks that need no key: SPI bits, DS, KVN of KIc against KID, cc_len, DES-ECB, length up to OTA_PACKET_MAX, and a
 * PoR with more security than its command (refused: there would be no algorithm for it).  0 or an error.
 * Whoever decides that a command is to be built asks here first.  The functions below repeat all of it but the last
 * two rules (they go up to OTA_PACKET_PROTOCOL_MAX), so that what a foreign server once sent (cards have answered 04 19
 * and 02 19) can be rebuilt octet by octet. */
int ota_cmd_check(const struct ota_cmd_params *p);

/* Length of the finished packet, CPL included, or an error; OTA_E_LENGTH beyond OTA_PACKET_PROTOCOL_MAX. */
int ota_cmd_len(const struct ota_cmd_params *p);

/* Encode in three moves: lay out, run the jobs of many packets, finish.
 * A work item points into the caller's packet buffer and must outlive ota_cmd_finish(). */
struct ota_cmd_work {
	uint8_t *packet;
	size_t len;
	size_t head_len; /* CPL .. PCNTR */
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
	const uint8_t *cc; /* p.cc_len octets, deciphered if crypt was given */
	bool opened;	   /* deciphered and RC/CC found right */
};

/* Reads a command packet.  Without crypt only what stands in clear is filled in: SPI, KIc, KID, TAR (ciphering starts
 * at CNTR), and all of it when SPI says that nothing is ciphered; `opened` stays false.  With crypt the packet is
 * deciphered IN PLACE and its RC/CC checked; kic_ref, kid_ref and cc_len (0: what ota_cc_len() says) come from `in`. */
int ota_cmd_decode(struct ota_cmd *out, uint8_t *packet, size_t len, const struct ota_cmd_params *in,
		   const struct ota_crypt *crypt);

/* ------------------------------------------------------------------------ response packet (TS 102 225, 5.2) */

enum ota_verdict {
	OTA_REJECT,		    /* not an answer to this command; `why` says the reason */
	OTA_ACCEPT,		    /* integrity as asked for, TAR and CNTR are the command's */
	OTA_ACCEPT_UNAUTHENTICATED, /* a clear error: a hint only, anybody could have sent it */
	OTA_ACCEPT_UNCORRELATED,    /* integrity right, but CNTR or TAR are another command's */
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
	int why; /* negative ota_err with OTA_REJECT, else 0 */
	uint8_t tar[3];
	uint64_t cntr; /* as read: the command's, or 0 in many clear errors */
	uint8_t pcntr;
	uint8_t status;
	bool secured;	     /* integrity was present and right */
	const uint8_t *data; /* additional response data, padding stripped; borrows from the packet */
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

enum ota_concat { OTA_CONCAT_UDH8 = 0x00, OTA_CONCAT_UDH16 = 0x08 }; /* the IEI */

struct ota_udh {
	bool concat;
	uint16_t ref;
	uint8_t total, seq; /* seq counts from 1 */
	uint8_t iei;	    /* OTA_CONCAT_* when concat */
	uint8_t pi;	    /* 0x70 command, 0x71 response, 0 neither */
	size_t len;	    /* octets of UDH including UDHL */
};
/* Reads a UDH with any IEs in any order.  Of a repeated IE the last one counts; a concatenation whose total or seq is
 * 0, or whose seq is above its total, is ignored (TS 23.040, 9.2.3.24). */
int ota_udh_parse(struct ota_udh *out, const uint8_t *tp_ud, size_t len);

/* How many short messages `packet_len` octets take with the given concatenation: 1.. or OTA_E_SEGMENTS. */
int ota_segments(size_t packet_len, enum ota_concat concat);
/* The same with a limit of one's own, up to OTA_SEGMENTS_PROTOCOL_MAX: cards stop at 2 to 8, so it is a profile's. */
int ota_segments_max(size_t packet_len, enum ota_concat concat, unsigned max);

/* TP-UD number seq (from 1) of `total` for a packet.  `pi` is 0x70 or 0x71; the CPI/RPI stands in the first segment
 * only; ref must not be 0 (some cards take it for "not concatenated").  Returns the octets written (<= 140). */
int ota_segment(uint8_t out[OTA_TP_UD_MAX], const uint8_t *packet, size_t packet_len, uint8_t pi,
		enum ota_concat concat, uint16_t ref, uint8_t seq, uint8_t total);

/* Joins the segments of one packet that came in any order.  The parts are the caller's memory: as many as he is willing
 * to join, OTA_SEGMENTS_MAX of them for what cards send, OTA_SEGMENTS_PROTOCOL_MAX (36 KB) for whatever may come.  They
 * are the join's from ota_join_init() on, until its packet is read or the next ota_join_init(). */
struct ota_part {
	bool there;
	uint8_t len;
	uint8_t octets[OTA_TP_UD_MAX];
};
struct ota_join {
	struct ota_part *part;
	uint8_t parts_max;
	uint8_t iei, total; /* iei ff: the message has no concatenation */
	uint16_t ref;
	uint8_t have; /* parts that are there */
	uint8_t pi;
};
/* n parts; more than OTA_SEGMENTS_PROTOCOL_MAX of them are of no use. */
void ota_join_init(struct ota_join *j, struct ota_part *part, size_t n);
/* Takes one TP-UD.  1: complete, 0: more to come (a duplicate is taken silently, the first copy stays), or an error
 * (OTA_E_UNMATCHED: another reference or total, OTA_E_SEGMENTS: more than there are parts for) that leaves j as it was.
 * A TP-UD without concatenation completes at once. */
int ota_join_add(struct ota_join *j, const uint8_t *tp_ud, size_t len);
/* The packet of a complete join: its length, at most total * OTA_TP_UD_MAX, or an error. */
int ota_join_packet(const struct ota_join *j, uint8_t *buf, size_t cap);

/* Joins the messages of many senders at once, references interleaved, in bounded memory: `slots` belong to the caller
 * and are as many as messages may stand half-received at one time.  No clock: now_ms is the caller's and never goes
 * backwards.  What is not complete timeout_ms after its first segment is given up.  A message of one segment needs no slot. */
struct ota_reasm_slot { /* the codec's own; only its size is of interest */
	struct ota_addr from;
	int64_t due_ms;
	bool used;
	struct ota_join join;
};
struct ota_reasm {
	struct ota_reasm_slot *slot;
	size_t slots;
	int64_t timeout_ms;
	uint8_t segments_max; /* of one message: a profile's limit */
	/* Since ota_reasm_init().  expired: given up by time; evicted: given up for want of a slot; duplicates: segments
	 * that were there already. */
	uint64_t completed, expired, evicted, duplicates;
};
/* At most this many unfinished messages of one sender: its oldest gives way to a newer one, so that no sender can push
 * out the others. */
#define OTA_REASM_PER_SENDER 4

/* `part`: n * segments_max of them, each slot's own. */
void ota_reasm_init(struct ota_reasm *r, struct ota_reasm_slot *slots, size_t n, struct ota_part *part,
		    uint8_t segments_max, int64_t timeout_ms);
/* Takes one TP-UD of a sender (same type and digits: same sender).  Length (> 0) of the packet written to buf when it is
 * complete, 0 when more is to come, or an error: OTA_E_SEGMENTS when it claims more segments than allowed, OTA_E_SPACE
 * when buf is too small (the message is dropped).  With every slot taken the message with the least time left gives
 * way.  `pi` (may be NULL): 0x70, 0x71 or 0, as found in the message. */
int ota_reasm_add(struct ota_reasm *r, const struct ota_addr *from, const uint8_t *tp_ud, size_t len, int64_t now_ms,
		  uint8_t *buf, size_t cap, uint8_t *pi);
/* Gives up what is due; how many that were.  ota_reasm_add() does it as well. */
size_t ota_reasm_expire(struct ota_reasm *r, int64_t now_ms);
/* When the next one is due, or INT64_MAX. */
int64_t ota_reasm_next_due(const struct ota_reasm *r);

/* ------------------------------------------------------------------------------------ TPDU (TS 23.040, 9.2) */

/* TP-PID and TP-DCS of (U)SIM data download (TS 31.115, 4; TS 23.038, 4): 8-bit data, class 2. */
#define OTA_PID_USIM_DOWNLOAD	0x7f
#define OTA_DCS_8BIT_CLASS2	0xf6
#define OTA_DCS_8BIT_CLASS2_GEN 0x16 /* the same in the general coding group */
#define OTA_TPDU_MAX		184  /* octets: SMS-SUBMIT with the longest address, absolute validity, 140 octets */

/* TP-Service-Centre-Time-Stamp (9.2.3.11): local time and its distance from UTC.  The standard has no century: 2000 to
 * 2099 is meant. */
struct ota_scts {
	uint16_t year;	    /* 2000..2099 */
	uint8_t month, day; /* 1..12, 1..31 */
	uint8_t hour, minute, second;
	int8_t zone; /* quarters of an hour east of UTC, -79..79 */
};
int ota_scts_encode(uint8_t scts[7], const struct ota_scts *t);
int ota_scts_decode(struct ota_scts *t, const uint8_t scts[7]);
/* The same as milliseconds since 1970 UTC; zone as above. */
int ota_scts_from_utc(uint8_t scts[7], int64_t utc_ms, int zone);
int ota_scts_to_utc(int64_t *utc_ms, const uint8_t scts[7]);

struct ota_tpdu_deliver {
	struct ota_addr oa;
	uint8_t pid, dcs;
	bool udhi, mms; /* mms as on the wire: true when no more messages wait (TS 23.040, 9.2.3.2) */
	uint8_t scts[7];
	const uint8_t *ud; /* 8-bit data */
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

/* SMS-DELIVER-REPORT (9.2.2.1a): what a card answers to the ENVELOPE comes back in its TP-UD (TS 31.115, 4; TS 31.111,
 * 7.1.1); and SMS-SUBMIT-REPORT (9.2.2.2a).  Whether it travels in an RP-ACK or an RP-ERROR is not in the TPDU: the
 * relay layer tells, so the caller does.  Optional fields are those that TP-PI announces. */
struct ota_tpdu_report {
	bool error;  /* RP-ERROR: fcs is there */
	uint8_t fcs; /* TP-FCS (9.2.3.22): D4 toolkit busy, D5 data download error... */
	bool has_pid, has_dcs, has_ud, udhi;
	uint8_t pid, dcs;
	uint8_t scts[7];   /* SMS-SUBMIT-REPORT only */
	const uint8_t *ud; /* 8-bit data; borrows */
	uint8_t ud_len;
};
#define OTA_DELIVER_REPORT_UD_MAX 159 /* octets in an RP-ACK; one less in an RP-ERROR */
#define OTA_SUBMIT_REPORT_UD_MAX  152
int ota_tpdu_deliver_report_encode(uint8_t *buf, size_t cap, const struct ota_tpdu_report *r);
int ota_tpdu_deliver_report_decode(struct ota_tpdu_report *r, const uint8_t *tpdu, size_t len, bool rp_error);
int ota_tpdu_submit_report_encode(uint8_t *buf, size_t cap, const struct ota_tpdu_report *r);
int ota_tpdu_submit_report_decode(struct ota_tpdu_report *r, const uint8_t *tpdu, size_t len, bool rp_error);
const char *ota_fcs_name(uint8_t fcs); /* never NULL */

/* ----------------------------------------------------------------------------------- CRC (TS 102 225 Annex B) */

uint16_t ota_crc16(const struct ota_span *parts, size_t n);
uint32_t ota_crc32(const struct ota_span *parts, size_t n);

#endif
