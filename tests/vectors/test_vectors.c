/* test_vectors.c - every golden vector through the codec, both ways.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * usage: test_vectors DIRECTORY
 *
 * Prints one line per file and kind.  Fails when a vector fails, when a kind has nobody who checks it, or when fewer
 * than KIND_MIN of a kind were checked (all of them, where there are fewer; those skipped by name do not count).
 */
#include <stdio.h>
#include <string.h>

#include "vec.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define KIND_MIN      20
#define TALLIES_MAX   32
#define REASONS_MAX   32

static const char *const files[] = {
	"dev-command-matrix.json",  "dev-command-sweep.json",	  "dev-published.json",	   "dev-segmentation.json",
	"dev-response-matrix.json", "dev-response-negative.json", "dev-e2e-softcard.json", "dev-primitives.json",
	"dev-ef-coding.json",	    "dev-remote-formats.json",
};

static const struct {
	const char *kind;
	void (*check)(struct vec *vec, const json_t *v);
} kinds[] = {
	{ "command", vec_command },
	{ "response", vec_response },
	{ "response-negative", vec_response },
	{ "segmentation", vec_segmentation },
	{ "session", vec_session },
	{ "crc16", vec_crc },
	{ "crc32", vec_crc },
	{ "aes-cmac", vec_mac },
	{ "des-cbc-mac", vec_mac },
	{ "3des2-cbc-mac", vec_mac },
	{ "3des3-cbc-mac", vec_mac },
	{ "imsi", vec_imsi },
	{ "ef", vec_ef },
	{ "compact-cmd", vec_compact_cmd },
	{ "compact-resp", vec_compact_resp },
	{ "expanded-cmd", vec_expanded_cmd },
	{ "expanded-resp", vec_expanded_rsp },
};

struct tally {
	const char *file, *kind;
	unsigned present, checked, passed, skipped;
};

static struct tally tallies[TALLIES_MAX];
static size_t n_tallies;
static struct {
	const struct tally *tally;
	const char *reason;
	unsigned n;
} reasons[REASONS_MAX];
static size_t n_reasons;
static bool broken;

struct test_crypt vec_keys;

struct ota_crypt vec_crypt(const json_t *v)
{
	static const struct {
		const char *member;
		enum ks_key key;
	} which[] = { { "kic_key", KS_KEY_KIC }, { "kid_key", KS_KEY_KID } };

	for (size_t i = 0; i < ARRAY_SIZE(which); i++) {
		struct octets key = octets_get(v, which[i].member);

		test_crypt_set(&vec_keys, VEC_SET, which[i].key, key.p, key.len);
		octets_free(&key);
	}
	return test_crypt(&vec_keys);
}

void vec_fail(struct vec *vec, const char *what, int line)
{
	fprintf(stderr, "%s: line %d: %s does not hold\n", vec->id, line, what);
	vec->failed = true;
}

static struct tally *tally_of(const char *file, const char *kind)
{
	size_t k = 0;

	for (size_t i = 0; i < n_tallies; i++)
		if (strcmp(tallies[i].file, file) == 0 && strcmp(tallies[i].kind, kind) == 0)
			return &tallies[i];
	while (k < ARRAY_SIZE(kinds) && strcmp(kinds[k].kind, kind))
		k++;
	if (k == ARRAY_SIZE(kinds) || n_tallies == TALLIES_MAX) {
		fprintf(stderr, "%s: nobody checks the kind \"%s\"\n", file, kind);
		broken = true;
		return NULL;
	}
	tallies[n_tallies] = (struct tally){ .file = file, .kind = kinds[k].kind };
	return &tallies[n_tallies++];
}

static void note_skip(struct tally *t, const char *reason)
{
	size_t i = 0;

	t->skipped++;
	while (i < n_reasons && (reasons[i].tally != t || strcmp(reasons[i].reason, reason)))
		i++;
	if (i == REASONS_MAX)
		return;
	reasons[i].tally = t;
	reasons[i].reason = reason;
	reasons[i].n++;
	if (i == n_reasons)
		n_reasons++;
}

static void check_one(void *ctx, const json_t *v)
{
	const char *kind = json_text(v, "kind");
	struct tally *t = tally_of(ctx, kind);
	struct vec vec = { .id = json_text(v, "id") };

	if (!t)
		return;
	t->present++;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].kind, kind) == 0)
			kinds[i].check(&vec, v);
	if (vec.skipped) {
		note_skip(t, vec.skipped);
		return;
	}
	t->checked++;
	t->passed += !vec.failed;
}

static int report(void)
{
	unsigned failed = 0;

	printf("%-28s %-18s %8s %8s %8s %8s\n", "file", "kind", "present", "checked", "passed", "skipped");
	for (size_t i = 0; i < n_tallies; i++) {
		const struct tally *t = &tallies[i];
		unsigned want = t->present - t->skipped < KIND_MIN ? t->present - t->skipped : KIND_MIN;

		printf("%-28s %-18s %8u %8u %8u %8u\n", t->file, t->kind, t->present, t->checked, t->passed,
		       t->skipped);
		failed += t->checked - t->passed;
		if (t->checked < want) {
			printf("  too few: at least %u are to be checked\n", want);
			broken = true;
		}
	}
	for (size_t i = 0; i < n_reasons; i++)
		printf("skipped %u of %s in %s: %s\n", reasons[i].n, reasons[i].tally->kind, reasons[i].tally->file,
		       reasons[i].reason);
	printf("%u failed\n", failed);
	return failed || broken;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY-OF-VECTORS\n", argv[0]);
		return 2;
	}
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		/* The vectors' reasons are literals; ids borrow from the file and are not kept. */
		json_vectors(argv[1], files[i], check_one, (void *)files[i]);
	}
	test_crypt_free();
	return report();
}
