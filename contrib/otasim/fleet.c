/* fleet.c - the cards of one otasim, made from a seed.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

int fleet_room(struct fleet *f, const struct sim_card_profile *p, char *err, size_t err_cap)
{
	bool usims;

	f->applets = !p->pairs ? 0 : p->plain < f->n ? f->n - p->plain : 0;
	usims = f->applets < f->n && (p->usim || p->pairs);
	f->cards = calloc(f->n, sizeof(*f->cards));
	if (f->applets)
		f->subs = calloc(f->applets, sizeof(*f->subs));
	if (usims)
		f->usims = calloc(f->n, sizeof(*f->usims));
	if (f->cards && (f->subs || !f->applets) && (f->usims || !usims))
		return 0;
	snprintf(err, err_cap, "no memory for %u cards of %zu octets and %u applets of %zu", f->n, sizeof(*f->cards),
		 f->applets, sizeof(*f->subs));
	fleet_free(f);
	return -1;
}

static int keys_init(struct fleet *f, uint64_t seed, unsigned pairs, char *err, size_t err_cap)
{
	for (uint32_t i = 0; i < f->applets; i++) {
		if (sim_card_sub_attach(&f->cards[i], &f->subs[i], seed, pairs) == 0)
			continue;
		snprintf(err, err_cap, "card %u: the applet wants AES keys, key version 1 and 1..%u pairs", i,
			 SIM_PAIRS_MAX);
		fleet_free(f);
		return -1;
	}
	for (uint32_t i = f->applets; f->usims && i < f->n; i++)
		sim_card_usim_attach(&f->cards[i], &f->usims[i], seed);
	return 0;
}

int fleet_init(struct fleet *f, uint32_t n, uint64_t seed, const struct sim_card_profile *p,
	       const char *new_imsi_prefix, char *err, size_t err_cap)
{
	*f = (struct fleet){ .n = n };
	if (strlen(new_imsi_prefix) != strlen(p->imsi_prefix) ||
	    strlen(new_imsi_prefix) >= sizeof(f->new_imsi_prefix) ||
	    strspn(new_imsi_prefix, "0123456789") != strlen(new_imsi_prefix)) {
		snprintf(err, err_cap, "new IMSI prefix \"%s\": wanted are as many digits as in \"%s\"",
			 new_imsi_prefix, p->imsi_prefix);
		return -1;
	}
	strcpy(f->new_imsi_prefix, new_imsi_prefix);
	if (fleet_room(f, p, err, err_cap))
		return -1;
	for (uint32_t i = 0; i < n; i++) {
		if (sim_card_init(&f->cards[i], seed, i, p) < 0) {
			snprintf(err, err_cap,
				 "card %u: the profile makes no sense (IMSI prefix of 5 or 6 digits, key version "
				 "1..15, counter below 2^40)",
				 i);
			fleet_free(f);
			return -1;
		}
	}
	return keys_init(f, seed, p->pairs, err, err_cap);
}

void fleet_free(struct fleet *f)
{
	if (f->cards)
		OPENSSL_cleanse(f->cards, f->n * sizeof(*f->cards));
	free(f->cards);
	f->cards = NULL;
	if (f->subs)
		OPENSSL_cleanse(f->subs, f->applets * sizeof(*f->subs));
	free(f->subs);
	f->subs = NULL;
	if (f->usims)
		OPENSSL_cleanse(f->usims, f->n * sizeof(*f->usims));
	free(f->usims);
	f->usims = NULL;
}

void fleet_new_imsi(const struct fleet *f, uint32_t card, char imsi[SIM_IMSI_LEN])
{
	memcpy(imsi, f->cards[card].imsi_first, SIM_IMSI_LEN);
	memcpy(imsi, f->new_imsi_prefix, strlen(f->new_imsi_prefix));
}

/* They stand in ascending order of ICCID. */
int64_t fleet_find(const struct fleet *f, const char *iccid)
{
	uint32_t lo = 0, hi = f->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int cmp = strcmp(f->cards[mid].iccid, iccid);

		if (cmp == 0)
			return mid;
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -1;
}
