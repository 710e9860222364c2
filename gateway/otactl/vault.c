/* vault.c - `otactl vault`: pairs of cards, and who has had which.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "order.h"
#include "party.h"

#define COUNT_MAX  10000000
#define ICCID_BODY 18 /* digits in front of the check digit */

/* ITU-T E.118: a Luhn digit ends the number. */
static char luhn(const char *digits, size_t n)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned d = (unsigned)(digits[n - 1 - i] - '0') * (i % 2 ? 1 : 2);

		sum += d > 9 ? d - 9 : d;
	}
	return (char)('0' + (10 - sum % 10) % 10);
}

/* Makes the list of --count cards from --iccid-from on, beside the file that is asked for. */
static bool make_list(const char *from, uint64_t count, const char *out, char path[PARTY_PATH_MAX])
{
	char iccid[ICCID_BODY + 2], *text = NULL;
	size_t len = 0;
	FILE *f;
	bool ok;

	if (strlen(from) != ICCID_BODY || strspn(from, "0123456789") != ICCID_BODY) {
		ctl_error("--iccid-from '%s' must be the first ICCID without its check digit, %d digits", from,
			  ICCID_BODY);
		return false;
	}
	f = open_memstream(&text, &len);
	if (!f)
		return false;
	fputs("ICCID\n", f);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t n = strtoull(from, NULL, 10) + i;

		snprintf(iccid, sizeof(iccid), "%0*" PRIu64, ICCID_BODY, n);
		iccid[ICCID_BODY] = luhn(iccid, ICCID_BODY);
		iccid[ICCID_BODY + 1] = '\0';
		fprintf(f, "%s\n", iccid);
	}
	fclose(f);
	snprintf(path, PARTY_PATH_MAX, "%s.cards", out);
	ok = file_write(path, text, len, 0600, true);
	free(text);
	return ok;
}

int cmd_vault_gen(struct ctl *c, const struct ctl_args *a)
{
	const char *cards = ctl_arg(a, "cards", 0), *out = ctl_arg(a, "out", 0), *from = ctl_arg(a, "iccid-from", 0);
	char path[CTL_PATH_MAX], list[PARTY_PATH_MAX], file[CTL_FILE_MAX], to[CTL_FILE_MAX], dir[CTL_FILE_MAX];
	double pairs, count, octets;
	const char *slash;

	if (!ctl_arg_number(a, "pairs", 1, 40, 0, &pairs) || !ctl_arg_number(a, "count", 1, COUNT_MAX, 0, &count) ||
	    !ctl_arg_number(a, "key-octets", 16, 32, 16, &octets))
		return CTL_USAGE;
	if (pairs < 1 || !out || !cards == !(count > 0) || (count > 0 && !from)) {
		ctl_error("give --pairs N, --out FILE, and --cards FILE, or --count N with --iccid-from DIGITS");
		return CTL_USAGE;
	}
	slash = strrchr(out, '/');
	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - out) + 1 : 1, slash ? out : ".");
	if (!ctl_whole_path(dir, file))
		return CTL_USAGE;
	if (snprintf(to, sizeof(to), "%.*s/%s", CTL_FILE_MAX - 1, file, slash ? slash + 1 : out) >= (int)sizeof(to)) {
		ctl_error("--out: the path is too long");
		return CTL_USAGE;
	}
	if (!cards) {
		if (!make_list(from, (uint64_t)count, out, list))
			return CTL_USAGE;
		cards = list;
	}
	if (!ctl_whole_path(cards, file))
		return CTL_USAGE;
	ctl_path(path, "vault", "gen", (char *)NULL);
	return ctl_order(c, path,
			 json_pack("{s:s s:s s:i s:i}", "file", file, "out", to, "pairs", (int)pairs, "key_octets",
				   (int)octets));
}

int cmd_vault_import(struct ctl *c, const struct ctl_args *a)
{
	char path[CTL_PATH_MAX], file[CTL_FILE_MAX];

	if (!ctl_whole_path(a->pos[0], file))
		return CTL_USAGE;
	ctl_path(path, "vault", "import", (char *)NULL);
	return ctl_order(c, path, json_pack("{s:s}", "file", file));
}

int cmd_vault_issue(struct ctl *c, const struct ctl_args *a)
{
	const char *to = ctl_arg(a, "to", 0);
	char path[CTL_PATH_MAX];

	if (!to) {
		ctl_error("--to PARTNER: who issues the cards and gets their first pairs?");
		return CTL_USAGE;
	}
	if (!ctl_confirmed(
		    a, "the first pairs of all cards that nobody has yet (ISSUER -, `vault list`) go to that partner, "
		       "and nobody else gets them any more"))
		return CTL_USAGE;
	ctl_path(path, "vault", "issue", (char *)NULL);
	return ctl_order(c, path, json_pack("{s:s}", "partner", to));
}

int cmd_vault_list(struct ctl *c, const struct ctl_args *a)
{
	static const struct ctl_column columns[] = {
		{ "iccid", "ICCID", false }, { "issuer", "ISSUER", false }, { "active", "ACTIVE", true },
		{ "pairs", "PAIRS", true },  { "free", "FREE", true },	    { "burnt", "BURNT", true },
	};
	char path[CTL_PATH_MAX];

	ctl_path(path, "vault", "cards", (char *)NULL);
	return ctl_pages_list(c, path, "", "cards", columns, sizeof(columns) / sizeof(columns[0]));
}

int cmd_vault_pair(struct ctl *c, const struct ctl_args *a)
{
	static const struct ctl_column columns[] = {
		{ "index", "INDEX", true },
		{ "state", "STATE", false },
		{ "kvn", "KVN", true },
		{ "order", "ORDER", false },
	};
	char path[CTL_PATH_MAX];
	struct ctl_list l;
	json_t *o;
	int rc;

	ctl_path(path, "vault", "cards", a->pos[0], (char *)NULL);
	rc = ctl_get(c, path, &o);
	if (rc)
		return rc;
	if (c->format == CTL_JSON) {
		ctl_print_json(o);
	} else {
		ctl_list_begin(&l, c->format, columns, sizeof(columns) / sizeof(columns[0]));
		ctl_list_page(&l, json_object_get(o, "indexes"));
		ctl_list_end(&l);
	}
	json_decref(o);
	return CTL_OK;
}

int cmd_vault_ledger(struct ctl *c, const struct ctl_args *a)
{
	static const struct ctl_column columns[] = {
		{ "n", "LINE", true },	     { "at", "AT", false },	      { "order", "ORDER", false },
		{ "iccid", "ICCID", false }, { "index", "INDEX", true },      { "kvn", "KVN", true },
		{ "to", "TO", false },	     { "request", "REQUEST", false },
	};
	char path[CTL_PATH_MAX];

	ctl_path(path, "vault", "ledger", (char *)NULL);
	return ctl_pages_list(c, path, "", "ledger", columns, sizeof(columns) / sizeof(columns[0]));
}

int cmd_vault_verify(struct ctl *c, const struct ctl_args *a)
{
	char path[CTL_PATH_MAX];

	ctl_path(path, "vault", "verify", (char *)NULL);
	return ctl_order(c, path, json_object());
}
