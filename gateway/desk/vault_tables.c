/* vault_tables.c - what the desk does as the vault: packages in, works, operators' orders, events.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "desk_int.h"

const struct desk_kind desk_kinds_vault[] = {
	{ .type = _XCHG_TYPES },
};

const struct desk_work desk_works_vault[] = {
	{ .name = NULL },
};

const struct desk_verb_row desk_verbs_vault[] = {
	{ .verb = 0 },
};
