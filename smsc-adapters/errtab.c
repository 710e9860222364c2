/* errtab.c - the error table in memory: texts read one over the other, rows found by flavour, plane and code.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "errtab_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ota/nearest.h"

#define HOPS_MAX 3 /* "as" behind "as" */

static const char built_in_name[] = "errors.table"; /* the first file */

/* ------------------------------------------------------------------------------------------------ making one */

static bool is_range(const struct errtab_row *r)
{
	return r->lo != r->hi;
}

static int cmp_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

int errtab_row_cmp(const struct errtab_row *a, const struct errtab_row *b)
{
	if (a->plane != b->plane)
		return a->plane - b->plane;
	if (a->flavour != b->flavour)
		return a->flavour - b->flavour;
	if (is_range(a) != is_range(b))
		return is_range(a) - is_range(b);
	return a->lo != b->lo ? cmp_u64(a->lo, b->lo) : cmp_u64(a->hi, b->hi);
}

/* The row of the later file first. */
static int cmp_rows(const void *x, const void *y)
{
	const struct errtab_row *a = x, *b = y;
	int d = errtab_row_cmp(a, b);

	return d ? d : b->file - a->file;
}

static void keep_latest(struct errtab *t)
{
	unsigned kept = 0;

	qsort(t->rows, t->n_rows, sizeof(*t->rows), cmp_rows);
	for (unsigned i = 0; i < t->n_rows; i++)
		if (!kept || errtab_row_cmp(&t->rows[kept - 1], &t->rows[i]))
			t->rows[kept++] = t->rows[i];
	t->n_rows = kept;
}

static struct errtab *table_new(void)
{
	struct errtab *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->rows = calloc(ERRTAB_ROWS_MAX, sizeof(*t->rows));
	t->presets = calloc(ERRTAB_PRESETS_MAX, sizeof(*t->presets));
	if (!t->rows || !t->presets) {
		errtab_free(t);
		return NULL;
	}
	memcpy(t->flavour[ERRTAB_FLAVOUR_ALL].name, "default", sizeof("default"));
	t->n_flavours = 1;
	return t;
}

int errtab_add(struct errtab *t, const char *file, const char *text, size_t len, char err[ERRTAB_ERR_MAX])
{
	struct errtab_file *f = &t->file[t->n_files];
	unsigned n_rows = t->n_rows, n_flavours = t->n_flavours, n_presets = t->n_presets;

	if (t->n_files == ERRTAB_FILES_MAX || len > ERRTAB_TEXT_MAX) {
		snprintf(err, ERRTAB_ERR_MAX, "%.200s: %s", file,
			 len > ERRTAB_TEXT_MAX ? "an error table has at most 256 KiB" : "one error table too many");
		return -1;
	}
	f->name = strdup(file);
	f->text = malloc(len + 1);
	if (!f->name || !f->text) {
		snprintf(err, ERRTAB_ERR_MAX, "%.200s: out of memory", file);
	} else {
		memcpy(f->text, text, len);
		f->text[len] = 0;
		if (!errtab_parse(t, file, f->text, len, err)) {
			t->n_files++;
			keep_latest(t);
			return 0;
		}
	}
	free(f->name);
	free(f->text);
	*f = (struct errtab_file){ NULL, NULL };
	t->n_rows = n_rows;
	t->n_flavours = n_flavours;
	t->n_presets = n_presets;
	return -1;
}

struct errtab *errtab_new(char err[ERRTAB_ERR_MAX])
{
	struct errtab *t = table_new();

	if (!t) {
		snprintf(err, ERRTAB_ERR_MAX, "out of memory");
		return NULL;
	}
	if (!errtab_add(t, built_in_name, errtab_built_in, errtab_built_in_len, err))
		return t;
	errtab_free(t);
	return NULL;
}

void errtab_free(struct errtab *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < t->n_files; i++) {
		free(t->file[i].name);
		free(t->file[i].text);
	}
	free(t->rows);
	free(t->presets);
	free(t);
}

/* ------------------------------------------------------------------------------------------------ flavours, rows */

int errtab_flavour(const struct errtab *t, const char *name)
{
	for (unsigned i = 0; i < t->n_flavours; i++)
		if (!strcmp(t->flavour[i].name, name))
			return (int)i;
	return -1;
}

const char *errtab_flavour_name(const struct errtab *t, unsigned flavour)
{
	return flavour < t->n_flavours ? t->flavour[flavour].name : "?";
}

unsigned errtab_flavours(const struct errtab *t)
{
	return t->n_flavours;
}

void errtab_flavour_unknown(const struct errtab *t, const char *name, char *err, size_t cap)
{
	const char *words[ERRTAB_FLAVOURS_MAX], *near;
	size_t len;

	for (unsigned i = 0; i < t->n_flavours; i++)
		words[i] = t->flavour[i].name;
	near = nearest_word(name, words, t->n_flavours);
	if (near) {
		snprintf(err, cap, "no flavour '%.40s'; did you mean '%s'?", name, near);
		return;
	}
	len = (size_t)snprintf(err, cap, "no flavour '%.40s'; one of:", name);
	for (unsigned i = 0; i < t->n_flavours && len < cap; i++)
		len += (size_t)snprintf(err + len, cap - len, " %s", words[i]);
}

unsigned errtab_presets(const struct errtab *t, unsigned flavour, const struct errtab_preset **out, unsigned cap)
{
	unsigned n = 0;

	if (flavour >= t->n_flavours)
		return 0;
	if (flavour != ERRTAB_FLAVOUR_ALL) /* a flavour is like an earlier one: this ends */
		n = errtab_presets(t, t->flavour[flavour].like, out, cap);
	for (unsigned i = 0; i < t->n_presets && n < cap; i++)
		if (t->presets[i].flavour == flavour)
			out[n++] = &t->presets[i];
	return n;
}

const char *errtab_file_name(const struct errtab *t, unsigned file)
{
	return file < t->n_files ? t->file[file].name : "?";
}

unsigned errtab_rows(const struct errtab *t)
{
	return t->n_rows;
}

const struct errtab_row *errtab_row_at(const struct errtab *t, unsigned i)
{
	return i < t->n_rows ? &t->rows[i] : NULL;
}

const char *const errtab_class_words[ERRTAB_CLASS_WORDS] = {
	[FAIL_NONE] = "OK",
	[FAIL_ABSENT] = "ABSENT",
	[FAIL_BUSY] = "BUSY",
	[FAIL_CONGEST] = "CONGEST",
	[FAIL_MEM] = "MEM",
	[FAIL_LINK] = "LINK",
	[FAIL_CARD_TRANSIENT] = "CARD-TRANSIENT",
	[FAIL_CARD_RESYNC] = "CARD-RESYNC",
	[FAIL_CARD_PERM] = "CARD-PERM",
	[FAIL_SUBS_PERM] = "SUBS-PERM",
	[FAIL_CONFIG] = "CONFIG",
	[FAIL_UNKNOWN] = "UNKNOWN",
	[_FAIL_CLASSES] = "WAIT",
};

const char *errtab_class_word(const struct errtab_row *row)
{
	return errtab_class_words[row->flags & ERRTAB_WAIT ? _FAIL_CLASSES : row->cls];
}

bool errtab_class_of(const char *word, enum fail_class *cls)
{
	for (unsigned i = 0; i < _FAIL_CLASSES; i++)
		if (!strcmp(errtab_class_words[i], word)) {
			*cls = (enum fail_class)i;
			return true;
		}
	return false;
}

/* ------------------------------------------------------------------------------------------------ finding */

/* The first row that does not come before this one. */
static unsigned lower_bound(const struct errtab *t, const struct errtab_row *want)
{
	unsigned lo = 0, hi = t->n_rows;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (errtab_row_cmp(&t->rows[mid], want) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Single codes by bisection; of the ranges, which are few, the narrowest. */
static const struct errtab_row *find_own(const struct errtab *t, unsigned flavour, enum errtab_plane plane,
					 uint64_t key)
{
	struct errtab_row want = { .plane = (uint8_t)plane, .flavour = (uint8_t)flavour, .lo = key, .hi = key };
	const struct errtab_row *best = NULL;
	unsigned i = lower_bound(t, &want);

	if (i < t->n_rows && !errtab_row_cmp(&t->rows[i], &want))
		return &t->rows[i];
	want.lo = 0;
	want.hi = 1; /* the first that a range can be */
	for (i = lower_bound(t, &want); i < t->n_rows; i++) {
		const struct errtab_row *r = &t->rows[i];

		if (r->plane != plane || r->flavour != flavour || r->lo > key)
			break;
		if (key <= r->hi && (!best || r->hi - r->lo < best->hi - best->lo))
			best = r;
	}
	return best;
}

/* "32/7" is 32 where nobody has said more. */
static uint64_t key_without_sub(enum errtab_plane plane, uint64_t key)
{
	return plane == ERRTAB_MAP ? key & ~(uint64_t)UINT32_MAX : key;
}

static const struct errtab_row *find_one(const struct errtab *t, unsigned flavour, enum errtab_plane plane,
					 uint64_t key)
{
	uint64_t plain = key_without_sub(plane, key);

	for (;; flavour = t->flavour[flavour].like) {
		const struct errtab_row *r = find_own(t, flavour, plane, key);

		if (!r && plain != key)
			r = find_own(t, flavour, plane, plain);
		if (r || flavour == ERRTAB_FLAVOUR_ALL)
			return r;
	}
}

const struct errtab_row *errtab_find_via(const struct errtab *t, unsigned flavour, enum errtab_plane plane,
					 uint64_t key, const struct errtab_row **via)
{
	const struct errtab_row *r;

	*via = NULL;
	if (flavour >= t->n_flavours)
		flavour = ERRTAB_FLAVOUR_ALL;
	for (unsigned hop = 0; hop < HOPS_MAX; hop++) {
		r = find_one(t, flavour, plane, key);
		if (!r || !(r->flags & ERRTAB_AS))
			return r;
		*via = r;
		/* of a network_error_code the second part is the code */
		key = errtab_key(plane == ERRTAB_NEC ? (uint32_t)key - 1 : (uint32_t)(key >> 32));
		plane = (enum errtab_plane)r->as;
	}
	return NULL;
}

const struct errtab_row *errtab_find(const struct errtab *t, unsigned flavour, enum errtab_plane plane, uint64_t key)
{
	const struct errtab_row *via;

	return errtab_find_via(t, flavour, plane, key, &via);
}

struct fail errtab_fail(const struct errtab *t, unsigned flavour, enum errtab_plane plane, uint64_t key)
{
	const struct errtab_row *r = errtab_find(t, flavour, plane, key);

	if (!r)
		return (struct fail){ .cls = FAIL_UNKNOWN,
				      .code = (uint32_t)(key >> 32),
				      .what = "a code that is in no error table" };
	return (struct fail){
		.cls = (enum fail_class)r->cls,
		.code = (uint32_t)(key >> 32),
		.what = r->what,
		.maybe_ran = r->flags & ERRTAB_MAYBE,
	};
}

/* ------------------------------------------------------------------------------------------------ PoR */

static const struct {
	const char *name;
	enum fail_class cls;
} meanings[] = {
	[POR_MEANS_OK] = { "ok", FAIL_NONE },
	[POR_MEANS_CNTR_LOW] = { "cntr-low", FAIL_CARD_RESYNC },
	[POR_MEANS_CNTR_HIGH] = { "cntr-high", FAIL_CARD_RESYNC },
	[POR_MEANS_CNTR_BLOCKED] = { "cntr-blocked", FAIL_CARD_PERM },
	[POR_MEANS_SECURITY] = { "security", FAIL_CARD_PERM },
	[POR_MEANS_TRANSIENT] = { "transient", FAIL_CARD_TRANSIENT },
	[POR_MEANS_CONFIG] = { "config", FAIL_CONFIG },
	[POR_MEANS_INTERIM] = { "interim", FAIL_NONE },
	[POR_MEANS_OTHER] = { "other", FAIL_UNKNOWN },
};
_Static_assert(sizeof(meanings) / sizeof(meanings[0]) == _POR_MEANINGS, "every meaning has its row");

const char *por_meaning_name(enum por_meaning m)
{
	return (unsigned)m < _POR_MEANINGS ? meanings[m].name : "?";
}

bool por_meaning_of(const char *word, enum por_meaning *m)
{
	for (unsigned i = 0; i < _POR_MEANINGS; i++)
		if (!strcmp(meanings[i].name, word)) {
			*m = (enum por_meaning)i;
			return true;
		}
	return false;
}

enum fail_class por_meaning_class(enum por_meaning m)
{
	return (unsigned)m < _POR_MEANINGS ? meanings[m].cls : FAIL_UNKNOWN;
}

size_t por_meaning_words(const char *words[_POR_MEANINGS], bool with_ok)
{
	size_t n = 0;

	for (unsigned i = with_ok ? 0 : POR_MEANS_OK + 1; i < _POR_MEANINGS; i++)
		words[n++] = meanings[i].name;
	return n;
}

enum por_meaning errtab_por_meaning(const struct errtab *t, uint8_t status)
{
	const struct errtab_row *r = errtab_find(t, ERRTAB_FLAVOUR_ALL, ERRTAB_POR, errtab_key(status));

	return r ? (enum por_meaning)r->means : POR_MEANS_OTHER;
}
