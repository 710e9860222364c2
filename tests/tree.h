/* tree.h - a test's directory goes with everything in it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef TESTS_TREE_H
#define TESTS_TREE_H

/* Links are removed, not followed.  0, or -1 with errno: something is left. */
int tree_remove(const char *path);

#endif
