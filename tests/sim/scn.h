/* scn.h - a written scenario: what its lines have become.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * scn_parse.c reads all lines before anything runs; scn_run.c carries them out, one after the other.  The language is
 * described in README.md.
 */
#ifndef OTAGW_TESTS_SCN_H
#define OTAGW_TESTS_SCN_H

#include "sim.h"

#define SCN_LINE_MAX  240
#define SCN_WORDS_MAX 16
#define SCN_STMTS_MAX 400
#define SCN_RULES_MAX 16 /* laid down for the air at one time */
#define SCN_HELD_MAX  16 /* messages held back */

enum scn_verb {
	/* before the start */
	SCN_CARDS,
	SCN_SET, /* PROFILE and POLICY: done while reading */
	SCN_EVERY_CRASH,
	/* time */
	SCN_TIME_PASSES,
	SCN_TIME_TO_DUE,
	/* the world */
	SCN_CARD_COVER,
	SCN_CARD_TAKING,
	SCN_CARD_POWER_CYCLE,
	SCN_AIR,
	SCN_AIR_RELEASE,
	SCN_AIR_CLEAR,
	SCN_SMSC,
	SCN_LINK,
	SCN_STORE,
	SCN_CLOCK,
	SCN_ALERT,
	/* the gateway */
	SCN_CRASH,
	SCN_CRASH_AT,
	SCN_RESTART,
	SCN_BACKUP,
	SCN_RESTORE,
	SCN_VERB,
	/* what must be */
	SCN_CHECK,
	SCN_FINISH,
};

enum scn_what {
	SCN_TXN,
	SCN_CMD,
	SCN_CLASS,
	SCN_REASON,
	SCN_IMSI,  /* on the card */
	SCN_SHOWS, /* to the network */
	SCN_ALARM,
	/* numbers */
	SCN_RUNS,
	SCN_PACKETS,
	SCN_SEGMENTS,
	SCN_CNTRS,
	SCN_REFS,
	SCN_SCRIPTS,
	SCN_PROBES,
	SCN_ATTEMPTS,
	SCN_EVIDENCE,
	SCN_LIVES,
	SCN_EPOCHS,
	_SCN_WHATS
};
enum scn_op { SCN_EQ, SCN_NE, SCN_LT, SCN_LE, SCN_GT, SCN_GE };

enum scn_air_do {
	SCN_AIR_LOSE,
	SCN_AIR_DROP,
	SCN_AIR_HOLD,
	SCN_AIR_DOUBLE,
	SCN_AIR_SPLIT,
	SCN_AIR_SPLIT_REVERSED,
	SCN_AIR_SPLIT_HOLD, /* the second part waits for a release */
};
enum scn_air_what { SCN_ANY_UP, SCN_POR, SCN_MO, SCN_RECEIPT, SCN_SEGMENT };

struct scn_stmt {
	uint8_t verb; /* enum scn_verb */
	unsigned line, step;
	unsigned card;	  /* index; SCN_EVERY_CARD */
	int what, action; /* as the verb needs them */
	int op;
	int64_t n;	   /* a number, or milliseconds */
	int64_t within_ms; /* CHECK: must hold at some time until then; FINISH */
	char text[64];
};
#define SCN_EVERY_CARD UINT32_MAX

struct scn {
	char path[256];
	struct scenario sc;
	bool every_crash;
	unsigned n;
	struct scn_stmt stmt[SCN_STMTS_MAX];
	char err[320]; /* FILE:LINE: what is wrong */
};

/* 0, or -1 with a sentence in scn->err. */
int scn_parse(struct scn *scn, const char *path);
const char *scn_what_name(int what);
const char *scn_op_name(int op);

#endif
