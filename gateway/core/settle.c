/* settle.c - what a card's answer leads to: proof, refusal, a question, or the same work once more.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Only what comes under the card's keys proves anything; a clear error and "the answer follows" move timers at most.  An
 * answer that shows the new IMSI ends the transaction as DONE whenever it comes; one that cannot be read is asked for again,
 * by a read-back, and never guessed.
 */
#include <stdio.h>

#include "answer.h"
#include "gw_int.h"

/* "The answer follows": it is waited for once more, and once only, or a card that says so for ever would never be asked
 * anything else. */
static void on_interim(struct gw *gw, struct card *c, struct cmd_row *cmd, bool first)
{
	int64_t due = gw->now_ms + gw->cfg.retry.por_timeout_ms;

	if (!first || cmd->state == CMD_PREPARED)
		return; /* PREPARED: the wait begins when the attempt is through */
	if (due > cmd->deadline_ms)
		due = cmd->deadline_ms;
	if (cmd->state == CMD_SENT && due < cmd->due_ms)
		return;
	cmd_state_set(gw, c, cmd, CMD_SENT);
	cmd_due(gw, c, cmd, due);
}

void cmd_on_hint(struct gw *gw, struct card *c, uint8_t status)
{
	struct cmd_row *cmd = card_open_cmd(c, NULL);
	const struct campaign *camp = cmd ? campaign_by_id(gw, cmd->campaign) : NULL;
	bool heard = cmd && cmd->hint != 255;
	int64_t due;

	if (!camp || !cmd->attempt || !stub_find(gw, c->b.card.id))
		return;
	judge_answer(gw, c, cmd, status);
	if (!heard || cmd_interim(gw, cmd, cmd->hint)) /* a refusal says more than "the answer follows" */
		cmd->hint = status;
	card_dirty(gw, c, DIRTY_CMD(cmd - c->b.cmd));
	if (cmd_interim(gw, cmd, status)) {
		on_interim(gw, c, cmd, !heard && cmd->por_status == 255);
		return;
	}
	if (cmd->state == CMD_PREPARED)
		return; /* looked at when the attempt is through */
	due = gw->now_ms + gw->cfg.retry.hint_ms;
	if (cmd->state == CMD_SENT && cmd->due_ms < due)
		due = cmd->due_ms;
	cmd_state_set(gw, c, cmd, CMD_SENT);
	cmd_due(gw, c, cmd, due);
}

/* The card has shown, under its keys, that it holds the new IMSI: from now on it is called so. */
static void card_renumber(struct gw *gw, struct card *c)
{
	const struct txn_row *t = &c->b.txn;

	if (strcmp(c->b.card.imsi, t->new_imsi))
		card_addr_end(gw, c, ADDR_IMSI, c->b.card.imsi);
	memcpy(c->b.card.imsi, t->new_imsi, sizeof(c->b.card.imsi));
	if (t->new_msisdn[0]) {
		if (strcmp(c->b.card.msisdn, t->new_msisdn))
			card_addr_end(gw, c, ADDR_MSISDN, c->b.card.msisdn);
		memcpy(c->b.card.msisdn, t->new_msisdn, sizeof(c->b.card.msisdn));
		card_addr_put(gw, c, ADDR_MSISDN, t->new_msisdn);
	}
	card_index_addrs(gw, c);
	card_dirty(gw, c, DIRTY_CARD);
}

/* Evidence E4: the card has shown, under its keys, that it holds the new IMSI. */
static void settle_done(struct gw *gw, struct card *c, struct cmd_row *cmd, const char *how)
{
	struct cmd_row *open;

	cmd_state_set(gw, c, cmd, CMD_DONE);
	while ((open = card_open_cmd(c, NULL))) {
		cmd_state_set(gw, c, open, CMD_CANCELLED);
		cmd_tell(gw, c, open, cmd_state_name(CMD_CANCELLED), "its answer has come another way");
	}
	txn_evidence(gw, c, 4);
	cmd_tell(gw, c, cmd, cmd_state_name(CMD_DONE), how);
	if (c->b.txn.state == TXN_DONE)
		return;
	card_renumber(gw, c);
	txn_state_set(gw, c, TXN_DONE, "%s", how);
}

/* The octets of EF_IMSI as the script's last command has read them. */
static bool holds_new_imsi(const struct card *c, const struct answer *a)
{
	uint8_t want[USIM_IMSI_LEN];

	return usim_imsi_encode(want, c->b.txn.new_imsi) > 0 && a->data_len == sizeof(want) &&
	       !memcmp(a->data, want, sizeof(want));
}

/* Every command answered well, and the last one with an EF_IMSI. */
static bool shows_imsi(const struct answer *a)
{
	return a->kind == ANSWER_WHOLE && a->data_len == USIM_IMSI_LEN;
}

/* Neither the new IMSI nor the one we knew: an earlier change of which we have no proof, or that a restored store has forgotten.
 * The card's word counts. */
void card_learn_imsi(struct gw *gw, struct card *c, const struct answer *a)
{
	char imsi[IMSI_DIGITS_MAX + 1] = "";

	if (usim_imsi_decode(imsi, a->data, a->data_len) < 0 || !strcmp(imsi, c->b.card.imsi))
		return;
	gw_log(gw, 4, "card=%llu holds another IMSI than its row said", (unsigned long long)c->b.card.id);
	card_addr_end(gw, c, ADDR_IMSI, c->b.card.imsi);
	memcpy(c->b.card.imsi, imsi, sizeof(imsi));
	card_addr_put(gw, c, ADDR_IMSI, imsi);
	card_index_addrs(gw, c);
	card_dirty(gw, c, DIRTY_CARD);
}

/* What an answer to a command that has ended says about its transaction: kept where an operator looks for it. */
static void note_late(struct gw *gw, struct card *c, const char *why)
{
	struct txn_row *t = &c->b.txn;

	if (t->state != TXN_EXPIRED && t->state != TXN_CANCELLED)
		return;
	snprintf(t->reason, sizeof(t->reason), "answered late: %.48s", why);
	card_dirty(gw, c, DIRTY_TXN);
}

/* The class of failure that an answer shows which is not what was wanted. */
static enum fail_class answer_class(const struct answer *a, const struct profile *p)
{
	enum fail_class cls = p && a->kind == ANSWER_FAILED ? profile_sw_fail(p, a->sw).cls : FAIL_CARD_PERM;

	return a->bad_coded ? FAIL_CONFIG : cls == FAIL_NONE ? FAIL_CARD_PERM : cls;
}

/* The same work under a fresh counter, because the card still held the old IMSI; no link has had any of it. */
static struct cmd_row *script_anew(struct gw *gw, struct card *c, const struct cmd_row *before)
{
	struct cmd_row *cmd = c->b.n_cmds ? &c->b.cmd[0] : NULL;
	const struct flight *f = cmd ? flight_find(gw, cmd->id) : NULL;

	return cmd && cmd != before && cmd->txn == before->txn && cmd->txn == c->b.txn.id && cmd->kind == CMD_SCRIPT &&
			       cmd->state == CMD_PREPARED && cmd->attempt == 1 && f && !f->next_seg ?
		       cmd :
		       NULL;
}

static void on_ok_script(struct gw *gw, struct card *c, struct cmd_row *cmd, const struct answer *a,
			 const struct profile *p, bool open)
{
	bool new_imsi = holds_new_imsi(c, a);
	struct cmd_row *anew;
	char why[64];

	if (a->kind == ANSWER_WHOLE && new_imsi) {
		settle_done(gw, c, cmd, "script ran, read-back matches");
		return;
	}
	if (cmd->state == CMD_FAILED)
		return;
	if (shows_imsi(a))
		snprintf(why, sizeof(why), "script ran, but the read-back shows another IMSI");
	else
		answer_words(a, p, false, why, sizeof(why));
	if (c->b.txn.state != TXN_DONE) {
		txn_obstacle(gw, c, answer_class(a, p), a->bad_coded ? a->code : a->sw);
		if (new_imsi) { /* a card that goes on after an error: its IMSI is new, and not all of the rest */
			txn_evidence(gw, c, 4);
			card_renumber(gw, c);
		}
	}
	if (!open) {
		/* it had been fenced or had expired: what it says is kept, the question under way decides */
		cmd_state_set(gw, c, cmd, CMD_FAILED);
		cmd_tell(gw, c, cmd, cmd_state_name(CMD_FAILED), why);
		note_late(gw, c, why);
		anew = script_anew(gw, c, cmd);
		if (anew) /* it has run once: that it broke off is what the second one would find, too */
			cmd_give_up(gw, c, anew, CMD_CANCELLED,
				    new_imsi || shows_imsi(a) ? TXN_QUARANTINED : TXN_FAILED, why);
	} else if (shows_imsi(a)) {
		card_learn_imsi(gw, c, a);
		cmd_give_up(gw, c, cmd, CMD_FAILED, TXN_QUARANTINED, why);
	} else if (a->kind == ANSWER_FAILED && a->at + 1 < a->commands) {
		cmd_give_up(gw, c, cmd, CMD_FAILED, a->last_write ? TXN_QUARANTINED : TXN_FAILED, why);
	} else {
		/* the script may have run and the answer does not show it: the card itself must say what it holds */
		gw_story(gw, cmd->card, cmd->id, STORY_NOTE, NULL, 0, "%s; reading back", why);
		cmd_fence(gw, c, cmd, 0);
	}
}

static const struct cmd_row *last_script(const struct card *c)
{
	for (unsigned i = 0; i < c->b.n_cmds; i++)
		if (c->b.cmd[i].txn == c->b.txn.id && c->b.cmd[i].kind == CMD_SCRIPT)
			return &c->b.cmd[i];
	return NULL;
}

/* Since this script was made an import has told that another system spends values of the keyset: the counter has grown by more than
 * our own steps. */
static bool others_spend(const struct card *c, const struct cmd_row *script)
{
	for (const struct cmd_row *cmd = c->b.cmd; cmd < script; cmd++) {
		/* of many commands those right after the script are not kept */
		bool next = cmd + 1 < script || c->b.n_cmds < CARD_CMDS_MAX;

		if (next && cmd->kvn == script->kvn && cmd->epoch == script->epoch &&
		    !counter_own_step(cmd[1].cntr, cmd->cntr))
			return true;
	}
	return false;
}

/* The card has said, under its keys, that it had met the script's counter before, and that counter was ours: nobody else could
 * have spent it.  So it took the script. */
static bool script_was_taken(const struct gw *gw, const struct card *c, const struct cmd_row *readback,
			     uint64_t proven_before)
{
	const struct campaign *camp = campaign_by_id((struct gw *)gw, c->b.txn.campaign);
	const struct cmd_row *cmd = last_script(c);

	enum por_meaning m;

	if (!cmd || cmd->por_status == 255 || others_spend(c, cmd))
		return false;
	m = profile_por_meaning(&camp->profile, cmd->por_status);
	/* "the answer follows" is said of a command that was taken */
	return m == POR_MEANS_INTERIM || (m == POR_MEANS_CNTR_LOW && cmd->generation == readback->generation &&
					  proven_before && proven_before < cmd->cntr);
}

static void on_ok_readback(struct gw *gw, struct card *c, struct cmd_row *cmd, const struct answer *a,
			   const struct profile *p, bool open, uint64_t proven_before)
{
	const struct cmd_row *script;
	char why[64] = "read-back: ";

	if (a->kind == ANSWER_WHOLE && holds_new_imsi(c, a)) {
		settle_done(gw, c, cmd, "proven by a read-back of its own");
		return;
	}
	if (!open)
		return;
	if (!shows_imsi(a)) { /* this was the question: who does not answer it needs a person */
		txn_obstacle(gw, c, answer_class(a, p), a->bad_coded ? a->code : a->sw);
		answer_words(a, p, true, why + strlen(why), sizeof(why) - strlen(why));
		cmd_give_up(gw, c, cmd, CMD_FAILED, TXN_QUARANTINED, why);
		return;
	}
	card_learn_imsi(gw, c, a);
	script = last_script(c);
	if (script && script->por_status == OTA_POR_OK) { /* it has run, so it is not sent again */
		bool broke_off = script->sw && !profile_sw_ok(p, script->sw);

		txn_obstacle(gw, c, broke_off ? profile_sw_fail(p, script->sw).cls : FAIL_CARD_PERM, script->sw);
		if (broke_off) {
			snprintf(why, sizeof(why), "the script broke off with %04X (%s)", script->sw,
				 ota_sw_name(script->sw));
			cmd_give_up(gw, c, cmd, CMD_FAILED, TXN_FAILED, why);
		} else {
			cmd_give_up(gw, c, cmd, CMD_FAILED, TXN_QUARANTINED,
				    "the card says the script ran, and holds another IMSI");
		}
		return;
	}
	if (script_was_taken(gw, c, cmd, proven_before)) {
		txn_obstacle(gw, c, FAIL_CARD_PERM, 0);
		cmd_give_up(gw, c, cmd, CMD_FAILED, TXN_FAILED, "the card took the script and did not carry it out");
		return;
	}
	/* the card has accepted a higher counter and does not hold the new IMSI: the script did not run to its end and, fenced,
	 * never will.  Only now may the same work go out under a fresh counter. */
	if (c->b.txn.scripts >= gw->cfg.retry.scripts_max) {
		snprintf(why, sizeof(why), "old IMSI still there after %u scripts", c->b.txn.scripts);
		txn_obstacle(gw, c, FAIL_CARD_RESYNC, 0);
		cmd_give_up(gw, c, cmd, CMD_FAILED, TXN_FAILED, why);
		return;
	}
	cmd_state_set(gw, c, cmd, CMD_DONE);
	cmd_tell(gw, c, cmd, cmd_state_name(CMD_DONE), "still the old IMSI: the script goes out anew");
	cmd_prepare(gw, &c, 1, CMD_SCRIPT, 0);
}

/* From the SMSC's word, or our submit where the card was faster; what came in between attempts cannot be told apart. */
static void answer_took(struct gw *gw, const struct cmd_row *cmd)
{
	const struct flight *f = flight_find(gw, cmd->id);

	if (cmd->state == CMD_PREPARED && f && f->next_seg)
		lately_add(&gw->answer_took, gw->now_ms - f->first_ms);
	else if (cmd->state == CMD_SENT && cmd->sent_ms)
		lately_add(&gw->answer_took, gw->now_ms - cmd->sent_ms);
}

/* A packet that says "executed", with a right MAC. */
static void on_ok(struct gw *gw, struct card *c, struct cmd_row *cmd, const struct ota_rsp *rsp,
		  const struct profile *p, bool open, uint64_t proven_before)
{
	struct answer a;

	gw->stats.por_ok++;
	if (open)
		answer_took(gw, cmd);
	txn_evidence(gw, c, 3);
	answer_read(&a, p, cmd->apdus, rsp->data, rsp->data_len);
	cmd->sw = a.sw;
	if (c->b.txn.state != TXN_DONE)
		c->b.txn.sw = a.sw;
	if (c->b.work_len)
		work_on_ok(gw, c, cmd, &a, open);
	else if (cmd->kind == CMD_SCRIPT)
		on_ok_script(gw, c, cmd, &a, p, open);
	else
		on_ok_readback(gw, c, cmd, &a, p, open, proven_before);
}

enum por_use cmd_por_use(struct gw *gw, const struct card *c, const struct cmd_row *cmd, const struct ota_rsp *rsp)
{
	const struct campaign *camp = campaign_by_id(gw, cmd->campaign);
	enum por_meaning m = camp ? profile_por_meaning(&camp->profile, rsp->status) : POR_MEANS_OTHER;

	/* of before the store was put back: true then, but what came after is forgotten */
	if (cmd->epoch < gw->cfg.epoch)
		return POR_FORGOTTEN;
	if (cmd->txn != c->b.txn.id)
		return POR_EARLIER;
	if (cmd->state == CMD_DONE)
		return POR_AGAIN;
	/* a question with a higher counter has gone out and may have reached the card first: that this one came too late then says
	 * nothing of whether it was taken before.  Some cards announce a refusal, too, as an answer that follows */
	if (camp && cmd != &c->b.cmd[0] &&
	    (m == POR_MEANS_CNTR_LOW || (m == POR_MEANS_INTERIM && cmd_ended(cmd->state))))
		return POR_OVERTAKEN;
	if (cmd->por_status == rsp->status)
		return POR_AGAIN;
	/* only success changes what has ended */
	return rsp->status != OTA_POR_OK && m != POR_MEANS_OK && cmd_ended(cmd->state) ? POR_NOTED : POR_NEWS;
}

enum answer_fit cmd_answer_fit(struct gw *gw, const struct cmd_row *cmd, const struct ota_rsp *rsp)
{
	const struct campaign *camp = campaign_by_id(gw, cmd->campaign);
	struct answer a;

	answer_read(&a, camp ? &camp->profile : NULL, cmd->apdus, rsp->data, rsp->data_len);
	return a.kind == ANSWER_UNREADABLE ? FIT_NOT : shows_imsi(&a) ? FIT_WHOLE : FIT_PARTLY;
}

void cmd_counter_spent(struct gw *gw, struct card *c, struct cmd_row *cmd)
{
	if (cmd_ended(cmd->state) || cmd->txn != c->b.txn.id || !stub_find(gw, c->b.card.id))
		return;
	gw_story(gw, cmd->card, cmd->id, STORY_NOTE, NULL, 0,
		 "the card has spent this counter on an earlier command; asking under the next one");
	cmd_fence(gw, c, cmd, 0);
}

/* Whether the card has taken the counter of the command that it answers so under its keys.  Where its stands a refused counter
 * does not say, nor do the refusals that come before a counter is looked at (TS 102 225, 5.1.4: checksum, cipher, TAR, security
 * level, room); the status alone does not tell, some cards say 06 for 02. */
static bool proves_counter(const struct profile *p, uint8_t status)
{
	enum por_meaning m = p ? profile_por_meaning(p, status) : POR_MEANS_OTHER;

	return status == OTA_POR_OK || m == POR_MEANS_OK || m == POR_MEANS_INTERIM;
}

void cmd_on_por(struct gw *gw, struct card *c, struct cmd_row *cmd, const struct ota_rsp *rsp)
{
	const struct campaign *camp = campaign_by_id(gw, cmd->campaign);
	const struct profile *p = camp ? &camp->profile : NULL;
	struct keyset_row *k = card_keys_of(c, cmd);
	uint64_t proven_before = k ? k->cntr_proven : 0;
	bool open = p && !cmd_ended(cmd->state) && stub_find(gw, c->b.card.id);
	bool first = cmd->hint == 255 && cmd->por_status == 255;
	enum por_use use = cmd_por_use(gw, c, cmd, rsp);
	char why[64];

	if (use == POR_FORGOTTEN) {
		/* the card is asked now */
		if (open && c->b.txn.state == TXN_ACTIVE && !flight_find(gw, cmd->id))
			cmd_due(gw, c, cmd, gw->now_ms);
		gw->stats.por_duplicate++;
		return;
	}
	if (k && proves_counter(p, rsp->status)) {
		counter_prove(k, cmd->cntr);
		card_dirty(gw, c, DIRTY_KEYSET(k - c->b.keyset));
	}
	if (cmd->state == CMD_DONE || use == POR_EARLIER || use == POR_OVERTAKEN) {
		gw->stats.por_duplicate++;
		return;
	}
	judge_answer(gw, c, cmd, rsp->status);
	cmd->por_status = rsp->status;
	if (c->b.txn.state != TXN_DONE)
		c->b.txn.por_status = rsp->status;
	card_dirty(gw, c, DIRTY_TXN | DIRTY_CMD(cmd - c->b.cmd));
	if (!p && rsp->status != OTA_POR_OK)
		return; /* its campaign has long ended, and so has the command: only success changes that */
	switch (p ? profile_por_meaning(p, rsp->status) : POR_MEANS_OK) {
	case POR_MEANS_OK:
		on_ok(gw, c, cmd, rsp, p, open, proven_before);
		return;
	case POR_MEANS_INTERIM:
		if (open)
			on_interim(gw, c, cmd, first);
		return;
	case POR_MEANS_SECURITY:
	case POR_MEANS_CONFIG:
	case POR_MEANS_CNTR_BLOCKED:
		if (!open)
			return;
		txn_obstacle(gw, c, por_meaning_class(profile_por_meaning(p, rsp->status)), rsp->status);
		snprintf(why, sizeof(why), "card refuses: %02X (%s)", rsp->status, ota_por_status_name(rsp->status));
		/* proof that this packet did not run; a read-back proves nothing about the script before it */
		cmd_give_up(gw, c, cmd, CMD_FAILED, cmd->kind == CMD_READBACK ? TXN_QUARANTINED : TXN_FAILED, why);
		return;
	case POR_MEANS_TRANSIENT: /* no memory, more time: later */
		if (open)
			cmd_settle_later(gw, c, cmd, rsp->status);
		return;
	default: /* counter low or high: what does the card hold? */
		if (open)
			cmd_settle(gw, c, cmd, rsp->status);
	}
}
