/* api_ward.c - orders to one card: probe, resync, quarantine, release.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The core decides (core/order.c).  Here is what it cannot know: whether an order between operators has the card, and how the card's
 * profile counts.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api_int.h"
#include "exchange/books.h"

struct ward_call {
	struct call call;
	struct store_query q;
	struct card_bundle bundle;
	struct store_book taken;
	enum gw_card_verb verb;
	bool bound; /* an order between operators has the card */
	char by[TXN_REASON_MAX];
};

static void ward_drop(struct call *c)
{
	struct ward_call *w = (struct ward_call *)c;

	ks_wipe(&w->bundle, sizeof(w->bundle));
}

static void ward_end(struct ward_call *c, enum api_status status, const char *code, const char *text)
{
	api_fail(c->call.to, status, code, "card %s: %s refused: %s", c->bundle.card.iccid, gw_card_verb_name(c->verb),
		 text);
	call_free(&c->call);
}

static void ward_done(struct ward_call *c, const char *text)
{
	static const char *const state[_CARD_VERBS] = { [CARD_VERB_PROBE] = "PROBE",
							[CARD_VERB_RESYNC] = "RESYNC",
							[CARD_VERB_QUARANTINE] = "QUARANTINE",
							[CARD_VERB_RELEASE] = "RELEASED" };
	struct api_verb v = { .name = c->bundle.card.iccid, .state = state[c->verb], .text = text };
	struct api_reply r = { .status = API_OK, .verb = &v };

	c->call.to.done(c->call.to.ctx, &r);
	call_free(&c->call);
}

static void ward_idle(struct ward_call *c, const char *said)
{
	const struct txn_row *t = &c->bundle.txn;
	struct gw_campaign_view view;
	char text[API_TEXT_MAX];

	if (c->bundle.has_txn && t->state == TXN_PLANNED && gw_campaign_view(c->call.a->deps.gw, t->campaign, &view)) {
		snprintf(text, sizeof(text), "%s%scampaign %s has it, and its turn has not come",
			 c->verb == CARD_VERB_RESYNC ? said : "", c->verb == CARD_VERB_RESYNC ? "; " : "",
			 view.row.name);
		if (c->verb == CARD_VERB_RESYNC)
			ward_done(c, text);
		else
			ward_end(c, API_REFUSED, "planned", text);
		return;
	}
	if (c->verb == CARD_VERB_PROBE) {
		ward_end(c, API_REFUSED, "nothing-open",
			 "nothing of it is under way; a campaign's command asks the card by itself");
		return;
	}
	snprintf(text, sizeof(text), "%s; nothing is under way, and its next command is made above it", said);
	ward_done(c, text);
}

static void ward_reply(struct call *call, const struct gw_effect *fx)
{
	struct ward_call *c = (struct ward_call *)call;

	if (!fx->rc)
		ward_done(c, fx->reason);
	else if (fx->rc == -ENODATA)
		ward_idle(c, fx->reason);
	else
		ward_end(c, fx->rc == -ENOENT ? API_NOT_FOUND : API_REFUSED,
			 fx->rc == -ENOENT ? "no-such-card" : "refused", fx->reason);
}

static void ward_post(struct ward_call *c)
{
	struct api *a = c->call.a;
	struct gw_card_ask ask = {
		.card = c->bundle.card.id, .verb = c->verb, .bound = c->bound, .by = c->by, .request = ++a->next_request
	};

	c->call.request = ask.request;
	c->call.reply = ward_reply;
	if (gw_card_order(a->deps.gw, &ask))
		ward_end(c, API_NOT_READY, "busy", "the core's inbox is full: try again in a moment");
	else if (a->deps.kick)
		a->deps.kick(a->deps.kick_ctx);
}

static void ward_taken(struct store_query *q, int rc)
{
	struct ward_call *c = q->ctx;

	if (rc) {
		api_fail_store(c->call.a, c->call.to, rc, q->why);
		call_free(&c->call);
		return;
	}
	c->bound = q->n && c->taken.row.owner;
	ward_post(c);
}

static void ward_card(struct store_query *q, int rc)
{
	struct ward_call *c = q->ctx;

	if (rc) {
		api_fail_store(c->call.a, c->call.to, rc, q->why);
		call_free(&c->call);
		return;
	}
	if (!q->n) {
		api_fail(c->call.to, API_NOT_FOUND, "no-such-card", "there is no card with ICCID %s: import it first",
			 q->digits);
		call_free(&c->call);
		return;
	}
	c->q = (struct store_query){
		.kind = Q_BOOK_GET, .book = BOOK_TAKEN, .limit = 1, .out = &c->taken, .done = ward_taken, .ctx = c
	};
	memcpy(c->q.key, c->bundle.card.iccid, sizeof(c->bundle.card.iccid));
	c->call.a->deps.store->ops->query(c->call.a->deps.store, &c->q);
}

void api_card_order(struct api *a, const char *iccid, enum gw_card_verb verb, const char *by, struct api_to to)
{
	char digits[ICCID_DIGITS_MAX + 1], why[API_REASON_MAX];
	struct ward_call *c;

	if (check_number(NUM_ICCID, iccid, digits, why, sizeof(why))) {
		api_fail(to, API_BAD, "bad-iccid", "%s", why);
		return;
	}
	if (!gw_ready(a->deps.gw)) {
		api_fail(to, API_NOT_READY, "starting",
			 "the gateway is still reading its state: try again in a moment");
		return;
	}
	c = call_new(a, sizeof(*c), to, ward_drop);
	if (!c)
		return;
	c->verb = verb;
	snprintf(c->by, sizeof(c->by), "%s", by);
	c->q = (struct store_query){ .kind = Q_CARD, .limit = 1, .out = &c->bundle, .done = ward_card, .ctx = c };
	memcpy(c->q.digits, digits, sizeof(digits));
	a->deps.store->ops->query(a->deps.store, &c->q);
}
