/* fake_server.c - see fake_server.h.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake_server.h"

#define REQUEST_MAX (2u << 20)

static void die(const char *what)
{
	perror(what);
	abort();
}

/* Reads one whole request; false when the client went away before. */
static int read_request(int fd, struct fake_request *r)
{
	char *buf = malloc(REQUEST_MAX), *end = NULL, *cl;
	size_t len = 0, want = 0, head = 0;
	ssize_t n;

	if (!buf)
		die("malloc");
	while (!end || len < head + want) {
		n = recv(fd, buf + len, REQUEST_MAX - len - 1, 0);
		if (n <= 0) {
			free(buf);
			return 0;
		}
		len += (size_t)n;
		buf[len] = '\0';
		if (!end && (end = strstr(buf, "\r\n\r\n"))) {
			cl = strstr(buf, "Content-Length: ");
			want = cl && cl < end ? strtoul(cl + 16, NULL, 10) : 0;
			head = (size_t)(end + 4 - buf);
		}
	}
	snprintf(r->line, sizeof(r->line), "%.*s", (int)(strstr(buf, " HTTP/1.1") - buf), buf);
	r->len = want;
	r->body = malloc(want + 1);
	if (!r->body)
		die("malloc");
	memcpy(r->body, buf + head, want);
	r->body[want] = '\0';
	free(buf);
	return 1;
}

static void send_text(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

static void answer(int fd, const struct fake_answer *a)
{
	char head[256];

	if (a->status > 0) {
		int n = snprintf(head, sizeof(head),
				 "HTTP/1.1 %d X\r\nContent-Type: application/json\r\ncontent-length: %zu\r\n\r\n",
				 a->status, strlen(a->body));

		send_text(fd, head, (size_t)n);
	}
	if (a->status)
		send_text(fd, a->body, strlen(a->body));
}

static void *serve(void *arg)
{
	static const struct fake_answer too_many = { 500, "{\"error\":{\"message\":\"one request too many\"}}" };
	struct fake_server *s = arg;

	for (;;) {
		int fd = accept(s->fd, NULL, NULL);

		if (fd < 0)
			return NULL; /* shut down */
		if (s->requests < FAKE_REQUESTS_MAX && read_request(fd, &s->request[s->requests])) {
			answer(fd, s->requests < s->answers ? &s->answer[s->requests] : &too_many);
			s->requests++;
		}
		close(fd);
	}
}

void fake_start(struct fake_server *s, const char *path, const struct fake_answer *a, unsigned answers)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	*s = (struct fake_server){ .answer = a, .answers = answers };
	snprintf(s->path, sizeof(s->path), "%s", path);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(s->fd, 16))
		die("fake server");
	if (pthread_create(&s->thread, NULL, serve, s))
		die("pthread_create");
}

void fake_stop(struct fake_server *s)
{
	shutdown(s->fd, SHUT_RDWR); /* wakes accept() */
	pthread_join(s->thread, NULL);
	close(s->fd);
	unlink(s->path);
}

void fake_free(struct fake_server *s)
{
	for (unsigned i = 0; i < s->requests; i++)
		free(s->request[i].body);
}
