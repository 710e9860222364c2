/* unix_listen.h - a control socket, the owner's alone.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTASIM_UNIX_LISTEN_H
#define OTASIM_UNIX_LISTEN_H

#include <stddef.h>

#define UNIX_PATH_MAX_LEN 108 /* with its NUL */

/* Listens there, without blocking: its fd, or -1 with a sentence.  Nothing of somebody else's is removed. */
int unix_listen(const char *path, int backlog, char *err, size_t err_cap);

#endif
