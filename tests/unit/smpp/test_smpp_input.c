/* test_smpp_input.c - what comes from the SMSC: messages, receipts, alerts, fragments, garbage.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "test_smsc.h"

#include <stdlib.h>
#include <string.h>

#include "smpp_receipt.h"

#define T(f)	     cmocka_unit_test_setup_teardown(f, bed_setup, bed_teardown)
#define DELIVER_RESP (SMPP_DELIVER_SM | SMPP_RESP)

static const uint8_t por[] = { 0x02, 0x71, 0x00, 0x00, 0x0b, 0x0a, 0xb0, 0, 0x10, 0, 0, 0, 0, 1, 0, 0 };

static struct smpp_pdu mo(uint32_t seq)
{
	return (struct smpp_pdu){
		.id = SMPP_DELIVER_SM,
		.seq = seq,
		.sm = { .src = { 4, 6, "001010000000001" },
			.dst = { 2, 1, "9000" },
			.esm_class = 0x41,
			.protocol_id = 0x7f,
			.data_coding = 0xf6,
			.sm = { por, sizeof(por) } },
	};
}

static void deliver(struct bed *b, uint32_t seq)
{
	struct smpp_pdu p = mo(seq);

	smsc_send(&b->smsc, &p);
}

static void answer(struct bed *b, const struct link_event *ev, enum link_answer a)
{
	b->link->ops->answer(b->link, ev->token, a);
}

/* A round trip after which everything sent before it has been read. */
static void sync_up(struct bed *b)
{
	static uint32_t seq = 1000000;

	seq++;
	smsc_send(&b->smsc, &(struct smpp_pdu){ .id = SMPP_ENQUIRE_LINK, .seq = seq });
	BED_WAIT(b, smsc_find(&b->smsc, SMPP_ENQUIRE_LINK | SMPP_RESP, seq));
}

/* ----------------------------------------------------------------------------------------------- messages */

static void test_deliver(void **state)
{
	struct bed *b = *state;
	const struct link_event *ev;

	bed_up(b);
	deliver(b, 11);
	BED_WAIT(b, bed_count(b, LINK_EV_MO) == 1);
	ev = bed_event(b, LINK_EV_MO, 0);
	assert_true(ev->token != 0);
	assert_true(ev->udhi);
	assert_int_equal(ev->pid, 0x7f);
	assert_int_equal(ev->dcs, 0xf6);
	assert_int_equal(ev->from.npi, 6);
	assert_string_equal(ev->from.digits, "001010000000001");
	assert_string_equal(ev->to.digits, "9000");
	assert_int_equal(ev->payload_len, sizeof(por));
	assert_memory_equal(ev->payload, por, sizeof(por));
	/* no answer before answer() */
	sync_up(b);
	assert_int_equal(smsc_count(&b->smsc, DELIVER_RESP), 0);
	answer(b, ev, LINK_ANSWER_OK);
	BED_WAIT(b, smsc_find(&b->smsc, DELIVER_RESP, 11));
	assert_int_equal(smsc_find(&b->smsc, DELIVER_RESP, 11)->status, ESME_ROK);
	/* answered is answered */
	answer(b, ev, LINK_ANSWER_TEMP);
	b->link->ops->answer(b->link, 0, LINK_ANSWER_OK);
	b->link->ops->answer(b->link, 12345, LINK_ANSWER_OK);
	sync_up(b);
	assert_int_equal(smsc_count(&b->smsc, DELIVER_RESP), 1);
	assert_int_equal(bed_stats(b).received, 1);
	assert_int_equal(bed_stats(b).temp_answers, 0);
}

static void test_answers(void **state)
{
	struct bed *b = *state;

	bed_up(b);
	for (uint32_t i = 1; i <= 3; i++)
		deliver(b, i);
	BED_WAIT(b, bed_count(b, LINK_EV_MO) == 3);
	/* in any order */
	answer(b, bed_event(b, LINK_EV_MO, 1), LINK_ANSWER_FULL);
	answer(b, bed_event(b, LINK_EV_MO, 2), LINK_ANSWER_OK);
	answer(b, bed_event(b, LINK_EV_MO, 0), LINK_ANSWER_TEMP);
	BED_WAIT(b, smsc_count(&b->smsc, DELIVER_RESP) == 3);
	assert_int_equal(smsc_find(&b->smsc, DELIVER_RESP, 1)->status, ESME_RX_T_APPN);
	assert_int_equal(smsc_find(&b->smsc, DELIVER_RESP, 2)->status, ESME_RMSGQFUL);
	assert_int_equal(smsc_find(&b->smsc, DELIVER_RESP, 3)->status, ESME_ROK);
	assert_int_equal(bed_stats(b).temp_answers, 2);
}

static void test_answer_too_late(void **state)
{
	struct bed *b = *state;

	b->cfg.answer_ms = 20;
	bed_up(b);
	deliver(b, 11);
	deliver(b, 12);
	BED_WAIT(b, smsc_count(&b->smsc, DELIVER_RESP) == 2);
	assert_int_equal(smsc_find(&b->smsc, DELIVER_RESP, 11)->status, ESME_RX_T_APPN);
	assert_int_equal(smsc_find(&b->smsc, DELIVER_RESP, 12)->status, ESME_RX_T_APPN);
	assert_int_equal(bed_stats(b).temp_answers, 2);
	/* the event is still the core's; its answer comes too late */
	answer(b, bed_event(b, LINK_EV_MO, 0), LINK_ANSWER_OK);
	sync_up(b);
	assert_int_equal(smsc_count(&b->smsc, DELIVER_RESP), 2);
}

static void answer_at_once(struct bed *b, const struct link_event *ev)
{
	if (ev->kind == LINK_EV_MO)
		answer(b, ev, LINK_ANSWER_OK);
}

static unsigned lines_with(const struct bed *b, const char *part)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->n_logs; i++)
		n += strstr(b->log[i], part) != NULL;
	return n;
}

/* A store that stalls and an SMSC that delivers again: a few lines, until something is settled. */
static void test_unsettled_in_few_lines(void **state)
{
	struct bed *b = *state;

	b->cfg.answer_ms = 20;
	bed_up(b);
	for (uint32_t i = 1; i <= 20; i++)
		deliver(b, i);
	BED_WAIT(b, smsc_count(&b->smsc, DELIVER_RESP) == 20);
	assert_int_equal(lines_with(b, "not settled"), SMPP_NOISE_SHOWN);
	assert_int_equal(lines_with(b, "no more of these lines"), 1);
	b->hook = answer_at_once;
	deliver(b, 21);
	BED_WAIT(b, smsc_count(&b->smsc, DELIVER_RESP) == 21);
	b->hook = NULL;
	deliver(b, 22);
	BED_WAIT(b, smsc_count(&b->smsc, DELIVER_RESP) == 22);
	assert_int_equal(lines_with(b, "not settled"), SMPP_NOISE_SHOWN + 1);
}

static void test_answer_of_older_connection(void **state)
{
	struct bed *b = *state;

	bed_up(b);
	deliver(b, 11);
	BED_WAIT(b, bed_count(b, LINK_EV_MO) == 1);
	smsc_close(&b->smsc);
	BED_WAIT(b, bed_count(b, LINK_EV_UP) == 2);
	deliver(b, 11);
	BED_WAIT(b, bed_count(b, LINK_EV_MO) == 2);
	assert_true(bed_event(b, LINK_EV_MO, 0)->token != bed_event(b, LINK_EV_MO, 1)->token);
	answer(b, bed_event(b, LINK_EV_MO, 0), LINK_ANSWER_OK);
	sync_up(b);
	assert_int_equal(smsc_count(&b->smsc, DELIVER_RESP), 0);
	answer(b, bed_event(b, LINK_EV_MO, 1), LINK_ANSWER_OK);
	BED_WAIT(b, smsc_count(&b->smsc, DELIVER_RESP) == 1);
}

static void test_too_many_held(void **state)
{
	struct bed *b = *state;

	bed_up(b);
	for (uint32_t i = 1; i <= SMPP_RECEIVED_MAX + 2; i++)
		deliver(b, i);
	BED_WAIT(b, smsc_count(&b->smsc, DELIVER_RESP) == 2);
	assert_int_equal(bed_count(b, LINK_EV_MO), SMPP_RECEIVED_MAX);
	assert_int_equal(smsc_find(&b->smsc, DELIVER_RESP, SMPP_RECEIVED_MAX + 1)->status, ESME_RMSGQFUL);
	answer(b, bed_event(b, LINK_EV_MO, 100), LINK_ANSWER_OK);
	deliver(b, 9999);
	BED_WAIT(b, bed_count(b, LINK_EV_MO) == SMPP_RECEIVED_MAX + 1);
	for (unsigned i = 0; i <= SMPP_RECEIVED_MAX; i++)
		answer(b, bed_event(b, LINK_EV_MO, i), LINK_ANSWER_OK);
	BED_WAIT(b, smsc_count(&b->smsc, DELIVER_RESP) == SMPP_RECEIVED_MAX + 3);
}

static void test_answer_inside_event(void **state)
{
	struct bed *b = *state;

	b->hook = answer_at_once;
	bed_up(b);
	for (uint32_t i = 1; i <= 600; i++)
		deliver(b, i);
	BED_WAIT(b, smsc_count(&b->smsc, DELIVER_RESP) == 600);
	for (uint32_t i = 1; i <= 600; i++)
		assert_int_equal(smsc_find(&b->smsc, DELIVER_RESP, i)->status, ESME_ROK);
}

static void test_data_sm(void **state)
{
	struct bed *b = *state;
	struct smpp_pdu p = {
		.id = SMPP_DATA_SM,
		.seq = 5,
		.sm = { .src = { 4, 6, "00101" }, .dst = { 2, 1, "9000" }, .esm_class = 0x40, .data_coding = 0xf6 },
		.tlv = { .have = SMPP_TLV_PAYLOAD, .payload = { por, sizeof(por) } },
	};

	bed_up(b);
	smsc_send(&b->smsc, &p);
	BED_WAIT(b, bed_count(b, LINK_EV_MO) == 1);
	assert_int_equal(bed_event(b, LINK_EV_MO, 0)->payload_len, sizeof(por));
	answer(b, bed_event(b, LINK_EV_MO, 0), LINK_ANSWER_OK);
	BED_WAIT(b, smsc_find(&b->smsc, SMPP_DATA_SM | SMPP_RESP, 5));
}

static void test_large_payload(void **state)
{
	static uint8_t large[LINK_PAYLOAD_MAX + 1];
	struct bed *b = *state;
	struct smpp_pdu p = mo(1);

	bed_up(b);
	p.sm.sm.len = 0;
	p.tlv = (struct smpp_tlvs){ .have = SMPP_TLV_PAYLOAD, .payload = { large, sizeof(large) } };
	smsc_send(&b->smsc, &p);
	BED_WAIT(b, smsc_find(&b->smsc, DELIVER_RESP, 1));
	assert_int_equal(smsc_find(&b->smsc, DELIVER_RESP, 1)->status, ESME_RINVMSGLEN);
	p.seq = 2;
	p.tlv.payload.len--;
	smsc_send(&b->smsc, &p);
	BED_WAIT(b, bed_count(b, LINK_EV_MO) == 1);
	assert_int_equal(bed_event(b, LINK_EV_MO, 0)->payload_len, LINK_PAYLOAD_MAX);
	assert_int_equal(bed_count(b, LINK_EV_DOWN), 0);
	p.tlv.payload.len++;
	for (p.seq = 3; p.seq < 20; p.seq++)
		smsc_send(&b->smsc, &p);
	BED_WAIT(b, smsc_find(&b->smsc, DELIVER_RESP, 19));
	assert_int_equal(lines_with(b, "octets refused"), SMPP_NOISE_SHOWN);
}

/* sar_* TLVs become the UDH they stand for. */
static void test_sar(void **state)
{
	static const uint8_t with_udh[] = { 0x08, 0x08, 4, 0x12, 0x34, 2, 1, 0x71, 0, 0, 0x0b };
	static const uint8_t without[] = { 0x06, 0x08, 4, 0x12, 0x34, 2, 2, 0xaa, 0xbb };
	static const uint8_t first[] = { 0x02, 0x71, 0, 0, 0x0b }, second[] = { 0xaa, 0xbb };
	static const uint8_t concat[] = { 0x05, 0x00, 3, 9, 2, 1, 0x55 };
	struct bed *b = *state;
	struct smpp_pdu p = mo(1);

	bed_up(b);
	p.tlv = (struct smpp_tlvs){ .have = SMPP_TLV_SAR_REF | SMPP_TLV_SAR_TOTAL | SMPP_TLV_SAR_SEQ,
				    .sar_ref = 0x1234,
				    .sar_total = 2,
				    .sar_seq = 1 };
	p.sm.sm = (struct smpp_octets){ first, sizeof(first) };
	smsc_send(&b->smsc, &p);
	p.seq = 2;
	p.tlv.sar_seq = 2;
	p.sm.esm_class = 0;
	p.sm.sm = (struct smpp_octets){ second, sizeof(second) };
	smsc_send(&b->smsc, &p);
	/* both ways at once: the UDH stands */
	p.sm.esm_class = 0x40;
	p.sm.sm = (struct smpp_octets){ concat, sizeof(concat) };
	smsc_send(&b->smsc, &p);
	BED_WAIT(b, bed_count(b, LINK_EV_MO) == 3);
	assert_int_equal(bed_event(b, LINK_EV_MO, 0)->payload_len, sizeof(with_udh));
	assert_memory_equal(bed_event(b, LINK_EV_MO, 0)->payload, with_udh, sizeof(with_udh));
	assert_int_equal(bed_event(b, LINK_EV_MO, 1)->payload_len, sizeof(without));
	assert_memory_equal(bed_event(b, LINK_EV_MO, 1)->payload, without, sizeof(without));
	assert_true(bed_event(b, LINK_EV_MO, 1)->udhi);
	assert_int_equal(bed_event(b, LINK_EV_MO, 2)->payload_len, sizeof(concat));
	assert_memory_equal(bed_event(b, LINK_EV_MO, 2)->payload, concat, sizeof(concat));
}

static void test_addresses(void **state)
{
	static const struct {
		const char *sent, *told;
	} rows[] = {
		{ "+4917012345678", "4917012345678" },
		{ "", "" },
		{ "Operator", "" },
		{ "49170 1", "" },
		{ "12345678901234567890", "12345678901234567890" },
	};
	struct bed *b = *state;
	struct smpp_pdu p;

	bed_up(b);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		p = mo(i + 1);
		p.sm.src.digits = rows[i].sent;
		smsc_send(&b->smsc, &p);
		BED_WAIT(b, bed_count(b, LINK_EV_MO) == i + 1);
		assert_string_equal(bed_event(b, LINK_EV_MO, i)->from.digits, rows[i].told);
	}
}

static void test_alert(void **state)
{
	struct bed *b = *state;
	struct smpp_pdu p = { .id = SMPP_ALERT_NOTIFICATION,
			      .seq = 3,
			      .alert = { { 4, 6, "001010000000001" }, { 0, 0, "" } } };

	bed_up(b);
	smsc_send(&b->smsc, &p);
	p.tlv = (struct smpp_tlvs){ .have = SMPP_TLV_MS_AVAILABILITY, .ms_availability = 2 };
	smsc_send(&b->smsc, &p);
	BED_WAIT(b, bed_count(b, LINK_EV_ALERT) == 2);
	assert_int_equal(bed_event(b, LINK_EV_ALERT, 0)->ms_status, 0);
	assert_int_equal(bed_event(b, LINK_EV_ALERT, 1)->ms_status, 2);
	assert_string_equal(bed_event(b, LINK_EV_ALERT, 1)->from.digits, "001010000000001");
	/* it has no response (SMPP 4.12) */
	sync_up(b);
	assert_int_equal(b->smsc.n_seen, 2);
}

/* ----------------------------------------------------------------------------------------------- receipts */

static const struct link_event *report(struct bed *b, const struct smpp_pdu *p)
{
	unsigned n = bed_count(b, LINK_EV_REPORT);

	smsc_send(&b->smsc, p);
	BED_WAIT(b, bed_count(b, LINK_EV_REPORT) == n + 1);
	return bed_event(b, LINK_EV_REPORT, n);
}

static void test_receipt_text(void **state)
{
	static const char text[] =
		"id:00000012 sub:001 dlvrd:001 submit date:2401011200 done date:2401011201 stat:UNDELIV "
		"err:027 text:";
	struct bed *b = *state;
	struct smpp_pdu p = mo(1);
	const struct link_event *ev;

	bed_up(b);
	p.sm.esm_class = 0x04;
	p.sm.sm = (struct smpp_octets){ (const uint8_t *)text, strlen(text) };
	ev = report(b, &p);
	assert_true(ev->token != 0);
	assert_string_equal(ev->message_id, "00000012");
	assert_string_equal(ev->stat, "UNDELIV");
	assert_int_equal(ev->net_error, 27);
	assert_int_equal(ev->payload_len, 0);
	assert_false(ev->has_ref);
	/* the same text as message_payload, as some do with data_sm */
	p.tlv = (struct smpp_tlvs){ .have = SMPP_TLV_PAYLOAD, .payload = p.sm.sm };
	p.sm.sm.len = 0;
	ev = report(b, &p);
	assert_string_equal(ev->stat, "UNDELIV");
	assert_int_equal(ev->payload_len, 0);
}

static void test_receipt_tlvs(void **state)
{
	struct bed *b = *state;
	struct smpp_pdu p = mo(1);
	const struct link_event *ev;

	bed_up(b);
	p.sm.esm_class = 0x04;
	p.sm.sm = (struct smpp_octets){ (const uint8_t *)"id:x stat:EXPIRED err:1", 23 };
	p.tlv = (struct smpp_tlvs){
		.have = SMPP_TLV_RECEIPTED_ID | SMPP_TLV_MESSAGE_STATE | SMPP_TLV_NET_ERROR | SMPP_TLV_USER_REF,
		.receipted_id = { (const uint8_t *)"abc", 3 },
		.message_state = SMPP_STATE_DELIVERED,
		.net_error_type = 3,
		.net_error_code = 6,
		.user_ref = 0x1234,
	};
	ev = report(b, &p);
	assert_string_equal(ev->message_id, "abc");
	assert_string_equal(ev->stat, "DELIVRD");
	assert_int_equal(ev->net_error, 0x30006);
	assert_true(ev->has_ref);
	assert_int_equal(ev->ref, 0x1234);
}

/* A PoR from the DELIVER-REPORT: in message_payload beside the text, or alone in short_message */
static void test_receipt_payload(void **state)
{
	struct bed *b = *state;
	struct smpp_pdu p = mo(1);
	const struct link_event *ev;

	bed_up(b);
	p.sm.esm_class = 0x44;
	p.sm.sm = (struct smpp_octets){ (const uint8_t *)"id:7 stat:DELIVRD err:000", 25 };
	p.tlv = (struct smpp_tlvs){ .have = SMPP_TLV_PAYLOAD, .payload = { por, sizeof(por) } };
	ev = report(b, &p);
	assert_string_equal(ev->message_id, "7");
	assert_string_equal(ev->stat, "DELIVRD");
	assert_int_equal(ev->net_error, 0);
	assert_int_equal(ev->payload_len, sizeof(por));
	assert_memory_equal(ev->payload, por, sizeof(por));
	assert_true(ev->udhi);
	p = mo(2);
	p.sm.esm_class = 0x48; /* SME delivery acknowledgement */
	ev = report(b, &p);
	assert_int_equal(ev->payload_len, sizeof(por));
	assert_string_equal(ev->stat, "");
	answer(b, ev, LINK_ANSWER_OK);
	BED_WAIT(b, smsc_find(&b->smsc, DELIVER_RESP, 2));
}

/* What a receipt means, by the error table: "delivered", a class of failure, or not the end yet. */
static void test_receipt_judged(void **state)
{
	static const struct {
		const char *text;
		uint32_t nec; /* type << 16 | code, 0: no TLV */
		uint8_t esm_class;
		bool delivered;
		enum fail_class cls;
		bool maybe;
	} rows[] = {
		{ "stat:DELIVRD err:000", 0, 0x04, true, FAIL_NONE, false },
		{ "stat:DELIVRD err:000", 0x3001b, 0x04, true, FAIL_NONE, false },
		{ "stat:ENROUTE err:000", 0, 0x04, false, FAIL_NONE, false },
		{ "stat:ACCEPTD err:000", 0, 0x04, false, FAIL_NONE, false },
		{ "stat:UNDELIV err:000", 0, 0x04, false, FAIL_ABSENT, true },
		{ "stat:EXPIRED", 0, 0x04, false, FAIL_ABSENT, true },
		{ "stat:REJECTD", 0, 0x04, false, FAIL_CONFIG, false },
		{ "stat:UNKNOWN", 0, 0x04, false, FAIL_UNKNOWN, false },
		{ "stat:BOGUS", 0, 0x04, false, FAIL_UNKNOWN, false },
		/* the cause says more: MAP 31, and from 128 on TP-FCS */
		{ "stat:UNDELIV err:000", 0x3001f, 0x04, false, FAIL_BUSY, false },
		{ "stat:UNDELIV err:000", 0x30001, 0x04, false, FAIL_SUBS_PERM, false },
		{ "stat:UNDELIV err:000", 0x300d3, 0x04, false, FAIL_MEM, false },
		{ "stat:UNDELIV err:000", 0x300d5, 0x04, false, FAIL_CARD_RESYNC, true },
		/* nobody knows this one, so the word stands */
		{ "stat:UNDELIV err:000", 0x10001, 0x04, false, FAIL_ABSENT, true },
		{ "stat:EXPIRED err:999", 0, 0x04, false, FAIL_ABSENT, true },
		/* err: counts by RestComm's own list */
		{ "stat:UNDELIV err:017", 0, 0x04, false, FAIL_MEM, false },
		{ "stat:UNDELIV err:211", 0, 0x04, false, FAIL_MEM, false },
		{ "id:5", 0, 0x04, false, FAIL_NONE, false },
		/* an intermediate notification: the SMSC goes on trying */
		{ "stat:UNDELIV err:000", 0x3001b, 0x20, false, FAIL_NONE, false },
	};
	struct bed *b = *state;

	strcpy(b->cfg.flavour, "restcomm");
	bed_up(b);
	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct smpp_pdu p = mo(i + 1);
		const struct link_event *ev;

		p.sm.esm_class = rows[i].esm_class;
		p.sm.sm = (struct smpp_octets){ (const uint8_t *)rows[i].text, strlen(rows[i].text) };
		if (rows[i].nec)
			p.tlv = (struct smpp_tlvs){ .have = SMPP_TLV_NET_ERROR,
						    .net_error_type = (uint8_t)(rows[i].nec >> 16),
						    .net_error_code = (uint16_t)rows[i].nec };
		ev = report(b, &p);
		if (ev->delivered != rows[i].delivered || ev->fail.cls != rows[i].cls ||
		    ev->fail.maybe_ran != rows[i].maybe)
			fail_msg("%s, %x: %s%s", rows[i].text, rows[i].nec, fail_class_name(ev->fail.cls),
				 ev->fail.maybe_ran ? ", maybe" : "");
		assert_true(ev->fail.cls == FAIL_NONE || ev->fail.what);
		answer(b, ev, LINK_ANSWER_OK);
	}
}

static void test_receipt_parse(void **state)
{
	static const struct {
		const char *text;
		bool is;
		const char *id, *stat;
		uint32_t err;
	} rows[] = {
		{ "id:1 stat:DELIVRD err:000", true, "1", "DELIVRD", 0 },
		{ "ID:0aF sub:1 Stat:delivrd ERR:12 TEXT:hi", true, "0aF", "DELIVRD", 12 },
		{ "stat:REJECTD", true, "", "REJECTD", 0 },
		{ "id:7", true, "7", "", 0 },
		{ "id: stat: err:", true, "", "", 0 },
		{ "id:1 stat:MUCHTOOLONG err:abc", true, "1", "", 0 },
		{ "id:1 stat:DELIVRD err:99999999999", true, "1", "DELIVRD", 0 },
		{ "hello", false, "", "", 0 },
		{ "invalid:1 xstat:2", false, "", "", 0 },
		{ "id:1\001stat:DELIVRD", false, "", "", 0 },
		{ "", false, "", "", 0 },
	};
	struct smpp_receipt r;
	char text[100];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].text);
		uint8_t *block = malloc(len + 1);

		/* with a NUL at the end, and exactly without */
		memcpy(block, rows[i].text, len + 1);
		assert_int_equal(smpp_receipt_parse(&r, block, len + 1), rows[i].is);
		free(block);
		block = malloc(len ? len : 1);
		memcpy(block, rows[i].text, len);
		assert_int_equal(smpp_receipt_parse(&r, block, len), rows[i].is);
		free(block);
		if (!rows[i].is)
			continue;
		assert_string_equal(r.id, rows[i].id);
		assert_string_equal(r.stat, rows[i].stat);
		assert_int_equal(r.err, rows[i].err);
	}
	/* an id of 64 characters is the longest */
	memcpy(text, "id:", 3);
	memset(text + 3, 'a', 65);
	assert_true(smpp_receipt_parse(&r, (uint8_t *)text, 3 + 64));
	assert_int_equal(strlen(r.id), 64);
	assert_true(smpp_receipt_parse(&r, (uint8_t *)text, 3 + 65));
	assert_string_equal(r.id, "");
	assert_string_equal(smpp_state_stat(0), "");
	assert_string_equal(smpp_state_stat(2), "DELIVRD");
	assert_string_equal(smpp_state_stat(9), "");
}

/* --------------------------------------------------------------------------------------------- fragments */

static void test_one_octet_at_a_time(void **state)
{
	struct bed *b = *state;

	b->smsc.one_octet = true;
	b->smsc.auto_submit = true;
	bed_up(b);
	for (uint32_t i = 1; i <= 5; i++) {
		deliver(b, i);
		assert_int_equal(bed_submit(b, i), 0);
	}
	BED_WAIT(b, bed_count(b, LINK_EV_MO) == 5 && bed_count(b, LINK_EV_ACCEPTED) == 5);
	assert_int_equal(bed_stats(b).protocol_errors, 0);
	assert_int_equal(b->smsc.accepts, 1);
}

static void test_many_in_one_read(void **state)
{
	struct bed *b = *state;
	uint8_t *buf = malloc(SMSC_BUF);
	size_t len = 0;

	bed_up(b);
	for (uint32_t i = 1; i <= 3000; i++) {
		struct smpp_pdu p = { .id = SMPP_ALERT_NOTIFICATION,
				      .seq = i,
				      .alert = { { 4, 6, "00101" }, { 0, 0, "" } } };

		len += (size_t)smpp_pdu_pack(buf + len, SMSC_BUF - len,
					     i % 2 ? &p : &(struct smpp_pdu){ .id = SMPP_ENQUIRE_LINK, .seq = i });
	}
	smsc_raw(&b->smsc, buf, len);
	BED_WAIT(b, bed_count(b, LINK_EV_ALERT) == 1500 && smsc_count(&b->smsc, SMPP_ENQUIRE_LINK | SMPP_RESP) == 1500);
	free(buf);
}

/* A peer that asks and does not read: the link stops reading, loses nothing, and goes on when it can. */
static void test_answers_pile_up(void **state)
{
	struct bed *b = *state;
	struct smpp_link *l;
	int small = 4096;
	unsigned asked = 0;

	smsc_narrow(&b->smsc);
	bed_up(b);
	l = (struct smpp_link *)b->link;
	setsockopt(l->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	b->smsc.deaf = true;
	while (asked < 40000)
		smsc_send(&b->smsc, &(struct smpp_pdu){ .id = SMPP_ENQUIRE_LINK, .seq = ++asked });
	BED_WAIT(b, l->read_paused);
	assert_true(smpp_out_room(l) > 0);
	b->smsc.deaf = false;
	event_add(b->smsc.read_ev, NULL);
	BED_WAIT(b, b->smsc.enquire_resps == asked);
	assert_false(l->read_paused);
	assert_int_equal(b->smsc.accepts, 1);
}

/* ------------------------------------------------------------------------------------------------ garbage */

/* After garbage: one submit UNKNOWN, DOWN, and back; nothing else is lost. */
static void garbage(struct bed *b, const uint8_t *octets, size_t len, const char *logged, bool nacked)
{
	unsigned ups = bed_count(b, LINK_EV_UP), unknowns = bed_count(b, LINK_EV_UNKNOWN);
	unsigned nacks = smsc_count(&b->smsc, SMPP_GENERIC_NACK), submits = b->smsc.n_submits;
	uint64_t errors = bed_stats(b).protocol_errors;

	assert_int_equal(bed_submit(b, 1), 0);
	BED_WAIT(b, b->smsc.n_submits == submits + 1);
	smsc_raw(&b->smsc, octets, len);
	BED_WAIT(b, bed_count(b, LINK_EV_UP) == ups + 1);
	assert_int_equal(bed_count(b, LINK_EV_UNKNOWN), unknowns + 1);
	assert_int_equal(bed_count(b, LINK_EV_DOWN), ups);
	assert_int_equal(bed_stats(b).protocol_errors, errors + 1);
	assert_int_equal(smsc_count(&b->smsc, SMPP_GENERIC_NACK), nacks + nacked);
	if (!bed_logged(b, logged))
		for (unsigned i = 0; i < b->n_logs; i++)
			print_message("%s\n", b->log[i]);
	assert_true(bed_logged(b, logged));
}

static void test_garbage(void **state)
{
	static const uint8_t http[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	static const uint8_t tiny[16] = { 0, 0, 0, 15, 0, 0, 0, 0x15 };
	static const uint8_t huge[] = { 0, 0, 0x10, 0x01 };
	uint8_t body[64] = { 0, 0, 0, 64, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 9 };
	uint8_t tlv[22] = { 0, 0, 0, 22, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 10, 2, 4, 0, 3, 0, 0 };
	uint8_t resp[20] = { 0, 0, 0, 20, 0x80, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 10, 'a', 'b', 'c', 'd' };
	struct bed *b = *state;

	memset(body + 16, 'x', sizeof(body) - 16);
	bed_up(b);
	garbage(b, http, sizeof(http) - 1,
		"impossible command_length at offset 21, PDU begins 474554202f20485454502f312e310d0a", true);
	garbage(b, tiny, sizeof(tiny), "impossible command_length", true);
	garbage(b, huge, sizeof(huge), "PDU begins 00001001", true);
	garbage(b, body, sizeof(body), "string longer than its field may be at offset 37", true);
	garbage(b, tlv, sizeof(tlv), "optional parameter reaches beyond the PDU", true);
	/* a response is never answered */
	garbage(b, resp, sizeof(resp), "body ends before its fields do", false);
	assert_int_equal(b->smsc.accepts, 7);
}

static void test_unknown_commands(void **state)
{
	static const uint8_t unknown[16] = { 0, 0, 0, 16, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 21 };
	static const uint8_t unknown_resp[16] = { 0, 0, 0, 16, 0x80, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 22 };
	struct bed *b = *state;

	bed_up(b);
	smsc_raw(&b->smsc, unknown, sizeof(unknown));
	BED_WAIT(b, smsc_find(&b->smsc, SMPP_GENERIC_NACK, 21));
	assert_int_equal(smsc_find(&b->smsc, SMPP_GENERIC_NACK, 21)->status, ESME_RINVCMDID);
	smsc_raw(&b->smsc, unknown_resp, sizeof(unknown_resp));
	/* known, but nothing an SMSC asks an ESME */
	smsc_send(&b->smsc, &(struct smpp_pdu){ .id = SMPP_SUBMIT_SM, .seq = 23 });
	smsc_send(&b->smsc, &(struct smpp_pdu){ .id = SMPP_QUERY_SM, .seq = 24 });
	BED_WAIT(b, smsc_find(&b->smsc, SMPP_GENERIC_NACK, 24));
	assert_non_null(smsc_find(&b->smsc, SMPP_GENERIC_NACK, 23));
	assert_null(smsc_find(&b->smsc, SMPP_GENERIC_NACK, 22));
	assert_int_equal(b->smsc.accepts, 1);
}

/* Before the bind is answered a message is refused, not lost: the SMSC keeps it. */
static void test_message_before_bind(void **state)
{
	struct bed *b = *state;

	b->smsc.mute_bind = true;
	bed_start(b);
	BED_WAIT(b, b->smsc.binds == 1);
	deliver(b, 31);
	BED_WAIT(b, smsc_find(&b->smsc, SMPP_GENERIC_NACK, 31));
	assert_int_equal(smsc_find(&b->smsc, SMPP_GENERIC_NACK, 31)->status, ESME_RINVBNDSTS);
	assert_int_equal(b->n_events, 0);
}

int smpp_input_run(void)
{
	const struct CMUnitTest tests[] = {
		T(test_deliver),
		T(test_answers),
		T(test_answer_too_late),
		T(test_unsettled_in_few_lines),
		T(test_answer_of_older_connection),
		T(test_too_many_held),
		T(test_answer_inside_event),
		T(test_data_sm),
		T(test_large_payload),
		T(test_sar),
		T(test_addresses),
		T(test_alert),
		T(test_receipt_text),
		T(test_receipt_tlvs),
		T(test_receipt_payload),
		T(test_receipt_judged),
		cmocka_unit_test(test_receipt_parse),
		T(test_one_octet_at_a_time),
		T(test_many_in_one_read),
		T(test_answers_pile_up),
		T(test_garbage),
		T(test_unknown_commands),
		T(test_message_before_bind),
	};

	return cmocka_run_group_tests_name("smpp_input", tests, NULL, NULL);
}
