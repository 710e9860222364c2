/* test_parts.c - otasim's lists, options and the comparison behind "otasim verify".
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fleet.h"
#include "opts.h"
#include "verify.h"

#define CARDS 5

static char dir[64];
static struct fleet fleet;
static struct truth_row rows[CARDS];
static char out_text[8192];

static char *path_of(const char *name)
{
	static char path[4][128];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[0]), "%s/%s", dir, name);
	return path[turn];
}

static int setup(void **state)
{
	struct sim_card_profile p;
	char err[128];

	strcpy(dir, "/tmp/otasim-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	sim_card_profile_default(&p);
	assert_int_equal(fleet_init(&fleet, CARDS, 1, &p, "00103", err, sizeof(err)), 0);
	assert_int_equal(fleet_write(&fleet, dir, err, sizeof(err)), 0);
	return 0;
}

static int teardown(void **state)
{
	unlink(path_of("cards.csv"));
	unlink(path_of("new-imsi.csv"));
	unlink(path_of("report.csv"));
	unlink(path_of("list.csv"));
	unlink(path_of("port"));
	assert_int_equal(rmdir(dir), 0);
	fleet_free(&fleet);
	return 0;
}

static void write_text(const char *name, const char *text)
{
	FILE *o = fopen(path_of(name), "w");

	assert_non_null(o);
	fputs(text, o);
	fclose(o);
}

static const char *read_text(const char *name)
{
	static char text[8192];
	FILE *in = fopen(path_of(name), "r");
	size_t n;

	assert_non_null(in);
	n = fread(text, 1, sizeof(text) - 1, in);
	text[n] = '\0';
	fclose(in);
	return text;
}

/* ---- lists ---- */

static void test_lists(void **state)
{
	const char *text = read_text("cards.csv");
	char line[256];
	struct stat st;
	int64_t i;

	assert_memory_equal(text, "ICCID,IMSI,MSISDN,ACC,KIC1,KID1,KIK1\n", 37);
	snprintf(line, sizeof(line), "\n%s,001020000000003,8829900000003,0008,", fleet.cards[2].iccid);
	assert_non_null(strstr(text, line));
	text = read_text("new-imsi.csv");
	snprintf(line, sizeof(line), "\n%s,001030000000003\n", fleet.cards[2].iccid);
	assert_non_null(strstr(text, line));
	assert_int_equal(stat(path_of("cards.csv"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	for (i = 0; i < CARDS; i++)
		assert_int_equal(fleet_find(&fleet, fleet.cards[i].iccid), i);
	assert_int_equal(fleet_find(&fleet, "8988"), -1);
	assert_int_equal(fleet_find(&fleet, "9988"), -1);
}

static void test_fleet_errors(void **state)
{
	struct sim_card_profile p;
	struct fleet other;
	char err[256];

	sim_card_profile_default(&p);
	assert_int_equal(fleet_init(&other, 1, 1, &p, "001039", err, sizeof(err)), -1);
	assert_non_null(strstr(err, "001039"));
	p.pairs = 4; /* 3DES keys: no applet */
	assert_int_equal(fleet_init(&other, 1, 1, &p, "00103", err, sizeof(err)), -1);
	assert_non_null(strstr(err, "AES"));
	p.alg = SIM_ALG_AES128;
	assert_int_equal(fleet_init(&other, 2, 1, &p, "00103", err, sizeof(err)), 0);
	assert_ptr_equal(other.cards[1].sub, &other.subs[1]);
	fleet_free(&other);
	assert_int_equal(fleet_write(&fleet, "/nonexistent/dir", err, sizeof(err)), -1);
	assert_non_null(strstr(err, "/nonexistent/dir"));
	assert_int_equal(write_atomically(path_of("port"), "4711\n", err, sizeof(err)), 0);
	assert_string_equal(read_text("port"), "4711\n");
	assert_int_equal(write_atomically("/nonexistent/port", "1", err, sizeof(err)), -1);
}

/* ---- options ---- */

static void test_units(void **state)
{
	struct sim_range r;
	uint32_t ppm;

	assert_true(opts_share("33%", &ppm));
	assert_int_equal(ppm, 330000);
	assert_true(opts_share("0.5%", &ppm));
	assert_int_equal(ppm, 5000);
	assert_false(opts_share("33", &ppm));
	assert_false(opts_share("101%", &ppm));
	assert_false(opts_share("-1%", &ppm));
	assert_false(opts_share("%", &ppm));
	assert_true(opts_range("5..50ms", &r));
	assert_int_equal(r.lo, 5);
	assert_int_equal(r.hi, 50);
	assert_true(opts_range("2s..10s", &r));
	assert_int_equal(r.lo, 2000);
	assert_int_equal(r.hi, 10000);
	assert_true(opts_range("300ms..1.5s", &r));
	assert_int_equal(r.lo, 300);
	assert_int_equal(r.hi, 1500);
	assert_true(opts_range("1m", &r));
	assert_int_equal(r.lo, 60000);
	assert_false(opts_range("5..50", &r));
	assert_false(opts_range("50..5ms", &r));
	assert_false(opts_range("5ms..", &r));
	assert_false(opts_range("", &r));
	assert_false(opts_range("5 ms", &r));
	assert_false(opts_range("99999999h", &r));
}

static enum opts_result parse(struct opts *o, const char *a, const char *b, const char *c)
{
	char *argv[] = { (char *)"otasim", (char *)a, (char *)b, (char *)c, NULL };
	int argc = 1 + (a != NULL) + (b != NULL) + (c != NULL);

	return opts_parse(o, argc, argv);
}

static void test_options(void **state)
{
	struct opts o;

	assert_int_equal(parse(&o, "--first-counter", "100", NULL), OPTS_RUN);
	assert_int_equal(o.card.cntr, 99); /* 100 is the first value taken */
	assert_int_equal(parse(&o, "--listen", "127.0.0.1:2775", "--from-imsi"), OPTS_RUN);
	assert_int_equal(o.port, 2775);
	assert_string_equal(o.host, "127.0.0.1");
	assert_true(o.air.from_imsi);
	assert_int_equal(parse(&o, "--seed", "0x10", NULL), OPTS_RUN);
	assert_int_equal(o.air.seed, 16);
	assert_int_equal(parse(&o, "--alg", "aes256", NULL), OPTS_RUN);
	assert_int_equal(o.card.alg, SIM_ALG_AES256);
	assert_int_equal(parse(&o, "--refresh-refused", "25%", NULL), OPTS_RUN);
	assert_int_equal(o.air.refresh_refused_ppm, 250000);
	assert_int_equal(parse(&o, "--unserved=00103", "--unserved", "001021"), OPTS_RUN);
	assert_string_equal(o.air.net[0].imsi_prefix, "00103");
	assert_string_equal(o.air.net[1].imsi_prefix, "001021");
	assert_int_equal(o.air.net[1].how, SIM_NET_UNKNOWN);
	assert_int_equal(parse(&o, "--replay", "06", NULL), OPTS_RUN);
	assert_int_equal(o.card.replay, SIM_REPLAY_06_CLEAR);
}

static void test_bad_options(void **state)
{
	static const char *const bad[][2] = {
		{ "--unserved", "0010x" },
		{ "--unserved", "" },
		{ "--unserved", "0010300000000001" },
		{ "--cards", "0" },
		{ "--cards", "-1" },
		{ "--alg", "des" },
		{ "--alg", "rot13" },
		{ "--loss", "2" },
		{ "--latency", "5" },
		{ "--listen", "2775" },
		{ "--mode", "fast" },
		{ "--msl", "ff" },
		{ "--kvn", "16" },
		{ "--imsi-prefix", "1" },
		{ "--nonsense", "1" },
		{ "--system-id", "0123456789abcdef" },
		{ "--password-file", "/nonexistent" },
		{ "--first-counter", "0" },
		{ "plain", "words" },
	};
	struct opts o;
	int keep = dup(2);

	assert_non_null(freopen("/dev/null", "w", stderr));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse(&o, bad[i][0], bad[i][1], NULL) != OPTS_EXIT_USAGE)
			fail_msg("%s %s was taken", bad[i][0], bad[i][1]);
	}
	fflush(stderr);
	dup2(keep, 2);
	close(keep);
}

static void test_password_file(void **state)
{
	struct opts o;
	char *argv[] = { (char *)"otasim",	    (char *)"--system-id", (char *)"gw",
			 (char *)"--password-file", path_of("port"),	   NULL };

	write_text("port", "secret\n");
	assert_int_equal(opts_parse(&o, 5, argv), OPTS_RUN);
	assert_string_equal(o.smsc.password, "secret");
}

/* ---- verify ---- */

/* All cards hold and present the new IMSI, once. */
static void all_changed(void)
{
	for (uint32_t i = 0; i < CARDS; i++) {
		struct truth_row *r = &rows[i];

		memset(r, 0, sizeof(*r));
		sim_card_truth(&fleet.cards[i], &r->t);
		strcpy(r->imsi_first, fleet.cards[i].imsi_first);
		fleet_new_imsi(&fleet, i, r->t.imsi_stored);
		strcpy(r->t.imsi_presented, r->t.imsi_stored);
		r->t.accepted = r->t.scripts_done = r->t.imsi_changes = r->t.imsi_writes = r->t.executions_max = 1;
		r->present = true;
	}
}

static void unchanged(uint32_t i)
{
	strcpy(rows[i].t.imsi_stored, rows[i].imsi_first);
	strcpy(rows[i].t.imsi_presented, rows[i].imsi_first);
	rows[i].t.imsi_writes = rows[i].t.imsi_changes = rows[i].t.executions_max = 0;
}

static enum verify_result verify(const char *report, bool partial)
{
	struct truth_row copy[CARDS];
	struct verify_job job = {
		.list = path_of("new-imsi.csv"), .partial = partial, .times = 1, .rows = copy, .n = CARDS
	};
	FILE *out = fmemopen(out_text, sizeof(out_text), "w");
	enum verify_result rc;

	memcpy(copy, rows, sizeof(copy));
	if (report) {
		write_text("report.csv", report);
		job.report = path_of("report.csv");
	}
	rc = verify_run(&job, out);
	fclose(out);
	return rc;
}

static const char *report_of(const char *states[CARDS])
{
	static char text[4096];
	size_t n = (size_t)sprintf(text, "state,iccid,note,new_imsi\n");

	for (uint32_t i = 0; i < CARDS; i++) {
		char imsi[SIM_IMSI_LEN];

		fleet_new_imsi(&fleet, i, imsi);
		n += (size_t)sprintf(text + n, "%s,%s,\"a \"\"quoted\"\", note\",%s\n", states[i], fleet.cards[i].iccid,
				     imsi);
	}
	return text;
}

static void test_rows_as_text(void **state)
{
	char line[TRUTH_LINE_MAX], again[TRUTH_LINE_MAX];
	struct truth_row r;

	all_changed();
	rows[1].t.seen_dropped = 7;
	truth_print(line, &rows[1]);
	assert_true(truth_parse(line, &r));
	truth_print(again, &r);
	assert_string_equal(line, again);
	for (size_t i = strlen(line); i-- > 0;) {
		line[i] = '\0';
		assert_false(truth_parse(line, &r));
	}
	assert_false(truth_parse("a,b,c,d,1,2,3,4,5,6,7,8,9,x,1", &r));
}

static void test_all_holds(void **state)
{
	static const char *done[CARDS] = { "DONE", "DONE", "DONE", "DONE", "DONE" };

	all_changed();
	assert_int_equal(verify(NULL, false), VERIFY_HOLDS);
	assert_non_null(
		strstr(out_text, "cards 5, new imsi 5, presented 5, executed twice 0, same counter other octets 0"));
	assert_int_equal(verify(report_of(done), false), VERIFY_HOLDS);
	assert_non_null(strstr(out_text, "report lines 5, report disagrees 0, not reported 0: all holds"));
}

static void test_an_unchanged_card(void **state)
{
	all_changed();
	unchanged(2);
	assert_int_equal(verify(NULL, false), VERIFY_DIFFERS);
	assert_non_null(strstr(out_text, fleet.cards[2].iccid));
	assert_int_equal(verify(NULL, true), VERIFY_HOLDS);
	/* stored, but the phone has not looked yet */
	all_changed();
	strcpy(rows[2].t.imsi_presented, rows[2].imsi_first);
	assert_int_equal(verify(NULL, false), VERIFY_DIFFERS);
	assert_int_equal(verify(NULL, true), VERIFY_HOLDS);
	/* neither old nor new */
	strcpy(rows[2].t.imsi_stored, "001019999999999");
	assert_int_equal(verify(NULL, true), VERIFY_DIFFERS);
}

static void test_safety(void **state)
{
	all_changed();
	rows[3].t.executions_max = 2;
	assert_int_equal(verify(NULL, true), VERIFY_DIFFERS);
	assert_non_null(strstr(out_text, "executed twice 1"));
	all_changed();
	rows[3].t.imsi_writes = 2; /* under two counters */
	assert_int_equal(verify(NULL, true), VERIFY_DIFFERS);
	all_changed();
	rows[3].t.same_cntr_other_packet = 1;
	assert_int_equal(verify(NULL, true), VERIFY_DIFFERS);
	assert_non_null(strstr(out_text, "same counter other octets 1"));
}

static void test_list_and_fleet(void **state)
{
	char text[512];

	all_changed();
	/* card 0 is changed, but not in the list; one in the list is no card of ours */
	write_text("list.csv", "iccid , x\n");
	snprintf(text, sizeof(text), "IMSI,ICCID\n001030000000002,%s\n001030000000009,8988211001000000099\n",
		 fleet.cards[1].iccid);
	write_text("new-imsi.csv", text);
	unchanged(2);
	unchanged(3);
	unchanged(4);
	assert_int_equal(verify(NULL, true), VERIFY_DIFFERS);
	assert_non_null(strstr(out_text, "is in the list, not in the fleet"));
	assert_non_null(strstr(out_text, "is not in the list"));
	write_text("new-imsi.csv", "ICCID,Number\n");
	assert_int_equal(verify(NULL, true), VERIFY_CANNOT);
	assert_non_null(strstr(out_text, "no column \"IMSI\""));
	write_text("new-imsi.csv", "");
	assert_int_equal(verify(NULL, true), VERIFY_CANNOT);
	unlink(path_of("new-imsi.csv"));
	assert_int_equal(verify(NULL, true), VERIFY_CANNOT);
}

static void test_report(void **state)
{
	const char *states[CARDS] = { "DONE", "DONE", "FAILED", "DONE", "DONE" };
	char text[4096];

	all_changed();
	/* a card that holds it must be DONE, at the end */
	assert_int_equal(verify(report_of(states), false), VERIFY_DIFFERS);
	assert_int_equal(verify(report_of(states), true), VERIFY_HOLDS);
	/* DONE means it holds it, always */
	unchanged(1);
	assert_int_equal(verify(report_of(states), true), VERIFY_DIFFERS);
	assert_non_null(strstr(out_text, "the report says DONE"));
	/* a line twice, a line missing, a stranger, another IMSI */
	all_changed();
	states[2] = "DONE";
	snprintf(text, sizeof(text), "%sDONE,%s,,001030000000001\n", report_of(states), fleet.cards[0].iccid);
	assert_int_equal(verify(text, false), VERIFY_DIFFERS);
	assert_non_null(strstr(out_text, "more than once"));
	snprintf(text, sizeof(text), "%s", report_of(states));
	*strstr(text, "DONE") = '\0';
	assert_int_equal(verify(text, false), VERIFY_DIFFERS);
	assert_non_null(strstr(out_text, "not reported 5"));
	snprintf(text, sizeof(text), "%sDONE,8988211001000000099,,001030000000009\n", report_of(states));
	assert_int_equal(verify(text, false), VERIFY_DIFFERS);
	snprintf(text, sizeof(text), "%s", report_of(states));
	strstr(text, ",001030000000001")[1] = '9';
	assert_int_equal(verify(text, false), VERIFY_DIFFERS);
	assert_int_equal(verify("iccid,state\n", false), VERIFY_CANNOT);
}

/* Many differences: the list is cut, the sum is not. */
static void test_shown_is_bounded(void **state)
{
	char text[4096];
	size_t n = (size_t)sprintf(text, "ICCID,IMSI\n"), lines = 0;

	all_changed();
	for (int i = 0; i < CARDS; i++)
		unchanged((uint32_t)i);
	for (int i = 0; i < 50; i++)
		n += (size_t)sprintf(text + n, "89882110010000%05d,001030000000001\n", 50000 + i);
	write_text("new-imsi.csv", text);
	assert_int_equal(verify(NULL, false), VERIFY_DIFFERS);
	for (const char *p = out_text; (p = strchr(p, '\n')); p++)
		lines++;
	assert_int_equal(lines, VERIFY_SHOWN_MAX + 2);
	assert_non_null(strstr(out_text, "... and 30 more"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_lists),
		T(test_fleet_errors),
		T(test_units),
		T(test_options),
		T(test_bad_options),
		T(test_password_file),
		T(test_rows_as_text),
		T(test_all_holds),
		T(test_an_unchanged_card),
		T(test_safety),
		T(test_list_and_fleet),
		T(test_report),
		T(test_shown_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
