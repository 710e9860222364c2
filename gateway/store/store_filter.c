/* store_filter.c - which of the cards of a list are meant: what all backends share.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <string.h>

#include "store.h"

static bool number_holds(uint8_t op, int64_t have, int64_t want)
{
	switch ((enum store_term_op)op) {
	case STORE_IS:
		return have == want;
	case STORE_NOT:
		return have != want;
	case STORE_BELOW:
		return have < want;
	case STORE_UPTO:
		return have <= want;
	case STORE_FROM:
		return have >= want;
	case STORE_ABOVE:
		return have > want;
	case STORE_BEGINS:
	case STORE_BEGINS_NOT:
		break;
	}
	return false;
}

/* Ranges look at as many digits as the end of the range has: 89882110 to 89882115 holds 8988211599. */
static bool digits_hold(uint8_t op, const char *have, const char *want)
{
	size_t n = strlen(want);

	switch ((enum store_term_op)op) {
	case STORE_IS:
		return !strcmp(have, want);
	case STORE_NOT:
		return strcmp(have, want);
	case STORE_BEGINS:
		return !strncmp(have, want, n);
	case STORE_BEGINS_NOT:
		return strncmp(have, want, n);
	case STORE_UPTO:
		return strncmp(have, want, n) <= 0;
	case STORE_FROM:
		return strncmp(have, want, n) >= 0;
	case STORE_BELOW:
	case STORE_ABOVE:
		break;
	}
	return false;
}

static bool has_kvn(const struct store_facts *f, int64_t kvn)
{
	for (unsigned i = 0; i < f->n_keys; i++)
		if (f->key[i].kvn == kvn)
			return true;
	return false;
}

/* Of the version that the filter names, else of the one that the plan needs. */
static bool alg_holds(const struct store_filter *fl, const struct store_term *t, const struct store_facts *f,
		      uint8_t kvn)
{
	bool is = false;

	for (unsigned i = 0; i < fl->n; i++)
		if (fl->term[i].field == STORE_F_KVN && fl->term[i].op == STORE_IS)
			kvn = (uint8_t)fl->term[i].number;
	for (unsigned i = 0; i < f->n_keys; i++)
		is |= f->key[i].kvn == kvn && f->key[i].alg == STORE_ALG_OF(t->number) &&
		      (!STORE_ALG_OCTETS(t->number) || f->key[i].octets == STORE_ALG_OCTETS(t->number));
	return is == (t->op == STORE_IS);
}

bool store_filter_keys(const struct store_filter *fl)
{
	for (unsigned i = 0; i < fl->n; i++)
		if (fl->term[i].field == STORE_F_KVN || fl->term[i].field == STORE_F_ALG)
			return true;
	return false;
}

bool store_filter_iccid(const struct store_filter *fl, const char *iccid)
{
	for (unsigned i = 0; i < fl->n; i++)
		if (fl->term[i].field == STORE_F_ICCID && !digits_hold(fl->term[i].op, iccid, fl->term[i].text))
			return false;
	return true;
}

bool store_filter_holds(const struct store_filter *fl, const struct store_facts *f, uint8_t kvn)
{
	bool holds = true;

	for (unsigned i = 0; i < fl->n && holds; i++) {
		const struct store_term *t = &fl->term[i];

		switch ((enum store_field)t->field) {
		case STORE_F_ICCID: /* asked before the card was looked for */
			break;
		case STORE_F_IMSI:
			holds = digits_hold(t->op, f->imsi, t->text);
			break;
		case STORE_F_MSISDN:
			holds = digits_hold(t->op, f->msisdn, t->text);
			break;
		case STORE_F_PROFILE:
			holds = !strcmp(f->profile, t->text) == (t->op == STORE_IS);
			break;
		case STORE_F_KVN:
			holds = has_kvn(f, t->number) == (t->op == STORE_IS);
			break;
		case STORE_F_ALG:
			holds = alg_holds(fl, t, f, kvn);
			break;
		case STORE_F_SEEN:
			holds = number_holds(t->op, f->last_seen_ms, t->number);
			break;
		case _STORE_FIELDS:
			holds = false;
			break;
		}
	}
	return holds;
}
