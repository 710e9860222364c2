/* card_sub_int.h - what the subscription applet's files share among themselves and with the card.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTASIM_CARD_SUB_INT_H
#define OTASIM_CARD_SUB_INT_H

#include "card_int.h"
#include "card_sub.h"

#define SIM_WRAP_MAX 136 /* K, OPc and three keys of 32, wrapped */

/* card_aka.c */
enum { SIM_AKA_MILENAGE = 0x01, SIM_AKA_TUAK = 0x02, SIM_AKA_TEST = 0x0f };
enum { SIM_SQN_ARRAY = 0x01 };
struct sim_aka_keys {
	uint8_t k[16], opc[16], alg;
};
struct sim_aka {
	uint8_t mac_a[8], mac_s[8], res[8], ck[16], ik[16], ak[6], ak_s[6];
};
bool sim_aka_known(uint8_t alg, uint8_t scheme);
int sim_aka_run(const struct sim_aka_keys *k, const uint8_t rand[16], const uint8_t sqn[6], const uint8_t amf[2],
		struct sim_aka *a);
/* Is this challenge right and its SQN new to the array?  OK: *ind and *seq are what the array is to keep. */
enum sim_auth_result sim_aka_check(const struct sim_aka_keys *k, const uint64_t seqs[SIM_SQN_INDS],
				   const uint8_t rand[16], const uint8_t autn[16], struct sim_auth *out, unsigned *ind,
				   uint64_t *seq);
int sim_aes_block(const uint8_t *key, size_t key_len, const uint8_t in[16], uint8_t out[16]);
int sim_kcv(const uint8_t *key, size_t len, uint8_t kcv[3]);
/* RFC 5649; 0 when it opens to exactly `want` octets. */
int sim_unwrap(const uint8_t *kek, size_t kek_len, const uint8_t *in, size_t len, uint8_t *out, size_t want);
void sim_sha256(const uint8_t *in, size_t len, uint8_t out[32]);

/* card_usim.c: AUTHENTICATE of a card without the applet */
enum sim_auth_result sim_usim_authenticate(struct sim_card *c, const uint8_t rand[16], const uint8_t autn[16],
					   struct sim_auth *out);

/* card_sub.c: memory, transactions, time */
enum sim_role { ROLE_ACTIVE, ROLE_OLD, ROLE_PENDING, ROLE_VAULT, ROLE_CHANGE };

/* One write: false when power fails in it or has failed before. */
bool sub_write(struct sim_sub *s, void *dst, const void *src, size_t n);
/* Makes r the record in force, and does what its redo says. */
bool sub_commit(struct sim_card *c, const struct sim_sub_rec *r);
int sub_place(const struct sim_sub_rec *r, uint16_t index); /* of the pair, or -1 */
void sub_ask_refresh(struct sim_sub *s);
/* Leaves the trial by confirmation or towards the return. */
bool sub_confirm(struct sim_card *c, enum sim_sub_end end);
bool sub_return(struct sim_card *c, enum sim_sub_end end);
void sub_record_end(struct sim_sub_rec *r, enum sim_sub_end end);
void sub_drop_order(struct sim_sub_rec *r);

/* card_sub.c, called by the card's other files; all of them when c->sub is there */
bool sim_sub_tar(const struct sim_card *c, const uint8_t tar[3]);
struct sim_keyset *sim_sub_keyset(struct sim_card *c, uint8_t kvn, const uint8_t tar[3]); /* NULL: no keys there */
void sim_sub_cntr(struct sim_card *c, uint64_t cntr); /* of the keyset just given: an authentic packet took it */
void sim_sub_start(struct sim_card *c);

/* card_sub_cmd.c */
void sim_sub_run(struct sim_card *c, const uint8_t *p, size_t len, struct script_result *res);
/* The objects of a stored set, which has been checked when it came. */
struct sub_set {
	const uint8_t *imsi, *files, *plmns;
	size_t files_len;
	uint8_t plmn_count;
};
void sub_set_read(const uint8_t *p, size_t len, struct sub_set *out);

/* card_rfm.c: an EF by its path under ADF.USIM (7F20 and 7F10 under the MF), NULL when there is none */
uint8_t *sim_fs_at(struct sim_card *c, const uint16_t *path, int n, size_t *len, bool *read_only);

#endif
