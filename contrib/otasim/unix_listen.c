/* unix_listen.c - a control socket, the owner's alone.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "unix_listen.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(sizeof(((struct sockaddr_un *)0)->sun_path) == UNIX_PATH_MAX_LEN, "UNIX_PATH_MAX_LEN");

/* One that nobody listens on is left over from a crash; one that answers belongs to somebody. */
static bool path_free(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;
	bool alive;

	if (fd < 0)
		return false;
	alive = connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0;
	close(fd);
	if (alive)
		return false;
	return lstat(sa->sun_path, &st) < 0 || (S_ISSOCK(st.st_mode) && unlink(sa->sun_path) == 0);
}

int unix_listen(const char *path, int backlog, char *err, size_t err_cap)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	bool bound, ok;
	mode_t old;
	int fd;

	if (strlen(path) >= sizeof(sa.sun_path)) {
		snprintf(err, err_cap, "--control %s: longer than %zu characters", path, sizeof(sa.sun_path) - 1);
		return -1;
	}
	strcpy(sa.sun_path, path);
	if (!path_free(&sa)) {
		snprintf(err, err_cap, "--control %s: something is already there", path);
		return -1;
	}
	old = umask(0177); /* the socket is the owner's alone from its first moment */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bound = fd >= 0 && bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0;
	ok = bound && listen(fd, backlog) == 0;
	umask(old);
	if (ok)
		return fd;
	snprintf(err, err_cap, "cannot listen on %s: %s", path, strerror(errno));
	if (bound)
		unlink(path);
	if (fd >= 0)
		close(fd);
	return -1;
}
