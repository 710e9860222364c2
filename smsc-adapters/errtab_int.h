/* errtab_int.h - the inside of an error table: what the parser fills and the lookups read.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef OTA_ERRTAB_INT_H
#define OTA_ERRTAB_INT_H

#include "ota/errtab.h"

struct errtab_flavour {
	char name[ERRTAB_FLAVOUR_MAX];
	uint8_t like; /* index of the one whose rows hold where it has none; of the first: itself */
};

struct errtab_file {
	char *name, *text; /* the rows' strings point into the text, which is cut into words */
};

struct errtab {
	unsigned n_rows, n_flavours, n_files, n_presets;
	struct errtab_row *rows; /* sorted: plane, flavour, single codes before ranges, code */
	struct errtab_flavour flavour[ERRTAB_FLAVOURS_MAX];
	struct errtab_preset *presets; /* in the order of files and lines */
	struct errtab_file file[ERRTAB_FILES_MAX];
};

/* Order of the rows; 0 for two that say something about the same codes. */
int errtab_row_cmp(const struct errtab_row *a, const struct errtab_row *b);

/* Words of the classes: those of fail_class_name(), but "OK" for none, and "WAIT" at the end, which is no class of failure. */
#define ERRTAB_CLASS_WORDS (_FAIL_CLASSES + 1)
extern const char *const errtab_class_words[ERRTAB_CLASS_WORDS];

/* Parses one text into t->rows behind t->n_rows and t->flavour; text is cut in place.  0, or -1 with the message. */
int errtab_parse(struct errtab *t, const char *file, char *text, size_t len, char err[ERRTAB_ERR_MAX]);

/* contrib/cfg/errors.table, put in by the build */
extern const char errtab_built_in[];
extern const size_t errtab_built_in_len;

#endif
