/* test_operators.c - what the program has around operators: lists of personalisation, options, scenario lines, the whole truth.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "otasim_int.h"
#include "sim_test.h"
#include "smpp_pdu.h"
#include "truth_text.h"
#include "verify.h"

#define T0    1700000000000ll
#define S     1000ll
#define KEY_1 "000102030405060708090A0B0C0D0E0F"
#define KEY_2 "101112131415161718191A1B1C1D1E1F"
#define KEY_3 "202122232425262728292A2B2C2D2E2F"
#define KEY_4 "303132333435363738393A3B3C3D3E3F"
#define KEYS  KEY_1 "," KEY_2 "," KEY_3 "," KEY_4 "," KEY_1
#define HEAD  "ICCID,IMSI,MSISDN,INDEX,KVN,K,OPC,KIC,KID,KIK\n"
#define IC_1  "8988211001000000017"
#define IC_2  "8988211001000000025"
#define OTA   ",,," KEY_2 "," KEY_3 "," KEY_4

static char err[OTASIM_ERR_MAX];

/* ---- personalisation ---- */

static int perso(struct fleet *f, const char *text, unsigned pairs)
{
	struct sim_card_profile p;
	size_t len = strlen(text);
	char *exact = malloc(len ? len : 1);
	int rc;

	assert_non_null(exact);
	memcpy(exact, text, len); /* there is no NUL behind a file */
	sim_card_profile_default(&p);
	p.alg = SIM_ALG_AES128;
	p.pairs = (uint8_t)pairs;
	err[0] = '\0';
	rc = fleet_init_perso(f, "cards.csv", exact, len, 1, &p, "00102", err, sizeof(err));
	free(exact);
	return rc;
}

static void a_list_of_pairs(void **state)
{
	static const char text[] =
		HEAD IC_2 ",001010000000002,,7,," KEYS "\r\n" IC_2 ",,,5,," KEYS "\n" IC_2 ",,,,14" OTA "\n" IC_2
			  ",,,,15" OTA "\n\n" IC_1 ",001010000000001,4912345,,,,,,,\n" IC_1 ",,,1,," KEYS "\n" IC_1
			  ",,,2,2," KEY_4 "," KEY_3 "," KEY_2 "," KEY_1 "," KEY_1;
	const struct sim_sub_rec *r;
	const uint8_t *file;
	struct fleet f;
	size_t len;

	if (perso(&f, text, 1) < 0)
		fail_msg("%s", err);
	assert_int_equal(f.n, 2);
	assert_string_equal(f.cards[0].iccid, IC_1); /* in order */
	assert_string_equal(f.cards[0].imsi_presented, "001010000000001");
	assert_string_equal(f.cards[0].msisdn, "4912345");
	assert_string_equal(f.cards[1].msisdn, "");
	assert_int_equal(fleet_find(&f, IC_2), 1);
	r = sim_sub_rec(&f.subs[0]);
	assert_int_equal(r->index, 2); /* whose KVN stands there */
	assert_int_equal(r->kvn, 2);
	assert_int_equal(r->highest, 2);
	assert_int_equal(sim_sub_pair(&f.subs[0], 2)->k[0], 0x30);
	assert_int_equal(sim_sub_pair(&f.subs[0], 2)->ota.kic[0], 0x10);
	assert_int_equal(f.cards[0].ks[0].kic[0], 0x10);
	assert_int_equal(sim_sub_pair(&f.subs[0], 1)->opc[0], 0x10);
	assert_int_equal(f.subs[0].nvm.vault.len, 0);
	r = sim_sub_rec(&f.subs[1]);
	assert_int_equal(r->index, 5); /* the lowest */
	assert_int_equal(r->kvn, 1);
	assert_int_equal(r->highest, 7);
	assert_int_equal(f.subs[1].nvm.vault.kid[0], 0x20);
	assert_int_equal(f.subs[1].nvm.change.kic[0], 0x10);
	file = sim_card_file(&f.cards[0], 0x2fe2, &len);
	assert_memory_equal(file, "\x98\x88\x12\x01\x10\x00\x00\x00\x10\xf7", 10);
	fleet_free(&f);
}

/* What is written comes back as the same cards. */
static void lists_come_back(void **state)
{
	struct sim_card_profile p;
	char dir[] = "/tmp/otasim-perso-XXXXXX", path[64], *text, *whole = NULL;
	size_t len, whole_len;
	struct fleet a, b;
	FILE *mem = open_memstream(&whole, &whole_len);

	assert_non_null(mkdtemp(dir));
	sim_card_profile_default(&p);
	p.alg = SIM_ALG_AES128;
	p.pairs = 3;
	assert_int_equal(fleet_init(&a, 4, 9, &p, "00103", err, sizeof(err)), 0);
	assert_int_equal(fleet_write(&a, dir, err, sizeof(err)), 0);
	snprintf(path, sizeof(path), "%s/pairs.csv", dir);
	text = perso_read(path, &len, err, sizeof(err));
	assert_non_null(text);
	fputs("IMSI,MSISDN,", mem);
	for (size_t i = 0, line = 0; i < len; i++) { /* the numbers in front of each line */
		fputc(text[i], mem);
		if (text[i] == '\n' && i + 1 < len) {
			for (uint32_t c = 0; c < 4; c++) {
				if (!strncmp(text + i + 1, a.cards[c].iccid, 19))
					fprintf(mem, "%s,%s,", a.cards[c].imsi_first, a.cards[c].msisdn);
			}
			line++;
		}
	}
	fclose(mem);
	assert_int_equal(perso(&b, whole, 3), 0);
	assert_int_equal(b.n, 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_string_equal(b.cards[i].iccid, a.cards[i].iccid);
		assert_string_equal(b.cards[i].imsi_first, a.cards[i].imsi_first);
		assert_memory_equal(b.subs[i].nvm.pair, a.subs[i].nvm.pair, sizeof(a.subs[i].nvm.pair));
		assert_memory_equal(&b.subs[i].nvm.vault, &a.subs[i].nvm.vault, sizeof(a.subs[i].nvm.vault));
		assert_memory_equal(&b.subs[i].nvm.change, &a.subs[i].nvm.change, sizeof(a.subs[i].nvm.change));
		assert_memory_equal(b.cards[i].fs, a.cards[i].fs, sizeof(a.cards[i].fs));
	}
	free(text);
	free(whole);
	fleet_free(&a);
	fleet_free(&b);
	unlink(path);
	snprintf(path, sizeof(path), "%s/cards.csv", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/new-imsi.csv", dir);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
	assert_null(perso_read("/nonexistent", &len, err, sizeof(err)));
	assert_non_null(strstr(err, "/nonexistent"));
	assert_null(perso_read("/tmp", &len, err, sizeof(err)));
}

/* Without a line of names, and without IMSIs: the numbers are those that the seed gives these cards. */
static void a_list_of_keys_alone(void **state)
{
	struct sim_card_profile p;
	struct fleet f, seeded;
	char text[1024];

	sim_card_profile_default(&p);
	assert_int_equal(fleet_init(&seeded, 2, 1, &p, "00103", err, sizeof(err)), 0);
	snprintf(text, sizeof(text), "%s,1,1," KEYS "\n%s,1,," KEYS ",001019999999999\n", seeded.cards[0].iccid,
		 seeded.cards[1].iccid);
	if (perso(&f, text, 1) < 0)
		fail_msg("%s", err);
	assert_string_equal(f.cards[0].imsi_first, seeded.cards[0].imsi_first);
	assert_string_equal(f.cards[0].msisdn, seeded.cards[0].msisdn);
	assert_string_equal(f.cards[1].imsi_first, "001019999999999");
	assert_string_equal(f.cards[1].msisdn, "");
	assert_int_equal(f.cards[0].ks[0].kic[0], 0x20);
	fleet_free(&f);
	fleet_free(&seeded);
}

/* The last ones have K and OPc alone, from a seed and from a list. */
static void some_of_a_fleet_are_plain(void **state)
{
	static const char text[] = HEAD IC_2 ",001010000000002,,1,," KEYS "\n" IC_2 ",,,,14" OTA "\n" IC_1
					     ",001010000000001,,1,," KEYS "\n";
	struct sim_card_profile p;
	struct fleet f;

	sim_card_profile_default(&p);
	p.alg = SIM_ALG_AES128;
	p.pairs = 2;
	p.plain = 1;
	assert_int_equal(fleet_init(&f, 3, 1, &p, "00103", err, sizeof(err)), 0);
	assert_int_equal(f.applets, 2);
	assert_ptr_equal(f.cards[1].sub, &f.subs[1]);
	assert_null(f.cards[1].usim);
	assert_null(f.cards[2].sub);
	assert_ptr_equal(f.cards[2].usim, &f.usims[2]);
	fleet_free(&f);
	assert_int_equal(fleet_init_perso(&f, "cards.csv", text, sizeof(text) - 1, 1, &p, "00102", err, sizeof(err)),
			 0);
	assert_non_null(f.cards[0].sub);
	assert_null(f.cards[0].usim);
	assert_null(f.cards[1].sub);
	assert_int_equal(f.cards[1].usim->k[1], 0x01);
	fleet_free(&f);
	p.plain = 7; /* more than there are */
	assert_int_equal(fleet_init(&f, 3, 1, &p, "00103", err, sizeof(err)), 0);
	assert_int_equal(f.applets, 0);
	assert_null(f.subs);
	assert_non_null(f.cards[0].usim);
	fleet_free(&f);
}

static void a_list_of_plain_cards(void **state)
{
	struct fleet f;

	assert_int_equal(perso(&f, HEAD IC_1 ",001010000000001,4912345,1,3," KEYS "\n", 0), 0);
	assert_null(f.subs);
	assert_int_equal(f.cards[0].ks[0].kvn, 3);
	assert_int_equal(f.cards[0].usim->k[1], 0x01);
	assert_int_equal(f.cards[0].usim->opc[0], 0x10);
	fleet_free(&f);
}

static void a_list_that_is_wrong(void **state)
{
	static const struct {
		const char *text, *says;
		unsigned pairs;
	} bad[] = {
		{ "", "cards.csv:1: column ICCID: not there", 1 },
		{ "ICCID,IMSI\n", "cards.csv:1: column INDEX: not there", 1 },
		{ HEAD, "cards.csv:1: there is no card", 1 },
		{ "ICCID," HEAD, "cards.csv:1: column ICCID: there twice", 1 },
		{ HEAD IC_1 ",001010000000001,,1,1\n", "cards.csv:2: column K: 32 hexadecimal digits", 1 },
		{ HEAD IC_1 ",001010000000001,,1,1," KEYS ",\n", "cards.csv:2: 11 columns, there are names for 10", 1 },
		{ IC_1 ",1,1," KEYS ",0010\n", "cards.csv:1: column IMSI: 6 to 15 digits", 1 },
		{ HEAD "\n89882,001010000000001,,1,1," KEYS "\n", "cards.csv:3: column ICCID: 18 or 19 digits", 1 },
		{ HEAD IC_1 ",0010,,1,1," KEYS "\n", "cards.csv:2: column IMSI: 6 to 15 digits", 1 },
		{ HEAD IC_1 ",00101x,,1,1," KEYS "\n", "cards.csv:2: column IMSI: 6 to 15 digits", 1 },
		{ HEAD IC_1 ",001010000000001,+49,1,1," KEYS "\n", "cards.csv:2: column MSISDN: 1 to 15 digits", 1 },
		{ HEAD IC_1 ",,,1,1," KEYS "\n", "cards.csv:2: column IMSI: no line of card " IC_1 " has one", 1 },
		{ HEAD IC_1 ",001010000000001,,,,,,,,\n", "cards.csv:2: column INDEX: no line of card", 1 },
		{ HEAD IC_1 ",001010000000001,,1,1," KEYS "\n" IC_1 ",001010000000002,,2,," KEYS "\n",
		  "cards.csv:3: column IMSI: an earlier line of this card has 001010000000001", 2 },
		{ HEAD IC_1 ",001010000000001,,0,1," KEYS "\n", "cards.csv:2: column INDEX: 1 to 65534", 1 },
		{ HEAD IC_1 ",001010000000001,,1,3," KEYS "\n", "cards.csv:2: column KVN: of a pair: 1 to 2", 1 },
		{ HEAD IC_1 ",001010000000001,,1,1," KEYS "\n" IC_1 ",,,2,2," KEYS "\n",
		  "cards.csv:3: column KVN: only one pair of a card is active", 1 },
		{ HEAD IC_1 ",001010000000001,,1,1," KEYS "\n" IC_1 ",,,1,," KEYS "\n",
		  "cards.csv:3: column INDEX: 1 is there twice", 1 },
		{ HEAD IC_1 ",001010000000001,,1,1," KEYS "\n" IC_1 ",,,,13" OTA "\n",
		  "cards.csv:3: column KVN: a keyset without INDEX has key version 14 or 15", 1 },
		{ HEAD IC_1 ",001010000000001,,,14" OTA "\n" IC_1 ",,,,14" OTA "\n",
		  "cards.csv:3: column KVN: 14 is there twice", 1 },
		{ HEAD IC_1 ",001010000000001,,1,1,00," KEY_2 "," KEY_2 "," KEY_2 "," KEY_2 "\n",
		  "cards.csv:2: column K: 32 hexadecimal digits", 1 },
		{ HEAD IC_1 ",001010000000001,,1,1," KEY_1 "," KEY_2 "," KEY_2 "," KEY_2 "00," KEY_2 "\n",
		  "cards.csv:2: column KID: 32 hexadecimal digits are wanted for aes128", 1 },
		{ HEAD IC_1 ",001010000000001,,1,1," KEYS "\n" IC_1 ",,,2,," KEYS "\n",
		  "cards.csv:3: column INDEX: more than 1 pair for a card without the applet", 0 },
	};
	struct fleet f;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(perso(&f, bad[i].text, bad[i].pairs), -1);
		if (strncmp(err, bad[i].says, strlen(bad[i].says)))
			fail_msg("line %zu: it is said\n%s\nand not\n%s", i, err, bad[i].says);
		assert_null(strstr(err, "0A0B0C")); /* no key in it */
		assert_null(f.cards);
	}
}

/* ---- options ---- */

static enum opts_result parse(struct opts *o, const char *a, const char *b, const char *c, const char *d)
{
	char *argv[] = { (char *)"otasim", (char *)a, (char *)b, (char *)c, (char *)d, NULL };
	int argc = 1 + (a != NULL) + (b != NULL) + (c != NULL) + (d != NULL);

	return opts_parse(o, argc, argv);
}

static struct scn *settled(struct opts *o)
{
	struct scn *s = scn_empty(3, 1);

	assert_non_null(s);
	for (unsigned i = 0; i < o->ops; i++)
		assert_null(scn_operator_add(s, &o->op[i].id));
	if (!opts_settle(o, s, err)) {
		scn_free(s);
		return NULL;
	}
	return s;
}

static void options(void **state)
{
	struct opts o;
	struct scn *s;

	assert_int_equal(parse(&o, "--operator=A=00101,smsc=127.0.0.1:2775", "--operator=B=001022,hlr=127.0.0.2:4259",
			       "--hlr-fail=B=1%", "--hlr-late=B:2s..5s"),
			 OPTS_RUN);
	s = settled(&o);
	assert_non_null(s);
	assert_int_equal(o.ops, 2);
	assert_string_equal(o.op[0].smsc_host, "127.0.0.1");
	assert_int_equal(o.op[0].smsc_port, 2775);
	assert_string_equal(o.op[0].hlr_host, "");
	assert_int_equal(o.op[1].hlr_port, 4259);
	assert_int_equal(o.op[1].reg.fail_ppm, 10000);
	assert_int_equal(o.op[1].reg.late_ms.hi, 5000);
	assert_int_equal(o.fill, 0);
	assert_string_equal(o.card.imsi_prefix, "00101");
	assert_string_equal(o.new_imsi_prefix, "00101"); /* none of that length to go to */
	assert_true(o.card.usim);
	scn_free(s);
	assert_int_equal(parse(&o, "--operator=A=00101", "--operator=B=00102", "--hlr-fill=B", "--pairs=2"), OPTS_RUN);
	s = settled(&o);
	assert_non_null(s);
	assert_int_equal(o.fill, 1);
	assert_string_equal(o.new_imsi_prefix, "00102");
	assert_false(o.card.usim);
	scn_free(s);
	assert_int_equal(parse(&o, "--operator=A=00101", "--hlr-fill=none", "--refresh-refused=3", NULL), OPTS_RUN);
	assert_int_equal(o.no_refresh, 3);
	s = settled(&o);
	assert_int_equal(o.fill, -1);
	scn_free(s);
	assert_int_equal(parse(&o, "--operator=A=00101", "--hlr-fill=C", NULL, NULL), OPTS_RUN);
	assert_null(settled(&o));
	assert_non_null(strstr(err, "no operator C"));
	assert_int_equal(parse(&o, "--operator=A=00101", "--hlr-fail=C=1%", NULL, NULL), OPTS_RUN);
	assert_null(settled(&o));
	/* without operators nothing is different */
	assert_int_equal(parse(&o, NULL, NULL, NULL, NULL), OPTS_RUN);
	s = settled(&o);
	assert_false(o.card.usim);
	assert_string_equal(o.card.imsi_prefix, "00102");
	scn_free(s);
}

static void bad_options(void **state)
{
	static const char *const bad[] = {
		"--operator=A",
		"--operator=A=1",
		"--operator==00101",
		"--operator=7=00101",
		"--operator=none=00101",
		"--operator=A=00101,smsc=x",
		"--operator=A=00101,foo=1",
		"--operator=A=0010101",
		"--operator=dead=00101",
		"--hlr-fail=A",
		"--hlr-fail=A=2",
		"--hlr-late=A=2",
		"--power-cut=3",
		"--poll=0s",
		"--register-again=1s..2s",
		"--refresh-refused=300",
	};
	struct opts o;
	int keep = dup(2);

	assert_non_null(freopen("/dev/null", "w", stderr));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse(&o, bad[i], NULL, NULL, NULL) != OPTS_EXIT_USAGE)
			fail_msg("%s was taken", bad[i]);
	}
	assert_int_equal(parse(&o, "--operator=A=00101", "--operator=A=00102", NULL, NULL), OPTS_EXIT_USAGE);
	assert_int_equal(parse(&o, "--operator=A=00101", "--operator=B=00101", NULL, NULL), OPTS_EXIT_USAGE);
	fflush(stderr);
	dup2(keep, 2);
	close(keep);
}

/* ---- scenarios ---- */

static struct otasim *make(const char *text)
{
	struct otasim_cfg cfg = { .file = "x.scn", .text = text, .len = strlen(text) };

	return otasim_new(&cfg, T0, err);
}

static void scenario_lines(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "operator A", "x.scn:1: the operator's PLMN is missing" },
		{ "operator A 1", "x.scn:1: an operator has a name" },
		{ "operator A 00101\noperator B 00101", "x.scn:2: two operators have two names" },
		{ "operator A 00101\nsmscs north", "x.scn:2: each operator has an SMSC" },
		{ "smscs north\noperator A 00101", "x.scn:2: each operator has an SMSC" },
		{ "all absent to 1s\noperator A 00101", "x.scn:2: operators are named before" },
		{ "hlr A down", "x.scn:1: there is no operator" },
		{ "operator A 00101\nhlr B down", "x.scn:2: \"B\" is not an operator" },
		{ "operator A 00101\nhlr A dwn",
		  "x.scn:2: \"dwn\" is not something a register can be; did you mean \"down\"?" },
		{ "operator A 00101\nhlr A late", "x.scn:2: late is missing" },
		{ "operator A 00101\nhlr A down from 1s..2s", "x.scn:2: ranges of time are for cards" },
		{ "all refused-at B", "x.scn:1: there is no operator" },
		{ "operator A 00101\nall refused-at", "x.scn:2: the name of an operator is missing" },
		{ "all refuses-refresh 0", "x.scn:1: refuses-refresh" },
		{ "operator A 00101\nexpect registered B", "x.scn:2: \"B\" is not an operator" },
		{ "operator A 00101\nexpect total registered A", "x.scn:2: \"total\" adds up" },
		{ "operator A 00101\nexpect no registered A", "x.scn:2: \"no registered\" means nothing" },
		{ "set hlr-fail B:1%", "--hlr-fail, --hlr-late: there is no operator B" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(make(bad[i].text));
		if (strncmp(err, bad[i].says, strlen(bad[i].says)))
			fail_msg("about \"%s\" it is said\n%s\nand not\n%s", bad[i].text, err, bad[i].says);
	}
}

static const char *at(const struct otasim *o, uint32_t card)
{
	struct otasim_card c;

	otasim_card(o, card, &c);
	return c.at;
}

static bool reply(struct otasim *o, unsigned op, char text[OTASIM_CTRL_REPLY])
{
	uint64_t tag;
	bool lost, there = otasim_ctrl_reply(o, op, &tag, text, &lost);

	assert_true(!there || tag == 5);
	return there && !lost;
}

static void a_scenario_with_operators(void **state)
{
	struct otasim *o = make("operator A 00101\noperator B 00102\ncards 12\nset alg aes128\nset pairs 3\n"
				"set hlr-fill B\nset imsi-prefix 00102\nset new-imsi-prefix 00101\n"
				"card 1 off from 20s to 40s\ncard 2 refused-at B from 0s to 30s\n"
				"hlr A down from 30s to 60s\nhlr A late 3s from 100s to 200s\n"
				"smsc B dead from 10s to 20s\nend at 10m\nexpect imsi old\n");
	char text[OTASIM_CTRL_REPLY];
	int a, b;

	if (!o)
		fail_msg("%s", err);
	assert_int_equal(otasim_smscs(o), 2);
	assert_int_equal(otasim_operators(o), 2);
	assert_string_equal(otasim_smsc_name(o, 1), "B");
	assert_string_equal(otasim_operator_name(o, 0), "A");
	otasim_step(o, T0 + 9 * S);
	assert_string_equal(at(o, 0), "B");
	assert_string_equal(at(o, 1), ""); /* refused */
	assert_string_equal(at(o, 2), "B");
	a = otasim_connect(o, 0, T0 + 9 * S);
	b = otasim_connect(o, 1, T0 + 9 * S);
	assert_true(a >= 0 && b >= 0);
	assert_true(sim_air_present(o->air, 0));
	otasim_step(o, T0 + 25 * S);
	assert_false(sim_air_present(o->air, 0)); /* off */
	otasim_step(o, T0 + 49 * S);
	assert_true(sim_air_present(o->air, 0));
	assert_string_equal(at(o, 1), "B"); /* since it was let in, at the next try */
	assert_false(otasim_register_up(o, 0));
	assert_true(otasim_register_up(o, 1));
	assert_false(otasim_ctrl(o, 0, 5, "GET 1 subscriber.by-imsi-1.info", T0 + 50 * S));
	otasim_step(o, T0 + 61 * S);
	assert_true(otasim_ctrl(o, 0, 5, "SET 1 subscriber.create 001010000000001", T0 + 61 * S));
	assert_true(reply(o, 0, text));
	assert_string_equal(text, "SET_REPLY 1 subscriber.create 1");
	assert_true(otasim_ctrl(o, 0, 5, "SET 2 subscriber.delete 001010000000001", T0 + 101 * S));
	assert_false(reply(o, 0, text)); /* late */
	assert_int_equal(otasim_next_due(o), T0 + 104 * S);
	otasim_step(o, T0 + 104 * S);
	assert_true(reply(o, 0, text));
	otasim_step(o, T0 + 201 * S); /* as usual */
	assert_true(otasim_ctrl(o, 0, 5, "GET 3 x", T0 + 201 * S));
	assert_true(reply(o, 0, text));
	otasim_close(o, a, T0 + 202 * S);
	otasim_close(o, b, T0 + 202 * S);
	otasim_free(o);
}

static void expected_places(void **state)
{
	struct otasim *o = make(
		"operator A 00101\noperator B 00102\ncards 4\nset alg aes128\nset pairs 2\n"
		"card 1 off from 0s to 20s\ncard 2 refused-at A\nend at 1m\n"
		"expect registered A\nexpect card 1 registered nowhere by 10s\nexpect card 1,3 registered A by 40s\n"
		"expect card 2 registered nowhere\nexpect at least 3 of all registered A\n"
		"expect index = 1\nexpect index = 2\nexpect no moves\nexpect moves-per-order <= 1\n"
		"expect card 3 registered B\n");
	static const enum otasim_verdict want[] = { OTASIM_FAIL, OTASIM_PASS, OTASIM_PASS, OTASIM_PASS, OTASIM_PASS,
						    OTASIM_PASS, OTASIM_FAIL, OTASIM_PASS, OTASIM_PASS, OTASIM_FAIL };
	char why[400];

	if (!o)
		fail_msg("%s", err);
	otasim_step(o, T0 + 60 * S);
	assert_true(otasim_ended(o));
	for (unsigned i = 0; i < otasim_expectations(o); i++) {
		if (otasim_expectation(o, i, NULL, NULL, 0, why, sizeof(why)) != want[i])
			fail_msg("expectation %u is %d: %s", i, otasim_expectation(o, i, NULL, NULL, 0, NULL, 0), why);
	}
	otasim_expectation(o, 0, NULL, NULL, 0, why, sizeof(why));
	assert_non_null(strstr(why, "is registered nowhere"));
	otasim_expectation(o, 9, NULL, NULL, 0, why, sizeof(why));
	assert_non_null(strstr(why, "A"));
	otasim_free(o);
}

/* What stands in a scenario is changed by the command line. */
static void the_command_line_wins(void **state)
{
	static const struct scn_operator op[] = { { "A", "00107" }, { "C", "00108" } };
	struct scn_given given = { .op = op, .ops = 2 };
	static const char text[] = "operator A 00101\noperator B 00102\nhlr C down to 1s\n";
	struct scn *s = scn_parse("x.scn", text, strlen(text), &given, err);

	if (!s)
		fail_msg("%s", err);
	assert_int_equal(s->ops, 3);
	assert_int_equal(s->doors, 3);
	assert_string_equal(s->op[0].plmn, "00107");
	assert_int_equal(scn_operator_named(s, "B"), 2);
	assert_int_equal(s->rule[0].doors, 2);
	scn_free(s);
}

/* ---- one SMSC for each ---- */

static void put(struct otasim *o, int session, const struct smpp_pdu *p)
{
	uint8_t buf[512];
	int n = smpp_pdu_pack(buf, sizeof(buf), p);

	assert_true(n > 0);
	assert_true(otasim_input(o, session, buf, (size_t)n, o->now_ms));
}

/* PDUs with this id that came out of a session, and the status of the last one. */
static unsigned got(struct otasim *o, int session, uint32_t id, uint32_t *status, char src[24])
{
	const uint8_t *p;
	struct smpp_pdu pdu;
	unsigned n = 0;
	size_t len;
	int one;

	p = otasim_output(o, session, &len);
	for (size_t at = 0; at < len; at += (size_t)one) {
		one = smpp_frame(p + at, len - at, 4096);
		assert_true(one > 0);
		assert_int_equal(smpp_pdu_unpack(&pdu, p + at, (size_t)one, NULL), 0);
		if (pdu.id != id)
			continue;
		n++;
		*status = pdu.status;
		snprintf(src, 24, "%s",
			 id == SMPP_DELIVER_SM	       ? pdu.sm.src.digits :
			 id == SMPP_ALERT_NOTIFICATION ? pdu.alert.src.digits :
							 "");
	}
	otasim_taken(o, session, len);
	return n;
}

static void an_smsc_for_each(void **state)
{
	struct otasim *o =
		make("operator A 00101\noperator B 00102\ncards 2\nset alg aes128\nset first-counter 1\nend at 10m\n");
	struct smpp_pdu bind = { .id = SMPP_BIND_TRANSCEIVER, .seq = 1, .bind = { .system_id = "gw", .password = "" } };
	struct oct script = oct_hex("00a40004026f0700b0000009"), pkt, ud;
	struct cmd_spec spec;
	struct smpp_pdu sm;
	uint32_t status;
	char src[24];
	int s[2];

	if (!o)
		fail_msg("%s", err);
	for (unsigned i = 0; i < 2; i++) {
		s[i] = otasim_connect(o, i, T0);
		put(o, s[i], &bind);
	}
	otasim_step(o, T0 + 10 * S);
	assert_int_equal(got(o, s[0], SMPP_ALERT_NOTIFICATION, &status, src), 2);
	assert_string_equal(src, o->fleet.cards[1].msisdn[0] ? src : "");
	assert_int_equal(got(o, s[1], SMPP_ALERT_NOTIFICATION, &status, src), 0);
	spec = spec_of(&o->fleet.cards[0], 1);
	pkt = packet_build(&o->fleet.cards[0], &spec, &script);
	ud = ud_single(&pkt);
	sm = (struct smpp_pdu){ .id = SMPP_SUBMIT_SM,
				.seq = 7,
				.sm = { .src = { 2, 1, "12345" },
					.dst = { 1, 1, o->fleet.cards[0].msisdn },
					.esm_class = 0x42,
					.protocol_id = 0x7f,
					.data_coding = 0xf6,
					.sm = { ud.b, ud.len } } };
	put(o, s[1], &sm); /* B does not know it */
	otasim_step(o, T0 + 11 * S);
	assert_int_equal(got(o, s[1], SMPP_SUBMIT_SM | SMPP_RESP, &status, src), 1);
	assert_int_equal(status, ESME_RINVDSTADR);
	put(o, s[0], &sm);
	otasim_step(o, T0 + 12 * S);
	assert_int_equal(got(o, s[1], SMPP_DELIVER_SM, &status, src), 0);
	assert_int_equal(got(o, s[0], SMPP_DELIVER_SM, &status, src), 1);
	assert_string_equal(src, o->fleet.cards[0].msisdn);
	otasim_free(o);
}

/* ---- truth ---- */

static void truth_as_text(void **state)
{
	struct sim_world_card c = { .iccid = IC_1,
				    .imsi_stored = "001010000000001",
				    .imsi_presented = "001020000000001",
				    .op = 1,
				    .present = true,
				    .applet = true,
				    .index = 3,
				    .kvn = 2,
				    .pairs_left = 4,
				    .state = SIM_SUB_ROLLED_BACK,
				    .order = 0xabcdef,
				    .moves = 5,
				    .moves_max = 2,
				    .imsi_writes = 6,
				    .executions_max = 1,
				    .sqn = 1234567890123ull },
			      again;
	char line[WHOLE_TRUTH_LINE_MAX], printed[WHOLE_TRUTH_LINE_MAX], op[SIM_WORLD_NAME_MAX], *json = NULL;
	size_t len = strlen(WHOLE_TRUTH_HEADER);
	FILE *mem;

	assert_true(len > 50);
	whole_truth_print(printed, &c, "B");
	strcpy(line, printed);
	assert_string_equal(line,
			    IC_1 ",001010000000001,001020000000001,3,2,rolled-back,0000000000abcdef,5,2,6,1,4,B,1,"
				 "1234567890123");
	assert_true(whole_truth_parse(line, &again, op, sizeof(op)));
	assert_string_equal(op, "B");
	assert_string_equal(again.iccid, c.iccid);
	whole_truth_print(line, &again, op);
	assert_string_equal(line, printed);
	for (size_t i = strlen(line) - 13; i-- > 0;) {
		line[i] = '\0';
		assert_false(whole_truth_parse(line, &again, op, sizeof(op)));
	}
	mem = open_memstream(&json, &len);
	whole_truth_json(mem, &c, "B");
	fclose(mem);
	assert_non_null(strstr(json, "\"state\":\"rolled-back\",\"order\":\"0000000000abcdef\",\"moves\":5"));
	assert_non_null(strstr(json, "\"operator\":\"B\",\"present\":true,\"sqn\":1234567890123}"));
	free(json);
	c.applet = false;
	c.order = 0;
	whole_truth_print(line, &c, "");
	assert_non_null(strstr(line, ",3,2,,,5,"));
	assert_true(whole_truth_parse(line, &again, op, sizeof(op)));
	assert_false(again.applet);
	assert_string_equal(op, "");
}

static char said[4096], list[128];

static enum verify_result verify(struct truth_row *rows, const char *text, bool partial)
{
	struct truth_row copy[2];
	struct verify_job job = { .list = list, .partial = partial, .times = 9, .rows = copy, .n = 2, .ops = 2 };
	FILE *out = fopen(list, "w");
	enum verify_result rc;

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
	memcpy(copy, rows, sizeof(copy));
	strcpy(job.op[0], "A");
	strcpy(job.op[1], "B");
	out = fmemopen(said, sizeof(said), "w");
	rc = verify_run(&job, out);
	fclose(out);
	return rc;
}

static void verify_by_index_and_operator(void **state)
{
	static const char good[] =
		"ICCID,IMSI,INDEX,OPERATOR\n" IC_1 ",001020000000001,2,B\n" IC_2 ",001020000000002,3,\n";
	struct truth_row rows[2] = { 0 };
	struct fleet f;

	assert_int_equal(perso(&f, HEAD IC_1 ",001010000000001,,1,," KEYS "\n" IC_2 ",001010000000002,,1,," KEYS "\n",
			       1),
			 0);
	for (int i = 0; i < 2; i++) {
		struct truth_row *r = &rows[i];

		sim_card_truth(&f.cards[i], &r->t);
		strcpy(r->imsi_first, r->t.imsi_stored);
		r->t.imsi_stored[4] = '2';
		strcpy(r->t.imsi_presented, r->t.imsi_stored);
		r->whole.index = (unsigned)i + 2;
		r->whole.moves_max = 1;
		strcpy(r->op, "B");
	}
	strcpy(list, "/tmp/otasim-list-XXXXXX");
	close(mkstemp(list));
	assert_int_equal(verify(rows, good, false), VERIFY_HOLDS);
	assert_non_null(
		strstr(said, "index right 2, moved twice for one order 0, at A 0, at B 2, nowhere 0: all holds"));
	assert_int_equal(verify(rows, "ICCID,IMSI,INDEX\n" IC_1 ",001020000000001,1\n" IC_2 ",001020000000002,3\n",
				false),
			 VERIFY_DIFFERS);
	assert_non_null(strstr(said, IC_1 ": is at index 2, not 1"));
	assert_int_equal(verify(rows, "ICCID,IMSI,OPERATOR\n" IC_1 ",001020000000001,A\n" IC_2 ",001020000000002,\n",
				false),
			 VERIFY_DIFFERS);
	assert_non_null(strstr(said, IC_1 ": is registered at B, not at A"));
	assert_int_equal(verify(rows, "ICCID,IMSI,OPERATOR\n" IC_1 ",001020000000001,none\n" IC_2 ",001020000000002,\n",
				false),
			 VERIFY_DIFFERS);
	assert_non_null(strstr(said, IC_1 ": is registered at B, not nowhere"));
	rows[1].op[0] = '\0';
	assert_int_equal(verify(rows, good, false), VERIFY_DIFFERS);
	assert_non_null(strstr(said, IC_2 ": is registered nowhere"));
	assert_int_equal(verify(rows, good, true), VERIFY_HOLDS);
	rows[1].whole.moves_max = 2;
	assert_int_equal(verify(rows, good, true), VERIFY_DIFFERS);
	assert_non_null(strstr(said, "moved its index 2 times for one order"));
	assert_int_equal(verify(rows, "ICCID,IMSI,INDEX\n" IC_1 ",001020000000001,x\n", true), VERIFY_CANNOT);
	assert_non_null(strstr(said, ":2: INDEX is a number"));
	unlink(list);
	fleet_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_of_pairs),
		cmocka_unit_test(lists_come_back),
		cmocka_unit_test(some_of_a_fleet_are_plain),
		cmocka_unit_test(a_list_of_plain_cards),
		cmocka_unit_test(a_list_of_keys_alone),
		cmocka_unit_test(a_list_that_is_wrong),
		cmocka_unit_test(options),
		cmocka_unit_test(bad_options),
		cmocka_unit_test(scenario_lines),
		cmocka_unit_test(a_scenario_with_operators),
		cmocka_unit_test(the_command_line_wins),
		cmocka_unit_test(expected_places),
		cmocka_unit_test(an_smsc_for_each),
		cmocka_unit_test(truth_as_text),
		cmocka_unit_test(verify_by_index_and_operator),
	};

	return cmocka_run_group_tests_name("operators, lists and the whole truth", tests, NULL, NULL);
}
