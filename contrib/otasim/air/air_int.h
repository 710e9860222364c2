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
	EV_LOCATE,   /* it is registered, and says so again */
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

/* phone.c: of a card that has to register: with the subscription applet, and any card where there are operators */
struct phone {
	struct sim_rng rng;
	bool off;		  /* switched off */
	bool unserved;		  /* no network has it: switched on and not registered yet, or refused */
	bool polling, refreshing; /* such an event is on its way */
	uint8_t op;		  /* where it is registered, when it is; 0 without operators */
	uint8_t refused_ops;	  /* bit mask of operators that will not let it in */
	uint8_t no_refresh;	  /* it does not do the first so many REFRESHes ... */
	uint8_t said_no;	  /* ... and has said no to so many since the last one it did */
	uint16_t refused;	  /* attempts to register in a row */
	uint32_t attempt;	  /* to register: number of the last one */
	int64_t since_ms;	  /* powered time has been told up to here */
	/* what its network has fetched and not used */
	unsigned vectors;
	char vectors_of[SIM_IMSI_LEN];
	struct {
		struct sim_hlr_vector v;
		uint8_t rand[16];
	} vector[SIM_VECTORS_MAX];
};
/* The location update of the presented IMSI; false: refused. */
bool phone_register(struct phone *ph, struct sim_card *c, const struct sim_air_cfg *cfg);
void phone_poll(struct phone *ph, struct sim_card *c, int64_t now_ms);
/* The operator that is home to an IMSI, the longest PLMN counts; -1: none. */
int phone_home(const struct sim_air_cfg *cfg, const char *imsi);

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

struct card_air {
	struct sim_rng coverage, down, up;
	bool in_range;				/* by the weather; see air_covered() */
	bool wanted;				/* a message found it absent, or was refused for want of memory */
	uint8_t cover, taking;			/* enum sim_coverage, enum sim_taking */
	int64_t slow_ms, covered_ms, taking_ms; /* the last two: since when it is as it is */
	uint32_t gaps, losses;
	int64_t last_down_ms, last_up_ms;
	uint32_t stored_head, stored_tail;
	uint32_t held_head, held_tail; /* its own messages, until it is registered again */
	char new_msisdn[SIM_IMSI_LEN]; /* from the first change of the IMSI on, "" the same */
	struct phone phone;
};

struct sim_air {
	struct sim_air_cfg cfg;
	struct sim_card *cards;
	struct card_air *card;
	uint32_t n;
	bool calm;
	int64_t now_ms; /* of the last step */
	struct queue queue;
	struct pool pool;
	struct book msisdns, imsis;
	struct sim_air_stats stats;
};

/* air.c */
void air_push(struct sim_air *a, struct ev e);
bool air_strikes(struct sim_air *a, struct sim_rng *r, uint32_t ppm);
bool air_covered(const struct card_air *ca);
bool air_present(const struct card_air *ca);
void air_flush_stored(struct sim_air *a, uint32_t card, int64_t now_ms);
void air_attached(struct sim_air *a, uint32_t card, int64_t now_ms);

/* who.c */
bool air_answers_to(const struct sim_air *a, uint32_t card, unsigned op, const struct sim_addr *addr);
struct sim_addr air_card_addr(const struct sim_air *a, uint32_t card, unsigned op);
void air_want(struct sim_air *a, unsigned op, const struct sim_addr *addr, int64_t card);
bool air_wanted(struct sim_air *a, uint32_t card);

/* serve.c */
void air_imsi_now(struct sim_air *a, uint32_t card, bool reset, int64_t now_ms);
bool air_registers(const struct sim_air *a, uint32_t card); /* does it have to? */
void air_poll_on(struct sim_air *a, uint32_t card, int64_t now_ms);
void air_refresh_soon(struct sim_air *a, uint32_t card, int64_t now_ms);
void air_register_anew(struct sim_air *a, uint32_t card, int64_t now_ms);
void air_came_back(struct sim_air *a, uint32_t card, int64_t now_ms);
void air_power_cut(struct sim_air *a, uint32_t card, int64_t now_ms, const struct sim_air_cb *cb, void *ctx);
void air_on_poll(struct sim_air *a, uint32_t card, int64_t now_ms);
void air_on_register(struct sim_air *a, uint32_t card, uint64_t attempt, int64_t now_ms);
void air_on_locate(struct sim_air *a, uint32_t card, uint64_t attempt, int64_t now_ms);
void air_on_refresh(struct sim_air *a, uint32_t card, const struct sim_air_cb *cb, void *ctx, int64_t now_ms);

#endif
