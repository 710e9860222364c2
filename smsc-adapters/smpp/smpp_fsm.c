/* smpp_fsm.c - the connection to one SMSC: connect, bind, keep alive, read, write, close, come back.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Raw libevent events with own buffers, one flush per loop turn: a write() per PDU costs thirty times as much.
 * Nothing here knows what a message means; a message-level error never closes a bind, unreadable input always does.
 */
#include "smpp_int.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOG_LINE_MAX 320
#define DETAIL_MAX   192
#define TLS_TEXT_MAX 64
#define NACK_RESERVE 64

#define S(x) (1u << (x))

static const struct {
	const char *name;
	unsigned next;
} states[] = {
	[SMPP_CLOSED] = { "CLOSED", S(SMPP_CONNECTING) },
	[SMPP_CONNECTING] = { "CONNECTING", S(SMPP_SECURING) | S(SMPP_BINDING) | S(SMPP_CLOSED) },
	[SMPP_SECURING] = { "SECURING", S(SMPP_BINDING) | S(SMPP_CLOSED) },
	[SMPP_BINDING] = { "BINDING", S(SMPP_BOUND) | S(SMPP_CLOSED) },
	[SMPP_BOUND] = { "BOUND", S(SMPP_UNBINDING) | S(SMPP_CLOSED) },
	[SMPP_UNBINDING] = { "UNBINDING", S(SMPP_CLOSED) },
};
_Static_assert(sizeof(states) / sizeof(states[0]) == _SMPP_STATES, "every state has its row");

static const struct {
	const char *name; /* in the log */
	uint32_t bind;
} roles[] = {
	[SMPP_ROLE_TRX] = { "", SMPP_BIND_TRANSCEIVER },
	[SMPP_ROLE_TX] = { " (transmitter)", SMPP_BIND_TRANSMITTER },
	[SMPP_ROLE_RX] = { " (receiver)", SMPP_BIND_RECEIVER },
};

const char *smpp_state_name(const struct smpp_link *l)
{
	return states[l->state].name;
}

static void state_set(struct smpp_link *l, enum smpp_state to)
{
	assert(states[l->state].next & S(to));
	smpp_log(l, SMPP_LOG_DEBUG, "%s to %s", states[l->state].name, states[to].name);
	l->state = to;
}

void smpp_log(struct smpp_link *l, int level, const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	va_list ap;
	int n;

	if (!l->env.log)
		return;
	n = snprintf(line, sizeof(line), "smpp %s%s: ", l->link.name, roles[l->role].name);
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	l->env.log(l->env.ctx, level, line);
}

void smpp_last_error(struct smpp_link *l, const char *what, const char *detail)
{
	snprintf(l->stats.last_error, sizeof(l->stats.last_error), "%.40s: %.50s", what, detail);
	l->stats.last_error_ms = smpp_now(l);
}

int64_t smpp_now(const struct smpp_link *l)
{
	return l->env.now_ms(l->env.ctx);
}

void smpp_timer(struct event *ev, int64_t wait_ms)
{
	struct timeval tv;

	if (wait_ms < 0)
		wait_ms = 0;
	tv.tv_sec = wait_ms / 1000;
	tv.tv_usec = wait_ms % 1000 * 1000;
	event_add(ev, &tv);
}

uint32_t smpp_next_seq(struct smpp_link *l)
{
	l->seq = l->seq >= SMPP_SEQ_MAX ? 1 : l->seq + 1;
	return l->seq;
}

/* ------------------------------------------------------------------------------------------------ writing */

size_t smpp_out_room(const struct smpp_link *l)
{
	return l->out_cap - l->out_len;
}

bool smpp_send(struct smpp_link *l, const struct smpp_pdu *p)
{
	int len;

	if (l->fd < 0)
		return false;
	if (l->out_at && l->out_cap - l->out_at - l->out_len < l->submit_len) {
		memmove(l->out, l->out + l->out_at, l->out_len);
		l->out_at = 0;
	}
	len = smpp_pdu_pack(l->out + l->out_at + l->out_len, l->out_cap - l->out_at - l->out_len, p);
	if (len < 0) {
		smpp_log(l, SMPP_LOG_ERR, "cannot send %s: %s", smpp_command_name(p->id), smpp_strerror(len));
		return false;
	}
	l->out_len += (size_t)len;
	if (!l->flush_due && !l->write_waits) {
		l->flush_due = true;
		event_active(l->flush_ev, 0, 0);
	}
	return true;
}

static void send_plain(struct smpp_link *l, uint32_t id, uint32_t status, uint32_t seq)
{
	struct smpp_pdu p = { .id = id, .status = status, .seq = seq };

	smpp_send(l, &p);
}

/* Writes what it can.  False when the connection broke. */
static bool flush(struct smpp_link *l)
{
	ssize_t n;

	if (!l->out_len)
		return true;
	do
		n = l->ssl ? smpp_tls_write(l, l->out + l->out_at, l->out_len) :
			     send(l->fd, l->out + l->out_at, l->out_len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		return false;
	if (n > 0) {
		if (l->state == SMPP_BINDING) /* the password does not stay behind */
			explicit_bzero(l->out + l->out_at, (size_t)n);
		l->out_at += (size_t)n;
		l->out_len -= (size_t)n;
	}
	if (!l->out_len)
		l->out_at = 0;
	return true;
}

static void close_on_error(struct smpp_link *l, const char *what)
{
	char detail[DETAIL_MAX];

	snprintf(detail, sizeof(detail), "%s: %s", what, errno == EPROTO && l->ssl ? l->tls_why : strerror(errno));
	smpp_conn_close(l, (struct fail){ .cls = FAIL_LINK, .what = "connection lost" }, detail);
}

static void flush_and_arm(struct smpp_link *l)
{
	if (l->fd < 0)
		return;
	if (!flush(l)) {
		close_on_error(l, "write");
		return;
	}
	if (l->out_len && !l->write_waits) {
		l->write_waits = true;
		event_add(l->write_ev, NULL);
	}
	if (l->read_paused && smpp_out_room(l) >= SMPP_OUT_PAUSE) {
		l->read_paused = false;
		event_add(l->read_ev, NULL);
	}
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct smpp_link *l = arg;

	l->flush_due = false;
	if (l->state != SMPP_CONNECTING && l->state != SMPP_SECURING)
		flush_and_arm(l);
}

/* -------------------------------------------------------------------------------------------------- close */

/* Half of the delay is fixed, half is jitter: a fleet of links does not come back in step. */
static int64_t backoff_ms(struct smpp_link *l, bool refused)
{
	uint64_t delay = l->cfg.reconnect_ms;
	unsigned doublings = l->tries < 20 ? l->tries : 20;

	delay <<= doublings;
	if (delay > l->cfg.reconnect_max_ms)
		delay = l->cfg.reconnect_max_ms;
	l->tries++;
	/* Nobody's password becomes right by asking every second, and some SMSCs lock the account. */
	if (refused)
		return (int64_t)l->cfg.reconnect_max_ms +
		       l->env.random_u32(l->env.ctx) % (l->cfg.reconnect_max_ms / 2 + 1);
	return (int64_t)(delay / 2) + (int64_t)(l->env.random_u32(l->env.ctx) % (delay / 2 + 1));
}

static bool refused_for_long(const struct fail *why)
{
	return why->code == ESME_RINVPASWD || why->code == ESME_RINVSYSID || why->code == ESME_RALYBND ||
	       why->code == ESME_RBINDFAIL;
}

static void drop_socket(struct smpp_link *l)
{
	if (l->resolving)
		evdns_getaddrinfo_cancel(l->resolving);
	l->resolving = NULL;
	if (l->read_ev)
		event_free(l->read_ev);
	if (l->write_ev)
		event_free(l->write_ev);
	l->read_ev = l->write_ev = NULL;
	smpp_tls_end(l);
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	if (l->out_len)
		explicit_bzero(l->out + l->out_at, l->out_len);
	l->in_len = l->out_len = l->out_at = 0;
	l->write_waits = l->read_paused = l->enquiring = false;
}

void smpp_conn_close(struct smpp_link *l, struct fail why, const char *detail)
{
	enum smpp_state was = l->state;
	bool up = was == SMPP_BOUND || was == SMPP_UNBINDING;
	unsigned open = l->credit.in_use;
	bool again = l->renewing && was == SMPP_UNBINDING;
	int64_t wait_ms;

	if (was == SMPP_CLOSED)
		return;
	drop_socket(l);
	event_del(l->conn_ev);
	state_set(l, SMPP_CLOSED);
	if (!again)
		smpp_last_error(l, why.what, detail);
	if (up && smpp_now(l) - l->bound_ms >= SMPP_STABLE_MS)
		l->tries = 0;
	if (l->wanted && again) {
		smpp_timer(l->conn_ev, 0);
	} else if (l->wanted) {
		wait_ms = backoff_ms(l, l->refused || (was == SMPP_BINDING && refused_for_long(&why)));
		smpp_log(l, SMPP_LOG_WARNING, "%s (%s), %u submits unknown; next try in %lld ms", why.what, detail,
			 open, (long long)wait_ms);
		smpp_timer(l->conn_ev, wait_ms);
	} else {
		smpp_log(l, SMPP_LOG_NOTICE, "closed (%s), %u submits unknown", detail, open);
	}
	if (up)
		smpp_on_down(l, why);
}

static void protocol_error(struct smpp_link *l, int err, uint64_t offset, const uint8_t *octets, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	char head[2 * SMPP_HEADER_LEN + 1], detail[DETAIL_MAX];
	size_t n = len < SMPP_HEADER_LEN ? len : SMPP_HEADER_LEN;

	for (size_t i = 0; i < n; i++) {
		head[2 * i] = hex[octets[i] >> 4];
		head[2 * i + 1] = hex[octets[i] & 15];
	}
	head[2 * n] = 0;
	l->stats.protocol_errors++;
	snprintf(detail, sizeof(detail), "%s at offset %llu, PDU begins %s", smpp_strerror(err),
		 (unsigned long long)offset, head);
	if (flush(l) && l->out_len)
		smpp_log(l, SMPP_LOG_DEBUG, "%zu octets could not leave before closing", l->out_len);
	smpp_conn_close(l, (struct fail){ .cls = FAIL_LINK, .what = "input that is not SMPP" }, detail);
}

/* ----------------------------------------------------------------------------------------------- dispatch */

static void bind_refused(struct smpp_link *l, uint32_t status)
{
	struct fail why = smpp_status_fail(l, status);
	char detail[DETAIL_MAX];

	why.cls = FAIL_LINK;
	snprintf(detail, sizeof(detail), "bind as \"%s\" refused with %s (0x%x)", l->cfg.system_id,
		 smpp_status_name(l, status), status);
	smpp_conn_close(l, why, detail);
}

static void on_bind_resp(struct smpp_link *l, const struct smpp_pdu *p)
{
	char tls[TLS_TEXT_MAX];

	if (l->state != SMPP_BINDING || p->seq != l->bind_seq) {
		l->stats.late_responses++;
		return;
	}
	if (p->status) {
		bind_refused(l, p->status);
		return;
	}
	state_set(l, SMPP_BOUND);
	l->noise = l->odd_resps = l->oversized = 0;
	l->bound_ms = smpp_now(l);
	l->stats.connects++;
	smpp_timer(l->conn_ev, l->cfg.enquire_link_ms);
	smpp_log(l, SMPP_LOG_NOTICE, "bound to %s:%u as \"%s\"%s", l->cfg.host, l->cfg.port, l->cfg.system_id,
		 smpp_tls_text(l, tls, sizeof(tls)));
	smpp_on_up(l);
}

/* The SMSC asks for something that only an SMSC does, or before we are bound. */
static void refuse(struct smpp_link *l, const struct smpp_pdu *p, uint32_t status)
{
	char detail[DETAIL_MAX];

	l->stats.protocol_errors++;
	if (++l->noise <= SMPP_NOISE_SHOWN)
		smpp_log(l, SMPP_LOG_NOTICE, "%s (0x%08x) in state %s answered %s%s", smpp_command_name(p->id), p->id,
			 states[l->state].name, smpp_status_name(l, status),
			 l->noise == SMPP_NOISE_SHOWN ? "; no more of these lines for now" : "");
	send_plain(l, SMPP_GENERIC_NACK, status, p->seq);
	if (l->noise < SMPP_NOISE_MAX)
		return;
	snprintf(detail, sizeof(detail), "%u PDUs in a row, the last is %s (0x%08x)", l->noise,
		 smpp_command_name(p->id), p->id);
	smpp_conn_close(l, (struct fail){ .cls = FAIL_LINK, .what = "input that is not for an ESME" }, detail);
}

static void dispatch(struct smpp_link *l, const struct smpp_pdu *p)
{
	bool bound = l->state == SMPP_BOUND || l->state == SMPP_UNBINDING;

	switch (p->id) {
	case SMPP_SUBMIT_SM | SMPP_RESP:
		smpp_on_response(l, p);
		return;
	case SMPP_DELIVER_SM:
	case SMPP_DATA_SM:
		if (bound && l->role != SMPP_ROLE_TX)
			smpp_on_message(l, p);
		else
			refuse(l, p, ESME_RINVBNDSTS);
		return;
	case SMPP_ALERT_NOTIFICATION:
		/* Some SMSCs tell every connection: it is said once. */
		if (bound && l->role != SMPP_ROLE_TX)
			smpp_on_alert(l, p);
		return;
	case SMPP_ENQUIRE_LINK:
		send_plain(l, SMPP_ENQUIRE_LINK | SMPP_RESP, ESME_ROK, p->seq);
		return;
	/* OsmoMSC answers bind_receiver with bind_transmitter_resp: the sequence number says which it is. */
	case SMPP_BIND_TRANSCEIVER | SMPP_RESP:
	case SMPP_BIND_TRANSMITTER | SMPP_RESP:
	case SMPP_BIND_RECEIVER | SMPP_RESP:
		on_bind_resp(l, p);
		return;
	case SMPP_UNBIND:
		send_plain(l, SMPP_UNBIND | SMPP_RESP, ESME_ROK, p->seq);
		flush(l);
		smpp_conn_close(l, (struct fail){ .cls = FAIL_LINK, .what = "SMSC unbinds" }, "unbind received");
		return;
	case SMPP_UNBIND | SMPP_RESP:
		if (l->state == SMPP_UNBINDING)
			smpp_conn_close(l, (struct fail){ .cls = FAIL_LINK, .what = "link stopped" }, "unbound");
		return;
	case SMPP_GENERIC_NACK:
		if (l->state == SMPP_BINDING && (p->seq == l->bind_seq || !p->seq))
			bind_refused(l, p->status ? p->status : ESME_RBINDFAIL);
		else
			smpp_on_response(l, p);
		return;
	default:
		/* Never answer a response: two such peers would not stop. */
		if (!(p->id & SMPP_RESP))
			refuse(l, p, ESME_RINVCMDID);
	}
}

/* One complete PDU.  False when the connection is gone after it. */
static bool take_pdu(struct smpp_link *l, const uint8_t *octets, size_t len, uint64_t offset)
{
	struct smpp_pdu p;
	size_t at;
	int err = smpp_pdu_unpack(&p, octets, len, &at);

	if (err && err != SMPP_E_COMMAND) {
		if (!(p.id & SMPP_RESP))
			send_plain(l, SMPP_GENERIC_NACK, err == SMPP_E_TLV ? ESME_RINVOPTPARSTREAM : ESME_RINVCMDLEN,
				   p.seq);
		protocol_error(l, err, offset + at, octets, len);
		return false;
	}
	dispatch(l, &p);
	return l->fd >= 0;
}

/* A whole PDU shows that the peer lives; single octets do not: one that only trickles would keep its bind for ever. */
static void alive(struct smpp_link *l)
{
	l->rx_ms = smpp_now(l);
	if (!l->enquiring)
		return;
	l->enquiring = false;
	smpp_timer(l->conn_ev, l->cfg.enquire_link_ms);
}

void smpp_take_input(struct smpp_link *l)
{
	size_t at = 0;

	for (;;) {
		int len = smpp_frame(l->in + at, l->in_len - at, SMPP_PDU_MAX);

		if (!len)
			break;
		if (len < 0) {
			size_t left = l->in_len - at;
			struct smpp_pdu head = { .seq = 0 };

			if (left >= SMPP_HEADER_LEN)
				smpp_header(&head, l->in + at);
			send_plain(l, SMPP_GENERIC_NACK, ESME_RINVCMDLEN, head.seq);
			protocol_error(l, len, l->rx_octets + at, l->in + at, left);
			return;
		}
		alive(l);
		if (!take_pdu(l, l->in + at, (size_t)len, l->rx_octets + at))
			return;
		at += (size_t)len;
	}
	if (at && at < l->in_len)
		memmove(l->in, l->in + at, l->in_len - at);
	l->in_len -= at;
	l->rx_octets += at;
}

static void secure(struct smpp_link *l);

static void on_read(evutil_socket_t fd, short what, void *arg)
{
	struct smpp_link *l = arg;
	int one = 1;
	ssize_t n;

	if (l->state == SMPP_SECURING) {
		secure(l);
		return;
	}
	n = l->ssl ? smpp_tls_read(l, l->in + l->in_len, SMPP_IN_MAX - l->in_len) :
		     read(l->fd, l->in + l->in_len, SMPP_IN_MAX - l->in_len);
	if (n < 0 && l->ssl && l->tls_wants_write && errno == EAGAIN && !l->write_waits) {
		l->write_waits = true;
		event_add(l->write_ev, NULL);
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		close_on_error(l, "read");
		return;
	}
	if (!n) {
		smpp_conn_close(l, (struct fail){ .cls = FAIL_LINK, .what = "connection lost" },
				l->in_len ? "closed by the SMSC within a PDU" : "closed by the SMSC");
		return;
	}
	/* An SMSC that writes alert and response in two small pieces waits 40 ms for our delayed ACK between them
	 * (OsmoMSC: 22 instead of 1,100 submits per second).  The kernel forgets the setting, so it is renewed. */
	setsockopt(l->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
	l->in_len += (size_t)n;
	smpp_take_input(l);
	if (l->fd >= 0 && smpp_out_room(l) < SMPP_OUT_PAUSE && !l->read_paused) {
		l->read_paused = true;
		event_del(l->read_ev);
	}
	/* A record holds less than the buffer, so nothing stays behind in OpenSSL as a rule. */
	if (l->fd >= 0 && l->ssl && !l->read_paused && smpp_tls_pending(l))
		event_active(l->read_ev, EV_READ, 1);
}

/* ------------------------------------------------------------------------------------------------ connect */

static void send_bind(struct smpp_link *l)
{
	struct smpp_pdu p = {
		.id = roles[l->role].bind,
		.seq = smpp_next_seq(l),
		.bind = { .system_id = l->cfg.system_id,
			  .password = l->cfg.password,
			  .system_type = l->cfg.system_type,
			  .interface_version = l->cfg.interface_version },
	};

	l->bind_seq = p.seq;
	state_set(l, SMPP_BINDING);
	smpp_timer(l->conn_ev, l->cfg.bind_ms);
	smpp_send(l, &p);
}

/* One step of the TLS handshake; after the last one comes the bind. */
static void secure(struct smpp_link *l)
{
	switch (smpp_tls_handshake(l)) {
	case 1:
		send_bind(l);
		return;
	case 0:
		if (!l->tls_wants_write || l->write_waits)
			return;
		l->write_waits = true;
		event_add(l->write_ev, NULL);
		return;
	default:
		close_on_error(l, "connect");
	}
}

static void begin_tls(struct smpp_link *l)
{
	state_set(l, SMPP_SECURING);
	smpp_timer(l->conn_ev, l->cfg.bind_ms);
	if (smpp_tls_begin(l)) {
		secure(l);
		return;
	}
	errno = ENOMEM;
	close_on_error(l, "TLS");
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
	struct smpp_link *l = arg;
	socklen_t len = sizeof(int);
	int err = 0;

	l->write_waits = false;
	if (l->state == SMPP_SECURING) {
		secure(l);
		return;
	}
	if (l->state != SMPP_CONNECTING) {
		if (l->ssl && l->tls_wants_write) /* a read of TLS that had to write first */
			event_active(l->read_ev, EV_READ, 1);
		flush_and_arm(l);
		return;
	}
	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	if (err) {
		errno = err;
		close_on_error(l, "connect");
		return;
	}
	l->rx_ms = smpp_now(l);
	l->rx_octets = 0;
	event_add(l->read_ev, NULL);
	if (l->tls)
		begin_tls(l);
	else
		send_bind(l);
}

static void connect_to(struct smpp_link *l, const struct sockaddr *addr, socklen_t len)
{
	int one = 1;

	l->fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0) {
		close_on_error(l, "socket");
		return;
	}
	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	l->read_ev = event_new(l->env.base, l->fd, EV_READ | EV_PERSIST, on_read, l);
	l->write_ev = event_new(l->env.base, l->fd, EV_WRITE, on_write, l);
	if (!l->read_ev || !l->write_ev) {
		errno = ENOMEM;
		close_on_error(l, "event");
		return;
	}
	if (connect(l->fd, addr, len) && errno != EINPROGRESS) {
		close_on_error(l, "connect");
		return;
	}
	l->write_waits = true;
	event_add(l->write_ev, NULL);
}

static void on_resolved(int err, struct evutil_addrinfo *list, void *arg)
{
	struct smpp_link *l = arg;
	struct evutil_addrinfo *ai = list;
	unsigned count = 0, pick;

	if (err == EVUTIL_EAI_CANCEL)
		return;
	l->resolving = NULL;
	if (err || !list) {
		smpp_conn_close(l, (struct fail){ .cls = FAIL_LINK, .what = "name of the SMSC not found" },
				err ? evutil_gai_strerror(err) : "no address");
		return;
	}
	for (; ai; ai = ai->ai_next)
		count++;
	/* Each try takes the next address. */
	pick = l->tries % count;
	for (ai = list; pick; pick--)
		ai = ai->ai_next;
	connect_to(l, ai->ai_addr, (socklen_t)ai->ai_addrlen);
	evutil_freeaddrinfo(list);
}

static void resolve(struct smpp_link *l)
{
	struct evutil_addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_protocol = IPPROTO_TCP,
		.ai_flags = EVUTIL_AI_NUMERICHOST | EVUTIL_AI_NUMERICSERV,
	};
	struct evutil_addrinfo *list = NULL;
	struct evdns_getaddrinfo_request *req;
	char port[8];

	snprintf(port, sizeof(port), "%u", l->cfg.port);
	if (!evutil_getaddrinfo(l->cfg.host, port, &hints, &list)) {
		on_resolved(0, list, l);
		return;
	}
	if (!l->dns) {
		l->dns = evdns_base_new(l->env.base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
		if (l->dns) {
			evdns_base_load_hosts(l->dns, NULL);
			evdns_base_resolv_conf_parse(l->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf");
		}
	}
	if (!l->dns) {
		on_resolved(EVUTIL_EAI_MEMORY, NULL, l);
		return;
	}
	hints.ai_flags = EVUTIL_AI_NUMERICSERV;
	/* May call back before it returns, then it gives NULL. */
	req = evdns_getaddrinfo(l->dns, l->cfg.host, port, &hints, on_resolved, l);
	if (req)
		l->resolving = req;
}

static void go_connect(struct smpp_link *l)
{
	l->refused = false;
	state_set(l, SMPP_CONNECTING);
	smpp_timer(l->conn_ev, l->cfg.bind_ms);
	resolve(l);
}

/* ------------------------------------------------------------------------------------------------- timers */

/* Idle is measured from the last whole PDU received: the timer is not touched per PDU but looks again when it fires. */
static void keep_alive(struct smpp_link *l)
{
	int64_t quiet_ms = smpp_now(l) - l->rx_ms;

	if (l->enquiring) {
		smpp_conn_close(l, (struct fail){ .cls = FAIL_LINK, .what = "SMSC does not answer" },
				"no response to enquire_link");
		return;
	}
	if (quiet_ms < 0) { /* the clock was set back */
		l->rx_ms = smpp_now(l);
		quiet_ms = 0;
	}
	if (quiet_ms < l->cfg.enquire_link_ms) {
		smpp_timer(l->conn_ev, l->cfg.enquire_link_ms - quiet_ms);
		return;
	}
	l->enquiring = true;
	send_plain(l, SMPP_ENQUIRE_LINK, ESME_ROK, smpp_next_seq(l));
	smpp_timer(l->conn_ev, l->cfg.enquire_timeout_ms);
}

static void on_conn_timer(evutil_socket_t fd, short what, void *arg)
{
	struct smpp_link *l = arg;

	switch (l->state) {
	case SMPP_CLOSED:
		if (l->wanted)
			go_connect(l);
		return;
	case SMPP_CONNECTING:
		smpp_conn_close(l, (struct fail){ .cls = FAIL_LINK, .what = "connection not made" },
				"no answer in time");
		return;
	case SMPP_SECURING:
		smpp_conn_close(l, (struct fail){ .cls = FAIL_LINK, .what = "connection not made" },
				"the TLS handshake was not finished in time");
		return;
	case SMPP_BINDING:
		smpp_conn_close(l, (struct fail){ .cls = FAIL_LINK, .what = "bind not answered" },
				"no answer to the bind in time");
		return;
	case SMPP_BOUND:
		keep_alive(l);
		return;
	case SMPP_UNBINDING:
		smpp_conn_close(l, (struct fail){ .cls = FAIL_LINK, .what = "link stopped" }, "unbind not answered");
		return;
	case _SMPP_STATES:
		return;
	}
}

static void on_submit_timer(evutil_socket_t fd, short what, void *arg)
{
	smpp_submits_due(arg);
}

static void on_gather_timer(evutil_socket_t fd, short what, void *arg)
{
	smpp_gathers_due(arg);
}

static void on_held_timer(evutil_socket_t fd, short what, void *arg)
{
	smpp_helds_due(arg);
}

/* ------------------------------------------------------------------------------------------- start and end */

bool smpp_conn_init(struct smpp_link *l)
{
	l->fd = -1;
	l->out_cap = (size_t)l->cfg.window * l->submit_len + SMPP_OUT_SPARE;
	l->in = malloc(SMPP_IN_MAX);
	l->out = malloc(l->out_cap);
	l->flush_ev = event_new(l->env.base, -1, 0, on_flush, l);
	l->conn_ev = evtimer_new(l->env.base, on_conn_timer, l);
	l->submit_ev = evtimer_new(l->env.base, on_submit_timer, l);
	l->held_ev = evtimer_new(l->env.base, on_held_timer, l);
	l->gather_ev = evtimer_new(l->env.base, on_gather_timer, l);
	return l->in && l->out && l->flush_ev && l->conn_ev && l->submit_ev && l->held_ev && l->gather_ev;
}

void smpp_conn_free(struct smpp_link *l)
{
	struct event *evs[] = { l->flush_ev, l->conn_ev, l->submit_ev, l->held_ev, l->gather_ev, l->renew_ev };

	l->wanted = false;
	if (l->state != SMPP_CLOSED)
		smpp_conn_close(l, (struct fail){ .cls = FAIL_LINK, .what = "link stopped" }, "freed");
	for (size_t i = 0; i < sizeof(evs) / sizeof(evs[0]); i++)
		if (evs[i])
			event_free(evs[i]);
	if (l->dns)
		evdns_base_free(l->dns, 0);
	free(l->in);
	free(l->out);
}

void smpp_conn_start(struct smpp_link *l)
{
	if (l->wanted)
		return;
	l->wanted = true;
	l->tries = 0;
	if (l->state == SMPP_CLOSED)
		smpp_timer(l->conn_ev, 0);
}

void smpp_conn_stop(struct smpp_link *l)
{
	l->wanted = false;
	if (l->state == SMPP_CLOSED) {
		event_del(l->conn_ev);
		return;
	}
	if (l->state == SMPP_UNBINDING)
		return;
	if (l->state != SMPP_BOUND) {
		smpp_conn_close(l, (struct fail){ .cls = FAIL_LINK, .what = "link stopped" },
				"stopped before it was bound");
		return;
	}
	smpp_conn_unbind(l);
}

void smpp_conn_unbind(struct smpp_link *l)
{
	send_plain(l, SMPP_UNBIND, ESME_ROK, smpp_next_seq(l));
	l->enquiring = false; /* the timer is unbind's now */
	state_set(l, SMPP_UNBINDING);
	smpp_timer(l->conn_ev, SMPP_UNBIND_MS);
}
