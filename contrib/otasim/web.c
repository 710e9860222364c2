/* web.c - read-only HTTP of what happened: JSON for scripts, a page for people.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Every answer is made at once and its connection closed.  What can be asked for is bounded: connections, headers, body,
 * and the length of a page.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <arpa/inet.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include "json.h"
#include "page.h"
#include "server.h"

#define CONNS_MAX   32	 /* at a time; more wait */
#define HEADERS_MAX 8192 /* octets */
#define BODY_MAX    1024
#define IDLE_S	    10 /* a connection that says nothing this long is closed */
#define RESUME_MS   100

struct web {
	struct event_base *base;
	struct server *server;
	struct evhttp *http;
	struct evconnlistener *listener;
	struct event *resume;		     /* takes up accepting again */
	struct bufferevent *conn[CONNS_MAX]; /* one reference of ours each */
	unsigned conns;
	uint16_t port;
};

/* ---- answers ---- */

enum { OK = 200, BAD = 400, NOT_FOUND = 404, NOT_ALLOWED = 405, NO_MEMORY = 503 };

static const char *reason(int status)
{
	switch (status) {
	case OK:
		return "OK";
	case BAD:
		return "Bad Request";
	case NOT_FOUND:
		return "Not Found";
	case NOT_ALLOWED:
		return "Method Not Allowed";
	default:
		return "Service Unavailable";
	}
}

struct ask {
	struct otasim *o;
	struct evkeyvalq query;
	const char *path;
	const char *wrong; /* of the query */
};

/* A number of the query. */
static uint64_t number(struct ask *a, const char *key, uint64_t fallback, uint64_t hi)
{
	const char *s = evhttp_find_header(&a->query, key);

	if (!s)
		return fallback;
	if (!*s || strlen(s) > 18 || strspn(s, "0123456789") != strlen(s) || strtoull(s, NULL, 10) > hi)
		a->wrong = "a number of the query is none, or too large";
	return a->wrong ? fallback : strtoull(s, NULL, 10);
}

static int cards(struct ask *a, FILE *out)
{
	uint32_t from = (uint32_t)number(a, "from", 1, SCN_CARDS_MAX);
	unsigned max = (unsigned)number(a, "max", PAGE_DEFAULT, PAGE_MAX);

	if (!a->wrong)
		json_cards(a->o, from, max, out);
	return a->wrong ? BAD : OK;
}

static int card(struct ask *a, const char *iccid, FILE *out)
{
	int64_t at = fleet_find(&a->o->fleet, iccid);

	if (at < 0)
		return NOT_FOUND;
	json_card(a->o, (uint32_t)at, out);
	return OK;
}

static int messages(struct ask *a, FILE *out)
{
	const char *iccid = evhttp_find_header(&a->query, "iccid");
	int64_t at = iccid ? fleet_find(&a->o->fleet, iccid) : -1;
	uint64_t after = number(a, "after", 0, UINT64_MAX);
	unsigned max = (unsigned)number(a, "max", PAGE_DEFAULT, PAGE_MAX);

	if (iccid && at < 0)
		return NOT_FOUND;
	if (!a->wrong)
		json_messages(a->o, after, max, at, out);
	return a->wrong ? BAD : OK;
}

static int route(struct ask *a, FILE *out)
{
	if (!strcmp(a->path, "/"))
		page_write(a->o, out);
	else if (!strcmp(a->path, "/scenario"))
		json_scenario(a->o, out);
	else if (!strcmp(a->path, "/smsc"))
		json_smsc(a->o, out);
	else if (!strcmp(a->path, "/cards"))
		return cards(a, out);
	else if (!strncmp(a->path, "/cards/", 7))
		return card(a, a->path + 7, out);
	else if (!strcmp(a->path, "/messages"))
		return messages(a, out);
	else
		return NOT_FOUND;
	return OK;
}

static const char *what_is_wrong(const struct ask *a, int status)
{
	if (status == NOT_ALLOWED)
		return "this is read-only: GET";
	if (status == BAD)
		return a->wrong;
	return "there are: / /cards /cards/ICCID /messages /smsc /scenario";
}

static void answer(struct evhttp_request *req, int status, const char *text, size_t len, bool html)
{
	struct evkeyvalq *h = evhttp_request_get_output_headers(req);
	struct evbuffer *body = evbuffer_new();
	char length[24];

	snprintf(length, sizeof(length), "%zu", len);
	evhttp_add_header(h, "Content-Length", length);
	/* evhttp would send a body to HEAD, too */
	if (!body || (evhttp_request_get_command(req) != EVHTTP_REQ_HEAD && evbuffer_add(body, text, len) < 0))
		status = NO_MEMORY;
	evhttp_add_header(h, "Content-Type", html ? "text/html; charset=utf-8" : "application/json");
	evhttp_add_header(h, "Cache-Control", "no-store");
	evhttp_add_header(h, "Connection", "close");
	evhttp_add_header(h, "X-Content-Type-Options", "nosniff");
	evhttp_add_header(h, "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
	if (status == NOT_ALLOWED)
		evhttp_add_header(h, "Allow", "GET, HEAD");
	evhttp_send_reply(req, status, reason(status), body);
	if (body)
		evbuffer_free(body);
}

static void on_close(struct evhttp_connection *conn, void *arg)
{
	struct web *w = arg;

	event_active(w->resume, EV_TIMEOUT, 0); /* it is being freed but has not been: look after that */
}

static void on_request(struct evhttp_request *req, void *arg)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(req);
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	enum evhttp_cmd_type method = evhttp_request_get_command(req);
	struct web *w = arg;
	struct ask a = { .o = server_otasim(w->server) };
	char *text = NULL;
	size_t len = 0;
	FILE *mem = open_memstream(&text, &len);
	int status = NO_MEMORY;

	TAILQ_INIT(&a.query);
	if (conn)
		evhttp_connection_set_closecb(conn, on_close, w);
	server_wake(w->server); /* up to now */
	a.path = uri ? evhttp_uri_get_path(uri) : NULL;
	if (!a.path)
		a.path = "";
	if (mem && method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD)
		status = NOT_ALLOWED;
	else if (mem && uri && evhttp_uri_get_query(uri) &&
		 evhttp_parse_query_str(evhttp_uri_get_query(uri), &a.query) < 0)
		status = BAD;
	else if (mem)
		status = route(&a, mem);
	if (status == BAD && !a.wrong)
		a.wrong = "the query is none";
	if (mem && status != OK)
		json_error(what_is_wrong(&a, status), mem);
	if (mem && fclose(mem) != 0)
		status = NO_MEMORY;
	answer(req, status, text ? text : "", len, status == OK && !strcmp(a.path, "/"));
	evhttp_clear_headers(&a.query);
	free(text);
}

/* ---- connections ---- */

/* evhttp does not say that a connection has ended unless it had made a request.  So we keep a reference to each one's
 * bufferevent and look: bufferevent_free() takes the callbacks away, and evhttp has an event callback at all other times. */
static void sweep(struct web *w)
{
	unsigned keep = 0;

	for (unsigned i = 0; i < w->conns; i++) {
		bufferevent_event_cb cb;

		bufferevent_getcb(w->conn[i], NULL, NULL, &cb, NULL);
		if (cb)
			w->conn[keep++] = w->conn[i];
		else
			bufferevent_decref(w->conn[i]);
	}
	w->conns = keep;
}

static void pause_accepting(struct web *w)
{
	static const struct timeval later = { .tv_usec = RESUME_MS * 1000 };

	evconnlistener_disable(w->listener);
	event_add(w->resume, &later);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct web *w = arg;

	sweep(w);
	if (w->conns < CONNS_MAX)
		evconnlistener_enable(w->listener);
	else
		pause_accepting(w);
}

static struct bufferevent *on_accept(struct event_base *base, void *arg)
{
	struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	struct web *w = arg;

	sweep(w);
	if (bev && w->conns < CONNS_MAX) {
		bufferevent_incref(bev);
		w->conn[w->conns++] = bev;
	}
	if (w->conns == CONNS_MAX)
		pause_accepting(w);
	return bev;
}

/* accept() failed, out of descriptors most likely: trying again at once would only burn the processor. */
static void on_accept_error(struct evconnlistener *l, void *arg)
{
	pause_accepting(arg);
}

/* ---- life ---- */

struct web *web_new(struct event_base *base, struct server *s, const char *host, uint16_t port, char *err,
		    size_t err_cap)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct web *w = calloc(1, sizeof(*w));
	socklen_t len = sizeof(sa);

	snprintf(err, err_cap, "--http %s:%u: no memory", host, port);
	if (!w)
		return NULL;
	w->base = base;
	w->server = s;
	w->http = evhttp_new(base);
	w->resume = evtimer_new(base, on_resume, w);
	if (inet_pton(AF_INET, host, &sa.sin_addr) != 1) {
		snprintf(err, err_cap, "--http %s: not a numeric IPv4 address", host);
		goto fail;
	}
	w->listener = evconnlistener_new_bind(base, NULL, NULL,
					      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC,
					      CONNS_MAX, (struct sockaddr *)&sa, sizeof(sa));
	if (!w->listener || getsockname(evconnlistener_get_fd(w->listener), (struct sockaddr *)&sa, &len) < 0) {
		snprintf(err, err_cap, "--http %s:%u: cannot listen: %s", host, port, strerror(errno));
		goto fail;
	}
	w->port = ntohs(sa.sin_port);
	if (!w->http || !w->resume || !evhttp_bind_listener(w->http, w->listener))
		goto fail;
	evconnlistener_set_error_cb(w->listener, on_accept_error);
	evhttp_set_bevcb(w->http, on_accept, w);
	evhttp_set_gencb(w->http, on_request, w);
	/* all of them reach us, to be told that there is GET alone */
	evhttp_set_allowed_methods(w->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
						    EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
						    EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH);
	evhttp_set_max_headers_size(w->http, HEADERS_MAX);
	evhttp_set_max_body_size(w->http, BODY_MAX);
	evhttp_set_timeout(w->http, IDLE_S);
	return w;
fail:
	if (w->listener)
		evconnlistener_free(w->listener);
	w->listener = NULL;
	web_free(w);
	return NULL;
}

void web_free(struct web *w)
{
	if (!w)
		return;
	if (w->http) {
		evhttp_free(w->http); /* and the listener */
		sweep(w);
	}
	if (w->resume)
		event_free(w->resume);
	free(w);
}

uint16_t web_port(const struct web *w)
{
	return w->port;
}
