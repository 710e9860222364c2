/* measure.c - how long SMSCs and cards take, as seen lately: what an estimate may rest on.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The last MEASURED_MAX samples of this process life, no more: what was true before a restart may not be any longer, and
 * somebody who has measured nothing says so.
 */
#include <stdlib.h>

#include "gw_int.h"

void lately_add(struct lately *l, int64_t ms)
{
	l->ms[l->n++ % MEASURED_MAX] = ms < 0 ? 0 : ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void look(const struct lately *l, struct gw_measured *out)
{
	uint32_t sorted[MEASURED_MAX];
	unsigned n = l->n < MEASURED_MAX ? (unsigned)l->n : MEASURED_MAX;

	*out = (struct gw_measured){ .n = n };
	if (!n)
		return;
	memcpy(sorted, l->ms, n * sizeof(sorted[0]));
	qsort(sorted, n, sizeof(sorted[0]), by_size);
	out->median_ms = sorted[(n - 1) / 2];
	out->p90_ms = sorted[(n * 9 + 9) / 10 - 1];
}

void gw_measured_submit(const struct gw *gw, unsigned link, struct gw_measured *out)
{
	if (link < gw->cfg.n_links)
		look(&gw->submit_took[link], out);
	else
		*out = (struct gw_measured){ 0 };
}

void gw_measured_answer(const struct gw *gw, struct gw_measured *out)
{
	look(&gw->answer_took, out);
}
