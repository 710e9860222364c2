/* sim_main.c - the command: one seed, many seeds, kept seeds, and the proof that the checkers can fail.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim.h"

#define JOBS_MAX     16
#define FAILURES_MAX 20	 /* then enough is known */
#define BREAK_SEEDS  200 /* a breakage that does not show in so many runs is not noticed */

/* Each breakage and the checker that must name it. */
static const struct {
	const char *name, *checker;
} breaks[] = {
	[BREAK_NONE] = { "none", NULL },
	[BREAK_LOSE_ANSWERED] = { "lose-answered", "answered-is-durable" },
	[BREAK_ACT_EARLY] = { "act-early", "durable-first" },
	[BREAK_DOUBLE_RUN] = { "double-run", "at-most-once" },
	[BREAK_FORGET_WRITE] = { "forget-write", "done-means-ran" },
	[BREAK_LOSE_COUNTER] = { "lose-counter", "one-cntr-one-packet" },
	[BREAK_LINK_RESENDS] = { "link-resends", "fenced" },
	[BREAK_OVER_RATE] = { "over-rate", "rate" },
	[BREAK_OVER_WINDOW] = { "over-window", "window" },
	[BREAK_SPLIT_PACKET] = { "split-packet", "order" },
	[BREAK_LOSE_END] = { "lose-end", "store-equals-core" },
	[BREAK_UNFENCE] = { "unfence", "one-unfenced" },
	[BREAK_WRONG_LINE] = { "wrong-line", "report" },
	[BREAK_LEAK_KEY] = { "leak-key", "no-key-outside" },
	[BREAK_MUTE_CARD] = { "mute-card", "all-finish" },
	[BREAK_FOLLOW_WALL] = { "follow-wall", "steady-clock" },
	[BREAK_FALSE_WORDS] = { "false-words", "honest-end" },
	[BREAK_TELL_TWICE] = { "tell-twice", "told-once" },
	[BREAK_SAME_EPOCH] = { "same-epoch", "one-cntr-one-packet" },
	[BREAK_CHANGE_BATCH] = { "change-batch", "same-batch" },
	[BREAK_FORGET_TOLD] = { "forget-told", "told" },
	[BREAK_PLAN_ANEW] = { "plan-anew", "second-script" },
	[BREAK_DEAF] = { "deaf", "stopped" },
	[BREAK_NO_WINDOW] = { "no-window", "window" },
	[BREAK_NO_CANARY] = { "no-canary", "canary" },
	[BREAK_NO_ABORT] = { "no-abort", "threshold" },
	[BREAK_NO_DEADLINE] = { "no-deadline", "deadline" },
	[BREAK_UNEQUAL] = { "unequal", "starved" },
	[BREAK_FORGET_WORK] = { "forget-work", "work-done" },
	[BREAK_FORGET_ORDERS] = { "forget-orders", "one-move" },
	[BREAK_FALSE_ALERTS] = { "false-alerts", "arm-quiet" },
	[BREAK_SETTLE_BLIND] = { "settle-blind", "honest-end" },
	[BREAK_NOBODY_SETTLES] = { "nobody-settles", "all-finish" },
	[BREAK_FORGET_QUARANTINE] = { "forget-quarantine", "quarantine" },
};
_Static_assert(ARRAY_SIZE(breaks) == _SIM_BREAKS, "every breakage has its row");

static unsigned failures_max = FAILURES_MAX; /* of one process */

struct shared {
	volatile uint64_t n; /* of the seed being run */
	volatile unsigned runs, failures;
};

static int usage(void)
{
	fputs("usage: sim --seed S [--trace] [--break NAME] [--fail-nth N [--lie]]\n"
	      "       sim --count N [--from S] [--jobs J] [--break NAME] [--all]   stops after many failures, or does "
	      "not\n"
	      "       sim --fail-each --count N [--from S]   each call of the store fails once, in a run of its own\n"
	      "       sim --file FILE      seeds that once failed, one per line, with their story\n"
	      "       sim [--trace] --scn FILE...   scenarios that are written, not drawn\n"
	      "       sim --breaks         every deliberate breakage must be noticed by its checker\n",
	      stderr);
	return 1;
}

/* What is the same for all runs of a command, and what makes up the one run. */
struct run {
	uint64_t seed;
	enum sim_break broken;
	bool trace;
	uint64_t fail_nth; /* 0: the seed's own weather in the store */
	bool lie;
	/* out */
	bool struck;
	char checker[32];
};

static void print_replay(const struct run *r)
{
	printf("    replay: tests/sim/run --seed %llu", (unsigned long long)r->seed);
	if (r->fail_nth)
		printf(" --fail-nth %llu%s", (unsigned long long)r->fail_nth, r->lie ? " --lie" : "");
	puts(" --trace");
}

/* The last line of every kind of run. */
static int result(unsigned passed, unsigned failed)
{
	printf("%u passed, %u failed\n", passed, failed);
	return failed ? 1 : 0;
}

static bool run_one(struct run *r)
{
	struct world *w = calloc(1, sizeof(*w));
	bool ok;

	if (!w) {
		fputs("sim: out of memory\n", stderr);
		exit(1);
	}
	w->seed = r->seed;
	w->broken = r->broken;
	w->trace = r->trace;
	w->fail_nth = r->fail_nth;
	w->nth_lies = r->lie;
	w->plain_store = r->fail_nth > 0;
	world_run(w);
	ok = !w->failed;
	r->struck = w->nth_struck;
	r->checker[0] = '\0';
	if (!ok) {
		snprintf(r->checker, sizeof(r->checker), "%s", w->checker);
		if (r->broken == BREAK_NONE || r->trace)
			printf("seed %llu: %s: at %+.3f s: %s\n", (unsigned long long)w->seed, w->checker,
			       (double)(w->now_ms - SIM_START_MS) / 1000, w->why);
		if (r->broken == BREAK_NONE && !r->trace)
			print_replay(r);
	} else if (r->trace) {
		printf("seed %llu: passed; %llu turns, %llu submits, %llu messages, %llu commits, %u lives, %.3f s\n",
		       (unsigned long long)w->seed, (unsigned long long)w->stat_turns,
		       (unsigned long long)w->stat_submits, (unsigned long long)w->stat_ups,
		       (unsigned long long)w->stat_commits, w->lives, (double)(w->now_ms - SIM_START_MS) / 1000);
	}
	fflush(stdout);
	free(w);
	return ok;
}

/* Every step-th seed from the nth after `from`, n below count, in a process of their own: one that dies takes only itself
 * along. */
static pid_t start_job(struct shared *sh, uint64_t from, uint64_t n, uint64_t count, unsigned step,
		       enum sim_break broken)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	for (; n < count && sh->failures < failures_max; n += step) {
		struct run r = { .seed = from + n, .broken = broken };

		sh->n = n;
		if (!run_one(&r))
			sh->failures++;
		sh->runs++;
	}
	exit(0);
}

static int run_many(uint64_t from, uint64_t n, unsigned jobs, enum sim_break broken)
{
	struct shared *sh =
		mmap(NULL, JOBS_MAX * sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid[JOBS_MAX];
	unsigned runs = 0, failures = 0, alive = jobs;

	if (sh == MAP_FAILED) {
		perror("sim: mmap");
		return 1;
	}
	for (unsigned i = 0; i < jobs; i++)
		pid[i] = start_job(&sh[i], from, i, n, jobs, broken);
	while (alive) {
		int status;
		pid_t p = wait(&status);
		struct run r;
		unsigned i;

		for (i = 0; i < jobs && pid[i] != p; i++)
			;
		if (p < 0 || i == jobs) {
			perror("sim: wait");
			return 1;
		}
		alive--;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			continue;
		r = (struct run){ .seed = from + sh[i].n };
		printf("seed %llu: the process died (%s %d)\n", (unsigned long long)r.seed,
		       WIFSIGNALED(status) ? "signal" : "exit",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		print_replay(&r);
		sh[i].failures++;
		sh[i].runs++;
		pid[i] = start_job(&sh[i], from, sh[i].n + jobs, n, jobs, broken);
		alive++;
	}
	for (unsigned i = 0; i < jobs; i++) {
		runs += sh[i].runs;
		failures += sh[i].failures;
	}
	munmap(sh, JOBS_MAX * sizeof(*sh));
	if (runs < n)
		printf("stopped after %u of %llu seeds: that many failures tell enough\n", runs, (unsigned long long)n);
	return result(runs - failures, failures);
}

/* Each call of the store in turn fails, in a run of its own, until a run has fewer calls than that: first without being carried
 * out, then carried out and called failed. */
static int run_fail_each(uint64_t from, uint64_t n)
{
	unsigned passed = 0, failed = 0;

	for (uint64_t seed = from; seed - from < n; seed++)
		for (int lie = 0; lie < 2; lie++) {
			struct run r = { .seed = seed, .lie = lie, .struck = true };

			while (r.struck && failed < failures_max) {
				r.fail_nth++;
				if (run_one(&r))
					passed++;
				else
					failed++;
			}
		}
	return result(passed, failed);
}

static int run_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[512];
	unsigned n = 0, failures = 0;

	if (!f) {
		fprintf(stderr, "sim: %s: %s\n", path, strerror(errno));
		return 1;
	}
	while (fgets(line, sizeof(line), f)) {
		char *end;
		struct run r = { .seed = strtoull(line, &end, 10) };

		if (end == line)
			continue; /* a comment */
		n++;
		if (!run_one(&r)) {
			printf("    its story:%s", end);
			failures++;
		}
	}
	fclose(f);
	return result(n - failures, failures);
}

static int run_scenarios(char *const path[], bool trace)
{
	unsigned passed = 0, failed = 0;

	if (!*path)
		return usage();
	for (; *path; path++) {
		unsigned runs = 0;
		int rc = scn_file(*path, trace, &runs);

		if (rc > 0 && !trace)
			printf("    replay: tests/sim/run --trace --scn %s\n", *path);
		if (rc) {
			failed++;
			continue;
		}
		printf("%s: passed", *path);
		if (runs > 1)
			printf(", %u runs", runs);
		putchar('\n');
		passed++;
	}
	return result(passed, failed);
}

/* In a child: a breakage may also trip the core's own assertions. */
static bool break_noticed(enum sim_break b)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		for (uint64_t s = 1; s <= BREAK_SEEDS; s++) {
			struct run r = { .seed = s, .broken = b };

			if (!run_one(&r) && !strcmp(r.checker, breaks[b].checker)) {
				printf("%-14s noticed by %s at seed %llu\n", breaks[b].name, breaks[b].checker,
				       (unsigned long long)s);
				exit(0);
			}
		}
		exit(1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int run_breaks(void)
{
	int rc = 0;

	for (unsigned b = BREAK_NONE + 1; b < _SIM_BREAKS; b++)
		if (!break_noticed((enum sim_break)b)) {
			printf("%-14s NOT noticed by %s in %d seeds: the checker proves nothing\n", breaks[b].name,
			       breaks[b].checker, BREAK_SEEDS);
			rc = 1;
		}
	return rc;
}

static bool number(const char *text, uint64_t *out)
{
	char *end;

	if (!text || *text < '0' || *text > '9') /* strtoull() would take a sign and blanks */
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return !errno && !*end;
}

static int find_break(const char *name)
{
	for (unsigned i = 0; name && i < _SIM_BREAKS; i++)
		if (!strcmp(name, breaks[i].name))
			return (int)i;
	return -1;
}

int main(int argc, char **argv)
{
	struct run r = { 0 };
	uint64_t seeds = 0, from = 1, jobs = 1;
	bool one = false, fail_each = false;
	int broken = BREAK_NONE;

	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i], *val = argv[i + 1];

		if (!strcmp(arg, "--trace")) {
			r.trace = true;
			continue;
		}
		if (!strcmp(arg, "--lie")) {
			r.lie = true;
			continue;
		}
		if (!strcmp(arg, "--all")) {
			failures_max = UINT_MAX;
			continue;
		}
		if (!strcmp(arg, "--fail-each")) {
			fail_each = true;
			continue;
		}
		if (!strcmp(arg, "--breaks"))
			return run_breaks();
		if (!strcmp(arg, "--scn"))
			return run_scenarios(argv + i + 1, r.trace);
		if (!strcmp(arg, "--file") && val)
			return run_file(val);
		if (!strcmp(arg, "--seed") && number(val, &r.seed))
			one = true;
		else if (!strcmp(arg, "--break") && (broken = find_break(val)) >= 0)
			;
		else if (!(!strcmp(arg, "--count") && number(val, &seeds)) &&
			 !(!strcmp(arg, "--from") && number(val, &from)) &&
			 !(!strcmp(arg, "--fail-nth") && number(val, &r.fail_nth)) &&
			 !(!strcmp(arg, "--jobs") && number(val, &jobs)))
			return usage();
		i++;
	}
	if (one == (seeds > 0) || jobs < 1 || jobs > JOBS_MAX)
		return usage();
	r.broken = (enum sim_break)broken;
	if (one)
		return run_one(&r) ? 0 : 1;
	if (fail_each)
		return run_fail_each(from, seeds);
	return run_many(from, seeds, (unsigned)jobs, r.broken);
}
