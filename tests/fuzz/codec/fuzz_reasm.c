/* fuzz_reasm.c - segments of several senders, in any order, at any time.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * input: any number of { sender, time to go on by, length, TP-UD }
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ota/codec.h"
#include "ota/rd.h"

#define SLOTS	   6
#define TIMEOUT_MS 100

static void invariants(const struct ota_reasm *r, int64_t now_ms)
{
	unsigned of[4] = { 0 };

	for (size_t i = 0; i < r->slots; i++) {
		const struct ota_reasm_slot *s = &r->slot[i];

		if (!s->used)
			continue;
		FUZZ_HOLDS(s->due_ms > now_ms && s->due_ms <= now_ms + TIMEOUT_MS);
		FUZZ_HOLDS(s->join.total >= 2 && s->join.total <= r->segments_max && s->join.have);
		FUZZ_HOLDS(ota_reasm_next_due(r) <= s->due_ms);
		FUZZ_HOLDS(++of[s->from.digits[0] - '0'] <= OTA_REASM_PER_SENDER);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ota_reasm_slot slots[SLOTS];
	struct rd in = rd_init(data, size);
	struct ota_reasm r;
	int64_t now_ms = 0;

	ota_reasm_init(&r, slots, size & 1 ? SLOTS : 1, TIMEOUT_MS, (uint8_t)(size & 2 ? OTA_SEGMENTS_MAX : 3));
	while (rd_left(&in)) {
		struct ota_addr from = { .ton = 1, .npi = 1, .digits = { (char)('0' + (rd_u8(&in) & 3)) } };
		uint8_t buf[OTA_PACKET_MAX], pi = 0xee, *ud;
		const uint8_t *p;
		size_t n;
		int rc;

		now_ms += rd_u8(&in);
		n = rd_u8(&in);
		p = rd_bytes(&in, n);
		if (!p)
			break;
		ud = malloc(n);
		if (n)
			memcpy(ud, p, n);
		rc = ota_reasm_add(&r, &from, ud, n, now_ms, buf, n & 1 ? sizeof(buf) : 300, &pi);
		free(ud);
		FUZZ_HOLDS(rc <= (int)sizeof(buf));
		FUZZ_HOLDS(rc <= 0 || pi == 0 || pi == 0x70 || pi == 0x71);
		if (rc > 0)
			fuzz_touch(buf, (size_t)rc);
		invariants(&r, now_ms);
	}
	ota_reasm_expire(&r, now_ms + TIMEOUT_MS);
	FUZZ_HOLDS(ota_reasm_next_due(&r) == INT64_MAX);
	return 0;
}
