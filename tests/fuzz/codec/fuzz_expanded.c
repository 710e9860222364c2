/* fuzz_expanded.c - expanded scripts and answers of either format.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * input: secured data of a command, or additional response data of a PoR
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ota/codec.h"

#define TEXT_MAX 128

struct walk {
	struct ota_script again;
	unsigned apdus;
};

static int each_tlv(void *ctx, const struct ota_tlv *t)
{
	unsigned *n = ctx;

	fuzz_touch(t->value, t->len);
	FUZZ_HOLDS(t->tag != 0);
	++*n;
	return 0;
}

static int each_apdu(void *ctx, const uint8_t *apdu, size_t len)
{
	struct walk *w = ctx;
	char text[TEXT_MAX];

	fuzz_touch(apdu, len);
	ota_apdu_describe(text, sizeof(text), apdu, len);
	FUZZ_HOLDS(memchr(text, '\0', sizeof(text)));
	ota_script_apdu(&w->again, apdu, len);
	w->apdus++;
	return 0;
}

static int count_apdu(void *ctx, const uint8_t *apdu, size_t len)
{
	++*(unsigned *)ctx;
	return 0;
}

/* What was read can be built, and splits into the same commands. */
static void commands(const uint8_t *data, size_t size)
{
	size_t cap = 4 * size + 16;
	uint8_t *again = malloc(cap);
	struct walk w = { 0 };
	unsigned n = 0;
	int len;

	ota_script_init_format(&w.again, again, cap, ota_cmd_format(data, size));
	if (ota_cmd_each(data, size, each_apdu, &w) == 0) {
		len = ota_script_len(&w.again);
		/* Longer C-APDUs than there can be are read, not built. */
		FUZZ_HOLDS(len > 0 || len == OTA_E_LENGTH);
		FUZZ_HOLDS(len < 0 || (ota_cmd_each(again, (size_t)len, count_apdu, &n) == 0 && n == w.apdus));
	}
	free(again);
}

static void answers(const uint8_t *data, size_t size, enum ota_format format)
{
	size_t cap = size + 16;
	uint8_t *again;
	struct ota_script_rsp rsp, back;
	struct ota_rapdu_iter it = { 0 };
	struct ota_script s;
	struct ota_rapdu r;
	unsigned n = 0;
	int failed;

	if (ota_script_rsp_parse(&rsp, format, data, size)) {
		FUZZ_HOLDS(rsp.format == OTA_FORMAT_UNKNOWN && rsp.rapdus == 0);
		return;
	}
	again = malloc(cap);
	ota_script_rsp_init(&s, again, cap, rsp.format == OTA_FORMAT_INDEFINITE);
	while (ota_rapdu_next(&rsp, &it, &r)) {
		fuzz_touch(r.data, r.data_len);
		FUZZ_HOLDS(ota_sw_name(r.sw));
		ota_script_rsp_rapdu(&s, r.data, r.data_len, r.sw);
		n++;
	}
	FUZZ_HOLDS(n == rsp.rapdus && (n == 0 || r.sw == rsp.last_sw));
	failed = ota_script_rsp_failed(&rsp, n, NULL);
	FUZZ_HOLDS(failed >= -1 && failed <= (int)n);
	FUZZ_HOLDS(failed >= 0 || (rsp.bad_format < 0 && rsp.immediate < 0 && rsp.chaining < 0 && !rsp.truncated));
	if (ota_script_len(&s) > 0) {
		FUZZ_HOLDS(ota_script_rsp_parse(&back, OTA_FORMAT_DEFINITE, again, s.len) == 0);
		FUZZ_HOLDS(back.rapdus == n && back.truncated == rsp.truncated);
	}
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned n = 0;

	ota_tlv_each(data, size, each_tlv, &n);
	FUZZ_HOLDS(2 * n <= size);
	commands(data, size);
	answers(data, size, OTA_FORMAT_DEFINITE);
	answers(data, size, OTA_FORMAT_COMPACT);
	answers(data, size, OTA_FORMAT_UNKNOWN);
	FUZZ_HOLDS(ota_format_name(ota_rsp_format(data, size)));
	return 0;
}
