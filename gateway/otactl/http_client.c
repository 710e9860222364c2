/* http_client.c - one HTTP/1.1 request over a Unix socket (RFC 9112).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A connection per request: a Unix socket costs microseconds, and a restart of the gateway between two requests is then
 * nothing special.  The body leaves straight from the caller's buffer, because it may hold keys.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "http_client.h"

struct answer_buf {
	char *p;
	size_t len, cap;
};

static int connect_to(const char *path, char *err, size_t err_cap)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd, e;

	if (strlen(path) >= sizeof(sa.sun_path)) {
		snprintf(err, err_cap, "the socket's path is longer than %zu octets", sizeof(sa.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&sa, sizeof(sa))) {
		e = errno;
		if (fd >= 0)
			close(fd);
		snprintf(err, err_cap, "%s", strerror(e));
		return -e;
	}
	return fd;
}

void (*http_on_slow)(void);

struct http_watch http_watch;

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Whoever watches the keyboard meanwhile may call it off. */
static int wait_for(int fd, short events)
{
	int64_t begun_ms = now_ms(), waited_ms = 0;
	bool slow = false;

	for (; waited_ms < HTTP_WAIT_MS; waited_ms = now_ms() - begun_ms) {
		struct pollfd p[1 + HTTP_WATCH_FDS] = { { .fd = fd, .events = events } };
		int64_t next_ms = waited_ms < HTTP_SLOW_MS ? HTTP_SLOW_MS : HTTP_WAIT_MS, wait_ms = next_ms - waited_ms;

		for (int i = 0; i < HTTP_WATCH_FDS; i++)
			p[1 + i] = (struct pollfd){ .fd = http_watch.look ? http_watch.fd[i] : -1, .events = POLLIN };
		if (http_watch.look && wait_ms > HTTP_WATCH_MS)
			wait_ms = HTTP_WATCH_MS;
		if (poll(p, 1 + HTTP_WATCH_FDS, (int)wait_ms) < 0 && errno != EINTR)
			return -errno;
		if (p[0].revents)
			return 0;
		if (http_watch.look && http_watch.look(http_watch.ctx))
			return -ECANCELED;
		if (!slow && now_ms() - begun_ms >= HTTP_SLOW_MS && http_on_slow) {
			slow = true;
			http_on_slow();
		}
	}
	return -ETIMEDOUT;
}

static int send_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n;
		int rc = wait_for(fd, POLLOUT);

		if (rc)
			return rc;
		n = send(fd, p, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* Everything until the gateway closes. */
static int receive_all(int fd, struct answer_buf *b)
{
	for (;;) {
		ssize_t n;
		int rc = wait_for(fd, POLLIN);

		if (rc)
			return rc;
		if (b->cap - b->len < 4096) {
			size_t cap = b->cap ? 2 * b->cap : 65536;
			char *p;

			if (b->cap > HTTP_ANSWER_MAX)
				return -EMSGSIZE;
			p = realloc(b->p, cap);
			if (!p)
				return -ENOMEM;
			b->p = p;
			b->cap = cap;
		}
		n = recv(fd, b->p + b->len, b->cap - b->len - 1, 0);
		if (n < 0 && errno != EINTR)
			return errno == ECONNRESET && b->len ? 0 : -errno;
		if (n == 0)
			return 0;
		if (n > 0)
			b->len += (size_t)n;
	}
}

/* Value of a header inside the NUL-terminated head, or NULL. */
static const char *header(const char *head, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = strstr(head, "\r\n"); p; p = strstr(p, "\r\n")) {
		p += 2;
		if (!strncasecmp(p, name, n) && p[n] == ':')
			return p + n + 1 + strspn(p + n + 1, " \t");
	}
	return NULL;
}

/* Joins the chunks of a body in place (RFC 9112, 7.1); the length, or -1. */
static ssize_t unchunk(char *body, size_t len)
{
	char *in = body, *out = body, *end = body + len;

	for (;;) {
		char *nl = memchr(in, '\n', (size_t)(end - in)), *stop;
		unsigned long n;

		if (!nl)
			return -1;
		n = strtoul(in, &stop, 16);
		if (stop == in || stop > nl || n > (size_t)(end - nl - 1))
			return -1;
		in = nl + 1;
		if (n == 0)
			return out - body;
		memmove(out, in, n);
		out += n;
		in += n;
		if (end - in < 2 || in[0] != '\r' || in[1] != '\n')
			return -1;
		in += 2;
	}
}

static int parse_answer(struct answer_buf *b, struct http_answer *out)
{
	const char *te, *cl;
	char *end, *body;
	size_t len;

	b->p[b->len] = '\0';
	end = strstr(b->p, "\r\n\r\n");
	if (!end || (size_t)(end - b->p) > HTTP_HEAD_MAX || strncmp(b->p, "HTTP/1.", 7) ||
	    sscanf(b->p + 8, " %3d", &out->status) != 1)
		return -EPROTO;
	*end = '\0';
	body = end + 4;
	len = b->len - (size_t)(body - b->p);
	te = header(b->p, "Transfer-Encoding");
	cl = header(b->p, "Content-Length");
	if (te && !strncasecmp(te, "chunked", 7)) {
		ssize_t n = unchunk(body, len);

		if (n < 0)
			return -ECONNRESET;
		len = (size_t)n;
	} else if (cl) {
		unsigned long long n = strtoull(cl, NULL, 10);

		if (n > len)
			return -ECONNRESET;
		len = (size_t)n;
	}
	body[len] = '\0';
	out->raw = b->p;
	out->body = body;
	out->len = len;
	return 0;
}

static const char *explain(int rc)
{
	switch (rc) {
	case -ETIMEDOUT:
		return "no answer in 300 s";
	case -EMSGSIZE:
		return "its answer is too long";
	case -ECONNRESET:
	case -EPIPE:
		return "it closed the connection before its answer was complete";
	case -EPROTO:
		return "what answers there does not speak HTTP";
	default:
		return strerror(-rc);
	}
}

int http_call(const char *socket_path, const char *method, const char *target, const char *type, const void *body,
	      size_t len, struct http_answer *out, char *err, size_t err_cap)
{
	struct answer_buf b = { 0 };
	char head[HTTP_TARGET_MAX + 512];
	int fd, n, rc;

	*out = (struct http_answer){ 0 };
	n = snprintf(
		head, sizeof(head),
		"%s %s HTTP/1.1\r\nHost: otagw\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
		method, target, type, len);
	if (n < 0 || (size_t)n >= sizeof(head)) {
		snprintf(err, err_cap, "the request's path is too long");
		return -ENAMETOOLONG;
	}
	fd = connect_to(socket_path, err, err_cap);
	if (fd < 0)
		return fd;
	rc = send_all(fd, head, (size_t)n);
	if (!rc && len)
		rc = send_all(fd, body, len);
	/* An answer may be there although the gateway did not want to read the whole body (413). */
	if (!rc || rc == -EPIPE || rc == -ECONNRESET) {
		int sent = rc;

		rc = receive_all(fd, &b);
		if (!rc)
			rc = b.len ? parse_answer(&b, out) : sent ? sent : -ECONNRESET;
	}
	close(fd);
	if (rc) {
		free(b.p);
		*out = (struct http_answer){ 0 };
		snprintf(err, err_cap, "%s", explain(rc));
	}
	return rc;
}

void http_free(struct http_answer *a)
{
	free(a->raw);
	*a = (struct http_answer){ 0 };
}
