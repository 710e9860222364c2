/* desk_bed.h - three desks in memory: a subscriber's keys, A and B, each with a store that may fail, and a carrier that may, too.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The tables are toys: an order puts lines at A and B, A sends PL, B answers with CF, and both close the line.
 */
#ifndef DESK_BED_H
#define DESK_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "desk_int.h"

#define BED_S	0
#define BED_A	1
#define BED_B	2
#define BED_N	3
#define BED_NOW 1795000000000

struct bed;
struct bed_party {
	struct bed *bed;
	unsigned at;
	char name[16], dir[128];
	struct ks *ks;
	char *party;
	size_t party_len;
	uint8_t *sealed;
	size_t sealed_len;
	struct pkg_self *self;
	struct store_mem_disk *disk;
	struct store *store; /* NULL: down */
	struct desk *desk;
	uint64_t seq[BED_N];		     /* S: last number to each */
	unsigned commits, fail_at, crash_at; /* the Nth commit fails, or the power goes with it; 0: none */
	bool crash_keeps;
	bool crashed;
	unsigned restarts;
};
struct bed {
	char dir[64];
	int64_t now_ms;
	struct bed_party p[BED_N];
	unsigned carried;
	uint32_t dice;
	/* the carrier: */
	bool (*lose)(struct bed *b, const struct bed_party *from, unsigned to, uint64_t seq); /* true: not now */
	bool twice;
	bool acks_told; /* desk_carried() for each */
	const struct desk_tables *tables;
	unsigned refuse_line; /* B's PL kind refuses record so many, from 1 */
	unsigned in_pass;     /* in pass 1, or 2 */
	unsigned applied;     /* PL records in pass 2 */
	bool verbose;
};

void bed_make(struct bed *b);
void bed_free(struct bed *b);
void bed_up(struct bed *b, unsigned who);
void bed_down(struct bed *b, unsigned who);
/* Until nothing is due before now + within_ms. */
void bed_run(struct bed *b, int64_t within_ms);
/* An SO from S in the files of A and B.  Cards first .. first + n - 1. */
void bed_order(struct bed *b, const char *name, unsigned first, unsigned n);
/* One package of S to `to`, under any number, into a file; put into its dir/in as `as` when that is not NULL. */
void bed_so(struct bed *b, unsigned to, uint64_t seq, const char *name, unsigned first, unsigned n, int64_t created_s,
	    int64_t life_s, const char *path);
void bed_put(struct bed *b, unsigned to, const char *path, const char *as);
unsigned bed_lines(struct bed *b, unsigned who, const char *order, uint16_t step);
bool bed_parcel(struct bed *b, unsigned who, enum book book, const char *partner, uint64_t seq, struct parcel *p,
		uint16_t *step);
unsigned bed_files(struct bed *b, unsigned who, const char *folder);
extern const struct desk_tables bed_tables;

#endif
