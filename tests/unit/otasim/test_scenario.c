/* test_scenario.c - what the lines of a scenario mean, and what is said about those that mean nothing.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/scn.h"

#define S 1000ll
#define M 60000ll
#define H 3600000ll

static char err[SCN_ERR_MAX];

/* In a heap block of exactly its length: there is no NUL behind a file. */
static struct scn *parse(const char *text, const struct scn_given *given)
{
	static const struct scn_given none;
	size_t len = strlen(text);
	char *exact = malloc(len ? len : 1);
	struct scn *s;

	assert_non_null(exact);
	memcpy(exact, text, len);
	s = scn_parse("x.scn", exact, len, given ? given : &none, err);
	free(exact);
	return s;
}

static struct scn *good(const char *text)
{
	struct scn *s = parse(text, NULL);

	if (!s)
		fail_msg("%s", err);
	return s;
}

/* ---- what is wrong ---- */

static const struct {
	const char *text, *says;
} bad[] = {
	{ "foo", "x.scn:1: \"foo\" is not how a line begins, nor the name of a group; there are: scenario, cards, "
		 "seed, smscs, "
		 "operator, set, group, begin, end, quiet, smsc, hlr, card, expect, every, all" },
	{ "\n# yes\nexpct runs = 1",
	  "x.scn:3: \"expct\" is not how a line begins, nor the name of a group; did you mean "
	  "\"expect\"?" },
	{ "card 5 absnt", "x.scn:1: \"absnt\" is not something a card can be; did you mean \"absent\"?" },
	{ "card 5", "x.scn:1: what these cards are to be is missing after \"5\"" },
	{ "card x absent",
	  "x.scn:1: \"x\" is not a card or a range of cards like 1-100; cards are numbered as in cards.csv" },
	{ "card 0 absent", "x.scn:1: cards 0-0: the first card is 1, and ranges go upwards" },
	{ "card 9-8 absent", "x.scn:1: cards 9-8: the first card is 1, and ranges go upwards" },
	{ "card 1, absent",
	  "x.scn:1: \"absent\" is not a card or a range of cards like 1-100; cards are numbered as in "
	  "cards.csv" },
	{ "cards 10\ncard 11 silent", "x.scn:2: card 11: this fleet has 10 cards" },
	{ "cards 10\nevery 11th silent", "x.scn:2: every 11th: this fleet has 10 cards" },
	{ "every 1st silent", "x.scn:1: \"every 1st\" is no set of cards: wanted is every 2nd, 3rd, 4th ..." },
	{ "every 7 silent", "x.scn:1: \"every 7\" is no set of cards: wanted is every 2nd, 3rd, 4th ..." },
	{ "cards 10\n\n1% silent", "x.scn:3: this share of 10 cards is no card at all" },
	{ "101% silent", "x.scn:1: set of cards: \"101%\" is not a share like 10% or 0.5%" },
	{ "cards 9\ncard 1 but card 1 silent", "x.scn:2: no card is left in this set" },
	{ "cards 9\nexpect card 1 but card 1 imsi new", "x.scn:2: no card is left in this set" },
	{ "all but all silent", "x.scn:1: \"but all\" leaves nobody" },
	{ "all but foo silent",
	  "x.scn:1: \"foo\" is not a set of cards (nor a group that was named above); there are: card, "
	  "every, all" },
	{ "group at = 10%", "x.scn:1: \"at\" is a word of the language and no name for a group" },
	{ "group Far = 10%",
	  "x.scn:1: \"Far\" is no name for a group: up to 31 small letters, digits, - and _, a letter first" },
	{ "group far = 10%\ngroup far = 5%", "x.scn:2: there is a group \"far\" already" },
	{ "group far 10%", "x.scn:1: wanted is \"group far = 10%\", or another set of cards" },
	{ "cards 5\ngroup far = card 7", "x.scn:2: card 7: this fleet has 5 cards" },
	{ "cards 0", "x.scn:1: cards: \"0\" is not a number from 1 to 1000000" },
	{ "cards 12 monkeys", "x.scn:1: \"monkeys\" is not something a card can be; there are: absent, present" },
	{ "seed -1", "x.scn:1: seed: \"-1\" is not a number from 0 to 999999999999999999" },
	{ "card 1 absent from", "x.scn:1: from is missing after \"from\"" },
	{ "card 1 absent from 5", "x.scn:1: from: \"5\" is not a time like 30s, 5m, 1h30m or 2d" },
	{ "card 1 absent from 5x", "x.scn:1: from: \"5x\" is not a time" },
	{ "card 1 absent from 1m1h", "x.scn:1: from: \"1m1h\" is not a time" },
	{ "card 1 absent from 400d", "x.scn:1: from: \"400d\" is more than a year" },
	{ "card 1 absent from 99999999999999999999s", "x.scn:1: from: \"99999999999999999999s\" is not a time" },
	{ "card 1 absent from 5m..1m", "x.scn:1: from: \"5m..1m\" goes backwards" },
	{ "card 1 absent from 5m to 4m", "x.scn:1: it ends before it begins" },
	{ "card 1 absent from 5m..6m to 7m",
	  "x.scn:1: \"from A..B to C\" is different for each card: say \"from A..B for D\"" },
	{ "card 1 absent at 5m", "x.scn:1: say \"at 5m for 30s\", or \"from 5m\" when it is to last" },
	{ "card 1 absent for 0s", "x.scn:1: for 0s: that is no time at all" },
	{ "card 1 absent from 5m every 10m", "x.scn:1: what comes again must end: say \"from 5m for 30s every 10m\"" },
	{ "card 1 absent for 10s every 10s",
	  "x.scn:1: every: must be longer than what it repeats, and at least 100 ms" },
	{ "card 1 absent 5m", "x.scn:1: nothing more was expected here: \"5m\"" },
	{ "card 1 power-cycle", "x.scn:1: this happens at a moment: say \"at 5m\"" },
	{ "card 1 replay 07", "x.scn:1: \"07\" is not an answer to a counter too low; did you mean \"02\"?" },
	{ "card 1 slow", "x.scn:1: slow is missing after \"slow\"" },
	{ "card 1 refuses-writes 0000", "x.scn:1: 0000 is no file" },
	{ "smsc ded", "x.scn:1: \"ded\" is not something an SMSC can be; did you mean \"dead\"?" },
	{ "smsc north dead", "x.scn:1: \"north\" is not something an SMSC can be; there are: healthy, flaky" },
	{ "smscs north south\nsmsc nort dead",
	  "x.scn:2: \"nort\" is not something an SMSC can be; did you mean \"north\"?" },
	{ "smscs dead", "x.scn:1: \"dead\" is what an SMSC can be, and no name for one" },
	{ "smscs a a", "x.scn:1: there is an SMSC \"a\" already" },
	{ "smscs a b c d e f g h i", "x.scn:1: at most 8 SMSCs" },
	{ "smscs a\nsmscs b", "x.scn:2: the SMSCs have been named already" },
	{ "smsc dead\nsmscs b", "x.scn:2: the SMSCs are named before anything is said about them: move this line up" },
	{ "smsc dead from 1m..2m", "x.scn:1: ranges of time are for cards; for an SMSC say one time" },
	{ "smsc throttling 0/s", "x.scn:1: \"0/s\" is not a rate like 10/s" },
	{ "smsc refuses-binds 0xzz", "x.scn:1: \"0xzz\" is not an SMPP status like 0x0e" },
	{ "smsc cut", "x.scn:1: this happens at a moment: say \"at 5m\"" },
	{ "begin later",
	  "x.scn:1: \"later\" is not a moment at which time can begin; there are: start, first-connection" },
	{ "end 5m", "x.scn:1: \"5m\" is not how a scenario ends; there are: at, by" },
	{ "end by 0", "x.scn:1: a scenario lasts longer than 0s" },
	{ "end by 5m\nsmsc dead from 5m", "x.scn:2: this is not before the end of the scenario" },
	{ "end by 5m\nexpect imsi new by 6m", "x.scn:2: the scenario ends before this can be judged" },
	{ "scenario", "x.scn:1: the scenario's name is missing after \"scenario\"" },
	{ "set", "x.scn:1: the option's name is missing after \"set\"" },
	{ "expect", "x.scn:1: what is expected is missing after \"expect\"" },
	{ "expect atempts <= 5",
	  "x.scn:1: \"atempts\" is not something that can be expected; did you mean \"attempts\"?" },
	{ "expect attempts 5", "x.scn:1: \"5\" does not compare; there are: =, <=, >=, <, >" },
	{ "expect attempts <= five", "x.scn:1: attempts: \"five\" is not a number from 0 to 1000000000000" },
	{ "expect attempts < 0", "x.scn:1: nothing is less than 0" },
	{ "expect shortest-gap >= 5", "x.scn:1: shortest-gap: \"5\" is not a time" },
	{ "expect imsi newer", "x.scn:1: \"newer\" is not an IMSI of these cards; did you mean \"new\"?" },
	{ "expect no imsi", "x.scn:1: \"no imsi\" means nothing" },
	{ "expect no submit while dad",
	  "x.scn:1: \"dad\" is not a state that can be asked for; did you mean \"dead\"?" },
	{ "expect no submit while absent",
	  "x.scn:1: \"submits\" is counted at the SMSCs: \"while\" can name what an SMSC is" },
	{ "expect card 1 submits = 0",
	  "x.scn:1: \"submits\" is counted at the SMSCs, not card by card; of cards, expect "
	  "attempts" },
	{ "expect smsc attempts = 0", "x.scn:1: \"attempts\" is counted card by card, not at an SMSC" },
	{ "expect runs = 1 while dead",
	  "x.scn:1: \"runs\" is known for the whole time only: \"from\" and \"while\" do not go "
	  "with it" },
	{ "expect attempts = 1 from 5m to 4m", "x.scn:1: it ends before it begins" },
	{ "expect attempts = 1 from 1m to 4m by 3m", "x.scn:1: \"by\" is before the end of what is counted" },
	{ "expect attempts = 1 soon", "x.scn:1: \"soon\" is not a time or a state; there are: by, until, from, while" },
	{ "expect total imsi new", "x.scn:1: \"total\" adds up what cards count; it does not go with this" },
	{ "expect at least 0% of all imsi new", "x.scn:1: at least 0% is always true" },
	{ "expect at least 5 all imsi new", "x.scn:1: wanted is \"at least 95% of all ...\"" },
	{ "expect at least 7 of card 1-5 imsi new", "x.scn:1: at least 7: this set has 5 cards" },
	{ "card 1 abs\x01ent", "x.scn:1: there is a control character in this line" },
};

static void test_what_is_wrong(void **state)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(parse(bad[i].text, NULL));
		if (strncmp(err, bad[i].says, strlen(bad[i].says)))
			fail_msg("about \"%s\" it is said\n%s\nand not\n%s", bad[i].text, err, bad[i].says);
	}
}

static char *repeat(const char *line, unsigned n)
{
	size_t len = strlen(line);
	char *text = malloc(n * (len + 12) + 1), *p = text;

	assert_non_null(text);
	*p = '\0';
	for (unsigned i = 0; i < n; i++)
		p += sprintf(p, line, i);
	return text;
}

/* Every limit says so, and one less is fine. */
static void test_limits(void **state)
{
	static const struct {
		const char *line;
		unsigned max;
		const char *says;
	} limits[] = {
		{ "card %u,1 silent\n", 0, "the first card is 1" },
		{ "smsc cut at %us\n", SCN_RULES_MAX, "more than 1000 lines that do something to cards or SMSCs" },
		{ "expect attempts <= %u\n", SCN_EXPECTS_MAX, "more than 200 expectations" },
		{ "group g%u = all but card 1\n", SCN_GROUPS_MAX, "more than 100 groups" },
		{ "10%% silent # %u\n", SCN_SHARES_MAX, "more than 100 shares of the fleet" },
		{ "set x%u 1\n", SCN_OPTIONS_MAX, "more than 50 \"set\" lines" },
		{ "card 1,2,3,4,5,6,7,8 silent # %u\n", SCN_TERMS_MAX / 8,
		  "the sets of this scenario have more than 4000 parts" },
	};
	struct scn_given given = { .cards = 50 };

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		char *text = repeat(limits[i].line, limits[i].max);
		struct scn *s = parse(text, &given);

		assert_non_null(s);
		scn_free(s);
		free(text);
		text = repeat(limits[i].line, limits[i].max + 1);
		assert_null(parse(text, &given));
		assert_non_null(strstr(err, limits[i].says));
		free(text);
	}
	{
		char *text = repeat("# 789012345678901234 %u\n", SCN_TEXT_MAX / 20);

		assert_null(parse(text, NULL));
		assert_non_null(strstr(err, "a scenario has at most 262144 octets"));
		free(text);
		text = repeat("x ", SCN_WORDS_MAX + 1);
		assert_null(parse(text, NULL));
		assert_non_null(strstr(err, "more than 80 words"));
		free(text);
		text = repeat("x", SCN_LINE_MAX + 1);
		assert_null(parse(text, NULL));
		assert_string_equal(err, "x.scn:1: this line has 501 octets; at most 500");
		free(text);
	}
	assert_null(parse("group a = card 1\ngroup b = a but card 2\ngroup c = b but card 2\ngroup d = c but a\n"
			  "group e = d but a\ngroup f = e but a\ngroup g = f but a\ngroup h = g but a",
			  NULL));
	assert_non_null(strstr(err, "x.scn:8: sets inside sets inside sets: at most 6 deep"));
}

/* ---- what is right ---- */

static unsigned size(struct scn *s, unsigned rule)
{
	return scn_set_size(s, s->rule[rule].set);
}

static void test_sets(void **state)
{
	struct scn *s = good("cards 1000\nseed 7\n"
			     "group far = 10%\n"
			     "card 5 silent\n"
			     "card 1-100,205, 300-301 silent\n"
			     "cards 7-8 silent\n"
			     "every 7th silent\n"
			     "10% silent\n"
			     "far silent\n"
			     "all but far silent\n"
			     "all silent\n"
			     "0.5% silent\n"
			     "all but every 2nd but card 2 silent\n");
	static const unsigned sizes[] = { 1, 103, 2, 142, 100, 100, 900, 1000, 5, 501 };
	unsigned both = 0;

	assert_int_equal(s->rules, sizeof(sizes) / sizeof(sizes[0]));
	for (unsigned i = 0; i < s->rules; i++)
		assert_int_equal(size(s, i), sizes[i]);
	assert_true(scn_in(s, s->rule[0].set, 4));
	assert_true(scn_in(s, s->rule[1].set, 204));
	assert_false(scn_in(s, s->rule[1].set, 203));
	assert_true(scn_in(s, s->rule[3].set, 6));
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_not_equal(scn_in(s, s->rule[5].set, i), scn_in(s, s->rule[6].set, i));
		both += scn_in(s, s->rule[4].set, i) && scn_in(s, s->rule[5].set, i);
	}
	assert_in_range(both, 1, 30); /* two draws, not the same one */
	scn_free(s);
}

/* A group's cards do not change with the lines around it, but with the seed. */
static void test_draws(void **state)
{
	struct scn *a = good("cards 500\ngroup far = 20%\nfar silent"),
		   *b = good("cards 500\n10% silent\ngroup near = 10%\ngroup far = 20%\nfar silent"),
		   *c = good("cards 500\nseed 2\ngroup far = 20%\nfar silent");
	unsigned other = 0;

	for (uint32_t i = 0; i < 500; i++) {
		assert_int_equal(scn_in(a, a->rule[0].set, i), scn_in(b, b->rule[1].set, i));
		other += scn_in(a, a->rule[0].set, i) != scn_in(c, c->rule[0].set, i);
	}
	assert_true(other > 50);
	scn_free(a);
	scn_free(b);
	scn_free(c);
}

static void test_times(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} times[] = {
		{ "0", 0 },
		{ "0s", 0 },
		{ "500ms", 500 },
		{ "30s", 30 * S },
		{ "5m", 5 * M },
		{ "1h30m", 90 * M },
		{ "2d", 48 * H },
		{ "1m1s1ms", M + S + 1 },
		{ "366d", 366 * 24 * H },
	};
	char text[64], out[SCN_TIME_TEXT_MAX];
	struct scn *s;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		snprintf(text, sizeof(text), "card 1 absent from %s", times[i].text);
		s = good(text);
		assert_int_equal(s->rule[0].when.from.lo, times[i].ms);
		assert_int_equal(s->rule[0].when.len.lo, SCN_TO_END);
		scn_free(s);
	}
	s = good("card 1 absent from 5..50ms for 1..2h30m");
	assert_int_equal(s->rule[0].when.from.lo, 5);
	assert_int_equal(s->rule[0].when.from.hi, 50);
	assert_int_equal(s->rule[0].when.len.lo, M); /* a lone number takes the last unit */
	assert_int_equal(s->rule[0].when.len.hi, 150 * M);
	scn_free(s);
	assert_string_equal(scn_time_text(out, 90 * M + 500), "1h30m500ms");
	assert_string_equal(scn_time_text(out, 0), "0s");
	assert_string_equal(scn_time_text(out, SCN_NEVER), "never");
}

static void check_span(const struct scn *s, unsigned rule, int64_t from, int64_t len, int64_t every, int64_t until)
{
	const struct scn_when *w = &s->rule[rule].when;

	assert_int_equal(w->from.lo, from);
	assert_int_equal(w->len.lo, len);
	assert_int_equal(w->every_ms, every);
	assert_int_equal(w->until_ms, until);
}

static void test_cards(void **state)
{
	struct scn *s = good("card 1 absent from 1m to 3m\n"
			     "card 1 present at 2m for 10s\n"
			     "card 1 is memory-full to 5m\n"
			     "card 1 slow 2s..8s\n"
			     "card 1 replay 06\n"
			     "card 1 refuses-writes from 5m\n"
			     "card 1 refuses-writes 6F7E\n"
			     "card 1 power-cycle at 5m every 1h\n"
			     "card 1 wrong-keys for 1s every 1m until 10m\n");

	assert_int_equal(s->rule[0].prop, PROP_COVERAGE);
	assert_int_equal(s->rule[0].value.lo, SIM_COVERAGE_ABSENT);
	check_span(s, 0, M, 2 * M, 0, SCN_NEVER);
	check_span(s, 1, 2 * M, 10 * S, 0, SCN_NEVER);
	assert_int_equal(s->rule[2].value.lo, SIM_MEMORY_FULL);
	check_span(s, 2, 0, 5 * M, 0, SCN_NEVER);
	check_span(s, 3, 0, SCN_TO_END, 0, SCN_NEVER);
	assert_int_equal(s->rule[3].value.hi, 8 * S);
	assert_in_range(scn_rule_value(s, &s->rule[3], 0), 2 * S, 8 * S);
	assert_int_not_equal(scn_rule_value(s, &s->rule[3], 0), scn_rule_value(s, &s->rule[3], 1));
	assert_int_equal(s->rule[4].value.lo, SIM_REPLAY_06_CLEAR);
	assert_int_equal(s->rule[5].value.lo, 0x6f07);
	assert_int_equal(s->rule[6].value.lo, 0x6f7e);
	check_span(s, 7, 5 * M, 0, H, SCN_NEVER);
	check_span(s, 8, 0, S, M, 10 * M);
	scn_free(s);
}

static void test_smscs(void **state)
{
	struct scn *s = good("smscs north south west\n"
			     "smsc north flaky 15% from 5m to 10m\n"
			     "smsc north west throttling 5/s\n"
			     "smsc slow 1s..2s at 1m for 1m\n"
			     "smsc refuses-binds 0x0e\n"
			     "smsc south is dead from 1h for 1m\n"
			     "smsc cut at 1m\n"
			     "smsc flaky\n");

	assert_int_equal(s->doors, 3);
	assert_string_equal(s->door_name[1], "south");
	assert_int_equal(s->rule[0].doors, 1);
	assert_int_equal(s->rule[0].mood.share_ppm, 150000);
	assert_int_equal(s->rule[1].doors, 5);
	assert_true(s->rule[1].mood.rate == 5);
	assert_int_equal(s->rule[2].doors, 7);
	assert_int_equal(s->rule[2].mood.delay_ms.hi, 2 * S);
	assert_int_equal(s->rule[3].mood.status, 0x0e);
	assert_int_equal(s->rule[4].mood.kind, SMSC_DEAD);
	assert_int_equal(s->rule[5].prop, PROP_CUT);
	assert_int_equal(s->rule[6].mood.share_ppm, 200000);
	scn_free(s);
}

static void test_expectations(void **state)
{
	struct scn *s = good("smscs a b\ngroup far = card 1-9\n"
			     "expect card 1-100 imsi new by 1h\n"
			     "expect runs=1\n"
			     "expect attempts <= 5\n"
			     "expect no submit while dead after 30s\n"
			     "expect at least 95% of far presents old until 5m\n"
			     "expect total of far attempts <= 100 from 1m to 5m\n"
			     "expect smsc b rate <= 50\n"
			     "expect far first-attempt <= 30s\n"
			     "expect at least 3 of far no attempts while absent\n"
			     "expect binds < 4 from 2m\n");
	const struct scn_expect *e = s->expect;

	assert_int_equal(s->expects, 10);
	assert_string_equal(e[0].text, "expect card 1-100 imsi new by 1h");
	assert_int_equal(e[0].metric, METRIC_IMSI);
	assert_int_equal(e[0].value, 1);
	assert_int_equal(e[0].by_ms, H);
	assert_int_equal(e[1].metric, METRIC_RUNS);
	assert_string_equal(e[1].text, "expect runs = 1");
	assert_int_equal(e[1].by_ms, SCN_NEVER);
	assert_int_equal(e[2].op, OP_LE);
	assert_int_equal(e[2].set, SCN_ALL);
	assert_int_equal(e[3].metric, METRIC_SUBMITS);
	assert_int_equal(e[3].op, OP_EQ);
	assert_int_equal(e[3].state_of, SMSC_DEAD);
	assert_int_equal(e[3].after_ms, 30 * S);
	assert_int_equal(e[3].doors, 3);
	assert_int_equal(e[4].need_ppm, 950000);
	assert_int_equal(e[4].value, 0);
	assert_true(e[5].total);
	assert_int_equal(e[5].from_ms, M);
	assert_int_equal(e[5].by_ms, 5 * M);
	assert_int_equal(e[6].doors, 2);
	assert_int_equal(e[7].by_ms, 30 * S);
	assert_int_equal(e[8].need_n, 3);
	assert_int_equal(e[8].state, WHILE_ABSENT);
	assert_int_equal(e[9].to_ms, SCN_NEVER);
	assert_int_equal(e[9].by_ms, SCN_NEVER);
	scn_free(s);
}

static void test_the_whole(void **state)
{
	struct scn *s =
		good("# a comment\n\n  scenario   outage at noon # really\ncards 50\nseed 9\nbegin first-connection\n"
		     "end at 2h\nquiet 30s\nset latency 5..50ms\nset silent-errors\r\n");
	struct scn_given given = { .cards = 60, .has_seed = true, .seed = 0 };

	assert_string_equal(s->name, "outage at noon");
	assert_int_equal(s->cards, 50);
	assert_int_equal(s->seed, 9);
	assert_true(s->begin_connected && s->end_exact);
	assert_int_equal(s->end_ms, 2 * H);
	assert_int_equal(s->quiet_ms, 30 * S);
	assert_int_equal(s->options, 2);
	assert_string_equal(s->option[0].value, "5..50ms");
	assert_string_equal(s->option[1].name, "silent-errors");
	assert_string_equal(s->option[1].value, "");
	assert_int_equal(s->option[1].line, 10);
	scn_free(s);
	s = parse("cards 50\nseed 9\ncard 60 silent", &given); /* the command line wins */
	assert_non_null(s);
	assert_int_equal(s->cards, 60);
	assert_int_equal(s->seed, 0);
	assert_int_equal(s->end_ms, H);
	assert_string_equal(s->name, "x.scn");
	scn_free(s);
	s = good("");
	assert_int_equal(s->cards, 1000);
	scn_free(s);
	s = good("card 1 silent from 3h\nexpect imsi new by 6h"); /* as long as any line needs */
	assert_int_equal(s->end_ms, 6 * H);
	scn_free(s);
	s = scn_empty(5, 1);
	assert_int_equal(s->end_ms, SCN_NEVER);
	assert_int_equal(scn_set_size(s, SCN_ALL), 5);
	scn_free(s);
}

/* ---- at any moment ---- */

static void test_moments(void **state)
{
	struct scn *s = good("card 1 absent from 1m to 3m\n"
			     "card 1 absent from 10s for 5s every 20s until 45s\n"
			     "card 1 power-cycle at 7s every 3s until 13s\n"
			     "card 1 absent\n"
			     "all absent from 1m..2m for 10s..20s\n");
	static const struct {
		int64_t t;
		bool active;
		int64_t edge;
	} once[] = { { 0, false, M },
		     { M - 1, false, M },
		     { M, true, 3 * M },
		     { 3 * M - 1, true, 3 * M },
		     { 3 * M, false, SCN_NEVER } },
	  again[] = { { 0, false, 10 * S },	{ 10 * S, true, 15 * S },     { 15 * S, false, 30 * S },
		      { 31 * S, true, 35 * S }, { 35 * S, false, SCN_NEVER }, { 50 * S, false, SCN_NEVER } };
	int64_t t = 0, at[4];
	unsigned others = 0;

	for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++) {
		assert_int_equal(scn_rule_active(s, &s->rule[0], 0, once[i].t), once[i].active);
		assert_int_equal(scn_rule_edge(s, &s->rule[0], 0, once[i].t), once[i].edge);
	}
	for (size_t i = 0; i < sizeof(again) / sizeof(again[0]); i++) {
		assert_int_equal(scn_rule_active(s, &s->rule[1], 0, again[i].t), again[i].active);
		assert_int_equal(scn_rule_edge(s, &s->rule[1], 0, again[i].t), again[i].edge);
	}
	for (int i = 0; i < 4; i++)
		at[i] = t = t == SCN_NEVER ? t : scn_rule_edge(s, &s->rule[2], 0, t);
	assert_int_equal(at[0], 7 * S);
	assert_int_equal(at[1], 10 * S);
	assert_int_equal(at[2], SCN_NEVER); /* 13 s is not before "until 13s" */
	assert_true(scn_rule_active(s, &s->rule[3], 0, 0));
	assert_int_equal(scn_rule_edge(s, &s->rule[3], 0, 0), SCN_NEVER);
	for (uint32_t i = 0; i < 1000; i++) {
		int64_t from = scn_rule_from(s, &s->rule[4], i), len = scn_rule_len(s, &s->rule[4], i);

		assert_in_range(from, M, 2 * M);
		assert_in_range(len, 10 * S, 20 * S);
		assert_int_equal(scn_rule_edge(s, &s->rule[4], i, from), from + len);
		others += from != scn_rule_from(s, &s->rule[4], 0);
	}
	assert_true(others > 900);
	scn_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_wrong), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_sets),	      cmocka_unit_test(test_draws),
		cmocka_unit_test(test_times),	      cmocka_unit_test(test_cards),
		cmocka_unit_test(test_smscs),	      cmocka_unit_test(test_expectations),
		cmocka_unit_test(test_the_whole),     cmocka_unit_test(test_moments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
