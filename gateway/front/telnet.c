/* telnet.c - telnet sessions of libosmovty that may wait for an answer.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * libosmovty's own telnet server is not used.  It has no limit of sessions; and it closes a session's socket and then, in vty_close(),
 * flushes to the same number and closes that again: in a process whose store opens files on another thread that number may be the
 * database's by then.  Here libosmovty reads from a pipe, one line at a time, and never has the socket's number; what it prints is taken
 * from its buffer and sent by us.
 */
#define _GNU_SOURCE /* pipe2, accept4 */
#include "telnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <osmocom/core/select.h>
#include <osmocom/core/signal.h>
#include <osmocom/core/talloc.h>
#include <osmocom/core/timer.h>
#include <osmocom/vty/buffer.h>
#include <osmocom/vty/command.h>
#include <osmocom/vty/telnet_interface.h>
#include <osmocom/vty/vty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

#define IN_MAX	      4096	    /* typed ahead, or pasted */
#define LINE_LEN_MAX  2048	    /* of one line */
#define OUT_MAX	      (1024 * 1024) /* that a client has not read */
#define OUT_HIGH      (256 * 1024)  /* no further command is taken before it has */
#define LINE_TOO_LONG "\r\n% the line is too long: more than 2048 characters\r\n"
#define NO_PASSWORD \
	"% Vty password is not set: whoever has a session can set one (line vty, password), or a restart helps\r\n"
#define PROMPT_MAX 96
#define LISTEN_MAX 8
#define CTRL_C	   0x03

struct telnet {
	struct osmo_fd listen;
	uint16_t port;
	char name[32];
	struct llist_head sessions;
	unsigned n;
};

struct telnet_session {
	struct telnet_connection
		conn; /* first: libosmovty takes vty->priv for it, and frees it when the VTY is closed */
	struct telnet *t;
	int feed; /* where libosmovty's input is written to */
	char in[IN_MAX];
	size_t in_len, line_len;
	bool was_cr;
	char *out;
	size_t out_len, out_cap, lost;
	bool busy, greeted; /* libosmovty is at work; the first octets have been looked at */
	struct vty_ask *ask;
	struct osmo_timer_list timer; /* of the ask */
};

/* -------------------------------------------------------------------------------------------------- output */

static void out_add(struct telnet_session *s, const char *text, size_t len)
{
	if (s->out_len + len > OUT_MAX) {
		s->lost += len;
		return;
	}
	if (s->out_len + len > s->out_cap) {
		size_t cap = (s->out_len + len) * 2;
		char *more = realloc(s->out, cap);

		if (!more) {
			s->lost += len;
			return;
		}
		s->out = more;
		s->out_cap = cap;
	}
	memcpy(s->out + s->out_len, text, len);
	s->out_len += len;
}

/* What libosmovty has printed. */
static void out_take(struct telnet_session *s)
{
	char *text;

	if (buffer_empty(s->conn.vty->obuf))
		return;
	text = buffer_getstr(s->conn.vty->obuf);
	buffer_reset(s->conn.vty->obuf);
	if (text)
		out_add(s, text, strlen(text));
	talloc_free(text);
}

static size_t prompt_text(const struct telnet_session *s, char out[PROMPT_MAX])
{
	const char *form = cmd_prompt(s->conn.vty->node);
	int n = form ? snprintf(out, PROMPT_MAX, form, s->t->name) : 0;

	return n > 0 && n < PROMPT_MAX ? (size_t)n : 0;
}

/* A command that waits has been given a prompt, which is for later. */
static void prompt_take_back(struct telnet_session *s)
{
	char prompt[PROMPT_MAX];
	size_t n = prompt_text(s, prompt);

	if (n && s->out_len >= n && !memcmp(s->out + s->out_len - n, prompt, n))
		s->out_len -= n;
}

/* False: the connection is gone, and the session with it. */
static bool out_send(struct telnet_session *s)
{
	ssize_t n;

	if (!s->out_len)
		return true;
	n = send(s->conn.fd.fd, s->out, s->out_len, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
		vty_close(s->conn.vty);
		return false;
	}
	if (n > 0) {
		s->out_len -= (size_t)n;
		memmove(s->out, s->out + n, s->out_len);
	}
	if (s->lost && s->out_len < OUT_HIGH) {
		char line[80];
		int len = snprintf(line, sizeof(line), "\r\n%% %zu characters were not read in time and are lost\r\n",
				   s->lost);

		s->lost = 0;
		out_add(s, line, (size_t)len);
	}
	return true;
}

static void session_wish(struct telnet_session *s)
{
	/* what was typed ahead goes on when there is room for its answers, also when all of them have just been sent */
	bool goes_on = s->out_len || (s->in_len && !s->ask);

	s->conn.fd.when = (s->in_len < IN_MAX ? OSMO_FD_READ : 0) | (goes_on ? OSMO_FD_WRITE : 0);
}

/* --------------------------------------------------------------------------------------------------- input */

/* Octets up to the end of the first line, at most what libosmovty reads at once. */
static size_t first_line(const struct telnet_session *s)
{
	size_t n = 0;

	while (n < s->in_len && n < VTY_READ_BUFSIZ) {
		char c = s->in[n++];

		if (c == '\r' || c == '\n')
			break;
	}
	return n;
}

static void in_drop(struct telnet_session *s, size_t n)
{
	s->in_len -= n;
	memmove(s->in, s->in + n, s->in_len);
}

/* One line, or what there is of it.  False: the session is gone. */
static bool feed_line(struct telnet_session *s)
{
	size_t n = first_line(s);
	bool ends = s->in[n - 1] == '\r' || s->in[n - 1] == '\n';
	ssize_t sent = write(s->feed, s->in, n);

	if (sent <= 0) { /* a pipe that is empty takes so little */
		vty_close(s->conn.vty);
		return false;
	}
	s->was_cr = s->in[n - 1] == '\r';
	s->line_len = ends ? 0 : s->line_len + n;
	in_drop(s, n);
	s->busy = true;
	if (vty_read(s->conn.vty) == -EBADF)
		return false;
	s->busy = false;
	out_take(s);
	if (s->ask)
		prompt_take_back(s);
	if (s->line_len > LINE_LEN_MAX) {
		out_add(s, LINE_TOO_LONG, strlen(LINE_TOO_LONG));
		if (!out_send(s))
			return false;
		vty_close(s->conn.vty);
		return false;
	}
	return true;
}

/* False: the session is gone. */
static bool feed(struct telnet_session *s)
{
	while (s->in_len && !s->ask && s->out_len < OUT_HIGH) {
		/* "\r\n" and "\r\0" are one end of line (RFC 854) */
		if (s->was_cr && (s->in[0] == '\n' || s->in[0] == 0)) {
			s->was_cr = false;
			in_drop(s, 1);
			continue;
		}
		if (!feed_line(s))
			return false;
	}
	return true;
}

/* Sends what there is, and takes further lines as far as there is room. */
static void session_go_on(struct telnet_session *s)
{
	if (!feed(s) || !out_send(s))
		return;
	session_wish(s);
}

/* ----------------------------------------------------------------------------------------------------- ask */

static void ask_end(struct telnet_session *s)
{
	s->ask = NULL;
	osmo_timer_del(&s->timer);
}

/* The prompt that was kept back, and what was typed meanwhile. */
static void session_answered(struct telnet_session *s)
{
	char prompt[PROMPT_MAX];
	size_t n = prompt_text(s, prompt);

	out_take(s);
	out_add(s, prompt, n);
	session_go_on(s);
}

static void ask_give_up(struct telnet_session *s, const char *why)
{
	s->ask->session = NULL; /* its answer may still come, and is not shown */
	ask_end(s);
	vty_out(s->conn.vty, "%s%s", why, "\r\n");
	session_answered(s);
}

static void ask_late(void *data)
{
	ask_give_up(data, "% no answer in 30 s: the request may still be carried out; look again, or see the log");
}

static void ask_done(void *ctx, const struct api_reply *r)
{
	struct vty_ask *ask = ctx;
	struct telnet_session *s = ask->session;
	bool inside;

	if (!s) {
		free(ask);
		return;
	}
	inside = s->busy; /* the command has not returned yet: libosmovty prints the prompt */
	ask_end(s);
	ask->session = NULL;
	s->busy = true;
	if (r->status != API_OK)
		vty_out(ask->vty, "%% %s\r\n", r->message);
	else
		ask->print(ask, r);
	s->busy = inside;
	free(ask);
	if (!inside && !s->ask)
		session_answered(s);
}

static void ask_nobody(void *ctx, const struct api_reply *r)
{
}

static struct api_to ask_begin(struct telnet_session *s, struct vty_ask *ask)
{
	ask->session = s;
	s->ask = ask;
	osmo_timer_schedule(&s->timer, TELNET_ASK_S, 0);
	return (struct api_to){ .done = ask_done, .ctx = ask };
}

struct api_to vty_ask(struct vty *vty, void (*print)(struct vty_ask *ask, const struct api_reply *r), const char *arg0,
		      const char *arg1)
{
	struct vty_ask *ask = calloc(1, sizeof(*ask));

	if (!ask) {
		vty_out(vty, "%% out of memory: try again later\r\n");
		return (struct api_to){ .done = ask_nobody };
	}
	ask->vty = vty;
	ask->print = print;
	snprintf(ask->arg[0], TELNET_ARG_MAX, "%s", arg0 ? arg0 : "");
	snprintf(ask->arg[1], TELNET_ARG_MAX, "%s", arg1 ? arg1 : "");
	return ask_begin((struct telnet_session *)vty->priv, ask);
}

struct api_to vty_ask_again(struct vty_ask *ask)
{
	struct vty_ask *more = malloc(sizeof(*more));

	if (!more) {
		vty_out(ask->vty, "%% out of memory: try again later\r\n");
		return (struct api_to){ .done = ask_nobody };
	}
	*more = *ask;
	return ask_begin((struct telnet_session *)ask->vty->priv, more);
}

/* ------------------------------------------------------------------------------------------------ sessions */

/* A page in a browser on this machine can send us its requests; the lines in them are not the operator's. */
static bool is_http(const struct telnet_session *s)
{
	static const char *const verb[] = { "GET ", "POST ", "PUT ", "HEAD ", "OPTIONS ", "DELETE ", "PATCH " };

	for (size_t i = 0; i < sizeof(verb) / sizeof(verb[0]); i++)
		if (s->in_len >= strlen(verb[i]) && !strncmp(s->in, verb[i], strlen(verb[i])))
			return true;
	return false;
}

static void on_read(struct telnet_session *s)
{
	ssize_t n = recv(s->conn.fd.fd, s->in + s->in_len, IN_MAX - s->in_len, 0);

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
		session_wish(s);
		return;
	}
	if (n > 0) {
		s->in_len += (size_t)n;
		if (!s->greeted && is_http(s))
			n = 0;
		s->greeted = true;
	}
	if (n <= 0) {
		vty_close(s->conn.vty);
		return;
	}
	if (s->ask && memchr(s->in, CTRL_C, s->in_len)) {
		s->in_len = 0;
		ask_give_up(s, "% not waited for");
		return;
	}
	session_go_on(s);
}

static int on_session(struct osmo_fd *fd, unsigned int what)
{
	struct telnet_session *s = fd->data;

	if (what & OSMO_FD_READ) {
		on_read(s);
		return 0;
	}
	out_take(s);
	if (out_send(s))
		session_go_on(s);
	return 0;
}

/* libosmovty closes the socket and frees the session. */
static int session_gone(struct telnet_session *s)
{
	if (s->ask) {
		s->ask->session = NULL;
		ask_end(s);
	}
	if (s->conn.vty)
		buffer_reset(s->conn.vty->obuf); /* it would be written to where it is read from */
	if (s->feed >= 0)
		close(s->feed);
	free(s->out);
	s->t->n--;
	return 0;
}

/* Lines of the log come at any time; a client that does not read must not make them pile up. */
static int on_vty_event(unsigned int subsys, unsigned int signal, void *data, void *signal_data)
{
	const struct vty_signal_data *sig = signal_data;
	struct telnet *t = data;
	struct telnet_session *s;

	if (sig->event != VTY_WRITE)
		return 0;
	llist_for_each_entry(s, &t->sessions, conn.entry)
	{
		if (s->conn.vty != sig->vty || s->busy)
			continue;
		out_take(s);
		break;
	}
	return 0;
}

static void refuse(int fd, const char *why)
{
	(void)!send(fd, why, strlen(why), MSG_NOSIGNAL);
	close(fd);
}

static int session_open(struct telnet *t, int fd)
{
	struct telnet_session *s = talloc_zero(t, struct telnet_session);
	struct vty *vty;
	int p[2], twin;

	if (!s)
		return -1;
	s->t = t;
	s->feed = -1;
	INIT_LLIST_HEAD(&s->conn.entry);
	osmo_timer_setup(&s->timer, ask_late, s);
	osmo_fd_setup(&s->conn.fd, fd, OSMO_FD_READ, on_session, s, 0);
	if (pipe2(p, O_CLOEXEC | O_NONBLOCK)) {
		talloc_free(s);
		return -1;
	}
	s->feed = p[1];
	t->n++;
	talloc_set_destructor(s, session_gone);
	if (osmo_fd_register(&s->conn.fd)) {
		close(p[0]);
		talloc_free(s);
		return -1;
	}
	llist_add_tail(&s->conn.entry, &t->sessions);
	s->busy = true;
	twin = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	vty = vty_create(p[0], &s->conn);
	if (!vty) { /* a password is asked for and none is set: it has closed everything, and s is gone */
		if (twin >= 0)
			refuse(twin, NO_PASSWORD);
		return 0;
	}
	if (twin >= 0)
		close(twin);
	s->conn.vty = vty;
	s->busy = false;
	out_take(s);
	session_go_on(s);
	return 0;
}

static int on_listen(struct osmo_fd *fd, unsigned int what)
{
	struct telnet *t = fd->data;
	int on = 1, one = accept4(fd->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (one < 0)
		return 0;
	/* else an answer that comes after its echo waits for the client's delayed acknowledgement: 40 ms */
	(void)setsockopt(one, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (t->n >= TELNET_SESSIONS_MAX) /* first: who knocks without end costs no look at the owners of all sockets */
		refuse(one, "% too many sessions are open: end one\r\n");
	else if (!peer_may(one))
		refuse(one, "% " PEER_REFUSED "\r\n");
	else if (session_open(t, one))
		refuse(one, "% out of memory or files: try again later\r\n");
	return 0;
}

/* ---------------------------------------------------------------------------------------------------- life */

static int listen_on(const char *ip, uint16_t port, uint16_t *got)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t len = sizeof(a);
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (inet_pton(AF_INET, ip, &a.sin_addr) == 1 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
	    !bind(fd, (struct sockaddr *)&a, sizeof(a)) && !listen(fd, LISTEN_MAX) &&
	    !getsockname(fd, (struct sockaddr *)&a, &len)) {
		*got = ntohs(a.sin_port);
		return fd;
	}
	close(fd);
	return -1;
}

struct telnet *telnet_new(void *tall, const char *ip, uint16_t port, const char *prompt, char *err, size_t cap)
{
	struct telnet *t = talloc_zero(tall, struct telnet);
	int fd = t ? listen_on(ip, port, &t->port) : -1;

	if (fd < 0) {
		snprintf(err, cap, "line vty: cannot listen on %s port %u: %s; give another one by 'bind'", ip, port,
			 strerror(errno));
		talloc_free(t);
		return NULL;
	}
	INIT_LLIST_HEAD(&t->sessions);
	snprintf(t->name, sizeof(t->name), "%s", prompt);
	osmo_fd_setup(&t->listen, fd, OSMO_FD_READ, on_listen, t, 0);
	if (osmo_fd_register(&t->listen)) {
		close(fd);
		talloc_free(t);
		snprintf(err, cap, "line vty: out of memory");
		return NULL;
	}
	osmo_signal_register_handler(SS_L_VTY, on_vty_event, t);
	return t;
}

void telnet_free(struct telnet *t)
{
	struct telnet_session *s, *next;

	if (!t)
		return;
	llist_for_each_entry_safe(s, next, &t->sessions, conn.entry) vty_close(s->conn.vty);
	osmo_signal_unregister_handler(SS_L_VTY, on_vty_event, t);
	osmo_fd_close(&t->listen);
	talloc_free(t);
}

uint16_t telnet_port(const struct telnet *t)
{
	return t->port;
}

bool telnet_logging(const struct telnet *t)
{
	const struct telnet_session *s;

	llist_for_each_entry(s, &t->sessions, conn.entry) if (s->conn.dbg) return true;
	return false;
}
