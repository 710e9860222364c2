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

void check_ef_imsi(struct vec *vec, const struct octets *ef, const char *imsi)
{
	char back[16];
	uint8_t out[USIM_IMSI_LEN];

	VEC(usim_imsi_encode(out, imsi) == USIM_IMSI_LEN && octets_are(ef, out, sizeof(out)));
	VEC(usim_imsi_decode(back, ef->p, ef->len) == 0 && strcmp(back, imsi) == 0);
}

void check_plmn(struct vec *vec, const uint8_t *plmn, const char *mcc, const char *mnc)
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
	VEC(strncmp(text, "SELECT ", 7) == 0 || strncmp(text, "UPDATE ", 7) == 0 || strncmp(text, "READ ", 5) == 0 ||
	    strncmp(text, "GET STATUS", 10) == 0);
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
	json_array_foreach(walk.apdus, i, apdu)
	{
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

/* ------------------------------------------------------------------------------------------------- expanded */

void vec_expanded_cmd(struct vec *vec, const json_t *v)
{
	struct octets want = octets_get(v, "secured_data");
	enum ota_format format =
		strcmp(json_text(v, "coding"), "indefinite") ? OTA_FORMAT_DEFINITE : OTA_FORMAT_INDEFINITE;
	uint8_t *buf = malloc(want.len);
	struct walk walk = { .vec = vec, .apdus = json_object_get(v, "apdus") };
	struct ota_script s;
	const json_t *apdu;
	size_t i;

	VEC(ota_cmd_format(want.p, want.len) == format);
	ota_script_init_format(&s, buf, want.len, format);
	json_array_foreach(walk.apdus, i, apdu)
	{
		struct octets one = octets_hex(json_string_value(apdu));

		ota_script_apdu(&s, one.p, one.len);
		octets_free(&one);
	}
	VEC(ota_script_len(&s) == (int)want.len && octets_are(&want, buf, s.len) && s.count == i);
	VEC(ota_cmd_each(want.p, want.len, each_apdu, &walk) == 0 && walk.at == i);
	/* One octet less is refused. */
	free(buf);
	buf = malloc(want.len - 1);
	ota_script_init_format(&s, buf, want.len - 1, format);
	json_array_foreach(walk.apdus, i, apdu)
	{
		struct octets one = octets_hex(json_string_value(apdu));

		ota_script_apdu(&s, one.p, one.len);
		octets_free(&one);
	}
	VEC(ota_script_len(&s) == OTA_E_SPACE);
	free(buf);
	octets_free(&want);
}

/* The answer built again from its meaning. */
static void check_rsp_build(struct vec *vec, const struct octets *want, const struct ota_script_rsp *rsp)
{
	uint8_t *buf = malloc(want->len);
	struct ota_rapdu_iter it = { 0 };
	struct ota_script s;
	struct ota_rapdu r;

	ota_script_rsp_init(&s, buf, want->len, rsp->format == OTA_FORMAT_INDEFINITE);
	while (ota_rapdu_next(rsp, &it, &r))
		ota_script_rsp_rapdu(&s, r.data, r.data_len, r.sw);
	if (rsp->bad_format >= 0)
		ota_script_rsp_bad_format(&s, (uint8_t)rsp->bad_format);
	if (rsp->executed >= 0)
		ota_script_rsp_executed(&s, (uint8_t)rsp->executed);
	VEC(ota_script_len(&s) == (int)want->len && octets_are(want, buf, s.len));
	free(buf);
}

void vec_expanded_rsp(struct vec *vec, const json_t *v)
{
	struct octets body = octets_get(v, "secured_data");
	const json_t *decoded = json_object_get(v, "decoded"), *rapdus = json_object_get(decoded, "r_apdus"), *one;
	const json_t *executed = json_object_get(decoded, "executed");
	struct ota_rapdu_iter it = { 0 };
	struct ota_script_rsp rsp;
	struct ota_rapdu r;
	bool all_ok = true;
	size_t i;

	VEC(ota_script_rsp_parse(&rsp, OTA_FORMAT_DEFINITE, body.p, body.len) == 0);
	VEC(ota_rsp_format(body.p, body.len) == rsp.format);
	VEC((rsp.format == OTA_FORMAT_INDEFINITE) == (body.p[0] == 0xaf));
	VEC(rsp.executed == (executed ? json_integer_value(executed) : -1));
	VEC(rsp.bad_format == (json_object_get(decoded, "bad_format") ? (int)json_hex(decoded, "bad_format") : -1));
	VEC(rsp.rapdus == json_array_size(rapdus) && rsp.immediate == -1 && rsp.chaining == -1);
	json_array_foreach(rapdus, i, one)
	{
		struct octets data = octets_get(one, "data");

		VEC(ota_rapdu_next(&rsp, &it, &r) && r.index == i);
		VEC(r.sw == json_hex(one, "sw") && octets_are(&data, r.data, r.data_len));
		all_ok &= ota_sw_ok(r.sw);
		octets_free(&data);
	}
	VEC(!ota_rapdu_next(&rsp, &it, &r));
	VEC((ota_script_rsp_failed(&rsp, (unsigned)i, NULL) < 0) == (all_ok && rsp.bad_format < 0));
	check_rsp_build(vec, &body, &rsp);
	octets_free(&body);
}
