/* tables.c - the desk with all sides.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "desk_int.h"

static const struct desk_tables all = {
	.kinds = { desk_kinds_a, desk_kinds_b, desk_kinds_vault },
	.works = { desk_works_a, desk_works_b, desk_works_vault, desk_works_c },
	.verbs = { desk_verbs_a, desk_verbs_b, desk_verbs_vault, desk_verbs_c },
	.event = { desk_event_a, desk_event_b, NULL, desk_event_c },
};

struct desk *desk_new(const struct desk_cfg *cfg, const struct desk_deps *deps, char err[DESK_ERR_MAX])
{
	return desk_new_with(cfg, deps, &all, err);
}
