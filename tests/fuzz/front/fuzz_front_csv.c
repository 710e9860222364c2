/* fuzz_front_csv.c - a chunk of a list: every line is told exactly once, in place, and nothing beyond the text is touched.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1); /* the one octet to spare that the contract asks for */
	uint64_t lines = 0, told = 0, last = 0;
	struct csv_record r;
	struct csv c;
	int rc;

	if (!text)
		return 0;
	memcpy(text, data, size);
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	lines += size && data[size - 1] != '\n';
	csv_init(&c, text, size, 1);
	while ((rc = csv_next(&c, &r)) != 0) {
		FUZZ_HOLDS(r.line > last && r.line <= lines);
		FUZZ_HOLDS(r.start >= text && r.start + r.len <= text + size);
		FUZZ_HOLDS(r.n <= CSV_FIELDS_MAX && (rc < 0 || r.n > 0));
		FUZZ_HOLDS(rc == 1 || *csv_strerror(rc));
		for (unsigned i = 0; rc > 0 && i < r.n; i++) {
			size_t n = strlen(r.field[i]);

			FUZZ_HOLDS(r.field[i] >= r.start && r.field[i] + n <= r.start + r.len);
			FUZZ_HOLDS(!memchr(r.field[i], '\n', n));
		}
		last = r.line;
		told++;
	}
	FUZZ_HOLDS(told <= lines);
	/* a chunk that is only a byte order mark has a line and no record */
	FUZZ_HOLDS(c.line - 1 == lines || (lines == 1 && c.line == 1));
	free(text);
	return 0;
}
