/* package_renew.c - a package that waits for too long is signed anew: everything but the manifest stays as it is.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What is sealed for the receiver its sender cannot open any more.  He need not: the parts are held together by the manifest alone, and that
 * one is his.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkg_int.h"

#define TMP_SUFFIX ".renew"
#define COPY	   65536

static int put(int fd, const uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return PKG_E_FILE;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* All in front of the last section. */
static int front_copy(int in, int out, uint64_t len)
{
	uint8_t *buf = malloc(COPY);
	int rc = buf ? 0 : PKG_E_MEMORY;

	while (!rc && len) {
		ssize_t n = read(in, buf, len < COPY ? (size_t)len : COPY);

		if (n < 0 && errno == EINTR)
			continue;
		rc = n <= 0 ? PKG_E_FILE : put(out, buf, (size_t)n);
		len -= n > 0 ? (uint64_t)n : 0;
	}
	free(buf);
	return rc;
}

static int manifest_sign(struct pkg_manifest *m, const struct pkg_self *self, struct pkgc_buf *der)
{
	struct pkgc_buf text = { 0 };
	int rc = pkg_manifest_print(m, &text);

	if (!rc)
		rc = pkgc_sign(self->key[PKG_USE_SIGN], m->head.created_s, text.p, text.len, der);
	if (!rc && der->len > PKG_MANIFEST_MAX)
		rc = PKG_E_LIMIT;
	pkgc_buf_free(&text);
	return rc;
}

static int file_write(const char *path, const char *tmp, uint64_t front, const struct pkgc_buf *der)
{
	uint8_t head[PKG_SECTION] = { 'M' };
	int in = open(path, O_RDONLY | O_CLOEXEC);
	int out = in < 0 ? -1 : open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int rc = out < 0 ? PKG_E_FILE : front_copy(in, out, front);

	for (int i = 0; i < 8; i++)
		head[1 + i] = (uint8_t)((uint64_t)der->len >> (56 - 8 * i));
	if (!rc)
		rc = put(out, head, sizeof(head));
	if (!rc)
		rc = put(out, der->p, der->len);
	if (!rc && fsync(out))
		rc = PKG_E_FILE;
	if (out >= 0)
		close(out);
	if (in >= 0)
		close(in);
	if (!rc && rename(tmp, path))
		rc = PKG_E_FILE;
	if (rc)
		unlink(tmp);
	return rc;
}

int pkg_renew(const char *path, const struct pkg_self *self, int64_t now_s, int64_t expires_s, char *err,
	      size_t err_cap)
{
	const size_t cap = strlen(path) + sizeof(TMP_SUFFIX);
	struct pkgc_buf der = { 0 };
	struct pkg_manifest *m;
	uint64_t front;
	char *tmp = malloc(cap);
	struct pkg *p = NULL;
	size_t was;
	int rc = tmp ? pkg_open(&p, path, err, err_cap) : PKG_E_MEMORY;

	if (!rc)
		rc = pkg_verify(p, &self->me, pkg_head(p)->to, pkg_head(p)->created_s, err, err_cap);
	if (rc) { /* said already */
		pkg_close(p);
		free(tmp);
		return rc;
	}
	m = pkg_manifest_of(p);
	m->head.created_s = now_s;
	m->head.expires_s = expires_s;
	rc = manifest_sign(m, self, &der);
	if (!rc) {
		const off_t size = pkg_size(p);

		pkg_signed(p, &was);
		front = size < 0 ? 0 : (uint64_t)size - was - PKG_SECTION;
		snprintf(tmp, cap, "%s%s", path, TMP_SUFFIX);
		rc = front ? file_write(path, tmp, front, &der) : PKG_E_FILE;
	}
	if (rc)
		pkg_say(err, err_cap, "%s: cannot be signed anew: %s", path,
			rc == PKG_E_FILE ? strerror(errno) : pkg_strerror(rc));
	pkgc_buf_free(&der);
	pkg_close(p);
	free(tmp);
	return rc;
}
