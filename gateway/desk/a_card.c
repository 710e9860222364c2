/* a_card.c - the old operator: what the card is told, STAGE and ARM, and what its answers mean for its line.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * STAGE changes nothing in force and may be asked for, repeated and taken back at any time.  ARM is another matter: when its batch is
 * durable it may have left, and then the card may be at the new operator although nobody tells us.  From there on a line
 * stands where it stands until the new operator's CF, or until the card has been heard *here* again and says under its keys what became
 * of the order; the core sends nothing fresh meanwhile, nor do we.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "a_int.h"

#define CNTR_TOP (OTA_CNTR_MAX - (1u << 20)) /* nothing that a partner says takes the last ones of a counter */
#define BUSY_MS	 10000			     /* a card with another command under way is tried again */

/* ---- what it is told ---- */

/* 0: planned, or negative: no work at all can be planned now.  Else the step that the line goes to, or stays at. */
static int plan(struct desk_job *j, unsigned i, const struct work *w, enum line_step now)
{
	struct line *l = &j->line[i];
	int rc = job_plan(j, i, w, a_kvn_from(j, l));

	if (!job_refused(j, i))
		return rc;
	switch (rc) {
	case -EBUSY:
		a_wait(j, now, desk_now(j->d) + BUSY_MS);
		return now;
	case -ENOENT:
		return a_give_up(j, l, END_FAILED, "the card is not known here any more");
	case -ENOKEY:
		return a_give_up(j, l, END_FAILED, "no keys of version %u here: import them", a_kvn_from(j, l));
	case -EACCES:
		return a_give_up(j, l, END_FAILED, "the card belongs to another operator already");
	default:
		return a_give_up(j, l, END_FAILED, "%s was refused by the store", work_kind_name(w->kind));
	}
}

/* What the set says, for ARM and STATUS. */
static struct work work_about(const struct line *l, enum work_kind kind)
{
	struct work w = { .kind = (uint8_t)kind,
			  .order = l->order,
			  .from = l->from,
			  .to = l->to,
			  .keeps_msisdn = kind != WORK_UNSTAGE && a_keeps_msisdn(l) };

	memcpy(w.imsi, l->imsi, sizeof(w.imsi));
	memcpy(w.hash, l->hash, sizeof(w.hash));
	return w;
}

/* The new OPc, under the KIK of the keyset that carries it. */
static int opc_wrap(const struct desk_job *j, unsigned i, const struct a_set *s, uint8_t out[KS_OPC_WRAPPED])
{
	const struct card_bundle *c = &j->card[i];
	struct ks *ks = desk_deps(j->d)->ks;
	const uint8_t kvn = a_kvn_from(j, &j->line[i]);
	uint32_t set;
	int rc = KS_E_SPEC;

	for (unsigned k = 0; c->card.id && k < c->n_keysets; k++) {
		const struct keyset_row *row = &c->keyset[k];

		if (row->kvn != kvn || ks_load(ks, j->line[i].iccid, kvn, row->sealed, row->sealed_len, &set))
			continue;
		rc = ks_opc_wrap(ks, set, s->opc, out);
		ks_unload(ks, set);
	}
	return rc;
}

static int stage_work(const struct desk_job *j, unsigned i, enum work_kind kind, struct work *w)
{
	uint8_t set[OTA_SUB_SET_MAX], hash[KS_HASH_LEN], opc[KS_OPC_WRAPPED];
	struct a_set s;
	int len;

	if (!j->also[i].row.version || a_set_unpack(&s, j->also[i].body, j->also[i].row.len) ||
	    (s.has_opc && opc_wrap(j, i, &s, opc)))
		return -1;
	len = a_set_encode(&s, &j->line[i], (struct ota_span){ opc, s.has_opc ? sizeof(opc) : 0 }, set);
	if (len < 0 || ks_sha256(set, (size_t)len, hash) || work_of_set(w, kind, set, (size_t)len, hash) < 0)
		return -1;
	w->keeps_msisdn = kind == WORK_ADVANCE && a_keeps_msisdn(&j->line[i]);
	return 0;
}

/* ---- plain cards: no way back ---- */

#define ASKS_CONSENT "cards without a way back wait"
#define NO_CONSENT   "no way back, and nobody accepted that: order accept --no-rollback-ok"

/* Before it is said nothing happens to them, and afterwards it is too late to take it back for those that are written. */
int a_accept_decide(struct desk *d, struct desk_job *j, struct desk_call *c)
{
	struct order *o = &j->order->o;

	if (o->step != ORDER_OPEN) {
		snprintf(c->text, sizeof(c->text), "order %s is cancelled", o->name);
		return -EALREADY;
	}
	o->no_rollback = c->r.no_rollback_ok ? NO_ROLLBACK_OK : NO_ROLLBACK_REFUSED;
	if (!strncmp(o->alarm, ASKS_CONSENT, sizeof(ASKS_CONSENT) - 1))
		o->alarm[0] = '\0';
	job_order_put(j);
	desk_kick(d, o->number, A_STAGE);
	snprintf(c->text, sizeof(c->text), "order %s: cards without a way back %s", o->name,
		 c->r.no_rollback_ok ? "go" : "stay, but those that are written already");
	return 0;
}

static int write_work(const struct desk_job *j, unsigned i, struct work *w)
{
	struct a_set s;

	*w = work_about(&j->line[i], WORK_WRITE);
	if (!j->also[i].row.version || a_set_unpack(&s, j->also[i].body, j->also[i].row.len))
		return -1;
	w->set_len = s.files_len;
	memcpy(w->set, s.files, s.files_len);
	w->has_opc = s.has_opc;
	memcpy(w->opc, s.opc, sizeof(w->opc));
	return 0;
}

/* As it was when K went out: with that OPc, or without. */
static int write_again(struct desk_job *j, unsigned i, struct work *w)
{
	const struct line *l = &j->line[i];

	if (write_work(j, i, w))
		return -1;
	w->has_opc = l->has_opc;
	memcpy(w->opc, l->opc, sizeof(w->opc));
	return l->has_opc ? job_plan_fits(j, i, w, l->kvn, true) : 0;
}

static bool consents(struct desk_job *j, unsigned i)
{
	struct line *l = &j->line[i];
	struct order *o = &j->order->o;
	const enum line_end end = a_over(j, l);

	if (o->no_rollback == NO_ROLLBACK_OK && end == END_NONE)
		return true;
	if (end == END_CANCELLED)
		a_put(j, i, a_give_up(j, l, end, "the order was cancelled"));
	else if (o->no_rollback == NO_ROLLBACK_OK)
		a_put(j, i, a_give_up(j, l, end, "not reached in the time of the order"));
	else if (o->no_rollback == NO_ROLLBACK_REFUSED || end != END_NONE)
		a_put(j, i, a_give_up(j, l, END_FAILED, NO_CONSENT));
	else if (!o->alarm[0])
		job_alarm(j, ASKS_CONSENT ", card %s among them: `order accept` with --no-rollback-ok or without it",
			  l->iccid);
	return false;
}

/* It cannot be staged: its write is STAGE and ARM in one.  So K goes out on nothing but the plan, also in the papers' order: who
 * writes first and waits for the proof strands each card whose proof is lost. */
static void plain_stage(struct desk_job *j, unsigned i)
{
	struct line *l = &j->line[i];
	struct work w;

	if (!consents(j, i))
		return;
	if (write_work(j, i, &w) || job_plan_fits(j, i, &w, l->kvn, false)) {
		a_put(j, i,
		      a_give_up(j, l, END_FAILED, "%.90s", j->why[0] ? j->why : "its files are not in the books"));
		j->why[0] = '\0';
		return;
	}
	l->flags |= LINE_STAGED;
	l->has_opc = w.has_opc;
	memcpy(l->opc, w.opc, sizeof(l->opc));
	if (desk_deps(j->d)->hlr)
		job_hlr(j, i, HLR_READ, l->old_imsi, "", NULL);
	a_put(j, i, desk_deps(j->d)->hlr ? A_STAGING : A_HAND);
}

int a_stage_decide(struct desk *d, struct desk_job *j)
{
	const bool at_once = j->order->o.policy == POLICY_ACTIVATE_FIRST;

	(void)d;
	for (unsigned i = 0; i < j->n; i++) {
		struct line *l = &j->line[i];
		struct work w;
		int next;

		if (l->flags & LINE_PLAIN) {
			plain_stage(j, i);
			continue;
		}
		if (a_gave_up(j, i))
			continue;
		if (stage_work(j, i, at_once ? WORK_ADVANCE : WORK_STAGE, &w)) {
			a_put(j, i, a_give_up(j, l, END_FAILED, "its set cannot be made: is there an AES KIK?"));
			continue;
		}
		next = plan(j, i, &w, A_STAGE);
		if (next < 0)
			return next;
		if (next == A_STAGE)
			continue;
		if (!next) {
			memcpy(l->hash, w.hash, sizeof(l->hash));
			l->staged_ms = desk_now(j->d);
			l->armed_ms = at_once ? desk_now(j->d) : 0;
			l->flags |= at_once ? LINE_ARMED : 0;
			next = at_once ? A_ARMING : A_STAGING;
		}
		a_put(j, i, (enum line_step)next);
	}
	a_wait(j, A_STAGE, 0);
	return 0;
}

int a_look_decide(struct desk *d, struct desk_job *j)
{
	(void)d;
	for (unsigned i = 0; i < j->n; i++) {
		struct line *l = &j->line[i];
		const bool armed = l->flags & LINE_ARMED || a_forgot(j, l), plain = l->flags & LINE_PLAIN;
		struct work w = work_about(l, plain ? WORK_READ : WORK_STATUS);
		struct line kept;
		int next;

		if (armed)
			a_may_be_armed(j, l);
		kept = *l;
		w.flags = armed ? WORK_F_MOVED : 0;
		if (!armed && a_gave_up(j, i))
			continue;
		next = plan(j, i, &w, A_LOOK);
		if (next < 0)
			return next;
		if (next == A_LOOK)
			continue;
		if (next && armed) { /* cannot be asked: that closes nothing */
			*l = kept;
			next = l->flags & LINE_SERVED ? A_SERVED : A_ARMED;
			job_alarm(j, "card %s is armed and cannot be asked: look at its story", l->iccid);
		}
		if (!next)
			l->asked = desk_cfg(d)->epoch;
		a_put(j, i, next ? (enum line_step)next : A_LOOKING);
	}
	a_wait(j, A_LOOK, 0);
	return 0;
}

int a_looking_decide(struct desk *d, struct desk_job *j)
{
	bool armed = false;

	for (unsigned i = 0; i < j->n; i++)
		if (j->line[i].flags & LINE_ARMED)
			armed = true; /* the question waits until the card is here again, as ARM does */
		else
			a_gave_up(j, i);
	a_wait(j, A_LOOKING, 0);
	return armed ? a_arming_decide(d, j) : 0;
}

static bool fresh(const struct desk_job *j, unsigned i)
{
	const struct line *l = &j->line[i];
	int64_t seen_ms = j->card[i].card.last_seen_ms;

	if (l->evidence_ms > seen_ms) /* it has answered: presence alone is written now and then */
		seen_ms = l->evidence_ms;
	if (l->here_ms > seen_ms)
		seen_ms = l->here_ms;
	return desk_now(j->d) - seen_ms <= desk_cfg(j->d)->arm_fresh_ms;
}

/* 0: ARM may have left.  Else as plan(). */
static int arm(struct desk_job *j, unsigned i)
{
	struct line *l = &j->line[i];
	struct work w = work_about(l, WORK_ARM);
	int next;

	if (!fresh(j, i))
		return A_LOOK;
	if (l->flags & LINE_PLAIN && write_again(j, i, &w)) {
		next = a_give_up(j, l, END_FAILED, "%.90s", j->why[0] ? j->why : "its files are not in the books");
		j->why[0] = '\0';
		return next;
	}
	next = plan(j, i, &w, A_ARM);
	if (!next) {
		l->flags |= LINE_ARMED;
		l->armed_ms = desk_now(j->d);
	}
	return next;
}

int a_arm_decide(struct desk *d, struct desk_job *j)
{
	(void)d;
	for (unsigned i = 0; i < j->n; i++) {
		int next = a_gate(j, &j->line[i]);

		if (a_gave_up(j, i))
			continue;
		if (next == A_ARM)
			next = arm(j, i);
		if (next < 0)
			return next;
		if (next != A_ARM)
			a_put(j, i, next ? (enum line_step)next : A_ARMING);
	}
	a_wait(j, A_ARM, 0);
	return 0;
}

/* Another order, or an operator's campaign, may have the card: that is not ours to settle. */
static bool ours(const struct desk_job *j, unsigned i)
{
	const struct card_bundle *c = &j->card[i];

	if (!c->has_txn || (c->txn.state != TXN_PLANNED && c->txn.state != TXN_ACTIVE))
		return false;
	for (unsigned k = 0; k < ORDER_WORKS; k++)
		if (c->txn.campaign && c->txn.campaign == j->order->o.campaign[k])
			return true;
	return false;
}

int a_unstage_decide(struct desk *d, struct desk_job *j)
{
	(void)d;
	for (unsigned i = 0; i < j->n; i++) {
		const struct work w = work_about(&j->line[i], WORK_UNSTAGE);
		struct line kept = j->line[i];
		int next;

		if (ours(j, i)) { /* a STAGE that nobody wants any more */
			job_settle(j, i, TXN_CANCELLED, "the order is over");
			a_wait(j, A_UNSTAGE, desk_now(j->d) + BUSY_MS);
			continue;
		}
		next = plan(j, i, &w, A_UNSTAGE);
		if (next < 0)
			return next;
		if (next == A_UNSTAGE)
			continue;
		j->line[i] = kept; /* why it ends is known already */
		a_put(j, i, next ? A_LIST : A_UNSTAGING);
	}
	return 0;
}

/* The set does nothing without ARM: an order does not stay open for a card that cannot be reached any more. */
int a_unstaging_decide(struct desk *d, struct desk_job *j)
{
	int64_t next_ms = 0;

	for (unsigned i = 0; i < j->n; i++) {
		const int64_t due_ms = j->line[i].ended_ms + A_UNSTAGE_MAX_MS;

		if (desk_now(d) >= due_ms) {
			if (ours(j, i))
				job_settle(j, i, TXN_EXPIRED, "the order is over");
			a_put(j, i, A_LIST);
		} else if (!next_ms || due_ms < next_ms) {
			next_ms = due_ms;
		}
	}
	if (next_ms)
		desk_again(d, j->order->o.number, A_UNSTAGING, next_ms);
	return 0;
}

/* While a card is away the new operator may have counted on under the same keys (3a): ours goes on above that. */
static void count_on(struct desk_job *j, unsigned i)
{
	const struct line *l = &j->line[i];
	const struct card_bundle *c = &j->card[i];
	struct store_card_insert in = { .card = c->card, .n_keysets = 1 };
	uint64_t above = l->cntr + desk_cfg(j->d)->cntr_margin;

	if (above > CNTR_TOP)
		above = CNTR_TOP;

	if (!(l->flags & LINE_FINAL) || !c->card.id)
		return;
	in.card.tz_min = CARD_TZ_KEEP;
	in.card.profile[0] = '\0';
	for (unsigned k = 0; k < c->n_keysets; k++) {
		in.keyset[0] = c->keyset[k];
		if (c->keyset[k].kvn != l->kvn || c->keyset[k].cntr >= above)
			continue;
		in.keyset[0].cntr = above;
		job_op(j, i, ST_CARD_INSERT, &in, NULL, 0);
	}
}

int a_heard_decide(struct desk *d, struct desk_job *j)
{
	for (unsigned i = 0; i < j->n; i++) {
		const struct line *l = &j->line[i];
		const int64_t since_ms = a_since_ms(l, &j->card[i]);

		/* heard under its old numbers, or our register has told it: no receipt counts (core/por.c) */
		if (j->card[i].card.last_seen_ms <= since_ms && l->here_ms <= since_ms)
			continue;
		count_on(j, i);
		a_put(j, i, A_LOOK);
	}
	return a_arming_decide(d, j);
}

/* ---- what it answered ---- */

static bool says(const struct desk_event *ev, enum work_verdict v)
{
	return ev->verdict == (uint8_t)v + 1;
}

static bool end_is(const struct desk_event *ev, enum ota_sub_end end)
{
	return ev->card_end == (uint8_t)end + 1;
}

static bool end_back(const struct desk_event *ev)
{
	return end_is(ev, OTA_SUB_END_ROLLED_BACK) || end_is(ev, OTA_SUB_END_TIMEOUT);
}

static void evidence(struct line *l, const struct desk_event *ev)
{
	l->evidence = ev->evidence == 255 ? 4 : ev->evidence;
	l->evidence_ms = ev->at_ms;
	if (ev->has_card)
		l->left = ev->card_left;
}

/* Without proof of anything: how it ends. */
static enum line_step unproven(const struct desk_job *j, struct line *l, const struct desk_event *ev)
{
	switch (ev->state) {
	case TXN_EXPIRED:
		return a_give_up(j, l, END_UNREACHED, "not reached in the time of the order");
	case TXN_CANCELLED:
		return a_give_up(j, l, END_CANCELLED, "%.60s", ev->reason[0] ? ev->reason : "cancelled");
	default:
		return a_give_up(j, l, END_FAILED, "%.60s", ev->reason[0] ? ev->reason : "failed");
	}
}

static enum line_step staged(struct desk_job *j, unsigned i, const struct desk_event *ev)
{
	struct line *l = &j->line[i];
	const struct order *o = &j->order->o;
	enum line_end end = a_over(j, l);

	l->flags |= LINE_STAGED;
	l->staged_ms = ev->at_ms;
	evidence(l, ev);
	if (end != END_NONE)
		return a_give_up(j, l, end,
				 end == END_CANCELLED ? "the order was cancelled" :
							"staged, not armed in the time of the order");
	if (o->kind != ORDER_3A || (o->policy == POLICY_ESCROW && l->flags & LINE_PROVISIONAL)) /* staged anew */
		return a_gate(j, l);
	if (!desk_deps(j->d)->hlr)
		return a_hand_step(o);
	/* what the card's SQN is at our register goes with K */
	job_hlr(j, i, HLR_READ, l->old_imsi, "", NULL);
	return A_STAGING;
}

static enum line_step on_stage(struct desk_job *j, unsigned i, const struct desk_event *ev)
{
	struct line *l = &j->line[i];

	if (j->row[i].row.step != A_STAGING || l->flags & LINE_STAGED)
		return (enum line_step)j->row[i].row.step; /* told again */
	if (ev->state == TXN_DONE)
		return staged(j, i, ev);
	if (says(ev, WORK_CONFLICT) || says(ev, WORK_WENT_BACK))
		l->staged_ms = 0; /* it holds no set of ours */
	return unproven(j, l, ev);
}

static enum line_step rolled_back(const struct desk_job *j, struct line *l, const struct desk_event *ev)
{
	evidence(l, ev);
	line_fail(l, END_ROLLED_BACK, "%.60s",
		  ev->reason[0] ? ev->reason : "the card went back to its old subscription");
	l->flags &= (uint16_t)~LINE_ARMED;
	l->ended_ms = desk_now(j->d);
	return A_LIST;
}

/* An armed line that stays so. */
static enum line_step stays(const struct line *l)
{
	return l->flags & LINE_SERVED ? A_SERVED : A_ARMED;
}

static enum line_step on_arm(struct desk_job *j, unsigned i, const struct desk_event *ev)
{
	struct line *l = &j->line[i];

	if (j->row[i].row.step != A_ARMING)
		return (enum line_step)j->row[i].row.step;
	if (says(ev, WORK_WENT_BACK) && !end_is(ev, OTA_SUB_END_RETURNING))
		return rolled_back(j, l, ev);
	if (ev->state == TXN_DONE) {
		l->flags |= LINE_STAGED;
		evidence(l, ev);
		/* the literal order of 3a: K goes out when the card has shown that it moves */
		return j->order->o.kind == ORDER_3A && !(l->flags & LINE_PROVISIONAL) ? A_HAND : stays(l);
	}
	if (says(ev, WORK_CONFLICT) || says(ev, WORK_TAKEN_BACK))
		return A_LOOK; /* it has answered, so it is here: what does it say of the order? */
	snprintf(l->why, sizeof(l->why), "not known whether it is armed: %.60s", ev->reason);
	return stays(l);
}

/* The write of a plain card: proven by its EF_IMSI alone, one way or the other; a refusal may be of a copy. */
static enum line_step on_write(struct desk_job *j, unsigned i, const struct desk_event *ev)
{
	struct line *l = &j->line[i];

	if (j->row[i].row.step != A_ARMING)
		return (enum line_step)j->row[i].row.step;
	if (says(ev, WORK_IS_DONE)) {
		evidence(l, ev);
		return stays(l);
	}
	if (says(ev, WORK_NOT_RUN) && !(l->flags & LINE_SERVED)) {
		l->flags &= (uint16_t)~LINE_ARMED;
		l->armed_ms = 0;
		return unproven(j, l, ev);
	}
	if (says(ev, WORK_CONFLICT))
		job_alarm(j, "card %s was written in part: %.60s; %s can serve it with the keys that it has", l->iccid,
			  ev->reason, j->order->o.b);
	snprintf(l->why, sizeof(l->why), "not known whether it has its new IMSI: %.50s", ev->reason);
	return stays(l);
}

/* A backup was put back, and the card has not moved: what it and the new operator were told since is done once more. */
static enum line_step from_anew(struct line *l)
{
	l->flags &= (uint16_t)~LINE_STAGED;
	l->why[0] = '\0';
	if (!l->imsi[0])
		return A_OPEN;
	return l->to ? A_PLACED : A_PAIRED;
}

/* It is here, proven, and no copy of what was to move it will run any more: it ends, or goes on at `again`. */
static enum line_step not_moved(struct desk_job *j, struct line *l, enum line_step again, const char *late)
{
	const bool given_up = l->flags & LINE_GIVEN_UP;
	enum line_end end = a_over(j, l);

	a_number_on(j, (unsigned)(l - j->line));
	l->flags &= (uint16_t) ~(LINE_ARMED | LINE_GIVEN_UP | LINE_SERVED);
	l->armed_ms = 0;
	if (a_forgot(j, l)) {
		l->epoch = desk_cfg(j->d)->epoch;
		again = from_anew(l);
	}
	if (given_up)
		return a_give_up(j, l, END_CANCELLED, "the new operator took it back");
	return end == END_NONE ? again : a_give_up(j, l, end, "%s", late);
}

/* EF_IMSI of a plain card was read.  Under its old IMSI, once it was written: the counter of the question fences every copy of the write,
 * so that what the card holds now it will hold. */
static enum line_step read_plain(struct desk_job *j, struct line *l, const struct desk_event *ev)
{
	if (says(ev, WORK_IS_DONE)) {
		evidence(l, ev);
		if (!(l->flags & LINE_ARMED)) { /* of a store that was put back */
			job_alarm(j, "card %s holds its new IMSI, and nothing of that is in the books", l->iccid);
			l->flags |= LINE_ARMED;
			l->armed_ms = ev->at_ms;
		}
		return stays(l);
	}
	if (!says(ev, WORK_NOT_RUN) || l->flags & LINE_SERVED)
		return l->flags & LINE_ARMED ? stays(l) : unproven(j, l, ev);
	evidence(l, ev);
	return not_moved(j, l, a_gate(j, l), "not written in the time of the order");
}

/* STATUS before ARM: it is here, so that ARM finds it. */
static enum line_step looked(struct desk_job *j, struct line *l, const struct desk_event *ev)
{
	evidence(l, ev);
	if (end_is(ev, OTA_SUB_END_STAGED))
		return A_ARM;
	if (end_back(ev)) {
		l->staged_ms = 0;
		return a_give_up(j, l, END_ROLLED_BACK, "this order has had its move, and the card went back");
	}
	if (end_is(ev, OTA_SUB_END_UNKNOWN) && !ev->has_card)
		return A_LOOK;
	if (end_is(ev, OTA_SUB_END_UNKNOWN) && ev->card_index == l->from) {
		l->flags &= (uint16_t)~LINE_STAGED;
		return A_STAGE; /* something else was staged meanwhile */
	}
	return a_give_up(j, l, END_FAILED, "the card stands where this order cannot have brought it");
}

/* STATUS after ARM, asked because it was heard here again. */
static enum line_step looked_armed(struct desk_job *j, struct line *l, const struct desk_event *ev)
{
	evidence(l, ev);
	if (end_back(ev))
		return rolled_back(j, l, ev);
	if (end_is(ev, OTA_SUB_END_UNKNOWN) && !ev->has_card)
		return A_LOOK; /* where it stands has been lost with a start */
	/* the question's counter fences every ARM before it: none of them will run any more */
	if (end_is(ev, OTA_SUB_END_STAGED) || (end_is(ev, OTA_SUB_END_UNKNOWN) && ev->card_index == l->from)) {
		const bool staged = end_is(ev, OTA_SUB_END_STAGED) && j->order->o.policy != POLICY_ACTIVATE_FIRST;

		if (!staged)
			l->flags &= (uint16_t)~LINE_STAGED;
		return not_moved(j, l, staged ? a_gate(j, l) : A_STAGE, "not armed in the time of the order");
	}
	if (end_is(ev, OTA_SUB_END_UNKNOWN))
		job_alarm(j, "card %s is armed and says that index %u is active: look at its story", l->iccid,
			  ev->card_index);
	return stays(l);
}

static enum line_step on_look(struct desk_job *j, unsigned i, const struct desk_event *ev)
{
	struct line *l = &j->line[i];
	const bool armed = l->flags & LINE_ARMED || a_forgot(j, l);

	if (j->row[i].row.step != A_LOOKING)
		return (enum line_step)j->row[i].row.step;
	if (armed)
		a_may_be_armed(j, l);
	if (a_forgot(j, l) && l->asked != desk_cfg(j->d)->epoch)
		return stays(l); /* it was true before the backup was put back */
	if (l->flags & LINE_PLAIN)
		return read_plain(j, l, ev);
	if (!ev->card_end)
		return armed ? stays(l) : unproven(j, l, ev);
	return armed ? looked_armed(j, l, ev) : looked(j, l, ev);
}

static enum line_step on_unstage(struct desk_job *j, unsigned i, const struct desk_event *ev)
{
	struct line *l = &j->line[i];

	if (j->row[i].row.step != A_UNSTAGING)
		return (enum line_step)j->row[i].row.step;
	if (!says(ev, WORK_TOO_LATE))
		return A_LIST;
	/* cannot be; if it is, the line must not say that the card stays here */
	job_alarm(j, "card %s is armed although its order was not: look at its story", l->iccid);
	l->end = END_NONE;
	l->flags |= LINE_ARMED;
	l->armed_ms = ev->at_ms;
	return A_ARMED;
}

void a_on_txn(struct desk_job *j, unsigned i)
{
	const struct desk_event *ev = &j->event[i];
	struct line *l = &j->line[i];
	enum line_step next;

	if (ev->again) { /* its end has been taken; a late answer proves what was not known, and changes no step */
		if (j->row[i].row.step == A_ARMED && ev->state == TXN_DONE && says(ev, WORK_IS_DONE))
			evidence(l, ev);
		a_put(j, i, (enum line_step)j->row[i].row.step);
		return;
	}
	switch (ev->work) {
	case WORK_WRITE:
		next = on_write(j, i, ev);
		break;
	case WORK_STAGE:
		next = on_stage(j, i, ev);
		break;
	case WORK_ARM:
	case WORK_ADVANCE:
		next = on_arm(j, i, ev);
		break;
	case WORK_STATUS:
	case WORK_READ:
		next = on_look(j, i, ev);
		break;
	case WORK_UNSTAGE:
		next = on_unstage(j, i, ev);
		break;
	default:
		next = (enum line_step)j->row[i].row.step;
		break;
	}
	a_put(j, i, next);
}
