/* phone.h - a virtual phone: registers, answers when it is paged, authenticates, carries short messages to and from its card.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Clock-free and socket-free: time is handed in as milliseconds, what a phone says goes out through struct phone_net.  One RR
 * connection at a time, up to CP_TI_MAX short messages towards it in that one.
 */
#ifndef OTABSC_PHONE_H
#define OTABSC_PHONE_H

#include "usim.h"

#define PHONE_NOWHERE (-1)
#define PHONE_NEVER   INT64_MAX
#define PHONE_MO_MAX  8 /* messages of the card that wait to leave; more are dropped, and that is told */
#define PHONE_L3_MAX  251

struct phone;

/* Whom a phone talks to.  MSCs are numbers. */
struct phone_net {
	/* The network whose PLMN this IMSI begins with, the longest one; PHONE_NOWHERE: none. */
	int (*home)(void *ctx, const char *imsi);
	/* An RR connection and its first message.  False: the network cannot be reached now. */
	bool (*open)(void *ctx, struct phone *ph, int msc, const uint8_t *l3, size_t len);
	void (*send)(void *ctx, struct phone *ph, uint8_t sapi, const uint8_t *l3, size_t len);
	/* The radio path is gone; phone_over() is not called for it. */
	void (*drop)(void *ctx, struct phone *ph);
	/* It presents another IMSI from now on. */
	void (*presents)(void *ctx, struct phone *ph);
	/* One line for whoever watches: WHAT ICCID ... */
	void (*say)(void *ctx, const char *line);
};

struct phone_cfg {
	int64_t again_ms, again_max_ms; /* a refused or failed registration: at first, doubled each time, at most */
	int64_t periodic_ms; /* registers again, so that a network that has forgotten it learns of it (0: never) */
	int64_t refresh_ms;  /* from the card's wish to REFRESH */
	int64_t poll_ms;     /* between polls, by which a card counts powered time (TS 102 223, 6.4.20) */
	bool strict;	     /* after causes 2, 3, 6 nothing more until the card is reset (TS 24.008, 4.4.4.7) */
	uint8_t smsc_len, smsc[RP_ADDR_MAX]; /* RP-DA until a message has come in: type and digits */
};
void phone_cfg_default(struct phone_cfg *cfg);

enum phone_doing { PHONE_IDLE, PHONE_LU, PHONE_DETACH, PHONE_SERVED, PHONE_MO };

struct phone_mt { /* a message towards it whose answer is due */
	bool used;
	uint8_t ref;
	int64_t due_ms;
	struct usim_answer answer;
};

struct phone_mo {
	uint8_t tries;
	uint8_t len;
	uint8_t tpdu[TPDU_MAX];
};

struct phone_counts {
	uint32_t lu_ok, lu_refused, lu_lost, auths, resyncs, mac_failures, paged, mt, downloads, mo_ok, mo_refused,
		mo_lost, refreshes;
};

struct phone {
	struct sim_card *card;
	const struct phone_net *net;
	const struct phone_cfg *cfg;
	void *ctx;
	uint32_t number; /* from 1 */
	bool on, covered;
	int at; /* MSC where it is registered, PHONE_NOWHERE */
	/* what a tester has laid down */
	int64_t slow_ms;    /* each answer takes so much longer */
	uint8_t rp_cause;   /* every message is refused with this, the card does not see it; 0: none */
	bool mute;	    /* nothing that the card wants to send leaves */
	uint8_t no_refresh; /* REFRESHes it says no to from here on */
	/* the connection */
	enum phone_doing doing;
	int msc;
	uint8_t n_sd;
	bool mo_open; /* RP-DATA has left, its answer has not come */
	uint8_t mo_ref;
	struct phone_mt mt[CP_TI_MAX];
	/* what it is about to do; PHONE_NEVER: not */
	int64_t lu_ms, mo_ms, refresh_ms, poll_ms, periodic_ms, guard_ms;
	int64_t paged_ms;   /* when it was, while busy */
	int64_t powered_ms; /* the card knows of powered time until here */
	enum lu_type lu_type;
	bool barred;	   /* strict: the network does not want this card */
	bool detach, off;  /* wants to say good-bye, then be off */
	unsigned failures; /* of registration in a row */
	/* Whose TMSI stands in the card: a factory's or another network's is no name here.  OsmoMSC does not look at the LAI that
	 * comes with a TMSI, so that it would take a stranger's for one of its own. */
	int tmsi_msc;
	uint32_t tmsi;
	uint8_t smsc_len, smsc[RP_ADDR_MAX];
	uint8_t tp_ref;
	unsigned mo_n;
	struct phone_mo mo[PHONE_MO_MAX];
	struct phone_counts counts;
};

void phone_init(struct phone *ph, uint32_t number, struct sim_card *card, const struct phone_cfg *cfg,
		const struct phone_net *net, void *ctx);

/* What is due.  After any other call below the next moment may be another one. */
void phone_step(struct phone *ph, int64_t now_ms);
int64_t phone_next_due(const struct phone *ph);

/* ---- from the network ---- */
void phone_l3(struct phone *ph, uint8_t sapi, const uint8_t *l3, size_t len, int64_t now_ms);
void phone_paged(struct phone *ph, int msc, int64_t now_ms);
void phone_over(struct phone *ph, int64_t now_ms);	 /* its connection has ended */
void phone_network_up(struct phone *ph, int64_t now_ms); /* an MSC can be reached again */

/* ---- from a tester ---- */
void phone_on(struct phone *ph, int64_t now_ms); /* switched on, or off and on: the card resets, then it registers */
void phone_detach(struct phone *ph, int64_t now_ms);		  /* says good-bye, then is off */
void phone_off(struct phone *ph, int64_t now_ms);		  /* power is taken away */
void phone_cover(struct phone *ph, bool covered, int64_t now_ms); /* who comes back registers */
void phone_locate(struct phone *ph, int64_t now_ms);		  /* registers once more */
void phone_powered(struct phone *ph, uint32_t s, int64_t now_ms); /* so many seconds go by for its card */
bool phone_send(struct phone *ph, const struct sim_addr *to, uint8_t pid, uint8_t dcs, const uint8_t *ud, size_t len,
		int64_t now_ms);

const char *phone_doing_name(enum phone_doing d);

#endif
