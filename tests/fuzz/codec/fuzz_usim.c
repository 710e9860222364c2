/* fuzz_usim.c - file contents as a card may answer them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * input: contents of a file
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ota/codec.h"

#define FILES_MAX 100

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

/* What was understood can be written, and is understood as the same again. */
static void brand(const uint8_t *ef, size_t size)
{
	struct usim_pnn p, p2;
	struct usim_opl o, o2;
	struct usim_ecc e, e2;
	uint8_t again[255];
	const uint8_t *id;
	uint32_t start;
	size_t n;

	if (usim_pnn_decode(&p, ef, size) == 0) {
		fuzz_touch(p.info, p.info_len);
		if (p.full.text[0]) {
			FUZZ_HOLDS(usim_pnn_encode(again, size, &p) == (int)size);
			FUZZ_HOLDS(usim_pnn_decode(&p2, again, size) == 0 && p.info_len == p2.info_len);
			FUZZ_HOLDS(!strcmp(p.full.text, p2.full.text) && !strcmp(p.brief.text, p2.brief.text));
			FUZZ_HOLDS(p.full.ucs2 == p2.full.ucs2 && p.full.add_ci == p2.full.add_ci);
		}
	}
	if (usim_opl_decode(&o, ef, size) == 0) {
		FUZZ_HOLDS(usim_opl_encode(again, size, &o) == (int)size);
		FUZZ_HOLDS(!o.mcc[0] || memcmp(again, ef, USIM_OPL_LEN_MIN) == 0);
		FUZZ_HOLDS(usim_opl_decode(&o2, again, size) == 0 && o.pnn == o2.pnn);
	}
	if (usim_ecc_decode(&e, ef, size) == 0) {
		fuzz_touch(e.alpha, e.alpha_len);
		FUZZ_HOLDS(usim_ecc_encode(again, size, &e) == (int)size);
		FUZZ_HOLDS(usim_ecc_decode(&e2, again, size) == 0 && !strcmp(e.code, e2.code) &&
			   e.category == e2.category);
	}
	if (usim_gid_decode(&id, &n, ef, size) == 0)
		FUZZ_HOLDS(usim_gid_encode(again, size, id, n) == (int)size && (!n || memcmp(again, ef, size) == 0));
	if (usim_threshold_decode(&start, ef, size) == 0)
		FUZZ_HOLDS(usim_threshold_encode(again, start) == (int)size);
}

static void suci(const uint8_t *ef, size_t size)
{
	struct usim_suci s, s2;
	uint8_t again[255];
	int rc;

	if (usim_suci_decode(&s, ef, size))
		return;
	for (size_t i = 0; i < s.keys; i++)
		fuzz_touch(s.key[i].octets, s.key[i].len);
	/* keys that do not fit their scheme are read, and not written */
	rc = usim_suci_encode(again, size, &s);
	FUZZ_HOLDS(rc == (int)size || rc == OTA_E_RANGE || rc == OTA_E_LENGTH);
	if (rc < 0)
		return;
	FUZZ_HOLDS(usim_suci_decode(&s2, again, size) == 0 && s.schemes == s2.schemes && s.keys == s2.keys);
	FUZZ_HOLDS(memcmp(s.scheme, s2.scheme, sizeof(s.scheme)) == 0);
}

/* Those below 6F; a search per input would take most of the time. */
static size_t files_find(const struct usim_file *file[FILES_MAX])
{
	size_t n = 0;

	for (unsigned df = 0; df < _USIM_DFS; df++) {
		for (unsigned fid = 0x6f02; fid < 0x6fff; fid++) {
			const struct usim_file *f = usim_file_find((enum usim_df)df, (uint16_t)fid);

			FUZZ_HOLDS(n < FILES_MAX);
			if (f)
				file[n++] = f;
		}
	}
	return n;
}

/* Every file of ours put into words, into a buffer that may be too small. */
static void words(const uint8_t *ef, size_t size)
{
	static const struct usim_file *file[FILES_MAX];
	static size_t files;
	size_t cap = size ? ef[0] : 0;
	char *text = malloc(cap);

	if (!files)
		files = files_find(file);
	for (size_t i = 0; i < files; i++) {
		/* Of too long ones, one is like the other. */
		if (usim_file_len_check(file[i], size))
			continue;
		usim_describe(text, cap, file[i]->df, file[i]->fid, ef, size);
		FUZZ_HOLDS(cap == 0 || memchr(text, '\0', cap));
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
	brand(data, size);
	suci(data, size);
	words(data, size);
	return 0;
}
