/* schema.c - what may stand in which package between parties.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"

#define FILES_MAX 12 /* of a staged set (card interface, 2.2) */
#define PLMNS_MAX 16
#define FILE_MIN  1
#define FILE_MAX  127 /* octets, FIDs included (card interface, 2.1) */
#define LEAF_MAX  1024

static const char *const kinds[] = { "3a", "3b", NULL };
static const char *const policies[] = { "deliver-then-activate", "activate-then-deliver", "escrow", NULL };
static const char *const stages[] = { "provisional", "final", NULL };
static const char *const states[] = {
	"staged", "armed", "done", "failed", "unreached", "cancelled", "rolled-back", NULL
};
static const char *const evidences[] = { "E0", "E1", "E2", "E3", "E4", "E5", "E6", NULL };
static const char *const confirmations[] = { "ready", "served", "confirmed", "refused", "recalled", NULL };
static const char *const results[] = { "accepted", "rejected", NULL };

#define ICCID                                         \
	{                                             \
		.name = "iccid", .kind = XCHG_V_ICCID \
	}
#define IMSI                                        \
	{                                           \
		.name = "imsi", .kind = XCHG_V_IMSI \
	}
#define INDEX(n)                                                         \
	{                                                                \
		.name = n, .kind = XCHG_V_NUMBER, .min = 1, .max = 65534 \
	}
#define KVN                                                               \
	{                                                                 \
		.name = "kvn", .kind = XCHG_V_NUMBER, .min = 1, .max = 15 \
	}
#define CNTR                                                                  \
	{                                                                     \
		.name = "cntr", .kind = XCHG_V_NUMBER, .max = 0xffffffffffull \
	}
#define WHEN(n)                                                          \
	{                                                                \
		.name = n, .kind = XCHG_V_NUMBER, .max = 253402300799ull \
	}
#define ONE_OF(n, words)                           \
	{                                          \
		n, XCHG_V_WORD, 0, 0, words, false \
	}
#define KEYS                                                                       \
	{                                                                          \
		.name = "keys", .kind = XCHG_V_HEX, .min = 16, .max = KS_BLOCK_MAX \
	}

static const struct xchg_schema schemas[_XCHG_TYPES] = {
	{ XCHG_SO, "SO", "swap order", XCHG_S, XCHG_A | XCHG_B | XCHG_M,
	  .column = { ICCID,
		      ONE_OF("kind", kinds),
		      ONE_OF("policy", policies),
		      { "a", XCHG_V_NAME },
		      { "b", XCHG_V_NAME },
		      { "vault", XCHG_V_NAME, .optional = true },
		      WHEN("until") } },
	{ XCHG_IL, "IL", "list of new IMSIs", XCHG_B, XCHG_A, .keys = true,
	  .column = { IMSI,
		      { "iccid", XCHG_V_ICCID, .optional = true },
		      { "msisdn", XCHG_V_MSISDN, .optional = true },
		      { "plmns", XCHG_V_PLMNS, .max = PLMNS_MAX },
		      { "files", XCHG_V_FILES, .max = FILES_MAX, .optional = true },
		      { "trial_s", XCHG_V_NUMBER, .min = 60, .max = 2592000, .optional = true },
		      { "keys", XCHG_V_HEX, .min = 16, .max = KS_BLOCK_MAX, .optional = true } } },
	{ XCHG_AQ, "AQ", "request for an allocation", XCHG_A, XCHG_M, .column = { ICCID, INDEX("from") } },
	{ XCHG_AL, "AL", "allocation of an index", XCHG_M, XCHG_A, .answers = true,
	  .column = { ICCID,
		      INDEX("from"),
		      { "to", XCHG_V_NUMBER, .max = 65534 },
		      { "jump", XCHG_V_HEX, .min = 8, .max = 8, .optional = true },
		      { "left", XCHG_V_NUMBER, .max = 65534 } } },
	{ XCHG_PL, "PL", "pairing plan", XCHG_A, XCHG_B,
	  .column = { ICCID, IMSI, INDEX("from"), INDEX("to"), KVN, { "profile", XCHG_V_NAME } } },
	{ XCHG_HL3A, "HL3a", "hand-over list of alternative 3a", XCHG_A, XCHG_B, .keys = true,
	  .column = { ICCID,
		      IMSI,
		      ONE_OF("stage", stages),
		      ONE_OF("state", states),
		      ONE_OF("evidence", evidences),
		      WHEN("at"),
		      { "profile", XCHG_V_NAME },
		      { "kvn", XCHG_V_NUMBER, .min = 1, .max = 15, .optional = true },
		      { "cntr", XCHG_V_NUMBER, .max = 0xffffffffffull, .optional = true },
		      { "sqn", XCHG_V_NUMBER, .max = 0xffffffffffffull, .optional = true },
		      { "keys", XCHG_V_HEX, .min = 16, .max = KS_BLOCK_MAX, .optional = true } } },
	{ XCHG_HL3B, "HL3b", "hand-over list of alternative 3b", XCHG_A, XCHG_B,
	  .column = { ICCID, IMSI, INDEX("index"), KVN, ONE_OF("state", states), ONE_OF("evidence", evidences),
		      WHEN("at") } },
	{ XCHG_KR, "KR", "request for keys", XCHG_B, XCHG_M,
	  .column = { ICCID,
		      IMSI,
		      INDEX("index"),
		      { "n", XCHG_V_NUMBER, .max = (uint64_t)PKG_PARTS_MAX * PKG_PART_RECORDS - 1 },
		      { "leaf", XCHG_V_HEX, .min = 1, .max = LEAF_MAX },
		      { "path", XCHG_V_HEX, .min = PKG_HASH_LEN, .max = PKG_PATH_MAX * PKG_HASH_LEN,
			.optional = true } } },
	{ XCHG_KP, "KP", "keys of an index", XCHG_M, XCHG_B, .keys = true, .answers = true,
	  .column = { ICCID, INDEX("index"), KVN, KEYS } },
	{ XCHG_CF, "CF", "confirmation", XCHG_B, XCHG_A | XCHG_M,
	  .column = { ICCID,
		      IMSI,
		      { "index", XCHG_V_NUMBER, .min = 1, .max = 65534, .optional = true },
		      ONE_OF("what", confirmations),
		      ONE_OF("evidence", evidences),
		      WHEN("at"),
		      { "vlr", XCHG_V_MSISDN, .optional = true },
		      { "cntr", XCHG_V_NUMBER, .max = 0xffffffffffull, .optional = true } } },
	{ XCHG_SP, "SP", "stray proof of receipt", XCHG_A | XCHG_B, XCHG_A | XCHG_B,
	  .column = { ICCID,
		      IMSI,
		      { "msisdn", XCHG_V_MSISDN, .optional = true },
		      WHEN("at"),
		      { "packet", XCHG_V_HEX, .min = 1, .max = 1024 } } },
	{ XCHG_MF, "MF", "first pairs of new cards", XCHG_M, XCHG_A, .keys = true,
	  .column = { ICCID,
		      IMSI,
		      { "msisdn", XCHG_V_MSISDN, .optional = true },
		      INDEX("index"),
		      KVN,
		      { "left", XCHG_V_NUMBER, .max = 65534 },
		      { "profile", XCHG_V_NAME, .optional = true },
		      KEYS } },
	{ XCHG_ACK, "ACK", "acknowledgement", XCHG_S | XCHG_A | XCHG_B | XCHG_M, XCHG_S | XCHG_A | XCHG_B | XCHG_M,
	  .answers = true,
	  .column = { { "n", XCHG_V_NUMBER, .max = (uint64_t)PKG_PARTS_MAX * PKG_PART_RECORDS, .optional = true },
		      ONE_OF("result", results),
		      { "rule", XCHG_V_NAME, .optional = true } } },
	{ XCHG_KE, "KE", "keys in escrow, each locked under its card's release key", XCHG_A, XCHG_B, .keys = true,
	  .column = { ICCID, IMSI, KEYS } },
	{ XCHG_RK, "RK", "release keys of keys in escrow", XCHG_A, XCHG_B, .keys = true,
	  .column = { ICCID,
		      IMSI,
		      ONE_OF("evidence", evidences),
		      WHEN("at"),
		      { "sqn", XCHG_V_NUMBER, .max = 0xffffffffffffull, .optional = true },
		      KEYS } },
};

const struct xchg_schema *xchg_schema_of(enum xchg_type type)
{
	assert(type < _XCHG_TYPES);
	return &schemas[type];
}

const struct xchg_schema *xchg_schema(const char *name)
{
	for (int i = 0; i < _XCHG_TYPES; i++)
		if (!strcmp(schemas[i].name, name))
			return &schemas[i];
	return NULL;
}

unsigned xchg_columns(const struct xchg_schema *s)
{
	unsigned n = 0;

	while (n < XCHG_COLUMNS_MAX && s->column[n].name)
		n++;
	return n;
}

void xchg_columns_text(const struct xchg_schema *s, char out[PKG_COLUMNS_MAX + 1])
{
	size_t at = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < xchg_columns(s); i++)
		at += (size_t)snprintf(out + at, PKG_COLUMNS_MAX + 1 - at, "%s%s", i ? "," : "", s->column[i].name);
}

int xchg_column(const struct xchg_schema *s, const char *name)
{
	for (unsigned i = 0; i < xchg_columns(s); i++)
		if (!strcmp(s->column[i].name, name))
			return (int)i;
	return -1;
}

int xchg_head_check(const struct pkg_head *head, char *err, size_t err_cap)
{
	const struct xchg_schema *s = xchg_schema(head->type);
	char want[PKG_COLUMNS_MAX + 1];

	if (!s) {
		snprintf(err, err_cap, "a package of type %s is not known here; is the sender's software newer?",
			 head->type);
		return -1;
	}
	xchg_columns_text(s, want);
	if (strcmp(want, head->columns)) {
		snprintf(err, err_cap, "a %s (%s) has the columns %s; this one has %s", s->name, s->what, want,
			 head->columns);
		return -1;
	}
	if (head->keys && !s->keys) {
		snprintf(err, err_cap, "a %s (%s) must not hold keys, and this one does", s->name, s->what);
		return -1;
	}
	if (head->answers != s->answers) {
		snprintf(err, err_cap, "a %s (%s) %s", s->name, s->what,
			 s->answers ? "must name the package that it answers" :
				      "answers no other package, and this one says so");
		return -1;
	}
	return 0;
}

/* ---- values ---- */

static bool digits(const char *v, size_t min, size_t max)
{
	size_t n = strspn(v, "0123456789");

	return !v[n] && n >= min && n <= max;
}

static bool hex_digits(const char *v, size_t n)
{
	return n % 2 == 0 && strspn(v, "0123456789abcdef") >= n;
}

/* One way to write a number: no sign, no leading zero. */
static bool number(const char *v, uint64_t min, uint64_t max)
{
	uint64_t n;

	if (!digits(v, 1, 18) || (v[0] == '0' && v[1]))
		return false;
	n = strtoull(v, NULL, 10);
	return n >= min && n <= max;
}

static bool name(const char *v)
{
	size_t n = strspn(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/");

	return n > 0 && n <= PKG_WORD_MAX && !v[n];
}

static bool word(const char *v, const char *const *words)
{
	while (*words && strcmp(*words, v))
		words++;
	return *words;
}

/* Length of what stands before the next ';', and where the next one begins (NULL: none). */
static size_t item(const char *v, const char **next)
{
	size_t n = strcspn(v, ";");

	*next = v[n] ? v + n + 1 : NULL;
	return n;
}

static bool plmns(const char *v, uint64_t max)
{
	uint64_t n = 0;

	for (const char *next; v; v = next) {
		size_t len = item(v, &next);

		if ((len != 5 && len != 6) || strspn(v, "0123456789") < len || ++n > max)
			return false;
	}
	return true;
}

static bool files(const char *v, uint64_t max)
{
	uint64_t n = 0;

	for (const char *next; v; v = next) {
		size_t len = item(v, &next), fids = strcspn(v, ":;");
		size_t octets = len > fids ? (len - fids - 1) / 2 : 0;

		if (++n > max || v[fids] != ':' || (fids != 4 && fids != 9) || strspn(v, "0123456789abcdef") < 4 ||
		    (fids == 9 && (v[4] != '/' || strspn(v + 5, "0123456789abcdef") < 4)) || octets < FILE_MIN ||
		    octets > FILE_MAX - 5 || !hex_digits(v + fids + 1, len - fids - 1))
			return false;
	}
	return true;
}

static bool value_ok(const struct xchg_column *c, const char *v)
{
	size_t len = strlen(v);

	if (!len)
		return c->optional;
	switch (c->kind) {
	case XCHG_V_ICCID:
		return digits(v, 18, 20);
	case XCHG_V_IMSI:
		return digits(v, 6, 15);
	case XCHG_V_MSISDN:
		return digits(v, 3, 15);
	case XCHG_V_NUMBER:
		return number(v, c->min, c->max);
	case XCHG_V_HEX:
		return hex_digits(v, len) && len / 2 >= c->min && len / 2 <= c->max;
	case XCHG_V_WORD:
		return word(v, c->words);
	case XCHG_V_NAME:
		return name(v);
	case XCHG_V_PLMNS:
		return plmns(v, c->max);
	case XCHG_V_FILES:
		return files(v, c->max);
	}
	return false;
}

/* What a column must hold, for a sentence. */
static void value_wanted(const struct xchg_column *c, char *out, size_t cap)
{
	size_t at = 0;

	switch (c->kind) {
	case XCHG_V_ICCID:
		snprintf(out, cap, "18 to 20 digits");
		return;
	case XCHG_V_IMSI:
		snprintf(out, cap, "6 to 15 digits");
		return;
	case XCHG_V_MSISDN:
		snprintf(out, cap, "3 to 15 digits");
		return;
	case XCHG_V_NUMBER:
		snprintf(out, cap, "a number from %llu to %llu", (unsigned long long)c->min,
			 (unsigned long long)c->max);
		return;
	case XCHG_V_HEX:
		snprintf(out, cap, "%llu to %llu octets in hexadecimal, small letters", (unsigned long long)c->min,
			 (unsigned long long)c->max);
		return;
	case XCHG_V_WORD:
		for (const char *const *w = c->words; *w && at < cap; w++)
			at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? " or " : "", *w);
		return;
	case XCHG_V_NAME:
		snprintf(out, cap, "a name of letters, digits and -._/");
		return;
	case XCHG_V_PLMNS:
		snprintf(out, cap, "networks as MCCMNC, separated by ; and at most %llu", (unsigned long long)c->max);
		return;
	case XCHG_V_FILES:
		snprintf(out, cap, "files as FID:hex or FID/FID:hex, separated by ; and at most %llu",
			 (unsigned long long)c->max);
		return;
	}
}

static int value_check(const struct xchg_schema *s, unsigned i, const char *v, const char *where, char *err,
		       size_t err_cap)
{
	char wanted[160] = "";

	if (value_ok(&s->column[i], v))
		return 0;
	value_wanted(&s->column[i], wanted, sizeof(wanted));
	snprintf(err, err_cap, "%s: %s must be %s%s", where, s->column[i].name, wanted,
		 s->column[i].optional ? ", or empty" : "");
	return -1;
}

/* ---- records ---- */

int xchg_split(const struct xchg_schema *s, uint64_t n, char *line, struct xchg_record *out, char *err, size_t err_cap)
{
	const unsigned columns = xchg_columns(s);
	char where[64];

	*out = (struct xchg_record){ .schema = s, .n = n };
	snprintf(where, sizeof(where), "%s record %llu", s->name, (unsigned long long)n + 1);
	for (unsigned i = 0; i < columns; i++) {
		char *comma = strchr(line, ',');

		if (!comma) { /* the salt follows the last value */
			snprintf(err, err_cap, "%s: %u values instead of %u", where, i, columns);
			return -1;
		}
		*comma = '\0';
		out->value[i] = line;
		line = comma + 1;
		if (value_check(s, i, out->value[i], where, err, err_cap))
			return -1;
	}
	return 0;
}

const char *xchg_value(const struct xchg_record *r, const char *column)
{
	int i = xchg_column(r->schema, column);

	assert(i >= 0);
	return r->value[i];
}

uint64_t xchg_number(const struct xchg_record *r, const char *column)
{
	return strtoull(xchg_value(r, column), NULL, 10);
}

size_t xchg_hex(const struct xchg_record *r, const char *column, uint8_t *out, size_t cap)
{
	const char *v = xchg_value(r, column);
	size_t n = strlen(v) / 2;

	assert(n <= cap);
	for (size_t i = 0; i < n; i++) {
		static const char all[] = "0123456789abcdef";

		out[i] = (uint8_t)((strchr(all, v[2 * i]) - all) << 4 | (strchr(all, v[2 * i + 1]) - all));
	}
	return n;
}

int xchg_join(const struct xchg_schema *s, const char *const *value, char *line, size_t cap, char *err, size_t err_cap)
{
	size_t at = 0;

	for (unsigned i = 0; i < xchg_columns(s); i++) {
		if (value_check(s, i, value[i], s->name, err, err_cap))
			return -1;
		at += (size_t)snprintf(line + at, at < cap ? cap - at : 0, "%s%s", i ? "," : "", value[i]);
	}
	if (at < cap)
		return 0;
	snprintf(err, err_cap, "%s: a record of %zu characters is longer than a package takes", s->name, at);
	return -1;
}
