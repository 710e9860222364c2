/* so.h - the swap order as it comes in: the same at the old operator, the new one and the vault.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_DESK_SO_H
#define OTAGW_DESK_SO_H

#include "desk_int.h"

void so_key(struct desk_in *in, const struct xchg_record *r, char key[BOOK_KEY_MAX]);
int so_begin(struct desk_in *in, struct desk_no *no);
int so_one(struct desk_in *in, struct desk_rec *r, struct desk_no *no);
int so_end(struct desk_in *in, struct desk_no *no);
void so_drop(struct desk_in *in);

/* Which side we are on, the order itself says: this stands in the table of each. */
#define SO_KIND(sides)                                                                                                 \
	{                                                                                                              \
		.type = XCHG_SO, .side = (sides), .new_order = true, .book = BOOK_TAKEN, .key = so_key, .cards = true, \
		.also = BOOK_HOLD, .also_key = so_key, .begin = so_begin, .one = so_one, .end = so_end,                \
		.drop = so_drop                                                                                        \
	}

#endif
