/* link.h - the seam to anything that carries short messages: struct link_ops down, struct link_event up.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A link takes one TP-UD at a time and tells what became of it.  It keeps nothing across a restart and decides nothing:
 * retries, correlation and durability are the core's.  What a link promises:
 *  - every accepted submit gets exactly one outcome: ACCEPTED, REJECTED or UNKNOWN (no answer in time, or the
 *    connection went away).  UNKNOWN is not failure.
 *  - segments submitted in order leave in order, on this link.
 *  - an incoming message (MO, REPORT) is answered positively towards the SMSC only after link_ops.answer(); when that
 *    takes longer than LINK_ANSWER_MS the link answers a temporary error by itself and a later answer() for that token
 *    is ignored.  The event is still the core's to process.
 *  - input that cannot be parsed closes the connection with a log line; the link reconnects with backoff and jitter.
 */
#ifndef OTA_LINK_H
#define OTA_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ota/codec.h"

#define LINK_NAME_MAX	 32
#define LINK_UD_MAX	 OTA_TP_UD_MAX
#define LINK_PAYLOAD_MAX 1024 /* octets of an incoming message (short_message or message_payload) */
#define LINK_MSGID_MAX	 65   /* octets incl. NUL (SMPP 3.4, 5.2.23) */
#define LINK_ANSWER_MS	 4000 /* OsmoMSC gives up on a deliver_sm after 5 s */

struct link;

/* One short message to send.  All pointers are copied from before submit() returns. */
struct link_submit {
	uint64_t token;	     /* the caller's; comes back in the outcome */
	struct ota_addr dst; /* the card: MSISDN (npi 1) or IMSI (npi 6) */
	struct ota_addr src; /* we: PoR by SMS-SUBMIT comes back to this address */
	const uint8_t *ud;   /* TP-UD with UDH */
	uint8_t ud_len;	     /* 1..LINK_UD_MAX */
	uint8_t pid, dcs;    /* 0x7f, 0xf6 */
	bool more;	     /* further segments of the same packet follow */
	bool want_report;    /* ask for a delivery receipt */
	uint32_t validity_s; /* relative validity; 0: the SMSC's default */
};

enum link_event_kind {
	LINK_EV_UP,	  /* bound and ready */
	LINK_EV_DOWN,	  /* not usable; every outstanding submit has got its UNKNOWN before this */
	LINK_EV_ACCEPTED, /* the SMSC took it (in some modes: the card's network acknowledged it) */
	LINK_EV_REJECTED,
	LINK_EV_UNKNOWN,
	LINK_EV_MO,	/* a message from a card: PoR by SMS-SUBMIT, or anything else */
	LINK_EV_REPORT, /* delivery receipt; may carry a PoR from the DELIVER-REPORT in payload */
	LINK_EV_ALERT,	/* alert_notification: the subscriber is (0) or is not (else) reachable */
};

/* Classes of failure, classified once, where it is understood (errors.md of the design; `explain-error` shows them). */
enum fail_class {
	FAIL_NONE,
	FAIL_ABSENT,  /* wait for presence or timer */
	FAIL_BUSY,    /* short timer */
	FAIL_CONGEST, /* slow the link down, do not count the attempt */
	FAIL_MEM,     /* wait for memory available, or long timer */
	FAIL_LINK,    /* reconnect; do not count the attempt */
	FAIL_CARD_TRANSIENT,
	FAIL_CARD_RESYNC,
	FAIL_CARD_PERM,
	FAIL_SUBS_PERM,
	FAIL_CONFIG,  /* somebody configured something wrong: pause, alarm */
	FAIL_UNKNOWN, /* no evidence either way */
	_FAIL_CLASSES
};
const char *fail_class_name(enum fail_class c); /* "ABSENT", ...; never NULL */

struct fail {
	enum fail_class cls;
	uint32_t code;	  /* command_status, cause, ... of the plane that reported it */
	const char *what; /* text that lives as long as the link, never NULL when cls is set */
	bool maybe_ran;	  /* a refusal, or a sign of absence, and yet the command may have been executed */
};

struct link_event {
	enum link_event_kind kind;
	uint64_t token; /* ACCEPTED, REJECTED, UNKNOWN: of the submit; MO, REPORT: for answer(), never 0 */
	struct fail
		fail; /* REJECTED, UNKNOWN, DOWN; REPORT: why it was not delivered, as far as the SMSC can be believed */
	char message_id[LINK_MSGID_MAX]; /* ACCEPTED and REPORT, "" when none */
	struct ota_addr from;		 /* MO, REPORT, ALERT: the card */
	struct ota_addr to;		 /* MO, REPORT: we */
	bool udhi;
	uint8_t pid, dcs;
	uint8_t ms_status;  /* ALERT: 0 available, 1 denied, 2 unavailable */
	bool delivered;	    /* REPORT: the SMSC says that the phone has it.  Neither this nor fail: not the end */
	char stat[8];	    /* REPORT: "DELIVRD", ...; "" when unknown */
	uint32_t net_error; /* REPORT: network_error_code as type<<16|code (type 0: the text's err:), 0 when none */
	bool whole;	    /* REPORT: the packet left as one message, so this speaks of all its segments */
	bool has_ref;
	uint16_t ref; /* REPORT with has_ref: the low 16 bits of the submit's token (user_message_reference) */
	uint16_t payload_len;
	uint8_t payload[LINK_PAYLOAD_MAX];
};

enum link_answer { LINK_ANSWER_OK, LINK_ANSWER_TEMP, LINK_ANSWER_FULL };

struct link_stats {
	bool up;
	unsigned window, in_window, window_high;
	double rate_limit; /* segments per second now allowed, 0: unlimited */
	uint64_t submitted, accepted, rejected, unknown, throttled, received, late_responses, temp_answers,
		protocol_errors, connects;
	char last_error[96]; /* why it is or was down, "" when it never was */
	int64_t last_error_ms;
	/* for people who look: what a backend does not know it leaves 0, NULL or "" */
	const char *state;		  /* "BOUND", "CONNECTING", ... */
	const char *flavour;		  /* whose meaning codes have */
	int64_t since_ms;		  /* up, or down, since then */
	double rate_max;		  /* as configured, 0: none */
	double rate_now;		  /* segments per second sent lately */
	int64_t hold_ms;		  /* nothing leaves for so long, after throttling */
	uint64_t by_class[_FAIL_CLASSES]; /* submits that were not accepted */
	uint64_t receipts, receipts_delivered, receipts_failed;
	uint32_t answers;	/* lately; their latency: */
	int64_t p50_ms, p99_ms; /* -1: there were none */
	char last_refusal[160]; /* of a submit, in words; "" when there was none */
	int64_t last_refusal_ms;
};

/* What a link is made of.  Every backend (SMPP, the simulator's air) passes the same tests. */
struct link_ops {
	const char *kind; /* "smpp", "sim" */
	int (*start)(struct link *l);
	void (*stop)(struct link *l); /* outstanding submits become UNKNOWN */
	/* Segments that would be taken right now: window and rate; 0 when down. */
	unsigned (*credit)(struct link *l, int64_t now_ms);
	/* When credit may grow again without an event (rate tokens), or INT64_MAX. */
	int64_t (*credit_due)(struct link *l, int64_t now_ms);
	/* 0, or -EAGAIN without credit, -ENOTCONN when down, -EINVAL for what can never be sent. */
	int (*submit)(struct link *l, const struct link_submit *s, int64_t now_ms);
	void (*answer)(struct link *l, uint64_t token, enum link_answer a);
	void (*stats)(struct link *l, struct link_stats *out);
	/* Not from inside on_event.  What is outstanding gets its UNKNOWN, then DOWN, before free() returns. */
	void (*free)(struct link *l);
};

/* The common head of every backend's struct. */
struct link {
	const struct link_ops *ops;
	char name[LINK_NAME_MAX];
	unsigned id; /* index in the gateway's table, given by the owner */
	/* Events go here, on the loop's thread, never from inside submit(). */
	void (*on_event)(void *ctx, struct link *l, const struct link_event *ev);
	void *ctx;
};

/* ---- credit: window, segment tokens, adaptive rate (AIMD), as pure functions of now_ms ---- */

struct link_credit {
	unsigned window; /* most unanswered PDUs */
	unsigned in_use;
	double rate_max; /* PDUs per second, 0: unlimited */
	double rate;	 /* now allowed: halved on throttling, +5 % of rate_max per second back; 0: unlimited */
	double ceiling;	 /* what the +5 % are taken of: rate_max, or without one the rate that was throttled */
	double tokens;	 /* may not exceed burst */
	double burst;	 /* at least a whole packet: OTA_SEGMENTS_MAX, or a packet could wait for ever */
	int64_t last_ms;
	int64_t hold_until_ms; /* after throttling nothing leaves before */
	int64_t count_ms;      /* start of the second in which `taken` counts; the one before stands in taken_before */
	unsigned taken, taken_before;
};
#define LINK_HOLD_MS	500  /* pause after RTHROTTLED; several within one pause halve once */
#define LINK_RECOVER	0.05 /* of the ceiling per second */
#define LINK_RATE_FLOOR 64   /* never below ceiling / 64 */
void link_credit_init(struct link_credit *c, unsigned window, double rate_max, int64_t now_ms);
unsigned link_credit_room(struct link_credit *c, int64_t now_ms);
int64_t link_credit_due(const struct link_credit *c, int64_t now_ms);
void link_credit_take(struct link_credit *c, int64_t now_ms); /* one PDU leaves */
void link_credit_give(struct link_credit *c);		      /* one PDU answered or expired */
void link_credit_throttled(struct link_credit *c, int64_t now_ms);

#endif
