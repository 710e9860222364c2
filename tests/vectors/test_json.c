/* test_json.c - octets and command parameters out of the vector files.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_json.h"

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static struct octets octets_new(size_t len)
{
	struct octets o = { malloc(len), len };

	if (!o.p && len) {
		fprintf(stderr, "out of memory\n");
		exit(2);
	}
	return o;
}

struct octets octets_copy(const uint8_t *p, size_t len)
{
	struct octets o = octets_new(len);

	if (len)
		memcpy(o.p, p, len);
	return o;
}

struct octets octets_hex(const char *hex)
{
	struct octets o = octets_new(strlen(hex) / 2);

	for (size_t i = 0; i < o.len; i++) {
		int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);

		if (high < 0 || low < 0 || strlen(hex) & 1) {
			fprintf(stderr, "not octets: %s\n", hex);
			exit(2);
		}
		o.p[i] = (uint8_t)(high << 4 | low);
	}
	return o;
}

const char *json_text(const json_t *v, const char *member)
{
	const char *s = json_string_value(json_object_get(v, member));

	if (!s) {
		char *text = json_dumps(v, 0);

		fprintf(stderr, "no text member \"%s\" in %s\n", member, text ? text : "?");
		free(text);
		exit(2);
	}
	return s;
}

struct octets octets_get(const json_t *v, const char *member)
{
	return octets_hex(json_text(v, member));
}

void octets_free(struct octets *o)
{
	free(o->p);
	*o = (struct octets){ 0 };
}

bool octets_are(const struct octets *o, const uint8_t *p, size_t len)
{
	return o->len == len && (len == 0 || memcmp(o->p, p, len) == 0);
}

uint64_t json_hex(const json_t *v, const char *member)
{
	const char *s = json_string_value(json_object_get(v, member));

	return s ? strtoull(s, NULL, 16) : 0;
}

struct ota_cmd_params json_params(const json_t *v, uint32_t set)
{
	uint64_t tar = json_hex(v, "tar");

	return (struct ota_cmd_params){
		.spi = { (uint8_t)json_hex(v, "spi1"), (uint8_t)json_hex(v, "spi2") },
		.kic = (uint8_t)json_hex(v, "kic"),
		.kid = (uint8_t)json_hex(v, "kid"),
		.tar = { (uint8_t)(tar >> 16), (uint8_t)(tar >> 8), (uint8_t)tar },
		.cntr = json_hex(v, "cntr"),
		.cc_len = (uint8_t)json_integer_value(json_object_get(v, "cc_len")),
		.kic_ref = { .set = set, .key = KS_KEY_KIC },
		.kid_ref = { .set = set, .key = KS_KEY_KID },
		/* The vectors have DES-ECB of old servers too; unit tests say that it must be asked for. */
		.legacy = true,
	};
}

void json_vectors(const char *dir, const char *file, void (*each)(void *ctx, const json_t *v), void *ctx)
{
	char path[PATH_MAX];
	json_error_t err;
	json_t *root, *v;
	size_t i;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	root = json_load_file(path, 0, &err);
	if (!root) {
		fprintf(stderr, "%s:%d: %s\n", path, err.line, err.text);
		exit(2);
	}
	json_array_foreach(json_object_get(root, "vectors"), i, v) each(ctx, v);
	if (i == 0) {
		fprintf(stderr, "%s: no vectors\n", path);
		exit(2);
	}
	json_decref(root);
}
