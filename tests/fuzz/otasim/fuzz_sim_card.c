/* fuzz_sim_card.c - short messages as they come: length octet, TP-UD, length octet, TP-UD, ...
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Nothing in here is signed with the card's keys, so nothing may be executed, stored or counted as taken.
 */
#include <stdlib.h>
#include <string.h>

#include "card/card.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sim_card fresh;
	struct sim_card c;

	if (!fresh.iccid[0]) {
		struct sim_card_profile p;

		sim_card_profile_default(&p);
		FUZZ_HOLDS(sim_card_init(&fresh, 1, 0, &p) == 0);
	}
	c = fresh;
	while (size) {
		struct sim_card_out out;
		size_t n = data[0] < size - 1 ? data[0] : size - 1;
		uint8_t *exact = malloc(n ? n : 1);

		FUZZ_HOLDS(exact);
		memcpy(exact, data + 1, n);
		sim_card_sms_pp(&c, NULL, exact, n, &out);
		free(exact);
		data += 1 + n;
		size -= 1 + n;
		FUZZ_HOLDS(!out.accepted && !out.refresh);
		FUZZ_HOLDS(out.report_len <= SIM_UD_MAX && out.submits <= SIM_POR_SMS_MAX);
		fuzz_touch(out.report, out.report_len);
		for (int i = 0; i < out.submits; i++) {
			FUZZ_HOLDS(out.submit[i].len <= SIM_UD_MAX);
			fuzz_touch(out.submit[i].ud, out.submit[i].len);
		}
	}
	FUZZ_HOLDS(!memcmp(c.fs, fresh.fs, sizeof(c.fs)));
	FUZZ_HOLDS(c.ks[0].cntr == fresh.ks[0].cntr && c.seen_count == 0);
	return 0;
}
