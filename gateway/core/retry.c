/* retry.c - when to try again: pure functions, a table test decides about them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "retry.h"

#define SECOND_MS 1000u
#define MINUTE_MS (60u * SECOND_MS)
#define HOUR_MS	  (60u * MINUTE_MS)
#define DAY_MS	  (24u * (uint64_t)HOUR_MS)

void retry_policy_default(struct retry_policy *p)
{
	*p = (struct retry_policy){
		.por_timeout_ms = 5 * MINUTE_MS,
		.first_ms = 30 * SECOND_MS,
		.max_ms = 6 * HOUR_MS,
		.jitter_pct = 10,
		.attempts_max = 100,	   /* so that the deadline comes first */
		.busy_ms = 30 * SECOND_MS, /* a toolkit session ends by itself */
		.congest_ms = 5 * SECOND_MS,
		.mem_ms = 30 * MINUTE_MS, /* the alert for free memory usually comes first */
		.hint_ms = 30 * SECOND_MS,
		.silent_max = 4,
		.probes_max = 4,
		.scripts_max = 3,
		.deadline_ms = 21 * DAY_MS,
	};
}

/* first, 2 * first, 4 * first, ... up to max */
static uint64_t backoff_ms(const struct retry_policy *p, unsigned attempt)
{
	uint64_t d = p->first_ms;

	for (unsigned i = 1; i < attempt && d < p->max_ms; i++)
		d *= 2;
	return d < p->max_ms ? d : p->max_ms;
}

#define CONGEST_DOUBLINGS 4

static uint64_t delay_ms(const struct retry_policy *p, enum fail_class cls, unsigned attempt)
{
	switch (cls) {
	case FAIL_BUSY:
		return p->busy_ms;
	case FAIL_CONGEST:
	case FAIL_LINK: /* the link slows down by itself; a command that meets it again and again leaves it more room */
		return (uint64_t)p->congest_ms << (attempt - 1 < CONGEST_DOUBLINGS ? attempt - 1 : CONGEST_DOUBLINGS);
	case FAIL_MEM:
		return p->mem_ms;
	case FAIL_CONFIG:
		return p->max_ms; /* a person has to change something first */
	default:
		return backoff_ms(p, attempt);
	}
}

int64_t retry_at(const struct retry_policy *p, enum fail_class cls, unsigned attempt, int64_t now_ms, uint32_t jitter)
{
	uint64_t delay, span;

	if (cls == FAIL_CARD_PERM || cls == FAIL_SUBS_PERM)
		return INT64_MAX;
	delay = delay_ms(p, cls, attempt);
	span = delay * (p->jitter_pct < 100 ? p->jitter_pct : 100) / 100;
	/* Evenly over 0 .. 2 * span: a fleet that failed together does not come back together. */
	delay = delay - span + ((span * jitter) >> 31);
	return now_ms + (int64_t)(delay ? delay : 1);
}

int64_t retry_latest(const struct retry_policy *p, int64_t now_ms)
{
	uint64_t longest = p->por_timeout_ms > p->hint_ms ? p->por_timeout_ms : p->hint_ms;

	for (int c = FAIL_NONE; c < _FAIL_CLASSES; c++)
		if (delay_ms(p, (enum fail_class)c, UINT32_MAX) > longest)
			longest = delay_ms(p, (enum fail_class)c, UINT32_MAX);
	return now_ms + (int64_t)(longest + longest * (p->jitter_pct < 100 ? p->jitter_pct : 100) / 100) + 1;
}

bool retry_counts(enum fail_class cls)
{
	return cls != FAIL_NONE && cls != FAIL_CONGEST && cls != FAIL_LINK;
}

bool retry_wakes(enum fail_class cls)
{
	return cls == FAIL_ABSENT || cls == FAIL_MEM || cls == FAIL_UNKNOWN;
}
