/* nearest.h - "did you mean ...?": the word of a list that a mistyped one was most likely meant to be.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Header only and libc only, so that profiles, error tables, the config and otactl say it in the same way.
 */
#ifndef OTA_NEAREST_H
#define OTA_NEAREST_H

#include <stddef.h>
#include <string.h>

#define NEAREST_WORD_MAX 40 /* longer words are not compared */

/* Edit distance with a swap of neighbours as one step, or NEAREST_WORD_MAX when a word is too long to compare. */
static inline unsigned nearest_distance(const char *a, const char *b)
{
	unsigned row[3][NEAREST_WORD_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > NEAREST_WORD_MAX || lb > NEAREST_WORD_MAX)
		return NEAREST_WORD_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned *now = row[i % 3], *before = row[(i + 2) % 3], *two_before = row[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned best = before[j - 1] + (a[i - 1] != b[j - 1]);

			if (before[j] + 1 < best)
				best = before[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    two_before[j - 2] + 1 < best)
				best = two_before[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[la % 3][lb];
}

/* The nearest of n words, or NULL when none is near enough to be worth proposing. */
static inline const char *nearest_word(const char *word, const char *const *words, size_t n)
{
	const char *found = NULL;
	unsigned best = 3;

	for (size_t i = 0; i < n; i++) {
		unsigned d = nearest_distance(word, words[i]);
		size_t len = strlen(words[i]);

		if (d < best && d < len) {
			best = d;
			found = words[i];
		}
	}
	return found;
}

#endif
