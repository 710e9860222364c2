/* explain_cmd.c - `otactl packet explain`.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "packet.h"

int cmd_packet_explain(struct ctl *c, const struct ctl_args *a)
{
	ctl_error("not in this build");
	return CTL_USAGE;
}
