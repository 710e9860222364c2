/* fuzz_sim_hlr.c - lines as requests to a register: each gets a reply, and what stands in it stays what can be asked for.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <string.h>

#include "fuzz.h"
#include "hlr/sim_ctrl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sim_hlr *h = sim_hlr_new();
	struct sim_ctrl *c = h ? sim_ctrl_new(h, 1) : NULL;
	char line[SIM_CTRL_REQUEST_MAX + 10], reply[SIM_HLR_REPLY_MAX];
	uint64_t tag, asked = 0;
	int64_t now_ms = 0;
	bool lost;

	if (!c)
		return 0;
	sim_ctrl_late(c, 0, 3);
	while (size) {
		const uint8_t *nl = memchr(data, '\n', size);
		size_t n = nl ? (size_t)(nl - data) : size, take = n < sizeof(line) - 1 ? n : sizeof(line) - 1;

		memcpy(line, data, take);
		line[take] = '\0';
		data += n + (nl != NULL);
		size -= n + (nl != NULL);
		sim_hlr_down(h, line[0] == '!');
		asked += sim_ctrl_ask(c, asked, line, now_ms++);
		while (sim_ctrl_reply(c, now_ms, &tag, reply, &lost)) {
			FUZZ_HOLDS(lost || (reply[0] && memchr(reply, 0, sizeof(reply))));
			FUZZ_HOLDS(tag < asked);
		}
	}
	sim_hlr_down(h, false);
	while (sim_ctrl_reply(c, INT64_MAX, &tag, reply, &lost))
		FUZZ_HOLDS(reply[0] && !lost);
	FUZZ_HOLDS(sim_ctrl_next_due(c) == INT64_MAX);
	sim_ctrl_free(c);
	sim_hlr_free(h);
	return 0;
}
