/* crc.c - redundancy checks of TS 102 225 Annex B.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Four bits a turn: a table of sixteen, because an RC is rare and small and a cache line is not.
 */
#include "ota/codec.h"

#include "codec_int.h"

/* CRC-16: x^16 + x^12 + x^5 + 1, reflected, register preset to ones and inverted at the end. */
uint16_t ota_crc16(const struct ota_span *parts, size_t n)
{
	static const uint16_t tab[16] = {
		0x0000, 0x1081, 0x2102, 0x3183, 0x4204, 0x5285, 0x6306, 0x7387,
		0x8408, 0x9489, 0xa50a, 0xb58b, 0xc60c, 0xd68d, 0xe70e, 0xf78f,
	};
	uint16_t crc = 0xffff;

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < parts[i].len; k++) {
			crc ^= parts[i].p[k];
			crc = (uint16_t)(crc >> 4 ^ tab[crc & 15]);
			crc = (uint16_t)(crc >> 4 ^ tab[crc & 15]);
		}
	}
	return (uint16_t)~crc;
}

/* CRC-32: the one of ISO/IEC 8802-3, reflected, register preset to ones and inverted at the end. */
uint32_t ota_crc32(const struct ota_span *parts, size_t n)
{
	static const uint32_t tab[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < parts[i].len; k++) {
			crc ^= parts[i].p[k];
			crc = crc >> 4 ^ tab[crc & 15];
			crc = crc >> 4 ^ tab[crc & 15];
		}
	}
	return ~crc;
}

void rc_write(uint8_t *out, size_t len, const struct ota_span *parts, size_t n)
{
	uint32_t v = len == 2 ? (uint32_t)ota_crc16(parts, n) << 16 : ota_crc32(parts, n);

	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(v >> (24 - 8 * i));
}
