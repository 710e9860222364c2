/* test_card.c - how the virtual card behaves: identity, security, counters, PoR, files, reassembly, truth.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "card/card_int.h"
#include "sim_test.h"

/* SELECT EF_IMSI, UPDATE to 001030000000001, READ back */
#define IMSI_SCRIPT                                  \
	"00a4000c026f0700d6000009080910300000000010" \
	"00b0000009"
#define READ_IMSI "00a4000c026f0700b0000009"

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

static struct sim_card_out send_spec(struct sim_card *c, const struct cmd_spec *k, const char *script)
{
	struct oct data = oct_hex(script), pkt = packet_build(c, k, &data), ud = ud_single(&pkt);
	struct sim_card_out out;

	card_take(c, &ud, &out);
	return out;
}

static struct por run_script(struct sim_card *c, uint64_t cntr, const char *script)
{
	struct cmd_spec k = spec_of(c, cntr);
	struct sim_card_out out = send_spec(c, &k, script);

	return por_open(c, &k, &out);
}

static void expect_data(const struct por *p, const char *hex)
{
	struct oct want = oct_hex(hex);

	assert_true(p->valid && p->secured);
	assert_int_equal(p->status, 0);
	assert_int_equal(p->data.len, want.len);
	assert_memory_equal(p->data.b, want.b, want.len);
}

/* ---- identity ---- */

static void test_identity_follows_from_seed(void **state)
{
	struct sim_card a, b, other;

	for (uint32_t i = 0; i < 2000; i++) {
		assert_int_equal(sim_card_init(&a, 7, i, &profile), 0);
		assert_int_equal(strlen(a.iccid), 19);
		assert_int_equal(a.iccid[18], sim_luhn(a.iccid, 18));
		assert_int_equal(strlen(a.imsi_first), 15);
		assert_memory_not_equal(a.ks[0].kic, a.ks[0].kic + 8, 8);
		assert_memory_not_equal(a.ks[0].kic, a.ks[0].kid, 16);
	}
	sim_card_init(&a, 7, 3, &profile);
	sim_card_init(&b, 7, 3, &profile);
	assert_memory_equal(&a, &b, sizeof(a));
	sim_card_init(&other, 8, 3, &profile);
	assert_memory_not_equal(a.ks[0].kic, other.ks[0].kic, 16);
	assert_string_not_equal(a.iccid, other.iccid);
	sim_card_init(&other, 7, 4, &profile);
	assert_memory_not_equal(a.ks[0].kid, other.ks[0].kid, 16);
	/* a known number with its check digit */
	assert_int_equal(sim_luhn("7992739871", 10), '3');
}

static void test_nonsense_profiles_are_refused(void **state)
{
	struct sim_card_profile p = profile;
	struct sim_card c;

	p.kvn = 0;
	assert_int_equal(sim_card_init(&c, 1, 0, &p), -1);
	p = profile;
	p.mac_len = 4; /* AES only */
	assert_int_equal(sim_card_init(&c, 1, 0, &p), -1);
	p.alg = SIM_ALG_AES128;
	assert_int_equal(sim_card_init(&c, 1, 0, &p), 0);
	p = profile;
	strcpy(p.imsi_prefix, "0010x");
	assert_int_equal(sim_card_init(&c, 1, 0, &p), -1);
	p = profile;
	p.segments_max = SIM_SEGMENTS_MAX + 1;
	assert_int_equal(sim_card_init(&c, 1, 0, &p), -1);
	assert_int_equal(sim_card_init(&c, 1, UINT32_MAX, &profile), -1);
}

static void test_files_as_delivered(void **state)
{
	struct sim_card c = card_new();
	struct sim_card_truth t;
	const uint8_t *f;
	size_t len, sum = 0;

	f = sim_card_file(&c, 0x6f07, &len);
	assert_int_equal(len, 9);
	assert_memory_equal(f, "\x08\x09\x10\x20\x00\x00\x00\x00\x10", 9); /* 001020000000001 */
	f = sim_card_file(&c, 0x6f78, &len);
	assert_memory_equal(f, "\x00\x02", 2);
	f = sim_card_file(&c, 0x2fe2, &len);
	assert_int_equal(len, 10);
	assert_int_equal(f[0], 0x98);
	assert_int_equal(f[9] >> 4, 0x0f);
	assert_null(sim_card_file(&c, 0x6fff, &len));
	sim_card_truth(&c, &t);
	assert_string_equal(t.imsi_stored, "001020000000001");
	assert_string_equal(t.imsi_presented, "001020000000001");
	for (uint16_t fid = 0x2fe2; fid < 0x7000; fid++) {
		if (sim_card_file(&c, fid, &len))
			sum += len;
	}
	assert_true(sum <= SIM_FS_OCTETS);
}

/* ---- the IMSI change ---- */

static void test_imsi_change(void **state)
{
	static const enum sim_alg algs[] = { SIM_ALG_3DES2, SIM_ALG_3DES3, SIM_ALG_AES128, SIM_ALG_AES192,
					     SIM_ALG_AES256 };

	for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
		struct sim_card_truth t;
		struct sim_card_out out;
		struct cmd_spec k;
		struct sim_card c;
		struct por p;

		profile.alg = algs[i];
		c = card_new();
		k = spec_of(&c, 101);
		out = send_spec(&c, &k, IMSI_SCRIPT);
		assert_true(out.accepted && out.refresh);
		assert_int_equal(out.submits, 1);
		assert_string_equal(out.submit_to.digits, "12345678");
		p = por_open(&c, &k, &out);
		expect_data(&p, "039000080910300000000010");
		assert_int_equal(p.cntr, 101);
		sim_card_truth(&c, &t);
		assert_string_equal(t.imsi_stored, "001030000000001");
		assert_string_equal(t.imsi_presented, "001020000000001"); /* until the phone has refreshed */
		assert_int_equal(t.accepted, 1);
		assert_int_equal(t.scripts_done, 1);
		assert_int_equal(t.imsi_changes, 1);
		assert_int_equal(t.imsi_writes, 1);
		assert_int_equal(t.executions_max, 1);
		assert_int_equal(t.imsi_update_cntrs, 1);
		sim_card_refresh(&c);
		sim_card_truth(&c, &t);
		assert_string_equal(t.imsi_presented, "001030000000001");
	}
}

static void test_refresh_belongs_to_changes(void **state)
{
	struct sim_card c = card_new();
	struct cmd_spec k = spec_of(&c, 101);
	struct sim_card_out out;

	assert_false(send_spec(&c, &k, READ_IMSI).refresh);
	k.cntr = 102;
	assert_true(send_spec(&c, &k, IMSI_SCRIPT).refresh);
	k.cntr = 103;
	assert_false(send_spec(&c, &k, IMSI_SCRIPT).refresh); /* the same octets again: nothing changed */
	assert_int_equal(c.truth.imsi_changes, 1);
	assert_int_equal(c.truth.imsi_writes, 2);
	assert_int_equal(c.truth.imsi_update_cntrs, 2);
	profile.no_refresh = true;
	c = card_new();
	out = send_spec(&c, &k, IMSI_SCRIPT);
	assert_true(out.accepted && !out.refresh);
	sim_card_reset(&c);
	assert_string_equal(c.imsi_presented, "001030000000001");
}

/* ---- counters ---- */

static int status_of(struct sim_card *c, uint8_t spi1, uint64_t cntr)
{
	struct cmd_spec k = spec_of(c, cntr);

	k.spi1 = spi1;
	return send_spec(c, &k, READ_IMSI).status;
}

static void test_counter_modes(void **state)
{
	struct sim_card c = card_new();

	/* higher */
	assert_int_equal(status_of(&c, 0x16, 99), POR_CNTR_LOW);
	assert_int_equal(status_of(&c, 0x16, 100), POR_CNTR_LOW);
	assert_int_equal(status_of(&c, 0x16, 101), POR_OK);
	assert_int_equal(status_of(&c, 0x16, 101), POR_CNTR_LOW);
	assert_int_equal(status_of(&c, 0x16, 5000), POR_OK);
	assert_int_equal(c.ks[0].cntr, 5000);
	/* exactly one higher */
	assert_int_equal(status_of(&c, 0x1e, 5002), POR_CNTR_HIGH);
	assert_int_equal(status_of(&c, 0x1e, 5000), POR_CNTR_LOW);
	assert_int_equal(status_of(&c, 0x1e, 5001), POR_OK);
	/* the last value is taken, then the key version is dead */
	assert_int_equal(status_of(&c, 0x16, SIM_CNTR_MAX), POR_OK);
	assert_int_equal(status_of(&c, 0x16, SIM_CNTR_MAX), POR_CNTR_BLOCKED);
	/* modes that do not check: below the card's minimum level here */
	assert_int_equal(status_of(&c, 0x06, 0), POR_INSUFFICIENT_SECURITY);
	assert_int_equal(status_of(&c, 0x0e, 0), POR_INSUFFICIENT_SECURITY);
	profile.msl = 0x06;
	c = card_new();
	assert_int_equal(status_of(&c, 0x06, 0), POR_OK);
	assert_int_equal(status_of(&c, 0x0e, 1), POR_OK);
	assert_int_equal(c.ks[0].cntr, 100);
	assert_int_equal(c.truth.executions_max, 0); /* nothing counted was executed */
}

static void test_counter_is_taken_whatever_the_script_does(void **state)
{
	struct sim_card c = card_new();
	struct por p = run_script(&c, 101,
				  "00a4000c026f99"
				  "00b0000009");

	expect_data(&p, "016a82");
	assert_int_equal(c.ks[0].cntr, 101);
	assert_int_equal(c.truth.accepted, 1);
	assert_int_equal(c.truth.scripts_done, 0);
}

static void test_replay_variants(void **state)
{
	struct sim_card c = card_new();
	struct cmd_spec k = spec_of(&c, 101);
	struct sim_card_out out;
	struct por p;

	send_spec(&c, &k, IMSI_SCRIPT);
	out = send_spec(&c, &k, IMSI_SCRIPT);
	p = por_open(&c, &k, &out);
	assert_true(p.valid && p.secured);
	assert_int_equal(p.status, POR_CNTR_LOW);
	assert_int_equal(p.cntr, 101);
	assert_int_equal(p.data.len, 0);
	assert_int_equal(c.truth.executions_max, 1);
	assert_int_equal(c.truth.replays_refused, 1);
	assert_int_equal(c.truth.same_cntr_other_packet, 0);

	profile.replay = SIM_REPLAY_06_CLEAR;
	c = card_new();
	send_spec(&c, &k, IMSI_SCRIPT);
	out = send_spec(&c, &k, IMSI_SCRIPT);
	p = por_open(&c, &k, &out);
	assert_true(p.valid && !p.secured);
	assert_int_equal(p.status, POR_UNIDENTIFIED_SECURITY);
	assert_int_equal(p.cntr, 0);

	profile.replay = SIM_REPLAY_06_SECURED;
	c = card_new();
	send_spec(&c, &k, IMSI_SCRIPT);
	out = send_spec(&c, &k, IMSI_SCRIPT);
	p = por_open(&c, &k, &out);
	assert_true(p.valid && p.secured);
	assert_int_equal(p.status, POR_UNIDENTIFIED_SECURITY);
	assert_int_equal(p.cntr, 101);

	profile.replay = SIM_REPLAY_SILENT;
	c = card_new();
	send_spec(&c, &k, IMSI_SCRIPT);
	out = send_spec(&c, &k, IMSI_SCRIPT);
	assert_int_equal(out.status, -1);
	assert_int_equal(out.submits, 0);
	assert_int_equal(out.report_len, 0);
	assert_int_equal(out.sw, 0x6200);
}

static void test_checkers_see_a_counter_used_twice(void **state)
{
	struct sim_card c = card_new();

	run_script(&c, 101, IMSI_SCRIPT);
	assert_int_equal(c.truth.same_cntr_other_packet, 0);
	run_script(&c, 101, READ_IMSI); /* refused, but seen */
	assert_int_equal(c.truth.same_cntr_other_packet, 1);
	assert_int_equal(c.truth.replays_refused, 1);
	assert_int_equal(c.truth.imsi_update_cntrs, 1);
	/* a lower one that was never there is a replay, nothing worse */
	run_script(&c, 50, IMSI_SCRIPT);
	assert_int_equal(c.truth.same_cntr_other_packet, 1);
	assert_int_equal(c.truth.imsi_update_cntrs, 2);
	for (uint64_t n = 200; n < 200 + 2 * SIM_SEEN_MAX; n++)
		run_script(&c, n, READ_IMSI);
	assert_int_equal(c.seen_count, SIM_SEEN_MAX);
	assert_int_equal(c.truth.seen_dropped, 3 + SIM_SEEN_MAX);
}

/* ---- security ---- */

static void expect_refused(struct sim_card *c, const struct cmd_spec *k, uint8_t status)
{
	struct sim_card before = *c;
	struct sim_card_out out = send_spec(c, k, IMSI_SCRIPT);
	struct por p = por_open(c, k, &out);

	assert_false(out.accepted);
	assert_int_equal(out.status, status);
	assert_true(p.valid && !p.secured); /* in clear, counter zero, no data */
	assert_int_equal(p.status, status);
	assert_int_equal(p.cntr, 0);
	assert_int_equal(p.data.len, 0);
	assert_memory_equal(c->fs, before.fs, sizeof(c->fs));
	assert_int_equal(c->ks[0].cntr, before.ks[0].cntr);
}

static void test_refusals_in_clear(void **state)
{
	struct sim_card c = card_new();
	struct cmd_spec k;

	k = spec_of(&c, 101);
	k.tar = 0xb00012;
	expect_refused(&c, &k, POR_TAR_UNKNOWN);
	k = spec_of(&c, 101);
	k.kic ^= 0x30;
	expect_refused(&c, &k, POR_UNIDENTIFIED_SECURITY); /* KIc and KID of different versions */
	k.kid ^= 0x30;
	expect_refused(&c, &k, POR_UNIDENTIFIED_SECURITY); /* a version the card does not have */
	k.kic ^= 0x30;
	expect_refused(&c, &k, POR_UNIDENTIFIED_SECURITY); /* KIc right, KID of another */
	k = spec_of(&c, 101);
	k.pcntr_add = 40; /* more padding than there is data */
	expect_refused(&c, &k, POR_UNIDENTIFIED_SECURITY);
	k = spec_of(&c, 101);
	k.kic = (uint8_t)((k.kic & 0xf0) | 2);
	expect_refused(&c, &k, POR_CIPHERING_ERROR);
	k = spec_of(&c, 101);
	k.kid = (uint8_t)((k.kid & 0xf0) | 2);
	expect_refused(&c, &k, POR_RC_CC_DS_FAILED);
	k = spec_of(&c, 101);
	k.spi1 = 0x12; /* not ciphered */
	expect_refused(&c, &k, POR_INSUFFICIENT_SECURITY);
	k.spi1 = 0x15; /* RC only */
	expect_refused(&c, &k, POR_INSUFFICIENT_SECURITY);
	k.spi1 = 0x17; /* DS */
	expect_refused(&c, &k, POR_UNIDENTIFIED_SECURITY);
	k.spi1 = 0x96; /* reserved bit */
	expect_refused(&c, &k, POR_UNIDENTIFIED_SECURITY);
	assert_int_equal(c.truth.security_refused, 11);
	assert_int_equal(c.seen_count, 0);

	c.ks[0].kid[0] ^= 0x10; /* the gateway has another key */
	{
		struct sim_card gateway = card_new();
		struct oct data = oct_hex(IMSI_SCRIPT), pkt, ud;
		struct sim_card_out out;

		k = spec_of(&gateway, 101);
		pkt = packet_build(&gateway, &k, &data);
		ud = ud_single(&pkt);
		card_take(&c, &ud, &out);
		assert_int_equal(out.status, POR_RC_CC_DS_FAILED);
	}
}

static void test_silent_errors(void **state)
{
	struct sim_card_out out;
	struct cmd_spec k;
	struct sim_card c;

	profile.silent_errors = true;
	c = card_new();
	k = spec_of(&c, 101);
	k.tar = 0xb00012;
	out = send_spec(&c, &k, IMSI_SCRIPT);
	assert_int_equal(out.status, -1);
	assert_int_equal(out.sw, 0x6200);
	assert_int_equal(status_of(&c, 0x16, 100), -1);
	assert_int_equal(status_of(&c, 0x16, 101), POR_OK);
}

/* ---- PoR ---- */

static void test_por_only_when_asked_for(void **state)
{
	struct sim_card c = card_new();
	struct cmd_spec k = spec_of(&c, 101);

	k.spi2 = 0x00;
	assert_int_equal(send_spec(&c, &k, READ_IMSI).status, -1);
	assert_int_equal(c.truth.accepted, 1);
	k.cntr++;
	k.spi2 = 0x3a; /* on error only */
	assert_int_equal(send_spec(&c, &k, READ_IMSI).status, -1);
	assert_int_equal(c.truth.accepted, 2);
	assert_int_equal(send_spec(&c, &k, READ_IMSI).status, POR_CNTR_LOW);
}

static void test_por_bearers_and_security(void **state)
{
	static const struct {
		uint8_t spi2;
		bool submit, secured;
	} ways[] = { { 0x39, true, true },  { 0x19, false, true },  { 0x29, true, true },  { 0x09, false, true },
		     { 0x21, true, false }, { 0x01, false, false }, { 0x11, false, false } };
	struct sim_card c = card_new();

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct cmd_spec k = spec_of(&c, 101 + i);
		struct sim_card_out out;
		struct por p;

		k.spi2 = ways[i].spi2;
		out = send_spec(&c, &k, READ_IMSI);
		assert_int_equal(out.submits, ways[i].submit);
		assert_int_equal(out.report_len != 0, !ways[i].submit);
		if (k.spi2 == 0x11) /* ciphered without CC: por_open only deciphers what has a CC */
			continue;
		p = por_open(&c, &k, &out);
		assert_true(p.valid);
		assert_int_equal(p.secured, ways[i].secured);
		assert_int_equal(p.cntr, 101 + i);
		assert_int_equal(p.data.len, 12);
	}
}

static void test_interim_0b(void **state)
{
	struct sim_card_out out;
	struct cmd_spec k;
	struct sim_card c;
	struct por p;

	profile.interim_0b = true;
	c = card_new();
	k = spec_of(&c, 101);
	out = send_spec(&c, &k, READ_IMSI);
	assert_int_equal(out.submits, 1);
	p = por_open_ud(&c, &k, out.report, out.report_len);
	assert_true(p.valid && p.secured);
	assert_int_equal(p.status, POR_DATA_BY_SMS_SUBMIT);
	assert_int_equal(out.sw >> 8, 0x91);
}

/* CC asked for in the PoR of a command that carries a CRC: KID names no algorithm for it. */
static void test_por_without_algorithm(void **state)
{
	struct sim_card_out out;
	struct cmd_spec k;
	struct sim_card c;

	profile.msl = 0x00;
	profile.alg = SIM_ALG_AES128;
	c = card_new();
	k = spec_of(&c, 101);
	k.spi1 = 0x15;
	k.kid = (uint8_t)((k.kid & 0xf0) | 5); /* CRC-32 */
	out = send_spec(&c, &k, READ_IMSI);
	assert_true(out.accepted);
	assert_int_equal(out.status, POR_UNIDENTIFIED_SECURITY);
}

/* ---- files and commands ---- */

static void expect_script(const char *script, const char *answer)
{
	struct sim_card c = card_new();
	struct por p = run_script(&c, 101, script);

	expect_data(&p, answer);
}

static void test_status_words(void **state)
{
	expect_script("00a4000c026f99", "016a82"); /* no such file */
	expect_script("00b0000009", "016986");	   /* no current EF */
	expect_script("00a4000c026f42"
		      "00b0000009",
		      "026981"); /* a record file */
	expect_script("00a4000c026f07"
		      "00b2010409",
		      "026981");
	expect_script("00a4000c026f07"
		      "00b00000ff",
		      "026c09"); /* the right length is told */
	expect_script("00a4000c026f07"
		      "00b0000508",
		      "026c04");
	expect_script("00a4000c026f07"
		      "00b0000901",
		      "026b00"); /* offset outside */
	expect_script("00a4000c026f07"
		      "00d600090101",
		      "026b00");
	expect_script("00a4000c026f07"
		      "00d600000a08091030000000001000",
		      "026700");
	expect_script("00a4000c026f07"
		      "00d60005050102030405",
		      "026700"); /* beyond the end */
	expect_script("00a4000c026f07"
		      "00d6000000",
		      "026700");
	expect_script("00a4080c047fff2fe2", "016a82"); /* EF_ICCID is not below the ADF */
	expect_script("00a4080c022fe2"
		      "00d600000100",
		      "026982"); /* nobody writes EF_ICCID */
	expect_script("00f0000000", "016d00");
	expect_script("01a4000c026f07", "016e00");
	expect_script("a0a40000026f07", "016e00"); /* class of the other application */
	expect_script("00a40f0c026f07", "016a86");
	expect_script("00a4000c036f0700", "016700");
	expect_script("00a4000c02", "016700"); /* data missing */
	expect_script("00a4", "016700");
	expect_script("00a4000c026f42"
		      "00b2020426",
		      "026a83"); /* no record 2 */
	expect_script("00a4000c026f42"
		      "00b2010410",
		      "026c26");
	expect_script("00a4000c026f42"
		      "00b2010226",
		      "026a86"); /* "next" */
	expect_script("00a4000c026f42"
		      "00dc010403ffffff",
		      "026700");
	expect_script("00c0000000", "016985"); /* nothing to fetch */
	expect_script("", "009000");
}

static void test_good_commands(void **state)
{
	expect_script(READ_IMSI, "029000080910200000000010");
	expect_script("00a4000c026f0700b0000000", "029000080910200000000010"); /* Le 00: to the end */
	expect_script("00a4000c026f0700b0000702", "0290000010");
	expect_script("00a40004026f07", "01610e"); /* 61xx is no error */
	expect_script("00a40004026f07"
		      "00b0000009",
		      "029000080910200000000010");
	expect_script("00a40004026f07"
		      "00c000000e",
		      "029000620c8202412183026f0780020009");
	expect_script("00a4080c047fff6f07"
		      "00b0000009",
		      "029000080910200000000010");
	expect_script("00a4090c045fc04f01"
		      "00b0001301",
		      "02900000");
	expect_script("00a4000c023f0000a4000c022fe200b0000001", "03900098");
	expect_script("00a4000c023f0000a4000c027fff00a4000c026f0700b0000001", "04900008");
	expect_script("00a4040c07a0000000871002"
		      "00a4000c026f0700b0000001",
		      "03900008");
	expect_script("00a4000c025fc000a4000c024f02"
		      "00a4000c027fff00a4000c026f7800b0000002",
		      "0590000002");
	expect_script("80f2000000", "019000");
	expect_script("00a4000c026f78"
		      "00d60000020200",
		      "029000");
	expect_script("00a4000c026f78"
		      "00d6000002020000",
		      "029000"); /* Le behind the last command */
	expect_script("00a4000c026f78"
		      "00d60000020200"
		      "00b0000002",
		      "0390000200");
	expect_script("00a4000c026f42"
		      "00dc010426"
		      "ffffffffffffffffffff"
		      "e1ffffffffffffffffffffffff07919989420000f0ffffffffffffff",
		      "029000");
}

static void test_script_stops_at_first_error(void **state)
{
	struct sim_card c = card_new();
	struct por p = run_script(&c, 101,
				  "00a4000c026f78"
				  "00d60000020200"
				  "00a4000c026f99"
				  "00a4000c026f07"
				  "00d6000009080910300000000010");
	const uint8_t *acc;
	size_t len;

	expect_data(&p, "036a82");
	acc = sim_card_file(&c, 0x6f78, &len);
	assert_memory_equal(acc, "\x02\x00", 2); /* what ran before stays */
	assert_int_equal(c.truth.imsi_changes, 0);
	assert_int_equal(c.truth.imsi_writes, 0);
	assert_int_equal(c.truth.imsi_update_cntrs, 1); /* it did carry one */
}

static void test_no_session_across_scripts(void **state)
{
	struct sim_card c = card_new();
	struct por p;

	run_script(&c, 101, "00a4000c026f07");
	p = run_script(&c, 102, "00b0000009");
	expect_data(&p, "016986");
}

static void test_denied_update(void **state)
{
	struct sim_card c;
	struct por p;

	profile.deny_update_fid = 0x6f07;
	c = card_new();
	p = run_script(&c, 101, IMSI_SCRIPT);
	expect_data(&p, "026982");
	assert_int_equal(c.truth.imsi_changes, 0);
}

static void test_no_5gs(void **state)
{
	struct sim_card c;
	struct por p;

	profile.no_5gs = true;
	c = card_new();
	p = run_script(&c, 101, "00a4000c025fc0");
	expect_data(&p, "016a82");
}

/* The SIM's file system behind its own TAR: class A0, links to the USIM's files. */
static void test_sim_file_system(void **state)
{
	struct sim_card c = card_new();
	struct cmd_spec k = spec_of(&c, 101);
	struct sim_card_out out;
	struct por p;

	k.tar = 0xb00010;
	out = send_spec(&c, &k, "a0a40000023f00a0a40000027f20a0a40000026f07a0d6000009080910300000000010a0b0000009");
	p = por_open(&c, &k, &out);
	expect_data(&p, "059000080910300000000010");
	assert_int_equal(c.truth.imsi_changes, 1);
	k.cntr++;
	out = send_spec(&c, &k, "a0a40000027f20");
	p = por_open(&c, &k, &out);
	expect_data(&p, "019f0a");
	k.cntr++;
	out = send_spec(&c, &k, "a0a40000026f07"); /* below the MF there is none */
	p = por_open(&c, &k, &out);
	expect_data(&p, "019404");
	k.cntr++;
	out = send_spec(&c, &k, "00a4000c026f07");
	p = por_open(&c, &k, &out);
	expect_data(&p, "016e00");
	k.cntr++;
	out = send_spec(&c, &k, "a0a40000027f20a0a40000026f20a0d6000009ffffffffffffffff07a0a40000026f53a0b0000d01");
	p = por_open(&c, &k, &out);
	expect_data(&p, "05900000");
}

/* ---- concatenation ---- */

/* A script of `n` octets: UPDATEs of EF_SPN, EF_IMSI at its end. */
static struct oct long_script(void)
{
	return oct_hex("00a4000c026f46"
		       "00d60000110141414141414141414141414141414141"
		       "00a4000c026f46"
		       "00d60000110141414141414141414141414141414142"
		       "00a4000c026f08"
		       "00d600002107ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		       "00a4000c026f09"
		       "00d600002107ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		       "00a4000c026f7e"
		       "00d600000bffffffffffffffffffff01"
		       "00a4000c026f46"
		       "00d60000110141414141414141414141414141414143"
		       "00a4000c026f0700d6000009080910300000000010"
		       "00b0000009");
}

static void test_concatenation(void **state)
{
	static const uint8_t orders[][3] = { { 1, 2, 3 }, { 3, 2, 1 }, { 2, 3, 1 }, { 2, 1, 3 } };

	for (int wide = 0; wide < 2; wide++) {
		for (size_t o = 0; o < 4; o++) {
			struct sim_card c = card_new();
			struct cmd_spec k = spec_of(&c, 101);
			struct oct data = long_script(), pkt = packet_build(&c, &k, &data);
			struct sim_card_out out;
			struct por p;

			assert_true(pkt.len > 200 && pkt.len <= 300);
			for (int i = 0; i < 3; i++) {
				struct oct ud = ud_segment(&pkt, wide ? 0x1234 : 0x12, wide, 3, orders[o][i], 100);

				card_take(&c, &ud, &out);
				assert_int_equal(out.sw >> 8 == 0x90 || out.sw >> 8 == 0x91, 1);
				assert_int_equal(out.complete, i == 2);
			}
			p = por_open(&c, &k, &out);
			expect_data(&p, "0f9000080910300000000010");
		}
	}
}

/* The command packet indicator belongs to the first segment, whichever comes first. */
static void test_indicator_in_the_first_segment_only(void **state)
{
	struct sim_card c = card_new();
	struct cmd_spec k = spec_of(&c, 101);
	struct oct data = long_script(), pkt = packet_build(&c, &k, &data);
	struct sim_card_out out;

	for (uint8_t seq = 1; seq <= 3; seq++) {
		struct oct ud = ud_segment(&pkt, 7, false, 3, seq, 100);

		const struct oct was = ud;

		if (seq == 1) { /* taken away here ... */
			ud.b[0] -= 2;
			memcpy(ud.b + 6, was.b + 8, was.len - 8);
			ud.len -= 2;
		} else if (seq == 2) { /* ... and put there */
			ud.b[0] += 2;
			memcpy(ud.b + 6, "\x70\x00", 2);
			memcpy(ud.b + 8, was.b + 6, was.len - 6);
			ud.len += 2;
		}
		card_take(&c, &ud, &out);
		assert_false(out.accepted);
	}
}

static void test_one_segment_of_one(void **state)
{
	struct sim_card c = card_new();
	struct cmd_spec k = spec_of(&c, 101);
	struct oct data = oct_hex(READ_IMSI), pkt = packet_build(&c, &k, &data),
		   ud = ud_segment(&pkt, 7, false, 1, 1, 130);
	struct sim_card_out out;

	card_take(&c, &ud, &out);
	assert_true(out.accepted);
}

static void test_two_commands_interleaved(void **state)
{
	struct sim_card c = card_new();
	struct cmd_spec ka = spec_of(&c, 101), kb = spec_of(&c, 102);
	struct oct data = long_script(), a = packet_build(&c, &ka, &data), b = packet_build(&c, &kb, &data), ud;
	struct sim_card_out out;

	for (uint8_t seq = 1; seq <= 3; seq++) {
		ud = ud_segment(&a, 1, false, 3, seq, 100);
		card_take(&c, &ud, &out);
		assert_int_equal(out.accepted, seq == 3);
		ud = ud_segment(&b, 2, false, 3, seq, 100);
		card_take(&c, &ud, &out);
		assert_int_equal(out.accepted, seq == 3);
	}
	assert_int_equal(c.truth.accepted, 2);
}

static void test_reassembly_is_bounded(void **state)
{
	struct sim_card c = card_new();
	struct cmd_spec k = spec_of(&c, 101);
	struct oct data = long_script(), pkt = packet_build(&c, &k, &data), ud;
	struct sim_card_out out;

	/* beginnings that never go on push each other out */
	for (uint16_t ref = 1; ref < 200; ref++) {
		ud = ud_segment(&pkt, ref, false, 3, 1, 100);
		card_take(&c, &ud, &out);
		assert_false(out.complete);
	}
	/* a power cycle forgets them all */
	sim_card_reset(&c);
	for (uint8_t seq = 2; seq <= 3; seq++) {
		ud = ud_segment(&pkt, 199, false, 3, seq, 100);
		card_take(&c, &ud, &out);
		assert_false(out.complete);
	}
	/* the missing one brings it to an end */
	ud = ud_segment(&pkt, 199, false, 3, 1, 100);
	card_take(&c, &ud, &out);
	assert_true(out.accepted);
}

static void test_too_many_segments(void **state)
{
	struct oct data = long_script(), pkt, ud;
	struct sim_card_out out;
	struct cmd_spec k;
	struct sim_card c;
	struct por p;

	profile.segments_max = 2;
	c = card_new();
	k = spec_of(&c, 101);
	pkt = packet_build(&c, &k, &data);
	ud = ud_segment(&pkt, 1, false, 3, 2, 100);
	card_take(&c, &ud, &out);
	assert_int_equal(out.status, -1);
	ud = ud_segment(&pkt, 1, false, 3, 1, 100);
	card_take(&c, &ud, &out);
	p = por_open(&c, &k, &out);
	assert_true(p.valid && !p.secured);
	assert_int_equal(p.status, POR_INSUFFICIENT_MEMORY);
}

static void test_foreign_messages(void **state)
{
	static const char *const junk[] = { "",
					    "00",
					    "02",
					    "0270",
					    "ff",
					    "0500030102",
					    "050003010203",
					    "05000301020100",
					    "0300",
					    "06080401",
					    "02710000",
					    "0570000003010201",
					    "070003000101700000",
					    "05000301000000" };
	struct sim_card c = card_new(), before = c;
	struct sim_card_out out;

	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		struct oct ud = oct_hex(junk[i]);

		card_take(&c, &ud, &out);
		assert_false(out.accepted);
	}
	assert_memory_equal(c.fs, before.fs, sizeof(c.fs));
}

/* A long answer by SMS-SUBMIT takes two messages; by DELIVER-REPORT its data are dropped, not the truth. */
static void test_long_answers(void **state)
{
	struct sim_card c = card_new();
	struct cmd_spec k = spec_of(&c, 101);
	struct sim_card_out out;
	uint8_t data[160];
	struct por p;

	memset(data, 0x5a, sizeof(data));
	data[0] = 1;
	data[1] = 0x90;
	data[2] = 0x00;
	{
		struct sim_cmd cmd = { .spi1 = k.spi1,
				       .spi2 = k.spi2,
				       .kic = k.kic,
				       .kid = k.kid,
				       .tar = { 0xb0, 0, 0x11 },
				       .cntr = 101,
				       .ks = &c.ks[0] };
		uint8_t pkt[256];
		size_t len = sim_por_build(&cmd, true, 0, data, sizeof(data), false, pkt, sizeof(pkt));

		assert_int_equal(len, 2 + 1 + 3 + (7 + 8 + 160 + 1));
	}
	k.spi2 = 0x19;
	out = send_spec(&c, &k, "00a4000c026fc400b000002e"); /* 46 octets fit */
	p = por_open(&c, &k, &out);
	assert_int_equal(p.data.len, 3 + 46);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		T(test_identity_follows_from_seed),
		T(test_nonsense_profiles_are_refused),
		T(test_files_as_delivered),
		T(test_imsi_change),
		T(test_refresh_belongs_to_changes),
		T(test_counter_modes),
		T(test_counter_is_taken_whatever_the_script_does),
		T(test_replay_variants),
		T(test_checkers_see_a_counter_used_twice),
		T(test_refusals_in_clear),
		T(test_silent_errors),
		T(test_por_only_when_asked_for),
		T(test_por_bearers_and_security),
		T(test_interim_0b),
		T(test_por_without_algorithm),
		T(test_status_words),
		T(test_good_commands),
		T(test_script_stops_at_first_error),
		T(test_no_session_across_scripts),
		T(test_denied_update),
		T(test_no_5gs),
		T(test_sim_file_system),
		T(test_concatenation),
		T(test_indicator_in_the_first_segment_only),
		T(test_one_segment_of_one),
		T(test_two_commands_interleaved),
		T(test_reassembly_is_bounded),
		T(test_too_many_segments),
		T(test_foreign_messages),
		T(test_long_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
