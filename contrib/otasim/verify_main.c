/* verify_main.c - otasim verify: asks a running fleet over its control socket.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "truth_text.h"
#include "verify.h"

static const char help[] =
	"otasim verify LIST --control SOCK [--report FILE] [--expect-partial] [--times N]\n"
	"\n"
	"Asks each card of a running otasim what it really holds and compares it with LIST (columns ICCID and IMSI).\n"
	"With a column INDEX the active pair is compared, too, and that no order moved it twice; with a column "
	"OPERATOR where "
	"the\n"
	"card is registered (empty: nowhere).\n"
	"  --control SOCK     the fleet's control socket\n"
	"  --report FILE      compare the gateway's report, too (columns iccid, state, new_imsi): exactly one line for "
	"each\n"
	"                     card of LIST, DONE exactly where the card holds the new IMSI\n"
	"  --expect-partial   cards not changed yet are no difference; safety and DONE-means-holds still are\n"
	"  --times N          EF_IMSI of a card may have been written N times at most (default 1)\n"
	"Exit status: 0 everything holds, 1 something differs, 2 usage, or fleet or file not to be read.\n";

/* All cards; the answer is a header, a line for each card, and "ok". */
static bool fleet_ask(FILE *io, struct verify_job *job)
{
	size_t cap = 0, line_cap = 0;
	char *line = NULL;
	bool ok = false;

	if (fputs("cards\n", io) < 0 || fflush(io) < 0)
		return false;
	while (getline(&line, &line_cap, io) >= 0) {
		line[strcspn(line, "\n")] = '\0';
		if (!strcmp(line, "ok")) {
			ok = true;
			break;
		}
		if (!strcmp(line, TRUTH_HEADER))
			continue;
		if (job->n == cap) {
			struct truth_row *grown = realloc(job->rows, (cap = cap ? 2 * cap : 1024) * sizeof(*grown));

			if (!grown)
				break;
			job->rows = grown;
		}
		if (!truth_parse(line, &job->rows[job->n++])) {
			fprintf(stderr, "otasim verify: the fleet says \"%s\"\n", line);
			break;
		}
	}
	free(line);
	return ok;
}

/* The rest of the truth, in the order of the cards. */
static bool truth_ask(FILE *io, struct verify_job *job)
{
	size_t line_cap = 0, at = 0;
	char *line = NULL;
	bool ok = false, bad = false;

	if (fputs("truth csv\n", io) < 0 || fflush(io) < 0)
		return false;
	while (!ok && !bad && getline(&line, &line_cap, io) >= 0) {
		struct truth_row *r = at < job->n ? &job->rows[at] : NULL;

		line[strcspn(line, "\n")] = '\0';
		ok = !strcmp(line, "ok");
		if (ok || !strcmp(line, WHOLE_TRUTH_HEADER))
			continue;
		bad = !r || !whole_truth_parse(line, &r->whole, r->op, sizeof(r->op)) ||
		      strcmp(r->whole.iccid, r->t.iccid) != 0;
		at++;
		if (bad)
			fprintf(stderr, "otasim verify: the fleet says \"%s\"\n", line);
	}
	free(line);
	return ok && at == job->n;
}

static bool operators_ask(FILE *io, struct verify_job *job)
{
	size_t line_cap = 0;
	char *line = NULL;
	bool ok = false;

	if (fputs("operators\n", io) < 0 || fflush(io) < 0)
		return false;
	while (!ok && getline(&line, &line_cap, io) >= 0) {
		line[strcspn(line, "\n")] = '\0';
		ok = !strcmp(line, "ok");
		if (!ok && job->ops < SIM_OPS_MAX)
			snprintf(job->op[job->ops++], sizeof(job->op[0]), "%s", line);
	}
	free(line);
	return ok;
}

int verify_main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },	    { "control", required_argument, NULL, 'c' },
		{ "report", required_argument, NULL, 'r' }, { "expect-partial", no_argument, NULL, 'p' },
		{ "times", required_argument, NULL, 't' },  { 0 },
	};
	struct verify_job job = { .times = 1 };
	const char *control = NULL;
	int opt, rc = VERIFY_CANNOT;
	FILE *io;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (opt) {
		case 'h':
			fputs(help, stdout);
			return 0;
		case 'c':
			control = optarg;
			break;
		case 'r':
			job.report = optarg;
			break;
		case 'p':
			job.partial = true;
			break;
		case 't':
			job.times = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		default:
			return VERIFY_CANNOT;
		}
	}
	if (optind + 1 != argc || !control) {
		fputs("otasim verify: wanted are LIST and --control SOCK; see otasim verify --help\n", stderr);
		return VERIFY_CANNOT;
	}
	job.list = argv[optind];
	io = fleet_connect(control);
	if (!io) {
		fprintf(stderr, "otasim verify: no fleet answers at %s: %s\n", control, strerror(errno));
		return VERIFY_CANNOT;
	}
	if (fleet_ask(io, &job) && truth_ask(io, &job) && operators_ask(io, &job))
		rc = verify_run(&job, stdout);
	else
		fprintf(stderr, "otasim verify: the fleet at %s did not tell all its cards\n", control);
	fclose(io);
	free(job.rows);
	return rc;
}
