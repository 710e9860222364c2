/* prog_test.c - the real otasim as a child, with a directory of its own.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "prog_test.h"

const char *prog_otasim;
char prog_dir[64];
pid_t prog_pid = -1;

void prog_setup(void)
{
	strcpy(prog_dir, "/tmp/otasim-prog-XXXXXX");
	assert_non_null(mkdtemp(prog_dir));
}

void prog_teardown(void)
{
	struct dirent *e;
	DIR *d;

	if (prog_pid > 0) {
		kill(prog_pid, SIGKILL);
		waitpid(prog_pid, NULL, 0);
		prog_pid = -1;
	}
	d = opendir(prog_dir);
	assert_non_null(d);
	while ((e = readdir(d))) {
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			unlink(prog_path(e->d_name));
	}
	closedir(d);
	assert_int_equal(rmdir(prog_dir), 0);
}

char *prog_path(const char *name)
{
	static char path[8][384];
	static int turn;
	char text[sizeof(path[0])];

	snprintf(text, sizeof(text), "%s/%s", prog_dir, name);
	for (int i = 0; i < 8; i++)
		if (!strcmp(path[i], text)) /* asked for again and again, it does not push others out */
			return path[i];
	turn = (turn + 1) % 8;
	memcpy(path[turn], text, sizeof(text));
	return path[turn];
}

pid_t prog_spawn(char *const argv[], const char *out)
{
	pid_t p = fork();

	assert_true(p >= 0);
	if (p == 0) {
		int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		dup2(fd, 1);
		dup2(fd, 2);
		execv(argv[0], argv);
		_exit(127);
	}
	return p;
}

int prog_wait(pid_t pid)
{
	int st;

	assert_int_equal(waitpid(pid, &st, 0), pid);
	return WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
}

/* The port file appears whole or not at all; the child's end would be an answer, too. */
uint16_t prog_port(void)
{
	unsigned port = 0;

	for (int i = 0; i < PATIENCE_MS / 20 && !port; i++) {
		FILE *in = fopen(prog_path("port"), "r");

		if (in) {
			assert_int_equal(fscanf(in, "%u", &port), 1);
			fclose(in);
		} else {
			assert_int_equal(waitpid(prog_pid, NULL, WNOHANG), 0);
			poll(NULL, 0, 20);
		}
	}
	assert_true(port > 0 && port < 65536);
	return (uint16_t)port;
}

int prog_dial(uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	close(fd);
	return -1;
}

const char *prog_text(const char *name)
{
	static char text[65536];
	FILE *in = fopen(prog_path(name), "r");
	size_t n;

	assert_non_null(in);
	n = fread(text, 1, sizeof(text) - 1, in);
	fclose(in);
	text[n] = '\0';
	return text;
}

void prog_write(const char *name, const char *text)
{
	FILE *out = fopen(prog_path(name), "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

void prog_control_until(const char *ask, const char *word)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char buf[16384];

	strcpy(sa.sun_path, prog_path("ctl"));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	for (int i = 0; i < PATIENCE_MS / 50; i++) {
		size_t have = 0;
		ssize_t n;

		assert_true(send(fd, ask, strlen(ask), MSG_NOSIGNAL) > 0);
		do {
			n = recv(fd, buf + have, sizeof(buf) - 1 - have, 0);
			assert_true(n > 0);
			have += (size_t)n;
			buf[have] = '\0';
		} while (!strstr(buf, "ok\n") && !strstr(buf, "error"));
		if (strstr(buf, word)) {
			close(fd);
			return;
		}
		poll(NULL, 0, 50);
	}
	fail_msg("never came: %s; last was %s", word, buf);
}
