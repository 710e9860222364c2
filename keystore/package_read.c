/* package_read.c - a package is read: where everything stands, whose it is, then part after part.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Everything in the file is foreign until its hash has been found in the signed manifest.  The file may change under us: each part is
 * read once, into memory, and held against the manifest that was verified.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg_int.h"

struct place {
	uint64_t at;
	uint64_t len;
};

struct pkg {
	char *path;
	int fd;
	struct pkg_manifest m;
	bool verified;
	struct pkgc_buf signed_der;
	struct pkgc_buf attached[PKG_ATTACH_MAX];
	unsigned n_attached;
	struct place key, envelope[PKG_PARTS_MAX], body[PKG_PARTS_MAX];
	unsigned parts;
	struct pkgc_hash *hash;
};

/* ---- file ---- */

static int get(const struct pkg *p, uint64_t at, uint8_t *out, size_t len)
{
	while (len) {
		ssize_t n = pread(p->fd, out, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? PKG_E_FILE : PKG_E_FORM;
		out += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int load(const struct pkg *p, const struct place *at, struct pkgc_buf *out)
{
	int rc;

	*out = (struct pkgc_buf){ .p = malloc(at->len ? at->len : 1), .len = at->len };
	rc = out->p ? get(p, at->at, out->p, at->len) : PKG_E_MEMORY;
	if (rc)
		pkgc_buf_free(out);
	return rc;
}

/* ---- where everything stands ---- */

struct scan {
	uint64_t at, size;
	bool key, parts, open_envelope, end;
};

static int section_take(struct pkg *p, struct scan *s, char type, struct place where)
{
	switch (type) {
	case 'K':
		if (s->key || p->n_attached || s->parts || where.len > PKG_ENVELOPE_MAX)
			return PKG_E_FORM;
		s->key = true;
		p->key = where;
		return 0;
	case 'A':
		if (s->parts || p->n_attached == PKG_ATTACH_MAX || where.len > PKG_MANIFEST_MAX)
			return PKG_E_FORM;
		return load(p, &where, &p->attached[p->n_attached++]);
	case 'E':
		if (s->open_envelope || p->parts == PKG_PARTS_MAX || where.len > PKG_ENVELOPE_MAX)
			return PKG_E_FORM;
		s->parts = s->open_envelope = true;
		p->envelope[p->parts] = where;
		return 0;
	case 'B':
		if (!s->open_envelope || where.len > PKG_PART_MAX)
			return PKG_E_FORM;
		s->open_envelope = false;
		p->body[p->parts++] = where;
		return 0;
	case 'M':
		if (s->open_envelope || where.len > PKG_MANIFEST_MAX || where.at + where.len != s->size)
			return PKG_E_FORM;
		s->end = true;
		return load(p, &where, &p->signed_der);
	default:
		return PKG_E_FORM;
	}
}

static int scan(struct pkg *p, char *err, size_t err_cap)
{
	uint8_t head[PKG_SECTION];
	struct scan s = { 0 };
	struct stat st;
	int rc = fstat(p->fd, &st) || !S_ISREG(st.st_mode) ? PKG_E_FILE : get(p, 0, head, PKG_MAGIC_LEN);

	if (!rc && memcmp(head, PKG_MAGIC, PKG_MAGIC_LEN))
		rc = PKG_E_FORM;
	s.size = rc ? 0 : (uint64_t)st.st_size;
	for (s.at = PKG_MAGIC_LEN; !rc && !s.end;) {
		struct place where = { .at = s.at + PKG_SECTION };

		rc = get(p, s.at, head, sizeof(head));
		for (int i = 1; !rc && i < PKG_SECTION; i++)
			where.len = where.len << 8 | head[i];
		if (!rc && (where.at > s.size || where.len > s.size - where.at))
			rc = PKG_E_FORM;
		if (!rc)
			rc = section_take(p, &s, (char)head[0], where);
		s.at = where.at + where.len;
	}
	if (rc == PKG_E_FORM)
		pkg_say(err, err_cap,
			"%s: not a package, or cut off (near octet %llu of %llu); ask the sender for the file again",
			p->path, (unsigned long long)s.at, (unsigned long long)s.size);
	else if (rc)
		pkg_say(err, err_cap, "%s: %s", p->path, rc == PKG_E_FILE ? strerror(errno) : pkg_strerror(rc));
	return rc;
}

/* What the manifest says and what stands in the file, as far as can be told without keys. */
static int manifest_fits(struct pkg *p)
{
	bool ok = p->m.head.parts == p->parts && p->m.head.attached == p->n_attached &&
		  p->m.head.keys == (p->key.len > 0);

	for (unsigned i = 0; ok && i < p->parts; i++)
		ok = p->body[i].len == p->m.part[i].len;
	for (unsigned i = 0; ok && i < p->n_attached; i++) {
		uint8_t hash[PKG_HASH_LEN];

		ok = !pkgc_sha256(p->hash, -1, p->attached[i].p, p->attached[i].len, NULL, 0, hash) &&
		     !memcmp(hash, p->m.attached[i], PKG_HASH_LEN);
	}
	return ok ? 0 : PKG_E_MANIFEST;
}

static int manifest_load(struct pkg *p, char *err, size_t err_cap)
{
	struct pkgc_buf text = { 0 };
	int rc = pkgc_signed_text(p->signed_der.p, p->signed_der.len, NULL, &text);

	if (rc) {
		pkg_say(err, err_cap, "%s: the manifest is not signed data: %s", p->path, pkg_strerror(rc));
	} else {
		char why[200] = "";

		rc = pkg_manifest_parse(&p->m, text.p, text.len, why, sizeof(why));
		if (rc)
			pkg_say(err, err_cap, "%s: %s", p->path, why);
	}
	pkgc_buf_free(&text);
	if (!rc && (rc = manifest_fits(p)))
		pkg_say(err, err_cap,
			"%s: the manifest does not belong to the rest of the file; ask the sender for it again",
			p->path);
	return rc;
}

int pkg_open(struct pkg **out, const char *path, char *err, size_t err_cap)
{
	struct pkg *p = calloc(1, sizeof(*p));
	int rc = 0;

	*out = NULL;
	if (p) {
		p->fd = -1;
		p->path = strdup(path);
		p->hash = pkgc_hash_new();
	}
	if (!p || !p->path || !p->hash) {
		pkg_say(err, err_cap, "%s: out of memory", path);
		rc = PKG_E_MEMORY;
	}
	if (!rc && (p->fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
		pkg_say(err, err_cap, "%s: %s", path, strerror(errno));
		rc = PKG_E_FILE;
	}
	if (!rc)
		rc = scan(p, err, err_cap);
	if (!rc)
		rc = manifest_load(p, err, err_cap);
	if (rc)
		pkg_close(p);
	else
		*out = p;
	return rc;
}

void pkg_close(struct pkg *p)
{
	if (!p)
		return;
	if (p->fd >= 0)
		close(p->fd);
	pkgc_buf_free(&p->signed_der);
	for (unsigned i = 0; i < PKG_ATTACH_MAX; i++)
		pkgc_buf_free(&p->attached[i]);
	pkg_manifest_free(&p->m);
	pkgc_hash_free(p->hash);
	free(p->path);
	free(p);
}

const struct pkg_head *pkg_head(const struct pkg *p)
{
	return &p->m.head;
}

off_t pkg_size(const struct pkg *p)
{
	struct stat st;

	return fstat(p->fd, &st) ? -1 : st.st_size;
}

struct pkg_manifest *pkg_manifest_of(struct pkg *p)
{
	return &p->m;
}

const uint8_t *pkg_signed(const struct pkg *p, size_t *len)
{
	*len = p->signed_der.len;
	return p->signed_der.p;
}

const uint8_t *pkg_attached(const struct pkg *p, unsigned i, size_t *len)
{
	*len = i < p->n_attached ? p->attached[i].len : 0;
	return i < p->n_attached ? p->attached[i].p : NULL;
}

/* ---- whose it is ---- */

static int signer_check(const struct pkg_head *h, const uint8_t *der, size_t len, const struct pkg_partner *from)
{
	struct pkgc_buf text = { 0 };
	int rc = strcmp(h->from, from->name) ? PKG_E_SIGNER : 0;

	if (!rc)
		rc = pkgc_signed_text(der, len, from->cert[PKG_USE_SIGN], &text);
	pkgc_buf_free(&text);
	return rc == PKG_E_FORM ? PKG_E_SIGNER : rc;
}

static int time_check(const struct pkg *p, const struct pkg_partner *from, int64_t now_s, char *err, size_t err_cap)
{
	const struct pkg_head *h = &p->m.head;

	if (now_s > h->expires_s) {
		pkg_say(err, err_cap, "%s: expired %lld s ago; ask %s for a new one", p->path,
			(long long)(now_s - h->expires_s), h->from);
		return PKG_E_TIME;
	}
	if (h->created_s > now_s + PKG_CLOCK_SKEW_S) {
		pkg_say(err, err_cap, "%s: made %lld s in the future; compare the clocks of the two hosts", p->path,
			(long long)(h->created_s - now_s));
		return PKG_E_TIME;
	}
	if (pkgc_cert_time(from->cert[PKG_USE_SIGN], h->created_s)) {
		pkg_say(err, err_cap,
			"%s: the certificate of %s was not valid when this was signed; exchange party files again",
			p->path, h->from);
		return PKG_E_TIME;
	}
	return 0;
}

int pkg_verify(struct pkg *p, const struct pkg_partner *from, const char *to, int64_t now_s, char *err, size_t err_cap)
{
	const struct pkg_head *h = &p->m.head;
	int rc = signer_check(h, p->signed_der.p, p->signed_der.len, from);

	if (rc)
		pkg_say(err, err_cap, "%s: says it is from %s, but %s: %s; nothing of it is used", p->path, h->from,
			rc == PKG_E_ALGORITHM ? "is signed in a way that is not taken" :
						"that party's pinned certificate did not sign it",
			pkg_strerror(rc));
	else if (strcmp(h->to, to)) {
		pkg_say(err, err_cap, "%s: is for %s, we are %s", p->path, h->to, to);
		rc = PKG_E_RECEIVER;
	} else {
		rc = time_check(p, from, now_s, err, err_cap);
	}
	p->verified = !rc;
	return rc;
}

int pkg_manifest_verify(struct pkg_head *out, const uint8_t *der, size_t len, const struct pkg_partner *from, char *err,
			size_t err_cap)
{
	struct pkgc_buf text = { 0 };
	struct pkg_manifest m = { 0 };
	int rc = pkgc_signed_text(der, len, from->cert[PKG_USE_SIGN], &text);

	if (rc)
		pkg_say(err, err_cap, "the attached manifest was not signed by %s: %s", from->name, pkg_strerror(rc));
	else
		rc = pkg_manifest_parse(&m, text.p, text.len, err, err_cap);
	if (!rc && strcmp(m.head.from, from->name)) {
		pkg_say(err, err_cap, "the attached manifest is signed by %s but says it is from %s", from->name,
			m.head.from);
		rc = PKG_E_SIGNER;
	}
	*out = m.head;
	pkg_manifest_free(&m);
	pkgc_buf_free(&text);
	return rc;
}

/* ---- records ---- */

static int part_load(struct pkg *p, const struct pkg_self *self, unsigned i, struct pkgc_buf *text)
{
	struct pkgc_buf envelope = { 0 }, body = { 0 };
	uint8_t hash[PKG_HASH_LEN];
	int rc = load(p, &p->envelope[i], &envelope);

	if (!rc)
		rc = pkgc_sha256(p->hash, -1, envelope.p, envelope.len, NULL, 0, hash);
	if (!rc && memcmp(hash, p->m.part[i].envelope, PKG_HASH_LEN))
		rc = PKG_E_BODY;
	if (!rc)
		rc = load(p, &p->body[i], &body);
	if (!rc)
		rc = pkgc_open(self->key[PKG_USE_LIST], envelope.p, envelope.len, body.p, body.len, text);
	if (!rc)
		rc = pkgc_sha256(p->hash, -1, text->p, text->len, NULL, 0, hash);
	if (!rc && memcmp(hash, p->m.part[i].hash, PKG_HASH_LEN))
		rc = PKG_E_BODY;
	pkgc_buf_free(&envelope);
	pkgc_buf_free(&body);
	return rc;
}

/* Lines of a part that was found to be the one that was signed: they must still be records.  root may be NULL. */
static int part_read(struct pkg *p, struct pkg_root *root, unsigned part, struct pkgc_buf *text, uint64_t first,
		     pkg_take take, void *ctx, char *err, size_t err_cap)
{
	const unsigned columns = pkg_values(p->m.head.columns, strlen(p->m.head.columns)) + 1; /* and the salt */
	char *at = (char *)text->p, *end = at + text->len;
	unsigned n = 0;
	int rc = 0;

	while (!rc && at < end) {
		char *nl = memchr(at, '\n', (size_t)(end - at));
		uint8_t leaf[PKG_HASH_LEN];

		if (!nl || pkg_values(at, (size_t)(nl - at)) != columns || n == p->m.part[part].records) {
			pkg_say(err, err_cap, "%s: part %u: record %u is none; the sender's software is at fault",
				p->path, part + 1, n + 1);
			return PKG_E_RECORD;
		}
		*nl = '\0';
		rc = root ? pkg_leaf(p->hash, at, (size_t)(nl - at), leaf) : 0;
		if (!rc && root)
			rc = pkg_root_add(root, leaf);
		if (!rc && take && take(ctx, first + n, at, err, err_cap))
			return PKG_E_RECORD;
		at = nl + 1;
		n++;
	}
	return !rc && n != p->m.part[part].records ? PKG_E_BODY : rc;
}

static int part_take(struct pkg *p, const struct pkg_self *self, struct pkg_root *root, unsigned part, uint64_t first,
		     pkg_take take, void *ctx, char *err, size_t err_cap)
{
	struct pkgc_buf text = { 0 };
	int rc = part_load(p, self, part, &text);

	if (!rc)
		rc = part_read(p, root, part, &text, first, take, ctx, err, err_cap);
	pkgc_buf_free(&text);
	if (rc && rc != PKG_E_RECORD)
		pkg_say(err, err_cap, "%s: part %u of %u: %s; nothing of this package is used, ask %s for it again",
			p->path, part + 1, p->parts, pkg_strerror(rc), p->m.head.from);
	return rc;
}

int pkg_read(struct pkg *p, const struct pkg_self *self, pkg_take take, void *ctx, char *err, size_t err_cap)
{
	struct pkg_root root = { .hash = p->hash };
	uint8_t hash[PKG_HASH_LEN];
	int rc = p->verified ? 0 : PKG_E_SIGNER;

	for (unsigned i = 0; !rc && i < p->parts; i++)
		rc = part_take(p, self, &root, i, root.n, take, ctx, err, err_cap);
	if (!rc && (pkg_root_end(&root, hash) || memcmp(hash, p->m.head.root, PKG_HASH_LEN))) {
		pkg_say(err, err_cap, "%s: the records are not those that were signed; nothing of this package is used",
			p->path);
		rc = PKG_E_BODY;
	}
	return rc;
}

unsigned pkg_part_records(const struct pkg *p, unsigned part)
{
	return part < p->parts ? p->m.part[part].records : 0;
}

int pkg_read_part(struct pkg *p, const struct pkg_self *self, unsigned part, pkg_take take, void *ctx, char *err,
		  size_t err_cap)
{
	uint64_t first = 0;

	if (!p->verified || part >= p->parts) {
		pkg_say(err, err_cap, "%s: part %u: %s", p->path, part + 1,
			p->verified ? "there is none" : "the package has not been verified");
		return p->verified ? PKG_E_LIMIT : PKG_E_SIGNER;
	}
	for (unsigned i = 0; i < part; i++)
		first += p->m.part[i].records;
	return part_take(p, self, NULL, part, first, take, ctx, err, err_cap);
}

/* ---- package key ---- */

/* Envelope and body stand one behind the other: the body is as long as a key. */
static int wrap_open(struct pkg *p, const struct pkg_self *self, struct ks_wrap **out)
{
	struct pkgc_buf both = { 0 }, kek = { 0 };
	uint8_t hash[PKG_HASH_LEN];
	int rc = p->verified ? load(p, &p->key, &both) : PKG_E_SIGNER;

	if (!rc)
		rc = pkgc_sha256(p->hash, -1, both.p, both.len, NULL, 0, hash);
	if (!rc && (memcmp(hash, p->m.key_hash, PKG_HASH_LEN) || both.len <= KS_KEK_LEN))
		rc = PKG_E_BODY;
	if (!rc)
		rc = pkgc_open(self->key[PKG_USE_KEYS], both.p, both.len - KS_KEK_LEN, both.p + both.len - KS_KEK_LEN,
			       KS_KEK_LEN, &kek);
	if (!rc && kek.len != KS_KEK_LEN)
		rc = PKG_E_BODY;
	if (!rc && !(*out = ks_wrap_new(self->ks, kek.p)))
		rc = PKG_E_LIMIT;
	pkgc_buf_free(&both);
	pkgc_buf_free(&kek);
	return rc;
}

struct ks_wrap *pkg_unwrap(struct pkg *p, const struct pkg_self *self, char *err, size_t err_cap)
{
	struct ks_wrap *w = NULL;
	int rc = p->m.head.keys ? wrap_open(p, self, &w) : PKG_E_MANIFEST;

	if (rc)
		pkg_say(err, err_cap, "%s: package key: %s", p->path,
			!p->m.head.keys	  ? "this package holds no keys" :
			rc == PKG_E_LIMIT ? "too many packages are open at a time" :
					    pkg_strerror(rc));
	return w;
}
