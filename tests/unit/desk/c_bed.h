/* c_bed.h - an operator's desk with one card of its own, for changes at home.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The core is real and has no link: what the card says is told by hand.  The cards' own side is in tests/sim/handover.
 */
#ifndef C_BED_H
#define C_BED_H

#include "b_bed.h"
#include "gateway/core/work.h"

#define NAME  "K-7" /* of the change */
#define KVN   1	    /* that the card has when it begins */
#define SUB   CARD0 "/00001"
#define CARD0 "8988211000000000000"
#define IMSI0 "262010000000000"

int setup(void **state);
int teardown(void **state);
void card_put(struct bed *b, const char *iccid, const char *imsi, const char *profile);
void book_put(struct bed *b, enum book book, const char *key, uint64_t owner, const void *body, size_t len);

struct said { /* to the operator */
	bool came;
	int rc;
	char text[DESK_ERR_MAX];
};
extern struct said said;
int change_by(struct bed *b, const char *name, unsigned what, const char *list, bool imsis);
int change(struct bed *b, const char *name, unsigned what, const char *list);
/* Of all keys of the cards that came by that order. */
int change_of_order(struct bed *b, const char *name, const char *order);

/* CARD0's line in it; l may be NULL. */
uint16_t step_of(struct bed *b, struct line *l);
#define AT(b, step) assert_string_equal(line_step_name(step_of(b, NULL)), #step)

extern uint8_t said_end; /* enum ota_sub_end + 1: goes with what the card says next */
/* The card's word to its last transaction, which then has ended.  pending: -1 no state with it. */
void tell(struct bed *b, enum work_kind kind, int verdict, int pending);

/* As an HLR is told them: what ours has, what is sealed, what stands in the books. */
void hlr_keys(struct bed *b, char out[100]);
void sub_keys(struct bed *b, const uint8_t *sub, size_t len, char out[100]);
void book_keys(struct bed *b, char out[100]);

/* Whether it has ended; its line. */
bool over(struct bed *b, struct line *l);
void maybe_restart(struct bed *b, bool yes);

#endif
