/* vty_card.c - cards on the VTY: what is known of one, what it waits for, and those of a campaign.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * IMSI and MSISDN are shown masked: screens and their logs are looked at by others.  Keys are not even asked for.
 */
#include "vty_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORY_LINES_MAX 30  /* the newest */
#define CMDS_SHOWN_MAX	8   /* likewise */
#define TXN_LINES_MAX	200 /* of show transactions */
#define TXN_PAGE	500
#define TXN_PAGES_MAX	200 /* looked through for a state */

/* --------------------------------------------------------------------------------------------------- a card */

static const char *or_none(const char *text)
{
	return *text ? text : "-";
}

static void put_card_head(struct vty *vty, const struct card_bundle *b)
{
	char imsi[MASKED_MAX], msisdn[MASKED_MAX], at[RFC3339_MAX];
	const struct card_row *c = &b->card;

	vty_out(vty, "card %s: number %" PRIu64 ", IMSI %s, MSISDN %s, profile %s%s" NL, c->iccid, c->id,
		*c->imsi ? masked(imsi, c->imsi) : "-", *c->msisdn ? masked(msisdn, c->msisdn) : "-",
		or_none(c->profile), c->gone_ms ? ", belongs to another operator now" : "");
	vty_out(vty, "  last seen %s", vty_time(at, c->last_seen_ms));
	vty_out(vty, ", imported %s" NL, vty_time(at, c->created_ms));
	if (c->quarantine_ms)
		vty_out(vty, "  in quarantine since %s: no command goes to it before 'card %s release'" NL,
			vty_time(at, c->quarantine_ms), c->iccid);
	for (unsigned i = 0; i < b->n_keysets; i++)
		vty_out(vty,
			"  key version %u: generation %" PRIu32 ", %s/%s, counter %" PRIu64 " taken, %" PRIu64
			" proven" NL,
			b->keyset[i].kvn, b->keyset[i].generation, ota_alg_name(b->keyset[i].kic_alg),
			ota_alg_name(b->keyset[i].kid_alg), b->keyset[i].cntr, b->keyset[i].cntr_proven);
}

static void put_txn(struct vty *vty, const struct txn_row *t, const char *campaign)
{
	char at[RFC3339_MAX];

	vty_out(vty, "  campaign %s: %s", or_none(campaign), txn_state_name(t->state));
	if (t->evidence != 255)
		vty_out(vty, ", evidence E%u", t->evidence);
	vty_out(vty, ", attempts %u, short messages %u, read-backs %u, last try %s%s%s" NL, t->attempts, t->sms_parts,
		t->probes, vty_time(at, t->last_try_ms), *t->reason ? ": " : "", t->reason);
}

static void put_cmd(struct vty *vty, const struct cmd_row *c)
{
	char at[RFC3339_MAX];

	vty_out(vty, "  command %" PRIu64 ": %s %s, counter %" PRIu64 ", attempt %u, prepared %s", c->id,
		c->kind == CMD_SCRIPT ? "SCRIPT" : "READBACK", cmd_state_name(c->state), c->cntr, c->attempt,
		vty_time(at, c->prepared_ms));
	if (c->state < CMD_DONE && c->due_ms)
		vty_out(vty, ", next %s", vty_time(at, c->due_ms));
	vty_out(vty, NL);
}

static void print_card(struct vty_ask *ask, const struct api_reply *r)
{
	const struct api_card *c = r->card;
	struct vty *vty = ask->vty;
	char at[RFC3339_MAX];

	put_card_head(vty, &c->bundle);
	if (c->bundle.has_txn)
		put_txn(vty, &c->bundle.txn, c->campaign);
	for (size_t i = c->n_cmds > CMDS_SHOWN_MAX ? c->n_cmds - CMDS_SHOWN_MAX : 0; i < c->n_cmds; i++)
		put_cmd(vty, &c->cmd[i].row);
	for (size_t i = c->n_story > STORY_LINES_MAX ? c->n_story - STORY_LINES_MAX : 0; i < c->n_story; i++) {
		const struct story_row *s = &c->story[i].story.row;

		vty_out(vty, "  %s %-9s %s" NL, vty_time(at, s->at_ms), story_kind_name(s->kind), s->text);
	}
	if (c->cut || c->n_story > STORY_LINES_MAX || c->n_cmds > CMDS_SHOWN_MAX)
		vty_out(vty, "  the latest; 'otactl card show %s' has all, with every packet decoded" NL,
			c->bundle.card.iccid);
}

DEFUN(show_card, show_card_cmd, "show card iccid ICCID", SHOW_STR "A card\nBy what is printed on it\nDigits\n")
{
	api_card_show(vty_api(), argv[0], vty_ask(vty, print_card, NULL, NULL));
	return CMD_SUCCESS;
}

static void print_presence(struct vty_ask *ask, const struct api_reply *r)
{
	const struct card_bundle *b = &r->card->bundle;
	struct vty *vty = ask->vty;
	char at[RFC3339_MAX];

	vty_out(vty, "card %s: last seen %s" NL, b->card.iccid, vty_time(at, b->card.last_seen_ms));
	if (b->n_cmds && b->cmd[0].state == CMD_WAIT_PRESENCE)
		vty_out(vty, "  waits for its phone, at the latest until %s" NL, vty_time(at, b->cmd[0].due_ms));
	else if (b->n_cmds && b->cmd[0].state < CMD_DONE)
		vty_out(vty, "  does not wait for its phone: its command is %s" NL, cmd_state_name(b->cmd[0].state));
	else
		vty_out(vty, "  has no command under way" NL);
}

DEFUN(show_presence, show_presence_cmd, "show presence imsi IMSI",
      SHOW_STR "When a card was heard last, and whether it is waited for\nBy the IMSI that it has\nDigits\n")
{
	api_card_find(vty_api(), argv[0], vty_ask(vty, print_presence, NULL, NULL));
	return CMD_SUCCESS;
}

/* ----------------------------------------------------------------------------------------------- to a card */

static void print_present(struct vty_ask *ask, const struct api_reply *r)
{
	vty_out(ask->vty, "card %s: what waits for its phone is tried now" NL, r->verb->name);
}

DEFUN(card_present, card_present_cmd, "card ICCID present",
      "A card\nIts ICCID\nSomebody knows that its phone is reachable: what waits for that is tried now\n")
{
	if (!vty_may(vty))
		return CMD_WARNING;
	api_card_present(vty_api(), argv[0], vty_ask(vty, print_present, NULL, NULL));
	return CMD_SUCCESS;
}

static void print_order(struct vty_ask *ask, const struct api_reply *r)
{
	vty_out(ask->vty, "card %s: %s" NL, r->verb->name, r->verb->text);
}

DEFUN(card_order, card_order_cmd, "card ICCID (probe|resync|quarantine|release)",
      "A card\nIts ICCID\n"
      "Ask it at once what it holds, in place of the command that is open\n"
      "Let its counter jump ahead, and ask it: for a card that refuses or does not answer because ours is behind\n"
      "No command goes to it until its release; what it says is taken in\n"
      "Commands go to it again\n")
{
	enum gw_card_verb verb = CARD_VERB_PROBE;

	if (!vty_may(vty))
		return CMD_WARNING;
	while (verb + 1 < _CARD_VERBS && strcmp(argv[1], gw_card_verb_name(verb)))
		verb++;
	api_card_order(vty_api(), argv[0], verb, "VTY", vty_ask(vty, print_order, NULL, NULL));
	return CMD_SUCCESS;
}

/* -------------------------------------------------------------------------------------------- transactions */

static void print_sums(struct vty_ask *ask, const struct api_reply *r)
{
	struct vty *vty = ask->vty;

	vty_out(vty, "%-24s", "CAMPAIGN");
	for (unsigned s = 0; s < _TXN_STATES; s++)
		vty_out(vty, " %11s", txn_state_name((uint8_t)s));
	vty_out(vty, NL);
	for (size_t i = 0; i < r->campaigns->n; i++) {
		const struct api_campaign *c = &r->campaigns->campaign[i];

		vty_out(vty, "%-24s", c->row.name);
		for (unsigned s = 0; c->counted && s < _TXN_STATES; s++)
			vty_out(vty, " %11" PRIu64, c->view.by_state[s]);
		vty_out(vty, "%s" NL, c->counted ? "" : " not counted: ended long ago");
	}
}

static void print_next(struct vty_ask *ask, const struct api_reply *r);

/* A page of a campaign's report: those of the state, then the next one. */
static void print_txns(struct vty_ask *ask, const struct api_reply *r)
{
	const struct api_report *p = r->report;
	struct vty *vty = ask->vty;
	char at[RFC3339_MAX], imsi[MASKED_MAX];

	for (size_t i = 0; i < p->n && ask->left; i++) {
		const struct txn_row *t = &p->row[i].txn;

		if (*ask->arg[1] && strcmp(ask->arg[1], txn_state_name(t->state)) != 0)
			continue;
		ask->left--;
		vty_out(vty, "%-20s %-11s E%c %3u attempts, last %s, new IMSI %s%s%s" NL, p->row[i].iccid,
			txn_state_name(t->state), t->evidence > 6 ? '-' : '0' + t->evidence, t->attempts,
			vty_time(at, t->last_try_ms), *t->new_imsi ? masked(imsi, t->new_imsi) : "-",
			*t->reason ? ": " : "", t->reason);
	}
	ask->number++;
	if (p->next && ask->left && ask->number < TXN_PAGES_MAX)
		api_campaign_report(vty_api(), ask->arg[0], p->next, TXN_PAGE, vty_ask_again(ask));
	else if (p->next)
		vty_out(vty, "there may be more: 'otactl campaign report %s' has all" NL, ask->arg[0]);
	else if (ask->campaign) {
		ask->print = print_next;
		api_campaign_list(vty_api(), vty_ask_again(ask));
	} else if (ask->left == TXN_LINES_MAX)
		vty_out(vty, "none" NL);
}

/* Of all campaigns, in the order of their ids: the next one that has cards in this state, as far as the core has counted it. */
static void print_next(struct vty_ask *ask, const struct api_reply *r)
{
	const struct api_campaign *next = NULL;

	for (size_t i = 0; i < r->campaigns->n; i++) {
		const struct api_campaign *c = &r->campaigns->campaign[i];
		unsigned s = 0;

		while (s < _TXN_STATES && strcmp(txn_state_name((uint8_t)s), ask->arg[1]) != 0)
			s++;
		if (c->row.id > ask->campaign && (!next || c->row.id < next->row.id) && c->counted && s < _TXN_STATES &&
		    c->view.by_state[s])
			next = c;
	}
	if (!next) {
		if (ask->left == TXN_LINES_MAX)
			vty_out(ask->vty, "none" NL);
		return;
	}
	vty_out(ask->vty, "campaign %s" NL, next->row.name);
	ask->campaign = next->row.id;
	ask->number = 0;
	ask->print = print_txns;
	snprintf(ask->arg[0], sizeof(ask->arg[0]), "%s", next->row.name);
	api_campaign_report(vty_api(), ask->arg[0], 0, TXN_PAGE, vty_ask_again(ask));
}

/* campaign NULL: all of them. */
static int show_txns_of(struct vty *vty, const char *campaign, const char *state)
{
	char upper[24] = "";
	struct api_to to;

	for (size_t i = 0; state && state[i] && i + 1 < sizeof(upper); i++)
		upper[i] = state[i] >= 'a' && state[i] <= 'z' ? (char)(state[i] - 'a' + 'A') : state[i];
	to = vty_ask(vty, campaign ? print_txns : print_next, campaign, upper);
	if (to.ctx)
		((struct vty_ask *)to.ctx)->left = TXN_LINES_MAX;
	if (campaign)
		api_campaign_report(vty_api(), campaign, 0, TXN_PAGE, to);
	else
		api_campaign_list(vty_api(), to);
	return CMD_SUCCESS;
}

#define TXN_STR "Cards of campaigns by state\n"

DEFUN(show_txns, show_txns_cmd, "show transactions", SHOW_STR TXN_STR)
{
	api_campaign_list(vty_api(), vty_ask(vty, print_sums, NULL, NULL));
	return CMD_SUCCESS;
}

#define TXN_STATES "(planned|active|done|failed|expired|cancelled|quarantined)"
#define TXN_STATES_STR                                                                                            \
	"In one state\nNot begun\nUnder way\nThe card has proven it\nEnded without\nOut of time\nBy an order\nA " \
	"person must look\n"

DEFUN(show_txns_all, show_txns_all_cmd, "show transactions state " TXN_STATES, SHOW_STR TXN_STR TXN_STATES_STR)
{
	return show_txns_of(vty, NULL, argv[0]);
}

DEFUN(show_txns_campaign, show_txns_campaign_cmd, "show transactions campaign NAME",
      SHOW_STR TXN_STR "Of one campaign\nIts name\n")
{
	return show_txns_of(vty, argv[0], NULL);
}

DEFUN(show_txns_state, show_txns_state_cmd, "show transactions campaign NAME state " TXN_STATES,
      SHOW_STR TXN_STR "Of one campaign\nIts name\n" TXN_STATES_STR)
{
	return show_txns_of(vty, argv[0], argv[1]);
}

void vty_card_init(void)
{
	install_element_ve(&show_card_cmd);
	install_element_ve(&show_presence_cmd);
	install_element_ve(&show_txns_cmd);
	install_element_ve(&show_txns_all_cmd);
	install_element_ve(&show_txns_campaign_cmd);
	install_element_ve(&show_txns_state_cmd);
	install_element(ENABLE_NODE, &card_present_cmd);
	install_element(ENABLE_NODE, &card_order_cmd);
}
