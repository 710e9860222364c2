/* work_run.c - works of an order under way: what a card's answer leads to, and what an order to move forbids.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The card compares and swaps (contrib/doc/card-interface.md, 4.2), and every answer carries its state: the answer to the work
 * itself is the read-back.  Whatever else is asked by STATUS, whose higher counter fences the work before it; a fresh copy goes out
 * only after STATUS has said that it has not run.
 *
 * ARM, ADVANCE and a plain card's WRITE take the card to another operator.  From the moment one of them may have reached the card, the counter of its
 * keys may be another writer's: nothing fresh goes out, neither by timer nor because of silence.  What goes out at all, goes out
 * after the card was heard under its old numbers since the last attempt: the same octets once more, then STATUS.  Who never
 * hears it again keeps the transaction open until the order is settled elsewhere (gw_txn_settle()).  A question to such a card
 * (WORK_F_MOVED) is bound in the same way, but for its end.
 */
#include <stdio.h>

#include "answer.h"
#include "gw_int.h"

#define SW_OK	     0x9000
#define SW_PROACTIVE 0x91
#define MOVING_ASK   2 /* attempts at an ARM that were not answered: the next time the card is heard, it is asked */

static const char may_have_moved[] = "may have moved: waits for the new operator's confirmation";
_Static_assert(sizeof(may_have_moved) <= TXN_REASON_MAX, "it is the reason of an open transaction");
_Static_assert(WORK_PACKED_MAX <= TXN_WORK_MAX, "a work fits its place in the store");

bool card_work(const struct card *c, struct work *w)
{
	return c->b.work_len && work_unpack(w, c->b.work, c->b.work_len) >= 0;
}

int work_data(struct ks *ks, const struct card *c, const struct profile *p, enum cmd_kind kind, uint8_t *buf,
	      size_t cap, uint16_t *apdus)
{
	struct work w;

	if (!card_work(c, &w))
		return OTA_E_FORMAT;
	if (w.kind == WORK_WRITE && kind == CMD_SCRIPT) {
		struct swap_values v = { .files = w.set, .files_len = w.set_len };
		uint8_t opc[KS_AKA_KEY_LEN];
		int n = 0;

		memcpy(v.imsi, w.imsi, sizeof(v.imsi));
		if (w.has_opc) {
			n = ks_opc_script(ks, c->b.card.iccid, w.opc, opc) ? OTA_E_KEY : 0;
			v.opc = opc;
		}
		if (!n)
			n = profile_script(p, &v, buf, cap, apdus);
		ks_wipe(opc, sizeof(opc));
		return n;
	}
	if (work_plain(w.kind))
		return profile_readback(p, buf, cap, apdus);
	return kind == CMD_SCRIPT ? work_script(&w, buf, cap, apdus) : work_question(&w, buf, cap, apdus);
}

/* ---------------------------------------------------------------------------------------------- what moves a card */

bool work_moves(const struct card *c)
{
	if (c->b.work_len < 2)
		return false;
	switch (c->b.work[0]) {
	case WORK_ARM:
	case WORK_ADVANCE:
	case WORK_WRITE:
		return true;
	case WORK_STATUS:
	case WORK_READ:
		return c->b.work[1] & WORK_F_MOVED;
	default:
		return false;
	}
}

void moving_addr(struct gw *gw, struct card *c)
{
	struct work w;

	if (work_moves(c) && card_work(c, &w) && w.imsi[0])
		card_addr_put(gw, c, ADDR_IMSI, w.imsi);
}

static void moved_set(struct gw *gw, struct card *c, bool maybe)
{
	struct txn_row *t = &c->b.txn;

	if (t->maybe_moved == maybe)
		return;
	t->maybe_moved = maybe;
	if (!maybe && !txn_ended(t->state))
		t->reason[0] = '\0';
	card_dirty(gw, c, DIRTY_TXN);
}

void moving_launched(struct gw *gw, struct card *c, const struct cmd_row *cmd)
{
	if (work_moves(c) && cmd->kind == CMD_SCRIPT)
		moved_set(gw, c, true);
}

void moving_forgotten(struct gw *gw, struct card *c)
{
	if (work_moves(c))
		moved_set(gw, c, true);
}

/* An attempt has come to its end, or was taken back.  What no link has taken has not reached the card. */
void moving_back(struct gw *gw, struct card *c, const struct cmd_row *cmd, const struct flight *f)
{
	struct stub *s = stub_find(gw, c->b.card.id);

	if (!work_moves(c) || f->txn != c->b.txn.id || cmd_ended(cmd->state))
		return;
	if (cmd->kind == CMD_SCRIPT && !cmd->sent_ms && !cmd->silent)
		moved_set(gw, c, false);
	if (s && f->heard)
		s->heard_old = true;
}

bool work_is_here(const struct card *c, const struct ota_addr *from)
{
	struct work w;

	if (!c->b.work_len || !card_work(c, &w))
		return true;
	if (from->npi == 6)
		return !strcmp(from->digits, c->b.card.imsi);
	return !w.keeps_msisdn && !strcmp(from->digits, c->b.card.msisdn);
}

void moving_heard(struct gw *gw, struct card *c, const struct ota_addr *from, int64_t since_ms)
{
	struct stub *s = work_moves(c) ? stub_find(gw, c->b.card.id) : NULL;

	/* heard at some time since then, which may have been before the last attempt: that says nothing */
	if (since_ms && since_ms <= c->b.txn.last_try_ms)
		return;
	if (s && work_is_here(c, from))
		s->heard_old = true;
}

/* Nothing more is done to it but to listen. */
static void hold(struct gw *gw, struct card *c, struct cmd_row *cmd)
{
	struct txn_row *t = &c->b.txn;
	struct stub *s = stub_find(gw, c->b.card.id);

	if (cmd->state != CMD_WAIT_PRESENCE)
		cmd_state_set(gw, c, cmd, CMD_WAIT_PRESENCE);
	if (cmd->deadline_ms > gw->now_ms) {
		cmd_due(gw, c, cmd, cmd->deadline_ms);
	} else {
		cmd->due_ms = 0;
		stub_due(gw, s, INT64_MAX);
	}
	if (strcmp(t->reason, may_have_moved)) {
		memcpy(t->reason, may_have_moved, sizeof(may_have_moved));
		gw_story(gw, cmd->card, cmd->id, STORY_STATE, NULL, 0, "%s", may_have_moved);
	}
	card_dirty(gw, c, DIRTY_TXN | DIRTY_CMD(cmd - c->b.cmd));
}

bool moving_waits(struct gw *gw, struct card *c, struct cmd_row *cmd)
{
	const struct stub *s = stub_find(gw, c->b.card.id);

	if (!c->b.txn.maybe_moved || txn_ended(c->b.txn.state) || (s && s->heard_old))
		return false;
	hold(gw, c, cmd);
	return true;
}

bool moving_stays(struct gw *gw, struct card *c, struct cmd_row *cmd, enum txn_state to)
{
	const struct txn_row *t = &c->b.txn;

	if (!t->maybe_moved || txn_ended(t->state) || t->verdict || cmd_ended(cmd->state))
		return false;
	/* a question without an answer closes nothing: it is put again, as another one, when the card is heard again */
	if (c->b.work[0] == WORK_STATUS || c->b.work[0] == WORK_READ)
		return false;
	/* the card has refused it under its keys, and no other copy is out */
	if (to == TXN_FAILED && cmd->kind == CMD_SCRIPT && !cmd->silent)
		return false;
	hold(gw, c, cmd);
	return true;
}

bool moving_asks(const struct gw *gw, const struct card *c, const struct cmd_row *cmd)
{
	const struct campaign *camp = campaign_by_id((struct gw *)gw, cmd->campaign);
	uint8_t said = cmd->por_status != 255 ? cmd->por_status : cmd->hint;

	if (!c->b.txn.maybe_moved || cmd->kind != CMD_SCRIPT)
		return false;
	return cmd->silent >= MOVING_ASK ||
	       (said != 255 && camp && profile_por_meaning(&camp->profile, said) == POR_MEANS_CNTR_LOW);
}

/* --------------------------------------------------------------------------------------------------- answers */

/* What an answer says about the work: a verdict and a sentence, or only the sentence: then it is asked. */
struct says {
	bool known;
	bool final; /* NOT_RUN, and it would not run either if it were sent again */
	enum work_verdict v;
	char why[WORK_WHY_MAX];
};

static void said_words(struct says *s, const struct answer *a)
{
	if (a->kind == ANSWER_FAILED)
		snprintf(s->why, sizeof(s->why), "command %u of %u answered %04X (%s)", a->at + 1u, a->commands, a->sw,
			 ota_sub_sw_name(a->sw));
	else
		snprintf(s->why, sizeof(s->why), "the card says OK, but its answer cannot be read");
}

static void read_answer(struct card *c, const struct cmd_row *cmd, const struct work *w, const struct answer *a,
			struct says *s)
{
	struct ota_sub_rsp r;

	*s = (struct says){ .known = false };
	if (a->kind == ANSWER_WHOLE && a->data && !ota_sub_rsp_decode(&r, a->data, a->data_len) && r.has_state) {
		s->known = true;
		s->v = work_judge(w, &r, s->why);
		if (w->flags & WORK_F_PROBE) {
			s->v = WORK_IS_DONE;
			snprintf(s->why, sizeof(s->why), "the card answers: %s, index %u", ota_sub_state_name(r.state),
				 r.index);
		}
		c->said = r;
		c->said_cmd = cmd->id;
		return;
	}
	if (a->kind == ANSWER_FAILED && !a->bad_coded)
		s->known = work_judge_sw(w, a->sw, &s->v, s->why);
	if (!s->known)
		said_words(s, a);
}

/* The script of this transaction that went out last, if the card has said that it ran it: as far as it went. */
static const struct cmd_row *script_run(const struct card *c)
{
	for (unsigned i = 0; i < c->b.n_cmds; i++)
		if (c->b.cmd[i].txn == c->b.txn.id && c->b.cmd[i].kind == CMD_SCRIPT)
			return c->b.cmd[i].por_status == OTA_POR_OK ? &c->b.cmd[i] : NULL;
	return NULL;
}

/* Of a plain card only EF_IMSI says anything, and what comes behind a script that broke off is asked: some cards go on after an error. */
static void read_plain(const struct card *c, const struct cmd_row *cmd, const struct work *w, const struct answer *a,
		       struct says *s)
{
	const struct cmd_row *script = cmd->kind == CMD_READBACK && w->kind == WORK_WRITE ? script_run(c) : NULL;
	char imsi[IMSI_DIGITS_MAX + 1] = "";

	*s = (struct says){ .known = false };
	if (a->kind != ANSWER_WHOLE || a->data_len != USIM_IMSI_LEN) {
		answer_words(a, NULL, cmd->kind == CMD_READBACK, s->why, sizeof(s->why));
		return;
	}
	if (usim_imsi_decode(imsi, a->data, a->data_len) < 0)
		imsi[0] = '\0'; /* none at all: not the new one */
	if (w->flags & WORK_F_PROBE) {
		s->known = true;
		s->v = WORK_IS_DONE;
		snprintf(s->why, sizeof(s->why), "the card answers, and holds %s",
			 strcmp(imsi, c->b.card.imsi) ? "another IMSI than was known: it is called so now" :
							"the IMSI that is known");
		return;
	}
	s->v = work_judge_imsi(w, imsi, c->b.card.imsi, s->why);
	s->known = w->kind == WORK_READ || cmd->kind == CMD_READBACK || s->v == WORK_IS_DONE;
	if (w->has_opc && script && s->v == WORK_IS_DONE && script->sw != SW_OK && script->sw >> 8 != SW_PROACTIVE) {
		s->v = WORK_CONFLICT;
		snprintf(s->why, sizeof(s->why), "holds its new IMSI; the script broke off with %04X (%s): OPc?",
			 script->sw, ota_sw_name(script->sw));
	}
	s->final = script && s->v == WORK_NOT_RUN;
	if (s->final)
		snprintf(s->why, sizeof(s->why), "the card ran the script up to %04X (%s) and holds its old IMSI",
			 script->sw, ota_sw_name(script->sw));
}

static void verdict_set(struct gw *gw, struct card *c, const struct cmd_row *cmd, enum work_verdict v)
{
	struct txn_row *t = &c->b.txn;

	t->verdict = (uint8_t)(v + 1);
	if (c->said_cmd == cmd->id)
		t->card_end = (uint8_t)(c->said.end + 1);
	t->maybe_moved = false;
	card_dirty(gw, c, DIRTY_TXN);
}

static const char *done_how(const struct cmd_row *cmd, const struct work *w, const struct says *s)
{
	if (*s->why) /* not DONE, or nothing to be done */
		return s->why;
	if (work_plain(w->kind))
		return "the card holds its new IMSI";
	return cmd->kind == CMD_SCRIPT ? "the card has done it and shows its state" :
					 "the card shows that it has done it";
}

static void work_done(struct gw *gw, struct card *c, struct cmd_row *cmd, const struct work *w, const struct says *s)
{
	const char *how = done_how(cmd, w, s);
	struct cmd_row *open;

	cmd_state_set(gw, c, cmd, CMD_DONE);
	while ((open = card_open_cmd(c, NULL))) {
		cmd_state_set(gw, c, open, CMD_CANCELLED);
		cmd_tell(gw, c, open, cmd_state_name(CMD_CANCELLED), "its answer has come another way");
	}
	cmd_tell(gw, c, cmd, cmd_state_name(CMD_DONE), how);
	/* what the card has said last stands: a later answer to an earlier command is older */
	if (c->b.txn.state == TXN_DONE || c->b.txn.verdict)
		return;
	verdict_set(gw, c, cmd, s->v);
	/* under the new pair's keys it is the confirmation itself */
	if (s->v == WORK_IS_DONE)
		txn_evidence(gw, c, w->kind == WORK_CONFIRM ? 6 : 4);
	txn_state_set(gw, c, TXN_DONE, "%.*s", TXN_REASON_MAX - 1, how);
}

static void work_over(struct gw *gw, struct card *c, struct cmd_row *cmd, const struct says *s)
{
	txn_obstacle(gw, c, FAIL_CARD_PERM, cmd->sw);
	verdict_set(gw, c, cmd, s->v);
	cmd_give_up(gw, c, cmd, CMD_FAILED, s->v == WORK_CONFLICT ? TXN_QUARANTINED : TXN_FAILED, s->why);
}

/* STATUS has said, under a higher counter, that it has not run: so it never will, and a fresh copy may go out. */
static void work_anew(struct gw *gw, struct card *c, struct cmd_row *cmd, const struct says *s)
{
	char why[TXN_REASON_MAX];

	moved_set(gw, c, false);
	if (s->final) {
		work_over(gw, c, cmd, s);
		return;
	}
	if (c->b.txn.scripts >= gw->cfg.retry.scripts_max) {
		snprintf(why, sizeof(why), "not run after %u times: %.36s", c->b.txn.scripts, s->why);
		txn_obstacle(gw, c, FAIL_CARD_RESYNC, 0);
		verdict_set(gw, c, cmd, WORK_NOT_RUN);
		cmd_give_up(gw, c, cmd, CMD_FAILED, TXN_FAILED, why);
		return;
	}
	cmd_state_set(gw, c, cmd, CMD_DONE);
	cmd_tell(gw, c, cmd, cmd_state_name(CMD_DONE), s->why);
	cmd_prepare(gw, &c, 1, CMD_SCRIPT, 0);
}

static bool script_follows(const struct card *c, const struct cmd_row *cmd)
{
	for (unsigned i = 0; i < c->b.n_cmds && c->b.cmd[i].id > cmd->id; i++)
		if (c->b.cmd[i].txn == cmd->txn && c->b.cmd[i].kind == CMD_SCRIPT)
			return true;
	return false;
}

/* An answer to a command that has ended, and not that the work is done.  While the transaction is open the command under way
 * decides; one that has ended without a word of the card gets its verdict now, unless the work was sent again behind it. */
static void work_late(struct gw *gw, struct card *c, struct cmd_row *cmd, const struct says *s)
{
	struct txn_row *t = &c->b.txn;

	if (cmd->kind == CMD_SCRIPT && cmd->state != CMD_FAILED) {
		cmd_state_set(gw, c, cmd, CMD_FAILED);
		cmd_tell(gw, c, cmd, cmd_state_name(CMD_FAILED), s->why);
	}
	if (!txn_ended(t->state) || t->state == TXN_DONE || t->verdict || !s->known || script_follows(c, cmd))
		return;
	if (s->v == WORK_NOT_RUN && cmd->kind == CMD_SCRIPT)
		return;
	verdict_set(gw, c, cmd, s->v);
	snprintf(t->reason, sizeof(t->reason), "answered late: %.48s", s->why);
	txn_told(gw, t, &c->b.card, &c->said);
}

void work_on_ok(struct gw *gw, struct card *c, struct cmd_row *cmd, const struct answer *a, bool open)
{
	struct says s;
	struct work w;

	if (!card_work(c, &w)) {
		if (open)
			cmd_give_up(gw, c, cmd, CMD_FAILED, TXN_QUARANTINED, "the stored work cannot be read");
		return;
	}
	if (work_plain(w.kind)) {
		read_plain(c, cmd, &w, a, &s);
		if (s.known && (w.flags & WORK_F_PROBE))
			card_learn_imsi(gw, c, a);
	} else {
		read_answer(c, cmd, &w, a, &s);
	}
	if (s.known && (s.v == WORK_IS_DONE || w.kind == WORK_READ)) { /* a question is answered by whatever is said */
		work_done(gw, c, cmd, &w, &s);
	} else if (!open) {
		work_late(gw, c, cmd, &s);
	} else if (cmd->kind == CMD_READBACK && s.known && s.v == WORK_NOT_RUN) {
		work_anew(gw, c, cmd, &s);
	} else if (s.known && s.v != WORK_NOT_RUN) {
		work_over(gw, c, cmd, &s);
	} else if (cmd->kind == CMD_READBACK) { /* this was the question: who does not answer it needs a person */
		txn_obstacle(gw, c, FAIL_CARD_PERM, cmd->sw);
		cmd_give_up(gw, c, cmd, CMD_FAILED, TXN_QUARANTINED, s.why);
	} else {
		gw_story(gw, cmd->card, cmd->id, STORY_NOTE, NULL, 0, "%s; asking for its state", s.why);
		cmd_fence(gw, c, cmd, 0);
	}
}
