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

#define FLUSH_US_MAX 10000000
#define TABLES_MAX   8 /* of methods: the unix VFS has one for databases, another for logs, a few more */

static sqlite3_vfs slow;
static struct timespec delay;
static struct {
	sqlite3_io_methods ours; /* with our sync */
	const sqlite3_io_methods *real;
} table[TABLES_MAX];

static int slow_sync(sqlite3_file *f, int flags)
{
	unsigned i = 0;
	int rc;

	while (f->pMethods != &table[i].ours)
		i++;
	rc = table[i].real->xSync(f, flags);
	nanosleep(&delay, NULL);
	return rc;
}

static int slow_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	int rc = ((sqlite3_vfs *)slow.pAppData)->xOpen(slow.pAppData, name, f, flags, out);
	unsigned i = 0;

	if (rc != SQLITE_OK || !f->pMethods || !f->pMethods->xSync)
		return rc;
	pthread_mutex_lock(&mutex);
	while (i < TABLES_MAX && table[i].real && table[i].real != f->pMethods)
		i++;
	if (i == TABLES_MAX)
		abort(); /* it would measure a disk that is not slow */
	if (!table[i].real) {
		table[i].ours = *f->pMethods;
		table[i].ours.xSync = slow_sync;
		table[i].real = f->pMethods;
	}
	f->pMethods = &table[i].ours;
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
