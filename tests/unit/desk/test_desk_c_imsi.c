/* test_desk_c_imsi.c - another IMSI for a card of ours: what is in the register meanwhile, and how it ends.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>

#include "c_bed.h"
#include "gateway/desk/b_int.h"

#define IMSI1  "262015000000007"
#define NUMBER "491700000007"

static bool registered(struct bed *b, const char *imsi)
{
	return sim_hlr_knows(b->sim, imsi);
}

static void card_is(struct bed *b, const char *imsi)
{
	struct card_bundle *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	assert_true(bed_card(b, CARD0, c));
	assert_string_equal(c->card.imsi, imsi);
	free(c);
}

static void imsi_is(struct bed *b, const char *imsi, uint16_t step)
{
	struct store_book row;

	assert_true(bed_book(b, BOOK_IMSI, imsi, &row));
	assert_int_equal(row.row.step, step);
}

/* To where ARM may have left. */
static void armed(struct bed *b, bool stops)
{
	struct line l;

	b->mood.away = true;
	assert_int_equal(change_by(b, NAME, CHANGE_IMSI, CARD0 "," IMSI1 "," NUMBER "\n", true), 0);
	maybe_restart(b, stops);
	bed_wait(b, 5000);
	AT(b, C_PROVISIONING); /* nothing goes to the card before it is there */
	b->mood.mute = true;   /* done, and the answer is lost */
	b->mood.away = false;
	bed_wait(b, 60000);
	AT(b, C_PROVISIONING);
	assert_true(registered(b, IMSI1));
	maybe_restart(b, stops);
	b->mood.mute = false;
	bed_restart(b);
	bed_wait(b, 60000);
	AT(b, A_STAGING);
	maybe_restart(b, stops);
	AT(b, A_STAGING);
	tell(b, WORK_STAGE, WORK_IS_DONE, 0);
	maybe_restart(b, stops);
	bed_wait(b, 20000);
	AT(b, A_ARMING);
	step_of(b, &l);
	assert_true(l.flags & LINE_ARMED);
	card_is(b, IMSI0);
}

/* Armed, and it comes. */
static void comes(struct bed *b, bool stops)
{
	armed(b, stops);
	maybe_restart(b, stops);
	tell(b, WORK_ARM, WORK_IS_DONE, 0);
	maybe_restart(b, stops);
	AT(b, A_ARMED);
	bed_wait(b, 120000);
	AT(b, A_ARMED);
	assert_true(sim_hlr_locate(b->sim, IMSI1, "4917"));
	bed_wait(b, 120000);
	AT(b, C_CONFIRMING);
	card_is(b, IMSI1);
	maybe_restart(b, stops);
	AT(b, C_CONFIRMING);
	assert_true(registered(b, IMSI0)); /* it may still come back */
}

static void second(struct bed *b, bool stops)
{
	char was[100], now[100], key[BOOK_KEY_MAX];
	struct store_book row;
	struct line l;

	hlr_keys(b, was);
	comes(b, stops);
	b->mood.away = true;
	tell(b, WORK_CONFIRM, WORK_IS_DONE, 0);
	AT(b, A_PURGING);
	maybe_restart(b, stops);
	bed_wait(b, 5000);
	assert_true(registered(b, IMSI0));
	b->mood.away = false;
	bed_wait(b, 60000);
	maybe_restart(b, stops);
	assert_true(over(b, &l));
	assert_int_equal(l.end, END_DONE);
	assert_int_equal(l.evidence, 6);
	assert_false(registered(b, IMSI0));
	assert_true(registered(b, IMSI1));
	card_is(b, IMSI1);
	imsi_is(b, IMSI0, IMSI_BACK);
	imsi_is(b, IMSI1, IMSI_GIVEN);
	book_keys(b, now);
	assert_string_equal(now, was);
	line_key(key, desk_number("operator-b", NAME), CARD0);
	assert_false(bed_book(b, BOOK_SET, key, &row));
}

static void second_in_order(void **state)
{
	second(*state, false);
}

static void second_with_stops(void **state)
{
	second(*state, true);
}

/* Registered under the new one, and then seen under the old one: it is asked there, and only its word ends anything. */
static void went_back(struct bed *b, bool stops)
{
	struct line l;

	comes(b, stops);
	bed_wait(b, 700000); /* its old IMSI is marked */
	assert_true(sim_hlr_locate(b->sim, IMSI0, "4918"));
	bed_wait(b, 700000);
	AT(b, A_LOOKING);
	maybe_restart(b, stops);
	card_is(b, IMSI0);
	assert_true(registered(b, IMSI1));
	said_end = OTA_SUB_END_TIMEOUT + 1;
	tell(b, WORK_STATUS, WORK_WENT_BACK, 0);
	said_end = 0;
	maybe_restart(b, stops);
	bed_wait(b, 20000);
	assert_true(over(b, &l));
	assert_int_equal(l.end, END_ROLLED_BACK);
	assert_true(registered(b, IMSI0));
	assert_false(registered(b, IMSI1));
	card_is(b, IMSI0);
	imsi_is(b, IMSI1, IMSI_BACK);
}

static void second_back(void **state)
{
	went_back(*state, false);
}

static void second_back_stops(void **state)
{
	went_back(*state, true);
}

/* Seen there, and it says that it has moved: it is asked to confirm again. */
static void second_not_back(void **state)
{
	struct bed *b = *state;
	struct line l;

	comes(b, false);
	bed_wait(b, 700000);
	assert_true(sim_hlr_locate(b->sim, IMSI0, "4918"));
	bed_wait(b, 700000);
	AT(b, A_LOOKING);
	said_end = OTA_SUB_END_CONFIRMED_SELF + 1;
	tell(b, WORK_STATUS, WORK_IS_DONE, 0);
	said_end = 0;
	bed_wait(b, 700000);
	AT(b, C_CONFIRMING);
	card_is(b, IMSI1);
	tell(b, WORK_CONFIRM, WORK_IS_DONE, 0);
	bed_wait(b, 60000);
	assert_true(over(b, &l));
	assert_int_equal(l.end, END_DONE);
}

static void second_cancelled(void **state)
{
	struct bed *b = *state;
	struct line l;

	assert_int_equal(change_by(b, NAME, CHANGE_IMSI, CARD0 "," IMSI1 "\n", true), 0);
	bed_wait(b, 1000);
	AT(b, A_STAGING);
	bed_request(b, DESK_CANCEL, NAME, NULL);
	bed_wait(b, 30000);
	AT(b, A_UNSTAGING);
	assert_true(registered(b, IMSI1)); /* until the card has said that it holds no set */
	bed_restart(b);
	tell(b, WORK_UNSTAGE, WORK_IS_DONE, 0);
	bed_wait(b, 20000);
	assert_true(over(b, &l));
	assert_int_equal(l.end, END_CANCELLED);
	assert_false(registered(b, IMSI1));
	assert_true(registered(b, IMSI0));
	imsi_is(b, IMSI1, IMSI_BACK);
}

/* What may have left is not taken back by a cancel. */
static void second_cancelled_late(void **state)
{
	struct bed *b = *state;

	armed(b, false);
	bed_request(b, DESK_CANCEL, NAME, NULL);
	bed_wait(b, 700000);
	AT(b, A_ARMING);
	assert_true(registered(b, IMSI1));
	assert_true(registered(b, IMSI0));
}

/* Another subscriber's IMSI stays his, and the card keeps its own. */
static void second_refused(void **state)
{
	struct bed *b = *state;
	char reply[SIM_HLR_REPLY_MAX];
	struct line l;

	sim_hlr_ctrl(b->sim, "SET 1 subscriber.create " IMSI1, reply);
	sim_hlr_ctrl(b->sim,
		     "SET 1 subscriber.by-imsi-" IMSI1
		     ".aud3g milenage,00000000000000000000000000000001,opc,00000000000000000000000000000002",
		     reply);
	assert_int_equal(change_by(b, NAME, CHANGE_IMSI, CARD0 "," IMSI1 "\n", true), 0);
	bed_wait(b, 20000);
	assert_true(over(b, &l));
	assert_int_equal(l.end, END_FAILED);
	assert_true(registered(b, IMSI1));
	assert_true(registered(b, IMSI0));
	card_is(b, IMSI0);
	imsi_is(b, IMSI1, IMSI_GIVEN);
}

static void second_bad(void **state)
{
	struct bed *b = *state;
	struct line l;

	assert_int_equal(change(b, NAME, CHANGE_IMSI | CHANGE_K, CARD0 "\n"), -EINVAL);
	assert_int_equal(change(b, NAME, CHANGE_IMSI, CARD0 "\n"), -EINVAL);
	assert_non_null(strstr(said.text, "no pool"));
	assert_int_equal(change_by(b, NAME, CHANGE_K, CARD0 "," IMSI1 "\n", true), -EINVAL);
	assert_int_equal(change_by(b, NAME, CHANGE_IMSI, CARD0 ",001010000000001\n", true), -EINVAL);
	assert_non_null(strstr(said.text, "none of our networks"));
	assert_null(desk_order_by_name(b->desk, NAME));
	assert_int_equal(change_by(b, NAME, CHANGE_IMSI, CARD0 "," IMSI0 "\n", true), 0);
	assert_true(over(b, &l));
	assert_int_equal(l.end, END_FAILED);
	assert_string_equal(l.why, "has that IMSI already");
	assert_true(registered(b, IMSI0));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(second_in_order),	  T(second_with_stops), T(second_back),
		T(second_back_stops),	  T(second_not_back),	T(second_cancelled),
		T(second_cancelled_late), T(second_refused),	T(second_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
