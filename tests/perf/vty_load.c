/* vty_load.c - how long a VTY takes for a command, from the line to the prompt.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 *	vty_load PORT SECONDS COMMAND...	asks them in turn, 2 ms apart, and prints p50, p99 and the longest of each, in us
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PROMPT	     "OtaGW> "
#define COMMANDS_MAX 16
#define SAMPLES_MAX  20000
#define PAUSE_NS     2000000L
#define ANSWER_MS    10000

static unsigned took[COMMANDS_MAX][SAMPLES_MAX], samples[COMMANDS_MAX];
static int sock;

static long long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

/* What came ends with the prompt; false: it never did. */
static bool await_prompt(void)
{
	char tail[sizeof(PROMPT)] = "", buf[65536];
	struct pollfd p = { .fd = sock, .events = POLLIN };
	const size_t want = strlen(PROMPT);

	while (strcmp(tail, PROMPT) != 0) {
		ssize_t n = poll(&p, 1, ANSWER_MS) > 0 ? recv(sock, buf, sizeof(buf), 0) : 0;

		if (n <= 0)
			return false;
		for (ssize_t i = n > (ssize_t)want ? n - (ssize_t)want : 0; i < n; i++) {
			if (strlen(tail) == want)
				memmove(tail, tail + 1, want);
			tail[strlen(tail) + 1] = 0;
			tail[strlen(tail)] = buf[i] ? buf[i] : '.';
		}
	}
	return true;
}

static int by_size(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct timespec pause = { 0, PAUSE_NS };
	int on = 1, n = argc - 3;
	long long until;

	if (n < 1 || n > COMMANDS_MAX) {
		fprintf(stderr, "usage: vty_load PORT SECONDS COMMAND...\n");
		return 2;
	}
	a.sin_port = htons((uint16_t)atoi(argv[1]));
	sock = socket(AF_INET, SOCK_STREAM, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&a, sizeof(a)) || !await_prompt()) {
		fprintf(stderr, "vty_load: there is no VTY on port %s\n", argv[1]);
		return 2;
	}
	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	until = now_us() + atoi(argv[2]) * 1000000LL;
	for (int i = 0; now_us() < until; i = (i + 1) % n) {
		char line[256];
		int len = snprintf(line, sizeof(line), "%s\r\n", argv[3 + i]);
		long long began = now_us();

		if (len < 0 || (size_t)len >= sizeof(line) || send(sock, line, (size_t)len, MSG_NOSIGNAL) != len ||
		    !await_prompt()) {
			fprintf(stderr, "vty_load: no answer to: %s\n", argv[3 + i]);
			return 2;
		}
		if (samples[i] < SAMPLES_MAX)
			took[i][samples[i]++] = (unsigned)(now_us() - began);
		nanosleep(&pause, NULL);
	}
	for (int i = 0; i < n; i++) {
		qsort(took[i], samples[i], sizeof(took[i][0]), by_size);
		if (samples[i])
			printf("%u %u %u %u %s\n", samples[i], took[i][samples[i] / 2], took[i][samples[i] * 99 / 100],
			       took[i][samples[i] - 1], argv[3 + i]);
	}
	close(sock);
	return 0;
}
