/* b_number.c - the new operator: an MSISDN that goes with its card, where the current operator's subscriber has it in the same register.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * In a register of ours alone the MSISDN is there from the start.  Where both operators are in one register, which knows each MSISDN once, the
 * new subscriber has another one from the range msisdn-bridge, until the current operator has given it up: when we have told him that the
 * card is served here (E5), or when he removes his subscriber.  Who addresses by IMSI asks for it from E5 on.  Who addresses by MSISDN would have
 * two for the card while CONFIRM is under way, and asks when it is confirmed and listed.  Without it the line, and its order, stay open.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "b_int.h"

#define NUMBER_SOON_MS	10000		 /* from E5 on: after so long, */
#define NUMBER_AGE	16		 /* later tried again after a sixteenth of the time that it has waited, */
#define NUMBER_MAX_MS	3600000ll	 /* and after an hour at most */
#define NUMBER_ALARM_MS (7 * 86400000ll) /* a person is told when it has waited so long */

/* How many of its last digits are those of the IMSI. */
static size_t bridge_tail(const char *from, const struct line *l)
{
	const size_t n = strlen(from), of = strlen(l->imsi);
	size_t k = 0;

	while (k < n && k < of && from[n - 1 - k] == '0')
		k++;
	return k;
}

static void bridge_first(const char *from, const struct line *l, char out[MSISDN_DIGITS_MAX + 1])
{
	const size_t k = bridge_tail(from, l);

	snprintf(out, MSISDN_DIGITS_MAX + 1, "%s", from);
	memcpy(out + strlen(out) - k, l->imsi + strlen(l->imsi) - k, k);
}

/* One that was taken is followed by another one, which the line has. */
const char *b_bridge(const struct desk *d, const struct line *l, char out[MSISDN_DIGITS_MAX + 1])
{
	const char *from = d->cfg.pool.msisdn_bridge;
	const size_t fixed = strlen(from) - bridge_tail(from, l);

	out[0] = '\0';
	if (*from && *l->msisdn && strlen(l->bridge) == strlen(from) && !strncmp(l->bridge, from, fixed))
		memcpy(out, l->bridge, sizeof(l->bridge));
	else if (*from && *l->msisdn)
		bridge_first(from, l, out);
	return out;
}

/* IMSIs with the same last digits: the first one of these counts on, up to where it began.  (The last one would meet the next IMSI's.) */
bool b_bridge_next(const struct desk *d, struct line *l)
{
	const char *from = d->cfg.pool.msisdn_bridge;
	const size_t k = bridge_tail(from, l), at = strlen(from) - k;
	char first[MSISDN_DIGITS_MAX + 1], now[MSISDN_DIGITS_MAX + 1];

	if (!*b_bridge(d, l, now) || !k)
		return false;
	bridge_first(from, l, first);
	now[at] = now[at] == '9' ? '0' : (char)(now[at] + 1);
	memcpy(l->bridge, now, sizeof(l->bridge));
	return now[at] != first[at];
}

const char *b_msisdn(const struct line *l)
{
	return l->bridged ? l->bridge : l->msisdn;
}

void b_number_is(struct desk_job *j, unsigned i, const char *bridge)
{
	struct store_card_insert c = { .card = { .created_ms = j->d->now_ms, .tz_min = CARD_TZ_KEEP } };
	struct line *l = &j->line[i];

	l->bridged = *bridge;
	snprintf(l->bridge, sizeof(l->bridge), "%s", bridge);
	/* 3a: it comes with its final list, under this number */
	if (!(l->flags & (j->order->o.kind == ORDER_3A ? LINE_FINAL : LINE_PROVISIONAL)) || job_refused(j, i))
		return;
	memcpy(c.card.iccid, l->iccid, sizeof(c.card.iccid));
	memcpy(c.card.imsi, l->imsi, sizeof(c.card.imsi));
	snprintf(c.card.msisdn, sizeof(c.card.msisdn), "%s", b_msisdn(l));
	job_op(j, i, ST_CARD_TAKE, &c, NULL, 0);
}

void b_number_soon(struct desk_job *j, unsigned i)
{
	const struct line *l = &j->line[i];
	int64_t ms = (j->d->now_ms - l->served_ms) / NUMBER_AGE;

	if (!l->bridged || !j->d->cfg.address_by_imsi || l->flags & LINE_CANCEL)
		return;
	ms = ms < NUMBER_MAX_MS ? ms : NUMBER_MAX_MS;
	job_hlr_msisdn(j, i, l->imsi, l->msisdn, j->d->now_ms + (ms > NUMBER_SOON_MS ? ms : NUMBER_SOON_MS));
}

void b_number_heard(struct desk_job *j, unsigned i)
{
	const struct card_bundle *c = &j->card[i];
	struct card_addr_row a = { .type = ADDR_MSISDN, .card = c->card.id, .valid_from_ms = j->d->now_ms };

	if (!j->line[i].bridged || !j->d->cfg.address_by_imsi || !c->card.id)
		return;
	memcpy(a.digits, j->line[i].msisdn, sizeof(a.digits));
	job_op(j, JOB_NO_LINE, ST_ADDR_PUT, &a, NULL, 0);
}

void b_number_forget(struct desk_job *j, unsigned i)
{
	const struct line *l = &j->line[i];

	if (l->bridged && l->flags & LINE_SERVED && j->d->cfg.address_by_imsi)
		job_hlr_msisdn(j, i, l->imsi, l->bridge, 0); /* what waits for its time is replaced */
}

int b_number_decide(struct desk *d, struct desk_job *j)
{
	int64_t next_ms = INT64_MAX;

	for (unsigned i = 0; i < j->n; i++) {
		const struct line *l = &j->line[i];

		if (l->again_ms > d->now_ms) {
			next_ms = l->again_ms < next_ms ? l->again_ms : next_ms;
			continue;
		}
		job_hlr(j, i, HLR_MSISDN, l->imsi, l->msisdn, NULL);
		job_line_put(j, i, B_NUMBERING);
	}
	if (next_ms != INT64_MAX)
		desk_again(d, j->order->o.number, B_NUMBER, next_ms);
	return 0;
}

static void again(struct desk_job *j, unsigned i)
{
	struct line *l = &j->line[i];
	int64_t ms = (j->d->now_ms - l->confirmed_ms) / NUMBER_AGE;

	ms = ms < NUMBER_MAX_MS ? ms : NUMBER_MAX_MS;
	l->again_ms = j->d->now_ms + (ms > B_RETRY_MS ? ms : B_RETRY_MS);
	job_line_put(j, i, B_NUMBER);
	desk_again(j->d, j->order->o.number, B_NUMBER, l->again_ms);
}

void b_numbered(struct desk_job *j, unsigned i)
{
	const struct desk_event *ev = &j->event[i];
	struct line *l = &j->line[i];

	const enum line_step step = (enum line_step)j->row[i].row.step;

	if (step == B_CLOSED || !l->bridged || l->flags & LINE_CANCEL)
		return;
	if (ev->hlr.end == HLR_OK && !job_refused(j, i)) {
		b_number_is(j, i, "");
		if (step == B_NUMBERING || step == B_NUMBER)
			b_close(j, i);
		else
			job_line_put(j, i, step);
		return;
	}
	if (ev->hlr.end == HLR_REFUSED || ev->hlr.end == HLR_ABSENT)
		job_alarm(j, "card %s: our HLR does not give it MSISDN %s: %.80s", l->iccid, l->msisdn,
			  ev->hlr.end == HLR_ABSENT ? "it does not have it any more" : ev->hlr.why);
	if (ev->hlr.end == HLR_TAKEN && !*j->order->o.alarm && l->flags & LINE_CONFIRMED &&
	    j->d->now_ms - l->confirmed_ms >= NUMBER_ALARM_MS)
		job_alarm(j, "card %s: MSISDN %s is still the current operator's in our HLR: ask him to remove IMSI %s",
			  l->iccid, l->msisdn, l->old_imsi[0] ? l->old_imsi : "of before");
	/* the current operator's still, or the card is busy here */
	if (step == B_NUMBERING)
		again(j, i);
	else if (step != B_NUMBER)
		b_number_soon(j, i);
	if (step != B_NUMBERING)
		job_line_put(j, i, step);
}
