/* card_usim.c - the keys of a card without the applet, AUTHENTICATE with them, and personalisation.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <string.h>

#include <openssl/crypto.h>

#include "card_sub_int.h"

#define ICCID_DIGITS_MIN 18
#define IMSI_DIGITS_MIN	 6

static uint64_t mix(uint64_t *x)
{
	uint64_t z = *x += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

void sim_card_usim_attach(struct sim_card *c, struct sim_usim *u, uint64_t seed)
{
	uint64_t x = ~seed ^ (uint64_t)(c->index + 1) * 0xd1342543de82ef95u;

	memset(u, 0, sizeof(*u));
	for (unsigned i = 0; i < sizeof(u->k); i++) {
		u->k[i] = (uint8_t)(mix(&x) >> 32);
		u->opc[i] = (uint8_t)(mix(&x) >> 32);
	}
	c->usim = u;
}

enum sim_auth_result sim_usim_authenticate(struct sim_card *c, const uint8_t rand[16], const uint8_t autn[16],
					   struct sim_auth *out)
{
	struct sim_aka_keys k = { .alg = SIM_AKA_MILENAGE };
	enum sim_auth_result res;
	unsigned ind = 0;
	uint64_t seq = 0;

	if (!c->usim)
		return SIM_AUTH_NONE;
	memcpy(k.k, c->usim->k, sizeof(k.k));
	memcpy(k.opc, c->usim->opc, sizeof(k.opc));
	res = sim_aka_check(&k, c->usim->seq, rand, autn, out, &ind, &seq);
	OPENSSL_cleanse(&k, sizeof(k));
	if (res == SIM_AUTH_OK)
		c->usim->seq[ind] = seq;
	return res;
}

uint64_t sim_card_sqn(const struct sim_card *c)
{
	const struct sim_pair *p = c->sub ? sim_sub_pair(c->sub, sim_sub_rec(c->sub)->index) : NULL;
	const uint64_t *seq = p ? p->seq : c->usim ? c->usim->seq : NULL;
	uint64_t high = 0;

	for (unsigned i = 0; seq && i < SIM_SQN_INDS; i++) {
		if (seq[i] && (seq[i] << 5 | i) > high)
			high = seq[i] << 5 | i;
	}
	return high;
}

/* ---- personalisation ---- */

static bool digits(const char *s, size_t min, size_t max)
{
	size_t n = strspn(s, "0123456789");

	return !s[n] && n >= min && n <= max;
}

int sim_card_personalise(struct sim_card *c, const struct sim_card_perso *p)
{
	struct sim_keyset *ks = &c->ks[0];
	size_t len = sim_alg_key_len(ks->kic_alg);

	if (!digits(p->iccid, ICCID_DIGITS_MIN, SIM_ICCID_LEN - 1) ||
	    !digits(p->imsi, IMSI_DIGITS_MIN, SIM_IMSI_LEN - 1) || !digits(p->msisdn, 0, SIM_IMSI_LEN - 1))
		return -1;
	strcpy(c->iccid, p->iccid);
	strcpy(c->imsi_first, p->imsi);
	strcpy(c->imsi_presented, p->imsi);
	strcpy(c->msisdn, p->msisdn);
	ks->kvn = p->kvn;
	memcpy(ks->kic, p->kic, len);
	memcpy(ks->kid, p->kid, len);
	memcpy(ks->kik, p->kik, len);
	sim_fs_init(c);
	return 0;
}
