/* sim_test.c - octets and vectors for the virtual card's tests.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/card_int.h"
#include "sim_test.h"

static void die(const char *what, const char *which)
{
	fprintf(stderr, "%s: %s\n", what, which);
	exit(2);
}

struct oct oct_hex(const char *hex)
{
	struct oct o = { .len = strlen(hex) / 2 };

	if (o.len > TEST_OCTETS_MAX)
		die("too long", hex);
	for (size_t i = 0; i < o.len; i++) {
		char two[3] = { hex[2 * i], hex[2 * i + 1], 0 }, *end;

		o.b[i] = (uint8_t)strtoul(two, &end, 16);
		if (*end)
			die("not hexadecimal", hex);
	}
	return o;
}

const char *text_of(const json_t *v, const char *member)
{
	const char *s = json_string_value(json_object_get(v, member));

	if (!s)
		die("vector without member", member);
	return s;
}

struct oct oct_of(const json_t *v, const char *member)
{
	return oct_hex(text_of(v, member));
}

json_t *vectors_load(const char *dir, const char *file)
{
	char path[512];
	json_error_t err;
	json_t *root, *list;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	root = json_load_file(path, 0, &err);
	if (!root)
		die(path, err.text);
	list = json_incref(json_object_get(root, "vectors"));
	json_decref(root);
	if (!json_is_array(list))
		die(path, "no vectors");
	return list;
}

void card_take(struct sim_card *c, const struct oct *ud, struct sim_card_out *out)
{
	static const struct sim_addr oa = { .ton = 1, .npi = 1, .digits = "12345678" };
	uint8_t *exact = malloc(ud->len ? ud->len : 1);

	if (!exact)
		die("no memory", "card_take");
	memcpy(exact, ud->b, ud->len);
	sim_card_sms_pp(c, &oa, exact, ud->len, out);
	free(exact);
}

enum sim_alg alg_of_vector(const char *name, uint8_t *mac_len)
{
	static const struct {
		const char *name;
		enum sim_alg alg;
		uint8_t mac_len;
	} map[] = {
		{ "des", SIM_ALG_DES, 8 },	    { "des-cbc", SIM_ALG_DES, 8 },
		{ "3des2", SIM_ALG_3DES2, 8 },	    { "3des3", SIM_ALG_3DES3, 8 },
		{ "aes128", SIM_ALG_AES128, 8 },    { "aes192", SIM_ALG_AES192, 8 },
		{ "aes256", SIM_ALG_AES256, 8 },    { "cmac8-128", SIM_ALG_AES128, 8 },
		{ "cmac8-192", SIM_ALG_AES192, 8 }, { "cmac8-256", SIM_ALG_AES256, 8 },
		{ "cmac4-128", SIM_ALG_AES128, 4 }, { "cmac4-256", SIM_ALG_AES256, 4 },
	};

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
		if (!strcmp(name, map[i].name)) {
			*mac_len = map[i].mac_len;
			return map[i].alg;
		}
	}
	*mac_len = 8;
	return SIM_ALG_NONE;
}

static uint64_t number_of(const struct oct *o)
{
	uint64_t v = 0;

	for (size_t i = 0; i < o->len; i++)
		v = v << 8 | o->b[i];
	return v;
}

void card_of_vector(struct sim_card *c, const json_t *v)
{
	struct oct tar = oct_of(v, "tar"), kic = oct_of(v, "kic"), kic_key = oct_of(v, "kic_key"),
		   kid_key = oct_of(v, "kid_key"), cntr = oct_of(v, "cntr");
	struct sim_card_profile p;
	uint8_t unused;

	sim_card_profile_default(&p);
	p.msl = 0;
	p.tars = 1;
	memcpy(p.tar[0], tar.b, 3);
	p.kvn = kic.b[0] >> 4;
	p.cntr = number_of(&cntr) ? number_of(&cntr) - 1 : 0;
	if (sim_card_init(c, 1, 0, &p) < 0)
		die("profile refused for vector", text_of(v, "id"));
	c->ks[0].kic_alg = alg_of_vector(text_of(v, "cipher"), &unused);
	c->ks[0].kid_alg = alg_of_vector(text_of(v, "integrity"), &c->ks[0].mac_len);
	memcpy(c->ks[0].kic, kic_key.b, kic_key.len);
	memcpy(c->ks[0].kid, kid_key.b, kid_key.len);
}

static uint8_t nibble(enum sim_alg alg)
{
	return alg == SIM_ALG_3DES2 ? 5 : alg == SIM_ALG_3DES3 ? 9 : alg == SIM_ALG_DES ? 1 : 2;
}

struct cmd_spec spec_of(const struct sim_card *c, uint64_t cntr)
{
	const struct sim_keyset *ks = &c->ks[0];

	return (struct cmd_spec){
		.spi1 = 0x16,
		.spi2 = 0x39,
		.kic = (uint8_t)(ks->kvn << 4 | nibble(ks->kic_alg)),
		.kid = (uint8_t)(ks->kvn << 4 | nibble(ks->kid_alg)),
		.tar = 0xb00011,
		.cntr = cntr,
	};
}

static void add(struct oct *o, const void *p, size_t n)
{
	if (o->len + n > sizeof(o->b))
		die("test packet", "too long");
	memcpy(o->b + o->len, p, n);
	o->len += n;
}

static void add_be(struct oct *o, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t b = (uint8_t)(v >> 8 * (n - 1 - i));

		add(o, &b, 1);
	}
}

struct oct packet_build(const struct sim_card *c, const struct cmd_spec *k, const struct oct *data)
{
	const struct sim_keyset *ks = &c->ks[0];
	size_t n = (k->spi1 & 3) == 2 ? ks->mac_len :
		   (k->spi1 & 3) == 1 ? 4 :
					0,
	       block = sim_block(ks->kic_alg), pad = 0;
	struct oct o = { 0 }, in = { 0 };
	static const uint8_t zero[16];
	uint8_t cc[8] = { 0 };

	if (k->spi1 & 4)
		pad = (block - (6 + n + data->len) % block) % block;
	add_be(&o, 14 + n + data->len + pad, 2);
	add_be(&o, 13 + n, 1);
	add_be(&o, (uint64_t)k->spi1 << 24 | (uint64_t)k->spi2 << 16 | (uint64_t)k->kic << 8 | k->kid, 4);
	add_be(&o, k->tar, 3);
	add_be(&o, k->cntr, 5);
	add_be(&o, pad + k->pcntr_add, 1);
	in = o;
	add(&in, data->b, data->len);
	add(&in, zero, pad);
	if ((k->spi1 & 3) == 2 && sim_cc(ks->kid_alg, ks->kid, in.b, in.len, cc, n) < 0)
		die("sim_cc", "refused");
	if ((k->spi1 & 3) == 1) {
		uint32_t crc = sim_crc32(in.b, in.len);

		for (int i = 0; i < 4; i++)
			cc[i] = (uint8_t)(crc >> (24 - 8 * i));
	}
	add(&o, cc, n);
	add(&o, data->b, data->len);
	add(&o, zero, pad);
	if (k->spi1 & 4 && sim_cbc(ks->kic_alg, ks->kic, true, o.b + 10, o.len - 10) < 0)
		die("sim_cbc", "refused");
	return o;
}

struct oct ud_single(const struct oct *pkt)
{
	struct oct o = oct_hex("027000");

	add(&o, pkt->b, pkt->len);
	return o;
}

struct oct ud_segment(const struct oct *pkt, uint16_t ref, bool wide, uint8_t max, uint8_t seq, size_t room)
{
	size_t at = (size_t)(seq - 1) * room, n = pkt->len - at < room ? pkt->len - at : room;
	struct oct o = { 0 };

	add_be(&o, (wide ? 6u : 5u) + (seq == 1 ? 2 : 0), 1);
	add_be(&o, wide ? 0x0804 : 0x0003, 2);
	add_be(&o, ref, wide ? 2 : 1);
	add_be(&o, (uint64_t)max << 8 | seq, 2);
	if (seq == 1)
		add_be(&o, 0x7000, 2);
	add(&o, pkt->b + at, n);
	return o;
}

struct por por_open_ud(const struct sim_card *c, const struct cmd_spec *k, const uint8_t *ud, size_t len)
{
	const struct sim_keyset *ks = &c->ks[0];
	struct oct o = { 0 }, in = { 0 };
	struct por p = { 0 };
	uint8_t cc[8];
	size_t n, pad;

	if (len < 16 || memcmp(ud, "\x02\x71\x00", 3))
		return p;
	add(&o, ud, len);
	n = o.b[5] - 10u;
	if (((size_t)o.b[3] << 8 | o.b[4]) != len - 5 || n > 8)
		return p;
	if (k->spi2 & 0x10 && n &&
	    ((len - 9) % sim_block(ks->kic_alg) || sim_cbc(ks->kic_alg, ks->kic, false, o.b + 9, len - 9) < 0))
		return p;
	for (int i = 0; i < 5; i++)
		p.cntr = p.cntr << 8 | o.b[9 + i];
	pad = o.b[14];
	p.status = o.b[15];
	if (16 + n + pad > len)
		return p;
	add(&in, o.b, 16);
	add(&in, o.b + 16 + n, len - 16 - n);
	p.valid = true;
	if (n && !sim_cc(ks->kid_alg, ks->kid, in.b, in.len, cc, n))
		p.secured = !memcmp(cc, o.b + 16, n);
	add(&p.data, o.b + 16 + n, len - 16 - n - pad);
	return p;
}

struct por por_open(const struct sim_card *c, const struct cmd_spec *k, const struct sim_card_out *out)
{
	struct oct ud = oct_hex("027100");

	if (!(k->spi2 & 0x20))
		return por_open_ud(c, k, out->report, out->report_len);
	if (out->submits == 1)
		return por_open_ud(c, k, out->submit[0].ud, out->submit[0].len);
	for (int i = 0; i < out->submits; i++) {
		size_t skip = 1u + out->submit[i].ud[0];

		add(&ud, out->submit[i].ud + skip, out->submit[i].len - skip);
	}
	return por_open_ud(c, k, ud.b, ud.len);
}
