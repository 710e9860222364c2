/* air_int.h - the air's inner parts: generator, queue of events, pool of messages, who is who.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTASIM_AIR_INT_H
#define OTASIM_AIR_INT_H

#include "air.h"
#include "../card/card_sub.h"

#define NO_SLOT UINT32_MAX

enum ev_kind {
	EV_RESULT, /* tell the outcome `what` of `token` */
	EV_ARRIVE, /* message in `slot` reaches the place where the card should be */
	EV_EXPIRE, /* validity of the stored message in `slot` ends */
	EV_UP,	   /* message in `slot` is offered to the gateway */
	EV_RETURN, /* card `slot` comes into coverage */
	EV_LEAVE,
	EV_ALERT,
	EV_REFRESH,  /* the phone of card `slot` re-reads its files */
	EV_POLL,     /* the phone of card `slot` asks whether there is anything to do */
	EV_REGISTER, /* it looks for a network */
};

struct ev {
	int64_t due_ms;
	uint64_t order; /* of creation: ties keep it */
	uint64_t token; /* EV_RESULT; else the generation of the slot */
	uint32_t slot;
	uint8_t kind, what;
};

struct queue {
	struct ev *heap;
	size_t n, cap;
	uint64_t order;
};
bool queue_push(struct queue *q, struct ev e); /* false: out of memory */
struct ev queue_pop(struct queue *q);

/* A message inside the air. */
struct msg {
	bool used, up;
	uint32_t gen;  /* counts uses of this slot */
	uint32_t next; /* free list, or the card's list of stored ones */
	uint32_t card;
	/* down */
	bool copy;     /* the second of a doubled message: no result, no receipt */
	bool ack_lost; /* the card gets it, the SMSC never learns */
	bool waiting;  /* stored for an absent card */
	uint8_t fcs;   /* TP-FCS of the last refusal, 0: none */
	int64_t expires_ms;
	/* up */
	bool handed; /* somebody has it and will answer */
	uint32_t tries;
	union {
		struct sim_sm sm;
		struct sim_up mo;
	};
};

struct pool {
	struct msg *m;
	uint32_t n, cap, free, used;
};
uint32_t pool_get(struct pool *p); /* NO_SLOT: out of memory; may move p->m */
void pool_put(struct pool *p, uint32_t slot);

/* phone.c: of a card with the subscription applet */
struct phone {
	struct sim_rng rng;
	bool unserved;		  /* no network has it: switched on and not registered yet, or refused */
	bool polling, refreshing; /* such an event is on its way */
	uint32_t attempt;	  /* to register: number of the last one */
	int64_t since_ms;	  /* powered time has been told up to here */
};
bool phone_register(struct phone *ph, struct sim_card *c, const struct sim_net *nets); /* false: refused */
void phone_poll(struct phone *ph, struct sim_card *c, int64_t now_ms);

/* Numbers to cards; open addressing, never shrinks. */
struct book {
	struct {
		uint64_t key; /* 0: free */
		uint32_t card;
	} * slot;
	size_t n, cap;
};
bool book_add(struct book *b, const char *digits, uint32_t card);
int64_t book_find(const struct book *b, const char *digits);

#endif
