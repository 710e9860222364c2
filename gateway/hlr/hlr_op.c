/* hlr_op.c - what every adapter does with its operations: places, ends, octets that leave, an answer that is late.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "hlr_op.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>

#define IMSI_MIN   6
#define MSISDN_MIN 3

const char *hlr_kind_name(enum hlr_kind kind)
{
	static const char *const names[] = {
		[HLR_READ] = "read",	 [HLR_PROVISION] = "provision", [HLR_MSISDN] = "msisdn",
		[HLR_REMOVE] = "remove", [HLR_REKEY] = "rekey",
	};

	return (unsigned)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "?";
}

void hlr_say(struct hlr_conn *c, int level, const char *fmt, ...)
{
	char line[HLR_NAME_MAX + HLR_WHY_MAX + 100];
	va_list ap;
	int n = snprintf(line, sizeof(line), "hlr %s: ", c->name);

	if (!c->hlr.on_log)
		return;
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	c->hlr.on_log(c->hlr.ctx, level, line);
}

void hlr_end_with(struct hlr_conn *c, struct hlr_open *o, struct hlr_result *r)
{
	r->id = o->op.id;
	ks_wipe(o, sizeof(*o));
	c->hlr.on_result(c->hlr.ctx, r);
}

void hlr_end(struct hlr_conn *c, struct hlr_open *o, enum hlr_end end, const char *fmt, ...)
{
	struct hlr_result r = { .end = end };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r.why, sizeof(r.why), fmt, ap);
	va_end(ap);
	hlr_end_with(c, o, &r);
}

void hlr_end_all(struct hlr_conn *c, const char *why)
{
	for (unsigned i = 0; i < HLR_OPEN_MAX; i++)
		if (c->op[i].used)
			hlr_end(c, &c->op[i], HLR_TEMPORARY, "%s", why);
}

bool hlr_op_taken(struct hlr_conn *c, struct hlr_open *o)
{
	if (o->op.kind == HLR_PROVISION && *o->op.bridge && !o->bridged) {
		o->bridged = true;
		memcpy(o->op.msisdn, o->op.bridge, sizeof(o->op.msisdn));
		return true;
	}
	if (o->op.kind == HLR_PROVISION && !o->bridged)
		hlr_end(c, o, HLR_REFUSED,
			"MSISDN %s is another subscriber's; configure msisdn-bridge, if that one is about to go",
			o->op.msisdn);
	else
		hlr_end(c, o, HLR_TAKEN, "MSISDN %s is another subscriber's%s", o->op.msisdn,
			o->bridged ? ", and was to be the bridge" : "");
	return false;
}

void hlr_timer_set(struct hlr_conn *c)
{
	const struct timeval tv = { c->timeout_ms / 1000, (c->timeout_ms % 1000) * 1000 };
	bool waiting = false;

	for (unsigned i = 0; i < HLR_OPEN_MAX; i++)
		waiting |= c->op[i].used && c->op[i].asked;
	if (waiting)
		evtimer_add(c->ev_timer, &tv);
	else
		evtimer_del(c->ev_timer);
}

void hlr_flush(struct hlr_conn *c)
{
	ssize_t n = c->out_len ? send(c->fd, c->out, c->out_len, MSG_NOSIGNAL) : 0;

	if (n > 0) {
		memmove(c->out, c->out + n, c->out_len - (size_t)n);
		ks_wipe(c->out + c->out_len - (size_t)n, (size_t)n);
		c->out_len -= (size_t)n;
	}
	if (c->out_len)
		event_add(c->ev_write, NULL);
}

void hlr_conn_wipe(struct hlr_conn *c)
{
	ks_wipe(c->out, sizeof(c->out));
	c->out_len = 0;
}

static bool digits(const char *s, size_t min)
{
	size_t n = strspn(s, "0123456789");

	return !s[n] && n >= min && n <= HLR_DIGITS_MAX;
}

int hlr_open_new(struct hlr_conn *c, const struct hlr_op *op, struct hlr_open **o)
{
	if (!digits(op->imsi, IMSI_MIN) || (*op->msisdn && !digits(op->msisdn, MSISDN_MIN)) ||
	    (*op->bridge && !digits(op->bridge, MSISDN_MIN)) || (unsigned)op->kind > HLR_REKEY)
		return -EINVAL;
	for (unsigned i = 0; i < HLR_OPEN_MAX; i++) {
		if (c->op[i].used)
			continue;
		*o = &c->op[i];
		**o = (struct hlr_open){ .used = true, .op = *op };
		return 0;
	}
	return -ENOBUFS;
}
