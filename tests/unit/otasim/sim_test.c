/* sim_test.c - octets and vectors for the virtual card's tests.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
		{ "des", SIM_ALG_DES, 8 },	     { "des-cbc", SIM_ALG_DES, 8 },	  { "3des2", SIM_ALG_3DES2, 8 },
		{ "3des3", SIM_ALG_3DES3, 8 },	     { "aes128", SIM_ALG_AES128, 8 },	  { "aes192", SIM_ALG_AES192, 8 },
		{ "aes256", SIM_ALG_AES256, 8 },     { "cmac8-128", SIM_ALG_AES128, 8 },  { "cmac8-192", SIM_ALG_AES192, 8 },
		{ "cmac8-256", SIM_ALG_AES256, 8 },  { "cmac4-128", SIM_ALG_AES128, 4 },  { "cmac4-256", SIM_ALG_AES256, 4 },
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
