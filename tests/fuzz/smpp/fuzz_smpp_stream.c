/* fuzz_smpp_stream.c - a whole link fed with a stream of octets in pieces.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The first octet says how large the pieces are, the rest is what the SMSC sends to a bound link with three submits in
 * its window.  Whatever comes: each submit gets exactly one outcome, each message a token of its own, DOWN is the last.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smpp_int.h"

#define SUBMITS	   3
#define STREAM_MAX 16384

struct seen {
	unsigned outcomes[SUBMITS + 1];
	uint64_t last_token;
	bool down;
	unsigned n;
};

static int64_t now_ms(void *ctx)
{
	return 1700000000000LL;
}

static uint32_t no_dice(void *ctx)
{
	return 0;
}

static void on_event(void *ctx, struct link *l, const struct link_event *ev)
{
	struct seen *s = ctx;

	FUZZ_HOLDS(!s->down);
	switch (ev->kind) {
	case LINK_EV_ACCEPTED:
	case LINK_EV_REJECTED:
	case LINK_EV_UNKNOWN:
		FUZZ_HOLDS(ev->token >= 1 && ev->token <= SUBMITS);
		FUZZ_HOLDS(!s->outcomes[ev->token]++);
		FUZZ_HOLDS((ev->kind == LINK_EV_ACCEPTED) == (ev->fail.cls == FAIL_NONE));
		break;
	case LINK_EV_MO:
	case LINK_EV_REPORT:
		FUZZ_HOLDS(ev->token && ev->token != s->last_token);
		FUZZ_HOLDS(ev->payload_len <= LINK_PAYLOAD_MAX);
		FUZZ_HOLDS(strlen(ev->from.digits) < sizeof(ev->from.digits));
		FUZZ_HOLDS(strlen(ev->stat) < sizeof(ev->stat));
		FUZZ_HOLDS(strlen(ev->message_id) < sizeof(ev->message_id));
		s->last_token = ev->token;
		/* one in three waits for ever */
		if (++s->n % 3)
			l->ops->answer(l, ev->token, s->n % 3 == 1 ? LINK_ANSWER_OK : LINK_ANSWER_TEMP);
		break;
	case LINK_EV_DOWN:
		s->down = true;
		break;
	case LINK_EV_UP:
		FUZZ_HOLDS(!"it is up already");
		break;
	case LINK_EV_ALERT:
		break;
	}
}

static struct smpp_link *bound_link(struct event_base *base, int fd)
{
	static struct errtab *errtab;
	char err[ERRTAB_ERR_MAX];
	struct smpp_link_env env = { .base = base, .now_ms = now_ms, .random_u32 = no_dice };
	struct smpp_link_cfg cfg;
	struct smpp_link *l;

	if (!errtab)
		errtab = errtab_new(err);
	env.errtab = errtab;
	smpp_link_cfg_default(&cfg);
	strcpy(cfg.name, "fuzz");
	strcpy(cfg.host, "127.0.0.1");
	strcpy(cfg.system_id, "x");
	l = (struct smpp_link *)smpp_link_new(&cfg, &env, err, sizeof(err));
	if (l) {
		l->fd = fd;
		l->state = SMPP_BOUND;
	}
	return l;
}

static void feed(struct event_base *base, struct smpp_link *l, int peer, const uint8_t *data, size_t size, size_t piece)
{
	uint8_t drain[4096];

	while (size && l->fd >= 0) {
		size_t n = size < piece ? size : piece;

		memcpy(l->in + l->in_len, data, n);
		l->in_len += n;
		data += n;
		size -= n;
		smpp_take_input(l);
		FUZZ_HOLDS(l->in_len < SMPP_PDU_MAX);
		event_base_loop(base, EVLOOP_NONBLOCK);
		while (read(peer, drain, sizeof(drain)) > 0)
			;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	static const uint8_t ud[] = { 0x02, 0x70, 0x00 };
	struct link_submit submit = {
		.dst = { 1, 1, "49170" }, .src = { 1, 1, "49171" }, .ud = ud, .ud_len = sizeof(ud)
	};
	struct seen seen = { .n = 0 };
	struct smpp_link *l;
	int fds[2];

	if (!size || size > STREAM_MAX)
		return 0;
	if (!base)
		base = event_base_new();
	if (!base || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
		return 0;
	l = bound_link(base, fds[0]);
	if (!l) {
		close(fds[0]);
		close(fds[1]);
		return 0;
	}
	l->link.on_event = on_event;
	l->link.ctx = &seen;
	for (submit.token = 1; submit.token <= SUBMITS; submit.token++)
		FUZZ_HOLDS(!l->link.ops->submit(&l->link, &submit, now_ms(NULL)));
	feed(base, l, fds[1], data + 1, size - 1, 1 + (size_t)data[0] * 8);
	l->link.ops->free(&l->link);
	close(fds[1]);
	for (unsigned i = 1; i <= SUBMITS; i++)
		FUZZ_HOLDS(seen.outcomes[i] == 1);
	FUZZ_HOLDS(seen.down);
	return 0;
}
