/* smsc.h - the SMPP 3.4 server in front of the air: octets in, octets out.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Clock-free and socket-free.  Whoever owns the sockets opens a session per connection, hands in what was read, writes
 * what smsc_output() shows, and calls smsc_step() when smsc_next_due() says so.
 */
#ifndef OTASIM_SMSC_H
#define OTASIM_SMSC_H

#include "air/air.h"

#define SMSC_SESSIONS_MAX 16
#define SMSC_PDU_MAX	  4096
#define SMSC_OUT_MAX	  (4u << 20) /* octets a peer may leave unread; then its session ends */
#define SMSC_OUT_HIGH	  (1u << 18) /* above this no deliver_sm is begun */
#define SMSC_WINDOW_MAX	  1000

struct smsc;

struct smsc_cfg {
	char system_id[16], password[9]; /* system_id "": whoever comes; else both must match */
	double rate;			 /* submit_sm per second and session before RTHROTTLED, 0: unlimited */
	unsigned window;		 /* unanswered deliver_sm per session */
	int64_t deliver_timeout_ms;	 /* a deliver_sm without answer is offered again */
	int64_t enquire_link_ms; /* the SMSC asks after this silence; twice unanswered ends the session; 0: never */
	void (*log)(void *ctx, const char *line); /* may be NULL */
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

int smsc_open(struct smsc *s, int64_t now_ms); /* a session number, or -1: too many */
/* What was read.  False: the session is over; write what smsc_output() still has, then close. */
bool smsc_input(struct smsc *s, int session, const uint8_t *p, size_t len, int64_t now_ms);
/* What is to be written; smsc_written() takes n octets of it away. */
const uint8_t *smsc_output(const struct smsc *s, int session, size_t *len);
void smsc_written(struct smsc *s, int session, size_t n);
bool smsc_over(const struct smsc *s, int session); /* ended by the SMSC: flush and close */
/* The connection is gone: what it had not answered is offered again. */
void smsc_close(struct smsc *s, int session, int64_t now_ms);

void smsc_step(struct smsc *s, int64_t now_ms); /* drives the air, too */
int64_t smsc_next_due(const struct smsc *s);
void smsc_stats(const struct smsc *s, struct smsc_stats *out);

#endif
