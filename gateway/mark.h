/* mark.h - the gateway's own note, kept outside its database, of how far that database has come.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A database that is put back from a backup looks like any other, but it has forgotten which counters were taken since.  The
 * note gives it away: it names a later batch than the database holds.  Then a new restore epoch begins (core/counter.c).
 */
#ifndef OTAGW_MARK_H
#define OTAGW_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "env.h"
#include "store/store.h"

#define MARK_PATH_MAX 512
#define MARK_ID_LEN   16 /* octets of the database's name for itself */
/* An epoch is at least so much above the one before.  Counters skip 16 for each (CNTR_RESTORE_PER_S): when one backup is put back
 * twice within a minute, or by a clock that was set back, the second start must still lie beyond all that a card can have been
 * given after the first, its bounded jumps included. */
#define MARK_EPOCH_STEP 1024

struct mark {
	int fd;
	char path[MARK_PATH_MAX];
	uint8_t id[MARK_ID_LEN];
	uint32_t epoch;
	bool failing; /* said once */
};

/* Compares the note at `path` with the store, writes it anew, and tells the epoch.  `restored`: the operator says that a backup
 * was put back, believe him.  said: a sentence for the log when a new epoch begins, else "".  0, or -1 with a sentence in err.
 * Waits for the store: before the core starts. */
int mark_open(struct mark *m, const char *path, struct store *store, const struct env *env, bool restored, char *said,
	      size_t said_cap, char *err, size_t err_cap);
/* The epoch after `last`, by this clock. */
uint32_t mark_next_epoch(uint32_t last, uint32_t now_s);
/* This batch is durable.  0, or an errno value the first time that it cannot be noted. */
int mark_note(struct mark *m, uint64_t batch_no);
void mark_close(struct mark *m); /* also of one that was never opened: fd -1 */

#endif
