/* fuzz_ram.c - answers of a security domain, and PUT KEY as a card takes it apart.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * input: which subset and form, octets
 */
#include "fuzz.h"
#include "ota/ram.h"

static int each_entry(void *ctx, const struct ram_entry *e)
{
	FUZZ_HOLDS(e->aid.len >= 1 && e->aid.len <= RAM_AID_MAX && e->package.len <= RAM_AID_MAX);
	FUZZ_HOLDS(e->privileges_len == 0 || e->privileges_len == 1 || e->privileges_len == 3);
	FUZZ_HOLDS(ram_state_name(RAM_APPLICATIONS, e->state) && ram_state_name(RAM_ISD, e->state));
	++*(unsigned *)ctx;
	return 0;
}

static int each_key(void *ctx, const struct ram_key_info *k)
{
	++*(unsigned *)ctx;
	return 0;
}

static void put_key(const uint8_t *data, size_t size)
{
	struct ram_put_key_seen seen;

	if (ram_put_key_decode(&seen, data, size)) {
		FUZZ_HOLDS(seen.n == 0);
		return;
	}
	FUZZ_HOLDS(seen.n >= 1 && seen.n <= RAM_PUT_KEY_MAX);
	for (size_t i = 0; i < seen.n; i++) {
		fuzz_touch(seen.key[i].wrapped, seen.key[i].wrapped_len);
		fuzz_touch(seen.key[i].kcv, seen.key[i].kcv_len);
		FUZZ_HOLDS(seen.key[i].clear_len <= seen.key[i].wrapped_len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t kcv[3][3];
	unsigned n = 0;
	size_t len;

	if (size == 0)
		return 0;
	put_key(data + 1, size - 1);
	if (ram_confirm_parse(data + 1, size - 1, &len) == 0)
		FUZZ_HOLDS(len < size);
	ram_status_each(data + 1, size - 1, data[0] & 1, data[0] & 2 ? RAM_PACKAGES_AND_MODULES : RAM_APPLICATIONS,
			each_entry, &n);
	ram_key_info_each(data + 1, size - 1, each_key, &n);
	FUZZ_HOLDS(n <= size);
	ram_put_key_rsp_check(data + 1, size - 1, data[0], kcv, data[0] & 3);
	return 0;
}
