/* smpp_concat.c - how an SMSC wants messages of several parts: a UDH in each, sar_* parameters, or the packet as a whole.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Above the link a packet is always a row of TP-UDs with a concatenation IE (TS 23.040, 9.2.3.24), of which the first has
 * IEI 70 besides (TS 31.115, 4.2).  What an SMSC is to segment by itself keeps that UDH without the concatenation.
 */
#include "smpp_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UDH_SAR_LEN	6 /* IE 08 04 ref ref total seq */
#define CONCAT8_DATA	3
#define CONCAT16_DATA	4
#define LAST_HEADER_MAX 7 /* of a later segment: UDHL and a concatenation IE */

/* A concatenation IE in a TP-UD. */
struct concat {
	size_t at, len; /* the IE with its two octets of header */
	size_t header;	/* octets of UDH with UDHL */
	uint16_t ref;
	uint8_t total, seq;
};

/* A packet that is being handed down, segment by segment, to leave in one PDU. */
struct smpp_gather {
	struct smpp_gather *next; /* of those that were given up */
	uint64_t token;		  /* of the first segment */
	uint64_t *rest;		  /* of the others, total - 1 of them */
	unsigned n, total;
	uint16_t ref;
	int64_t due_ms;
	size_t len;
	uint8_t ud[OTA_SEGMENTS_MAX * OTA_TP_UD_MAX];
};

static bool find_concat(struct concat *c, const uint8_t *ud, size_t len)
{
	size_t end = len ? 1u + ud[0] : 0, at = 1;

	for (; at + 2 <= end && end <= len; at += 2u + ud[at + 1]) {
		const uint8_t *v = ud + at + 2;
		size_t n = ud[at + 1];
		bool wide = ud[at] == OTA_CONCAT_UDH16;

		if ((!wide && ud[at] != OTA_CONCAT_UDH8) || n != (wide ? CONCAT16_DATA : CONCAT8_DATA) ||
		    at + 2 + n > end)
			continue;
		*c = (struct concat){ .at = at, .len = n + 2, .header = end };
		c->ref = wide ? (uint16_t)(v[0] << 8 | v[1]) : v[0];
		c->total = v[n - 2];
		c->seq = v[n - 1];
		return c->seq && c->seq <= c->total;
	}
	return false;
}

/* The UDH without its concatenation, or none at all when nothing else was in it. */
static size_t udh_without(uint8_t *out, const uint8_t *ud, const struct concat *c)
{
	size_t n = c->header - c->len;

	if (n <= 1)
		return 0;
	memcpy(out, ud, c->at);
	memcpy(out + c->at, ud + c->at + c->len, c->header - c->at - c->len);
	out[0] = (uint8_t)(n - 1);
	return n;
}

/* ------------------------------------------------------------------------------------------- parameters */

bool smpp_sar_of(struct smpp_sar *out, const uint8_t *ud, size_t len)
{
	struct concat c;

	if (!find_concat(&c, ud, len) || c.total < 2)
		return false;
	out->ref = c.ref;
	out->total = c.total;
	out->seq = c.seq;
	out->len = udh_without(out->ud, ud, &c);
	out->udhi = out->len > 0;
	memcpy(out->ud + out->len, ud + c.header, len - c.header);
	out->len += len - c.header;
	return true;
}

/* Segmentation told by sar_* TLVs (SMPP 5.3.2.22 ff.) becomes an IE 08 in the UDH, so that there is one kind above. */
void smpp_sar_to_udh(struct link_event *ev, const struct smpp_tlvs *t)
{
	const uint32_t all = SMPP_TLV_SAR_REF | SMPP_TLV_SAR_TOTAL | SMPP_TLV_SAR_SEQ;
	size_t udhl = ev->udhi && ev->payload_len ? 1 : 0; /* octets of UDHL there already */
	uint8_t ie[1 + UDH_SAR_LEN] = {
		0, OTA_CONCAT_UDH16, 4, (uint8_t)(t->sar_ref >> 8), (uint8_t)t->sar_ref, t->sar_total, t->sar_seq
	};
	struct concat there;

	if ((t->have & all) != all || t->sar_total < 2)
		return;
	if (udhl && (find_concat(&there, ev->payload, ev->payload_len) || ev->payload[0] > UINT8_MAX - UDH_SAR_LEN))
		return;
	if (ev->payload_len + sizeof(ie) > LINK_PAYLOAD_MAX)
		return;
	ie[0] = (uint8_t)(UDH_SAR_LEN + (udhl ? ev->payload[0] : 0));
	memmove(ev->payload + sizeof(ie), ev->payload + udhl, ev->payload_len - udhl);
	memcpy(ev->payload, ie, sizeof(ie));
	ev->payload_len = (uint16_t)(ev->payload_len - udhl + sizeof(ie));
	ev->udhi = true;
}

/* --------------------------------------------------------------------------------------- whole packets */

/* What is in hand will not be completed: it is told when the loop is back, never from inside submit(). */
static void give_up(struct smpp_link *l)
{
	l->gather->next = l->gathers_dropped;
	l->gathers_dropped = l->gather;
	l->gather = NULL;
	event_active(l->gather_ev, 0, 0); /* not as a timeout: setting the timer anew would take that back */
}

static bool goes_on(const struct smpp_gather *g, const struct concat *c)
{
	return g && c->ref == g->ref && c->total == g->total && c->seq == g->n + 1;
}

static void gather_free(struct smpp_gather *g)
{
	free(g->rest);
	free(g);
}

static struct smpp_gather *gather_new(const struct concat *c, const uint8_t *ud)
{
	struct smpp_gather *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->ref = c->ref;
	g->total = c->total;
	g->len = udh_without(g->ud, ud, c);
	g->rest = calloc(c->total - 1u, sizeof(*g->rest));
	if (g->rest)
		return g;
	free(g);
	return NULL;
}

int smpp_gather_add(struct smpp_link *l, const struct link_submit *s, int64_t now_ms)
{
	struct smpp_gather *g = l->gather;
	struct concat c;

	if (!find_concat(&c, s->ud, s->ud_len) || c.total < 2) {
		if (g)
			give_up(l);
		return 0;
	}
	if (c.total > OTA_SEGMENTS_MAX || (c.seq > 1 && c.header > LAST_HEADER_MAX))
		return -EINVAL;
	if (g && !goes_on(g, &c)) {
		give_up(l);
		g = NULL;
	}
	if (!g && c.seq != 1)
		return -EINVAL;
	if (!g)
		g = l->gather = gather_new(&c, s->ud);
	if (!g)
		return -EAGAIN;
	memcpy(g->ud + g->len, s->ud + c.header, s->ud_len - c.header);
	g->len += s->ud_len - c.header;
	*(g->n ? &g->rest[g->n - 1] : &g->token) = s->token;
	g->n++;
	g->due_ms = now_ms + l->cfg.response_ms;
	smpp_timer(l->gather_ev, l->cfg.response_ms);
	return g->n < g->total ? SMPP_GATHERING : SMPP_GATHERED;
}

struct smpp_octets smpp_gathered(const struct smpp_link *l)
{
	return (struct smpp_octets){ l->gather->ud, l->gather->len };
}

void smpp_gather_slot(const struct smpp_link *l, struct smpp_slot *slot)
{
	slot->token = l->gather->token;
	slot->rest = l->gather->rest;
	slot->n_rest = (uint8_t)(l->gather->n - 1);
}

/* It is on its way: the tokens are the slot's now. */
void smpp_gather_done(struct smpp_link *l)
{
	free(l->gather);
	l->gather = NULL;
	if (!l->gathers_dropped)
		event_del(l->gather_ev);
}

/* The last segment was not taken: its token is the caller's again, the others are told. */
void smpp_gather_undo(struct smpp_link *l)
{
	l->gather->n--;
	give_up(l);
}

static void tell_dropped(struct smpp_link *l, enum link_event_kind kind, const struct fail *why)
{
	struct smpp_gather *g;

	while ((g = l->gathers_dropped)) {
		l->gathers_dropped = g->next;
		for (unsigned i = 0; i < g->n; i++)
			smpp_outcome(l, kind, i ? g->rest[i - 1] : g->token, *why, NULL);
		gather_free(g);
	}
}

/* Given up half way by its owner (a campaign that was paused): nothing of it has left. */
void smpp_gathers_due(struct smpp_link *l)
{
	const struct fail why = { .cls = FAIL_LINK,
				  .what = "the rest of the packet did not come; nothing of it has left" };
	int64_t now_ms = smpp_now(l);

	if (l->gather && l->gather->due_ms <= now_ms)
		give_up(l);
	if (l->gather)
		smpp_timer(l->gather_ev, l->gather->due_ms - now_ms);
	tell_dropped(l, LINK_EV_REJECTED, &why);
}

void smpp_gathers_end(struct smpp_link *l, const struct fail *why)
{
	if (l->gather)
		give_up(l);
	event_del(l->gather_ev);
	tell_dropped(l, LINK_EV_UNKNOWN, why);
}
