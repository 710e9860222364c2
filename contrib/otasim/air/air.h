/* air.h - what lies between an SMSC's front door and a fleet of cards: store, radio, coverage, bad weather.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Clock-free: time is an int64_t in milliseconds that the caller passes in; socket-free: what comes out are callbacks
 * from inside sim_air_step().  Everything drawn comes from the seed through generators of each card's own (one for
 * coverage, one for the way down, one for the way up), so that the fate of a card's Nth message does not depend on what
 * other cards do.
 */
#ifndef OTASIM_AIR_H
#define OTASIM_AIR_H

#include "../card/card.h"
#include "../hlr/sim_hlr.h"

#define SIM_MSGS_MAX_DEFAULT 200000 /* messages inside the air at one time; beyond it SIM_SUBMIT_QUEUE_FULL */
#define SIM_PPM		     1000000u

struct sim_air;

struct sim_range {
	int64_t lo, hi; /* ms, both ends included */
};

enum sim_air_mode {
	SIM_AIR_TRANSACTION, /* the outcome comes after the card's RP-ACK; absent is told at once */
	SIM_AIR_STORE,	     /* taken at once, kept until the card is there or validity ends */
};

enum sim_alert_mode {
	SIM_ALERT_ALWAYS,  /* on each return, as OsmoMSC */
	SIM_ALERT_PENDING, /* only when a message had found the card absent */
	SIM_ALERT_OFF,
};

/* An operator: a network with a register of its own, which is the caller's, and an SMSC that knows whom the register knows and
 * reaches who is registered with it.  A phone is let in by the operator whose PLMN its IMSI begins with, when the register has
 * that IMSI with the card's keys; else it tries again, and nobody reaches it.  Without operators every network is one. */
#define SIM_OPS_MAX 8
struct sim_air_op {
	char plmn[7]; /* 5 or 6 digits */
	struct sim_hlr *hlr;
};

/* What the networks do with a phone that presents an IMSI beginning so; of phones that register (with the subscription applet,
 * or where there are operators).  The longest prefix counts; where nothing is laid down the home network serves. */
#define SIM_NETS_MAX	8
#define SIM_VECTORS_MAX 5
enum sim_net_how {
	SIM_NET_SERVES,	 /* authenticates it and lets it in */
	SIM_NET_REFUSES, /* authenticates it, and does not let it in */
	SIM_NET_UNKNOWN, /* nobody knows that subscriber */
};
struct sim_net {
	char imsi_prefix[SIM_IMSI_LEN]; /* "": no more entries */
	enum sim_net_how how;
	char plmn[7]; /* where it is let in, 5 or 6 digits; "": at home */
};

/* Lays it down, in place of what was there for this prefix.  False: all SIM_NETS_MAX are used up. */
bool sim_net_lay(struct sim_net nets[SIM_NETS_MAX], const struct sim_net *net);

struct sim_air_cfg {
	uint64_t seed;
	enum sim_air_mode mode;
	enum sim_alert_mode alert;
	/* coverage */
	uint32_t absent_ppm;	       /* share of cards absent at first */
	struct sim_range absent_ms;    /* they return after this */
	uint32_t gap_ppm;	       /* chance that a card which is there goes away again ... */
	struct sim_range gap_after_ms; /* ... after this ... */
	struct sim_range gap_ms;       /* ... for this long; at most */
	uint32_t gaps_per_card_max;
	/* transport */
	struct sim_range latency_ms; /* one way */
	uint32_t loss_ppm;	     /* each way; in transaction mode also: executed, but the RP-ACK is lost */
	uint32_t dup_ppm;	     /* each way: delivered twice */
	uint32_t reorder_ppm;	     /* each way: held back for reorder_ms, others overtake */
	struct sim_range reorder_ms;
	uint32_t corrupt_ppm;	/* each way: one bit of the TP-UD flipped */
	uint32_t throttle_ppm;	/* submit refused with THROTTLED or QUEUE_FULL */
	uint32_t no_result_ppm; /* the outcome of a submit is never told */
	uint32_t alert_loss_ppm;
	uint32_t loss_per_card_max; /* losses, corruptions, untold outcomes together; then the path is clean */
	int64_t paging_ms;	    /* transaction mode: a message lost on the way fails after this */
	int64_t validity_ms;	    /* store mode, when the message brings none */
	int64_t up_retry_ms;	    /* a message towards the gateway that nobody took is offered again after this ... */
	uint32_t up_tries_max;	    /* ... this many times at most, then lost */
	struct sim_range refresh_ms; /* from REFRESH to the phone's presenting the stored IMSI */
	bool from_imsi;		     /* MO, receipts and alerts come from the presented IMSI (npi 6), not the MSISDN */
	bool report_payload;	     /* delivery receipts carry the TP-UD of the DELIVER-REPORT */
	size_t msgs_max;
	unsigned ops; /* operators, at most SIM_OPS_MAX */
	struct sim_air_op op[SIM_OPS_MAX];
	/* phones that register */
	int64_t poll_ms;	      /* between polls (TS 102 223, 6.4.20), by which the card counts powered time */
	struct sim_range register_ms; /* from switching on to the network's answer */
	int64_t register_again_ms;    /* a phone that was refused tries again after this; with operators at most ... */
	int64_t register_first_ms;    /* ... and after this at first, doubled each time it is refused again */
	/* with operators: a phone that is registered says so again after this (T3212), and is authenticated; 0..0: never */
	struct sim_range locate_ms;
	unsigned vectors;	      /* that a network fetches at once, at most SIM_VECTORS_MAX; 0: one */
	uint32_t refresh_refused_ppm; /* a REFRESH the phone will not do now */
	uint32_t power_cut_ppm;	      /* REFRESHes before which power fails and comes back; no proof comes out */
	uint32_t late_proof_ppm;      /* proofs before REFRESH that leave when the phone is registered again */
	struct sim_net net[SIM_NETS_MAX];
};
/* Transaction mode, no faults at all, 5..50 ms, everybody there. */
void sim_air_cfg_default(struct sim_air_cfg *cfg);

/* A short message on its way down. */
struct sim_sm {
	uint64_t token;		  /* the caller's; comes back in result and receipt */
	uint8_t op;		  /* the operator whose SMSC it comes from; 0 without operators */
	struct sim_addr dst, src; /* dst: MSISDN, or IMSI when npi is 6 */
	uint8_t pid, dcs;
	bool udhi;
	bool want_receipt;
	bool has_ref; /* the submitter's own number for it, told in the receipt */
	uint16_t ref;
	int64_t validity_ms; /* relative, 0: default */
	uint8_t ud_len;
	uint8_t ud[SIM_UD_MAX];
};

enum sim_submit_result {
	SIM_SUBMIT_OK,
	SIM_SUBMIT_ABSENT, /* transaction mode; an unknown address looks the same */
	SIM_SUBMIT_FAILED, /* transaction mode: no answer, or RP-ERROR; maybe executed */
	SIM_SUBMIT_THROTTLED,
	SIM_SUBMIT_QUEUE_FULL,
	SIM_SUBMIT_BAD_ADDRESS, /* store mode: no such subscriber */
	SIM_SUBMIT_MEMORY_FULL, /* transaction mode: RP-ERROR with TP-FCS D3, not executed */
	SIM_SUBMIT_BUSY,	/* transaction mode: RP-ERROR with TP-FCS D4, not executed */
};

/* TS 23.040, 9.2.3.22 */
#define SIM_FCS_MEMORY_FULL  0xd3
#define SIM_FCS_TOOLKIT_BUSY 0xd4

enum sim_up_kind { SIM_UP_MO, SIM_UP_RECEIPT };

/* A message towards the gateway: PoR by SMS-SUBMIT, or a delivery receipt. */
struct sim_up {
	uint64_t id; /* for sim_air_up_answer() */
	enum sim_up_kind kind;
	uint32_t card; /* index */
	uint8_t op;    /* the operator whose SMSC has it; 0 without operators */
	struct sim_addr from, to;
	uint8_t pid, dcs;
	bool udhi;	/* of ud */
	uint64_t token; /* RECEIPT: of the submit, as has_ref and ref */
	bool has_ref;
	uint16_t ref;
	char stat[8]; /* RECEIPT: DELIVRD, EXPIRED, UNDELIV */
	uint8_t fcs;  /* RECEIPT: TP-FCS of the last try, 0: none */
	uint8_t ud_len;
	uint8_t ud[SIM_UD_MAX];
};

enum sim_up_answer { SIM_UP_OK, SIM_UP_TEMP, SIM_UP_PERM };

struct sim_air_cb {
	void (*result)(void *ctx, uint64_t token, enum sim_submit_result r);
	/* True: somebody has it and will answer.  False: nobody is there, offer it again later. */
	bool (*up)(void *ctx, const struct sim_up *up);
	/* At this operator's SMSC, as in sim_up. */
	void (*alert)(void *ctx, unsigned op, const struct sim_addr *from, uint8_t ms_status); /* 0: available */
	/* For logs; may be NULL.  A message has reached a card; a phone has read its card again. */
	void (*card_out)(void *ctx, uint32_t card, const struct sim_card_out *out, const struct sim_sm *sm);
	void (*shown)(void *ctx, uint32_t card);
};

struct sim_air_stats {
	uint64_t submitted, delivered, absent, lost_down, lost_up, lost_results, duplicated, reordered, corrupted,
		throttled, stored, expired, alerts, alerts_lost, mo, receipts, up_retries, refreshes, refused,
		refresh_refused, registered, register_refused, power_cuts;
	uint32_t loss_high; /* most losses of one card */
};

/* The cards stay the caller's and must outlive the air.  NULL: out of memory or nonsense in cfg. */
struct sim_air *sim_air_new(const struct sim_air_cfg *cfg, struct sim_card *cards, uint32_t n, int64_t now_ms);
void sim_air_free(struct sim_air *a);

/* The message is copied; its result comes once, later, from sim_air_step() (unless no_result_ppm struck). */
void sim_air_submit(struct sim_air *a, const struct sim_sm *sm, int64_t now_ms);
/* Everything due at or before now_ms, in order of time.  Callbacks may call submit and up_answer. */
void sim_air_step(struct sim_air *a, int64_t now_ms, const struct sim_air_cb *cb, void *ctx);
int64_t sim_air_next_due(const struct sim_air *a); /* INT64_MAX: nothing will happen by itself */

/* Answers an up() that returned true.  An id that is no longer open is ignored. */
void sim_air_up_answer(struct sim_air *a, uint64_t id, enum sim_up_answer ans, int64_t now_ms);
/* The gateway went away: everything handed to it and not answered is offered again. */
void sim_air_up_lost(struct sim_air *a, int64_t now_ms);
void sim_air_up_lost_at(struct sim_air *a, unsigned op, int64_t now_ms); /* ... of one operator */

/* From now on no new faults and no new gaps; who is absent still returns when the seed says so. */
void sim_air_calm(struct sim_air *a);

/* ---- what a scenario lays down, on top of the weather ---- */

enum sim_coverage { SIM_COVERAGE_WEATHER, SIM_COVERAGE_PRESENT, SIM_COVERAGE_ABSENT };
/* From here on this decides, and the weather goes on underneath. */
void sim_air_cover(struct sim_air *a, uint32_t card, enum sim_coverage cov, int64_t now_ms);

enum sim_taking {
	SIM_TAKES,	  /* what comes */
	SIM_MEMORY_FULL,  /* the phone refuses with TP-FCS D3; when it takes again, that is told by an alert */
	SIM_TOOLKIT_BUSY, /* the phone refuses downloads with TP-FCS D4; nobody tells when it is over */
	SIM_IGNORES,	  /* acknowledged, and the card never sees it */
	SIM_SILENT,	  /* the card does everything, and no proof of receipt comes out */
};
void sim_air_taking(struct sim_air *a, uint32_t card, enum sim_taking how, int64_t now_ms);
/* In coverage, and since when it is so, or is not; how it takes messages, and since when. */
bool sim_air_covered(const struct sim_air *a, uint32_t card, int64_t *since_ms);
enum sim_taking sim_air_takes(const struct sim_air *a, uint32_t card, int64_t *since_ms);
/* The card needs so much longer for each packet: acknowledgement, receipt and proof come later. */
void sim_air_slow(struct sim_air *a, uint32_t card, int64_t extra_ms);
/* From here on, for who registers; as sim_net_lay() says. */
bool sim_air_net(struct sim_air *a, const struct sim_net *net);

/* The operator of the card's next IMSI calls it so, and no longer by its first MSISDN.  False: no memory, or too long. */
bool sim_air_renumber(struct sim_air *a, uint32_t card, const char *msisdn);

/* Who is that?  A card's present MSISDN names it; an IMSI only while the phone presents it.  -1: nobody. */
int64_t sim_air_find(const struct sim_air *a, const struct sim_addr *addr);
/* As an operator's SMSC sees it (0 without operators); by a former IMSI, too. */
int64_t sim_air_subscriber(const struct sim_air *a, unsigned op, const struct sim_addr *addr);
bool sim_air_present(const struct sim_air *a, uint32_t card);
/* Where it is registered; -1: nowhere, or there are no operators. */
int sim_air_operator(const struct sim_air *a, uint32_t card);
/* The phone is switched off and on: the card resets, messages on their way are not affected.  With the subscription applet, or
 * with operators, it then has to register again. */
void sim_air_power_cycle(struct sim_air *a, uint32_t card);
/* ... off for longer: nobody reaches it, and no powered time goes by. */
void sim_air_switch(struct sim_air *a, uint32_t card, bool on, int64_t now_ms);
/* From here on the phone says no to REFRESH so many times before it does it. */
void sim_air_no_refresh(struct sim_air *a, uint32_t card, unsigned times);
/* From here on these operators (a bit mask) authenticate it and do not let it in. */
void sim_air_refuse(struct sim_air *a, uint32_t card, uint32_t ops);
size_t sim_air_in_flight(const struct sim_air *a); /* messages inside, both ways */
void sim_air_stats(const struct sim_air *a, struct sim_air_stats *out);

/* The generator behind it all (splitmix64), for callers who want the same dice. */
struct sim_rng {
	uint64_t s;
};
uint64_t sim_rng_next(struct sim_rng *r);
int64_t sim_rng_range(struct sim_rng *r, struct sim_range range);
bool sim_rng_chance(struct sim_rng *r, uint32_t ppm);

#endif
