/* test_front_receipts.c - what delivery receipts do to a card in a campaign: they hint, and end nothing.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The real core with one link whose far side is this file.
 */
#include "front_fix.h"

#define PARTS_MAX 8
#define MSISDN	  "4915100000000"

struct bed {
	struct front *f;
	uint64_t campaign;
	uint64_t token[PARTS_MAX]; /* of the last attempt */
	unsigned parts;
};

static void turns(struct bed *b)
{
	for (int i = 0; i < 50; i++)
		front_turn(b->f);
}

static void post(struct bed *b, const struct link_event *ev)
{
	struct gw_event g = { .kind = GW_EV_LINK, .ev = *ev };

	assert_int_equal(gw_post(b->f->gw, &g), 0);
	turns(b);
}

/* Takes the next attempt off the prepared queue; the number of its parts. */
static unsigned take(struct bed *b)
{
	struct link_submit sm;
	uint8_t ud[LINK_UD_MAX];

	turns(b);
	for (b->parts = 0; gw_submit_next(b->f->gw, 0, PARTS_MAX, b->f->now_ms, &sm, ud);) {
		assert_true(b->parts < PARTS_MAX);
		b->token[b->parts++] = sm.token;
	}
	return b->parts;
}

static void accept_parts(struct bed *b)
{
	for (unsigned i = 0; i < b->parts; i++)
		post(b, &(struct link_event){ .kind = LINK_EV_ACCEPTED, .token = b->token[i] });
}

static struct link_event from_card(enum link_event_kind kind)
{
	return (struct link_event){ .kind = kind, .token = 1, .from = { .ton = 1, .npi = 1, .digits = MSISDN } };
}

/* A receipt for one part: of class FAIL_NONE it says "delivered". */
static void receipt(struct bed *b, unsigned part, enum fail_class cls)
{
	struct link_event ev = from_card(LINK_EV_REPORT);

	ev.has_ref = true;
	ev.ref = (uint16_t)b->token[part];
	ev.delivered = cls == FAIL_NONE;
	if (!ev.delivered)
		ev.fail = (struct fail){ .cls = cls, .code = 0x3001b, .what = "because of the test" };
	post(b, &ev);
}

static void alert(struct bed *b, int64_t after_ms)
{
	struct link_event ev = from_card(LINK_EV_ALERT);

	b->f->now_ms += after_ms;
	post(b, &ev);
}

static struct gw_campaign_view view(struct bed *b)
{
	struct gw_campaign_view v;

	assert_true(gw_campaign_view(b->f->gw, b->campaign, &v));
	return v;
}

static const char *card(struct bed *b)
{
	char iccid[21];

	api_card_show(b->f->api, fix_iccid(iccid, 0), front_to(b->f));
	front_wait(b->f);
	assert_int_equal(b->f->status, 200);
	return b->f->text;
}

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct link_event up = { .kind = LINK_EV_UP };
	char csv[128], iccid[21];

	assert_non_null(b);
	b->f = front_new(PROFILE_DIR);
	b->f->n_links = 1;
	front_restart(b->f);
	fix_cards(b->f, 1);
	snprintf(csv, sizeof(csv), "ICCID,IMSI\n%s,001020000000000\n", fix_iccid(iccid, 0));
	assert_int_equal(front_create(b->f, "c", "usim-rfm", false), 200);
	assert_int_equal(front_lines(b->f, "c", NULL, 1, csv), 200);
	assert_int_equal(front_finish(b->f, "c", NULL), 200);
	assert_true(gw_campaign_find(b->f->gw, "c", &b->campaign));
	assert_int_equal(front_verb(b->f, "c", CAMPAIGN_VERB_START), 200);
	post(b, &up);
	assert_true(take(b) >= 2);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bed *b = *state;

	front_free(b->f);
	free(b);
	return 0;
}

/* ------------------------------------------------------------------------------------------------ tests */

/* Not delivered because the phone was not there: the proof is not waited for, presence wakes the next attempt. */
static void absent(void **state)
{
	struct bed *b = *state;

	accept_parts(b);
	assert_int_equal(view(b).in_flight, 1);
	receipt(b, 0, FAIL_ABSENT);
	assert_int_equal(view(b).waiting_presence, 1);
	assert_int_equal(view(b).by_class[FAIL_ABSENT], 1);
	assert_non_null(strstr(card(b), "receipt: because of the test (ABSENT)"));
	receipt(b, 1, FAIL_MEM); /* the first one was the news */
	assert_int_equal(view(b).by_class[FAIL_ABSENT], 1);
	assert_null(strstr(card(b), "(MEM)"));
	alert(b, 31000);
	assert_true(take(b) >= 2);
	assert_int_equal(view(b).attempts, 2);
}

/* "Never": no receipt ends a card.  It waits long, presence wakes it, and its own answer would still count. */
static void final_classes_end_nothing(void **state)
{
	static const enum fail_class cls[] = { FAIL_SUBS_PERM, FAIL_CONFIG, FAIL_CARD_PERM };
	struct bed *b = *state;

	for (size_t i = 0; i < sizeof(cls) / sizeof(cls[0]); i++) {
		accept_parts(b);
		receipt(b, 0, cls[i]);
		assert_int_equal(view(b).by_state[TXN_ACTIVE], 1);
		assert_int_equal(view(b).waiting_presence, 1);
		assert_int_equal(view(b).by_class[cls[i]], 1);
		b->f->now_ms += 3600 * 1000; /* longer than the proof would have been waited for */
		assert_int_equal(take(b), 0);
		alert(b, 0);
		assert_true(take(b) >= 2);
	}
}

static void congestion_counts_and_waits(void **state)
{
	struct bed *b = *state;

	accept_parts(b);
	receipt(b, 0, FAIL_CONGEST);
	assert_int_equal(view(b).waiting_timer, 1);
	assert_int_equal(view(b).attempts, 1); /* it went out: a lying SMSC must not make it endless */
	b->f->now_ms += 10000;
	assert_int_equal(take(b), 0);
	b->f->now_ms += 30000;
	assert_true(take(b) >= 2);
	assert_int_equal(view(b).attempts, 2);
}

/* The receipt overtakes the answer to the submit: what it said is looked at when the attempt is through. */
static void earlier_than_the_response(void **state)
{
	struct bed *b = *state;

	receipt(b, 0, FAIL_MEM);
	assert_int_equal(view(b).waiting_presence, 0);
	accept_parts(b);
	assert_int_equal(view(b).waiting_presence, 1);
	assert_int_equal(view(b).by_class[FAIL_MEM], 1);
}

static void of_an_older_attempt(void **state)
{
	struct bed *b = *state;
	struct bed old;

	accept_parts(b);
	receipt(b, 0, FAIL_ABSENT);
	old = *b;
	alert(b, 31000);
	assert_true(take(b) >= 2);
	accept_parts(b);
	receipt(&old, 1, FAIL_SUBS_PERM);
	assert_int_equal(view(b).in_flight, 1);
	assert_int_equal(view(b).by_class[FAIL_SUBS_PERM], 0);
}

/* No evidence either way is no reason to stop waiting for the card. */
static void unknown_changes_nothing(void **state)
{
	struct bed *b = *state;

	accept_parts(b);
	receipt(b, 0, FAIL_UNKNOWN);
	assert_int_equal(view(b).in_flight, 1);
}

/* A packet is delivered when all of its parts are; what comes after that for a delivered part is not believed. */
static void delivered(void **state)
{
	struct bed *b = *state;

	accept_parts(b);
	receipt(b, 0, FAIL_NONE);
	assert_non_null(strstr(card(b), "\"evidence\":\"E1\""));
	receipt(b, 0, FAIL_ABSENT);
	assert_int_equal(view(b).in_flight, 1);
	for (unsigned i = 1; i < b->parts; i++)
		receipt(b, i, FAIL_NONE);
	assert_non_null(strstr(card(b), "\"evidence\":\"E2\""));
	assert_int_equal(view(b).in_flight, 1);
	assert_int_equal(view(b).by_state[TXN_ACTIVE], 1);
}

/* Without a reference nobody can tell which part of a longer packet is meant. */
static void without_a_reference(void **state)
{
	struct bed *b = *state;
	struct link_event ev = from_card(LINK_EV_REPORT);

	accept_parts(b);
	ev.fail = (struct fail){ .cls = FAIL_ABSENT, .what = "x" };
	post(b, &ev);
	assert_int_equal(view(b).in_flight, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(absent, setup, teardown),
		cmocka_unit_test_setup_teardown(final_classes_end_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(congestion_counts_and_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(earlier_than_the_response, setup, teardown),
		cmocka_unit_test_setup_teardown(of_an_older_attempt, setup, teardown),
		cmocka_unit_test_setup_teardown(unknown_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(delivered, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_reference, setup, teardown),
	};

	return cmocka_run_group_tests_name("receipts", tests, NULL, NULL);
}
