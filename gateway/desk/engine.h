/* engine.h - the engine's own: the one job under way, packages, events, the HLR's outbox.  The sides see desk_int.h alone.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_DESK_ENGINE_H
#define OTAGW_DESK_ENGINE_H

#include "desk_int.h"

#define DESK_OUTS_MAX	  16   /* packages that one job writes */
#define DESK_EVENTS_MAX	  4096 /* that wait; more are read again from the store */
#define DESK_REQUESTS_MAX 16   /* operators' orders that wait */
#define DESK_IN_MAX	  1024 /* files of dir/in in one look */
#define DESK_RETRY_MS	  100  /* first delay of a commit that failed; doubles */
#define DESK_RETRY_MAX_MS 10000
#define DESK_AGAIN_MS	  1000 /* first delay of a work that failed; doubles */
#define DESK_AGAIN_MAX_MS 300000
#define DESK_RERUNS_MAX	  4  /* of a job whose records changed under it, before it waits */
#define DESK_REFUSED_MAX  16 /* of a job that is decided again with what was refused */
#define DESK_CARRY_MS	  30000
#define DESK_CARRY_MAX_MS 600000
#define DESK_CARRY_TURN \
	8 /* packages that are carried again in one turn: each may have to be signed anew, and is flushed then */
#define DESK_RENEW_PART 8	    /* of its life, which is left when a package is signed anew */
#define DESK_OVERDUE_MS 259200000ll /* a package that is not acknowledged for so long is told of: 3 days */
#define DESK_AWAITED_MS 600000ll    /* a number that has not come while later ones have is told of: 10 min */
#define DESK_HLR_MS	1000	    /* after "temporary": first delay of all operations; doubles */
#define DESK_HLR_MAX_MS 60000
#define DESK_SCAN_PAGE	256 /* txns of a report */

/* ---- the one job (job.c) ---- */

struct desk_run;
struct desk_run_ops {
	const char *name;
	/* Each may be NULL.  rows, also: put the question into r->q and return true; false: nothing to read. */
	bool (*rows)(struct desk *d, struct desk_run *r);
	bool (*also)(struct desk *d, struct desk_run *r);
	/* ICCID of the card to be read beside row i, NULL: none */
	const char *(*card)(struct desk *d, struct desk_run *r, unsigned i);
	/* 0: what is in the batch is committed (when there is something); negative: nothing is, failed() is told. */
	int (*decide)(struct desk *d, struct desk_run *r);
	void (*after)(struct desk *d, struct desk_run *r); /* durable */
	void (*failed)(struct desk *d, struct desk_run *r, int rc);
	bool dry; /* nothing is committed, whatever decide() did */
};

enum run_stage { RUN_IDLE, RUN_ROWS, RUN_ALSO, RUN_CARDS, RUN_DECIDE, RUN_COMMIT, RUN_COMMITTED };

struct run_refused {
	char tag[BOOK_KEY_MAX];
	int16_t rc;
};

struct desk_out {
	struct desk_job *j;
	struct pkg_writer *w;
	const struct xchg_schema *schema;
	unsigned partner;
	uint64_t owner;
	struct parcel parcel;
	uint8_t step; /* enum parcel_step that it is put with */
	char path[512];
	bool closed;
};

struct run_settle {
	uint64_t order;
	char iccid[ICCID_DIGITS_MAX + 1];
	enum txn_state end;
	char why[64];
};

struct desk_run {
	struct desk_job j;
	const struct desk_run_ops *ops;
	uint8_t stage;	  /* enum run_stage */
	unsigned pending; /* questions or a commit under way */
	int store_rc;	  /* of these */
	char store_why[STORE_WHY_MAX];
	int64_t retry_ms; /* a failed commit is tried again then */
	int64_t delay_ms;
	unsigned reruns;
	struct store_query q;
	struct store_query *card_q; /* DESK_PAGE_CARDS */
	char (*keys)[BOOK_KEY_MAX]; /* DESK_PAGE: of q */
	char (*tag)[BOOK_KEY_MAX];  /* DESK_PAGE: what row i is known by over a rerun */
	struct run_refused *refused;
	unsigned n_refused;
	/* what decide() did */
	bool *put;	/* DESK_PAGE: line i is put */
	uint16_t *step; /* to this step */
	bool *planned;	/* DESK_PAGE */
	uint32_t *op_line;
	size_t op_line_cap;
	bool order_put;
	struct order order_was;
	struct desk_open_order *order_new;
	uint64_t seq_in[DESK_PARTNERS_MAX], seq_out[DESK_PARTNERS_MAX]; /* 0: as it was */
	struct desk_out out[DESK_OUTS_MAX];
	unsigned outs;
	struct campaign_row campaign[ORDER_WORKS]; /* id != 0: made in this job */
	unsigned campaign_try;			   /* its name was taken so many times */
	bool hlr_put;
	char (*hlr_key)[BOOK_KEY_MAX]; /* operations put in this job */
	unsigned hlr_keys;
	struct run_settle *settle;
	unsigned settles;
	/* whose job it is */
	unsigned work; /* index of the work */
	bool full;     /* the page was */
	char last[BOOK_KEY_MAX];
	const struct desk_verb_row *verb;
	uint8_t verb_book;
	bool verb_step;
};

/* ---- packages in (in.c, in_read.c) ---- */
enum in_phase { IN_NONE, IN_LOOK, IN_CHECK, IN_REFUSE, IN_WAIT, IN_ACCEPT, IN_APPLY, IN_ACK, IN_DONE };
struct in_part { /* of the package, opened */
	bool have;
	unsigned part, n;
	uint64_t first;
	char *text; /* records, each with its NUL */
	size_t *at; /* where each begins */
	size_t len, cap, at_cap;
};
#define IN_SKIPPED_MAX 64 /* records that are named in an ACK */
struct desk_incoming {
	uint8_t phase; /* enum in_phase */
	char file[256], path[600];
	bool held; /* its file stands in dir/held under its own name */
	bool late; /* it has expired; no->why says so */
	struct desk_in in;
	uint64_t version;  /* of its BOOK_IN row, 0: none yet */
	bool named;	   /* there is, or was, an order of its name */
	uint64_t replaces; /* version of what the books have of one that was refused, 0: none */
	struct desk_no no;
	uint64_t no_record; /* from 1; 0: not about one */
	bool consumes;	    /* a refusal takes the sequence number, */
	bool tell;	    /* and is told to the sender */
	uint64_t again;	    /* known: sequence of the ACK that is carried again */
	const char *folder; /* known: where its file goes; NULL: it is removed */
	bool stay;	    /* known: and waits on */
	int64_t due_ms;	    /* after a failure */
	unsigned fails;
	/* passes */
	bool checked; /* whole */
	struct in_part part;
	uint64_t cursor; /* of pass 1 */
	unsigned n;	 /* records of this chunk */
	bool begun;	 /* begin() of this pass */
	bool refused;	 /* pass 1 */
	struct desk_rec *rec;
	struct xchg_record *split;
	char **copy;
	uint64_t skipped, skipped_now; /* records; of this chunk */
	struct in_skipped {
		uint64_t n;
		char rule[32];
	} skip[IN_SKIPPED_MAX];
	/* an ACK's */
	bool rejected;
	char rule[32];
	uint64_t acked[DESK_PAGE_CARDS];
	unsigned ack_acks;
};
struct parked { /* in dir/held, its number taken: for its order to become known, or to go on after a start */
	unsigned partner;
	uint64_t seq;
	char order[PKG_WORD_MAX + 1];
	bool look;
};

/* ---- packages out (out.c) ---- */
struct unacked {
	unsigned partner;
	uint64_t seq, order;
	uint8_t id[PKG_ID_LEN];
	bool ack;     /* an ACK itself: is done with when it was carried, or anything behind it was acknowledged */
	bool carried; /* transport's word */
	int64_t at_ms, expires_ms; /* expires_ms 0: its file says when */
	int64_t due_ms, delay_ms;
};

struct partner_seq {
	uint64_t in, out, version;
};

/* ---- HLR (hlr.c) ---- */
enum hlr_slot_state { SLOT_FREE, SLOT_OPEN, SLOT_ANSWERED };
struct hlr_slot {
	uint8_t state;
	bool durable, stale;
	uint8_t kind;
	uint32_t gen;
	uint64_t order, version;
	char iccid[ICCID_DIGITS_MAX + 1];
	char key[BOOK_KEY_MAX];
	int64_t asked_ms;
	bool marks; /* a look with marks */
	struct line_mark known;
};

struct desk_engine {
	struct desk_tables tables;
	const struct desk_work *work[DESK_WORKS_MAX];
	unsigned works;
	char fatal[DESK_ERR_MAX];
	char alarm[DESK_ERR_MAX];
	const void *alarm_of;
	struct desk_stats stats;
	struct desk_open_order *order[DESK_ORDERS_MAX];
	unsigned orders;
	struct partner_seq seq[DESK_PARTNERS_MAX];
	struct desk_run run;
	unsigned turn;	      /* which kind of job comes next */
	unsigned pick;	      /* where the search for work goes on */
	int64_t works_due_ms; /* none is due before */
	/* start */
	uint8_t starting; /* 0: through */
	char start_after[BOOK_KEY_MAX];
	int64_t start_due_ms;
	/* events */
	struct desk_event *event;
	unsigned events;
	int64_t events_due_ms;
	struct desk_event taken[DESK_EVENT_PAGE];
	unsigned n_taken;
	unsigned events_fails;
	struct store_report *report;
	unsigned scan_order;
	/* in */
	bool in_look;
	char (*in_name)[256]; /* 2 * DESK_IN_MAX */
	unsigned in_names, in_at;
	struct desk_incoming incoming;
	uint32_t refused_n;
	bool partner_look[DESK_PARTNERS_MAX]; /* its next package may wait in dir/held */
	struct ahead { /* of a partner's numbers the highest that has come, and since when the one behind `in` is missed */
		uint64_t high, in;
		int64_t since_ms;
	} ahead[DESK_PARTNERS_MAX];
	struct parked *parked;
	unsigned n_parked, parked_cap;
	/* out */
	struct unacked *unacked;
	unsigned n_unacked, unacked_cap;
	bool carried;
	int64_t carried_due_ms;
	struct carried {
		unsigned partner;
		uint64_t seq;
	} carried_as[DESK_PAGE_CARDS];
	struct out_file { /* at start */
		char file[PARCEL_FILE_MAX];
		unsigned partner;
		uint64_t seq;
		bool fresh; /* nobody has said that it is durable */
	} * out_file;
	unsigned out_files, out_files_cap, out_at;
	bool out_listed, restored;
	/* plan */
	struct run_settle *settle;
	unsigned settles, settles_cap;
	int64_t settle_due_ms;
	/* hlr */
	struct hlr_slot slot[HLR_OPEN_MAX];
	unsigned slots_open;
	uint32_t slot_gen;
	int64_t hlr_until_ms, hlr_delay_ms;
	bool hlr_full;
	bool started; /* works may run */
	/* stray.c */
	struct gw_stray stray[GW_STRAYS];
	unsigned strays;
	/* operators */
	struct desk_call call[DESK_REQUESTS_MAX];
	bool call_more;
	unsigned calls;
};

/* job.c */
bool run_begin(struct desk *d, const struct desk_run_ops *ops, struct desk_open_order *order);
int run_turn(struct desk *d); /* 0: nothing could be done */
bool run_new(struct desk *d, char err[DESK_ERR_MAX]);
void run_free(struct desk *d);
bool run_keys(struct desk_run *r, enum book book, unsigned n, struct store_book *out);
void run_drop_outs(struct desk_run *r);
int64_t grown(int64_t delay_ms, int64_t first_ms, int64_t max_ms);
bool work_next(struct desk *d);
int64_t work_due(struct desk *d);
struct desk_open_order *order_add(struct desk *d, const struct order *o, uint64_t version);
void order_forget(struct desk *d, struct desk_open_order *o);
void desk_alarm(struct desk *d, const void *of, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void desk_alarm_over(struct desk *d, const void *of);
int partner_index(const struct desk *d, const char *name); /* -1 */

/* out.c */
struct desk_out *out_open_for(struct desk_job *j, enum xchg_type type, unsigned partner, const char *order,
			      uint64_t owner, const uint8_t *about);
void out_path(const struct desk *d, const char *folder, unsigned partner, uint64_t seq, char path[512]);
void out_durable(struct desk *d, struct desk_run *r);
void out_carry(struct desk *d, unsigned partner, uint64_t seq, bool sent);
struct unacked *unacked_by_id(struct desk *d, unsigned partner, const uint8_t id[PKG_ID_LEN]);
bool unacked_add(struct desk *d, const struct unacked *u);
void unacked_drop(struct desk *d, unsigned partner, uint64_t seq);
bool out_next(struct desk *d); /* a job about what was carried; carries what is due */
int64_t out_due(const struct desk *d);
bool out_start(struct desk *d);
void out_overdue(const struct desk *d, char text[DESK_ERR_MAX]); /* "": nothing is */
void in_awaited(const struct desk *d, char text[DESK_ERR_MAX]);	 /* "": no number is missing */
int64_t in_awaited_due(const struct desk *d);			 /* a missing one is told of then */
void in_ahead(struct desk *d, unsigned partner, uint64_t seq);	 /* it is here, or was, and is not the next one */
/* PARTNER-000000000001.otapkg */
bool parcel_file_parse(const struct desk *d, const char *file, unsigned *partner, uint64_t *seq);
/* A sent package's record: acknowledged or refused now.  Nothing when it was before. */
void out_put_acked(struct desk_job *j, const struct store_book *row, enum parcel_step step, const char *rule,
		   uint64_t skipped);

/* in.c */
bool in_next(struct desk *d);
int64_t in_due(const struct desk *d);
void in_drop(struct desk *d);
void in_order_known(struct desk *d, const char *order);
void in_start(struct desk *d);

/* events.c */
bool events_next(struct desk *d);
int64_t events_due(const struct desk *d);
void scan_begin(struct desk *d, struct desk_open_order *o);

/* hlr.c */
extern const struct desk_work desk_works_engine[];
void hlr_put(struct desk *d, struct desk_run *r); /* durable: operations have been put */
void hlr_taken(struct desk *d, struct desk_event *ev);

/* look.c */
void looks_turn(struct desk *d); /* in each step: what waits for room */
void looks_free(struct desk *d);

/* c_kept.c, c_found.c */
bool kept_start(struct desk *d); /* true: a job was begun; false: nothing (more) to take in */
bool kept_next(struct desk *d);	 /* false always: files that are old go */
int64_t kept_due(const struct desk *d);
void kept_free(struct desk *d);

/* plan.c */
int profile_touch(char *text, int len); /* what is left of it */
void plan_durable(struct desk *d, struct desk_run *r);
void plan_close(struct desk *d, const struct order *o);
void settle_durable(struct desk *d, struct desk_run *r);
bool settle_next(struct desk *d);

/* stray.c */
bool stray_next(struct desk *d);
int64_t stray_due(const struct desk *d);

/* verb.c */
bool verb_next(struct desk *d);

#endif
