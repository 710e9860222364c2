/* fuzz_usim.c - file contents as a card may answer them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * input: contents of a file
 */
#include <stdlib.h>
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

/* Contents that were understood are written again as they were, but for octets that mean nothing. */
static void location(const uint8_t *ef, size_t size)
{
	uint8_t again[USIM_KEYS_LEN];
	struct usim_loci l;
	struct usim_psloci p;
	struct usim_epsloci e;
	struct usim_5gsloci g;
	struct usim_keys k;
	struct usim_kc kc;

	if (usim_loci_decode(&l, ef, size) == 0)
		FUZZ_HOLDS(usim_loci_encode(again, &l) == (int)size && memcmp(again, ef, size) == 0);
	if (usim_psloci_decode(&p, ef, size) == 0)
		FUZZ_HOLDS(usim_psloci_encode(again, &p) == (int)size && memcmp(again, ef, size) == 0);
	if (usim_epsloci_decode(&e, ef, size) == 0)
		FUZZ_HOLDS(usim_epsloci_encode(again, &e) == (int)size && memcmp(again, ef, size) == 0);
	if (usim_5gsloci_decode(&g, ef, size) == 0)
		FUZZ_HOLDS(usim_5gsloci_encode(again, &g) == (int)size && memcmp(again, ef, size) == 0);
	if (usim_keys_decode(&k, ef, size) == 0)
		FUZZ_HOLDS(usim_keys_encode(again, &k) == (int)size && memcmp(again, ef, size) == 0);
	if (usim_kc_decode(&kc, ef, size) == 0)
		FUZZ_HOLDS(usim_kc_encode(again, &kc) == (int)size && memcmp(again, ef, size) == 0);
}

static void lists(const uint8_t *ef, size_t size, bool act)
{
	struct usim_plmn list[85], back[85];
	uint8_t again[255];
	int n = usim_plmn_list_decode(list, 85, act, ef, size);

	if (n < 0 || size > sizeof(again))
		return;
	FUZZ_HOLDS(usim_plmn_list_encode(again, size, act, list, (size_t)n) == (int)size);
	FUZZ_HOLDS(usim_plmn_list_decode(back, 85, act, again, size) == n);
	for (int i = 0; i < n; i++)
		FUZZ_HOLDS(strcmp(list[i].mcc, back[i].mcc) == 0 && strcmp(list[i].mnc, back[i].mnc) == 0);
}

static void numbers(const uint8_t *ef, size_t size)
{
	struct usim_smsp s, s2;
	struct usim_msisdn m, m2;
	uint8_t again[255];
	char text[64];

	if (usim_smsp_decode(&s, ef, size) == 0) {
		fuzz_touch(s.alpha, s.alpha_len);
		FUZZ_HOLDS(s.da.ton == 5 || s.sca.ton == 5 || usim_smsp_encode(again, size, &s) == (int)size);
		if (s.da.ton != 5 && s.sca.ton != 5)
			FUZZ_HOLDS(usim_smsp_decode(&s2, again, size) == 0 &&
				   (!s.has_da || !strcmp(s.da.digits, s2.da.digits)));
	}
	if (usim_msisdn_decode(&m, ef, size) == 0 && m.addr.ton != 5) {
		FUZZ_HOLDS(usim_msisdn_encode(again, size, &m) == (int)size);
		FUZZ_HOLDS(usim_msisdn_decode(&m2, again, size) == 0 && strcmp(m.addr.digits, m2.addr.digits) == 0);
	}
	usim_isim_decode(text, sizeof(text), ef, size);
	usim_routing_ind_decode(text, ef, size);
	for (unsigned service = 0; service < 20; service++)
		usim_ust_has(ef, size, service);
}

/* Every file of ours put into words, into a buffer that may be too small. */
static void words(const uint8_t *ef, size_t size)
{
	size_t cap = size ? ef[0] : 0;
	char *text = malloc(cap);

	for (unsigned df = 0; df < _USIM_DFS; df++) {
		for (unsigned fid = 0x6f02; fid < 0x6fff; fid++) {
			const struct usim_file *f = usim_file_find((enum usim_df)df, (uint16_t)fid);

			/* Of files that are not ours, and of too long ones, one is like the other. */
			if (!f || usim_file_len_check(f, size))
				continue;
			usim_describe(text, cap, (enum usim_df)df, (uint16_t)fid, ef, size);
			FUZZ_HOLDS(cap == 0 || memchr(text, '\0', cap));
		}
	}
	for (unsigned fid = 0x4f01; fid < 0x4f0b; fid++)
		usim_describe(text, cap, USIM_DF_5GS, (uint16_t)fid, ef, size);
	usim_describe(text, cap, USIM_MF, USIM_FID_ICCID, ef, size);
	FUZZ_HOLDS(usim_describe(text, cap, USIM_MF, USIM_FID_IMSI, ef, size) < 0);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	imsi(data, size);
	iccid(data, size);
	plmn(data, size);
	location(data, size);
	lists(data, size, false);
	lists(data, size, true);
	numbers(data, size);
	words(data, size);
	return 0;
}
