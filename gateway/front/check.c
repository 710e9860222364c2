/* check.c - the numbers of a list: right length, digits, check digit, not twice.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api_int.h"

const char *const number_name[_NUMBERS] = { "ICCID", "IMSI", "MSISDN" };

static const struct {
	unsigned min, max;
} number_len[_NUMBERS] = {
	[NUM_ICCID] = { ICCID_DIGITS_MIN,
			ICCID_DIGITS_MAX }, /* ITU-T E.118: 19 with its check digit; TS 102 221, 13.2: room for 20 */
	[NUM_IMSI] = { IMSI_DIGITS_MIN, IMSI_DIGITS_MAX },	 /* TS 23.003, 2.2 */
	[NUM_MSISDN] = { MSISDN_DIGITS_MIN, MSISDN_DIGITS_MAX }, /* ITU-T E.164 */
};

/* The digit that would make the Luhn sum right in place of the last one. */
static char luhn_should_be(const char *digits, size_t n)
{
	unsigned sum = 0;

	for (size_t i = 0; i + 1 < n; i++) {
		unsigned d = (unsigned)(digits[i] - '0');

		/* the octet left of the check digit is doubled, then every second one */
		if ((n - 2 - i) % 2 == 0)
			d = d * 2 > 9 ? d * 2 - 9 : d * 2;
		sum += d;
	}
	return (char)('0' + (10 - sum % 10) % 10);
}

int check_number(enum number what, const char *text, char *out, char *why, size_t cap)
{
	size_t n = strlen(text);
	char m[MASKED_MAX];

	if (what == NUM_MSISDN && *text == '+') {
		text++;
		n--;
	}
	/* the filler of EF_ICCID's last half octet, as some files carry it */
	if (what == NUM_ICCID && n && toupper((unsigned char)text[n - 1]) == 'F')
		n--;
	if (!n) {
		snprintf(why, cap, "%s is empty", number_name[what]);
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		if (!isdigit((unsigned char)text[i])) {
			snprintf(why, cap, "%s: character %zu is not a digit", number_name[what], i + 1);
			return -1;
		}
	}
	if (n < number_len[what].min || n > number_len[what].max) {
		snprintf(why, cap, "%s has %zu digits, should be %u to %u", number_name[what], n, number_len[what].min,
			 number_len[what].max);
		return -1;
	}
	memcpy(out, text, n);
	out[n] = 0;
	if (what == NUM_ICCID && !ota_luhn_ok(out)) {
		snprintf(why, cap, "ICCID %s: Luhn check digit is %c, should be %c", masked(m, out), out[n - 1],
			 luhn_should_be(out, n));
		return -1;
	}
	return 0;
}

int check_seen(const struct session *s, enum number what, const char *digits, uint64_t line, char *why, size_t cap)
{
	uint64_t other = *digits ? seen_line(&s->seen[what], digits) : 0;
	char m[MASKED_MAX];

	/* the same line once more: a chunk that is sent again */
	if (!other || other == line)
		return 0;
	snprintf(why, cap, "%s %s stands already on line %" PRIu64, number_name[what], masked(m, digits), other);
	return -1;
}

void store_reason(char *out, size_t cap, int rc, const char *iccid, const char *imsi, const char *msisdn, unsigned kvn,
		  const char *profile)
{
	char a[MASKED_MAX], b[MASKED_MAX], c[MASKED_MAX];

	masked(a, iccid);
	masked(b, imsi);
	masked(c, msisdn);
	switch (rc) {
	case STORE_R_DUP_ICCID:
		snprintf(out, cap, "ICCID %s is known already with another IMSI or MSISDN", a);
		break;
	case STORE_R_DUP_IMSI:
		snprintf(out, cap,
			 "IMSI %s is in use by another card, or promised to one by a campaign that has not ended", b);
		break;
	case STORE_R_DUP_MSISDN:
		snprintf(out, cap,
			 "MSISDN %s is in use by another card, or promised to one by a campaign that has not ended", c);
		break;
	case STORE_R_NO_CARD:
		snprintf(out, cap, "ICCID %s: no such card; import it first", a);
		break;
	case STORE_R_NO_KEYSET:
		snprintf(out, cap, "ICCID %s has no keys of version %u, which profile %s uses", a, kvn, profile);
		break;
	case STORE_R_LATER_TXN:
		snprintf(out, cap, "ICCID %s was in a later campaign: that one tells how it stands, retry that", a);
		break;
	case STORE_R_OPEN_TXN:
		snprintf(out, cap,
			 "ICCID %s is in another campaign that has not ended for it; if that is cancelled, wait until "
			 "campaign show tells when it ended",
			 a);
		break;
	case STORE_R_GONE:
		snprintf(out, cap,
			 "ICCID %s belongs to another operator: it was handed over, and comes back by an order alone",
			 a);
		break;
	case STORE_R_QUARANTINE:
		snprintf(out, cap, "ICCID %s is in quarantine by an operator's order: release it first", a);
		break;
	case STORE_R_NO_MSISDN:
		snprintf(out, cap, "ICCID %s has no MSISDN to send to, and address-by is msisdn", a);
		break;
	default:
		snprintf(out, cap, "ICCID %s: %s", a, store_strerror(rc));
	}
}

void plan_reason(char *out, size_t cap, int rc, const struct store_txn_plan *p, const char *profile)
{
	char m[MASKED_MAX];

	if (rc == STORE_R_IMSI_LEN)
		snprintf(out, cap, "IMSI %s has %zu digits, the card's present one has %zu: is a digit missing?",
			 masked(m, p->txn.new_imsi), strlen(p->txn.new_imsi), strlen(p->imsi));
	else
		store_reason(out, cap, rc, p->iccid, p->txn.new_imsi, p->txn.new_msisdn, p->kvn, profile);
}
