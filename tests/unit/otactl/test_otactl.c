/* test_otactl.c - the real otactl against canned answers: exit codes, requests, chunks, output formats.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <sys/wait.h>
#include <unistd.h>

#include "otactl_fix.h"

/* ------------------------------------------------------------------------------------------------ exit codes */

static void server_down_is_4_and_says_what_to_do(void **state)
{
	char far[200];

	assert_int_equal(run("status", NULL), 4);
	assert_has(err, "cannot reach the gateway at ");
	assert_has(err, sock);
	assert_has(err, "Is otagwd running?");
	assert_int_equal(run("status", "-s", "/nonexistent/x.sock", NULL), 4);
	assert_has(err, "/nonexistent/x.sock: No such file or directory");
	memset(far, 'x', sizeof(far) - 1);
	far[sizeof(far) - 1] = '\0';
	assert_int_equal(run("status", "-s", far, NULL), 4);
	assert_has(err, "the socket's path is longer than 107 octets");
}

static void usage_is_1(void **state)
{
	assert_int_equal(run(NULL), 1);
	assert_has(err, "which command?");
	assert_int_equal(run("campain", "list", NULL), 1);
	assert_has(err, "unknown command 'campain'; did you mean 'campaign'?");
	assert_int_equal(run("campaign", "pasue", "x", NULL), 1);
	assert_has(err, "unknown command 'pasue'; did you mean 'pause'?");
	assert_int_equal(run("campaign", NULL), 1);
	assert_has(err, "campaign what?");
	assert_int_equal(run("campaign", "show", NULL), 1);
	assert_int_equal(run("campaign", "show", "a", "b", NULL), 1);
	assert_int_equal(run("status", "--outptu", "json", NULL), 1);
	assert_has(err, "did you mean '--output'?");
	assert_int_equal(run("status", "-o", "jsn", NULL), 1);
	assert_has(err, "unknown output format 'jsn'; did you mean 'json'?");
	assert_int_equal(run("status", "-o", NULL), 1);
	assert_has(err, "--output needs FORMAT");
	assert_int_equal(run("campaign", "cancel", "x", NULL), 1);
	assert_has(err, "repeat with --yes");
	assert_int_equal(run("campaign", "delete", "x", NULL), 1);
	assert_int_equal(run("campaign", "cancel", "x", "--yes=1", NULL), 1);
	assert_has(err, "--yes takes no value");
	assert_int_equal(run("campaign", "create", "x", NULL), 1);
	assert_has(err, "--imsi-list FILE and --profile NAME");
	assert_int_equal(run("campaign", "watch", "x", "--until", "half", NULL), 1);
	assert_int_equal(run("card", "import", file, NULL), 1);
	assert_has(err, "--keyset 1=3des2,cntr=100");
	assert_int_equal(run("card", "import", "/nonexistent", "--keyset", "1=3des2", NULL), 1);
	assert_has(err, "is not VERSION=ALGORITHM,cntr=FIRST");
	assert_int_equal(run("card", "import", file, "--keyset", "1=3des2,cntr=1,cctr=4", NULL), 1);
	assert_int_equal(run("card", "import", file, "--keyset", "0=3des2,cntr=1", NULL), 1);
	assert_int_equal(run("card", "import", file, "--keyset", "1=3des2,cntr=1,gen=", NULL), 1);
	assert_int_equal(run("card", "import", file, "--keyset", "1=3des2,cntr=1,gen=4294967296", NULL), 1);
	assert_has(err, "[,gen=GENERATION]");
	assert_int_equal(run("card", "import", file, "--keyset", "1=3des2,cntr=1099511627776", NULL), 1);
	assert_int_equal(run("explain", "xyz", NULL), 1);
}

static void help_is_0(void **state)
{
	assert_int_equal(run("--help", NULL), 0);
	assert_has(out, "campaign report NAME");
	assert_int_equal(run("card", "import", "--help", NULL), 0);
	assert_has(out, "usage: otactl card import FILE [options]");
	assert_has(out, "--rejects FILE");
	assert_int_equal(run("campaign", "-h", NULL), 0);
}

static void refusals_are_2_and_not_ready_is_4(void **state)
{
	SERVE({ 409, "{\"error\":{\"code\":\"no\",\"message\":\"campaign x is DONE: nothing to start\"}}" },
	      { 404, "{\"error\":{\"code\":\"no-such-campaign\",\"message\":\"there is no campaign a/../b\"}}" },
	      { 503, "{\"error\":{\"code\":\"starting\",\"message\":\"the store is still being read: try again\"}}" },
	      { 400, "nonsense" }, { 200, "nonsense" }, { 0, "" }, { -1, "SSH-2.0-OpenSSH\r\n\r\n" },
	      { -1, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"cut\":" });

	assert_int_equal(run("campaign", "start", "x", NULL), 2);
	assert_string_equal(err, "otactl: campaign x is DONE: nothing to start\n");
	assert_int_equal(run("campaign", "show", "a/../b?", NULL), 2);
	assert_has(err, "there is no campaign");
	assert_int_equal(run("campaign", "list", NULL), 4);
	assert_has(err, "the store is still being read");
	assert_int_equal(run("campaign", "list", NULL), 2);
	assert_has(err, "HTTP status 400");
	assert_int_equal(run("campaign", "list", NULL), 4);
	assert_has(err, "not JSON");
	assert_int_equal(run("campaign", "list", NULL), 4);
	assert_has(err, "closed the connection before its answer was complete");
	assert_int_equal(run("campaign", "list", NULL), 4);
	assert_has(err, "does not speak HTTP");
	assert_int_equal(run("campaign", "list", NULL), 4);
	assert_request(0, "POST /api/v1/campaigns/x/start");
	assert_request(1, "GET /api/v1/campaigns/a%2F..%2Fb%3F");
	done(8);
}

static void every_framing_of_an_answer_is_read(void **state)
{
	SERVE({ -1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
		    "chunked\r\n\r\n4\r\n{\"na\r\n1B;x=y\r\nme\":\"swap1\",\"state\":\"READY\"\r\n1\r\n}"
		    "\r\n0\r\n\r\n" },
	      { -1, "HTTP/1.0 200 OK\r\n\r\n{\"name\":\"swap1\",\"state\":\"READY\"}" },
	      { -1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{\"name\":" });

	for (int i = 0; i < 2; i++) {
		assert_int_equal(run("campaign", "pause", "swap1", NULL), 0);
		assert_string_equal(out, "campaign swap1 is READY\n");
	}
	assert_int_equal(run("campaign", "pause", "swap1", NULL), 4);
	done(3);
}

/* ------------------------------------------------------------------------------------------------ import */

static void import_reports_rejected_lines(void **state)
{
	SERVE({ 200, "{\"id\":\"im1\"}" },
	      { 200,
		"{\"accepted\":1,\"unchanged\":1,\"rejected\":[{\"line\":3,\"reason\":\"ICCID: \\\"quoted\\\", and "
		"more\"}]}" },
	      { 200, "{\"accepted\":1,\"unchanged\":1,\"rejected\":1}" });

	write_file("ICCID,IMSI,KIC1,KID1\na,b,c,d\ne,f,g,h\ni,j,k,l");
	assert_int_equal(run("card", "import", file, "--keyset", "1=3des2,cntr=100", "-k", "2=aes,cntr=7,cc_len=4",
			     "--rejects", rejects, NULL),
			 3);
	assert_has(out, "1 cards imported, 1 unchanged, 1 lines rejected");
	assert_has(err, "line 3: ICCID: \"quoted\", and more\n");
	slurp(rejects, out);
	assert_string_equal(out, "line,reason\n3,\"ICCID: \"\"quoted\"\", and more\"\n");
	assert_request(0, "POST /api/v1/imports");
	assert_body(0, "keysets",
		    "[{\"kvn\":1,\"alg\":\"3des2\",\"cntr\":100},{\"kvn\":2,\"alg\":\"aes\",\"cntr\":7,\"cc_len\":4}]");
	assert_body(0, "dry_run", "false");
	assert_request(1, "POST /api/v1/imports/im1/lines?first=1");
	assert_string_equal(server.request[1].body, "ICCID,IMSI,KIC1,KID1\na,b,c,d\ne,f,g,h\ni,j,k,l");
	assert_request(2, "POST /api/v1/imports/im1/finish");
	done(3);
}

static void import_formats(void **state)
{
	SERVE({ 200, "{\"id\":\"im1\"}" }, { 200, "{\"accepted\":2,\"unchanged\":0,\"rejected\":[]}" }, { 200, "{}" },
	      { 200, "{\"id\":\"im2\"}" }, { 200, "{\"accepted\":2,\"unchanged\":0,\"rejected\":[]}" }, { 200, "{}" });

	write_file("ICCID,IMSI\na,b\n");
	assert_int_equal(run("-o", "csv", "card", "import", file, "--keyset=1=3des2,cntr=1", NULL), 0);
	assert_string_equal(out, "accepted,unchanged,rejected,updated\n2,0,0,0\n");
	assert_int_equal(run("card", "import", file, "-ojson", "-k1=3des2,cntr=1", "--dry-run", NULL), 0);
	assert_has(out, "\"accepted\": 2");
	assert_has(out, "\"dry_run\": true");
	assert_body(3, "dry_run", "true");
	done(6);
}

/* Cards that were in: what of their keysets has changed is told apart from what was as it is. */
static void import_updates(void **state)
{
	static const char lines[] = "{\"accepted\":0,\"updated\":3,\"unchanged\":1,\"rejected\":[]}";

	SERVE({ 200, "{\"id\":\"im1\"}" }, { 200, lines }, { 200, "{}" }, { 200, "{\"id\":\"im2\"}" }, { 200, lines },
	      { 200, "{}" });

	write_file("ICCID,IMSI\na,b\n");
	assert_int_equal(run("card", "import", file, "-k", "1=3des2,cntr=5,gen=4294967295", NULL), 0);
	assert_has(out, "0 cards imported, 3 updated, 1 unchanged, 0 lines rejected");
	assert_body(0, "keysets", "[{\"kvn\":1,\"alg\":\"3des2\",\"cntr\":5,\"gen\":4294967295}]");
	assert_int_equal(run("-o", "csv", "card", "import", file, "-n", "-k", "1=3des2,gen=2,cntr=5", NULL), 0);
	assert_string_equal(out, "accepted,unchanged,rejected,updated\n0,1,0,3\n");
	done(6);
}

static void strict_checks_before_it_changes(void **state)
{
	SERVE({ 200, "{\"id\":\"im1\"}" },
	      { 200, "{\"accepted\":1,\"unchanged\":0,\"rejected\":[{\"line\":2,\"reason\":\"bad\"}]}" }, { 200, "{}" },
	      { 200, "{\"id\":\"im2\"}" }, { 200, "{\"accepted\":1,\"unchanged\":0,\"rejected\":[]}" }, { 200, "{}" },
	      { 200, "{\"id\":\"im3\"}" }, { 200, "{\"accepted\":1,\"unchanged\":0,\"rejected\":[]}" }, { 200, "{}" });

	write_file("ICCID,IMSI\na,b\n");
	assert_int_equal(run("card", "import", file, "-k", "1=3des2,cntr=1", "--strict", NULL), 2);
	assert_has(err, "line 2: bad");
	assert_has(err, "nothing was imported");
	assert_body(0, "dry_run", "true");
	assert_int_equal(server.requests, 3);
	assert_int_equal(run("card", "import", file, "-k", "1=3des2,cntr=1", "--strict", NULL), 0);
	assert_body(3, "dry_run", "true");
	assert_body(6, "dry_run", "false");
	assert_int_equal(run("card", "import", "-", "-k", "1=3des2,cntr=1", "--strict", NULL), 1);
	assert_has(err, "reads the list twice");
	done(9);
}

static void many_rejects_are_bounded(void **state)
{
	static char answer[8192];
	static struct fake_answer canned[] = { { 200, "{\"id\":\"im1\"}" }, { 200, answer }, { 200, "{}" } };
	size_t n = (size_t)snprintf(answer, sizeof(answer), "{\"accepted\":0,\"unchanged\":0,\"rejected\":[");

	for (int i = 2; i < 52; i++)
		n += (size_t)snprintf(answer + n, sizeof(answer) - n, "%s{\"line\":%d,\"reason\":\"bad\"}",
				      i > 2 ? "," : "", i);
	snprintf(answer + n, sizeof(answer) - n, "]}");
	serve(canned, 3);
	write_file("ICCID,IMSI\na,b\n");
	assert_int_equal(run("card", "import", file, "-k", "1=3des2,cntr=1", NULL), 3);
	assert_has(err, "line 21: bad");
	assert_null(strstr(err, "line 22: bad"));
	assert_has(err, "... and 30 more (--rejects FILE writes all)");
	done(3);
}

/* What the chunks carry, put together again, is the file; each says where it begins. */
static void assert_chunks(unsigned from, unsigned n, const char *prefix)
{
	FILE *f = fopen(file, "r");
	unsigned long line = 1;

	assert_non_null(f);
	for (unsigned i = from; i < from + n; i++) {
		const struct fake_request *r = &server.request[i];
		char want[200], *copy = malloc(r->len + 1);
		unsigned long lines = 0;

		assert_non_null(copy);
		snprintf(want, sizeof(want), "%s?first=%lu", prefix, line);
		assert_string_equal(r->line, want);
		assert_true(r->len <= 1 << 20);
		assert_int_equal(fread(copy, 1, r->len, f), r->len);
		assert_memory_equal(copy, r->body, r->len);
		for (size_t k = 0; k < r->len; k++)
			lines += copy[k] == '\n';
		assert_true(lines <= 5000);
		assert_true(i + 1 == from + n || copy[r->len - 1] == '\n');
		line += lines;
		free(copy);
	}
	assert_int_equal(fgetc(f), EOF);
	fclose(f);
}

static void long_files_go_in_numbered_chunks(void **state)
{
	SERVE({ 200, "{\"id\":\"im1\"}" }, { 200, "{\"accepted\":4999}" }, { 200, "{\"accepted\":5000}" },
	      { 200, "{\"accepted\":2001}" }, { 200, "{}" });
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs("ICCID,IMSI\n", f);
	for (int i = 0; i < 12000; i++)
		fprintf(f, "%019d,%015d\n", i, i);
	fclose(f);
	assert_int_equal(run("card", "import", file, "-k", "1=3des2,cntr=1", NULL), 0);
	assert_has(out, "12000 cards imported");
	assert_chunks(1, 3, "POST /api/v1/imports/im1/lines");
	done(5);
}

static void wide_files_stay_below_a_mebibyte(void **state)
{
	SERVE({ 200, "{\"id\":\"im1\"}" }, { 200, "{\"accepted\":1}" }, { 200, "{\"accepted\":1}" },
	      { 200, "{\"accepted\":1}" }, { 200, "{}" });
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	for (int i = 0; i < 2500; i++)
		fprintf(f, "%01000d\n", i);
	fclose(f);
	assert_int_equal(run("card", "import", file, "-k", "1=3des2,cntr=1", NULL), 0);
	assert_chunks(1, 3, "POST /api/v1/imports/im1/lines");
	done(5);
}

static void what_is_no_list_is_refused_here(void **state)
{
	SERVE({ 200, "{\"id\":\"im1\"}" }, { 200, "{\"id\":\"im2\"}" });
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	for (int i = 0; i < 2100; i++)
		fprintf(f, "%0500d", i);
	fclose(f);
	assert_int_equal(run("card", "import", file, "-k", "1=3des2,cntr=1", NULL), 1);
	assert_has(err, "line 1 is longer than 1048576 octets");
	write_file("");
	assert_int_equal(run("card", "import", file, "-k", "1=3des2,cntr=1", NULL), 1);
	assert_has(err, "is empty");
	done(2);
}

static void interrupted_import_says_where(void **state)
{
	SERVE({ 200, "{\"id\":\"im1\"}" }, { 0, "" });

	write_file("ICCID,IMSI\na,b\n");
	assert_int_equal(run("card", "import", file, "-k", "1=3des2,cntr=1", NULL), 4);
	assert_has(err, "stopped at line 1");
	done(2);
}

/* ------------------------------------------------------------------------------------------------ campaigns */

static void create_and_dry_run(void **state)
{
	SERVE({ 200, "{\"name\":\"swap1\",\"id\":0,\"session\":\"dr1\"}" },
	      { 200,
		"{\"accepted\":2,\"packets\":2,\"sms_parts\":4,\"rejected\":[{\"line\":4,\"reason\":\"twice\"}]}" },
	      { 200, "{\"state\":\"READY\"}" }, { 200, "{\"name\":\"swap1\",\"id\":3}" },
	      { 200, "{\"accepted\":2,\"packets\":2,\"sms_parts\":4,\"rejected\":[]}" },
	      { 200, "{\"state\":\"READY\"}" });

	write_file("ICCID,IMSI\na,b\nc,d\n");
	assert_int_equal(run("campaign", "create", "swap1", "--imsi-list", file, "--profile", "usim-rfm", "--dry-run",
			     NULL),
			 3);
	assert_has(out, "dry run: nothing was kept");
	assert_has(out, "SMS parts   4");
	assert_has(err, "line 4: twice");
	assert_body(0, "dry_run", "true");
	assert_body(0, "profile", "\"usim-rfm\"");
	assert_request(1, "POST /api/v1/campaigns/swap1/lines?first=1&session=dr1");
	assert_request(2, "POST /api/v1/campaigns/swap1/finish?session=dr1");
	assert_int_equal(run("campaign", "create", "swap1", "-i", file, "-p", "usim-rfm", "-o", "csv", NULL), 0);
	assert_string_equal(out,
			    "name,profile,dry_run,accepted,packets,sms_parts,rejected\nswap1,usim-rfm,no,2,2,4,0\n");
	assert_request(4, "POST /api/v1/campaigns/swap1/lines?first=1");
	assert_request(5, "POST /api/v1/campaigns/swap1/finish");
	done(6);
}

/* The figures, and what follows from them; what is not known is said. */
static void dry_run_estimates(void **state)
{
#define ESTIMATED                                                                                                      \
	"{\"estimate\":{\"price\":\"0.05\",\"cost\":\"617.25\",\"currency\":\"EUR\",\"links\":[{\"name\":\"sim\","     \
	"\"up\":true,\"window\":40,\"throughput\":40.0,\"submit\":{\"n\":9,\"median_ms\":220,\"p90_ms\":269}},"        \
	"{\"name\":\"b\",\"up\":false,\"window\":1,\"throughput\":null,\"submit\":null}],\"per_s\":40.0,\"send_s\":9," \
	"\"window_s\":14400,\"canary_s\":7200,\"answer\":{\"n\":100,\"median_ms\":132,\"p90_ms\":62000},\"seen\":173," \
	"\"seen_days\":30,\"duration_s\":7209,\"notes\":[\"link b is down\"]}}"
	SERVE({ 200, "{\"name\":\"a\",\"id\":0,\"session\":\"dr1\"}" },
	      { 200, "{\"accepted\":200,\"filtered\":3,\"rejected\":[]}" }, { 200, ESTIMATED },
	      { 200, "{\"name\":\"a\",\"id\":0,\"session\":\"dr1\"}" }, { 200, "{\"accepted\":1,\"rejected\":[]}" },
	      { 200, "{\"estimate\":{\"cost\":null,\"duration_s\":null,\"window_s\":86400}}" });

	write_file("ICCID,IMSI\na,b\n");
	assert_int_equal(run("campaign", "create", "a", "-i", file, "-p", "p", "-n", "--filter", "lastseen<30d",
			     "--range", "1..2", NULL),
			 0);
	assert_body(0, "filter", "\"lastseen<30d\"");
	assert_body(0, "range", "\"1..2\"");
	assert_has(out, "filtered    3\n");
	assert_has(out, "cost        617.25 EUR  at 0.05 a short message");
	assert_has(out, "  link      sim: throughput 40.0/s, window 40, a submit takes 0.220 s\n");
	assert_has(out, "  link      b (down): throughput unlimited, window 1, a submit takes (no measurement yet)\n");
	assert_has(out, "  sending   9.0 s at 40.0 short messages/s\n");
	assert_has(out, "  window    4 h 00 min a day\n");
	assert_has(out, "  canary    groups are waited for, up to 2 h 00 min together\n");
	assert_has(out, "  answers   0.132 s, 9 of 10 within 1 min 02 s, of the last 100\n");
	assert_has(out, "  reachable 173 of 200 cards were seen in the last 30 days\n");
	assert_has(out, "estimate    2 h 00 min until each card had its first attempt");
	assert_has(out, "  note      link b is down\n");
	assert_int_equal(run("campaign", "create", "a", "-i", file, "-p", "p", "-n", NULL), 0);
	assert_has(out, "cost        not known");
	assert_has(out, "estimate    none\n");
	assert_null(strstr(out, "sending"));
	assert_null(strstr(out, "window"));
	done(6);
}

static void orders_to_a_card(void **state)
{
	SERVE({ 200, "{\"name\":\"8988\",\"state\":\"PROBE\",\"text\":\"asked\"}" },
	      { 200, "{\"name\":\"8988\",\"state\":\"RESYNC\",\"text\":\"jumps\"}" },
	      { 200, "{\"name\":\"8988\",\"state\":\"QUARANTINE\",\"text\":\"waits\"}" },
	      { 409, "{\"error\":{\"message\":\"not now\"}}" });

	assert_int_equal(run("card", "probe", "8988", NULL), 0);
	assert_request(0, "POST /api/v1/cards/8988/probe");
	assert_has(out, "card 8988: asked");
	assert_int_equal(run("card", "resync", "8988", NULL), 0);
	assert_request(1, "POST /api/v1/cards/8988/resync");
	assert_int_equal(run("card", "quarantine", "8988", NULL), 0);
	assert_request(2, "POST /api/v1/cards/8988/quarantine");
	assert_int_equal(run("card", "release", "8988", NULL), 2);
	assert_request(3, "POST /api/v1/cards/8988/release");
	assert_has(err, "not now");
	done(4);
}

static void presence_of_a_card(void **state)
{
	SERVE({ 200, "{\"name\":\"8988\",\"state\":\"PRESENT\"}" },
	      { 404, "{\"error\":{\"message\":\"there is no card\"}}" },
	      { 200, "{\"name\":\"a\",\"state\":\"RUNNING\"}" });

	assert_int_equal(run("card", "present", "8988", NULL), 0);
	assert_request(0, "POST /api/v1/cards/8988/present");
	assert_has(out, "card 8988: what waits for it is tried");
	assert_int_equal(run("card", "present", "8989", NULL), 2);
	assert_has(err, "there is no card");
	assert_int_equal(run("campaign", "resume", "a", NULL), 0);
	assert_request(2, "POST /api/v1/campaigns/a/start");
	done(3);
}

/* The pages of the old campaign are asked for until the end; what is left out is said. */
static void retry_of_a_campaign(void **state)
{
	SERVE({ 200, "{\"name\":\"b\",\"profile\":\"usim-rfm\",\"id\":4}" },
	      { 200, "{\"accepted\":2,\"filtered\":5,\"may_have_run\":1,\"rejected\":[],\"next\":1001,\"end\":false}" },
	      { 200,
		"{\"accepted\":1,\"may_have_run\":2,\"rejected\":[{\"line\":1007,\"reason\":\"later\"}],\"next\":1010,"
		"\"end\":true}" },
	      { 200, "{\"state\":\"READY\"}" }, { 200, "{\"name\":\"b\",\"id\":0,\"session\":\"dr1\"}" },
	      { 200, "{\"accepted\":0,\"rejected\":[],\"next\":1}" }, /* not a word of the end: no second page */
	      { 200, "{}" });

	assert_int_equal(run("campaign", "retry", "a", "--only", "failed", "--class", "ABSENT", "--as", "b",
			     "--deadline", "3d", NULL),
			 3);
	assert_body(0, "name", "\"b\"");
	assert_body(0, "retry_of", "\"a\"");
	assert_body(0, "only", "\"failed\"");
	assert_body(0, "class", "\"ABSENT\"");
	assert_body(0, "may_have_run", "false");
	assert_body(0, "rules", "\"deadline 3d\"");
	assert_request(1, "POST /api/v1/campaigns/b/lines?first=1");
	assert_request(2, "POST /api/v1/campaigns/b/lines?first=1001");
	assert_request(3, "POST /api/v1/campaigns/b/finish");
	assert_has(out, "profile     usim-rfm\n");
	assert_has(out, "cards       3\n");
	assert_has(out, "filtered    5\n");
	assert_has(out, "left out    3  whose command may have run, and nobody knows: --may-have-run takes them\n");
	assert_has(err, "a: line 1007: later");
	assert_int_equal(run("campaign", "retry", "a", "--as", "b", "--may-have-run", "-p", "p", "-n", NULL), 0);
	assert_body(4, "may_have_run", "true");
	assert_body(4, "profile", "\"p\"");
	assert_request(5, "POST /api/v1/campaigns/b/lines?first=1&session=dr1");
	assert_int_equal(run("campaign", "retry", "a", NULL), 1);
	assert_has(err, "--as NEWNAME");
	done(7);
}

/* Options that are rules go as one text, in one order; a stop, the canary and the window are shown. */
static void rules_of_a_campaign(void **state)
{
#define RULED                                                                                                 \
	"{\"name\":\"a\",\"state\":\"PAUSED\",\"targets\":10000,\"states\":{\"DONE\":1},\"rules\":\"canary "  \
	"10,100,5%\","                                                                                        \
	"\"stopped\":\"stopped by its rule por-01>=1: card 8988\",\"deadline\":\"2026-12-24T22:00:00.000Z\"," \
	"\"eta_past\":\"window\",\"eta_past_at\":\"2026-12-02T05:00:00.000Z\",\"eta_cards\":7,"               \
	"\"window_opens\":\"2026-12-02T01:00:00.000Z\",\"canary\":{\"group\":2,\"groups\":3,\"cards\":110,"   \
	"\"started\":110,\"waits\":true,\"next_s\":4320}}"
	SERVE({ 400, "{\"error\":{\"message\":\"rule 1 wrong\"}}" }, { 200, RULED },
	      { 200, "{\"name\":\"a\",\"state\":\"DONE\",\"targets\":1,\"states\":{\"DONE\":1},\"canary\":null}" });

	write_file("ICCID,IMSI\na,b\n");
	assert_int_equal(run("campaign", "create", "a", "-i", file, "-p", "p", "--abort", "failed>3%", "--priority",
			     "probe", "--canary", "10,100", "--abort", "por-01>=1", "--hold=2h", "--window",
			     "01:00-05:00 utc", "--deadline", "21d", NULL),
			 2);
	assert_has(err, "rule 1 wrong");
	assert_body(0, "rules",
		    "\"canary 10,100; hold 2h; abort failed>3%; abort por-01>=1; window 01:00-05:00 utc; "
		    "deadline 21d; priority probe\"");
	assert_int_equal(run("campaign", "show", "a", NULL), 0);
	assert_has(out, "STOPPED     stopped by its rule por-01>=1: card 8988\n");
	assert_has(out,
		   "ETA         none: the window closes 2026-12-02T05:00:00.000Z before the 7 cards that wait for");
	assert_has(out, "rules       canary 10,100,5%\n");
	assert_has(out, "canary      2 of 3: 110 of 10000 cards, next in 1 h 12 min\n");
	assert_has(out, "window      closed, opens 2026-12-02T01:00:00.000Z\n");
	assert_has(out, "deadline    2026-12-24T22:00:00.000Z\n");
	assert_int_equal(run("campaign", "show", "a", NULL), 0);
	assert_null(strstr(out, "canary"));
	done(3);
}

static void failed_create_leaves_nothing(void **state)
{
	SERVE({ 200, "{\"name\":\"swap1\",\"id\":3}" },
	      { 400, "{\"error\":{\"message\":\"line 1: unknown column 'ICID'\"}}" }, { 200, "{}" },
	      { 200, "{\"name\":\"swap1\",\"id\":4}" },
	      { 200, "{\"accepted\":0,\"rejected\":[{\"line\":2,\"reason\":\"bad\"}]}" }, { 200, "{}" });

	write_file("ICID,IMSI\na,b\n");
	assert_int_equal(run("campaign", "create", "swap1", "-i", file, "-p", "usim-rfm", NULL), 2);
	assert_has(err, "unknown column 'ICID'");
	assert_has(err, "campaign swap1 was not created");
	assert_request(2, "DELETE /api/v1/campaigns/swap1");
	assert_int_equal(run("campaign", "create", "swap1", "-i", file, "-p", "usim-rfm", "--strict", NULL), 2);
	assert_request(5, "DELETE /api/v1/campaigns/swap1");
	done(6);
}

/* The gateway has dropped it itself and said why: nothing is left to be said or undone. */
static void create_dropped_by_the_gateway(void **state)
{
	SERVE({ 200, "{\"name\":\"swap1\",\"id\":3}" },
	      { 200, "{\"accepted\":0,\"rejected\":[{\"line\":2,\"reason\":\"bad\"}]}" },
	      { 409, "{\"error\":{\"message\":\"no line of the list was accepted: campaign swap1 was not created\"}}" },
	      { 404, "{\"error\":{\"message\":\"there is no campaign swap1\"}}" },
	      { 200, "{\"name\":\"swap1\",\"id\":4}" }, { 0, "" }, { 0, "" });

	write_file("ICCID,IMSI\na,b\n");
	assert_int_equal(run("campaign", "create", "swap1", "-i", file, "-p", "usim-rfm", NULL), 2);
	assert_has(err, "otactl: no line of the list was accepted: campaign swap1 was not created\n");
	assert_null(strstr(err, "left unfinished"));
	assert_int_equal(run("campaign", "create", "swap1", "-i", file, "-p", "usim-rfm", NULL), 4);
	assert_has(err, "left unfinished");
	done(7);
}

static void verbs(void **state)
{
	SERVE({ 200, "{\"name\":\"a\",\"state\":\"RUNNING\"}" }, { 200, "{\"name\":\"a\",\"state\":\"CANCELLED\"}" },
	      { 200, "{}" });

	assert_int_equal(run("campaign", "start", "a", "-o", "json", NULL), 0);
	assert_has(out, "\"state\": \"RUNNING\"");
	assert_int_equal(run("campaign", "cancel", "--yes", "a", "-o", "csv", NULL), 0);
	assert_string_equal(out, "name,state\na,CANCELLED\n");
	assert_int_equal(run("campaign", "delete", "a", "-y", NULL), 0);
	assert_string_equal(out, "campaign a is DELETED\n");
	assert_request(2, "DELETE /api/v1/campaigns/a");
	done(3);
}

static void lists_and_views(void **state)
{
	SERVE({ 200, "{\"campaigns\":[" VIEW("RUNNING", "2", "3", "4", "1", "1.5") "]}" },
	      { 200, "{\"campaigns\":[" VIEW("RUNNING", "2", "3", "4", "1", "1.5") "]}" },
	      { 200, VIEW("RUNNING", "2", "3", "4", "1", "1.5") }, { 200, STATUS }, { 200, STATUS }, { 200, STATUS });

	assert_int_equal(run("campaign", "list", NULL), 0);
	assert_string_equal(
		out, "NAME   STATE    PROFILE   CARDS  DONE  ENDED %  STARTED                   ENDED  ETA\n"
		     "swap1  RUNNING  usim-rfm     10     4     50.0  2026-01-01T00:00:01.000Z         1 min 05 s\n");
	assert_int_equal(run("campaign", "list", "-o", "csv", NULL), 0);
	assert_string_equal(out, "name,state,profile,targets,done,percent,started,finished,eta\n"
				 "swap1,RUNNING,usim-rfm,10,4,50.0,2026-01-01T00:00:01.000Z,,1 min 05 s\n");
	assert_int_equal(run("campaign", "show", "swap1", NULL), 0);
	assert_has(out, "50.0 %  5 of 10 cards");
	assert_has(out, "obstacles   ABSENT                  2\n");
	assert_has(out, "in flight 2");
	assert_int_equal(run("status", NULL), 0);
	assert_has(out, "otagwd      0.1.0, ready");
	assert_has(out, "swap1  RUNNING  5 of 10 cards ended");
	assert_has(out, "smsc  yes");
	assert_has(out, "WARNING     2 commands have taken one of the last million counters of their keys");
	assert_int_equal(run("status", "-o", "csv", NULL), 0);
	assert_has(out, "smsc,yes,16,");
	assert_int_equal(run("status", "-o", "json", NULL), 0);
	assert_has(out, "\"version\": \"0.1.0\"");
	done(6);
}

/* The store is stuck, and a campaign of long ago that nobody has counted. */
static void alarms_and_old_campaigns(void **state)
{
#define ALARMED                                                                                                 \
	"{\"name\":\"a\",\"state\":\"RUNNING\",\"targets\":4,\"states\":{\"DONE\":1},\"eta_s\":null,\"alarm\":" \
	"\"stuck\"}"
#define OLD "{\"name\":\"old\",\"state\":\"DONE\",\"profile\":\"p\",\"targets\":10,\"states\":null,\"classes\":null}"
	SERVE({ 200, ALARMED }, { 200, ALARMED }, { 200, "{\"links\":[]}" }, { 200, "{\"campaigns\":[" OLD "]}" },
	      { 200, "{\"campaigns\":[" OLD "],\"alarm\":\"stuck\"}" });

	assert_int_equal(run("campaign", "show", "a", NULL), 0);
	assert_has(out, "ALARM       stuck\n");
	assert_null(strstr(out, "ETA  "));
	assert_int_equal(run("campaign", "watch", "a", "--until", "25", NULL), 0);
	assert_has(out, "ALARM: stuck");
	assert_int_equal(run("campaign", "list", "-o", "csv", NULL), 0);
	assert_has(out, "old,DONE,p,10,,100.0,");
	assert_int_equal(run("status", NULL), 0);
	assert_has(out, "ALARM       stuck\n");
	assert_has(out, "old  DONE  10 of 10 cards ended");
	assert_null(strstr(out, "WARNING"));
	done(5);
}

static void status_waits_for_a_start(void **state)
{
	SERVE({ 0, "" }, { 200, "{\"ready\":false}" }, { 200, STATUS });

	assert_int_equal(run("status", "--wait", "60", NULL), 0);
	assert_has(out, "otagwd      0.1.0, ready");
	done(3);
	assert_int_equal(run("status", "--wait", "0.1", NULL), 4);
	assert_has(err, "Is otagwd running?");
	assert_int_equal(run("status", "--wait", "long", NULL), 1);
}

static void report_pages_and_formats(void **state)
{
#define ROW(iccid, state, reason)                                                                                     \
	"{\"iccid\":\"" iccid "\",\"state\":\"" state                                                                 \
	"\",\"evidence\":\"E4\",\"por_status\":\"00\",\"sw\":\"9000\",\"attempts\":1,"                                \
	"\"sms_parts\":2,\"probes\":0,\"first_try\":\"2026-01-01T00:00:01.000Z\",\"last_try\":\"2026-01-01T00:00:01." \
	"000Z\","                                                                                                     \
	"\"ended\":\"2026-01-01T00:00:02.000Z\",\"new_imsi\":\"001010000000001\",\"reason\":" reason "}"
#define PAGES                                                                                                 \
	{ 200, "{\"rows\":[" ROW("89881", "DONE", "null") "," ROW("89882", "DONE", "null") "],\"next\":2}" }, \
		{ 200, "{\"rows\":[" ROW("89883", "FAILED", "\"wrong, \\u001b[2Jkeys\"") "],\"next\":null}" }
	SERVE(PAGES, PAGES, PAGES, { 200, "{\"rows\":[],\"next\":null}" }, { 200, "{\"rows\":[],\"next\":null}" },
	      { 200, "{\"rows\":[" ROW("89881", "DONE", "null") "],\"next\":2}" }, { 0, "" });
	json_t *v;

	assert_int_equal(run("campaign", "report", "swap1", NULL), 0);
	assert_string_equal(out, "iccid,state,evidence,por_status,sw,attempts,sms_parts,probes,first_try,last_try,"
				 "ended,new_imsi,reason\n"
				 "89881,DONE,E4,00,9000,1,2,0,2026-01-01T00:00:01.000Z,2026-01-01T00:00:01.000Z,2026-"
				 "01-01T00:00:02.000Z,001010000000001,\n"
				 "89882,DONE,E4,00,9000,1,2,0,2026-01-01T00:00:01.000Z,2026-01-01T00:00:01.000Z,2026-"
				 "01-01T00:00:02.000Z,001010000000001,\n"
				 "89883,FAILED,E4,00,9000,1,2,0,2026-01-01T00:00:01.000Z,2026-01-01T00:00:01.000Z,2026-"
				 "01-01T00:00:02.000Z,"
				 "001010000000001,\"wrong, \033[2Jkeys\"\n");
	assert_request(0, "GET /api/v1/campaigns/swap1/report?after=0&limit=1000");
	assert_request(1, "GET /api/v1/campaigns/swap1/report?after=2&limit=1000");
	assert_int_equal(run("campaign", "report", "swap1", "-o", "json", NULL), 0);
	v = json_loads(out, 0, NULL);
	assert_int_equal(json_array_size(v), 3);
	json_decref(v);
	assert_int_equal(run("campaign", "report", "swap1", "-o", "table", NULL), 0);
	assert_has(out, "ICCID  STATE");
	assert_has(out, "wrong, ?[2Jkeys"); /* the network does not drive the terminal */
	assert_int_equal(run("campaign", "report", "empty", "-o", "json", NULL), 0);
	v = json_loads(out, 0, NULL);
	assert_true(json_is_array(v));
	json_decref(v);
	assert_int_equal(run("campaign", "report", "empty", NULL), 0);
	assert_has(out, "iccid,state");
	/* cut off in the middle: the exit code says so */
	assert_int_equal(run("campaign", "report", "swap1", NULL), 4);
	done(10);
}

static void output_that_cannot_be_written_is_an_error(void **state)
{
	SERVE({ 200, STATUS });
	char cmd[300];
	int rc;

	snprintf(cmd, sizeof(cmd), "%s status >/dev/full 2>%s/err", OTACTL, dir);
	rc = system(cmd);
	assert_int_equal(WEXITSTATUS(rc), 1);
	done(1);
}

/* ------------------------------------------------------------------------------------------------ main */

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(server_down_is_4_and_says_what_to_do),
		cmocka_unit_test(usage_is_1),
		cmocka_unit_test(help_is_0),
		cmocka_unit_test(refusals_are_2_and_not_ready_is_4),
		cmocka_unit_test(every_framing_of_an_answer_is_read),
		cmocka_unit_test(import_reports_rejected_lines),
		cmocka_unit_test(import_formats),
		cmocka_unit_test(import_updates),
		cmocka_unit_test(strict_checks_before_it_changes),
		cmocka_unit_test(many_rejects_are_bounded),
		cmocka_unit_test(long_files_go_in_numbered_chunks),
		cmocka_unit_test(wide_files_stay_below_a_mebibyte),
		cmocka_unit_test(what_is_no_list_is_refused_here),
		cmocka_unit_test(interrupted_import_says_where),
		cmocka_unit_test(create_and_dry_run),
		cmocka_unit_test(dry_run_estimates),
		cmocka_unit_test(retry_of_a_campaign),
		cmocka_unit_test(presence_of_a_card),
		cmocka_unit_test(orders_to_a_card),
		cmocka_unit_test(rules_of_a_campaign),
		cmocka_unit_test(failed_create_leaves_nothing),
		cmocka_unit_test(create_dropped_by_the_gateway),
		cmocka_unit_test(alarms_and_old_campaigns),
		cmocka_unit_test(verbs),
		cmocka_unit_test(lists_and_views),
		cmocka_unit_test(status_waits_for_a_start),
		cmocka_unit_test(report_pages_and_formats),
		cmocka_unit_test(output_that_cannot_be_written_is_an_error),
	};

	return cmocka_run_group_tests_name("otactl", tests, otactl_setup, otactl_teardown);
}
