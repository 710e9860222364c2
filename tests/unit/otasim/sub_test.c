/* sub_test.c - a sender of subscription commands for the virtual card's tests.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "sub_test.h"

void bench_init(struct bench *b, uint64_t seed, unsigned pairs)
{
	struct sim_card_profile p;

	memset(b, 0, sizeof(*b));
	sim_card_profile_default(&p);
	p.alg = SIM_ALG_AES128;
	p.cntr = 100;
	assert_int_equal(sim_card_init(&b->card, seed, 0, &p), 0);
	assert_int_equal(sim_card_sub_attach(&b->card, &b->sub, seed, pairs), 0);
	b->rand = seed;
	judge_init(&b->judge);
	bench_look(b);
}

void bench_look(struct bench *b)
{
	if (!judge_look(&b->judge, &b->card))
		fail_msg("judge: %s", b->judge.why);
}

void bench_reset(struct bench *b)
{
	sim_card_reset(&b->card);
	bench_look(b);
}

uint64_t bench_random(struct bench *b)
{
	uint64_t z = b->rand += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static struct sim_card sender; /* packet_build() and por_open() look at its first keyset alone */

static struct cmd_spec sender_spec(uint8_t kvn, const struct sim_ota_keys *k, uint64_t cntr)
{
	struct cmd_spec spec = {
		.spi1 = 0x16, .spi2 = 0x39, .kic = (uint8_t)(kvn << 4 | 2), .tar = 0xbfff3b, .cntr = cntr
	};

	spec.kid = spec.kic;
	sender.ks[0] = (struct sim_keyset){ .kvn = kvn, .mac_len = 8 };
	sender.ks[0].kic_alg = sender.ks[0].kid_alg = k->len == 32 ? SIM_ALG_AES256 : SIM_ALG_AES128;
	memcpy(sender.ks[0].kic, k->kic, k->len);
	memcpy(sender.ks[0].kid, k->kid, k->len);
	return spec;
}

uint8_t bench_uds(uint8_t kvn, const struct sim_ota_keys *k, uint64_t cntr, const struct oct *script,
		  struct oct ud[BENCH_UDS_MAX])
{
	struct cmd_spec spec = sender_spec(kvn, k, cntr);
	struct oct pkt = packet_build(&sender, &spec, script);
	uint8_t parts = (uint8_t)(pkt.len <= 137 ? 1 : (pkt.len + 131) / 132);

	assert_in_range(parts, 1, BENCH_UDS_MAX);
	for (uint8_t i = 1; i <= parts; i++)
		ud[i - 1] = parts == 1 ? ud_single(&pkt) : ud_segment(&pkt, 7, false, parts, i, 132);
	return parts;
}

struct answer bench_send(struct bench *b, uint8_t kvn, const struct sim_ota_keys *k, uint64_t cntr,
			 const struct oct *script)
{
	struct cmd_spec spec = sender_spec(kvn, k, cntr);
	struct answer a = { .status = -1 };
	struct oct ud[BENCH_UDS_MAX];
	uint8_t parts = bench_uds(kvn, k, cntr, script, ud);
	struct por p;

	for (uint8_t i = 0; i < parts; i++)
		card_take(&b->card, &ud[i], &b->out);
	bench_look(b);
	a.status = b->out.status;
	p = por_open(&sender, &spec, &b->out);
	a.secured = p.valid && p.secured;
	if (!a.secured)
		return a;
	if (!judge_answer(&b->judge, &b->card, p.data.b, p.data.len))
		fail_msg("judge: %s", b->judge.why);
	if (p.data.len >= 3)
		a.sw = (uint16_t)(p.data.b[1] << 8 | p.data.b[2]);
	a.data.len = p.data.len > 3 ? p.data.len - 3 : 0;
	memcpy(a.data.b, p.data.b + 3, a.data.len);
	return a;
}

struct answer bench_send_pair(struct bench *b, uint16_t index, uint8_t kvn, const struct oct *script)
{
	const struct sim_pair *p = sim_sub_pair(&b->sub, index);

	if (kvn == SIM_KVN_VAULT)
		return bench_send(b, kvn, &b->sub.nvm.vault, b->sub.nvm.vault_cntr + 1, script);
	if (kvn == SIM_KVN_CHANGE)
		return bench_send(b, kvn, &b->sub.nvm.change, b->sub.nvm.change_cntr + 1, script);
	assert_non_null(p);
	return bench_send(b, kvn, &p->ota, p->cntr + 1, script);
}

struct answer bench_do(struct bench *b, const struct oct *script)
{
	const struct sim_sub_rec *r = sim_sub_rec(&b->sub);

	return bench_send_pair(b, r->index, r->kvn, script);
}

/* ---- objects and commands ---- */

static void put(struct oct *o, const void *p, size_t n)
{
	assert_true(o->len + n <= sizeof(o->b));
	memcpy(o->b + o->len, p, n);
	o->len += n;
}

void tlv(struct oct *o, uint8_t tag, const void *p, size_t len)
{
	uint8_t head[3] = { tag, 0x81, (uint8_t)len };

	if (len < 0x80)
		head[1] = (uint8_t)len;
	put(o, head, len < 0x80 ? 2 : 3);
	put(o, p, len);
}

void tlv_be(struct oct *o, uint8_t tag, uint64_t v, size_t n)
{
	uint8_t b[8];

	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(v >> 8 * (n - 1 - i));
	tlv(o, tag, b, n);
}

struct oct apdu(uint8_t ins, uint8_t p1, const struct oct *data)
{
	uint8_t head[5] = { 0x80, ins, p1, 0x01, (uint8_t)data->len };
	struct oct o = { 0 };

	put(&o, head, 5);
	put(&o, data->b, data->len);
	put(&o, "", 1);
	return o;
}

struct oct cmd_order(uint8_t ins, uint64_t order)
{
	struct oct d = { 0 };

	tlv_be(&d, 0x80, order, 8);
	return apdu(ins, 0, &d);
}

static void imsi_ef(const char *imsi, uint8_t f[9])
{
	memset(f, 0xff, 9);
	f[0] = 8;
	f[1] = (uint8_t)((imsi[0] - '0') << 4 | 9);
	for (int i = 1; i < 15; i += 2)
		f[1 + (i + 1) / 2] = (uint8_t)((imsi[i + 1] - '0') << 4 | (imsi[i] - '0'));
}

struct oct set_of(const struct set_spec *s)
{
	struct oct o = { 0 }, x;
	uint8_t imsi[9];

	imsi_ef(s->imsi, imsi);
	tlv_be(&o, 0x80, s->order, 8);
	tlv_be(&o, 0x81, s->from, 2);
	tlv_be(&o, 0x82, s->to, 2);
	tlv(&o, 0x83, imsi, 9);
	if (s->files) {
		x = oct_hex(s->files);
		put(&o, x.b, x.len);
	}
	if (s->opc)
		tlv(&o, 0x85, s->opc->b, s->opc->len);
	if (s->alg)
		tlv_be(&o, 0x86, s->alg, 2);
	if (s->plmns) {
		x = oct_hex(s->plmns);
		tlv(&o, 0x87, x.b, x.len);
	}
	if (s->trial_s)
		tlv_be(&o, 0x88, s->trial_s, 4);
	if (s->mac)
		tlv(&o, 0x8a, s->mac, 8);
	return o;
}

struct oct cmd_set(uint8_t ins, const struct oct *set)
{
	return apdu(ins, 0, set);
}

struct oct cmd_arm(uint64_t order, const struct oct *set)
{
	struct oct d = { 0 };
	uint8_t h[32];

	sim_sha256(set->b, set->len, h);
	tlv_be(&d, 0x80, order, 8);
	tlv(&d, 0x89, h, 16);
	return apdu(0x36, 0, &d);
}

void vault_mac(const struct bench *b, const char *label, uint16_t x, uint16_t y, uint64_t order, uint8_t mac[8])
{
	struct oct in = { 0 };
	uint8_t n[13] = { (uint8_t)(x >> 8), (uint8_t)x, (uint8_t)(y >> 8), (uint8_t)y };
	size_t len;

	put(&in, label, strlen(label));
	put(&in, "\x01", 1);
	put(&in, sim_card_file(&b->card, 0x2fe2, &len), 10);
	for (int i = 0; i < 8; i++)
		n[4 + i] = (uint8_t)(order >> 8 * (7 - i));
	put(&in, n, 12);
	assert_int_equal(sim_cc(SIM_ALG_AES128, b->sub.nvm.vault.kid, in.b, in.len, mac, 8), 0);
}

struct oct wrap(const uint8_t *kek, size_t kek_len, const uint8_t *p, size_t len)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	struct oct o = { 0 };
	int n = 0;

	assert_int_equal(kek_len, 16);
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	assert_int_equal(EVP_EncryptInit_ex(ctx, EVP_aes_128_wrap_pad(), NULL, kek, NULL), 1);
	assert_int_equal(EVP_EncryptUpdate(ctx, o.b, &n, p, (int)len), 1);
	EVP_CIPHER_CTX_free(ctx);
	o.len = (size_t)n;
	return o;
}

/* ---- the network and the ME ---- */

struct sim_aka_keys keys_of(const struct bench *b, uint16_t index)
{
	const struct sim_pair *p = sim_sub_pair(&b->sub, index);
	struct sim_aka_keys k = { .alg = p->alg };

	memcpy(k.k, p->k, 16);
	memcpy(k.opc, p->opc, 16);
	return k;
}

enum sim_auth_result bench_auth(struct bench *b, const struct sim_aka_keys *k, uint64_t seq, unsigned ind,
				struct sim_auth *out)
{
	uint8_t rand[16], sqn[6], autn[16] = { 0 }, amf[2] = { 0x80, 0x00 };
	uint64_t v = seq << 5 | ind;
	enum sim_auth_result res;
	struct sim_aka a;

	for (int i = 0; i < 16; i++)
		rand[i] = (uint8_t)bench_random(b);
	for (int i = 0; i < 6; i++)
		sqn[i] = (uint8_t)(v >> 8 * (5 - i));
	assert_int_equal(sim_aka_run(k, rand, sqn, amf, &a), 0);
	for (int i = 0; i < 6; i++)
		autn[i] = sqn[i] ^ a.ak[i];
	memcpy(autn + 6, amf, 2);
	memcpy(autn + 8, a.mac_a, 8);
	res = sim_card_authenticate(&b->card, rand, autn, out);
	bench_look(b);
	if (res == SIM_AUTH_OK) {
		assert_memory_equal(out->res, a.res, 8);
		assert_memory_equal(out->ck, a.ck, 16);
		assert_memory_equal(out->ik, a.ik, 16);
	} else if (res == SIM_AUTH_SYNC) {
		uint8_t sqn_ms[6], zero[2] = { 0 };
		struct sim_aka again;

		for (int i = 0; i < 6; i++)
			sqn_ms[i] = out->auts[i] ^ a.ak_s[i];
		assert_int_equal(sim_aka_run(k, rand, sqn_ms, zero, &again), 0);
		assert_memory_equal(out->auts + 6, again.mac_s, 8);
	}
	return res;
}

static uint64_t next_seq(const struct bench *b, uint16_t index)
{
	const struct sim_pair *p = sim_sub_pair(&b->sub, index);
	uint64_t high = 0;

	for (int i = 0; i < SIM_SQN_INDS; i++)
		high = p->seq[i] > high ? p->seq[i] : high;
	return high + 1;
}

enum sim_auth_result bench_auth_pair(struct bench *b, uint16_t index)
{
	struct sim_aka_keys k = keys_of(b, index);
	struct sim_auth out;

	return bench_auth(b, &k, next_seq(b, index), (unsigned)(bench_random(b) % SIM_SQN_INDS), &out);
}

void bench_loci(struct bench *b, const char *plmn_hex, uint8_t status)
{
	static const uint16_t path[1] = { 0x6f7e };
	uint8_t f[11] = { 1, 2, 3, 4, 0, 0, 0, 0x00, 0x01, 0xff, status };
	struct oct plmn = oct_hex(plmn_hex);
	int want = b->sub.dead ? -1 : 0;

	memcpy(f + 4, plmn.b, 3);
	assert_int_equal(sim_card_me_update(&b->card, path, 1, f, sizeof(f)), want);
	bench_look(b);
}

enum sim_sub_state state_of(const struct bench *b)
{
	return sim_sub_rec(&b->sub)->state;
}

const char *imsi_of(const struct bench *b)
{
	static struct sim_card_truth t;

	sim_card_truth(&b->card, &t);
	return t.imsi_stored;
}
