/* scn_rule.c - when a rule is in force for a card.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Nothing is remembered: beginning, length and value follow from seed, line and card, so that any moment can be asked
 * about in any order.
 */
#include "scn.h"

enum { DRAW_FROM, DRAW_LEN, DRAW_VALUE };

static int64_t drawn(const struct scn *s, const struct scn_rule *r, uint32_t card, unsigned what,
		     struct sim_range range)
{
	struct sim_rng rng = { s->seed ^ 0x8f1bbcdcbfa53e0bu * (r->line * 4ull + what + 1) };

	if (range.lo >= range.hi)
		return range.lo;
	rng.s ^= sim_rng_next(&rng) + 0x9e3779b97f4a7c15u * (card + 1ull);
	return sim_rng_range(&rng, range);
}

int64_t scn_rule_from(const struct scn *s, const struct scn_rule *r, uint32_t card)
{
	return drawn(s, r, card, DRAW_FROM, r->when.from);
}

int64_t scn_rule_len(const struct scn *s, const struct scn_rule *r, uint32_t card)
{
	return drawn(s, r, card, DRAW_LEN, r->when.len);
}

int64_t scn_rule_value(const struct scn *s, const struct scn_rule *r, uint32_t card)
{
	return drawn(s, r, card, DRAW_VALUE, r->value);
}

/* The last beginning at or before t_ms, or -1. */
static int64_t began(const struct scn *s, const struct scn_rule *r, uint32_t card, int64_t t_ms)
{
	int64_t from = scn_rule_from(s, r, card), every = r->when.every_ms, last;

	if (t_ms < from)
		return -1;
	if (!every)
		return from;
	last = from + (t_ms - from) / every * every;
	if (last >= r->when.until_ms) /* the last one before it */
		last = r->when.until_ms <= from ? -1 : from + (r->when.until_ms - 1 - from) / every * every;
	return last;
}

bool scn_rule_active(const struct scn *s, const struct scn_rule *r, uint32_t card, int64_t t_ms)
{
	int64_t at = began(s, r, card, t_ms), len = scn_rule_len(s, r, card);

	return at >= 0 && (len == SCN_TO_END || t_ms < at + len);
}

int64_t scn_rule_edge(const struct scn *s, const struct scn_rule *r, uint32_t card, int64_t t_ms)
{
	int64_t from = scn_rule_from(s, r, card), len = scn_rule_len(s, r, card), every = r->when.every_ms;
	int64_t at = began(s, r, card, t_ms), next;

	if (at < 0)
		return t_ms < from && from < r->when.until_ms ? from : SCN_NEVER;
	if (len != SCN_TO_END && len > 0 && t_ms < at + len)
		return at + len;
	next = every ? at + every : SCN_NEVER;
	return next < r->when.until_ms ? next : SCN_NEVER;
}
