/* smpp_pair.c - a transmitter and a receiver of one SMSC as one link.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Up while both are bound.  Without the transmitter the receiver stays: cards' answers go on coming in.  Without the receiver
 * nothing is sent, since nobody would hear the cards: the transmitter takes the answers it waits for, unbinds and comes back.
 */
#include "smpp_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct smpp_pair {
	struct link link; /* first: what the owner sees */
	struct smpp_link *tx, *rx;
	bool tx_up, rx_up;
	bool up;	 /* told to the owner */
	bool wanted;	 /* between start() and stop() */
	struct fail why; /* the receiver's end, for the DOWN that comes with the transmitter's */
};

static struct smpp_pair *self(struct link *link)
{
	return (struct smpp_pair *)link;
}

static void tell(struct smpp_pair *p, const struct link_event *ev)
{
	if (p->link.on_event)
		p->link.on_event(p->link.ctx, &p->link, ev);
}

static void tell_when_both(struct smpp_pair *p, const struct link_event *up)
{
	if (p->up || !p->tx_up || !p->rx_up)
		return;
	p->up = true;
	p->why = (struct fail){ .cls = FAIL_NONE };
	tell(p, up);
}

static void transmitter_down(struct smpp_pair *p, const struct link_event *ev)
{
	struct link_event down;

	p->tx_up = false;
	if (!p->up)
		return;
	p->up = false;
	if (p->why.cls == FAIL_NONE) {
		tell(p, ev);
		return;
	}
	memset(&down, 0, sizeof(down));
	down.kind = LINK_EV_DOWN;
	down.fail = p->why;
	tell(p, &down);
}

static void receiver_down(struct smpp_pair *p, const struct link_event *ev)
{
	p->rx_up = false;
	if (!p->up || !p->wanted)
		return;
	p->why = ev->fail;
	smpp_log(p->rx, SMPP_LOG_WARNING, "gone: the transmitter unbinds, and nothing is sent until both are back");
	p->tx->link.ops->stop(&p->tx->link);
	p->tx->link.ops->start(&p->tx->link);
}

static void on_event(void *ctx, struct link *l, const struct link_event *ev)
{
	struct smpp_pair *p = ctx;
	bool tx = l == &p->tx->link;

	switch (ev->kind) {
	case LINK_EV_UP:
		*(tx ? &p->tx_up : &p->rx_up) = true;
		tell_when_both(p, ev);
		return;
	case LINK_EV_DOWN:
		if (tx)
			transmitter_down(p, ev);
		else
			receiver_down(p, ev);
		return;
	default:
		tell(p, ev);
	}
}

/* ------------------------------------------------------------------------------------------------------- ops */

static int start(struct link *link)
{
	struct smpp_pair *p = self(link);

	p->wanted = true;
	p->rx->link.ops->start(&p->rx->link);
	return p->tx->link.ops->start(&p->tx->link);
}

static void stop(struct link *link)
{
	struct smpp_pair *p = self(link);

	p->wanted = false;
	p->tx->link.ops->stop(&p->tx->link);
	p->rx->link.ops->stop(&p->rx->link);
}

static bool usable(const struct smpp_pair *p)
{
	return p->up && p->tx_up && p->rx_up && p->rx->state == SMPP_BOUND;
}

static unsigned credit(struct link *link, int64_t now_ms)
{
	struct smpp_pair *p = self(link);

	return usable(p) ? p->tx->link.ops->credit(&p->tx->link, now_ms) : 0;
}

static int64_t credit_due(struct link *link, int64_t now_ms)
{
	struct smpp_pair *p = self(link);

	return usable(p) ? p->tx->link.ops->credit_due(&p->tx->link, now_ms) : INT64_MAX;
}

static int submit(struct link *link, const struct link_submit *s, int64_t now_ms)
{
	struct smpp_pair *p = self(link);

	return usable(p) ? p->tx->link.ops->submit(&p->tx->link, s, now_ms) : -ENOTCONN;
}

static void answer(struct link *link, uint64_t token, enum link_answer a)
{
	struct smpp_pair *p = self(link);

	p->rx->link.ops->answer(&p->rx->link, token, a);
}

static void stats(struct link *link, struct link_stats *out)
{
	struct smpp_pair *p = self(link);
	struct link_stats rx;

	p->tx->link.ops->stats(&p->tx->link, out);
	p->rx->link.ops->stats(&p->rx->link, &rx);
	out->up = usable(p);
	out->received += rx.received;
	out->late_responses += rx.late_responses;
	out->temp_answers += rx.temp_answers;
	out->protocol_errors += rx.protocol_errors;
	if (out->connects < rx.connects)
		out->connects = rx.connects;
	if (*rx.last_error && (!p->rx_up || !*out->last_error)) {
		memcpy(out->last_error, rx.last_error, sizeof(out->last_error));
		out->last_error_ms = rx.last_error_ms;
	}
	/* up since the later of the two came, down since the earlier one went that is still away */
	if (!p->rx_up) {
		out->state = rx.state;
		out->since_ms = p->tx_up || rx.since_ms < out->since_ms ? rx.since_ms : out->since_ms;
	} else if (p->tx_up && rx.since_ms > out->since_ms) {
		out->since_ms = rx.since_ms;
	}
	out->receipts += rx.receipts;
	out->receipts_delivered += rx.receipts_delivered;
	out->receipts_failed += rx.receipts_failed;
}

static void pair_free(struct link *link)
{
	struct smpp_pair *p = self(link);

	p->wanted = false;
	if (p->tx)
		p->tx->link.ops->free(&p->tx->link);
	if (p->rx)
		p->rx->link.ops->free(&p->rx->link);
	free(p);
}

static const struct link_ops pair_ops = {
	.kind = "smpp",
	.start = start,
	.stop = stop,
	.credit = credit,
	.credit_due = credit_due,
	.submit = submit,
	.answer = answer,
	.stats = stats,
	.free = pair_free,
};

struct link *smpp_pair_new(const struct smpp_link_cfg *cfg, const struct smpp_link_env *env, char *err, size_t cap)
{
	struct smpp_pair *p = calloc(1, sizeof(*p));

	if (!p) {
		snprintf(err, cap, "out of memory");
		return NULL;
	}
	p->link.ops = &pair_ops;
	memcpy(p->link.name, cfg->name, sizeof(p->link.name));
	p->tx = smpp_single_new(cfg, env, SMPP_ROLE_TX, err, cap);
	p->rx = p->tx ? smpp_single_new(cfg, env, SMPP_ROLE_RX, err, cap) : NULL;
	if (!p->tx || !p->rx) {
		pair_free(&p->link);
		return NULL;
	}
	p->tx->link.on_event = p->rx->link.on_event = on_event;
	p->tx->link.ctx = p->rx->link.ctx = p;
	p->rx->ids = p->tx;
	return &p->link;
}
