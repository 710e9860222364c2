/* errtab_code.c - codes of the error table as text: numbers, pairs of numbers, words, and ranges of them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A code becomes one number: a word by its characters, anything else as NUMBER << 32 | (SUB + 1), so that a code without a
 * second part sorts before all that have one.
 */
#include <stdio.h>
#include <string.h>

#include "errtab_int.h"

#define WORD_MAX      7 /* characters of stat: */
#define SUB_ANY	      UINT32_MAX
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

enum form { FORM_NUMBER, FORM_HEX, FORM_PAIR, FORM_WORD };

static const struct {
	const char *name, *title;
	enum form form;
	uint32_t max, sub_max; /* sub_max 0: there is no second part */
	const char *example;
} planes[] = {
	[ERRTAB_SMPP] = { "smpp", "SMPP command_status", FORM_NUMBER, UINT32_MAX, 0, "0x58 or 88" },
	[ERRTAB_RECEIPT] = { "receipt", "delivery receipt, stat:", FORM_WORD, 0, 0, "UNDELIV" },
	[ERRTAB_RECEIPT_ERR] = { "receipt-err", "delivery receipt, err:", FORM_NUMBER, 999999999, 0, "27" },
	[ERRTAB_NEC] = { "nec", "network_error_code", FORM_PAIR, 255, 0xffff, "3/27: type 3 (GSM), code 27" },
	[ERRTAB_MAP] = { "map", "MAP user error", FORM_NUMBER, 255, 255, "27, or with a cause 32/0" },
	[ERRTAB_RP] = { "rp", "RP-Cause", FORM_NUMBER, 127, 0, "22" },
	[ERRTAB_GSUP] = { "gsup", "GSUP Cause", FORM_NUMBER, 255, 0, "2" },
	[ERRTAB_FCS] = { "fcs", "TP-FCS", FORM_HEX, 0xff, 0, "d5: hex" },
	[ERRTAB_POR] = { "por", "PoR status", FORM_HEX, 0xff, 0, "06: hex" },
	[ERRTAB_SW] = { "sw", "status word of the card", FORM_HEX, 0xffff, 0, "6a82: hex" },
};
_Static_assert(ARRAY_SIZE(planes) == _ERRTAB_PLANES, "every plane has its row");

const char *errtab_plane_name(enum errtab_plane plane)
{
	return (unsigned)plane < _ERRTAB_PLANES ? planes[plane].name : "?";
}

const char *errtab_plane_title(enum errtab_plane plane)
{
	return (unsigned)plane < _ERRTAB_PLANES ? planes[plane].title : "?";
}

bool errtab_plane_of(const char *name, enum errtab_plane *plane)
{
	for (unsigned i = 0; i < _ERRTAB_PLANES; i++)
		if (!strcmp(planes[i].name, name)) {
			*plane = (enum errtab_plane)i;
			return true;
		}
	return false;
}

/* ------------------------------------------------------------------------------------------------ keys */

uint64_t errtab_key(uint32_t number)
{
	return (uint64_t)number << 32;
}

uint64_t errtab_key_sub(uint32_t number, uint32_t sub)
{
	return (uint64_t)number << 32 | (sub == SUB_ANY ? sub : sub + 1);
}

uint64_t errtab_key_word(const char *word)
{
	uint64_t key = 0;
	size_t n = strlen(word);

	if (n > WORD_MAX)
		return 0;
	for (size_t i = 0; i < WORD_MAX; i++) {
		char c = i < n ? word[i] : 0;

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		key = key << 8 | (uint8_t)c;
	}
	return key;
}

const char *errtab_key_text(enum errtab_plane plane, uint64_t key, char out[ERRTAB_CODE_MAX])
{
	unsigned number = (unsigned)(key >> 32), sub = (unsigned)(uint32_t)key;
	size_t n = 0;

	if ((unsigned)plane >= _ERRTAB_PLANES) {
		snprintf(out, ERRTAB_CODE_MAX, "?");
	} else if (planes[plane].form == FORM_WORD) {
		for (int shift = 8 * (WORD_MAX - 1); shift >= 0; shift -= 8)
			if (key >> shift & 0xff)
				out[n++] = (char)(key >> shift & 0xff);
		out[n] = 0;
	} else if (planes[plane].form == FORM_HEX) {
		snprintf(out, ERRTAB_CODE_MAX, "%0*X", planes[plane].max > 0xff ? 4 : 2, number);
	} else if (sub) {
		snprintf(out, ERRTAB_CODE_MAX, "%u/%u", number, sub - 1);
	} else {
		snprintf(out, ERRTAB_CODE_MAX, plane == ERRTAB_SMPP ? "0x%02X" : "%u", number);
	}
	return out;
}

/* ------------------------------------------------------------------------------------------------ from text */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool has_0x(const char *s)
{
	return s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && digit(s[2]) >= 0;
}

/* One number at *s, which is moved behind it; false when there is none or it is greater than max. */
static bool number(const char **s, bool hex, uint32_t max, uint32_t *out)
{
	unsigned base = hex ? 16 : 10;
	uint64_t v = 0;
	bool any = false;

	if (has_0x(*s)) {
		base = 16;
		*s += 2;
	}
	for (int d; (d = digit(**s)) >= 0 && d < (int)base; (*s)++) {
		v = v * base + (unsigned)d;
		any = true;
		if (v > max)
			return false;
	}
	*out = (uint32_t)v;
	return any;
}

/* "91xx": the digits that are left open stand at the end. */
static bool open_digits(const char **s, uint32_t max, uint32_t *lo, uint32_t *hi)
{
	size_t want = max > 0xff ? 4 : 2, n = 0;
	uint32_t v = 0, mask = 0;

	for (; n < want && ((*s)[n] == 'x' || (*s)[n] == 'X' || (!mask && digit((*s)[n]) >= 0)); n++) {
		int d = digit((*s)[n]);

		v = v << 4 | (d < 0 ? 0 : (uint32_t)d);
		mask = mask << 4 | (d < 0 ? 0xf : 0);
	}
	if (n < want || !mask)
		return false;
	*s += n;
	*lo = v;
	*hi = v | mask;
	return true;
}

/* A number, or a range of them. */
static bool numbers(const char **s, bool hex, uint32_t max, uint32_t *lo, uint32_t *hi)
{
	if (**s == '*') {
		(*s)++;
		*lo = 0;
		*hi = max;
		return true;
	}
	if (hex && !has_0x(*s) && open_digits(s, max, lo, hi))
		return true;
	if (!number(s, hex, max, lo))
		return false;
	*hi = *lo;
	if (**s != '-')
		return true;
	(*s)++;
	return number(s, hex, max, hi);
}

static const char *word_parse(const char *text, uint64_t *lo, uint64_t *hi)
{
	size_t n = strlen(text);

	if (!n || n > WORD_MAX || strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") != n)
		return "a word of 1 to 7 letters";
	*lo = *hi = errtab_key_word(text);
	return NULL;
}

const char *errtab_range_parse(enum errtab_plane plane, const char *text, uint64_t *lo, uint64_t *hi)
{
	uint32_t a, b, sub_a, sub_b, max = planes[plane].max;
	bool hex = planes[plane].form == FORM_HEX;

	*lo = *hi = 0;
	if (planes[plane].form == FORM_WORD)
		return word_parse(text, lo, hi);
	if (!numbers(&text, hex, max, &a, &b))
		return planes[plane].example;
	if (planes[plane].form == FORM_PAIR && (a != b || *text != '/'))
		return planes[plane].example;
	if (!*text && b >= a) {
		*lo = errtab_key(a);
		*hi = errtab_key(b);
		return NULL;
	}
	if (*text++ != '/' || !planes[plane].sub_max || a != b ||
	    !numbers(&text, hex, planes[plane].sub_max, &sub_a, &sub_b) || *text || sub_b < sub_a)
		return planes[plane].example;
	*lo = errtab_key_sub(a, sub_a);
	*hi = errtab_key_sub(a, sub_b);
	return NULL;
}

const char *errtab_key_parse(enum errtab_plane plane, const char *text, uint64_t *key)
{
	uint64_t hi;
	const char *why = errtab_range_parse(plane, text, key, &hi);

	return why ? why : *key == hi ? NULL : planes[plane].example;
}
