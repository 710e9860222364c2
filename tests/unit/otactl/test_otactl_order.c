/* test_otactl_order.c - the real otactl against canned answers: orders between operators, and what their lines add up to.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "otactl_fix.h"

#define ORDER(side, kind, cards, listed)                                                                               \
	"{\"name\":\"o1\",\"number\":\"0000000000000001\",\"side\":\"" side "\",\"kind\":\"" kind                      \
	"\",\"state\":\"ended\",\"policy\":\"deliver-then-activate\",\"subscriber\":\"s\",\"a\":\"a\",\"b\":\"b\","    \
	"\"vault\":\"m\",\"cards\":" cards ",\"paired\":3,\"listed\":" listed ",\"closed\":3,\"created\":"             \
	"\"2026-01-01T00:00:00.000Z\",\"until\":\"2026-02-01T00:00:00.000Z\",\"ended\":null,\"alarm\":null,\"steps\":" \
	"{}}"
#define LINE(iccid, end, told, flags, left, rest)                                                             \
	"{\"iccid\":\"" iccid "\",\"step\":\"A_CLOSED\",\"end\":" end ",\"told\":" told ",\"flags\":\"" flags \
	"\",\"imsi\":\"262020000000001\",\"from\":1,\"to\":2,\"left\":" left rest "}"
#define SEEN	  ",\"served\":\"2026-01-02T00:00:00.000Z\""
#define CONFIRMED SEEN ",\"confirmed\":\"2026-01-02T00:00:01.000Z\""

/* Every end once; a line may be counted in several sums, and the words of one flag are not part of another's. */
static void report_of_the_old_operator(void **state)
{
	SERVE({ 200, ORDER("a", "3b", "5", "5") },
	      { 200,
		"{\"lines\":[" LINE("1", "\"done\"", "null", "ready staged armed provisional final", "4",
				    CONFIRMED) "," LINE("2", "\"rolled-back\"", "null",
							"ready staged armed provisional final", "7",
							"") "," LINE("3", "\"failed\"", "null", "staged provisional",
								     "2", "") "],\"next\":\"3\"}" },
	      { 200, "{\"lines\":[" LINE("4", "null", "null", "plain armed stranded", "9",
					 ",\"evidence\":\"E4\"") "," LINE("5", "null", "null", "provisioned unarmed",
									  "9", "") "],\"next\":null}" });

	assert_int_equal(run("order", "report", "o1", NULL), 3);
	assert_has(out, "ordered     5 cards; 5 lines in the books\n");
	assert_has(out, "new IMSIs   5; 5 have come back in the hand-over list, each once\n");
	assert_has(out, "ends        1 done, 1 failed, 0 unreached, 0 cancelled, 1 rolled back; 2 are under way\n");
	assert_has(out, "service     1 seen at the new operator (E5), 1 confirmed under its keys (E6)\n");
	assert_has(out, "armed       1 told to go and not seen yet");
	assert_has(out,
		   "stranded    1 cards without a way back, written for an IMSI that b does not serve; 1 have shown");
	assert_has(out, "\n            4\n");
	assert_has(out, "b has to make these IMSIs ready");
	assert_has(out,
		   "exposure    2 cards whose K went to the new operator and that stay here, 1 of them with OTA keys");
	assert_has(out, "pairs       at least 2 left in each card\n");
	assert_null(strstr(out, "DIFFER"));
	assert_request(0, "GET /api/v1/orders/o1");
	assert_request(1, "GET /api/v1/orders/o1/lines?limit=1000&after=");
	assert_request(2, "GET /api/v1/orders/o1/lines?limit=1000&after=3");
	done(3);
}

/* Its partner's list says otherwise than its own register: both are named, and the status is not 0. */
static void report_of_the_new_operator(void **state)
{
	SERVE({ 200, ORDER("b", "3a", "3", "3") },
	      { 200, "{\"lines\":[" LINE("1", "\"done\"", "\"done\"", "ready", "0",
					 CONFIRMED) "," LINE("2", "\"done\"", "\"done\"", "ready", "0",
							     "") "," LINE("3", "\"done\"", "\"failed\"", "ready", "0",
									  SEEN) "],\"next\":null}" },
	      { 200, ORDER("b", "3a", "3", "3") },
	      { 200, "{\"lines\":[" LINE("1", "\"done\"", "\"done\"", "ready", "0",
					 CONFIRMED) "," LINE("2", "\"rolled-back\"", "\"rolled-back\"", "ready", "0",
							     SEEN) "],\"next\":null}" });
	json_t *v;

	assert_int_equal(run("order", "report", "o1", NULL), 3);
	assert_has(
		out,
		"DIFFER      1 done, says the present operator, that have not confirmed themselves here; 1 not done, "
		"says he, that are here\n");
	assert_null(strstr(out, "pairs"));
	assert_int_equal(run("-o", "json", "order", "report", "o1", NULL), 3); /* a line of three is not there */
	v = json_loads(out, 0, NULL);
	assert_non_null(v);
	assert_int_equal(json_integer_value(json_object_get(v, "lines")), 2);
	assert_int_equal(json_integer_value(json_object_get(v, "here_not_done")), 0);
	assert_true(json_is_false(json_object_get(v, "sums")));
	json_decref(v);
	done(4);
}

static void report_where_all_is_well(void **state)
{
	SERVE({ 200, ORDER("a", "3a", "1", "1") },
	      { 200, "{\"lines\":[" LINE("1", "\"done\"", "null", "ready armed", "0", CONFIRMED) "],\"next\":null}" });

	assert_int_equal(run("order", "report", "o1", NULL), 0);
	assert_has(out, "stranded    0\n");
	assert_has(out, "stay here, 0 of them with OTA keys\n");
	done(2);
}

/* A change is an order of ours alone. */
static void changes(void **state)
{
	SERVE({ 200, "{\"orders\":[{\"name\":\"o1\",\"side\":\"b\",\"state\":\"OPEN\"},"
		     "{\"name\":\"k1\",\"side\":\"home\",\"what\":\"ota-keys,k\",\"state\":\"OPEN\",\"cards\":7}],"
		     "\"next\":null}" },
	      { 200, "{\"name\":\"k1\",\"side\":\"home\",\"kind\":\"change\",\"state\":\"OPEN\",\"what\":\"ota-keys,"
		     "k\",\"number\":"
		     "\"00000000000000aa\",\"cards\":7,\"closed\":2,\"steps\":{\"C_SETTLE\":5,\"C_CLOSED\":2}}" },
	      { 200, "{\"name\":\"k2\",\"state\":\"change k2: 1 cards\"}" },
	      { 200, "{\"name\":\"i2\",\"state\":\"change i2: 1 cards\"}" },
	      { 200, "{\"name\":\"k3\",\"state\":\"change k3: 9 cards\"}" },
	      { 200, "{\"name\":\"o1\",\"state\":\"order o1: 2 cards are made ready once more\"}" });

	assert_int_equal(run("change", "list", NULL), 0);
	assert_has(out, "k1");
	assert_null(strstr(out, "o1"));
	assert_int_equal(run("change", "show", "k1", NULL), 0);
	assert_has(out, "change      k1  OPEN: ota-keys,k  (number 00000000000000aa)\n");
	assert_has(out, "cards       7, 2 at an end\n");
	assert_has(out, "  C_SETTLE           5\n");
	assert_int_equal(run("change", "start", "k2", "--cards", "/dev/null", "--what", "ota-keys,k", NULL), 0);
	assert_has(out, "k2: change k2: 1 cards\n");
	assert_request(2, "POST /api/v1/changes");
	assert_int_equal(run("change", "start", "k2", "--what", "k", NULL), 1);
	assert_has(err, "needs --cards FILE or --order ORDER, and --what");
	assert_int_equal(run("change", "start", "i2", "--imsi-list", "/dev/null", "--what", "imsi", NULL), 0);
	assert_request(3, "POST /api/v1/changes");
	assert_body(3, "imsi_list", "\"/dev/null\"");
	assert_int_equal(run("change", "start", "i2", "--imsi-list", "/dev/null", "--cards", "/dev/null", "--what",
			     "imsi", NULL),
			 1);
	assert_int_equal(run("change", "cancel", "k2", NULL), 1);
	assert_int_equal(run("change", "start", "k3", "--order", "o1", "--cards", "/dev/null", "--what", "all", NULL),
			 1);
	assert_int_equal(run("change", "start", "k3", "--order", "o1", "--what", "all", NULL), 0);
	assert_body(4, "order", "\"o1\"");
	assert_int_equal(run("order", "provide", "o1", "--card", "8988211000000000001", NULL), 0);
	assert_request(5, "POST /api/v1/orders/o1/provide");
	assert_body(5, "iccid", "\"8988211000000000001\"");
	done(6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes),
		cmocka_unit_test(report_of_the_old_operator),
		cmocka_unit_test(report_of_the_new_operator),
		cmocka_unit_test(report_where_all_is_well),
	};

	return cmocka_run_group_tests_name("otactl order", tests, otactl_setup, otactl_teardown);
}
