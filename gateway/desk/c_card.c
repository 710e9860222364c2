/* c_card.c - a change at home: what the card is told, and what its answers mean.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The same values may go out any number of times: they take their own place on the card.  So nothing here is decided by silence; whoever
 * has no answer asks again later, for as long as it takes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "c_int.h"

#define CNTR_TOP (OTA_CNTR_MAX - (1u << 20))

/* ---- plans ---- */

static bool ours_open(const struct card_bundle *c)
{
	return c->has_txn && (c->txn.state == TXN_PLANNED || c->txn.state == TXN_ACTIVE);
}

bool c_plan(struct desk_job *j, unsigned i, const struct work *w, uint8_t kvn, int64_t *next_ms)
{
	const struct line *l = &j->line[i];
	const int64_t now_ms = desk_now(j->d);
	int64_t at_ms = now_ms + C_BUSY_MS;
	int rc = l->again_ms > now_ms ? -EAGAIN : ours_open(&j->card[i]) ? -EBUSY : job_plan(j, i, w, kvn);

	if (!rc)
		return true;
	if (rc == -EAGAIN)
		at_ms = l->again_ms;
	if (at_ms < *next_ms)
		*next_ms = at_ms;
	if (rc == -EAGAIN || rc == -EBUSY || rc == -ENOBUFS)
		return false;
	/* nothing of what has been done is lost: it goes on when its card is whole again */
	job_alarm(j, "card %s: %s cannot be planned: %s; is its import complete?", l->iccid, work_kind_name(w->kind),
		  strerror(-rc));
	return false;
}

static int load(struct desk_job *j, unsigned i, uint8_t kvn, uint32_t *set)
{
	const struct keyset_row *k = c_keyset(&j->card[i], kvn);

	*set = 0;
	return k ? ks_load(desk_deps(j->d)->ks, j->line[i].iccid, kvn, k->sealed, k->sealed_len, set) : KS_E_REF;
}

static struct work about(const struct line *l, enum work_kind kind)
{
	return (struct work){ .kind = (uint8_t)kind, .order = l->order, .from = l->from, .to = l->to };
}

static int work_keys(struct work *w, const struct line *l, enum work_kind kind, const uint8_t *wrapped, size_t len,
		     const uint8_t *kcv)
{
	if (work_of_keys(w, kind, wrapped, len, kcv))
		return -1;
	w->order = l->order;
	w->from = w->to = l->from;
	return 0;
}

/* ---- OTA keys ---- */

static int ota_work(struct desk_job *j, unsigned i, const struct change_keys *k, struct work *w)
{
	uint8_t wrapped[KS_SET_WRAPPED_MAX], kcv[3 * KS_KCV_LEN];
	const struct line *l = &j->line[i];
	struct ks *ks = desk_deps(j->d)->ks;
	uint32_t to, from = 0;
	int n = load(j, i, l->kvn, &to);

	if (!n)
		n = ks_load(ks, l->iccid, k->kvn, k->sealed, k->sealed_len, &from);
	if (!n)
		n = ks_set_wrap(ks, to, from, wrapped, kcv);
	ks_unload(ks, from);
	ks_unload(ks, to);
	return n < 0 ? n : work_keys(w, l, WORK_OTA_KEYS, wrapped, (size_t)n, kcv);
}

/* New keys cannot be prepared.  Before any have left that ends it; after that they may be on the card, and are kept. */
static void unprepared(struct desk_job *j, unsigned i, const char *what, int rc, int64_t *next_ms)
{
	const struct line *l = &j->line[i];
	const int64_t at_ms = desk_now(j->d) + C_RETRY_MS;
	const char *why = rc == KS_E_POLICY ? "is there an AES KIK?" : ks_strerror(rc);

	if (!(l->flags & LINE_ARMED)) {
		c_give_up(j, i, END_FAILED, "its new %s cannot be wrapped: %.50s", what, why);
		return;
	}
	if (at_ms < *next_ms)
		*next_ms = at_ms;
	job_alarm(j, "card %s: its new %s, which it may have, cannot be wrapped: %.50s; tried again", l->iccid, what,
		  why);
}

bool c_made(struct desk_job *j, unsigned i, struct change_keys *k)
{
	if (j->also[i].row.version && !change_unpack(k, j->also[i].body, j->also[i].row.len))
		return true;
	job_alarm(j, "card %s: its new keys in the books cannot be read: check-store, or restore a backup",
		  j->line[i].iccid);
	return false;
}

/* What has been made goes out, wrapped under the keys that the card has. */
static int keys_send(struct desk_job *j, const char *what,
		     int (*wrap)(struct desk_job *j, unsigned i, const struct change_keys *k, struct work *w),
		     enum line_step sent)
{
	int64_t next_ms = INT64_MAX;

	for (unsigned i = 0; i < j->n; i++) {
		struct line *l = &j->line[i];
		struct change_keys k;
		struct work w;
		int rc;

		if (c_cancelled(j, i) || !c_made(j, i, &k))
			continue;
		if (l->flags & LINE_CANCEL && !k.has_was) { /* refused, and nobody knows what is in force */
			char why[LINE_WHY_MAX];

			memcpy(why, l->why, sizeof(why));
			c_give_up(j, i, END_FAILED, "%s", why);
			continue;
		}
		rc = wrap(j, i, &k, &w);
		if (rc)
			unprepared(j, i, what, rc, &next_ms);
		if (rc || !c_plan(j, i, &w, l->kvn, &next_ms))
			continue;
		l->flags |= LINE_ARMED;
		job_line_put(j, i, sent);
	}
	c_again(j, next_ms);
	return 0;
}

int c_ota_decide(struct desk *d, struct desk_job *j)
{
	(void)d;
	return keys_send(j, "OTA keys", ota_work, C_OTA_SENT);
}

/* The card counts on over both key versions: the new one begins above all that we have taken under the old. */
static void keyset_put(struct desk_job *j, unsigned i, const struct change_keys *k)
{
	const struct card_bundle *c = &j->card[i];
	const struct keyset_row *old = c_keyset(c, j->line[i].kvn), *own = c_keyset(c, k->kvn);
	struct store_card_insert in = { .card = c->card, .n_keysets = 1 };
	struct keyset_row *n = &in.keyset[0];
	struct ks_keyset_spec spec;
	uint64_t above = (old ? old->cntr : 0) + desk_cfg(j->d)->cntr_margin;

	if (!c->card.id || ks_sealed_spec(k->sealed, k->sealed_len, &spec))
		return;
	in.card.tz_min = CARD_TZ_KEEP;
	in.card.profile[0] = '\0';
	*n = (struct keyset_row){ .card = c->card.id,
				  .kvn = k->kvn,
				  .kic_alg = (uint8_t)spec.kic_alg,
				  .kid_alg = (uint8_t)spec.kid_alg,
				  .cc_len = spec.cc_len,
				  .generation = own ? own->generation + 1 : 1,
				  .cntr = above < CNTR_TOP ? above : CNTR_TOP,
				  .epoch = desk_cfg(j->d)->epoch,
				  .sealed_len = k->sealed_len };
	memcpy(n->sealed, k->sealed, k->sealed_len);
	if (own && own->sealed_len == n->sealed_len && !memcmp(own->sealed, n->sealed, n->sealed_len)) {
		n->generation = own->generation; /* has been put: it only counts on */
		if (own->cntr >= above)
			return;
	}
	job_op(j, i, ST_CARD_INSERT, &in, NULL, 0);
}

int c_prove_decide(struct desk *d, struct desk_job *j)
{
	int64_t next_ms = INT64_MAX;

	(void)d;
	for (unsigned i = 0; i < j->n; i++) {
		struct line *l = &j->line[i];
		const struct work w = about(l, WORK_STATUS);
		struct change_keys k;

		if (!c_made(j, i, &k))
			continue;
		if (l->again_ms <= desk_now(j->d) && !ours_open(&j->card[i]) && !job_refused(j, i))
			keyset_put(j, i, &k);
		if (c_plan(j, i, &w, k.kvn, &next_ms))
			job_line_put(j, i, C_PROVING);
	}
	c_again(j, next_ms);
	return 0;
}

/* ---- K, OPc ---- */

/* Always both: a part that stays is sent with its value in force, which takes away what an earlier change, unknown to a restored backup, may
 * have left pending there (card-interface 8.1).  The card would come into force with both. */
static int key_work(struct desk_job *j, unsigned i, const struct change_keys *k, struct work *w)
{
	const uint8_t *sub = j->line[i].flags & LINE_CANCEL ? k->was : k->sub;
	uint8_t wrapped[2 * KS_SUB_WRAPPED], kcv[2 * KS_KCV_LEN];
	struct ks *ks = desk_deps(j->d)->ks;
	uint32_t to;
	int rc = load(j, i, j->line[i].kvn, &to);

	if (!rc)
		rc = ks_sub_wrap(ks, to, sub, KS_SUB_K, wrapped, kcv);
	if (!rc)
		rc = ks_sub_wrap(ks, to, sub, KS_SUB_OPC, wrapped + KS_SUB_WRAPPED, kcv + KS_KCV_LEN);
	ks_unload(ks, to);
	return rc ? rc : work_keys(w, &j->line[i], WORK_K_OPC, wrapped, sizeof(wrapped), kcv);
}

/* Before anything of it leaves: has our register the keys that our books say?  If not, a change has gone by that these books know nothing
 * of, and the card may have its K in force: a new one could strand it. */
int c_ask_decide(struct desk *d, struct desk_job *j)
{
	int64_t next_ms = INT64_MAX;

	for (unsigned i = 0; i < j->n; i++) {
		struct line *l = &j->line[i];
		struct change_keys k;

		if (c_cancelled(j, i) || !c_made(j, i, &k))
			continue;
		if (l->again_ms > desk_now(d)) {
			next_ms = l->again_ms < next_ms ? l->again_ms : next_ms;
			continue;
		}
		if (!k.has_was) { /* both are new, and the register takes them whatever it has */
			l->again_ms = 0;
			l->again_n = (l->flags & LINE_FOUND) != 0;
			job_line_put(j, i, C_KEY);
			continue;
		}
		if (!desk_deps(d)->hlr) {
			snprintf(j->why, sizeof(j->why),
				 "no HLR is configured: card %s waits with its new K (node hlr)", l->iccid);
			return -ENXIO;
		}
		job_hlr(j, i, HLR_READ, l->imsi, "", l->again_n ? k.sub : k.was);
		job_line_put(j, i, C_ASKING);
	}
	c_again(j, next_ms);
	return 0;
}

int c_key_decide(struct desk *d, struct desk_job *j)
{
	(void)d;
	return keys_send(j, "K", key_work, C_KEY_SENT);
}

/* STATUS under the keys that the card has now: what is pending there? */
static int status_plan(struct desk_job *j, enum line_step planned)
{
	int64_t next_ms = INT64_MAX;

	for (unsigned i = 0; i < j->n; i++) {
		const struct work w = about(&j->line[i], WORK_STATUS);

		if (c_plan(j, i, &w, j->line[i].kvn, &next_ms))
			job_line_put(j, i, planned);
	}
	c_again(j, next_ms);
	return 0;
}

int c_settle_decide(struct desk *d, struct desk_job *j)
{
	(void)d;
	return status_plan(j, C_SETTLING);
}

int c_doubt_decide(struct desk *d, struct desk_job *j)
{
	(void)d;
	return status_plan(j, C_DOUBTING);
}

/* ---- answers ---- */

static void later(struct desk_job *j, unsigned i, enum line_step step, int64_t in_ms)
{
	struct line *l = &j->line[i];

	l->again_ms = desk_now(j->d) + in_ms;
	job_line_put(j, i, step);
}

static void good(struct desk_job *j, unsigned i, enum line_step next, uint16_t flag)
{
	struct line *l = &j->line[i];

	l->again_ms = 0;
	l->flags |= flag;
	l->evidence = 4;
	l->evidence_ms = j->event[i].at_ms;
	job_line_put(j, i, next);
}

/* The card has said no under its keys.  An earlier copy, or of two keys the first, may have been taken all the same: keys that may be on
 * the card are not forgotten.  What is pending of K and OPc is taken away with the values in force, and then it ends; what cannot be taken
 * away is asked for. */
static void refused(struct desk_job *j, unsigned i, enum line_step plan)
{
	struct line *l = &j->line[i];
	const char *reason = j->event[i].reason;
	const bool found = l->flags & LINE_FOUND;
	const bool silence = l->again_ms != 0 || found; /* a copy has had no answer, or one that is forgotten */

	desk_log(j->d, LOG_ERR, "change %s: card %s: %s: %s", j->order->o.name, l->iccid,
		 plan == C_OTA ? "OTA keys" : "K", reason);
	if (plan == C_OTA && !silence) {
		c_give_up(j, i, END_FAILED, "%.70s", reason);
		return;
	}
	l->again_ms = 0;
	if (l->flags & LINE_CANCEL) {
		job_line_put(j, i, C_ASK);
		return;
	}
	if (plan == C_KEY && found && l->again_n) { /* the new ones are in force, perhaps */
		job_alarm(j, "card %s refuses K or OPc, and may have them: %.80s; tried again", l->iccid, reason);
		later(j, i, C_KEY, C_RETRY_MS);
		return;
	}
	snprintf(l->why, sizeof(l->why), "%s%.70s", l->flags & LINE_FINAL ? "its OTA keys are new; " : "", reason);
	if (plan == C_KEY)
		l->flags |= LINE_CANCEL;
	job_line_put(j, i, plan == C_KEY ? C_KEY : C_DOUBT);
}

/* The card has taken what was sent. */
static void taken(struct desk_job *j, unsigned i, uint16_t step, enum line_step next, uint16_t flag)
{
	struct line *l = &j->line[i];
	char why[LINE_WHY_MAX];

	if (!(l->flags & LINE_CANCEL)) {
		good(j, i, next, flag);
	} else if (step == C_KEY_SENT) { /* the values in force: nothing is pending any more */
		memcpy(why, l->why, sizeof(why));
		c_give_up(j, i, END_FAILED, "%s", why);
	}
}

/* New keys were sent, `sent`; `plan` is where they are sent again. */
static void keys_answered(struct desk_job *j, unsigned i, uint16_t step, enum line_step plan, enum line_step next,
			  uint16_t flag)
{
	const struct desk_event *ev = &j->event[i];

	if (ev->verdict == WORK_IS_DONE + 1) /* also late, of one that was given up */
		taken(j, i, step, next, flag);
	else if (step == plan || ev->again)
		return;
	else if (ev->verdict && ev->verdict != WORK_NOT_RUN + 1)
		refused(j, i, plan);
	else /* under which keys it is, only an answer tells: the others next */
		later(j, i, plan == C_OTA && j->line[i].flags & LINE_FOUND ? C_PROVE : plan, C_RETRY_MS);
}

static void proof_answered(struct desk_job *j, unsigned i, uint16_t step)
{
	const struct desk_event *ev = &j->event[i];

	if (ev->verdict == WORK_IS_DONE + 1)
		good(j, i, C_PROVED, LINE_FINAL);
	else if (step == C_PROVING && !ev->again)
		later(j, i, j->line[i].flags & LINE_FOUND ? C_OTA : C_PROVE, C_RETRY_MS);
}

static void settle_answered(struct desk_job *j, unsigned i)
{
	const struct desk_event *ev = &j->event[i];
	struct line *l = &j->line[i];
	int64_t in_ms = desk_now(j->d) - l->ready_ms;

	if (ev->again)
		return;
	if (ev->verdict == WORK_IS_DONE + 1 && ev->has_card &&
	    !(ev->card_pending & (OTA_SUB_PENDING_K | OTA_SUB_PENDING_OPC))) {
		l->end = END_DONE;
		l->confirmed_ms = ev->at_ms;
		good(j, i, C_SHRED, LINE_CONFIRMED);
		return;
	}
	in_ms = in_ms < C_SETTLE_MS ? C_SETTLE_MS : in_ms > C_SETTLE_MAX_MS ? C_SETTLE_MAX_MS : in_ms;
	later(j, i, C_SETTLE, in_ms);
}

/* No copy of the keys can come any more: the question had a higher counter.  Has one? */
static void doubt_answered(struct desk_job *j, unsigned i)
{
	const bool cancelled = j->order->o.step == ORDER_CANCELLED;
	const struct desk_event *ev = &j->event[i];
	struct line *l = &j->line[i];
	const bool ota = !(l->flags & LINE_CANCEL);
	const bool has = ev->card_pending & (ota ? OTA_SUB_PENDING_OTA : OTA_SUB_PENDING_K | OTA_SUB_PENDING_OPC);
	char why[LINE_WHY_MAX];

	if (ev->again)
		return;
	if (ev->verdict != WORK_IS_DONE + 1 || !ev->has_card) {
		later(j, i, C_DOUBT, C_RETRY_MS);
		return;
	}
	if (has && !cancelled) {
		job_alarm(j,
			  "card %s refuses, and has new %s pending: %.80s; tried again until the change is cancelled",
			  l->iccid, ota ? "OTA keys" : "K or OPc", l->why);
		later(j, i, ota ? C_OTA : C_KEY, C_RETRY_MS);
		return;
	}
	memcpy(why, l->why, sizeof(why));
	c_give_up(j, i, cancelled ? END_CANCELLED : END_FAILED, "%.50s%s", why,
		  !has ? "" :
		  ota  ? "; change its OTA keys before it moves" :
			 "; a K or OPc that nobody has is pending");
}

static void on_txn(struct desk_job *j, unsigned i)
{
	const uint8_t work = j->event[i].work;
	const uint16_t step = j->row[i].row.step;

	if (work == WORK_OTA_KEYS && (step == C_OTA_SENT || step == C_OTA))
		keys_answered(j, i, step, C_OTA, C_PROVE, 0);
	else if (work == WORK_STATUS && (step == C_PROVING || step == C_PROVE))
		proof_answered(j, i, step);
	else if (work == WORK_K_OPC && (step == C_KEY_SENT || step == C_KEY))
		keys_answered(j, i, step, C_KEY, C_SWITCH, LINE_PROVISIONAL);
	else if (work == WORK_STATUS && step == C_SETTLING)
		settle_answered(j, i);
	else if (work == WORK_STATUS && step == C_DOUBTING)
		doubt_answered(j, i);
}

static void register_answered(struct desk_job *j, unsigned i)
{
	const struct desk_event *ev = &j->event[i];
	struct line *l = &j->line[i];

	if (ev->hlr.end == HLR_OK) {
		l->again_ms = 0;
		job_line_put(j, i, l->flags & LINE_CANCEL ? C_DOUBT : C_KEY);
		return;
	}
	if (l->flags & LINE_FOUND && ev->hlr.end == HLR_REFUSED && !l->again_n) { /* it may have the new ones already */
		l->again_n = 1;
		l->again_ms = 0;
		job_line_put(j, i, C_ASK);
		return;
	}
	l->again_n = 0;
	job_alarm(j,
		  "card %s: nothing is sent: our HLR has not the keys of our books (%.40s); if a backup was put back, "
		  "use a newer one",
		  l->iccid, ev->hlr.end == HLR_ABSENT ? "its IMSI is not there" : ev->hlr.why);
	later(j, i, C_ASK, C_RETRY_MS);
}

static void on_hlr(struct desk_job *j, unsigned i)
{
	const struct desk_event *ev = &j->event[i];
	struct line *l = &j->line[i];

	if (ev->hlr_kind == HLR_READ && j->row[i].row.step == C_ASKING)
		register_answered(j, i);
	if (ev->hlr_kind != HLR_REKEY || j->row[i].row.step != C_SWITCHING)
		return;
	if (ev->hlr.end == HLR_OK) {
		l->flags |= LINE_PROVISIONED;
		l->ready_ms = ev->at_ms;
		later(j, i, C_SETTLE, C_SETTLE_MS);
		return;
	}
	/* the card answers under the old ones as well: nobody is cut off while somebody looks */
	job_alarm(j, "card %s: our HLR does not take its new keys: %.80s; tried again", l->iccid,
		  ev->hlr.end == HLR_ABSENT ? "its IMSI is not there" : ev->hlr.why);
	later(j, i, C_SWITCH, C_RETRY_MS);
}

void desk_event_c(struct desk *d, struct desk_job *j, unsigned i)
{
	(void)d;
	if (j->order->o.policy == CHANGE_IMSI)
		c_imsi_event(j, i);
	else if (j->event[i].kind == DESK_EV_HLR)
		on_hlr(j, i);
	else
		on_txn(j, i);
}
