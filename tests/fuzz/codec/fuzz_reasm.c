/* fuzz_reasm.c - segments of several senders, in any order, at any time, up to as many as the protocol has.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * input: what the slots are { flags }, then any number of
 *	{ sender, time to go on by, length, TP-UD }
 *	{ sender | 80, time to go on by, reference, total, first, how many, step, octets }	many segments at once:
 *		without this the fuzzer would have to find 255 headers that agree with each other
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ota/codec.h"
#include "ota/rd.h"

#define SLOTS	   6
#define TIMEOUT_MS 100
#define MANY	   0x80
#define SPACE	   (OTA_SEGMENTS_PROTOCOL_MAX * OTA_TP_UD_MAX)
#define TAKEN_MAX  1024 /* segments of one input, or it would take its time */

struct run {
	struct ota_reasm r;
	int64_t now_ms;
	size_t cap; /* of the packet */
	/* Octets handed over and those given back: a packet is not made of more than came in. */
	uint64_t in, out;
	unsigned taken;
};

static void invariants(const struct run *run)
{
	const struct ota_reasm *r = &run->r;
	unsigned of[4] = { 0 };

	for (size_t i = 0; i < r->slots; i++) {
		const struct ota_reasm_slot *s = &r->slot[i];
		unsigned there = 0;

		if (!s->used)
			continue;
		FUZZ_HOLDS(s->due_ms > run->now_ms && s->due_ms <= run->now_ms + TIMEOUT_MS);
		FUZZ_HOLDS(s->join.total >= 2 && s->join.total <= r->segments_max);
		for (unsigned k = 0; k < s->join.total; k++)
			there += s->join.part[k].there;
		FUZZ_HOLDS(there == s->join.have && there >= 1 && there < s->join.total);
		FUZZ_HOLDS(ota_reasm_next_due(r) <= s->due_ms);
		FUZZ_HOLDS(++of[s->from.digits[0] - '0'] <= OTA_REASM_PER_SENDER);
	}
}

static void take(struct run *run, uint8_t sender, const uint8_t *p, size_t n)
{
	struct ota_addr from = { .ton = 1, .npi = 1, .digits = { (char)('0' + (sender & 3)) } };
	static uint8_t buf[SPACE];
	uint8_t pi = 0xee, *ud = malloc(n);
	int rc;

	if (n)
		memcpy(ud, p, n);
	rc = ota_reasm_add(&run->r, &from, ud, n, run->now_ms, buf, run->cap, &pi);
	free(ud);
	run->in += n;
	run->taken++;
	FUZZ_HOLDS(rc <= (int)run->cap);
	FUZZ_HOLDS(rc <= 0 || pi == 0 || pi == 0x70 || pi == 0x71);
	if (rc > 0) {
		run->out += (unsigned)rc;
		FUZZ_HOLDS(run->out <= run->in);
		fuzz_touch(buf, (size_t)rc);
	}
}

static void take_many(struct run *run, uint8_t sender, struct rd *in)
{
	uint8_t ref = rd_u8(in), total = rd_u8(in), first = rd_u8(in), count = rd_u8(in), step = rd_u8(in);
	uint8_t octets = rd_u8(in), ud[OTA_TP_UD_MAX] = { 5, OTA_CONCAT_UDH8, 3, ref, total };

	for (unsigned i = 0; i < count && total && !in->bad && run->taken < TAKEN_MAX; i++) {
		ud[5] = (uint8_t)(1 + (first + i * step) % total);
		memset(ud + 6, ud[5], sizeof(ud) - 6);
		take(run, sender, ud, 6 + (octets + i * (octets & 7u)) % (OTA_TP_UD_MAX - 6 + 1));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t limits[4] = { 3, OTA_SEGMENTS_MAX, OTA_SEGMENTS_PROTOCOL_MAX - 1,
					   OTA_SEGMENTS_PROTOCOL_MAX };
	static struct ota_reasm_slot slots[SLOTS];
	struct ota_part *parts;
	struct rd in = rd_init(data, size);
	uint8_t flags = rd_u8(&in), max = limits[flags >> 1 & 3];
	struct run run = { .cap = flags & 8 ? 300 : SPACE };
	size_t n = flags & 1 ? SLOTS : 1;

	/* as many parts as are asked for, not one more */
	parts = malloc(n * max * sizeof(*parts));
	ota_reasm_init(&run.r, slots, n, parts, max, TIMEOUT_MS);
	while (rd_left(&in) && run.taken < TAKEN_MAX) {
		uint8_t sender = rd_u8(&in);

		run.now_ms += rd_u8(&in);
		if (sender & MANY) {
			take_many(&run, sender, &in);
		} else {
			size_t len = rd_u8(&in);
			const uint8_t *p = rd_bytes(&in, len);

			if (!p)
				break;
			take(&run, sender, p, len);
		}
		ota_reasm_expire(&run.r, run.now_ms);
		invariants(&run);
	}
	ota_reasm_expire(&run.r, run.now_ms + TIMEOUT_MS);
	FUZZ_HOLDS(ota_reasm_next_due(&run.r) == INT64_MAX);
	free(parts);
	return 0;
}
