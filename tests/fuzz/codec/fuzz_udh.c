/* fuzz_udh.c - User Data Headers and segments in any order.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * input: any number of { length, TP-UD }
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ota/codec.h"
#include "ota/rd.h"

static void parse(const uint8_t *ud, size_t len)
{
	struct ota_udh udh;

	if (ota_udh_parse(&udh, ud, len))
		return;
	FUZZ_HOLDS(udh.len >= 1 && udh.len <= len);
	FUZZ_HOLDS(!udh.concat || (udh.seq >= 1 && udh.seq <= udh.total));
	FUZZ_HOLDS(udh.pi == 0 || udh.pi == 0x70 || udh.pi == 0x71);
}

/* What was joined can be split and joined again. */
static void again(const struct ota_join *j)
{
	static uint8_t packet[OTA_SEGMENTS_PROTOCOL_MAX * OTA_TP_UD_MAX], back[sizeof(packet)];
	static struct ota_part part[OTA_SEGMENTS_PROTOCOL_MAX];
	int len = ota_join_packet(j, packet, sizeof(packet)), total;
	struct ota_join copy;

	FUZZ_HOLDS(len >= 0);
	total = ota_segments_max((size_t)len, OTA_CONCAT_UDH16, OTA_SEGMENTS_PROTOCOL_MAX);
	if (total < 0)
		return;
	ota_join_init(&copy, part, OTA_SEGMENTS_PROTOCOL_MAX);
	for (int seq = 1; seq <= total; seq++) {
		uint8_t ud[OTA_TP_UD_MAX];
		int n = ota_segment(ud, packet, (size_t)len, 0x71, OTA_CONCAT_UDH16, 0x1234, (uint8_t)seq,
				    (uint8_t)total);

		FUZZ_HOLDS(n > 0 && n <= OTA_TP_UD_MAX);
		FUZZ_HOLDS(ota_join_add(&copy, ud, (size_t)n) == (seq == total));
	}
	FUZZ_HOLDS(ota_join_packet(&copy, back, sizeof(back)) == len && memcmp(packet, back, (size_t)len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ota_part part[OTA_SEGMENTS_PROTOCOL_MAX], part_before[OTA_SEGMENTS_PROTOCOL_MAX];
	struct rd in = rd_init(data, size);
	struct ota_join j, before;

	memset(part, 0, sizeof(part));
	ota_join_init(&j, part, size & 1 ? OTA_SEGMENTS_PROTOCOL_MAX : OTA_SEGMENTS_MAX);
	while (rd_left(&in)) {
		size_t n = rd_u8(&in);
		const uint8_t *p = rd_bytes(&in, n);
		uint8_t *ud;
		int rc;

		if (!p)
			break;
		ud = malloc(n);
		if (n)
			memcpy(ud, p, n);
		parse(ud, n);
		before = j;
		memcpy(part_before, part, j.parts_max * sizeof(part[0]));
		rc = ota_join_add(&j, ud, n);
		free(ud);
		FUZZ_HOLDS(rc >= 0 || (memcmp(&before, &j, sizeof(j)) == 0 &&
				       memcmp(part, part_before, j.parts_max * sizeof(part[0])) == 0));
		if (rc == 1)
			again(&j);
	}
	return 0;
}
