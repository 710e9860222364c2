/* encode.c - a command packet with a CRC and without ciphering: no key is needed to try it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * cc encode.c $(pkg-config --cflags --libs ota-codec) -o encode && ./encode
 */
#include <stdio.h>
#include <ota/codec.h>

int main(void)
{
	uint8_t data[OTA_SCRIPT_MAX], packet[OTA_PACKET_1SMS_MAX], imsi[USIM_IMSI_LEN];
	struct ota_script s;
	struct ota_cmd_params p = {
		.spi = { 0x11, 0x21 }, /* RC, counter higher; PoR always, as SMS-SUBMIT */
		.kic = 0x10,
		.kid = 0x11, /* key version 1; KID: CRC-16 */
		.tar = { 0xb0, 0x00, 0x11 },
		.cntr = 1,
		.data = data,
	};
	int len;

	usim_imsi_encode(imsi, "262011106487504");
	ota_script_init(&s, data, sizeof(data));
	ota_script_select(&s, 0x00, USIM_FID_IMSI);
	ota_script_update_binary(&s, 0x00, 0, imsi, sizeof(imsi));
	len = ota_script_len(&s);
	p.data_len = len < 0 ? 0 : (size_t)len;
	if (len >= 0)
		len = ota_cmd_encode(packet, sizeof(packet), &p, NULL);
	if (len < 0)
		return fprintf(stderr, "%s\n", ota_strerror(len)), 1;
	for (int i = 0; i < len; i++)
		printf("%02x", packet[i]);
	return puts("") < 0;
}
