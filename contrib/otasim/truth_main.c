/* truth_main.c - otasim truth, otasim ask: a running fleet is asked over its control socket, what each card says of itself or anything else.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "truth_text.h"

#define ASK_MAX 512 /* octets of a command */

static const char help[] = "otasim truth --control SOCK [-o csv|json]\n"
			   "\n"
			   "Asks each card of a running otasim what it holds: EF_IMSI, the IMSI its phone presents, "
			   "active index and key version,\n"
			   "state of the applet, order, how often the index moved (and most often for one order), "
			   "writes of EF_IMSI by scripts,\n"
			   "pairs left, the operator where it is registered, SQN.  Where the fleet is goes to stderr.\n"
			   "  --control SOCK     the fleet's control socket\n"
			   "  -o csv|json        how it is told (default csv)\n"
			   "Exit status: 0 told, 2 usage, or no fleet answers.\n";

FILE *fleet_connect(const char *path)
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

/* All lines of the answer up to "ok". */
static bool copy(FILE *io, const char *command, FILE *out)
{
	size_t cap = 0;
	char *line = NULL;
	bool ok = false;

	if (fputs(command, io) < 0 || fflush(io) < 0)
		return false;
	while (!ok && getline(&line, &cap, io) >= 0) {
		ok = !strcmp(line, "ok\n");
		if (!ok && !strncmp(line, "error", 5)) {
			fprintf(stderr, "otasim: %s", line);
			break;
		}
		if (!ok)
			fputs(line, out);
	}
	free(line);
	return ok;
}

int truth_main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "control", required_argument, NULL, 'c' },
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	const char *control = NULL, *as = "csv";
	char command[32];
	int opt;
	FILE *io;
	bool ok;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "o:", longs, NULL)) != -1) {
		if (opt == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (opt == 'c')
			control = optarg;
		else if (opt == 'o')
			as = optarg;
		else
			return 2;
	}
	if (optind != argc || !control || (strcmp(as, "csv") && strcmp(as, "json"))) {
		fputs("otasim truth: wanted are --control SOCK and -o csv or json; see otasim truth --help\n", stderr);
		return 2;
	}
	io = fleet_connect(control);
	if (!io) {
		fprintf(stderr, "otasim truth: no fleet answers at %s: %s\n", control, strerror(errno));
		return 2;
	}
	snprintf(command, sizeof(command), "truth %s\n", as);
	ok = copy(io, command, stdout) && copy(io, "where\n", stderr);
	if (!ok)
		fprintf(stderr, "otasim truth: the fleet at %s did not tell all its cards\n", control);
	fclose(io);
	return ok ? 0 : 2;
}

static const char ask_help[] =
	"otasim ask --control SOCK COMMAND...\n"
	"\n"
	"One command for a running otasim, as its control socket takes it: stats, power ICCID, hlr NAME fail "
	"10%, ...\n"
	"Exit status: 0 ok, 1 an error, which is told, 2 usage, or no fleet answers.\n";

int ask_main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "control", required_argument, NULL, 'c' },
		{ 0 },
	};
	char command[ASK_MAX] = "";
	const char *control = NULL;
	size_t n = 0;
	int opt;
	FILE *io;
	bool ok;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "+", longs, NULL)) != -1) {
		if (opt == 'h') {
			fputs(ask_help, stdout);
			return 0;
		}
		if (opt != 'c')
			return 2;
		control = optarg;
	}
	for (int i = optind; i < argc && n < sizeof(command); i++)
		n += (size_t)snprintf(command + n, sizeof(command) - n, "%s%s", argv[i], i + 1 < argc ? " " : "\n");
	if (!control || optind == argc || n >= sizeof(command) || strchr(command, '\n') != command + n - 1) {
		fputs("otasim ask: wanted are --control SOCK and one command; see otasim ask --help\n", stderr);
		return 2;
	}
	io = fleet_connect(control);
	if (!io) {
		fprintf(stderr, "otasim ask: no fleet answers at %s: %s\n", control, strerror(errno));
		return 2;
	}
	ok = copy(io, command, stdout);
	fclose(io);
	return ok ? 0 : 1;
}
