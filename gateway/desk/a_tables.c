/* a_tables.c - what the desk does as A: packages in, works, operators' orders, events.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "a_int.h"

#define DO .side = SIDE_A, .book = BOOK_LINE

const struct desk_work desk_works_a[] = {
	{ .name = "pool", DO, .step = A_OPEN, .also = BOOK_SET, .also_step = A_SET_POOL, .decide = a_pool_decide },
	{ .name = "AQ", DO, .step = A_PAIRED, .decide = a_ask_decide },
	{ .name = "waiting for AL", DO, .step = A_ASKED, .decide = a_idle },
	{ .name = "PL", DO, .step = A_PLACED, .also = BOOK_SUB, .also_key = a_sub_key, .decide = a_plan_decide },
	{ .name = "STAGE",
	  DO,
	  .step = A_STAGE,
	  .cards = true,
	  .also = BOOK_SET,
	  .also_key = a_set_key,
	  .decide = a_stage_decide },
	{ .name = "waiting for STAGE", DO, .step = A_STAGING, .decide = a_idle },
	{ .name = "HL3a provisional",
	  DO,
	  .step = A_HAND,
	  .also = BOOK_SUB,
	  .also_key = a_sub_key,
	  .decide = a_hand_decide },
	{ .name = "waiting for B_READY", DO, .step = A_STAGED, .decide = a_idle },
	{ .name = "STATUS", DO, .step = A_LOOK, .decide = a_look_decide },
	{ .name = "waiting for STATUS", DO, .step = A_LOOKING, .decide = a_looking_decide },
	{ .name = "ARM", DO, .step = A_ARM, .cards = true, .decide = a_arm_decide },
	{ .name = "armed", DO, .step = A_ARMED, .cards = true, .decide = a_heard_decide },
	{ .name = "HL3a final", DO, .step = A_DUE, .cards = true, .decide = a_due_decide },
	{ .name = "served", DO, .step = A_SERVED, .cards = true, .decide = a_heard_decide },
	{ .name = "UNSTAGE", DO, .step = A_UNSTAGE, .cards = true, .decide = a_unstage_decide },
	{ .name = "waiting for UNSTAGE", DO, .step = A_UNSTAGING, .cards = true, .decide = a_unstaging_decide },
	{ .name = "HL", DO, .step = A_LIST, .decide = a_listed_decide },
	{ .name = "purge",
	  DO,
	  .step = A_PURGE,
	  .cards = true,
	  .also = BOOK_SUB,
	  .also_key = a_sub_key,
	  .decide = a_purge_decide },
	{ .name = NULL },
};

static int cancel_decide(struct desk *d, struct desk_job *j, struct desk_call *c)
{
	struct order *o = &j->order->o;

	(void)d;
	if (o->step != ORDER_OPEN) {
		snprintf(c->text, sizeof(c->text), "order %s is cancelled already", o->name);
		return -EALREADY;
	}
	o->step = ORDER_CANCELLED;
	job_order_put(j);
	snprintf(c->text, sizeof(c->text),
		 "order %s is cancelled: what has not been armed goes back; a card that has been armed goes on, only "
		 "its "
		 "trial or the new operator's confirmation ends that",
		 o->name);
	return 0;
}

const struct desk_verb_row desk_verbs_a[] = {
	{ .verb = DESK_CANCEL, .side = SIDE_A, .decide = cancel_decide },
	{ .verb = 0 },
};

void desk_event_a(struct desk *d, struct desk_job *j, unsigned i)
{
	(void)d;
	if (j->event[i].kind == DESK_EV_TXN)
		a_on_txn(j, i);
	else
		a_on_hlr(j, i);
}
