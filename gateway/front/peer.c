/* peer.c - who stands at the other end of a loopback connection.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A TCP port has no owner and no mode: any user of this machine could pause campaigns, or have a log file written where only we may write.
 * The kernel knows the owner of each socket (proc(5), /proc/net/tcp).  Only an established one counts: of one that its owner has closed
 * the owner is told as 0.
 */
#define _GNU_SOURCE /* getgrouplist */
#include "peer.h"

#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ESTABLISHED 1
#define GROUPS_MAX  256
#define MAPPED	    "0000000000000000FFFF0000" /* an IPv4 address in /proc/net/tcp6 */

/* As in these files: the address in the order of memory, the port as a number. */
struct end {
	char addr[40];
	unsigned port;
};

static void end_of(struct end *e, const struct sockaddr_in *a, const char *before)
{
	snprintf(e->addr, sizeof(e->addr), "%s%08X", before, a->sin_addr.s_addr);
	e->port = ntohs(a->sin_port);
}

/* The owner of the socket at `theirs` that is connected to `ours`. */
static bool owner_in(const char *path, const struct end *theirs, const struct end *ours, uid_t *uid)
{
	char line[512], from[40], to[40];
	unsigned from_port, to_port, state, owner;
	unsigned long inode;
	bool found = false;
	FILE *f = fopen(path, "re");

	while (f && !found && fgets(line, sizeof(line), f)) {
		if (sscanf(line, " %*d: %39[0-9A-F]:%X %39[0-9A-F]:%X %X %*s %*s %*s %u %*d %lu", from, &from_port, to,
			   &to_port, &state, &owner, &inode) != 7)
			continue;
		found = state == ESTABLISHED && inode && from_port == theirs->port && to_port == ours->port &&
			!strcmp(from, theirs->addr) && !strcmp(to, ours->addr);
		*uid = owner;
	}
	if (f)
		fclose(f);
	return found;
}

static bool owner_of_peer(int fd, uid_t *uid)
{
	struct sockaddr_in us, them;
	socklen_t us_len = sizeof(us), them_len = sizeof(them);
	struct end ours, theirs;

	if (getsockname(fd, (struct sockaddr *)&us, &us_len) || getpeername(fd, (struct sockaddr *)&them, &them_len) ||
	    them.sin_family != AF_INET)
		return false;
	end_of(&ours, &us, "");
	end_of(&theirs, &them, "");
	if (owner_in("/proc/net/tcp", &theirs, &ours, uid))
		return true;
	end_of(&ours, &us, MAPPED);
	end_of(&theirs, &them, MAPPED);
	return owner_in("/proc/net/tcp6", &theirs, &ours, uid);
}

static bool in_our_group(uid_t uid)
{
	gid_t group[GROUPS_MAX];
	int n = GROUPS_MAX;
	const struct passwd *pw = getpwuid(uid);

	if (!pw || getgrouplist(pw->pw_name, pw->pw_gid, group, &n) < 0)
		return false;
	for (int i = 0; i < n; i++)
		if (group[i] == getegid())
			return true;
	return false;
}

bool peer_may(int fd)
{
	uid_t uid;

	return owner_of_peer(fd, &uid) && (uid == 0 || uid == geteuid() || in_our_group(uid));
}
