/* test_errtab_rows.c - the shipped rows: every code that the gateway was designed for has its class, on every plane.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "ota/codec.h"
#include "ota/errtab.h"
#include "smpp_pdu.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static struct errtab *t;

static int setup(void **state)
{
	char err[ERRTAB_ERR_MAX];

	t = errtab_new(err);
	if (!t)
		print_error("%s\n", err);
	return t ? 0 : -1;
}

static int teardown(void **state)
{
	errtab_free(t);
	return 0;
}

static const struct errtab_row *row_of(const char *flavour, enum errtab_plane plane, const char *code)
{
	int f = flavour ? errtab_flavour(t, flavour) : ERRTAB_FLAVOUR_ALL;
	const struct errtab_row *r;
	uint64_t key;

	assert_true(f >= 0);
	assert_null(errtab_key_parse(plane, code, &key));
	r = errtab_find(t, (unsigned)f, plane, key);
	if (!r)
		fail_msg("%s %s: no row", errtab_plane_name(plane), code);
	return r;
}

/* The default classification of the design, row by row. */
static const struct {
	const char *flavour;
	enum errtab_plane plane;
	const char *code, *cls;
	uint8_t flags;
} rows[] = {
	{ NULL, ERRTAB_SMPP, "0x00", "OK", 0 },
	{ NULL, ERRTAB_SMPP, "0x58", "CONGEST", ERRTAB_SLOW_DOWN },
	{ NULL, ERRTAB_SMPP, "0x14", "CONGEST", ERRTAB_SLOW_DOWN },
	{ NULL, ERRTAB_SMPP, "0x08", "CONGEST", 0 },
	{ NULL, ERRTAB_SMPP, "0x64", "CONGEST", 0 },
	{ NULL, ERRTAB_SMPP, "0x45", "CONGEST", 0 },
	{ NULL, ERRTAB_SMPP, "0x0B", "SUBS-PERM", 0 },
	{ "generic-3.4", ERRTAB_SMPP, "0x0B", "SUBS-PERM", 0 },
	{ "generic-5.0", ERRTAB_SMPP, "0x0B", "SUBS-PERM", 0 },
	{ "kannel", ERRTAB_SMPP, "0x0B", "SUBS-PERM", 0 },
	{ "jasmin", ERRTAB_SMPP, "0x0B", "SUBS-PERM", 0 },
	{ "restcomm", ERRTAB_SMPP, "0x0B", "SUBS-PERM", 0 },
	{ "osmomsc", ERRTAB_SMPP, "0x0B", "ABSENT", 0 },
	{ "osmomsc", ERRTAB_SMPP, "0xFE", "ABSENT", ERRTAB_MAYBE },
	{ NULL, ERRTAB_SMPP, "0xFE", "UNKNOWN", ERRTAB_MAYBE },
	{ NULL, ERRTAB_SMPP, "0x65", "SUBS-PERM", 0 },
	{ NULL, ERRTAB_SMPP, "0x66", "SUBS-PERM", 0 },
	{ NULL, ERRTAB_SMPP, "0x01", "CONFIG", 0 },
	{ NULL, ERRTAB_SMPP, "0x04", "CONFIG", 0 },
	{ NULL, ERRTAB_SMPP, "0x0A", "CONFIG", 0 },
	{ NULL, ERRTAB_SMPP, "0x43", "CONFIG", 0 },
	{ NULL, ERRTAB_SMPP, "0x62", "CONFIG", 0 },
	{ NULL, ERRTAB_SMPP, "0xC0", "CONFIG", 0 },
	{ NULL, ERRTAB_SMPP, "0xC1", "CONFIG", 0 },
	{ NULL, ERRTAB_SMPP, "0xC2", "CONFIG", 0 },
	{ NULL, ERRTAB_SMPP, "0xC3", "CONFIG", 0 },
	{ NULL, ERRTAB_SMPP, "0xC4", "CONFIG", 0 },
	{ NULL, ERRTAB_SMPP, "0x104", "CONFIG", 0 },
	{ NULL, ERRTAB_SMPP, "0xFF", "CONFIG", 0 },
	{ "osmomsc", ERRTAB_SMPP, "0xFF", "CONFIG", 0 },
	{ NULL, ERRTAB_SMPP, "0x0D", "LINK", 0 },
	{ NULL, ERRTAB_SMPP, "0x0E", "LINK", 0 },
	{ NULL, ERRTAB_SMPP, "0x05", "LINK", 0 },
	{ NULL, ERRTAB_SMPP, "0x0F", "LINK", 0 },

	{ NULL, ERRTAB_RECEIPT, "DELIVRD", "OK", 0 },
	{ NULL, ERRTAB_RECEIPT, "EXPIRED", "ABSENT", ERRTAB_MAYBE },
	{ NULL, ERRTAB_RECEIPT, "UNDELIV", "ABSENT", ERRTAB_MAYBE },
	{ NULL, ERRTAB_RECEIPT, "REJECTD", "CONFIG", 0 },
	{ NULL, ERRTAB_RECEIPT, "DELETED", "CONFIG", 0 },
	{ NULL, ERRTAB_RECEIPT, "ACCEPTD", "WAIT", ERRTAB_WAIT },
	{ NULL, ERRTAB_RECEIPT, "ENROUTE", "WAIT", ERRTAB_WAIT },

	{ NULL, ERRTAB_MAP, "1", "SUBS-PERM", 0 },
	{ NULL, ERRTAB_MAP, "9", "SUBS-PERM", 0 },
	{ NULL, ERRTAB_MAP, "12", "SUBS-PERM", 0 },
	{ NULL, ERRTAB_MAP, "11", "SUBS-PERM", 0 },
	{ NULL, ERRTAB_MAP, "13", "SUBS-PERM", 0 },
	{ NULL, ERRTAB_MAP, "6", "ABSENT", 0 },
	{ NULL, ERRTAB_MAP, "6/0", "ABSENT", 0 }, /* no page response */
	{ NULL, ERRTAB_MAP, "6/1", "ABSENT", 0 }, /* IMSI detached */
	{ NULL, ERRTAB_MAP, "6/2", "ABSENT", 0 }, /* restricted */
	{ NULL, ERRTAB_MAP, "6/4", "ABSENT", 0 }, /* purged */
	{ NULL, ERRTAB_MAP, "27", "ABSENT", 0 },
	{ NULL, ERRTAB_MAP, "31", "BUSY", 0 },
	{ NULL, ERRTAB_MAP, "32/0", "MEM", 0 },
	{ NULL, ERRTAB_MAP, "32/1", "CARD-TRANSIENT", ERRTAB_MAYBE },
	{ NULL, ERRTAB_MAP, "32/2", "SUBS-PERM", 0 },
	{ NULL, ERRTAB_MAP, "21", "SUBS-PERM", 0 },
	{ NULL, ERRTAB_MAP, "32/4", "CONGEST", 0 },
	{ NULL, ERRTAB_MAP, "34", "CONGEST", 0 },
	{ NULL, ERRTAB_MAP, "33", "ABSENT", 0 },
	/* a network_error_code of type 3 is the same */
	{ NULL, ERRTAB_NEC, "3/1", "SUBS-PERM", 0 },
	{ NULL, ERRTAB_NEC, "3/6", "ABSENT", 0 },
	{ NULL, ERRTAB_NEC, "3/27", "ABSENT", 0 },
	{ NULL, ERRTAB_NEC, "3/31", "BUSY", 0 },
	{ NULL, ERRTAB_NEC, "3/34", "CONGEST", 0 },
	{ NULL, ERRTAB_NEC, "3/211", "MEM", 0 }, /* TP-FCS D3 */
	{ NULL, ERRTAB_NEC, "3/212", "BUSY", 0 },
	{ NULL, ERRTAB_NEC, "7/0x58", "CONGEST", ERRTAB_SLOW_DOWN },

	{ NULL, ERRTAB_RP, "22", "MEM", 0 },
	{ NULL, ERRTAB_RP, "27", "ABSENT", 0 },
	{ NULL, ERRTAB_RP, "38", "CONGEST", 0 },
	{ NULL, ERRTAB_RP, "41", "CONGEST", 0 },
	{ NULL, ERRTAB_RP, "42", "CONGEST", 0 },
	{ NULL, ERRTAB_RP, "47", "CONGEST", 0 },
	{ NULL, ERRTAB_RP, "1", "SUBS-PERM", 0 },
	{ NULL, ERRTAB_RP, "28", "SUBS-PERM", 0 },
	{ NULL, ERRTAB_RP, "30", "SUBS-PERM", 0 },
	{ NULL, ERRTAB_RP, "95", "CARD-TRANSIENT", ERRTAB_MAYBE },
	{ NULL, ERRTAB_RP, "96", "CARD-TRANSIENT", ERRTAB_MAYBE },
	{ NULL, ERRTAB_RP, "97", "CARD-TRANSIENT", ERRTAB_MAYBE },
	{ NULL, ERRTAB_RP, "98", "CARD-TRANSIENT", ERRTAB_MAYBE },
	{ NULL, ERRTAB_RP, "111", "CARD-TRANSIENT", ERRTAB_MAYBE },
	{ NULL, ERRTAB_RP, "127", "CARD-TRANSIENT", ERRTAB_MAYBE },
	{ NULL, ERRTAB_GSUP, "2", "SUBS-PERM", 0 },
	{ NULL, ERRTAB_GSUP, "10", "ABSENT", 0 },

	{ NULL, ERRTAB_FCS, "0xD0", "MEM", 0 },
	{ NULL, ERRTAB_FCS, "D3", "MEM", 0 },
	{ NULL, ERRTAB_FCS, "d4", "BUSY", 0 },
	{ NULL, ERRTAB_FCS, "D5", "CARD-RESYNC", ERRTAB_MAYBE },
	{ NULL, ERRTAB_FCS, "C5", "UNKNOWN", ERRTAB_MAYBE },

	{ NULL, ERRTAB_POR, "00", "OK", 0 },
	{ NULL, ERRTAB_POR, "01", "CARD-PERM", 0 },
	{ NULL, ERRTAB_POR, "02", "CARD-RESYNC", 0 },
	{ NULL, ERRTAB_POR, "03", "CARD-RESYNC", 0 },
	{ NULL, ERRTAB_POR, "04", "CARD-PERM", 0 },
	{ NULL, ERRTAB_POR, "05", "CARD-PERM", 0 },
	{ NULL, ERRTAB_POR, "06", "UNKNOWN", 0 }, /* per profile */
	{ NULL, ERRTAB_POR, "07", "CARD-TRANSIENT", 0 },
	{ NULL, ERRTAB_POR, "08", "CARD-TRANSIENT", 0 },
	{ NULL, ERRTAB_POR, "09", "CONFIG", 0 },
	{ NULL, ERRTAB_POR, "0A", "CONFIG", 0 },
	{ NULL, ERRTAB_POR, "0B", "WAIT", ERRTAB_WAIT },
	{ NULL, ERRTAB_POR, "0C", "WAIT", ERRTAB_WAIT },

	{ NULL, ERRTAB_SW, "9000", "OK", 0 },
	{ NULL, ERRTAB_SW, "910B", "OK", 0 },
	{ NULL, ERRTAB_SW, "9F0F", "OK", 0 },
	{ NULL, ERRTAB_SW, "6110", "OK", 0 },
	{ NULL, ERRTAB_SW, "6282", "OK", 0 },
	{ NULL, ERRTAB_SW, "63C1", "OK", 0 },
	{ NULL, ERRTAB_SW, "9203", "OK", ERRTAB_2G },
	{ NULL, ERRTAB_SW, "6982", "CONFIG", 0 },
	{ NULL, ERRTAB_SW, "6985", "CARD-PERM", 0 },
	{ NULL, ERRTAB_SW, "6A82", "CONFIG", 0 },
	{ NULL, ERRTAB_SW, "6D00", "CONFIG", 0 },
	{ NULL, ERRTAB_SW, "6F00", "CARD-TRANSIENT", 0 },
	{ NULL, ERRTAB_SW, "9300", "CARD-TRANSIENT", 0 },
	{ NULL, ERRTAB_SW, "9001", "CARD-PERM", 0 },
	{ NULL, ERRTAB_SW, "9240", "CARD-PERM", 0 },

	{ "restcomm", ERRTAB_RECEIPT_ERR, "8", "ABSENT", 0 },
	{ "restcomm", ERRTAB_RECEIPT_ERR, "17", "MEM", 0 },
	{ "restcomm", ERRTAB_RECEIPT_ERR, "211", "MEM", 0 },
	{ "restcomm", ERRTAB_RECEIPT_ERR, "57", "CONGEST", 0 },
};

static void every_code_has_its_class(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct errtab_row *r = row_of(rows[i].flavour, rows[i].plane, rows[i].code);

		if (strcmp(errtab_class_word(r), rows[i].cls) || r->flags != rows[i].flags)
			fail_msg("%s %s %s: %s, marks %02x", rows[i].flavour ? rows[i].flavour : "",
				 errtab_plane_name(rows[i].plane), rows[i].code, errtab_class_word(r), r->flags);
		assert_true(*r->name && *r->what && r->remedy);
	}
}

/* The names are those of the protocol's own header. */
static void smpp_names(void **state)
{
	static const struct {
		uint32_t code;
		const char *name;
	} names[] = {
		{ ESME_RINVMSGLEN, "ESME_RINVMSGLEN" },	    { ESME_RINVDSTADR, "ESME_RINVDSTADR" },
		{ ESME_RMSGQFUL, "ESME_RMSGQFUL" },	    { ESME_RTHROTTLED, "ESME_RTHROTTLED" },
		{ ESME_RINVEXPIRY, "ESME_RINVEXPIRY" },	    { ESME_RX_T_APPN, "ESME_RX_T_APPN" },
		{ ESME_RINVDCS, "ESME_RINVDCS" },	    { ESME_RDELIVERYFAILURE, "ESME_RDELIVERYFAILURE" },
		{ ESME_RSUBMITFAIL, "ESME_RSUBMITFAIL" },   { ESME_RINVSRCTON, "ESME_RINVSRCTON" },
		{ ESME_RINVDSTNPI, "ESME_RINVDSTNPI" },	    { ESME_RINVSYSTYP, "ESME_RINVSYSTYP" },
		{ ESME_RINVDFTMSGID, "ESME_RINVDFTMSGID" }, { ESME_ROPTPARNOTALLWD, "ESME_ROPTPARNOTALLWD" },
		{ ESME_RUNKNOWNERR, "ESME_RUNKNOWNERR" },   { ESME_RINVPASWD, "ESME_RINVPASWD" },
		{ ESME_RX_P_APPN, "ESME_RX_P_APPN" },	    { ESME_RINVNUMDESTS, "ESME_RINVNUMDESTS" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct errtab_row *r = errtab_find(t, 0, ERRTAB_SMPP, errtab_key(names[i].code));

		assert_non_null(r);
		assert_string_equal(r->name, names[i].name);
	}
}

/* Every status that the codec knows has a row, and its meaning is the book's. */
static void por_meanings(void **state)
{
	static const uint8_t means[] = {
		[OTA_POR_OK] = POR_MEANS_OK,
		[OTA_POR_CC_FAILED] = POR_MEANS_SECURITY,
		[OTA_POR_CNTR_LOW] = POR_MEANS_CNTR_LOW,
		[OTA_POR_CNTR_HIGH] = POR_MEANS_CNTR_HIGH,
		[OTA_POR_CNTR_BLOCKED] = POR_MEANS_CNTR_BLOCKED,
		[OTA_POR_CIPHER_ERROR] = POR_MEANS_SECURITY,
		[OTA_POR_UNIDENTIFIED] = POR_MEANS_OTHER,
		[OTA_POR_NO_MEMORY] = POR_MEANS_TRANSIENT,
		[OTA_POR_MORE_TIME] = POR_MEANS_TRANSIENT,
		[OTA_POR_TAR_UNKNOWN] = POR_MEANS_CONFIG,
		[OTA_POR_MSL] = POR_MEANS_CONFIG,
		[OTA_POR_DATA_BY_SUBMIT] = POR_MEANS_INTERIM,
		[OTA_POR_DATA_BY_USSD] = POR_MEANS_INTERIM,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(means); i++) {
		assert_non_null(errtab_find(t, 0, ERRTAB_POR, errtab_key(i)));
		assert_int_equal(errtab_por_meaning(t, (uint8_t)i), means[i]);
	}
	for (unsigned i = ARRAY_SIZE(means); i < 256; i++)
		assert_int_equal(errtab_por_meaning(t, (uint8_t)i), POR_MEANS_OTHER);
}

/* No status word is without a class, and nothing but the successes of TS 102 221 and TS 51.011 is one. */
static void all_status_words(void **state)
{
	for (unsigned sw = 0; sw <= 0xffff; sw++) {
		const struct errtab_row *r = errtab_find(t, 0, ERRTAB_SW, errtab_key(sw));
		unsigned sw1 = sw >> 8;
		bool ok = sw != 0x62f1 && sw != 0x6281 &&
			  (sw == 0x9000 || sw1 == 0x91 || sw1 == 0x61 || sw1 == 0x9f || sw1 == 0x62 || sw1 == 0x63 ||
			   (sw & 0xfff0) == 0x9200);

		assert_non_null(r);
		assert_int_equal(r->cls == FAIL_NONE, ok);
		assert_int_equal(!!(r->flags & ERRTAB_2G), (sw & 0xfff0) == 0x9200);
	}
}

static void unknown_codes(void **state)
{
	struct fail f = errtab_fail(t, 0, ERRTAB_SMPP, errtab_key(0x4ff));

	assert_int_equal(f.cls, FAIL_UNKNOWN);
	assert_int_equal(f.code, 0x4ff);
	assert_non_null(f.what);
	assert_null(errtab_find(t, 0, ERRTAB_NEC, errtab_key_sub(1, 27)));
	assert_null(errtab_find(t, 0, ERRTAB_RECEIPT, errtab_key_word("BOGUS")));
	assert_null(errtab_find(t, 0, ERRTAB_RECEIPT, errtab_key_word("MUCHTOOLONG")));
	assert_null(errtab_find(t, 0, ERRTAB_RECEIPT_ERR, errtab_key(8))); /* RestComm's alone */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_its_class),
		cmocka_unit_test(smpp_names),
		cmocka_unit_test(por_meanings),
		cmocka_unit_test(all_status_words),
		cmocka_unit_test(unknown_codes),
	};

	return cmocka_run_group_tests_name("errtab-rows", tests, setup, teardown);
}
