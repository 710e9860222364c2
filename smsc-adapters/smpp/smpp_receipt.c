/* smpp_receipt.c - delivery receipts as text (SMPP Appendix B).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * "id:IIIIIIIIII sub:SSS dlvrd:DDD submit date:YYMMDDhhmm done date:YYMMDDhhmm stat:DDDDDDD err:E Text: ..." is a habit
 * and no format: keys come in any case and order, some are missing.  What does not fit its field is left empty.
 */
#include "smpp_receipt.h"

#include <string.h>
#include <strings.h>

#define ERR_DIGITS_MAX 9

/* The value behind " key" up to the next blank, or NULL. */
static const char *value_of(const char *text, size_t len, const char *key, size_t *value_len)
{
	size_t key_len = strlen(key);

	for (size_t i = 0; i + key_len <= len; i++) {
		size_t n = 0;

		if ((i && text[i - 1] != ' ') || strncasecmp(text + i, key, key_len))
			continue;
		text += i + key_len;
		len -= i + key_len;
		while (n < len && text[n] != ' ')
			n++;
		*value_len = n;
		return text;
	}
	return NULL;
}

static bool is_text(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((p[i] < 0x20 || p[i] == 0x7f) && p[i] != '\r' && p[i] != '\n' && p[i] != '\t')
			return false;
	return len > 0;
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static uint32_t number(const char *v, size_t n)
{
	uint32_t sum = 0;

	if (n > ERR_DIGITS_MAX)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (v[i] < '0' || v[i] > '9')
			return 0;
		sum = sum * 10 + (uint32_t)(v[i] - '0');
	}
	return sum;
}

bool smpp_receipt_parse(struct smpp_receipt *out, const uint8_t *octets, size_t len)
{
	const char *text = (const char *)octets, *id, *stat, *err;
	size_t id_len = 0, stat_len = 0, err_len = 0;

	memset(out, 0, sizeof(*out));
	while (len && !octets[len - 1])
		len--;
	if (!is_text(octets, len))
		return false;
	id = value_of(text, len, "id:", &id_len);
	stat = value_of(text, len, "stat:", &stat_len);
	err = value_of(text, len, "err:", &err_len);
	if (!id && !stat)
		return false;
	if (id && id_len < sizeof(out->id))
		memcpy(out->id, id, id_len);
	if (stat && stat_len < sizeof(out->stat))
		for (size_t i = 0; i < stat_len; i++)
			out->stat[i] = upper(stat[i]);
	if (err)
		out->err = number(err, err_len);
	return true;
}

const char *smpp_state_stat(uint8_t message_state)
{
	static const char *const stats[] = {
		[SMPP_STATE_ENROUTE] = "ENROUTE",	[SMPP_STATE_DELIVERED] = "DELIVRD",
		[SMPP_STATE_EXPIRED] = "EXPIRED",	[SMPP_STATE_DELETED] = "DELETED",
		[SMPP_STATE_UNDELIVERABLE] = "UNDELIV", [SMPP_STATE_ACCEPTED] = "ACCEPTD",
		[SMPP_STATE_UNKNOWN] = "UNKNOWN",	[SMPP_STATE_REJECTED] = "REJECTD",
	};

	if (!message_state || message_state >= sizeof(stats) / sizeof(stats[0]))
		return "";
	return stats[message_state];
}
