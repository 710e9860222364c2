/* vault.h - the vault: pairs of keys by card and index, who is to have which, and a ledger of who has had which.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A card's record (BOOK_CARD) says of each of its indexes whose it is: all decisions are made on it, so that two requests for one card
 * can never both be granted (a record that has changed meanwhile rolls the batch back).  The keys lie beside it, one record for each
 * index (BOOK_PAIR), sealed; index 0 holds the keysets that never rotate (KVN 14, 15).
 *
 * What an index goes through:
 *
 *	FREE -> ALLOCATED (AQ) -> RELEASED (KR, with a line in the ledger) -> ACTIVE (CF confirmed) -> USED
 *	anything below an index that became active and was not active itself: BURNT
 *
 * An index that has been released to an operator is never anybody else's: in a later order the same operator may have it again, another
 * one gets the next index, with the vault's MAC for the jump.
 */
#ifndef OTAGW_DESK_VAULT_H
#define OTAGW_DESK_VAULT_H

#include "../exchange/books.h"

#define VAULT_PAIRS_MAX 40 /* indexes of a card: its record has room for so many */
#define VAULT_SETS	0  /* the index under which KVN 14 and 15 lie */

enum pair_step { PAIR_FREE = 1, PAIR_ALLOCATED, PAIR_RELEASED, PAIR_ACTIVE, PAIR_USED, PAIR_BURNT, _PAIR_STEPS };
const char *pair_step_name(uint16_t step); /* "allocated"; never NULL */

struct vault_slot {
	uint8_t state;	/* enum pair_step */
	uint8_t kvn;	/* under which it was released, 0: not yet */
	uint64_t who;	/* vault_who() of the operator, 0 nobody; of the active one: who holds the card */
	uint64_t order; /* number */
};
enum vault_step { VAULT_MADE = 1, VAULT_ISSUED }; /* step of BOOK_CARD */
struct vault_card {
	char iccid[ICCID_DIGITS_MAX + 1];
	char imsi[IMSI_DIGITS_MAX + 1], msisdn[MSISDN_DIGITS_MAX + 1]; /* of its first subscription, as far as told */
	char issuer[PKG_NAME_MAX + 1];				       /* who got the first pair, "" nobody yet */
	uint16_t active;
	uint8_t pairs; /* indexes 1..pairs */
	struct vault_slot slot[VAULT_PAIRS_MAX];
};
/* What names an operator in a card's record. */
uint64_t vault_who(const char *name);
int vault_card_pack(const struct vault_card *c, uint8_t body[BOOK_BODY_MAX]);
int vault_card_unpack(struct vault_card *c, const uint8_t *body, size_t len); /* 0 or -1 */
/* As it comes from the factory: the first pair active, the others free. */
void vault_card_new(struct vault_card *c, const char *iccid, unsigned pairs, unsigned active);

/* Why not: the rule's name and a sentence; NULL: granted. */
struct vault_no {
	const char *rule;
	char why[160];
};
struct vault_place {
	uint16_t to;   /* 0: none is left */
	uint16_t left; /* that nobody has, above it */
	bool jump;     /* not the next one: the card wants the vault's MAC */
};
/* `a` is who hands the card over in this order: rule "holder" refuses unless the active index is its. */
/* AQ: the lowest index above `from` that has never been released to anybody else; for the same order always the same one. */
bool vault_allocate(struct vault_card *c, uint64_t a, uint64_t who, uint64_t order, unsigned from,
		    struct vault_place *out, struct vault_no *no);
/* KR: may this operator have the keys of this index for this order?  Changes nothing. */
bool vault_may_release(const struct vault_card *c, uint64_t a, uint64_t who, uint64_t order, unsigned index,
		       unsigned kvn, struct vault_no *no);
/* They are its from now on.  *fresh: for the first time in this order, a line for the ledger. */
bool vault_release(struct vault_card *c, uint64_t a, uint64_t who, uint64_t order, unsigned index, unsigned kvn,
		   bool *fresh, struct vault_no *no);
/* CF confirmed: the card lives under this index. */
bool vault_confirm(struct vault_card *c, uint64_t who, uint64_t order, unsigned index, struct vault_no *no);

/* ---- keys ---- */
#define PAIR_KEY_LEN (ICCID_DIGITS_MAX + 1 + 5)
void pair_key(char key[BOOK_KEY_MAX], const char *iccid, unsigned index); /* "ICCID/00001" */
struct vault_pair {
	char who[PKG_NAME_MAX + 1]; /* to whom it was released, "" nobody */
	int64_t at_ms;		    /* when */
	struct ks_pair keys;
};
int vault_pair_pack(const struct vault_pair *p, uint8_t body[BOOK_BODY_MAX]);
int vault_pair_unpack(struct vault_pair *p, const uint8_t *body, size_t len);
/* KVN 14 and 15; len 0: the card has none. */
struct vault_sets {
	uint8_t len[2];
	uint8_t sealed[2][KS_SEALED_MAX];
};
int vault_sets_pack(const struct vault_sets *s, uint8_t body[BOOK_BODY_MAX]);
int vault_sets_unpack(struct vault_sets *s, const uint8_t *body, size_t len);
/* The MAC for a jump, 5.4 of the card interface.  0 or a negative enum ks_err. */
int vault_jump_mac(struct ks *ks, const char *iccid, const struct vault_sets *s, unsigned from, unsigned to,
		   uint64_t order, uint8_t mac[OTA_SUB_MAC_LEN]);

/* ---- the ledger ----
 * Append only: each line holds the hash of the one before it, so that none can be changed, left out or put in without all that follow.
 * The head says how many there are. */
#define LEDGER_HEAD "head" /* its key: after all numbers */
struct ledger_head {
	uint64_t n; /* lines */
	uint8_t hash[KS_HASH_LEN];
};
struct ledger_line {
	uint64_t n; /* from 1 */
	int64_t at_ms;
	char order[PKG_WORD_MAX + 1];
	char iccid[ICCID_DIGITS_MAX + 1];
	uint16_t index;
	uint8_t kvn;
	char to[PKG_NAME_MAX + 1];
	uint8_t request[PKG_ID_LEN]; /* the package that asked: KR; zeros: first pair, MF */
	uint8_t root[PKG_HASH_LEN];  /* of the plan that the request showed */
	uint8_t before[KS_HASH_LEN]; /* hash of the line before */
};
void ledger_key(char key[BOOK_KEY_MAX], uint64_t n); /* 20 digits */
/* The next line: numbers it, chains it, and advances the head.  Length of the body, or -1. */
int ledger_next(struct ledger_head *h, struct ledger_line *l, uint8_t body[BOOK_BODY_MAX]);
int ledger_unpack(struct ledger_line *l, const uint8_t *body, size_t len);
/* Walks on: whether this body is line h->n + 1 of the chain.  0, or -1 with a sentence; h is what has been walked. */
int ledger_walk(struct ledger_head *h, const uint8_t *body, size_t len, char *err, size_t err_cap);
int ledger_head_pack(const struct ledger_head *h, uint8_t body[BOOK_BODY_MAX]);
int ledger_head_unpack(struct ledger_head *h, const uint8_t *body, size_t len);

#endif
