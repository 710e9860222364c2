/* ks_mem.c - a key-encryption key handed over in memory: tests and simulation.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <string.h>

#include "ks_int.h"

static int mem_load(const struct ks_open_params *p, const struct ks_kdf *kdf, uint8_t *work, uint8_t kek[KS_KEK_LEN],
		    char *err, size_t err_cap)
{
	if (!p->kek) {
		ks_say(err, err_cap, "keystore: no key-encryption key was handed over");
		return KS_E_KEK_FILE;
	}
	memcpy(kek, p->kek, KS_KEK_LEN);
	return 0;
}

const struct ks_kek_ops ks_kek_memory = { .name = "memory", .kdf = KS_KDF_NONE, .load = mem_load };
