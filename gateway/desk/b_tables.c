/* b_tables.c - what the desk does as B, the new operator: packages in, works, operators' orders, events.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "b_int.h"
#include "so.h"

#define IN .side = 1u << SIDE_B, .book = BOOK_LINE, .key = b_line_key, .begin = b_in_begin, .drop = b_in_drop

const struct desk_kind desk_kinds_b[] = {
	SO_KIND(1u << SIDE_A | 1u << SIDE_B | 1u << SIDE_M),
	{ .type = XCHG_PL, IN, .one = b_pl_one },
	{ .type = XCHG_KP, IN, .one = b_kp_one },
	{ .type = XCHG_HL3A, IN, .one = b_hl3a_one, .also = BOOK_SET, .also_key = b_line_key },
	{ .type = XCHG_HL3B, IN, .one = b_hl3b_one },
	{ .type = XCHG_KE, IN, .one = b_ke_one, .also = BOOK_SET, .also_key = b_line_key },
	{ .type = XCHG_RK, IN, .one = b_rk_one, .also = BOOK_SET, .also_key = b_line_key },
	{ .type = _XCHG_TYPES },
};

#define DO .side = SIDE_B, .book = BOOK_LINE

const struct desk_work desk_works_b[] = {
	{ "IL", DO, .step = B_OPEN, .also = BOOK_IMSI, .also_key = b_list_also, .decide = b_list_decide,
	  .after = b_list_after },
	{ "waiting for PL", DO, .step = B_LISTED, .calm = true, .decide = b_wait_decide },
	{ "waiting for keys", DO, .step = B_ASKED, .calm = true, .decide = b_wait_decide },
	{ "KR", DO, .step = B_PLANNED, .decide = b_ask_decide },
	{ "provision", DO, .step = B_KEYED, .also = BOOK_SUB, .also_key = b_sub_also, .decide = b_provision_decide },
	{ "CF ready", DO, .step = B_TELL_READY, .calm = true, .decide = b_ready_decide },
	{ "await", DO, .step = B_READY, .calm = true, .decide = b_poll_decide, .after = b_poll_after },
	{ "CF served", DO, .step = B_TELL_SERVED, .calm = true, .decide = b_served_decide },
	{ "CONFIRM", DO, .step = B_CONFIRM, .cards = true, .decide = b_confirm_decide },
	{ "CF confirmed", DO, .step = B_TELL_CONFIRMED, .calm = true, .cards = true, .decide = b_confirmed_decide },
	{ "served, still", DO, .step = B_SERVED, .calm = true, .decide = b_again_decide },
	{ "confirmed, again", DO, .step = B_CONFIRMED, .calm = true, .cards = true, .decide = b_again_decide },
	{ "refused or recalled, again", DO, .step = B_ENDING, .calm = true, .decide = b_again_decide },
	{ "undo", DO, .step = B_UNDO, .cards = true, .also = BOOK_SUB, .also_key = b_sub_also,
	  .decide = b_undo_decide },
	{ .name = "MSISDN", DO, .step = B_NUMBER, .decide = b_number_decide },
	{ .name = NULL },
};

const struct desk_verb_row desk_verbs_b[] = {
	{ .verb = DESK_IL,
	  .side = SIDE_B,
	  .book = BOOK_LINE,
	  .want = b_il_want,
	  .decide = b_il_decide,
	  .drop = b_il_drop },
	{ .verb = DESK_PROVIDE,
	  .side = SIDE_B,
	  .book = BOOK_LINE,
	  .step = B_ENDING,
	  .want = b_provide_want,
	  .decide = b_provide_decide,
	  .drop = b_provide_drop },
	{ .verb = 0 },
};

void desk_event_b(struct desk *d, struct desk_job *j, unsigned i)
{
	if (j->event[i].kind == DESK_EV_HLR)
		b_event_hlr(d, j, i);
	else
		b_event_txn(d, j, i);
}
