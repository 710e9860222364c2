/* sub_test.h - a sender of subscription commands for the virtual card's tests; shares nothing with the gateway.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef SUB_TEST_H
#define SUB_TEST_H

#include "card/card_sub_int.h"
#include "card/judge.h"
#include "sim_test.h"

#define IMSI_A "001020000000001" /* what a card of these tests is delivered with */
#define IMSI_B "001030000000001"
#define IMSI_C "001040000000001"

/* A card with the applet, its judge, and what a sender has to know: all keys. */
struct bench {
	struct sim_card card;
	struct sim_sub sub;
	struct judge judge;
	struct sim_card_out out; /* of the last packet */
	uint64_t rand;		 /* of RANDs and keys */
};
void bench_init(struct bench *b, uint64_t seed, unsigned pairs);
/* Shows the card to the judge; stops the test when it refuses. */
void bench_look(struct bench *b);
void bench_reset(struct bench *b); /* power off and on, and a look */

/* What a command led to. */
struct answer {
	int status; /* of the PoR, -1: none */
	bool secured;
	uint16_t sw; /* of the last command executed */
	struct oct data;
};
/* The TP-UDs of one packet under a key version with the keys of `k`, counter `cntr`; TAR of the applet.  How many. */
#define BENCH_UDS_MAX 8
uint8_t bench_uds(uint8_t kvn, const struct sim_ota_keys *k, uint64_t cntr, const struct oct *script,
		  struct oct ud[BENCH_UDS_MAX]);
/* One packet under a key version with the keys of `k`, counter `cntr`; TAR of the applet. */
struct answer bench_send(struct bench *b, uint8_t kvn, const struct sim_ota_keys *k, uint64_t cntr,
			 const struct oct *script);
/* The same with the keys and the next counter that belong to it: pair `index`, or 0 with KVN 14 or 15. */
struct answer bench_send_pair(struct bench *b, uint16_t index, uint8_t kvn, const struct oct *script);
/* Under the active pair. */
struct answer bench_do(struct bench *b, const struct oct *script);

/* Objects and commands; a command asks for its answer (Le). */
void tlv(struct oct *o, uint8_t tag, const void *p, size_t len);
void tlv_be(struct oct *o, uint8_t tag, uint64_t v, size_t n);
struct oct apdu(uint8_t ins, uint8_t p1, const struct oct *data);
struct oct cmd_order(uint8_t ins, uint64_t order);
struct set_spec {
	uint64_t order;
	uint16_t from, to;
	const char *imsi;
	const char *files;     /* hexadecimal objects 84 */
	const struct oct *opc; /* wrapped */
	uint16_t alg;	       /* 0: none */
	const char *plmns;     /* hexadecimal */
	uint32_t trial_s;      /* 0: none */
	const uint8_t *mac;
};
struct oct set_of(const struct set_spec *s);
struct oct cmd_set(uint8_t ins, const struct oct *set); /* in one block */
struct oct cmd_arm(uint64_t order, const struct oct *set);
void vault_mac(const struct bench *b, const char *label, uint16_t x, uint16_t y, uint64_t order, uint8_t mac[8]);
struct oct wrap(const uint8_t *kek, size_t kek_len, const uint8_t *p, size_t len);

/* A challenge that the network of this K, OPc and algorithm makes; then what the card says to it. */
enum sim_auth_result bench_auth(struct bench *b, const struct sim_aka_keys *k, uint64_t seq, unsigned ind,
				struct sim_auth *out);
struct sim_aka_keys keys_of(const struct bench *b, uint16_t index);
/* The next SEQ of a pair, accepted by the card. */
enum sim_auth_result bench_auth_pair(struct bench *b, uint16_t index);
/* The ME writes EF_LOCI after a location update in this PLMN. */
void bench_loci(struct bench *b, const char *plmn_hex, uint8_t status);

enum sim_sub_state state_of(const struct bench *b);
const char *imsi_of(const struct bench *b);
uint64_t bench_random(struct bench *b);

#endif
