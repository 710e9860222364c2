/* slow_vfs.c - a disk that takes longer to flush: SQLite's own VFS, with a wait after each sync.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Linked into otagwd_slow_flush alone.  OTAGW_PERF_FLUSH_US says how long; nothing else of the product is different.
 */
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FLUSH_US_MAX 1000000

static sqlite3_vfs slow;
static struct timespec delay;
static sqlite3_io_methods methods;     /* those of the files, with our sync */
static const sqlite3_io_methods *real; /* NULL until the first file is open */

static int slow_sync(sqlite3_file *f, int flags)
{
	int rc = real->xSync(f, flags);

	nanosleep(&delay, NULL);
	return rc;
}

/* Files of the unix VFS choose one of a few tables, all alike but for locking; otagwd opens all of its the same way. */
static int slow_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	int rc = ((sqlite3_vfs *)slow.pAppData)->xOpen(slow.pAppData, name, f, flags, out);

	if (rc != SQLITE_OK || !f->pMethods || !f->pMethods->xSync)
		return rc;
	pthread_mutex_lock(&mutex);
	if (!real) {
		real = f->pMethods;
		methods = *real;
		methods.xSync = slow_sync;
	}
	if (f->pMethods == real)
		f->pMethods = &methods;
	pthread_mutex_unlock(&mutex);
	return rc;
}

__attribute__((constructor)) static void slow_begin(void)
{
	const char *us = getenv("OTAGW_PERF_FLUSH_US");
	long n = us ? strtol(us, NULL, 10) : 0;
	sqlite3_vfs *vfs;

	if (n <= 0 || n > FLUSH_US_MAX)
		return;
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* as the store does, which comes too late now */
	vfs = sqlite3_vfs_find(NULL);
	if (!vfs)
		return;
	delay = (struct timespec){ n / 1000000, n % 1000000 * 1000 };
	slow = *vfs;
	slow.zName = "slow";
	slow.pAppData = vfs;
	slow.xOpen = slow_open;
	sqlite3_vfs_register(&slow, 1);
}
