/* sqlite_schema.c - opening the database: whose is it, which schema, and our two connections to it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * WAL with synchronous=FULL: a commit that was reported has been flushed.  NORMAL would lose reported commits at a power
 * failure, and with them counters that have already left.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sqlite_int.h"

#define BUSY_MS		 1000 /* a backup tool may hold the database for a moment */
#define WRITER_CACHE_KIB 40960
#define READER_CACHE_KIB 8192
#define WAL_KEEP_OCTETS	 (256 << 20) /* the WAL file is cut back to this after a checkpoint */

__attribute__((format(printf, 3, 4))) static void say(char *err, size_t cap, const char *fmt, ...)
{
	va_list ap;

	if (!err || !cap)
		return;
	va_start(ap, fmt);
	vsnprintf(err, cap, fmt, ap);
	va_end(ap);
}

/* First column of the first row as a number. */
static int number_get(sqlite3 *db, const char *sql, sqlite3_int64 *out)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		*out = sqlite3_column_int64(st, 0);
		rc = SQLITE_OK;
	} else if (rc == SQLITE_DONE) {
		rc = SQLITE_CORRUPT;
	}
	sqlite3_finalize(st);
	return rc;
}

static int db_refused(sqlite3 *db, const char *path, int rc, const char *doing, char *err, size_t cap)
{
	struct conn_fail f = { .rc = rc, .sys = db_errno(db) };
	size_t n = (size_t)snprintf(err, cap, "%s: ", doing);

	if ((rc & 0xff) != SQLITE_NOTADB)
		db_what(db, rc, f.what, sizeof(f.what));
	store_why(path, &f, store_err_of(rc, f.sys), n < cap ? err + n : err, n < cap ? cap - n : cap);
	return -1;
}

/* One step, one transaction: a crash leaves the schema before it or after it. */
static int step_run(sqlite3 *db, const char *path, int to, char *err, size_t cap)
{
	const struct schema_step *step = &store_schema_steps[to - 1];
	char sql[128], doing[96];
	int rc;

	errno = 0;
	snprintf(doing, sizeof(doing), "cannot apply schema step %s", step->name);
	rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, step->sql, NULL, NULL, NULL);
	snprintf(sql, sizeof(sql), "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT", SQLITE_APP_ID, to);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		return 0;
	db_refused(db, path, rc, doing, err, cap);
	if (!sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return -1;
}

int sqlite_schema_look(sqlite3 *db, const char *path, int *out, char *err, size_t cap)
{
	sqlite3_int64 app = 0, version = 0, objects = 0;
	int rc;

	errno = 0;
	rc = number_get(db, "PRAGMA application_id", &app);

	if (rc == SQLITE_OK)
		rc = number_get(db, "PRAGMA user_version", &version);
	if (rc == SQLITE_OK)
		rc = number_get(db, "SELECT count(*) FROM sqlite_schema", &objects);
	if (rc != SQLITE_OK)
		return db_refused(db, path, rc, "cannot read the database", err, cap);
	if (app != SQLITE_APP_ID && (app || version || objects)) {
		say(err, cap, "%s: an SQLite database, but not one of otagw's: use another state directory", path);
		return -1;
	}
	if (version > store_schema_version) {
		say(err, cap,
		    "%s: schema %lld is newer than this program knows (%d): install the newer otagw, or restore "
		    "the backup made before the upgrade",
		    path, (long long)version, store_schema_version);
		return -1;
	}
	if (version < 0 || (app == SQLITE_APP_ID && !version)) {
		say(err, cap, "%s: schema version %lld makes no sense: restore it from a backup", path,
		    (long long)version);
		return -1;
	}
	if (app && !sums_reserved(db)) {
		say(err, cap,
		    "%s: no room for checksums in its pages: header damaged, or a copy made by other means than "
		    ".backup or VACUUM INTO: " STORE_RESTORE_HINT,
		    path);
		return -1;
	}
	*out = (int)version;
	return 0;
}

static int schema_lift(sqlite3 *db, const char *path, char *err, size_t cap)
{
	int version;

	if (sqlite_schema_look(db, path, &version, err, cap) < 0)
		return -1;
	if (!version && sums_reserve(db) != SQLITE_OK)
		return db_refused(db, path, SQLITE_ERROR, "cannot make room for checksums", err, cap);
	for (int to = version + 1; to <= store_schema_version; to++)
		if (step_run(db, path, to, err, cap) < 0)
			return -1;
	return 0;
}

static sqlite3 *db_open(const char *path, int flags, const char *pragmas, char *err, size_t cap)
{
	sqlite3 *db = NULL;
	int rc;

	errno = 0;
	rc = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, SUMS_VFS);

	if (rc == SQLITE_OK) {
		sqlite3_busy_timeout(db, BUSY_MS);
		sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
		sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
		/* who only reads writes nothing when it ends, either */
		sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !!(flags & SQLITE_OPEN_READONLY), NULL);
		rc = sqlite3_exec(db, pragmas, NULL, NULL, NULL);
	}
	if (rc == SQLITE_OK)
		return db;
	db_refused(db, path, rc, "cannot open the database", err, cap);
	sqlite3_close(db);
	return NULL;
}

/* SQLite would make the file with the umask's mode: sealed keys lie in it, so it is ours alone from its first octet
 * (the -wal and -shm files take over its mode). */
static int file_prepare(const char *path, char *err, size_t cap)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat sb;
	int rc = -1;

	if (fd < 0) {
		say(err, cap, "%s: cannot open: %s%s", path, strerror(errno), errno_hint(errno));
		return -1;
	}
	if (fstat(fd, &sb) < 0 || !S_ISREG(sb.st_mode))
		say(err, cap, "%s: not a regular file", path);
	else if ((sb.st_mode & 077) && fchmod(fd, 0600) < 0)
		say(err, cap, "%s: readable by others and cannot be made 0600: %s", path, strerror(errno));
	else
		rc = 0;
	close(fd);
	return rc;
}

sqlite3 *sqlite_open_writer(const char *path, char *err, size_t cap)
{
	char pragmas[256];
	sqlite3 *db;
	int rc;

	if (file_prepare(path, err, cap) < 0)
		return NULL;
	/* Checkpoints are run between batches by the writer itself (store_sqlite.c), never inside a commit. */
	snprintf(pragmas, sizeof(pragmas),
		 "PRAGMA page_size=%d; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-%d; "
		 "PRAGMA cell_size_check=ON;"
		 "PRAGMA journal_size_limit=%d; PRAGMA wal_autocheckpoint=0",
		 STORE_PAGE, WRITER_CACHE_KIB, WAL_KEEP_OCTETS);
	db = db_open(path, SQLITE_OPEN_READWRITE, pragmas, err, cap);
	if (!db)
		return NULL;
	/* Look before anything is written: another program's database is not to be changed, not even to WAL. */
	if (schema_lift(db, path, err, cap) == 0) {
		errno = 0;
		rc = sqlite3_exec(db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
		if (rc == SQLITE_OK)
			return db;
		db_refused(db, path, rc, "cannot switch to write-ahead log", err, cap);
	}
	sqlite3_close(db);
	return NULL;
}

sqlite3 *sqlite_open_reader(const char *path, char *err, size_t cap)
{
	char pragmas[128];

	snprintf(pragmas, sizeof(pragmas), "PRAGMA query_only=ON; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-%d",
		 READER_CACHE_KIB);
	return db_open(path, SQLITE_OPEN_READONLY, pragmas, err, cap);
}

/* ---- statements ---- */

/* A card that was given a script and never said what became of it may hold its new numbers, until a later change of it is done. */
#define MAY_HOLD                                                                    \
	" OR card<>?2 AND txn.state>=4 AND scripts>0 AND NOT EXISTS(SELECT 1 FROM " \
	"txn AS later WHERE later.card=txn.card AND later.id>txn.id AND later.state=2)"

static const char *const stmts[_STMTS] = {
	[S_BEGIN] = "BEGIN",
	[S_BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[S_COMMIT] = "COMMIT",
	[S_ROLLBACK] = "ROLLBACK",

	[S_BATCH_PUT] = "UPDATE batch SET batch_no=?1 WHERE id=1",
	[S_CARD_BY_ICCID] = "SELECT id,imsi,msisdn,last_seen_ms,profile,gone_ms,quarantine_ms FROM card WHERE iccid=?1",
	[S_CARD_IMSI] = "SELECT 1 FROM card WHERE imsi=?1 AND id<>?2 LIMIT 1",
	[S_CARD_MSISDN] = "SELECT 1 FROM card WHERE msisdn=?1 AND msisdn<>'' AND id<>?2 LIMIT 1",
	[S_TXN_OPEN_IMSI] =
		"SELECT 1 FROM txn WHERE new_imsi=?1 AND new_imsi<>'' AND (txn.state<2" MAY_HOLD ") LIMIT 1",
	[S_TXN_OPEN_MSISDN] =
		"SELECT 1 FROM txn WHERE new_msisdn=?1 AND new_msisdn<>'' AND (txn.state<2" MAY_HOLD ") LIMIT 1",
	[S_TXN_OPEN_CARD] = "SELECT 1 FROM txn WHERE card=?1 AND state<2 LIMIT 1",
	[S_TXN_NEWEST] = "SELECT max(id) FROM txn WHERE card=?1",
	[S_CARD_INSERT] = "INSERT INTO card({card:}) VALUES({card?})",
	/* The usual change of a card is its presence: leaves the indexes alone. */
	[S_CARD_TOUCH] = "UPDATE card SET last_seen_ms=?5,created_ms=?6 "
			 "WHERE id=?1 AND imsi=?3 AND msisdn=?4 AND moves=?10",
	/* The next usual one is its new IMSI: an index whose columns are named is written anew, changed or not. */
	[S_CARD_IMSI_PUT] = "UPDATE card SET imsi=?3,last_seen_ms=?5,created_ms=?6 WHERE id=?1 AND msisdn=?4 "
			    "AND moves=?10",
	[S_CARD_UPDATE] = "UPDATE card SET {card=} WHERE id=?1 AND moves=?10",
	[S_CARD_SEEN] = "UPDATE card SET last_seen_ms=max(last_seen_ms,?5) WHERE id=?1",
	[S_CARD_MOVED] = "UPDATE card SET {card=},gone_ms=?9,moves=?10 WHERE id=?1",
	[S_CARD_QUARANTINE] = "UPDATE card SET quarantine_ms=?2 WHERE id=?1",
	[S_CARD_OPEN] = "SELECT 1 WHERE EXISTS(SELECT 1 FROM txn WHERE card=?1 AND state<2) OR "
			"EXISTS(SELECT 1 FROM cmd WHERE card=?1 AND state<5)",
	[S_CARD_TRAITS] = "UPDATE card SET tz_min=ifnull(?2,tz_min),profile=ifnull(?3,profile) "
			  "WHERE id=?1 AND (tz_min<>ifnull(?2,tz_min) OR profile<>ifnull(?3,profile))",
	[S_KEYSET_INSERT] = "INSERT INTO keyset(id,{keyset:}) VALUES(?1*16+?2,{keyset?})",
	[S_KEYSET_CNTR] = "UPDATE keyset SET cntr=max(cntr,?2),"
			  "cntr_proven=CASE WHEN ?4>epoch THEN ?3 WHEN ?2>=cntr THEN max(cntr_proven,?3) "
			  "ELSE cntr_proven END,"
			  "epoch=max(epoch,?4) WHERE id=?1 AND (generation=?5 OR sealed=?6)",
	[S_KEYSET_PUT] = "UPDATE keyset SET {keyset=} WHERE id=?1*16+?2",
	[S_KEYSET_RENAME] = "UPDATE cmd SET generation=?4 WHERE card=?1 AND kvn=?2 AND generation=?3",
	[S_KEYSET_OPEN] = "SELECT 1 FROM cmd WHERE card=?1 AND kvn=?2 AND state<5 LIMIT 1",
	[S_KEYSETS_DROP] = "DELETE FROM keyset WHERE id>=?1*16 AND id<?1*16+16",
	[S_KEYSET_ALGS] = "SELECT kic_alg,kid_alg,cc_len FROM keyset WHERE id=?1",
	[S_KEYSET_KINDS] = "SELECT kvn,kic_alg,substr(sealed,1,5) FROM keyset WHERE id>=?1*16 AND id<?1*16+16 AND "
			   "length(sealed)>0 "
			   "ORDER BY id",
	[S_ADDR_PUT] = "INSERT OR REPLACE INTO card_addr({card_addr:}) VALUES({card_addr?})",
	[S_ADDR_END] = "UPDATE card_addr SET valid_to_ms=?4 WHERE type=?1 AND digits=?2 AND card=?3 AND "
		       "(valid_to_ms=0 OR valid_to_ms>?4)",
	[S_CAMPAIGN_STATE] = "SELECT state FROM campaign WHERE id=?1",
	[S_CAMPAIGN_BY_NAME] = "SELECT 1 FROM campaign WHERE name=?1",
	[S_CAMPAIGN_INSERT] = "INSERT INTO campaign({campaign:}) VALUES({campaign?})",
	[S_CAMPAIGN_UPDATE] = "UPDATE campaign SET {campaign=} WHERE id=?1",
	[S_CAMPAIGN_DELETE] = "DELETE FROM campaign WHERE id=?1",
	[S_PROFILE_INSERT] = "INSERT INTO campaign_profile VALUES(?1,?2)",
	[S_PROFILE_DELETE] = "DELETE FROM campaign_profile WHERE id=?1",
	[S_WORKS_DELETE] = "DELETE FROM txn_work WHERE id IN (SELECT id FROM txn WHERE campaign=?1)",
	[S_TXNS_DELETE] = "DELETE FROM txn WHERE campaign=?1",
	[S_TXN_INSERT] = "INSERT INTO txn({txn:}) VALUES({txn?})",
	[S_WORK_INSERT] = "INSERT INTO txn_work VALUES(?1,?2)",
	[S_TXN_UPDATE] = "UPDATE txn SET {txn=} WHERE id=?1",
	[S_CMD_PUT] = "INSERT INTO cmd({cmd:}) VALUES({cmd?}) ON CONFLICT(id) DO UPDATE SET {cmd=}",
	[S_CMD_UPDATE] = "UPDATE cmd SET {cmd=} WHERE id=?1",
	[S_WIRE_INSERT] = "INSERT INTO cmd_wire VALUES(?1,?2) ON CONFLICT(cmd_id) DO NOTHING",
	[S_PART_PUT] = "INSERT OR REPLACE INTO por_part({por_part:}) VALUES({por_part?})",
	[S_PARTS_DROP] = "DELETE FROM por_part WHERE card=?1 AND iei=?2 AND ref=?3",
	[S_STORY_ADD] = "INSERT INTO story({story:},detail) VALUES({story?},?7)",
	[S_BOOK_LOOK] = "SELECT version,owner,step FROM book WHERE book=?1 AND key=?2",
	[S_BOOK_INSERT] = "INSERT INTO book({book:},body) VALUES({book?},?6)",
	/* an index whose columns are named is written anew, changed or not: name only what has changed */
	[S_BOOK_PUT_BODY] = "UPDATE book SET version=?5,body=?6 WHERE book=?1 AND key=?2",
	[S_BOOK_PUT_STEP] = "UPDATE book SET step=?4,version=?5,body=?6 WHERE book=?1 AND key=?2",
	[S_BOOK_PUT_ALL] = "UPDATE book SET {book=},body=?6 WHERE book=?1 AND key=?2",
	[S_BOOK_DROP] = "DELETE FROM book WHERE book=?1 AND key=?2",
	/* OR FAIL: whatever fails ends the batch, so nothing need be kept to take this statement alone back.  Of rows that must
	 * be there, what is not written stands as a constant: it costs less, and a row that is made of it is seen and undone */
	[S_BULK_KEYSET] =
		"INSERT OR FAIL INTO "
		"keyset(id,card,kvn,kic_alg,kid_alg,cc_len,generation,cntr,cntr_proven,epoch,sealed) "
		"SELECT card*16+kvn,0,0,0,0,0,generation,cntr,cntr_proven,epoch,sealed FROM op_keyset WHERE true "
		"ON CONFLICT(id) DO UPDATE SET cntr=max(cntr,excluded.cntr),"
		"cntr_proven=CASE WHEN excluded.epoch>epoch THEN excluded.cntr_proven "
		"WHEN excluded.cntr>=cntr THEN max(cntr_proven,excluded.cntr_proven) ELSE cntr_proven END,"
		"epoch=max(epoch,excluded.epoch) WHERE generation=excluded.generation OR sealed=excluded.sealed",
	[S_BULK_ADDR] = "INSERT OR FAIL INTO card_addr({card_addr:}) SELECT {card_addr:} FROM op_addr WHERE true "
			"ON CONFLICT(type,digits,card) DO UPDATE SET {card_addr<}",
	[S_BULK_CARD_SEEN] =
		"INSERT OR FAIL INTO card({card:}) "
		"SELECT id,'',imsi,msisdn,last_seen_ms,created_ms,0,'',0,moves,0 FROM op_card_seen WHERE true "
		"ON CONFLICT(id) DO UPDATE SET last_seen_ms=excluded.last_seen_ms,"
		"created_ms=excluded.created_ms WHERE imsi=excluded.imsi AND msisdn=excluded.msisdn "
		"AND moves=excluded.moves",
	[S_BULK_CARD_IMSI] =
		"INSERT OR FAIL INTO card({card:}) "
		"SELECT id,'',imsi,msisdn,last_seen_ms,created_ms,0,'',0,moves,0 FROM op_card_imsi WHERE true "
		"ON CONFLICT(id) DO UPDATE SET imsi=excluded.imsi,last_seen_ms=excluded.last_seen_ms,"
		"created_ms=excluded.created_ms WHERE msisdn=excluded.msisdn AND moves=excluded.moves",
	[S_BULK_TXN] = "INSERT OR FAIL INTO txn({txn:}) SELECT {txn0} FROM op_txn WHERE true "
		       "ON CONFLICT(id) DO UPDATE SET {txn<}",
	[S_BULK_CMD] = "INSERT OR FAIL INTO cmd({cmd:}) SELECT {cmd:} FROM op_cmd WHERE true "
		       "ON CONFLICT(id) DO UPDATE SET {cmd<}",
	[S_BULK_WIRE] = "INSERT OR FAIL INTO cmd_wire SELECT id,bytes FROM op_wire",
	[S_BULK_STORY] = "INSERT OR FAIL INTO story({story:},detail) SELECT {story:},bytes FROM op_story",
	[S_STORY_LAST] = "SELECT max(id) FROM story",
	[S_META_PUT] = "INSERT OR REPLACE INTO meta VALUES(?1,?2)",
	[S_TRIM_CARDS] = "SELECT id FROM card WHERE id>=?1 ORDER BY id LIMIT ?2",
	[S_TRIM_OPEN] = "SELECT 1 FROM cmd WHERE card=?1 AND state<5 LIMIT 1",
	/* first command of the newest transaction that is DONE, and the first line of the story from it on */
	[S_TRIM_CMD_KEPT] = "SELECT min(id) FROM cmd WHERE card=?1 AND txn=(SELECT max(id) FROM txn WHERE card=?1 AND "
			    "state=2)",
	[S_TRIM_STORY_KEPT] = "SELECT min(id) FROM story WHERE card=?1 AND cmd>=?2",
	[S_TRIM_STORY] = "DELETE FROM story WHERE id IN (SELECT id FROM story WHERE card=?1 AND at_ms<?2 AND "
			 "(id<?3 OR kind=6) ORDER BY id LIMIT ?4)",
	[S_TRIM_WIRE] = "DELETE FROM cmd_wire WHERE cmd_id IN (SELECT id FROM cmd JOIN cmd_wire ON cmd_id=id WHERE "
			"card=?1 AND ended_ms<?2 AND id<?3 AND state>=5 ORDER BY id LIMIT ?4)",

	[S_CARD] = "SELECT {card} FROM card WHERE id=?1",
	[S_PARTS_ANY] = "SELECT 1 FROM por_part WHERE card=?1 LIMIT 1",
	[S_KEYSETS] = "SELECT {keyset} FROM keyset WHERE id>=?1*16 AND id<?1*16+16 ORDER BY id",
	[S_TXN_OF_CARD] = "SELECT {txn},state<2 FROM txn WHERE card=?1 ORDER BY id DESC",
	[S_WORK] = "SELECT work FROM txn_work WHERE id=?1",
	[S_CMD_LAST_SCRIPT] = "SELECT {cmd} FROM cmd WHERE card=?1 AND kind=1 ORDER BY id DESC LIMIT 1",
	[S_CMDS_NEWEST] = "SELECT {cmd} FROM cmd WHERE card=?1 ORDER BY id DESC LIMIT ?2",
	[S_PARTS] = "SELECT {por_part} FROM por_part WHERE card=?1 ORDER BY at_ms DESC,iei,ref,seq LIMIT ?2",
	[S_WIRE] = "SELECT packet FROM cmd_wire WHERE cmd_id=?1",
	[S_ADDR] = "SELECT card FROM card_addr WHERE type=?1 AND digits=?2 "
		   "AND (valid_to_ms=0 OR valid_to_ms>?3) ORDER BY valid_from_ms DESC,card DESC LIMIT 1",
	/* a row for each keyset of each card */
	[S_CLAIM] = "SELECT {txn},{card},EXISTS(SELECT 1 FROM cmd WHERE cmd.card=txn.card),{keyset} "
		    "FROM txn CROSS JOIN card ON card.id=txn.card "
		    "LEFT JOIN keyset ON keyset.id>=txn.card*16 AND keyset.id<txn.card*16+16 "
		    "WHERE campaign=?1 AND txn.id>?2 AND txn.state=0 ORDER BY txn.id,keyset.id",
	[S_CAMPAIGNS] = "SELECT {campaign} FROM campaign WHERE id>?1 ORDER BY id LIMIT ?2",
	/* counted by us: to group a million rows, SQLite would sort them all in memory first */
	[S_COUNTS] = "SELECT {txn} FROM txn WHERE campaign=?1",
	[S_OPEN_CMDS] = "SELECT {cmd} FROM cmd INDEXED BY cmd_open "
			"WHERE id>?1 AND state<5 ORDER BY id LIMIT ?2",
	[S_REPORT] = "SELECT {txn},card.iccid,card.imsi FROM txn JOIN card ON card.id=txn.card "
		     "WHERE txn.campaign=?1 AND txn.id>?2 ORDER BY txn.id LIMIT ?3",
	[S_CARD_ID] = "SELECT id FROM card WHERE iccid=?1",
	[S_CARD_CMDS] = "SELECT {cmd} FROM cmd WHERE card=?1 AND id>?2 ORDER BY id LIMIT ?3",
	[S_STORY] = "SELECT {story},detail FROM story WHERE card=?1 AND id>?2 ORDER BY id LIMIT ?3",
	[S_CARDS] = "SELECT {card} FROM card WHERE id>?1 ORDER BY id LIMIT ?2",
	[S_PROFILE] = "SELECT profile_text FROM campaign_profile WHERE id=?1",
	[S_META] = "SELECT value FROM meta WHERE key=?1",
	[S_TOTALS] = "SELECT (SELECT count(*) FROM card),(SELECT count(*) FROM campaign),(SELECT count(*) FROM txn),"
		     "(SELECT count(*) FROM cmd),(SELECT coalesce(max(id),0) FROM campaign),"
		     "(SELECT coalesce(max(id),0) FROM cmd),(SELECT batch_no FROM batch)",
	[S_BOOK_GET] = "SELECT {book},body FROM book WHERE book=?1 AND key=?2",
	[S_BOOK_STEP] =
		"SELECT {book},body FROM book INDEXED BY book_step WHERE book=?1 AND owner=?2 AND key>?3 AND step=?5 "
		"ORDER BY key LIMIT ?4",
	[S_BOOK_OWNER] = "SELECT {book},body FROM book INDEXED BY book_owner WHERE book=?1 AND owner=?2 AND key>?3 "
			 "ORDER BY key LIMIT ?4",
	[S_BOOK_COUNT] = "SELECT step,count(*) FROM book INDEXED BY book_step WHERE book=?1 AND owner=?2 GROUP BY step",
};

/* The numbers in the SQL above are these. */
_Static_assert(CAMPAIGN_CANCELLED == 5 && TXN_PLANNED == 0 && TXN_ACTIVE == 1 && TXN_DONE == 2 &&
		       CMD_WAIT_PRESENCE == 4 && CMD_DONE == 5 && STORY_STRAY == 6,
	       "states in SQL");

void stmt_text(char out[SQL_TEXT_MAX], enum stmt_id id)
{
	sql_expand(out, stmts[id]);
}

int conn_prepare(struct conn *c, bool writer)
{
	char sql[SQL_TEXT_MAX];
	int rc = writer ? sqlite_bulk_register(c) : SQLITE_OK;

	if (rc != SQLITE_OK)
		return conn_err(c, rc);
	for (int i = 0; i < _STMTS; i++) {
		if (!writer && i >= S_BATCH_PUT && i < S_FIRST_READ)
			continue;
		stmt_text(sql, (enum stmt_id)i);
		rc = sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &c->st[i], NULL);
		if (rc == SQLITE_ERROR) /* no such table, no such column */
			return conn_corrupt(c, "not the tables this program knows: %s", sqlite3_errmsg(c->db));
		if (rc != SQLITE_OK)
			return conn_err(c, rc);
	}
	return 0;
}

void conn_close(struct conn *c)
{
	for (int i = 0; i < _STMTS; i++)
		sqlite3_finalize(c->st[i]);
	sqlite3_close(c->db);
	*c = (struct conn){ 0 };
}

int st_row(struct conn *c, sqlite3_stmt *st)
{
	int rc;

	errno = 0;
	rc = sqlite3_step(st);

	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : conn_err(c, rc);
}

int st_run(struct conn *c, sqlite3_stmt *st)
{
	int err;

	errno = 0;
	err = conn_err(c, sqlite3_step(st));
	sqlite3_reset(st);
	return err;
}

int conn_read_begin(struct conn *c)
{
	int rc;

	if (c->reading)
		return 0;
	rc = st_run(c, c->st[S_BEGIN]);
	c->reading = rc == 0;
	return rc;
}

int conn_read_end(struct conn *c)
{
	if (!c->reading)
		return 0;
	c->reading = false;
	/* Where a read has failed, SQLite may have ended the transaction by itself. */
	return sqlite3_get_autocommit(c->db) ? 0 : st_run(c, c->st[S_COMMIT]);
}
