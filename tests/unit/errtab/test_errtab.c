/* test_errtab.c - the error table's parser with all its refusals, flavours, ranges, one file over another.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "ota/errtab_file.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static int setup(void **state)
{
	char err[ERRTAB_ERR_MAX];

	*state = errtab_new(err);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	errtab_free(*state);
	return 0;
}

/* The parser sees an exact-size copy without a NUL: one octet too far is found by the sanitizer. */
static int add_len(struct errtab *t, const char *text, size_t len, char err[ERRTAB_ERR_MAX])
{
	char *copy = malloc(len ? len : 1);
	int rc;

	assert_non_null(copy);
	memcpy(copy, text, len);
	*err = 0;
	rc = errtab_add(t, "f", copy, len, err);
	free(copy);
	assert_true(rc == 0 || (rc == -1 && *err));
	return rc;
}

static void add(struct errtab *t, const char *text)
{
	char err[ERRTAB_ERR_MAX];

	if (add_len(t, text, strlen(text), err))
		fail_msg("%s", err);
}

static const struct errtab_row *find(const struct errtab *t, const char *flavour, enum errtab_plane plane,
				     const char *code)
{
	int f = errtab_flavour(t, flavour);
	uint64_t key;

	assert_true(f >= 0);
	assert_null(errtab_key_parse(plane, code, &key));
	return errtab_find(t, (unsigned)f, plane, key);
}

static void assert_row(const struct errtab *t, const char *flavour, enum errtab_plane plane, const char *code,
		       const char *cls, const char *name)
{
	const struct errtab_row *r = find(t, flavour, plane, code);

	if (!r)
		fail_msg("%s: no row for %s", flavour, code);
	assert_string_equal(errtab_class_word(r), cls);
	assert_string_equal(r->name, name);
}

/* ------------------------------------------------------------------------------------------------ refusals */

static const struct {
	const char *text, *err;
} bad[] = {
	{ "smp 0x58 CONGEST X \"x\"\n", "f:1: unknown word 'smp'; did you mean 'smpp'?" },
	{ "quark 0x58 CONGEST X \"x\"\n", "f:1: unknown word 'quark'; one of: smpp, receipt, receipt-err, nec, map, "
					  "rp, gsup, fcs, por, sw, flavour, preset" },
	{ "# c\n\nsmpp 0x58 CONGST X \"x\"\n", "f:3: unknown class 'CONGST'; did you mean 'CONGEST'?" },
	{ "smpp 0x58 congest X \"x\"\n", "f:1: unknown class 'congest'; one of: OK, ABSENT, BUSY, " },
	{ "smpp\n", "f:1: 'smpp' is written 'smpp CODE CLASS NAME \"what it means\"'" },
	{ "smpp 0x58 CONGEST\n", "f:1: the name is missing behind CONGEST" },
	{ "smpp 0x58 CONGEST X\n", "f:1: what it means is missing: a text in quotes behind 'X'" },
	{ "smpp 0x58 CONGEST X \"x\n", "f:1: the text that begins with \"x has no '\"' at its end" },
	{ "smpp 0x58 CONGEST X \"\"\n", "f:1: an empty text" },
	{ "smpp 0x58 CONGEST X \"x\"y\n", "f:1: 'y' right behind a text in quotes" },
	{ "smpp 0x58 CONGEST X \"x\" y\n", "f:1: 'y' behind the text in quotes" },
	{ "smpp 0x58 CONGEST X \"x\" \"y\" \"z\"\n", "f:1: more than 2 texts in quotes" },
	{ "\"x\"\n", "f:1: a text without words in front" },
	{ "smpp 0x58 CONGEST slow-dwn X \"x\"\n", "f:1: unknown mark 'slow-dwn'; did you mean 'slow-down'?" },
	{ "smpp 0x58 CONGEST hurry X \"x\"\n",
	  "f:1: unknown mark 'hurry'; one of: slow-down, maybe-executed, class-a0" },
	{ "smpp 0x0b ABSENT slow-down X \"x\"\n", "f:1: 'slow-down' is for the class CONGEST alone" },
	{ "smpp 0x0b ABSENT class-a0 X \"x\"\n", "f:1: 'class-a0' is for status words alone" },
	{ "smpp 0xZZ CONGEST X \"x\"\n", "f:1: '0xZZ' is no code of smpp; one is written 0x58 or 88" },
	{ "smpp 0x1ffffffff CONGEST X \"x\"\n", "f:1: '0x1ffffffff' is no code of smpp" },
	{ "smpp 9-5 CONGEST X \"x\"\n", "f:1: '9-5' is no code of smpp" },
	{ "smpp 1/2 CONGEST X \"x\"\n", "f:1: '1/2' is no code of smpp" },
	{ "smpp 1- CONGEST X \"x\"\n", "f:1: '1-' is no code of smpp" },
	{ "smpp 12x CONGEST X \"x\"\n", "f:1: '12x' is no code of smpp" },
	{ "smpp 0x58 OK X \"x\"\n", "f:1: smpp 0x58 is never OK" },
	{ "smpp 0-5 OK X \"x\"\n", "f:1: smpp 0-5 is never OK" },
	{ "map 27 OK X \"x\"\n", "f:1: map 27 is never OK" },
	{ "map 256 BUSY X \"x\"\n", "f:1: '256' is no code of map; one is written 27, or with a cause 32/0" },
	{ "map 32/999 BUSY X \"x\"\n", "f:1: '32/999' is no code of map" },
	{ "map 1-2/3 BUSY X \"x\"\n", "f:1: '1-2/3' is no code of map" },
	{ "rp 128 BUSY X \"x\"\n", "f:1: '128' is no code of rp" },
	{ "nec 27 BUSY X \"x\"\n", "f:1: '27' is no code of nec; one is written 3/27: type 3 (GSM), code 27" },
	{ "nec 1-3/27 BUSY X \"x\"\n", "f:1: '1-3/27' is no code of nec" },
	{ "nec 3/70000 BUSY X \"x\"\n", "f:1: '3/70000' is no code of nec" },
	{ "fcs 100 MEM X \"x\"\n", "f:1: '100' is no code of fcs; one is written d5: hex" },
	{ "fcs 0xgg MEM X \"x\"\n", "f:1: '0xgg' is no code of fcs" },
	{ "sw 6axx1 CONFIG X \"x\"\n", "f:1: '6axx1' is no code of sw" },
	{ "sw 6x82 CONFIG X \"x\"\n", "f:1: '6x82' is no code of sw" },
	{ "sw 12345 CONFIG X \"x\"\n", "f:1: '12345' is no code of sw" },
	{ "receipt TOOLONGG ABSENT X \"x\"\n",
	  "f:1: 'TOOLONGG' is no code of receipt; one is written a word of 1 to 7" },
	{ "receipt UN-DEL ABSENT X \"x\"\n", "f:1: 'UN-DEL' is no code of receipt" },
	{ "smpp 0x58 WAIT X \"x\"\n", "f:1: WAIT is for por and receipt alone: nothing follows on a code of smpp" },
	{ "por 02 CARD-RESYNC X \"x\"\n",
	  "f:1: a PoR status needs its meaning between class and name: ok, cntr-low, cntr-high, " },
	{ "por 02 CARD-RESYNC cntr-lwo X \"x\"\n", "f:1: unknown mark 'cntr-lwo'; did you mean 'cntr-low'?" },
	{ "por 02 CARD-PERM cntr-low X \"x\"\n", "f:1: 'cntr-low' is of class CARD-RESYNC, not CARD-PERM" },
	{ "por 0b OK interim X \"x\"\n", "f:1: 'interim' is of class WAIT, not OK" },
	{ "por 02 CARD-RESYNC cntr-low cntr-high X \"x\"\n",
	  "f:1: a PoR status has one meaning, not 'cntr-low' and 'cntr-high'" },
	{ "por 0d-0f UNKNOWN other X \"x\"\n", "f:1: each PoR status has a line of its own" },
	{ "por 00 UNKNOWN other X \"x\"\n", "f:1: PoR status 00 is success and nothing else" },
	{ "nec 3/1 as\n", "f:1: 'as' is written 'nec 3/1 as map'" },
	{ "nec 3/1 as map rp\n", "f:1: 'as' is written 'nec 3/1 as map'" },
	{ "nec 3/1 as map \"x\"\n", "f:1: 'as' is written 'nec 3/1 as map'" },
	{ "nec 3/1 as mop\n", "f:1: nec cannot be read as 'mop'" },
	{ "nec 3/1 as nec\n", "f:1: nec cannot be read as 'nec'" },
	{ "receipt-err 3 as receipt\n", "f:1: receipt-err cannot be read as 'receipt'" },
	{ "receipt UNDELIV as map\n", "f:1: receipt cannot be read as 'map'" },
	{ " smpp 0x58 CONGEST X \"x\"\n", "f:1: 'smpp' is indented, and no 'flavour' stands above" },
	{ "flavour osmomsc\n smpp 1 BUSY X \"x\"\nrp 3 BUSY X \"x\"\n rp 4 BUSY X \"x\"\n",
	  "f:4: 'rp' is indented, and no 'flavour' stands above" },
	{ " flavour osmomsc\n", "f:1: 'flavour' begins a line; what belongs to it is indented" },
	{ "preset esm-mode transaction\n", "f:1: 'preset' belongs below a flavour, indented" },
	{ "flavour osmomsc\n preset\n", "f:2: 'preset' is written 'preset esm-mode transaction'" },
	{ "flavour osmomsc\n preset a \"b\"\n", "f:2: 'preset' is written 'preset esm-mode transaction'" },
	{ "flavour osmomsc\n preset a b\n preset ab c\n preset a c\n", "f:4: preset a stands on line 2 already" },
	{ "flavour osmomsc\n preset a 0123456789012345678901234567890123456789012345678901234567890123\n",
	  "f:2: a preset longer than 63 octets" },
	{ "flavour osmomsc\n prest a b\n", "f:2: unknown word 'prest'; did you mean 'preset'?" },
	{ "flavour\n", "f:1: 'flavour' is written 'flavour NAME', or 'flavour NAME like OTHER' for a new one" },
	{ "flavour a like\n", "f:1: 'flavour' is written 'flavour NAME'" },
	{ "flavour a as b\n", "f:1: 'flavour' is written 'flavour NAME'" },
	{ "flavour a \"b\"\n", "f:1: 'flavour' is written 'flavour NAME'" },
	{ "flavour osmomcs\n",
	  "f:1: no flavour 'osmomcs'; did you mean 'osmomsc'?; a new one is made by 'flavour NAME like default'" },
	{ "flavour acme\n", "f:1: no flavour 'acme'; one of: default generic-3.4 generic-5.0 osmomsc" },
	{ "flavour acme like osmomcs\n", "f:1: no flavour 'osmomcs'; did you mean 'osmomsc'?" },
	{ "flavour acme like acme\n", "f:1: no flavour 'acme'" },
	{ "flavour osmomsc like default\n",
	  "f:1: flavour 'osmomsc' is there already: to go on with it write 'flavour osmomsc'" },
	{ "flavour a,b like default\n",
	  "f:1: 'a,b': a flavour's name has letters, digits, '.', '_' and '-', at most 23" },
	{ "flavour aaaaaaaaaaaaaaaaaaaaaaaa like default\n", "f:1: 'aaaaaaaaaaaaaaaaaaaaaaaa': a flavour's name has" },
	{ "smpp 0x58 CONGEST X \"x\"\nsmpp 88 BUSY Y \"y\"\n", "f:2: smpp 0x58 stands on line 1 already" },
	{ "sw 6axx CONFIG X \"x\"\n\nsw 6a00-6aff CONFIG Y \"y\"\n", "f:3: sw 6A00.. stands on line 1 already" },
	{ "smpp 0x58 CONGEST\001 X \"x\"\n", "f:1: control character 0x01" },
	{ "smpp 0x58\r CONGEST X \"x\"\n", "f:1: control character 0x0d" },
	{ "smpp 1 BUSY slow-down slow-down slow-down slow-down slow-down slow-down slow-down slow-down slow-down X "
	  "\"x\"\n",
	  "f:1: more than 12 words" },
	{ "smpp 1 BUSY aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa \"x\"\n",
	  "f:1: the name 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..' is longer than 47 octets" },
};

static void refusals_name_line_and_remedy(void **state)
{
	struct errtab *t = *state;
	unsigned rows = errtab_rows(t), flavours = errtab_flavours(t);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char err[ERRTAB_ERR_MAX];

		if (!add_len(t, bad[i].text, strlen(bad[i].text), err))
			fail_msg("taken: %s", bad[i].text);
		if (strncmp(err, bad[i].err, strlen(bad[i].err)))
			fail_msg("%s\nsays: %s\nnot:  %s", bad[i].text, err, bad[i].err);
		/* nothing of a refused file stays */
		assert_int_equal(errtab_rows(t), rows);
		assert_int_equal(errtab_flavours(t), flavours);
	}
	assert_row(t, "default", ERRTAB_SMPP, "0x58", "CONGEST", "ESME_RTHROTTLED");
}

static void limits_hold(void **state)
{
	struct errtab *t = *state;
	char *text = malloc(ERRTAB_TEXT_MAX + 2), err[ERRTAB_ERR_MAX];
	unsigned room = ERRTAB_ROWS_MAX - errtab_rows(t);
	size_t n = 0;

	assert_non_null(text);
	/* a line, a text, a file */
	n = (size_t)snprintf(text, ERRTAB_TEXT_MAX, "smpp 1 BUSY X \"%*s\"\n", ERRTAB_LINE_MAX, "x");
	assert_int_equal(add_len(t, text, n, err), -1);
	assert_non_null(strstr(err, "f:1: longer than 511 octets"));
	n = (size_t)snprintf(text, ERRTAB_TEXT_MAX, "smpp 1 BUSY X \"%*s\"\n", ERRTAB_MEANING_MAX, "x");
	assert_int_equal(add_len(t, text, n, err), -1);
	assert_non_null(strstr(err, "f:1: a text longer than 159 octets"));
	n = (size_t)snprintf(text, ERRTAB_TEXT_MAX, "smpp 1 BUSY X \"%*s\"\n", ERRTAB_MEANING_MAX - 1, "x");
	assert_int_equal(add_len(t, text, n, err), 0);
	memset(text, '\n', ERRTAB_TEXT_MAX + 1);
	assert_int_equal(add_len(t, text, ERRTAB_TEXT_MAX + 1, err), -1);
	assert_string_equal(err, "f: an error table has at most 256 KiB");
	assert_int_equal(add_len(t, text, ERRTAB_TEXT_MAX, err), 0);
	/* rows: as many as there is room for, and one more */
	n = 0;
	for (unsigned i = 0; i <= room; i++)
		n += (size_t)snprintf(text + n, ERRTAB_TEXT_MAX - n, "smpp 0x%x BUSY X \"x\"\n", 0x1000 + i);
	assert_int_equal(add_len(t, text, n, err), -1);
	assert_non_null(strstr(err, "more than 4096 rows in all"));
	/* flavours */
	n = 0;
	for (unsigned i = errtab_flavours(t); i <= ERRTAB_FLAVOURS_MAX; i++)
		n += (size_t)snprintf(text + n, ERRTAB_TEXT_MAX - n, "flavour x%u like default\n", i);
	assert_int_equal(add_len(t, text, n, err), -1);
	assert_non_null(strstr(err, "more than 32 flavours"));
	/* files: the one built in and two are there */
	add(t, "smpp 1 BUSY X \"x\"\n");
	assert_int_equal(add_len(t, "", 0, err), -1);
	assert_string_equal(err, "f: one error table too many");
	free(text);
}

/* ------------------------------------------------------------------------------------------------ what is taken */

static void comments_blanks_crlf(void **state)
{
	struct errtab *t = *state;

	add(t, "");
	add(t, "# a\n! b\n\n \t\nsmpp\t0x400   MEM\tX  \"a  \\ b\"   \"look\"  \r\n  # c\nrp 5 BUSY Y \"y\"");
	assert_row(t, "default", ERRTAB_SMPP, "1024", "MEM", "X");
	assert_string_equal(find(t, "default", ERRTAB_SMPP, "0x400")->what, "a  \\ b");
	assert_string_equal(find(t, "default", ERRTAB_SMPP, "0x400")->remedy, "look");
	assert_row(t, "default", ERRTAB_RP, "5", "BUSY", "Y");
	assert_string_equal(find(t, "default", ERRTAB_RP, "5")->remedy, "");
	assert_int_equal(find(t, "default", ERRTAB_SMPP, "0x400")->line, 5);
	assert_string_equal(errtab_file_name(t, find(t, "default", ERRTAB_SMPP, "0x400")->file), "f");
}

/* Later files replace rows of earlier ones; a flavour's row stands before one for all, whoever wrote it. */
static void one_file_over_another(void **state)
{
	struct errtab *t = *state;
	unsigned rows = errtab_rows(t);

	add(t, "smpp 0x58 BUSY FIRST \"x\"\nsmpp 0x0b UNKNOWN ALL \"x\"\n");
	assert_int_equal(errtab_rows(t), rows);
	assert_row(t, "default", ERRTAB_SMPP, "0x58", "BUSY", "FIRST");
	assert_row(t, "osmomsc", ERRTAB_SMPP, "0x58", "BUSY", "FIRST");
	assert_row(t, "kannel", ERRTAB_SMPP, "0x0b", "UNKNOWN", "ALL");
	assert_row(t, "osmomsc", ERRTAB_SMPP, "0x0b", "ABSENT", "ESME_RINVDSTADR");
	add(t, "smpp 0x58 MEM SECOND \"x\"\nflavour osmomsc\n\tsmpp 0x0b BUSY OWN \"x\"\nrp 7 BUSY R "
	       "\"x\"\n");
	assert_row(t, "default", ERRTAB_SMPP, "0x58", "MEM", "SECOND");
	assert_row(t, "osmomsc", ERRTAB_SMPP, "0x0b", "BUSY", "OWN");
	assert_row(t, "kannel", ERRTAB_RP, "7", "BUSY", "R");
	assert_int_equal(errtab_rows(t), rows + 1);
}

static void flavours(void **state)
{
	struct errtab *t = *state;
	const char *names[] = { "default", "generic-3.4", "generic-5.0", "osmomsc", "kannel", "jasmin", "restcomm" };
	char err[ERRTAB_ERR_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_true(errtab_flavour(t, names[i]) >= 0);
	assert_int_equal(errtab_flavours(t), ARRAY_SIZE(names));
	assert_int_equal(errtab_flavour(t, "osmomcs"), -1);
	errtab_flavour_unknown(t, "osmomcs", err, sizeof(err));
	assert_string_equal(err, "no flavour 'osmomcs'; did you mean 'osmomsc'?");
	add(t, "flavour mine like osmomsc\n smpp 0xfe BUSY MINE \"x\"\nflavour theirs like mine\n smpp 0x58 BUSY T "
	       "\"x\"\n");
	assert_row(t, "mine", ERRTAB_SMPP, "0xfe", "BUSY", "MINE");
	assert_row(t, "theirs", ERRTAB_SMPP, "0xfe", "BUSY", "MINE");
	assert_row(t, "theirs", ERRTAB_SMPP, "0x0b", "ABSENT", "ESME_RINVDSTADR");
	assert_row(t, "theirs", ERRTAB_SMPP, "0x58", "BUSY", "T");
	assert_row(t, "mine", ERRTAB_SMPP, "0x58", "CONGEST", "ESME_RTHROTTLED");
	/* an index that is none is the default */
	assert_non_null(errtab_find(t, 99, ERRTAB_SMPP, errtab_key(0x58)));
}

/* Presets of the flavour that another is like come first, then its own, file by file: what comes last counts. */
static void presets(void **state)
{
	const struct errtab_preset *p[ERRTAB_PRESETS_MAX];
	struct errtab *t = *state;
	unsigned n, shipped;

	shipped = errtab_presets(t, (unsigned)errtab_flavour(t, "osmomsc"), p, ERRTAB_PRESETS_MAX);
	assert_true(shipped >= 2);
	assert_string_equal(p[0]->text, "esm-mode transaction");
	assert_int_equal(errtab_presets(t, 0, p, ERRTAB_PRESETS_MAX), 0);
	assert_int_equal(errtab_presets(t, 99, p, ERRTAB_PRESETS_MAX), 0);
	add(t, "flavour mine like osmomsc\n preset  payload\tmessage-payload\nflavour osmomsc\n preset esm-mode "
	       "default\n");
	n = errtab_presets(t, (unsigned)errtab_flavour(t, "mine"), p, ERRTAB_PRESETS_MAX);
	assert_int_equal(n, shipped + 2);
	assert_string_equal(p[shipped]->text, "esm-mode default");
	assert_string_equal(p[n - 1]->text, "payload message-payload");
	assert_int_equal(p[n - 1]->line, 2);
	assert_int_equal(errtab_presets(t, (unsigned)errtab_flavour(t, "mine"), p, 1), 1);
}

static void the_narrowest_counts(void **state)
{
	struct errtab *t = *state;

	add(t, "smpp 0x400-0x4ff BUSY WIDE \"x\"\nsmpp 0x410-0x41f MEM NARROW \"x\"\nsmpp 0x412 CONFIG ONE \"x\"\n"
	       "receipt-err * UNKNOWN ANY \"x\"\nreceipt-err 5 BUSY FIVE \"x\"\nmap 7 BUSY SEVEN \"x\"\n"
	       "map 7/1-3 MEM SUB \"x\"\nfcs ex BUSY E \"x\"\n");
	assert_row(t, "default", ERRTAB_SMPP, "0x400", "BUSY", "WIDE");
	assert_row(t, "default", ERRTAB_SMPP, "0x4ff", "BUSY", "WIDE");
	assert_row(t, "default", ERRTAB_SMPP, "0x410", "MEM", "NARROW");
	assert_row(t, "default", ERRTAB_SMPP, "0x41f", "MEM", "NARROW");
	assert_row(t, "default", ERRTAB_SMPP, "0x420", "BUSY", "WIDE");
	assert_row(t, "default", ERRTAB_SMPP, "0x412", "CONFIG", "ONE");
	assert_null(find(t, "default", ERRTAB_SMPP, "0x3ff"));
	assert_null(find(t, "default", ERRTAB_SMPP, "0x500"));
	assert_row(t, "default", ERRTAB_RECEIPT_ERR, "5", "BUSY", "FIVE");
	assert_row(t, "default", ERRTAB_RECEIPT_ERR, "999", "UNKNOWN", "ANY");
	assert_row(t, "default", ERRTAB_MAP, "7", "BUSY", "SEVEN");
	assert_row(t, "default", ERRTAB_MAP, "7/0", "BUSY", "SEVEN");
	assert_row(t, "default", ERRTAB_MAP, "7/2", "MEM", "SUB");
	assert_row(t, "default", ERRTAB_MAP, "7/4", "BUSY", "SEVEN");
	assert_row(t, "default", ERRTAB_MAP, "32/200", "CARD-TRANSIENT", "sm-DeliveryFailure");
	assert_row(t, "default", ERRTAB_FCS, "e5", "BUSY", "E");
}

static void read_as_another_plane(void **state)
{
	struct errtab *t = *state;
	const struct errtab_row *via, *r;

	r = errtab_find_via(t, 0, ERRTAB_NEC, errtab_key_sub(3, 27), &via);
	assert_non_null(r);
	assert_non_null(via);
	assert_int_equal(r->plane, ERRTAB_MAP);
	assert_int_equal(via->as, ERRTAB_MAP);
	r = errtab_find_via(t, 0, ERRTAB_SMPP, errtab_key(0x58), &via);
	assert_non_null(r);
	assert_null(via);
	/* of type 3, 27 as the operator's SMSC means it */
	add(t, "flavour odd like default\n nec 3/27 MEM ODD \"x\"\n receipt-err * as rp\nflavour ring like default\n"
	       " rp 1 as gsup\n gsup 1 as rp\n");
	assert_row(t, "odd", ERRTAB_NEC, "3/27", "MEM", "ODD");
	assert_row(t, "odd", ERRTAB_NEC, "3/6", "ABSENT", "absentSubscriberSM");
	assert_row(t, "odd", ERRTAB_RECEIPT_ERR, "22", "MEM", "memory-capacity-exceeded");
	assert_null(find(t, "odd", ERRTAB_RECEIPT_ERR, "126"));
	assert_null(find(t, "ring", ERRTAB_RP, "1")); /* a ring is left after a few turns */
}

static void keys_and_their_texts(void **state)
{
	static const struct {
		enum errtab_plane plane;
		const char *in, *out;
	} k[] = {
		{ ERRTAB_SMPP, "88", "0x58" },
		{ ERRTAB_SMPP, "0xffffffff", "0xFFFFFFFF" },
		{ ERRTAB_SMPP, "0", "0x00" },
		{ ERRTAB_RECEIPT, "undeliv", "UNDELIV" },
		{ ERRTAB_RECEIPT, "X", "X" },
		{ ERRTAB_RECEIPT_ERR, "0x1b", "27" },
		{ ERRTAB_NEC, "3/27", "3/27" },
		{ ERRTAB_NEC, "0x3/0", "3/0" },
		{ ERRTAB_NEC, "255/65535", "255/65535" },
		{ ERRTAB_MAP, "27", "27" },
		{ ERRTAB_MAP, "32/0", "32/0" },
		{ ERRTAB_FCS, "0xD5", "D5" },
		{ ERRTAB_POR, "6", "06" },
		{ ERRTAB_SW, "6a82", "6A82" },
		{ ERRTAB_SW, "0x9000", "9000" },
	};
	uint64_t key;

	for (size_t i = 0; i < ARRAY_SIZE(k); i++) {
		char text[ERRTAB_CODE_MAX];

		assert_null(errtab_key_parse(k[i].plane, k[i].in, &key));
		assert_string_equal(errtab_key_text(k[i].plane, key, text), k[i].out);
	}
	assert_non_null(errtab_key_parse(ERRTAB_SW, "91xx", &key)); /* a range is no code */
	assert_non_null(errtab_key_parse(ERRTAB_SMPP, "*", &key));
	assert_non_null(errtab_key_parse(ERRTAB_SMPP, "", &key));
	assert_non_null(errtab_key_parse(ERRTAB_SMPP, "-1", &key));
	assert_true(errtab_key_word("MUCHTOOLONG") == 0);
}

/* Cut anywhere, a file is taken or refused; so it is with any octet changed. */
static void cut_and_damaged_texts_are_survived(void **state)
{
	static const char text[] =
		"# c\nflavour acme like osmomsc\n smpp 0x400-0x4ff CONGEST slow-down A_B \"x y\" \"z\"\r\n"
		"nec 3/* as map\npor 06 CARD-RESYNC cntr-low U \"u\"\nsw 62xx OK W \"w\"\n";
	char err[ERRTAB_ERR_MAX], copy[sizeof(text)];

	for (size_t n = 0; n <= sizeof(text) - 1; n++) {
		struct errtab *t = errtab_new(err);

		add_len(t, text, n, err);
		errtab_free(t);
	}
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		static const char with[] = { 0, '\n', ' ', '"', 'x', '/', '-', '*', '\xff' };
		struct errtab *t = errtab_new(err);

		for (size_t w = 0; w < sizeof(with); w++) {
			memcpy(copy, text, sizeof(text));
			copy[i] = with[w];
			if (add_len(t, copy, sizeof(text) - 1, err) == 0) {
				errtab_free(t);
				t = errtab_new(err);
			}
		}
		errtab_free(t);
	}
}

static void from_a_file(void **state)
{
	struct errtab *t = *state;
	char path[] = "/tmp/otagw-errtab.XXXXXX", err[ERRTAB_ERR_MAX], want[ERRTAB_ERR_MAX];
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "rp 3 BUSY X \"x\"\nrp 4 BUSY\n", 26), 26);
	assert_int_equal(errtab_read_file(t, path, err), -1);
	snprintf(want, sizeof(want), "%s:2: the name is missing behind BUSY", path);
	assert_string_equal(err, want);
	assert_int_equal(ftruncate(fd, 16), 0);
	assert_int_equal(errtab_read_file(t, path, err), 0);
	assert_row(t, "default", ERRTAB_RP, "3", "BUSY", "X");
	close(fd);
	unlink(path);
	assert_int_equal(errtab_read_file(t, path, err), -1);
	snprintf(want, sizeof(want), "%s: No such file or directory", path);
	assert_string_equal(err, want);
	assert_int_equal(errtab_read_file(t, "/tmp", err), -1);
	/* what is built in is the file that is shipped */
	assert_int_equal(errtab_read_file(t, ERRORS_TABLE, err), -1);
	assert_non_null(strstr(err, "flavour 'generic-3.4' is there already"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(refusals_name_line_and_remedy, setup, teardown),
		cmocka_unit_test_setup_teardown(limits_hold, setup, teardown),
		cmocka_unit_test_setup_teardown(comments_blanks_crlf, setup, teardown),
		cmocka_unit_test_setup_teardown(one_file_over_another, setup, teardown),
		cmocka_unit_test_setup_teardown(flavours, setup, teardown),
		cmocka_unit_test_setup_teardown(presets, setup, teardown),
		cmocka_unit_test_setup_teardown(the_narrowest_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(read_as_another_plane, setup, teardown),
		cmocka_unit_test_setup_teardown(keys_and_their_texts, setup, teardown),
		cmocka_unit_test_setup_teardown(cut_and_damaged_texts_are_survived, setup, teardown),
		cmocka_unit_test_setup_teardown(from_a_file, setup, teardown),
	};

	return cmocka_run_group_tests_name("errtab", tests, NULL, NULL);
}
