/* test_sub_vectors.c - the frozen octets of the subscription applet: built, read, and taken by the virtual card.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * usage: test_sub_vectors DIRECTORY
 *
 * The octets come from a program of its own; the card's applet is a third reading of the same document.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/card_sub_int.h"
#include "ota/subscription.h"
#include "test_crypt.h"
#include "test_json.h"

#define OCTETS_MAX 1024

static unsigned checked, failed;

static void expect(const json_t *v, bool good, const char *what)
{
	checked++;
	if (good)
		return;
	failed++;
	printf("%s: %s\n", json_text(v, "id"), what);
}

static unsigned number(const json_t *v, const char *member)
{
	return (unsigned)json_integer_value(json_object_get(v, member));
}

static bool same(const json_t *v, const char *member, const uint8_t *p, int len)
{
	struct octets want = octets_get(v, member);
	bool ok = len >= 0 && octets_are(&want, p, (size_t)len);

	octets_free(&want);
	return ok;
}

/* Octets that live as long as the vector is looked at. */
static struct ota_span borrow(const json_t *v, const char *member, uint8_t *buf)
{
	struct octets o = { 0 };
	struct ota_span s = { 0 };

	if (!json_object_get(v, member))
		return s;
	o = octets_get(v, member);
	memcpy(buf, o.p, o.len);
	s = (struct ota_span){ buf, o.len };
	octets_free(&o);
	return s;
}

static void check_set(const json_t *v)
{
	static uint8_t content[OTA_SUB_FILES_MAX][256], opc[64], plmns[64], mac[16], out[OCTETS_MAX];
	struct ota_sub_set set = { .order = json_hex(v, "order"),
				   .from = (uint16_t)number(v, "from"),
				   .to = (uint16_t)number(v, "to") },
			   back;
	const json_t *files = json_object_get(v, "files");
	struct octets octets = octets_get(v, "set");
	struct ota_script s;
	uint8_t hash[32];
	int n;

	snprintf(set.imsi, sizeof(set.imsi), "%s", json_text(v, "imsi"));
	for (size_t i = 0; i < json_array_size(files); i++) {
		const json_t *f = json_array_get(files, i), *path = json_object_get(f, "path");
		struct ota_span c = borrow(f, "content", content[i]);
		struct ota_sub_file *to = &set.file[set.files++];

		to->fids = (uint8_t)json_array_size(path);
		for (unsigned k = 0; k < to->fids; k++)
			to->fid[k] = (uint16_t)strtoul(json_string_value(json_array_get(path, k)), NULL, 16);
		to->content = c.p;
		to->len = (uint8_t)c.len;
	}
	set.opc = borrow(v, "opc_wrapped", opc);
	set.alg = (uint8_t)number(v, "alg");
	set.sqn_scheme = (uint8_t)number(v, "sqn_scheme");
	set.plmns = borrow(v, "plmns", plmns);
	set.trial_s = number(v, "trial_s");
	set.mac = borrow(v, "vault_mac", mac);
	expect(v, same(v, "set", out, ota_sub_set_encode(out, sizeof(out), &set)), "set");
	expect(v, ota_sub_set_decode(&back, octets.p, octets.len) == 0, "set is not read");
	expect(v, same(v, "set", out, ota_sub_set_encode(out, sizeof(out), &back)), "set, there and back");
	sim_sha256(octets.p, octets.len, hash);
	expect(v, same(v, "hash", hash, OTA_SUB_HASH_LEN), "hash");
	ota_script_init(&s, out, sizeof(out));
	ota_sub_stage(&s, octets.p, octets.len);
	n = ota_script_len(&s);
	expect(v, same(v, "stage", out, n), "STAGE");
	ota_script_init(&s, out, sizeof(out));
	ota_sub_advance(&s, octets.p, octets.len);
	n = ota_script_len(&s);
	expect(v, same(v, "advance", out, n), "ADVANCE");
	octets_free(&octets);
}

static void check_mac(const json_t *v)
{
	struct octets iccid = octets_get(v, "iccid_ef"), key = octets_get(v, "kid_key");
	bool jump = !strcmp(json_text(v, "for"), "jump");
	uint8_t in[OTA_SUB_ERASE_LEN], mac[OTA_SUB_MAC_LEN], own[OTA_SUB_MAC_LEN];
	struct test_crypt t = { 0 };
	struct ota_crypt crypt = test_crypt(&t);
	size_t n = jump ? OTA_SUB_JUMP_LEN : OTA_SUB_ERASE_LEN;
	uint16_t a = (uint16_t)number(v, "a"), b = (uint16_t)number(v, "b");

	if (jump)
		ota_sub_jump_input(in, iccid.p, a, b, json_hex(v, "order"));
	else
		ota_sub_erase_input(in, iccid.p, a, b, json_hex(v, "order"));
	expect(v, same(v, "input", in, (int)n), "input");
	test_crypt_set(&t, 1, KS_KEY_KID, key.p, key.len);
	expect(v, ota_sub_vault_mac(mac, in, n, (struct ks_ref){ 1, KS_KEY_KID }, &crypt) == 0, "hook");
	expect(v, same(v, "mac", mac, sizeof(mac)), "MAC");
	expect(v, sim_cc(SIM_ALG_AES128, key.p, in, n, own, sizeof(own)) == 0 && same(v, "mac", own, sizeof(own)),
	       "MAC of the card");
	octets_free(&iccid);
	octets_free(&key);
}

static void build(struct ota_script *s, const json_t *v)
{
	static uint8_t wrapped[160], kcv[16], hash[16], mac[16];
	const char *name = json_text(v, "command");
	uint64_t order = json_hex(v, "order");
	uint16_t from = (uint16_t)number(v, "from");
	struct ota_span w = borrow(v, "wrapped", wrapped);
	uint8_t alg = (uint8_t)number(v, "alg"), scheme = (uint8_t)number(v, "sqn_scheme");

	(void)borrow(v, "kcv", kcv);
	(void)borrow(v, "hash", hash);
	if (!strcmp(name, "STATUS"))
		ota_sub_status(s, order);
	else if (!strcmp(name, "VERSION"))
		ota_sub_version(s);
	else if (!strcmp(name, "UNSTAGE"))
		ota_sub_unstage(s, order);
	else if (!strcmp(name, "CONFIRM"))
		ota_sub_confirm(s, order);
	else if (!strcmp(name, "ROLLBACK"))
		ota_sub_rollback(s, order);
	else if (!strcmp(name, "ARM"))
		ota_sub_arm(s, order, hash);
	else if (!strcmp(name, "KEY-CHANGE-K"))
		ota_sub_key_change_k(s, order, from, w, kcv);
	else if (!strcmp(name, "KEY-CHANGE-OTA"))
		ota_sub_key_change_ota(s, order, from, w, kcv);
	else if (!strcmp(name, "OP-SET"))
		ota_sub_op_set(s, order, from, w, kcv);
	else if (!strcmp(name, "ALG-SELECT"))
		ota_sub_alg_select(s, order, from, alg, scheme);
	else if (!strcmp(name, "REFILL"))
		ota_sub_refill(s, order, (uint16_t)number(v, "index"), alg, scheme, w, kcv);
	else if (!strcmp(name, "KEY-ERASE"))
		ota_sub_key_erase(s, order, (uint16_t)number(v, "first"), (uint16_t)number(v, "last"),
				  borrow(v, "vault_mac", mac));
}

static void check_command(const json_t *v)
{
	struct octets apdu = octets_get(v, "apdu");
	uint8_t out[OCTETS_MAX];
	struct ota_script s;
	struct ota_sub_cmd c;

	ota_script_init(&s, out, sizeof(out));
	build(&s, v);
	expect(v, same(v, "apdu", out, ota_script_len(&s)), "command");
	expect(v, ota_sub_cmd_decode(&c, apdu.p, apdu.len) == 0 && c.le && c.order == json_hex(v, "order"),
	       "command is not read");
	for (size_t n = 0; n + 1 < apdu.len; n++) { /* without Le it is whole */
		struct octets cut = octets_copy(apdu.p, n);

		expect(v, ota_sub_cmd_decode(&c, cut.p, n) < 0, "cut command is read");
		octets_free(&cut);
	}
	octets_free(&apdu);
}

static void check_response(const json_t *v)
{
	struct octets data = octets_get(v, "data");
	uint8_t out[OCTETS_MAX];
	struct ota_sub_rsp r;

	expect(v, ota_sub_rsp_decode(&r, data.p, data.len) == 0, "answer is not read");
	expect(v, r.state == number(v, "state") && r.index == number(v, "index") && r.kvn == number(v, "kvn"), "state");
	expect(v, r.order == json_hex(v, "order") && r.to == number(v, "to") && r.end == number(v, "end"), "order");
	expect(v, !strcmp(r.imsi, json_text(v, "imsi")) && r.pairs_left == number(v, "pairs_left"), "IMSI, pairs");
	expect(v, r.trial_left_s == number(v, "trial_left_s") && r.pending == number(v, "pending"), "trial, pending");
	expect(v, r.cntr == json_hex(v, "cntr"), "counter");
	expect(v, r.last_order == json_hex(v, "last_order") && r.last_end == number(v, "last_end"), "last order");
	expect(v, r.has_hash == (json_object_get(v, "hash") != NULL), "hash is there");
	expect(v, !r.has_hash || same(v, "hash", r.hash, sizeof(r.hash)), "hash");
	expect(v, r.kcv_len ? same(v, "kcv", r.kcv, r.kcv_len) : !json_object_get(v, "kcv"), "check values");
	expect(v, same(v, "data", out, ota_sub_rsp_encode(out, sizeof(out), &r)), "answer, there and back");
	octets_free(&data);
}

static void each(void *ctx, const json_t *v)
{
	const char *kind = json_text(v, "kind");

	if (!strcmp(kind, "sub-set"))
		check_set(v);
	else if (!strcmp(kind, "sub-vault-mac"))
		check_mac(v);
	else if (!strcmp(kind, "sub-command"))
		check_command(v);
	else if (!strcmp(kind, "sub-response"))
		check_response(v);
	else
		expect(v, false, "kind that nobody checks");
}

/* ---- codec and card meet ---- */

static struct sim_card card;
static struct sim_sub sub;

/* Runs a script built by the codec as the card's keyset would, and reads the answer with the codec. */
static uint16_t meet(const struct ota_script *s, struct ota_sub_rsp *r)
{
	static const uint8_t tar[3] = OTA_SUB_TAR;
	struct ota_compact_rsp c;
	struct script_result res;

	if (ota_script_len(s) < 0 || !sim_sub_keyset(&card, sim_sub_rec(&sub)->kvn, tar))
		return 0;
	sim_sub_run(&card, s->buf, (size_t)ota_script_len(s), &res);
	if (ota_compact_rsp_parse(&c, res.resp, res.len) < 0)
		return 0;
	if (c.sw == OTA_SUB_SW_OK && ota_sub_rsp_decode(r, c.data, c.data_len) < 0)
		return 1;
	return c.sw;
}

static int meeting(void)
{
	static const uint8_t acc[2] = { 0, 2 };
	struct ota_sub_set set = { .order = 77, .from = 1, .to = 2, .imsi = "001030000000001", .files = 1 };
	uint8_t octets[OTA_SUB_SET_MAX], buf[OCTETS_MAX], hash[32];
	struct sim_card_profile p;
	struct ota_sub_rsp r;
	struct ota_script s;
	int n, bad = 0;

	sim_card_profile_default(&p);
	p.alg = SIM_ALG_AES128;
	if (sim_card_init(&card, 3, 0, &p) < 0 || sim_card_sub_attach(&card, &sub, 3, 4) < 0)
		return 1;
	set.file[0] = (struct ota_sub_file){ .fid = { USIM_FID_ACC }, .fids = 1, .len = 2, .content = acc };
	n = ota_sub_set_encode(octets, sizeof(octets), &set);
#define MEET(call, sw) ota_script_init(&s, buf, sizeof(buf)), call, bad += meet(&s, &r) != (sw)
	MEET(ota_sub_version(&s), 0x9000);
	bad += !r.has_version || r.version.major != OTA_SUB_VERSION || r.version.set_max != OTA_SUB_SET_MAX ||
	       r.version.files_max != OTA_SUB_FILES_MAX || r.version.plmns_max != OTA_SUB_PLMNS_MAX || !r.has_iccid;
	MEET(ota_sub_stage(&s, octets, (size_t)n), 0x9000);
	sim_sha256(octets, (size_t)n, hash);
	bad += r.state != OTA_SUB_STAGED || !r.has_hash || memcmp(r.hash, hash, OTA_SUB_HASH_LEN) ||
	       r.end != OTA_SUB_END_STAGED;
	MEET(ota_sub_arm(&s, 78, hash), OTA_SUB_SW_ORDER);
	MEET(ota_sub_arm(&s, 77, hash), 0x9000);
	bad += r.state != OTA_SUB_ARMED || strcmp(r.imsi, "001020000000001");
	sim_card_reset(&card);
	MEET(ota_sub_status(&s, 77), 0x9000);
	bad += r.state != OTA_SUB_TRIAL || strcmp(r.imsi, "001030000000001") || r.kvn != 2 || r.index != 2 ||
	       r.pairs_left != 2 || r.trial_left_s != OTA_SUB_TRIAL_S || r.end != OTA_SUB_END_TRIAL;
	MEET(ota_sub_confirm(&s, 77), 0x9000);
	bad += r.state != OTA_SUB_CONFIRMED || r.last_order != 77 || r.last_end != OTA_SUB_END_CONFIRMED;
	MEET(ota_sub_key_erase(&s, 79, 1, 1, (struct ota_span){ 0 }), 0x9000);
	MEET(ota_sub_alg_select(&s, 80, 2, OTA_SUB_TEST_ALG, OTA_SUB_SQN_ARRAY), 0x9000);
	bad += r.pending != OTA_SUB_PENDING_ALG;
	MEET(ota_sub_alg_select(&s, 80, 2, OTA_SUB_TUAK, OTA_SUB_SQN_ARRAY), OTA_SUB_SW_ALG);
	MEET(ota_sub_rollback(&s, 77), OTA_SUB_SW_MOVED);
#undef MEET
	return bad;
}

int main(int argc, char **argv)
{
	int bad;

	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	json_vectors(argv[1], "subscription.json", each, NULL);
	bad = meeting();
	test_crypt_free();
	printf("subscription: %u checks, %u failed; codec and card: %d disagreements\n", checked, failed, bad);
	return failed || bad || checked < 100;
}
