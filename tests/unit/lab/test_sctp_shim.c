/* test_sctp_shim.c - messages over an association keep their bounds, PPID and stream, with the shim or with the kernel's SCTP.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#define _GNU_SOURCE /* POLLRDHUP */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/sctp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define PPID_M3UA   3
#define PCAP_HEAD   24
#define WAIT_MS	    5000
#define HEADS	    (16 + 20 + 12 + 16) /* of a captured message: record, IPv4, SCTP, DATA */
#define FRAME_HEAD  10
#define PAYLOAD_MAX 16384

struct pair {
	int listener, client, server;
};

static void readable(int fd)
{
	assert_int_equal(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, WAIT_MS), 1);
}

static void up(struct pair *p)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int on = 1;

	p->listener = socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
	p->client = socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
	assert_true(p->listener >= 0 && p->client >= 0);
	assert_int_equal(setsockopt(p->client, IPPROTO_SCTP, SCTP_NODELAY, &on, sizeof(on)), 0);
	assert_int_equal(sctp_bindx(p->listener, (struct sockaddr *)&a, 1, SCTP_BINDX_ADD_ADDR), 0);
	assert_int_equal(listen(p->listener, 1), 0);
	assert_int_equal(getsockname(p->listener, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(sctp_connectx(p->client, (struct sockaddr *)&a, 1, NULL), 0);
	p->server = accept(p->listener, NULL, NULL);
	assert_true(p->server >= 0);
}

static void down(struct pair *p)
{
	close(p->server);
	close(p->client);
	close(p->listener);
}

static int receive(int fd, void *buf, size_t cap, struct sctp_sndrcvinfo *info)
{
	int flags = 0;

	readable(fd);
	return sctp_recvmsg(fd, buf, cap, NULL, NULL, info, &flags);
}

static bool shimmed(const struct pair *p)
{
	int type = 0;
	socklen_t len = sizeof(type);

	assert_int_equal(getsockopt(p->client, SOL_SOCKET, SO_PROTOCOL, &type, &len), 0);
	return type == IPPROTO_TCP;
}

static void test_bounds(void **state)
{
	struct sctp_sndrcvinfo info = { .sinfo_ppid = htonl(PPID_M3UA), .sinfo_stream = 0 };
	uint8_t buf[300];
	struct pair p;

	up(&p);
	assert_int_equal(sctp_send(p.client, "first", 5, &info, 0), 5);
	assert_int_equal(sctp_sendmsg(p.client, "and second", 10, NULL, 0, htonl(7), 0, 0, 0, 0), 10);
	memset(&info, 0xff, sizeof(info));
	assert_int_equal(receive(p.server, buf, sizeof(buf), &info), 5);
	assert_memory_equal(buf, "first", 5);
	if (shimmed(&p)) { /* the kernel tells this only to who has asked for it */
		assert_int_equal(info.sinfo_ppid, htonl(PPID_M3UA));
		assert_int_equal(info.sinfo_stream, 0);
	}
	assert_int_equal(receive(p.server, buf, sizeof(buf), &info), 10);
	assert_memory_equal(buf, "and second", 10);
	close(p.client);
	p.client = -1;
	assert_int_equal(receive(p.server, buf, sizeof(buf), &info), 0); /* the other side has hung up */
	down(&p);
}

/* Frames that come in pieces, that are too long for who reads, and too long at all. */
static void test_pieces(void **state)
{
	static uint8_t big[PAYLOAD_MAX + 1];
	uint8_t frame[FRAME_HEAD + 4] = { 0, 0, 0, 4, 0, 0, 0, 3, 0, 9, 'f', 'o', 'u', 'r' }, buf[8];
	struct sctp_sndrcvinfo info;
	struct pair p;

	up(&p);
	if (!shimmed(&p)) {
		down(&p);
		skip();
	}
	for (size_t i = 0; i + 1 < sizeof(frame); i++) {
		assert_int_equal(send(p.client, frame + i, 1, 0), 1);
		assert_int_equal(receive(p.server, buf, sizeof(buf), &info), -1);
		assert_int_equal(errno, EAGAIN);
	}
	assert_int_equal(send(p.client, frame + sizeof(frame) - 1, 1, 0), 1);
	assert_int_equal(receive(p.server, buf, sizeof(buf), &info), 4);
	assert_memory_equal(buf, "four", 4);
	assert_int_equal(info.sinfo_stream, 9);

	assert_int_equal(sctp_send(p.client, big, sizeof(big), NULL, 0), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(sctp_send(p.client, big, sizeof(buf) + 1, NULL, 0), sizeof(buf) + 1);
	assert_int_equal(receive(p.server, buf, sizeof(buf), &info), -1);
	assert_int_equal(errno, EMSGSIZE);
	down(&p);
}

/* A peer that dies inside a frame, at each of its octets: what it began never comes, and nobody may wait for it. */
static void test_dies_inside(void **state)
{
	const uint8_t frame[2 * FRAME_HEAD + 8] = { 0, 0, 0, 4, 0, 0, 0, 3, 0, 9, 'f', 'o', 'u', 'r',
						    0, 0, 0, 4, 0, 0, 0, 3, 0, 9, 'h', 'a', 'l', 'f' };
	const size_t one = FRAME_HEAD + 4;

	for (size_t cut = 1; cut < one; cut++) {
		struct sctp_sndrcvinfo info;
		uint8_t buf[8];
		struct pair p;

		up(&p);
		if (!shimmed(&p)) {
			down(&p);
			skip();
		}
		assert_int_equal(send(p.client, frame, one + cut, 0), one + cut);
		close(p.client);
		p.client = -1;
		assert_int_equal(receive(p.server, buf, sizeof(buf), &info), 4); /* the whole one comes nevertheless */
		assert_memory_equal(buf, "four", 4);
		assert_int_equal(poll(&(struct pollfd){ .fd = p.server, .events = POLLRDHUP }, 1, WAIT_MS), 1);
		assert_int_equal(receive(p.server, buf, sizeof(buf), &info), 0);
		down(&p);
	}
}

/* The file has been named before the first message: see main(). */
static void test_capture(void **state)
{
	struct stat before, after;
	struct pair p;

	up(&p);
	if (!shimmed(&p)) {
		down(&p);
		skip();
	}
	assert_int_equal(stat(getenv("SCTP_SHIM_PCAP"), &before), 0);
	assert_true(before.st_size > PCAP_HEAD); /* of the tests before */
	assert_int_equal(sctp_send(p.client, "seventeen octets.", 17, NULL, 0), 17);
	assert_int_equal(stat(getenv("SCTP_SHIM_PCAP"), &after), 0);
	assert_int_equal(after.st_size - before.st_size, HEADS + 20); /* DATA chunks are padded to four octets */
	down(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_dies_inside),
		cmocka_unit_test(test_capture),
	};
	char path[] = "/tmp/otagw-shim-XXXXXX";
	const uint8_t head[PCAP_HEAD] = { 0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0 };
	int fd = mkstemp(path), rc;

	if (fd < 0 || write(fd, head, sizeof(head)) != (ssize_t)sizeof(head) || close(fd) < 0 ||
	    setenv("SCTP_SHIM_PCAP", path, 1) < 0) {
		perror(path);
		return 1;
	}
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return rc;
}
