/* errtab_file.c - an error table from a file.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "ota/errtab_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int errtab_read_file(struct errtab *t, const char *path, char err[ERRTAB_ERR_MAX])
{
	char *text = malloc(ERRTAB_TEXT_MAX + 1);
	FILE *f = fopen(path, "re");
	size_t n = 0;
	int rc = -1;

	if (text && f)
		n = fread(text, 1, ERRTAB_TEXT_MAX + 1, f); /* one too many is told by errtab_add() */
	if (!text)
		snprintf(err, ERRTAB_ERR_MAX, "%.200s: out of memory", path);
	else if (!f || ferror(f))
		snprintf(err, ERRTAB_ERR_MAX, "%.200s: %s", path, strerror(errno));
	else
		rc = errtab_add(t, path, text, n, err);
	if (f)
		fclose(f);
	free(text);
	return rc;
}
