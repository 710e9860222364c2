/* run.h - a scenario under way: its schedule, its books of what happened, its verdict.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Clock-free as air and SMSC are.  run_seen() goes into smsc_cfg; whoever drives calls run_step() when run_next_due() says
 * so, and before he steps the SMSC to the same moment.
 */
#ifndef OTASIM_RUN_H
#define OTASIM_RUN_H

#include <stdio.h>

#include "hlr/sim_ctrl.h"
#include "scn.h"

#define RUN_LOG_MAX	 65536	  /* events remembered; the oldest go first */
#define RUN_EDGES_MAX	 4000000  /* cards of all rules that begin or end at some time */
#define RUN_COUNTERS_MAX 16000000 /* cards of all expectations with "while" or "from" */
#define RUN_SHOWN_MAX	 10	  /* cards named for an expectation that is not met */

struct run;

/* The scenario and the cards stay the caller's.  NULL with a sentence in err. */
struct run *run_new(const struct scn *s, struct sim_card *cards, const char *new_imsi_prefix, char err[SCN_ERR_MAX]);
void run_free(struct run *r);
/* The operators' registers, before run_attach(); each array has one for each operator of the scenario. */
void run_registers(struct run *r, struct sim_hlr *const *hlr, struct sim_ctrl *const *ctrl);
/* Now air and SMSC are there, too; time begins, unless it is to begin with the first connection. */
void run_attach(struct run *r, struct sim_air *air, struct smsc *smsc, int64_t now_ms);
void run_seen(void *run, const struct smsc_seen *seen);

void run_step(struct run *r, int64_t now_ms); /* the schedule, and what is to be judged */
int64_t run_next_due(const struct run *r);
bool run_ended(const struct run *r);
void run_stop(struct run *r, int64_t now_ms); /* somebody ends it: what is open is not judged */

/* Since the scenario's beginning; 0 before it. */
int64_t run_time(const struct run *r, int64_t now_ms);

/* ---- verdict ---- */

enum run_verdict { RUN_OPEN, RUN_PASS, RUN_FAIL };
struct run_result {
	const struct scn_expect *expect;
	enum run_verdict verdict;
	int64_t settled_ms;
	uint32_t members, bad; /* cards asked, and those that are not as expected; an SMSC's metric: 0 */
	int64_t value;	       /* of a total, or of an SMSC */
	struct {
		uint32_t card;
		int64_t value;
	} shown[RUN_SHOWN_MAX];
	unsigned n_shown;
};
void run_result(const struct run *r, unsigned expect, struct run_result *out);
/* FAIL when any failed, else OPEN when any is open. */
enum run_verdict run_verdict(const struct run *r);
/* "3 of 100 cards: card 17 (8988...) 7, ..."; "" when nothing is to be told. */
#define RUN_WHY_MAX 1024
const char *run_why(const struct run *r, const struct run_result *res, char out[RUN_WHY_MAX]);

void run_summary(const struct run *r, FILE *out);
void run_junit(const struct run *r, FILE *out);
/* Text inside XML or HTML; what they cannot carry becomes a question mark. */
void run_xml(FILE *out, const char *text);
size_t run_utf8_len(const char *p);		  /* octets of the UTF-8 character at p (RFC 3629), 0: it is none */
const char *run_verdict_name(enum run_verdict v); /* "open", "pass", "fail" */

/* ---- books ---- */

struct card_book {
	uint32_t submits, attempts; /* PDUs; messages begun */
	uint32_t reached;	    /* messages that met the card */
	uint32_t proofs;	    /* messages with a proof of receipt it has sent */
	uint32_t alerts;
	int64_t first_ms, last_ms;	 /* attempts; -1: none */
	int64_t shortest_ms, longest_ms; /* between two of them; SCN_NEVER and 0 before there are two */
	bool wrong_keys;
};
const struct card_book *run_card(const struct run *r, uint32_t card);
void run_new_imsi(const struct run *r, uint32_t card, char imsi[SIM_IMSI_LEN]);
/* While wrong keys are laid down, the card's own are these XOR this octet. */
#define RUN_WRONG_KEY 0x5a
void run_keys_turn(struct run *r); /* all of them to the other side: to write the lists, and back */

struct door_book {
	uint64_t submits, connections, bind_attempts, binds, throttled, timeouts;
	uint32_t rate_max, window_max;
	int64_t answer_max_ms, mood_since_ms;
};
const struct door_book *run_door(const struct run *r, unsigned door);

/* One event of the log. */
struct run_line {
	uint64_t n; /* counts from 1 */
	int64_t t_ms;
	enum smsc_seen_kind kind;
	unsigned door;
	uint32_t session, status;
	int64_t card, took_ms;
	uint64_t token;
	int por_status; /* MET: of the proof the card has made, -1: none */
	uint16_t sw;
	bool accepted, receipt, udhi;
	uint8_t pid, dcs, ud_len;
	uint8_t ud[SIM_UD_MAX];
	char text[24]; /* system_id; stat of a receipt */
};
/* The first one with a number above `after`; false: there is none yet. */
bool run_line(const struct run *r, uint64_t after, struct run_line *out);
uint64_t run_lines(const struct run *r, uint64_t *oldest); /* the newest's number; 0: none */
const char *run_line_name(enum smsc_seen_kind kind);

const struct scn *run_scn(const struct run *r);
int64_t run_ended_ms(const struct run *r); /* -1: not yet */

#endif
