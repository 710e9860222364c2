/* test_front_config.c - otagw.cfg: what each line means, and that a wrong one is named with file, line and the right word.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#define _GNU_SOURCE /* memmem */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config_int.h"
#include "vty.h"

static char dir[64], cfg_path[96], password[96];

static void spit(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/otagw-cfg.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(cfg_path, sizeof(cfg_path), "%s/otagw.cfg", dir);
	snprintf(password, sizeof(password), "%s/password", dir);
	spit(password, "secret12\r\n", 0600);
	return 0;
}

static int teardown(void **state)
{
	unlink(cfg_path);
	unlink(password);
	return rmdir(dir);
}

static const char base[] = "! comment\n"	    /* 1 */
			   "otagw\n"		    /* 2 */
			   " state-dir /s\n"	    /* 3 */
			   " profile-dir /p\n"	    /* 4 */
			   " source-address 9000\n" /* 5 */
			   " address-by msisdn\n"   /* 6 */
			   "keystore\n"		    /* 7 */
			   " kek file /k\n"	    /* 8 */
			   "\n"			    /* 9 */
			   "smsc-link a\n"	    /* 10 */
			   " remote-ip 127.0.0.1\n" /* 11 */
			   " system-id OTAGW\n"	    /* 12 */
			   " password-file @PW@\n"  /* 13 */
			   " window 10\n"	    /* 14 */
			   " throughput 40\n"	    /* 15 */
			   "retry\n"		    /* 16 */
			   " first 30s\n";	    /* 17 */

/* text with the first `from` made `to`. */
static void replace(char *text, size_t cap, const char *from, const char *to)
{
	char *at = strstr(text, from), rest[8192];

	assert_non_null(at);
	snprintf(rest, sizeof(rest), "%s", at + strlen(from));
	snprintf(at, cap - (size_t)(at - text), "%s%s", to, rest);
}

static int reads(struct otagw_config *c, const char *from, const char *to, char err[CONFIG_ERR_MAX])
{
	char text[16384];

	snprintf(text, sizeof(text), "%s", base);
	if (from)
		replace(text, sizeof(text), from, to);
	while (strstr(text, "@PW@"))
		replace(text, sizeof(text), "@PW@", password);
	spit(cfg_path, text, 0600);
	*err = 0;
	return config_read(c, cfg_path, err);
}

static void test_good(void **state)
{
	static struct otagw_config c;
	char err[CONFIG_ERR_MAX];

	if (reads(&c, NULL, NULL, err))
		fail_msg("%s", err);
	assert_string_equal(c.state_dir, "/s");
	assert_string_equal(c.api_socket, "/run/otagw/api.sock");
	assert_string_equal(c.gw.src.digits, "9000");
	assert_int_equal(c.gw.src.ton, 1);
	assert_false(c.gw.address_by_imsi);
	assert_int_equal(c.kek, KS_KEK_FILE);
	assert_int_equal(c.n_links, 1);
	assert_int_equal(c.gw.n_links, 1);
	assert_string_equal(c.link[0].password, "secret12");
	assert_int_equal(c.link[0].port, 2775);
	assert_true(c.link[0].rate == 40);
	assert_int_equal(c.gw.retry.first_ms, 30000);
	assert_int_equal(c.story_days, 400);
	assert_int_equal(c.gw.pid, 0x7f);
	assert_int_equal(c.gw.dcs, 0xf6);
	config_wipe(&c);
	assert_string_equal(c.link[0].password, "");

	assert_int_equal(reads(&c, "source-address 9000", "source-address +4915 ton 2 npi 8", err), 0);
	assert_int_equal(c.gw.src.ton, 2);
	assert_int_equal(c.gw.src.npi, 8);
	assert_string_equal(c.gw.src.digits, "4915");
	assert_int_equal(reads(&c, "address-by msisdn", "address-by imsi", err), 0);
	assert_true(c.gw.address_by_imsi);
	assert_int_equal(reads(&c, "address-by msisdn", "address-by msisdn\n story-days 0", err), 0);
	assert_int_equal(c.story_days, 0);
	assert_true(reads(&c, "address-by msisdn", "address-by msisdn\n story-days 36501", err) != 0);
	assert_int_equal(reads(&c, "throughput 40", "throughput unlimited\n esm-mode transaction\n data-coding 246",
			       err),
			 0);
	assert_true(c.link[0].unlimited && c.link[0].rate == 0);
	assert_int_equal(c.link[0].esm_mode, 2);
	assert_int_equal(c.link[0].bind_as, 0);
	assert_int_equal(c.link[0].enquire_timeout_ms, 10000);
	assert_int_equal(reads(&c, "throughput 40",
			       "throughput 40\n bind tx+rx\n concat payload-udh\n receipts always\n enquire-link 20s\n "
			       "enquire-timeout "
			       "3s\n bind-timeout 4s\n"
			       " protocol-id 0x41\nsmsc-link b\n remote-ip ::1\n system-id O\n password-file @PW@\n"
			       " throughput 1\n data-coding 4",
			       err),
			 0);
	assert_int_equal(c.link[0].bind_as, 1);
	assert_int_equal(c.link[0].concat, 2);
	assert_int_equal(c.link[0].receipts, 1);
	assert_int_equal(c.link[0].enquire_link_ms, 20000);
	assert_int_equal(c.link[0].enquire_timeout_ms, 3000);
	assert_int_equal(c.link[0].bind_ms, 4000);
	assert_int_equal(c.link[0].pid, 0x41);
	assert_int_equal(c.link[1].dcs, 4);
	assert_int_equal(reads(&c, "first 30s", "preset demo\n attempts 7\n deadline 3d", err), 0);
	assert_int_equal(c.gw.retry.attempts_max, 7);
	assert_true(c.gw.retry.first_ms < 30000);
	assert_int_equal(c.gw.retry.deadline_ms, 3 * 86400000);
	assert_int_equal(reads(&c, "kek file /k", "kek passphrase-file /k", err), 0);
	assert_int_equal(c.kek, KS_KEK_PASSPHRASE);
}

static void test_bad(void **state)
{
	static struct otagw_config c;
	static const struct {
		const char *from, *to, *line, *want;
	} bad[] = {
		{ "otagw\n", "otagv\n", ":2: ", "unknown word \"otagv\"; did you mean \"otagw\"?" },
		{ "state-dir", "sate-dir", ":3: ", "did you mean \"state-dir\"?" },
		{ " window 10", " widnow 10", ":14: ", "unknown word \"widnow\"; did you mean \"window\"?" },
		{ " window 10", " window 1001", ":14: ", "\"1001\" must be a number from 1 to 1000" },
		{ " window 10", " window", ":14: ", "\"window\" wants more: window <1-1000>" },
		{ " window 10", " window 10 20", ":14: ", "unexpected \"20\"" },
		{ " window 10", " first 3s",
		  ":14: ", "\"first\" does not belong here (smsc-link NAME) but under retry" },
		{ " window 10", " quux", ":14: ", "unknown word \"quux\" under smsc-link NAME" },
		{ " window 10", "   window 10", ":14: ", "indentation" },
		{ "address-by msisdn", "address-by mssidn", ":6: ", "did you mean \"msisdn\"?" },
		{ "source-address 9000", "source-address 90-00", ":5: ", "\"90-00\" must be a number" },
		{ "source-address 9000", "source-address 9000 ton 8 npi 1", ":5: ", "ton \"8\" must be 0 to 7" },
		{ "source-address 9000", "source-address 9000 ton", ":5: ", "wants more" },
		{ "smsc-link a", "smsc-link", ":10: ", "smsc-link NAME" },
		{ "smsc-link a", "smsc-link a/b", ":10: ", "\"a/b\"" },
		{ "smsc-link a", "smsc-lnk a", ":10: ", "did you mean \"smsc-link\"?" },
		{ "throughput 40", "throughput 0", ":15: ", "unlimited" },
		{ "throughput 40", "throughput fast", ":15: ", "\"fast\"" },
		{ " throughput 40\n", "", ": ", "smsc-link a: there is no \"throughput" },
		{ " remote-ip 127.0.0.1\n", "", ": ", "there is no \"remote-ip ADDRESS\"" },
		{ " system-id OTAGW", " system-id ABCDEFGHIJKLMNOP", ":12: ", "1 to 15 characters" },
		{ " system-id OTAGW\n", "", ": ", "there is no \"system-id NAME\"" },
		{ " password-file @PW@\n", "", ": ", "there is no \"password-file PATH\"" },
		{ "@PW@", "/nowhere/at/all", ":13: ", "/nowhere/at/all: No such file" },
		{ "@PW@", "/etc/passwd", ":13: ", "chmod 600 /etc/passwd" },
		{ " kek file /k\n", "", ": ", "there is no \"kek file PATH\": add it under keystore" },
		{ "kek file /k", "kek fiel /k", ":8: ", "did you mean \"file\"?" },
		{ " state-dir /s\n", "", ": ", "there is no \"state-dir PATH\": add it under otagw" },
		{ " source-address 9000\n", "", ": ", "source-address" },
		{ "first 30s", "first 30", ":17: ", "\"30\" needs a unit: 30s" },
		{ "first 30s", "first 30y", ":17: ", "unknown unit \"y\"" },
		{ "first 30s", "first soon", ":17: ", "\"soon\" is no time" },
		{ "first 30s", "first 31d", ":17: ", "must be 1ms to 30d" },
		{ "first 30s", "first 3d", ": ", "retry: max is shorter than first" },
		{ "first 30s", "preset defualt", ":17: ", "did you mean \"default\"?" },
		{ "throughput 40", "throughput 40\nsmsc-link b", ": ", "smsc-link b: there is no" },
		{ "throughput 40", "data-coding 0x1ff", ":15: ", "one octet" },
		{ "throughput 40", "bind tx", ":15: ", "" },
		{ "throughput 40", "concat sars", ":15: ", "" },
		{ "throughput 40", "concat payload-whole", ":15: ", "write payload-udh" },
		{ "throughput 40", "bind-timeout 10", ":15: ", "needs a unit" },
		{ "throughput 40", "throughput 40\n flavour osmomcs", ": ",
		  "smsc-link a: no flavour 'osmomcs'; did you mean 'osmomsc'?" },
		{ "throughput 40", "throughput 40\n source-type 2", ":16: ", "\"source-type\" wants more" },
		{ "throughput 40", "throughput 40\n source-type 2 16", ":16: ", "" },
		{ "throughput 40", "throughput 40\n message-id decimal", ":16: ", "" },
		{ "throughput 40", "throughput 40\n flavour", ":16: ", "\"flavour\" wants more: flavour NAME" },
		{ "throughput 40", "throughput 40\n flavour aaaaaaaaaaaaaaaaaaaaaaaa", ":16: ", "1 to 23 characters" },
		{ " profile-dir /p", " profile-dir /p\n error-table /nowhere/e.table", ": ",
		  "error-table: /nowhere/e.table: No such file" },
		{ " profile-dir /p", " profile-dir /p\n error-tabel /nowhere/e.table",
		  ":5: ", "did you mean \"error-table\"?" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char err[CONFIG_ERR_MAX], place[160];

		assert_int_equal(reads(&c, bad[i].from, bad[i].to, err), -1);
		snprintf(place, sizeof(place), "%s%s", cfg_path, bad[i].line);
		if (strncmp(err, place, strlen(place)) || !strstr(err, bad[i].want))
			fail_msg("\"%s\" instead of \"%s\": %s", bad[i].to, bad[i].from, err);
		assert_null(strstr(err, "secret12"));
	}
}

static const char links[] =
	"throughput 40\nsmsc-link b\n remote-ip ::1\n system-id O\n password-file @PW@\n throughput 1\n"
	"smsc-link c.d\n remote-ip ::1\n system-id O\n password-file @PW@\n throughput 1\n window 900\n";

/* The lines of routes, behind three links (lines 10 to 26). */
static int reads_routes(struct otagw_config *c, const char *lines, char err[CONFIG_ERR_MAX])
{
	char to[2048];

	snprintf(to, sizeof(to), "%s%s", links, lines);
	return reads(c, "throughput 40\n", to, err);
}

static void test_routes(void **state)
{
	static struct otagw_config c;
	static const struct {
		const char *via;
		unsigned n;
		uint8_t link[3], rank[3];
	} rows[] = {
		{ "a", 1, { 0 }, { 0 } },
		{ "b a", 2, { 1, 0 }, { 0, 1 } },
		{ "b, a, c.d", 3, { 1, 0, 2 }, { 0, 1, 2 } },
		{ "b,a,c.d", 3, { 1, 0, 2 }, { 0, 1, 2 } },
		{ "a+b c.d", 3, { 0, 1, 2 }, { 0, 0, 1 } },
		{ "a + b, c.d", 3, { 0, 1, 2 }, { 0, 0, 1 } },
		{ "a b+ c.d", 3, { 0, 1, 2 }, { 0, 1, 1 } },
		{ "c.d +a+ b", 3, { 2, 0, 1 }, { 0, 0, 0 } },
	};
	char err[CONFIG_ERR_MAX], lines[256], written[16384];
	FILE *f;

	assert_int_equal(reads_routes(&c, "", err), 0);
	assert_int_equal(c.gw.n_routes, 0);
	assert_int_equal(c.gw.failover_ms, ROUTE_FAILOVER_MS);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(lines, sizeof(lines), "route r\n match all\n via %s\n", rows[i].via);
		if (reads_routes(&c, lines, err))
			fail_msg("via %s: %s", rows[i].via, err);
		assert_int_equal(c.gw.n_routes, 1);
		assert_int_equal(c.route[0].n_links, rows[i].n);
		for (unsigned k = 0; k < rows[i].n; k++) {
			assert_int_equal(c.route[0].via[k].link, rows[i].link[k]);
			assert_int_equal(c.route[0].via[k].rank, rows[i].rank[k]);
		}
	}
	/* room for all windows at once, so that a link that answers nothing takes nobody's place */
	assert_int_equal(c.gw.limits.outcomes_max, 4096);
	assert_int_equal(
		reads_routes(&c,
			     "smsc-link whole\n remote-ip ::1\n system-id O\n password-file @PW@\n throughput 1\n"
			     " window 1000\n concat payload-udh\n",
			     err),
		0);
	assert_true(c.gw.limits.outcomes_max >= 900 + 1000 * OTA_SEGMENTS_MAX);
	assert_int_equal(reads_routes(&c,
				      "route de\n match imsi-prefix 26201\n match imsi-prefix 26202\n via a b\n"
				      "route sja2\n match profile sja2\n match msisdn-prefix +43\n via b+c.d\n"
				      "route rest\n match all\n via c.d\n",
				      err),
			 0);
	assert_int_equal(c.gw.n_routes, 3);
	assert_int_equal(c.route[1].match[1].by, ROUTE_MSISDN);
	assert_string_equal(c.route[1].match[1].value, "43");
	/* what is written is what was read */
	f = fmemopen(written, sizeof(written), "w");
	assert_non_null(f);
	vty_config_write(&c, f);
	fclose(f);
	assert_non_null(strstr(written, "route de\n match imsi-prefix 26201\n match imsi-prefix 26202\n via a b\n"
					"route sja2\n match profile sja2\n match msisdn-prefix 43\n via b+c.d\n"
					"route rest\n match all\n via c.d\n"));
}

static void test_bad_routes(void **state)
{
	static struct otagw_config c;
	static const struct {
		const char *lines, *line, *want;
	} bad[] = {
		{ "route r\n match all\n via a x\n", ":29: ", "there is no smsc-link \"x\"" },
		{ "route r\n match all\n via c.b\n", ":29: ", "did you mean \"c.d\"?" },
		{ "route r\n match all\n via a b a\n", ":29: ", "smsc-link a stands twice" },
		{ "route r\n match all\n via a +\n", ":29: ", "a link is missing beside the +" },
		{ "route r\n match all\n via + a\n", ":29: ", "a link is missing beside the +" },
		{ "route r\n match all\n via a ++ b\n", ":29: ", "a link is missing beside the +" },
		{ "route r\n match all\n via ,\n", ":29: ", "a link is missing behind via" },
		{ "route r\n match all\n via\n", ":29: ", "\"via\" wants more: via LINK" },
		{ "route r\n match\n via a\n", ":28: ", "\"match\" wants more: match imsi-prefix" },
		{ "route r\n match imsi-prefx 26201\n via a\n", ":28: ", "did you mean \"imsi-prefix\"?" },
		{ "route r\n match imsi-prefix\n via a\n", ":28: ", "there is no value" },
		{ "route r\n match imsi-prefix 262 01\n via a\n", ":28: ", "unexpected \"01\"" },
		{ "route r\n match imsi-prefix 262x\n via a\n", ":28: ", "1 to 15 digits" },
		{ "route r\n match cards\n via a\n",
		  ":28: ", "routes match imsi-prefix, msisdn-prefix, profile or all" },
		{ "route r\n match all\n via a\nroute s\n match profile p\n via b\n",
		  ":31: ", "never reached: route r above takes all; put this one before it" },
		{ "route r\n mach all\n via a\n", ":28: ", "did you mean \"match\"?" },
		{ "route\n", ":27: ", "the line is: route NAME" },
		{ "route a/b\n", ":27: ", "\"a/b\"" },
		{ "route r\n match all\n", ": ", "route r: there is no \"via LINK ...\": add it" },
		{ "route r\n via a\n", ": ", "route r: there is no \"match" },
		{ "route r\n match profile p\n via a\n", ": ", "add \"route rest\" with \"match all\" behind route r" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char err[CONFIG_ERR_MAX], place[160];

		if (!reads_routes(&c, bad[i].lines, err))
			fail_msg("\"%s\" is taken", bad[i].lines);
		snprintf(place, sizeof(place), "%s%s", cfg_path, bad[i].line);
		if (strncmp(err, place, strlen(place)) || !strstr(err, bad[i].want))
			fail_msg("\"%s\": %s", bad[i].lines, err);
	}
}

/* An operator's own error table: read with the config, its flavours may be used, its faults are told with file and line. */
static void test_error_table(void **state)
{
	static struct otagw_config c;
	char err[CONFIG_ERR_MAX], table[96], lines[256];
	const struct errtab_row *r;
	struct errtab *t;

	snprintf(table, sizeof(table), "%s/e.table", dir);
	spit(table, "flavour acme like osmomsc\n smpp 0x58 BUSY ACME \"x\"\n", 0600);
	snprintf(lines, sizeof(lines), " profile-dir /p\n error-table %s", table);
	assert_int_equal(reads(&c, " profile-dir /p", lines, err), 0);
	assert_string_equal(c.error_table, table);
	assert_string_equal(c.link[0].flavour, "generic-3.4");
	t = config_errtab(&c, err);
	assert_non_null(t);
	r = errtab_find(t, (unsigned)errtab_flavour(t, "acme"), ERRTAB_SMPP, errtab_key(0x58));
	assert_string_equal(r->name, "ACME");
	errtab_free(t);
	spit(table, "flavour acme like osmomsc\n smpp 0x58 BUSSY ACME \"x\"\n", 0600);
	assert_int_equal(reads(&c, " profile-dir /p", lines, err), -1);
	assert_non_null(strstr(err, "/e.table:2: unknown class 'BUSSY'; did you mean 'BUSY'?"));
	unlink(table);
	assert_int_equal(reads(&c, "throughput 40", "throughput 40\n flavour osmomsc", err), 0);
	assert_string_equal(c.link[0].flavour, "osmomsc");
}

static void test_tls(void **state)
{
	static const struct {
		const char *lines, *want;
	} bad[] = {
		{ " tls-ca-file @PW@", "settings of TLS and no \"tls yes\"" },
		{ " tls-server-name smsc.example", "settings of TLS and no \"tls yes\"" },
		{ " tls yes\n tls-certificate @PW@", "tls-certificate and tls-key belong together" },
		{ " tls yes\n tls-ca-file /nowhere/ca.pem", ":17: /nowhere/ca.pem: No such file" },
		{ " tls yes\n tls-ca-file /tmp", ":17: /tmp: no file" },
		{ " tls yes\n tls-certificate @PW@\n tls-key /etc/passwd", "chmod 600 /etc/passwd" },
		{ " tls maybe", ":16: unknown word \"maybe\"" },
	};
	static struct otagw_config c;
	char err[CONFIG_ERR_MAX], lines[256];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(lines, sizeof(lines), "throughput 40\n%s", bad[i].lines);
		assert_int_equal(reads(&c, "throughput 40", lines, err), -1);
		if (!strstr(err, bad[i].want))
			fail_msg("%s: %s", bad[i].lines, err);
	}
	assert_int_equal(reads(&c, "throughput 40",
			       "throughput 40\n tls yes\n tls-ca-file @PW@\n tls-server-name smsc.example\n"
			       " tls-certificate @PW@\n tls-key @PW@",
			       err),
			 0);
	assert_int_equal(c.link[0].tls, 1);
	assert_string_equal(c.link[0].tls_ca_file, password);
	assert_string_equal(c.link[0].tls_server_name, "smsc.example");
	assert_string_equal(c.link[0].tls_key, password);
}

/* What a link does not say its flavour does; what it says stays, wherever the flavour stands. */
static void test_presets(void **state)
{
	static const struct {
		const char *lines;
		uint8_t esm_mode, message_id, interface_version, payload, src_ton, rebind;
	} rows[] = {
		{ "throughput 40", 0, 0, 0, 0, CONFIG_TYPE_AS_GIVEN },
		{ "throughput 40\n flavour osmomsc", 2, 4, 0, 0, CONFIG_TYPE_AS_GIVEN, 1 },
		{ "throughput 40\n flavour osmomsc\n rebind never", 2, 4, 0, 0, CONFIG_TYPE_AS_GIVEN, 0 },
		{ "throughput 40\n flavour osmomsc\n esm-mode default", 0, 4, 0, 0, CONFIG_TYPE_AS_GIVEN, 1 },
		{ "esm-mode datagram\n message-id text\n throughput 40\n flavour osmomsc", 1, 1, 0, 0,
		  CONFIG_TYPE_AS_GIVEN, 1 },
		{ "throughput 40\n flavour generic-5.0", 0, 0, 1, 0, CONFIG_TYPE_AS_GIVEN },
		{ "throughput 40\n flavour jasmin", 0, 1, 0, 0, CONFIG_TYPE_AS_GIVEN },
		{ "throughput 40\n flavour kannel\n payload message-payload\n source-type 2 1\n interface-version 5.0\n"
		  " optional-parameters none",

		  0, 0, 1, 1, 2 },
	};
	static const struct {
		const char *table, *want;
	} bad[] = {
		{ "flavour acme like default\n preset esm-mod transaction\n",
		  "/e.table:2: preset: \"esm-mod\" is no setting that a flavour may bring along; did you mean "
		  "\"esm-mode\"?" },
		{ "flavour acme like default\n preset password-file /etc/passwd\n",
		  "/e.table:2: preset: \"password-file\" is no setting that a flavour may bring along" },
		{ "flavour acme like default\n preset esm-mode transacton\n",
		  "/e.table:2: preset: unknown word \"transacton\"; did you mean \"transaction\"?" },
		{ "flavour acme like default\n preset esm-mode transaction now\n",
		  "/e.table:2: preset: unexpected \"now\" at the end" },
		{ "flavour acme like default\n preset source-type 8 1\n",
		  "/e.table:2: preset: ton \"8\" must be 0 to 7" },
		{ "flavour acme like default\n preset response-timeout 3\n", "/e.table:2: preset: \"3\" needs a unit" },
	};
	static struct otagw_config c;
	char err[CONFIG_ERR_MAX], table[96], lines[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (reads(&c, "throughput 40", rows[i].lines, err))
			fail_msg("%s: %s", rows[i].lines, err);
		assert_int_equal(c.link[0].esm_mode, rows[i].esm_mode);
		assert_int_equal(c.link[0].message_id, rows[i].message_id);
		assert_int_equal(c.link[0].interface_version, rows[i].interface_version);
		assert_int_equal(c.link[0].payload, rows[i].payload);
		assert_int_equal(c.link[0].src_ton, rows[i].src_ton);
		assert_int_equal(c.link[0].rebind, rows[i].rebind);
	}
	/* wrong presets are told, also of flavours that no link has */
	snprintf(table, sizeof(table), "%s/e.table", dir);
	snprintf(lines, sizeof(lines), " profile-dir /p\n error-table %s", table);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		spit(table, bad[i].table, 0600);
		assert_int_equal(reads(&c, " profile-dir /p", lines, err), -1);
		if (!strstr(err, bad[i].want))
			fail_msg("%s: %s", bad[i].table, err);
	}
	unlink(table);
}

static void test_passwords(void **state)
{
	static struct otagw_config c;
	char err[CONFIG_ERR_MAX];

	spit(password, "secret123\n", 0600);
	assert_int_equal(reads(&c, NULL, NULL, err), -1);
	assert_non_null(strstr(err, "at most 8 characters"));
	assert_null(strstr(err, "secret"));
	spit(password, "s\n", 0640);
	assert_int_equal(reads(&c, NULL, NULL, err), -1);
	assert_non_null(strstr(err, "chmod 600"));
	spit(password, "", 0600);
	assert_int_equal(reads(&c, NULL, NULL, err), 0);
	assert_string_equal(c.link[0].password, "");
	spit(password, "12345678", 0600);
	assert_int_equal(reads(&c, NULL, NULL, err), 0);
	assert_string_equal(c.link[0].password, "12345678");
	spit(password, "secret12\r\n", 0600);
	assert_int_equal(reads(&c, "@PW@", dir, err), -1);
	assert_int_equal(config_read(&c, "/nowhere/otagw.cfg", err), -1);
	assert_non_null(strstr(err, "/nowhere/otagw.cfg"));
	assert_int_equal(config_read(&c, dir, err), -1);
}

/* Cut anywhere: an answer, never a crash. */
static void test_cut(void **state)
{
	static struct otagw_config c;
	char err[CONFIG_ERR_MAX], text[2048];

	for (size_t n = 0; n < strlen(base); n++) {
		snprintf(text, sizeof(text), "%.*s", (int)n, base);
		spit(cfg_path, text, 0600);
		assert_int_equal(config_read(&c, cfg_path, err), -1);
	}
	memset(text, 'x', 1500);
	text[1500] = 0;
	spit(cfg_path, text, 0600);
	assert_int_equal(config_read(&c, cfg_path, err), -1);
}

/* What is written reads back the same. */
static void test_write(void **state)
{
	static struct otagw_config a, b;
	char err[CONFIG_ERR_MAX], *text = NULL;
	size_t len = 0;
	FILE *f;

	assert_int_equal(reads(&a, "source-address 9000",
			       "source-address 9000 ton 2 npi 9\n log-level debug\n sms-price 0.0500 EUR", err),
			 0);
	f = open_memstream(&text, &len);
	vty_config_write(&a, f);
	fclose(f);
	assert_non_null(strstr(text, " source-address 9000 ton 2 npi 9\n"));
	assert_non_null(strstr(text, " sms-price 0.0500 EUR\n"));
	assert_null(strstr(text, "secret12"));
	spit(cfg_path, text, 0600);
	if (config_read(&b, cfg_path, err))
		fail_msg("%s", err);
	assert_memory_equal(&a, &b, sizeof(a));
	free(text);
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
		const char *back;
	} t[] = {
		{ "0s", 0, "0s" },
		{ "500ms", 500, "500ms" },
		{ "1000ms", 1000, "1s" },
		{ "90s", 90000, "90s" },
		{ "60m", 3600000, "1h" },
		{ "3d", 259200000, "3d" },
		{ "", -1, "" },
		{ "s", -1, "" },
		{ "-1s", -1, "" },
		{ "+1s", -1, "" },
		{ " 1s", -1, "" },
		{ "1.5s", -1, "" },
		{ "1 s", -1, "" },
		{ "1S", -1, "" },
		{ "99999999999999999999s", -1, "" },
		{ "9223372036854775807d", -1, "" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char why[128], back[32];
		uint64_t ms = 0;
		int rc = config_duration(t[i].text, &ms, why, sizeof(why));

		assert_int_equal(rc, t[i].ms < 0 ? -1 : 0);
		if (rc)
			continue;
		assert_int_equal(ms, t[i].ms);
		config_duration_text(ms, back, sizeof(back));
		assert_string_equal(back, t[i].back);
	}
}

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = calloc(1, 16384);

	assert_non_null(f);
	assert_true(fread(text, 1, 16383, f) > 0);
	fclose(f);
	return text;
}

/* The examples that are shipped are right. */
static void test_examples(void **state)
{
	static struct otagw_config c;
	char err[CONFIG_ERR_MAX], *text = slurp(CFG_DIR "/otagw.cfg");

	replace(text, 16384, "password-file /etc/otagw/msc-a.password", "password-file @PW@");
	replace(text, 16384, "@PW@", password);
	spit(cfg_path, text, 0600);
	if (config_read(&c, cfg_path, err))
		fail_msg("%s", err);
	/* each line that is commented out is a setting, and shows its default */
	for (char *p = text; (p = strstr(p, "\n ! ")); p++) {
		char *end = strchr(p + 4, '\n');
		const char *list[64];
		enum config_node node = strstr(p, "smsc-link") ? CONF_OTAGW :
					strstr(p, "\nretry")   ? CONF_LINK :
								 CONF_RETRY;
		size_t n = config_keywords(node, list, 64);

		for (size_t i = 0; i < n; i++) {
			if (strncmp(p + 4, list[i], strlen(list[i])) || p[4 + strlen(list[i])] != ' ' || !end ||
			    p[4] == 'O')
				continue;
			p[2] = ' ';
			memmove(p + 2, p + 4, strlen(p + 4) + 1);
			break;
		}
	}
	spit(cfg_path, text, 0600);
	{
		static struct otagw_config d;

		if (config_read(&d, cfg_path, err))
			fail_msg("%s", err);
		memset(d.link[0].system_type, 0, sizeof(d.link[0].system_type));
		assert_memory_equal(&c, &d, sizeof(c));
	}
	free(text);
	text = slurp(CFG_DIR "/demo.cfg.in");
	for (int i = 0; i < 4; i++) {
		static const char *const what[4] = { "@PORT@", "@RATE@", "@TOP@", "@DIR@" }, *const with[4] = {
			"2775", "200", "/t", dir
		};

		replace(text, 16384, what[i], with[i]);
		while (strstr(text + (strchr(text, '\n') - text), what[i]))
			replace(text, 16384, what[i], with[i]);
	}
	spit(cfg_path, text, 0600);
	if (config_read(&c, cfg_path, err))
		fail_msg("%s", err);
	free(text);
}

/* VTY, CTRL and GSMTAP: each only where it is asked for, and the first two on loopback alone. */
static void test_consoles(void **state)
{
	static const struct {
		const char *lines, *want;
	} bad[] = {
		{ "ctrl\n bind 192.0.2.1\n", "only a loopback address" },
		{ "ctrl\n bind 127.0.0.1 70000\n", "port \"70000\" must be 0 to 65535" },
		{ "ctrl\n bnid 127.0.0.1\n", "did you mean \"bind\"?" },
		{ "line vty\n bind 0.0.0.0\n", "line vty: bind 0.0.0.0: only a loopback address" },
		{ "line vyt\n", "unknown word" },
		{ "otagw\n gsmtap 127.0.0.1\n", "gsmtap remote A.B.C.D" },
		{ "otagw\n gsmtap remote 1.2.3\n", "\"1.2.3\" is no address" },
		{ "otagw\n gsmtap remote 127.0.0.1 0\n", "port \"0\" must be 1 to 65535" },
	};
	static struct otagw_config c;
	char err[CONFIG_ERR_MAX], lines[128];

	assert_int_equal(reads(&c, NULL, NULL, err), 0);
	assert_false(c.vty || c.ctrl || *c.gsmtap_ip);
	assert_int_equal(reads(&c, " first 30s\n", " first 30s\nctrl\n", err), 0);
	assert_true(c.ctrl && !c.vty);
	assert_int_equal(c.ctrl_port, 4280);
	assert_int_equal(reads(&c, " first 30s\n",
			       " first 30s\notagw\n gsmtap remote 192.0.2.1\nctrl\n bind 127.0.0.2 0\n"
			       "line vty\n no login\n bind 127.0.0.3 4444\n",
			       err),
			 0);
	assert_true(c.ctrl && c.vty);
	assert_string_equal(c.ctrl_ip, "127.0.0.2");
	assert_int_equal(c.ctrl_port, 0);
	assert_string_equal(c.vty_ip, "127.0.0.3");
	assert_int_equal(c.vty_port, 4444);
	assert_string_equal(c.gsmtap_ip, "192.0.2.1");
	assert_int_equal(c.gsmtap_port, 4729);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(lines, sizeof(lines), " first 30s\n%s", bad[i].lines);
		if (!reads(&c, " first 30s\n", lines, err))
			fail_msg("%s was taken", bad[i].lines);
		if (!strstr(err, bad[i].want))
			fail_msg("%s: \"%s\" has no \"%s\"", bad[i].lines, err, bad[i].want);
	}
	/* libosmovty keeps an address for good: the next one is read as if nothing had been */
	assert_int_equal(reads(&c, " first 30s\n", " first 30s\nline vty\n bind 127.0.0.1 4279\n", err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	    cmocka_unit_test(test_routes),    cmocka_unit_test(test_bad_routes),
		cmocka_unit_test(test_bad),	    cmocka_unit_test(test_passwords), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_write),	    cmocka_unit_test(test_durations), cmocka_unit_test(test_examples),
		cmocka_unit_test(test_error_table), cmocka_unit_test(test_presets),   cmocka_unit_test(test_tls),
		cmocka_unit_test(test_consoles),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
