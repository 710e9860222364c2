/* shell.c - reads the clock once per turn, lets the core take it, and acts on what has become durable.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Every wake (a link's event, a completion of the store, the timer) only marks a turn; the turn runs once per round of the
 * event loop, so that whatever came in together is decided and committed together.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "shell.h"

#define TURN_STEPS_MAX 64 /* steps per turn before the loop gets a chance to read sockets */

struct shell {
	struct shell_parts p;
	struct event *store_ev, *turn_ev, *timer_ev, *sig[2], *stop_ev;
	bool started_links, stopping, failed;
};

static int64_t shell_now(const struct shell *sh)
{
	return sh->p.env->utc_ms(sh->p.env->ctx);
}

static void shell_log(struct shell *sh, int level, const char *line)
{
	if (sh->p.log)
		sh->p.log(sh->p.log_ctx, level, line);
}

void shell_kick(struct shell *sh)
{
	event_active(sh->turn_ev, EV_TIMEOUT, 1);
}

static void on_link_event(void *ctx, struct link *l, const struct link_event *ev)
{
	struct shell *sh = ctx;

	gw_on_link_event(sh->p.gw, l, ev);
}

static void start_links(struct shell *sh)
{
	char line[96];

	sh->started_links = true;
	for (unsigned i = 0; i < sh->p.n_links; i++) {
		struct link *l = sh->p.links[i];

		if (gw_link_wanted(sh->p.gw, i) && l->ops->start(l)) {
			snprintf(line, sizeof(line), "link %s cannot be started", l->name);
			shell_log(sh, 3, line);
		}
	}
	shell_log(sh, 5, "ready");
}

static void arm_timer(struct shell *sh, int64_t due_ms, int64_t now_ms)
{
	struct timeval tv;
	int64_t d = due_ms - now_ms;

	if (due_ms == INT64_MAX) {
		evtimer_del(sh->timer_ev);
		return;
	}
	if (d < 0)
		d = 0;
	if (d > 3600000)
		d = 3600000; /* looked at again then: UTC may have been corrected forward */
	tv.tv_sec = (time_t)(d / 1000);
	tv.tv_usec = (suseconds_t)(d % 1000 * 1000);
	evtimer_add(sh->timer_ev, &tv);
}

static void turn(evutil_socket_t fd, short what, void *ctx)
{
	struct shell *sh = ctx;
	const struct gw_reply_sink sink = {
		.reply = sh->p.reply, .ctx = sh->p.reply_ctx, .txn = sh->p.txn, .txn_ctx = sh->p.txn_ctx
	};
	int64_t now = shell_now(sh), due, act_due, retain_due;
	int steps = 0, did = 0;
	const char *fatal;

	if (gw_ready(sh->p.gw) && !sh->started_links && !sh->stopping)
		start_links(sh);
	do {
		did = gw_step(sh->p.gw, now);
		act_due = gw_act(sh->p.gw, sh->p.links, sh->p.n_links, &sink, now);
		if (sh->p.desk)
			did += desk_step(sh->p.desk, now);
	} while (did && ++steps < TURN_STEPS_MAX);
	fatal = gw_fatal(sh->p.gw);
	if (!fatal && sh->p.desk)
		fatal = desk_fatal(sh->p.desk);
	if (fatal) {
		shell_log(sh, 3, fatal);
		sh->failed = true;
		event_base_loopbreak(sh->p.base);
		return;
	}
	if (did) {
		shell_kick(sh);
		return;
	}
	due = gw_next_due(sh->p.gw);
	if (sh->p.desk && desk_next_due(sh->p.desk) < due)
		due = desk_next_due(sh->p.desk);
	if (sh->stopping && due > now && due != INT64_MAX)
		due = INT64_MAX;
	if (act_due < due)
		due = act_due;
	retain_due = sh->p.retain && !sh->stopping ? retain_run(sh->p.retain, now) : INT64_MAX;
	arm_timer(sh, retain_due < due ? retain_due : due, now);
}

static void on_store(evutil_socket_t fd, short what, void *ctx)
{
	struct shell *sh = ctx;

	sh->p.store->ops->poll(sh->p.store);
	shell_kick(sh);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	shell_kick(ctx);
}

static void on_stop_end(evutil_socket_t fd, short what, void *ctx)
{
	struct shell *sh = ctx;

	event_base_loopbreak(sh->p.base);
}

/* A stop is a crash that is announced: everything that must survive is durable anyway.  Links are told goodbye, and what
 * they still had to say gets one more round. */
static void on_signal(evutil_socket_t fd, short what, void *ctx)
{
	struct shell *sh = ctx;
	const struct timeval soon = { 0, 200000 };

	if (sh->stopping) {
		event_base_loopbreak(sh->p.base);
		return;
	}
	sh->stopping = true;
	shell_log(sh, 5, "stopping");
	for (unsigned i = 0; sh->started_links && i < sh->p.n_links; i++)
		sh->p.links[i]->ops->stop(sh->p.links[i]);
	shell_kick(sh);
	evtimer_add(sh->stop_ev, &soon);
}

struct shell *shell_new(const struct shell_parts *p)
{
	struct shell *sh = calloc(1, sizeof(*sh));

	if (!sh)
		return NULL;
	sh->p = *p;
	sh->turn_ev = event_new(p->base, -1, 0, turn, sh);
	sh->timer_ev = evtimer_new(p->base, on_timer, sh);
	sh->stop_ev = evtimer_new(p->base, on_stop_end, sh);
	sh->sig[0] = evsignal_new(p->base, SIGTERM, on_signal, sh);
	sh->sig[1] = evsignal_new(p->base, SIGINT, on_signal, sh);
	sh->store_ev = event_new(p->base, p->store->ops->fd(p->store), EV_READ | EV_PERSIST, on_store, sh);
	if (!sh->turn_ev || !sh->timer_ev || !sh->stop_ev || !sh->sig[0] || !sh->sig[1] || !sh->store_ev ||
	    event_add(sh->store_ev, NULL) || evsignal_add(sh->sig[0], NULL) || evsignal_add(sh->sig[1], NULL)) {
		shell_free(sh);
		return NULL;
	}
	for (unsigned i = 0; i < p->n_links; i++) {
		p->links[i]->id = i;
		p->links[i]->on_event = on_link_event;
		p->links[i]->ctx = sh;
	}
	return sh;
}

static int loop(struct shell *sh)
{
	int rc = 0;

	if (!sh->p.bridge)
		return event_base_dispatch(sh->p.base);
	while (!rc && !event_base_got_break(sh->p.base))
		rc = osmo_bridge_turn(sh->p.bridge);
	return rc;
}

int shell_run(struct shell *sh)
{
	gw_start(sh->p.gw, shell_now(sh));
	if (sh->p.desk)
		desk_start(sh->p.desk, shell_now(sh));
	shell_kick(sh);
	if (loop(sh) < 0)
		sh->failed = true;
	return sh->failed;
}

void shell_free(struct shell *sh)
{
	struct event *ev[] = { sh->store_ev, sh->turn_ev, sh->timer_ev, sh->stop_ev, sh->sig[0], sh->sig[1] };

	for (unsigned i = 0; i < sizeof(ev) / sizeof(ev[0]); i++)
		if (ev[i])
			event_free(ev[i]);
	free(sh);
}
