/* hlr_server.c - the registers' CTRL interfaces on TCP, in the frames that OsmoHLR has (IPA multiplex).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <openssl/crypto.h>

#include "server.h"

#define CLIENTS_MAX 16 /* of one register */
#define FRAME_HEAD  3  /* length, of what follows the protocol octet, and that octet */
#define PROTO_OSMO  0xee
#define EXT_CTRL    0x00
#define FRAME_MAX   (SIM_CTRL_REQUEST_MAX + 1)

struct caller {
	struct door *door;
	struct bufferevent *bev; /* NULL: free */
	uint32_t serial;
};

/* As with SMSCs: `kept` is bound and does not listen, so that nobody else gets the port while the register is down. */
struct door {
	struct hlr_server *s;
	struct evconnlistener *listener;
	bool told;
	unsigned op;
	int kept;
	struct sockaddr_in sa;
	struct caller caller[CLIENTS_MAX];
};

struct hlr_server {
	struct server *server;
	struct event_base *base;
	uint32_t serials;
	unsigned doors;
	struct door door[SIM_OPS_MAX];
};

static void caller_drop(struct caller *c)
{
	bufferevent_free(c->bev);
	c->bev = NULL;
}

static void say(struct caller *c, const char *text)
{
	size_t len = strlen(text);
	uint8_t head[FRAME_HEAD + 1] = { (uint8_t)((len + 1) >> 8), (uint8_t)(len + 1), PROTO_OSMO, EXT_CTRL };

	bufferevent_write(c->bev, head, sizeof(head));
	bufferevent_write(c->bev, text, len);
}

/* One frame; false: there is none whole yet, or the caller is gone. */
static bool frame_take(struct caller *c, struct evbuffer *in)
{
	struct otasim *o = server_otasim(c->door->s->server);
	uint8_t head[FRAME_HEAD], frame[FRAME_MAX + 1];
	size_t len;

	if (evbuffer_copyout(in, head, sizeof(head)) < (ev_ssize_t)sizeof(head))
		return false;
	len = (size_t)head[0] << 8 | head[1];
	if (head[2] != PROTO_OSMO || len < 1 || len > FRAME_MAX) {
		caller_drop(c); /* nothing that can be followed */
		return false;
	}
	if (evbuffer_get_length(in) < sizeof(head) + len)
		return false;
	evbuffer_drain(in, sizeof(head));
	evbuffer_remove(in, frame, len);
	frame[len] = '\0';
	if (frame[0] == EXT_CTRL && !otasim_ctrl(o, c->door->op, (uint64_t)c->serial, (const char *)frame + 1,
						 server_now_ms(c->door->s->server)))
		caller_drop(c); /* down, or too many wait */
	OPENSSL_cleanse(frame, sizeof(frame));
	return c->bev != NULL;
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct caller *c = arg;
	struct server *s = c->door->s->server;

	while (frame_take(c, bufferevent_get_input(bev)))
		;
	server_wake(s);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		caller_drop(arg);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *arg)
{
	struct door *d = arg;

	(void)l;
	(void)sa;
	(void)len;
	for (int i = 0; i < CLIENTS_MAX; i++) {
		struct caller *c = &d->caller[i];

		if (c->bev)
			continue;
		c->door = d;
		c->serial = ++d->s->serials;
		c->bev = bufferevent_socket_new(d->s->base, fd, BEV_OPT_CLOSE_ON_FREE);
		if (!c->bev)
			break;
		bufferevent_setcb(c->bev, on_read, NULL, on_event, c);
		bufferevent_enable(c->bev, EV_READ | EV_WRITE);
		return;
	}
	close(fd);
}

static void door_tend(struct door *d, bool up)
{
	if (up && !d->listener) {
		d->listener = evconnlistener_new_bind(d->s->base, on_accept, d,
						      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC,
						      CLIENTS_MAX, (struct sockaddr *)&d->sa, sizeof(d->sa));
		if (!d->listener && !d->told)
			fprintf(stderr, "otasim: cannot listen for the register on port %u: %s\n",
				ntohs(d->sa.sin_port), strerror(errno));
		d->told = !d->listener;
	} else if (!up && d->listener) {
		evconnlistener_free(d->listener);
		d->listener = NULL;
	}
	for (int i = 0; !up && i < CLIENTS_MAX; i++) {
		if (d->caller[i].bev)
			caller_drop(&d->caller[i]);
	}
}

void hlr_server_tend(struct hlr_server *s)
{
	struct otasim *o = server_otasim(s->server);
	char reply[OTASIM_CTRL_REPLY];
	uint64_t tag;
	bool lost;

	for (unsigned i = 0; i < s->doors; i++) {
		struct door *d = &s->door[i];

		while (otasim_ctrl_reply(o, i, &tag, reply, &lost)) {
			for (int k = 0; !lost && k < CLIENTS_MAX; k++) {
				if (d->caller[k].bev && d->caller[k].serial == tag)
					say(&d->caller[k], reply);
			}
		}
		door_tend(d, otasim_register_up(o, i));
	}
	OPENSSL_cleanse(reply, sizeof(reply));
}

struct hlr_server *hlr_server_new(struct event_base *base, struct server *server, char err[OTASIM_ERR_MAX])
{
	struct hlr_server *s = calloc(1, sizeof(*s));
	const struct otasim *o = server_otasim(server);

	snprintf(err, OTASIM_ERR_MAX, "no memory");
	if (!s)
		return NULL;
	s->server = server;
	s->base = base;
	s->doors = otasim_operators(o);
	for (unsigned i = 0; i < SIM_OPS_MAX; i++)
		s->door[i].kept = -1;
	for (unsigned i = 0; i < s->doors; i++) {
		const struct opt_operator *op = &o->opts.op[i];
		struct door *d = &s->door[i];

		d->s = s;
		d->op = i;
		d->kept = server_bind(op->hlr_host[0] ? op->hlr_host : o->opts.host, op->hlr_port, &d->sa, err);
		if (d->kept < 0) {
			hlr_server_free(s);
			return NULL;
		}
	}
	return s;
}

void hlr_server_free(struct hlr_server *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->doors; i++) {
		door_tend(&s->door[i], false);
		if (s->door[i].kept >= 0)
			close(s->door[i].kept);
	}
	free(s);
}

uint16_t hlr_server_port(const struct hlr_server *s, unsigned op)
{
	return ntohs(s->door[op].sa.sin_port);
}
