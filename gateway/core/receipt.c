/* receipt.c - delivery receipts: what the SMSC says became of an attempt.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Hints, all of them: they come twice, late, out of order, and contradict each other.  One that names the last attempt may
 * shorten the wait for a proof that will not come, say why in the report, and raise the evidence to "delivered".  None ends
 * a command: only the card's own answer does.  What is kept of them here is of this process life alone.
 */
#include "gw_int.h"

/* The part of the open command's last attempt that a receipt speaks of; false: of another attempt. */
static bool names_attempt(const struct card *c, const struct cmd_row *cmd, const struct link_event *ev, unsigned *seg)
{
	*seg = 0;
	if (!ev->has_ref) /* nobody can tell which one; with one part per attempt it is at least not another part's */
		return cmd->segs == 1 || ev->whole;
	*seg = ev->ref & 0xff; /* token_make() in flight.c: attempt (8 bits of it), segment */
	return (uint8_t)(ev->ref >> 8) == (uint8_t)c->b.txn.attempts && *seg < cmd->segs;
}

static struct receipts *of_attempt(struct card *c, const struct cmd_row *cmd)
{
	struct receipts *r = &c->receipts;

	if (r->cmd != cmd->id || r->attempt != c->b.txn.attempts)
		*r = (struct receipts){ .cmd = cmd->id, .attempt = c->b.txn.attempts };
	return r;
}

/* Receipts may come before the answer to the submit: what they said is looked at when the attempt is through. */
void receipt_apply(struct gw *gw, struct card *c, struct cmd_row *cmd)
{
	struct receipts *r = of_attempt(c, cmd);

	if (cmd->state != CMD_SENT || r->told || r->fail.cls == FAIL_NONE || cmd->hint != 255)
		return;
	r->told = true;
	gw_story(gw, cmd->card, cmd->id, STORY_OUTCOME, NULL, 0, "receipt: %s (%s)", r->fail.what,
		 fail_class_name(r->fail.cls));
	cmd_on_receipt(gw, c, cmd, &r->fail);
}

void receipt_on_rx(struct gw *gw, struct card *c, uint64_t was_open, const struct link_event *ev)
{
	struct cmd_row *cmd = card_open_cmd(c, NULL);
	struct receipts *r;
	unsigned seg;

	/* a PoR that came in the same message may have ended the command, or made another one */
	if (!cmd || cmd->id != was_open || cmd->txn != c->b.txn.id || !cmd->attempt)
		return;
	if ((!ev->delivered && ev->fail.cls == FAIL_NONE) || !names_attempt(c, cmd, ev, &seg))
		return;
	r = of_attempt(c, cmd);
	if (ev->delivered) {
		r->delivered |= ev->whole ? (1u << cmd->segs) - 1 : 1u << seg;
		if (r->delivered == (1u << cmd->segs) - 1)
			txn_evidence(gw, c, 2);
	} else if (!(r->delivered & 1u << seg) && r->fail.cls == FAIL_NONE) {
		r->fail = ev->fail;
		receipt_apply(gw, c, cmd);
	}
}
