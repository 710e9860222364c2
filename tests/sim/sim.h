/* sim.h - one seed is one run: the real core, keystore, codec and credit against virtual cards, air, store and clock.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The `world` is everything outside the core.  Its clock jumps to the next due time.  Whatever is drawn comes from the
 * seed, so that a failure is one number.  A checker that fires records the first finding and ends the run.
 */
#ifndef OTAGW_TESTS_SIM_H
#define OTAGW_TESTS_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "air/air.h"
#include "card/card.h"
#include "card/card_sub.h"
#include "core/gw.h"
#include "core/rules.h"
#include "core/work.h"
#include "env_real.h"
#include "ota/keystore.h"
#include "ota/link.h"
#include "store/store.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define SIM_LINKS_MAX	    3
#define SIM_ROUTES_MAX	    3
#define SIM_CAMPAIGNS_MAX   5 /* four at first, and one more over all cards when these are through; or works */
#define SIM_WORKS_MAX	    4 /* one after the other on the same cards */
#define SIM_CANARY_MAX	    2
#define SIM_ABORTS_MAX	    3
#define SIM_CARDS_MAX	    40
#define SIM_PLAIN_CARDS	    5 /* in runs that go through every call of the store */
#define SIM_WINDOW_MAX	    32
#define SIM_UPS_MAX	    256
#define SIM_REFS_MAX	    64
#define SIM_PLAN_MAX	    64
#define SIM_CLOCK_STEPS_MAX 4
#define SIM_OTHERS_MAX	    4
#define SIM_START_MS	    1700000000000LL
#define SIM_TURNS_MAX	    20000  /* turns at one instant: more is a core that spins */
#define SIM_TURNS_RUN_MAX   100000 /* turns of a run: a longer one comes to no end */
#define SIM_STALL_MS	    30000  /* a disk that has gone away for a while */

/* Deliberate breakages: each must make its checker fire, or the checker proves nothing. */
enum sim_break {
	BREAK_NONE,
	BREAK_LOSE_ANSWERED, /* the link answers a card's message positively at once: commit comes after */
	BREAK_ACT_EARLY,     /* the store says "durable" before it is: submits leave before their commit */
	BREAK_DOUBLE_RUN,    /* cards forget the counters they have seen */
	BREAK_FORGET_WRITE,  /* cards answer well and write nothing */
	BREAK_LOSE_COUNTER,  /* the store does not keep counters, so a restart takes one twice */
	BREAK_LINK_RESENDS,  /* the link sends an old packet again by itself */
	BREAK_OVER_RATE,     /* the link claims more rate than it has */
	BREAK_OVER_WINDOW,   /* the link claims more window than it has */
	BREAK_SPLIT_PACKET,  /* the link turns the order of segments round */
	BREAK_LOSE_END,	     /* the store does not keep the end of a transaction */
	BREAK_UNFENCE,	     /* the store keeps fenced commands as open ones */
	BREAK_WRONG_LINE,    /* the store counts a short message too many */
	BREAK_LEAK_KEY,	     /* somebody logs a key */
	BREAK_MUTE_CARD,     /* one card is never reached again */
	BREAK_FOLLOW_WALL,   /* the gateway's clock does what the wall clock does */
	BREAK_FALSE_WORDS,   /* the report says "never sent" of a card that has moved */
	BREAK_TELL_TWICE,    /* the end of a command is told to the log once more */
	BREAK_SAME_EPOCH,    /* a backup is put back and nobody notices */
	BREAK_CHANGE_BATCH,  /* a commit that comes again after a failure is another one */
	BREAK_FORGET_TOLD,   /* nobody tells the core of an import */
	BREAK_PLAN_ANEW,     /* between two lives somebody plans anew whatever was under way */
	BREAK_DEAF,	     /* nobody tells the core that a campaign is to stop */
	BREAK_NO_WINDOW,     /* a rule of the campaigns is lost before the core reads it: each of these its own */
	BREAK_NO_CANARY,
	BREAK_NO_ABORT,
	BREAK_NO_DEADLINE,
	BREAK_UNEQUAL,		 /* one campaign goes before the others, and nobody had said so */
	BREAK_FORGET_WORK,	 /* cards answer works well and forget them */
	BREAK_FORGET_ORDERS,	 /* cards forget which orders they have had */
	BREAK_FALSE_ALERTS,	 /* alerts from the old number of cards that have gone */
	BREAK_SETTLE_BLIND,	 /* transactions are settled as ended, whatever the card has done */
	BREAK_NOBODY_SETTLES,	 /* the new operator says nothing */
	BREAK_FORGET_QUARANTINE, /* the store does not keep that a card is in quarantine */
	_SIM_BREAKS
};

/* Cards whose numbers are those of `card`, but for the last digit; the last route takes all.  Links of one rank share. */
struct sim_route {
	unsigned card, n_links;
	uint8_t link[SIM_LINKS_MAX], rank[SIM_LINKS_MAX];
};

/* One work of an order, over all cards. */
struct drawn_work {
	uint8_t kind;  /* enum work_kind */
	uint8_t kvn;   /* 1: by the old operator, 2: by the new one */
	uint8_t order; /* which one */
};

/* How carefully one campaign goes, as drawn. */
struct drawn_rules {
	unsigned n_canary, group_end[SIM_CANARY_MAX]; /* cards up to the end of each group */
	int64_t hold_ms;
	unsigned n_abort;
	struct {
		uint8_t state; /* enum txn_state */
		unsigned n;
	} abort[SIM_ABORTS_MAX];
	bool windowed, device;
	unsigned open_min, close_min; /* of the day */
	int zone_min;
	int64_t deadline_ms; /* from the start, 0 none */
	uint8_t priority;
};

/* Chance in ppm, times in ms. */
struct scenario {
	unsigned cards, links, campaigns;
	bool patient; /* retries last longer than all faults: every healthy card must end DONE */
	/* cards */
	enum sim_alg alg;
	uint8_t mac_len, kvn;
	uint8_t spi[2];
	enum ota_format format;
	struct sim_card_profile card;
	unsigned wrong_keys; /* the first so many cards have other keys than the gateway was told */
	unsigned denied;     /* the next so many refuse the update of EF_FPLMN */
	/* air */
	struct sim_air_cfg air;
	bool by_imsi;
	bool wide_ref; /* concatenation with 16-bit reference */
	/* link */
	unsigned window;
	double rate;
	int64_t response_ms;
	uint32_t refuse_ppm;	   /* submit() refuses although credit said yes */
	enum fail_class failed_as; /* what this SMSC calls "no answer, maybe executed" */
	unsigned routes;	   /* 0: one over all links */
	struct sim_route route[SIM_ROUTES_MAX];
	unsigned orders; /* blocks, drains and opens of links */
	/* store */
	struct sim_range commit_ms, read_ms, slow_ms, late_ms;
	uint32_t slow_ppm, fail_ppm;
	uint32_t late_ppm;	/* completions told late_ms after the fact */
	uint32_t stall_ppm;	/* calls that take SIM_STALL_MS, and all others wait behind */
	uint32_t split_ppm;	/* proofs that come in two parts, now and then the second one first */
	uint32_t read_fail_ppm; /* calls of any kind that fail, or are carried out and called failed */
	/* gateway */
	struct gw_cfg gw;
	/* what happens when, before calm_ms */
	int64_t calm_ms, bound_ms, windows_ms; /* windows_ms: of the bound, for campaigns that have a window */
	unsigned crashes, link_downs, store_outages, pauses, cancels;
	unsigned restores; /* the state of some earlier time is put back */
	unsigned others;   /* counters that another system spends, and the gateway is told */
	unsigned clock_steps;
	int clock_step_s[SIM_CLOCK_STEPS_MAX]; /* the wall clock is set forward or back by so much */
	bool again;			       /* when all is done, the whole fleet changes a second time */
	struct drawn_rules rules[SIM_CAMPAIGNS_MAX];
	unsigned cancelled; /* by a cancel */
	bool new_msisdn;    /* with the IMSI the MSISDN changes */
	int zone_max_min;   /* cards stand in zones up to so far from UTC */
	unsigned works;	    /* the campaigns are works of orders, so many; 0: IMSI changes */
	struct drawn_work work[SIM_WORKS_MAX];
	uint32_t trial_s;
	unsigned wards; /* orders to single cards, more or less */
	bool grows;	/* half of the cards are planned while the campaign runs, and then it is closed */
};

enum plan_kind {
	PLAN_CRASH,
	PLAN_RESTART,
	PLAN_LINK_DOWN,
	PLAN_LINK_UP,
	PLAN_STORE_BAD,
	PLAN_STORE_GOOD,
	PLAN_PAUSE,
	PLAN_CANCEL,
	PLAN_TRY,
	PLAN_ORDER,
	PLAN_AGAIN,
	PLAN_START,
	PLAN_START_ONE,
	PLAN_START_AGAIN,
	PLAN_CLOCK,
	PLAN_BACKUP,
	PLAN_RESTORE,
	PLAN_OTHERS,
	PLAN_SETTLE,
	PLAN_WARD,
	PLAN_CALM,
	PLAN_DUE,
	PLAN_DEADLINE
};
struct plan {
	int64_t at_ms;
	enum plan_kind kind;
	unsigned arg;
};

/* Where a crash strikes, besides a mere moment: at the Nth of these in a life of the gateway. */
enum crash_at {
	CRASH_NEVER,
	CRASH_COMMIT_BEFORE,
	CRASH_COMMIT_AFTER,
	CRASH_COMMIT_DONE,
	CRASH_SUBMIT,
	CRASH_ANSWER,
	CRASH_FETCH,
	CRASH_QUERY,
	_CRASH_AT
};

/* ---- what the checkers know of a card, learnt only from committed batches and from the wire ---- */
struct seen_cmd {
	struct cmd_row row;   /* durable */
	uint64_t packet_hash; /* 0: no packet committed yet */
	uint16_t packet_len;
	uint8_t *packet;
	bool left;	      /* some of it has been handed to a link */
	bool lost;	      /* a backup without it was put back: of its row only what left counts */
	unsigned life;	      /* of the gateway that wrote the row, */
	uint64_t batch_no;    /* in this batch */
	uint8_t left_attempt; /* the last one that was handed to a link */
	bool told_ran;	      /* a script whose authenticated answer, that it ran or broke off, is durable */
	bool shows_old;	      /* a read-back whose authenticated answer, with the old IMSI, is durable */
};
struct heard {
	uint64_t hash;
	size_t len;
	uint8_t *octets;
};
struct watched_card {
	uint64_t id; /* row id in the store */
	char new_imsi[IMSI_DIGITS_MAX + 1], imsi_before[IMSI_DIGITS_MAX + 1];
	uint8_t key[3][SIM_KEY_MAX]; /* as the gateway was told */
	size_t key_len;
	struct keyset_row keyset;
	uint32_t set; /* in the checkers' own keystore */
	struct seen_cmd *cmd;
	unsigned n_cmds, cap_cmds;
	struct heard *heard; /* what came from the card and is durable */
	unsigned n_heard, cap_heard;
	uint64_t sent_cntr[KVN_MAX + 1];  /* highest counter that has left, per key version */
	uint8_t txn_state;		  /* durable */
	struct txn_row txn;		  /* durable, of the present campaign */
	uint64_t submits, submits_before; /* of earlier campaigns */
	unsigned packets;		  /* first segments that have left */
	unsigned n_refs;
	uint16_t refs[SIM_REFS_MAX]; /* distinct concatenation references that have left */
	uint64_t told_cntr;	     /* others have spent so far, 0: nobody has; and when that was told */
	int64_t told_ms;
	unsigned campaign;
	bool sick;			 /* wrong keys or denied: must not end DONE */
	uint8_t given_state;		 /* as the core has last given it to the store */
	uint8_t past[SIM_CAMPAIGNS_MAX]; /* how it has ended in the campaigns before */
	int64_t tz_min;
	char new_msisdn[MSISDN_DIGITS_MAX + 1]; /* promised by its first campaign, or "" */
	/* of orders: */
	struct keyset_row keyset2; /* of the second pair */
	uint32_t set2;
	uint64_t armed_by; /* the transaction whose script has armed it */
	uint16_t index;	   /* active, as last seen */
	uint8_t end_seen, moves[256];
	bool planned;	/* in its present campaign, and that is durable */
	unsigned shown; /* on the old side while its ARM is open, when the faults are over */
	bool spoke;	/* under its old number, since the last attempt left */
	/* of orders to this card alone: */
	unsigned ward_out; /* not answered yet */
	bool warded,
		ward_used; /* in quarantine, as was confirmed, and no release asked for; was put there at some time */
};

/* What the checkers know of a campaign. */
struct watched_campaign {
	bool stopped;	      /* as the core has last given it to the store, unless a start was asked for since */
	bool durable_stopped; /* in the store */
	bool durable_ended;   /* ended_ms is there */
	int64_t asked_ms;     /* somebody has told the core to stop it, 0 not */
	int64_t deadline_ms;
	int64_t whole_ms[SIM_CANARY_MAX]; /* not earlier all cards up to this group's end were started; 0 not yet */
	bool held[SIM_CANARY_MAX];	  /* since then the hold has passed, whatever the clock was set to later */
	bool counting;
	unsigned hits[SIM_ABORTS_MAX]; /* since the start was confirmed */
	unsigned passed;	       /* packets of others that left while it had one ready */
};

/* What the checkers knew to be durable when a backup was made. */
struct watched_backup {
	struct watched_card *watch;
	struct seen_cmd **cmd;
	bool stopped[SIM_CAMPAIGNS_MAX];
};

/* Another system, and what the gateway is to be told of it. */
struct others {
	struct world *w;
	unsigned card, numbers;	   /* which of its IMSIs is tried */
	uint64_t spend, cntr;	   /* cntr: up to there, once it has begun */
	struct store_batch *batch; /* under way */
	bool told;
};

struct slink; /* sim_link.c */

struct world {
	uint64_t seed;
	enum sim_break broken;
	bool trace;
	bool plain_store; /* no weather in the store but fail_nth; a small fleet */
	struct scenario sc;
	int64_t now_ms;		/* true time: the world's, which only goes on */
	int64_t wall_off_ms;	/* what the machine's wall clock shows more */
	struct env_clock clock; /* the gateway's, new in each life */
	int64_t gw_ms;		/* what it showed at the beginning of this turn */
	struct sim_rng dice, gw_dice, store_dice, link_dice, front_dice, clock_dice, ward_dice;

	struct sim_card *card;
	struct sim_sub *sub; /* of orders: one per card */
	struct watched_card *watch;
	struct sim_air *air;

	struct env env;
	struct store_mem_disk *disk;
	struct store *store;	  /* the memory store */
	struct store *store_seen; /* what the core gets: the one with weather, in front */
	struct store_mem_hooks hooks;
	struct ks *ks, *audit; /* the gateway's, the checkers' own */
	uint8_t kek[32], ks_check[KS_CHECK_LEN];
	struct gw *gw;
	struct slink *slink[SIM_LINKS_MAX];
	struct link *link[SIM_LINKS_MAX];
	struct route route[SIM_ROUTES_MAX];
	uint8_t ordered[SIM_LINKS_MAX]; /* the last order given, whether it has arrived or not */
	bool shut
		[SIM_LINKS_MAX]; /* the gateway has said that it is blocked or drained, and nobody has opened it since */
	char route_prefix[SIM_ROUTES_MAX][IMSI_DIGITS_MAX + 1];

	bool setup; /* no faults, nothing watched */
	bool dead;  /* the gateway was killed: nothing of it reaches the world any more */
	bool ready_seen, calm, store_bad;
	unsigned lives, crashes_left;
	enum crash_at crash_at;
	unsigned crash_count;  /* how many of that kind until it strikes */
	uint64_t life_commits; /* commits submitted in this life */
	int store_error;       /* while store_bad */
	uint64_t store_calls;  /* in this run */
	uint64_t fail_nth;     /* this call fails, 0: none; nth_lies: it is carried out all the same */
	bool nth_lies, nth_struck;
	bool query_failed; /* in this life: a start that cannot read ends */
	struct store_mem_disk *backup;
	struct watched_backup backup_seen;
	uint32_t epoch, backup_epoch; /* on the disk, in the backup */
	uint64_t disk_batch, backup_batch;
	unsigned epochs;     /* begun in this run */
	uint32_t mark_epoch; /* the note that gateway/mark.c keeps outside the disk: epoch, last batch told */
	uint64_t mark;
	uint64_t again_no, again_hash; /* of a commit that was called failed: it must come again unchanged */
	int64_t act_due_ms, ended_ms;
	bool after_crash_lossy; /* a crash has happened: counts of submits may be behind */

	struct campaign_row campaign[SIM_CAMPAIGNS_MAX];
	unsigned n_campaigns; /* durable */
	struct watched_campaign rules[SIM_CAMPAIGNS_MAX];
	uint64_t given_batch; /* the core's last batch, and when it gave it to the store */
	int64_t given_ms;
	uint64_t ended_counts[SIM_CAMPAIGNS_MAX][_TXN_STATES]; /* of campaigns whose cards have gone on to the next */
	bool gone_again;
	struct store_batch *again;   /* the intake of the last campaign, under way */
	struct store_batch *attempt; /* an intake that must be refused what is open, under way */
	struct store_batch *grow;    /* more cards for a campaign that runs, under way */
	char *profile_text;
	struct profile profile;

	struct others others[SIM_OTHERS_MAX];
	struct plan plan[SIM_PLAN_MAX];
	unsigned n_plan;

	uint64_t *ends_told; /* in this life, each once */
	unsigned n_ends_told, cap_ends_told;
	uint32_t key_prefix[2048]; /* bit map over the first two octets of every key */
	uint64_t stat_turns, stat_submits, stat_ups, stat_commits;

	struct scn_run *scn;	/* a written scenario runs here, not the dice */
	int64_t scn_restart_ms; /* the gateway is started again so long after it was killed, 0: the scenario does it */

	bool failed;
	const char *checker;
	char why[512];
};

/* world.c */
void world_run(struct world *w);  /* w->seed, broken, trace set; everything else zero */
bool world_open(struct world *w); /* w->sc says what for */
void world_close(struct world *w);
bool world_boot(struct world *w); /* starts the gateway on what is on the disk */
void world_turn(struct world *w); /* whatever is due now */
int64_t world_next_due(const struct world *w);
int64_t world_gw_due(const struct world *w); /* of the gateway's own timers */
bool world_finished(struct world *w);	     /* every campaign has ended, so far */
void world_verb(struct world *w, unsigned campaign, enum gw_campaign_verb verb);
void world_crash(struct world *w); /* takes effect when the present call into the core has returned */
void world_crash_point(struct world *w, enum crash_at at);
void world_backup(struct world *w);
void world_restore(struct world *w);
/* A message from a card as two, as a card with a small buffer sends it. */
void world_split_up(const struct sim_up *up, uint8_t ref, struct sim_up *one, struct sim_up *two);
void world_plan(struct world *w, int64_t at_ms, enum plan_kind kind, unsigned arg);
int64_t world_iccid_find(struct world *w, const char *digits);
void tell(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void world_start_campaigns(struct world *w); /* whatever is not running and not at its end */

/* intake.c */
int world_make_card(struct world *w, unsigned i);
int world_intake(struct world *w);
void world_target(struct world *w, struct store_batch *b, unsigned card, unsigned campaign, const char *new_imsi);
void world_intake_again(struct world *w); /* the whole fleet changes once more, beside the running core */
void world_intake_try(struct world *w);	  /* another campaign over the same cards: refused all that has not ended */

/* scenario.c */
void scenario_draw(struct scenario *sc, uint64_t seed, enum sim_break broken);
void scenario_written(struct scenario *sc);
void scenario_plain_store(struct scenario *sc);
void scenario_rules_text(const struct scenario *sc, unsigned campaign, enum sim_break broken,
			 char text[CAMPAIGN_RULES_MAX]);
int scenario_profile(const struct scenario *sc, char *text, size_t cap);

/* scn_run.c: scenarios that are written, not drawn */
int scn_file(const char *path, bool trace, unsigned *runs); /* 0 passed, 1 failed (told), -1 not a scenario (told) */
bool scn_up(struct world *w, const struct sim_up *up);	    /* true: the scenario has taken care of this message */
enum scn_fate { SCN_DELIVER, SCN_LOSE, SCN_REFUSE, SCN_NO_ANSWER };
enum scn_fate scn_down(struct world *w, const struct link_submit *s, struct fail *fail);

/* others.c */
void others_draw(struct scenario *sc, uint64_t seed);
void others_plan(struct world *w);
void others_speak(struct world *w, unsigned i);
void others_lost(struct world *w);
void others_watch(struct world *w, unsigned index, const struct cmd_row *made);

/* orders.c */
void orders_draw(struct scenario *sc, uint64_t seed, enum sim_break broken);
bool orders_broken(enum sim_break broken); /* a breakage of theirs */
void orders_bound(struct scenario *sc);
int orders_profile(const struct scenario *sc, char *text, size_t cap);
int orders_card(struct world *w, unsigned i);
const struct sim_ota_keys *orders_keys(const struct world *w, unsigned i);
int orders_work(const struct world *w, unsigned campaign, unsigned card, uint8_t *packed, size_t cap,
		struct store_txn_plan *p);
bool orders_more(const struct world *w);
void orders_look(struct world *w, unsigned card);
void orders_after(struct world *w, unsigned card);
void orders_committed(struct world *w, unsigned card, const struct txn_row *row);
void orders_heard(struct world *w, const struct sim_addr *from);
void orders_submit(struct world *w, unsigned card, const struct seen_cmd *s);
void orders_refused(struct world *w, unsigned card);
int orders_card_of(const struct world *w, const struct ota_addr *a);
void orders_told(struct world *w, const struct gw_effect *fx);
void orders_settle(struct world *w);
void orders_lies(struct world *w);
void orders_grow(struct world *w);
void orders_grown(struct world *w, const struct store_txn_plan *p); /* is durable */
void orders_grow_lost(struct world *w);

/* wards.c */
void wards_draw(struct scenario *sc, uint64_t seed, enum sim_break broken);
void wards_plan(struct world *w);
void wards_turn(struct world *w);
void wards_lost(struct world *w);
bool wards_told(struct world *w, uint64_t request, int rc); /* false: not one of theirs */
void wards_submit(struct world *w, unsigned card, const struct seen_cmd *s);

/* routes.c */
void routes_draw(struct scenario *sc, uint64_t seed);
void routes_make(struct world *w);
void routes_plan(struct world *w);
void routes_order(struct world *w, unsigned arg);
void routes_ordered(struct world *w, uint64_t request, int rc);
void routes_watch(struct world *w, unsigned link, const struct ota_addr *dst);

/* sim_link.c */
bool slink_well(const struct slink *s, int64_t for_ms); /* up for so long, and every submit answered */
struct slink *slink_new(struct world *w, unsigned id);
struct link *slink_link(struct slink *s);
void slink_free(struct slink *s);
void slink_set_up(struct slink *s, bool up);
bool slink_is_up(const struct slink *s);
int64_t slink_due(const struct slink *s);
void slink_step(struct slink *s);						  /* timers, queued events */
bool slink_result(struct slink *s, uint64_t air_token, enum sim_submit_result r); /* true: it was ours */
bool slink_up_message(struct slink *s, const struct sim_up *up);
void slink_alert(struct slink *s, const struct sim_addr *from, uint8_t ms_status);

/* sim_store.c */
void sstore_hooks(struct world *w);
struct store *sstore_front(struct world *w, struct store *under);
int64_t sstore_due(struct store *s);
void sstore_front_free(struct store *s);
void sstore_plan_anew(struct world *w);
void sstore_trim(struct world *w);
bool sstore_keep(void *ctx, struct store_batch *b);

/* check.c: every checker names itself, the time and the card */
void check_fail(struct world *w, const char *checker, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int check_init(struct world *w);
void check_free(struct world *w);
void check_again(struct world *w);
void check_backup(struct world *w);
void check_restore(struct world *w);
bool check_all_ended(const struct world *w); /* and it is durable */
void check_committed(struct world *w, const struct store_batch *b);
void check_batch_again(struct world *w, const struct store_batch *b);
void check_submit(struct world *w, const struct link_submit *s);
unsigned check_runs(const struct world *w, unsigned card); /* of scripts, by the card */
void check_answered(struct world *w, uint32_t card, const uint8_t *ud, size_t len);
void check_text(struct world *w, const char *where, const char *text);
void check_end_told(struct world *w, const char *line);
void check_octets(struct world *w, const char *where, const uint8_t *p, size_t len);
void check_cards(struct world *w);
void check_ready(struct world *w);
void check_due(struct world *w); /* who waits for no window has ended */
void check_end(struct world *w);

/* check_rules.c */
void rules_given(struct world *w, const struct store_batch *b); /* the core gives a batch to the store */
void rules_durable(struct world *w, const struct campaign_row *row);
void rules_boot(struct world *w);
void rules_looked(struct world *w); /* after a step: what an operator would be shown */
void rules_asked(struct world *w, unsigned campaign, enum gw_campaign_verb verb);
void rules_told(struct world *w, unsigned campaign, enum gw_campaign_verb verb, int rc);
void rules_submit(struct world *w, unsigned index, struct seen_cmd *s, bool first);

#endif
