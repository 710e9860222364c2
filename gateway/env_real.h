/* env_real.h - the machine's clock made steady; what main.c and the tests need of it beyond env.h.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_ENV_REAL_H
#define OTAGW_ENV_REAL_H

#include <stdbool.h>
#include <stdint.h>

#include "env.h"

#define ENV_STEP_REPORT_MS 1000 /* a smaller step of the wall clock is not worth a log line */
#define ENV_SLEW_DIVISOR   100	/* while ahead of the wall clock, steady time loses 1/100 of what passes */

/* Steady UTC out of two clocks.  Pure: the readings are handed in. */
struct env_clock {
	bool started;
	int64_t wall_ns, boot_ns; /* last readings */
	int64_t steady_ns;
};

/* Takes one reading of the wall clock and of the time since boot; returns steady UTC in milliseconds.  *step_ms gets how
 * far the wall clock was set since the last reading: 0, or at least ENV_STEP_REPORT_MS in either direction. */
int64_t env_clock_tick(struct env_clock *c, int64_t wall_ns, int64_t boot_ns, int64_t *step_ms);

/* Who is told that somebody set the wall clock; called from within utc_ms().  NULL: nobody. */
void env_real_on_step(void (*cb)(void *ctx, int64_t step_ms), void *ctx);

#endif
