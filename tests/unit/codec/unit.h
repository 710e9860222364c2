/* unit.h - what the codec's unit tests share.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef CODEC_UNIT_H
#define CODEC_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ota/codec.h"
#include "test_crypt.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* A heap block of the exact size, so that ASan and valgrind see one octet too far; free() it. */
static inline uint8_t *exact(const void *p, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	if (len)
		memcpy(copy, p, len);
	return copy;
}

#endif
