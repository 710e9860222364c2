/* check_rules.c - the promises of a campaign's rules, watched from outside: what the core gives to the store, and the wire.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What was drawn counts, and not the text that the core has read.  Times are the gateway's own, so that a clock that is set
 * changes nothing of what is promised.
 */
#include <string.h>

#include "sim.h"

#define STOP_WITHIN_MS 2000 /* also what is prepared */
#define DAY_MIN	       1440
#define GUARD	       16 /* of so many packets one is of a lower class of priority */
#define TURNS_SPARE    8  /* packets that were on their way when somebody's turn came */

/* ------------------------------------------------------------------------------------------------ who is where */

/* Of a card in the order of its campaign's list, from 0. */
static unsigned position(const struct world *w, unsigned index)
{
	unsigned n = 0;

	for (unsigned i = 0; i < index; i++)
		n += w->watch[i].campaign == w->watch[index].campaign;
	return n;
}

/* Whether the first n cards of a campaign are all in such a state, as the core has given them to the store. */
static bool first_are(const struct world *w, unsigned campaign, unsigned n, bool (*in)(uint8_t state))
{
	unsigned seen = 0;

	for (unsigned i = 0; i < w->sc.cards && seen < n; i++)
		if (w->watch[i].campaign == campaign) {
			if (!in(w->watch[i].given_state))
				return false;
			seen++;
		}
	return true;
}

static bool begun(uint8_t state)
{
	return state != TXN_PLANNED;
}

static bool ended(uint8_t state)
{
	return state != TXN_PLANNED && state != TXN_ACTIVE;
}

static bool window_open(const struct drawn_rules *r, int64_t tz_min, int64_t gw_ms)
{
	int64_t min = (gw_ms / 60000 + (r->device ? tz_min : r->zone_min) + DAY_MIN) % DAY_MIN;

	if (!r->windowed)
		return true;
	return r->open_min < r->close_min ? min >= r->open_min && min < r->close_min :
					    min >= r->open_min || min < r->close_min;
}

/* ------------------------------------------------------------------------------------------------ what the core gives */

static void count_end(struct world *w, struct watched_campaign *k, uint8_t from, uint8_t to)
{
	const struct drawn_rules *r = &w->sc.rules[k - w->rules];

	for (unsigned i = 0; i < r->n_abort; i++) {
		if (k->counting && r->abort[i].state == to && from != to)
			k->hits[i]++;
		if (k->hits[i] && r->abort[i].state == from && from != to) /* a late proof */
			k->hits[i]--;
	}
}

static void given_txn(struct world *w, const struct txn_row *row)
{
	for (unsigned i = 0; i < w->sc.cards; i++) {
		struct watched_card *c = &w->watch[i];

		if (c->id != row->card || row->campaign != w->campaign[c->campaign].id)
			continue;
		count_end(w, &w->rules[c->campaign], c->given_state, row->state);
		c->given_state = row->state;
	}
}

static void given_campaign(struct world *w, const struct campaign_row *row)
{
	struct watched_campaign *k = &w->rules[row->id - 1];
	const struct drawn_rules *r = &w->sc.rules[row->id - 1];

	k->stopped = row->state != CAMPAIGN_RUNNING;
	k->deadline_ms = row->deadline_ms;
	if (row->started_ms && row->deadline_ms != (r->deadline_ms ? row->started_ms + r->deadline_ms : 0))
		check_fail(w, "deadline", "campaign %s: the row says %lld ms after the start, the rule %lld", row->name,
			   (long long)(row->deadline_ms - row->started_ms), (long long)r->deadline_ms);
}

static void hold_passes(struct world *w, unsigned campaign)
{
	struct watched_campaign *k = &w->rules[campaign];
	const struct drawn_rules *r = &w->sc.rules[campaign];

	for (unsigned g = 0; g < r->n_canary; g++)
		k->held[g] |= r->hold_ms && k->whole_ms[g] && w->gw_ms >= k->whole_ms[g] + r->hold_ms;
}

void rules_given(struct world *w, const struct store_batch *b)
{
	if (!b->batch_no || b->batch_no <= w->given_batch)
		return; /* not the core's, or the same once more */
	w->given_batch = b->batch_no;
	for (size_t i = 0; i < b->n; i++)
		if (b->ops[i].kind == ST_TXN_PUT)
			given_txn(w, b->ops[i].row);
		else if (b->ops[i].kind == ST_CAMPAIGN_PUT)
			given_campaign(w, b->ops[i].row);
	for (unsigned n = 0; n < w->n_campaigns; n++) {
		struct watched_campaign *k = &w->rules[n];
		const struct drawn_rules *r = &w->sc.rules[n];

		for (unsigned g = 0; g < r->n_canary; g++)
			if (!k->whole_ms[g] && first_are(w, n, r->group_end[g], begun))
				k->whole_ms[g] = w->given_ms; /* not earlier: it would have been in the batch before */
		hold_passes(w, n);
		for (unsigned i = 0; i < r->n_abort; i++)
			if (k->hits[i] >= r->abort[i].n && !k->stopped)
				check_fail(w, "threshold", "campaign %s: %u cards are %s, and it runs on",
					   w->campaign[n].name, k->hits[i], txn_state_name(r->abort[i].state));
	}
	w->given_ms = w->gw_ms;
}

void rules_durable(struct world *w, const struct campaign_row *row)
{
	w->rules[row->id - 1].durable_stopped = row->state != CAMPAIGN_RUNNING;
	w->rules[row->id - 1].durable_ended = row->ended_ms != 0;
}

/* Who is told that a campaign has ended reads its report next. */
void rules_looked(struct world *w)
{
	struct gw_campaign_view v;

	for (unsigned i = 0; i < w->n_campaigns; i++)
		if (gw_campaign_view(w->gw, w->campaign[i].id, &v) &&
		    (v.row.ended_ms || v.row.state == CAMPAIGN_DONE) && !w->rules[i].durable_ended)
			check_fail(w, "end-is-durable", "campaign %s is shown as ended and is not in the store",
				   w->campaign[i].name);
}

/* A new life: what was not durable is forgotten. */
void rules_boot(struct world *w)
{
	w->given_batch = w->disk_batch;
	w->given_ms = w->gw_ms;
	for (unsigned i = 0; i < w->sc.cards; i++)
		w->watch[i].given_state = w->watch[i].txn_state;
	for (unsigned n = 0; n < w->n_campaigns; n++) {
		struct watched_campaign *k = &w->rules[n];
		const struct drawn_rules *r = &w->sc.rules[n];

		k->stopped = k->durable_stopped;
		k->asked_ms = 0;
		k->passed = 0;
		k->counting = false;
		memset(k->hits, 0, sizeof(k->hits));
		for (unsigned g = 0; g < r->n_canary; g++)
			if (!first_are(w, n, r->group_end[g], begun))
				k->whole_ms[g] = k->held[g] = 0;
	}
}

/* ------------------------------------------------------------------------------------------------ what operators ask */

void rules_asked(struct world *w, unsigned campaign, enum gw_campaign_verb verb)
{
	struct watched_campaign *k = &w->rules[campaign];

	if (verb == CAMPAIGN_VERB_START) {
		/* it may run from now on, and counts anew */
		k->asked_ms = 0;
		k->stopped = k->counting = false;
		memset(k->hits, 0, sizeof(k->hits));
	} else if (!k->asked_ms) {
		k->asked_ms = w->now_ms;
	}
}

void rules_told(struct world *w, unsigned campaign, enum gw_campaign_verb verb, int rc)
{
	if (verb == CAMPAIGN_VERB_START && !rc)
		w->rules[campaign].counting = true;
}

/* ------------------------------------------------------------------------------------------------ the wire */

static void check_canary(struct world *w, unsigned campaign, unsigned index)
{
	const struct drawn_rules *r = &w->sc.rules[campaign];
	unsigned g = 0, at = position(w, index);

	while (g < r->n_canary && at >= r->group_end[g])
		g++;
	if (!g || first_are(w, campaign, r->group_end[g - 1], ended))
		return;
	hold_passes(w, campaign);
	if (w->rules[campaign].held[g - 1])
		return;
	check_fail(w, "canary",
		   "campaign %s: card %u, number %u of the list, is sent to while the first %u have not ended",
		   w->campaign[campaign].name, index, at + 1, r->group_end[g - 1]);
}

/* Prepared, durable and told so, and not handed out; and the core says that it has such, too. */
static bool waits(struct world *w, unsigned campaign)
{
	const struct watched_campaign *k = &w->rules[campaign];
	const struct drawn_rules *r = &w->sc.rules[campaign];
	unsigned waiting = 0, out = 0;
	struct gw_campaign_view v;

	if (k->stopped || k->asked_ms || r->device || !window_open(r, 0, w->gw_ms) ||
	    (k->deadline_ms && w->gw_ms >= k->deadline_ms))
		return false;
	for (unsigned i = 0; i < w->sc.cards; i++)
		for (unsigned n = 0; n < w->watch[i].n_cmds; n++) {
			const struct seen_cmd *s = &w->watch[i].cmd[n];

			if (s->lost || s->row.campaign != w->campaign[campaign].id || s->row.state != CMD_PREPARED)
				continue;
			/* of a life before: it stands in the queue when its card has been read */
			if (s->left_attempt == s->row.attempt || s->life != w->lives || s->batch_no > w->mark)
				out++;
			else
				waiting++;
		}
	return waiting && gw_campaign_view(w->gw, w->campaign[campaign].id, &v) && v.prepared > out;
}

/* So many packets of others may go before one of this campaign does. */
static unsigned turns(const struct world *w, unsigned campaign)
{
	unsigned same = 0, above = 0, lower = 0, own = w->sc.rules[campaign].priority;
	bool known[_PRIORITIES] = { false };

	for (unsigned n = 0; n < w->n_campaigns; n++) {
		unsigned class = w->sc.rules[n].priority;

		same += class == own;
		above += class < own;
		known[class] = true;
	}
	for (unsigned class = 0, top = 1; class < _PRIORITIES; class ++) {
		lower += known[class] && !top;
		top = top && !known[class];
	}
	/* the lower classes share one packet of GUARD */
	return above ? GUARD * lower * same + TURNS_SPARE : 2 * same + TURNS_SPARE;
}

static void check_turns(struct world *w, unsigned campaign)
{
	for (unsigned n = 0; n < w->n_campaigns; n++) {
		struct watched_campaign *k = &w->rules[n];

		if (n == campaign || !waits(w, n)) {
			k->passed = 0;
			continue;
		}
		if (++k->passed > turns(w, n)) {
			check_fail(w, "starved", "campaign %s has a packet ready, and %u of others have gone before it",
				   w->campaign[n].name, k->passed);
			k->passed = 0;
		}
	}
}

void rules_submit(struct world *w, unsigned index, struct seen_cmd *s, bool first)
{
	unsigned campaign = (unsigned)(s->row.campaign - 1);
	const struct watched_campaign *k = &w->rules[campaign];
	const struct drawn_rules *r = &w->sc.rules[campaign];
	const char *name = w->campaign[campaign].name;

	if (k->stopped)
		check_fail(w, "stopped", "card %u: campaign %s has stopped, and a segment leaves", index, name);
	if (k->asked_ms && w->now_ms > k->asked_ms + STOP_WITHIN_MS)
		check_fail(w, "stopped", "card %u: campaign %s was to stop %lld ms ago, and a segment leaves", index,
			   name, (long long)(w->now_ms - k->asked_ms));
	if (k->deadline_ms && w->gw_ms >= k->deadline_ms + (first ? 0 : STOP_WITHIN_MS))
		check_fail(w, "deadline", "card %u: campaign %s ended %lld ms ago, and a segment leaves", index, name,
			   (long long)(w->gw_ms - k->deadline_ms));
	if (!first)
		return;
	if (!window_open(r, w->watch[index].tz_min, w->gw_ms))
		check_fail(w, "window", "card %u: campaign %s may not send now, minute %lld of the day in UTC", index,
			   name, (long long)(w->gw_ms / 60000 % DAY_MIN));
	if (w->watch[index].campaign == campaign)
		check_canary(w, campaign, index);
	s->left_attempt = s->row.attempt;
	if (w->n_campaigns > 1 && !w->sc.routes) /* else it may be a route that is shut */
		check_turns(w, campaign);
}
