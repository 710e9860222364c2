/* test_walk.c - a cancelled campaign is walked to its end, whoever has its cards meanwhile.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A plan refuses a card that is planned elsewhere.  Older stores know cards that a cancelled campaign calls PLANNED and a
 * later one has started: what is open of the later one is not touched, and the earlier one ends all the same.
 */
#include "core_bed.h"

#define CARDS  3
#define MINUTE 60000LL
#define HOUR   (60 * MINUTE)

struct walk {
	struct bed b;
	uint64_t first, later; /* campaigns */
	struct txn_row row[CARDS];
	struct sent s[CARDS];
};

/* What such a store holds, past the core. */
static void put(struct bed *b, enum store_op_kind kind, const void *row)
{
	struct store_batch *batch = store_batch_new();

	assert_non_null(batch);
	store_batch_add(batch, kind, row, NULL, 0);
	assert_int_equal(store_commit_wait(b->store, batch), STORE_OK);
	assert_int_equal(batch->ops[0].rc, 0);
	store_batch_free(batch);
}

static void rows_put(struct walk *w, enum txn_state state)
{
	for (unsigned i = 0; i < CARDS; i++) {
		w->row[i].state = (uint8_t)state;
		put(&w->b, ST_TXN_PUT, &w->row[i]);
	}
}

/* Both campaigns have every card; the later one's scripts have left. */
static int setup(void **state)
{
	struct walk *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	*state = w;
	bed_open(&w->b, CARDS, 1);
	w->b.cfg.retry.por_timeout_ms = 100 * HOUR;
	bed_restart(&w->b);
	w->first = bed_campaign_with(&w->b, CARDS, 1, "", false, false);
	for (unsigned i = 0; i < CARDS; i++)
		w->row[i] = bed_report(&w->b, w->first, i);
	rows_put(w, TXN_CANCELLED);
	w->later = bed_campaign(&w->b, CARDS, 1, "compact");
	for (unsigned i = 0; i < CARDS; i++) {
		bed_expect_script(&w->b, 0, &w->s[i]);
		bed_accepted(&w->b, &w->s[i]);
	}
	rows_put(w, TXN_PLANNED);
	return 0;
}

static int teardown(void **state)
{
	bed_close(&((struct walk *)*state)->b);
	free(*state);
	return 0;
}

/* The first campaign has ended and took nothing of the later one, whose answers still count. */
static void both_end(struct walk *w)
{
	struct bed *b = &w->b;
	struct sim_card_out out;
	struct uds u;

	assert_int_equal(bed_count(b, w->first, TXN_CANCELLED), CARDS);
	assert_int_equal(bed_view(b, w->first).row.state, CAMPAIGN_CANCELLED);
	assert_true(bed_view(b, w->first).row.ended_ms > 0);
	for (unsigned i = 0; i < CARDS; i++) {
		struct txn_row t = bed_report(b, w->first, i);

		assert_int_equal(t.state, TXN_CANCELLED);
		assert_true(t.ended_ms > 0);
		assert_string_equal(t.reason, "another campaign has the card");
		assert_int_equal(bed_report(b, w->later, i).state, TXN_ACTIVE);
		bed_card_takes(b, &w->s[i], &out);
		bed_uds(&out, &u);
		bed_mo_all(b, 0, i, &u);
		assert_int_equal(bed_report(b, w->later, i).state, TXN_DONE);
		assert_int_equal(bed_story(b, i, STORY_POR, "PoR of an earlier"), 0);
	}
	assert_int_equal(bed_count(b, w->later, TXN_DONE), CARDS);
	assert_int_equal(bed_view(b, w->later).row.state, CAMPAIGN_DONE);
	bed_restart(b);
	assert_int_equal(bed_count(b, w->first, TXN_CANCELLED), CARDS);
	assert_int_equal(bed_count(b, w->later, TXN_DONE), CARDS);
}

static void its_cards_are_in_memory(void **state)
{
	struct walk *w = *state;

	bed_verb(&w->b, w->first, CAMPAIGN_VERB_CANCEL);
	both_end(w);
}

static void its_cards_are_not_in_memory(void **state)
{
	struct walk *w = *state;

	bed_restart(&w->b);
	bed_verb(&w->b, w->first, CAMPAIGN_VERB_CANCEL);
	both_end(w);
}

/* The walk had passed them and left them behind: it begins anew with every start, until the campaign has ended. */
static void it_had_been_left_behind(void **state)
{
	struct walk *w = *state;
	struct campaign_row c = bed_view(&w->b, w->first).row;

	c.state = CAMPAIGN_CANCELLED;
	c.txn_cursor = w->row[CARDS - 1].id;
	put(&w->b, ST_CAMPAIGN_PUT, &c);
	bed_restart(&w->b);
	both_end(w);
}

/* Cancelled before it was started, killed in the middle: the rest is walked after the start. */
static void a_kill_in_the_middle(void **state)
{
	struct walk *w = *state;
	struct campaign_row c = bed_view(&w->b, w->first).row;

	c.state = CAMPAIGN_CANCELLED;
	put(&w->b, ST_CAMPAIGN_PUT, &c);
	bed_restart(&w->b);
	both_end(w);
}

/* Not cancelled: its turn has come, and the card is not free.  Whoever has the card goes on. */
static void its_turn_comes_and_the_card_is_taken(void **state)
{
	struct walk *w = *state;

	bed_verb(&w->b, w->first, CAMPAIGN_VERB_START);
	bed_expect_nothing(&w->b);
	for (unsigned i = 0; i < CARDS; i++) {
		struct txn_row t = bed_report(&w->b, w->first, i);

		assert_int_equal(t.state, TXN_CANCELLED);
		assert_string_equal(t.reason, "another campaign has the card");
		assert_int_equal(bed_report(&w->b, w->later, i).state, TXN_ACTIVE);
	}
	assert_int_equal(bed_view(&w->b, w->first).row.state, CAMPAIGN_DONE);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(its_cards_are_in_memory), T(its_cards_are_not_in_memory),	     T(it_had_been_left_behind),
		T(a_kill_in_the_middle),    T(its_turn_comes_and_the_card_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
