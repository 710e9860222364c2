/* api_retry.c - the cards of an ended campaign once more: by outcome and class, page by page.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A new campaign with the numbers that were promised to the cards before: who may hold a new IMSI already gets that one again
 * and no other.  Cards whose command may have run while nobody knows are left out unless they are asked for.  What a later
 * campaign has had is left to that one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ota/nearest.h"
#include "api_int.h"
#include "../core/work.h"

#define RETRY_PAGE 1000 /* rows of the old campaign looked at per commit */
#define WORD_MAX   24

#define S(x) (1u << (x))

/* What --only knows. */
static const char *const outcome_words[] = { "failed", "expired", "cancelled", "quarantined", "all" };
static const uint32_t outcome_states[] = {
	S(TXN_FAILED) | S(TXN_EXPIRED),
	S(TXN_EXPIRED),
	S(TXN_CANCELLED),
	S(TXN_QUARANTINED),
	S(TXN_FAILED) | S(TXN_EXPIRED) | S(TXN_CANCELLED) | S(TXN_QUARANTINED),
};
_Static_assert(ARRAY_SIZE(outcome_words) == ARRAY_SIZE(outcome_states), "every word has its states");

static int outcome_find(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(outcome_words); i++)
		if (!strcasecmp(word, outcome_words[i]))
			return (int)i;
	return -1;
}

static int class_find(const char *word)
{
	for (int i = FAIL_NONE + 1; i < _FAIL_CLASSES; i++)
		if (!strcasecmp(word, fail_class_name((enum fail_class)i)))
			return i;
	return -1;
}

/* "a,b": the next word; its length, 0 at the end. */
static size_t next_word(const char **text, char word[WORD_MAX])
{
	size_t n;

	*text += strspn(*text, ", ");
	n = strcspn(*text, ", ");
	snprintf(word, WORD_MAX, "%.*s", n < WORD_MAX ? (int)n : WORD_MAX - 1, *text);
	*text += n;
	return n;
}

static int read_only(uint32_t *states, const char *text, char *why, size_t cap)
{
	char word[WORD_MAX];

	*states = 0;
	while (next_word(&text, word)) {
		int i = outcome_find(word);
		const char *near = i < 0 ? nearest_word(word, outcome_words, ARRAY_SIZE(outcome_words)) : NULL;

		if (i < 0) {
			snprintf(why, cap,
				 "only: unknown outcome \"%s\"%s%s%s; known are failed (FAILED and EXPIRED), expired, "
				 "cancelled, quarantined, all",
				 word, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
			return -1;
		}
		*states |= outcome_states[i];
	}
	if (!*states)
		*states = outcome_states[0];
	return 0;
}

static int read_class(uint32_t *classes, const char *text, char *why, size_t cap)
{
	const char *words[_FAIL_CLASSES], *near;
	char word[WORD_MAX];
	size_t n = 0;

	for (int i = FAIL_NONE + 1; i < _FAIL_CLASSES; i++)
		words[n++] = fail_class_name((enum fail_class)i);
	*classes = 0;
	while (next_word(&text, word)) {
		int i = class_find(word), at;

		if (i >= 0) {
			*classes |= S(i);
			continue;
		}
		near = nearest_word(word, words, n);
		at = snprintf(why, cap, "class: unknown class \"%s\"%s%s%s; known are", word,
			      near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
		for (size_t k = 0; k < n && at > 0 && (size_t)at < cap; k++)
			at += snprintf(why + at, cap - (size_t)at, "%s %s", k ? "," : "", words[k]);
		return -1;
	}
	if (!*classes)
		*classes = UINT32_MAX;
	return 0;
}

int retry_pick(struct retry_pick *p, const struct api_campaign_req *req, char *why, size_t cap)
{
	*p = (struct retry_pick){ .may_have_run = req->may_have_run };
	return read_only(&p->states, req->only, why, cap) || read_class(&p->classes, req->cls, why, cap) ? -1 : 0;
}

/* ------------------------------------------------------------------------------------------------ create */

static void with_source(struct api *a, const struct campaign_row *source, const struct lookup *arg, struct api_to to)
{
	if (source->state != CAMPAIGN_DONE && source->state != CAMPAIGN_CANCELLED)
		api_fail(to, API_REFUSED, "not-ended",
			 "campaign %s is %s: its cards can be retried when it has ended; wait, or cancel it",
			 source->name, campaign_state_name(source->state));
	else if (source->kind)
		api_fail(to, API_REFUSED, "works",
			 "campaign %s does %s for an order: what its cards still need, the order plans by itself",
			 source->name, work_kind_name(source->kind));
	else if (!source->ended_ms)
		api_fail(to, API_NOT_READY, "not-ended",
			 "campaign %s is %s, and cards of it are still awaited: try again in a moment", source->name,
			 campaign_state_name(source->state));
	else
		campaign_create(a, &arg->req, source, to);
}

void retry_create(struct api *a, const struct api_campaign_req *req, struct api_to to)
{
	struct lookup arg = { .req = *req };
	struct gw_campaign_view *view;
	uint64_t id;

	snprintf(arg.name, sizeof(arg.name), "%s", req->retry_of);
	if (!gw_campaign_find(a->deps.gw, req->retry_of, &id)) {
		campaign_lookup_with(a, &arg, with_source, to);
		return;
	}
	view = calloc(1, sizeof(*view));
	if (view && gw_campaign_view(a->deps.gw, id, view))
		with_source(a, &view->row, &arg, to);
	else
		api_fail(to, API_NOT_READY, "no-memory", "out of memory: try again later");
	free(view);
}

/* -------------------------------------------------------------------------------------------------- take */

/* A card that was given a script and never said what became of it: as the store sees it when it keeps its numbers for it. */
static bool may_have_run(const struct txn_row *t)
{
	return t->state >= TXN_EXPIRED && t->scripts && (t->attempts || t->sms_parts);
}

static bool picked(const struct retry_pick *p, const struct txn_row *t)
{
	return t->state < _TXN_STATES && t->fail_class < _FAIL_CLASSES && p->states & S(t->state) &&
	       p->classes & S(t->fail_class);
}

static void take_row(struct session *s, struct chunk *ch, const struct store_report *r, uint64_t line)
{
	struct store_txn_plan p = {
		.txn = { .campaign = s->campaign.id, .state = TXN_PLANNED, .evidence = 255, .por_status = 255 },
		.kvn = s->profile.kvn,
		.filter = s->filter,
		.need_msisdn = !ch->call.a->deps.address_by_imsi,
		.not_quarantined = true,
		.retry_of = r->txn.id,
	};

	if (!picked(&s->pick, &r->txn)) {
		ch->out.filtered++;
		return;
	}
	if (may_have_run(&r->txn) && !s->pick.may_have_run) {
		ch->out.may_have_run++;
		return;
	}
	memcpy(p.iccid, r->iccid, sizeof(p.iccid));
	memcpy(p.txn.new_imsi, r->txn.new_imsi, sizeof(p.txn.new_imsi));
	memcpy(p.txn.new_msisdn, r->txn.new_msisdn, sizeof(p.txn.new_msisdn));
	chunk_op(ch, ST_TXN_PLAN, &p, NULL, 0, line);
}

static void take_read(struct store_query *q, int rc)
{
	struct chunk *ch = q->ctx;
	struct session *s = session_find(ch->call.a, SESSION_CAMPAIGN, ch->session);

	if (rc || !s) {
		chunk_failed(ch, s, rc ? rc : STORE_E_CLOSED, q->why);
		return;
	}
	if (campaign_dry_prefix(ch, s))
		ch->oom = true;
	for (unsigned i = 0; i < q->n && !ch->oom; i++)
		take_row(s, ch, &ch->rows[i], s->taken + i + 1);
	if (ch->oom) {
		struct api_to to = ch->call.to;

		s->busy = false;
		api_fail(to, API_NOT_READY, "no-memory", "out of memory: send this again later");
		call_free(&ch->call);
		return;
	}
	ch->n_rows = q->n;
	ch->next_line = q->n ? q->last + 1 : ch->first;
	ch->out.end = q->n < q->limit;
	campaign_commit(ch);
}

/* `first` is what the answer before called next: one more than the last row looked at. */
void retry_take(struct api *a, struct session *s, uint64_t first, size_t len, struct api_to to)
{
	struct chunk *ch;

	if (len) {
		api_fail(to, API_BAD, "bad-request",
			 "campaign %s takes its cards from campaign %s: send no list, only `first`", s->campaign.name,
			 s->source_name);
		return;
	}
	ch = chunk_open(a, s, first, 0, to);
	if (!ch)
		return;
	ch->rows = calloc(RETRY_PAGE, sizeof(*ch->rows));
	if (ch->oom || !ch->rows) {
		api_fail(to, API_NOT_READY, "no-memory", "out of memory: send this again later");
		call_free(&ch->call);
		return;
	}
	s->busy = true;
	s->touched_ms = api_now(a);
	ch->q = (struct store_query){ .kind = Q_REPORT,
				      .id = s->source,
				      .after = first - 1,
				      .limit = RETRY_PAGE,
				      .out = ch->rows,
				      .done = take_read,
				      .ctx = ch };
	a->deps.store->ops->query(a->deps.store, &ch->q);
}
