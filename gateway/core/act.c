/* act.c - let go what is durable: packets into the links, answers back to them, replies to who asked.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The one loop between core and links; the shell and the simulator run the same.
 */
#include "gw_int.h"

static void drain_link(struct gw *gw, struct link *l, int64_t now_ms)
{
	uint8_t ud[LINK_UD_MAX];
	struct link_submit s;
	unsigned room;

	while ((room = l->ops->credit(l, now_ms)) > 0) {
		int rc;

		gw->link[l->id].growing = l->ops->credit_due(l, now_ms) != INT64_MAX;
		if (!gw_submit_next(gw, l->id, room, now_ms, &s, ud))
			return;
		rc = l->ops->submit(l, &s, now_ms);

		if (rc)
			gw_submit_refused(gw, l->id, s.token, rc, now_ms);
		if (rc && rc != -EINVAL)
			return;
	}
}

static void ask_links(struct gw *gw, struct link *const *links, unsigned n, bool suspect, int64_t now_ms)
{
	for (unsigned i = 0; i < n; i++)
		if ((gw->link_state[i].suspect_ms != 0) == suspect)
			drain_link(gw, links[i], now_ms);
}

static void bind_as_ordered(struct gw *gw, struct link *l)
{
	bool wanted = gw_link_wanted(gw, l->id);

	if (gw->link[l->id].wanted == wanted)
		return;
	gw->link[l->id].wanted = wanted;
	if (wanted)
		(void)l->ops->start(l); /* a link that cannot be started says so itself, and in its status */
	else
		l->ops->stop(l);
}

int64_t gw_act(struct gw *gw, struct link *const *links, unsigned n_links, const struct gw_reply_sink *sink,
	       int64_t now_ms)
{
	int64_t due = INT64_MAX;
	struct gw_effect fx;

	while (gw_effect_next(gw, &fx)) {
		if (fx.kind == GW_FX_ANSWER)
			links[fx.link]->ops->answer(links[fx.link], fx.token, fx.answer);
		else if (fx.kind == GW_FX_REPLY && sink)
			sink->reply(sink->ctx, &fx);
		else if (fx.kind == GW_FX_TXN && sink && sink->txn)
			sink->txn(sink->txn_ctx, &fx);
	}
	do { /* what has gone over to another route may be that of a link that has been asked already */
		gw->rerouted = false;
		/* one that has not answered lately goes first: the others would leave it nothing to show itself with */
		ask_links(gw, links, n_links, true, now_ms);
		ask_links(gw, links, n_links, false, now_ms);
	} while (gw->rerouted);
	for (unsigned i = 0; i < n_links; i++) {
		int64_t d;

		bind_as_ordered(gw, links[i]);
		d = gw->prepared ? links[i]->ops->credit_due(links[i], now_ms) : INT64_MAX;
		if (d < due)
			due = d;
	}
	return due;
}
