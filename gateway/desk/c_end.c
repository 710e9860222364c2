/* c_end.c - a change at home: what follows from what the card holds, at our register and in our books.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "c_int.h"
#include "c_kept.h"

void c_again(struct desk_job *j, int64_t next_ms)
{
	if (next_ms != INT64_MAX)
		desk_again(j->d, j->order->o.number, j->work->step, next_ms);
}

void c_give_up(struct desk_job *j, unsigned i, enum line_end end, const char *fmt, ...)
{
	struct line *l = &j->line[i];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->why, sizeof(l->why), fmt, ap);
	va_end(ap);
	l->end = (uint8_t)end;
	l->again_ms = 0;
	/* of one that was found the books have both sets of OTA keys: those that it has not go first */
	job_line_put(j, i,
		     l->flags & LINE_FOUND && !(l->flags & LINE_FINAL) && j->row[i].row.step != C_FOUND ? C_FOUND :
													  C_SHRED);
}

bool c_cancelled(struct desk_job *j, unsigned i)
{
	const struct line *l = &j->line[i];

	if (j->order->o.step != ORDER_CANCELLED || l->flags & LINE_ARMED)
		return false;
	c_give_up(j, i, END_CANCELLED, "cancelled by our operator%s",
		  l->flags & LINE_FINAL ? "; its OTA keys are new" : "");
	return true;
}

void c_close(struct desk_job *j, unsigned i, bool taken)
{
	struct line *l = &j->line[i];

	l->ended_ms = desk_now(j->d);
	if (taken)
		job_drop(j, BOOK_TAKEN, l->iccid, BOOK_ANY);
	job_line_put(j, i, C_CLOSED);
	j->order->o.closed++;
	job_order_put(j);
}

/* The card has no keys any more under the version that it had. */
static void retire(struct desk_job *j, unsigned i)
{
	const struct card_bundle *c = &j->card[i];
	const struct keyset_row *old = c_keyset(c, j->line[i].kvn);
	struct store_card_insert in = { .card = c->card, .n_keysets = 1 };

	if (!old || !old->sealed_len)
		return;
	in.card.tz_min = CARD_TZ_KEEP;
	in.card.profile[0] = '\0';
	in.keyset[0] = *old;
	in.keyset[0].generation++;
	in.keyset[0].sealed_len = 0;
	memset(in.keyset[0].sealed, 0, sizeof(in.keyset[0].sealed));
	job_op(j, i, ST_CARD_INSERT, &in, NULL, 0);
}

/* The old key version is empty on the card.  Whoever gave us the old keys could read the new ones on their way. */
int c_proved_decide(struct desk *d, struct desk_job *j)
{
	const bool more = j->order->o.policy & (CHANGE_K | CHANGE_OPC);
	int64_t next_ms = INT64_MAX;

	for (unsigned i = 0; i < j->n; i++) {
		struct line *l = &j->line[i];
		uint8_t body[HOLD_LEN];
		struct hold h = { 0 };

		if (job_refused(j, i)) { /* somebody has sent it a command under the old ones: that must end first */
			next_ms = desk_now(d) + C_BUSY_MS;
			continue;
		}
		retire(j, i);
		if (j->also[i].row.version && hold_unpack(&h, j->also[i].body, j->also[i].row.len))
			h = (struct hold){ 0 };
		l->kvn = (uint8_t)(3 - l->kvn);
		h.index = l->from;
		h.kvn = l->kvn;
		h.ota = HOLD_IF_HEARD;
		job_put(j, BOOK_HOLD, l->iccid, l->order, 0, BOOK_ANY, body, hold_pack(&h, body));
		if (!(l->flags & LINE_FOUND))
			l->flags &= (uint16_t)~LINE_ARMED;
		if (l->end) { /* as its file has it */
			job_line_put(j, i, C_SHRED);
			continue;
		}
		l->end = more ? END_NONE : END_DONE;
		job_line_put(j, i, more ? C_ASK : C_SHRED);
	}
	c_again(j, next_ms);
	return 0;
}

int c_switch_decide(struct desk *d, struct desk_job *j)
{
	int64_t next_ms = INT64_MAX;

	for (unsigned i = 0; i < j->n; i++) {
		const struct line *l = &j->line[i];
		struct change_keys k;

		if (l->again_ms > desk_now(d)) {
			next_ms = l->again_ms < next_ms ? l->again_ms : next_ms;
			continue;
		}
		if (!desk_deps(d)->hlr) {
			snprintf(j->why, sizeof(j->why), "no HLR is configured: card %s holds new keys (node hlr)",
				 l->iccid);
			return -ENXIO;
		}
		if (!j->also[i].row.version || change_unpack(&k, j->also[i].body, j->also[i].row.len) || !k.has_sub) {
			job_alarm(j, "card %s: its new K is not in the books: restore a backup", l->iccid);
			continue;
		}
		job_hlr_rekey(j, i, l->imsi, k.sub, k.has_was ? k.was : NULL);
		job_line_put(j, i, C_SWITCHING);
	}
	c_again(j, next_ms);
	return 0;
}

int c_shred_decide(struct desk *d, struct desk_job *j)
{
	(void)d;
	for (unsigned i = 0; i < j->n; i++) {
		const struct line *l = &j->line[i];
		struct change_keys k;
		char key[BOOK_KEY_MAX];

		if (l->flags & LINE_CONFIRMED) {
			if (!j->also[i].row.version || change_unpack(&k, j->also[i].body, j->also[i].row.len) ||
			    !k.has_sub) {
				job_alarm(j, "card %s: its new K is not in the books: restore a backup", l->iccid);
				continue;
			}
			snprintf(key, sizeof(key), "%s/%05u", l->iccid, l->from);
			job_put(j, BOOK_SUB, key, l->order, 0, BOOK_ANY, k.sub, sizeof(k.sub));
		}
		line_key(key, l->order, l->iccid);
		if (j->also[i].row.version)
			job_drop(j, BOOK_CHANGE, key, j->also[i].row.version);
		job_line_put(j, i, C_NOTE);
	}
	return 0;
}

/* Which pair and version is active. */
static void hold_put(struct desk_job *j, unsigned i, struct hold *h)
{
	const struct line *l = &j->line[i];
	uint8_t body[HOLD_LEN];

	if (j->also[i].row.version && hold_unpack(h, j->also[i].body, j->also[i].row.len))
		*h = (struct hold){ 0 };
	h->index = l->from;
	h->kvn = l->kvn;
	if (l->flags & LINE_CONFIRMED)
		h->k = HOLD_IF_HEARD;
	if (l->flags & (LINE_CONFIRMED | LINE_FOUND))
		job_put(j, BOOK_HOLD, l->iccid, l->order, 0, BOOK_ANY, body, hold_pack(h, body));
}

/* K came under OTA keys that whoever gave us the card could have followed. */
static void note(struct desk_job *j, unsigned i)
{
	struct line *l = &j->line[i];
	char who[HOLD_WHO_MAX];
	struct hold h = { 0 };

	hold_put(j, i, &h);
	hold_who(&h, !(l->flags & LINE_CONFIRMED), who);
	snprintf(l->why, sizeof(l->why), "%s known to us and to %s", l->flags & LINE_CONFIRMED ? "keys" : "OTA keys",
		 who);
}

int c_note_decide(struct desk *d, struct desk_job *j)
{
	kept_begin(d);
	for (unsigned i = 0; i < j->n; i++) {
		if (j->line[i].end == END_DONE)
			note(j, i);
		else if (j->line[i].flags & LINE_FOUND)
			hold_put(j, i, &(struct hold){ 0 });
		c_close(j, i, !j->line[i].told);
		kept_note(j, i, KEPT_END, NULL, 0);
	}
	return kept_write(j);
}
