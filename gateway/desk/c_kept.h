/* c_kept.h - files of changes at home, beside the database: written here, taken in by c_found.c.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * New keys are made here, and a database that is put back from a backup has forgotten them: their cards would be lost for ever.  So they
 * are noted, sealed as they stand in the books, in DIR/changes/NAME.keys, before an octet of them leaves; and, when a card is at its end,
 * what is in force.  A file is a line of text, then records, only ever appended to.
 */
#ifndef OTAGW_DESK_C_KEPT_H
#define OTAGW_DESK_C_KEPT_H

#include "desk_int.h"

#define KEPT_FILE_MAX  64 /* "NAME.keys" */
#define KEPT_FRAME_MAX (6 + KEPT_BODY_MAX + 8)
#define KEPT_BUF       65536

/* ---- writing, in decide() ---- */
void kept_begin(struct desk *d);
/* Of line i; body: what is put into BOOK_CHANGE with it. */
void kept_note(struct desk_job *j, unsigned i, enum kept_kind kind, const void *body, size_t len);
/* 0: what was noted is on the disk; else a negative errno, with a sentence in j->why. */
int kept_write(struct desk_job *j);

/* ---- reading ---- */
struct kept_file {
	int fd;
	char file[KEPT_FILE_MAX];
	char name[ORDER_NAME_MAX + 1]; /* of the change, */
	uint64_t number, created_ms;
	unsigned what, own_list;
	uint8_t *buf;
	size_t at, fill;
	uint64_t base; /* in the file, of buf */
	bool eof, skipping;
	unsigned damaged; /* places that could not be read */
};
int kept_open(struct desk *d, const char *file, struct kept_file *f, char err[DESK_ERR_MAX]);
void kept_close(struct kept_file *f);
/* The next one: 1, with where it stands; 0: no more; a negative errno. */
int kept_read(struct kept_file *f, struct kept *k, uint64_t *offset);
int kept_read_at(const struct kept_file *f, uint64_t offset, struct kept *k); /* 0 or a negative errno */

/* All of them, by name.  Their number, or a negative errno; *list is the caller's to free. */
int kept_list(const struct desk *d, char (**list)[KEPT_FILE_MAX]);
/* Of which restore epoch the books are that know all files; 0: not known. */
uint32_t kept_epoch(const struct desk *d);
int kept_epoch_put(struct desk *d, uint32_t epoch);
void kept_sweep_at(struct desk *d, int64_t at_ms);

#endif
