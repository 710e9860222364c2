/* package_manifest.c - the manifest of a package: lines of "word value", printed and read in one order only.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * There is one way to write a manifest, so that what was signed and what was understood are the same thing: the reader prints what it
 * has understood and compares.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pkg_int.h"

#define LINE_MAX_LEN (PKG_COLUMNS_MAX + 32)

/* ---- what may stand where ---- */

bool pkg_name_ok(const char *name, size_t max)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.");

	return n > 0 && n <= max && !name[n] && name[0] != '.' && name[0] != '-';
}

static bool word_ok(const char *word)
{
	size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/");

	return n > 0 && n <= PKG_WORD_MAX && !word[n];
}

static bool columns_ok(const char *columns)
{
	size_t n = strspn(columns, "abcdefghijklmnopqrstuvwxyz0123456789_,");

	return n > 0 && n <= PKG_COLUMNS_MAX && !columns[n] && columns[0] != ',' && columns[n - 1] != ',' &&
	       !strstr(columns, ",,");
}

unsigned pkg_values(const char *line, size_t len)
{
	unsigned values = 1;

	if (!len || len > PKG_RECORD_MAX)
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (line[i] <= ' ' || line[i] > '~' || line[i] == '"')
			return 0;
		values += line[i] == ',';
	}
	return values;
}

/* ---- printing ---- */

static void hex(char *out, const uint8_t *in, size_t len)
{
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", in[i]);
}

struct text {
	char *p;
	size_t len, cap;
};

static __attribute__((format(printf, 2, 3))) void put(struct text *t, const char *fmt, ...)
{
	size_t room = t->cap - t->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->p + t->len, room, fmt, ap);
	va_end(ap);
	t->len += n < 0 || (size_t)n >= room ? room : (size_t)n; /* full: len == cap, which the caller refuses */
}

static void put_hash(struct text *t, const char *word, const uint8_t hash[PKG_HASH_LEN])
{
	char text[2 * PKG_HASH_LEN + 1];

	hex(text, hash, PKG_HASH_LEN);
	put(t, "%s %s\n", word, text);
}

static void put_id(struct text *t, const char *word, const uint8_t id[PKG_ID_LEN])
{
	char text[2 * PKG_ID_LEN + 1];

	hex(text, id, PKG_ID_LEN);
	put(t, "%s %s\n", word, text);
}

int pkg_manifest_print(const struct pkg_manifest *m, struct pkgc_buf *out)
{
	const struct pkg_head *h = &m->head;
	struct text t = { .p = malloc(PKG_MANIFEST_MAX), .cap = PKG_MANIFEST_MAX };

	if (!t.p)
		return PKG_E_MEMORY;
	put(&t, "otapkg 1\ntype %s\n", h->type);
	put_id(&t, "id", h->id);
	put(&t, "order %s\nfrom %s\nto %s\nseq %" PRIu64 "\ncreated %" PRId64 "\nexpires %" PRId64 "\n", h->order,
	    h->from, h->to, h->seq, h->created_s, h->expires_s);
	if (h->answers)
		put_id(&t, "about", h->about);
	put(&t, "columns %s\nrecords %" PRIu64 "\n", h->columns, h->records);
	put_hash(&t, "root", h->root);
	if (h->keys)
		put_hash(&t, "keys", m->key_hash);
	for (unsigned i = 0; i < h->attached; i++)
		put_hash(&t, "attached", m->attached[i]);
	for (unsigned i = 0; i < h->parts; i++) {
		char text[2 * PKG_HASH_LEN + 1], envelope[2 * PKG_HASH_LEN + 1];

		hex(text, m->part[i].hash, PKG_HASH_LEN);
		hex(envelope, m->part[i].envelope, PKG_HASH_LEN);
		put(&t, "part %u %" PRIu32 " %s %s\n", m->part[i].records, m->part[i].len, text, envelope);
	}
	*out = (struct pkgc_buf){ (uint8_t *)t.p, t.len };
	if (t.len == t.cap) {
		pkgc_buf_free(out);
		return PKG_E_LIMIT;
	}
	return 0;
}

/* ---- reading ---- */

struct lines {
	const char *p, *end;
	unsigned no;
	char line[LINE_MAX_LEN];
	bool have; /* line[] has not been taken yet */
};

static bool line_look(struct lines *l)
{
	const char *nl;

	if (l->have)
		return true;
	nl = l->p < l->end ? memchr(l->p, '\n', (size_t)(l->end - l->p)) : NULL;
	if (!nl || nl - l->p >= LINE_MAX_LEN || memchr(l->p, '\0', (size_t)(nl - l->p)))
		return false;
	memcpy(l->line, l->p, (size_t)(nl - l->p));
	l->line[nl - l->p] = '\0';
	l->p = nl + 1;
	l->no++;
	return l->have = true;
}

/* The value of the next line, when it begins with this word. */
static const char *value(struct lines *l, const char *word)
{
	size_t n = strlen(word);

	if (!line_look(l) || strncmp(l->line, word, n) || l->line[n] != ' ')
		return NULL;
	l->have = false;
	return l->line + n + 1;
}

static bool take_text(struct lines *l, const char *word, char *out, size_t max)
{
	const char *v = value(l, word);

	if (!v || strlen(v) > max)
		return false;
	strcpy(out, v);
	return true;
}

static bool take_number(struct lines *l, const char *word, uint64_t max, uint64_t *out)
{
	const char *v = value(l, word);
	char *end;

	if (!v || *v < '0' || *v > '9' || strlen(v) > 18)
		return false;
	*out = strtoull(v, &end, 10);
	return !*end && *out <= max;
}

static bool unhex(const char *v, uint8_t *out, size_t len, char behind)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		const char *high = v[2 * i] ? strchr(digits, v[2 * i]) : NULL;
		const char *low = high && v[2 * i + 1] ? strchr(digits, v[2 * i + 1]) : NULL;

		if (!low)
			return false;
		out[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	return v[2 * len] == behind;
}

static bool take_hex(struct lines *l, const char *word, uint8_t *out, size_t len)
{
	const char *v = value(l, word);

	return v && unhex(v, out, len, '\0');
}

static bool part_line(const char *v, struct pkg_part *part)
{
	char *end;
	unsigned long n;

	if (*v < '1' || *v > '9')
		return false;
	n = strtoul(v, &end, 10);
	if (*end != ' ' || n > PKG_PART_RECORDS || end[1] < '1' || end[1] > '9')
		return false;
	part->records = (unsigned)n;
	n = strtoul(end + 1, &end, 10);
	if (*end != ' ' || n > PKG_PART_MAX)
		return false;
	part->len = (uint32_t)n;
	return unhex(end + 1, part->hash, PKG_HASH_LEN, ' ') &&
	       unhex(end + 2 + 2 * PKG_HASH_LEN, part->envelope, PKG_HASH_LEN, '\0');
}

static bool take_parts(struct lines *l, struct pkg_manifest *m)
{
	uint64_t sum = 0;
	const char *v;

	m->part = calloc(PKG_PARTS_MAX, sizeof(*m->part));
	if (!m->part)
		return false;
	while ((v = value(l, "part"))) {
		if (m->head.parts == PKG_PARTS_MAX || !part_line(v, &m->part[m->head.parts]))
			return false;
		sum += m->part[m->head.parts++].records;
	}
	return sum == m->head.records;
}

static bool take_optional(struct lines *l, struct pkg_manifest *m)
{
	struct pkg_head *h = &m->head;

	if (line_look(l) && !strncmp(l->line, "keys ", 5)) {
		h->keys = true;
		if (!take_hex(l, "keys", m->key_hash, PKG_HASH_LEN))
			return false;
	}
	while (line_look(l) && !strncmp(l->line, "attached ", 9)) {
		if (h->attached == PKG_ATTACH_MAX || !take_hex(l, "attached", m->attached[h->attached], PKG_HASH_LEN))
			return false;
		h->attached++;
	}
	return true;
}

static bool take_head(struct lines *l, struct pkg_head *h)
{
	uint64_t created, expires;
	const char *v = value(l, "otapkg");

	if (!v || strcmp(v, "1") || !take_text(l, "type", h->type, PKG_NAME_MAX) || !word_ok(h->type) ||
	    !take_hex(l, "id", h->id, PKG_ID_LEN) || !take_text(l, "order", h->order, PKG_WORD_MAX) ||
	    !word_ok(h->order) || !take_text(l, "from", h->from, PKG_NAME_MAX) || !pkg_name_ok(h->from, PKG_NAME_MAX) ||
	    !take_text(l, "to", h->to, PKG_NAME_MAX) || !pkg_name_ok(h->to, PKG_NAME_MAX) ||
	    !take_number(l, "seq", UINT64_MAX, &h->seq) || !h->seq || !take_number(l, "created", INT64_MAX, &created) ||
	    !take_number(l, "expires", INT64_MAX, &expires) || expires < created)
		return false;
	h->created_s = (int64_t)created;
	h->expires_s = (int64_t)expires;
	if (line_look(l) && !strncmp(l->line, "about ", 6)) {
		h->answers = true;
		if (!take_hex(l, "about", h->about, PKG_ID_LEN))
			return false;
	}
	return take_text(l, "columns", h->columns, PKG_COLUMNS_MAX) && columns_ok(h->columns) &&
	       take_number(l, "records", (uint64_t)PKG_PARTS_MAX * PKG_PART_RECORDS, &h->records) &&
	       take_hex(l, "root", h->root, PKG_HASH_LEN);
}

int pkg_manifest_parse(struct pkg_manifest *m, const uint8_t *text, size_t len, char *err, size_t err_cap)
{
	struct lines l = { .p = (const char *)text, .end = (const char *)text + len };
	struct pkgc_buf again = { 0 };
	bool ok;

	memset(m, 0, sizeof(*m));
	ok = take_head(&l, &m->head) && take_optional(&l, m) && take_parts(&l, m) && l.p == l.end && !l.have;
	if (ok && (pkg_manifest_print(m, &again) || again.len != len || memcmp(again.p, text, len)))
		ok = false;
	pkgc_buf_free(&again);
	if (ok)
		return 0;
	pkg_say(err, err_cap,
		"the manifest is not as version 1 has it (near line %u): written by another version, or damaged",
		l.no ? l.no : 1);
	pkg_manifest_free(m);
	return PKG_E_MANIFEST;
}

void pkg_manifest_free(struct pkg_manifest *m)
{
	free(m->part);
	m->part = NULL;
	m->head.parts = 0;
}
