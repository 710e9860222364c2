/* rows.h - the fixed-size rows that core and store exchange: what is durable, and nothing else.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A row is copied to and from the store as it stands here; column names are the field names.  Times are UTC
 * milliseconds, 0 = not yet.  Digits are NUL-terminated ASCII.
 */
#ifndef OTAGW_ROWS_H
#define OTAGW_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/codec.h"
#include "ota/keystore.h"

#define ICCID_DIGITS_MAX   20
#define IMSI_DIGITS_MAX	   15
#define MSISDN_DIGITS_MAX  15
#define CAMPAIGN_NAME_MAX  48 /* incl. NUL; [A-Za-z0-9._-] */
#define PROFILE_NAME_MAX   48
#define PROFILE_TEXT_MAX   8192
#define CAMPAIGN_RULES_MAX 545 /* incl. NUL, as the two below */
#define CAMPAIGN_STOP_MAX  200
#define CAMPAIGN_TALLY_MAX 112
#define CARD_KEYSETS_MAX   4  /* key versions per card we keep */
#define KVN_MAX		   15 /* a nibble in KIc and KID (TS 102 225, 5.1.2) */
#define CARD_CMDS_MAX	   8  /* commands whose PoR is still opened: the open one and its predecessors */
#define CARD_PARTS_MAX	   8  /* stored parts of unfinished concatenated PoRs per card */
#define CMD_PACKET_MAX	   OTA_PACKET_MAX
#define TXN_WORK_MAX	   616 /* octets of a packed work (core/work.h) */
#define TXN_REASON_MAX	   64
#define STORY_DETAIL_MAX   1100 /* octets of one story entry's detail */

/* ---- a card ---- */
struct card_row {
	uint64_t id;
	char iccid[ICCID_DIGITS_MAX + 1];
	char imsi[IMSI_DIGITS_MAX + 1]; /* what we believe it holds: import, then proven read-back */
	char msisdn[MSISDN_DIGITS_MAX + 1];
	int64_t last_seen_ms; /* presence: alert, PoR, card-originated message */
	int64_t created_ms;
	int64_t tz_min;			/* zone of the device, minutes east of UTC; changes by import alone */
	char profile[PROFILE_NAME_MAX]; /* the card profile it is made for, as its import said; "" not said, or keep */
	int64_t gone_ms;		/* belongs to another operator since; 0: is ours */
	uint64_t moves; /* how often it has come and gone: who knows it by another count does not know its numbers */
	int64_t quarantine_ms; /* an operator has ordered that no command goes to it, since then; 0: none has */
};
#define CARD_TZ_KEEP \
	INT64_MIN /* of an import that says nothing about it: a known card keeps its zone, a new one has 0 */

/* One key version of a card.  The generation names its keys and rises with them; the counter is that of (card, kvn, generation). */
struct keyset_row {
	uint64_t card;
	uint8_t kvn;
	uint8_t kic_alg, kid_alg; /* enum ota_alg */
	uint8_t cc_len;
	uint32_t generation;
	uint64_t cntr;	      /* last value taken; the next command takes cntr + 1 */
	uint64_t cntr_proven; /* highest value an authenticated PoR has echoed in this epoch */
	uint32_t epoch;	      /* restore epoch in which cntr was last taken, or imported */
	uint16_t sealed_len;  /* 0: gone; those under the other of versions 1 and 2 have taken their place */
	uint8_t sealed[KS_SEALED_MAX];
};

/* ---- addresses: who is speaking? old and pending numbers stay valid through the grace time ---- */
enum addr_type { ADDR_MSISDN = 1, ADDR_IMSI = 2 };
struct card_addr_row {
	uint8_t type; /* enum addr_type */
	char digits[IMSI_DIGITS_MAX + 1];
	uint64_t card;
	int64_t valid_from_ms, valid_to_ms; /* valid_to_ms 0: open-ended */
};

/* ---- a campaign ---- */
enum campaign_state {
	CAMPAIGN_LOADING, /* its list is still coming in; dropped at start if it never finished */
	CAMPAIGN_READY,
	CAMPAIGN_RUNNING,
	CAMPAIGN_PAUSED,
	CAMPAIGN_DONE, /* every card has reached an end state */
	CAMPAIGN_CANCELLED,
	_CAMPAIGN_STATES
};
struct campaign_row {
	uint64_t id;
	char name[CAMPAIGN_NAME_MAX];
	uint8_t state; /* enum campaign_state */
	uint8_t kind; /* 0: IMSI changes by the profile's script; else the enum work_kind (core/work.h) of all its txns */
	/* more txns may come at any time, so it is never DONE by itself; CAMPAIGN_VERB_CLOSE takes that away */
	uint8_t open_ended;
	char profile[PROFILE_NAME_MAX];
	uint64_t targets;    /* number of txns */
	uint64_t txn_cursor; /* the last txn id claimed */
	int64_t created_ms, started_ms, ended_ms, deadline_ms;
	char rules[CAMPAIGN_RULES_MAX];	     /* how carefully it goes (core/rules.h), "" none */
	int64_t canary_ms;		     /* when the last card of its present canary group was started */
	char tally[CAMPAIGN_TALLY_MAX];	     /* what its abort thresholds have counted since it was started */
	char stop_reason[CAMPAIGN_STOP_MAX]; /* why it stopped by itself, "" it did not */
};

/* ---- txn: a card in a campaign ---- */
enum txn_state {
	TXN_PLANNED, /* in the list */
	TXN_ACTIVE,  /* has an open command */
	TXN_DONE,    /* evidence reached what the profile asks for */
	TXN_FAILED,
	TXN_EXPIRED,
	TXN_CANCELLED,
	TXN_QUARANTINED, /* a person must look */
	_TXN_STATES
};
struct txn_row {
	uint64_t id;
	uint64_t campaign;
	uint64_t card;
	uint8_t state;	     /* enum txn_state */
	uint8_t kvn;	     /* key version of its commands, 0: the profile's */
	uint8_t verdict;     /* of a work: enum work_verdict + 1, as the card has said under its keys; 0 none */
	uint8_t card_end;    /* of a work: enum ota_sub_end + 1, what the card said last of the order; 0 nothing */
	uint8_t maybe_moved; /* 1: ARM or ADVANCE may have run, and nobody knows */
	uint8_t evidence;    /* 0..6: E0..E6 (ARCHITECTURE.md); 255 none */
	uint8_t por_status;  /* last authenticated one; 255 none */
	uint8_t fail_class;  /* enum fail_class of the end, or of the last obstacle */
	uint16_t sw;	     /* last status word of the script, 0 none */
	uint32_t fail_code;
	uint16_t attempts;
	uint16_t sms_parts; /* short messages handed to links */
	uint8_t probes;	    /* read-backs sent */
	uint8_t scripts;    /* scripts issued under a fresh counter; 2nd only after proof of not run */
	char new_imsi[IMSI_DIGITS_MAX + 1];
	char new_msisdn[MSISDN_DIGITS_MAX + 1];
	int64_t first_try_ms, last_try_ms, ended_ms;
	char reason[TXN_REASON_MAX]; /* why it ended so, in words; of a work that is open: why it is so long */
};

/* ---- cmd: one secured packet ---- */
enum cmd_kind { CMD_SCRIPT = 1, CMD_READBACK = 2 };
enum cmd_state {
	CMD_QUEUED,
	CMD_PREPARED,	   /* counter taken, packet stored: may leave at any moment after the commit */
	CMD_SENT,	   /* all segments have an outcome, none was a clear refusal: a PoR may come until due_ms */
	CMD_WAIT_TIMER,	   /* next attempt with the same octets at due_ms */
	CMD_WAIT_PRESENCE, /* as WAIT_TIMER, but presence wakes it earlier */
	CMD_DONE,	   /* authenticated PoR, all status words good */
	CMD_FAILED,	   /* authenticated refusal, or attempts used up */
	CMD_EXPIRED,
	CMD_FENCED, /* a later command with a higher counter has left: never sent again */
	CMD_CANCELLED,
	_CMD_STATES
};
struct cmd_row {
	uint64_t id;
	uint64_t txn, card, campaign;
	uint8_t kind;  /* enum cmd_kind */
	uint8_t state; /* enum cmd_state */
	uint8_t kvn, kic, kid;
	uint32_t generation; /* of the keyset it was made under: answers are opened under no other */
	uint8_t spi[2];
	uint8_t tar[3];
	uint8_t cc_len;
	uint8_t segs;	    /* short messages per attempt */
	uint8_t hint;	    /* unauthenticated PoR status seen, 255 none */
	uint8_t por_status; /* authenticated, 255 none */
	uint16_t apdus;	    /* C-APDUs in the script: the count a complete run answers */
	uint16_t sw;
	uint8_t silent;	     /* attempts that may have reached the card whole and were not answered */
	uint8_t stalls;	     /* refusals in a row that do not count as attempts: congestion, lost links */
	uint32_t epoch;	     /* restore epoch in which cntr was taken */
	uint16_t attempt;    /* attempts made */
	uint16_t concat_ref; /* of the last attempt */
	uint16_t packet_len;
	uint64_t cntr;
	int64_t born_ms, prepared_ms, sent_ms, ended_ms;
	int64_t due_ms;	     /* SENT: PoR deadline; WAIT_*: next attempt */
	int64_t deadline_ms; /* no attempt after this */
};

/* ---- what came in parts and is not complete yet ---- */
struct part_row {
	uint64_t card;
	uint16_t ref;
	uint8_t iei, total, seq;
	int64_t at_ms;
	uint8_t len;
	uint8_t ud[OTA_TP_UD_MAX];
};

/* ---- the card's story, append only ---- */
enum story_kind {
	/* shown, but told by the rows of the card and its commands: not stored */
	STORY_IMPORTED = 1,
	STORY_PREPARED,
	STORY_ATTEMPT, /* text: attempt n, link, segments, reference */
	STORY_OUTCOME, /* text: accepted, rejected with what, unknown */
	STORY_POR,     /* detail: response packet as received (from RPL); text: verdict */
	STORY_STRAY,   /* a PoR that matched nothing or failed its MAC: kept, closes nothing */
	STORY_ALERT,
	STORY_STATE, /* text: txn or cmd state change worth telling */
	STORY_NOTE,
	_STORY_KINDS
};
struct story_row {
	uint64_t id; /* given by the store */
	uint64_t card, cmd;
	int64_t at_ms;
	uint8_t kind; /* enum story_kind */
	char text[120];
	uint16_t detail_len; /* octets that follow in the op's bytes */
};

/* ---- a record of a book: what the hand-over between operators keeps; the store knows nothing of what is inside ---- */
#define BOOK_KEY_MAX  64	 /* incl. NUL */
#define BOOK_BODY_MAX 1024	 /* octets */
#define BOOK_ANY      UINT64_MAX /* put, or drop, whatever is there */
struct book_row {
	uint8_t book; /* enum book (exchange/books.h) */
	char key[BOOK_KEY_MAX];
	uint64_t owner;	  /* what it belongs to: an order's number; 0 nothing */
	uint16_t step;	  /* where it stands: what is looked for */
	uint64_t version; /* from 1, rises with each put */
	uint16_t len;	  /* octets of the body, that follow in the op's bytes */
};

#endif
