/* fuzz_errtab.c - an operator's error table: taken or refused with a line, never half; what is taken is found again.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "ota/errtab.h"

static void check_row(const struct errtab *t, unsigned i)
{
	const struct errtab_row *r = errtab_row_at(t, i), *found, *via;
	char text[ERRTAB_CODE_MAX];
	uint64_t key;

	FUZZ_HOLDS(r->plane < _ERRTAB_PLANES && r->flavour < errtab_flavours(t) && r->lo <= r->hi);
	FUZZ_HOLDS(r->cls < _FAIL_CLASSES && r->means < _POR_MEANINGS && r->as < _ERRTAB_PLANES);
	FUZZ_HOLDS(strlen(r->name) < ERRTAB_NAME_MAX && strlen(r->what) < ERRTAB_MEANING_MAX);
	FUZZ_HOLDS(*r->what || r->flags & ERRTAB_AS);
	FUZZ_HOLDS(*errtab_class_word(r));
	found = errtab_find_via(t, r->flavour, (enum errtab_plane)r->plane, r->lo, &via);
	/* itself, something narrower, or what it is read as */
	FUZZ_HOLDS(found || r->flags & ERRTAB_AS || via);
	if (r->lo == r->hi) {
		FUZZ_HOLDS(found == r || via == r);
		errtab_key_text((enum errtab_plane)r->plane, r->lo, text);
		FUZZ_HOLDS(!errtab_key_parse((enum errtab_plane)r->plane, text, &key) && key == r->lo);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct errtab *base;
	char err[ERRTAB_ERR_MAX] = "", *text = malloc(size ? size : 1);
	unsigned rows, flavours;
	struct errtab *t;

	if (!base)
		base = errtab_new(err);
	t = errtab_new(err);
	if (!base || !t || !text || size > ERRTAB_TEXT_MAX)
		goto out;
	rows = errtab_rows(base);
	flavours = errtab_flavours(base);
	memcpy(text, data, size);
	if (errtab_add(t, "f", text, size, err)) {
		FUZZ_HOLDS(!strncmp(err, "f:", 2) && strlen(err) < sizeof(err));
		FUZZ_HOLDS(errtab_rows(t) == rows && errtab_flavours(t) == flavours);
	} else {
		FUZZ_HOLDS(errtab_rows(t) >= rows && errtab_flavours(t) >= flavours);
		for (unsigned i = 0; i < errtab_rows(t); i++)
			check_row(t, i);
	}
out:
	errtab_free(t);
	free(text);
	return 0;
}
