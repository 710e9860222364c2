/* store.h - the seam to durable state: submit + completion, for reads and commits alike.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Requests are lent to the store until their done() is called, on the caller's thread, from store_ops.poll().  Each
 * backend (SQLite, memory) passes the same contract test.  A batch is one transaction with its batch_no in it, so that
 * "did it commit?" can always be answered after a crash.
 */
#ifndef OTAGW_STORE_H
#define OTAGW_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rows.h"

enum store_err {
	STORE_OK = 0,
	STORE_E_BUSY = -201, /* try the same batch again */
	STORE_E_FULL = -202, /* disk full */
	STORE_E_IO = -203,
	STORE_E_CORRUPT = -204, /* not our database, damaged, or a newer schema */
	STORE_E_CLOSED = -205,
	/* per operation, not failures of the batch: */
	STORE_R_SAME = -211, /* CARD_INSERT: already there with the same numbers, nothing has changed */
	STORE_R_DUP_ICCID = -212,
	STORE_R_DUP_IMSI = -213, /* IMSI in use by another card, or by another card's open transaction */
	STORE_R_DUP_MSISDN = -214,
	STORE_R_NO_CARD = -215, /* ICCID unknown */
	STORE_R_NO_KEYSET = -216,
	STORE_R_OPEN_TXN =
		-217, /* card has an open transaction (D7); CARD_INSERT: a command is open under keys to be replaced */
	STORE_R_DUP_NAME = -218, /* campaign name taken */
	STORE_R_NOT_FOUND = -219,
	STORE_R_NO_MSISDN = -220, /* TXN_PLAN with need_msisdn: the card has no number to send to */
	STORE_R_IMSI_LEN = -221,  /* TXN_PLAN: the new IMSI has not the length of the card's present one */
	STORE_R_FILTERED = -222,  /* TXN_PLAN: its filter does not let this card through */
	STORE_R_LATER_TXN = -223, /* TXN_PLAN with retry_of: a later campaign has had this card */
	/* CARD_INSERT of a known card (keysets.c): */
	STORE_R_UPDATED = -224,	       /* the same numbers; a keyset, a counter or the zone has changed */
	STORE_R_OLD_GENERATION = -225, /* a keyset has a higher generation here; KEYSET_CNTR: is not of this one */
	STORE_R_OTHER_KEYS = -226,     /* other keys under a generation that is known */
	STORE_R_KEYSETS_FULL = -227,   /* more than CARD_KEYSETS_MAX key versions */
	STORE_R_CHANGED = -228,	       /* BOOK_PUT, BOOK_DROP: another version is there than was said */
	STORE_R_GONE = -229,	       /* CARD_INSERT, TXN_PLAN: the card belongs to another operator */
	STORE_R_QUARANTINE = -230,     /* TXN_PLAN with not_quarantined: an operator has put the card into quarantine */
};
const char *store_strerror(int err);
/* A completion says why in words: what, where and what to do.  The store's sentence, or else the error's name. */
#define STORE_WHY_MAX 320
const char *store_why_text(int err, const char *why);

/* ---------------------------------------------------------------------------------------------- commits */

enum store_op_kind {
	/* card (id 0: given here and written back), its keysets, its addresses; per-op rc.  Of a known one with the same numbers:
	 * its zone and keysets (keysets.c), all of it or nothing; what the keysets are now is written back */
	ST_CARD_INSERT,
	ST_CARD_PUT, /* by id, all but iccid, tz_min, profile, gone_ms, moves and quarantine_ms; when it has moved meanwhile: presence alone; rc NOT_FOUND */
	/* cntr, cntr_proven, epoch of (card, kvn): none is lowered, but a new epoch sets cntr_proven.  Where cntr is behind, an import
	 * has raised it meanwhile, and cntr_proven is not taken.  Of another generation with other keys: rc OLD_GENERATION */
	ST_KEYSET_CNTR,
	/* A card that comes from another operator, store_card_insert: as CARD_INSERT, but its numbers are those of a known one from now
	 * on, and one that has gone is back.  Generation 0 of a keyset: the known one where these are its keys, else the next.  Refused
	 * while the card has an open transaction.  rc 0: it was not known; UPDATED, SAME.  The row is written back as it is now */
	ST_CARD_TAKE,
	/* A card that goes to another operator, card_row: by iccid, at gone_ms.  It has no numbers and no keys here any more, and no
	 * transaction is planned for it.  rc NOT_FOUND, OPEN_TXN, SAME: has gone already.  The row is written back as it is now */
	ST_CARD_LEAVE,
	ST_ADDR_PUT,	    /* insert or replace (type, digits, card) */
	ST_CAMPAIGN_INSERT, /* bytes: profile text; DUP_NAME in rc; id is the caller's */
	ST_CAMPAIGN_PUT,    /* all but name and kind */
	ST_CAMPAIGN_DROP,   /* a LOADING or READY campaign with all its txns; id in campaign.id; else rc NOT_FOUND */
	/* by ICCID; checks filter, card, keyset kvn, its numbers, open txn, IMSI; per-op rc; writes back txn.id and .card.
	 * bytes: the packed work of a campaign of works, at most TXN_WORK_MAX */
	ST_TXN_PLAN,
	ST_TXN_PUT, /* by id, all but campaign, card and the new numbers; rc NOT_FOUND */
	ST_CMD_PUT, /* insert, or replace all but txn, card, campaign and kind */
	ST_WIRE_PUT, /* bytes: the packet of cmd.id; an existing one is NEVER overwritten with other octets (E_CORRUPT) */
	ST_PART_PUT,
	ST_PARTS_DROP, /* all parts of (part.card, part.iei, part.ref) */
	ST_STORY_ADD,  /* bytes: detail, cut to STORY_DETAIL_MAX; id is written back */
	ST_META_PUT,   /* key in meta.key, bytes: value ("ks-check", "epoch") */
	/* a record of a book, bytes: its body.  row.version is the version it has now (0: it must not be there; BOOK_ANY: whatever),
	 * else rc CHANGED; the version it has then is written back.  DROP: the same, rc NOT_FOUND when it is not there */
	ST_BOOK_PUT,
	ST_BOOK_DROP,
	ST_TRIM,	    /* removes what is old of the story, and packets, of a few cards: store_trim */
	ST_CARD_QUARANTINE, /* card_row: quarantine_ms of the card with this id, wherever it has moved; rc NOT_FOUND */
	_ST_OPS
};

enum keyset_change { KEYSET_KEPT, KEYSET_RAISED, KEYSET_REPLACED, KEYSET_NEW };
struct store_card_insert {
	struct card_row card;
	uint8_t n_keysets;
	struct keyset_row keyset[CARD_KEYSETS_MAX];
	/* written back, of a known card: */
	uint8_t change[CARD_KEYSETS_MAX]; /* enum keyset_change; rc UPDATED or SAME */
	uint8_t refused_kvn;		  /* the keyset that was refused, and the generation it has here */
	uint32_t known_generation;
};
/* ---- a filter: every term must hold of the card ---- */
#define STORE_TERMS_MAX 8
enum store_field {
	STORE_F_ICCID,
	STORE_F_IMSI,
	STORE_F_MSISDN,
	STORE_F_PROFILE, /* IS or NOT */
	STORE_F_KVN,
	STORE_F_ALG,
	STORE_F_SEEN,
	_STORE_FIELDS
};
enum store_term_op {
	STORE_IS,
	STORE_NOT,
	STORE_BELOW, /* numbers alone, as ABOVE */
	STORE_UPTO,
	STORE_FROM,
	STORE_ABOVE,
	STORE_BEGINS, /* digits alone */
	STORE_BEGINS_NOT,
};
struct store_term {
	uint8_t field, op;
	char text[PROFILE_NAME_MAX]; /* ICCID, IMSI, MSISDN, PROFILE */
	int64_t number;		     /* KVN: IS or NOT; ALG: IS or NOT a STORE_ALG(); SEEN: last_seen_ms */
};
#define STORE_ALG(alg, octets) ((int64_t)(octets) << 8 | (alg)) /* enum ota_alg of KIc, octets of its key or 0: any */
#define STORE_ALG_OF(n)	       ((n)&0xff)
#define STORE_ALG_OCTETS(n)    ((n) >> 8)
struct store_filter {
	unsigned n;
	struct store_term term[STORE_TERMS_MAX];
};

struct store_txn_plan {
	struct txn_row txn;
	char iccid[ICCID_DIGITS_MAX + 1];
	bool need_msisdn;     /* refuse a card without MSISDN: it could not be addressed */
	bool not_quarantined; /* refuse a card in quarantine; else what is planned waits for its release */
	uint8_t kvn;	      /* key version the profile needs */
	struct store_filter filter;
	uint64_t retry_of; /* the txn that is done again: must be the card's newest; 0: none */
	/* written back, for dry runs, estimates and reasons: */
	int64_t seen_ms; /* when the card was seen last, 0 never */
	uint8_t kic_alg, kid_alg, cc_len;
	char imsi[IMSI_DIGITS_MAX + 1], msisdn[MSISDN_DIGITS_MAX + 1]; /* the card's present ones */
};
struct store_meta {
	char key[32];
};
/* What is older than before_ms goes: lines of the story, and packets of commands that have ended.  What stays, however old:
 * all of a card that has an open transaction or command; all from the first line of the card's newest transaction that is
 * DONE on, which is the last proof of what the card holds, and all where there is none.  What came as a card's answer and
 * was none (STORY_STRAY) proves nothing and goes with its age alone.  Rows of cards, transactions, commands and counters
 * always stay. */
#define STORE_TRIM_CARDS_MAX 1024
struct store_trim {
	int64_t before_ms;
	uint64_t card;	      /* from this one on; 0: what belongs to no card, then all others */
	uint32_t cards, rows; /* looks at so many cards (at most STORE_TRIM_CARDS_MAX), removes so many rows */
	/* out: */
	bool more;	  /* there is more to look at, */
	uint64_t next;	  /* from this card on */
	uint32_t removed; /* rows */
};

/* One operation.  `row` points into the batch's arena (store_batch_add), `bytes` too. */
struct store_op {
	uint8_t kind; /* enum store_op_kind */
	int16_t rc;   /* out, per-operation results STORE_R_* */
	uint32_t bytes_len;
	void *row; /* struct of this kind: card_row, keyset_row, ..., store_card_insert, store_txn_plan */
	uint8_t *bytes;
};

#define STORE_BATCH_OPS_MAX 65536

struct store_batch {
	uint64_t batch_no; /* > 0: the core's, strictly ascending, recorded in the transaction; 0: an intake's */
	bool dry_run;	   /* do everything, report per-op rc, then roll back */
	bool strict;	   /* the same when any rc is none of 0, SAME and UPDATED: all of it happens, or nothing */
	bool rolled_back;  /* out: such a batch, of which nothing has happened; done() is told STORE_OK */
	struct store_op *ops;
	size_t n, ops_cap;
	/* arena of fixed chunks, so that pointers into it stay valid */
	struct store_chunk *chunk;
	char why[STORE_WHY_MAX];		     /* out, when rc is STORE_E_*: a sentence; may be empty */
	void (*done)(struct store_batch *b, int rc); /* rc: STORE_OK or STORE_E_* */
	void *ctx;
};

struct store_batch *store_batch_new(void);
void store_batch_free(struct store_batch *b);  /* wipes: sealed keysets have passed through */
void store_batch_reset(struct store_batch *b); /* keeps the memory */
/* Copies row (its size follows from kind) and bytes in.  Returns the op, whose rc and written-back fields are valid after
 * done(); NULL when STORE_BATCH_OPS_MAX is reached. */
struct store_op *store_batch_add(struct store_batch *b, enum store_op_kind kind, const void *row, const void *bytes,
				 size_t bytes_len);
size_t store_row_size(enum store_op_kind kind);
/* For the backends: whether what has been carried out must be rolled back; says so in the batch. */
bool store_batch_refused(struct store_batch *b);
/* For the backends: whether a record of a book is such as can be stored. */
bool store_book_ok(const struct book_row *row, uint32_t len);
/* For the backends: of a card's transactions, newest first, the first of the highest rank goes into its bundle.  `open`: it
 * bars the card from another one (ACTIVE, or PLANNED in a campaign that is not cancelled). */
int store_txn_rank(uint8_t state, bool open, bool query);
/* For the backends: whether an import's keysets are such as can be stored, each version once. */
bool store_keysets_ok(const struct store_card_insert *in);
/* Whether two rows of one card and version hold the same keys. */
bool store_keysets_same(const struct keyset_row *a, const struct keyset_row *b);
/* Whether *now are the keys of *own under another generation: the commands of the old one are then of the new one. */
bool store_keysets_renamed(const struct keyset_row *own, const struct keyset_row *now);
/* For the backends: what the keysets of a known card become.  SAME, UPDATED (now[i] is what in->keyset[i] will be, see
 * in->change[i]), or why not. */
int16_t store_keysets_merge(const struct keyset_row *own, unsigned n_own, struct store_card_insert *in,
			    struct keyset_row now[CARD_KEYSETS_MAX]);
/* For the backends: generations of a TAKE that were left to us. */
void store_keysets_name(const struct keyset_row *own, unsigned n_own, struct store_card_insert *in);
/* For the backends: the line of the card's story about that it has come or gone (now->gone_ms). */
void store_move_story(struct story_row *out, const struct card_row *now, int64_t at_ms);
/* For the backends: the line of the card's story about its i-th keyset, as it is now.  False: nothing has changed. */
bool store_keysets_story(struct story_row *out, const struct store_card_insert *in, unsigned i);
/* For the backends: may this plan be for a card with these numbers?  0, NO_MSISDN, IMSI_LEN; writes them back. */
int16_t store_plan_numbers(struct store_txn_plan *p, const char *imsi, const char *msisdn);

/* For the backends: what a filter looks at. */
struct store_facts {
	const char *imsi, *msisdn, *profile;
	int64_t last_seen_ms;
	unsigned n_keys; /* when store_filter_keys() says that they are looked at */
	struct {
		uint8_t kvn, alg, octets; /* of KIc */
	} key[CARD_KEYSETS_MAX];
};
bool store_filter_keys(const struct store_filter *fl);
bool store_filter_iccid(const struct store_filter *fl, const char *iccid); /* false: filtered, whoever it is */
bool store_filter_holds(const struct store_filter *fl, const struct store_facts *f, uint8_t kvn);

/* ------------------------------------------------------------------------------- fetch: a card with all that is open */

struct card_bundle {
	struct card_row card;
	uint8_t n_keysets, n_cmds, n_parts;
	bool has_txn;
	/* fetch: the active one, else the latest that has ended (its late answers count), else the planned one; Q_CARD: the
	 * open one, else the latest; a claim: the one that is claimed */
	struct txn_row txn;
	struct keyset_row keyset[CARD_KEYSETS_MAX];
	struct cmd_row cmd[CARD_CMDS_MAX]; /* newest first; the card's last script is always among them */
	struct part_row part[CARD_PARTS_MAX];
	uint16_t packet_len; /* stored packet of the newest command that is not at an end, else 0 */
	uint64_t packet_cmd;
	uint8_t packet[CMD_PACKET_MAX];
	uint16_t work_len; /* of txn, as it was planned; 0 none */
	uint8_t work[TXN_WORK_MAX];
};

enum store_fetch_by { FETCH_BY_ID, FETCH_BY_ADDR, FETCH_CLAIM };
struct store_fetch {
	uint8_t by;	   /* enum store_fetch_by */
	uint64_t card;	   /* BY_ID */
	uint8_t addr_type; /* BY_ADDR: enum addr_type */
	char digits[IMSI_DIGITS_MAX + 1];
	/* BY_ADDR: of the card that was given this address last, unless that has ended by this time.  When it began does not
	 * matter: after a clock was set back, what was written before would lie in the future, and its card be nobody. */
	int64_t at_ms;
	uint64_t campaign, after_txn; /* CLAIM: PLANNED txns of this campaign with id > after_txn, ascending */
	unsigned limit;		      /* CLAIM: at most this many */
	/* out: n bundles in the caller's array of `cap` */
	struct card_bundle *out;
	unsigned cap, n;
	char why[STORE_WHY_MAX];
	void (*done)(struct store_fetch *f, int rc); /* STORE_OK with n = 0: no such card */
	void *ctx;
};

/* ------------------------------------------------- queries: on a second, read-only connection, in short pages */

enum store_query_kind {
	Q_CAMPAIGNS,	   /* campaign_row, id > after */
	Q_CAMPAIGN_COUNTS, /* store_count per (state, fail_class) of campaign */
	Q_OPEN_CMDS,	   /* store_stub of every command not at an end, cmd id > after: rebuilding the wheel */
	Q_REPORT,	   /* store_report of campaign, txn id > after */
	Q_CARD,		   /* card_bundle by iccid (digits), or by addr_type in step at time in after; wire too */
	Q_CARD_CMDS,	   /* cmd_row of card, id > after (all of them, oldest first) */
	Q_CARD_STORY,	   /* store_story of card, id > after */
	Q_CARDS,	   /* card_row, id > after */
	Q_PROFILE,	   /* store_blob: the profile text of campaign */
	Q_META,		   /* store_blob: value of meta key (digits holds the key) */
	Q_WIRE,		   /* store_blob: the packet of command id, as long as it is kept */
	Q_TOTALS,	   /* store_totals */
	Q_BOOK_GET,	   /* store_book of (book, key) */
	Q_BOOK_STEP,	   /* store_book of book with owner id and this step, key > key, ascending by key */
	Q_BOOK_OWNER,	   /* store_book of book with owner id, key > key, ascending by key */
	Q_BOOK_KEYS,	   /* store_book per key of keys, in their order; of what is not there the version is 0 */
	Q_BOOK_COUNT,	   /* store_book_count per step of book with owner id */
	_Q_KINDS
};
#define BOOK_KEYS_MAX 1024 /* of one question */
struct store_book {
	struct book_row row;
	uint8_t body[BOOK_BODY_MAX];
};
struct store_book_count {
	uint16_t step;
	uint64_t n;
};
struct store_count {
	uint8_t state; /* enum txn_state */
	uint8_t fail_class;
	uint64_t n;
	uint64_t sms_parts, attempts, probes; /* sums */
};
struct store_stub {
	uint64_t cmd, card, campaign;
	uint8_t state; /* enum cmd_state */
	int64_t due_ms, deadline_ms;
};
struct store_report {
	struct txn_row txn;
	char iccid[ICCID_DIGITS_MAX + 1];
	char imsi[IMSI_DIGITS_MAX + 1];
};
struct store_story {
	struct story_row row;
	uint8_t detail[STORY_DETAIL_MAX];
};
struct store_blob {
	uint32_t len;
	uint8_t bytes[PROFILE_TEXT_MAX];
};
struct store_totals {
	uint64_t cards, campaigns, txns, cmds;
	uint64_t max_campaign, max_cmd, max_batch;
};
size_t store_query_row_size(enum store_query_kind kind);

struct store_query {
	uint8_t kind;	/* enum store_query_kind */
	uint64_t id;	/* campaign or card */
	uint64_t after; /* keyset paging: id of the last row of the page before */
	char digits[33];
	uint8_t book; /* BOOK_* */
	uint16_t step;
	char key[BOOK_KEY_MAX];		  /* GET: of this one; STEP, OWNER: after this one, "" from the first on */
	const char (*keys)[BOOK_KEY_MAX]; /* KEYS: n_keys of them, at most BOOK_KEYS_MAX and limit */
	unsigned n_keys;
	unsigned limit;
	void *out;     /* caller's array of the kind's struct, `limit` long */
	unsigned n;    /* out */
	uint64_t last; /* out: pass as `after` for the next page */
	char why[STORE_WHY_MAX];
	void (*done)(struct store_query *q, int rc);
	void *ctx;
};

/* ------------------------------------------------------------------------------------------------ the backend */

/* Order.  Commits and fetches are carried out in the order they were submitted; a fetch sees every commit submitted before
 * it, a query what was committed when it runs.  When a numbered batch fails, the numbered ones submitted behind it before
 * its done() are answered STORE_E_BUSY and not carried out: the store never holds a batch without the one before it.  A
 * batch_no equal to the last one stored is answered STORE_OK and not carried out again, a lower one STORE_E_CORRUPT.
 * Between CARD_INSERT, TXN_PLAN, CAMPAIGN_INSERT, CAMPAIGN_DROP and TRIM a backend may sort operations by card: a row's `card`
 * must be the right one.  A failed batch may be submitted again as it is; more requests under way than the backend takes
 * are answered STORE_E_BUSY. */
struct store;
struct store_ops {
	const char *kind; /* "sqlite", "memory" */
	void (*commit)(struct store *s, struct store_batch *b);
	void (*fetch)(struct store *s, struct store_fetch *f);
	void (*query)(struct store *s, struct store_query *q);
	int (*fd)(struct store *s);    /* readable when poll() has something to do; -1: none */
	void (*poll)(struct store *s); /* calls done() of what is complete */
	void (*wait)(struct store *s); /* blocks until poll() has something to do; memory: makes the next due */
	/* Stops taking requests, finishes what was submitted, calls its done(), frees. */
	void (*close)(struct store *s);
};
struct store {
	const struct store_ops *ops;
};

struct store_sqlite_cfg {
	const char *dir; /* state directory; the database is DIR/otagw.db, mode 0600; locked against a second gateway */
	unsigned queue_max;	 /* requests under way, 0: 4096 */
	unsigned wal_pages_max;	 /* checkpoint when the log has so many, 0: 10,000 */
	unsigned flush_extra_us; /* benchmarks only: added to every commit */
};
/* err gets a sentence that names what, where and what to do. */
struct store *store_sqlite_open(const struct store_sqlite_cfg *cfg, char *err, size_t err_cap);

/* Reads all of a database that no gateway runs on, changes nothing, and says what it finds, in lines.  The number of findings; -1
 * when it could not be looked at. */
int store_sqlite_check(const char *dir, void (*say)(void *ctx, const char *line), void *ctx);

/* Blocking helpers for start-up (main.c) and tests: submit, wait, return rc. */
int store_commit_wait(struct store *s, struct store_batch *b);
int store_query_wait(struct store *s, struct store_query *q);
int store_fetch_wait(struct store *s, struct store_fetch *f);

/* The in-memory backend: the same semantics; completions are delivered when told, so that a seed can schedule them. */
struct store_mem_hooks {
	/* Asked for each request as it is submitted; what = "commit", "fetch", "query".  Returns the delay in virtual ms
	 * after which it completes, and may set *fault. */
	int64_t (*delay)(void *ctx, const char *what, struct store_batch *b);
	/* Asked when a commit is about to happen.  STORE_OK: do it; STORE_E_*: fail it, nothing happens.
	 * A crash before, in or after the commit is the simulator's: it stops calling poll() and opens the same memory
	 * again; a commit whose done() was not delivered either happened entirely or not at all. */
	int (*fault)(void *ctx, struct store_batch *b);
	int64_t (*now_ms)(void *ctx);
	void *ctx;
};
struct store_mem_disk; /* what survives a crash */
struct store_mem_disk *store_mem_disk_new(void);
void store_mem_disk_free(struct store_mem_disk *d);
/* A backup: as it is between two commits, not open; also of a disk that is. */
struct store_mem_disk *store_mem_disk_copy(const struct store_mem_disk *from);
/* Opens the disk; hooks NULL: everything completes at the next poll(). */
struct store *store_mem_open(struct store_mem_disk *d, const struct store_mem_hooks *hooks);
/* When poll() next has something to do, INT64_MAX: nothing. */
int64_t store_mem_due(struct store *s);
/* Power failure: what was submitted and not done is lost (uncommitted) or kept (committed) as `keep` decides per commit;
 * no done() is called any more.  Frees the store, not the disk. */
void store_mem_crash(struct store *s, bool (*keep)(void *ctx, struct store_batch *b), void *ctx);

#endif
