/* fuzz_sim_smsc.c - any octets on an SMPP session: at once, and the first half octet by octet.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "smpp_pdu.h"
#include "smsc/smsc.h"
#include "fuzz.h"

#define CARDS 2

/* What the SMSC says must be PDUs. */
static void hear(struct smsc *s, int session)
{
	size_t len, at = 0;
	const uint8_t *p = smsc_output(s, session, &len);
	struct smpp_pdu pdu;

	while (at < len) {
		int n = smpp_frame(p + at, len - at, SMSC_PDU_MAX);

		FUZZ_HOLDS(n > 0);
		FUZZ_HOLDS(smpp_pdu_unpack(&pdu, p + at, (size_t)n, NULL) == 0);
		at += (size_t)n;
	}
	smsc_written(s, session, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sim_card card[CARDS];
	struct sim_card_profile p;
	struct sim_air_cfg air_cfg;
	struct smsc_cfg cfg;
	struct sim_air *air;
	struct smsc *s;
	size_t half = size / 2 < 64 ? size / 2 : 64;
	bool open = true;
	int session;

	sim_card_profile_default(&p);
	for (uint32_t i = 0; i < CARDS; i++)
		FUZZ_HOLDS(sim_card_init(&card[i], 1, i, &p) == 0);
	sim_air_cfg_default(&air_cfg);
	smsc_cfg_default(&cfg);
	air = sim_air_new(&air_cfg, card, CARDS, 0);
	s = air ? smsc_new(&cfg, air) : NULL;
	FUZZ_HOLDS(s);
	session = smsc_open(s, 0, 0);
	for (size_t i = 0; i < half && open; i++)
		open = smsc_input(s, session, data + i, 1, 1);
	if (open)
		smsc_input(s, session, data + half, size - half, 2);
	for (int64_t t = 10; t < 2000; t += 100) {
		smsc_step(s, t);
		hear(s, session);
	}
	smsc_close(s, session, 2000);
	smsc_free(s);
	sim_air_free(air);
	return 0;
}
