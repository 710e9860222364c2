/* des_slice_avx2.c - triple DES over many messages at once, in vectors of 256 bits; called where the processor has them.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#define DES_SLICE_WORDS 4
#define DES_SLICE_NAME	des_slice_256
#include "des_slice_int.h"
#include "des_slice_run.h"
