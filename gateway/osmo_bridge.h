/* osmo_bridge.h - libosmocore's fds and timers inside the libevent loop, on one thread.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_OSMO_BRIDGE_H
#define OTAGW_OSMO_BRIDGE_H

#include <stdint.h>

struct event_base;
struct osmo_bridge;

/* For the thread that calls it, which must be the one that drives `base`; one per thread.  NULL: errno. */
struct osmo_bridge *osmo_bridge_new(struct event_base *base);
void osmo_bridge_free(struct osmo_bridge *b);

/* One turn of the loop, instead of event_base_loop(base, EVLOOP_ONCE), whose result it gives: sleeps until something of either side is
 * due, and lets both do it. */
int osmo_bridge_turn(struct osmo_bridge *b);

/* Of interest to tests: turns, and fds of libosmocore's that are watched now. */
struct osmo_bridge_stats {
	uint64_t turns;
	unsigned fds;
};
void osmo_bridge_stats(const struct osmo_bridge *b, struct osmo_bridge_stats *out);

#endif
