/* test_front_events.c - the lines that a screen shows: which are kept, which are one and the same.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "events.h"

static struct events e;
static const struct event_line *got[EVENTS_MAX];

static int setup(void **state)
{
	memset(&e, 0, sizeof(e));
	return 0;
}

static void the_newest_are_kept(void **state)
{
	char text[32];

	assert_int_equal(events_after(&e, 0, got, EVENTS_MAX), 0);
	for (int i = 1; i <= EVENTS_MAX + 10; i++) {
		snprintf(text, sizeof(text), "campaign c%d: DONE", i);
		events_note(&e, i, 5, text);
	}
	events_note(&e, 999, 6, "a line per card is not kept");
	events_note(&e, 999, -1, "nor is this");
	assert_int_equal(events_after(&e, 0, got, EVENTS_MAX), EVENTS_MAX);
	assert_string_equal(got[0]->text, "campaign c11: DONE");
	assert_string_equal(got[EVENTS_MAX - 1]->text, "campaign c266: DONE");
	assert_int_equal(events_after(&e, 0, got, 3), 3);
	assert_string_equal(got[0]->text, "campaign c264: DONE");
	assert_int_equal(events_after(&e, e.last - 1, got, EVENTS_MAX), 1);
	assert_int_equal(events_after(&e, e.last, got, EVENTS_MAX), 0);
}

static void a_link_that_is_down_for_hours_is_one_line(void **state)
{
	char text[64];

	events_note(&e, 1, 5, "campaign swap1: RUNNING");
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "smpp a1: connection lost, next try in %d ms", i);
		events_note(&e, 10 + i, 4, text);
		snprintf(text, sizeof(text), "smpp a2: connection lost, next try in %d ms", i * 7);
		events_note(&e, 10 + i, 4, text);
	}
	assert_int_equal(events_after(&e, 0, got, EVENTS_MAX), 3);
	assert_string_equal(got[0]->text, "campaign swap1: RUNNING");
	assert_string_equal(got[1]->text, "smpp a1: connection lost, next try in 999 ms");
	assert_int_equal(got[1]->times, 1000);
	assert_int_equal(got[1]->first_ms, 10);
	assert_int_equal(got[1]->at_ms, 1009);
	assert_int_equal(got[2]->times, 1000);
	/* who pages sees it again */
	assert_int_equal(events_after(&e, e.last - 2, got, EVENTS_MAX), 2);
	/* another reason is another line, and so is another name or what is no warning */
	events_note(&e, 2000, 4, "smpp a1: connection refused, next try in 1 ms");
	events_note(&e, 2000, 4, "smpp a3: connection refused, next try in 1 ms");
	events_note(&e, 2001, 5, "campaign swap1: RUNNING");
	assert_int_equal(events_after(&e, 0, got, EVENTS_MAX), 6);
}

static void a_long_line_is_cut(void **state)
{
	char text[2 * EVENTS_TEXT_MAX];

	memset(text, '7', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	events_note(&e, 1, 4, text);
	events_note(&e, 2, 4, text);
	assert_true(events_after(&e, 0, got, EVENTS_MAX) >= 1);
	assert_int_equal(strlen(got[0]->text), EVENTS_TEXT_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_newest_are_kept, setup),
		cmocka_unit_test_setup(a_link_that_is_down_for_hours_is_one_line, setup),
		cmocka_unit_test_setup(a_long_line_is_cut, setup),
	};

	return cmocka_run_group_tests_name("front.events", tests, NULL, NULL);
}
