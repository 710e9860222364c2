/* sim_test.h - octets and vectors for the virtual card's tests; shares nothing with the gateway.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef SIM_TEST_H
#define SIM_TEST_H

#include <jansson.h>

#include "card/card.h"

#define TEST_OCTETS_MAX 2048

struct oct {
	size_t len;
	uint8_t b[TEST_OCTETS_MAX];
};

struct oct oct_hex(const char *hex);
struct oct oct_of(const json_t *v, const char *member);
const char *text_of(const json_t *v, const char *member);
json_t *vectors_load(const char *dir, const char *file);	/* the "vectors" array; exits when it cannot be read */

/* The card gets a message in a heap block of exactly its length. */
void card_take(struct sim_card *c, const struct oct *ud, struct sim_card_out *out);

/* "3des2", "cmac8-128", ... as the vector files name algorithms; SIM_ALG_NONE for those that are no key's. */
enum sim_alg alg_of_vector(const char *name, uint8_t *mac_len);
/* A card that has the keys, TAR and key version of this vector, stored counter one below the vector's, and MSL 00. */
void card_of_vector(struct sim_card *c, const json_t *v);

#endif
