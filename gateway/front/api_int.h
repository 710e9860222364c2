/* api_int.h - what the files of the api share; nothing outside gateway/front includes it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_API_INT_H
#define OTAGW_API_INT_H

#include "api.h"
#include "csv.h"
#include "seen.h"
#include "words.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define SESSION_ID_MAX	  16
#define ICCID_DIGITS_MIN  18
#define IMSI_DIGITS_MIN	  6
#define MSISDN_DIGITS_MIN 5

/* Digits of one kind as they come in and how they are called. */
enum number { NUM_ICCID, NUM_IMSI, NUM_MSISDN, _NUMBERS };
extern const char *const number_name[_NUMBERS];

/* The columns a list may have; >= COL_KEYS: of some key version. */
enum column { COL_ICCID, COL_IMSI, COL_MSISDN, COL_IGNORED, COL_TZ, COL_KEYS };
enum key_column { KEY_KIC, KEY_KID, KEY_KIK, KEY_CNTR, KEY_GEN, _KEY_COLUMNS };
#define COL_KEY(kind, slot) (COL_KEYS + (kind)*CARD_KEYSETS_MAX + (slot)) /* slot: of the request */

enum session_kind { SESSION_IMPORT, SESSION_CAMPAIGN };

/* Which cards of an ended campaign: bits of enum txn_state and enum fail_class. */
struct retry_pick {
	uint32_t states, classes;
	bool may_have_run;
};

/* An intake: a list that comes in chunk by chunk. */
struct session {
	uint8_t kind; /* enum session_kind */
	char id[SESSION_ID_MAX];
	bool dry_run, busy; /* busy: a chunk or the finish is with the store */
	int64_t touched_ms;
	unsigned n_columns;		/* 0: the header has not come yet */
	uint8_t column[CSV_FIELDS_MAX]; /* enum column by position */
	uint64_t next_line;		/* the next chunk begins here */
	uint64_t last_first;		/* `first` of the chunk before: sent again, its answer is repeated */
	struct api_lines last, total;
	struct seen seen[_NUMBERS];
	/* SESSION_IMPORT */
	struct api_import_req import;
	struct ks_keyset_spec spec[CARD_KEYSETS_MAX];
	size_t key_len[CARD_KEYSETS_MAX]; /* octets that aesNNN demands, 0: any */
	/* SESSION_CAMPAIGN */
	struct campaign_row campaign;
	struct store_filter filter;
	uint64_t source; /* the campaign whose cards are tried again, 0: a list comes in */
	char source_name[CAMPAIGN_NAME_MAX];
	struct retry_pick pick;
	uint64_t taken; /* cards of it looked at */
	struct profile profile;
	char *profile_text;
	size_t profile_len;
};

/* One request that waits for the store or the core. */
struct call {
	struct call *prev, *next;
	struct api *a;
	struct api_to to;
	uint64_t request;	      /* core: id of the verb */
	void (*drop)(struct call *c); /* frees what hangs on it; may be NULL */
	void (*reply)(struct call *c,
		      const struct gw_effect *fx); /* the core's to this request; NULL: of a campaign or a link */
};

struct api {
	struct api_deps deps;
	struct session *session[API_SESSIONS_MAX];
	struct call calls; /* ring head */
	unsigned n_calls;
	uint64_t next_session, next_request, next_campaign;
	unsigned probes_planned; /* campaigns of one card that the store has not answered for yet */
	bool stopping;
	struct desk *desk;	     /* NULL: no orders between operators */
	struct exchange *exchange;   /* likewise */
	char damaged[STORE_WHY_MAX]; /* a question has met it: stays an alarm */
	char route_alarm[ROUTE_ALARM_MAX];
};

int64_t api_now(const struct api *a);
void api_log(const struct api *a, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- answers ---- */
void api_fail(struct api_to to, enum api_status status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The store's error as an answer. */
void api_fail_store(struct api *a, struct api_to to, int rc, const char *why);

/* ---- calls ---- */
/* A call of `size` octets that begins with struct call, zeroed; NULL after answering "too many" or "no memory". */
void *call_new(struct api *a, size_t size, struct api_to to, void (*drop)(struct call *c));
void call_free(struct call *c);

/* ---- sessions (api_session.c) ---- */
struct session *session_new(struct api *a, enum session_kind kind, const char *prefix, struct api_to to);
struct session *session_find(struct api *a, enum session_kind kind, const char *id);
void session_drop(struct api *a, struct session *s);
struct session *session_of_campaign(struct api *a, uint64_t campaign);

/* One chunk on its way through the store. */
struct chunk {
	struct call call;
	char session[SESSION_ID_MAX];
	uint64_t first, next_line;
	struct store_batch *batch;
	uint64_t *line; /* of each operation of the batch, by its index; 0: not a line's */
	size_t n_lines, lines_cap;
	struct api_lines out;
	struct api_reject *reject;
	size_t reject_cap;
	struct store_query q; /* of a retry: the rows it looks at */
	struct store_report *rows;
	uint64_t n_rows;
	bool header; /* the names of the columns came in it */
	bool oom;
};
/* One line of a list: checks it and either adds operations or calls chunk_reject(). */
typedef void line_fn(struct api *a, struct session *s, struct chunk *ch, struct csv_record *r);
/* The header: fills s->column or answers and returns -1. */
typedef int header_fn(struct session *s, struct csv_record *r, char *why, size_t cap);

/* An empty chunk, when it is the one that is due; NULL after answering.  Its `oom` may be set. */
struct chunk *chunk_open(struct api *a, struct session *s, uint64_t first, size_t len, struct api_to to);
/* Runs a chunk of lines: header on line 1, each record through `each`.  The text is wiped.  NULL after answering. */
struct chunk *chunk_read(struct api *a, struct session *s, uint64_t first, char *text, size_t len, struct api_to to,
			 header_fn *header, line_fn *each);
void chunk_reject(struct chunk *ch, uint64_t line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
struct store_op *chunk_op(struct chunk *ch, enum store_op_kind kind, const void *row, const void *bytes, size_t len,
			  uint64_t line);
/* Hands the batch to the store; `op` judges each operation when it is through. */
void chunk_commit(struct chunk *ch, void (*done)(struct store_batch *b, int rc));
/* Answers and ends a chunk whose operations have been judged; s may have gone meanwhile (NULL). */
void chunk_end(struct chunk *ch, struct session *s);
/* The commit failed: the chunk may be sent again. */
void chunk_failed(struct chunk *ch, struct session *s, int rc, const char *why);
/* Maps header names to columns.  keyset: the versions asked for (imports), n_keysets 0: no key columns are known. */
int header_map(struct session *s, const struct csv_record *r, const char *const *known, size_t n_known, char *why,
	       size_t cap);
/* The field of a column, "" when the list has no such column. */
char *line_field(const struct session *s, const struct csv_record *r, unsigned column);

/* ---- checks (check.c) ---- */
/* Each fills `out` with digits alone or says why not; `out` has room for ICCID_DIGITS_MAX + 1. */
int check_number(enum number what, const char *text, char *out, char *why, size_t cap);
/* Within the list: 0, or -1 naming the other line. */
int check_seen(const struct session *s, enum number what, const char *digits, uint64_t line, char *why, size_t cap);
/* The store's per-operation refusal in words. */
void store_reason(char *out, size_t cap, int rc, const char *iccid, const char *imsi, const char *msisdn, unsigned kvn,
		  const char *profile);
/* ... and of a target. */
void plan_reason(char *out, size_t cap, int rc, const struct store_txn_plan *p, const char *profile);

/* Whether the core has read its state; else it has been answered. */
bool api_ready(const struct api *a, struct api_to to);
/* Whether an order to a card may be looked at: that, and an ICCID, whose digits these are; else it has been answered. */
bool card_orderable(struct api *a, const char *iccid, char digits[ICCID_DIGITS_MAX + 1], struct api_to to);

/* ---- which cards are meant (filter.c) ---- */
/* 0, or -1 with a sentence. */
int filter_parse(struct store_filter *f, const char *filter, const char *range, int64_t now_ms, char *why, size_t cap);

/* Reads the profile's text.  Length, or -1 with a sentence. */
int profile_read(const struct api *a, const char *name, char text[PROFILE_TEXT_MAX + 1], char *why, size_t cap);
/* Whether there is such a profile in the profile-dir; else it has been answered. */
bool profile_known(const struct api *a, const char *name, struct api_to to);

/* ---- campaigns ---- */
/* source: the ended campaign whose cards are tried again, NULL: a list will come. */
void campaign_create(struct api *a, const struct api_campaign_req *req, const struct campaign_row *source,
		     struct api_to to);
int campaign_dry_prefix(struct chunk *ch, const struct session *s);
void campaign_commit(struct chunk *ch);
/* ---- retries (api_retry.c) ---- */
/* 0, or -1 with a sentence. */
int retry_pick(struct retry_pick *p, const struct api_campaign_req *req, char *why, size_t cap);
void retry_create(struct api *a, const struct api_campaign_req *req, struct api_to to);
void retry_take(struct api *a, struct session *s, uint64_t first, size_t len, struct api_to to);
/* From the core; false when it does not hold it (any more): then there is the row alone. */
bool campaign_view(struct api *a, const struct campaign_row *row, struct api_campaign *out);
/* Drops a LOADING or READY campaign that nobody will finish; a failure is logged.  False: too many requests wait. */
bool campaign_abandon(struct api *a, const struct campaign_row *row);

/* ---- campaigns that the core does not hold (api_lookup.c) ---- */
struct lookup {
	char name[CAMPAIGN_NAME_MAX];
	uint64_t after;		     /* what the asker wants to know again: a report's page, */
	unsigned number;	     /* its limit, or a verb */
	struct api_campaign_req req; /* of a retry */
};
typedef void lookup_fn(struct api *a, const struct campaign_row *row, const struct lookup *arg, struct api_to to);
/* Calls `then` with the stored row of this name, or answers that there is none. */
void campaign_lookup(struct api *a, const char *name, uint64_t after, unsigned number, lookup_fn *then,
		     struct api_to to);
void campaign_lookup_with(struct api *a, const struct lookup *arg, lookup_fn *then, struct api_to to);
lookup_fn campaign_show_stored;

#define ROWS_PAGE 256
/* The stored rows of all campaigns, ascending; of more than API_CAMPAIGNS_MAX those that ended first are left out. */
struct campaign_rows {
	void (*done)(struct campaign_rows *r, int rc); /* the caller's */
	void *ctx;
	unsigned n;
	struct campaign_row row[API_CAMPAIGNS_MAX];
	/* inside */
	struct store *store;
	struct store_query q;
	struct campaign_row page[ROWS_PAGE];
};
void campaign_rows_read(struct api *a, struct campaign_rows *r);

/* ---- orders between operators ---- */
void api_exchange_look(struct api *a, struct api_exchange *out);

/* ---- the gateway ---- */
/* Why nothing moves, NULL: no alarm. */
const char *api_alarm(struct api *a);

#endif
