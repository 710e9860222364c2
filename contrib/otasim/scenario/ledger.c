/* ledger.c - the books of a scenario: what each card and each SMSC has seen, and the last events one by one.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "run_int.h"

#define LOG_FIRST 256 /* grows to RUN_LOG_MAX, then the oldest are overwritten */

/* TS 23.040, 9.2.3.24.1: the number of this part of a concatenated message; 1 when it is not concatenated. */
static uint8_t part_of(const struct sim_sm *sm)
{
	const uint8_t *p = sm->ud + 1, *end;

	if (!sm->udhi || sm->ud_len == 0 || sm->ud[0] >= sm->ud_len)
		return 1;
	end = p + sm->ud[0];
	while (end - p >= 2 && p[1] <= end - p - 2) {
		if (p[0] == 0x00 && p[1] == 3)
			return p[4];
		if (p[0] == 0x08 && p[1] == 4)
			return p[5];
		p += 2 + p[1];
	}
	return 1;
}

/* ---- SMSCs ---- */

static void rate_note(struct run *r, unsigned door)
{
	struct rate_ring *ring = &r->rate[door];
	int64_t t = run_time(r, r->now_ms);

	if (!ring->at)
		ring->at = malloc(RATE_RING * sizeof(*ring->at));
	if (!ring->at)
		abort(); /* books with holes would give a wrong verdict */
	while (ring->n &&
	       (ring->at[(ring->head + RATE_RING - ring->n) % RATE_RING] <= t - 1000 || ring->n == RATE_RING))
		ring->n--;
	ring->at[ring->head] = t;
	ring->head = (ring->head + 1) % RATE_RING;
	ring->n++;
	if (ring->n > r->door[door].rate_max)
		r->door[door].rate_max = ring->n;
}

/* Answers an SMSC still owes to a session; those it will never give are not owed. */
static void owed(struct run *r, const struct smsc_seen *seen)
{
	for (int i = 0; i < SMSC_SESSIONS_MAX; i++) {
		if (r->session[i].serial != (seen->kind == SMSC_CONNECTED ? 0 : seen->session))
			continue;
		if (seen->kind == SMSC_CONNECTED) {
			r->session[i].serial = seen->session;
			r->session[i].owed = 0;
		} else if (seen->kind == SMSC_ENDED) {
			r->session[i].serial = 0;
		} else if (seen->kind == SMSC_SUBMITTED) {
			r->session[i].owed++;
		} else if (r->session[i].owed) {
			r->session[i].owed--;
		}
		if (r->session[i].owed > r->door[seen->door].window_max && seen->kind == SMSC_SUBMITTED)
			r->door[seen->door].window_max = r->session[i].owed;
		return;
	}
}

/* SMPP 5.1.3 */
static bool is_throttle(uint32_t status)
{
	return status == 0x14 || status == 0x58;
}

static void door_note(struct run *r, const struct smsc_seen *seen)
{
	struct door_book *d = &r->door[seen->door];

	switch (seen->kind) {
	case SMSC_CONNECTED:
		d->connections++;
		verdict_counted(r, METRIC_CONNECTIONS, seen->door, -1);
		break;
	case SMSC_BOUND:
		d->bind_attempts++;
		verdict_counted(r, METRIC_BIND_ATTEMPTS, seen->door, -1);
		if (seen->status == 0) {
			d->binds++;
			verdict_counted(r, METRIC_BINDS, seen->door, -1);
		}
		break;
	case SMSC_SUBMITTED:
		d->submits++;
		rate_note(r, seen->door);
		verdict_counted(r, METRIC_SUBMITS, seen->door, -1);
		break;
	case SMSC_ANSWERED:
		if (is_throttle(seen->status)) {
			d->throttled++;
			verdict_counted(r, METRIC_THROTTLED, seen->door, -1);
		}
		break;
	case SMSC_DELIVER_ANSWERED:
		d->timeouts += seen->status == SMSC_NEVER;
		if (seen->took_ms > d->answer_max_ms)
			d->answer_max_ms = seen->took_ms;
		break;
	default:
		return;
	}
	verdict_doors(r);
}

/* ---- cards ---- */

static void attempt_note(struct card_book *b, int64_t t)
{
	if (b->attempts++ == 0) {
		b->first_ms = t;
	} else {
		int64_t gap = t - b->last_ms;

		if (gap < b->shortest_ms)
			b->shortest_ms = gap;
		if (gap > b->longest_ms)
			b->longest_ms = gap;
	}
	b->last_ms = t;
}

static void card_note(struct run *r, const struct smsc_seen *seen)
{
	uint32_t card = (uint32_t)seen->card;
	struct card_book *b = &r->book[card];

	switch (seen->kind) {
	case SMSC_SUBMITTED:
		b->submits++;
		if (part_of(seen->sm) == 1) {
			attempt_note(b, run_time(r, r->now_ms));
			verdict_counted(r, METRIC_ATTEMPTS, seen->door, card);
		}
		break;
	case SMSC_MET:
		b->reached++;
		b->proofs += seen->out->submits + (seen->out->report_len > 0);
		break;
	case SMSC_ALERTED:
		b->alerts++;
		return;
	case SMSC_SHOWN:
		break;
	default:
		return;
	}
	verdict_card(r, card);
}

/* ---- the log ---- */

static struct run_line *line_new(struct run *r)
{
	size_t cap;

	if (r->log_n == r->log_cap && r->log_cap < RUN_LOG_MAX) {
		struct run_line *grown;

		cap = r->log_cap ? 2 * r->log_cap : LOG_FIRST;
		grown = realloc(r->log, cap * sizeof(*grown));
		if (!grown)
			abort();
		r->log = grown;
		r->log_cap = cap;
	}
	return &r->log[r->log_n++ % r->log_cap];
}

static void ud_copy(struct run_line *l, const uint8_t *ud, uint8_t len)
{
	l->ud_len = len;
	memcpy(l->ud, ud, len);
}

static void log_note(struct run *r, const struct smsc_seen *seen)
{
	struct run_line *l = line_new(r);

	*l = (struct run_line){
		.n = r->log_n,
		.t_ms = run_time(r, r->now_ms),
		.kind = seen->kind,
		.door = seen->door,
		.session = seen->session,
		.status = seen->status,
		.card = seen->card,
		.took_ms = seen->took_ms,
		.token = seen->token,
		.por_status = -1,
	};
	if (seen->name)
		snprintf(l->text, sizeof(l->text), "%s", seen->name);
	if (seen->out) {
		l->por_status = seen->out->status;
		l->sw = seen->out->sw;
		l->accepted = seen->out->accepted;
	}
	if (seen->sm && seen->kind == SMSC_SUBMITTED) {
		l->pid = seen->sm->pid;
		l->dcs = seen->sm->dcs;
		l->udhi = seen->sm->udhi;
		ud_copy(l, seen->sm->ud, seen->sm->ud_len);
	} else if (seen->up) {
		l->receipt = seen->up->kind == SIM_UP_RECEIPT;
		l->pid = seen->up->pid;
		l->dcs = seen->up->dcs;
		l->udhi = seen->up->udhi;
		ud_copy(l, seen->up->ud, seen->up->ud_len);
		snprintf(l->text, sizeof(l->text), "%s", seen->up->stat);
	}
}

void ledger_seen(struct run *r, const struct smsc_seen *seen)
{
	if (r->ended)
		return; /* the verdict is spoken */
	log_note(r, seen);
	if (seen->kind == SMSC_SUBMITTED)
		r->last_submit_ms = run_time(r, r->now_ms);
	if (seen->kind != SMSC_MET && seen->kind != SMSC_SHOWN && seen->kind != SMSC_ALERTED) {
		owed(r, seen);
		door_note(r, seen);
	}
	if (seen->card >= 0)
		card_note(r, seen);
}

void ledger_free(struct run *r)
{
	for (int i = 0; i < SMSC_DOORS_MAX; i++)
		free(r->rate[i].at);
	free(r->log);
}

uint64_t run_lines(const struct run *r, uint64_t *oldest)
{
	*oldest = r->log_n > r->log_cap ? r->log_n - r->log_cap + 1 : r->log_n ? 1 : 0;
	return r->log_n;
}

bool run_line(const struct run *r, uint64_t after, struct run_line *out)
{
	uint64_t oldest, newest = run_lines(r, &oldest);

	if (after >= newest)
		return false;
	if (after + 1 < oldest)
		after = oldest - 1;
	*out = r->log[after % r->log_cap];
	return true;
}

const char *run_line_name(enum smsc_seen_kind kind)
{
	static const char *const names[] = {
		[SMSC_CONNECTED] = "connect", [SMSC_BOUND] = "bind",	    [SMSC_ENDED] = "disconnect",
		[SMSC_SUBMITTED] = "submit",  [SMSC_ANSWERED] = "answer",   [SMSC_MET] = "card",
		[SMSC_SHOWN] = "imsi-shown",  [SMSC_DELIVERED] = "deliver", [SMSC_DELIVER_ANSWERED] = "deliver-answer",
		[SMSC_ALERTED] = "alert",
	};

	return names[kind];
}

const struct card_book *run_card(const struct run *r, uint32_t card)
{
	return &r->book[card];
}

const struct door_book *run_door(const struct run *r, unsigned door)
{
	return &r->door[door];
}
