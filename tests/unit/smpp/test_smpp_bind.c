/* test_smpp_bind.c - transmitter and receiver as one link; SMSCs that are slow, silent, or close again and again.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "test_smsc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define T(f) cmocka_unit_test_setup_teardown(f, bed_setup, bed_teardown)

static struct smsc *tx(struct bed *b)
{
	struct smsc *s = bed_bound(b, SMPP_BIND_TRANSMITTER);

	assert_non_null(s);
	return s;
}

static struct smsc *rx(struct bed *b)
{
	struct smsc *s = bed_bound(b, SMPP_BIND_RECEIVER);

	assert_non_null(s);
	return s;
}

static void pair_up(struct bed *b)
{
	bed_pair(b);
	bed_up(b);
}

static void deliver(struct smsc *s, uint32_t seq, uint8_t esm_class, const char *text)
{
	struct smpp_pdu p = {
		.id = SMPP_DELIVER_SM,
		.seq = seq,
		.sm = { .src = { 0, 6, "001010000000001" },
			.dst = { 2, 1, "9000" },
			.esm_class = esm_class,
			.sm = { (const uint8_t *)text, strlen(text) } },
	};

	smsc_send(s, &p);
}

/* ---------------------------------------------------------------------------------------------------- pair */

static void test_pair(void **state)
{
	struct bed *b = *state;

	pair_up(b);
	assert_true(bed_stats(b).up);
	assert_int_equal(b->link->ops->credit(b->link, bed_now(b)), 10);
	assert_int_equal(bed_submit(b, 7), 0);
	BED_WAIT(b, tx(b)->n_submits == 1);
	assert_int_equal(rx(b)->n_submits, 0);
	smsc_answer(tx(b), tx(b)->submit_seq[0], 0, "1f");
	BED_WAIT(b, bed_count(b, LINK_EV_ACCEPTED) == 1);
	deliver(rx(b), 70, 0, "hello");
	BED_WAIT(b, bed_count(b, LINK_EV_MO) == 1);
	b->link->ops->answer(b->link, bed_event(b, LINK_EV_MO, 0)->token, LINK_ANSWER_OK);
	BED_WAIT(b, smsc_find(rx(b), SMPP_DELIVER_SM | SMPP_RESP, 70));
	assert_int_equal(bed_stats(b).received, 1);
	assert_int_equal(bed_stats(b).accepted, 1);
	assert_int_equal(bed_stats(b).connects, 1);
	assert_true(bed_logged(b, "smpp a (receiver): bound"));
}

/* What is no business of the one connection is refused there and done on the other. */
static void test_pair_wrong_way(void **state)
{
	struct bed *b = *state;
	struct smpp_pdu alert = { .id = SMPP_ALERT_NOTIFICATION,
				  .seq = 9,
				  .alert = { { 0, 6, "001010000000001" }, { 2, 1, "9000" } } };

	pair_up(b);
	deliver(tx(b), 71, 0, "hello");
	BED_WAIT(b, smsc_find(tx(b), SMPP_GENERIC_NACK, 71));
	assert_int_equal(smsc_find(tx(b), SMPP_GENERIC_NACK, 71)->status, ESME_RINVBNDSTS);
	smsc_send(tx(b), &alert);
	smsc_send(rx(b), &alert);
	BED_WAIT(b, bed_count(b, LINK_EV_ALERT) == 1);
	smsc_send(tx(b), &(struct smpp_pdu){ .id = SMPP_ENQUIRE_LINK, .seq = 10 });
	BED_WAIT(b, smsc_find(tx(b), SMPP_ENQUIRE_LINK | SMPP_RESP, 10));
	assert_int_equal(bed_count(b, LINK_EV_ALERT), 1);
	assert_int_equal(bed_count(b, LINK_EV_MO), 0);
}

/* The id was learned on the transmitter; the receipt comes over the receiver. */
static void test_pair_receipt(void **state)
{
	static const uint8_t ud[] = { 0x02, 0x70, 0x00, 0 };
	struct bed *b = *state;
	struct link_submit s = { .token = 0xab0007,
				 .dst = { 0, 6, "001010000000001" },
				 .src = { 2, 1, "9000" },
				 .ud = ud,
				 .ud_len = sizeof(ud),
				 .want_report = true };

	pair_up(b);
	assert_int_equal(b->link->ops->submit(b->link, &s, bed_now(b)), 0);
	BED_WAIT(b, tx(b)->n_submits == 1);
	smsc_answer(tx(b), tx(b)->submit_seq[0], 0, "1f");
	BED_WAIT(b, bed_count(b, LINK_EV_ACCEPTED) == 1);
	deliver(rx(b), 70, SMPP_ESM_RECEIPT, "id:31 sub:001 dlvrd:001 stat:DELIVRD err:000 text:");
	BED_WAIT(b, bed_count(b, LINK_EV_REPORT) == 1);
	assert_true(bed_event(b, LINK_EV_REPORT, 0)->has_ref);
	assert_int_equal(bed_event(b, LINK_EV_REPORT, 0)->ref, 7);
}

/* One alone is not up: nothing leaves before both are bound. */
static void test_pair_needs_both(void **state)
{
	struct bed *b = *state;

	bed_pair(b);
	b->other.mute_bind = true;
	bed_start(b);
	BED_WAIT(b, b->smsc.bind_id && b->other.bind_id);
	BED_WAIT(b, bed_logged(b, "bound to"));
	assert_int_equal(bed_count(b, LINK_EV_UP), 0);
	assert_int_equal(bed_submit(b, 1), -ENOTCONN);
	assert_int_equal(b->link->ops->credit(b->link, bed_now(b)), 0);
	assert_false(bed_stats(b).up);
	smsc_send(&b->other, &(struct smpp_pdu){ .id = b->other.bind_id | SMPP_RESP,
						 .seq = b->other.seen[0].seq,
						 .resp = { .id = "SMSC" } });
	BED_WAIT(b, bed_count(b, LINK_EV_UP) == 1);
}

/* The transmitter goes: UNKNOWN, DOWN; the receiver stays and hears the cards. */
static void test_pair_loses_transmitter(void **state)
{
	struct bed *b = *state;
	unsigned accepts;

	b->cfg.reconnect_ms = b->cfg.reconnect_max_ms = 200;
	pair_up(b);
	assert_int_equal(bed_submit(b, 1), 0);
	BED_WAIT(b, tx(b)->n_submits == 1);
	accepts = rx(b)->accepts;
	smsc_close(tx(b));
	BED_WAIT(b, bed_count(b, LINK_EV_DOWN) == 1);
	assert_int_equal(bed_count(b, LINK_EV_UNKNOWN), 1);
	assert_int_equal(bed_submit(b, 2), -ENOTCONN);
	deliver(rx(b), 70, 0, "hello");
	BED_WAIT(b, bed_count(b, LINK_EV_MO) == 1);
	b->link->ops->answer(b->link, bed_event(b, LINK_EV_MO, 0)->token, LINK_ANSWER_OK);
	BED_WAIT(b, smsc_find(rx(b), SMPP_DELIVER_SM | SMPP_RESP, 70));
	BED_WAIT(b, bed_count(b, LINK_EV_UP) == 2);
	assert_int_equal(rx(b)->accepts, accepts);
}

/* The receiver goes: nothing more leaves; what the transmitter waits for may still be answered; DOWN tells why. */
static void test_pair_loses_receiver(void **state)
{
	struct bed *b = *state;
	struct smsc *t;

	pair_up(b);
	t = tx(b);
	assert_int_equal(bed_submit(b, 1), 0);
	assert_int_equal(bed_submit(b, 2), 0);
	BED_WAIT(b, t->n_submits == 2);
	smsc_close(rx(b));
	BED_WAIT(b, t->unbinds == 1);
	assert_int_equal(bed_submit(b, 3), -ENOTCONN);
	assert_int_equal(bed_count(b, LINK_EV_DOWN), 0);
	smsc_answer(t, t->submit_seq[1], 0, "m2");
	BED_WAIT(b, bed_count(b, LINK_EV_ACCEPTED) == 1);
	smsc_close(t);
	BED_WAIT(b, bed_count(b, LINK_EV_DOWN) == 1);
	assert_int_equal(bed_count(b, LINK_EV_UNKNOWN), 1);
	assert_string_equal(bed_event(b, LINK_EV_DOWN, 0)->fail.what, "connection lost");
	assert_true(bed_logged(b, "smpp a (receiver): gone"));
	BED_WAIT(b, bed_count(b, LINK_EV_UP) == 2);
	assert_int_equal(bed_submit(b, 4), 0);
}

static void test_pair_stop(void **state)
{
	struct bed *b = *state;

	pair_up(b);
	assert_int_equal(bed_submit(b, 1), 0);
	b->link->ops->stop(b->link);
	BED_WAIT(b, tx(b)->unbinds == 1 && rx(b)->unbinds == 1);
	assert_int_equal(bed_submit(b, 2), -ENOTCONN);
	smsc_close(&b->smsc);
	smsc_close(&b->other);
	BED_WAIT(b, bed_count(b, LINK_EV_DOWN) == 1);
	assert_int_equal(bed_count(b, LINK_EV_UNKNOWN), 1);
	event_base_loop(b->base, EVLOOP_NONBLOCK);
	assert_int_equal(b->smsc.accepts + b->other.accepts, 2);
	b->link->ops->start(b->link);
	BED_WAIT(b, bed_count(b, LINK_EV_UP) == 2);
	/* freed while up: both say their last */
	assert_int_equal(bed_submit(b, 3), 0);
	b->link->ops->free(b->link);
	b->link = NULL;
	assert_int_equal(bed_count(b, LINK_EV_UNKNOWN), 2);
	assert_int_equal(bed_count(b, LINK_EV_DOWN), 2);
}

/* ------------------------------------------------------------------------------------------- bad manners */

/* An enquire_link that is open holds nothing up. */
static void test_submit_while_enquiring(void **state)
{
	struct bed *b = *state;
	struct smpp_link *l;

	b->cfg.enquire_link_ms = 3600000;
	b->smsc.mute_enquire = true;
	bed_up(b);
	l = (struct smpp_link *)b->link;
	b->skew_ms += 3600000;
	event_active(l->conn_ev, EV_TIMEOUT, 1);
	BED_WAIT(b, b->smsc.enquires == 1);
	assert_true(l->enquiring);
	assert_int_equal(b->link->ops->credit(b->link, bed_now(b)), 10);
	assert_int_equal(bed_submit(b, 1), 0);
	BED_WAIT(b, b->smsc.n_submits == 1);
	/* the answer to the submit shows that it lives */
	smsc_answer(&b->smsc, b->smsc.submit_seq[0], 0, "1");
	BED_WAIT(b, bed_count(b, LINK_EV_ACCEPTED) == 1);
	assert_false(l->enquiring);
	assert_int_equal(bed_count(b, LINK_EV_DOWN), 0);
}

/* Binds, keeps the line alive and answers no submit: all end as UNKNOWN, the places come back, and it is said once. */
static void test_never_answers(void **state)
{
	struct bed *b = *state;
	unsigned said = 0;

	b->cfg.window = 4;
	b->cfg.response_ms = 30;
	bed_up(b);
	for (uint64_t i = 1; i <= 12; i++) {
		BED_WAIT(b, b->link->ops->credit(b->link, bed_now(b)) > 0);
		assert_int_equal(bed_submit(b, i), 0);
	}
	BED_WAIT(b, bed_count(b, LINK_EV_UNKNOWN) == 12);
	assert_int_equal(bed_count(b, LINK_EV_DOWN), 0);
	assert_int_equal(bed_event(b, LINK_EV_UNKNOWN, 0)->fail.cls, FAIL_UNKNOWN);
	for (unsigned i = 0; i < b->n_logs; i++)
		said += b->log[i][0] == '4' && strstr(b->log[i], "in a row without a response") != NULL;
	assert_int_equal(said, 1);
	assert_non_null(strstr(bed_stats(b).last_error, "without a response"));
	/* it has come to its senses */
	b->smsc.auto_submit = true;
	assert_int_equal(bed_submit(b, 13), 0);
	BED_WAIT(b, bed_count(b, LINK_EV_ACCEPTED) == 1);
	assert_true(bed_logged(b, "answers submits again"));
}

static void answer_wrong(struct bed *b, uint32_t add)
{
	for (unsigned i = 0; i < b->smsc.n_submits; i++)
		smsc_answer(&b->smsc, b->smsc.submit_seq[i] + add, 0, "x");
}

/* Answers under sequence numbers that nobody waits for: no outcome is taken from them, and the log stays short. */
static void test_wrong_sequence_numbers(void **state)
{
	struct bed *b = *state;
	unsigned lines;

	b->cfg.window = 20;
	b->cfg.response_ms = 3600000;
	bed_up(b);
	for (uint64_t i = 1; i <= 20; i++)
		assert_int_equal(bed_submit(b, i), 0);
	BED_WAIT(b, b->smsc.n_submits == 20);
	lines = b->n_logs;
	for (unsigned i = 1; i <= 10; i++)
		answer_wrong(b, 1000 * i);
	BED_WAIT(b, bed_stats(b).late_responses == 200);
	assert_int_equal(bed_count(b, LINK_EV_ACCEPTED), 0);
	assert_true(b->n_logs - lines <= SMPP_NOISE_SHOWN + 1);
	b->skew_ms += 3600000;
	event_active(((struct smpp_link *)b->link)->submit_ev, EV_TIMEOUT, 1);
	BED_WAIT(b, bed_count(b, LINK_EV_UNKNOWN) == 20);
	assert_int_equal(bed_count(b, LINK_EV_DOWN), 0);
}

/* Requests that are none of ours, without end and nothing else: the connection is given up, with back-off. */
static void test_nothing_but_noise(void **state)
{
	static const uint8_t odd[16] = { 0, 0, 0, 16, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 21 };
	struct bed *b = *state;
	unsigned lines;

	bed_up(b);
	lines = b->n_logs;
	for (unsigned i = 0; i < SMPP_NOISE_MAX; i++)
		smsc_raw(&b->smsc, odd, sizeof(odd));
	BED_WAIT(b, bed_count(b, LINK_EV_DOWN) == 1);
	assert_true(bed_logged(b, "not for an ESME"));
	assert_true(b->n_logs - lines <= SMPP_NOISE_SHOWN + 3);
	assert_int_equal(bed_stats(b).protocol_errors, SMPP_NOISE_MAX);
	BED_WAIT(b, bed_count(b, LINK_EV_UP) == 2);
	/* now and then one, with work in between, does not harm */
	b->smsc.auto_submit = true;
	for (unsigned i = 0; i < 3; i++) {
		unsigned nacks = smsc_count(&b->smsc, SMPP_GENERIC_NACK);

		for (unsigned k = 0; k < SMPP_NOISE_MAX - 1; k++)
			smsc_raw(&b->smsc, odd, sizeof(odd));
		BED_WAIT(b, smsc_count(&b->smsc, SMPP_GENERIC_NACK) == nacks + SMPP_NOISE_MAX - 1);
		assert_int_equal(bed_submit(b, i + 1), 0);
		BED_WAIT(b, bed_count(b, LINK_EV_ACCEPTED) == i + 1);
	}
	assert_int_equal(bed_count(b, LINK_EV_DOWN), 1);
}

static void close_after(struct bed *b, const struct link_event *ev)
{
	if (ev->kind == LINK_EV_UP)
		assert_int_equal(bed_submit(b, ++b->hooked), 0);
}

static unsigned last_wait_ms(struct bed *b)
{
	for (unsigned i = b->n_logs; i-- > 0;) {
		const char *at = strstr(b->log[i], "next try in ");

		if (at)
			return (unsigned)strtoul(at + strlen("next try in "), NULL, 10);
	}
	return 0;
}

/* Each submit costs the connection: each ends as UNKNOWN once, and the pauses grow up to the longest. */
static void test_closes_after_each_submit(void **state)
{
	struct bed *b = *state;

	b->cfg.reconnect_ms = 2;
	b->cfg.reconnect_max_ms = 64;
	b->hook = close_after;
	bed_start(b);
	for (unsigned i = 1; i <= 9; i++) {
		BED_WAIT(b, b->smsc.n_submits == i);
		smsc_close(&b->smsc);
		BED_WAIT(b, bed_count(b, LINK_EV_DOWN) == i);
		assert_int_equal(bed_count(b, LINK_EV_UNKNOWN), i);
		/* the bed's dice show 0: half of the delay; a bind alone does not start it anew */
		assert_int_equal(last_wait_ms(b), i < 6 ? 1u << (i - 1) : 32);
	}
}

int smpp_bind_run(void)
{
	const struct CMUnitTest tests[] = {
		T(test_pair),
		T(test_pair_wrong_way),
		T(test_pair_receipt),
		T(test_pair_needs_both),
		T(test_pair_loses_transmitter),
		T(test_pair_loses_receiver),
		T(test_pair_stop),
		T(test_submit_while_enquiring),
		T(test_never_answers),
		T(test_wrong_sequence_numbers),
		T(test_nothing_but_noise),
		T(test_closes_after_each_submit),
	};

	return cmocka_run_group_tests_name("smpp_bind", tests, NULL, NULL);
}
