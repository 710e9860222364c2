/* campaign.c - which cards are next, what their campaign may do now, and how far it has come.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Millions of targets stay in the store as PLANNED rows; the core pulls a bounded number in id order whenever the prepared
 * queue has room, taking running campaigns in turn.
 */
#include <stdio.h>

#include "gw_int.h"

static const char *const campaign_names[] = {
	[CAMPAIGN_LOADING] = "LOADING", [CAMPAIGN_READY] = "READY", [CAMPAIGN_RUNNING] = "RUNNING",
	[CAMPAIGN_PAUSED] = "PAUSED",	[CAMPAIGN_DONE] = "DONE",   [CAMPAIGN_CANCELLED] = "CANCELLED",
};
_Static_assert(ARRAY_SIZE(campaign_names) == _CAMPAIGN_STATES, "every state has its name");

const char *campaign_state_name(uint8_t s)
{
	return s < _CAMPAIGN_STATES ? campaign_names[s] : "?";
}

/* Asked for many times per command: where it was found last time is looked at first. */
struct campaign *campaign_by_id(struct gw *gw, uint64_t id)
{
	uint8_t *hint = &gw->campaign_hint[id % CAMPAIGNS_MAX];

	if (*hint < gw->n_campaigns && gw->campaign[*hint].row.id == id)
		return &gw->campaign[*hint];
	for (unsigned i = 0; i < gw->n_campaigns; i++) {
		if (gw->campaign[i].row.id == id) {
			*hint = (uint8_t)i;
			return &gw->campaign[i];
		}
	}
	return NULL;
}

/* Nothing of it is under way in memory: its place may be given to another.  The store keeps it. */
static bool campaign_over(const struct campaign *c)
{
	return !c->row.id || (c->row.ended_ms && !c->dirty && !c->claim_pending);
}

/* A free place, else that of the campaign that ended first; NULL when none is over. */
struct campaign *campaign_place(struct gw *gw)
{
	struct campaign *c, *best = NULL;

	if (gw->n_campaigns < CAMPAIGNS_MAX)
		return &gw->campaign[gw->n_campaigns++];
	for (unsigned i = 0; i < gw->n_campaigns; i++) {
		c = &gw->campaign[i];
		if (campaign_over(c) && (!best || c->row.ended_ms < best->row.ended_ms))
			best = c;
	}
	if (best && best->queued) /* nobody has asked for what it had prepared */
		flight_sweep(gw);
	return best;
}

bool gw_campaign_room(const struct gw *gw)
{
	for (unsigned i = 0; i < gw->n_campaigns; i++)
		if (campaign_over(&gw->campaign[i]))
			return true;
	return gw->n_campaigns < CAMPAIGNS_MAX;
}

unsigned gw_probes_open(const struct gw *gw)
{
	unsigned n = 0;

	for (unsigned i = 0; i < gw->n_campaigns; i++) {
		const struct campaign_row *row = &gw->campaign[i].row;

		n += row->id && !row->ended_ms && !strncmp(row->name, GW_PROBE_NAME, strlen(GW_PROBE_NAME));
	}
	return n;
}

int campaign_add(struct gw *gw, const struct campaign_row *row, const char *text, size_t len, char *err, size_t err_cap)
{
	struct campaign *c = campaign_by_id(gw, row->id);
	char why[RULES_ERR_MAX];
	struct profile p;
	struct rules r;

	if (c)
		return -EEXIST;
	if (!gw_campaign_room(gw))
		return -ENOSPC;
	if (profile_parse(&p, gw->deps.errtab, text, len, err, err_cap))
		return -EINVAL;
	if (p.works != (row->kind && !work_plain(row->kind))) {
		snprintf(err, err_cap, "profile %s %s", p.name,
			 p.works ? "speaks to the subscription application: it changes no files by itself" :
				   "changes files by itself: this work needs one with 'application subscription'");
		return -EINVAL;
	}
	if (rules_parse(&r, row->rules, why) || rules_fit(&r, row->targets, why)) {
		snprintf(err, err_cap, "%s", why);
		return -EINVAL;
	}
	c = campaign_place(gw);
	*c = (struct campaign){ .row = *row, .profile = p, .rules = r, .rate_ms = gw->now_ms };
	c->by_state[TXN_PLANNED] = row->targets;
	return 0;
}

int gw_campaign_adopt(struct gw *gw, const struct campaign_row *row, const char *text, size_t len, char *err,
		      size_t err_cap)
{
	return campaign_add(gw, row, text, len, err, err_cap);
}

static void state_set(struct gw *gw, struct campaign *c, enum campaign_state to)
{
	gw_log(gw, 5, "campaign %s: %s", c->row.name, campaign_names[to]);
	c->row.state = to;
	c->dirty = true;
}

int gw_campaign_grew(struct gw *gw, uint64_t id, uint64_t n)
{
	struct campaign *c = id ? campaign_by_id(gw, id) : NULL;

	if (!c)
		return -ENOENT;
	if (c->row.ended_ms) { /* cancelled, or closed, while they were being planned: they are in the store, and open */
		c->row.ended_ms = 0;
		if (c->row.state == CAMPAIGN_DONE)
			state_set(gw, c, CAMPAIGN_RUNNING);
	}
	c->row.targets += n;
	c->by_state[TXN_PLANNED] += n;
	c->claimed_all = false;
	c->grown_seq = gw->fetch_seq;
	c->dirty = true;
	if (gw->deps.wake)
		gw->deps.wake(gw->deps.wake_ctx);
	return 0;
}

int gw_campaign_forget(struct gw *gw, uint64_t id)
{
	struct campaign *c = id ? campaign_by_id(gw, id) : NULL;

	if (!c)
		return -ENOENT;
	if (c->row.state != CAMPAIGN_READY)
		return -EALREADY;
	/* nothing of it is open or asked for, so the place can be given away at once */
	*c = (struct campaign){ .row = { .state = CAMPAIGN_DONE } };
	return 0;
}

unsigned gw_campaigns_running(const struct gw *gw)
{
	unsigned n = 0;

	for (unsigned i = 0; i < gw->n_campaigns; i++)
		n += gw->campaign[i].row.state == CAMPAIGN_RUNNING;
	return n;
}

bool gw_campaign_find(const struct gw *gw, const char *name, uint64_t *id)
{
	for (unsigned i = 0; i < gw->n_campaigns; i++)
		if (!strcmp(gw->campaign[i].row.name, name)) {
			*id = gw->campaign[i].row.id;
			return true;
		}
	return false;
}

/* --------------------------------------------------------------------------------------------------------- canary */

static uint64_t started(const struct campaign *c)
{
	return c->row.targets > c->by_state[TXN_PLANNED] ? c->row.targets - c->by_state[TXN_PLANNED] : 0;
}

/* The first group that is not whole, from 0; n_canary: the canary is behind it. */
static unsigned canary_group(const struct campaign *c)
{
	unsigned g = 0;

	while (g < c->rules.n_canary && started(c) >= rules_group_end(&c->rules, g, c->row.targets))
		g++;
	return g;
}

/* No card behind the last group has been started, whatever has become of those in them. */
bool campaign_in_canary(const struct campaign *c)
{
	unsigned groups = c->rules.n_canary;

	return groups && started(c) <= rules_group_end(&c->rules, groups - 1, c->row.targets);
}

/* The clock of a group begins with its last card. */
static void canary_claimed(struct gw *gw, struct campaign *c)
{
	for (unsigned g = 0; g < c->rules.n_canary; g++)
		if (started(c) == rules_group_end(&c->rules, g, c->row.targets))
			c->row.canary_ms = gw->now_ms;
}

/* All cards of the groups before `g` have been started and are waited for: until they have ended, or the hold has passed. */
static bool canary_waits(const struct campaign *c, unsigned g, int64_t now_ms)
{
	if (!g || started(c) != rules_group_end(&c->rules, g - 1, c->row.targets) || !c->by_state[TXN_ACTIVE])
		return false;
	return !c->rules.hold_ms || now_ms < c->row.canary_ms + c->rules.hold_ms;
}

static void canary_view(const struct gw *gw, const struct campaign *c, struct gw_campaign_view *v)
{
	unsigned g = canary_group(c);

	v->started = started(c);
	v->canary_groups = c->rules.n_canary;
	v->canary_waits = canary_waits(c, g, gw->now_ms);
	if (v->canary_waits)
		g--;
	if (g >= c->rules.n_canary)
		return;
	v->canary_group = g + 1;
	v->canary_cards = rules_group_end(&c->rules, g, c->row.targets);
	if (v->canary_waits && c->rules.hold_ms)
		v->canary_next_ms = c->row.canary_ms + c->rules.hold_ms - gw->now_ms;
}

/* How many cards may be started; 0 while a whole group is waited for, and *due_ms says how long at the most. */
static uint64_t canary_room(const struct campaign *c, int64_t now_ms, int64_t *due_ms)
{
	unsigned g = canary_group(c);
	if (canary_waits(c, g, now_ms)) {
		if (c->rules.hold_ms)
			*due_ms = c->row.canary_ms + c->rules.hold_ms;
		return 0;
	}
	return rules_group_end(&c->rules, g, c->row.targets) - started(c);
}

/* --------------------------------------------------------------------------------------------------------- claims */

/* One open transaction per card (D7).  Plans keep to it; older stores know cards that a cancelled campaign calls planned and a
 * later one has started. */
static bool claim_taken(struct gw *gw, const struct card_bundle *b)
{
	const struct card *c = card_find(gw, b->card.id);
	const struct card_bundle *now = c ? &c->b : b; /* the resident copy is ahead of the store */

	if (now->has_txn && now->txn.id != b->txn.id && now->txn.state == TXN_ACTIVE)
		return true;
	for (unsigned i = 0; i < now->n_cmds; i++)
		if (!cmd_ended(now->cmd[i].state) && now->cmd[i].txn != b->txn.id)
			return true;
	return false;
}

/* It ends by its row alone: the card in memory is the other transaction's. */
static void claim_refuse(struct gw *gw, struct campaign *camp, const struct card_bundle *b)
{
	struct txn_row t = b->txn;

	camp->by_state[t.state]--;
	camp->by_state[TXN_CANCELLED]++;
	t.state = TXN_CANCELLED;
	t.evidence = t.por_status = 255;
	t.ended_ms = gw->now_ms;
	snprintf(t.reason, sizeof(t.reason), "another campaign has the card");
	gw_op(gw, ST_TXN_PUT, &t, NULL, 0);
	if (camp->row.kind || camp->row.open_ended)
		txn_told(gw, &t, &b->card, NULL);
	gw_story_end(gw, t.card, txn_state_name(t.state), t.reason);
	campaign_check_done(gw, camp);
}

/* A claimed card: its transaction becomes active and gets its command, or ends here. */
static struct card *claim_one(struct gw *gw, struct campaign *camp, const struct card_bundle *b)
{
	/* what a restored store calls planned may have been sent, and done, since it was saved */
	static const char or_not[] = "; the store was put back: it may have run";
	const struct keyset_row *k;
	struct txn_row *t;
	struct card *c;
	bool forgot;

	if (claim_taken(gw, b)) {
		claim_refuse(gw, camp, b);
		return NULL;
	}
	c = card_load(gw, b);
	ota_assert(c); /* room was kept when the claim was asked for */
	if (c->b.has_txn && c->b.txn.id == b->txn.id && c->b.txn.state != TXN_PLANNED)
		return NULL; /* seen already, by another way */
	c->b.txn = b->txn;
	c->b.has_txn = true;
	c->b.work_len = b->work_len;
	memcpy(c->b.work, b->work, b->work_len);
	t = &c->b.txn;
	t->evidence = t->por_status = 255;
	k = card_keyset(c, card_kvn(c, camp));
	forgot = k && !counter_owned(k, gw->cfg.epoch);
	if (camp->row.state == CAMPAIGN_CANCELLED) {
		txn_state_set(gw, c, TXN_CANCELLED, "campaign cancelled before its turn%s", forgot ? or_not : "");
		return NULL;
	}
	if (camp->row.deadline_ms && gw->now_ms >= camp->row.deadline_ms) {
		txn_state_set(gw, c, TXN_EXPIRED, "deadline passed, %s", forgot ? or_not + 2 : "never sent");
		return NULL;
	}
	if (camp->row.kind && (!b->work_len || b->work[0] != camp->row.kind)) {
		txn_state_set(gw, c, TXN_FAILED, "its work is missing, or not of its campaign's kind");
		return NULL;
	}
	txn_state_set(gw, c, TXN_ACTIVE, NULL);
	if (forgot)
		moving_forgotten(gw, c);
	return c;
}

void campaign_claimed(struct gw *gw, struct claim_slot *cl)
{
	struct campaign *camp = &gw->campaign[cl->campaign];
	struct card *todo[CLAIM_MAX], *ask[CLAIM_MAX];
	unsigned n = 0, asks = 0;

	camp->claim_pending = false;
	cl->used = false;
	gw->fetches--;
	if (camp->row.state == CAMPAIGN_PAUSED)
		return; /* stopped meanwhile: they stay planned */
	if (!cl->f.n) {
		camp->claimed_all = cl->seq >= camp->grown_seq;
		campaign_check_done(gw, camp);
		return;
	}
	for (unsigned i = 0; i < cl->f.n; i++) {
		struct card *c = claim_one(gw, camp, &cl->out[i]);

		camp->row.txn_cursor = cl->out[i].txn.id;
		if (c && cmd_must_ask(gw, c))
			ask[asks++] = c;
		else if (c)
			todo[n++] = c;
	}
	camp->dirty = true;
	canary_claimed(gw, camp);
	if (n)
		cmd_prepare(gw, todo, n, CMD_SCRIPT, 0);
	if (asks)
		cmd_prepare(gw, ask, asks, CMD_READBACK, 0);
}

static void claim_done(struct store_fetch *f, int rc)
{
	struct claim_slot *cl = f->ctx;
	struct gw *gw = cl->gw;

	if (rc == STORE_E_CLOSED)
		return;
	if (rc == STORE_E_CORRUPT) {
		gw_set_fatal(gw, "the store cannot read a campaign's targets: %s", store_why_text(rc, f->why));
		return;
	}
	if (rc) {
		gw_read_failed(gw, "a campaign's targets", rc, f->why);
		gw->campaign[cl->campaign].claim_pending = false;
		cl->used = false;
		gw->fetches--;
		gw->claim_hold_ms = gw->now_ms + FETCH_RETRY_MS;
		return;
	}
	gw->read_alarm[0] = 0;
	if (cl->seq < gw->imported_seq) { /* it may bring back what an import has changed: claimed anew */
		gw->campaign[cl->campaign].claim_pending = false;
		cl->used = false;
		gw->fetches--;
		return;
	}
	campaign_claimed(gw, cl);
}

/* How many cards may be claimed now; 0: none, before *due_ms or something else happens. */
static unsigned claim_allowed(const struct campaign *c, int64_t now_ms, int64_t *due_ms)
{
	uint64_t room;

	if (campaign_stopped(c, now_ms)) /* all that is left ends without having been started */
		return CLAIM_MAX;
	if (!c->by_state[TXN_PLANNED])
		return 1; /* none is left: the store says so */
	room = canary_room(c, now_ms, due_ms);
	/* what is in device time waits for its opening card by card */
	if (room && !c->rules.device && rules_opening(&c->rules, 0, now_ms) > now_ms) {
		*due_ms = rules_opening(&c->rules, 0, now_ms);
		room = 0;
	}
	if (!room && c->row.deadline_ms && c->row.deadline_ms < *due_ms)
		*due_ms = c->row.deadline_ms;
	return room < CLAIM_MAX ? (unsigned)room : CLAIM_MAX;
}

int64_t campaign_due(const struct gw *gw)
{
	int64_t due = INT64_MAX;

	for (unsigned i = 0; i < gw->n_campaigns; i++)
		if (gw->campaign[i].row.state == CAMPAIGN_RUNNING && gw->campaign[i].claim_due_ms > gw->now_ms &&
		    gw->campaign[i].claim_due_ms < due)
			due = gw->campaign[i].claim_due_ms;
	return due;
}

static unsigned claims_pending(const struct gw *gw)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CLAIMS_MAX; i++)
		n += gw->claim[i].used ? gw->claim[i].f.limit : 0;
	return n;
}

static struct claim_slot *claim_slot(struct gw *gw)
{
	for (unsigned i = 0; i < CLAIMS_MAX; i++)
		if (!gw->claim[i].used)
			return &gw->claim[i];
	return NULL;
}

/* How many of n cards find a place now. */
static unsigned claim_fits(struct gw *gw, const struct campaign *camp, unsigned n)
{
	unsigned pending = claims_pending(gw), half = (queue_share(gw) + 1) / 2, room, own;

	if (cards_room(gw) < gw->fetches + pending + n)
		return 0;
	if (campaign_stopped(camp, gw->now_ms)) /* they end without having been started, and need no command */
		return n;
	if (n > half) /* half a share at a time, so that packets are made by the dozen */
		n = half;
	room = queue_room_best(gw, camp, &own);
	if (n > own || gw->open + pending + n > gw->cfg.limits.open_max)
		return 0;
	room = room > pending ? room - pending : 0;
	/* where others have taken more than their share, before there were so many, little is better than nothing */
	return room >= n ? n : room >= CLAIM_LEAST ? room : 0;
}

static void claim_start(struct gw *gw, struct campaign *camp, unsigned limit)
{
	struct claim_slot *cl = claim_slot(gw);

	cl->used = true;
	cl->gw = gw;
	cl->campaign = (unsigned)(camp - gw->campaign);
	cl->seq = gw->fetch_seq++;
	cl->f = (struct store_fetch){
		.by = FETCH_CLAIM,
		.campaign = camp->row.id,
		.after_txn = camp->row.txn_cursor,
		.limit = limit,
		.out = cl->out,
		.cap = CLAIM_MAX,
		.done = claim_done,
		.ctx = cl,
	};
	camp->claim_pending = true;
	gw->fetches++;
	gw->stats.fetches++;
	gw->deps.store->ops->fetch(gw->deps.store, &cl->f);
}

static void claim_try(struct gw *gw, struct campaign *c)
{
	unsigned n = claim_allowed(c, gw->now_ms, &c->claim_due_ms);

	c->claims = n && !campaign_stopped(c, gw->now_ms);
	n = c->claim_pending ? 0 : claim_fits(gw, c, n);
	if (!n)
		return;
	claim_start(gw, c, n);
	gw->claim_turn = (unsigned)(c - gw->campaign) + 1;
}

void campaign_claims(struct gw *gw)
{
	unsigned first = gw->claim_turn;

	if (gw->now_ms < gw->claim_hold_ms)
		return;
	for (unsigned i = 0; i < _PRIORITIES * gw->n_campaigns && claim_slot(gw); i++) {
		struct campaign *c = &gw->campaign[(first + i) % gw->n_campaigns];

		if (c->rules.priority != i / gw->n_campaigns)
			continue;
		c->claim_due_ms = INT64_MAX;
		c->claims = false;
		if ((c->row.state == CAMPAIGN_RUNNING || c->row.state == CAMPAIGN_CANCELLED) && !c->claimed_all)
			claim_try(gw, c);
	}
}

/* ----------------------------------------------------------------------------------------------- verbs and ends */

bool campaign_stopped(const struct campaign *c, int64_t now_ms)
{
	return c->row.state != CAMPAIGN_RUNNING || (c->row.deadline_ms && now_ms >= c->row.deadline_ms);
}

int campaign_rules(struct campaign *c, char err[RULES_ERR_MAX])
{
	if (rules_parse(&c->rules, c->row.rules, err))
		return -1;
	if (!rules_tally_parse(&c->tally, c->row.tally))
		return 0;
	snprintf(err, RULES_ERR_MAX, "the tally \"%.40s\" cannot be read", c->row.tally);
	return -1;
}

/* Holds at once: what is prepared is taken back, a packet that is half out is not finished. */
void campaign_pause(struct gw *gw, struct campaign *c)
{
	state_set(gw, c, CAMPAIGN_PAUSED);
	flight_sweep(gw);
}

void campaign_check_done(struct gw *gw, struct campaign *c)
{
	if (!c->claimed_all || c->by_state[TXN_PLANNED] || c->by_state[TXN_ACTIVE] || c->row.ended_ms)
		return;
	if (c->row.open_ended && c->row.state != CAMPAIGN_CANCELLED)
		return;
	c->row.ended_ms = gw->now_ms;
	c->ended_batch = gw->batch_no;
	if (c->row.state == CAMPAIGN_CANCELLED)
		c->dirty = true;
	else
		state_set(gw, c, CAMPAIGN_DONE);
}

static uint64_t ended_count(const struct campaign *c)
{
	uint64_t n = 0;

	for (unsigned s = 0; s < _TXN_STATES; s++)
		if (txn_ended((uint8_t)s))
			n += c->by_state[s];
	return n;
}

static void pace_mark(struct campaign *c, int64_t now_ms)
{
	if (c->paces && now_ms - c->pace[(c->paces - 1) % PACE_MARKS].at_ms < PACE_MS)
		return;
	c->pace[c->paces % PACE_MARKS].at_ms = now_ms;
	c->pace[c->paces++ % PACE_MARKS].ended = ended_count(c);
}

/* What was before a pause, or before this process, says nothing of what comes. */
void campaign_pace_anew(struct gw *gw, struct campaign *c)
{
	c->done_per_s = 0;
	c->rate_ended = ended_count(c);
	c->rate_ms = gw->now_ms;
	c->paces = 0;
	pace_mark(c, gw->now_ms);
}

static void wake_all(struct gw *gw, unsigned campaign)
{
	for (uint32_t i = 1; i <= gw->stub_high; i++) {
		struct stub *s = &gw->stub[i];

		/* what is sent may still be answered: it ends when its PoR is overdue */
		if (s->card && s->campaign == campaign && s->state != CMD_SENT && s->state != CMD_PREPARED)
			stub_due(gw, s, gw->now_ms);
	}
}

void campaign_verb(struct gw *gw, const struct gw_event *ev)
{
	struct campaign *c = campaign_by_id(gw, ev->campaign);
	unsigned index;

	if (!c) {
		gw_reply(gw, ev->request, -ENOENT, "no such campaign");
		return;
	}
	index = (unsigned)(c - gw->campaign);
	if ((ev->verb == CAMPAIGN_VERB_PAUSE || ev->verb == CAMPAIGN_VERB_CANCEL) && c->stops)
		c->stops--;
	switch (ev->verb) {
	case CAMPAIGN_VERB_START:
		if (c->row.state != CAMPAIGN_READY && c->row.state != CAMPAIGN_PAUSED) {
			gw_reply(gw, ev->request, -EALREADY,
				 "campaign is %s; only a READY or PAUSED one can be started",
				 campaign_names[c->row.state]);
			return;
		}
		if (!c->row.started_ms) {
			if (rules_deadline(&c->rules, gw->now_ms) &&
			    rules_deadline(&c->rules, gw->now_ms) <= gw->now_ms) {
				gw_reply(gw, ev->request, -EINVAL,
					 "the campaign's deadline has passed; delete it and create it again with a "
					 "later one");
				return;
			}
			c->row.started_ms = gw->now_ms;
			c->row.deadline_ms = rules_deadline(&c->rules, gw->now_ms);
		}
		judge_anew(c);
		campaign_pace_anew(gw, c);
		c->claims = !c->claimed_all;
		state_set(gw, c, CAMPAIGN_RUNNING);
		wheel_release_held(gw, index);
		break;
	case CAMPAIGN_VERB_PAUSE:
		if (c->row.state != CAMPAIGN_RUNNING) {
			gw_reply(gw, ev->request, -EALREADY, "campaign is %s; only a RUNNING one can be paused",
				 campaign_names[c->row.state]);
			return;
		}
		campaign_pause(gw, c);
		break;
	case CAMPAIGN_VERB_CANCEL:
		if (c->row.state == CAMPAIGN_DONE || c->row.state == CAMPAIGN_CANCELLED) {
			gw_reply(gw, ev->request, -EALREADY, "campaign is %s already", campaign_names[c->row.state]);
			return;
		}
		state_set(gw, c, CAMPAIGN_CANCELLED);
		flight_sweep(gw);
		wheel_release_held(gw, index);
		wake_all(gw, index);
		campaign_check_done(gw, c); /* an open-ended one may have nothing under way */
		break;
	case CAMPAIGN_VERB_CLOSE:
		if (!c->row.open_ended || c->row.ended_ms) {
			gw_reply(gw, ev->request, -EALREADY, "campaign is %s; nothing more can come",
				 c->row.open_ended ? campaign_names[c->row.state] : "closed");
			return;
		}
		c->row.open_ended = 0;
		c->dirty = true;
		campaign_check_done(gw, c);
		break;
	default:
		gw_reply(gw, ev->request, -EINVAL, "unknown verb");
		return;
	}
	gw_reply(gw, ev->request, 0, "%s", campaign_names[c->row.state]);
}

/* ---------------------------------------------------------------------------------------------------------- views */

/* What the rate is at this time, which may be long after the core was last turned. */
static double rate_at(const struct campaign *c, int64_t now_ms)
{
	int64_t dt = now_ms - c->rate_ms;
	double rate, w = dt >= RATE_TAU_MS ? 1.0 : (double)dt / RATE_TAU_MS;

	if (dt < 1000)
		return c->done_per_s;
	rate = (double)(ended_count(c) - c->rate_ended) * 1000.0 / (double)dt;
	return c->done_per_s > 0.0 ? c->done_per_s + w * (rate - c->done_per_s) : rate;
}

/* Smoothed rate of cards that reach an end; looked at once a second at most. */
void campaign_tick(struct gw *gw)
{
	for (unsigned i = 0; i < gw->n_campaigns; i++) {
		struct campaign *c = &gw->campaign[i];

		if (gw->now_ms - c->rate_ms < 1000 || c->row.state != CAMPAIGN_RUNNING)
			continue;
		c->done_per_s = rate_at(c, gw->now_ms);
		c->rate_ended = ended_count(c);
		c->rate_ms = gw->now_ms;
		pace_mark(c, gw->now_ms);
	}
}

/* Since the oldest mark within five minutes. */
static void pace_long(const struct campaign *c, int64_t now_ms, struct gw_campaign_view *v)
{
	for (unsigned i = c->paces > PACE_MARKS ? c->paces - PACE_MARKS : 0; i < c->paces; i++) {
		int64_t dt = now_ms - c->pace[i % PACE_MARKS].at_ms;
		uint64_t ended = ended_count(c), then = c->pace[i % PACE_MARKS].ended;

		if (dt <= 0 || dt > PACE_MS * PACE_MARKS)
			continue;
		v->long_ms = dt;
		/* a card of no proof may become one of proof: ended both times, so the count never falls */
		v->long_per_s = (double)(ended - then) * 1000.0 / (double)dt;
		return;
	}
}

/* Sending stops at the end of the window and at the deadline, whatever the rate is. */
static void eta_stop(const struct campaign *c, int64_t now_ms, struct gw_campaign_view *v)
{
	const struct rules *r = &c->rules;
	/* in device time: no card has more than a whole window */
	int64_t close_ms = r->device ? now_ms + rules_window_ms(r) : rules_closing(r, 0, now_ms);
	int64_t end_ms = c->row.deadline_ms ? c->row.deadline_ms : INT64_MAX;

	if (v->eta_ms <= (close_ms < end_ms ? close_ms : end_ms) - now_ms)
		return;
	v->eta_ms = -1;
	v->eta_past = end_ms <= close_ms ? "deadline" : "window";
	v->eta_past_ms = end_ms <= close_ms ? end_ms : r->device ? 0 : close_ms;
}

void gw_campaign_pace(const struct gw *gw, int64_t now_ms, struct gw_campaign_view *v)
{
	const struct campaign *c = campaign_by_id((struct gw *)gw, v->row.id);
	uint64_t left, waiting;
	double rate;

	v->eta_ms = -1;
	v->eta_past = NULL;
	v->eta_past_ms = 0;
	v->eta_cards = 0;
	v->done_per_s = v->long_per_s = 0;
	v->long_ms = 0;
	if (!c || c->row.state != CAMPAIGN_RUNNING)
		return;
	v->done_per_s = rate_at(c, now_ms);
	pace_long(c, now_ms, v);
	left = c->by_state[TXN_PLANNED] + c->by_state[TXN_ACTIVE];
	waiting = c->open[CMD_WAIT_TIMER] + c->open[CMD_WAIT_PRESENCE];
	v->eta_cards = left > waiting ? left - waiting : 0;
	rate = v->long_ms >= PACE_LEAST_MS ? v->long_per_s : v->done_per_s;
	/* how long a canary is looked at, and what happens while a window is closed, no rate tells */
	if (v->canary_group || v->opens_ms || !v->eta_cards || rate < 0.001)
		return;
	v->eta_ms = (int64_t)((double)v->eta_cards / rate * 1000.0);
	eta_stop(c, now_ms, v);
}

void campaign_flush(struct gw *gw)
{
	for (unsigned i = 0; i < gw->n_campaigns; i++) {
		struct campaign *c = &gw->campaign[i];

		if (!c->dirty)
			continue;
		if (c->rules.n_abort)
			rules_tally_print(&c->tally, c->row.tally);
		gw_op(gw, ST_CAMPAIGN_PUT, &c->row, NULL, 0);
		c->dirty = false;
	}
}

static void abort_view(const struct campaign *c, struct gw_campaign_view *v)
{
	v->n_abort = c->rules.n_abort;
	for (unsigned i = 0; i < c->rules.n_abort; i++) {
		const struct rules_abort *a = &c->rules.abort[i];

		rules_abort_print(a, v->abort[i].rule);
		v->abort[i].hits = c->tally.hits[i];
		v->abort[i].of = a->what == RULE_CLASS || a->what == RULE_POR ? c->tally.heard : c->tally.ended;
	}
}

bool gw_campaign_view(const struct gw *gw, uint64_t id, struct gw_campaign_view *out)
{
	const struct campaign *c = campaign_by_id((struct gw *)gw, id);

	if (!c)
		return false;
	*out = (struct gw_campaign_view){
		.row = c->row,
		.sms_parts = c->sms_parts,
		.attempts = c->attempts,
		.probes = c->probes,
		.prepared = c->open[CMD_PREPARED],
		.in_flight = c->open[CMD_SENT],
		.waiting_timer = c->open[CMD_WAIT_TIMER],
		.waiting_presence = c->open[CMD_WAIT_PRESENCE],
		.canary_next_ms = -1,
	};
	/* The end is told when it is durable: the report that is read then has it, too. */
	if (c->row.ended_ms && c->ended_batch > gw->committed) {
		out->row.ended_ms = 0;
		if (c->row.state == CAMPAIGN_DONE)
			out->row.state = CAMPAIGN_RUNNING;
	}
	if (c->rules.windowed && !c->rules.device && rules_opening(&c->rules, 0, gw->now_ms) > gw->now_ms)
		out->opens_ms = rules_opening(&c->rules, 0, gw->now_ms);
	canary_view(gw, c, out);
	memcpy(out->by_state, c->by_state, sizeof(out->by_state));
	memcpy(out->by_class, c->by_class, sizeof(out->by_class));
	memcpy(out->waiting_class, c->open_class, sizeof(out->waiting_class));
	abort_view(c, out);
	gw_campaign_pace(gw, gw->now_ms, out);
	return true;
}
