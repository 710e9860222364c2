/* fuzz_usim.c - file contents as a card may answer them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * input: contents of a file
 */
#include <string.h>

#include "fuzz.h"
#include "ota/codec.h"

static void imsi(const uint8_t *ef, size_t size)
{
	char digits[16], back[16];
	uint8_t again[USIM_IMSI_LEN], acc[2];

	if (usim_imsi_decode(digits, ef, size)) {
		FUZZ_HOLDS(digits[0] == '\0');
		return;
	}
	FUZZ_HOLDS(strlen(digits) >= 6 && strspn(digits, "0123456789") == strlen(digits));
	FUZZ_HOLDS(usim_imsi_encode(again, digits) == USIM_IMSI_LEN && memcmp(again, ef, 1u + ef[0]) == 0);
	FUZZ_HOLDS(usim_imsi_decode(back, again, sizeof(again)) == 0 && strcmp(back, digits) == 0);
	FUZZ_HOLDS(usim_acc_from_imsi(acc, digits) == 2);
}

static void iccid(const uint8_t *ef, size_t size)
{
	char digits[21];
	uint8_t again[USIM_ICCID_LEN];

	if (usim_iccid_decode(digits, ef, size)) {
		FUZZ_HOLDS(digits[0] == '\0');
		return;
	}
	FUZZ_HOLDS(usim_iccid_encode(again, digits) == USIM_ICCID_LEN);
	FUZZ_HOLDS(memcmp(again, ef, strlen(digits) / 2) == 0);
	ota_luhn_ok(digits);
}

static void plmn(const uint8_t *ef, size_t size)
{
	char mcc[4], mnc[4];
	uint8_t again[3];

	if (size < 3 || usim_plmn_decode(mcc, mnc, ef))
		return;
	FUZZ_HOLDS(usim_plmn_encode(again, mcc, mnc) == 3 && memcmp(again, ef, 3) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	imsi(data, size);
	iccid(data, size);
	plmn(data, size);
	return 0;
}
