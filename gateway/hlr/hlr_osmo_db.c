/* hlr_osmo_db.c - SQN of a subscriber of OsmoHLR, by its database: neither CTRL nor VTY can set it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Only where it is asked for (`sqn-database`): a card that comes with a higher SQN than a new subscriber's asks for it itself, once, by
 * AUTS (TS 33.102, 6.3.5), and that is normal.  OsmoHLR has its database open meanwhile (WAL): we write one row in one short
 * transaction, never go back, and read it again.  Where it has not, nothing is opened: we would make the log's files as ours, and OsmoHLR could
 * not open them afterwards.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include <sqlite3.h>

#include "hlr_osmo_db.h"

#define SQN_MAX	      ((1ull << 48) - 1)
#define ALGO_MILENAGE 5

/* -1: no such row. */
static int sqn_read(sqlite3 *db, const char *imsi, sqlite3_int64 *id, uint64_t *sqn)
{
	static const char sql[] =
		"SELECT a.subscriber_id, a.sqn FROM auc_3g a JOIN subscriber s ON s.id = a.subscriber_id"
		" WHERE s.imsi = ?1 AND a.algo_id_3g = ?2";
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

	if (rc)
		return rc;
	sqlite3_bind_text(st, 1, imsi, -1, SQLITE_STATIC);
	sqlite3_bind_int(st, 2, ALGO_MILENAGE);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		*id = sqlite3_column_int64(st, 0);
		*sqn = (uint64_t)sqlite3_column_int64(st, 1);
	}
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? 0 : rc == SQLITE_DONE ? -1 : rc;
}

static int sqn_write(sqlite3 *db, sqlite3_int64 id, uint64_t sqn)
{
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(db, "UPDATE auc_3g SET sqn = ?1 WHERE subscriber_id = ?2 AND sqn < ?1", -1, &st,
				    NULL);

	if (rc)
		return rc;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)sqn);
	sqlite3_bind_int64(st, 2, id);
	rc = sqlite3_step(st);
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : rc;
}

static int raise_in(sqlite3 *db, const char *imsi, uint64_t sqn, uint64_t *now)
{
	sqlite3_int64 id;
	int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	if (rc)
		return rc;
	rc = sqn_read(db, imsi, &id, now);
	if (!rc && *now < sqn) {
		rc = sqn_write(db, id, sqn);
		if (!rc)
			rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
		if (!rc)
			rc = sqn_read(db, imsi, &id, now);
	}
	if (!sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

/* The log and its index, which are there while somebody has the database open. */
static bool is_open(const char *path)
{
	char wal[300], shm[300];

	snprintf(wal, sizeof(wal), "%.280s-wal", path);
	snprintf(shm, sizeof(shm), "%.280s-shm", path);
	return !access(wal, F_OK) && !access(shm, F_OK);
}

int hlr_osmo_db_sqn(const char *path, const char *imsi, uint64_t sqn, char *err, size_t cap)
{
	uint64_t now = 0;
	sqlite3 *db = NULL;
	int rc;

	if (sqn > SQN_MAX) {
		snprintf(err, cap, "SQN %" PRIu64 " has more than 48 bits", sqn);
		return -1;
	}
	if (!is_open(path)) {
		snprintf(err, cap, "no OsmoHLR has %.120s open (there is no -wal and -shm beside it)", path);
		return -1;
	}
	rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (!rc) /* should we be the last one: the log stays as it is, for its owner */
		rc = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (!rc)
		rc = raise_in(db, imsi, sqn, &now);
	if (rc == -1)
		snprintf(err, cap, "%.120s has no Milenage keys of this IMSI: is it this OsmoHLR's database?", path);
	else if (rc)
		snprintf(err, cap, "%.120s: %.80s", path, db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
	else if (now < sqn)
		snprintf(err, cap, "%.120s: SQN reads back as %" PRIu64 " and not %" PRIu64, path, now, sqn);
	sqlite3_close(db);
	if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
		return HLR_OSMO_DB_BUSY;
	return rc || now < sqn ? -1 : 0;
}
