/* http.c - the api over HTTP on a Unix socket: listening, routing, answering late.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A request whose answer waits for the store stands in a list; its client may go away meanwhile, then evhttp cuts the
 * request from its connection and the answer is thrown away when it comes.
 */
#include "http.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "http_in.h"
#include "words.h"

#define PREFIX		"/api/v1/"
#define BACKLOG		32
#define ACCEPT_PAUSE_MS 200 /* when file descriptors have run out */

struct http {
	struct event_base *base;
	struct evhttp *ev;
	struct evconnlistener *listener;
	struct event *resume; /* takes up accepting again */
	struct api *api;
	struct pending *pending;		  /* requests that wait for their answer */
	struct bufferevent *conn[HTTP_CONNS_MAX]; /* one reference of ours each */
	unsigned conns;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* One request under way.  req is NULL once the server is being freed. */
struct pending {
	struct pending *prev, *next;
	struct http *h;
	struct evhttp_request *req;
};

/* ------------------------------------------------------------------------------------------ wiped memory */

static void *wiping_realloc(void *old, size_t n)
{
	size_t had = old ? malloc_usable_size(old) : 0;
	void *p = malloc(n);

	if (p && old) {
		memcpy(p, old, had < n ? had : n);
		ks_wipe(old, had);
		free(old);
	}
	return p;
}

static void wiping_free(void *p)
{
	if (p)
		ks_wipe(p, malloc_usable_size(p));
	free(p);
}

int http_global_init(void)
{
	event_set_mem_functions(malloc, wiping_realloc, wiping_free);
	/* a client that goes away before its answer must not take the process with it */
	return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0;
}

/* ---------------------------------------------------------------------------------------------- answers */

static int dump_chunk(const char *p, size_t n, void *ctx)
{
	return evbuffer_add(ctx, p, n);
}

static const char *reason_of(int status)
{
	switch (status) {
	case API_OK:
		return "OK";
	case API_BAD:
		return "Bad Request";
	case API_NOT_FOUND:
		return "Not Found";
	case API_REFUSED:
		return "Conflict";
	case API_TOO_LARGE:
		return "Payload Too Large";
	case 405:
		return "Method Not Allowed";
	default:
		return "Service Unavailable";
	}
}

/* A package as it is; false: it cannot be read. */
static bool answer_file(struct evhttp_request *req, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct evbuffer *body = fd >= 0 ? evbuffer_new() : NULL;
	struct stat st;
	bool good = body && !fstat(fd, &st) && (!st.st_size || !evbuffer_add_file(body, fd, 0, st.st_size));

	if (good) { /* the descriptor is the buffer's */
		evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", "application/octet-stream");
		evhttp_send_reply(req, API_OK, reason_of(API_OK), body);
	} else if (fd >= 0) {
		close(fd);
	}
	if (body)
		evbuffer_free(body);
	return good;
}

static void answer(struct evhttp_request *req, int status, const struct api_reply *r)
{
	struct evkeyvalq *h = evhttp_request_get_output_headers(req);
	struct evbuffer *body = evbuffer_new();
	json_t *j;

	if (r->status == API_OK && r->file && answer_file(req, r->file)) {
		if (body)
			evbuffer_free(body);
		return;
	}
	j = json_reply(r);
	if (!body || !j || json_dump_callback(j, dump_chunk, body, JSON_COMPACT)) {
		status = API_NOT_READY;
		if (body)
			evbuffer_drain(body, evbuffer_get_length(body));
	}
	json_decref(j);
	evhttp_add_header(h, "Content-Type", "application/json");
	evhttp_add_header(h, "Cache-Control", "no-store");
	evhttp_send_reply(req, status, reason_of(status), body);
	if (body)
		evbuffer_free(body);
}

void http_refuse(struct evhttp_request *req, int status, const char *code, const char *fmt, ...)
{
	struct api_reply r = { .status = API_BAD, .code = code };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r.message, sizeof(r.message), fmt, ap);
	va_end(ap);
	answer(req, status, &r);
}

static void pending_done(void *ctx, const struct api_reply *r)
{
	struct pending *p = ctx;

	if (p->prev)
		p->prev->next = p->next;
	else if (p->h)
		p->h->pending = p->next;
	if (p->next)
		p->next->prev = p->prev;
	/* A request whose client has gone is freed by the reply itself. */
	if (p->req)
		answer(p->req, (int)r->status, r);
	free(p);
}

/* Who is to be answered for this request; .done NULL after refusing. */
struct api_to http_to_of(struct http_in *in)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (!p) {
		http_refuse(in->req, API_NOT_READY, "no-memory", "out of memory: try again later");
		return (struct api_to){ 0 };
	}
	p->h = in->h;
	p->req = in->req;
	p->next = in->h->pending;
	if (p->next)
		p->next->prev = p;
	in->h->pending = p;
	return (struct api_to){ .done = pending_done, .ctx = p };
}

/* ---------------------------------------------------------------------------------------------- reading */

/* The body in memory of our own with one octet to spare, taken out of evhttp's; NULL after refusing. */
char *http_body_take(struct http_in *in, size_t max, size_t *len)
{
	struct evbuffer *b = evhttp_request_get_input_buffer(in->req);
	size_t n = evbuffer_get_length(b);
	char *text;

	if (n > max) {
		evbuffer_drain(b, n);
		http_refuse(in->req, API_TOO_LARGE, "too-large", "the body has %zu octets, at most %zu are taken", n,
			    max);
		return NULL;
	}
	text = malloc(n + 1);
	if (!text) {
		http_refuse(in->req, API_NOT_READY, "no-memory", "out of memory: try again later");
		return NULL;
	}
	evbuffer_remove(b, text, n);
	text[n] = 0;
	*len = n;
	return text;
}

struct api *http_api(const struct http_in *in)
{
	return in->h->api;
}

void http_body_give_back(char *text, size_t len)
{
	ks_wipe(text, len + 1);
	free(text);
}

/* A number from the query.  0, or -1 after refusing. */
int http_query_number(struct http_in *in, const char *key, uint64_t fallback, uint64_t *out)
{
	const char *s = evhttp_find_header(&in->query, key);
	char *end;

	*out = fallback;
	if (!s)
		return 0;
	errno = 0;
	*out = strtoull(s, &end, 10);
	if (errno || !*s || *end || *s == '-' || *s == '+') {
		http_refuse(in->req, API_BAD, "bad-number", "%s must be a number", key);
		return -1;
	}
	return 0;
}

/* ---------------------------------------------------------------------------------------------- handlers */

static void h_status(struct http_in *in)
{
	struct api_to to = http_to_of(in);

	if (to.done)
		api_status(in->h->api, to);
}

static void h_import_create(struct http_in *in)
{
	struct api_import_req req;
	char why[API_REASON_MAX] = "";
	size_t len;
	char *text = http_body_take(in, HTTP_JSON_MAX, &len);
	int bad;
	struct api_to to;

	if (!text)
		return;
	bad = json_import_req(&req, text, len, why, sizeof(why));
	http_body_give_back(text, len);
	if (bad) {
		http_refuse(in->req, API_BAD, "bad-request", "%s", why);
		return;
	}
	to = http_to_of(in);
	if (to.done)
		api_import_create(in->h->api, &req, to);
}

static void h_import_lines(struct http_in *in)
{
	uint64_t first;
	size_t len;
	char *text;
	struct api_to to;

	if (http_query_number(in, "first", 0, &first))
		return;
	text = http_body_take(in, API_CHUNK_BYTES_MAX, &len);
	if (!text)
		return;
	to = http_to_of(in);
	if (to.done)
		api_import_lines(in->h->api, in->seg[1], first, text, len, to);
	http_body_give_back(text, len);
}

static void h_import_finish(struct http_in *in)
{
	struct api_to to = http_to_of(in);

	if (to.done)
		api_import_finish(in->h->api, in->seg[1], to);
}

static void h_campaign_create(struct http_in *in)
{
	struct api_campaign_req req;
	char why[API_REASON_MAX] = "";
	size_t len;
	char *text = http_body_take(in, HTTP_JSON_MAX, &len);
	int bad;
	struct api_to to;

	if (!text)
		return;
	bad = json_campaign_req(&req, text, len, why, sizeof(why));
	http_body_give_back(text, len);
	if (bad) {
		http_refuse(in->req, API_BAD, "bad-request", "%s", why);
		return;
	}
	to = http_to_of(in);
	if (to.done)
		api_campaign_create(in->h->api, &req, to);
}

static void h_campaign_lines(struct http_in *in)
{
	uint64_t first;
	size_t len;
	char *text;
	struct api_to to;

	if (http_query_number(in, "first", 0, &first))
		return;
	text = http_body_take(in, API_CHUNK_BYTES_MAX, &len);
	if (!text)
		return;
	to = http_to_of(in);
	if (to.done)
		api_campaign_lines(in->h->api, in->seg[1], evhttp_find_header(&in->query, "session"), first, text, len,
				   to);
	http_body_give_back(text, len);
}

static void h_campaign_finish(struct http_in *in)
{
	struct api_to to = http_to_of(in);

	if (to.done)
		api_campaign_finish(in->h->api, in->seg[1], evhttp_find_header(&in->query, "session"), to);
}

static void campaign_verb(struct http_in *in, enum gw_campaign_verb verb)
{
	struct api_to to = http_to_of(in);

	if (to.done)
		api_campaign_verb(in->h->api, in->seg[1], verb, to);
}

static void h_campaign_start(struct http_in *in)
{
	campaign_verb(in, CAMPAIGN_VERB_START);
}

static void h_campaign_pause(struct http_in *in)
{
	campaign_verb(in, CAMPAIGN_VERB_PAUSE);
}

static void h_campaign_cancel(struct http_in *in)
{
	campaign_verb(in, CAMPAIGN_VERB_CANCEL);
}

static void link_order(struct http_in *in, enum link_order order)
{
	struct api_to to = http_to_of(in);

	if (to.done)
		api_link_order(in->h->api, in->seg[1], order, to);
}

static void h_link_block(struct http_in *in)
{
	link_order(in, LINK_BLOCKED);
}

static void h_link_unblock(struct http_in *in)
{
	link_order(in, LINK_OPEN);
}

static void h_link_drain(struct http_in *in)
{
	link_order(in, LINK_DRAINED);
}

static void h_links(struct http_in *in)
{
	struct api_to to = http_to_of(in);

	if (to.done)
		api_links(in->h->api, to);
}

static void h_campaign_delete(struct http_in *in)
{
	struct api_to to = http_to_of(in);

	if (to.done)
		api_campaign_delete(in->h->api, in->seg[1], to);
}

static void h_campaign_list(struct http_in *in)
{
	struct api_to to = http_to_of(in);

	if (to.done)
		api_campaign_list(in->h->api, to);
}

static void h_campaign_show(struct http_in *in)
{
	struct api_to to = http_to_of(in);

	if (to.done)
		api_campaign_show(in->h->api, in->seg[1], to);
}

/* after and limit of a page. */
static int page(struct http_in *in, uint64_t *after, unsigned *limit)
{
	uint64_t n;

	if (http_query_number(in, "after", 0, after) || http_query_number(in, "limit", HTTP_PAGE_DEFAULT, &n))
		return -1;
	*limit = n > UINT32_MAX ? UINT32_MAX : (unsigned)n; /* the api says what is too much */
	return 0;
}

static void h_campaign_report(struct http_in *in)
{
	uint64_t after;
	unsigned limit;
	struct api_to to;

	if (page(in, &after, &limit))
		return;
	to = http_to_of(in);
	if (to.done)
		api_campaign_report(in->h->api, in->seg[1], after, limit, to);
}

static void h_cards(struct http_in *in)
{
	uint64_t after;
	unsigned limit;
	struct api_to to;

	if (page(in, &after, &limit))
		return;
	to = http_to_of(in);
	if (to.done)
		api_cards(in->h->api, after, limit, to);
}

static void h_card_show(struct http_in *in)
{
	uint64_t after;
	struct api_to to;

	if (http_query_number(in, "after", 0, &after))
		return;
	to = http_to_of(in);
	if (to.done)
		api_card_story(in->h->api, in->seg[1], after, to);
}

static void h_card_present(struct http_in *in)
{
	struct api_to to = http_to_of(in);

	if (to.done)
		api_card_present(in->h->api, in->seg[1], to);
}

static void card_order(struct http_in *in, enum gw_card_verb verb)
{
	struct api_to to = http_to_of(in);

	if (to.done)
		api_card_order(in->h->api, in->seg[1], verb, "HTTP", to);
}

static void h_card_probe(struct http_in *in)
{
	card_order(in, CARD_VERB_PROBE);
}

static void h_card_resync(struct http_in *in)
{
	card_order(in, CARD_VERB_RESYNC);
}

static void h_card_quarantine(struct http_in *in)
{
	card_order(in, CARD_VERB_QUARANTINE);
}

static void h_card_release(struct http_in *in)
{
	card_order(in, CARD_VERB_RELEASE);
}

static void h_events(struct http_in *in)
{
	uint64_t after;
	unsigned limit;
	struct api_to to;

	if (page(in, &after, &limit))
		return;
	to = http_to_of(in);
	if (to.done)
		api_events(in->h->api, after, limit, to);
}

static void h_explain(struct http_in *in)
{
	const char *hex = evhttp_find_header(&in->query, "packet");
	struct api_to to;

	if (!hex) {
		http_refuse(in->req, API_BAD, "bad-request", "give the packet as ?packet=HEX");
		return;
	}
	to = http_to_of(in);
	if (to.done)
		api_explain(in->h->api, hex, to);
}

/* --------------------------------------------------------------------------------------------- routing */

static const struct {
	enum evhttp_cmd_type method;
	const char *seg[HTTP_SEGMENTS_MAX]; /* "*": any */
	void (*handle)(struct http_in *in);
} routes[] = {
	{ EVHTTP_REQ_GET, { "status" }, h_status },
	{ EVHTTP_REQ_POST, { "imports" }, h_import_create },
	{ EVHTTP_REQ_POST, { "imports", "*", "lines" }, h_import_lines },
	{ EVHTTP_REQ_POST, { "imports", "*", "finish" }, h_import_finish },
	{ EVHTTP_REQ_POST, { "campaigns" }, h_campaign_create },
	{ EVHTTP_REQ_POST, { "campaigns", "*", "lines" }, h_campaign_lines },
	{ EVHTTP_REQ_POST, { "campaigns", "*", "finish" }, h_campaign_finish },
	{ EVHTTP_REQ_POST, { "campaigns", "*", "start" }, h_campaign_start },
	{ EVHTTP_REQ_POST, { "campaigns", "*", "pause" }, h_campaign_pause },
	{ EVHTTP_REQ_POST, { "campaigns", "*", "cancel" }, h_campaign_cancel },
	{ EVHTTP_REQ_DELETE, { "campaigns", "*" }, h_campaign_delete },
	{ EVHTTP_REQ_GET, { "campaigns" }, h_campaign_list },
	{ EVHTTP_REQ_GET, { "campaigns", "*" }, h_campaign_show },
	{ EVHTTP_REQ_GET, { "campaigns", "*", "report" }, h_campaign_report },
	{ EVHTTP_REQ_GET, { "cards" }, h_cards },
	{ EVHTTP_REQ_GET, { "cards", "*" }, h_card_show },
	{ EVHTTP_REQ_POST, { "cards", "*", "present" }, h_card_present },
	{ EVHTTP_REQ_POST, { "cards", "*", "probe" }, h_card_probe },
	{ EVHTTP_REQ_POST, { "cards", "*", "resync" }, h_card_resync },
	{ EVHTTP_REQ_POST, { "cards", "*", "quarantine" }, h_card_quarantine },
	{ EVHTTP_REQ_POST, { "cards", "*", "release" }, h_card_release },
	{ EVHTTP_REQ_GET, { "events" }, h_events },
	{ EVHTTP_REQ_GET, { "links" }, h_links },
	{ EVHTTP_REQ_POST, { "links", "*", "block" }, h_link_block },
	{ EVHTTP_REQ_POST, { "links", "*", "unblock" }, h_link_unblock },
	{ EVHTTP_REQ_POST, { "links", "*", "drain" }, h_link_drain },
	{ EVHTTP_REQ_GET, { "explain" }, h_explain },
	{ EVHTTP_REQ_GET, { "orders" }, h_orders },
	{ EVHTTP_REQ_GET, { "orders", "*" }, h_order_show },
	{ EVHTTP_REQ_GET, { "orders", "*", "lines" }, h_order_lines },
	{ EVHTTP_REQ_POST, { "orders", "*", "cancel" }, h_order_cancel },
	{ EVHTTP_REQ_POST, { "orders", "*", "accept" }, h_order_accept },
	{ EVHTTP_REQ_POST, { "orders", "*", "provide" }, h_order_provide },
	{ EVHTTP_REQ_POST, { "orders", "*", "il" }, h_order_il },
	{ EVHTTP_REQ_POST, { "changes" }, h_change },
	{ EVHTTP_REQ_POST, { "vault", "gen" }, h_vault_gen },
	{ EVHTTP_REQ_POST, { "vault", "import" }, h_vault_import },
	{ EVHTTP_REQ_POST, { "vault", "issue" }, h_vault_issue },
	{ EVHTTP_REQ_POST, { "vault", "verify" }, h_vault_verify },
	{ EVHTTP_REQ_GET, { "vault", "ledger" }, h_vault_ledger },
	{ EVHTTP_REQ_GET, { "vault", "cards" }, h_vault_cards },
	{ EVHTTP_REQ_GET, { "vault", "cards", "*" }, h_vault_card },
	{ EVHTTP_REQ_GET, { "exchange" }, h_exchange },
	{ EVHTTP_REQ_GET, { "exchange", "in" }, h_parcels },
	{ EVHTTP_REQ_GET, { "exchange", "out" }, h_parcels },
	{ EVHTTP_REQ_GET, { "exchange", "file" }, h_exchange_file },
	{ EVHTTP_REQ_POST, { "exchange", "import" }, h_exchange_import },
};

/* Path into decoded segments.  -1: not one of ours. */
static int segments(struct http_in *in, const char *path)
{
	if (!path || strncmp(path, PREFIX, strlen(PREFIX)))
		return -1;
	path += strlen(PREFIX);
	while (*path) {
		size_t n = strcspn(path, "/"), got;
		char raw[3 * HTTP_SEGMENT_MAX], *plain;

		if (in->n_seg == HTTP_SEGMENTS_MAX || n >= sizeof(raw) || !n)
			return -1;
		memcpy(raw, path, n);
		raw[n] = 0;
		plain = evhttp_uridecode(raw, 0, &got);
		if (!plain || got >= HTTP_SEGMENT_MAX || strlen(plain) != got) {
			free(plain);
			return -1;
		}
		memcpy(in->seg[in->n_seg++], plain, got + 1);
		free(plain);
		path += n;
		if (*path == '/')
			path++;
	}
	return in->n_seg ? 0 : -1;
}

static int matches(const struct http_in *in, size_t r)
{
	unsigned n = 0;

	while (n < HTTP_SEGMENTS_MAX && routes[r].seg[n])
		n++;
	if (n != in->n_seg)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(routes[r].seg[i], "*") && strcmp(routes[r].seg[i], in->seg[i]))
			return 0;
	}
	return 1;
}

static void route(struct http_in *in)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(in->req);
	const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
	bool known = false;

	if (!uri || segments(in, evhttp_uri_get_path(uri))) {
		http_refuse(in->req, API_NOT_FOUND, "no-such-path", "unknown path: everything is below %s", PREFIX);
		return;
	}
	if (query && evhttp_parse_query_str(query, &in->query)) {
		http_refuse(in->req, API_BAD, "bad-query", "the query after '?' cannot be read");
		return;
	}
	for (size_t r = 0; r < sizeof(routes) / sizeof(routes[0]); r++) {
		if (!matches(in, r))
			continue;
		known = true;
		if (routes[r].method == evhttp_request_get_command(in->req)) {
			if (routes[r].method != EVHTTP_REQ_GET && api_read_only(in->h->api)) {
				http_refuse(in->req, API_REFUSED, "viewer",
					    "this gateway is a viewer: it shows and takes no orders (role, under "
					    "exchange)");
				return;
			}
			routes[r].handle(in);
			return;
		}
	}
	if (known)
		http_refuse(in->req, 405, "bad-method", "this path does not take this method");
	else
		http_refuse(in->req, API_NOT_FOUND, "no-such-path", "unknown path below %s: %s", PREFIX, in->seg[0]);
}

/* ----------------------------------------------------------------------------------------- connections */

/* evhttp does not say that a connection has ended unless it had made a request.  So we keep a reference to each one's
 * bufferevent and look: bufferevent_free() takes the callbacks away, and evhttp has an event callback at all other times. */
static void sweep(struct http *h)
{
	unsigned keep = 0;

	for (unsigned i = 0; i < h->conns; i++) {
		bufferevent_event_cb cb;

		bufferevent_getcb(h->conn[i], NULL, NULL, &cb, NULL);
		if (cb)
			h->conn[keep++] = h->conn[i];
		else
			bufferevent_decref(h->conn[i]); /* closes it */
	}
	h->conns = keep;
}

static void pause_accepting(struct http *h)
{
	static const struct timeval later = { .tv_usec = ACCEPT_PAUSE_MS * 1000 };

	evconnlistener_disable(h->listener);
	event_add(h->resume, &later);
}

static void on_resume(evutil_socket_t fd, short what, void *ctx)
{
	struct http *h = ctx;

	sweep(h);
	if (h->conns < HTTP_CONNS_MAX)
		evconnlistener_enable(h->listener);
	else
		pause_accepting(h);
}

static struct bufferevent *on_accept(struct event_base *base, void *ctx)
{
	struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	struct http *h = ctx;

	sweep(h);
	if (bev && h->conns < HTTP_CONNS_MAX) {
		bufferevent_incref(bev);
		h->conn[h->conns++] = bev;
	}
	if (h->conns == HTTP_CONNS_MAX)
		pause_accepting(h);
	return bev;
}

/* accept() failed, out of descriptors most likely: trying again at once would only burn the processor. */
static void on_accept_error(struct evconnlistener *l, void *ctx)
{
	pause_accepting(ctx);
}

static void on_close(struct evhttp_connection *conn, void *ctx)
{
	struct http *h = ctx;

	/* it is being freed but has not been: look after that */
	event_active(h->resume, EV_TIMEOUT, 0);
}

static void on_request(struct evhttp_request *req, void *ctx)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(req);
	struct http_in in = { .h = ctx, .req = req };

	TAILQ_INIT(&in.query);
	if (conn)
		evhttp_connection_set_closecb(conn, on_close, ctx);
	route(&in);
	evhttp_clear_headers(&in.query);
}

/* ---------------------------------------------------------------------------------------------- socket */

/* Does somebody answer on this socket file? */
static bool answered(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return true;
	rc = connect(fd, (const struct sockaddr *)sa, sizeof(*sa));
	/* only a refused connection proves that nobody listens */
	rc = rc == 0 || errno != ECONNREFUSED;
	close(fd);
	return rc;
}

/* Makes way for our socket file: only a socket, only one that nobody listens on. */
static int make_way(const struct sockaddr_un *sa, char *err, size_t cap)
{
	struct stat st;

	if (lstat(sa->sun_path, &st)) {
		if (errno == ENOENT)
			return 0;
		snprintf(err, cap, "api-socket %s: %s", sa->sun_path, strerror(errno));
		return -1;
	}
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(err, cap, "api-socket %s: is something else than a socket; remove it or name another path",
			 sa->sun_path);
		return -1;
	}
	if (answered(sa)) {
		snprintf(err, cap, "api-socket %s: somebody listens there already; is another gateway running?",
			 sa->sun_path);
		return -1;
	}
	if (unlink(sa->sun_path) && errno != ENOENT) {
		snprintf(err, cap, "api-socket %s: cannot remove the stale socket: %s", sa->sun_path, strerror(errno));
		return -1;
	}
	return 0;
}

/* A listening socket, or -1 with a sentence. */
static int listen_on(const char *path, char *err, size_t cap)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd;

	if (!*path || strlen(path) >= sizeof(sa.sun_path)) {
		snprintf(err, cap, "api-socket %s: the path must have 1 to %zu octets", path, sizeof(sa.sun_path) - 1);
		return -1;
	}
	memcpy(sa.sun_path, path, strlen(path) + 1);
	if (make_way(&sa, err, cap))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Linux takes the mode of the socket file from here (masked by umask): there is no moment with a wider one */
	if (fd < 0 || fchmod(fd, 0660) || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || chmod(path, 0660) ||
	    listen(fd, BACKLOG)) {
		snprintf(err, cap, "api-socket %s: %s; does its directory exist, and may we write there?", path,
			 strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

/* ------------------------------------------------------------------------------------------------- life */

struct http *http_new(struct event_base *base, struct api *api, const char *path, char *err, size_t err_cap)
{
	struct http *h = calloc(1, sizeof(*h));
	int fd = h ? listen_on(path, err, err_cap) : -1;

	if (fd < 0) {
		free(h);
		return NULL;
	}
	h->base = base;
	h->api = api;
	snprintf(h->path, sizeof(h->path), "%s", path);
	h->ev = evhttp_new(base);
	h->resume = evtimer_new(base, on_resume, h);
	h->listener = evconnlistener_new(base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!h->ev || !h->resume || !h->listener || !evhttp_bind_listener(h->ev, h->listener)) {
		snprintf(err, err_cap, "api-socket %s: out of memory", path);
		if (!h->listener)
			close(fd);
		else
			evconnlistener_free(h->listener);
		h->listener = NULL;
		http_free(h);
		return NULL;
	}
	evconnlistener_set_error_cb(h->listener, on_accept_error);
	evhttp_set_bevcb(h->ev, on_accept, h);
	evhttp_set_gencb(h->ev, on_request, h);
	/* all that reach us are answered by route(), in JSON */
	evhttp_set_allowed_methods(h->ev, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_DELETE | EVHTTP_REQ_HEAD |
						  EVHTTP_REQ_PUT | EVHTTP_REQ_PATCH | EVHTTP_REQ_OPTIONS);
	evhttp_set_max_body_size(h->ev, HTTP_BODY_MAX);
	evhttp_set_max_headers_size(h->ev, HTTP_HEADERS_MAX);
	evhttp_set_timeout(h->ev, HTTP_IDLE_S);
	return h;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	/* What still waits loses its request: evhttp frees those that have a connection, we those whose client has gone. */
	for (struct pending *p = h->pending, *next; p; p = next) {
		next = p->next;
		if (!evhttp_request_get_connection(p->req))
			evhttp_request_free(p->req);
		p->req = NULL;
		p->h = NULL;
		p->prev = p->next = NULL;
	}
	h->pending = NULL;
	if (h->ev) {
		evhttp_free(h->ev); /* and the listener */
		sweep(h);
	}
	if (h->resume)
		event_free(h->resume);
	if (h->listener)
		unlink(h->path);
	free(h);
}
