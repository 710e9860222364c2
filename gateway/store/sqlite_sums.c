/* sqlite_sums.c - a checksum at the end of each page of the database: what a disk has changed is not taken for data.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * SQLite notices a page whose structure is broken, but not a counter in which one bit has turned.  So this VFS stands on top
 * of the system's own: it computes a checksum of each page when it is written into the database file, into 8 octets that SQLite
 * leaves free for that, and compares it at each read.  The page's number is part of it: a page in the wrong place is
 * noticed, too.  Nothing has to be read through at start; what nobody reads is read by otagwd --check-store.
 *
 * Page and checksum are one write.  A crash may tear it, but the database file is written from the log alone, and the log is not
 * begun anew before the file has been flushed: what is torn is read from the log, and copied once more.
 *
 * SQLite is handed the page with these octets zeroed, so pages in the log carry zeros there, and zeros mean: no checksum.  A
 * copy made by sqlite3's .backup or VACUUM INTO is therefore as good as the original; the log has checksums of its own, which
 * SQLite looks at after a crash.  Pages that another program has written into the file keep an old checksum and are refused.
 *
 * The log is written by SQLite frame by frame, two system calls each; here they are gathered and go out in one when the log is
 * flushed, which with synchronous=FULL is before anybody is told of them, or when this connection looks at the file.
 *
 * What this does not see: a write that the disk reported and never made, as the older page has a good checksum; a page
 * turned into nothing but zeros, where that is no page of a table or an index (of these SQLite notices).
 */
#include <endian.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "sqlite_int.h"

#define SUM_LEN	    8
#define OS_FILE_MAX 1024	/* octets of the system's own file struct */
#define HEADER_LEN  100		/* of the database, read before the size of its pages is known */
#define GATHER_MAX  (120 << 10) /* SQLite's own file layer takes less than 128 KiB at a time */

struct sum_file {
	sqlite3_file base;
	bool sums; /* the database itself */
	bool log;
	/* of the log: gathered[0..n) stands at `at`, and not in the file yet */
	uint8_t *gathered;
	int n;
	sqlite3_int64 at;
	uint64_t real[OS_FILE_MAX / 8];
};

static _Thread_local uint32_t bad_page;

uint32_t sums_bad_page(void)
{
	return bad_page;
}

static sqlite3_file *real_of(sqlite3_file *f)
{
	return (sqlite3_file *)(void *)((struct sum_file *)f)->real;
}

/* ---- the sum ---- */

#define PRIME_1 0x9e3779b185ebca87ULL
#define PRIME_2 0xc2b2ae3d27d4eb4fULL

static uint64_t word_at(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return le64toh(w);
}

static uint64_t mix(uint64_t h, uint64_t w)
{
	h += w * PRIME_2;
	h = h << 31 | h >> 33;
	return h * PRIME_1;
}

/* Four lanes, so that the processor need not wait for one multiplication before it begins the next. */
static uint64_t page_sum(const uint8_t *page, uint32_t number)
{
	uint64_t h[4] = { number, number ^ PRIME_1, number + PRIME_2, ~(uint64_t)number };
	size_t i = 0;

	for (; i + 32 <= STORE_PAGE - SUM_LEN; i += 32)
		for (unsigned k = 0; k < 4; k++)
			h[k] = mix(h[k], word_at(page + i + 8 * k));
	for (; i < STORE_PAGE - SUM_LEN; i += 8)
		h[0] = mix(h[0], word_at(page + i));
	for (unsigned k = 1; k < 4; k++)
		h[0] = mix(h[0], h[k]);
	h[0] ^= h[0] >> 29;
	h[0] *= PRIME_2;
	h[0] ^= h[0] >> 32;
	return h[0] ? h[0] : 1; /* 0 says that there is none */
}

enum sum sums_page(const uint8_t *page, uint32_t number)
{
	uint64_t sum = word_at(page + STORE_PAGE - SUM_LEN);

	return !sum ? SUM_NONE : sum == page_sum(page, number) ? SUM_GOOD : SUM_BAD;
}

/* A database of another program has no room for checksums: it is read as it is, far enough to see whose it is.  One that is not
 * made yet has no header, nor has one whose making was cut short: SQLite takes that back first. */
bool sums_room(const uint8_t *header)
{
	return !header[0] || header[20] == SUM_LEN;
}

/* ---- the database file ---- */

static int read_page(sqlite3_file *f, uint8_t *page, sqlite3_int64 at)
{
	int rc = real_of(f)->pMethods->xRead(real_of(f), page, STORE_PAGE, at);
	uint32_t number = (uint32_t)(at / STORE_PAGE) + 1;

	if (rc != SQLITE_OK)
		return rc;
	if (sums_page(page, number) == SUM_BAD) {
		bad_page = number;
		return SQLITE_IOERR_DATA;
	}
	memset(page + STORE_PAGE - SUM_LEN, 0, SUM_LEN);
	return SQLITE_OK;
}

/* What was gathered goes to the file.  Where that fails it is gone: whoever wrote it is told now, and takes it back. */
static int gathered_out(sqlite3_file *f)
{
	struct sum_file *s = (struct sum_file *)f;
	int n = s->n;

	s->n = 0;
	return n ? real_of(f)->pMethods->xWrite(real_of(f), s->gathered, n, s->at) : SQLITE_OK;
}

static int log_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	struct sum_file *s = (struct sum_file *)f;
	int rc = SQLITE_OK;

	if (s->n && (at != s->at + s->n || n > GATHER_MAX - s->n))
		rc = gathered_out(f);
	if (!s->gathered)
		s->gathered = malloc(GATHER_MAX);
	if (rc != SQLITE_OK || !s->gathered || n > GATHER_MAX)
		return rc != SQLITE_OK ? rc : real_of(f)->pMethods->xWrite(real_of(f), p, n, at);
	if (!s->n)
		s->at = at;
	memcpy(s->gathered + s->n, p, (size_t)n);
	s->n += n;
	return SQLITE_OK;
}

static int s_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	sqlite3_int64 from = at - at % STORE_PAGE;
	uint8_t page[STORE_PAGE];
	int rc = gathered_out(f);

	if (rc != SQLITE_OK)
		return rc;
	if (!((struct sum_file *)f)->sums || at + n <= HEADER_LEN)
		return real_of(f)->pMethods->xRead(real_of(f), p, n, at);
	if (n == STORE_PAGE && at == from)
		return read_page(f, p, at);
	if (at + n > from + STORE_PAGE) {
		bad_page = 1; /* pages of another size than ours: the header is not what we wrote */
		return SQLITE_IOERR_DATA;
	}
	rc = read_page(f, page, from);
	if (rc == SQLITE_OK || rc == SQLITE_IOERR_SHORT_READ)
		memcpy(p, page + (at - from), (size_t)n);
	return rc;
}

static int s_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	uint8_t page[STORE_PAGE];
	uint64_t sum;

	if (((struct sum_file *)f)->log)
		return log_write(f, p, n, at);
	if (!((struct sum_file *)f)->sums)
		return real_of(f)->pMethods->xWrite(real_of(f), p, n, at);
	if (n != STORE_PAGE || at % STORE_PAGE)
		return SQLITE_IOERR_WRITE; /* never done to a database with pages of our size */
	memcpy(page, p, STORE_PAGE);
	sum = htole64(page_sum(page, (uint32_t)(at / STORE_PAGE) + 1));
	memcpy(page + STORE_PAGE - SUM_LEN, &sum, SUM_LEN);
	return real_of(f)->pMethods->xWrite(real_of(f), page, n, at);
}

/* ---- all else is the system's ---- */

static int s_close(sqlite3_file *f)
{
	int rc = gathered_out(f), end = real_of(f)->pMethods->xClose(real_of(f));

	free(((struct sum_file *)f)->gathered);
	return rc != SQLITE_OK ? rc : end;
}

static int s_truncate(sqlite3_file *f, sqlite3_int64 len)
{
	int rc = gathered_out(f);

	return rc != SQLITE_OK ? rc : real_of(f)->pMethods->xTruncate(real_of(f), len);
}

static int s_sync(sqlite3_file *f, int flags)
{
	int rc = gathered_out(f);

	return rc != SQLITE_OK ? rc : real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int s_size(sqlite3_file *f, sqlite3_int64 *out)
{
	int rc = gathered_out(f);

	return rc != SQLITE_OK ? rc : real_of(f)->pMethods->xFileSize(real_of(f), out);
}

static int s_lock(sqlite3_file *f, int how)
{
	return real_of(f)->pMethods->xLock(real_of(f), how);
}

static int s_unlock(sqlite3_file *f, int how)
{
	return real_of(f)->pMethods->xUnlock(real_of(f), how);
}

static int s_reserved(sqlite3_file *f, int *out)
{
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int s_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int s_sector(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int s_traits(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int s_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}

static int s_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags);
}

static void s_shm_barrier(sqlite3_file *f)
{
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int s_shm_unmap(sqlite3_file *f, int and_delete)
{
	return real_of(f)->pMethods->xShmUnmap(real_of(f), and_delete);
}

/* Version 2: no mapping of the file into memory, where nobody would compare. */
static const sqlite3_io_methods file_methods = {
	.iVersion = 2,
	.xClose = s_close,
	.xRead = s_read,
	.xWrite = s_write,
	.xTruncate = s_truncate,
	.xSync = s_sync,
	.xFileSize = s_size,
	.xLock = s_lock,
	.xUnlock = s_unlock,
	.xCheckReservedLock = s_reserved,
	.xFileControl = s_control,
	.xSectorSize = s_sector,
	.xDeviceCharacteristics = s_traits,
	.xShmMap = s_shm_map,
	.xShmLock = s_shm_lock,
	.xShmBarrier = s_shm_barrier,
	.xShmUnmap = s_shm_unmap,
};

/* The default VFS, whichever it is by now: the tests put theirs there. */
static sqlite3_vfs *under(void)
{
	return sqlite3_vfs_find(NULL);
}

static bool has_room(sqlite3_file *real)
{
	uint8_t header[HEADER_LEN];

	return real->pMethods->xRead(real, header, HEADER_LEN, 0) != SQLITE_OK || sums_room(header);
}

static int v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	struct sum_file *s = (struct sum_file *)f;
	sqlite3_vfs *os = under();
	int rc;

	*s = (struct sum_file){ 0 };
	if (!os || os->szOsFile > OS_FILE_MAX)
		return SQLITE_CANTOPEN;
	rc = os->xOpen(os, name, real_of(f), flags, out);
	if (real_of(f)->pMethods) /* to be closed, also when opening has failed */
		s->base.pMethods = &file_methods;
	s->log = rc == SQLITE_OK && (flags & SQLITE_OPEN_WAL);
	s->sums = rc == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB) && has_room(real_of(f));
	return rc;
}

static int v_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	return under()->xDelete(under(), name, sync);
}

static int v_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	return under()->xAccess(under(), name, flags, out);
}

static int v_full_name(sqlite3_vfs *vfs, const char *name, int cap, char *out)
{
	return under()->xFullPathname(under(), name, cap, out);
}

static int v_randomness(sqlite3_vfs *vfs, int n, char *out)
{
	return under()->xRandomness(under(), n, out);
}

static int v_sleep(sqlite3_vfs *vfs, int us)
{
	return under()->xSleep(under(), us);
}

static int v_time(sqlite3_vfs *vfs, double *out)
{
	return under()->xCurrentTime(under(), out);
}

static int v_last_error(sqlite3_vfs *vfs, int n, char *text)
{
	return under()->xGetLastError(under(), n, text);
}

static sqlite3_vfs sums_vfs = {
	.iVersion = 1,
	.szOsFile = sizeof(struct sum_file),
	.mxPathname = 4096,
	.zName = SUMS_VFS,
	.xOpen = v_open,
	.xDelete = v_delete,
	.xAccess = v_access,
	.xFullPathname = v_full_name,
	.xRandomness = v_randomness,
	.xSleep = v_sleep,
	.xCurrentTime = v_time,
	.xGetLastError = v_last_error,
};

static void set_up(void)
{
	/* SQLite's count of all its memory costs a lock at every allocation of either thread. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	sqlite3_vfs_register(&sums_vfs, 0);
}

void sums_register(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, set_up);
}

int sums_reserve(sqlite3 *db)
{
	int n = SUM_LEN;

	return sqlite3_file_control(db, NULL, SQLITE_FCNTL_RESERVE_BYTES, &n);
}

int sums_reserved(sqlite3 *db)
{
	int n = -1;

	return sqlite3_file_control(db, NULL, SQLITE_FCNTL_RESERVE_BYTES, &n) == SQLITE_OK && n == SUM_LEN;
}
