/* api_ward.c - orders to one card: probe, resync, quarantine, release.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The core decides (core/order.c).  Here is what it cannot know: whether an order between operators has the card, and how the card's
 * profile speaks.  A card of which nothing is open is asked by a campaign of its own, of one work that changes nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api_int.h"
#include "core/work.h"
#include "exchange/books.h"

#define PROBE_WITHIN_MS 3600000 /* so long a card of which nothing else is open is asked */
#define PROBE_RULES	"deadline 1h"
#define STR_(x)		#x
#define STR(x)		STR_(x)
#define PROBES_FULL	STR(PROBES_OPEN_MAX) " probes are under way: wait, or cancel some"
#define PROBE_ORDER	1 /* a work names one; those of orders are hashes */

struct ward_call {
	struct call call;
	struct store_query q;
	struct card_bundle bundle;
	struct store_book taken;
	enum gw_card_verb verb;
	bool bound;  /* an order between operators has the card */
	uint8_t kvn; /* the version that an idle card is asked under; 0: no profile says */
	char said[160];
	char profile_name[PROFILE_NAME_MAX], profile_why[API_REASON_MAX];
	char profile_text[PROFILE_TEXT_MAX + 1];
	int profile_len; /* -1: there is none, profile_why says so */
	struct profile profile;
	struct store_batch *batch;
	char by[TXN_REASON_MAX];
};

static void ward_drop(struct call *c)
{
	struct ward_call *w = (struct ward_call *)c;

	ks_wipe(&w->bundle, sizeof(w->bundle));
	store_batch_free(w->batch);
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

static bool ward_has_keys(const struct ward_call *c, uint8_t kvn)
{
	for (unsigned i = 0; i < c->bundle.n_keysets; i++)
		if (c->bundle.keyset[i].kvn == kvn && c->bundle.keyset[i].sealed_len)
			return true;
	return false;
}

/* The profile's, or of a card that was handed over the one that has taken its place (core/order.c: keys_of()). */
static uint8_t ward_kvn(const struct ward_call *c)
{
	uint8_t kvn = c->profile.kvn, other = (uint8_t)(3 - kvn);

	return (kvn == 1 || kvn == 2) && !ward_has_keys(c, kvn) && ward_has_keys(c, other) ? other : kvn;
}

/* The profile that the card is made for, or that it was spoken to by last. */
static void ward_profile(struct ward_call *c)
{
	struct gw_campaign_view view;
	const char *name = c->bundle.card.profile;

	c->profile_len = -1;
	if (!*name && c->bundle.has_txn && gw_campaign_view(c->call.a->deps.gw, c->bundle.txn.campaign, &view))
		name = view.row.profile;
	if (!name_ok(name, PROFILE_NAME_MAX)) {
		snprintf(c->profile_why, sizeof(c->profile_why),
			 "nothing of it is under way, and which card profile it has is not known: import it again with "
			 "one");
		return;
	}
	snprintf(c->profile_name, sizeof(c->profile_name), "%s", name);
	c->profile_len =
		profile_read(c->call.a, c->profile_name, c->profile_text, c->profile_why, sizeof(c->profile_why));
	if (c->profile_len >= 0 && profile_parse(&c->profile, c->call.a->deps.errtab, c->profile_text,
						 (size_t)c->profile_len, c->profile_why, sizeof(c->profile_why)))
		c->profile_len = -1;
}

static void ward_planned(struct store_batch *b, int rc)
{
	struct ward_call *c = b->ctx;
	struct api *a = c->call.a;
	const struct campaign_row *row = b->ops[0].row;
	char text[API_TEXT_MAX], why[API_REASON_MAX];
	int op = b->ops[0].rc ? b->ops[0].rc : b->ops[1].rc;

	a->probes_planned--;
	if (rc) {
		api_fail_store(a, c->call.to, rc, b->why);
		call_free(&c->call);
	} else if (op) {
		plan_reason(text, sizeof(text), op, b->ops[1].row, c->profile_name);
		ward_end(c, API_REFUSED, "refused", text);
	} else if (gw_campaign_adopt(a->deps.gw, row, c->profile_text, (size_t)c->profile_len, why, sizeof(why))) {
		ward_end(c, API_REFUSED, "refused", why);
	} else {
		if (a->deps.kick)
			a->deps.kick(a->deps.kick_ctx);
		snprintf(text, sizeof(text), "%s%sasked by campaign %s, for an hour at most", c->said,
			 *c->said ? "; " : "", row->name);
		ward_done(c, text);
	}
}

/* A question of its own: EF_IMSI of a plain card, STATUS of one with the subscription application. */
static void ward_plan(struct ward_call *c)
{
	struct api *a = c->call.a;
	const int64_t now_ms = api_now(a);
	struct campaign_row row = { .state = CAMPAIGN_RUNNING,
				    .kind = c->profile.works ? WORK_STATUS : WORK_READ,
				    .targets = 1,
				    .created_ms = now_ms,
				    .started_ms = now_ms,
				    .deadline_ms = now_ms + PROBE_WITHIN_MS,
				    .rules = PROBE_RULES };
	struct store_txn_plan p = { .txn = { .state = TXN_PLANNED, .evidence = 255, .por_status = 255, .kvn = c->kvn },
				    .need_msisdn = !a->deps.address_by_imsi,
				    .not_quarantined = true,
				    .kvn = c->kvn };
	struct work w = { .kind = row.kind, .flags = WORK_F_PROBE, .order = PROBE_ORDER };
	uint8_t packed[TXN_WORK_MAX];
	int len;

	memcpy(w.imsi, c->bundle.card.imsi, sizeof(w.imsi));
	len = work_pack(&w, packed, sizeof(packed));
	row.id = p.txn.campaign = a->next_campaign++;
	snprintf(row.name, sizeof(row.name), GW_PROBE_NAME "%s.%llu", c->bundle.card.iccid, (unsigned long long)row.id);
	memcpy(row.profile, c->profile_name, sizeof(row.profile));
	memcpy(p.iccid, c->bundle.card.iccid, sizeof(p.iccid));
	c->batch = store_batch_new();
	if (len < 0 || !c->batch ||
	    !store_batch_add(c->batch, ST_CAMPAIGN_INSERT, &row, c->profile_text, (size_t)c->profile_len) ||
	    !store_batch_add(c->batch, ST_TXN_PLAN, &p, packed, (size_t)len)) {
		ward_end(c, API_NOT_READY, "no-memory", "out of memory: try again later");
		return;
	}
	c->batch->strict = true; /* all of it or nothing */
	c->batch->done = ward_planned;
	c->batch->ctx = c;
	a->probes_planned++;
	a->deps.store->ops->commit(a->deps.store, c->batch);
}

/* Why no campaign can ask it now; NULL: one can. */
static const char *ward_no_room(const struct ward_call *c)
{
	const struct api *a = c->call.a;

	if (c->profile_len < 0)
		return c->profile_why;
	if (gw_probes_open(a->deps.gw) + a->probes_planned >= PROBES_OPEN_MAX)
		return PROBES_FULL;
	return gw_campaign_room(a->deps.gw) ? NULL : "there is no room for one more campaign";
}

static void ward_idle(struct ward_call *c, const char *said)
{
	const char *no_room = ward_no_room(c);
	const struct txn_row *t = &c->bundle.txn;
	struct gw_campaign_view view;
	char text[API_TEXT_MAX];

	if (c->verb == CARD_VERB_RESYNC)
		snprintf(c->said, sizeof(c->said), "%s", said);
	if (c->bundle.has_txn && t->state == TXN_PLANNED && gw_campaign_view(c->call.a->deps.gw, t->campaign, &view)) {
		snprintf(text, sizeof(text), "%s%scampaign %s has it, and its turn has not come", c->said,
			 *c->said ? "; " : "", view.row.name);
		if (c->verb == CARD_VERB_RESYNC)
			ward_done(c, text);
		else
			ward_end(c, API_REFUSED, "planned", text);
	} else if (!no_room) {
		ward_plan(c);
	} else if (c->verb == CARD_VERB_RESYNC) {
		snprintf(text, sizeof(text), "%s; its next command is made above it (not asked now: %s)", c->said,
			 no_room);
		ward_done(c, text);
	} else {
		ward_end(c, API_REFUSED, "nothing-open", no_room);
	}
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

	if (c->verb == CARD_VERB_PROBE || c->verb == CARD_VERB_RESYNC)
		ward_profile(c);
	if (c->profile_len > 0)
		ask.kvn = c->kvn = ward_kvn(c);
	if (c->verb == CARD_VERB_RESYNC && c->profile_len > 0 && OTA_SPI1_COUNTER(c->profile.spi[0]) == 3) {
		ward_end(c, API_REFUSED, "refused", "counter mode 11: it takes the next value alone, and no jump");
		return;
	}
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
	char digits[ICCID_DIGITS_MAX + 1];
	struct ward_call *c;

	if (!card_orderable(a, iccid, digits, to))
		return;
	c = call_new(a, sizeof(*c), to, ward_drop);
	if (!c)
		return;
	c->verb = verb;
	snprintf(c->by, sizeof(c->by), "%s", by);
	c->q = (struct store_query){ .kind = Q_CARD, .limit = 1, .out = &c->bundle, .done = ward_card, .ctx = c };
	memcpy(c->q.digits, digits, sizeof(digits));
	a->deps.store->ops->query(a->deps.store, &c->q);
}
