/* sqlite_why.c - what SQLite and the system say, as one of our errors and as a sentence: what, where, what to do.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A full disk hides behind several codes: SQLite says FULL for ENOSPC of a write alone; a quota, a size limit of the
 * process and the log's index on a full disk come as I/O errors with an errno.  SQLite 3.40 does not keep the errno of a
 * COMMIT that fails: errno itself still has it, as what follows such a failure succeeds.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sqlite_int.h"

static bool errno_is_full(int sys)
{
	return sys == ENOSPC || sys == EDQUOT || sys == EFBIG;
}

static bool is_io_write(int rc)
{
	return rc == SQLITE_IOERR_WRITE || rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_TRUNCATE ||
	       rc == SQLITE_IOERR_SHMSIZE || rc == SQLITE_IOERR_SHMOPEN || rc == SQLITE_IOERR_DIR_FSYNC;
}

int store_err_of(int rc, int sys)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return STORE_OK;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_NOMEM:
	case SQLITE_INTERRUPT:
	case SQLITE_PROTOCOL:
		return STORE_E_BUSY;
	case SQLITE_FULL:
		return STORE_E_FULL;
	case SQLITE_IOERR:
		if (rc == SQLITE_IOERR_NOMEM || rc == SQLITE_IOERR_BLOCKED)
			return STORE_E_BUSY;
		if (rc == SQLITE_IOERR_DATA || rc == SQLITE_IOERR_CORRUPTFS)
			return STORE_E_CORRUPT;
		return is_io_write(rc) && errno_is_full(sys) ? STORE_E_FULL : STORE_E_IO;
	case SQLITE_CANTOPEN:
		return errno_is_full(sys) ? STORE_E_FULL : STORE_E_IO;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return STORE_E_IO;
	default:
		return STORE_E_CORRUPT;
	}
}

static const char *doing_of(int rc)
{
	switch (rc) {
	case SQLITE_IOERR_READ:
	case SQLITE_IOERR_SHORT_READ:
	case SQLITE_IOERR_FSTAT:
		return "reading";
	case SQLITE_IOERR_WRITE:
		return "writing";
	case SQLITE_IOERR_FSYNC:
	case SQLITE_IOERR_DIR_FSYNC:
		return "flushing";
	case SQLITE_IOERR_TRUNCATE:
		return "cutting a file";
	case SQLITE_IOERR_DELETE:
		return "deleting a file";
	case SQLITE_IOERR_LOCK:
	case SQLITE_IOERR_UNLOCK:
	case SQLITE_IOERR_RDLOCK:
	case SQLITE_IOERR_SHMLOCK:
		return "locking";
	case SQLITE_IOERR_SHMOPEN:
	case SQLITE_IOERR_SHMSIZE:
	case SQLITE_IOERR_SHMMAP:
		return "making the index of the log";
	default:
		return (rc & 0xff) == SQLITE_CANTOPEN ? "opening" : "reading or writing";
	}
}

static void why_full(const char *path, const struct conn_fail *f, char *out, size_t cap)
{
	if (f->sys == EDQUOT)
		snprintf(out, cap, "disk quota used up, %s cannot grow: raise it or free space", path);
	else if (f->sys == EFBIG)
		snprintf(out, cap,
			 "%s may not grow, the process has a file size limit: raise it (LimitFSIZE, ulimit -f)", path);
	else
		snprintf(out, cap, "disk full, %s cannot grow: free space there", path);
}

static void why_io(const char *path, const struct conn_fail *f, char *out, size_t cap)
{
	if (f->moved)
		snprintf(out, cap,
			 "%s has been moved, deleted or replaced while the gateway ran: put it back, or stop the "
			 "gateway "
			 "and restore a backup",
			 path);
	else if ((f->rc & 0xff) == SQLITE_READONLY || f->sys == EROFS)
		snprintf(
			out, cap,
			"%s cannot be written, disk or file is read-only (after a disk error?): look at dmesg, make it "
			"writable again",
			path);
	else if (f->sys == EACCES || f->sys == EPERM)
		snprintf(out, cap, "%s: no permission for %s: the state directory must belong to the gateway's user",
			 path, doing_of(f->rc));
	else
		snprintf(out, cap, "I/O error while %s %s%s%s: look at the disk (dmesg)", doing_of(f->rc), path,
			 f->sys ? ": " : "", f->sys ? strerror(f->sys) : "");
}

static void why_busy(const char *path, const struct conn_fail *f, char *out, size_t cap)
{
	if ((f->rc & 0xff) == SQLITE_NOMEM || f->rc == SQLITE_IOERR_NOMEM)
		snprintf(out, cap, "out of memory for %s: free some", path);
	else if ((f->rc & 0xff) == SQLITE_BUSY || (f->rc & 0xff) == SQLITE_LOCKED)
		snprintf(out, cap, "%s is locked by another program (a backup, an sqlite3 shell): end that", path);
	else
		snprintf(out, cap, "%s: %s", path, store_strerror(STORE_E_BUSY));
}

static void why_corrupt(const char *path, const struct conn_fail *f, char *out, size_t cap)
{
	const char *what = *f->what ? f->what : f->rc ? sqlite3_errstr(f->rc) : "a value that was never written there";

	if (f->asked)
		snprintf(out, cap, "%s: the store was asked to break its own rules: %s", path, what);
	else if ((f->rc & 0xff) == SQLITE_NOTADB && !*f->what)
		snprintf(out, cap, "%s: damaged, not a database any more: " STORE_RESTORE_HINT, path);
	else
		snprintf(out, cap, "%s: damaged (%s): " STORE_RESTORE_HINT, path, what);
}

int store_why(const char *path, const struct conn_fail *f, int err, char *out, size_t cap)
{
	switch (err) {
	case STORE_OK:
		*out = 0;
		break;
	case STORE_E_FULL:
		why_full(path, f, out, cap);
		break;
	case STORE_E_IO:
		why_io(path, f, out, cap);
		break;
	case STORE_E_BUSY:
		why_busy(path, f, out, cap);
		break;
	case STORE_E_CORRUPT:
		why_corrupt(path, f, out, cap);
		break;
	default:
		snprintf(out, cap, "%s: %s", path, store_strerror(err));
	}
	return err;
}

/* ---- of a connection: its first failure since it was last cleared tells the cause, those behind it the consequences ---- */

const char *errno_hint(int sys)
{
	switch (sys) {
	case EACCES:
	case EPERM:
		return ": the state directory and what is in it must belong to the user that the gateway runs as";
	case EROFS:
		return ": make the disk writable again (dmesg says why it is not), or use another state directory";
	case ENOSPC:
	case EDQUOT:
		return ": free space";
	case EMFILE:
	case ENFILE:
		return ": raise the limit of open files";
	default:
		return "";
	}
}

void db_what(sqlite3 *db, int rc, char *out, size_t cap)
{
	if (rc == SQLITE_IOERR_DATA)
		snprintf(out, cap, "page %u does not match its checksum", (unsigned)sums_bad_page());
	else
		snprintf(out, cap, "%s", sqlite3_errmsg(db));
}

int db_errno(sqlite3 *db)
{
	int sys = errno, told = sqlite3_system_errno(db);

	return told ? told : sys;
}

int conn_err(struct conn *c, int rc)
{
	int sys = db_errno(c->db), err = store_err_of(rc, sys);

	if (!err)
		return STORE_OK;
	if (!c->fail.rc && !*c->fail.what) {
		c->fail.rc = rc;
		c->fail.sys = sys;
		if (err == STORE_E_CORRUPT)
			db_what(c->db, rc, c->fail.what, sizeof(c->fail.what));
	}
	return err;
}

static int fail_say(struct conn *c, bool asked, const char *fmt, va_list ap)
{
	if (!c->fail.rc && !*c->fail.what) {
		c->fail.asked = asked;
		vsnprintf(c->fail.what, sizeof(c->fail.what), fmt, ap);
	}
	return STORE_E_CORRUPT;
}

int conn_corrupt(struct conn *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail_say(c, false, fmt, ap);
	va_end(ap);
	return STORE_E_CORRUPT;
}

int conn_asked(struct conn *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail_say(c, true, fmt, ap);
	va_end(ap);
	return STORE_E_CORRUPT;
}

int conn_why(struct conn *c, int err, char *out, size_t cap)
{
	store_why(c->path, &c->fail, err, out, cap);
	c->fail = (struct conn_fail){ 0 };
	return err;
}
