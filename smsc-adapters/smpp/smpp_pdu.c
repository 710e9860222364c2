/* smpp_pdu.c - SMPP 3.4 PDUs: every one is packed and unpacked here.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Written for the cost of a submit_sm: runs of one-octet fields are one bounds check, strings are not copied.
 */
#include "smpp_pdu.h"

#include <string.h>

#include "ota/rd.h"
#include "ota/wr.h"

#define DAY_S	       86400u
#define MONTH_S	       (31u * DAY_S) /* the longest: a relative time must not outlast what was asked for */
#define YEAR_S	       (12u * MONTH_S)
#define TLV_HEAD       4
#define DEST_SME       1 /* dest_flag (SMPP 5.2.25) */
#define DEST_LIST      2
#define ERROR_CODE_LEN 4 /* of an unsuccess_sme (SMPP 4.5.2.1) */

const char *smpp_strerror(int err)
{
	switch (err) {
	case SMPP_OK:
		return "ok";
	case SMPP_E_SHORT:
		return "body ends before its fields do";
	case SMPP_E_LENGTH:
		return "impossible command_length";
	case SMPP_E_STRING:
		return "string longer than its field may be";
	case SMPP_E_COMMAND:
		return "unknown command_id";
	case SMPP_E_TLV:
		return "optional parameter reaches beyond the PDU";
	case SMPP_E_SPACE:
		return "buffer too small";
	case SMPP_E_RANGE:
		return "value its field cannot have";
	}
	return "unknown error";
}

const char *smpp_command_name(uint32_t id)
{
	static const struct {
		uint32_t id;
		const char *request, *response;
	} names[] = {
		{ SMPP_SUBMIT_SM, "submit_sm", "submit_sm_resp" },
		{ SMPP_DELIVER_SM, "deliver_sm", "deliver_sm_resp" },
		{ SMPP_ENQUIRE_LINK, "enquire_link", "enquire_link_resp" },
		{ SMPP_BIND_RECEIVER, "bind_receiver", "bind_receiver_resp" },
		{ SMPP_BIND_TRANSMITTER, "bind_transmitter", "bind_transmitter_resp" },
		{ SMPP_BIND_TRANSCEIVER, "bind_transceiver", "bind_transceiver_resp" },
		{ SMPP_UNBIND, "unbind", "unbind_resp" },
		{ SMPP_DATA_SM, "data_sm", "data_sm_resp" },
		{ SMPP_QUERY_SM, "query_sm", "query_sm_resp" },
		{ SMPP_CANCEL_SM, "cancel_sm", "cancel_sm_resp" },
		{ SMPP_REPLACE_SM, "replace_sm", "replace_sm_resp" },
		{ SMPP_SUBMIT_MULTI, "submit_multi", "submit_multi_resp" },
		{ SMPP_ALERT_NOTIFICATION, "alert_notification", NULL },
		{ SMPP_OUTBIND, "outbind", NULL },
		{ 0, NULL, "generic_nack" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *name = id & SMPP_RESP ? names[i].response : names[i].request;

		if ((id & ~SMPP_RESP) == names[i].id && name)
			return name;
	}
	return "unknown command";
}

/* ------------------------------------------------------------------------------------------------ framing */

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

int smpp_frame(const uint8_t *buf, size_t len, size_t max)
{
	uint32_t pdu_len;

	if (len < 4)
		return 0;
	pdu_len = be32(buf);
	if (pdu_len < SMPP_HEADER_LEN || pdu_len > max || pdu_len > INT32_MAX)
		return SMPP_E_LENGTH;
	return len < pdu_len ? 0 : (int)pdu_len;
}

void smpp_header(struct smpp_pdu *out, const uint8_t buf[SMPP_HEADER_LEN])
{
	out->len = be32(buf);
	out->id = be32(buf + 4);
	out->status = be32(buf + 8);
	out->seq = be32(buf + 12);
}

/* ---------------------------------------------------------------------------------------------- unpacking */

struct in {
	struct rd r;
	int err; /* why r is bad, where it is not shortness */
};

/* A C-octet string in place, at most max octets with its NUL. */
static const char *in_str(struct in *in, size_t max)
{
	size_t left = rd_left(&in->r);
	const uint8_t *p = in->r.p, *nul;

	if (left && !*p) {
		in->r.p++;
		return (const char *)p;
	}
	nul = left ? memchr(p, 0, left < max ? left : max) : NULL;
	if (!nul) {
		if (!in->r.bad && left >= max)
			in->err = SMPP_E_STRING;
		in->r.bad = true;
		return "";
	}
	in->r.p = nul + 1;
	return (const char *)p;
}

/* n one-octet fields at once; zeros when bad. */
static const uint8_t *in_run(struct in *in, size_t n)
{
	static const uint8_t zeros[16];
	const uint8_t *p = rd_bytes(&in->r, n);

	return p ? p : zeros;
}

static void in_addr(struct in *in, struct smpp_addr *a, size_t max)
{
	const uint8_t *f = in_run(in, 2);

	a->ton = f[0];
	a->npi = f[1];
	a->digits = in_str(in, max);
}

static void in_octets(struct in *in, struct smpp_octets *o, size_t len)
{
	o->p = rd_bytes(&in->r, len);
	o->len = o->p ? len : 0;
}

/* esm_class .. short_message: the common tail of submit_sm, deliver_sm and submit_multi (SMPP 4.4.1, 4.6.1, 4.5.1) */
static void in_sm_tail(struct in *in, struct smpp_sm *sm)
{
	const uint8_t *f = in_run(in, 3);

	sm->esm_class = f[0];
	sm->protocol_id = f[1];
	sm->priority_flag = f[2];
	sm->schedule_time = in_str(in, SMPP_TIME_MAX);
	sm->validity_period = in_str(in, SMPP_TIME_MAX);
	f = in_run(in, 5);
	sm->registered_delivery = f[0];
	sm->replace_if_present = f[1];
	sm->data_coding = f[2];
	sm->default_msg_id = f[3];
	if (f[4] > SMPP_SM_MAX) {
		in->err = SMPP_E_RANGE;
		in->r.bad = true;
	}
	in_octets(in, &sm->sm, f[4]);
}

static void in_sm(struct in *in, struct smpp_sm *sm)
{
	sm->service_type = in_str(in, SMPP_SERVICE_MAX);
	in_addr(in, &sm->src, SMPP_ADDR_MAX);
	in_addr(in, &sm->dst, SMPP_ADDR_MAX);
	in_sm_tail(in, sm);
}

static void in_data_sm(struct in *in, struct smpp_sm *sm)
{
	const uint8_t *f;

	sm->service_type = in_str(in, SMPP_SERVICE_MAX);
	in_addr(in, &sm->src, SMPP_LONG_ADDR_MAX);
	in_addr(in, &sm->dst, SMPP_LONG_ADDR_MAX);
	f = in_run(in, 3);
	sm->esm_class = f[0];
	sm->registered_delivery = f[1];
	sm->data_coding = f[2];
}

static void in_replace(struct in *in, struct smpp_sm *sm)
{
	const uint8_t *f;

	sm->message_id = in_str(in, SMPP_MSGID_MAX);
	in_addr(in, &sm->src, SMPP_ADDR_MAX);
	sm->schedule_time = in_str(in, SMPP_TIME_MAX);
	sm->validity_period = in_str(in, SMPP_TIME_MAX);
	f = in_run(in, 3);
	sm->registered_delivery = f[0];
	sm->default_msg_id = f[1];
	if (f[2] > SMPP_SM_MAX) {
		in->err = SMPP_E_RANGE;
		in->r.bad = true;
	}
	in_octets(in, &sm->sm, f[2]);
}

/* number_of_dests and dest_address(es): walked once, kept as they are (SMPP 4.5.1.1) */
static void in_dests(struct in *in, struct smpp_sm *sm)
{
	struct smpp_addr unused;
	const uint8_t *start;

	sm->dest_count = in_run(in, 1)[0];
	start = in->r.p;
	for (unsigned i = 0; i < sm->dest_count && !in->r.bad; i++) {
		uint8_t flag = in_run(in, 1)[0];

		if (flag == DEST_SME) {
			in_addr(in, &unused, SMPP_ADDR_MAX);
		} else if (flag == DEST_LIST) {
			in_str(in, SMPP_ADDR_MAX);
		} else if (!in->r.bad) {
			in->err = SMPP_E_RANGE;
			in->r.bad = true;
		}
	}
	if (!in->r.bad)
		sm->dests = (struct smpp_octets){ .p = start, .len = (size_t)(in->r.p - start) };
}

static void in_multi(struct in *in, struct smpp_sm *sm)
{
	sm->service_type = in_str(in, SMPP_SERVICE_MAX);
	in_addr(in, &sm->src, SMPP_ADDR_MAX);
	in_dests(in, sm);
	in_sm_tail(in, sm);
}

static void in_multi_resp(struct in *in, struct smpp_result *res)
{
	struct smpp_addr unused;
	const uint8_t *start;

	res->id = in_str(in, SMPP_MSGID_MAX);
	res->fail_count = in_run(in, 1)[0];
	start = in->r.p;
	for (unsigned i = 0; i < res->fail_count && !in->r.bad; i++) {
		in_addr(in, &unused, SMPP_ADDR_MAX);
		in_run(in, ERROR_CODE_LEN);
	}
	if (!in->r.bad)
		res->fails = (struct smpp_octets){ .p = start, .len = (size_t)(in->r.p - start) };
}

static void in_bind(struct in *in, struct smpp_bind *b)
{
	b->system_id = in_str(in, SMPP_SYSTEM_ID_MAX);
	b->password = in_str(in, SMPP_PASSWORD_MAX);
	b->system_type = in_str(in, SMPP_SYSTEM_TYPE_MAX);
	b->interface_version = in_run(in, 1)[0];
	in_addr(in, &b->range, SMPP_RANGE_MAX);
}

static void in_query(struct in *in, struct smpp_query *q, uint32_t id)
{
	const uint8_t *f;

	if (id == SMPP_CANCEL_SM)
		q->service_type = in_str(in, SMPP_SERVICE_MAX);
	q->message_id = in_str(in, SMPP_MSGID_MAX);
	if (id == (SMPP_QUERY_SM | SMPP_RESP)) {
		q->final_date = in_str(in, SMPP_TIME_MAX);
		f = in_run(in, 2);
		q->message_state = f[0];
		q->error_code = f[1];
		return;
	}
	in_addr(in, &q->src, SMPP_ADDR_MAX);
	if (id == SMPP_CANCEL_SM)
		in_addr(in, &q->dst, SMPP_ADDR_MAX);
}

/* A TLV value that is text of at most max octets with its NUL, which some peers leave out. */
static bool text_value(struct smpp_octets *out, const uint8_t *v, size_t len, size_t max)
{
	if (len && !v[len - 1])
		len--;
	if (len >= max)
		return false;
	*out = (struct smpp_octets){ .p = v, .len = len };
	return true;
}

/* True when the tag is known and its value has a length it may have, then *bit is set. */
static bool tlv_take(struct smpp_tlvs *t, unsigned tag, const uint8_t *v, size_t len, uint32_t *bit)
{
	uint8_t *octet = NULL;
	uint16_t *word = NULL;

	switch (tag) {
	case SMPP_TAG_USER_REF:
		*bit = SMPP_TLV_USER_REF;
		word = &t->user_ref;
		break;
	case SMPP_TAG_SAR_REF:
		*bit = SMPP_TLV_SAR_REF;
		word = &t->sar_ref;
		break;
	case SMPP_TAG_SAR_TOTAL:
		*bit = SMPP_TLV_SAR_TOTAL;
		octet = &t->sar_total;
		break;
	case SMPP_TAG_SAR_SEQ:
		*bit = SMPP_TLV_SAR_SEQ;
		octet = &t->sar_seq;
		break;
	case SMPP_TAG_SC_VERSION:
		*bit = SMPP_TLV_SC_VERSION;
		octet = &t->sc_version;
		break;
	case SMPP_TAG_MS_AVAILABILITY:
		*bit = SMPP_TLV_MS_AVAILABILITY;
		octet = &t->ms_availability;
		break;
	case SMPP_TAG_FAILURE_REASON:
		*bit = SMPP_TLV_FAILURE_REASON;
		octet = &t->failure_reason;
		break;
	case SMPP_TAG_MORE_MESSAGES:
		*bit = SMPP_TLV_MORE_MESSAGES;
		octet = &t->more_messages;
		break;
	case SMPP_TAG_MESSAGE_STATE:
		*bit = SMPP_TLV_MESSAGE_STATE;
		octet = &t->message_state;
		break;
	case SMPP_TAG_NET_ERROR:
		*bit = SMPP_TLV_NET_ERROR;
		if (len != 3)
			return false;
		t->net_error_type = v[0];
		t->net_error_code = be16(v + 1);
		return true;
	case SMPP_TAG_PAYLOAD:
		*bit = SMPP_TLV_PAYLOAD;
		t->payload = (struct smpp_octets){ .p = v, .len = len };
		return true;
	case SMPP_TAG_RECEIPTED_ID:
		*bit = SMPP_TLV_RECEIPTED_ID;
		return text_value(&t->receipted_id, v, len, SMPP_MSGID_MAX);
	case SMPP_TAG_STATUS_TEXT:
		*bit = SMPP_TLV_STATUS_TEXT;
		return text_value(&t->status_text, v, len, SMPP_STATUS_TEXT_MAX);
	default:
		return false;
	}
	if (len != (octet ? 1 : 2))
		return false;
	if (octet)
		*octet = v[0];
	else
		*word = be16(v);
	return true;
}

static void in_tlvs(struct in *in, struct smpp_tlvs *t)
{
	t->raw = (struct smpp_octets){ .p = in->r.p, .len = rd_left(&in->r) };
	while (rd_left(&in->r)) {
		const uint8_t *head = rd_bytes(&in->r, TLV_HEAD);
		size_t len = head ? be16(head + 2) : 0;
		const uint8_t *v = rd_bytes(&in->r, len);
		uint32_t bit = 0;

		if (!v) {
			in->err = SMPP_E_TLV;
			return;
		}
		if (tlv_take(t, be16(head), v, len, &bit))
			t->have |= bit;
		else if (bit)
			t->have |= SMPP_TLV_ODD;
	}
}

/* Responses that carry one id: a body left out is an empty id. */
static void in_result(struct in *in, struct smpp_result *res, size_t max)
{
	res->id = rd_left(&in->r) ? in_str(in, max) : "";
}

static int unpack_body(struct in *in, struct smpp_pdu *out)
{
	bool no_body = !rd_left(&in->r);

	switch (out->id) {
	case SMPP_SUBMIT_SM:
	case SMPP_DELIVER_SM:
		in_sm(in, &out->sm);
		break;
	case SMPP_SUBMIT_SM | SMPP_RESP:
	case SMPP_DELIVER_SM | SMPP_RESP:
	case SMPP_DATA_SM | SMPP_RESP:
		in_result(in, &out->resp, SMPP_MSGID_MAX);
		break;
	case SMPP_BIND_RECEIVER:
	case SMPP_BIND_TRANSMITTER:
	case SMPP_BIND_TRANSCEIVER:
		in_bind(in, &out->bind);
		break;
	case SMPP_BIND_RECEIVER | SMPP_RESP:
	case SMPP_BIND_TRANSMITTER | SMPP_RESP:
	case SMPP_BIND_TRANSCEIVER | SMPP_RESP:
		in_result(in, &out->resp, SMPP_SYSTEM_ID_MAX);
		break;
	case SMPP_DATA_SM:
		in_data_sm(in, &out->sm);
		break;
	case SMPP_ALERT_NOTIFICATION:
		in_addr(in, &out->alert.src, SMPP_LONG_ADDR_MAX);
		in_addr(in, &out->alert.esme, SMPP_LONG_ADDR_MAX);
		break;
	case SMPP_ENQUIRE_LINK:
	case SMPP_ENQUIRE_LINK | SMPP_RESP:
	case SMPP_UNBIND:
	case SMPP_UNBIND | SMPP_RESP:
	case SMPP_CANCEL_SM | SMPP_RESP:
	case SMPP_REPLACE_SM | SMPP_RESP:
	case SMPP_GENERIC_NACK:
		break;
	case SMPP_OUTBIND:
		out->bind.system_id = in_str(in, SMPP_SYSTEM_ID_MAX);
		out->bind.password = in_str(in, SMPP_PASSWORD_MAX);
		break;
	case SMPP_QUERY_SM | SMPP_RESP:
		if (no_body)
			break;
		in_query(in, &out->query, out->id);
		break;
	case SMPP_QUERY_SM:
	case SMPP_CANCEL_SM:
		in_query(in, &out->query, out->id);
		break;
	case SMPP_REPLACE_SM:
		in_replace(in, &out->sm);
		break;
	case SMPP_SUBMIT_MULTI:
		in_multi(in, &out->sm);
		break;
	case SMPP_SUBMIT_MULTI | SMPP_RESP:
		if (!no_body)
			in_multi_resp(in, &out->resp);
		break;
	default:
		return SMPP_E_COMMAND;
	}
	return SMPP_OK;
}

int smpp_pdu_unpack(struct smpp_pdu *out, const uint8_t *buf, size_t len, size_t *at)
{
	struct in in = { .r = rd_init(buf, len) };
	const uint8_t *head = rd_bytes(&in.r, SMPP_HEADER_LEN);
	int rc = SMPP_E_LENGTH;

	memset(out, 0, sizeof(*out));
	if (head) {
		smpp_header(out, head);
		if (out->len == len)
			rc = unpack_body(&in, out);
		if (!rc && !in.r.bad)
			in_tlvs(&in, &out->tlv);
		if (!rc && in.r.bad)
			rc = in.err ? in.err : SMPP_E_SHORT;
	}
	if (at)
		*at = (size_t)(in.r.p - buf);
	return rc;
}

struct smpp_octets smpp_message(const struct smpp_pdu *p)
{
	return p->tlv.have & SMPP_TLV_PAYLOAD ? p->tlv.payload : p->sm.sm;
}

/* ------------------------------------------------------------------------------------------------ packing */

struct out {
	struct wr w;
	int err; /* why w is bad, where it is not space */
};

__attribute__((cold, noinline)) static void out_bad(struct out *o, int err)
{
	if (!o->w.bad)
		o->err = err;
	o->w.bad = true;
}

static void out_str(struct out *o, const char *s, size_t max)
{
	size_t len = s && *s ? strlen(s) : 0;

	if (len >= max) {
		out_bad(o, SMPP_E_STRING);
		return;
	}
	if (len)
		wr_bytes(&o->w, s, len + 1);
	else
		wr_u8(&o->w, 0);
}

static void out_addr(struct out *o, const struct smpp_addr *a, size_t max)
{
	uint8_t *p = wr_room(&o->w, 2);

	if (p) {
		p[0] = a->ton;
		p[1] = a->npi;
	}
	out_str(o, a->digits, max);
}

/* sm_length and short_message */
static void out_message(struct out *o, const struct smpp_octets *sm)
{
	if (sm->len > SMPP_SM_MAX) {
		out_bad(o, SMPP_E_RANGE);
		return;
	}
	wr_u8(&o->w, (uint8_t)sm->len);
	wr_bytes(&o->w, sm->p, sm->len);
}

/* submit_sm and deliver_sm are the hot ones: every field is held to its own maximum, so that one check of room covers
 * the body.  Where there is less room than the longest body takes, it goes through a buffer that has it. */
#define SM_TAIL_MAX (3 + SMPP_TIME_MAX + SMPP_TIME_MAX + 5 + SMPP_SM_MAX)
#define SM_BODY_MAX (SMPP_SERVICE_MAX + 2 * (2 + SMPP_ADDR_MAX) + SM_TAIL_MAX)

static inline uint8_t *put_str(int *err, uint8_t *p, const char *s, size_t max)
{
	size_t len;

	if (!s || !*s) {
		*p = 0;
		return p + 1;
	}
	len = strlen(s) + 1;
	if (len > max) {
		*err = SMPP_E_STRING;
		return p;
	}
	memcpy(p, s, len);
	return p + len;
}

static inline uint8_t *put_addr(int *err, uint8_t *p, const struct smpp_addr *a)
{
	p[0] = a->ton;
	p[1] = a->npi;
	return put_str(err, p + 2, a->digits, SMPP_ADDR_MAX);
}

static uint8_t *put_sm_tail(int *err, uint8_t *p, const struct smpp_sm *sm)
{
	*p++ = sm->esm_class;
	*p++ = sm->protocol_id;
	*p++ = sm->priority_flag;
	p = put_str(err, p, sm->schedule_time, SMPP_TIME_MAX);
	p = put_str(err, p, sm->validity_period, SMPP_TIME_MAX);
	*p++ = sm->registered_delivery;
	*p++ = sm->replace_if_present;
	*p++ = sm->data_coding;
	*p++ = sm->default_msg_id;
	if (sm->sm.len > SMPP_SM_MAX) {
		*err = SMPP_E_RANGE;
		return p;
	}
	*p++ = (uint8_t)sm->sm.len;
	if (sm->sm.len)
		memcpy(p, sm->sm.p, sm->sm.len);
	return p + sm->sm.len;
}

static inline uint8_t *put_sm(int *err, uint8_t *p, const struct smpp_sm *sm)
{
	p = put_str(err, p, sm->service_type, SMPP_SERVICE_MAX);
	p = put_addr(err, p, &sm->src);
	p = put_addr(err, p, &sm->dst);
	return put_sm_tail(err, p, sm);
}

static void out_sm(struct out *o, const struct smpp_sm *sm)
{
	uint8_t body[SM_BODY_MAX], *end;

	if ((size_t)(o->w.end - o->w.p) >= sizeof(body)) {
		o->w.p = put_sm(&o->err, o->w.p, sm);
	} else {
		end = put_sm(&o->err, body, sm);
		wr_bytes(&o->w, body, (size_t)(end - body));
	}
	if (o->err)
		o->w.bad = true;
}

static void out_data_sm(struct out *o, const struct smpp_sm *sm)
{
	out_str(o, sm->service_type, SMPP_SERVICE_MAX);
	out_addr(o, &sm->src, SMPP_LONG_ADDR_MAX);
	out_addr(o, &sm->dst, SMPP_LONG_ADDR_MAX);
	wr_u8(&o->w, sm->esm_class);
	wr_u8(&o->w, sm->registered_delivery);
	wr_u8(&o->w, sm->data_coding);
}

static void out_replace(struct out *o, const struct smpp_sm *sm)
{
	out_str(o, sm->message_id, SMPP_MSGID_MAX);
	out_addr(o, &sm->src, SMPP_ADDR_MAX);
	out_str(o, sm->schedule_time, SMPP_TIME_MAX);
	out_str(o, sm->validity_period, SMPP_TIME_MAX);
	wr_u8(&o->w, sm->registered_delivery);
	wr_u8(&o->w, sm->default_msg_id);
	out_message(o, &sm->sm);
}

static void out_multi(struct out *o, const struct smpp_sm *sm)
{
	uint8_t tail[SM_TAIL_MAX];

	out_str(o, sm->service_type, SMPP_SERVICE_MAX);
	out_addr(o, &sm->src, SMPP_ADDR_MAX);
	wr_u8(&o->w, sm->dest_count);
	wr_bytes(&o->w, sm->dests.p, sm->dests.len);
	wr_bytes(&o->w, tail, (size_t)(put_sm_tail(&o->err, tail, sm) - tail));
	if (o->err)
		o->w.bad = true;
}

static void out_bind(struct out *o, const struct smpp_bind *b)
{
	out_str(o, b->system_id, SMPP_SYSTEM_ID_MAX);
	out_str(o, b->password, SMPP_PASSWORD_MAX);
	out_str(o, b->system_type, SMPP_SYSTEM_TYPE_MAX);
	wr_u8(&o->w, b->interface_version);
	out_addr(o, &b->range, SMPP_RANGE_MAX);
}

static void out_query(struct out *o, const struct smpp_query *q, uint32_t id)
{
	if (id == SMPP_CANCEL_SM)
		out_str(o, q->service_type, SMPP_SERVICE_MAX);
	out_str(o, q->message_id, SMPP_MSGID_MAX);
	if (id == (SMPP_QUERY_SM | SMPP_RESP)) {
		out_str(o, q->final_date, SMPP_TIME_MAX);
		wr_u8(&o->w, q->message_state);
		wr_u8(&o->w, q->error_code);
		return;
	}
	out_addr(o, &q->src, SMPP_ADDR_MAX);
	if (id == SMPP_CANCEL_SM)
		out_addr(o, &q->dst, SMPP_ADDR_MAX);
}

static void out_tlv_be(struct out *o, unsigned tag, uint32_t v, size_t len)
{
	uint8_t *p = wr_room(&o->w, TLV_HEAD + len);

	if (!p)
		return;
	p[0] = (uint8_t)(tag >> 8);
	p[1] = (uint8_t)tag;
	p[2] = 0;
	p[3] = (uint8_t)len;
	for (size_t i = 0; i < len; i++)
		p[TLV_HEAD + i] = (uint8_t)(v >> (8 * (len - 1 - i)));
}

static void out_tlv_octets(struct out *o, unsigned tag, const struct smpp_octets *v, size_t max, bool nul)
{
	size_t len = v->len + nul;

	if (len > max) {
		out_bad(o, SMPP_E_RANGE);
		return;
	}
	wr_be(&o->w, tag, 2);
	wr_be(&o->w, len, 2);
	wr_bytes(&o->w, v->p, v->len);
	if (nul)
		wr_u8(&o->w, 0);
}

/* Those that a submit_sm of ours never has. */
__attribute__((noinline)) static void out_rare_tlvs(struct out *o, const struct smpp_tlvs *t)
{
	if (t->have & SMPP_TLV_STATUS_TEXT)
		out_tlv_octets(o, SMPP_TAG_STATUS_TEXT, &t->status_text, SMPP_STATUS_TEXT_MAX, true);
	if (t->have & SMPP_TLV_RECEIPTED_ID)
		out_tlv_octets(o, SMPP_TAG_RECEIPTED_ID, &t->receipted_id, SMPP_MSGID_MAX, true);
	if (t->have & SMPP_TLV_SAR_REF)
		out_tlv_be(o, SMPP_TAG_SAR_REF, t->sar_ref, 2);
	if (t->have & SMPP_TLV_SAR_TOTAL)
		out_tlv_be(o, SMPP_TAG_SAR_TOTAL, t->sar_total, 1);
	if (t->have & SMPP_TLV_SAR_SEQ)
		out_tlv_be(o, SMPP_TAG_SAR_SEQ, t->sar_seq, 1);
	if (t->have & SMPP_TLV_SC_VERSION)
		out_tlv_be(o, SMPP_TAG_SC_VERSION, t->sc_version, 1);
	if (t->have & SMPP_TLV_MS_AVAILABILITY)
		out_tlv_be(o, SMPP_TAG_MS_AVAILABILITY, t->ms_availability, 1);
	if (t->have & SMPP_TLV_NET_ERROR)
		out_tlv_be(o, SMPP_TAG_NET_ERROR, (uint32_t)t->net_error_type << 16 | t->net_error_code, 3);
	if (t->have & SMPP_TLV_FAILURE_REASON)
		out_tlv_be(o, SMPP_TAG_FAILURE_REASON, t->failure_reason, 1);
	if (t->have & SMPP_TLV_MESSAGE_STATE)
		out_tlv_be(o, SMPP_TAG_MESSAGE_STATE, t->message_state, 1);
	if (t->have & SMPP_TLV_PAYLOAD)
		out_tlv_octets(o, SMPP_TAG_PAYLOAD, &t->payload, UINT16_MAX, false);
}

static void out_tlvs(struct out *o, const struct smpp_tlvs *t)
{
	if (t->have & SMPP_TLV_USER_REF)
		out_tlv_be(o, SMPP_TAG_USER_REF, t->user_ref, 2);
	if (t->have & SMPP_TLV_MORE_MESSAGES)
		out_tlv_be(o, SMPP_TAG_MORE_MESSAGES, t->more_messages, 1);
	if (t->have & ~(uint32_t)(SMPP_TLV_USER_REF | SMPP_TLV_MORE_MESSAGES))
		out_rare_tlvs(o, t);
}

/* SMPP 4.4.2 and 4.1.2: with an error status the body of the response is left out. */
static bool result_left_out(const struct smpp_pdu *p)
{
	return p->status && !(p->tlv.have & ~(uint32_t)SMPP_TLV_ODD) && (!p->resp.id || !*p->resp.id);
}

static void out_multi_resp(struct out *o, const struct smpp_result *res)
{
	out_str(o, res->id, SMPP_MSGID_MAX);
	wr_u8(&o->w, res->fail_count);
	wr_bytes(&o->w, res->fails.p, res->fails.len);
}

static int pack_body(struct out *o, const struct smpp_pdu *p)
{
	switch (p->id) {
	case SMPP_SUBMIT_SM:
	case SMPP_DELIVER_SM:
		out_sm(o, &p->sm);
		break;
	case SMPP_SUBMIT_SM | SMPP_RESP:
		if (!result_left_out(p))
			out_str(o, p->resp.id, SMPP_MSGID_MAX);
		break;
	case SMPP_DELIVER_SM | SMPP_RESP:
	case SMPP_DATA_SM | SMPP_RESP:
		out_str(o, p->resp.id, SMPP_MSGID_MAX);
		break;
	case SMPP_BIND_RECEIVER:
	case SMPP_BIND_TRANSMITTER:
	case SMPP_BIND_TRANSCEIVER:
		out_bind(o, &p->bind);
		break;
	case SMPP_BIND_RECEIVER | SMPP_RESP:
	case SMPP_BIND_TRANSMITTER | SMPP_RESP:
	case SMPP_BIND_TRANSCEIVER | SMPP_RESP:
		if (!result_left_out(p))
			out_str(o, p->resp.id, SMPP_SYSTEM_ID_MAX);
		break;
	case SMPP_DATA_SM:
		out_data_sm(o, &p->sm);
		break;
	case SMPP_ALERT_NOTIFICATION:
		out_addr(o, &p->alert.src, SMPP_LONG_ADDR_MAX);
		out_addr(o, &p->alert.esme, SMPP_LONG_ADDR_MAX);
		break;
	case SMPP_ENQUIRE_LINK:
	case SMPP_ENQUIRE_LINK | SMPP_RESP:
	case SMPP_UNBIND:
	case SMPP_UNBIND | SMPP_RESP:
	case SMPP_CANCEL_SM | SMPP_RESP:
	case SMPP_REPLACE_SM | SMPP_RESP:
	case SMPP_GENERIC_NACK:
		break;
	case SMPP_OUTBIND:
		out_str(o, p->bind.system_id, SMPP_SYSTEM_ID_MAX);
		out_str(o, p->bind.password, SMPP_PASSWORD_MAX);
		break;
	case SMPP_QUERY_SM | SMPP_RESP:
	case SMPP_QUERY_SM:
	case SMPP_CANCEL_SM:
		out_query(o, &p->query, p->id);
		break;
	case SMPP_REPLACE_SM:
		out_replace(o, &p->sm);
		break;
	case SMPP_SUBMIT_MULTI:
		out_multi(o, &p->sm);
		break;
	case SMPP_SUBMIT_MULTI | SMPP_RESP:
		out_multi_resp(o, &p->resp);
		break;
	default:
		return SMPP_E_COMMAND;
	}
	return SMPP_OK;
}

static void put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

int smpp_pdu_pack(uint8_t *buf, size_t cap, const struct smpp_pdu *p)
{
	struct out o = { .w = wr_init(buf, cap) };
	uint8_t *head = wr_room(&o.w, SMPP_HEADER_LEN);
	int rc;

	if (!head)
		return SMPP_E_SPACE;
	rc = pack_body(&o, p);
	if (rc)
		return rc;
	if (p->tlv.have)
		out_tlvs(&o, &p->tlv);
	if (o.w.bad)
		return o.err ? o.err : SMPP_E_SPACE;
	put_be32(head, (uint32_t)wr_len(&o.w));
	put_be32(head + 4, p->id);
	put_be32(head + 8, p->status);
	put_be32(head + 12, p->seq);
	return (int)wr_len(&o.w);
}

/* ------------------------------------------------------------------------------------------ relative time */

static void two_digits(char *out, uint32_t v)
{
	out[0] = (char)('0' + v / 10 % 10);
	out[1] = (char)('0' + v % 10);
}

const char *smpp_time_relative(char out[SMPP_TIME_MAX], uint32_t seconds)
{
	if (seconds / YEAR_S > 99)
		seconds = 99 * YEAR_S;
	two_digits(out, seconds / YEAR_S);
	two_digits(out + 2, seconds % YEAR_S / MONTH_S);
	two_digits(out + 4, seconds % YEAR_S % MONTH_S / DAY_S);
	two_digits(out + 6, seconds % YEAR_S % MONTH_S % DAY_S / 3600);
	two_digits(out + 8, seconds % YEAR_S % MONTH_S % DAY_S % 3600 / 60);
	two_digits(out + 10, seconds % YEAR_S % MONTH_S % DAY_S % 60);
	memcpy(out + 12, "000R", 5);
	return out;
}

int64_t smpp_time_relative_s(const char *s)
{
	static const uint32_t unit_s[6] = { YEAR_S, MONTH_S, DAY_S, 3600, 60, 1 };
	int64_t total = 0;

	if (!s || strlen(s) != SMPP_TIME_MAX - 1 || strcmp(s + 12, "000R"))
		return -1;
	for (size_t i = 0; i < 12; i++)
		if (s[i] < '0' || s[i] > '9')
			return -1;
	for (size_t i = 0; i < 6; i++)
		total += (int64_t)((s[2 * i] - '0') * 10 + s[2 * i + 1] - '0') * unit_s[i];
	return total;
}
