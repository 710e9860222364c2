/* codec_int.h - what the codec's own files share; never installed.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTA_CODEC_INT_H
#define OTA_CODEC_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Integrity as SPI1 b2b1 and SPI2 b4b3 name it (TS 102 225, 5.1.1). */
enum { INTEGRITY_NONE = 0, INTEGRITY_RC = 1, INTEGRITY_CC = 2, INTEGRITY_DS = 3 };

/* Octets of RC/CC for an integrity kind under a KID: the command's and the response's rule are the same. */
int integrity_len(unsigned integrity, uint8_t kid);

/* Writes the RC of 2 or 4 octets over the parts, most significant octet first. */
struct ota_span;
void rc_write(uint8_t *out, size_t len, const struct ota_span *parts, size_t n);

/* Equal or not in time that depends on n alone: a MAC is never compared with memcmp(). */
static inline bool ct_equal(const uint8_t *a, const uint8_t *b, size_t n)
{
	volatile uint8_t diff = 0;

	for (size_t i = 0; i < n; i++)
		diff |= a[i] ^ b[i];
	return diff == 0;
}

/* Semi-octets, low nibble first, as TS 23.040 addresses and TS 31.102 files have them.  Writes ceil(n / 2) octets, an
 * odd last one with `filler` on top.  false: not a digit. */
bool bcd_write(uint8_t *out, const char *digits, size_t n, uint8_t filler);
/* n digits from ceil(n / 2) octets, NUL-terminated.  false: a semi-octet is no digit. */
bool bcd_read(char *digits, const uint8_t *in, size_t n);

#endif
