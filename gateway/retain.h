/* retain.h - old lines of the story and old packets go, a few at a time and beside everything else.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_RETAIN_H
#define OTAGW_RETAIN_H

#include "store.h"

struct retain;
/* days: how long they are kept at least.  NULL: no memory. */
struct retain *retain_new(struct store *s, unsigned days, void (*log)(void *ctx, int level, const char *line),
			  void *ctx);
/* Takes a step if one is due.  When it wants to be called again; INT64_MAX: when the store has answered. */
int64_t retain_run(struct retain *r, int64_t now_ms);
/* When the store has been closed. */
void retain_free(struct retain *r);

#endif
