/* fleet.h - the cards of one otasim, and the two files an operator would have of them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTASIM_FLEET_H
#define OTASIM_FLEET_H

#include "card/card_sub.h"

struct fleet {
	struct sim_card *cards;
	uint32_t n, applets;	/* the first so many cards have the applet */
	struct sim_sub *subs;	/* one for each of these */
	struct sim_usim *usims; /* NULL, or one for each card: the others' keys, where the profile asks for some */
	char new_imsi_prefix[8];
};

/* 0, or -1 with a sentence in err. */
int fleet_init(struct fleet *f, uint32_t n, uint64_t seed, const struct sim_card_profile *p,
	       const char *new_imsi_prefix, char *err, size_t err_cap);
/* The same from a personalisation: a text of lines, `name` for messages.  Its first line names the columns, in any order; without
 * such a line they are
 *	ICCID,INDEX,KVN,K,OPC,KIC,KID,KIK,IMSI,MSISDN
 * A line is a pair (with INDEX; KVN on the active one, which is the lowest when none has it), a keyset of KVN 14 or 15 (without
 * INDEX), or only says the card's numbers; columns at its end may be missing.  One line of each card has its IMSI, unless it is the
 * card that the seed would have made in this place.  Cards without the applet have one pair.  Keys are as long as the profile's
 * algorithm.  0, or -1 with "NAME:LINE: column X: what is wrong" in err. */
int fleet_init_perso(struct fleet *f, const char *name, const char *text, size_t len, uint64_t seed,
		     const struct sim_card_profile *p, const char *new_imsi_prefix, char *err, size_t err_cap);
void fleet_free(struct fleet *f); /* wipes the keys */
/* Room for f->n cards of this profile; 0, or -1 with a sentence in err. */
int fleet_room(struct fleet *f, const struct sim_card_profile *p, char *err, size_t err_cap);

/* The IMSI this card is to get. */
void fleet_new_imsi(const struct fleet *f, uint32_t card, char imsi[SIM_IMSI_LEN]);
int64_t fleet_find(const struct fleet *f, const char *iccid); /* -1: none */

/* DIR/cards.csv (ICCID,IMSI,MSISDN,ACC,KIC1,KID1,KIK1) and DIR/new-imsi.csv (ICCID,IMSI), mode 0600; DIR is made.  With
 * the applet, or with K and OPc, also DIR/pairs.csv (ICCID,INDEX,KVN,K,OPC,KIC,KID,KIK; the keysets of KVN 14 and 15 have no index). */
int fleet_write(const struct fleet *f, const char *dir, char *err, size_t err_cap);

/* A personalisation list into the heap; NULL with a sentence in err. */
char *perso_read(const char *path, size_t *len, char *err, size_t err_cap);

/* Writes a small file so that nobody ever sees half of it, for others to read as far as umask lets them.  0, or -1 with a
 * sentence in err. */
int write_atomically(const char *path, const char *text, char *err, size_t err_cap);

#endif
