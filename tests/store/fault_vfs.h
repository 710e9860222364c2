/* fault_vfs.h - a disk that does what it is told: fails the Nth call, writes half, stalls in a sync, loses its power.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A VFS of SQLite on top of the system's own, the default one between fv_install() and fv_remove(): the store under test
 * is the one that operators run.  One disk per process; the calls may come from any thread.
 */
#ifndef OTAGW_FAULT_VFS_H
#define OTAGW_FAULT_VFS_H

#include <stdbool.h>
#include <stdint.h>

/* Calls that can fail. */
enum fv_op {
	FV_OPEN = 1,
	FV_READ = 2,
	FV_WRITE = 4,
	FV_SYNC = 8,
	FV_TRUNCATE = 16,
	FV_SIZE = 32,
	FV_DELETE = 64,
	FV_ACCESS = 128,
	FV_LOCK = 256,	   /* of the database file */
	FV_SHM_MAP = 512,  /* of the log's index */
	FV_SHM_LOCK = 1024 /* taking one, never giving it back */
};

struct fv_fault {
	unsigned ops;	    /* enum fv_op: these are counted */
	unsigned nth;	    /* the one that fails, from 1 */
	bool lasting;	    /* and all of them behind it */
	int error;	    /* what SQLite is told, for instance SQLITE_IOERR_WRITE */
	int sys_errno;	    /* what the system said */
	bool half;	    /* a write that fails has written its first half */
	const char *suffix; /* only of files whose name ends so ("-wal", ".db"); NULL: all */
};

void fv_install(void);
void fv_remove(void);

void fv_arm(const struct fv_fault *f); /* counts from now on */
void fv_disarm(void);
unsigned fv_faults(void); /* calls that have failed since fv_arm() */
/* Called in each sync of a file, on the thread that syncs, before it is carried out; it may block.  NULL: nobody. */
void fv_on_sync(void (*hook)(void *ctx, const char *path), void *ctx);

/* ---- power ---- */

/* From now on it is remembered what each file holds for certain: what was there, and what was written before a sync of that
 * file was carried out.  A failed sync loses what was written before it for good (Linux marks such pages clean), whatever a later
 * sync says. */
void fv_power_watch(void);
/* No call does anything any more, all answer SQLITE_IOERR. */
void fv_power_cut(void);
bool fv_power_is_off(void);
/* Cut by itself at the Nth write, sync or truncate from now on. */
void fv_power_cut_at(unsigned nth);
/* When the store has been closed: puts the files as a disk may have kept them.  Of what was not certain the seed takes some,
 * loses some, and tears some between sectors, in any order.  Ends the watch. */
void fv_power_back(uint64_t seed);

#endif
