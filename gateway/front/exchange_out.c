/* exchange_out.c - packages that go to partners: one at a time for each, in the order of their numbers, until it is taken.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Each package has a connection of its own: libevent's TLS cannot connect again, and a package is larger than a handshake.  What a
 * connection has come to is looked at from a timer, when libevent has let go of it.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exchange_int.h"

static const struct exchange_partner *partner(const struct exchange_peer *p)
{
	return &p->x->cfg.partner[p->index];
}

static const char *name(const struct exchange_peer *p)
{
	return pkg_partner_name(partner(p)->pinned);
}

static void turn_in(struct exchange_peer *p, int64_t ms)
{
	const struct timeval tv = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	p->next_ms = ms ? exchange_now(p->x) + ms : 0;
	event_add(p->turn, &tv);
}

/* ---- the queue ---- */

static void drop(struct exchange_peer *p, struct exchange_parcel **at)
{
	struct exchange_parcel *q = *at;

	*at = q->next;
	p->waiting--;
	free(q);
}

void exchange_carry(struct exchange *x, const char *to, const char *path, uint64_t seq)
{
	struct exchange_parcel **at, *q;
	struct exchange_peer *p = NULL;

	for (unsigned i = 0; i < x->cfg.n_partners && !p; i++)
		if (!strcmp(name(&x->peer[i]), to))
			p = &x->peer[i];
	if (!p || !partner(p)->port)
		return;
	for (at = &p->first; *at && (*at)->seq < seq; at = &(*at)->next)
		;
	if (*at && (*at)->seq == seq)
		return;
	q = p->waiting < EXCHANGE_QUEUE_MAX ? malloc(sizeof(*q) + strlen(path) + 1) : NULL;
	if (!q) {
		exchange_log(x, 3, "exchange: package %" PRIu64 " for %s stays a file: %s; a restart takes it up again",
			     seq, to, p->waiting < EXCHANGE_QUEUE_MAX ? "out of memory" : "too many wait");
		return;
	}
	q->next = *at;
	q->seq = seq;
	memcpy(q->path, path, strlen(path) + 1);
	*at = q;
	p->waiting++;
	if (!p->conn && !event_pending(p->turn, EV_TIMEOUT, NULL))
		turn_in(p, 0);
}

/* ---- one package ---- */

static void failed(struct exchange_peer *p)
{
	int64_t ms = EXCHANGE_FIRST_MS;

	for (unsigned i = 0; i < p->failures && ms < EXCHANGE_LATEST_MS; i++)
		ms *= 2;
	if (ms > EXCHANGE_LATEST_MS)
		ms = EXCHANGE_LATEST_MS;
	if (!p->failures++)
		exchange_log(p->x, 4, "exchange: package %" PRIu64 " cannot be brought to %s: %s; tried again",
			     p->sent_seq, name(p), p->why);
	turn_in(p, ms);
}

static void on_error(enum evhttp_request_error e, void *ctx)
{
	struct exchange_peer *p = ctx;

	snprintf(p->why, sizeof(p->why), "%s",
		 e == EVREQ_HTTP_TIMEOUT ? "no answer in time" :
		 e == EVREQ_HTTP_EOF ? "the connection was refused or cut: is it running, and has it our party file?" :
				       "the answer is no HTTP");
}

static void on_answer(struct evhttp_request *req, void *ctx)
{
	struct exchange_peer *p = ctx;
	struct evbuffer *body = req ? evhttp_request_get_input_buffer(req) : NULL;
	char *line;

	p->over = true;
	p->status = req ? evhttp_request_get_response_code(req) : 0;
	if (p->status && p->status != 202) {
		line = evbuffer_readln(body, NULL, EVBUFFER_EOL_LF);
		snprintf(p->why, sizeof(p->why), "it says %d: %.150s", p->status, line ? line : "");
		free(line);
	} else if (!p->status && !*p->why) {
		snprintf(p->why, sizeof(p->why),
			 "no connection to %s:%u, or not with the certificate in its party file", partner(p)->host,
			 partner(p)->port);
	}
	turn_in(p, 0);
}

/* The file as a body; NULL with why. */
static struct evbuffer *body_of(struct exchange_peer *p, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), n = 1;
	struct evbuffer *b = evbuffer_new();
	struct stat st;

	if (fd < 0 || !b || fstat(fd, &st)) {
		snprintf(p->why, sizeof(p->why), "%s: %s", path, strerror(fd < 0 ? errno : ENOMEM));
		n = -1;
	} else if (st.st_size > EXCHANGE_BODY_MAX) {
		snprintf(p->why, sizeof(p->why), "it has more than %u octets: carry the file %s by hand",
			 EXCHANGE_BODY_MAX, path);
		n = -1;
	}
	while (n > 0)
		n = evbuffer_read(b, fd, -1);
	if (fd >= 0)
		close(fd);
	if (n < 0) {
		if (b)
			evbuffer_free(b);
		if (!*p->why)
			snprintf(p->why, sizeof(p->why), "%s cannot be read", path);
		return NULL;
	}
	return b;
}

static bool connect_to(struct exchange_peer *p)
{
	const struct exchange_partner *c = partner(p);
	SSL *ssl = exchange_ssl(p->x, (int)p->index);
	struct bufferevent *bev = ssl ? bufferevent_openssl_socket_new(p->x->base, -1, ssl, BUFFEREVENT_SSL_CONNECTING,
								       BEV_OPT_CLOSE_ON_FREE) :
					NULL;

	if (!bev) {
		SSL_free(ssl);
		return false;
	}
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	p->conn = evhttp_connection_base_bufferevent_new(p->x->base, NULL, bev, c->host, c->port);
	if (!p->conn) {
		bufferevent_free(bev);
		return false;
	}
	evhttp_connection_set_timeout(p->conn, EXCHANGE_IDLE_S);
	evhttp_connection_set_max_headers_size(p->conn, EXCHANGE_HEADERS_MAX);
	evhttp_connection_set_max_body_size(p->conn, EXCHANGE_HEADERS_MAX);
	return true;
}

/* The desk takes a file away when its package has been brought: a package that was told twice, and brought meanwhile, is done. */
static bool gone(const struct exchange_peer *p)
{
	struct stat st;

	return stat(p->first->path, &st) && errno == ENOENT;
}

static void send_first(struct exchange_peer *p)
{
	struct evhttp_request *req = NULL;
	char path[PKG_NAME_MAX + 40], host[96];
	struct evbuffer *body;

	while (p->first && gone(p))
		drop(p, &p->first);
	if (!p->first)
		return;
	p->sent_seq = p->first->seq;
	p->over = false;
	p->status = 0;
	p->next_ms = 0;
	*p->why = '\0';
	body = body_of(p, p->first->path);
	if (body && connect_to(p))
		req = evhttp_request_new(on_answer, p);
	if (!req) {
		if (!*p->why)
			snprintf(p->why, sizeof(p->why), "out of memory");
		if (body)
			evbuffer_free(body);
		if (p->conn)
			evhttp_connection_free(p->conn);
		p->conn = NULL;
		failed(p);
		return;
	}
	evhttp_request_set_error_cb(req, on_error);
	evbuffer_add_buffer(evhttp_request_get_output_buffer(req), body);
	evbuffer_free(body);
	snprintf(host, sizeof(host), "%s:%u", partner(p)->host, partner(p)->port);
	evhttp_add_header(evhttp_request_get_output_headers(req), "Host", host);
	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", "application/octet-stream");
	evhttp_add_header(evhttp_request_get_output_headers(req), "Connection", "close");
	snprintf(path, sizeof(path), "/exchange/%s-%" PRIu64, pkg_self_name(p->x->cfg.self), p->sent_seq);
	if (evhttp_make_request(p->conn, req, EVHTTP_REQ_POST, path)) { /* the request is gone */
		p->over = true;
		snprintf(p->why, sizeof(p->why), "no connection to %s:%u", partner(p)->host, partner(p)->port);
		turn_in(p, 0);
	}
}

static void brought(struct exchange_peer *p)
{
	struct exchange_parcel **at;

	if (p->failures)
		exchange_log(p->x, 5, "exchange: %s takes packages again", name(p));
	p->failures = 0;
	*p->why = '\0';
	p->brought++;
	for (at = &p->first; *at && (*at)->seq != p->sent_seq; at = &(*at)->next)
		; /* one with a lower number may have come meanwhile */
	if (*at)
		drop(p, at);
	p->x->cfg.carried(p->x->cfg.ctx, name(p), p->sent_seq);
}

static void on_turn(evutil_socket_t fd, short what, void *ctx)
{
	struct exchange_peer *p = ctx;

	if (p->conn && !p->over)
		return;
	if (p->conn) {
		evhttp_connection_free(p->conn);
		p->conn = NULL;
		if (p->status != 202) {
			failed(p);
			return;
		}
		brought(p);
	}
	if (p->first && !p->conn && !event_pending(p->turn, EV_TIMEOUT, NULL))
		send_first(p);
}

/* ---- life ---- */

int exchange_peer_init(struct exchange_peer *p)
{
	p->turn = evtimer_new(p->x->base, on_turn, p);
	return p->turn ? 0 : -1;
}

void exchange_peer_end(struct exchange_peer *p)
{
	if (p->conn)
		evhttp_connection_free(p->conn);
	p->conn = NULL;
	while (p->first)
		drop(p, &p->first);
	if (p->turn)
		event_free(p->turn);
}
