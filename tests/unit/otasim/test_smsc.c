/* test_smsc.c - SMPP sessions over byte buffers, with an ESME made of the same PDU codec on the other side.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "smsc_test.h"

/* ---- binding ---- */

static void test_bind_checks(void **state)
{
	struct smpp_pdu b = { .id = SMPP_BIND_TRANSCEIVER,
			      .seq = 5,
			      .bind = { .system_id = "gw", .password = "wrong", .interface_version = SMPP_VERSION } };
	int s;

	strcpy(f.cfg.system_id, "gw");
	strcpy(f.cfg.password, "secret");
	start();
	s = smsc_open(f.smsc, 0, f.now_ms);
	assert_int_equal(ask(s, &b)->status, ESME_RINVPASWD);
	assert_int_equal(f.pdu[0].seq, 5);
	assert_true(smsc_over(f.smsc, s));
	smsc_close(f.smsc, s, f.now_ms);
	s = smsc_open(f.smsc, 0, f.now_ms);
	b.bind.system_id = "other";
	b.bind.password = "secret";
	assert_int_equal(ask(s, &b)->status, ESME_RINVSYSID);
	smsc_close(f.smsc, s, f.now_ms);
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	b.bind.system_id = "gw";
	assert_int_equal(ask(s, &b)->status, ESME_RALYBND);
	assert_false(smsc_over(f.smsc, s));
}

static void test_nothing_before_bind(void **state)
{
	struct oct ud;
	struct smpp_pdu p, e = { .id = SMPP_ENQUIRE_LINK, .seq = 9 };
	int s;

	start();
	ud = ud_of(0, 1);
	p = submit(0, 3, &ud);
	s = smsc_open(f.smsc, 0, f.now_ms);
	assert_int_equal(ask(s, &p)->status, ESME_RINVBNDSTS);
	assert_int_equal(f.pdu[0].id, SMPP_SUBMIT_SM | SMPP_RESP);
	assert_int_equal(ask(s, &e)->status, ESME_ROK);
	s = bound_as(SMPP_BIND_RECEIVER);
	assert_int_equal(ask(s, &p)->status, ESME_RINVBNDSTS);
}

static void test_session_limit(void **state)
{
	start();
	for (int i = 0; i < SMSC_SESSIONS_MAX; i++)
		assert_true(smsc_open(f.smsc, 0, f.now_ms) >= 0);
	assert_int_equal(smsc_open(f.smsc, 0, f.now_ms), -1);
	smsc_close(f.smsc, 3, f.now_ms);
	assert_int_equal(smsc_open(f.smsc, 0, f.now_ms), 3);
}

/* ---- every request is answered ---- */

static void test_every_request_is_answered(void **state)
{
	static const struct {
		uint32_t id, answer, status;
	} asked[] = {
		{ SMPP_ENQUIRE_LINK, SMPP_ENQUIRE_LINK | SMPP_RESP, ESME_ROK },
		{ SMPP_QUERY_SM, SMPP_QUERY_SM | SMPP_RESP, ESME_RQUERYFAIL },
		{ SMPP_CANCEL_SM, SMPP_CANCEL_SM | SMPP_RESP, ESME_RCANCELFAIL },
		{ SMPP_REPLACE_SM, SMPP_REPLACE_SM | SMPP_RESP, ESME_RREPLACEFAIL },
		{ SMPP_DATA_SM, SMPP_GENERIC_NACK, ESME_RINVCMDID },
		{ SMPP_SUBMIT_MULTI, SMPP_GENERIC_NACK, ESME_RINVCMDID },
		{ SMPP_DELIVER_SM, SMPP_GENERIC_NACK, ESME_RINVCMDID },
		{ SMPP_UNBIND, SMPP_UNBIND | SMPP_RESP, ESME_ROK },
	};
	int s;

	start();
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		struct smpp_pdu p = { .id = asked[i].id, .seq = 100 + (uint32_t)i };
		const struct smpp_pdu *r = ask(s, &p);

		assert_int_equal(r->id, asked[i].answer);
		assert_int_equal(r->status, asked[i].status);
		assert_int_equal(r->seq, 100 + i);
	}
	assert_true(smsc_over(f.smsc, s));
}

static void test_garbage(void **state)
{
	static const uint8_t unknown[16] = { 0, 0, 0, 16, 0, 0, 9, 9, 0, 0, 0, 0, 0, 0, 0, 7 },
			     cut_off[18] = { 0, 0, 0, 18, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 8, 'a', 'b' },
			     no_pdu[16] = { 0xff, 0xff, 0xff, 0xff };
	int s;

	start();
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	/* octet by octet */
	for (int i = 0; i < 16; i++)
		assert_true(smsc_input(f.smsc, s, &unknown[i], 1, f.now_ms));
	hear(s);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.pdu[0].id, SMPP_GENERIC_NACK);
	assert_int_equal(f.pdu[0].status, ESME_RINVCMDID);
	assert_int_equal(f.pdu[0].seq, 7);
	assert_true(smsc_input(f.smsc, s, cut_off, sizeof(cut_off), f.now_ms));
	hear(s);
	assert_int_equal(f.pdu[0].id, SMPP_GENERIC_NACK);
	assert_int_equal(f.pdu[0].seq, 8);
	assert_false(smsc_input(f.smsc, s, no_pdu, sizeof(no_pdu), f.now_ms));
	hear(s);
	assert_int_equal(f.pdu[0].status, ESME_RINVCMDLEN);
	assert_true(smsc_over(f.smsc, s));
}

/* ---- submit and deliver ---- */

static void test_command_and_proof(void **state)
{
	struct cmd_spec k;
	struct smpp_pdu p, ok = { .id = SMPP_DELIVER_SM | SMPP_RESP };
	const struct smpp_pdu *r;
	struct oct ud;
	struct por por;
	int s;

	start();
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	k = spec_of(&f.card[4], 1);
	ud = ud_of(4, 1);
	p = submit(4, 77, &ud);
	assert_true(say(s, &p));
	hear(s);
	assert_int_equal(f.n, 0);
	go(500);
	hear(s);
	assert_int_equal(f.n, 2);
	r = heard(SMPP_SUBMIT_SM | SMPP_RESP, 0);
	assert_non_null(r);
	assert_int_equal(r->status, ESME_ROK);
	assert_int_equal(r->seq, 77);
	assert_int_equal(strlen(r->resp.id), 16);
	r = heard(SMPP_DELIVER_SM, 0);
	assert_non_null(r);
	assert_int_equal(r->sm.esm_class, SMPP_ESM_UDHI);
	assert_int_equal(r->sm.data_coding, 0xf6);
	assert_string_equal(r->sm.src.digits, f.card[4].msisdn);
	assert_int_equal(r->sm.dst.ton, 2);
	assert_string_equal(r->sm.dst.digits, "12345"); /* TP-DA of the PoR is the TP-OA of the command */
	por = por_open_ud(&f.card[4], &k, r->sm.sm.p, r->sm.sm.len);
	assert_true(por.valid && por.secured);
	ok.seq = r->seq;
	assert_true(say(s, &ok));
	go(60000);
	hear(s);
	assert_int_equal(f.n, 0);
	assert_int_equal(sim_air_in_flight(f.air), 0);
}

static void test_submit_checks(void **state)
{
	struct oct ud, big = { .len = 200 };
	struct smpp_pdu p;
	int s;

	start();
	s = bound_as(SMPP_BIND_TRANSMITTER);
	ud = ud_of(0, 1);
	p = submit(0, 2, &big);
	assert_int_equal(ask(s, &p)->status, ESME_RINVMSGLEN);
	p = submit(0, 2, &ud);
	p.sm.sm.len = 0;
	assert_int_equal(ask(s, &p)->status, ESME_RINVMSGLEN);
	p = submit(0, 2, &ud);
	p.sm.dst.digits = "";
	assert_int_equal(ask(s, &p)->status, ESME_RINVDSTADR);
	p = submit(0, 2, &ud);
	p.sm.schedule_time = "000000001000000R";
	assert_int_equal(ask(s, &p)->status, ESME_RINVSCHED);
	p = submit(0, 2, &ud);
	p.sm.validity_period = "tomorrow";
	assert_int_equal(ask(s, &p)->status, ESME_RINVEXPIRY);
	/* message_payload in place of short_message */
	p = submit(0, 2, &ud);
	p.tlv.have = SMPP_TLV_PAYLOAD;
	p.tlv.payload = p.sm.sm;
	p.sm.sm.len = 0;
	say(s, &p);
	go(500);
	assert_int_equal(f.card[0].truth.accepted, 1);
}

/* A command packet of several short messages, 02 70 00 in front. */
static struct oct long_ud(uint32_t card)
{
	struct cmd_spec k = spec_of(&f.card[card], 1);
	struct oct one = oct_hex(READ_IMSI), data = { .len = 0 }, pkt;

	for (unsigned i = 0; i < 25; i++) {
		memcpy(data.b + data.len, one.b, one.len);
		data.len += one.len;
	}
	pkt = packet_build(&f.card[card], &k, &data);
	return ud_single(&pkt);
}

/* All of it in message_payload: the SMSC divides; one answer and one receipt for all parts. */
static void test_whole_packet(void **state)
{
	struct oct ud;
	struct smpp_pdu p;
	int s, receipts = 0;

	start();
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	ud = long_ud(0);
	assert_true(ud.len > 2 * 140);
	p = submit(0, 2, &ud);
	p.sm.registered_delivery = 1;
	p.tlv.have = SMPP_TLV_PAYLOAD;
	p.tlv.payload = p.sm.sm;
	p.sm.sm.len = 0;
	say(s, &p);
	assert_int_equal(f.seen[SMSC_SUBMITTED], 1);
	go(2000);
	hear(s);
	assert_non_null(heard(SMPP_SUBMIT_SM | SMPP_RESP, 0));
	assert_null(heard(SMPP_SUBMIT_SM | SMPP_RESP, 1));
	assert_int_equal(heard(SMPP_SUBMIT_SM | SMPP_RESP, 0)->status, ESME_ROK);
	for (int i = 0; heard(SMPP_DELIVER_SM, i); i++)
		receipts += (heard(SMPP_DELIVER_SM, i)->sm.esm_class & SMPP_ESM_RECEIPT) != 0;
	assert_int_equal(receipts, 1);
	assert_int_equal(f.seen[SMSC_MET], 3);
	assert_int_equal(f.card[0].truth.accepted, 1);
	/* more than a packet may have */
	p.seq = 3;
	p.tlv.payload = (struct smpp_octets){ (const uint8_t[2200]){ 2, 0x70, 0 }, 2200 };
	assert_int_equal(ask(s, &p)->status, ESME_RINVMSGLEN);
	/* a card out of reach is said once, too */
	sim_air_cover(f.air, 1, SIM_COVERAGE_ABSENT, f.now_ms);
	ud = long_ud(1);
	p = submit(1, 4, &ud);
	p.tlv.have = SMPP_TLV_PAYLOAD;
	p.tlv.payload = p.sm.sm;
	p.sm.sm.len = 0;
	say(s, &p);
	go(5000);
	hear(s);
	assert_int_equal(heard(SMPP_SUBMIT_SM | SMPP_RESP, 0)->status, ESME_RINVDSTADR);
	assert_null(heard(SMPP_SUBMIT_SM | SMPP_RESP, 1));
}

/* Parts that sar_* parameters name; the header with IEI 70 stands in the first. */
static void test_sar_parts(void **state)
{
	const size_t room = 130;
	struct oct ud, part;
	struct smpp_pdu p;
	unsigned total;
	int s;

	start();
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	ud = long_ud(0);
	total = (unsigned)((ud.len + room - 1) / room);
	for (unsigned k = 0; k < total; k++) {
		part.len = ud.len - k * room < room ? ud.len - k * room : room;
		memcpy(part.b, ud.b + k * room, part.len);
		p = submit(0, 2 + k, &part);
		p.sm.esm_class = k ? 0x02 : 0x42;
		p.tlv.have = SMPP_TLV_SAR_REF | SMPP_TLV_SAR_TOTAL | SMPP_TLV_SAR_SEQ;
		p.tlv.sar_ref = 0x1234;
		p.tlv.sar_total = (uint8_t)total;
		p.tlv.sar_seq = (uint8_t)(k + 1);
		say(s, &p);
	}
	go(2000);
	assert_int_equal(f.seen[SMSC_MET], total);
	assert_int_equal(f.card[0].truth.accepted, 1);
	/* no room for what the SMSC has to put in */
	part = (struct oct){ .len = 138 };
	p = submit(0, 9, &part);
	p.sm.esm_class = 0;
	p.tlv.have = SMPP_TLV_SAR_REF | SMPP_TLV_SAR_TOTAL | SMPP_TLV_SAR_SEQ;
	p.tlv.sar_total = 2;
	p.tlv.sar_seq = 1;
	hear(s);
	assert_int_equal(ask(s, &p)->status, ESME_RINVMSGLEN);
}

static void test_outcomes(void **state)
{
	struct oct ud;
	struct smpp_pdu p;
	int s;

	f.air_cfg.absent_ppm = SIM_PPM;
	f.air_cfg.absent_ms = (struct sim_range){ 5000, 5000 };
	start();
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	ud = ud_of(0, 1);
	p = submit(0, 2, &ud);
	say(s, &p);
	go(10);
	hear(s);
	assert_int_equal(heard(SMPP_SUBMIT_SM | SMPP_RESP, 0)->status, 0x0b);
	go(6000);
	hear(s);
	assert_int_equal(f.n, CARDS);
	assert_int_equal(f.pdu[0].id, SMPP_ALERT_NOTIFICATION);
	assert_true(f.pdu[0].tlv.have & SMPP_TLV_MS_AVAILABILITY);
	assert_int_equal(f.pdu[0].tlv.ms_availability, 0);
	say(s, &p);
	go(500);
	hear(s);
	assert_int_equal(heard(SMPP_SUBMIT_SM | SMPP_RESP, 0)->status, 0);
}

static void test_lost_on_the_way(void **state)
{
	struct oct ud;
	struct smpp_pdu p;
	int s;

	f.air_cfg.loss_ppm = SIM_PPM;
	f.air_cfg.loss_per_card_max = 1;
	start();
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	ud = ud_of(0, 1);
	p = submit(0, 2, &ud);
	say(s, &p);
	go(999);
	hear(s);
	assert_null(heard(SMPP_SUBMIT_SM | SMPP_RESP, 0));
	go(10);
	hear(s);
	assert_int_equal(heard(SMPP_SUBMIT_SM | SMPP_RESP, 0)->status, 0xfe);
}

static void test_rate(void **state)
{
	unsigned throttled = 0;
	struct oct ud;
	int s;

	f.cfg.rate = 10;
	start();
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	ud = ud_of(0, 1);
	for (uint32_t i = 0; i < 30; i++) {
		struct smpp_pdu p = submit(0, 2 + i, &ud);

		say(s, &p);
	}
	hear(s);
	for (int i = 0; i < f.n; i++)
		throttled += f.pdu[i].status == ESME_RTHROTTLED;
	assert_int_equal(throttled, 20);
	f.now_ms += 1000;
	{
		struct smpp_pdu p = submit(0, 100, &ud);

		say(s, &p);
	}
	hear(s);
	assert_null(heard(SMPP_SUBMIT_SM | SMPP_RESP, 0)); /* taken */
}

/* Each card's PoR is out; counts of deliver_sm now and later. */
static int submit_all(int s)
{
	for (uint32_t i = 0; i < CARDS; i++) {
		struct oct ud = ud_of(i, 1);
		struct smpp_pdu p = submit(i, 10 + i, &ud);

		say(s, &p);
	}
	go(500);
	hear(s);
	int n = 0;

	while (heard(SMPP_DELIVER_SM, n))
		n++;
	return n;
}

static void test_deliver_window(void **state)
{
	struct smpp_pdu ok = { .id = SMPP_DELIVER_SM | SMPP_RESP };
	int s, n;

	f.cfg.window = 3;
	start();
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	assert_int_equal(submit_all(s), 3);
	for (n = 3; n < CARDS; n++) {
		ok.seq = heard(SMPP_DELIVER_SM, 0)->seq;
		say(s, &ok);
		hear(s);
		assert_int_equal(f.n, 1);
		assert_int_equal(f.pdu[0].id, SMPP_DELIVER_SM);
	}
}

static void test_deliver_again_after_temporary_error(void **state)
{
	static const uint32_t temporary[] = { ESME_RX_T_APPN, ESME_RMSGQFUL };
	struct smpp_pdu resp = { .id = SMPP_DELIVER_SM | SMPP_RESP }, p;
	struct oct ud;
	int s;

	start();
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	ud = ud_of(0, 1);
	p = submit(0, 2, &ud);
	say(s, &p);
	go(500);
	for (int i = 0; i < 2; i++) {
		hear(s);
		resp.seq = heard(SMPP_DELIVER_SM, 0)->seq;
		resp.status = temporary[i];
		say(s, &resp);
		hear(s);
		assert_int_equal(f.n, 0);
		go(600);
	}
	hear(s);
	resp.seq = heard(SMPP_DELIVER_SM, 0)->seq;
	resp.status = ESME_RX_P_APPN; /* for good */
	say(s, &resp);
	go(60000);
	hear(s);
	assert_int_equal(f.n, 0);
	assert_int_equal(sim_air_in_flight(f.air), 0);
}

static void test_deliver_again_when_unanswered_or_cut_off(void **state)
{
	struct smpp_pdu p;
	struct oct ud;
	int s, other;

	start();
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	ud = ud_of(0, 1);
	p = submit(0, 2, &ud);
	say(s, &p);
	go(500);
	hear(s);
	assert_non_null(heard(SMPP_DELIVER_SM, 0));
	go(11000); /* no answer within 10 s */
	hear(s);
	assert_non_null(heard(SMPP_DELIVER_SM, 0));
	other = bound_as(SMPP_BIND_RECEIVER);
	smsc_close(f.smsc, s, f.now_ms);
	go(1000);
	hear(other);
	assert_non_null(heard(SMPP_DELIVER_SM, 0));
}

/* Kill and come back: nothing that was not answered is lost. */
static void test_nobody_there(void **state)
{
	int s;

	start();
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	assert_int_equal(submit_all(s), CARDS);
	smsc_close(f.smsc, s, f.now_ms);
	go(30000);
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	go(1000);
	hear(s);
	assert_int_equal(f.n, CARDS);
	for (int i = 0; i < CARDS; i++)
		assert_int_equal(f.pdu[i].id, SMPP_DELIVER_SM);
}

static void test_receipts(void **state)
{
	struct smpp_pdu p;
	const struct smpp_pdu *r;
	char id[65];
	struct oct ud;
	int a, b;

	f.air_cfg.mode = SIM_AIR_STORE;
	start();
	a = bound_as(SMPP_BIND_TRANSCEIVER);
	b = bound_as(SMPP_BIND_TRANSCEIVER);
	ud = ud_of(0, 1);
	p = submit(0, 2, &ud);
	p.sm.registered_delivery = 1;
	p.tlv.have = SMPP_TLV_USER_REF;
	p.tlv.user_ref = 0x4711;
	say(b, &p);
	go(5);
	hear(b);
	r = heard(SMPP_SUBMIT_SM | SMPP_RESP, 0);
	strcpy(id, r->resp.id);
	go(500);
	hear(b);
	for (int i = 0; (r = heard(SMPP_DELIVER_SM, i)); i++) {
		if (r->sm.esm_class & SMPP_ESM_RECEIPT)
			break;
	}
	assert_non_null(r); /* to the session that submitted */
	assert_memory_equal(r->tlv.receipted_id.p, id, strlen(id));
	assert_int_equal(r->tlv.message_state, SMPP_STATE_DELIVERED);
	assert_true(r->tlv.have & SMPP_TLV_USER_REF);
	assert_int_equal(r->tlv.user_ref, 0x4711);
	assert_memory_equal(r->sm.sm.p, "id:", 3);
	assert_memory_equal(r->sm.sm.p + 3, id, strlen(id));
	{
		char text[256] = "";

		memcpy(text, r->sm.sm.p, r->sm.sm.len);
		assert_non_null(strstr(text, "stat:DELIVRD"));
		assert_non_null(strstr(text, "done date:2311142213")); /* T0 */
	}
	(void)a;
}

static void test_enquire_link(void **state)
{
	struct smpp_pdu resp = { .id = SMPP_ENQUIRE_LINK | SMPP_RESP };
	int s;

	f.cfg.enquire_link_ms = 1000;
	start();
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	go(1001);
	hear(s);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.pdu[0].id, SMPP_ENQUIRE_LINK);
	resp.seq = f.pdu[0].seq;
	say(s, &resp);
	go(900);
	assert_false(smsc_over(f.smsc, s));
	go(3000);
	assert_true(smsc_over(f.smsc, s));
}

static void test_a_peer_that_does_not_read(void **state)
{
	struct smpp_pdu e = { .id = SMPP_ENQUIRE_LINK, .seq = 1 };
	int s;

	start();
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	for (unsigned i = 0; i < SMSC_OUT_MAX / 16 + 1 && !smsc_over(f.smsc, s); i++)
		say(s, &e);
	assert_true(smsc_over(f.smsc, s));
}

static void test_what_is_seen(void **state)
{
	struct smpp_pdu resp = { .id = SMPP_DELIVER_SM | SMPP_RESP };
	struct oct ud;
	struct smpp_pdu p;
	int s;

	start();
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	assert_int_equal(f.seen[SMSC_CONNECTED], 1);
	assert_int_equal(f.last[SMSC_BOUND].status, ESME_ROK);
	ud = ud_of(3, 1);
	p = submit(3, 44, &ud);
	say(s, &p);
	assert_int_equal(f.last[SMSC_SUBMITTED].card, 3);
	assert_int_equal(f.seen[SMSC_ANSWERED], 0);
	go(500);
	assert_int_equal(f.last[SMSC_ANSWERED].token, f.last[SMSC_SUBMITTED].token);
	assert_int_equal(f.last[SMSC_ANSWERED].status, ESME_ROK);
	assert_int_equal(f.seen[SMSC_MET], 1);
	assert_int_equal(f.last[SMSC_DELIVERED].card, 3);
	hear(s);
	resp.seq = heard(SMPP_DELIVER_SM, 0)->seq;
	f.now_ms += 1234 - 500;
	say(s, &resp);
	assert_int_equal(f.seen[SMSC_DELIVER_ANSWERED], 1);
	assert_in_range(f.last[SMSC_DELIVER_ANSWERED].took_ms, 734, 1234);
	strcpy(f.card[3].msisdn, "1"); /* the book keeps the number */
	p.sm.dst.digits = "987";
	say(s, &p);
	assert_int_equal(f.last[SMSC_SUBMITTED].card, -1);
	smsc_close(f.smsc, s, f.now_ms);
	assert_int_equal(f.seen[SMSC_ENDED], 1);
}

static void test_refusal_of_the_phone_is_told(void **state)
{
	struct oct ud;
	struct smpp_pdu p;
	const struct smpp_pdu *r;
	int s;

	start();
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	sim_air_taking(f.air, 0, SIM_TOOLKIT_BUSY, f.now_ms);
	ud = ud_of(0, 1);
	p = submit(0, 2, &ud);
	say(s, &p);
	go(1000);
	hear(s);
	r = heard(SMPP_SUBMIT_SM | SMPP_RESP, 0);
	assert_int_equal(r->status, ESME_RDELIVERYFAILURE);
	assert_true(r->tlv.have & SMPP_TLV_NET_ERROR);
	assert_int_equal(r->tlv.net_error_type, 3);
	assert_int_equal(r->tlv.net_error_code, SIM_FCS_TOOLKIT_BUSY);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_bind_checks),
		T(test_nothing_before_bind),
		T(test_session_limit),
		T(test_every_request_is_answered),
		T(test_garbage),
		T(test_command_and_proof),
		T(test_submit_checks),
		T(test_whole_packet),
		T(test_sar_parts),
		T(test_outcomes),
		T(test_lost_on_the_way),
		T(test_rate),
		T(test_deliver_window),
		T(test_deliver_again_after_temporary_error),
		T(test_deliver_again_when_unanswered_or_cut_off),
		T(test_nobody_there),
		T(test_receipts),
		T(test_enquire_link),
		T(test_a_peer_that_does_not_read),
		T(test_what_is_seen),
		T(test_refusal_of_the_phone_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
