/* udp_pcap.c - writes what comes on a UDP port into a pcap file, as if it had been captured on the way to port 4729.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 *	udp_pcap FILE		prints its port, and ends on SIGTERM
 *
 * A capture needs rights that a test has not.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DATAGRAM_MAX 2048
#define IP_UDP	     28
#define LINK_RAW     101 /* begins with the IP header */
#define GSMTAP_PORT  4729

static volatile sig_atomic_t ended;

static void on_term(int sig)
{
	ended = 1;
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void headers(uint8_t h[IP_UDP], size_t len)
{
	memset(h, 0, IP_UDP);
	h[0] = 0x45;
	put16(h + 2, (unsigned)len + IP_UDP);
	h[8] = 64;
	h[9] = IPPROTO_UDP;
	h[12] = h[16] = 127;
	h[15] = h[19] = 1;
	put16(h + 20, GSMTAP_PORT);
	put16(h + 22, GSMTAP_PORT);
	put16(h + 24, (unsigned)len + 8);
}

static void record(FILE *f, const uint8_t *data, size_t len)
{
	struct timespec now;
	uint8_t h[IP_UDP];
	uint32_t r[4];

	clock_gettime(CLOCK_REALTIME, &now);
	r[0] = (uint32_t)now.tv_sec;
	r[1] = (uint32_t)(now.tv_nsec / 1000);
	r[2] = r[3] = (uint32_t)len + IP_UDP;
	headers(h, len);
	fwrite(r, sizeof(r), 1, f);
	fwrite(h, sizeof(h), 1, f);
	fwrite(data, len, 1, f);
	fflush(f);
}

int main(int argc, char **argv)
{
	const uint32_t magic[6] = { 0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, LINK_RAW };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sigaction sa = { .sa_handler = on_term }; /* no SA_RESTART: recv() ends */
	socklen_t alen = sizeof(a);
	uint8_t data[DATAGRAM_MAX];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	FILE *f = argc == 2 ? fopen(argv[1], "w") : NULL;
	ssize_t n;

	if (!f || fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) ||
	    getsockname(fd, (struct sockaddr *)&a, &alen)) {
		fprintf(stderr, "usage: udp_pcap FILE\n");
		return 2;
	}
	sigaction(SIGTERM, &sa, NULL);
	fwrite(magic, sizeof(magic), 1, f);
	printf("%u\n", ntohs(a.sin_port));
	fflush(stdout);
	while (!ended) {
		n = recv(fd, data, sizeof(data), 0);
		if (n > 0)
			record(f, data, (size_t)n);
	}
	close(fd);
	return fclose(f) != 0;
}
