/* sim_ctrl.h - the CTRL interface of a register, with the time it takes: requests in, replies out when they are due.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One after the other, as OsmoHLR does it: a reply that is late holds up those behind it.  What a request does to the register it
 * does when its reply is due; what waits while the register goes down is lost, with nothing done.
 */
#ifndef OTASIM_CTRL_H
#define OTASIM_CTRL_H

#include "sim_hlr.h"

#define SIM_CTRL_REQUEST_MAX 256  /* octets of a request, NUL included */
#define SIM_CTRL_QUEUE_MAX   4096 /* requests that wait */

struct sim_ctrl;
/* The register stays the caller's.  NULL: no memory. */
struct sim_ctrl *sim_ctrl_new(struct sim_hlr *h, uint64_t seed);
void sim_ctrl_free(struct sim_ctrl *c);
/* From now on each reply takes so long, 0..0: no time.  sim_ctrl_usual() goes back to what the first such call has said. */
void sim_ctrl_late(struct sim_ctrl *c, int64_t lo_ms, int64_t hi_ms);
void sim_ctrl_usual(struct sim_ctrl *c);

/* False: nobody takes it (down, too long, too many wait).  The tag comes back with the reply. */
bool sim_ctrl_ask(struct sim_ctrl *c, uint64_t tag, const char *request, int64_t now_ms);
/* The next reply that is due.  False: there is none now.  *lost: the register has gone down, this one gets no reply. */
bool sim_ctrl_reply(struct sim_ctrl *c, int64_t now_ms, uint64_t *tag, char reply[SIM_HLR_REPLY_MAX], bool *lost);
int64_t sim_ctrl_next_due(const struct sim_ctrl *c); /* INT64_MAX: nothing waits */

#endif
