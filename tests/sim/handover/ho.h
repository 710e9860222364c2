/* ho.h - the hand-over between operators as a simulation: desks, cores, stores, registers, a fleet and a carrier, in one process.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One seed is one run.  Everything outside desk and core is the `world`: otasim's fleet with two operators (contrib/otasim/world), memory
 * stores that fail and lose their power, a carrier that loses, doubles and delays packages.  Judges read the cards' own state and the
 * registers, never what the desks believe.
 */
#ifndef OTAGW_TESTS_HO_H
#define OTAGW_TESTS_HO_H

#include "core/gw.h"
#include "desk/desk_int.h"
#include "hlr/hlr_ctrl.h"
#include "ota/errtab.h"
#include "store/store.h"
#include "world/world.h"

#define HO_CARDS_MAX  20
#define HO_OPS	      3
#define HO_ORDERS_MAX 16
#define HO_START_MS   1700000000000LL
#define HO_EPOCH      ((uint32_t)(HO_START_MS / 1000 - 1000)) /* of all databases, as they begin */
#define HO_LINK_OUT   64
#define HO_LINK_IN    64
#define HO_CARRY_MAX  4096
#define HO_PLAN_MAX   64
#define HO_TURNS_MAX  200000 /* at one instant */
#define HO_MINUTE     60000LL
#define HO_HOUR	      (60 * HO_MINUTE)
#define HO_DAY	      (24 * HO_HOUR)

enum ho_who { HO_A, HO_B, HO_C, HO_M, HO_S, HO_N }; /* operators first; C only where ops says so */

/* Each must make its judge speak, or the judge proves nothing. */
enum ho_break {
	HO_SOUND,
	HO_BREAK_ARM_EARLY,   /* B says "ready" and its register has forgotten the IMSI: ARM before B_READY */
	HO_BREAK_PURGE_EARLY, /* somebody removes the old IMSI at A's register at the first ARM */
	HO_BREAK_FORGET_B,    /* B's register loses a subscriber that has come */
	HO_BREAK_TWICE,	      /* the cards forget which orders have moved their index */
	HO_BREAK_MUTE,	      /* one card is never reached again */
	HO_BREAK_LOSE_HL,     /* the carrier loses every final list */
	HO_BREAK_PAIR,	      /* the vault gives a pair to a second operator */
	HO_BREAK_LIE,	      /* B signs that a card is confirmed which is in its trial */
	HO_BREAK_LIST,	      /* A tells the end of a line twice */
	HO_BREAK_SQN,	      /* A hands over an SQN of yesterday */
	HO_BREAK_PRESENT,     /* somebody says of a card at B that it is at A */
	HO_BREAK_COUNTERS,    /* A's database is an older one, and it does not know */
	HO_BREAK_KEYS_EARLY,  /* B's register has the new IMSIs before a card is staged */
	HO_BREAK_REKEY_EARLY, /* A's register gets keys that its card does not hold */
	HO_BREAK_OLD_K,	      /* when all is over, somebody puts the old K back there */
	HO_BREAK_NUMBER,      /* an MSISDN that has gone to B is given to another subscriber of A as well */
	HO_BREAK_SEQ,	      /* A signs a second package under a number that it has used */
	HO_BREAK_REPORT,      /* plain: when all is over, B's register loses a subscriber whom A's report calls well */
	HO_BREAK_ANEW,	      /* case F3: a STAGE more, under another counter */
	HO_BREAK_HEEDED,      /* case F7: a packet of a former operator that the card has not refused */
	HO_BREAK_WASTED,      /* case F9-B: B asks and asks */
	HO_BREAK_BELOW,	      /* case H9: B has sent counters that A knows nothing of */
	HO_BREAK_F13,	      /* case F13: power fails, and B's register loses a subscriber who has come */
	_HO_BREAKS
};

struct ho_draw {		      /* what a seed says; chances in ppm */
	unsigned cards, kind, policy; /* enum order_kind, order_policy */
	unsigned ops;		      /* 2, or 3: with C */
	unsigned pairs;		      /* of each card, 3b */
	bool one_register;	      /* of all operators */
	bool keeps;		      /* cards keep their MSISDNs */
	bool by_imsi;		      /* gateways address cards so */
	struct sim_air_cfg air;
	unsigned crashes, commit_fails, hlr_downs, refusals; /* refusals: cards that B's network never lets in (H2) */
	uint32_t hlr_fail_ppm, hlr_temp_ppm, lose_ppm, twice_ppm;
	struct sim_range carry_ms, commit_ms, read_ms, hlr_ms;
	unsigned shape; /* enum ho_shape */
	bool cancel;
	int64_t cancel_ms, until_ms;
	int64_t eager_ms;	    /* HO_EAGER: so long after a card has moved */
	bool mixed;		    /* every other card is of 3a, the others of 3b: orders of their own */
	unsigned cancels;	    /* of any order of a leg, by either operator */
	bool anew;		    /* every leg has its faults, not the first alone */
	uint32_t cut_ppm, late_ppm; /* packages that come cut off; a second time days later */
	int64_t calm_ms, bound_ms;
	uint32_t trial_s;
	bool change;	   /* before anything else A changes the keys of its cards */
	const char *files; /* of the sets; NULL: none */
	bool plain;	   /* cards without the application */
	bool opc;	   /* ... whose profile says where OPc stands: they get the new operator's */
	bool mends;   /* ... whose new operator mends his register when the faults stop, and orders it to be provided */
	bool dissent; /* ... and A's operator does not accept that they have no way back */
	bool roams;   /* B's phones are let in by a network that is not on B's list */
};

/* What the subscriber orders, one leg after the other. */
enum ho_shape {
	HO_ONCE,  /* all cards from A to B */
	HO_BACK,  /* ... and those that came back again */
	HO_SPLIT, /* some to B and the others to C, at once */
	HO_ROUND, /* A to B to C to A */
	HO_EAGER, /* to B, and each card on to C as soon as B's confirmation of it is at A */
	_HO_SHAPES
};

struct ho;
struct ho_link;
struct ho_hlr;
struct ho_party {
	struct ho *w;
	unsigned who;
	const char *name;
	char dir[160];
	struct ks *ks;
	struct pkg_self *self;
	const char *party; /* PEM */
	size_t party_len;
	struct env env;
	struct store_mem_disk *disk;
	struct store *store; /* NULL: down */
	struct gw *gw;	     /* NULL: down, or the vault */
	struct desk *desk;
	struct link *link;
	struct ho_hlr *hlr;
	uint64_t campaign;
	uint32_t epoch;
	bool started; /* the desk was */
	bool restored;
	bool crash_now, crash_keeps;
	unsigned crash_in; /* with the Nth commit from now on; 0: none */
	unsigned fail_in;  /* so many commits fail */
	int64_t up_ms;	   /* when it comes back */
	unsigned crashes;
	unsigned commits;
};

struct ho_plan {
	int64_t at_ms;
	unsigned what, who, n;
};
enum { HO_DO_CRASH, HO_DO_FAILS, HO_DO_HLR_DOWN, HO_DO_HLR_UP, HO_DO_CANCEL, HO_DO_UP };

struct ho_carried {
	int64_t at_ms;
	unsigned from, to;
	uint64_t seq;
	bool cut; /* only a part of it arrives */
	char path[512];
};

/* ---- what has gone to a card (ho_wire.c) ---- */
#define HO_PACKET_MAX  900
#define HO_SENT_MAX    256 /* different packets to one card */
#define HO_KEYS_MAX    16
#define HO_INS_STATUS  0x30
#define HO_INS_CONFIRM 0x3a
#define HO_INS_STAGE   0x32
#define HO_INS_ARM     0x36
struct ho_packet {
	unsigned op;
	unsigned ref_first, ref_last; /* concatenation reference of the first and of the last sending */
	uint8_t kvn, ins;	      /* ins: last one of its script; 0: none, or the keys are not known here */
	uint16_t index;		      /* of the pair under whose keys it is; 0: not known */
	uint64_t cntr;
	int64_t first_ms, last_ms;
	uint64_t sqn; /* of the card, when it went out last */
	unsigned times;
	uint16_t len;
	uint8_t octets[HO_PACKET_MAX]; /* from CPL on */
};
struct ho_join {
	unsigned next;
	struct ho_packet k;
};
struct ho_key {
	uint16_t index;
	struct sim_ota_keys ota;
};

struct ho_card {
	char iccid[SIM_ICCID_LEN];
	uint64_t staged;	 /* for this order it was */
	char imsi[SIM_IMSI_LEN]; /* plain: EF_IMSI as last seen by the judge */
	struct ho_key key[HO_KEYS_MAX];
	unsigned n_keys, n_sent, order_from; /* order_from: with which its last order began */
	struct ho_packet *sent;
	struct ho_join join[HO_OPS];
	int64_t heard_ms[HO_OPS]; /* by a message or an alert, or authenticated with what the register gave out */
	uint64_t sqn_now;
	int64_t ordered_ms;	      /* by an eager subscriber, last time */
	int64_t moved_ms;	      /* confirmed at its new operator, last time */
	uint8_t pair_of[HO_KEYS_MAX]; /* 3b, by index: who has got it, + 1 */
	uint64_t sqn;		      /* as it was handed over last */
	unsigned state;		      /* as last seen by the judge */
	int64_t there_ms;	      /* registered where its order leads, since; 0: it is not */
};

#define HO_IL_MAX  (2 * HO_CARDS_MAX)
#define HO_SEQ_MAX 512
struct ho_order {
	char name[8];
	uint64_t number;
	unsigned src, dst, kind, policy;
	uint32_t cards;	  /* bit mask */
	int64_t ended_ms; /* both books say so; 0: not yet */
	bool cancelled;
	unsigned what; /* a change of keys at src: CHANGE_...; 0: a hand-over */
	unsigned asked;
	bool given;
	int64_t accept_ms, rest_ms, provide_ms; /* plain cards: not asked, not looked at, not provided before */
	int64_t restart_ms;
	struct sim_pair was[HO_CARDS_MAX];
	char imsi_old[HO_CARDS_MAX][SIM_IMSI_LEN];
	/* as signed (ho_words.c) */
	uint32_t seen;	    /* cards that have been registered at dst */
	uint32_t confirmed; /* whose CF has come in at src */
	uint8_t so_id[HO_N][PKG_ID_LEN];
	uint32_t refused; /* by these parties, bit: enum ho_who */
	bool dropped;	  /* then, by the other one */
	uint8_t il_id[PKG_ID_LEN];
	bool il_taken;
	unsigned n_il;
	struct ho_il {
		char imsi[SIM_IMSI_LEN];
		unsigned back;
		char end[16];
	} il[HO_IL_MAX];
};

struct ho;
struct ho_case { /* ho_case.c */
	const char *name, *story;
	void (*draw)(struct ho_draw *d);
	void (*act)(struct ho *w); /* in every turn */
	void (*judge)(struct ho *w);
	unsigned kind;
	bool (*leg)(struct ho *w); /* as ho_leg(); NULL: all cards from A to B, once */
	bool unended;		   /* the books may never agree again: only cards and registers are judged */
	/* A segment that an SMSC has taken, a message for a gateway: false: it is lost there. */
	bool (*down)(struct ho *w, unsigned op, uint32_t card, const struct sim_sm *sm);
	bool (*up)(struct ho *w, const struct sim_up *up);
	/* The power of this party fails with its Nth commit; crashed says whether it came so far. */
	unsigned crash_who, crash_at;
	bool crash_keeps, *crashed;
	/* ho_case_back.c: A's books are copied at its Nth commit, and put back at its Mth, of the leg before the last; restored says whether it
	 * came so far.  no_files: and what it has noted beside them is lost, too. */
	unsigned back_at, restore_at, legs;
	bool *restored, no_files;
	unsigned what[2];
};

struct ho {
	uint64_t seed, dice;
	enum ho_break broken;
	bool verbose, calm;
	struct ho_draw d;
	char dir[96];
	int64_t now_ms;
	struct sim_world *sim;
	struct ho_party p[HO_N];
	struct ho_card card[HO_CARDS_MAX];
	struct ho_carried *carried;
	unsigned n_carried, n_files;
	struct ho_plan plan[HO_PLAN_MAX];
	unsigned n_plan;
	uint64_t token; /* of short messages */
	struct ho_order order[HO_ORDERS_MAX];
	unsigned n_orders, leg, leg_first;		  /* leg_first: order with which this leg began */
	uint64_t so_seq[HO_N];				  /* of the subscriber to each */
	uint8_t said[HO_N][HO_N][HO_SEQ_MAX][PKG_ID_LEN]; /* packages by number, */
	bool said_at[HO_N][HO_N][HO_SEQ_MAX];		  /* and whether there is one */
	bool did_break;
	unsigned forged;
	int64_t base_ms;	 /* when the leg began: faults count from here */
	int64_t ended_ms;	 /* all orders, in both books */
	int64_t calm_ms;	 /* nothing fails any more, since */
	const struct ho_case *c; /* NULL: a seed alone */
	unsigned case_step;
	uint8_t opc_first[HO_CARDS_MAX][16]; /* plain-opc: as the cards were made */
	struct store_mem_disk *backup;	     /* of A */
	int64_t case_ms;		     /* it wants a turn then; 0: none */
	char case_imsi[SIM_IMSI_LEN];
	unsigned case_who, case_refused, injected;
	struct sim_world_card case_truth;
	char fail[600]; /* the first finding */
	unsigned arms, removes, packages, stranded;
};

/* ho_draw.c */
uint64_t ho_next(uint64_t *dice);
int64_t ho_pick(uint64_t *dice, int64_t lo, int64_t hi);
bool ho_chance(uint64_t *dice, uint32_t ppm);
void ho_draw(struct ho *w);

/* ho_world.c */
/* 0: sound.  c: this case, with whatever the seed still says; NULL: the seed's own. */
int ho_run(uint64_t seed, const struct ho_case *c, enum ho_break broken, bool verbose, char out[600]);
void ho_say(struct ho *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void ho_find(struct ho *w, const char *rule, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
struct ho_carried *ho_on_its_way(struct ho *w, unsigned from, unsigned to, uint64_t seq,
				 const char *path); /* NULL: too many */
void ho_carry(void *ctx, const char *partner, const char *path, uint64_t seq);

/* ho_party.c */
bool ho_parties_make(struct ho *w);
bool ho_parties_up(struct ho *w);
void ho_parties_free(struct ho *w);
void ho_lasting_free(void); /* what all seeds share */
bool ho_party_up(struct ho_party *p);
void ho_party_crash(struct ho_party *p);
void ho_party_restore(struct ho_party *p, struct store_mem_disk *backup); /* the backup is the party's then */
bool ho_party_turn(struct ho_party *p);
int64_t ho_party_due(struct ho_party *p);
bool ho_intake(struct ho *w);
void ho_issue(struct ho *w); /* 3b: the vault gets its pairs, A the first ones */
bool ho_issued(struct ho *w);

/* ho_order.c */
bool ho_leg(struct ho *w); /* what is ordered next; false: nothing */
struct ho_order *ho_order_give(struct ho *w, unsigned src, unsigned dst, uint32_t cards); /* NULL: of no card */
struct ho_order *ho_order_of(struct ho *w, uint64_t number);				  /* NULL: none */
struct ho_order *ho_order_last(struct ho *w, unsigned card); /* in which the card is, or was; NULL: none */
bool ho_eager_step(struct ho *w);
uint32_t ho_cards_of(const struct ho *w, unsigned kind); /* that go by orders of this kind */
uint32_t ho_cards_at(struct ho *w, unsigned op);	 /* by their own IMSI */

/* ho_break.c */
void ho_break_step(struct ho *w);
void ho_break_evidence(struct ho *w); /* before a case is judged */

/* ho_words.c */
void ho_words(struct ho *w, unsigned from, unsigned to, const char *path,
	      bool arrived); /* a package leaves, or is there */
void ho_words_end(struct ho *w, const struct ho_order *o);

/* ho_wire.c */
void ho_wire_keys(struct ho *w);
void ho_wire_down(struct ho *w, unsigned op, uint32_t card, const struct sim_sm *sm);
void ho_wire_heard(struct ho *w, unsigned op, uint32_t card); /* something of it has come to this operator */
/* A packet under the OTA keys of this pair: its length, 0: it cannot be made. */
size_t ho_wire_seal(struct ho *w, unsigned card, unsigned index, uint64_t cntr, const uint8_t *script, size_t len,
		    uint8_t out[HO_PACKET_MAX]);
void ho_wire_free(struct ho *w);
/* ho_change.c */
struct ho_order *ho_change_give(struct ho *w, unsigned op, unsigned what, uint32_t cards); /* NULL: of no card */
bool ho_change_leg(struct ho *w);							   /* at A, of all its cards */
bool ho_change_step(struct ho *w);
void ho_change_break(struct ho *w);
int64_t ho_change_due(const struct ho *w);
void ho_check_rekey(struct ho *w, const char *imsi, const char *keys);
void ho_check_change(struct ho *w, const struct ho_order *o, unsigned card, const struct line *l,
		     const struct card_bundle *c);
extern const struct ho_case ho_cases_change[];
extern const struct ho_case ho_case_change_alone, ho_case_second_alone;
void ho_check_second(struct ho *w, uint32_t card, const char *imsi);

/* ho_case_back.c */
int ho_back_all(const char *name, bool every); /* name NULL: all */

/* ho_plain.c */
bool ho_plain_step(struct ho *w);
void ho_check_plain(struct ho *w, uint32_t card); /* a card was touched */
bool ho_stranded(struct ho *w, unsigned card);	  /* in truth */
bool ho_stranded_imsi(struct ho *w, const char *imsi);
void ho_check_stranded(struct ho *w);
extern const struct ho_case ho_cases_plain[];

/* ho_number.c */
void ho_check_number(struct ho *w);
void ho_check_number_end(struct ho *w);
void ho_number_break(struct ho *w);
extern const struct ho_case ho_cases_number[], ho_case_number_alone;

/* ho_link.c */
struct link *ho_link_new(struct ho_party *p);
void ho_link_free(struct link *l);
bool ho_link_step(struct link *l);
int64_t ho_link_due(const struct link *l);
void ho_link_result(struct link *l, uint64_t token, enum sim_submit_result r);
bool ho_link_up(struct link *l, const struct sim_up *up);
void ho_link_alert(struct link *l, const struct sim_addr *from);

/* ho_hlr.c */
struct ho_hlr *ho_hlr_new(struct ho_party *p);
struct hlr *ho_hlr_of(struct ho_hlr *h);
void ho_hlr_free(struct ho_hlr *h);
bool ho_hlr_step(struct ho_hlr *h);
int64_t ho_hlr_due(const struct ho_hlr *h);

/* ho_check.c */
void ho_check_state(struct ho *w, uint32_t card); /* a card was touched */
void ho_check_remove(struct ho *w, unsigned op, const char *imsi);
bool ho_check_ended(struct ho *w); /* of this leg, both books say so */
void ho_check_end(struct ho *w);
bool ho_card_moved(struct ho *w, unsigned card, uint64_t number); /* by its own word, for good */
void ho_dump(struct ho *w);
bool ho_has_pair(struct ho *w, unsigned who, unsigned card, unsigned index); /* K stands in its books */
/* Its line of its last order as the old or the new operator has it; false: none there. */
bool ho_line_of(struct ho *w, enum order_side side, unsigned card, struct line *out);
enum line_end ho_end_of(struct ho *w, unsigned card);		    /* as the old operator has it */
unsigned ho_counters_of(struct ho *w, unsigned who, unsigned card); /* values that commands to it have taken */

/* ho_cases.c: all lists; each ends with a name of NULL */
extern const struct ho_case *const ho_cases[]; /* end: NULL */
/* ho_case.c */
extern const struct ho_case ho_cases_fine[];	 /* the first one is: nothing goes wrong */
extern const struct ho_case ho_cases_packages[]; /* ho_case_packages.c */
extern const struct ho_case ho_cases_here[];
extern const struct ho_case ho_cases_books[];
/* ho_case_wire.c */
extern const struct ho_case ho_cases_wire[];
/* ho_case_restore.c: all of them, or every how many-th. */
int ho_restores(unsigned step);
void ho_case_draw(struct ho *w);
void ho_one_card(struct ho_draw *d);
int64_t ho_card_of(struct ho *w, const char *iccid);
/* What a case asks and says: the truth of a card, what must be so, how its line must have ended at the old operator. */
struct sim_world_card ho_look(struct ho *w, uint32_t card);
struct sim_air *ho_air(struct ho *w);
void ho_must(struct ho *w, bool right, const char *what);
void ho_must_end(struct ho *w, unsigned card, enum line_end end);
void ho_all_done(struct ho *w);

#endif
