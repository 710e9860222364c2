/* env_real.c - a steady UTC, and OpenSSL's generator.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Steady time is the wall clock at start plus CLOCK_BOOTTIME since, which goes on while the machine sleeps.  Where the
 * wall clock is found ahead, the difference is taken in at once: deadlines are absolute UTC and a late clock would keep
 * them too long.  Where it is found behind, somebody set it back: steady time is never taken back with it, but runs
 * slower by 1/ENV_SLEW_DIVISOR until both agree again.  So no timer fires an hour late because of a clock set right.
 *
 * For one thread, as everything around the core.
 */
#include <time.h>

#include <openssl/err.h>
#include <openssl/rand.h>

#include "env_real.h"

#define NS_PER_MS 1000000LL
#define NS_PER_S  1000000000LL

int64_t env_clock_tick(struct env_clock *c, int64_t wall_ns, int64_t boot_ns, int64_t *step_ms)
{
	int64_t passed, step, ahead, slew;

	*step_ms = 0;
	if (!c->started) {
		*c = (struct env_clock){ true, wall_ns, boot_ns, wall_ns };
		return wall_ns / NS_PER_MS;
	}
	passed = boot_ns > c->boot_ns ? boot_ns - c->boot_ns : 0;
	step = (wall_ns - c->wall_ns - passed) / NS_PER_MS;
	if (step >= ENV_STEP_REPORT_MS || step <= -ENV_STEP_REPORT_MS)
		*step_ms = step;
	c->wall_ns = wall_ns;
	c->boot_ns = boot_ns;

	c->steady_ns += passed;
	ahead = c->steady_ns - wall_ns;
	if (ahead < 0) {
		c->steady_ns = wall_ns;
	} else {
		slew = passed / ENV_SLEW_DIVISOR;
		c->steady_ns -= slew < ahead ? slew : ahead;
	}
	return c->steady_ns / NS_PER_MS;
}

static struct {
	struct env_clock clock;
	void (*on_step)(void *ctx, int64_t step_ms);
	void *on_step_ctx;
} real;

static int64_t now_ns(clockid_t id)
{
	struct timespec ts = { 0 };

	clock_gettime(id, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static int64_t real_utc_ms(void *ctx)
{
	int64_t step_ms, ms = env_clock_tick(&real.clock, now_ns(CLOCK_REALTIME), now_ns(CLOCK_BOOTTIME), &step_ms);

	if (step_ms && real.on_step)
		real.on_step(real.on_step_ctx, step_ms);
	return ms;
}

static int real_random(void *ctx, uint8_t *buf, size_t len)
{
	if (len <= INT32_MAX && RAND_bytes(buf, (int)len) == 1)
		return 0;
	ERR_clear_error();
	return -1;
}

void env_real_on_step(void (*cb)(void *ctx, int64_t step_ms), void *ctx)
{
	real.on_step = cb;
	real.on_step_ctx = ctx;
}

struct env *env_real(void)
{
	static struct env env = { .utc_ms = real_utc_ms, .random = real_random };

	return &env;
}
