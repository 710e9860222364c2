/* test_smsc_moods.c - SMSCs that are not well, as scenarios have them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "smsc_test.h"

/* ---- moods ---- */

static void mood(unsigned door, enum smsc_mood_kind kind)
{
	struct smsc_mood m;

	smsc_mood_default(&m, kind);
	smsc_mood_set(f.smsc, door, &m, f.now_ms);
}

/* n submits to card 0; how many of them came back with this status. */
static unsigned submit_many(int session, unsigned n, uint32_t status)
{
	struct oct ud = ud_of(0, 1);
	unsigned hits = 0;

	for (unsigned i = 0; i < n; i++) {
		struct smpp_pdu p = submit(0, 100 + i, &ud);

		if (!say(session, &p))
			break;
	}
	go(60000);
	hear(session);
	for (int i = 0; i < f.n; i++)
		hits += f.pdu[i].id == (SMPP_SUBMIT_SM | SMPP_RESP) && f.pdu[i].status == status;
	return hits;
}

static void test_dead(void **state)
{
	struct smpp_pdu e = { .id = SMPP_ENQUIRE_LINK, .seq = 9 };
	int s, other;

	start();
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	mood(0, SMSC_DEAD);
	assert_int_equal(submit_many(s, 3, ESME_ROK), 0);
	assert_int_equal(f.n, 0);
	say(s, &e);
	hear(s);
	assert_int_equal(f.n, 0);
	assert_int_equal(f.seen[SMSC_SUBMITTED], 3);
	assert_int_equal(f.last[SMSC_ANSWERED].status, SMSC_NEVER);
	assert_int_equal(f.card[0].messages, 0);
	other = smsc_open(f.smsc, 0, f.now_ms);
	assert_true(other >= 0);
	{
		struct smpp_pdu b = { .id = SMPP_BIND_TRANSCEIVER, .seq = 1, .bind = { .system_id = "gw" } };

		say(other, &b);
		hear(other);
		assert_int_equal(f.n, 0);
		assert_int_equal(f.last[SMSC_BOUND].status, SMSC_NEVER);
	}
	mood(0, SMSC_HEALTHY);
	assert_int_equal(ask(s, &e)->id, SMPP_ENQUIRE_LINK | SMPP_RESP);
	assert_int_equal(submit_many(s, 1, ESME_ROK), 1);
}

static void test_stuck(void **state)
{
	struct smpp_pdu e = { .id = SMPP_ENQUIRE_LINK, .seq = 9 };
	int s;

	start();
	mood(0, SMSC_STUCK);
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	assert_int_equal(submit_many(s, 5, ESME_ROK), 0);
	assert_int_equal(f.n, 0);
	assert_int_equal(ask(s, &e)->status, ESME_ROK);
	assert_int_equal(f.card[0].messages, 0);
}

static void test_refuses_connections_and_binds(void **state)
{
	struct smpp_pdu b = { .id = SMPP_BIND_TRANSCEIVER, .seq = 1, .bind = { .system_id = "gw" } };
	struct smsc_mood m;
	size_t len;
	int s;

	f.cfg.doors = 2;
	start();
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	assert_true(smsc_open(f.smsc, 1, f.now_ms) >= 0);
	mood(0, SMSC_REFUSES_CONNECTIONS);
	assert_true(smsc_over(f.smsc, s)); /* in the middle of a word: nothing more comes out */
	smsc_output(f.smsc, s, &len);
	assert_int_equal(len, 0);
	smsc_close(f.smsc, s, f.now_ms);
	assert_false(smsc_accepts(f.smsc, 0));
	assert_true(smsc_accepts(f.smsc, 1));
	assert_int_equal(smsc_open(f.smsc, 0, f.now_ms), -1);
	assert_int_equal(smsc_open(f.smsc, 2, f.now_ms), -1); /* there is no such door */
	smsc_mood_default(&m, SMSC_REFUSES_BINDS);
	m.status = ESME_RINVPASWD;
	smsc_mood_set(f.smsc, 0, &m, f.now_ms);
	s = smsc_open(f.smsc, 0, f.now_ms);
	assert_int_equal(ask(s, &b)->status, ESME_RINVPASWD);
	assert_int_equal(f.last[SMSC_BOUND].status, ESME_RINVPASWD);
	assert_string_equal(smsc_mood_name(m.kind), "refuses-binds");
}

static void test_throttling(void **state)
{
	unsigned full;
	int s;

	start();
	mood(0, SMSC_THROTTLING);
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	assert_int_equal(submit_many(s, 30, ESME_ROK), 10); /* a second's worth at once */
	full = 0;
	for (int i = 0; i < f.n; i++)
		full += f.pdu[i].status == ESME_RMSGQFUL;
	assert_int_equal(full, 10);
	assert_int_equal(submit_many(s, 10, ESME_ROK), 10);
}

static void test_slow_answers(void **state)
{
	struct oct ud;
	struct smpp_pdu p;
	int s;

	f.air_cfg.mode = SIM_AIR_STORE;
	start();
	mood(0, SMSC_SLOW);
	s = bound_as(SMPP_BIND_TRANSCEIVER);
	ud = ud_of(0, 1);
	p = submit(0, 7, &ud);
	say(s, &p);
	go(1900);
	hear(s);
	assert_null(heard(SMPP_SUBMIT_SM | SMPP_RESP, 0));
	go(3200);
	hear(s);
	assert_int_equal(heard(SMPP_SUBMIT_SM | SMPP_RESP, 0)->seq, 7);
	/* an answer that is too late for its session is nobody's */
	p.seq = 8;
	say(s, &p);
	go(500);
	smsc_close(f.smsc, s, f.now_ms);
	go(10000);
	assert_int_equal(f.seen[SMSC_ANSWERED], 1);
}

static void test_flaky(void **state)
{
	unsigned ok = 0, refused = 0, cut = 0, unanswered = 0, sent = 0;

	start();
	mood(0, SMSC_FLAKY);
	while (sent < 400) {
		int s = bound_as(SMPP_BIND_TRANSCEIVER);

		while (!smsc_over(f.smsc, s) && sent < 400) {
			struct oct ud = ud_of(1, ++sent);
			struct smpp_pdu p = submit(1, 100 + sent, &ud);
			const struct smpp_pdu *r;

			say(s, &p);
			go(3000);
			hear(s);
			r = heard(SMPP_SUBMIT_SM | SMPP_RESP, 0);
			if (r)
				*(r->status == ESME_ROK ? &ok : &refused) += 1;
			else
				unanswered++;
			for (int i = 0; i < f.n; i++) {
				struct smpp_pdu resp = { .id = SMPP_DELIVER_SM | SMPP_RESP, .seq = f.pdu[i].seq };

				if (f.pdu[i].id == SMPP_DELIVER_SM)
					say(s, &resp);
			}
		}
		cut += smsc_over(f.smsc, s);
		smsc_close(f.smsc, s, f.now_ms);
	}
	assert_in_range(ok, 290, 350);
	assert_in_range(refused, 8, 36);
	assert_in_range(cut, 8, 36);
	assert_in_range(unanswered - cut, 18, 66);
	/* refused: not taken; taken without an answer: the card has them */
	assert_in_range(f.card[1].truth.accepted, ok + 8, 400 - refused);
	assert_true(f.seen[SMSC_DELIVERED] > f.card[1].truth.accepted); /* some came twice */
}

static void test_closes_after_submit(void **state)
{
	unsigned taken = 0;

	start();
	mood(0, SMSC_CLOSES_AFTER_SUBMIT);
	for (unsigned i = 0; i < 40; i++) {
		int s = bound_as(SMPP_BIND_TRANSCEIVER);
		struct oct ud = ud_of(2, i + 1);
		struct smpp_pdu p = submit(2, 2, &ud);

		assert_false(say(s, &p));
		assert_true(smsc_over(f.smsc, s));
		hear(s);
		assert_int_equal(f.n, 0);
		smsc_close(f.smsc, s, f.now_ms);
		go(1000);
	}
	taken = f.card[2].truth.accepted;
	assert_in_range(taken, 8, 32);
}

static void test_rubbish(void **state)
{
	unsigned readable = 0;

	start();
	mood(0, SMSC_RUBBISH);
	for (unsigned i = 0; i < 200; i++) {
		int s = bound_as(SMPP_BIND_TRANSCEIVER);
		struct oct ud = ud_of(0, 1);
		struct smpp_pdu p = submit(0, 2, &ud), out;
		const uint8_t *raw;
		size_t len;
		int n;

		say(s, &p);
		raw = smsc_output(f.smsc, s, &len);
		assert_true(len >= 16 && len <= 96);
		n = smpp_frame(raw, len, SMSC_PDU_MAX);
		readable += n > 0 && smpp_pdu_unpack(&out, raw, (size_t)n, NULL) == 0 && out.seq == 2 &&
			    out.id == (SMPP_SUBMIT_SM | SMPP_RESP);
		smsc_written(f.smsc, s, len);
		smsc_close(f.smsc, s, f.now_ms);
	}
	assert_int_equal(readable, 0);
	assert_int_equal(f.card[0].messages, 0);
	/* a proof that is on its way waits for better days */
	mood(0, SMSC_HEALTHY);
	{
		int s = bound_as(SMPP_BIND_TRANSCEIVER);
		struct oct ud = ud_of(0, 1);
		struct smpp_pdu p = submit(0, 2, &ud);

		say(s, &p);
		mood(0, SMSC_RUBBISH);
		go(3000);
		assert_int_equal(f.card[0].truth.accepted, 1);
		assert_int_equal(f.seen[SMSC_DELIVERED], 0);
		mood(0, SMSC_HEALTHY);
		go(3000);
		assert_int_equal(f.seen[SMSC_DELIVERED], 1);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_dead),	      T(test_stuck), T(test_refuses_connections_and_binds), T(test_throttling),
		T(test_slow_answers), T(test_flaky), T(test_closes_after_submit),	    T(test_rubbish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
