/* who.c - whom an address reaches, and under which address a card is seen.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Without operators there is one network that knows every card.  With them an operator's SMSC knows what its own register says,
 * and reaches who is registered with it (TS 23.040, 3.2: the SMS gateway asks the HLR).
 */
#include <stdlib.h>
#include <string.h>

#include "air_int.h"

#define TON_INTERNATIONAL 1
#define NPI_ISDN	  1
#define NPI_IMSI	  6 /* land mobile, E.212 */

/* The IMSI that an operator's register has for this address. */
static bool imsi_at(const struct sim_air *a, unsigned op, const struct sim_addr *addr,
		    char imsi[SIM_HLR_DIGITS_MAX + 1])
{
	const struct sim_hlr *hlr = a->cfg.op[op].hlr;

	if (addr->npi != NPI_IMSI)
		return sim_hlr_imsi_of(hlr, addr->digits, imsi);
	if (strlen(addr->digits) > SIM_HLR_DIGITS_MAX || !sim_hlr_knows(hlr, addr->digits))
		return false;
	strcpy(imsi, addr->digits);
	return true;
}

/* The subscriber, wherever he is; an IMSI also when the phone does not present it any more. */
int64_t sim_air_subscriber(const struct sim_air *a, unsigned op, const struct sim_addr *addr)
{
	char imsi[SIM_HLR_DIGITS_MAX + 1];

	if (!a->cfg.ops)
		return book_find(addr->npi == NPI_IMSI ? &a->imsis : &a->msisdns, addr->digits);
	return op < a->cfg.ops && imsi_at(a, op, addr, imsi) ? book_find(&a->imsis, imsi) : -1;
}

/* What the network calls the card now. */
static const char *msisdn_of(const struct sim_air *a, uint32_t card)
{
	const struct sim_card *c = &a->cards[card];
	const char *new = a->card[card].new_msisdn;

	return *new &&strcmp(c->imsi_presented, c->imsi_first) ? new : c->msisdn;
}

bool sim_air_renumber(struct sim_air *a, uint32_t card, const char *msisdn)
{
	char *new = a->card[card].new_msisdn;

	if (strlen(msisdn) >= sizeof(a->card[card].new_msisdn) || !book_add(&a->msisdns, msisdn, card))
		return false;
	strcpy(new, msisdn);
	return true;
}

/* Does this address, at this operator, reach the card as it stands in the network now? */
bool air_answers_to(const struct sim_air *a, uint32_t card, unsigned op, const struct sim_addr *addr)
{
	char imsi[SIM_HLR_DIGITS_MAX + 1];

	if (!a->cfg.ops)
		return !strcmp(addr->digits,
			       addr->npi == NPI_IMSI ? a->cards[card].imsi_presented : msisdn_of(a, card));
	return op < a->cfg.ops && a->card[card].phone.op == op && !sim_hlr_is_down(a->cfg.op[op].hlr) &&
	       imsi_at(a, op, addr, imsi) && !strcmp(imsi, a->cards[card].imsi_presented);
}

int64_t sim_air_find(const struct sim_air *a, const struct sim_addr *addr)
{
	int64_t card = sim_air_subscriber(a, 0, addr);

	return card >= 0 && air_answers_to(a, (uint32_t)card, 0, addr) ? card : -1;
}

struct sim_addr air_card_addr(const struct sim_air *a, uint32_t card, unsigned op)
{
	const struct sim_card *c = &a->cards[card];
	struct sim_addr addr = { .ton = TON_INTERNATIONAL, .npi = NPI_ISDN };
	char msisdn[SIM_HLR_DIGITS_MAX + 1] = "";

	if (a->cfg.ops)
		sim_hlr_msisdn_of(a->cfg.op[op].hlr, c->imsi_presented, msisdn);
	else
		memcpy(msisdn, msisdn_of(a, card), strlen(msisdn_of(a, card)) + 1);
	if (a->cfg.from_imsi || !msisdn[0]) {
		addr.npi = NPI_IMSI;
		memcpy(addr.digits, c->imsi_presented, sizeof(c->imsi_presented));
	} else {
		memcpy(addr.digits, msisdn, strlen(msisdn));
	}
	return addr;
}

/* A message has not reached it: its register remembers (TS 23.040, 3.2.7), or, where there is none, the card's place here. */
void air_want(struct sim_air *a, unsigned op, const struct sim_addr *addr, int64_t card)
{
	char imsi[SIM_HLR_DIGITS_MAX + 1];

	if (!a->cfg.ops) {
		if (card >= 0)
			a->card[card].wanted = true;
	} else if (op < a->cfg.ops && imsi_at(a, op, addr, imsi)) {
		sim_hlr_waiting(a->cfg.op[op].hlr, imsi, true);
	}
}

/* Has a message waited for it where it is registered now?  Not any more. */
bool air_wanted(struct sim_air *a, uint32_t card)
{
	struct card_air *ca = &a->card[card];
	bool was = ca->wanted;

	if (a->cfg.ops)
		return sim_hlr_waiting(a->cfg.op[ca->phone.op].hlr, a->cards[card].imsi_presented, false);
	ca->wanted = false;
	return was;
}
