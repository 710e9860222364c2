/* mood.c - good and bad days of an SMSC: what becomes of a submit, of an answer, of a connection.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Decisions alone; smsc.c carries them out.  The dice are each door's own, so that what one SMSC does to its submits
 * depends on their order there and on nothing else.
 */
#include <stdlib.h>
#include <string.h>

#include "smsc_int.h"

#define LATE_MAX 100000 /* answers held back; more are given at once */

static const char *const names[_SMSC_MOODS] = {
	[SMSC_HEALTHY] = "healthy",
	[SMSC_FLAKY] = "flaky",
	[SMSC_THROTTLING] = "throttling",
	[SMSC_SLOW] = "slow",
	[SMSC_STUCK] = "stuck",
	[SMSC_DEAD] = "dead",
	[SMSC_REFUSES_CONNECTIONS] = "refuses-connections",
	[SMSC_REFUSES_BINDS] = "refuses-binds",
	[SMSC_CLOSES_AFTER_SUBMIT] = "closes-after-submit",
	[SMSC_RUBBISH] = "rubbish",
};

const char *smsc_mood_name(enum smsc_mood_kind kind)
{
	return names[kind];
}

void smsc_mood_default(struct smsc_mood *m, enum smsc_mood_kind kind)
{
	*m = (struct smsc_mood){
		.kind = kind,
		.share_ppm = SIM_PPM / 5,
		.rate = 10,
		.delay_ms = { 2000, 5000 },
		.status = ESME_RBINDFAIL,
	};
}

static struct door *door_of(struct smsc *s, const struct session *se)
{
	return &s->door[se->door];
}

static enum smsc_mood_kind kind_of(const struct smsc *s, const struct session *se)
{
	return s->door[se->door].mood.kind;
}

void smsc_mood_set(struct smsc *s, unsigned door, const struct smsc_mood *m, int64_t now_ms)
{
	s->now_ms = now_ms;
	s->door[door].mood = *m;
	if (m->kind == SMSC_REFUSES_CONNECTIONS)
		smsc_cut(s, door);
}

const struct smsc_mood *smsc_mood(const struct smsc *s, unsigned door)
{
	return &s->door[door].mood;
}

bool smsc_accepts(const struct smsc *s, unsigned door)
{
	return s->door[door].mood.kind != SMSC_REFUSES_CONNECTIONS;
}

void smsc_cut(struct smsc *s, unsigned door)
{
	for (int i = 0; i < SMSC_SESSIONS_MAX; i++) {
		if (s->session[i].open && s->session[i].door == door)
			session_cut(&s->session[i]);
	}
}

enum fate mood_fate(struct smsc *s, struct session *se, uint32_t *status)
{
	struct door *d = door_of(s, se);

	switch (d->mood.kind) {
	case SMSC_FLAKY:
		if (!sim_rng_chance(&d->dice, d->mood.share_ppm))
			return FATE_NORMAL;
		*status = ESME_RSYSERR;
		switch (sim_rng_next(&d->dice) % 4) {
		case 0:
			return FATE_REFUSED;
		case 1:
			return FATE_UNANSWERED;
		case 2:
			return FATE_LOST;
		default:
			return FATE_TAKEN_CUT;
		}
	case SMSC_STUCK:
	case SMSC_DEAD:
		return FATE_LOST;
	case SMSC_CLOSES_AFTER_SUBMIT:
		return sim_rng_next(&d->dice) & 1 ? FATE_TAKEN_CUT : FATE_LOST_CUT;
	case SMSC_RUBBISH:
		return FATE_RUBBISH;
	default:
		return FATE_NORMAL;
	}
}

double mood_rate(const struct smsc *s, const struct session *se)
{
	const struct smsc_mood *m = &s->door[se->door].mood;

	if (m->kind == SMSC_THROTTLING && (s->cfg.rate <= 0 || m->rate < s->cfg.rate))
		return m->rate;
	return s->cfg.rate;
}

bool mood_speaks(const struct smsc *s, const struct session *se)
{
	return kind_of(s, se) != SMSC_DEAD;
}

bool mood_delivers(const struct smsc *s, const struct session *se)
{
	enum smsc_mood_kind kind = kind_of(s, se);

	return kind != SMSC_DEAD && kind != SMSC_RUBBISH && kind != SMSC_REFUSES_CONNECTIONS;
}

bool mood_doubles(struct smsc *s, const struct session *se)
{
	struct door *d = door_of(s, se);

	return d->mood.kind == SMSC_FLAKY && sim_rng_chance(&d->dice, d->mood.share_ppm / 4);
}

size_t mood_rubbish(struct smsc *s, const struct session *se, const uint8_t *answer, uint8_t out[SMSC_RUBBISH_MAX])
{
	struct door *d = door_of(s, se);
	size_t n = SMPP_HEADER_LEN;

	memcpy(out, answer, n);
	out[2] = 0;
	out[3] = SMPP_HEADER_LEN;
	switch (sim_rng_next(&d->dice) % 5) {
	case 0: /* noise */
		n += sim_rng_next(&d->dice) % (SMSC_RUBBISH_MAX - n);
		for (size_t i = 0; i < n; i++)
			out[i] = (uint8_t)sim_rng_next(&d->dice);
		break;
	case 1: /* an answer to a question nobody asked */
		out[12] ^= 0x5a;
		break;
	case 2: /* a command that does not exist */
		memcpy(out + 4, "\x8b\xad\xf0\x0d", 4);
		break;
	case 3: /* a message_id without its end */
		memset(out + n, 'A', 8);
		n += 8;
		out[3] = (uint8_t)n;
		break;
	default: /* a length that cannot be */
		out[3] = 4;
	}
	return n;
}

/* ---- answers held back ---- */

static bool before(const struct late *a, const struct late *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

bool mood_late(struct smsc *s, const struct session *se, uint64_t token, enum sim_submit_result r)
{
	struct door *d = door_of(s, se);
	struct late l = { .token = token, .result = r, .order = s->late_order };
	size_t i = s->lates;

	if (d->mood.kind != SMSC_SLOW || s->lates >= LATE_MAX)
		return false;
	if (s->lates == s->late_cap) {
		size_t cap = s->late_cap ? 2 * s->late_cap : 64;
		struct late *grown = realloc(s->late, cap * sizeof(*grown));

		if (!grown)
			return false;
		s->late = grown;
		s->late_cap = cap;
	}
	l.due_ms = s->now_ms + sim_rng_range(&d->dice, d->mood.delay_ms);
	s->late_order++;
	s->lates++;
	while (i > 0 && before(&l, &s->late[(i - 1) / 2])) {
		s->late[i] = s->late[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	s->late[i] = l;
	return true;
}

bool mood_late_pop(struct smsc *s, struct late *out)
{
	struct late last;
	size_t i = 0;

	if (!s->lates || s->late[0].due_ms > s->now_ms)
		return false;
	*out = s->late[0];
	last = s->late[--s->lates];
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= s->lates)
			break;
		if (child + 1 < s->lates && before(&s->late[child + 1], &s->late[child]))
			child++;
		if (!before(&s->late[child], &last))
			break;
		s->late[i] = s->late[child];
		i = child;
	}
	s->late[i] = last;
	return true;
}
