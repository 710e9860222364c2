/* test_card_expanded.c - the virtual card and scripts in expanded format (TS 102 226, 5.2), octet by octet.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "card/card_int.h"
#include "sim_test.h"

/* C-APDU objects */
#define SELECT_IMSI "220700a4000c026f07"
#define UPDATE_IMSI "220e00d6000009080910300000000010" /* 001030000000001 */
#define READ_IMSI   "220500b0000009"
#define NEW_IMSI    "080910300000000010"
#define OLD_IMSI    "080910200000000010"
#define OK	    "23029000"

static struct sim_card_profile profile;

static int setup(void **state)
{
	sim_card_profile_default(&profile);
	profile.cntr = 100;
	return 0;
}

static struct sim_card card_new(void)
{
	struct sim_card c;

	assert_int_equal(sim_card_init(&c, 42, 0, &profile), 0);
	return c;
}

static struct por run_spi(struct sim_card *c, uint64_t cntr, const char *script, uint8_t spi2, struct sim_card_out *out)
{
	struct cmd_spec k = spec_of(c, cntr);
	struct oct data = oct_hex(script), pkt, ud;
	struct por p;

	k.spi2 = spi2;
	pkt = packet_build(c, &k, &data);
	ud = ud_single(&pkt);
	card_take(c, &ud, out);
	p = por_open(c, &k, out);
	assert_true(p.valid && p.secured);
	assert_int_equal(p.status, 0);
	return p;
}

static void expect(struct sim_card *c, uint64_t cntr, const char *script, const char *answer)
{
	struct sim_card_out out;
	struct por p = run_spi(c, cntr, script, 0x39, &out);
	struct oct want = oct_hex(answer);

	assert_int_equal(p.data.len, want.len);
	assert_memory_equal(p.data.b, want.b, want.len);
}

static void expect_imsi(const struct sim_card *c, const char *imsi, unsigned writes)
{
	struct sim_card_truth t;

	sim_card_truth(c, &t);
	assert_string_equal(t.imsi_stored, imsi);
	assert_int_equal(t.imsi_writes, writes);
	assert_true(t.imsi_update_cntrs >= writes); /* what a script would do is read from its text */
}

static void test_definite(void **state)
{
	struct sim_card c = card_new();
	struct sim_card_out out;

	expect(&c, 101, "aa10" SELECT_IMSI READ_IMSI, "ab14800102" OK "230b" OLD_IMSI "9000");
	expect_imsi(&c, "001020000000001", 0);
	expect(&c, 102, "aa20" SELECT_IMSI UPDATE_IMSI READ_IMSI, "ab18800103" OK OK "230b" NEW_IMSI "9000");
	expect_imsi(&c, "001030000000001", 1);
	/* a length in more octets than it needs is one all the same */
	expect(&c, 103,
	       "aa820011"
	       "22810700a4000c026f07" READ_IMSI,
	       "ab14800102" OK "230b" NEW_IMSI "9000");
	/* each script is a session of its own: no current EF */
	expect(&c, 104, "aa07" READ_IMSI, "ab0780010123026986");
	expect(&c, 105, "aa00", "ab03800100");
	/* the same once more is a replay, whatever the format */
	struct cmd_spec k = spec_of(&c, 105);
	struct oct data = oct_hex("aa00"), pkt = packet_build(&c, &k, &data), ud = ud_single(&pkt);

	card_take(&c, &ud, &out);
	assert_int_equal(out.status, POR_CNTR_LOW);
}

static void test_indefinite(void **state)
{
	struct sim_card c = card_new();

	expect(&c, 101, "ae80" SELECT_IMSI UPDATE_IMSI READ_IMSI "0000",
	       "af80" OK OK "230b" NEW_IMSI "9000"
	       "0000");
	expect_imsi(&c, "001030000000001", 1);
	expect(&c, 102, "ae800000", "af800000");
	/* without its end, or with a length: nothing is run */
	expect(&c, 103, "ae80" SELECT_IMSI UPDATE_IMSI, "af809001020000");
	expect(&c, 104, "ae19" SELECT_IMSI UPDATE_IMSI, "af809001020000");
	expect(&c, 105, "ae", "af809001030000");
}

static void test_stops_at_the_first_error(void **state)
{
	struct sim_card c = card_new();

	expect(&c, 101,
	       "aa20"
	       "220700a4000c026fff" UPDATE_IMSI READ_IMSI,
	       "ab0780010123026a82");
	expect(&c, 102, "aa17" SELECT_IMSI "220500b0000010" READ_IMSI, "ab0b800102" OK "23026c09");
	expect(&c, 103, "aa10" SELECT_IMSI "2205a0b0000009", "ab0b800102" OK "23026e00");
	expect(&c, 104, "aa0f" SELECT_IMSI "220400b00000",
	       "ab14800102" OK "230b" OLD_IMSI "9000"); /* Le left out: all */
	expect(&c, 105,
	       "aa06"
	       "220400d60000",
	       "ab0780010123026986");
	expect(&c, 106,
	       "aa0e"
	       "220c00d600000908091030000000",
	       "ab0780010123026700"); /* Lc says more than is there */
	expect(&c, 107, "aa11" SELECT_IMSI "220600b000000900", "ab0b800102" OK "23026700"); /* an Le too many */
	expect_imsi(&c, "001020000000001", 0);
	profile.deny_update_fid = 0x6f07;
	c = card_new();
	expect(&c, 101, "aa20" SELECT_IMSI UPDATE_IMSI READ_IMSI, "ab0b800102" OK "23026982");
}

static void test_bad_format(void **state)
{
	struct sim_card c = card_new();

	expect(&c, 101, "aa1c" SELECT_IMSI "2401ff" UPDATE_IMSI, "ab0a800101" OK "900101"); /* unknown tag */
	expect(&c, 102, "aa0b" SELECT_IMSI "2209", "ab0a800101" OK "900102");
	expect(&c, 103, "aa0a" SELECT_IMSI "22", "ab0a800101" OK "900103");
	expect(&c, 104, "aa0e" SELECT_IMSI "220300a400", "ab0a800101" OK "900102"); /* no C-APDU is that short */
	expect(&c, 105, "aa11" SELECT_IMSI READ_IMSI, "ab06800100900102"); /* the whole is shorter than it says */
	expect(&c, 106, "aa", "ab06800100900103");
	expect(&c, 107, "aa0d" SELECT_IMSI "22830000", "ab0a800101" OK "900103");
	expect_imsi(&c, "001020000000001", 0);
}

static void test_actions_and_chaining(void **state)
{
	struct sim_card c = card_new();

	/* that a proactive session can be had is true; EF_RMA has no records, an early answer is not given */
	expect(&c, 101,
	       "aa0a"
	       "810181"
	       "220500b0000009",
	       "ab0780010223026986");
	expect(&c, 102,
	       "aa0c"
	       "810101" SELECT_IMSI,
	       "ab06800101810101");
	expect(&c, 103,
	       "aa0c"
	       "810182" SELECT_IMSI,
	       "ab06800101810101");
	/* only as the first object */
	expect(&c, 104, "aa0c" SELECT_IMSI "810181", "ab0a800101" OK "900101");
	expect(&c, 105,
	       "aa1b"
	       "820101" SELECT_IMSI "8200"
	       "220500b0000009",
	       "ab06800100900102");
	expect(&c, 106,
	       "aa15"
	       "820101" SELECT_IMSI "8200"
	       "220500b0000009",
	       "ab14800104" OK "230b" OLD_IMSI "9000");
	expect(&c, 107,
	       "aa0c"
	       "830101" SELECT_IMSI,
	       "ab06800100830102");
}

/* SELECT with an Le gives what GET RESPONSE would. */
static void test_case_4(void **state)
{
	struct sim_card c = card_new();

	expect(&c, 101,
	       "aa0a"
	       "220800a40004026f0700",
	       "ab15800101"
	       "2310"
	       "620c82024121"
	       "83026f07"
	       "80020009"
	       "9000");
}

/* What the way back cannot carry is cut off, and the rest of the script is not run. */
static void test_answers_too_long(void **state)
{
	struct sim_card c = card_new();
	struct sim_card_out out;
	struct por p;

	/* 46 octets of EF_NETPAR twice: a DELIVER-REPORT holds one */
	p = run_spi(&c, 101,
		    "aa30"
		    "220700a4000c026fc4"
		    "220500b000002e"
		    "220500b000002e" SELECT_IMSI UPDATE_IMSI,
		    0x19, &out);
	assert_true(out.report_len > 0 && out.report_len <= SIM_REPORT_UD_MAX);
	assert_int_equal(p.data.b[0], 0xab);
	assert_int_equal(p.data.b[4], 3); /* executed */
	assert_memory_equal(p.data.b + 5, "\x23\x02\x90\x00\x23\x30", 6);
	assert_memory_equal(p.data.b + p.data.len - 2, "\x62\xf1", 2);
	expect_imsi(&c, "001020000000001", 0);
	/* three SMS-SUBMITs hold them all */
	p = run_spi(&c, 102,
		    "aa30"
		    "220700a4000c026fc4"
		    "220500b000002e"
		    "220500b000002e" SELECT_IMSI UPDATE_IMSI,
		    0x39, &out);
	assert_int_equal(p.data.len, 3 + 2 + 4 + 50 + 50 + 4 + 4);
	expect_imsi(&c, "001030000000001", 1);
	/* and of EF_NETPAR ten times as many as they hold, in as many octets as there are */
	p = run_spi(&c, 103,
		    "aa4f"
		    "220700a4000c026fc4"
		    "220500b000002e"
		    "220500b000002e"
		    "220500b000002e"
		    "220500b000002e"
		    "220500b000002e"
		    "220500b000002e"
		    "220500b000002e"
		    "220500b000002e"
		    "220500b000002e"
		    "220500b000002e",
		    0x39, &out);
	assert_true(out.submits > 1 && out.submits <= SIM_POR_SMS_MAX);
	assert_true(p.data.len <= RESPONSE_MAX && p.data.len > RESPONSE_MAX - 16);
	assert_memory_equal(p.data.b + p.data.len - 2, "\x62\xf1", 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		T(test_definite),	  T(test_indefinite),		T(test_stops_at_the_first_error),
		T(test_bad_format),	  T(test_actions_and_chaining), T(test_case_4),
		T(test_answers_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
