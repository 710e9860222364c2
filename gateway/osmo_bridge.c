/* osmo_bridge.c - libosmocore's fds and timers inside the libevent loop, on one thread.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * libevent is the main loop.  libosmocore 1.7 tells nobody which fds it watches, but its struct osmo_fd is public and stands in a ring: an
 * fd that is registered for a moment shows where the ring begins.  Before each sleep the ring is copied into a private epoll set, whose
 * own fd is one libevent event, and the nearest osmo timer into one evtimer; afterwards osmo_select_main_ctx(1) does what is due.
 *
 * The epoll set is told about every fd every time, and not only about what seems to have changed: a client that reconnects has the same
 * struct and often the same fd number, and the kernel has dropped the closed one from the set without a word.  What has been remembered
 * would then be wrong, and the loop would sleep for ever.  A turn polls all of them anyway, and they are few.
 */
#include "osmo_bridge.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>
#include <osmocom/core/select.h>
#include <osmocom/core/timer.h>

#define FDS_STEP 64

struct osmo_bridge {
	struct event_base *base;
	struct llist_head *ring; /* libosmocore's own, of this thread */
	int epoll;
	struct event *epoll_ev, *timer_ev;
	struct osmo_bridge_stats stats;
	/* By fd number: the last turn in which it was in the ring; 0: it is not in the epoll set. */
	uint64_t *seen;
	unsigned seen_cap;
};

static int nothing(struct osmo_fd *ofd, unsigned int what)
{
	return 0;
}

/* What is due is done when event_base_loop() has returned. */
static void woken(evutil_socket_t fd, short what, void *ctx)
{
}

/* llist_add_tail() puts a new one before the head: its next is the head, whatever else there is. */
static int find_ring(struct osmo_bridge *b)
{
	struct osmo_fd probe = { .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) };

	osmo_fd_setup(&probe, probe.fd, 0, nothing, NULL, 0);
	if (probe.fd < 0 || osmo_fd_register(&probe) < 0) {
		if (probe.fd >= 0)
			close(probe.fd);
		return -1;
	}
	b->ring = probe.list.next;
	osmo_fd_close(&probe);
	return 0;
}

struct osmo_bridge *osmo_bridge_new(struct event_base *base)
{
	struct osmo_bridge *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->base = base;
	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	b->epoll_ev = b->epoll < 0 ? NULL : event_new(base, b->epoll, EV_READ | EV_PERSIST, woken, NULL);
	b->timer_ev = evtimer_new(base, woken, NULL);
	if (!b->epoll_ev || !b->timer_ev || event_add(b->epoll_ev, NULL) || find_ring(b)) {
		osmo_bridge_free(b);
		return NULL;
	}
	return b;
}

void osmo_bridge_free(struct osmo_bridge *b)
{
	if (!b)
		return;
	if (b->epoll_ev)
		event_free(b->epoll_ev);
	if (b->timer_ev)
		event_free(b->timer_ev);
	if (b->epoll >= 0)
		close(b->epoll);
	free(b->seen);
	free(b);
}

static bool seen_grow(struct osmo_bridge *b, unsigned fd)
{
	unsigned cap = (fd / FDS_STEP + 1) * FDS_STEP;
	uint64_t *more = realloc(b->seen, cap * sizeof(*more));

	if (!more)
		return false;
	memset(more + b->seen_cap, 0, (cap - b->seen_cap) * sizeof(*more));
	b->seen = more;
	b->seen_cap = cap;
	return true;
}

/* False: epoll does not take it (a regular file, which is always ready), or there is no memory to watch it with: do not sleep. */
static bool watch(struct osmo_bridge *b, const struct osmo_fd *o)
{
	struct epoll_event ev = { .data.fd = o->fd };

	if (o->when & OSMO_FD_READ)
		ev.events |= EPOLLIN;
	if (o->when & OSMO_FD_WRITE)
		ev.events |= EPOLLOUT;
	if (o->when & OSMO_FD_EXCEPT)
		ev.events |= EPOLLPRI;
	if (o->fd < 0 ||
	    !ev.events) /* one that waits for nothing must not be in: a hang-up would be told again and again */
		return true;
	if ((unsigned)o->fd >= b->seen_cap && !seen_grow(b, (unsigned)o->fd))
		return false;
	if (epoll_ctl(b->epoll, EPOLL_CTL_MOD, o->fd, &ev) &&
	    (errno != ENOENT || epoll_ctl(b->epoll, EPOLL_CTL_ADD, o->fd, &ev)))
		return false;
	b->seen[o->fd] = b->stats.turns;
	b->stats.fds++;
	return true;
}

/* The ring as it is now.  False when something is ready already. */
static bool mirror(struct osmo_bridge *b)
{
	bool sleep = true;

	b->stats.fds = 0;
	for (struct llist_head *n = b->ring->next; n != b->ring; n = n->next)
		sleep &= watch(b, llist_entry(n, struct osmo_fd, list));
	/* unregistered and not closed, or waiting for nothing; a closed one is gone already, and the number may be another's by now */
	for (unsigned fd = 0; fd < b->seen_cap; fd++) {
		if (!b->seen[fd] || b->seen[fd] == b->stats.turns)
			continue;
		(void)epoll_ctl(b->epoll, EPOLL_CTL_DEL, (int)fd, NULL);
		b->seen[fd] = 0;
	}
	return sleep;
}

int osmo_bridge_turn(struct osmo_bridge *b)
{
	const struct timeval at_once = { 0, 0 };
	const struct timeval *due;
	int rc;

	b->stats.turns++;
	osmo_timers_prepare();
	due = osmo_timers_nearest();
	if (!mirror(b))
		due = &at_once;
	if (due)
		evtimer_add(b->timer_ev, due);
	else
		evtimer_del(b->timer_ev);
	rc = event_base_loop(b->base, EVLOOP_ONCE);
	/* also after what was libevent's alone: such a callback may have used OTC_SELECT, which is freed here */
	(void)osmo_select_main_ctx(1);
	return rc;
}

void osmo_bridge_stats(const struct osmo_bridge *b, struct osmo_bridge_stats *out)
{
	*out = b->stats;
}
