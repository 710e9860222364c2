/* stray.c - response packets that a card has sent by way of another operator than the one whom it answers (SP).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A card may answer ARM when it lives at the new operator already: its message comes by his SMSC, to him, under keys that he has not, or about
 * a command that he knows nothing of.  He forwards what he got, and the old operator's core looks at it as at any packet of that card: the
 * MAC makes it an answer or nothing does.  A help, and no duty: nothing waits for it, and one that is lost is learnt from B's CF.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "a_int.h"
#include "b_int.h"
#include "engine.h"

#define STRAYS_PER_LINE 8 /* forwarded; more of one card say nothing new */

/* ---- B: out ---- */

static bool stray_rows(struct desk *d, struct desk_run *r)
{
	r->j.n = d->e->strays;
	for (unsigned i = 0; i < r->j.n; i++)
		snprintf(r->keys[i], BOOK_KEY_MAX, "%s", d->e->stray[i].iccid);
	return run_keys(r, BOOK_TAKEN, r->j.n, r->j.row);
}

static bool stray_also(struct desk *d, struct desk_run *r)
{
	for (unsigned i = 0; i < r->j.n; i++) {
		r->keys[i][0] = '\0';
		if (r->j.row[i].row.version)
			line_key(r->keys[i], r->j.row[i].row.owner, d->e->stray[i].iccid);
	}
	memset(r->j.also, 0, r->j.n * sizeof(*r->j.also));
	return run_keys(r, BOOK_LINE, r->j.n, r->j.also);
}

/* Of a card that is on its way to us, or has come a moment ago. */
static bool ours(const struct desk_open_order *o, const struct store_book *row, struct line *l)
{
	return o && o->o.side == SIDE_B && row->row.version && !line_unpack(l, row->body, row->row.len) &&
	       l->flags & LINE_READY && !(l->flags & LINE_LISTED) && l->strays < STRAYS_PER_LINE;
}

/* A card that is in it twice has its second one forwarded by the next job. */
static bool twice(const struct desk *d, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (!strcmp(d->e->stray[k].iccid, d->e->stray[i].iccid))
			return true;
	return false;
}

static int forward(struct desk *d, struct desk_job *j, struct desk_out *out, unsigned i, struct line *l)
{
	const struct gw_stray *s = &d->e->stray[i];
	char hex[2 * LINK_PAYLOAD_MAX + 1], at[24];
	uint8_t body[BOOK_BODY_MAX];
	int len;

	b_hex(hex, s->packet, s->len);
	snprintf(at, sizeof(at), "%" PRId64, s->at_ms / 1000);
	if (out_record(out, (const char *const[]){ l->iccid, l->imsi, l->msisdn, at, hex }))
		return -1;
	l->strays++;
	len = line_pack(l, body);
	if (len < 0)
		return -1;
	job_put(j, BOOK_LINE, j->also[i].row.key, j->also[i].row.owner, j->also[i].row.step, j->also[i].row.version,
		body, (size_t)len);
	return 0;
}

static int stray_decide(struct desk *d, struct desk_run *r)
{
	bool done[GW_STRAYS] = { false };

	for (unsigned i = 0; i < r->j.n; i++) {
		struct desk_open_order *o = desk_order_number(d, r->j.row[i].row.owner);
		struct desk_out *out = NULL;
		struct line l;
		int at;

		if (done[i] || twice(d, i) || !ours(o, &r->j.also[i], &l))
			continue;
		at = partner_index(d, o->o.a);
		out = at < 0 ? NULL : out_open_for(&r->j, XCHG_SP, (unsigned)at, o->o.name, o->o.number, NULL);
		if (!out)
			return -EIO;
		for (unsigned k = i; k < r->j.n; k++) { /* all of this order */
			if (r->j.row[k].row.owner != o->o.number || twice(d, k) || !ours(o, &r->j.also[k], &l))
				continue;
			done[k] = true;
			if (forward(d, &r->j, out, k, &l))
				return -EIO;
		}
		if (out_close(out))
			return -EIO;
	}
	return 0;
}

static void stray_after(struct desk *d, struct desk_run *r)
{
	bool again[GW_STRAYS];
	unsigned kept = 0;

	for (unsigned i = 0; i < r->j.n; i++)
		again[i] = twice(d, i);
	for (unsigned i = 0; i < r->j.n; i++)
		if (again[i])
			d->e->stray[kept++] = d->e->stray[i];
	d->e->strays = kept;
}

static void stray_failed(struct desk *d, struct desk_run *r, int rc)
{
	desk_log(d, 4, "%u response packets of cards that came were not forwarded: %s", d->e->strays,
		 r->j.why[0] ? r->j.why : strerror(-rc));
	d->e->strays = 0;
}

static const struct desk_run_ops stray_ops = { .name = "stray",
					       .rows = stray_rows,
					       .also = stray_also,
					       .decide = stray_decide,
					       .after = stray_after,
					       .failed = stray_failed };

bool stray_next(struct desk *d)
{
	struct desk_engine *e = d->e;

	if (!d->deps.gw)
		return false;
	while (e->strays < GW_STRAYS && gw_stray_next(d->deps.gw, &e->stray[e->strays]))
		e->strays++;
	return e->strays && run_begin(d, &stray_ops, NULL);
}

int64_t stray_due(const struct desk *d)
{
	return d->deps.gw && (d->e->strays || gw_strays(d->deps.gw)) ? 0 : INT64_MAX;
}

/* ---- A: in ---- */

int a_sp_begin(struct desk_in *in, struct desk_no *no)
{
	return a_take_begin(in, in->order->o.b, no);
}

int a_sp_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no)
{
	struct line *l = a_line_of(in, r, no);
	uint8_t packet[LINK_PAYLOAD_MAX];
	size_t len;

	if (!l)
		return -1;
	if (strcmp(xchg_value(r->r, "imsi"), l->imsi))
		return desk_refuse(no, "imsi", "card %s: its new IMSI is %s, this packet came from %s", l->iccid,
				   l->imsi[0] ? l->imsi : "none", xchg_value(r->r, "imsi"));
	if (in->dry || !l->card || !(l->flags & LINE_ARMED))
		return 0;
	len = xchg_hex(r->r, "packet", packet, sizeof(packet));
	if (gw_told(desk_deps(in->d)->gw, l->card, packet, len))
		desk_log(in->d, 5, "card %s: a packet that strayed to %s finds no place now", l->iccid, in->head->from);
	return 0;
}
