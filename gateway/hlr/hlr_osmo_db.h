/* hlr_osmo_db.h - SQN of a subscriber of OsmoHLR, by its database.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_HLR_OSMO_DB_H
#define OTAGW_HLR_OSMO_DB_H

#include <stddef.h>
#include <stdint.h>

#define HLR_OSMO_DB_BUSY 1 /* somebody else writes: ask again in a moment */
/* It is at least `sqn` from now on: 0; never lowered.  HLR_OSMO_DB_BUSY or -1 with a sentence.  Waits for nobody. */
int hlr_osmo_db_sqn(const char *path, const char *imsi, uint64_t sqn, char *err, size_t cap);

#endif
