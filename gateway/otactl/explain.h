/* explain.h - what the files of `otactl packet explain` share: one line per field, and who explains what.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTACTL_EXPLAIN_H
#define OTACTL_EXPLAIN_H

#include "packet.h"

#define EXPLAIN_MAX	 (OTA_SEGMENTS_PROTOCOL_MAX * OTA_TP_UD_MAX) /* octets of one piece */
#define EXPLAIN_TEXT_MAX 400

struct explain {
	enum ctl_format format;
	json_t *rows;	/* CTL_JSON: all lines, printed at the end */
	unsigned depth; /* how far the next line is indented */
	bool failed;	/* something was not what it claims to be */

	/* --keys: kic_key, kid_key or KIC1, KID1, ..., and what else a line of decode may have; NULL without */
	json_t *key_file;
	struct packet_keys keys;

	/* The command that a response in the same input answers. */
	struct ota_cmd_params sent;
	bool have_sent;

	/* Segments of one message, piece by piece: as many as the protocol has. */
	struct ota_join join;
	struct ota_part part[OTA_SEGMENTS_PROTOCOL_MAX];
	bool joining;

	/* File contents: where, from --file or the SELECTs of a script. */
	bool have_file;
	enum usim_df df;
	uint16_t fid;
};

/* ---- explain_out.c ---- */
/* One line: a field, its octets (NULL: none to show), what they mean, and where that is written ("" nowhere). */
void ex(struct explain *e, const char *field, const uint8_t *p, size_t len, const char *clause, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* The same for something wrong: `otactl` ends with CTL_PARTIAL. */
void ex_wrong(struct explain *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void ex_end(struct explain *e);

/* ---- what explains what; each takes octets of any kind and says so when they are not its own ---- */
typedef void explain_fn(struct explain *e, const uint8_t *p, size_t len);
explain_fn explain_command, explain_response;		   /* explain.c: TS 102 225 */
explain_fn explain_tp_ud, explain_deliver, explain_submit; /* explain_sms.c: TS 23.040 */
explain_fn explain_deliver_report, explain_submit_report;
explain_fn explain_script, explain_answer, explain_file; /* explain_card.c: TS 102 226, TS 31.102 */
/* The first octets of a packet that is cut into segments: what stands in clear. */
void explain_head(struct explain *e, const uint8_t *p, size_t len, uint8_t pi);
/* "6f07", "6f07@7f20": into e->df and e->fid; false after a message. */
bool explain_file_named(struct explain *e, const char *name);

/* ---- explain_kind.c: which of them ---- */
struct explain_kind {
	const char *name, *what;
	explain_fn *run;
	/* How well the octets fit: 0 not at all, 1 perhaps, 2 likely, 3 sure; why in words. */
	unsigned (*fits)(const uint8_t *p, size_t len, char *why, size_t cap);
};
extern const struct explain_kind explain_kinds[];
extern const size_t explain_kinds_n;

#endif
