/* ho_main.c - sim_handover: runs seeds, or one of them in full words; shows that each judge can speak.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ho.h"

static const struct {
	const char *name, *rule, *in; /* in: this case; NULL: seeds */
} breaks[_HO_BREAKS] = {
	[HO_BREAK_ARM_EARLY] = { "arm-early", "ready" },
	[HO_BREAK_PURGE_EARLY] = { "purge-early", "purge" },
	[HO_BREAK_FORGET_B] = { "forget-b", "stranded" },
	[HO_BREAK_TWICE] = { "twice", "twice" },
	[HO_BREAK_MUTE] = { "mute", "liveness" },
	[HO_BREAK_LOSE_HL] = { "lose-hl", "liveness" },
	[HO_BREAK_PAIR] = { "pair", "pair" },
	[HO_BREAK_LIE] = { "lie", "truth" },
	[HO_BREAK_LIST] = { "list", "list" },
	[HO_BREAK_SQN] = { "sqn", "sqn" },
	[HO_BREAK_PRESENT] = { "present", "after-arm" },
	[HO_BREAK_COUNTERS] = { "counters", "cntr" },
	[HO_BREAK_KEYS_EARLY] = { "keys-early", "early" },
	[HO_BREAK_REKEY_EARLY] = { "rekey-early", "rekey" },
	[HO_BREAK_OLD_K] = { "old-k", "keys" },
	[HO_BREAK_SEQ] = { "seq", "number" },
	[HO_BREAK_REPORT] = { "report", "report" },
	[HO_BREAK_ANEW] = { "anew", "case", "F3" },
	[HO_BREAK_HEEDED] = { "heeded", "case", "F7" },
	[HO_BREAK_WASTED] = { "wasted", "case", "F9-B" },
	[HO_BREAK_BELOW] = { "below", "case", "H9" },
	[HO_BREAK_F13] = { "f13", "stranded", "F13" },
	[HO_BREAK_NUMBER] = { "msisdn", "msisdn" },
};

#define F13_STEP    7 /* of all commits when all cases run; --case F13 goes through each */
#define K13_STEP    3
#define N13_STEP    11
#define R_STEP	    17 /* of all restores, likewise */
#define BREAK_SEEDS 16 /* one of the first must notice */

static unsigned seeds(uint64_t first, uint64_t count, uint64_t step)
{
	unsigned bad = 0;

	for (uint64_t s = first; s < first + count; s += step) {
		char why[600];

		if (!ho_run(s, NULL, HO_SOUND, false, why))
			continue;
		printf("seed %llu: %s\n", (unsigned long long)s, why);
		fflush(stdout);
		bad++;
	}
	return bad;
}

static int in_jobs(uint64_t first, uint64_t count, unsigned jobs)
{
	pid_t pid[64];
	int bad = 0;

	if (jobs < 2)
		return seeds(first, count, 1) != 0;
	for (unsigned i = 0; i < jobs; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			int rc = seeds(first + i, count - i, jobs) != 0;

			ho_lasting_free();
			_exit(rc);
		}
	}
	for (unsigned i = 0; i < jobs; i++) {
		int status = 0;

		waitpid(pid[i], &status, 0);
		bad |= !WIFEXITED(status) || WEXITSTATUS(status);
	}
	return bad;
}

static const struct ho_case *case_of(const char *name)
{
	static struct ho_case f13;
	static bool crashed;

	for (const struct ho_case *const *list = ho_cases; name && *list; list++)
		for (const struct ho_case *c = *list; c->name; c++)
			if (!strcmp(name, c->name))
				return c;
	f13 = ho_cases_fine[0];
	f13.crash_who = HO_A;
	f13.crash_at = 20;
	f13.crashed = &crashed;
	f13.draw = ho_one_card;
	return name ? &f13 : NULL;
}

/* Each break is found by its own judge in one of the first seeds, or in its case. */
static int show_breaks(void)
{
	int bad = 0;

	for (unsigned b = 1; b < _HO_BREAKS; b++) {
		bool found = false;

		for (uint64_t s = 1; s <= BREAK_SEEDS && !found; s++) {
			char why[600];
			size_t n = strlen(breaks[b].rule);

			if (!ho_run(s, case_of(breaks[b].in), (enum ho_break)b, false, why))
				continue;
			found = !strncmp(why, breaks[b].rule, n) && why[n] == ':';
			if (found)
				printf("%s: seed %llu: %s\n", breaks[b].name, (unsigned long long)s, why);
		}
		if (!found)
			printf("%s: nobody has noticed\n", breaks[b].name);
		bad |= !found;
	}
	return bad;
}

/* F13: the power of each party fails with each of its commits, which is lost or kept.  step: with every how many-th. */
static int at_each_commit(unsigned step, bool verbose)
{
	static const unsigned who[] = { HO_A, HO_B, HO_M };
	unsigned n = 0;
	int bad = 0;

	for (unsigned k = 0; k < 12; k++) { /* kind, lost or kept, party */
		bool crashed = true;
		struct ho_case c = ho_cases_fine[k & 1];

		c.crash_who = who[k / 4];
		c.crash_keeps = k & 2;
		c.crashed = &crashed;
		c.draw = ho_one_card;
		for (c.crash_at = 1 + k % step; crashed && (c.kind == ORDER_3B || c.crash_who != HO_M);
		     c.crash_at += step) {
			char why[600];

			if (ho_run(1, &c, HO_SOUND, false, why)) {
				printf("F13: %s, %s fails with commit %u, which is %s: %s\n",
				       c.kind == ORDER_3A ? "3a" : "3b",
				       k / 4 == 0 ? "A" :
				       k / 4 == 1 ? "B" :
						    "the vault",
				       c.crash_at, c.crash_keeps ? "kept" : "lost", why);
				bad = 1;
			}
			n += crashed;
		}
	}
	printf("%-8s the power of each party fails at its commits, %u times%s: %s\n", "F13", n, verbose ? "" : " here",
	       bad ? "see above" : "as it must");
	return bad;
}

/* K13, I13: the same while A changes the keys of a card, or its IMSI.  N13: while an MSISDN goes there and back. */
static int at_each_commit_of(const struct ho_case *what, unsigned who, unsigned step)
{
	unsigned n = 0;
	int bad = 0;

	for (unsigned keeps = 0; keeps < 2; keeps++) {
		struct ho_case c = *what;
		bool crashed = true;

		c.crash_who = who;
		c.crash_keeps = keeps;
		c.crashed = &crashed;
		for (c.crash_at = 1 + keeps;; c.crash_at += step) {
			char why[600];

			if (ho_run(1, &c, HO_SOUND, false, why)) {
				printf("%s: %s fails with commit %u, which is %s: %s\n", c.name,
				       who == HO_A ? "A" : "B", c.crash_at, keeps ? "kept" : "lost", why);
				bad = 1;
			}
			if (!crashed) /* it was through before */
				break;
			n++;
		}
	}
	printf("%-8s power of %s fails at the commits of %s, %u times: %s\n", what->name, who == HO_A ? "A" : "B",
	       what->story, n, bad ? "see above" : "as it must");
	return bad;
}

/* name NULL: all of them. */
static int cases(const char *name, bool verbose)
{
	int bad = 0, n = 0;

	for (const struct ho_case *const *list = ho_cases; *list; list++)
		for (const struct ho_case *c = *list; c->name; c++) {
			char why[600];

			if (name && strcmp(name, c->name))
				continue;
			n++;
			bad |= ho_run(1, c, HO_SOUND, verbose, why);
			printf("%-8s %s: %s\n", c->name, c->story, why[0] ? why : "as it must");
		}
	if (!name || !strcmp(name, "F13")) {
		bad |= at_each_commit(name ? 1 : F13_STEP, name);
		n++;
	}
	if (!name || !strcmp(name, "K13")) {
		bad |= at_each_commit_of(&ho_case_change_alone, HO_A, name ? 1 : K13_STEP);
		n++;
	}
	if (!name || !strcmp(name, "I13")) {
		bad |= at_each_commit_of(&ho_case_second_alone, HO_A, name ? 1 : K13_STEP);
		n++;
	}
	if (!name || !strcmp(name, "N13")) {
		bad |= at_each_commit_of(&ho_case_number_alone, HO_A, name ? 1 : N13_STEP);
		bad |= at_each_commit_of(&ho_case_number_alone, HO_B, name ? 1 : N13_STEP);
		n++;
	}
	if (!name || name[0] == 'R') {
		bad |= ho_back_all(name, name);
		n++;
	}
	if (!name || !strcmp(name, "restore")) {
		bad |= ho_restores(name ? 1 : R_STEP);
		n++;
	}
	if (!n)
		fprintf(stderr, "no case %s\n", name);
	return bad || !n;
}

static int usage(void)
{
	fputs("usage: sim_handover [--seed N] [--break NAME] | [--first N] [--count N] [--jobs N] | --breaks\n",
	      stderr);
	return 2;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", 1, NULL, 's' },  { "first", 1, NULL, 'f' },  { "count", 1, NULL, 'c' },
		{ "jobs", 1, NULL, 'j' },  { "breaks", 0, NULL, 'B' }, { "break", 1, NULL, 'b' },
		{ "cases", 0, NULL, 'A' }, { "case", 1, NULL, 'C' },   { NULL, 0, NULL, 0 },
	};
	uint64_t first = 1, count = 100, seed = 0;
	unsigned jobs = 1, broken = HO_SOUND;
	char why[600];
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 's':
			seed = strtoull(optarg, NULL, 10);
			break;
		case 'f':
			first = strtoull(optarg, NULL, 10);
			break;
		case 'c':
			count = strtoull(optarg, NULL, 10);
			break;
		case 'j':
			jobs = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'b':
			for (broken = 1; broken < _HO_BREAKS && strcmp(optarg, breaks[broken].name);)
				broken++;
			if (broken == _HO_BREAKS)
				return usage();
			break;
		case 'B':
			return show_breaks();
		case 'A':
			return cases(NULL, false);
		case 'C':
			return cases(optarg, true);
		default:
			return usage();
		}
	if (jobs > 64 || optind < argc)
		return usage();
	if (seed)
		return ho_run(seed, case_of(breaks[broken].in), (enum ho_break)broken, true, why);
	return in_jobs(first, count, jobs);
}

int main(int argc, char **argv)
{
	int rc;

	setvbuf(stdout, NULL, _IOLBF, 0);
	rc = run(argc, argv);

	ho_lasting_free();
	return rc;
}
