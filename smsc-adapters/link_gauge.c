/* link_gauge.c - see link_gauge.h.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "ota/link_gauge.h"

#include <string.h>

#define SLOTS (GAUGE_SECONDS + 1)

/* Bucket 0 is 0 ms, up to GAUGE_OCTAVE one each; then each doubling is cut into GAUGE_OCTAVE equal parts. */
static unsigned bucket_of(int64_t ms)
{
	unsigned octave = 0;
	uint64_t v = ms > 0 ? (uint64_t)ms : 0;

	if (v < GAUGE_OCTAVE)
		return (unsigned)v;
	while (v >= 2 * GAUGE_OCTAVE) {
		v >>= 1;
		octave++;
	}
	return octave < GAUGE_OCTAVES ? GAUGE_OCTAVE * (octave + 1) + (unsigned)(v - GAUGE_OCTAVE) : GAUGE_BUCKETS - 1;
}

/* The highest value that falls into it. */
static int64_t bucket_top(unsigned b)
{
	unsigned octave = b / GAUGE_OCTAVE;

	if (!octave)
		return b;
	return ((int64_t)(GAUGE_OCTAVE + b % GAUGE_OCTAVE + 1) << (octave - 1)) - 1;
}

/* A clock that was set back begins anew: what was counted in its future would stay for ever. */
static void turn_second(struct link_gauge *g, int64_t now_ms)
{
	int64_t second = now_ms / 1000;

	if (second < g->second || second - g->second >= SLOTS)
		memset(g->sent, 0, sizeof(g->sent));
	else
		for (int64_t s = g->second + 1; s <= second; s++)
			g->sent[s % SLOTS] = 0;
	g->second = second;
}

void link_gauge_sent(struct link_gauge *g, int64_t now_ms)
{
	turn_second(g, now_ms);
	g->sent[g->second % SLOTS]++;
}

static void turn_half(struct link_gauge *g, int64_t now_ms)
{
	int64_t half = now_ms / GAUGE_HALF_MS;

	if (half == g->half)
		return;
	for (int i = 0; i < 2; i++)
		if (half != g->half + 1 || i == half % 2) {
			memset(g->latency[i], 0, sizeof(g->latency[i]));
			g->n[i] = 0;
		}
	g->half = half;
}

void link_gauge_answered(struct link_gauge *g, int64_t now_ms, int64_t latency_ms)
{
	turn_half(g, now_ms);
	g->latency[g->half % 2][bucket_of(latency_ms)]++;
	g->n[g->half % 2]++;
}

double link_gauge_rate(const struct link_gauge *g, int64_t now_ms)
{
	struct link_gauge now = *g;
	uint64_t sum = 0;

	turn_second(&now, now_ms);
	for (int i = 0; i < SLOTS; i++)
		if (i != now.second % SLOTS) /* the present second is not over */
			sum += now.sent[i];
	return (double)sum / GAUGE_SECONDS;
}

uint32_t link_gauge_answers(const struct link_gauge *g, int64_t now_ms)
{
	struct link_gauge now = *g;

	turn_half(&now, now_ms);
	return now.n[0] + now.n[1];
}

int64_t link_gauge_latency(const struct link_gauge *g, int64_t now_ms, double part)
{
	struct link_gauge now = *g;
	uint64_t want, seen = 0;
	unsigned b = 0;

	turn_half(&now, now_ms);
	if (!(now.n[0] + now.n[1]))
		return -1;
	want = (uint64_t)((now.n[0] + now.n[1]) * part + 0.999999);
	for (; b < GAUGE_BUCKETS; b++) {
		seen += now.latency[0][b] + now.latency[1][b];
		if (seen >= want)
			break;
	}
	return bucket_top(b < GAUGE_BUCKETS ? b : GAUGE_BUCKETS - 1);
}
