/* fuzz_compact.c - answers to compact scripts.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * input: additional response data of a PoR
 */
#include "fuzz.h"
#include "ota/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ota_compact_rsp rsp;
	int rc = ota_compact_rsp_parse(&rsp, data, size);

	FUZZ_HOLDS((rc == 0) == (size >= 3));
	if (rc)
		return 0;
	FUZZ_HOLDS(rsp.data_len == size - 3 && ota_sw_name(rsp.sw) && ota_por_status_name(rsp.count));
	fuzz_touch(rsp.data, rsp.data_len);
	return 0;
}
