/* des_slice_int.h - the widths there are.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef KS_DES_SLICE_INT_H
#define KS_DES_SLICE_INT_H

#include "des_slice.h"

void des_slice_128(struct des_slice_work *w, const struct des_slice_lane *lane, unsigned n, bool last_only);
#ifdef KS_DES_SLICE_AVX2
void des_slice_256(struct des_slice_work *w, const struct des_slice_lane *lane, unsigned n, bool last_only);
#else
#define des_slice_256 des_slice_128
#endif

#endif
