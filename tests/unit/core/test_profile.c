/* test_profile.c - the profile parser, its refusals, and the octets of the scripts it leads to.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ota/script.h"
#include "profile.h"

#define HEAD "card-profile t\n tar b00011\n spi 16 39\n kvn 1\n refresh card\n"
#define TAIL " script\n  update 6f07 imsi\n  read 6f07 9\n"

static struct errtab *errtab;

/* The parser sees an exact-size copy without a NUL: one octet too far is found by the sanitizer. */
static int parse(struct profile *p, const char *text, size_t len, char *err, size_t cap)
{
	char *copy = malloc(len ? len : 1);
	int rc;

	assert_non_null(copy);
	memcpy(copy, text, len);
	rc = profile_parse(p, errtab, copy, len, err, cap);
	free(copy);
	return rc;
}

static void load(struct profile *p, const char *name)
{
	char path[512], text[PROFILE_TEXT_MAX], err[200];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s.profile", PROFILE_DIR, name);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	if (parse(p, text, n, err, sizeof(err)))
		fail_msg("%s: %s", path, err);
	assert_string_equal(p->name, name);
}

static void assert_hex(const uint8_t *octets, int len, const char *hex)
{
	char got[2 * OTA_SCRIPT_MAX + 1];

	assert_true(len >= 0 && len <= OTA_SCRIPT_MAX);
	for (int i = 0; i < len; i++)
		snprintf(got + 2 * i, 3, "%02x", octets[i]);
	got[2 * len] = '\0';
	assert_string_equal(got, hex);
}

static void shipped_profiles_are_sound(void **state)
{
	struct profile p;

	load(&p, "usim-rfm");
	assert_memory_equal(p.tar, "\xb0\x00\x11", 3);
	assert_memory_equal(p.spi, "\x16\x39", 2);
	assert_int_equal(p.kvn, 1);
	assert_int_equal(p.cla, 0);
	assert_int_equal(p.concat, OTA_CONCAT_UDH8);
	assert_int_equal(p.segments_max, 4);
	assert_int_equal(p.refresh, REFRESH_CARD);
	assert_int_equal(p.deleted_lac, 0xfffe);
	assert_int_equal(p.n_steps, 9);
	assert_int_equal(profile_por_meaning(&p, 0x00), POR_MEANS_OK);
	assert_int_equal(profile_por_meaning(&p, 0x06), POR_MEANS_CNTR_LOW);
	assert_int_equal(profile_por_meaning(&p, 0x0d), POR_MEANS_OTHER);
	assert_int_equal(profile_por_meaning(&p, 0xff), POR_MEANS_OTHER);
	load(&p, "usim-rfm-report");
	assert_memory_equal(p.spi, "\x16\x19", 2);
	load(&p, "sim-2g-rfm");
	assert_int_equal(p.cla, 0xa0);
	assert_int_equal(p.format, OTA_FORMAT_COMPACT);
	load(&p, "usim-rfm-expanded");
	assert_int_equal(p.format, OTA_FORMAT_DEFINITE);
	assert_false(p.works);
	load(&p, "m2m-sub");
	assert_true(p.works);
	assert_int_equal(p.n_steps, 0);
	assert_memory_equal(p.tar, "\xbf\xff\x3b", 3);
	assert_int_equal(p.segments_max, 5);
}

static void script_of_usim_rfm(void **state)
{
	const struct swap_values v = { .imsi = "234567890123456" };
	struct keyset_row k = { .kvn = 1, .kic_alg = OTA_ALG_3DES2_CBC, .kid_alg = OTA_ALG_3DES2_CBC, .cc_len = 8 };
	uint8_t buf[OTA_SCRIPT_MAX];
	struct profile p;
	uint16_t apdus = 0;
	int segments = 0, n;

	load(&p, "usim-rfm");
	n = profile_script(&p, &v, buf, sizeof(buf), &apdus);
	assert_hex(buf, n,
		   "00a4000c026f7e"
		   "00d600000b"
		   "fffffffffffffffffeff01"
		   "00a4000c026f73"
		   "00d600000e"
		   "fffffffffffffffffffffffeff01"
		   "00a4000c026fe3"
		   "00d6000012"
		   "fffffffffffffffffffffffffffffffffe01"
		   "00a4000c026f08"
		   "00d6000021"
		   "07ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		   "00a4000c026f09"
		   "00d6000021"
		   "07ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		   "00a4000c026f7b"
		   "00d600000c"
		   "ffffffffffffffffffffffff"
		   "00a4000c026f78"
		   "00d6000002"
		   "0040"
		   "00a4000c026f07"
		   "00d6000009"
		   "082943658709214365"
		   "00b0000009");
	assert_int_equal(apdus, 17);
	/* every smaller buffer is refused, none is overrun */
	for (int cap = 0; cap < n; cap++) {
		uint8_t *small = malloc(cap ? (size_t)cap : 1);

		assert_non_null(small);
		assert_int_equal(profile_script(&p, &v, small, (size_t)cap, NULL), OTA_E_SPACE);
		free(small);
	}

	assert_int_equal(profile_kic(&k), 0x15);
	assert_int_equal(profile_kid(&k), 0x15);
	n = profile_packet_len(&p, &k, &v, &segments);
	assert_int_equal(n, 10 + (6 + 8 + 233 + 7) / 8 * 8);
	assert_int_equal(segments, 2);
	k.kic_alg = k.kid_alg = OTA_ALG_AES_CBC;
	k.cc_len = 4;
	assert_int_equal(profile_kic(&k), 0x12);
	n = profile_packet_len(&p, &k, &v, &segments);
	assert_int_equal(n, 10 + (6 + 4 + 233 + 15) / 16 * 16);
	assert_int_equal(segments, 2);
}

/* The new operator's files go before EF_IMSI, in place of what the profile says of them. */
static void script_with_files(void **state)
{
	static const uint8_t files[] = { 1,    0x6f, 0x78, 2, 0x12, 0x34, 2, 0x5f, 0x3b, 0x4f,
					 0x20, 1,    0xaa, 1, 0x6f, 0x42, 2, 0xbb, 0xcc };
	static const uint8_t torn[] = { 1, 0x6f, 0x78, 9, 0x12 };
	struct swap_values v = { .imsi = "234567890123456", .files = files, .files_len = sizeof(files) };
	static const char text[] = "card-profile x\n tar b00011\n spi 16 39\n kvn 1\n refresh card\n script\n"
				   "  update 6f7b hex ffffffffffffffffffffffff\n  update 6f78 acc\n  update 6f07 imsi\n"
				   "  read 6f07 9\n";
	uint8_t buf[200];
	char err[200];
	struct profile p;
	uint16_t apdus = 0;

	assert_int_equal(parse(&p, text, sizeof(text) - 1, err, sizeof(err)), 0);
	assert_hex(buf, profile_script(&p, &v, buf, sizeof(buf), &apdus),
		   "00a4000c026f7b00d600000cffffffffffffffffffffffff"
		   "00a4000c026f7800d60000021234"
		   "00a4000c025f3b00a4000c024f2000d6000001aa"
		   "00a4000c027fff00a4000c026f4200dc010402bbcc"
		   "00a4000c026f0700d6000009082943658709214365"
		   "00b0000009");
	v.files = torn;
	v.files_len = sizeof(torn);
	assert_int_equal(profile_script(&p, &v, buf, sizeof(buf), NULL), OTA_E_FORMAT);
}

static void readback_walks_the_directories(void **state)
{
	uint8_t buf[64];
	struct profile p;
	uint16_t apdus = 0;

	load(&p, "usim-rfm");
	assert_hex(buf, profile_readback(&p, buf, sizeof(buf), &apdus), "00a4000c026f0700b0000009");
	assert_int_equal(apdus, 2);
	load(&p, "sim-2g-rfm");
	assert_hex(buf, profile_readback(&p, buf, sizeof(buf), &apdus),
		   "a0a40000023f00"
		   "a0a40000027f20"
		   "a0a40000026f07"
		   "a0b0000009");
	assert_int_equal(apdus, 4);
}

/* The same script in the other formats: AA L { 22 L C-APDU }.., or AE 80 .. 00 00 (TS 102 226, 5.2.1). */
static void script_in_expanded_format(void **state)
{
	static const char text[] = HEAD " format expanded-indefinite\n" TAIL;
	const struct swap_values v = { .imsi = "234567890123456" };
	struct keyset_row k = { .kvn = 1, .kic_alg = OTA_ALG_3DES2_CBC, .kid_alg = OTA_ALG_3DES2_CBC, .cc_len = 8 };
	uint8_t buf[OTA_SCRIPT_MAX];
	struct profile p;
	uint16_t apdus = 0;
	char err[200];
	int segments = 0;

	assert_int_equal(parse(&p, text, sizeof(text) - 1, err, sizeof(err)), 0);
	assert_hex(buf, profile_script(&p, &v, buf, sizeof(buf), &apdus),
		   "ae80"
		   "220700a4000c026f07"
		   "220e00d6000009082943658709214365"
		   "220500b0000009"
		   "0000");
	assert_int_equal(apdus, 3);
	load(&p, "usim-rfm-expanded");
	assert_hex(buf, profile_readback(&p, buf, sizeof(buf), &apdus), "aa10220700a4000c026f07220500b0000009");
	assert_int_equal(apdus, 2);
	assert_int_equal(profile_script(&p, &v, buf, sizeof(buf), &apdus), 4 + 233 + 17 * 2);
	assert_int_equal(apdus, 17);
	assert_int_equal(profile_packet_len(&p, &k, &v, &segments), 10 + (6 + 8 + 271 + 7) / 8 * 8);
	assert_int_equal(segments, 3);
}

static void commands_have_names(void **state)
{
	char name[PROFILE_COMMAND_MAX];
	struct profile p;

	load(&p, "usim-rfm");
	assert_true(profile_command_name(&p, false, 0, name));
	assert_string_equal(name, "SELECT 6f7e");
	assert_true(profile_command_name(&p, false, 3, name));
	assert_string_equal(name, "UPDATE 6f73");
	assert_true(profile_command_name(&p, false, 16, name));
	assert_string_equal(name, "READ 6f07");
	assert_false(profile_command_name(&p, false, 17, name));
	assert_true(profile_command_name(&p, true, 1, name));
	assert_string_equal(name, "READ 6f07");
	assert_false(profile_command_name(&p, true, 2, name));
	load(&p, "sim-2g-rfm");
	assert_true(profile_command_name(&p, true, 2, name));
	assert_string_equal(name, "SELECT 6f07");
}

static void same_file_is_selected_once(void **state)
{
	static const char text[] =
		HEAD " cla 00\n script\n  select 7f10\n  update-record 6f42 1 hex ff ff\n"
		     "  update-record 6f42 2 hex fe\n  select 7f10\n  update 6f07 imsi\n  read 6f07 9\n";
	const struct swap_values v = { .imsi = "001011234567895" };
	uint8_t buf[128];
	struct profile p;
	char err[200];

	assert_int_equal(parse(&p, text, sizeof(text) - 1, err, sizeof(err)), 0);
	assert_hex(buf, profile_script(&p, &v, buf, sizeof(buf), NULL),
		   "00a4000c027f10"
		   "00a4000c026f42"
		   "00dc010402ffff"
		   "00dc020401fe"
		   "00a4000c027f10"
		   "00a4000c026f07"
		   "00d6000009080910102143658759"
		   "00b0000009");
}

/* Asked for first, written last; where nobody gives one the script is as it was. */
static void opc_is_the_last_one_written(void **state)
{
	static const char text[] = HEAD " opc 3f00/7f66/af20 at 258\n" TAIL, one[] = HEAD " opc af20 at 17\n" TAIL;
	static const uint8_t opc[PROFILE_OPC_LEN] = { 0xa0, 0xa1, 0xa2, [15] = 0xaf };
	struct swap_values v = { .imsi = "001011234567895", .opc = opc };
	uint8_t buf[256], plain[256];
	uint16_t apdus;
	struct profile p;
	char err[200];
	int n;

	assert_int_equal(parse(&p, text, sizeof(text) - 1, err, sizeof(err)), 0);
	assert_hex(buf, profile_script(&p, &v, buf, sizeof(buf), &apdus),
		   "00a4000c023f0000a4000c027f6600a4000c02af20"
		   "00a4000c027fff"
		   "00a4000c026f0700d6000009080910102143658759"
		   "00a4000c023f0000a4000c027f6600a4000c02af20"
		   "00d6010210a0a1a2000000000000000000000000af"
		   "00a4000c027fff"
		   "00a4000c026f0700b0000009");
	assert_int_equal(apdus, 13);
	v.opc = NULL;
	n = profile_script(&p, &v, buf, sizeof(buf), NULL);
	assert_int_equal(parse(&p, HEAD TAIL, sizeof(HEAD TAIL) - 1, err, sizeof(err)), 0);
	assert_int_equal(profile_script(&p, &v, plain, sizeof(plain), NULL), n);
	assert_memory_equal(buf, plain, (size_t)n);
	v.opc = opc; /* and it has no place here */
	assert_int_equal(profile_script(&p, &v, plain, sizeof(plain), NULL), OTA_E_FORMAT);
	v.opc = opc;
	assert_int_equal(parse(&p, one, sizeof(one) - 1, err, sizeof(err)), 0);
	assert_hex(buf, profile_script(&p, &v, buf, sizeof(buf), NULL),
		   "00a4000c02af20"
		   "00a4000c026f0700d6000009080910102143658759"
		   "00a4000c02af2000d6001110a0a1a2000000000000000000000000af"
		   "00a4000c026f0700b0000009");
	load(&p, "usim-rfm-opc");
	assert_int_equal(p.opc_at, 17);
}

static void bad_digits_make_no_script(void **state)
{
	static const char *const bad[] = { "", "12345", "1234567890123a5", "12 4567890" };
	uint8_t buf[OTA_SCRIPT_MAX];
	struct profile p;

	load(&p, "usim-rfm");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct swap_values v = { 0 };

		strcpy(v.imsi, bad[i]);
		assert_int_equal(profile_script(&p, &v, buf, sizeof(buf), NULL), OTA_E_DIGITS);
	}
}

static void comments_blank_lines_crlf_and_tabs(void **state)
{
	static const char text[] =
		"! a comment\r\n\r\n# another\r\ncard-profile t\r\n\tdescription  two words \r\n\ttar B00011\r\n"
		"\tspi 16 39\r\n\tkvn 15\r\n\t! within\r\n\trefresh power-cycle\r\n\tpor 07 means other\r\n"
		"\tscript\r\n\t\tupdate 6F07 imsi\r\n\t\tread 6F07 9\r\n\tdeleted-lac 0000";
	struct profile p;
	char err[200];

	if (parse(&p, text, sizeof(text) - 1, err, sizeof(err)))
		fail_msg("%s", err);
	assert_string_equal(p.description, "two words ");
	assert_int_equal(p.kvn, 15);
	assert_int_equal(p.refresh, REFRESH_POWER_CYCLE);
	assert_int_equal(p.deleted_lac, 0);
	assert_int_equal(profile_por_meaning(&p, 7), POR_MEANS_OTHER);
}

static const struct {
	const char *text, *err;
} refusals[] = {
	{ "", "line 1: 'card-profile NAME' is missing" },
	{ "card-profil x\n", "line 1: unknown word 'card-profil'; did you mean 'card-profile'?" },
	{ "card-profile\n", "line 1: 'card-profile' is written 'card-profile NAME'" },
	{ "card-profile a/b\n", "line 1: the name 'a/b' has other characters than letters, digits, '.', '_' and '-'" },
	{ " tar b00011\n", "line 1: 'card-profile NAME' must stand first" },
	{ HEAD HEAD, "line 6: one profile per file; the first began on line 1" },
	{ HEAD "script\n", "line 6: 'script' must be indented below 'card-profile'" },
	{ "card-profile t\n spi 16 39\n kvn 1\n refresh card\n" TAIL, "line 7: the profile ends without 'tar'" },
	{ HEAD, "line 5: the profile ends without 'script'" },
	{ HEAD " application subscriptions\n",
	  "line 6: unknown application 'subscriptions'; did you mean 'subscription'?" },
	{ HEAD " application subscription\n" TAIL,
	  "line 7: the subscription application has commands of its own: 'script' cannot stand beside 'application' on "
	  "line 6" },
	{ HEAD " application subscription\n cla a0\n",
	  "line 7: the subscription application takes compact format and its own class alone" },
	{ HEAD " application subscription\n format expanded\n",
	  "line 7: the subscription application takes compact format and its own class alone" },
	{ HEAD " script\n", "line 6: the script is empty" },
	{ HEAD " tar b00011\n", "line 6: 'tar' stands on line 2 already" },
	{ HEAD " segment-max 4\n" TAIL, "line 6: unknown word 'segment-max'; did you mean 'segments-max'?" },
	{ HEAD " segments-max 17\n", "line 6: '17' is not a number of short messages from 1 to 16" },
	{ HEAD " segments-max 4 5\n", "line 6: 'segments-max' is written 'segments-max 4'" },
	{ HEAD " concat udh9\n", "line 6: unknown concatenation 'udh9'; did you mean 'udh8'?" },
	{ HEAD " format expandet\n", "line 6: unknown format 'expandet'; did you mean 'expanded'?" },
	{ HEAD " format\n", "line 6: 'format' is written 'format compact'" },
	{ HEAD " cla 80\n", "line 6: class '80' is neither 00 (UICC) nor a0 (2G SIM)" },
	{ HEAD " opc af20 17\n", "line 6: 'opc' is written 'opc af20 at 17'" },
	{ HEAD " opc af20 in 17\n",
	  "line 6: 'opc' is written 'opc af20 at 17': a file below ADF.USIM, and where in it OPc "
	  "begins" },
	{ HEAD " opc af2 at 17\n",
	  "line 6: the path to OPc is 1 to 3 file identifiers of four hex digits, as in '7f66/af20'" },
	{ HEAD " opc 3f00/7f20/7f66/af20 at 17\n",
	  "line 6: the path to OPc is 1 to 3 file identifiers of four hex digits, as in '7f66/af20'" },
	{ HEAD " opc af20 at 32768\n", "line 6: OPc begins at an octet from 0 to 32767, as in 'opc af20 at 17'" },
	{ HEAD " opc 6f07 at 0\n", "line 6: 6f07 is EF_IMSI" },
	{ HEAD " cla a0\n opc af20 at 17\n" TAIL, "line 7: a 2G SIM has no OPc" },
	{ HEAD " opc af20 at 17\n application subscription\n",
	  "line 6: the subscription application has a place for OPc of its own" },
	{ HEAD " deleted-lac ffff\n", "line 6: 'ffff' is no deleted LAC: 0000 or fffe" },
	{ HEAD " deleted-lac fff\n", "line 6: 'fff' is no deleted LAC: 0000 or fffe" },
	{ HEAD " por 00 means cntr-low\n", "line 6: PoR status '00' is not 01 to 0c (00 always means success)" },
	{ HEAD " por 06 means cntrlow\n", "line 6: unknown meaning 'cntrlow'; did you mean 'cntr-low'?" },
	{ HEAD " por 06 is cntr-low\n", "line 6: 'por' is written 'por 06 means cntr-low'" },
	{ HEAD " por 06 means ok\n",
	  "line 6: unknown meaning 'ok'; one of: cntr-low, cntr-high, cntr-blocked, security, "
	  "transient, config, interim, other" },
	{ HEAD " sw 6985 is OK\n", "line 6: 'sw' is written 'sw 6985 means CARD-TRANSIENT'" },
	{ HEAD " sw 6985 means\n", "line 6: 'sw' is written 'sw 6985 means CARD-TRANSIENT'" },
	{ HEAD " sw 69859 means OK\n", "line 6: status word '69859' is not four hex digits, as in '6985' or '62xx'" },
	{ HEAD " sw 6x85 means OK\n", "line 6: status word '6x85' is not four hex digits, as in '6985' or '62xx'" },
	{ HEAD " sw 6985 means CARD-TRANSENT\n",
	  "line 6: unknown class 'CARD-TRANSENT'; did you mean 'CARD-TRANSIENT'?" },
	{ HEAD " sw 6985 means SUBS-PERM\n",
	  "line 6: unknown class 'SUBS-PERM'; one of: OK, BUSY, MEM, CARD-TRANSIENT, CARD-PERM, CONFIG" },
	{ HEAD " sw 9000 means CARD-PERM\n", "line 6: status word 9000 always means success" },
	{ HEAD " sw xxxx means BUSY\n", "line 6: status word 9000 always means success" },
	{ HEAD " script\n  updat 6f07 imsi\n", "line 7: unknown word 'updat'; did you mean 'update'?" },
	{ HEAD " script\n  update 6f07\n",
	  "line 7: 'update' is written 'update 6f7b hex ffffff..' or 'update 6f07 imsi'" },
	{ HEAD " script\n  update 6g07 imsi\n", "line 7: file '6g07' is not four hex digits, as in '6f07'" },
	{ HEAD " script\n  update 6f07 imsy\n", "line 7: unknown value 'imsy'; did you mean 'imsi'?" },
	{ HEAD " script\n  update 6f07 imsi 2\n", "line 7: '2' after 'imsi'" },
	{ HEAD " script\n  update 6f07 hex 08\n", "line 7: every card has its own IMSI: 'update 6f07 imsi'" },
	{ HEAD " script\n  update 6f73 loci-deleted\n",
	  "line 7: 'loci-deleted' is not the coding of 6f73; did you mean 'psloci-deleted'?" },
	{ HEAD " script\n  update 6f46 acc\n", "line 7: 'acc' is not the coding of 6f46; give its octets with 'hex'" },
	{ HEAD " script\n  update 6f7b hex fff\n", "line 7: 'fff' is not octets in hex" },
	{ HEAD " script\n  update 6f7b hex\n", "line 7: 'hex' without octets" },
	{ HEAD " script\n  update 6f7b hex ffffff\n",
	  "line 7: EF_FPLMN holds three octets per network, at least 12 in all, not 3" },
	{ HEAD " script\n  update-record 6f42 0 hex ff\n", "line 7: record '0' is not a number from 1 to 254" },
	{ HEAD " script\n  read 6f07 0\n", "line 7: '0' is not a number of octets from 1 to 255" },
	{ HEAD " script\n  read 6f07 9\n  update 6f07 imsi\n",
	  "line 7: only the last command's data come back: 'read' must be the last step" },
	{ HEAD " script\n  update 6f78 acc\n  read 6f07 9\n",
	  "line 6: the script never writes EF_IMSI: add 'update 6f07 imsi'" },
	{ HEAD " script\n  update 6f07 imsi\n  update 6f07 imsi\n  read 6f07 9\n",
	  "line 8: EF_IMSI is written on line 7 already" },
	{ HEAD " script\n  update 6f07 imsi\n  update 6f78 acc\n  read 6f07 9\n",
	  "line 8: EF_IMSI must be the last file written: if the script breaks off before, the old subscription still "
	  "works; "
	  "move this above line 7" },
	{ HEAD " script\n  update 6f07 imsi\n",
	  "line 7: the proof is missing: 'read 6f07 9' must follow as the last step" },
	{ HEAD " script\n  update 6f07 imsi\n  read 6f07 8\n",
	  "line 7: the proof is missing: 'read 6f07 9' must follow as the last step" },
	{ HEAD " script\n  update 6f07 imsi\n  select 7f20\n  read 6f07 9\n",
	  "line 7: the proof is missing: 'read 6f07 9' must follow as the last step" },
	{ HEAD " segments-max 1\n script\n  update 6f08 keys-deleted\n  update 6f09 keys-deleted\n  update 6f7b hex "
	       "ffffffffffffffffffffffff\n  update 6f07 imsi\n  read 6f07 9\n",
	  "line 7: the script takes 2 short messages, segments-max allows 1" },
	{ "card-profile t\n spi 12 39\n",
	  "line 2: spi 12 39 does not cipher: the new IMSI would travel in clear; use 16" },
	{ "card-profile t\n spi 15 39\n",
	  "line 2: spi 15 39 asks for no cryptographic checksum: the card would obey anybody; use 16" },
	{ "card-profile t\n spi 06 39\n",
	  "line 2: spi 06 39 does not make the card check the counter: a retry could run twice; use 16" },
	{ "card-profile t\n spi 0e 39\n",
	  "line 2: spi 0e 39 does not make the card check the counter: a retry could run twice; use 16" },
	{ "card-profile t\n tar b00011\n spi 1e 39\n kvn 1\n refresh card\n script\n  update 6f07 imsi\n  read 6f07 "
	  "9\n",
	  "line 3: spi 1e 39 demands a counter exactly one higher, so one lost message stalls the card: use 16, or say "
	  "'counter exact'" },
	{ "card-profile t\n tar b00011\n spi 16 39\n counter exact\n kvn 1\n refresh card\n script\n  update 6f07 "
	  "imsi\n"
	  "  read 6f07 9\n",
	  "line 4: 'counter exact' goes with an spi in mode 11, such as 1e 39" },
	{ "card-profile t\n counter exactly\n", "line 2: unknown way to count 'exactly'; did you mean 'exact'?" },
	{ "card-profile t\n spi 16 38\n",
	  "line 2: spi 16 38 does not ask for a PoR in every case: success could not be proven; use 39" },
	{ "card-profile t\n spi 16 31\n",
	  "line 2: spi 16 31 asks for a PoR without checksum: anybody could send one; use 39" },
	{ "card-profile t\n spi 36 39\n", "line 2: spi 36 39 sets reserved bits (TS 102 225, 5.1.1)" },
	{ "card-profile t\n spi 16\n", "line 2: 'spi' is written 'spi 16 39'" },
	{ "card-profile t\n tar b0001\n", "line 2: TAR 'b0001' is not six hex digits, as in 'tar b00011'" },
	{ "card-profile t\n tar b0001100\n", "line 2: TAR 'b0001100' is not six hex digits, as in 'tar b00011'" },
	{ "card-profile t\n kvn 0\n", "line 2: key version '0' is not a number from 1 to 15" },
	{ "card-profile t\n kvn 1x\n", "line 2: key version '1x' is not a number from 1 to 15" },
	{ "card-profile t\n description\n", "line 2: 'description' is written 'description TEXT'" },
	{ "card-profile t\n description a\x01z\n", "line 2: control character 0x01" },
};

static void refusals_name_line_and_remedy(void **state)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct profile p;
		char err[300];

		assert_int_equal(parse(&p, refusals[i].text, strlen(refusals[i].text), err, sizeof(err)), -1);
		assert_string_equal(err, refusals[i].err);
	}
}

static void limits_hold(void **state)
{
	static char text[2 * PROFILE_TEXT_MAX];
	struct profile p;
	char err[300];
	size_t n;

	memset(text, ' ', sizeof(text));
	assert_int_equal(parse(&p, text, PROFILE_TEXT_MAX, err, sizeof(err)), -1);
	assert_string_equal(err, "line 1: the profile is longer than 8191 octets");
	assert_int_equal(parse(&p, text, 600, err, sizeof(err)), -1);
	assert_string_equal(err, "line 1: longer than 511 octets");

	n = (size_t)snprintf(text, sizeof(text), HEAD " script\n  update 6f46 hex");
	for (int i = 0; i < PROFILE_BYTES_MAX + 1; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " ff");
	assert_int_equal(parse(&p, text, n - 3, err, sizeof(err)), -1);
	assert_string_equal(err, "line 6: the script never writes EF_IMSI: add 'update 6f07 imsi'");
	assert_int_equal(parse(&p, text, n, err, sizeof(err)), -1);
	assert_string_equal(err, "line 7: more than 96 octets");

	n = (size_t)snprintf(text, sizeof(text), HEAD " script\n");
	for (int i = 0; i < PROFILE_STEPS_MAX + 1; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "  select 7f20\n");
	assert_int_equal(parse(&p, text, n, err, sizeof(err)), -1);
	assert_string_equal(err, "line 55: more than 48 steps");
}

/* Any cut and any changed octet of a good text is either taken or refused with a line, never more. */
static void cut_and_damaged_texts_are_survived(void **state)
{
	char path[512], text[PROFILE_TEXT_MAX], err[300];
	struct profile p;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/usim-rfm.profile", PROFILE_DIR);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	for (size_t i = 0; i < n; i++) {
		static const char other[] = { ' ', '\n', '\0', 'f', (char)0xff };

		if (parse(&p, text, i, err, sizeof(err)))
			assert_memory_equal(err, "line ", 5);
		for (size_t k = 0; k < sizeof(other); k++) {
			char was = text[i];

			text[i] = other[k];
			if (parse(&p, text, n, err, sizeof(err)))
				assert_memory_equal(err, "line ", 5);
			text[i] = was;
		}
	}
	/* a short buffer for the message is respected */
	for (size_t cap = 0; cap < 12; cap++) {
		char *e = malloc(cap ? cap : 1);

		assert_non_null(e);
		assert_int_equal(parse(&p, "x", 1, e, cap), -1);
		free(e);
	}
}

static void status_words(void **state)
{
	static const struct {
		uint16_t sw;
		bool uicc, sim;
	} t[] = { { 0x9000, true, true },   { 0x9001, false, false }, { 0x910b, true, true },
		  { 0x6110, true, true },   { 0x6282, true, true },   { 0x63c1, true, true },
		  { 0x9f0f, true, true },   { 0x9203, false, true },  { 0x9240, false, false },
		  { 0x6982, false, false }, { 0x6a82, false, false }, { 0x6c09, false, false },
		  { 0x9804, false, false }, { 0x0000, false, false } };
	struct profile p = { .errtab = errtab };

	/* the library's word, for when no profile is at hand, and the table's are one */
	for (unsigned sw = 0; sw <= 0xffff; sw++) {
		p.cla = 0xa0;
		assert_int_equal(profile_sw_ok(&p, (uint16_t)sw), ota_sw_ok((uint16_t)sw));
		p.cla = 0x00;
		assert_int_equal(profile_sw_ok(&p, (uint16_t)sw), ota_sw_ok((uint16_t)sw) && (sw & 0xfff0) != 0x9200);
	}
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		p.cla = 0x00;
		assert_int_equal(profile_sw_ok(&p, t[i].sw), t[i].uicc);
		p.cla = 0xa0;
		assert_int_equal(profile_sw_ok(&p, t[i].sw), t[i].sim);
	}
}

static int setup(void **state)
{
	char err[ERRTAB_ERR_MAX];

	errtab = errtab_new(err);
	return errtab ? 0 : -1;
}

static int teardown(void **state)
{
	errtab_free(errtab);
	return 0;
}

/* "sw HHHH means CLASS": the profile's word before the table's, the narrowest before a wider one, the last of two alike. */
static void status_words_of_a_profile(void **state)
{
	static const char text[] = HEAD " sw 62xx means CARD-PERM\n sw 6985 means CARD-TRANSIENT\n sw 6283 means OK\n"
					" sw 6a82 means OK\n sw 6A82 means CARD-PERM\n sw 9xxx means OK\n" TAIL;
	static const struct {
		uint16_t sw;
		enum fail_class cls;
	} t[] = { { 0x9000, FAIL_NONE },	   { 0x6282, FAIL_CARD_PERM }, { 0x6283, FAIL_NONE },
		  { 0x6985, FAIL_CARD_TRANSIENT }, { 0x6a82, FAIL_CARD_PERM }, { 0x9240, FAIL_NONE },
		  { 0x6982, FAIL_CONFIG },	   { 0x6300, FAIL_NONE },      { 0x6f00, FAIL_CARD_TRANSIENT },
		  { 0x1234, FAIL_CARD_PERM } };
	char err[200], many[2048];
	struct profile p;
	size_t n;

	if (parse(&p, text, sizeof(text) - 1, err, sizeof(err)))
		fail_msg("%s", err);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct fail f = profile_sw_fail(&p, t[i].sw);

		assert_int_equal(f.cls, t[i].cls);
		assert_int_equal(f.code, t[i].sw);
		assert_non_null(f.what);
	}
	assert_int_equal(profile_sw_line(&p, 0x6283)->line, 8);
	assert_null(profile_sw_line(&p, 0x6300));
	n = (size_t)snprintf(many, sizeof(many), HEAD);
	for (int i = 0; i <= PROFILE_SW_MAX; i++)
		n += (size_t)snprintf(many + n, sizeof(many) - n, " sw 6a%02x means OK\n", i);
	assert_int_equal(parse(&p, many, n, err, sizeof(err)), -1);
	assert_string_equal(err, "line 38: more than 32 lines 'sw'");
}

/* What PoR statuses mean without a word of the profile is the error table's: an operator's own rows reach the cards. */
static void statuses_of_the_table(void **state)
{
	static const char rows[] = "por 06 CARD-RESYNC cntr-low OURS \"x\"\nsw 6985 OK OURS \"x\"\n";
	char err[ERRTAB_ERR_MAX];
	struct errtab *own = errtab_new(err);
	struct profile p;

	assert_non_null(own);
	assert_int_equal(errtab_add(own, "own", rows, sizeof(rows) - 1, err), 0);
	assert_int_equal(profile_parse(&p, own, HEAD TAIL, strlen(HEAD TAIL), err, sizeof(err)), 0);
	assert_int_equal(profile_por_meaning(&p, 0x06), POR_MEANS_CNTR_LOW);
	assert_int_equal(p.por_line[6], 0);
	assert_true(profile_sw_ok(&p, 0x6985));
	assert_int_equal(profile_parse(&p, errtab, HEAD TAIL, strlen(HEAD TAIL), err, sizeof(err)), 0);
	assert_int_equal(profile_por_meaning(&p, 0x06), POR_MEANS_OTHER);
	assert_false(profile_sw_ok(&p, 0x6985));
	errtab_free(own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shipped_profiles_are_sound),
		cmocka_unit_test(script_of_usim_rfm),
		cmocka_unit_test(script_with_files),
		cmocka_unit_test(readback_walks_the_directories),
		cmocka_unit_test(script_in_expanded_format),
		cmocka_unit_test(commands_have_names),
		cmocka_unit_test(same_file_is_selected_once),
		cmocka_unit_test(opc_is_the_last_one_written),
		cmocka_unit_test(bad_digits_make_no_script),
		cmocka_unit_test(comments_blank_lines_crlf_and_tabs),
		cmocka_unit_test(refusals_name_line_and_remedy),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(cut_and_damaged_texts_are_survived),
		cmocka_unit_test(status_words),
		cmocka_unit_test(status_words_of_a_profile),
		cmocka_unit_test(statuses_of_the_table),
	};

	return cmocka_run_group_tests_name("profile", tests, setup, teardown);
}
