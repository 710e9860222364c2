/* test_route.c - routes as pure functions: whose a card is, which link carries it now, what operators have ordered.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "route.h"

#define FAILOVER_MS 10000
#define T0	    1700000000000LL

static void add(struct route *r, const char *by, const char *value)
{
	char err[ROUTE_ERR_MAX] = "";

	if (route_match_add(r, by, value, NULL, 0, err))
		fail_msg("%s %s: %s", by, value, err);
}

static void test_first_match_wins(void **state)
{
	struct route r[4] = { { .name = "a" }, { .name = "b" }, { .name = "c" }, { .name = "rest" } };
	static const struct {
		struct route_key key;
		unsigned route;
	} table[] = {
		{ { "262011234567890", "491700000001", "usim" }, 0 },
		{ { "262021234567890", "491700000001", "usim" }, 0 }, /* a second line of the same route */
		{ { "262031234567890", "491700000001", "usim" }, 1 },
		{ { "262031234567890", "431700000001", "usim" }, 3 },
		{ { "262031234567890", "431700000001", "sja2" }, 2 },
		{ { "2620", "", "" }, 3 }, /* shorter than the prefix */
		{ { NULL, NULL, NULL }, 3 },
		{ { "", "49", "sja2x" }, 1 },
	};

	add(&r[0], "imsi-prefix", "26201");
	add(&r[0], "imsi-prefix", "26202");
	add(&r[1], "msisdn-prefix", "+49");
	add(&r[2], "profile", "sja2");
	add(&r[3], "all", "");
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(route_find(r, 4, &table[i].key), table[i].route);
	assert_int_equal(route_find(r, 3, &table[5].key), 3); /* none */
	assert_true(route_takes_all(&r[3]));
	assert_false(route_takes_all(&r[0]));
}

static void test_match_refused(void **state)
{
	struct route above[2] = { { .name = "a" }, { .name = "rest" } }, r = { .name = "x" };
	static const struct {
		const char *by, *value;
		unsigned n_above;
		const char *says;
	} table[] = {
		{ "imsi", "26201", 0, "imsi-prefix, msisdn-prefix, profile or all" },
		{ "imsi-prefix", "2620x", 0, "1 to 15 digits" },
		{ "imsi-prefix", "", 0, "1 to 15 digits" },
		{ "imsi-prefix", "+26201", 0, "1 to 15 digits" },
		{ "msisdn-prefix", "4917000000000001", 0, "1 to 15 digits" },
		{ "all", "cards", 0, "takes nothing behind it" },
		{ "profile", "", 0, "1 to 47 characters" },
		{ "imsi-prefix", "26201", 1, "never reached: route a above takes imsi-prefix 262" },
		{ "msisdn-prefix", "1", 2, "never reached: route rest above takes all" },
		{ "profile", "sja2", 1, "never reached: route a above takes profile sja2" },
	};
	char err[ROUTE_ERR_MAX];

	add(&above[0], "imsi-prefix", "262");
	add(&above[0], "profile", "sja2");
	add(&above[1], "all", "");
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		*err = 0;
		assert_int_equal(route_match_add(&r, table[i].by, table[i].value, above, table[i].n_above, err), -1);
		if (!strstr(err, table[i].says))
			fail_msg("%s %s: \"%s\", wanted \"%s\"", table[i].by, table[i].value, err, table[i].says);
	}
	assert_int_equal(r.n_matches, 0);
	/* shorter than what stands above, or of another kind, is reached */
	assert_int_equal(route_match_add(&r, "imsi-prefix", "26", above, 1, err), 0);
	assert_int_equal(route_match_add(&r, "msisdn-prefix", "262", above, 1, err), 0);
	assert_int_equal(route_match_add(&r, "profile", "sja", above, 1, err), 0);
	while (r.n_matches < ROUTE_MATCH_MAX)
		assert_int_equal(route_match_add(&r, "profile", "p", NULL, 0, err), 0);
	assert_int_equal(route_match_add(&r, "profile", "p", NULL, 0, err), -1);
}

/* a and b share, c comes after them, d last. */
static struct route abc(void)
{
	struct route r = { .name = "r", .n_links = 4 };

	for (uint8_t i = 0; i < 4; i++) {
		r.via[i].link = i;
		r.via[i].rank = i < 2 ? 0 : (uint8_t)(i - 1);
	}
	return r;
}

static unsigned serving(const struct route *r, const struct route_link *l, int64_t now_ms)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < 5; i++)
		mask |= (unsigned)route_serves(r, i, l, FAILOVER_MS, now_ms) << i;
	return mask;
}

#define A 1u
#define B 2u
#define C 4u
#define D 8u

static void up(struct route_link *l, unsigned mask, int64_t now_ms)
{
	for (unsigned i = 0; i < 5; i++)
		route_link_up(&l[i], mask >> i & 1, now_ms);
}

static void test_fail_over_in_order(void **state)
{
	const struct route r = abc();
	struct route_link l[5] = {
		{ .since_ms = T0 }, { .since_ms = T0 }, { .since_ms = T0 }, { .since_ms = T0 }, { .since_ms = T0 }
	};

	/* at the start all are waited for, and the first one that comes does not take what is another's */
	up(l, C | D | 16, T0 + 100);
	assert_int_equal(serving(&r, l, T0 + 200), 0);
	assert_int_equal(route_rank(&r, l, FAILOVER_MS, T0 + 200), 0);
	assert_int_equal(route_due(&r, l, FAILOVER_MS, T0 + 200), T0 + FAILOVER_MS);
	assert_int_equal(serving(&r, l, T0 + FAILOVER_MS), C);
	assert_int_equal(route_rank(&r, l, FAILOVER_MS, T0 + FAILOVER_MS), 1);
	/* and gives it back at once */
	up(l, A | C | D, T0 + 20000);
	assert_int_equal(serving(&r, l, T0 + 20000), A);
	up(l, A | B | C | D, T0 + 21000);
	assert_int_equal(serving(&r, l, T0 + 21000), A | B);
	assert_int_equal(route_due(&r, l, FAILOVER_MS, T0 + 21000), INT64_MAX);
	/* of two that share, the other one does it alone */
	up(l, B | C | D, T0 + 22000);
	assert_int_equal(serving(&r, l, T0 + 60000), B);
	up(l, C | D, T0 + 70000);
	assert_int_equal(serving(&r, l, T0 + 70000 + FAILOVER_MS - 1), 0);
	assert_int_equal(serving(&r, l, T0 + 70000 + FAILOVER_MS), C);
	up(l, D, T0 + 90000);
	assert_int_equal(serving(&r, l, T0 + 90000), 0);
	assert_int_equal(serving(&r, l, T0 + 90000 + FAILOVER_MS), D);
	up(l, 0, T0 + 110000);
	assert_int_equal(route_rank(&r, l, FAILOVER_MS, T0 + 110000 + FAILOVER_MS), -1);
	/* a clock that was set back makes nobody wait */
	assert_int_equal(route_rank(&r, l, FAILOVER_MS, T0), -1);
}

static void test_orders(void **state)
{
	const struct route r = abc();
	struct route_link l[5] = { { 0 } };

	up(l, A | B | C | D, T0);
	l[0].order = LINK_BLOCKED;
	assert_int_equal(serving(&r, l, T0), B);
	l[1].order = LINK_DRAINED; /* nobody waits for what was ordered away */
	assert_int_equal(serving(&r, l, T0), C);
	up(l, A | B, T0);
	l[2].order = l[3].order = LINK_BLOCKED;
	assert_int_equal(serving(&r, l, T0), 0);
	assert_int_equal(route_rank(&r, l, FAILOVER_MS, T0), -1);
	assert_int_equal(route_due(&r, l, FAILOVER_MS, T0), INT64_MAX);
	l[0].order = LINK_OPEN;
	assert_int_equal(serving(&r, l, T0), A);
}

static void test_takes_and_never_answers(void **state)
{
	const struct route r = abc();
	struct route_link l[5] = { { 0 } };

	up(l, A | B | C | D, T0);
	for (unsigned i = 0; i < ROUTE_SILENT_MAX - 1; i++)
		route_link_unanswered(&l[0], T0);
	assert_int_equal(serving(&r, l, T0), A | B);
	route_link_unanswered(&l[0], T0 + 1);
	assert_int_equal(l[0].suspect_ms, T0 + 1);
	assert_int_equal(serving(&r, l, T0 + 1), A | B); /* its first trial */
	route_link_took(&l[0], T0 + 1);
	assert_int_equal(serving(&r, l, T0 + 2), B);
	assert_int_equal(route_due(&r, l, FAILOVER_MS, T0 + 2), T0 + 1 + ROUTE_TRY_MS);
	assert_int_equal(serving(&r, l, T0 + 1 + ROUTE_TRY_MS), A | B);
	/* when no other is left it does what it can */
	up(l, A, T0 + 100);
	assert_int_equal(serving(&r, l, T0 + 100), 0);
	assert_int_equal(serving(&r, l, T0 + 100 + FAILOVER_MS), A);
	up(l, A | C, T0 + 20000);
	assert_int_equal(serving(&r, l, T0 + 20000), C);
	route_link_answered(&l[0]);
	assert_int_equal(l[0].suspect_ms, 0);
	assert_int_equal(serving(&r, l, T0 + 20000), A);
}

/* Whoever would only wait behind one that is well is not tried. */
static void test_suspect_backup(void **state)
{
	const struct route r = abc();
	struct route_link l[5] = { { 0 } };

	up(l, A | C | D, T0);
	for (unsigned i = 0; i < ROUTE_SILENT_MAX; i++)
		route_link_unanswered(&l[2], T0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(serving(&r, l, T0 + i * ROUTE_TRY_MS), A);
	/* when it is its turn it is tried, beside the next one */
	l[0].order = l[1].order = LINK_BLOCKED;
	assert_int_equal(serving(&r, l, T0), C | D);
	route_link_took(&l[2], T0);
	assert_int_equal(serving(&r, l, T0 + 1), D);
	assert_int_equal(serving(&r, l, T0 + ROUTE_TRY_MS), C | D);
	/* and beside one of its own rank */
	l[0].order = l[1].order = LINK_OPEN;
	up(l, A | B, T0);
	for (unsigned i = 0; i < ROUTE_SILENT_MAX; i++)
		route_link_unanswered(&l[1], T0);
	assert_int_equal(serving(&r, l, T0), A | B);
}

static void test_closes_after_each_submit(void **state)
{
	const struct route r = abc();
	struct route_link l[5] = { { 0 } };

	up(l, A | C, T0);
	for (unsigned i = 0; i < ROUTE_LOST_MAX; i++) {
		assert_int_equal(l[0].suspect_ms, 0);
		route_link_unanswered(&l[0], T0 + i);
		route_link_up(&l[0], false, T0 + i);
		route_link_up(&l[0], true, T0 + i);
	}
	assert_int_not_equal(l[0].suspect_ms, 0);
	route_link_took(&l[0], T0 + 10);
	up(l, A | C, T0 + 10);
	l[1].order = LINK_BLOCKED;
	assert_int_equal(serving(&r, l, T0 + 11), C);
	route_link_answered(&l[0]);
	assert_int_equal(serving(&r, l, T0 + 11), A);
	/* a window full of submits that one lost connection takes with it is one loss */
	for (unsigned i = 0; i < 5 * ROUTE_SILENT_MAX; i++)
		route_link_unanswered(&l[0], T0 + 20);
	route_link_up(&l[0], false, T0 + 20);
	assert_int_equal(l[0].suspect_ms, 0);
	route_link_up(&l[0], true, T0 + 21);
	assert_int_equal(serving(&r, l, T0 + 21), A);
}

static void test_default(void **state)
{
	struct route_link l[5] = { { 0 } };
	const struct route_key nobody = { NULL, NULL, NULL };
	struct route r;

	route_default(&r, 3);
	assert_int_equal(route_find(&r, 1, &nobody), 0);
	up(l, A | C, T0);
	assert_int_equal(serving(&r, l, T0), A | C);
	up(l, A | C | D, T0);
	assert_int_equal(serving(&r, l, T0), A | C); /* D is not one of the three */
}

static void test_orders_kept(void **state)
{
	const char *const names[] = { "msc-a", "msc-b", "msc" }, *const less[] = { "msc", "new" };
	struct route_link l[3] = { { .order = LINK_BLOCKED }, { .order = LINK_OPEN }, { .order = LINK_DRAINED } };
	uint8_t order[ROUTE_LINKS_MAX];
	char text[ROUTE_ORDERS_MAX], absent[ROUTE_ABSENT_MAX];
	size_t n = route_orders_print(text, names, l, 3, "");

	assert_string_equal(text, "msc-a blocked\nmsc drained\n");
	assert_int_equal(route_orders_parse(text, n, names, 3, order, absent), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(order[i], l[i].order);
	assert_int_equal(route_orders_parse(text, n, less, 2, order, absent), 0);
	assert_int_equal(order[0], LINK_DRAINED);
	assert_int_equal(order[1], LINK_OPEN);
	/* who is not in the config now keeps its order until it is */
	assert_string_equal(absent, "msc-a blocked\n");
	l[0].order = LINK_DRAINED;
	n = route_orders_print(text, less, l, 2, absent);
	assert_string_equal(text, "msc drained\nmsc-a blocked\n");
	assert_int_equal(route_orders_parse(text, n, names, 3, order, absent), 0);
	assert_int_equal(order[0], LINK_BLOCKED);
	assert_int_equal(order[2], LINK_DRAINED);
	assert_string_equal(absent, "");
	for (size_t cut = 0; cut < n; cut++) { /* at every length: what can be read is, and nothing else happens */
		char *half = test_malloc(cut + 1);

		memcpy(half, text, cut);
		route_orders_parse(half, cut, names, 3, order, absent);
		assert_int_equal(order[1], LINK_OPEN);
		test_free(half);
	}
	assert_int_equal(route_orders_parse("msc-b\nmsc-b gone\n x\n\nmsc blocked", 32, names, 3, order, absent), -1);
	assert_int_equal(order[1], LINK_OPEN);
	assert_int_equal(order[2], LINK_BLOCKED);
}

/* As many links as there may be, with the longest names. */
static void test_orders_fit(void **state)
{
	static char name[ROUTE_LINKS_MAX][LINK_NAME_MAX];
	const char *names[ROUTE_LINKS_MAX];
	struct route_link l[ROUTE_LINKS_MAX];
	uint8_t order[ROUTE_LINKS_MAX];
	char text[ROUTE_ORDERS_MAX], absent[ROUTE_ABSENT_MAX];
	const char *const none[] = { "z" };
	size_t n, kept;

	for (unsigned i = 0; i < ROUTE_LINKS_MAX; i++) {
		memset(name[i], 'a' + (int)i, LINK_NAME_MAX - 1);
		names[i] = name[i];
		l[i] = (struct route_link){ .order = LINK_DRAINED };
	}
	n = route_orders_print(text, names, l, ROUTE_LINKS_MAX, "");
	assert_true(n < sizeof(text));
	assert_int_equal(strlen(text), n);
	assert_int_equal(route_orders_parse(text, n, names, ROUTE_LINKS_MAX, order, absent), 0);
	for (unsigned i = 0; i < ROUTE_LINKS_MAX; i++)
		assert_int_equal(order[i], LINK_DRAINED);
	/* all of them absent, and as many again: whole lines, as many as there is room for */
	assert_int_equal(route_orders_parse(text, n, none, 1, order, absent), 0);
	assert_int_equal(strlen(absent), n);
	n = route_orders_print(text, names, l, ROUTE_LINKS_MAX, absent);
	assert_true(n < sizeof(text));
	assert_int_equal(route_orders_parse(text, n, none, 1, order, absent), 0);
	kept = strlen(absent);
	assert_true(kept < ROUTE_ABSENT_MAX && kept + LINK_NAME_MAX + sizeof("drained") >= ROUTE_ABSENT_MAX);
	assert_int_equal(absent[kept - 1], '\n');
	assert_memory_equal(absent, text, kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_match_wins),
		cmocka_unit_test(test_match_refused),
		cmocka_unit_test(test_fail_over_in_order),
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_takes_and_never_answers),
		cmocka_unit_test(test_suspect_backup),
		cmocka_unit_test(test_closes_after_each_submit),
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_orders_kept),
		cmocka_unit_test(test_orders_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
