/* package_write.c - a package is written: records into parts, each sealed as it is full; the signed manifest comes last.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One part is in memory at a time, so that a list of a million cards takes as much as one of ten thousand.  The file appears under its
 * name only when it is whole and on disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkg_int.h"

#define TMP_SUFFIX ".part"
#define SALT_TEXT  (1 + 2 * PKG_SALT_LEN) /* comma and hexadecimal digits */

struct pkg_writer {
	const struct pkg_self *self;
	const struct pkg_partner *to;
	char *path, *tmp;
	int fd;
	unsigned columns;
	struct pkg_manifest m;
	struct pkg_root root;
	struct ks_wrap *wrap;
	char *text; /* the part being filled: PKG_PART_MAX */
	size_t len;
	unsigned records; /* in it */
};

/* ---- file ---- */

static int put(struct pkg_writer *w, const void *p, size_t len, char *err, size_t err_cap)
{
	const uint8_t *at = p;

	while (len) {
		ssize_t n = write(w->fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			pkg_say(err, err_cap, "%s: cannot be written: %s", w->tmp, strerror(errno));
			return PKG_E_FILE;
		}
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int section(struct pkg_writer *w, char type, const uint8_t *p, size_t len, char *err, size_t err_cap)
{
	uint8_t head[PKG_SECTION] = { (uint8_t)type };
	int rc;

	for (int i = 0; i < 8; i++)
		head[1 + i] = (uint8_t)((uint64_t)len >> (56 - 8 * i));
	rc = put(w, head, sizeof(head), err, err_cap);
	return rc ? rc : put(w, p, len, err, err_cap);
}

/* ---- begin ---- */

static int head_check(const struct pkg_head *h, const struct pkg_self *self, const struct pkg_partner *to, char *err,
		      size_t err_cap)
{
	if (strcmp(h->from, self->me.name) || strcmp(h->to, to->name)) {
		pkg_say(err, err_cap, "a package from %s to %s cannot be written with the keys of %s for %s", h->from,
			h->to, self->me.name, to->name);
		return PKG_E_PARTY;
	}
	return pkgc_cert_time(to->cert[PKG_USE_LIST], h->created_s) ||
			       pkgc_cert_time(self->me.cert[PKG_USE_SIGN], h->created_s) ?
		       PKG_E_TIME :
		       0;
}

static int writer_open(struct pkg_writer *w, const char *path, char *err, size_t err_cap)
{
	size_t cap = strlen(path) + sizeof(TMP_SUFFIX);

	w->path = strdup(path);
	w->tmp = malloc(cap);
	w->text = malloc(PKG_PART_MAX);
	w->m.part = calloc(PKG_PARTS_MAX, sizeof(*w->m.part));
	w->root.hash = pkgc_hash_new();
	if (!w->path || !w->tmp || !w->text || !w->m.part || !w->root.hash)
		return PKG_E_MEMORY;
	if (ks_random(w->self->ks, w->m.head.id, PKG_ID_LEN))
		return PKG_E_CRYPTO;
	snprintf(w->tmp, cap, "%s%s", path, TMP_SUFFIX);
	w->fd = open(w->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (w->fd < 0) {
		pkg_say(err, err_cap, "%s: %s%s", w->tmp, strerror(errno),
			errno == EEXIST ? "; left over from a run that was cut off? Remove it, or wait for the run "
					  "that writes it" :
					  "");
		return PKG_E_FILE;
	}
	return put(w, PKG_MAGIC, PKG_MAGIC_LEN, err, err_cap);
}

int pkg_write_open(struct pkg_writer **out, const char *path, const struct pkg_head *head, const struct pkg_self *self,
		   const struct pkg_partner *to, char *err, size_t err_cap)
{
	struct pkg_writer *w = calloc(1, sizeof(*w));
	int rc = w ? head_check(head, self, to, err, err_cap) : PKG_E_MEMORY;

	*out = NULL;
	if (rc == PKG_E_TIME)
		pkg_say(err, err_cap, "a certificate of %s or %s is not valid (any more): exchange party files again",
			self->me.name, to->name);
	if (!rc) {
		w->fd = -1;
		w->self = self;
		w->to = to;
		w->m.head = *head;
		w->m.head.records = 0;
		w->m.head.parts = w->m.head.attached = 0;
		w->m.head.keys = false;
		w->columns = pkg_values(head->columns, strlen(head->columns));
		rc = writer_open(w, path, err, err_cap);
	}
	if (rc == PKG_E_MEMORY || rc == PKG_E_CRYPTO)
		pkg_say(err, err_cap, "%s: %s", path, pkg_strerror(rc));
	if (rc) {
		pkg_write_drop(w);
		return rc;
	}
	*out = w;
	return 0;
}

/* ---- before the records ---- */

static int wrap_make(struct pkg_writer *w, char *err, size_t err_cap)
{
	uint8_t kek[KS_KEK_LEN];
	struct pkgc_buf envelope = { 0 }, body = { 0 };
	struct pkgc_hash *h = w->root.hash;
	uint8_t *both = NULL;
	int rc = ks_random(w->self->ks, kek, sizeof(kek)) ?
			 PKG_E_CRYPTO :
			 pkgc_seal(w->to->cert[PKG_USE_KEYS], kek, sizeof(kek), &envelope, &body);

	if (!rc && !(both = malloc(envelope.len + body.len)))
		rc = PKG_E_MEMORY;
	if (!rc) { /* the body has a fixed length: it stands behind the envelope */
		memcpy(both, envelope.p, envelope.len);
		memcpy(both + envelope.len, body.p, body.len);
		rc = pkgc_sha256(h, -1, both, envelope.len + body.len, NULL, 0, w->m.key_hash);
	}
	if (!rc)
		rc = section(w, 'K', both, envelope.len + body.len, err, err_cap);
	if (!rc && !(w->wrap = ks_wrap_new(w->self->ks, kek)))
		rc = PKG_E_LIMIT;
	w->m.head.keys = !rc;
	ks_wipe(kek, sizeof(kek));
	pkgc_buf_free(&envelope);
	pkgc_buf_free(&body);
	free(both);
	return rc;
}

struct ks_wrap *pkg_write_wrap(struct pkg_writer *w, char *err, size_t err_cap)
{
	int rc = 0;

	if (w->wrap)
		return w->wrap;
	if (w->m.head.records || w->m.head.attached) {
		pkg_say(err, err_cap, "%s: the package key comes before attachments and records", w->path);
		return NULL;
	}
	rc = wrap_make(w, err, err_cap);
	if (rc && rc != PKG_E_FILE)
		pkg_say(err, err_cap, "%s: no package key: %s", w->path,
			rc == PKG_E_LIMIT ? "too many packages are open at a time" : pkg_strerror(rc));
	return w->wrap;
}

int pkg_write_attach(struct pkg_writer *w, const uint8_t *der, size_t len, char *err, size_t err_cap)
{
	struct pkg_head *h = &w->m.head;
	int rc;

	if (h->records || h->attached == PKG_ATTACH_MAX || len > PKG_MANIFEST_MAX) {
		pkg_say(err, err_cap, "%s: attachments come before the records, at most %d of at most %u octets",
			w->path, PKG_ATTACH_MAX, PKG_MANIFEST_MAX);
		return PKG_E_LIMIT;
	}
	rc = pkgc_sha256(w->root.hash, -1, der, len, NULL, 0,
			 h->attached < PKG_ATTACH_MAX ? w->m.attached[h->attached] : NULL);
	if (!rc)
		rc = section(w, 'A', der, len, err, err_cap);
	if (!rc)
		h->attached++;
	return rc;
}

/* ---- records ---- */

static int part_close(struct pkg_writer *w, char *err, size_t err_cap)
{
	struct pkg_part *part = &w->m.part[w->m.head.parts];
	struct pkgc_buf envelope = { 0 }, body = { 0 };
	int rc;

	if (!w->records)
		return 0;
	*part = (struct pkg_part){ .records = w->records, .len = (uint32_t)w->len };
	rc = pkgc_sha256(w->root.hash, -1, w->text, w->len, NULL, 0, part->hash);
	if (!rc)
		rc = pkgc_seal(w->to->cert[PKG_USE_LIST], (const uint8_t *)w->text, w->len, &envelope, &body);
	if (!rc)
		rc = pkgc_sha256(w->root.hash, -1, envelope.p, envelope.len, NULL, 0, part->envelope);
	if (rc) {
		pkg_say(err, err_cap, "%s: part %u: %s", w->path, w->m.head.parts + 1, pkg_strerror(rc));
		return rc;
	}
	rc = section(w, 'E', envelope.p, envelope.len, err, err_cap);
	if (!rc)
		rc = section(w, 'B', body.p, body.len, err, err_cap);
	pkgc_buf_free(&envelope);
	pkgc_buf_free(&body);
	w->m.head.parts++;
	w->records = 0;
	w->len = 0;
	return rc;
}

static int salt_add(struct pkg_writer *w, char *out)
{
	uint8_t salt[PKG_SALT_LEN];

	if (ks_random(w->self->ks, salt, sizeof(salt)))
		return PKG_E_CRYPTO;
	*out++ = ',';
	for (int i = 0; i < PKG_SALT_LEN; i++)
		out += snprintf(out, 3, "%02x", salt[i]);
	return 0;
}

int pkg_write_record(struct pkg_writer *w, const char *line, char *err, size_t err_cap)
{
	size_t len = strlen(line);
	uint8_t leaf[PKG_HASH_LEN];
	char *at;
	int rc = 0;

	if (len + SALT_TEXT > PKG_RECORD_MAX || pkg_values(line, len) != w->columns) {
		pkg_say(err, err_cap,
			"%s: record %llu must have %u values of printable characters without comma, quote and space, "
			"and at most %d "
			"characters",
			w->path, (unsigned long long)w->m.head.records + 1, w->columns, PKG_RECORD_MAX - SALT_TEXT);
		return PKG_E_RECORD;
	}
	if (w->records == PKG_PART_RECORDS || w->len + len + SALT_TEXT + 1 > PKG_PART_MAX)
		rc = part_close(w, err, err_cap);
	if (rc)
		return rc;
	if (w->m.head.parts == PKG_PARTS_MAX) {
		pkg_say(err, err_cap, "%s: more than %d parts; split the list", w->path, PKG_PARTS_MAX);
		return PKG_E_LIMIT;
	}
	at = w->text + w->len;
	memcpy(at, line, len);
	rc = salt_add(w, at + len);
	if (!rc)
		rc = pkg_leaf(w->root.hash, at, len + SALT_TEXT, leaf);
	if (!rc)
		rc = pkg_root_add(&w->root, leaf);
	if (rc) {
		pkg_say(err, err_cap, "%s: %s", w->path, pkg_strerror(rc));
		return rc;
	}
	at[len + SALT_TEXT] = '\n';
	w->len += len + SALT_TEXT + 1;
	w->records++;
	w->m.head.records++;
	return 0;
}

/* ---- end ---- */

/* A rename is on disk when its directory is. */
static int directory_sync(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, rc = fd < 0 ? -1 : fsync(fd);

	if (fd >= 0)
		close(fd);
	free(dir);
	return rc;
}

static int file_close(struct pkg_writer *w, char *err, size_t err_cap)
{
	int rc = fsync(w->fd);

	rc |= close(w->fd);
	w->fd = -1;
	if (!rc && !link(w->tmp, w->path) && !unlink(w->tmp) && !directory_sync(w->path))
		return 0;
	pkg_say(err, err_cap, "%s: cannot be finished: %s", w->path, strerror(errno));
	return PKG_E_FILE;
}

static int manifest_close(struct pkg_writer *w, char *err, size_t err_cap)
{
	struct pkgc_buf text = { 0 }, der = { 0 };
	struct pkg_manifest again;
	int rc = pkg_root_end(&w->root, w->m.head.root);

	if (!rc)
		rc = pkg_manifest_print(&w->m, &text);
	if (!rc) { /* what we cannot read ourselves is not sent */
		rc = pkg_manifest_parse(&again, text.p, text.len, err, err_cap);
		pkg_manifest_free(&again);
	} else
		pkg_say(err, err_cap, "%s: manifest: %s", w->path, pkg_strerror(rc));
	if (!rc) {
		rc = pkgc_sign(w->self->key[PKG_USE_SIGN], w->m.head.created_s, text.p, text.len, &der);
		if (!rc && der.len > PKG_MANIFEST_MAX)
			rc = PKG_E_LIMIT;
		if (rc)
			pkg_say(err, err_cap, "%s: signing: %s", w->path, pkg_strerror(rc));
	}
	if (!rc)
		rc = section(w, 'M', der.p, der.len, err, err_cap);
	pkgc_buf_free(&text);
	pkgc_buf_free(&der);
	return rc;
}

int pkg_write_close(struct pkg_writer *w, struct pkg_head *head, char *err, size_t err_cap)
{
	int rc = part_close(w, err, err_cap);

	if (!rc)
		rc = manifest_close(w, err, err_cap);
	if (!rc)
		rc = file_close(w, err, err_cap);
	if (!rc && head)
		*head = w->m.head;
	if (!rc)
		w->tmp[0] = '\0'; /* nothing to take away */
	pkg_write_drop(w);
	return rc;
}

void pkg_write_drop(struct pkg_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0) {
		close(w->fd);
		w->fd = -1;
	}
	if (w->tmp && w->tmp[0] && w->path)
		unlink(w->tmp);
	ks_wrap_free(w->wrap);
	pkg_manifest_free(&w->m);
	pkgc_hash_free(w->root.hash);
	free(w->text);
	free(w->path);
	free(w->tmp);
	free(w);
}
