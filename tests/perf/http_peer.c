/* http_peer.c - whoever speaks HTTP with Kannel: asks it to send, and takes its callbacks, at next to no cost.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 *	http_peer ports N			prints N free TCP ports of the loopback
 *	http_peer send PORT CONNS COUNT TARGET	a request GET TARGET over each of CONNS connections; prints "warm CONNS" and
 *						waits for a line; then COUNT more, the next one when the one before is
 *						answered; prints "sent COUNT good N us T cpu U", all of the latter alone
 *	http_peer sink FILE			answers every request with 200; its port is in FILE.  A line on standard input is
 *						answered by "sunk COUNT us T": requests so far, and when the last came (as the
 *						clock of fast_smsc).  End of input ends it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNS_MAX  1000
#define PORTS_MAX  16
#define IN_MAX	   8192
#define TARGET_MAX 4000

struct conn {
	int fd; /* -1: none */
	size_t len;
	char in[IN_MAX];
};

static struct conn conn[CONNS_MAX];
static int ep;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "http_peer: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static struct sockaddr_in loopback(unsigned port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				     .sin_port = htons((uint16_t)port) };
}

static int bound(unsigned *port)
{
	struct sockaddr_in a = loopback(0);
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || getsockname(fd, (struct sockaddr *)&a, &len))
		die("no port");
	*port = ntohs(a.sin_port);
	return fd;
}

static void watch(int fd, uint32_t what)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = what };
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev))
		die("epoll");
}

static void say(int fd, const char *text, size_t len)
{
	/* a request or an answer is small: it goes into the socket at once or the peer is gone */
	if (send(fd, text, len, MSG_NOSIGNAL) != (ssize_t)len && errno != EPIPE && errno != ECONNRESET)
		die("send");
}

/* More octets; false: the peer has closed. */
static bool more(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->len, IN_MAX - 1 - c->len, 0);

	if (n <= 0)
		return false;
	c->len += (size_t)n;
	c->in[c->len] = '\0';
	return true;
}

static void take(struct conn *c, size_t n)
{
	memmove(c->in, c->in + n, c->len - n + 1);
	c->len -= n;
}

/* Octets of the message at the head of the buffer with its body, 0: not all there. */
static size_t message(const struct conn *c)
{
	const char *end = c->len ? strstr(c->in, "\r\n\r\n") : NULL, *at;
	size_t body = 0, head;

	if (!end)
		return 0;
	head = (size_t)(end - c->in) + 4;
	at = strstr(c->in, "\r\nContent-Length:"); /* as Kannel writes it */
	if (at && at < end)
		body = strtoul(at + 17, NULL, 10);
	return c->len >= head + body ? head + body : 0;
}

/* ---- send ---- */

static void dial(struct conn *c, unsigned port)
{
	struct sockaddr_in a = loopback(port);

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	c->len = 0;
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof(a)))
		die("connect");
	watch(c->fd, (uint32_t)(c - conn));
}

struct lot {
	unsigned port;
	const char *request;
	size_t len;
	unsigned long count, asked, answered, good;
};

static void ask(struct lot *l, struct conn *c)
{
	if (l->asked < l->count) {
		l->asked++;
		say(c->fd, l->request, l->len);
	}
}

static void on_answer(struct lot *l, struct conn *c)
{
	size_t used;

	if (!more(c)) { /* closed between two requests, or instead of an answer: ask again */
		close(c->fd);
		dial(c, l->port);
		say(c->fd, l->request, l->len);
		return;
	}
	while ((used = message(c))) {
		l->good += !strncmp(c->in, "HTTP/1.1 20", 11);
		l->answered++;
		take(c, used);
		ask(l, c);
	}
}

/* One on each of the connections that are idle, and so on until all are answered; false: not all of them were good. */
static bool lot_run(struct lot *l, unsigned conns, unsigned long count)
{
	struct epoll_event ev[64];

	l->count = count;
	l->asked = l->answered = l->good = 0;
	for (unsigned i = 0; i < conns; i++)
		ask(l, &conn[i]);
	while (l->answered < count) {
		int n = epoll_wait(ep, ev, 64, 30000);

		if (n == 0 || (n < 0 && errno != EINTR)) {
			errno = n ? errno : ETIMEDOUT;
			die("no answer");
		}
		for (int i = 0; i < n; i++)
			on_answer(l, &conn[ev[i].data.u32]);
	}
	return l->good == count;
}

/* A connection's first request takes Kannel's server up to some seconds, those after it do not: it is let get warm. */
static int send_all(unsigned port, unsigned conns, unsigned long count, const char *target)
{
	char request[TARGET_MAX + 200];
	struct lot l = { .port = port, .request = request };
	uint64_t start, cpu;
	bool good;

	l.len = (size_t)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target);
	for (unsigned i = 0; i < conns; i++)
		dial(&conn[i], port);
	good = lot_run(&l, conns, conns);
	printf("warm %u\n", conns);
	fflush(stdout);
	if (getchar() == EOF)
		return 1;
	start = now_us();
	cpu = cpu_us();
	good = lot_run(&l, conns, count) && good;
	printf("sent %lu good %lu us %llu cpu %llu\n", l.answered, l.good, (unsigned long long)(now_us() - start),
	       (unsigned long long)(cpu_us() - cpu));
	return !good;
}

/* ---- sink ---- */

#define FROM_LISTENER CONNS_MAX
#define FROM_STDIN    (CONNS_MAX + 1)

static unsigned long sunk;
static uint64_t sunk_us;

static void on_connect(int listener)
{
	int fd = accept(listener, NULL, NULL);
	struct conn *c = conn;

	while (c < conn + CONNS_MAX && c->fd >= 0)
		c++;
	if (fd >= 0 && c < conn + CONNS_MAX) {
		c->fd = fd;
		c->len = 0;
		watch(fd, (uint32_t)(c - conn));
	} else if (fd >= 0) {
		close(fd);
	}
}

static void on_request(struct conn *c)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	size_t used;

	if (!more(c)) {
		close(c->fd);
		c->fd = -1;
		return;
	}
	while ((used = message(c))) {
		sunk++;
		sunk_us = now_us();
		take(c, used);
		say(c->fd, ok, sizeof(ok) - 1);
	}
}

static int sink(const char *file)
{
	struct epoll_event ev[64];
	unsigned port;
	int listener = bound(&port);
	FILE *f = fopen(file, "w");
	char line[256];

	if (!f || listen(listener, CONNS_MAX) || fprintf(f, "%u\n", port) < 0 || fclose(f))
		die(file);
	watch(listener, FROM_LISTENER);
	watch(STDIN_FILENO, FROM_STDIN);
	for (;;) {
		int n = epoll_wait(ep, ev, 64, -1);

		if (n < 0 && errno != EINTR)
			die("epoll");
		for (int i = 0; i < n; i++) {
			uint32_t what = ev[i].data.u32;

			if (what == FROM_LISTENER) {
				on_connect(listener);
			} else if (what == FROM_STDIN) {
				if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
					return 0;
				printf("sunk %lu us %llu\n", sunk, (unsigned long long)sunk_us);
				fflush(stdout);
			} else {
				on_request(&conn[what]);
			}
		}
	}
}

static int ports(unsigned n)
{
	unsigned port[PORTS_MAX];

	for (unsigned i = 0; i < n; i++) /* all held at a time, so that they differ */
		bound(&port[i]);
	for (unsigned i = 0; i < n; i++)
		printf("%u\n", port[i]);
	return 0;
}

static unsigned long number(const char *text, unsigned long max)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*end || !v || v > max) {
		fprintf(stderr, "http_peer: %s: a number from 1 to %lu is wanted\n", text, max);
		exit(1);
	}
	return v;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep < 0)
		die("epoll");
	for (unsigned i = 0; i < CONNS_MAX; i++)
		conn[i].fd = -1;
	if (argc == 3 && !strcmp(argv[1], "ports"))
		return ports((unsigned)number(argv[2], PORTS_MAX));
	if (argc == 3 && !strcmp(argv[1], "sink"))
		return sink(argv[2]);
	if (argc == 6 && !strcmp(argv[1], "send") && strlen(argv[5]) < TARGET_MAX)
		return send_all((unsigned)number(argv[2], 65535), (unsigned)number(argv[3], CONNS_MAX),
				number(argv[4], 100000000), argv[5]);
	fputs("usage: http_peer ports N | send PORT CONNS COUNT TARGET | sink FILE\n", stderr);
	return 1;
}
