/* env.h - the clock and the dice, handed in: production reads the machine's, the simulator its seed.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_ENV_H
#define OTAGW_ENV_H

#include <stddef.h>
#include <stdint.h>

struct env {
	/* Steady UTC in milliseconds: never steps back (env_real.c). */
	int64_t (*utc_ms)(void *ctx);
	int (*random)(void *ctx, uint8_t *buf, size_t len);
	void *ctx;
};

/* The machine's clock and OpenSSL's generator. */
struct env *env_real(void);

static inline uint32_t env_random_u32(const struct env *e)
{
	uint8_t b[4] = { 0 };

	e->random(e->ctx, b, sizeof(b));
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

#endif
