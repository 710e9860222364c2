/* vault_mark.c - how far the ledger has come, noted outside the database.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A database that was put back from a backup has forgotten what was released since, and would give it to somebody else.  The mark is written
 * when a release is durable and before its keys leave; whoever finds the ledger shorter than the mark says releases nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vault_int.h"

#define MARK_FILE "ledger-mark"
#define MARK_MAX  (20 + 1 + 2 * KS_HASH_LEN + 2) /* "NUMBER HASH\n" */

static void mark_path(const struct desk *d, char path[512], const char *more)
{
	snprintf(path, 512, "%.255s/" MARK_FILE "%s", d->cfg.dir, more);
}

/* 0, -ENOENT: none yet, or another negative errno. */
static int mark_read(const struct desk *d, uint64_t *n, char hash[2 * KS_HASH_LEN + 1])
{
	char path[512], text[MARK_MAX + 1];
	ssize_t len;
	int fd;

	mark_path(d, path, "");
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = read(fd, text, MARK_MAX);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	return sscanf(text, "%20" SCNu64 " %64[0-9a-f]", n, hash) == 2 && strlen(hash) == 2 * KS_HASH_LEN ? 0 :
													    -EBADMSG;
}

bool vault_mark_fits(struct desk *d, const struct ledger_head *h, const char **why)
{
	char hash[2 * KS_HASH_LEN + 1], own[2 * KS_HASH_LEN + 1];
	uint64_t n = 0;
	int rc = mark_read(d, &n, hash);

	*why = "the books are older than what this vault has given out: a backup was put back";
	if (rc == -ENOENT)
		return true;
	vault_hex(own, h->hash, sizeof(h->hash));
	if (rc)
		*why = "the note of how far the ledger has come (" MARK_FILE ") cannot be read";
	return !rc && (n < h->n || (n == h->n && !strcmp(own, hash)));
}

/* That the file has its new name outlasts the power, too. */
static int folder_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd))
		rc = -errno;
	close(fd);
	return rc;
}

int vault_mark_write(struct desk *d, const struct ledger_head *h)
{
	char path[512], part[512], text[MARK_MAX + 1], hash[2 * KS_HASH_LEN + 1];
	int fd, len, rc = 0;

	vault_hex(hash, h->hash, sizeof(h->hash));
	len = snprintf(text, sizeof(text), "%" PRIu64 " %s\n", h->n, hash);
	mark_path(d, path, "");
	mark_path(d, part, ".part");
	fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)len) != len || fsync(fd))
		rc = -errno;
	if (close(fd) && !rc)
		rc = -errno;
	if (!rc && rename(part, path))
		rc = -errno;
	return rc ? rc : folder_sync(d->cfg.dir);
}
