/* card_sub.h - the subscription applet of a virtual UICC, as contrib/doc/card-interface.md has it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Apart from struct sim_card, which points to it: a fleet without the applet pays eight octets per card.  Everything a
 * real card would keep in non-volatile memory stands in struct sim_sub_nvm, in the open, so that a judge can read it and
 * power can be made to fail at every single write.
 */
#ifndef OTASIM_CARD_SUB_H
#define OTASIM_CARD_SUB_H

#include "card.h"

#define SIM_SUB_TAR              \
	{                        \
		0xbf, 0xff, 0x3b \
	}
#define SIM_PAIRS_MAX	   16  /* places for pairs */
#define SIM_SUB_SET_MAX	   512 /* octets of a staged set */
#define SIM_SUB_FILES_MAX  12
#define SIM_SUB_PLMNS_MAX  16
#define SIM_SUB_ORDERS_MAX 8   /* finished orders remembered */
#define SIM_SUB_SAVED_MAX  640 /* old file contents: never more than all files together */
#define SIM_SUB_SLICE_S	   60  /* powered time is paid in advance in slices of this */
#define SIM_SUB_TRIAL_S	   86400
#define SIM_SUB_MOVED_MAX  16	 /* orders whose moves of the index are counted */
#define SIM_SUB_ASK_MS	   60000 /* REFRESH again after this much powered time */
#define SIM_KVN_VAULT	   14
#define SIM_KVN_CHANGE	   15

enum sim_sub_state {
	SIM_SUB_IDLE,
	SIM_SUB_STAGED,
	SIM_SUB_ARMED,
	SIM_SUB_TRIAL,
	SIM_SUB_CONFIRMED,
	SIM_SUB_RETURNING,
	SIM_SUB_ROLLED_BACK,
	_SIM_SUB_STATES
};

/* What became of an order. */
enum sim_sub_end {
	SIM_END_UNKNOWN,
	SIM_END_STAGED,
	SIM_END_ARMED,
	SIM_END_TRIAL,
	SIM_END_CONFIRMED, /* by CONFIRM */
	SIM_END_CONFIRMED_SELF,
	SIM_END_RETURNING,
	SIM_END_ROLLED_BACK, /* by ROLLBACK */
	SIM_END_TIMEOUT,
};

/* What has still to follow the record that is in force. */
enum sim_sub_redo {
	SIM_REDO_NONE,
	SIM_REDO_ACTIVATE, /* files of the set, wiping */
	SIM_REDO_RETURN,   /* saved files, wiping */
	SIM_REDO_ADOPT,	   /* OPc and algorithm of the set into the pair */
	SIM_REDO_PROMOTE,  /* pending K, OPc, algorithm into the pair */
	SIM_REDO_OTA_KEYS, /* pending OTA keys into the pair */
	SIM_REDO_ERASE,	   /* overwrite places */
};

enum { SIM_PENDING_K = 1, SIM_PENDING_OPC = 2, SIM_PENDING_ALG = 4, SIM_PENDING_OTA = 8 };

struct sim_ota_keys {
	uint8_t len; /* of each */
	uint8_t kic[SIM_KEY_MAX], kid[SIM_KEY_MAX], kik[SIM_KEY_MAX];
};

struct sim_pair { /* one place; the record says under which index, or that there is nothing */
	uint8_t k[16], opc[16], alg, scheme;
	struct sim_ota_keys ota;
	uint64_t cntr;
	uint64_t seq[SIM_SQN_INDS];
};

struct sim_sub_order {
	uint8_t id[8];
	uint16_t from, to;
	uint8_t end; /* enum sim_sub_end */
};

struct sim_sub_rec {
	uint8_t state, redo, kvn;
	uint16_t index;		       /* active */
	uint16_t place[SIM_PAIRS_MAX]; /* index of the pair there; 0: none */
	uint16_t highest;	       /* index ever held */
	uint32_t erase;		       /* bit mask of places to overwrite */
	uint8_t order[8];	       /* in progress: STAGED, ARMED, TRIAL, RETURNING */
	uint16_t from, to;
	uint8_t from_kvn, end; /* end: RETURNING, by what */
	uint16_t set_len, saved_len;
	uint32_t trial_s;
	bool set_opc, set_alg;
	uint8_t opc[16], alg, scheme; /* of the set */
	uint8_t set[SIM_SUB_SET_MAX];
	uint8_t saved[SIM_SUB_SAVED_MAX]; /* n, FIDs, length, content; one after the other */
	struct {
		uint8_t what;
		uint16_t index;
		uint8_t k[16], opc[16], alg, scheme;
		struct sim_ota_keys ota;
	} pending;
	uint8_t orders_next;
	struct sim_sub_order orders[SIM_SUB_ORDERS_MAX];
};

struct sim_sub_trial { /* eight octets: one atomic write */
	uint32_t left_s, authenticated;
};

struct sim_sub_nvm {
	uint8_t current; /* which record is in force */
	struct sim_sub_rec rec[2];
	struct sim_pair pair[SIM_PAIRS_MAX];
	struct sim_sub_trial trial;
	struct sim_ota_keys vault, change; /* len 0: not on this card */
	uint64_t vault_cntr, change_cntr;
};

/* What happens to the write during which power fails. */
enum sim_cut { SIM_CUT_BEFORE, SIM_CUT_TORN, SIM_CUT_AFTER };

struct sim_sub_moved {
	uint8_t order[8];
	uint32_t times;
};

struct sim_sub {
	struct sim_sub_nvm nvm;
	/* power: writes so far; a cut at write number cut_at (from 1, counted on), 0: none */
	uint64_t writes, cut_at;
	enum sim_cut cut;
	bool dead; /* power has failed; sim_card_reset() brings it back */
	/* volatile */
	struct sim_keyset view; /* the keyset of the packet at hand */
	uint8_t role;
	uint8_t join[SIM_SUB_SET_MAX];
	size_t join_len;
	uint8_t join_ins, join_next;
	uint32_t slice_ms; /* paid powered time not yet used */
	bool ask;	   /* REFRESH is wanted now */
	uint32_t ask_ms;   /* powered time until it is asked for again */
	uint32_t audit;	   /* commands refused for keyset, index, MAC, hash or order */
	/* what the checkers ask: how often an order began a trial */
	struct sim_sub_moved moved[SIM_SUB_MOVED_MAX];
	uint8_t moved_next;
	uint32_t moves, moves_max; /* of all orders, and the most of any one */
};

/* Puts the applet on a card that sim_card_init() has made with AES and KVN 1.  `s` is the caller's and must live as long;
 * `pairs` indexes from 1, the first with the card's own OTA keys.  0, or -1 when the profile does not fit. */
int sim_card_sub_attach(struct sim_card *c, struct sim_sub *s, uint64_t seed, unsigned pairs);

/* The same with keys that somebody else has made: of the pairs the first is the active one, under key version 1 or 2.  The card
 * has its keys already (sim_card_personalise()).  0, or -1 when that does not fit. */
struct sim_sub_perso {
	uint16_t index;
	uint8_t k[16], opc[16];
	struct sim_ota_keys ota;
};
int sim_card_sub_personalise(struct sim_card *c, struct sim_sub *s, const struct sim_sub_perso *pairs, unsigned n,
			     const struct sim_ota_keys *vault, const struct sim_ota_keys *change);

/* The pair under an index, NULL when not held; the record in force. */
const struct sim_pair *sim_sub_pair(const struct sim_sub *s, uint16_t index);
const struct sim_sub_rec *sim_sub_rec(const struct sim_sub *s);

/* The card has been under power for this long. */
void sim_card_powered(struct sim_card *c, uint32_t ms);
/* Does the card want REFRESH?  Then either sim_card_refresh(), or this when the ME has refused. */
bool sim_card_refresh_wanted(const struct sim_card *c);
void sim_card_refresh_refused(struct sim_card *c);

/* Does powered time make a difference to it now: a trial, or a REFRESH to be asked for again? */
bool sim_card_counts_time(const struct sim_card *c);

/* What the network of the presented IMSI sends, and the answer it expects: a right one.  -1: there is no applet. */
struct sim_challenge {
	uint8_t rand[16], autn[16], xres[8];
};
int sim_sub_challenge(const struct sim_card *c, const uint8_t rand[16], struct sim_challenge *out);

#endif
