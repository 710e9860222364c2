/* vault_bed.h - a vault's desk on a store in memory, and a subscriber and three operators who are played by hand.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef VAULT_BED_H
#define VAULT_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "desk_int.h"
#include "vault.h"

enum { S, A, B, C, M, PARTIES };
#define VB_NOW	 1795000000000
#define VB_UNTIL (VB_NOW / 1000 + 30 * 86400)
#define VB_LINES 64 /* records of a package that are looked at */

struct vb_party {
	const char *name;
	struct ks *ks;
	struct pkg_self *self;
	char *party;
	size_t party_len;
	uint8_t *sealed;
	size_t sealed_len;
	uint64_t seq; /* last number to M */
};
/* What M has sent last of a type to somebody, opened by the receiver. */
struct vb_got {
	unsigned packages;
	struct pkg_head head;
	unsigned n;
	char line[VB_LINES][PKG_RECORD_MAX];
	struct ks_block block[VB_LINES]; /* of MF, KP */
};
struct vb {
	char dir[64], m_dir[96];
	int64_t now_ms;
	struct vb_party p[PARTIES];
	struct store_mem_disk *disk;
	struct store *store;
	struct desk *desk;
	unsigned commits, crash_at;
	bool crash_keeps, crashed;
	unsigned files;
	struct vb_got got[PARTIES][_XCHG_TYPES];
	uint8_t seen[4096][PKG_ID_LEN]; /* packages of M: carried again and again */
	unsigned n_seen;
	char ack_result[16], ack_rule[40]; /* of the last ACK of M */
	int verb_rc;
	bool verb_done;
	char verb_text[DESK_ERR_MAX];
	bool verbose;
};
void vb_make(struct vb *v);
void vb_free(struct vb *v);
void vb_up(struct vb *v);
void vb_down(struct vb *v);
void vb_run(struct vb *v, int64_t within_ms);
const char *vb_path(struct vb *v, const char *name); /* in its directory; good until the next call */

/* A package of `from` to `to`, records without salt; into a file of the directory. */
struct vb_package {
	enum xchg_type type;
	unsigned from, to;
	const char *order;
	uint64_t seq;
	int64_t expires_s;
	unsigned n;
	const char (*line)[PKG_RECORD_MAX];
	unsigned attached;
	struct ota_span attach[3];
};
void vb_write(struct vb *v, const struct vb_package *p, const char *path);
/* Written, put into M's dir/in, and taken; then the desk runs.  True: M's ACK says accepted. */
bool vb_send(struct vb *v, struct vb_package *p);
void vb_put(struct vb *v, const char *path); /* the same file (again) */

/* S tells M: these cards go from a to b.  The vault's cards are VB_ICCID(i). */
void vb_iccid(char iccid[ICCID_DIGITS_MAX + 1], unsigned i);
bool vb_so(struct vb *v, const char *order, unsigned a, unsigned b, unsigned first, unsigned n, int64_t until_s);
/* What B shows: an SO to itself, and A's plan, both as signed manifests; records of the plan with their paths. */
struct vb_plan {
	uint8_t *so, *pl;
	size_t so_len, pl_len;
	struct pkg_tree *tree;
	unsigned n;
	char line[VB_LINES][PKG_RECORD_MAX];
	struct vb *v;
};
struct vb_row {
	unsigned card;
	const char *imsi;
	unsigned from, to, kvn;
};
struct vb_plan *vb_plan(struct vb *v, const char *order, unsigned a, unsigned b, const struct vb_row *row, unsigned n);
void vb_plan_free(struct vb_plan *p);
/* A KR record that shows record n of the plan. */
void vb_kr_line(char line[PKG_RECORD_MAX], struct vb_plan *p, unsigned n, unsigned card, const char *imsi,
		unsigned index);

bool vb_aq(struct vb *v, const char *order, unsigned who, unsigned card, unsigned from);
/* All records of the plan. */
bool vb_kr(struct vb *v, const char *order, unsigned who, struct vb_plan *p, const struct vb_row *row, unsigned n);
bool vb_cf(struct vb *v, const char *order, unsigned who, unsigned card, const char *imsi, unsigned index);

/* An order of an operator of the vault; its answer. */
int vb_verb(struct vb *v, struct desk_request r);
/* Cards 0..n-1 with so many pairs are made; the card maker's file at `out`. */
void vb_gen(struct vb *v, unsigned n, unsigned pairs, const char *out);

/* ---- to look at ---- */
bool vb_row_get(struct vb *v, enum book book, const char *key, struct store_book *out);
void vb_card(struct vb *v, unsigned card, struct vault_card *c, uint64_t *version);
uint64_t vb_ledger(struct vb *v); /* lines, walked */
uint16_t vb_step(struct vb *v, const char *order, unsigned card);
const char *vb_value(const struct vb_got *g, unsigned n, const char *column); /* good until the next call */

#endif
