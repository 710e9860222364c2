/* words.h - small texts: masked digits, times as people and programs read them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_WORDS_H
#define OTAGW_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MASKED_MAX 16
/* "8988…0015": enough to find it in one's own file, too little to be one (privacy, logs and reasons). */
const char *masked(char out[MASKED_MAX], const char *digits);

#define RFC3339_MAX 32
/* "2026-12-01T22:00:00.000Z". */
const char *rfc3339(char out[RFC3339_MAX], int64_t utc_ms);

/* Lower-case hex; out holds 2 * len + 1. */
void hex_encode(char *out, const uint8_t *in, size_t len);
/* Octets, or -1 for an odd number of digits, a character that is none, or more than cap octets. */
int hex_decode(uint8_t *out, size_t cap, const char *hex);

/* A name that is safe in URLs, file names and logs: [A-Za-z0-9][A-Za-z0-9._-]*, shorter than max. */
bool name_ok(const char *name, size_t max);

#endif
