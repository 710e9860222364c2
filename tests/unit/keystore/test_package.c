/* test_package.c - packages between parties: whole or not at all, from whom they say, for whom they say.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "ks_test.h"
#include "pkg_int.h"

#define NOW 1795000000

struct who {
	struct ks *ks;
	char *party;
	size_t party_len;
	uint8_t *sealed;
	size_t sealed_len;
	struct pkg_self *self;
	struct pkg_partner *known;
};

struct bed {
	char dir[64], path[96];
	struct who a, b, m;
	char err[400];
};

static void who_make(struct who *w, const char *name)
{
	char err[400] = "";

	w->ks = test_open(8);
	assert_int_equal(pkg_self_create(w->ks, name, NOW, &w->party, &w->party_len, &w->sealed, &w->sealed_len, err,
					 sizeof(err)),
			 0);
	assert_int_equal(pkg_self_load(&w->self, w->ks, w->party, w->party_len, w->sealed, w->sealed_len, err,
				       sizeof(err)),
			 0);
	assert_int_equal(pkg_partner_load(&w->known, w->party, w->party_len, err, sizeof(err)), 0);
	assert_string_equal(pkg_self_name(w->self), name);
	assert_string_equal(pkg_partner_name(w->known), name);
}

static void who_free(struct who *w)
{
	pkg_self_free(w->self);
	pkg_partner_free(w->known);
	free(w->party);
	free(w->sealed);
	ks_close(w->ks);
}

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));

	strcpy(b->dir, "/tmp/otagw-pkg-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->path, sizeof(b->path), "%s/list.otapkg", b->dir);
	who_make(&b->a, "operator-a");
	who_make(&b->b, "operator-b");
	who_make(&b->m, "vault");
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bed *b = *state;

	who_free(&b->a);
	who_free(&b->b);
	who_free(&b->m);
	unlink(b->path);
	assert_int_equal(rmdir(b->dir), 0); /* nothing else was left behind */
	free(b);
	return 0;
}

static struct pkg_head head_ab(void)
{
	struct pkg_head h = { .seq = 1, .created_s = NOW, .expires_s = NOW + 3600 };

	strcpy(h.type, "HL3b");
	strcpy(h.order, "SO-7");
	strcpy(h.from, "operator-a");
	strcpy(h.to, "operator-b");
	strcpy(h.columns, "iccid,imsi,index");
	return h;
}

static void list_line(char *out, size_t cap, unsigned i)
{
	snprintf(out, cap, "8988211%012u,26201%010u,2", i, i);
}

static void write_list(struct bed *b, unsigned n, struct pkg_head *out)
{
	struct pkg_head h = head_ab();
	struct pkg_writer *w;
	char line[100];

	unlink(b->path);
	if (pkg_write_open(&w, b->path, &h, b->a.self, b->b.known, b->err, sizeof(b->err)))
		fail_msg("%s", b->err);
	for (unsigned i = 0; i < n; i++) {
		list_line(line, sizeof(line), i);
		assert_int_equal(pkg_write_record(w, line, b->err, sizeof(b->err)), 0);
	}
	if (pkg_write_close(w, out ? out : &h, b->err, sizeof(b->err)))
		fail_msg("%s", b->err);
}

struct seen {
	unsigned n;
	bool wrong;
	struct pkg_tree *tree;
	char line[80][PKG_RECORD_MAX];
};

static int take(void *ctx, uint64_t n, char *line, char *err, size_t err_cap)
{
	struct seen *s = ctx;
	char want[100];
	size_t len;

	list_line(want, sizeof(want), (unsigned)n);
	len = strlen(want);
	s->wrong |=
		n != s->n || strncmp(line, want, len) || line[len] != ',' || strlen(line) != len + 1 + 2 * PKG_SALT_LEN;
	if (s->tree && n < 80)
		strcpy(s->line[n], line);
	if (s->tree && pkg_tree_add(s->tree, line))
		return -1;
	s->n++;
	return 0;
}

/* Opens, verifies, reads; what it ends with. */
static int read_as(struct bed *b, const struct who *me, const struct who *from, const char *name, int64_t now,
		   struct seen *s)
{
	struct pkg *p;
	int rc = pkg_open(&p, b->path, b->err, sizeof(b->err));

	if (rc)
		return rc;
	rc = pkg_verify(p, from->known, name, now, b->err, sizeof(b->err));
	if (!rc)
		rc = pkg_read(p, me->self, take, s, b->err, sizeof(b->err));
	pkg_close(p);
	return rc;
}

static void test_round_trip(void **state)
{
	static const unsigned sizes[] = { 0, 1, 2, 9999, 10000, 10001, 25001 };
	struct bed *b = *state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct seen s = { 0 };
		struct pkg_head h;
		struct stat st;

		write_list(b, sizes[i], &h);
		assert_int_equal(h.records, sizes[i]);
		assert_int_equal(h.parts, (sizes[i] + 9999) / 10000);
		assert_int_equal(stat(b->path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
		if (read_as(b, &b->b, &b->a, "operator-b", NOW + 5, &s))
			fail_msg("%s", b->err);
		assert_int_equal(s.n, sizes[i]);
		assert_false(s.wrong);
	}
}

/* Signed anew when its time is almost over: the same records under the same id and number, for longer; by its sender alone. */
static void test_renewed(void **state)
{
	struct bed *b = *state;
	struct seen s = { 0 };
	struct pkg_head h;
	struct pkg *p;

	write_list(b, 10300, &h);
	assert_int_equal(pkg_renew(b->path, b->b.self, NOW + 3000, NOW + 9000, b->err, sizeof(b->err)), PKG_E_SIGNER);
	assert_int_equal(read_as(b, &b->b, &b->a, "operator-b", NOW + 8000, &s), PKG_E_TIME);
	assert_int_equal(pkg_renew(b->path, b->a.self, NOW + 4000, NOW + 9000, b->err, sizeof(b->err)), 0);
	assert_int_equal(read_as(b, &b->b, &b->a, "operator-b", NOW + 8000, &s), 0);
	assert_int_equal(s.n, 10300);
	assert_false(s.wrong);
	assert_int_equal(read_as(b, &b->b, &b->a, "operator-b", NOW + 9001, &s), PKG_E_TIME);
	assert_int_equal(pkg_open(&p, b->path, b->err, sizeof(b->err)), 0);
	assert_memory_equal(pkg_head(p)->id, h.id, PKG_ID_LEN);
	assert_memory_equal(pkg_head(p)->root, h.root, PKG_HASH_LEN);
	assert_int_equal(pkg_head(p)->seq, h.seq);
	pkg_close(p);
	assert_int_equal(truncate(b->path, 3000), 0);
	assert_int_equal(pkg_renew(b->path, b->a.self, NOW, NOW + 9000, b->err, sizeof(b->err)), PKG_E_FORM);
}

/* A part by itself, in any order; numbered as in the whole. */
static void test_part_alone(void **state)
{
	struct bed *b = *state;
	struct seen s = { .n = 10000 };
	struct pkg *p;

	write_list(b, 10300, NULL);
	assert_int_equal(pkg_open(&p, b->path, b->err, sizeof(b->err)), 0);
	assert_int_equal(pkg_read_part(p, b->b.self, 1, take, &s, b->err, sizeof(b->err)), PKG_E_SIGNER);
	assert_int_equal(pkg_verify(p, b->a.known, "operator-b", NOW, b->err, sizeof(b->err)), 0);
	assert_int_equal(pkg_part_records(p, 0), 10000);
	assert_int_equal(pkg_part_records(p, 1), 300);
	assert_int_equal(pkg_part_records(p, 2), 0);
	assert_int_equal(pkg_read_part(p, b->b.self, 1, take, &s, b->err, sizeof(b->err)), 0);
	assert_int_equal(s.n, 10300);
	s.n = 0;
	assert_int_equal(pkg_read_part(p, b->b.self, 0, take, &s, b->err, sizeof(b->err)), 0);
	assert_int_equal(s.n, 10000);
	assert_false(s.wrong);
	assert_int_equal(pkg_read_part(p, b->b.self, 2, take, &s, b->err, sizeof(b->err)), PKG_E_LIMIT);
	pkg_close(p);
}

/* Never over a file that is there: it may be the only copy of something. */
static void test_no_overwrite(void **state)
{
	struct bed *b = *state;
	struct pkg_head h = head_ab();
	struct pkg_writer *w;

	write_list(b, 1, NULL);
	assert_int_equal(pkg_write_open(&w, b->path, &h, b->a.self, b->b.known, b->err, sizeof(b->err)), 0);
	assert_int_equal(pkg_write_record(w, "1,2,3", b->err, sizeof(b->err)), 0);
	assert_int_equal(pkg_write_close(w, NULL, b->err, sizeof(b->err)), PKG_E_FILE);
	assert_non_null(strstr(b->err, "File exists"));
}

static void test_records_refused(void **state)
{
	static const char *const bad[] = { "", "1,2", "1,2,3,4", "1 ,2,3", "1,\"2\",3", "1,2,3\n", "1,2,\x80" };
	struct bed *b = *state;
	struct pkg_head h = head_ab();
	char long_line[PKG_RECORD_MAX + 10];
	struct pkg_writer *w;

	assert_int_equal(pkg_write_open(&w, b->path, &h, b->a.self, b->b.known, b->err, sizeof(b->err)), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(pkg_write_record(w, bad[i], b->err, sizeof(b->err)), PKG_E_RECORD);
		assert_non_null(strstr(b->err, "record 1"));
	}
	memset(long_line, 'x', sizeof(long_line));
	memcpy(long_line, "1,2,", 4);
	long_line[PKG_RECORD_MAX - 20] = '\0';
	assert_int_equal(pkg_write_record(w, long_line, b->err, sizeof(b->err)), PKG_E_RECORD);
	pkg_write_drop(w);
}

static void test_wrong_party(void **state)
{
	struct bed *b = *state;
	struct pkg_head h = head_ab();
	struct pkg_writer *w;
	struct seen s = { 0 };

	assert_int_equal(pkg_write_open(&w, b->path, &h, b->m.self, b->b.known, b->err, sizeof(b->err)), PKG_E_PARTY);
	assert_int_equal(pkg_write_open(&w, b->path, &h, b->a.self, b->m.known, b->err, sizeof(b->err)), PKG_E_PARTY);
	write_list(b, 3, NULL);
	assert_int_equal(read_as(b, &b->b, &b->m, "operator-b", NOW, &s), PKG_E_SIGNER);
	assert_int_equal(read_as(b, &b->m, &b->a, "vault", NOW, &s), PKG_E_RECEIVER);
	assert_non_null(strstr(b->err, "is for operator-b, we are vault"));
	/* even who claims the name does not open it */
	assert_int_equal(read_as(b, &b->m, &b->a, "operator-b", NOW, &s), PKG_E_RECEIVER);
	assert_int_equal(s.n, 0);
}

/* Somebody with A's name but not A's key. */
static void test_impostor(void **state)
{
	struct bed *b = *state;
	struct who fake = { 0 };
	struct seen s = { 0 };
	struct pkg_head h = head_ab();
	struct pkg_writer *w;

	who_make(&fake, "operator-a");
	assert_int_equal(pkg_write_open(&w, b->path, &h, fake.self, b->b.known, b->err, sizeof(b->err)), 0);
	assert_int_equal(pkg_write_close(w, NULL, b->err, sizeof(b->err)), 0);
	assert_int_equal(read_as(b, &b->b, &b->a, "operator-b", NOW, &s), PKG_E_SIGNER);
	assert_non_null(strstr(b->err, "pinned certificate did not sign it"));
	assert_int_equal(read_as(b, &b->b, &fake, "operator-b", NOW, &s), 0);
	who_free(&fake);
}

static void test_time(void **state)
{
	struct bed *b = *state;
	struct seen s = { 0 };

	write_list(b, 1, NULL);
	assert_int_equal(read_as(b, &b->b, &b->a, "operator-b", NOW + 3601, &s), PKG_E_TIME);
	assert_non_null(strstr(b->err, "expired 1 s ago"));
	assert_int_equal(read_as(b, &b->b, &b->a, "operator-b", NOW - 301, &s), PKG_E_TIME);
	assert_non_null(strstr(b->err, "in the future"));
	assert_int_equal(s.n, 0);
	assert_int_equal(read_as(b, &b->b, &b->a, "operator-b", NOW + 3600, &s), 0);
	assert_int_equal(s.n, 1);
}

/* Not read before it was verified. */
static void test_verify_first(void **state)
{
	struct bed *b = *state;
	struct seen s = { 0 };
	struct pkg *p;

	write_list(b, 1, NULL);
	assert_int_equal(pkg_open(&p, b->path, b->err, sizeof(b->err)), 0);
	assert_int_equal(pkg_read(p, b->b.self, take, &s, b->err, sizeof(b->err)), PKG_E_SIGNER);
	assert_int_equal(s.n, 0);
	pkg_close(p);
}

static uint8_t *slurp(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p;

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	*len = (size_t)ftell(f);
	rewind(f);
	p = malloc(*len);
	assert_int_equal(fread(p, 1, *len, f), *len);
	fclose(f);
	return p;
}

static void spill(const char *path, const uint8_t *p, size_t len)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* Where the section of the manifest begins. */
static size_t manifest_at(const uint8_t *file, size_t len)
{
	size_t at = PKG_MAGIC_LEN;

	while (at + PKG_SECTION < len && file[at] != 'M') {
		uint64_t n = 0;

		for (int i = 1; i < PKG_SECTION; i++)
			n = n << 8 | file[at + i];
		at += PKG_SECTION + n;
	}
	return at;
}

/* One bit of a body, a tag, an envelope, a length: wherever it stands, nothing is used.  In the wrapping of the signature there are
 * a few octets that mean nothing (a version): then the list is the one that was signed. */
static void test_flipped_bits(void **state)
{
	struct bed *b = *state;
	size_t len, manifest;
	uint8_t *file;

	write_list(b, 20, NULL);
	file = slurp(b->path, &len);
	manifest = manifest_at(file, len);
	for (size_t i = 0; i < len; i++) {
		struct seen s = { 0 };
		uint8_t bit = (uint8_t)(1u << (i % 8));

		file[i] ^= bit;
		spill(b->path, file, len);
		if (read_as(b, &b->b, &b->a, "operator-b", NOW, &s)) {
			assert_int_equal(s.n, 0); /* one part: not one record was handed out */
		} else if (i < manifest || s.n != 20 || s.wrong) {
			fail_msg("octet %zu of %zu: not noticed", i, len);
		}
		file[i] ^= bit;
	}
	free(file);
}

static void test_cut_off(void **state)
{
	struct bed *b = *state;
	size_t len;
	uint8_t *file;

	write_list(b, 20, NULL);
	file = slurp(b->path, &len);
	for (size_t cut = 0; cut < len; cut += cut < 64 ? 1 : 13) {
		struct seen s = { 0 };

		spill(b->path, file, cut);
		assert_int_not_equal(read_as(b, &b->b, &b->a, "operator-b", NOW, &s), 0);
		assert_int_equal(s.n, 0);
	}
	spill(b->path, file, len);
	file = realloc(file, len + 1);
	file[len] = 0;
	spill(b->path, file, len + 1);
	assert_int_equal(read_as(b, &b->b, &b->a, "operator-b", NOW, &(struct seen){ 0 }), PKG_E_FORM);
	free(file);
}

/* Parts of two packages of the same pair may not be mixed: what was signed names each. */
static void test_parts_exchanged(void **state)
{
	struct bed *b = *state;
	struct seen s = { 0 };
	uint8_t *one, *two;
	size_t len, len2;

	write_list(b, 20, NULL);
	one = slurp(b->path, &len);
	write_list(b, 20, NULL);
	two = slurp(b->path, &len2);
	/* envelope and body of the second in front of the manifest of the first: lengths of ECDSA signatures and keys vary */
	for (size_t i = 0; len == len2 && i < len - 9; i++) {
		if (one[i] != 'M' || memcmp(one + i + 1, "\0\0\0\0\0\0", 6))
			continue;
		memcpy(two + i, one + i, len - i);
		spill(b->path, two, len2);
		assert_int_equal(read_as(b, &b->b, &b->a, "operator-b", NOW, &s), PKG_E_BODY);
		assert_int_equal(s.n, 0);
	}
	free(one);
	free(two);
}

static void test_proof(void **state)
{
	static const unsigned sizes[] = { 1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 70 };
	struct bed *b = *state;
	struct seen *s = malloc(sizeof(*s));

	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		unsigned n = sizes[k];
		struct pkg_head h, signed_head;
		const uint8_t *der;
		struct pkg *p;
		size_t len;

		*s = (struct seen){ .tree = pkg_tree_new() };
		write_list(b, n, &h);
		assert_int_equal(read_as(b, &b->b, &b->a, "operator-b", NOW, s), 0);
		assert_int_equal(pkg_open(&p, b->path, b->err, sizeof(b->err)), 0);
		der = pkg_signed(p, &len);
		assert_int_equal(pkg_manifest_verify(&signed_head, der, len, b->a.known, b->err, sizeof(b->err)), 0);
		assert_int_equal(pkg_manifest_verify(&h, der, len, b->b.known, b->err, sizeof(b->err)), PKG_E_SIGNER);
		for (unsigned i = 0; i < n; i++) {
			uint8_t path[PKG_PATH_MAX][PKG_HASH_LEN];
			unsigned depth;

			assert_int_equal(pkg_tree_path(s->tree, i, path, &depth), 0);
			assert_int_equal(pkg_proof(&signed_head, s->line[i], i, path, depth), 0);
			assert_int_equal(pkg_proof(&signed_head, s->line[i], (i + 1) % (n + 1), path, depth),
					 PKG_E_PROOF);
			s->line[i][9] ^= 1;
			assert_int_equal(pkg_proof(&signed_head, s->line[i], i, path, depth), PKG_E_PROOF);
			s->line[i][9] ^= 1;
			if (depth) {
				assert_int_equal(pkg_proof(&signed_head, s->line[i], i, path, depth - 1), PKG_E_PROOF);
				path[depth - 1][5] ^= 1;
				assert_int_equal(pkg_proof(&signed_head, s->line[i], i, path, depth), PKG_E_PROOF);
			}
		}
		pkg_tree_free(s->tree);
		pkg_close(p);
	}
	free(s);
}

static void test_attached(void **state)
{
	struct bed *b = *state;
	struct pkg_head h = head_ab();
	struct pkg_writer *w;
	struct pkg *p;
	const uint8_t *der;
	size_t len;
	uint8_t copy[4096];

	write_list(b, 4, NULL);
	assert_int_equal(pkg_open(&p, b->path, b->err, sizeof(b->err)), 0);
	der = pkg_signed(p, &len);
	assert_true(len < sizeof(copy));
	memcpy(copy, der, len);
	pkg_close(p);
	unlink(b->path);
	strcpy(h.type, "KR");
	strcpy(h.from, "operator-b");
	strcpy(h.to, "vault");
	assert_int_equal(pkg_write_open(&w, b->path, &h, b->b.self, b->m.known, b->err, sizeof(b->err)), 0);
	assert_int_equal(pkg_write_attach(w, copy, len, b->err, sizeof(b->err)), 0);
	assert_int_equal(pkg_write_record(w, "1,2,3", b->err, sizeof(b->err)), 0);
	assert_int_equal(pkg_write_attach(w, copy, len, b->err, sizeof(b->err)), PKG_E_LIMIT); /* too late */
	assert_int_equal(pkg_write_close(w, &h, b->err, sizeof(b->err)), 0);
	assert_int_equal(h.attached, 1);
	assert_int_equal(pkg_open(&p, b->path, b->err, sizeof(b->err)), 0);
	assert_int_equal(pkg_verify(p, b->b.known, "vault", NOW, b->err, sizeof(b->err)), 0);
	der = pkg_attached(p, 0, &len);
	assert_memory_equal(der, copy, len);
	assert_null(pkg_attached(p, 1, &len));
	assert_int_equal(pkg_manifest_verify(&h, der ? der : copy, sizeof(copy) > 0 ? strlen("x") : 0, b->a.known,
					     b->err, sizeof(b->err)),
			 PKG_E_FORM);
	pkg_close(p);
}

/* ---- keys inside ---- */

#define ICCID "8988211000000000012"

static void block_make(struct ks *ks, struct ks_block *block)
{
	char k[] = "465b5ce8b199b49faa5f0a2ee238a6bc", opc[] = "cd63cb71954a9f4e48a5994e37a02baf";
	char kic[] = "000102030405060708090a0b0c0d0e0f", kid[] = "101112131415161718191a1b1c1d1e1f",
	     kik[] = "202122232425262728292a2b2c2d2e2f";
	const struct ks_keyset_spec spec = {
		.kvn = 2, .kic_alg = OTA_ALG_AES_CBC, .kid_alg = OTA_ALG_AES_CBC, .cc_len = 8
	};
	char err[200] = "";
	int rc;

	memset(block, 0, sizeof(*block));
	rc = ks_sub_import(ks, ICCID, &(struct ks_sub_spec){ .index = 2, .aka = KS_AKA_MILENAGE, .sqn = 1 }, k, opc,
			   block->sub, err, sizeof(err));
	assert_int_equal(rc, KS_SUB_LEN);
	assert_int_equal(k[0], 0); /* wiped */
	block->has_sub = true;
	rc = ks_keyset_import(ks, ICCID, &spec, kic, kid, kik, block->set[0].sealed, err, sizeof(err));
	assert_true(rc > 0);
	block->set[0].len = (size_t)rc;
	block->set[0].kvn = 2;
	block->sets = 1;
}

static void hex_of(char *out, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
}

/* A's sealed keys go to B in a package and stand there sealed under B's KEK: B loads and uses them. */
static void test_keys_travel(void **state)
{
	struct bed *b = *state;
	struct pkg_head h = head_ab();
	struct ks_block mine, theirs;
	struct ks_vector va, vb;
	uint8_t wire[KS_BLOCK_MAX], rand[16] = { 1, 2, 3 }, sqn[6] = { 0 }, amf[2] = { 0x80, 0 };
	char line[PKG_RECORD_MAX];
	struct pkg_writer *w;
	struct ks_wrap *wrap;
	struct pkg *p;
	uint32_t set;
	int len;

	block_make(b->a.ks, &mine);
	assert_int_equal(pkg_write_open(&w, b->path, &h, b->a.self, b->b.known, b->err, sizeof(b->err)), 0);
	wrap = pkg_write_wrap(w, b->err, sizeof(b->err));
	assert_non_null(wrap);
	len = ks_block_wrap(wrap, ICCID, &mine, wire);
	assert_true(len > 0);
	snprintf(line, sizeof(line), "%s,262019999999999,", ICCID);
	hex_of(line + strlen(line), wire, (size_t)len);
	assert_int_equal(pkg_write_record(w, line, b->err, sizeof(b->err)), 0);
	assert_int_equal(pkg_write_close(w, &h, b->err, sizeof(b->err)), 0);
	assert_true(h.keys);

	assert_int_equal(pkg_open(&p, b->path, b->err, sizeof(b->err)), 0);
	assert_null(pkg_unwrap(p, b->b.self, b->err, sizeof(b->err))); /* not verified yet */
	assert_int_equal(pkg_verify(p, b->a.known, "operator-b", NOW, b->err, sizeof(b->err)), 0);
	assert_null(pkg_unwrap(p, b->m.self, b->err, sizeof(b->err))); /* not theirs */
	wrap = pkg_unwrap(p, b->b.self, b->err, sizeof(b->err));
	assert_non_null(wrap);
	assert_int_equal(ks_block_unwrap(wrap, ICCID, wire, (size_t)len, &theirs), 0);
	assert_int_equal(ks_block_unwrap(wrap, "8988211000000000013", wire, (size_t)len, &mine), KS_E_SEALED);
	wire[9] ^= 1;
	assert_int_equal(ks_block_unwrap(wrap, ICCID, wire, (size_t)len, &mine), KS_E_SEALED);
	ks_wrap_free(wrap);
	pkg_close(p);

	block_make(b->a.ks, &mine);
	assert_true(theirs.has_sub);
	assert_int_equal(theirs.sets, 1);
	assert_int_equal(theirs.set[0].kvn, 2);
	assert_int_equal(ks_load(b->b.ks, ICCID, 2, theirs.set[0].sealed, theirs.set[0].len, &set), 0);
	assert_int_equal(ks_milenage(b->a.ks, ICCID, mine.sub, KS_SUB_LEN, rand, sqn, amf, &va), 0);
	assert_int_equal(ks_milenage(b->b.ks, ICCID, theirs.sub, KS_SUB_LEN, rand, sqn, amf, &vb), 0);
	assert_memory_equal(&va, &vb, sizeof(va));
}

/* TS 35.208, test set 1 (4.3.1 ff). */
static void test_milenage(void **state)
{
	static const uint8_t rand[16] = { 0x23, 0x55, 0x3c, 0xbe, 0x96, 0x37, 0xa8, 0x9d,
					  0x21, 0x8a, 0xe6, 0x4d, 0xae, 0x47, 0xbf, 0x35 };
	static const uint8_t sqn[6] = { 0xff, 0x9b, 0xb4, 0xd0, 0xb6, 0x07 }, amf[2] = { 0xb9, 0xb9 };
	static const uint8_t f1[8] = { 0x4a, 0x9f, 0xfa, 0xc3, 0x54, 0xdf, 0xaf, 0xb3 };
	static const uint8_t f2[8] = { 0xa5, 0x42, 0x11, 0xd5, 0xe3, 0xba, 0x50, 0xbf };
	static const uint8_t f3[16] = { 0xb4, 0x0b, 0xa9, 0xa3, 0xc5, 0x8b, 0x2a, 0x05,
					0xbb, 0xf0, 0xd9, 0x87, 0xb2, 0x1b, 0xf8, 0xcb };
	static const uint8_t f4[16] = { 0xf7, 0x69, 0xbc, 0xd7, 0x51, 0x04, 0x46, 0x04,
					0x12, 0x76, 0x72, 0x71, 0x1c, 0x6d, 0x34, 0x41 };
	static const uint8_t f5[6] = { 0xaa, 0x68, 0x9c, 0x64, 0x83, 0x70 },
			     f5s[6] = { 0x45, 0x1e, 0x8b, 0xec, 0xa4, 0x3b };
	struct bed *b = *state;
	struct ks_block block;
	struct ks_vector v;

	block_make(b->a.ks, &block);
	assert_int_equal(ks_milenage(b->a.ks, ICCID, block.sub, KS_SUB_LEN, rand, sqn, amf, &v), 0);
	assert_memory_equal(v.xres, f2, 8);
	assert_memory_equal(v.ck, f3, 16);
	assert_memory_equal(v.ik, f4, 16);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(v.autn[i], sqn[i] ^ f5[i]);
		assert_int_equal(v.auts[i], sqn[i] ^ f5s[i]);
	}
	assert_memory_equal(v.autn + 6, amf, 2);
	assert_memory_equal(v.autn + 8, f1, 8);
	block.sub[20] ^= 1;
	assert_int_equal(ks_milenage(b->a.ks, ICCID, block.sub, KS_SUB_LEN, rand, sqn, amf, &v), KS_E_SEALED);
}

/* OP = 0: OPc = E_K(0) (TS 35.206, 8.2). */
static void test_op_zero(void **state)
{
	char k[] = "465b5ce8b199b49faa5f0a2ee238a6bc", k2[] = "465b5ce8b199b49faa5f0a2ee238a6bc";
	uint8_t key[16], zero[16] = { 0 }, opc[16], rand[16] = { 7 }, sqn[6] = { 0 }, amf[2] = { 0 };
	uint8_t a[KS_SUB_LEN], c[KS_SUB_LEN];
	const struct ks_sub_spec spec = { .index = 1, .aka = KS_AKA_MILENAGE, .sqn = 1 };
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	struct ks_vector va, vc;
	struct bed *b = *state;
	char opc_hex[33];
	int n;

	for (int i = 0; i < 16; i++)
		key[i] = (uint8_t)strtoul((char[]){ k[2 * i], k[2 * i + 1], 0 }, NULL, 16);
	assert_int_equal(EVP_EncryptInit_ex(ctx, EVP_aes_128_ecb(), NULL, key, NULL), 1);
	assert_int_equal(EVP_EncryptUpdate(ctx, opc, &n, zero, 16), 1);
	EVP_CIPHER_CTX_free(ctx);
	hex_of(opc_hex, opc, 16);
	assert_int_equal(ks_sub_import(b->a.ks, ICCID, &spec, k, NULL, a, b->err, sizeof(b->err)), KS_SUB_LEN);
	assert_int_equal(ks_sub_import(b->a.ks, ICCID, &spec, k2, opc_hex, c, b->err, sizeof(b->err)), KS_SUB_LEN);
	assert_int_equal(ks_milenage(b->a.ks, ICCID, a, sizeof(a), rand, sqn, amf, &va), 0);
	assert_int_equal(ks_milenage(b->a.ks, ICCID, c, sizeof(c), rand, sqn, amf, &vc), 0);
	assert_memory_equal(&va, &vc, sizeof(va));
}

/* ---- algorithms that are not taken ---- */

static void envelope_of(EVP_PKEY *pkey, X509 *x, const EVP_CIPHER *cipher, const EVP_MD *kdf, int recipients,
			struct pkgc_buf *der, struct pkgc_buf *body)
{
	BIO *in = BIO_new_mem_buf("secret", 6), *out = BIO_new(BIO_s_mem());
	CMS_ContentInfo *cms = CMS_AuthEnvelopedData_create(cipher);
	uint8_t *at = NULL;
	char *p;
	int len;

	(void)pkey;
	for (int i = 0; i < recipients; i++) {
		CMS_RecipientInfo *ri = CMS_add1_recipient_cert(cms, x, CMS_BINARY | CMS_USE_KEYID | CMS_KEY_PARAM);
		EVP_PKEY_CTX *ctx = CMS_RecipientInfo_get0_pkey_ctx(ri);

		if (CMS_RecipientInfo_type(ri) == CMS_RECIPINFO_AGREE) {
			assert_int_equal(EVP_PKEY_CTX_set_ecdh_kdf_md(ctx, kdf), 1);
		} else if (kdf) {
			assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING), 1);
			assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(ctx, kdf), 1);
		}
	}
	assert_int_equal(CMS_set_detached(cms, 1), 1);
	assert_int_equal(CMS_final(cms, in, out, CMS_BINARY | CMS_DETACHED), 1);
	len = i2d_CMS_ContentInfo(cms, &at);
	assert_true(len > 0);
	*der = (struct pkgc_buf){ malloc((size_t)len), (size_t)len };
	memcpy(der->p, at, (size_t)len);
	OPENSSL_free(at);
	len = (int)BIO_get_mem_data(out, &p);
	*body = (struct pkgc_buf){ malloc((size_t)len), (size_t)len };
	memcpy(body->p, p, (size_t)len);
	CMS_ContentInfo_free(cms);
	BIO_free(in);
	BIO_free(out);
}

static X509 *cert_of(EVP_PKEY *pkey)
{
	X509 *x = X509_new();
	X509_EXTENSION *e;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	ASN1_TIME_set(X509_getm_notBefore(x), NOW - 10);
	ASN1_TIME_set(X509_getm_notAfter(x), NOW + 1000);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"t", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, pkey);
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_key_identifier, "hash");
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	assert_true(X509_sign(x, pkey, EVP_sha256()) > 0);
	return x;
}

static struct pkgc_cert *cert_wrapped(X509 *x)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct pkgc_cert *c;
	const char *at;
	char *p;
	long n;

	assert_int_equal(PEM_write_bio_X509(bio, x), 1);
	n = BIO_get_mem_data(bio, &p);
	at = p;
	c = pkgc_cert_read(&at, p + n);
	assert_non_null(c);
	assert_ptr_equal(at, p + n);
	BIO_free(bio);
	return c;
}

static struct pkgc_key *key_wrapped(EVP_PKEY *pkey, const struct pkgc_cert *c)
{
	uint8_t *der = NULL;
	int len = i2d_PrivateKey(pkey, &der);
	struct pkgc_key *k = pkgc_key_read(der, (size_t)len, c);

	assert_non_null(k);
	OPENSSL_free(der);
	return k;
}

static void algorithms(EVP_PKEY *pkey, bool rsa)
{
	const struct {
		const EVP_CIPHER *cipher;
		const EVP_MD *kdf;
		int recipients, rc;
	} row[] = {
		{ EVP_aes_256_gcm(), EVP_sha256(), 1, 0 },
		{ EVP_aes_128_gcm(), EVP_sha256(), 1, PKG_E_ALGORITHM },
		{ EVP_aes_192_gcm(), EVP_sha256(), 1, PKG_E_ALGORITHM },
		{ EVP_aes_256_gcm(), rsa ? NULL : EVP_sha1(), 1, PKG_E_ALGORITHM }, /* RSA: PKCS #1 v1.5 */
		{ EVP_aes_256_gcm(), EVP_sha1(), 1, PKG_E_ALGORITHM },
		{ EVP_aes_256_gcm(), EVP_sha256(), 2, PKG_E_ALGORITHM },
	};
	X509 *x = cert_of(pkey);
	struct pkgc_cert *c = cert_wrapped(x);
	struct pkgc_key *k = key_wrapped(pkey, c);
	struct pkgc_buf der, body, text;

	assert_true(pkgc_cert_fits(c));
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		envelope_of(pkey, x, row[i].cipher, row[i].kdf, row[i].recipients, &der, &body);
		assert_int_equal(pkgc_open(k, der.p, der.len, body.p, body.len, &text), row[i].rc);
		if (!row[i].rc)
			assert_memory_equal(text.p, "secret", 6);
		pkgc_buf_free(&text);
		pkgc_buf_free(&der);
		pkgc_buf_free(&body);
	}
	/* and our own seal for such a receiver */
	assert_int_equal(pkgc_seal(c, (const uint8_t *)"secret", 6, &der, &body), 0);
	assert_int_equal(pkgc_open(k, der.p, der.len, body.p, body.len, &text), 0);
	assert_int_equal(text.len, 6);
	pkgc_buf_free(&text);
	pkgc_buf_free(&der);
	pkgc_buf_free(&body);
	pkgc_key_free(k);
	pkgc_cert_free(c);
	X509_free(x);
}

static void test_algorithms(void **state)
{
	EVP_PKEY *ec = EVP_EC_gen("P-256"), *rsa = EVP_RSA_gen(3072), *weak = EVP_RSA_gen(2048);
	X509 *x = cert_of(weak);
	struct pkgc_cert *c = cert_wrapped(x);

	algorithms(ec, false);
	algorithms(rsa, true);
	assert_false(pkgc_cert_fits(c));
	pkgc_cert_free(c);
	X509_free(x);
	EVP_PKEY_free(ec);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(weak);
}

/* ---- parties ---- */

static void test_party_files(void **state)
{
	struct bed *b = *state;
	struct pkg_partner *p;
	struct pkg_self *s;
	char print[PKG_PRINT_LEN], print2[PKG_PRINT_LEN];
	char *text;

	pkg_partner_print(b->a.known, print);
	pkg_partner_print(b->b.known, print2);
	assert_int_equal(strlen(print), 79);
	assert_string_not_equal(print, print2);
	/* sealed keys of one do not open beside the file of another, nor under another KEK */
	assert_int_equal(pkg_self_load(&s, b->a.ks, b->b.party, b->b.party_len, b->a.sealed, b->a.sealed_len, b->err,
				       sizeof(b->err)),
			 KS_E_SEALED);
	assert_null(s);
	assert_int_equal(pkg_partner_load(&p, "hello", 5, b->err, sizeof(b->err)), PKG_E_PARTY);
	assert_non_null(strstr(b->err, "not a party file"));
	text = strdup(b->a.party);
	memcpy(text + strlen("otagw party "), "operator-x", 10); /* a name that the certificates do not have */
	assert_int_equal(pkg_partner_load(&p, text, b->a.party_len, b->err, sizeof(b->err)), PKG_E_PARTY);
	free(text);
	for (size_t cut = 0; cut < b->a.party_len - 1; cut += 17)
		assert_int_equal(pkg_partner_load(&p, b->a.party, cut, b->err, sizeof(b->err)), PKG_E_PARTY);
	assert_int_equal(pkg_self_create(b->a.ks, "Operator A", NOW, &text, &(size_t){ 0 }, &(uint8_t *){ NULL },
					 &(size_t){ 0 }, b->err, sizeof(b->err)),
			 PKG_E_PARTY);
	/* no private key in what is handed out or stands in the state */
	assert_null(strstr(b->a.party, "PRIVATE"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_renewed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_part_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_overwrite, setup, teardown),
		cmocka_unit_test_setup_teardown(test_records_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_party, setup, teardown),
		cmocka_unit_test_setup_teardown(test_impostor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_verify_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flipped_bits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_off, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parts_exchanged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_proof, setup, teardown),
		cmocka_unit_test_setup_teardown(test_attached, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keys_travel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_milenage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_op_zero, setup, teardown),
		cmocka_unit_test_setup_teardown(test_algorithms, setup, teardown),
		cmocka_unit_test_setup_teardown(test_party_files, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
