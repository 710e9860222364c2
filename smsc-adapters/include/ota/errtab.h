/* errtab.h - the error table: what a code of any plane is called, what class of failure it is, what may be done about it.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One readable text (contrib/cfg/errors.table, which is built in; its head is the manual of the format) and, over it, an
 * operator's own.  Rows may hold for all links or for those of one flavour.  Nothing here opens files: whoever has the text
 * hands it in (errtab_file.h reads one).  Texts and names that are given out live as long as the table.
 */
#ifndef OTA_ERRTAB_H
#define OTA_ERRTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ota/link.h"

#define ERRTAB_TEXT_MAX	    262144 /* octets of one file */
#define ERRTAB_ROWS_MAX	    4096
#define ERRTAB_FILES_MAX    4
#define ERRTAB_FLAVOURS_MAX 32
#define ERRTAB_LINE_MAX	    512 /* octets of a line, its end included */
#define ERRTAB_NAME_MAX	    48
#define ERRTAB_PRESETS_MAX  256 /* in all */
#define ERRTAB_PRESET_MAX   64	/* octets of one */
#define ERRTAB_FLAVOUR_MAX  24
#define ERRTAB_MEANING_MAX  160
#define ERRTAB_CODE_MAX	    24 /* octets of a code as text, incl. NUL */
#define ERRTAB_ERR_MAX	    512

#define ERRTAB_FLAVOUR_ALL 0 /* index of the rows that stand outside every flavour, as flavour "default" */

enum errtab_plane {
	ERRTAB_SMPP,	    /* command_status */
	ERRTAB_RECEIPT,	    /* stat: of a delivery receipt, a word */
	ERRTAB_RECEIPT_ERR, /* err: of one */
	ERRTAB_NEC,	    /* network_error_code, TYPE/CODE */
	ERRTAB_MAP,	    /* MAP user error (TS 29.002, 17.5), or ERROR/CAUSE */
	ERRTAB_RP,	    /* RP-Cause (TS 24.011, 8.2.5.4) */
	ERRTAB_GSUP,	    /* GSUP Cause, the values of TS 24.008, 10.5.5.14 */
	ERRTAB_FCS,	    /* TP-FCS (TS 23.040, 9.2.3.22) */
	ERRTAB_POR,	    /* status of a response packet (TS 102 225, 5.2) */
	ERRTAB_SW,	    /* status word of a command on the card */
	_ERRTAB_PLANES
};

/* What a PoR status means: the core acts by it.  A card profile may say otherwise ("por 06 means cntr-low"). */
enum por_meaning {
	POR_MEANS_OK,
	POR_MEANS_CNTR_LOW, /* accepted before, or our counter is behind: read back */
	POR_MEANS_CNTR_HIGH,
	POR_MEANS_CNTR_BLOCKED,
	POR_MEANS_SECURITY,  /* keys or algorithms wrong */
	POR_MEANS_TRANSIENT, /* memory, more time */
	POR_MEANS_CONFIG,    /* TAR, MSL: the profile is wrong for this card */
	POR_MEANS_INTERIM,   /* the real answer follows by SMS-SUBMIT or USSD */
	POR_MEANS_OTHER,
	_POR_MEANINGS
};
const char *por_meaning_name(enum por_meaning m);	    /* "cntr-low", ...; never NULL */
bool por_meaning_of(const char *word, enum por_meaning *m); /* the other way round */
enum fail_class por_meaning_class(enum por_meaning m);	    /* the class of failure that stands behind it */
size_t por_meaning_words(const char *words[_POR_MEANINGS], bool with_ok); /* for "one of: ..." */

/* Marks of a row. */
#define ERRTAB_SLOW_DOWN 0x01 /* one is enough to slow the link down; others do so after several in a row */
#define ERRTAB_MAYBE	 0x02 /* the command may have been executed all the same */
#define ERRTAB_WAIT	 0x04 /* no failure and no end: more will follow */
#define ERRTAB_2G	 0x08 /* only where commands have the class a0 */
#define ERRTAB_AS	 0x10 /* read as a code of another plane */

struct errtab_row {
	uint8_t plane, as;  /* enum errtab_plane */
	uint8_t flavour;    /* index; ERRTAB_FLAVOUR_ALL: for all */
	uint8_t cls;	    /* enum fail_class */
	uint8_t flags;	    /* ERRTAB_* marks */
	uint8_t means;	    /* ERRTAB_POR: enum por_meaning */
	uint8_t file;	    /* index */
	unsigned line;	    /* in that file */
	uint64_t lo, hi;    /* codes */
	const char *name;   /* ESME_RTHROTTLED */
	const char *what;   /* what it means */
	const char *remedy; /* what a person should look at, "" when nothing */
};

/* A line of a link's configuration that a flavour brings along, as it would stand there: "esm-mode transaction". */
struct errtab_preset {
	uint8_t flavour, file;
	unsigned line;
	char text[ERRTAB_PRESET_MAX];
};

struct errtab;
/* The table that is built in; NULL with a sentence when out of memory (or somebody has built in a wrong one). */
struct errtab *errtab_new(char err[ERRTAB_ERR_MAX]);
void errtab_free(struct errtab *t);
/* Reads a text over what is there: rows for the same codes are replaced.  Nothing is changed when it fails: -1 with
 * "FILE:LINE: what; did you mean X?". */
int errtab_add(struct errtab *t, const char *file, const char *text, size_t len, char err[ERRTAB_ERR_MAX]);

/* The index of a flavour, or -1. */
int errtab_flavour(const struct errtab *t, const char *name);
const char *errtab_flavour_name(const struct errtab *t, unsigned flavour);
unsigned errtab_flavours(const struct errtab *t);
/* "no flavour 'osmomcs'; did you mean 'osmomsc'?" */
void errtab_flavour_unknown(const struct errtab *t, const char *name, char *err, size_t cap);
/* The presets of a flavour, those of the flavours it is like first: what comes later counts.  At most cap. */
unsigned errtab_presets(const struct errtab *t, unsigned flavour, const struct errtab_preset **out, unsigned cap);
const char *errtab_file_name(const struct errtab *t, unsigned file);
unsigned errtab_rows(const struct errtab *t);
const struct errtab_row *errtab_row_at(const struct errtab *t, unsigned i); /* in no useful order */

/* ---- codes: a number, NUMBER/NUMBER, or a word, by plane ---- */
uint64_t errtab_key(uint32_t number);
uint64_t errtab_key_sub(uint32_t number, uint32_t sub);
uint64_t errtab_key_word(const char *word); /* up to 7 characters; 0 for none or a longer one */
/* As the table's lines have it.  NULL, or what is wrong with it. */
const char *errtab_key_parse(enum errtab_plane plane, const char *text, uint64_t *key);
const char *errtab_key_text(enum errtab_plane plane, uint64_t key, char out[ERRTAB_CODE_MAX]);
const char *errtab_plane_name(enum errtab_plane plane);	 /* "smpp", ... */
const char *errtab_plane_title(enum errtab_plane plane); /* "SMPP command_status", ... */
bool errtab_plane_of(const char *name, enum errtab_plane *plane);
/* A code or, as lines of the table and of card profiles have it, a range of codes ("62xx"). */
const char *errtab_range_parse(enum errtab_plane plane, const char *text, uint64_t *lo, uint64_t *hi);
bool errtab_class_of(const char *word, enum fail_class *cls); /* "OK", "ABSENT", ...; not "WAIT" */
/* The class as the table writes it: "OK", "WAIT", "ABSENT". */
const char *errtab_class_word(const struct errtab_row *row);

/* The row for a code, NULL when nobody knows it.  The flavour's own rows come first, then those of the flavour it is like,
 * then those for all; of several that fit the narrowest.  A row that says "as" is followed. */
const struct errtab_row *errtab_find(const struct errtab *t, unsigned flavour, enum errtab_plane plane, uint64_t key);
/* The same with the row that says "as", NULL when there was none. */
const struct errtab_row *errtab_find_via(const struct errtab *t, unsigned flavour, enum errtab_plane plane,
					 uint64_t key, const struct errtab_row **via);
/* As a failure: FAIL_UNKNOWN for a code that nobody knows. */
struct fail errtab_fail(const struct errtab *t, unsigned flavour, enum errtab_plane plane, uint64_t key);
enum por_meaning errtab_por_meaning(const struct errtab *t, uint8_t status);

#endif
