/* sqlite_int.h - what the files of the SQLite backend share.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_SQLITE_INT_H
#define OTAGW_SQLITE_INT_H

#include <pthread.h>
#include <sqlite3.h>

#include "store.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* ---- schema ---- */

#define STORE_PAGE    4096
#define SQLITE_APP_ID 0x4f544757 /* "OTGW", in the file's header: file(1) and we can tell whose database it is */

struct schema_step {
	const char *name, *sql;
};
extern const struct schema_step store_schema_steps[]; /* generated from schema/ */
extern const int store_schema_version;

/* Opens DIR/otagw.db, makes or lifts its schema.  NULL with a sentence in err. */
sqlite3 *sqlite_open_writer(const char *path, char *err, size_t err_cap);
sqlite3 *sqlite_open_reader(const char *path, char *err, size_t err_cap);
/* Is it ours, and of which schema?  *version 0: there is nothing in it yet.  -1 with a sentence in err. */
int sqlite_schema_look(sqlite3 *db, const char *path, int *version, char *err, size_t cap);

/* ---- checksums of pages (sqlite_sums.c) ---- */

#define SUMS_VFS "otagw-sums"
void sums_register(void);	       /* once, before the first database is opened */
int sums_reserve(sqlite3 *db);	       /* of a database that is to be made: room for them */
int sums_reserved(sqlite3 *db);	       /* whether a database has that room: 1, 0 */
uint32_t sums_bad_page(void);	       /* the one that this thread has met last */
bool sums_room(const uint8_t *header); /* of a file that begins so */
enum sum { SUM_GOOD, SUM_NONE, SUM_BAD };
enum sum sums_page(const uint8_t *page, uint32_t number); /* of a page as it stands in the file */

/* The directory is ours alone until this file descriptor is closed.  -1 with a sentence in err. */
int sqlite_dir_lock(const char *dir, char *err, size_t cap);

/* ---- rows: one description per struct drives SQL text, binding and reading ---- */

enum col_type { COL_UINT, COL_INT, COL_TEXT, COL_BLOB, COL_VBLOB };

struct col {
	const char *name;
	uint16_t off, size;
	uint8_t type;	  /* enum col_type */
	bool key;	  /* names the row: not in {table=} */
	bool packed;	  /* stands in the column `rest`, with all that follow */
	uint8_t max;	  /* COL_UINT: highest value we know, 0: what fits */
	uint16_t len_off; /* COL_VBLOB: where its length stands */
	uint8_t len_size;
};

struct table {
	const char *name;
	const struct col *cols;
	int n;
	int plain; /* the first so many have a column each; `rest` is the one after them */
};
/* Columns of the table in SQL. */
static inline int table_width(const struct table *t)
{
	return t->plain + (t->plain < t->n);
}
extern const struct table t_wire, t_card, t_keyset, t_addr, t_campaign, t_txn, t_cmd, t_part, t_story, t_book;

/* Column i becomes parameter ?i+1.  The row must stay until the statement is reset, and no other row be bound in between. */
void row_bind(const struct table *t, sqlite3_stmt *st, const void *row);
/* Column i of the table in SQL as a function's result. */
void row_result(const struct table *t, sqlite3_context *x, const void *row, int i);
/* Reads columns first.. into row.  STORE_E_CORRUPT when a value cannot be what we wrote. */
struct conn;
int row_read(struct conn *c, const struct table *t, sqlite3_stmt *st, int first, void *row);
/* Reads the rows of a prepared and bound statement into an array of `cap`.  The number of rows, or an error. */
int rows_read(struct conn *c, sqlite3_stmt *st, const struct table *t, void *out, size_t size, unsigned cap);
int text_read(sqlite3_stmt *st, int i, char *out, size_t cap);
/* Blob of at most cap octets; its length, or STORE_E_CORRUPT. */
int blob_read(sqlite3_stmt *st, int i, uint8_t *out, size_t cap);

/* {txn} "txn.id,txn.campaign,.."  {txn:} "id,campaign,.."  {txn?} "?1,?2,.."  {txn=} "state=?4,.." without key columns
 * {txn<} "state=excluded.state,.."  {txn0} "id,0,0,state,.." key columns but the first as constants */
#define SQL_TEXT_MAX 2048
void sql_expand(char out[SQL_TEXT_MAX], const char *tmpl);

/* ---- statements ---- */

enum stmt_id {
	S_BEGIN,
	S_BEGIN_WRITE,
	S_COMMIT,
	S_ROLLBACK,
	/* writing */
	S_BATCH_PUT,
	S_CARD_BY_ICCID,
	S_CARD_IMSI,
	S_CARD_MSISDN,
	S_TXN_OPEN_IMSI,
	S_TXN_OPEN_MSISDN,
	S_TXN_OPEN_CARD,
	S_CARD_INSERT,
	S_CARD_TOUCH,
	S_CARD_IMSI_PUT,
	S_CARD_UPDATE,
	S_CARD_SEEN,
	S_CARD_MOVED,
	S_CARD_QUARANTINE,
	S_CARD_OPEN,
	S_CARD_TRAITS,
	S_KEYSET_INSERT,
	S_KEYSET_CNTR,
	S_KEYSET_PUT,
	S_KEYSET_RENAME,
	S_KEYSET_OPEN,
	S_KEYSETS_DROP,
	S_KEYSET_ALGS,
	S_KEYSET_KINDS,
	S_TXN_NEWEST,
	S_ADDR_PUT,
	S_ADDR_END,
	S_CAMPAIGN_STATE,
	S_CAMPAIGN_BY_NAME,
	S_CAMPAIGN_INSERT,
	S_CAMPAIGN_UPDATE,
	S_CAMPAIGN_DELETE,
	S_PROFILE_INSERT,
	S_PROFILE_DELETE,
	S_TXNS_DELETE,
	S_WORKS_DELETE,
	S_TXN_INSERT,
	S_WORK_INSERT,
	S_TXN_UPDATE,
	S_CMD_PUT,
	S_CMD_UPDATE,
	S_WIRE_INSERT,
	S_PART_PUT,
	S_PARTS_DROP,
	S_STORY_ADD,
	S_BULK_KEYSET,
	S_BULK_ADDR,
	S_BULK_CARD_SEEN,
	S_BULK_CARD_IMSI,
	S_BULK_TXN,
	S_BULK_CMD,
	S_BULK_WIRE,
	S_BULK_STORY,
	S_STORY_LAST,
	S_META_PUT,
	S_BOOK_LOOK,
	S_BOOK_INSERT,
	S_BOOK_PUT_BODY,
	S_BOOK_PUT_STEP,
	S_BOOK_PUT_ALL,
	S_BOOK_DROP,
	S_TRIM_CARDS,
	S_TRIM_OPEN,
	S_TRIM_CMD_KEPT,
	S_TRIM_STORY_KEPT,
	S_TRIM_STORY,
	S_TRIM_WIRE,
	/* reading, on both connections */
	S_CARD,
	S_PARTS_ANY,
	S_KEYSETS,
	S_TXN_OF_CARD,
	S_WORK,
	S_CMD_LAST_SCRIPT,
	S_CMDS_NEWEST,
	S_PARTS,
	S_WIRE,
	S_ADDR,
	S_CLAIM,
	S_CAMPAIGNS,
	S_COUNTS,
	S_OPEN_CMDS,
	S_REPORT,
	S_CARD_ID,
	S_CARD_CMDS,
	S_STORY,
	S_CARDS,
	S_PROFILE,
	S_META,
	S_TOTALS,
	S_BOOK_GET,
	S_BOOK_STEP,
	S_BOOK_OWNER,
	S_BOOK_COUNT,
	_STMTS
};
#define S_FIRST_READ S_CARD

/* Why something failed: the first cause since it was last told. */
struct conn_fail {
	int rc, sys;	/* what SQLite and the system said; 0: nothing */
	bool asked;	/* not the disk's fault: we were asked for what must not be */
	bool moved;	/* the file is not where it was opened */
	char what[128]; /* of damage: which */
};

/* Operations of a batch in the order in which they are carried out: order[from..to). */
struct sort_key;
struct bulk_src {
	struct store_batch *b;
	struct sort_key *order;
	size_t from, to;
};
#define BULKS 9
struct bulk_of {
	struct conn *c;
	uint8_t at;
};

/* One connection with its statements: used by one thread at a time. */
struct conn {
	sqlite3 *db;
	const char *path;
	sqlite3_stmt *st[_STMTS];
	bool reading;	    /* a read transaction is open */
	bool no_parts;	    /* por_part is known to be empty: its only writer is this connection */
	bool no_works;	    /* as is txn_work */
	uint64_t addr_card; /* in this batch: whose address was written last */
	struct bulk_src bulk;
	struct bulk_of bulk_of[BULKS];
	struct conn_fail fail;
};
void stmt_text(char out[SQL_TEXT_MAX], enum stmt_id id);
int conn_prepare(struct conn *c, bool writer);
void conn_close(struct conn *c);
/* One row there: 1, none: 0, else STORE_E_*.  The caller resets the statement. */
int st_row(struct conn *c, sqlite3_stmt *st);
/* Runs a statement that gives no rows and resets it. */
int st_run(struct conn *c, sqlite3_stmt *st);
int conn_read_begin(struct conn *c);
int conn_read_end(struct conn *c);

/* ---- why (sqlite_why.c) ---- */

#define STORE_RESTORE_HINT "stop the gateway, restore a backup and start once with otagwd --restored"

const char *errno_hint(int sys); /* what to do about a file that cannot be opened: "" or ": ..." */
void db_what(sqlite3 *db, int rc, char *out, size_t cap); /* which damage */
int db_errno(sqlite3 *db);				  /* of what has just failed; errno was 0 before */
int store_err_of(int rc, int sys);			  /* SQLite's result and errno to STORE_OK or STORE_E_* */
/* A sentence for err (an STORE_E_*): what, where, what to do.  Returns err. */
int store_why(const char *path, const struct conn_fail *f, int err, char *out, size_t cap);
int conn_err(struct conn *c, int rc); /* as store_err_of; remembers the first */
/* STORE_E_CORRUPT, with what is damaged, or what we were asked for. */
int conn_corrupt(struct conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int conn_asked(struct conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int conn_why(struct conn *c, int err, char *out, size_t cap); /* as store_why, and forgets it */

/* ---- work ---- */

/* What was written into an operation's row and is taken back when the batch does not happen. */
enum op_given { GIVEN_NOTHING, GIVEN_VERSION, GIVEN_VERSION_ANY };
struct sort_key {
	uint64_t card;
	uint32_t at;
	uint8_t given; /* enum op_given */
	uint8_t bulk;  /* the view in which it is carried out, 0: one by one (sqlite_bulk.c) */
};
struct committer {
	struct conn *c;
	uint64_t last_batch;
	unsigned long one_by_one;	/* batches that sqlite_bulk() gave back */
	struct sort_key *order, *spare; /* STORE_BATCH_OPS_MAX long */
};
int sqlite_commit(struct committer *w, struct store_batch *b);
/* sqlite_bulk.c: carries out what it can of order[from..to), between which there is no barrier, and marks it there.  BULK_NOT:
 * something was not as it should be, and what has been done of the batch is worth nothing. */
#define BULK_NOT 1
int sqlite_bulk_register(struct conn *c);
int sqlite_bulk(struct conn *c, const struct bulk_src *src);
int sqlite_trim(struct conn *c, struct store_trim *t);
int sqlite_book_put(struct conn *c, struct store_op *op, uint8_t *given);
int sqlite_book_drop(struct conn *c, struct store_op *op);
int sqlite_book_query(struct conn *c, struct store_query *q);
int sqlite_fetch(struct conn *c, struct store_fetch *f);
int sqlite_query(struct conn *c, struct store_query *q);

#endif
