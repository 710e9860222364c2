/* fuzz_rsp.c - response packets from anywhere, against any command.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * input: SPI2, KIc, KID, cc_len, key set, packet; the command had TAR B00011 and CNTR 0102030405
 */
#include <stdlib.h>

#include "glass_crypt.h"

#define HEAD 5

static void check_accepted(const struct ota_rsp *rsp, const struct ota_cmd_params *sent)
{
	bool asked = OTA_SPI2_INTEGRITY(sent->spi[1]) || OTA_SPI2_CIPHERED(sent->spi[1]);

	fuzz_touch(rsp->data, rsp->data_len);
	FUZZ_HOLDS(rsp->why == 0);
	switch (rsp->verdict) {
	case OTA_ACCEPT:
		FUZZ_HOLDS(memcmp(rsp->tar, sent->tar, 3) == 0 && rsp->cntr == sent->cntr);
		FUZZ_HOLDS(rsp->secured || !OTA_SPI2_INTEGRITY(sent->spi[1]));
		break;
	case OTA_ACCEPT_UNAUTHENTICATED:
		FUZZ_HOLDS(!rsp->secured && rsp->status != OTA_POR_OK && rsp->data_len == 0);
		FUZZ_HOLDS(asked || rsp->cntr == 0);
		break;
	case OTA_ACCEPT_UNCORRELATED:
		FUZZ_HOLDS(memcmp(rsp->tar, sent->tar, 3) || rsp->cntr != sent->cntr);
		FUZZ_HOLDS(rsp->secured || !OTA_SPI2_INTEGRITY(sent->spi[1]));
		break;
	default:
		FUZZ_HOLDS(false);
	}
}

/* What a card said can be said again. */
static void round_trip(const struct ota_rsp *rsp, const struct ota_cmd_params *sent)
{
	static uint8_t buf[OTA_PACKET_PROTOCOL_MAX];
	struct ota_rsp back;
	int len = ota_rsp_encode(buf, sizeof(buf), sent, rsp->status, rsp->data, rsp->data_len, &glass_crypt);

	if (len == OTA_E_LENGTH || len == OTA_E_SPACE)
		return;
	FUZZ_HOLDS(len > 0 && ota_rsp_open(&back, buf, (size_t)len, sent, &glass_crypt) == 0);
	FUZZ_HOLDS(back.verdict == OTA_ACCEPT && back.status == rsp->status && back.data_len == rsp->data_len);
	FUZZ_HOLDS(back.data_len == 0 || memcmp(back.data, rsp->data, back.data_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ota_cmd_params sent = { .tar = { 0xb0, 0x00, 0x11 }, .cntr = 0x0102030405 };
	struct ota_rsp rsp;
	uint8_t *packet, tar[3];
	int rc;

	if (size < HEAD)
		return 0;
	sent.spi[1] = data[0];
	sent.legacy = true;
	sent.kic = data[1];
	sent.kid = data[2];
	sent.cc_len = data[3];
	sent.kic_ref = (struct ks_ref){ .set = data[4] & 1, .key = KS_KEY_KIC };
	sent.kid_ref = (struct ks_ref){ .set = data[4] & 1, .key = KS_KEY_KID };
	size -= HEAD;
	packet = malloc(size);
	if (size)
		memcpy(packet, data + HEAD, size);
	rc = ota_rsp_peek_tar(packet, size, tar);
	ota_rsp_open(&rsp, packet, size, &sent, &glass_crypt);
	FUZZ_HOLDS(rc == 0 || rsp.verdict == OTA_REJECT);
	FUZZ_HOLDS(rsp.verdict != OTA_REJECT || (rsp.why < 0 && !rsp.data && !rsp.secured));
	if (rsp.verdict != OTA_REJECT)
		check_accepted(&rsp, &sent);
	if (rsp.verdict == OTA_ACCEPT)
		round_trip(&rsp, &sent);
	free(packet);
	return 0;
}
