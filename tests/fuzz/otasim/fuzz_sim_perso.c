/* fuzz_sim_perso.c - any octets as a list of personalisation: cards that can be used, or a sentence with a line and no key.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <string.h>

#include "fleet.h"
#include "fuzz.h"

static void read_as(unsigned pairs, const char *text, size_t size)
{
	struct sim_card_profile p;
	struct sim_auth answer;
	struct fleet f;
	char err[400];

	sim_card_profile_default(&p);
	p.alg = SIM_ALG_AES128;
	p.pairs = (uint8_t)pairs;
	err[0] = '\0';
	if (fleet_init_perso(&f, "f", text, size, 1, &p, "00103", err, sizeof(err)) < 0) {
		FUZZ_HOLDS((!strncmp(err, "f:", 2) || strstr(err, "no memory")) && strlen(err) > 5);
		FUZZ_HOLDS(!f.cards && !f.subs && !f.usims);
		return;
	}
	FUZZ_HOLDS(f.n > 0);
	for (uint32_t i = 0; i < f.n; i++) {
		const struct sim_card *c = &f.cards[i];

		FUZZ_HOLDS(strlen(c->iccid) >= 18 && strlen(c->imsi_first) >= 6 && c->ks[0].kvn >= 1);
		FUZZ_HOLDS(fleet_find(&f, c->iccid) == (int64_t)i);
		FUZZ_HOLDS(!c->sub || sim_sub_pair(c->sub, sim_sub_rec(c->sub)->index));
		(void)sim_card_authenticate(&f.cards[i], (const uint8_t *)"0123456789abcdef",
					    (const uint8_t *)"0123456789abcdef", &answer);
	}
	fleet_free(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_as(2, (const char *)data, size);
	read_as(0, (const char *)data, size);
	return 0;
}
