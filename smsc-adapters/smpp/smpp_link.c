/* smpp_link.c - an SMPP 3.4 ESME as a link: configuration, the window of submits, messages that wait for an answer.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "smpp_int.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smpp_receipt.h"

#define WINDOW_DEFAULT	      10
#define ENQUIRE_LINK_DEFAULT  30000
#define RESPONSE_DEFAULT      60000
#define ENQUIRE_TIMEOUT	      10000
#define BIND_DEFAULT	      10000
#define RECONNECT_DEFAULT     1000
#define RECONNECT_MAX_DEFAULT 60000
#define TIMER_MAX_MS	      86400000
#define SLOTS_PER_WINDOW      4 /* a slow response blocks its slot, not the sequence */
#define SLOTS_MIN	      64
#define HELD_BITS	      8 /* low bits of a message's token: its index in held[] */
#define ESM_MODE_MAX	      3

_Static_assert(SMPP_RECEIVED_MAX == 1 << HELD_BITS, "a token's low bits are an index");
_Static_assert(LINK_MSGID_MAX == SMPP_MSGID_MAX, "a message_id fits");

static struct smpp_link *self(struct link *link)
{
	return (struct smpp_link *)link;
}

/* -------------------------------------------------------------------------------------------------- events */

/* Everything but the payload is cleared. */
static struct link_event *event_begin(struct smpp_link *l, enum link_event_kind kind, uint64_t token)
{
	memset(&l->ev, 0, offsetof(struct link_event, payload));
	l->ev.kind = kind;
	l->ev.token = token;
	return &l->ev;
}

static void event_tell(struct smpp_link *l)
{
	if (l->link.on_event)
		l->link.on_event(l->link.ctx, &l->link, &l->ev);
}

static void addr_copy(struct ota_addr *to, const struct smpp_addr *from)
{
	const char *digits = from->digits;
	size_t len;

	to->ton = from->ton;
	to->npi = from->npi;
	if (*digits == '+')
		digits++;
	len = strspn(digits, "0123456789");
	/* An alphanumeric or overlong address cannot be a card of ours: TON and NPI alone are told. */
	if (digits[len] || len >= sizeof(to->digits))
		len = 0;
	memcpy(to->digits, digits, len);
	to->digits[len] = 0;
}

static void text_copy(char *to, size_t cap, const char *from, size_t len)
{
	if (len >= cap)
		len = cap - 1;
	memcpy(to, from, len);
	to[len] = 0;
}

/* ---------------------------------------------------------------------------------------- window of submits */

static void slot_append(struct smpp_link *l, uint16_t i)
{
	struct smpp_slot *s = &l->slots[i];

	s->next = SMPP_NONE;
	s->prev = l->slot_last;
	if (l->slot_last != SMPP_NONE)
		l->slots[l->slot_last].next = i;
	else
		l->slot_first = i;
	l->slot_last = i;
}

/* Frees slot i and gives what it held. */
static struct smpp_slot slot_take(struct smpp_link *l, uint16_t i)
{
	struct smpp_slot *s = &l->slots[i], held = *s;

	assert(s->seq);
	if (s->prev != SMPP_NONE)
		l->slots[s->prev].next = s->next;
	else
		l->slot_first = s->next;
	if (s->next != SMPP_NONE)
		l->slots[s->next].prev = s->prev;
	else
		l->slot_last = s->prev;
	s->seq = 0;
	link_credit_give(&l->credit);
	return held;
}

/* The next sequence number whose slot is free: the table is larger than the window, so there is one. */
static uint16_t slot_find(struct smpp_link *l, uint32_t *seq)
{
	for (uint32_t i = 0; i <= l->slot_mask; i++) {
		*seq = smpp_next_seq(l);
		if (!l->slots[*seq & l->slot_mask].seq)
			return (uint16_t)(*seq & l->slot_mask);
	}
	assert(!"a window is smaller than its table");
	return 0;
}

void smpp_outcome(struct smpp_link *l, enum link_event_kind kind, uint64_t token, struct fail why, const char *id)
{
	if (kind == LINK_EV_UNKNOWN)
		l->stats.unknown++;
	else if (kind == LINK_EV_REJECTED)
		l->stats.rejected++;
	else
		l->stats.accepted++;
	if (kind != LINK_EV_ACCEPTED)
		l->stats.by_class[why.cls]++;
	event_begin(l, kind, token)->fail = why;
	if (id)
		text_copy(l->ev.message_id, sizeof(l->ev.message_id), id, strlen(id));
	event_tell(l);
}

/* Of a PDU: what holds for it holds for each segment in it. */
static void slot_outcome(struct smpp_link *l, const struct smpp_slot *s, enum link_event_kind kind, struct fail why,
			 const char *id)
{
	smpp_outcome(l, kind, s->token, why, id);
	for (unsigned i = 0; i < s->n_rest; i++)
		smpp_outcome(l, kind, s->rest[i], why, id);
	free(s->rest);
}

/* The line lives and the submits starve: an operator must see it, once. */
static void starved(struct smpp_link *l)
{
	char detail[64];

	if (++l->expired_in_row < l->cfg.window || l->expiry_told)
		return;
	l->expiry_told = true;
	snprintf(detail, sizeof(detail), "%u in a row without a response", l->expired_in_row);
	smpp_last_error(l, "submits are not answered", detail);
	smpp_log(l, SMPP_LOG_WARNING,
		 "%u submits in a row without a response in %u ms: each may have left; is the SMSC stuck?",
		 l->expired_in_row, l->cfg.response_ms);
}

static void fed(struct smpp_link *l)
{
	l->expired_in_row = l->noise = l->odd_resps = 0;
	if (!l->expiry_told)
		return;
	l->expiry_told = false;
	smpp_log(l, SMPP_LOG_NOTICE, "the SMSC answers submits again");
}

void smpp_submits_due(struct smpp_link *l)
{
	int64_t now_ms = smpp_now(l);

	while (l->slot_first != SMPP_NONE && l->slots[l->slot_first].due_ms <= now_ms) {
		uint32_t seq = l->slots[l->slot_first].seq;
		struct smpp_slot s = slot_take(l, l->slot_first);

		if (l->expired_in_row < SMPP_NOISE_SHOWN)
			smpp_log(l, SMPP_LOG_INFO, "submit_sm %u had no response in %u ms: unknown%s", seq,
				 l->cfg.response_ms,
				 l->expired_in_row + 1 == SMPP_NOISE_SHOWN ? "; no more of these lines for now" : "");
		slot_outcome(l, &s, LINK_EV_UNKNOWN,
			     (struct fail){ .cls = FAIL_UNKNOWN, .what = "no submit_sm_resp in time" }, NULL);
		starved(l);
		l->expired_here = true;
	}
	if (l->slot_first != SMPP_NONE)
		smpp_timer(l->submit_ev, l->slots[l->slot_first].due_ms - now_ms);
	smpp_renew_step(l);
}

static void slow_down(struct smpp_link *l, uint32_t status)
{
	switch (smpp_status_slow(l, status)) {
	case SMPP_SLOW_AT_ONCE:
		l->stats.throttled++;
		break;
	case SMPP_SLOW_IN_ROW:
		if (++l->errors_in_row < SMPP_ERRORS_IN_ROW)
			return;
		break;
	case SMPP_SLOW_NOT:
		l->errors_in_row = 0;
		return;
	}
	l->errors_in_row = 0;
	link_credit_throttled(&l->credit, smpp_now(l));
	smpp_log(l, SMPP_LOG_INFO, "%s: now at most %.1f PDUs/s", smpp_status_name(l, status), l->credit.rate);
}

void smpp_on_response(struct smpp_link *l, const struct smpp_pdu *p)
{
	uint16_t i = (uint16_t)(p->seq & l->slot_mask);
	uint32_t status = p->status;
	struct smpp_slot s;
	int64_t now_ms;
	struct fail why;

	if (!p->seq || l->slots[i].seq != p->seq) {
		l->stats.late_responses++;
		if (++l->odd_resps <= SMPP_NOISE_SHOWN)
			smpp_log(l, SMPP_LOG_INFO, "%s for sequence %u, which nobody waits for%s",
				 smpp_command_name(p->id), p->seq,
				 l->odd_resps == SMPP_NOISE_SHOWN ? "; no more of these lines for now" : "");
		return;
	}
	fed(l);
	s = slot_take(l, i);
	now_ms = smpp_now(l);
	link_gauge_answered(&l->gauge, now_ms, now_ms - (s.due_ms - l->cfg.response_ms));
	if (p->id == SMPP_GENERIC_NACK && !status)
		status = ESME_RUNKNOWNERR;
	slow_down(l, status);
	if (!status) {
		smpp_msgid_keep(l, p->resp.id, s.dst, (uint16_t)s.token);
		slot_outcome(l, &s, LINK_EV_ACCEPTED, (struct fail){ .cls = FAIL_NONE }, p->resp.id);
		smpp_renew_step(l);
		return;
	}
	why = smpp_status_fail(l, status);
	snprintf(l->stats.last_refusal, sizeof(l->stats.last_refusal), "%.32s (0x%x): %.100s",
		 smpp_status_name(l, status), status, why.what);
	l->stats.last_refusal_ms = now_ms;
	slot_outcome(l, &s, why.cls == FAIL_UNKNOWN ? LINK_EV_UNKNOWN : LINK_EV_REJECTED, why, NULL);
	smpp_renew_step(l);
}

static bool digits_ok(const struct ota_addr *a)
{
	size_t len = strnlen(a->digits, sizeof(a->digits));

	return len && len < sizeof(a->digits) && strspn(a->digits, "0123456789") == len;
}

/* Where the user data goes, and what says how it is divided. */
static void put_message(struct smpp_link *l, struct smpp_pdu *p, const struct link_submit *s, bool whole,
			struct smpp_sar *sar)
{
	struct smpp_octets ud = { s->ud, s->ud_len };

	if (whole) {
		ud = smpp_gathered(l);
	} else if (l->cfg.concat == SMPP_CONCAT_SAR && smpp_sar_of(sar, s->ud, s->ud_len)) {
		ud = (struct smpp_octets){ sar->ud, sar->len };
		if (!sar->udhi)
			p->sm.esm_class &= (uint8_t)~SMPP_ESM_UDHI;
		p->tlv.have |= SMPP_TLV_SAR_REF | SMPP_TLV_SAR_TOTAL | SMPP_TLV_SAR_SEQ;
		p->tlv.sar_ref = sar->ref;
		p->tlv.sar_total = sar->total;
		p->tlv.sar_seq = sar->seq;
	}
	if (whole || l->cfg.message_payload) {
		p->tlv.have |= SMPP_TLV_PAYLOAD;
		p->tlv.payload = ud;
	} else {
		p->sm.sm = ud;
	}
}

/* The validity text is the caller's, it must live until the PDU is packed. */
static void submit_fields(struct smpp_link *l, struct smpp_pdu *p, const struct link_submit *s,
			  char validity[SMPP_TIME_MAX])
{
	p->id = SMPP_SUBMIT_SM;
	p->sm.src =
		(struct smpp_addr){ l->cfg.src_ton != SMPP_TYPE_AS_GIVEN ? l->cfg.src_ton : s->src.ton,
				    l->cfg.src_npi != SMPP_TYPE_AS_GIVEN ? l->cfg.src_npi : s->src.npi, s->src.digits };
	p->sm.dst = (struct smpp_addr){ s->dst.ton, s->dst.npi, s->dst.digits };
	p->sm.esm_class = SMPP_ESM_UDHI | l->cfg.esm_mode;
	p->sm.protocol_id = l->cfg.own_pid_dcs ? l->cfg.pid : s->pid;
	p->sm.data_coding = l->cfg.own_pid_dcs ? l->cfg.dcs : s->dcs;
	p->sm.registered_delivery = s->want_report || l->cfg.receipts;
	p->sm.validity_period = s->validity_s ? smpp_time_relative(validity, s->validity_s) : "";
	/* Message ids are constant or invented at some SMSCs; this comes back in the receipt. */
	if (!l->cfg.no_tlvs)
		p->tlv.have = SMPP_TLV_USER_REF | (s->more ? SMPP_TLV_MORE_MESSAGES : 0);
	p->tlv.more_messages = 1;
}

static void submitted(struct smpp_link *l, int64_t now_ms)
{
	link_credit_take(&l->credit, now_ms);
	link_gauge_sent(&l->gauge, now_ms);
	l->stats.submitted++;
	if (l->credit.in_use > l->stats.window_high)
		l->stats.window_high = l->credit.in_use;
}

static int submit(struct link *link, const struct link_submit *s, int64_t now_ms)
{
	struct smpp_link *l = self(link);
	struct smpp_slot slot = { .token = s->token };
	char validity[SMPP_TIME_MAX];
	int whole = 0;
	struct smpp_sar sar;
	struct smpp_pdu p;
	uint16_t i;

	if (!s->ud || !s->ud_len || s->ud_len > LINK_UD_MAX || !digits_ok(&s->dst) ||
	    (*s->src.digits && !digits_ok(&s->src)))
		return -EINVAL;
	if (l->state != SMPP_BOUND || l->role == SMPP_ROLE_RX)
		return -ENOTCONN;
	if (l->renewing || !link_credit_room(&l->credit, now_ms) || smpp_out_room(l) < SMPP_OUT_SPARE + l->submit_len)
		return -EAGAIN;
	if (l->cfg.concat == SMPP_CONCAT_PAYLOAD_UDH)
		whole = smpp_gather_add(l, s, now_ms);
	if (whole < 0)
		return whole;
	if (whole == SMPP_GATHERING) { /* the rate is of short messages, the window of PDUs */
		submitted(l, now_ms);
		link_credit_give(&l->credit);
		return 0;
	}
	if (whole)
		smpp_gather_slot(l, &slot);
	memset(&p, 0, sizeof(p));
	i = slot_find(l, &p.seq);
	submit_fields(l, &p, s, validity);
	p.tlv.user_ref = (uint16_t)slot.token;
	put_message(l, &p, s, whole, &sar);
	if (!smpp_send(l, &p)) {
		if (whole)
			smpp_gather_undo(l);
		return -EINVAL;
	}
	if (whole)
		smpp_gather_done(l);
	slot.seq = p.seq;
	slot.due_ms = now_ms + l->cfg.response_ms;
	slot.dst = s->want_report || l->cfg.receipts ? smpp_digits_hash(s->dst.digits) : 0;
	l->slots[i] = slot;
	slot_append(l, i);
	if (!event_pending(l->submit_ev, EV_TIMEOUT, NULL))
		smpp_timer(l->submit_ev, l->cfg.response_ms);
	submitted(l, now_ms);
	return 0;
}

static unsigned credit(struct link *link, int64_t now_ms)
{
	struct smpp_link *l = self(link);
	size_t room = smpp_out_room(l);
	unsigned n;

	if (l->state != SMPP_BOUND || l->renewing || l->role == SMPP_ROLE_RX || room < SMPP_OUT_SPARE)
		return 0;
	/* After expiries a peer that reads nothing may still have our octets: the buffer is a limit too. */
	room = (room - SMPP_OUT_SPARE) / l->submit_len;
	n = link_credit_room(&l->credit, now_ms);
	return n < room ? n : (unsigned)room;
}

static int64_t credit_due(struct link *link, int64_t now_ms)
{
	struct smpp_link *l = self(link);

	if (l->state == SMPP_BOUND && l->renewing)
		return l->renew_ms;
	return l->state == SMPP_BOUND ? link_credit_due(&l->credit, now_ms) : INT64_MAX;
}

/* ---------------------------------------------------------------------------- messages that wait for answer() */

static void held_init(struct smpp_link *l)
{
	for (unsigned i = 0; i < SMPP_RECEIVED_MAX; i++) {
		l->held[i].token = 0;
		l->held[i].next = i + 1 < SMPP_RECEIVED_MAX ? (uint16_t)(i + 1) : SMPP_NONE;
	}
	l->held_free = 0;
	l->held_first = l->held_last = SMPP_NONE;
}

/* A place for one more message, at the end of the FIFO; NULL when all are taken. */
static struct smpp_held *held_new(struct smpp_link *l)
{
	uint16_t i = l->held_free;
	struct smpp_held *h;

	if (i == SMPP_NONE)
		return NULL;
	h = &l->held[i];
	l->held_free = h->next;
	h->token = ++l->held_count << HELD_BITS | i;
	h->next = SMPP_NONE;
	h->prev = l->held_last;
	if (l->held_last != SMPP_NONE)
		l->held[l->held_last].next = i;
	else
		l->held_first = i;
	l->held_last = i;
	return h;
}

static void held_release(struct smpp_link *l, struct smpp_held *h)
{
	if (h->prev != SMPP_NONE)
		l->held[h->prev].next = h->next;
	else
		l->held_first = h->next;
	if (h->next != SMPP_NONE)
		l->held[h->next].prev = h->prev;
	else
		l->held_last = h->prev;
	h->token = 0;
	h->next = l->held_free;
	l->held_free = (uint16_t)(h - l->held);
}

static void respond(struct smpp_link *l, uint32_t resp_id, uint32_t seq, uint32_t status)
{
	struct smpp_pdu p = { .id = resp_id, .status = status, .seq = seq };

	if (status)
		l->stats.temp_answers++;
	smpp_send(l, &p);
}

void smpp_helds_due(struct smpp_link *l)
{
	int64_t now_ms = smpp_now(l);

	while (l->held_first != SMPP_NONE && l->held[l->held_first].due_ms <= now_ms) {
		struct smpp_held *h = &l->held[l->held_first];

		/* a store that stalls leaves all of them, and the SMSC brings them again and again */
		if (l->unsettled < SMPP_NOISE_SHOWN)
			smpp_log(l, SMPP_LOG_WARNING, "message %u not settled in %u ms: temporary error answered%s",
				 h->seq, l->cfg.answer_ms,
				 ++l->unsettled == SMPP_NOISE_SHOWN ? "; no more of these lines for now" : "");
		respond(l, h->resp_id, h->seq, ESME_RX_T_APPN);
		held_release(l, h);
	}
	if (l->held_first != SMPP_NONE)
		smpp_timer(l->held_ev, l->held[l->held_first].due_ms - now_ms);
	smpp_renew_step(l);
}

static void answer(struct link *link, uint64_t token, enum link_answer a)
{
	static const uint32_t status[] = {
		[LINK_ANSWER_OK] = ESME_ROK,
		[LINK_ANSWER_TEMP] = ESME_RX_T_APPN,
		[LINK_ANSWER_FULL] = ESME_RMSGQFUL,
	};
	struct smpp_link *l = self(link);
	struct smpp_held *h = &l->held[token & (SMPP_RECEIVED_MAX - 1)];

	/* Answered by time, or of an older connection */
	if (!token || h->token != token || (unsigned)a >= sizeof(status) / sizeof(status[0]))
		return;
	l->unsettled = 0;
	respond(l, h->resp_id, h->seq, status[a]);
	held_release(l, h);
	smpp_renew_step(l);
}

/* --------------------------------------------------------------------------------------- incoming messages */

static void receipt_from_text(struct link_event *ev, const struct smpp_receipt *r)
{
	memcpy(ev->message_id, r->id, sizeof(ev->message_id));
	memcpy(ev->stat, r->stat, sizeof(ev->stat));
	ev->net_error = r->err;
}

static void receipt_from_tlvs(struct link_event *ev, const struct smpp_tlvs *t)
{
	if (t->have & SMPP_TLV_RECEIPTED_ID)
		text_copy(ev->message_id, sizeof(ev->message_id), (const char *)t->receipted_id.p, t->receipted_id.len);
	if (t->have & SMPP_TLV_MESSAGE_STATE && *smpp_state_stat(t->message_state))
		text_copy(ev->stat, sizeof(ev->stat), smpp_state_stat(t->message_state), sizeof(ev->stat) - 1);
	if (t->have & SMPP_TLV_NET_ERROR)
		ev->net_error = (uint32_t)t->net_error_type << 16 | t->net_error_code;
	ev->has_ref = t->have & SMPP_TLV_USER_REF;
	ev->ref = t->user_ref;
}

/* Text goes into the fields, anything else is payload: a PoR may stand in message_payload beside the text, or alone in
 * short_message.  TLVs are exact and win over the text. */
static struct smpp_octets receipt_fill(struct link_event *ev, const struct smpp_pdu *p)
{
	struct smpp_octets parts[] = { p->sm.sm, p->tlv.payload }, payload = { NULL, 0 };
	struct smpp_receipt text;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!parts[i].len)
			continue;
		if (smpp_receipt_parse(&text, parts[i].p, parts[i].len))
			receipt_from_text(ev, &text);
		else
			payload = parts[i];
	}
	receipt_from_tlvs(ev, &p->tlv);
	return payload;
}

static bool is_report(uint8_t esm_class)
{
	uint8_t type = esm_class & SMPP_ESM_TYPE;

	return type == SMPP_ESM_RECEIPT || type == SMPP_ESM_INTERMEDIATE || type == SMPP_ESM_DELIVERY_ACK;
}

void smpp_on_message(struct smpp_link *l, const struct smpp_pdu *p)
{
	uint32_t resp_id = p->id | SMPP_RESP;
	bool report = is_report(p->sm.esm_class);
	struct smpp_octets payload;
	struct smpp_held *h;
	struct link_event *ev;

	if (smpp_message(p).len > LINK_PAYLOAD_MAX) {
		if (l->oversized <
		    SMPP_NOISE_SHOWN) /* good ones in between change nothing: whoever sends these could */
			smpp_log(l, SMPP_LOG_WARNING, "%s of %zu octets refused: at most %d are taken%s",
				 smpp_command_name(p->id), smpp_message(p).len, LINK_PAYLOAD_MAX,
				 ++l->oversized == SMPP_NOISE_SHOWN ? "; no more of these lines for this connection" :
								      "");
		respond(l, resp_id, p->seq, ESME_RINVMSGLEN);
		return;
	}
	if (l->state != SMPP_BOUND || !(h = held_new(l))) {
		respond(l, resp_id, p->seq, l->state == SMPP_BOUND ? ESME_RMSGQFUL : ESME_RX_T_APPN);
		return;
	}
	l->noise = 0;
	h->seq = p->seq;
	h->resp_id = resp_id;
	h->due_ms = smpp_now(l) + l->cfg.answer_ms;
	if (!event_pending(l->held_ev, EV_TIMEOUT, NULL))
		smpp_timer(l->held_ev, l->cfg.answer_ms);
	l->stats.received++;
	ev = event_begin(l, report ? LINK_EV_REPORT : LINK_EV_MO, h->token);
	payload = report ? receipt_fill(ev, p) : smpp_message(p);
	if (report && (p->sm.esm_class & SMPP_ESM_TYPE) != SMPP_ESM_INTERMEDIATE)
		smpp_receipt_judge(l, ev);
	l->stats.receipts += report;
	l->stats.receipts_delivered += ev->delivered;
	l->stats.receipts_failed += ev->fail.cls != FAIL_NONE;
	addr_copy(&ev->from, &p->sm.src);
	addr_copy(&ev->to, &p->sm.dst);
	if (report && !ev->has_ref)
		ev->has_ref = smpp_msgid_find(l, ev->message_id, ev->from.digits, &ev->ref);
	ev->whole = report && l->cfg.concat == SMPP_CONCAT_PAYLOAD_UDH;
	ev->pid = p->sm.protocol_id;
	ev->dcs = p->sm.data_coding;
	ev->udhi = p->sm.esm_class & SMPP_ESM_UDHI;
	ev->payload_len = (uint16_t)payload.len;
	if (payload.len)
		memcpy(ev->payload, payload.p, payload.len);
	smpp_sar_to_udh(ev, &p->tlv);
	event_tell(l);
}

void smpp_on_alert(struct smpp_link *l, const struct smpp_pdu *p)
{
	struct link_event *ev = event_begin(l, LINK_EV_ALERT, 0);

	l->stats.received++;
	addr_copy(&ev->from, &p->alert.src);
	addr_copy(&ev->to, &p->alert.esme);
	ev->ms_status = p->tlv.have & SMPP_TLV_MS_AVAILABILITY ? p->tlv.ms_availability : 0;
	event_tell(l);
}

/* ------------------------------------------------------------------------------------------------ up and down */

void smpp_on_up(struct smpp_link *l)
{
	l->errors_in_row = 0;
	l->stats.up = true;
	l->stats.since_ms = smpp_now(l);
	smpp_renew_up(l);
	event_begin(l, LINK_EV_UP, 0);
	event_tell(l);
}

void smpp_on_down(struct smpp_link *l, struct fail why)
{
	struct fail unknown = { .cls = FAIL_UNKNOWN,
				.code = why.code,
				.what = "connection lost before submit_sm_resp" };

	l->stats.up = false;
	l->stats.since_ms = smpp_now(l);
	event_del(l->submit_ev);
	event_del(l->held_ev);
	smpp_renew_down(l);
	held_init(l);
	while (l->slot_first != SMPP_NONE) {
		struct smpp_slot s = slot_take(l, l->slot_first);

		slot_outcome(l, &s, LINK_EV_UNKNOWN, unknown, NULL);
	}
	smpp_gathers_end(l, &unknown);
	event_begin(l, LINK_EV_DOWN, 0)->fail = why;
	event_tell(l);
}

/* ------------------------------------------------------------------------------------------------------- ops */

static int start(struct link *link)
{
	smpp_conn_start(self(link));
	return 0;
}

static void stop(struct link *link)
{
	smpp_conn_stop(self(link));
}

static void stats(struct link *link, struct link_stats *out)
{
	struct smpp_link *l = self(link);

	int64_t now_ms = smpp_now(l);

	*out = l->stats;
	out->window = l->credit.window;
	out->in_window = l->credit.in_use;
	out->rate_limit = l->credit.rate;
	out->state = smpp_state_name(l);
	out->flavour = l->cfg.flavour;
	out->rate_max = l->credit.rate_max;
	out->rate_now = link_gauge_rate(&l->gauge, now_ms);
	out->hold_ms = l->credit.hold_until_ms > now_ms ? l->credit.hold_until_ms - now_ms : 0;
	out->answers = link_gauge_answers(&l->gauge, now_ms);
	out->p50_ms = link_gauge_latency(&l->gauge, now_ms, 0.5);
	out->p99_ms = link_gauge_latency(&l->gauge, now_ms, 0.99);
}

static void link_free(struct link *link)
{
	struct smpp_link *l = self(link);

	smpp_conn_free(l);
	explicit_bzero(l->cfg.password, sizeof(l->cfg.password));
	smpp_tls_context_free(l->tls);
	free(l->slots);
	free(l->msgids);
	free(l);
}

static const struct link_ops smpp_ops = {
	.kind = "smpp",
	.start = start,
	.stop = stop,
	.credit = credit,
	.credit_due = credit_due,
	.submit = submit,
	.answer = answer,
	.stats = stats,
	.free = link_free,
};

void smpp_link_cfg_default(struct smpp_link_cfg *cfg)
{
	*cfg = (struct smpp_link_cfg){
		.port = 2775,
		.flavour = SMPP_FLAVOUR_DEFAULT,
		.interface_version = SMPP_VERSION,
		.src_ton = SMPP_TYPE_AS_GIVEN,
		.src_npi = SMPP_TYPE_AS_GIVEN,
		.window = WINDOW_DEFAULT,
		.enquire_link_ms = ENQUIRE_LINK_DEFAULT,
		.enquire_timeout_ms = ENQUIRE_TIMEOUT,
		.response_ms = RESPONSE_DEFAULT,
		.bind_ms = BIND_DEFAULT,
		.answer_ms = LINK_ANSWER_MS,
		.reconnect_ms = RECONNECT_DEFAULT,
		.reconnect_max_ms = RECONNECT_MAX_DEFAULT,
	};
}

static bool text_ok(const char *s, size_t cap)
{
	return strnlen(s, cap) < cap;
}

static const char *cfg_fault(const struct smpp_link_cfg *c)
{
	const uint32_t times[] = { c->enquire_link_ms, c->enquire_timeout_ms, c->response_ms,	  c->bind_ms,
				   c->answer_ms,       c->reconnect_ms,	      c->reconnect_max_ms };

	if (!*c->name || !text_ok(c->name, sizeof(c->name)))
		return "a name of 1 to 31 characters is needed";
	if (!*c->host || !text_ok(c->host, sizeof(c->host)))
		return "host: a name or address of 1 to 63 characters is needed";
	if (!c->port)
		return "port: 1 to 65535 is needed";
	if (!text_ok(c->system_id, sizeof(c->system_id)) || !*c->system_id)
		return "system-id: 1 to 15 characters are needed (SMPP 3.4)";
	if (!text_ok(c->password, sizeof(c->password)))
		return "password: at most 8 characters are allowed (SMPP 3.4)";
	if (!text_ok(c->flavour, sizeof(c->flavour)))
		return "flavour: at most 23 characters are allowed";
	if (!text_ok(c->system_type, sizeof(c->system_type)))
		return "system-type: at most 12 characters are allowed (SMPP 3.4)";
	if (!c->window || c->window > SMPP_WINDOW_MAX)
		return "window: 1 to 1000 is needed";
	if (!(c->rate >= 0) || c->rate > 1e6)
		return "rate: 0 (unlimited) to 1000000 PDUs per second is needed";
	if (c->message_id > SMPP_MSGIDS_NONE)
		return "message-id: auto, text, hex-decimal, decimal-hex or none is needed";
	if (c->tls.on && !*c->tls.certificate != !*c->tls.key)
		return "tls: certificate and key belong together";
	if (c->concat > SMPP_CONCAT_PAYLOAD_UDH)
		return "concat: udh, sar or payload-udh is needed";
	if (c->bind_as > SMPP_BIND_TX_RX)
		return "bind: trx or tx+rx is needed";
	if (c->esm_mode > ESM_MODE_MAX)
		return "esm-mode: 0 default, 1 datagram, 2 transaction or 3 store-and-forward is needed";
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (!times[i] || times[i] > TIMER_MAX_MS)
			return "a timer is outside 1 ms to one day";
	if (c->reconnect_max_ms < c->reconnect_ms)
		return "reconnect: the longest delay is shorter than the first";
	return NULL;
}

static bool slots_init(struct smpp_link *l)
{
	uint32_t n = SLOTS_MIN;

	while (n < l->cfg.window * SLOTS_PER_WINDOW)
		n *= 2;
	l->slots = calloc(n, sizeof(*l->slots));
	l->slot_mask = n - 1;
	l->slot_first = l->slot_last = SMPP_NONE;
	return l->slots != NULL;
}

struct smpp_link *smpp_single_new(const struct smpp_link_cfg *cfg, const struct smpp_link_env *env, enum smpp_role role,
				  char *err, size_t cap)
{
	struct smpp_link *l = calloc(1, sizeof(*l));

	snprintf(err, cap, "out of memory");
	if (!l)
		return NULL;
	l->fd = -1;
	l->cfg = *cfg;
	l->env = *env;
	l->role = role;
	l->submit_len = cfg->concat == SMPP_CONCAT_PAYLOAD_UDH ? SMPP_WHOLE_LEN : SMPP_SUBMIT_LEN;
	l->ids = l;
	l->flavour = (unsigned)errtab_flavour(env->errtab, cfg->flavour);
	l->link.ops = &smpp_ops;
	memcpy(l->link.name, cfg->name, sizeof(l->link.name));
	link_credit_init(&l->credit, cfg->window, cfg->rate, env->now_ms(env->ctx));
	l->stats.since_ms = env->now_ms(env->ctx);
	held_init(l);
	if (slots_init(l) && smpp_conn_init(l) && smpp_renew_init(l) &&
	    (!cfg->tls.on || (l->tls = smpp_tls_context(cfg, err, cap)) != NULL)) {
		*err = 0;
		return l;
	}
	link_free(&l->link);
	return NULL;
}

struct link *smpp_link_new(const struct smpp_link_cfg *cfg, const struct smpp_link_env *env, char *err, size_t err_cap)
{
	const char *fault = cfg_fault(cfg);
	char why[512] = "an error table is needed";
	struct smpp_link *single;
	struct link *l;

	if (fault) {
		snprintf(err, err_cap, "smpp link \"%.31s\": %s", cfg->name, fault);
		return NULL;
	}
	if (!env->errtab || errtab_flavour(env->errtab, cfg->flavour) < 0) {
		if (env->errtab)
			errtab_flavour_unknown(env->errtab, cfg->flavour, why, sizeof(why));
		snprintf(err, err_cap, "smpp link \"%s\": %s", cfg->name, why);
		return NULL;
	}
	if (cfg->bind_as == SMPP_BIND_TX_RX) {
		l = smpp_pair_new(cfg, env, why, sizeof(why));
	} else {
		single = smpp_single_new(cfg, env, SMPP_ROLE_TRX, why, sizeof(why));
		l = single ? &single->link : NULL;
	}
	if (!l)
		snprintf(err, err_cap, "smpp link \"%s\": %s", cfg->name, why);
	return l;
}
