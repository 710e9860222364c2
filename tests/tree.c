/* tree.c - a test's directory goes with everything in it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#define _XOPEN_SOURCE 700 /* nftw */

#include <ftw.h>
#include <stdio.h>

#include "tree.h"

#define OPEN_MAX_DEPTH 8

static int drop(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

int tree_remove(const char *path)
{
	return nftw(path, drop, OPEN_MAX_DEPTH, FTW_DEPTH | FTW_PHYS);
}
