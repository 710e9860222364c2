/* judge.c - abort thresholds: what has happened in a campaign since it was started, and when that is enough to stop it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Counted where it happens, judged once per step before anything is let go, so that a campaign that stops itself sends
 * nothing more.  A hint that anybody could have sent counts as well: to stop is safe.
 */
#include <stdarg.h>
#include <stdio.h>

#include "gw_int.h"

static const enum rules_what what_of_state[_TXN_STATES] = {
	[TXN_PLANNED] = _RULE_WHATS,	      [TXN_ACTIVE] = _RULE_WHATS,   [TXN_DONE] = _RULE_WHATS,
	[TXN_FAILED] = RULE_FAILED,	      [TXN_EXPIRED] = RULE_EXPIRED, [TXN_CANCELLED] = _RULE_WHATS,
	[TXN_QUARANTINED] = RULE_QUARANTINED,
};

/* One more, or one less, of what the thresholds of this kind count. */
__attribute__((format(printf, 6, 7))) static void
count(struct campaign *camp, const struct card *c, enum rules_what what, uint8_t arg, bool more, const char *fmt, ...)
{
	size_t len = strlen(c->b.card.iccid);
	va_list ap;
	int n;

	for (unsigned i = 0; i < camp->rules.n_abort; i++) {
		const struct rules_abort *a = &camp->rules.abort[i];

		if (a->what != what || a->arg != arg || (a->canary && !campaign_in_canary(camp)))
			continue;
		if (!more && camp->tally.hits[i])
			camp->tally.hits[i]--;
		if (!more)
			continue;
		camp->tally.hits[i]++;
		camp->judge = true;
		/* the card by its first and last digits: this goes into the log */
		n = snprintf(camp->hit[i], sizeof(camp->hit[i]), "card %.4s…%s ", c->b.card.iccid,
			     len > 4 ? c->b.card.iccid + len - 4 : "");
		va_start(ap, fmt);
		vsnprintf(camp->hit[i] + n, sizeof(camp->hit[i]) - (size_t)n, fmt, ap);
		va_end(ap);
	}
}

void judge_obstacle(struct campaign *camp, const struct card *c, enum fail_class from, enum fail_class to)
{
	if (!camp->rules.n_abort || from == to)
		return;
	camp->dirty = true;
	if (from == FAIL_NONE && !txn_ended(c->b.txn.state))
		camp->tally.heard++;
	count(camp, c, RULE_CLASS, (uint8_t)from, false, "%s", "");
	count(camp, c, RULE_CLASS, (uint8_t)to, true, "met %s", fail_class_name(to));
}

void judge_state(struct campaign *camp, const struct card *c, enum txn_state from, enum fail_class had)
{
	const struct txn_row *t = &c->b.txn;

	if (!camp->rules.n_abort || !txn_ended(t->state))
		return;
	camp->dirty = true;
	if (!txn_ended(from)) {
		camp->tally.ended++;
		camp->tally.heard += had == FAIL_NONE;
	}
	if (t->state == TXN_DONE) /* its obstacle is no more; late proof may follow any end */
		count(camp, c, RULE_CLASS, (uint8_t)had, false, "%s", "");
	count(camp, c, what_of_state[from], 0, false, "%s", "");
	count(camp, c, what_of_state[t->state], 0, true, "is %s: %s", txn_state_name(t->state), t->reason);
}

/* Whether this card has given this answer before in its transaction: repetitions are not counted. */
static bool answered_before(const struct card *c, uint8_t status)
{
	for (unsigned i = 0; i < c->b.n_cmds; i++)
		if (c->b.cmd[i].txn == c->b.txn.id && (c->b.cmd[i].hint == status || c->b.cmd[i].por_status == status))
			return true;
	return false;
}

void judge_answer(struct gw *gw, const struct card *c, const struct cmd_row *cmd, uint8_t status)
{
	struct campaign *camp = campaign_by_id(gw, cmd->campaign);

	if (!camp || !camp->rules.n_abort || cmd->txn != c->b.txn.id || answered_before(c, status))
		return;
	camp->dirty = true;
	count(camp, c, RULE_POR, status, true, "answered %02X (%s)", status, ota_por_status_name(status));
}

void judge_anew(struct campaign *camp)
{
	camp->tally = (struct rules_tally){ 0 };
	camp->row.stop_reason[0] = '\0';
}

static void stop(struct gw *gw, struct campaign *camp, unsigned i)
{
	const struct rules_abort *a = &camp->rules.abort[i];
	char words[RULES_WORDS_MAX], many[48] = "", why[CAMPAIGN_STOP_MAX] = ""; /* all of it goes into a row */

	rules_abort_print(a, words);
	if (camp->tally.hits[i] > 1)
		snprintf(many, sizeof(many), "%u cards, the last one: ", camp->tally.hits[i]);
	snprintf(why, sizeof(why), "stopped by its rule %s: %s%s", words, many, camp->hit[i]);
	gw_log(gw, 4, "campaign %s: %s", camp->row.name, why);
	memcpy(camp->row.stop_reason, why, sizeof(why));
	campaign_pause(gw, camp);
}

void judge_turn(struct gw *gw)
{
	for (unsigned i = 0; i < gw->n_campaigns; i++) {
		struct campaign *camp = &gw->campaign[i];
		int met;

		if (!camp->judge)
			continue;
		camp->judge = false;
		met = camp->row.state == CAMPAIGN_RUNNING ? rules_met(&camp->rules, &camp->tally) : -1;
		if (met >= 0)
			stop(gw, camp, (unsigned)met);
	}
}
