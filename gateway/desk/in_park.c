/* in_park.c - packages whose number is taken and that are not done with: their order is not known yet, or a crash cut them off.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A subscriber's order may reach us after a partner's first package about it.  Such a package must not hold up what the partner sends
 * about other orders.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "in.h"

void in_parked_add(struct desk *d, unsigned partner, uint64_t seq, const char *order, bool look)
{
	struct desk_engine *e = d->e;
	unsigned at = 0;

	in_parked_drop(d, partner, seq);
	if (e->n_parked == e->parked_cap) {
		unsigned cap = e->parked_cap ? e->parked_cap * 2 : 16;
		struct parked *more = realloc(e->parked, cap * sizeof(*more));

		if (!more) {
			desk_alarm(d, &e->parked, "out of memory: a package waits until the next start");
			return;
		}
		e->parked = more;
		e->parked_cap = cap;
	}
	/* in the order of their numbers */
	while (at < e->n_parked &&
	       (e->parked[at].partner < partner || (e->parked[at].partner == partner && e->parked[at].seq < seq)))
		at++;
	memmove(&e->parked[at + 1], &e->parked[at], (e->n_parked++ - at) * sizeof(*e->parked));
	e->parked[at] = (struct parked){ .partner = partner, .seq = seq, .look = look };
	snprintf(e->parked[at].order, sizeof(e->parked[at].order), "%s", order);
	if (desk_order_open(d, order))
		e->parked[at].look = true;
}

void in_parked_drop(struct desk *d, unsigned partner, uint64_t seq)
{
	struct desk_engine *e = d->e;

	for (unsigned i = 0; i < e->n_parked; i++)
		if (e->parked[i].partner == partner && e->parked[i].seq == seq) {
			memmove(&e->parked[i], &e->parked[i + 1], (--e->n_parked - i) * sizeof(*e->parked));
			return;
		}
}

void in_order_known(struct desk *d, const char *order)
{
	for (unsigned i = 0; i < d->e->n_parked; i++)
		d->e->parked[i].look |= !strcmp(d->e->parked[i].order, order);
}

bool in_parked_next(struct desk *d, unsigned *partner, uint64_t *seq)
{
	for (unsigned i = 0; i < d->e->n_parked; i++) {
		struct parked *p = &d->e->parked[i];

		if (!p->look)
			continue;
		p->look = false;
		*partner = p->partner;
		*seq = p->seq;
		return true;
	}
	return false;
}

bool in_parked_due(const struct desk *d)
{
	for (unsigned i = 0; i < d->e->n_parked; i++)
		if (d->e->parked[i].look)
			return true;
	return false;
}

void in_ahead(struct desk *d, unsigned partner, uint64_t seq)
{
	struct ahead *a = &d->e->ahead[partner];
	const uint64_t in = d->e->seq[partner].in;

	if (seq > a->high)
		a->high = seq;
	if (a->high <= in || (a->since_ms && a->in == in))
		return;
	a->in = in;
	a->since_ms = d->now_ms;
}

/* Of this partner a number is missing since then; 0: none is. */
static int64_t missing_ms(const struct desk *d, unsigned partner)
{
	const struct ahead *a = &d->e->ahead[partner];
	const uint64_t in = d->e->seq[partner].in;

	return a->high > in && a->in == in ? a->since_ms : 0;
}

int64_t in_awaited_due(const struct desk *d)
{
	int64_t due_ms = INT64_MAX;

	for (unsigned p = 0; p < d->cfg.n_partners; p++) {
		const int64_t ms = missing_ms(d, p) ? missing_ms(d, p) + DESK_AWAITED_MS : 0;

		if (ms > d->now_ms && ms < due_ms)
			due_ms = ms;
	}
	return due_ms;
}

void in_awaited(const struct desk *d, char text[DESK_ERR_MAX])
{
	text[0] = '\0';
	for (unsigned p = 0; p < d->cfg.n_partners && !text[0]; p++) {
		const int64_t since_ms = missing_ms(d, p);

		if (since_ms && d->now_ms - since_ms >= DESK_AWAITED_MS)
			snprintf(text, DESK_ERR_MAX,
				 "package %" PRIu64 " of %s has not come, and %" PRIu64
				 " has, %lld minutes ago: what follows waits for it; import it, or have it sent or "
				 "signed again under its number",
				 d->e->seq[p].in + 1, pkg_partner_name(d->cfg.partner[p].pinned), d->e->ahead[p].high,
				 (long long)((d->now_ms - since_ms) / 60000));
	}
}

/* At start: what stands in dir/held with a number that is taken. */
void in_start(struct desk *d)
{
	char path[300];
	struct dirent *en;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/held", d->cfg.dir);
	dir = opendir(path);
	if (!dir)
		desk_alarm(d, &d->e->parked, "%s: %s", path, strerror(errno));
	while (dir && (en = readdir(dir))) {
		unsigned partner;
		uint64_t seq;

		if (!parcel_file_parse(d, en->d_name, &partner, &seq))
			continue;
		if (seq <= d->e->seq[partner].in)
			in_parked_add(d, partner, seq, "", true);
		else
			in_ahead(d, partner, seq);
	}
	if (dir)
		closedir(dir);
}
