/* script.h - remote commands and their answers: TS 102 226, 5, compact and expanded format.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * compact (5.1)	C-APDUs one after another	answer: number executed, SW and data of the last one
 * expanded (5.2)	AA L TLVs, or AE 80 TLVs 00 00	answer: AB L TLVs, or AF 80 TLVs 00 00; an SW for each command
 *
 * A target application takes one format or the other; many cards bind it to the TAR.  The first octet tells which it is
 * (a CLA has b2b1 00).
 */
#ifndef OTA_SCRIPT_H
#define OTA_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OTA_SCRIPT_MAX 1024 /* octets of secured data we build */
#define OTA_APDU_MAX   261  /* CLA INS P1 P2 Lc, 255 octets, Le */

enum ota_format {
	OTA_FORMAT_COMPACT,
	OTA_FORMAT_DEFINITE,   /* expanded, length coded: what to use in short messages */
	OTA_FORMAT_INDEFINITE, /* expanded, ended by 00 00 */
	OTA_FORMAT_UNKNOWN,
};
const char *ota_format_name(enum ota_format f); /* "compact", "expanded", "expanded-indefinite", "unknown" */

/* Format of secured data sent to a card, by its first octet alone; OTA_FORMAT_UNKNOWN for nothing at all and for what is
 * neither AA, AE nor a CLA. */
enum ota_format ota_cmd_format(const uint8_t *data, size_t len);
/* Format of an answer when the command is not at hand: expanded when it starts with AB or AF and is well-formed, else
 * compact when it is long enough.  Who has the command asks ota_cmd_format() of that. */
enum ota_format ota_rsp_format(const uint8_t *data, size_t len);

/* ------------------------------------------------------------------------------------------------ building */

/* A script under construction in the caller's buffer, of either format.  Sticky error: ask ota_script_len() once at the
 * end.  buf holds a whole, well-formed script after each call, header and end included. */
struct ota_script {
	uint8_t *buf;
	size_t cap, len;
	unsigned count; /* C-APDUs (R-APDUs of an answer) so far */
	int err;
	enum ota_format format;
	uint8_t tag;	   /* AA, AE of a script, AB, AF of an answer; 0 compact */
	size_t body;	   /* where the TLVs begin */
	unsigned tlvs;	   /* all of them */
	bool le_last;	   /* compact: ends with an Le, which goes when another command follows */
	bool executed_set; /* answers: the number executed was given */
	uint8_t executed;
};
void ota_script_init(struct ota_script *s, uint8_t *buf, size_t cap); /* compact */
/* OTA_FORMAT_COMPACT, _DEFINITE or _INDEFINITE: every function below then writes that format. */
void ota_script_init_format(struct ota_script *s, uint8_t *buf, size_t cap, enum ota_format format);
int ota_script_len(const struct ota_script *s); /* octets, or the first error */

/* One C-APDU as it is: 5 octets or more in compact format (there is always a P3), 4 or more in expanded format. */
void ota_script_apdu(struct ota_script *s, const uint8_t *apdu, size_t len);
/* A command with data whose answer data are wanted: Le 00 is put behind it where the format has room for one: after
 * every command in expanded format, after the last one in compact format (it goes away when another follows). */
void ota_script_apdu_le(struct ota_script *s, const uint8_t *apdu, size_t len);

/* SELECT by file id, P1 00 P2 0C: no answer data (cla 00), or plain A0 A4 for 2G. */
void ota_script_select(struct ota_script *s, uint8_t cla, uint16_t fid);
/* SELECT by path of n file ids from the MF (P1 08) or from the current DF (P1 09) (TS 102 221, 11.1.1). */
void ota_script_select_path(struct ota_script *s, bool from_mf, const uint16_t *fid, size_t n);
void ota_script_update_binary(struct ota_script *s, uint8_t cla, uint16_t offset, const uint8_t *data, size_t len);
void ota_script_update_record(struct ota_script *s, uint8_t cla, uint8_t rec, const uint8_t *data, size_t len);
void ota_script_read_binary(struct ota_script *s, uint8_t cla, uint16_t offset, uint8_t le);
void ota_script_read_record(struct ota_script *s, uint8_t cla, uint8_t rec, uint8_t le);

/* What follows exists in expanded format only (5.2.1); in a compact script it is OTA_E_FORMAT.
 *
 * Script chaining: the card keeps its state to the next script.  Must come first. */
enum ota_chaining {
	OTA_CHAIN_FIRST = 0x01,	     /* state is lost at a card reset */
	OTA_CHAIN_FIRST_KEPT = 0x11, /* state outlives a card reset */
	OTA_CHAIN_MORE = 0x02,	     /* another script follows */
	OTA_CHAIN_LAST = 0x03,
};
void ota_script_chaining(struct ota_script *s, enum ota_chaining c);
/* Immediate action: a proactive command (DISPLAY TEXT, PLAY TONE, REFRESH) for the start of the script, as its octets or
 * by reference.  Must come before any C-APDU and error action. */
#define OTA_IMMEDIATE_SESSION 0x81 /* reference: only make sure that a proactive session can be had */
#define OTA_IMMEDIATE_EARLY   0x82 /* reference: answer now, run the script afterwards */
void ota_script_immediate(struct ota_script *s, const uint8_t *proactive, size_t len);
void ota_script_immediate_ref(struct ota_script *s, uint8_t ref); /* record 01..7F of EF_RMA, 81 or 82 */
/* Error action: what to do, from here on, when a command fails (DISPLAY TEXT, PLAY TONE); no octets: nothing. */
void ota_script_error_action(struct ota_script *s, const uint8_t *proactive, size_t len);
void ota_script_error_action_ref(struct ota_script *s, uint8_t record); /* 01..7F of EF_RMA */

/* ------------------------------------------------------------------------------------------- taking apart */

/* Splits a compact script back into its C-APDUs: calls `each` for every one; stops on its non-zero return and gives it
 * back.  A single octet after the last one's data is its Le. */
int ota_script_each(const uint8_t *script, size_t len, int (*each)(void *ctx, const uint8_t *apdu, size_t len),
		    void *ctx);

/* Tags of TS 101 220, tables 7.18 to 7.20 */
enum ota_script_tag {
	OTA_TAG_C_APDU = 0x22,
	OTA_TAG_R_APDU = 0x23,
	OTA_TAG_EXECUTED = 0x80, /* answer: number of command objects executed */
	OTA_TAG_IMMEDIATE = 0x81,
	OTA_TAG_ERROR_ACTION = 0x82,
	OTA_TAG_CHAINING = 0x83,
	OTA_TAG_BAD_FORMAT = 0x90,
};
struct ota_tlv {
	uint8_t tag;
	const uint8_t *value; /* borrows */
	size_t len;
};
/* The same for every object of an expanded script or answer (AA, AE, AB or AF).  Tags are not judged: a card may know
 * more of them. */
int ota_tlv_each(const uint8_t *data, size_t len, int (*each)(void *ctx, const struct ota_tlv *tlv), void *ctx);
/* Either format: the C-APDUs alone. */
int ota_cmd_each(const uint8_t *data, size_t len, int (*each)(void *ctx, const uint8_t *apdu, size_t len), void *ctx);

/* ----------------------------------------------------------------------------------------------- answers */

struct ota_compact_rsp {
	uint8_t count;	     /* commands executed, the failing one included */
	uint16_t sw;	     /* of the last one executed */
	const uint8_t *data; /* its response data; borrows */
	size_t data_len;
};
int ota_compact_rsp_parse(struct ota_compact_rsp *out, const uint8_t *data, size_t len);

/* An answer of either format (5.1.2, 5.2.2). */
struct ota_script_rsp {
	enum ota_format format;
	int executed;	     /* commands (expanded: objects, actions too) executed; -1: not said (indefinite) */
	unsigned rapdus;     /* R-APDUs in it: one in compact format */
	int bad_format;	     /* 01 unknown tag, 02 wrong length, 03 length not found; -1 none */
	int immediate;	     /* 01 suspension error: no proactive session to be had; -1 none */
	int chaining;	     /* 01 no previous script, 02 not supported, 03 unable to process; -1 none */
	bool truncated;	     /* an SW 62F1: its data are cut off and the rest of the script was not run */
	uint16_t last_sw;    /* 0 without R-APDU */
	const uint8_t *data; /* for ota_rapdu_next(); borrows */
	size_t data_len;
};
/* `format` is the command's; OTA_FORMAT_UNKNOWN asks ota_rsp_format().  Definite and indefinite coding are told apart by
 * the answer itself. */
int ota_script_rsp_parse(struct ota_script_rsp *out, enum ota_format format, const uint8_t *data, size_t len);

struct ota_rapdu {
	unsigned index; /* of the command in the script, from 0 */
	uint16_t sw;
	const uint8_t *data;
	size_t data_len;
};
/* One R-APDU after the other.  A compact answer has one, that of the last command executed: those before it ended
 * normally, or it would have stopped there.  Start with a zeroed iterator; false: no more. */
struct ota_rapdu_iter {
	unsigned n;
	size_t at;
};
bool ota_rapdu_next(const struct ota_script_rsp *rsp, struct ota_rapdu_iter *it, struct ota_rapdu *out);

/* Response data cut off, and the rest of the script was not run (TS 102 226, 5.2.2). */
#define OTA_SW_CUT_OFF 0x62f1

/* Did this command do what it was told?  90 00, 91 XX, 92 0X, 9F XX, 61 XX, and warnings 62 XX and 63 XX, but for those
 * that say it did not: 62 81 (data corrupted), 62 F1 (cut off).  63 CX counts as done: after X tries of the card's own;
 * only to VERIFY PIN it says that the PIN was wrong (TS 102 221, 10.2.1.2). */
bool ota_sw_ok(uint16_t sw);
/* Of `sent` C-APDUs, which one (from 0) failed or was not run first?  -1: all ran and each ended normally.  *sw (may be
 * NULL) is its status word, or 0 where there is none.  Bad format, suspension and chaining errors count for the first
 * command without R-APDU.  An answer that fits no such script (more R-APDUs than commands) gives `sent`. */
int ota_script_rsp_failed(const struct ota_script_rsp *rsp, unsigned sent, uint16_t *sw);

/* Answers as a card would build them (tests, simulators). */
int ota_compact_rsp_encode(uint8_t *buf, size_t cap, uint8_t count, uint16_t sw, const uint8_t *data, size_t len);
void ota_script_rsp_init(struct ota_script *s, uint8_t *buf, size_t cap, bool indefinite);
void ota_script_rsp_rapdu(struct ota_script *s, const uint8_t *data, size_t len, uint16_t sw);
void ota_script_rsp_bad_format(struct ota_script *s, uint8_t code);
void ota_script_rsp_immediate(struct ota_script *s, uint8_t code);
void ota_script_rsp_chaining(struct ota_script *s, uint8_t code);
/* Number executed, where it is not the number of R-APDUs. */
void ota_script_rsp_executed(struct ota_script *s, uint8_t n);

/* ----------------------------------------------------------------------------------------------- in words */

/* One English phrase for a status word, never NULL ("normal ending", "file not found", ...). */
const char *ota_sw_name(uint16_t sw);
/* "unknown tag found" and so on, for the codes of struct ota_script_rsp; never NULL. */
const char *ota_bad_format_name(int code);
const char *ota_chaining_name(int code);
/* "SELECT 6F07", "UPDATE BINARY 9 octets at 0", ... into buf; always NUL-terminated.  All commands that TS 102 226, 6.2
 * and 8.2 list have a name. */
void ota_apdu_describe(char *buf, size_t cap, const uint8_t *apdu, size_t len);

#endif
