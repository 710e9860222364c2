/* file.c - small files of parties: read whole, written whole and durable or not at all.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "party.h"

char *file_read(const char *path, size_t max, size_t *len)
{
	FILE *f = fopen(path, "rbe");
	char *text = f ? malloc(max + 2) : NULL;

	*len = text ? fread(text, 1, max + 1, f) : 0;
	if (!f || !text || ferror(f) || *len > max) {
		if (text && *len > max)
			ctl_error("%s: more than %zu octets", path, max);
		else
			ctl_error("%s: %s", path, strerror(f && text ? EIO : errno));
		free(text);
		text = NULL;
	} else {
		text[*len] = '\0';
	}
	if (f)
		fclose(f);
	return text;
}

static bool sync_dir_of(const char *path)
{
	char copy[PARTY_PATH_MAX];
	int fd;
	bool ok;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = fd >= 0 && !fsync(fd);
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool write_all(int fd, const void *p, size_t len)
{
	const char *at = p;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

bool file_write(const char *path, const void *p, size_t len, mode_t mode, bool replace)
{
	char tmp[PARTY_PATH_MAX + 8];
	bool ok;
	int fd;

	if (!replace && !access(path, F_OK)) {
		ctl_error("%s: is there already and stays as it is", path);
		return false;
	}
	snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path);
	fd = mkstemp(tmp);
	ok = fd >= 0 && write_all(fd, p, len) && !fchmod(fd, mode) && !fsync(fd);
	if (fd >= 0)
		ok = !close(fd) && ok;
	ok = ok && !rename(tmp, path) && sync_dir_of(path);
	if (!ok) {
		ctl_error("%s: %s", path, strerror(errno));
		if (fd >= 0)
			unlink(tmp);
	}
	return ok;
}
