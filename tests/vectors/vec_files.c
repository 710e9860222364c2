/* vec_files.c - vectors of file contents: each decoded, compared with its meaning, and encoded again.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "ota/usim_lab.h"
#include "vec.h"

static int integer(const json_t *v, const char *member)
{
	return (int)json_integer_value(json_object_get(v, member));
}

static bool truth(const json_t *v, const char *member)
{
	return json_is_true(json_object_get(v, member));
}

/* What an encoder wrote, against the vector. */
static void written(struct vec *vec, const struct octets *raw, const uint8_t *out, int n)
{
	VEC(n == (int)raw->len && octets_are(raw, out, raw->len));
}

static void ef_imsi(struct vec *vec, const struct octets *raw, const json_t *decoded)
{
	check_ef_imsi(vec, raw, json_text(decoded, "imsi"));
}

/* The LAI comes as octets, or as "262-01" and an area code. */
static void ef_loci(struct vec *vec, const struct octets *raw, const json_t *decoded)
{
	const json_t *lai = json_object_get(decoded, "lai");
	struct usim_loci l;
	uint8_t out[USIM_LOCI_LEN];

	VEC(usim_loci_decode(&l, raw->p, raw->len) == 0);
	VEC(json_hex(decoded, "tmsi") == ((uint32_t)l.tmsi[0] << 24 | l.tmsi[1] << 16 | l.tmsi[2] << 8 | l.tmsi[3]));
	if (json_is_object(lai)) {
		char mcc[4] = "", mnc[4] = "";

		memcpy(mcc, json_text(lai, "mcc_mnc"), 3);
		strncpy(mnc, json_text(lai, "mcc_mnc") + 4, 3);
		check_plmn(vec, l.plmn, mcc, mnc);
		VEC(l.lac == json_hex(lai, "lac") && l.rfu == integer(decoded, "rfu"));
		VEC(l.status == integer(decoded, "lu_status"));
	} else {
		VEC(json_hex(decoded, "lai") ==
		    ((uint64_t)l.plmn[0] << 32 | (uint32_t)l.plmn[1] << 24 | (uint32_t)l.plmn[2] << 16 | l.lac));
		VEC(l.rfu == integer(decoded, "tmsi_time") && l.status == USIM_UPDATED);
	}
	written(vec, raw, out, usim_loci_encode(out, &l));
}

static void ef_ad(struct vec *vec, const struct octets *raw, const json_t *decoded)
{
	struct usim_ad ad;
	uint8_t out[4];

	VEC(usim_ad_decode(&ad, raw->p, raw->len) == 0);
	VEC(ad.mnc_len == integer(decoded, "mnc_len") && ad.mode == 0 && ad.info[0] == 0 && ad.info[1] == 0);
	written(vec, raw, out, usim_ad_encode(out, sizeof(out), &ad));
}

static void ef_msisdn(struct vec *vec, const struct octets *raw, const json_t *decoded)
{
	const json_t *list = json_object_get(decoded, "msisdn");
	const char *number = list ? json_string_value(json_array_get(list, 2)) : json_text(decoded, "dialing_nr");
	uint8_t *out = malloc(raw->len);
	struct usim_msisdn m;

	VEC(usim_msisdn_decode(&m, raw->p, raw->len) == 0);
	VEC(strcmp(m.addr.digits, number) == 0 && m.addr.npi == 1 && m.addr.ton == 3 && m.alpha_len == 0);
	written(vec, raw, out, usim_msisdn_encode(out, raw->len, &m));
	free(out);
}

static void smsp_address(struct vec *vec, const struct ota_addr *a, const json_t *want)
{
	VEC(strcmp(a->digits, json_text(want, "call_number")) == 0);
	if (a->digits[0])
		VEC(a->ton == 1 && a->npi == 1);
}

static void ef_smsp(struct vec *vec, const struct octets *raw, const json_t *decoded)
{
	const json_t *pi = json_object_get(decoded, "parameter_indicators");
	uint8_t *out = malloc(raw->len);
	struct usim_smsp s;

	VEC(usim_smsp_decode(&s, raw->p, raw->len) == 0);
	VEC(s.alpha_len == strlen(json_text(decoded, "alpha_id")) &&
	    (s.alpha_len == 0 || memcmp(s.alpha, json_text(decoded, "alpha_id"), s.alpha_len) == 0));
	VEC(s.has_da == truth(pi, "tp_dest_addr") && s.has_sca == truth(pi, "tp_sc_addr"));
	VEC(s.has_pid == truth(pi, "tp_pid") && s.has_dcs == truth(pi, "tp_dcs") && s.has_vp == truth(pi, "tp_vp"));
	smsp_address(vec, &s.da, json_object_get(decoded, "tp_dest_addr"));
	smsp_address(vec, &s.sca, json_object_get(decoded, "tp_sc_addr"));
	VEC(s.pid == json_hex(decoded, "tp_pid") && s.dcs == json_hex(decoded, "tp_dcs"));
	VEC(usim_vp_minutes(s.vp) == (unsigned)integer(decoded, "tp_vp_minutes"));
	/* One of them names a validity period it says is not there: encoded again, it is FF. */
	if (s.has_vp || s.vp == 0xff) {
		written(vec, raw, out, usim_smsp_encode(out, raw->len, &s));
	} else {
		VEC(usim_smsp_encode(out, raw->len, &s) == (int)raw->len);
		VEC(memcmp(out, raw->p, raw->len - 1) == 0 && out[raw->len - 1] == 0xff);
	}
	free(out);
}

static void ef_plmn_list(struct vec *vec, const struct octets *raw, const json_t *decoded, bool act)
{
	static const struct {
		const char *name;
		uint16_t bits;
	} names[] = {
		{ "NG-RAN", USIM_ACT_NG_RAN },
		{ "GSM", USIM_ACT_GSM | USIM_ACT_GSM_PLAIN },
		{ "EC-GSM-IoT", USIM_ACT_GSM | USIM_ACT_EC_GSM_IOT },
		{ "E-UTRAN WB-S1", USIM_ACT_E_UTRAN },
		{ "E-UTRAN NB-S1", USIM_ACT_E_UTRAN },
	};
	uint8_t *out = malloc(raw->len);
	struct usim_plmn list[4];
	int n = usim_plmn_list_decode(list, 4, act, raw->p, raw->len);
	const json_t *one, *tech;
	size_t i, k;

	VEC(n == (int)json_array_size(decoded));
	json_array_foreach(decoded, i, one)
	{
		uint16_t bits = 0;

		VEC(strcmp(list[i].mcc, json_text(one, "mcc")) == 0 && strcmp(list[i].mnc, json_text(one, "mnc")) == 0);
		json_array_foreach(json_object_get(one, "act"), k,
				   tech) for (size_t t = 0; t < sizeof(names) / sizeof(names[0]);
					      t++) if (strcmp(names[t].name, json_string_value(tech)) == 0) bits |=
			names[t].bits;
		VEC(list[i].act == bits);
	}
	written(vec, raw, out, usim_plmn_list_encode(out, raw->len, act, list, (size_t)n));
	free(out);
}

static void ef_plmnsel(struct vec *vec, const struct octets *raw, const json_t *decoded)
{
	ef_plmn_list(vec, raw, decoded, false);
}

static void ef_plmnwact(struct vec *vec, const struct octets *raw, const json_t *decoded)
{
	ef_plmn_list(vec, raw, decoded, true);
}

static void ef_kc(struct vec *vec, const struct octets *raw, const json_t *decoded)
{
	struct octets kc = octets_get(decoded, "kc");
	uint8_t out[USIM_KC_LEN];
	struct usim_kc k;

	VEC(usim_kc_decode(&k, raw->p, raw->len) == 0);
	VEC(octets_are(&kc, k.kc, sizeof(k.kc)) && k.cksn == integer(decoded, "cksn"));
	written(vec, raw, out, usim_kc_encode(out, &k));
	octets_free(&kc);
}

/* ------------------------------------------------------------------------------------------------- lab cards */

static void pin_value(struct vec *vec, const uint8_t pin[8], const char *hex)
{
	struct octets want = octets_hex(hex);

	VEC(want.len <= 8 && memcmp(want.p, pin, want.len) == 0);
	for (size_t i = want.len; i < 8; i++)
		VEC(pin[i] == 0xff);
	octets_free(&want);
}

static void ef_pin(struct vec *vec, const struct octets *raw, const json_t *decoded)
{
	const json_t *state = json_object_get(decoded, "state"), *puk = json_object_get(decoded, "puk");
	uint8_t out[LAB_PIN_LEN];
	struct lab_pin p;

	VEC(lab_pin_decode(&p, raw->p, raw->len) == 0);
	VEC(p.valid == truth(state, "valid") && p.changeable == truth(state, "change_able"));
	VEC(p.unblockable == truth(state, "unblock_able") && p.disableable == truth(state, "disable_able"));
	VEC(p.not_initialized == truth(state, "not_initialized") && p.disabled == truth(state, "disabled"));
	VEC(p.left == integer(decoded, "attempts_remaining") && p.max == integer(decoded, "maximum_attempts"));
	VEC(p.puk_left == integer(puk, "attempts_remaining") && p.puk_max == integer(puk, "maximum_attempts"));
	pin_value(vec, p.pin, json_text(decoded, "pin"));
	pin_value(vec, p.puk, json_text(puk, "puk"));
	written(vec, raw, out, lab_pin_encode(out, &p));
}

static void ef_milenage(struct vec *vec, const struct octets *raw, const json_t *decoded)
{
	uint8_t out[LAB_MILENAGE_CFG_LEN];
	struct lab_milenage_cfg m;

	VEC(lab_milenage_cfg_decode(&m, raw->p, raw->len) == 0);
	for (int i = 0; i < 5; i++) {
		const char r[] = { 'r', (char)('1' + i), 0 }, c[] = { 'c', (char)('1' + i), 0 };
		struct octets want = octets_get(decoded, c);

		VEC(m.r[i] == integer(decoded, r) && octets_are(&want, m.c[i], 16));
		octets_free(&want);
	}
	written(vec, raw, out, lab_milenage_cfg_encode(out, &m));
}

static void ef_gp_count(struct vec *vec, const struct octets *raw, const json_t *decoded)
{
	uint8_t out[LAB_GP_COUNT_LEN];
	struct lab_gp_count c;

	VEC(lab_gp_count_decode(&c, raw->p, raw->len) == 0);
	VEC(c.sd == integer(decoded, "sec_domain") && c.kvn == integer(decoded, "key_set_version"));
	VEC(c.counter == integer(decoded, "counter") && c.rfu == integer(decoded, "rfu"));
	written(vec, raw, out, lab_gp_count_encode(out, &c));
}

static void ef_sqn(struct vec *vec, const struct octets *raw, const json_t *decoded)
{
	const json_t *f1 = json_object_get(decoded, "flag1"), *f2 = json_object_get(decoded, "flag2");
	const json_t *freshness = json_object_get(decoded, "freshness");
	uint8_t out[LAB_SQN_LEN];
	struct lab_sqn s;

	VEC(lab_sqn_decode(&s, raw->p, raw->len) == 0);
	VEC(s.skip_next_check == truth(f1, "skip_next_sqn_check") && s.delta_max_check == truth(f1, "delta_max_check"));
	VEC(s.age_limit_check == truth(f1, "age_limit_check") && s.check == truth(f1, "sqn_check"));
	VEC(s.ind_len == integer(f1, "ind_len") && s.keep_amf_for_macs == truth(f2, "dont_clear_amf_for_macs"));
	VEC(s.aus_concealed == truth(f2, "aus_concealed") && s.autn_concealed == truth(f2, "autn_concealed"));
	VEC(s.delta_max == (uint64_t)json_integer_value(json_object_get(decoded, "delta_max")));
	VEC(s.age_limit == (uint64_t)json_integer_value(json_object_get(decoded, "age_limit")));
	VEC(json_array_size(freshness) == LAB_SQN_IND);
	for (size_t i = 0; i < LAB_SQN_IND; i++)
		VEC(s.seq[i] == (uint64_t)json_integer_value(json_array_get(freshness, i)));
	written(vec, raw, out, lab_sqn_encode(out, &s));
}

static void ef_auth_key(struct vec *vec, const struct octets *raw, const json_t *decoded)
{
	const json_t *cfg = json_object_get(decoded, "cfg"), *tuak = json_object_get(decoded, "tuak_cfg");
	struct octets k = octets_get(decoded, "k"), op = octets_get(decoded, "op_opc");
	uint8_t out[LAB_AUTH_KEY_TUAK_MAX];
	struct lab_auth_key a;

	VEC(lab_auth_key_decode(&a, raw->p, raw->len) == 0);
	VEC(strcmp(json_text(cfg, "algorithm"), "tuak") == 0 && a.algorithm == LAB_TUAK);
	VEC(a.opc == truth(cfg, "use_opc_instead_of_op") && a.sres_func == integer(cfg, "sres_deriv_func_in_2g"));
	VEC(octets_are(&k, a.k, a.k_len) && octets_are(&op, a.op, 32));
	VEC((int)a.k_len * 8 == integer(cfg, "key_length"));
	VEC(a.ck_ik_bits == integer(tuak, "ck_and_ik_size") && a.mac_bits == integer(tuak, "mac_size"));
	VEC(a.res_bits == integer(tuak, "res_size") && a.iterations == integer(decoded, "num_of_keccak_iterations"));
	written(vec, raw, out, lab_auth_key_encode(out, sizeof(out), &a));
	octets_free(&k);
	octets_free(&op);
}

void vec_ef(struct vec *vec, const json_t *v)
{
	static const struct {
		const char *ef;
		void (*check)(struct vec *vec, const struct octets *raw, const json_t *decoded);
	} checks[] = {
		{ "EF_IMSI", ef_imsi },
		{ "EF_LOCI", ef_loci },
		{ "EF_AD", ef_ad },
		{ "EF_MSISDN", ef_msisdn },
		{ "EF_SMSP", ef_smsp },
		{ "EF_PLMNsel", ef_plmnsel },
		{ "EF_xPLMNwAcT", ef_plmnwact },
		{ "EF_Kc", ef_kc },
		{ "EF_PIN", ef_pin },
		{ "EF_MILENAGE_CFG", ef_milenage },
		{ "EF_GP_COUNT", ef_gp_count },
		{ "EF_USIM_SQN", ef_sqn },
		{ "EF_USIM_AUTH_KEY", ef_auth_key },
	};
	struct octets raw = octets_get(v, "raw");
	bool known = false;

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (strcmp(checks[i].ef, json_text(v, "ef")))
			continue;
		checks[i].check(vec, &raw, json_object_get(v, "decoded"));
		known = true;
	}
	VEC(known);
	octets_free(&raw);
}
