/* test_front_retry.c - the cards of an ended campaign once more: which, which not, and what is said about it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "front_fix.h"

#define MANY	   1105 /* more than a page */
#define PER_IMPORT 100

static struct front *f;

static int setup(void **state)
{
	(void)state;
	f = front_new(PROFILE_DIR);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	front_free(f);
	return 0;
}

/* A campaign over cards 0 .. n-1 with new IMSIs 00102..., finished. */
static void made(const char *name, unsigned n)
{
	uint64_t line = 1;

	assert_int_equal(front_create(f, name, "usim-rfm", false), 200);
	for (unsigned i = 0; i < n;) {
		char csv[16384] = "", iccid[21];
		size_t at = 0;

		if (!i)
			at = (size_t)snprintf(csv, sizeof(csv), "ICCID,IMSI,MSISDN\n");
		for (unsigned k = 0; k < PER_IMPORT && i < n; k++, i++)
			at += (size_t)snprintf(csv + at, sizeof(csv) - at, "%s,00102%010u,4915299%05u\n",
					       fix_iccid(iccid, i), i, i);
		assert_int_equal(front_lines(f, name, NULL, line, csv), 200);
		line = (uint64_t)front_n(f, "next");
	}
	assert_int_equal(front_finish(f, name, NULL), 200);
	assert_int_equal(front_n(f, "accepted"), n);
}

/* What became of the cards of a campaign, as the store has it; the core hears of it at its next start. */
struct end {
	uint8_t state, fail_class, scripts;
	uint16_t attempts, sms_parts;
};
static void ended(uint64_t first_txn, const struct end *e, unsigned n, struct campaign_row row)
{
	struct store_batch *b = store_batch_new();

	for (unsigned i = 0; i < n; i++) {
		struct txn_row t = { .id = first_txn + i,
				     .state = e[i].state,
				     .fail_class = e[i].fail_class,
				     .scripts = e[i].scripts,
				     .attempts = e[i].attempts,
				     .sms_parts = e[i].sms_parts,
				     .evidence = 255,
				     .por_status = 255 };

		assert_non_null(store_batch_add(b, ST_TXN_PUT, &t, NULL, 0));
	}
	assert_non_null(store_batch_add(b, ST_CAMPAIGN_PUT, &row, NULL, 0));
	assert_int_equal(store_commit_wait(f->store, b), STORE_OK);
	for (size_t i = 0; i < b->n; i++)
		assert_int_equal(b->ops[i].rc, 0);
	store_batch_free(b);
	front_restart(f);
}

static struct campaign_row row_of(const char *name, uint8_t state)
{
	struct gw_campaign_view v;
	uint64_t id;

	assert_true(gw_campaign_find(f->gw, name, &id) && gw_campaign_view(f->gw, id, &v));
	v.row.state = state;
	v.row.ended_ms = state == CAMPAIGN_DONE || state == CAMPAIGN_CANCELLED ? FIX_NOW : 0;
	return v.row;
}

static int retry(const char *of, const char *as, const char *only, const char *cls, bool may, bool dry)
{
	struct api_campaign_req r = { .may_have_run = may, .dry_run = dry };

	snprintf(r.name, sizeof(r.name), "%s", as);
	snprintf(r.retry_of, sizeof(r.retry_of), "%s", of);
	snprintf(r.only, sizeof(r.only), "%s", only);
	snprintf(r.cls, sizeof(r.cls), "%s", cls);
	api_campaign_create(f->api, &r, front_to(f));
	front_wait(f);
	return f->status;
}

static const struct end ends[] = {
	{ TXN_DONE, FAIL_NONE, 1, 1, 2 },      { TXN_FAILED, FAIL_SUBS_PERM, 1, 1, 2 },
	{ TXN_EXPIRED, FAIL_NONE, 0, 0, 0 },   { TXN_EXPIRED, FAIL_ABSENT, 1, 4, 8 },
	{ TXN_CANCELLED, FAIL_NONE, 1, 1, 2 }, { TXN_QUARANTINED, FAIL_CARD_PERM, 1, 1, 2 },
	{ TXN_FAILED, FAIL_CONFIG, 1, 1, 2 },  { TXN_EXPIRED, FAIL_ABSENT, 1, 0, 0 }, /* prepared, and taken back */
	{ TXN_EXPIRED, FAIL_LINK, 1, 0, 2 }, /* such an attempt does not count, and yet it may have arrived */
	{ TXN_DONE, FAIL_NONE, 1, 1, 2 },
};
#define ENDS (sizeof(ends) / sizeof(ends[0]))

static void ten_ended(void)
{
	fix_cards(f, ENDS);
	made("a", ENDS);
	ended(1, ends, ENDS, row_of("a", CAMPAIGN_DONE));
}

/* Dry runs of all ways to choose. */
static void test_which(void **state)
{
	static const struct {
		const char *only, *cls;
		bool may;
		unsigned taken, unsure;
	} t[] = {
		{ "", "", false, 4, 2 }, /* 1 2 6 7, not 3 8 */
		{ "failed", "", true, 6, 0 },
		{ "failed", "ABSENT", false, 1, 1 },
		{ "Failed", "absent", true, 2, 0 },
		{ "failed", "ABSENT,config, SUBS-PERM", false, 3, 1 },
		{ "expired", "", false, 2, 2 },
		{ "cancelled", "", false, 0, 1 },
		{ "quarantined,cancelled", "", true, 2, 0 },
		{ "all", "", true, 8, 0 },
		{ "all", "MEM", true, 0, 0 },
		{ " ,", ",, ", false, 4, 2 }, /* nothing was said */
	};

	(void)state;
	ten_ended();
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char id[32];

		assert_int_equal(retry("a", "b", t[i].only, t[i].cls, t[i].may, true), 200);
		snprintf(id, sizeof(id), "%s", front_s(f, "session"));
		assert_int_equal(front_lines(f, "b", id, 1, ""), 200);
		if (front_n(f, "accepted") != t[i].taken || front_n(f, "may_have_run") != t[i].unsure)
			fail_msg("only \"%s\" class \"%s\": %s", t[i].only, t[i].cls, f->text);
		assert_int_equal(front_n(f, "filtered"), ENDS - t[i].taken - t[i].unsure);
		assert_true(json_is_true(json_object_get(f->json, "end")));
		assert_int_equal(front_finish(f, "b", id), 200);
		assert_int_equal(front_n(f, "accepted"), t[i].taken);
		assert_int_equal(front_n(f, "may_have_run"), t[i].unsure);
	}
}

/* The numbers that were promised stay with the card; a card goes on where its newest campaign has left it. */
static void test_numbers_and_later_campaigns(void **state)
{
	static const struct end second[] = { { TXN_DONE, FAIL_NONE, 1, 1, 2 }, { TXN_EXPIRED, FAIL_NONE, 0, 0, 0 } };
	const json_t *rows;

	(void)state;
	ten_ended();
	assert_int_equal(retry("a", "b", "failed", "ABSENT", true, false), 200);
	assert_int_equal(front_lines(f, "b", NULL, 1, ""), 200);
	assert_int_equal(front_finish(f, "b", NULL), 200);
	api_campaign_report(f->api, "b", 0, 10, front_to(f));
	front_wait(f);
	rows = json_object_get(f->json, "rows");
	assert_int_equal(json_array_size(rows), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "new_imsi")), "001020000000003");
	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 1), "new_imsi")), "001020000000007");
	/* while b has them they are in no other */
	assert_int_equal(retry("a", "c", "failed", "ABSENT", true, false), 200);
	assert_int_equal(front_lines(f, "c", NULL, 1, ""), 200);
	assert_non_null(strstr(front_reject(f, 0, 4), "was in a later campaign"));
	assert_non_null(strstr(front_reject(f, 1, 8), "was in a later campaign"));
	assert_int_equal(front_finish(f, "c", NULL), 409);
	assert_string_equal(front_error(f), "empty-campaign");
	assert_non_null(strstr(f->text,
			       "no card of campaign a is to be retried: 8 have another outcome or class, 0 may "
			       "have run their command (may-have-run takes them), 2 were rejected"));
	/* nor when b has ended: who wants it again retries b */
	ended(11, second, 2, row_of("b", CAMPAIGN_DONE));
	assert_int_equal(retry("a", "c", "failed", "ABSENT", true, false), 200);
	assert_int_equal(front_lines(f, "c", NULL, 1, ""), 200);
	assert_int_equal(front_n(f, "accepted"), 0);
	assert_int_equal(front_finish(f, "c", NULL), 409);
	assert_int_equal(retry("b", "c", "", "", false, false), 200);
	assert_int_equal(front_lines(f, "c", NULL, 1, ""), 200);
	assert_int_equal(front_n(f, "accepted"), 1);
	assert_int_equal(front_finish(f, "c", NULL), 200);
	assert_string_equal(front_s(f, "state"), "READY");
}

static void test_mistakes(void **state)
{
	(void)state;
	ten_ended();
	assert_int_equal(retry("a", "b", "faild", "", false, false), 400);
	assert_non_null(strstr(f->text,
			       "only: unknown outcome \\\"faild\\\"; did you mean \\\"failed\\\"?; known are failed "
			       "(FAILED and EXPIRED), expired, cancelled, quarantined, all"));
	assert_int_equal(retry("a", "b", "failed,done", "", false, false), 400);
	assert_int_equal(retry("a", "b", "", "ABSEND", false, false), 400);
	assert_non_null(
		strstr(f->text,
		       "class: unknown class \\\"ABSEND\\\"; did you mean \\\"ABSENT\\\"?; known are ABSENT, "));
	assert_int_equal(retry("a", "b", "", "0123456789012345678901234567890123456789", false, false), 400);
	assert_int_equal(retry("x", "b", "", "", false, false), 404);
	assert_int_equal(retry("a", "a", "", "", false, false), 409);
	assert_string_equal(front_error(f), "name-taken");
	assert_int_equal(retry("a", "b/c", "", "", false, false), 400);
	/* no list, and each page once */
	assert_int_equal(retry("a", "b", "", "", false, false), 200);
	assert_int_equal(front_lines(f, "b", NULL, 1, "ICCID,IMSI\n"), 400);
	assert_non_null(strstr(f->text, "campaign b takes its cards from campaign a"));
	assert_int_equal(front_lines(f, "b", NULL, 3, ""), 409);
	assert_int_equal(front_lines(f, "b", NULL, 0, ""), 409);
	assert_int_equal(front_lines(f, "b", NULL, 1, ""), 200);
	assert_int_equal(front_lines(f, "b", NULL, 1, ""), 200); /* its answer was lost: the same again */
	assert_int_equal(front_n(f, "accepted"), 4);
	assert_int_equal(front_finish(f, "b", NULL), 200);
	assert_int_equal(front_n(f, "accepted"), 4);
	/* one that has not ended */
	assert_int_equal(retry("b", "c", "", "", false, false), 409);
	assert_non_null(strstr(f->text, "campaign b is READY: its cards can be retried when it has ended"));
}

/* A store that fails in the middle: the page comes again. */
static void test_store_fails(void **state)
{
	(void)state;
	ten_ended();
	assert_int_equal(retry("a", "b", "", "", false, false), 200);
	f->fault = STORE_E_IO;
	assert_int_equal(front_lines(f, "b", NULL, 1, ""), 503);
	f->fault = STORE_OK;
	assert_int_equal(front_lines(f, "b", NULL, 1, ""), 200);
	assert_int_equal(front_n(f, "accepted"), 4);
	assert_int_equal(front_finish(f, "b", NULL), 200);
}

/* More than a page: bounded steps, every card once. */
static void test_pages(void **state)
{
	struct end *e = calloc(MANY, sizeof(*e));
	uint64_t first = 1, taken = 0;
	unsigned pages = 0;

	(void)state;
	assert_non_null(e);
	for (unsigned i = 0; i < MANY;) {
		char csv[16384] = FIX_HEADER, id[32];
		size_t at = strlen(csv);

		for (unsigned k = 0; k < PER_IMPORT && i < MANY; k++, i++, at = strlen(csv))
			fix_card_line(csv + at, sizeof(csv) - at, i);
		assert_int_equal(front_import(f, "3des2", 100, false), 200);
		snprintf(id, sizeof(id), "%s", front_s(f, "id"));
		assert_int_equal(front_import_lines(f, id, 1, csv), 200);
		assert_int_equal(front_import_finish(f, id), 200);
	}
	made("a", MANY);
	for (unsigned i = 0; i < MANY; i++)
		e[i].state = i % 3 ? TXN_FAILED : TXN_DONE;
	ended(1, e, MANY, row_of("a", CAMPAIGN_CANCELLED));
	free(e);
	assert_int_equal(retry("a", "b", "", "", false, false), 200);
	do {
		assert_int_equal(front_lines(f, "b", NULL, first, ""), 200);
		first = (uint64_t)front_n(f, "next");
		taken += (uint64_t)front_n(f, "accepted");
		pages++;
	} while (!json_is_true(json_object_get(f->json, "end")));
	assert_int_equal(pages, 2);
	assert_int_equal(taken, MANY - (MANY + 2) / 3);
	assert_int_equal(front_lines(f, "b", NULL, first, ""), 200); /* nothing more, and nothing twice */
	assert_int_equal(front_n(f, "accepted"), 0);
	assert_int_equal(front_finish(f, "b", NULL), 200);
	assert_int_equal(front_n(f, "accepted"), taken);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_which), T(test_numbers_and_later_campaigns), T(test_mistakes), T(test_store_fails),
		T(test_pages),
	};

	return cmocka_run_group_tests_name("front retry", tests, NULL, NULL);
}
