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
	assert_int_equal(one(f, ST_CARD_INSERT, &in, NULL, 0), STORE_R_UPDATED);
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

/* So does the profile it is made for. */
static void test_card_profile(void **state)
{
	struct fix *f = *state;
	struct store_card_insert in = card_make(1, 1);
	struct card_row row;

	assert_int_equal(one(f, ST_CARD_INSERT, &in, NULL, 0), 0);
	assert_string_equal(fetch(f, in.card.id)->card.profile, "");
	snprintf(in.card.profile, sizeof(in.card.profile), "usim-rfm-expanded");
	assert_int_equal(one(f, ST_CARD_INSERT, &in, NULL, 0), STORE_R_UPDATED);
	assert_int_equal(one(f, ST_CARD_INSERT, &in, NULL, 0), STORE_R_SAME);
	memset(in.card.profile, 0, sizeof(in.card.profile));
	snprintf(in.card.profile, sizeof(in.card.profile), "sim"); /* shorter: nothing of the old one stays */
	in.card.tz_min = CARD_TZ_KEEP;
	assert_int_equal(one(f, ST_CARD_INSERT, &in, NULL, 0), STORE_R_UPDATED);
	memset(in.card.profile, 0, sizeof(in.card.profile));
	assert_int_equal(one(f, ST_CARD_INSERT, &in, NULL, 0), STORE_R_SAME);
	row = fetch(f, in.card.id)->card;
	assert_string_equal(row.profile, "sim");
	snprintf(row.profile, sizeof(row.profile), "other");
	row.imsi[0] = '9';
	assert_int_equal(one(f, ST_CARD_PUT, &row, NULL, 0), 0);
	assert_string_equal(fetch(f, row.id)->card.profile, "sim");
}

/* What becomes of a plan for card n under these terms: the way the campaign's list is selected. */
static int planned(struct fix *f, unsigned n, const struct store_filter *fl)
{
	struct store_txn_plan p = plan_make(1, n, 500 + n);
	int rc;

	p.filter = *fl;
	store_batch_reset(f->b);
	add(f, ST_TXN_PLAN, &p, NULL, 0);
	f->b->dry_run = true; /* each card again and again */
	assert_int_equal(commit_rc(f), STORE_OK);
	rc = f->b->ops[0].rc;
	f->b->dry_run = false;
	store_batch_reset(f->b);
	return rc;
}

static bool through(struct fix *f, unsigned n, uint8_t field, uint8_t op, const char *digits, int64_t number)
{
	struct store_filter fl = { .n = 1, .term = { { .field = field, .op = op, .number = number } } };
	int rc;

	snprintf(fl.term[0].text, sizeof(fl.term[0].text), "%s", digits);
	rc = planned(f, n, &fl);
	if (rc != STORE_R_FILTERED)
		assert_int_equal(rc, STORE_OK);
	return rc == STORE_OK;
}

static void filter_cards(struct fix *f)
{
	struct store_card_insert in;

	campaign_in(f, 1, "swap", CAMPAIGN_LOADING);
	for (unsigned n = 1; n <= 3; n++) {
		in = card_make(n, n == 3 ? 1 : 2);
		in.card.last_seen_ms = n == 1 ? 0 : T0 + n;
		in.keyset[0].kic_alg = n == 3 ? OTA_ALG_3DES2_CBC : OTA_ALG_AES_CBC;
		in.keyset[0].sealed[3] = (uint8_t)(n + 1); /* octets of KIc: 16, 24, 32 */
		in.keyset[1].kic_alg = OTA_ALG_3DES3_CBC;
		if (n == 2)
			snprintf(in.card.profile, sizeof(in.card.profile), "usim-rfm");
		assert_int_equal(one(f, ST_CARD_INSERT, &in, NULL, 0), 0);
	}
}

static void test_filter_digits(void **state)
{
	struct fix *f = *state;

	filter_cards(f); /* 8988211 and twelve digits of n; 00101 and ten; 49170 and seven */
	assert_true(through(f, 2, STORE_F_ICCID, STORE_IS, "8988211000000000002", 0));
	assert_false(through(f, 2, STORE_F_ICCID, STORE_NOT, "8988211000000000002", 0));
	assert_false(through(f, 3, STORE_F_ICCID, STORE_IS, "8988211000000000002", 0));
	assert_true(through(f, 3, STORE_F_ICCID, STORE_NOT, "8988211000000000002", 0));
	assert_true(through(f, 3, STORE_F_ICCID, STORE_BEGINS, "8988211", 0));
	assert_false(through(f, 3, STORE_F_ICCID, STORE_BEGINS, "8988212", 0));
	assert_true(through(f, 3, STORE_F_ICCID, STORE_BEGINS_NOT, "8988212", 0));
	for (unsigned n = 1; n <= 3; n++) {
		assert_int_equal(through(f, n, STORE_F_ICCID, STORE_FROM, "8988211000000000002", 0), n >= 2);
		assert_int_equal(through(f, n, STORE_F_ICCID, STORE_UPTO, "8988211000000000002", 0), n <= 2);
		assert_true(through(f, n, STORE_F_ICCID, STORE_UPTO, "89882", 0)); /* as many digits as there are */
		assert_true(through(f, n, STORE_F_ICCID, STORE_FROM, "89882", 0));
	}
	assert_true(through(f, 1, STORE_F_IMSI, STORE_BEGINS, "00101", 0));
	assert_false(through(f, 1, STORE_F_IMSI, STORE_BEGINS, "00102", 0));
	assert_true(through(f, 1, STORE_F_IMSI, STORE_IS, "001010000000001", 0));
	assert_true(through(f, 1, STORE_F_MSISDN, STORE_BEGINS, "49170", 0));
	assert_false(through(f, 1, STORE_F_MSISDN, STORE_IS, "49170", 0));
	assert_false(through(f, 1, STORE_F_MSISDN, STORE_BELOW, "9", 0)); /* numbers alone have it: nothing fits */
	for (unsigned n = 1; n <= 3; n++) {
		assert_int_equal(through(f, n, STORE_F_PROFILE, STORE_IS, "usim-rfm", 0), n == 2);
		assert_int_equal(through(f, n, STORE_F_PROFILE, STORE_NOT, "usim-rfm", 0), n != 2);
		assert_int_equal(through(f, n, STORE_F_PROFILE, STORE_IS, "", 0), n != 2);
	}
	/* who is filtered by his ICCID need not be known */
	assert_false(through(f, 99, STORE_F_ICCID, STORE_BEGINS, "1", 0));
	assert_int_equal(planned(f, 99, &(struct store_filter){ .n = 0 }), STORE_R_NO_CARD);
}

static void test_filter_seen_and_keys(void **state)
{
	struct fix *f = *state;
	struct store_filter two = {
		.n = 2,
		.term = { { .field = STORE_F_KVN, .op = STORE_IS, .number = 2 },
			  { .field = STORE_F_ALG, .op = STORE_IS, .number = STORE_ALG(OTA_ALG_3DES3_CBC, 0) } }
	};

	filter_cards(f);
	for (unsigned n = 1; n <= 3; n++) {
		int64_t seen = n == 1 ? 0 : T0 + n;

		for (uint8_t op = STORE_IS; op <= STORE_ABOVE; op++)
			assert_int_equal(through(f, n, STORE_F_SEEN, op, "", T0 + 2),
					 op == STORE_IS	   ? seen == T0 + 2 :
					 op == STORE_NOT   ? seen != T0 + 2 :
					 op == STORE_BELOW ? seen < T0 + 2 :
					 op == STORE_UPTO  ? seen <= T0 + 2 :
					 op == STORE_FROM  ? seen >= T0 + 2 :
							     seen > T0 + 2);
		assert_int_equal(through(f, n, STORE_F_SEEN, STORE_IS, "", 0), n == 1); /* never */
		assert_int_equal(through(f, n, STORE_F_KVN, STORE_IS, "", 2), n != 3);
		assert_int_equal(through(f, n, STORE_F_KVN, STORE_NOT, "", 2), n == 3);
		assert_false(through(f, n, STORE_F_KVN, STORE_IS, "", 7));
		/* of the version that the plan needs: 1 */
		assert_int_equal(through(f, n, STORE_F_ALG, STORE_IS, "", STORE_ALG(OTA_ALG_AES_CBC, 0)), n != 3);
		assert_int_equal(through(f, n, STORE_F_ALG, STORE_IS, "", STORE_ALG(OTA_ALG_AES_CBC, 24)), n == 2);
		assert_int_equal(through(f, n, STORE_F_ALG, STORE_NOT, "", STORE_ALG(OTA_ALG_AES_CBC, 24)), n != 2);
		/* of the version that is named beside it */
		assert_int_equal(planned(f, n, &two), n == 3 ? STORE_R_FILTERED : STORE_OK);
	}
}

/* A card that the filter leaves out is not refused for anything else, and takes nothing. */
static void test_filter_comes_first(void **state)
{
	struct fix *f = *state;
	struct store_txn_plan p = plan_make(1, 1, 1);
	struct txn_row t;

	filter_cards(f);
	t = txn_in(f, 1, 1, 1); /* has an open transaction from now on */
	p.kvn = 9;		/* and no keys of this version */
	p.need_msisdn = true;
	p.filter = (struct store_filter){ .n = 1, .term = { { .field = STORE_F_KVN, .op = STORE_IS, .number = 9 } } };
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_FILTERED);
	p.filter.term[0].op = STORE_NOT;
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_NO_KEYSET);
	p = plan_make(1, 2, 2);
	p.filter =
		(struct store_filter){ .n = 1, .term = { { .field = STORE_F_SEEN, .op = STORE_ABOVE, .number = T0 } } };
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), 0);
	assert_true(p.txn.id > t.id);
	assert_true(p.seen_ms == T0 + 2);
	assert_int_equal(totals(f).txns, 2);
}

/* What is done again must be the last that the card was given. */
static void test_retry_of_the_newest(void **state)
{
	struct fix *f = *state;
	struct store_txn_plan p = plan_make(1, 1, 7);
	struct txn_row t, second;

	filter_cards(f);
	t = txn_in(f, 1, 1, 7);
	t.state = TXN_EXPIRED;
	assert_int_equal(one(f, ST_TXN_PUT, &t, NULL, 0), 0);
	p.retry_of = t.id + 1; /* not of this card, or of nobody */
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_LATER_TXN);
	p.retry_of = t.id;
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), 0);
	second = p.txn;
	second.state = TXN_DONE;
	assert_int_equal(one(f, ST_TXN_PUT, &second, NULL, 0), 0);
	p = plan_make(1, 1, 7);
	p.retry_of = t.id;
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), STORE_R_LATER_TXN);
	p.retry_of = 0; /* who gives a list decides himself */
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), 0);
	p = plan_make(1, 2, 8);
	p.retry_of = 1; /* it has had none at all: nothing stands against it */
	assert_int_equal(one(f, ST_TXN_PLAN, &p, NULL, 0), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_card_zone),	    T(test_card_profile),
		T(test_filter_digits),	    T(test_filter_seen_and_keys),
		T(test_filter_comes_first), T(test_retry_of_the_newest),
	};
	int rc = cmocka_run_group_tests_name("memory", tests, NULL, NULL);

	use_sqlite = true;
	return rc + cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
}
