/* otactl_fix.c - see otactl_fix.h.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "otactl_fix.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

char dir[] = "/tmp/test_otactl.XXXXXX";
char sock[64], file[64], rejects[64];
char out[OUTPUT_MAX], err[OUTPUT_MAX];
struct fake_server server;

static bool serving;

void slurp(const char *path, char *buf)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(buf, 1, OUTPUT_MAX - 1, f);
	assert_true(n < OUTPUT_MAX - 1);
	buf[n] = '\0';
	fclose(f);
}

void write_file(const char *text)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* Runs otactl with these arguments (NULL-terminated); its output in out and err; its exit code. */
int run(const char *arg, ...)
{
	char *argv[24] = { (char *)OTACTL }, path_out[80], path_err[80];
	posix_spawn_file_actions_t fa;
	unsigned n = 1;
	int status;
	va_list ap;
	pid_t pid;

	va_start(ap, arg);
	for (; arg && n < ARRAY_SIZE(argv) - 1; arg = va_arg(ap, const char *))
		argv[n++] = (char *)arg;
	va_end(ap);
	snprintf(path_out, sizeof(path_out), "%s/out", dir);
	snprintf(path_err, sizeof(path_err), "%s/err", dir);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&fa, 1, path_out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_addopen(&fa, 2, path_err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(posix_spawn(&pid, OTACTL, &fa, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&fa);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	slurp(path_out, out);
	slurp(path_err, err);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* A test that failed leaves its server behind. */
static void stop_left_over(void)
{
	if (serving) {
		fake_stop(&server);
		fake_free(&server);
	}
	serving = false;
}

void serve(const struct fake_answer *a, unsigned n)
{
	stop_left_over();
	serving = true;
	fake_start(&server, sock, a, n);
}

void assert_request(unsigned i, const char *line)
{
	assert_true(i < server.requests);
	assert_string_equal(server.request[i].line, line);
}

void assert_body(unsigned i, const char *key, const char *compact)
{
	json_t *root = json_loads(server.request[i].body, 0, NULL), *v = json_object_get(root, key);
	char *got = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);

	assert_non_null(got);
	assert_string_equal(got, compact);
	free(got);
	json_decref(root);
}

void done(unsigned requests)
{
	fake_stop(&server);
	serving = false;
	assert_int_equal(server.requests, requests);
	fake_free(&server);
}

void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in:\n%s", part, text);
}

int otactl_setup(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	snprintf(sock, sizeof(sock), "%s/api.sock", dir);
	snprintf(file, sizeof(file), "%s/list.csv", dir);
	snprintf(rejects, sizeof(rejects), "%s/rejects.csv", dir);
	return setenv("OTAGW_SOCKET", sock, 1);
}

int otactl_teardown(void **state)
{
	static const char *const names[] = { "out", "err", "list.csv", "rejects.csv", "api.sock" };

	stop_left_over();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[80];

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}
