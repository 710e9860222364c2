/* test_store_select.c - what a store promises of a card's zone and of filters, asked of every backend.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "contract_fix.h"

/* The zone of a known card follows its import; the core never changes it. */
static void test_card_zone(void **state)
{
	struct fix *f = *state;
	struct store_card_insert in = card_make(1, 1);
	struct card_row row;

	in.card.tz_min = CARD_TZ_KEEP;
	assert_int_equal(one(f, ST_CARD_INSERT, &in, NULL, 0), 0);
	assert_int_equal(fetch(f, in.card.id)->card.tz_min, 0);
	in.card.tz_min = -330;
	assert_int_equal(one(f, ST_CARD_INSERT, &in, NULL, 0), STORE_R_SAME);
	in.card.tz_min = CARD_TZ_KEEP;
	assert_int_equal(one(f, ST_CARD_INSERT, &in, NULL, 0), STORE_R_SAME);
	assert_int_equal(fetch(f, in.card.id)->card.tz_min, -330);
	row = fetch(f, in.card.id)->card;
	row.tz_min = 60;
	row.last_seen_ms = T0 + 1;
	assert_int_equal(one(f, ST_CARD_PUT, &row, NULL, 0), 0);
	row.imsi[0] = '9';
	assert_int_equal(one(f, ST_CARD_PUT, &row, NULL, 0), 0);
	assert_int_equal(fetch(f, in.card.id)->card.tz_min, -330);
	assert_int_equal(fetch(f, in.card.id)->card.imsi[0], '9');
	/* another card under its number changes nothing */
	in.card.msisdn[0] = '9';
	in.card.tz_min = 600;
	assert_int_equal(one(f, ST_CARD_INSERT, &in, NULL, 0), STORE_R_DUP_ICCID);
	assert_int_equal(fetch(f, row.id)->card.tz_min, -330);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_card_zone),
	};
	int rc = cmocka_run_group_tests_name("memory", tests, NULL, NULL);

	use_sqlite = true;
	return rc + cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
}
