/* vault_tables.c - what the desk does as the vault: packages in, works, operators' orders, events.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "vault_int.h"

#define IN .side = 1u << SIDE_M, .book = BOOK_LINE, .key = vault_line_key, .also = BOOK_CARD, .also_key = vault_card_key

const struct desk_kind desk_kinds_vault[] = {
	{ .type = XCHG_AQ, IN, .begin = vault_aq_begin, .one = vault_aq_one },
	{ .type = XCHG_KR, IN, .begin = vault_kr_begin, .one = vault_kr_one, .drop = vault_kr_drop },
	{ .type = XCHG_CF, IN, .begin = vault_cf_begin, .one = vault_cf_one },
	{ .type = _XCHG_TYPES },
};

#define DO .side = SIDE_M, .book = BOOK_LINE

const struct desk_work desk_works_vault[] = {
	{ .name = "AL",
	  DO,
	  .step = M_ASKED,
	  .also = BOOK_PAIR,
	  .also_key = vault_sets_key,
	  .decide = vault_answer_decide },
	{ .name = "release",
	  DO,
	  .step = M_WANTED,
	  .also = BOOK_CARD,
	  .also_key = vault_own_key,
	  .decide = vault_release_decide,
	  .after = vault_release_after },
	{ .name = "KP",
	  DO,
	  .step = M_RELEASED,
	  .also = BOOK_PAIR,
	  .also_key = vault_pair_key,
	  .decide = vault_keys_decide },
	{ .name = "never asked for", DO, .step = M_OPEN, .calm = true, .decide = vault_wait_decide },
	{ .name = "waiting for KR", DO, .step = M_PLACED, .calm = true, .decide = vault_wait_decide },
	{ .name = "waiting for CF", DO, .step = M_KEYED, .calm = true, .decide = vault_wait_decide },
	{ .name = NULL },
};

const struct desk_verb_row desk_verbs_vault[] = {
	{ .verb = DESK_GEN,
	  .book = BOOK_PAIR,
	  .want = vault_gen_want,
	  .decide = vault_gen_decide,
	  .drop = vault_make_drop },
	{ .verb = DESK_IMPORT_PAIRS,
	  .book = BOOK_PAIR,
	  .want = vault_import_want,
	  .decide = vault_import_decide,
	  .drop = vault_import_drop },
	{ .verb = DESK_ISSUE,
	  .book = BOOK_CARD,
	  .step = VAULT_MADE,
	  .want = vault_issue_want,
	  .decide = vault_issue_decide,
	  .drop = vault_scratch_drop },
	{ .verb = DESK_LEDGER,
	  .book = BOOK_LEDGER,
	  .want = vault_ledger_want,
	  .decide = vault_ledger_decide,
	  .drop = vault_scratch_drop },
	{ .verb = 0 },
};
