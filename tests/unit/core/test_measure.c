/* test_measure.c - what things took lately: submits per link, answers, and nothing that was not seen.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "core_bed.h"

static struct bed b;

static int setup(void **state)
{
	(void)state;
	bed_open(&b, 300, 1);
	bed_restart(&b);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	bed_close(&b);
	return 0;
}

static struct gw_measured submit(unsigned link)
{
	struct gw_measured m;

	gw_measured_submit(b.gw, link, &m);
	return m;
}

static struct gw_measured answer(void)
{
	struct gw_measured m;

	gw_measured_answer(b.gw, &m);
	return m;
}

static void nothing_before_the_first(void **state)
{
	struct sent s;

	(void)state;
	bed_campaign(&b, 2, 1, "compact");
	assert_int_equal(submit(0).n, 0);
	assert_int_equal(answer().n, 0);
	bed_expect_script(&b, 0, &s);
	bed_pass(&b, 100);
	bed_outcome(&b, &s, 0, LINK_EV_REJECTED, FAIL_ABSENT); /* says how long a refusal takes */
	assert_int_equal(submit(0).n, 0);
	bed_expect_script(&b, 0, &s);
	bed_pass(&b, 100);
	bed_outcome(&b, &s, 0, LINK_EV_UNKNOWN, FAIL_UNKNOWN); /* ... and nothing at all */
	assert_int_equal(submit(0).n, 0);
	assert_int_equal(submit(99).n, 0);
}

static void each_link_and_the_answers(void **state)
{
	struct sent s[2];
	struct uds u;

	(void)state;
	bed_campaign(&b, 2, 1, "compact");
	bed_expect_script(&b, 0, &s[0]);
	bed_expect_script(&b, 1, &s[1]);
	bed_pass(&b, 20);
	bed_accepted(&b, &s[0]);
	bed_pass(&b, 30);
	bed_accepted(&b, &s[1]);
	assert_int_equal(submit(0).n, 1);
	assert_true(submit(0).median_ms == 20 && submit(0).p90_ms == 20);
	assert_true(submit(1).median_ms == 50);
	bed_pass(&b, 1000);
	for (unsigned i = 0; i < 2; i++) {
		char imsi[IMSI_DIGITS_MAX + 1];

		bed_new_imsi(1, s[i].card, imsi);
		bed_good(&b, &s[i], imsi, &u);
		bed_mo_all(&b, 0, s[i].card, &u);
		bed_turn(&b);
	}
	bed_expect_txn(&b, 0, TXN_DONE, "");
	assert_int_equal(answer().n, 2);
	assert_true(answer().median_ms == 1000 && answer().p90_ms == 1030); /* from the SMSC's word on */
	bed_mo_all(&b, 0, s[1].card, &u);				    /* twice: the second one says nothing */
	bed_turn(&b);
	assert_int_equal(answer().n, 2);
}

/* The card was faster than the SMSC: from the submit on. */
static void answer_before_the_response(void **state)
{
	char imsi[IMSI_DIGITS_MAX + 1];
	struct sent s;
	struct uds u;

	(void)state;
	bed_campaign(&b, 1, 1, "compact");
	bed_expect_script(&b, 0, &s);
	bed_pass(&b, 70);
	bed_new_imsi(1, 0, imsi);
	bed_good(&b, &s, imsi, &u);
	bed_mo_all(&b, 0, 0, &u);
	bed_turn(&b);
	bed_expect_txn(&b, 0, TXN_DONE, "");
	assert_true(answer().n == 1 && answer().median_ms == 70);
}

/* Only the last ones count, nine of ten are within p90. */
static void the_last_ones(void **state)
{
	(void)state;
	b.cfg.limits.prepared_max = 300;
	bed_restart(&b);
	bed_campaign(&b, 300, 1, "compact");
	for (unsigned i = 0; i < 300; i++) {
		struct sent s;

		bed_expect_script(&b, 0, &s);
		bed_pass(&b, i < 44 ? 5000 : i < 44 + 230 ? 10 : 20);
		bed_accepted(&b, &s);
	}
	assert_int_equal(submit(0).n, 256);
	assert_true(submit(0).median_ms == 10);
	assert_true(submit(0).p90_ms == 20);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(nothing_before_the_first),
		T(each_link_and_the_answers),
		T(answer_before_the_response),
		T(the_last_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
