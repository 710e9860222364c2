/* gw_int.h - what the files of the core share; nothing outside gateway/core includes it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Who is who: a `card` is resident while somebody works on it; a `stub` (64 octets at most) stands for every card with a
 * command under way, resident or not; a `flight` is one attempt on its way through the prepared queue and the links.
 * Across a wait we hold ids, never pointers: a card that has a flight is pinned, all others may be evicted.
 */
#ifndef OTAGW_GW_INT_H
#define OTAGW_GW_INT_H

#include <errno.h>
#include <string.h>

#include "gw.h"
#include "work.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Our own mistakes; stays on in release. */
void gw_assert_failed(const char *file, int line, const char *expr) __attribute__((noreturn));
#define ota_assert(x)                                             \
	do {                                                      \
		if (!(x))                                         \
			gw_assert_failed(__FILE__, __LINE__, #x); \
	} while (0)

#define ADDR_GRACE_MS	     (30LL * 24 * 3600 * 1000) /* a given-up number stays its old card's address this long */
#define STRAYS_PER_HOUR	     1000		       /* messages of unknown senders stored */
#define CARD_STRAYS_PER_HOUR 100000 /* hints, repetitions and strays stored that come from known cards */
#define STRAY_HOUR_MS	     3600000
#define FETCH_RETRY_MS	     250 /* a read that failed, or found no place, is asked for again */
#define FX_ENDS		     (2 * ORDERS_MAX + CLAIMS_MAX * CLAIM_MAX) /* ends of works that come of one turn beside its events */
#define ORDERS_MAX	     64 /* places kept for what operators order: it goes before all that waits */
#define CARD_ORDERS_MAX	     16 /* the same, for orders to single cards: they wait in the inbox, and hold at once */
#define SWEEP_BATCHES	     4 /* so many times batch_cards_max are withdrawn in one batch, the rest in the next ones */
#define CAMPAIGNS_MAX	     256 /* an index fits an octet */
#define CLAIM_MAX	     128 /* cards per claim, and packets per crypto run */
#define CLAIMS_MAX	     2	 /* claims under way */
#define PREPARED_LEAST	     64	 /* commands ahead of the window, whatever the config says */
#define CLAIM_LEAST	     8	 /* fewer places are waited for, unless all that is wanted fits */
#define QUEUE_GUARD	     16	 /* of so many packets one is of a lower class of priority, if there is any */
#define QUEUE_RESERVE	     (CLAIMS_MAX * CLAIM_MAX) /* places kept for the classes before ordinary campaigns */
#define EVICT_LOOKS	     512		      /* residents looked at per search for a place */
#define LINK_EVENTS	     2	   /* ups and downs of a link that wait at a time, with a place of their own */
#define AHEAD_MAX	     10000 /* cards of a campaign that were started and wait for a place in their route */
#define ROUTE_UNKNOWN	     0xff  /* of a card that has not been read yet */
#define LOAD_PAGE	     1024  /* rows per page when starting */
#define COMMIT_RETRY_MS	     250   /* first delay before the same batch is tried again */
#define COMMIT_RETRY_MAX_MS  5000
#define RATE_TAU_MS	     10000 /* smoothing of done_per_s */
#define PACE_MS		     10000 /* between two marks of how far a campaign has come */
#define PACE_MARKS	     31	   /* so that the oldest is five minutes old */
#define PACE_LEAST_MS	     60000 /* a shorter past tells less than the present rate */
#define STORY_LOOK_BACK	     8	   /* operations between the line of an answer in the story and the end it leads to */
#define SEEN_WRITE_MS	     60000 /* last_seen is written at most this often for its own sake */
#define MEASURED_MAX	     256   /* samples kept of each kind */
#define HIT_TEXT_MAX	     112   /* what a threshold has counted last, in words */

/* ---- small intrusive things ---- */

struct ev_node {
	struct gw_event ev;
	struct ev_node *next;
};
struct ev_list {
	struct ev_node *head, **tail;
};

/* What of a resident card must go into the next batch. */
#define DIRTY_CARD	 0x00000001u
#define DIRTY_TXN	 0x00000002u
#define DIRTY_QUARANTINE 0x00000004u
#define DIRTY_CMD(slot)	 (0x00000100u << (slot))
#define DIRTY_KEYSET(i)	 (0x00010000u << (i))

/* A resident card is found by its numbers too: MSISDN, IMSI, and those it is about to get. */
#define CARD_ADDRS 4
struct addr_ent {
	uint8_t type; /* enum addr_type, 0 unused */
	char digits[IMSI_DIGITS_MAX + 1];
	struct card *card;
	struct addr_ent *next;
};

/* What receipts have said of a card's last attempt; of this process life alone. */
struct receipts {
	uint64_t cmd;
	uint16_t attempt;
	bool told;
	uint32_t delivered; /* bit per segment */
	struct fail fail;   /* the first failure told */
};
_Static_assert(OTA_SEGMENTS_MAX < 32, "a bit per segment");

struct card {
	struct card_bundle b; /* first */
	struct addr_ent addr[CARD_ADDRS];
	uint32_t dirty;
	unsigned pins;	       /* flights */
	uint64_t change_batch; /* batch with its last change; evicted only when that is durable */
	int64_t alert_ms;      /* last alert_notification, this process life only */
	int64_t tried_ms;      /* last attempt that was refused, this process life only */
	enum { HEARD_NOTHING, HEARD_OLD, HEARD_NEW } heard; /* under which IMSI; until an attempt there fails */
	bool heard_old;					    /* its stub's, while one command follows another */
	unsigned stops; /* an order to quarantine it waits in the inbox so many times: it holds already */
	int64_t seen_written_ms;
	struct receipts receipts;
	struct ota_sub_rsp
		said; /* of a work: the state that came last with an answer, said_cmd 0: none in this process life */
	uint64_t said_cmd;
	uint8_t link; /* as its stub's, and still there when that is gone */
	struct card *hash_next, *dirty_next, *flying_next;
	struct card *lru_prev, *lru_next;
	bool used, in_dirty;
};

/* A card with a command under way.  At most 64 octets: there may be millions. */
struct stub {
	uint64_t card, cmd;
	int64_t due_ms;	    /* INT64_MAX: not on the heap */
	uint32_t heap_pos;  /* index, STUB_OFF_HEAP when not there */
	uint32_t hash_next; /* index in the pool, 0 none */
	uint16_t campaign;  /* index in gw->campaign */
	uint8_t state;	    /* enum cmd_state of the open command */
	bool fetching;	    /* its timer has fired and the card is being read */
	bool held;    /* due, but its campaign does not run, or its card is in quarantine: who ends that puts it back */
	uint8_t link; /* of the last attempt, from 1; 0: none in this process life, or beyond 255 */
	bool ahead;   /* started, and no attempt has found a place in its route yet */
	uint8_t route; /* when it last asked for a place; ROUTE_UNKNOWN */
	bool heard_old; /* of what moves a card: heard under its old numbers since the last attempt, in this process life */
};
_Static_assert(sizeof(struct stub) <= 64, "a waiting card costs 64 octets at most");
#define STUB_OFF_HEAP UINT32_MAX

struct flight {
	uint64_t cmd, card, txn, camp_id; /* camp_id: of the campaign */
	uint64_t batch_no;		  /* leaves only when this is durable */
	struct flight *next;		  /* prepared queue */
	struct flight *hash_next;
	uint16_t attempt;	/* of the transaction, modulo 2^16: part of the token */
	uint16_t campaign;	/* index, while it is queued */
	uint8_t segs, next_seg; /* handed out so far */
	uint8_t outcomes;	/* come back so far */
	uint8_t accepted, unknown;
	uint8_t kept;	  /* handed out, but the link did not take it */
	bool aborted;	  /* nothing more is handed out */
	bool moved;	  /* to the numbers that the card is about to get; decided once for all segments */
	bool heard;	  /* as the stub's heard_old when it was launched */
	struct fail fail; /* worst refusal */
	int64_t first_ms; /* first segment handed out */
	unsigned link;
	uint8_t route;
};

struct fetch_slot {
	struct store_fetch f;
	struct card_bundle out;
	struct ev_list events; /* parked, in order */
	uint64_t seq;
	bool used, timer;
	bool ready;	   /* read; what is parked waits for room in the batch */
	int64_t again_ms;  /* to be asked for again then, 0: under way or ready */
	struct card *card; /* ready: pinned; NULL: no such card */
	struct gw *gw;
};
struct claim_slot {
	struct store_fetch f;
	struct card_bundle out[CLAIM_MAX];
	uint64_t seq;
	unsigned campaign; /* index */
	bool used;
	struct gw *gw;
};

struct campaign {
	struct campaign_row row;
	struct profile profile;
	uint64_t by_state[_TXN_STATES];
	uint64_t by_class[_FAIL_CLASSES];
	uint64_t open_class[_FAIL_CLASSES]; /* of them: cards that have not ended */
	uint64_t sms_parts, attempts, probes;
	uint64_t open[_CMD_STATES]; /* open commands by state */
	bool dirty, claim_pending, claimed_all;
	uint64_t grown_seq; /* claims asked for before this may not have seen its newest txns */
	unsigned stops;	    /* a pause or a cancel waits in the inbox so many times: it holds already */
	struct rules rules;
	struct rules_tally tally;
	char hit[RULES_ABORT_MAX][HIT_TEXT_MAX]; /* per threshold: what it has counted last */
	bool judge;				 /* something was counted in this step */
	bool claims;				 /* could claim cards now */
	struct lane {				 /* prepared, per route; tail is good while there are any */
		struct flight *head, **tail;
		unsigned n;
	} lane[ROUTES_MAX];
	unsigned queued; /* in all lanes */
	unsigned lane_turn;
	unsigned ahead; /* stubs that are */
	struct campaign *ring_next;
	uint64_t ended_batch; /* with which row.ended_ms becomes durable; 0: it is */
	int64_t claim_due_ms; /* the next claim not before; INT64_MAX: something must happen first */
	double done_per_s;
	uint64_t rate_ended;
	int64_t rate_ms;
	struct {
		int64_t at_ms;
		uint64_t ended;
	} pace[PACE_MARKS]; /* a ring */
	unsigned paces;	    /* marks made since it runs */
};

/* What is known of a link beside its route_link. */
struct gw_link {
	struct flight *current; /* started, not fully handed out */
	unsigned flying;	/* segments out */
	bool wanted;		/* bound, as far as gw_act() has been told */
	bool suspect;		/* as last told */
	int64_t told_ms;	/* that it is */
	bool growing;		/* its room grows by time alone: rate tokens are on their way */
	struct ev_node *turn;	/* the last of its ups and downs that wait in the inbox, */
	unsigned turns;		/* so many of them */
};

struct gw_route {
	struct route r;
	unsigned queued;   /* in the lanes of all campaigns */
	unsigned prepared; /* and those being handed out */
	int rank;	   /* as last told */
};

/* The campaigns of one class that have something prepared, in the order of their turns. */
struct queue_ring {
	struct campaign *head, **tail;
	unsigned n;
};

/* How long the last MEASURED_MAX of something took. */
struct lately {
	uint32_t ms[MEASURED_MAX];
	uint64_t n; /* ever */
};

struct fx_node {
	struct gw_effect fx;
	uint64_t batch_no;
};

enum load_phase { LOAD_IDLE, LOAD_TOTALS, LOAD_CAMPAIGNS, LOAD_PROFILE, LOAD_COUNTS, LOAD_STUBS, LOAD_DONE };

struct gw {
	struct gw_cfg cfg;
	struct gw_deps deps;
	int64_t now_ms; /* of the step that runs */
	char fatal[GW_ALARM_MAX];

	/* events */
	struct ev_node *ev_pool, *ev_free;
	unsigned ev_total, ev_high, ev_used; /* places; of them ever used; in use */
	struct ev_list inbox, orders;
	unsigned inbox_n, inbox_high; /* both */
	unsigned orders_n;
	unsigned card_orders_n; /* to single cards; those in the inbox, and those that wait for their card */
	unsigned outstanding;	/* segments handed out whose outcome has not been taken yet */

	/* resident cards */
	struct card *cards, **card_hash;
	struct addr_ent **addr_hash;
	unsigned card_hash_mask, cards_used, resident, resident_high;
	struct card *card_free, lru; /* lru.lru_next is the coldest */
	struct card *dirty_head, *dirty_tail;
	struct card *flying_cards; /* whose changes are in the batch at the store */
	unsigned dirty_n;

	/* stubs and their heap */
	struct stub *stub;	       /* pool; index 0 unused */
	uint32_t stub_high, stub_free; /* highest index ever used; given back */
	uint32_t *stub_hash, stub_hash_mask, stub_buckets;
	uint32_t *heap, heap_n;
	unsigned open, open_high;
	bool timers_stalled; /* no place for the next due card: a completion will wake us */

	/* flights */
	struct flight *flights, *flight_free, **flight_hash;
	unsigned flight_hash_mask;
	struct queue_ring ring[_PRIORITIES];
	struct lately *submit_took, answer_took; /* submit: per link */
	struct campaign **queue_at;		 /* in its ring: who has been named last */
	bool sweeping;				 /* there is more to withdraw than found place in one batch */
	unsigned queue_turns, queue_class, queue_guarded, queue_route;
	unsigned hungry;   /* campaigns that share what may be prepared */
	unsigned prepared; /* in the queues or being handed out */

	/* links and routes */
	struct gw_link link[ROUTE_LINKS_MAX];
	struct route_link link_state[ROUTE_LINKS_MAX];
	struct gw_route route[ROUTES_MAX];
	unsigned n_routes;
	bool rerouted; /* a packet has changed its route since gw_act() looked last */

	/* fetches */
	struct fetch_slot *fetch;
	struct claim_slot claim[CLAIMS_MAX];
	uint64_t fetch_seq;
	uint64_t imported_seq; /* reads asked for before this may be older than an import */
	unsigned fetches;
	unsigned fetches_waiting; /* of them: not at the store */
	int64_t claim_hold_ms;	  /* after a failed claim: the next one not before */

	struct gw_stray stray[GW_STRAYS]; /* a ring */
	unsigned stray_at, n_stray;
	unsigned strays[2]; /* this hour: of unknown senders, of known cards */
	int64_t stray_hour_ms;

	/* commits */
	struct store_batch *batch, *flying;		/* being filled; at the store */
	uint64_t batch_no, committed;			/* number of the batch being filled; last durable one */
	uint64_t flying_fetch_seq, committed_fetch_seq; /* fetch_seq when that batch was submitted */
	bool committing;
	int64_t commit_retry_ms; /* the failed batch is tried again then, 0: none failed */
	uint32_t commit_backoff_ms;
	char commit_alarm[GW_ALARM_MAX], read_alarm[GW_ALARM_MAX]; /* what is wrong now, "" nothing */

	/* effects, in batch order */
	struct fx_node *fx;
	unsigned fx_cap, fx_head, fx_n;

	/* campaigns */
	struct campaign campaign[CAMPAIGNS_MAX];
	uint8_t campaign_hint[CAMPAIGNS_MAX]; /* by id, modulo: index of the one found there last */
	unsigned n_campaigns, claim_turn;
	uint64_t next_cmd, first_cmd; /* first_cmd: of this process life */

	/* start */
	enum load_phase phase;
	struct store_query load_q;
	void *load_buf;
	unsigned load_campaign;
	bool load_busy;

	struct gw_stats stats;

	/* scratch for one claim's worth of encoding */
	struct prep_scratch {
		struct ota_cmd_work work[CLAIM_MAX];
		struct ota_cmd_params params[CLAIM_MAX];
		uint8_t script[CLAIM_MAX][OTA_SCRIPT_MAX];
		uint32_t set[CLAIM_MAX];
	} scratch;
};

void gw_log(struct gw *gw, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- cards.c: residents, fetches, dirt ---- */
int cards_init(struct gw *gw);
struct card *card_find(struct gw *gw, uint64_t id);
struct card *card_by_addr(struct gw *gw, const struct ota_addr *a);
struct card *card_load(struct gw *gw, const struct card_bundle *b); /* NULL: no room now */
bool card_address_turn(const struct gw *gw, const struct card *c);
void card_heard(struct card *c, const struct ota_addr *from);
void card_index_addrs(struct gw *gw, struct card *c);
void card_addr_put(struct gw *gw, const struct card *c, enum addr_type type, const char *digits);
void card_addr_end(struct gw *gw, const struct card *c, enum addr_type type,
		   const char *digits); /* after a grace time */
void card_touch(struct gw *gw, struct card *c);
void card_dirty(struct gw *gw, struct card *c, uint32_t what);
void cards_flush(struct gw *gw); /* dirt becomes operations of the batch being filled */
void cards_committed(struct gw *gw);
unsigned cards_room(struct gw *gw);
/* Reads the card, then runs what is parked; ev and timer as they apply.  False: no slot or no room now, try later. */
bool card_fetch(struct gw *gw, uint64_t id, const struct ota_addr *a, struct ev_node *ev, bool timer);
bool card_fetching(struct gw *gw, uint64_t id, const struct ota_addr *a, struct ev_node *ev);
uint64_t fetch_oldest(const struct gw *gw);
int cards_turn(struct gw *gw);
int64_t cards_due(const struct gw *gw);
struct keyset_row *card_keyset(struct card *c, uint8_t kvn);
/* The keyset a command was made under; NULL when an import has replaced it since. */
struct keyset_row *card_keys_of(struct card *c, const struct cmd_row *cmd);
struct cmd_row *card_cmd(struct card *c, uint64_t id, unsigned *slot);
/* The one command that is neither ended nor fenced, or NULL. */
struct cmd_row *card_open_cmd(struct card *c, unsigned *slot);
struct cmd_row *card_add_cmd(struct gw *gw, struct card *c); /* newest first; slot 0 */

/* ---- wheel.c: stubs ---- */
int wheel_init(struct gw *gw);
struct stub *stub_find(struct gw *gw, uint64_t card);
struct stub *stub_add(struct gw *gw, uint64_t card); /* NULL: open_max reached */
void stub_remove(struct gw *gw, uint64_t card);
void stub_due(struct gw *gw, struct stub *s, int64_t due_ms); /* INT64_MAX: off the heap */
void stub_ahead(struct gw *gw, struct stub *s, bool ahead);   /* counted in its campaign */
struct stub *wheel_top(struct gw *gw);
void wheel_release_held(struct gw *gw, unsigned campaign);

/* ---- campaign.c ---- */
struct campaign *campaign_by_id(struct gw *gw, uint64_t id);
struct campaign *campaign_place(struct gw *gw);
void campaign_claims(struct gw *gw);
void campaign_verb(struct gw *gw, const struct gw_event *ev);
void campaign_check_done(struct gw *gw, struct campaign *c);
void campaign_tick(struct gw *gw);
void campaign_pace_anew(struct gw *gw, struct campaign *c);
void campaign_flush(struct gw *gw);
int campaign_add(struct gw *gw, const struct campaign_row *row, const char *text, size_t len, char *err,
		 size_t err_cap);
void campaign_claimed(struct gw *gw, struct claim_slot *cl);
void campaign_pause(struct gw *gw, struct campaign *c);
int campaign_rules(struct campaign *c, char err[RULES_ERR_MAX]); /* those of its row become its own */
int64_t campaign_due(const struct gw *gw);			 /* when a claim may be made that may not be now */
/* Whether the campaign is over for what has not left yet: it does not run, or its deadline has passed. */
bool campaign_stopped(const struct campaign *c, int64_t now_ms);
bool campaign_in_canary(const struct campaign *c);

/* ---- measure.c ---- */
void lately_add(struct lately *l, int64_t ms);

/* ---- judge.c ---- */
void judge_obstacle(struct campaign *camp, const struct card *c, enum fail_class from, enum fail_class to);
/* After the card's transaction has come from this state to its present one; `had`: the obstacle before. */
void judge_state(struct campaign *camp, const struct card *c, enum txn_state from, enum fail_class had);
/* Before the answer is noted at the command. */
void judge_answer(struct gw *gw, const struct card *c, const struct cmd_row *cmd, uint8_t status);
void judge_anew(struct campaign *camp);
void judge_turn(struct gw *gw); /* campaigns whose thresholds are reached stop */

/* ---- txn.c ---- */
void txn_state_set(struct gw *gw, struct card *c, enum txn_state to, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void txn_obstacle(struct gw *gw, struct card *c, enum fail_class cls, uint32_t code);
void txn_evidence(struct gw *gw, struct card *c, uint8_t level);
void txn_settle(struct gw *gw, struct card *c, const struct gw_event *ev);
/* To whoever listens for works: how this transaction stands. */
void txn_told(struct gw *gw, const struct txn_row *t, const struct card_row *card, const struct ota_sub_rsp *said);
bool txn_ended(uint8_t state);

/* ---- cmd.c ---- */
bool cmd_ended(uint8_t state);
void cmd_state_set(struct gw *gw, struct card *c, struct cmd_row *cmd, enum cmd_state to);
/* New commands for n cards at once: counters taken, packets laid out, crypto run, finished, stored.  Each card's
 * transaction is active or becomes FAILED with the reason. */
void cmd_prepare(struct gw *gw, struct card *const *c, unsigned n, enum cmd_kind kind, uint64_t cntr_step);
/* Whether this card must say what it holds before it may get a script. */
bool cmd_must_ask(struct gw *gw, struct card *c);
void cmd_timer(struct gw *gw, struct card *c);
void cmd_attempt_back(struct gw *gw, struct card *c, struct cmd_row *cmd);
void cmd_attempt(struct gw *gw, struct card *c, struct cmd_row *cmd);
void cmd_on_flight_done(struct gw *gw, struct card *c, const struct flight *f);
void cmd_on_presence(struct gw *gw, struct card *c);
void cmd_on_alert(struct gw *gw, struct card *c);
void cmd_wait(struct gw *gw, struct card *c, struct cmd_row *cmd, const struct fail *why);
void cmd_params(const struct cmd_row *cmd, uint32_t set, struct ota_cmd_params *p);
bool cmd_may_have_run(const struct gw *gw, const struct cmd_row *cmd);
/* Counter mode 11: the card takes the next value and no other. */
bool campaign_counts_exactly(const struct campaign *camp);

/* The one line per end of a command: what, where, how, why, how often and how long. */
void cmd_tell(struct gw *gw, const struct card *c, const struct cmd_row *cmd, const char *status, const char *reason);

void cmd_on_receipt(struct gw *gw, struct card *c, struct cmd_row *cmd, const struct fail *why);

/* ---- receipt.c ---- */
void receipt_on_rx(struct gw *gw, struct card *c, uint64_t was_open, const struct link_event *ev);
void receipt_apply(struct gw *gw, struct card *c, struct cmd_row *cmd);

/* Ends the command, and its transaction unless that has ended already. */
void cmd_give_up(struct gw *gw, struct card *c, struct cmd_row *cmd, enum cmd_state cmd_to, enum txn_state to,
		 const char *why);
void cmd_due(struct gw *gw, struct card *c, struct cmd_row *cmd, int64_t due_ms);
bool cmd_interim(const struct gw *gw, const struct cmd_row *cmd, uint8_t status);
void cmd_fence(struct gw *gw, struct card *c, struct cmd_row *cmd, uint64_t jump);
void cmd_settle(struct gw *gw, struct card *c, struct cmd_row *cmd, uint8_t status);
void cmd_settle_later(struct gw *gw, struct card *c, struct cmd_row *cmd, uint8_t status);

/* ---- order.c: what an operator orders of one card ---- */
bool card_held(const struct card *c); /* in quarantine, or about to be: nothing leaves to it */
/* The command of a card in quarantine waits for its release. */
bool order_waits(struct gw *gw, struct card *c, struct cmd_row *cmd);
void order_posted(struct gw *gw, const struct gw_event *ev);
void order_take(struct gw *gw, struct card *c, const struct gw_event *ev); /* c NULL: there is no such card */

/* ---- settle.c: what a card's answer leads to ---- */
void cmd_on_hint(struct gw *gw, struct card *c, uint8_t status);
/* How an answer with a right MAC is taken: what is done with it, and what the story says. */
enum por_use { POR_NEWS, POR_AGAIN, POR_EARLIER, POR_FORGOTTEN, POR_OVERTAKEN, POR_NOTED, _POR_USES };
enum por_use cmd_por_use(struct gw *gw, const struct card *c, const struct cmd_row *cmd, const struct ota_rsp *rsp);
void cmd_on_por(struct gw *gw, struct card *c, struct cmd_row *cmd, const struct ota_rsp *rsp);
/* How well an answer "executed" goes with the commands that were sent. */
enum answer_fit { FIT_NOT, FIT_PARTLY, FIT_WHOLE };
enum answer_fit cmd_answer_fit(struct gw *gw, const struct cmd_row *cmd, const struct ota_rsp *rsp);
/* Counter mode 11: the card has taken another command under this one's counter, so this one it will never run. */
void cmd_counter_spent(struct gw *gw, struct card *c, struct cmd_row *cmd);

/* ---- work_run.c: works of an order ---- */
struct answer;
void card_learn_imsi(struct gw *gw, struct card *c, const struct answer *a); /* settle.c */
bool card_work(const struct card *c, struct work *w); /* of its present transaction; false: none, or not to be read */
/* The commands of the work, or the question what became of it.  Length or a negative ota_err. */
int work_data(struct ks *ks, const struct card *c, const struct profile *p, enum cmd_kind kind, uint8_t *buf,
	      size_t cap, uint16_t *apdus);
void work_on_ok(struct gw *gw, struct card *c, struct cmd_row *cmd, const struct answer *a, bool open);
bool work_moves(const struct card *c);		 /* ARM, ADVANCE, WRITE, and a READ after it */
void moving_addr(struct gw *gw, struct card *c); /* what it will be called there is its address from now on */
/* An attempt is in the batch that is being filled; it has not reached the card, or was taken back. */
void moving_launched(struct gw *gw, struct card *c, const struct cmd_row *cmd);
void moving_back(struct gw *gw, struct card *c, const struct cmd_row *cmd, const struct flight *f);
/* The store was put back: what it says of this transaction was true once. */
void moving_forgotten(struct gw *gw, struct card *c);
/* since_ms: heard at some time after that, 0: now */
void moving_heard(struct gw *gw, struct card *c, const struct ota_addr *from, int64_t since_ms);
/* Whether who speaks under this number is in our network: of a card with a work of an order, that it uses its old IMSI, or an
 * MSISDN that it does not keep elsewhere. */
bool work_is_here(const struct card *c, const struct ota_addr *from);
/* The card may have moved, and was not heard since: the command waits until it is. */
bool moving_waits(struct gw *gw, struct card *c, struct cmd_row *cmd);
/* The card may have moved: its transaction does not end so, it stays open. */
bool moving_stays(struct gw *gw, struct card *c, struct cmd_row *cmd, enum txn_state to);
/* The card was heard, and the same octets have told nothing: now it is asked. */
bool moving_asks(const struct gw *gw, const struct card *c, const struct cmd_row *cmd);

/* ---- counter.c ---- */
#define CNTR_RESTORE_GAP   4096 /* skipped after a restored backup, and so much more per second between the epochs */
#define CNTR_RESTORE_PER_S 16
#define CNTR_JUMP_MAX	   4096	      /* the widest jump of a probe, and that of a resync by order */
#define CNTR_WATCH	   (1u << 20) /* values left at which every further one is a warning */
/* Whether we know what was taken of it: not when it was last taken before the store was put back. */
bool counter_owned(const struct keyset_row *k, uint32_t epoch);
/* The next value of this keyset plus extra (0, or a bounded jump), or 0 when the keyset is used up.  The first one of an epoch
 * leaves the gap of the restore behind. */
uint64_t counter_take(struct keyset_row *k, uint64_t extra, uint32_t epoch);
void counter_prove(struct keyset_row *k, uint64_t cntr);
uint64_t counter_jump(unsigned tries);
/* Whether the one may follow the other when nobody else spends values of this keyset. */
bool counter_own_step(uint64_t from, uint64_t to);

/* ---- por.c ---- */
void por_told(struct gw *gw, struct card *c, const uint8_t *pkt, size_t len); /* gw_told() */
void por_on_rx(struct gw *gw, struct card *c, const struct link_event *ev);

/* ---- flight.c ---- */
int flight_init(struct gw *gw);
struct flight *flight_find(struct gw *gw, uint64_t cmd);
struct flight *flight_add(struct gw *gw, struct card *c, const struct cmd_row *cmd, unsigned route);
void flight_on_outcome(struct gw *gw, const struct link_event *ev);
bool flight_wanted(struct gw *gw, const struct flight *f, int64_t now_ms);
void flight_withdraw(struct gw *gw, struct flight *f);
void flight_link_down(struct gw *gw, unsigned link);
void flight_stop(struct gw *gw, uint64_t campaign);
void flight_sweep(struct gw *gw);
void flight_clear_link(struct gw *gw, unsigned link);
void flight_abandon(struct gw *gw, uint64_t cmd); /* its command has ended: hand nothing more out */

/* ---- links.c ---- */
int links_init(struct gw *gw);
void links_start(struct gw *gw);
const char *link_name(const struct gw *gw, unsigned link, char number[12]);
/* The route of this card's packets; moved: to the numbers that it is about to get. */
unsigned card_route(struct gw *gw, const struct card *c, bool moved);
uint32_t link_routes(const struct gw *gw, unsigned link, int64_t now_ms); /* a bit per route it may take from now */
bool route_live(const struct gw *gw, unsigned route);
void link_took(struct gw *gw, unsigned link, int64_t now_ms);
void links_up_down(struct gw *gw, unsigned link, bool up);
void links_outcome(struct gw *gw, const struct gw_event *ev);
void link_verb(struct gw *gw, const struct gw_event *ev);
void links_turn(struct gw *gw); /* tells who carries which route */
int64_t links_due(const struct gw *gw);

/* ---- queue.c ---- */
void queue_init(struct gw *gw);
void queue_add(struct gw *gw, struct flight *f);
/* The next one that may leave on this link, or NULL; it stays. */
struct flight *queue_next(struct gw *gw, unsigned link, int64_t now_ms);
struct flight *queue_take(struct gw *gw);		/* the one that queue_next() has just named */
void queue_left(struct gw *gw, const struct flight *f); /* one that was taken needs its place no longer */
bool queue_crowded(const struct gw *gw);		/* no more can be withdrawn into this batch */
void queue_sweep(struct gw *gw);			/* what is not wanted any more is withdrawn */
void queue_shares(struct gw *gw);
unsigned queue_share(const struct gw *gw); /* what each campaign may have prepared per route */
/* How much more this campaign may have prepared in this route. */
unsigned queue_room(const struct gw *gw, const struct campaign *camp, unsigned route);
/* In the route where it finds most; own: of its own share alone.  0 while too many of its cards wait for a place already. */
unsigned queue_room_best(const struct gw *gw, const struct campaign *camp, unsigned *own);
int64_t queue_again(struct gw *gw, unsigned route);
bool queue_postpone(struct gw *gw, struct stub *s);

/* ---- gw.c ---- */
void gw_effect_add(struct gw *gw, const struct gw_effect *fx);
void gw_answer(struct gw *gw, unsigned link, uint64_t token);
void gw_reply(struct gw *gw, uint64_t request, int rc, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void gw_story(struct gw *gw, uint64_t card, uint64_t cmd, enum story_kind kind, const void *detail, size_t len,
	      const char *fmt, ...) __attribute__((format(printf, 7, 8)));
void gw_story_end(struct gw *gw, uint64_t card, const char *state, const char *reason);
struct store_op *gw_op(struct gw *gw, enum store_op_kind kind, const void *row, const void *bytes, size_t len);
bool gw_stray_kept(struct gw *gw, bool known);
void gw_read_failed(struct gw *gw, const char *what, int rc, const char *why);
bool gw_batch_full(const struct gw *gw);
void gw_ev_free(struct gw *gw, struct ev_node *n);
void gw_card_event(struct gw *gw, struct card *c, const struct gw_event *ev);
void gw_set_fatal(struct gw *gw, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The key version that this card's commands are made under: a change of keys takes the other one of 1 and 2, and profiles do not know. */
static inline uint8_t card_kvn(const struct card *c, const struct campaign *camp)
{
	const uint8_t kvn = c->b.txn.kvn ? c->b.txn.kvn : camp->profile.kvn;

	for (unsigned i = 0; i < c->b.n_keysets; i++)
		if (c->b.keyset[i].kvn == kvn && !c->b.keyset[i].sealed_len && (kvn == 1 || kvn == 2))
			return (uint8_t)(3 - kvn);
	return kvn;
}

static inline uint64_t hash_u64(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	return x;
}
static inline unsigned pow2_at_least(unsigned n)
{
	unsigned p = 16;

	while (p < n)
		p *= 2;
	return p;
}

#endif
