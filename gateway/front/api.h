/* api.h - the only door: typed requests, every check once, answers by callback.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * HTTP and, later, VTY and CTRL put what they read into these calls and print what comes back.  Each call answers exactly
 * once through its `done`, at once or when the store has completed; what the reply points to lives until done() returns.
 * The caller may go away meanwhile: that is its own affair, the api never asks.  One thread, the core's.
 */
#ifndef OTAGW_API_H
#define OTAGW_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ota/keystore.h"
#include "ota/link.h"
#include "../core/gw.h"
#include "../env.h"
#include "../store/store.h"
#include "../desk/desk.h"
#include "decode.h"
#include "estimate.h"
#include "events.h"
#include "exchange_tls.h"

#define API_CHUNK_LINES_MAX  5000 /* lines in one chunk of a list */
#define API_CHUNK_BYTES_MAX  (1024 * 1024)
#define API_SESSIONS_MAX     16	      /* intakes under way */
#define API_SESSION_IDLE_MS  600000   /* an intake that was left alone this long makes room for a new one */
#define API_LIST_LINES_MAX   20000000 /* lines of one list */
#define API_CALLS_MAX	     256      /* requests waiting for the store or the core */
#define API_FILTER_MAX	     256
#define API_RANGE_MAX	     48
#define API_WORDS_MAX	     160
#define API_TEXT_MAX	     512
#define API_REASON_MAX	     200
#define API_REPORT_ROWS_MAX  1000
#define API_CARDS_MAX	     1000
#define API_CAMPAIGNS_MAX    1000
#define API_CAMPAIGNS_OPEN   256    /* that have not ended: as many as the core holds (gw_campaign_room()) */
#define API_LIST_COUNTED_MAX 200000 /* cards counted in one list of campaigns, for those the core does not hold */
#define API_CARD_CMDS_MAX    256    /* commands shown of one card */
#define API_CARD_STORY_MAX   2000   /* entries shown of one card's story */
#define API_BOOK_ROWS_MAX    1000   /* orders, lines, packages in one page */
#define API_STEPS_MAX	     _LINE_STEPS

enum api_status {
	API_OK = 200,
	API_BAD = 400, /* malformed */
	API_NOT_FOUND = 404,
	API_REFUSED = 409, /* by a rule */
	API_TOO_LARGE = 413,
	API_NOT_READY = 503, /* starting, stopping, store in alarm: try again */
};

struct api_reject {
	uint64_t line;
	char reason[API_REASON_MAX];
};

/* Of one chunk, or of the whole list after finish. */
struct api_lines {
	uint64_t accepted, updated, unchanged, rejected; /* imports: updated ones were there before */
	uint64_t filtered;				 /* campaigns: lines of cards that are not meant */
	uint64_t may_have_run;				 /* retries: cards that were left out for that */
	bool end;					 /* retries: that was the last card */
	uint64_t packets, sms_parts;	  /* campaigns: what would be or will be sent when every first attempt works */
	uint64_t route_parts[ROUTES_MAX]; /* of sms_parts: by the route of their card */
	uint64_t next_line;		  /* `first` of the next chunk */
	const struct api_reject *reject;  /* n_reject of them, of this chunk only */
	size_t n_reject;
	bool total;	   /* of the whole list: after finish */
	const char *state; /* campaign state after finish, else NULL */
	uint64_t seen;	   /* campaigns: of the accepted cards those that were seen within SEEN_LATELY_MS */
	const struct estimate *estimate; /* campaigns, after finish */
};

struct api_created {
	const char *id;	     /* imports: the session.  campaigns: NULL */
	const char *name;    /* campaigns */
	const char *profile; /* the same */
	uint64_t campaign;   /* 0: dry run */
	const char *session; /* dry run of a campaign, else NULL */
};

struct api_campaign {
	struct campaign_row row;
	bool counted; /* view is filled in */
	struct gw_campaign_view view;
	const char *alarm; /* why nothing moves, NULL: no alarm */
};
struct api_campaigns {
	const struct api_campaign *campaign;
	size_t n;
};
struct api_verb {
	const char *name;
	const char *state; /* "RUNNING", ...; "DELETED" */
	const char *text;  /* of an order to a card: what has been done; else NULL */
};

struct api_report {
	const struct store_report *row;
	size_t n;
	uint64_t next; /* `after` of the next page, 0: that was all */
};
struct api_cards {
	const struct card_row *card;
	size_t n;
	uint64_t next;
};

struct api_cmd_view {
	struct cmd_row row;
	const uint8_t *packet; /* NULL: not kept */
	size_t packet_len;
	struct decoded decoded;
};
struct api_story_view {
	struct store_story story;
	const uint8_t *octets; /* the packet this is about; NULL: none */
	size_t octets_len;
	struct decoded *decoded; /* NULL: nothing to decode */
	bool own_decoded;	 /* else it is a command's */
};
struct api_card {
	struct card_bundle bundle;
	char campaign[CAMPAIGN_NAME_MAX]; /* of bundle.txn, "" when not known */
	bool has_hold;
	struct hold hold;	  /* its active pair, as a hand-over or a change left it */
	struct api_cmd_view *cmd; /* oldest first */
	size_t n_cmds;
	struct api_story_view *story; /* oldest first */
	size_t n_story;
	bool cut;      /* there is more than is shown */
	uint64_t next; /* `after` of what follows in the story, also of what is yet to come */
};

struct api_link_status {
	const char *name;
	struct link_stats stats;
	struct gw_link_view view;
};
struct api_links {
	const char *alarm; /* of a route that cannot be carried, NULL: none */
	const struct api_link_status *link;
	unsigned n_links;
	const struct gw_route_view *route;
	unsigned n_routes;
};
/* Orders between operators. */
struct api_books {
	uint8_t book; /* enum book */
	const struct store_book *row;
	size_t n;
	const char *next;		      /* `after` of the next page, NULL: that was all */
	bool alone;			      /* one record that was asked for */
	const struct store_book_count *count; /* of an order: its lines by step */
	size_t counts;
};
struct api_exchange {
	bool on, ready;
	unsigned orders, alarms, waiting; /* open orders, those with an alarm, packages that wait for a partner */
	char alarm[256];
	struct desk_stats stats;
	struct exchange_view partner[EXCHANGE_PARTNERS_MAX];
	unsigned n;
};

struct api_gw_status {
	const char *version;
	bool ready;
	const char *alarm; /* NULL: none */
	struct api_links links;
	struct store_totals totals;
	struct api_campaigns campaigns;
	struct gw_stats core;
	struct ks_stats keystore;
	const struct api_exchange *exchange; /* NULL: no orders between operators */
};

struct api_events {
	const struct event_line *line[EVENTS_MAX];
	unsigned n;
	uint64_t last; /* `after` of the next question */
};

struct api_reply {
	enum api_status status;
	const char *code;	    /* status != OK: "no-such-campaign" */
	char message[API_TEXT_MAX]; /* status != OK: what, where, what to do; never key material */
	/* of the call that was made; NULL otherwise */
	const struct api_created *created;
	const struct api_lines *lines;
	const struct api_campaigns *campaigns;
	const struct api_campaign *campaign;
	const struct api_verb *verb;
	const struct api_report *report;
	const struct api_cards *cards;
	const struct api_card *card;
	const struct api_gw_status *gw;
	const struct api_links *links;
	const struct decoded *decoded;
	const struct api_events *events;
	const struct api_books *books;
	const struct api_exchange *exchange;
	const char *file; /* a package, to be sent as it is */
};

/* Who is to be answered. */
struct api_to {
	void (*done)(void *ctx, const struct api_reply *r);
	void *ctx;
};

struct api_deps {
	struct gw *gw;
	struct store *store;
	struct ks *ks;
	const struct env *env;
	const struct errtab *errtab; /* what profiles do not say themselves */
	const char *profile_dir;
	bool read_only;	      /* role viewer alone: nothing is ordered through this door */
	bool address_by_imsi; /* as the core sends; false: a card without MSISDN cannot be a target */
	struct link *const *links;
	unsigned n_links;
	const struct config_price *price; /* of a short message; NULL: not said */
	const char *version;
	const struct events *events; /* may be NULL */
	void (*kick)(void *ctx);     /* something was posted to the core: take a turn soon; may be NULL */
	void *kick_ctx;
	void (*log)(void *ctx, int level, const char *line); /* levels as syslog; may be NULL */
	void *log_ctx;
};

struct api;
struct api *api_new(const struct api_deps *deps);
/* Before gw_start(): drops campaigns whose list never finished coming in and learns the last campaign id.  Waits for the
 * store.  0, or -1 with a sentence. */
int api_start_cleanup(struct api *a, char *err, size_t err_cap);
/* Answers what is still open with "stopping".  The store must have been closed before. */
void api_free(struct api *a);

/* Orders between operators: until then, and without them, what is asked about them is answered "not configured". */
void api_attach(struct api *a, struct desk *desk, struct exchange *exchange);
/* The next number of a campaign: they come from one place. */
uint64_t api_campaign_id(struct api *a);
bool api_read_only(const struct api *a);

/* GW_FX_REPLY effects go here. */
void api_on_effect(struct api *a, const struct gw_effect *fx);

/* ---- cards ---- */
struct api_import_req {
	unsigned n_keysets;
	struct {
		unsigned kvn;
		char alg[16];	 /* as ks_alg_parse() knows them */
		uint64_t cntr;	 /* the value the first command takes, 1.. ; a line may have its own, and its own gen */
		unsigned cc_len; /* 0: 8 */
		uint32_t gen;	 /* generation: which keys of this version */
	} keyset[CARD_KEYSETS_MAX];
	char profile[PROFILE_NAME_MAX]; /* the card profile they are made for, "" not said */
	bool dry_run;
};
void api_import_create(struct api *a, const struct api_import_req *r, struct api_to to);
/* text[len] is writable; the text is wiped before this returns: it holds keys. */
void api_import_lines(struct api *a, const char *id, uint64_t first, char *text, size_t len, struct api_to to);
void api_import_finish(struct api *a, const char *id, struct api_to to);

/* Pages of all cards. */
void api_cards(struct api *a, uint64_t after, unsigned limit, struct api_to to);
void api_card_show(struct api *a, const char *iccid, struct api_to to);
/* The card that has this IMSI now: its bundle alone, without commands that have ended and without story. */
void api_card_find(struct api *a, const char *imsi, struct api_to to);
/* Somebody knows that its phone is reachable now: as an alert_notification of the SMSC. */
void api_card_present(struct api *a, const char *iccid, struct api_to to);
/* core/gw.h says what each does; by: who orders it, for the card's story. */
void api_card_order(struct api *a, const char *iccid, enum gw_card_verb verb, const char *by, struct api_to to);
/* The same as show, of its story only what follows this entry. */
void api_card_story(struct api *a, const char *iccid, uint64_t after, struct api_to to);

/* ---- campaigns ---- */
struct api_campaign_req {
	char name[CAMPAIGN_NAME_MAX];
	char profile[PROFILE_NAME_MAX];
	char rules[CAMPAIGN_RULES_MAX]; /* as core/rules.h reads them, "" none */
	char filter[API_FILTER_MAX];	/* "lastseen<30d and kvn=1", "" all */
	char range[API_RANGE_MAX];	/* of ICCIDs "8988211000..8988211499", "" all */
	bool dry_run;
	/* The cards of an ended campaign instead of a list; profile "": its own. */
	char retry_of[CAMPAIGN_NAME_MAX];
	char only[API_WORDS_MAX],
		cls[API_WORDS_MAX]; /* outcomes "failed,cancelled", classes "ABSENT"; "" failed; all */
	bool may_have_run;	    /* those too whose command may have run */
};
void api_campaign_create(struct api *a, const struct api_campaign_req *r, struct api_to to);
/* session NULL: the campaign's real intake.  A retry takes no text: each call looks at the next cards of the old campaign. */
void api_campaign_lines(struct api *a, const char *name, const char *session, uint64_t first, char *text, size_t len,
			struct api_to to);
void api_campaign_finish(struct api *a, const char *name, const char *session, struct api_to to);
void api_campaign_verb(struct api *a, const char *name, enum gw_campaign_verb verb, struct api_to to);
void api_campaign_delete(struct api *a, const char *name, struct api_to to);
void api_campaign_list(struct api *a, struct api_to to);
void api_campaign_show(struct api *a, const char *name, struct api_to to);
void api_campaign_report(struct api *a, const char *name, uint64_t after, unsigned limit, struct api_to to);

/* ---- orders between operators ---- */
void api_orders(struct api *a, const char *after, unsigned limit, struct api_to to);
void api_order_show(struct api *a, const char *name, struct api_to to);
/* step: its name, "" all; after: an ICCID, "" from the first on. */
void api_order_lines(struct api *a, const char *name, const char *step, const char *after, unsigned limit,
		     struct api_to to);
/* Of an order, or with "" those that belong to none that is known here. */
void api_parcels(struct api *a, bool out, const char *order, const char *after, unsigned limit, struct api_to to);
void api_vault_cards(struct api *a, const char *after, unsigned limit, struct api_to to);
void api_vault_card(struct api *a, const char *iccid, struct api_to to);
void api_vault_ledger(struct api *a, const char *after, unsigned limit, struct api_to to);
/* done and ctx of the request are set here. */
void api_desk(struct api *a, const struct desk_request *r, struct api_to to);
void api_exchange(struct api *a, struct api_to to);
void api_exchange_import(struct api *a, const char *path, struct api_to to);
void api_exchange_file(struct api *a, bool out, const char *partner, uint64_t seq, struct api_to to);

/* ---- the gateway ---- */
void api_status(struct api *a, struct api_to to);
void api_links(struct api *a, struct api_to to);
/* The status without what the store would be asked for: no totals, no campaigns.  Answered at once. */
void api_counters(struct api *a, struct api_to to);
/* Blocks, drains or opens a link; answered when that is durable. */
void api_link_order(struct api *a, const char *name, enum link_order order, struct api_to to);
void api_explain(struct api *a, const char *packet_hex, struct api_to to);
/* The last lines of the log that are kept, after number `after`, at most `limit` and the newest of them. */
void api_events(struct api *a, uint64_t after, unsigned limit, struct api_to to);

#endif
