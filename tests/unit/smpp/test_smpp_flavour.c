/* test_smpp_flavour.c - what differs from SMSC to SMSC: message ids, where the user data stands, versions, address types.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "test_smsc.h"

#define T(f) cmocka_unit_test_setup_teardown(f, bed_setup, bed_teardown)
#define CARD "4917012345678"

static int submit(struct bed *b, uint64_t token, bool want_report)
{
	static const uint8_t ud[] = { 0x02, 0x70, 0x00, 1, 2, 3 };
	struct link_submit s = { .token = token,
				 .dst = { 1, 1, CARD },
				 .src = { 1, 1, "9000" },
				 .ud = ud,
				 .ud_len = sizeof(ud),
				 .pid = 0x7f,
				 .dcs = 0xf6,
				 .want_report = want_report };

	return b->link->ops->submit(b->link, &s, bed_now(b));
}

/* Submits, and answers with this id. */
static void accepted(struct bed *b, uint64_t token, const char *id)
{
	unsigned n = b->smsc.n_submits;

	assert_int_equal(submit(b, token, true), 0);
	BED_WAIT(b, b->smsc.n_submits == n + 1);
	smsc_answer(&b->smsc, b->smsc.submit_seq[n], 0, id);
	BED_WAIT(b, bed_count(b, LINK_EV_ACCEPTED) == n + 1);
}

/* A receipt as the SMSC sends it: an id, and no reference of ours. */
static const struct link_event *receipt(struct bed *b, const char *id, const char *from)
{
	unsigned n = bed_count(b, LINK_EV_REPORT);
	char text[128];
	struct smpp_pdu p = { .id = SMPP_DELIVER_SM, .seq = n + 1000 };

	snprintf(text, sizeof(text), "id:%s sub:001 dlvrd:000 stat:UNDELIV err:000 text:", id);
	p.sm.src = (struct smpp_addr){ 1, 1, from };
	p.sm.dst = (struct smpp_addr){ 1, 1, "9000" };
	p.sm.esm_class = 0x04;
	p.sm.sm = (struct smpp_octets){ (const uint8_t *)text, strlen(text) };
	smsc_send(&b->smsc, &p);
	BED_WAIT(b, bed_count(b, LINK_EV_REPORT) == n + 1);
	b->link->ops->answer(b->link, bed_event(b, LINK_EV_REPORT, n)->token, LINK_ANSWER_OK);
	return bed_event(b, LINK_EV_REPORT, n);
}

/* ------------------------------------------------------------------------------------------------ message ids */

static const struct {
	enum smpp_msgids mode;
	const char *response, *receipt;
	bool found;
} ids[] = {
	{ SMPP_MSGIDS_AUTO, "abc-DEF", "abc-DEF", true },
	{ SMPP_MSGIDS_AUTO, "00001F2", "1f2", true }, /* zeros, case */
	{ SMPP_MSGIDS_AUTO, "1f2", "0001F2", true },
	{ SMPP_MSGIDS_AUTO, "0", "0000", true },
	{ SMPP_MSGIDS_AUTO, "75BCD15", "123456789", true },  /* response in hex, receipt in decimal */
	{ SMPP_MSGIDS_AUTO, "0123456790", "75BCD16", true }, /* the other way */
	{ SMPP_MSGIDS_AUTO, "ffffffffffffffff", "18446744073709551615", true },
	{ SMPP_MSGIDS_AUTO, "10000000000000000", "18446744073709551616", false }, /* too long for a number */
	{ SMPP_MSGIDS_AUTO, "2f3c11de-9a", "2F3C11DE-9A", true },
	{ SMPP_MSGIDS_AUTO, "77", "78", false },
	{ SMPP_MSGIDS_TEXT, "75BCD17", "123456791", false },
	{ SMPP_MSGIDS_TEXT, "0075bcd18", "75BCD18", true },
	{ SMPP_MSGIDS_HEX_DECIMAL, "75BCD19", "123456793", true },
	{ SMPP_MSGIDS_HEX_DECIMAL, "123456794", "123456794", false }, /* hex 123456794 is another number */
	{ SMPP_MSGIDS_DECIMAL_HEX, "123456795", "75bcd1b", true },
	{ SMPP_MSGIDS_DECIMAL_HEX, "123456796", "123456796", false },
	{ SMPP_MSGIDS_NONE, "42", "42", false },
};

static void test_message_ids(void **state)
{
	struct bed *b = *state;

	bed_up(b);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		const struct link_event *ev;

		((struct smpp_link *)b->link)->cfg.message_id = (uint8_t)ids[i].mode;
		accepted(b, 0xab0000 + i, ids[i].response);
		ev = receipt(b, ids[i].receipt, CARD);
		if (ev->has_ref != ids[i].found || (ev->has_ref && ev->ref != (uint16_t)i))
			fail_msg("%s, %s: %d, %u", ids[i].response, ids[i].receipt, ev->has_ref, ev->ref);
		assert_string_equal(ev->message_id, ids[i].receipt);
	}
}

/* An id of another card's message, or of a submit that wanted no receipt, says nothing. */
static void test_ids_of_others(void **state)
{
	struct bed *b = *state;

	bed_up(b);
	accepted(b, 7, "a7");
	assert_false(receipt(b, "a7", "4917099999999")->has_ref);
	assert_true(receipt(b, "a7", CARD)->has_ref);
	assert_int_equal(submit(b, 8, false), 0);
	BED_WAIT(b, b->smsc.n_submits == 2);
	smsc_answer(&b->smsc, b->smsc.submit_seq[1], 0, "a8");
	BED_WAIT(b, bed_count(b, LINK_EV_ACCEPTED) == 2);
	assert_false(receipt(b, "a8", CARD)->has_ref);
	/* a second message under the same id: the newer one is meant */
	accepted(b, 9, "a7");
	assert_int_equal(receipt(b, "a7", CARD)->ref, 9);
}

/* Three submits in a row with the same id: ids are worth nothing here, those before included. */
static void test_constant_ids(void **state)
{
	struct bed *b = *state;

	bed_up(b);
	accepted(b, 1, "real");
	accepted(b, 2, "msg_id_not_implemented");
	accepted(b, 3, "msg_id_not_implemented");
	assert_true(receipt(b, "real", CARD)->has_ref);
	accepted(b, 4, "msg_id_not_implemented");
	assert_true(bed_logged(b, "3 submits in a row got the same message_id"));
	assert_false(receipt(b, "msg_id_not_implemented", CARD)->has_ref);
	assert_false(receipt(b, "real", CARD)->has_ref);
	accepted(b, 5, "other");
	assert_false(receipt(b, "other", CARD)->has_ref);
}

static void test_no_ids(void **state)
{
	struct bed *b = *state;

	bed_up(b);
	for (uint64_t i = 1; i < 6; i++)
		accepted(b, i, "");
	assert_false(bed_logged(b, "same message_id"));
	assert_false(receipt(b, "", CARD)->has_ref);
}

/* What is kept is bounded: the oldest are forgotten, none is taken for another. */
static void test_many_ids(void **state)
{
	struct bed *b = *state;
	struct smpp_link *l;
	unsigned found = 0;
	uint16_t ref;
	char id[32];

	bed_up(b);
	l = (struct smpp_link *)b->link;
	for (unsigned i = 0; i < 3 * SMPP_MSGIDS_KEPT; i++) {
		snprintf(id, sizeof(id), "%x", 0x1000000 + i);
		smpp_msgid_keep(l, id, smpp_digits_hash(CARD), (uint16_t)i);
	}
	for (unsigned i = 0; i < 3 * SMPP_MSGIDS_KEPT; i++) {
		snprintf(id, sizeof(id), "%x", 0x1000000 + i);
		if (!smpp_msgid_find(l, id, CARD, &ref))
			continue;
		assert_int_equal(ref, (uint16_t)i);
		found++;
	}
	assert_true(found > SMPP_MSGIDS_KEPT / 2 && found <= SMPP_MSGIDS_KEPT);
	assert_true(smpp_msgid_find(l, id, CARD, &ref)); /* the newest */
}

/* ------------------------------------------------------------------------------------------------ the rest */

static void test_other_ways(void **state)
{
	struct bed *b = *state;
	struct smpp_pdu p;

	b->cfg.message_payload = true;
	b->cfg.no_tlvs = true;
	b->cfg.interface_version = 0x50;
	b->cfg.src_ton = 2;
	b->cfg.src_npi = 8;
	b->cfg.receipts = true;
	bed_up(b);
	assert_int_equal(smpp_pdu_unpack(&p, b->smsc.bind, b->smsc.bind_len, NULL), SMPP_OK);
	assert_int_equal(p.bind.interface_version, 0x50);
	assert_int_equal(submit(b, 1, false), 0);
	BED_WAIT(b, b->smsc.n_submits == 1);
	assert_int_equal(smpp_pdu_unpack(&p, b->smsc.submit, b->smsc.submit_len, NULL), SMPP_OK);
	assert_int_equal(p.sm.sm.len, 0);
	assert_int_equal(p.tlv.have, SMPP_TLV_PAYLOAD);
	assert_int_equal(p.tlv.payload.len, 6);
	assert_int_equal(p.sm.registered_delivery, 1);
	assert_int_equal(p.sm.src.ton, 2);
	assert_int_equal(p.sm.src.npi, 8);
	assert_string_equal(p.sm.src.digits, "9000");
	assert_int_equal(p.sm.esm_class & 0x40, 0x40);
}

int smpp_flavour_run(void)
{
	const struct CMUnitTest tests[] = {
		T(test_message_ids), T(test_ids_of_others), T(test_constant_ids),
		T(test_no_ids),	     T(test_many_ids),	    T(test_other_ways),
	};

	return cmocka_run_group_tests_name("smpp_flavour", tests, NULL, NULL);
}
