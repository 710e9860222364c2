/* fuzz_script.c - compact scripts taken apart and put into words.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * input: a script; a size for the text
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ota/codec.h"

#define TEXT_MAX 128

struct walk {
	const uint8_t *at;
	size_t text_cap;
	struct ota_script again;
};

static int each(void *ctx, const uint8_t *apdu, size_t len)
{
	struct walk *w = ctx;
	char *text = malloc(w->text_cap);

	/* One after the other, nothing between. */
	FUZZ_HOLDS(apdu == w->at && len >= 5);
	w->at += len;
	ota_apdu_describe(text, w->text_cap, apdu, len);
	FUZZ_HOLDS(w->text_cap == 0 || memchr(text, '\0', w->text_cap));
	free(text);
	ota_script_apdu(&w->again, apdu, len);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *again = malloc(size);
	struct walk w = { .at = data, .text_cap = size ? data[size - 1] % TEXT_MAX : 0 };
	char text[TEXT_MAX];

	ota_script_init(&w.again, again, size);
	if (ota_script_each(data, size, each, &w) == 0) {
		FUZZ_HOLDS(w.at == data + size);
		FUZZ_HOLDS(ota_script_len(&w.again) == (int)size);
		FUZZ_HOLDS(size == 0 || memcmp(again, data, size) == 0);
	}
	ota_apdu_describe(text, sizeof(text), data, size);
	FUZZ_HOLDS(memchr(text, '\0', sizeof(text)));
	free(again);
	return 0;
}
