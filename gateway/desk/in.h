/* in.h - what in.c and in_read.c share.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_DESK_IN_H
#define OTAGW_DESK_IN_H

#include "engine.h"

#define RULE_ENDED     "order-ended" /* the order has ended where the package came to: its sender's is over, too */
#define RULE_CANCELLED "cancelled"
#define RULE_REFUSED   "order-refused" /* the swap order was refused where the package came to: the same */
#define RULE_MEMORY    "memory"

/* in.c */
void in_failed(struct desk *d, struct desk_run *r, int rc);
void in_finish(struct desk *d, const char *folder); /* NULL: its file is removed */
void in_refuse(struct desk *d, bool consumes, bool tell);

/* in_read.c */
/* Whether it may be at all, as far as its manifest tells: its next phase, or a refusal.  `order`: what the books have under its order's
 * name. */
void in_judge(struct desk *d, const struct store_book *order);
bool in_order_name_ok(const char *name);
bool in_check_begin(struct desk *d); /* false: a refusal, or later */
bool in_apply_begin(struct desk *d);
extern const struct desk_run_ops in_check_ops, in_apply_ops;
void in_chunk_free(struct desk_incoming *c);
void in_part_forget(struct desk_incoming *c);

/* in_park.c */
void in_parked_add(struct desk *d, unsigned partner, uint64_t seq, const char *order, bool look);
void in_parked_drop(struct desk *d, unsigned partner, uint64_t seq);
bool in_parked_next(struct desk *d, unsigned *partner, uint64_t *seq);
bool in_parked_due(const struct desk *d);

#endif
