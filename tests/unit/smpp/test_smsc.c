/* test_smsc.c - a tiny SMSC on a loopback socket and the link under test, in one libevent loop.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "test_smsc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "smpp_pdu.h"

/* --------------------------------------------------------------------------------------------------- SMSC */

static void drop(struct smsc *s)
{
	if (s->fd < 0)
		return;
	event_free(s->read_ev);
	event_free(s->write_ev);
	SSL_free(s->ssl);
	s->ssl = NULL;
	close(s->fd);
	s->fd = -1;
	s->bind_id = 0;
	s->in_len = s->out_len = s->out_at = 0;
	s->closes++;
}

void smsc_close(struct smsc *s)
{
	drop(s);
}

void smsc_narrow(struct smsc *s)
{
	int small = 8192;

	assert_int_equal(setsockopt(evconnlistener_get_fd(s->listener), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)),
			 0);
}

static void push(struct smsc *s)
{
	size_t len = s->one_octet && s->out_len ? 1 : s->out_len;
	ssize_t n = len ? s->ssl ? SSL_write(s->ssl, s->out + s->out_at, (int)len) :
				   send(s->fd, s->out + s->out_at, len, MSG_NOSIGNAL) :
			  0;

	if (n > 0) {
		s->out_at += (size_t)n;
		s->out_len -= (size_t)n;
	}
	if (!s->out_len)
		s->out_at = 0;
	else
		event_add(s->write_ev, NULL);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	push(arg);
}

void smsc_raw(struct smsc *s, const void *octets, size_t len)
{
	assert_true(s->fd >= 0);
	assert_true(s->out_at + s->out_len + len <= SMSC_BUF);
	memcpy(s->out + s->out_at + s->out_len, octets, len);
	s->out_len += len;
	push(s);
}

void smsc_send(struct smsc *s, const struct smpp_pdu *p)
{
	uint8_t buf[SMPP_PDU_MAX];
	int len = smpp_pdu_pack(buf, sizeof(buf), p);

	assert_true(len > 0);
	smsc_raw(s, buf, (size_t)len);
}

void smsc_answer(struct smsc *s, uint32_t seq, uint32_t status, const char *id)
{
	smsc_send(s, &(struct smpp_pdu){
			     .id = SMPP_SUBMIT_SM | SMPP_RESP, .status = status, .seq = seq, .resp = { .id = id } });
}

unsigned smsc_count(struct smsc *s, uint32_t id)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_seen; i++)
		n += s->seen[i].id == id;
	return n;
}

const struct smsc_seen *smsc_find(struct smsc *s, uint32_t id, uint32_t seq)
{
	for (unsigned i = 0; i < s->n_seen; i++)
		if (s->seen[i].id == id && s->seen[i].seq == seq)
			return &s->seen[i];
	return NULL;
}

static void on_pdu(struct smsc *s, const uint8_t *octets, size_t len)
{
	struct smpp_pdu p;
	char id[16];

	assert_int_equal(smpp_pdu_unpack(&p, octets, len, NULL), SMPP_OK);
	if (s->n_seen < SMSC_SEEN)
		s->seen[s->n_seen++] = (struct smsc_seen){ p.id, p.status, p.seq };
	switch (p.id) {
	case SMPP_BIND_TRANSCEIVER:
	case SMPP_BIND_TRANSMITTER:
	case SMPP_BIND_RECEIVER:
		s->binds++;
		s->bind_id = p.id;
		assert_true(len <= sizeof(s->bind));
		memcpy(s->bind, octets, len);
		s->bind_len = len;
		if (!s->mute_bind)
			smsc_send(s, &(struct smpp_pdu){ .id = p.id | SMPP_RESP,
							 .status = s->bind_status,
							 .seq = p.seq,
							 .resp = { .id = "SMSC" } });
		break;
	case SMPP_ENQUIRE_LINK:
		s->enquires++;
		if (!s->mute_enquire)
			smsc_send(s, &(struct smpp_pdu){ .id = p.id | SMPP_RESP, .seq = p.seq });
		break;
	case SMPP_ENQUIRE_LINK | SMPP_RESP:
		s->enquire_resps++;
		break;
	case SMPP_UNBIND:
		s->unbinds++;
		break;
	case SMPP_SUBMIT_SM:
		assert_true(len <= sizeof(s->submit));
		memcpy(s->submit, octets, len);
		s->submit_len = len;
		assert_true(s->n_submits < SMSC_SEEN);
		s->submit_seq[s->n_submits++] = p.seq;
		snprintf(id, sizeof(id), "id%u", s->n_submits);
		if (s->auto_submit)
			smsc_answer(s, p.seq, s->submit_status, s->submit_status ? NULL : id);
		break;
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct smsc *s = arg;
	ssize_t n;
	size_t at = 0;

	if (s->deaf) {
		event_del(s->read_ev);
		return;
	}
	if (s->ssl) {
		ERR_clear_error();
		n = SSL_read(s->ssl, s->in + s->in_len, (int)(SMSC_BUF - s->in_len));
		if (n <= 0 && SSL_get_error(s->ssl, (int)n) == SSL_ERROR_WANT_READ)
			return;
		n = n > 0 ? n : 0;
	} else {
		n = read(s->fd, s->in + s->in_len, SMSC_BUF - s->in_len);
	}
	if (n <= 0) {
		if (!n || errno != EAGAIN)
			drop(s);
		return;
	}
	s->in_len += (size_t)n;
	for (;;) {
		int len = smpp_frame(s->in + at, s->in_len - at, SMPP_PDU_MAX);

		assert_true(len >= 0);
		if (!len)
			break;
		on_pdu(s, s->in + at, (size_t)len);
		at += (size_t)len;
	}
	memmove(s->in, s->in + at, s->in_len - at);
	s->in_len -= at;
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *arg)
{
	struct smsc *s = arg;
	int one = 1;

	if (s->fd >= 0 && s->second)
		s = s->second;
	s->accepts++;
	if (s->close_on_accept) {
		close(fd);
		return;
	}
	assert_true(s->fd < 0);
	evutil_make_socket_nonblocking(fd);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s->fd = fd;
	if (s->tls) {
		s->ssl = SSL_new(s->tls);
		SSL_set_fd(s->ssl, fd);
		SSL_set_accept_state(s->ssl);
	}
	s->read_ev = event_new(s->base, fd, EV_READ | EV_PERSIST, on_readable, s);
	s->write_ev = event_new(s->base, fd, EV_WRITE, on_writable, s);
	event_add(s->read_ev, NULL);
}

static void smsc_open(struct smsc *s, struct event_base *base)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	s->base = base;
	s->fd = -1;
	s->in = malloc(SMSC_BUF);
	s->out = malloc(SMSC_BUF);
	s->listener = evconnlistener_new_bind(base, on_accept, s, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 4,
					      (struct sockaddr *)&a, sizeof(a));
	assert_non_null(s->listener);
	assert_int_equal(getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&a, &len), 0);
	s->port = ntohs(a.sin_port);
}

/* ---------------------------------------------------------------------------------------------------- bed */

int64_t bed_clock(void *ctx)
{
	struct bed *b = ctx;
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return 1700000000000LL + b->skew_ms + ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

int64_t bed_now(struct bed *b)
{
	return bed_clock(b);
}

static uint32_t no_dice(void *ctx)
{
	return 0;
}

static void keep_log(void *ctx, int level, const char *line)
{
	struct bed *b = ctx;

	if (b->n_logs < BED_LOGS)
		snprintf(b->log[b->n_logs++], sizeof(b->log[0]), "%d %s", level, line);
}

static void on_event(void *ctx, struct link *l, const struct link_event *ev)
{
	struct bed *b = ctx;

	assert_ptr_equal(l, b->link);
	assert_true(b->n_events < BED_EVENTS);
	b->ev[b->n_events++] = *ev;
	if (b->hook)
		b->hook(b, ev);
}

int bed_setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));
	char err[ERRTAB_ERR_MAX];

	assert_non_null(b);
	b->errtab = errtab_new(err);
	assert_non_null(b->errtab);
	b->base = event_base_new();
	smsc_open(&b->smsc, b->base);
	b->other.fd = -1;
	smpp_link_cfg_default(&b->cfg);
	strcpy(b->cfg.name, "a");
	strcpy(b->cfg.host, "127.0.0.1");
	strcpy(b->cfg.system_id, "OTAGW");
	strcpy(b->cfg.password, "secret");
	b->cfg.port = b->smsc.port;
	b->cfg.reconnect_ms = 1;
	b->cfg.reconnect_max_ms = 4;
	*state = b;
	return 0;
}

void bed_pair(struct bed *b)
{
	b->cfg.bind_as = SMPP_BIND_TX_RX;
	b->other.base = b->base;
	b->other.in = malloc(SMSC_BUF);
	b->other.out = malloc(SMSC_BUF);
	b->smsc.second = &b->other;
}

struct smsc *bed_bound(struct bed *b, uint32_t bind_id)
{
	return b->smsc.bind_id == bind_id ? &b->smsc : b->other.bind_id == bind_id ? &b->other : NULL;
}

int bed_teardown(void **state)
{
	struct bed *b = *state;

	b->hook = NULL;
	if (b->link)
		b->link->ops->free(b->link);
	drop(&b->smsc);
	drop(&b->other);
	evconnlistener_free(b->smsc.listener);
	event_base_free(b->base);
	errtab_free(b->errtab);
	free(b->other.in);
	free(b->other.out);
	free(b->smsc.in);
	free(b->smsc.out);
	free(b);
	return 0;
}

void bed_start(struct bed *b)
{
	struct smpp_link_env env = { .base = b->base,
				     .errtab = b->errtab,
				     .now_ms = bed_clock,
				     .random_u32 = no_dice,
				     .log = keep_log,
				     .ctx = b };
	char err[128] = "";

	b->link = smpp_link_new(&b->cfg, &env, err, sizeof(err));
	assert_string_equal(err, "");
	assert_non_null(b->link);
	b->link->on_event = on_event;
	b->link->ctx = b;
	assert_int_equal(b->link->ops->start(b->link), 0);
}

void bed_up(struct bed *b)
{
	bed_start(b);
	BED_WAIT(b, bed_count(b, LINK_EV_UP) == 1);
}

static void on_guard(evutil_socket_t fd, short what, void *arg)
{
}

struct event *bed_guard(struct bed *b)
{
	struct timeval tv = { .tv_sec = BED_GUARD_S };
	struct event *ev = evtimer_new(b->base, on_guard, NULL);

	evtimer_add(ev, &tv);
	return ev;
}

void bed_turn(struct bed *b, struct event *guard, const char *what, const char *file, int line)
{
	if (!evtimer_pending(guard, NULL)) {
		for (unsigned i = 0; i < b->n_logs; i++)
			print_message("%s\n", b->log[i]);
		event_free(guard);
		print_message("%s:%d: waited in vain for: %s\n", file, line, what);
		fail();
	}
	event_base_loop(b->base, EVLOOP_ONCE);
}

unsigned bed_count(struct bed *b, enum link_event_kind kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->n_events; i++)
		n += b->ev[i].kind == kind;
	return n;
}

const struct link_event *bed_event(struct bed *b, enum link_event_kind kind, unsigned n)
{
	for (unsigned i = 0; i < b->n_events; i++)
		if (b->ev[i].kind == kind && !n--)
			return &b->ev[i];
	fail_msg("no such event of kind %d", (int)kind);
	return NULL;
}

bool bed_logged(struct bed *b, const char *part)
{
	for (unsigned i = 0; i < b->n_logs; i++)
		if (strstr(b->log[i], part))
			return true;
	return false;
}

struct link_stats bed_stats(struct bed *b)
{
	struct link_stats s;

	b->link->ops->stats(b->link, &s);
	return s;
}

int bed_submit(struct bed *b, uint64_t token)
{
	static const uint8_t ud[] = { 0x02, 0x70, 0x00, 0x00, 0x03, 1, 2, 3 };
	struct link_submit s = {
		.token = token,
		.dst = { 0, 6, "001010000000001" },
		.src = { 2, 1, "9000" },
		.ud = ud,
		.ud_len = sizeof(ud),
		.pid = 0x7f,
		.dcs = 0xf6,
		.validity_s = 3600,
	};

	return b->link->ops->submit(b->link, &s, bed_now(b));
}
