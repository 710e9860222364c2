/* counters.h - what core and links count, as libosmocore's rate counters and stat items.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Core and links count for themselves and know nothing of this: once in a second the difference is added here, where `show stats`, the
 * CTRL interface (rate_ctr.*, stat_item.*) and libosmocore's reporters (statsd) read it.
 */
#ifndef OTAGW_COUNTERS_H
#define OTAGW_COUNTERS_H

#include "api.h"

struct counters;
struct counters *counters_new(void *tall, const struct api_gw_status *g); /* NULL: out of memory */
void counters_free(struct counters *c);
void counters_take(struct counters *c, const struct api_gw_status *g);

#endif
