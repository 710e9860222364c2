/* retry.h - when to try again: a pure function of what failed, how often, and now.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_RETRY_H
#define OTAGW_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "ota/link.h"

struct retry_policy {
	uint32_t por_timeout_ms; /* after the last segment was accepted: how long a PoR may take */
	uint32_t first_ms;	 /* delay before attempt 2 */
	uint32_t max_ms;	 /* delays double up to this */
	uint8_t jitter_pct;	 /* +- this much of each delay */
	uint16_t attempts_max;	 /* attempts that count (congestion and link failures do not) */
	uint32_t busy_ms, congest_ms, mem_ms;
	uint32_t hint_ms;     /* after a clear error: how long the authenticated answer may still come before a probe */
	uint8_t silent_max;   /* attempts of one packet without any answer before the card is asked what it holds */
	uint8_t probes_max;   /* read-backs in a row that the card refuses, before a person must look */
	uint8_t scripts_max;  /* fresh scripts after proof that the one before did not run */
	uint64_t deadline_ms; /* of a transaction, from its first try */
};
void retry_policy_default(struct retry_policy *p);

/* Absolute time of the next attempt.  attempt counts from 1 (the one that failed; of those that do not count, how many in a row); jitter is any 32-bit value from the
 * environment's dice. */
int64_t retry_at(const struct retry_policy *p, enum fail_class cls, unsigned attempt, int64_t now_ms, uint32_t jitter);
/* No wait ends later than this.  One that seems to was begun by a clock that has been set back since. */
int64_t retry_latest(const struct retry_policy *p, int64_t now_ms);
/* Whether this failure uses up an attempt. */
bool retry_counts(enum fail_class cls);
/* Whether presence may wake the wait earlier. */
bool retry_wakes(enum fail_class cls);

#endif
