/* usim.h - what a phone does with its card: location, SMS-PP download, and what a tester does to keys.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTABSC_USIM_H
#define OTABSC_USIM_H

#include "card/card_sub.h"
#include "gsm48.h"

/* TS 31.102, 4.2.17 */
enum loci_status { LOCI_UPDATED = 0, LOCI_NOT_UPDATED = 1, LOCI_PLMN_NOT_ALLOWED = 2 };
struct loci {
	bool has_tmsi;
	uint32_t tmsi;
	struct lai lai;
	uint8_t status; /* enum loci_status */
};
/* EF_LOCI as it stands; a file that says nothing gives no TMSI and no LAI. */
struct loci usim_loci(const struct sim_card *c);
/* By the ME: this is how a card learns that a network has let it in. */
void usim_loci_write(struct sim_card *c, const struct loci *l);

/* What goes back to the network when a card has taken a download (TS 31.111, 7.1.1). */
struct usim_answer {
	uint8_t rp_cause; /* 0: RP-ACK */
	uint8_t len;
	uint8_t tpdu[TPDU_MAX]; /* SMS-DELIVER-REPORT, when there is anything to report */
};
void usim_download(struct sim_card *c, const struct sms_deliver *d, struct sim_card_out *out, struct usim_answer *a);

/* K under this index (0: the one in force) is turned into a wrong one, and back when asked again.  False: not held. */
bool usim_wrong_k(struct sim_card *c, unsigned index);
/* The card has seen this SQN with the keys in force; what the network sends below it is answered by AUTS. */
bool usim_sqn(struct sim_card *c, uint64_t sqn);

#endif
