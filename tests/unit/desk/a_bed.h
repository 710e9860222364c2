/* a_bed.h - a desk that is the old operator, on the real core and a store in memory; its partners are played by hand with real packages.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Cards are rows: what they would answer a test says with bed_ends().
 */
#ifndef A_BED_H
#define A_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/gw.h"
#include "desk/desk.h"
#include "desk/desk_int.h"
#include "store/store.h"

#define BED_NOW_MS   1795000000000LL
#define BED_CARDS    4
#define BED_PLAIN    3 /* this one has no subscription application */
#define BED_UNTIL_S  (BED_NOW_MS / 1000 + 30 * 86400)
#define BED_HLR_MAX  16
#define BED_LINES    80
#define BED_LINE_MAX 2048
#define BED_SMSP     "6f42:ffffffffffffffffffffffffe1ffffffffffffffffffffffff0791947106004034ffffffffff00aa"
#define BED_SEEN_MS  5000

struct who {
	const char *name;
	struct ks *ks;
	const char *party;
	size_t party_len;
	struct pkg_self *self;
	struct pkg_partner *known;
	uint64_t out, in; /* sequence numbers: to A, from A */
};

struct bed {
	struct env env;
	int64_t now_ms;
	char dir[64];
	const char *profiles; /* folder of card profiles, from the next start on; NULL: those that are shipped */
	struct errtab *errtab;
	struct store_mem_disk *disk;
	struct store *store;
	struct gw *gw;
	struct desk *desk;
	struct who a, b, m, s, x; /* x: a stranger that is configured as another operator */
	struct hlr hlr;
	bool has_hlr;
	uint32_t epoch; /* from the next start on: another one, and the books were put back */
	struct hlr_op hlr_op[BED_HLR_MAX];
	unsigned hlr_ops;
	uint64_t campaigns;
	unsigned files;
	char iccid[BED_CARDS][ICCID_DIGITS_MAX + 1];
	uint64_t id[BED_CARDS];
	/* what the next end of this txn is told as */
	uint64_t told_txn;
	struct gw_fx_txn told;
	char told_why[64];
	/* the last package that bed_next() read */
	struct pkg_head head;
	unsigned n;
	char line[BED_LINES][BED_LINE_MAX];
	struct ks_wrap *wrap;
	/* the last lookup */
	struct store_book row;
	struct line l;
	struct order o;
};

void bed_open(struct bed *b, bool has_hlr);
void bed_close(struct bed *b);
int bed_parties_end(void **state); /* after the last test of a program */
void bed_restart(struct bed *b);   /* of the gateway: core and desk */
void bed_turn(struct bed *b);
void bed_pass(struct bed *b, int64_t ms);

/* One package to A, whose number is the next one of `from`; what A answers is not looked at. */
struct parcel_out {
	const char *type, *order;
	const char *const *record; /* without their salt */
	unsigned n;
	const uint8_t *about;
	int64_t expires_s;    /* 0: in a week */
	const struct who *to; /* NULL: A */
	uint64_t seq;	      /* 0: the next one */
	const char *file;     /* out: NULL */
	struct pkg_writer *w; /* being written: bed_begin() */
	char path[160];
};
void bed_send(struct bed *b, struct who *from, struct parcel_out *p);
struct ks_wrap *bed_begin(struct bed *b, struct who *from, struct parcel_out *p); /* with keys: the wrap */
void bed_end_package(struct bed *b, struct who *from, struct parcel_out *p);
/* The rule by which A has refused it, "" accepted. */
const char *bed_answer(struct bed *b, struct who *from);
/* The next package of A to `to` into b->head, b->line, b->n; must be there. */
void bed_next(struct bed *b, struct who *to, const char *type);
bool bed_nothing(struct bed *b, const struct who *to); /* there is none */
/* Column of record i of it. */
const char *bed_value(struct bed *b, unsigned i, const char *column);

/* Both in one: sent, and answered so. */
void bed_say(struct bed *b, struct who *from, const char *type, const char *order, const char *const *record,
	     unsigned n, const uint8_t *about, const char *rule);

/* The card's line, at this step. */
const struct line *bed_line(struct bed *b, unsigned card);
void bed_at(struct bed *b, unsigned card, enum line_step step);
const struct order *bed_order(struct bed *b, const char *name);
bool bed_book(struct bed *b, enum book book, const char *key);
/* The card's open work is of this kind, and ends so.  end: enum ota_sub_end + 1. */
void bed_ends(struct bed *b, unsigned card, enum work_kind kind, enum txn_state state, int verdict, int end,
	      uint16_t index);
/* A work of this kind is open for the card; what it says, when w is given. */
void bed_open_work(struct bed *b, unsigned card, enum work_kind kind, struct work *w);
bool bed_has_work(struct bed *b, unsigned card);
void bed_seen(struct bed *b, unsigned card); /* heard now, by the old IMSI */
const struct card_bundle *bed_card(struct bed *b, unsigned card);
/* The operation of this kind that waits at our register; answered so. */
void bed_hlr(struct bed *b, enum hlr_kind kind, const char *imsi, enum hlr_end end, uint64_t sqn);

/* A whole way, for cards 0..n-1: SO, IL, AQ, AL, PL of an order of this kind and policy ("3b", "deliver-then-activate"). */
void bed_order_so(struct bed *b, const char *order, const char *kind, const char *policy, unsigned n);
void bed_order_il(struct bed *b, const char *order, unsigned n);
void bed_order_al(struct bed *b, const char *order, unsigned n);
void bed_order_pl(struct bed *b, const char *order, const char *kind, const char *policy, unsigned n);
void bed_cf(struct bed *b, const char *order, unsigned card, const char *what, const char *evidence, const char *rule);

#endif
