/* world.h - a fleet, operators with a register and a network each, and the weather between them, under a handed-in clock.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * For simulations of what several operators' gateways do to one fleet: no thread, no socket, no clock, the same every time.
 *
 *	w = sim_world_new(&cfg, now_ms, err);		cards, registers; the first operator's register is filled
 *	sim_world_submit(w, A, &sm, now_ms);		a short message at A's SMSC; its outcome comes as cb.result
 *	sim_world_ctrl(w, B, tag, "SET 1 subscriber.create ...", now_ms);	comes back as cb.ctrl
 *	sim_world_step(w, now_ms);			everything that happens up to now_ms, in order, through the callbacks
 *	now_ms = the earlier of sim_world_next_due(w) and the caller's own next moment
 *	sim_world_card(w, card, &truth);		what a card says of itself
 *
 * Phones register where their IMSI belongs, with the keys that register has (air/air.h); a register's SQN, AUTS, MSISDN and vlr_number
 * are those of hlr/sim_hlr.h.  Callbacks come from inside sim_world_step() and may call submit, ctrl and up_answer.
 */
#ifndef OTASIM_WORLD_H
#define OTASIM_WORLD_H

#include "../air/air.h"
#include "../fleet.h"
#include "../hlr/sim_ctrl.h"

#define SIM_WORLD_NAME_MAX 32
#define SIM_WORLD_ERR_MAX  800
#define SIM_WORLD_NOBODY   (-1) /* as an operator */

struct sim_world;

struct sim_world_op {
	char name[SIM_WORLD_NAME_MAX];
	char plmn[7];		  /* 5 or 6 digits; IMSIs that begin so are its subscribers */
	uint32_t create_fail_ppm; /* share of IMSIs that its register cannot create (F6) */
	struct sim_range late_ms; /* until its register answers on CTRL */
};

struct sim_world_cb {
	void (*result)(void *ctx, unsigned op, uint64_t token, enum sim_submit_result r);
	/* A message out of operator up->op.  True: taken, sim_world_up_answer() follows; false: offered again later. */
	bool (*up)(void *ctx, const struct sim_up *up);
	void (*alert)(void *ctx, unsigned op, const struct sim_addr *from);
	/* NULL: the register went down before it was done. */
	void (*ctrl)(void *ctx, unsigned op, uint64_t tag, const char *reply);
	/* For judges; may be NULL: a message has met a card, a phone has read its card again. */
	void (*card_out)(void *ctx, uint32_t card, const struct sim_card_out *out, const struct sim_sm *sm);
	void (*shown)(void *ctx, uint32_t card);
};

struct sim_world_cfg {
	uint32_t cards;
	uint64_t seed;
	struct sim_card_profile
		card;		/* sim_card_profile_default(); .pairs: with the applet; imsi_prefix is operator 0's */
	struct sim_air_cfg air; /* sim_air_cfg_default(); seed and operators are filled in */
	unsigned ops;		/* 1..SIM_OPS_MAX */
	struct sim_world_op op[SIM_OPS_MAX];
	int fill; /* whose register has the fleet at first, SIM_WORLD_NOBODY: nobody's */
	const char *
		perso; /* cards from a list (fleet.h), perso_len octets, instead of `cards` from the seed; NULL: none */
	size_t perso_len;
	struct sim_world_cb cb;
	void *ctx;
};
/* 0 cards, 2 operators A (00101) and B (00102), A's register filled. */
void sim_world_cfg_default(struct sim_world_cfg *cfg);

struct sim_world *sim_world_new(const struct sim_world_cfg *cfg, int64_t now_ms, char err[SIM_WORLD_ERR_MAX]);
void sim_world_free(struct sim_world *w);

/* At operator `op`; the token, below 2^56, comes back in the result and in a receipt.  sm->op is filled in. */
void sim_world_submit(struct sim_world *w, unsigned op, const struct sim_sm *sm, int64_t now_ms);
void sim_world_up_answer(struct sim_world *w, uint64_t id, enum sim_up_answer ans, int64_t now_ms);
/* The gateway of this operator has died: what it was handed and has not answered is offered again. */
void sim_world_up_lost(struct sim_world *w, unsigned op, int64_t now_ms);
/* A request at its register.  False: nobody is at home, or SIM_CTRL_QUEUE_MAX wait. */
bool sim_world_ctrl(struct sim_world *w, unsigned op, uint64_t tag, const char *request, int64_t now_ms);

void sim_world_step(struct sim_world *w, int64_t now_ms);
int64_t sim_world_next_due(const struct sim_world *w);

/* ---- faults, besides those of the air ---- */
void sim_world_hlr_down(struct sim_world *w, unsigned op, bool down);
void sim_world_hlr_late(struct sim_world *w, unsigned op, struct sim_range late_ms);

/* ---- truth ---- */
struct sim_world_card {
	char iccid[SIM_ICCID_LEN];
	char imsi_stored[SIM_IMSI_LEN], imsi_presented[SIM_IMSI_LEN];
	int op;	      /* where it is registered, SIM_WORLD_NOBODY */
	bool present; /* ... and in reach */
	bool applet;  /* the next lines are of its applet; index and kvn of plain cards: 0 and the keyset's */
	unsigned index, kvn, pairs_left;
	unsigned state;			      /* enum sim_sub_state */
	uint64_t order;			      /* in progress, else the last one that moved the index; 0: none */
	uint32_t moves, moves_max;	      /* of the index: of all orders, the most of any one */
	uint32_t imsi_writes, executions_max; /* by scripts: as in sim_card_truth */
	uint64_t sqn;
};
uint32_t sim_world_cards(const struct sim_world *w);
void sim_world_card(const struct sim_world *w, uint32_t card, struct sim_world_card *out);
struct sim_world_counts {
	uint32_t at[SIM_OPS_MAX], nowhere; /* registered; nowhere: with no operator */
	uint32_t moved_twice;		   /* cards whose index an order has moved more than once */
	uint32_t ran_twice;		   /* cards that ran one packet more than once */
};
void sim_world_count(const struct sim_world *w, struct sim_world_counts *out);

/* The parts, for whoever has more to ask or to break: coverage, power, REFRESH, who is refused where. */
struct sim_air *sim_world_air(struct sim_world *w);
struct sim_hlr *sim_world_hlr(struct sim_world *w, unsigned op);
struct fleet *sim_world_fleet(struct sim_world *w);

/* The register gets the fleet's first IMSIs, MSISDNs and keys.  False: it does not take one of them. */
bool sim_hlr_fill(struct sim_hlr *h, const struct fleet *f, uint32_t *card);
/* The same truth without a world; without an air (NULL) op and present are the caller's to fill in. */
void sim_card_look(const struct sim_card *c, const struct sim_air *air, uint32_t card, struct sim_world_card *out);

#endif
