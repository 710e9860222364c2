/* sctp_shim.c - SCTP where the kernel has none: one-to-one associations carried in frames over TCP.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * OsmoSTP and OsmoMSC speak M3UA over SCTP, and OsmoMSC 1.9 ends at once when it cannot open the SCTP socket of its SGs
 * interface.  Containers and many virtual machines have no SCTP.  This object stands between those programs and libc/libsctp:
 * preloaded into Debian's daemons (LD_PRELOAD), linked into our own, since a program under ASan refuses a preload.  Where the
 * kernel has SCTP every call goes through unchanged.
 *
 * It is for a lab on one machine: both sides must have it; no multihoming, no notifications, one stream after the other.  What
 * tshark would have seen on the wire can be had as a capture file (sctp_pcap.c).
 *
 * Frame: length of the payload (4 octets), PPID (4), stream (2), payload; all in network order.
 */
#define _GNU_SOURCE /* POLLRDHUP */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <netinet/in.h>
#include <netinet/sctp.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sctp_pcap.h"

#define FRAME_HEAD  10
#define PAYLOAD_MAX 16384 /* of a message; M3UA has some hundred octets */
#define STUCK_MS    2000  /* a peer that takes nothing for so long has hung up */

/* What stands behind us: libc's function, or libsctp's.  Only called where it exists. */
static void *behind(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

typedef int (*socket_fn)(int, int, int);
typedef int (*setsockopt_fn)(int, int, int, const void *, socklen_t);
typedef int (*getsockopt_fn)(int, int, int, void *, socklen_t *);
typedef int (*bindx_fn)(int, struct sockaddr *, int, int);
typedef int (*connectx_fn)(int, struct sockaddr *, int, sctp_assoc_t *);
typedef int (*recvmsg_fn)(int, void *, size_t, struct sockaddr *, socklen_t *, struct sctp_sndrcvinfo *, int *);
typedef int (*send_fn)(int, const void *, size_t, const struct sctp_sndrcvinfo *, int);
typedef int (*sendmsg_fn)(int, const void *, size_t, struct sockaddr *, socklen_t, uint32_t, uint32_t, uint16_t,
			  uint32_t, uint32_t);

static bool kernel_has_sctp(void)
{
	static int known; /* 0 not asked yet, 1 yes, 2 no */
	int fd;

	if (!known) {
		fd = ((socket_fn)behind("socket"))(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
		known = fd >= 0 ? 1 : 2;
		if (fd >= 0)
			close(fd);
	}
	return known == 1;
}

int socket(int domain, int type, int protocol)
{
	socket_fn next = (socket_fn)behind("socket");

	if (protocol == IPPROTO_SCTP && !kernel_has_sctp())
		protocol = IPPROTO_TCP;
	return next(domain, type, protocol);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	setsockopt_fn next = (setsockopt_fn)behind("setsockopt");

	if (level != IPPROTO_SCTP || kernel_has_sctp())
		return next(fd, level, name, value, len);
	/* Of SCTP's options only this one has a meaning here. */
	return name == SCTP_NODELAY ? next(fd, IPPROTO_TCP, TCP_NODELAY, value, len) : 0;
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	if (level != IPPROTO_SCTP || kernel_has_sctp())
		return ((getsockopt_fn)behind("getsockopt"))(fd, level, name, value, len);
	/* libosmocore asks how large the kernel's event mask is, and wants a size that it knows. */
	if (name == SCTP_EVENTS && *len > sizeof(struct sctp_event_subscribe))
		*len = sizeof(struct sctp_event_subscribe);
	memset(value, 0, *len);
	return 0;
}

static socklen_t addr_len(const struct sockaddr *a)
{
	return a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

/* Of several addresses the first one counts. */
int sctp_bindx(int fd, struct sockaddr *addrs, int count, int flags)
{
	if (kernel_has_sctp())
		return ((bindx_fn)behind("sctp_bindx"))(fd, addrs, count, flags);
	return bind(fd, addrs, addr_len(addrs));
}

int sctp_connectx(int fd, struct sockaddr *addrs, int count, sctp_assoc_t *id)
{
	if (kernel_has_sctp())
		return ((connectx_fn)behind("sctp_connectx"))(fd, addrs, count, id);
	return connect(fd, addrs, addr_len(addrs));
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* Nothing more comes: poll() says so although there is still something to read. */
static bool hung_up(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && p.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

/* A message comes whole or not at all: what has not come whole yet stays with the kernel.  What never will is the end: for
 * its octets poll() would say "readable" again and again.
 */
int sctp_recvmsg(int fd, void *msg, size_t len, struct sockaddr *from, socklen_t *from_len,
		 struct sctp_sndrcvinfo *info, int *flags)
{
	uint8_t head[FRAME_HEAD];
	struct iovec iov[2] = { { head, sizeof(head) }, { msg, 0 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	int waiting = 0;
	ssize_t n;
	bool hup;

	if (kernel_has_sctp())
		return ((recvmsg_fn)behind("sctp_recvmsg"))(fd, msg, len, from, from_len, info, flags);
	hup = hung_up(fd); /* asked first, so that what came before the end is all there when it is looked at */
	n = recv(fd, head, sizeof(head), MSG_PEEK);
	if (n <= 0)
		return (int)n;
	iov[1].iov_len = n == sizeof(head) ? get32(head) : 0;
	if (iov[1].iov_len > len || iov[1].iov_len > PAYLOAD_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	if (n < (ssize_t)sizeof(head) || ioctl(fd, FIONREAD, &waiting) < 0 ||
	    (size_t)waiting < sizeof(head) + iov[1].iov_len) {
		if (hup)
			return 0;
		errno = EAGAIN;
		return -1;
	}
	n = recvmsg(fd, &m, 0);
	if (n != (ssize_t)(sizeof(head) + iov[1].iov_len))
		return n < 0 ? -1 : 0;
	if (info) {
		*info = (struct sctp_sndrcvinfo){ .sinfo_stream = (uint16_t)(head[8] << 8 | head[9]) };
		memcpy(&info->sinfo_ppid, head + 4, sizeof(info->sinfo_ppid)); /* the user's octets, in his order */
	}
	if (flags)
		*flags = MSG_EOR;
	return (int)iov[1].iov_len;
}

/* All of it: half a frame would be the end of the association. */
static int send_all(int fd, const uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN && poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, STUCK_MS) > 0)
			continue;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int sctp_send(int fd, const void *msg, size_t len, const struct sctp_sndrcvinfo *info, int flags)
{
	uint8_t frame[FRAME_HEAD + PAYLOAD_MAX] = { 0 };

	if (kernel_has_sctp())
		return ((send_fn)behind("sctp_send"))(fd, msg, len, info, flags);
	if (len > PAYLOAD_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	put32(frame, (uint32_t)len);
	if (info) {
		memcpy(frame + 4, &info->sinfo_ppid, sizeof(info->sinfo_ppid));
		frame[8] = (uint8_t)(info->sinfo_stream >> 8);
		frame[9] = (uint8_t)info->sinfo_stream;
	}
	memcpy(frame + FRAME_HEAD, msg, len);
	/* Before the peer can answer: the file has everything in its order. */
	sctp_pcap(fd, get32(frame + 4), (uint16_t)(frame[8] << 8 | frame[9]), msg, len);
	return send_all(fd, frame, FRAME_HEAD + len) < 0 ? -1 : (int)len;
}

int sctp_sendmsg(int fd, const void *msg, size_t len, struct sockaddr *to, socklen_t to_len, uint32_t ppid,
		 uint32_t flags, uint16_t stream, uint32_t time_to_live, uint32_t context)
{
	const struct sctp_sndrcvinfo info = { .sinfo_ppid = ppid, .sinfo_stream = stream };

	if (kernel_has_sctp())
		return ((sendmsg_fn)behind("sctp_sendmsg"))(fd, msg, len, to, to_len, ppid, flags, stream, time_to_live,
							    context);
	return sctp_send(fd, msg, len, &info, 0);
}
