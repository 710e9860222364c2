/* hlr_osmo.c - OsmoHLR by its CTRL interface.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One connection; each operation is a few requests, one after the other, those of different operations overlap.  CTRL has no
 * encryption and carries K and OPc: it belongs on loopback or into a tunnel.  Both buffers are ours, so that what has been sent
 * and read can be wiped.
 *
 * PROVISION, REKEY and REMOVE look first: an IMSI that is there with other keys is somebody's subscriber and is not touched.  Keys that are
 * there are not written anew: OsmoHLR would begin its SQN at 0 again.
 *
 * After REKEY a VLR may have vectors of the old keys.  OsmoHLR 1.5.0 has no way to take them back: what CTRL sets, cs-enabled too, goes into its
 * database alone, and OsmoMSC's subscriber-expire cuts the phone off until it registers anew.  They do no harm by themselves: the register is
 * switched while the card takes both keys, and goes on taking the old ones until it is first authenticated with the new; a VLR
 * uses up what it has before it asks for more.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include <event2/event.h>

#include "hlr_ctrl.h"
#include "hlr_op.h"
#include "hlr_osmo_db.h"

#define IN_MAX		 (CTRL_HEAD + CTRL_FRAME_MAX + 1)
#define TEXT_MAX	 256
#define TIMEOUT_MS	 5000
#define SQN_MARGIN	 (32u << 5) /* vectors that the old network may have had under way; IND has five bits */
#define SQN_JUMP_MAX	 (1ull << 33) /* TS 33.102, C.2.1: a USIM may refuse what is 2^28 (of SEQ) ahead of what it knows */
#define SQN_TOP		 (1ull << 47) /* of 48 bits */
#define SQN_AGAIN_MS	 25	      /* somebody else writes to the database: asked again after so long, */
#define SQN_TRIES	 40	      /* so many times */
#define RECONNECT_MS	 500
#define RECONNECT_MAX_MS 30000

enum step {
	STEP_LOOK, /* what is there */
	STEP_CREATE,
	STEP_MSISDN,
	STEP_KEYS,
	STEP_CS,
	STEP_PS,
	STEP_READ_BACK,
	STEP_SQN, /* by the database: no request */
	STEP_DELETE,
};

struct hlr_osmo {
	struct hlr_conn c;
	struct sockaddr_storage addr;
	socklen_t addr_len;
	char sqn_database[256]; /* "": SQN is not set */
	unsigned reconnect_ms, reconnect_max_ms, backoff_ms;
	bool connecting, connected;
	struct event *ev_sqn; /* c.ev_timer: answer is late, or time to connect */
	uint32_t request;
	uint8_t in[IN_MAX];
	size_t in_len;
};

static void connect_start(struct hlr_osmo *h);

/* ---- out ---- */

static void step_text(struct hlr_osmo *h, const struct hlr_open *o, char text[TEXT_MAX])
{
	const char *imsi = o->op.imsi;
	const uint32_t id = o->number;
	int n;

	switch (o->step) {
	case STEP_LOOK:
	case STEP_READ_BACK:
		snprintf(text, TEXT_MAX, "GET %u subscriber.by-imsi-%s.info-all", id, imsi);
		break;
	case STEP_CREATE:
		snprintf(text, TEXT_MAX, "SET %u subscriber.create %s", id, imsi);
		break;
	case STEP_MSISDN:
		snprintf(text, TEXT_MAX, "SET %u subscriber.by-imsi-%s.msisdn %s", id, imsi,
			 *o->op.msisdn ? o->op.msisdn : "none");
		break;
	case STEP_KEYS:
		n = snprintf(text, TEXT_MAX, "SET %u subscriber.by-imsi-%s.aud3g ", id, imsi);
		if (ks_emit_to_hlr(h->c.ks, o->op.iccid, o->op.sub, sizeof(o->op.sub), text + n) < 0)
			text[0] = '\0';
		break;
	case STEP_CS:
		snprintf(text, TEXT_MAX, "SET %u subscriber.by-imsi-%s.cs-enabled 1", id, imsi);
		break;
	case STEP_PS:
		snprintf(text, TEXT_MAX, "SET %u subscriber.by-imsi-%s.ps-enabled 1", id, imsi);
		break;
	case STEP_SQN:
		text[0] = '\0';
		break;
	case STEP_DELETE:
		snprintf(text, TEXT_MAX, "SET %u subscriber.delete %s", id, imsi);
		break;
	}
}

static void ask(struct hlr_osmo *h, struct hlr_open *o, unsigned step)
{
	char text[TEXT_MAX];
	size_t n = 0;

	o->step = step;
	o->number = ++h->request & 0x7fffffff;
	step_text(h, o, text);
	if (text[0])
		n = ctrl_put(h->c.out + h->c.out_len, sizeof(h->c.out) - h->c.out_len, text);
	ks_wipe(text, sizeof(text));
	if (!n) {
		hlr_end(&h->c, o, HLR_REFUSED, "keys of card %s do not open", o->op.iccid);
		return;
	}
	o->asked = true;
	h->c.out_len += n;
	hlr_flush(&h->c);
	hlr_timer_set(&h->c);
}

/* ---- in ---- */

static void info_take(const char *rest, struct hlr_result *r)
{
	char text[32];

	if (ctrl_info(rest, "msisdn", r->msisdn, sizeof(r->msisdn)) && !strcmp(r->msisdn, "none"))
		r->msisdn[0] = '\0';
	ctrl_info(rest, "vlr_number", r->vlr, sizeof(r->vlr));
	r->cs = ctrl_info(rest, "nam_cs", text, sizeof(text)) && !strcmp(text, "1");
	r->ps = ctrl_info(rest, "nam_ps", text, sizeof(text)) && !strcmp(text, "1");
	r->has_keys = ctrl_info(rest, "aud3g.k", (char[40]){ 0 }, 40);
	if (ctrl_info(rest, "aud3g.sqn", text, sizeof(text)))
		r->sqn = strtoull(text, NULL, 10);
}

/* Whether the keys in the register are this card's: "milenage,K,opc,OPc" against the two lines. */
static bool keys_match(struct hlr_osmo *h, const struct hlr_op *op, const uint8_t sub[KS_SUB_LEN], const char *rest)
{
	char ours[KS_HLR_TEXT_MAX], k[40] = "", opc[40] = "", theirs[KS_HLR_TEXT_MAX];
	bool same;

	if (ks_emit_to_hlr(h->c.ks, op->iccid, sub, KS_SUB_LEN, ours) < 0)
		return false;
	same = ctrl_info(rest, "aud3g.k", k, sizeof(k)) && ctrl_info(rest, "aud3g.opc", opc, sizeof(opc));
	snprintf(theirs, sizeof(theirs), "milenage,%s,opc,%s", k, opc);
	same = same && !strcmp(ours, theirs);
	ks_wipe(ours, sizeof(ours));
	ks_wipe(theirs, sizeof(theirs));
	ks_wipe(k, sizeof(k));
	ks_wipe(opc, sizeof(opc));
	return same;
}

/* A subscriber that has any keys, be it those of 2G alone, and not ours. */
static bool foreign(struct hlr_osmo *h, const struct hlr_op *op, const char *rest)
{
	char algo[40];
	const bool has_3g =
		ctrl_info(rest, "aud3g.algo", algo, sizeof(algo)) || ctrl_info(rest, "aud3g.k", (char[40]){ 0 }, 40);

	return has_3g ? !keys_match(h, op, op->sub, rest) : ctrl_info(rest, "aud2g.algo", algo, sizeof(algo));
}

static void rekey_looked(struct hlr_osmo *h, struct hlr_open *o, const struct ctrl_reply *r, struct hlr_result *res)
{
	if (keys_match(h, &o->op, o->op.sub, r->rest)) /* again: writing them anew would set its SQN back */
		hlr_end_with(&h->c, o, res);
	else if (o->op.has_was && res->has_keys && !keys_match(h, &o->op, o->op.was, r->rest))
		hlr_end(&h->c, o, HLR_REFUSED, "IMSI is there with other keys than those that are to be replaced");
	else
		ask(h, o, STEP_KEYS);
}

static void looked(struct hlr_osmo *h, struct hlr_open *o, const struct ctrl_reply *r, bool there)
{
	struct hlr_result res = { .end = there ? HLR_OK : HLR_ABSENT };

	if (there)
		info_take(r->rest, &res);
	switch (o->op.kind) {
	case HLR_READ:
		if (there && o->op.keyed && !keys_match(h, &o->op, o->op.sub, r->rest))
			hlr_end(&h->c, o, HLR_REFUSED, "IMSI is there with other keys");
		else
			hlr_end_with(&h->c, o, &res);
		break;
	case HLR_MSISDN:
		if (there)
			ask(h, o, STEP_MSISDN);
		else
			hlr_end_with(&h->c, o, &res);
		break;
	case HLR_REKEY:
		if (there)
			rekey_looked(h, o, r, &res);
		else
			hlr_end_with(&h->c, o, &res);
		break;
	case HLR_REMOVE:
		if (there && o->op.keyed && foreign(h, &o->op, r->rest))
			hlr_end(&h->c, o, HLR_REFUSED,
				"IMSI is there with other keys: somebody else's subscriber, not removed");
		else if (there)
			ask(h, o, STEP_DELETE);
		else
			hlr_end(&h->c, o, HLR_OK, "%s", ""); /* it is not there: that is what was asked for */
		break;
	case HLR_PROVISION:
		if (there && foreign(h, &o->op, r->rest))
			hlr_end(&h->c, o, HLR_REFUSED,
				"IMSI is there with other keys: somebody else's subscriber? Remove it first if it is "
				"not");
		else {
			o->keys_there = there && res.has_keys;
			o->sqn = res.sqn;
			ask(h, o, there ? STEP_MSISDN : STEP_CREATE);
		}
		break;
	}
}

static void sqn_end(struct hlr_osmo *h, struct hlr_open *o)
{
	struct hlr_result res = o->res;

	hlr_end_with(&h->c, o, &res);
}

/* That it could not be set costs the card one AUTS more: no reason to refuse it. */
static void sqn_try(struct hlr_osmo *h, struct hlr_open *o)
{
	const struct timeval again = { 0, SQN_AGAIN_MS * 1000 };
	const uint64_t sqn = o->op.sqn + SQN_MARGIN;
	char err[HLR_WHY_MAX];
	const int rc = hlr_osmo_db_sqn(h->sqn_database, o->op.imsi, sqn, err, sizeof(err));

	if (rc == HLR_OSMO_DB_BUSY && ++o->tries < SQN_TRIES) {
		o->step = STEP_SQN;
		evtimer_add(h->ev_sqn, &again);
		return;
	}
	if (rc)
		hlr_say(&h->c, LOG_ERR, "SQN of card %s is not set: %s", o->op.iccid, err);
	else
		o->res.sqn = sqn;
	sqn_end(h, o);
}

static void on_sqn(evutil_socket_t fd, short what, void *ctx)
{
	struct hlr_osmo *h = ctx;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < HLR_OPEN_MAX; i++)
		if (h->c.op[i].used && h->c.op[i].step == STEP_SQN)
			sqn_try(h, &h->c.op[i]);
}

/* Whoever hands an SQN over could have the card use up all that it can count to, for good, if its USIM takes any jump: so never more than half
 * of it.  Of a new subscriber no more is known, and the old AuC may count by time.  Where this register has served this K before, it
 * knows better than a jump that a USIM may refuse. */
static const char *sqn_wrong(const struct hlr_open *o)
{
	if (o->op.sqn > SQN_TOP)
		return "it is more than half of what a USIM can count to";
	if (o->sqn && o->op.sqn > o->sqn && o->op.sqn - o->sqn > SQN_JUMP_MAX)
		return "this register had one that is far below for the same keys";
	return NULL;
}

static void sqn_set(struct hlr_osmo *h, struct hlr_open *o, const struct hlr_result *res)
{
	const char *wrong = sqn_wrong(o);

	o->res = *res;
	if (!*h->sqn_database || !o->op.sqn || res->sqn >= o->op.sqn + SQN_MARGIN) {
		sqn_end(h, o);
	} else if (wrong) {
		hlr_say(&h->c, LOG_ERR,
			"SQN %llu of card %s, as it was handed over, is not set: %s; the card will ask for the right "
			"one",
			(unsigned long long)o->op.sqn, o->op.iccid, wrong);
		sqn_end(h, o);
	} else {
		sqn_try(h, o);
	}
}

static void read_back(struct hlr_osmo *h, struct hlr_open *o, const struct ctrl_reply *r)
{
	struct hlr_result res = { .end = HLR_OK };
	const char *wrong = NULL;

	info_take(r->rest, &res);
	res.bridged = o->bridged;
	if (o->op.kind != HLR_MSISDN && !keys_match(h, &o->op, o->op.sub, r->rest))
		wrong = "keys";
	else if (o->op.kind != HLR_REKEY && strcmp(res.msisdn, o->op.msisdn))
		wrong = "MSISDN";
	else if (o->op.kind == HLR_PROVISION && (!res.cs || !res.ps))
		wrong = "CS or PS access";
	if (wrong) {
		hlr_end(&h->c, o, HLR_REFUSED, "read back: %s not as written", wrong);
		return;
	}
	if (o->op.kind == HLR_PROVISION)
		sqn_set(h, o, &res);
	else
		hlr_end_with(&h->c, o, &res);
}

/* MSISDNs are UNIQUE in a register. */
static void taken(struct hlr_osmo *h, struct hlr_open *o)
{
	if (hlr_op_taken(&h->c, o))
		ask(h, o, STEP_MSISDN);
}

/* The register said no.  Which of its sentences mean something else than that? */
static void refused(struct hlr_osmo *h, struct hlr_open *o, const struct ctrl_reply *r)
{
	const bool absent =
		!strncmp(r->rest, "No such subscriber", 18) || !strncmp(r->rest, "Subscriber doesn't exist", 24);

	if (o->step == STEP_LOOK && absent)
		looked(h, o, r, false);
	else if (o->step == STEP_CREATE && !strncmp(r->rest, "Subscriber already exists", 25))
		ask(h, o, STEP_LOOK); /* since we looked; whose keys has it? */
	else if (o->step == STEP_DELETE && absent)
		hlr_end(&h->c, o, HLR_OK, "%s", "");
	else if (absent)
		hlr_end(&h->c, o, HLR_TEMPORARY, "subscriber was removed in the middle");
	else if (o->step == STEP_MSISDN && !strncmp(r->rest, "Update MSISDN failed", 20))
		taken(h, o);
	else if (o->step == STEP_KEYS) /* what it says may repeat what it was given */
		hlr_end(&h->c, o, HLR_REFUSED, "does not take these keys");
	else
		hlr_end(&h->c, o, HLR_REFUSED, "%.120s", r->rest);
}

static void replied(struct hlr_osmo *h, struct hlr_open *o, const struct ctrl_reply *r)
{
	o->asked = false;
	if (r->kind == CTRL_ERROR) {
		refused(h, o, r);
		return;
	}
	switch (o->step) {
	case STEP_LOOK:
		looked(h, o, r, true);
		break;
	case STEP_CREATE:
		ask(h, o, STEP_MSISDN);
		break;
	case STEP_MSISDN:
		ask(h, o, o->op.kind == HLR_MSISDN ? STEP_READ_BACK : o->keys_there ? STEP_CS : STEP_KEYS);
		break;
	case STEP_KEYS:
		ask(h, o, o->op.kind == HLR_REKEY ? STEP_READ_BACK : STEP_CS);
		break;
	case STEP_CS:
		ask(h, o, STEP_PS);
		break;
	case STEP_PS:
		ask(h, o, STEP_READ_BACK);
		break;
	case STEP_READ_BACK:
		read_back(h, o, r);
		break;
	case STEP_SQN:
		break;
	case STEP_DELETE:
		hlr_end(&h->c, o, HLR_OK, "%s", "");
		break;
	}
}

static bool fits(const struct hlr_open *o, const struct ctrl_reply *r)
{
	bool get = o->step == STEP_LOOK || o->step == STEP_READ_BACK;

	return r->kind == CTRL_ERROR || r->kind == (get ? CTRL_GET_REPLY : CTRL_SET_REPLY);
}

/* False: this is not a register we understand. */
static bool frame_take(struct hlr_osmo *h, char *text)
{
	struct ctrl_reply r;

	if (!ctrl_reply_parse(&r, text))
		return false;
	if (r.kind == CTRL_TRAP)
		return true;
	for (unsigned i = 0; i < HLR_OPEN_MAX; i++) {
		struct hlr_open *o = &h->c.op[i];

		if (!o->used || !o->asked || o->number != r.id)
			continue;
		if (!fits(o, &r))
			return false;
		replied(h, o, &r);
		return true;
	}
	return true; /* of something that has ended */
}

/* ---- connection ---- */

static void connect_later(struct hlr_osmo *h)
{
	const struct timeval tv = { h->backoff_ms / 1000, (h->backoff_ms % 1000) * 1000 };

	h->backoff_ms = h->backoff_ms * 2 < h->reconnect_max_ms ? h->backoff_ms * 2 : h->reconnect_max_ms;
	evtimer_add(h->c.ev_timer, &tv);
}

static void disconnect(struct hlr_osmo *h, const char *why)
{
	if (h->c.fd >= 0) {
		event_del(h->c.ev_read);
		event_del(h->c.ev_write);
		event_free(h->c.ev_read);
		event_free(h->c.ev_write);
		close(h->c.fd);
	}
	h->c.ev_read = h->c.ev_write = NULL;
	h->c.fd = -1;
	if (h->connected || h->backoff_ms == h->reconnect_ms)
		hlr_say(&h->c, LOG_WARNING, "%s; trying again", why);
	h->connected = h->connecting = false;
	ks_wipe(h->in, sizeof(h->in));
	h->in_len = 0;
	hlr_conn_wipe(&h->c);
	connect_later(h);
	hlr_end_all(&h->c, why);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct hlr_osmo *h = ctx;

	(void)fd;
	(void)what;
	if (h->c.fd < 0)
		connect_start(h);
	else
		disconnect(h, h->connecting ? "connection is not taken" : "no answer in time");
}

static void on_read(evutil_socket_t fd, short what, void *ctx)
{
	struct hlr_osmo *h = ctx;
	ssize_t n = recv(h->c.fd, h->in + h->in_len, sizeof(h->in) - 1 - h->in_len, 0);
	int len;

	(void)fd;
	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		disconnect(h, n ? strerror(errno) : "connection closed by the register");
		return;
	}
	h->in_len += (size_t)n;
	while ((len = ctrl_frame(h->in, h->in_len)) > 0) {
		const uint8_t kept = h->in[len]; /* there is one more octet of room than ever is read */
		bool ok;

		h->in[len] = '\0';
		ok = frame_take(h, (char *)h->in + CTRL_HEAD + 1);
		if (h->c.fd < 0)
			return;
		h->in[len] = kept;
		if (!ok) {
			len = -1;
			break;
		}
		memmove(h->in, h->in + len, h->in_len - (size_t)len);
		ks_wipe(h->in + h->in_len - (size_t)len, (size_t)len);
		h->in_len -= (size_t)len;
	}
	if (len < 0)
		disconnect(h, "not an OsmoHLR: its answer is no CTRL message");
	else
		hlr_timer_set(&h->c);
}

static void on_write(evutil_socket_t fd, short what, void *ctx)
{
	struct hlr_osmo *h = ctx;
	int err = 0;
	socklen_t len = sizeof(err);

	(void)fd;
	(void)what;
	if (h->connecting) {
		if (getsockopt(h->c.fd, SOL_SOCKET, SO_ERROR, &err, &len) || err) {
			disconnect(h, strerror(err ? err : errno));
			return;
		}
		h->connecting = false;
		h->connected = true;
		h->backoff_ms = h->reconnect_ms;
		hlr_say(&h->c, LOG_NOTICE, "connected");
		hlr_timer_set(&h->c);
	}
	hlr_flush(&h->c);
}

static void connect_start(struct hlr_osmo *h)
{
	const struct timeval late = { h->c.timeout_ms / 1000, (h->c.timeout_ms % 1000) * 1000 };
	int one = 1;

	h->c.fd = socket(h->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (h->c.fd >= 0) {
		setsockopt(h->c.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		h->c.ev_read = event_new(h->c.base, h->c.fd, EV_READ | EV_PERSIST, on_read, h);
		h->c.ev_write = event_new(h->c.base, h->c.fd, EV_WRITE, on_write, h);
	}
	if (h->c.fd < 0 || !h->c.ev_read || !h->c.ev_write) {
		hlr_say(&h->c, LOG_ERR, "no socket: %s", strerror(errno));
		connect_later(h);
		return;
	}
	h->connecting = true;
	event_add(h->c.ev_read, NULL);
	event_add(h->c.ev_write, NULL);
	if (connect(h->c.fd, (struct sockaddr *)&h->addr, h->addr_len) && errno != EINPROGRESS) {
		disconnect(h, strerror(errno));
		return;
	}
	evtimer_add(h->c.ev_timer, &late);
}

/* ---- the seam ---- */

static int osmo_submit(struct hlr *hlr, const struct hlr_op *op)
{
	struct hlr_osmo *h = (struct hlr_osmo *)hlr;
	struct hlr_open *o;
	const int rc = hlr_open_new(&h->c, op, &o);

	if (rc)
		return rc;
	if (!h->connected)
		hlr_end(&h->c, o, HLR_TEMPORARY, "no connection to the register");
	else
		ask(h, o, STEP_LOOK);
	return 0;
}

static void osmo_free(struct hlr *hlr)
{
	struct hlr_osmo *h = (struct hlr_osmo *)hlr;

	if (h->c.fd >= 0) {
		event_free(h->c.ev_read);
		event_free(h->c.ev_write);
		close(h->c.fd);
	}
	event_free(h->c.ev_timer);
	event_free(h->ev_sqn);
	ks_wipe(h, sizeof(*h));
	free(h);
}

static const struct hlr_ops osmo_ops = { "osmo", osmo_submit, osmo_free };

struct hlr *hlr_osmo_new(const struct hlr_osmo_cfg *cfg, struct event_base *base, struct ks *ks,
			 void (*on_result)(void *ctx, const struct hlr_result *r),
			 void (*on_log)(void *ctx, int level, const char *line), void *ctx)
{
	struct hlr_osmo *h = calloc(1, sizeof(*h));
	int len = sizeof(h->addr);

	if (!h)
		return NULL;
	h->c.hlr = (struct hlr){ &osmo_ops, on_result, on_log, ctx };
	h->c.ks = ks;
	h->c.base = base;
	h->c.fd = -1;
	h->c.timeout_ms = cfg->timeout_ms ? cfg->timeout_ms : TIMEOUT_MS;
	h->reconnect_ms = cfg->reconnect_ms ? cfg->reconnect_ms : RECONNECT_MS;
	h->reconnect_max_ms = cfg->reconnect_max_ms ? cfg->reconnect_max_ms : RECONNECT_MAX_MS;
	h->backoff_ms = h->reconnect_ms;
	snprintf(h->sqn_database, sizeof(h->sqn_database), "%s", cfg->sqn_database ? cfg->sqn_database : "");
	snprintf(h->c.name, sizeof(h->c.name), "%s:%u", cfg->host, cfg->port);
	if (evutil_parse_sockaddr_port(h->c.name, (struct sockaddr *)&h->addr, &len) ||
	    !(h->c.ev_timer = evtimer_new(base, on_timer, h)) || !(h->ev_sqn = evtimer_new(base, on_sqn, h))) {
		if (h->c.ev_timer)
			event_free(h->c.ev_timer);
		free(h);
		return NULL;
	}
	h->addr_len = (socklen_t)len;
	connect_start(h);
	return &h->c.hlr;
}

bool hlr_osmo_connected(const struct hlr *hlr)
{
	return ((const struct hlr_osmo *)hlr)->connected;
}
