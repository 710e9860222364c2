/* b_hand.c - the new operator: hand-over lists in, with keys (3a) and without (3b).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A list of 3a comes for a card at most three times: provisional, with K, when the card holds our set; final, with its OTA keys, when we
 * have seen the card; final, when it is at its end.  The last one comes once for every card that our IL has listed, moved or not.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "b_int.h"

/* END_NONE: on its way. */
static enum line_end end_of(const char *state)
{
	for (enum line_end e = END_DONE; e <= END_ROLLED_BACK; e++)
		if (!strcmp(state, line_end_name(e)))
			return e;
	return END_NONE;
}

static int hl_fits(struct desk_in *in, const struct desk_rec *r, struct desk_no *no)
{
	const char *iccid = xchg_value(r->r, "iccid");

	if (!r->line)
		return desk_refuse(no, "not-in-order", "record %" PRIu64 ": card %s is not in order %s", r->r->n + 1,
				   iccid, in->order->o.name);
	if (strcmp(r->line->imsi, xchg_value(r->r, "imsi")))
		return desk_refuse(no, "other-imsi", "card %s: our IL gives it another IMSI than this list does",
				   iccid);
	return 0;
}

/* ---- the end of a line ---- */

static void alarm(struct desk_in *in, const struct line *l, const char *told, const char *seen)
{
	snprintf(in->order->o.alarm, sizeof(in->order->o.alarm), "card %s: %s tells it %s, and we %s", l->iccid,
		 in->head->from, told, seen);
	desk_log(in->d, 4, "order %s: %s", in->order->o.name, in->order->o.alarm);
}

static void ended(struct desk_in *in, struct desk_rec *r, uint16_t step, enum line_end end)
{
	struct line *l = r->line;
	const char *told = line_end_name(end);

	l->flags |= LINE_LISTED;
	l->told = (uint8_t)end;
	in->order->o.listed++;
	job_order_put(in->job);
	if (end == END_DONE) {
		if (!(l->flags & LINE_SERVED))
			alarm(in, l, told, "have not seen it here");
		if (step == B_CONFIRMED || step == B_ENDING)
			b_close(in->job, r->i);
		else /* goes on until it has confirmed itself to us */
			job_line_put(in->job, r->i, (enum line_step)step);
	} else if (l->flags & LINE_CONFIRMED || (l->flags & LINE_SERVED && end != END_ROLLED_BACK)) {
		alarm(in, l, told, l->flags & LINE_CONFIRMED ? "have its proof that it is ours" : "have seen it here");
		if (step == B_CONFIRMED)
			b_close(in->job, r->i);
		else
			job_line_put(in->job, r->i, (enum line_step)step);
	} else {
		b_undo(in->job, r->i, step, end);
	}
}

static int end_take(struct desk_in *in, struct desk_rec *r, uint16_t step, enum line_end end, struct desk_no *no)
{
	/* from books that were put back, which may not know any more why it stayed: others in it may be new */
	if (r->line->flags & LINE_LISTED && (r->line->told == end || (r->line->told != END_DONE && end != END_DONE)))
		return 0;
	if (r->line->flags & LINE_LISTED)
		return desk_refuse(no, "listed-twice", "card %s has had its last line, and that said otherwise",
				   r->line->iccid);
	if (step < B_LISTED)
		return desk_refuse(no, "not-listed", "card %s: our IL has not listed it", r->line->iccid);
	if (!in->dry)
		ended(in, r, step, end);
	return 0;
}

/* ---- 3b ---- */

int b_hl3b_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no)
{
	enum line_end end = end_of(xchg_value(r->r, "state"));

	if (b_in_once(in, r->r, no) || hl_fits(in, r, no))
		return -1;
	if (r->row->row.step >= B_PLANNED &&
	    (xchg_number(r->r, "index") != r->line->to || xchg_number(r->r, "kvn") != r->line->kvn) && end == END_DONE)
		return desk_refuse(no, "index", "card %s: its plan says index %u under key version %u", r->line->iccid,
				   r->line->to, r->line->kvn);
	return end == END_NONE ? 0 : end_take(in, r, r->row->row.step, end, no);
}

/* ---- 3a ---- */

/* K as it came, with the OPc that our IL has given the card.  A plain card has no place for it: it keeps its own, which came with K. */
static int join(struct desk_in *in, const struct desk_rec *r, struct ks_block *block, struct desk_no *no)
{
	uint8_t joined[KS_SUB_LEN];
	int rc = 0;

	if (r->also->row.version && r->also->row.len >= KS_OPC_LEN && !(r->line->flags & LINE_PLAIN))
		rc = ks_sub_join(in->d->deps.ks, r->line->iccid, block->sub, r->also->body, joined);
	else
		memcpy(joined, block->sub, sizeof(joined));
	if (rc)
		return desk_refuse(no, "keys", "card %s: its K does not go with our OPc: %s", r->line->iccid,
				   ks_strerror(rc));
	memcpy(block->sub, joined, sizeof(joined));
	return 0;
}

static int keys_fit(const struct desk_rec *r, const struct ks_block *block, bool final, struct desk_no *no)
{
	const char *iccid = r->line->iccid;

	if (r->row->row.step < B_ASKED)
		return desk_refuse(no, "not-planned", "card %s: no plan (PL) has come for it", iccid);
	if (!final && block->sets)
		return desk_refuse(no, "keys", "card %s: OTA keys in a provisional list: nobody is to know them yet",
				   iccid);
	if (!final && !block->has_sub)
		return desk_refuse(no, "keys", "card %s: a provisional list brings K", iccid);
	if (final && !block->has_sub && !(r->line->flags & LINE_PROVISIONAL))
		return desk_refuse(no, "keys", "card %s: K has not come", iccid);
	if (final && block->sets && xchg_number(r->r, "kvn") && xchg_number(r->r, "kvn") != r->line->kvn)
		return desk_refuse(no, "kvn", "card %s: the plan says key version %u", iccid, r->line->kvn);
	return 0;
}

static void keys_keep(struct desk_in *in, struct desk_rec *r, const struct ks_block *block, uint16_t *step)
{
	struct line *l = r->line;

	if (block->has_sub && !(l->flags & LINE_PROVISIONAL))
		b_sub_put(in, r, block->sub);
	if (block->has_sub && *step == B_ASKED)
		*step = B_KEYED;
	if (block->sets && *step == B_SERVED) {
		*step = B_CONFIRM;
		l->again_ms = 0; /* at once */
	}
	l->flags |= (block->has_sub ? LINE_PROVISIONAL : 0) | (block->sets ? LINE_FINAL : 0);
	l->cntr = block->sets ? xchg_number(r->r, "cntr") : l->cntr;
	l->sqn = block->has_sub ? xchg_number(r->r, "sqn") : l->sqn;
	job_line_put(in->job, r->i, (enum line_step) * step);
}

/* Our store would not have the card, and A hears that it is refused; should it be written already, K is what it needs to be provided later. */
static void keys_aside(struct desk_in *in, struct desk_rec *r)
{
	struct ks_block block;
	struct desk_no no;

	if (b_block_take(in, r, &block, &no))
		return;
	if (block.has_sub && !block.sets && !b_alg_ok(in, r, block.sub, &no) && !join(in, r, &block, &no)) {
		b_sub_put(in, r, block.sub);
		r->line->flags |= LINE_PROVISIONAL;
		r->line->sqn = xchg_number(r->r, "sqn");
		b_tell_soon(in->job, r->i, B_TELL_READY);
	}
	ks_wipe(&block, sizeof(block));
}

/* The card is taken with K already, without any keyset: what is in the way of that is found while it can still be refused. */
static int keys_take(struct desk_in *in, struct desk_rec *r, bool final, uint16_t *step, struct desk_no *no)
{
	const bool first = !(r->line->flags & LINE_PROVISIONAL);
	struct ks_block block;
	int rc;

	if (*step == B_ASKED && b_not_taken(in, r)) {
		keys_aside(in, r);
		*step = B_TELL_READY;
		return 0;
	}
	if (b_block_take(in, r, &block, no))
		return -1;
	rc = keys_fit(r, &block, final, no);
	if (!rc && block.has_sub)
		rc = b_alg_ok(in, r, block.sub, no);
	if (!rc && block.has_sub && first)
		rc = join(in, r, &block, no);
	if (!rc && !in->dry && job_refused(in->job, r->i))
		rc = desk_refuse(no, "card", "card %s: its OTA keys cannot be kept: %s", r->line->iccid,
				 store_strerror(job_refused(in->job, r->i)));
	if (!rc && *step < B_UNDO)
		rc = b_card_take(in, r, &block, xchg_number(r->r, "cntr"), no);
	if (!rc && !in->dry && *step < B_UNDO)
		keys_keep(in, r, &block, step);
	ks_wipe(&block, sizeof(block));
	return rc;
}

/* ---- 3a, escrow ----
 * What came locked is kept behind the card's OPc in BOOK_SET, as it came: our keystore cannot open it before it is told how.  An old operator
 * whose books were put back may send it once more, under another lock that alone it knows how to open: the last one counts.  Once a lock was
 * opened K is here, and nothing of that kind changes anything any more. */

int b_ke_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no)
{
	uint8_t body[KS_OPC_LEN + KS_LOCKED_MAX];
	struct ks_block block;

	if (b_in_once(in, r->r, no) || hl_fits(in, r, no))
		return -1;
	if (in->order->o.policy != POLICY_ESCROW)
		return desk_refuse(no, "policy", "order %s is none with keys in escrow", in->order->o.name);
	if (r->row->row.step < B_ASKED)
		return desk_refuse(no, "not-planned", "card %s: no plan (PL) has come for it", r->line->iccid);
	if (r->line->flags & LINE_PROVISIONAL)
		return 0;
	if (!r->also->row.version || r->also->row.len < KS_OPC_LEN) /* gone with its end */
		return r->row->row.step >= B_UNDO ?
			       0 :
			       desk_refuse(no, "keys", "card %s: our OPc for it is not in the books", r->line->iccid);
	if (b_block_take(in, r, &block, no))
		return -1;
	if (!block.locked_len || block.has_sub || block.sets || block.has_opc || block.has_release)
		return desk_refuse(no, "keys", "card %s: keys in escrow are locked ones, and nothing else",
				   r->line->iccid);
	if (in->dry)
		return 0;
	memcpy(body, r->also->body, KS_OPC_LEN);
	memcpy(body + KS_OPC_LEN, block.locked, block.locked_len);
	job_put(in->job, BOOK_SET, r->also->row.key, r->line->order, 0, r->also->row.version, body,
		KS_OPC_LEN + block.locked_len);
	r->line->flags |= LINE_ESCROW;
	job_line_put(in->job, r->i, (enum line_step)r->row->row.step);
	return 0;
}

static int unlock(struct desk_in *in, const struct desk_rec *r, struct ks_block *out, struct desk_no *no)
{
	const char *iccid = r->line->iccid;
	struct ks_block told;
	int rc;

	if (b_block_take(in, r, &told, no))
		return -1;
	if (!told.has_release || told.has_sub || told.sets || told.has_opc || told.locked_len)
		return desk_refuse(no, "keys", "card %s: a release key, and nothing else, was to come", iccid);
	rc = ks_block_unlock(in->d->deps.ks, iccid, told.release, r->also->body + KS_OPC_LEN,
			     r->also->row.len - KS_OPC_LEN, out);
	if (rc)
		return desk_refuse(no, "release", "card %s: its release key does not open its keys: %s", iccid,
				   ks_strerror(rc));
	rc = join(in, r, out, no);
	if (rc)
		ks_wipe(out, sizeof(*out));
	return rc;
}

int b_rk_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no)
{
	uint16_t step = r->row->row.step;
	struct ks_block block;
	int rc;

	if (b_in_once(in, r->r, no) || hl_fits(in, r, no))
		return -1;
	if (xchg_value(r->r, "evidence")[1] < '4')
		return desk_refuse(no, "evidence", "card %s: a release key goes with E4, this is %s", r->line->iccid,
				   xchg_value(r->r, "evidence"));
	if (!(r->line->flags & LINE_ESCROW))
		return desk_refuse(no, "not-in-escrow", "card %s: no keys of it are in escrow here", r->line->iccid);
	if (step >= B_UNDO || r->line->flags & LINE_PROVISIONAL) /* has ended meanwhile, or K is here */
		return 0;
	if (step == B_ASKED && b_not_taken(in, r))
		return 0;
	if (!r->also->row.version || r->also->row.len <= KS_OPC_LEN)
		return desk_refuse(no, "books", "card %s: its keys in escrow are not in the books", r->line->iccid);
	if (unlock(in, r, &block, no))
		return -1;
	rc = b_card_take(in, r, &block, 0, no);
	if (!rc && !in->dry)
		keys_keep(in, r, &block, &step);
	ks_wipe(&block, sizeof(block));
	return rc;
}

int b_hl3a_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no)
{
	const bool final = !strcmp(xchg_value(r->r, "stage"), "final");
	enum line_end end = end_of(xchg_value(r->r, "state"));
	uint16_t step = r->row->row.step;

	if (b_in_once(in, r->r, no) || hl_fits(in, r, no))
		return -1;
	if (!final && end != END_NONE)
		return desk_refuse(no, "stage", "card %s: a provisional list tells no end", r->line->iccid);
	if (*xchg_value(r->r, "keys") && keys_take(in, r, final, &step, no))
		return -1;
	return end == END_NONE ? 0 : end_take(in, r, step, end, no);
}
