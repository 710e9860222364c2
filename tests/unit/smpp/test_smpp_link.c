/* test_smpp_link.c - bind, window, outcomes, keep-alive, coming back: the link against a tiny SMSC.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "test_smsc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define T(f) cmocka_unit_test_setup_teardown(f, bed_setup, bed_teardown)

/* --------------------------------------------------------------------------------------------------- bind */

static void test_bind(void **state)
{
	struct bed *b = *state;
	struct smpp_pdu p;

	b->cfg.window = 7;
	strcpy(b->cfg.system_type, "OTA");
	bed_start(b);
	assert_int_equal(b->link->ops->credit(b->link, bed_now(b)), 0);
	assert_int_equal(bed_submit(b, 1), -ENOTCONN);
	BED_WAIT(b, bed_count(b, LINK_EV_UP) == 1);
	assert_int_equal(smpp_pdu_unpack(&p, b->smsc.bind, b->smsc.bind_len, NULL), SMPP_OK);
	assert_int_equal(p.id, SMPP_BIND_TRANSCEIVER);
	assert_string_equal(p.bind.system_id, "OTAGW");
	assert_string_equal(p.bind.password, "secret");
	assert_string_equal(p.bind.system_type, "OTA");
	assert_int_equal(p.bind.interface_version, 0x34);
	assert_int_equal(b->link->ops->credit(b->link, bed_now(b)), 7);
	assert_true(b->link->ops->credit_due(b->link, bed_now(b)) == INT64_MAX);
	assert_true(bed_stats(b).up);
	assert_int_equal(bed_stats(b).connects, 1);
	assert_false(bed_logged(b, "secret"));
}

static void test_bind_refused(void **state)
{
	struct bed *b = *state;

	b->smsc.bind_status = ESME_RINVPASWD;
	b->cfg.reconnect_max_ms = 3600000;
	bed_start(b);
	BED_WAIT(b, bed_logged(b, "ESME_RINVPASWD"));
	/* the longest delay at once, although this was the first try */
	assert_true(bed_logged(b, "next try in 3600000 ms"));
	assert_false(bed_logged(b, "secret"));
	assert_int_equal(bed_count(b, LINK_EV_UP), 0);
	assert_non_null(strstr(bed_stats(b).last_error, "invalid password"));
}

static void test_bind_not_answered(void **state)
{
	struct bed *b = *state;

	b->smsc.mute_bind = true;
	b->cfg.bind_ms = 20;
	bed_start(b);
	BED_WAIT(b, b->smsc.binds == 2);
	b->smsc.mute_bind = false;
	BED_WAIT(b, bed_count(b, LINK_EV_UP) == 1);
	assert_true(bed_logged(b, "bind not answered"));
	assert_int_equal(bed_count(b, LINK_EV_DOWN), 0);
}

static void test_connection_refused(void **state)
{
	struct bed *b = *state;

	b->smsc.close_on_accept = true;
	bed_start(b);
	BED_WAIT(b, b->smsc.accepts == 4);
	b->smsc.close_on_accept = false;
	BED_WAIT(b, bed_count(b, LINK_EV_UP) == 1);
	/* 1, 2, 4 and not beyond 4; without dice the half of it */
	assert_true(bed_logged(b, "next try in 0 ms"));
	assert_true(bed_logged(b, "next try in 1 ms"));
	assert_true(bed_logged(b, "next try in 2 ms"));
	assert_false(bed_logged(b, "next try in 4 ms"));
}

static void test_nack_instead_of_bind(void **state)
{
	struct bed *b = *state;

	b->smsc.mute_bind = true;
	bed_start(b);
	BED_WAIT(b, b->smsc.binds == 1);
	smsc_send(&b->smsc, &(struct smpp_pdu){ .id = SMPP_GENERIC_NACK, .status = ESME_RINVCMDID });
	BED_WAIT(b, bed_logged(b, "refused with ESME_RINVCMDID"));
}

static void test_resolve(void **state)
{
	struct bed *b = *state;

	strcpy(b->cfg.host, "localhost");
	bed_up(b);
}

/* Freed while the resolver is at work */
static void test_free_while_resolving(void **state)
{
	struct bed *b = *state;

	strcpy(b->cfg.host, "smsc.invalid");
	bed_start(b);
	event_base_loop(b->base, EVLOOP_ONCE);
	b->link->ops->stop(b->link);
	event_base_loop(b->base, EVLOOP_NONBLOCK);
	b->link->ops->free(b->link);
	b->link = NULL;
	event_base_loop(b->base, EVLOOP_NONBLOCK);
}

/* ------------------------------------------------------------------------------------------------- submit */

static void test_submit(void **state)
{
	struct bed *b = *state;
	const struct link_event *ev;
	struct smpp_pdu p;

	b->cfg.esm_mode = 2;
	bed_up(b);
	assert_int_equal(bed_submit(b, 0xabcd1234), 0);
	assert_int_equal(b->smsc.n_submits, 0);
	BED_WAIT(b, b->smsc.n_submits == 1);
	assert_int_equal(smpp_pdu_unpack(&p, b->smsc.submit, b->smsc.submit_len, NULL), SMPP_OK);
	assert_int_equal(p.sm.esm_class, 0x42);
	assert_int_equal(p.sm.protocol_id, 0x7f);
	assert_int_equal(p.sm.data_coding, 0xf6);
	assert_int_equal(p.sm.registered_delivery, 0);
	assert_string_equal(p.sm.validity_period, "000000010000000R");
	assert_int_equal(p.sm.src.ton, 2);
	assert_string_equal(p.sm.src.digits, "9000");
	assert_int_equal(p.sm.dst.npi, 6);
	assert_string_equal(p.sm.dst.digits, "001010000000001");
	assert_int_equal(p.sm.sm.len, 8);
	assert_int_equal(p.tlv.have, SMPP_TLV_USER_REF);
	assert_int_equal(p.tlv.user_ref, 0x1234);
	smsc_answer(&b->smsc, p.seq, 0, "4711");
	BED_WAIT(b, bed_count(b, LINK_EV_ACCEPTED) == 1);
	ev = bed_event(b, LINK_EV_ACCEPTED, 0);
	assert_true(ev->token == 0xabcd1234);
	assert_string_equal(ev->message_id, "4711");
	assert_int_equal(bed_stats(b).accepted, 1);
	assert_int_equal(bed_stats(b).in_window, 0);
}

static void test_submit_options(void **state)
{
	struct bed *b = *state;
	uint8_t ud[LINK_UD_MAX] = { 2, 0x70, 0 };
	struct link_submit s = { .token = 1,
				 .dst = { 1, 1, "4917012345678" },
				 .src = { 1, 1, "4912345" },
				 .ud = ud,
				 .ud_len = LINK_UD_MAX,
				 .pid = 0x7f,
				 .dcs = 0x16,
				 .more = true,
				 .want_report = true };
	struct smpp_pdu p;

	bed_up(b);
	assert_int_equal(b->link->ops->submit(b->link, &s, bed_now(b)), 0);
	/* copied before submit() returned */
	memset(ud, 0xee, sizeof(ud));
	BED_WAIT(b, b->smsc.n_submits == 1);
	assert_int_equal(smpp_pdu_unpack(&p, b->smsc.submit, b->smsc.submit_len, NULL), SMPP_OK);
	assert_int_equal(p.sm.esm_class, 0x40);
	assert_int_equal(p.sm.registered_delivery, 1);
	assert_string_equal(p.sm.validity_period, "");
	assert_int_equal(p.tlv.have, SMPP_TLV_USER_REF | SMPP_TLV_MORE_MESSAGES);
	assert_int_equal(p.tlv.more_messages, 1);
	assert_int_equal(p.sm.sm.len, 140);
	assert_int_equal(p.sm.sm.p[139], 0);
}

static void test_submit_impossible(void **state)
{
	struct bed *b = *state;
	const uint8_t ud[LINK_UD_MAX + 1] = { 2, 0x70, 0 };
	const struct link_submit good = { .dst = { 1, 1, "49" }, .src = { 1, 1, "49" }, .ud = ud, .ud_len = 3 };
	struct link_submit s;

	bed_up(b);
#define IMPOSSIBLE(change) \
	s = good;          \
	change;            \
	assert_int_equal(b->link->ops->submit(b->link, &s, bed_now(b)), -EINVAL)
	IMPOSSIBLE(s.ud_len = 0);
	IMPOSSIBLE(s.ud_len = LINK_UD_MAX + 1);
	IMPOSSIBLE(s.ud = NULL);
	IMPOSSIBLE(s.dst.digits[0] = 0);
	IMPOSSIBLE(s.dst.digits[1] = 'x');
	IMPOSSIBLE(s.src.digits[0] = '+');
	IMPOSSIBLE(memset(s.dst.digits, '1', sizeof(s.dst.digits)));
	assert_int_equal(b->link->ops->submit(b->link, &good, bed_now(b)), 0);
}

static void test_window(void **state)
{
	struct bed *b = *state;

	b->cfg.window = 3;
	bed_up(b);
	for (uint64_t i = 1; i <= 3; i++) {
		assert_int_equal(b->link->ops->credit(b->link, bed_now(b)), 4 - i);
		assert_int_equal(bed_submit(b, i), 0);
	}
	assert_int_equal(b->link->ops->credit(b->link, bed_now(b)), 0);
	assert_int_equal(bed_submit(b, 4), -EAGAIN);
	BED_WAIT(b, b->smsc.n_submits == 3);
	/* the SMSC's enquire_link is answered all the same */
	smsc_send(&b->smsc, &(struct smpp_pdu){ .id = SMPP_ENQUIRE_LINK, .seq = 77 });
	BED_WAIT(b, smsc_find(&b->smsc, SMPP_ENQUIRE_LINK | SMPP_RESP, 77));
	/* answers in any order */
	smsc_answer(&b->smsc, b->smsc.submit_seq[1], 0, "m2");
	BED_WAIT(b, bed_count(b, LINK_EV_ACCEPTED) == 1);
	assert_true(bed_event(b, LINK_EV_ACCEPTED, 0)->token == 2);
	assert_int_equal(b->link->ops->credit(b->link, bed_now(b)), 1);
	assert_int_equal(bed_submit(b, 4), 0);
	BED_WAIT(b, b->smsc.n_submits == 4);
	smsc_answer(&b->smsc, b->smsc.submit_seq[3], 0, "m4");
	smsc_answer(&b->smsc, b->smsc.submit_seq[2], 0, "m3");
	smsc_answer(&b->smsc, b->smsc.submit_seq[0], 0, "m1");
	BED_WAIT(b, bed_count(b, LINK_EV_ACCEPTED) == 4);
	assert_true(bed_event(b, LINK_EV_ACCEPTED, 3)->token == 1);
	assert_int_equal(bed_stats(b).window_high, 3);
	assert_int_equal(bed_stats(b).in_window, 0);
}

/* A response that never comes keeps its slot; the sequence goes round the table past it. */
static void test_slow_response(void **state)
{
	struct bed *b = *state;

	b->cfg.window = 2;
	b->smsc.auto_submit = false;
	bed_up(b);
	assert_int_equal(bed_submit(b, 1), 0);
	BED_WAIT(b, b->smsc.n_submits == 1);
	b->smsc.auto_submit = true;
	for (uint64_t i = 2; i <= 200; i++) {
		assert_int_equal(bed_submit(b, i), 0);
		BED_WAIT(b, bed_count(b, LINK_EV_ACCEPTED) == i - 1);
		assert_true(bed_event(b, LINK_EV_ACCEPTED, (unsigned)i - 2)->token == i);
	}
	smsc_answer(&b->smsc, b->smsc.submit_seq[0], 0, "late");
	BED_WAIT(b, bed_count(b, LINK_EV_ACCEPTED) == 200);
	assert_true(bed_event(b, LINK_EV_ACCEPTED, 199)->token == 1);
}

static void test_expiry(void **state)
{
	struct bed *b = *state;
	const struct link_event *ev;

	b->cfg.response_ms = 20;
	bed_up(b);
	assert_int_equal(bed_submit(b, 1), 0);
	assert_int_equal(bed_submit(b, 2), 0);
	BED_WAIT(b, bed_count(b, LINK_EV_UNKNOWN) == 2);
	ev = bed_event(b, LINK_EV_UNKNOWN, 0);
	assert_true(ev->token == 1);
	assert_int_equal(ev->fail.cls, FAIL_UNKNOWN);
	assert_non_null(ev->fail.what);
	assert_int_equal(bed_stats(b).in_window, 0);
	/* the answers come after all: counted, told to nobody */
	BED_WAIT(b, b->smsc.n_submits == 2);
	smsc_answer(&b->smsc, b->smsc.submit_seq[0], 0, "1");
	smsc_answer(&b->smsc, b->smsc.submit_seq[1], ESME_RSYSERR, NULL);
	BED_WAIT(b, bed_stats(b).late_responses == 2);
	assert_int_equal(b->n_events, 3);
	assert_int_equal(bed_count(b, LINK_EV_DOWN), 0);
}

/* One status each: what the caller is told, and that the bind stays. */
static void test_statuses(void **state)
{
	static const struct {
		uint32_t status;
		enum link_event_kind kind;
		enum fail_class cls;
	} rows[] = {
		{ ESME_RINVDSTADR, LINK_EV_REJECTED, FAIL_SUBS_PERM },
		{ ESME_RINVMSGLEN, LINK_EV_REJECTED, FAIL_CONFIG },
		{ ESME_RSYSERR, LINK_EV_REJECTED, FAIL_CONGEST },
		{ ESME_RINVPASWD, LINK_EV_REJECTED, FAIL_LINK },
		{ ESME_RDELIVERYFAILURE, LINK_EV_UNKNOWN, FAIL_UNKNOWN },
		{ 0x00000500, LINK_EV_UNKNOWN, FAIL_UNKNOWN },
	};
	struct bed *b = *state;

	b->smsc.auto_submit = true;
	bed_up(b);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct link_event *ev = &b->ev[i + 1];

		b->smsc.submit_status = rows[i].status;
		assert_int_equal(bed_submit(b, 100 + i), 0);
		BED_WAIT(b, b->n_events == i + 2);
		assert_true(ev->token == 100 + i);
		assert_int_equal(ev->kind, rows[i].kind);
		assert_int_equal(ev->fail.cls, rows[i].cls);
		assert_int_equal(ev->fail.code, rows[i].status);
	}
	/* generic_nack is an answer too */
	b->smsc.auto_submit = false;
	assert_int_equal(bed_submit(b, 200), 0);
	BED_WAIT(b, b->smsc.n_submits == 7);
	smsc_send(&b->smsc, &(struct smpp_pdu){
				    .id = SMPP_GENERIC_NACK, .status = ESME_RINVCMDID, .seq = b->smsc.submit_seq[6] });
	BED_WAIT(b, b->n_events == 8);
	assert_true(b->ev[7].token == 200);
	assert_int_equal(b->ev[7].fail.cls, FAIL_CONFIG);
	assert_int_equal(b->smsc.accepts, 1);
	assert_int_equal(bed_stats(b).in_window, 0);
}

/* OsmoMSC in transaction mode: "invalid destination" is the network's answer of this moment, and "delivery failure" is a
 * phone that was not reached or one whose acknowledgement was lost. */
static void test_osmomsc(void **state)
{
	struct bed *b = *state;

	strcpy(b->cfg.flavour, "osmomsc");
	b->smsc.auto_submit = true;
	b->smsc.submit_status = ESME_RINVDSTADR;
	bed_up(b);
	assert_int_equal(bed_submit(b, 1), 0);
	BED_WAIT(b, bed_count(b, LINK_EV_REJECTED) == 1);
	assert_int_equal(bed_event(b, LINK_EV_REJECTED, 0)->fail.cls, FAIL_ABSENT);
	assert_int_equal(bed_event(b, LINK_EV_REJECTED, 0)->fail.code, ESME_RINVDSTADR);
	assert_false(bed_event(b, LINK_EV_REJECTED, 0)->fail.maybe_ran);
	b->smsc.submit_status = ESME_RDELIVERYFAILURE;
	assert_int_equal(bed_submit(b, 2), 0);
	BED_WAIT(b, bed_count(b, LINK_EV_REJECTED) == 2);
	assert_int_equal(bed_event(b, LINK_EV_REJECTED, 1)->fail.cls, FAIL_ABSENT);
	assert_true(bed_event(b, LINK_EV_REJECTED, 1)->fail.maybe_ran);
}

/* An operator's own table: a status of his SMSC gets a class, and one that slows down. */
static void test_own_table(void **state)
{
	static const char rows[] = "flavour acme like generic-3.4\n"
				   " smpp 0x400-0x4ff MEM ACME_FULL \"the phone is full\"\n"
				   " smpp 0x500 CONGEST slow-down ACME_SLOW \"too fast\"\n";
	struct bed *b = *state;
	char err[ERRTAB_ERR_MAX];

	assert_int_equal(errtab_add(b->errtab, "own", rows, strlen(rows), err), 0);
	strcpy(b->cfg.flavour, "acme");
	b->cfg.rate = 100;
	b->smsc.auto_submit = true;
	b->smsc.submit_status = 0x47f;
	bed_up(b);
	assert_int_equal(bed_submit(b, 1), 0);
	BED_WAIT(b, bed_count(b, LINK_EV_REJECTED) == 1);
	assert_int_equal(bed_event(b, LINK_EV_REJECTED, 0)->fail.cls, FAIL_MEM);
	assert_int_equal(bed_event(b, LINK_EV_REJECTED, 0)->fail.code, 0x47f);
	assert_int_equal(bed_stats(b).throttled, 0);
	b->smsc.submit_status = 0x500;
	assert_int_equal(bed_submit(b, 2), 0);
	BED_WAIT(b, bed_count(b, LINK_EV_REJECTED) == 2);
	assert_int_equal(bed_event(b, LINK_EV_REJECTED, 1)->fail.cls, FAIL_CONGEST);
	assert_int_equal(bed_stats(b).throttled, 1);
	assert_true(bed_stats(b).rate_limit < 100);
}

static void test_throttled(void **state)
{
	struct bed *b = *state;
	int64_t now_ms;

	b->cfg.window = 100;
	b->cfg.rate = 1000;
	bed_up(b);
	for (uint64_t i = 1; i <= 20; i++)
		assert_int_equal(bed_submit(b, i), 0);
	BED_WAIT(b, b->smsc.n_submits == 20);
	for (unsigned i = 0; i < 20; i++)
		smsc_answer(&b->smsc, b->smsc.submit_seq[i], i & 1 ? ESME_RMSGQFUL : ESME_RTHROTTLED, NULL);
	BED_WAIT(b, bed_count(b, LINK_EV_REJECTED) == 20);
	assert_int_equal(bed_event(b, LINK_EV_REJECTED, 0)->fail.cls, FAIL_CONGEST);
	assert_int_equal(bed_stats(b).throttled, 20);
	/* and whoever looks is told */
	assert_string_equal(bed_stats(b).state, "BOUND");
	assert_int_equal(bed_stats(b).by_class[FAIL_CONGEST], 20);
	assert_int_equal(bed_stats(b).answers, 20);
	assert_true(bed_stats(b).p50_ms >= 0 && bed_stats(b).p99_ms >= bed_stats(b).p50_ms);
	assert_true(bed_stats(b).since_ms > 0 && bed_stats(b).last_refusal_ms >= bed_stats(b).since_ms);
	assert_non_null(strstr(bed_stats(b).last_refusal, "ESME_RMSGQFUL (0x14): "));
	assert_true(bed_stats(b).rate_max == 1000);
	/* twenty answers in a moment are one sign: halved once (or twice, on a machine that stalled in between) */
	assert_true(bed_stats(b).rate_limit >= 250 && bed_stats(b).rate_limit <= 500);
	now_ms = bed_now(b);
	if (b->link->ops->credit(b->link, now_ms) == 0) {
		assert_int_equal(bed_submit(b, 21), -EAGAIN);
		assert_true(b->link->ops->credit_due(b->link, now_ms) <= now_ms + LINK_HOLD_MS);
	}
	/* after the pause it goes on */
	b->skew_ms += LINK_HOLD_MS + 100;
	assert_int_equal(bed_submit(b, 22), 0);
}

static void test_system_errors_slow_down(void **state)
{
	struct bed *b = *state;

	b->cfg.rate = 1000;
	b->smsc.auto_submit = true;
	b->smsc.submit_status = ESME_RSYSERR;
	bed_up(b);
	for (uint64_t i = 1; i <= SMPP_ERRORS_IN_ROW; i++) {
		assert_true(bed_stats(b).rate_limit == 1000);
		assert_int_equal(bed_submit(b, i), 0);
		BED_WAIT(b, bed_count(b, LINK_EV_REJECTED) == i);
	}
	assert_true(bed_stats(b).rate_limit == 500);
	assert_int_equal(bed_stats(b).throttled, 0);
}

static void submit_again(struct bed *b, const struct link_event *ev)
{
	if (ev->kind == LINK_EV_ACCEPTED && b->hooked < 50)
		assert_int_equal(bed_submit(b, ++b->hooked), 0);
}

/* The next one from inside the outcome of the one before */
static void test_submit_inside_event(void **state)
{
	struct bed *b = *state;

	b->cfg.window = 1;
	b->smsc.auto_submit = true;
	b->hook = submit_again;
	bed_up(b);
	assert_int_equal(bed_submit(b, 1000), 0);
	BED_WAIT(b, bed_count(b, LINK_EV_ACCEPTED) == 51);
}

/* ------------------------------------------------------------------------------------------ going, coming */

static void test_close_mid_window(void **state)
{
	struct bed *b = *state;

	b->cfg.window = 5;
	bed_up(b);
	for (uint64_t i = 1; i <= 5; i++)
		assert_int_equal(bed_submit(b, i), 0);
	BED_WAIT(b, b->smsc.n_submits == 5);
	smsc_answer(&b->smsc, b->smsc.submit_seq[2], 0, "m3");
	BED_WAIT(b, bed_count(b, LINK_EV_ACCEPTED) == 1);
	smsc_close(&b->smsc);
	BED_WAIT(b, bed_count(b, LINK_EV_UP) == 2);
	/* UP, ACCEPTED, four UNKNOWN in order, DOWN, UP */
	assert_int_equal(b->n_events, 8);
	for (unsigned i = 0; i < 4; i++) {
		static const uint64_t tokens[] = { 1, 2, 4, 5 };

		assert_int_equal(b->ev[2 + i].kind, LINK_EV_UNKNOWN);
		assert_true(b->ev[2 + i].token == tokens[i]);
		assert_int_equal(b->ev[2 + i].fail.cls, FAIL_UNKNOWN);
	}
	assert_int_equal(b->ev[6].kind, LINK_EV_DOWN);
	assert_int_equal(b->ev[6].fail.cls, FAIL_LINK);
	assert_int_equal(bed_stats(b).unknown, 4);
	assert_int_equal(bed_stats(b).connects, 2);
	assert_int_equal(b->link->ops->credit(b->link, bed_now(b)), 5);
	assert_true(bed_logged(b, "4 submits unknown"));
}

/* The peer goes while octets of ours still wait */
static void test_close_before_flush(void **state)
{
	struct bed *b = *state;

	bed_up(b);
	smsc_close(&b->smsc);
	assert_int_equal(bed_submit(b, 1), 0);
	BED_WAIT(b, bed_count(b, LINK_EV_UP) == 2);
	assert_int_equal(bed_count(b, LINK_EV_UNKNOWN), 1);
	assert_int_equal(bed_count(b, LINK_EV_ACCEPTED), 0);
}

static void try_to_submit(struct bed *b, const struct link_event *ev)
{
	if (ev->kind == LINK_EV_UNKNOWN || ev->kind == LINK_EV_DOWN) {
		assert_int_equal(b->link->ops->credit(b->link, bed_now(b)), 0);
		assert_int_equal(bed_submit(b, 9), -ENOTCONN);
		b->hooked++;
	}
}

static void test_submit_while_going_down(void **state)
{
	struct bed *b = *state;

	b->hook = try_to_submit;
	bed_up(b);
	assert_int_equal(bed_submit(b, 1), 0);
	BED_WAIT(b, b->smsc.n_submits == 1);
	smsc_close(&b->smsc);
	BED_WAIT(b, bed_count(b, LINK_EV_UP) == 2);
	assert_int_equal(b->hooked, 2);
}

static void test_smsc_unbinds(void **state)
{
	struct bed *b = *state;

	bed_up(b);
	assert_int_equal(bed_submit(b, 1), 0);
	BED_WAIT(b, b->smsc.n_submits == 1);
	smsc_send(&b->smsc, &(struct smpp_pdu){ .id = SMPP_UNBIND, .seq = 5 });
	BED_WAIT(b, smsc_find(&b->smsc, SMPP_UNBIND | SMPP_RESP, 5) && bed_count(b, LINK_EV_UP) == 2);
	assert_int_equal(bed_count(b, LINK_EV_UNKNOWN), 1);
	assert_int_equal(bed_count(b, LINK_EV_DOWN), 1);
}

static void test_stop(void **state)
{
	struct bed *b = *state;

	bed_up(b);
	assert_int_equal(bed_submit(b, 1), 0);
	assert_int_equal(bed_submit(b, 2), 0);
	BED_WAIT(b, b->smsc.n_submits == 2);
	b->link->ops->stop(b->link);
	assert_int_equal(bed_submit(b, 3), -ENOTCONN);
	assert_int_equal(b->link->ops->credit(b->link, bed_now(b)), 0);
	BED_WAIT(b, b->smsc.unbinds == 1);
	/* what the SMSC still answers counts; the rest is unknown */
	smsc_answer(&b->smsc, b->smsc.submit_seq[1], 0, "m2");
	smsc_send(&b->smsc,
		  &(struct smpp_pdu){ .id = SMPP_UNBIND | SMPP_RESP, .seq = b->smsc.seen[b->smsc.n_seen - 1].seq });
	BED_WAIT(b, bed_count(b, LINK_EV_DOWN) == 1);
	assert_true(bed_event(b, LINK_EV_ACCEPTED, 0)->token == 2);
	assert_true(bed_event(b, LINK_EV_UNKNOWN, 0)->token == 1);
	/* it stays away until it is wanted again */
	BED_WAIT(b, b->smsc.fd < 0);
	b->link->ops->start(b->link);
	BED_WAIT(b, bed_count(b, LINK_EV_UP) == 2);
	assert_int_equal(b->smsc.accepts, 2);
}

static void test_stop_not_answered(void **state)
{
	struct bed *b = *state;

	bed_up(b);
	assert_int_equal(bed_submit(b, 1), 0);
	b->link->ops->stop(b->link);
	b->link->ops->stop(b->link);
	BED_WAIT(b, bed_count(b, LINK_EV_DOWN) == 1);
	assert_int_equal(bed_count(b, LINK_EV_UNKNOWN), 1);
}

static void test_free_tells(void **state)
{
	struct bed *b = *state;

	bed_up(b);
	assert_int_equal(bed_submit(b, 1), 0);
	b->link->ops->free(b->link);
	b->link = NULL;
	assert_int_equal(b->n_events, 3);
	assert_int_equal(b->ev[1].kind, LINK_EV_UNKNOWN);
	assert_int_equal(b->ev[2].kind, LINK_EV_DOWN);
}

static void stop_it(struct bed *b, const struct link_event *ev)
{
	if (ev->kind == LINK_EV_DOWN)
		b->link->ops->stop(b->link);
}

static void test_stop_inside_down(void **state)
{
	struct bed *b = *state;

	b->hook = stop_it;
	bed_up(b);
	smsc_close(&b->smsc);
	BED_WAIT(b, bed_count(b, LINK_EV_DOWN) == 1);
	/* no timer is left that would bring it back */
	event_base_loop(b->base, EVLOOP_NONBLOCK);
	assert_int_equal(b->smsc.accepts, 1);
	assert_int_equal(evtimer_pending(((struct smpp_link *)b->link)->conn_ev, NULL), 0);
}

/* -------------------------------------------------------------------------------------------- keep-alive */

static void test_enquire_link(void **state)
{
	struct bed *b = *state;

	b->cfg.enquire_link_ms = 10;
	bed_up(b);
	BED_WAIT(b, b->smsc.enquires == 3);
	assert_int_equal(bed_count(b, LINK_EV_DOWN), 0);
	/* no answer: closed, and back */
	((struct smpp_link *)b->link)->cfg.enquire_timeout_ms = 10;
	b->smsc.mute_enquire = true;
	BED_WAIT(b, bed_count(b, LINK_EV_DOWN) == 1);
	assert_true(bed_logged(b, "no response to enquire_link"));
	b->smsc.mute_enquire = false;
	BED_WAIT(b, bed_count(b, LINK_EV_UP) == 2);
}

/* As long as anything comes, nobody asks. */
static void test_traffic_is_life(void **state)
{
	struct bed *b = *state;
	struct smpp_link *l;

	b->cfg.enquire_link_ms = 3600000;
	bed_up(b);
	l = (struct smpp_link *)b->link;
	b->skew_ms += 3000000;
	smsc_send(&b->smsc, &(struct smpp_pdu){ .id = SMPP_ENQUIRE_LINK, .seq = 1 });
	BED_WAIT(b, smsc_find(&b->smsc, SMPP_ENQUIRE_LINK | SMPP_RESP, 1));
	b->skew_ms += 3000000;
	event_active(l->conn_ev, EV_TIMEOUT, 1);
	event_base_loop(b->base, EVLOOP_NONBLOCK);
	assert_false(l->enquiring);
	b->skew_ms += 3000000;
	event_active(l->conn_ev, EV_TIMEOUT, 1);
	BED_WAIT(b, b->smsc.enquires == 1);
	/* an enquire_link that has left is answered by any PDU */
	BED_WAIT(b, !l->enquiring);
}

/* Octets that never become a PDU are no answer: the bind is given up. */
static void test_trickle_is_no_life(void **state)
{
	static const uint8_t head[] = { 0, 0, 0, 16, 0x80, 0, 0, 0x15 };
	struct bed *b = *state;
	struct smpp_link *l;

	b->cfg.enquire_link_ms = 3600000;
	bed_up(b);
	l = (struct smpp_link *)b->link;
	b->smsc.mute_enquire = true;
	b->skew_ms += 3600000;
	for (size_t i = 0; i < sizeof(head); i++) {
		smsc_raw(&b->smsc, &head[i], 1);
		BED_WAIT(b, l->in_len == i + 1);
	}
	event_active(l->conn_ev, EV_TIMEOUT, 1);
	BED_WAIT(b, b->smsc.enquires == 1);
	assert_true(l->enquiring);
	smsc_raw(&b->smsc, "", 1);
	BED_WAIT(b, l->in_len == sizeof(head) + 1);
	assert_true(l->enquiring);
	event_active(l->conn_ev, EV_TIMEOUT, 1);
	BED_WAIT(b, bed_count(b, LINK_EV_DOWN) == 1);
	assert_true(bed_logged(b, "no response to enquire_link"));
}

/* ------------------------------------------------------------------------------------------------ buffers */

/* A full window against a peer that does not read: the octets wait, leave in order, each gets its answer. */
static void test_partial_writes(void **state)
{
	struct bed *b = *state;
	int small = 4096;
	struct smpp_link *l;

	b->cfg.window = SMPP_WINDOW_MAX;
	b->smsc.auto_submit = true;
	smsc_narrow(&b->smsc);
	bed_up(b);
	l = (struct smpp_link *)b->link;
	setsockopt(l->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	b->smsc.deaf = true;
	for (uint64_t i = 1; i <= SMPP_WINDOW_MAX; i++)
		assert_int_equal(bed_submit(b, i), 0);
	assert_int_equal(bed_submit(b, 9999), -EAGAIN);
	BED_WAIT(b, l->write_waits && l->out_at > 0);
	assert_true(l->out_len > 0);
	b->smsc.deaf = false;
	event_add(b->smsc.read_ev, NULL);
	BED_WAIT(b, bed_count(b, LINK_EV_ACCEPTED) == SMPP_WINDOW_MAX);
	for (unsigned i = 0; i < SMPP_WINDOW_MAX; i++)
		assert_true(bed_event(b, LINK_EV_ACCEPTED, i)->token == i + 1);
	assert_int_equal(l->out_len, 0);
}

static void test_cfg_faults(void **state)
{
	struct bed *b = *state;
	struct smpp_link_env env = { .base = b->base, .errtab = b->errtab };
	struct smpp_link_cfg c;
	char err[128];

#define FAULT(change, part)                                     \
	c = b->cfg;                                             \
	change;                                                 \
	err[0] = 0;                                             \
	assert_null(smpp_link_new(&c, &env, err, sizeof(err))); \
	assert_non_null(strstr(err, part))
	FAULT(c.name[0] = 0, "name");
	FAULT(c.host[0] = 0, "host");
	FAULT(c.port = 0, "port");
	FAULT(c.system_id[0] = 0, "system-id");
	FAULT(memset(c.system_id, 'x', sizeof(c.system_id)), "system-id");
	FAULT(memset(c.password, 'x', sizeof(c.password)), "password");
	FAULT(memset(c.system_type, 'x', sizeof(c.system_type)), "system-type");
	FAULT(c.window = 0, "window");
	FAULT(c.window = SMPP_WINDOW_MAX + 1, "window");
	FAULT(c.rate = -1, "rate");
	FAULT(c.esm_mode = 4, "esm-mode");
	FAULT(c.response_ms = 0, "timer");
	FAULT(c.enquire_timeout_ms = 0, "timer");
	FAULT(c.concat = 3, "concat: udh, sar or payload-udh");
	FAULT(c.bind_as = 2, "bind: trx or tx+rx");
	FAULT(c.reconnect_max_ms = 0, "timer");
	FAULT(c.reconnect_ms = 5000, "reconnect");
	FAULT(strcpy(c.flavour, "osmomcs"), "no flavour 'osmomcs'; did you mean 'osmomsc'?");
	FAULT(memset(c.flavour, 'x', sizeof(c.flavour)), "flavour");
	env.errtab = NULL;
	FAULT(c.port = 1, "error table");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_bind),
		T(test_bind_refused),
		T(test_bind_not_answered),
		T(test_connection_refused),
		T(test_nack_instead_of_bind),
		T(test_resolve),
		T(test_free_while_resolving),
		T(test_submit),
		T(test_submit_options),
		T(test_submit_impossible),
		T(test_window),
		T(test_slow_response),
		T(test_expiry),
		T(test_statuses),
		T(test_osmomsc),
		T(test_own_table),
		T(test_throttled),
		T(test_system_errors_slow_down),
		T(test_submit_inside_event),
		T(test_close_mid_window),
		T(test_close_before_flush),
		T(test_submit_while_going_down),
		T(test_smsc_unbinds),
		T(test_stop),
		T(test_stop_not_answered),
		T(test_free_tells),
		T(test_stop_inside_down),
		T(test_enquire_link),
		T(test_traffic_is_life),
		T(test_trickle_is_no_life),
		T(test_partial_writes),
		T(test_cfg_faults),
	};
	int failed = cmocka_run_group_tests_name("smpp_link", tests, NULL, NULL);

	failed += smpp_input_run();
	failed += smpp_flavour_run();
	failed += smpp_bind_run();
	failed += smpp_concat_run();
	failed += smpp_tls_run();
	failed += smpp_renew_run();
	return failed;
}
