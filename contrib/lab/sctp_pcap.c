/* sctp_pcap.c - what the shim sends, as a capture file of SCTP that tshark and Wireshark read.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Frames over TCP are nothing that a dissector knows, and capturing asks for rights.  So each message is written down as the SCTP
 * packet it would have been: IPv4, SCTP, one DATA chunk.  SCTP's checksum is a CRC32c (RFC 9260, appendix A).
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sctp_pcap.h"

#define PAYLOAD_MAX 16384
#define REC_HEAD    16 /* of a record of libpcap */
#define IP_HEAD	    20
#define SCTP_HEAD   12
#define DATA_HEAD   16
#define HEADS	    (IP_HEAD + SCTP_HEAD + DATA_HEAD)

struct pcap_rec_head {
	uint32_t sec, usec, kept, len;
};

static uint32_t crc32c(const uint8_t *p, size_t len)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static uint16_t ip_sum(const uint8_t *p)
{
	uint32_t sum = 0;

	for (int i = 0; i < IP_HEAD; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static int pcap_fd = -2; /* not looked for yet */

/* The file, which contrib/lab/lab has made, with its head; -1: none is wanted, or it cannot be had. */
static int file(void)
{
	const char *path = getenv("SCTP_SHIM_PCAP");

	if (pcap_fd == -2)
		pcap_fd = path && *path ? open(path, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
	return pcap_fd;
}

void sctp_pcap(int sock, uint32_t ppid, uint16_t stream, const void *msg, size_t len)
{
	static uint32_t tsn;
	static uint8_t rec[REC_HEAD + HEADS + PAYLOAD_MAX + 3];
	struct sockaddr_in from = { 0 }, to = { 0 };
	socklen_t n = sizeof(from);
	uint8_t *ip = rec + REC_HEAD, *sctp = ip + IP_HEAD, *chunk = sctp + SCTP_HEAD;
	const size_t padded = (len + 3) & ~(size_t)3, total = HEADS + padded;
	struct pcap_rec_head head;
	struct timespec now;
	int fd = file();

	if (fd < 0 || len > PAYLOAD_MAX || getsockname(sock, (struct sockaddr *)&from, &n) ||
	    (n = sizeof(to), getpeername(sock, (struct sockaddr *)&to, &n)) || from.sin_family != AF_INET)
		return;
	memset(rec, 0, REC_HEAD + total);
	ip[0] = 0x45;
	put16(ip + 2, (uint32_t)total);
	ip[8] = 64;
	ip[9] = IPPROTO_SCTP;
	memcpy(ip + 12, &from.sin_addr, 4);
	memcpy(ip + 16, &to.sin_addr, 4);
	put16(ip + 10, ip_sum(ip));
	memcpy(sctp, &from.sin_port, 2);
	memcpy(sctp + 2, &to.sin_port, 2);
	put32(sctp + 4, 1);
	chunk[1] = 3; /* first and last fragment */
	put16(chunk + 2, (uint32_t)(DATA_HEAD + len));
	put32(chunk + 4, ++tsn);
	put16(chunk + 8, stream);
	put32(chunk + 12, ppid);
	memcpy(chunk + DATA_HEAD, msg, len);
	put32(sctp + 8, __builtin_bswap32(crc32c(sctp, total - IP_HEAD)));

	clock_gettime(CLOCK_REALTIME, &now);
	head = (struct pcap_rec_head){ (uint32_t)now.tv_sec, (uint32_t)(now.tv_nsec / 1000), (uint32_t)total,
				       (uint32_t)total };
	memcpy(rec, &head, sizeof(head));
	/* One write, so that records of several processes stay whole.  A full disk ends the capture, not the lab. */
	if (write(fd, rec, REC_HEAD + total) != (ssize_t)(REC_HEAD + total)) {
		close(fd);
		pcap_fd = -1;
	}
}
