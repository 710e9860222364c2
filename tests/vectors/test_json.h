/* test_json.h - octets and command parameters out of the vector files.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef TEST_JSON_H
#define TEST_JSON_H

#include <jansson.h>

#include "ota/codec.h"

/* A heap block of exactly these octets, so that ASan and valgrind see the first one too far. */
struct octets {
	uint8_t *p;
	size_t len;
};

/* Octets of a hexadecimal string; exits with a message when it is none. */
struct octets octets_hex(const char *hex);
/* The same of a member that must be there. */
struct octets octets_get(const json_t *v, const char *member);
struct octets octets_copy(const uint8_t *p, size_t len);
void octets_free(struct octets *o);
bool octets_are(const struct octets *o, const uint8_t *p, size_t len);

const char *json_text(const json_t *v, const char *member);
/* A short hexadecimal member as number; 0 when it is missing. */
uint64_t json_hex(const json_t *v, const char *member);

/* spi1 spi2 kic kid tar cntr cc_len; missing ones stay 0.  Key references point to set `set`. */
struct ota_cmd_params json_params(const json_t *v, uint32_t set);

/* Calls `each` for every vector of DIR/FILE; exits with a message when the file cannot be read. */
void json_vectors(const char *dir, const char *file, void (*each)(void *ctx, const json_t *v), void *ctx);

#endif
