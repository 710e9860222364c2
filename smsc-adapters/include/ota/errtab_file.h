/* errtab_file.h - an error table from a file.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTA_ERRTAB_FILE_H
#define OTA_ERRTAB_FILE_H

#include "ota/errtab.h"

/* Reads a file over what is there.  0, or -1 with "FILE: why" or "FILE:LINE: what; did you mean X?". */
int errtab_read_file(struct errtab *t, const char *path, char err[ERRTAB_ERR_MAX]);

#endif
