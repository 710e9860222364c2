/* party.h - parties from the outside: their files, and orders that a subscriber signs without a gateway.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTACTL_PARTY_H
#define OTACTL_PARTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ota/package.h"

#define PARTY_PATH_MAX	 512
#define PARTY_SEALED_MAX (16u << 10) /* octets of sealed party keys */

/* The whole file, with a NUL behind it; NULL after a message. */
char *file_read(const char *path, size_t max, size_t *len);
/* Beside it first, then renamed; false after a message. */
bool file_write(const char *path, const void *p, size_t len, mode_t mode, bool replace);

/* NULL after a message. */
struct pkg_partner *party_load(const char *path);

/* Ourselves, from NAME.otaparty, NAME.self and the KEK beside it (or `kek`). */
struct party_self {
	struct ks *ks;
	struct pkg_self *self;
	char base[PARTY_PATH_MAX - 64]; /* path without ".otaparty" */
};
bool party_self_open(struct party_self *s, const char *party, const char *kek);
void party_self_close(struct party_self *s);

#endif
