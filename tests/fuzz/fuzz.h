/* fuzz.h - what every fuzz target shares.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A target is deterministic: no clock, no generator, no state left over from the input before.  It does not only look
 * for memory errors: what must hold for every input is said with FUZZ_HOLDS.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stops the program where it stands: libFuzzer keeps the input, a replay fails. */
#define FUZZ_HOLDS(cond)                  \
	do {                              \
		if (!(cond))              \
			__builtin_trap(); \
	} while (0)

/* Reads every octet, so that the sanitizers see a span that reaches too far. */
static inline void fuzz_touch(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		(void)*(const volatile uint8_t *)(p + i);
}

#endif
