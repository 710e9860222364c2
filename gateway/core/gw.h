/* gw.h - the core: takes what came in, fetches what is missing, decides, commits, then acts.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * No socket, no SQL, no cipher, no clock.  Everything outside is handed in (struct gw_deps) and time is an argument, so
 * that the simulator runs the very same code.  One thread.
 *
 * The rhythm:  gw_post() events in;  gw_step() takes them, parks those whose card is not resident and asks the store for
 * it, decides for the others, and hands one batch at a time to the store;  when the batch is durable its effects are let
 * go: packets become available to gw_submit_next(), answers to gw_effect_next().  Nothing leaves before its commit.
 */
#ifndef OTAGW_GW_H
#define OTAGW_GW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ota/keystore.h"
#include "ota/link.h"
#include "../env.h"
#include "../store/store.h"
#include "profile.h"
#include "retry.h"
#include "route.h"
#include "rules.h"

/* ---- limits, each with its name ---- */
struct gw_limits {
	unsigned inbox_max;    /* messages from outside waiting to be taken */
	unsigned outcomes_max; /* segments at the links at a time; as many inbox places are kept for their outcomes */
	unsigned resident_max; /* cards in memory at a time; raised to what the other limits need */
	unsigned step_events_max; /* events taken per step */
	unsigned batch_cards_max; /* cards changed per commit, more or less */
	unsigned prepared_max;	  /* commands committed ahead of the window, per route */
	unsigned fetch_max;	  /* fetches under way */
	unsigned open_max;	  /* cards with a command under way (stubs, 64 octets each) */
};
void gw_limits_default(struct gw_limits *l);

struct gw_cfg {
	struct gw_limits limits;
	struct retry_policy retry;
	struct ota_addr src;  /* our address: PoR by SMS-SUBMIT comes back to it */
	bool address_by_imsi; /* submit to the IMSI (npi 6) instead of the MSISDN */
	uint8_t pid, dcs;     /* 0x7f, 0xf6 */
	bool want_report;     /* ask for delivery receipts */
	uint32_t epoch;	      /* restore epoch of the store: grows whenever a backup has been put back (mark.h) */
	unsigned n_links;
	const char *const *link_names;	     /* n_links of them, for the story; NULL: numbers.  Must outlive the core */
	const struct route *routes;	     /* n_routes of them, copied; the last one takes all cards */
	unsigned n_routes;		     /* 0: one for all cards over all links */
	uint32_t failover_ms;		     /* a link that is down so long is not waited for */
	uint8_t link_order[ROUTE_LINKS_MAX]; /* enum link_order, as the store has kept them (LINK_ORDERS_KEY) */
	char absent_orders[ROUTE_ABSENT_MAX]; /* and those of other links, kept as they are */
};
void gw_cfg_default(struct gw_cfg *c);

struct gw_deps {
	const struct env *env;
	struct store *store;
	struct ks *ks;
	const struct errtab *errtab; /* what PoR statuses and status words mean; outlives the core */
	void (*log)(void *ctx, int level, const char *line); /* levels as syslog */
	void *log_ctx;
	int log_level; /* lines above it would not be shown and are not made; 0: all are made */
	/* Something was posted: take a turn soon.  NULL where somebody turns the core anyway (the simulator). */
	void (*wake)(void *ctx);
	void *wake_ctx;
	/* This batch is durable: to be noted outside the store, so that a restored backup is seen.  May be NULL. */
	void (*mark)(void *ctx, uint64_t batch_no);
	void *mark_ctx;
};

struct gw;
struct gw *gw_new(const struct gw_cfg *cfg, const struct gw_deps *deps);
void gw_free(struct gw *gw); /* the store must have been closed before: no completion may come any more */

/* Begins to read campaigns and open commands from the store; gw_ready() says when it is through.  Events may be posted
 * before; links should be started after. */
void gw_start(struct gw *gw, int64_t now_ms);
bool gw_ready(const struct gw *gw);
/* Set when the store answered what cannot be (corrupt): the shell stops with this sentence.  NULL otherwise. */
const char *gw_fatal(const struct gw *gw);

/* ---- in ---- */
enum gw_event_kind { GW_EV_LINK, GW_EV_CAMPAIGN, GW_EV_ORDER, GW_EV_SETTLE, GW_EV_TOLD, GW_EV_CARD };
enum gw_campaign_verb {
	CAMPAIGN_VERB_START,
	CAMPAIGN_VERB_PAUSE,
	CAMPAIGN_VERB_CANCEL,
	CAMPAIGN_VERB_CLOSE /* no more transactions will come: it ends with the last of those it has */
};
struct gw_event {
	uint8_t kind;
	unsigned link; /* GW_EV_LINK, GW_EV_ORDER: index */
	bool own; /* GW_EV_LINK: an outcome that is not the SMSC's: nothing was asked; an alert that does not tell the number */
	struct link_event ev; /* GW_EV_LINK */
	int64_t since_ms;     /* GW_EV_LINK, an alert of our own: gw_card_seen() */
	uint64_t campaign;    /* GW_EV_CAMPAIGN */
	uint8_t verb;	      /* enum gw_campaign_verb; GW_EV_ORDER: enum link_order; GW_EV_CARD: enum gw_card_verb */
	uint64_t request;     /* GW_EV_CAMPAIGN, GW_EV_ORDER, GW_EV_CARD: comes back in the effect */
	uint64_t txn,
		card; /* GW_EV_SETTLE: gw_txn_settle(); GW_EV_TOLD: its card, the packet is ev.payload; GW_EV_CARD */
	bool bound;   /* GW_EV_CARD: an order between operators has the card */
	uint8_t end;  /* enum txn_state */
	char why[TXN_REASON_MAX]; /* GW_EV_CARD: by whom */
};
/* -ENOBUFS when full: an MO or REPORT must then be answered LINK_ANSWER_FULL by the caller. */
int gw_post(struct gw *gw, const struct gw_event *ev);
/* Somebody who knows (our register, an operator) tells that the card with this IMSI was in our network at some time after since_ms; 0: is
 * there now.  As an alert of the SMSC. */
int gw_card_seen(struct gw *gw, const char *imsi, int64_t since_ms);

/* What an operator orders of one card.  A reply comes when it is durable, and says in words what has been done; the same order once
 * more finds it done.  By whom stands in the card's story.
 *
 * QUARANTINE: nothing leaves to the card until RELEASE, also not what is prepared.  What it answers is taken in, and leads to what it
 * leads to, but the command that follows waits.  Transactions stay open, and claimed ones get their command, which waits.
 *
 * PROBE: the card is asked what it holds, at once and under a fresh counter, in place of the command that is open: it fences it, as the
 * question would that the card's silence leads to.  RESYNC: the same beyond a jump of the counter, CNTR_JUMP_MAX wide, for a card that
 * refuses or does not answer because ours is behind; at most CNTR_JUMPS_MAX in a row without a word under the card's keys.  Jumps are
 * counted between commands: while none has gone under these keys each RESYNC jumps.
 *
 * rc 0; -ENOENT no such card; -EACCES it may not be done now, the reason says why; -ENODATA nothing is open: nobody is asked, but RESYNC
 * has jumped.  gw_post()'s otherwise. */
enum gw_card_verb { CARD_VERB_PROBE, CARD_VERB_RESYNC, CARD_VERB_QUARANTINE, CARD_VERB_RELEASE, _CARD_VERBS };
#define CNTR_JUMPS_MAX 4
const char *gw_card_verb_name(uint8_t verb); /* "probe"; never NULL */
/* kvn: of RESYNC where nothing is open: that of its profile.  bound: an order between operators has the card, and asks its own questions. */
struct gw_card_ask {
	uint64_t card, request;
	enum gw_card_verb verb;
	uint8_t kvn;
	bool bound;
	const char *by;
};
int gw_card_order(struct gw *gw, const struct gw_card_ask *ask);

/* ---- turn ---- */
/* Takes, fetches, decides, commits.  Returns the number of things it did: call again until 0 before sleeping. */
int gw_step(struct gw *gw, int64_t now_ms);
/* When to call again if nothing comes in; INT64_MAX: only events matter. */
int64_t gw_next_due(const struct gw *gw);

/* ---- out ---- */
enum gw_effect_kind { GW_FX_ANSWER, GW_FX_REPLY, GW_FX_TXN };
struct gw_effect {
	uint8_t kind;
	unsigned link; /* ANSWER */
	uint64_t token;
	enum link_answer answer;
	uint64_t request; /* REPLY to a GW_EV_CAMPAIGN, GW_EV_ORDER or GW_EV_CARD */
	int rc;		  /* 0, or -EINVAL/-ENOENT/-EALREADY with a reason; GW_EV_CARD: gw_card_order() */
	char reason[120];
	/* TXN: a transaction of a campaign of works has ended, and that is durable.  Once more, when a late answer has made it DONE
	 * or has told its verdict.  Lost in a crash: whoever listens reads Q_REPORT at start.  rc 0; -ENOENT: gw_txn_settle() has
	 * found no such open transaction, and state is meaningless.  Its reason is above. */
	struct gw_fx_txn {
		uint64_t campaign, txn, card;
		char iccid[ICCID_DIGITS_MAX + 1];
		uint8_t state;	  /* enum txn_state */
		uint8_t verdict;  /* enum work_verdict + 1, 0: the card has said nothing */
		uint8_t evidence; /* 255 none */
		uint8_t card_end; /* enum ota_sub_end + 1, 0 nothing */
		bool maybe_moved; /* ARM or ADVANCE may have run, and nobody knows */
		/* of the card's state, when has_card: */
		bool has_card;
		uint8_t card_state, kvn; /* enum ota_sub_state; of the active pair */
		uint8_t pending;	 /* OTA_SUB_PENDING_* */
		uint16_t index, pairs_left;
		uint64_t cntr; /* of the active pair: the highest accepted */
		int64_t at_ms;
	} txn;
};
bool gw_effect_next(struct gw *gw, struct gw_effect *out);

/* Whether this link should be bound: not, when it is drained and everything that it had has been answered. */
bool gw_link_wanted(const struct gw *gw, unsigned link);

/* The next short message that may leave on this link, at most `room` segments for the whole packet: all segments of a
 * packet follow one another on one link.  Re-checks campaign state and deadline as it drains: a command that may not go
 * any more is withdrawn here.  False when there is none (or not enough room for the next packet). */
bool gw_submit_next(struct gw *gw, unsigned link, unsigned room, int64_t now_ms, struct link_submit *out,
		    uint8_t ud[LINK_UD_MAX]);
/* The link did not take what gw_submit_next() gave: the rest of the packet is not handed out.  rc is what submit() said:
 * -EINVAL can never be sent and ends the command, anything else (went down, -EAGAIN) is tried again. */
void gw_submit_refused(struct gw *gw, unsigned link, uint64_t token, int rc, int64_t now_ms);

/* gw_act(): drains submits into the links and answers back to them, stops and starts links as ordered; returns when rate tokens
 * allow more.  Shared by the shell and the simulator (act.c). */
struct gw_reply_sink {
	void (*reply)(void *ctx, const struct gw_effect *fx);
	void *ctx;
	void (*txn)(void *ctx, const struct gw_effect *fx); /* GW_FX_TXN; NULL: nobody listens */
	void *txn_ctx;
};
int64_t gw_act(struct gw *gw, struct link *const *links, unsigned n_links, const struct gw_reply_sink *sink,
	       int64_t now_ms);

/* Turns a link's event into a posted one; answers FULL itself when the inbox is full. */
void gw_on_link_event(struct gw *gw, struct link *l, const struct link_event *ev);

/* An import has changed this known card in the store (rc STORE_R_UPDATED); to be called from the batch's done(). */
void gw_card_imported(struct gw *gw, const struct store_card_insert *in);

/* A card has come (ST_CARD_TAKE, rc 0 or UPDATED: with its keysets) or gone (ST_CARD_LEAVE: NULL) in the store, as `now` says;
 * likewise. */
void gw_card_moved(struct gw *gw, const struct card_row *now, const struct store_card_insert *in);

/* A campaign that an intake has made READY in the store becomes known to the core. */
int gw_campaign_adopt(struct gw *gw, const struct campaign_row *row, const char *profile_text, size_t len, char *err,
		      size_t err_cap);

/* n more transactions have been planned in the store for this open-ended campaign; to be called from the batch's done(), not before
 * gw_ready() (what is in the store at start is counted).  One that was closed or cancelled meanwhile takes them as well: they are
 * open and must come to an end.  -ENOENT: no such campaign. */
int gw_campaign_grew(struct gw *gw, uint64_t campaign, uint64_t n);

/* A transaction of works is settled elsewhere: what became of an ARM, the new operator's confirmation says.  Ends it as `end` says,
 * whatever the core thought of it; a GW_FX_TXN of that transaction follows in any case.  -EINVAL: `end` is no end; -ENOBUFS. */
int gw_txn_settle(struct gw *gw, uint64_t txn, uint64_t card, enum txn_state end, const char *why);

/* Response packets of known cards that answer nothing of ours: of a card that has come they may be answers to its last operator's
 * commands.  The last GW_STRAYS, oldest first; nobody need take them. */
#define GW_STRAYS 16
struct gw_stray {
	char iccid[ICCID_DIGITS_MAX + 1];
	int64_t at_ms;
	uint16_t len;
	uint8_t packet[LINK_PAYLOAD_MAX];
};
unsigned gw_strays(const struct gw *gw);
bool gw_stray_next(struct gw *gw, struct gw_stray *out);
/* Such a packet of a card of ours, told by whoever got it.  Only its MAC makes it an answer: it is no presence, and no hint.  -EINVAL: too
 * long; -ENOBUFS. */
int gw_told(struct gw *gw, uint64_t card, const uint8_t *packet, size_t len);

/* Whether one more campaign finds a place: CAMPAIGNS_MAX that are not ended.  Ended ones give their place up, oldest first, and
 * are then known to the store alone. */
bool gw_campaign_room(const struct gw *gw);
/* Campaigns that ask one card on an operator's order, by their name, and have not ended.  They leave room for the others: at most
 * PROBES_OPEN_MAX. */
#define GW_PROBE_NAME	"probe."
#define PROBES_OPEN_MAX 64
unsigned gw_probes_open(const struct gw *gw);
/* A READY campaign is about to be dropped from the store: from now on the core does not know it.  -ENOENT, or -EALREADY when
 * it has been started. */
int gw_campaign_forget(struct gw *gw, uint64_t id);

/* ---- to look at ---- */
struct gw_campaign_view {
	struct campaign_row row;
	uint64_t by_state[_TXN_STATES];
	uint64_t by_class[_FAIL_CLASSES]; /* last obstacle of cards not done */
	uint64_t sms_parts, attempts, probes;
	uint64_t prepared, in_flight, waiting_timer, waiting_presence; /* open commands by what they wait for */
	uint64_t waiting_class[_FAIL_CLASSES]; /* last obstacle of cards under way; FAIL_NONE: they met none */
	double done_per_s;		       /* cards that end, smoothed over seconds */
	double long_per_s;		       /* over the last long_ms, at most five minutes */
	int64_t long_ms;
	int64_t eta_ms;	      /* from now, for eta_cards; -1 unknown */
	const char *eta_past; /* no eta, for this comes before: "window", "deadline"; NULL: nothing does */
	int64_t eta_past_ms;  /* when; 0: card by card, in device time */
	uint64_t eta_cards;   /* those left that do not wait for a phone or a timer: when those come nobody knows */
	uint64_t started;     /* cards whose turn has come */
	unsigned canary_group, canary_groups; /* the present one from 1, 0: none, or all are through */
	uint64_t canary_cards;		      /* up to the end of the present group */
	bool canary_waits;		      /* all of them have been started, and are waited for */
	int64_t canary_next_ms; /* from now: the next group opens at the latest; -1: when they have ended */
	int64_t opens_ms;	/* the window is closed until then, 0: open, or in device time */
	unsigned n_abort;	/* thresholds; what they have counted: */
	struct gw_abort_view {
		char rule[RULES_WORDS_MAX]; /* "failed>3%" */
		uint32_t hits, of;	    /* of so many cards */
	} abort[RULES_ABORT_MAX];
};
bool gw_campaign_view(const struct gw *gw, uint64_t id, struct gw_campaign_view *out);
/* Rates and eta of a view anew at this time: where nothing happens the core is not turned, and what it knew grows old. */
void gw_campaign_pace(const struct gw *gw, int64_t now_ms, struct gw_campaign_view *v);
unsigned gw_campaigns_running(const struct gw *gw);
bool gw_campaign_find(const struct gw *gw, const char *name, uint64_t *id);

struct gw_stats {
	uint64_t events, steps, commits, commit_failures, fetches, submits, por_ok, por_hint, por_bad_mac, por_stray,
		por_duplicate, mo_other, alerts, timers, probes, withdrawn, inbox_full, counters_near_end;
	unsigned inbox, inbox_high, resident, resident_high, open, open_high, parked;
	bool store_alarm; /* the store failed and is asked again: see gw_alarm() */
	uint64_t batch_no;
};
void gw_stats(const struct gw *gw, struct gw_stats *out);
/* What things took lately, in this process life; n 0: no measurement yet. */
struct gw_measured {
	unsigned n; /* samples, the last ones */
	int64_t median_ms, p90_ms;
};
void gw_measured_submit(const struct gw *gw, unsigned link,
			struct gw_measured *out);		       /* a packet, until all of it is accepted */
void gw_measured_answer(const struct gw *gw, struct gw_measured *out); /* from there to the card's proof */

/* From now on lines up to this level are made (gw_deps.log_level). */
void gw_log_level(struct gw *gw, int level);

uint32_t gw_epoch(const struct gw *gw); /* what counters taken or imported now belong to */

/* What is wrong with the store at this moment, in a sentence that says what to do; NULL when nothing is. */
#define GW_ALARM_MAX (STORE_WHY_MAX + 160)
const char *gw_alarm(const struct gw *gw);

/* ---- links and routes ---- */
#define LINK_ORDERS_KEY "link-orders" /* meta: what operators have ordered (route_orders_print()) */
#define ROUTE_ALARM_MAX 480
struct gw_link_view {
	uint8_t order;	 /* enum link_order */
	bool up, idle;	 /* idle: drained, and nothing is under way any more */
	bool suspect;	 /* takes submits and answers none */
	unsigned flying; /* segments out */
	int64_t for_ms;	 /* up, or down, so long */
};
void gw_link_view(const struct gw *gw, unsigned link, struct gw_link_view *out);
struct gw_route_view {
	const struct route *route;
	int rank;	   /* that carries it, -1: none can */
	uint32_t serving;  /* a bit per link that would take a packet of it now */
	unsigned prepared; /* wait for a link, or are being handed out */
};
unsigned gw_routes(const struct gw *gw);
void gw_route_view(const struct gw *gw, unsigned route, struct gw_route_view *out);
/* Which route cannot be carried, in a sentence; NULL when all can. */
const char *gw_route_alarm(const struct gw *gw, char out[ROUTE_ALARM_MAX]);

/* Names for every plane: states, evidence. */
const char *txn_state_name(uint8_t s);
const char *cmd_state_name(uint8_t s);
const char *campaign_state_name(uint8_t s);
const char *story_kind_name(uint8_t k);

#endif
