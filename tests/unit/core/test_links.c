/* test_links.c - several SMSCs under one core: fail-over of what is prepared and of what has left, orders, links that misbehave.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "core_bed.h"

#define CARDS	  300
#define FIRST	  0 /* links */
#define SECOND	  1
#define SECOND_MS 1000LL
#define MINUTE_MS 60000LL

static struct bed b;
static struct route route[2];

static void via(struct route *r, unsigned link, unsigned rank)
{
	r->via[r->n_links].link = (uint8_t)link;
	r->via[r->n_links++].rank = (uint8_t)rank;
}

static void match(struct route *r, const char *by, const char *value)
{
	char err[ROUTE_ERR_MAX];

	assert_int_equal(route_match_add(r, by, value, NULL, 0, err), 0);
}

/* With one route: the first link, then the second.  With two: cards whose IMSI ends in 1x by the first alone, the others by the
 * second alone. */
static void open_with(unsigned routes)
{
	memset(route, 0, sizeof(route));
	snprintf(route[0].name, sizeof(route[0].name), "near");
	snprintf(route[1].name, sizeof(route[1].name), "rest");
	via(&route[0], FIRST, 0);
	if (routes == 1) {
		match(&route[0], "all", "");
		via(&route[0], SECOND, 1);
	} else {
		match(&route[0], "imsi-prefix", "0010200000001"); /* the cards 99 to 198 */
		match(&route[1], "all", "");
		via(&route[1], SECOND, 0);
	}
	bed_open(&b, CARDS, 1);
	b.cfg.limits.open_max = CARDS;
	b.cfg.limits.outcomes_max = CARDS;
	b.cfg.limits.inbox_max = CARDS;
	b.cfg.routes = route;
	b.cfg.n_routes = routes;
	bed_restart(&b);
}

static int setup(void **state)
{
	open_with(1);
	return 0;
}

static int setup_two(void **state)
{
	open_with(2);
	return 0;
}

static int teardown(void **state)
{
	bed_close(&b);
	return 0;
}

static void good(const struct sent *s, unsigned link)
{
	char imsi[IMSI_DIGITS_MAX + 1];
	struct uds u;

	bed_new_imsi(1, s->card, imsi);
	bed_good(&b, s, imsi, &u);
	bed_mo_all(&b, link, s->card, &u);
}

/* ------------------------------------------------------------------------------------------------ fail-over */

/* What is prepared goes by the next link, under the counter that it has. */
static void prepared_goes_by_the_next_link(void **state)
{
	struct sent s;

	bed_campaign(&b, 1, 1, "compact");
	bed_link(&b, FIRST, false);
	bed_expect_nothing(&b);
	bed_pass(&b, ROUTE_FAILOVER_MS - 1);
	bed_expect_nothing(&b); /* it may come back */
	bed_pass(&b, 1);
	bed_expect_script(&b, SECOND, &s);
	assert_int_equal(s.p.cntr, BED_CNTR + 1);
	bed_accepted(&b, &s);
	good(&s, SECOND);
	bed_expect_txn(&b, 0, TXN_DONE, "");
	assert_int_equal(bed_txn(&b, 0)->attempts, 1);
	assert_int_equal(bed_card(&b, 0)->keyset[0].cntr, BED_CNTR + 1);
}

/* The connection is back in time: the link keeps its packets. */
static void a_short_break_moves_nothing(void **state)
{
	struct sent s;

	bed_campaign(&b, 1, 1, "compact");
	bed_link(&b, FIRST, false);
	bed_pass(&b, ROUTE_FAILOVER_MS - 1);
	bed_link(&b, FIRST, true);
	assert_false(bed_leaves(&b, SECOND, &s));
	bed_expect_script(&b, FIRST, &s);
	/* and after a long one the second gives up its place at once */
	bed_outcome(&b, &s, 0, LINK_EV_REJECTED, FAIL_CONGEST);
	bed_link(&b, FIRST, false);
	bed_pass(&b, MINUTE_MS);
	bed_link(&b, FIRST, true);
	assert_false(bed_leaves(&b, SECOND, &s));
	bed_expect_script(&b, FIRST, &s);
}

/* May have left: the same octets under the same counter by the other link, and the answer comes back by the first. */
static void what_was_out_is_repeated_elsewhere(void **state)
{
	struct sent one, two;

	bed_campaign(&b, 1, 1, "compact");
	bed_expect_script(&b, FIRST, &one);
	bed_outcome(&b, &one, 0, LINK_EV_UNKNOWN, FAIL_UNKNOWN);
	bed_link(&b, FIRST, false);
	bed_pass(&b, b.cfg.retry.por_timeout_ms - SECOND_MS);
	bed_expect_nothing(&b); /* the card's answer is waited for as after any attempt */
	bed_pass(&b, 10 * MINUTE_MS);
	bed_expect_script(&b, SECOND, &two);
	assert_int_equal(two.p.cntr, one.p.cntr);
	assert_int_equal(two.data_len, one.data_len);
	assert_memory_equal(two.data, one.data, one.data_len);
	bed_accepted(&b, &two);
	bed_link(&b, FIRST, true);
	good(&one, FIRST);
	bed_expect_txn(&b, 0, TXN_DONE, "");
	assert_int_equal(bed_card(&b, 0)->keyset[0].cntr, BED_CNTR + 1);
}

/* Two short messages, and the link is lost between them: the card gets both from the other one. */
static void a_packet_is_whole_on_one_link(void **state)
{
	struct link_submit sub;
	uint8_t ud[LINK_UD_MAX];
	struct gw_event ev = { .kind = GW_EV_LINK, .link = FIRST };
	struct sent s;

	b.long_script = true;
	bed_campaign(&b, 1, 1, "compact");
	bed_turn(&b);
	assert_true(gw_submit_next(b.gw, FIRST, 5, b.now_ms, &sub, ud));
	assert_true(sub.more);
	/* the second link does not get the rest of it */
	assert_false(bed_leaves(&b, SECOND, &s));
	ev.ev = (struct link_event){ .kind = LINK_EV_UNKNOWN, .token = sub.token, .fail = { FAIL_UNKNOWN, 0, "lost" } };
	assert_int_equal(gw_post(b.gw, &ev), 0);
	bed_link(&b, FIRST, false);
	bed_pass(&b, MINUTE_MS);
	bed_expect_script(&b, SECOND, &s);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.p.cntr, BED_CNTR + 1);
	bed_accepted(&b, &s);
	good(&s, SECOND);
	bed_expect_txn(&b, 0, TXN_DONE, "");
}

/* No link at all for days: an alarm, and not one attempt is used up. */
static void without_any_link_cards_wait(void **state)
{
	char text[ROUTE_ALARM_MAX];
	struct gw_route_view v;
	struct sent s;

	bed_campaign(&b, 100, 1, "compact");
	assert_null(gw_route_alarm(b.gw, text));
	bed_link(&b, FIRST, false);
	bed_link(&b, SECOND, false);
	bed_pass(&b, 3 * 24 * 60 * MINUTE_MS);
	assert_non_null(gw_route_alarm(b.gw, text));
	assert_non_null(strstr(text, "route near: none of its links can be used (0 down, 1 down)"));
	gw_route_view(b.gw, 0, &v);
	assert_int_equal(v.rank, -1);
	assert_int_equal(v.serving, 0);
	bed_expect_nothing(&b);
	bed_link(&b, SECOND, true);
	assert_null(gw_route_alarm(b.gw, text));
	for (unsigned i = 0; i < 100; i++) {
		for (unsigned k = 0; !bed_leaves(&b, SECOND, &s) && k < 200; k++)
			bed_pass(&b, SECOND_MS);
		assert_int_equal(s.n, 1);
		bed_accepted(&b, &s);
		good(&s, SECOND);
		bed_expect_txn(&b, s.card, TXN_DONE, "");
		assert_int_equal(bed_txn(&b, s.card)->attempts, 1);
		assert_int_equal(s.p.cntr, BED_CNTR + 1);
	}
}

/* ------------------------------------------------------------------------------------------------ orders */

static void a_blocked_link_gets_nothing_and_brings_answers(void **state)
{
	struct store_blob kept = { 0 };
	struct store_query q = { .kind = Q_META, .limit = 1, .out = &kept };
	struct gw_link_view v;
	struct sent one, two;

	bed_campaign(&b, 2, 1, "compact");
	bed_expect_script(&b, FIRST, &one);
	bed_accepted(&b, &one);
	bed_order(&b, FIRST, LINK_BLOCKED);
	assert_true(gw_link_wanted(b.gw, FIRST));
	assert_false(bed_leaves(&b, FIRST, &two));
	bed_expect_script(&b, SECOND, &two); /* at once: nobody waits for what was ordered away */
	bed_accepted(&b, &two);
	good(&one, FIRST);
	good(&two, FIRST);
	bed_expect_txn(&b, one.card, TXN_DONE, "");
	bed_expect_txn(&b, two.card, TXN_DONE, "");
	/* it is durable, and holds in the next life */
	memcpy(q.digits, LINK_ORDERS_KEY, sizeof(LINK_ORDERS_KEY));
	assert_int_equal(store_query_wait(b.store, &q), 0);
	assert_int_equal(kept.len, strlen("0 blocked\n"));
	assert_memory_equal(kept.bytes, "0 blocked\n", kept.len);
	b.cfg.link_order[FIRST] = LINK_BLOCKED;
	snprintf(b.cfg.absent_orders, sizeof(b.cfg.absent_orders),
		 "gone drained\n"); /* not in the config in this life */
	bed_restart(&b);
	gw_link_view(b.gw, FIRST, &v);
	assert_int_equal(v.order, LINK_BLOCKED);
	b.first_card = 2;
	bed_campaign(&b, 1, 1, "compact");
	assert_false(bed_leaves(&b, FIRST, &one));
	bed_order(&b, FIRST, LINK_OPEN);
	assert_false(bed_leaves(&b, SECOND, &one));
	bed_expect_script(&b, FIRST, &one);
	assert_int_equal(store_query_wait(b.store, &q), 0);
	assert_int_equal(kept.len, strlen("gone drained\n"));
	assert_memory_equal(kept.bytes, "gone drained\n", kept.len);
}

/* What is begun is finished, then the link may go. */
static void a_drained_link_finishes_first(void **state)
{
	struct link_submit sub[2];
	uint8_t ud[LINK_UD_MAX];
	struct gw_event ev = { .kind = GW_EV_LINK, .link = FIRST, .ev = { .kind = LINK_EV_ACCEPTED } };
	struct sent s;

	b.long_script = true;
	bed_campaign(&b, 2, 1, "compact");
	bed_turn(&b);
	assert_true(gw_submit_next(b.gw, FIRST, 5, b.now_ms, &sub[0], ud));
	bed_order(&b, FIRST, LINK_DRAINED);
	assert_true(gw_link_wanted(b.gw, FIRST));
	assert_true(gw_submit_next(b.gw, FIRST, 5, b.now_ms, &sub[1], ud));
	assert_false(sub[1].more);
	assert_false(bed_leaves(&b, FIRST, &s));
	for (unsigned i = 0; i < 2; i++) {
		assert_true(gw_link_wanted(b.gw, FIRST));
		ev.ev.token = sub[i].token;
		assert_int_equal(gw_post(b.gw, &ev), 0);
		bed_turn(&b);
	}
	assert_false(gw_link_wanted(b.gw, FIRST));
	bed_link(&b, FIRST, false);
	bed_expect_script(&b, SECOND, &s);
	bed_order(&b, FIRST, LINK_OPEN);
	assert_true(gw_link_wanted(b.gw, FIRST));
}

/* ------------------------------------------------------------------------------------------------ bad SMSCs */

/* Accepts the bind and every submit, and never answers. */
static void who_never_answers_is_passed_over(void **state)
{
	struct sent s[ROUTE_SILENT_MAX], t;
	struct gw_link_view v;

	bed_campaign(&b, 30, 1, "compact");
	for (unsigned i = 0; i < ROUTE_SILENT_MAX; i++)
		bed_expect_script(&b, FIRST, &s[i]);
	for (unsigned i = 0; i < ROUTE_SILENT_MAX; i++)
		bed_outcome(&b, &s[i], 0, LINK_EV_UNKNOWN, FAIL_UNKNOWN);
	gw_link_view(b.gw, FIRST, &v);
	assert_true(v.suspect);
	/* one to see whether it is well again, all others by the second */
	bed_expect_script(&b, FIRST, &t);
	assert_false(bed_leaves(&b, FIRST, &t));
	for (unsigned i = ROUTE_SILENT_MAX + 1; i < 30; i++) {
		bed_expect_script(&b, SECOND, &t);
		bed_accepted(&b, &t);
		good(&t, SECOND);
		bed_expect_txn(&b, t.card, TXN_DONE, "");
	}
	/* those that may have left go by the second, too, under their counters */
	bed_pass(&b, b.cfg.retry.por_timeout_ms);
	for (unsigned i = 0; i < ROUTE_SILENT_MAX - 1; i++) {
		for (unsigned k = 0; !bed_leaves(&b, SECOND, &t) && k < 100; k++)
			bed_pass(&b, SECOND_MS);
		assert_int_equal(t.p.cntr, BED_CNTR + 1);
		bed_accepted(&b, &t);
		good(&t, SECOND);
		bed_expect_txn(&b, t.card, TXN_DONE, "");
	}
}

static unsigned lines_with(const char *part)
{
	unsigned n = 0;

	for (const char *at = b.log; (at = strstr(at, part)); at++)
		n++;
	return n;
}

/* Answers after a while, each time: the log does not fill, and says how it is in the end. */
static void who_is_silent_now_and_then_fills_no_log(void **state)
{
	struct sent s[ROUTE_SILENT_MAX];
	struct sent t;

	bed_campaign(&b, 200, 1, "compact");
	for (unsigned k = 0; k < 5; k++) {
		for (unsigned i = 0; i < ROUTE_SILENT_MAX; i++)
			bed_expect_script(&b, FIRST, &s[i]);
		for (unsigned i = 0; i < ROUTE_SILENT_MAX; i++)
			bed_outcome(&b, &s[i], 0, LINK_EV_UNKNOWN, FAIL_UNKNOWN);
		bed_expect_script(&b, FIRST, &t); /* its trial */
		bed_accepted(&b, &t);
		bed_pass(&b, ROUTE_TRY_MS);
	}
	assert_int_equal(lines_with("does not answer them"), 1);
	assert_int_equal(lines_with("is not silent any more"), 1);
	/* once more, and it stays so: that is told when the time has passed */
	for (unsigned i = 0; i < ROUTE_SILENT_MAX; i++)
		bed_expect_script(&b, FIRST, &s[i]);
	for (unsigned i = 0; i < ROUTE_SILENT_MAX; i++)
		bed_outcome(&b, &s[i], 0, LINK_EV_UNKNOWN, FAIL_UNKNOWN);
	assert_int_equal(lines_with("does not answer them"), 1);
	bed_pass(&b, ROUTE_TELL_MS);
	assert_int_equal(lines_with("does not answer them"), 2);
}

/* Takes a submit and closes: passed over after a few connections, and tried again now and then. */
static void who_closes_after_each_submit_is_passed_over(void **state)
{
	struct sent t;
	unsigned first = 0;

	bed_campaign(&b, 20, 1, "compact");
	for (unsigned i = 0; i < 20; i++) {
		if (bed_leaves(&b, FIRST, &t)) {
			first++;
			bed_outcome(&b, &t, 0, LINK_EV_UNKNOWN, FAIL_UNKNOWN);
			bed_link(&b, FIRST, false);
			bed_pass(&b, SECOND_MS);
			bed_link(&b, FIRST, true);
		} else {
			bed_expect_script(&b, SECOND, &t);
			bed_accepted(&b, &t);
		}
	}
	assert_int_equal(first, ROUTE_LOST_MAX + 1); /* and its first trial */
}

/* ------------------------------------------------------------------------------------------------ two routes in one campaign */

static unsigned near_card(unsigned card)
{
	return card >= 99 && card < 199;
}

/* One SMSC takes nothing (it throttles, or its window is full): the other's cards do not notice. */
static void a_slow_route_is_in_nobodys_way(void **state)
{
	struct gw_campaign_view view;
	struct gw_route_view v;
	unsigned rest = 0, mine = 0;
	struct sent s;
	uint64_t c;

	c = bed_campaign(&b, CARDS, 1, "compact");
	for (unsigned i = 0; i < 600 && rest < CARDS - 100; i++) {
		while (bed_leaves(&b, SECOND, &s)) {
			assert_false(near_card(s.card));
			bed_accepted(&b, &s);
			good(&s, SECOND);
			rest++;
		}
		bed_pass(&b, SECOND_MS);
	}
	assert_int_equal(rest, CARDS - 100);
	/* of the others no more is prepared than may be, and the rest has used no attempt */
	gw_route_view(b.gw, 0, &v);
	assert_string_equal(v.route->name, "near");
	assert_in_range(v.prepared, 32, 64);
	gw_route_view(b.gw, 1, &v);
	assert_int_equal(v.prepared, 0);
	view = bed_view(&b, c);
	assert_int_equal(view.attempts, rest + 64);
	/* now it takes again: each once */
	for (unsigned i = 0; i < 600 && mine < 100; i++) {
		while (bed_leaves(&b, FIRST, &s)) {
			assert_true(near_card(s.card));
			assert_int_equal(s.p.cntr, BED_CNTR + 1);
			bed_accepted(&b, &s);
			good(&s, SECOND);
			mine++;
		}
		bed_pass(&b, SECOND_MS);
	}
	assert_int_equal(mine, 100);
	assert_int_equal(bed_count(&b, c, TXN_DONE), CARDS);
}

/* The same with a link that is down: alarm for the one route, work on the other; also over a restart. */
static void a_dead_route_is_in_nobodys_way(void **state)
{
	char text[ROUTE_ALARM_MAX];
	unsigned rest = 0, mine = 0;
	struct sent s;
	uint64_t c;

	bed_link(&b, FIRST, false);
	c = bed_campaign(&b, CARDS, 1, "compact");
	for (unsigned i = 0; i < 600 && rest < CARDS - 100; i++) {
		while (bed_leaves(&b, SECOND, &s)) {
			bed_accepted(&b, &s);
			good(&s, SECOND);
			rest++;
		}
		bed_pass(&b, SECOND_MS);
	}
	assert_int_equal(rest, CARDS - 100);
	bed_pass(&b, ROUTE_FAILOVER_MS);
	assert_non_null(gw_route_alarm(b.gw, text));
	assert_non_null(strstr(text, "route near: "));
	bed_restart(&b); /* all links are up */
	for (unsigned i = 0; i < 600 && mine < 100; i++) {
		assert_false(bed_leaves(&b, SECOND, &s));
		while (bed_leaves(&b, FIRST, &s)) {
			assert_int_equal(s.p.cntr, BED_CNTR + 1);
			bed_accepted(&b, &s);
			good(&s, FIRST);
			mine++;
		}
		bed_pass(&b, SECOND_MS);
	}
	assert_int_equal(mine, 100);
	assert_int_equal(bed_count(&b, c, TXN_DONE), CARDS);
}

/* Pause takes back what is prepared in every route, cancel ends what waits for a place. */
static void pause_and_cancel_reach_all_routes(void **state)
{
	struct gw_route_view v;
	struct sent s;
	uint64_t c = bed_campaign(&b, CARDS, 1, "compact");

	bed_pass(&b, 5 * SECOND_MS);
	bed_verb(&b, c, CAMPAIGN_VERB_PAUSE);
	for (unsigned i = 0; i < 2; i++) {
		gw_route_view(b.gw, i, &v);
		assert_int_equal(v.prepared, 0);
	}
	bed_expect_nothing(&b);
	bed_verb(&b, c, CAMPAIGN_VERB_START);
	bed_pass(&b, 5 * SECOND_MS);
	bed_expect_script(&b, SECOND, &s);
	bed_accepted(&b, &s);
	bed_verb(&b, c, CAMPAIGN_VERB_CANCEL);
	bed_expect_nothing(&b);
	bed_pass(&b, 60 * MINUTE_MS);
	assert_int_equal(bed_count(&b, c, TXN_CANCELLED), CARDS);
	assert_int_equal(bed_stats(&b).open, 0);
}

/* The card speaks under its new number, which is another route's: its packets go there. */
static void a_card_that_moves_changes_its_route(void **state)
{
	struct sent s;

	bed_close(&b);
	open_with(2);
	memset(&route[0].match, 0, sizeof(route[0].match));
	route[0].n_matches = 0;
	match(&route[0], "msisdn-prefix", "8829911"); /* the new numbers of bed_campaign_with() */
	bed_restart(&b);
	bed_campaign_with(&b, 1, 1, " format compact\n", true, true);
	assert_false(bed_leaves(&b, FIRST, &s));
	bed_expect_script(&b, SECOND, &s);
	bed_accepted(&b, &s);
	/* it says nothing, and the attempts take turns between its numbers */
	bed_pass(&b, b.cfg.retry.por_timeout_ms + 5 * MINUTE_MS);
	assert_false(bed_leaves(&b, SECOND, &s));
	bed_expect_script(&b, FIRST, &s);
	assert_int_equal(strncmp(s.dst.digits, "8829911", 7), 0);
}

/* While commits take long nothing is taken from the inbox: a link that comes and goes all the time has its places there, no others, and
 * what it was last counts. */
static void one_that_comes_and_goes_fills_no_inbox(void **state)
{
	struct gw_event ev = { .kind = GW_EV_LINK, .link = FIRST };
	struct gw_link_view v;
	struct gw_stats st;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		ev.ev.kind = i % 2 ? LINK_EV_UP : LINK_EV_DOWN;
		assert_int_equal(gw_post(b.gw, &ev), 0);
	}
	gw_stats(b.gw, &st);
	assert_true(st.inbox <= 4);
	bed_turn(&b);
	gw_link_view(b.gw, FIRST, &v);
	assert_true(v.up);
	for (unsigned i = 0; i < 9999; i++) {
		ev.ev.kind = i % 2 ? LINK_EV_UP : LINK_EV_DOWN;
		assert_int_equal(gw_post(b.gw, &ev), 0);
	}
	bed_turn(&b);
	gw_link_view(b.gw, FIRST, &v);
	assert_false(v.up);
	assert_null(gw_fatal(b.gw));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(prepared_goes_by_the_next_link, setup, teardown),
		cmocka_unit_test_setup_teardown(a_short_break_moves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_out_is_repeated_elsewhere, setup, teardown),
		cmocka_unit_test_setup_teardown(a_packet_is_whole_on_one_link, setup, teardown),
		cmocka_unit_test_setup_teardown(without_any_link_cards_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(a_blocked_link_gets_nothing_and_brings_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(a_drained_link_finishes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(who_never_answers_is_passed_over, setup, teardown),
		cmocka_unit_test_setup_teardown(who_is_silent_now_and_then_fills_no_log, setup, teardown),
		cmocka_unit_test_setup_teardown(who_closes_after_each_submit_is_passed_over, setup, teardown),
		cmocka_unit_test_setup_teardown(one_that_comes_and_goes_fills_no_inbox, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slow_route_is_in_nobodys_way, setup_two, teardown),
		cmocka_unit_test_setup_teardown(a_dead_route_is_in_nobodys_way, setup_two, teardown),
		cmocka_unit_test_setup_teardown(pause_and_cancel_reach_all_routes, setup_two, teardown),
		cmocka_unit_test_setup_teardown(a_card_that_moves_changes_its_route, setup_two, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
