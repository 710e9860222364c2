/* reasm.c - the messages of many senders, joined in bounded memory: TS 23.040, 9.2.3.24.1.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What belongs together has the same sender, reference and number of segments.  Anybody can send the first segment of
 * messages that never end: so a message has a deadline, a sender a few slots, and when all slots are taken the message
 * with the least time left goes.
 */
#include <string.h>

#include "ota/codec.h"

#include "codec_int.h"

void ota_reasm_init(struct ota_reasm *r, struct ota_reasm_slot *slots, size_t n, struct ota_part *part,
		    uint8_t segments_max, int64_t timeout_ms)
{
	*r = (struct ota_reasm){
		.slot = slots,
		.slots = n,
		.timeout_ms = timeout_ms,
		.segments_max = segments_max,
	};
	for (size_t i = 0; i < n; i++) {
		slots[i].used = false;
		slots[i].join.part = part + i * segments_max;
	}
}

static bool same_sender(const struct ota_addr *a, const struct ota_addr *b)
{
	return a->ton == b->ton && strncmp(a->digits, b->digits, sizeof(a->digits)) == 0;
}

size_t ota_reasm_expire(struct ota_reasm *r, int64_t now_ms)
{
	size_t n = 0;

	for (size_t i = 0; i < r->slots; i++) {
		if (!r->slot[i].used || r->slot[i].due_ms > now_ms)
			continue;
		r->slot[i].used = false;
		n++;
	}
	r->expired += n;
	return n;
}

int64_t ota_reasm_next_due(const struct ota_reasm *r)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < r->slots; i++)
		if (r->slot[i].used && r->slot[i].due_ms < due)
			due = r->slot[i].due_ms;
	return due;
}

/* The unfinished message this segment belongs to, or NULL. */
static struct ota_reasm_slot *slot_of(const struct ota_reasm *r, const struct ota_addr *from, const struct ota_udh *udh)
{
	for (size_t i = 0; i < r->slots; i++) {
		struct ota_reasm_slot *s = &r->slot[i];

		if (s->used && s->join.iei == udh->iei && s->join.ref == udh->ref && s->join.total == udh->total &&
		    same_sender(&s->from, from))
			return s;
	}
	return NULL;
}

/* A slot for a new message: a free one; the sender's oldest, when he has his share; the oldest of all. */
static struct ota_reasm_slot *slot_take(struct ota_reasm *r, const struct ota_addr *from)
{
	struct ota_reasm_slot *unused = NULL, *own = NULL, *any = NULL;
	size_t owned = 0;

	for (size_t i = 0; i < r->slots; i++) {
		struct ota_reasm_slot *s = &r->slot[i];

		if (!s->used) {
			unused = s;
			continue;
		}
		if (!any || s->due_ms < any->due_ms)
			any = s;
		if (!same_sender(&s->from, from))
			continue;
		owned++;
		if (!own || s->due_ms < own->due_ms)
			own = s;
	}
	if (owned < OTA_REASM_PER_SENDER && unused)
		return unused;
	if (!any)
		return NULL;
	r->evicted++;
	return owned >= OTA_REASM_PER_SENDER ? own : any;
}

/* The only segment of its message: no slot is needed. */
static int take_single(struct ota_reasm *r, const struct ota_udh *udh, const uint8_t *tp_ud, size_t len, uint8_t *buf,
		       size_t cap, uint8_t *pi)
{
	size_t n = len - udh->len;

	if (n > cap)
		return OTA_E_SPACE;
	if (n == 0)
		return OTA_E_SHORT;
	memcpy(buf, tp_ud + udh->len, n);
	if (pi)
		*pi = udh->pi;
	r->completed++;
	return (int)n;
}

static int finish(struct ota_reasm *r, struct ota_reasm_slot *s, uint8_t *buf, size_t cap, uint8_t *pi)
{
	int rc = ota_join_packet(&s->join, buf, cap);

	s->used = false;
	if (pi)
		*pi = s->join.pi;
	if (rc == 0)
		return OTA_E_SHORT;
	if (rc > 0)
		r->completed++;
	return rc;
}

int ota_reasm_add(struct ota_reasm *r, const struct ota_addr *from, const uint8_t *tp_ud, size_t len, int64_t now_ms,
		  uint8_t *buf, size_t cap, uint8_t *pi)
{
	struct ota_reasm_slot *s;
	struct ota_udh udh;
	int rc = ota_udh_parse(&udh, tp_ud, len);

	ota_reasm_expire(r, now_ms);
	if (rc)
		return rc;
	if (len > OTA_TP_UD_MAX)
		return OTA_E_LENGTH;
	if (!udh.concat || udh.total == 1)
		return take_single(r, &udh, tp_ud, len, buf, cap, pi);
	if (udh.total > r->segments_max)
		return OTA_E_SEGMENTS;
	s = slot_of(r, from, &udh);
	if (!s) {
		s = slot_take(r, from);
		if (!s)
			return OTA_E_SPACE;
		s->used = true;
		s->from = *from;
		s->due_ms = now_ms > INT64_MAX - r->timeout_ms ? INT64_MAX : now_ms + r->timeout_ms;
		ota_join_init(&s->join, s->join.part, r->segments_max);
	} else if (s->join.part[udh.seq - 1].there) {
		r->duplicates++;
		return 0;
	}
	rc = ota_join_add(&s->join, tp_ud, len);
	return rc == 1 ? finish(r, s, buf, cap, pi) : rc;
}
