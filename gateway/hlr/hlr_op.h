/* hlr_op.h - what every adapter has: operations under way, a connection, and what waits to leave by it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_HLR_OP_H
#define OTAGW_HLR_OP_H

#include "hlr.h"

#define HLR_NAME_MAX 255
#define HLR_OUT_MAX  (HLR_OPEN_MAX * 256)

struct hlr_open {
	bool used;
	bool asked;   /* a request of it is out */
	bool bridged; /* PROVISION: its bridge is asked for */
	uint32_t number;
	unsigned step; /* the adapter's */
	struct hlr_op op;
	/* of the adapter to OsmoHLR */
	bool keys_there; /* PROVISION: those that it is to have, */
	uint64_t sqn;	 /* and where their SQN was; 0: the subscriber is new */
	unsigned tries;	 /* to set SQN, before this is told: */
	struct hlr_result res;
};

struct event;
struct event_base;
struct hlr_conn { /* an adapter's object begins with it */
	struct hlr hlr;
	struct ks *ks;
	struct event_base *base;
	char name[HLR_NAME_MAX + 1]; /* for people */
	unsigned timeout_ms;
	int fd; /* -1: none */
	struct event *ev_read, *ev_write, *ev_timer;
	uint8_t out[HLR_OUT_MAX]; /* keys pass here: what has left is wiped */
	size_t out_len;
	struct hlr_open op[HLR_OPEN_MAX];
};

void hlr_say(struct hlr_conn *c, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void hlr_end_with(struct hlr_conn *c, struct hlr_open *o, struct hlr_result *r); /* o is free afterwards */
void hlr_end(struct hlr_conn *c, struct hlr_open *o, enum hlr_end end, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void hlr_end_all(struct hlr_conn *c, const char *why); /* TEMPORARY */
/* The MSISDN is another subscriber's.  True: it has its bridge in its place now, which is to be asked for; else it has ended. */
bool hlr_op_taken(struct hlr_conn *c, struct hlr_open *o);
void hlr_timer_set(struct hlr_conn *c); /* an answer that is waited for is late after timeout_ms from now */
void hlr_flush(struct hlr_conn *c);
void hlr_conn_wipe(struct hlr_conn *c); /* what waits to leave */
/* A place for a new operation.  0, -EINVAL: not one, -ENOBUFS: too many are under way. */
int hlr_open_new(struct hlr_conn *c, const struct hlr_op *op, struct hlr_open **o);

#endif
