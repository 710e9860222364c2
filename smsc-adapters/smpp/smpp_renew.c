/* smpp_renew.c - a bind that is made once more, for an SMSC that forgets the way to us when an older connection's submits end.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * OsmoMSC (1.9) keeps a connection that is gone for as long as submits of it are under way.  When the last one has ended it forgets whom
 * of that system id messages are for, also when somebody else has bound meanwhile: responses and alerts go on coming, but no deliver_sm
 * does, and each answer of a card is refused with RP cause 38.  Only another bind mends that, one before which nothing is under way.  What
 * a connection of an earlier process has left nobody knows, so the first bind counts as one that follows such a connection.
 */
#include "smpp_int.h"

#define FIRST_OF  4 /* response_ms divided by that: the first time, the wait for what is under way, and between tries */
#define LONGEST_X 2 /* response_ms times that: what is under way at the SMSC has ended */

static bool wanted(const struct smpp_link *l)
{
	return l->cfg.rebind && l->role == SMPP_ROLE_TRX;
}

static int64_t first_ms(const struct smpp_link *l)
{
	return l->cfg.response_ms / FIRST_OF + 1;
}

static void left_open(struct smpp_link *l)
{
	l->open_until_ms = smpp_now(l) + (int64_t)l->cfg.response_ms * LONGEST_X;
}

/* Unbinds when nothing is under way in either direction.  An SMSC that answers nothing gets no new bind for that: its owner would take
 * it for healed. */
void smpp_renew_step(struct smpp_link *l)
{
	if (!l->renewing || l->state != SMPP_BOUND || l->expired_in_row || l->slot_first != SMPP_NONE ||
	    l->held_first != SMPP_NONE || l->gather)
		return;
	smpp_log(l, SMPP_LOG_INFO, "binds once more: submits of an earlier connection may have cost us our messages");
	event_del(l->renew_ev);
	smpp_conn_unbind(l);
}

static void on_renew(evutil_socket_t fd, short what, void *arg)
{
	struct smpp_link *l = arg;

	if (l->state != SMPP_BOUND)
		return;
	l->renewing = !l->renewing; /* what is under way takes long: on with the traffic, and another try later */
	smpp_timer(l->renew_ev, first_ms(l));
	l->renew_ms = smpp_now(l) + first_ms(l);
	smpp_renew_step(l);
}

bool smpp_renew_init(struct smpp_link *l)
{
	l->renew_ev = evtimer_new(l->env.base, on_renew, l);
	left_open(l);
	return l->renew_ev != NULL;
}

void smpp_renew_up(struct smpp_link *l)
{
	const int64_t now_ms = smpp_now(l);

	if (!wanted(l) || now_ms >= l->open_until_ms)
		return;
	/* the first time for those that end soon, the last one when all have ended */
	smpp_timer(l->renew_ev, l->renewed ? l->open_until_ms - now_ms + 1 : first_ms(l));
	l->renewed = false;
}

/* Before what is under way is given up. */
void smpp_renew_down(struct smpp_link *l)
{
	const bool open = l->slot_first != SMPP_NONE || l->expired_here;

	event_del(l->renew_ev);
	l->renewed = l->renewing && !open;
	l->renewing = l->expired_here = false;
	if (open)
		left_open(l);
}
