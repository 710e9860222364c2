/* verify_main.c - otasim verify: asks a running fleet over its control socket.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "verify.h"

static const char help[] =
	"otasim verify LIST --control SOCK [--report FILE] [--expect-partial] [--times N]\n"
	"\n"
	"Asks each card of a running otasim what it really holds and compares it with LIST (columns ICCID and IMSI).\n"
	"  --control SOCK     the fleet's control socket\n"
	"  --report FILE      compare the gateway's report, too (columns iccid, state, new_imsi): exactly one line for "
	"each\n"
	"                     card of LIST, DONE exactly where the card holds the new IMSI\n"
	"  --expect-partial   cards not changed yet are no difference; safety and DONE-means-holds still are\n"
	"  --times N          EF_IMSI of a card may have been written N times at most (default 1)\n"
	"Exit status: 0 everything holds, 1 something differs, 2 usage, or fleet or file not to be read.\n";

static FILE *fleet_connect(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd;
	FILE *io;

	if (strlen(path) >= sizeof(sa.sun_path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || !(io = fdopen(fd, "r+"))) {
		int e = errno;

		close(fd);
		errno = e;
		return NULL;
	}
	return io;
}

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
	if (fleet_ask(io, &job))
		rc = verify_run(&job, stdout);
	else
		fprintf(stderr, "otasim verify: the fleet at %s did not tell all its cards\n", control);
	fclose(io);
	free(job.rows);
	return rc;
}
