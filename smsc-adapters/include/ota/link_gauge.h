/* link_gauge.h - how fast a link has been lately, for people who look at it.  Pure: now_ms is passed in.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A figure since the start of the process says nothing at 3 a.m.: what is shown is of the last seconds (rate) and of the
 * last one to two minutes (latency).  A fixed table, so that a link costs the same however much it sends.
 */
#ifndef OTA_LINK_GAUGE_H
#define OTA_LINK_GAUGE_H

#include <stdint.h>

#define GAUGE_SECONDS 10    /* the rate is that of so many whole seconds */
#define GAUGE_HALF_MS 60000 /* latencies of the present such time and the one before are shown */
#define GAUGE_OCTAVE  8	    /* buckets per doubling: a percentile is off by less than a tenth */
#define GAUGE_OCTAVES 17    /* the last one holds all from 2^17 ms on */
#define GAUGE_BUCKETS (GAUGE_OCTAVE * (GAUGE_OCTAVES + 1))

struct link_gauge {
	int64_t second;				  /* number of the present one */
	uint32_t sent[GAUGE_SECONDS + 1];	  /* by second, modulo */
	int64_t half;				  /* number of the present half */
	uint32_t latency[2][GAUGE_BUCKETS], n[2]; /* by half, modulo */
};

void link_gauge_sent(struct link_gauge *g, int64_t now_ms);
void link_gauge_answered(struct link_gauge *g, int64_t now_ms, int64_t latency_ms);
/* Per second, of the last GAUGE_SECONDS whole seconds. */
double link_gauge_rate(const struct link_gauge *g, int64_t now_ms);
/* The latency that this part of the answers did not exceed, or a little more; -1: there were none. */
int64_t link_gauge_latency(const struct link_gauge *g, int64_t now_ms, double part);
/* How many answers that is of. */
uint32_t link_gauge_answers(const struct link_gauge *g, int64_t now_ms);

#endif
