/* test_answer.c - what a card's answer to a script says, octet by octet, and the words for it.
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

#include "answer.h"

/* Five commands: SELECT UPDATE SELECT UPDATE READ. */
#define HEAD	 "card-profile t\n tar b00011\n spi 16 39\n kvn 1\n refresh card\n"
#define TAIL	 " script\n  update 6f78 acc\n  update 6f07 imsi\n  read 6f07 9\n"
#define COMMANDS 5
#define IMSI	 "082943658709214365"
#define OK	 "23029000"

static struct errtab *errtab;

static void profile(struct profile *p, const char *format)
{
	char text[256], err[160];
	int n = snprintf(text, sizeof(text), HEAD " format %s\n" TAIL, format);

	if (profile_parse(p, errtab, text, (size_t)n, err, sizeof(err)))
		fail_msg("%s", err);
}

static size_t octets(uint8_t *out, const char *hex)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned v;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
		out[i] = (uint8_t)v;
	}
	return n;
}

/* The reader sees an exact-size copy: one octet too far is found by the sanitizer.  The copy must outlive the answer. */
static uint8_t *read_hex(struct answer *a, const struct profile *p, const char *hex)
{
	uint8_t buf[300], *exact;
	size_t n = octets(buf, hex);

	exact = malloc(n ? n : 1);
	assert_non_null(exact);
	memcpy(exact, buf, n);
	answer_read(a, p, COMMANDS, exact, n);
	return exact;
}

static const struct {
	const char *hex;
	int kind;
	unsigned at, sw;
	bool last_write;
	int data_len; /* of the READ, -1: not answered */
	const char *words;
} compact[] = {
	{ "059000" IMSI, ANSWER_WHOLE, 5, 0x9000, true, 9, NULL },
	{ "05910b" IMSI, ANSWER_WHOLE, 5, 0x910b, true, 9, NULL },
	{ "059000", ANSWER_WHOLE, 5, 0x9000, true, 0, "all commands ran, but no octets were read back" },
	{ "059000" IMSI "ff", ANSWER_WHOLE, 5, 0x9000, true, 10,
	  "all commands ran, but 10 octets were read back instead of 9" },
	{ "0562f1", ANSWER_CUT, 4, 0x62f1, true, 0, "command 5 of 5 (READ 6f07) answered 62F1: cut off" },
	{ "056981", ANSWER_FAILED, 4, 0x6981, true, 0, "command 5 of 5 (READ 6f07) answered 6981 (command incompat" },
	{ "046982", ANSWER_FAILED, 3, 0x6982, false, -1, "command 4 of 5 (UPDATE 6f07) answered 6982 (security status" },
	{ "026a82", ANSWER_FAILED, 1, 0x6a82, false, -1, "command 2 of 5 (UPDATE 6f78) answered 6A82 (file not found)" },
	{ "049000", ANSWER_CUT, 4, 0, true, -1, "only 4 of 5 commands are answered" },
	{ "009000", ANSWER_CUT, 0, 0, false, -1, "only 0 of 5 commands are answered" },
	{ "069000", ANSWER_UNREADABLE, 0, 0, false, -1, "the card says OK, but its answer cannot be read" },
	{ "0590", ANSWER_UNREADABLE, 0, 0, false, -1, "the card says OK, but its answer cannot be read" },
	{ "", ANSWER_UNREADABLE, 0, 0, false, -1, "the card says OK, but its answer cannot be read" },
	/* in the other format than asked for: the count says nothing sensible */
	{ "ab18800105" OK OK OK OK "230b" IMSI "9000", ANSWER_UNREADABLE, 0, 0, false, -1, NULL },
}, expanded[] = {
	{ "ab20800105" OK OK OK OK "230b" IMSI "9000", ANSWER_WHOLE, 5, 0x9000, true, 9, NULL },
	{ "af80" OK OK OK OK "230b" IMSI "9000" "0000", ANSWER_WHOLE, 5, 0x9000, true, 9, NULL },
	/* a later release's object takes nothing back */
	{ "ab23800105" OK OK OK OK "230b" IMSI "9000" "850100", ANSWER_WHOLE, 5, 0x9000, true, 9, NULL },
	{ "ab17800105" OK OK OK OK "23029000", ANSWER_WHOLE, 5, 0x9000, true, 0,
	  "all commands ran, but no octets were read back" },
	{ "ab0b800102" OK "23026a82", ANSWER_FAILED, 1, 0x6a82, false, -1,
	  "command 2 of 5 (UPDATE 6f78) answered 6A82 (file not found)" },
	/* a card that does not count the one that failed */
	{ "ab0b800101" OK "23026a82", ANSWER_FAILED, 1, 0x6a82, false, -1,
	  "command 2 of 5 (UPDATE 6f78) answered 6A82 (file not found)" },
	/* the card went on after the error: EF_IMSI is written, and the first failure is the one to tell */
	{ "ab20800105" OK "23026a82" OK OK "230b" IMSI "9000", ANSWER_FAILED, 1, 0x6a82, true, 9,
	  "command 2 of 5 (UPDATE 6f78) answered 6A82 (file not found)" },
	{ "ab17800105" OK "23026a82" OK "23026982" "23026982", ANSWER_FAILED, 1, 0x6a82, false, 0, NULL },
	{ "ab0b800102" OK "230262f1", ANSWER_CUT, 1, 0x62f1, false, -1,
	  "command 2 of 5 (UPDATE 6f78) answered 62F1: cut off" },
	{ "ab0b800102" OK OK, ANSWER_CUT, 2, 0, false, -1, "only 2 of 5 commands are answered" },
	{ "ab0b800105" OK OK, ANSWER_CUT, 2, 0, false, -1, "only 2 of 5 commands are answered" },
	{ "ab06800100900101", ANSWER_FAILED, 0, 0, false, -1,
	  "command 1 of 5 (SELECT 6f78) not run: unknown tag found" },
	{ "af80" OK "900102" "0000", ANSWER_FAILED, 1, 0, false, -1,
	  "command 2 of 5 (UPDATE 6f78) not run: wrong length found" },
	{ "ab06800100810101", ANSWER_FAILED, 0, 0, false, -1,
	  "command 1 of 5 (SELECT 6f78) not run: no proactive session" },
	{ "ab06800100830102", ANSWER_FAILED, 0, 0, false, -1,
	  "command 1 of 5 (SELECT 6f78) not run: chaining not supported" },
	/* contradictions */
	{ "ab23800105" OK OK OK OK "230b" IMSI "9000" "900101", ANSWER_UNREADABLE, 5, 0, true, 9, NULL },
	{ "ab20800104" OK OK OK OK "230b" IMSI "9000", ANSWER_UNREADABLE, 5, 0, true, 9, NULL },
	{ "ab24800106" OK OK OK OK OK "230b" IMSI "9000", ANSWER_UNREADABLE, 0, 0, false, -1, NULL },
	{ "ab", ANSWER_UNREADABLE, 0, 0, false, -1, NULL },
	{ "ab00", ANSWER_CUT, 0, 0, false, -1, "only 0 of 5 commands are answered" },
	{ "af80", ANSWER_UNREADABLE, 0, 0, false, -1, NULL },
	{ "ab21800105" OK OK OK OK "230b" IMSI "9000", ANSWER_UNREADABLE, 0, 0, false, -1, NULL },
	{ "059000" IMSI, ANSWER_UNREADABLE, 0, 0, false, -1, NULL },
};

static void check(const struct profile *p, const char *hex, int kind, unsigned at, unsigned sw, bool last_write,
		  int data_len, const char *words)
{
	struct answer a;
	uint8_t *exact = read_hex(&a, p, hex), *copy;
	char got[64];

	if (a.kind != kind || a.at != at || a.sw != sw || a.last_write != last_write)
		fail_msg("%s: kind %u at %u sw %04x last_write %d", hex, a.kind, a.at, a.sw, a.last_write);
	assert_int_equal(a.data ? (int)a.data_len : -1, data_len);
	answer_words(&a, p, false, got, sizeof(got));
	if (words)
		assert_memory_equal(got, words, strlen(words));
	/* the words fit whatever room there is */
	for (size_t cap = 1; cap < 64; cap++) {
		copy = malloc(cap);
		assert_non_null(copy);
		answer_words(&a, p, true, (char *)copy, cap);
		answer_words(&a, NULL, true, (char *)copy, cap);
		free(copy);
	}
	free(exact);
}

static void each_answer_is_read(void **state)
{
	struct profile p;

	profile(&p, "compact");
	for (size_t i = 0; i < sizeof(compact) / sizeof(compact[0]); i++)
		check(&p, compact[i].hex, compact[i].kind, compact[i].at, compact[i].sw, compact[i].last_write,
		      compact[i].data_len, compact[i].words);
	for (int f = 0; f < 2; f++) { /* the answer tells its coding by itself */
		profile(&p, f ? "expanded" : "expanded-indefinite");
		for (size_t i = 0; i < sizeof(expanded) / sizeof(expanded[0]); i++)
			check(&p, expanded[i].hex, expanded[i].kind, expanded[i].at, expanded[i].sw,
			      expanded[i].last_write, expanded[i].data_len, expanded[i].words);
	}
}

/* The campaign is no longer in memory: what proves success is understood all the same. */
static void success_is_read_without_a_profile(void **state)
{
	static const char *const good[] = { "059000" IMSI, "ab20800105" OK OK OK OK "230b" IMSI "9000",
					    "af80" OK OK OK OK "230b" IMSI "9000"
					    "0000" };
	uint8_t imsi[9];
	struct answer a;

	octets(imsi, IMSI);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint8_t *exact = read_hex(&a, NULL, good[i]);

		assert_int_equal(a.kind, ANSWER_WHOLE);
		assert_int_equal(a.data_len, 9);
		assert_memory_equal(a.data, imsi, 9);
		free(exact);
	}
}

/* A status word counts as the profile says: 92 0X is success for a 2G card alone. */
static void status_words_are_the_profiles(void **state)
{
	struct profile p;

	profile(&p, "compact");
	check(&p, "059203" IMSI, ANSWER_FAILED, 4, 0x9203, true, 9, NULL);
	p.cla = 0xa0;
	check(&p, "059203" IMSI, ANSWER_WHOLE, 5, 0x9203, true, 9, NULL);
	profile(&p, "expanded");
	check(&p, "ab20800105" OK "23029203" OK OK "230b" IMSI "9000", ANSWER_FAILED, 1, 0x9203, true, 9, NULL);
	check(&p,
	      "ab20800105" OK "23026282" OK "23029110"
	      "230b" IMSI "9000",
	      ANSWER_WHOLE, 5, 0x9000, true, 9, NULL);
}

/* Each answer cut at each length and flipped at each bit is read without harm; cut, none of them is whole. */
static void damaged_answers_are_survived(void **state)
{
	static const char good[] = "ab20800105" OK OK OK OK "230b" IMSI "9000";
	uint8_t buf[64], *exact;
	struct profile p;
	struct answer a;
	size_t n = octets(buf, good);

	profile(&p, "expanded");
	for (size_t cut = 0; cut < n; cut++) {
		exact = malloc(cut ? cut : 1);
		assert_non_null(exact);
		memcpy(exact, buf, cut);
		answer_read(&a, &p, COMMANDS, exact, cut);
		assert_int_not_equal(a.kind, ANSWER_WHOLE);
		answer_read(&a, NULL, COMMANDS, exact, cut);
		assert_int_not_equal(a.kind, ANSWER_WHOLE);
		free(exact);
	}
	exact = malloc(n);
	assert_non_null(exact);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		memcpy(exact, buf, n);
		exact[bit / 8] ^= (uint8_t)(1u << bit % 8);
		for (unsigned commands = 0; commands < 8; commands++) {
			answer_read(&a, &p, commands, exact, n);
			assert_true(a.count <= commands);
			assert_true(a.at <= commands);
		}
	}
	free(exact);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_answer_is_read),
		cmocka_unit_test(success_is_read_without_a_profile),
		cmocka_unit_test(status_words_are_the_profiles),
		cmocka_unit_test(damaged_answers_are_survived),
	};

	return cmocka_run_group_tests_name("answer", tests, setup, teardown);
}
