/* txn.c - a card in a campaign: its states, its evidence, its end.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdarg.h>
#include <stdio.h>

#include "gw_int.h"

#define S(x) (1u << (x))

/* Ends can still become DONE: a PoR with a right MAC that says 00 overrides whatever was believed before. */
static const struct {
	const char *name;
	uint32_t next;
} txn_states[] = {
	[TXN_PLANNED] = { "PLANNED", S(TXN_ACTIVE) | S(TXN_FAILED) | S(TXN_EXPIRED) | S(TXN_CANCELLED) },
	[TXN_ACTIVE] = { "ACTIVE",
			 S(TXN_DONE) | S(TXN_FAILED) | S(TXN_EXPIRED) | S(TXN_CANCELLED) | S(TXN_QUARANTINED) },
	[TXN_DONE] = { "DONE", 0 },
	[TXN_FAILED] = { "FAILED", S(TXN_DONE) },
	[TXN_EXPIRED] = { "EXPIRED", S(TXN_DONE) },
	[TXN_CANCELLED] = { "CANCELLED", S(TXN_DONE) },
	[TXN_QUARANTINED] = { "QUARANTINED", S(TXN_DONE) },
};
_Static_assert(ARRAY_SIZE(txn_states) == _TXN_STATES, "every state has its row");

const char *txn_state_name(uint8_t s)
{
	return s < _TXN_STATES ? txn_states[s].name : "?";
}

bool txn_ended(uint8_t state)
{
	return state != TXN_PLANNED && state != TXN_ACTIVE;
}

/* What the card told of itself with the answers to this transaction, if that was in this process life. */
static const struct ota_sub_rsp *card_said(const struct card *c)
{
	for (unsigned i = 0; i < c->b.n_cmds; i++)
		if (c->said_cmd && c->b.cmd[i].id == c->said_cmd)
			return c->b.cmd[i].txn == c->b.txn.id ? &c->said : NULL;
	return NULL;
}

void txn_told(struct gw *gw, const struct txn_row *t, const struct card_row *card, const struct ota_sub_rsp *said)
{
	struct gw_effect fx = { .kind = GW_FX_TXN };
	struct gw_fx_txn *x = &fx.txn;

	*x = (struct gw_fx_txn){
		.campaign = t->campaign,
		.txn = t->id,
		.card = t->card,
		.state = t->state,
		.verdict = t->verdict,
		.evidence = t->evidence,
		.card_end = t->card_end,
		.maybe_moved = t->maybe_moved,
		.has_card = said != NULL,
		.at_ms = t->ended_ms,
	};
	memcpy(x->iccid, card->iccid, sizeof(x->iccid));
	memcpy(fx.reason, t->reason, sizeof(t->reason));
	if (said) {
		x->card_state = said->state;
		x->kvn = said->kvn;
		x->pending = said->pending;
		x->index = said->index;
		x->pairs_left = said->pairs_left;
		x->cntr = said->cntr;
	}
	gw_effect_add(gw, &fx);
}

void txn_state_set(struct gw *gw, struct card *c, enum txn_state to, const char *fmt, ...)
{
	struct txn_row *t = &c->b.txn;
	struct campaign *camp = campaign_by_id(gw, t->campaign);
	const enum txn_state from = (enum txn_state)t->state;
	const enum fail_class had = (enum fail_class)t->fail_class;
	va_list ap;

	ota_assert(txn_states[t->state].next & S(to));
	if (camp) {
		camp->by_state[t->state]--;
		camp->by_state[to]++;
		if (to == TXN_DONE && t->fail_class)
			camp->by_class[t->fail_class]--;
		if (t->state == TXN_ACTIVE)
			camp->open_class[t->fail_class]--;
		if (to == TXN_ACTIVE)
			camp->open_class[t->fail_class]++;
	}
	t->state = to;
	card_index_addrs(gw, c);
	if (to == TXN_DONE)
		t->fail_class = FAIL_NONE, t->fail_code = 0;
	t->reason[0] = '\0';
	if (fmt) {
		va_start(ap, fmt);
		vsnprintf(t->reason, sizeof(t->reason), fmt, ap);
		va_end(ap);
	}
	if (txn_ended(to)) {
		t->ended_ms = gw->now_ms;
		gw_story_end(gw, c->b.card.id, txn_states[to].name, t->reason);
		if (c->b.work_len || (camp && camp->row.open_ended))
			txn_told(gw, t, &c->b.card, card_said(c));
	}
	card_dirty(gw, c, DIRTY_TXN);
	if (camp)
		judge_state(camp, c, from, had);
	if (camp && txn_ended(to))
		campaign_check_done(gw, camp);
}

void txn_obstacle(struct gw *gw, struct card *c, enum fail_class cls, uint32_t code)
{
	struct txn_row *t = &c->b.txn;
	struct campaign *camp = campaign_by_id(gw, t->campaign);

	if (camp && t->fail_class != cls) {
		if (t->fail_class)
			camp->by_class[t->fail_class]--;
		if (cls)
			camp->by_class[cls]++;
		if (t->state == TXN_ACTIVE) {
			camp->open_class[t->fail_class]--;
			camp->open_class[cls]++;
		}
		judge_obstacle(camp, c, (enum fail_class)t->fail_class, cls);
	}
	t->fail_class = cls;
	t->fail_code = code;
	card_dirty(gw, c, DIRTY_TXN);
}

void txn_evidence(struct gw *gw, struct card *c, uint8_t level)
{
	struct txn_row *t = &c->b.txn;

	if (t->evidence == 255 || level > t->evidence) {
		t->evidence = level;
		card_dirty(gw, c, DIRTY_TXN);
	}
}

/* No such transaction is open here: it has ended before, and was told then, or it was never begun. */
static void settle_late(struct gw *gw, const struct gw_event *ev)
{
	struct gw_effect fx = { .kind = GW_FX_TXN, .rc = -ENOENT, .txn = { .txn = ev->txn, .card = ev->card } };

	snprintf(fx.reason, sizeof(fx.reason), "no such open transaction of this card");
	gw_effect_add(gw, &fx);
}

void txn_settle(struct gw *gw, struct card *c, const struct gw_event *ev)
{
	struct txn_row *t = c ? &c->b.txn : NULL;
	enum txn_state end = (enum txn_state)ev->end;
	struct cmd_row *open;

	if (!c || !c->b.has_txn || t->id != ev->txn || txn_ended(t->state)) {
		settle_late(gw, ev);
		return;
	}
	if (t->state == TXN_PLANNED) /* its claim finds it gone */
		end = TXN_CANCELLED;
	while ((open = card_open_cmd(c, NULL))) {
		cmd_state_set(gw, c, open, CMD_CANCELLED);
		cmd_tell(gw, c, open, cmd_state_name(CMD_CANCELLED), ev->why);
	}
	t->maybe_moved = false;
	txn_state_set(gw, c, end, "%s", ev->why);
}

/* -------------------------------------------------------------------------------------------------- the log's line */

static long long since(int64_t from_ms, int64_t to_ms)
{
	return from_ms && to_ms > from_ms ? (long long)(to_ms - from_ms) : 0;
}

void cmd_tell(struct gw *gw, const struct card *c, const struct cmd_row *cmd, const char *status, const char *reason)
{
	const struct campaign *camp = campaign_by_id(gw, cmd->campaign);
	const struct txn_row *t = &c->b.txn;
	bool good = cmd->state == CMD_DONE, mine = cmd->txn == t->id && !good;
	char link[12] = "-", por[4] = "-";

	if (gw->deps.log_level && gw->deps.log_level < 6)
		return;
	if (c->link && c->link <= gw->cfg.n_links)
		snprintf(link, sizeof(link), "%u", c->link - 1u);
	if (cmd->por_status != 255)
		snprintf(por, sizeof(por), "%02X", cmd->por_status);
	gw_log(gw, 6,
	       "cmd=%llu card=%llu campaign=%s kind=%s tar=%02X%02X%02X cntr=%llu link=%s status=%s class=%s code=%x "
	       "por=%s sw=%04X tries=%u took=%lldms delays=%lld/%lld reason=\"%s\"",
	       (unsigned long long)cmd->id, (unsigned long long)cmd->card, camp ? camp->row.name : "-",
	       cmd->kind == CMD_SCRIPT ? "SCRIPT" : "READBACK", cmd->tar[0], cmd->tar[1], cmd->tar[2],
	       (unsigned long long)cmd->cntr,
	       c->link && c->link <= gw->cfg.n_links && gw->cfg.link_names ? gw->cfg.link_names[c->link - 1] : link,
	       status, fail_class_name(mine ? (enum fail_class)t->fail_class : FAIL_NONE), mine ? t->fail_code : 0, por,
	       cmd->sw, cmd->attempt, since(cmd->born_ms, gw->now_ms), since(cmd->born_ms, cmd->sent_ms),
	       since(cmd->sent_ms, gw->now_ms), reason);
}
