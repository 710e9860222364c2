/* cmd.c - one secured packet: prepared, sent, tried again with the same octets, fenced, ended.  What answers it: settle.c.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The rules this file keeps:
 *  - counter and packet are in the batch before any attempt; an attempt never makes new octets;
 *  - no answer is not failure: the same octets go again, the card refuses a second run by its counter;
 *  - an answer that anybody could have sent (a hint) moves nothing: it only makes us ask the card with a fresh counter,
 *    and that question fences the command before it;
 *  - a fresh script goes out only after the card itself has shown, under its keys, that the one before did not run.
 */
#include <stdio.h>

#include "gw_int.h"

#define S(x)		 (1u << (x))
#define S_ENDS		 (S(CMD_DONE) | S(CMD_FAILED) | S(CMD_EXPIRED) | S(CMD_FENCED) | S(CMD_CANCELLED))
#define S_WAIT		 (S(CMD_WAIT_TIMER) | S(CMD_WAIT_PRESENCE))
#define WINDOW_SPREAD_MS 600000 /* what waits for an opening comes within so long, or within a quarter of the window */
#define ABSENT_ASK	 3	/* times silent_max: refused attempts after which the card is asked all the same */
#define ALERT_OWN_MS	 60000	/* an alert that comes so soon after an attempt may be of that attempt's own making */
#define EXACT_ASK	 5 /* times silent_max: unanswered attempts in counter mode 11 before the next value is tried */

static const struct {
	const char *name;
	uint32_t next;
} cmd_states[] = {
	[CMD_QUEUED] = { "QUEUED", S(CMD_PREPARED) | S(CMD_FAILED) | S(CMD_EXPIRED) | S(CMD_CANCELLED) },
	[CMD_PREPARED] = { "PREPARED", S(CMD_PREPARED) | S(CMD_SENT) | S_WAIT | S_ENDS },
	[CMD_SENT] = { "SENT", S(CMD_SENT) | S_WAIT | S_ENDS },
	[CMD_WAIT_TIMER] = { "WAIT_TIMER", S(CMD_PREPARED) | S(CMD_SENT) | S(CMD_WAIT_PRESENCE) | S_ENDS },
	[CMD_WAIT_PRESENCE] = { "WAIT_PRESENCE", S(CMD_PREPARED) | S(CMD_SENT) | S(CMD_WAIT_TIMER) | S_ENDS },
	/* a late answer with a right MAC still counts for what has ended without one */
	[CMD_DONE] = { "DONE", 0 },
	[CMD_FAILED] = { "FAILED", S(CMD_DONE) | S(CMD_FAILED) },
	[CMD_EXPIRED] = { "EXPIRED", S(CMD_DONE) | S(CMD_FAILED) },
	[CMD_FENCED] = { "FENCED", S(CMD_DONE) | S(CMD_FAILED) },
	[CMD_CANCELLED] = { "CANCELLED", S(CMD_DONE) | S(CMD_FAILED) },
};
_Static_assert(ARRAY_SIZE(cmd_states) == _CMD_STATES, "every state has its row");

const char *cmd_state_name(uint8_t s)
{
	return s < _CMD_STATES ? cmd_states[s].name : "?";
}

bool cmd_ended(uint8_t state)
{
	return S(state) & S_ENDS;
}

void cmd_state_set(struct gw *gw, struct card *c, struct cmd_row *cmd, enum cmd_state to)
{
	struct campaign *camp = campaign_by_id(gw, cmd->campaign);
	struct stub *s;

	ota_assert(cmd_states[cmd->state].next & S(to));
	if (camp && !cmd_ended(cmd->state))
		camp->open[cmd->state]--;
	cmd->state = to;
	if (cmd_ended(to)) {
		if (!cmd->ended_ms)
			cmd->ended_ms = gw->now_ms;
		if (!card_open_cmd(c, NULL))
			stub_remove(gw, c->b.card.id);
		flight_abandon(gw, cmd->id); /* an attempt that is still on its way out stops here */
	} else {
		if (camp)
			camp->open[to]++;
		s = stub_find(gw, c->b.card.id);
		ota_assert(s);
		s->state = to;
	}
	card_dirty(gw, c, DIRTY_CMD(cmd - c->b.cmd));
}

void cmd_due(struct gw *gw, struct card *c, struct cmd_row *cmd, int64_t due_ms)
{
	struct stub *s = stub_find(gw, c->b.card.id);

	ota_assert(s);
	cmd->due_ms = due_ms;
	stub_due(gw, s, due_ms);
	card_dirty(gw, c, DIRTY_CMD(cmd - c->b.cmd));
}

void cmd_params(const struct cmd_row *cmd, uint32_t set, struct ota_cmd_params *p)
{
	*p = (struct ota_cmd_params){
		.spi = { cmd->spi[0], cmd->spi[1] },
		.kic = cmd->kic,
		.kid = cmd->kid,
		.cntr = cmd->cntr,
		.tar = { cmd->tar[0], cmd->tar[1], cmd->tar[2] },
		.cc_len = cmd->cc_len,
		.kic_ref = { set, KS_KEY_KIC },
		.kid_ref = { set, KS_KEY_KID },
	};
}

/* --------------------------------------------------------------------------------------------------- an attempt */

/* An attempt that did not take place, or that does not count. */
void cmd_attempt_back(struct gw *gw, struct card *c, struct cmd_row *cmd)
{
	struct campaign *camp = campaign_by_id(gw, cmd->campaign);

	cmd->attempt--;
	c->b.txn.attempts--;
	if (camp)
		camp->attempts--;
	card_dirty(gw, c, DIRTY_TXN | DIRTY_CMD(cmd - c->b.cmd));
}

/* No place in its route now. */
static void postpone(struct gw *gw, struct card *c, struct cmd_row *cmd, unsigned route)
{
	struct stub *s = stub_find(gw, c->b.card.id);

	ota_assert(s);
	s->route = (uint8_t)route;
	cmd_due(gw, c, cmd, queue_again(gw, route));
}

/* The attempt is in the batch that is being filled; it leaves when that is durable. */
static void launch(struct gw *gw, struct card *c, struct cmd_row *cmd, unsigned route)
{
	struct txn_row *t = &c->b.txn;
	struct campaign *camp = campaign_by_id(gw, cmd->campaign);
	struct stub *s = stub_find(gw, c->b.card.id);
	struct flight *f;

	ota_assert(s);
	cmd->attempt++;
	if (t->attempts < UINT16_MAX)
		t->attempts++;
	t->last_try_ms = gw->now_ms;
	if (!t->first_try_ms)
		t->first_try_ms = gw->now_ms;
	/* never 0 (some cards take it for "not concatenated"), another one for each attempt of each command */
	cmd->concat_ref = (uint16_t)(1 + (cmd->concat_ref ? cmd->concat_ref : cmd->cntr * 16) % 255);
	card_dirty(gw, c, DIRTY_TXN);
	if (camp)
		camp->attempts++;
	f = flight_add(gw, c, cmd, route);
	if (f) {
		f->heard = s->heard_old;
		s->heard_old = false;
		stub_ahead(gw, s, false);
		moving_launched(gw, c, cmd);
		cmd_due(gw, c, cmd, cmd->deadline_ms); /* should no link ask for it before */
	} else {				       /* all places taken: it did not take place */
		cmd_attempt_back(gw, c, cmd);
		postpone(gw, c, cmd, route);
	}
}

void cmd_give_up(struct gw *gw, struct card *c, struct cmd_row *cmd, enum cmd_state cmd_to, enum txn_state to,
		 const char *why)
{
	if (moving_stays(gw, c, cmd, to))
		return;
	cmd_state_set(gw, c, cmd, cmd_to);
	cmd_tell(gw, c, cmd, txn_state_name(to), why);
	if (!txn_ended(c->b.txn.state))
		txn_state_set(gw, c, to, "%s", why);
}

static void unanswered(struct cmd_row *cmd)
{
	if (cmd->silent < UINT8_MAX)
		cmd->silent++;
}

/* "The answer follows": the card has the command, and the answer proper comes in a message of its own. */
bool cmd_interim(const struct gw *gw, const struct cmd_row *cmd, uint8_t status)
{
	const struct campaign *camp = campaign_by_id((struct gw *)gw, cmd->campaign);

	return camp && status != 255 && profile_por_meaning(&camp->profile, status) == POR_MEANS_INTERIM;
}

/* May the card have run the script?  A read-back is only ever asked because nobody knows; what a restored store says of a
 * command is what was true before it left. */
bool cmd_may_have_run(const struct gw *gw, const struct cmd_row *cmd)
{
	return cmd->kind == CMD_READBACK || cmd->attempt || cmd->sent_ms || cmd->epoch < gw->cfg.epoch;
}

/* Counter mode 11 (TS 102 225, 5.1.4): the card takes exactly the next value.  A gap would end it, so what it has not taken yet
 * is repeated, and only after very long silence the next value is tried: a card that has taken this one and whose answer was lost
 * may say nothing to a repetition. */
bool campaign_counts_exactly(const struct campaign *camp)
{
	return OTA_SPI1_COUNTER(camp->profile.spi[0]) == 3;
}

/* Some cards say nothing to a packet they have seen, and some networks call a card's refusal absence: the same octets for ever would
 * never tell. */
static bool silent_too_long(const struct gw *gw, const struct campaign *camp, const struct cmd_row *cmd)
{
	unsigned max = gw->cfg.retry.silent_max;

	if (camp && campaign_counts_exactly(camp))
		return cmd->silent >= EXACT_ASK * max;
	return cmd->silent >= max || cmd->attempt >= ABSENT_ASK * max;
}

/* While the campaign's window is closed for this card its attempt waits for the next opening, and not all for the same moment. */
static bool window_waits(struct gw *gw, struct card *c, struct cmd_row *cmd)
{
	const struct campaign *camp = campaign_by_id(gw, cmd->campaign);
	int64_t due = camp ? rules_opening(&camp->rules, c->b.card.tz_min, gw->now_ms) : gw->now_ms;
	int64_t spread_ms;

	if (due <= gw->now_ms)
		return false;
	spread_ms = rules_window_ms(&camp->rules) / 4;
	if (spread_ms > WINDOW_SPREAD_MS)
		spread_ms = WINDOW_SPREAD_MS;
	due += spread_ms * env_random_u32(gw->deps.env) >> 32;
	if (due > cmd->deadline_ms)
		due = cmd->deadline_ms;
	if (cmd->state != CMD_WAIT_TIMER)
		cmd_state_set(gw, c, cmd, CMD_WAIT_TIMER);
	cmd_due(gw, c, cmd, due);
	return true;
}

/* Read-backs of this transaction, newest first, to which the card has said nothing at all. */
static unsigned silent_probes(const struct card *c)
{
	unsigned n = 0;

	while (n < c->b.n_cmds && c->b.cmd[n].txn == c->b.txn.id && c->b.cmd[n].kind == CMD_READBACK &&
	       c->b.cmd[n].por_status == 255 && c->b.cmd[n].hint == 255)
		n++;
	return n;
}

/* No more attempts.  A card that was reached, and has said nothing to many questions, needs a person; one that was not may be a
 * phone that is switched off. */
static void expire(struct gw *gw, struct card *c, struct cmd_row *cmd, const char *why)
{
	bool reached = c->b.txn.evidence != 255 && c->b.txn.evidence >= 2;

	if (reached && silent_probes(c) >= gw->cfg.retry.probes_max)
		cmd_give_up(gw, c, cmd, CMD_EXPIRED, TXN_QUARANTINED,
			    "messages arrive, and the card answers no question");
	else
		cmd_give_up(gw, c, cmd, CMD_EXPIRED, TXN_EXPIRED, why);
}

void cmd_attempt(struct gw *gw, struct card *c, struct cmd_row *cmd)
{
	const struct campaign *camp = campaign_by_id(gw, cmd->campaign);
	unsigned route = card_route(gw, c, card_address_turn(gw, c));
	char why[64];

	if (gw->now_ms >= cmd->deadline_ms) {
		expire(gw, c, cmd,
		       cmd_may_have_run(gw, cmd) ? "deadline passed without an authenticated answer" :
						   "deadline passed, never sent");
		return;
	}
	if (c->b.txn.attempts >= gw->cfg.retry.attempts_max) {
		snprintf(why, sizeof(why), "%u attempts without an authenticated answer", c->b.txn.attempts);
		expire(gw, c, cmd, why);
		return;
	}
	if (window_waits(gw, c, cmd) || moving_waits(gw, c, cmd))
		return;
	if (moving_asks(gw, c, cmd)) {
		cmd_fence(gw, c, cmd, 0);
		return;
	}
	if (cmd_interim(gw, cmd, cmd->por_status)) {
		/* it has said, under its keys, that it has taken this counter: the same octets again would tell nothing */
		cmd_fence(gw, c, cmd, 0);
		return;
	}
	if (silent_too_long(gw, camp, cmd) && !(c->b.txn.maybe_moved && cmd->kind == CMD_SCRIPT)) {
		uint64_t jump = cmd->kind == CMD_READBACK ? counter_jump(silent_probes(c)) : 0;

		/* some cards say nothing to a packet they have seen, and some networks call a card's refusal absence: the same
		 * octets for ever would never tell.  To a counter that is behind, some cards say nothing either */
		cmd_fence(gw, c, cmd, jump);
		return;
	}
	if (c->b.packet_cmd != cmd->id || !c->b.packet_len) {
		cmd_give_up(gw, c, cmd, CMD_FAILED, TXN_QUARANTINED, "the stored packet is missing");
		return;
	}
	if (!queue_room(gw, camp, route)) {
		postpone(gw, c, cmd, route);
		return;
	}
	cmd_state_set(gw, c, cmd, CMD_PREPARED);
	launch(gw, c, cmd, route);
}

/* -------------------------------------------------------------------------------------------------- new commands */

struct prep {
	struct card *c;
	struct keyset_row *k;
	uint16_t apdus;
};

static bool prep_fail(struct gw *gw, struct card *c, enum fail_class cls, const char *what, const char *detail)
{
	txn_obstacle(gw, c, cls, 0);
	/* where a script has gone before, what it did is not known */
	txn_state_set(gw, c, cls == FAIL_CARD_PERM || c->b.txn.scripts ? TXN_QUARANTINED : TXN_FAILED, "%s%s%s", what,
		      detail ? ": " : "", detail ? detail : "");
	return false;
}

static bool is_under(const struct cmd_row *cmd, const struct keyset_row *k)
{
	return cmd->kvn == k->kvn && cmd->generation == k->generation;
}

/* The command that took the last value of this keyset, if the card has never answered for it. */
static const struct cmd_row *unsettled(const struct card *c, const struct keyset_row *k)
{
	for (unsigned i = 0; i < c->b.n_cmds; i++)
		if (is_under(&c->b.cmd[i], k) && c->b.cmd[i].cntr == k->cntr)
			return c->b.cmd[i].por_status == 255 ? &c->b.cmd[i] : NULL;
	return NULL;
}

/* In mode 11 a value that an earlier transaction has left without an answer is spent on a read, which does no harm whichever of
 * the two packets the card takes: the only case in which a counter carries a second packet, and only in the process life that
 * made the first, unless that was a read as well.  0: what the card has taken cannot be known. */
static uint64_t exact_counter(struct gw *gw, const struct card *c, struct keyset_row *k, enum cmd_kind kind)
{
	const struct cmd_row *last = unsettled(c, k);

	if (!counter_owned(k, gw->cfg.epoch))
		return 0;
	if (!last || last->txn == c->b.txn.id)
		return counter_take(k, 0, gw->cfg.epoch);
	if (kind != CMD_READBACK || (last->kind != CMD_READBACK && last->id < gw->first_cmd))
		return 0;
	return k->cntr;
}

static uint64_t prep_counter(struct gw *gw, const struct card *c, struct keyset_row *k, enum cmd_kind kind,
			     uint64_t step, bool exact)
{
	uint64_t cntr = exact ? exact_counter(gw, c, k, kind) : counter_take(k, step, gw->cfg.epoch);

	if (cntr && OTA_CNTR_MAX - cntr < CNTR_WATCH) {
		gw->stats.counters_near_end++;
		gw_log(gw, 4,
		       "card=%llu kvn=%u: %llu counters left, then this key version is dead; give the card new keys",
		       (unsigned long long)k->card, k->kvn, (unsigned long long)(OTA_CNTR_MAX - 1 - cntr));
	}
	return cntr;
}

/* Everything of one packet that needs no cipher. */
static bool prep_one(struct gw *gw, struct prep *p, struct card *c, unsigned i, enum cmd_kind kind, uint64_t cntr_step)
{
	struct prep_scratch *s = &gw->scratch;
	const struct campaign *camp = campaign_by_id(gw, c->b.txn.campaign);
	const struct profile *pr = &camp->profile;
	struct swap_values v = { 0 };
	struct ota_cmd_params *par = &s->params[i];
	uint64_t cntr;
	int n, rc;

	p->c = c;
	p->k = card_keyset(c, card_kvn(c, camp));
	if (!p->k)
		return prep_fail(gw, c, FAIL_CONFIG,
				 c->b.txn.kvn ? "the card has no keyset of the order's key version" :
						"the card has no keyset of the profile's key version",
				 NULL);
	memcpy(v.imsi, c->b.txn.new_imsi, sizeof(v.imsi));
	memcpy(v.msisdn, c->b.txn.new_msisdn, sizeof(v.msisdn));
	n = camp->row.kind     ? work_data(gw->deps.ks, c, pr, kind, s->script[i], OTA_SCRIPT_MAX, &p->apdus) :
	    kind == CMD_SCRIPT ? profile_script(pr, &v, s->script[i], OTA_SCRIPT_MAX, &p->apdus) :
				 profile_readback(pr, s->script[i], OTA_SCRIPT_MAX, &p->apdus);
	if (n < 0)
		return prep_fail(gw, c, FAIL_CONFIG, "script", ota_strerror(n));
	rc = ks_load(gw->deps.ks, c->b.card.iccid, p->k->kvn, p->k->sealed, p->k->sealed_len, &s->set[i]);
	if (rc) {
		ks_wipe(s->script[i], (size_t)n); /* an OPc may stand in it */
		return prep_fail(gw, c, FAIL_CONFIG, "keys", ks_strerror(rc));
	}
	cntr = prep_counter(gw, c, p->k, kind, cntr_step, campaign_counts_exactly(camp));
	*par = (struct ota_cmd_params){
		.spi = { pr->spi[0], pr->spi[1] },
		.kic = profile_kic(p->k),
		.kid = profile_kid(p->k),
		.tar = { pr->tar[0], pr->tar[1], pr->tar[2] },
		.cntr = cntr,
		.cc_len = p->k->cc_len,
		.kic_ref = { s->set[i], KS_KEY_KIC },
		.kid_ref = { s->set[i], KS_KEY_KID },
		.data = s->script[i],
		.data_len = (size_t)n,
	};
	rc = cntr ? ota_cmd_check(par) : OTA_E_RANGE;
	if (rc >= 0)
		rc = ota_cmd_lay_out(&s->work[i], par, c->b.packet, sizeof(c->b.packet));
	if (camp->row.kind == WORK_WRITE)
		ks_wipe(s->script[i], (size_t)n);
	if (rc >= 0)
		return true;
	ks_unload_soon(gw->deps.ks, s->set[i]);
	if (!cntr && campaign_counts_exactly(camp))
		return prep_fail(gw, c, FAIL_CARD_PERM, "counter mode 11: what the card has taken is not known", NULL);
	if (!cntr)
		return prep_fail(gw, c, FAIL_CARD_PERM, "the counter of this key version is used up", NULL);
	return prep_fail(gw, c, FAIL_CONFIG, "packet", ota_strerror(rc));
}

/* Cards are claimed in the order of their campaign, whatever their routes: the first attempt of one whose route is full waits, so
 * that the others go on. */
static void first_attempt(struct gw *gw, struct card *c, struct cmd_row *cmd)
{
	unsigned route = card_route(gw, c, card_address_turn(gw, c));

	if (moving_waits(gw, c, cmd))
		return;
	if (gw->n_routes == 1 || queue_room(gw, campaign_by_id(gw, cmd->campaign), route)) {
		launch(gw, c, cmd, route);
		return;
	}
	cmd_state_set(gw, c, cmd, CMD_WAIT_TIMER);
	stub_ahead(gw, stub_find(gw, c->b.card.id), true);
	postpone(gw, c, cmd, route);
}

/* The finished packet becomes a row, a stored wire, a stub and an attempt. */
static void prep_commit(struct gw *gw, struct prep *p, unsigned i, enum cmd_kind kind, int len)
{
	struct card *c = p->c;
	struct txn_row *t = &c->b.txn;
	struct campaign *camp = campaign_by_id(gw, t->campaign);
	const struct ota_cmd_params *par = &gw->scratch.params[i];
	struct cmd_row *cmd = card_add_cmd(gw, c);
	struct stub *s = stub_add(gw, c->b.card.id);

	ota_assert(s);
	*cmd = (struct cmd_row){
		.id = gw->next_cmd++,
		.txn = t->id,
		.card = c->b.card.id,
		.campaign = t->campaign,
		.kind = kind,
		.state = CMD_QUEUED,
		.kvn = p->k->kvn,
		.generation = p->k->generation,
		.epoch = p->k->epoch,
		.kic = par->kic,
		.kid = par->kid,
		.spi = { par->spi[0], par->spi[1] },
		.tar = { par->tar[0], par->tar[1], par->tar[2] },
		.cc_len = par->cc_len,
		.hint = 255,
		.por_status = 255,
		.apdus = p->apdus,
		.packet_len = (uint16_t)len,
		.cntr = par->cntr,
		.born_ms = gw->now_ms,
		.prepared_ms = gw->now_ms,
		.deadline_ms = (t->first_try_ms ? t->first_try_ms : gw->now_ms) + (int64_t)gw->cfg.retry.deadline_ms,
	};
	if (camp->row.deadline_ms && camp->row.deadline_ms < cmd->deadline_ms)
		cmd->deadline_ms = camp->row.deadline_ms;
	cmd->segs = (uint8_t)ota_segments((size_t)len, camp->profile.concat);
	c->b.packet_len = (uint16_t)len;
	c->b.packet_cmd = cmd->id;
	s->cmd = cmd->id;
	s->campaign = (uint16_t)(camp - gw->campaign);
	s->state = CMD_QUEUED;
	s->heard_old = c->heard_old;
	camp->open[CMD_QUEUED]++;
	if (!t->scripts && !t->probes) {
		/* from now on the card may speak under its new numbers, also to a gateway that was restarted meanwhile; where a
		 * restored store makes us ask first, it may long do so */
		if (t->new_imsi[0])
			card_addr_put(gw, c, ADDR_IMSI, t->new_imsi);
		else
			moving_addr(gw, c);
		if (t->new_msisdn[0])
			card_addr_put(gw, c, ADDR_MSISDN, t->new_msisdn);
	}
	if (kind == CMD_SCRIPT) {
		t->scripts++;
	} else {
		t->probes++;
		camp->probes++;
		gw->stats.probes++;
	}
	gw_op(gw, ST_WIRE_PUT, cmd, c->b.packet, (size_t)len);
	card_dirty(gw, c, DIRTY_KEYSET(p->k - c->b.keyset) | DIRTY_TXN);
	cmd_state_set(gw, c, cmd, CMD_PREPARED);
	if (!order_waits(gw, c, cmd) && !window_waits(gw, c, cmd))
		first_attempt(gw, c, cmd);
}

/* Commands have gone out under this keyset in this epoch, and the card has answered none of them. */
static bool unproven(const struct gw *gw, const struct card *c, const struct keyset_row *k)
{
	bool taken = false;

	for (unsigned i = 0; i < c->b.n_cmds; i++)
		taken |= is_under(&c->b.cmd[i], k) && c->b.cmd[i].epoch == gw->cfg.epoch;
	return taken && !k->cntr_proven;
}

bool cmd_must_ask(struct gw *gw, struct card *c)
{
	const struct campaign *camp = campaign_by_id(gw, c->b.txn.campaign);
	const struct keyset_row *k = card_keyset(c, card_kvn(c, camp));

	/* a transaction that a restored store calls planned may have run already */
	return k && (!counter_owned(k, gw->cfg.epoch) || unproven(gw, c, k) ||
		     (campaign_counts_exactly(camp) && unsettled(c, k)));
}

void cmd_prepare(struct gw *gw, struct card *const *cards, unsigned n, enum cmd_kind kind, uint64_t cntr_step)
{
	struct ota_crypt crypt = ks_crypt(gw->deps.ks);
	struct prep p[CLAIM_MAX];
	const struct campaign *camp;
	unsigned m = 0;
	int len;

	ota_assert(n <= CLAIM_MAX);
	for (unsigned i = 0; i < n; i++)
		if (prep_one(gw, &p[m], cards[i], m, kind, cntr_step))
			m++;
	/* each work item keeps its own rc, ota_cmd_finish() tells it */
	(void)ota_cmd_run(gw->scratch.work, m, &crypt);
	for (unsigned i = 0; i < m; i++) {
		ks_unload_soon(gw->deps.ks, gw->scratch.set[i]);
		camp = campaign_by_id(gw, p[i].c->b.txn.campaign);
		len = ota_cmd_finish(&gw->scratch.work[i]);
		if (len < 0)
			prep_fail(gw, p[i].c, FAIL_CONFIG, "packet", ota_strerror(len));
		else if (ota_segments((size_t)len, camp->profile.concat) > camp->profile.segments_max)
			prep_fail(gw, p[i].c, FAIL_CONFIG, "packet takes more SMS than the profile's segments-max",
				  NULL);
		else
			prep_commit(gw, &p[i], i, kind, len);
	}
}

/* ------------------------------------------------------------------------------------------- waiting and settling */

/* Attempts since the card was last heard with a right MAC.  A question goes on where the script before it stopped: asking does not
 * make an absent phone come back sooner. */
static unsigned unheard_attempts(const struct card *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->b.n_cmds; i++) {
		const struct cmd_row *cmd = &c->b.cmd[i];

		if (cmd->txn != c->b.txn.id || cmd->por_status != 255)
			break;
		n += cmd->attempt;
	}
	return n ? n : 1;
}

void cmd_wait(struct gw *gw, struct card *c, struct cmd_row *cmd, const struct fail *why)
{
	const struct retry_policy *rp = &gw->cfg.retry;
	unsigned tries;
	int64_t due;

	if (why->cls == FAIL_SUBS_PERM && card_address_turn(gw, c)) {
		/* not a word about the card: it was tried under the IMSI it may have by now */
		const struct fail absent = { FAIL_ABSENT, why->code, why->what };

		cmd_wait(gw, c, cmd, &absent);
		return;
	}
	txn_obstacle(gw, c, why->cls, why->code);
	if (why->cls == FAIL_SUBS_PERM || why->cls == FAIL_CONFIG || why->cls == FAIL_CARD_PERM) {
		/* the network will not take it.  If an earlier attempt got out, the card may have run it: a person must look */
		if (cmd->kind == CMD_READBACK || cmd->attempt > 1 || cmd->sent_ms || cmd->silent || why->maybe_ran)
			cmd_give_up(gw, c, cmd, CMD_FAILED, TXN_QUARANTINED, why->what ? why->what : "refused");
		else
			cmd_give_up(gw, c, cmd, CMD_FAILED, TXN_FAILED, why->what ? why->what : "refused");
		return;
	}
	tries = unheard_attempts(c);
	if (!retry_counts(why->cls)) { /* congestion and lost links do not use attempts up */
		if (cmd->attempt)
			cmd_attempt_back(gw, c, cmd);
		if (cmd->stalls < UINT8_MAX)
			cmd->stalls++;
		tries = cmd->stalls;
	}
	due = retry_at(rp, why->cls, tries, gw->now_ms, env_random_u32(gw->deps.env));
	if (due > cmd->deadline_ms)
		due = cmd->deadline_ms;
	cmd_state_set(gw, c, cmd, retry_wakes(why->cls) ? CMD_WAIT_PRESENCE : CMD_WAIT_TIMER);
	cmd_due(gw, c, cmd, due);
}

/* Asks the card what it holds, under a fresh counter.  From here on the command before is never sent again, and a card that
 * has answered the question will never run it. */
void cmd_fence(struct gw *gw, struct card *c, struct cmd_row *cmd, uint64_t jump)
{
	if (c->b.txn.probes == UINT8_MAX) {
		cmd_give_up(gw, c, cmd, CMD_FAILED, TXN_QUARANTINED, "asked 255 times what the card holds, no answer");
		return;
	}
	if (moving_waits(gw, c, cmd))
		return;
	c->heard_old = stub_find(gw, c->b.card.id)->heard_old; /* its stub goes with the command */
	cmd_state_set(gw, c, cmd, CMD_FENCED);
	cmd_tell(gw, c, cmd, cmd_state_name(CMD_FENCED), "nobody knows whether it ran: the card is asked");
	cmd_prepare(gw, &c, 1, CMD_READBACK, jump);
	c->heard_old = false;
}

static bool refused(const struct gw *gw, const struct cmd_row *cmd, uint8_t status)
{
	return status != 255 && !cmd_interim(gw, cmd, status);
}

/* Read-backs of this transaction, newest first, that the card has refused one after the other. */
static unsigned refused_probes(const struct gw *gw, const struct card *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->b.n_cmds; i++) {
		const struct cmd_row *cmd = &c->b.cmd[i];

		if (cmd->txn != c->b.txn.id || cmd->kind != CMD_READBACK ||
		    (!refused(gw, cmd, cmd->hint) && !refused(gw, cmd, cmd->por_status)))
			break;
		n++;
	}
	return n;
}

/* Mode 11: whether the next value may be tried.  To a script, a plain "counter low" will do: the card has checked it, and the next
 * value cannot harm.  Its look-alikes may come from a damaged message, and of a read a hint may still mean the script before it:
 * there only the card's own word counts, or many repetitions. */
static bool exact_taken(const struct gw *gw, const struct cmd_row *cmd, enum por_meaning m, uint8_t status)
{
	if (m != POR_MEANS_CNTR_LOW)
		return false;
	return cmd->por_status != 255 || (cmd->kind == CMD_SCRIPT && status == OTA_POR_CNTR_LOW) ||
	       cmd->silent >= EXACT_ASK * gw->cfg.retry.silent_max;
}

/* Mode 11, refused, and not because the card has met the counter before: it has not been taken, so it is repeated.  Under the
 * card's own word that the counter is too high there is nothing to repeat. */
static void settle_exact(struct gw *gw, struct card *c, struct cmd_row *cmd, enum por_meaning m, uint8_t status)
{
	const struct fail refused = { FAIL_CARD_TRANSIENT, status, "refused, the counter is still to be taken" };

	if (cmd->por_status != 255 && m == POR_MEANS_CNTR_HIGH) {
		txn_obstacle(gw, c, FAIL_CARD_RESYNC, status);
		cmd_give_up(gw, c, cmd, CMD_FAILED, TXN_QUARANTINED,
			    "counter mode 11: the card waits for a lower counter than ours");
		return;
	}
	cmd->hint = 255;
	unanswered(cmd);
	cmd_wait(gw, c, cmd, &refused);
}

/* The card (or somebody who can send such a message) has refused, in a way that does not say whether the script has run.  To a
 * script: ask.  To a question: ask again, with a bounded jump where our counter may be behind; a card that goes on refusing
 * needs a person. */
void cmd_settle(struct gw *gw, struct card *c, struct cmd_row *cmd, uint8_t status)
{
	const struct campaign *camp = campaign_by_id(gw, cmd->campaign);
	enum por_meaning m = profile_por_meaning(&camp->profile, status);
	bool behind = m == POR_MEANS_CNTR_LOW || m == POR_MEANS_OTHER || m == POR_MEANS_TRANSIENT;
	unsigned refusals = refused_probes(gw, c);
	char why[64];

	if (campaign_counts_exactly(camp) && !exact_taken(gw, cmd, m, status)) {
		settle_exact(gw, c, cmd, m, status);
	} else if (cmd->kind == CMD_SCRIPT) {
		cmd_fence(gw, c, cmd, 0);
	} else if (refusals < gw->cfg.retry.probes_max) {
		cmd_fence(gw, c, cmd, behind ? counter_jump(refusals) : 0);
	} else {
		txn_obstacle(gw, c, behind ? FAIL_CARD_RESYNC : FAIL_CARD_PERM, status);
		snprintf(why, sizeof(why), "card answers %02X (%s) also to a read-back", status,
			 ota_por_status_name(status));
		cmd_give_up(gw, c, cmd, CMD_FAILED, TXN_QUARANTINED, why);
	}
}

/* The card cannot do it now: it is asked what it holds when it has had some time, more with each round. */
void cmd_settle_later(struct gw *gw, struct card *c, struct cmd_row *cmd, uint8_t status)
{
	const struct retry_policy *rp = &gw->cfg.retry;
	unsigned rounds = (unsigned)c->b.txn.scripts + c->b.txn.probes;

	cmd->hint = status;
	txn_obstacle(gw, c, FAIL_CARD_TRANSIENT, status);
	if (cmd->state == CMD_PREPARED)
		return; /* looked at when the attempt is through */
	cmd_state_set(gw, c, cmd, CMD_SENT);
	cmd_due(gw, c, cmd, retry_at(rp, FAIL_CARD_TRANSIENT, rounds, gw->now_ms, env_random_u32(gw->deps.env)));
}

void cmd_timer(struct gw *gw, struct card *c)
{
	struct cmd_row *cmd = card_open_cmd(c, NULL);
	struct stub *s = stub_find(gw, c->b.card.id);
	const struct campaign *camp;

	if (!cmd || !s) {
		stub_remove(gw, c->b.card.id);
		return;
	}
	if (flight_find(gw, cmd->id)) { /* under way: its end sets the next time, or the deadline does */
		stub_due(gw, s, INT64_MAX);
		if (gw->now_ms >= cmd->deadline_ms)
			flight_sweep(gw);
		return;
	}
	camp = campaign_by_id(gw, cmd->campaign);
	if (!camp || camp->row.state == CAMPAIGN_CANCELLED) {
		cmd_give_up(gw, c, cmd, CMD_CANCELLED, TXN_CANCELLED,
			    cmd_may_have_run(gw, cmd) ? "campaign cancelled; the command may have run" :
							"campaign cancelled, never sent");
		return;
	}
	if (camp->row.state == CAMPAIGN_PAUSED) {
		stub_due(gw, s, INT64_MAX);
		s->held = true;
		return;
	}
	if (order_waits(gw, c, cmd))
		return;
	gw->stats.timers++;
	if (cmd->epoch < gw->cfg.epoch) /* also when its time is up: it may have gone since */
		moving_forgotten(gw, c);
	if ((cmd->epoch < gw->cfg.epoch || !card_keys_of(c, cmd)) && gw->now_ms < cmd->deadline_ms) {
		/* the store was put back: what has become of this command since is not known, and whatever the card said to later
		 * ones is lost.  Or the card has other keys now: it takes this no more, and its answer could not be read.  Never
		 * sent again; the card is asked, beyond all counters that may have been taken, under the keys it has */
		cmd_fence(gw, c, cmd, 0);
		return;
	}
	if (cmd->state != CMD_SENT) {
		/* WAIT_*: the next attempt.  PREPARED without a flight: we were restarted, it may have left; same octets */
		if (cmd->state == CMD_PREPARED && c->b.txn.maybe_moved && !cmd->sent_ms && !cmd->silent)
			unanswered(cmd);
		cmd_attempt(gw, c, cmd);
	} else if (refused(gw, cmd, cmd->hint)) {
		cmd_settle(gw, c, cmd, cmd->hint);
	} else {
		const struct fail none = { FAIL_UNKNOWN, 0, "no PoR in time" };

		c->heard = HEARD_NOTHING;
		unanswered(cmd);
		cmd_wait(gw, c, cmd, &none);
	}
}

/* What has left is paid for, whatever has become of the command since. */
static void book_parts(struct gw *gw, struct card *c, const struct flight *f)
{
	struct campaign *camp = campaign_by_id(gw, f->camp_id);
	unsigned parts = f->next_seg - f->kept;

	if (camp)
		camp->sms_parts += parts;
	if (f->txn != c->b.txn.id)
		return;
	parts += c->b.txn.sms_parts;
	c->b.txn.sms_parts = parts < UINT16_MAX ? (uint16_t)parts : UINT16_MAX;
	card_dirty(gw, c, DIRTY_TXN);
}

void cmd_on_flight_done(struct gw *gw, struct card *c, const struct flight *f)
{
	char number[12];
	struct cmd_row *cmd = card_cmd(c, f->cmd, NULL);
	struct stub *s;
	int64_t wait_ms = gw->cfg.retry.por_timeout_ms;

	book_parts(gw, c, f);
	if (!cmd) /* so many others have followed that it has left memory */
		return;
	c->link = f->link < UINT8_MAX ? (uint8_t)(f->link + 1) : 0;
	s = stub_find(gw, c->b.card.id);
	if (s)
		s->link = c->link;
	/* a link that is down or throttled says so once, not every few seconds for days */
	if (f->fail.cls == FAIL_NONE || retry_counts(f->fail.cls) || c->b.txn.fail_class != f->fail.cls)
		gw_story(gw, cmd->card, cmd->id, STORY_ATTEMPT, NULL, 0,
			 "attempt %u, link %s, %u of %u SMS, ref %u: %s", f->attempt, link_name(gw, f->link, number),
			 f->next_seg, f->segs, cmd->concat_ref,
			 f->fail.cls == FAIL_NONE ? "accepted" :
			 f->fail.what		  ? f->fail.what :
						    fail_class_name(f->fail.cls));
	if (cmd->state != CMD_PREPARED)
		return; /* a PoR was faster than the answer to our submit */
	if (f->fail.cls != FAIL_NONE && (f->next_seg < f->segs || f->accepted + f->unknown < f->segs)) {
		/* refused after some of it had been delivered: in transaction mode that is also how a card's own refusal looks */
		if (f->next_seg == f->segs &&
		    (f->accepted || f->unknown || f->fail.cls == FAIL_UNKNOWN || f->fail.maybe_ran))
			unanswered(cmd);
		else
			moving_back(gw, c, cmd, f);
		if (f->moved && f->fail.cls == FAIL_SUBS_PERM) {
			/* not a word about the card, which has not moved yet; that it was heard meanwhile changes nothing */
			const struct fail absent = { FAIL_ABSENT, f->fail.code, f->fail.what };

			cmd_wait(gw, c, cmd, &absent);
		} else {
			cmd_wait(gw, c, cmd, &f->fail);
		}
		c->tried_ms = gw->now_ms;
		if (c->alert_ms < f->first_ms)
			c->heard = HEARD_NOTHING;
		else
			cmd_on_alert(gw,
				     c); /* the card came back while we were being refused, or that was our paging */
		return;
	}
	if (f->accepted == f->segs && cmd->txn == c->b.txn.id)
		txn_evidence(gw, c, 1);
	if (f->unknown)
		txn_obstacle(gw, c, FAIL_UNKNOWN, f->fail.code);
	cmd->sent_ms = gw->now_ms;
	cmd->stalls = 0;
	cmd_state_set(gw, c, cmd, CMD_SENT);
	if (refused(gw, cmd, cmd->hint) && gw->cfg.retry.hint_ms < wait_ms)
		wait_ms = gw->cfg.retry.hint_ms;
	cmd_due(gw, c, cmd, gw->now_ms + wait_ms);
	receipt_apply(gw, c, cmd);
}

/* The SMSC says that an attempt has failed.  Receipts lie, so this ends nothing and gives no attempt back: the same octets go
 * again, after the delay of that class; for what only a person can change, after the longest. */
void cmd_on_receipt(struct gw *gw, struct card *c, struct cmd_row *cmd, const struct fail *why)
{
	enum fail_class cls = why->cls == FAIL_SUBS_PERM && card_address_turn(gw, c) ? FAIL_ABSENT : why->cls;
	bool final = cls == FAIL_SUBS_PERM || cls == FAIL_CARD_PERM || cls == FAIL_CONFIG;
	int64_t due;

	txn_obstacle(gw, c, cls, why->code);
	if (cls == FAIL_UNKNOWN)
		return; /* nobody knows: the card's answer is waited for as before */
	c->heard = HEARD_NOTHING;
	if (why->maybe_ran && cmd->silent < UINT8_MAX)
		cmd->silent++;
	due = retry_at(&gw->cfg.retry,
		       final		 ? FAIL_CONFIG :
		       retry_counts(cls) ? cls :
					   FAIL_UNKNOWN,
		       cmd->attempt, gw->now_ms, env_random_u32(gw->deps.env));
	if (due > cmd->deadline_ms)
		due = cmd->deadline_ms;
	cmd_state_set(gw, c, cmd, final || retry_wakes(cls) ? CMD_WAIT_PRESENCE : CMD_WAIT_TIMER);
	cmd_due(gw, c, cmd, due);
}

static void wake_at(struct gw *gw, struct card *c, int64_t due_ms)
{
	struct cmd_row *cmd = card_open_cmd(c, NULL);
	struct stub *s = stub_find(gw, c->b.card.id);

	if (!cmd || !s || cmd->state != CMD_WAIT_PRESENCE)
		return;
	if (due_ms < gw->now_ms)
		due_ms = gw->now_ms;
	if (due_ms < s->due_ms)
		cmd_due(gw, c, cmd, due_ms);
}

/* A last try that lies ahead is of before the clock was set back. */
static int64_t last_try(const struct gw *gw, const struct card *c)
{
	return c->b.txn.last_try_ms < gw->now_ms ? c->b.txn.last_try_ms : gw->now_ms;
}

/* The card has spoken.  Not faster than the first delay: it may be busy with what we have sent. */
void cmd_on_presence(struct gw *gw, struct card *c)
{
	wake_at(gw, c, last_try(gw, c) + gw->cfg.retry.first_ms);
}

/* The network says that the card is there.  OsmoMSC says so also for the connection of our own failed delivery: an alert that comes
 * so soon after an attempt brings the next one forward, but less and less. */
void cmd_on_alert(struct gw *gw, struct card *c)
{
	if (gw->now_ms - c->tried_ms >= ALERT_OWN_MS)
		cmd_on_presence(gw, c);
	else
		wake_at(gw, c,
			retry_at(&gw->cfg.retry, FAIL_ABSENT, (unheard_attempts(c) + 1) / 2, last_try(gw, c),
				 1u << 31));
}
