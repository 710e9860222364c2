/* smsc.h - the SMPP 3.4 server in front of the air: octets in, octets out.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Clock-free and socket-free.  Whoever owns the sockets opens a session per connection, hands in what was read, writes
 * what smsc_output() shows, and calls smsc_step() when smsc_next_due() says so.
 */
#ifndef OTASIM_SMSC_H
#define OTASIM_SMSC_H

#include "air/air.h"

#define SMSC_DOORS_MAX	  8  /* SMSCs in front of one fleet */
#define SMSC_SESSIONS_MAX 16 /* of all of them together */
#define SMSC_PDU_MAX	  4096
#define SMSC_OUT_MAX	  (4u << 20) /* octets a peer may leave unread; then its session ends */
#define SMSC_OUT_HIGH	  (1u << 18) /* above this no deliver_sm is begun */
#define SMSC_WINDOW_MAX	  1000

struct smsc;

/* What an SMSC is like for a while. */
enum smsc_mood_kind {
	SMSC_HEALTHY,
	SMSC_FLAKY,		  /* a share of the submits goes wrong, each in one of four ways; doubled deliver_sm */
	SMSC_THROTTLING,	  /* above `rate` RTHROTTLED or RMSGQFUL */
	SMSC_SLOW,		  /* submit_sm_resp comes after `delay_ms` */
	SMSC_STUCK,		  /* bind and enquire_link work, submit_sm is never answered nor taken */
	SMSC_DEAD,		  /* connections are accepted; nothing is ever said */
	SMSC_REFUSES_CONNECTIONS, /* what was open is cut */
	SMSC_REFUSES_BINDS,	  /* with `status` */
	SMSC_CLOSES_AFTER_SUBMIT, /* half of them have been taken */
	SMSC_RUBBISH,		  /* binds, then answers what is no answer */
	_SMSC_MOODS
};
struct smsc_mood {
	enum smsc_mood_kind kind;
	uint32_t share_ppm;
	double rate; /* submit_sm per second and session */
	struct sim_range delay_ms;
	uint32_t status;
};
void smsc_mood_default(struct smsc_mood *m, enum smsc_mood_kind kind);

/* What happens, for whoever keeps the books.  Pointers are valid during the call. */
enum smsc_seen_kind {
	SMSC_CONNECTED,
	SMSC_BOUND, /* or not: status */
	SMSC_ENDED,
	SMSC_SUBMITTED,
	SMSC_ANSWERED, /* a submit: status */
	SMSC_MET,      /* a message has reached its card: sm, out */
	SMSC_SHOWN,    /* a phone has read its card again */
	SMSC_DELIVERED,
	SMSC_DELIVER_ANSWERED,
	SMSC_ALERTED,
};
#define SMSC_NEVER UINT32_MAX /* as a status: no answer was or will be given */
struct smsc_seen {
	enum smsc_seen_kind kind;
	int64_t now_ms;
	unsigned door;
	uint32_t session; /* serial number, never reused */
	const char *name; /* BOUND: system_id */
	int64_t card;	  /* -1: nobody's */
	uint64_t token;	  /* SUBMITTED, ANSWERED, MET: names the submit; DELIVERED..: the message upwards */
	uint32_t status;
	int64_t took_ms; /* DELIVER_ANSWERED */
	const struct sim_sm *sm;
	const struct sim_up *up;
	const struct sim_card_out *out;
};

struct smsc_cfg {
	unsigned doors; /* 1..SMSC_DOORS_MAX */
	bool operators; /* door N is the SMSC of the air's operator N; else all doors lead to the same network */
	uint64_t seed;	/* of the moods' dice */
	char system_id[16], password[9]; /* system_id "": whoever comes; else both must match */
	double rate;			 /* submit_sm per second and session before RTHROTTLED, 0: unlimited */
	unsigned window;		 /* unanswered deliver_sm per session */
	int64_t deliver_timeout_ms;	 /* a deliver_sm without answer is offered again */
	int64_t enquire_link_ms; /* the SMSC asks after this silence; twice unanswered ends the session; 0: never */
	void (*log)(void *log_ctx, const char *line); /* may be NULL */
	void *log_ctx;
	void (*seen)(void *ctx, const struct smsc_seen *seen); /* may be NULL */
	void *ctx;
};
void smsc_cfg_default(struct smsc_cfg *cfg);

struct smsc_stats {
	uint64_t binds, binds_refused, pdus_in, pdus_out, submits, throttled, delivers, deliver_ok, deliver_temp,
		deliver_perm, deliver_timeouts, alerts, nacks;
	unsigned sessions, bound;
};

/* The air stays the caller's and must outlive the SMSC, which takes all its callbacks. */
struct smsc *smsc_new(const struct smsc_cfg *cfg, struct sim_air *air);
void smsc_free(struct smsc *s);

/* A session number, or -1: too many, or this door refuses connections. */
int smsc_open(struct smsc *s, unsigned door, int64_t now_ms);
/* What was read.  False: the session is over; write what smsc_output() still has, then close. */
bool smsc_input(struct smsc *s, int session, const uint8_t *p, size_t len, int64_t now_ms);
/* What is to be written; smsc_written() takes n octets of it away. */
const uint8_t *smsc_output(const struct smsc *s, int session, size_t *len);
void smsc_written(struct smsc *s, int session, size_t n);
bool smsc_over(const struct smsc *s, int session); /* ended by the SMSC: flush and close */
/* The connection is gone: what it had not answered is offered again. */
void smsc_close(struct smsc *s, int session, int64_t now_ms);

void smsc_mood_set(struct smsc *s, unsigned door, const struct smsc_mood *m, int64_t now_ms);
const struct smsc_mood *smsc_mood(const struct smsc *s, unsigned door);
bool smsc_accepts(const struct smsc *s, unsigned door); /* connections */
void smsc_cut(struct smsc *s, unsigned door);		/* all its sessions end at once, in the middle of a word */
const char *smsc_mood_name(enum smsc_mood_kind kind);	/* "closes-after-submit" */

void smsc_step(struct smsc *s, int64_t now_ms); /* drives the air, too */
int64_t smsc_next_due(const struct smsc *s);
void smsc_stats(const struct smsc *s, struct smsc_stats *out);

#endif
