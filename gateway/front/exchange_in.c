/* exchange_in.c - packages that partners bring, and those that come as files: on disk first, then answered.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Nothing of what comes in is believed here but who brings it.  A file is named after what its manifest says of itself, sender, number
 * and identity, and is never written over: the same package again finds itself there.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exchange_int.h"

#define PATH_PREFIX "/exchange/"
#define PATH_CAP    512
#define BACKLOG	    64
#define SWEEP_MS    250
#define ID_SHOWN    4 /* octets of a package's id in its file's name */

/* ---- files ---- */

/* dir/in/.come-XXXXXX: nobody looks at it under this name. */
static int temporary(struct exchange *x, char path[PATH_CAP], char *err, size_t cap)
{
	int fd;

	snprintf(path, PATH_CAP, "%s/in/.come-XXXXXX", x->cfg.dir);
	fd = mkstemp(path);
	if (fd < 0)
		snprintf(err, cap, "%.120s cannot be written: %s", path, strerror(errno));
	return fd;
}

static int sync_dir(const struct exchange *x)
{
	char path[PATH_CAP];
	int fd, rc;

	snprintf(path, sizeof(path), "%s/in", x->cfg.dir);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = fd < 0 ? -1 : fsync(fd);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Gives a whole and durable file the name that it has in dir/in.  400: not a package; 403: not by who brought it, or not for us. */
static int settle(struct exchange *x, const char *tmp, const char *from, char name[EXCHANGE_FILE_MAX], char *err,
		  size_t cap)
{
	char path[PATH_CAP];
	const struct pkg_head *h;
	struct pkg *p;
	int status = 202;

	if (pkg_open(&p, tmp, err, cap))
		return 400;
	h = pkg_head(p);
	snprintf(name, EXCHANGE_FILE_MAX, "%s-%012" PRIu64 "-%02x%02x%02x%02x.otapkg", h->from, h->seq, h->id[0],
		 h->id[1], h->id[2], h->id[3]);
	if (strcmp(h->to, pkg_self_name(x->cfg.self))) {
		snprintf(err, cap, "this package is for %s; we are %s", h->to, pkg_self_name(x->cfg.self));
		status = 403;
	} else if (from && strcmp(h->from, from)) {
		snprintf(err, cap, "this package says it is from %s, and %s has brought it", h->from, from);
		status = 403;
	}
	pkg_close(p);
	if (status != 202)
		return status;
	snprintf(path, sizeof(path), "%s/in/%s", x->cfg.dir, name);
	/* link() does not replace what is there: that has been looked at already, perhaps */
	if ((link(tmp, path) && errno != EEXIST) || sync_dir(x)) {
		snprintf(err, cap, "%.120s cannot be written: %s", path, strerror(errno));
		return 503;
	}
	return 202;
}

static int hand_over(struct exchange *x, const char *tmp, const char *from, char *err, size_t cap)
{
	char name[EXCHANGE_FILE_MAX];
	int status = settle(x, tmp, from, name, err, cap);

	unlink(tmp);
	if (status == 202 && x->cfg.take(x->cfg.ctx, name, err, cap))
		status = 503;
	return status;
}

static int copy(int to, const char *path, char *err, size_t cap)
{
	static char buf[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc = 0;
	struct stat st;
	ssize_t n = 0;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		snprintf(err, cap, "%s: %s; the gateway itself must be able to read it", path,
			 fd < 0 ? strerror(errno) : "not a file");
		rc = -1;
	}
	while (!rc && (n = read(fd, buf, sizeof(buf))) > 0)
		if (write(to, buf, (size_t)n) != n)
			rc = -1;
	if (!rc && (n < 0 || fsync(to)))
		rc = -1;
	if (rc && !*err)
		snprintf(err, cap, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

int exchange_import(struct exchange *x, const char *path, char *err, size_t err_cap)
{
	char tmp[PATH_CAP];
	int fd, rc;

	*err = '\0';
	fd = temporary(x, tmp, err, err_cap);
	if (fd < 0)
		return -1;
	rc = copy(fd, path, err, err_cap);
	close(fd);
	if (rc) {
		unlink(tmp);
		return -1;
	}
	return hand_over(x, tmp, NULL, err, err_cap) == 202 ? 0 : -1;
}

/* ---- requests ---- */

static void answer(struct evhttp_request *req, int status, const char *text)
{
	static const struct {
		int status;
		const char *words;
	} known[] = { { 202, "Accepted" },  { 400, "Bad Request" },	   { 403, "Forbidden" },
		      { 404, "Not Found" }, { 405, "Method Not Allowed" }, { 503, "Service Unavailable" } };
	struct evbuffer *body = evbuffer_new();
	const char *words = "Service Unavailable";

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].status == status)
			words = known[i].words;
	if (body)
		evbuffer_add_printf(body, "%s\n", text);
	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", "text/plain");
	evhttp_send_reply(req, status, words, body);
	if (body)
		evbuffer_free(body);
}

static int spool(struct exchange *x, struct evbuffer *in, char path[PATH_CAP], char *err, size_t cap)
{
	int fd = temporary(x, path, err, cap), n = 0;

	if (fd < 0)
		return -1;
	while (evbuffer_get_length(in) && (n = evbuffer_write(in, fd)) > 0)
		;
	if (evbuffer_get_length(in) || fsync(fd)) {
		snprintf(err, cap, "%.120s cannot be written: %s", path, strerror(errno));
		close(fd);
		unlink(path);
		return -1;
	}
	close(fd);
	return 0;
}

static struct exchange_conn *conn_of(struct exchange *x, const struct bufferevent *bev)
{
	for (unsigned i = 0; i < x->conns; i++)
		if (x->conn[i].bev == bev)
			return &x->conn[i];
	return NULL;
}

static void on_request(struct evhttp_request *req, void *ctx)
{
	struct exchange *x = ctx;
	struct evhttp_connection *conn = evhttp_request_get_connection(req);
	struct bufferevent *bev = conn ? evhttp_connection_get_bufferevent(conn) : NULL;
	struct exchange_conn *c = bev ? conn_of(x, bev) : NULL;
	int who = bev ? exchange_ssl_partner(bufferevent_openssl_get_ssl(bev)) : -1, status;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL, *name;
	char tmp[PATH_CAP], err[EXCHANGE_WHY_MAX] = "";

	if (who < 0) { /* cannot be: the handshake demands a certificate */
		answer(req, 403, "who are you?");
		return;
	}
	name = pkg_partner_name(x->cfg.partner[who].pinned);
	if (!path || strncmp(path, PATH_PREFIX, strlen(PATH_PREFIX))) {
		answer(req, 404, "packages go to " PATH_PREFIX "FROM-NUMBER");
		return;
	}
	if (evhttp_request_get_command(req) != EVHTTP_REQ_POST) {
		answer(req, 405, "packages are brought by POST");
		return;
	}
	if (spool(x, evhttp_request_get_input_buffer(req), tmp, err, sizeof(err)))
		status = 503;
	else
		status = hand_over(x, tmp, name, err, sizeof(err));
	if (status == 202) {
		x->peer[who].taken++;
		if (c)
			c->since_ms = exchange_now(x);
	} else {
		exchange_log_stranger(x, "what partner %s brought was not taken: %s", name, err);
	}
	answer(req, status, status == 202 ? "taken; the acknowledgement comes as a package" : err);
}

/* ---- connections ---- */

static void cut(const struct exchange_conn *c)
{
	shutdown(bufferevent_getfd(c->bev), SHUT_RDWR);
}

/* One partner's connections do not take the others' places, nor the memory for what they bring: those that came last are closed. */
static void judge_conn(struct exchange *x, const struct exchange_conn *c, int64_t shake_ms,
		       uint8_t of[EXCHANGE_PARTNERS_MAX])
{
	const int who =
		exchange_ssl_partner(bufferevent_openssl_get_ssl(c->bev)); /* -1: has not shown yet whose it is */
	const int64_t ms = exchange_now(x) - c->since_ms;

	if (who < 0 && ms > shake_ms) {
		cut(c);
	} else if (who >= 0 && of[who]++ >= EXCHANGE_CONNS_ONE) {
		exchange_log_stranger(x, "partner %s has more than %d connections at a time: one is closed",
				      pkg_partner_name(x->cfg.partner[who].pinned), EXCHANGE_CONNS_ONE);
		cut(c);
	}
	if (ms > EXCHANGE_REQUEST_S * 1000) { /* drop by drop is no way to come in */
		exchange_log_stranger(x, "a connection brought nothing within %d s and is closed", EXCHANGE_REQUEST_S);
		cut(c);
	}
}

/* As in http.c: evhttp does not tell that a connection has ended; bufferevent_free() takes the callbacks away. */
static void sweep(struct exchange *x)
{
	uint8_t of[EXCHANGE_PARTNERS_MAX] = { 0 };
	int64_t shake_ms = EXCHANGE_SHAKE_S * 1000;
	unsigned keep = 0;

	if (x->conns == EXCHANGE_CONNS_MAX) /* all places are taken: whoever says nothing makes room */
		shake_ms = EXCHANGE_HURRY_S * 1000;
	for (unsigned i = 0; i < x->conns; i++) {
		bufferevent_event_cb cb;

		bufferevent_getcb(x->conn[i].bev, NULL, NULL, &cb, NULL);
		if (!cb) {
			bufferevent_decref(x->conn[i].bev);
			continue;
		}
		judge_conn(x, &x->conn[i], shake_ms, of);
		x->conn[keep++] = x->conn[i];
	}
	x->conns = keep;
	if (x->listener && keep < EXCHANGE_CONNS_MAX)
		evconnlistener_enable(x->listener);
}

static void on_sweep(evutil_socket_t fd, short what, void *ctx)
{
	static const struct timeval again = { 0, SWEEP_MS * 1000 };
	struct exchange *x = ctx;

	sweep(x);
	if (x->conns)
		event_add(x->sweep, &again);
}

static struct bufferevent *on_accept(struct event_base *base, void *ctx)
{
	static const struct timeval soon = { 0, SWEEP_MS * 1000 };
	struct exchange *x = ctx;
	SSL *ssl = exchange_ssl(x, -1);
	struct bufferevent *bev =
		ssl ? bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE) :
		      NULL;

	if (!bev) {
		SSL_free(ssl);
		return NULL;
	}
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	sweep(x);
	if (x->conns < EXCHANGE_CONNS_MAX) {
		bufferevent_incref(bev);
		x->conn[x->conns++] = (struct exchange_conn){ .bev = bev, .since_ms = exchange_now(x) };
	}
	if (x->conns == EXCHANGE_CONNS_MAX)
		evconnlistener_disable(x->listener);
	if (!event_pending(x->sweep, EV_TIMEOUT, NULL))
		event_add(x->sweep, &soon);
	return bev;
}

/* Out of descriptors most likely: the sweep takes it up again. */
static void on_accept_error(struct evconnlistener *l, void *ctx)
{
	static const struct timeval soon = { 0, SWEEP_MS * 1000 };
	struct exchange *x = ((struct exchange *)ctx);

	evconnlistener_disable(l);
	event_add(x->sweep, &soon);
}

static int listen_fd(const struct exchange_cfg *c, char *err, size_t cap)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
					.ai_socktype = SOCK_STREAM };
	struct addrinfo *ai = NULL;
	char port[8];
	int fd = -1, on = 1, rc;

	snprintf(port, sizeof(port), "%u", c->listen_port);
	rc = getaddrinfo(c->listen_host, port, &hints, &ai);
	if (rc) {
		snprintf(err, cap, "exchange: listen %s:%u: %s; write an address in numbers", c->listen_host,
			 c->listen_port, gai_strerror(rc));
		return -1;
	}
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, BACKLOG)) {
		snprintf(err, cap, "exchange: listen %s:%u: %s", c->listen_host, c->listen_port, strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(ai);
	return fd;
}

int exchange_listen(struct exchange *x, char *err, size_t err_cap)
{
	int fd = listen_fd(&x->cfg, err, err_cap);

	if (fd < 0)
		return -1;
	x->http = evhttp_new(x->base);
	x->sweep = evtimer_new(x->base, on_sweep, x);
	x->listener = evconnlistener_new(x->base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!x->listener)
		close(fd);
	if (!x->http || !x->sweep || !x->listener || !evhttp_bind_listener(x->http, x->listener)) {
		snprintf(err, err_cap, "exchange: out of memory");
		if (x->listener)
			evconnlistener_free(x->listener);
		x->listener = NULL;
		return -1;
	}
	evconnlistener_set_error_cb(x->listener, on_accept_error);
	evhttp_set_bevcb(x->http, on_accept, x);
	evhttp_set_gencb(x->http, on_request, x);
	evhttp_set_allowed_methods(x->http, EVHTTP_REQ_POST | EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT);
	evhttp_set_max_body_size(x->http, EXCHANGE_BODY_MAX);
	evhttp_set_max_headers_size(x->http, EXCHANGE_HEADERS_MAX);
	evhttp_set_timeout(x->http, EXCHANGE_IDLE_S);
	return 0;
}

void exchange_listen_end(struct exchange *x)
{
	if (x->http) {
		evhttp_free(x->http); /* and the listener */
		x->listener = NULL;
		sweep(x);
	}
	if (x->sweep)
		event_free(x->sweep);
}
