/* fuzz_cmd.c - command packets from anywhere.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * input: cc_len, key set, packet
 */
#include <stdlib.h>

#include "glass_crypt.h"

/* What was read can be written, and reads the same. */
static void round_trip(const struct ota_cmd *cmd)
{
	static uint8_t buf[OTA_PACKET_PROTOCOL_MAX];
	struct ota_cmd_params p = cmd->p;
	struct ota_cmd back;
	int len = ota_cmd_encode(buf, sizeof(buf), &p, &glass_crypt);

	/* Not everything readable is to be built: reserved bits, mixed versions, more messages than we send. */
	FUZZ_HOLDS(len != OTA_E_LEGACY);
	if (len == OTA_E_SPI || len == OTA_E_DS || len == OTA_E_KVN || len == OTA_E_LENGTH)
		return;
	FUZZ_HOLDS(len > 0 && len == ota_cmd_len(&p));
	FUZZ_HOLDS(ota_cmd_decode(&back, buf, (size_t)len, &p, &glass_crypt) == 0 && back.opened);
	FUZZ_HOLDS(back.p.cntr == p.cntr && back.p.data_len == p.data_len && back.p.cc_len == p.cc_len);
	FUZZ_HOLDS(p.data_len == 0 || memcmp(back.p.data, p.data, p.data_len) == 0);
	FUZZ_HOLDS(memcmp(back.p.tar, p.tar, 3) == 0 && memcmp(back.p.spi, p.spi, 2) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ota_cmd_params in = { 0 };
	struct ota_cmd cmd, clear;
	uint8_t *packet;
	int rc;

	if (size < 2)
		return 0;
	in.cc_len = data[0];
	in.kic_ref = (struct ks_ref){ .set = data[1] & 1, .key = KS_KEY_KIC };
	in.kid_ref = (struct ks_ref){ .set = data[1] & 1, .key = KS_KEY_KID };
	size -= 2;
	packet = malloc(size);
	if (size)
		memcpy(packet, data + 2, size);
	rc = ota_cmd_decode(&clear, packet, size, NULL, NULL);
	FUZZ_HOLDS(!clear.opened);
	FUZZ_HOLDS(rc == 0 || !clear.p.data);
	rc = ota_cmd_decode(&cmd, packet, size, &in, &glass_crypt);
	FUZZ_HOLDS(cmd.opened == (rc == 0));
	if (rc == 0) {
		FUZZ_HOLDS(cmd.p.cntr <= OTA_CNTR_MAX && cmd.p.data_len + cmd.pcntr < size);
		FUZZ_HOLDS(memcmp(cmd.p.tar, clear.p.tar, 3) == 0);
		round_trip(&cmd);
	}
	free(packet);
	return 0;
}
