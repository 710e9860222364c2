/* test_smpp_concat.c - packets of several short messages: whole in message_payload, or divided by sar_* parameters.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "test_smsc.h"

#include <errno.h>
#include <string.h>

#include "ota/codec.h"

#define T(f) cmocka_unit_test_setup_teardown(f, bed_setup, bed_teardown)

static uint8_t packet[OTA_PACKET_MAX];

static unsigned segments(size_t len, enum ota_concat concat)
{
	int n = ota_segments(len, concat);

	for (size_t i = 0; i < sizeof(packet); i++)
		packet[i] = (uint8_t)(i * 7 + i / 256);
	assert_true(n > 0);
	return (unsigned)n;
}

/* Segment k (from 1) of the packet; its token is base + k - 1. */
static int hand(struct bed *b, size_t len, enum ota_concat concat, uint16_t ref, unsigned k, uint64_t base)
{
	unsigned total = segments(len, concat);
	uint8_t ud[OTA_TP_UD_MAX];
	int n = ota_segment(ud, packet, len, 0x70, concat, ref, (uint8_t)k, (uint8_t)total);
	struct link_submit s = { .token = base + k - 1,
				 .dst = { 1, 1, "4917012345678" },
				 .src = { 1, 1, "9000" },
				 .ud = ud,
				 .ud_len = (uint8_t)n,
				 .pid = 0x7f,
				 .dcs = 0xf6,
				 .more = k < total,
				 .want_report = true };

	assert_true(n > 0);
	return b->link->ops->submit(b->link, &s, bed_now(b));
}

static void last_submit(struct bed *b, struct smpp_pdu *p)
{
	assert_int_equal(smpp_pdu_unpack(p, b->smsc.submit, b->smsc.submit_len, NULL), SMPP_OK);
}

/* A round trip: what was to leave before it has left. */
static void sync_up(struct bed *b)
{
	static uint32_t seq = 5000000;

	seq++;
	smsc_send(&b->smsc, &(struct smpp_pdu){ .id = SMPP_ENQUIRE_LINK, .seq = seq });
	BED_WAIT(b, smsc_find(&b->smsc, SMPP_ENQUIRE_LINK | SMPP_RESP, seq));
}

static void whole_up(struct bed *b)
{
	b->cfg.concat = SMPP_CONCAT_PAYLOAD_UDH;
	bed_up(b);
}

static void check_whole(struct bed *b, size_t len)
{
	static const uint8_t udh[] = { 0x02, 0x70, 0x00 };
	struct smpp_pdu p;

	last_submit(b, &p);
	assert_int_equal(p.sm.esm_class, SMPP_ESM_UDHI);
	assert_int_equal(p.sm.sm.len, 0);
	assert_int_equal(p.tlv.payload.len, sizeof(udh) + len);
	assert_memory_equal(p.tlv.payload.p, udh, sizeof(udh));
	assert_memory_equal(p.tlv.payload.p + sizeof(udh), packet, len);
	assert_false(p.tlv.have & (SMPP_TLV_SAR_TOTAL | SMPP_TLV_MORE_MESSAGES));
}

static void test_whole(void **state)
{
	struct bed *b = *state;
	struct smpp_pdu p;

	b->cfg.window = 4;
	whole_up(b);
	for (unsigned k = 1; k <= 3; k++) {
		sync_up(b);
		assert_int_equal(b->smsc.n_submits, 0);
		assert_int_equal(b->link->ops->credit(b->link, bed_now(b)), 4);
		assert_int_equal(hand(b, 300, OTA_CONCAT_UDH8, 9, k, 0xab0100), 0);
	}
	BED_WAIT(b, b->smsc.n_submits == 1);
	check_whole(b, 300);
	last_submit(b, &p);
	assert_int_equal(p.tlv.user_ref, 0x0100);
	assert_int_equal(bed_stats(b).submitted, 3);
	assert_int_equal(bed_stats(b).in_window, 1);
	smsc_answer(&b->smsc, b->smsc.submit_seq[0], 0, "m1");
	BED_WAIT(b, bed_count(b, LINK_EV_ACCEPTED) == 3);
	for (unsigned k = 0; k < 3; k++) {
		assert_true(bed_event(b, LINK_EV_ACCEPTED, k)->token == 0xab0100 + k);
		assert_string_equal(bed_event(b, LINK_EV_ACCEPTED, k)->message_id, "m1");
	}
	assert_int_equal(bed_stats(b).in_window, 0);
	assert_int_equal(bed_stats(b).accepted, 3);
}

/* The longest packet there is, in a window of one; as many times as a window may hold. */
static void test_whole_largest(void **state)
{
	struct bed *b = *state;
	unsigned n = segments(OTA_PACKET_MAX, OTA_CONCAT_UDH8);

	b->cfg.window = 1;
	b->smsc.auto_submit = true;
	whole_up(b);
	for (unsigned i = 1; i <= 20; i++) {
		for (unsigned k = 1; k <= n; k++)
			assert_int_equal(hand(b, OTA_PACKET_MAX, OTA_CONCAT_UDH8, (uint16_t)i, k, 100 * i), 0);
		assert_int_equal(hand(b, OTA_PACKET_MAX, OTA_CONCAT_UDH8, 200, 1, 1), -EAGAIN);
		BED_WAIT(b, bed_count(b, LINK_EV_ACCEPTED) == n * i);
		check_whole(b, OTA_PACKET_MAX);
	}
	assert_int_equal(bed_count(b, LINK_EV_DOWN), 0);
}

static void test_whole_outcomes(void **state)
{
	struct bed *b = *state;

	whole_up(b);
	for (unsigned k = 1; k <= 3; k++)
		assert_int_equal(hand(b, 300, OTA_CONCAT_UDH16, 0x1234, k, 10), 0);
	BED_WAIT(b, b->smsc.n_submits == 1);
	check_whole(b, 300);
	smsc_answer(&b->smsc, b->smsc.submit_seq[0], ESME_RINVDSTADR, NULL);
	BED_WAIT(b, bed_count(b, LINK_EV_REJECTED) == 3);
	for (unsigned k = 1; k <= 3; k++)
		assert_int_equal(hand(b, 300, OTA_CONCAT_UDH16, 0x1235, k, 20), 0);
	b->skew_ms += b->cfg.response_ms;
	event_active(((struct smpp_link *)b->link)->submit_ev, EV_TIMEOUT, 1);
	BED_WAIT(b, bed_count(b, LINK_EV_UNKNOWN) == 3);
	assert_true(bed_event(b, LINK_EV_UNKNOWN, 2)->token == 22);
	/* one out, one half in hand, and the line breaks */
	for (unsigned k = 1; k <= 3; k++)
		assert_int_equal(hand(b, 300, OTA_CONCAT_UDH16, 0x1236, k, 30), 0);
	for (unsigned k = 1; k <= 2; k++)
		assert_int_equal(hand(b, 300, OTA_CONCAT_UDH16, 0x1237, k, 40), 0);
	smsc_close(&b->smsc);
	BED_WAIT(b, bed_count(b, LINK_EV_DOWN) == 1);
	assert_int_equal(bed_count(b, LINK_EV_UNKNOWN), 8);
	assert_int_equal(bed_stats(b).unknown, 8);
}

/* A packet that is not completed has not left, and its segments are told so; nothing of it mixes with the next. */
static void test_whole_given_up(void **state)
{
	struct bed *b = *state;

	b->smsc.auto_submit = true;
	whole_up(b);
	assert_int_equal(hand(b, 300, OTA_CONCAT_UDH8, 1, 1, 10), 0);
	assert_int_equal(hand(b, 300, OTA_CONCAT_UDH8, 1, 2, 10), 0);
	for (unsigned k = 1; k <= 3; k++)
		assert_int_equal(hand(b, 300, OTA_CONCAT_UDH8, 2, k, 20), 0);
	BED_WAIT(b, bed_count(b, LINK_EV_REJECTED) == 2 && bed_count(b, LINK_EV_ACCEPTED) == 3);
	assert_true(bed_event(b, LINK_EV_REJECTED, 0)->token == 10);
	assert_int_equal(bed_event(b, LINK_EV_REJECTED, 0)->fail.cls, FAIL_LINK);
	check_whole(b, 300);
	/* a short one in between */
	assert_int_equal(hand(b, 300, OTA_CONCAT_UDH8, 3, 1, 30), 0);
	assert_int_equal(hand(b, 100, OTA_CONCAT_UDH8, 4, 1, 40), 0);
	BED_WAIT(b, bed_count(b, LINK_EV_REJECTED) == 3 && bed_count(b, LINK_EV_ACCEPTED) == 4);
	assert_int_equal(hand(b, 300, OTA_CONCAT_UDH8, 3, 2, 30), -EINVAL);
	/* nothing comes any more */
	((struct smpp_link *)b->link)->cfg.response_ms = 20;
	assert_int_equal(hand(b, 300, OTA_CONCAT_UDH8, 5, 1, 50), 0);
	BED_WAIT(b, bed_count(b, LINK_EV_REJECTED) == 4);
	assert_int_equal(b->smsc.n_submits, 2);
	assert_int_equal(bed_count(b, LINK_EV_UNKNOWN), 0);
}

static void test_whole_short(void **state)
{
	struct bed *b = *state;
	struct smpp_pdu p;

	whole_up(b);
	assert_int_equal(hand(b, 100, OTA_CONCAT_UDH8, 1, 1, 7), 0);
	BED_WAIT(b, b->smsc.n_submits == 1);
	last_submit(b, &p);
	assert_int_equal(p.sm.sm.len, 103);
	assert_int_equal(p.tlv.have, SMPP_TLV_USER_REF);
}

/* A receipt of a packet that left as one speaks of all of it. */
static void test_whole_receipt(void **state)
{
	static const char text[] = "id:m sub:001 dlvrd:001 stat:DELIVRD err:000 text:";
	struct bed *b = *state;
	struct smpp_pdu p = { .id = SMPP_DELIVER_SM,
			      .seq = 1,
			      .sm = { .src = { 1, 1, "4917012345678" },
				      .dst = { 1, 1, "9000" },
				      .esm_class = SMPP_ESM_RECEIPT,
				      .sm = { (const uint8_t *)text, sizeof(text) - 1 } } };

	whole_up(b);
	smsc_send(&b->smsc, &p);
	BED_WAIT(b, bed_count(b, LINK_EV_REPORT) == 1);
	assert_true(bed_event(b, LINK_EV_REPORT, 0)->whole);
	p.sm.esm_class = 0;
	smsc_send(&b->smsc, &p);
	BED_WAIT(b, bed_count(b, LINK_EV_MO) == 1);
	assert_false(bed_event(b, LINK_EV_MO, 0)->whole);
}

/* The rate is of short messages, however few PDUs they leave in. */
static void test_whole_rate(void **state)
{
	struct bed *b = *state;
	struct link_credit *c;

	b->cfg.rate = 1; /* burst: OTA_SEGMENTS_MAX */
	b->cfg.window = 1000;
	whole_up(b);
	c = &((struct smpp_link *)b->link)->credit;
	for (unsigned i = 0; i < 5; i++)
		for (unsigned k = 1; k <= 3; k++)
			assert_int_equal(hand(b, 300, OTA_CONCAT_UDH8, (uint16_t)(i + 1), k, 10 * i), 0);
	assert_true(c->tokens < 3);
	assert_int_equal(c->in_use, 5);
}

static void test_sar(void **state)
{
	static const uint8_t udh[] = { 0x02, 0x70, 0x00 };
	struct bed *b = *state;
	const size_t first = 140 - 5 - 3; /* what segment 1 carries beside IE 00 and IE 70 */
	struct smpp_pdu p;

	b->cfg.concat = SMPP_CONCAT_SAR;
	bed_up(b);
	assert_int_equal(hand(b, 300, OTA_CONCAT_UDH8, 9, 1, 1), 0);
	BED_WAIT(b, b->smsc.n_submits == 1);
	last_submit(b, &p);
	assert_int_equal(p.sm.esm_class, SMPP_ESM_UDHI);
	assert_memory_equal(p.sm.sm.p, udh, sizeof(udh));
	assert_int_equal(p.sm.sm.len, sizeof(udh) + first);
	assert_memory_equal(p.sm.sm.p + sizeof(udh), packet, first);
	assert_true(p.tlv.have & SMPP_TLV_MORE_MESSAGES);
	assert_int_equal(p.tlv.sar_ref, 9);
	assert_int_equal(p.tlv.sar_total, 3);
	assert_int_equal(p.tlv.sar_seq, 1);
	assert_int_equal(hand(b, 300, OTA_CONCAT_UDH8, 9, 2, 1), 0);
	BED_WAIT(b, b->smsc.n_submits == 2);
	last_submit(b, &p);
	assert_int_equal(p.sm.esm_class, 0);
	assert_int_equal(p.tlv.sar_seq, 2);
	assert_memory_equal(p.sm.sm.p, packet + first, p.sm.sm.len);
	/* one short message is no part of anything */
	assert_int_equal(hand(b, 100, OTA_CONCAT_UDH8, 9, 1, 1), 0);
	BED_WAIT(b, b->smsc.n_submits == 3);
	last_submit(b, &p);
	assert_false(p.tlv.have & SMPP_TLV_SAR_TOTAL);
	assert_int_equal(p.sm.esm_class, SMPP_ESM_UDHI);
}

static void test_own_pid_dcs(void **state)
{
	struct bed *b = *state;
	struct smpp_pdu p;

	b->cfg.own_pid_dcs = true;
	b->cfg.pid = 0x41;
	b->cfg.dcs = 0x04;
	bed_up(b);
	assert_int_equal(hand(b, 100, OTA_CONCAT_UDH8, 1, 1, 7), 0);
	BED_WAIT(b, b->smsc.n_submits == 1);
	last_submit(b, &p);
	assert_int_equal(p.sm.protocol_id, 0x41);
	assert_int_equal(p.sm.data_coding, 0x04);
}

int smpp_concat_run(void)
{
	const struct CMUnitTest tests[] = {
		T(test_whole),		T(test_whole_largest), T(test_whole_outcomes),
		T(test_whole_given_up), T(test_whole_short),   T(test_whole_receipt),
		T(test_whole_rate),	T(test_sar),	       T(test_own_pid_dcs),
	};

	return cmocka_run_group_tests_name("smpp_concat", tests, NULL, NULL);
}
