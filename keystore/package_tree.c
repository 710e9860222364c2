/* package_tree.c - the hash tree over the records of a package (RFC 6962, 2.1).
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Leaf: SHA-256(00 || line).  Node: SHA-256(01 || left || right), split at the largest power of two below the number of leaves.
 */
#include <stdlib.h>
#include <string.h>

#include "pkg_int.h"

#define LEAF 0x00
#define NODE 0x01

int pkg_leaf(struct pkgc_hash *h, const char *line, size_t len, uint8_t out[PKG_HASH_LEN])
{
	return pkgc_sha256(h, LEAF, line, len, NULL, 0, out);
}

static int node(struct pkgc_hash *h, const uint8_t *left, const uint8_t *right, uint8_t *out)
{
	return pkgc_sha256(h, NODE, left, PKG_HASH_LEN, right, PKG_HASH_LEN, out);
}

/* ---- the root alone, as leaves go by ---- */

/* Like adding one to a binary number: each bit of n that is set has the hash of a full subtree at its level. */
int pkg_root_add(struct pkg_root *r, const uint8_t leaf[PKG_HASH_LEN])
{
	uint8_t carry[PKG_HASH_LEN];
	unsigned at = 0;
	int rc = 0;

	memcpy(carry, leaf, sizeof(carry));
	for (; !rc && r->n >> at & 1; at++)
		rc = node(r->hash, r->level[at], carry, carry);
	memcpy(r->level[at], carry, sizeof(carry));
	r->n++;
	return rc;
}

int pkg_root_end(const struct pkg_root *r, uint8_t root[PKG_HASH_LEN])
{
	bool any = false;
	int rc = 0;

	if (!r->n)
		return pkgc_sha256(r->hash, -1, NULL, 0, NULL, 0, root);
	for (unsigned at = 0; !rc && at < 64; at++) {
		if (!(r->n >> at & 1))
			continue;
		if (any)
			rc = node(r->hash, r->level[at], root, root);
		else
			memcpy(root, r->level[at], PKG_HASH_LEN);
		any = true;
	}
	return rc;
}

/* ---- paths ---- */

/* Level 0 holds the leaves; a node without a right neighbour stands for itself one level up, which is RFC 6962's tree. */
struct pkg_tree {
	struct pkgc_hash *hash;
	uint64_t n, cap;
	uint8_t (*leaf)[PKG_HASH_LEN];
	uint8_t (*up)[PKG_HASH_LEN]; /* levels 1.. one after the other; made when the first path is asked for */
};

struct pkg_tree *pkg_tree_new(void)
{
	struct pkg_tree *t = calloc(1, sizeof(*t));

	if (t && !(t->hash = pkgc_hash_new())) {
		free(t);
		t = NULL;
	}
	return t;
}

void pkg_tree_free(struct pkg_tree *t)
{
	if (!t)
		return;
	pkgc_hash_free(t->hash);
	free(t->leaf);
	free(t->up);
	free(t);
}

int pkg_tree_add(struct pkg_tree *t, const char *line)
{
	free(t->up);
	t->up = NULL;
	if (t->n == t->cap) {
		uint64_t cap = t->cap ? t->cap * 2 : 1024;
		void *grown;

		if (t->n >= (uint64_t)PKG_PARTS_MAX * PKG_PART_RECORDS)
			return PKG_E_LIMIT;
		grown = realloc(t->leaf, cap * PKG_HASH_LEN);
		if (!grown)
			return PKG_E_MEMORY;
		t->leaf = grown;
		t->cap = cap;
	}
	return pkg_leaf(t->hash, line, strlen(line), t->leaf[t->n++]);
}

uint64_t pkg_tree_size(const struct pkg_tree *t)
{
	return t->n;
}

static int levels_make(struct pkg_tree *t)
{
	const uint8_t(*below)[PKG_HASH_LEN] = t->leaf;
	uint64_t used = 0;
	int rc = 0;

	t->up = malloc((t->n + 64) * PKG_HASH_LEN);
	if (!t->up)
		return PKG_E_MEMORY;
	for (uint64_t n = t->n; !rc && n > 1; n = (n + 1) / 2) {
		uint8_t(*level)[PKG_HASH_LEN] = t->up + used;

		for (uint64_t i = 0; !rc && i < n / 2; i++)
			rc = node(t->hash, below[2 * i], below[2 * i + 1], level[i]);
		if (n & 1)
			memcpy(level[n / 2], below[n - 1], PKG_HASH_LEN);
		used += (n + 1) / 2;
		below = (const uint8_t(*)[PKG_HASH_LEN])level;
	}
	return rc;
}

int pkg_tree_path(struct pkg_tree *t, uint64_t n, uint8_t path[PKG_PATH_MAX][PKG_HASH_LEN], unsigned *len)
{
	const uint8_t(*level)[PKG_HASH_LEN] = t->leaf;
	uint64_t used = 0;
	int rc;

	*len = 0;
	if (n >= t->n)
		return PKG_E_PROOF;
	if (!t->up && (rc = levels_make(t)))
		return rc;
	for (uint64_t size = t->n; size > 1; size = (size + 1) / 2, n /= 2) {
		if ((n ^ 1) < size)
			memcpy(path[(*len)++], level[n ^ 1], PKG_HASH_LEN);
		level = (const uint8_t(*)[PKG_HASH_LEN])(t->up + used);
		used += (size + 1) / 2;
	}
	return 0;
}

/* Walks up: fn and sn are the leaf's and the last leaf's numbers at the present level (RFC 9162, 2.1.3.2). */
int pkg_proof(const struct pkg_head *head, const char *line, uint64_t n, uint8_t path[][PKG_HASH_LEN], unsigned len)
{
	struct pkgc_hash *h = pkgc_hash_new();
	uint64_t fn = n, sn = head->records - 1;
	uint8_t at[PKG_HASH_LEN];
	int rc;

	if (!h)
		return PKG_E_MEMORY;
	rc = n < head->records && len <= PKG_PATH_MAX ? pkg_leaf(h, line, strlen(line), at) : PKG_E_PROOF;
	for (unsigned i = 0; !rc && i < len; i++) {
		if (!sn) {
			rc = PKG_E_PROOF;
		} else if (fn & 1 || fn == sn) {
			rc = node(h, path[i], at, at);
			while (!(fn & 1) && fn) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			rc = node(h, at, path[i], at);
		}
		fn >>= 1;
		sn >>= 1;
	}
	if (!rc && (sn || memcmp(at, head->root, PKG_HASH_LEN)))
		rc = PKG_E_PROOF;
	pkgc_hash_free(h);
	return rc;
}
