/* test_osmo_bridge.c - fds and timers of libosmocore under libevent: none is forgotten, none makes the loop spin.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>
#include <osmocom/core/select.h>
#include <osmocom/core/timer.h>

#include "osmo_bridge.h"

#define MANY	   400
#define TIMERS	   50
#define TURNS_MAX  200000
#define RECONNECTS 20
#define GUARD_S	   20 /* a loop that has gone to sleep for ever is woken after this, and has failed */

struct end {
	struct osmo_fd o;
	int peer;
	unsigned read, written;
	struct end *ends; /* closed by the callback */
	bool stay;	  /* unregistered and left open */
};

struct fix {
	struct event_base *base;
	struct osmo_bridge *b;
	struct event *guard;
	bool hung;
};

static void on_guard(evutil_socket_t fd, short what, void *ctx)
{
	((struct fix *)ctx)->hung = true;
}

static int fix_up(void **state)
{
	const struct timeval tv = { GUARD_S, 0 };
	struct fix *f = calloc(1, sizeof(*f));

	f->base = event_base_new();
	f->b = osmo_bridge_new(f->base);
	assert_non_null(f->b);
	f->guard = evtimer_new(f->base, on_guard, f);
	evtimer_add(f->guard, &tv);
	*state = f;
	return 0;
}

static int fix_down(void **state)
{
	struct fix *f = *state;

	event_free(f->guard);
	osmo_bridge_free(f->b);
	event_base_free(f->base);
	free(f);
	return 0;
}

/* Turns until the number is reached. */
static void until(struct fix *f, const unsigned *n, unsigned want)
{
	for (unsigned i = 0; i < TURNS_MAX && *n < want; i++) {
		assert_true(osmo_bridge_turn(f->b) >= 0);
		assert_false(f->hung);
	}
	assert_int_equal(*n, want);
}

static void end_close(struct end *e)
{
	osmo_fd_close(&e->o);
	close(e->peer);
	e->peer = -1;
}

static int on_end(struct osmo_fd *o, unsigned int what)
{
	struct end *e = o->data;
	char c;

	if (what & OSMO_FD_READ && read(o->fd, &c, 1) == 1)
		e->read++;
	if (what & OSMO_FD_WRITE) {
		e->written++;
		osmo_fd_write_disable(o);
	}
	if (e->ends) {
		end_close(e->ends);
		e->ends = NULL;
	}
	return 0;
}

static void end_open(struct end *e)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	osmo_fd_setup(&e->o, sv[0], OSMO_FD_READ, on_end, e, 0);
	e->peer = sv[1];
	assert_int_equal(osmo_fd_register(&e->o), 0);
}

static void poke(const struct end *e)
{
	assert_int_equal(write(e->peer, "x", 1), 1);
}

/* ------------------------------------------------------------------------------------------------------ fds */

static void test_read(void **state)
{
	struct fix *f = *state;
	struct end e = { 0 };

	end_open(&e);
	poke(&e);
	until(f, &e.read, 1);
	poke(&e);
	until(f, &e.read, 2);
	end_close(&e);
}

/* The same struct with the same fd number, and between the two the loop has not turned: the kernel alone knows that it is another. */
static void test_reconnect_same_number(void **state)
{
	struct fix *f = *state;
	struct end e = { 0 };
	int number;

	end_open(&e);
	number = e.o.fd;
	for (unsigned i = 1; i <= RECONNECTS; i++) {
		poke(&e);
		until(f, &e.read, i);
		end_close(&e);
		end_open(&e);
		assert_int_equal(e.o.fd, number);
	}
	end_close(&e);
}

static void test_many(void **state)
{
	static struct end e[MANY];
	struct fix *f = *state;
	struct osmo_bridge_stats st;

	for (unsigned round = 1; round <= 3; round++) {
		for (unsigned i = 0; i < MANY; i++)
			end_open(&e[i]);
		for (unsigned i = 0; i < MANY; i++)
			poke(&e[MANY - 1 - i]);
		for (unsigned i = 0; i < MANY; i++)
			until(f, &e[i].read, round);
		osmo_bridge_stats(f->b, &st);
		assert_int_equal(st.fds, MANY);
		for (unsigned i = 0; i < MANY; i++)
			end_close(&e[i]);
	}
}

/* What a callback of libevent's does to an fd of libosmocore's is seen before the next sleep. */
static void want_write(evutil_socket_t fd, short what, void *ctx)
{
	osmo_fd_write_enable(&((struct end *)ctx)->o);
}

static void test_wish_from_libevent(void **state)
{
	const struct timeval soon = { 0, 1000 };
	struct fix *f = *state;
	struct end e = { 0 };
	struct event *ev = evtimer_new(f->base, want_write, &e);

	end_open(&e);
	evtimer_add(ev, &soon);
	until(f, &e.written, 1);
	event_free(ev);
	end_close(&e);
}

static void count(evutil_socket_t fd, short what, void *ctx)
{
	++*(unsigned *)ctx;
}

/* Nobody waits for these: readable and left open, or at a hang-up.  The loop must sleep. */
static void test_no_spin(void **state)
{
	const struct timeval later = { 0, 30000 };
	struct fix *f = *state;
	struct end gone = { 0 }, deaf = { 0 };
	struct event *ev;
	unsigned woke = 0, turns = 0;

	end_open(&gone);
	end_open(&deaf);
	assert_true(event_base_loop(f->base, EVLOOP_NONBLOCK) >= 0);
	poke(&gone);
	until(f, &gone.read, 1);
	osmo_fd_unregister(&gone.o);
	poke(&gone);
	osmo_fd_read_disable(&deaf.o);
	close(deaf.peer);
	ev = evtimer_new(f->base, count, &woke);
	evtimer_add(ev, &later);
	for (; !woke && turns < TURNS_MAX; turns++)
		assert_true(osmo_bridge_turn(f->b) >= 0);
	assert_int_equal(woke, 1);
	assert_true(turns < 10);
	event_free(ev);
	close(gone.o.fd);
	close(gone.peer);
	osmo_fd_close(&deaf.o);
}

static void test_removed_in_callback(void **state)
{
	struct fix *f = *state;
	struct end first = { 0 }, second = { 0 }, third = { 0 };

	end_open(&first);
	end_open(&second);
	end_open(&third);
	first.ends = &second;
	third.ends = &third; /* itself */
	poke(&first);
	poke(&second);
	poke(&third);
	until(f, &third.read, 1);
	assert_int_equal(first.read, 1);
	assert_int_equal(second.read, 0);
	assert_int_equal(second.o.fd, -1);
	assert_int_equal(third.o.fd, -1);
	poke(&first);
	until(f, &first.read, 2);
	end_close(&first);
}

/* A log file of libosmocore's: epoll takes no regular files, and poll() calls them ready. */
static void test_regular_file(void **state)
{
	struct fix *f = *state;
	struct end e = { .peer = -1 };
	FILE *tmp = tmpfile();

	assert_non_null(tmp);
	osmo_fd_setup(&e.o, dup(fileno(tmp)), OSMO_FD_WRITE, on_end, &e, 0);
	assert_int_equal(osmo_fd_register(&e.o), 0);
	until(f, &e.written, 1);
	osmo_fd_close(&e.o);
	fclose(tmp);
}

/* --------------------------------------------------------------------------------------------------- timers */

static struct {
	struct osmo_timer_list t[TIMERS], never;
	unsigned fired, times[TIMERS];
	struct event *busy;
	unsigned spins;
} timers;

static void on_never(void *data)
{
	fail_msg("a timer that was removed has fired");
}

/* Those that are due together come in any order: libosmocore's own. */
static void on_timer(void *data)
{
	timers.fired++;
	timers.times[(uintptr_t)data]++;
	osmo_timer_del(&timers.never);
}

static void on_busy(evutil_socket_t fd, short what, void *ctx)
{
	const struct timeval at_once = { 0, 0 };

	timers.spins++;
	evtimer_add(timers.busy, &at_once);
}

static void timers_start(void)
{
	timers.fired = 0;
	memset(timers.times, 0, sizeof(timers.times));
	for (unsigned i = 0; i < TIMERS; i++) {
		osmo_timer_setup(&timers.t[i], on_timer, (void *)(uintptr_t)i);
		osmo_timer_schedule(&timers.t[i], 0, (int)(i + 1) * 500);
	}
	osmo_timer_setup(&timers.never, on_never, NULL);
	osmo_timer_schedule(&timers.never, 3600, 0);
}

static void timers_judge(void)
{
	for (unsigned i = 0; i < TIMERS; i++)
		assert_int_equal(timers.times[i], 1);
	assert_false(osmo_timer_pending(&timers.never));
	assert_int_equal(osmo_timers_check(), 0);
}

static void test_timers_idle(void **state)
{
	struct fix *f = *state;

	timers_start();
	until(f, &timers.fired, TIMERS);
	timers_judge();
}

/* libevent has something to do all the time: timers and fds of the other side still get their turn. */
static void test_timers_under_load(void **state)
{
	struct fix *f = *state;
	struct end e = { 0 };

	end_open(&e);
	timers.spins = 0;
	timers.busy = evtimer_new(f->base, on_busy, NULL);
	on_busy(-1, 0, NULL);
	timers_start();
	poke(&e);
	until(f, &timers.fired, TIMERS);
	until(f, &e.read, 1);
	timers_judge();
	assert_true(timers.spins > TIMERS);
	event_free(timers.busy);
	end_close(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read, fix_up, fix_down),
		cmocka_unit_test_setup_teardown(test_reconnect_same_number, fix_up, fix_down),
		cmocka_unit_test_setup_teardown(test_many, fix_up, fix_down),
		cmocka_unit_test_setup_teardown(test_wish_from_libevent, fix_up, fix_down),
		cmocka_unit_test_setup_teardown(test_no_spin, fix_up, fix_down),
		cmocka_unit_test_setup_teardown(test_removed_in_callback, fix_up, fix_down),
		cmocka_unit_test_setup_teardown(test_regular_file, fix_up, fix_down),
		cmocka_unit_test_setup_teardown(test_timers_idle, fix_up, fix_down),
		cmocka_unit_test_setup_teardown(test_timers_under_load, fix_up, fix_down),
	};
	struct rlimit files;

	if (!getrlimit(RLIMIT_NOFILE, &files) && files.rlim_cur < 2 * MANY + 64 && files.rlim_max >= 2 * MANY + 64) {
		files.rlim_cur = 2 * MANY + 64;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
