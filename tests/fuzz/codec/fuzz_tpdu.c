/* fuzz_tpdu.c - SMS-DELIVER and SMS-SUBMIT from anywhere.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * input: a TPDU
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ota/codec.h"

#define TPDU_MAX 256

static void same_addr(const struct ota_addr *a, const struct ota_addr *b)
{
	FUZZ_HOLDS(a->ton == b->ton && a->npi == b->npi && strcmp(a->digits, b->digits) == 0);
	FUZZ_HOLDS(strspn(a->digits, "0123456789") == strlen(a->digits));
}

static void deliver(const uint8_t *tpdu, size_t size)
{
	struct ota_tpdu_deliver d, back;
	uint8_t buf[TPDU_MAX];
	int len;

	if (ota_tpdu_deliver_decode(&d, tpdu, size))
		return;
	len = ota_tpdu_deliver_encode(buf, sizeof(buf), &d);
	FUZZ_HOLDS(len > 0 && (size_t)len == size && ota_tpdu_deliver_decode(&back, buf, (size_t)len) == 0);
	same_addr(&d.oa, &back.oa);
	FUZZ_HOLDS(d.ud_len == back.ud_len && memcmp(d.ud, back.ud, d.ud_len) == 0);
	FUZZ_HOLDS(d.udhi == back.udhi && d.mms == back.mms && d.pid == back.pid && d.dcs == back.dcs);
}

static void submit(const uint8_t *tpdu, size_t size)
{
	struct ota_tpdu_submit s, back;
	uint8_t buf[TPDU_MAX];
	int len;

	if (ota_tpdu_submit_decode(&s, tpdu, size))
		return;
	len = ota_tpdu_submit_encode(buf, sizeof(buf), &s);
	/* A validity period is read over and not kept. */
	FUZZ_HOLDS(len > 0 && (size_t)len <= size && ota_tpdu_submit_decode(&back, buf, (size_t)len) == 0);
	same_addr(&s.da, &back.da);
	FUZZ_HOLDS(s.ud_len == back.ud_len && memcmp(s.ud, back.ud, s.ud_len) == 0);
	FUZZ_HOLDS(s.mr == back.mr && s.udhi == back.udhi && s.pid == back.pid && s.dcs == back.dcs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	deliver(data, size);
	submit(data, size);
	return 0;
}
