/* test_live.c - the program with a scenario: its verdict as exit status and JUnit, and what it tells over HTTP.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "prog_test.h"
#include "sim_test.h"
#include "smpp_pdu.h"

#define ANSWER_MAX (1 << 20)
#define IDLERS	   40 /* connections that say nothing: more than are taken at a time */

static char answer[ANSWER_MAX];

/* ---- the program ---- */

static int run_it(const char *scenario, const char *more)
{
	char *argv[] = { (char *)prog_otasim, (char *)"--quiet",      (char *)"--scenario", prog_path("s.scn"),
			 (char *)"--junit",   prog_path("junit.xml"), (char *)more,	    NULL };

	prog_write("s.scn", scenario);
	return prog_wait(prog_spawn(argv, prog_path("out.txt")));
}

static void start(const char *scenario)
{
	char *argv[] = { (char *)prog_otasim,
			 (char *)"--quiet",
			 (char *)"--scenario",
			 prog_path("s.scn"),
			 (char *)"--port-file",
			 prog_path("port"),
			 (char *)"--http",
			 (char *)"127.0.0.1:0",
			 (char *)"--dir",
			 prog_dir,
			 (char *)"--junit",
			 prog_path("junit.xml"),
			 NULL };

	prog_write("s.scn", scenario);
	prog_pid = prog_spawn(argv, prog_path("out.txt"));
}

static uint16_t http_port(void)
{
	const char *at = strstr(prog_text("out.txt"), "http://127.0.0.1:");

	assert_non_null(at);
	return (uint16_t)atoi(at + 17);
}

static void test_verdict(void **state)
{
	assert_int_equal(run_it("cards 3\nend at 200ms\nexpect imsi old\n", NULL), 0);
	assert_non_null(strstr(prog_text("out.txt"), "1 passed, 0 failed\n"));
	assert_non_null(strstr(prog_text("junit.xml"), "tests=\"1\" failures=\"0\" errors=\"0\""));
	assert_int_equal(run_it("cards 3\nend at 200ms\nexpect imsi old\nexpect imsi new by 100ms\n", NULL), 1);
	assert_non_null(strstr(prog_text("out.txt"), "FAIL  "));
	assert_non_null(strstr(prog_text("junit.xml"), "<failure message=\"3 of 3 cards"));
	assert_int_equal(run_it("cards 3\nend at 200ms\nexpct imsi old\n", NULL), 2);
	assert_non_null(strstr(prog_text("out.txt"), "s.scn:3: \"expct\" is not how a line begins"));
	assert_int_equal(run_it("cards 3\nset latency x\n", NULL), 2);
	assert_int_equal(run_it("cards 3\nend at 1h\nexpect imsi old\n", "--check"), 0);
	assert_non_null(strstr(prog_text("out.txt"), "3 cards, 1 SMSC, 0 rules, 1 expectations, ends at 1h: fine"));
	assert_int_equal(run_it("cards 3\nset pairs 2\nset alg aes128\nall wrong-keys\n", "--check"), 2);
	assert_non_null(strstr(prog_text("out.txt"), "s.scn:4: wrong-keys: not for cards with key pairs"));
}

/* What the command line says wins over the file. */
static void test_command_line_wins(void **state)
{
	char *argv[] = { (char *)prog_otasim, (char *)"--scenario", prog_path("s.scn"),
			 (char *)"--cards",   (char *)"7",	    (char *)"--alg",
			 (char *)"aes128",    (char *)"--check",    NULL },
	     *bad[] = { (char *)prog_otasim, (char *)"--junit", prog_path("j"), NULL },
	     *none[] = { (char *)prog_otasim, (char *)"--scenario", prog_path("none.scn"), NULL };

	prog_write("s.scn", "cards 3\nset alg 3des3\ncard 7 silent\n");
	assert_int_equal(prog_wait(prog_spawn(argv, prog_path("out.txt"))), 0);
	assert_non_null(strstr(prog_text("out.txt"), ": 7 cards, "));
	assert_int_equal(prog_wait(prog_spawn(bad, prog_path("out.txt"))), 2);
	assert_string_equal(prog_text("out.txt"), "otasim: --junit needs --scenario\n");
	assert_int_equal(prog_wait(prog_spawn(none, prog_path("out.txt"))), 2);
	assert_non_null(strstr(prog_text("out.txt"), "none.scn: No such file or directory"));
}

static void test_a_signal_leaves_it_open(void **state)
{
	start("cards 3\nend at 1h\nexpect imsi old\n");
	prog_port();
	kill(prog_pid, SIGTERM);
	assert_int_equal(prog_wait(prog_pid), 1);
	prog_pid = -1;
	assert_non_null(strstr(prog_text("out.txt"), "0 passed, 0 failed, 1 not judged"));
	assert_non_null(
		strstr(prog_text("junit.xml"), "<error message=\"it was ended before this could be judged\"/>"));
}

/* ---- SMSCs on their ports ---- */

static bool refused(uint16_t port)
{
	int fd = prog_dial(port);

	if (fd >= 0)
		close(fd);
	return fd < 0;
}

static void test_doors(void **state)
{
	char name[2][32];
	unsigned port[2];
	int fd, n = 0;
	char octet;

	start("smscs north south\ncards 3\nbegin first-connection\nend at 1h\n"
	      "smsc south refuses-connections from 200ms for 1s every 2s\nexpect imsi old\n");
	prog_port();
	assert_int_equal(sscanf(prog_text("port"), "%u %31s %u %31s", &port[0], name[0], &port[1], name[1]), 4);
	assert_string_equal(name[0], "north");
	assert_string_equal(name[1], "south");
	fd = prog_dial((uint16_t)port[1]); /* time begins */
	assert_true(fd >= 0);
	assert_int_equal(recv(fd, &octet, 1, 0), 0); /* cut when the door shuts */
	close(fd);
	while (!refused((uint16_t)port[1]) && n++ < PATIENCE_MS / 10)
		poll(NULL, 0, 10);
	assert_false(refused((uint16_t)port[0]));
	while (refused((uint16_t)port[1]) && n++ < PATIENCE_MS / 10)
		poll(NULL, 0, 10);
	assert_true(n < PATIENCE_MS / 10);
}

/* ---- HTTP ---- */

/* Sends it and reads until the other side closes; the status, 0: no answer. */
static int raw(uint16_t port, const char *text, size_t len)
{
	int fd = prog_dial(port), status = 0;
	size_t have = 0;
	ssize_t n;

	assert_true(fd >= 0);
	if (send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len) {
		while (have < ANSWER_MAX - 1 && (n = recv(fd, answer + have, ANSWER_MAX - 1 - have, 0)) > 0)
			have += (size_t)n;
	}
	close(fd);
	answer[have] = '\0';
	if (sscanf(answer, "HTTP/1.%*d %d", &status) != 1)
		return 0;
	return status;
}

static int ask(uint16_t port, const char *method, const char *path)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: x\r\n\r\n", method, path);

	return raw(port, text, (size_t)n);
}

static const char *body(void)
{
	const char *at = strstr(answer, "\r\n\r\n");

	assert_non_null(at);
	return at + 4;
}

static json_t *get(uint16_t port, const char *path)
{
	json_error_t e;
	json_t *j;

	if (ask(port, "GET", path) != 200)
		fail_msg("%s: %s", path, answer);
	assert_non_null(strstr(answer, "Content-Type: application/json"));
	j = json_loads(body(), 0, &e);
	if (!j)
		fail_msg("%s is no JSON: %s\n%s", path, e.text, body());
	return j;
}

static int64_t number_in(const json_t *j, const char *name)
{
	const json_t *v = json_object_get(j, name);

	assert_true(json_is_integer(v));
	return json_integer_value(v);
}

static void check_cards(uint16_t port, char iccid[32])
{
	json_t *j = get(port, "/cards"), *list = json_object_get(j, "cards"), *one;
	char path[128];

	assert_int_equal(number_in(j, "total"), 250);
	assert_int_equal(json_array_size(list), 100);
	assert_int_equal(number_in(j, "next"), 101);
	snprintf(iccid, 32, "%s", json_string_value(json_object_get(json_array_get(list, 4), "iccid")));
	json_decref(j);
	j = get(port, "/cards?from=201&max=1000");
	assert_int_equal(json_array_size(json_object_get(j, "cards")), 50);
	assert_true(json_is_null(json_object_get(j, "next")));
	json_decref(j);
	j = get(port, "/cards?from=100000");
	assert_int_equal(json_array_size(json_object_get(j, "cards")), 0);
	json_decref(j);
	snprintf(path, sizeof(path), "/cards/%s", iccid);
	one = get(port, path);
	assert_int_equal(number_in(one, "card"), 5);
	assert_true(json_is_false(json_object_get(one, "present")));
	assert_string_equal(json_string_value(json_object_get(one, "imsi_new")), "001030000000005");
	json_decref(one);
}

static void check_messages(uint16_t port, uint16_t smpp, const char *iccid)
{
	struct smpp_pdu p = { .id = SMPP_BIND_TRANSCEIVER,
			      .seq = 1,
			      .bind = { .system_id = "a\"b\\c", .interface_version = SMPP_VERSION } };
	int fd = prog_dial(smpp), n, tries = 0;
	char path[128];
	uint8_t buf[512];
	json_t *j, *list;

	n = smpp_pdu_pack(buf, sizeof(buf), &p);
	assert_int_equal(send(fd, buf, (size_t)n, MSG_NOSIGNAL), n);
	p = (struct smpp_pdu){
		.id = SMPP_SUBMIT_SM,
		.seq = 2,
		.sm = { .src = { 1, 1, "1" }, .dst = { 1, 1, "8829900000005" }, .sm = { (const uint8_t *)"hi", 2 } }
	};
	n = smpp_pdu_pack(buf, sizeof(buf), &p);
	assert_int_equal(send(fd, buf, (size_t)n, MSG_NOSIGNAL), n);
	do { /* connect, bind, submit, answer */
		poll(NULL, 0, 20);
		j = get(port, "/messages");
		if (number_in(j, "newest") >= 4)
			break;
		json_decref(j);
	} while (++tries < PATIENCE_MS / 20);
	list = json_object_get(j, "messages");
	assert_string_equal(text_of(json_array_get(list, 1), "what"), "bind");
	assert_string_equal(text_of(json_array_get(list, 1), "system_id"), "a\"b\\c");
	assert_string_equal(text_of(json_array_get(list, 2), "ud"), "6869");
	assert_string_equal(text_of(json_array_get(list, 2), "iccid"), iccid);
	assert_int_equal(number_in(json_array_get(list, 3), "status"), ESME_RINVDSTADR); /* it is absent */
	json_decref(j);
	j = get(port, "/messages?after=1&max=2");
	assert_int_equal(json_array_size(json_object_get(j, "messages")), 2);
	assert_int_equal(number_in(j, "next"), 3);
	json_decref(j);
	snprintf(path, sizeof(path), "/messages?iccid=%s", iccid);
	j = get(port, path);
	assert_int_equal(json_array_size(json_object_get(j, "messages")), 1);
	json_decref(j);
	j = get(port, "/smsc");
	assert_int_equal(number_in(json_array_get(json_object_get(j, "smscs"), 0), "submits"), 1);
	json_decref(j);
	close(fd);
}

static const char scenario[] = "scenario \"<b>\" & co\ncards 250\nend at 1h\ncard 1-10 absent\nexpect imsi old\n"
			       "expect attempts <= 0\n";

static void test_http(void **state)
{
	static const char *const others[] = { "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE" };
	uint16_t smpp, port;
	char iccid[32];
	json_t *j;

	start(scenario);
	smpp = prog_port();
	port = http_port();
	check_cards(port, iccid);
	check_messages(port, smpp, iccid);
	j = get(port, "/scenario");
	assert_string_equal(text_of(j, "name"), "\"<b>\" & co");
	assert_string_equal(text_of(j, "verdict"), "fail");
	assert_string_equal(text_of(json_array_get(json_object_get(j, "expectations"), 0), "verdict"), "open");
	assert_string_equal(text_of(json_array_get(json_object_get(j, "expectations"), 1), "verdict"), "fail");
	json_decref(j);
	assert_int_equal(ask(port, "GET", "/"), 200);
	assert_non_null(strstr(answer, "Content-Type: text/html"));
	assert_non_null(strstr(body(), "<h1>&quot;&lt;b&gt;&quot; &amp; co</h1>"));
	assert_null(strstr(body(), "<b>"));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_int_equal(ask(port, others[i], "/cards"), 405);
		assert_non_null(strstr(answer, "Allow: GET, HEAD\r\n"));
	}
	assert_int_equal(ask(port, "HEAD", "/cards"), 200);
	assert_string_equal(body(), "");
}

static char *lower(char *text)
{
	for (char *p = text; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return text;
}

static void test_http_bad_questions(void **state)
{
	static const struct {
		const char *path;
		int status;
	} asks[] = {
		{ "/nothing", 404 },
		{ "/cards/1", 404 },
		{ "/cards/", 404 },
		{ "/cards?max=1001", 400 },
		{ "/cards?max=-1", 400 },
		{ "/cards?max=", 400 },
		{ "/cards?from=1x", 400 },
		{ "/messages?iccid=77", 404 },
		{ "/messages?after=99999999999999999999", 400 },
		{ "/cards?max=0", 200 },
		{ "/%2e%2e/etc/passwd", 404 },
		{ "//cards", 404 },
		{ "/scenario?what=else", 200 },
	};
	static char big[20000];
	uint16_t port;
	int idle[IDLERS];
	FILE *keys;
	char line[256];

	start(scenario);
	prog_port();
	port = http_port();
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		if (ask(port, "GET", asks[i].path) != asks[i].status)
			fail_msg("%s: %s", asks[i].path, answer);
	}
	memset(big, 'a', sizeof(big));
	memcpy(big, "GET /", 5);
	assert_int_not_equal(raw(port, big, sizeof(big)), 200);
	assert_int_not_equal(raw(port, "\x16\x03\x01\x02\r\n\r\n", 8), 200);
	assert_int_not_equal(raw(port, "POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 45), 200);
	/* more idle connections than are taken at a time; when they go, it answers again */
	for (int i = 0; i < IDLERS; i++)
		idle[i] = prog_dial(port);
	for (int i = 0; i < IDLERS; i++)
		close(idle[i]);
	assert_int_equal(ask(port, "GET", "/scenario"), 200);
	/* no key anywhere */
	assert_int_equal(ask(port, "GET", "/cards?max=1000"), 200);
	lower(answer);
	keys = fopen(prog_path("cards.csv"), "r");
	assert_non_null(keys);
	while (fgets(line, sizeof(line), keys)) {
		char *key = strrchr(line, ',');

		if (!strncmp(line, "ICCID", 5))
			continue;
		for (int k = 0; k < 3; k++) { /* KIK, KID, KIC */
			key[33] = '\0';
			assert_null(strstr(answer, lower(key + 1)));
			*key = '\0';
			key = strrchr(line, ',');
		}
	}
	fclose(keys);
	kill(prog_pid, SIGTERM);
	assert_int_equal(prog_wait(prog_pid), 1);
	prog_pid = -1;
	assert_null(strstr(prog_text("out.txt"), "Sanitizer"));
}

static int setup(void **state)
{
	prog_setup();
	return 0;
}

static int teardown(void **state)
{
	prog_teardown();
	return 0;
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_verdict), T(test_command_line_wins),  T(test_a_signal_leaves_it_open), T(test_doors),
		T(test_http),	 T(test_http_bad_questions),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s OTASIM\n", argv[0]);
		return 2;
	}
	prog_otasim = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
