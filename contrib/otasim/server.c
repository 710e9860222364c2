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

#define READ_CHUNK 65536 /* octets read at a time */

struct conn {
	struct server *s;
	struct event *rd, *wr; /* NULL: no connection */
	int fd, session;
};

/* Where an SMSC is found.  `kept` is bound and does not listen: while connections are refused, nobody else gets the port. */
struct gate {
	struct server *s;
	struct evconnlistener *listener; /* NULL: refused */
	bool told;			 /* that it cannot be opened again */
	unsigned smsc;
	int kept;
	struct sockaddr_in sa;
};

struct server {
	struct event_base *base;
	struct otasim *o;
	struct control *control;
	struct web *web;
	struct hlr_server *hlr; /* NULL: no operators */
	struct event *timer;
	int64_t wall0_ms, mono0_ms;
	struct gate gate[SMSC_DOORS_MAX];
	struct conn conn[SMSC_SESSIONS_MAX];
};

static int64_t clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

/* UTC at start plus monotonic time since: never goes back. */
int64_t server_now_ms(const struct server *s)
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
	otasim_close(s->o, c->session, server_now_ms(s));
}

static void conn_write(struct conn *c)
{
	struct otasim *o = c->s->o;
	const uint8_t *p;
	size_t len;
	ssize_t n;

	for (;;) {
		p = otasim_output(o, c->session, &len);
		if (!len) {
			if (otasim_over(o, c->session))
				conn_close(c);
			return;
		}
		n = send(c->fd, p, len, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		otasim_taken(o, c->session, (size_t)n);
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		event_add(c->wr, NULL);
	else
		conn_close(c);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *arg);

/* Opens and shuts the doors as the scenario has it. */
static void gates_tend(struct server *s)
{
	for (unsigned i = 0; i < otasim_smscs(s->o); i++) {
		struct gate *g = &s->gate[i];
		bool open = otasim_accepts(s->o, i);

		if (open && !g->listener) {
			g->listener =
				evconnlistener_new_bind(s->base, on_accept, g,
							LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE |
								LEV_OPT_CLOSE_ON_EXEC,
							SMSC_SESSIONS_MAX, (struct sockaddr *)&g->sa, sizeof(g->sa));
			if (!g->listener && !g->told)
				fprintf(stderr, "otasim: cannot listen again on port %u: %s\n", ntohs(g->sa.sin_port),
					strerror(errno));
			g->told = !g->listener;
		} else if (!open && g->listener) {
			evconnlistener_free(g->listener);
			g->listener = NULL;
		}
	}
}

/* Whatever happened may have given any session something to say and the air another next moment. */
static void turn(struct server *s)
{
	int64_t due, now = server_now_ms(s);
	struct timeval tv;

	otasim_step(s->o, now);
	for (int i = 0; i < SMSC_SESSIONS_MAX; i++) {
		if (s->conn[i].rd && !event_pending(s->conn[i].wr, EV_WRITE, NULL))
			conn_write(&s->conn[i]);
	}
	gates_tend(s);
	if (s->hlr)
		hlr_server_tend(s->hlr);
	if (otasim_ended(s->o))
		event_base_loopexit(s->base, NULL);
	due = otasim_next_due(s->o);
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
	else if (!otasim_input(s->o, c->session, buf, (size_t)n, server_now_ms(s)))
		event_del(c->rd); /* over: turn() writes what is left, then closes */
	turn(s);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *arg)
{
	struct gate *g = arg;
	struct server *s = g->s;
	int session = otasim_connect(s->o, g->smsc, server_now_ms(s)), one = 1;
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
	turn(s);	 /* time may have begun with it */
}

int server_bind(const char *host, uint16_t port, struct sockaddr_in *sa, char err[OTASIM_ERR_MAX])
{
	socklen_t len = sizeof(*sa);
	int one = 1, fd;

	*sa = (struct sockaddr_in){ .sin_family = AF_INET };
	sa->sin_port = htons(port);
	if (inet_pton(AF_INET, host, &sa->sin_addr) != 1) {
		snprintf(err, OTASIM_ERR_MAX, "--listen %s: not a numeric IPv4 address", host);
		return -1;
	}
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    bind(fd, (struct sockaddr *)sa, sizeof(*sa)) == 0 && getsockname(fd, (struct sockaddr *)sa, &len) == 0)
		return fd;
	snprintf(err, OTASIM_ERR_MAX, "cannot listen on %s:%u: %s", host, port, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool gate_make(struct server *s, unsigned smsc, char err[OTASIM_ERR_MAX])
{
	const struct opts *opts = &s->o->opts;
	struct gate *g = &s->gate[smsc];
	const char *host = opts->host;
	uint16_t port = opts->port ? (uint16_t)(opts->port + smsc) : 0;

	g->s = s;
	g->smsc = smsc;
	if (opts->ops && opts->op[smsc].smsc_host[0]) {
		host = opts->op[smsc].smsc_host;
		port = opts->op[smsc].smsc_port;
	} else if (opts->port && opts->port + smsc > UINT16_MAX) {
		snprintf(err, OTASIM_ERR_MAX, "--listen %s:%u: there is no port for SMSC %u behind it", opts->host,
			 opts->port, smsc + 1);
		return false;
	}
	g->kept = server_bind(host, port, &g->sa, err);
	return g->kept >= 0;
}

static void log_line(void *ctx, const char *line)
{
	fprintf(stderr, "otasim: %s\n", line);
}

struct server *server_new(struct event_base *base, struct otasim *o, char err[OTASIM_ERR_MAX])
{
	struct server *s = calloc(1, sizeof(*s));

	snprintf(err, OTASIM_ERR_MAX, "no memory");
	if (!s)
		return NULL;
	s->base = base;
	s->o = o;
	s->wall0_ms = clock_ms(CLOCK_REALTIME);
	s->mono0_ms = clock_ms(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < SMSC_DOORS_MAX; i++)
		s->gate[i].kept = -1;
	if (!o->opts.quiet)
		o->log = log_line;
	s->timer = evtimer_new(base, on_timer, s);
	if (!s->timer)
		goto fail;
	for (unsigned i = 0; i < o->scn->doors; i++) {
		if (!gate_make(s, i, err))
			goto fail;
	}
	if (o->scn->ops) {
		s->hlr = hlr_server_new(base, s, err);
		if (!s->hlr)
			goto fail;
	}
	if (o->opts.control[0]) {
		s->control = control_new(base, s, o->opts.control, err, OTASIM_ERR_MAX);
		if (!s->control)
			goto fail;
	}
	if (o->opts.http_host[0]) {
		s->web = web_new(base, s, o->opts.http_host, o->opts.http_port, err, OTASIM_ERR_MAX);
		if (!s->web)
			goto fail;
	}
	if (simulation_begin(o, s->wall0_ms, err) < 0)
		goto fail;
	turn(s);
	for (unsigned i = 0; i < o->scn->doors; i++) {
		if (!s->gate[i].listener && otasim_accepts(o, i)) {
			snprintf(err, OTASIM_ERR_MAX, "cannot listen on %s:%u: %s", o->opts.host,
				 ntohs(s->gate[i].sa.sin_port), strerror(errno));
			goto fail;
		}
	}
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
	web_free(s->web);
	hlr_server_free(s->hlr);
	for (int i = 0; i < SMSC_SESSIONS_MAX; i++) {
		if (s->conn[i].rd)
			conn_close(&s->conn[i]);
	}
	for (int i = 0; i < SMSC_DOORS_MAX; i++) {
		if (s->gate[i].listener)
			evconnlistener_free(s->gate[i].listener);
		if (s->gate[i].kept >= 0)
			close(s->gate[i].kept);
	}
	if (s->timer)
		event_free(s->timer);
	free(s);
}

uint16_t server_port(const struct server *s, unsigned smsc)
{
	return ntohs(s->gate[smsc].sa.sin_port);
}

uint16_t server_hlr_port(const struct server *s, unsigned op)
{
	return s->hlr ? hlr_server_port(s->hlr, op) : 0;
}

uint16_t server_http_port(const struct server *s)
{
	return s->web ? web_port(s->web) : 0;
}

struct otasim *server_otasim(const struct server *s)
{
	return s->o;
}

void server_summary(const struct server *s, FILE *out)
{
	struct sim_air_stats a;

	sim_air_stats(s->o->air, &a);
	fprintf(out,
		"otasim: %llu submits, %llu reached a card, %llu found it absent, %llu lost, %llu doubled, %llu PoR by "
		"SMS\n",
		(unsigned long long)a.submitted, (unsigned long long)a.delivered, (unsigned long long)a.absent,
		(unsigned long long)(a.lost_down + a.lost_up + a.lost_results), (unsigned long long)a.duplicated,
		(unsigned long long)a.mo);
	if (s->o->scn->ops) {
		fputs("otasim: ", out);
		where_print(s->o, out);
		fputc('\n', out);
	}
}
