/* b_say.h - what the new operator's partners send in the order SO-7 of test_desk_b*.c, and what comes out.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef B_SAY_H
#define B_SAY_H

#include "b_bed.h"

#define ORDER "SO-7"
#define CARDS 5
#define LINES DESK_PAGE

extern const struct desk_cfg with_pool;
extern const struct desk_tables tables;

/* Card number i of the fleet; four answers stay good. */
const char *iccid_of(unsigned i);
const char *imsi_of(unsigned i);

struct order_terms {
	const char *kind, *policy, *vault;
	unsigned first; /* card */
};

struct plan_terms {
	unsigned from, to, kvn;
	unsigned last; /* not 0: from this card down */
};

struct pairs {
	struct bed *b;
	unsigned from; /* party whose keystore has them */
	unsigned to, kvn;
	unsigned says;	      /* the record, where it says another index; 0 */
	const unsigned *card; /* NULL: from the first one on */
};

struct hl3a {
	struct pairs p;
	const char *stage, *state;
	bool sub, set;
	unsigned cntr;
};

/* To be used as make() of a struct bed_in; ctx is what the name says. */
void make_so(struct ks_wrap *w, unsigned i, char out[BED_LINE_MAX], void *ctx);	  /* struct order_terms */
void make_pl(struct ks_wrap *w, unsigned i, char out[BED_LINE_MAX], void *ctx);	  /* struct plan_terms */
void make_kp(struct ks_wrap *w, unsigned i, char out[BED_LINE_MAX], void *ctx);	  /* struct pairs */
void make_hl3a(struct ks_wrap *w, unsigned i, char out[BED_LINE_MAX], void *ctx); /* struct hl3a */
/* A card key block, hexadecimal: with K and OPc, with OTA keys. */
void block_of(const struct pairs *p, struct ks_wrap *w, unsigned i, bool sub, bool set, char *out);
void send_so(struct bed *b, const char *kind, const char *policy, unsigned n);
void send_pl(struct bed *b, unsigned n, struct plan_terms t);
extern enum ks_aka pairs_aka; /* of the pairs that are sent */
void send_kp(struct bed *b, unsigned n, unsigned to, unsigned kvn);
void send_hl3a(struct bed *b, unsigned n, const char *stage, const char *state, bool sub, bool set);
/* One record. */
void send_one(struct bed *b, unsigned from, const char *type, const char *text);
/* The final list says that card i ended so. */
void send_end(struct bed *b, unsigned i, const char *state);

unsigned step_of(struct bed *b, unsigned i, struct line *l);
void expect_step(struct bed *b, unsigned i, enum line_step want);
/* How many lines with this word have gone out in CFs to that party. */
unsigned told(struct bed *b, unsigned to, const char *what);
unsigned unhex(const char *text, uint8_t *out); /* octets */

int setup(void **state);
int teardown(void **state);
/* An order of kind 3b, as far as CF ready. */
void to_ready(struct bed *b, unsigned n);

#endif
