/* test_front_order.c - orders, lines, packages and pairs as the API shows them from the books, page by page.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "front_fix.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "desk/vault.h"
#include "ota/package.h"

#define NUMBER 0x1122334455667788ull
#define LINES  5

static struct front *f;
static struct desk *desk;
static struct pkg_self *self;
static char dir[] = "/tmp/otagw-order.XXXXXX";

/* ---- books ---- */

static void put(enum book book, const char *key, uint64_t owner, uint16_t step, const uint8_t *body, size_t len)
{
	struct store_batch *b = store_batch_new();
	struct book_row row = {
		.book = (uint8_t)book, .owner = owner, .step = step, .version = BOOK_ANY, .len = (uint16_t)len
	};

	snprintf(row.key, sizeof(row.key), "%s", key);
	assert_non_null(store_batch_add(b, ST_BOOK_PUT, &row, body, len));
	assert_int_equal(store_commit_wait(f->store, b), STORE_OK);
	store_batch_free(b);
}

static void put_order(const char *name, uint64_t number, enum order_step step)
{
	struct order o = { .number = number,
			   .side = SIDE_A,
			   .step = (uint8_t)step,
			   .kind = ORDER_3B,
			   .policy = POLICY_DELIVER_FIRST,
			   .s = "s",
			   .a = "op-a",
			   .b = "op-b",
			   .m = "vault",
			   .lines = LINES,
			   .until_s = FIX_NOW / 1000 };
	uint8_t body[BOOK_BODY_MAX];

	snprintf(o.name, sizeof(o.name), "%s", name);
	if (step == ORDER_OPEN)
		snprintf(o.alarm, sizeof(o.alarm), "look here");
	put(BOOK_ORDER, name, 0, (uint16_t)step, body, (size_t)order_pack(&o, body));
}

static void put_line(unsigned i, enum line_step step)
{
	struct line l = {
		.order = NUMBER, .evidence = 255, .from = 1, .to = 2, .kvn = 2, .flags = LINE_READY | LINE_STAGED
	};
	uint8_t body[BOOK_BODY_MAX];
	char key[BOOK_KEY_MAX];

	fix_iccid(l.iccid, i);
	snprintf(l.imsi, sizeof(l.imsi), "00102000000000%u", i);
	line_key(key, NUMBER, l.iccid);
	put(BOOK_LINE, key, NUMBER, (uint16_t)step, body, (size_t)line_pack(&l, body));
}

static void put_parcel(enum book book, uint64_t seq, uint64_t owner)
{
	struct parcel p = {
		.type = "PL", .order = "o-1", .seq = seq, .records = 7, .rule = "index", .why = "not this one"
	};
	uint8_t body[BOOK_BODY_MAX];
	char key[BOOK_KEY_MAX];

	parcel_key(key, "op-b", seq);
	put(book, key, owner, PARCEL_REFUSED, body, (size_t)parcel_pack(&p, body));
}

static void put_card(unsigned i)
{
	struct vault_card c;
	uint8_t body[BOOK_BODY_MAX];
	char iccid[21];

	vault_card_new(&c, fix_iccid(iccid, i), 4, 1);
	put(BOOK_CARD, iccid, 0, VAULT_MADE, body, (size_t)vault_card_pack(&c, body));
}

/* ---- tests ---- */

static void test_without(void **state)
{
	api_attach(f->api, NULL, NULL);
	api_orders(f->api, "", 10, front_to(f));
	front_wait(f);
	assert_int_equal(f->status, API_REFUSED);
	assert_string_equal(front_error(f), "no-exchange");
	api_exchange(f->api, front_to(f));
	front_wait(f);
	assert_string_equal(front_error(f), "no-exchange");
	api_attach(f->api, desk, NULL);
}

static void test_orders(void **state)
{
	const json_t *rows;

	api_orders(f->api, "", 2, front_to(f));
	front_wait(f);
	assert_int_equal(f->status, API_OK);
	rows = json_object_get(f->json, "orders");
	assert_int_equal(json_array_size(rows), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "name")), "o-1");
	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "state")), "OPEN");
	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "alarm")), "look here");
	assert_string_equal(front_s(f, "next"), "o-2");
	api_orders(f->api, "o-2", 2, front_to(f));
	front_wait(f);
	rows = json_object_get(f->json, "orders");
	/* one that cannot be read is shown all the same */
	assert_int_equal(json_array_size(rows), 1);
	assert_non_null(strstr(f->text, "cannot be read"));
	api_orders(f->api, "", 0, front_to(f));
	front_wait(f);
	assert_string_equal(front_error(f), "bad-limit");
}

static void test_show(void **state)
{
	api_order_show(f->api, "o-1", front_to(f));
	front_wait(f);
	assert_int_equal(f->status, API_OK);
	assert_string_equal(front_s(f, "number"), "1122334455667788");
	assert_string_equal(front_s(f, "side"), "a");
	assert_string_equal(front_s(f, "kind"), "3b");
	assert_int_equal(front_n(f, "cards"), LINES);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(f->json, "steps"), "A_ARMED")), 3);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(f->json, "steps"), "A_STAGED")), 2);
	api_order_show(f->api, "o-7", front_to(f));
	front_wait(f);
	assert_int_equal(f->status, API_NOT_FOUND);
	assert_string_equal(front_error(f), "no-such-order");
}

static void test_lines(void **state)
{
	char iccid[21];
	json_t *rows;

	api_order_lines(f->api, "o-1", "", "", 4, front_to(f));
	front_wait(f);
	rows = json_object_get(f->json, "lines");
	assert_int_equal(json_array_size(rows), 4);
	assert_string_equal(front_s(f, "next"), fix_iccid(iccid, 4));
	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "flags")), "ready staged");
	assert_true(json_is_null(json_object_get(json_array_get(rows, 0), "evidence")));
	api_order_lines(f->api, "o-1", "", iccid, 4, front_to(f));
	front_wait(f);
	assert_int_equal(json_array_size(json_object_get(f->json, "lines")), 1);
	assert_true(json_is_null(json_object_get(f->json, "next")));
	api_order_lines(f->api, "o-1", "A_ARMED", "", 10, front_to(f));
	front_wait(f);
	rows = json_object_get(f->json, "lines");
	assert_int_equal(json_array_size(rows), 3);
	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 2), "step")), "A_ARMED");
	api_order_lines(f->api, "o-1", "A_AMRED", "", 10, front_to(f));
	front_wait(f);
	assert_int_equal(f->status, API_BAD);
	assert_non_null(strstr(f->text, "did you mean \\\"A_ARMED\\\"?"));
}

static void test_parcels(void **state)
{
	const json_t *row;

	api_parcels(f->api, true, "o-1", "", 10, front_to(f));
	front_wait(f);
	assert_int_equal(json_array_size(json_object_get(f->json, "packages")), 2);
	row = json_array_get(json_object_get(f->json, "packages"), 1);
	assert_string_equal(json_string_value(json_object_get(row, "partner")), "op-b");
	assert_int_equal(json_integer_value(json_object_get(row, "seq")), 12);
	assert_string_equal(json_string_value(json_object_get(row, "state")), "REFUSED");
	assert_string_equal(json_string_value(json_object_get(row, "rule")), "index");
	api_parcels(f->api, false, "", "", 10, front_to(f));
	front_wait(f);
	assert_int_equal(json_array_size(json_object_get(f->json, "packages")), 1);
	api_exchange_file(f->api, true, "op-b", 3, front_to(f));
	front_wait(f);
	assert_string_equal(front_error(f), "no-such-package");
}

static void test_vault(void **state)
{
	char iccid[21];

	api_vault_card(f->api, fix_iccid(iccid, 1), front_to(f));
	front_wait(f);
	assert_int_equal(f->status, API_OK);
	assert_int_equal(front_n(f, "pairs"), 4);
	assert_int_equal(front_n(f, "active"), 1);
	assert_int_equal(front_n(f, "free"), 3);
	api_vault_cards(f->api, "", 10, front_to(f));
	front_wait(f);
	assert_int_equal(json_array_size(json_object_get(f->json, "cards")), 2);
	api_vault_card(f->api, "8988", front_to(f));
	front_wait(f);
	assert_int_equal(f->status, API_NOT_FOUND);
	api_vault_ledger(f->api, "", 10, front_to(f));
	front_wait(f);
	assert_int_equal(json_array_size(json_object_get(f->json, "ledger")), 0);
}

/* The head comes after all numbers; it says how many lines there are, and so where the newest begin. */
static void test_ledger(void **state)
{
	struct ledger_head h = { 0 };
	uint8_t body[BOOK_BODY_MAX];
	char key[BOOK_KEY_MAX];
	const json_t *rows;

	for (unsigned i = 1; i <= LINES; i++) {
		struct ledger_line l = {
			.at_ms = FIX_NOW, .order = "o-1", .iccid = "8988211", .index = 2, .to = "op-b"
		};
		int len = ledger_next(&h, &l, body);

		ledger_key(key, i);
		put(BOOK_LEDGER, key, 0, 0, body, (size_t)len);
	}
	put(BOOK_LEDGER, LEDGER_HEAD, 0, 0, body, (size_t)ledger_head_pack(&h, body));
	ledger_key(key, UINT64_MAX);
	api_vault_ledger(f->api, key, 1, front_to(f));
	front_wait(f);
	assert_string_equal(json_string_value(json_object_get(f->json, "next")), LEDGER_HEAD);
	ledger_key(key, h.n - 1);
	api_vault_ledger(f->api, key, 10, front_to(f));
	front_wait(f);
	rows = json_object_get(f->json, "ledger");
	assert_int_equal(json_array_size(rows), 1);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(rows, 0), "n")), LINES);
}

/* The desk is asked and answers from one of its turns. */
static void test_ordered(void **state)
{
	const struct desk_request r = { .verb = DESK_CANCEL, .order = "nothing" };

	api_desk(f->api, &r, front_to(f));
	for (int i = 0; i < 100 && !f->answers; i++) {
		while (desk_step(desk, FIX_NOW))
			front_turn(f);
		front_turn(f);
	}
	assert_int_equal(f->status, API_NOT_FOUND);
	assert_string_equal(front_error(f), "not-found");
}

/* ---- life ---- */

static int setup(void **state)
{
	struct desk_cfg cfg = { .roles = DESK_VAULT };
	struct desk_deps deps = { 0 };
	size_t party_len, sealed_len;
	char *party, err[DESK_ERR_MAX];
	uint8_t *sealed;

	f = front_new(PROFILE_DIR);
	if (!mkdtemp(dir) ||
	    pkg_self_create(f->ks, "vault", FIX_NOW / 1000, &party, &party_len, &sealed, &sealed_len, err,
			    sizeof(err)) ||
	    pkg_self_load(&self, f->ks, party, party_len, sealed, sealed_len, err, sizeof(err)))
		return -1;
	free(party);
	free(sealed);
	snprintf(cfg.dir, sizeof(cfg.dir), "%s", dir);
	deps.env = &f->env;
	deps.store = f->store;
	deps.ks = f->ks;
	deps.errtab = f->errtab;
	deps.self = self;
	put_order("o-1", NUMBER, ORDER_OPEN);
	put_order("o-2", 2, ORDER_ENDED);
	put(BOOK_ORDER, "o-3", 0, ORDER_ENDED, (const uint8_t *)"x", 1);
	for (unsigned i = 1; i <= LINES; i++)
		put_line(i, i <= 3 ? A_ARMED : A_STAGED);
	put_parcel(BOOK_OUT, 11, NUMBER);
	put_parcel(BOOK_OUT, 12, NUMBER);
	put_parcel(BOOK_IN, 3, 0);
	put_card(1);
	put_card(2);
	desk = desk_new(&cfg, &deps, err);
	if (!desk)
		return -1;
	desk_start(desk, FIX_NOW);
	for (int i = 0; i < 1000 && !desk_ready(desk); i++) {
		desk_step(desk, FIX_NOW);
		front_turn(f);
	}
	api_attach(f->api, desk, NULL);
	return desk_ready(desk) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const folders[] = { "in", "held", "done", "refused", "out", "sent", "" };
	char path[128];

	api_attach(f->api, NULL, NULL);
	desk_free(desk);
	pkg_self_free(self);
	front_free(f);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, folders[i]);
		rmdir(path);
	}
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without), cmocka_unit_test(test_orders),	cmocka_unit_test(test_show),
		cmocka_unit_test(test_lines),	cmocka_unit_test(test_parcels), cmocka_unit_test(test_vault),
		cmocka_unit_test(test_ledger),	cmocka_unit_test(test_ordered),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
