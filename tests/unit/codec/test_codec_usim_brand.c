/* test_codec_usim_brand.c - network names, groups, emergency numbers, SUCI: octets from the field, there and back.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "unit.h"

static size_t unhex(uint8_t *out, const char *hex)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		char two[3] = { hex[2 * i], hex[2 * i + 1], 0 };

		out[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	return n;
}

static void groups(void **state)
{
	const uint8_t *id;
	uint8_t ef[10];
	size_t n;

	assert_int_equal(usim_gid_encode(ef, 5, (const uint8_t *)"\x0a\xff\x33", 3), 5);
	assert_memory_equal(ef, "\x0a\xff\x33\xff\xff", 5);
	assert_int_equal(usim_gid_decode(&id, &n, ef, 5), 0);
	assert_int_equal(n, 3);
	assert_ptr_equal(id, ef);
	assert_int_equal(usim_gid_encode(ef, 5, NULL, 0), 5);
	assert_int_equal(usim_gid_decode(&id, &n, ef, 5), 0);
	assert_int_equal(n, 0);
	/* TS 22.022, A.1: FF in front means none, whatever follows */
	assert_int_equal(usim_gid_decode(&id, &n, (const uint8_t *)"\xff\x01", 2), 0);
	assert_int_equal(n, 0);
	assert_int_equal(usim_gid_encode(ef, 5, (const uint8_t *)"\xff\x01", 2), OTA_E_RANGE);
	assert_int_equal(usim_gid_encode(ef, 5, ef, 6), OTA_E_LENGTH);
	assert_int_equal(usim_gid_encode(ef, 0, ef, 0), OTA_E_LENGTH);
	assert_int_equal(usim_gid_encode(ef, 256, ef, 0), OTA_E_LENGTH);
	assert_int_equal(usim_gid_decode(&id, &n, ef, 0), OTA_E_SHORT);
	assert_int_equal(usim_gid_decode(&id, &n, ef, 256), OTA_E_LENGTH);
}

static void threshold(void **state)
{
	uint8_t ef[3];
	uint32_t start;

	assert_int_equal(usim_threshold_encode(ef, 0x01000), 3);
	assert_memory_equal(ef, "\xf0\x10\x00", 3);
	assert_int_equal(usim_threshold_decode(&start, ef, 3), 0);
	assert_int_equal(start, 0x01000);
	assert_int_equal(usim_threshold_encode(ef, 0xfffff), 3);
	assert_memory_equal(ef, "\xff\xff\xff", 3);
	assert_int_equal(usim_threshold_encode(ef, 0x100000), OTA_E_RANGE);
	assert_int_equal(usim_threshold_decode(&start, (const uint8_t *)"\x0f\x10\x00", 3), 0);
	assert_int_equal(start, 0xf1000);
	assert_int_equal(usim_threshold_decode(&start, (const uint8_t *)"\x1f\x10\x00", 3), OTA_E_RANGE);
	assert_int_equal(start, 0);
	assert_int_equal(usim_threshold_decode(&start, ef, 2), OTA_E_SHORT);
	assert_int_equal(usim_threshold_decode(&start, ef, 4), OTA_E_LENGTH);
}

static void emergency_numbers(void **state)
{
	static const struct {
		const char *hex, *code;
		uint8_t category;
	} rows[] = {
		{ "19f1ff01", "911", USIM_ECC_POLICE },
		{ "19f3ff02", "913", USIM_ECC_AMBULANCE },
		{ "11f2ffffffff00", "112", 0 },
		{ "2143651f", "123456", 0x1f },
	};
	struct usim_ecc e = { .code = "112", .alpha = (const uint8_t *)"SOS", .alpha_len = 3, .category = 0x7f }, back;
	uint8_t rec[16], again[16];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = unhex(rec, rows[i].hex);
		uint8_t *copy = exact(rec, n);

		assert_int_equal(usim_ecc_decode(&back, copy, n), 0);
		assert_string_equal(back.code, rows[i].code);
		assert_int_equal(back.category, rows[i].category);
		assert_int_equal(back.alpha_len, 0);
		assert_int_equal(usim_ecc_encode(again, n, &back), n);
		assert_memory_equal(again, rec, n);
		free(copy);
	}
	assert_int_equal(usim_ecc_encode(rec, 7, &e), 7);
	assert_memory_equal(rec,
			    "\x11\xf2\xff"
			    "SOS\x7f",
			    7);
	assert_int_equal(usim_ecc_decode(&back, rec, 7), 0);
	assert_int_equal(back.alpha_len, 3);
	assert_int_equal(usim_ecc_encode(rec, 6, &e), OTA_E_LENGTH);
	assert_int_equal(usim_ecc_encode(rec, 3, &e), OTA_E_LENGTH);
	assert_int_equal(usim_ecc_encode(rec, 256, &e), OTA_E_LENGTH);
	e.category = 0x80;
	assert_int_equal(usim_ecc_encode(rec, 7, &e), OTA_E_RANGE);
	e = (struct usim_ecc){ .code = "11x" };
	assert_int_equal(usim_ecc_encode(rec, 7, &e), OTA_E_DIGITS);
	/* unused: all FF, and with a category of 00, as cards have it too */
	e = (struct usim_ecc){ .code = "" };
	assert_int_equal(usim_ecc_encode(rec, 5, &e), 5);
	assert_memory_equal(rec, "\xff\xff\xff\xff\xff", 5);
	e.category = 1;
	assert_int_equal(usim_ecc_encode(rec, 5, &e), OTA_E_RANGE);
	e.category = 0;
	e.alpha_len = 1;
	assert_int_equal(usim_ecc_encode(rec, 5, &e), OTA_E_RANGE);
	assert_int_equal(usim_ecc_decode(&back, (const uint8_t *)"\xff\xff\xff\xff\x00", 5), 0);
	assert_string_equal(back.code, "");
	assert_int_equal(usim_ecc_decode(&back, (const uint8_t *)"\x1f\xf2\xff\x00", 4), OTA_E_DIGITS);
	assert_string_equal(back.code, "");
	assert_int_equal(usim_ecc_decode(&back, rec, 3), OTA_E_SHORT);
	assert_int_equal(usim_ecc_decode(&back, rec, 256), OTA_E_LENGTH);
}

#define CHINA "\xe4\xb8\xad\xe5\x9b\xbd"

/* The first three as they were read from cards of three operators. */
static void network_names(void **state)
{
	static const struct {
		const char *hex; /* without the FF behind it */
		struct usim_pnn p;
	} rows[] = {
		{ "430a82f7b0bddc7e8bd3ec32", { .full.text = "wavemobile" } },
		{ "430a82d432bbbc7eb75de432450a82d432bbbc7eb75de432",
		  { .full.text = "Telekom.de", .brief.text = "Telekom.de" } },
		{ "430a82c596b34cbfbfe5eb39", { .full.text = "E-Networks" } },
		/* seven septets leave seven bits, eight none */
		{ "43088731d98c56b3dd00", { .full.text = "1234567" } },
		{ "43088031d98c56b3dd70", { .full.text = "12345678" } },
		{ "43088831d98c56b3dd70", { .full = { .text = "12345678", .add_ci = true } } },
		{ "4305904e2d56fd", { .full = { .text = CHINA, .ucs2 = true } } },
		{ "43039800418001aa", { .full = { .text = "A", .ucs2 = true, .add_ci = true }, .info_len = 1 } },
		{ "", { .info_len = 0 } },
	};
	uint8_t rec[40], again[40];
	struct usim_pnn p;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct usim_pnn *want = &rows[i].p;
		size_t n = unhex(rec, rows[i].hex);
		uint8_t *copy;

		memset(rec + n, 0xff, sizeof(rec) - n);
		copy = exact(rec, n + 3);
		assert_int_equal(usim_pnn_decode(&p, copy, n + 3), 0);
		assert_string_equal(p.full.text, want->full.text);
		assert_string_equal(p.brief.text, want->brief.text);
		assert_int_equal(p.full.ucs2, want->full.ucs2);
		assert_int_equal(p.full.add_ci, want->full.add_ci);
		assert_int_equal(p.info_len, want->info_len);
		assert_int_equal(usim_pnn_encode(again, sizeof(again), &p), sizeof(again));
		assert_memory_equal(again, rec, sizeof(rec));
		for (size_t cut = 3; cut < n; cut++) /* the record is too small for it */
			assert_int_equal(usim_pnn_encode(again, cut, &p), OTA_E_SPACE);
		free(copy);
	}
}

/* Every character of the default alphabet, and what is in neither of the two codings. */
static void alphabets(void **state)
{
	static const char all[] =
		"@\xc2\xa3$\xc2\xa5\xc3\xa8\xc3\xa9\xc3\xb9\xc3\xac\xc3\xb2\xc3\x87\xc3\x98\xc3\xb8\xc3\x85"
		"\xc3\xa5\xce\x94_\xce\xa6\xce\x93\xce\x9b\xce\xa9\xce\xa0\xce\xa8\xce\xa3\xce\x98\xce\x9e";
	struct usim_pnn p = { .full.ucs2 = false }, back;
	uint8_t rec[255];

	strcpy(p.full.text, all);
	assert_int_equal(usim_pnn_encode(rec, 40, &p), 40);
	assert_int_equal(rec[2] & 0x70, 0);
	assert_int_equal(usim_pnn_decode(&back, rec, 40), 0);
	assert_string_equal(back.full.text, all);
	/* a character that the default alphabet does not have makes the whole name UCS2 */
	strcpy(p.full.text, "T\xc3\xbcrk \xc4\x9e");
	assert_int_equal(usim_pnn_encode(rec, 40, &p), 40);
	assert_memory_equal(rec, "\x43\x0d\x90\x00T\x00\xfc\x00r\x00k\x00 \x01\x1e\xff", 16);
	assert_int_equal(usim_pnn_decode(&back, rec, 40), 0);
	assert_string_equal(back.full.text, p.full.text);
	assert_true(back.full.ucs2);
	/* all septets: line ends and the escape are nothing to show */
	rec[0] = 0x43;
	rec[1] = 113;
	rec[2] = 0x80;
	memset(rec + 3, 0, 112);
	for (unsigned i = 0; i < 128; i++)
		rec[3 + 7 * i / 8] |= (uint8_t)(i << 7 * i % 8), rec[4 + 7 * i / 8] |= (uint8_t)(i >> (8 - 7 * i % 8));
	rec[115] = 0xff;
	assert_int_equal(usim_pnn_decode(&back, rec, 116), OTA_E_SPACE); /* as UTF-8 too long for us */
	rec[1] = 1 + 28;
	memmove(rec + 31, "\xff\xff", 2);
	assert_int_equal(usim_pnn_decode(&back, rec, 33), 0);
	assert_int_equal(strlen(back.full.text), 2 * 32 - 6);
	assert_ptr_not_equal(strstr(back.full.text, "\xc3\x87?\xc3\x98\xc3\xb8?\xc3\x85"), NULL);
	/* surrogates, the private end of the plane, marks that turn the line around: '?' */
	assert_int_equal(usim_pnn_decode(&back,
					 (const uint8_t *)"\x43\x0b\x90\xd8\x3d\x20\x2e\x00\x07\xfe\xff\x00\x85\xff",
					 14),
			 0);
	assert_string_equal(back.full.text, "?????");
	/* and none of them can be written, nor what is no UTF-8 */
	static const char *const bad[] = { "\xed\xa0\xbd", "\xe2\x80\xae", "\x07", "\xf0\x9f\x98\x80",
					   "\xc0\xb1",	   "\xe0\x80\xb1", "\xc3", "\xe4\xb8",
					   "\x80",	   "A\xffz",	   "\xc3z" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		strcpy(p.full.text, bad[i]);
		p.full.ucs2 = i & 1;
		assert_int_equal(usim_pnn_encode(rec, 40, &p), OTA_E_FORMAT);
	}
}

static void malformed_names(void **state)
{
	static const struct {
		const char *hex;
		int rc;
	} rows[] = {
		{ "4301", OTA_E_SHORT },
		{ "43", OTA_E_SHORT },
		{ "430382", OTA_E_SHORT },
		{ "4300ff", OTA_E_FORMAT }, /* not even how it is coded */
		{ "4302a041", OTA_E_FORMAT },
		{ "4302904e", OTA_E_FORMAT },
		{ "440180", OTA_E_FORMAT },
		{ "430180", 0 },
		{ "430187", 0 },
		{ "430190ff43", OTA_E_FORMAT },
		{ "43018000", OTA_E_SHORT },
		/* an object comes once: the second would be read into the first */
		{ "4303904efd430180", OTA_E_FORMAT },
		{ "450180450180", OTA_E_FORMAT },
		{ "430180800080", OTA_E_SHORT },
		{ "80008000", OTA_E_FORMAT },
	};
	struct usim_pnn p = { .brief.text = "x" };
	uint8_t rec[256];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = unhex(rec, rows[i].hex), len = n < 3 ? 3 : n;
		uint8_t *copy = exact(rec, n);

		if (n < 3) {
			assert_int_equal(usim_pnn_decode(&p, copy, n), OTA_E_SHORT);
		} else {
			assert_int_equal(usim_pnn_decode(&p, copy, len), rows[i].rc);
			assert_string_equal(p.full.text, "");
		}
		free(copy);
	}
	p = (struct usim_pnn){ .brief.text = "x" };
	assert_int_equal(usim_pnn_encode(rec, 20, &p), OTA_E_FORMAT);
	p = (struct usim_pnn){ .info = rec, .info_len = 1 };
	assert_int_equal(usim_pnn_encode(rec, 20, &p), OTA_E_FORMAT);
	p = (struct usim_pnn){ .full.text = "x", .info = rec, .info_len = 30 };
	assert_int_equal(usim_pnn_encode(rec, 20, &p), OTA_E_SPACE);
	p = (struct usim_pnn){ .full.text = "x", .brief.text = "\x01" };
	assert_int_equal(usim_pnn_encode(rec, 20, &p), OTA_E_FORMAT);
	memset(p.brief.text, 'x', sizeof(p.brief.text));
	assert_int_equal(usim_pnn_encode(rec, 255, &p), OTA_E_LENGTH);
	memset(p.full.text, 'x', sizeof(p.full.text));
	assert_int_equal(usim_pnn_encode(rec, 255, &p), OTA_E_LENGTH);
	p = (struct usim_pnn){ .full.text = "" };
	assert_int_equal(usim_pnn_encode(rec, 2, &p), OTA_E_LENGTH);
	assert_int_equal(usim_pnn_encode(rec, 256, &p), OTA_E_LENGTH);
	assert_int_equal(usim_pnn_decode(&p, rec, 256), OTA_E_LENGTH);
}

static void where_names_are_shown(void **state)
{
	static const struct {
		const char *hex;
		struct usim_opl o;
	} rows[] = {
		{ "62f2100000fffe01", { "262", "01", 0, 0xfffe, 1 } },
		{ "216354789abcde12", { "123", "456", 0x789a, 0xbcde, 18 } },
		{ "62f2dd00010001ff", { "262", "DD", 1, 1, 255 } },
		{ "dd4d1d00000000ff", { "DDD", "D14", 0, 0, 255 } },
		{ "ffffffffffffffff", { "", "", 0, 0, 0 } },
	};
	struct usim_opl o;
	uint8_t rec[10], again[10];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t *copy;

		assert_int_equal(unhex(rec, rows[i].hex), 8);
		copy = exact(rec, 8);
		assert_int_equal(usim_opl_decode(&o, copy, 8), 0);
		free(copy);
		assert_string_equal(o.mcc, rows[i].o.mcc);
		assert_string_equal(o.mnc, rows[i].o.mnc);
		assert_int_equal(o.first, rows[i].o.first);
		assert_int_equal(o.last, rows[i].o.last);
		assert_int_equal(o.pnn, rows[i].o.pnn);
		assert_int_equal(usim_opl_encode(again, 10, &o), 10);
		assert_memory_equal(again, rec, 8);
		assert_memory_equal(again + 8, "\xff\xff", 2);
	}
	assert_int_equal(usim_opl_decode(&o, rec, 7), OTA_E_SHORT);
	assert_int_equal(usim_opl_decode(&o, rec, 256), OTA_E_LENGTH);
	assert_int_equal(usim_opl_decode(&o, (const uint8_t *)"\x62\xf2\x10\x00\x02\x00\x01\x01", 8), OTA_E_RANGE);
	assert_string_equal(o.mcc, "");
	assert_int_equal(usim_opl_decode(&o, (const uint8_t *)"\xe2\xf2\x10\x00\x02\x00\x03\x01", 8), OTA_E_DIGITS);
	o = (struct usim_opl){ "262", "01", 2, 1, 1 };
	assert_int_equal(usim_opl_encode(rec, 8, &o), OTA_E_RANGE);
	o.last = 2;
	assert_int_equal(usim_opl_encode(rec, 7, &o), OTA_E_LENGTH);
	assert_int_equal(usim_opl_encode(rec, 256, &o), OTA_E_LENGTH);
	o = (struct usim_opl){ "26", "01", 0, 1, 1 };
	assert_int_equal(usim_opl_encode(rec, 8, &o), OTA_E_DIGITS);
	o = (struct usim_opl){ "262", "0E", 0, 1, 1 };
	assert_int_equal(usim_opl_encode(rec, 8, &o), OTA_E_DIGITS);
	o = (struct usim_opl){ "", "01", 0, 1, 1 };
	assert_int_equal(usim_opl_encode(rec, 8, &o), OTA_E_DIGITS);
	/* the wild digit is this file's alone */
	assert_int_equal(usim_plmn_encode(rec, "26D", "01"), OTA_E_DIGITS);
	assert_int_equal(usim_plmn_encode(rec, "262", "1"), OTA_E_DIGITS);
	assert_int_equal(usim_plmn_encode(rec, "262", "0123"), OTA_E_DIGITS);
}

/* -------------------------------------------------------------------------------------------------------- SUCI */

/* The test file of TS 31.121, 4.9.4 with the test keys of TS 33.501, C.4. */
#define KEY_B                                                                                                          \
	"0472da71976234ce833a6907425867b82e074d44ef907dfb4b3e21c1c2256ebcd15a7ded52fcbb097a4ed250e036c7b9c8c7004c4eed" \
	"c4f0"                                                                                                         \
	"68cd7bf8d3f900e3b4"
#define KEY_A "5a8d38864820197c3394b92613b20b91633cbd897119273bf8e4a6f4eec0a650"
#define TEST_FILE          \
	"a006020101020000" \
	"a16b"             \
	"80011b8141" KEY_B "80011e8120" KEY_A
/* Another one, of two keys for one profile. */
#define OTHER_FILE                                                                                             \
	"a00401010000a14a80010a81204e858c4d49d1343e6181284c47ca721730c98742cb7c6182d2e8126e08088d3680010b8120" \
	"d1bc365f4997d17ce4374e72181431cbfeba9e1b98d7618f79d48561b144672a"

static void suci_files(void **state)
{
	uint8_t ef[200], again[200];
	struct usim_suci s;
	size_t n = unhex(ef, TEST_FILE);
	uint8_t *copy = exact(ef, n);

	assert_int_equal(usim_suci_decode(&s, copy, n), 0);
	assert_int_equal(s.schemes, 3);
	assert_int_equal(s.scheme[0].id, USIM_SUCI_PROFILE_B);
	assert_int_equal(s.scheme[0].key, 1);
	assert_int_equal(s.scheme[1].id, USIM_SUCI_PROFILE_A);
	assert_int_equal(s.scheme[1].key, 2);
	assert_int_equal(s.scheme[2].id, USIM_SUCI_NULL);
	assert_int_equal(s.scheme[2].key, 0);
	assert_int_equal(s.keys, 2);
	assert_int_equal(s.key[0].id, 27);
	assert_int_equal(s.key[0].len, 65);
	assert_int_equal(s.key[1].id, 30);
	assert_int_equal(s.key[1].len, 32);
	assert_memory_equal(s.key[1].octets, "\x5a\x8d\x38\x86", 4);
	for (size_t len = n; len < n + 3; len++) {
		assert_int_equal(usim_suci_encode(again, len, &s), len);
		assert_memory_equal(again, ef, n);
		assert_int_equal(again[len - 1], len == n ? ef[n - 1] : 0xff);
		assert_int_equal(usim_suci_decode(&s, again, len), 0);
	}
	/* one octet short, wherever it is cut: the file or its encoder says so */
	for (size_t len = 3; len < n; len++) {
		uint8_t *part = exact(ef, len);

		assert_int_equal(usim_suci_decode(&s, part, len), len == 8 ? 0 : OTA_E_SHORT);
		free(part);
	}
	assert_int_equal(usim_suci_decode(&s, copy, n), 0);
	for (size_t len = 2; len < n; len++)
		assert_int_equal(usim_suci_encode(again, len, &s), OTA_E_SPACE);
	free(copy);

	n = unhex(ef, OTHER_FILE);
	copy = exact(ef, n);
	assert_int_equal(usim_suci_decode(&s, copy, n), 0);
	assert_int_equal(s.schemes, 2);
	assert_int_equal(s.keys, 2);
	assert_int_equal(s.key[1].id, 11);
	assert_int_equal(usim_suci_encode(again, n, &s), n);
	assert_memory_equal(again, ef, n);
	free(copy);
}

static void suci_empty_and_long(void **state)
{
	struct usim_suci s = { .schemes = 0 };
	uint8_t ef[256], key[200];

	/* never written, and with nothing in it */
	assert_int_equal(usim_suci_decode(&s, (const uint8_t *)"\xff\xff\xff", 3), 0);
	assert_int_equal(s.schemes + s.keys, 0);
	assert_int_equal(usim_suci_encode(ef, 4, &s), 4);
	assert_memory_equal(ef, "\xa0\x00\xff\xff", 4);
	assert_int_equal(usim_suci_decode(&s, ef, 4), 0);
	/* lengths of two octets */
	memset(key, 0x5a, sizeof(key));
	s.schemes = s.keys = 1;
	s.scheme[0].id = 12;
	s.scheme[0].key = 1;
	s.key[0].id = 9;
	s.key[0].octets = key;
	s.key[0].len = sizeof(key);
	assert_int_equal(usim_suci_encode(ef, 213, &s), 213);
	assert_memory_equal(ef, "\xa0\x02\x0c\x01\xa1\x81\xce\x80\x01\x09\x81\x81\xc8\x5a", 14);
	assert_int_equal(usim_suci_decode(&s, ef, 213), 0);
	assert_int_equal(s.key[0].len, 200);
}

static void suci_malformed(void **state)
{
	static const struct {
		const char *hex;
		int rc;
	} rows[] = {
		{ "a10000", OTA_E_FORMAT },
		{ "a001000000", OTA_E_LENGTH },
		{ "a083000000", OTA_E_LENGTH },
		{ "a000a20000", OTA_E_FORMAT },
		{ "a000ffff00", OTA_E_FORMAT },
		{ "a000a1050180018100", OTA_E_FORMAT },
		{ "a000a10580010a8200", OTA_E_FORMAT },
		{ "a000a10680020a0b8100", OTA_E_LENGTH },
		{ "a000a10380010a", OTA_E_SHORT },
		{ "a000a104800000ff", OTA_E_FORMAT },
		{ "a000a1", OTA_E_SHORT },
		{ "a022"
		  "00000000000000000000000000000000"
		  "00000000000000000000000000000000"
		  "0000",
		  OTA_E_SPACE },
		{ "a000a12d"
		  "8001018100"
		  "8001018100"
		  "8001018100"
		  "8001018100"
		  "8001018100"
		  "8001018100"
		  "8001018100"
		  "8001018100"
		  "8001018100",
		  OTA_E_SPACE },
	};
	struct usim_suci s;
	uint8_t ef[256];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = unhex(ef, rows[i].hex);
		uint8_t *copy = exact(ef, n);

		assert_int_equal(usim_suci_decode(&s, copy, n), rows[i].rc);
		assert_int_equal(s.schemes + s.keys, 0);
		free(copy);
	}
	assert_int_equal(usim_suci_decode(&s, ef, 1), OTA_E_SHORT);
	assert_int_equal(usim_suci_decode(&s, ef, 256), OTA_E_LENGTH);
}

/* What a phone could make no use of is not written. */
static void suci_refused(void **state)
{
	static const uint8_t key[66];
	static const struct {
		uint8_t id, key, len;
		int rc;
	} rows[] = {
		{ 0, 0, 32, 0 },
		{ 0, 1, 32, OTA_E_RANGE },
		{ 1, 0, 32, OTA_E_RANGE },
		{ 2, 0, 33, OTA_E_RANGE },
		{ 1, 1, 32, 0 },
		{ 1, 1, 33, OTA_E_LENGTH },
		{ 2, 1, 33, 0 },
		{ 2, 1, 65, 0 },
		{ 2, 1, 32, OTA_E_LENGTH },
		{ 1, 2, 32, OTA_E_RANGE },
		{ 16, 1, 32, OTA_E_RANGE },
		{ 15, 1, 66, 0 },
		{ 15, 1, 0, OTA_E_LENGTH },
		{ 15, 0, 1, 0 },
	};
	struct usim_suci s;
	uint8_t ef[255];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		s = (struct usim_suci){ .schemes = 1, .keys = 1 };
		s.scheme[0].id = rows[i].id;
		s.scheme[0].key = rows[i].key;
		s.key[0].octets = key;
		s.key[0].len = rows[i].len;
		assert_int_equal(usim_suci_encode(ef, 100, &s), rows[i].rc ? rows[i].rc : 100);
	}
	s = (struct usim_suci){ .schemes = USIM_SUCI_SCHEMES_MAX + 1 };
	assert_int_equal(usim_suci_encode(ef, 100, &s), OTA_E_RANGE);
	s = (struct usim_suci){ .keys = USIM_SUCI_KEYS_MAX + 1 };
	assert_int_equal(usim_suci_encode(ef, 100, &s), OTA_E_RANGE);
	s = (struct usim_suci){ .keys = 0 };
	assert_int_equal(usim_suci_encode(ef, 1, &s), OTA_E_LENGTH);
	assert_int_equal(usim_suci_encode(ef, 256, &s), OTA_E_LENGTH);
}

/* Text is cut between characters, not in them. */
static void words_cut(void **state)
{
	static const uint8_t rec[] = { 0x43, 5, 0x90, 0x4e, 0x2d, 0x56, 0xfd };
	const char *whole = "network name \"" CHINA "\" (UCS2)";
	char text[64];

	for (size_t cap = 1; cap < sizeof(text); cap++) {
		size_t n;

		memset(text, 'z', sizeof(text));
		usim_describe(text, cap, USIM_ADF, USIM_FID_PNN, rec, sizeof(rec));
		n = strlen(text);
		assert_true(n < cap);
		assert_memory_equal(text, whole, n);
		assert_true(((uint8_t)whole[n] & 0xc0) != 0x80);
		assert_true(n + 6 >= cap || n == strlen(whole));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(groups),
		cmocka_unit_test(threshold),
		cmocka_unit_test(emergency_numbers),
		cmocka_unit_test(network_names),
		cmocka_unit_test(alphabets),
		cmocka_unit_test(malformed_names),
		cmocka_unit_test(where_names_are_shown),
		cmocka_unit_test(suci_files),
		cmocka_unit_test(suci_empty_and_long),
		cmocka_unit_test(suci_malformed),
		cmocka_unit_test(suci_refused),
		cmocka_unit_test(words_cut),
	};

	return cmocka_run_group_tests_name("an operator's own files", tests, NULL, NULL);
}
