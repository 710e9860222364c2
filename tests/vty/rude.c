/* rude.c - clients of VTY and CTRL that do not behave: none of them may cost the gateway more than its connection.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 *	rude VTY_PORT CTRL_PORT		exit status 0: everybody was treated as told here
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS	     20000
#define SESSIONS_MAX 16 /* the gateway's own limit, of each */
#define GONE_ROUNDS  100
#define PASTED	     150
#define MUCH	     600
#define MUCH_OCTETS  (1024 * 1024)
#define UNREAD_MAX   (64 * 1024 * 1024) /* octets sent to somebody who answers and is not read */
#define NOBODY	     65534
#define TEXT_MAX     (1024 * 1024)

static unsigned vty_port, ctrl_port, bad;
static char text[TEXT_MAX];
static size_t len;

static void check(bool good, const char *what)
{
	if (good)
		return;
	bad++;
	printf("rude: %s\n", what);
}

static int come(unsigned port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_port = htons((uint16_t)port);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		printf("rude: nobody listens on port %u\n", port);
		exit(1);
	}
	len = 0;
	*text = 0;
	return fd;
}

static void say(int fd, const char *what)
{
	(void)!send(fd, what, strlen(what), MSG_NOSIGNAL);
}

/* Reads until `what` has come; false: the other side has closed, or says nothing. */
static bool hear(int fd, const char *what)
{
	while (!what || !strstr(text, what)) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n = poll(&p, 1, WAIT_MS) > 0 ? recv(fd, text + len, sizeof(text) - len - 1, 0) : -1;

		if (n <= 0)
			return !what && (n == 0 || errno == ECONNRESET);
		for (ssize_t i = 0; i < n; i++)
			if (!text[len + (size_t)i])
				text[len + (size_t)i] = '.';
		len += (size_t)n;
		text[len] = 0;
		if (len > sizeof(text) / 2 && !what)
			len = 0;
	}
	return true;
}

static bool closed(int fd)
{
	return hear(fd, NULL);
}

static bool answers(void)
{
	int fd = come(vty_port);
	bool good = hear(fd, "OtaGW> ");

	len = 0;
	*text = 0;
	say(fd, "show smsc-link\r\n");
	good = good && hear(fd, "smsc-link sim") && hear(fd, "OtaGW> ");
	close(fd);
	return good;
}

/* A page in a browser on this machine. */
static void browser(void)
{
	int fd = come(vty_port);

	say(fd, "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nenable\r\nsmsc-link sim block\r\n");
	check(closed(fd), "a browser was not sent away");
	check(!strstr(text, "blocked"), "a browser has blocked a link");
	close(fd);
}

static void endless_line(void)
{
	char line[4096];
	int fd = come(vty_port);

	memset(line, 'x', sizeof(line));
	check(hear(fd, "OtaGW> "), "no prompt");
	for (int i = 0; i < 64; i++)
		(void)!send(fd, line, sizeof(line), MSG_NOSIGNAL | MSG_DONTWAIT);
	check(closed(fd), "a line without end was taken");
	check(strstr(text, "the line is too long"), "a line without end is not told");
	close(fd);
}

/* They go while their answer is on its way. */
static void gone_while_waiting(void)
{
	for (int i = 0; i < GONE_ROUNDS; i++) {
		int fd = come(vty_port);

		say(fd, "show campaign\r\nshow transactions\r\n");
		if (i % 2)
			check(hear(fd, "OtaGW> "), "no prompt");
		close(fd);
	}
	check(answers(), "no answer after sessions that went while they waited");
}

static void pasted(void)
{
	static char lines[PASTED * 32];
	unsigned n = 0;
	int fd = come(vty_port);

	for (int i = 0; i < PASTED; i++)
		strcat(lines, i % 2 ? "show campaign\n" : "show campaign swap\n");
	strcat(lines, "show nothing of the kind\n");
	say(fd, lines);
	check(hear(fd, "Unknown command"), "what was pasted was not all answered");
	for (const char *p = text; (p = strstr(p, "campaign swap: ")); p++)
		n++;
	check(n == PASTED / 2, "not as many answers as were pasted");
	close(fd);
}

/* More than is kept for one who reads slowly. */
static void asks_much(void)
{
	static char lines[MUCH * 8];
	static const char prompt[] = "OtaGW> ";
	int fd = come(vty_port);
	size_t sent = 0, seen = 0, all = 0;
	unsigned n = 0;

	for (int i = 0; i < MUCH; i++)
		strcat(lines, "list\r\n");
	while (n < MUCH + 1) {
		struct pollfd p = { .fd = fd, .events = POLLIN | (lines[sent] ? POLLOUT : 0) };
		ssize_t k;

		if (poll(&p, 1, WAIT_MS) <= 0)
			break;
		if (p.revents & POLLOUT) {
			k = send(fd, lines + sent, strlen(lines + sent), MSG_NOSIGNAL | MSG_DONTWAIT);
			sent += k > 0 ? (size_t)k : 0;
		}
		if (!(p.revents & (POLLIN | POLLHUP | POLLERR)))
			continue;
		k = recv(fd, text, sizeof(text), 0);
		if (k <= 0)
			break;
		for (ssize_t i = 0; i < k; i++) {
			seen = text[i] == prompt[seen] ? seen + 1 : text[i] == *prompt;
			n += !prompt[seen];
			seen = prompt[seen] ? seen : 0;
		}
		all += (size_t)k;
	}
	check(n == MUCH + 1, "a session stands still after much output");
	check(all > MUCH_OCTETS, "there was not much output");
	close(fd);
}

/* libosmocore takes a mask without a name for a mistake of ours, and ends the process. */
static void masks(void)
{
	static const char *const mask[] = { ":", "::" };

	for (size_t i = 0; i < sizeof(mask) / sizeof(mask[0]); i++) {
		char line[80];
		int fd = come(vty_port);

		snprintf(line, sizeof(line), "logging enable\r\nlogging set-log-mask %s\r\nshow version\r\n", mask[i]);
		say(fd, line);
		check(hear(fd, "there is no category in") && hear(fd, "OtaGW 0"),
		      "a mask without a name is not refused");
		close(fd);
	}
	check(answers(), "no answer after a mask without a name");
}

static void does_not_read(void)
{
	static const char line[] = "show running-config\r\n";
	int fd = come(vty_port);
	size_t sent = 0;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (sent < UNREAD_MAX) {
		ssize_t n = send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	check(sent < UNREAD_MAX, "somebody who does not read is listened to for ever");
	check(answers(), "others wait for somebody who does not read");
	close(fd);
}

static void too_many(void)
{
	int fd[SESSIONS_MAX], one;

	for (int i = 0; i < SESSIONS_MAX; i++) {
		fd[i] = come(vty_port);
		check(hear(fd[i], "OtaGW> "), "fewer sessions than promised");
	}
	one = come(vty_port);
	check(hear(one, "too many sessions"), "one session too many was let in");
	close(one);
	for (int i = 0; i < SESSIONS_MAX; i++) {
		say(fd[i], "exit\r\n");
		check(closed(fd[i]), "exit does not end a session");
		close(fd[i]);
	}
	check(answers(), "no answer after too many sessions");
}

static void control(void)
{
	static const char get[] = "\0\x38\xee\0GET 1 card.by-iccid.8988211007000000008.state        ";
	char rubbish[256];
	int fd[SESSIONS_MAX + 1];

	memset(rubbish, 'G', sizeof(rubbish));
	fd[0] = come(ctrl_port);
	(void)!send(fd[0], rubbish, sizeof(rubbish), MSG_NOSIGNAL);
	close(fd[0]);
	for (int i = 0; i < GONE_ROUNDS; i++) {
		fd[0] = come(ctrl_port);
		(void)!send(fd[0], get, sizeof(get) - 1, MSG_NOSIGNAL);
		close(fd[0]);
	}
	check(answers(), "no answer after CTRL connections that went while they waited");
	for (int i = 0; i <= SESSIONS_MAX; i++)
		fd[i] = come(ctrl_port);
	check(closed(fd[SESSIONS_MAX]), "one CTRL connection too many was let in");
	for (int i = 0; i <= SESSIONS_MAX; i++)
		close(fd[i]);
	check(answers(), "no answer after too many CTRL connections");
}

/* Another user of this machine; only root can try. */
static void another_user(void)
{
	int fd, status = 1;
	pid_t child;

	if (geteuid() != 0)
		return;
	fflush(stdout);
	child = fork();
	if (!child) {
		if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
			_exit(3);
		fd = come(vty_port);
		say(fd, "enable\r\nsmsc-link sim block\r\n");
		if (!closed(fd) || !strstr(text, "members of its group") || strstr(text, "blocked"))
			_exit(1);
		close(fd);
		fd = come(ctrl_port);
		_exit(closed(fd) ? 0 : 2);
	}
	check(child > 0 && waitpid(child, &status, 0) == child && !status, "another user was let in");
}

/* Last: nobody comes in any more. */
static void password_asked(void)
{
	int fd = come(vty_port);

	say(fd, "enable\r\nconfigure terminal\r\nline vty\r\nlogin\r\nend\r\n");
	check(hear(fd, "(config-line)# end"), "line vty cannot be configured");
	close(fd);
	fd = come(vty_port);
	check(closed(fd), "login without a password lets in");
	check(strstr(text, "password is not set"), "login without a password is not told");
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: rude VTY_PORT CTRL_PORT\n");
		return 2;
	}
	vty_port = (unsigned)atoi(argv[1]);
	ctrl_port = (unsigned)atoi(argv[2]);
	browser();
	endless_line();
	gone_while_waiting();
	pasted();
	asks_much();
	masks();
	does_not_read();
	too_many();
	control();
	another_user();
	password_asked();
	printf("rude: %u not as told\n", bad);
	return bad != 0;
}
