/* test_tamper.c - cut at every length and flipped at every bit: nothing under a MAC may pass.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * usage: test_tamper DIRECTORY
 *
 * Every packet of the command and response vectors stands in a heap block of its exact size (ASan and valgrind see one
 * octet too far) and is decoded cut at every length and with every single bit turned over.
 */
#include <stdio.h>
#include <string.h>

#include "test_crypt.h"
#include "test_json.h"

#define SET 1

static struct {
	unsigned vectors, tampered, accepted;
} stats[2];
static struct test_crypt keys;

static struct ota_crypt load_keys(const json_t *v)
{
	struct octets kic = octets_get(v, "kic_key"), kid = octets_get(v, "kid_key");

	test_crypt_set(&keys, SET, KS_KEY_KIC, kic.p, kic.len);
	test_crypt_set(&keys, SET, KS_KEY_KID, kid.p, kid.len);
	octets_free(&kic);
	octets_free(&kid);
	return test_crypt(&keys);
}

static bool opens_cmd(const uint8_t *p, size_t len, const struct ota_cmd_params *params, const struct ota_crypt *crypt)
{
	struct octets copy = octets_copy(p, len);
	struct ota_cmd cmd;
	int rc = ota_cmd_decode(&cmd, copy.p, copy.len, NULL, NULL);

	octets_free(&copy);
	copy = octets_copy(p, len);
	rc = ota_cmd_decode(&cmd, copy.p, copy.len, params, crypt) == 0 && cmd.opened;
	octets_free(&copy);
	return rc;
}

static bool opens_rsp(const uint8_t *p, size_t len, const struct ota_cmd_params *params, const struct ota_crypt *crypt)
{
	struct octets copy = octets_copy(p, len);
	struct ota_rsp rsp;

	ota_rsp_open(&rsp, copy.p, copy.len, params, crypt);
	octets_free(&copy);
	return rsp.verdict != OTA_REJECT;
}

static void tamper(void *ctx, const json_t *v)
{
	bool rsp = *(const bool *)ctx;
	struct ota_crypt crypt = load_keys(v);
	struct ota_cmd_params params = json_params(v, SET);
	unsigned integrity = rsp ? OTA_SPI2_INTEGRITY(params.spi[1]) : OTA_SPI1_INTEGRITY(params.spi[0]);
	bool (*opens)(const uint8_t *, size_t, const struct ota_cmd_params *, const struct ota_crypt *) =
		rsp ? opens_rsp : opens_cmd;
	struct octets packet;

	if (strcmp(json_text(v, "kind"), rsp ? "response" : "command"))
		return;
	packet = octets_get(v, "packet");
	stats[rsp].vectors++;
	if (!opens(packet.p, packet.len, &params, &crypt)) {
		fprintf(stderr, "%s: the untouched packet does not open\n", json_text(v, "id"));
		stats[rsp].accepted++;
	}
	for (size_t len = 0; len < packet.len; len++) {
		stats[rsp].tampered++;
		if (opens(packet.p, len, &params, &crypt)) {
			fprintf(stderr, "%s: opens when cut to %zu octets\n", json_text(v, "id"), len);
			stats[rsp].accepted++;
		}
	}
	for (size_t bit = 0; bit < 8 * packet.len; bit++) {
		packet.p[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		stats[rsp].tampered++;
		/* Without RC or CC only memory safety is asked for: nobody promised integrity. */
		if (opens(packet.p, packet.len, &params, &crypt) && integrity) {
			fprintf(stderr, "%s: opens with bit %zu flipped\n", json_text(v, "id"), bit);
			stats[rsp].accepted++;
		}
		packet.p[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	}
	octets_free(&packet);
}

int main(int argc, char **argv)
{
	bool rsp = false;

	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY-OF-VECTORS\n", argv[0]);
		return 2;
	}
	json_vectors(argv[1], "dev-command-matrix.json", tamper, &rsp);
	json_vectors(argv[1], "dev-command-sweep.json", tamper, &rsp);
	json_vectors(argv[1], "dev-published.json", tamper, &rsp);
	rsp = true;
	json_vectors(argv[1], "dev-response-matrix.json", tamper, &rsp);
	test_crypt_free();
	for (unsigned i = 0; i < 2; i++)
		printf("%s: %u packets, %u times cut or flipped, %u wrongly accepted\n", i ? "response" : "command",
		       stats[i].vectors, stats[i].tampered, stats[i].accepted);
	return stats[0].accepted || stats[1].accepted || !stats[0].vectors || !stats[1].vectors;
}
