/* gsm7.c - the GSM default alphabet and its packing: TS 23.038, 6.1.2 and 6.2.1; UTF-8 as far as files need it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "codec_int.h"

#define UNKNOWN	    '?'
#define UCS2_MAX    0xffff
#define NO_SEPTET   (-1)
#define UTF8_TAIL   0x3f /* bits of a continuation octet */
#define UTF8_LEN(c) ((c) < 0x80 ? 1u : (c) < 0x800 ? 2u : 3u)

/* 6.2.1, as code points.  The escape to an extension table (1B) has no character of its own. */
static const uint16_t alphabet[0x80 + 1] =
	u"@\u00a3$\u00a5\u00e8\u00e9\u00f9\u00ec\u00f2\u00c7\n\u00d8\u00f8\r\u00c5\u00e5"
	u"\u0394_\u03a6\u0393\u039b\u03a9\u03a0\u03a8\u03a3\u0398\u039e\0\u00c6\u00e6\u00df\u00c9"
	u" !\"#\u00a4%&'()*+,-./0123456789:;<=>?"
	u"\u00a1ABCDEFGHIJKLMNOPQRSTUVWXYZ\u00c4\u00d6\u00d1\u00dc\u00a7"
	u"\u00bfabcdefghijklmnopqrstuvwxyz\u00e4\u00f6\u00f1\u00fc\u00e0";

uint16_t gsm7_char(uint8_t septet)
{
	uint16_t c = alphabet[septet & 0x7f];

	return text_shown(c) ? c : UNKNOWN;
}

int gsm7_septet(uint32_t c)
{
	for (int i = 0; i < 0x80; i++)
		if (c && alphabet[i] == c)
			return i;
	return NO_SEPTET;
}

/* 6.1.2.1: the first in the lowest bits. */
uint8_t septet_get(const uint8_t *packed, size_t i)
{
	size_t bit = 7 * i;
	unsigned c = packed[bit / 8] >> bit % 8;

	if (bit % 8 > 1)
		c |= (unsigned)packed[bit / 8 + 1] << (8 - bit % 8);
	return c & 0x7f;
}

void septet_put(uint8_t *packed, size_t i, uint8_t septet)
{
	size_t bit = 7 * i;

	packed[bit / 8] |= (uint8_t)(septet << bit % 8);
	if (bit % 8 > 1)
		packed[bit / 8 + 1] |= (uint8_t)(septet >> (8 - bit % 8));
}

/* Control characters, and those that turn or hide what stands beside them, are nothing to put on a screen; halves of
 * surrogate pairs are no characters. */
bool text_shown(uint32_t c)
{
	return c >= 0x20 && (c < 0x7f || c > 0x9f) && (c < 0x200b || c > 0x200f) && (c < 0x2028 || c > 0x202e) &&
	       (c < 0x2060 || c > 0x206f) && (c < 0xd800 || c > 0xdfff) && c != 0xfeff && c < 0xfff9;
}

size_t utf8_put(char *text, size_t cap, uint32_t c)
{
	size_t n;

	if (c > UCS2_MAX || !text_shown(c))
		c = UNKNOWN;
	n = UTF8_LEN(c);
	if (n >= cap)
		return 0;
	if (n == 1) {
		text[0] = (char)c;
	} else if (n == 2) {
		text[0] = (char)(0xc0 | c >> 6);
		text[1] = (char)(0x80 | (c & UTF8_TAIL));
	} else {
		text[0] = (char)(0xe0 | c >> 12);
		text[1] = (char)(0x80 | (c >> 6 & UTF8_TAIL));
		text[2] = (char)(0x80 | (c & UTF8_TAIL));
	}
	text[n] = '\0';
	return n;
}

size_t utf8_get(const char *text, uint32_t *c)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t n = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : 0;

	*c = n == 1 ? p[0] : n == 2 ? p[0] & 0x1f : p[0] & 0x0f;
	for (size_t i = 1; i < n; i++) {
		if (p[i] >> 6 != 2) /* the end of the string as well */
			return 0;
		*c = *c << 6 | (p[i] & UTF8_TAIL);
	}
	return n && UTF8_LEN(*c) == n && text_shown(*c) ? n : 0;
}
