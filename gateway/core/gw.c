/* gw.c - the rhythm: take, fetch, decide, commit; and what may be let go afterwards.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gw_int.h"

void gw_assert_failed(const char *file, int line, const char *expr)
{
	fprintf(stderr, "otagw: assertion failed at %s:%d: %s\n", file, line, expr);
	abort();
}

void gw_log_level(struct gw *gw, int level)
{
	gw->deps.log_level = level;
}

void gw_log(struct gw *gw, int level, const char *fmt, ...)
{
	char line[GW_ALARM_MAX + 160];
	va_list ap;

	if (!gw->deps.log || (gw->deps.log_level && level > gw->deps.log_level))
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	gw->deps.log(gw->deps.log_ctx, level, line);
}

void gw_set_fatal(struct gw *gw, const char *fmt, ...)
{
	va_list ap;

	if (gw->fatal[0])
		return;
	va_start(ap, fmt);
	vsnprintf(gw->fatal, sizeof(gw->fatal), fmt, ap);
	va_end(ap);
}

const char *gw_fatal(const struct gw *gw)
{
	return gw->fatal[0] ? gw->fatal : NULL;
}

void gw_limits_default(struct gw_limits *l)
{
	*l = (struct gw_limits){
		.inbox_max = 4096,
		.outcomes_max = 4096,
		.resident_max = 8192,
		.step_events_max = 512,
		.batch_cards_max = 2000,
		.prepared_max = 2000,
		.fetch_max = 256,
		.open_max = 10000000,
	};
}

void gw_cfg_default(struct gw_cfg *c)
{
	memset(c, 0, sizeof(*c));
	gw_limits_default(&c->limits);
	retry_policy_default(&c->retry);
	c->pid = 0x7f;
	c->dcs = 0xf6;
	c->n_links = 1;
	c->failover_ms = ROUTE_FAILOVER_MS;
}

/* ------------------------------------------------------------------------------------------------- life of the core */

static int events_init(struct gw *gw)
{
	gw->ev_total = gw->cfg.limits.inbox_max + gw->cfg.limits.outcomes_max + LINK_EVENTS * gw->cfg.n_links +
		       ORDERS_MAX + CARD_ORDERS_MAX;
	gw->ev_pool = calloc(gw->ev_total, sizeof(*gw->ev_pool));
	gw->fx_cap = 2 * gw->ev_total + gw->cfg.limits.step_events_max + FX_ENDS;
	gw->fx = calloc(gw->fx_cap, sizeof(*gw->fx));
	if (!gw->ev_pool || !gw->fx)
		return -ENOMEM;
	gw->inbox.tail = &gw->inbox.head;
	gw->orders.tail = &gw->orders.head;
	return 0;
}

struct gw *gw_new(const struct gw_cfg *cfg, const struct gw_deps *deps)
{
	struct gw *gw = calloc(1, sizeof(*gw));
	unsigned need;

	if (!gw)
		return NULL;
	gw->cfg = *cfg;
	gw->deps = *deps;
	if (links_init(gw)) {
		gw_free(gw);
		return NULL;
	}
	if (gw->cfg.limits.prepared_max < PREPARED_LEAST)
		gw->cfg.limits.prepared_max = PREPARED_LEAST;
	if (gw->cfg.limits.open_max < gw->n_routes * gw->cfg.limits.prepared_max)
		gw->cfg.limits.open_max = gw->n_routes * gw->cfg.limits.prepared_max;
	/* every flight pins its card; reads and claims must still find places, or nothing would ever move again */
	need = gw->n_routes * (gw->cfg.limits.prepared_max + QUEUE_RESERVE) + cfg->limits.outcomes_max +
	       cfg->limits.fetch_max + (CLAIMS_MAX + 1) * CLAIM_MAX;
	if (gw->cfg.limits.resident_max < need)
		gw->cfg.limits.resident_max = need;
	gw->batch = store_batch_new();
	gw->flying = store_batch_new();
	gw->load_buf = calloc(LOAD_PAGE, sizeof(struct store_stub) > sizeof(struct campaign_row) ?
						 sizeof(struct store_stub) :
						 sizeof(struct campaign_row));
	if (!gw->batch || !gw->flying || !gw->load_buf || events_init(gw) || cards_init(gw) || wheel_init(gw) ||
	    flight_init(gw)) {
		gw_free(gw);
		return NULL;
	}
	return gw;
}

void gw_free(struct gw *gw)
{
	if (!gw)
		return;
	free(gw->ev_pool);
	free(gw->fx);
	free(gw->cards);
	free(gw->card_hash);
	free(gw->addr_hash);
	free(gw->fetch);
	free(gw->stub);
	free(gw->heap);
	free(gw->stub_hash);
	free(gw->flights);
	free(gw->flight_hash);
	free(gw->submit_took);
	free(gw->load_buf);
	if (gw->batch)
		store_batch_free(gw->batch);
	if (gw->flying)
		store_batch_free(gw->flying);
	free(gw);
}

/* --------------------------------------------------------------------------------------------------------- events in */

void gw_ev_free(struct gw *gw, struct ev_node *n)
{
	n->next = gw->ev_free;
	gw->ev_free = n;
	gw->ev_used--;
}

static bool is_outcome(const struct gw_event *ev)
{
	return ev->kind == GW_EV_LINK &&
	       (ev->ev.kind == LINK_EV_ACCEPTED || ev->ev.kind == LINK_EV_REJECTED || ev->ev.kind == LINK_EV_UNKNOWN ||
		ev->ev.kind == LINK_EV_UP || ev->ev.kind == LINK_EV_DOWN);
}

static bool no_place(const struct gw *gw, const struct gw_event *ev)
{
	if (ev->kind == GW_EV_CAMPAIGN || ev->kind == GW_EV_ORDER)
		return gw->orders_n == ORDERS_MAX;
	if (ev->kind == GW_EV_CARD)
		return gw->card_orders_n == CARD_ORDERS_MAX;
	return gw->ev_used == gw->ev_total || (!is_outcome(ev) && gw->ev_used >= gw->cfg.limits.inbox_max);
}

static bool is_turn(const struct gw_event *ev)
{
	return ev->kind == GW_EV_LINK && (ev->ev.kind == LINK_EV_UP || ev->ev.kind == LINK_EV_DOWN);
}

/* A link that comes and goes while commits take long: what it is last is what counts, and it must not fill the inbox. */
static bool turn_folded(struct gw *gw, const struct gw_event *ev)
{
	struct gw_link *l = &gw->link[ev->link];

	if (!is_turn(ev) || l->turns < LINK_EVENTS)
		return false;
	l->turn->ev = *ev;
	return true;
}

static void turn_waits(struct gw *gw, struct ev_node *n)
{
	struct gw_link *l = &gw->link[n->ev.link];

	if (!is_turn(&n->ev))
		return;
	l->turn = n;
	l->turns++;
}

int gw_post(struct gw *gw, const struct gw_event *ev)
{
	/* what needs a card waits with all that does */
	bool order = ev->kind == GW_EV_CAMPAIGN || ev->kind == GW_EV_ORDER;
	struct ev_list *to = order ? &gw->orders : &gw->inbox;
	struct ev_node *n = gw->ev_free;

	if (ev->kind == GW_EV_LINK && ev->ev.kind == LINK_EV_DOWN)
		flight_link_down(gw, ev->link);
	if (turn_folded(gw, ev))
		return 0;
	/* places for outcomes of our own submits are reserved, so that back-pressure cannot deadlock; and some for orders */
	if (no_place(gw, ev)) {
		gw->stats.inbox_full++;
		return -ENOBUFS;
	}
	if (ev->kind == GW_EV_CAMPAIGN && (ev->verb == CAMPAIGN_VERB_PAUSE || ev->verb == CAMPAIGN_VERB_CANCEL))
		flight_stop(gw, ev->campaign);
	if (ev->kind == GW_EV_CARD)
		order_posted(gw, ev);
	if (n)
		gw->ev_free = n->next;
	else /* memory is taken with use: one that was given back, else one that was never used */
		n = &gw->ev_pool[gw->ev_high++];
	gw->ev_used++;
	n->ev = *ev;
	n->next = NULL;
	turn_waits(gw, n);
	*to->tail = n;
	to->tail = &n->next;
	gw->orders_n += order;
	if (++gw->inbox_n > gw->inbox_high)
		gw->inbox_high = gw->inbox_n;
	if (gw->deps.wake)
		gw->deps.wake(gw->deps.wake_ctx);
	return 0;
}

void gw_on_link_event(struct gw *gw, struct link *l, const struct link_event *ev)
{
	struct gw_event g = { .kind = GW_EV_LINK, .link = l->id, .ev = *ev };

	if (gw_post(gw, &g) == 0)
		return;
	if (ev->kind == LINK_EV_MO || ev->kind == LINK_EV_REPORT)
		l->ops->answer(l, ev->token, LINK_ANSWER_FULL);
	else if (is_outcome(&g))
		gw_set_fatal(gw, "no place for an outcome of our own submit: reserve too small");
	/* an alert that finds no place is lost: the timer finds the card */
}

/* ------------------------------------------------------------------------------------------------------- effects out */

void gw_effect_add(struct gw *gw, const struct gw_effect *fx)
{
	struct fx_node *n = &gw->fx[(gw->fx_head + gw->fx_n) % gw->fx_cap];

	ota_assert(gw->fx_n < gw->fx_cap);
	gw->fx_n++;
	n->fx = *fx;
	n->batch_no = gw->batch_no;
}

bool gw_effect_next(struct gw *gw, struct gw_effect *out)
{
	struct fx_node *n = &gw->fx[gw->fx_head];

	if (!gw->fx_n || n->batch_no > gw->committed)
		return false;
	*out = n->fx;
	gw->fx_head = (gw->fx_head + 1) % gw->fx_cap;
	gw->fx_n--;
	return true;
}

void gw_answer(struct gw *gw, unsigned link, uint64_t token)
{
	const struct gw_effect fx = { .kind = GW_FX_ANSWER, .link = link, .token = token, .answer = LINK_ANSWER_OK };

	gw_effect_add(gw, &fx);
}

void gw_reply(struct gw *gw, uint64_t request, int rc, const char *fmt, ...)
{
	struct gw_effect fx = { .kind = GW_FX_REPLY, .request = request, .rc = rc };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(fx.reason, sizeof(fx.reason), fmt, ap);
	va_end(ap);
	gw_effect_add(gw, &fx);
}

/* ------------------------------------------------------------------------------------------------ the batch being filled */

struct store_op *gw_op(struct gw *gw, enum store_op_kind kind, const void *row, const void *bytes, size_t len)
{
	struct store_op *op = store_batch_add(gw->batch, kind, row, bytes, len);

	ota_assert(op); /* a step stops taking events long before STORE_BATCH_OPS_MAX */
	return op;
}

void gw_story(struct gw *gw, uint64_t card, uint64_t cmd, enum story_kind kind, const void *detail, size_t len,
	      const char *fmt, ...)
{
	struct story_row row = { .card = card, .cmd = cmd, .at_ms = gw->now_ms, .kind = kind };
	va_list ap;

	if (len > STORY_DETAIL_MAX)
		len = STORY_DETAIL_MAX;
	row.detail_len = (uint16_t)len;
	va_start(ap, fmt);
	vsnprintf(row.text, sizeof(row.text), fmt, ap);
	va_end(ap);
	gw_op(gw, ST_STORY_ADD, &row, detail, len);
}

/* How a transaction has ended stands in the line of the answer that ended it, where there is one. */
void gw_story_end(struct gw *gw, uint64_t card, const char *state, const char *reason)
{
	const struct store_batch *b = gw->batch;
	size_t n = b->n;

	for (unsigned i = 0; i < STORY_LOOK_BACK && n-- > 0; i++) {
		struct story_row *row = b->ops[n].row;
		size_t len;

		if (b->ops[n].kind != ST_STORY_ADD)
			continue;
		len = strlen(row->text);
		if (row->kind != STORY_POR || row->card != card || row->at_ms != gw->now_ms ||
		    len + strlen(state) + strlen(reason) + 4 >= sizeof(row->text))
			break;
		snprintf(row->text + len, sizeof(row->text) - len, "; %s%s%s", state, *reason ? ": " : "", reason);
		return;
	}
	gw_story(gw, card, 0, STORY_STATE, NULL, 0, "%s%s%s", state, *reason ? ": " : "", reason);
}

/* While a commit takes long, decisions pile up only this far; then events wait in the inbox. */
bool gw_batch_full(const struct gw *gw)
{
	return gw->dirty_n >= gw->cfg.limits.batch_cards_max || gw->batch->n >= STORE_BATCH_OPS_MAX / 4 ||
	       gw->fx_n + gw->ev_used - gw->inbox_n + gw->cfg.limits.step_events_max + FX_ENDS >=
		       gw->fx_cap - ORDERS_MAX;
}

static bool batch_empty(const struct gw *gw)
{
	if (gw->dirty_n || gw->batch->n)
		return false;
	for (unsigned i = 0; i < gw->n_campaigns; i++)
		if (gw->campaign[i].dirty)
			return false;
	/* effects that wait for nothing but their number */
	return !gw->fx_n || gw->fx[(gw->fx_head + gw->fx_n - 1) % gw->fx_cap].batch_no < gw->batch_no;
}

static void on_committed(struct store_batch *b, int rc);

static void batch_submit(struct gw *gw)
{
	gw->committing = true;
	gw->flying_fetch_seq = gw->fetch_seq;
	gw->deps.store->ops->commit(gw->deps.store, gw->flying);
}

static void batch_close(struct gw *gw)
{
	struct store_batch *b = gw->batch;

	cards_flush(gw);
	campaign_flush(gw);
	gw->batch = gw->flying;
	gw->flying = b;
	b->batch_no = gw->batch_no++;
	b->dry_run = false;
	b->done = on_committed;
	b->ctx = gw;
	batch_submit(gw);
}

/* The same batch is tried again; what came in with it is in it, so nothing is dropped. */
static void commit_failed(struct gw *gw, const struct store_batch *b, int rc)
{
	const char *why = store_why_text(rc, b->why);

	gw->stats.commit_failures++;
	gw->commit_backoff_ms = gw->commit_backoff_ms ? gw->commit_backoff_ms * 2 : COMMIT_RETRY_MS;
	if (gw->commit_backoff_ms > COMMIT_RETRY_MAX_MS)
		gw->commit_backoff_ms = COMMIT_RETRY_MAX_MS;
	gw->commit_retry_ms = gw->now_ms + gw->commit_backoff_ms;
	if (strncmp(gw->commit_alarm, why, strlen(why)) != 0) /* once for each cause, not for each try */
		gw_log(gw, 3, "store: batch %llu not committed: %s; submits stopped, nothing is lost, tried again",
		       (unsigned long long)b->batch_no, why);
	snprintf(gw->commit_alarm, sizeof(gw->commit_alarm),
		 "%s; until then nothing is sent, nothing is lost: otagwd tries again every %u s", why,
		 COMMIT_RETRY_MAX_MS / 1000);
}

void gw_read_failed(struct gw *gw, const char *what, int rc, const char *why)
{
	const char *text = store_why_text(rc, why);

	if (rc == STORE_E_BUSY && !*why)
		return; /* more reads than the store takes at a time: that passes */
	if (strncmp(gw->read_alarm, text, strlen(text)) != 0)
		gw_log(gw, 3, "store: reading %s failed: %s; nothing is lost, tried again", what, text);
	snprintf(gw->read_alarm, sizeof(gw->read_alarm),
		 "%s; who waits for it goes on then, nothing is lost: otagwd tries again at once", text);
}

const char *gw_alarm(const struct gw *gw)
{
	return gw->commit_alarm[0] ? gw->commit_alarm : gw->read_alarm[0] ? gw->read_alarm : NULL;
}

static void on_committed(struct store_batch *b, int rc)
{
	struct gw *gw = b->ctx;

	gw->committing = false;
	if (rc == STORE_E_CLOSED)
		return;
	if (rc == STORE_E_CORRUPT) {
		gw_set_fatal(gw, "the store refused batch %llu: %s", (unsigned long long)b->batch_no,
			     store_why_text(rc, b->why));
		return;
	}
	if (rc) {
		commit_failed(gw, b, rc);
		return;
	}
	if (gw->commit_backoff_ms)
		gw_log(gw, 5, "store: batch %llu committed, submits go on", (unsigned long long)b->batch_no);
	gw->commit_backoff_ms = 0;
	gw->commit_alarm[0] = 0;
	if (!gw->fetches_waiting && gw->claim_hold_ms <= gw->now_ms)
		gw->read_alarm[0] = 0; /* nobody waits for a read any more */
	gw->stats.commits++;
	gw->committed = b->batch_no;
	gw->committed_fetch_seq = gw->flying_fetch_seq;
	cards_committed(gw);
	if (gw->deps.mark)
		gw->deps.mark(gw->deps.mark_ctx, b->batch_no);
	store_batch_reset(b);
}

/* ------------------------------------------------------------------------------------------------------------ starting */

static void load_done(struct store_query *q, int rc);

static void load_ask(struct gw *gw, enum store_query_kind kind, uint64_t id, uint64_t after, unsigned limit)
{
	gw->load_q = (struct store_query){
		.kind = kind,
		.id = id,
		.after = after,
		.limit = limit,
		.out = gw->load_buf,
		.done = load_done,
		.ctx = gw,
	};
	gw->deps.store->ops->query(gw->deps.store, &gw->load_q);
}

static void load_next_campaign(struct gw *gw)
{
	if (gw->load_campaign < gw->n_campaigns) {
		gw->phase = LOAD_COUNTS;
		load_ask(gw, Q_CAMPAIGN_COUNTS, gw->campaign[gw->load_campaign].row.id, 0, LOAD_PAGE);
	} else {
		gw->phase = LOAD_STUBS;
		load_ask(gw, Q_OPEN_CMDS, 0, 0, LOAD_PAGE);
	}
}

static void load_counts(struct gw *gw, const struct store_count *n, unsigned rows)
{
	struct campaign *c = &gw->campaign[gw->load_campaign++];

	memset(c->by_state, 0, sizeof(c->by_state));
	memset(c->open_class, 0, sizeof(c->open_class));
	for (unsigned i = 0; i < rows; i++) {
		if (n[i].state >= _TXN_STATES || n[i].fail_class >= _FAIL_CLASSES)
			continue;
		c->by_state[n[i].state] += n[i].n;
		c->sms_parts += n[i].sms_parts;
		c->attempts += n[i].attempts;
		c->probes += n[i].probes;
		if (n[i].fail_class && n[i].state != TXN_DONE)
			c->by_class[n[i].fail_class] += n[i].n;
		if (n[i].state == TXN_ACTIVE)
			c->open_class[n[i].fail_class] += n[i].n;
	}
	if (c->row.open_ended) { /* what was planned just before the end may not be in its row */
		c->row.targets = 0;
		for (unsigned s = 0; s < _TXN_STATES; s++)
			c->row.targets += c->by_state[s];
	}
	campaign_pace_anew(gw, c);
	load_next_campaign(gw);
}

static void load_stubs(struct gw *gw, const struct store_stub *in, unsigned rows)
{
	const int64_t latest = retry_latest(&gw->cfg.retry, gw->now_ms);

	for (unsigned i = 0; i < rows; i++) {
		struct campaign *c = campaign_by_id(gw, in[i].campaign);
		struct stub *s;

		if (!c || in[i].state >= _CMD_STATES) {
			gw_log(gw, 4, "cmd=%llu is open but of no campaign that is: left alone",
			       (unsigned long long)in[i].cmd);
			continue;
		}
		s = stub_add(gw, in[i].card);
		if (!s) {
			gw_set_fatal(gw, "more open commands in the store than limit open_max=%u",
				     gw->cfg.limits.open_max);
			return;
		}
		s->cmd = in[i].cmd;
		s->campaign = (uint16_t)(c - gw->campaign);
		s->state = in[i].state;
		s->route = ROUTE_UNKNOWN;
		c->open[s->state]++;
		/* PREPARED means: may have left before we died.  The same octets go again, the card's counter sorts it out. */
		if (in[i].state == CMD_SENT || in[i].state == CMD_WAIT_TIMER || in[i].state == CMD_WAIT_PRESENCE)
			stub_due(gw, s, in[i].due_ms < latest ? in[i].due_ms : latest);
		else
			stub_due(gw, s, gw->now_ms);
	}
}

static void load_campaigns(struct gw *gw, const struct campaign_row *rows, unsigned n)
{
	char err[RULES_ERR_MAX];
	struct campaign *c;

	for (unsigned i = 0; i < n; i++) {
		if (rows[i].state == CAMPAIGN_LOADING)
			continue; /* its intake never finished: the front drops it */
		c = campaign_place(gw);
		if (!c) {
			gw_log(gw, 3,
			       "campaign %s is left out: %u others have not ended; delete or cancel some and start "
			       "again",
			       rows[i].name, CAMPAIGNS_MAX);
			continue;
		}
		*c = (struct campaign){ .row = rows[i] };
		if (c->row.state == CAMPAIGN_CANCELLED && !c->row.ended_ms)
			c->row.txn_cursor = 0; /* older versions passed planned cards that another campaign had */
		if (campaign_rules(c, err))
			gw_set_fatal(gw, "campaign %s: stored rules: %.80s", rows[i].name, err);
	}
}

static bool load_profile(struct gw *gw, const struct store_blob *b)
{
	struct campaign *c = &gw->campaign[gw->load_campaign];
	char err[160];

	if (!profile_parse(&c->profile, gw->deps.errtab, (const char *)b->bytes, b->len, err, sizeof(err)))
		return true;
	gw_set_fatal(gw, "campaign %s: stored profile: %.80s", c->row.name, err);
	return false;
}

static void load_done(struct store_query *q, int rc)
{
	struct gw *gw = q->ctx;
	bool page_full = q->n == q->limit;

	if (rc == STORE_E_CLOSED)
		return;
	if (rc) {
		gw_set_fatal(gw, "the store cannot be read at start: %s", store_why_text(rc, q->why));
		return;
	}
	switch (gw->phase) {
	case LOAD_TOTALS:
		gw->next_cmd = gw->first_cmd = ((struct store_totals *)gw->load_buf)->max_cmd + 1;
		gw->committed = ((struct store_totals *)gw->load_buf)->max_batch;
		gw->batch_no = gw->committed + 1;
		gw->phase = LOAD_CAMPAIGNS;
		load_ask(gw, Q_CAMPAIGNS, 0, 0, LOAD_PAGE);
		break;
	case LOAD_CAMPAIGNS:
		load_campaigns(gw, gw->load_buf, q->n);
		if (page_full) {
			load_ask(gw, Q_CAMPAIGNS, 0, q->last, LOAD_PAGE);
		} else if (!gw->n_campaigns) {
			load_next_campaign(gw);
		} else {
			gw->phase = LOAD_PROFILE;
			load_ask(gw, Q_PROFILE, gw->campaign[0].row.id, 0, 1);
		}
		break;
	case LOAD_PROFILE:
		if (!q->n)
			gw_set_fatal(gw, "campaign %s has no stored profile", gw->campaign[gw->load_campaign].row.name);
		if (!q->n || !load_profile(gw, gw->load_buf))
			break;
		if (++gw->load_campaign < gw->n_campaigns) {
			load_ask(gw, Q_PROFILE, gw->campaign[gw->load_campaign].row.id, 0, 1);
		} else {
			gw->load_campaign = 0;
			load_next_campaign(gw);
		}
		break;
	case LOAD_COUNTS:
		load_counts(gw, gw->load_buf, q->n);
		break;
	case LOAD_STUBS:
		load_stubs(gw, gw->load_buf, q->n);
		if (page_full)
			load_ask(gw, Q_OPEN_CMDS, 0, q->last, LOAD_PAGE);
		else
			gw->phase = LOAD_DONE;
		break;
	case LOAD_IDLE:
	case LOAD_DONE:
		break;
	}
}

void gw_start(struct gw *gw, int64_t now_ms)
{
	gw->now_ms = now_ms;
	links_start(gw);
	gw->phase = LOAD_TOTALS;
	load_ask(gw, Q_TOTALS, 0, 0, 1);
}

bool gw_ready(const struct gw *gw)
{
	return gw->phase == LOAD_DONE;
}

/* ------------------------------------------------------------------------------------------------------------ the turn */

/* Messages that close nothing are kept for whoever looks into them, but anybody can send such: so many per hour, then they are
 * counted only.  A flood of unknown senders does not use up what is kept of known cards. */
bool gw_stray_kept(struct gw *gw, bool known)
{
	if (gw->now_ms - gw->stray_hour_ms >= STRAY_HOUR_MS || gw->now_ms < gw->stray_hour_ms) {
		gw->stray_hour_ms = gw->now_ms;
		gw->strays[0] = gw->strays[1] = 0;
	}
	return gw->strays[known]++ < (known ? CARD_STRAYS_PER_HOUR : STRAYS_PER_HOUR);
}

/* An event whose card is resident (or whose address is nobody's: c is NULL). */
void gw_card_event(struct gw *gw, struct card *c, const struct gw_event *ev)
{
	const struct link_event *e = &ev->ev;

	if (ev->kind == GW_EV_SETTLE) {
		txn_settle(gw, c, ev);
		return;
	}
	if (ev->kind == GW_EV_CARD) {
		order_take(gw, c, ev);
		return;
	}
	if (ev->kind == GW_EV_TOLD) {
		if (c)
			por_told(gw, c, e->payload, e->payload_len);
		return;
	}
	if (c && e->kind != LINK_EV_REPORT &&
	    !ev->own) /* a receipt comes from the SMSC, presence perhaps from an operator */
		card_heard(c, &e->from);
	/* what stands in a receipt is the card's answer to what was sent to its old numbers */
	if (c && (e->kind == LINK_EV_MO || (e->kind == LINK_EV_ALERT && e->ms_status == 0) || e->payload_len))
		moving_heard(gw, c, &e->from, ev->since_ms);
	if (e->kind == LINK_EV_ALERT) {
		gw->stats.alerts++;
		if (c && e->ms_status == 0) {
			c->alert_ms = gw->now_ms;
			if (work_is_here(c, &e->from))
				c->b.card.last_seen_ms = gw->now_ms;
			if (gw->now_ms - c->seen_written_ms >= SEEN_WRITE_MS)
				card_dirty(gw, c, DIRTY_CARD);
			cmd_on_alert(gw, c);
		}
		return;
	}
	if (c) {
		const struct cmd_row *open = card_open_cmd(c, NULL);
		uint64_t was_open = open ? open->id : 0;

		card_touch(gw, c);
		por_on_rx(gw, c, e);
		if (e->kind == LINK_EV_REPORT)
			receipt_on_rx(gw, c, was_open, e);
	} else {
		gw->stats.por_stray++;
		if (gw_stray_kept(gw, false))
			gw_story(gw, 0, 0, STORY_STRAY, e->payload, e->payload_len,
				 "message from an unknown sender (npi %u)", e->from.npi);
	}
	gw_answer(gw, ev->link, e->token); /* let go when this batch is durable */
}

static bool take_settle(struct gw *gw, struct ev_node *n)
{
	struct card *c;

	if (card_fetching(gw, n->ev.card, NULL, n))
		return true;
	c = card_find(gw, n->ev.card);
	if (!c)
		return card_fetch(gw, n->ev.card, NULL, n, false);
	gw_card_event(gw, c, &n->ev);
	gw_ev_free(gw, n);
	return true;
}

int gw_card_seen(struct gw *gw, const char *imsi, int64_t since_ms)
{
	struct gw_event ev = {
		.kind = GW_EV_LINK, .own = true, .since_ms = since_ms, .ev = { .kind = LINK_EV_ALERT, .from.npi = 6 }
	};

	snprintf(ev.ev.from.digits, sizeof(ev.ev.from.digits), "%s", imsi);
	return gw_post(gw, &ev);
}

int gw_txn_settle(struct gw *gw, uint64_t txn, uint64_t card, enum txn_state end, const char *why)
{
	struct gw_event ev = { .kind = GW_EV_SETTLE, .txn = txn, .card = card, .end = (uint8_t)end };

	if (!card || end >= _TXN_STATES || !txn_ended((uint8_t)end))
		return -EINVAL;
	snprintf(ev.why, sizeof(ev.why), "%s", why);
	return gw_post(gw, &ev);
}

int gw_told(struct gw *gw, uint64_t card, const uint8_t *packet, size_t len)
{
	struct gw_event ev = { .kind = GW_EV_TOLD, .card = card };

	if (!card || len > sizeof(ev.ev.payload))
		return -EINVAL;
	memcpy(ev.ev.payload, packet, len);
	ev.ev.payload_len = (uint16_t)len;
	return gw_post(gw, &ev);
}

/* Takes one event; false when it must wait (no place for its card yet). */
static bool take(struct gw *gw, struct ev_node *n)
{
	const struct gw_event *ev = &n->ev;
	struct card *c;

	if (ev->kind == GW_EV_SETTLE || ev->kind == GW_EV_TOLD || ev->kind == GW_EV_CARD)
		return take_settle(gw, n);
	if (ev->kind != GW_EV_LINK) {
		if (ev->kind == GW_EV_CAMPAIGN)
			campaign_verb(gw, ev);
		else
			link_verb(gw, ev);
		gw_ev_free(gw, n);
		return true;
	}
	switch (ev->ev.kind) {
	case LINK_EV_UP:
	case LINK_EV_DOWN:
		gw->link[ev->link].turns--;
		links_up_down(gw, ev->link, ev->ev.kind == LINK_EV_UP);
		flight_clear_link(gw, ev->link);
		gw_ev_free(gw, n);
		return true;
	case LINK_EV_ACCEPTED:
	case LINK_EV_REJECTED:
	case LINK_EV_UNKNOWN:
		links_outcome(gw, ev);
		flight_on_outcome(gw, &ev->ev);
		gw_ev_free(gw, n);
		return true;
	case LINK_EV_MO:
	case LINK_EV_REPORT:
	case LINK_EV_ALERT:
		break;
	}
	/* a read for this sender is under way: queue behind it, or the order would be lost */
	if (card_fetching(gw, 0, &ev->ev.from, n))
		return true;
	c = card_by_addr(gw, &ev->ev.from);
	if (!c)
		return card_fetch(gw, 0, &ev->ev.from, n, false);
	gw_card_event(gw, c, ev);
	gw_ev_free(gw, n);
	return true;
}

/* What an operator orders goes before all that waits, also while commits take long and nothing else is taken: a pause that
 * stands in a queue is none. */
static int take_orders(struct gw *gw)
{
	int did = 0;

	while (gw->orders.head && gw->fx_n + gw->ev_used - gw->inbox_n + gw->cfg.limits.step_events_max < gw->fx_cap) {
		struct ev_node *n = gw->orders.head;

		gw->orders.head = n->next;
		if (!n->next)
			gw->orders.tail = &gw->orders.head;
		gw->orders_n--;
		gw->inbox_n--;
		(void)take(gw, n); /* never waits */
		did++;
	}
	if (gw->sweeping && !queue_crowded(gw)) {
		flight_sweep(gw);
		did++;
	}
	gw->stats.events += (unsigned)did;
	return did;
}

static int take_events(struct gw *gw)
{
	int did = 0;

	while (gw->inbox.head && did < (int)gw->cfg.limits.step_events_max && !gw_batch_full(gw)) {
		struct ev_node *n = gw->inbox.head;
		struct ev_node *next = n->next;

		if (!take(gw, n))
			break;
		gw->inbox.head = next;
		if (!next)
			gw->inbox.tail = &gw->inbox.head;
		gw->inbox_n--;
		did++;
	}
	gw->stats.events += (unsigned)did;
	return did;
}

static int take_timers(struct gw *gw)
{
	struct stub *s;
	int did = 0;

	gw->timers_stalled = false;
	while ((s = wheel_top(gw)) && s->due_ms <= gw->now_ms && did < (int)gw->cfg.limits.step_events_max &&
	       !gw_batch_full(gw)) {
		struct card *c = card_find(gw, s->card);
		uint64_t id = s->card;

		if (!c && queue_postpone(gw, s)) {
			/* its turn comes */
		} else if (c) {
			stub_due(gw, s, INT64_MAX);
			card_touch(gw, c);
			cmd_timer(gw, c);
		} else if (s->fetching) {
			stub_due(gw, s, INT64_MAX);
		} else if (card_fetch(gw, id, NULL, NULL, true)) {
			s = stub_find(gw, id);
			if (s) {
				s->fetching = true;
				stub_due(gw, s, INT64_MAX);
			}
		} else {
			gw->timers_stalled = true;
			break;
		}
		did++;
	}
	return did;
}

int gw_step(struct gw *gw, int64_t now_ms)
{
	int did = 0;

	gw->now_ms = now_ms;
	if (gw->fatal[0] || !gw_ready(gw))
		return 0;
	gw->stats.steps++;
	if (gw->commit_retry_ms && now_ms >= gw->commit_retry_ms) {
		gw->commit_retry_ms = 0;
		batch_submit(gw);
		did++;
	}
	queue_shares(gw);
	did += take_orders(gw);
	did += cards_turn(gw);
	did += take_events(gw);
	did += take_timers(gw);
	judge_turn(gw);
	links_turn(gw);
	if (!gw_batch_full(gw))
		campaign_claims(gw);
	campaign_tick(gw);
	if (!gw->committing && !gw->commit_retry_ms && !batch_empty(gw)) {
		batch_close(gw);
		did++;
	}
	ks_settle(gw->deps.ks); /* whatever follows may wait */
	return did;
}

int64_t gw_next_due(const struct gw *gw)
{
	const struct stub *s = wheel_top((struct gw *)gw);
	/* where a completion of the store must come first, time alone changes nothing */
	int64_t due = s && !gw->timers_stalled && !gw_batch_full(gw) ? s->due_ms : INT64_MAX;

	if (!gw_ready(gw) || gw->fatal[0])
		return INT64_MAX;
	if (cards_due(gw) < due)
		due = cards_due(gw);
	if (gw->claim_hold_ms > gw->now_ms && gw->claim_hold_ms < due)
		due = gw->claim_hold_ms;
	if (campaign_due(gw) < due)
		due = campaign_due(gw);
	if (links_due(gw) < due)
		due = links_due(gw);
	if (gw->sweeping && !queue_crowded(gw))
		return gw->now_ms;
	if (gw->commit_retry_ms)
		return gw->commit_retry_ms < due ? gw->commit_retry_ms : due;
	if (!gw->committing && !batch_empty(gw))
		return gw->now_ms;
	return due;
}

uint32_t gw_epoch(const struct gw *gw)
{
	return gw->cfg.epoch;
}

void gw_stats(const struct gw *gw, struct gw_stats *out)
{
	*out = gw->stats;
	out->inbox = gw->inbox_n;
	out->inbox_high = gw->inbox_high;
	out->resident = gw->resident;
	out->resident_high = gw->resident_high;
	out->open = gw->open;
	out->open_high = gw->open_high;
	out->parked = gw->ev_used - gw->inbox_n;
	out->store_alarm = gw_alarm(gw) != NULL;
	out->batch_no = gw->committed;
}

const char *story_kind_name(uint8_t k)
{
	static const char *const name[] = {
		[STORY_IMPORTED] = "imported", [STORY_PREPARED] = "prepared", [STORY_ATTEMPT] = "attempt",
		[STORY_OUTCOME] = "outcome",   [STORY_POR] = "por",	      [STORY_STRAY] = "stray",
		[STORY_ALERT] = "alert",       [STORY_STATE] = "state",	      [STORY_NOTE] = "note",
	};

	_Static_assert(ARRAY_SIZE(name) == _STORY_KINDS, "every kind has its name");
	return k < _STORY_KINDS && name[k] ? name[k] : "?";
}
