/* test_otactl_look.c - the real otactl against canned answers: what is looked at: watch, cards, traces, packets.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#define _GNU_SOURCE /* ptsname */

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "otactl_fix.h"

static void watch_ends_with_the_campaign(void **state)
{
	SERVE({ 200, VIEW("RUNNING", "8", "2", "0", "0", "0") }, { 200, STATUS },
	      { 200, VIEW("RUNNING", "8", "2", "0", "0", "0") }, { 200, STATUS },
	      { 200, VIEW("RUNNING", "0", "5", "5", "0", "2") }, { 200, STATUS },
	      { 200, VIEW("DONE", "0", "0", "10", "0", "2") }, { 200, STATUS },
	      { 200, VIEW("DONE", "0", "0", "9", "1", "2") }, { 200, STATUS });
	char *nl;

	assert_int_equal(run("campaign", "watch", "swap1", "--interval", "0.05", NULL), 0);
	assert_has(out, "swap1 RUNNING 0/10 (0.0 %)  PLANNED 8  ACTIVE 2  links 1/1 up  ETA 1 min 05 s\n");
	assert_has(out, "swap1 DONE 10/10 (100.0 %)  DONE 10  links 1/1 up  2.0/s");
	/* the first and the last; what lies within a second between them is not told */
	nl = strchr(strchr(out, '\n') + 1, '\n');
	assert_non_null(nl);
	assert_int_equal(nl[1], '\0');
	assert_int_equal(run("campaign", "watch", "swap1", NULL), 3);
	done(10);
}

static void watch_until_and_json_lines(void **state)
{
	SERVE({ 200, VIEW("RUNNING", "8", "2", "0", "0", "0") }, { 200, STATUS },
	      { 200, VIEW("RUNNING", "0", "5", "5", "0", "2") }, { 200, STATUS });
	json_t *v;

	assert_int_equal(run("campaign", "watch", "swap1", "--interval=0.05", "--until", "40", "--json-lines", NULL),
			 0);
	v = json_loads(out, JSON_DISABLE_EOF_CHECK, NULL);
	assert_non_null(v);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(v, "states"), "PLANNED")), 8);
	assert_int_equal(json_array_size(json_object_get(v, "links")), 1);
	json_decref(v);
	done(4);
}

static void watch_outlives_a_restart(void **state)
{
	SERVE({ 200, VIEW("RUNNING", "8", "2", "0", "0", "0") }, { 200, STATUS }, { 0, "" },
	      { 503, "{\"error\":{\"message\":\"starting\"}}" }, { 200, VIEW("DONE", "0", "0", "10", "0", "2") },
	      { 200, STATUS }, { 404, "{\"error\":{\"message\":\"there is no campaign nix\"}}" });

	assert_int_equal(run("campaign", "watch", "swap1", "--interval", "0.05", NULL), 0);
	assert_has(err, "trying again for up to 60 s");
	assert_has(err, "the gateway answers again");
	assert_int_equal(run("campaign", "watch", "nix", NULL), 2);
	done(7);
	assert_int_equal(run("campaign", "watch", "swap1", "--patience", "0", NULL), 4);
	assert_int_equal(run("campaign", "watch", "swap1", "--patience", "0.1", "--interval", "0.05", NULL), 4);
}

/* otactl on a terminal of this size; what it drew in out. */
static int run_on_terminal(unsigned columns, unsigned rows, char *const argv[])
{
	static char *const env[] = { "TERM=xterm", "LC_ALL=C", "NO_COLOR=1", NULL, NULL };
	const struct winsize size = { .ws_col = (unsigned short)columns, .ws_row = (unsigned short)rows };
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave, status;
	char socket_env[96], *own_env[ARRAY_SIZE(env)];
	posix_spawn_file_actions_t fa;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	if (master < 0 && errno == ENOENT) {
		print_message("no pseudo terminals on this machine (is devpts mounted?): not looked at\n");
		skip();
	}
	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(slave >= 0);
	assert_int_equal(ioctl(slave, TIOCSWINSZ, &size), 0);
	memcpy(own_env, env, sizeof(env));
	snprintf(socket_env, sizeof(socket_env), "OTAGW_SOCKET=%s", sock);
	own_env[ARRAY_SIZE(env) - 2] = socket_env;
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, slave, 1);
	assert_int_equal(posix_spawn(&pid, OTACTL, &fa, NULL, argv, own_env), 0);
	posix_spawn_file_actions_destroy(&fa);
	close(slave);
	while (n < OUTPUT_MAX - 1 && (got = read(master, out + n, OUTPUT_MAX - 1 - n)) > 0)
		n += (size_t)got; /* EIO: the other end is closed */
	out[n] = '\0';
	close(master);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The whole screen is taken and given back, only what changed is drawn, and the last picture stays. */
static void watch_is_a_full_screen_on_a_terminal(void **state)
{
	static char *const argv[] = { (char *)OTACTL, "campaign", "watch", "swap1", "--interval", "0.05", NULL };
	const char *leave;
#define LINKS "{\"links\":[{\"name\":\"smsc\",\"up\":true,\"window\":16,\"submitted\":1234567,\"accepted\":1234567}]}"
#define EVENTS                                                                                                 \
	"{\"events\":[{\"n\":1,\"at\":\"2026-01-01T00:00:01.000Z\",\"level\":\"notice\",\"text\":\"ready\"}]," \
	"\"last\":1}"
	SERVE({ 200, VIEW("RUNNING", "8", "2", "0", "0", "0") }, { 200, LINKS }, { 200, EVENTS },
	      { 200, VIEW("DONE", "0", "0", "10", "0", "2") }, { 200, LINKS }, { 200, EVENTS },
	      { 404, "{\"error\":{\"code\":\"no-such-campaign\",\"message\":\"there is no campaign swap1\"}}" });

	assert_int_equal(run_on_terminal(80, 24, argv), 0);
	assert_int_equal(strncmp(out, "\033[?1049h", 8), 0);
	leave = strstr(out, "\033[?1049l");
	assert_non_null(leave);
	assert_null(strstr(leave, "\033[?1049h"));
	assert_has(out, "asking the gateway ...");
	assert_has(out, "RUNNING");
	assert_has(out, "on their way");
	/* labels stand there already when the second picture comes */
	assert_null(strstr(strstr(out, "on their way") + 1, "\033[2J"));
	/* behind it the last picture, plain */
	assert_has(leave, " swap1  DONE   profile usim-rfm, started 01 Jan 00:00Z");
	assert_has(leave, "100.0 %  10 of 10 cards ended");
	assert_has(leave, "ready\r\n");
	assert_null(strstr(leave, "q quit"));
	assert_null(strstr(strchr(leave, 'l'), "\033"));
	/* what cannot be shown is said after the screen has been given back */
	assert_int_equal(run_on_terminal(80, 24, argv), 2);
	assert_non_null(strstr(out, "\033[?1049l"));
	done(7);
}

static const char card[] =
	"{\"card\":{\"id\":1,\"iccid\":\"89881\",\"imsi\":\"001010000000001\",\"msisdn\":\"\",\""
	"last_seen\":\"2026-01-01T00:00:03.000Z\"},\"keysets\":[{\"kvn\":1,\"kic_alg\":\""
	"3des2\",\"kid_alg\":\"3des2\",\"gen\":3,\"cntr\":105,\"cntr_proven\":104}],\"txn\":{\"state\""
	":\"DONE\",\"evidence\":\"E4\",\"reason\":\"\"},"
	"\"commands\":[{\"id\":7,\"kind\":\"SCRIPT\",\"state\":\"DONE\",\"cntr\":104,\"spi\":\"1"
	"639\",\"kic\":\"15\",\"kid\":\"15\",\"tar\":\"b00011\",\"attempt\":1,\"segs\":2,\"hint\":"
	"null,\"por_status\":\"00\",\"sw\":\"9000\",\"packet\":\"00ff\","
	"\"decoded\":{\"type\":\"command\",\"opened\":true,\"octets\":258,\"spi\":\"1639\",\"s"
	"pi1_text\":\"CC, ciphered\",\"spi2_text\":\"PoR\",\"tar\":\"b00011\",\"apdus\":[\"SE"
	"LECT 6F07\",\"UPDATE BINARY 9 octets\"],\"note\":\"\"}}],"
	"\"story\":[{\"at\":\"2026-01-01T00:00:01.000Z\",\"kind\":\"prepared\",\"text\":\"sc"
	"ript under counter 104\",\"command\":7,\"octets\":null,\"decoded\":null},"
	"{\"at\":\"2026-01-01T00:00:02.000Z\",\"kind\":\"por\",\"text\":\"PoR accepted\",\"c"
	"ommand\":7,\"octets\":\"0024\",\"decoded\":{\"type\":\"response\",\"opened\":true,\""
	"sw\":\"9000\",\"sw_text\":\"normal ending\",\"surprise\":\"kept\"}},"
	"{\"at\":\"2026-01-01T00:00:02.000Z\",\"kind\":\"state\",\"text\":\"DONE\\u0007\"}]}";

static void card_list_and_show(void **state)
{
	SERVE({ 200, "{\"cards\":[{\"iccid\":\"89881\",\"imsi\":\"1\",\"msisdn\":\"\",\"quarantine\":null},"
		     "{\"iccid\":\"89882\",\"imsi\":\"2\",\"msisdn\":\"\",\"quarantine\":\"2026-01-01T00:00:00.000Z\"}]"
		     ",\"next\":null}" },
	      { 200, card }, { 200, card }, { 200, card });

	assert_int_equal(run("card", "list", NULL), 0);
	assert_string_equal(out, "ICCID  IMSI  MSISDN  QUARANTINE\n89881  1             \n89882  2             "
				 "2026-01-01T00:00:00.000Z\n");
	assert_int_equal(run("card", "show", "89881", NULL), 0);
	assert_has(out, "card 89881\n");
	assert_has(out, "version 1, generation 3: KIc 3des2, KID 3des2, last counter 105, proven 104");
	assert_has(out, "SCRIPT  DONE    104  1639");
	assert_has(out, "2026-01-01T00:00:01.000Z  prepared  #7  script under counter 104\n");
	assert_has(out, "octets      00ff\n");
	assert_has(out, "2026-01-01T00:00:02.000Z  por       #7  PoR accepted\n");
	assert_has(out, "surprise    kept\n");
	assert_has(out, "SPI         1639  CC, ciphered; PoR\n");
	assert_has(out, "commands     1  SELECT 6F07\n");
	assert_has(out, " 2  UPDATE BINARY 9 octets\n");
	assert_has(out, "SW          9000  normal ending\n");
	assert_has(out, "DONE?\n");
	assert_null(strstr(out, "note"));
	assert_int_equal(run("card", "show", "89881", "-o", "csv", NULL), 0);
	assert_has(out, "at,kind,command,text,octets\n2026-01-01T00:00:01.000Z,prepared,7,script under counter 104,\n");
	assert_int_equal(run("card", "show", "89881", "-o", "json", NULL), 0);
	assert_has(out, "\"cntr_proven\": 104");
	done(4);
}

/* The order of time, where the time went, and with --decode every packet where it stands. */
static void trace_of_a_card(void **state)
{
#define HEAD                                                                                                  \
	"{\"card\":{\"iccid\":\"89881\",\"imsi\":\"001010000000001\",\"msisdn\":\"\"},\"txn\":{\"campaign\":" \
	"\"swap1\",\"state\":"
#define MADE                                                                                                     \
	"{\"at\":\"2026-01-01T00:00:01.000Z\",\"kind\":\"prepared\",\"text\":\"script prepared\",\"command\":7," \
	"\"octets\":null,\"decoded\":{\"note\":\"its packet is not stored any more (story-days)\"}}"
#define SENT                                                                                    \
	"{\"at\":\"2026-01-01T00:00:01.250Z\",\"kind\":\"attempt\",\"text\":\"attempt 1, link " \
	"a\\u001b[2J\",\"command\":7,"                                                          \
	"\"octets\":null,\"decoded\":null}"
#define ANSWERED                                                                                                \
	"{\"at\":\"2026-01-01T00:04:01.250Z\",\"kind\":\"por\",\"text\":\"PoR "                                 \
	"accepted\",\"command\":7,\"octets\":\"0024\","                                                         \
	"\"decoded\":{\"type\":\"response\",\"por_status\":\"00\",\"por_status_text\":\"PoR "                   \
	"OK\",\"cntr\":104,\"verdict\":"                                                                        \
	"\"accept\",\"executed\":17,\"sw\":\"9000\",\"sw_text\":\"normal ending\",\"data_text\":\"as EF_IMSI: " \
	"00101\"}}"
#define OPENED                                                                                                     \
	"{\"at\":\"2026-01-01T00:00:01.000Z\",\"kind\":\"prepared\",\"text\":\"script prepared\",\"command\":7,"   \
	"\"octets\":\"00ff\",\"decoded\":{\"type\":\"command\",\"opened\":true,\"octets\":258,\"tar\":\"b00011\"," \
	"\"spi\":"                                                                                                 \
	"\"1639\",\"spi1_text\":\"CC\",\"spi2_text\":\"PoR\",\"kic\":\"15\",\"kic_text\":\"version 1, "            \
	"3des2\",\"kid\":"                                                                                         \
	"\"15\",\"kid_text\":\"version 1, 3des2\",\"cntr\":104,\"pcntr\":1,\"apdus\":[\"SELECT 6F07 "              \
	"(EF_IMSI)\",\"READ\"]}}"
	SERVE({ 200, HEAD "\"ACTIVE\",\"class\":\"ABSENT\",\"attempts\":1,\"sms_parts\":2},\"story\":[" MADE "," SENT
			  "],\"cut\":true,\"next\":5}" },
	      { 200,
		HEAD "\"DONE\",\"class\":\"NONE\",\"evidence\":\"E4\",\"reason\":\"script ran\",\"attempts\":1,"
		     "\"sms_parts\":2,\"first_try\":\"2026-01-01T00:00:01.250Z\",\"ended\":\"2026-01-01T00:00:02.500Z\""
		     "},\"story\":[" MADE "," ANSWERED "],\"cut\":false,\"next\":9}" },
	      { 200, HEAD "\"ACTIVE\"},\"story\":[" OPENED "],\"cut\":false,\"next\":1}" },
	      { 200, HEAD "\"ACTIVE\"},\"story\":[" OPENED "," SENT "],\"cut\":false,\"next\":1}" },
	      { 200, HEAD "\"ACTIVE\",\"attempts\":1},\"story\":[" SENT "],\"cut\":false,\"next\":1}" }, { 0, "" },
	      { 200, HEAD "\"DONE\",\"attempts\":1},\"story\":[" SENT "," ANSWERED "],\"cut\":false,\"next\":2}" },
	      { 404, "{\"error\":{\"code\":\"no-such-card\",\"message\":\"there is no card 89881\"}}" });

	assert_int_equal(run("trace", "card", "89881", "--decode", NULL), 0);
	assert_request(0, "GET /api/v1/cards/89881?after=0");
	assert_request(1, "GET /api/v1/cards/89881?after=5");
	assert_string_equal(out, "card 89881  IMSI 001010000000001  MSISDN -\n"
				 "2026-01-01T00:00:01.000Z             prepared #7  script prepared\n"
				 "                note     its packet is not stored any more (story-days)\n"
				 "2026-01-01T00:00:01.250Z +0.250 s    attempt  #7  attempt 1, link a?[2J\n"
				 "2026-01-01T00:04:01.250Z +4 min 00 s por      #7  PoR accepted\n"
				 "                PoR      status 00 (PoR OK)  CNTR 104  accept\n"
				 "                         17 commands executed, SW 9000 (normal ending)\n"
				 "                data     as EF_IMSI: 00101\n"
				 "                octets   0024\n"
				 "campaign swap1: DONE, evidence E4, script ran; 1 attempts, 2 SMS, 0 read-backs, "
				 "1.250 s from the first try "
				 "to the end\n");
	assert_int_equal(run("trace", "card", "89881", "-d", NULL), 0);
	assert_has(out, "                command  CNTR 104  padding 1  258 octets\n"
			"                         TAR b00011  KIc 15 (version 1, 3des2)  KID 15 (version 1, 3des2)\n"
			"                         SPI 1639  CC; PoR\n"
			"                script    1  SELECT 6F07 (EF_IMSI)\n"
			"                          2  READ\n"
			"                octets   00ff\n");
	/* JSON Lines; what was not asked for is left out */
	assert_int_equal(run("trace", "card", "89881", "--json", NULL), 0);
	assert_has(out, "{\"iccid\":\"89881\"");
	assert_has(out, "}\n{\"at\":\"2026-01-01T00:00:01.000Z\",\"kind\":\"prepared\"");
	assert_null(strstr(out, "decoded"));
	/* followed: each line once, a gateway that went away is waited for, and the end is told */
	assert_int_equal(run("trace", "card", "89881", "--follow", "--interval", "0.05", NULL), 2);
	assert_has(out, "attempt 1");
	assert_null(strstr(strstr(out, "attempt 1") + 1, "attempt 1"));
	assert_has(out, "PoR accepted\ncampaign swap1: DONE; 1 attempts");
	assert_has(err, "no answer since ");
	assert_has(err, "otactl: the gateway answers again\n");
	assert_has(err, "there is no card 89881");
	done(8);
}

static void explain_a_packet(void **state)
{
	SERVE({ 200, "{\"kind\":\"command\",\"tar\":\"b00011\"}" });

	assert_int_equal(run("explain", "02700000", NULL), 0);
	assert_has(out, "TAR         b00011");
	assert_request(0, "GET /api/v1/explain?packet=02700000");
	done(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(watch_is_a_full_screen_on_a_terminal),
		cmocka_unit_test(watch_ends_with_the_campaign),
		cmocka_unit_test(watch_until_and_json_lines),
		cmocka_unit_test(watch_outlives_a_restart),
		cmocka_unit_test(card_list_and_show),
		cmocka_unit_test(trace_of_a_card),
		cmocka_unit_test(explain_a_packet),
	};

	return cmocka_run_group_tests_name("otactl-look", tests, otactl_setup, otactl_teardown);
}
