/* c_imsi.c - another IMSI for a card of ours: which one, at our register before anything goes to the card, and how it ends there.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The old operator's STAGE and ARM (a_card.c, a_here.c), with the new operator's register, and one of us who is both.  K and OPc stay.  Our
 * register has the card under both IMSIs from before STAGE; the old one goes when the card has confirmed the new one, and the new one when the
 * card has said that it went back, or was never armed.  No time, no silence and no location update removes anything.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "a_int.h"
#include "b_int.h"
#include "c_int.h"

/* ---- which one ---- */

void c_imsi_key(const struct desk_job *j, unsigned i, char key[BOOK_KEY_MAX])
{
	if (j->order->o.own_list)
		snprintf(key, BOOK_KEY_MAX, "%s", j->line[i].imsi);
	else
		b_list_also(j, i, key);
}

/* A list says its MSISDN, or the card keeps its own; so does one with an IMSI of the pool, where a bridge makes that possible. */
static bool number_choose(struct desk *d, struct desk_job *j, unsigned i)
{
	const struct desk_pool *pool = &desk_cfg(d)->pool;
	struct line *l = &j->line[i];

	if (!j->order->o.own_list && !*pool->msisdn_bridge)
		b_pool_msisdn(pool, l->imsi, l->msisdn);
	if (!*l->msisdn)
		memcpy(l->msisdn, l->old_msisdn, sizeof(l->msisdn));
	return !*l->msisdn || strcmp(l->msisdn, l->old_msisdn) || *pool->msisdn_bridge;
}

/* What STAGE carries of it: as if it had come in a list of new IMSIs. */
static int set_make(struct desk *d, struct desk_job *j, unsigned i)
{
	const struct xchg_schema *schema = xchg_schema_of(XCHG_IL);
	const struct desk_pool *pool = &desk_cfg(d)->pool;
	const struct line *l = &j->line[i];
	char files[sizeof(pool->files) + 16], trial[16] = "", text[sizeof(files) + 400], key[BOOK_KEY_MAX];
	const char *v[] = { l->imsi, l->iccid, l->msisdn, pool->plmns, files, trial, "" };
	uint8_t body[BOOK_BODY_MAX];
	struct xchg_record r;
	struct desk_no no;
	struct a_set s;
	int len;

	b_files_of(pool, l->imsi, files, sizeof(files));
	if (pool->trial_s)
		snprintf(trial, sizeof(trial), "%u", (unsigned)pool->trial_s);
	if (xchg_join(schema, v, text, sizeof(text) - 1, j->why, sizeof(j->why)))
		return -1;
	strcat(text, ","); /* where a record of a package has its salt */
	if (xchg_split(schema, 0, text, &r, j->why, sizeof(j->why)))
		return -1;
	if (a_set_parse(&s, &r, &no)) {
		snprintf(j->why, sizeof(j->why), "%s", no.why);
		return -1;
	}
	len = a_set_pack(&s, body);
	line_key(key, l->order, l->iccid);
	if (len >= 0)
		job_put(j, BOOK_SET, key, l->order, A_SET_PAIRED, BOOK_ANY, body, (size_t)len);
	return len < 0 ? -1 : 0;
}

static void pair(struct desk *d, struct desk_job *j, unsigned i)
{
	struct line *l = &j->line[i];
	char imsi[BOOK_KEY_MAX];

	c_imsi_key(j, i, imsi);
	if (j->order->o.own_list && !*imsi) {
		c_give_up(j, i, END_FAILED, "the list has no IMSI for it");
		return;
	}
	snprintf(l->imsi, sizeof(l->imsi), "%.15s", imsi);
	if (j->order->o.own_list && !b_imsi_free(&j->also[i], desk_now(d))) {
		c_give_up(j, i, END_FAILED, "IMSI %s was given before, or came back less than %lld days ago", l->imsi,
			  IMSI_REST_MS / 86400000);
		return;
	}
	if (!strcmp(l->imsi, l->old_imsi)) {
		c_give_up(j, i, END_FAILED, "has that IMSI already");
		return;
	}
	if (!number_choose(d, j, i)) {
		c_give_up(j, i, END_FAILED,
			  "keeps its MSISDN: set msisdn-bridge (pool), or give another one in a list");
		return;
	}
	if (set_make(d, j, i)) {
		c_give_up(j, i, END_FAILED, "%.95s", j->why[0] ? j->why : "its set cannot be kept");
		j->why[0] = '\0';
		return;
	}
	job_put(j, BOOK_IMSI, imsi, l->order, IMSI_GIVEN, j->also[i].row.version, NULL, 0);
	l->paired_ms = desk_now(d);
	job_line_put(j, i, C_PROVISION);
}

int c_pair_decide(struct desk *d, struct desk_job *j)
{
	int n = (int)j->n;

	d->b.given = 0;
	if (j->order->o.step == ORDER_CANCELLED) {
		for (unsigned i = 0; i < j->n; i++)
			c_cancelled(j, i);
		return 0;
	}
	if (!j->order->o.whole) /* pages of the pool go full: not before all lines are there */
		return 0;
	if (!j->order->o.own_list) {
		n = b_pool_give(d, j);
		j->anew = !n;
	}
	if (n <= 0)
		return n;
	for (unsigned i = 0; i < j->n; i++)
		pair(d, j, i);
	d->b.given = j->order->o.own_list ? 0 : j->n;
	return 0;
}

/* ---- at our register ---- */

int c_provision_decide(struct desk *d, struct desk_job *j)
{
	if (!desk_deps(d)->hlr) {
		snprintf(j->why, sizeof(j->why), "no HLR is configured: change %s waits (node hlr)", j->order->o.name);
		return -ENXIO;
	}
	for (unsigned i = 0; i < j->n; i++) {
		struct line *l = &j->line[i];
		char bridge[MSISDN_DIGITS_MAX + 1] = "";

		if (j->order->o.step == ORDER_CANCELLED && !(l->flags & LINE_ARMED)) {
			line_fail(l, END_CANCELLED, "cancelled by our operator");
			job_line_put(j, i, A_LIST);
			continue;
		}
		if (!j->also[i].row.version || j->also[i].row.len != KS_SUB_LEN) {
			if (l->flags & LINE_ARMED) {
				job_alarm(j, "card %s: its K has gone from the books: restore a backup", l->iccid);
				continue;
			}
			line_fail(l, END_FAILED, "its K is not in our books, so our HLR cannot get its new IMSI");
			job_line_put(j, i, A_LIST);
			continue;
		}
		if (!strcmp(l->msisdn, l->old_msisdn))
			b_bridge(d, l, bridge);
		job_hlr_provision(j, i, bridge, j->also[i].body);
		job_line_put(j, i, C_PROVISIONING);
	}
	return 0;
}

static void provisioned(struct desk_job *j, unsigned i)
{
	const struct desk_event *ev = &j->event[i];
	struct line *l = &j->line[i];

	if (ev->hlr.end == HLR_OK && (!*ev->hlr.vlr || l->flags & LINE_ARMED)) {
		l->flags |= LINE_PROVISIONED | LINE_READY;
		l->bridged = ev->hlr.bridged;
		snprintf(l->bridge, sizeof(l->bridge), "%s", ev->hlr.bridged ? ev->hlr.msisdn : "");
		if (!l->ready_ms)
			l->ready_ms = ev->at_ms;
		a_put(j, i, l->flags & LINE_ARMED ? A_ARMED : A_STAGE);
		return;
	}
	if (ev->hlr.end == HLR_TAKEN && b_bridge_next(j->d, l)) {
		job_line_put(j, i, C_PROVISION);
		return;
	}
	desk_log(j->d, LOG_ERR, "change %s: card %s: our HLR does not take IMSI %s: %s", j->order->o.name, l->iccid,
		 l->imsi, ev->hlr.end == HLR_OK ? "it is registered somewhere" : ev->hlr.why);
	if (l->flags & LINE_ARMED) {
		job_alarm(j, "card %s is armed, and our HLR does not take its new IMSI %s: %.60s", l->iccid, l->imsi,
			  ev->hlr.why);
		a_put(j, i, A_ARMED);
		return;
	}
	l->flags |= LINE_REFUSED; /* somebody else's there: it stays as it is, and is given to nobody */
	line_fail(l, END_FAILED, "HLR: %.80s",
		  ev->hlr.end == HLR_OK ? "somebody is registered under its new IMSI" : ev->hlr.why);
	job_line_put(j, i, A_LIST);
}

/* ---- ends ---- */

static void set_drop(struct desk_job *j, unsigned i)
{
	char key[BOOK_KEY_MAX];

	line_key(key, j->line[i].order, j->line[i].iccid);
	job_drop(j, BOOK_SET, key, BOOK_ANY);
	c_close(j, i, true);
}

static const uint8_t *sub_of(const struct desk_job *j, unsigned i)
{
	const struct store_book *sub = &j->also[i];

	return sub->row.version && sub->row.len == KS_SUB_LEN ? sub->body : NULL;
}

/* It keeps its old IMSI: proven by the card, or never armed. */
int c_undo_decide(struct desk *d, struct desk_job *j)
{
	(void)d;
	for (unsigned i = 0; i < j->n; i++) {
		const struct line *l = &j->line[i];

		if (l->flags & LINE_PROVISIONED) {
			job_hlr(j, i, HLR_REMOVE, l->imsi, "", sub_of(j, i));
			job_line_put(j, i, C_UNDOING);
			continue;
		}
		if (!(l->flags & LINE_REFUSED))
			b_imsi_back(j, i);
		set_drop(j, i);
	}
	return 0;
}

static void undone(struct desk_job *j, unsigned i)
{
	struct line *l = &j->line[i];

	if (j->event[i].hlr.end == HLR_REFUSED)
		job_alarm(j, "card %s: our HLR does not remove IMSI %s: %.80s", l->iccid, l->imsi, j->event[i].hlr.why);
	else
		b_imsi_back(j, i);
	l->flags &= (uint16_t)~LINE_PROVISIONED;
	set_drop(j, i);
}

/* It has confirmed its new one. */
int c_purge_decide(struct desk *d, struct desk_job *j)
{
	int64_t next_ms = INT64_MAX;

	for (unsigned i = 0; i < j->n; i++) {
		const struct line *l = &j->line[i];
		int64_t due_ms = l->confirmed_ms + desk_cfg(d)->grace_ms;

		due_ms = l->again_ms > due_ms ? l->again_ms : due_ms;
		if (due_ms > desk_now(d)) {
			next_ms = due_ms < next_ms ? due_ms : next_ms;
			continue;
		}
		job_hlr(j, i, HLR_REMOVE, l->old_imsi, "", sub_of(j, i));
		job_line_put(j, i, A_PURGING);
	}
	c_again(j, next_ms);
	return 0;
}

static void purged(struct desk_job *j, unsigned i)
{
	const struct desk_event *ev = &j->event[i];
	struct line *l = &j->line[i];

	if (ev->hlr.end == HLR_OK || ev->hlr.end == HLR_ABSENT) {
		b_imsi_rest(j, l->old_imsi, l->order);
		set_drop(j, i);
		return;
	}
	job_alarm(j, "card %s: our HLR does not remove its old IMSI %s: %.60s", l->iccid, l->old_imsi, ev->hlr.why);
	l->again_ms = desk_now(j->d) + C_RETRY_MS;
	job_line_put(j, i, A_PURGE);
}

/* ---- what comes from outside ---- */

void c_imsi_event(struct desk_job *j, unsigned i)
{
	const struct desk_event *ev = &j->event[i];
	const uint16_t step = j->row[i].row.step;

	if (ev->kind == DESK_EV_TXN)
		c_move_txn(j, i);
	else if (ev->hlr_kind == HLR_PROVISION && step == C_PROVISIONING)
		provisioned(j, i);
	else if (ev->hlr_kind == HLR_REMOVE && step == C_UNDOING)
		undone(j, i);
	else if (ev->hlr_kind == HLR_REMOVE && step == A_PURGING)
		purged(j, i);
	else
		c_move_hlr(j, i);
}
