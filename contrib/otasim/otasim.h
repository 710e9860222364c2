/* otasim.h - a virtual SMSC with coverage, a scenario and a fleet of UICCs, as a library for other people's tests.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * No thread, no socket, no clock: time is a number of milliseconds that you hand in, and it may be any you like.  A test
 * with a clock of its own runs an hour of bad weather in a moment, the same every time:
 *
 *	o = otasim_new(&cfg, now_ms, err);              a scenario, as text or file (contrib/doc/otasim.md)
 *	s = otasim_connect(o, 0, now_ms);               your gateway connects
 *	otasim_input(o, s, octets, n, now_ms);          SMPP 3.4 in ...
 *	p = otasim_output(o, s, &n); otasim_taken(o, s, n);   ... and out
 *	now_ms = the earlier of otasim_next_due(o) and your own next timer;
 *	otasim_step(o, now_ms);                         until otasim_ended(o)
 *	assert(otasim_verdict(o) == OTASIM_PASS);
 *
 * All calls of one struct otasim belong to one thread.  now_ms must not go backwards.  Nothing here ever waits.
 */
#ifndef OTASIM_H
#define OTASIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OTASIM_ERR_MAX 800
#define OTASIM_KEY_HEX 65 /* a key in hexadecimal, NUL included */

struct otasim;

struct otasim_cfg {
	const char *file; /* the scenario's file; with text: only its name, for messages */
	const char *text; /* the scenario itself, len octets; NULL: read the file */
	size_t len;
	uint32_t cards; /* 0: what the scenario says */
	bool has_seed;	/* seed wins over the scenario's */
	uint64_t seed;
	void (*log)(void *ctx, const char *line); /* what SMPP sessions go through; may be NULL */
	void *ctx;
};

/* The fleet and its SMSCs; the scenario's time begins at now_ms.  NULL with a sentence in err. */
struct otasim *otasim_new(const struct otasim_cfg *cfg, int64_t now_ms, char err[OTASIM_ERR_MAX]);
void otasim_free(struct otasim *o);

/* ---- SMPP ---- */

unsigned otasim_smscs(const struct otasim *o);
const char *otasim_smsc_name(const struct otasim *o, unsigned smsc); /* "" when the scenario names none */
/* Would a connection be accepted now? */
bool otasim_accepts(const struct otasim *o, unsigned smsc);
/* A connection: the number of its session, or -1: refused (or more than 16 at a time). */
int otasim_connect(struct otasim *o, unsigned smsc, int64_t now_ms);
/* What your gateway has sent, in pieces as it likes.  False: the SMSC ends this session: read its last words, then close. */
bool otasim_input(struct otasim *o, int session, const uint8_t *p, size_t len, int64_t now_ms);
/* What the SMSC has to say: NULL and 0 when nothing.  Of that, n octets have been taken. */
const uint8_t *otasim_output(const struct otasim *o, int session, size_t *len);
void otasim_taken(struct otasim *o, int session, size_t n);
bool otasim_over(const struct otasim *o, int session); /* ended by the SMSC */
void otasim_close(struct otasim *o, int session, int64_t now_ms);

/* ---- time ---- */

/* Everything that happens up to now_ms, in order. */
void otasim_step(struct otasim *o, int64_t now_ms);
/* The moment of the next thing that happens by itself; INT64_MAX: nothing will. */
int64_t otasim_next_due(const struct otasim *o);

/* ---- operators (of a scenario with lines "operator NAME PLMN") ---- */

#define OTASIM_CTRL_REPLY 1024
unsigned otasim_operators(const struct otasim *o); /* 0: none; SMSC N is that of operator N */
const char *otasim_operator_name(const struct otasim *o, unsigned op);
bool otasim_register_up(const struct otasim *o, unsigned op); /* does anybody take requests? */
/* A request to his register, as OsmoHLR's CTRL has it ("GET 1 subscriber.by-imsi-X.info"); its reply is fetched below, when
 * otasim_next_due() has said so, and carries the tag.  False: nobody takes it. */
bool otasim_ctrl(struct otasim *o, unsigned op, uint64_t tag, const char *request, int64_t now_ms);
/* *lost: the register went down before it was done. */
bool otasim_ctrl_reply(struct otasim *o, unsigned op, uint64_t *tag, char reply[OTASIM_CTRL_REPLY], bool *lost);

/* ---- verdict ---- */

enum otasim_verdict { OTASIM_OPEN, OTASIM_PASS, OTASIM_FAIL };

bool otasim_ended(const struct otasim *o); /* the scenario is over, everything expected is judged */
/* Ends it now; what is not settled stays OTASIM_OPEN. */
void otasim_stop(struct otasim *o, int64_t now_ms);
enum otasim_verdict otasim_verdict(const struct otasim *o);
unsigned otasim_expectations(const struct otasim *o);
/* One of them: its verdict, its line of the file and, when it is not met, why.  text and why may be NULL. */
enum otasim_verdict otasim_expectation(const struct otasim *o, unsigned i, unsigned *line, char *text, size_t text_cap,
				       char *why, size_t why_cap);
void otasim_summary(const struct otasim *o, FILE *out);
void otasim_junit(const struct otasim *o, FILE *out);

/* ---- cards ---- */

struct otasim_card {
	char iccid[20], msisdn[16];
	char imsi_first[16], imsi_new[16];	  /* as delivered, and what it is to get */
	char imsi_stored[16], imsi_presented[16]; /* in EF_IMSI ("": no IMSI), and what the phone attaches with */
	unsigned kvn;
	const char *alg; /* "3des2", "aes128", ... */
	char kic[OTASIM_KEY_HEX], kid[OTASIM_KEY_HEX], kik[OTASIM_KEY_HEX];
	uint64_t counter; /* the highest it has accepted */
	bool present;
	const char *at; /* the operator where it is registered; "" nowhere, or there are none */
	unsigned index; /* of the active pair; 0: no applet */
	uint32_t attempts, submits, reached,
		proofs;			     /* messages begun, submit_sm, messages that met it, proofs it sent */
	uint32_t accepted, runs, executions; /* packets that passed, writes of EF_IMSI, most of one packet */
	uint32_t replays, refused;
};
uint32_t otasim_cards(const struct otasim *o);
void otasim_card(const struct otasim *o, uint32_t card, struct otasim_card *out);
/* cards.csv (with keys), new-imsi.csv and, with pairs, pairs.csv, mode 0600, in a directory that is made.  0, or -1. */
int otasim_write_lists(struct otasim *o, const char *dir, char err[OTASIM_ERR_MAX]);

#ifdef __cplusplus
}
#endif

#endif
