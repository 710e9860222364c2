/* test_smpp_renew.c - a bind that is made once more when submits of earlier connections have ended at the SMSC.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "test_smsc.h"

#define T(f)	    cmocka_unit_test_setup_teardown(f, bed_setup, bed_teardown)
#define RESPONSE_MS 400 /* the first time after a quarter of it, the last one after twice as much */

static struct smpp_link *inside(struct bed *b)
{
	return (struct smpp_link *)b->link;
}

static bool planned(struct bed *b)
{
	return event_pending(inside(b)->renew_ev, EV_TIMEOUT, NULL);
}

static int submit(struct bed *b, uint64_t token)
{
	static const uint8_t ud[] = { 0x02, 0x70, 0x00, 1, 2, 3 };
	struct link_submit s = { .token = token,
				 .dst = { 1, 1, "4917012345678" },
				 .src = { 1, 1, "9000" },
				 .ud = ud,
				 .ud_len = sizeof(ud) };

	return b->link->ops->submit(b->link, &s, bed_now(b));
}

/* Answers the unbind that has come as the n-th, and waits until the link is bound again. */
static void unbound(struct bed *b, unsigned n)
{
	BED_WAIT(b, b->smsc.unbinds == n);
	smsc_send(&b->smsc,
		  &(struct smpp_pdu){ .id = SMPP_UNBIND | SMPP_RESP, .seq = b->smsc.seen[b->smsc.n_seen - 1].seq });
	BED_WAIT(b, inside(b)->state == SMPP_BOUND);
}

static void up(struct bed *b)
{
	b->cfg.rebind = true;
	b->cfg.response_ms = RESPONSE_MS;
	bed_up(b);
}

/* Nobody knows what an earlier process has left: soon, and once more when all of it has ended; that is all. */
static void test_after_start(void **state)
{
	struct bed *b = *state;

	up(b);
	assert_true(planned(b));
	unbound(b, 1);
	assert_true(planned(b));
	unbound(b, 2);
	assert_int_equal(b->smsc.binds, 3);
	assert_int_equal(bed_count(b, LINK_EV_UP), 3);
	assert_int_equal(bed_count(b, LINK_EV_DOWN), 2);
	assert_false(planned(b));
	assert_false(bed_logged(b, "next try in")); /* nothing was lost, nobody is warned */
}

static void test_not_wanted(void **state)
{
	struct bed *b = *state;

	b->cfg.response_ms = RESPONSE_MS;
	bed_up(b);
	assert_false(planned(b));
}

/* What is under way ends first, and nothing new begins meanwhile. */
static void test_waits(void **state)
{
	struct bed *b = *state;

	up(b);
	assert_int_equal(submit(b, 7), 0);
	BED_WAIT(b, inside(b)->renewing);
	assert_int_equal(submit(b, 8), -EAGAIN);
	assert_int_equal(b->link->ops->credit(b->link, bed_now(b)), 0);
	assert_true(b->link->ops->credit_due(b->link, bed_now(b)) <= bed_now(b) + RESPONSE_MS);
	assert_int_equal(b->smsc.unbinds, 0);
	smsc_answer(&b->smsc, b->smsc.submit_seq[0], 0, "");
	unbound(b, 1);
	assert_int_equal(bed_count(b, LINK_EV_ACCEPTED), 1);
	assert_int_equal(bed_count(b, LINK_EV_UNKNOWN), 0);
	assert_int_equal(submit(b, 8), 0);
}

/* A message of the SMSC's is answered first. */
static void test_message_first(void **state)
{
	struct bed *b = *state;
	struct smpp_pdu p = { .id = SMPP_DELIVER_SM, .seq = 1 };

	up(b);
	p.sm.src = (struct smpp_addr){ 1, 1, "4917012345678" };
	p.sm.dst = (struct smpp_addr){ 1, 1, "9000" };
	smsc_send(&b->smsc, &p);
	BED_WAIT(b, inside(b)->renewing && bed_count(b, LINK_EV_MO) == 1);
	assert_int_equal(b->smsc.unbinds, 0);
	b->link->ops->answer(b->link, bed_event(b, LINK_EV_MO, 0)->token, LINK_ANSWER_OK);
	unbound(b, 1);
}

/* Whoever takes long does not keep the others: traffic goes on, and it is tried again.  What had no response at all may go on at the SMSC: as
 * after a loss; and an SMSC that answers nothing gets no other bind. */
static void test_gives_up(void **state)
{
	struct bed *b = *state;

	up(b);
	assert_int_equal(submit(b, 7), 0);
	BED_WAIT(b, inside(b)->renewing);
	BED_WAIT(b, !inside(b)->renewing);
	assert_int_equal(b->smsc.unbinds, 0);
	assert_int_equal(submit(b, 8), 0);
	BED_WAIT(b, bed_count(b, LINK_EV_UNKNOWN) == 2);
	BED_WAIT(b, !inside(b)->renewing);
	BED_WAIT(b, inside(b)->renewing);
	BED_WAIT(b, !inside(b)->renewing);
	assert_int_equal(b->smsc.unbinds, 0);
	assert_int_equal(submit(b, 9), 0);
	BED_WAIT(b, b->smsc.n_submits == 3);
	smsc_answer(&b->smsc, b->smsc.submit_seq[2], 0, "");
	unbound(b, 1);
	assert_true(inside(b)->open_until_ms > bed_now(b) + RESPONSE_MS);
	assert_true(planned(b));
}

/* Long after the start: only a loss with submits under way asks for it. */
static void test_after_loss(void **state)
{
	struct bed *b = *state;

	b->cfg.reconnect_ms = b->cfg.reconnect_max_ms = 10;
	up(b);
	unbound(b, 1);
	unbound(b, 2);
	smsc_close(&b->smsc);
	BED_WAIT(b, b->smsc.binds == 4 && inside(b)->state == SMPP_BOUND);
	assert_false(planned(b));
	assert_int_equal(submit(b, 7), 0);
	BED_WAIT(b, b->smsc.n_submits == 1);
	smsc_close(&b->smsc);
	BED_WAIT(b, b->smsc.binds == 5 && inside(b)->state == SMPP_BOUND);
	assert_true(planned(b));
	unbound(b, 3);
	assert_int_equal(b->smsc.binds, 6);
}

/* An operator who drains it meanwhile has the last word. */
static void test_stopped_meanwhile(void **state)
{
	struct bed *b = *state;

	up(b);
	assert_int_equal(submit(b, 7), 0);
	BED_WAIT(b, inside(b)->renewing);
	b->link->ops->stop(b->link);
	BED_WAIT(b, bed_count(b, LINK_EV_DOWN) == 1);
	assert_int_equal(inside(b)->state, SMPP_CLOSED);
	assert_false(planned(b));
	assert_int_equal(b->smsc.binds, 1);
}

int smpp_renew_run(void)
{
	const struct CMUnitTest tests[] = {
		T(test_after_start), T(test_not_wanted),	T(test_waits), T(test_message_first), T(test_gives_up),
		T(test_after_loss),  T(test_stopped_meanwhile),
	};

	return cmocka_run_group_tests_name("smpp_renew", tests, NULL, NULL);
}
