/* seen.h - which number stood on which line: duplicates within a list, over all its chunks.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTAGW_SEEN_H
#define OTAGW_SEEN_H

#include <stddef.h>
#include <stdint.h>

#define SEEN_DIGITS_MAX 37 /* digits of one number: what 128 bits hold exactly */

struct seen_slot {
	uint64_t lo, hi; /* the digits as one number behind a leading 1, so that leading zeros count; 0: free */
	uint64_t line;
};
struct seen {
	struct seen_slot *slot;
	size_t cap, n; /* cap is a power of two */
	uint64_t seed;
};

void seen_init(struct seen *s, uint64_t seed);
void seen_free(struct seen *s);
/* The line that has this number, 0: none. */
uint64_t seen_line(const struct seen *s, const char *digits);
/* Notes a number that is not there yet.  0, or -1 without memory. */
int seen_add(struct seen *s, const char *digits, uint64_t line);
/* Forgets it again if it stands there with this line. */
void seen_drop(struct seen *s, const char *digits, uint64_t line);

#endif
