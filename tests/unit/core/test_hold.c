/* test_hold.c - what an operator orders holds at once: before a full inbox, while the store takes its time, with all that can
 * be prepared prepared.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>

#include "core_bed.h"

#define CARDS	 BED_CARDS_MAX
#define PREPARED 256
#define BATCH	 16 /* cards per commit: what is withdrawn takes several */
#define LEFT	 20
#define HOUR	 3600000LL

static struct bed b;

static int setup(void **state)
{
	(void)state;
	bed_open_full(&b, PREPARED, BATCH);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	bed_close(&b);
	return 0;
}

static unsigned leave(unsigned n)
{
	struct sent s;
	unsigned i = 0;

	for (; i < n && bed_leaves(&b, 0, &s); i++)
		bed_accepted(&b, &s);
	return i;
}

static bool something_leaves(unsigned link, uint64_t *token)
{
	uint8_t ud[LINK_UD_MAX];
	struct link_submit s;

	if (!gw_submit_next(b.gw, link, OTA_SEGMENTS_MAX, b.now_ms, &s, ud))
		return false;
	*token = s.token;
	return true;
}

/* Cards come back one after the other until there is no place for one more: with a store that takes its time they wait. */
static void inbox_full(void)
{
	struct gw_event ev = { .kind = GW_EV_LINK, .ev = { .kind = LINK_EV_ALERT, .from = { .ton = 1, .npi = 1 } } };
	unsigned i = 0;

	do {
		memcpy(ev.ev.from.digits, b.card[i++ % CARDS].msisdn, sizeof(b.card[0].msisdn));
	} while (!gw_post(b.gw, &ev));
	for (i = 0; i < 100; i++)
		gw_step(b.gw, b.now_ms); /* the store is not asked: one batch is under way, the next one is full */
	while (!gw_post(b.gw, &ev))
		;
	assert_true(bed_stats(&b).inbox >= CARDS / 2);
}

static void order(uint64_t campaign, enum gw_campaign_verb verb)
{
	const struct gw_event ev = {
		.kind = GW_EV_CAMPAIGN, .campaign = campaign, .verb = (uint8_t)verb, .request = 1
	};

	assert_int_equal(gw_post(b.gw, &ev), 0);
}

static void holds(enum gw_campaign_verb verb, enum campaign_state state)
{
	uint64_t id = bed_campaign_with(&b, CARDS, 1, "", false, true), token = 0;
	struct gw_event ev = { .kind = GW_EV_LINK, .ev = { .kind = LINK_EV_ACCEPTED } };
	unsigned prepared;

	assert_int_equal(leave(LEFT), LEFT);
	prepared = (unsigned)bed_view(&b, id).prepared;
	assert_true(prepared > PREPARED - 64);
	inbox_full();
	assert_true(something_leaves(0, &token)); /* so they would, one after the other */
	order(id, verb);
	gw_step(b.gw, b.now_ms); /* one turn, and nothing has been committed meanwhile */
	assert_int_equal(bed_view(&b, id).row.state, state);
	assert_false(something_leaves(0, &ev.ev.token));
	assert_false(something_leaves(1, &ev.ev.token));
	assert_true(bed_view(&b, id).prepared > prepared / 2); /* they are taken back in steps, a batch has its limit */
	ev.ev.token = token;
	assert_int_equal(gw_post(b.gw, &ev), 0);
	bed_turn(&b);
	assert_int_equal(bed_view(&b, id).prepared, 0);
	bed_expect_nothing(&b);
	bed_pass(&b, HOUR);
	bed_expect_nothing(&b);
	bed_restart(&b);
	bed_expect_nothing(&b);
	assert_int_equal(bed_view(&b, id).row.state, state);
}

static void a_pause_holds_at_once(void **state)
{
	(void)state;
	holds(CAMPAIGN_VERB_PAUSE, CAMPAIGN_PAUSED);
	bed_verb(&b, 1, CAMPAIGN_VERB_START);
	assert_int_equal(leave(CARDS), CARDS - LEFT - 1); /* and each leaves once */
}

static void a_cancel_holds_at_once(void **state)
{
	(void)state;
	holds(CAMPAIGN_VERB_CANCEL, CAMPAIGN_CANCELLED);
	bed_pass(&b, 101 * HOUR); /* those that have left are awaited */
	assert_int_equal(bed_count(&b, 1, TXN_CANCELLED), CARDS);
	assert_int_equal(bed_view(&b, 1).attempts, LEFT + 1);
}

/* More orders than there are places: the rest is told to come again, and none is lost. */
static void orders_have_places_of_their_own(void **state)
{
	const struct gw_event ev = { .kind = GW_EV_CAMPAIGN, .campaign = 99, .request = 1 };
	struct gw_effect fx;
	unsigned n = 0, answers = 0;

	(void)state;
	bed_campaign_with(&b, CARDS, 1, "", false, true);
	inbox_full();
	while (!gw_post(b.gw, &ev) && n < CARDS)
		n++;
	assert_true(n >= 16 && n < CARDS);
	for (unsigned i = 0; i < 1000; i++) {
		b.store->ops->poll(b.store);
		gw_step(b.gw, b.now_ms);
		while (gw_effect_next(b.gw, &fx))
			answers += fx.kind == GW_FX_REPLY && fx.rc == -ENOENT;
	}
	assert_int_equal(answers, n);
	assert_int_equal(bed_stats(&b).inbox, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_pause_holds_at_once),
		T(a_cancel_holds_at_once),
		T(orders_have_places_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
