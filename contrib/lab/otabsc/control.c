/* control.c - the control socket: a line in, lines and "ok" (or "error ...") out; events as lines that begin with EV.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <osmocom/core/select.h>

#include "truth_text.h"
#include "unix_listen.h"

#define CLIENTS_MAX  16
#define OUT_MAX	     (64u << 20) /* octets that wait for a client; who takes nothing is hung up on */
#define WAIT_LOOK_MS 20
#define LINE_MAX_OUT 1200

struct client {
	struct control *ctl;
	struct osmo_fd fd; /* fd.fd < 0: free */
	char in[ASK_LINE_MAX];
	size_t in_len;
	char *out;
	size_t out_len, out_cap;
	bool events, waits;
	struct ask_wait wait;
};

struct control {
	struct lab *lab;
	struct osmo_fd fd;
	char path[UNIX_PATH_MAX_LEN];
	bool bound, quit;
	struct osmo_timer_list look;
	struct client client[CLIENTS_MAX];
};

static void client_drop(struct client *c)
{
	osmo_fd_unregister(&c->fd);
	close(c->fd.fd);
	c->fd.fd = -1;
	free(c->out);
	c->out = NULL;
	c->out_len = c->out_cap = c->in_len = 0;
	c->events = c->waits = false;
}

/* False: it was hung up on. */
static bool client_write(struct client *c)
{
	while (c->out_len) {
		ssize_t n = send(c->fd.fd, c->out, c->out_len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			client_drop(c);
			return false;
		}
		memmove(c->out, c->out + n, c->out_len - (size_t)n);
		c->out_len -= (size_t)n;
	}
	if (c->out_len)
		osmo_fd_write_enable(&c->fd);
	else
		osmo_fd_write_disable(&c->fd);
	return true;
}

static void client_say(struct client *c, const char *text, size_t len)
{
	/* What a command sets off may tell events to the one that gave it, and that one may be hung up on for it. */
	if (!len || c->fd.fd < 0)
		return;
	if (c->out_len + len > c->out_cap) {
		size_t cap = 2 * (c->out_len + len);
		char *more = cap <= OUT_MAX ? realloc(c->out, cap) : NULL;

		if (!more) {
			client_drop(c);
			return;
		}
		c->out = more;
		c->out_cap = cap;
	}
	memcpy(c->out + c->out_len, text, len);
	c->out_len += len;
}

/* ---- commands ---- */

static void look(void *arg)
{
	struct control *ctl = arg;
	bool more = false;

	for (int i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &ctl->client[i];
		bool over;

		if (c->fd.fd < 0 || !c->waits)
			continue;
		over = ask_wait_over(ctl->lab, &c->wait);
		if (!over && lab_now_ms() < c->wait.until_ms) {
			more = true;
			continue;
		}
		c->waits = false;
		if (over)
			client_say(c, "ok\n", 3);
		else
			client_say(c, "error not in time\n", 18);
		if (c->fd.fd >= 0)
			client_write(c);
	}
	if (more)
		osmo_timer_schedule(&ctl->look, 0, WAIT_LOOK_MS * 1000);
}

static void command(struct client *c, char *line)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	enum ask_then then;

	if (!out) {
		client_drop(c);
		return;
	}
	then = ask(c->ctl->lab, line, out, &c->wait);
	fclose(out);
	client_say(c, text, len);
	free(text);
	if (c->fd.fd < 0)
		return;
	c->waits = then == ASK_WAITS;
	if (then == ASK_EVENTS_ON || then == ASK_EVENTS_OFF)
		c->events = then == ASK_EVENTS_ON;
	if (then == ASK_QUIT)
		c->ctl->quit = true;
	if (client_write(c) && c->waits)
		look(c->ctl);
}

static void client_read(struct client *c)
{
	ssize_t n = recv(c->fd.fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);
	char *nl;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_drop(c);
		return;
	}
	c->in_len += (size_t)n;
	while (c->fd.fd >= 0 && (nl = memchr(c->in, '\n', c->in_len))) {
		char line[ASK_LINE_MAX];
		size_t len = (size_t)(nl - c->in);

		memcpy(line, c->in, len);
		line[len] = '\0';
		c->in_len -= len + 1;
		memmove(c->in, nl + 1, c->in_len);
		command(c, line);
	}
	if (c->fd.fd >= 0 && c->in_len == sizeof(c->in))
		client_drop(c); /* no command is so long */
}

static int on_client(struct osmo_fd *fd, unsigned what)
{
	struct client *c = fd->data;

	if (what & OSMO_FD_WRITE && !client_write(c))
		return 0;
	if (what & OSMO_FD_READ)
		client_read(c);
	return 0;
}

static int on_accept(struct osmo_fd *lfd, unsigned what)
{
	struct control *ctl = lfd->data;
	int fd = accept(lfd->fd, NULL, NULL);

	for (int i = 0; fd >= 0 && i < CLIENTS_MAX; i++) {
		struct client *c = &ctl->client[i];

		if (c->fd.fd >= 0)
			continue;
		osmo_fd_setup(&c->fd, fd, OSMO_FD_READ, on_client, c, 0);
		if (osmo_fd_register(&c->fd) == 0)
			return 0;
		c->fd.fd = -1;
		break;
	}
	if (fd >= 0)
		close(fd);
	return 0;
}

void control_event(struct control *ctl, const char *text)
{
	char line[LINE_MAX_OUT];
	int n = snprintf(line, sizeof(line), "EV %s\n", text);

	if (n >= (int)sizeof(line))
		n = (int)sizeof(line) - 1;
	for (int i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &ctl->client[i];

		if (c->fd.fd < 0 || !c->events)
			continue;
		client_say(c, line, (size_t)n);
		if (c->fd.fd >= 0)
			osmo_fd_write_enable(&c->fd);
	}
}

/* ---- the socket ---- */

struct control *control_new(struct lab *l, const char *path, char *err, size_t err_cap)
{
	struct control *ctl = calloc(1, sizeof(*ctl));
	int fd;

	if (!ctl) {
		snprintf(err, err_cap, "no memory");
		return NULL;
	}
	ctl->lab = l;
	ctl->fd.fd = -1;
	osmo_timer_setup(&ctl->look, look, ctl);
	for (int i = 0; i < CLIENTS_MAX; i++)
		ctl->client[i] = (struct client){ .ctl = ctl, .fd.fd = -1 };
	fd = unix_listen(path, CLIENTS_MAX, err, err_cap);
	if (fd < 0) {
		control_free(ctl);
		return NULL;
	}
	snprintf(ctl->path, sizeof(ctl->path), "%s", path);
	ctl->bound = true;
	osmo_fd_setup(&ctl->fd, fd, OSMO_FD_READ, on_accept, ctl, 0);
	if (osmo_fd_register(&ctl->fd) == 0)
		return ctl;
	snprintf(err, err_cap, "cannot listen on %s: %s", path, strerror(errno));
	close(fd);
	ctl->fd.fd = -1;
	control_free(ctl);
	return NULL;
}

void control_free(struct control *ctl)
{
	if (!ctl)
		return;
	osmo_timer_del(&ctl->look);
	for (int i = 0; i < CLIENTS_MAX; i++) {
		if (ctl->client[i].fd.fd >= 0)
			client_drop(&ctl->client[i]);
	}
	if (ctl->fd.fd >= 0) {
		osmo_fd_unregister(&ctl->fd);
		close(ctl->fd.fd);
	}
	if (ctl->bound)
		unlink(ctl->path);
	free(ctl);
}

bool control_quit(const struct control *ctl)
{
	return ctl->quit;
}

/* ---- the client ---- */

int control_ask(const char *path, const char *text)
{
	FILE *io = fleet_connect(path);
	bool events = !strcmp(text, "events 1");
	char *line = NULL;
	size_t cap = 0;
	int rc = 2;

	if (!io || fprintf(io, "%s\n", text) < 0 || fflush(io) < 0) {
		fprintf(stderr, "otabsc: nobody answers at %s: %s\n", path, strerror(errno));
		if (io)
			fclose(io);
		return 2;
	}
	while ((rc == 2 || events) && getline(&line, &cap, io) >= 0) {
		if (!strcmp(line, "ok\n"))
			rc = 0;
		else if (!strncmp(line, "error", 5))
			rc = 1;
		if (rc == 1)
			fprintf(stderr, "otabsc: %s", line);
		else if (strcmp(line, "ok\n"))
			fputs(line, stdout);
		if (events)
			fflush(stdout);
	}
	free(line);
	fclose(io);
	return rc;
}
