/* shell.h - the outside of the core: event loop, links to core, one timer, effects to links.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_SHELL_H
#define OTAGW_SHELL_H

#include <event2/event.h>

#include "core/gw.h"
#include "desk/desk.h"
#include "env.h"
#include "osmo_bridge.h"
#include "retain.h"

struct shell_parts {
	struct event_base *base;
	struct gw *gw;
	struct store *store;
	const struct env *env;
	struct link *const *links; /* their on_event is set here */
	unsigned n_links;
	/* GW_FX_REPLY goes to whoever asked (the front). */
	void (*reply)(void *ctx, const struct gw_effect *fx);
	void *reply_ctx;
	void (*txn)(void *ctx, const struct gw_effect *fx); /* ends of works; may be NULL */
	void *txn_ctx;
	struct osmo_bridge *bridge; /* NULL: nothing of libosmocore's is to be served */
	struct desk *desk;	    /* NULL: no orders between operators */
	struct retain *retain;	    /* NULL: everything is kept for ever */
	void (*log)(void *ctx, int level, const char *line);
	void *log_ctx;
};

struct shell;
struct shell *shell_new(const struct shell_parts *p);
/* Starts the core, the links once the core has read its state, and runs until SIGTERM, SIGINT or a fatal condition.
 * Returns 0, or 1 after a fatal one. */
int shell_run(struct shell *sh);
/* After it no link event comes any more.  The store is closed by its owner. */
void shell_free(struct shell *sh);
/* Something was posted to the core (gw_deps.wake): take a turn soon. */
void shell_kick(struct shell *sh);

#endif
