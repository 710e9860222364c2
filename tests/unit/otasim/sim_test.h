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
json_t *vectors_load(const char *dir, const char *file); /* the "vectors" array; exits when it cannot be read */

/* The card gets a message in a heap block of exactly its length. */
void card_take(struct sim_card *c, const struct oct *ud, struct sim_card_out *out);

/* "3des2", "cmac8-128", ... as the vector files name algorithms; SIM_ALG_NONE for those that are no key's. */
enum sim_alg alg_of_vector(const char *name, uint8_t *mac_len);
/* A card that has the keys, TAR and key version of this vector, stored counter one below the vector's, and MSL 00. */
void card_of_vector(struct sim_card *c, const json_t *v);

/* A command as a gateway would send it, under the card's own keys; the vectors prove its crypto calls. */
struct cmd_spec {
	uint8_t spi1, spi2, kic, kid;
	uint32_t tar;
	uint64_t cntr;
	uint8_t pcntr_add; /* a PCNTR higher than it should be, under a right CC */
};
struct cmd_spec spec_of(const struct sim_card *c, uint64_t cntr); /* 16 39, KIc/KID of key set 0, B00011 */
struct oct packet_build(const struct sim_card *c, const struct cmd_spec *k, const struct oct *data); /* from CPL on */
struct oct ud_single(const struct oct *pkt); /* 02 70 00 in front */
/* Segment seq (1..) of `max`, `room` packet octets in each but the last. */
struct oct ud_segment(const struct oct *pkt, uint16_t ref, bool wide, uint8_t max, uint8_t seq, size_t room);

/* What a PoR says: TP-UD(s) joined, deciphered, CC checked. */
struct por {
	bool valid, secured; /* secured: CC was there and right */
	uint8_t status;
	uint64_t cntr;
	struct oct data;
};
struct por por_open(const struct sim_card *c, const struct cmd_spec *k, const struct sim_card_out *out);
struct por por_open_ud(const struct sim_card *c, const struct cmd_spec *k, const uint8_t *ud, size_t len);

#endif
