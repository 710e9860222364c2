/* vec_bodies.c - vectors of checksums, file contents and remote command formats.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "vec.h"

/* ------------------------------------------------------------------------------------------------ primitives */

void vec_crc(struct vec *vec, const json_t *v)
{
	struct octets data = octets_get(v, "data");
	bool crc16 = strcmp(json_text(v, "kind"), "crc16") == 0;

	/* Cut in two at every place: parts are one message. */
	for (size_t cut = 0; cut <= data.len; cut++) {
		struct ota_span parts[] = { { data.p, cut }, { data.p + cut, data.len - cut } };
		uint32_t crc = crc16 ? ota_crc16(parts, 2) : ota_crc32(parts, 2);

		VEC(crc == json_hex(v, "value"));
	}
	octets_free(&data);
}

void vec_mac(struct vec *vec, const json_t *v)
{
	struct octets key = octets_get(v, "key"), data = octets_get(v, "data"), want = octets_get(v, "value");
	const char *kind = json_text(v, "kind");
	struct ota_crypt crypt = test_crypt(&vec_keys);
	uint8_t mac[OTA_MAC_LEN_MAX];
	struct ota_mac_job job = {
		.key = { .set = VEC_SET, .key = KS_KEY_KID },
		.alg = strcmp(kind, "aes-cmac") == 0	  ? OTA_ALG_AES_CBC :
		       strcmp(kind, "3des2-cbc-mac") == 0 ? OTA_ALG_3DES2_CBC :
		       strcmp(kind, "3des3-cbc-mac") == 0 ? OTA_ALG_3DES3_CBC :
							    OTA_ALG_DES_CBC,
		.part = { { data.p, data.len / 2 }, { data.p + data.len / 2, data.len - data.len / 2 } },
		.parts = 2,
		.mac_len = (uint8_t)want.len,
		.mac = mac,
	};

	test_crypt_set(&vec_keys, VEC_SET, KS_KEY_KID, key.p, key.len);
	VEC(crypt.mac(crypt.ctx, &job, 1) == 0 && octets_are(&want, mac, want.len));
	for (unsigned n = 4; job.alg == OTA_ALG_AES_CBC && n <= 8; n += 4) {
		struct octets cc = octets_get(v, n == 4 ? "cc4" : "cc8");

		job.mac_len = (uint8_t)n;
		VEC(crypt.mac(crypt.ctx, &job, 1) == 0 && octets_are(&cc, mac, n));
		octets_free(&cc);
	}
	octets_free(&key);
	octets_free(&data);
	octets_free(&want);
}

/* ----------------------------------------------------------------------------------------------------- files */

static void check_ef_imsi(struct vec *vec, const struct octets *ef, const char *imsi)
{
	char back[16];
	uint8_t out[USIM_IMSI_LEN];

	VEC(usim_imsi_encode(out, imsi) == USIM_IMSI_LEN && octets_are(ef, out, sizeof(out)));
	VEC(usim_imsi_decode(back, ef->p, ef->len) == 0 && strcmp(back, imsi) == 0);
}

static void check_plmn(struct vec *vec, const uint8_t *plmn, const char *mcc, const char *mnc)
{
	uint8_t out[3];
	char mcc_back[4], mnc_back[4];

	VEC(usim_plmn_encode(out, mcc, mnc) == 3 && memcmp(out, plmn, 3) == 0);
	VEC(usim_plmn_decode(mcc_back, mnc_back, plmn) == 0 && !strcmp(mcc, mcc_back) && !strcmp(mnc, mnc_back));
}

void vec_imsi(struct vec *vec, const json_t *v)
{
	const char *imsi = json_text(v, "imsi");
	struct octets ef = octets_get(v, "ef_imsi"), plmn = octets_get(v, "plmn_bcd"), acc = octets_get(v, "acc");
	size_t mnc_len = (size_t)json_integer_value(json_object_get(v, "mnc_len"));
	char mcc[4] = "", mnc[4] = "";
	uint8_t out[2];

	memcpy(mcc, imsi, 3);
	memcpy(mnc, imsi + 3, mnc_len);
	check_ef_imsi(vec, &ef, imsi);
	check_plmn(vec, plmn.p, mcc, mnc);
	VEC(usim_acc_from_imsi(out, imsi) == 2 && octets_are(&acc, out, 2));
	octets_free(&ef);
	octets_free(&plmn);
	octets_free(&acc);
}

void vec_ef(struct vec *vec, const json_t *v)
{
	const char *ef = json_text(v, "ef");
	const json_t *decoded = json_object_get(v, "decoded"), *first = json_array_get(decoded, 0), *lai;
	struct octets raw = octets_get(v, "raw");

	if (strcmp(ef, "EF_IMSI") == 0) {
		check_ef_imsi(vec, &raw, json_text(decoded, "imsi"));
	} else if (strcmp(ef, "EF_PLMNsel") == 0 || strcmp(ef, "EF_xPLMNwAcT") == 0) {
		check_plmn(vec, raw.p, json_text(first, "mcc"), json_text(first, "mnc"));
	} else if (strcmp(ef, "EF_LOCI") == 0 && json_is_object(lai = json_object_get(decoded, "lai"))) {
		char mcc[4] = "", mnc[4] = "";

		memcpy(mcc, json_text(lai, "mcc_mnc"), 3);
		strncpy(mnc, json_text(lai, "mcc_mnc") + 4, 3);
		check_plmn(vec, raw.p + 4, mcc, mnc);
	} else if (strcmp(ef, "EF_LOCI") == 0) {
		char mcc[4], mnc[4];

		/* The meaning is given as octets only: MCC 228, MNC 01, there and back. */
		VEC(usim_plmn_decode(mcc, mnc, raw.p + 4) == 0);
		check_plmn(vec, raw.p + 4, mcc, mnc);
	} else {
		vec->skipped = "an IMSI change writes this file as a profile's own octets, or not at all";
	}
	octets_free(&raw);
}

/* --------------------------------------------------------------------------------------------------- formats */

struct walk {
	struct vec *vec;
	const json_t *apdus;
	size_t at;
};

static int each_apdu(void *ctx, const uint8_t *apdu, size_t len)
{
	struct walk *w = ctx;
	struct vec *vec = w->vec;
	struct octets want = octets_hex(json_string_value(json_array_get(w->apdus, w->at++)));
	char text[80] = "";

	VEC(octets_are(&want, apdu, len));
	ota_apdu_describe(text, sizeof(text), apdu, len);
	VEC(strncmp(text, "SELECT ", 7) == 0 || strncmp(text, "UPDATE ", 7) == 0 || strncmp(text, "READ ", 5) == 0);
	octets_free(&want);
	return 0;
}

void vec_compact_cmd(struct vec *vec, const json_t *v)
{
	struct octets want = octets_get(v, "secured_data");
	uint8_t *buf = malloc(want.len);
	struct walk walk = { .vec = vec, .apdus = json_object_get(v, "apdus") };
	struct ota_script s;
	const json_t *apdu;
	size_t i;

	ota_script_init(&s, buf, want.len);
	json_array_foreach(walk.apdus, i, apdu) {
		struct octets one = octets_hex(json_string_value(apdu));

		ota_script_apdu(&s, one.p, one.len);
		octets_free(&one);
	}
	VEC(ota_script_len(&s) == (int)want.len && octets_are(&want, buf, s.len) && s.count == i);
	VEC(ota_script_each(want.p, want.len, each_apdu, &walk) == 0 && walk.at == i);
	free(buf);
	octets_free(&want);
}

void vec_compact_resp(struct vec *vec, const json_t *v)
{
	struct octets body = octets_get(v, "secured_data");
	const json_t *decoded = json_object_get(v, "decoded");
	struct octets last = octets_get(decoded, "last_data");
	struct ota_compact_rsp rsp;

	VEC(ota_compact_rsp_parse(&rsp, body.p, body.len) == 0);
	VEC(rsp.count == json_integer_value(json_object_get(decoded, "executed")));
	VEC(rsp.sw == json_hex(decoded, "last_sw") && octets_are(&last, rsp.data, rsp.data_len));
	octets_free(&body);
	octets_free(&last);
}

void vec_expanded(struct vec *vec, const json_t *v)
{
	vec->skipped = "the codec does not speak the expanded format (TS 102 226, 5.2) yet";
}
