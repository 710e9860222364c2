/* test_desk_b_provide.c - the new operator: cards that were refused are made ready once more, when its operator says so.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>

#include "b_say.h"

#define VLR "4915100000001"

static void answered(void *ctx, int rc, const char *text)
{
	struct bed *b = ctx;

	b->asked = true;
	b->asked_rc = rc;
	snprintf(b->asked_text, sizeof(b->asked_text), "%s", text);
}

/* iccid "": all of them */
static void provide(struct bed *b, const char *iccid, int want, const char *says)
{
	struct desk_request r = { .verb = DESK_PROVIDE, .order = ORDER, .done = answered, .ctx = b };

	snprintf(r.iccid, sizeof(r.iccid), "%s", iccid);
	b->asked = false;
	assert_int_equal(desk_request(b->desk, &r), 0);
	bed_wait(b, 2000);
	assert_true(b->asked);
	if (b->asked_rc != want || !strstr(b->asked_text, says))
		fail_msg("answered %d, %s; wanted %d, %s", b->asked_rc, b->asked_text, want, says);
}

/* An order of 3a in the papers' order, whose cards may be on their way before anything is ready. */
static void handed(struct bed *b)
{
	send_so(b, "3a", "activate-then-deliver", CARDS);
	send_pl(b, CARDS, (struct plan_terms){ 1, 1, 1 });
	send_hl3a(b, CARDS, "provisional", "armed", true, false);
	assert_string_equal(bed_ack(b, BED_A), "");
	bed_wait(b, 2000);
}

static void test_until_it_is_ready(void **state)
{
	struct bed *b = *state;
	struct line l;

	strcpy(b->mood.refuse, imsi_of(2));
	handed(b);
	assert_int_equal(told(b, BED_A, "ready"), CARDS - 1);
	assert_int_equal(told(b, BED_A, "refused"), 1);
	expect_step(b, 2, B_ENDING);
	/* nothing is mended yet: refused as before, and told so */
	provide(b, "", 0, "1 cards");
	assert_int_equal(told(b, BED_A, "refused"), 2);
	expect_step(b, 2, B_ENDING);
	step_of(b, 2, &l);
	assert_int_equal(l.end, END_FAILED);
	/* and over a stop: what was ordered is done */
	b->mood.refuse[0] = '\0';
	b->mood.away = true;
	provide(b, iccid_of(2), 0, "1 cards");
	bed_restart(b);
	b->mood.away = false;
	bed_wait(b, 120000);
	assert_int_equal(told(b, BED_A, "ready"), CARDS);
	assert_int_equal(told(b, BED_A, "refused"), 2);
	expect_step(b, 2, B_READY);
	step_of(b, 2, &l);
	assert_int_equal(l.end, END_NONE);
	assert_string_equal(l.why, "");
	assert_int_equal(sim_hlr_count(b->sim), CARDS);
	/* the card, which has been looking for us all the time */
	assert_true(sim_hlr_locate(b->sim, imsi_of(2), VLR));
	bed_wait(b, 60000);
	expect_step(b, 2, B_SERVED);
	assert_int_equal(told(b, BED_A, "served"), 1);
}

static void test_not_these(void **state)
{
	struct bed *b = *state;

	handed(b);
	provide(b, "", -ENOENT, "no card waits here that was refused");
	provide(b, iccid_of(1), -EINVAL, "does not stand as refused");
	expect_step(b, 1, B_READY);
	provide(b, iccid_of(77), -ENOENT, "is not in this order");
	assert_int_equal(told(b, BED_A, "ready"), CARDS);
}

/* What A has given up is over, and does not come back. */
static void test_given_up_there(void **state)
{
	struct bed *b = *state;

	strcpy(b->mood.refuse, imsi_of(2));
	to_ready(b, CARDS);
	expect_step(b, 2, B_ENDING);
	send_end(b, 2, "failed");
	expect_step(b, 2, B_CLOSED);
	b->mood.refuse[0] = '\0';
	provide(b, "", -ENOENT, "no card waits");
	provide(b, iccid_of(2), -EINVAL, "does not stand as refused");
	assert_int_equal(sim_hlr_count(b->sim), CARDS - 1);
}

/* It comes while the card is being made ready: what was done is taken back. */
static void test_given_up_meanwhile(void **state)
{
	struct bed *b = *state;

	strcpy(b->mood.refuse, imsi_of(2));
	to_ready(b, CARDS);
	b->mood.refuse[0] = '\0';
	b->mood.away = true;
	provide(b, iccid_of(2), 0, "1 cards");
	expect_step(b, 2, B_PROVISIONING);
	send_end(b, 2, "failed");
	b->mood.away = false;
	bed_wait(b, 120000);
	expect_step(b, 2, B_CLOSED);
	assert_false(sim_hlr_knows(b->sim, imsi_of(2)));
}

/* Our operator had cancelled the order; a card that is on its way all the same is his to serve, if he says so. */
static void test_cancelled(void **state)
{
	struct bed *b = *state;

	send_so(b, "3a", "activate-then-deliver", CARDS);
	send_pl(b, CARDS, (struct plan_terms){ 1, 1, 1 });
	bed_request(b, DESK_CANCEL, ORDER, NULL);
	send_hl3a(b, CARDS, "provisional", "armed", true, false);
	bed_wait(b, 2000);
	assert_int_equal(told(b, BED_A, "refused"), CARDS);
	provide(b, iccid_of(3), 0, "1 cards");
	assert_int_equal(told(b, BED_A, "ready"), 1);
	expect_step(b, 3, B_READY);
	expect_step(b, 2, B_ENDING);
	assert_int_equal(sim_hlr_count(b->sim), 1);
}

/* Another card of ours had its IMSI: K was kept all the same, or nobody could serve the card any more. */
static void test_not_taken_before(void **state)
{
	struct store_card_insert in = { .card = { .iccid = "8988211999999999999" } };
	struct store_batch *batch = store_batch_new();
	struct card_bundle *c = calloc(1, sizeof(*c));
	struct bed *b = *state;

	strcpy(in.card.imsi, imsi_of(1));
	store_batch_add(batch, ST_CARD_INSERT, &in, NULL, 0);
	assert_int_equal(store_commit_wait(b->store, batch), STORE_OK);
	handed(b);
	assert_int_equal(told(b, BED_A, "refused"), 1);
	expect_step(b, 1, B_ENDING);
	in.card.gone_ms = b->now_ms;
	store_batch_reset(batch);
	store_batch_add(batch, ST_CARD_LEAVE, &in.card, NULL, 0);
	assert_int_equal(store_commit_wait(b->store, batch), STORE_OK);
	store_batch_free(batch);
	provide(b, "", 0, "1 cards");
	assert_int_equal(told(b, BED_A, "ready"), CARDS);
	assert_true(sim_hlr_locate(b->sim, imsi_of(1), VLR));
	bed_wait(b, 20000);
	expect_step(b, 1, B_SERVED);
	send_hl3a(b, CARDS, "final", "armed", false, true);
	assert_string_equal(bed_ack(b, BED_A), "");
	expect_step(b, 1, B_CONFIRMING);
	assert_true(bed_card(b, iccid_of(1), c));
	assert_string_equal(c->card.imsi, imsi_of(1));
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_until_it_is_ready, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_these, setup, teardown),
		cmocka_unit_test_setup_teardown(test_given_up_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_given_up_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancelled, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_taken_before, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
