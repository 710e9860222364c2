/* test_front_config_exchange.c - the nodes exchange, partner, pool and hlr of otagw.cfg, right and wrong.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config_int.h"
#include "vty.h"

static char path[64];

static const char vault[] = "otagw\n"			    /* 1 */
			    " state-dir /s\n"		    /* 2 */
			    " profile-dir /p\n"		    /* 3 */
			    "keystore\n"		    /* 4 */
			    " kek file /k\n"		    /* 5 */
			    "exchange\n"		    /* 6 */
			    " role vault\n"		    /* 7 */
			    " party-file /e/m.otaparty\n"   /* 8 */
			    " self-file /e/m.self\n"	    /* 9 */
			    " listen 127.0.0.1:4443\n"	    /* 10 */
			    " package-dir /e/packages\n"    /* 11 */
			    " package-life 2d\n"	    /* 12 */
			    " low-water 3\n"		    /* 13 */
			    "partner a\n"		    /* 14 */
			    " party-file /e/a.otaparty\n"   /* 15 */
			    " url https://127.0.0.1:4444\n" /* 16 */
			    " may-be a\n"		    /* 17 */
			    " may-be b\n"		    /* 18 */
			    " network 00101 001002\n"	    /* 19 */
			    "pool\n"			    /* 20 */
			    " imsi-range 001010000000000 001010000000999\n"
			    " msisdn-from +49151000000\n" /* 22 */
			    " plmns 00101 00102\n"	  /* 23 */
			    " file 6F42:FFff\n"		  /* 24 */
			    " file 7f10/6f40:00\n"	  /* 25 */
			    " trial 2h\n"		  /* 26 */
			    "hlr\n"			  /* 27 */
			    " osmo 127.0.0.1:4259\n"	  /* 28 */
			    " poll 250ms\n";		  /* 29 */

static int reads(struct otagw_config *c, const char *from, const char *to, char err[CONFIG_ERR_MAX])
{
	const char *at = from ? strstr(vault, from) : NULL;
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(!from || at);
	if (at)
		fprintf(f, "%.*s%s%s", (int)(at - vault), vault, to, at + strlen(from));
	else
		fputs(vault, f);
	fclose(f);
	*err = 0;
	return config_read(c, path, err);
}

static void test_good(void **state)
{
	static struct otagw_config c;
	char err[CONFIG_ERR_MAX];

	if (reads(&c, NULL, NULL, err))
		fail_msg("%s", err);
	assert_true(config_exchange_on(&c));
	assert_int_equal(c.n_links, 0);
	assert_int_equal(c.desk.roles, DESK_VAULT);
	assert_string_equal(c.exchange_party, "/e/m.otaparty");
	assert_string_equal(c.exchange_self, "/e/m.self");
	assert_string_equal(c.listen_host, "127.0.0.1");
	assert_int_equal(c.listen_port, 4443);
	assert_string_equal(c.desk.dir, "/e/packages");
	assert_int_equal(c.desk.package_life_s, 2 * 86400);
	assert_int_equal(c.desk.low_water, 3);
	assert_int_equal(c.desk.cntr_margin, 64);
	assert_int_equal(c.desk.arm_fresh_ms, 600000);
	assert_string_equal(c.desk.work_profile, "m2m-sub");
	assert_int_equal(c.desk.n_partners, 1);
	assert_string_equal(c.partner[0].name, "a");
	assert_string_equal(c.partner[0].host, "127.0.0.1");
	assert_int_equal(c.partner[0].port, 4444);
	assert_int_equal(c.desk.partner[0].roles, XCHG_A | XCHG_B);
	assert_int_equal(c.desk.partner[0].networks, 2);
	assert_string_equal(c.desk.partner[0].network[1], "001002");
	assert_string_equal(c.desk.pool.imsi_to, "001010000000999");
	assert_string_equal(c.desk.pool.msisdn_from, "49151000000");
	assert_string_equal(c.desk.pool.plmns, "00101;00102");
	assert_string_equal(c.desk.pool.files, "6f42:ffff;7f10/6f40:00");
	assert_int_equal(c.desk.pool.trial_s, 7200);
	assert_string_equal(c.hlr_host, "127.0.0.1");
	assert_int_equal(c.hlr_port, 4259);
	assert_int_equal(c.desk.hlr_poll_ms, 250);
	assert_int_equal(reads(&c, " role vault\n", " role vault\n role viewer\n", err), 0);
	assert_int_equal(c.desk.roles, DESK_VAULT | DESK_VIEWER);
	assert_int_equal(reads(&c, " osmo 127.0.0.1:4259\n", " template /e/hlr.template\n", err), 0);
	assert_string_equal(c.hlr_template, "/e/hlr.template");
	assert_int_equal(c.hlr_port, 0);
}

static void test_bad(void **state)
{
	static struct otagw_config c;
	static const struct {
		const char *from, *to, *line, *want;
	} bad[] = {
		{ "exchange\n", "exchagne\n", ":6: ", "did you mean \"exchange\"?" },
		/* who sends to cards says how */
		{ " role vault\n", " role agent\n", ": ", "there is no \"source-address DIGITS\": add it under otagw" },
		{ " role vault\n", " role vault\n role mno\n", ": ", "there is no \"source-address DIGITS\"" },
		{ "role vault", "role vautl", ":7: ", "did you mean \"vault\"?" },
		{ "role vault", "role mno", ": ", "there is no \"source-address DIGITS\"" },
		{ " role vault\n", "", ": ", "there is no \"s" },
		{ " party-file /e/m.otaparty\n", "", ": ", "there is no \"party-file PATH" },
		{ " self-file /e/m.self\n", "", ": ", "add it under exchange" },
		{ " package-dir /e/packages\n", "", ": ", "there is no \"package-dir PATH\"" },
		{ "listen 127.0.0.1:4443", "listen 127.0.0.1", ":10: ", "must be HOST:PORT" },
		{ "listen 127.0.0.1:4443", "listen :4443", ":10: ", "must be HOST:PORT" },
		{ "listen 127.0.0.1:4443", "listen h:65536", ":10: ", "1 to 65535" },
		{ "package-life 2d", "package-life 2", ":12: ", "needs a unit" },
		{ "package-life 2d", "package-life 1s", ":12: ", "must be 60s to 3650d" },
		{ "partner a\n", "partner A\n", ":14: ", "\"A\"" },
		{ "partner a\n", "partner\n", ":14: ", "partner NAME" },
		{ " party-file /e/a.otaparty\n", "", ": ", "partner a: there is no \"party-file PATH\"" },
		{ "https://", "http://", ":16: ", "mutual TLS alone" },
		{ "https://127.0.0.1:4444", "https://127.0.0.1:4444/x", ":16: ", "without a path" },
		{ "may-be b", "may-be vualt", ":18: ", "did you mean \"vault\"?" },
		{ " may-be a\n may-be b\n", "", ": ", "may-be a|b|vault|subscriber" },
		{ "network 00101", "network 0010", ":19: ", "\"0010\"" },
		{ "001010000000999", "001009000000000", ":21: ", "is no range" },
		{ "msisdn-from +4", "msisdn-from x4", ":22: ", "must be a number" },
		{ "file 6F42:FFff", "file 6F42:FFf", ":24: ", "not whole" },
		{ "file 6F42:FFff", "file 6F4:FFff", ":24: ", "FID:hex" },
		{ "file 6F42:FFff", "file 6F42:FFxf", ":24: ", "'x' is no hexadecimal digit" },
		{ "trial 2h", "trial 59s", ":26: ", "must be 60s to 30d" },
		{ "osmo 127", "osom 127", ":28: ", "did you mean \"osmo\"?" },
		{ " poll 250ms", " template /e/hlr.template", ": ", "there is one register" },
		{ "poll 250ms", "poll 1ms", ":29: ", "must be 50ms" },
		{ "poll 250ms", "polll 1s", ":29: ", "did you mean \"poll\"?" },
	};
	char err[CONFIG_ERR_MAX];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (!reads(&c, bad[i].from, bad[i].to, err))
			fail_msg("%s was taken", bad[i].to);
		if (!strstr(err, bad[i].line) || !strstr(err, bad[i].want))
			fail_msg("%s: \"%s\" has no \"%s\" or \"%s\"", bad[i].to, err, bad[i].line, bad[i].want);
	}
}

/* A partner that stands alone is a mistake: it would be as if it were not there. */
static void test_alone(void **state)
{
	static struct otagw_config c = { .desk.n_partners = 1 };
	char err[CONFIG_ERR_MAX];

	assert_int_equal(config_exchange_check(&c, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "no node \"exchange\""));
	c.desk.n_partners = 0;
	assert_int_equal(config_exchange_check(&c, err, sizeof(err)), 0);
}

static void test_write(void **state)
{
	static struct otagw_config a, b;
	char err[CONFIG_ERR_MAX], *text = NULL;
	size_t len = 0;
	FILE *f;

	assert_int_equal(reads(&a, NULL, NULL, err), 0);
	f = open_memstream(&text, &len);
	vty_config_write(&a, f);
	fclose(f);
	f = fopen(path, "we");
	fputs(text, f);
	fclose(f);
	if (config_read(&b, path, err))
		fail_msg("%s", err);
	assert_memory_equal(&a, &b, sizeof(a));
	free(text);
}

static int setup(void **state)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/otagw-cfgx.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	return close(fd);
}

static int teardown(void **state)
{
	return unlink(path);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_write),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
