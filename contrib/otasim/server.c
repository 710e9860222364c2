/* server.c - SMPP connections of otasim: sockets to smsc/, its clock to the air's.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/listener.h>

#define READ_CHUNK 65536

struct conn {
	struct server *s;
	struct event *rd, *wr; /* NULL: no connection */
	int fd, session;
};

struct server {
	struct event_base *base;
	struct fleet *fleet;
	struct sim_air *air;
	struct smsc *smsc;
	struct evconnlistener *listener;
	struct control *control;
	struct event *timer;
	uint16_t port;
	int64_t wall0_ms, mono0_ms;
	struct conn conn[SMSC_SESSIONS_MAX];
};

static int64_t clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

/* UTC at start plus monotonic time since: never goes back. */
static int64_t now_ms(const struct server *s)
{
	return s->wall0_ms + clock_ms(CLOCK_MONOTONIC) - s->mono0_ms;
}

static void conn_close(struct conn *c)
{
	struct server *s = c->s;

	event_free(c->rd);
	event_free(c->wr);
	c->rd = c->wr = NULL;
	close(c->fd);
	smsc_close(s->smsc, c->session, now_ms(s));
}

static void conn_write(struct conn *c)
{
	struct smsc *smsc = c->s->smsc;
	const uint8_t *p;
	size_t len;
	ssize_t n;

	for (;;) {
		p = smsc_output(smsc, c->session, &len);
		if (!len) {
			if (smsc_over(smsc, c->session))
				conn_close(c);
			return;
		}
		n = send(c->fd, p, len, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		smsc_written(smsc, c->session, (size_t)n);
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		event_add(c->wr, NULL);
	else
		conn_close(c);
}

/* Whatever happened may have given any session something to say and the air another next moment. */
static void turn(struct server *s)
{
	int64_t due, now = now_ms(s);
	struct timeval tv;

	smsc_step(s->smsc, now);
	for (int i = 0; i < SMSC_SESSIONS_MAX; i++) {
		if (s->conn[i].rd && !event_pending(s->conn[i].wr, EV_WRITE, NULL))
			conn_write(&s->conn[i]);
	}
	due = smsc_next_due(s->smsc);
	if (due == INT64_MAX) {
		evtimer_del(s->timer);
		return;
	}
	due = due > now ? due - now : 0;
	tv = (struct timeval){ .tv_sec = due / 1000, .tv_usec = due % 1000 * 1000 };
	evtimer_add(s->timer, &tv);
}

void server_wake(struct server *s)
{
	turn(s);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	turn(arg);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	struct server *s = c->s;

	conn_write(c);
	turn(s);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t buf[READ_CHUNK];
	struct conn *c = arg;
	struct server *s = c->s;
	ssize_t n = recv(fd, buf, sizeof(buf), 0);

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n <= 0)
		conn_close(c);
	else if (!smsc_input(s->smsc, c->session, buf, (size_t)n, now_ms(s)))
		event_del(c->rd); /* over: turn() writes what is left, then closes */
	turn(s);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *arg)
{
	struct server *s = arg;
	int session = smsc_open(s->smsc, 0, now_ms(s)), one = 1;
	struct conn *c;

	if (session < 0) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c = &s->conn[session];
	*c = (struct conn){ .s = s, .fd = fd, .session = session };
	c->rd = event_new(s->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->wr = event_new(s->base, fd, EV_WRITE, on_writable, c);
	if (!c->rd || !c->wr || event_add(c->rd, NULL) < 0)
		abort(); /* no memory at the start of a session */
}

static bool listen_on(struct server *s, const struct opts *o, char *err, size_t err_cap)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(o->port) };
	socklen_t len = sizeof(sa);

	if (inet_pton(AF_INET, o->host, &sa.sin_addr) != 1) {
		snprintf(err, err_cap, "--listen %s: not a numeric IPv4 address", o->host);
		return false;
	}
	s->listener = evconnlistener_new_bind(s->base, on_accept, s,
					      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC,
					      SMSC_SESSIONS_MAX, (struct sockaddr *)&sa, sizeof(sa));
	if (!s->listener || getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&sa, &len) < 0) {
		snprintf(err, err_cap, "cannot listen on %s:%u: %s", o->host, o->port, strerror(errno));
		return false;
	}
	s->port = ntohs(sa.sin_port);
	return true;
}

static void log_line(void *ctx, const char *line)
{
	fprintf(stderr, "otasim: %s\n", line);
}

struct server *server_new(struct event_base *base, const struct opts *o, struct fleet *fleet, char *err, size_t err_cap)
{
	struct server *s = calloc(1, sizeof(*s));
	struct smsc_cfg cfg = o->smsc;

	snprintf(err, err_cap, "no memory");
	if (!s)
		return NULL;
	s->base = base;
	s->fleet = fleet;
	s->wall0_ms = clock_ms(CLOCK_REALTIME);
	s->mono0_ms = clock_ms(CLOCK_MONOTONIC);
	cfg.log = o->quiet ? NULL : log_line;
	s->air = sim_air_new(&o->air, fleet->cards, fleet->n, s->wall0_ms);
	s->smsc = s->air ? smsc_new(&cfg, s->air) : NULL;
	s->timer = evtimer_new(base, on_timer, s);
	if (!s->smsc || !s->timer || !listen_on(s, o, err, err_cap))
		goto fail;
	if (o->control[0]) {
		s->control = control_new(base, s, o->control, err, err_cap);
		if (!s->control)
			goto fail;
	}
	turn(s);
	return s;
fail:
	server_free(s);
	return NULL;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	control_free(s->control);
	for (int i = 0; i < SMSC_SESSIONS_MAX; i++) {
		if (s->conn[i].rd)
			conn_close(&s->conn[i]);
	}
	if (s->listener)
		evconnlistener_free(s->listener);
	if (s->timer)
		event_free(s->timer);
	smsc_free(s->smsc);
	sim_air_free(s->air);
	free(s);
}

uint16_t server_port(const struct server *s)
{
	return s->port;
}

struct sim_air *server_air(struct server *s)
{
	return s->air;
}

struct smsc *server_smsc(struct server *s)
{
	return s->smsc;
}

struct fleet *server_fleet(struct server *s)
{
	return s->fleet;
}

void server_summary(const struct server *s, FILE *out)
{
	struct sim_air_stats a;

	sim_air_stats(s->air, &a);
	fprintf(out,
		"otasim: %llu submits, %llu reached a card, %llu found it absent, %llu lost, %llu doubled, %llu PoR by "
		"SMS\n",
		(unsigned long long)a.submitted, (unsigned long long)a.delivered, (unsigned long long)a.absent,
		(unsigned long long)(a.lost_down + a.lost_up + a.lost_results), (unsigned long long)a.duplicated,
		(unsigned long long)a.mo);
}
