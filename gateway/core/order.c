/* order.c - what an operator orders of one card: ask it, bring its counter into step, leave it alone, go on.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * None of them knows more than the rules of cmd.c and work_run.c: a question is the fence that silence would lead to, in place of the
 * command that is open, so that one command at most is unfenced; where those rules forbid a fresh counter the order is refused, with the
 * reason.  Quarantine decides nothing about a card: what it says counts, and what would leave to it waits.
 */
#include <stdarg.h>
#include <stdio.h>

#include "gw_int.h"

const char *gw_card_verb_name(uint8_t verb)
{
	static const char *const name[_CARD_VERBS] = {
		[CARD_VERB_PROBE] = "probe",
		[CARD_VERB_RESYNC] = "resync",
		[CARD_VERB_QUARANTINE] = "quarantine",
		[CARD_VERB_RELEASE] = "release",
	};

	return verb < _CARD_VERBS ? name[verb] : "?";
}

int gw_card_order(struct gw *gw, const struct gw_card_ask *ask)
{
	struct gw_event ev = { .kind = GW_EV_CARD,
			       .card = ask->card,
			       .request = ask->request,
			       .verb = (uint8_t)ask->verb,
			       .end = ask->kvn,
			       .bound = ask->bound };

	if (!ask->card || ask->verb >= _CARD_VERBS)
		return -EINVAL;
	snprintf(ev.why, sizeof(ev.why), "%s", ask->by ? ask->by : "operator");
	return gw_post(gw, &ev);
}

/* -------------------------------------------------------------------------------------------------- quarantine */

bool card_held(const struct card *c)
{
	return c->b.card.quarantine_ms || c->stops;
}

bool order_waits(struct gw *gw, struct card *c, struct cmd_row *cmd)
{
	struct stub *s = stub_find(gw, c->b.card.id);

	if (!card_held(c) || !s)
		return false;
	if (cmd->state == CMD_PREPARED &&
	    !cmd->attempt) { /* else it may have left before a restart, and its timer takes that in */
		cmd_state_set(gw, c, cmd, CMD_WAIT_TIMER);
		cmd->due_ms = gw->now_ms;
	}
	stub_due(gw, s, INT64_MAX);
	s->held = true;
	return true;
}

/* Holds as soon as somebody asks for it: while commits take long the order may wait in the inbox.  A card that is not in memory has
 * nothing prepared. */
void order_posted(struct gw *gw, const struct gw_event *ev)
{
	struct card *c = ev->verb == CARD_VERB_QUARANTINE ? card_find(gw, ev->card) : NULL;

	gw->card_orders_n++;
	if (!c)
		return;
	c->stops++;
	for (unsigned i = 0; i < gw->cfg.n_links; i++) {
		struct flight *f = gw->link[i].current;

		if (!f || f->card != ev->card)
			continue;
		if (f->fail.cls == FAIL_NONE)
			f->fail = (struct fail){ FAIL_LINK, 0, "stopped half way through the packet" };
		f->aborted = true;
	}
}

/* What is done, for its story and its log; then whoever has ordered it hears the same. */
static void done(struct gw *gw, struct card *c, const struct gw_event *ev, const char *fmt, ...)
{
	char text[sizeof(((struct gw_effect *)0)->reason)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	gw_story(gw, c->b.card.id, 0, STORY_NOTE, NULL, 0, "ordered by %s: %s: %s", ev->why,
		 gw_card_verb_name(ev->verb), text);
	gw_log(gw, 5, "card=%llu %s ordered by %s: %s", (unsigned long long)c->b.card.id, gw_card_verb_name(ev->verb),
	       ev->why, text);
	gw_reply(gw, ev->request, 0, "%s", text);
}

static void quarantine(struct gw *gw, struct card *c, const struct gw_event *ev)
{
	const struct txn_row *t = &c->b.txn;
	const char *open = c->b.has_txn && !txn_ended(t->state) ?
				   "; its transaction stays open until it speaks or is released" :
				   "";

	if (c->stops)
		c->stops--;
	if (c->b.card.quarantine_ms) {
		gw_reply(gw, ev->request, 0, "in quarantine already");
		return;
	}
	c->b.card.quarantine_ms = gw->now_ms;
	card_dirty(gw, c, DIRTY_QUARANTINE);
	flight_sweep(gw);
	if (*open && t->maybe_moved)
		open = "; it may have moved: the new operator's confirmation is taken in as ever";
	done(gw, c, ev, "no command goes to it%s", open);
}

static void release(struct gw *gw, struct card *c, const struct gw_event *ev)
{
	struct stub *s = stub_find(gw, c->b.card.id);

	if (!c->b.card.quarantine_ms) {
		gw_reply(gw, ev->request, 0, "is not in quarantine");
		return;
	}
	c->b.card.quarantine_ms = 0;
	card_dirty(gw, c, DIRTY_QUARANTINE);
	if (s && s->held)
		stub_due(gw, s, gw->now_ms);
	done(gw, c, ev, "commands go to it again%s", card_open_cmd(c, NULL) ? ", first the one that has waited" : "");
}

/* ------------------------------------------------------------------------------------------------------ questions */

#define REFUSED_MAX 112 /* a reason, beside what it is said of */

/* The counter of this key version. */
static bool keys_forbid(const struct card *c, const struct keyset_row *k, char why[REFUSED_MAX])
{
	if (!k || !k->sealed_len) {
		snprintf(why, REFUSED_MAX, "its keys of the version that is asked under are not here");
		return true;
	}
	if (OTA_CNTR_MAX - k->cntr < CNTR_WATCH) {
		snprintf(why, REFUSED_MAX, "the counter of key version %u is nearly used up: give the card new keys",
			 k->kvn);
		return true;
	}
	for (unsigned i = 0; i < c->b.n_cmds; i++) {
		const struct cmd_row *cmd = &c->b.cmd[i];

		if (cmd->kvn != k->kvn || cmd->generation != k->generation || cmd->por_status != OTA_POR_CNTR_BLOCKED)
			continue;
		snprintf(why, REFUSED_MAX, "the card has said that the counter of key version %u is blocked (PoR 04)",
			 k->kvn);
		return true;
	}
	return false;
}

/* Jumps among the last commands under these keys, since the card was heard under them. */
static unsigned jumps(const struct card *c, const struct keyset_row *k)
{
	uint64_t above = k->cntr;
	unsigned n = 0;

	for (unsigned i = 0; i < c->b.n_cmds; i++) {
		const struct cmd_row *cmd = &c->b.cmd[i];

		if (cmd->kvn != k->kvn || cmd->generation != k->generation || cmd->cntr > above)
			continue;
		n += above - cmd->cntr >= CNTR_JUMP_MAX;
		above = cmd->cntr;
		if (cmd->cntr <= k->cntr_proven)
			break;
	}
	return n;
}

/* What makes a fresh question impossible now, or unsafe. */
static bool forbidden(struct gw *gw, struct card *c, const struct cmd_row *cmd, const struct campaign *camp,
		      char why[REFUSED_MAX])
{
	const struct stub *s = stub_find(gw, c->b.card.id);
	const struct txn_row *t = &c->b.txn;
	const char *text = NULL;

	if (camp->row.state != CAMPAIGN_RUNNING) {
		snprintf(why, REFUSED_MAX, "campaign %s is %s, and nothing of it leaves", camp->row.name,
			 campaign_state_name(camp->row.state));
		return true;
	}
	if (gw->now_ms >= cmd->deadline_ms)
		text = "its deadline has passed: its transaction is about to end";
	else if (rules_opening(&camp->rules, c->b.card.tz_min, gw->now_ms) > gw->now_ms)
		text = "the window of its campaign is closed: what is asked now would wait for the next one";
	else if (campaign_counts_exactly(camp))
		text = "counter mode 11: it takes the next value alone, so what is open is repeated until it answers";
	else if (t->maybe_moved && !s->heard_old)
		text = "it may have moved: nothing fresh goes to it before it was heard under its old numbers again";
	else if (cmd->kind == CMD_SCRIPT && t->scripts >= gw->cfg.retry.scripts_max)
		text = "its last script is out: to ask now may end it without a further try; its answer is waited for";
	else if (t->probes == UINT8_MAX)
		text = "it was asked 255 times in this transaction";
	if (text)
		snprintf(why, REFUSED_MAX, "%s", text);
	return text != NULL;
}

/* No link has had any of it. */
static bool never_left(struct gw *gw, const struct cmd_row *cmd)
{
	const struct flight *f = flight_find(gw, cmd->id);

	if (cmd->kind != CMD_SCRIPT || cmd->sent_ms || cmd->silent || cmd->epoch < gw->cfg.epoch)
		return false;
	return !cmd->attempt || (cmd->attempt == 1 && f && !f->next_seg);
}

/* The same octets, not faster than a card can take them. */
static void again_soon(struct gw *gw, struct card *c, struct cmd_row *cmd, const struct gw_event *ev, const char *what)
{
	int64_t due = c->b.txn.last_try_ms + gw->cfg.retry.first_ms;

	if (flight_find(gw, cmd->id)) {
		done(gw, c, ev, "%s, and is on its way", what);
	} else if (cmd->state == CMD_SENT) {
		done(gw, c, ev, "%s; its answer is waited for", what);
	} else {
		if (due < gw->now_ms || c->b.txn.last_try_ms > gw->now_ms)
			due = gw->now_ms;
		if (due < cmd->due_ms)
			cmd_due(gw, c, cmd, due);
		done(gw, c, ev, "%s: the same octets go again %s", what, due > gw->now_ms ? "in a moment" : "now");
	}
}

/* A question that was not refused is the answer to the order that it be asked. */
static bool asked_already(struct gw *gw, struct card *c, struct cmd_row *cmd, const struct gw_event *ev)
{
	const struct keyset_row *k = card_keys_of(c, cmd);
	char what[64];

	if (cmd->kind != CMD_READBACK || cmd->epoch < gw->cfg.epoch || !k)
		return false;
	if (ev->verb == CARD_VERB_RESYNC &&
	    ((cmd->hint != 255 && !cmd_interim(gw, cmd, cmd->hint)) || cmd->por_status != 255 || !jumps(c, k)))
		return false;
	snprintf(what, sizeof(what), "is asked already, under counter %llu", (unsigned long long)cmd->cntr);
	again_soon(gw, c, cmd, ev, what);
	return true;
}

static void ask_open(struct gw *gw, struct card *c, struct cmd_row *cmd, struct campaign *camp,
		     const struct gw_event *ev)
{
	const struct keyset_row *k = card_keyset(c, card_kvn(c, camp));
	bool resync = ev->verb == CARD_VERB_RESYNC;
	uint64_t before = k ? k->cntr : 0, fenced = cmd->cntr;
	char why[REFUSED_MAX];

	if (cmd->epoch < gw->cfg.epoch)
		moving_forgotten(gw, c);
	if (forbidden(gw, c, cmd, camp, why) || keys_forbid(c, k, why)) {
		gw_reply(gw, ev->request, -EACCES, "%s", why);
		return;
	}
	if (!resync && never_left(gw, cmd)) {
		again_soon(gw, c, cmd, ev, "its command has not left yet, and asks by itself what it holds");
		return;
	}
	if (asked_already(gw, c, cmd, ev))
		return;
	if (resync && jumps(c, k) >= CNTR_JUMPS_MAX) {
		gw_reply(gw, ev->request, -EACCES,
			 "%u jumps of %u without a word under its keys: its counter is not what is wrong",
			 CNTR_JUMPS_MAX, CNTR_JUMP_MAX);
		return;
	}
	cmd_fence(gw, c, cmd, resync ? CNTR_JUMP_MAX : 0);
	if (k->cntr == before) /* its transaction has ended, and says why */
		gw_reply(gw, ev->request, -EACCES, "it could not be asked: %.80s", c->b.txn.reason);
	else
		done(gw, c, ev, "asked what it holds, counter %llu; the command of counter %llu is not sent again",
		     (unsigned long long)k->cntr, (unsigned long long)fenced);
}

/* The keys that it was spoken to under last, or those that somebody names. */
static struct keyset_row *keys_of(struct card *c, uint8_t kvn)
{
	struct keyset_row *k = kvn ? card_keyset(c, kvn) : NULL;

	if ((!k || !k->sealed_len) && (kvn == 1 || kvn == 2)) /* the other one has taken its place */
		k = card_keyset(c, (uint8_t)(3 - kvn));
	if (kvn)
		return k;
	if (c->b.n_cmds)
		return card_keyset(c, c->b.cmd[0].kvn);
	return c->b.n_keysets == 1 ? &c->b.keyset[0] : NULL;
}

/* Nothing is open: who has ordered it plans a question as a transaction of its own, and the jump lies before that. */
static void ask_idle(struct gw *gw, struct card *c, const struct gw_event *ev)
{
	struct keyset_row *k = keys_of(c, ev->end);
	char why[REFUSED_MAX];

	if (ev->bound) {
		gw_reply(gw, ev->request, -EACCES, "an order between operators has it, and asks what it must know");
		return;
	}
	if ((k || ev->end || ev->verb == CARD_VERB_RESYNC) && keys_forbid(c, k, why)) {
		gw_reply(gw, ev->request, -EACCES, "%s", why);
		return;
	}
	if (ev->verb == CARD_VERB_PROBE) {
		gw_story(gw, c->b.card.id, 0, STORY_NOTE, NULL, 0, "ordered by %s: probe: nothing is open", ev->why);
		gw_reply(gw, ev->request, -ENODATA, "nothing is open");
		return;
	}
	if (c->b.n_cmds && OTA_SPI1_COUNTER(c->b.cmd[0].spi[0]) == 3) {
		gw_reply(gw, ev->request, -EACCES, "counter mode 11: it takes the next value alone, and no jump");
		return;
	}
	if (c->b.n_cmds && jumps(c, k) && k->cntr - c->b.cmd[0].cntr >= CNTR_JUMP_MAX) {
		gw_reply(gw, ev->request, -ENODATA, "has jumped already");
		return;
	}
	if (jumps(c, k) >= CNTR_JUMPS_MAX) {
		gw_reply(gw, ev->request, -EACCES,
			 "%u jumps of %u without a word under its keys: its counter is not what is wrong",
			 CNTR_JUMPS_MAX, CNTR_JUMP_MAX);
		return;
	}
	k->cntr += CNTR_JUMP_MAX;
	card_dirty(gw, c, DIRTY_KEYSET(k - c->b.keyset));
	gw_story(gw, c->b.card.id, 0, STORY_NOTE, NULL, 0,
		 "ordered by %s: resync: the counter of key version %u jumps to %llu", ev->why, k->kvn,
		 (unsigned long long)k->cntr);
	gw_reply(gw, ev->request, -ENODATA, "the counter of key version %u jumps to %llu", k->kvn,
		 (unsigned long long)k->cntr);
}

static void ask(struct gw *gw, struct card *c, const struct gw_event *ev)
{
	struct cmd_row *cmd = card_open_cmd(c, NULL);
	struct campaign *camp = cmd ? campaign_by_id(gw, cmd->campaign) : NULL;

	if (c->b.card.gone_ms)
		gw_reply(gw, ev->request, -EACCES, "it belongs to another operator now");
	else if (card_held(c))
		gw_reply(gw, ev->request, -EACCES, "it is in quarantine, and nothing goes to it before its release");
	else if (camp && stub_find(gw, c->b.card.id))
		ask_open(gw, c, cmd, camp, ev);
	else
		ask_idle(gw, c, ev);
}

void order_take(struct gw *gw, struct card *c, const struct gw_event *ev)
{
	gw->card_orders_n--;
	if (!c) {
		gw_reply(gw, ev->request, -ENOENT, "no such card");
		return;
	}
	switch ((enum gw_card_verb)ev->verb) {
	case CARD_VERB_PROBE:
	case CARD_VERB_RESYNC:
		ask(gw, c, ev);
		break;
	case CARD_VERB_QUARANTINE:
		quarantine(gw, c, ev);
		break;
	case CARD_VERB_RELEASE:
		release(gw, c, ev);
		break;
	case _CARD_VERBS:
		break;
	}
}
