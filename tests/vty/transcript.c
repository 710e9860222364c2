/* transcript.c - plays a transcript against a VTY or a CTRL port and compares what comes back, line by line.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 *	transcript vty|ctrl PORT [-u] FILE
 *
 * A .vty file is what a session looks like: lines that begin with a prompt ("OtaGW> show campaign") are typed, the lines below are what
 * must come.  In a .ctrl file lines that begin with GET or SET are sent, and TRAP waits for one; "set-reply" and the like come back with
 * the number of the request left out.  A line that begins with "!" is a comment.
 *
 * In a line that is expected, <...> stands for any text without a blank, and <...*> for any text.  A line of "..." stands for any
 * lines.  -u writes what came into the file; lines that fit as they are stay.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MS  20000
#define LINES_MAX  4096
#define ANSWER_MAX (1024 * 1024)
#define PROMPT	   "OtaGW"
#define IPA_OSMO   0xee /* IPA multiplex: protocol, and its extension for CTRL */
#define IPA_CTRL   0x00
#define IPA_HEAD   4

static char *file_line[LINES_MAX];
static unsigned file_lines;
static char got[ANSWER_MAX];
static size_t got_len;
static int sock;
static bool ctrl;
static unsigned requests;

static void die(const char *what)
{
	fprintf(stderr, "transcript: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
	exit(2);
}

static void *must(void *p)
{
	if (!p)
		die("out of memory");
	return p;
}

/* ---------------------------------------------------------------------------------------------------- wire */

static void put(const void *p, size_t len)
{
	const char *c = p;

	while (len) {
		ssize_t n = send(sock, c, len, MSG_NOSIGNAL);

		if (n <= 0)
			die("send");
		c += n;
		len -= (size_t)n;
	}
}

/* What comes next, without telnet's options; false: nothing more comes. */
static bool more(void)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	unsigned char buf[4096];
	static unsigned option; /* octets of one that are still to come */
	ssize_t n;

	if (poll(&p, 1, ANSWER_MS) <= 0)
		return false;
	n = recv(sock, buf, sizeof(buf), 0);
	if (n <= 0)
		return false;
	for (ssize_t i = 0; i < n; i++) {
		if (!ctrl && !option && buf[i] == 0xff)
			option = 3;
		if (option) {
			option--;
			continue;
		}
		if ((!ctrl && buf[i] == '\r') || got_len + 1 >= sizeof(got))
			continue;
		got[got_len++] = (char)buf[i];
	}
	got[got_len] = 0;
	return true;
}

/* "OtaGW(config)# " and nothing behind it: octets of it, 0: none. */
static size_t prompt_at(const char *line)
{
	size_t n = strlen(PROMPT);

	if (strncmp(line, PROMPT, n) != 0)
		return 0;
	if (line[n] == '(')
		n += strcspn(line + n, ")") + 1;
	if ((line[n] != '>' && line[n] != '#') || line[n + 1] != ' ')
		return 0;
	return n + 2;
}

static bool prompt_is_last(void)
{
	const char *nl = strrchr(got, '\n');
	const char *last = nl ? nl + 1 : got;
	size_t n = prompt_at(last);

	return n && !last[n];
}

/* Until the prompt; `got` has what stands before it. */
static void await_prompt(void)
{
	while (!prompt_is_last())
		if (!more())
			return;
}

static void ctrl_send(const char *text)
{
	char msg[1024];
	const char *space = strchr(text, ' ');
	int n = snprintf(msg + IPA_HEAD, sizeof(msg) - IPA_HEAD, "%.*s %u%s",
			 (int)(space ? (size_t)(space - text) : strlen(text)), text, ++requests, space ? space : "");

	if (n < 0 || (size_t)n >= sizeof(msg) - IPA_HEAD)
		die("a line is too long");
	n++; /* the extension's octet counts */
	msg[0] = (char)(n >> 8);
	msg[1] = (char)n;
	msg[2] = (char)IPA_OSMO;
	msg[3] = IPA_CTRL;
	put(msg, (size_t)n + 3);
}

/* The next message into out, without its number; false: none comes. */
static bool ctrl_next(char *out, size_t cap)
{
	size_t len;
	const char *text;
	char verb[24];
	unsigned id;
	int at = 0;

	while (got_len < 3 || got_len < 3 + (len = (size_t)((unsigned char)got[0] << 8 | (unsigned char)got[1])))
		if (!more())
			return false;
	text = got + IPA_HEAD;
	snprintf(out, cap, "%.*s", (int)(len - 1), text);
	if (sscanf(out, "%23s %u%n", verb, &id, &at) == 2)
		snprintf(out, cap, "%s%.*s", verb, (int)(len - 1 - (size_t)at), text + at);
	got_len -= 3 + len;
	memmove(got, got + 3 + len, got_len);
	return true;
}

/* The reply, or the trap that "WAIT NAME" is for; traps may come at any time. */
static void ctrl_ask(const char *line, char *out, size_t cap)
{
	bool trap = !strncmp(line, "WAIT ", 5), is_trap;

	if (!trap)
		ctrl_send(line);
	do {
		if (!ctrl_next(out, cap)) {
			snprintf(out, cap, "(nothing came)");
			return;
		}
		is_trap = !strncmp(out, "TRAP", 4);
	} while (is_trap != trap || (trap && strncmp(out + 5, line + 5, strlen(line + 5)) != 0));
}

/* --------------------------------------------------------------------------------------------------- match */

static bool fits(const char *want, const char *is)
{
	while (*want) {
		bool wide = !strncmp(want, "<...*>", 6);
		size_t hole = wide ? 6 : !strncmp(want, "<...>", 5) ? 5 : 0;
		if (!hole) {
			if (*want++ != *is++)
				return false;
			continue;
		}
		for (;; is++) {
			if (fits(want + hole, is))
				return true;
			if (!*is || (!wide && *is == ' '))
				return false;
		}
	}
	return !*is;
}

static bool all_fit(char **want, unsigned n, char **is, unsigned m)
{
	for (; n; want++, n--, is++, m--) {
		if (!strcmp(*want, "...")) {
			for (unsigned k = 0; k <= m; k++)
				if (all_fit(want + 1, n - 1, is + k, m - k))
					return true;
			return false;
		}
		if (!m || !fits(*want, *is))
			return false;
	}
	return !m;
}

/* --------------------------------------------------------------------------------------------------- play */

static bool is_command(const char *line)
{
	if (ctrl)
		return !strncmp(line, "GET ", 4) || !strncmp(line, "SET ", 4) || !strncmp(line, "WAIT ", 5);
	return prompt_at(line) > 0;
}

/* The answer as lines, into is[]. */
static unsigned split(char **is)
{
	unsigned n = 0;
	char *p = got;

	while (*p && n < LINES_MAX) {
		char *nl = strchr(p, '\n');

		is[n++] = p;
		if (!nl)
			break;
		*nl = 0;
		p = nl + 1;
	}
	return n;
}

static unsigned played, wrong;

/* "2026-11-23T00:39:42.310Z" */
static size_t time_at(const char *p)
{
	const char *form = "dddd-dd-ddTdd:dd:dd.dddZ";
	size_t i = 0;

	for (; form[i]; i++)
		if (form[i] == 'd' ? p[i] < '0' || p[i] > '9' : p[i] != form[i])
			return 0;
	return i;
}

/* A line of an answer that did not fit: as a line of the file still has it, or with times left open. */
static void put_new(FILE *out, char **want, unsigned n, const char *line)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(want[i], "...") != 0 && fits(want[i], line)) {
			fprintf(out, "%s\n", want[i]);
			return;
		}
	}
	while (*line) {
		size_t t = time_at(line);

		if (t)
			fputs("<...>", out);
		else
			fputc(*line, out);
		line += t ? t : 1;
	}
	fputc('\n', out);
}

static void judge(FILE *out, unsigned at, char **want, unsigned n, char **is, unsigned m)
{
	bool good = all_fit(want, n, is, m);

	played++;
	if (out) {
		for (unsigned i = 0; good && i < n; i++)
			fprintf(out, "%s\n", want[i]);
		for (unsigned i = 0; !good && i < m; i++)
			put_new(out, want, n, is[i]);
		return;
	}
	if (good)
		return;
	wrong++;
	printf("line %u: %s\n", at + 1, file_line[at]);
	for (unsigned i = 0; i < n; i++)
		printf("  expected  %s\n", want[i]);
	for (unsigned i = 0; i < m; i++)
		printf("  came      %s\n", is[i]);
}

static void command(FILE *out, unsigned at, unsigned n)
{
	static char *is[LINES_MAX];
	const char *line = file_line[at];
	static char one[ANSWER_MAX];
	unsigned m = 0;

	if (ctrl) {
		ctrl_ask(line, one, sizeof(one));
		is[m++] = one;
	} else {
		size_t prompt = prompt_at(line);

		got_len = 0;
		*got = 0;
		put(line + prompt, strlen(line + prompt));
		put("\r\n", 2);
		await_prompt();
		m = split(is);
		if (m) { /* the echo, and at the end the prompt, which the next line of the file has */
			m--;
			memmove(is, is + 1, m * sizeof(*is));
		}
		if (m && prompt_at(is[m - 1])) {
			m--;
			if (at + n + 1 < file_lines && is_command(file_line[at + n + 1]) &&
			    strncmp(file_line[at + n + 1], is[m], strlen(is[m])) != 0) {
				wrong++;
				printf("line %u: the prompt is \"%s\"\n", at + n + 2, is[m]);
			}
		}
	}
	judge(out, at, &file_line[at + 1], n, is, m);
}

static void play(FILE *out)
{
	for (unsigned i = 0; i < file_lines;) {
		unsigned n = 0;

		if (out)
			fprintf(out, "%s\n", file_line[i]);
		if (!is_command(file_line[i])) {
			i++;
			continue;
		}
		while (i + 1 + n < file_lines && !is_command(file_line[i + 1 + n]) && file_line[i + 1 + n][0] != '!')
			n++;
		command(out, i, n);
		i += 1 + n;
	}
}

static void read_file(const char *path)
{
	char text[8192];
	FILE *f = fopen(path, "r");

	if (!f)
		die(path);
	while (fgets(text, sizeof(text), f) && file_lines < LINES_MAX) {
		text[strcspn(text, "\n")] = 0;
		file_line[file_lines++] = must(strdup(text));
	}
	fclose(f);
}

static void come(const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sock = socket(AF_INET, SOCK_STREAM, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&a, sizeof(a)))
		die("connect");
	if (!ctrl)
		await_prompt();
}

int main(int argc, char **argv)
{
	bool update = argc == 5 && !strcmp(argv[3], "-u");
	char tmp[4096];
	FILE *out = NULL;

	if (argc != 4 + update || (strcmp(argv[1], "vty") != 0 && strcmp(argv[1], "ctrl") != 0)) {
		fprintf(stderr, "usage: transcript vty|ctrl PORT [-u] FILE\n");
		return 2;
	}
	ctrl = argv[1][0] == 'c';
	read_file(argv[argc - 1]);
	come(argv[2]);
	errno = 0;
	if (update) {
		snprintf(tmp, sizeof(tmp), "%s.new", argv[argc - 1]);
		out = fopen(tmp, "w");
		if (!out)
			die(tmp);
	}
	play(out);
	if (out && (fclose(out) || rename(tmp, argv[argc - 1])))
		die(tmp);
	for (unsigned i = 0; i < file_lines; i++)
		free(file_line[i]);
	close(sock);
	printf("%s: %u answers, %u not as expected\n", argv[argc - 1], played, wrong);
	return wrong || !played ? 1 : 0;
}
