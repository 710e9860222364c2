/* test_front_links.c - links and routes by the API: shown, blocked, drained, opened; orders that make no sense.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "front_fix.h"

static void fake_stats(struct link *l, struct link_stats *out)
{
	*out = (struct link_stats){ .up = l->id == 0, .window = 10, .p50_ms = -1, .p99_ms = -1 };
}

static const struct link_ops fake_ops = { .kind = "fake", .stats = fake_stats };
static struct link link_a = { .ops = &fake_ops, .name = "msc-a", .id = 0 };
static struct link link_b = { .ops = &fake_ops, .name = "msc-b", .id = 1 };
static struct link *const links[] = { &link_a, &link_b };
static struct route routes[2];

static int setup(void **state)
{
	struct front *f = front_new(PROFILE_DIR);
	char err[ROUTE_ERR_MAX];

	memset(routes, 0, sizeof(routes));
	snprintf(routes[0].name, sizeof(routes[0].name), "de");
	snprintf(routes[1].name, sizeof(routes[1].name), "rest");
	assert_int_equal(route_match_add(&routes[0], "imsi-prefix", "26201", NULL, 0, err), 0);
	assert_int_equal(route_match_add(&routes[0], "profile", "usim-rfm", NULL, 0, err), 0);
	assert_int_equal(route_match_add(&routes[1], "all", "", NULL, 0, err), 0);
	routes[0].n_links = 2;
	routes[0].via[1].link = routes[0].via[1].rank = 1;
	routes[1].n_links = 2;
	routes[1].via[0].link = 1;
	f->n_links = 2;
	f->links = links;
	f->routes = routes;
	f->n_routes = 2;
	front_restart(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	front_free(*state);
	return 0;
}

static void up(struct front *f, unsigned link, bool is)
{
	const struct gw_event ev = { .kind = GW_EV_LINK,
				     .link = link,
				     .ev = { .kind = is ? LINK_EV_UP : LINK_EV_DOWN } };

	assert_int_equal(gw_post(f->gw, &ev), 0);
	front_turn(f);
}

static int order(struct front *f, const char *name, enum link_order o)
{
	api_link_order(f->api, name, o, front_to(f));
	front_wait(f);
	return f->status;
}

static void look(struct front *f)
{
	api_links(f->api, front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 200);
}

static void has(const struct front *f, const char *what)
{
	if (!strstr(f->text, what))
		fail_msg("no %s in %s", what, f->text);
}

static void test_shown(void **state)
{
	struct front *f = *state;

	up(f, 0, true);
	look(f);
	has(f, "\"name\":\"msc-a\",\"up\":true");
	has(f, "\"order\":\"open\",\"idle\":false,\"suspect\":false");
	has(f, "\"routes\":[{\"name\":\"de\",\"match\":[\"imsi-prefix 26201\",\"profile "
	       "usim-rfm\"],\"via\":[[\"msc-a\"],[\"msc-b\"]],"
	       "\"serving\":[\"msc-a\"],\"prepared\":0,\"dead\":false}");
	has(f, "{\"name\":\"rest\",\"match\":[\"all\"],\"via\":[[\"msc-b\",\"msc-a\"]],\"serving\":[\"msc-a\"],");
	/* without any link: an alarm, here and in the status */
	up(f, 0, false);
	f->now_ms += ROUTE_FAILOVER_MS;
	front_turn(f);
	look(f);
	has(f, "\"alarm\":\"route de (and 1 more): none of its links can be used (msc-a down, msc-b down)");
	api_status(f->api, front_to(f));
	front_wait(f);
	has(f, "\"alarm\":\"route de (and 1 more)");
	has(f, "\"dead\":true");
}

static void test_ordered(void **state)
{
	struct front *f = *state;

	up(f, 0, true);
	up(f, 1, true);
	assert_int_equal(order(f, "msc-a", LINK_BLOCKED), 200);
	assert_string_equal(front_s(f, "name"), "msc-a");
	assert_string_equal(front_s(f, "state"), "blocked");
	look(f);
	has(f, "\"order\":\"blocked\"");
	has(f, "\"serving\":[\"msc-b\"]");
	assert_int_equal(order(f, "msc-a", LINK_BLOCKED), 409);
	assert_string_equal(front_error(f), "already");
	assert_int_equal(order(f, "msc-a", LINK_DRAINED), 200); /* from one to the other */
	assert_string_equal(front_s(f, "state"), "drained");	/* it had nothing to finish */
	assert_int_equal(order(f, "msc-a", LINK_OPEN), 200);
	assert_string_equal(front_s(f, "state"), "open");
	assert_int_equal(order(f, "msc-a", LINK_OPEN), 409);
	assert_non_null(strstr(f->log, "link msc-a blocked: "));
	assert_non_null(strstr(f->log, "link msc-a drained: "));
	assert_non_null(strstr(f->log, "link msc-a opened: "));
}

static void test_no_such_link(void **state)
{
	struct front *f = *state;

	assert_int_equal(order(f, "msc-c", LINK_BLOCKED), 404);
	assert_string_equal(front_error(f), "no-such-link");
	has(f, "did you mean msc-");
	assert_int_equal(order(f, "0", LINK_BLOCKED), 404);
	has(f, "'otactl smsc list' names them");
	assert_int_equal(order(f, "", LINK_DRAINED), 404);
}

/* While the store takes nothing the order holds already, and is answered when it is durable. */
static void test_store_trouble(void **state)
{
	struct front *f = *state;
	unsigned before;

	up(f, 0, true);
	up(f, 1, true);
	f->core_fault = STORE_E_FULL;
	before = f->answers;
	api_link_order(f->api, "msc-a", LINK_BLOCKED, front_to(f));
	for (int i = 0; i < 20; i++)
		front_turn(f);
	assert_int_equal(f->answers, before);
	look(f);
	has(f, "\"order\":\"blocked\"");
	f->core_fault = 0;
	before = f->answers;
	for (int i = 0; i < 20 && f->answers == before; i++) {
		f->now_ms += 5000;
		front_turn(f);
	}
	assert_int_equal(f->status, 200);
	assert_string_equal(front_s(f, "state"), "blocked");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_shown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ordered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_such_link, setup, teardown),
		cmocka_unit_test_setup_teardown(test_store_trouble, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
