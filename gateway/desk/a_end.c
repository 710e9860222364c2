/* a_end.c - the old operator: what the new one confirms, what is handed over, and what goes when all is confirmed.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Nothing of a card goes but on CF(E6) that names order, card, IMSI and index: no timer, no E5, no answer of the card does it.  In 3a
 * K goes out for cards that have shown that they are staged, and the OTA keys when the card is served elsewhere: from then
 * on the counter of these keys is the new operator's.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "a_int.h"

#define CNTR_MAX     0xffffffffffull
#define HLR_AGAIN_MS 60000 /* our register refuses: tried again, and a person is told */
#define BUSY_MS	     10000
#define CNTR_JUMP    1000000 /* no new operator counts on by more than this while it has a card on trial */
#define LEFT_OUT     "CF left out by rule"
#define HL3A_VALUES  11
#define HL3B_VALUES  7
#define HEX_BLOCK    (2 * KS_BLOCK_MAX + 1)

/* ---- CF ---- */

enum what { CF_READY, CF_SERVED, CF_CONFIRMED, CF_REFUSED, CF_RECALLED };

static enum what what_of(const struct xchg_record *r)
{
	static const char *const words[] = { "ready", "served", "confirmed", "refused" };
	unsigned n = 0;

	while (n < CF_RECALLED && strcmp(words[n], xchg_value(r, "what")))
		n++;
	return (enum what)n;
}

int a_cf_begin(struct desk_in *in, struct desk_no *no)
{
	return a_take_begin(in, in->order->o.b, no);
}

/* It must be about this card in this order: a CF that fits only half closes nothing. */
static int cf_names(const struct desk_in *in, const struct xchg_record *r, const struct line *l, struct desk_no *no)
{
	const bool planned = l->to || !a_forgot(in->job, l);
	const char *index = xchg_value(r, "index");

	if (strcmp(xchg_value(r, "imsi"), l->imsi))
		return desk_refuse(no, "imsi", "card %s: IMSI %s is confirmed, %s was planned", l->iccid,
				   xchg_value(r, "imsi"), l->imsi[0] ? l->imsi : "none");
	if (in->order->o.kind == ORDER_3B && !index[0])
		return desk_refuse(no, "index", "card %s: a confirmation in an order of kind 3b names the index",
				   l->iccid);
	if (index[0] && !planned && xchg_number(r, "index") <= l->from)
		return desk_refuse(no, "index", "card %s: index %s is confirmed, and it goes from %u", l->iccid, index,
				   l->from);
	if (index[0] && planned && xchg_number(r, "index") != l->to)
		return desk_refuse(no, "index", "card %s: index %s is confirmed, %u was planned", l->iccid, index,
				   l->to);
	return 0;
}

static int cf_proves(const struct desk_rec *r, enum what what, struct desk_no *no)
{
	const struct line *l = r->line;
	const char *evidence = xchg_value(r->r, "evidence");

	if ((what == CF_SERVED && evidence[1] < '5') || (what == CF_CONFIRMED && evidence[1] < '6'))
		return desk_refuse(no, "evidence", "card %s: %s stands for E%d, this is %s", l->iccid,
				   xchg_value(r->r, "what"), what == CF_SERVED ? 5 : 6, evidence);
	return 0;
}

/* There is something to hold a CF against; books that were put back may have given a card up before its IMSI was known again. */
static bool planned(const struct desk_rec *r)
{
	return r->row->row.step >= A_STAGE && r->line->imsi[0];
}

/* Where this card stands: what does not go with it is left out, and proves nothing about the other cards of the package. */
static int cf_allowed(const struct desk_in *in, const struct desk_rec *r, enum what what, struct desk_no *no)
{
	const struct line *l = r->line;
	const bool forgot = a_forgot(in->job, l);

	if (!planned(r) && !forgot)
		return desk_refuse(no, "not-planned", "card %s: there is no plan for it yet", l->iccid);
	if (!planned(r) && (cf_names(in, r->r, l, no) || cf_proves(r, what, no)))
		return -1;
	if (what != CF_SERVED && what != CF_CONFIRMED)
		return 0;
	if (l->end && l->end != END_DONE)
		return desk_refuse(no, "ended", "card %s: its line has ended as %s: compare the lists", l->iccid,
				   line_end_name(l->end));
	if (!(l->flags & LINE_ARMED) && !forgot)
		return desk_refuse(no, "not-armed", "card %s has not been armed, it cannot be served elsewhere",
				   l->iccid);
	return 0;
}

/* When it was proven, by the new operator's clock: it is not believed about the future. */
static int64_t proven_ms(const struct desk_in *in, const struct desk_rec *r)
{
	const int64_t at_ms = (int64_t)xchg_number(r->r, "at") * 1000;

	return at_ms < desk_now(in->d) ? at_ms : desk_now(in->d);
}

static void count_in(struct desk_in *in, const struct desk_rec *r)
{
	struct line *l = r->line;
	const uint64_t cntr = xchg_number(r->r, "cntr");

	if (cntr > l->cntr && l->flags & LINE_FINAL && cntr - l->cntr > CNTR_JUMP)
		job_alarm(in->job, "card %s: a counter of %" PRIu64 " is told, ours is %" PRIu64 ": it is not taken",
			  l->iccid, cntr, l->cntr);
	else if (cntr > l->cntr)
		l->cntr = cntr;
}

/* Nobody waits for the card's answer any more. */
static void settle(struct desk_job *j, unsigned i)
{
	const uint16_t step = j->row[i].row.step;

	if (step == A_ARMING || step == A_LOOKING || step == A_STAGING)
		job_settle(j, i, TXN_DONE, "confirmed by the new operator");
}

static enum line_step on_served(struct desk_in *in, struct desk_rec *r)
{
	struct line *l = r->line;

	if (l->flags & LINE_SERVED)
		return (enum line_step)r->row->row.step;
	l->flags |= LINE_SERVED;
	l->served_ms = desk_now(in->d);
	l->evidence = 5;
	l->evidence_ms = proven_ms(in, r);
	snprintf(l->vlr, sizeof(l->vlr), "%s", xchg_value(r->r, "vlr"));
	a_number_off(in->job, r->i);
	settle(in->job, r->i);
	return in->order->o.kind == ORDER_3A && !(l->flags & LINE_FINAL) ? A_DUE : A_SERVED;
}

static enum line_step on_confirmed(struct desk_in *in, struct desk_rec *r)
{
	struct line *l = r->line;

	if (l->flags & LINE_CONFIRMED)
		return (enum line_step)r->row->row.step;
	if (!(l->flags & LINE_SERVED)) /* that was lost, or left out */
		l->served_ms = desk_now(in->d);
	a_number_off(in->job, r->i);
	l->flags |= LINE_SERVED | LINE_CONFIRMED;
	l->confirmed_ms = desk_now(in->d);
	l->evidence = 6;
	l->evidence_ms = proven_ms(in, r);
	l->end = END_DONE;
	l->why[0] = '\0';
	settle(in->job, r->i);
	return A_LIST;
}

/* The new operator cannot, or will not any more.  An armed card comes home by itself, and says so. */
static enum line_step on_refused(struct desk_in *in, struct desk_rec *r, enum what what)
{
	struct line *l = r->line;
	const char *why =
		what == CF_REFUSED ? "the new operator could not provide it" : "the new operator took it back";
	enum line_step next = (enum line_step)r->row->row.step;

	if (l->end)
		return (enum line_step)r->row->row.step;
	if (a_forgot(in->job, l) && !(l->flags & LINE_ARMED)) {
		next = a_may_be_armed(in->job, l);
		settle(in->job, r->i);
	}
	if (!(l->flags & LINE_ARMED))
		return a_give_up(in->job, l, what == CF_REFUSED ? END_FAILED : END_CANCELLED, "%s", why);
	l->flags |= LINE_GIVEN_UP;
	l->flags &= (uint16_t)~LINE_READY; /* should it be found here, it is not sent there again */
	snprintf(l->why, sizeof(l->why), "%s after it was armed: %s", why,
		 l->flags & LINE_PLAIN ? "it has no way back" : "its trial brings it home");
	job_alarm(in->job, "card %s: %s after it was armed: %s", l->iccid, why,
		  l->flags & LINE_PLAIN ? "without a way back it is stranded until it is provided there" :
					  "its trial must bring it home");
	return next;
}

static enum line_step on_ready(struct desk_in *in, struct desk_rec *r)
{
	struct line *l = r->line;

	if (!(l->flags & LINE_READY))
		l->ready_ms = desk_now(in->d);
	l->flags |= LINE_READY;
	l->flags &= (uint16_t)~LINE_GIVEN_UP;
	return r->row->row.step == A_STAGED ? a_gate(in->job, l) : (enum line_step)r->row->row.step;
}

/* What was left out of this card has been said again, and is taken. */
static void left_out_over(struct desk_in *in, const struct line *l)
{
	struct order *o = &in->order->o;

	if (strncmp(o->alarm, LEFT_OUT, sizeof(LEFT_OUT) - 1) || !strstr(o->alarm, l->iccid))
		return;
	o->alarm[0] = '\0';
	job_order_put(in->job);
}

/* Our books are of before ARM, and the card has moved since: the plan was out, and with E6 its OTA keys were. */
static void remember(struct desk_in *in, const struct desk_rec *r, enum what what)
{
	struct line *l = r->line;

	a_may_be_armed(in->job, l);
	if (!l->to)
		l->to = in->order->o.kind == ORDER_3B ? (uint16_t)xchg_number(r->r, "index") : l->from;
	if (in->order->o.kind == ORDER_3A && what == CF_CONFIRMED)
		l->flags |= LINE_PROVISIONAL | LINE_FINAL;
}

int a_cf_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no)
{
	struct line *l = a_line_of(in, r, no);
	enum what what = what_of(r->r);
	enum line_step next;

	if (!l || a_take_card(in, r, no))
		return -1;
	if (planned(r) && (cf_names(in, r->r, l, no) || cf_proves(r, what, no)))
		return -1;
	if (in->dry)
		return 0;
	if (cf_allowed(in, r, what, no)) {
		job_alarm(in->job, LEFT_OUT " %s: %.120s", no->rule, no->why);
		return -1;
	}
	left_out_over(in, l);
	if (a_forgot(in->job, l) && (what == CF_SERVED || what == CF_CONFIRMED))
		remember(in, r, what);
	/* its OTA keys have not gone out: they do now, and it is confirmed once more when they are there */
	if (what == CF_CONFIRMED && in->order->o.kind == ORDER_3A && !(l->flags & LINE_FINAL))
		what = CF_SERVED;
	count_in(in, r);
	switch (what) {
	case CF_READY:
		next = on_ready(in, r);
		break;
	case CF_SERVED:
		next = on_served(in, r);
		break;
	case CF_CONFIRMED:
		next = on_confirmed(in, r);
		break;
	default:
		next = on_refused(in, r, what);
		break;
	}
	a_put(in->job, r->i, next);
	return 0;
}

/* ---- hand-over lists ---- */

static const char *evidence_word(const struct line *l, char out[4])
{
	snprintf(out, 4, "E%u", l->evidence <= 6 ? l->evidence : 0u);
	return out;
}

static void when(const struct line *l, char out[24])
{
	snprintf(out, 24, "%" PRId64, (l->evidence_ms ? l->evidence_ms : l->ended_ms) / 1000);
}

static void decimal(uint64_t v, char out[24])
{
	out[0] = '\0';
	if (v)
		snprintf(out, 24, "%" PRIu64, v);
}

/* block NULL: no keys. */
static int hl3a(struct desk_job *j, struct desk_out *out, const struct line *l, const char *stage, const char *state,
		const struct ks_block *block)
{
	char evidence[4], at[24], kvn[24], cntr[24], sqn[24], keys[HEX_BLOCK] = "";
	uint8_t wrapped[KS_BLOCK_MAX];
	struct ks_wrap *w = block ? out_wrap(out) : NULL;
	int len = 0;

	if (block && w)
		len = ks_block_wrap(w, l->iccid, block, wrapped);
	if (block && (!w || len < 0)) {
		if (w)
			snprintf(j->why, sizeof(j->why), "card %s: its keys cannot be wrapped: %s", l->iccid,
				 ks_strerror(len));
		return -1;
	}
	if (block)
		a_hex(keys, wrapped, (size_t)len);
	when(l, at);
	decimal(block ? l->kvn : 0, kvn);
	decimal(block && block->sets ? l->cntr : 0, cntr);
	decimal(block ? l->sqn : 0, sqn);
	return out_record(out,
			  (const char *const[HL3A_VALUES]){ l->iccid, l->imsi, stage, state, evidence_word(l, evidence),
							    at, l->profile, kvn, cntr, sqn, keys });
}

static int hl3b(struct desk_out *out, const struct desk_job *j, const struct line *l)
{
	char evidence[4], at[24], index[24], kvn[24];

	when(l, at);
	decimal(l->to ? l->to : l->from, index);
	decimal(l->to ? l->kvn : a_kvn_from(j, l), kvn);
	return out_record(out, (const char *const[HL3B_VALUES]){ l->iccid, l->imsi, index, kvn, line_end_name(l->end),
								 evidence_word(l, evidence), at });
}

static struct desk_out *to_b(struct desk_job *j, struct desk_out *out)
{
	const struct order *o = &j->order->o;

	return out ? out : out_open(j, o->kind == ORDER_3A ? XCHG_HL3A : XCHG_HL3B, o->b, NULL);
}

/* 3a: K, as soon as the card has shown that it is staged. */
int a_hand_decide(struct desk *d, struct desk_job *j)
{
	struct desk_out *out = NULL;
	int rc = 0;

	(void)d;
	for (unsigned i = 0; i < j->n && !rc; i++) {
		struct line *l = &j->line[i];
		const bool armed = l->flags & LINE_ARMED;
		struct ks_block block = { .has_sub = true };

		if (!armed && a_gave_up(j, i))
			continue;
		if (!j->also[i].row.version || j->also[i].row.len != KS_SUB_LEN) {
			/* it was there when it was planned */
			job_alarm(j, "card %s: its K has gone: import it, or cancel the order", l->iccid);
			a_wait(j, A_HAND, desk_now(d) + HLR_AGAIN_MS);
			continue;
		}
		memcpy(block.sub, j->also[i].body, KS_SUB_LEN);
		if (l->has_opc && ks_sub_join(desk_deps(d)->ks, l->iccid, j->also[i].body, l->opc, block.sub)) {
			job_alarm(j,
				  "card %s: its K and its new OPc do not go together: import it, or cancel the order",
				  l->iccid);
			a_wait(j, A_HAND, desk_now(d) + HLR_AGAIN_MS);
			continue;
		}
		out = to_b(j, out);
		if (!out)
			return -EIO;
		rc = hl3a(j, out, l, "provisional", armed ? "armed" : "staged", &block);
		l->flags |= LINE_PROVISIONAL;
		a_put(j, i, armed ? (l->flags & LINE_SERVED ? A_DUE : A_ARMED) : a_gate(j, l));
	}
	a_wait(j, A_HAND, 0);
	return a_out_done(out, rc);
}

/* 3a: OTA keys and counter, when the card is served elsewhere. */
int a_due_decide(struct desk *d, struct desk_job *j)
{
	struct desk_out *out = NULL;
	int rc = 0;

	for (unsigned i = 0; i < j->n && !rc; i++) {
		struct line *l = &j->line[i];
		const struct card_bundle *c = &j->card[i];
		struct ks_block block = { .sets = 1 };
		unsigned k = 0;

		while (c->card.id && k < c->n_keysets && c->keyset[k].kvn != l->kvn)
			k++;
		if (!c->card.id || k == c->n_keysets) {
			job_alarm(j, "card %s: its keys of version %u have gone: import them", l->iccid, l->kvn);
			desk_again(d, l->order, A_DUE, desk_now(d) + HLR_AGAIN_MS);
			continue;
		}
		out = to_b(j, out);
		if (!out)
			return -EIO;
		block.set[0].kvn = l->kvn;
		block.set[0].len = c->keyset[k].sealed_len;
		memcpy(block.set[0].sealed, c->keyset[k].sealed, c->keyset[k].sealed_len);
		l->cntr = c->keyset[k].cntr + desk_cfg(d)->cntr_margin;
		if (l->cntr > CNTR_MAX)
			l->cntr = CNTR_MAX;
		rc = hl3a(j, out, l, "final", "armed", &block);
		l->flags |= LINE_FINAL;
		a_put(j, i, A_SERVED);
	}
	return a_out_done(out, rc);
}

/* How it ended, once for every line of the IL. */
int a_listed_decide(struct desk *d, struct desk_job *j)
{
	struct order *o = &j->order->o;
	struct desk_out *out = NULL;
	int rc = 0;

	(void)d;
	for (unsigned i = 0; i < j->n && !rc; i++) {
		struct line *l = &j->line[i];

		if (l->imsi[0] && !(l->flags & LINE_LISTED)) {
			out = to_b(j, out);
			if (!out)
				return -EIO;
			rc = o->kind == ORDER_3A ? hl3a(j, out, l, "final", line_end_name(l->end), NULL) :
						   hl3b(out, j, l);
			l->flags |= LINE_LISTED;
			o->listed++;
			job_order_put(j);
		}
		if (l->end == END_DONE)
			a_put(j, i, A_PURGE);
		else
			a_close(j, i);
	}
	return a_out_done(out, rc);
}

/* ---- what goes after CF(E6) ---- */

static void leave(struct desk_job *j, unsigned i)
{
	struct line *l = &j->line[i];
	struct card_row c = { .gone_ms = desk_now(j->d) };
	char key[BOOK_KEY_MAX];

	switch (job_refused(j, i)) {
	case STORE_R_OPEN_TXN: /* an operator's campaign has it */
		l->again_ms = desk_now(j->d) + BUSY_MS;
		a_put(j, i, A_PURGE);
		return;
	case 0:
		memcpy(c.iccid, l->iccid, sizeof(c.iccid));
		job_op(j, i, ST_CARD_LEAVE, &c, NULL, 0);
		break;
	default: /* not known any more: it has left */
		break;
	}
	a_sub_key(j, i, key);
	job_drop(j, BOOK_SUB, key, BOOK_ANY);
	a_close(j, i);
}

/* Our own open txn of the card, and what else is not over, is waited for. */
static int64_t purge_due(struct desk_job *j, unsigned i)
{
	const struct line *l = &j->line[i];
	const struct card_bundle *c = &j->card[i];
	int64_t due_ms = l->confirmed_ms + desk_cfg(j->d)->grace_ms;

	if (l->again_ms > due_ms)
		due_ms = l->again_ms;
	if (due_ms > desk_now(j->d))
		return due_ms;
	if (!c->card.id || !c->has_txn || c->txn.state > TXN_ACTIVE)
		return 0;
	job_settle(j, i, TXN_DONE, "confirmed by the new operator");
	return desk_now(j->d) + BUSY_MS;
}

int a_purge_decide(struct desk *d, struct desk_job *j)
{
	for (unsigned i = 0; i < j->n; i++) {
		const struct line *l = &j->line[i];
		const int64_t due_ms = purge_due(j, i);

		if (due_ms) {
			desk_again(d, l->order, A_PURGE, due_ms);
			continue;
		}
		if (desk_deps(d)->hlr &&
		    l->old_imsi[0]) { /* the keys stay until it is removed: asked again, it compares again */
			const struct store_book *sub = &j->also[i];

			job_hlr(j, i, HLR_REMOVE, l->old_imsi, "",
				sub->row.version && sub->row.len == KS_SUB_LEN ? sub->body : NULL);
			a_put(j, i, A_PURGING);
		} else {
			leave(j, i);
		}
	}
	return 0;
}

static void on_removed(struct desk_job *j, unsigned i, const struct hlr_result *r)
{
	struct line *l = &j->line[i];

	if (r->end == HLR_OK || r->end == HLR_ABSENT) {
		leave(j, i);
		return;
	}
	job_alarm(j, "card %s: our register does not remove IMSI %s: %.60s", l->iccid, l->old_imsi, r->why);
	l->again_ms = desk_now(j->d) + HLR_AGAIN_MS;
	a_put(j, i, A_PURGE);
}

void a_on_hlr(struct desk_job *j, unsigned i)
{
	const struct desk_event *ev = &j->event[i];
	struct line *l = &j->line[i];
	enum line_step next = (enum line_step)j->row[i].row.step;

	if (ev->hlr_kind == HLR_MSISDN) {
		a_numbered(j, i);
		return;
	}
	if (ev->hlr_kind == HLR_REMOVE && next == A_PURGING) {
		on_removed(j, i, &ev->hlr);
		return;
	}
	if (ev->hlr_kind == HLR_READ && a_waits_here(next)) {
		a_here(j, i);
		return;
	}
	if (ev->hlr_kind == HLR_READ && next == A_STAGING && l->flags & LINE_STAGED) {
		if (ev->hlr.end == HLR_OK && ev->hlr.has_keys)
			l->sqn = ev->hlr.sqn;
		next = a_hand_step(&j->order->o);
	}
	a_put(j, i, next);
}
