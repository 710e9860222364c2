/* a_tables.c - what the desk does as A: packages in, works, operators' orders, events.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "a_int.h"

#define TAKE .side = 1u << SIDE_A, .book = BOOK_LINE, .key = a_line_key, .drop = a_take_drop

const struct desk_kind desk_kinds_a[] = {
	SO_KIND(1u << SIDE_A | 1u << SIDE_B | 1u << SIDE_M), /* which of them we are, it says itself */
	{ .type = XCHG_IL,
	  TAKE,
	  .also = BOOK_IMSI,
	  .also_key = a_imsi_key,
	  .begin = a_il_begin,
	  .one = a_il_one,
	  .end = a_il_end },
	{ .type = XCHG_AL, TAKE, .begin = a_al_begin, .one = a_al_one },
	{ .type = XCHG_CF, TAKE, .begin = a_cf_begin, .one = a_cf_one },
	{ .type = XCHG_SP, TAKE, .begin = a_sp_begin, .one = a_sp_one },
	{ .type = XCHG_MF, .side = 1u << SIDE_A, .no_order = true, .one = a_first_one },
	{ .type = _XCHG_TYPES },
};

#define DO .side = SIDE_A, .book = BOOK_LINE

const struct desk_work desk_works_a[] = {
	{ .name = "pool", DO, .step = A_OPEN, .also = BOOK_SET, .also_step = A_SET_POOL, .decide = a_pool_decide },
	{ .name = "AQ", DO, .step = A_PAIRED, .decide = a_ask_decide },
	{ .name = "waiting for AL", DO, .step = A_ASKED, .calm = true, .decide = a_idle },
	{ .name = "PL", DO, .step = A_PLACED, .also = BOOK_SUB, .also_key = a_sub_key, .decide = a_plan_decide },
	{ .name = "STAGE",
	  DO,
	  .step = A_STAGE,
	  .cards = true,
	  .also = BOOK_SET,
	  .also_key = a_set_key,
	  .decide = a_stage_decide },
	{ .name = "waiting for STAGE", DO, .step = A_STAGING, .calm = true, .decide = a_idle },
	{ .name = "HL3a provisional",
	  DO,
	  .step = A_HAND,
	  .also = BOOK_SUB,
	  .also_key = a_sub_key,
	  .decide = a_hand_decide },
	{ .name = "KE", DO, .step = A_ESCROW, .also = BOOK_SUB, .also_key = a_sub_key, .decide = a_escrow_decide },
	{ .name = "RK",
	  DO,
	  .step = A_RELEASE,
	  .also = BOOK_RELEASE,
	  .also_key = a_release_key,
	  .decide = a_release_decide },
	{ .name = "waiting for B_READY", DO, .step = A_STAGED, .calm = true, .decide = a_idle },
	{ .name = "STATUS", DO, .step = A_LOOK, .decide = a_look_decide },
	{ .name = "waiting for STATUS",
	  DO,
	  .step = A_LOOKING,
	  .calm = true,
	  .cards = true,
	  .decide = a_looking_decide,
	  .after = a_here_after },
	{ .name = "ARM",
	  DO,
	  .step = A_ARM,
	  .cards = true,
	  .also = BOOK_SET,
	  .also_key = a_set_key,
	  .decide = a_arm_decide },
	{ .name = "armed",
	  DO,
	  .step = A_ARMED,
	  .calm = true,
	  .cards = true,
	  .decide = a_heard_decide,
	  .after = a_here_after },
	{ .name = "HL3a final", DO, .step = A_DUE, .cards = true, .decide = a_due_decide },
	{ .name = "served",
	  DO,
	  .step = A_SERVED,
	  .calm = true,
	  .cards = true,
	  .decide = a_heard_decide,
	  .after = a_here_after },
	{ .name = "ARM sent",
	  DO,
	  .step = A_ARMING,
	  .calm = true,
	  .cards = true,
	  .decide = a_arming_decide,
	  .after = a_here_after },
	{ .name = "UNSTAGE", DO, .step = A_UNSTAGE, .cards = true, .decide = a_unstage_decide },
	{ .name = "waiting for UNSTAGE",
	  DO,
	  .step = A_UNSTAGING,
	  .calm = true,
	  .cards = true,
	  .decide = a_unstaging_decide },
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

const struct desk_verb_row desk_verbs_a[] = {
	{ .verb = DESK_ACCEPT, .side = SIDE_A, .decide = a_accept_decide },
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
