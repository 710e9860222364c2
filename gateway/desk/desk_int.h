/* desk_int.h - what the files of the desk share; nothing outside gateway/desk includes it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One job is under way at a time, so that no decision races another.  read -> decide -> commit -> after; a crash anywhere repeats the
 * job from the books.  decide() sees what was read, adds operations to the job's strict batch, may write one package; after() runs
 * when the batch is durable: campaigns grow, requests are answered.  If the batch was rolled back (something else changed a record
 * meanwhile), nothing has happened and the job comes again.
 */
#ifndef OTAGW_DESK_INT_H
#define OTAGW_DESK_INT_H

#include "../core/work.h"
#include "desk.h"

/* campaign[] of an order has a place for each work */
_Static_assert((int)_WORK_KINDS <= ORDER_WORKS, "ORDER_WORKS");

struct desk_vault { /* the ledger's head (vault_out.c) */
	bool ready, reading;
	bool marked;		     /* n is noted outside the database: keys may leave */
	const char *behind;	     /* the books are not what they were: why nothing is released; NULL: all is well */
	uint64_t n, version, next_n; /* next: in the batch under way */
	uint8_t hash[KS_HASH_LEN], next_hash[KS_HASH_LEN];
	struct store_query q;
	struct store_book row;
};

struct desk_engine;
struct b_list;
struct desk_b {		    /* what B keeps in memory alone */
	uint64_t pool_next; /* where in the pool the search for free IMSIs goes on: the books know which are given */
	uint64_t *found;    /* those that were free a moment ago, for a page that is not full yet: DESK_PAGE */
	unsigned n_found, given;
	struct b_list *list; /* an operator's own list for an IL, */
	uint64_t list_order; /* and for which order it is */
};

/* One look at what our HLR has of an IMSI. */
struct desk_look {
	uint64_t order;
	char iccid[ICCID_DIGITS_MAX + 1], imsi[IMSI_DIGITS_MAX + 1];
	/* what it is for: whether it is registered anywhere; marks: whether anything is other than it was known */
	bool marks;
	struct line_mark known; /* at_ms 0: nothing is */
};
struct desk_looks {
	struct desk_look *ring;
	unsigned at, n;
};
struct kept_intake;
struct desk_kept {    /* files of changes at home (c_kept.c, c_found.c) */
	uint8_t *buf; /* what the job under way notes */
	size_t len, cap;
	bool keys;		/* keys are among it */
	int64_t sweep_ms;	/* old files are looked for then; INT64_MAX: there are none */
	struct kept_intake *in; /* books that were put back are told what they have forgotten; NULL: no, or done */
};
struct desk {
	struct desk_cfg cfg; /* its zeros filled in */
	struct desk_deps deps;
	const char *self; /* our name */
	int64_t now_ms;	  /* of this step */
	struct desk_vault vault;
	struct desk_engine *e;
	struct desk_b b;
	struct desk_looks looks;
	struct desk_kept kept;
};

#define DESK_WORKS_MAX 96 /* rows of all tables of works */
struct desk_todo {	  /* a work on an order: when it is looked at again, and where its page begins */
	int64_t due_ms;	  /* INT64_MAX: not before it is kicked */
	char after[BOOK_KEY_MAX];
	bool kicked; /* in the midst of a sweep: another one follows */
	uint8_t fails;
};
struct desk_open_order { /* resident: every open order */
	struct order o;
	uint64_t version;
	unsigned scan;	     /* the next campaign whose ended txns are read again; ORDER_WORKS: none */
	uint64_t scan_after; /* in it */
	struct desk_todo todo[DESK_WORKS_MAX];
};

struct desk_job;

/* What is done with lines (or other records) of one step of one order: in the tables of a_*.c, b_*.c, vault_*.c, hlr.c. */
struct desk_work {
	const char *name;
	uint8_t side; /* enum order_side; 0: whatever */
	uint8_t book;
	uint16_t
		step; /* records of this step are to do: decide() moves each of them on, or it waits for desk_kick() or desk_again() */
	bool cards;    /* read the card of each ICCID, too: j->card[i] */
	unsigned page; /* 0: DESK_PAGE, or DESK_PAGE_CARDS */
	bool calm;     /* comes by desk_again() alone: lines that arrive at the step do not hurry it */
	uint8_t also;  /* read a record of this book for each row as well, by also_key(): j->also[i]; 0: no */
	void (*also_key)(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX]); /* "": none for this row */
	/* no also_key: the first records of book `also` of this order and step, ascending by key, one beside each row */
	uint16_t also_step;
	/* 0, or a negative errno: nothing is committed, the work comes again after a while, the sentence in j->why is an alarm. */
	int (*decide)(struct desk *d, struct desk_job *j);
	void (*after)(struct desk *d, struct desk_job *j); /* may be NULL */
};

/* What comes from outside about a line: a txn's end, an HLR's answer.  Several of them make one job. */
enum desk_event_kind { DESK_EV_TXN, DESK_EV_HLR };
struct desk_event {
	uint8_t kind;
	uint64_t order;
	char iccid[ICCID_DIGITS_MAX + 1];
	bool again; /* TXN: this end has been taken before; told once more (a late answer), or read again at a start */
	uint64_t txn, campaign;		  /* TXN: line->txn is this txn already */
	uint8_t work;			  /* TXN: enum work_kind */
	uint8_t state, verdict, evidence; /* enum txn_state; enum work_verdict + 1, 0: the card has said nothing */
	uint8_t card_end;		  /* enum ota_sub_end + 1: what the card said of the order, 0 nothing */
	bool has_card;			  /* the card's state came with it: */
	uint8_t card_state, card_kvn, card_pending;
	uint16_t card_index, card_left;
	uint64_t card_cntr; /* of the active pair: the highest accepted */
	char reason[64];
	int64_t at_ms;
	struct hlr_result hlr; /* of a final end: OK, ABSENT, REFUSED */
	uint8_t hlr_kind;      /* enum hlr_kind */
	int64_t asked_ms;      /* HLR: the register was asked then */
	bool marks;	       /* HLR: a look with marks, */
	int64_t known_ms;      /* and its known.at_ms */
	uint32_t hlr_slot;     /* the engine's */
};
#define DESK_EVENT_PAGE 64 /* in a job */

struct desk_job {
	struct desk *d;
	const struct desk_work *work;
	struct desk_open_order *order; /* NULL: of no order */
	/* read */
	struct store_book *row;
	unsigned n;
	struct line *line;	  /* unpacked, when book is BOOK_LINE */
	struct card_bundle *card; /* work->cards; card[i].card.id 0: unknown */
	struct store_book *also;  /* row.version 0: not there */
	struct desk_event *event; /* event jobs: event[i] is about line[i] */
	/* decide */
	struct store_batch *batch;
	char why[DESK_ERR_MAX];
	bool anew; /* a work's pages begin from the first one again, at once */
	/* for after(): how many txns were planned into which work's campaign */
	uint64_t planned[ORDER_WORKS];
	struct desk_run *run; /* the engine's */
};
#define JOB_NO_LINE UINT32_MAX

/* ---- for decide() ---- */
/* The line as it is to be from now on. */
void job_line_put(struct desk_job *j, unsigned i, enum line_step step);
/* Any record: version as it was read (0: new, BOOK_ANY). */
void job_put(struct desk_job *j, enum book book, const char *key, uint64_t owner, uint16_t step, uint64_t version,
	     const void *body, size_t len);
void job_drop(struct desk_job *j, enum book book, const char *key, uint64_t version);
/* Any other operation, on behalf of line i, or of JOB_NO_LINE. */
struct store_op *job_op(struct desk_job *j, unsigned i, enum store_op_kind kind, const void *row, const void *bytes,
			size_t len);
/* What the store has refused of line i (a job_op(), a job_plan()): nothing of the batch has happened, and decide() is asked again.  A
 * STORE_R_*, 0: nothing.  For a package: of the record that one() looks at. */
int job_refused(const struct desk_job *j, unsigned i);
void job_alarm(struct desk_job *j, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void job_order_put(struct desk_job *j);		/* j->order->o has changed */
unsigned desk_order_room(const struct desk *d); /* for so many more */
/* An order begins: resident when the batch is durable.  -ENOSPC, with a sentence in j->why: too many are open. */
int desk_order_new(struct desk_job *j, const struct order *o);
int desk_order_home(struct desk_job *j, const struct order *o); /* the same, of no package; never the last */
/* Plans this work for the line's card in the order's campaign of that kind (made and started when it is the first; open-ended); after the
 * commit the campaign grows.  Its end comes as a DESK_EV_TXN.  0, or what the store has refused: -EBUSY (the card has an open txn: try
 * later), -ENOENT (no such card), -ENOKEY (no such keyset), -EACCES (the card belongs to another operator now), -ENOBUFS (no room for
 * one more campaign: try later), -EINVAL (else). */
int job_plan(struct desk_job *j, unsigned i, const struct work *w, uint8_t kvn);
/* A plain card's WRITE: whether its profile names a place for the OPc (else that must not be, or w gets none), and whether it goes into as many short messages as the card's profile allows, with the card and its keys at hand.
 * 0, or negative with a sentence in j->why.  WRITE and READ go by the profile of the line: one per order. */
int job_plan_fits(struct desk_job *j, unsigned i, struct work *w, uint8_t kvn, bool opc_must);
/* An operation at our HLR: durable with this batch, carried out after it, until it has a final answer: then a DESK_EV_HLR comes. */
/* REKEY; the IMSI has the keys in `was` now, NULL: nobody here knows which. */
/* HLR_PROVISION of the line's new numbers; bridge: as hlr.h has it, "" none. */
void job_hlr_provision(struct desk_job *j, unsigned i, const char *bridge, const uint8_t sub[KS_SUB_LEN]);
void job_hlr_rekey(struct desk_job *j, unsigned i, const char *imsi, const uint8_t sub[KS_SUB_LEN], const uint8_t *was);
void job_hlr(struct desk_job *j, unsigned i, enum hlr_kind kind, const char *imsi, const char *msisdn,
	     const uint8_t sub[KS_SUB_LEN]);
/* HLR_MSISDN, not before at_ms, 0: at once.  In the place of one that was ordered before, whose answer is not told any more. */
void job_hlr_msisdn(struct desk_job *j, unsigned i, const char *imsi, const char *msisdn, int64_t at_ms);
/* After the commit: the line's open txn is settled elsewhere (gw_txn_settle()).  Lost in a crash; whoever meets STORE_R_OPEN_TXN for what
 * has been settled does it again. */
void job_settle(struct desk_job *j, unsigned i, enum txn_state end, const char *why);
/* The card's open txn is new keys of some change at home: that may be settled by another one. */
bool change_under_way(const struct card_bundle *c);
/* One look at what our HLR has of an IMSI: not durable, lost in a crash; for after().  False: too many are under way, try later. */
bool desk_look(struct desk *d, const struct desk_look *l);
/* The same as soon as there is room.  False: too many wait. */
bool desk_look_soon(struct desk *d, const struct desk_look *l);
/* Whether a line that is looked up every period_ms has its turn within span_ms from now; lines are spread by their ICCID. */
bool desk_look_due(const struct desk *d, const struct line *l, int64_t period_ms, int64_t span_ms);
void desk_mark(struct line_mark *m, const struct hlr_result *r, int64_t asked_ms);
bool desk_mark_same(const struct line_mark *a, const struct line_mark *b);
bool desk_mark_grown(const struct line_mark *was, const struct line_mark *is);
/* Line ends for good: `end` stands in the final HL (A), the reason in words. */
void line_fail(struct line *l, enum line_end end, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* One package, in the job's batch: opened, records, closed; the lines' new steps belong into the same batch.  A job of no order: the
 * package's order is called DESK_NO_ORDER. */
#define DESK_NO_ORDER "none"
struct desk_out;
struct desk_out *out_open(struct desk_job *j, enum xchg_type type, const char *partner,
			  const uint8_t *about /* or NULL */);
int out_attach(struct desk_out *o, const uint8_t *der, size_t len);
struct ks_wrap *out_wrap(struct desk_out *o); /* NULL: why is in j->why */
/* values in the order of the schema's columns */
int out_record(struct desk_out *o, const char *const *value);
uint64_t out_records(const struct desk_out *o);
int out_close(struct desk_out *o); /* 0: BOOK_OUT and BOOK_SEQ are in the batch */
void out_drop(struct desk_out *o);

/* ---- packages in ---- */
struct desk_no { /* a refusal: by which rule, and what to do */
	char rule[32];
	char why[200];
};
int desk_refuse(struct desk_no *no, const char *rule, const char *fmt, ...)
	__attribute__((format(printf, 3, 4))); /* -1 */

struct desk_in {
	struct desk *d;
	const struct desk_kind *kind;
	struct pkg *pkg;
	const struct pkg_head *head;
	unsigned partner;	       /* index */
	struct desk_open_order *order; /* NULL: not known here (yet) */
	struct ks_wrap *wrap;	       /* package key, when there is one */
	struct parcel parcel;
	bool dry;      /* pass 1: only judge, change nothing */
	void *scratch; /* the kind's own, freed by end() */
	struct desk_job
		*job; /* pass 2: where operations go; there is one in pass 1, too, whose operations are dropped */
};
struct desk_rec {
	const struct xchg_record *r;
	char *text;		  /* the whole record as it was signed: the leaf */
	unsigned i;		  /* its place in in->job: job_line_put(in->job, r->i, step), job_op() ... */
	struct line *line;	  /* kind->book is BOOK_LINE: unpacked, in->job's; NULL: not there */
	struct store_book *row;	  /* of kind->book by kind->key(); version 0: not there */
	struct card_bundle *card; /* kind->cards, by its column "iccid"; card.id 0: unknown */
	struct store_book *also;
};
struct desk_kind {
	enum xchg_type type;
	unsigned side;	/* enum order_side that takes it, a bit per side: 1 << SIDE_A */
	bool new_order; /* makes an order, */
	bool no_order;	/* or is of none: in->order is NULL; the others must belong to one that is open */
	uint8_t book;	/* of the record that is read for each of the package's; 0: none */
	void (*key)(struct desk_in *in, const struct xchg_record *r, char key[BOOK_KEY_MAX]);
	bool cards;
	uint8_t also;
	void (*also_key)(struct desk_in *in, const struct xchg_record *r, char key[BOOK_KEY_MAX]);
	/* Each 0, or desk_refuse().  begin: once per pass, before the first record (and after a start in the midst of pass 2: cursor says where);
	 * one: each record; end: after the last one of a pass, in the batch of the last records.  What pass 2 refuses, for things have moved
	 * on since pass 1, is left out, told in the ACK, and the rest goes on. */
	int (*begin)(struct desk_in *in, struct desk_no *no);
	int (*one)(struct desk_in *in, struct desk_rec *r, struct desk_no *no);
	int (*end)(struct desk_in *in, struct desk_no *no);
	void (*drop)(struct desk_in *in); /* scratch, whatever happened; may be NULL */
};

/* ---- what operators order ---- */
#define DESK_MORE 1
struct desk_call {
	struct desk_request r;		   /* its file is a copy */
	unsigned round;			   /* from 0 */
	void *scratch;			   /* the verb's own; freed by drop() */
	void (*drop)(struct desk_call *c); /* its verb's, once it was begun */
	uint8_t book;			   /* want(): of another book than the row's; 0: of that */
	char after[BOOK_KEY_MAX];	   /* records of a step: those behind this key, */
	uint64_t owner;			   /* of this order; 0: of the call's own */
	char text[DESK_ERR_MAX];
};
struct desk_verb_row {
	uint8_t verb; /* enum desk_verb */
	uint8_t side; /* of the order; 0: any, or none */
	uint8_t book; /* of the records that want() asks for */
	uint16_t
		step; /* where want() asks for none: records of book with this step, of the order or of owner 0; 0: none */
	/* Which records are to be read for this round; how many.  NULL: none. */
	unsigned (*want)(struct desk *d, struct desk_call *c, struct desk_open_order *o, char (*keys)[BOOK_KEY_MAX],
			 unsigned max);
	/* 0: commit, and that was all; DESK_MORE: commit, and once more; negative errno: c->text says why, nothing is committed. */
	int (*decide)(struct desk *d, struct desk_job *j, struct desk_call *c);
	void (*drop)(struct desk_call *c); /* may be NULL */
};

/* The tables. */
extern const struct desk_kind desk_kinds_a[], desk_kinds_b[], desk_kinds_vault[]; /* end: type _XCHG_TYPES */
extern const struct desk_work desk_works_a[], desk_works_b[], desk_works_vault[], desk_works_c[]; /* end: name NULL */
extern const struct desk_verb_row desk_verbs_a[], desk_verbs_b[], desk_verbs_vault[], desk_verbs_c[]; /* end: verb 0 */
void desk_event_a(struct desk *d, struct desk_job *j,
		  unsigned i); /* event[i] about line[i] of an order where we are A */
void desk_event_b(struct desk *d, struct desk_job *j, unsigned i);
void desk_event_c(struct desk *d, struct desk_job *j, unsigned i);
void desk_free_b(struct desk *d);

struct desk_tables { /* in the order of enum order_side - 1 */
	const struct desk_kind *kinds[ORDER_SIDES];
	const struct desk_work *works[ORDER_SIDES];
	const struct desk_verb_row *verbs[ORDER_SIDES];
	void (*event[ORDER_SIDES])(struct desk *d, struct desk_job *j, unsigned i); /* may be NULL */
};
struct desk *desk_new_with(const struct desk_cfg *cfg, const struct desk_deps *deps, const struct desk_tables *tables,
			   char err[DESK_ERR_MAX]);

/* ---- engine ---- */
const struct desk_cfg *desk_cfg(const struct desk *d);
const struct desk_deps *desk_deps(const struct desk *d);
int64_t desk_now(const struct desk *d); /* of this step */
void desk_log(struct desk *d, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void desk_kick(struct desk *d, uint64_t order, uint16_t step); /* there may be something to do at this step (0: any) */
void desk_again(struct desk *d, uint64_t order, uint16_t step, int64_t at_ms);
void desk_event(struct desk *d, const struct desk_event *ev);
struct desk_open_order *desk_order_open(struct desk *d, const char *name);
struct desk_open_order *desk_order_number(struct desk *d, uint64_t number);
const struct desk_partner *desk_partner_by_name(const struct desk *d, const char *name);
uint64_t desk_number(const char *s, const char *name); /* of an order: on the card, and owner in the books */
/* A package's signed manifest as it was received or sent, read again from its file; NULL with a sentence. */
struct pkg *desk_parcel_open(struct desk *d, const char *partner, uint64_t seq, bool out, char err[DESK_ERR_MAX]);

#endif
