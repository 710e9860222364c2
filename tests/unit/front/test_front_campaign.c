/* test_front_campaign.c - an IMSI list becomes a campaign: dry run, rejects, finish, verbs, report.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "front_fix.h"

#define CARDS 12

static int setup(void **state)
{
	struct front *f = front_new(PROFILE_DIR);

	fix_cards(f, CARDS);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	front_free(*state);
	return 0;
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

/* A list of the cards from .. to - 1 with new numbers. */
static void list(char *csv, size_t cap, unsigned from, unsigned to)
{
	char iccid[21];
	size_t n = (size_t)snprintf(csv, cap, "ICCID,IMSI\n");

	for (unsigned i = from; i < to; i++)
		n += (size_t)snprintf(csv + n, cap - n, "%s,00102%010u\n", fix_iccid(iccid, i), i);
	assert_true(n < cap);
}

static void ready(struct front *f, const char *name, unsigned from, unsigned to)
{
	char csv[2048];

	list(csv, sizeof(csv), from, to);
	assert_int_equal(front_create(f, name, "usim-rfm", false), 200);
	assert_int_equal(front_lines(f, name, NULL, 1, csv), 200);
	assert_int_equal(front_n(f, "accepted"), to - from);
	assert_int_equal(front_finish(f, name, NULL), 200);
	assert_string_equal(front_s(f, "state"), "READY");
}

static void test_dry_run(void **state)
{
	struct front *f = *state;
	char csv[2048], id[32];
	int64_t parts;

	list(csv, sizeof(csv), 0, CARDS);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(front_create(f, "swap1", "usim-rfm", true), 200);
		assert_int_equal(front_n(f, "id"), 0);
		snprintf(id, sizeof(id), "%s", front_s(f, "session"));
		assert_int_equal(front_lines(f, "swap1", id, 1, csv), 200);
		assert_int_equal(front_n(f, "accepted"), CARDS);
		assert_int_equal(front_n(f, "packets"), CARDS);
		parts = front_n(f, "sms_parts");
		assert_true(parts >= CARDS);
		/* duplicates over chunks are found in a dry run too */
		assert_int_equal(front_lines(f, "swap1", id, CARDS + 2, strchr(csv, '\n') + 1), 200);
		assert_int_equal(front_n(f, "accepted"), 0);
		has(front_reject(f, 0, CARDS + 2), "stands already on line 2");
		assert_int_equal(front_finish(f, "swap1", id), 200);
		assert_int_equal(front_n(f, "accepted"), CARDS);
		assert_int_equal(front_n(f, "rejected"), CARDS);
		assert_int_equal(front_n(f, "sms_parts"), parts);
	}
	/* nothing was kept */
	api_campaign_list(f->api, front_to(f));
	front_wait(f);
	assert_string_equal(f->text, "{\"campaigns\":[]}");
	api_campaign_show(f->api, "swap1", front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 404);
}

static void test_bad_lines(void **state)
{
	struct front *f = *state;
	char csv[2048], a[21], b[21], c[21], d[21];

	snprintf(csv, sizeof(csv),
		 "imsi,msisdn,iccid\r\n"
		 "001020000000000,+4915200001,%s\r\n"	     /* 2: good */
		 "00102,,%s\r\n"			     /* 3 */
		 "001020000000001,,%s\r\n"		     /* 4: good */
		 "001020000000001,,%s\r\n"		     /* 5: IMSI of line 4 */
		 "001020000000009,,%s\r\n"		     /* 6: unknown card */
		 "001010000000003,,%s\r\n"		     /* 7: IMSI that card 3 has */
		 "001020000000005,,%s,\r\n"		     /* 8: columns */
		 "001020000000006,,8988211000000000013\r\n", /* 9: Luhn */
		 fix_iccid(a, 0), fix_iccid(b, 1), b, fix_iccid(c, 2), fix_iccid(d, 99), c, c);
	assert_int_equal(front_create(f, "swap1", "usim-rfm", false), 200);
	assert_int_equal(front_lines(f, "swap1", NULL, 1, csv), 200);
	assert_int_equal(front_n(f, "accepted"), 2);
	has(front_reject(f, 0, 3), "IMSI has 5 digits");
	has(front_reject(f, 1, 5), "IMSI 0010…0001 stands already on line 4");
	has(front_reject(f, 2, 6), "no such card");
	has(front_reject(f, 3, 7), "in use by another card");
	has(front_reject(f, 4, 8), "4 columns, the header has 3");
	has(front_reject(f, 5, 9), "Luhn");
	assert_int_equal(front_finish(f, "swap1", NULL), 200);
	assert_int_equal(front_n(f, "rejected"), 6);
	/* a card is in one campaign at a time */
	snprintf(csv, sizeof(csv), "ICCID,IMSI\n%s,001020000000777\n", a);
	assert_int_equal(front_create(f, "swap2", "usim-rfm", false), 200);
	assert_int_equal(front_lines(f, "swap2", NULL, 1, csv), 200);
	has(front_reject(f, 0, 2), "another campaign");
	assert_int_equal(front_finish(f, "swap2", NULL), 409);
	assert_string_equal(front_error(f), "empty-campaign");
	assert_int_equal(front_create(f, "swap2", "usim-rfm", false), 200);
}

/* A card that could not be addressed, and an IMSI that lost a digit. */
static void test_targets(void **state)
{
	struct front *f = *state;
	char csv[512], id[32], iccid[21], one[21];

	fix_iccid(iccid, 77);
	fix_iccid(one, 1);
	assert_int_equal(front_import(f, "3des2", 100, false), 200);
	snprintf(id, sizeof(id), "%s", front_s(f, "id"));
	snprintf(csv, sizeof(csv), FIX_HEADER "%s,001010000000077,," FIX_KIC "," FIX_KID ",\n", iccid);
	assert_int_equal(front_import_lines(f, id, 1, csv), 200);
	assert_int_equal(front_n(f, "accepted"), 1);
	for (int by_imsi = 0; by_imsi < 2; by_imsi++) {
		f->by_imsi = by_imsi;
		front_restart(f);
		snprintf(csv, sizeof(csv), "ICCID,IMSI,MSISDN\n%s,00102000000001,\n", one);
		assert_int_equal(front_create(f, "x", "usim-rfm", false), 200);
		assert_int_equal(front_lines(f, "x", NULL, 1, csv), 200);
		assert_int_equal(front_n(f, "accepted"), 0);
		has(front_reject(f, 0, 2),
		    "IMSI 0010…0001 has 14 digits, the card's present one has 15: is a digit missing?");
		snprintf(csv, sizeof(csv), "%s,001020000000077,491600001\n", iccid);
		assert_int_equal(front_lines(f, "x", NULL, 3, csv), 200);
		assert_int_equal(front_n(f, "accepted"), by_imsi);
		if (!by_imsi)
			has(front_reject(f, 0, 3), "has no MSISDN to send to, and address-by is msisdn");
	}
}

static void test_headers_and_names(void **state)
{
	struct front *f = *state;

	assert_int_equal(front_create(f, "a/b", "usim-rfm", false), 400);
	assert_int_equal(front_create(f, "", "usim-rfm", false), 400);
	assert_int_equal(front_create(f, "x", "../../etc/passwd", false), 400);
	assert_int_equal(front_create(f, "x", "usim-rmf", false), 404);
	has(f->text, "did you mean usim-rfm?");
	assert_int_equal(front_create(f, "x", "usim-rfm", false), 200);
	assert_int_equal(front_create(f, "x", "usim-rfm", false), 409);
	assert_string_equal(front_error(f), "name-taken");
	assert_int_equal(front_create(f, "x", "usim-rfm", true), 409);
	assert_int_equal(front_lines(f, "x", NULL, 1, "ICCID,IMSY\n"), 400);
	has(f->text, "did you mean IMSI?");
	assert_int_equal(front_lines(f, "x", NULL, 1, "ICCID,MSISDN\n"), 400);
	assert_int_equal(front_lines(f, "x", NULL, 1, "ICCID,IMSI,KIC1\n"), 400);
	assert_int_equal(front_lines(f, "nope", NULL, 1, "ICCID,IMSI\n"), 404);
	assert_int_equal(front_lines(f, "x", "dr77", 1, "ICCID,IMSI\n"), 404);
	api_campaign_show(f->api, "x", front_to(f));
	assert_string_equal(front_s(f, "state"), "LOADING");
	api_campaign_delete(f->api, "x", front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 200);
	api_campaign_delete(f->api, "x", front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 404);
	assert_int_equal(front_create(f, "x", "usim-rfm", false), 200);
}

static void test_verbs_and_views(void **state)
{
	struct front *f = *state;

	ready(f, "swap1", 0, 5);
	assert_int_equal(front_verb(f, "nope", CAMPAIGN_VERB_START), 404);
	assert_int_equal(front_verb(f, "swap1", CAMPAIGN_VERB_START), 200);
	assert_string_equal(front_s(f, "state"), "RUNNING");
	assert_int_equal(front_verb(f, "swap1", CAMPAIGN_VERB_PAUSE), 200);
	assert_string_equal(front_s(f, "state"), "PAUSED");
	assert_int_equal(front_verb(f, "swap1", CAMPAIGN_VERB_START), 200);
	api_campaign_delete(f->api, "swap1", front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 409);
	api_campaign_show(f->api, "swap1", front_to(f));
	front_wait(f);
	assert_int_equal(front_n(f, "targets"), 5);
	assert_string_equal(front_s(f, "created"), "2026-12-01T22:00:00.000Z");
	assert_int_equal(front_verb(f, "swap1", CAMPAIGN_VERB_CANCEL), 200);
	assert_string_equal(front_s(f, "state"), "CANCELLED");
	assert_int_equal(front_verb(f, "swap1", CAMPAIGN_VERB_START), 409);
	api_status(f->api, front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 200);
	assert_string_equal(front_s(f, "version"), "1.2.3");
	assert_int_equal(front_n(f, "cards"), CARDS);
	assert_int_equal(json_array_size(json_object_get(f->json, "campaigns")), 1);
	assert_true(json_is_null(json_object_get(f->json, "alarm")));
}

/* What was never started can be deleted; its cards and name are free again, also after other campaigns came. */
static void test_delete_ready(void **state)
{
	struct front *f = *state;

	ready(f, "swap1", 0, 5);
	api_campaign_delete(f->api, "swap1", front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 200);
	api_campaign_show(f->api, "swap1", front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 404);
	ready(f, "swap1", 0, 5);
	assert_int_equal(front_verb(f, "swap1", CAMPAIGN_VERB_START), 200);
	assert_string_equal(front_s(f, "state"), "RUNNING");
}

/* Exactly one row per card, in pages. */
static void test_report(void **state)
{
	struct front *f = *state;
	uint64_t after = 0;
	size_t rows = 0, pages = 0;
	json_t *next;

	ready(f, "swap1", 0, 7);
	do {
		api_campaign_report(f->api, "swap1", after, 3, front_to(f));
		front_wait(f);
		assert_int_equal(f->status, 200);
		rows += json_array_size(json_object_get(f->json, "rows"));
		next = json_object_get(f->json, "next");
		after = (uint64_t)json_integer_value(next);
		assert_true(++pages <= 4);
	} while (!json_is_null(next));
	assert_int_equal(rows, 7);
	api_campaign_report(f->api, "swap1", 0, 0, front_to(f));
	assert_int_equal(f->status, 400);
	api_campaign_report(f->api, "swap1", 0, API_REPORT_ROWS_MAX + 1, front_to(f));
	assert_int_equal(f->status, 400);
	api_campaign_report(f->api, "nope", 0, 1, front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 404);
}

/* What never finished coming in is gone after a restart, its cards are free; what was READY stays. */
static void test_restart(void **state)
{
	struct front *f = *state;
	char csv[2048];

	ready(f, "kept", 0, 3);
	list(csv, sizeof(csv), 3, 6);
	assert_int_equal(front_create(f, "lost", "usim-rfm", false), 200);
	assert_int_equal(front_lines(f, "lost", NULL, 1, csv), 200);
	assert_int_equal(front_n(f, "accepted"), 3);
	front_restart(f);
	api_campaign_list(f->api, front_to(f));
	front_wait(f);
	assert_int_equal(json_array_size(json_object_get(f->json, "campaigns")), 1);
	has(f->text, "\"kept\"");
	assert_int_equal(front_lines(f, "lost", NULL, 5, "x\n"), 404);
	ready(f, "lost", 3, 6);
	assert_int_equal(front_verb(f, "kept", CAMPAIGN_VERB_START), 200);
}

/* A list that somebody walked away from makes room, and frees its cards and its name. */
static void test_abandoned(void **state)
{
	struct front *f = *state;
	char csv[2048];

	list(csv, sizeof(csv), 0, 3);
	assert_int_equal(front_create(f, "lost", "usim-rfm", false), 200);
	assert_int_equal(front_lines(f, "lost", NULL, 1, csv), 200);
	f->now_ms += API_SESSION_IDLE_MS / 2;
	for (int i = 1; i < API_SESSIONS_MAX; i++)
		assert_int_equal(front_import(f, "3des2", 1, false), 200);
	assert_int_equal(front_import(f, "3des2", 1, false), 503);
	f->now_ms += API_SESSION_IDLE_MS / 2 + 1;
	assert_int_equal(front_import(f, "3des2", 1, false), 200);
	for (int i = 0; i < 5; i++)
		front_turn(f);
	assert_int_equal(front_lines(f, "lost", NULL, 5, "x\n"), 404);
	f->now_ms += API_SESSION_IDLE_MS + 1;
	ready(f, "lost", 0, 3);
}

/* The drop of an abandoned list fails: delete finds it in the store. */
static void test_left_behind(void **state)
{
	struct front *f = *state;
	char csv[2048];

	list(csv, sizeof(csv), 0, 3);
	assert_int_equal(front_create(f, "lost", "usim-rfm", false), 200);
	assert_int_equal(front_lines(f, "lost", NULL, 1, csv), 200);
	f->now_ms += API_SESSION_IDLE_MS / 2;
	for (int i = 1; i < API_SESSIONS_MAX; i++)
		assert_int_equal(front_import(f, "3des2", 1, false), 200);
	f->now_ms += API_SESSION_IDLE_MS / 2 + 1;
	f->fault = STORE_E_FULL;
	assert_int_equal(front_import(f, "3des2", 1, false), 200);
	for (int i = 0; i < 5; i++)
		front_turn(f);
	f->fault = STORE_OK;
	has(f->log, "abandoned campaign stays");
	assert_int_equal(front_verb(f, "lost", CAMPAIGN_VERB_START), 409);
	assert_string_equal(front_error(f), "loading");
	api_campaign_show(f->api, "lost", front_to(f));
	front_wait(f);
	assert_string_equal(front_s(f, "state"), "LOADING");
	api_campaign_delete(f->api, "lost", front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 200);
	f->now_ms += API_SESSION_IDLE_MS + 1;
	ready(f, "lost", 0, 3);
}

/* ---- more campaigns than the core holds ---- */

static void one_card(struct front *f, const char *name, unsigned card)
{
	char csv[256], iccid[21];

	snprintf(csv, sizeof(csv), "ICCID,IMSI\n%s,00102%010u\n", fix_iccid(iccid, card), card);
	assert_int_equal(front_create(f, name, "usim-rfm", false), 200);
	assert_int_equal(front_lines(f, name, NULL, 1, csv), 200);
	assert_int_equal(front_n(f, "accepted"), 1);
}

static void show(struct front *f, const char *name)
{
	api_campaign_show(f->api, name, front_to(f));
	front_wait(f);
}

static void end(struct front *f, const char *name)
{
	assert_int_equal(front_verb(f, name, CAMPAIGN_VERB_CANCEL), 200);
	for (int i = 0; i < 100; i++) {
		show(f, name);
		if (front_s(f, "ended"))
			return;
		front_turn(f);
	}
	fail_msg("%s never ends", name);
}

static json_t *listed(struct front *f, const char *name)
{
	size_t i;
	json_t *v, *all = json_object_get(f->json, "campaigns");

	json_array_foreach(all, i, v)
	{
		if (!strcmp(json_string_value(json_object_get(v, "name")), name))
			return v;
	}
	fail_msg("%s is not listed", name);
	return NULL;
}

/* What ended long ago has left the core: everything but verbs goes on from the store. */
static void gone(struct front *f, const char *name, unsigned campaigns)
{
	uint64_t id;
	char iccid[21];
	json_t *v;

	assert_false(gw_campaign_find(f->gw, name, &id));
	show(f, name);
	assert_int_equal(f->status, 200);
	assert_string_equal(front_s(f, "state"), "CANCELLED");
	assert_int_equal(front_n(f, "targets"), 1);
	v = json_object_get(json_object_get(f->json, "states"), "CANCELLED");
	assert_int_equal(json_integer_value(v), 1);
	api_campaign_list(f->api, front_to(f));
	front_wait(f);
	assert_int_equal(json_array_size(json_object_get(f->json, "campaigns")), campaigns);
	v = json_object_get(json_object_get(listed(f, name), "states"), "CANCELLED");
	assert_int_equal(json_integer_value(v), 1);
	api_status(f->api, front_to(f));
	front_wait(f);
	assert_int_equal(json_array_size(json_object_get(f->json, "campaigns")), campaigns);
	assert_true(json_is_null(json_object_get(listed(f, name), "states")));
	api_campaign_report(f->api, name, 0, 10, front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 200);
	assert_int_equal(json_array_size(json_object_get(f->json, "rows")), 1);
	for (int verb = CAMPAIGN_VERB_START; verb <= CAMPAIGN_VERB_CANCEL; verb++) {
		assert_int_equal(front_verb(f, name, (enum gw_campaign_verb)verb), 409);
		has(f->text, "is CANCELLED: it has ended");
	}
	api_campaign_delete(f->api, name, front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 409);
	assert_int_equal(front_create(f, name, "usim-rfm", false), 409);
	assert_string_equal(front_error(f), "name-taken");
	api_card_show(f->api, fix_iccid(iccid, 0), front_to(f));
	front_wait(f);
	assert_string_equal(json_string_value(json_object_get(json_object_get(f->json, "txn"), "campaign")), name);
}

static void test_many_ended(void **state)
{
	struct front *f = *state;
	char name[32];
	unsigned n = API_CAMPAIGNS_OPEN + 20;

	one_card(f, "first", 0);
	assert_int_equal(front_finish(f, "first", NULL), 200);
	end(f, "first");
	for (unsigned i = 1; i < n; i++) {
		f->now_ms += 1000;
		snprintf(name, sizeof(name), "c%u", i);
		one_card(f, name, 1 + i % (CARDS - 1));
		assert_int_equal(front_finish(f, name, NULL), 200);
		end(f, name);
	}
	gone(f, "first", n);
	front_restart(f);
	gone(f, "first", n);
	ready(f, "next", 0, CARDS);
	assert_int_equal(front_verb(f, "next", CAMPAIGN_VERB_START), 200);
}

static void test_too_many_open(void **state)
{
	struct front *f = *state;
	char name[32], csv[16384];

	for (unsigned from = CARDS; from <= API_CAMPAIGNS_OPEN + 1; from += 100) {
		char id[32];
		size_t at = (size_t)snprintf(csv, sizeof(csv), FIX_HEADER);

		for (unsigned i = from; i < from + 100; i++, at = strlen(csv))
			fix_card_line(csv + at, sizeof(csv) - at, i);
		assert_int_equal(front_import(f, "3des2", 100, false), 200);
		snprintf(id, sizeof(id), "%s", front_s(f, "id"));
		assert_int_equal(front_import_lines(f, id, 1, csv), 200);
		assert_int_equal(front_import_finish(f, id), 200);
	}
	/* three lists come in while one place is left; two of them finish at once */
	for (unsigned i = 0; i < API_CAMPAIGNS_OPEN - 1; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		one_card(f, name, i);
		assert_int_equal(front_finish(f, name, NULL), 200);
	}
	one_card(f, "last", API_CAMPAIGNS_OPEN - 1);
	one_card(f, "late", API_CAMPAIGNS_OPEN);
	one_card(f, "later", API_CAMPAIGNS_OPEN + 1);
	api_campaign_finish(f->api, "last", NULL, front_to(f));
	api_campaign_finish(f->api, "late", NULL, front_to(f));
	for (int i = 0; i < 10; i++)
		front_turn(f);
	assert_int_equal(f->answers, 2);
	assert_string_equal(front_error(f), "too-many-campaigns");
	has(f->text, "256 campaigns that have not ended");
	show(f, "last");
	assert_string_equal(front_s(f, "state"), "READY");
	assert_int_equal(front_finish(f, "later", NULL), 409);
	assert_string_equal(front_error(f), "too-many-campaigns");
	show(f, "late");
	assert_int_equal(f->status, 404);
	show(f, "later");
	assert_int_equal(f->status, 404);
	assert_int_equal(front_create(f, "late", "usim-rfm", false), 409);
	assert_string_equal(front_error(f), "too-many-campaigns");
	assert_int_equal(front_create(f, "late", "usim-rfm", true), 200);
	/* nothing of it was stored, and it starts again */
	front_restart(f);
	assert_int_equal(front_verb(f, "c0", CAMPAIGN_VERB_START), 200);
	api_campaign_delete(f->api, "c7", front_to(f));
	front_wait(f);
	assert_int_equal(f->status, 200);
	one_card(f, "late", API_CAMPAIGNS_OPEN);
	assert_int_equal(front_finish(f, "late", NULL), 200);
}

static void test_alarm(void **state)
{
	struct front *f = *state;

	ready(f, "swap1", 0, 5);
	show(f, "swap1");
	assert_true(json_is_null(json_object_get(f->json, "alarm")));
	f->core_fault = STORE_E_FULL;
	api_campaign_verb(f->api, "swap1", CAMPAIGN_VERB_START, front_to(f));
	for (int i = 0; i < 5; i++)
		front_turn(f);
	assert_int_equal(f->answers, 0);
	show(f, "swap1");
	has(front_s(f, "alarm"), "tries again every 5 s");
	assert_true(json_is_null(json_object_get(f->json, "eta_s")));
	f->core_fault = STORE_OK;
	f->now_ms += 3600000;
	for (int i = 0; i < 5; i++)
		front_turn(f);
	show(f, "swap1");
	assert_true(json_is_null(json_object_get(f->json, "alarm")));
}

static void test_store_fails(void **state)
{
	struct front *f = *state;
	char csv[2048];

	f->fault = STORE_E_IO;
	assert_int_equal(front_create(f, "swap1", "usim-rfm", false), 503);
	f->fault = STORE_OK;
	assert_int_equal(front_create(f, "swap1", "usim-rfm", false), 200);
	list(csv, sizeof(csv), 0, 3);
	f->fault = STORE_E_BUSY;
	assert_int_equal(front_lines(f, "swap1", NULL, 1, csv), 503);
	f->fault = STORE_OK;
	assert_int_equal(front_lines(f, "swap1", NULL, 1, csv), 200);
	assert_int_equal(front_n(f, "accepted"), 3);
	f->fault = STORE_E_BUSY;
	assert_int_equal(front_finish(f, "swap1", NULL), 503);
	f->fault = STORE_OK;
	assert_int_equal(front_finish(f, "swap1", NULL), 200);
	assert_int_equal(front_n(f, "accepted"), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_dry_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_headers_and_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_verbs_and_views, setup, teardown),
		cmocka_unit_test_setup_teardown(test_delete_ready, setup, teardown),
		cmocka_unit_test_setup_teardown(test_report, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_abandoned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_store_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_targets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_left_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alarm, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
