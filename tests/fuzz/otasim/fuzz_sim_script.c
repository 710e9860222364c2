/* fuzz_sim_script.c - any octets as a remote command script: b1 of the first octet 0 for the USIM's files, else the SIM's; its
 * other bits make the way back narrower.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "card/card_int.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sim_card fresh;
	struct script_result res = { .room = RESPONSE_MAX };
	struct sim_card c;
	uint8_t tar[3] = { 0xb0, 0x00, 0x11 }, *exact;
	size_t len;

	if (!size)
		return 0;
	if (!fresh.iccid[0]) {
		struct sim_card_profile p;

		sim_card_profile_default(&p);
		FUZZ_HOLDS(sim_card_init(&fresh, 1, 0, &p) == 0);
	}
	c = fresh;
	tar[2] = data[0] & 1 ? 0x10 : 0x11;
	res.room -= data[0] & 0xfe;
	exact = malloc(size);
	FUZZ_HOLDS(exact);
	memcpy(exact, data + 1, size - 1);
	sim_script_run(&c, tar, exact, size - 1, &res);
	FUZZ_HOLDS(res.len >= 3 && res.len <= RESPONSE_MAX);
	if (size > 1 && (exact[0] == 0xaa || exact[0] == 0xae))
		FUZZ_HOLDS(res.len <= res.room);
	fuzz_touch(res.resp, res.len);
	FUZZ_HOLDS(res.changed || !memcmp(c.fs, fresh.fs, sizeof(c.fs)));
	/* what writes EF_IMSI is seen by the one who only reads the script */
	if (res.imsi_written)
		FUZZ_HOLDS(sim_script_touches_imsi(exact, size - 1));
	/* the ICCID is nobody's to write */
	FUZZ_HOLDS(!memcmp(sim_card_file(&c, 0x2fe2, &len), sim_card_file(&fresh, 0x2fe2, &len), 10));
	FUZZ_HOLDS(c.ks[0].cntr == fresh.ks[0].cntr);
	free(exact);
	return 0;
}
