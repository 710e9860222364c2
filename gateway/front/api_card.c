/* api_card.c - one card's whole story, every packet decoded; and the list of cards.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Steps through the store, each a short page on the read-only connection: the card with all that is open, its commands,
 * their packets, its story.  Packets are opened through the keystore by reference, on copies.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_int.h"

#define STORY_PAGE 100

struct card_call {
	struct call call;
	struct store_query q;
	struct api_card card;
	struct campaign_row campaign;
	struct cmd_row cmd[API_CARD_CMDS_MAX];
	struct {
		uint8_t *packet;
		size_t len;
	} wire[API_CARD_CMDS_MAX];
	size_t n_wires; /* commands whose packet has been asked for */
	struct store_blob blob;
	struct store_book hold;
	struct store_story *story;
	size_t n_story;
};

static void card_drop(struct call *c)
{
	struct card_call *cc = (struct card_call *)c;

	ks_wipe(&cc->card.bundle, sizeof(cc->card.bundle));
	for (size_t i = 0; i < cc->n_wires; i++)
		free(cc->wire[i].packet);
	for (size_t i = 0; cc->card.story && i < cc->card.n_story; i++) {
		if (cc->card.story[i].own_decoded)
			free(cc->card.story[i].decoded);
	}
	free(cc->story);
	free(cc->card.cmd);
	free(cc->card.story);
}

static const struct keyset_row *keyset_of(const struct card_bundle *b, uint8_t kvn)
{
	for (unsigned i = 0; i < b->n_keysets; i++) {
		if (b->keyset[i].kvn == kvn)
			return &b->keyset[i];
	}
	return NULL;
}

static const struct cmd_row *cmd_of(const struct card_call *c, uint64_t id)
{
	for (size_t i = 0; i < c->card.n_cmds; i++) {
		if (c->cmd[i].id == id)
			return &c->cmd[i];
	}
	return NULL;
}

static struct decode_keys keys_of(const struct card_call *c, const struct cmd_row *cmd)
{
	const struct keyset_row *k = keyset_of(&c->card.bundle, cmd->kvn);
	bool replaced = k && k->generation != cmd->generation;

	return (struct decode_keys){ .ks = c->call.a->deps.ks,
				     .iccid = c->card.bundle.card.iccid,
				     .keyset = replaced ? NULL : k,
				     .replaced = replaced };
}

static void cmd_decode(struct card_call *c, size_t i)
{
	struct api_cmd_view *v = &c->card.cmd[i];
	const struct decode_keys keys = keys_of(c, &c->cmd[i]);

	v->row = c->cmd[i];
	v->packet = c->wire[i].packet;
	v->packet_len = c->wire[i].len;
	if (v->packet)
		decode_command(&v->decoded, v->packet, v->packet_len, v->row.cc_len, &keys);
	else
		snprintf(v->decoded.note, sizeof(v->decoded.note), "its packet is not stored any more (story-days)");
}

/* A command's packet is shown where it was made.  A PoR is opened against the command it was matched to; a stray one
 * against each, newest first, until one fits. */
static void story_decode(struct card_call *c, struct api_story_view *v)
{
	const struct store_story *s = &v->story;
	const struct cmd_row *cmd = cmd_of(c, s->row.cmd);

	if (cmd && s->row.kind == STORY_PREPARED) {
		const struct api_cmd_view *made = &c->card.cmd[cmd - c->cmd];

		v->octets = made->packet;
		v->octets_len = made->packet_len;
		v->decoded = &c->card.cmd[cmd - c->cmd].decoded;
		return;
	}
	v->octets = s->row.detail_len ? s->detail : NULL;
	v->octets_len = s->row.detail_len;
	if ((s->row.kind != STORY_POR && s->row.kind != STORY_STRAY) || !s->row.detail_len)
		return;
	v->decoded = calloc(1, sizeof(*v->decoded));
	v->own_decoded = true;
	for (size_t i = c->card.n_cmds; v->decoded && i-- > 0 && !v->decoded->opened;) {
		const struct cmd_row *try = cmd ? cmd : &c->cmd[i];
		const struct decode_keys keys = keys_of(c, try);

		decode_response(v->decoded, s->detail, s->row.detail_len, try, &keys);
		if (cmd)
			break;
	}
}

/* That a command was made is told by its own row; it costs no row in the story. */
static void story_prepared(struct store_story *out, const struct cmd_row *cmd)
{
	out->row = (struct story_row){
		.card = cmd->card, .cmd = cmd->id, .at_ms = cmd->prepared_ms, .kind = STORY_PREPARED
	};
	snprintf(out->row.text, sizeof(out->row.text), "%s prepared: CNTR %llu, %u octets, %u SMS",
		 cmd->kind == CMD_SCRIPT ? "script" : "read-back", (unsigned long long)cmd->cntr, cmd->packet_len,
		 cmd->segs);
}

/* What the story's rows tell, and before the first thing that follows from a command that it was made. */
static void story_put_together(struct card_call *c)
{
	size_t made = 0, n = 0;

	for (size_t i = 0; i < c->n_story; i++) {
		const struct story_row *row = &c->story[i].row;

		while (made < c->card.n_cmds && (row->at_ms > c->cmd[made].prepared_ms || row->cmd == c->cmd[made].id))
			story_prepared(&c->card.story[n++].story, &c->cmd[made++]);
		c->card.story[n++].story = c->story[i];
	}
	while (made < c->card.n_cmds)
		story_prepared(&c->card.story[n++].story, &c->cmd[made++]);
	c->card.n_story = n;
}

static void card_answer(struct card_call *c)
{
	struct api_to to = c->call.to;
	struct api_reply r = { .status = API_OK, .card = &c->card };

	c->card.cmd = calloc(c->card.n_cmds + 1, sizeof(*c->card.cmd));
	c->card.story = calloc(c->n_story + c->card.n_cmds + 1, sizeof(*c->card.story));
	if (!c->card.cmd || !c->card.story) {
		api_fail(to, API_NOT_READY, "no-memory", "out of memory: try again later");
		call_free(&c->call);
		return;
	}
	for (size_t i = 0; i < c->card.n_cmds; i++)
		cmd_decode(c, i);
	story_put_together(c);
	for (size_t i = 0; i < c->card.n_story; i++)
		story_decode(c, &c->card.story[i]);
	to.done(to.ctx, &r);
	call_free(&c->call);
}

static void card_fail(struct card_call *c, int rc)
{
	api_fail_store(c->call.a, c->call.to, rc, c->q.why);
	call_free(&c->call);
}

static void card_story(struct store_query *q, int rc);

static void card_story_ask(struct card_call *c, uint64_t after)
{
	struct store_story *more = realloc(c->story, (c->n_story + STORY_PAGE) * sizeof(*more));

	if (!more) {
		api_fail(c->call.to, API_NOT_READY, "no-memory", "out of memory: try again later");
		call_free(&c->call);
		return;
	}
	c->story = more;
	c->q = (struct store_query){ .kind = Q_CARD_STORY,
				     .id = c->card.bundle.card.id,
				     .after = after,
				     .limit = STORY_PAGE,
				     .out = c->story + c->n_story,
				     .done = card_story,
				     .ctx = c };
	c->call.a->deps.store->ops->query(c->call.a->deps.store, &c->q);
}

static void card_story(struct store_query *q, int rc)
{
	struct card_call *c = q->ctx;

	if (rc) {
		card_fail(c, rc);
		return;
	}
	c->n_story += q->n;
	if (q->n)
		c->card.next = q->last;
	if (q->n == STORY_PAGE && c->n_story + STORY_PAGE <= API_CARD_STORY_MAX) {
		card_story_ask(c, q->last);
		return;
	}
	c->card.cut |= q->n == STORY_PAGE;
	card_answer(c);
}

static void card_wire(struct store_query *q, int rc);

/* The packet of one command after the other; then the story. */
static void card_wire_ask(struct card_call *c)
{
	if (c->n_wires == c->card.n_cmds) {
		card_story_ask(c, c->card.next);
		return;
	}
	c->q = (struct store_query){
		.kind = Q_WIRE, .id = c->cmd[c->n_wires].id, .limit = 1, .out = &c->blob, .done = card_wire, .ctx = c
	};
	c->call.a->deps.store->ops->query(c->call.a->deps.store, &c->q);
}

static void card_wire(struct store_query *q, int rc)
{
	struct card_call *c = q->ctx;

	if (rc) {
		card_fail(c, rc);
		return;
	}
	if (q->n && c->blob.len && c->blob.len <= CMD_PACKET_MAX) {
		uint8_t *packet = malloc(c->blob.len);

		if (packet) {
			memcpy(packet, c->blob.bytes, c->blob.len);
			c->wire[c->n_wires].packet = packet;
			c->wire[c->n_wires].len = c->blob.len;
		}
	}
	c->n_wires++;
	card_wire_ask(c);
}

static void card_hold(struct store_query *q, int rc)
{
	struct card_call *c = q->ctx;

	if (rc) {
		card_fail(c, rc);
		return;
	}
	c->card.has_hold = q->n && !hold_unpack(&c->card.hold, c->hold.body, c->hold.row.len);
	card_wire_ask(c);
}

static void card_cmds(struct store_query *q, int rc)
{
	struct card_call *c = q->ctx;

	if (rc) {
		card_fail(c, rc);
		return;
	}
	c->card.n_cmds = q->n;
	c->card.cut = q->n == q->limit;
	c->q = (struct store_query){
		.kind = Q_BOOK_GET, .book = BOOK_HOLD, .limit = 1, .out = &c->hold, .done = card_hold, .ctx = c
	};
	memcpy(c->q.key, c->card.bundle.card.iccid, sizeof(c->card.bundle.card.iccid));
	c->call.a->deps.store->ops->query(c->call.a->deps.store, &c->q);
}

static void card_cmds_ask(struct card_call *c)
{
	c->q = (struct store_query){ .kind = Q_CARD_CMDS,
				     .id = c->card.bundle.card.id,
				     .limit = API_CARD_CMDS_MAX,
				     .out = c->cmd,
				     .done = card_cmds,
				     .ctx = c };
	c->call.a->deps.store->ops->query(c->call.a->deps.store, &c->q);
}

/* The name of a campaign that the core does not hold. */
static void card_campaign(struct store_query *q, int rc)
{
	struct card_call *c = q->ctx;

	if (rc) {
		card_fail(c, rc);
		return;
	}
	if (q->n && c->campaign.id == c->card.bundle.txn.campaign)
		memcpy(c->card.campaign, c->campaign.name, sizeof(c->card.campaign));
	card_cmds_ask(c);
}

static void card_got(struct store_query *q, int rc)
{
	struct card_call *c = q->ctx;
	struct gw_campaign_view view;

	if (rc) {
		card_fail(c, rc);
		return;
	}
	if (!q->n) {
		api_fail(c->call.to, API_NOT_FOUND, "no-such-card", "there is no card with ICCID %s: import it first",
			 q->digits);
		call_free(&c->call);
		return;
	}
	if (!c->card.bundle.has_txn) {
		card_cmds_ask(c);
	} else if (gw_campaign_view(c->call.a->deps.gw, c->card.bundle.txn.campaign, &view)) {
		memcpy(c->card.campaign, view.row.name, sizeof(c->card.campaign));
		card_cmds_ask(c);
	} else {
		c->q = (struct store_query){ .kind = Q_CAMPAIGNS,
					     .after = c->card.bundle.txn.campaign - 1,
					     .limit = 1,
					     .out = &c->campaign,
					     .done = card_campaign,
					     .ctx = c };
		c->call.a->deps.store->ops->query(c->call.a->deps.store, &c->q);
	}
}

void api_card_show(struct api *a, const char *iccid, struct api_to to)
{
	api_card_story(a, iccid, 0, to);
}

void api_card_story(struct api *a, const char *iccid, uint64_t after, struct api_to to)
{
	char digits[ICCID_DIGITS_MAX + 1], why[API_REASON_MAX];
	struct card_call *c;

	if (check_number(NUM_ICCID, iccid, digits, why, sizeof(why))) {
		api_fail(to, API_BAD, "bad-iccid", "%s", why);
		return;
	}
	c = call_new(a, sizeof(*c), to, card_drop);
	if (!c)
		return;
	c->card.next = after;
	c->q = (struct store_query){ .kind = Q_CARD, .limit = 1, .out = &c->card.bundle, .done = card_got, .ctx = c };
	memcpy(c->q.digits, digits, sizeof(digits));
	a->deps.store->ops->query(a->deps.store, &c->q);
}

/* --------------------------------------------------------------------------------------------- by its IMSI */

struct find_call {
	struct call call;
	struct store_query q;
	struct api_card card;
};

static void find_drop(struct call *c)
{
	ks_wipe(&((struct find_call *)c)->card.bundle, sizeof(struct card_bundle));
}

static void find_got(struct store_query *q, int rc)
{
	struct find_call *c = q->ctx;
	struct api_reply r = { .status = API_OK, .card = &c->card };

	if (rc)
		api_fail_store(c->call.a, c->call.to, rc, q->why);
	else if (!q->n)
		api_fail(c->call.to, API_NOT_FOUND, "no-such-card", "there is no card with this IMSI");
	else
		c->call.to.done(c->call.to.ctx, &r);
	call_free(&c->call);
}

void api_card_find(struct api *a, const char *imsi, struct api_to to)
{
	char digits[ICCID_DIGITS_MAX + 1], why[API_REASON_MAX];
	struct find_call *c;

	if (check_number(NUM_IMSI, imsi, digits, why, sizeof(why))) {
		api_fail(to, API_BAD, "bad-imsi", "%s", why);
		return;
	}
	c = call_new(a, sizeof(*c), to, find_drop);
	if (!c)
		return;
	c->q = (struct store_query){ .kind = Q_CARD,
				     .step = ADDR_IMSI,
				     .after = (uint64_t)api_now(a),
				     .limit = 1,
				     .out = &c->card.bundle,
				     .done = find_got,
				     .ctx = c };
	memcpy(c->q.digits, digits, sizeof(digits));
	a->deps.store->ops->query(a->deps.store, &c->q);
}

/* ---------------------------------------------------------------------------------------------- presence */

struct present_call {
	struct call call;
	struct store_query q;
	struct card_bundle bundle;
};

static void present_got(struct store_query *q, int rc)
{
	struct present_call *c = q->ctx;
	const struct card_row *card = &c->bundle.card;
	struct api_verb v = { .name = q->digits, .state = "PRESENT" };
	struct api_reply r = { .status = API_OK, .verb = &v };

	if (rc)
		api_fail_store(c->call.a, c->call.to, rc, q->why);
	else if (!q->n)
		api_fail(c->call.to, API_NOT_FOUND, "no-such-card", "there is no card with ICCID %s: import it first",
			 q->digits);
	else if (gw_card_seen(c->call.a->deps.gw, card->imsi, 0)) /* its MSISDN it may have elsewhere by now */
		api_fail(c->call.to, API_NOT_READY, "busy", "the core's inbox is full: try again in a moment");
	else
		c->call.to.done(c->call.to.ctx, &r);
	call_free(&c->call);
}

bool card_orderable(struct api *a, const char *iccid, char digits[ICCID_DIGITS_MAX + 1], struct api_to to)
{
	char why[API_REASON_MAX];

	if (!check_number(NUM_ICCID, iccid, digits, why, sizeof(why)))
		return api_ready(a, to);
	api_fail(to, API_BAD, "bad-iccid", "%s", why);
	return false;
}

void api_card_present(struct api *a, const char *iccid, struct api_to to)
{
	char digits[ICCID_DIGITS_MAX + 1];
	struct present_call *c;

	if (!card_orderable(a, iccid, digits, to))
		return;
	c = call_new(a, sizeof(*c), to, NULL);
	if (!c)
		return;
	c->q = (struct store_query){ .kind = Q_CARD, .limit = 1, .out = &c->bundle, .done = present_got, .ctx = c };
	memcpy(c->q.digits, digits, sizeof(digits));
	a->deps.store->ops->query(a->deps.store, &c->q);
}

/* ------------------------------------------------------------------------------------------------- list */

struct cards_call {
	struct call call;
	struct store_query q;
	struct card_row row[];
};

static void cards_done(struct store_query *q, int rc)
{
	struct cards_call *c = q->ctx;
	struct api_cards page = { .card = c->row, .n = q->n, .next = q->n == q->limit ? q->last : 0 };
	struct api_reply r = { .status = API_OK, .cards = &page };

	if (rc)
		api_fail_store(c->call.a, c->call.to, rc, q->why);
	else
		c->call.to.done(c->call.to.ctx, &r);
	call_free(&c->call);
}

void api_cards(struct api *a, uint64_t after, unsigned limit, struct api_to to)
{
	struct cards_call *c;

	if (limit < 1 || limit > API_CARDS_MAX) {
		api_fail(to, API_BAD, "bad-limit", "limit must be 1 to %d", API_CARDS_MAX);
		return;
	}
	c = call_new(a, sizeof(*c) + limit * sizeof(c->row[0]), to, NULL);
	if (!c)
		return;
	c->q = (struct store_query){
		.kind = Q_CARDS, .after = after, .limit = limit, .out = c->row, .done = cards_done, .ctx = c
	};
	a->deps.store->ops->query(a->deps.store, &c->q);
}
