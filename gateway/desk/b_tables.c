/* b_tables.c - what the desk does as B: packages in, works, operators' orders, events.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "desk_int.h"

const struct desk_kind desk_kinds_b[] = {
	{ .type = _XCHG_TYPES },
};

const struct desk_work desk_works_b[] = {
	{ .name = NULL },
};

const struct desk_verb_row desk_verbs_b[] = {
	{ .verb = 0 },
};

void desk_event_b(struct desk *d, struct desk_job *j, unsigned i)
{
}
