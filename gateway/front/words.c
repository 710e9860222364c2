/* words.c - small texts: masked digits, times as people and programs read them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "words.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *masked(char out[MASKED_MAX], const char *digits)
{
	size_t n = strlen(digits);

	if (n <= 8)
		snprintf(out, MASKED_MAX, "%.2s…", digits);
	else
		snprintf(out, MASKED_MAX, "%.4s…%.4s", digits, digits + n - 4);
	return out;
}

const char *rfc3339(char out[RFC3339_MAX], int64_t utc_ms)
{
	time_t s = (time_t)(utc_ms / 1000);
	int ms = (int)(utc_ms % 1000);
	struct tm tm;

	if (ms < 0) {
		ms += 1000;
		s--;
	}
	/* a time outside what gmtime or four digits of year can say comes from a damaged row: show it as such */
	if (!gmtime_r(&s, &tm) || tm.tm_year < -1900 || tm.tm_year > 8099) {
		snprintf(out, RFC3339_MAX, "invalid");
		return out;
	}
	snprintf(out, RFC3339_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (tm.tm_year + 1900) % 10000,
		 (tm.tm_mon + 1) % 100, tm.tm_mday % 100, tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100,
		 ms % 1000);
	return out;
}

void hex_encode(char *out, const uint8_t *in, size_t len)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*out++ = digit[in[i] >> 4];
		*out++ = digit[in[i] & 15];
	}
	*out = 0;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hex_decode(uint8_t *out, size_t cap, const char *hex)
{
	size_t n = 0;

	for (; *hex; hex += 2) {
		int hi = nibble(hex[0]), lo = hi < 0 ? -1 : nibble(hex[1]);

		if (lo < 0 || n == cap)
			return -1;
		out[n++] = (uint8_t)(hi << 4 | lo);
	}
	return (int)n;
}

bool name_ok(const char *name, size_t max)
{
	size_t n = strlen(name);

	if (!n || n >= max || !isalnum((unsigned char)name[0]))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
			return false;
	}
	return true;
}
