/* test_coding.c - the messages of otabsc's phones and BSC: octet by octet, beside libosmogsm's, and damaged.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <osmocom/core/msgb.h>
#include <osmocom/gsm/gsm0808.h>
#include <osmocom/gsm/gsm48.h>

#include "gsm48.h"
#include "sim_test.h"

#define IMSI "001010000000501"

static const struct cell cell = { .plmn = { "00101" }, .lac = 1, .ci = 2 };
static const struct osmo_cell_global_id cgi = { .lai = { .plmn = { .mcc = 1, .mnc = 1 }, .lac = 1 },
						.cell_identity = 2 };

static uint8_t out[300];

/* Hexadecimal with blanks. */
static struct oct octets(const char *text)
{
	char hex[2 * 300], *p = hex;

	for (; *text && p < hex + sizeof(hex) - 1; text++) {
		if (*text != ' ')
			*p++ = *text;
	}
	*p = '\0';
	return oct_hex(hex);
}

static void same(const struct wr *w, const char *hex)
{
	struct oct want = octets(hex);

	assert_false(w->bad);
	assert_int_equal(wr_len(w), want.len);
	assert_memory_equal(w->start, want.b, want.len);
}

static void same_msg(const struct wr *w, struct msgb *msg)
{
	const uint8_t *p = msgb_l3(msg) ? msgb_l3(msg) : msg->data;
	size_t len = (size_t)(msg->tail - p);

	assert_false(w->bad);
	assert_int_equal(wr_len(w), len);
	assert_memory_equal(w->start, p, len);
	msgb_free(msg);
}

static struct wr fresh(void)
{
	memset(out, 0xee, sizeof(out));
	return wr_init(out, sizeof(out));
}

/* ---- BSSAP ---- */

static void bssmap_is_libosmogsms(void **state)
{
	struct oct l3 = octets("0508720000f1100000570108"), dtap;
	struct msgb *m = msgb_alloc_headroom(256, 64, "l3");
	struct wr w = fresh();

	bssmap_reset(&w);
	same(&w, "0004 30 04 01 07"); /* theirs has another cause */
	w = fresh();
	bssmap_plain(&w, BSSMAP_RESET_ACK);
	same_msg(&w, gsm0808_create_reset_ack());
	w = fresh();
	bssmap_plain(&w, BSSMAP_CLEAR_COMPLETE);
	same_msg(&w, gsm0808_create_clear_complete());
	w = fresh();
	bssmap_clear_request(&w, BSSMAP_CAUSE_RADIO_FAILURE);
	same_msg(&w, gsm0808_create_clear_rqst(GSM0808_CAUSE_RADIO_INTERFACE_FAILURE));
	w = fresh();
	bssmap_classmark_update(&w, classmark_2);
	same_msg(&w, gsm0808_create_classmark_update(classmark_2, 3, NULL, 0));

	memcpy(msgb_put(m, (unsigned)l3.len), l3.b, l3.len);
	m->l3h = m->data;
	w = fresh();
	bssmap_complete_l3(&w, &cell, l3.b, l3.len);
	same_msg(&w, gsm0808_create_layer3_2(m, &cgi, NULL));
	w = fresh();
	bssap_dtap(&w, 3, l3.b, l3.len);
	gsm0808_prepend_dtap_header(m, 3);
	dtap.len = (size_t)(m->tail - m->data);
	assert_int_equal(wr_len(&w), dtap.len);
	assert_memory_equal(out, m->data, dtap.len);
	msgb_free(m);
}

static void a_message_too_long_is_none(void **state)
{
	uint8_t l3[256] = { 0 };
	struct wr w = fresh();

	bssmap_complete_l3(&w, &cell, l3, sizeof(l3));
	assert_true(w.bad);
	w = fresh();
	bssmap_complete_l3(&w, &cell, l3, 245);
	assert_true(w.bad);
	w = fresh();
	bssap_dtap(&w, 0, l3, sizeof(l3));
	assert_true(w.bad);
	w = fresh();
	cp_rp_data(&w, 0, 1, l3, 7, l3, 240);
	assert_true(w.bad);
	w = wr_init(out, 10);
	bssmap_complete_l3(&w, &cell, l3, 20);
	assert_true(w.bad);
}

static void paging_says_whom(void **state)
{
	struct gsm0808_cell_id_list2 cil = { .id_discr = CELL_IDENT_LAC, .id_list_len = 1, .id_list[0].lac = 1 };
	uint32_t tmsi = 0x12345678;
	struct msgb *m = gsm0808_create_paging2(IMSI, &tmsi, &cil, NULL);
	struct bssmap_paging p;
	struct bssap in;

	assert_true(bssap_read(m->data + (msgb_l3(m) ? m->l3h - m->data : 0), msgb_l3len(m), &in));
	assert_false(in.dtap);
	assert_int_equal(in.type, BSSMAP_PAGING);
	assert_true(bssmap_paging_read(in.body, &p));
	assert_string_equal(p.imsi, IMSI);
	assert_true(p.has_tmsi);
	assert_int_equal(p.tmsi, tmsi);
	msgb_free(m);
	m = gsm0808_create_paging2("00101234567890", NULL, &cil, NULL); /* 14 digits, an even number */
	assert_true(bssap_read(msgb_l3(m), msgb_l3len(m), &in));
	assert_true(bssmap_paging_read(in.body, &p));
	assert_string_equal(p.imsi, "00101234567890");
	assert_false(p.has_tmsi);
	msgb_free(m);
}

/* ---- mobility management ---- */

static void identities_are_libosmogsms(void **state)
{
	static const char *const imsis[] = { IMSI, "00101234567890", "262011234567890", "310150" };
	struct osmo_mobile_identity theirs;
	struct mobile_id id, back;
	uint8_t want[16];
	struct wr w;

	for (size_t i = 0; i < sizeof(imsis) / sizeof(*imsis); i++) {
		struct rd r;
		int n;

		theirs = (struct osmo_mobile_identity){ .type = GSM_MI_TYPE_IMSI };
		strcpy(theirs.imsi, imsis[i]);
		n = osmo_mobile_identity_encode_buf(want, sizeof(want), &theirs, true);
		id = mobile_id_imsi(imsis[i]);
		w = fresh();
		mobile_id_write(&w, &id);
		assert_int_equal(wr_len(&w), n + 1);
		assert_int_equal(out[0], n);
		assert_memory_equal(out + 1, want, (size_t)n);
		r = rd_init(want, (size_t)n);
		assert_true(mobile_id_read(&r, &back));
		assert_int_equal(back.type, MOBILE_ID_IMSI);
		assert_string_equal(back.digits, imsis[i]);
	}
	id = mobile_id_tmsi(0xfeedbeef);
	w = fresh();
	mobile_id_write(&w, &id);
	same(&w, "05f4feedbeef");
}

static void phones_say(void **state)
{
	struct mobile_id imsi = mobile_id_imsi(IMSI), tmsi = mobile_id_tmsi(0x11223344);
	struct lai none = { 0 }, lai = { .known = true, .plmn = { "310150" }, .lac = 0x0102 };
	struct oct res = octets("0102030405060708"), auts = octets("a0a1a2a3a4a5a6a7a8a9aaabacad");
	struct wr w = fresh();

	mm_lu_request(&w, LU_ATTACH, &none, &imsi);
	same(&w, "0508 72 fffffffffe 57 080910100000005010");
	w = fresh();
	mm_lu_request(&w, LU_PERIODIC, &lai, &tmsi);
	same(&w, "05087113005101025705f411223344");
	w = fresh();
	mm_imsi_detach(&w, &tmsi);
	same(&w, "05015705f411223344");
	w = fresh();
	mm_cm_request_sms(&w, &tmsi);
	same(&w, "052474035718a105f411223344");
	w = fresh();
	rr_paging_response(&w, &tmsi);
	same(&w, "062707035718a105f411223344");
	w = fresh();
	mm_auth_response(&w, res.b);
	same(&w, "0514010203042104 05060708");
	w = fresh();
	mm_auth_failure(&w, MM_SYNCH_FAILURE, auts.b);
	same(&w, "051c15220ea0a1a2a3a4a5a6a7a8a9aaabacad");
	w = fresh();
	mm_auth_failure(&w, MM_MAC_FAILURE, NULL);
	same(&w, "051c14");
	w = fresh();
	mm_tmsi_complete(&w);
	same(&w, "051b");
	w = fresh();
	mm_id_response(&w, &imsi);
	same(&w, "0519 080910100000005010");
}

static bool mm(const char *hex, struct mm *m)
{
	static struct oct o;

	o = octets(hex);
	return mm_read(o.b, o.len, m);
}

static void networks_say(void **state)
{
	struct mm m;

	assert_true(mm("051201000102030405060708090a0b0c0d0e0f2010f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", &m));
	assert_int_equal(m.type, MM_AUTH_REQUEST);
	assert_int_equal(m.rand[15], 0x0f);
	assert_int_equal(m.autn[0], 0xf0);
	assert_true(mm("051201000102030405060708090a0b0c0d0e0f", &m));
	assert_null(m.autn);
	assert_true(mm("050200f11000011705f4aabbccdd", &m));
	assert_true(m.lai.known);
	assert_string_equal(m.lai.plmn.digits, "00101");
	assert_true(m.has_id);
	assert_int_equal(m.id.type, MOBILE_ID_TMSI);
	assert_int_equal(m.id.tmsi, 0xaabbccdd);
	assert_true(mm("050200f1100001", &m));
	assert_false(m.has_id);
	assert_true(mm("051a00f110000105f4aabbccdd", &m));
	assert_true(m.has_id);
	assert_true(mm("050402", &m));
	assert_int_equal(m.cause, MM_IMSI_UNKNOWN_IN_HLR);
	assert_true(mm("051801", &m));
	assert_int_equal(m.id_type, MOBILE_ID_IMSI);
	assert_true(mm("05c200f1100001", &m)); /* a number is no part of the type */
	assert_int_equal(m.type, MM_LU_ACCEPT);
	assert_false(mm("0504", &m));
	assert_false(mm("0512010001", &m));
}

/* TS 24.007, 11.2.3.2.3.1: modulo 4, MM alone, counted from 0 in each connection. */
static void messages_are_numbered(void **state)
{
	uint8_t n_sd = 0, mm_msg[2] = { PD_MM, MM_AUTH_RESPONSE }, rr[2] = { PD_RR, RR_PAGING_RESPONSE },
		sms[2] = { 0x89, CP_ACK };

	for (unsigned i = 0; i < 9; i++) {
		l3_number(mm_msg, 2, &n_sd);
		assert_int_equal(mm_msg[1], MM_AUTH_RESPONSE | (i & 3) << 6);
		l3_number(rr, 2, &n_sd);
		l3_number(sms, 2, &n_sd);
		assert_int_equal(rr[1], RR_PAGING_RESPONSE);
		assert_int_equal(sms[1], CP_ACK);
	}
	l3_number(mm_msg, 1, &n_sd); /* not even a type */
	assert_int_equal(n_sd, 1);
}

/* ---- short messages ---- */

#define SMSC	"91447758100650"
#define DELIVER "40 04a10900 7f f6 62112200000000 08 0270001122334455"
#define PAGING	"0016 52 0808 0910100000005010 0904 12345678 1a 03 050001"
#define MT_DATA "09 01 23 01 33 07" SMSC "00 17" DELIVER

static void short_messages(void **state)
{
	struct oct mt = octets(MT_DATA), sc, tpdu;
	struct sim_addr to = { .ton = 2, .npi = 1, .digits = "90017" };
	struct sms_deliver d;
	struct wr w;
	struct cp m;

	assert_true(cp_read(mt.b, mt.len, &m));
	assert_int_equal(m.ti, 0);
	assert_int_equal(m.type, CP_DATA);
	assert_int_equal(m.rp, RP_DATA_DOWN);
	assert_int_equal(m.ref, 0x33);
	assert_int_equal(m.addr_len, 7);
	assert_true(sms_deliver_read(m.tpdu, m.tpdu_len, &d));
	assert_string_equal(d.oa.digits, "9000");
	assert_int_equal(d.oa.ton, 2);
	assert_int_equal(d.oa.npi, 1);
	assert_true(sms_is_download(&d));
	assert_int_equal(d.ud_len, 8);
	assert_int_equal(d.ud[0], 0x02);

	w = fresh();
	cp_plain(&w, 0 | CP_TI_FLAG, CP_ACK);
	same(&w, "8904");
	w = fresh();
	cp_rp_answer(&w, 3 | CP_TI_FLAG, 0x33, 0, NULL, 0);
	same(&w, "b901020233");
	w = fresh();
	cp_rp_answer(&w, 0 | CP_TI_FLAG, 0x33, 22, NULL, 0);
	same(&w, "89010404330116");

	w = fresh();
	sms_deliver_report(&w, 0, 0x7f, 0xf6, (const uint8_t *)"\x02\x71\x00", 3);
	same(&w, "40077ff603027100");
	tpdu = octets("40077ff603027100");
	w = fresh();
	cp_rp_answer(&w, 0 | CP_TI_FLAG, 0x33, 0, tpdu.b, tpdu.len);
	same(&w, "89010c0233410840077ff603027100");
	w = fresh();
	sms_deliver_report(&w, 0xd5, 0x7f, 0xf6, NULL, 0);
	same(&w, "00d500");

	w = fresh();
	sms_submit(&w, 5, &to, 0, 0xf6, (const uint8_t *)"\x02\x71\x00", 3);
	same(&w, "410505a10910f700f603027100");
	sc = octets("91447758100650");
	tpdu = octets("4105");
	w = fresh();
	cp_rp_data(&w, 0, 9, sc.b, sc.len, tpdu.b, tpdu.len);
	same(&w, "09010e00090007914477581006500241 05");
}

static void half_a_message_is_none(void **state)
{
	struct oct mt = octets(MT_DATA), tpdu = octets(DELIVER), paging = octets(PAGING);
	struct bssmap_paging who;
	struct sms_deliver d;
	struct bssap in;
	struct cp m;

	for (size_t n = 0; n < mt.len; n++)
		assert_false(cp_read(mt.b, n, &m));
	for (size_t n = 0; n < tpdu.len; n++)
		assert_false(sms_deliver_read(tpdu.b, n, &d));
	for (size_t n = 0; n < paging.len; n++)
		assert_false(bssap_read(paging.b, n, &in));
	assert_true(bssap_read(paging.b, paging.len, &in));
	in.body.end--;
	assert_false(bssmap_paging_read(in.body, &who));
}

static void a_text_is_no_download(void **state)
{
	/* GSM 7 bit: UDL 5 is 5 septets in 5 octets; 8 septets would be 7 */
	struct oct t = octets("0404a1090000006211220000000005c8329bfd06");
	struct sms_deliver d;

	assert_true(sms_deliver_read(t.b, t.len, &d));
	assert_false(sms_is_download(&d));
	assert_int_equal(d.ud_len, 5);
	t.b[0] = 0x01; /* no SMS-DELIVER */
	assert_false(sms_deliver_read(t.b, t.len, &d));
}

static void answers_to_ours(void **state)
{
	struct oct ack = octets("8901020309"), err = octets("89010405090126"), bad_ti = octets("f904");
	struct cp m;

	assert_true(cp_read(ack.b, ack.len, &m));
	assert_int_equal(m.rp, RP_ACK_DOWN);
	assert_int_equal(m.ref, 9);
	assert_int_equal(m.ti, CP_TI_FLAG);
	assert_true(cp_read(err.b, err.len, &m));
	assert_int_equal(m.rp, RP_ERROR_DOWN);
	assert_int_equal(m.rp_cause, 38);
	assert_false(cp_read(bad_ti.b, bad_ti.len, &m)); /* TI 7 is an extension that nobody has */
}

/* ---- damage ---- */

/* Every decoder, from a heap block that is not an octet longer. */
static void all_decoders(const uint8_t *p, size_t len)
{
	uint8_t *b = malloc(len ? len : 1);
	struct bssmap_paging paging;
	struct sms_deliver d;
	struct mobile_id id;
	struct bssap in;
	struct cp cp;
	struct mm m;
	struct rd r;

	assert_non_null(b);
	memcpy(b, p, len);
	if (bssap_read(b, len, &in)) {
		bssmap_paging_read(in.body, &paging);
		mm_read(in.body.p, rd_left(&in.body), &m);
		cp_read(in.body.p, rd_left(&in.body), &cp);
	}
	mm_read(b, len, &m);
	if (cp_read(b, len, &cp) && cp.tpdu)
		sms_deliver_read(cp.tpdu, cp.tpdu_len, &d);
	sms_deliver_read(b, len, &d);
	r = rd_init(b, len);
	mobile_id_read(&r, &id);
	r = rd_init(b, len);
	bssmap_paging_read(r, &paging);
	free(b);
}

static const char *const samples[] = {
	"0001 30",
	PAGING,
	"0108 00 051801",
	"010303 8901020309",
	"051201000102030405060708090a0b0c0d0e0f2010f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
	"050200f11000011705f4aabbccdd",
	"051a00f110000105f4aabbccdd",
	MT_DATA,
	"89010405090126",
	DELIVER,
};

static void damage_is_borne(void **state)
{
	uint64_t seed = 1;

	for (size_t s = 0; s < sizeof(samples) / sizeof(*samples); s++) {
		struct oct o = octets(samples[s]);

		for (size_t n = 0; n <= o.len; n++)
			all_decoders(o.b, n);
		for (size_t bit = 0; bit < 8 * o.len; bit++) {
			o.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
			all_decoders(o.b, o.len);
			o.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		for (int i = 0; i < 5000; i++) {
			struct oct x = o;

			for (int k = 0; k < 3; k++) {
				seed = seed * 6364136223846793005u + 1442695040888963407u;
				x.b[seed >> 33 & 63] = (uint8_t)(seed >> 50);
			}
			all_decoders(x.b, 1 + (seed >> 40) % 64);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bssmap_is_libosmogsms),
		cmocka_unit_test(a_message_too_long_is_none),
		cmocka_unit_test(paging_says_whom),
		cmocka_unit_test(identities_are_libosmogsms),
		cmocka_unit_test(phones_say),
		cmocka_unit_test(networks_say),
		cmocka_unit_test(messages_are_numbered),
		cmocka_unit_test(short_messages),
		cmocka_unit_test(half_a_message_is_none),
		cmocka_unit_test(a_text_is_no_download),
		cmocka_unit_test(answers_to_ours),
		cmocka_unit_test(damage_is_borne),
	};

	return cmocka_run_group_tests_name("otabsc: coding", tests, NULL, NULL);
}
